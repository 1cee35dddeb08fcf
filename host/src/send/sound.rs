//! The sound of one stream on its way out: one Opus packet in, a datagram or several
//! out. It belongs to the thread of the sound.

use std::sync::Arc;

use punktfunk_core::gamestream::audio::{Config, Error, Packetizer};
use punktfunk_core::native::wire::Datagram;
use punktfunk_core::native::wire::datagram::{self, Packets};
use punktfunk_net::{Datagrams, Transport as _, UdpTransport, monotonic_nanos};

use super::{MediaPorts, Native, StreamRoute};

/// Hands a datagram to a client's QUIC connection.
pub type Say = Box<dyn FnMut(&[u8]) + Send>;

/// Sends the sound of one stream.
pub enum Sound {
    /// RTP to a client of GameStream.
    GameStream(Box<RtpSound>),
    /// QUIC datagrams to a native client.
    Native(NativeSound),
}

impl Sound {
    /// Sends one Opus packet, now. Sound that nobody listens to yet is thrown away.
    ///
    /// # Errors
    /// When no packet could be made; one that is not sent is a lost one.
    pub fn send(&mut self, opus: &[u8]) -> Result<(), Error> {
        match self {
            Self::GameStream(sound) => sound.send(opus),
            Self::Native(sound) => {
                sound.send(opus);
                Ok(())
            }
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

/// Sound datagrams (punktfunk-1, section 3) with the packet before while datagrams get
/// lost.
pub struct NativeSound {
    native: Arc<Native>,
    say: Say,
    sequence: u32,
    previous: Vec<u8>,
    datagram: Vec<u8>,
}

impl NativeSound {
    /// `say` hands a datagram to the client's QUIC connection.
    pub fn new(native: Arc<Native>, say: Say) -> Self {
        Self { native, say, sequence: 0, previous: Vec::new(), datagram: Vec::new() }
    }

    fn send(&mut self, opus: &[u8]) {
        // Counted also while nobody listens: that is no loss.
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        if self.native.is_open() {
            let both = [opus, &self.previous];
            let twice = self.native.is_lossy() && !self.previous.is_empty();
            let packets = if twice { &both[..] } else { &both[..1] };
            if let Some(packets) = Packets::new(packets) {
                let sound = datagram::Sound { seq: sequence, timestamp: monotonic_nanos() / 1000, packets };
                self.datagram.clear();
                Datagram::Sound(sound).encode(&mut self.datagram);
                (self.say)(&self.datagram);
            }
        }
        self.previous.clear();
        self.previous.extend_from_slice(opus);
    }
}
