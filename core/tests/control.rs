//! The control stream: the sheet's vectors, round trips of every message, replay.

use proptest::prelude::*;
use punktfunk_core::bytes::{from_hex, to_hex};
use punktfunk_core::enet::Delivery;
use punktfunk_core::gamestream::control::{
    Cipher, ClientMessage, DecodeError, FecStatus, HdrMetadata, HostMessage, OpenError, REASON_GRACEFUL,
    Side, Style,
};
use punktfunk_core::gamestream::input::{Message, message};
use punktfunk_core::input::pad::{Feedback, Sensor};

const KEY: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

#[test]
fn sealed_messages_match_the_vectors() {
    // Sheet, section 18.
    let idr = ClientMessage::IdrRequest.encode();
    assert_eq!(to_hex(&idr), "020302000000");
    let mut client = Cipher::new(&KEY, Side::Client, Style::V2).unwrap();
    let sealed = client.seal(&idr).unwrap();
    assert_eq!(to_hex(&sealed), "01001a000000000022302723537811166cb9bfead7dad4575cd629f5cafe");
    let mut host = Cipher::new(&KEY, Side::Host, Style::V2).unwrap();
    assert_eq!(host.open(&sealed), Ok(idr.clone()));
    assert_eq!(host.open(&sealed), Err(OpenError::Replayed));
    for _ in 0..5 {
        host.seal(b"").unwrap();
    }
    let sealed = host.seal(&idr).unwrap();
    assert_eq!(to_hex(&sealed), "01001a0005000000af33a9f3b807ede3d08412ccca61f3983e857d0bb821");
    assert_eq!(client.open(&sealed), Ok(idr));
}

#[test]
fn the_old_style_matches_its_vector_and_is_no_other() {
    // Sheet, section 18: the same nonce in both directions.
    let idr = ClientMessage::IdrRequest.encode();
    let old = |side| Cipher::new(&KEY, side, Style::Old).unwrap();
    let (mut client, mut host) = (old(Side::Client), old(Side::Host));
    for cipher in [&mut client, &mut host] {
        (0..5).for_each(|_| drop(cipher.seal(b"").unwrap()));
    }
    let sealed = client.seal(&idr).unwrap();
    assert_eq!(to_hex(&sealed), "01001a00050000004efac1fd7c54061860318aaec87c59b5fc2b7e8c62dd");
    assert_eq!(host.seal(&idr).unwrap(), sealed);
    assert_eq!(host.open(&sealed), Ok(idr));
    assert_eq!(host.open(&sealed), Err(OpenError::Replayed));
    let mut v2 = Cipher::new(&KEY, Side::Host, Style::V2).unwrap();
    assert!(matches!(v2.open(&sealed), Err(OpenError::Crypto(_))));
    assert!(matches!(host.open(&v2.seal(b"x").unwrap()), Err(OpenError::Crypto(_))));
}

#[test]
fn an_old_message_counts_once_though_its_nonce_comes_again() {
    let mut client = Cipher::new(&KEY, Side::Client, Style::Old).unwrap();
    let mut host = Cipher::new(&KEY, Side::Host, Style::Old).unwrap();
    let sealed: Vec<_> = (0..600u16).map(|n| client.seal(&n.to_le_bytes()).unwrap()).collect();
    for (n, packet) in (0..600u16).zip(&sealed).rev() {
        assert_eq!(host.open(packet), Ok(n.to_le_bytes().to_vec()));
    }
    for packet in &sealed {
        assert!(!host.is_genuine(packet));
        assert_eq!(host.open(packet), Err(OpenError::Replayed));
    }
}

#[test]
fn messages_open_in_any_order_but_each_once_and_only_unchanged() {
    let mut client = Cipher::new(&KEY, Side::Client, Style::V2).unwrap();
    let sealed: Vec<_> = (0..1100u16).map(|n| client.seal(&n.to_le_bytes()).unwrap()).collect();
    let mut host = Cipher::new(&KEY, Side::Host, Style::V2).unwrap();
    // A forgery with a high counter must not move the window.
    let mut forged = sealed[1099].clone();
    forged[7] = 0x7F;
    assert!(matches!(host.open(&forged), Err(OpenError::Crypto(_))));
    for n in (76..1100).rev() {
        assert!(host.is_genuine(&sealed[n]));
        assert!(host.open(&sealed[n]).is_ok(), "{n}");
        assert!(!host.is_genuine(&sealed[n]));
    }
    assert_eq!(host.open(&sealed[75]), Err(OpenError::Replayed), "too old to tell");
    assert_eq!(host.open(&sealed[1099]), Err(OpenError::Replayed));
    // What a host sealed is not taken for a client's.
    let own = host.seal(b"x").unwrap();
    assert!(matches!(host.open(&own), Err(OpenError::Crypto(_))));
    let mut other = Cipher::new(&[9; 16], Side::Host, Style::V2).unwrap();
    assert!(matches!(other.open(&sealed[0]), Err(OpenError::Crypto(_))));
    for bit in 0..sealed[0].len() * 8 {
        let mut damaged = sealed[0].clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(!other.is_genuine(&damaged) && !host.is_genuine(&damaged));
    }
}

fn client_messages() -> Vec<ClientMessage> {
    let status = FecStatus {
        frame: 7,
        highest_seq: 100,
        next_contiguous_seq: 90,
        missing_before_highest: 3,
        data_total: 10,
        parity_total: 2,
        data_received: 8,
        parity_received: 2,
        percentage: 20,
        block_index: 1,
        block_count: 4,
    };
    vec![
        ClientMessage::IdrRequest,
        ClientMessage::StartB,
        ClientMessage::Ping,
        ClientMessage::InvalidateRange { first: 3, last: 9 },
        ClientMessage::LongTermAck { frame: 12 },
        ClientMessage::Input(Message::Relative { dx: 1, dy: -1 }),
        ClientMessage::FecStatus(status),
        ClientMessage::Other { kind: 0x0305 },
    ]
}

fn host_messages() -> Vec<HostMessage> {
    let metadata = HdrMetadata {
        primaries: [[1, 2], [3, 4], [5, 6]],
        white: [7, 8],
        max_luminance: 1000,
        min_luminance: 1,
        max_content_light: 900,
        max_frame_average_light: 400,
        max_full_frame_luminance: 600,
    };
    let data = [[1; 10], [2; 10]];
    vec![
        HostMessage::Termination { reason: REASON_GRACEFUL },
        HostMessage::Rumble { pad: 1, low: 2, high: 3 },
        HostMessage::HdrMode { enabled: true, metadata },
        HostMessage::TriggerRumble { pad: 1, left: 2, right: 3 },
        HostMessage::MotionReporting { pad: 0, rate: 100, sensor: 2 },
        HostMessage::Led { pad: 3, rgb: [1, 2, 3] },
        HostMessage::AdaptiveTriggers { pad: 1, sides: 12, effects: [5, 6], data },
        HostMessage::Other { kind: 0x7777 },
    ]
}

#[test]
fn every_message_has_the_size_of_the_sheet_and_reads_back() {
    let sizes = [2, 1, 8, 24, 8, 12, 21, 0];
    for (message, size) in client_messages().into_iter().zip(sizes) {
        let bytes = message.encode();
        assert_eq!(bytes.len(), 4 + size, "{message:?}");
        assert_eq!(ClientMessage::decode(&bytes), Ok(message));
    }
    let sizes = [4, 10, 27, 6, 5, 5, 25, 0];
    for (message, size) in host_messages().into_iter().zip(sizes) {
        let bytes = message.encode();
        assert_eq!(bytes.len(), 4 + size, "{message:?}");
        assert_eq!(HostMessage::decode(&bytes), Ok(message));
    }
}

#[test]
fn fields_are_where_the_sheet_says() {
    let termination = HostMessage::Termination { reason: REASON_GRACEFUL }.encode();
    assert_eq!(to_hex(&termination), "0901040080030023");
    let invalidate = ClientMessage::InvalidateRange { first: 1, last: 2 }.encode();
    assert_eq!(to_hex(&invalidate[..16]), "01031800010000000000000002000000");
    let short_hdr = from_hex("0e01010001").unwrap();
    let expected = HostMessage::HdrMode { enabled: true, metadata: HdrMetadata::default() };
    assert_eq!(HostMessage::decode(&short_hdr), Ok(expected));
}

#[test]
fn every_message_is_written_as_the_sheet_has_it() {
    // By hand from sections 14.1 and 14.2: type, length, payload.
    let client = [
        "0203".to_owned() + "0200" + "0000",
        "0703".to_owned() + "0100" + "00",
        "0002".to_owned() + "0800" + "0400" + "00000000" + "0000",
        "0103".to_owned() + "1800" + "03000000" + "00000000" + "09000000" + &"00".repeat(12),
        "5003".to_owned() + "0800" + "0c000000" + "00000000",
        "0602".to_owned() + "0c00" + "00000008" + "07000000" + "0001" + "ffff",
        "0255".to_owned() + "1500" + "00000007" + "0064005a0003000a000200080002" + "14" + "01" + "04",
        "0503".to_owned() + "0000",
    ];
    for (message, hex) in client_messages().into_iter().zip(client) {
        assert_eq!(to_hex(&message.encode()), hex, "{message:?}");
    }
    let host = [
        "0901".to_owned() + "0400" + "80030023",
        "0b01".to_owned() + "0a00" + "00000000" + "0100" + "0200" + "0300",
        "0e01".to_owned()
            + "1b00"
            + "01"
            + "010002000300040005000600"
            + "07000800"
            + "e803"
            + "0100"
            + "8403"
            + "9001"
            + "5802",
        "0055".to_owned() + "0600" + "0100" + "0200" + "0300",
        "0155".to_owned() + "0500" + "0000" + "6400" + "02",
        "0255".to_owned() + "0500" + "0300" + "010203",
        "0355".to_owned() + "1900" + "0100" + "0c" + "05" + "06" + &"01".repeat(10) + &"02".repeat(10),
        "7777".to_owned() + "0000",
    ];
    for (message, hex) in host_messages().into_iter().zip(host) {
        assert_eq!(to_hex(&message.encode()), hex, "{message:?}");
    }
}

#[test]
fn what_a_pad_shall_do_is_said_in_the_client_s_terms() {
    let said = |feedback| HostMessage::from((3, feedback));
    let rumble = HostMessage::Rumble { pad: 3, low: 1, high: 2 };
    assert_eq!(said(Feedback::Rumble { low: 1, high: 2 }), rumble);
    let triggers = HostMessage::TriggerRumble { pad: 3, left: 1, right: 2 };
    assert_eq!(said(Feedback::TriggerRumble { left: 1, right: 2 }), triggers);
    assert_eq!(said(Feedback::Led([1, 2, 3])), HostMessage::Led { pad: 3, rgb: [1, 2, 3] });
    // A rate that a byte of milliseconds cannot hold is changed; 0 still means never.
    for (wanted, rate) in [(0, 0), (1, 4), (4, 4), (250, 250), (1000, 1000), (8000, 1000)] {
        let gyro = Feedback::MotionReporting { sensor: Sensor::Gyro, rate: wanted };
        assert_eq!(said(gyro), HostMessage::MotionReporting { pad: 3, rate, sensor: 2 });
    }
    let accelerometer = Feedback::MotionReporting { sensor: Sensor::Accelerometer, rate: 100 };
    assert_eq!(said(accelerometer), HostMessage::MotionReporting { pad: 3, rate: 100, sensor: 1 });
    let (left, right) = ([1; 10], [2; 10]);
    assert_eq!(
        said(Feedback::AdaptiveTriggers { sides: 4, effects: [0, 2], left, right }),
        HostMessage::AdaptiveTriggers { pad: 3, sides: 4, effects: [0, 2], data: [left, right] }
    );
}

#[test]
fn everything_a_client_says_has_the_channel_of_the_sheet() {
    let motion = |axes| Message::PadMotion(message::Motion { pad: 3, sensor: message::sensor::GYRO, axes });
    let touch = |event| {
        let rotation = message::ROTATION_UNKNOWN;
        Message::Touch(message::Touch {
            event,
            rotation,
            id: 1,
            x: 0.0,
            y: 0.0,
            pressure: 0.0,
            contact: [0.0; 2],
        })
    };
    let state = Message::PadState(message::PadState { pad: 3, ..message::PadState::default() });
    let expected = [
        (Message::Text('x'), 6, Delivery::Reliable),
        (Message::Button { down: true, button: 1 }, 3, Delivery::Reliable),
        (Message::Key { down: true, flags: 0, key: 1, modifiers: 0 }, 2, Delivery::Reliable),
        (touch(message::phase::DOWN), 5, Delivery::Reliable),
        (touch(message::phase::MOVE), 5, Delivery::Unreliable),
        (touch(message::phase::HOVER), 5, Delivery::Unreliable),
        (touch(message::phase::UP), 5, Delivery::Reliable),
        (state, 0x13, Delivery::Reliable),
        (motion([0.0, 1.0, 0.0]), 0x23, Delivery::Unreliable),
        (motion([0.0; 3]), 0x23, Delivery::Reliable),
    ];
    for (message, channel, delivery) in expected {
        assert_eq!(ClientMessage::Input(message.clone()).route(), (channel, delivery), "{message:?}");
    }
    let [idr, _, ping, range, ack, _, status, _] = &client_messages()[..] else { panic!() };
    for urgent in [idr, range, ack] {
        assert_eq!(urgent.route(), (1, Delivery::Reliable));
    }
    assert_eq!(ping.route(), (0, Delivery::Reliable));
    assert_eq!(status.route(), (0, Delivery::Unsequenced));
}

#[test]
fn shard_counts_tell_whether_a_block_can_be_repaired() {
    let Some(ClientMessage::FecStatus(status)) = client_messages().into_iter().nth(6) else { panic!() };
    assert_eq!((status.missing(), status.is_repairable()), (2, true));
    let worse = FecStatus { data_received: 7, ..status };
    assert_eq!((worse.missing(), worse.is_repairable()), (3, false));
}

#[test]
fn wrong_lengths_are_errors() {
    assert_eq!(ClientMessage::decode(&from_hex("02030200000000").unwrap()), Err(DecodeError::Trailing(1)));
    assert!(matches!(
        ClientMessage::decode(&from_hex("0203020000").unwrap()),
        Err(DecodeError::Truncated(_))
    ));
    assert!(matches!(HostMessage::decode(&[9, 1, 0, 0]), Err(DecodeError::Truncated(_))));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, kind in prop::sample::select(vec![
        0x0301u16, 0x0350, 0x0206, 0x5502, 0x0109, 0x010B, 0x010E, 0x5500, 0x5501, 0x5503,
    ])) {
        let mut framed = kind.to_le_bytes().to_vec();
        framed.extend(u16::try_from(bytes.len()).unwrap().to_le_bytes());
        framed.extend(&bytes);
        for message in [&bytes, &framed] {
            let _ = HostMessage::decode(message);
            let _ = ClientMessage::decode(message);
        }
        let mut cipher = Cipher::new(&KEY, Side::Host, Style::V2).unwrap();
        prop_assert!(cipher.open(&bytes).is_err());
    }
}
