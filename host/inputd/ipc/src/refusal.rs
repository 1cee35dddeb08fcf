//! Why the broker does not do what a host asks, and what the owner can do about it.

/// Why the broker refuses. The text says what to do; it is what both logs show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no `/dev/uinput`.
    #[error(
        "there is no /dev/uinput: run `modprobe uinput` as root (a kernel without that module cannot have gamepads)"
    )]
    NoUinput,
    /// `/dev/uinput` is there, but not for the broker.
    #[error(
        "/dev/uinput cannot be opened by the broker: start it as root or as a member of the group `punktfunk-input`, and install 72-punktfunk-input.rules"
    )]
    NoPermission,
    /// The user at the other end may not have devices.
    #[error(
        "this user may not have gamepads: add it to the group `punktfunk`, or name it with --allow-user when the broker is started"
    )]
    Stranger,
    /// The seat has as many pads as a seat may have.
    #[error("a seat has at most 8 gamepads")]
    SeatFull,
    /// All seats together have as many pads as they may have.
    #[error("all seats together have at most 16 gamepads")]
    Full,
    /// Too many devices were made within a minute.
    #[error("more than 32 gamepads within a minute; wait a little")]
    TooFast,
    /// The device number is taken or not known.
    #[error("there is no such gamepad, or there is one already")]
    NoSuchDevice,
    /// Too many seats are connected.
    #[error("too many seats are connected")]
    TooManySeats,
    /// The kernel refused; the number is its errno.
    #[error("the kernel refused to make a gamepad (error {0})")]
    System(u16),
}

impl Refusal {
    /// Its two numbers on the wire.
    pub(crate) fn to_numbers(self) -> [u16; 2] {
        match self {
            Self::NoUinput => [1, 0],
            Self::NoPermission => [2, 0],
            Self::Stranger => [3, 0],
            Self::SeatFull => [4, 0],
            Self::Full => [5, 0],
            Self::TooFast => [6, 0],
            Self::NoSuchDevice => [7, 0],
            Self::TooManySeats => [8, 0],
            Self::System(errno) => [9, errno],
        }
    }

    pub(crate) fn from_numbers(code: u16, errno: u16) -> Option<Self> {
        Some(match (code, errno) {
            (1, 0) => Self::NoUinput,
            (2, 0) => Self::NoPermission,
            (3, 0) => Self::Stranger,
            (4, 0) => Self::SeatFull,
            (5, 0) => Self::Full,
            (6, 0) => Self::TooFast,
            (7, 0) => Self::NoSuchDevice,
            (8, 0) => Self::TooManySeats,
            (9, errno) => Self::System(errno),
            _ => return None,
        })
    }
}
