//! Messages of punktfunk/1 that nobody thought of: any fields, any bytes, any pieces; and
//! the way of an event from one side to the other.

use std::time::Duration;

use proptest::prelude::*;
use punktfunk_core::input::pad::{self, Change, Feedback, Sensor, State};
use punktfunk_core::input::{Event, Phase};
use punktfunk_core::native::keys::{Aead, Direction};
use punktfunk_core::native::wire::control::{
    AppEntry, Apps, Clipboard, Control, Hello, Key, Reader, Text, most,
};
use punktfunk_core::native::wire::datagram::Datagram;
use punktfunk_core::native::wire::input::{Effects, Inbound, InboundEffects, Input, Outbound, Sent};
use punktfunk_core::native::wire::report::{Feedback as Report, Nack, Reports};
use punktfunk_core::native::wire::{
    Access, Codec, Error, Mode, SessionId, exercise_control, exercise_datagram, exercise_report, report,
    varint,
};
use punktfunk_core::time::Time;

fn hello() -> impl Strategy<Value = Hello> {
    let mode = (32u32..=8192, 32u32..=8192, 1000u32..=1_000_000);
    let mode = mode.prop_map(|(w, h, refresh_mhz)| Mode { width: 2 * w, height: 2 * h, refresh_mhz });
    let codec = (0u64..64).prop_filter_map("unknown", Codec::from_number);
    let lists = (
        prop::collection::vec(any::<u32>(), 1..5),
        prop::collection::vec(codec, 0..9),
        prop::sample::subsequence(vec![Aead::Aes128Gcm, Aead::ChaCha20Poly1305], 0..=2),
    );
    let rest = ("\\PC{0,16}", any::<Option<u32>>(), any::<Option<[u8; 16]>>(), any::<[bool; 3]>());
    let numbers = (500u32..=4_000_000, 1200u16..=9000, 0u8..=16, prop::sample::select(vec![0u8, 2, 6, 8]));
    (mode, lists, rest, numbers).prop_map(|(mode, (versions, codecs, aeads), rest, numbers)| {
        let (name, app, resume, [mic, launch, local_sound]) = rest;
        let (bitrate_kbps, payload, pads, channels) = numbers;
        let resume = resume.map(SessionId);
        Hello {
            versions,
            name,
            app,
            resume,
            mode,
            codecs,
            bitrate_kbps,
            channels,
            aeads,
            payload,
            mic,
            pads,
            launch,
            local_sound,
        }
    })
}

proptest! {
    #[test]
    fn any_hello_is_read_as_it_was_written(hello in hello(), step in 1usize..200) {
        let mut bytes = Vec::new();
        Control::Hello(hello.clone()).encode(&mut bytes).unwrap();
        let mut reader = Reader::new(Direction::ToHost);
        let mut got = Vec::new();
        for mut piece in bytes.chunks(step) {
            got.extend(reader.read(&mut piece).unwrap());
        }
        prop_assert_eq!(got, vec![Control::Hello(hello)]);
        prop_assert!(reader.is_between_messages());
    }

    #[test]
    fn any_feedback_is_read_as_it_was_written(
        numbers: [u32; 9], largest: u16, bursts: [u16; 6], bytes in 0..=varint::MAX, highest in 0..=varint::MAX,
    ) {
        let [received, lost, recovered, frames, frames_lost, delay_us, decode_us, number, interval_us] = numbers;
        let feedback = report::Report::Feedback(Report {
            highest, received, lost, bursts, recovered, frames, frames_lost, delay_us, decode_us,
            backlog: frames, largest, number, interval_us, bytes,
        });
        let mut out = Vec::new();
        feedback.encode(&mut out);
        let read: Vec<_> = Reports::new(Direction::ToHost, &out).collect();
        prop_assert_eq!(read, vec![Ok(feedback)]);
    }

    #[test]
    fn any_ranges_are_read_as_they_were_written(
        ranges in prop::collection::vec((0u16..60_000, 1u16..5000), 1..300), frame: u32, block: u8,
        turn: Option<u8>, spread: u8,
    ) {
        let nack = report::Report::Nack(Nack { frame, block, missing: report::Missing::Ranges(ranges), turn, spread });
        let mut out = Vec::new();
        nack.encode(&mut out);
        let read: Vec<_> = Reports::new(Direction::ToHost, &out).collect();
        prop_assert_eq!(read, vec![Ok(nack)]);
    }

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        exercise_control(&bytes);
        exercise_datagram(&bytes);
        exercise_report(&bytes);
    }

    /// Bytes that look like messages: known types, small bodies of small fields.
    #[test]
    fn nothing_like_a_message_makes_a_parser_panic(
        step: u8,
        messages in prop::collection::vec(
            (0u64..0x70, prop::collection::vec((0u64..24, prop::collection::vec(any::<u8>(), 0..4)), 0..12)), 0..6,
        ),
    ) {
        let mut bytes = vec![step];
        for (kind, mut fields) in messages {
            fields.sort_by_key(|(tag, _)| *tag);
            let mut body = Vec::new();
            for (tag, value) in fields {
                varint::encode(tag, &mut body);
                varint::encode(value.len() as u64, &mut body);
                body.extend(value);
            }
            varint::encode(kind, &mut bytes);
            varint::encode(body.len() as u64, &mut bytes);
            bytes.extend(body);
        }
        exercise_control(&bytes);
        exercise_report(&bytes[1..]);
        for kind in 0x40..=0x48 {
            bytes[0] = kind;
            exercise_datagram(&bytes);
        }
    }

    #[test]
    fn pointer_motion_adds_up_whatever_is_lost(
        moves in prop::collection::vec((-3000.0f64..3000.0, -3000.0f64..3000.0, any::<bool>()), 1..60),
    ) {
        let (mut outbound, mut inbound) = (Outbound::new(), Inbound::new());
        let (mut wanted, mut got, mut last) = ([0.0; 2], [0.0; 2], true);
        for (dx, dy, arrives) in moves {
            wanted = [wanted[0] + dx, wanted[1] + dy];
            let Sent::Datagram(sent) = outbound.event(&Event::PointerMotion { dx, dy }) else { panic!() };
            last = arrives;
            let mut out = Vec::new();
            for _ in 0..2 * usize::from(arrives) {
                inbound.datagram(&sent, &mut out);
            }
            prop_assert_eq!(out.len(), usize::from(arrives), "a repeated one counts once");
            for input in out {
                let Input::Event(Event::PointerMotion { dx, dy }) = input else { panic!() };
                got = [got[0] + dx, got[1] + dy];
            }
        }
        if last {
            prop_assert!((got[0] - wanted[0]).abs() < 0.01 && (got[1] - wanted[1]).abs() < 0.01);
        }
    }
}

/// Sends one event over; `None` when nothing comes out.
fn over(event: &Event) -> Vec<Input> {
    let mut out = Vec::new();
    match Outbound::new().event(event) {
        Sent::Control(message) => Inbound::new().control(&message, &mut out),
        Sent::Datagram(datagram) => Inbound::new().datagram(&datagram, &mut out),
    }
    out
}

#[test]
fn every_event_arrives_as_it_was() {
    let touch = punktfunk_core::input::Touch {
        id: 3,
        phase: Phase::Move,
        x: 1.0,
        y: 0.0,
        pressure: Some(1.0),
        contact: Some([1.0, 0.0]),
        rotation: Some(90),
    };
    let pen = punktfunk_core::input::Pen {
        phase: Phase::Hover,
        tool: punktfunk_core::input::Tool::Eraser,
        buttons: 4,
        x: 0.0,
        y: 1.0,
        pressure: None,
        distance: Some(1.0),
        rotation: None,
        tilt: Some(30),
    };
    for (event, access) in [
        (Event::Key { code: 30, down: true }, Access::KEYBOARD),
        (Event::PointerMotion { dx: 1.5, dy: -2.25 }, Access::POINTER),
        (Event::PointerPosition { x: 0.0, y: 1.0 }, Access::POINTER),
        (Event::PointerButton { code: 0x110, down: false }, Access::POINTER),
        (Event::Scroll { horizontal: -120, vertical: 7 }, Access::POINTER),
        (Event::Text { character: '🙂' }, Access::KEYBOARD),
        (Event::Touch(touch), Access::POINTER),
        (Event::Pen(pen), Access::POINTER),
        (Event::ReleaseAll, Access::NONE),
    ] {
        assert_eq!(over(&event), [Input::Event(event)]);
        let input = Input::Event(event);
        assert_eq!(Access::needed_for(&input), access);
        assert!(access.allows(&input) && (access == Access::NONE || !Access::NONE.allows(&input)));
    }
    let mut out = Vec::new();
    Inbound::new().control(&Control::Text(Text { text: "ab".into() }), &mut out);
    assert_eq!(out.len(), 2, "each character is an event");
}

#[test]
fn a_button_finds_the_pointer_where_it_was_whatever_became_of_the_datagrams() {
    let moves = [
        Event::PointerMotion { dx: 3.0, dy: 1.0 },
        Event::PointerPosition { x: 1.0, y: 0.0 },
        Event::PointerMotion { dx: -5.0, dy: 2.5 },
    ];
    let button = Event::PointerButton { code: 0x110, down: true };
    // All come; the last is lost; all are lost; the last is overtaken.
    for (come, late) in [(3, None), (2, None), (0, None), (2, Some(2))] {
        let (mut outbound, mut inbound, mut out) = (Outbound::new(), Inbound::new(), Vec::new());
        let said = moves.map(|event| outbound.event(&event));
        let datagram = |at: usize| match &said[at] {
            Sent::Datagram(datagram) => *datagram,
            Sent::Control(_) => panic!("motion may be lost"),
        };
        (0..come).for_each(|at| inbound.datagram(&datagram(at), &mut out));
        let Sent::Control(message) = outbound.event(&button) else { panic!("a button may not be lost") };
        inbound.control(&message, &mut out);
        assert_eq!(out.pop(), Some(Input::Event(button)));
        // In sum it moved as far as all that was said.
        let motion = out.iter().fold([0.0, 0.0], |[x, y], input| match input {
            Input::Event(Event::PointerMotion { dx, dy }) => [x + dx, y + dy],
            _ => [x, y],
        });
        assert_eq!(motion, [-2.0, 3.5], "{come} came");
        let before = out.len();
        late.iter().for_each(|at| inbound.datagram(&datagram(*at), &mut out));
        assert_eq!(out.len(), before, "what the button said is not done twice");
    }
}

#[test]
fn whatever_a_pad_does_arrives_as_it_was() {
    let state = State { buttons: 0x1000, left_trigger: 9, left: [-5, 7], ..State::default() };
    let touch = pad::Touch { touchpad: 1, id: 2, phase: Phase::Down, x: 1.0, y: 0.0, pressure: 1.0 };
    let arrival = pad::Arrival { kind: pad::Kind::Steam, capabilities: 0x101, buttons: 0xF000 };
    for change in [
        Change::Arrived(arrival),
        Change::State(state),
        Change::Touch(touch),
        Change::Motion { sensor: Sensor::Gyro, axes: [1.0, -2.5, 0.0] },
        Change::Battery { charge: pad::Charge::Charging, percent: Some(55) },
        Change::Left,
    ] {
        let event = pad::Event { index: 4, change };
        let mut out = Vec::new();
        match Outbound::new().pad(Time(0), &event).unwrap() {
            Sent::Control(message) => Inbound::new().control(&message, &mut out),
            Sent::Datagram(datagram) => Inbound::new().datagram(&datagram, &mut out),
        }
        assert_eq!(out, [Input::Pad(event)]);
        assert!(Access::PADS.allows(&out[0]) && !Access::KEYBOARD.allows(&out[0]));
    }
    assert_eq!(Outbound::new().pad(Time(0), &pad::Event { index: 16, change: Change::Left }), None);
}

#[test]
fn a_state_is_said_four_times_and_an_older_one_does_not_count() {
    let (mut outbound, mut inbound) = (Outbound::new(), Inbound::new());
    let pressed = State { buttons: 1, ..State::default() };
    let mut said = Vec::new();
    let change = |state| pad::Event { index: 0, change: Change::State(state) };
    for state in [pressed, State::default()] {
        let Some(Sent::Datagram(datagram)) = outbound.pad(Time(0), &change(state)) else { panic!() };
        said.push(datagram);
    }
    let mut now = Time(0);
    while let Some(at) = outbound.deadline() {
        assert_eq!(at, now + Duration::from_millis(100));
        assert_eq!(outbound.poll(now), None, "not yet");
        now = at;
        said.extend(outbound.poll(now));
        assert_eq!(outbound.poll(now), None);
    }
    assert_eq!(said.len(), 5);
    let mut out = Vec::new();
    for datagram in [said[4], said[0], said[4], said[3]] {
        inbound.datagram(&datagram, &mut out);
    }
    assert_eq!(out, [Input::Pad(change(State::default()))]);
}

#[test]
fn effects_arrive_once_and_rumble_that_ended_is_said_again() {
    let (mut effects, mut inbound) = (Effects::new(), InboundEffects::new());
    let mut out = Vec::new();
    for effect in [
        Feedback::Rumble { low: 9, high: 8 },
        Feedback::TriggerRumble { left: 7, right: 6 },
        Feedback::Led([1, 2, 3]),
        Feedback::MotionReporting { sensor: Sensor::Gyro, rate: 250 },
        Feedback::AdaptiveTriggers { sides: 4, effects: [1, 2], left: [3; 10], right: [4; 10] },
        Feedback::Rumble { low: 0, high: 0 },
    ] {
        match effects.effect(Time(0), 5, &effect).unwrap() {
            Sent::Control(message) => inbound.control(&message, &mut out),
            Sent::Datagram(datagram) => inbound.datagram(&datagram, &mut out),
        }
        assert_eq!(out.pop(), Some((5, effect)));
        assert_eq!(out, []);
    }
    let mut again = 0;
    while let Some(at) = effects.deadline() {
        let Some(datagram) = effects.poll(at) else { panic!("nothing at the deadline") };
        assert!(matches!(datagram, Datagram::Rumble { pad: 5, .. }));
        inbound.datagram(&datagram, &mut out);
        again += 1;
    }
    assert_eq!((again, out), (3, Vec::new()), "what is known already is no news");
    assert_eq!(effects.effect(Time(0), 16, &Feedback::Led([0; 3])), None);
}

#[test]
fn what_is_too_long_is_not_written() {
    let mut out = vec![1, 2];
    let clip = |bytes| Control::Clipboard(Clipboard { mime: "m".repeat(128), data: vec![0; bytes] });
    assert_eq!(clip(Clipboard::MOST).encode(&mut out), Ok(()));
    assert!(Control::decode(Direction::ToHost, &out[2..]).is_ok());
    out.truncate(2);
    let refused = clip(Clipboard::MOST + 200).encode(&mut out);
    assert!(matches!(refused, Err(Error::TooLong { kind: 0x29, .. })), "{refused:?}");
    assert_eq!(out, [1, 2]);
    let text = Control::Text(Text { text: "x".repeat(4097) });
    assert!(text.encode(&mut out).is_err());
}

#[test]
fn the_longest_list_of_applications_fits() {
    let app = |id| AppEntry { id, title: "ü".repeat(40) };
    let apps = Control::Apps(Apps { apps: (u32::MAX - 600..u32::MAX).map(app).collect(), running: None });
    let mut out = Vec::new();
    apps.encode(&mut out).unwrap();
    assert!(out.len() as u64 <= most(0x09));
    let Ok((Some(Control::Apps(read)), _)) = Control::decode(Direction::ToClient, &out) else { panic!() };
    assert_eq!((read.apps.len(), read.apps[0].title.as_str()), (Apps::MOST, "ü".repeat(32).as_str()));
}

#[test]
fn a_reader_holds_one_message_and_nothing_that_it_skips() {
    let mut reader = Reader::new(Direction::ToHost);
    let mut head = Vec::new();
    varint::encode(0x3FFF, &mut head);
    varint::encode(65_536, &mut head);
    assert_eq!(reader.read(&mut head.as_slice()), Ok(None));
    for _ in 0..65_536 / 512 {
        assert!(!reader.is_between_messages());
        assert_eq!(reader.read(&mut &[7; 512][..]), Ok(None));
        assert!(reader.held() < 64);
    }
    let mut bytes = Vec::new();
    let long = Control::Clipboard(Clipboard { mime: String::new(), data: vec![7; 60_000] });
    let key = Control::Key(Key { code: 1, down: true });
    for message in [&long, &key, &long, &key] {
        message.encode(&mut bytes).unwrap();
    }
    let mut rest = bytes.as_slice();
    for message in [&long, &key, &long, &key] {
        assert_eq!(reader.read(&mut rest).as_ref(), Ok(&Some(message.clone())));
        assert!(reader.held() <= 4096, "what a long message needed is given back");
    }
    assert_eq!(reader.read(&mut rest), Ok(None));
    assert!(reader.is_between_messages());
}
