//! The video sender of one GameStream stream: packetizer and parity in the caller's
//! thread, then a paced thread of its own.

use punktfunk_core::gamestream::sdp::Codec;
use punktfunk_core::gamestream::video::{self, FrameKind, Packetizer, h264, hevc};
use punktfunk_net::{Batch, PacedSender, SenderConfig, SenderGauge, SenderStats, Submit, monotonic_nanos};

use super::{MediaPorts, Outgoing, Sent, StreamRoute};

/// What the packets of a stream are made like.
#[derive(Clone, Copy, Debug)]
pub struct VideoConfig {
    /// What the access units are.
    pub codec: Codec,
    /// `P` of the sheet, bytes.
    pub packet_size: usize,
    /// Parity, in percent of the data shards.
    pub fec_percentage: u8,
    /// Least parity shards per block.
    pub min_parity: usize,
    /// AES-128 key when video is encrypted.
    pub key: Option<[u8; 16]>,
    /// Bits a second on the wire, parity included.
    pub bitrate_bps: u64,
    /// Frames a second.
    pub fps: u32,
    /// Throws away so many of 100 datagrams, for tests.
    pub drop_percent: f64,
}

/// Packetizer and paced sender of one stream.
pub struct VideoSender {
    packetizer: Packetizer,
    sender: PacedSender,
    origin_us: u64,
    first_shard: FirstShard,
    losses: Losses,
}

impl VideoSender {
    /// Starts the sender thread.
    pub fn start(
        config: &VideoConfig,
        ports: &MediaPorts,
        route: &StreamRoute,
    ) -> Result<Self, anyhow::Error> {
        let packetizer = Packetizer::new(video::Config {
            packet_size: config.packet_size,
            fec_percentage: config.fec_percentage,
            min_parity: config.min_parity,
            key: config.key,
        })?;
        let pace = SenderConfig::new(config.bitrate_bps);
        let sender = PacedSender::spawn(ports.video(), route.video.clone(), pace)?;
        let first_shard = FirstShard { codec: config.codec, packet_size: config.packet_size, warned: false };
        let losses = Losses::new(config.drop_percent);
        Ok(Self { packetizer, sender, origin_us: monotonic_nanos() / 1000, first_shard, losses })
    }

    /// Sets the parity of the frames to come, percent.
    pub fn set_fec_percentage(&mut self, percentage: u8) {
        self.packetizer.set_fec_percentage(percentage);
    }

    /// The number the client will know the next frame by.
    pub fn next_frame(&self) -> u32 {
        self.packetizer.next_frame_index()
    }

    /// Whether an access unit would be taken now; no other thread takes the room.
    pub fn has_room(&self) -> bool {
        self.sender.has_room()
    }

    /// False once the sender thread has ended by a panic: nothing is sent any more.
    pub fn is_alive(&self) -> bool {
        self.sender.is_alive()
    }

    /// Packetizes one access unit and hands it over. Never blocks. What is dropped has
    /// used no frame number: to the client nothing is missing.
    pub fn send(&mut self, unit: &Outgoing<'_>) -> Sent {
        if !self.has_room() {
            return Sent::Dropped;
        }
        if self.first_shard.is_missed_anew(unit) {
            tracing::warn!(
                packet_size = self.first_shard.packet_size,
                "a key frame's slice does not begin in its first packet, so the client drops the frame: \
                 raise the packet size in the client"
            );
        }
        let mut bytes = self.sender.buffer();
        let frame = video::Frame {
            kind: unit.kind,
            timestamp_90k: self.timestamp(unit.timestamp_us),
            latency_tenths_ms: if unit.is_new { latency_tenths_ms(unit.timestamp_us) } else { 0 },
            data: unit.data,
        };
        let layout = match self.packetizer.packetize(frame, &mut bytes) {
            Ok(layout) => layout,
            Err(error) => {
                tracing::warn!(%error, bytes = unit.data.len(), "a frame could not be packetized");
                return Sent::TooLarge;
            }
        };
        self.losses.strike(&mut bytes, layout.datagram_len);
        match self.sender.submit(Batch { bytes, segment: layout.datagram_len }) {
            Submit::Queued => Sent::Queued { packets: layout.datagrams, parity: layout.parity_shards },
            Submit::Dropped(batch) => {
                self.sender.recycle(batch.bytes);
                Sent::Dropped
            }
        }
    }

    /// What reads the counters of the sender thread from elsewhere.
    pub fn gauge(&self) -> SenderGauge {
        self.sender.gauge()
    }

    /// Paces what follows for another bitrate, bits a second on the wire.
    pub fn set_bitrate(&self, bps: u64) {
        self.sender.set_bitrate(bps);
    }

    /// What the sender thread did so far.
    pub fn stats(&self) -> SenderStats {
        self.sender.stats()
    }

    /// 90 kHz since the stream began, never 0: clients replace a zero by their own
    /// clock (sheet, section 8).
    fn timestamp(&self, at_us: u64) -> u32 {
        let since = at_us.saturating_sub(self.origin_us);
        // Truncation is the wrap of the 32-bit field.
        match (since * 9 / 100) as u32 {
            0 => 1,
            ticks => ticks,
        }
    }
}

fn latency_tenths_ms(captured_us: u64) -> u16 {
    let tenths = (monotonic_nanos() / 1000).saturating_sub(captured_us).div_ceil(100);
    u16::try_from(tenths).unwrap_or(u16::MAX)
}

/// Clients look for a key frame's slice in its first shard only (sheet, section 8.2).
struct FirstShard {
    codec: Codec,
    packet_size: usize,
    warned: bool,
}

impl FirstShard {
    /// True for the first key frame of the stream whose slice begins later.
    fn is_missed_anew(&mut self, unit: &Outgoing<'_>) -> bool {
        let anew = unit.kind == FrameKind::Idr && !self.warned && !self.fits(unit.data);
        self.warned |= anew;
        anew
    }

    fn fits(&self, data: &[u8]) -> bool {
        match self.codec {
            Codec::H264 => h264::fits_first_shard(data, self.packet_size),
            Codec::Hevc => hevc::fits_first_shard(data, self.packet_size),
            // Clients go by the frame type (sheet, section 8.1).
            Codec::Av1 => true,
        }
    }
}

/// A bad network for tests: throws datagrams away, the same ones each time.
pub(super) struct Losses {
    state: u64,
    /// Of 2^32.
    threshold: u64,
}

impl Losses {
    pub(super) fn new(percent: f64) -> Self {
        Self { state: 1, threshold: ((percent / 100.0).clamp(0.0, 1.0) * 4_294_967_296.0) as u64 }
    }

    /// Removes what is lost of a batch of equally long datagrams.
    pub(super) fn strike(&mut self, bytes: &mut Vec<u8>, segment: usize) {
        if self.threshold == 0 || segment == 0 {
            return;
        }
        let mut kept = 0;
        for start in (0..bytes.len()).step_by(segment) {
            // SplitMix64.
            self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            if (z ^ (z >> 31)) >> 32 >= self.threshold {
                let end = (start + segment).min(bytes.len());
                bytes.copy_within(start..end, kept);
                kept += end - start;
            }
        }
        bytes.truncate(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_take_whole_datagrams_and_about_as_many_as_asked() {
        let mut losses = Losses::new(10.0);
        let mut bytes: Vec<u8> = (0..1000_u32).flat_map(|index| [index as u8; 16]).collect();
        losses.strike(&mut bytes, 16);
        assert!((850..950).contains(&(bytes.len() / 16)), "{}", bytes.len() / 16);
        assert!(bytes.chunks(16).all(|datagram| datagram.iter().all(|byte| *byte == datagram[0])));
        let mut all = vec![7; 160];
        Losses::new(0.0).strike(&mut all, 16);
        assert_eq!(all.len(), 160);
        Losses::new(100.0).strike(&mut all, 16);
        assert!(all.is_empty());
    }

    #[test]
    fn a_key_frame_that_begins_too_late_is_told_once_a_stream() {
        let headers = [&[0, 0, 1, 0x67][..], &[1; 40], &[0, 0, 1, 0x68, 2]].concat();
        let idr = [&headers[..], &[0, 0, 1, 0x65, 3]].concat();
        let other = [&headers[..], &[0, 0, 1, 0x41, 3]].concat();
        let key_frame = Outgoing { data: &idr, kind: FrameKind::Idr, timestamp_us: 0, is_new: true };
        let later = Outgoing { data: &other, kind: FrameKind::P, ..key_frame };
        let codec = Codec::H264;
        let told = |packet_size| {
            let mut first_shard = FirstShard { codec, packet_size, warned: false };
            [later, key_frame, later, key_frame].map(|unit| first_shard.is_missed_anew(&unit))
        };
        assert_eq!(told(64), [false, true, false, false]);
        assert_eq!(told(1392), [false; 4]);
    }
}
