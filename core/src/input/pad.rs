//! Gamepads: what a client's pad does, and what the host has it do.
//!
//! The button bits are those of GameStream (sheet, section 15), which every client
//! knows; a backend maps them to its own.

/// Bits of [`State::buttons`] and [`Arrival::buttons`].
pub mod button {
    /// Direction pad.
    pub const UP: u32 = 1;
    /// Direction pad.
    pub const DOWN: u32 = 2;
    /// Direction pad.
    pub const LEFT: u32 = 4;
    /// Direction pad.
    pub const RIGHT: u32 = 8;
    /// Start, menu, options.
    pub const START: u32 = 0x10;
    /// Back, view, share.
    pub const BACK: u32 = 0x20;
    /// Left stick pressed.
    pub const L3: u32 = 0x40;
    /// Right stick pressed.
    pub const R3: u32 = 0x80;
    /// Left shoulder.
    pub const LB: u32 = 0x100;
    /// Right shoulder.
    pub const RB: u32 = 0x200;
    /// The button with the maker's sign.
    pub const GUIDE: u32 = 0x400;
    /// The lower face button.
    pub const A: u32 = 0x1000;
    /// The right face button.
    pub const B: u32 = 0x2000;
    /// The left face button.
    pub const X: u32 = 0x4000;
    /// The upper face button.
    pub const Y: u32 = 0x8000;
    /// Paddles 1 to 4 on the back.
    pub const PADDLES: [u32; 4] = [0x1_0000, 0x2_0000, 0x4_0000, 0x8_0000];
    /// The touchpad pressed.
    pub const TOUCHPAD: u32 = 0x10_0000;
    /// Share, capture, microphone.
    pub const MISC: u32 = 0x20_0000;
}

/// Bits of [`Arrival::capabilities`].
pub mod capability {
    /// Triggers with a range.
    pub const ANALOG_TRIGGERS: u16 = 1;
    /// Two motors.
    pub const RUMBLE: u16 = 2;
    /// Motors in the triggers.
    pub const TRIGGER_RUMBLE: u16 = 4;
    /// A touchpad.
    pub const TOUCHPAD: u16 = 8;
    /// An accelerometer.
    pub const ACCELEROMETER: u16 = 0x10;
    /// A gyroscope.
    pub const GYRO: u16 = 0x20;
    /// It tells its battery.
    pub const BATTERY: u16 = 0x40;
    /// A light of any colour.
    pub const LED: u16 = 0x80;
    /// A second touchpad.
    pub const SECOND_TOUCHPAD: u16 = 0x100;
}

/// The highest number of pads that a client may have.
pub const MAX_PADS: u8 = 16;

/// What somebody holds in their hands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// It did not say.
    #[default]
    Unknown,
    /// An Xbox pad.
    Xbox,
    /// A PlayStation pad.
    PlayStation,
    /// A Nintendo pad.
    Nintendo,
    /// A Steam Controller or Deck.
    Steam,
}

/// A pad was attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// What it is.
    pub kind: Kind,
    /// What it can do: [`capability`] bits.
    pub capabilities: u16,
    /// Which buttons it has: [`button`] bits.
    pub buttons: u32,
}

/// Everything that is pressed or pushed, whole: a state that is lost is healed by
/// the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// [`button`] bits.
    pub buttons: u32,
    /// Left trigger, 0 to 255.
    pub left_trigger: u8,
    /// Right trigger, 0 to 255.
    pub right_trigger: u8,
    /// Left stick: x to the right, y **up**.
    pub left: [i16; 2],
    /// Right stick: x to the right, y **up**.
    pub right: [i16; 2],
}

/// A finger on a pad's touchpad.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Touch {
    /// 0, or 1 for the second touchpad.
    pub touchpad: u8,
    /// Tells fingers apart.
    pub id: u32,
    /// What it does.
    pub phase: super::Phase,
    /// From the left edge, 0 to 1.
    pub x: f32,
    /// From the top edge, 0 to 1.
    pub y: f32,
    /// 0 to 1; 0 is unknown.
    pub pressure: f32,
}

/// What measures motion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensor {
    /// m/s².
    Accelerometer,
    /// Degrees a second.
    Gyro,
}

/// What a battery does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// It did not say.
    Unknown,
    /// There is no battery.
    Absent,
    /// It is being used up.
    Discharging,
    /// It is being charged.
    Charging,
    /// It is connected and not being charged.
    NotCharging,
    /// It is full.
    Full,
}

/// What happened to a pad.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// It was attached.
    Arrived(Arrival),
    /// Its buttons, sticks and triggers.
    State(State),
    /// Its touchpad.
    Touch(Touch),
    /// It moved; the axes are those of SDL.
    Motion {
        /// What measured it, in the unit of that sensor.
        sensor: Sensor,
        /// x, y, z.
        axes: [f32; 3],
    },
    /// Its battery.
    Battery {
        /// What it does.
        charge: Charge,
        /// 0 to 100, when known.
        percent: Option<u8>,
    },
    /// It was taken away.
    Left,
}

/// Something a client did with a pad.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// Which of the client's pads, 0 to [`MAX_PADS`] − 1.
    pub index: u8,
    /// What happened.
    pub change: Change,
}

/// What the client shall have a pad do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feedback {
    /// Rumble until told otherwise, each motor from 0 to 65535.
    Rumble {
        /// The heavy motor.
        low: u16,
        /// The light motor.
        high: u16,
    },
    /// Rumble of the triggers until told otherwise, 0 to 65535.
    TriggerRumble {
        /// Left trigger.
        left: u16,
        /// Right trigger.
        right: u16,
    },
    /// Report motion so many times a second; 0 is never.
    MotionReporting {
        /// Which sensor.
        sensor: Sensor,
        /// Hz, 0 or 4 to 1000.
        rate: u16,
    },
    /// Show this colour: red, green, blue.
    Led([u8; 3]),
    /// Resistance of the triggers, in the bytes of a DualSense.
    AdaptiveTriggers {
        /// 4: the right side is valid, 8: the left side is.
        sides: u8,
        /// Effect numbers, left and right.
        effects: [u8; 2],
        /// Parameters of the left side.
        left: [u8; 10],
        /// Parameters of the right side.
        right: [u8; 10],
    },
}
