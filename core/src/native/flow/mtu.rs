//! The largest datagram that the path carries. Probes search upwards while the stream
//! runs on what is known to pass; a path that swallows what passed before is noticed
//! by the next report, and the least size is used at once.

use std::time::Duration;

use super::feedback::{self, Sample};
use crate::time::Time;

/// Every path carries this: the least payload of a media datagram.
pub const LEAST: usize = 1200;
/// What is tried first; then what lies between.
const STEPS: [usize; 3] = [1472, 4000, 8900];
/// A search is over when it is this close, in bytes.
const CLOSE: usize = 12;
/// Probes of one size.
const TRIES: u32 = 3;
/// The least time to wait for an answer, and what to wait for as long as no round trip is
/// known.
pub const LEAST_WAIT: Duration = Duration::from_millis(100);
/// A finished search is tried again after this: paths grow, too.
const AGAIN: Duration = Duration::from_secs(600);
/// Datagrams that must have been sent since the last report before their absence
/// means something.
const ENOUGH: u64 = 4;
/// Reports in a row without any of them, besides those sent before any could arrive.
const SILENT: u32 = 2;
/// Reports for which datagrams may be under way, at most.
const UNDER_WAY: u128 = 10;

/// A probe under way.
#[derive(Clone, Copy, Debug)]
struct Probe {
    id: u64,
    size: usize,
    tries: u32,
    until: Time,
}

/// The host's search.
#[derive(Clone, Debug)]
pub struct PathMtu {
    /// Most bytes that the client can receive.
    limit: usize,
    /// Largest size that passed.
    size: usize,
    /// Least size that did not pass.
    fails: Option<usize>,
    probe: Option<Probe>,
    next_id: u64,
    /// When there is something to do without a probe under way.
    idle_until: Time,
    silent: u32,
    sent: u64,
}

impl PathMtu {
    /// Begins at `start` bytes, never beyond the `limit` that the client set.
    pub fn new(start: usize, limit: usize) -> Self {
        let limit = limit.clamp(LEAST, 9000);
        Self {
            limit,
            size: start.clamp(LEAST, limit),
            fails: None,
            probe: None,
            next_id: 0,
            idle_until: Time(0),
            silent: 0,
            sent: 0,
        }
    }

    /// Most bytes of a media datagram, now.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// That many datagrams of the present size were handed to the network.
    pub const fn sent(&mut self, datagrams: u64) {
        self.sent = self.sent.saturating_add(datagrams);
    }

    /// The next probe to send, as id and size of the datagram. `None` until
    /// [`due`](Self::due).
    pub fn poll(&mut self, now: Time, round_trip: Duration) -> Option<(u64, usize)> {
        if let Some(probe) = self.probe {
            if now < probe.until {
                return None;
            }
            if probe.tries >= TRIES {
                self.fails = Some(probe.size);
                self.probe = None;
            }
        }
        if self.probe.is_none() {
            if now < self.idle_until {
                return None;
            }
            let Some(size) = self.candidate() else {
                (self.fails, self.idle_until) = (None, now + AGAIN);
                return None;
            };
            self.probe = Some(Probe { id: 0, size, tries: 0, until: now });
        }
        let probe = self.probe.as_mut()?;
        probe.id = self.next_id;
        probe.tries += 1;
        probe.until = now + (round_trip.min(Duration::from_secs(1)) * 2).max(LEAST_WAIT);
        self.next_id = self.next_id.wrapping_add(1);
        Some((probe.id, probe.size))
    }

    /// When [`poll`](Self::poll) has something to do.
    pub fn due(&self) -> Time {
        self.probe.map_or(self.idle_until, |probe| probe.until)
    }

    /// The client received probe `id` of `size` bytes. True when the size of
    /// datagrams is a larger one now.
    pub fn answered(&mut self, id: u64, size: u64) -> bool {
        let Some(probe) = self.probe.filter(|probe| probe.id == id && probe.size as u64 == size) else {
            return false;
        };
        (self.size, self.probe) = (probe.size, None);
        true
    }

    /// A report of the client. True when nothing large arrives any more and the least
    /// size has to be used from now on.
    pub fn report(&mut self, now: Time, sample: &Sample, round_trip: Duration) -> bool {
        let sent = std::mem::take(&mut self.sent);
        if sample.received > 0 && sample.largest > LEAST as u64 {
            self.silent = 0;
            return false;
        }
        if self.size == LEAST || sent < ENOUGH {
            return false;
        }
        self.silent += 1;
        let under_way = (round_trip.as_micros() / feedback::EVERY.as_micros()).min(UNDER_WAY);
        if u128::from(self.silent) < u128::from(SILENT) + under_way {
            return false;
        }
        self.silent = 0;
        (self.fails, self.size, self.probe) = (Some(self.size), LEAST, None);
        self.idle_until = now + Duration::from_secs(1);
        true
    }

    /// The path is another one: begin anew, from the least size.
    pub fn changed(&mut self, now: Time) {
        (self.fails, self.size, self.probe, self.idle_until) = (None, LEAST, None, now);
    }

    /// The size worth trying next.
    fn candidate(&self) -> Option<usize> {
        let ceiling = self.fails.unwrap_or(self.limit + 1);
        let step = STEPS.into_iter().map(|step| step.min(self.limit)).find(|&step| step > self.size);
        match step {
            Some(step) if step < ceiling => Some(step),
            _ if self.fails.is_none() => (self.size < self.limit).then_some(self.limit),
            _ if ceiling - self.size <= CLOSE => None,
            // Even, because shards are.
            _ => Some((self.size + ceiling) / 2 / 2 * 2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRIP: Duration = Duration::from_millis(10);

    /// Plays `seconds` on a path that carries `path` bytes, answering after 10 ms.
    fn play(search: &mut PathMtu, from: Time, seconds: u64, path: usize) -> usize {
        let mut probes = 0;
        let mut answer = None;
        for millis in 0..seconds * 1_000 {
            let now = from + Duration::from_millis(millis);
            if let Some((at, id, size)) = answer
                && now >= at
            {
                search.answered(id, size);
                answer = None;
            }
            if search.due() <= now
                && let Some((id, size)) = search.poll(now, TRIP)
            {
                probes += 1;
                assert!(size > search.size() && size <= search.limit);
                if size <= path {
                    answer = Some((now + TRIP, id, size as u64));
                }
            }
        }
        probes
    }

    #[test]
    fn usual_paths_are_found() {
        for (path, limit) in
            [(1472, 9000), (1452, 9000), (8900, 9000), (9000, 9000), (1200, 9000), (1400, 1400)]
        {
            let mut search = PathMtu::new(LEAST, limit);
            let probes = play(&mut search, Time(0), 30, path);
            assert!(
                search.size() <= path && search.size() + CLOSE >= path.min(limit),
                "{path}: {}",
                search.size()
            );
            assert!(probes <= 60, "{probes}");
            assert_eq!(play(&mut search, Time(30_000_000), 60, path), 0, "found is found");
        }
    }

    #[test]
    fn a_size_is_given_up_after_three_tries_only() {
        let mut search = PathMtu::new(1200, 1500);
        let mut sizes = Vec::new();
        for try_at in 0..3 {
            let now = Time::from_millis(try_at * 100);
            sizes.extend(search.poll(now, TRIP));
            assert_eq!(search.poll(now, TRIP), None, "one at a time");
        }
        assert_eq!(sizes, [(0, 1472), (1, 1472), (2, 1472)]);
        assert!(!search.answered(1, 1472), "an old id");
        assert!(!search.answered(2, 1500), "another size");
        assert!(search.answered(2, 1472) && search.size() == 1472);
    }

    #[test]
    fn a_black_hole_is_left_with_the_second_report_and_found_out_again() {
        let mut search = PathMtu::new(1472, 1472);
        let nothing = Sample::default();
        let small = Sample { received: 3, largest: 90, ..nothing };
        assert!(!search.report(Time(0), &nothing, TRIP), "nothing was sent");
        search.sent(50);
        assert!(!search.report(Time(50_000), &small, TRIP));
        search.sent(50);
        assert!(search.report(Time(100_000), &nothing, TRIP));
        assert_eq!(search.size(), LEAST);
        play(&mut search, Time(100_000), 20, 1300);
        assert!((1288..=1300).contains(&search.size()), "{}", search.size());
    }

    #[test]
    fn a_stream_that_rests_is_no_black_hole() {
        let mut search = PathMtu::new(1472, 1472);
        for n in 0..100 {
            search.sent(1);
            assert!(!search.report(Time::from_millis(n * 50), &Sample::default(), TRIP));
        }
        let good = Sample { received: 10, largest: 1472, ..Sample::default() };
        for n in 0..100 {
            search.sent(100);
            let sample = if n % 2 == 0 { good } else { Sample::default() };
            assert!(!search.report(Time::from_millis(n * 50), &sample, TRIP), "one report alone says little");
        }
    }

    proptest! {
        #[test]
        fn any_path_is_found_and_never_overrun(path in 1200_usize..9000, limit in 1200_usize..9000) {
            let mut search = PathMtu::new(LEAST, limit);
            play(&mut search, Time(0), 30, path);
            prop_assert!(search.size() <= path.min(limit));
            prop_assert!(search.size() + CLOSE >= path.min(limit));
        }

        #[test]
        fn no_answer_grows_beyond_the_limit(answers in prop::collection::vec((0_u64..8, any::<u64>()), 1..50)) {
            let mut search = PathMtu::new(LEAST, 4000);
            for (n, (id, size)) in answers.into_iter().enumerate() {
                search.poll(Time::from_millis(n as u64 * 37), TRIP);
                search.answered(id, size);
                prop_assert!((LEAST..=4000).contains(&search.size()));
            }
        }
    }
}
