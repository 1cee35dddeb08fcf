//! One direction of a network: what is put in comes out later, twice, in another
//! order, or never.

use std::collections::BTreeMap;
use std::time::Duration;

use punktfunk_core::time::Time;

use crate::{Rng, Weather};

/// What became of the datagrams of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Put in.
    pub sent: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Lost to weather, a full queue, their size or a cut.
    pub lost: u64,
    /// Of those: too large for the path.
    pub too_large: u64,
    /// Of those: to a full queue.
    pub overflowed: u64,
    /// Delivered twice.
    pub doubled: u64,
    /// Held back for others to overtake.
    pub held_back: u64,
}

/// One direction between two peers, carrying values of type `T`.
#[derive(Debug)]
pub struct Link<T> {
    weather: Weather,
    rng: Rng,
    /// How many more datagrams the loss under way takes.
    losing: u64,
    /// The state of the weather's chain.
    bad: bool,
    /// When the rate limit lets the next datagram begin.
    free_at: Time,
    /// What the division of time into microseconds left, in bits by a million.
    remainder: u64,
    /// The longest that a datagram had to wait for the limit.
    longest_wait: Duration,
    /// By arrival, then by the order in which they were put in.
    flying: BTreeMap<(Time, u64), T>,
    counters: Counters,
}

impl<T: Clone> Link<T> {
    /// A link whose weather is drawn from `seed`.
    pub fn new(weather: Weather, seed: u64) -> Self {
        Self {
            weather,
            rng: Rng::new(seed),
            losing: 0,
            bad: false,
            free_at: Time(0),
            remainder: 0,
            longest_wait: Duration::ZERO,
            flying: BTreeMap::new(),
            counters: Counters::default(),
        }
    }

    /// The weather now.
    pub const fn weather(&self) -> Weather {
        self.weather
    }

    /// Changes the weather from now on; what is on its way arrives as it would have.
    pub const fn set_weather(&mut self, weather: Weather) {
        self.weather = weather;
    }

    /// Loses everything that is on its way, as when the path is another one.
    pub fn cut(&mut self) {
        self.counters.lost += self.flying.len() as u64;
        self.flying.clear();
        self.free_at = Time(0);
    }

    /// What became of the datagrams.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// How long a datagram put in now waits for the rate limit.
    pub fn wait(&self, now: Time) -> Duration {
        self.free_at - now
    }

    /// The longest wait of all since the last time this was asked.
    pub const fn longest_wait(&mut self) -> Duration {
        std::mem::replace(&mut self.longest_wait, Duration::ZERO)
    }

    /// Datagrams on their way.
    pub fn flying(&self) -> usize {
        self.flying.len()
    }

    /// Puts a datagram of `bytes` bytes in; gives it back when it is lost.
    pub fn put(&mut self, now: Time, bytes: usize, datagram: T) -> Result<(), T> {
        self.counters.sent += 1;
        self.counters.bytes += bytes as u64;
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

    /// When the datagram has passed the rate limit; never when the path does not carry its
    /// size or the queue is full.
    fn leaves(&mut self, now: Time, bytes: usize) -> Option<Time> {
        if bytes > self.weather.largest {
            self.counters.too_large += 1;
            return None;
        }
        let Some(rate) = self.weather.rate_bps else { return Some(now) };
        let (rate, wait) = (rate.max(1), self.wait(now));
        let queued = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX).saturating_mul(rate) / 8_000_000;
        let full = self.weather.queue_bytes.is_some_and(|most| queued + bytes as u64 > most);
        if wait > self.weather.queue || (full && wait > Duration::ZERO) {
            self.counters.overflowed += 1;
            return None;
        }
        if wait.is_zero() {
            self.remainder = 0;
        }
        let bits = bytes as u64 * 8_000_000 + self.remainder;
        self.remainder = bits % rate;
        self.free_at = now + wait + Duration::from_micros(bits / rate);
        self.longest_wait = self.longest_wait.max(wait);
        Some(self.free_at)
    }

    fn is_lost(&mut self) -> bool {
        if let Some(chain) = self.weather.chain {
            return chain.loses(&mut self.bad, &mut self.rng);
        }
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
        let mut late = Duration::from_micros(self.rng.below(jitter + 1));
        if self.weather.reordered > 0.0 && self.rng.chance(self.weather.reordered) {
            self.counters.held_back += 1;
            late += self.weather.reorder_by;
        }
        // The counter keeps what arrives at one moment apart and in order.
        let order = self.counters.sent * 2 + u64::from(self.flying.len() % 2 == 1);
        let mut key = (leaves + self.weather.delay + late, order);
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
        let expected = Counters { sent: 1000, bytes: 1_000_000, ..Counters::default() };
        assert_eq!(counters, expected);
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

    #[test]
    fn what_is_held_back_is_overtaken_and_nothing_else() {
        let late = Duration::from_micros(450);
        let weather = Weather { reordered: 0.1, reorder_by: late, ..Weather::FAIR };
        let (taken, counters) = arrivals(weather, 10_000);
        assert!((900..1_100).contains(&counters.held_back), "{counters:?}");
        let overtaken = |at: usize| taken.iter().skip(at).take(9).any(|later| *later < taken[at]);
        assert!((0..taken.len()).any(overtaken));
        // 450 µs are four and a half datagrams: nobody is further from its place.
        let far = taken.iter().enumerate().all(|(at, number)| at.abs_diff(*number as usize) <= 5);
        assert!(far && taken.len() == 10_000);
    }

    #[test]
    fn larger_datagrams_vanish_when_the_path_became_smaller() {
        let mut link = Link::new(Weather { largest: 1452, ..Weather::FAIR }, 1);
        assert!(link.put(Time(0), 1452, 1).is_ok() && link.put(Time(0), 1453, 2).is_err());
        link.set_weather(Weather { largest: 1400, ..Weather::FAIR });
        assert!(link.put(Time(1), 1452, 3).is_err() && link.put(Time(1), 1400, 4).is_ok());
        let counters = link.counters();
        assert_eq!((counters.too_large, counters.lost), (2, 2));
        link.cut();
        assert_eq!((link.next_arrival(), link.counters().lost), (None, 4));
    }

    #[test]
    fn a_queue_of_bytes_drops_at_its_tail_and_the_rate_is_exact() {
        let weather = Weather { rate_bps: Some(7_777_777), queue_bytes: Some(10_000), ..Weather::FAIR };
        let mut link = Link::new(weather, 1);
        // All at once: one passes at once, ten wait, the rest is lost.
        let kept = (0..100).filter(|number| link.put(Time(0), 1000, *number).is_ok()).count();
        assert_eq!(kept, 10);
        assert_eq!(link.counters().overflowed, 90);
        assert!(link.longest_wait() <= Duration::from_micros(10_000 * 8_000_000 / 7_777_777));
        // A thousand bytes each millisecond are 8 Mbit/s: over ten seconds 7.78 get through.
        let mut link = Link::new(weather, 1);
        let mut through = 0_u64;
        for number in 0..10_000_u64 {
            through += u64::from(link.put(Time(number * 1000), 1000, number).is_ok());
        }
        assert!((9_715..=9_740).contains(&through), "{through}");
    }
}
