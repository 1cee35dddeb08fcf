//! `/launch`, `/resume` and `/cancel` (sheet, sections 2.7 and 4).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::{Query, Verb};
use crate::bytes::{from_hex, to_hex};
use crate::gamestream::xml::{Document, Error, Writer};

/// A launch argument is missing or makes no sense. Answer with status 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchArgsError {
    /// An argument that must be there is not.
    #[error("the launch request lacks the argument {0}")]
    Missing(&'static str),
    /// An argument cannot be read or is out of bounds.
    #[error("the launch argument {0} is not usable: {1}")]
    Bad(&'static str, &'static str),
}

/// `WxHxFPS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Pixels, 64..=8192.
    pub width: u32,
    /// Pixels, 64..=8192.
    pub height: u32,
    /// Frames a second, 1..=480.
    pub fps: u32,
}

impl Mode {
    /// Reads `WxHxFPS` and checks its bounds.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('x').map(|part| part.parse::<u32>().ok());
        let mut next = || parts.next().flatten();
        let mode = Self { width: next()?, height: next()?, fps: next()? };
        let sizes = 64..=8192;
        let sane =
            sizes.contains(&mode.width) && sizes.contains(&mode.height) && (1..=480).contains(&mode.fps);
        (sane && parts.next().is_none()).then_some(mode)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.width, self.height, self.fps)
    }
}

/// `surroundAudioInfo`: (speaker mask << 16) | channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surround {
    /// Channels: 2, 6 or 8.
    pub channels: u8,
    /// Speaker mask.
    pub mask: u16,
}

impl Surround {
    /// What a client that says nothing gets.
    pub const STEREO: Self = Self { channels: 2, mask: 3 };

    fn parse(text: &str) -> Option<Self> {
        let value: u32 = text.parse().ok()?;
        let channels = u8::try_from(value & 0xFFFF).ok().filter(|c| matches!(c, 2 | 6 | 8))?;
        Some(Self { channels, mask: u16::try_from(value >> 16).ok()? })
    }

    fn value(self) -> u32 {
        u32::from(self.mask) << 16 | u32::from(self.channels)
    }
}

/// The arguments of `/launch` and `/resume`.
#[derive(Clone, PartialEq, Eq)]
pub struct LaunchArgs {
    /// Which application; always there in a launch.
    pub app: Option<u32>,
    /// The picture; always there in a launch.
    pub mode: Option<Mode>,
    /// `rikey`: AES-128 key of the session.
    pub key: [u8; 16],
    /// `rikeyid`: base of the audio IV.
    pub key_id: i32,
    /// `corever`: ≥ 1 means encrypted RTSP and control v2 are understood.
    pub core_version: u32,
    /// `localAudioPlayMode`: also play the sound on the host.
    pub play_locally: bool,
    /// The speakers of the client.
    pub surround: Surround,
    /// `sops`: game settings may be optimised.
    pub optimize_settings: bool,
    /// `hdrMode`: a 10-bit codec is offered.
    pub hdr: bool,
    /// `gcmap` or `remoteControllersBitmap`: attached gamepads.
    pub gamepads: u32,
}

// The key stays out of logs.
impl fmt::Debug for LaunchArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaunchArgs")
            .field("app", &self.app)
            .field("mode", &self.mode)
            .field("core_version", &self.core_version)
            .field("play_locally", &self.play_locally)
            .field("surround", &self.surround)
            .field("hdr", &self.hdr)
            .finish_non_exhaustive()
    }
}

impl LaunchArgs {
    /// Reads the arguments of a [`Verb::Launch`] or [`Verb::Resume`]; a resume may
    /// leave out the application and the mode.
    pub fn parse(verb: Verb, query: &Query) -> Result<Self, LaunchArgsError> {
        use LaunchArgsError::{Bad, Missing};
        let app = match query.value("appid").map(str::parse::<u32>) {
            Some(Ok(app)) => Some(app),
            Some(Err(_)) => return Err(Bad("appid", "it must be a number of the application list")),
            None => None,
        };
        let mode = match query.value("mode").map(Mode::parse) {
            Some(None) => return Err(Bad("mode", "it must be WxHxFPS, 64..8192 pixels and 1..480 frames")),
            mode => mode.flatten(),
        };
        if verb == Verb::Launch {
            app.ok_or(Missing("appid"))?;
            mode.ok_or(Missing("mode"))?;
        }
        let key = from_hex(query.value("rikey").ok_or(Missing("rikey"))?)
            .and_then(|key| <[u8; 16]>::try_from(key).ok())
            .ok_or(Bad("rikey", "it must be 32 hexadecimal digits"))?;
        let key_id = query.value("rikeyid").ok_or(Missing("rikeyid"))?;
        let surround = match query.value("surroundAudioInfo").map(Surround::parse) {
            Some(None) => return Err(Bad("surroundAudioInfo", "2, 6 or 8 channels can be played")),
            Some(Some(surround)) => surround,
            None => Surround::STEREO,
        };
        let number = |name| query.value(name).and_then(|v| v.parse::<u32>().ok()).unwrap_or(0);
        Ok(Self {
            app,
            mode,
            key,
            key_id: parse_key_id(key_id).ok_or(Bad("rikeyid", "it must be a signed 32-bit number"))?,
            core_version: number("corever"),
            play_locally: number("localAudioPlayMode") == 1,
            surround,
            optimize_settings: number("sops") == 1,
            hdr: number("hdrMode") == 1,
            gamepads: number("gcmap") | number("remoteControllersBitmap"),
        })
    }

    /// True when the client understands encrypted RTSP (`corever` ≥ 1).
    pub fn encrypted_rtsp(&self) -> bool {
        self.core_version >= 1
    }

    /// The request target of a client.
    pub fn request_target(&self, verb: Verb, unique_id: &str, uuid: &str) -> String {
        let flag = |on: bool| u8::from(on).to_string();
        let mut arguments = Vec::new();
        arguments.extend(self.app.map(|app| ("appid", app.to_string())));
        arguments.extend(self.mode.map(|mode| ("mode", mode.to_string())));
        arguments.extend([
            ("additionalStates", "1".to_owned()),
            ("sops", flag(self.optimize_settings)),
            ("rikey", to_hex(&self.key)),
            ("rikeyid", self.key_id.to_string()),
            ("localAudioPlayMode", flag(self.play_locally)),
            ("surroundAudioInfo", self.surround.value().to_string()),
            ("remoteControllersBitmap", self.gamepads.to_string()),
            ("gcmap", self.gamepads.to_string()),
        ]);
        if self.hdr {
            arguments.extend([
                ("hdrMode", "1".to_owned()),
                ("clientHdrCapVersion", "0".to_owned()),
                ("clientHdrCapSupportedFlagsInUint32", "0".to_owned()),
                ("clientHdrCapMetaDataId", "NV_STATIC_METADATA_TYPE_1".to_owned()),
                ("clientHdrCapDisplayData", "0x0x0x0x0x0x0x0x0x0x0".to_owned()),
            ]);
        }
        if self.core_version > 0 {
            arguments.push(("corever", self.core_version.to_string()));
        }
        let arguments: Vec<_> = arguments.iter().map(|(name, value)| (*name, value.as_str())).collect();
        super::request_target(verb, unique_id, uuid, &arguments)
    }
}

/// Signed decimal; the same 32 bits written without a sign are taken too.
fn parse_key_id(text: &str) -> Option<i32> {
    text.parse::<i32>().ok().or_else(|| text.parse::<u32>().ok().map(u32::cast_signed))
}

/// `sessionUrl0`: where RTSP is, and by its scheme whether it is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionUrl {
    /// `rtspenc://` instead of `rtsp://`: alone decides over encryption.
    pub encrypted: bool,
    /// The host, as the client reached it, and the TCP port of RTSP.
    pub address: SocketAddr,
}

impl SessionUrl {
    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once("://")?;
        let encrypted = match scheme {
            "rtspenc" => true,
            "rtsp" => false,
            _ => return None,
        };
        let (address, port) = rest.rsplit_once(':')?;
        let address = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
        let address: IpAddr = address.parse().ok()?;
        Some(Self { encrypted, address: SocketAddr::new(address, port.parse().ok()?) })
    }
}

impl fmt::Display for SessionUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.encrypted { "rtspenc" } else { "rtsp" };
        let port = self.address.port();
        match self.address.ip().to_canonical() {
            IpAddr::V4(ip) => write!(f, "{scheme}://{ip}:{port}"),
            IpAddr::V6(ip) => write!(f, "{scheme}://[{ip}]:{port}"),
        }
    }
}

/// The good answer to a launch or a resume.
pub fn launch_answer(verb: Verb, url: SessionUrl) -> String {
    let mut writer = Writer::new();
    writer.element("sessionUrl0", url);
    writer.element(if verb == Verb::Resume { "resume" } else { "gamesession" }, 1);
    writer.finish()
}

/// Reads the answer to a launch or a resume: where RTSP is.
pub fn parse_launch(verb: Verb, text: &str) -> Result<SessionUrl, Error> {
    let document = Document::parse_ok(text)?;
    let name = if verb == Verb::Resume { "resume" } else { "gamesession" };
    if document.required(name)?.trim() == "0" {
        return Err(Error::Missing(name));
    }
    SessionUrl::parse(document.required("sessionUrl0")?).ok_or(Error::Missing("sessionUrl0"))
}

/// The answer to a cancel.
pub fn cancel_answer(ended: bool) -> String {
    let mut writer = Writer::new();
    writer.element("cancel", u8::from(ended));
    writer.finish()
}

/// Reads the answer to a cancel: true when the application ended.
pub fn parse_cancel(text: &str) -> Result<bool, Error> {
    Ok(Document::parse_ok(text)?.required("cancel")?.trim() != "0")
}
