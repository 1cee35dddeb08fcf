//! Both ends of the media plane under a peer that has the keys and says anything: what the
//! fuzzer and the corpus tests drive.

use std::time::Duration;

use super::parity::Protection;
use super::{mtu, rate};
use crate::bytes::Reader;
use crate::native::keys::{Aead, Exported};
use crate::native::media::{Error, Flags, Kind, Limits, Sealer, Side};
use crate::native::{client, host};
use crate::time::Time;

const MEDIA: [u8; 8] = *b"media id";
const BITRATE: u64 = 20_000_000;
const MEMORY: usize = 1 << 20;

/// Plays `script`, records `op u8 ‖ milliseconds u8 ‖ length u16 ‖ bytes`: the bytes are
/// sealed and given to the host as reports, or to the client as reports, padding or a
/// shard; or the host sends a frame that the client never hears of. Returns how many
/// datagrams were heard.
///
/// # Panics
///
/// When a machine leaves its bounds, which is a defect.
pub fn exercise_peer(script: &[u8]) -> Result<u64, Error> {
    let traffic = Exported::new([7; 32]).traffic(Aead::Aes128Gcm);
    let mut now = Time(1_000_000);
    let mut host = host::Media::new(
        now,
        host::Config {
            media: MEDIA,
            traffic: traffic.clone(),
            bitrate: BITRATE,
            first_frame: 0,
            payload: mtu::LEAST,
            limit: 1472,
            protection: Protection::Adaptive,
        },
    )?;
    let mut client = client::Media::new(
        now,
        client::Config {
            media: MEDIA,
            traffic: traffic.clone(),
            first_frame: script.first().filter(|byte| **byte & 128 == 0).map(|_| 0),
            patience: client::PATIENCE,
            limits: Limits { bytes: MEMORY },
        },
    )?;
    let mut as_client = Sealer::new(Side::Client, MEDIA, traffic.c2h, now)?;
    let mut as_host = Sealer::new(Side::Host, MEDIA, traffic.h2c, now)?;
    let mut reader = Reader::new(script);
    let mut heard = 0;
    while let (Ok(op), Ok(step), Ok(len)) = (reader.u8(), reader.u8(), reader.u16_be()) {
        now = now + Duration::from_millis(step.into());
        let bytes = reader.take(usize::from(len).min(reader.remaining())).unwrap_or_default();
        let mut datagram = Vec::new();
        match op & 7 {
            0 => {
                let data = bytes.repeat(usize::from(step) * 8 + 1);
                let flags = if op & 8 == 0 { Flags::KEY_FRAME } else { Flags::default() };
                let unit = host::Unit { data, taken: now, epoch: op >> 6, flags, last: op & 16 == 0 };
                // A frame can be too large, or no key frame where one has to be.
                let _ = host.frame(now, unit, &mut datagram);
            }
            1 | 2 => {
                as_client.append(Kind::Report, now, bytes, &mut datagram)?;
                heard += u64::from(host.datagram(now, &mut datagram).is_ok());
            }
            kind => {
                let kind = [Kind::Report, Kind::Padding, Kind::Shard][usize::from(kind % 3)];
                as_host.append(kind, now, bytes, &mut datagram)?;
                heard += u64::from(client.datagram(now, &mut datagram).is_ok());
            }
        }
        settle(now, &mut host, &mut client);
    }
    Ok(heard)
}

/// Polls both until they wait, which they have to soon, and looks at their bounds.
fn settle(now: Time, host: &mut host::Media, client: &mut client::Media) {
    let (mut turns, mut sent) = (0, 0);
    loop {
        let mut out = Vec::new();
        let output = host.poll(now, &mut out);
        turns += 1;
        sent += out.len();
        assert!(turns < 20_000, "the host never waits");
        if let host::Output::Wait(_) = output {
            break;
        }
    }
    // What was saved for repairs, answers, and one probe.
    assert!(sent < 200_000, "{sent} bytes for what little was heard");
    let stats = host.stats();
    assert!((rate::FLOOR..=BITRATE).contains(&stats.bps), "{} bit/s", stats.bps);
    assert!((mtu::LEAST..=1472).contains(&stats.payload), "{} bytes", stats.payload);
    turns = 0;
    loop {
        turns += 1;
        assert!(turns < 1_000, "the client never waits");
        match client.poll(now, &mut Vec::new()) {
            client::Output::Wait(_) => break,
            client::Output::Frame(frame) => client.recycle(frame),
            _ => {}
        }
    }
}
