//! The part of a seat that shows a gamescope of the user's session: that gamescope is the
//! application. Nothing is started or ended for it, and when it ends, the application has.

use std::fs::File;

use calloop::generic::Generic;
use calloop::{Interest, Mode as Trigger, PostAction};
use punktfunk_seat_ipc::{Exit, ToHost};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::attach::Running;
use super::room::Room;
use crate::link;

/// What is told when it is gone; the host and its client show this.
const ENDED: &str = "gamescope has ended: game mode was left on the machine, or it crashed";

/// The gamescope that is shown.
pub struct Other {
    pid: Option<u32>,
    /// The host asked for it: to the host it is an application that runs.
    is_shown: bool,
    /// While it is open, no other seat shows it.
    _turn: File,
}

impl Other {
    /// Its process, when the host asked for it.
    pub fn shown(&self) -> Option<u32> {
        // One without a number is there all the same.
        self.is_shown.then(|| self.pid.unwrap_or(0))
    }
}

impl Room {
    /// Notes what is shown, and hears of its end.
    pub(super) fn watch_end(&mut self, running: Running) {
        let Running { pid, turn, .. } = running;
        self.other =
            Some(Other { pid: pid.and_then(|pid| pid.try_into().ok()), is_shown: false, _turn: turn });
        let Some(process) = pid.and_then(Pid::from_raw) else { return };
        let watched =
            pidfd_open(process, PidfdFlags::empty()).map_err(std::io::Error::from).and_then(|ends| {
                let source = Generic::new(ends, Interest::READ, Trigger::Level);
                let inserted = self.handle.insert_source(source, |_, _, room: &mut Self| {
                    room.other_ended();
                    Ok(PostAction::Remove)
                });
                inserted.map(|_| ()).map_err(|error| std::io::Error::other(error.to_string()))
            });
        if let Err(error) = watched {
            // Its picture and its input break off all the same.
            tracing::warn!(%error, pid, "the end of gamescope is not heard of");
        }
    }

    /// The host launches it: it runs already.
    pub(super) fn show_other(&mut self) {
        let Some(other) = &mut self.other else { return };
        other.is_shown = true;
        if let Some(pid) = other.shown() {
            tracing::info!(pid, "gamescope is shown");
            link::tell(self, &ToHost::AppStarted { pid });
        }
    }

    /// It is gone, and with it what the seat is for.
    fn other_ended(&mut self) {
        if self.is_ending() {
            return;
        }
        if self.other.as_ref().and_then(Other::shown).is_none() {
            return self.fail(ENDED.to_owned());
        }
        self.notice(ENDED.to_owned());
        // How it ended is known to its parent only.
        link::tell(self, &ToHost::AppExited(Exit::Code(0)));
        self.quit();
    }
}
