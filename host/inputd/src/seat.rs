//! The conversation with one host: which devices its seat has, what goes into them and
//! what comes back. Packets, time and a backend go in, packets come out.

use std::collections::VecDeque;
use std::time::Duration;

use punktfunk_inputd_ipc::{
    CodecError, Header, MAX_DEVICE, MAX_MESSAGE, MAX_PADS, MAX_PADS_PER_SEAT, PadKind, PadState, Refusal,
    SeatName, ToBroker, ToHost, decode_to_broker,
};

use crate::device::{Backend, Device, Request, Spec};
use crate::ff::Effects;
use crate::limits::{Creates, OUTPUT_BURST, OUTPUTS_PER_SECOND, Rate, STATE_BURST, STATES_PER_SECOND};
use crate::pad::Packer;

/// No more answers than this wait for a host that does not read.
const MAX_ANSWERS: usize = 64;
/// Events are held back until the device was announced, but not longer than this.
const ANNOUNCE_LIMIT: Duration = Duration::from_secs(1);
/// How often to look whether it was.
const ANNOUNCE_STEP: Duration = Duration::from_millis(10);
/// How long a device that was not idle stays after its last report.
const FAREWELL: Duration = Duration::from_millis(50);
/// No more states than this wait to be written; of more, the newest takes the place of
/// the one before it.
const MAX_WAITING: usize = 32;
/// No more requests of a game than this are heard at once, so that one device cannot
/// keep the others waiting.
const REQUESTS_AT_ONCE: usize = 64;

/// Why a connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It sent something that is no message.
    Codec(CodecError),
    /// It did not say hello first, or twice.
    Hello,
    /// It does not read its answers.
    Deaf,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Codec(error) => error.fmt(formatter),
            Self::Hello => {
                formatter.write_str("a greeting at the wrong time; update host and broker together")
            }
            Self::Deaf => formatter.write_str("it does not read its answers"),
        }
    }
}

/// What all seats share.
#[derive(Debug)]
pub struct Shared<D> {
    pads: usize,
    creates: Creates,
    /// Devices that were released and shall go, in the order of their time.
    leaving: VecDeque<(Duration, D)>,
}

impl<D> Default for Shared<D> {
    fn default() -> Self {
        Self { pads: 0, creates: Creates::default(), leaving: VecDeque::new() }
    }
}

impl<D: Device> Shared<D> {
    /// How many pads there are now.
    pub fn pads(&self) -> usize {
        self.pads
    }

    /// Takes away the devices whose time has come.
    pub fn tick(&mut self, now: Duration) {
        while self.leaving.front().is_some_and(|(at, _)| *at <= now) {
            self.leaving.pop_front();
        }
    }

    /// When [`Shared::tick`] has something to do.
    pub fn deadline(&self) -> Option<Duration> {
        self.leaving.front().map(|(at, _)| *at)
    }

    /// A report in which nothing is pressed, then the end of the device. Whoever reads it
    /// needs a moment: the kernel throws away what was not read when a device goes.
    fn remove(&mut self, now: Duration, mut pad: Pad<D>) {
        self.pads = self.pads.saturating_sub(1);
        let report = pad.packer.pack(&PadState::default());
        if !report.events().is_empty() && pad.device.write(report.events()).is_ok() {
            self.leaving.push_back((now + FAREWELL, pad.device));
        }
    }
}

/// States that cannot be written yet. Where only sticks or triggers moved, the newest
/// position is enough; a button that went down and up again has to be seen to do so.
#[derive(Debug, Default)]
struct Waiting(VecDeque<PadState>);

impl Waiting {
    fn push(&mut self, state: PadState) {
        let is_full = self.0.len() >= MAX_WAITING;
        match self.0.back_mut() {
            Some(last) if is_full || last.buttons == state.buttons => *last = state,
            _ => self.0.push_back(state),
        }
    }

    fn pop(&mut self) -> Option<PadState> {
        self.0.pop_front()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A pad of this seat.
struct Pad<D> {
    device: D,
    packer: Packer,
    /// The states that were not written yet, oldest first.
    waiting: Waiting,
    states: Rate,
    made: Duration,
    announced: bool,
    watched: bool,
    effects: Effects,
    /// What the motors do, and until when if that is known.
    wanted: (u16, u16),
    mix_next: Option<Duration>,
    told: (u16, u16),
    outputs: Rate,
}

/// One connection.
pub struct Seat<D> {
    name: Option<SeatName>,
    pads: [Option<Pad<D>>; MAX_DEVICE as usize],
    answers: VecDeque<(u8, ToHost)>,
    /// The user that devices are given to.
    owner: Option<u32>,
}

impl<D: Device> Seat<D> {
    /// A host that has said nothing yet. With an owner its devices are given to that
    /// user.
    pub fn new(owner: Option<u32>) -> Self {
        Self {
            name: None,
            pads: [const { None }; MAX_DEVICE as usize],
            answers: VecDeque::with_capacity(MAX_ANSWERS),
            owner,
        }
    }

    /// Takes one packet. After an error the connection has to be closed.
    pub fn handle<B: Backend<Device = D>>(
        &mut self,
        now: Duration,
        packet: &[u8],
        shared: &mut Shared<D>,
        backend: &mut B,
    ) -> Result<(), Ended> {
        let (header, message) = decode_to_broker(packet).map_err(Ended::Codec)?;
        let Some(name) = self.name else {
            let ToBroker::Hello(name) = message else { return Err(Ended::Hello) };
            self.name = Some(name);
            let kinds = PadKind::ALL.iter().map(|kind| kind.bit()).sum();
            return self.answer(0, ToHost::Caps { kinds, pads: MAX_PADS_PER_SEAT as u8 });
        };
        match message {
            ToBroker::Create { kind, .. } => {
                let spec = Spec { kind, seat: name, index: header.device };
                match self.create(now, &spec, shared, backend) {
                    // Answered when it was announced.
                    Ok(()) => Ok(()),
                    Err(refusal) => self.answer(header.device, ToHost::Error(refusal)),
                }
            }
            ToBroker::Destroy => match self.slot(header.device).and_then(Option::take) {
                Some(pad) => {
                    shared.remove(now, pad);
                    Ok(())
                }
                None => self.answer(header.device, ToHost::Error(Refusal::NoSuchDevice)),
            },
            ToBroker::State(state) => {
                // A pad that was refused: the host has been told.
                let Some(Some(pad)) = self.slot(header.device) else { return Ok(()) };
                pad.waiting.push(state);
                pad.write(now);
                Ok(())
            }
            // Hello again, or what a newer codec knows and this broker does not do.
            _ => Err(Ended::Hello),
        }
    }

    fn slot(&mut self, device: u8) -> Option<&mut Option<Pad<D>>> {
        self.pads.get_mut(usize::from(device))
    }

    fn create<B: Backend<Device = D>>(
        &mut self,
        now: Duration,
        spec: &Spec,
        shared: &mut Shared<D>,
        backend: &mut B,
    ) -> Result<(), Refusal> {
        let count = self.pads.iter().flatten().count();
        let Some(slot @ None) = self.slot(spec.index) else { return Err(Refusal::NoSuchDevice) };
        if count >= MAX_PADS_PER_SEAT {
            return Err(Refusal::SeatFull);
        }
        if shared.pads >= MAX_PADS {
            return Err(Refusal::Full);
        }
        if !shared.creates.take(now) {
            return Err(Refusal::TooFast);
        }
        let device = backend.create(spec)?;
        shared.pads += 1;
        *slot = Some(Pad {
            device,
            packer: Packer::new(spec.kind),
            waiting: Waiting::default(),
            states: Rate::new(STATES_PER_SECOND, STATE_BURST),
            made: now,
            announced: false,
            watched: false,
            effects: Effects::default(),
            wanted: (0, 0),
            mix_next: None,
            told: (0, 0),
            outputs: Rate::new(OUTPUTS_PER_SECOND, OUTPUT_BURST),
        });
        Ok(())
    }

    fn answer(&mut self, device: u8, message: ToHost) -> Result<(), Ended> {
        if self.answers.len() >= MAX_ANSWERS {
            return Err(Ended::Deaf);
        }
        self.answers.push_back((device, message));
        Ok(())
    }

    /// The device, to be watched for what games ask of it.
    pub fn device(&self, device: u8) -> Option<&D> {
        self.pads.get(usize::from(device))?.as_ref().map(|pad| &pad.device)
    }

    /// The next device that was made since this was asked last.
    pub fn next_unwatched(&mut self) -> Option<(u8, &D)> {
        let unwatched = |pad: &&mut Pad<D>| !pad.watched;
        let (index, pad) = (0_u8..)
            .zip(&mut self.pads)
            .find_map(|(index, pad)| Some((index, pad.as_mut().filter(unwatched)?)))?;
        pad.watched = true;
        Some((index, &pad.device))
    }

    /// A game asked something of a device. False when the device is broken: it is then
    /// not to be watched any more.
    pub fn device_readable(&mut self, now: Duration, device: u8) -> bool {
        let Some(Some(pad)) = self.slot(device) else { return false };
        for _ in 0..REQUESTS_AT_ONCE {
            match pad.device.read() {
                Ok(Some(Request::Upload(effect))) => pad.effects.upload(effect),
                Ok(Some(Request::Erase(id))) => pad.effects.erase(id),
                Ok(Some(Request::Play { id, count })) => pad.effects.play(now, id, count),
                Ok(Some(Request::Gain(gain))) => pad.effects.set_gain(gain),
                Ok(None) => break,
                Err(_) => return false,
            }
        }
        pad.mix(now);
        true
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Duration) -> Result<(), Ended> {
        let owner = self.owner;
        for index in 0..MAX_DEVICE {
            let Some(Some(pad)) = self.slot(index) else { continue };
            if pad.mix_next.is_some_and(|next| next <= now) {
                pad.mix(now);
            }
            let announced_now =
                !pad.announced && (pad.device.is_announced() || now >= pad.made + ANNOUNCE_LIMIT);
            pad.announced |= announced_now;
            if announced_now {
                if let Some(owner) = owner
                    && let Err(error) = pad.device.give_to(owner)
                {
                    eprintln!("punktfunk-inputd: a gamepad cannot be given to user {owner}: {error}");
                }
                let event = pad.device.event_node();
                pad.write(now);
                self.answer(index, ToHost::Created { event })?;
            } else {
                pad.write(now);
            }
        }
        Ok(())
    }

    /// When [`Seat::tick`] has something to do.
    pub fn deadline(&self, now: Duration) -> Option<Duration> {
        let of = |pad: &Pad<D>| {
            let announce = (!pad.announced).then(|| now + ANNOUNCE_STEP);
            let write = (pad.announced && !pad.waiting.is_empty()).then(|| pad.states.next(now));
            let tell = (pad.wanted != pad.told).then(|| pad.outputs.next(now));
            [announce, write, tell, pad.mix_next].into_iter().flatten().min()
        };
        self.pads.iter().flatten().filter_map(of).min()
    }

    /// The next message for the host: its device and what to say. Rumble that changed
    /// while the host did not read is said once, as it is now.
    pub fn poll(&mut self, now: Duration) -> Option<(u8, ToHost)> {
        if let Some(answer) = self.answers.pop_front() {
            return Some(answer);
        }
        for (index, pad) in (0_u8..).zip(&mut self.pads) {
            let Some(pad) = pad else { continue };
            if pad.announced && pad.wanted != pad.told && pad.outputs.take(now).is_ok() {
                pad.told = pad.wanted;
                let (strong, weak) = pad.wanted;
                let left = pad.mix_next.map(|next| next.saturating_sub(now).as_millis());
                let duration = left.map_or(0, |left| u32::try_from(left).unwrap_or(u32::MAX).max(1));
                return Some((index, ToHost::Rumble { strong, weak, duration }));
            }
        }
        None
    }

    /// The host hung up: everything goes up, then the devices go.
    pub fn hang_up(&mut self, now: Duration, shared: &mut Shared<D>) {
        for pad in &mut self.pads {
            if let Some(pad) = pad.take() {
                shared.remove(now, pad);
            }
        }
    }

    /// True once the host said hello.
    pub fn has_name(&self) -> bool {
        self.name.is_some()
    }

    /// Which seat it is.
    pub fn name(&self) -> &str {
        self.name.as_ref().map_or("a host that said nothing", SeatName::as_str)
    }
}

impl<D: Device> Pad<D> {
    /// Writes the states that wait, as far as they have not to wait longer.
    fn write(&mut self, now: Duration) {
        while self.announced && !self.waiting.is_empty() && self.states.take(now).is_ok() {
            let Some(state) = self.waiting.pop() else { return };
            let report = self.packer.pack(&state);
            if !report.events().is_empty() && self.device.write(report.events()).is_err() {
                // The kernel takes every event of a device it made; if it does not, the
                // next state shall be whole again.
                self.packer.forget();
            }
        }
    }

    fn mix(&mut self, now: Duration) {
        let mix = self.effects.mix(now);
        self.wanted = (mix.strong, mix.weak);
        self.mix_next = mix.next;
    }
}

/// Writes a message as packet `sequence` of its direction; its length.
pub fn encode(
    device: u8,
    sequence: u32,
    now: Duration,
    message: &ToHost,
    out: &mut [u8; MAX_MESSAGE],
) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "the low 32 bits are what the message has")]
    let time = now.as_micros() as u32;
    message.encode(Header { device, sequence, time }, out)
}

#[cfg(test)]
mod tests;
