//! The sound of one stream: capture and Opus from `audio`, packets out through `send`.
//! A stream without sound is better than no stream, so nothing here fails.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::SessionId;
use super::config;
use super::link::Link;
use super::messages::OnPanic;
use crate::audio;

/// Where the sound comes from and where it is heard.
pub(super) struct Wanted {
    /// The seat's sound, or the user's.
    pub source: audio::Source,
    /// Also on this machine.
    pub play_locally: bool,
}

pub(super) struct Sound {
    bitrate: u32,
    packets: Arc<AtomicU64>,
    // Held for its drop, which ends the thread.
    _stage: Option<audio::Stage>,
}

impl Sound {
    /// Starts the audio thread; `guard` belongs to it.
    pub fn start(id: SessionId, config: config::Sound, wanted: Wanted, link: &Link, guard: OnPanic) -> Self {
        let packets = Arc::new(AtomicU64::new(0));
        if config.channels == 0 {
            return Self { bitrate: 0, packets, _stage: None };
        }
        // What is heard on this machine anyway would only come back to where it is from.
        let is_heard = matches!(wanted.source, audio::Source::Monitor { .. });
        let local = (wanted.play_locally && !is_heard).then(user_server).flatten();
        let stage = audio::Config { local, ..config.stage(wanted.source) };
        let bitrate = stage.bitrate();
        let mut sender = match link.sound(id) {
            Ok(sender) => sender,
            Err(error) => {
                tracing::error!(error, "no sound");
                return Self { bitrate, packets, _stage: None };
            }
        };
        let counter = Arc::clone(&packets);
        let sink = move |opus: &[u8]| {
            // It belongs to the thread.
            let _guard = &guard;
            match sender.send(opus) {
                Ok(()) => drop(counter.fetch_add(1, Ordering::Relaxed)),
                Err(error) => tracing::warn!(%error, "a packet of sound was not made"),
            }
        };
        let stage = audio::Stage::spawn(stage, sink);
        let stage = stage.inspect_err(|error| tracing::error!(%error, "no sound")).ok();
        Self { bitrate, packets, _stage: stage }
    }

    /// Bits a second of Opus.
    pub fn bitrate(&self) -> u64 {
        u64::from(self.bitrate)
    }

    /// How many Opus packets were sent, for the statistics.
    pub fn packets(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.packets)
    }
}

/// The PipeWire socket of the user whom this host runs as, for sound on this machine.
fn user_server() -> Option<PathBuf> {
    let directory = ["PIPEWIRE_RUNTIME_DIR", "XDG_RUNTIME_DIR"].into_iter().find_map(std::env::var_os);
    if directory.is_none() {
        tracing::warn!("no sound on this machine: the host has no XDG_RUNTIME_DIR to find a server in");
    }
    directory.map(|directory| PathBuf::from(directory).join("pipewire-0"))
}
