//! A pairing host that hears whatever a script says: what the fuzzer and the corpus
//! tests drive.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::{Host, MAX_ATTEMPTS, Pin};
use crate::gamestream::http::Query;
use crate::time::Time;

/// Plays `script` to `host`, a line at a time: `pin 1234` is what the owner types for
/// the oldest client that waits, `wait 20` lets seconds pass, `from 7` gives what follows
/// another address, `unpair id` is a client that gives up. Any other line is what follows
/// the `?` of a `/pair` request. True when at least one request was taken.
///
/// # Panics
///
/// When the host keeps more attempts than it may, or one that is over: both are defects.
pub fn exercise(host: &mut Host, script: &str) -> bool {
    let mut now = Time::from_millis(1);
    let mut peer = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    let mut taken = false;
    for line in script.lines() {
        match line.split_once(' ') {
            Some(("pin", digits)) => {
                let oldest = host.pending(now).first().map(|attempt| attempt.id);
                if let (Some(id), Ok(pin)) = (oldest, Pin::parse(digits)) {
                    assert!(host.enter_pin(id, pin, now).is_ok(), "it waited for its PIN");
                }
            }
            Some(("wait", seconds)) => {
                now = now + Duration::from_secs(seconds.parse::<u16>().unwrap_or(0).into());
            }
            Some(("from", last)) => peer = Ipv4Addr::new(10, 0, 0, last.parse().unwrap_or(1)).into(),
            Some(("unpair", id)) => host.unpair(peer, id),
            _ => taken |= Query::parse(line).is_ok_and(|query| host.request(now, peer, &query).is_ok()),
        }
        assert!(host.pending(now).len() <= MAX_ATTEMPTS, "too many attempts");
        host.expire(now);
        assert!(host.deadline().is_none_or(|at| at > now), "an attempt that is over");
    }
    taken
}
