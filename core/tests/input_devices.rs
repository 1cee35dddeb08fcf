//! Fingers, pens and gamepads: bytes as the sheet (section 15) has them, and what
//! they mean.

use proptest::prelude::*;
use punktfunk_core::bytes::{from_hex, to_hex};
use punktfunk_core::gamestream::input::message::{
    Arrival, Battery, Motion, PadState, PadTouch, Pen, ROTATION_UNKNOWN, TILT_UNKNOWN, Touch, phase, sensor,
    tool,
};
use punktfunk_core::gamestream::input::{DecodeError, Message, Translated, Translator};
use punktfunk_core::input::pad::{self, Change, Charge, Kind, Sensor, State};
use punktfunk_core::input::{self, Event, Phase, Tool};

const TOUCH: Touch = Touch {
    event: phase::DOWN,
    rotation: 90,
    id: 7,
    x: 0.5,
    y: 0.25,
    pressure: 1.0,
    contact: [0.125, 0.0625],
};
const PEN: Pen = Pen {
    event: phase::DOWN,
    tool: tool::ERASER,
    buttons: 5,
    x: 0.5,
    y: 0.25,
    pressure: 1.0,
    rotation: 359,
    tilt: 45,
    contact: [0.0, 2.0],
};
const STATE: PadState = PadState {
    pad: 2,
    active: 5,
    buttons: 0x0021_1002,
    left_trigger: 0x11,
    right_trigger: 0xFF,
    left: [-32768, 32767],
    right: [1, -2],
};
const ARRIVAL: Arrival = Arrival { pad: 2, kind: 2, capabilities: 0x01FF, buttons: 0x0031_F7FF };
const PAD_TOUCH: PadTouch =
    PadTouch { pad: 2, event: phase::DOWN, touchpad: 1, id: 9, x: 0.5, y: 0.25, pressure: 1.0 };
const MOTION: Motion = Motion { pad: 2, sensor: sensor::GYRO, axes: [1.0, -2.0, 0.5] };
const BATTERY: Battery = Battery { pad: 2, state: 3, percent: 80 };

/// Each message, and its bytes written down field by field from the sheet.
fn golden() -> Vec<(Message, String)> {
    let f = |value: f32| to_hex(&value.to_le_bytes());
    let golden =
        |message, total: u32, parts: &[&str]| (message, format!("{:08x}{}", total - 4, parts.concat()));
    vec![
        golden(
            Message::Touch(TOUCH),
            36,
            &[
                "02000055", "01", "00", "5a00", "07000000", "0000003f", "0000803e", "0000803f", "0000003e",
                "0000803d",
            ],
        ),
        golden(
            Message::Pen(PEN),
            36,
            &[
                "03000055", "01020500", "0000003f", "0000803e", "0000803f", "6701", "2d", "00", "00000000",
                "00000040",
            ],
        ),
        golden(
            Message::PadState(STATE),
            34,
            &[
                "0c000000", "1a00", "0200", "0500", "1400", "0210", "11", "ff", "0080", "ff7f", "0100",
                "feff", "9c00", "2100", "5500",
            ],
        ),
        golden(Message::PadArrival(ARRIVAL), 16, &["04000055", "02", "02", "ff01", "fff73100"]),
        golden(
            Message::PadTouch(PAD_TOUCH),
            28,
            &["05000055", "02", "01", "00", "01", "09000000", &f(0.5), &f(0.25), &f(1.0)],
        ),
        golden(
            Message::PadMotion(MOTION),
            24,
            &["06000055", "02", "02", "0000", &f(1.0), "000000c0", &f(0.5)],
        ),
        golden(Message::PadBattery(BATTERY), 12, &["07000055", "02", "03", "50", "00"]),
        golden(Message::EnableHaptics { value: 1 }, 10, &["0d000000", "0100"]),
        golden(Message::Text('é'), 10, &["17000000", "c3a9"]),
        golden(Message::Relative { dx: -2, dy: 3 }, 12, &["07000000", "fffe", "0003"]),
        golden(Message::Button { down: true, button: 5 }, 9, &["08000000", "05"]),
        golden(Message::Button { down: false, button: 1 }, 9, &["09000000", "01"]),
        golden(Message::Scroll { amount: -120 }, 14, &["0a000000", "ff88", "ff88", "0000"]),
        golden(Message::HorizontalScroll { amount: 30 }, 10, &["01000055", "001e"]),
    ]
}

#[test]
fn every_message_is_written_and_read_as_the_sheet_has_it() {
    for (message, hex) in golden() {
        assert_eq!(to_hex(&message.encode()), hex, "{message:?}");
        let bytes = from_hex(&hex).unwrap();
        assert_eq!(Message::decode(&bytes).as_ref(), Ok(&message));
        for len in 0..bytes.len() {
            assert!(Message::decode(&bytes[..len]).is_err());
        }
    }
}

#[test]
fn what_is_no_number_never_gets_through() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let refused = [
            Message::Touch(Touch { x: bad, ..TOUCH }),
            Message::Pen(Pen { y: bad, event: phase::HOVER, ..PEN }),
            Message::PadTouch(PadTouch { y: bad, event: phase::MOVE, ..PAD_TOUCH }),
            Message::PadMotion(Motion { axes: [0.0, 0.0, bad], ..MOTION }),
        ];
        for message in refused {
            assert_eq!(Message::decode(&message.encode()), Err(DecodeError::NotFinite));
        }
        // Where the value may be unknown, it is.
        let taken = Touch { event: phase::UP, x: bad, y: bad, pressure: bad, contact: [bad; 2], ..TOUCH };
        let clean = Touch { event: phase::UP, x: 0.0, y: 0.0, pressure: 0.0, contact: [0.0; 2], ..TOUCH };
        assert_eq!(Message::decode(&Message::Touch(taken).encode()), Ok(Message::Touch(clean)));
        // Nor from a message that was never bytes.
        let mut translator = Translator::new();
        translator.translate(&Message::PadArrival(ARRIVAL));
        let motion = Motion { axes: [bad; 3], ..MOTION };
        assert_eq!(translator.translate(&Message::PadMotion(motion)), []);
        let Translated::Input(Event::Touch(touch)) =
            translator.translate(&Message::Touch(Touch { x: bad, pressure: bad, ..TOUCH }))[0]
        else {
            panic!()
        };
        assert_eq!((touch.x, touch.pressure), (0.0, None));
    }
}

fn touch_of(translator: &mut Translator, id: u32, event: u8) -> Vec<Phase> {
    let message = Message::Touch(Touch { id, event, ..TOUCH });
    let phase = |event| match event {
        Translated::Input(Event::Touch(touch)) => touch.phase,
        other => panic!("{other:?}"),
    };
    translator.translate(&message).into_iter().map(phase).collect()
}

#[test]
fn a_finger_is_read_whole() {
    let mut translator = Translator::new();
    let touch = input::Touch {
        id: 7,
        phase: Phase::Down,
        x: 0.5,
        y: 0.25,
        pressure: Some(1.0),
        contact: Some([0.125, 0.0625]),
        rotation: Some(90),
    };
    let mut one = |said| translator.translate(&Message::Touch(said));
    assert_eq!(one(TOUCH), [Translated::Input(Event::Touch(touch))]);
    let said = Touch {
        event: phase::MOVE,
        rotation: ROTATION_UNKNOWN,
        x: -3.0,
        y: 9.0,
        pressure: 0.0,
        contact: [0.5, 0.0],
        ..TOUCH
    };
    let moved = input::Touch {
        phase: Phase::Move,
        x: 0.0,
        y: 1.0,
        pressure: None,
        contact: Some([0.5, 0.5]),
        rotation: None,
        ..touch
    };
    assert_eq!(one(said), [Translated::Input(Event::Touch(moved))]);
    // Above the surface the same field is a distance, which nobody needs of a finger.
    let hover = Touch { id: 8, event: phase::HOVER, ..TOUCH };
    let hovers = input::Touch { id: 8, phase: Phase::Hover, pressure: None, ..touch };
    assert_eq!(one(hover), [Translated::Input(Event::Touch(hovers))]);
}

#[test]
fn every_stroke_of_a_finger_has_a_beginning_and_an_end() {
    let t = &mut Translator::new();
    assert_eq!(touch_of(t, 1, phase::MOVE), [], "it never came down");
    assert_eq!(touch_of(t, 1, phase::UP), []);
    assert_eq!(touch_of(t, 1, phase::CANCEL_ALL), []);
    assert_eq!(touch_of(t, 1, phase::HOVER), [Phase::Hover]);
    assert_eq!(touch_of(t, 1, phase::DOWN), [Phase::Down]);
    assert_eq!(touch_of(t, 1, phase::DOWN), [Phase::Move], "it is down already");
    assert_eq!(touch_of(t, 2, phase::DOWN), [Phase::Down]);
    assert_eq!(touch_of(t, 1, phase::HOVER_END), [], "it touches");
    assert_eq!(touch_of(t, 1, phase::HOVER), [Phase::Up]);
    assert_eq!(touch_of(t, 1, phase::HOVER_END), [Phase::HoverEnd]);
    assert_eq!(touch_of(t, 2, phase::CANCEL), [Phase::Cancel]);
    assert_eq!(touch_of(t, 2, phase::UP), []);
    assert_eq!(touch_of(t, 3, phase::DOWN), [Phase::Down]);
    assert_eq!(touch_of(t, 9, phase::CANCEL_ALL), [Phase::CancelAll]);
    assert_eq!(touch_of(t, 3, phase::UP), []);
    assert_eq!(touch_of(t, 3, 99), []);
    // A hand has five fingers: what comes after 32 is ignored, not remembered.
    for id in 0..100 {
        assert_eq!(touch_of(t, id, phase::DOWN).len(), usize::from(id < 32));
    }
    assert_eq!(t.release_all().len(), 1);
    assert_eq!(t.release_all(), []);
}

fn pens(translator: &mut Translator, said: Pen) -> Vec<input::Pen> {
    let pen = |event| match event {
        Translated::Input(Event::Pen(pen)) => pen,
        other => panic!("{other:?}"),
    };
    translator.translate(&Message::Pen(said)).into_iter().map(pen).collect()
}

#[test]
fn a_pen_hovers_writes_and_turns_around() {
    let t = &mut Translator::new();
    let hover = Pen { event: phase::HOVER, tool: tool::PEN, pressure: 0.5, ..PEN };
    let seen = input::Pen {
        phase: Phase::Hover,
        tool: Tool::Pen,
        buttons: 5,
        x: 0.5,
        y: 0.25,
        pressure: None,
        distance: Some(0.5),
        rotation: Some(359),
        tilt: Some(45),
    };
    assert_eq!(pens(t, Pen { event: phase::MOVE, ..hover }), [], "it does not touch");
    assert_eq!(pens(t, Pen { event: phase::BUTTON, ..hover }), [], "it is not near");
    assert_eq!(pens(t, hover), [seen]);
    let button = Pen { event: phase::BUTTON, buttons: 0xFA, x: 9.0, ..hover };
    let pressed = input::Pen { phase: Phase::Button, buttons: 2, ..seen };
    assert_eq!(pens(t, button), [pressed], "only the buttons of the message count");
    assert_eq!(pens(t, button), []);
    let down = Pen { event: phase::DOWN, tool: tool::UNKNOWN, rotation: ROTATION_UNKNOWN, tilt: 91, ..hover };
    let touches = input::Pen {
        phase: Phase::Down,
        pressure: Some(0.5),
        distance: None,
        rotation: None,
        tilt: None,
        ..seen
    };
    assert_eq!(pens(t, down), [touches]);
    let moved = Pen { event: phase::MOVE, tilt: TILT_UNKNOWN, pressure: 7.0, ..down };
    let moves = input::Pen { phase: Phase::Move, pressure: Some(1.0), ..touches };
    assert_eq!(pens(t, moved), [moves]);
    // The other end: the first one is lifted and gone before.
    let phases = |pens: Vec<input::Pen>| pens.iter().map(|pen| (pen.phase, pen.tool)).collect::<Vec<_>>();
    let turned = phases(pens(t, Pen { event: phase::MOVE, ..PEN }));
    let eraser = (Phase::Down, Tool::Eraser);
    assert_eq!(turned, [(Phase::Up, Tool::Pen), (Phase::HoverEnd, Tool::Pen), eraser]);
    assert_eq!(phases(pens(t, Pen { event: phase::UP, ..PEN })), [(Phase::Up, Tool::Eraser)]);
    assert_eq!(phases(pens(t, Pen { event: phase::UP, ..PEN })), []);
    assert_eq!(phases(pens(t, Pen { event: phase::HOVER_END, ..PEN })), [(Phase::HoverEnd, Tool::Eraser)]);
    assert_eq!(phases(pens(t, Pen { event: phase::CANCEL, ..PEN })), []);
    assert_eq!(phases(pens(t, PEN)), [eraser]);
    assert_eq!(phases(pens(t, Pen { event: phase::CANCEL_ALL, ..PEN })), [(Phase::CancelAll, Tool::Eraser)]);
    pens(t, PEN);
    let Translated::Input(Event::Pen(gone)) = t.release_all()[0] else { panic!() };
    assert_eq!(gone.phase, Phase::CancelAll);
    assert_eq!(t.release_all(), []);
}

fn pad_events(translator: &mut Translator, message: Message) -> Vec<(u8, Change)> {
    let event = |event| match event {
        Translated::Pad(pad::Event { index, change }) => (index, change),
        other => panic!("{other:?}"),
    };
    translator.translate(&message).into_iter().map(event).collect()
}

#[test]
fn a_pad_comes_before_it_moves_and_nothing_is_said_twice() {
    let t = &mut Translator::new();
    let neutral = PadState { pad: 2, active: 4, ..PadState::default() };
    let arrived = pad::Arrival { kind: Kind::PlayStation, capabilities: 0x01FF, buttons: 0x0031_F7FF };
    assert_eq!(pad_events(t, Message::PadMotion(MOTION)), [], "it is not there");
    assert_eq!(pad_events(t, Message::PadBattery(BATTERY)), []);
    assert_eq!(pad_events(t, Message::PadTouch(PAD_TOUCH)), []);
    assert_eq!(pad_events(t, Message::PadArrival(ARRIVAL)), [(2, Change::Arrived(arrived))]);
    assert_eq!(pad_events(t, Message::PadArrival(ARRIVAL)), []);
    assert_eq!(pad_events(t, Message::PadState(neutral)), []);
    let state = State {
        buttons: 0x0021_1002,
        left_trigger: 0x11,
        right_trigger: 0xFF,
        left: [-32768, 32767],
        right: [1, -2],
    };
    assert_eq!(pad_events(t, Message::PadState(STATE)), [(2, Change::State(state))]);
    assert_eq!(pad_events(t, Message::PadState(STATE)), []);
    // The mask's other bits do not count: they may be old.
    assert_eq!(pad_events(t, Message::PadState(PadState { active: 4, ..STATE })), []);
    let motion = Change::Motion { sensor: Sensor::Gyro, axes: [1.0, -2.0, 0.5] };
    assert_eq!(pad_events(t, Message::PadMotion(MOTION)), [(2, motion)]);
    assert_eq!(pad_events(t, Message::PadMotion(Motion { sensor: 3, ..MOTION })), []);
    let wild = Motion { sensor: sensor::ACCELEROMETER, axes: [f32::MAX, f32::MIN, 0.0], ..MOTION };
    let tamed = Change::Motion { sensor: Sensor::Accelerometer, axes: [10_000.0, -10_000.0, 0.0] };
    assert_eq!(pad_events(t, Message::PadMotion(wild)), [(2, tamed)]);
    let battery = Change::Battery { charge: Charge::Charging, percent: Some(80) };
    assert_eq!(pad_events(t, Message::PadBattery(BATTERY)), [(2, battery)]);
    assert_eq!(pad_events(t, Message::PadBattery(BATTERY)), []);
    let unknown = Change::Battery { charge: Charge::Unknown, percent: None };
    assert_eq!(
        pad_events(t, Message::PadBattery(Battery { state: 9, percent: 255, ..BATTERY })),
        [(2, unknown)]
    );
    assert_eq!(pad_events(t, Message::PadState(PadState { active: 1, ..neutral })), [(2, Change::Left)]);
    assert_eq!(pad_events(t, Message::PadState(PadState { active: 1, ..neutral })), []);
}

#[test]
fn an_old_client_s_pad_arrives_with_its_first_state() {
    let t = &mut Translator::new();
    let plain = pad::Arrival { kind: Kind::Unknown, capabilities: 3, buttons: 0xF7FF };
    let pressed = PadState { pad: 0, active: 1, buttons: 0x1000, ..PadState::default() };
    let state = State { buttons: 0x1000, ..State::default() };
    let expected = [(0, Change::Arrived(plain)), (0, Change::State(state))];
    assert_eq!(pad_events(t, Message::PadState(pressed)), expected);
    // It says what it is after all: another pad.
    let arrival = Arrival { pad: 0, kind: 1, capabilities: 3, buttons: 0xFFFF_FFFF };
    let events = pad_events(t, Message::PadArrival(arrival));
    let xbox = pad::Arrival { kind: Kind::Xbox, capabilities: 3, buttons: 0x003F_F7FF };
    assert_eq!(events, [(0, Change::Left), (0, Change::Arrived(xbox))]);
    // There are sixteen.
    for index in [16u16, 17, 255, 256, 65535] {
        let far = PadState { pad: index, active: 0xFFFF, ..pressed };
        assert_eq!(pad_events(t, Message::PadState(far)), []);
    }
    assert_eq!(pad_events(t, Message::PadArrival(Arrival { pad: 16, ..arrival })), []);
    assert_eq!(pad_events(t, Message::PadState(PadState { pad: 15, active: 0x8000, ..pressed })).len(), 2);
}

#[test]
fn pads_let_go_and_stay_when_the_client_goes() {
    let t = &mut Translator::new();
    pad_events(t, Message::PadArrival(ARRIVAL));
    let down = (2, Phase::Down);
    let phases = |events: Vec<(u8, Change)>| -> Vec<(u8, Phase)> {
        let phase = |(index, change)| match change {
            Change::Touch(touch) => (index, touch.phase),
            other => panic!("{other:?}"),
        };
        events.into_iter().map(phase).collect()
    };
    assert_eq!(phases(pad_events(t, Message::PadTouch(PAD_TOUCH))), [down]);
    let other = PadTouch { touchpad: 0, ..PAD_TOUCH };
    assert_eq!(phases(pad_events(t, Message::PadTouch(other))), [down], "another touchpad, another finger");
    assert_eq!(phases(pad_events(t, Message::PadTouch(PadTouch { touchpad: 2, ..PAD_TOUCH }))), []);
    pad_events(t, Message::PadState(STATE));
    let released = t.release_all();
    let [Translated::Pad(touch), Translated::Pad(state)] = released[..] else { panic!("{released:?}") };
    assert!(matches!(touch.change, Change::Touch(pad::Touch { phase: Phase::CancelAll, .. })));
    assert_eq!(state, pad::Event { index: 2, change: Change::State(State::default()) });
    assert_eq!(t.release_all(), []);
    assert_eq!(pad_events(t, Message::PadState(STATE)).len(), 1, "it did not have to arrive again");
}

fn any_message() -> impl Strategy<Value = Message> {
    let float = || prop_oneof![Just(f32::NAN), Just(f32::INFINITY), any::<f32>(), 0.0f32..1.0];
    prop_oneof![
        (0u8..9, 0u32..40, float(), float()).prop_map(|(event, id, x, pressure)| {
            Message::Touch(Touch { event, id, x, pressure, ..TOUCH })
        }),
        (0u8..9, 0u8..4, any::<u8>(), float(), any::<u8>()).prop_map(|(event, tool, buttons, y, tilt)| {
            Message::Pen(Pen { event, tool, buttons, y, tilt, ..PEN })
        }),
        (0u16..18, any::<u16>(), any::<u32>())
            .prop_map(|(pad, active, buttons)| Message::PadState(PadState { pad, active, buttons, ..STATE })),
        (0u8..18, 0u8..7).prop_map(|(pad, kind)| Message::PadArrival(Arrival { pad, kind, ..ARRIVAL })),
        (0u8..18, 0u8..9, float()).prop_map(|(pad, event, x)| Message::PadTouch(PadTouch {
            pad,
            event,
            x,
            ..PAD_TOUCH
        })),
        (0u8..18, 0u8..4, float()).prop_map(|(pad, sensor, x)| Message::PadMotion(Motion {
            pad,
            sensor,
            axes: [x, 0.0, 1.0]
        })),
        (0u8..18, any::<u8>()).prop_map(|(pad, percent)| Message::PadBattery(Battery {
            pad,
            percent,
            ..BATTERY
        })),
    ]
}

proptest! {
    /// Whatever is said: pads are there before they act, pens and fingers are lifted as
    /// often as they come down, and at the end nothing is held.
    #[test]
    fn strokes_and_pads_are_whole(messages in proptest::collection::vec(any_message(), 0..200)) {
        let mut translator = Translator::new();
        let mut script = Vec::new();
        let mut events = Vec::new();
        for message in &messages {
            let bytes = message.encode();
            script.push(u8::try_from(bytes.len()).unwrap());
            script.extend(bytes);
            events.extend(translator.translate(message));
        }
        events.extend(translator.release_all());
        let (mut fingers, mut pen, mut pads) = (std::collections::HashSet::new(), false, [false; 16]);
        for event in events {
            match event {
                Translated::Input(Event::Touch(touch)) => match touch.phase {
                    Phase::Down => prop_assert!(fingers.insert(touch.id)),
                    Phase::Up => prop_assert!(fingers.remove(&touch.id)),
                    Phase::Move => prop_assert!(fingers.contains(&touch.id)),
                    Phase::Cancel => { fingers.remove(&touch.id); }
                    Phase::CancelAll => fingers.clear(),
                    _ => prop_assert!(!fingers.contains(&touch.id)),
                },
                Translated::Input(Event::Pen(said)) => match said.phase {
                    Phase::Down => prop_assert!(!std::mem::replace(&mut pen, true)),
                    Phase::Up => prop_assert!(std::mem::take(&mut pen)),
                    Phase::Move => prop_assert!(pen),
                    Phase::Cancel | Phase::CancelAll => pen = false,
                    Phase::Hover | Phase::HoverEnd => prop_assert!(!pen),
                    Phase::Button => {}
                },
                Translated::Input(other) => prop_assert!(false, "{other:?}"),
                Translated::Pad(said) => {
                    let here = &mut pads[usize::from(said.index)];
                    match said.change {
                        Change::Arrived(_) => prop_assert!(!std::mem::replace(here, true)),
                        Change::Left => prop_assert!(std::mem::take(here)),
                        _ => prop_assert!(*here),
                    }
                }
            }
        }
        prop_assert!(fingers.is_empty() && !pen);
        punktfunk_core::gamestream::input::exercise(&script);
    }
}
