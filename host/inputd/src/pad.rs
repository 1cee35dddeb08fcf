//! What a pad looks like to the kernel: identity, capabilities, and reports.
//!
//! The numbers are those of the real pads as the kernel's `xpad` shows them. They are
//! exact on purpose: SDL tells pads from other devices by their capability bits, and
//! mapping databases know them by bus, vendor, product and version.

use punktfunk_inputd_ipc::{PadKind, PadState};

use crate::device::InputEvent;

/// `EV_SYN`.
pub const EV_SYN: u16 = 0;
/// `EV_KEY`.
pub const EV_KEY: u16 = 1;
/// `EV_ABS`.
pub const EV_ABS: u16 = 3;
/// `BUS_USB`.
pub const BUS_USB: u16 = 3;

const ABS_X: u16 = 0;
const ABS_Y: u16 = 1;
const ABS_Z: u16 = 2;
const ABS_RX: u16 = 3;
const ABS_RY: u16 = 4;
const ABS_RZ: u16 = 5;
const ABS_HAT0X: u16 = 0x10;
const ABS_HAT0Y: u16 = 0x11;

const UP: u32 = 1;
const DOWN: u32 = 2;
const LEFT: u32 = 4;
const RIGHT: u32 = 8;

/// Button bits of GameStream and the kernel's codes (`BTN_A` is 0x130).
pub const BUTTONS: [(u32, u16); 11] = [
    (0x1000, 0x130), // A
    (0x2000, 0x131), // B
    (0x4000, 0x133), // X
    (0x8000, 0x134), // Y
    (0x100, 0x136),  // left shoulder: BTN_TL
    (0x200, 0x137),  // right shoulder: BTN_TR
    (0x20, 0x13a),   // back: BTN_SELECT
    (0x10, 0x13b),   // start: BTN_START
    (0x400, 0x13c),  // guide: BTN_MODE
    (0x40, 0x13d),   // left stick: BTN_THUMBL
    (0x80, 0x13e),   // right stick: BTN_THUMBR
];

/// Who a device says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What programs show.
    pub name: &'static str,
    /// How it is connected.
    pub bus: u16,
    /// USB vendor.
    pub vendor: u16,
    /// USB product.
    pub product: u16,
    /// USB version.
    pub version: u16,
}

/// One axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// `ABS_X` and so on.
    pub code: u16,
    /// The lowest value.
    pub minimum: i32,
    /// The highest value.
    pub maximum: i32,
    /// Changes below this are noise.
    pub fuzz: i32,
    /// Values below this are the centre.
    pub flat: i32,
}

/// Who a pad of this kind says it is.
pub fn identity(kind: PadKind) -> Identity {
    let (name, product, version) = match kind {
        PadKind::Xbox360 => ("Microsoft X-Box 360 pad", 0x028e, 0x0114),
        PadKind::XboxOneS => ("Microsoft X-Box One S pad", 0x02ea, 0x0408),
    };
    Identity { name, bus: BUS_USB, vendor: 0x045e, product, version }
}

/// The axes of a pad of this kind, in the order of their codes.
pub fn axes(kind: PadKind) -> [Axis; 8] {
    let stick = |code| Axis { code, minimum: -32_768, maximum: 32_767, fuzz: 16, flat: 128 };
    let trigger = |code| Axis { code, minimum: 0, maximum: trigger_maximum(kind), fuzz: 0, flat: 0 };
    let hat = |code| Axis { code, minimum: -1, maximum: 1, fuzz: 0, flat: 0 };
    [
        stick(ABS_X),
        stick(ABS_Y),
        trigger(ABS_Z),
        stick(ABS_RX),
        stick(ABS_RY),
        trigger(ABS_RZ),
        hat(ABS_HAT0X),
        hat(ABS_HAT0Y),
    ]
}

fn trigger_maximum(kind: PadKind) -> i32 {
    match kind {
        PadKind::Xbox360 => 255,
        PadKind::XboxOneS => 1_023,
    }
}

/// The events of one report; never on the heap.
#[derive(Clone, Debug, Default)]
pub struct Report {
    events: [InputEvent; BUTTONS.len() + 8 + 1],
    len: usize,
}

impl Report {
    /// The events; empty when nothing changed, else the last is a `SYN_REPORT`.
    pub fn events(&self) -> &[InputEvent] {
        self.events.get(..self.len).unwrap_or_default()
    }

    fn push(&mut self, kind: u16, code: u16, value: i32) {
        // There is room for every button, every axis and the end.
        if let Some(place) = self.events.get_mut(self.len) {
            *place = InputEvent { kind, code, value };
            self.len += 1;
        }
    }
}

/// Turns whole states into the events that lead from one to the next.
#[derive(Clone, Debug)]
pub struct Packer {
    kind: PadKind,
    buttons: u32,
    axes: [i32; 8],
}

impl Packer {
    /// A pad on which nothing is pressed.
    pub fn new(kind: PadKind) -> Self {
        Self { kind, buttons: 0, axes: [0; 8] }
    }

    /// The last report did not arrive: the next one says everything that is pressed.
    pub fn forget(&mut self) {
        *self = Self::new(self.kind);
    }

    /// What changed since the last state.
    pub fn pack(&mut self, state: &PadState) -> Report {
        let mut report = Report::default();
        for (bit, code) in BUTTONS {
            let down = state.buttons & bit != 0;
            if down != (self.buttons & bit != 0) {
                report.push(EV_KEY, code, down.into());
            }
        }
        let values = values(self.kind, state);
        for ((axis, value), old) in axes(self.kind).iter().zip(values).zip(self.axes) {
            if value != old {
                report.push(EV_ABS, axis.code, value);
            }
        }
        if report.len > 0 {
            report.push(EV_SYN, 0, 0);
        }
        self.buttons = state.buttons;
        self.axes = values;
        report
    }
}

/// The values of [`axes`], in that order.
fn values(kind: PadKind, state: &PadState) -> [i32; 8] {
    // The kernel counts down, clients count up; -(-32768) is one more than fits.
    let down = |y: i16| (-i32::from(y)).min(32_767);
    let trigger = |value: u8| i32::from(value) * trigger_maximum(kind) / 255;
    let hat =
        |plus: u32, minus: u32| i32::from(state.buttons & plus != 0) - i32::from(state.buttons & minus != 0);
    let ([x, y], [rx, ry], [z, rz]) = (state.left, state.right, state.triggers);
    [x.into(), down(y), trigger(z), rx.into(), down(ry), trigger(rz), hat(RIGHT, LEFT), hat(DOWN, UP)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tuples(report: &Report) -> Vec<(u16, u16, i32)> {
        report.events().iter().map(|event| (event.kind, event.code, event.value)).collect()
    }

    #[test]
    fn a_state_becomes_the_events_of_an_xbox_pad() {
        let mut packer = Packer::new(PadKind::Xbox360);
        let state = PadState {
            buttons: 0x1000 | 0x1 | 0x8,
            triggers: [255, 1],
            left: [-32_768, -32_768],
            right: [5, 6],
        };
        let wanted = [
            (1, 0x130, 1),
            (3, 0, -32_768),
            (3, 1, 32_767),
            (3, 2, 255),
            (3, 3, 5),
            (3, 4, -6),
            (3, 5, 1),
            (3, 0x10, 1),
            (3, 0x11, -1),
            (0, 0, 0),
        ];
        assert_eq!(tuples(&packer.pack(&state)), wanted);
        assert!(packer.pack(&state).events().is_empty(), "nothing changed");
        let released = tuples(&packer.pack(&PadState::default()));
        assert_eq!(released.len(), wanted.len());
        assert!(released.iter().all(|(_, _, value)| *value == 0));
    }

    #[test]
    fn an_xbox_one_pad_has_longer_triggers() {
        let mut packer = Packer::new(PadKind::XboxOneS);
        let state = PadState { triggers: [255, 128], ..PadState::default() };
        assert_eq!(tuples(&packer.pack(&state)), [(3, 2, 1_023), (3, 5, 513), (0, 0, 0)]);
    }

    #[test]
    fn every_button_has_its_own_bit_and_code() {
        for (index, (bit, code)) in BUTTONS.iter().enumerate() {
            assert!(bit.is_power_of_two());
            assert!(BUTTONS[..index].iter().all(|(other, taken)| other != bit && taken != code));
            let mut packer = Packer::new(PadKind::Xbox360);
            let state = PadState { buttons: *bit, ..PadState::default() };
            assert_eq!(tuples(&packer.pack(&state)), [(1, *code, 1), (0, 0, 0)]);
        }
    }

    proptest! {
        /// What a game sees depends on the last state alone, whatever came before it and
        /// whatever was merged away.
        #[test]
        fn reports_lead_to_the_state_within_the_limits(
            states in proptest::collection::vec(
                (any::<u32>(), any::<[u8; 2]>(), any::<[i16; 2]>(), any::<[i16; 2]>()), 1..20),
            one_s: bool,
        ) {
            let kind = if one_s { PadKind::XboxOneS } else { PadKind::Xbox360 };
            let mut packer = Packer::new(kind);
            let mut seen = std::collections::BTreeMap::new();
            let mut last = PadState::default();
            for (buttons, triggers, left, right) in states {
                last = PadState { buttons, triggers, left, right };
                for event in packer.pack(&last).events() {
                    if event.kind == EV_ABS {
                        let axis = axes(kind).into_iter().find(|axis| axis.code == event.code).unwrap();
                        prop_assert!((axis.minimum..=axis.maximum).contains(&event.value));
                    }
                    let old = seen.insert((event.kind, event.code), event.value);
                    prop_assert!(event.kind == EV_SYN || old.unwrap_or(0) != event.value, "an edge twice");
                }
            }
            let mut whole = Packer::new(kind);
            for event in whole.pack(&last).events() {
                prop_assert_eq!(seen.remove(&(event.kind, event.code)), Some(event.value));
            }
            prop_assert!(seen.values().all(|value| *value == 0), "still pressed: {:?}", seen);
        }
    }
}
