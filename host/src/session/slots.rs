//! Every slot between two stages, in one table.
//!
//! | Slot | From → to | Depth | When full |
//! |---|---|---|---|
//! | frame | capture → encode | 1 | the newest frame replaces the waiting one, their damage is merged |
//! | batch | encode → send | 2 | the newest batch is dropped (`punktfunk_net::PacedSender`) |
//! | requests | control → encode | 1 of each, 32 reports of damage | asking twice is asking once |
//! | hands | control → seat | 1024 | everything that waits is dropped and every key released |
//! | reports | native port → machine | 256 | the newest datagram is dropped |
//!
//! Nothing here ever blocks the stage before it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What can wait in a [`Latest`] slot: it takes over what the value it replaces
/// still had to tell.
pub trait Supersede {
    /// `older` is thrown away unread.
    fn supersede(&mut self, older: Self);
}

/// What [`Latest::wait`] woke up for.
#[derive(Debug, PartialEq, Eq)]
pub enum Woken<T> {
    /// A new value.
    Value(T),
    /// Somebody called [`Latest::wake`].
    Request,
    /// The deadline passed.
    Deadline,
    /// The slot was closed; nothing will come any more.
    Closed,
}

#[derive(Debug)]
struct Inner<T> {
    value: Option<T>,
    woken: bool,
    closed: bool,
    replaced: u64,
}

/// A slot of depth one that keeps only the newest value.
#[derive(Debug)]
pub struct Latest<T> {
    inner: Mutex<Inner<T>>,
    changed: Condvar,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        let inner = Inner { value: None, woken: false, closed: false, replaced: 0 };
        Self { inner: Mutex::new(inner), changed: Condvar::new() }
    }
}

impl<T: Supersede> Latest<T> {
    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        // A stage that panicked leaves a whole value or none: both are usable.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the newest value in. After [`Latest::close`] it is thrown away.
    pub fn put(&self, mut value: T) {
        let mut inner = self.lock();
        if inner.closed {
            return;
        }
        if let Some(older) = inner.value.take() {
            value.supersede(older);
            inner.replaced += 1;
        }
        inner.value = Some(value);
        self.changed.notify_one();
    }

    /// Waits for a value, a request or `deadline`, whichever comes first. A
    /// waiting value also answers a request.
    pub fn wait(&self, deadline: Instant) -> Woken<T> {
        let mut inner = self.lock();
        loop {
            if inner.closed {
                return Woken::Closed;
            }
            if let Some(value) = inner.value.take() {
                inner.woken = false;
                return Woken::Value(value);
            }
            if inner.woken {
                inner.woken = false;
                return Woken::Request;
            }
            let now = Instant::now();
            if now >= deadline {
                return Woken::Deadline;
            }
            let wait = self.changed.wait_timeout(inner, deadline - now);
            inner = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Wakes the reader without a value.
    pub fn wake(&self) {
        self.lock().woken = true;
        self.changed.notify_one();
    }

    /// Ends the slot: the reader is told, a waiting value is dropped.
    pub fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.value = None;
        self.changed.notify_all();
    }

    /// True after [`Latest::close`].
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// How many values were replaced before anybody read them.
    pub fn replaced(&self) -> u64 {
        self.lock().replaced
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[derive(Debug, PartialEq, Eq)]
    struct Damage(Vec<u8>);

    impl Supersede for Damage {
        fn supersede(&mut self, older: Self) {
            self.0.extend(older.0);
        }
    }

    #[test]
    fn the_newest_value_wins_and_inherits_the_damage() {
        let slot = Latest::default();
        slot.put(Damage(vec![1]));
        slot.put(Damage(vec![2]));
        assert_eq!(slot.wait(Instant::now()), Woken::Value(Damage(vec![2, 1])));
        assert_eq!(slot.wait(Instant::now()), Woken::Deadline);
        assert_eq!(slot.replaced(), 1);
    }

    #[test]
    fn a_request_wakes_the_reader_once() {
        let slot = Latest::<Damage>::default();
        slot.wake();
        slot.wake();
        let later = Instant::now() + Duration::from_secs(60);
        assert_eq!(slot.wait(later), Woken::Request);
        assert_eq!(slot.wait(Instant::now()), Woken::Deadline);
    }

    #[test]
    fn closing_ends_a_waiting_reader_and_later_values() {
        let slot = Latest::<Damage>::default();
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| slot.wait(Instant::now() + Duration::from_secs(60)));
            slot.close();
            assert_eq!(reader.join().unwrap(), Woken::Closed);
        });
        slot.put(Damage(vec![1]));
        assert_eq!(slot.wait(Instant::now()), Woken::Closed);
    }
}
