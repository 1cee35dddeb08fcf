//! The receiving side under foreign bytes: what the fuzzers and the corpus tests drive.

use super::{
    Error, Event, Flags, Kind, Limits, Missing, Opener, Order, Reassembler, Sealer, ShardHeader, Side,
};
use crate::bytes::{Reader, Truncated};
use crate::native::keys::{Aead, Direction, Exported};
use crate::time::Time;

const MEDIA: [u8; 8] = *b"media id";

/// Plays `script` between a sealer and an opener: records `op u8 ‖ length u8 ‖ bytes`. What was
/// sealed opens once; what was damaged, made up or opened before does not, and changes
/// nothing.
///
/// # Panics
///
/// When one of these does not hold, which is a defect.
pub fn exercise_open(script: &[u8]) -> Result<(), Error> {
    for (side, aead) in [(Side::Host, Aead::Aes128Gcm), (Side::Client, Aead::ChaCha20Poly1305)] {
        let schedule = Exported::new([7; 32]).schedule(Direction::ToClient, aead);
        let mut now = Time(0);
        let mut sealer = Sealer::new(side, MEDIA, schedule.clone(), now)?;
        let mut opener = Opener::new(side, MEDIA, schedule)?;
        let mut reader = Reader::new(script);
        let mut last = Vec::new();
        while let (Ok(op), Ok(len)) = (reader.u8(), reader.u8()) {
            let bytes = reader.take(usize::from(len).min(reader.remaining())).unwrap_or_default();
            let before = (opener.highest(), opener.opened());
            match op % 4 {
                0 => assert!(opener.open(now, &mut bytes.to_vec()).is_err(), "a stranger was believed"),
                1 => {
                    last.clear();
                    sealer.append(Kind::Report, now, bytes, &mut last)?;
                    let mut damaged = last.clone();
                    let at = usize::from(op / 4) % damaged.len();
                    damaged[at] ^= 1 << (len % 8);
                    assert!(opener.open(now, &mut damaged).is_err(), "damage was not noticed");
                    assert_eq!(before, (opener.highest(), opener.opened()), "damage has changed something");
                    let mut copy = last.clone();
                    let opened = opener.open(now, &mut copy).map(|opened| &*opened.plain);
                    assert_eq!(opened, Ok(bytes), "what was sealed opens");
                    continue;
                }
                2 => assert!(opener.open(now, &mut last.clone()).is_err(), "a datagram was opened twice"),
                _ => now = Time(now.0 + 150_000_000),
            }
            assert_eq!(
                before,
                (opener.highest(), opener.opened()),
                "what did not open has changed something"
            );
        }
    }
    Ok(())
}

/// Plays `script` to a reassembler with little memory: shards with any header, frames taken
/// or given up, gaps asked for. Returns the frames that were whole.
///
/// # Panics
///
/// When more memory is held than allowed, or something is missing of nothing: defects.
pub fn exercise_reassemble(script: &[u8]) -> u64 {
    const MEMORY: usize = 1 << 16;
    let order =
        if script.first().is_some_and(|byte| byte & 1 != 0) { Order::Completed } else { Order::Numbered };
    let first = script.first().filter(|byte| **byte & 2 != 0).map(|byte| u32::MAX - u32::from(byte >> 4));
    let mut reassembler = Reassembler::new(order, Limits { bytes: MEMORY }, first);
    let mut reader = Reader::new(script.get(1..).unwrap_or_default());
    let mut near = first.unwrap_or(0);
    let mut plain = Vec::new();
    while step(&mut reader, &mut near, &mut plain, &mut reassembler).is_ok() {
        assert!(reassembler.memory() <= MEMORY, "too much memory");
        for gap in reassembler.gaps() {
            let mut count = 0;
            reassembler.missing(gap.frame, true, |missing| {
                count += match missing {
                    Missing::Shards { count, .. } => usize::from(count),
                    Missing::Block(_) | Missing::Frame => 1,
                };
            });
            assert!(count >= gap.wanted && count > 0, "a frame that lacks nothing is not whole");
        }
    }
    reassembler.counters().frames
}

fn step(
    reader: &mut Reader<'_>,
    near: &mut u32,
    plain: &mut Vec<u8>,
    reassembler: &mut Reassembler,
) -> Result<(), Truncated> {
    let op = reader.u8()?;
    let now = Time(reader.offset() as u64);
    plain.clear();
    match op % 8 {
        0 => {
            let len = usize::from(reader.u8()?).min(reader.remaining());
            plain.extend_from_slice(reader.take(len)?);
        }
        1 => {
            while let Some(event) = reassembler.poll() {
                if let Event::Frame(frame) = event {
                    reassembler.recycle(frame);
                }
            }
            return Ok(());
        }
        2 => {
            reassembler.give_up(near.wrapping_sub(u32::from(op >> 3)));
            return Ok(());
        }
        // A frame near the last one, of few small shards: so that some become whole.
        _ => {
            *near = near.wrapping_add(u32::from(op >> 3 & 3)).wrapping_sub(u32::from(op >> 5 & 1));
            let [block, shape, tail] = reader.array()?;
            let (k, m) = (u16::from(shape & 7) + 1, u16::from(shape >> 3 & 3));
            let flags = Flags(block >> 6).with(if block & 0x20 != 0 { Flags::LAST_BLOCK } else { Flags(0) });
            let header = ShardHeader {
                frame: *near,
                flags,
                block: block & 3,
                base: u16::from(block & 3) * k,
                index: u16::from(shape >> 5) + u16::from(block >> 2 & 7),
                k,
                m,
                tail: u16::from(tail >> 2),
                ..ShardHeader::default()
            };
            plain.extend_from_slice(&header.bytes());
            plain.resize(plain.len() + 2 * usize::from(tail & 63), op);
        }
    }
    let _ = reassembler.push(now, plain);
    Ok(())
}
