//! Sound: the monitor of a seat's sink, or a synthetic tone, becomes Opus packets
//! at a constant pace.
//!
//! | source | file | what it is |
//! |---|---|---|
//! | PipeWire | `pipewire.rs` | the monitor of the seat's private sink |
//! | monitor | `pipewire.rs` | the monitor of the user's default sink, whichever that is |
//! | synthetic | `synthetic.rs` | a sine on each channel, for tests and measurements |
//! | null | `null.rs` | silence, for a seat without a sound server |
//!
//! Channels lie interleaved everywhere, in the order of the clients: FL FR C LFE BL BR
//! SL SR. On request `local.rs` plays the same samples on a sound server of the user.
//! The other way, `microphone.rs` makes a client's microphone a source of the seat.
//!
//! [`Stage`] owns the thread `punktfunk-audio`. Packets leave it exactly every
//! `packet_ms` on average, also while nothing plays: clients expect an unbroken
//! sequence (sheet, section 12).

mod local;
mod microphone;
mod null;
pub mod opus;
mod pipewire;
mod stage;
mod synthetic;

use std::path::PathBuf;

pub use microphone::Microphone;
pub use stage::Stage;

/// The sink of every seat, as `punktfunk-seat` names it.
pub const SEAT_SINK: &str = "punktfunk";
/// The source that a client's microphone is on its seat (`node.name`).
pub const MICROPHONE: &str = "punktfunk-mic";
/// Samples a second of everything here.
pub const SAMPLE_RATE: u32 = 48_000;
/// The most interleaved channels.
pub const MAX_CHANNELS: usize = 8;

/// Where the sound comes from.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Source {
    /// The monitor of the sink `sink` of the PipeWire server at `remote`.
    PipeWire {
        /// The server's socket.
        remote: PathBuf,
        /// The sink's `node.name`.
        sink: String,
    },
    /// The monitor of the default sink of the PipeWire server at `remote`, also when another
    /// becomes the default. Nothing there is changed.
    Monitor {
        /// The server's socket.
        remote: PathBuf,
    },
    /// A sine on each channel, at −20 dBFS.
    Synthetic {
        /// Hertz.
        frequencies: [f32; MAX_CHANNELS],
    },
    /// Silence.
    Null,
}

/// What to send.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where the sound comes from.
    pub source: Source,
    /// 2, 6 or 8.
    pub channels: u8,
    /// The layout of high quality.
    pub high_quality: bool,
    /// Microseconds of sound in a packet: 2,500, 5,000 or 10,000. Anything else means
    /// the nearest of them.
    pub packet_us: u32,
    /// Socket of another PipeWire server, on whose default sink the sound of a
    /// PipeWire source is heard too.
    pub local: Option<PathBuf>,
}

impl Config {
    /// Samples of each channel in a packet.
    pub const fn packet_samples(&self) -> usize {
        match self.packet_us {
            ..3_750 => 120,
            3_750..7_500 => 240,
            _ => 480,
        }
    }

    /// Bits of Opus a second (sheet, section 12.1).
    pub const fn bitrate(&self) -> u32 {
        match (self.channels, self.high_quality) {
            (6, false) => 256_000,
            (6, true) => 1_536_000,
            (8, false) => 450_000,
            (8, true) => 2_048_000,
            (_, false) => 96_000,
            (_, true) => 512_000,
        }
    }
}

/// Why there is no sound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AudioError {
    /// No layout has so many channels.
    #[error("{0} channels cannot be sent: 2, 6 and 8 can")]
    Channels(u8),
    /// The Opus library refused.
    #[error("Opus failed")]
    Opus(#[from] opus2::Error),
    /// The PipeWire server could not be used.
    #[error("the sound server of the seat cannot be recorded")]
    PipeWire(#[from] ::pipewire::Error),
    /// The user's own server could not be reached.
    #[error("the sound server of this machine's user does not answer")]
    Local(#[source] std::io::Error),
    /// A thread could not be started.
    #[error("the sound thread could not be started")]
    Thread(#[from] std::io::Error),
    /// A description that PipeWire should understand could not be built.
    #[error("the sound format could not be described")]
    Format,
}
