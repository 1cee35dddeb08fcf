//! Pads that remember what they were told: for tests of what uses them.

use std::sync::{Arc, Mutex, PoisonError};

use punktfunk_core::input::pad;

use super::{Backend, OnFeedback};

/// What [`super::Pads::recording`] was told, and a game that has pads do something.
#[derive(Clone)]
pub struct Record {
    inner: Arc<Inner>,
}

struct Inner {
    /// `None` is a release of everything.
    told: Mutex<Vec<Option<pad::Event>>>,
    on_feedback: OnFeedback,
}

impl Record {
    /// Everything so far, in order; `None` is [`super::Pads::release_all`].
    pub fn take(&self) -> Vec<Option<pad::Event>> {
        std::mem::take(&mut *self.inner.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A game has a pad do something.
    pub fn feed_back(&self, index: u8, feedback: pad::Feedback) {
        (self.inner.on_feedback)(index, feedback);
    }
}

/// The backend and its memory.
pub(super) fn recording(on_feedback: OnFeedback) -> (impl Backend + use<>, Record) {
    let record = Record { inner: Arc::new(Inner { told: Mutex::default(), on_feedback }) };
    (record.clone(), record)
}

impl Backend for Record {
    fn event(&self, event: &pad::Event) {
        self.inner.told.lock().unwrap_or_else(PoisonError::into_inner).push(Some(*event));
    }

    fn release_all(&self) {
        self.inner.told.lock().unwrap_or_else(PoisonError::into_inner).push(None);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Pads;
    use super::*;

    #[test]
    fn what_was_told_is_remembered_in_order() {
        let (pads, record) = Pads::recording(Box::new(|_, _| {}));
        let event = pad::Event { index: 3, change: pad::Change::Left };
        pads.event(&event);
        pads.release_all();
        assert_eq!(record.take(), [Some(event), None]);
        assert_eq!(record.take(), []);
    }
}
