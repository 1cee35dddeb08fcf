//! What crosses between `punktfunk-host` and `punktfunk-inputd`, the broker for input
//! devices of the kernel.
//!
//! The broker listens on a `SOCK_SEQPACKET` Unix socket; one connection is one seat, and
//! hanging up takes its devices away. One packet is one message: a header of 16 bytes
//! and a payload whose length follows from the kind. A host names kinds of devices and
//! their state; it never sends descriptors, names or raw reports, so that the broker
//! cannot be talked into making a keyboard. All numbers are little-endian.
//!
//! Nothing here touches a socket: bytes go in, messages come out.
#![forbid(unsafe_code)]

mod codec;
mod refusal;

pub use codec::{CodecError, Header, ToBroker, ToHost, decode_to_broker, decode_to_host, exercise};
pub use refusal::Refusal;

/// The format of the messages. Both sides must speak the same one.
pub const VERSION: u8 = 1;
/// The first two bytes of a message: "pi".
pub const MAGIC: u16 = u16::from_le_bytes(*b"pi");
/// Bytes of a header.
pub const HEADER: usize = 16;
/// No message is longer: a header and 112 bytes.
pub const MAX_MESSAGE: usize = HEADER + 112;
/// Where the broker listens when the system's service manager starts it.
pub const SOCKET: &str = "/run/punktfunk-inputd/inputd.sock";
/// Numbers of devices on one connection are below this; the host numbers its pads as the
/// client does.
pub const MAX_DEVICE: u8 = 16;
/// A seat has at most this many pads.
pub const MAX_PADS_PER_SEAT: usize = 8;
/// All seats together have at most this many pads.
pub const MAX_PADS: usize = 16;
/// The longest name of a seat, in bytes.
pub const MAX_SEAT_NAME: usize = 32;

/// The devices that the broker knows how to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PadKind {
    /// An Xbox 360 pad: what every game knows.
    Xbox360 = 1,
    /// An Xbox One S pad.
    XboxOneS = 2,
}

impl PadKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Xbox360, Self::XboxOneS];

    /// Its bit in [`ToHost::Caps`].
    pub fn bit(self) -> u32 {
        1 << self as u8
    }

    fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// Everything that is pressed or pushed on a pad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PadState {
    /// Button bits of GameStream: 1 is up, 0x1000 is A.
    pub buttons: u32,
    /// Left and right trigger, 0 to 255.
    pub triggers: [u8; 2],
    /// Left stick: x to the right, y **up**.
    pub left: [i16; 2],
    /// Right stick: x to the right, y **up**.
    pub right: [i16; 2],
}

/// The name of a seat: 1 to 32 bytes of `a-z`, `A-Z`, `0-9`, `-`, `_` and `.`, because it
/// becomes part of a device's `phys`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeatName {
    bytes: [u8; MAX_SEAT_NAME],
    len: usize,
}

impl SeatName {
    /// The name, unless it is empty, too long, or has other characters.
    pub fn new(name: &str) -> Option<Self> {
        let source = name.as_bytes();
        let fine =
            source.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        if !fine || source.is_empty() {
            return None;
        }
        let mut bytes = [0; MAX_SEAT_NAME];
        bytes.get_mut(..source.len())?.copy_from_slice(source);
        Some(Self { bytes, len: source.len() })
    }

    /// A name made from any text: what does not belong there is left out.
    pub fn from_any(name: &str) -> Self {
        let kept: String = name
            .chars()
            .filter(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.'))
            .take(MAX_SEAT_NAME)
            .collect();
        let fallback =
            Self { bytes: *b"seat\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", len: 4 };
        Self::new(&kept).unwrap_or(fallback)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    fn padded(&self) -> &[u8; MAX_SEAT_NAME] {
        &self.bytes
    }

    fn from_padded(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let (name, rest) = bytes.split_at_checked(end)?;
        if rest.iter().any(|byte| *byte != 0) {
            return None;
        }
        Self::new(str::from_utf8(name).ok()?)
    }
}
