//! One direction of a network: what is put in comes out later, twice, in another
//! order, or never.

use std::collections::BTreeMap;
use std::time::Duration;

use punktfunk_core::time::Time;

use crate::Rng;

/// What a link does to datagrams.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Share of datagrams that a loss begins with, 0.0 to 1.0.
    pub loss: f64,
    /// How many datagrams one loss takes on average; 1.0 is independent loss.
    pub burst: f64,
    /// Share that arrives twice.
    pub duplicates: f64,
    /// Every datagram takes this long.
    pub delay: Duration,
    /// And up to this much longer, each by itself: that is what reorders.
    pub jitter: Duration,
    /// Bits a second that fit through; without a limit when none.
    pub rate_bps: Option<u64>,
    /// Time's worth of data that waits in front of the limit; what does not fit is lost.
    pub queue: Duration,
}

impl Weather {
    /// A cable: nothing is lost, everything takes a millisecond.
    pub const FAIR: Self = Self {
        loss: 0.0,
        burst: 1.0,
        duplicates: 0.0,
        delay: Duration::from_millis(1),
        jitter: Duration::ZERO,
        rate_bps: None,
        queue: Duration::from_millis(100),
    };

    /// A crowded radio channel: 3 % loss in bursts, duplicates, 8 ms and up to 12 more.
    pub const FOUL: Self = Self {
        loss: 0.03,
        burst: 2.0,
        duplicates: 0.01,
        delay: Duration::from_millis(8),
        jitter: Duration::from_millis(12),
        rate_bps: None,
        queue: Duration::from_millis(100),
    };
}

/// What became of the datagrams of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Put in.
    pub sent: u64,
    /// Lost to weather or a full queue.
    pub lost: u64,
    /// Delivered twice.
    pub doubled: u64,
}

/// One direction between two peers, carrying values of type `T`.
#[derive(Debug)]
pub struct Link<T> {
    weather: Weather,
    rng: Rng,
    /// How many more datagrams the loss under way takes.
    losing: u64,
    /// When the rate limit lets the next datagram begin.
    free_at: Time,
    /// By arrival, then by the order in which they were put in.
    flying: BTreeMap<(Time, u64), T>,
    counters: Counters,
}

impl<T: Clone> Link<T> {
    /// A link whose weather is drawn from `seed`.
    pub const fn new(weather: Weather, seed: u64) -> Self {
        Self {
            weather,
            rng: Rng::new(seed),
            losing: 0,
            free_at: Time(0),
            flying: BTreeMap::new(),
            counters: Counters { sent: 0, lost: 0, doubled: 0 },
        }
    }

    /// Changes the weather from now on.
    pub const fn set_weather(&mut self, weather: Weather) {
        self.weather = weather;
    }

    /// What became of the datagrams.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Puts a datagram of `bytes` bytes in; gives it back when it is lost.
    pub fn put(&mut self, now: Time, bytes: usize, datagram: T) -> Result<(), T> {
        self.counters.sent += 1;
        let Some(leaves) = self.leaves(now, bytes).filter(|_| !self.is_lost()) else {
            self.counters.lost += 1;
            return Err(datagram);
        };
        if self.rng.chance(self.weather.duplicates) {
            self.counters.doubled += 1;
            self.fly(leaves, datagram.clone());
        }
        self.fly(leaves, datagram);
        Ok(())
    }

    /// When the datagram has passed the rate limit; never when its queue is full.
    fn leaves(&mut self, now: Time, bytes: usize) -> Option<Time> {
        let Some(rate) = self.weather.rate_bps else { return Some(now) };
        let begins = now.max(self.free_at);
        if begins - now > self.weather.queue {
            return None;
        }
        let micros = bytes as u64 * 8 * 1_000_000 / rate.max(1);
        self.free_at = begins + Duration::from_micros(micros);
        Some(self.free_at)
    }

    fn is_lost(&mut self) -> bool {
        if self.losing == 0 && self.rng.chance(self.weather.loss) {
            // A geometric length with the wanted mean.
            self.losing = 1;
            while self.rng.chance(1.0 - 1.0 / self.weather.burst.max(1.0)) {
                self.losing += 1;
            }
        }
        let lost = self.losing > 0;
        self.losing = self.losing.saturating_sub(1);
        lost
    }

    fn fly(&mut self, leaves: Time, datagram: T) {
        let jitter = u64::try_from(self.weather.jitter.as_micros()).unwrap_or(u64::MAX - 1);
        let jitter = Duration::from_micros(self.rng.below(jitter + 1));
        // The counter keeps what arrives at one moment apart and in order.
        let order = self.counters.sent * 2 + u64::from(self.flying.len() % 2 == 1);
        let mut key = (leaves + self.weather.delay + jitter, order);
        while self.flying.contains_key(&key) {
            key.1 += 1;
        }
        self.flying.insert(key, datagram);
    }

    /// When the next datagram arrives.
    pub fn next_arrival(&self) -> Option<Time> {
        self.flying.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next datagram that has arrived.
    pub fn take(&mut self, now: Time) -> Option<T> {
        self.next_arrival().filter(|at| *at <= now)?;
        self.flying.pop_first().map(|(_, datagram)| datagram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(weather: Weather, count: u64) -> (Vec<u64>, Counters) {
        let mut link = Link::new(weather, 5);
        for number in 0..count {
            let _ = link.put(Time(number * 100), 1000, number);
        }
        let mut taken = Vec::new();
        while let Some(at) = link.next_arrival() {
            assert_eq!(link.take(Time(at.0 - 1)), None, "nothing comes early");
            taken.extend(link.take(at));
        }
        (taken, link.counters())
    }

    #[test]
    fn fair_weather_delivers_everything_in_order() {
        let (taken, counters) = arrivals(Weather::FAIR, 1000);
        assert_eq!(taken, (0..1000).collect::<Vec<_>>());
        assert_eq!(counters, Counters { sent: 1000, lost: 0, doubled: 0 });
    }

    #[test]
    fn loss_has_its_share_and_comes_in_bursts() {
        let weather = Weather { loss: 0.02, burst: 4.0, ..Weather::FAIR };
        let (taken, counters) = arrivals(weather, 100_000);
        assert_eq!(taken.len() as u64 + counters.lost, 100_000);
        // A burst begins in 2 % of the moments that are not within one.
        assert!((6_500..8_500).contains(&counters.lost), "{counters:?}");
        let gaps = taken.windows(2).filter(|pair| pair[1] - pair[0] > 1).count() as u64;
        assert!((3..=5).contains(&(counters.lost / gaps)), "{} in {gaps} bursts", counters.lost);
    }

    #[test]
    fn jitter_reorders_and_duplicates_arrive() {
        let (taken, counters) = arrivals(Weather::FOUL, 10_000);
        assert!(taken.windows(2).any(|pair| pair[1] < pair[0]));
        assert!(counters.doubled > 50);
        assert_eq!(taken.len() as u64, 10_000 - counters.lost + counters.doubled);
    }

    #[test]
    fn a_narrow_link_delays_and_then_drops() {
        // 1000 bytes each 100 µs are 80 Mbit/s into 40 Mbit/s.
        let weather =
            Weather { rate_bps: Some(40_000_000), queue: Duration::from_millis(5), ..Weather::FAIR };
        let (taken, counters) = arrivals(weather, 10_000);
        assert!((4_900..5_100).contains(&counters.lost), "{counters:?}");
        assert!(taken.is_sorted());
    }
}
