//! Audio: from Opus packets to datagrams and back, with losses.

use proptest::collection::vec;
use proptest::prelude::*;
use punktfunk_core::bytes::from_hex;
use punktfunk_core::gamestream::audio::{Config, Error, Event, Packetizer, Receiver, exercise, replay};

const KEY: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

fn config(encrypted: bool) -> Config {
    Config { packet_ms: 5, key: encrypted.then_some((KEY, -123_456_789)) }
}

fn send(packetizer: &mut Packetizer, opus: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    packetizer.packetize(opus, &mut |datagram| out.push(datagram.to_vec())).unwrap();
    out
}

fn events(receiver: &mut Receiver) -> Vec<Event> {
    std::iter::from_fn(|| receiver.poll()).collect()
}

fn packet(sequence: u16, data: &[u8], repaired: bool) -> Event {
    Event::Packet { sequence, data: data.to_vec(), repaired }
}

#[test]
fn datagrams_on_the_wire() {
    let mut packetizer = Packetizer::new(config(false)).unwrap();
    let datagrams: Vec<_> =
        (0u8..8).flat_map(|i| send(&mut packetizer, &[0, 1, 2, 3].map(|b| (i % 4) << 4 | b))).collect();
    assert_eq!(datagrams.len(), 12);
    assert_eq!(datagrams[7], from_hex("80610005000000190000000010111213").unwrap());
    // The parity is the vector of section 18.
    let fec = |index: &str, sequence: &str, parity: &str| {
        from_hex(&format!("807f{sequence}0000000000000000{index}6100040000001400000000{parity}")).unwrap()
    };
    assert_eq!(datagrams[10], fec("00", "0008", "1a1b1819"));
    assert_eq!(datagrams[11], fec("01", "0009", "90919293"));
}

#[test]
fn encryption_matches_the_vector() {
    let mut packetizer = Packetizer::new(config(true)).unwrap();
    let datagrams: Vec<_> = (0..8).flat_map(|_| send(&mut packetizer, &[0xFC, 0xFF, 0xFE])).collect();
    // Sequence 7 is the tenth datagram: two parity datagrams come before it.
    assert_eq!(datagrams[9][..4], [0x80, 97, 0, 7]);
    assert_eq!(datagrams[9][12..], from_hex("77d1b7dedcb0c7255e51c16825647cda").unwrap());
}

#[test]
fn sizes_are_limited() {
    for (encrypted, most) in [(false, 1376), (true, 1375)] {
        let mut packetizer = Packetizer::new(config(encrypted)).unwrap();
        let mut none = |_: &[u8]| panic!("nothing is sent");
        assert_eq!(packetizer.packetize(&vec![0; most + 1], &mut none), Err(Error::PacketLength(most + 1)));
        assert_eq!(packetizer.packetize(&[], &mut none), Err(Error::PacketLength(0)));
        assert_eq!(packetizer.next_sequence(), 0);
        for _ in 0..4 {
            assert!(send(&mut packetizer, &vec![1; most]).iter().all(|datagram| datagram.len() <= 1400));
        }
        // Different lengths: no parity.
        assert_eq!((0..4).map(|i| send(&mut packetizer, &vec![1; 100 + 40 * i]).len()).sum::<usize>(), 4);
    }
}

#[test]
fn every_loss_of_two_is_repaired_across_the_wrap() {
    let mut packetizer = Packetizer::new(config(true)).unwrap();
    let mut receiver = Receiver::new(config(true)).unwrap();
    for group in 0..17_000usize {
        let opus: [[u8; 30]; 4] = std::array::from_fn(|i| [(group * 4 + i) as u8; 30]);
        let datagrams: Vec<_> = opus.iter().flat_map(|opus| send(&mut packetizer, opus)).collect();
        // Nothing is lost of the first group: a stream starts at what arrives first.
        let (a, b) = if group == 0 { (9, 9) } else { (group % 6, group / 6 % 6) };
        // Data packet 3 is datagram 3, parity 4 and 5.
        for (i, datagram) in datagrams.iter().enumerate().filter(|&(i, _)| i != a && i != b) {
            receiver.push(datagram).unwrap_or_else(|error| panic!("{i}: {error}"));
        }
        let base = (group * 4) as u16;
        let wanted: Vec<_> =
            (0..4).map(|i| packet(base.wrapping_add(i as u16), &opus[i], i == a || i == b)).collect();
        assert_eq!(events(&mut receiver), wanted, "group {group}, lost {a} and {b}");
    }
    assert_eq!((receiver.counters().packets, receiver.counters().lost), (68_000, 0));
}

#[test]
fn what_cannot_be_repaired_is_reported_in_order() {
    let mut packetizer = Packetizer::new(config(false)).unwrap();
    let mut receiver = Receiver::new(config(false)).unwrap();
    let datagrams: Vec<_> = (0..16).flat_map(|i| send(&mut packetizer, &[i; 10])).collect();
    // Of group 0 only 0 and 2 arrive, of group 1 nothing.
    for at in [0, 2, 12, 12] {
        receiver.push(&datagrams[at]).unwrap();
    }
    let lost = |sequence, count| Event::Lost { sequence, count };
    let wanted = [
        packet(0, &[0; 10], false),
        lost(1, 1),
        packet(2, &[2; 10], false),
        lost(3, 1),
        lost(4, 4),
        packet(8, &[8; 10], false),
    ];
    assert_eq!(events(&mut receiver), wanted);
    receiver.push(&datagrams[1]).unwrap();
    assert_eq!(receiver.push(&[0; 3]), Err(Error::Malformed));
    let counters = receiver.counters();
    assert_eq!((counters.late, counters.rejected, counters.lost), (2, 1, 6));
}

#[test]
fn the_recorded_streams_replay() {
    let whole = replay(include_bytes!("../fuzz/corpus/audio_datagram/whole")).unwrap();
    assert_eq!((whole.packets, whole.repaired, whole.rejected), (8, 0, 0));
    let lossy = replay(include_bytes!("../fuzz/corpus/audio_datagram/lossy")).unwrap();
    assert_eq!((lossy.packets, lossy.repaired, lossy.lost), (8, 4, 0));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(records: Vec<u8>, flips in vec((any::<usize>(), any::<u8>()), 0..20)) {
        let _ = exercise(&records);
        let mut stream = include_bytes!("../fuzz/corpus/audio_datagram/lossy").to_vec();
        for (at, flip) in flips {
            let at = at % stream.len();
            stream[at] ^= flip;
        }
        let _ = exercise(&stream);
    }
}
