//! Messages of the control stream (page, section 2), and a reader that takes the
//! stream's bytes in whatever pieces they come. Host and client use it, the client
//! library's C interface through them.

mod input;
mod pairing;
mod reader;
mod session;

pub use input::{
    Button, Clipboard, Key, PadArrival, PadBattery, PadRemoval, PadSensor, PadTouch, PadTriggers, Pen,
    Pointer, Scroll, Text, Touch,
};
pub use pairing::{Mac, PairAnswer, PairConfirm, PairDone, PairStart, Point, SPAKE_LEN, method};
pub use reader::Reader;
pub use session::{
    AppEntry, Apps, Goodbye, Hello, Reconfigure, Reconfigured, Refused, SoundLayout, Start, Welcome,
};

use super::fields::{self, Fields, MAX_BODY, Writer};
use super::{Access, Error, varint};
use crate::native::keys::Direction;

/// What each message can do; a private trait keeps the tables below in one place.
trait Body: Sized {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error>;
    fn write(&self, fields: &mut Writer<'_>);
}

/// Which way a type may go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Host,
    Client,
    Both,
}

macro_rules! messages {
    ($($kind:literal $name:ident $way:ident $most:literal $what:literal)*) => {
        /// One message of the control stream.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Control {
            $(#[doc = $what] $name($name),)*
            /// Which applications are there?
            ListApps,
            /// End this client's application.
            Quit,
            /// Access as the owner changed it.
            Access(Access),
            /// Everything that is held goes up.
            ReleaseAll,
        }

        impl Control {
            /// Its number on the wire.
            pub const fn kind(&self) -> u64 {
                match self {
                    $(Self::$name(_) => $kind,)*
                    Self::ListApps => 0x08,
                    Self::Quit => 0x0A,
                    Self::Access(_) => 0x0B,
                    Self::ReleaseAll => 0x28,
                }
            }

            fn write(&self, fields: &mut Writer<'_>) {
                match self {
                    $(Self::$name(body) => body.write(fields),)*
                    Self::Access(access) => {
                        fields.number(1, access.0);
                    }
                    Self::ListApps | Self::Quit | Self::ReleaseAll => {}
                }
            }

            fn parse_fields(kind: u64, fields: &mut Fields<'_>) -> Result<Option<Self>, Error> {
                Ok(Some(match kind {
                    $($kind => Self::$name($name::parse(fields)?),)*
                    0x08 => Self::ListApps,
                    0x0A => Self::Quit,
                    0x0B => Self::Access(Access(fields::required(1, fields.any(1)?)?)),
                    0x28 => Self::ReleaseAll,
                    _ => return Ok(None),
                }))
            }
        }

        /// Which way a type goes and how long its body may be; `None` for unknown ones.
        const fn limits(kind: u64) -> Option<(Way, u64)> {
            Some(match kind {
                $($kind => (Way::$way, $most),)*
                0x08 | 0x0A | 0x28 => (Way::Host, 64),
                0x0B => (Way::Client, 256),
                _ => return None,
            })
        }
    };
}

messages! {
    0x01 Hello Host 4096 "What the client wants."
    0x02 Welcome Client 4096 "What it gets."
    0x03 Start Host 64 "The client can take media."
    0x04 Refused Client 1024 "No, and why."
    0x05 Goodbye Both 1024 "This side ends the session, and why."
    0x06 Reconfigure Host 1024 "Another picture, please."
    0x07 Reconfigured Client 1024 "The picture from now on."
    0x09 Apps Client 65_536 "The applications."
    0x10 PairStart Host 1024 "Pairing, first step."
    0x11 PairAnswer Client 1024 "Pairing, second step."
    0x12 PairConfirm Host 256 "Pairing, third step."
    0x13 PairDone Client 256 "Pairing, last step."
    0x20 Key Host 64 "A key."
    0x21 Text Host 4096 "Text that was entered."
    0x22 Button Host 64 "A button of the pointer."
    0x23 Scroll Host 64 "The wheel."
    0x24 Touch Host 128 "A finger."
    0x25 Pen Host 128 "A pen."
    0x26 PadArrival Host 128 "A pad was attached."
    0x27 PadRemoval Host 64 "A pad was taken away."
    0x29 Clipboard Both 65_536 "What was copied."
    0x2A PadTouch Host 128 "A finger on a pad."
    0x2B PadBattery Host 64 "The battery of a pad."
    0x2C PadSensor Client 64 "How often a pad's motion is wanted."
    0x2D PadTriggers Client 128 "Resistance of a pad's triggers."
}

impl Control {
    /// Appends the message, with type and length. [`Error::TooLong`] when its body is
    /// longer than its type allows; `out` is then as it was.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let (kind, before) = (self.kind(), out.len());
        let length = fields::prefixed(kind, out, |out| self.write(&mut Writer::new(out)));
        let most = most(kind);
        if length > most {
            out.truncate(before);
            return Err(Error::TooLong { kind, length, most });
        }
        Ok(())
    }

    /// Reads the body of a message of type `kind` that came this way. `None` when this
    /// version does not know the type.
    pub fn parse(way: Direction, kind: u64, body: &[u8]) -> Result<Option<Self>, Error> {
        check(way, kind, body.len() as u64)?;
        let mut fields = Fields::new(body);
        let message = Self::parse_fields(kind, &mut fields)?;
        if message.is_some() {
            fields.finish()?;
        }
        Ok(message)
    }

    /// Reads one message from the front of `bytes` and says how many bytes it had; the
    /// message is `None` when its type is unknown. For tests and tools: a stream is read
    /// with [`Reader`].
    pub fn decode(way: Direction, bytes: &[u8]) -> Result<(Option<Self>, usize), Error> {
        let (kind, first) = varint::decode(bytes).ok_or(Error::Truncated)?;
        let (length, second) =
            varint::decode(bytes.get(first..).unwrap_or_default()).ok_or(Error::Truncated)?;
        check(way, kind, length)?;
        let start = first.saturating_add(second);
        let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length));
        let end = end.ok_or(Error::Truncated)?;
        let body = bytes.get(start..end).ok_or(Error::Truncated)?;
        Ok((Self::parse(way, kind, body)?, end))
    }

    /// True when the message may go this way.
    pub const fn goes(&self, way: Direction) -> bool {
        match limits(self.kind()) {
            Some((allowed, _)) => fits(allowed, way),
            None => false,
        }
    }
}

/// True when this version knows the type.
pub const fn is_known(kind: u64) -> bool {
    limits(kind).is_some()
}

/// Most bytes of a body of this type.
pub const fn most(kind: u64) -> u64 {
    match limits(kind) {
        Some((_, most)) => most,
        None => MAX_BODY,
    }
}

const fn fits(allowed: Way, way: Direction) -> bool {
    matches!(
        (allowed, way),
        (Way::Both, _) | (Way::Host, Direction::ToHost) | (Way::Client, Direction::ToClient)
    )
}

/// Refuses what is too long or comes from the wrong side, before its body is there.
fn check(way: Direction, kind: u64, length: u64) -> Result<(), Error> {
    if limits(kind).is_some_and(|(allowed, _)| !fits(allowed, way)) {
        return Err(Error::Direction { kind });
    }
    let most = most(kind);
    if length > most { Err(Error::TooLong { kind, length, most }) } else { Ok(()) }
}
