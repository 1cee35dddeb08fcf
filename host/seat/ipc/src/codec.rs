//! Messages as bytes: one tag, then the fields in little-endian order. Strings
//! carry a 32-bit length.

use punktfunk_core::bytes::{Reader, Truncated, Writer};

use crate::event::{event, put_event};
use crate::message::{App, AppKind, Exit, FrameNotice, Keymap, Mode, Pool, Ready, Rect, ToHost, ToSeat};
use crate::{MAX_DAMAGE, MAX_MESSAGE, MAX_SIDE, MAX_TEXT};

/// Why bytes are no message, or a message has no bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// It ends inside a field.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// A field has a value that cannot be.
    #[error("the field {0} of a message has no valid value; are host and seat of the same version?")]
    Field(&'static str),
    /// Bytes follow the last field.
    #[error("{0} bytes follow the end of a message; are host and seat of the same version?")]
    Trailing(usize),
    /// The message would be longer than a packet may be.
    #[error("a message of {0} bytes is longer than {MAX_MESSAGE}; use fewer arguments or variables")]
    TooLong(usize),
    /// This version has no bytes for it.
    #[error("this input event cannot be sent to a seat of this version")]
    Unsupported,
}

pub(crate) type Result<T> = std::result::Result<T, CodecError>;

fn put_text(out: &mut Writer<'_>, text: &str) {
    out.u32_le(u32::try_from(text.len()).unwrap_or(u32::MAX)).bytes(text.as_bytes());
}

fn text(reader: &mut Reader<'_>) -> Result<String> {
    let length = reader.u32_le()? as usize;
    let bytes = reader.take(length)?.to_vec();
    String::from_utf8(bytes).map_err(|_| CodecError::Field("text"))
}

pub(crate) fn flag(reader: &mut Reader<'_>) -> Result<bool> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(CodecError::Field("flag")),
    }
}

pub(crate) fn put_real(out: &mut Writer<'_>, value: f64) {
    out.u64_le(value.to_bits());
}

pub(crate) fn real(reader: &mut Reader<'_>) -> Result<f64> {
    let value = f64::from_bits(reader.u64_le()?);
    if value.is_finite() { Ok(value) } else { Err(CodecError::Field("coordinate")) }
}

fn put_mode(out: &mut Writer<'_>, mode: &Mode) {
    out.u32_le(mode.width).u32_le(mode.height).u32_le(mode.refresh_num).u32_le(mode.refresh_den);
}

fn mode(reader: &mut Reader<'_>) -> Result<Mode> {
    let mode = Mode {
        width: reader.u32_le()?,
        height: reader.u32_le()?,
        refresh_num: reader.u32_le()?,
        refresh_den: reader.u32_le()?,
    };
    let sides = 1..=MAX_SIDE;
    if !sides.contains(&mode.width) || !sides.contains(&mode.height) {
        return Err(CodecError::Field("size"));
    }
    if mode.refresh_num == 0 || mode.refresh_den == 0 {
        return Err(CodecError::Field("refresh"));
    }
    Ok(mode)
}

fn put_app(out: &mut Writer<'_>, app: &App) {
    let argv: &[String] = match &app.kind {
        AppKind::Desktop => &[],
        AppKind::Command(argv) => argv,
        AppKind::TestCard => &[],
    };
    out.u8(match app.kind {
        AppKind::Desktop => 0,
        AppKind::Command(_) => 1,
        AppKind::TestCard => 2,
    });
    put_text(out, &app.name);
    out.u32_le(u32::try_from(argv.len()).unwrap_or(u32::MAX));
    for argument in argv {
        put_text(out, argument);
    }
    out.u32_le(u32::try_from(app.env.len()).unwrap_or(u32::MAX));
    for (name, value) in &app.env {
        put_text(out, name);
        put_text(out, value);
    }
    out.u8(u8::from(app.cwd.is_some()));
    if let Some(cwd) = &app.cwd {
        put_text(out, cwd);
    }
}

fn app(reader: &mut Reader<'_>) -> Result<App> {
    let kind = reader.u8()?;
    let name = text(reader)?;
    let count = reader.u32_le()?;
    let mut argv = Vec::new();
    for _ in 0..count {
        argv.push(text(reader)?);
    }
    let count = reader.u32_le()?;
    let mut env = Vec::new();
    for _ in 0..count {
        env.push((text(reader)?, text(reader)?));
    }
    let cwd = if flag(reader)? { Some(text(reader)?) } else { None };
    let kind = match (kind, argv.is_empty()) {
        (0, true) => AppKind::Desktop,
        (1, false) => AppKind::Command(argv),
        (2, true) => AppKind::TestCard,
        _ => return Err(CodecError::Field("kind")),
    };
    Ok(App { kind, name, env, cwd })
}

/// A text that may be shown.
fn shown(text: &str) -> Result<&str> {
    if text.chars().count() > MAX_TEXT { Err(CodecError::Field("message")) } else { Ok(text) }
}

fn finish(reader: &Reader<'_>) -> Result<()> {
    if reader.is_empty() { Ok(()) } else { Err(CodecError::Trailing(reader.remaining())) }
}

fn check_length(out: &[u8]) -> Result<()> {
    if out.len() > MAX_MESSAGE { Err(CodecError::TooLong(out.len())) } else { Ok(()) }
}

impl ToSeat {
    /// The bytes of the packet.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut out = Writer::new(&mut bytes);
        match self {
            Self::Hello { version } => {
                out.u8(0).u32_le(*version);
            }
            Self::SetMode(mode) => put_mode(out.u8(1), mode),
            Self::Launch(app) => put_app(out.u8(2), app),
            Self::Input(event) => put_event(out.u8(3), event)?,
            Self::Keymap(keymap) => {
                put_text(out.u8(4), &keymap.layout);
                put_text(&mut out, &keymap.variant);
                put_text(&mut out, &keymap.options);
            }
            Self::ReleaseFrame { generation, buffer } => {
                out.u8(5).u32_le(*generation).u8(*buffer);
            }
            Self::SetViewer(attached) => {
                out.u8(6).u8(u8::from(*attached));
            }
            Self::Quit => {
                out.u8(7);
            }
            Self::Message(text) => put_text(out.u8(8), shown(text)?),
        }
        check_length(&bytes)?;
        Ok(bytes)
    }

    /// Reads one packet.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let message = match reader.u8()? {
            0 => Self::Hello { version: reader.u32_le()? },
            1 => Self::SetMode(mode(&mut reader)?),
            2 => Self::Launch(app(&mut reader)?),
            3 => Self::Input(event(&mut reader)?),
            4 => Self::Keymap(Keymap {
                layout: text(&mut reader)?,
                variant: text(&mut reader)?,
                options: text(&mut reader)?,
            }),
            5 => Self::ReleaseFrame { generation: reader.u32_le()?, buffer: reader.u8()? },
            6 => Self::SetViewer(flag(&mut reader)?),
            7 => Self::Quit,
            8 => {
                let text = text(&mut reader)?;
                shown(&text)?;
                Self::Message(text)
            }
            _ => return Err(CodecError::Field("tag")),
        };
        finish(&reader)?;
        Ok(message)
    }
}

fn put_frame(out: &mut Writer<'_>, frame: &FrameNotice) -> Result<()> {
    let count = u8::try_from(frame.damage.len()).ok().filter(|&n| usize::from(n) <= MAX_DAMAGE);
    let count = count.ok_or(CodecError::Field("damage"))?;
    out.u32_le(frame.generation).u8(frame.buffer).u64_le(frame.sequence).u64_le(frame.timestamp_us);
    out.u8(count);
    for rect in &frame.damage {
        out.u32_le(rect.x).u32_le(rect.y).u32_le(rect.width).u32_le(rect.height);
    }
    Ok(())
}

fn frame(reader: &mut Reader<'_>) -> Result<FrameNotice> {
    let (generation, buffer) = (reader.u32_le()?, reader.u8()?);
    let (sequence, timestamp_us) = (reader.u64_le()?, reader.u64_le()?);
    let count = usize::from(reader.u8()?);
    if count > MAX_DAMAGE {
        return Err(CodecError::Field("damage"));
    }
    let mut damage = Vec::with_capacity(count);
    for _ in 0..count {
        let (x, y) = (reader.u32_le()?, reader.u32_le()?);
        let (width, height) = (reader.u32_le()?, reader.u32_le()?);
        if [x, y, width, height].into_iter().any(|side| side > MAX_SIDE) {
            return Err(CodecError::Field("damage"));
        }
        damage.push(Rect { x, y, width, height });
    }
    Ok(FrameNotice { generation, buffer, sequence, timestamp_us, damage })
}

impl ToHost {
    /// The bytes of the packet.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut out = Writer::new(&mut bytes);
        match self {
            Self::Ready(ready) => {
                out.u8(0).u32_le(ready.version);
                put_text(&mut out, &ready.wayland_display);
                put_text(&mut out, &ready.pipewire_remote);
                put_text(&mut out, &ready.pulse_server);
            }
            Self::Pool(pool) => {
                out.u8(1).u32_le(pool.generation).u32_le(pool.width).u32_le(pool.height);
                out.u32_le(pool.stride).u8(pool.buffers);
            }
            Self::Frame(frame) => put_frame(out.u8(2), frame)?,
            Self::AppStarted { pid } => {
                out.u8(3).u32_le(*pid);
            }
            Self::AppExited(Exit::Code(code)) => {
                out.u8(4).u8(0).i32_le(*code);
            }
            Self::AppExited(Exit::Signal(signal)) => {
                out.u8(4).u8(1).i32_le(*signal);
            }
            Self::Error(message) => put_text(out.u8(5), message),
        }
        check_length(&bytes)?;
        Ok(bytes)
    }

    /// Reads one packet.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let message = match reader.u8()? {
            0 => Self::Ready(Ready {
                version: reader.u32_le()?,
                wayland_display: text(&mut reader)?,
                pipewire_remote: text(&mut reader)?,
                pulse_server: text(&mut reader)?,
            }),
            1 => {
                let pool = Pool {
                    generation: reader.u32_le()?,
                    width: reader.u32_le()?,
                    height: reader.u32_le()?,
                    stride: reader.u32_le()?,
                    buffers: reader.u8()?,
                };
                pool.buffer_len().ok_or(CodecError::Field("pool"))?;
                Self::Pool(pool)
            }
            2 => Self::Frame(frame(&mut reader)?),
            3 => Self::AppStarted { pid: reader.u32_le()? },
            4 => match (flag(&mut reader)?, reader.i32_le()?) {
                (false, code) => Self::AppExited(Exit::Code(code)),
                (true, signal) => Self::AppExited(Exit::Signal(signal)),
            },
            5 => Self::Error(text(&mut reader)?),
            _ => return Err(CodecError::Field("tag")),
        };
        finish(&reader)?;
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use punktfunk_core::input::Event;

    use super::*;
    use crate::event::events;
    use proptest::prelude::*;

    fn apps() -> impl Strategy<Value = App> {
        let kind = prop_oneof![
            Just(AppKind::Desktop),
            Just(AppKind::TestCard),
            proptest::collection::vec(any::<String>(), 1..5).prop_map(AppKind::Command),
        ];
        let env = proptest::collection::vec(any::<(String, String)>(), 0..4);
        (kind, any::<String>(), env, any::<Option<String>>()).prop_map(|(kind, name, env, cwd)| App {
            kind,
            name,
            env,
            cwd,
        })
    }

    fn to_seat() -> impl Strategy<Value = ToSeat> {
        prop_oneof![
            any::<u32>().prop_map(|version| ToSeat::Hello { version }),
            (1..=MAX_SIDE, 1..=MAX_SIDE, 1u32.., 1u32..).prop_map(
                |(width, height, refresh_num, refresh_den)| ToSeat::SetMode(Mode {
                    width,
                    height,
                    refresh_num,
                    refresh_den
                })
            ),
            apps().prop_map(ToSeat::Launch),
            events().prop_map(ToSeat::Input),
            any::<(String, String, String)>().prop_map(|(layout, variant, options)| ToSeat::Keymap(Keymap {
                layout,
                variant,
                options
            })),
            any::<(u32, u8)>().prop_map(|(generation, buffer)| ToSeat::ReleaseFrame { generation, buffer }),
            any::<bool>().prop_map(ToSeat::SetViewer),
            ".{0,200}".prop_map(ToSeat::Message),
            Just(ToSeat::Quit),
        ]
    }

    fn rects() -> impl Strategy<Value = Vec<Rect>> {
        let side = 0..=MAX_SIDE;
        proptest::collection::vec(
            (side.clone(), side.clone(), side.clone(), side).prop_map(|(x, y, width, height)| Rect {
                x,
                y,
                width,
                height,
            }),
            0..=MAX_DAMAGE,
        )
    }

    fn to_host() -> impl Strategy<Value = ToHost> {
        prop_oneof![
            any::<(u32, String, String, String)>().prop_map(|(version, a, b, c)| ToHost::Ready(Ready {
                version,
                wayland_display: a,
                pipewire_remote: b,
                pulse_server: c
            })),
            (any::<u32>(), 1..=4096u32, 1..=4096u32, 1..=8u8).prop_map(
                |(generation, width, height, buffers)| {
                    let stride = (width * 4).next_multiple_of(64);
                    ToHost::Pool(Pool { generation, width, height, stride, buffers })
                }
            ),
            (any::<(u32, u8, u64, u64)>(), rects()).prop_map(
                |((generation, buffer, sequence, at), damage)| {
                    ToHost::Frame(FrameNotice { generation, buffer, sequence, timestamp_us: at, damage })
                }
            ),
            any::<u32>().prop_map(|pid| ToHost::AppStarted { pid }),
            any::<i32>().prop_map(|code| ToHost::AppExited(Exit::Code(code))),
            any::<i32>().prop_map(|signal| ToHost::AppExited(Exit::Signal(signal))),
            any::<String>().prop_map(ToHost::Error),
        ]
    }

    proptest! {
        #[test]
        fn what_the_host_says_round_trips(message in to_seat()) {
            let bytes = message.encode().unwrap();
            prop_assert_eq!(ToSeat::decode(&bytes).unwrap(), message);
        }

        #[test]
        fn what_the_seat_says_round_trips(message in to_host()) {
            let bytes = message.encode().unwrap();
            prop_assert_eq!(ToHost::decode(&bytes).unwrap(), message);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = ToSeat::decode(&bytes);
            let _ = ToHost::decode(&bytes);
        }

        #[test]
        fn a_cut_or_longer_message_is_an_error(message in to_seat(), cut in any::<prop::sample::Index>()) {
            let mut bytes = message.encode().unwrap();
            let end = cut.index(bytes.len());
            prop_assert!(ToSeat::decode(&bytes[..end]).is_err());
            bytes.push(0);
            prop_assert!(ToSeat::decode(&bytes).is_err());
        }

        #[test]
        fn merged_damage_stays_short_and_covers_both(a in rects(), b in rects()) {
            let mut all = a.clone();
            crate::merge_damage(&mut all, &b);
            prop_assert!(all.len() <= MAX_DAMAGE);
            let whole = crate::bounding_box(&all);
            let expected = crate::bounding_box(&[a, b].concat());
            prop_assert_eq!(whole, expected);
        }
    }

    #[test]
    fn impossible_values_are_refused() {
        let mut mode =
            ToSeat::SetMode(Mode { width: 8, height: 8, refresh_num: 60, refresh_den: 1 }).encode().unwrap();
        mode[13..17].fill(0);
        assert_eq!(ToSeat::decode(&mode), Err(CodecError::Field("refresh")));
        let mut pointer = ToSeat::Input(Event::PointerMotion { dx: 1.0, dy: 1.0 }).encode().unwrap();
        pointer[2..10].copy_from_slice(&f64::NAN.to_le_bytes());
        assert_eq!(ToSeat::decode(&pointer), Err(CodecError::Field("coordinate")));
        let long = App { kind: AppKind::Desktop, name: "x".repeat(MAX_MESSAGE), env: vec![], cwd: None };
        assert!(matches!(ToSeat::Launch(long).encode(), Err(CodecError::TooLong(_))));
    }
}
