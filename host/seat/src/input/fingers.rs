//! Which finger is which: a small table of contacts, free of any compositor.

/// No more fingers than this touch at once; further ones are ignored.
pub const MOST: usize = 16;

/// One finger that touches.
#[derive(Debug)]
struct Finger<T> {
    id: u32,
    target: T,
}

/// Fingers that touch, each in a slot of its own.
#[derive(Debug)]
pub struct Fingers<T>([Option<Finger<T>>; MOST]);

impl<T> Default for Fingers<T> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| None))
    }
}

impl<T> Fingers<T> {
    /// The slot of the finger with this id.
    pub fn slot(&self, id: u32) -> Option<usize> {
        self.0.iter().position(|finger| finger.as_ref().is_some_and(|finger| finger.id == id))
    }

    /// A slot for a finger that comes down; `None` when it is down already or every
    /// slot is taken.
    pub fn free(&self, id: u32) -> Option<usize> {
        if self.slot(id).is_some() {
            return None;
        }
        self.0.iter().position(Option::is_none)
    }

    /// A finger came down in a free slot.
    pub fn put(&mut self, slot: usize, id: u32, target: T) {
        if let Some(place) = self.0.get_mut(slot) {
            *place = Some(Finger { id, target });
        }
    }

    /// The id of the finger in this slot.
    pub fn id(&self, slot: usize) -> Option<u32> {
        Some(self.0.get(slot)?.as_ref()?.id)
    }

    /// What the finger in this slot touches.
    pub fn target(&self, slot: usize) -> Option<&T> {
        Some(&self.0.get(slot)?.as_ref()?.target)
    }

    /// The same, to change it.
    pub fn target_mut(&mut self, slot: usize) -> Option<&mut T> {
        Some(&mut self.0.get_mut(slot)?.as_mut()?.target)
    }

    /// The finger in this slot went up.
    pub fn take(&mut self, slot: usize) -> Option<T> {
        Some(self.0.get_mut(slot)?.take()?.target)
    }

    /// The slots of all fingers that touch something for which `wanted` is true.
    pub fn slots(&self, wanted: impl Fn(&T) -> bool) -> Vec<usize> {
        let wanted = |slot: &usize| self.target(*slot).is_some_and(&wanted);
        (0..MOST).filter(wanted).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Op {
        Down(u32),
        Up(u32),
        AllUp,
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        // More ids than slots, and few enough that they come again.
        let op = prop_oneof![
            5 => (0..24u32).prop_map(Op::Down),
            3 => (0..24u32).prop_map(Op::Up),
            1 => Just(Op::AllUp),
        ];
        proptest::collection::vec(op, 0..200)
    }

    proptest! {
        #[test]
        fn no_slot_gets_an_edge_twice_and_all_end_up(ops in ops()) {
            let mut fingers = Fingers::default();
            let mut held = [None; MOST];
            for op in ops.into_iter().chain([Op::AllUp]) {
                match op {
                    Op::Down(id) => match fingers.free(id) {
                        Some(slot) => {
                            prop_assert_eq!(held[slot], None);
                            prop_assert!(!held.contains(&Some(id)));
                            fingers.put(slot, id, id);
                            held[slot] = Some(id);
                        }
                        None => prop_assert!(
                            held.contains(&Some(id)) || held.iter().all(Option::is_some)
                        ),
                    },
                    Op::Up(id) => match fingers.slot(id) {
                        Some(slot) => {
                            prop_assert_eq!(fingers.take(slot), Some(id));
                            prop_assert_eq!(held[slot].take(), Some(id));
                        }
                        None => prop_assert!(!held.contains(&Some(id))),
                    },
                    Op::AllUp => {
                        for slot in fingers.slots(|_| true) {
                            prop_assert_eq!(fingers.take(slot), held[slot].take());
                        }
                        prop_assert!(fingers.slots(|_| true).is_empty());
                        prop_assert_eq!(held, [None; MOST]);
                    }
                }
            }
        }
    }
}
