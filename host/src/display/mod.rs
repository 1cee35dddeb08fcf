//! Where pictures come from and input goes: today a seat of our own, later the
//! desktops that exist already.

mod record;
mod seat;
mod spawn;

pub use punktfunk_seat_ipc::host::Frame;
pub use punktfunk_seat_ipc::{App, AppKind, Exit, Keymap, Rect};
pub use record::{Place, Record, find, forget, new_directory, places};
pub use seat::{DisplayError, Screen, Seat, SeatEvent, SeatEvents, SeatSpec};
