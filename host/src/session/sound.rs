//! The sound of one stream: capture and Opus from `audio`, packets to the audio
//! port. A stream without sound is better than no stream, so nothing here fails.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;

use punktfunk_core::gamestream::audio::{Config, Packetizer};

use super::messages::{Ended, OnPanic, Wanted};
use crate::audio;
use crate::send::{MediaPorts, send_audio};

pub(super) struct Sound {
    bitrate: u32,
    packets: Arc<AtomicU64>,
    // Held for its drop, which ends the thread.
    _stage: Option<audio::Stage>,
}

impl Sound {
    /// Starts the audio thread on the seat's sound server.
    pub fn start(
        wanted: &Wanted,
        ports: &MediaPorts,
        remote: Option<PathBuf>,
        ended: &Sender<Ended>,
    ) -> Self {
        let config = &wanted.config;
        let local = wanted.request.play_locally.then(user_server).flatten();
        let source = remote.map_or(audio::Source::Null, |remote| audio::Source::PipeWire {
            remote,
            sink: audio::SEAT_SINK.into(),
        });
        let stage = audio::Config {
            source,
            channels: config.audio_channels,
            high_quality: config.audio_high_quality,
            packet_us: config.audio_packet_ms * 1_000,
            local,
        };
        let bitrate = stage.bitrate();
        let packets = Arc::new(AtomicU64::new(0));
        let key = config.encrypt_audio.then_some((wanted.request.key, wanted.request.key_id));
        let mut packetizer = match Packetizer::new(Config { packet_ms: config.audio_packet_ms, key }) {
            Ok(packetizer) => packetizer,
            Err(error) => {
                tracing::error!(%error, "no sound");
                return Self { bitrate, packets, _stage: None };
            }
        };
        let (socket, route, counter) = (ports.audio(), wanted.route.clone(), Arc::clone(&packets));
        let why = "the thread of the sound panicked; standard error says why".to_owned();
        let guard = OnPanic::tell(ended, Ended::Stream { id: wanted.id, why });
        let sink = move |opus: &[u8]| {
            // It belongs to the thread.
            let _guard = &guard;
            let packetized = packetizer.packetize(opus, &mut |datagram: &[u8]| {
                if let Err(error) = send_audio(&socket, &route, datagram) {
                    tracing::debug!(%error, "a packet of sound was not sent");
                }
            });
            match packetized {
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
