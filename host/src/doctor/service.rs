//! The doctor of a running host: keeps the last report, answers how the host is from what
//! cheap probes found a moment ago, and lets one examination run at a time.
//!
//! Health never makes anybody wait: it says what is known, and looks again in the
//! background when that is older than a minute.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;
use tokio::sync::watch;

use super::fixes::{self, FixError};
use super::machine::Machine;
use super::table::{Cost, Entry, TABLE};
use super::{Area, Probe, Report, Severity, examine};

/// How long what is known counts as known.
const FRESH: Duration = Duration::from_secs(60);

/// How the host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthState {
    /// Nothing to do.
    Ok,
    /// Something is worse than it could be.
    Warning,
    /// Something does not work.
    Error,
}

/// How the host is, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Health {
    /// The worst of all findings.
    pub state: HealthState,
    /// Warnings and errors, the worst first.
    pub findings: Vec<HealthFinding>,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct HealthFinding {
    /// The probe that found it.
    pub id: String,
    /// How bad it is.
    pub severity: Severity,
    /// What was seen.
    pub title: String,
    /// What mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// What an examination is doing, for those who listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Activity {
    /// Nothing.
    Idle,
    /// Probes run.
    Running,
}

/// The doctor of a running host.
#[derive(Debug)]
pub struct Doctor {
    machine: Arc<Machine>,
    table: &'static [Entry],
    known: Mutex<Known>,
    /// One examination at a time.
    busy: Mutex<()>,
    activity: watch::Sender<Activity>,
    /// Counts changes of what health says.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Known {
    report: Report,
    health: Vec<Probe>,
    looked: Option<Instant>,
    is_looking: bool,
}

impl Doctor {
    /// For this machine.
    pub fn new(machine: Machine) -> Arc<Self> {
        Self::with_table(machine, TABLE)
    }

    pub(super) fn with_table(machine: Machine, table: &'static [Entry]) -> Arc<Self> {
        Arc::new(Self {
            machine: Arc::new(machine),
            table,
            known: Mutex::default(),
            busy: Mutex::new(()),
            activity: watch::channel(Activity::Idle).0,
            changes: watch::channel(0).0,
        })
    }

    /// What it looks at.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// What the last examination found.
    pub fn report(&self) -> Report {
        self.known().report.clone()
    }

    /// When examinations begin and end.
    pub fn activity(&self) -> watch::Receiver<Activity> {
        self.activity.subscribe()
    }

    /// Changes when the host is not as it was before.
    pub fn health_changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Runs all probes, or those of an area, and returns them all: what was not run now is
    /// as it was found before. Takes many seconds; waits for an examination that runs.
    pub fn run(&self, area: Option<Area>) -> Report {
        let one = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        self.run_alone(area, one)
    }

    /// The same, unless one runs already.
    pub fn try_run(&self, area: Option<Area>) -> Option<Report> {
        Some(self.run_alone(area, self.alone()?))
    }

    /// The right to examine, unless somebody does.
    fn alone(&self) -> Option<MutexGuard<'_, ()>> {
        match self.busy.try_lock() {
            Ok(one) => Some(one),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn run_alone(&self, area: Option<Area>, _one: MutexGuard<'_, ()>) -> Report {
        self.activity.send_replace(Activity::Running);
        let wanted = self.table.iter().filter(|entry| area.is_none_or(|area| entry.area == area));
        let found = examine(&self.machine.again(), wanted);
        let mut known = self.known();
        self.merge(&mut known.report, found);
        let report = known.report.clone();
        drop(known);
        self.activity.send_replace(Activity::Idle);
        report
    }

    /// Carries a fix out and returns the probe it belongs to, looked at again.
    pub fn fix(&self, id: &str) -> Result<Probe, FixError> {
        let _one = self.alone().ok_or(FixError::Busy)?;
        let fix = fixes::find(id)?;
        let said = (fix.mend)(&self.machine)?;
        tracing::info!(fix = id, said, "mended");
        let entry = self.table.iter().find(|entry| entry.id == fix.probe);
        let found = examine(&self.machine.again(), entry.into_iter());
        let probe = found.first().cloned().ok_or_else(|| FixError::Unknown(id.to_owned()))?;
        let mut known = self.known();
        self.merge(&mut known.report, found);
        known.looked = None;
        drop(known);
        self.activity.send_replace(Activity::Idle);
        Ok(probe)
    }

    /// How the host is, by what was found at most a minute ago or is being looked at now.
    /// Never waits. Empty until the first look is over.
    pub fn health(self: &Arc<Self>) -> Health {
        let mut known = self.known();
        let stale = known.looked.is_none_or(|at| at.elapsed() > FRESH);
        if stale && !known.is_looking {
            known.is_looking = true;
            let this = Arc::clone(self);
            let thread = std::thread::Builder::new().name("punktfunk-doctor".to_owned());
            if let Err(error) = thread.spawn(move || this.look()) {
                tracing::debug!(%error, "health is not looked at");
                known.is_looking = false;
            }
        }
        summary(&known.health)
    }

    fn look(&self) {
        let found = examine(&self.machine, self.table.iter().filter(|entry| entry.cost == Cost::Quick));
        let mut known = self.known();
        let changed = summary(&known.health) != summary(&found);
        known.health = found;
        known.looked = Some(Instant::now());
        known.is_looking = false;
        drop(known);
        if changed {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    fn merge(&self, report: &mut Report, found: Vec<Probe>) {
        report.probes.retain(|old| !found.iter().any(|new| new.id == old.id));
        report.probes.extend(found);
        let place = |id: &str| self.table.iter().position(|entry| entry.id == id);
        report.probes.sort_by_key(|probe| place(&probe.id));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        report.ran = Some(now.map_or(0, |time| time.as_secs()));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Every change leaves it whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn summary(probes: &[Probe]) -> Health {
    let mut bad: Vec<&Probe> = probes.iter().filter(|probe| probe.severity >= Severity::Warning).collect();
    bad.sort_by_key(|probe| std::cmp::Reverse(probe.severity));
    let state = match bad.first().map(|probe| probe.severity) {
        Some(Severity::Error) => HealthState::Error,
        Some(_) => HealthState::Warning,
        None => HealthState::Ok,
    };
    let finding = |probe: &Probe| HealthFinding {
        id: probe.id.clone(),
        severity: probe.severity,
        title: format!("{}: {}", probe.title, probe.evidence),
        fix: probe.fix.clone(),
    };
    Health { state, findings: bad.into_iter().map(finding).collect() }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::super::Finding;
    use super::super::tests::Stand;
    use super::*;

    fn entry(id: &'static str, area: Area, cost: Cost, look: fn(&Machine) -> Finding) -> Entry {
        Entry { id, area, title: "Title", looks_at: "l", cost, look }
    }

    fn doctor(entries: Vec<Entry>) -> Arc<Doctor> {
        Doctor::with_table(Stand::new().machine(), Box::leak(entries.into_boxed_slice()))
    }

    #[test]
    fn health_never_waits_and_looks_once_a_minute_at_most() {
        static LOOKS: AtomicU32 = AtomicU32::new(0);
        let doctor = doctor(vec![
            entry("a.bad", Area::Host, Cost::Quick, |_| {
                LOOKS.fetch_add(1, Ordering::Relaxed);
                Finding::warning("worse", "do it")
            }),
            entry("a.slow", Area::Host, Cost::Trial, |_| panic!("not for health")),
        ]);
        assert_eq!(doctor.health(), Health { state: HealthState::Ok, findings: vec![] });
        let deadline = Instant::now() + Duration::from_secs(10);
        while doctor.known().looked.is_none() {
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
        for _ in 0..100 {
            let health = doctor.health();
            assert_eq!(health.state, HealthState::Warning);
            assert_eq!(health.findings[0].title, "Title: worse");
        }
        assert_eq!(*doctor.health_changes().borrow(), 1);
        assert_eq!(LOOKS.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn an_area_is_run_alone_and_the_rest_stays_known() {
        let doctor = doctor(vec![
            entry("gpu.x", Area::Gpu, Cost::Quick, |_| Finding::ok("one")),
            entry("host.y", Area::Host, Cost::Slow, |_| Finding::error("two", "f")),
        ]);
        assert_eq!(doctor.report(), Report::default());
        let mut activity = doctor.activity();
        assert_eq!(doctor.run(Some(Area::Host)).probes.len(), 1);
        assert!(activity.has_changed().unwrap());
        assert_eq!(*activity.borrow_and_update(), Activity::Idle);
        let report = doctor.run(Some(Area::Gpu));
        assert_eq!(report.probes.iter().map(|p| p.id.as_str()).collect::<Vec<_>>(), ["gpu.x", "host.y"]);
        assert_eq!((report.worst(), report.ran.is_some()), (Severity::Error, true));
        assert!(matches!(doctor.fix("rm -rf"), Err(FixError::Unknown(_))));
        let _one = doctor.busy.lock().unwrap();
        assert!(doctor.try_run(None).is_none() && matches!(doctor.fix("clear-seats"), Err(FixError::Busy)));
    }
}
