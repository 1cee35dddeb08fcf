//! The entrance: who this client is, and what it asks a host for.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use punktfunk_core::native::keys::Aead;
use punktfunk_core::native::wire::control::{Apps, Hello};
use punktfunk_core::native::wire::{Codec, MAX_NAME, Mode, SessionId, VERSION, cut};
use punktfunk_quic::Identity;

use crate::control;
use crate::discover::{Found, discover};
use crate::error::Error;
use crate::pair::{self, Paired};
use crate::session::Session;

/// A client: an identity and a name.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) identity: Identity,
    pub(crate) name: String,
}

/// A test hook: says of each media datagram of the host, before anything looks at it,
/// whether it is thrown away, as if the network had lost it. Nothing else is lost.
#[derive(Clone)]
pub struct Lose(Arc<dyn Fn() -> bool + Send + Sync>);

impl Lose {
    /// Loses what `decide` says true of. It is called on the receiving thread.
    pub fn new(decide: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(decide))
    }

    pub(crate) fn strikes(&self) -> bool {
        (self.0)()
    }
}

impl fmt::Debug for Lose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lose")
    }
}

/// What a session is asked to be.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the host is: see [`resolve`](Client::resolve).
    pub address: SocketAddr,
    /// The host's identity, as [`Paired`] has it. Without it any host will do, which only
    /// makes sense where trust on first use is wanted.
    pub host: Option<[u8; 32]>,
    /// The application, as numbered in the host's list; `None`: the first.
    pub app: Option<u32>,
    /// A session to go on with, of an earlier life of this client.
    pub resume: Option<SessionId>,
    /// The picture.
    pub mode: Mode,
    /// Codecs that can be decoded, most wanted first.
    pub codecs: Vec<Codec>,
    /// Video with parity, kbit/s, 500 to 4,000,000.
    pub bitrate_kbps: u32,
    /// Channels of sound: 2, 6 or 8; 0 is no sound.
    pub channels: u8,
    /// What media may be sealed with, most wanted first.
    pub aeads: Vec<Aead>,
    /// Most bytes of a media datagram, 1200 to 9000.
    pub payload: u16,
    /// A microphone is offered.
    pub mic: bool,
    /// How many pads there are.
    pub pads: u8,
    /// Launch the application when nothing of this client runs.
    pub launch: bool,
    /// Play the sound on the host as well.
    pub local_sound: bool,
    /// How long a lost connection is looked for again before the session ends.
    pub patience: Duration,
    /// A handshake, and each answer of the host, may take so long.
    pub timeout: Duration,
    /// Media datagrams are lost on purpose, for tests; `None`: none are.
    pub lose: Option<Lose>,
}

impl Config {
    /// 1280×720 at 60 Hz with 20 Mbit/s in H.264 and stereo: what every host can do.
    pub fn new(address: SocketAddr, host: Option<[u8; 32]>) -> Self {
        Self {
            address,
            host,
            app: None,
            resume: None,
            mode: Mode { width: 1280, height: 720, refresh_mhz: 60_000 },
            codecs: vec![Codec::H264],
            bitrate_kbps: 20_000,
            channels: 2,
            aeads: vec![Aead::Aes128Gcm, Aead::ChaCha20Poly1305],
            payload: 9000,
            mic: false,
            pads: 0,
            launch: true,
            local_sound: false,
            patience: Duration::from_secs(60),
            timeout: Duration::from_secs(15),
            lose: None,
        }
    }

    /// The message that asks for it. What the protocol could not carry is refused here
    /// and not by the host.
    pub(crate) fn hello(&self, name: &str) -> Result<Hello, Error> {
        let within = |good: bool, what| if good { Ok(()) } else { Err(Error::Range(what)) };
        within(self.mode.is_valid(), "the mode")?;
        within(!self.codecs.is_empty(), "the list of codecs")?;
        within(!self.aeads.is_empty(), "the list of ciphers")?;
        within((500..=4_000_000).contains(&self.bitrate_kbps), "the bitrate")?;
        within(matches!(self.channels, 0 | 2 | 6 | 8), "the number of channels")?;
        within((1200..=9000).contains(&self.payload), "the size of datagrams")?;
        within(self.pads <= 16, "the number of pads")?;
        Ok(Hello {
            versions: vec![VERSION],
            name: name.to_owned(),
            app: self.app,
            resume: self.resume,
            mode: self.mode,
            codecs: self.codecs.clone(),
            bitrate_kbps: self.bitrate_kbps,
            channels: self.channels,
            aeads: self.aeads.clone(),
            payload: self.payload,
            mic: self.mic,
            pads: self.pads,
            launch: self.launch,
            local_sound: self.local_sound,
        })
    }
}

impl Client {
    /// A client that shows `name` (cut to 64 bytes) to owners of hosts.
    pub fn new(identity: Identity, name: &str) -> Self {
        Self { identity, name: cut(name, MAX_NAME).to_owned() }
    }

    /// Its identity.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Looks for hosts on the local network for as long as `timeout`.
    ///
    /// # Errors
    /// [`Error::Discovery`].
    pub fn discover(timeout: Duration) -> Result<Vec<Found>, Error> {
        discover(timeout)
    }

    /// The address of `host`, a name or a number, with port 9777 where it has none.
    ///
    /// # Errors
    /// [`Error::Input`].
    pub fn resolve(host: &str) -> Result<SocketAddr, Error> {
        let unknown = || Error::Input(format!("there is no host {host:?}"));
        if let Ok(ip) = host.trim_matches(['[', ']']).parse() {
            return Ok(SocketAddr::new(ip, punktfunk_quic::PORT));
        }
        let mut known = match host.to_socket_addrs() {
            Ok(known) => known,
            Err(_) => (host, punktfunk_quic::PORT).to_socket_addrs().map_err(|_| unknown())?,
        };
        known.next().ok_or_else(unknown)
    }

    /// Pairs by the six digits that the host shows. What comes back is to be kept.
    ///
    /// # Errors
    /// [`Error::Input`] for a PIN of another form; [`Error::Refused`];
    /// [`Error::NotProven`]; [`Error::Connect`].
    pub fn pair_pin(&self, address: SocketAddr, pin: &str) -> Result<Paired, Error> {
        pair::by_pin(self, address, pin)
    }

    /// Pairs by the text of the host's QR code, trying each of its addresses.
    ///
    /// # Errors
    /// As [`pair_pin`](Self::pair_pin).
    pub fn pair_secret(&self, qr: &str) -> Result<Paired, Error> {
        pair::by_secret(self, qr)
    }

    /// The applications of a paired host.
    ///
    /// # Errors
    /// [`Error::Refused`] and [`Error::Connect`].
    pub fn apps(&self, address: SocketAddr, host: [u8; 32]) -> Result<Apps, Error> {
        control::apps(self, address, host)
    }

    /// Starts a session, or goes on with one.
    ///
    /// # Errors
    /// [`Error`]: [`Refused`](Error::Refused) with the host's code when it says no.
    pub fn connect(&self, config: &Config) -> Result<Session, Error> {
        Session::start(self, config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_number_or_a_name_with_or_without_port() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1:9777"),
            ("192.0.2.1:9000", "192.0.2.1:9000"),
            ("2001:db8::1", "[2001:db8::1]:9777"),
            ("[2001:db8::1]", "[2001:db8::1]:9777"),
            ("[2001:db8::1]:9000", "[2001:db8::1]:9000"),
        ] {
            assert_eq!(Client::resolve(text).expect(text).to_string(), expected);
        }
        assert!(matches!(Client::resolve("no such host"), Err(Error::Input(_))));
    }

    #[test]
    fn what_cannot_be_said_is_refused_before_anybody_is_asked() {
        let good = Config::new("192.0.2.1:9777".parse().expect("address"), None);
        assert!(good.hello("me").is_ok());
        let bad = |change: fn(&mut Config)| {
            let mut config = good.clone();
            change(&mut config);
            assert!(matches!(config.hello("me"), Err(Error::Range(_))), "{config:?}");
        };
        bad(|config| config.mode.width = 1279);
        bad(|config| config.codecs.clear());
        bad(|config| config.aeads.clear());
        bad(|config| config.bitrate_kbps = 1);
        bad(|config| config.channels = 3);
        bad(|config| config.payload = 100);
        bad(|config| config.pads = 17);
    }
}
