//! Video: from access unit to datagrams and back, with losses.

use proptest::collection::vec;
use proptest::prelude::*;
use punktfunk_core::gamestream::video::{
    Config, Error, Event, Frame, FrameKind, Layout, Lost, Packetizer, Reassembler, Received, exercise, h264,
    replay,
};

const KEY: [u8; 16] = *b"0123456789abcdef";

fn config(packet_size: usize, fec_percentage: u8, key: Option<[u8; 16]>) -> Config {
    Config { packet_size, fec_percentage, min_parity: 2, key }
}

fn bytes(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|i| (i.wrapping_mul(31).wrapping_add(seed * 7) >> 1) as u8).collect()
}

fn send(packetizer: &mut Packetizer, data: &[u8]) -> (Layout, Vec<Vec<u8>>) {
    let mut out = Vec::new();
    let frame = Frame { kind: FrameKind::P, timestamp_90k: 9000, latency_tenths_ms: 35, data };
    let layout = packetizer.packetize(frame, &mut out).unwrap();
    assert_eq!(out.len(), layout.datagrams * layout.datagram_len);
    (layout, out.chunks_exact(layout.datagram_len).map(<[u8]>::to_vec).collect())
}

fn events(reassembler: &mut Reassembler) -> Vec<Event> {
    std::iter::from_fn(|| reassembler.poll()).collect()
}

fn only_frame(reassembler: &mut Reassembler) -> Received {
    match events(reassembler).as_slice() {
        [Event::Frame(frame)] => frame.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_small_frame_on_the_wire() {
    let mut packetizer = Packetizer::new(config(64, 20, None)).unwrap();
    let data = bytes(50, 1);
    let idr = Frame { kind: FrameKind::Idr, timestamp_90k: 0, latency_tenths_ms: 0x102, data: &data };
    let mut out = Vec::new();
    let layout = packetizer.packetize(idr, &mut out).unwrap();
    assert_eq!((layout.frame_index, layout.data_shards, layout.parity_shards, layout.blocks), (1, 2, 2, 1));
    assert_eq!(layout.datagram_len, 80);
    // 8 + 50 bytes are one whole payload and 10 bytes; 2 + 2 is 100 %.
    let info = |shard: u32| (100 << 4 | shard << 12 | 2 << 22u32).to_le_bytes();
    let mut first =
        vec![0x90, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0x10, 0];
    first.extend(info(0));
    first.extend([1, 2, 1, 2, 10, 0, 0, 0]);
    first.extend(&data[..40]);
    assert_eq!(out[..80], first);
    let mut second =
        vec![0x90, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 3, 0, 0x10, 0];
    second.extend(info(1));
    second.extend(&data[40..]);
    second.resize(80, 0);
    assert_eq!(out[80..160], second);
    // Parity keeps the pure code at 16–19, 24–26 and in the payload: row 0 of 2 + 2
    // is the inverses of 2 and 3.
    let p0 = &out[160..240];
    let code = |a, b| punktfunk_fec::gf8::multiply(0x8E, a) ^ punktfunk_fec::gf8::multiply(0xF4, b);
    assert_eq!(p0[..16], [0x90, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(p0[20..24], [1, 0, 0, 0]);
    assert_eq!(p0[28..32], info(2));
    for at in (16..20).chain(24..27).chain(32..80) {
        assert_eq!(p0[at], code(first[at], second[at]), "offset {at}");
    }
}

#[test]
fn an_encrypted_datagram_has_its_prefix() {
    let mut packetizer = Packetizer::new(config(1024, 20, Some(KEY))).unwrap();
    let (layout, datagrams) = send(&mut packetizer, &bytes(3000, 1));
    assert_eq!(layout.datagram_len, 1024 + 48);
    for (n, datagram) in datagrams.iter().enumerate() {
        assert_eq!(datagram[..16], [n as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b'V', 1, 0, 0, 0]);
    }
    let mut wrong = Reassembler::new(1024, Some([0; 16])).unwrap();
    assert!(wrong.push(&datagrams[0]).is_err());
    assert_eq!(wrong.counters().rejected, 1);
}

#[test]
fn a_large_frame_gets_less_parity_and_a_huge_one_none() {
    let mut packetizer = Packetizer::new(config(64, 20, None)).unwrap();
    let full = |n: usize| bytes(n * 48 - 8, n);
    for (n, blocks, percentage) in
        [(212, 1, 20), (213, 2, 20), (848, 4, 20), (849, 4, 19), (1008, 4, 1), (1021, 4, 0), (4092, 4, 0)]
    {
        let (layout, datagrams) = send(&mut packetizer, &full(n));
        assert_eq!((layout.data_shards, layout.blocks, layout.fec_percentage), (n, blocks, percentage));
        let mut reassembler = Reassembler::new(64, None).unwrap();
        datagrams.iter().for_each(|datagram| reassembler.push(datagram).unwrap());
        let last = events(&mut reassembler).pop();
        assert!(matches!(last, Some(Event::Frame(frame)) if frame.data == full(n)), "{n}");
    }
    let next = packetizer.next_frame_index();
    let mut out = vec![7];
    let data = full(4093);
    let mut frame = Frame { kind: FrameKind::P, timestamp_90k: 1, latency_tenths_ms: 0, data: &data };
    assert_eq!(packetizer.packetize(frame, &mut out), Err(Error::FrameTooLarge { shards: 4093 }));
    frame.data = &[];
    assert_eq!(packetizer.packetize(frame, &mut out), Err(Error::EmptyFrame));
    assert_eq!((out.as_slice(), packetizer.next_frame_index()), (&[7][..], next));
    packetizer.set_fec_percentage(0);
    assert_eq!(send(&mut packetizer, &bytes(500, 0)).0.parity_shards, 0);
}

#[test]
fn the_sequence_number_wraps_without_a_loss() {
    let mut packetizer = Packetizer::new(config(64, 20, None)).unwrap();
    let mut reassembler = Reassembler::new(64, None).unwrap();
    let data = bytes(9_000, 3);
    let mut sent = 0;
    while sent < 70_000 {
        let (_, datagrams) = send(&mut packetizer, &data);
        for (n, datagram) in datagrams.iter().enumerate() {
            assert_eq!(datagram[2..4], ((sent + n) as u16).to_be_bytes());
            if n != 5 {
                reassembler.push(datagram).unwrap();
            }
        }
        sent += datagrams.len();
        let got = only_frame(&mut reassembler);
        assert_eq!((got.repaired, &got.data), (1, &data));
        reassembler.recycle(got.data);
    }
    assert_eq!(reassembler.counters().lost, 0);
}

#[test]
fn lost_frames_are_told_once_and_late_shards_are_dropped() {
    let mut packetizer = Packetizer::new(config(64, 0, None)).unwrap();
    let mut reassembler = Reassembler::new(64, None).unwrap();
    let frames: Vec<_> = (0..5).map(|i| send(&mut packetizer, &bytes(200, i)).1).collect();
    for datagram in frames[0][1..].iter().chain(&frames[3]) {
        reassembler.push(datagram).unwrap();
    }
    let seen = events(&mut reassembler);
    assert_eq!(seen[0], Event::Lost(Lost { first: 1, last: 3 }));
    assert!(matches!(&seen[1], Event::Frame(Received { index: 4, .. })) && seen.len() == 2);
    for datagram in [&frames[0][0], &frames[3][0], &frames[4][0], &frames[4][0]] {
        reassembler.push(datagram).unwrap();
    }
    let counters = reassembler.counters();
    assert_eq!((counters.late, counters.duplicates, counters.lost, counters.frames), (2, 1, 3, 1));
    assert_eq!(events(&mut reassembler), []);
}

#[test]
fn the_recorded_streams_replay() {
    let whole = replay(64, include_bytes!("../fuzz/corpus/video_datagram/whole")).unwrap();
    assert_eq!((whole.frames, whole.repaired, whole.rejected), (3, 0, 0));
    let lossy = replay(64, include_bytes!("../fuzz/corpus/video_datagram/lossy")).unwrap();
    assert_eq!((lossy.frames, lossy.repaired, lossy.rejected), (3, 3, 0));
    assert_eq!(replay(63, &[]), Err(Error::PacketSize(63)));
}

fn kinds(stream: &[u8]) -> Vec<u8> {
    h264::nal_units(stream).map(|nal| nal.kind).collect()
}

#[test]
fn an_idr_loses_its_sei_and_delimiter() {
    let mut unit = [
        &[0, 0, 0, 1, 9, 0xF0][..],
        &[0, 0, 0, 1, 0x67, 1, 2],
        &[0, 0, 0, 1, 0x68, 3],
        &[0, 0, 1, 6, 5, 5, 5, 0x80],
        &[0, 0, 1, 0x65, 9, 9],
        &[0, 0, 1, 0x65, 8],
    ]
    .concat();
    assert_eq!(kinds(&unit), [h264::AUD, h264::SPS, h264::PPS, h264::SEI, h264::IDR, h264::IDR]);
    let length = h264::strip_leading(&mut unit);
    let clean = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3, 0, 0, 1, 0x65, 9, 9, 0, 0, 1, 0x65, 8];
    assert_eq!(unit[..length], clean);
}

#[test]
fn a_slice_without_company_stays_as_it_is() {
    let slice = [0, 0, 0, 1, 0x41, 7, 8];
    let mut unit = slice;
    assert_eq!(h264::strip_leading(&mut unit), 7);
    assert_eq!(unit, slice);
    let mut delimited = [&[0, 0, 0, 1, 9, 0xF0][..], &slice].concat();
    assert_eq!(h264::strip_leading(&mut delimited), 7);
    assert_eq!(delimited[..7], slice);
    assert_eq!(h264::strip_leading(&mut [1, 2, 3]), 0);
}

#[test]
fn an_idr_has_to_begin_in_the_first_shard() {
    let sps = [0, 0, 0, 1, 0x67, 1, 2];
    let pps = [0, 0, 0, 1, 0x68, 3];
    let slice = [0, 0, 1, 0x65, 9, 9];
    // Before the slice's header byte is room for 64 - 16 - 8 - 4 bytes.
    for (sei, fits) in [(5, true), (23, true), (24, false), (700, false)] {
        let text = [&[0, 0, 1, 6][..], &vec![5; sei - 4]].concat();
        let unit = [&sps[..], &pps, &text, &slice, &[7; 2000]].concat();
        assert_eq!(h264::fits_first_shard(&unit, 64), fits, "{sei} bytes of SEI");
        assert!(h264::fits_first_shard(&unit, 1392));
    }
    // Whole, but not what a client can begin with.
    assert!(!h264::fits_first_shard(&[&pps[..], &sps, &slice].concat(), 1392));
    assert!(!h264::fits_first_shard(&[&sps[..], &slice].concat(), 1392));
    assert!(!h264::fits_first_shard(&[&sps[..], &pps].concat(), 1392));
    assert!(!h264::fits_first_shard(&[&sps[..], &pps, &[0, 0, 1, 0x41, 1]].concat(), 1392));
    assert!(!h264::fits_first_shard(&[&sps[..], &pps, &slice].concat(), 16));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// As many losses as each block has parity, shards of a block in reverse order.
    #[test]
    fn losses_up_to_the_parity_are_repaired(
        size in (4usize..90).prop_map(|n| n * 16), len in 1usize..60_000, percentage in 0u8..=255,
        min_parity in 0usize..6, encrypted: bool, seed in 0usize..1000,
    ) {
        let key = encrypted.then_some(KEY);
        let config = Config { min_parity, ..config(size, percentage, key) };
        let mut clear = Packetizer::new(Config { key: None, ..config.clone() }).unwrap();
        let mut packetizer = Packetizer::new(config).unwrap();
        let mut reassembler = Reassembler::new(size, key).unwrap();
        for round in 0..2 {
            let data = bytes(len, seed + round);
            let (layout, datagrams) = send(&mut packetizer, &data);
            // The same without encryption shows where blocks begin.
            let (_, twins) = send(&mut clear, &data);
            prop_assert_eq!(twins.len(), datagrams.len());
            let (mut at, mut dropped) = (0, 0);
            while at < twins.len() {
                let info = u32::from_le_bytes(twins[at][28..32].try_into().unwrap()) as usize;
                let parity = ((info >> 22) * (info >> 4 & 255)).div_ceil(100);
                let total = (info >> 22) + parity;
                for i in (0..total).rev() {
                    if (i + total - seed % total) % total >= parity {
                        reassembler.push(&datagrams[at + i]).unwrap();
                    }
                }
                dropped += parity;
                at += total;
            }
            prop_assert_eq!((at, dropped), (twins.len(), layout.parity_shards));
            let got = only_frame(&mut reassembler);
            prop_assert!(got.data == data);
            prop_assert_eq!((got.index as usize, got.timestamp_90k, got.latency_tenths_ms), (round + 1, 9000, 35));
            prop_assert_eq!((got.data_shards, got.parity_shards), (layout.data_shards, layout.parity_shards));
            prop_assert!(got.repaired <= dropped);
            if percentage > 0 && layout.fec_percentage == percentage {
                prop_assert!(dropped >= layout.blocks * min_parity.min(3));
            }
        }
    }

    #[test]
    fn any_bytes_are_survived(records: Vec<u8>, flips in vec((any::<usize>(), any::<u8>()), 0..20)) {
        let _ = exercise(&records);
        let mut stream = include_bytes!("../fuzz/corpus/video_datagram/lossy").to_vec();
        for (at, flip) in flips {
            let at = at % stream.len();
            stream[at] ^= flip;
        }
        let _ = exercise(&stream);
    }

    #[test]
    fn nal_units_of_anything_lie_inside(stream in vec(0u8..8, 0..200)) {
        let mut end = 0;
        for nal in h264::nal_units(&stream) {
            prop_assert!(nal.range.start >= end && nal.range.len() > 3 && nal.range.end <= stream.len());
            end = nal.range.end;
        }
    }

    #[test]
    fn only_parameter_sets_are_left_before_a_slice(stream in vec(0u8..10, 0..200), size in 0usize..300) {
        let mut unit = stream.clone();
        let length = h264::strip_leading(&mut unit);
        let mut sliced = false;
        let expected: Vec<u8> = kinds(&stream)
            .into_iter()
            .filter(|&kind| {
                sliced |= matches!(kind, h264::SLICE..=h264::IDR);
                sliced || matches!(kind, h264::SPS | h264::PPS)
            })
            .collect();
        prop_assert_eq!(kinds(&unit[..length]), expected);
        // Doing it again changes nothing.
        let once = unit[..length].to_vec();
        prop_assert_eq!(h264::strip_leading(&mut unit[..length]), length);
        prop_assert_eq!(&unit[..length], &once);
        // What fits a shard fits a larger one.
        if h264::fits_first_shard(&once, size) {
            prop_assert!(h264::fits_first_shard(&once, size + 16));
        }
    }
}
