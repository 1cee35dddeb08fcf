//! The bound of the code (performance page, P14): without repair exactly those frames are
//! lost of which more datagrams were lost than they had parity, none more and none less.
//!
//! Every frame goes the whole way, sealed, lost, opened, put together and compared; its
//! shards have two bytes, so that many frames can go it.

use punktfunk_core::native::keys::{Aead, Exported};
use punktfunk_core::native::media::{
    Event, Flags, Kind, Limits, Opener, Order, Packetizer, Piece, Reassembler, Sealer, Side, datagram_len,
};
use punktfunk_core::time::Time;

use super::{MEDIA_ID, Pool, SECRET};
use crate::{GilbertElliott, Rng};

/// Bytes of a shard.
const SHARD: usize = 2;

/// Mean loss and length of bursts.
const CHANNELS: [(f64, f64); 5] = [(0.001, 1.0), (0.01, 1.0), (0.01, 4.0), (0.05, 4.0), (0.05, 16.0)];
/// Data and parity shards.
const SHAPES: [(u16, u16); 5] = [(1, 1), (1, 3), (4, 0), (8, 2), (20, 4)];

/// One kind of loss and one shape of frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Mean share of lost datagrams.
    pub loss: f64,
    /// Mean length of runs of them.
    pub burst: f64,
    /// Data shards of a frame.
    pub k: u16,
    /// Parity shards of a frame.
    pub m: u16,
}

impl Cell {
    /// Every channel with every shape.
    pub fn all() -> Vec<Self> {
        let shapes = |(loss, burst)| SHAPES.map(|(k, m)| Self { loss, burst, k, m });
        CHANNELS.into_iter().flat_map(shapes).collect()
    }

    /// Plays so many frames of it, each checked, with the chance of this seed.
    ///
    /// # Panics
    /// Where the bound of the code does not hold.
    pub fn play(self, frames: u32, seed: u64) -> Found {
        Player::new().play(self, frames, seed)
    }
}

/// What a cell found, in frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Whole, with or without losses.
    pub whole: u64,
    /// Of those: by parity.
    pub repaired: u64,
    /// Lost: of each more datagrams than it had parity.
    pub lost: u64,
}

struct Player {
    packetizer: Packetizer,
    sealer: Sealer,
    opener: Opener,
    reassembler: Reassembler,
    pool: Pool,
    /// Of the last frames, by number: whether too much of them was lost.
    beyond: Vec<bool>,
    found: Found,
}

impl Player {
    fn new() -> Self {
        let traffic = Exported::new(SECRET).traffic(Aead::Aes128Gcm);
        Self {
            packetizer: Packetizer::new(0, datagram_len(SHARD)).expect("there is room for a shard"),
            sealer: Sealer::new(Side::Host, MEDIA_ID, traffic.h2c.clone(), Time(0))
                .expect("the keys are right"),
            opener: Opener::new(Side::Host, MEDIA_ID, traffic.h2c).expect("the keys are right"),
            reassembler: Reassembler::new(Order::Completed, Limits::default(), Some(0)),
            pool: Pool::new(),
            beyond: vec![false; 256],
            found: Found::default(),
        }
    }

    /// Compares what the reassembly says with what was lost.
    fn settle(&mut self, cell: Cell) {
        while let Some(event) = self.reassembler.poll() {
            match event {
                Event::Frame(frame) => {
                    assert!(self.pool.is(frame.number, frame.data()), "{cell:?}, frame {}", frame.number);
                    assert!(!self.beyond[frame.number as usize % 256], "{cell:?}: more than the code can");
                    self.found.whole += 1;
                    self.found.repaired += u64::from(frame.recovered > 0);
                    self.reassembler.recycle(frame);
                }
                Event::Lost { first, last } => {
                    for number in first..=last {
                        assert!(self.beyond[number as usize % 256], "{cell:?}: {number} could be restored");
                        self.found.lost += 1;
                    }
                }
            }
        }
    }

    fn play(&mut self, cell: Cell, frames: u32, seed: u64) -> Found {
        let channel = GilbertElliott::of(cell.loss, cell.burst);
        let (mut unit, mut batch, mut rng, mut bad) = (Vec::new(), Vec::new(), Rng::new(seed), false);
        let each = datagram_len(SHARD);
        for number in 0..frames {
            let now = Time(u64::from(number) * 100);
            self.pool.fill(&mut unit, number, usize::from(cell.k) * SHARD - rng.below(SHARD as u64) as usize);
            batch.clear();
            let piece = Piece { data: &unit, taken: now, epoch: 0, flags: Flags::default(), last: true };
            let layout = self.packetizer.packetize(now, piece, |_| cell.m, &mut self.sealer, &mut batch);
            let datagrams = layout.expect("the frame is small enough").datagrams();
            assert_eq!(datagrams, usize::from(cell.k + cell.m), "{cell:?}");
            let mut lost = 0;
            for datagram in batch.chunks_mut(each) {
                if channel.loses(&mut bad, &mut rng) {
                    lost += 1;
                    continue;
                }
                let opened = self.opener.open(now, datagram).expect("it was sealed with the key");
                assert_eq!(opened.kind, Kind::Shard);
                self.reassembler.push(now, opened.plain).expect("it fits to the others");
            }
            self.beyond[number as usize % 256] = lost > cell.m;
            self.settle(cell);
        }
        self.reassembler.give_up(frames - 1);
        self.settle(cell);
        self.found
    }
}
