//! Who knocked: native clients that are not paired, tried to connect, and may be let in
//! by the key that they proved to hold. A plain machine: the time comes in as an
//! argument. What a stranger can fill of it is bounded, and takes no other's place before
//! its own.

use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, SystemTime};

use crate::session::ClientId;

/// Knocks that are remembered.
const MOST: usize = 32;
/// Of those, from one address (IPv6: network).
const MOST_OF_ONE: usize = 4;
/// How long.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);
/// How long one that was refused does not show again.
const REFUSED: Duration = Duration::from_secs(24 * 60 * 60);
/// Refusals that are remembered; the oldest is forgotten.
const MOST_REFUSED: usize = 256;
/// Longest name, characters.
const MOST_NAME: usize = 60;

/// A client that is not paired and tried to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knock {
    /// The key that it proved to hold.
    pub id: ClientId,
    /// What it calls itself; empty when it did not say.
    pub name: String,
    /// Where it came from last.
    pub address: IpAddr,
    /// When it tried first.
    pub first: SystemTime,
    /// When it tried last.
    pub last: SystemTime,
    /// How often.
    pub count: u32,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Knocks {
    /// Oldest first.
    known: Vec<Knock>,
    refused: Vec<(ClientId, SystemTime)>,
}

impl Knocks {
    /// Somebody knocked. True when that is to be shown.
    pub fn knock(&mut self, now: SystemTime, id: ClientId, name: &str, address: IpAddr) -> bool {
        self.forget(now);
        if self.refused.iter().any(|(refused, _)| *refused == id) {
            return false;
        }
        let address = address.to_canonical();
        let name: String = name.chars().filter(|c| !c.is_control()).take(MOST_NAME).collect();
        if let Some(known) = self.known.iter_mut().find(|knock| knock.id == id) {
            known.count = known.count.saturating_add(1);
            (known.last, known.address) = (now, address);
            if !name.is_empty() {
                known.name = name;
            }
            return true;
        }
        let same = |knock: &Knock| source(knock.address) == source(address);
        if self.known.iter().filter(|knock| same(knock)).count() >= MOST_OF_ONE {
            self.remove_oldest(same);
        } else if self.known.len() >= MOST {
            self.remove_oldest(|_| true);
        }
        self.known.push(Knock { id, name, address, first: now, last: now, count: 1 });
        true
    }

    /// Who knocked within the hour, oldest first.
    pub fn list(&mut self, now: SystemTime) -> Vec<Knock> {
        self.forget(now);
        self.known.clone()
    }

    /// Takes one off the list.
    pub fn take(&mut self, now: SystemTime, id: ClientId) -> Option<Knock> {
        self.forget(now);
        let index = self.known.iter().position(|knock| knock.id == id)?;
        Some(self.known.remove(index))
    }

    /// Takes one off the list, for a day. False when it is not there.
    pub fn refuse(&mut self, now: SystemTime, id: ClientId) -> bool {
        let found = self.take(now, id).is_some();
        if found {
            if self.refused.len() >= MOST_REFUSED {
                self.refused.remove(0);
            }
            self.refused.push((id, now));
        }
        found
    }

    fn forget(&mut self, now: SystemTime) {
        // A clock that was set back keeps them a little longer.
        let within = |since: SystemTime, time| now.duration_since(since).is_ok_and(|age| age < time);
        self.known.retain(|knock| knock.last > now || within(knock.last, REMEMBERED));
        self.refused.retain(|(_, since)| *since > now || within(*since, REFUSED));
    }

    fn remove_oldest(&mut self, of: impl Fn(&Knock) -> bool) {
        let oldest = self.known.iter().enumerate().filter(|(_, knock)| of(knock));
        if let Some((index, _)) = oldest.min_by_key(|(_, knock)| knock.last) {
            self.known.remove(index);
        }
    }
}

/// Whoever has one address of an IPv6 network has 2^64.
fn source(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 + seconds)
    }

    fn key(n: u16) -> ClientId {
        let mut id = [0; 32];
        id[..2].copy_from_slice(&n.to_be_bytes());
        ClientId(id)
    }

    fn from(n: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, n])
    }

    #[test]
    fn who_knocks_again_is_counted_and_forgotten_after_an_hour() {
        let mut knocks = Knocks::default();
        assert!(knocks.knock(at(0), key(1), "", from(1)));
        assert!(knocks.knock(at(60), key(1), "deck\u{7}", from(2)));
        assert!(knocks.knock(at(70), key(1), "", from(2)));
        let list = knocks.list(at(3600));
        assert_eq!((list.len(), list[0].name.as_str(), list[0].count), (1, "deck", 3));
        assert_eq!((list[0].address, list[0].first, list[0].last), (from(2), at(0), at(70)));
        assert!(knocks.list(at(70 + 3600)).is_empty());
    }

    #[test]
    fn who_was_refused_does_not_show_for_a_day() {
        let mut knocks = Knocks::default();
        assert!(!knocks.refuse(at(0), key(1)), "nobody knocked");
        knocks.knock(at(0), key(1), "deck", from(1));
        assert!(knocks.refuse(at(1), key(1)));
        assert!(!knocks.knock(at(2), key(1), "deck", from(1)));
        assert!(knocks.list(at(3)).is_empty());
        assert!(knocks.knock(at(3), key(2), "tv", from(1)), "others do");
        assert!(knocks.knock(at(1 + 24 * 3600), key(1), "deck", from(1)));
        assert_eq!(knocks.take(at(1 + 24 * 3600), key(1)).unwrap().count, 1);
    }

    #[test]
    fn one_address_takes_no_places_of_others() {
        let mut knocks = Knocks::default();
        knocks.knock(at(0), key(1), "deck", from(1));
        for n in 100..400 {
            knocks.knock(at(u64::from(n)), key(n), "bad", from(2));
        }
        for n in 400..500 {
            let host = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n]);
            knocks.knock(at(u64::from(n)), key(n), "bad", host);
        }
        let list = knocks.list(at(600));
        assert_eq!(list.len(), 1 + 2 * MOST_OF_ONE);
        assert_eq!(list[0].id, key(1));
    }

    proptest! {
        #[test]
        fn it_never_grows(tries in prop::collection::vec((any::<u16>(), any::<u8>(), any::<bool>()), 0..600)) {
            let mut knocks = Knocks::default();
            for (n, address, refuse) in tries {
                knocks.knock(at(u64::from(n) / 8), key(n), "x", from(address));
                if refuse {
                    knocks.refuse(at(u64::from(n) / 8), key(n));
                }
                prop_assert!(knocks.known.len() <= MOST && knocks.refused.len() <= MOST_REFUSED);
            }
        }
    }
}
