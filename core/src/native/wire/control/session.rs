//! Messages that begin, change and end a session (page, sections 2.1 and 2.2).

use super::Body;
use crate::native::keys::Aead;
use crate::native::wire::fields::{Fields, Writer, required};
use crate::native::wire::{Access, Code, Codec, Error, MAX_NAME, MediaId, Mode, SessionId};

/// Bounds of the bitrate, kbit/s.
const BITRATE: (u64, u64) = (500, 4_000_000);
/// Bounds of a media datagram, bytes.
const PAYLOAD: (u64, u64) = (1200, 9000);
/// Most bytes of a text for people.
const MAX_TEXT: usize = 800;

/// What the client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Versions of the protocol that it speaks.
    pub versions: Vec<u32>,
    /// What it calls itself, at most 64 bytes.
    pub name: String,
    /// The application, as numbered in [`Apps`]; `None`: the first.
    pub app: Option<u32>,
    /// The session to go on with.
    pub resume: Option<SessionId>,
    /// The picture.
    pub mode: Mode,
    /// Codecs that it decodes, most wanted first.
    pub codecs: Vec<Codec>,
    /// Bitrate of the video with its parity, kbit/s, 500 to 4,000,000.
    pub bitrate_kbps: u32,
    /// Channels of sound: 2, 6 or 8; 0 is no sound.
    pub channels: u8,
    /// What it can open media with, most wanted first.
    pub aeads: Vec<Aead>,
    /// Most bytes of a media datagram that it can receive, 1200 to 9000.
    pub payload: u16,
    /// It has a microphone to offer.
    pub mic: bool,
    /// How many pads it has.
    pub pads: u8,
    /// Launch the application when nothing of this client runs.
    pub launch: bool,
    /// Play the sound on the host, too.
    pub local_sound: bool,
}

impl Body for Hello {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let versions = fields.list(1, |version| u32::try_from(version).ok())?;
        if versions.is_empty() {
            return Err(Error::Missing { tag: 1 });
        }
        Ok(Self {
            versions,
            name: required(2, fields.text(2, MAX_NAME)?)?.to_owned(),
            app: fields.any(3)?,
            resume: fields.array(4)?.map(SessionId),
            mode: mode(fields)?,
            codecs: fields.list(8, Codec::from_number)?,
            bitrate_kbps: required(9, bitrate(fields)?)?,
            channels: channels(fields)?,
            aeads: fields.list(11, Aead::from_number)?,
            payload: payload(fields)?,
            mic: fields.flag(13)?.unwrap_or(false),
            pads: fields.number(14, 0, 16)?.unwrap_or(0),
            launch: fields.flag(15)?.unwrap_or(true),
            local_sound: fields.flag(16)?.unwrap_or(false),
        })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        fields.list(1, self.versions.iter().copied()).name(2, &self.name, MAX_NAME).optional(3, self.app);
        if let Some(SessionId(id)) = &self.resume {
            fields.bytes(4, id);
        }
        write_mode(fields, &self.mode);
        fields
            .list(8, self.codecs.iter().map(|codec| codec.number()))
            .number(9, self.bitrate_kbps)
            .number(10, self.channels)
            .list(11, self.aeads.iter().map(|aead| aead.number()))
            .number(12, self.payload)
            .number(13, self.mic)
            .number(14, self.pads)
            .number(15, self.launch)
            .number(16, self.local_sound);
    }
}

/// How the sound is coded: Opus, 48 kHz, one multistream packet a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundLayout {
    /// Channels: 2, 6 or 8.
    pub channels: u8,
    /// Opus streams in a packet.
    pub streams: u8,
    /// How many of them are coupled.
    pub coupled: u8,
    /// For each channel which decoded one it is (RFC 7845, section 5.1.1).
    pub mapping: Vec<u8>,
    /// Microseconds of sound in a packet: 2,500 to 60,000.
    pub frame_us: u32,
}

impl SoundLayout {
    fn parse(channels: u8, fields: &mut Fields<'_>) -> Result<Self, Error> {
        let streams: u8 = required(19, fields.number(19, 1, 8)?)?;
        let coupled: u8 = required(20, fields.number(20, 0, streams.into())?)?;
        let mapping = required(21, fields.bytes(21)?)?;
        let decoded = streams.saturating_add(coupled);
        let fits = |&channel: &u8| channel < decoded || channel == u8::MAX;
        if mapping.len() != usize::from(channels) || !mapping.iter().all(fits) {
            return Err(Error::Value { tag: 21 });
        }
        let frame_us = required(22, fields.number(22, 2500, 60_000)?)?;
        Ok(Self { channels, streams, coupled, mapping: mapping.to_vec(), frame_us })
    }
}

/// What the client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The version that both speak from now on.
    pub version: u32,
    /// Names the session, to resume it.
    pub session: SessionId,
    /// Names its media datagrams.
    pub media: MediaId,
    /// The epoch that it starts with.
    pub epoch: u8,
    /// The picture.
    pub mode: Mode,
    /// The codec.
    pub codec: Codec,
    /// Bitrate of the video with its parity, kbit/s.
    pub bitrate_kbps: u32,
    /// How the sound is coded; `None`: there is none.
    pub sound: Option<SoundLayout>,
    /// What seals media.
    pub aead: Aead,
    /// Bytes of a media datagram at the start.
    pub payload: u16,
    /// What the client may do.
    pub access: Access,
    /// The microphone is taken.
    pub mic: bool,
    /// How many pads are taken.
    pub pads: u8,
    /// The application.
    pub app: u32,
    /// It is one that ran before.
    pub resumed: bool,
    /// What the host calls itself.
    pub name: String,
}

impl Body for Welcome {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let version = required(1, fields.any(1)?)?;
        let session = SessionId(required(2, fields.array(2)?)?);
        let media = MediaId(required(3, fields.array(3)?)?);
        let epoch = required(4, fields.any(4)?)?;
        let mode = mode(fields)?;
        let codec = required(8, codec(fields)?)?;
        let bitrate_kbps = required(9, bitrate(fields)?)?;
        let channels = channels(fields)?;
        let aead = required(11, fields.any(11)?)?;
        Ok(Self {
            version,
            session,
            media,
            epoch,
            mode,
            codec,
            bitrate_kbps,
            aead: Aead::from_number(aead).ok_or(Error::Value { tag: 11 })?,
            payload: payload(fields)?,
            access: Access(required(13, fields.any(13)?)?),
            mic: fields.flag(14)?.unwrap_or(false),
            pads: fields.number(15, 0, 16)?.unwrap_or(0),
            app: required(16, fields.any(16)?)?,
            resumed: fields.flag(17)?.unwrap_or(false),
            name: fields.text(18, MAX_NAME)?.unwrap_or_default().to_owned(),
            sound: if channels == 0 { None } else { Some(SoundLayout::parse(channels, fields)?) },
        })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        fields
            .number(1, self.version)
            .bytes(2, &self.session.0)
            .bytes(3, &self.media.0)
            .number(4, self.epoch);
        write_mode(fields, &self.mode);
        fields
            .number(8, self.codec.number())
            .number(9, self.bitrate_kbps)
            .number(10, self.sound.as_ref().map_or(0, |sound| sound.channels))
            .number(11, self.aead.number())
            .number(12, self.payload)
            .number(13, self.access.0)
            .number(14, self.mic)
            .number(15, self.pads)
            .number(16, self.app)
            .number(17, self.resumed)
            .name(18, &self.name, MAX_NAME);
        if let Some(sound) = &self.sound {
            fields
                .number(19, sound.streams)
                .number(20, sound.coupled)
                .bytes(21, &sound.mapping)
                .number(22, sound.frame_us);
        }
    }
}

/// The client can take media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The epoch of [`Welcome`].
    pub epoch: u8,
}

impl Body for Start {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self { epoch: required(1, fields.any(1)?)? })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        fields.number(1, self.epoch);
    }
}

/// No, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub code: Code,
    /// What to do, for people; at most 800 bytes.
    pub text: String,
    /// With [`Code::Version`]: the versions that the host speaks.
    pub versions: Vec<u32>,
}

impl Body for Refused {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let (code, text) = parse_reason(fields)?;
        Ok(Self { code, text, versions: fields.list(3, |version| u32::try_from(version).ok())? })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        write_reason(fields, self.code, &self.text);
        fields.list(3, self.versions.iter().copied());
    }
}

/// This side ends the session, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Goodbye {
    /// Why.
    pub code: Code,
    /// What to do, for people; at most 800 bytes.
    pub text: String,
}

impl Body for Goodbye {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let (code, text) = parse_reason(fields)?;
        Ok(Self { code, text })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        write_reason(fields, self.code, &self.text);
    }
}

/// Another picture, please; what is absent stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconfigure {
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// Thousandths of a hertz.
    pub refresh_mhz: Option<u32>,
    /// The codec.
    pub codec: Option<Codec>,
    /// Bitrate of the video with its parity, kbit/s.
    pub bitrate_kbps: Option<u32>,
}

impl Reconfigure {
    /// The mode that is asked for by a client that has `mode`.
    pub fn mode(&self, mode: Mode) -> Mode {
        Mode {
            width: self.width.unwrap_or(mode.width),
            height: self.height.unwrap_or(mode.height),
            refresh_mhz: self.refresh_mhz.unwrap_or(mode.refresh_mhz),
        }
    }
}

impl Body for Reconfigure {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            width: pixels(fields, 5)?,
            height: pixels(fields, 6)?,
            refresh_mhz: refresh(fields)?,
            codec: codec(fields)?,
            bitrate_kbps: bitrate(fields)?,
        })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        fields
            .optional(5, self.width)
            .optional(6, self.height)
            .optional(7, self.refresh_mhz)
            .optional(8, self.codec.map(Codec::number))
            .optional(9, self.bitrate_kbps);
    }
}

/// The picture from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconfigured {
    /// The epoch whose frames are so.
    pub epoch: u8,
    /// The picture.
    pub mode: Mode,
    /// The codec.
    pub codec: Codec,
    /// Bitrate of the video with its parity, kbit/s.
    pub bitrate_kbps: u32,
    /// Why it is not what was asked for; empty when it is. At most 800 bytes.
    pub text: String,
}

impl Body for Reconfigured {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            epoch: required(1, fields.any(1)?)?,
            mode: mode(fields)?,
            codec: required(8, codec(fields)?)?,
            bitrate_kbps: required(9, bitrate(fields)?)?,
            text: fields.text(10, MAX_TEXT)?.unwrap_or_default().to_owned(),
        })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        fields.number(1, self.epoch);
        write_mode(fields, &self.mode);
        fields.number(8, self.codec.number()).number(9, self.bitrate_kbps);
        if !self.text.is_empty() {
            fields.name(10, &self.text, MAX_TEXT);
        }
    }
}

/// One application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppEntry {
    /// Its number.
    pub id: u32,
    /// What it is called, at most 64 bytes.
    pub title: String,
}

/// The applications that the client may launch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Apps {
    /// In the owner's order; at most 512.
    pub apps: Vec<AppEntry>,
    /// The one that this client may resume.
    pub running: Option<u32>,
}

impl Apps {
    /// Most entries.
    pub const MOST: usize = 512;
}

impl Body for Apps {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let mut apps = Vec::new();
        while let Some(entry) = fields.entry(1)? {
            if apps.len() == Self::MOST {
                return Err(Error::Value { tag: 1 });
            }
            let mut entry = Fields::new(entry);
            apps.push(AppEntry {
                id: required(1, entry.any(1)?)?,
                title: required(2, entry.text(2, MAX_NAME)?)?.to_owned(),
            });
            entry.finish()?;
        }
        Ok(Self { apps, running: fields.any(2)? })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        for app in self.apps.iter().take(Self::MOST) {
            fields.nested(1, |entry| {
                entry.number(1, app.id).name(2, &app.title, MAX_NAME);
            });
        }
        fields.optional(2, self.running);
    }
}

fn pixels(fields: &mut Fields<'_>, tag: u64) -> Result<Option<u32>, Error> {
    match fields.number::<u32>(tag, Mode::LEAST.into(), Mode::MOST.into())? {
        Some(odd) if !odd.is_multiple_of(2) => Err(Error::Value { tag }),
        pixels => Ok(pixels),
    }
}

fn refresh(fields: &mut Fields<'_>) -> Result<Option<u32>, Error> {
    fields.number(7, 1000, 1_000_000)
}

fn mode(fields: &mut Fields<'_>) -> Result<Mode, Error> {
    Ok(Mode {
        width: required(5, pixels(fields, 5)?)?,
        height: required(6, pixels(fields, 6)?)?,
        refresh_mhz: required(7, refresh(fields)?)?,
    })
}

fn write_mode(fields: &mut Writer<'_>, mode: &Mode) {
    fields.number(5, mode.width).number(6, mode.height).number(7, mode.refresh_mhz);
}

fn codec(fields: &mut Fields<'_>) -> Result<Option<Codec>, Error> {
    match fields.any::<u64>(8)? {
        Some(number) => Codec::from_number(number).map(Some).ok_or(Error::Value { tag: 8 }),
        None => Ok(None),
    }
}

fn bitrate(fields: &mut Fields<'_>) -> Result<Option<u32>, Error> {
    fields.number(9, BITRATE.0, BITRATE.1)
}

fn channels(fields: &mut Fields<'_>) -> Result<u8, Error> {
    match required(10, fields.any(10)?)? {
        channels @ (0 | 2 | 6 | 8) => Ok(channels),
        _ => Err(Error::Value { tag: 10 }),
    }
}

fn payload(fields: &mut Fields<'_>) -> Result<u16, Error> {
    required(12, fields.number(12, PAYLOAD.0, PAYLOAD.1)?)
}

fn parse_reason(fields: &mut Fields<'_>) -> Result<(Code, String), Error> {
    let code = Code::from_number(required(1, fields.any(1)?)?);
    Ok((code, fields.text(2, MAX_TEXT)?.unwrap_or_default().to_owned()))
}

fn write_reason(fields: &mut Writer<'_>, code: Code, text: &str) {
    fields.number(1, code.number());
    if !text.is_empty() {
        fields.name(2, text, MAX_TEXT);
    }
}
