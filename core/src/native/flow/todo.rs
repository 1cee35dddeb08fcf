//! What is to be done about the frames that are not whole: filled by one look of
//! [`super::super::client`] at all of them, and emptied before the next.

use super::repair::{Turn, Verdict};
use crate::time::Time;

/// Frames of one look: as many as the reassembly holds.
const FRAMES: usize = 64;

/// What a look at the frames in progress comes to.
#[derive(Debug)]
pub struct Todo {
    /// Frames to ask for again, and which turn it is; [`count`](Self::count) of them.
    pub asked: [(u32, Turn); FRAMES + 1],
    /// How many are to be asked for.
    pub count: usize,
    /// When to look again.
    pub next: Option<Time>,
}

impl Default for Todo {
    fn default() -> Self {
        Self { asked: [(0, Turn::default()); FRAMES + 1], count: 0, next: None }
    }
}

impl Todo {
    /// Looks again at `until` or before.
    pub fn wait(&mut self, until: Time) {
        self.next = Some(self.next.map_or(until, |next| next.min(until)));
    }

    /// Notes what to do about `frame`; true when it is to be given up.
    pub fn takes(&mut self, frame: u32, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Wait(until) => self.wait(until),
            Verdict::Ask(turn, until) => {
                self.asked[self.count] = (frame, turn);
                self.count += 1;
                self.wait(until);
            }
            Verdict::GiveUp => return true,
        }
        false
    }
}
