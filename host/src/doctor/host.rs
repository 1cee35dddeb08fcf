//! The host's own things: programs, settings, files, clients, seats.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::SystemTime;

use super::Finding;
use super::machine::Machine;
use super::network::runs;
use crate::platform::Scope;
use crate::{display, store};

/// Programs of ours that belong beside this one, and whether nothing works without them.
const PROGRAMS: [(&str, bool); 2] = [("punktfunk-seat", true), ("punktfunk-inputd", false)];
/// A certificate that ends within this many seconds is told.
const SOON: u64 = 30 * 24 * 3600;
/// Says whose host it is; see `api::claim`.
const CLAIM: &str = "claim.json";

pub(super) fn version(machine: &Machine) -> Finding {
    let program = machine.programs.join("punktfunk-host");
    Finding::ok(format!("punktfunk-host {} at {}", env!("CARGO_PKG_VERSION"), program.display()))
}

pub(super) fn programs(machine: &Machine) -> Finding {
    let missing: Vec<_> = PROGRAMS.iter().filter(|(name, _)| !machine.programs.join(name).exists()).collect();
    let names: Vec<_> = missing.iter().map(|(name, _)| *name).collect();
    let fix = format!("install {} beside punktfunk-host", names.join(" and "));
    let text = format!("missing in {}: {}", machine.programs.display(), names.join(", "));
    match missing.iter().any(|(_, needed)| *needed) {
        _ if missing.is_empty() => Finding::ok("punktfunk-seat and punktfunk-inputd are there"),
        true => Finding::error(text, fix),
        false => Finding::info(format!("{text}; gamepads need one that the system runs")).with_fix(fix),
    }
}

pub(super) fn user(machine: &Machine) -> Finding {
    let (name, uid) = (&machine.user.name, machine.user.uid);
    match machine.host.scope {
        Scope::System if uid == 0 => Finding::error(
            "there is no user punktfunk for a host that root starts",
            "cargo xtask serve, which makes it; or sudo useradd --system --create-home --home-dir \
             /var/lib/punktfunk --shell /usr/sbin/nologin punktfunk",
        ),
        Scope::System => Finding::ok(format!("the host of the machine, as {name} ({uid})")),
        Scope::User => Finding::ok(format!("a host of {name} ({uid})")),
    }
}

pub(super) fn running(machine: &Machine) -> Finding {
    let base = machine.config().ports.base();
    if runs(machine) {
        Finding::ok(format!("one runs with port base {base}"))
    } else {
        Finding::info(format!("none runs with port base {base}")).with_fix("punktfunk-host serve")
    }
}

pub(super) fn settings(machine: &Machine) -> Finding {
    let fix = "correct that line; `punktfunk-host config check` looks again";
    match &machine.host.config {
        Ok(config) if !config.problems.is_empty() => {
            let all: Vec<_> = config.problems.iter().map(ToString::to_string).collect();
            Finding::error(all.join("; ").replace('\n', " "), fix)
        }
        Ok(_) if machine.host.settings.exists() => {
            Finding::ok(format!("{} is understood", machine.host.settings.display()))
        }
        Ok(_) => Finding::ok(format!("defaults: no {}", machine.host.settings.display())),
        Err(problem) => Finding::error(problem.replace('\n', " "), fix),
    }
}

pub(super) fn state(machine: &Machine) -> Finding {
    let dir = &machine.host.state;
    let Ok(about) = dir.metadata() else {
        return Finding::info(format!("{} is made at the first start", dir.display()));
    };
    let text =
        format!("{} belongs to user {}, mode {:04o}", dir.display(), about.uid(), about.mode() & 0o7777);
    let owner = &machine.user.name;
    if about.uid() != machine.user.uid {
        return Finding::error(text, format!("sudo chown -R {owner} {}", dir.display()));
    }
    if about.mode() & 0o077 != 0 {
        return Finding::warning(
            format!("{text}: others may look into it"),
            format!("chmod 700 {}", dir.display()),
        )
        .mended_by("private-state");
    }
    Finding::ok(text)
}

/// The files of the state directory.
fn files(machine: &Machine) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(&machine.host.state).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// Files that others may read or write.
pub(super) fn open_files(machine: &Machine) -> Vec<PathBuf> {
    let is_open = |path: &PathBuf| path.metadata().is_ok_and(|about| about.mode() & 0o077 != 0);
    files(machine).into_iter().filter(is_open).collect()
}

/// Files that were being written when a program or the machine ended, older than a minute.
pub(super) fn unfinished(machine: &Machine) -> Vec<PathBuf> {
    let is_old = |path: &PathBuf| {
        let changed = path.metadata().and_then(|about| about.modified()).ok();
        changed.and_then(|at| at.elapsed().ok()).is_some_and(|age| age.as_secs() >= 60)
    };
    let is_new = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "new");
    files(machine).into_iter().filter(|path| is_new(path) && is_old(path)).collect()
}

fn names(files: &[PathBuf]) -> String {
    let names =
        files.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
    names.collect::<Vec<_>>().join(", ")
}

pub(super) fn secrets(machine: &Machine) -> Finding {
    let (all, open) = (files(machine), open_files(machine));
    if open.is_empty() {
        return Finding::ok(format!("{} files, all for their owner only", all.len()));
    }
    Finding::error(
        format!("others may read {}", names(&open)),
        format!("chmod -R go= {}", machine.host.state.display()),
    )
    .mended_by("private-state")
}

pub(super) fn leftovers(machine: &Machine) -> Finding {
    let found = unfinished(machine);
    if found.is_empty() {
        return Finding::ok("none");
    }
    Finding::info(format!("{}: what was being written when something ended", names(&found)))
        .with_fix(format!("rm {}", machine.host.state.join("*.new").display()))
        .mended_by("clear-unfinished")
}

pub(super) fn certificate(machine: &Machine) -> Finding {
    let found = match store::certificates(&machine.host.state) {
        Ok(found) => found,
        Err(error) => {
            return Finding::error(error.to_string(), "restore the file from a backup");
        }
    };
    if found.is_empty() {
        return Finding::info("none yet: they are made at the first start");
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let (mut text, mut bad) = (Vec::new(), false);
    for (name, der) in &found {
        let Ok((_, parsed)) = x509_parser::parse_x509_certificate(der) else {
            return Finding::error(format!("{name} cannot be read"), "restore the file from a backup");
        };
        let validity = parsed.validity();
        let seconds = |at: i64| u64::try_from(at).unwrap_or(0);
        let (from, until) =
            (seconds(validity.not_before.timestamp()), seconds(validity.not_after.timestamp()));
        bad |= now < from || now + SOON > until;
        text.push(format!("{name} until {}", validity.not_after));
    }
    let text = text.join("; ");
    if bad {
        return Finding::warning(
            format!("{text}: not valid now, or not for long"),
            "set the clock; clients know the certificates by their bytes and go on",
        );
    }
    Finding::ok(text)
}

pub(super) fn clients(machine: &Machine) -> Finding {
    match store::paired(&machine.host.state) {
        Ok(all) => {
            let expired = all.iter().filter(|client| client.is_expired()).count();
            let native = all.iter().filter(|client| client.protocol == store::Protocol::Native).count();
            let text = format!(
                "{} paired: {native} of punktfunk/1, {} of GameStream; {expired} expired",
                all.len(),
                all.len() - native
            );
            if all.is_empty() {
                return Finding::info(text).with_fix("punktfunk-host pair --native");
            }
            Finding::ok(text)
        }
        Err(error) => Finding::error(error.to_string(), "restore the file from a backup"),
    }
}

pub(super) fn claim(machine: &Machine) -> Finding {
    let text = super::machine::read(&machine.host.state.join(CLAIM)).unwrap_or_default();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    if value.get("password").is_some_and(|password| !password.is_null()) {
        return Finding::ok("the console was claimed");
    }
    Finding::info("nobody claimed the console yet")
        .with_fix("punktfunk-host claim, which prints the link for a browser")
}

pub(super) fn seats(machine: &Machine) -> Finding {
    let all = display::places(&machine.host.runtime);
    let old = all.iter().filter(|place| !place.has_host && !place.is_alive).count();
    let waiting = all.iter().filter(|place| !place.has_host && place.is_alive).count();
    let text = format!("{} seats, {waiting} of an earlier host, {old} left over", all.len());
    if old > 0 {
        return Finding::info(text)
            .with_fix("punktfunk-host doctor --fix clear-seats")
            .mended_by("clear-seats");
    }
    if waiting > 0 && !runs(machine) {
        return Finding::info(format!("{text}: they wait ten minutes for a host"))
            .with_fix("punktfunk-host serve");
    }
    Finding::ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::Severity::{Error, Info, Ok as Good, Warning};
    use super::super::tests::Stand;
    use super::*;

    fn mode(stand: &Stand, file: &str, mode: u32) {
        std::fs::set_permissions(stand.root().join(file), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn programs_and_users_are_told() {
        let stand = Stand::new();
        assert_eq!(programs(&stand.machine()).severity, Error);
        stand.program("punktfunk-seat", "");
        assert_eq!(programs(&stand.machine()).severity, Info);
        stand.program("punktfunk-inputd", "");
        assert_eq!(programs(&stand.machine()).severity, Good);
        assert!(version(&stand.machine()).evidence.starts_with("punktfunk-host "));
        let mut machine = stand.machine();
        assert_eq!(user(&machine).severity, Good);
        machine.host.scope = Scope::System;
        machine.user.uid = 990;
        assert_eq!(user(&machine).severity, Good);
        machine.user.uid = 0;
        assert_eq!(user(&machine).severity, Error);
    }

    #[test]
    fn a_running_host_is_found_by_its_socket() {
        let stand = Stand::new();
        let machine = stand.machine();
        assert_eq!(running(&machine).severity, Info);
        let _listener = std::os::unix::net::UnixListener::bind(&machine.host.socket).unwrap();
        assert_eq!(running(&machine).severity, Good);
    }

    #[test]
    fn settings_are_missing_good_or_wrong() {
        let stand = Stand::new();
        let mut machine = stand.machine();
        assert!(settings(&machine).evidence.starts_with("defaults"));
        stand.file("punktfunk.toml", "");
        assert_eq!(settings(&machine).severity, Good);
        machine.host.config = Err("punktfunk.toml:3: unknown".to_owned());
        assert_eq!(settings(&machine).severity, Error);
    }

    #[test]
    fn state_has_to_be_private() {
        let stand = Stand::new();
        let mut machine = stand.machine();
        mode(&stand, "state", 0o700);
        assert_eq!(state(&machine).severity, Good);
        mode(&stand, "state", 0o755);
        assert_eq!((state(&machine).severity, state(&machine).action), (Warning, Some("private-state")));
        machine.user.uid += 1;
        assert_eq!(state(&machine).severity, Error);
        machine.host.state = stand.root().join("none");
        assert_eq!(state(&machine).severity, Info);
        let machine = stand.machine();
        stand.file("state/identity.json", "{}");
        mode(&stand, "state/identity.json", 0o600);
        assert_eq!(secrets(&machine).severity, Good);
        mode(&stand, "state/identity.json", 0o640);
        assert_eq!(
            (secrets(&machine).severity, secrets(&machine).evidence.as_str()),
            (Error, "others may read identity.json")
        );
    }

    #[test]
    fn identities_and_clients_are_read_and_not_made() {
        let stand = Stand::new();
        let machine = stand.machine();
        let found = [certificate(&machine), clients(&machine), claim(&machine)].map(|found| found.severity);
        assert_eq!(found, [Info, Info, Info]);
        assert_eq!(std::fs::read_dir(&machine.host.state).unwrap().count(), 0);
        let store = store::Store::open(&machine.host.state).unwrap();
        store.pair(&[1, 2, 3], "tv").unwrap();
        let found = certificate(&machine);
        assert_eq!(found.severity, Good, "{found:?}");
        assert!(
            found.evidence.contains("identity.json until") && found.evidence.contains("native-identity.json")
        );
        assert_eq!(clients(&machine).evidence, "1 paired: 0 of punktfunk/1, 1 of GameStream; 0 expired");
        stand.file("state/claim.json", "{\"version\":1,\"secret\":null,\"password\":{\"salt\":\"x\"}}");
        assert_eq!(claim(&machine).severity, Good);
        stand.file("state/clients.json", "{\"version\": 99}");
        stand.file("state/identity.json", "{");
        assert_eq!([certificate(&machine), clients(&machine)].map(|found| found.severity), [Error, Error]);
    }

    #[test]
    fn leftovers_are_seen_when_they_are_old() {
        let stand = Stand::new();
        let machine = stand.machine();
        stand.file("state/clients.json.new", "");
        assert_eq!(leftovers(&machine).severity, Good, "it may be being written now");
        let old = SystemTime::now() - std::time::Duration::from_secs(120);
        let file =
            std::fs::File::options().write(true).open(stand.root().join("state/clients.json.new")).unwrap();
        file.set_modified(old).unwrap();
        assert_eq!(
            (leftovers(&machine).severity, leftovers(&machine).action),
            (Info, Some("clear-unfinished"))
        );
        assert_eq!(seats(&machine).severity, Good);
        stand.file("runtime/seat-4194400-1/x", "");
        assert_eq!((seats(&machine).severity, seats(&machine).action), (Info, Some("clear-seats")));
    }
}
