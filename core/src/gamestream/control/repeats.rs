//! Rumble that lasts: some clients stop a motor half a minute after they were last
//! told to run it (sheet, section 14.2), so the host says it again in time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::HostMessage;
use crate::input::pad::MAX_PADS;
use crate::time::Time;

/// Well before 30 s.
const EVERY: Duration = Duration::from_secs(20);

/// The motors of one client that run.
#[derive(Clone, Debug, Default)]
pub struct Repeats {
    /// By pad, and whether it is the triggers.
    running: BTreeMap<(u16, bool), (HostMessage, Time)>,
}

impl Repeats {
    /// No motor runs.
    pub const fn new() -> Self {
        Self { running: BTreeMap::new() }
    }

    /// Notes what the client was told.
    pub fn said(&mut self, now: Time, message: &HostMessage) {
        let (pad, triggers, runs) = match *message {
            HostMessage::Rumble { pad, low, high } => (pad, false, low != 0 || high != 0),
            HostMessage::TriggerRumble { pad, left, right } => (pad, true, left != 0 || right != 0),
            _ => return,
        };
        if runs && pad < u16::from(MAX_PADS) {
            self.running.insert((pad, triggers), (message.clone(), now + EVERY));
        } else {
            self.running.remove(&(pad, triggers));
        }
    }

    /// When something must be said again.
    pub fn deadline(&self) -> Option<Time> {
        self.running.values().map(|(_, at)| *at).min()
    }

    /// What must be said again now; it counts as said.
    pub fn due(&mut self, now: Time) -> Vec<HostMessage> {
        let mut due = Vec::new();
        for (message, at) in self.running.values_mut().filter(|(_, at)| *at <= now) {
            *at = now + EVERY;
            due.push(message.clone());
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_is_said_again_until_it_stops() {
        let mut repeats = Repeats::new();
        let second = |n: u64| Time::from_millis(n * 1000);
        let rumble = |pad, low| HostMessage::Rumble { pad, low, high: 0 };
        let triggers = HostMessage::TriggerRumble { pad: 1, left: 0, right: 9 };
        assert_eq!(repeats.deadline(), None);
        repeats.said(second(0), &rumble(1, 5));
        repeats.said(second(5), &triggers);
        repeats.said(second(6), &HostMessage::Led { pad: 1, rgb: [1; 3] });
        repeats.said(second(7), &rumble(200, 1));
        assert_eq!(repeats.deadline(), Some(second(20)));
        assert_eq!(repeats.due(second(19)), []);
        assert_eq!(repeats.due(second(20)), [rumble(1, 5)]);
        assert_eq!(repeats.due(second(30)), [triggers]);
        repeats.said(second(31), &rumble(1, 0));
        assert_eq!(repeats.deadline(), Some(second(50)));
        repeats.said(second(32), &HostMessage::TriggerRumble { pad: 1, left: 0, right: 0 });
        assert_eq!((repeats.deadline(), repeats.due(second(99))), (None, vec![]));
    }
}
