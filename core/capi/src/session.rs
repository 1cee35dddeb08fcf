//! Sessions: begun, changed, ended.

use std::ffi::c_char;
use std::time::Duration;

use punktfunk_client::messages::{Reconfigure, Welcome};
use punktfunk_client::{Client, Codec, Config, Mode, SessionId, Stats};

use crate::abi::{self, Out, Place, flag, plain, small};
use crate::error::{Failure, PUNKTFUNK_VALUE, guard};
use crate::handle::{self, PunktfunkClient, PunktfunkSession};
use crate::hosts::PUNKTFUNK_NAME_SIZE;

/// Bytes of the name of a session.
pub const PUNKTFUNK_SESSION_ID_SIZE: usize = 16;
/// Codecs that can be asked for at once.
pub const PUNKTFUNK_MAX_CODECS: usize = 8;
/// No application is named: the first will do.
pub const PUNKTFUNK_NO_APP: u32 = 0xffff_ffff;

/// Codec: H.264, 8 bits, 4:2:0.
pub const PUNKTFUNK_CODEC_H264: u32 = 1;
/// Codec: HEVC, 8 bits, 4:2:0.
pub const PUNKTFUNK_CODEC_HEVC: u32 = 2;
/// Codec: AV1, 8 bits, 4:2:0.
pub const PUNKTFUNK_CODEC_AV1: u32 = 3;
/// Codec: HEVC, 10 bits, 4:2:0.
pub const PUNKTFUNK_CODEC_HEVC_10: u32 = 18;
/// Codec: AV1, 10 bits, 4:2:0.
pub const PUNKTFUNK_CODEC_AV1_10: u32 = 19;
/// Added to a codec: 10 bits.
pub const PUNKTFUNK_CODEC_TEN_BITS: u32 = 16;
/// Added to a codec: 4:4:4.
pub const PUNKTFUNK_CODEC_FULL_CHROMA: u32 = 32;

/// What a session is asked to be: see `punktfunk_config_init`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PunktfunkConfig {
    /// `sizeof(PunktfunkConfig)`.
    pub struct_size: u32,
    /// The application, as numbered in the host's list. Default: `PUNKTFUNK_NO_APP`.
    pub app: u32,
    /// Where the host is: a name or a number, with port 9777 where it has none. UTF-8 with
    /// a NUL. There is no default.
    pub address: *const c_char,
    /// The host's identity, `PUNKTFUNK_IDENTITY_SIZE` bytes, as `PunktfunkPaired` has it.
    /// NULL, the default, takes any host: only for trust on first use.
    pub host: *const u8,
    /// A session to go on with, of an earlier life of this client:
    /// `PUNKTFUNK_SESSION_ID_SIZE` bytes, as `PunktfunkWelcome` has it. Default: NULL.
    pub resume: *const u8,
    /// Codecs that can be decoded, most wanted first, ended by a 0 where there are fewer.
    /// Default: H.264.
    pub codecs: [u32; PUNKTFUNK_MAX_CODECS],
    /// Pixels, even, 64 to 16,384. Default: 1280.
    pub width: u32,
    /// Pixels, even, 64 to 16,384. Default: 720.
    pub height: u32,
    /// Thousandths of a hertz, 1,000 to 1,000,000. Default: 60,000.
    pub refresh_mhz: u32,
    /// Video with parity, kbit/s, 500 to 4,000,000. Default: 20,000.
    pub bitrate_kbps: u32,
    /// Channels of sound: 2, 6 or 8; 0 is no sound. Default: 2.
    pub channels: u32,
    /// Most bytes of a media datagram, 1200 to 9000. Default: 9000.
    pub payload: u32,
    /// 1 when a microphone is offered. Default: 0.
    pub mic: u32,
    /// How many pads there are, at most 16. Default: 0.
    pub pads: u32,
    /// 1 to launch the application when nothing of this client runs. Default: 1.
    pub launch: u32,
    /// 1 to play the sound on the host as well. Default: 0.
    pub local_sound: u32,
    /// Milliseconds for which a lost connection is looked for again. Default: 60,000.
    pub patience_ms: u32,
    /// Milliseconds that the handshake, and each answer of the host, may take. Default:
    /// 15,000.
    pub timeout_ms: u32,
}
plain!(
    PunktfunkConfig {
        struct_size,
        app,
        address,
        host,
        resume,
        codecs,
        width,
        height,
        refresh_mhz,
        bitrate_kbps,
        channels,
        payload,
        mic,
        pads,
        launch,
        local_sound,
        patience_ms,
        timeout_ms,
    } = defaults()
);

/// What was agreed on.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PunktfunkWelcome {
    /// `sizeof(PunktfunkWelcome)`.
    pub struct_size: u32,
    /// The version of the protocol.
    pub version: u32,
    /// Names the session, to resume it in another life of this client.
    pub session: [u8; PUNKTFUNK_SESSION_ID_SIZE],
    /// The epoch that frames begin with, or now have.
    pub epoch: u32,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Thousandths of a hertz.
    pub refresh_mhz: u32,
    /// `PUNKTFUNK_CODEC_...`.
    pub codec: u32,
    /// Video with parity, kbit/s.
    pub bitrate_kbps: u32,
    /// What this client may do: `PUNKTFUNK_ACCESS_...` bits.
    pub access: u32,
    /// 1 when the microphone is taken.
    pub mic: u32,
    /// How many pads are taken.
    pub pads: u32,
    /// The number of the application.
    pub app: u32,
    /// 1 when the application ran before.
    pub resumed: u32,
    /// Channels of sound: 2, 6 or 8; 0 is no sound.
    pub channels: u32,
    /// Opus streams in a packet of sound.
    pub streams: u32,
    /// How many of them are coupled.
    pub coupled: u32,
    /// Microseconds of sound in a packet.
    pub sound_us: u32,
    /// For each channel which decoded one it is (RFC 7845, section 5.1.1).
    pub mapping: [u8; 8],
    /// What the host calls itself: UTF-8 with a NUL.
    pub name: [c_char; PUNKTFUNK_NAME_SIZE],
}
plain!(PunktfunkWelcome {
    struct_size,
    version,
    session,
    epoch,
    width,
    height,
    refresh_mhz,
    codec,
    bitrate_kbps,
    access,
    mic,
    pads,
    app,
    resumed,
    channels,
    streams,
    coupled,
    sound_us,
    mapping,
    name,
});

/// Another picture; what is 0 stays as it is.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PunktfunkReconfigure {
    /// `sizeof(PunktfunkReconfigure)`.
    pub struct_size: u32,
    /// Pixels, even, 64 to 16,384.
    pub width: u32,
    /// Pixels, even, 64 to 16,384.
    pub height: u32,
    /// Thousandths of a hertz, 1,000 to 1,000,000.
    pub refresh_mhz: u32,
    /// `PUNKTFUNK_CODEC_...`.
    pub codec: u32,
    /// Video with parity, kbit/s, 500 to 4,000,000.
    pub bitrate_kbps: u32,
}
plain!(PunktfunkReconfigure { struct_size, width, height, refresh_mhz, codec, bitrate_kbps });

/// Figures of a session. Those of media begin anew with each connection.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PunktfunkStats {
    /// `sizeof(PunktfunkStats)`.
    pub struct_size: u32,
    /// 1 when `clock_offset_us` is known.
    pub clock_known: u32,
    /// How far the host's clock is ahead, microseconds.
    pub clock_offset_us: i64,
    /// The shortest round trip of media of late, microseconds; 0: not known.
    pub round_trip_us: u64,
    /// The round trip as QUIC sees it, microseconds; 0: not known.
    pub quic_round_trip_us: u64,
    /// Whole frames.
    pub frames: u64,
    /// Frames given up.
    pub frames_lost: u64,
    /// Frames that came and could not be decoded without others.
    pub frames_undecodable: u64,
    /// Frames dropped because nobody took them.
    pub frames_dropped: u64,
    /// Other events dropped for the same reason.
    pub events_dropped: u64,
    /// Shards that parity stood in for.
    pub shards_recovered: u64,
    /// Shards that were kept.
    pub shards_kept: u64,
    /// Shards that were not needed.
    pub shards_surplus: u64,
    /// Requests for missing shards.
    pub repairs_asked: u64,
    /// Calls for a picture that needs no other.
    pub pictures_asked: u64,
    /// QUIC packets that were lost.
    pub quic_lost: u64,
    /// How often the session came back.
    pub comebacks: u64,
    /// Datagrams that were thrown away: damaged, foreign, or not understood.
    pub datagrams_refused: u64,
}
plain!(PunktfunkStats {
    struct_size,
    clock_known,
    clock_offset_us,
    round_trip_us,
    quic_round_trip_us,
    frames,
    frames_lost,
    frames_undecodable,
    frames_dropped,
    events_dropped,
    shards_recovered,
    shards_kept,
    shards_surplus,
    repairs_asked,
    pictures_asked,
    quic_lost,
    comebacks,
    datagrams_refused,
});

fn defaults() -> PunktfunkConfig {
    let config = Config::new(([0, 0, 0, 0], 0).into(), None);
    let mut codecs = [0; PUNKTFUNK_MAX_CODECS];
    for (to, codec) in codecs.iter_mut().zip(&config.codecs) {
        *to = codec.number().into();
    }
    PunktfunkConfig {
        struct_size: 0,
        app: PUNKTFUNK_NO_APP,
        address: std::ptr::null(),
        host: std::ptr::null(),
        resume: std::ptr::null(),
        codecs,
        width: config.mode.width,
        height: config.mode.height,
        refresh_mhz: config.mode.refresh_mhz,
        bitrate_kbps: config.bitrate_kbps,
        channels: config.channels.into(),
        payload: config.payload.into(),
        mic: config.mic.into(),
        pads: config.pads.into(),
        launch: config.launch.into(),
        local_sound: config.local_sound.into(),
        patience_ms: milliseconds(config.patience),
        timeout_ms: milliseconds(config.timeout),
    }
}

fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// Sets every field to its default. Set `struct_size` before.
///
/// # Safety
/// `config` is NULL or a struct of `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_config_init(config: *mut PunktfunkConfig) -> u32 {
    guard(|| {
        // SAFETY: the caller keeps what is asked for above.
        unsafe { Out::new(config)? }.write(&defaults());
        Ok(())
    })
}

/// Starts a session, or goes on with one; returns when the host agreed or refused.
/// `session` gets a handle to be closed with `punktfunk_session_close`, or NULL. Nothing of
/// `config` is used afterwards.
///
/// # Safety
/// `config` is NULL or a struct of `struct_size` bytes whose pointers are NULL or what is
/// said there; `session` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_connect(
    client: *const PunktfunkClient,
    config: *const PunktfunkConfig,
    session: *mut *mut PunktfunkSession,
) -> u32 {
    guard(|| {
        // SAFETY: the caller keeps what is asked for above.
        let place = unsafe { Place::new(session, std::ptr::null_mut())? };
        let client = handle::at(client)?;
        // SAFETY: as before.
        let config = unsafe { wanted(&abi::read(config)?)? };
        handle::room::<PunktfunkSession>()?;
        place.write(handle::add(client.connect(&config)?));
        Ok(())
    })
}

/// # Safety
/// The pointers are NULL or what [`PunktfunkConfig`] says.
unsafe fn wanted(c: &PunktfunkConfig) -> Result<Config, Failure> {
    // SAFETY: as above.
    let (address, host, resume) =
        unsafe { (abi::text(c.address)?, abi::array(c.host), abi::array(c.resume)) };
    let codecs = c.codecs.iter().take_while(|&&number| number != 0).map(|&number| codec(number));
    Ok(Config {
        app: (c.app != PUNKTFUNK_NO_APP).then_some(c.app),
        resume: resume.map(SessionId),
        mode: Mode { width: c.width, height: c.height, refresh_mhz: c.refresh_mhz },
        codecs: codecs.collect::<Result<_, _>>()?,
        bitrate_kbps: c.bitrate_kbps,
        channels: small(c.channels, "the number of channels")?,
        payload: small(c.payload, "the size of datagrams")?,
        mic: flag(c.mic, "mic")?,
        pads: small(c.pads, "the number of pads")?,
        launch: flag(c.launch, "launch")?,
        local_sound: flag(c.local_sound, "local_sound")?,
        patience: Duration::from_millis(c.patience_ms.into()),
        timeout: Duration::from_millis(c.timeout_ms.into()),
        ..Config::new(Client::resolve(address)?, host)
    })
}

fn codec(number: u32) -> Result<Codec, Failure> {
    Codec::from_number(number.into())
        .ok_or_else(|| Failure::new(PUNKTFUNK_VALUE, format!("there is no codec {number}")))
}

/// What was agreed on, kept up to date.
///
/// # Safety
/// `welcome` is NULL or a struct of `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_session_welcome(
    session: *const PunktfunkSession,
    welcome: *mut PunktfunkWelcome,
) -> u32 {
    guard(|| {
        let session = handle::at(session)?;
        // SAFETY: the caller keeps what is asked for above.
        unsafe { Out::new(welcome)? }.write(&agreed(&session.welcome()));
        Ok(())
    })
}

/// What was agreed on, as C has it.
pub(crate) fn agreed(welcome: &Welcome) -> PunktfunkWelcome {
    let sound = welcome.sound.as_ref();
    let mut mapping = [0; 8];
    for (to, from) in mapping.iter_mut().zip(sound.map_or(&[][..], |sound| &sound.mapping)) {
        *to = *from;
    }
    PunktfunkWelcome {
        struct_size: 0,
        version: welcome.version,
        session: welcome.session.0,
        epoch: welcome.epoch.into(),
        width: welcome.mode.width,
        height: welcome.mode.height,
        refresh_mhz: welcome.mode.refresh_mhz,
        codec: welcome.codec.number().into(),
        bitrate_kbps: welcome.bitrate_kbps,
        access: welcome.access.0.into(),
        mic: welcome.mic.into(),
        pads: welcome.pads.into(),
        app: welcome.app,
        resumed: welcome.resumed.into(),
        channels: sound.map_or(0, |sound| sound.channels.into()),
        streams: sound.map_or(0, |sound| sound.streams.into()),
        coupled: sound.map_or(0, |sound| sound.coupled.into()),
        sound_us: sound.map_or(0, |sound| sound.frame_us),
        mapping,
        name: abi::fixed(&welcome.name),
    }
}

/// Asks for another picture; an event `PUNKTFUNK_EVENT_RECONFIGURED` answers.
///
/// # Safety
/// `wanted` is NULL or a struct of `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_session_reconfigure(
    session: *const PunktfunkSession,
    wanted: *const PunktfunkReconfigure,
) -> u32 {
    guard(|| {
        let session = handle::at(session)?;
        // SAFETY: the caller keeps what is asked for above.
        let wanted = unsafe { abi::read(wanted)? };
        let set = |number: u32| (number != 0).then_some(number);
        Ok(session.reconfigure(Reconfigure {
            width: set(wanted.width),
            height: set(wanted.height),
            refresh_mhz: set(wanted.refresh_mhz),
            codec: set(wanted.codec).map(codec).transpose()?,
            bitrate_kbps: set(wanted.bitrate_kbps),
        })?)
    })
}

/// Asks for the applications; an event `PUNKTFUNK_EVENT_APPS` answers.
#[unsafe(no_mangle)]
pub extern "C" fn punktfunk_session_list_apps(session: *const PunktfunkSession) -> u32 {
    guard(|| Ok(handle::at(session)?.list_apps()?))
}

/// Ends the application; an event `PUNKTFUNK_EVENT_ENDED` follows.
#[unsafe(no_mangle)]
pub extern "C" fn punktfunk_session_quit(session: *const PunktfunkSession) -> u32 {
    guard(|| Ok(handle::at(session)?.quit()?))
}

/// A frame was decoded: its number, the microseconds that it took, and how many frames wait
/// for the decoder. The host goes by it when it chooses the rate.
#[unsafe(no_mangle)]
pub extern "C" fn punktfunk_session_decoded(
    session: *const PunktfunkSession,
    frame: u32,
    took_us: u32,
    backlog: u32,
) -> u32 {
    guard(|| {
        let took = Duration::from_micros(took_us.into());
        handle::at(session)?.decoded(frame, took, usize::try_from(backlog).unwrap_or(usize::MAX));
        Ok(())
    })
}

/// The decoder cannot go on without a key frame.
#[unsafe(no_mangle)]
pub extern "C" fn punktfunk_session_want_key_frame(session: *const PunktfunkSession) -> u32 {
    guard(|| {
        handle::at(session)?.want_key_frame();
        Ok(())
    })
}

/// Goes on with another socket: after a change of networks, when the caller knows of it
/// before the kernel does.
#[unsafe(no_mangle)]
pub extern "C" fn punktfunk_session_rebind(session: *const PunktfunkSession) -> u32 {
    guard(|| Ok(handle::at(session)?.rebind()?))
}

/// Every figure of the session.
///
/// # Safety
/// `stats` is NULL or a struct of `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_session_stats(
    session: *const PunktfunkSession,
    stats: *mut PunktfunkStats,
) -> u32 {
    guard(|| {
        let session = handle::at(session)?;
        // SAFETY: the caller keeps what is asked for above.
        unsafe { Out::new(stats)? }.write(&figures(&session.stats()));
        Ok(())
    })
}

fn figures(stats: &Stats) -> PunktfunkStats {
    let us =
        |time: Option<Duration>| time.map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    let media = &stats.media;
    PunktfunkStats {
        struct_size: 0,
        clock_known: media.offset.is_some().into(),
        clock_offset_us: media.offset.unwrap_or(0),
        round_trip_us: us(media.round_trip),
        quic_round_trip_us: us(stats.round_trip),
        frames: media.frames.frames,
        frames_lost: media.frames.lost,
        frames_undecodable: media.undecodable,
        frames_dropped: stats.frames_dropped,
        events_dropped: stats.events_dropped,
        shards_recovered: media.frames.recovered,
        shards_kept: media.frames.kept,
        shards_surplus: media.frames.surplus,
        repairs_asked: media.nacks,
        pictures_asked: media.calls,
        quic_lost: stats.quic_lost,
        comebacks: stats.comebacks,
        datagrams_refused: [media.frames.refused, media.refused, stats.bad_datagrams, stats.stray]
            .into_iter()
            .fold(0, u64::saturating_add),
    }
}

/// Says goodbye and closes the handle; the application goes on at the host. Takes two
/// seconds at most. A thread that waits in `punktfunk_session_next` gets an event
/// `PUNKTFUNK_EVENT_ENDED`. Events that were taken stay until they are released.
#[unsafe(no_mangle)]
pub extern "C" fn punktfunk_session_close(session: *mut PunktfunkSession) -> u32 {
    guard(|| {
        handle::remove(session)?.leave();
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_are_those_of_the_protocol() {
        for (ours, theirs) in [
            (PUNKTFUNK_CODEC_H264, Codec::H264),
            (PUNKTFUNK_CODEC_HEVC, Codec::HEVC),
            (PUNKTFUNK_CODEC_AV1, Codec::AV1),
            (PUNKTFUNK_CODEC_HEVC | PUNKTFUNK_CODEC_TEN_BITS, Codec::HEVC_10),
            (PUNKTFUNK_CODEC_HEVC_10, Codec::HEVC_10),
            (PUNKTFUNK_CODEC_AV1_10, Codec::AV1_10),
        ] {
            assert_eq!(codec(ours).expect("codec"), theirs);
        }
        let full = codec(PUNKTFUNK_CODEC_AV1 | PUNKTFUNK_CODEC_FULL_CHROMA).expect("codec");
        assert!(full.full_chroma() && !full.ten_bits());
        assert!(codec(4).is_err() && codec(256 + 1).is_err());
    }
}
