//! Which pads a client has, which the broker has made, and what is to be said so that
//! they agree. No I/O; time is since the seat's pads were opened.

use std::time::Duration;

use punktfunk_core::input::pad::{self, Change, Feedback, Kind, State, capability};
use punktfunk_inputd_ipc::{PadKind, PadState, Refusal, ToBroker, ToHost};

/// Rumble that lasts is told again: the widest client stops by itself after 30 s.
const RUMBLE_AGAIN: Duration = Duration::from_secs(15);
/// A pad that was refused is asked for again after this time.
const RETRY: Duration = Duration::from_secs(10);

const PADS: usize = pad::MAX_PADS as usize;

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// What it shall be, while the client has it.
    wanted: Option<PadKind>,
    /// What the broker was asked to make.
    asked: Option<PadKind>,
    /// The client took away what was asked for; what it has now is another pad.
    replaced: bool,
    /// Not to be asked for before.
    retry_at: Duration,
    state: State,
    /// The broker does not know the state yet.
    dirty: bool,
    /// What a game has the motors do, and when the client was told.
    rumble: (u16, u16),
    told_at: Duration,
}

impl Slot {
    fn replaced_by(&self, wanted: Option<PadKind>) -> Self {
        Self { wanted, asked: self.asked, replaced: self.asked.is_some(), ..Self::default() }
    }
}

/// The pads of one client.
#[derive(Debug)]
pub(super) struct Table {
    client: [u8; 8],
    slots: [Slot; PADS],
}

impl Table {
    /// The pads of the client whose certificate has this hash.
    pub(super) fn new(client: &[u8; 32]) -> Self {
        let first = client.first_chunk().copied().unwrap_or_default();
        Self { client: first, slots: [Slot::default(); PADS] }
    }

    /// The client did something with a pad.
    pub(super) fn event(&mut self, event: &pad::Event) {
        let Some(slot) = self.slots.get_mut(usize::from(event.index)) else { return };
        match event.change {
            Change::Arrived(arrival) => {
                let (kind, why) = choose(&arrival);
                if slot.wanted != Some(kind) {
                    tracing::info!(pad = event.index, ?kind, why, "a gamepad arrived");
                    *slot = slot.replaced_by(Some(kind));
                }
            }
            Change::State(state) => {
                if slot.wanted.is_none() {
                    let (kind, why) = choose(&pad::Arrival::default());
                    tracing::info!(pad = event.index, ?kind, why, "a gamepad is used");
                    slot.wanted = Some(kind);
                }
                slot.dirty |= slot.state != state;
                slot.state = state;
            }
            Change::Left => {
                tracing::info!(pad = event.index, "a gamepad was taken away");
                *slot = slot.replaced_by(None);
            }
            Change::Touch(_) | Change::Motion { .. } | Change::Battery { .. } => {
                tracing::debug!(pad = event.index, "an Xbox pad has no touchpad, motion or battery");
            }
        }
    }

    /// Nothing is pressed any more.
    pub(super) fn release_all(&mut self) {
        for slot in &mut self.slots {
            slot.dirty |= slot.state != State::default();
            slot.state = State::default();
        }
    }

    /// True while the client has pads: only then a broker is needed.
    pub(super) fn is_needed(&self) -> bool {
        self.slots.iter().any(|slot| slot.wanted.is_some())
    }

    /// A broker is there, and knows of nothing.
    pub(super) fn connected(&mut self) {
        for slot in &mut self.slots {
            slot.asked = None;
            slot.replaced = false;
            slot.retry_at = Duration::ZERO;
        }
    }

    /// The broker is gone, and with it the devices: the next pad that rumbles and has to
    /// be told to stop.
    pub(super) fn silence(&mut self) -> Option<(u8, Feedback)> {
        let (index, slot) = (0_u8..).zip(&mut self.slots).find(|(_, slot)| slot.rumble != (0, 0))?;
        slot.rumble = (0, 0);
        Some((index, Feedback::Rumble { low: 0, high: 0 }))
    }

    /// The next thing to say to the broker. Pads are made in the order of their numbers,
    /// because games number them as they appear.
    pub(super) fn next(&mut self, now: Duration) -> Option<(u8, ToBroker)> {
        for (index, slot) in (0_u8..).zip(&mut self.slots) {
            if std::mem::take(&mut slot.replaced) {
                slot.asked = None;
                return Some((index, ToBroker::Destroy));
            }
            let Some(kind) = slot.wanted else { continue };
            if slot.asked.is_none() {
                if slot.retry_at > now {
                    continue;
                }
                slot.asked = Some(kind);
                slot.dirty = slot.state != State::default();
                return Some((index, ToBroker::Create { kind, client: self.client }));
            }
            if slot.dirty {
                slot.dirty = false;
                return Some((index, ToBroker::State(to_broker(&slot.state))));
            }
        }
        None
    }

    /// What the broker said; what the client shall hear of it.
    pub(super) fn heard(&mut self, now: Duration, device: u8, message: &ToHost) -> Option<Feedback> {
        let slot = self.slots.get_mut(usize::from(device))?;
        match message {
            ToHost::Created { event } => {
                tracing::debug!(pad = device, ?event, "a gamepad is there");
                None
            }
            ToHost::Rumble { strong, weak, .. } if slot.asked.is_some() && !slot.replaced => {
                slot.rumble = (*strong, *weak);
                slot.told_at = now;
                Some(Feedback::Rumble { low: *strong, high: *weak })
            }
            // One that was taken away was not missed.
            ToHost::Error(Refusal::NoSuchDevice) => None,
            ToHost::Error(_) => {
                slot.asked = None;
                slot.replaced = false;
                slot.retry_at = now + RETRY;
                None
            }
            _ => None,
        }
    }

    /// Rumble that lasts and is to be told again now.
    pub(super) fn again(&mut self, now: Duration) -> Option<(u8, Feedback)> {
        let due = |slot: &Slot| slot.rumble != (0, 0) && now >= slot.told_at + RUMBLE_AGAIN;
        let (index, slot) = (0_u8..).zip(&mut self.slots).find(|(_, slot)| due(slot))?;
        slot.told_at = now;
        let (low, high) = slot.rumble;
        Some((index, Feedback::Rumble { low, high }))
    }

    /// When [`Table::again`] or [`Table::next`] has something to say by itself.
    pub(super) fn deadline(&self, now: Duration) -> Option<Duration> {
        let of = |slot: &Slot| {
            let again = (slot.rumble != (0, 0)).then_some(slot.told_at + RUMBLE_AGAIN);
            let retry = (slot.wanted.is_some() && slot.asked.is_none()).then_some(slot.retry_at.max(now));
            [again, retry].into_iter().flatten().min()
        };
        self.slots.iter().filter_map(of).min()
    }
}

/// What a pad becomes, and why. Only Xbox pads are made for now: every game knows them,
/// and clients translate what they hold into their buttons.
fn choose(arrival: &pad::Arrival) -> (PadKind, &'static str) {
    let trigger_motors = arrival.capabilities & capability::TRIGGER_RUMBLE != 0;
    match arrival.kind {
        Kind::Xbox if trigger_motors => (PadKind::XboxOneS, "an Xbox pad with motors in its triggers"),
        Kind::Xbox => (PadKind::Xbox360, "an Xbox pad"),
        Kind::Unknown => (PadKind::Xbox360, "the client did not say what it is"),
        Kind::PlayStation => (PadKind::Xbox360, "PlayStation pads are not made yet"),
        Kind::Nintendo => (PadKind::Xbox360, "Nintendo pads are not made yet"),
        Kind::Steam => (PadKind::Xbox360, "Steam's pads are not made yet"),
    }
}

fn to_broker(state: &State) -> PadState {
    PadState {
        buttons: state.buttons,
        triggers: [state.left_trigger, state.right_trigger],
        left: state.left,
        right: state.right,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RUMBLE: ToHost = ToHost::Rumble { strong: 5, weak: 6, duration: 0 };

    fn arrive(table: &mut Table, index: u8, kind: Kind) {
        let arrival = pad::Arrival { kind, ..pad::Arrival::default() };
        table.event(&pad::Event { index, change: Change::Arrived(arrival) });
    }

    fn press(table: &mut Table, index: u8, buttons: u32) {
        let state = State { buttons, ..State::default() };
        table.event(&pad::Event { index, change: Change::State(state) });
    }

    fn leave(table: &mut Table, index: u8) {
        table.event(&pad::Event { index, change: Change::Left });
    }

    /// What is said now, as short words.
    fn said(table: &mut Table, now: Duration) -> Vec<(u8, String)> {
        std::iter::from_fn(|| table.next(now))
            .map(|(index, message)| {
                let word = match message {
                    ToBroker::Create { kind, client } => {
                        assert_eq!(client, [9; 8]);
                        format!("{kind:?}")
                    }
                    ToBroker::Destroy => "destroy".to_owned(),
                    ToBroker::State(state) => state.buttons.to_string(),
                    other => panic!("{other:?}"),
                };
                (index, word)
            })
            .collect()
    }

    fn words(list: &[(u8, &str)]) -> Vec<(u8, String)> {
        list.iter().map(|(index, word)| (*index, (*word).to_owned())).collect()
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn pads_are_made_in_order_with_their_state_and_taken_away() {
        let mut table = Table::new(&[9; 32]);
        assert!(!table.is_needed());
        arrive(&mut table, 1, Kind::PlayStation);
        press(&mut table, 1, 7);
        arrive(&mut table, 0, Kind::Xbox);
        press(&mut table, 3, 0);
        assert!(table.is_needed());
        let wanted = words(&[(0, "Xbox360"), (1, "Xbox360"), (1, "7"), (3, "Xbox360")]);
        assert_eq!(said(&mut table, secs(0)), wanted);
        press(&mut table, 1, 7);
        arrive(&mut table, 1, Kind::PlayStation);
        assert_eq!(said(&mut table, secs(0)), [], "nothing is new");
        press(&mut table, 1, 8);
        press(&mut table, 1, 9);
        leave(&mut table, 0);
        assert_eq!(said(&mut table, secs(1)), words(&[(0, "destroy"), (1, "9")]));
        table.release_all();
        assert_eq!(said(&mut table, secs(1)), words(&[(1, "0")]));
        press(&mut table, 16, 1);
        assert_eq!(said(&mut table, secs(1)), [], "no such pad");
    }

    #[test]
    fn a_pad_that_comes_back_as_another_is_made_anew() {
        let mut table = Table::new(&[9; 32]);
        arrive(&mut table, 0, Kind::Xbox);
        press(&mut table, 0, 1);
        said(&mut table, secs(0));
        let arrival = pad::Arrival { kind: Kind::Xbox, capabilities: capability::TRIGGER_RUMBLE, buttons: 0 };
        table.event(&pad::Event { index: 0, change: Change::Arrived(arrival) });
        assert_eq!(said(&mut table, secs(0)), words(&[(0, "destroy"), (0, "XboxOneS")]));
        // Away and back before the broker was told.
        leave(&mut table, 0);
        arrive(&mut table, 0, Kind::Unknown);
        assert_eq!(said(&mut table, secs(0)), words(&[(0, "destroy"), (0, "Xbox360")]));
    }

    #[test]
    fn a_new_broker_gets_the_pads_and_what_is_pressed() {
        let mut table = Table::new(&[9; 32]);
        press(&mut table, 2, 4);
        press(&mut table, 0, 1);
        said(&mut table, secs(0));
        table.heard(secs(0), 2, &RUMBLE);
        assert_eq!(table.silence(), Some((2, Feedback::Rumble { low: 0, high: 0 })));
        assert_eq!(table.silence(), None);
        leave(&mut table, 0);
        table.connected();
        assert_eq!(said(&mut table, secs(1)), words(&[(2, "Xbox360"), (2, "4")]));
    }

    #[test]
    fn a_refused_pad_is_asked_for_again_later() {
        let mut table = Table::new(&[9; 32]);
        press(&mut table, 0, 1);
        assert_eq!(said(&mut table, secs(0)), words(&[(0, "Xbox360"), (0, "1")]));
        table.heard(secs(1), 0, &ToHost::Error(Refusal::NoUinput));
        press(&mut table, 0, 2);
        assert_eq!(said(&mut table, secs(2)), []);
        assert_eq!(table.deadline(secs(2)), Some(secs(11)));
        assert_eq!(said(&mut table, secs(11)), words(&[(0, "Xbox360"), (0, "2")]));
        assert_eq!(table.deadline(secs(11)), None);
    }

    #[test]
    fn rumble_that_lasts_is_told_again_until_it_ends() {
        let mut table = Table::new(&[9; 32]);
        assert_eq!(table.heard(secs(0), 0, &RUMBLE), None, "there is no pad");
        press(&mut table, 0, 0);
        said(&mut table, secs(0));
        let rumble = Feedback::Rumble { low: 5, high: 6 };
        assert_eq!(table.heard(secs(1), 0, &RUMBLE), Some(rumble));
        assert_eq!(table.deadline(secs(1)), Some(secs(16)));
        assert_eq!(table.again(secs(15)), None);
        assert_eq!(table.again(secs(16)), Some((0, rumble)));
        assert_eq!(table.again(secs(16)), None);
        assert_eq!(table.deadline(secs(16)), Some(secs(31)));
        let end = ToHost::Rumble { strong: 0, weak: 0, duration: 0 };
        assert_eq!(table.heard(secs(17), 0, &end), Some(Feedback::Rumble { low: 0, high: 0 }));
        assert_eq!(table.deadline(secs(17)), None);
    }

    proptest! {
        /// Whatever the client does and however often the broker goes: in the end the
        /// broker has exactly the client's pads, and on them what is pressed.
        #[test]
        fn the_broker_ends_up_with_what_the_client_has(
            steps in proptest::collection::vec((0_u8..4, 0_u8..6, any::<u8>()), 0..60),
        ) {
            let mut table = Table::new(&[9; 32]);
            let (mut client, mut broker) = ([None; 4], [None; 4]);
            for (index, what, value) in steps {
                let at = usize::from(index);
                match what {
                    0 => {
                        arrive(&mut table, index, Kind::Nintendo);
                        client[at] = client[at].or(Some(0));
                    }
                    1 => {
                        leave(&mut table, index);
                        client[at] = None;
                    }
                    2 => {
                        table.connected();
                        broker = [None; 4];
                    }
                    3 => {
                        table.release_all();
                        client = client.map(|pad| pad.map(|_| 0));
                    }
                    _ => {
                        press(&mut table, index, value.into());
                        client[at] = Some(u32::from(value));
                    }
                }
                if value & 1 == 0 {
                    continue;
                }
                while let Some((index, message)) = table.next(secs(0)) {
                    let place = &mut broker[usize::from(index)];
                    match message {
                        ToBroker::Create { .. } => {
                            prop_assert!(place.is_none());
                            *place = Some(0);
                        }
                        ToBroker::Destroy => prop_assert!(place.take().is_some()),
                        ToBroker::State(state) => {
                            prop_assert!(place.is_some());
                            *place = Some(state.buttons);
                        }
                        _ => prop_assert!(false),
                    }
                }
                prop_assert_eq!(broker, client);
            }
        }
    }
}
