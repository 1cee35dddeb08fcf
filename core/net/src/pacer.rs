//! When how many packets may leave: a leaky bucket in virtual time. It knows no
//! clock and sends nothing, so that its promises can be tested exactly.

/// The bucket counts in bytes times this, so that nothing is lost to rounding.
const SCALE: u64 = 1_000_000_000;

/// What a path is taken to carry until somebody measures it, bits per second:
/// what an ordinary Wi-Fi 5 link sustains.
const ASSUMED_LINK: u64 = 250_000_000;
/// Wire time that may leave at once, and the least that is worth waking up for:
/// 1/2,000 and 1/4,000 of a second (design: 0.25 to 0.5 ms per batch).
const BURST_PER_SECOND: u64 = 2_000;
const QUANTUM_PER_SECOND: u64 = 4_000;
/// Sixteen full packets fit the smallest buffers on the way; on a slow link half
/// a millisecond would be less than one packet.
const LEAST_BURST: u64 = 24_000;
/// Half a megabit per second: a floor that keeps every wait short.
const LEAST_RATE: u64 = 62_500;

/// How fast and how bursty packets may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes per second over any longer time.
    pub rate: u64,
    /// Bytes that may leave at once after a pause.
    pub burst: u64,
    /// Bytes to gather before sending more of a frame that exceeds the burst:
    /// larger means fewer wake-ups. At most `burst`.
    pub quantum: u64,
}

impl Limits {
    /// The rule for a stream (design, "Rate and pacing"): the rate is
    /// `min(max(3 × bitrate, 0.9 × link), 0.9 × hard)`, bursts are half a
    /// millisecond of it. All in bits per second.
    ///
    /// `link` is what the path was measured to carry (250 Mbit/s is assumed
    /// without a measurement), `hard` what it cannot exceed, as the speed of the
    /// network card.
    pub fn of_stream(bitrate: u64, link: Option<u64>, hard: Option<u64>) -> Self {
        let tenths = |bits: u64| bits / 10 * 9;
        let wish = bitrate.saturating_mul(3).max(tenths(link.unwrap_or(ASSUMED_LINK)));
        let rate = (wish.min(tenths(hard.unwrap_or(u64::MAX))) / 8).max(LEAST_RATE);
        let burst = (rate / BURST_PER_SECOND).max(LEAST_BURST);
        Self { rate, burst, quantum: (rate / QUANTUM_PER_SECOND).min(burst) }
    }
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Send so many packets (at least one), then ask again.
    Send(usize),
    /// Sleep until this moment, nanoseconds on the caller's clock, then ask again.
    Wait(u64),
}

/// When bytes leave that are handed over now: at once as long as they fit the burst, and
/// at the rate after that. What gathering packets adds, at most a quantum, is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// Bytes that have to leave before the first, beyond those that may leave at once:
    /// negative while there is room.
    pub excess: i64,
    /// Bytes per second.
    pub rate: u64,
}

impl Forecast {
    /// Nanoseconds until the last of `bytes` leaves.
    pub fn after(&self, bytes: u64) -> u64 {
        let waits = self.excess.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX)).max(0);
        waits.unsigned_abs().saturating_mul(SCALE) / self.rate.max(1)
    }
}

/// The bucket: sent bytes fill it, time drains it at the rate, and what does not
/// fit waits.
#[derive(Clone, Debug)]
pub struct Pacer {
    limits: Limits,
    /// Bytes in the bucket times `SCALE`, as of `at`.
    level: u64,
    at: u64,
}

impl Pacer {
    /// An empty bucket: the first burst leaves at once.
    pub fn new(limits: Limits) -> Self {
        Self { limits, level: 0, at: 0 }
    }

    /// Goes on with other limits from `now`; what is in the bucket stays there.
    pub fn set_limits(&mut self, now: u64, limits: Limits) {
        self.drain(now);
        self.limits = limits;
    }

    /// The limits in force.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What to do at `now` (nanoseconds) with `waiting` packets of `size` bytes
    /// each. `waiting` must not be zero; a size of zero counts as one byte.
    ///
    /// [`Pace::Send`] takes the packets as sent.
    pub fn pace(&mut self, now: u64, size: usize, waiting: usize) -> Pace {
        self.drain(now);
        let size = (size as u64).max(1);
        let waiting = (waiting as u64).max(1);
        // A packet larger than the burst may leave when the bucket is empty.
        let capacity = self.limits.burst.max(size).saturating_mul(SCALE);
        let room = capacity.saturating_sub(self.level) / SCALE / size;
        let wanted = (self.limits.quantum.min(self.limits.burst) / size).max(1).min(waiting);
        if room >= wanted {
            let count = room.min(waiting);
            self.level = self.level.saturating_add((count * size).saturating_mul(SCALE));
            return Pace::Send(usize::try_from(count).unwrap_or(usize::MAX));
        }
        let target = capacity - (wanted * size).saturating_mul(SCALE).min(capacity);
        let excess = self.level.saturating_sub(target);
        Pace::Wait(self.at.saturating_add(excess.div_ceil(self.limits.rate.max(1))))
    }

    /// Takes `bytes` as handed over for sending at `now`, whenever they may leave: for a
    /// bucket that only foretells.
    pub fn take(&mut self, now: u64, bytes: usize) {
        self.drain(now);
        self.level = self.level.saturating_add((bytes as u64).saturating_mul(SCALE));
    }

    /// When what is handed over at `now` leaves, if all before it was [taken](Self::take).
    pub fn forecast(&mut self, now: u64) -> Forecast {
        self.drain(now);
        let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let excess = signed(self.level.div_ceil(SCALE)).saturating_sub(signed(self.limits.burst));
        Forecast { excess, rate: self.limits.rate.max(1) }
    }

    fn drain(&mut self, now: u64) {
        let elapsed = now.saturating_sub(self.at);
        self.level = self.level.saturating_sub(elapsed.saturating_mul(self.limits.rate));
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MBIT: u64 = 1_000_000;

    /// Sends `frames` (moment, packets) one after the other as the sender thread
    /// does; yields (moment, bytes) of every burst.
    fn play(limits: Limits, size: usize, frames: &[(u64, usize)], late: u64) -> Vec<(u64, u64)> {
        let mut pacer = Pacer::new(limits);
        let (mut now, mut sent) = (0, Vec::new());
        for &(at, packets) in frames {
            now = now.max(at);
            let mut waiting = packets;
            while waiting > 0 {
                match pacer.pace(now, size, waiting) {
                    Pace::Send(count) => {
                        assert!((1..=waiting).contains(&count));
                        waiting -= count;
                        sent.push((now, (count * size) as u64));
                    }
                    Pace::Wait(until) => {
                        assert!(until > now, "a wait that does not move time would spin");
                        now = until + late;
                    }
                }
            }
        }
        sent
    }

    #[test]
    fn the_rate_follows_bitrate_and_link() {
        let rate = |bitrate, link, hard| Limits::of_stream(bitrate, link, hard).rate * 8 / MBIT;
        assert_eq!(rate(20 * MBIT, None, None), 225);
        assert_eq!(rate(150 * MBIT, None, None), 450);
        assert_eq!(rate(150 * MBIT, None, Some(100 * MBIT)), 90);
        assert_eq!(rate(20 * MBIT, Some(2_500 * MBIT), Some(2_500 * MBIT)), 2_250);
        assert_eq!(rate(20 * MBIT, Some(30 * MBIT), None), 60);
        assert!(Limits::of_stream(0, Some(0), Some(0)).rate > 0);
        assert!(Limits::of_stream(u64::MAX, None, None).rate > 0);
    }

    #[test]
    fn a_frame_below_the_burst_leaves_at_once() {
        let limits = Limits::of_stream(20 * MBIT, None, None);
        let fits = (limits.burst / 1_392) as usize;
        assert_eq!(play(limits, 1_392, &[(7, fits)], 0), [(7, fits as u64 * 1_392)]);
        // And so does the next one a frame later, however small the interval at 240 Hz.
        let sent = play(limits, 1_392, &[(0, fits), (4_166_666, fits)], 0);
        assert_eq!(sent.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 4_166_666]);
    }

    #[test]
    fn a_large_frame_leaves_at_the_rate_of_the_link_not_over_the_frame_interval() {
        let limits = Limits::of_stream(20 * MBIT, Some(1_000 * MBIT), None);
        let sent = play(limits, 1_392, &[(0, 200)], 0);
        let end = sent.last().expect("sent").0;
        // 278 kB at 900 Mbit/s less a burst of 56 kB: 1.97 ms.
        assert!((1_950_000..2_000_000).contains(&end), "{end}");
        assert!(sent.len() <= 12, "{} bursts", sent.len());
    }

    #[test]
    fn new_limits_keep_what_is_in_the_bucket() {
        let slow = Limits { rate: 1_000, burst: 1_000, quantum: 1_000 };
        let mut pacer = Pacer::new(slow);
        assert_eq!(pacer.pace(0, 1_000, 1), Pace::Send(1));
        pacer.set_limits(0, Limits { rate: 1_000_000, ..slow });
        assert_eq!(pacer.pace(0, 1_000, 1), Pace::Wait(1_000_000));
        assert_eq!(pacer.limits().rate, 1_000_000);
        assert_eq!(pacer.pace(1_000_000, 1_000, 1), Pace::Send(1));
    }

    #[test]
    fn a_clock_that_goes_back_grants_nothing() {
        let mut pacer = Pacer::new(Limits { rate: 1_000, burst: 1_000, quantum: 1_000 });
        assert_eq!(pacer.pace(5_000_000_000, 1_000, 1), Pace::Send(1));
        assert_eq!(pacer.pace(1, 1_000, 1), Pace::Wait(6_000_000_000));
    }

    prop_compose! {
        fn limits()(rate in 62_500..1_000_000_000_u64, burst in 1_000..200_000_u64, part in 1..=4_u64) -> Limits {
            Limits { rate, burst, quantum: burst / part }
        }
    }

    proptest! {
        #[test]
        fn never_more_than_rate_times_time_plus_burst(
            limits in limits(), size in 1..3_000_usize, late in 0..100_000_u64,
            frames in prop::collection::vec((0..5_000_000_u64, 1..300_usize), 1..12),
        ) {
            let mut at = 0;
            let frames: Vec<_> = frames.into_iter().map(|(gap, count)| { at += gap; (at, count) }).collect();
            let sent = play(limits, size, &frames, late);
            let burst = u128::from(limits.burst.max(size as u64));
            for (first, &(start, _)) in sent.iter().enumerate() {
                let mut total = 0_u128;
                for &(end, bytes) in sent.iter().skip(first).take(64) {
                    total += u128::from(bytes);
                    let allowed = u128::from(end - start) * u128::from(limits.rate) / 1_000_000_000 + burst;
                    prop_assert!(total <= allowed + 1, "{total} > {allowed}");
                }
            }
        }

        #[test]
        fn the_forecast_is_what_comes(
            limits in limits(), size in 1..1_000_usize,
            frames in prop::collection::vec((0..5_000_000_u64, 1..300_usize), 1..12),
        ) {
            let (mut at, mut free, mut model) = (0, 0, Pacer::new(limits));
            for (number, &(gap, count)) in frames.iter().enumerate() {
                at += gap;
                let foretold = at + model.forecast(at).after((count * size) as u64);
                model.take(at, count * size);
                let all: Vec<_> = frames.iter().take(number + 1).scan(0, |at, &(gap, count)| {
                    *at += gap;
                    Some((*at, count))
                }).collect();
                free = play(limits, size, &all, 0).last().expect("sent").0.max(free);
                let off = foretold.abs_diff(free.max(at));
                let most = (limits.quantum.max(size as u64) + size as u64) * 1_000_000_000 / limits.rate;
                prop_assert!(off <= most + 64, "{foretold} and not {free}, frame {number}");
            }
        }

        #[test]
        fn no_time_is_wasted_while_packets_wait(
            limits in limits(), size in 1..3_000_usize, packets in 1..2_000_usize,
        ) {
            let sent = play(limits, size, &[(0, packets)], 0);
            let end = u128::from(sent.last().expect("sent").0);
            let burst = u128::from(limits.burst.max(size as u64));
            let beyond = ((packets * size) as u128).saturating_sub(burst);
            // Up to a nanosecond of rounding for each burst.
            let least = beyond * 1_000_000_000 / u128::from(limits.rate);
            prop_assert!(end <= least + sent.len() as u128 + 1, "{end} > {least}");
        }

        #[test]
        fn what_fits_the_burst_is_never_delayed(limits in limits(), size in 1..1_000_usize, start in 0..u64::MAX / 4) {
            let fits = (limits.burst / size as u64) as usize;
            let pause = (limits.burst * 1_000_000_000).div_ceil(limits.rate);
            let frames = [(start, fits), (start + pause, fits)];
            let sent = play(limits, size, &frames, 0);
            prop_assert_eq!(sent.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [start, start + pause]);
        }
    }
}
