//! The bytes of an ENet datagram: a head and up to 32 commands (sheet, section 13).
//!
//! Everything is big-endian but the connect id, which is echoed as it came.

use crate::bytes::{Reader, Truncated, Writer};

/// Peer id in datagrams to someone who has assigned none yet.
pub(super) const NO_PEER: u16 = 0xFFF;
/// The channel of commands that belong to the connection.
pub(super) const CONNECTION: u8 = 0xFF;
/// Commands that one datagram may hold.
pub(super) const MAX_COMMANDS: usize = 32;
/// Bytes of a datagram's head when it carries a sent time.
pub(super) const HEAD_LEN: usize = 4;
/// Bytes of a fragment command without its data.
pub(super) const FRAGMENT_LEN: usize = 24;
/// Bytes of an acknowledgement.
pub(super) const ACK_LEN: usize = 8;

const COMPRESSED: u16 = 0x4000;
const SENT_TIME: u16 = 0x8000;
const ACKNOWLEDGE: u8 = 0x80;
const UNSEQUENCED: u8 = 0x40;

/// A datagram is not ENet, or not the part of ENet that is spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The datagram ends inside a command.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// Compression was never agreed upon.
    #[error("the datagram is compressed: send it plain")]
    Compressed,
    /// A command number that ENet does not have.
    #[error("ENet has no command {0}")]
    UnknownCommand(u8),
    /// The datagram has no command at all, or more than 32.
    #[error("a datagram must hold 1 to 32 commands")]
    CommandCount,
    /// A fragment lies outside of its message.
    #[error("a fragment lies outside of its message")]
    FragmentBounds,
}

/// The head of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) peer: u16,
    pub(super) session: u8,
    /// Low 16 bits of the sender's milliseconds.
    pub(super) sent: Option<u16>,
}

/// What CONNECT and VERIFY CONNECT have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handshake {
    pub(super) peer: u16,
    pub(super) incoming_session: u8,
    pub(super) outgoing_session: u8,
    pub(super) mtu: u32,
    pub(super) window: u32,
    pub(super) channels: u32,
    pub(super) incoming_bandwidth: u32,
    pub(super) outgoing_bandwidth: u32,
    /// Interval, acceleration, deceleration; only echoed.
    pub(super) throttle: [u32; 3],
    pub(super) connect_id: [u8; 4],
}

/// One part of a long message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment<'a> {
    pub(super) start: u16,
    pub(super) count: u32,
    pub(super) number: u32,
    pub(super) total: u32,
    pub(super) offset: u32,
    pub(super) data: &'a [u8],
}

/// What a command says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body<'a> {
    Ack { seq: u16, sent: u16 },
    Connect { handshake: Handshake, data: u32 },
    Verify(Handshake),
    Disconnect { data: u32 },
    Ping,
    Reliable(&'a [u8]),
    Unreliable { seq: u16, data: &'a [u8] },
    Fragment(Fragment<'a>),
    Unsequenced { group: u16, data: &'a [u8] },
    BandwidthLimit { incoming: u32, outgoing: u32 },
    Throttle([u32; 3]),
    UnreliableFragment(Fragment<'a>),
}

/// One command of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Command<'a> {
    /// The receiver has to acknowledge it.
    pub(super) acknowledge: bool,
    pub(super) unsequenced: bool,
    pub(super) channel: u8,
    pub(super) seq: u16,
    pub(super) body: Body<'a>,
}

/// Reads a whole datagram, or nothing of it.
pub(super) fn decode(datagram: &[u8]) -> Result<(Head, Vec<Command<'_>>), Malformed> {
    let mut reader = Reader::new(datagram);
    let word = reader.u16_be()?;
    if word & COMPRESSED != 0 {
        return Err(Malformed::Compressed);
    }
    let sent = if word & SENT_TIME != 0 { Some(reader.u16_be()?) } else { None };
    let head = Head { peer: word & NO_PEER, session: u8::try_from(word >> 12 & 3).unwrap_or(0), sent };
    let mut commands = Vec::new();
    while !reader.is_empty() {
        if commands.len() == MAX_COMMANDS {
            return Err(Malformed::CommandCount);
        }
        commands.push(decode_command(&mut reader)?);
    }
    if commands.is_empty() { Err(Malformed::CommandCount) } else { Ok((head, commands)) }
}

fn decode_command<'a>(reader: &mut Reader<'a>) -> Result<Command<'a>, Malformed> {
    let kind = reader.u8()?;
    let channel = reader.u8()?;
    let seq = reader.u16_be()?;
    let body = match kind & 0x0F {
        1 => Body::Ack { seq: reader.u16_be()?, sent: reader.u16_be()? },
        2 => Body::Connect { handshake: decode_handshake(reader)?, data: reader.u32_be()? },
        3 => Body::Verify(decode_handshake(reader)?),
        4 => Body::Disconnect { data: reader.u32_be()? },
        5 => Body::Ping,
        6 => Body::Reliable(sized(reader)?),
        7 => Body::Unreliable { seq: reader.u16_be()?, data: sized(reader)? },
        8 => Body::Fragment(decode_fragment(reader)?),
        9 => Body::Unsequenced { group: reader.u16_be()?, data: sized(reader)? },
        10 => Body::BandwidthLimit { incoming: reader.u32_be()?, outgoing: reader.u32_be()? },
        11 => Body::Throttle([reader.u32_be()?, reader.u32_be()?, reader.u32_be()?]),
        12 => Body::UnreliableFragment(decode_fragment(reader)?),
        other => return Err(Malformed::UnknownCommand(other)),
    };
    Ok(Command {
        acknowledge: kind & ACKNOWLEDGE != 0,
        unsequenced: kind & UNSEQUENCED != 0,
        channel,
        seq,
        body,
    })
}

fn sized<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Truncated> {
    let len = reader.u16_be()?;
    reader.take(usize::from(len))
}

fn decode_handshake(reader: &mut Reader<'_>) -> Result<Handshake, Truncated> {
    Ok(Handshake {
        peer: reader.u16_be()?,
        incoming_session: reader.u8()?,
        outgoing_session: reader.u8()?,
        mtu: reader.u32_be()?,
        window: reader.u32_be()?,
        channels: reader.u32_be()?,
        incoming_bandwidth: reader.u32_be()?,
        outgoing_bandwidth: reader.u32_be()?,
        throttle: [reader.u32_be()?, reader.u32_be()?, reader.u32_be()?],
        connect_id: reader.array()?,
    })
}

fn decode_fragment<'a>(reader: &mut Reader<'a>) -> Result<Fragment<'a>, Malformed> {
    let start = reader.u16_be()?;
    let len = reader.u16_be()?;
    let (count, number) = (reader.u32_be()?, reader.u32_be()?);
    let (total, offset) = (reader.u32_be()?, reader.u32_be()?);
    let data = reader.take(usize::from(len))?;
    let end = offset.checked_add(u32::from(len));
    let inside = end.is_some_and(|end| end <= total) && number < count && count <= total && len > 0;
    if !inside {
        return Err(Malformed::FragmentBounds);
    }
    Ok(Fragment { start, count, number, total, offset, data })
}

/// Appends the head of a datagram.
pub(super) fn encode_head(head: Head, out: &mut Vec<u8>) {
    let session = if head.peer == NO_PEER { 0 } else { u16::from(head.session & 3) << 12 };
    let word = head.peer & NO_PEER | session;
    match head.sent {
        Some(sent) => Writer::new(out).u16_be(word | SENT_TIME).u16_be(sent),
        None => Writer::new(out).u16_be(word),
    };
}

/// Appends one command. Data longer than 65,535 bytes does not fit a command and
/// is cut; senders cut messages into fragments long before.
pub(super) fn encode_command(command: &Command<'_>, out: &mut Vec<u8>) {
    let mut kind = match command.body {
        Body::Ack { .. } => 1,
        Body::Connect { .. } => 2,
        Body::Verify(_) => 3,
        Body::Disconnect { .. } => 4,
        Body::Ping => 5,
        Body::Reliable(_) => 6,
        Body::Unreliable { .. } => 7,
        Body::Fragment(_) => 8,
        Body::Unsequenced { .. } => 9,
        Body::BandwidthLimit { .. } => 10,
        Body::Throttle(_) => 11,
        Body::UnreliableFragment(_) => 12,
    };
    if command.acknowledge {
        kind |= ACKNOWLEDGE;
    }
    if command.unsequenced {
        kind |= UNSEQUENCED;
    }
    let mut writer = Writer::new(out);
    writer.u8(kind).u8(command.channel).u16_be(command.seq);
    match command.body {
        Body::Ack { seq, sent } => {
            writer.u16_be(seq).u16_be(sent);
        }
        Body::Connect { ref handshake, data } => {
            encode_handshake(handshake, &mut writer);
            writer.u32_be(data);
        }
        Body::Verify(ref handshake) => encode_handshake(handshake, &mut writer),
        Body::Disconnect { data } => {
            writer.u32_be(data);
        }
        Body::Ping => {}
        Body::Reliable(data) => put_sized(&mut writer, data),
        Body::Unreliable { seq, data } | Body::Unsequenced { group: seq, data } => {
            writer.u16_be(seq);
            put_sized(&mut writer, data);
        }
        Body::Fragment(fragment) | Body::UnreliableFragment(fragment) => {
            let (len, data) = cut(fragment.data);
            writer.u16_be(fragment.start).u16_be(len).u32_be(fragment.count).u32_be(fragment.number);
            writer.u32_be(fragment.total).u32_be(fragment.offset).bytes(data);
        }
        Body::BandwidthLimit { incoming, outgoing } => {
            writer.u32_be(incoming).u32_be(outgoing);
        }
        Body::Throttle([interval, acceleration, deceleration]) => {
            writer.u32_be(interval).u32_be(acceleration).u32_be(deceleration);
        }
    }
}

fn cut(data: &[u8]) -> (u16, &[u8]) {
    match u16::try_from(data.len()) {
        Ok(len) => (len, data),
        Err(_) => (u16::MAX, &data[..usize::from(u16::MAX)]),
    }
}

fn put_sized(writer: &mut Writer<'_>, data: &[u8]) {
    let (len, data) = cut(data);
    writer.u16_be(len).bytes(data);
}

fn encode_handshake(handshake: &Handshake, writer: &mut Writer<'_>) {
    writer.u16_be(handshake.peer).u8(handshake.incoming_session).u8(handshake.outgoing_session);
    writer.u32_be(handshake.mtu).u32_be(handshake.window).u32_be(handshake.channels);
    writer.u32_be(handshake.incoming_bandwidth).u32_be(handshake.outgoing_bandwidth);
    for value in handshake.throttle {
        writer.u32_be(value);
    }
    writer.bytes(&handshake.connect_id);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HANDSHAKE: Handshake = Handshake {
        peer: 3,
        incoming_session: 0xFF,
        outgoing_session: 1,
        mtu: 900,
        window: 65536,
        channels: 48,
        incoming_bandwidth: 0,
        outgoing_bandwidth: 7,
        throttle: [5000, 2, 2],
        connect_id: [1, 2, 3, 4],
    };

    fn bodies(data: &[u8]) -> Vec<Body<'_>> {
        let total = u32::try_from(data.len()).unwrap();
        let fragment = Fragment { start: 9, count: 1, number: 0, total, offset: 0, data };
        vec![
            Body::Ack { seq: 1, sent: 2 },
            Body::Connect { handshake: HANDSHAKE, data: 0xDEAD_BEEF },
            Body::Verify(HANDSHAKE),
            Body::Disconnect { data: 5 },
            Body::Ping,
            Body::Reliable(data),
            Body::Unreliable { seq: 4, data },
            Body::Fragment(fragment),
            Body::Unsequenced { group: 8, data },
            Body::BandwidthLimit { incoming: 1, outgoing: 2 },
            Body::Throttle([1, 2, 3]),
            Body::UnreliableFragment(fragment),
        ]
    }

    #[test]
    fn commands_have_the_sizes_of_the_sheet_and_read_back() {
        let sizes = [8, 48, 44, 8, 4, 6 + 3, 8 + 3, 24 + 3, 8 + 3, 12, 16, 24 + 3];
        for (body, size) in bodies(b"abc").into_iter().zip(sizes) {
            let mut out = Vec::new();
            let head = Head { peer: 0x123, session: 2, sent: Some(0xABCD) };
            encode_head(head, &mut out);
            assert_eq!(out, [0xA1, 0x23, 0xAB, 0xCD]);
            let command = Command { acknowledge: true, unsequenced: false, channel: 7, seq: 11, body };
            encode_command(&command, &mut out);
            assert_eq!(out.len(), 4 + size, "{body:?}");
            assert_eq!(decode(&out), Ok((head, vec![command])));
            for len in 0..out.len() {
                assert!(decode(&out[..len]).is_err());
            }
        }
    }

    #[test]
    fn a_fragment_outside_of_its_message_is_malformed() {
        for (count, number, total, offset) in [(2, 2, 6, 3), (2, 1, 6, 4), (7, 0, 6, 0), (2, 1, 6, u32::MAX)]
        {
            let fragment = Fragment { start: 1, count, number, total, offset, data: b"abc" };
            let mut out = vec![0, 1];
            let body = Body::Fragment(fragment);
            encode_command(
                &Command { acknowledge: true, unsequenced: false, channel: 0, seq: 1, body },
                &mut out,
            );
            assert_eq!(decode(&out), Err(Malformed::FragmentBounds));
        }
    }

    #[test]
    fn compression_and_crowds_are_refused() {
        assert_eq!(decode(&[0x40, 0, 5, 0, 0, 0]), Err(Malformed::Compressed));
        let mut out = vec![0, 0];
        out.extend([5, 0, 0, 0].repeat(33));
        assert_eq!(decode(&out), Err(Malformed::CommandCount));
        assert_eq!(decode(&[0, 0]), Err(Malformed::CommandCount));
        assert_eq!(decode(&[0, 0, 15, 0, 0, 0]), Err(Malformed::UnknownCommand(15)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            if let Ok((head, commands)) = decode(&bytes) {
                let mut out = Vec::new();
                encode_head(head, &mut out);
                commands.iter().for_each(|command| encode_command(command, &mut out));
                prop_assert_eq!(decode(&out), Ok((head, commands)));
            }
        }
    }
}
