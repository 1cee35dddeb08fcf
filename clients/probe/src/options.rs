//! What a player asks a host for.

use punktfunk_core::gamestream::http::Mode;
use punktfunk_core::gamestream::sdp::Codec;

/// How to play. [`Options::new`] has the defaults of a stock client on a LAN.
#[derive(Clone, Debug)]
pub struct Options {
    /// Id of the application, of the host's list.
    pub app: u32,
    /// The picture.
    pub mode: Mode,
    /// The user's bitrate in kbit/s, FEC and audio included.
    pub bitrate_kbps: u32,
    /// `P` before encryption takes its 32 bytes; a multiple of 16.
    pub packet_size: usize,
    /// Behave like an old client: RTSP in the clear.
    pub plain_rtsp: bool,
    /// Behave like a very old client: no `corever`, RTSP in the clear, the old
    /// protection of control, and nothing else encrypted.
    pub legacy: bool,
    /// Want the video encrypted.
    pub encrypt_video: bool,
    /// Want the sound encrypted, as stock clients do.
    pub encrypt_audio: bool,
    /// Channels of sound: 2, 6 or 8. As with stock clients, the bitrate decides between
    /// normal and high quality.
    pub channels: u8,
    /// Milliseconds of sound in a packet; high quality surround always has 5.
    pub audio_packet_ms: u32,
    /// Want the sound played on the host, too.
    pub play_locally: bool,
    /// Throw away so many of 100 received media datagrams.
    pub drop_percent: f64,
    /// Which ones: the same seed loses the same datagrams of the same stream.
    pub seed: u64,
    /// Decode the pictures; without, they are only counted.
    pub decode: bool,
    /// What the picture shall be coded with.
    pub codec: Codec,
    /// Ten bits a sample.
    pub ten_bit: bool,
    /// Colour at full resolution.
    pub chroma_444: bool,
    /// Slices per picture.
    pub slices: u32,
    /// Reference frames; 0 leaves it to the host.
    pub reference_frames: u32,
    /// Least parity shards of a block.
    pub min_parity: usize,
}

impl Options {
    /// The application `app` at 720p60.
    pub fn new(app: u32) -> Self {
        Self {
            app,
            mode: Mode { width: 1280, height: 720, fps: 60 },
            bitrate_kbps: 10_000,
            packet_size: 1392,
            plain_rtsp: false,
            legacy: false,
            encrypt_video: false,
            encrypt_audio: true,
            channels: 2,
            audio_packet_ms: 5,
            play_locally: false,
            drop_percent: 0.0,
            seed: 1,
            decode: true,
            codec: Codec::H264,
            ten_bit: false,
            chroma_444: false,
            slices: 1,
            reference_frames: 1,
            min_parity: 2,
        }
    }

    /// The same with another picture.
    pub fn mode(mut self, width: u32, height: u32, fps: u32) -> Self {
        self.mode = Mode { width, height, fps };
        self
    }
}

/// Loses datagrams on purpose, always the same ones for the same seed.
#[derive(Clone, Debug)]
pub(crate) struct Loss {
    state: u64,
    /// Of 2^32.
    threshold: u64,
}

impl Loss {
    pub fn new(percent: f64, seed: u64) -> Self {
        let share = (percent / 100.0).clamp(0.0, 1.0);
        Self { state: seed, threshold: (share * 4_294_967_296.0) as u64 }
    }

    /// True when the next datagram is lost.
    pub fn strikes(&mut self) -> bool {
        if self.threshold == 0 {
            return false;
        }
        // SplitMix64: good enough to look like independent losses.
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 32) < self.threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_have_the_wanted_share_and_repeat_with_the_seed() {
        let losses = |percent, seed| {
            let mut loss = Loss::new(percent, seed);
            (0..10_000).map(|_| loss.strikes()).collect::<Vec<_>>()
        };
        let five = losses(5.0, 7);
        let count = five.iter().filter(|&&lost| lost).count();
        assert!((400..600).contains(&count), "{count}");
        assert_eq!(five, losses(5.0, 7));
        assert_ne!(five, losses(5.0, 8));
        assert!(losses(0.0, 1).iter().all(|lost| !lost));
        assert!(losses(100.0, 1).iter().all(|&lost| lost));
    }
}
