//! Input on its way to a seat. A seat that hangs makes its sender wait, so the
//! thread that hears every client only leaves things here, and one thread of each
//! seat delivers them.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use punktfunk_core::input;

use crate::display::Seat;

/// Events that may wait: a second of a mouse that reports a thousand times. When
/// more come, all are dropped and everything is released instead.
const WAITING: usize = 1024;

#[derive(Default)]
struct Queue {
    events: VecDeque<input::Event>,
    closed: bool,
}

impl Queue {
    /// True when what waited was dropped.
    fn put(&mut self, event: input::Event) -> bool {
        let full = self.events.len() >= WAITING;
        if full {
            self.events.clear();
            self.events.push_back(input::Event::ReleaseAll);
        }
        self.events.push_back(event);
        full
    }
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A queue is whole between any two statements.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<input::Event> {
        let idle = |queue: &mut Queue| queue.events.is_empty() && !queue.closed;
        let waited = self.changed.wait_while(self.lock(), idle);
        waited.unwrap_or_else(PoisonError::into_inner).events.pop_front()
    }
}

/// Delivers input to one seat until it is dropped.
pub(super) struct Hands {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Hands {
    /// Starts the thread `punktfunk-hands`.
    pub fn start(seat: Seat) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let source = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("punktfunk-hands".into()).spawn(move || {
            while let Some(event) = source.take() {
                if let Err(error) = seat.input(&event) {
                    tracing::debug!(%error, "input was not delivered");
                }
            }
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Never waits.
    pub fn put(&self, event: input::Event) {
        if self.shared.lock().put(event) {
            tracing::warn!("the seat takes no input: what waited was dropped");
        }
        self.shared.changed.notify_one();
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        {
            let mut queue = self.shared.lock();
            queue.closed = true;
            queue.events.clear();
        }
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic was printed by the thread itself.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_input_is_dropped_and_everything_released() {
        let mut queue = Queue::default();
        let event = || input::Event::ReleaseAll;
        for _ in 0..WAITING {
            assert!(!queue.put(event()));
        }
        assert!(queue.put(event()));
        assert_eq!(queue.events.len(), 2);
        assert!(matches!(queue.events.front(), Some(input::Event::ReleaseAll)));
    }
}
