//! The messages as plain data.

use punktfunk_core::input::Event;

use crate::MAX_DAMAGE;

/// Size and exact refresh rate of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mode {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Numerator of the refresh rate in Hz.
    pub refresh_num: u32,
    /// Denominator of the refresh rate in Hz, never 0.
    pub refresh_den: u32,
}

/// What a seat is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Which kind of application.
    pub kind: AppKind,
    /// A name for the log and the window title of the seat.
    pub name: String,
    /// Variables that are set besides those of the seat.
    pub env: Vec<(String, String)>,
    /// Where it starts; the home directory when absent.
    pub cwd: Option<String>,
}

/// The kinds of application.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppKind {
    /// Windows, a backdrop and a terminal.
    Desktop,
    /// One program, full screen. The first element is the program.
    Command(Vec<String>),
    /// The built-in Test card.
    TestCard,
}

/// Which characters the keys give, in the words of xkb. Empty: the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keymap {
    /// For example `us` or `de`.
    pub layout: String,
    /// For example `nodeadkeys`.
    pub variant: String,
    /// Comma separated, for example `caps:escape`.
    pub options: String,
}

/// What the host says to a seat.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ToSeat {
    /// First message of a connection.
    Hello {
        /// [`crate::VERSION`] of the host.
        version: u32,
    },
    /// Change the output.
    SetMode(Mode),
    /// Start this application, unless one runs.
    Launch(App),
    /// Keyboard or pointer.
    Input(Event),
    /// Another keyboard layout.
    Keymap(Keymap),
    /// The host is done with a buffer.
    ReleaseFrame {
        /// Pool it belongs to.
        generation: u32,
        /// Index in the pool.
        buffer: u8,
    },
    /// Somebody looks at the picture, or nobody does.
    SetViewer(bool),
    /// End the application and then the seat.
    Quit,
    /// Show a text for some seconds, at most [`crate::MAX_TEXT`] characters of it.
    Message(String),
}

/// Where the programs of a seat find their servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// [`crate::VERSION`] of the seat.
    pub version: u32,
    /// `WAYLAND_DISPLAY`, a name in the runtime directory.
    pub wayland_display: String,
    /// Path of the private PipeWire socket; empty when there is no sound.
    pub pipewire_remote: String,
    /// `PULSE_SERVER`; empty when there is no sound.
    pub pulse_server: String,
}

/// The buffers that frames will lie in. One memfd each comes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Counts up with each pool of a seat.
    pub generation: u32,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Bytes from one row to the next, a multiple of 64.
    pub stride: u32,
    /// How many buffers (and file descriptors).
    pub buffers: u8,
}

impl Pool {
    /// Bytes that one buffer must have, `None` when the numbers make no sense.
    pub fn buffer_len(&self) -> Option<usize> {
        let row = self.width.checked_mul(4)?;
        let sane = (1..=crate::MAX_SIDE).contains(&self.width)
            && (1..=crate::MAX_SIDE).contains(&self.height)
            && self.stride >= row
            && self.stride.is_multiple_of(64)
            && self.stride <= 8 * crate::MAX_SIDE
            && (1..=crate::MAX_BUFFERS).contains(&usize::from(self.buffers));
        sane.then_some(self.stride as usize * self.height as usize)
    }
}

/// A rectangle of the output, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// A frame lies in a buffer of the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameNotice {
    /// Pool it belongs to.
    pub generation: u32,
    /// Index in the pool.
    pub buffer: u8,
    /// Counts up by one with each frame the seat publishes.
    pub sequence: u64,
    /// When it was made: `CLOCK_MONOTONIC` in microseconds.
    pub timestamp_us: u64,
    /// What differs from the frame before. At most [`MAX_DAMAGE`].
    pub damage: Vec<Rect>,
}

/// How an application ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this exit status.
    Code(i32),
    /// Killed by this signal.
    Signal(i32),
}

/// What a seat says to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToHost {
    /// Answer to [`ToSeat::Hello`]: the seat is up.
    Ready(Ready),
    /// New buffers; the memfds come along.
    Pool(Pool),
    /// A frame.
    Frame(FrameNotice),
    /// The application was started.
    AppStarted {
        /// Its first process.
        pid: u32,
    },
    /// Every process of the application is gone.
    AppExited(Exit),
    /// Something went wrong that a person should read.
    Error(String),
}

/// The smallest rectangle around all of `rects`, `None` for none.
pub fn bounding_box(rects: &[Rect]) -> Option<Rect> {
    rects.iter().copied().reduce(|a, b| {
        let (x, y) = (a.x.min(b.x), a.y.min(b.y));
        let right = a.x.saturating_add(a.width).max(b.x.saturating_add(b.width));
        let bottom = a.y.saturating_add(a.height).max(b.y.saturating_add(b.height));
        Rect { x, y, width: right - x, height: bottom - y }
    })
}

/// Adds `more` to `damage`. Past [`MAX_DAMAGE`] rectangles only their bounding box
/// is kept.
pub fn merge_damage(damage: &mut Vec<Rect>, more: &[Rect]) {
    for rect in more {
        if !damage.contains(rect) {
            damage.push(*rect);
        }
    }
    if damage.len() > MAX_DAMAGE {
        let all = bounding_box(damage);
        damage.clear();
        damage.extend(all);
    }
}
