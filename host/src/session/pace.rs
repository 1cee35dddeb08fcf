//! Whether a screen that moves gives as many pictures as the client asked for. When
//! it does not, somebody should know that neither encoder nor network is to blame.

/// Seconds in a row that must have been too slow.
const SLOW: u32 = 3;

/// What is known of one stream's screen.
pub(super) struct Pace {
    wanted: u32,
    slow: u32,
    told: bool,
}

impl Pace {
    /// For a stream of `wanted` pictures a second.
    pub fn new(wanted: u32) -> Self {
        Self { wanted: wanted.max(1), slow: 0, told: false }
    }

    /// In the last second the screen gave so many pictures. True when that is worth
    /// a line in the log: once, because games that draw at half the rate are common.
    pub fn second(&mut self, given: u32) -> bool {
        let (given, wanted) = (u64::from(given), u64::from(self.wanted));
        // A menu or a terminal changes now and then: nothing limits it.
        let moves = given * 4 >= wanted;
        let is_slow = moves && given * 10 < wanted * 9;
        self.slow = if is_slow { self.slow + 1 } else { 0 };
        self.slow >= SLOW && !std::mem::replace(&mut self.told, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_screen_that_moves_too_slowly_is_told_of_and_once() {
        let said = |seconds: &[u32]| {
            let mut pace = Pace::new(240);
            seconds.iter().filter(|given| pace.second(**given)).count()
        };
        assert_eq!(said(&[240, 239, 230, 220, 241]), 0, "quick enough");
        assert_eq!(said(&[0, 2, 10, 59, 1, 0]), 0, "still");
        assert_eq!(said(&[200, 200, 240, 200, 200, 1, 200]), 0, "never for long");
        assert_eq!(said(&[200, 210, 60, 200, 240, 200, 200, 200]), 1);
        let mut pace = Pace::new(0);
        assert!(!(0..9).any(|_| pace.second(u32::MAX)));
    }
}
