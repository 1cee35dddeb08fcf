//! What the user does: keyboard, pointer, finger, pen, microphone, clipboard. While the
//! connection is lost it comes to nothing. Pads have a module of their own.

use std::ffi::c_char;

use punktfunk_client::input::{Event, Pen, Phase, Tool, Touch};

use crate::abi::{self, flag, plain, small};
use crate::error::{Failure, guard};
use crate::handle::{self, PunktfunkSession};

/// Phase: it is above the surface.
pub const PUNKTFUNK_PHASE_HOVER: u32 = 0;
/// Phase: it touched the surface.
pub const PUNKTFUNK_PHASE_DOWN: u32 = 1;
/// Phase: it left the surface.
pub const PUNKTFUNK_PHASE_UP: u32 = 2;
/// Phase: it moved on the surface.
pub const PUNKTFUNK_PHASE_MOVE: u32 = 3;
/// Phase: what it did shall not count.
pub const PUNKTFUNK_PHASE_CANCEL: u32 = 4;
/// Phase: only its buttons changed.
pub const PUNKTFUNK_PHASE_BUTTON: u32 = 5;
/// Phase: it is no longer above the surface.
pub const PUNKTFUNK_PHASE_HOVER_END: u32 = 6;
/// Phase: what any of them did shall not count.
pub const PUNKTFUNK_PHASE_CANCEL_ALL: u32 = 7;

/// Tool: it writes. Also when it is not known.
pub const PUNKTFUNK_TOOL_PEN: u32 = 0;
/// Tool: it erases.
pub const PUNKTFUNK_TOOL_ERASER: u32 = 1;

/// A finger on the screen.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PunktfunkTouch {
    /// `sizeof(PunktfunkTouch)`.
    pub struct_size: u32,
    /// Tells fingers apart.
    pub id: u32,
    /// `PUNKTFUNK_PHASE_...`.
    pub phase: u32,
    /// Degrees clockwise, 0 to 360; below 0: not known. Default: -1.
    pub rotation: f32,
    /// From the left edge of the picture, 0 to 1.
    pub x: f64,
    /// From the top edge of the picture, 0 to 1.
    pub y: f64,
    /// 0 to 1 while it touches; below 0: not known. Default: -1.
    pub pressure: f64,
    /// Longer axis of the contact as a share of the screen; below 0: not known. Default: -1.
    pub contact_major: f64,
    /// Shorter axis of the contact as a share of the screen; below 0: not known. Default:
    /// -1.
    pub contact_minor: f64,
}
plain!(
    PunktfunkTouch { struct_size, id, phase, rotation, x, y, pressure, contact_major, contact_minor } =
        PunktfunkTouch {
            struct_size: 0,
            id: 0,
            phase: PUNKTFUNK_PHASE_HOVER,
            rotation: -1.0,
            x: 0.0,
            y: 0.0,
            pressure: -1.0,
            contact_major: -1.0,
            contact_minor: -1.0,
        }
);

/// A pen on or above the screen.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PunktfunkPen {
    /// `sizeof(PunktfunkPen)`.
    pub struct_size: u32,
    /// `PUNKTFUNK_PHASE_...`.
    pub phase: u32,
    /// `PUNKTFUNK_TOOL_...`.
    pub tool: u32,
    /// Its buttons: 1, 2 and 4.
    pub buttons: u32,
    /// From the left edge of the picture, 0 to 1.
    pub x: f64,
    /// From the top edge of the picture, 0 to 1.
    pub y: f64,
    /// 0 to 1 while it touches; below 0: not known. Default: -1.
    pub pressure: f64,
    /// 0 (near) to 1 (far) while it hovers; below 0: not known. Default: -1.
    pub distance: f64,
    /// Where its tip points to, degrees clockwise from up, 0 to 360; below 0: not known.
    /// Default: -1.
    pub rotation: f32,
    /// Degrees from upright, 0 to 90; below 0: not known. Default: -1.
    pub tilt: f32,
}
plain!(
    PunktfunkPen { struct_size, phase, tool, buttons, x, y, pressure, distance, rotation, tilt } =
        PunktfunkPen {
            struct_size: 0,
            phase: PUNKTFUNK_PHASE_HOVER,
            tool: PUNKTFUNK_TOOL_PEN,
            buttons: 0,
            x: 0.0,
            y: 0.0,
            pressure: -1.0,
            distance: -1.0,
            rotation: -1.0,
            tilt: -1.0,
        }
);

/// What a phase of C means.
pub(crate) fn phase(number: u32) -> Result<Phase, Failure> {
    Ok(match number {
        PUNKTFUNK_PHASE_HOVER => Phase::Hover,
        PUNKTFUNK_PHASE_DOWN => Phase::Down,
        PUNKTFUNK_PHASE_UP => Phase::Up,
        PUNKTFUNK_PHASE_MOVE => Phase::Move,
        PUNKTFUNK_PHASE_CANCEL => Phase::Cancel,
        PUNKTFUNK_PHASE_BUTTON => Phase::Button,
        PUNKTFUNK_PHASE_HOVER_END => Phase::HoverEnd,
        PUNKTFUNK_PHASE_CANCEL_ALL => Phase::CancelAll,
        _ => return Err(Failure::value("the phase")),
    })
}

fn share(number: f64, what: &str) -> Result<f64, Failure> {
    if (0.0..=1.0).contains(&number) { Ok(number) } else { Err(Failure::value(what)) }
}

/// `None` when it is below 0: not known.
fn known_share(number: f64, what: &str) -> Result<Option<f64>, Failure> {
    if number < 0.0 { Ok(None) } else { share(number, what).map(Some) }
}

fn known_degrees(number: f32, most: f32, what: &str) -> Result<Option<u16>, Failure> {
    if number < 0.0 {
        Ok(None)
    } else if number <= most {
        // At most 360.
        Ok(Some(number as u16))
    } else {
        Err(Failure::value(what))
    }
}

fn send(session: *const PunktfunkSession, event: impl FnOnce() -> Result<Event, Failure>) -> u32 {
    guard(|| Ok(handle::at(session)?.input(&event()?)?))
}

/// A key went down (`down` is 1) or up (0). `code` is a key code of Linux
/// (`input-event-codes.h`: `KEY_A` is 30).
#[unsafe(no_mangle)]
pub extern "C" fn punktfunk_input_key(session: *const PunktfunkSession, code: u32, down: u32) -> u32 {
    send(session, || Ok(Event::Key { code: small(code, "the key")?, down: flag(down, "down")? }))
}

/// Text was entered, by whatever keys.
///
/// # Safety
/// `text` is NULL or ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_input_text(session: *const PunktfunkSession, text: *const c_char) -> u32 {
    guard(|| {
        let session = handle::at(session)?;
        // SAFETY: the caller keeps what is asked for above.
        Ok(session.text(unsafe { abi::text(text)? })?)
    })
}

/// The pointer moved by so many pixels of the picture; positive is right and down.
#[unsafe(no_mangle)]
pub extern "C" fn punktfunk_input_pointer_motion(session: *const PunktfunkSession, dx: f64, dy: f64) -> u32 {
    send(session, || {
        if !dx.is_finite() || !dy.is_finite() {
            return Err(Failure::value("the motion"));
        }
        Ok(Event::PointerMotion { dx, dy })
    })
}

/// The pointer is at this place of the picture, both from 0 to 1.
#[unsafe(no_mangle)]
pub extern "C" fn punktfunk_input_pointer_position(session: *const PunktfunkSession, x: f64, y: f64) -> u32 {
    send(session, || Ok(Event::PointerPosition { x: share(x, "x")?, y: share(y, "y")? }))
}

/// A button of the pointer went down (`down` is 1) or up (0). `code` is a button code of
/// Linux (`input-event-codes.h`: `BTN_LEFT` is 0x110).
#[unsafe(no_mangle)]
pub extern "C" fn punktfunk_input_button(session: *const PunktfunkSession, code: u32, down: u32) -> u32 {
    send(session, || Ok(Event::PointerButton { code: small(code, "the button")?, down: flag(down, "down")? }))
}

/// The wheel turned, in 120ths of a notch; positive is right and up (away from the user).
#[unsafe(no_mangle)]
pub extern "C" fn punktfunk_input_scroll(
    session: *const PunktfunkSession,
    horizontal: i32,
    vertical: i32,
) -> u32 {
    send(session, || Ok(Event::Scroll { horizontal, vertical }))
}

/// Something was done with a finger.
///
/// # Safety
/// `touch` is NULL or a struct of `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_input_touch(
    session: *const PunktfunkSession,
    touch: *const PunktfunkTouch,
) -> u32 {
    send(session, || {
        // SAFETY: the caller keeps what is asked for above.
        let touch = unsafe { abi::read(touch)? };
        let major = known_share(touch.contact_major, "contact_major")?;
        let minor = known_share(touch.contact_minor, "contact_minor")?;
        Ok(Event::Touch(Touch {
            id: touch.id,
            phase: phase(touch.phase)?,
            x: share(touch.x, "x")?,
            y: share(touch.y, "y")?,
            pressure: known_share(touch.pressure, "the pressure")?,
            contact: major.zip(minor).map(Into::into),
            rotation: known_degrees(touch.rotation, 360.0, "the rotation")?,
        }))
    })
}

/// Something was done with a pen.
///
/// # Safety
/// `pen` is NULL or a struct of `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_input_pen(
    session: *const PunktfunkSession,
    pen: *const PunktfunkPen,
) -> u32 {
    send(session, || {
        // SAFETY: the caller keeps what is asked for above.
        let pen = unsafe { abi::read(pen)? };
        let tilt = known_degrees(pen.tilt, 90.0, "the tilt")?;
        Ok(Event::Pen(Pen {
            phase: phase(pen.phase)?,
            tool: match pen.tool {
                PUNKTFUNK_TOOL_PEN => Tool::Pen,
                PUNKTFUNK_TOOL_ERASER => Tool::Eraser,
                _ => return Err(Failure::value("the tool")),
            },
            buttons: small(pen.buttons, "the buttons")?,
            x: share(pen.x, "x")?,
            y: share(pen.y, "y")?,
            pressure: known_share(pen.pressure, "the pressure")?,
            distance: known_share(pen.distance, "the distance")?,
            rotation: known_degrees(pen.rotation, 360.0, "the rotation")?,
            tilt: tilt.and_then(|tilt| u8::try_from(tilt).ok()),
        }))
    })
}

/// Everything that is held goes up: the client lost its focus.
#[unsafe(no_mangle)]
pub extern "C" fn punktfunk_input_release_all(session: *const PunktfunkSession) -> u32 {
    send(session, || Ok(Event::ReleaseAll))
}

/// A packet of the microphone: Opus, 48 kHz, 10 ms, in order, 1 to 1000 bytes.
///
/// # Safety
/// `packet` is NULL or has `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_mic(
    session: *const PunktfunkSession,
    packet: *const u8,
    size: usize,
) -> u32 {
    guard(|| {
        let session = handle::at(session)?;
        // SAFETY: the caller keeps what is asked for above.
        Ok(session.mic(unsafe { abi::bytes(packet, size)? })?)
    })
}

/// Something was copied here, at most 65,000 bytes of the media type `mime`.
///
/// # Safety
/// `mime` is NULL or ends with a NUL; `data` is NULL or has `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn punktfunk_clipboard(
    session: *const PunktfunkSession,
    mime: *const c_char,
    data: *const u8,
    size: usize,
) -> u32 {
    guard(|| {
        let session = handle::at(session)?;
        // SAFETY: the caller keeps what is asked for above.
        let (mime, data) = unsafe { (abi::text(mime)?, abi::bytes(data, size)?) };
        Ok(session.clipboard(mime, data)?)
    })
}
