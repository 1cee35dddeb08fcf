//! The media plane of punktfunk/1 from access unit to datagrams and back: any pattern of
//! loss, order and repetition, and every counter at its end.

use punktfunk_core::native::keys::{Aead, Direction, Exported, Schedule};
use punktfunk_core::native::media::{
    Error, Event, Flags, Frame, Kind, Layout, Limits, Opener, Order, Packetizer, Piece, Pushed, Reassembler,
    Sealer, Side,
};
use punktfunk_core::time::Time;

const MEDIA: [u8; 8] = [9; 8];

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
        let opened = self.opener.open(Time(2000), &mut copy)?;
        assert_eq!(opened.kind, Kind::Shard);
        self.reassembler.push(Time(2000), opened.plain)
    }

    fn frame(&mut self) -> Option<Frame> {
        match self.reassembler.poll()? {
            Event::Frame(frame) => Some(frame),
            Event::Lost { first, last } => panic!("frames {first} to {last} are lost"),
        }
    }
}

fn unit(len: usize, salt: u8) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251) as u8 ^ salt).collect()
}

#[test]
fn a_frame_is_whole_with_its_last_data_shard() {
    let mut pair = Pair::new(0, 1472, Order::Numbered);
    let data = unit(100_000, 1);
    let (layout, datagrams) = pair.send(&data, true, 20);
    assert_eq!((layout.k[1], layout.m[1], layout.blocks), (71, 20, 1));
    for (at, datagram) in datagrams.iter().enumerate() {
        let pushed = pair.receive(datagram).unwrap();
        let expected = match at {
            0..70 => Pushed::Kept,
            70 => Pushed::Whole,
            _ => Pushed::Surplus,
        };
        assert_eq!(pushed, expected, "datagram {at}");
    }
    let frame = pair.frame().unwrap();
    assert!(frame.data() == data);
    assert_eq!((frame.number, frame.epoch, frame.flags), (0, 5, Flags::NEW_PICTURE));
    assert_eq!((frame.timestamp, frame.age, frame.shards, frame.recovered), (77, 100, 71, 0));
}
