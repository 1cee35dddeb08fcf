//! Messages to bytes and back. Strict: what is not exactly a message is none, and the
//! connection ends.

use crate::{
    HEADER, MAGIC, MAX_DEVICE, MAX_MESSAGE, MAX_SEAT_NAME, PadKind, PadState, Refusal, SeatName, VERSION,
};

/// What every message carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Which device of this connection, below [`MAX_DEVICE`]; 0 where none is meant.
    pub device: u8,
    /// Counts the messages of this direction.
    pub sequence: u32,
    /// When the client's input was received, or when the feedback happened: microseconds
    /// of `CLOCK_MONOTONIC`, low 32 bits. For measuring only.
    pub time: u32,
}

/// What a host says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToBroker {
    /// The first message: which seat this is. Answered by [`ToHost::Caps`].
    Hello(SeatName),
    /// Make a pad with the device number of the header. Answered by [`ToHost::Created`]
    /// or [`ToHost::Error`].
    Create {
        /// What it shall be.
        kind: PadKind,
        /// The first bytes of the hash of the client's certificate: makes lasting
        /// addresses for pads that have one.
        client: [u8; 8],
    },
    /// Take a device away.
    Destroy,
    /// What is pressed on a pad now.
    State(PadState),
}

/// What the broker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToHost {
    /// What it can make.
    Caps {
        /// [`PadKind::bit`] of each kind.
        kinds: u32,
        /// How many pads a seat may have.
        pads: u8,
    },
    /// The device is there, and who watches for devices had time to notice.
    Created {
        /// N of `/dev/input/eventN`, when the kernel said it.
        event: Option<u32>,
    },
    /// Rumble until told otherwise, each motor 0 to 65535.
    Rumble {
        /// The heavy motor.
        strong: u16,
        /// The light motor.
        weak: u16,
        /// Milliseconds until this changes by itself (another message will say so); 0
        /// when it does not.
        duration: u32,
    },
    /// What the device was asked for was not done.
    Error(Refusal),
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// Shorter than a header or longer than any message.
    #[error("a message of {0} bytes; there are none of that size")]
    Size(usize),
    /// Another protocol, or another version of this one.
    #[error("not a message of this version; update host and broker together")]
    Version,
    /// A kind nobody knows, or one for the other direction.
    #[error("an unknown kind of message ({0:#04x}); update host and broker together")]
    Kind(u8),
    /// The payload is not one of that kind.
    #[error("a message with an impossible {0}")]
    Value(&'static str),
}

const HELLO: u8 = 1;
const CREATE: u8 = 2;
const DESTROY: u8 = 3;
const STATE: u8 = 4;
// 5, 6, 7 are kept for touch, pen and keys; 0x83 for raw output reports.
const CAPS: u8 = 0x81;
const CREATED: u8 = 0x82;
const RUMBLE: u8 = 0x84;
const ERROR: u8 = 0x85;

/// A message being written or read: at most [`MAX_MESSAGE`] bytes, never on the heap.
#[derive(Clone, Copy)]
struct Bytes {
    bytes: [u8; MAX_MESSAGE],
    len: usize,
}

impl Bytes {
    fn new() -> Self {
        Self { bytes: [0; MAX_MESSAGE], len: HEADER }
    }

    fn put<const N: usize>(mut self, value: [u8; N]) -> Self {
        // Every payload below is shorter than the longest message.
        if let Some(place) = self.bytes.get_mut(self.len..self.len + N) {
            place.copy_from_slice(&value);
            self.len += N;
        }
        self
    }

    fn finish(mut self, kind: u8, header: Header, out: &mut [u8; MAX_MESSAGE]) -> usize {
        let payload = u16::try_from(self.len - HEADER).unwrap_or_default();
        let len = self.len;
        self.len = 0;
        let written = self
            .put(MAGIC.to_le_bytes())
            .put([VERSION, kind, header.device, 0])
            .put(payload.to_le_bytes())
            .put(header.sequence.to_le_bytes())
            .put(header.time.to_le_bytes());
        *out = written.bytes;
        len
    }
}

/// Takes a payload apart.
struct Payload<'a>(&'a [u8]);

impl Payload<'_> {
    fn take<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], CodecError> {
        let (first, rest) = self.0.split_first_chunk::<N>().ok_or(CodecError::Value(what))?;
        self.0 = rest;
        Ok(*first)
    }

    fn u16(&mut self, what: &'static str) -> Result<u16, CodecError> {
        self.take(what).map(u16::from_le_bytes)
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, CodecError> {
        self.take(what).map(u32::from_le_bytes)
    }

    fn end<T>(self, message: T) -> Result<T, CodecError> {
        if self.0.is_empty() { Ok(message) } else { Err(CodecError::Value("length")) }
    }
}

fn open(packet: &[u8]) -> Result<(Header, u8, Payload<'_>), CodecError> {
    if packet.len() > MAX_MESSAGE {
        return Err(CodecError::Size(packet.len()));
    }
    let (head, payload) = packet.split_at_checked(HEADER).ok_or(CodecError::Size(packet.len()))?;
    let mut head = Payload(head);
    if head.u16("header")? != MAGIC || head.take("header")? != [VERSION] {
        return Err(CodecError::Version);
    }
    let [kind, device, flags] = head.take("header")?;
    let len = usize::from(head.u16("header")?);
    let header = Header { device, sequence: head.u32("header")?, time: head.u32("header")? };
    if flags != 0 {
        return Err(CodecError::Value("flag"));
    }
    if device >= MAX_DEVICE {
        return Err(CodecError::Value("device number"));
    }
    if len != payload.len() {
        return Err(CodecError::Value("length"));
    }
    Ok((header, kind, Payload(payload)))
}

impl ToBroker {
    /// Writes the message to the beginning of `out`; its length.
    pub fn encode(&self, header: Header, out: &mut [u8; MAX_MESSAGE]) -> usize {
        let bytes = Bytes::new();
        match self {
            Self::Hello(name) => bytes.put(*name.padded()).finish(HELLO, header, out),
            Self::Create { kind, client } => {
                bytes.put([*kind as u8, 0, 0, 0]).put(*client).finish(CREATE, header, out)
            }
            Self::Destroy => bytes.finish(DESTROY, header, out),
            Self::State(state) => {
                let mut bytes = bytes.put(state.buttons.to_le_bytes()).put(state.triggers);
                for axis in state.left.into_iter().chain(state.right) {
                    bytes = bytes.put(axis.to_le_bytes());
                }
                bytes.finish(STATE, header, out)
            }
        }
    }
}

/// Reads what a host said.
pub fn decode_to_broker(packet: &[u8]) -> Result<(Header, ToBroker), CodecError> {
    let (header, kind, mut payload) = open(packet)?;
    let message = match kind {
        HELLO => {
            let name = payload.take::<MAX_SEAT_NAME>("name of a seat")?;
            ToBroker::Hello(SeatName::from_padded(&name).ok_or(CodecError::Value("name of a seat"))?)
        }
        CREATE => {
            let [kind, zero @ ..] = payload.take::<4>("kind of device")?;
            if zero != [0; 3] {
                return Err(CodecError::Value("kind of device"));
            }
            let kind = PadKind::from_number(kind).ok_or(CodecError::Value("kind of device"))?;
            ToBroker::Create { kind, client: payload.take("hash of a client")? }
        }
        DESTROY => ToBroker::Destroy,
        STATE => {
            let buttons = payload.u32("state")?;
            let triggers = payload.take("state")?;
            let mut axis = || payload.take("state").map(i16::from_le_bytes);
            let (left, right) = ([axis()?, axis()?], [axis()?, axis()?]);
            ToBroker::State(PadState { buttons, triggers, left, right })
        }
        kind => return Err(CodecError::Kind(kind)),
    };
    payload.end((header, message))
}

impl ToHost {
    /// Writes the message to the beginning of `out`; its length.
    pub fn encode(&self, header: Header, out: &mut [u8; MAX_MESSAGE]) -> usize {
        let bytes = Bytes::new();
        match self {
            Self::Caps { kinds, pads } => {
                bytes.put(kinds.to_le_bytes()).put([*pads, 0, 0, 0]).finish(CAPS, header, out)
            }
            Self::Created { event } => {
                bytes.put(event.unwrap_or(u32::MAX).to_le_bytes()).finish(CREATED, header, out)
            }
            Self::Rumble { strong, weak, duration } => {
                let bytes = bytes.put(strong.to_le_bytes()).put(weak.to_le_bytes());
                bytes.put(duration.to_le_bytes()).finish(RUMBLE, header, out)
            }
            Self::Error(refusal) => {
                let [code, errno] = refusal.to_numbers();
                bytes.put(code.to_le_bytes()).put(errno.to_le_bytes()).finish(ERROR, header, out)
            }
        }
    }
}

/// Reads what the broker said.
pub fn decode_to_host(packet: &[u8]) -> Result<(Header, ToHost), CodecError> {
    let (header, kind, mut payload) = open(packet)?;
    let message = match kind {
        CAPS => {
            let kinds = payload.u32("table of kinds")?;
            let [pads, zero @ ..] = payload.take::<4>("table of kinds")?;
            if zero != [0; 3] {
                return Err(CodecError::Value("table of kinds"));
            }
            ToHost::Caps { kinds, pads }
        }
        CREATED => {
            let event = payload.u32("node")?;
            ToHost::Created { event: (event != u32::MAX).then_some(event) }
        }
        RUMBLE => ToHost::Rumble {
            strong: payload.u16("rumble")?,
            weak: payload.u16("rumble")?,
            duration: payload.u32("rumble")?,
        },
        ERROR => {
            let (code, errno) = (payload.u16("refusal")?, payload.u16("refusal")?);
            ToHost::Error(Refusal::from_numbers(code, errno).ok_or(CodecError::Value("refusal"))?)
        }
        kind => return Err(CodecError::Kind(kind)),
    };
    payload.end((header, message))
}

/// Reads a packet as either side would, and writes again what was understood: what the
/// fuzzer and the corpus test drive.
///
/// # Panics
///
/// When a message does not become the bytes it was read from: a defect.
pub fn exercise(packet: &[u8]) {
    let mut out = [0; MAX_MESSAGE];
    if let Ok((header, message)) = decode_to_broker(packet) {
        let len = message.encode(header, &mut out);
        assert_eq!(out.get(..len), Some(packet), "another {message:?}");
    }
    if let Ok((header, message)) = decode_to_host(packet) {
        let len = message.encode(header, &mut out);
        assert_eq!(out.get(..len), Some(packet), "another {message:?}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER_VALUE: Header = Header { device: 3, sequence: 0x0102_0304, time: 5 };

    #[test]
    fn a_state_on_the_wire() {
        let state =
            PadState { buttons: 0x1001, triggers: [7, 255], left: [-2, 3], right: [i16::MIN, i16::MAX] };
        let mut out = [0; MAX_MESSAGE];
        let len = ToBroker::State(state).encode(HEADER_VALUE, &mut out);
        let wanted = [
            b'p', b'i', 1, 4, 3, 0, 14, 0, 4, 3, 2, 1, 5, 0, 0, 0, // header
            1, 0x10, 0, 0, 7, 255, 0xfe, 0xff, 3, 0, 0, 0x80, 0xff, 0x7f,
        ];
        assert_eq!(out[..len], wanted);
        assert_eq!(decode_to_broker(&wanted), Ok((HEADER_VALUE, ToBroker::State(state))));
        assert_eq!(decode_to_host(&wanted), Err(CodecError::Kind(4)));
    }

    #[test]
    fn what_is_not_exactly_a_message_is_none() {
        let mut out = [0; MAX_MESSAGE];
        let len = ToBroker::Destroy.encode(HEADER_VALUE, &mut out);
        assert!(decode_to_broker(&out[..len]).is_ok());
        for (at, value) in [(0, 0), (2, 2), (3, 5), (3, 0x84), (4, 16), (5, 1), (6, 1)] {
            let mut broken = out;
            broken[at] = value;
            assert!(decode_to_broker(&broken[..len]).is_err(), "byte {at} = {value}");
        }
        for wrong in [0, 1, 15, 17, 128] {
            assert!(decode_to_broker(&out[..wrong]).is_err(), "{wrong} bytes");
        }
        assert_eq!(decode_to_broker(&[0; MAX_MESSAGE + 1]), Err(CodecError::Size(129)));
    }

    #[test]
    fn a_seat_has_a_name_that_fits_into_phys() {
        for wrong in ["", "a b", "a/b", "ä", "x\n", &"x".repeat(33)] {
            assert_eq!(SeatName::new(wrong), None, "{wrong:?}");
        }
        assert_eq!(SeatName::new(&"x".repeat(32)).unwrap().as_str().len(), 32);
        assert_eq!(SeatName::from_any("seat of /Ana/").as_str(), "seatofAna");
        assert_eq!(SeatName::from_any("\u{e4}\u{f6}").as_str(), "seat");
        let mut out = [0; MAX_MESSAGE];
        let len = ToBroker::Hello(SeatName::new("ab").unwrap()).encode(HEADER_VALUE, &mut out);
        // Nothing may hide behind the end of the name.
        out[HEADER + 5] = b'x';
        assert_eq!(decode_to_broker(&out[..len]), Err(CodecError::Value("name of a seat")));
    }

    #[test]
    fn every_refusal_survives_and_says_what_is_wrong() {
        let all = (1..=9).map(|code| Refusal::from_numbers(code, if code == 9 { 22 } else { 0 }).unwrap());
        for refusal in all {
            let mut out = [0; MAX_MESSAGE];
            let len = ToHost::Error(refusal).encode(HEADER_VALUE, &mut out);
            assert_eq!(decode_to_host(&out[..len]).unwrap().1, ToHost::Error(refusal));
            assert!(!refusal.to_string().contains('\n'));
        }
        assert_eq!(Refusal::from_numbers(1, 1), None);
        assert_eq!(Refusal::from_numbers(10, 0), None);
    }

    proptest! {
        #[test]
        fn any_state_survives(buttons: u32, triggers: [u8; 2], left: [i16; 2], right: [i16; 2], sequence: u32) {
            let message = ToBroker::State(PadState { buttons, triggers, left, right });
            let header = Header { device: 15, sequence, time: !sequence };
            let mut out = [0; MAX_MESSAGE];
            let len = message.encode(header, &mut out);
            prop_assert_eq!(decode_to_broker(&out[..len]), Ok((header, message)));
        }

        #[test]
        fn any_bytes_are_refused_or_survive(mut bytes in proptest::collection::vec(any::<u8>(), 0..140), valid: bool) {
            if valid && bytes.len() >= HEADER {
                bytes[..3].copy_from_slice(&[b'p', b'i', 1]);
                bytes[5] = 0;
                let len = u16::try_from(bytes.len() - HEADER).unwrap();
                bytes[6..8].copy_from_slice(&len.to_le_bytes());
            }
            exercise(&bytes);
        }
    }
}
