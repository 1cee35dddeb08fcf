//! A window over counters that arrive out of order: each is accepted once.

/// Remembers which of the last 64 × `WORDS` counters were accepted.
#[derive(Clone, Debug)]
pub struct ReplayWindow<const WORDS: usize = 16> {
    /// One more than the highest accepted counter, 0 before the first.
    end: u64,
    seen: [u64; WORDS],
}

impl<const WORDS: usize> Default for ReplayWindow<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const WORDS: usize> ReplayWindow<WORDS> {
    /// How far behind the highest accepted counter another one may still be.
    pub const LEN: u64 = 64 * WORDS as u64;

    /// A window that has accepted nothing.
    pub const fn new() -> Self {
        Self { end: 0, seen: [0; WORDS] }
    }

    /// One more than the highest accepted counter, 0 before the first.
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// True when `counter` was not accepted before and is not too old to tell.
    pub fn is_new(&self, counter: u64) -> bool {
        if counter >= self.end {
            return true;
        }
        let (word, bit) = Self::place(counter);
        self.end - counter <= Self::LEN && self.seen[word] & bit == 0
    }

    /// Accepts `counter`; false when [`is_new`](Self::is_new) is.
    pub fn accept(&mut self, counter: u64) -> bool {
        if !self.is_new(counter) {
            return false;
        }
        if counter >= self.end {
            let skipped = counter - self.end;
            if skipped >= Self::LEN {
                self.seen = [0; WORDS];
            } else {
                for forgotten in self.end..counter {
                    let (word, bit) = Self::place(forgotten);
                    self.seen[word] &= !bit;
                }
            }
            self.end = counter.saturating_add(1);
        }
        let (word, bit) = Self::place(counter);
        self.seen[word] |= bit;
        true
    }

    /// Which word and which bit of it stand for `counter`.
    fn place(counter: u64) -> (usize, u64) {
        let bit = counter % Self::LEN;
        (usize::try_from(bit / 64).unwrap_or(0), 1 << (bit % 64))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    type Window = ReplayWindow;

    #[test]
    fn what_is_older_than_the_window_is_refused() {
        let mut window = Window::new();
        assert!(window.accept(5000));
        assert!(!window.accept(5000 - Window::LEN));
        assert!(window.accept(5001 - Window::LEN));
        assert!(!window.accept(5001 - Window::LEN));
    }

    proptest! {
        #[test]
        fn every_counter_is_accepted_at_most_once_and_at_least_when_recent(
            counters in proptest::collection::vec(0u64..4000, 1..400),
        ) {
            let mut window = Window::new();
            let mut accepted = HashSet::new();
            for counter in counters {
                let recent = counter + Window::LEN >= window.end();
                let fresh = window.accept(counter);
                prop_assert_eq!(fresh, recent && accepted.insert(counter));
            }
        }
    }
}
