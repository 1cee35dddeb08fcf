//! What the broker needs of a device, so that everything above it can be tested
//! without a kernel that has `/dev/uinput`.

use std::io;
use std::os::fd::AsFd;

use punktfunk_inputd_ipc::{PadKind, Refusal, SeatName};

use crate::ff::Effect;

/// One event of the kernel's input system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InputEvent {
    /// `EV_KEY` and so on.
    pub kind: u16,
    /// `BTN_A` and so on.
    pub code: u16,
    /// Its value.
    pub value: i32,
}

/// Which device to make.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// What it shall be.
    pub kind: PadKind,
    /// Whose it is; becomes part of its `phys`.
    pub seat: SeatName,
    /// Which of the seat's pads it is; becomes part of its `phys`.
    pub index: u8,
}

/// What a game asked of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// It stored an effect. Already answered.
    Upload(Effect),
    /// It, or its end, took an effect away. Already answered.
    Erase(u8),
    /// Play an effect so many times; 0 stops it.
    Play {
        /// Number of the effect.
        id: u8,
        /// How many times.
        count: u32,
    },
    /// Strength of everything, 0 to 65535.
    Gain(u16),
}

/// A device that exists until it is dropped.
pub trait Device: AsFd {
    /// Writes one report; the last event is a `SYN_REPORT`.
    fn write(&mut self, events: &[InputEvent]) -> io::Result<()>;
    /// The next thing that a game asked for; `None` when there is nothing now.
    fn read(&mut self) -> io::Result<Option<Request>>;
    /// N of `/dev/input/eventN`.
    fn event_node(&self) -> Option<u32>;
    /// True when whoever watches for devices had time to open this one: events written
    /// before that are lost.
    fn is_announced(&self) -> bool;
    /// Lets this user open the device. Only root can, and only needs to where no rule of
    /// udev does.
    fn give_to(&self, user: u32) -> io::Result<()>;
}

/// Something that makes devices.
pub trait Backend {
    /// What it makes.
    type Device: Device;
    /// Makes a device.
    fn create(&mut self, spec: &Spec) -> Result<Self::Device, Refusal>;
}
