//! Our ENet against a complete one, in virtual time, in fair and foul weather; and
//! our host against peers that misbehave.

mod enet_net;

use std::net::SocketAddr;
use std::time::Duration;

use enet_net::{Heard, OURS, Ours, THEIRS, Weather, World};
use proptest::prelude::*;
use punktfunk_core::enet::{Client, Config, Delivery, Dropped, Event, Host, Output, PeerId, SendError};
use punktfunk_core::time::Time;

const FAIR: Weather = Weather { loss: 0, duplicates: 0, delay: 5, jitter: 0 };
const FOUL: Weather = Weather { loss: 15, duplicates: 10, delay: 10, jitter: 30 };

fn config(seed: u64) -> Config {
    Config { seed, ..Config::default() }
}

/// Our host and their client, connected.
fn as_host(weather: Weather, seed: u64) -> World {
    let mut world = World::new(Ours::Host(Host::new(config(seed))), weather, seed);
    world.theirs.connect(OURS, 48, 0xCAFE_F00D).unwrap();
    world.run_until(|world| {
        world.heard.first() == Some(&Heard::Connected { data: 0 }) && !world.events.is_empty()
    });
    let connected = Event::Connected { peer: world.peer, data: 0xCAFE_F00D, addr: THEIRS };
    assert_eq!(world.events, [connected]);
    be_patient(&mut world);
    world
}

/// Our client and their host, connected.
fn as_client(weather: Weather, seed: u64) -> World {
    let client = Client::new(Time::from_millis(60_000), THEIRS, 77, &config(seed));
    let mut world = World::new(Ours::Client(Box::new(client)), weather, seed);
    world.run_until(|world| !world.heard.is_empty() && !world.events.is_empty());
    assert_eq!(world.heard, [Heard::Connected { data: 77 }]);
    // Their host grants 48 of the 64 channels we asked for.
    assert_eq!(world.client().channels(), 48);
    be_patient(&mut world);
    world
}

/// The other end doubles its wait with every loss and then gives up, by default
/// too soon for the weather here.
fn be_patient(world: &mut World) {
    world.their_peer().set_timeout(1 << 20, 600_000, 600_000);
}

fn ours_sends(world: &mut World, channel: u8, bytes: &[u8], delivery: Delivery) {
    let peer = world.peer;
    match &mut world.ours {
        Ours::Host(host) => host.send(peer, channel, bytes, delivery).unwrap(),
        Ours::Client(client) => client.send(channel, bytes, delivery).unwrap(),
    }
}

fn message(channel: u8, number: u16, len: usize) -> Vec<u8> {
    let mut bytes = vec![channel; len.max(2)];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// Reliable messages of many lengths on several channels, both ways at once.
fn exchange(world: &mut World) {
    let lengths = [2, 30, 500, 871, 872, 873, 1745, 9000, 3];
    let expected = |channel: u8| -> Vec<Vec<u8>> {
        (0u16..40).map(|n| message(channel, n, lengths[usize::from(n) % lengths.len()])).collect()
    };
    for n in 0..40u16 {
        for channel in [0, 1, 2, 0x10, 47] {
            let bytes = message(channel, n, lengths[usize::from(n) % lengths.len()]);
            ours_sends(world, channel, &bytes, Delivery::Reliable);
            world.their_peer().send(channel, &rusty_enet::Packet::reliable(bytes.as_slice())).unwrap();
        }
        world.run(7);
    }
    world.run_until(|world| {
        [0, 1, 2, 0x10, 47]
            .iter()
            .all(|c| world.our_messages(*c).len() >= 40 && world.their_messages(*c).len() >= 40)
    });
    world.run(3000);
    for channel in [0, 1, 2, 0x10, 47] {
        assert_eq!(world.our_messages(channel), expected(channel));
        assert_eq!(world.their_messages(channel), expected(channel));
    }
    assert!(world.longest <= 900, "a datagram of {} bytes", world.longest);
}

#[test]
fn our_host_and_a_complete_client_exchange_everything() {
    exchange(&mut as_host(FAIR, 1));
}

#[test]
fn our_client_and_a_complete_host_exchange_everything() {
    exchange(&mut as_client(FAIR, 2));
}

#[test]
fn nothing_reliable_is_lost_doubled_or_reordered_in_foul_weather() {
    for seed in 10..26 {
        exchange(&mut as_host(FOUL, seed));
        exchange(&mut as_client(FOUL, seed));
    }
}

#[test]
fn unreliable_messages_arrive_both_ways() {
    for mut world in [as_host(FAIR, 3), as_client(FAIR, 4)] {
        for n in 0..20 {
            let bytes = message(5, n, 20);
            ours_sends(&mut world, 5, &bytes, Delivery::Unreliable);
            world.their_peer().send(5, &rusty_enet::Packet::always_unreliable(bytes.as_slice())).unwrap();
            if n % 4 == 0 {
                ours_sends(&mut world, 5, &bytes, Delivery::Reliable);
                world.their_peer().send(5, &rusty_enet::Packet::reliable(bytes.as_slice())).unwrap();
            }
            ours_sends(&mut world, 6, &bytes, Delivery::Unsequenced);
            world
                .their_peer()
                .send(6, &rusty_enet::Packet::always_unreliable_unsequenced(bytes.as_slice()))
                .unwrap();
            world.run(20);
        }
        world.run(100);
        for heard in [world.our_messages(5), world.their_messages(5)] {
            assert_eq!(heard.len(), 25);
            assert!(heard.is_sorted());
        }
        for heard in [world.our_messages(6), world.their_messages(6)] {
            assert_eq!(
                heard,
                (0..20)
                    .map(|n| message(6, n, 20))
                    .map(|mut m| {
                        m[2..].fill(5);
                        m
                    })
                    .collect::<Vec<_>>()
            );
        }
    }
}

#[test]
fn unreliable_messages_are_never_doubled_or_stale_in_foul_weather() {
    for mut world in [as_host(FOUL, 21), as_client(FOUL, 22)] {
        for n in 0..200 {
            let bytes = message(5, n, 20);
            world.their_peer().send(5, &rusty_enet::Packet::always_unreliable(bytes.as_slice())).unwrap();
            world
                .their_peer()
                .send(6, &rusty_enet::Packet::always_unreliable_unsequenced(bytes.as_slice()))
                .unwrap();
            world.run(4);
        }
        world.run(500);
        let sequenced = world.our_messages(5);
        assert!(sequenced.len() > 50 && sequenced.is_sorted_by(|a, b| a < b));
        let mut unsequenced = world.our_messages(6);
        assert!(unsequenced.len() > 100);
        unsequenced.sort();
        assert!(unsequenced.is_sorted_by(|a, b| a < b));
    }
}

#[test]
fn a_movement_never_overtakes_what_it_follows() {
    // As a pen draws: down and up are reliable, the movements between them are not.
    let mut world = as_host(FOUL, 23);
    for stroke in 0..40u16 {
        for part in 0..6u16 {
            let bytes = message(4, stroke * 6 + part, 30);
            let packet = match part {
                0 | 5 => rusty_enet::Packet::reliable(bytes.as_slice()),
                _ => rusty_enet::Packet::always_unreliable(bytes.as_slice()),
            };
            world.their_peer().send(4, &packet).unwrap();
            world.run(8);
        }
    }
    let numbers = |world: &World| -> Vec<u16> {
        world.our_messages(4).iter().map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]])).collect()
    };
    world.run_until(|world| numbers(world).last() == Some(&239));
    let heard = numbers(&world);
    assert!(heard.is_sorted_by(|a, b| a < b), "{heard:?}");
    let reliable = heard.iter().filter(|n| matches!(*n % 6, 0 | 5)).count();
    assert_eq!(reliable, 80);
    assert!(heard.len() > 120, "{} of 240", heard.len());
}

/// Another place for the client.
fn place(port: u16) -> SocketAddr {
    SocketAddr::new(THEIRS.ip(), port)
}

#[test]
fn a_client_that_roams_in_foul_weather_loses_nothing() {
    for seed in 80..88 {
        let mut world = as_host(FOUL, seed);
        for round in 0..12u16 {
            world.air.borrow_mut().theirs = place(1000 + round);
            for n in 0..10 {
                let bytes = message(2, round * 10 + n, 50);
                ours_sends(&mut world, 2, &bytes, Delivery::Reliable);
                world.their_peer().send(2, &rusty_enet::Packet::reliable(bytes.as_slice())).unwrap();
                world.run(20);
            }
        }
        world.run_until(|world| world.our_messages(2).len() >= 120 && world.their_messages(2).len() >= 120);
        let expected: Vec<_> = (0..120).map(|n| message(2, n, 50)).collect();
        assert_eq!(world.our_messages(2), expected);
        assert_eq!(world.their_messages(2), expected);
        let peer = world.peer;
        assert_eq!(world.host().address(peer), Some(place(1011)));
        assert_eq!(world.host().peer_count(), 1, "it moved, it did not connect again");
    }
}

#[test]
fn a_client_that_vanished_connects_again_from_elsewhere() {
    let mut world = as_host(FOUL, 90);
    let first = world.peer;
    // It is cut off until both ends have given up, and comes back with another address.
    world.their_peer().set_timeout(4, 1000, 2000);
    ours_sends(&mut world, 0, b"into the void", Delivery::Reliable);
    world.their_peer().send(0, &rusty_enet::Packet::reliable(b"into the void".as_slice())).unwrap();
    world.air.borrow_mut().cut = true;
    let cut_at = world.now();
    world
        .run_until(|world| world.events.last() == Some(&Event::Disconnected { peer: first, by_peer: false }));
    let waited = world.now() - cut_at;
    assert!(waited >= Duration::from_secs(8) && waited <= Duration::from_secs(12), "{waited:?}");
    world.run_until(|world| world.heard.last() == Some(&Heard::Disconnected));
    assert_eq!(world.host().peer_count(), 0);
    {
        let mut air = world.air.borrow_mut();
        (air.cut, air.theirs) = (false, place(4000));
    }
    world.theirs.connect(OURS, 48, 0xBEEF).unwrap();
    world.run_until(|world| world.peer != first && world.heard.last() == Some(&Heard::Connected { data: 0 }));
    let second = world.peer;
    assert_eq!(
        world.events.last(),
        Some(&Event::Connected { peer: second, data: 0xBEEF, addr: place(4000) })
    );
    be_patient(&mut world);
    exchange(&mut world);
}

#[test]
fn a_silent_host_is_gone_after_ten_seconds() {
    let mut world = as_client(FAIR, 91);
    world.air.borrow_mut().cut = true;
    let started = world.now();
    world.run_until(|world| matches!(world.events.last(), Some(Event::Disconnected { by_peer: false, .. })));
    let waited = world.now() - started;
    assert!(waited >= Duration::from_secs(9) && waited <= Duration::from_secs(12), "{waited:?}");
    let bytes = b"too late";
    assert_eq!(world.client().send(0, bytes, Delivery::Reliable), Err(SendError::NotConnected));
}

#[test]
fn goodbyes_arrive_both_ways() {
    for weather in [FAIR, FOUL] {
        let mut world = as_host(weather, 31);
        let (peer, now) = (world.peer, world.now());
        let last = message(0, 1, 3000);
        ours_sends(&mut world, 0, &last, Delivery::Reliable);
        world.host().disconnect(now, peer);
        assert_eq!(world.host().send(peer, 0, b"x", Delivery::Reliable), Err(SendError::NotConnected));
        world.run_until(|world| world.heard.last() == Some(&Heard::Disconnected));
        assert_eq!(world.their_messages(0), [last], "delivered before the goodbye");
        world.run_until(|world| world.events.len() == 2);
        assert_eq!(world.events[1], Event::Disconnected { peer, by_peer: false });
        assert_eq!(world.host().peer_count(), 0);

        for mut world in [as_host(weather, 32), as_client(weather, 33)] {
            let peer = world.peer;
            world.their_peer().disconnect(0);
            world.run_until(|world| world.events.len() == 2);
            assert_eq!(world.events[1], Event::Disconnected { peer, by_peer: true });
            world.run_until(|world| world.heard.last() == Some(&Heard::Disconnected));
        }

        let mut world = as_client(weather, 34);
        let now = world.now();
        world.client().disconnect(now);
        world.run_until(|world| world.heard.last() == Some(&Heard::Disconnected) && world.events.len() == 2);
    }
}

#[test]
fn a_reset_is_heard_without_an_answer() {
    let mut world = as_host(FAIR, 35);
    let (peer, now) = (world.peer, world.now());
    world.host().reset(now, peer);
    world.run(20);
    assert_eq!(world.heard.last(), Some(&Heard::Disconnected));
    assert_eq!(world.events.len(), 1);
    assert_eq!(world.host().peer_count(), 0);
}

#[test]
fn a_silent_peer_is_gone_after_ten_seconds_and_an_idle_one_stays() {
    let mut world = as_host(FAIR, 36);
    world.run(120_000);
    assert_eq!(world.events.len(), 1, "pings keep the connection");
    // The other end stops to exist: nothing of it arrives any more.
    let peer = world.peer;
    let mut now = world.now();
    let started = now;
    loop {
        match world.host().poll(now) {
            Output::Deadline(Some(at)) => now = at,
            Output::Event(event) => {
                assert_eq!(event, Event::Disconnected { peer, by_peer: false });
                break;
            }
            Output::Transmit { .. } => {}
            Output::Deadline(None) => panic!("the peer is forgotten without an event"),
        }
    }
    let waited = now - started;
    assert!(waited >= Duration::from_secs(9) && waited <= Duration::from_secs(11), "{waited:?}");
}

/// The first datagram of a fresh client.
fn connect_datagram(seed: u64, data: u32) -> Vec<u8> {
    let mut client = Client::new(Time(0), OURS, data, &config(seed));
    match client.poll(Time(0)) {
        Output::Transmit { bytes, .. } => bytes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_repeated_connect_opens_no_second_peer_and_half_open_ones_are_few() {
    let mut host = Host::new(config(40));
    let connect = connect_datagram(1, 9);
    assert_eq!(connect.len(), 52);
    assert_eq!(host.handle(Time(0), THEIRS, &connect), Ok(()));
    assert_eq!(host.handle(Time(0), THEIRS, &connect), Err(Dropped::Repeated));
    assert_eq!(host.peer_count(), 1);
    for seed in 2..200 {
        let from = SocketAddr::new(THEIRS.ip(), 2000 + u16::try_from(seed).unwrap());
        assert_eq!(host.handle(Time(0), from, &connect_datagram(seed, 0)), Ok(()));
    }
    assert_eq!(host.peer_count(), Config::default().max_half_open);
    // None of them answers, so none of them was ever reported.
    let mut now = Time(0);
    loop {
        match host.poll(now) {
            Output::Event(event) => panic!("{event:?}"),
            Output::Transmit { .. } => {}
            Output::Deadline(Some(at)) => now = at,
            Output::Deadline(None) => break,
        }
    }
    assert_eq!(host.peer_count(), 0);
    assert!(now <= Time::from_millis(5_000));
}

#[test]
fn a_move_takes_effect_only_when_accepted() {
    let mut host = Host::new(config(50));
    let mut client = Client::new(Time(0), OURS, 5, &config(51));
    let now = Time::from_millis(1);
    let pump = |host: &mut Host, client: &mut Client, from: SocketAddr, now: Time| {
        let mut events = Vec::new();
        let mut sent_to = Vec::new();
        loop {
            let mut idle = true;
            loop {
                match client.poll(now) {
                    Output::Transmit { bytes, .. } => {
                        let _ = host.handle(now, from, &bytes);
                    }
                    Output::Event(_) => {}
                    Output::Deadline(_) => break,
                }
                idle = false;
            }
            loop {
                match host.poll(now) {
                    Output::Transmit { to, bytes } => {
                        sent_to.push(to);
                        let _ = client.handle(now, OURS, &bytes);
                        idle = false;
                    }
                    Output::Event(event) => events.push(event),
                    Output::Deadline(_) => break,
                }
            }
            if idle {
                return (events, sent_to);
            }
        }
    };
    let (events, _) = pump(&mut host, &mut client, THEIRS, now);
    let peer = PeerId(1);
    assert_eq!(events, [Event::Connected { peer, data: 5, addr: THEIRS }]);

    let elsewhere = SocketAddr::new(THEIRS.ip(), 1);
    client.send(0, b"genuine", Delivery::Reliable).unwrap();
    let (events, sent_to) = pump(&mut host, &mut client, elsewhere, now);
    assert_eq!(events, [Event::Moved { peer, addr: elsewhere, payload: b"genuine".to_vec() }]);
    assert_eq!(sent_to, [], "nothing goes to an address that is not believed");
    assert_eq!(host.address(peer), Some(THEIRS));

    host.accept_move(peer, elsewhere);
    let later = now + Duration::from_secs(4);
    let (events, sent_to) = pump(&mut host, &mut client, elsewhere, later);
    assert!(events.contains(&Event::Message { peer, channel: 0, bytes: b"genuine".to_vec() }), "{events:?}");
    assert!(sent_to.iter().all(|to| *to == elsewhere));
}

#[test]
fn limits_of_sending_are_errors() {
    let mut world = as_host(FAIR, 60);
    let peer = world.peer;
    let host = world.host();
    let granted = 48;
    assert_eq!(host.send(peer, 48, b"x", Delivery::Reliable), Err(SendError::NoChannel { granted }));
    assert!(matches!(host.send(peer, 0, &[0; 901], Delivery::Unreliable), Err(SendError::TooLong { .. })));
    assert!(matches!(host.send(peer, 0, &[0; 65537], Delivery::Reliable), Err(SendError::TooLong { .. })));
    let full = (0..1000).find_map(|_| host.send(peer, 0, &[0; 60_000], Delivery::Reliable).err());
    assert_eq!(full, Some(SendError::Full));
    assert_eq!(host.send(PeerId(999), 0, b"x", Delivery::Reliable), Err(SendError::NotConnected));
}

proptest! {
    #[test]
    fn rubbish_creates_no_state(datagrams in proptest::collection::vec(any::<Vec<u8>>(), 0..50)) {
        let mut host = Host::new(config(70));
        for datagram in datagrams {
            prop_assert!(host.handle(Time(1), THEIRS, &datagram).is_err());
        }
        prop_assert_eq!(host.poll(Time(1)), Output::Deadline(None));
    }

    #[test]
    fn a_connected_peer_may_send_anything(bodies in proptest::collection::vec(any::<Vec<u8>>(), 0..50)) {
        let mut world = as_host(FAIR, 71);
        let now = world.now();
        for body in bodies {
            for head in 0..4096u16 {
                // Only one id is right; look for it as an attacker would.
                let mut datagram = (head | 0x8000).to_be_bytes().to_vec();
                datagram.extend([0, 0]);
                datagram.extend(&body);
                if world.host().handle(now, THEIRS, &datagram) != Err(Dropped::Unknown) {
                    break;
                }
            }
        }
        world.run(50);
    }
}

proptest! {
    #[test]
    fn a_connected_peer_may_follow_any_script(script in proptest::collection::vec(any::<u8>(), 0..600)) {
        punktfunk_core::enet::exercise(&script);
    }
}
