//! A machine of a test's own, and what holds for all probes.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use super::machine::Subject;
use super::table::{Cost, TABLE};
use super::{Area, Machine, Severity, examine, fixes};
use crate::config::Config;
use crate::platform::{Account, Scope, current_user_id};

/// A directory that stands for a machine; it is removed when dropped.
pub(super) struct Stand(PathBuf);

impl Stand {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("pf-doctor-{}-{number}", std::process::id()));
        for folder in ["bin", "state", "runtime"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        Self(root)
    }

    pub(super) fn root(&self) -> &Path {
        &self.0
    }

    /// Writes a file of the machine.
    pub(super) fn file(&self, name: &str, text: &str) {
        let file = self.0.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    /// A program of the machine that does this.
    pub(super) fn program(&self, name: &str, script: &str) {
        // Under another name first: a file that another thread's child still has open for
        // writing cannot be run.
        let file = self.0.join("bin").join(name);
        let shell = format!("#!/bin/sh\n{script}\n");
        let fresh = self.0.join("bin").join(format!("{name}.fresh"));
        std::fs::write(&fresh, shell).unwrap();
        std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(fresh, file).unwrap();
    }

    /// The machine as probes see it: of a user `anna` with a session.
    pub(super) fn machine(&self) -> Machine {
        let config = Arc::new(Config::default());
        Machine {
            host: Subject {
                scope: Scope::User,
                state: self.0.join("state"),
                runtime: self.0.join("runtime"),
                socket: self.0.join("runtime/host.sock"),
                settings: self.0.join("punktfunk.toml"),
                config: Ok(config),
                gamestream: true,
            },
            root: self.0.clone(),
            path: vec![self.0.join("bin")],
            programs: self.0.join("bin"),
            env: BTreeMap::from([("XDG_RUNTIME_DIR".to_owned(), "/run/user/1000".to_owned())]),
            user: Account {
                name: "anna".into(),
                uid: current_user_id(),
                gid: 1000,
                home: "/home/anna".into(),
            },
            benches: OnceLock::new(),
        }
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn ids_are_unique_and_begin_with_their_area() {
    let ids: BTreeSet<_> = TABLE.iter().map(|entry| entry.id).collect();
    assert_eq!(ids.len(), TABLE.len());
    assert!(TABLE.len() >= 45, "{}", TABLE.len());
    for entry in TABLE {
        assert!(entry.id.starts_with(&format!("{}.", entry.area.word())), "{}", entry.id);
        assert_eq!(Area::from_word(entry.area.word()), Some(entry.area));
    }
    let order: Vec<_> = TABLE.iter().map(|entry| entry.area).collect();
    assert!(order.is_sorted(), "the table stands in the order of areas");
}

#[test]
fn the_page_names_every_probe_and_every_fix_and_no_others() {
    let page = include_str!("../../../docs/doctor.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    let expected: Vec<Vec<String>> = TABLE
        .iter()
        .map(|entry| {
            let when = match entry.cost {
                Cost::Quick => "always",
                Cost::Slow => "on demand",
                Cost::Trial => "on demand, alone",
            };
            vec![format!("`{}`", entry.id), entry.title.into(), entry.looks_at.into(), when.into()]
        })
        .chain(
            fixes::FIXES
                .iter()
                .map(|fix| vec![format!("`{}`", fix.id), fix.does.into(), format!("`{}`", fix.probe)]),
        )
        .collect();
    let wanted: String = expected.iter().map(|row| format!("| {} |\n", row.join(" | "))).collect();
    assert!(rows == expected, "docs/doctor.md has to have these rows:\n{wanted}");
}

#[test]
fn every_quick_and_slow_probe_answers_on_this_machine() {
    let stand = Stand::new();
    let machine = Arc::new(Machine::real(stand.machine().host));
    let found = examine(&machine, TABLE.iter().filter(|entry| entry.cost != Cost::Trial));
    assert_eq!(found.len(), TABLE.iter().filter(|entry| entry.cost != Cost::Trial).count());
    for probe in &found {
        assert!(!probe.evidence.trim().is_empty() && probe.evidence.len() < 2000, "{probe:?}");
        assert!(!probe.evidence.contains('\n'), "{probe:?}");
        assert!(
            !["the probe itself failed", "no answer"].iter().any(|bad| probe.evidence.starts_with(bad)),
            "{probe:?}"
        );
        // Who reads of a fault reads what to do about it.
        assert!(probe.severity < Severity::Warning || probe.fix.is_some(), "{probe:?}");
        assert!(probe.fix_action.as_ref().is_none_or(|id| fixes::find(id).is_ok()), "{probe:?}");
    }
    assert!(std::fs::read_dir(stand.root().join("state")).unwrap().next().is_none(), "probes only look");
    assert!(std::fs::read_dir(stand.root().join("runtime")).unwrap().next().is_none(), "probes only look");
}

#[test]
fn every_probe_answers_on_a_machine_that_has_nothing() {
    let stand = Stand::new();
    let found = examine(&Arc::new(stand.machine()), TABLE.iter());
    assert_eq!(found.len(), TABLE.len());
    assert!(found.iter().all(|probe| !probe.evidence.starts_with("the probe itself failed")));
}
