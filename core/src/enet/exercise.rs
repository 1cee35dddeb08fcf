//! A connected host that hears whatever a script says: what the fuzzer and the
//! corpus tests drive, so that the states behind the handshake are reached too.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::{Client, Config, Delivery, Event, Host, Output};
use crate::bytes::Reader;
use crate::time::Time;

const HOST: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 1);
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 2);

/// Connects a client to a host and then plays `script` to the host, as datagrams
/// of the peer. The script is a list of: one byte with the milliseconds that pass,
/// one byte with the length of what follows, the datagram without its peer id. A
/// last, odd piece is played as a datagram of a stranger.
///
/// # Panics
///
/// When the host holds more than its limits allow, or asks for work it cannot do:
/// both are defects.
pub fn exercise(script: &[u8]) {
    let config = Config { max_message: 4096, max_waiting: 16 * 1024, ..Config::default() };
    let mut now = Time::from_millis(1);
    let mut host = Host::new(config.clone());
    let mut client = Client::new(now, HOST, 0, &config);
    let head = handshake(&mut host, &mut client, now);
    let mut reader = Reader::new(script);
    while let (Ok(wait), Ok(len)) = (reader.u8(), reader.u8()) {
        now = now + Duration::from_millis(u64::from(wait));
        let Ok(body) = reader.take(usize::from(len)) else { break };
        let mut datagram = head.to_be_bytes().to_vec();
        datagram.extend([0, wait]);
        datagram.extend_from_slice(body);
        let _ = host.handle(now, PEER, &datagram);
        drain(&mut host, now);
    }
    let _ = host.handle(now, PEER, reader.rest());
    drain(&mut host, now);
}

/// Completes the handshake; returns the first two bytes of the peer's datagrams.
fn handshake(host: &mut Host, client: &mut Client, now: Time) -> u16 {
    let mut head = 0;
    for _ in 0..4 {
        loop {
            match client.poll(now) {
                Output::Transmit { bytes, .. } => {
                    let _ = host.handle(now, PEER, &bytes);
                    head = bytes.first_chunk().map_or(head, |first| u16::from_be_bytes(*first));
                }
                Output::Event(_) => {}
                Output::Deadline(_) => break,
            }
        }
        loop {
            match host.poll(now) {
                Output::Transmit { bytes, .. } => {
                    let _ = client.handle(now, HOST, &bytes);
                }
                Output::Event(Event::Connected { peer, .. }) => {
                    // Something for the script to acknowledge.
                    let _ = host.send(peer, 0, &[0; 2000], Delivery::Reliable);
                }
                Output::Event(_) => {}
                Output::Deadline(_) => break,
            }
        }
    }
    head | 0x8000
}

fn drain(host: &mut Host, now: Time) {
    for _ in 0..10_000 {
        match host.poll(now) {
            Output::Transmit { bytes, .. } => assert!(bytes.len() <= 900, "a datagram longer than the MTU"),
            Output::Event(Event::Message { bytes, .. }) => {
                assert!(bytes.len() <= 4096, "a message over the limit")
            }
            Output::Event(_) => {}
            Output::Deadline(deadline) => {
                assert!(deadline.is_none_or(|at| at > now), "a deadline that has passed");
                return;
            }
        }
    }
    panic!("the host is never done");
}
