//! Input for a compositor that takes it by EIS: what a client does becomes the events of
//! the devices that it offers. Nothing here waits for it.
//!
//! gamescope offers pointer and keyboard. A finger or a pen is the pointer where no touch
//! is offered, and text is typed by the keys of the layout.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use punktfunk_core::input::{Event, Phase};
use reis::PendingRequestResult;
use reis::ei::button::ButtonState;
use reis::ei::handshake::ContextType;
use reis::ei::keyboard::KeyState;
use reis::enumflags2::BitFlags;
use reis::event::{Device, EiEvent, EiEventConverter};
use reis::handshake::{HandshakeResp, ei_handshake_blocking};
use reis::{Interface, ei};

use crate::keymap::Keymap;

const BTN_LEFT: u16 = 0x110;
const SHIFT: u16 = 42;
const ALT_GR: u16 = 100;
/// A region with a longer side than this means any place, not a size.
const LONGEST: u32 = punktfunk_seat_ipc::MAX_SIDE;

/// Why input does not arrive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EiError {
    /// Nobody answers.
    #[error("gamescope takes no input at {path}: {reason}: install one that is built with libei")]
    Connect {
        /// The socket.
        path: String,
        /// What happened.
        reason: String,
    },
    /// It broke off.
    #[error("gamescope takes no more input: {0}")]
    Broken(String),
}

/// A connection that was made, to be handed to the loop.
pub struct Handshaken {
    context: ei::Context,
    answer: HandshakeResp,
}

/// Connects and agrees on the interfaces. It waits for the other side.
pub fn connect(path: &Path) -> Result<Handshaken, EiError> {
    let failed = |error: &dyn std::fmt::Display| EiError::Connect {
        path: path.display().to_string(),
        reason: error.to_string(),
    };
    let stream = UnixStream::connect(path).map_err(|error| failed(&error))?;
    let context = ei::Context::new(stream).map_err(|error| failed(&error))?;
    let answer =
        ei_handshake_blocking(&context, "punktfunk", ContextType::Sender).map_err(|error| failed(&error))?;
    Ok(Handshaken { context, answer })
}

struct Offered {
    device: Device,
    /// It takes events now.
    open: bool,
}

/// Sends events.
pub struct Injector {
    context: ei::Context,
    converter: EiEventConverter,
    devices: Vec<Offered>,
    /// How often a device was started.
    sequence: u32,
    /// What is down, in the order in which it went down.
    keys: Vec<u16>,
    buttons: Vec<u16>,
    fingers: Vec<u32>,
    /// The finger or pen that holds the pointer's button.
    pressing: Option<Presser>,
    /// The other side does not read at the moment.
    full: bool,
    size: (u32, u32),
    keymap: Keymap,
    told: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Presser {
    Finger(u32),
    Pen,
}

impl Injector {
    /// For a picture of `size`, whose compositor has the layout of `keymap`.
    pub fn new(made: Handshaken, size: (u32, u32), keymap: Keymap) -> Self {
        let converter = EiEventConverter::new(&made.context, made.answer);
        Self {
            context: made.context,
            converter,
            devices: Vec::new(),
            sequence: 0,
            keys: Vec::new(),
            buttons: Vec::new(),
            fingers: Vec::new(),
            pressing: None,
            full: false,
            size,
            keymap,
            told: false,
        }
    }

    /// A descriptor that is readable when [`hear`](Self::hear) has something to do.
    pub fn watch(&self) -> std::io::Result<OwnedFd> {
        use std::os::fd::AsFd;
        self.context.as_fd().try_clone_to_owned()
    }

    /// The picture has another size now.
    pub fn resize(&mut self, size: (u32, u32)) {
        self.size = size;
    }

    /// Hears what the compositor says of its devices.
    pub fn hear(&mut self) -> Result<(), EiError> {
        let broken = |error: &dyn std::fmt::Display| EiError::Broken(error.to_string());
        match self.context.read() {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(broken(&error)),
        }
        while let Some(event) = self.context.pending_event() {
            match event {
                PendingRequestResult::Request(event) => {
                    self.converter.handle_event(event).map_err(|error| broken(&error))?;
                }
                PendingRequestResult::ParseError(error) => return Err(broken(&error)),
                // It was destroyed meanwhile.
                PendingRequestResult::InvalidObject(_) => {}
            }
            while let Some(event) = self.converter.next_event() {
                self.learn(event)?;
            }
        }
        self.flush()
    }

    fn learn(&mut self, event: EiEvent) -> Result<(), EiError> {
        match event {
            EiEvent::SeatAdded(added) => added.seat.bind_capabilities(BitFlags::all()),
            EiEvent::DeviceAdded(added) => {
                tracing::debug!(name = ?added.device.name(), regions = ?added.device.regions(), "an input device");
                self.devices.push(Offered { device: added.device, open: false });
            }
            EiEvent::DeviceResumed(resumed) => {
                self.sequence = self.sequence.wrapping_add(1);
                resumed.device.device().start_emulating(resumed.serial, self.sequence);
                for offered in self.devices.iter_mut().filter(|offered| offered.device == resumed.device) {
                    offered.open = true;
                }
            }
            EiEvent::DevicePaused(paused) => {
                for offered in self.devices.iter_mut().filter(|offered| offered.device == paused.device) {
                    offered.open = false;
                }
                self.forget();
            }
            EiEvent::DeviceRemoved(removed) => {
                self.devices.retain(|offered| offered.device != removed.device);
                self.forget();
            }
            EiEvent::Disconnected(gone) => {
                let why = gone.explanation.unwrap_or_else(|| format!("{:?}", gone.reason));
                return Err(EiError::Broken(why));
            }
            _ => {}
        }
        Ok(())
    }

    /// What was down on a device that is gone or paused counts as released there.
    fn forget(&mut self) {
        self.keys.clear();
        self.buttons.clear();
        self.fingers.clear();
        self.pressing = None;
    }

    /// Carries out what the client did.
    pub fn input(&mut self, event: Event) -> Result<(), EiError> {
        match event {
            Event::Key { code, down } => self.key(code, down),
            Event::PointerMotion { dx, dy } => self.motion(dx, dy),
            Event::PointerPosition { x, y } => self.position(x, y),
            Event::PointerButton { code, down } => self.button(code, down),
            Event::Scroll { horizontal, vertical } => self.scroll(horizontal, vertical),
            Event::Text { character } => self.text(character),
            Event::Touch(touch) if self.has::<ei::Touchscreen>() => {
                self.touch(touch.id, touch.phase, touch.x, touch.y);
            }
            Event::Touch(touch) => self.point(Presser::Finger(touch.id), touch.phase, touch.x, touch.y),
            Event::Pen(pen) => self.point(Presser::Pen, pen.phase, pen.x, pen.y),
            Event::ReleaseAll => self.release_all(),
            _ => {}
        }
        self.flush()
    }

    /// Everything that is down goes up, what went down last first.
    pub fn release_all(&mut self) {
        while let Some(id) = self.fingers.pop() {
            self.with::<ei::Touchscreen>(|touch, _| touch.up(id));
        }
        self.pressing = None;
        for code in self.buttons.clone().into_iter().rev() {
            self.button(code, false);
        }
        for code in self.keys.clone().into_iter().rev() {
            self.key(code, false);
        }
    }

    /// Sends what waits, as far as the other side reads.
    pub fn flush(&mut self) -> Result<(), EiError> {
        match self.context.flush() {
            Ok(()) => self.full = false,
            Err(rustix::io::Errno::AGAIN) => self.full = true,
            Err(error) => return Err(EiError::Broken(error.to_string())),
        }
        Ok(())
    }

    fn has<T: Interface + ei::Interface>(&self) -> bool {
        self.devices.iter().any(|offered| offered.open && offered.device.interface::<T>().is_some())
    }

    /// One event and its frame, to the first device that can. False when none can.
    fn with<T: Interface + ei::Interface>(&mut self, send: impl FnOnce(&T, &Device)) -> bool {
        let open = self.devices.iter().filter(|offered| offered.open);
        let Some((part, device)) =
            open.into_iter().find_map(|offered| Some((offered.device.interface::<T>()?, &offered.device)))
        else {
            return false;
        };
        send(&part, device);
        device.device().frame(self.converter.connection().serial(), micros());
        true
    }

    fn key(&mut self, code: u16, down: bool) {
        // Clients repeat held keys by themselves, and so does the compositor.
        if down == self.keys.contains(&code) {
            return;
        }
        let state = if down { KeyState::Press } else { KeyState::Released };
        if self.with::<ei::Keyboard>(|keyboard, _| keyboard.key(u32::from(code), state)) && down {
            self.keys.push(code);
        } else {
            self.keys.retain(|held| *held != code);
        }
    }

    fn button(&mut self, code: u16, down: bool) {
        if down == self.buttons.contains(&code) {
            return;
        }
        let state = if down { ButtonState::Press } else { ButtonState::Released };
        if self.with::<ei::Button>(|button, _| button.button(u32::from(code), state)) && down {
            self.buttons.push(code);
        } else {
            self.buttons.retain(|held| *held != code);
        }
    }

    fn motion(&mut self, dx: f64, dy: f64) {
        if !self.full {
            self.with::<ei::Pointer>(|pointer, _| pointer.motion_relative(dx as f32, dy as f32));
        }
    }

    /// Moves the pointer by one pixel and back. False when there is no pointer yet.
    pub fn nudge(&mut self) -> bool {
        let moved = self.has::<ei::Pointer>() && !self.full;
        self.motion(1.0, 0.0);
        self.motion(-1.0, 0.0);
        moved
    }

    fn position(&mut self, x: f64, y: f64) {
        if !self.full {
            let size = self.size;
            self.with::<ei::PointerAbsolute>(|pointer, device| {
                let (x, y) = place(device, size, x, y);
                pointer.motion_absolute(x, y);
            });
        }
    }

    fn scroll(&mut self, horizontal: i32, vertical: i32) {
        // Here positive is down, in the event it is up.
        let down = vertical.saturating_neg();
        self.with::<ei::Scroll>(|scroll, _| scroll.scroll_discrete(horizontal, down));
    }

    fn touch(&mut self, id: u32, phase: Phase, x: f64, y: f64) {
        let (size, down) = (self.size, self.fingers.contains(&id));
        match phase {
            Phase::Down if !down => {
                let sent = self.with::<ei::Touchscreen>(|touch, device| {
                    let (x, y) = place(device, size, x, y);
                    touch.down(id, x, y);
                });
                if sent {
                    self.fingers.push(id);
                }
            }
            Phase::Down | Phase::Move if down && !self.full => {
                self.with::<ei::Touchscreen>(|touch, device| {
                    let (x, y) = place(device, size, x, y);
                    touch.motion(id, x, y);
                });
            }
            Phase::Up | Phase::Cancel if down => {
                self.with::<ei::Touchscreen>(|touch, _| touch.up(id));
                self.fingers.retain(|held| *held != id);
            }
            Phase::CancelAll => {
                while let Some(id) = self.fingers.pop() {
                    self.with::<ei::Touchscreen>(|touch, _| touch.up(id));
                }
            }
            _ => {}
        }
    }

    /// A finger or a pen as the pointer: the first that touches holds its left button.
    fn point(&mut self, who: Presser, phase: Phase, x: f64, y: f64) {
        let mine = self.pressing == Some(who);
        match phase {
            Phase::Down if self.pressing.is_none() => {
                self.position(x, y);
                self.button(BTN_LEFT, true);
                self.pressing = Some(who);
            }
            Phase::Hover if who == Presser::Pen && self.pressing.is_none() => self.position(x, y),
            Phase::Move if mine => self.position(x, y),
            Phase::Up | Phase::Cancel | Phase::CancelAll | Phase::HoverEnd if mine => {
                self.button(BTN_LEFT, false);
                self.pressing = None;
            }
            _ => {}
        }
    }

    fn text(&mut self, character: char) {
        if self.with::<ei::Text>(|text, _| text.utf8(character.encode_utf8(&mut [0; 4]))) {
            return;
        }
        let Some((code, shift, level3)) = self.keymap.find(character) else {
            if !std::mem::replace(&mut self.told, true) {
                tracing::warn!(%character, "the keyboard layout of gamescope lacks a character; it is left out");
            }
            return;
        };
        // What is held would make another character, or a shortcut, of it.
        let held = self.keys.clone();
        let needed = || [(shift, SHIFT), (level3, ALT_GR)].into_iter().filter(|(wanted, _)| *wanted);
        held.iter().rev().for_each(|key| self.key(*key, false));
        needed().for_each(|(_, key)| self.key(key, true));
        self.key(code, true);
        self.key(code, false);
        needed().for_each(|(_, key)| self.key(key, false));
        held.iter().for_each(|key| self.key(*key, true));
    }
}

/// The place on a device that these shares of the picture's sides mean.
fn place(device: &Device, size: (u32, u32), x: f64, y: f64) -> (f32, f32) {
    let region = device.regions().first();
    let (left, top, width, height) = match region.filter(|r| r.width <= LONGEST && r.height <= LONGEST) {
        Some(region) => (region.x, region.y, region.width, region.height),
        None => (0, 0, size.0, size.1),
    };
    let along = |from: u32, side: u32, share: f64| {
        let last = (f64::from(side) - 1.0).max(0.0);
        (f64::from(from) + (share * f64::from(side)).clamp(0.0, last)) as f32
    };
    (along(left, width, x), along(top, height, y))
}

/// `CLOCK_MONOTONIC` in microseconds.
fn micros() -> u64 {
    super::monotonic() / 1_000
}
