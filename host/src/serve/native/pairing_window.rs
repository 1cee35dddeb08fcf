//! When a stranger may try to pair, and how often: the owner opens a window of two
//! minutes, three wrong confirmations or one good one close it, and whoever asks is
//! charged for it before anything is looked up (punktfunk-1, section 7).
//!
//! A plain machine: time comes in as an argument, and so does what is offered. The
//! exchange itself is `core`'s; each connection has one attempt at most, which
//! [`super::pairing`] sees to.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use punktfunk_core::time::Time;

/// How long a window is open.
pub const OPEN_FOR: Duration = Duration::from_secs(120);
/// Wrong confirmations that close it.
const MOST_WRONG: u32 = 3;
/// What one source may try at once, and how long until it may once more.
const PER_SOURCE: Allowance = Allowance { most: 5, each: 10_000_000 };
/// What all together may.
const IN_ALL: Allowance = Allowance { most: 30, each: 1_000_000 };
/// What sources beyond the table may together.
const STRANGERS: Allowance = Allowance { most: 5, each: 5_000_000 };
/// Sources remembered, 64 bytes or so each.
const MOST_SOURCES: usize = 1024;

/// Why somebody may not pair now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No window is open.
    Closed,
    /// Too many tries, by this source or by all.
    TooManyTries,
}

/// Which window an attempt belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WindowId(pub u64);

/// Why a confirmation pairs nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotPaired {
    /// It was wrong.
    Wrong,
    /// The window of its attempt is closed.
    TooLate,
}

/// The window, with what it offers, and who tried.
pub struct Policy<T> {
    window: Option<Window<T>>,
    next: u64,
    sources: BTreeMap<Source, Bucket>,
    strangers: Bucket,
    all: Bucket,
}

struct Window<T> {
    id: WindowId,
    until: Time,
    wrong: u32,
    offer: T,
}

impl<T: Clone> Policy<T> {
    /// No window is open.
    pub fn new() -> Self {
        Self {
            window: None,
            next: 0,
            sources: BTreeMap::new(),
            strangers: Bucket::default(),
            all: Bucket::default(),
        }
    }

    /// Opens a window; the one before is closed. Who tried too often stays charged.
    pub fn open(&mut self, now: Time, offer: T) -> WindowId {
        let id = WindowId(self.next);
        self.next += 1;
        self.window = Some(Window { id, until: now + OPEN_FOR, wrong: 0, offer });
        id
    }

    /// Closes this window if it is still open.
    pub fn close(&mut self, id: WindowId) {
        self.window.take_if(|window| window.id == id);
    }

    /// This window is open.
    pub fn is_open(&mut self, now: Time, id: WindowId) -> bool {
        self.window.take_if(|window| window.until <= now);
        self.window.as_ref().is_some_and(|window| window.id == id)
    }

    /// Somebody wants to begin an attempt: charges it first, whatever comes of it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn begin(&mut self, now: Time, from: IpAddr) -> Result<(WindowId, T), Refusal> {
        if !self.charge(now, from) {
            return Err(Refusal::TooManyTries);
        }
        self.window.take_if(|window| window.until <= now);
        let window = self.window.as_ref().ok_or(Refusal::Closed)?;
        Ok((window.id, window.offer.clone()))
    }

    /// The confirmation of an attempt was looked at. Pairs when it was right, its window
    /// is still open, and it is the first. Closes the window then, or when this was the
    /// last wrong one allowed.
    ///
    /// # Errors
    /// [`NotPaired`].
    pub fn settle(&mut self, now: Time, id: WindowId, right: bool) -> Result<(), NotPaired> {
        if !self.is_open(now, id) {
            return Err(NotPaired::TooLate);
        }
        let Some(window) = self.window.as_mut() else { return Err(NotPaired::TooLate) };
        if right {
            self.window = None;
            return Ok(());
        }
        window.wrong += 1;
        if window.wrong >= MOST_WRONG {
            self.window = None;
        }
        Err(NotPaired::Wrong)
    }

    /// Takes one try from what the source has left, then from what all have. False when
    /// nothing is left.
    pub fn charge(&mut self, now: Time, from: IpAddr) -> bool {
        let source = Source::of(from);
        if self.sources.len() >= MOST_SOURCES && !self.sources.contains_key(&source) {
            self.sources.retain(|_, bucket| bucket.whole_at > now);
        }
        let may = if self.sources.len() < MOST_SOURCES || self.sources.contains_key(&source) {
            self.sources.entry(source).or_default().take(now, PER_SOURCE)
        } else {
            self.strangers.take(now, STRANGERS)
        };
        // A source that has nothing left must not use up what others have.
        may && self.all.take(now, IN_ALL)
    }
}

/// So many tries, and microseconds until each comes back.
#[derive(Clone, Copy)]
struct Allowance {
    most: u64,
    each: u64,
}

/// The tries somebody has left, as the time at which all will be back.
#[derive(Clone, Copy, Default)]
struct Bucket {
    whole_at: Time,
}

impl Bucket {
    fn take(&mut self, now: Time, allowance: Allowance) -> bool {
        let after = self.whole_at.0.max(now.0).saturating_add(allowance.each);
        if after - now.0 > allowance.most * allowance.each {
            return false;
        }
        self.whole_at = Time(after);
        true
    }
}

/// Who is charged: an IPv4 address, or the network of an IPv6 one, because whoever has
/// one address of those has 2^64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Source(IpAddr);

impl Source {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => {
                let network = v6.to_bits() & !u128::from(u64::MAX);
                Self(Ipv6Addr::from_bits(network).into())
            }
            v4 => Self(v4),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000;

    fn offer() -> &'static str {
        "PIN and secret"
    }

    fn at(seconds: u64) -> Time {
        Time(seconds * SECOND)
    }

    fn v4(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    #[test]
    fn a_window_is_open_for_two_minutes_and_for_one_client() {
        let mut policy = Policy::new();
        assert_eq!(policy.begin(at(0), v4(1)).err(), Some(Refusal::Closed));
        let id = policy.open(at(1), offer());
        assert_eq!(policy.begin(at(120), v4(2)).unwrap().1, offer());
        assert_eq!(policy.begin(at(121), v4(3)).err(), Some(Refusal::Closed));
        assert_eq!(policy.settle(at(121), id, true), Err(NotPaired::TooLate), "proven too late");

        let id = policy.open(at(200), offer());
        let (first, _) = policy.begin(at(200), v4(1)).unwrap();
        let (second, _) = policy.begin(at(200), v4(2)).unwrap();
        assert_eq!((first, second), (id, id));
        assert_eq!(policy.settle(at(201), first, true), Ok(()));
        assert_eq!(policy.settle(at(201), second, true), Err(NotPaired::TooLate), "the offer is for one");
        assert_eq!(policy.begin(at(202), v4(4)).err(), Some(Refusal::Closed));
    }

    #[test]
    fn three_wrong_confirmations_close_the_window_also_for_who_is_right() {
        let mut policy = Policy::new();
        let id = policy.open(at(0), offer());
        for n in 0..5 {
            policy.begin(at(0), v4(n)).unwrap();
        }
        for _ in 0..2 {
            assert_eq!(policy.settle(at(1), id, false), Err(NotPaired::Wrong));
            assert!(policy.is_open(at(1), id));
        }
        assert_eq!(policy.settle(at(1), id, false), Err(NotPaired::Wrong));
        assert!(!policy.is_open(at(1), id));
        // Attempts that were under way count no more.
        assert_eq!(policy.settle(at(1), id, false), Err(NotPaired::TooLate));
        assert_eq!(policy.settle(at(1), id, true), Err(NotPaired::TooLate));
    }

    #[test]
    fn an_attempt_of_an_older_window_counts_in_no_newer_one() {
        let mut policy = Policy::new();
        let old = policy.open(at(0), offer());
        let new = policy.open(at(1), offer());
        assert_eq!(policy.settle(at(2), old, true), Err(NotPaired::TooLate));
        policy.close(old);
        assert!(policy.is_open(at(2), new));
        policy.close(new);
        assert!(!policy.is_open(at(2), new));
    }

    #[test]
    fn who_tries_too_often_waits_and_keeps_nobody_else_waiting() {
        let mut policy = Policy::new();
        for _ in 0..PER_SOURCE.most {
            assert_eq!(policy.begin(at(0), v4(1)).err(), Some(Refusal::Closed));
        }
        // A hundred more cost the others nothing.
        for _ in 0..100 {
            assert_eq!(policy.begin(at(0), v4(1)).err(), Some(Refusal::TooManyTries));
        }
        policy.open(at(0), offer());
        assert!(policy.begin(at(0), v4(2)).is_ok());
        assert_eq!(policy.begin(at(9), v4(1)).err(), Some(Refusal::TooManyTries));
        assert!(policy.begin(at(10), v4(1)).is_ok());
        assert_eq!(policy.begin(at(10), v4(1)).err(), Some(Refusal::TooManyTries));
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_source() {
        let mut policy = Policy::new();
        policy.open(at(0), offer());
        let address = |net: u16, host: u16| IpAddr::from([0x2001, 0xdb8, 0, net, 0, 0, 0, host]);
        for host in 0..5 {
            assert!(policy.begin(at(0), address(1, host)).is_ok());
        }
        assert_eq!(policy.begin(at(0), address(1, 99)).err(), Some(Refusal::TooManyTries));
        assert!(policy.begin(at(0), address(2, 0)).is_ok());
        // An IPv4 address is itself, however it is written.
        for _ in 0..5 {
            assert!(policy.begin(at(0), "::ffff:10.0.0.1".parse().unwrap()).is_ok());
        }
        assert!(policy.begin(at(0), "10.0.0.1".parse().unwrap()).is_err());
    }

    #[test]
    fn a_flood_from_many_addresses_is_bounded_in_tries_and_memory() {
        let mut policy = Policy::new();
        policy.open(at(0), offer());
        let mut let_in = 0;
        // Many sources in ten seconds, and then the same again later.
        for start in [0, 1000] {
            for n in 0..20_000_u32 {
                let now = Time(start * SECOND + u64::from(n) * 500);
                let_in += u64::from(policy.begin(now, v4(n)) != Err(Refusal::TooManyTries));
                assert!(policy.sources.len() <= MOST_SOURCES);
            }
        }
        assert!(let_in <= 2 * (IN_ALL.most + 10), "{let_in} of 40,000");
        // And it is over when it is over.
        policy.open(at(2000), offer());
        assert!(policy.begin(at(2000), v4(u32::MAX)).is_ok());
        assert_eq!(policy.sources.len(), 1, "what recovered is forgotten when room is needed");
    }

    #[derive(Clone, Debug)]
    enum Op {
        Open,
        Close,
        Begin(u8),
        Settle(u8, bool),
        Wait(u32),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            1 => Just(Op::Open),
            1 => Just(Op::Close),
            6 => any::<u8>().prop_map(Op::Begin),
            4 => (any::<u8>(), any::<bool>()).prop_map(|(n, right)| Op::Settle(n, right)),
            3 => (0_u32..150_000_000).prop_map(Op::Wait),
        ]
    }

    proptest! {
        /// Whatever happens: a window pairs at most one client, counts at most three wrong
        /// ones, and neither after its two minutes.
        #[test]
        fn no_order_of_things_pairs_twice_or_late(ops in prop::collection::vec(op(), 0..200)) {
            let mut policy = Policy::new();
            let mut now = Time(0);
            let mut attempts: Vec<WindowId> = Vec::new();
            let mut counted: BTreeMap<WindowId, (Time, u32, u32)> = BTreeMap::new();
            let mut open = None;
            for op in ops {
                match op {
                    Op::Open => {
                        let id = policy.open(now, offer());
                        counted.insert(id, (now, 0, 0));
                        open = Some(id);
                    }
                    Op::Close => if let Some(id) = open.take() { policy.close(id) },
                    Op::Begin(n) => if let Ok((id, _)) = policy.begin(now, v4(n.into())) {
                        prop_assert_eq!(Some(id), open);
                        attempts.push(id);
                    },
                    Op::Settle(n, right) if !attempts.is_empty() => {
                        let id = attempts.remove(usize::from(n) % attempts.len());
                        let (since, paired, wrong) = counted.get_mut(&id).unwrap();
                        match policy.settle(now, id, right) {
                            Ok(()) => *paired += 1,
                            Err(NotPaired::Wrong) => *wrong += 1,
                            Err(_) => continue,
                        }
                        prop_assert!(now < *since + OPEN_FOR && *paired <= 1 && *wrong <= MOST_WRONG);
                        prop_assert_eq!(Some(id), open);
                    }
                    Op::Settle(..) => {}
                    Op::Wait(time) => now = Time(now.0 + u64::from(time)),
                }
            }
        }
    }
}
