//! What crosses between `punktfunk-host` and `punktfunk-seat`.
//!
//! A seat listens on a `SOCK_SEQPACKET` Unix socket in its runtime directory; the
//! host connects, and may connect again after it was restarted. One packet is one
//! message ([`ToSeat`], [`ToHost`]). Frames lie in sealed memfds that cross once
//! per [`Pool`] as file descriptors; after that a frame is a small message that
//! names a buffer, and the host gives the buffer back when it has read it.
#![deny(unsafe_code)]

mod codec;
mod event;
mod exercise;
mod ffi;
pub mod host;
mod message;
mod outbox;
pub mod seat;
mod socket;

pub use codec::CodecError;
pub use exercise::exercise;
pub use message::{
    App, AppKind, Exit, FrameNotice, Keymap, Mode, Pool, Ready, Rect, ToHost, ToSeat, bounding_box,
    merge_damage,
};
pub use socket::LinkError;

/// The format of the messages. Both sides must speak the same one.
pub const VERSION: u32 = 3;
/// No message is longer than this many bytes.
pub const MAX_MESSAGE: usize = 64 * 1024;
/// No pool has more buffers than this.
pub const MAX_BUFFERS: usize = 8;
/// No frame names more damaged rectangles than this.
pub const MAX_DAMAGE: usize = 16;
/// A text that is shown has at most this many characters.
pub const MAX_TEXT: usize = 200;
/// Width and height of an output are at most this many pixels.
pub const MAX_SIDE: u32 = 16_384;
/// The name of the listening socket in the runtime directory of a seat.
pub const SOCKET_NAME: &str = "seat.sock";
