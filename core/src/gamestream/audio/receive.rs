//! The client's side of audio: decrypts, puts in order, repairs and says what is
//! lost. One group of four is held at a time.

use std::collections::VecDeque;

use punktfunk_fec::gf8::audio::Codec;

use super::{Cipher, Config, Error, GROUP, MAX_PAYLOAD, TYPE_DATA, TYPE_FEC};
use crate::bytes::{Reader, Truncated};

/// Events that may wait; older ones are dropped when nobody polls.
const MAX_EVENTS: usize = 64;

/// What the stream has to tell, in order of sequence numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An Opus packet.
    Packet {
        /// Its sequence number.
        sequence: u16,
        /// The Opus packet, decrypted.
        data: Vec<u8>,
        /// True when it was rebuilt from parity.
        repaired: bool,
    },
    /// Packets that will not come any more.
    Lost {
        /// The first of them.
        sequence: u16,
        /// How many.
        count: u16,
    },
}

/// What has been counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Opus packets delivered.
    pub packets: u64,
    /// Of those, rebuilt from parity.
    pub repaired: u64,
    /// Packets lost.
    pub lost: u64,
    /// Datagrams that were late or had arrived before.
    pub late: u64,
    /// Datagrams that were no audio, or did not decrypt.
    pub rejected: u64,
}

/// Turns datagrams into Opus packets.
#[derive(Debug)]
pub struct Receiver {
    cipher: Option<Cipher>,
    codec: Codec,
    /// The next number to deliver; none before the first packet.
    next: Option<u16>,
    shards: [Vec<u8>; GROUP + 2],
    present: [bool; GROUP + 2],
    repaired: [bool; GROUP],
    events: VecDeque<Event>,
    counters: Counters,
}

impl Receiver {
    /// A stream as `config` says.
    pub fn new(config: Config) -> Result<Self, Error> {
        Ok(Self {
            cipher: config.key.map(Cipher::new).transpose()?,
            codec: Codec::default(),
            next: None,
            shards: Default::default(),
            present: Default::default(),
            repaired: Default::default(),
            events: VecDeque::new(),
            counters: Counters::default(),
        })
    }

    /// What has been counted.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// The next event.
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Takes one datagram. An error means that it was dropped.
    pub fn push(&mut self, datagram: &[u8]) -> Result<(), Error> {
        let result = match parse(datagram) {
            Ok(Some(packet)) => {
                self.accept(&packet);
                Ok(())
            }
            _ => Err(Error::Malformed),
        };
        self.counters.rejected += u64::from(result.is_err());
        result
    }

    fn accept(&mut self, &Packet { sequence, place, payload }: &Packet<'_>) {
        if self.next.is_none() && place >= GROUP {
            // Parity says nothing before there is a packet to start from.
            return;
        }
        let next = *self.next.get_or_insert(sequence);
        let (base, current) = (sequence & !3, next & !3);
        // Signed distance in the 16-bit window.
        let ahead = base.wrapping_sub(current).cast_signed();
        if ahead < 0 || (ahead == 0 && place < GROUP && sequence.wrapping_sub(next).cast_signed() < 0) {
            self.counters.late += 1;
            return;
        }
        if ahead > 0 {
            self.close(current, base);
        }
        if self.present[place] {
            self.counters.late += 1;
            return;
        }
        self.shards[place].clear();
        self.shards[place].extend_from_slice(payload);
        self.present[place] = true;
        self.repair();
        self.deliver(base);
    }

    /// Rebuilds what is missing, once four shards of equal length are there.
    fn repair(&mut self) {
        let there = self.present.iter().filter(|there| **there).count();
        if there < GROUP || self.present[..GROUP] == [true; GROUP] {
            return;
        }
        let mut lengths =
            self.shards.iter().zip(self.present).filter(|(_, there)| *there).map(|(s, _)| s.len());
        let len = lengths.next().unwrap_or(0);
        if lengths.any(|other| other != len) {
            return;
        }
        for (shard, there) in self.shards.iter_mut().zip(self.present) {
            if !there {
                shard.resize(len, 0);
            }
        }
        if self.codec.repair(self.shards.each_mut().map(Vec::as_mut_slice), self.present).is_ok() {
            for place in 0..GROUP {
                self.repaired[place] = !self.present[place];
                self.present[place] = true;
            }
        }
    }

    /// Hands out what is next in the group that begins at `base`.
    fn deliver(&mut self, base: u16) {
        while let Some(next) = self.next.filter(|next| next & !3 == base) {
            let place = usize::from(next & 3);
            if !self.present[place] {
                return;
            }
            self.next = Some(next.wrapping_add(1));
            self.hand_out(next, place);
            if place + 1 == GROUP {
                self.forget();
            }
        }
    }

    fn hand_out(&mut self, sequence: u16, place: usize) {
        let shard = &mut self.shards[place];
        let mut copy;
        let data = match &self.cipher {
            // The ciphertext stays: parity is over it.
            Some(cipher) => {
                copy = shard.clone();
                cipher.cbc.decrypt(cipher.iv(sequence), &mut copy).map(<[u8]>::to_vec)
            }
            None => Ok(shard.clone()),
        };
        match data {
            Ok(data) => {
                let repaired = self.repaired[place];
                self.counters.packets += 1;
                self.counters.repaired += u64::from(repaired);
                self.tell(Event::Packet { sequence, data, repaired });
            }
            Err(_) => {
                self.counters.rejected += 1;
                self.lose(sequence, 1);
            }
        }
    }

    /// Gives up on everything before `until`, the base of a later group.
    fn close(&mut self, current: u16, until: u16) {
        while let Some(next) = self.next.filter(|next| next & !3 == current) {
            let place = usize::from(next & 3);
            self.next = Some(next.wrapping_add(1));
            if self.present[place] {
                self.hand_out(next, place);
            } else {
                self.lose(next, 1);
            }
        }
        self.forget();
        let after = current.wrapping_add(4);
        if until != after {
            self.lose(after, until.wrapping_sub(after));
        }
        self.next = Some(until);
    }

    fn lose(&mut self, sequence: u16, count: u16) {
        self.counters.lost += u64::from(count);
        self.tell(Event::Lost { sequence, count });
    }

    fn forget(&mut self) {
        self.present = Default::default();
        self.repaired = Default::default();
    }

    fn tell(&mut self, event: Event) {
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}

/// Feeds `records`, each a little-endian 16-bit length and that many bytes, to a
/// fresh receiver without encryption. Recorded streams and the fuzzer come in here.
pub fn replay(records: &[u8]) -> Result<Counters, Error> {
    hear(records, None)
}

/// As [`replay`], and once more to a receiver with a key: what the fuzzer and the corpus
/// tests drive.
///
/// # Panics
///
/// When packets are counted that were never received, which is a defect.
pub fn exercise(records: &[u8]) -> Result<Counters, Error> {
    let plain = replay(records)?;
    let decrypted = hear(records, Some(([7; 16], -5)))?;
    // Decryption refuses some packets, and changes nothing else.
    let told = |counters: Counters| counters.packets + counters.lost;
    assert_eq!(told(decrypted), told(plain));
    assert!(plain.repaired <= plain.packets && decrypted.packets <= plain.packets);
    Ok(plain)
}

fn hear(records: &[u8], key: Option<([u8; 16], i32)>) -> Result<Counters, Error> {
    let mut receiver = Receiver::new(Config { packet_ms: 5, key })?;
    let mut reader = Reader::new(records);
    while let Ok(len) = reader.u16_le() {
        let len = usize::from(len).min(reader.remaining());
        let datagram = reader.take(len).unwrap_or_default();
        // A rejected datagram is counted.
        let _ = receiver.push(datagram);
        while receiver.poll().is_some() {}
    }
    Ok(receiver.counters())
}

/// What a datagram holds.
struct Packet<'a> {
    /// The packet's own number, or the base of the group for parity.
    sequence: u16,
    /// Where it belongs in its group, parity after data.
    place: usize,
    payload: &'a [u8],
}

/// Reads a datagram. `None` for what is long enough but no audio.
fn parse(datagram: &[u8]) -> Result<Option<Packet<'_>>, Truncated> {
    let mut reader = Reader::new(datagram);
    let [version, kind] = reader.array()?;
    let sequence = reader.u16_be()?;
    reader.take(8)?;
    let (sequence, place) = match kind {
        TYPE_DATA => (sequence, usize::from(sequence & 3)),
        TYPE_FEC => {
            let [index, payload_type] = reader.array()?;
            let base = reader.u16_be()?;
            reader.take(8)?;
            if index > 1 || payload_type != TYPE_DATA || base & 3 != 0 {
                return Ok(None);
            }
            (base, GROUP + usize::from(index))
        }
        _ => return Ok(None),
    };
    let payload = reader.rest();
    let sane = version & 0xC0 == 0x80 && !payload.is_empty() && payload.len() <= MAX_PAYLOAD;
    Ok(sane.then_some(Packet { sequence, place, payload }))
}
