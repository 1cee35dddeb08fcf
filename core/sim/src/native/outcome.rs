//! What a run comes to, in a few numbers.

use std::time::Duration;

use super::{Session, Shown};

/// Resolution of the delays that are counted.
const BUCKET: Duration = Duration::from_micros(50);
/// So many of them; the last counts all that is longer.
const BUCKETS: usize = 20_000;

/// How long things took, counted in steps of 50 µs up to a second.
#[derive(Clone, Debug)]
pub struct Delays {
    counts: Vec<u64>,
    count: u64,
}

impl Delays {
    /// None yet. Takes no more memory later.
    pub fn new() -> Self {
        Self { counts: vec![0; BUCKETS], count: 0 }
    }

    /// Counts one.
    pub fn add(&mut self, delay: Duration) {
        let bucket = (delay.as_micros() / BUCKET.as_micros()).min(BUCKETS as u128 - 1);
        self.counts[bucket as usize] += 1;
        self.count += 1;
    }

    /// The delay that this share of all is not above; zero when there are none.
    pub fn quantile(&self, share: f64) -> Duration {
        let wanted = ((self.count as f64 * share).ceil() as u64).clamp(1, self.count.max(1));
        let mut sum = 0;
        let found = self.counts.iter().position(|count| {
            sum += count;
            sum >= wanted
        });
        BUCKET * u32::try_from(found.unwrap_or(0)).unwrap_or(u32::MAX)
    }
}

impl Default for Delays {
    fn default() -> Self {
        Self::new()
    }
}

/// See the fields. Frames that were on their way at the end count nowhere.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Frames that became whole or were lost.
    pub frames: u64,
    /// Shown only thanks to parity. Counted, like the next, of sessions that keep their frames.
    pub by_parity: u64,
    /// Shown only thanks to what was sent again.
    pub by_repair: u64,
    /// Never whole.
    pub lost: u64,
    /// Frames whose picture could be shown: whole, and so was what they refer to.
    pub shown: u64,
    /// Bytes of access units.
    pub unit_bytes: u64,
    /// Bytes of datagrams of the host (payload of UDP).
    pub wire_bytes: u64,
    delays: Delays,
}

impl Outcome {
    /// Of a session until now.
    pub fn of(session: &Session) -> Self {
        let (host, client) = (&session.a, &session.b);
        let repaired = |shown: &&Shown| host.repairs.contains_key(&shown.frame);
        let by_repair = client.shown.iter().filter(repaired).count() as u64;
        let by_parity =
            client.shown.iter().filter(|shown| shown.recovered > 0 && !repaired(shown)).count() as u64;
        Self {
            frames: client.whole + client.frames_lost,
            by_parity,
            by_repair,
            lost: client.frames_lost,
            shown: client.frames_shown,
            unit_bytes: host.unit_bytes,
            wire_bytes: session.there.counters().bytes,
            delays: client.added.clone(),
        }
    }

    /// Share of frames that could be shown, 0.0 to 1.0.
    pub fn shown_share(&self) -> f64 {
        self.shown as f64 / (self.frames as f64).max(1.0)
    }

    /// Bytes on the wire beyond those of access units, as a share of these.
    pub fn overhead(&self) -> f64 {
        self.wire_bytes as f64 / (self.unit_bytes as f64).max(1.0) - 1.0
    }

    /// How much later than without loss this share of all whole frames was there.
    pub fn added(&self, share: f64) -> Duration {
        self.delays.quantile(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_list() {
        let mut delays = Delays::new();
        assert_eq!(delays.quantile(0.5), Duration::ZERO);
        for micros in 0..1_000 {
            delays.add(Duration::from_micros(micros * 100));
        }
        assert_eq!(delays.quantile(0.5), Duration::from_micros(49_900));
        assert_eq!(delays.quantile(0.99), Duration::from_micros(98_900));
        assert_eq!(delays.quantile(1.0), Duration::from_micros(99_900));
        delays.add(Duration::from_secs(60));
        assert!(delays.quantile(1.0) < Duration::from_secs(1), "all that is longer");
    }
}
