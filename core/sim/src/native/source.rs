//! A synthetic encoder: frames of sizes like a real one's, with content that can be
//! checked.

use std::ops::Range;

use crate::Rng;

/// Bytes that the content of frames is cut out of.
const POOL: usize = 1 << 20;
/// Bytes in front of it: number and length.
const HEAD: usize = 8;

/// What the encoder aims at.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Bits a second, key frames aside.
    pub bitrate: u64,
    /// Frames a second.
    pub fps: u32,
    /// A key frame is so many times as large as others.
    pub key_frame: f64,
    /// Frames are up to this share smaller or larger than the mean, 0.0 to 1.0.
    pub spread: f64,
    /// One frame in so many is three times as large, as when the scene changes; 0 for none.
    pub scene_every: u32,
}

impl Default for Sizes {
    /// 20 Mbit/s at 60 frames a second, as x264 without latency codes a game.
    fn default() -> Self {
        Self { bitrate: 20_000_000, fps: 60, key_frame: 4.0, spread: 0.4, scene_every: 300 }
    }
}

/// Makes access units. The content of a frame follows from its number and its length
/// alone, so that whoever receives it can tell a wrong one without having seen it.
#[derive(Clone, Debug)]
pub struct Source {
    sizes: Sizes,
    rng: Rng,
    pool: Pool,
    unit: Vec<u8>,
}

impl Source {
    /// An encoder whose sizes are drawn from `seed`.
    pub fn new(sizes: Sizes, seed: u64) -> Self {
        Self { sizes, rng: Rng::new(seed ^ 0x5EED), pool: Pool::new(), unit: Vec::new() }
    }

    /// What it aims at now.
    pub const fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Aims at this many bits a second from the next frame on.
    pub const fn set_bitrate(&mut self, bitrate: u64) {
        self.sizes.bitrate = bitrate;
    }

    /// The access unit of this frame.
    pub fn frame(&mut self, number: u32, is_key: bool) -> &[u8] {
        let mean = self.sizes.bitrate as f64 / 8.0 / f64::from(self.sizes.fps.max(1));
        let drawn = self.rng.below(2_001) as f64 / 1_000.0 - 1.0;
        let scene =
            self.sizes.scene_every > 0 && number % self.sizes.scene_every == self.sizes.scene_every - 1;
        let factor = if is_key {
            self.sizes.key_frame
        } else if scene {
            3.0
        } else {
            drawn.mul_add(self.sizes.spread, 1.0)
        };
        let len = ((mean * factor) as usize).clamp(1, POOL / 2);
        self.pool.fill(&mut self.unit, number, len);
        &self.unit
    }
}

/// Where content comes from, and what checks it.
#[derive(Clone, Debug)]
pub struct Pool(Vec<u8>);

impl Pool {
    /// The same for everybody.
    pub fn new() -> Self {
        let mut rng = Rng::new(0xB17E5);
        Self((0..POOL / 8).flat_map(|_| rng.next().to_le_bytes()).collect())
    }

    /// Makes `unit` the access unit of frame `number` with `len` bytes, at most 512 KiB.
    pub fn fill(&self, unit: &mut Vec<u8>, number: u32, len: usize) {
        unit.clear();
        if len >= HEAD {
            unit.extend_from_slice(&number.to_be_bytes());
            unit.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
        }
        let rest = len.min(POOL / 2) - unit.len();
        unit.extend_from_slice(&self.0[place(number, rest)]);
    }

    /// True when this is the whole access unit of frame `number`. Below eight bytes its
    /// length cannot be told.
    pub fn is(&self, number: u32, unit: &[u8]) -> bool {
        let mut rest = unit;
        if unit.len() >= HEAD {
            let (head, content) = unit.split_at(HEAD);
            let len = u32::try_from(unit.len()).unwrap_or(u32::MAX);
            if head[..4] != number.to_be_bytes() || head[4..] != len.to_be_bytes() {
                return false;
            }
            rest = content;
        }
        rest.len() <= POOL / 2 && self.0[place(number, rest.len())] == *rest
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::new()
    }
}

/// Which part of the pool is the content of a frame.
fn place(number: u32, len: usize) -> Range<usize> {
    let start = Rng::new(u64::from(number)).next() as usize % (POOL / 2);
    start..start + len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_tells_the_frame_and_every_damage() {
        let pool = Pool::new();
        let mut unit = Vec::new();
        for len in [1, 7, 8, 9, 1000, 70_000, POOL / 2] {
            pool.fill(&mut unit, 77, len);
            assert!(unit.len() == len && pool.is(77, &unit), "{len}");
            assert!(!pool.is(78, &unit), "{len}");
            for at in [0, len / 2, len - 1] {
                let mut other = unit.clone();
                other[at] ^= 1;
                assert!(!pool.is(77, &other), "{len} damaged at {at}");
            }
            if len > HEAD {
                assert!(!pool.is(77, &unit[..len - 1]), "{len} cut");
            }
        }
    }

    #[test]
    fn the_bitrate_is_kept_and_key_frames_are_larger() {
        let mut source = Source::new(Sizes::default(), 1);
        let key = source.frame(0, true).len();
        let bytes: usize = (1..6_001).map(|number| source.frame(number, false).len()).sum();
        let rate = bytes as f64 * 8.0 / 100.0;
        assert!((0.97..1.03).contains(&(rate / 20e6)), "{rate}");
        assert!((160_000..172_000).contains(&key), "{key}");
        source.set_bitrate(1_000_000);
        assert!(source.frame(6_001, false).len() < 4_000);
    }
}
