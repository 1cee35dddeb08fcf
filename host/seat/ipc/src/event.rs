//! Input events as bytes: one tag, then the fields. A field that may be unknown is
//! led by a flag.

use punktfunk_core::bytes::{Reader, Writer};
use punktfunk_core::input::{Event, Pen, Phase, Tool, Touch};

use crate::CodecError;
use crate::codec::{Result, flag, put_real, real};

/// In the order of their numbers.
const PHASES: [Phase; 8] = [
    Phase::Hover,
    Phase::Down,
    Phase::Up,
    Phase::Move,
    Phase::Cancel,
    Phase::Button,
    Phase::HoverEnd,
    Phase::CancelAll,
];

fn put_phase(out: &mut Writer<'_>, phase: Phase) {
    // Every phase is in the table; a number outside of it would be refused.
    let number = PHASES.iter().position(|known| *known == phase);
    out.u8(number.and_then(|number| u8::try_from(number).ok()).unwrap_or(u8::MAX));
}

fn phase(reader: &mut Reader<'_>) -> Result<Phase> {
    PHASES.get(usize::from(reader.u8()?)).copied().ok_or(CodecError::Field("phase"))
}

fn put_known(out: &mut Writer<'_>, value: Option<f64>) {
    out.u8(u8::from(value.is_some()));
    if let Some(value) = value {
        put_real(out, value);
    }
}

fn known(reader: &mut Reader<'_>) -> Result<Option<f64>> {
    flag(reader)?.then(|| real(reader)).transpose()
}

fn put_angle(out: &mut Writer<'_>, value: Option<u16>) {
    out.u8(u8::from(value.is_some()));
    if let Some(value) = value {
        out.u16_le(value);
    }
}

fn angle(reader: &mut Reader<'_>) -> Result<Option<u16>> {
    Ok(flag(reader)?.then(|| reader.u16_le()).transpose()?)
}

fn put_touch(out: &mut Writer<'_>, touch: &Touch) {
    out.u32_le(touch.id);
    put_phase(out, touch.phase);
    put_real(out, touch.x);
    put_real(out, touch.y);
    put_known(out, touch.pressure);
    put_known(out, touch.contact.map(|[long, _]| long));
    if let Some([_, short]) = touch.contact {
        put_real(out, short);
    }
    put_angle(out, touch.rotation);
}

fn touch(reader: &mut Reader<'_>) -> Result<Touch> {
    let (id, phase) = (reader.u32_le()?, phase(reader)?);
    let (x, y, pressure) = (real(reader)?, real(reader)?, known(reader)?);
    let contact = match known(reader)? {
        Some(long) => Some([long, real(reader)?]),
        None => None,
    };
    Ok(Touch { id, phase, x, y, pressure, contact, rotation: angle(reader)? })
}

fn put_pen(out: &mut Writer<'_>, pen: &Pen) {
    put_phase(out, pen.phase);
    out.u8(u8::from(pen.tool == Tool::Eraser)).u8(pen.buttons);
    put_real(out, pen.x);
    put_real(out, pen.y);
    put_known(out, pen.pressure);
    put_known(out, pen.distance);
    put_angle(out, pen.rotation);
    put_angle(out, pen.tilt.map(u16::from));
}

fn pen(reader: &mut Reader<'_>) -> Result<Pen> {
    let phase = phase(reader)?;
    let tool = if flag(reader)? { Tool::Eraser } else { Tool::Pen };
    let buttons = reader.u8()?;
    let (x, y) = (real(reader)?, real(reader)?);
    let (pressure, distance, rotation) = (known(reader)?, known(reader)?, angle(reader)?);
    let tilt = angle(reader)?.map(u8::try_from).transpose().map_err(|_| CodecError::Field("tilt"))?;
    Ok(Pen { phase, tool, buttons, x, y, pressure, distance, rotation, tilt })
}

/// Writes an event.
pub(crate) fn put_event(out: &mut Writer<'_>, event: &Event) -> Result<()> {
    match event {
        Event::Key { code, down } => {
            out.u8(0).u16_le(*code).u8(u8::from(*down));
        }
        Event::PointerMotion { dx, dy } => {
            put_real(out.u8(1), *dx);
            put_real(out, *dy);
        }
        Event::PointerPosition { x, y } => {
            put_real(out.u8(2), *x);
            put_real(out, *y);
        }
        Event::PointerButton { code, down } => {
            out.u8(3).u16_le(*code).u8(u8::from(*down));
        }
        Event::Scroll { horizontal, vertical } => {
            out.u8(4).i32_le(*horizontal).i32_le(*vertical);
        }
        Event::Text { character } => {
            out.u8(5).u32_le(u32::from(*character));
        }
        Event::ReleaseAll => {
            out.u8(6);
        }
        Event::Touch(touch) => put_touch(out.u8(7), touch),
        Event::Pen(pen) => put_pen(out.u8(8), pen),
        _ => return Err(CodecError::Unsupported),
    }
    Ok(())
}

/// Reads an event.
pub(crate) fn event(reader: &mut Reader<'_>) -> Result<Event> {
    Ok(match reader.u8()? {
        0 => Event::Key { code: reader.u16_le()?, down: flag(reader)? },
        1 => Event::PointerMotion { dx: real(reader)?, dy: real(reader)? },
        2 => Event::PointerPosition { x: real(reader)?, y: real(reader)? },
        3 => Event::PointerButton { code: reader.u16_le()?, down: flag(reader)? },
        4 => Event::Scroll { horizontal: reader.i32_le()?, vertical: reader.i32_le()? },
        5 => {
            Event::Text { character: char::from_u32(reader.u32_le()?).ok_or(CodecError::Field("character"))? }
        }
        6 => Event::ReleaseAll,
        7 => Event::Touch(touch(reader)?),
        8 => Event::Pen(pen(reader)?),
        _ => return Err(CodecError::Field("event")),
    })
}

/// Any event, for tests of this crate.
#[cfg(test)]
pub(crate) fn events() -> impl proptest::strategy::Strategy<Value = Event> {
    use proptest::prelude::*;
    let real = || -1e9f64..1e9;
    let known = || proptest::option::of(-1e9f64..1e9);
    let phase = || proptest::sample::select(&PHASES[..]);
    let contact = proptest::option::of([real(), real()]);
    let touches = (any::<u32>(), phase(), [real(), real()], known(), contact, any::<Option<u16>>()).prop_map(
        |(id, phase, [x, y], pressure, contact, rotation)| {
            Event::Touch(Touch { id, phase, x, y, pressure, contact, rotation })
        },
    );
    let pens = (
        phase(),
        any::<(bool, u8)>(),
        [real(), real()],
        [known(), known()],
        any::<(Option<u16>, Option<u8>)>(),
    )
        .prop_map(|(phase, (eraser, buttons), [x, y], [pressure, distance], (rotation, tilt))| {
            let tool = if eraser { Tool::Eraser } else { Tool::Pen };
            Event::Pen(Pen { phase, tool, buttons, x, y, pressure, distance, rotation, tilt })
        });
    prop_oneof![
        (any::<u16>(), any::<bool>()).prop_map(|(code, down)| Event::Key { code, down }),
        (real(), real()).prop_map(|(dx, dy)| Event::PointerMotion { dx, dy }),
        (real(), real()).prop_map(|(x, y)| Event::PointerPosition { x, y }),
        (any::<u16>(), any::<bool>()).prop_map(|(code, down)| Event::PointerButton { code, down }),
        any::<(i32, i32)>().prop_map(|(horizontal, vertical)| Event::Scroll { horizontal, vertical }),
        any::<char>().prop_map(|character| Event::Text { character }),
        touches,
        pens,
        Just(Event::ReleaseAll),
    ]
}
