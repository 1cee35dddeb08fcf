//! Runs probes: the cheap ones beside each other, those that need the machine for
//! themselves one by one, each within its time. One that panics or hangs becomes an error
//! and takes nothing with it.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::machine::Machine;
use super::table::{Cost, Entry};
use super::{Finding, Probe};

/// Probes that run at a time.
const TOGETHER: usize = 8;
/// What to do about a probe that is broken.
const REPORT: &str = "tell us, with the output of `punktfunk-host doctor --json`";

/// Probes that did not come back in time and may still run.
static HUNG: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// Runs these probes and returns what they saw, in their order.
pub fn examine<'a>(machine: &Arc<Machine>, entries: impl Iterator<Item = &'a Entry>) -> Vec<Probe> {
    let entries: Vec<&Entry> = entries.collect();
    let mut findings: Vec<Option<Finding>> = vec![None; entries.len()];
    let together: Vec<usize> = (0..entries.len()).filter(|at| entries[*at].cost != Cost::Trial).collect();
    let alone: Vec<usize> = (0..entries.len()).filter(|at| entries[*at].cost == Cost::Trial).collect();
    for group in together.chunks(TOGETHER).chain(alone.chunks(1)) {
        let started: Vec<_> = group.iter().map(|at| (*at, start(machine, entries[*at]))).collect();
        for (at, running) in started {
            findings[at] = Some(running.end());
        }
    }
    entries.iter().zip(findings).filter_map(|(entry, finding)| Some(named(entry, finding?))).collect()
}

fn named(entry: &Entry, finding: Finding) -> Probe {
    Probe {
        id: entry.id.to_owned(),
        area: entry.area,
        title: entry.title.to_owned(),
        severity: finding.severity,
        evidence: finding.evidence,
        fix: finding.fix,
        fix_action: finding.action.map(str::to_owned),
    }
}

/// A probe on a thread of its own.
enum Running {
    /// It answers here, until then.
    Begun { entry: Entry, answer: Receiver<Option<Finding>>, until: Instant, patience: Duration },
    /// It was not begun.
    Not(Finding),
}

fn start(machine: &Arc<Machine>, entry: &Entry) -> Running {
    if hung().contains(entry.id) {
        return Running::Not(Finding::error("it hangs since it was run before", REPORT));
    }
    let (sender, answer) = channel();
    let (machine, entry) = (Arc::clone(machine), *entry);
    let thread = std::thread::Builder::new().name("punktfunk-doctor".to_owned());
    let begun = thread.spawn(move || {
        let finding = std::panic::catch_unwind(AssertUnwindSafe(|| (entry.look)(&machine)));
        // Nobody waits for it any more when it took too long. Said first, then forgotten:
        // who notes meanwhile that it hangs finds the answer.
        let _ = sender.send(finding.ok());
        hung().remove(entry.id);
    });
    match begun {
        Ok(_) => {
            let patience = entry.patience();
            Running::Begun { entry, answer, until: Instant::now() + patience, patience }
        }
        Err(error) => Running::Not(Finding::error(format!("it could not be run: {error}"), REPORT)),
    }
}

impl Running {
    fn end(self) -> Finding {
        let (entry, answer, until, patience) = match self {
            Self::Begun { entry, answer, until, patience } => (entry, answer, until, patience),
            Self::Not(finding) => return finding,
        };
        match answer.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Some(finding)) => finding,
            Ok(None) => Finding::error("the probe itself failed", REPORT),
            Err(_) => {
                hung().insert(entry.id);
                // It may have ended just now, before it was noted.
                if answer.try_recv().is_ok() {
                    hung().remove(entry.id);
                }
                Finding::error(format!("no answer within {} s", patience.as_secs()), REPORT)
            }
        }
    }
}

fn hung() -> std::sync::MutexGuard<'static, BTreeSet<&'static str>> {
    HUNG.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::tests::Stand;
    use super::super::{Area, Severity};
    use super::*;

    fn entry(id: &'static str, look: fn(&Machine) -> Finding) -> Entry {
        Entry { id, area: Area::System, title: "t", looks_at: "l", cost: Cost::Quick, look }
    }

    #[test]
    fn one_that_panics_is_an_error_and_the_others_answer() {
        let entries =
            [entry("test.panics", |_| panic!("on purpose")), entry("test.works", |_| Finding::ok("fine"))];
        let found = examine(&Arc::new(Stand::new().machine()), entries.iter());
        let seen: Vec<_> = found.iter().map(|probe| (probe.id.as_str(), probe.severity)).collect();
        assert_eq!(seen, [("test.panics", Severity::Error), ("test.works", Severity::Ok)]);
        assert_eq!(found[0].evidence, "the probe itself failed");
        assert!(found[0].fix.is_some());
    }

    #[test]
    fn one_that_hangs_is_an_error_and_is_not_begun_again() {
        let (release, held) = channel::<()>();
        static HELD: Mutex<Option<Receiver<()>>> = Mutex::new(None);
        *HELD.lock().unwrap() = Some(held);
        let hangs = entry("test.hangs", |_| {
            let held = HELD.lock().unwrap().take().unwrap();
            let _ = held.recv();
            Finding::ok("at last")
        });
        let machine = Arc::new(Stand::new().machine());
        let mut running = start(&machine, &hangs);
        if let Running::Begun { until, .. } = &mut running {
            *until = Instant::now();
        }
        assert!(running.end().evidence.starts_with("no answer within"));
        let again = examine(&machine, std::iter::once(&hangs));
        assert_eq!(again[0].evidence, "it hangs since it was run before");
        drop(release);
        let deadline = Instant::now() + Duration::from_secs(10);
        while hung().contains("test.hangs") {
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
    }
}
