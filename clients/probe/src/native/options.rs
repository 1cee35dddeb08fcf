//! What a player asks a host for.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use punktfunk_client::{Codec, Config, Lose, Mode, SessionId};

use super::home::Host;
use crate::options::Loss;

/// How to play. [`Options::default`] plays the host's first application.
#[derive(Clone, Debug)]
pub struct Options {
    /// Number of the application in the host's list; `None`: the first.
    pub app: Option<u32>,
    /// The picture.
    pub mode: Mode,
    /// What can be decoded, most wanted first.
    pub codecs: Vec<Codec>,
    /// Kbit/s of video with its parity.
    pub bitrate_kbps: u32,
    /// Channels of sound: 2, 6 or 8; 0 for none.
    pub channels: u8,
    /// Most bytes of a media datagram, 1200 to 9000.
    pub payload: u16,
    /// A session to go on with; without, the host decides what goes on.
    pub resume: Option<SessionId>,
    /// Start the application when nothing of this client runs.
    pub launch: bool,
    /// Have the sound played on the host, too.
    pub local_sound: bool,
    /// Offer a microphone.
    pub mic: bool,
    /// How many gamepads there are.
    pub pads: u8,
    /// How long a lost connection is looked for again.
    pub patience: Duration,
    /// Decode the pictures; without, they are only counted.
    pub decode: bool,
    /// Throw away so many of 100 media datagrams that arrive.
    pub drop_percent: f64,
    /// Which ones: the same seed loses the same ones.
    pub seed: u64,
    /// So many pictures are remembered one by one at least, for quantiles and the Test
    /// card's numbers; of twice as many the older half is forgotten.
    pub history: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            app: None,
            mode: Mode { width: 1280, height: 720, refresh_mhz: 60_000 },
            codecs: vec![Codec::H264],
            bitrate_kbps: 10_000,
            channels: 2,
            payload: 9000,
            resume: None,
            launch: true,
            local_sound: false,
            mic: false,
            pads: 0,
            patience: Duration::from_secs(60),
            decode: true,
            drop_percent: 0.0,
            seed: 1,
            history: 500_000,
        }
    }
}

impl Options {
    /// The application with this number at 720p60.
    pub fn new(app: u32) -> Self {
        Self { app: Some(app), ..Self::default() }
    }

    /// The same with another picture; the rate in whole hertz.
    #[must_use]
    pub fn mode(mut self, width: u32, height: u32, hertz: u32) -> Self {
        self.mode = Mode { width, height, refresh_mhz: hertz.saturating_mul(1000) };
        self
    }

    /// The same with one codec and no other.
    #[must_use]
    pub fn codec(mut self, codec: Codec) -> Self {
        self.codecs = vec![codec];
        self
    }

    pub(super) fn config(&self, host: &Host) -> Config {
        Config {
            app: self.app,
            resume: self.resume,
            mode: self.mode,
            codecs: self.codecs.clone(),
            bitrate_kbps: self.bitrate_kbps,
            channels: self.channels,
            payload: self.payload,
            mic: self.mic,
            pads: self.pads,
            launch: self.launch,
            local_sound: self.local_sound,
            patience: self.patience,
            lose: self.lose(),
            ..Config::new(host.address, Some(host.fingerprint))
        }
    }

    fn lose(&self) -> Option<Lose> {
        let loss = Mutex::new(Loss::new(self.drop_percent, self.seed));
        let strikes = move || loss.lock().unwrap_or_else(PoisonError::into_inner).strikes();
        (self.drop_percent > 0.0).then(|| Lose::new(strikes))
    }
}
