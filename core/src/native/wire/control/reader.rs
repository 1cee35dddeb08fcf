//! Messages out of a stream.

use super::{Control, check};
use crate::native::keys::Direction;
use crate::native::wire::{Error, varint};

/// Takes the bytes of a control stream in any pieces and gives its messages. It holds at
/// most one message, of at most 65,536 bytes; of a type that it does not know it holds
/// nothing. After an error it gives that error for ever: the stream cannot be
/// understood any more.
#[derive(Debug)]
pub struct Reader {
    way: Direction,
    state: State,
    /// The head or the body so far.
    buffer: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Head,
    Body { kind: u64, length: usize },
    Skip { left: usize },
    Failed(Error),
}

impl Reader {
    /// A reader of what goes this way: a host reads what goes to the host.
    pub const fn new(way: Direction) -> Self {
        Self { way, state: State::Head, buffer: Vec::new() }
    }

    /// Takes bytes off the front of `bytes` up to the end of the next message and
    /// returns that. `None` when all bytes were taken and more are needed.
    pub fn read(&mut self, bytes: &mut &[u8]) -> Result<Option<Control>, Error> {
        let result = self.step_all(bytes);
        if let Err(error) = result {
            self.state = State::Failed(error);
            self.buffer = Vec::new();
        }
        result
    }

    /// True when the stream may end here: no message is half-read.
    pub fn is_between_messages(&self) -> bool {
        matches!(self.state, State::Head) && self.buffer.is_empty()
    }

    /// Bytes that are held.
    pub fn held(&self) -> usize {
        self.buffer.capacity()
    }

    fn step_all(&mut self, bytes: &mut &[u8]) -> Result<Option<Control>, Error> {
        loop {
            match self.state {
                State::Failed(error) => return Err(error),
                State::Head => {
                    if !self.head(bytes)? {
                        return Ok(None);
                    }
                }
                State::Skip { left } => {
                    let skipped = left.min(bytes.len());
                    *bytes = bytes.get(skipped..).unwrap_or_default();
                    let left = left.saturating_sub(skipped);
                    if left > 0 {
                        self.state = State::Skip { left };
                        return Ok(None);
                    }
                    self.state = State::Head;
                }
                State::Body { kind, length } => {
                    let wanted = length.saturating_sub(self.buffer.len());
                    let (taken, rest) = bytes.split_at(wanted.min(bytes.len()));
                    *bytes = rest;
                    self.buffer.extend_from_slice(taken);
                    if taken.len() < wanted {
                        return Ok(None);
                    }
                    let message = Control::parse(self.way, kind, &self.buffer)?;
                    self.clear();
                    if message.is_some() {
                        return Ok(message);
                    }
                }
            }
        }
    }

    /// Reads type and length a byte at a time; false when more bytes are needed.
    fn head(&mut self, bytes: &mut &[u8]) -> Result<bool, Error> {
        loop {
            if let Some((kind, length)) = head(&self.buffer) {
                check(self.way, kind, length)?;
                let length = usize::try_from(length).map_err(|_| Error::Truncated)?;
                self.buffer.clear();
                let known = super::limits(kind).is_some();
                self.state = if known { State::Body { kind, length } } else { State::Skip { left: length } };
                return Ok(true);
            }
            let Some((&byte, rest)) = bytes.split_first() else { return Ok(false) };
            *bytes = rest;
            self.buffer.push(byte);
        }
    }

    /// Ready for the next head; what one long message needed is given back.
    fn clear(&mut self) {
        const KEPT: usize = 4096;
        self.state = State::Head;
        self.buffer.clear();
        self.buffer.shrink_to(KEPT);
    }
}

fn head(bytes: &[u8]) -> Option<(u64, u64)> {
    let (kind, first) = varint::decode(bytes)?;
    let (length, _) = varint::decode(bytes.get(first..)?)?;
    Some((kind, length))
}
