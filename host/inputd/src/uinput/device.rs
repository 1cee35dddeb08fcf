//! One device: setting it up, writing reports, answering games.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::mem::size_of;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use crate::device::{Device, InputEvent, Request, Spec};
use crate::ff::{EFFECTS, Effect, Envelope, Shape};
use crate::ffi::{self, Bit};
use crate::pad::{self, BUTTONS, EV_ABS, EV_KEY};

const EV_FF: u16 = 0x15;
/// What the kernel tells the maker of a device.
const EV_UINPUT: u16 = 0x0101;
const UI_FF_UPLOAD: u16 = 1;
const UI_FF_ERASE: u16 = 2;

const FF_RUMBLE: u16 = 0x50;
const FF_PERIODIC: u16 = 0x51;
const FF_CONSTANT: u16 = 0x52;
const FF_RAMP: u16 = 0x57;
const FF_SQUARE: u16 = 0x58;
const FF_TRIANGLE: u16 = 0x59;
const FF_SINE: u16 = 0x5a;
const FF_GAIN: u16 = 0x60;

/// What the driver of the real pads announces: rumble, and periodic forces that become
/// rumble.
const FEEDBACK: [u16; 6] = [FF_RUMBLE, FF_PERIODIC, FF_SQUARE, FF_TRIANGLE, FF_SINE, FF_GAIN];

/// Bytes of a `struct input_event`; type, code and value are the last eight.
const EVENT: usize = size_of::<libc::input_event>();

/// A device of the kernel. It is gone when this is dropped.
#[derive(Debug)]
pub struct Uinput {
    node: File,
    event: Option<u32>,
}

impl Uinput {
    pub(super) fn create(node: File, spec: &Spec) -> io::Result<Self> {
        let fd = node.as_fd();
        for kind in [EV_KEY, EV_ABS, EV_FF] {
            ffi::set_bit(fd, Bit::Event, kind)?;
        }
        for (_, code) in BUTTONS {
            ffi::set_bit(fd, Bit::Key, code)?;
        }
        for axis in pad::axes(spec.kind) {
            let absinfo = libc::input_absinfo {
                value: 0,
                minimum: axis.minimum,
                maximum: axis.maximum,
                fuzz: axis.fuzz,
                flat: axis.flat,
                resolution: 0,
            };
            ffi::set_axis(fd, &libc::uinput_abs_setup { code: axis.code, absinfo })?;
        }
        for code in FEEDBACK {
            ffi::set_bit(fd, Bit::Feedback, code)?;
        }
        // Rules of udev find the device by this.
        let phys = CString::new(format!("punktfunk/{}/pad{}", spec.seat.as_str(), spec.index))?;
        ffi::set_phys(fd, &phys)?;
        ffi::set_up(fd, &setup(spec))?;
        ffi::create(fd)?;
        let event = ffi::sysfs_name(fd).ok().and_then(|name| event_of(&name));
        Ok(Self { node, event })
    }
}

fn setup(spec: &Spec) -> libc::uinput_setup {
    let identity = pad::identity(spec.kind);
    let mut setup = libc::uinput_setup {
        id: libc::input_id {
            bustype: identity.bus,
            vendor: identity.vendor,
            product: identity.product,
            version: identity.version,
        },
        name: [0; libc::UINPUT_MAX_NAME_SIZE],
        ff_effects_max: EFFECTS as u32,
    };
    for (place, byte) in setup.name.iter_mut().zip(identity.name.bytes()) {
        *place = byte.cast_signed();
    }
    setup
}

/// N of the `eventN` that belongs to `inputM`.
fn event_of(input: &str) -> Option<u32> {
    let folder = Path::new("/sys/devices/virtual/input").join(input);
    std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .find_map(|entry| entry.file_name().to_str()?.strip_prefix("event")?.parse().ok())
}

impl AsFd for Uinput {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.node.as_fd()
    }
}

impl Device for Uinput {
    fn write(&mut self, events: &[InputEvent]) -> io::Result<()> {
        // The longest report has fewer events than this.
        let mut bytes = [0_u8; EVENT * 32];
        let mut len = 0;
        for event in events {
            let Some(place) = bytes.get_mut(len..len + EVENT) else { break };
            if let Some(end) = place.last_chunk_mut::<8>() {
                *end = event_bytes(event);
            }
            len += EVENT;
        }
        let bytes = bytes.get(..len).unwrap_or_default();
        // The kernel takes as many whole events as it is given.
        let written = (&self.node).write(bytes)?;
        if written == len { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    fn read(&mut self) -> io::Result<Option<Request>> {
        loop {
            let mut bytes = [0_u8; EVENT];
            match (&self.node).read(&mut bytes) {
                Ok(len) if len == EVENT => {}
                Ok(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            if let Some(request) = self.answer(&event_of_bytes(&bytes)) {
                return Ok(Some(request));
            }
        }
    }

    fn event_node(&self) -> Option<u32> {
        self.event
    }

    fn is_announced(&self) -> bool {
        let Some(event) = self.event else { return false };
        if !Path::new("/run/udev/data").is_dir() {
            return Path::new(&format!("/dev/input/event{event}")).exists();
        }
        // udev writes this when its rules have run, just before it tells programs. The
        // major number of input devices is 13; the first 32 event nodes begin at minor
        // 64, the others are called like their minor.
        let minor = if event < 32 { 64 + event } else { event };
        Path::new(&format!("/run/udev/data/c13:{minor}")).exists()
    }

    fn give_to(&self, user: u32) -> io::Result<()> {
        let event = self.event.ok_or(io::ErrorKind::NotFound)?;
        std::os::unix::fs::chown(format!("/dev/input/event{event}"), Some(user), None)
    }
}

impl Uinput {
    /// What an event of the kernel asks for; uploads and erasures are answered at once,
    /// because the game that asked waits.
    fn answer(&self, event: &InputEvent) -> Option<Request> {
        let id = event.value.cast_unsigned();
        match (event.kind, event.code) {
            (EV_UINPUT, UI_FF_UPLOAD) => {
                let effect = ffi::answer_upload(self.node.as_fd(), id).ok()?;
                effect_of(&effect).map(Request::Upload)
            }
            (EV_UINPUT, UI_FF_ERASE) => {
                let effect = ffi::answer_erase(self.node.as_fd(), id).ok()?;
                u8::try_from(effect).ok().map(Request::Erase)
            }
            (EV_FF, FF_GAIN) => Some(Request::Gain(event.value.clamp(0, 0xffff) as u16)),
            (EV_FF, effect) => {
                let id = u8::try_from(effect).ok()?;
                Some(Request::Play { id, count: u32::try_from(event.value).unwrap_or_default() })
            }
            _ => None,
        }
    }
}

fn event_bytes(event: &InputEvent) -> [u8; 8] {
    let [a, b] = event.kind.to_ne_bytes();
    let [c, d] = event.code.to_ne_bytes();
    let [e, f, g, h] = event.value.to_ne_bytes();
    [a, b, c, d, e, f, g, h]
}

fn event_of_bytes(bytes: &[u8; EVENT]) -> InputEvent {
    let [a, b, c, d, e, f, g, h] = bytes.last_chunk::<8>().copied().unwrap_or_default();
    InputEvent {
        kind: u16::from_ne_bytes([a, b]),
        code: u16::from_ne_bytes([c, d]),
        value: i32::from_ne_bytes([e, f, g, h]),
    }
}

/// The effect in our terms; `None` for what cannot be felt as rumble.
fn effect_of(effect: &libc::ff_effect) -> Option<Effect> {
    let id = u8::try_from(effect.id).ok().filter(|id| usize::from(*id) < EFFECTS)?;
    // The union begins with 16-bit numbers, whatever is in it.
    let mut words = [0_u16; 16];
    let bytes = effect.u.iter().flat_map(|word| word.to_ne_bytes());
    for (index, byte) in bytes.enumerate().take(32) {
        if let Some(word) = words.get_mut(index / 2) {
            let mut pair = word.to_ne_bytes();
            if let Some(place) = pair.get_mut(index % 2) {
                *place = byte;
            }
            *word = u16::from_ne_bytes(pair);
        }
    }
    let signed = |word: u16| word.cast_signed();
    let envelope = |attack_length, attack_level, fade_length, fade_level| Envelope {
        attack_length,
        attack_level,
        fade_length,
        fade_level,
    };
    let shape = match (effect.type_, words) {
        (FF_RUMBLE, [strong, weak, ..]) => Shape::Rumble { strong, weak },
        (FF_CONSTANT, [level, a, b, c, d, ..]) => {
            Shape::Force { start: signed(level), end: signed(level), envelope: envelope(a, b, c, d) }
        }
        (FF_RAMP, [start, end, a, b, c, d, ..]) => {
            Shape::Force { start: signed(start), end: signed(end), envelope: envelope(a, b, c, d) }
        }
        // Waveform, period, magnitude, offset, phase, envelope.
        (FF_PERIODIC, [_, _, level, _, _, a, b, c, d, ..]) => {
            Shape::Force { start: signed(level), end: signed(level), envelope: envelope(a, b, c, d) }
        }
        _ => return None,
    };
    Some(Effect { id, shape, length: effect.replay.length, delay: effect.replay.delay })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(kind: u16, words: [u16; 16]) -> libc::ff_effect {
        let mut u = [0; 4];
        for (index, word) in words.iter().enumerate() {
            let mut bytes = u64::to_ne_bytes(u[index / 4]);
            bytes[index % 4 * 2..][..2].copy_from_slice(&word.to_ne_bytes());
            u[index / 4] = u64::from_ne_bytes(bytes);
        }
        libc::ff_effect {
            type_: kind,
            id: 2,
            direction: 0,
            trigger: libc::ff_trigger { button: 0, interval: 0 },
            replay: libc::ff_replay { length: 500, delay: 10 },
            u,
        }
    }

    #[test]
    fn effects_of_games_are_understood() {
        let mut words = [0; 16];
        words[..2].copy_from_slice(&[40_000, 123]);
        let rumble = effect_of(&effect(FF_RUMBLE, words)).unwrap();
        assert_eq!(rumble.shape, Shape::Rumble { strong: 40_000, weak: 123 });
        assert_eq!((rumble.id, rumble.length, rumble.delay), (2, 500, 10));

        words[..9].copy_from_slice(&[FF_SINE, 100, 0x8001, 5, 6, 1, 2, 3, 4]);
        let envelope = Envelope { attack_length: 1, attack_level: 2, fade_length: 3, fade_level: 4 };
        let periodic = effect_of(&effect(FF_PERIODIC, words)).unwrap();
        assert_eq!(periodic.shape, Shape::Force { start: -32_767, end: -32_767, envelope });

        words[..6].copy_from_slice(&[7, 8, 1, 2, 3, 4]);
        let ramp = effect_of(&effect(FF_RAMP, words)).unwrap();
        assert_eq!(ramp.shape, Shape::Force { start: 7, end: 8, envelope });
        words[..5].copy_from_slice(&[9, 1, 2, 3, 4]);
        let constant = effect_of(&effect(FF_CONSTANT, words)).unwrap();
        assert_eq!(constant.shape, Shape::Force { start: 9, end: 9, envelope });

        assert_eq!(effect_of(&effect(0x53, words)), None, "a spring cannot be felt");
        for id in [-1, 16] {
            let mut wrong = effect(FF_RUMBLE, words);
            wrong.id = id;
            assert_eq!(effect_of(&wrong), None);
        }
    }

    #[test]
    fn an_event_survives() {
        let event = InputEvent { kind: 1, code: 0x130, value: -2 };
        let mut bytes = [0; EVENT];
        *bytes.last_chunk_mut().unwrap() = event_bytes(&event);
        assert_eq!(event_of_bytes(&bytes), event);
    }
}
