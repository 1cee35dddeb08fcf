//! Events on their way to the caller, who may be slow: bounded, and of what is worth
//! nothing when it is late the oldest goes first.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::event::Event;

/// Frames that wait: more are late whatever happens.
const FRAMES: usize = 32;
/// Packets of sound that wait: 5 ms each.
const SOUND: usize = 64;
/// Other events that wait.
const OTHERS: usize = 256;

/// What kind of room an event takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Frame,
    Sound,
    Other,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Event>,
    /// The last event, which is said for ever.
    ended: Option<Event>,
    frames_dropped: u64,
    others_dropped: u64,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event. Whether a frame had to go for it.
    pub fn push(&self, event: Event) -> bool {
        let mut state = self.state();
        if state.ended.is_some() {
            return false;
        }
        if matches!(event, Event::Ended { .. }) {
            state.ended = Some(event);
            drop(state);
            self.arrived.notify_all();
            return false;
        }
        let class = class(&event);
        let most = match class {
            Class::Frame => FRAMES,
            Class::Sound => SOUND,
            Class::Other => OTHERS,
        };
        let waiting = state.events.iter().filter(|event| self::class(event) == class).count();
        let mut frame_gone = false;
        if waiting >= most
            && let Some(oldest) = state.events.iter().position(|event| self::class(event) == class)
        {
            // Dropping a frame gives its buffer back, which takes another lock: not here.
            let gone = state.events.remove(oldest);
            frame_gone = class == Class::Frame;
            state.frames_dropped += u64::from(frame_gone);
            state.others_dropped += u64::from(!frame_gone);
            state.events.push_back(event);
            drop(state);
            drop(gone);
        } else {
            state.events.push_back(event);
            drop(state);
        }
        self.arrived.notify_one();
        frame_gone
    }

    /// The next event; `None` after `timeout`. After the last one always that again.
    pub fn next(&self, timeout: Duration) -> Option<Event> {
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.state();
        loop {
            if let Some(event) = state.events.pop_front() {
                return Some(event);
            }
            if let Some(Event::Ended { code, text }) = &state.ended {
                return Some(Event::Ended { code: *code, text: text.clone() });
            }
            // No deadline means one so far away that it cannot be said.
            let left = match deadline {
                Some(deadline) => deadline.checked_duration_since(Instant::now())?,
                None => Duration::from_secs(3600),
            };
            let waited = self.arrived.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Frames and other events dropped because nobody took them.
    pub fn dropped(&self) -> (u64, u64) {
        let state = self.state();
        (state.frames_dropped, state.others_dropped)
    }

    /// Whether the last event was said.
    pub fn has_ended(&self) -> bool {
        self.state().ended.is_some()
    }
}

fn class(event: &Event) -> Class {
    match event {
        Event::Frame(_) => Class::Frame,
        Event::Sound(_) => Class::Sound,
        _ => Class::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Sound;
    use punktfunk_core::native::wire::{Access, Code};

    fn sound(seq: u32) -> Event {
        Event::Sound(Sound { seq, timestamp: 0, packet: vec![0; 4] })
    }

    #[test]
    fn the_oldest_of_a_kind_goes_and_the_last_word_stays() {
        let queue = Queue::default();
        assert!(queue.next(Duration::ZERO).is_none());
        queue.push(Event::Access(Access::VIEW));
        for seq in 0..100 {
            assert!(!queue.push(sound(seq)));
        }
        assert_eq!(queue.dropped(), (0, 36));
        assert!(matches!(queue.next(Duration::ZERO), Some(Event::Access(Access::VIEW))));
        assert!(matches!(queue.next(Duration::ZERO), Some(Event::Sound(Sound { seq: 36, .. }))));
        queue.push(Event::Ended { code: Code::AppEnded, text: "over".to_owned() });
        queue.push(sound(200));
        for seq in 37..100 {
            assert!(matches!(queue.next(Duration::ZERO), Some(Event::Sound(heard)) if heard.seq == seq));
        }
        for _ in 0..3 {
            let last = queue.next(Duration::ZERO);
            assert!(matches!(last, Some(Event::Ended { code: Code::AppEnded, .. })), "{last:?}");
        }
    }
}
