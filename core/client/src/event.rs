//! What a session has to say.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use punktfunk_core::input::pad::Feedback;
use punktfunk_core::native::media;
use punktfunk_core::native::wire::control::{Apps, Clipboard, Reconfigured, Welcome};
use punktfunk_core::native::wire::datagram::HdrMetadata;
use punktfunk_core::native::wire::{Access, Code};
use punktfunk_core::time::Time;

/// Something that happened in a session.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A whole frame, in order.
    Frame(Frame),
    /// These frames will not come. What is needed to go on was asked for already.
    FramesLost {
        /// The first of them.
        first: u32,
        /// The last of them.
        last: u32,
    },
    /// A packet of sound, in order; numbers that are left out are lost.
    Sound(Sound),
    /// What a pad shall do: rumble, light, resistance.
    Effect {
        /// The pad.
        pad: u8,
        /// What it shall do.
        effect: Feedback,
    },
    /// What the picture's HDR means; `None`: it has none.
    Hdr(Option<HdrMetadata>),
    /// The picture changes with the epoch named, or does not, and why.
    Reconfigured(Reconfigured),
    /// The owner changed what this client may do.
    Access(Access),
    /// Something was copied on the host.
    Clipboard(Clipboard),
    /// The applications, as asked for.
    Apps(Apps),
    /// The host did not do what was asked for last; the session goes on.
    Refused {
        /// Why.
        code: Code,
        /// For people.
        text: String,
    },
    /// The connection is lost; the session tries to come back.
    Interrupted {
        /// What was seen of it.
        text: String,
    },
    /// The session is back. Epoch, mode and codec may be others.
    Resumed(Box<Welcome>),
    /// It is over. Said for ever.
    Ended {
        /// Why.
        code: Code,
        /// For people.
        text: String,
    },
}

/// One packet of sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// Its number.
    pub seq: u32,
    /// When it was recorded, microseconds of the host's clock (48 bits).
    pub timestamp: u64,
    /// Opus, as [`Welcome`]'s layout says.
    pub packet: Vec<u8>,
}

/// Frames whose access unit was used, on their way back to the reassembly.
#[derive(Debug, Default)]
pub(crate) struct Returns(Mutex<Vec<media::Frame>>);

impl Returns {
    /// Buffers that wait; more are freed.
    const MOST: usize = 64;

    fn put(&self, frame: media::Frame) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < Self::MOST {
            waiting.push(frame);
        }
    }

    pub fn take(&self) -> Option<media::Frame> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// A whole frame. Its buffer is used again when it is dropped.
pub struct Frame {
    inner: Option<media::Frame>,
    home: Arc<Returns>,
    /// Its number.
    pub number: u32,
    /// The epoch that it belongs to.
    pub epoch: u8,
    /// Decoding can begin with it.
    pub key: bool,
    /// It refers to nothing that was lost.
    pub recovery: bool,
    /// It is no repetition of the one before.
    pub new_picture: bool,
    /// When the picture was taken, microseconds of the host's clock (48 bits).
    pub timestamp: u64,
    /// The same by our clock, once it is known how far they are apart.
    pub captured: Option<Time>,
    /// When its last datagram was handed to the network, by our clock.
    pub sent: Option<Time>,
    /// When its first datagram arrived.
    pub first: Time,
    /// When it was whole.
    pub whole: Time,
    /// Data shards, and how many of them parity stood in for.
    pub shards: u32,
    /// See [`shards`](Self::shards).
    pub recovered: u32,
}

impl Frame {
    pub(crate) fn new(frame: media::Frame, ours: impl Fn(u64) -> Option<Time>, home: Arc<Returns>) -> Self {
        let sent = frame.timestamp.saturating_add(u64::from(frame.age) * 10);
        Self {
            number: frame.number,
            epoch: frame.epoch,
            key: frame.flags.has(media::Flags::KEY_FRAME),
            recovery: frame.flags.has(media::Flags::RECOVERY_POINT),
            new_picture: frame.flags.has(media::Flags::NEW_PICTURE),
            timestamp: frame.timestamp,
            captured: ours(frame.timestamp),
            sent: ours(sent),
            first: frame.first,
            whole: frame.whole,
            shards: frame.shards,
            recovered: frame.recovered,
            inner: Some(frame),
            home,
        }
    }

    /// The access unit (H.264, HEVC: Annex B; AV1: low-overhead OBUs).
    pub fn data(&self) -> &[u8] {
        self.inner.as_ref().map_or(&[], media::Frame::data)
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        if let Some(frame) = self.inner.take() {
            self.home.put(frame);
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({}, epoch {}, {} bytes)", self.number, self.epoch, self.data().len())
    }
}
