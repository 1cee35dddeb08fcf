//! The half of an answer that is sent a little later: what a burst took once, it takes
//! again when all copies follow each other. After the next frame it is over, mostly, and
//! where that is soon enough the second half of an answer waits for it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::native::wire::report::Nack;
use crate::time::Time;

/// Answers of fewer datagrams stay whole: their client has time for another request.
const SPLIT: u8 = 9;
/// How long after the next frame begins the second half is sent.
const AFTER: Duration = Duration::from_micros(200);
/// Frames further apart than this are no stream to go by.
const LONGEST: Duration = Duration::from_millis(50);
/// Halves that wait; more of them at once are no client's.
const MOST: usize = 64;

/// See the module. The host has one for each client.
#[derive(Debug, Default)]
pub struct Later {
    /// When the newest frame was sent, and how long after the one before.
    newest: Option<(Time, Duration)>,
    waiting: VecDeque<(Time, Nack)>,
}

impl Later {
    /// A frame was sent whole.
    pub fn frame(&mut self, now: Time) {
        let before = self.newest.map(|(before, _)| now - before);
        self.newest = Some((now, before.unwrap_or(Duration::MAX)));
    }

    /// The halves of the answer to `nack`, which asks for a frame that was `sent` then: how
    /// many datagrams are sent now at least, and what is to be answered later. `None` when all
    /// of it has to be sent now to be there a round trip and an interval after it was due.
    pub fn split(
        &self,
        now: Time,
        nack: &Nack,
        sent: Option<Time>,
        round_trip: Duration,
    ) -> Option<(u8, (Time, Nack))> {
        let (newest, interval) = self.newest.filter(|(_, interval)| *interval <= LONGEST)?;
        let (at, last) = (newest + interval + AFTER, sent? + round_trip + interval);
        let fits = nack.turn == Some(0) && nack.spread >= SPLIT && self.waiting.len() < MOST;
        (fits && now < at && at <= last).then(|| {
            let first = nack.spread / 2;
            // Without a turn it is answered, although this turn was.
            let later = Nack { turn: None, spread: nack.spread - first, ..nack.clone() };
            (first, (at, later))
        })
    }

    /// Keeps the second half of an answer whose first was sent.
    pub fn push(&mut self, half: (Time, Nack)) {
        self.waiting.push_back(half);
    }

    /// The next half whose time has come.
    pub fn take(&mut self, now: Time) -> Option<Nack> {
        self.due().filter(|at| *at <= now)?;
        self.waiting.pop_front().map(|(_, nack)| nack)
    }

    /// When that is.
    pub fn due(&self) -> Option<Time> {
        self.waiting.front().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::wire::report::Missing;

    const TRIP: Duration = Duration::from_millis(12);

    fn nack(turn: Option<u8>, spread: u8) -> Nack {
        Nack { frame: 7, block: 0, missing: Missing::Ranges(vec![(3, 2)]), turn, spread }
    }

    /// After two frames, 8 ms apart; the newest at 8 ms.
    fn playing() -> Later {
        let mut later = Later::default();
        later.frame(Time(0));
        later.frame(Time(8_000));
        later
    }

    #[test]
    fn the_second_half_follows_the_next_frame_when_that_is_soon_enough() {
        let mut later = playing();
        let sent = Some(Time(0));
        let (first, half) = later.split(Time(14_000), &nack(Some(0), 9), sent, TRIP).unwrap();
        assert_eq!((first, half.0, half.1.spread, half.1.turn), (4, Time(16_200), 5, None));
        later.push(half);
        assert_eq!((later.due(), later.take(Time(16_199))), (Some(Time(16_200)), None));
        assert!(later.take(Time(16_200)).is_some() && later.due().is_none());
        // 8 ms of interval and 8 of round trip are over before.
        assert!(later.split(Time(14_000), &nack(Some(0), 9), sent, Duration::from_millis(8)).is_none());
    }

    #[test]
    fn small_answers_second_halves_and_streams_that_pause_are_answered_at_once() {
        let later = playing();
        let split = |later: &Later, nack: &Nack, sent| later.split(Time(14_000), nack, sent, TRIP);
        assert!(split(&later, &nack(Some(0), 8), Some(Time(0))).is_none());
        assert!(split(&later, &nack(None, 9), Some(Time(0))).is_none(), "a half has no halves");
        assert!(split(&later, &nack(Some(0), 9), None).is_none(), "that frame was never sent");
        let mut paused = playing();
        paused.frame(Time(100_000));
        assert!(paused.split(Time(101_000), &nack(Some(0), 9), Some(Time(100_000)), TRIP).is_none());
        assert!(Later::default().split(Time(0), &nack(Some(0), 9), Some(Time(0)), TRIP).is_none());
    }

    #[test]
    fn whoever_asks_for_ever_gets_no_more_memory() {
        let mut later = playing();
        while let Some((_, half)) = later.split(Time(9_000), &nack(Some(0), 9), Some(Time(8_000)), TRIP) {
            later.push(half);
        }
        assert_eq!(later.waiting.len(), MOST);
    }
}
