//! What is on the wire of punktfunk/1: messages of the control stream (page, section 2),
//! QUIC datagrams (section 3) and reports (section 4.3), as values with a strict parser
//! and an encoder that appends to a buffer. Both sides, the probe and the simulator use
//! it; nothing here keeps a session's state but [`control::Reader`] (half a message) and
//! [`input`] (counters of input that may be lost).

pub mod codes;
pub mod control;
pub mod datagram;
mod exercise;
pub mod fields;
pub mod input;
pub mod report;
pub mod types;
pub mod varint;

pub use codes::Code;
pub use control::Control;
pub use datagram::Datagram;
pub use exercise::{exercise_control, exercise_datagram, exercise_report};
pub use report::Report;
pub use types::{Access, Codec, Family, MediaId, Mode, SessionId};

/// The version of the protocol that this is.
pub const VERSION: u32 = 1;

/// The ALPN that QUIC offers and asks for (page, section 1).
pub const ALPN: &[u8] = b"pf1";

/// The host's UDP port unless its owner chose another.
pub const PORT: u16 = 9777;

/// Most bytes of a name, of a side or of an application's title in Hello and PairStart.
pub const MAX_NAME: usize = 64;

/// Most entries of a list of numbers (versions, codecs, AEADs).
pub const MAX_LIST: usize = 64;

/// What is wrong with bytes of a peer. On the control stream each of these closes the
/// connection with [`Code::BadMessage`]; a datagram or a report is thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes end before the message does.
    #[error("the message ends too early")]
    Truncated,
    /// A body is longer than its type allows.
    #[error("a message of type {kind:#x} has {length} bytes, at most {most} are allowed")]
    TooLong {
        /// Type of the message.
        kind: u64,
        /// Bytes of the body.
        length: u64,
        /// Bytes that are allowed.
        most: u64,
    },
    /// A field is longer than what is left of its body.
    #[error("field {tag} overruns its body")]
    Overrun {
        /// Tag of the field.
        tag: u64,
    },
    /// Tags do not ascend.
    #[error("field {tag} is out of order")]
    Order {
        /// The tag that came too late.
        tag: u64,
    },
    /// A field came twice that is no list.
    #[error("field {tag} is there twice")]
    Repeated {
        /// Tag of the field.
        tag: u64,
    },
    /// A required field is missing.
    #[error("field {tag} is missing")]
    Missing {
        /// Tag of the field.
        tag: u64,
    },
    /// A value is outside its range, has the wrong length or is no text.
    #[error("field {tag} has a value that is not allowed")]
    Value {
        /// Tag of the field, or the offset in a datagram.
        tag: u64,
    },
    /// The other side may not send this type.
    #[error("a message of type {kind:#x} came from the wrong side")]
    Direction {
        /// Type of the message.
        kind: u64,
    },
    /// A datagram is of no type that is known.
    #[error("a datagram of the unknown type {kind:#x}")]
    Unknown {
        /// First byte of the datagram.
        kind: u8,
    },
}

impl From<crate::bytes::Truncated> for Error {
    fn from(_: crate::bytes::Truncated) -> Self {
        Self::Truncated
    }
}

impl Error {
    /// What the connection is closed with.
    pub const fn code(self) -> Code {
        Code::BadMessage
    }
}

/// The longest beginning of `text` that has at most `most` bytes and ends between two
/// characters: names are shown to people, and a cut one is better than none.
pub fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(cut("häuser", 2), "h");
        assert_eq!(cut("häuser", 3), "hä");
        assert_eq!(cut("haus", 64), "haus");
        assert_eq!(cut("ä", 0), "");
    }
}
