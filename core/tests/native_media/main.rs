//! The media plane of punktfunk/1 from access unit to datagrams and back, case by case,
//! and every counter at its end. `properties` has any pattern of loss, order and
//! repetition.

mod properties;

use std::time::Duration;

use punktfunk_core::native::keys::{Aead, Direction, Exported, Schedule};
use punktfunk_core::native::media::{
    Departures, Error, Event, Flags, Frame, History, Kind, Layout, Limits, Missing, Opener, Order,
    Packetizer, Piece, Pushed, Reassembler, Sealer, ShardHeader, Side, Wish, datagram_len,
};
use punktfunk_core::time::Time;

const MEDIA: [u8; 8] = [9; 8];
const NOW: Time = Time(2000);

fn schedule() -> Schedule {
    Exported::new([3; 32]).schedule(Direction::ToClient, Aead::Aes128Gcm)
}

/// Both ends of a stream.
struct Pair {
    packetizer: Packetizer,
    sealer: Sealer,
    opener: Opener,
    reassembler: Reassembler,
}

impl Pair {
    fn new(first: u32, payload: usize, order: Order) -> Self {
        Self {
            packetizer: Packetizer::new(first, payload).unwrap(),
            sealer: Sealer::new(Side::Host, MEDIA, schedule(), Time(0)).unwrap(),
            opener: Opener::new(Side::Host, MEDIA, schedule()).unwrap(),
            reassembler: Reassembler::new(order, Limits::default(), Some(first)),
        }
    }

    /// The datagrams of a whole frame or of its next part.
    fn send(&mut self, data: &[u8], last: bool, m: u16) -> (Layout, Vec<Vec<u8>>) {
        let mut out = Vec::new();
        let piece = Piece { data, taken: Time(77), epoch: 5, flags: Flags::NEW_PICTURE, last };
        let layout = self.packetizer.packetize(Time(1077), piece, |_| m, &mut self.sealer, &mut out).unwrap();
        assert_eq!(out.len(), layout.datagrams() * layout.datagram_len());
        (layout, out.chunks(layout.datagram_len()).map(<[u8]>::to_vec).collect())
    }

    fn receive(&mut self, datagram: &[u8]) -> Result<Pushed, Error> {
        let mut copy = datagram.to_vec();
        let opened = self.opener.open(NOW, &mut copy)?;
        assert_eq!(opened.kind, Kind::Shard);
        self.reassembler.push(NOW, opened.plain)
    }

    fn frame(&mut self) -> Option<Frame> {
        match self.reassembler.poll()? {
            Event::Frame(frame) => Some(frame),
            Event::Lost { first, last } => panic!("frames {first} to {last} are lost"),
        }
    }

    fn missing(&self, frame: u32) -> Vec<Missing> {
        let mut found = Vec::new();
        self.reassembler.missing(frame, true, |missing| found.push(missing));
        found
    }
}

fn unit(len: usize, salt: u8) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251) as u8 ^ salt).collect()
}

/// A shard of a small frame, as it is sealed.
fn shard(header: ShardHeader, len: usize) -> Vec<u8> {
    [header.bytes().as_slice(), &vec![header.frame as u8; len]].concat()
}

fn single(frame: u32) -> Vec<u8> {
    let flags = Flags::LAST_BLOCK;
    shard(ShardHeader { frame, k: 1, tail: 4, flags, ..ShardHeader::default() }, 4)
}

fn events(reassembler: &mut Reassembler) -> Vec<(u32, u32, bool)> {
    std::iter::from_fn(|| reassembler.poll())
        .map(|event| match event {
            Event::Frame(frame) => (frame.number, frame.number, true),
            Event::Lost { first, last } => (first, last, false),
        })
        .collect()
}

#[test]
fn a_frame_is_whole_with_its_last_data_shard() {
    let mut pair = Pair::new(0, 1472, Order::Numbered);
    let data = unit(100_000, 1);
    let (layout, datagrams) = pair.send(&data, true, 20);
    assert_eq!((layout.k[1], layout.m[1], layout.blocks), (71, 20, 1));
    for (at, datagram) in datagrams.iter().enumerate() {
        let expected = match at {
            0..70 => Pushed::Kept,
            70 => Pushed::Whole,
            _ => Pushed::Surplus,
        };
        assert_eq!(pair.receive(datagram), Ok(expected), "datagram {at}");
    }
    let frame = pair.frame().unwrap();
    assert!(frame.data() == data);
    assert_eq!((frame.number, frame.epoch, frame.flags), (0, 5, Flags::NEW_PICTURE));
    assert_eq!((frame.timestamp, frame.age, frame.shards, frame.recovered), (77, 100, 71, 0));
    assert!(frame.into_data() == data);
}

#[test]
fn the_age_of_a_datagram_counts_to_when_it_leaves() {
    let mut pair = Pair::new(0, 1472, Order::Numbered);
    // Ten leave at once, then one each 100 µs.
    let each = 1456 + 66;
    let departures = Departures { excess: -10 * each, rate: each as u64 * 10_000, overhead: 66 };
    pair.packetizer.set_departures(departures);
    let (layout, datagrams) = pair.send(&unit(100_000, 1), true, 20);
    assert_eq!((layout.datagrams(), layout.datagram_len()), (91, 1456));
    for (number, datagram) in datagrams.iter().enumerate() {
        let mut copy = datagram.clone();
        let (header, _) = ShardHeader::read(pair.opener.open(NOW, &mut copy).unwrap().plain).unwrap();
        let waits = number.saturating_sub(9) * 10;
        assert_eq!(header.index as usize, number);
        assert_eq!(usize::from(header.age), 100 + waits, "{number}");
    }
    pair.packetizer.set_departures(Departures::default());
    let (_, datagrams) = pair.send(&unit(3_000, 2), true, 1);
    let mut copy = datagrams[3].clone();
    let (header, _) = ShardHeader::read(pair.opener.open(NOW, &mut copy).unwrap().plain).unwrap();
    assert_eq!(header.age, 100, "all leave at once again");
}

#[test]
fn datagrams_are_no_larger_than_agreed_and_waste_little() {
    for payload in [1200, 1452, 1472, 8972] {
        let mut packetizer = Packetizer::new(0, payload).unwrap();
        let mut sealer = Sealer::new(Side::Host, MEDIA, schedule(), NOW).unwrap();
        for bytes in (0..60).map(|n| n * n * 37) {
            let (data, mut out) = (vec![1; bytes], Vec::new());
            let piece = Piece { data: &data, taken: NOW, epoch: 0, flags: Flags::default(), last: true };
            let layout = packetizer.packetize(NOW, piece, |_| 0, &mut sealer, &mut out).unwrap();
            let most = payload - datagram_len(0);
            assert!(layout.datagram_len() <= payload);
            assert_eq!(layout.datagrams(), bytes.div_ceil(most).max(1), "as few as possible");
            let padding = out.len() - layout.datagrams() * datagram_len(0) - bytes;
            assert!(padding <= 2 * layout.datagrams(), "{padding} bytes of {bytes} are padding");
        }
    }
    assert_eq!(Packetizer::new(0, 47).err(), Some(Error::Payload(47)));
}

#[test]
fn slices_leave_before_the_frame_is_encoded() {
    let mut pair = Pair::new(0, 1472, Order::Numbered);
    let data = unit(50_000, 2);
    let mut at = 0;
    for (number, part) in data.chunks(7_001).enumerate() {
        let last = (number + 1) * 7_001 >= data.len();
        let (layout, datagrams) = pair.send(part, last, 3);
        assert_eq!((usize::from(layout.first_block), usize::from(layout.base)), (number, at));
        at += layout.data_shards();
        for (index, datagram) in datagrams.iter().enumerate() {
            if index != 1 && index != 2 {
                pair.receive(datagram).unwrap();
            }
        }
        assert_eq!(pair.reassembler.gaps().count(), usize::from(!last));
    }
    let frame = pair.frame().unwrap();
    assert!(frame.data() == data);
    assert_eq!(frame.recovered, 14, "the last slice is a single shard");
    // The last slice may turn out to be empty.
    pair.send(&data[..10], false, 0).1.iter().for_each(|one| assert_eq!(pair.receive(one), Ok(Pushed::Kept)));
    pair.send(&[], true, 0).1.iter().for_each(|one| assert_eq!(pair.receive(one), Ok(Pushed::Whole)));
    assert!(pair.frame().unwrap().data() == &data[..10]);
}

#[test]
fn a_huge_frame_has_blocks_of_one_size() {
    let mut pair = Pair::new(0, 1472, Order::Numbered);
    let data = unit(10_000_000, 3);
    let (layout, datagrams) = pair.send(&data, true, 10);
    assert_eq!(layout.blocks, 2);
    assert!(layout.k[0] - layout.k[1] <= 1 && layout.k[0] <= 4096);
    for (at, datagram) in datagrams.iter().enumerate() {
        if at % 700 != 1 {
            pair.receive(datagram).unwrap();
        }
    }
    assert!(pair.frame().unwrap().data() == data);
    let piece =
        Piece { data: &vec![0; 94_000_000], taken: NOW, epoch: 0, flags: Flags::default(), last: true };
    let mut out = vec![7];
    let refused = pair.packetizer.packetize(NOW, piece, |_| 0, &mut pair.sealer, &mut out);
    assert_eq!((refused, out, pair.packetizer.frame()), (Err(Error::FrameTooLarge), vec![7], 1));
}

#[test]
fn frame_numbers_and_epochs_wrap() {
    for order in [Order::Numbered, Order::Completed] {
        let mut pair = Pair::new(u32::MAX - 70, 1200, order);
        for number in 0..150_u32 {
            let data = unit(5_000, number as u8);
            let piece = Piece {
                data: &data,
                taken: Time(u64::from(number)),
                epoch: (number * 3) as u8,
                flags: Flags::default(),
                last: true,
            };
            let mut out = Vec::new();
            let layout = pair.packetizer.packetize(NOW, piece, |_| 2, &mut pair.sealer, &mut out).unwrap();
            for datagram in out.chunks(layout.datagram_len()).skip(2).rev() {
                pair.receive(datagram).unwrap();
            }
            let frame = pair.frame().unwrap();
            assert!(frame.data() == data);
            assert_eq!(frame.number, (u32::MAX - 70).wrapping_add(number));
            assert_eq!((frame.epoch, frame.recovered), ((number * 3) as u8, 2));
        }
    }
}

#[test]
fn frames_wait_for_those_before_them_or_do_not() {
    let mut numbered = Reassembler::new(Order::Numbered, Limits::default(), Some(10));
    let mut completed = Reassembler::new(Order::Completed, Limits::default(), Some(10));
    for frame in [12, 11, 14] {
        numbered.push(NOW, &single(frame)).unwrap();
        completed.push(NOW, &single(frame)).unwrap();
    }
    assert_eq!(events(&mut numbered), []);
    assert_eq!(events(&mut completed), [(12, 12, true), (11, 11, true), (14, 14, true)]);
    let gaps: Vec<_> = numbered.gaps().map(|gap| (gap.frame, gap.overtaken, gap.kept)).collect();
    assert_eq!(gaps, [(10, true, 0), (13, true, 0)]);
    for reassembler in [&mut numbered, &mut completed] {
        reassembler.push(NOW, &single(10)).unwrap();
        reassembler.give_up(13);
        assert_eq!(reassembler.push(NOW, &single(13)), Ok(Pushed::Surplus));
    }
    let all = [(10, 10, true), (11, 11, true), (12, 12, true), (13, 13, false), (14, 14, true)];
    assert_eq!(events(&mut numbered), all);
    assert_eq!(events(&mut completed), [(10, 10, true), (13, 13, false)]);
    assert_eq!((numbered.counters().frames, numbered.counters().lost), (4, 1));
}

#[test]
fn a_resumed_stream_begins_where_it_does() {
    let mut reassembler = Reassembler::new(Order::Numbered, Limits::default(), None);
    let header = ShardHeader { frame: 7, k: 2, tail: 4, flags: Flags::LAST_BLOCK, ..ShardHeader::default() };
    reassembler.push(NOW, &shard(header, 4)).unwrap();
    // What overtook it does not make it late, as long as nothing was said.
    assert_eq!(reassembler.push(NOW, &single(5)), Ok(Pushed::Whole));
    assert_eq!(events(&mut reassembler), [(5, 5, true)]);
    assert_eq!(reassembler.push(NOW, &single(4)), Ok(Pushed::Surplus));
    reassembler.push(NOW, &shard(ShardHeader { index: 1, ..header }, 4)).unwrap();
    reassembler.give_up(6);
    assert_eq!(events(&mut reassembler), [(6, 6, false), (7, 7, true)]);
}

#[test]
fn frames_and_memory_in_progress_are_bounded() {
    let mut reassembler = Reassembler::new(Order::Numbered, Limits::default(), Some(0));
    let begin = |frame| ShardHeader { frame, k: 1000, tail: 4, ..ShardHeader::default() };
    for frame in 0..65 {
        reassembler.push(NOW, &shard(begin(frame), 4)).unwrap();
    }
    assert_eq!(events(&mut reassembler), [(0, 0, false)]);
    reassembler.push(NOW, &single(1_000_000)).unwrap();
    assert_eq!(events(&mut reassembler), [(1, 999_936, false)]);
    assert_eq!(reassembler.gaps().count(), 63);
    // 1 MiB and an eighth each.
    let large = |frame| ShardHeader { frame, k: 1024, tail: 4, ..ShardHeader::default() };
    for frame in 1_000_001..1_000_050 {
        reassembler.push(NOW, &shard(large(frame), 1024)).unwrap();
        assert!(reassembler.memory() <= 32 << 20);
        events(&mut reassembler);
    }
    let alive = reassembler.gaps().filter(|gap| gap.kept > 0).count();
    assert!((20..=32).contains(&alive), "{alive} frames of more than 1 MiB");
    let huge = ShardHeader { frame: 1_000_060, k: 4096, tail: 4, ..ShardHeader::default() };
    assert_eq!(reassembler.push(NOW, &shard(huge, 8900)), Err(Error::TooLarge));
    // Whoever takes no frames gets no more, and loses none of those.
    let mut reassembler = Reassembler::new(Order::Numbered, Limits::default(), Some(0));
    for frame in 0..64 {
        assert_eq!(reassembler.push(NOW, &single(frame)), Ok(Pushed::Whole));
    }
    assert_eq!(reassembler.push(NOW, &single(64)), Err(Error::Backlog));
    assert_eq!(events(&mut reassembler).len(), 64);
    assert_eq!(reassembler.push(NOW, &single(64)), Ok(Pushed::Whole));
}

#[test]
fn a_shard_that_contradicts_the_others_is_thrown_away() {
    let good = ShardHeader {
        frame: 3,
        block: 1,
        k: 4,
        m: 2,
        base: 8,
        tail: 6,
        epoch: 2,
        flags: Flags::KEY_FRAME,
        ..ShardHeader::default()
    };
    let later = ShardHeader { index: 1, ..good };
    let bad = [
        (ShardHeader { k: 5, ..later }, 8),
        (ShardHeader { m: 3, ..later }, 8),
        (ShardHeader { base: 9, ..later }, 8),
        (ShardHeader { tail: 8, ..later }, 8),
        (later, 10),
        (ShardHeader { flags: Flags(0), ..later }, 8),
        (ShardHeader { flags: Flags(3), ..later }, 8),
        (ShardHeader { epoch: 3, ..later }, 8),
        // Other blocks of the frame that do not lie beside it, or are not of it.
        (ShardHeader { block: 0, base: 0, k: 7, ..later }, 8),
        (ShardHeader { block: 2, base: 13, ..later }, 8),
        (ShardHeader { block: 0, base: 0, k: 8, flags: Flags(3), ..later }, 8),
        (ShardHeader { block: 2, base: 12, epoch: 3, ..later }, 8),
        (ShardHeader { block: 2, base: 12, flags: Flags(2), ..later }, 8),
    ];
    let mut reassembler = Reassembler::new(Order::Numbered, Limits::default(), Some(3));
    reassembler.push(NOW, &shard(good, 8)).unwrap();
    for (header, len) in bad {
        assert_eq!(reassembler.push(NOW, &shard(header, len)), Err(Error::Conflict), "{header:?}");
    }
    assert_eq!(reassembler.counters().refused, 13);
    let ok = [
        ShardHeader { flags: Flags(1 | 8 | 16), timestamp: 9, age: 7, ..later },
        ShardHeader { block: 0, base: 0, k: 8, ..good },
        ShardHeader { block: 2, base: 12, flags: Flags(3), ..good },
    ];
    for header in ok {
        assert_eq!(reassembler.push(NOW, &shard(header, 8)), Ok(Pushed::Kept), "{header:?}");
    }
    let beyond = ShardHeader { block: 3, base: 16, ..good };
    assert_eq!(reassembler.push(NOW, &shard(beyond, 8)), Err(Error::Conflict), "beyond the last block");
}

#[test]
fn what_is_missing_is_sent_again_once_a_turn_as_often_as_wished_and_at_most_64_times() {
    let mut pair = Pair::new(0, 1200, Order::Numbered);
    let mut history = History::new(Duration::from_millis(250), 1 << 20);
    let data = unit(30_000, 4);
    let (layout, datagrams) = pair.send(&data, true, 2);
    history.keep(NOW, layout, data.clone());
    for (at, datagram) in datagrams.iter().enumerate() {
        if !(4..9).contains(&at) && at != 20 && at != 26 {
            pair.receive(datagram).unwrap();
        }
    }
    // Seven of the data are missing, one parity shard is there: six are asked for.
    assert_eq!(layout.data_shards(), 26);
    let asked = pair.missing(0);
    let runs = [(4, 5), (20, 1)].map(|(first, count)| Missing::Shards { block: 0, first, count });
    assert!(asked.starts_with(&runs[..1]) && pair.reassembler.gaps().all(|gap| gap.wanted > 0), "{asked:?}");
    let wanted: Vec<_> = asked
        .iter()
        .map(|missing| match missing {
            Missing::Shards { first, count, .. } => (*first, *count),
            other => panic!("{other:?}"),
        })
        .collect();
    let mut out = Vec::new();
    let wish = |turn, least| Wish { turn, least, most: 1000, before: NOW };
    let earlier = Wish { before: Time(NOW.0 - 1), ..wish(Some(9), 0) };
    for (wish, times) in [
        (wish(None, 0), 1),
        (wish(None, 0), 1),
        (wish(Some(0), 0), 1),
        (wish(Some(0), 50), 0),
        (wish(Some(2), 7), 2),
        (wish(Some(2), 7), 0),
        (wish(Some(1), 7), 0),
        (earlier, 0),
        (wish(Some(3), 150), 30),
        (wish(Some(255), 1000), 29),
        (wish(None, 0), 0),
    ] {
        out.clear();
        let sequence = pair.sealer.next_sequence();
        let repair =
            history.repair(NOW, (0, 0), wanted.iter().copied(), wish, &mut pair.sealer, &mut out).unwrap();
        let count: usize = wanted.iter().map(|(_, count)| usize::from(*count)).sum();
        assert_eq!(repair.datagrams, times * count, "{wish:?}");
        assert_eq!(out.len(), repair.datagrams * repair.datagram_len);
        assert_eq!(pair.sealer.next_sequence() - sequence, repair.datagrams as u64, "sealed anew");
    }
    out.clear();
    let few = Wish { least: 9, most: 2, ..Wish::default() };
    let second = history.repair(NOW, (0, 0), [(0, 3)], few, &mut pair.sealer, &mut out).unwrap();
    assert_eq!(second.datagrams, 2, "no more than allowed");
    let mut opened = out.clone();
    let plain = pair.opener.open(NOW, &mut opened[..second.datagram_len]).unwrap().plain;
    assert!(ShardHeader::read(plain).unwrap().0.flags.has(Flags::REPAIR));
}

#[test]
fn a_frame_that_was_lost_as_a_whole_comes_back() {
    let mut pair = Pair::new(0, 1200, Order::Numbered);
    let mut history = History::new(Duration::from_millis(250), 1 << 20);
    let data = unit(30_000, 4);
    for (part, last) in [(&data[..14_000], false), (&data[14_000..], true)] {
        let (layout, _) = pair.send(part, last, 2);
        history.keep(NOW, layout, part.to_vec());
    }
    let (_, next) = pair.send(&data[..100], true, 0);
    pair.receive(&next[0]).unwrap();
    assert_eq!(pair.missing(0), [Missing::Frame]);
    let blocks: Vec<u8> = history.blocks(0).collect();
    assert_eq!(blocks, [0, 1]);
    let mut asked = Vec::new();
    for block in blocks {
        let mut out = Vec::new();
        let (whole, wish) = ([(0, u16::MAX)], Wish { most: 100, ..Wish::default() });
        let repair = history.repair(NOW, (0, block), whole, wish, &mut pair.sealer, &mut out).unwrap();
        for datagram in out.chunks(repair.datagram_len) {
            pair.receive(datagram).unwrap();
        }
        asked.push(pair.missing(0));
    }
    assert_eq!(asked, [vec![Missing::Block(1)], vec![]]);
    assert!(pair.frame().unwrap().data() == data);
    assert_eq!(pair.frame().unwrap().number, 1);
}

#[test]
fn the_history_is_bounded_in_time_and_bytes() {
    let mut pair = Pair::new(0, 1200, Order::Numbered);
    let mut history = History::new(Duration::from_millis(250), 10_000);
    for number in 0..8 {
        let (layout, _) = pair.send(&[number; 2_000], true, 0);
        history.keep(Time::from_millis(u64::from(number) * 10), layout, vec![number; 2_000]);
    }
    assert_eq!(history.bytes(), 10_000);
    assert_eq!((history.blocks(2).count(), history.blocks(3).count()), (0, 1));
    history.forget(Time::from_millis(300));
    assert_eq!((history.blocks(4).count(), history.blocks(5).count()), (0, 1));
    assert!(history.spare().capacity() >= 2_000, "memory goes round");
    let (layout, _) = pair.send(&[1; 20_000], true, 0);
    history.keep(Time::from_millis(300), layout, vec![1; 20_000]);
    assert_eq!(history.blocks(8).count(), 0, "what is larger than all of it is not kept");
}
