//! The sound of one stream on its way out: one Opus packet in, a datagram or several
//! out. It belongs to the thread of the sound.

use std::sync::Arc;

use punktfunk_core::gamestream::audio::{Config, Error, Packetizer};
use punktfunk_net::{Datagrams, Transport as _, UdpTransport};

use super::{MediaPorts, StreamRoute};

/// Sends the sound of one stream.
pub enum Sound {
    /// RTP to a client of GameStream.
    GameStream(RtpSound),
}

impl Sound {
    /// Sends one Opus packet, now. Sound that nobody listens to yet is thrown away.
    ///
    /// # Errors
    /// When no packet could be made; one that is not sent is a lost one.
    pub fn send(&mut self, opus: &[u8]) -> Result<(), Error> {
        match self {
            Self::GameStream(sound) => sound.send(opus),
        }
    }
}

/// RTP with parity, from the audio port.
pub struct RtpSound {
    packetizer: Packetizer,
    socket: Arc<UdpTransport>,
    route: StreamRoute,
}

impl RtpSound {
    /// Sound along `route`.
    ///
    /// # Errors
    /// When the key is refused.
    pub fn new(config: Config, ports: &MediaPorts, route: &StreamRoute) -> Result<Self, Error> {
        Ok(Self { packetizer: Packetizer::new(config)?, socket: ports.audio(), route: route.clone() })
    }

    fn send(&mut self, opus: &[u8]) -> Result<(), Error> {
        let Self { packetizer, socket, route } = self;
        packetizer.packetize(opus, &mut |datagram: &[u8]| {
            let Some(to) = route.audio.current() else { return };
            if let Err(error) = socket.send(Datagrams::one(datagram), to) {
                tracing::debug!(%error, "a packet of sound was not sent");
            }
        })
    }
}
