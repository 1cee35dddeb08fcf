//! What waits for a seat that does not read at the moment, in order.
//!
//! Nobody waits with it. Movements that follow each other become one, so that it takes
//! a person a while to fill it; presses and releases are never left out one by one.
//! When it is full everything that waits is replaced by one release of all that is
//! held: the seat hangs, and nothing must stay pressed when it wakes.

use std::collections::VecDeque;

use punktfunk_core::input::{Event, Phase};

/// Input events that may wait.
pub(crate) const MAX_INPUTS: usize = 512;
/// Other messages that may wait.
pub(crate) const MAX_PACKETS: usize = 256;

/// Something that waits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    /// An event that others may still be merged into.
    Input(Event),
    /// Any other message, as it is sent.
    Packet(Vec<u8>),
}

/// What waits.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    items: VecDeque<Item>,
    inputs: usize,
}

impl Outbox {
    /// What has waited longest.
    pub(crate) fn first(&self) -> Option<&Item> {
        self.items.front()
    }

    /// Takes out what has waited longest.
    pub(crate) fn remove_first(&mut self) {
        if let Some(Item::Input(_)) = self.items.pop_front() {
            self.inputs -= 1;
        }
    }

    /// Adds an event. False when there was no room: everything that is held will be
    /// released instead.
    pub(crate) fn push_input(&mut self, event: &Event) -> bool {
        if self.merge(event) {
            return true;
        }
        let room = self.inputs < MAX_INPUTS;
        if !room {
            self.items.retain(|item| matches!(item, Item::Packet(_)));
            self.items.push_back(Item::Input(Event::ReleaseAll));
            self.inputs = 1;
        } else {
            self.items.push_back(Item::Input(*event));
            self.inputs += 1;
        }
        room
    }

    /// Adds another message. False when there is no room for it.
    pub(crate) fn push_packet(&mut self, packet: Vec<u8>) -> bool {
        let room = self.items.len() - self.inputs < MAX_PACKETS;
        if room {
            self.items.push_back(Item::Packet(packet));
        }
        room
    }

    /// Merges an event into one that waits, where nobody could tell.
    fn merge(&mut self, event: &Event) -> bool {
        if let Event::Touch(touch) = event
            && touch.phase == Phase::Move
        {
            // Past movements of other fingers, to the last one of this finger.
            for item in self.items.iter_mut().rev() {
                match item {
                    Item::Input(Event::Touch(last)) if last.phase == Phase::Move => {
                        if last.id == touch.id {
                            *last = *touch;
                            return true;
                        }
                    }
                    _ => return false,
                }
            }
            return false;
        }
        let Some(Item::Input(last)) = self.items.back_mut() else { return false };
        match (last, event) {
            (Event::PointerMotion { dx, dy }, Event::PointerMotion { dx: more_x, dy: more_y }) => {
                (*dx, *dy) = (*dx + more_x, *dy + more_y);
                // The other side refuses what is not finite.
                dx.is_finite() && dy.is_finite()
            }
            (last @ Event::PointerPosition { .. }, Event::PointerPosition { .. }) => {
                *last = *event;
                true
            }
            (
                Event::Scroll { horizontal, vertical },
                Event::Scroll { horizontal: more_right, vertical: more_up },
            ) => {
                *horizontal = horizontal.saturating_add(*more_right);
                *vertical = vertical.saturating_add(*more_up);
                true
            }
            (Event::Pen(last), Event::Pen(pen))
                if matches!(pen.phase, Phase::Move | Phase::Hover)
                    && (last.phase, last.tool, last.buttons) == (pen.phase, pen.tool, pen.buttons) =>
            {
                *last = *pen;
                true
            }
            (Event::ReleaseAll, Event::ReleaseAll) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use punktfunk_core::input::Touch;

    use super::*;
    use crate::event::events;
    use proptest::prelude::*;

    fn drain(outbox: &mut Outbox) -> Vec<Item> {
        let mut all = Vec::new();
        while let Some(item) = outbox.first().cloned() {
            all.push(item);
            outbox.remove_first();
        }
        assert!(outbox.inputs == 0);
        all
    }

    fn movement(event: &Event) -> bool {
        let moves = |phase| matches!(phase, Phase::Move | Phase::Hover);
        match event {
            Event::PointerMotion { .. } | Event::PointerPosition { .. } | Event::Scroll { .. } => true,
            Event::Touch(touch) => touch.phase == Phase::Move,
            Event::Pen(pen) => moves(pen.phase),
            _ => false,
        }
    }

    fn touch(id: u32, x: f64) -> Event {
        let phase = Phase::Move;
        Event::Touch(Touch { id, phase, x, y: 0.0, pressure: None, contact: None, rotation: None })
    }

    proptest! {
        #[test]
        fn edges_keep_their_order_and_deltas_their_sum(
            all in proptest::collection::vec(events(), 0..MAX_INPUTS),
        ) {
            let mut outbox = Outbox::default();
            for event in &all {
                prop_assert!(outbox.push_input(event));
            }
            let came: Vec<Event> = drain(&mut outbox)
                .into_iter()
                .filter_map(|item| match item {
                    Item::Input(event) => Some(event),
                    Item::Packet(_) => None,
                })
                .collect();
            let edges = |events: &[Event]| -> Vec<Event> {
                let mut edges: Vec<_> = events.iter().filter(|event| !movement(event)).copied().collect();
                edges.dedup_by(|a, b| (&*a, &*b) == (&Event::ReleaseAll, &Event::ReleaseAll));
                edges
            };
            prop_assert_eq!(edges(&came), edges(&all));
            let sum = |events: &[Event]| -> (f64, i64) {
                events.iter().fold((0.0, 0), |(x, n), event| match event {
                    Event::PointerMotion { dx, .. } => (x + dx, n + 1),
                    _ => (x, n),
                })
            };
            let ((got, fewer), (want, more)) = (sum(&came), sum(&all));
            prop_assert!((got - want).abs() < 1e-3 && fewer <= more, "{} for {}", got, want);
            // Where the pointer was last put is where it ends.
            let last = |events: &[Event]| {
                events.iter().rev().find(|e| matches!(e, Event::PointerPosition { .. })).copied()
            };
            prop_assert_eq!(last(&came), last(&all));
        }
    }

    #[test]
    fn movements_become_one_each() {
        let mut outbox = Outbox::default();
        for step in 0..10_000 {
            let x = f64::from(step);
            assert!(outbox.push_input(&touch(1, x)) && outbox.push_input(&touch(2, -x)));
        }
        assert_eq!(drain(&mut outbox), [Item::Input(touch(1, 9999.0)), Item::Input(touch(2, -9999.0))]);
    }

    #[test]
    fn a_full_one_releases_everything_and_goes_on() {
        let mut outbox = Outbox::default();
        let key = |code, down| Event::Key { code, down };
        assert!(outbox.push_packet(vec![7]));
        for turn in 0..MAX_INPUTS {
            assert!(outbox.push_input(&key(30, turn % 2 == 0)));
        }
        assert!(!outbox.push_input(&key(31, true)), "there is no room");
        assert!(outbox.push_input(&key(32, true)));
        let all = [Item::Packet(vec![7]), Item::Input(Event::ReleaseAll), Item::Input(key(32, true))];
        assert_eq!(drain(&mut outbox), all);
        for _ in 0..MAX_PACKETS {
            assert!(outbox.push_packet(vec![]));
        }
        assert!(!outbox.push_packet(vec![]));
    }
}
