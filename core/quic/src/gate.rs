//! How many strangers may be in the hall at once (section 10): 64 connections that
//! have not shown who they are or are not paired, 8 per address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections of strangers at once.
pub(crate) const MOST_HALF_OPEN: usize = 64;
/// Of these from one address (IPv6: from one /64).
pub(crate) const MOST_PER_ADDRESS: usize = 8;
/// From so many on, a new one has to prove first that its address is its own, for an
/// invented address must not take up room.
const PRESSED: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Gate {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether those who come now should prove their address first.
    pub fn pressed(&self) -> bool {
        self.counts().all >= PRESSED
    }

    /// How many are inside.
    pub fn inside(&self) -> usize {
        self.counts().all
    }

    /// Lets one in, if there is room.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Ticket> {
        let address = network(address);
        let mut counts = self.counts();
        let here = counts.by_address.get(&address).copied().unwrap_or(0);
        if counts.all >= MOST_HALF_OPEN || here >= MOST_PER_ADDRESS {
            return None;
        }
        counts.all += 1;
        counts.by_address.insert(address, here + 1);
        drop(counts);
        Some(Ticket { gate: self.clone(), address })
    }
}

/// One stranger's place. Keep it until the peer is known to be paired; dropping it makes
/// room for another.
#[derive(Debug)]
pub struct Ticket {
    gate: Arc<Gate>,
    address: IpAddr,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut counts = self.gate.counts();
        counts.all = counts.all.saturating_sub(1);
        if let Some(here) = counts.by_address.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

/// What one household can choose freely counts as one address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::from((u128::from(v6) >> 64 << 64).to_be_bytes()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_takes_eight_places_and_all_take_sixty_four() {
        let gate = Arc::new(Gate::default());
        let from = |last: u8| IpAddr::from([192, 0, 2, last]);
        let mut tickets: Vec<Ticket> = (0..20).filter_map(|_| gate.admit(from(1))).collect();
        assert_eq!((tickets.len(), gate.pressed()), (8, false));
        assert!(gate.admit("::ffff:192.0.2.1".parse().expect("address")).is_none());
        for last in 2..100 {
            tickets.extend(gate.admit(from(last)));
        }
        assert_eq!((tickets.len(), gate.inside(), gate.pressed()), (64, 64, true));
        tickets.remove(0);
        assert!(gate.admit(from(1)).is_some(), "a place given back can be taken again");
        tickets.clear();
        assert_eq!((gate.inside(), gate.counts().by_address.len()), (0, 0));
    }

    #[test]
    fn a_prefix_of_ipv6_is_one_address() {
        let gate = Arc::new(Gate::default());
        let places: Vec<Ticket> = (0..20_u128)
            .filter_map(|host| gate.admit(IpAddr::from((0x2001_0db8_u128 << 96 | host).to_be_bytes())))
            .collect();
        assert_eq!(places.len(), MOST_PER_ADDRESS);
        assert!(gate.admit("2001:db8:0:1::1".parse().expect("address")).is_some());
    }
}
