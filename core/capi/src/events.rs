//! What a session has to say. An event is taken, looked at, and released; what it points
//! to is the library's own memory, so that no frame is copied on its way to a decoder.

use std::ffi::CString;
use std::time::Duration;

use punktfunk_client::input::pad::{Feedback, Sensor};
use punktfunk_client::messages::Reconfigured;
use punktfunk_client::{Code, Event, Frame, Time};
use punktfunk_core::native::wire::datagram::HdrMetadata;

use crate::abi::{self, Out, OutList, Place};
use crate::error::{Failure, PUNKTFUNK_KIND, PUNKTFUNK_TIMEOUT, guard};
use crate::handle::{self, PunktfunkEvent, PunktfunkSession};
use crate::hosts::{self, PunktfunkApp};
use crate::pads::{PUNKTFUNK_SENSOR_ACCELEROMETER, PUNKTFUNK_SENSOR_GYRO};
use crate::session::{self, PunktfunkWelcome};
use crate::told::*;

/// What an event handle stands for: the event, and its text as C has it.
pub(crate) struct Held {
    event: Event,
    text: CString,
}

impl Held {
    fn new(event: Event) -> Self {
        let text = match &event {
            Event::Reconfigured(Reconfigured { text, .. })
            | Event::Refused { text, .. }
            | Event::Interrupted { text }
            | Event::Ended { text, .. } => text,
            Event::Clipboard(clipboard) => &clipboard.mime,
            _ => "",
        };
        Self { text: abi::c_text(text), event }
    }

    fn kind(&self) -> u32 {
        match self.event {
            Event::Frame(_) => PUNKTFUNK_EVENT_FRAME,
            Event::FramesLost { .. } => PUNKTFUNK_EVENT_FRAMES_LOST,
            Event::Sound(_) => PUNKTFUNK_EVENT_SOUND,
            Event::Effect { .. } => PUNKTFUNK_EVENT_EFFECT,
            Event::Hdr(_) => PUNKTFUNK_EVENT_HDR,
            Event::Reconfigured(_) => PUNKTFUNK_EVENT_RECONFIGURED,
            Event::Access(_) => PUNKTFUNK_EVENT_ACCESS,
            Event::Clipboard(_) => PUNKTFUNK_EVENT_CLIPBOARD,
            Event::Apps(_) => PUNKTFUNK_EVENT_APPS,
            Event::Refused { .. } => PUNKTFUNK_EVENT_REFUSED,
            Event::Interrupted { .. } => PUNKTFUNK_EVENT_INTERRUPTED,
            Event::Resumed(_) => PUNKTFUNK_EVENT_RESUMED,
            Event::Ended { .. } => PUNKTFUNK_EVENT_ENDED,
            _ => PUNKTFUNK_EVENT_OTHER,
        }
    }
}

/// Waits at most `timeout_ms` milliseconds for what happens next; `PUNKTFUNK_TIMEOUT` when
/// it was nothing. `event` gets a handle to be given back with `punktfunk_event_release`,
/// or NULL. After an event `PUNKTFUNK_EVENT_ENDED` always that again. Frames that nobody
/// takes are dropped, the oldest first.
///
/// # Safety
/// `event` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_session_next(
    session: *const PunktfunkSession,
    timeout_ms: u32,
    event: *mut *mut PunktfunkEvent,
) -> u32 {
    guard(|| {
        // SAFETY: the caller keeps what is asked for above.
        let place = unsafe { Place::new(event, std::ptr::null_mut())? };
        let session = handle::at(session)?;
        handle::room::<PunktfunkEvent>()?;
        let next = session.next(Duration::from_millis(timeout_ms.into()));
        let next = next.ok_or_else(|| Failure::new(PUNKTFUNK_TIMEOUT, "nothing happened in time"))?;
        place.write(handle::add(Held::new(next)));
        Ok(())
    })
}

/// What kind of event it is: `PUNKTFUNK_EVENT_...`; `PUNKTFUNK_EVENT_OTHER` also when the
/// handle is NULL or was released.
#[unsafe(no_mangle)]
pub extern "C" fn punktfunk_event_kind(event: *const PunktfunkEvent) -> u32 {
    let mut kind = PUNKTFUNK_EVENT_OTHER;
    guard(|| {
        kind = handle::at(event)?.kind();
        Ok(())
    });
    kind
}

/// Closes the handle. What the event pointed to is gone.
#[unsafe(no_mangle)]
pub extern "C" fn punktfunk_event_release(event: *mut PunktfunkEvent) -> u32 {
    guard(|| handle::remove(event).map(drop))
}

fn other_kind() -> Failure {
    Failure::new(PUNKTFUNK_KIND, "the event is of another kind")
}

/// The frame of a `PUNKTFUNK_EVENT_FRAME`.
///
/// # Safety
/// `frame` is NULL or a struct of `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_event_frame(
    event: *const PunktfunkEvent,
    frame: *mut PunktfunkFrame,
) -> u32 {
    guard(|| {
        let held = handle::at(event)?;
        let Event::Frame(from) = &held.event else { return Err(other_kind()) };
        // SAFETY: the caller keeps what is asked for above.
        unsafe { Out::new(frame)? }.write(&picture(from));
        Ok(())
    })
}

fn picture(frame: &Frame) -> PunktfunkFrame {
    let bit = |set: bool, bit: u32| if set { bit } else { 0 };
    let time = |time: Option<Time>| time.map_or(0, |time| time.0);
    PunktfunkFrame {
        struct_size: 0,
        number: frame.number,
        data: frame.data().as_ptr(),
        data_size: frame.data().len(),
        epoch: frame.epoch.into(),
        flags: bit(frame.key, PUNKTFUNK_FRAME_KEY)
            | bit(frame.recovery, PUNKTFUNK_FRAME_RECOVERY)
            | bit(frame.new_picture, PUNKTFUNK_FRAME_NEW_PICTURE),
        timestamp: frame.timestamp,
        captured: time(frame.captured),
        sent: time(frame.sent),
        first: frame.first.0,
        whole: frame.whole.0,
        shards: frame.shards,
        recovered: frame.recovered,
    }
}

/// The numbers of a `PUNKTFUNK_EVENT_FRAMES_LOST`.
///
/// # Safety
/// `lost` is NULL or a struct of `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_event_frames_lost(
    event: *const PunktfunkEvent,
    lost: *mut PunktfunkFramesLost,
) -> u32 {
    guard(|| {
        let held = handle::at(event)?;
        let Event::FramesLost { first, last } = held.event else { return Err(other_kind()) };
        // SAFETY: the caller keeps what is asked for above.
        unsafe { Out::new(lost)? }.write(&PunktfunkFramesLost { struct_size: 0, first, last });
        Ok(())
    })
}

/// The packet of a `PUNKTFUNK_EVENT_SOUND`.
///
/// # Safety
/// `sound` is NULL or a struct of `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_event_sound(
    event: *const PunktfunkEvent,
    sound: *mut PunktfunkSound,
) -> u32 {
    guard(|| {
        let held = handle::at(event)?;
        let Event::Sound(from) = &held.event else { return Err(other_kind()) };
        // SAFETY: the caller keeps what is asked for above.
        unsafe { Out::new(sound)? }.write(&PunktfunkSound {
            struct_size: 0,
            seq: from.seq,
            data: from.packet.as_ptr(),
            data_size: from.packet.len(),
            timestamp: from.timestamp,
        });
        Ok(())
    })
}

/// What the pad of a `PUNKTFUNK_EVENT_EFFECT` shall do.
///
/// # Safety
/// `effect` is NULL or a struct of `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_event_effect(
    event: *const PunktfunkEvent,
    effect: *mut PunktfunkEffect,
) -> u32 {
    guard(|| {
        let held = handle::at(event)?;
        let Event::Effect { pad, effect: from } = &held.event else { return Err(other_kind()) };
        // SAFETY: the caller keeps what is asked for above.
        unsafe { Out::new(effect)? }.write(&to_do(*pad, from));
        Ok(())
    })
}

fn to_do(pad: u8, effect: &Feedback) -> PunktfunkEffect {
    let mut out = PunktfunkEffect { pad: pad.into(), ..abi::Plain::defaults() };
    match *effect {
        Feedback::Rumble { low, high } => {
            out.kind = PUNKTFUNK_EFFECT_RUMBLE;
            (out.low, out.high) = (low.into(), high.into());
        }
        Feedback::TriggerRumble { left, right } => {
            out.kind = PUNKTFUNK_EFFECT_TRIGGER_RUMBLE;
            (out.left, out.right) = (left.into(), right.into());
        }
        Feedback::MotionReporting { sensor, rate } => {
            out.kind = PUNKTFUNK_EFFECT_MOTION_REPORTING;
            out.rate = rate.into();
            out.sensor = match sensor {
                Sensor::Accelerometer => PUNKTFUNK_SENSOR_ACCELEROMETER,
                Sensor::Gyro => PUNKTFUNK_SENSOR_GYRO,
            };
        }
        Feedback::Led(colour) => (out.kind, out.colour) = (PUNKTFUNK_EFFECT_LED, colour),
        Feedback::AdaptiveTriggers { sides, effects, left, right } => {
            out.kind = PUNKTFUNK_EFFECT_ADAPTIVE_TRIGGERS;
            (out.sides, out.effects) = (sides, effects);
            (out.left_trigger, out.right_trigger) = (left, right);
        }
    }
    out
}

/// The metadata of a `PUNKTFUNK_EVENT_HDR`.
///
/// # Safety
/// `hdr` is NULL or a struct of `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_event_hdr(event: *const PunktfunkEvent, hdr: *mut PunktfunkHdr) -> u32 {
    guard(|| {
        let held = handle::at(event)?;
        let Event::Hdr(from) = &held.event else { return Err(other_kind()) };
        // SAFETY: the caller keeps what is asked for above.
        unsafe { Out::new(hdr)? }.write(&from.as_ref().map_or_else(abi::Plain::defaults, light));
        Ok(())
    })
}

fn light(metadata: &HdrMetadata) -> PunktfunkHdr {
    let [[rx, ry], [gx, gy], [bx, by]] = metadata.primaries;
    PunktfunkHdr {
        struct_size: 0,
        present: 1,
        primaries: [rx, ry, gx, gy, bx, by],
        white: metadata.white,
        maximum: metadata.maximum,
        minimum: metadata.minimum,
        content: metadata.content.into(),
        frame_average: metadata.frame_average.into(),
    }
}

/// The picture of a `PUNKTFUNK_EVENT_RECONFIGURED`.
///
/// # Safety
/// `now` is NULL or a struct of `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_event_reconfigured(
    event: *const PunktfunkEvent,
    now: *mut PunktfunkReconfigured,
) -> u32 {
    guard(|| {
        let held = handle::at(event)?;
        let Event::Reconfigured(from) = &held.event else { return Err(other_kind()) };
        // SAFETY: the caller keeps what is asked for above.
        unsafe { Out::new(now)? }.write(&PunktfunkReconfigured {
            struct_size: 0,
            epoch: from.epoch.into(),
            width: from.mode.width,
            height: from.mode.height,
            refresh_mhz: from.mode.refresh_mhz,
            codec: from.codec.number().into(),
            bitrate_kbps: from.bitrate_kbps,
            reserved: 0,
            text: held.text.as_ptr(),
        });
        Ok(())
    })
}

/// What the client may do since a `PUNKTFUNK_EVENT_ACCESS`: `PUNKTFUNK_ACCESS_...` bits.
///
/// # Safety
/// `access` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_event_access(event: *const PunktfunkEvent, access: *mut u32) -> u32 {
    guard(|| {
        let held = handle::at(event)?;
        let Event::Access(from) = held.event else { return Err(other_kind()) };
        // SAFETY: the caller keeps what is asked for above.
        unsafe { Place::new(access, from.0.into())? };
        Ok(())
    })
}

/// What was copied, of a `PUNKTFUNK_EVENT_CLIPBOARD`.
///
/// # Safety
/// `clipboard` is NULL or a struct of `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_event_clipboard(
    event: *const PunktfunkEvent,
    clipboard: *mut PunktfunkClipboard,
) -> u32 {
    guard(|| {
        let held = handle::at(event)?;
        let Event::Clipboard(from) = &held.event else { return Err(other_kind()) };
        // SAFETY: the caller keeps what is asked for above.
        unsafe { Out::new(clipboard)? }.write(&PunktfunkClipboard {
            struct_size: 0,
            reserved: 0,
            mime: held.text.as_ptr(),
            data: from.data.as_ptr(),
            data_size: from.data.len(),
        });
        Ok(())
    })
}

/// The applications of a `PUNKTFUNK_EVENT_APPS`: as `punktfunk_apps` gives them.
///
/// # Safety
/// `count` is NULL or writable; `apps` is NULL or has so many structs, each of as many
/// bytes as the first says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_event_apps(
    event: *const PunktfunkEvent,
    apps: *mut PunktfunkApp,
    count: *mut usize,
) -> u32 {
    guard(|| {
        let held = handle::at(event)?;
        let Event::Apps(from) = &held.event else { return Err(other_kind()) };
        // SAFETY: the caller keeps what is asked for above.
        unsafe { OutList::new(apps, count)? }.write(hosts::listed(from))
    })
}

/// Code and text of a `PUNKTFUNK_EVENT_REFUSED`, `..._INTERRUPTED` or `..._ENDED`.
///
/// # Safety
/// `reason` is NULL or a struct of `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_event_reason(
    event: *const PunktfunkEvent,
    reason: *mut PunktfunkReason,
) -> u32 {
    guard(|| {
        let held = handle::at(event)?;
        let code = match &held.event {
            Event::Refused { code, .. } | Event::Ended { code, .. } => *code,
            Event::Interrupted { .. } => Code::None,
            _ => return Err(other_kind()),
        };
        let text = held.text.as_ptr();
        // SAFETY: the caller keeps what is asked for above.
        unsafe { Out::new(reason)? }.write(&PunktfunkReason { struct_size: 0, code: code as u32, text });
        Ok(())
    })
}

/// What was agreed on, of a `PUNKTFUNK_EVENT_RESUMED`.
///
/// # Safety
/// `welcome` is NULL or a struct of `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_event_welcome(
    event: *const PunktfunkEvent,
    welcome: *mut PunktfunkWelcome,
) -> u32 {
    guard(|| {
        let held = handle::at(event)?;
        let Event::Resumed(from) = &held.event else { return Err(other_kind()) };
        // SAFETY: the caller keeps what is asked for above.
        unsafe { Out::new(welcome)? }.write(&session::agreed(from));
        Ok(())
    })
}
