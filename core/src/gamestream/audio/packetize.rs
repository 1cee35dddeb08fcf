//! The host's side of audio.

use punktfunk_fec::gf8::audio::Codec;

use super::{Cipher, Config, Error, FEC_HEADER, GROUP, MAX_PAYLOAD, RTP, TYPE_DATA, TYPE_FEC};
use crate::bytes::Writer;

/// Turns Opus packets into datagrams. Numbers them from 0.
#[derive(Debug)]
pub struct Packetizer {
    packet_ms: u32,
    cipher: Option<Cipher>,
    codec: Codec,
    sequence: u16,
    timestamp: u32,
    base_timestamp: u32,
    group: [Vec<u8>; GROUP],
    parity: [Vec<u8>; 2],
    datagram: Vec<u8>,
}

impl Packetizer {
    /// A stream that begins at sequence number and timestamp 0.
    pub fn new(config: Config) -> Result<Self, Error> {
        Ok(Self {
            packet_ms: config.packet_ms,
            cipher: config.key.map(Cipher::new).transpose()?,
            codec: Codec::default(),
            sequence: 0,
            timestamp: 0,
            base_timestamp: 0,
            group: Default::default(),
            parity: Default::default(),
            datagram: Vec::new(),
        })
    }

    /// The number the next data packet will have.
    pub const fn next_sequence(&self) -> u16 {
        self.sequence
    }

    /// Hands one data datagram to `out`, and two parity datagrams after each fourth.
    /// A group whose payloads differ in length (variable bitrate) gets no parity,
    /// because the client would switch repair off for good.
    ///
    /// After an error nothing was handed out and no number was used.
    pub fn packetize(&mut self, opus: &[u8], out: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
        let most = if self.cipher.is_some() { MAX_PAYLOAD - 1 } else { MAX_PAYLOAD };
        if opus.is_empty() || opus.len() > most {
            return Err(Error::PacketLength(opus.len()));
        }
        let place = usize::from(self.sequence) % GROUP;
        let payload = &mut self.group[place];
        payload.clear();
        payload.extend_from_slice(opus);
        if let Some(cipher) = &self.cipher {
            cipher.cbc.encrypt(cipher.iv(self.sequence), payload)?;
        }
        if place == 0 {
            self.base_timestamp = self.timestamp;
        }
        self.datagram.clear();
        let mut writer = Writer::new(&mut self.datagram);
        writer.u8(0x80).u8(TYPE_DATA).u16_be(self.sequence).u32_be(self.timestamp).u32_be(0).bytes(payload);
        out(&self.datagram);
        let base = self.sequence & !3;
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(self.packet_ms);
        if place + 1 == GROUP {
            self.protect(base, out);
        }
        Ok(())
    }

    fn protect(&mut self, base: u16, out: &mut dyn FnMut(&[u8])) {
        let len = self.group[0].len();
        self.parity.iter_mut().for_each(|parity| parity.resize(len, 0));
        let [p0, p1] = &mut self.parity;
        let data = self.group.each_ref().map(Vec::as_slice);
        if self.codec.encode(data, [p0, p1]).is_err() {
            return;
        }
        for (index, parity) in (0u8..).zip(&self.parity) {
            self.datagram.clear();
            self.datagram.reserve(RTP + FEC_HEADER + len);
            let number = self.sequence.wrapping_add(u16::from(index));
            let mut writer = Writer::new(&mut self.datagram);
            writer.u8(0x80).u8(TYPE_FEC).u16_be(number).u32_be(0).u32_be(0);
            writer.u8(index).u8(TYPE_DATA).u16_be(base).u32_be(self.base_timestamp).u32_be(0).bytes(parity);
            out(&self.datagram);
        }
    }
}
