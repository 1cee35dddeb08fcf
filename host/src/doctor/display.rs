//! What a seat's screen needs, the screen itself, and the machine's own desktop.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Finding;
use super::distribution::Package;
use super::machine::{Machine, SOON, run};
use crate::diagnose::{self, Report, Wish};

/// The size and rate of trials: small, so that every machine keeps up.
const MODE: (u32, u32, u32) = (640, 360, 30);
/// How long the screen is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Terminals that seats know, the best first.
const TERMINALS: [&str; 7] =
    ["foot", "weston-terminal", "alacritty", "kitty", "ptyxis", "gnome-terminal", "konsole"];
/// Desktops that run inside a seat.
const NESTED: [&str; 3] = ["labwc", "sway", "wayfire"];
/// Compositors and X servers by the names of their processes, which end after 15 bytes.
const COMPOSITORS: [(&str, &str); 14] = [
    ("kwin_wayland", "KDE Plasma"),
    ("kwin_x11", "KDE Plasma on X11"),
    ("gnome-shell", "GNOME"),
    ("gamescope", "gamescope"),
    ("gamescope-wl", "gamescope"),
    ("sway", "sway"),
    ("Hyprland", "Hyprland"),
    ("labwc", "labwc"),
    ("wayfire", "wayfire"),
    ("niri", "niri"),
    ("cosmic-comp", "COSMIC"),
    ("weston", "weston"),
    ("cinnamon", "Cinnamon"),
    ("Xorg", "X11"),
];
/// Findings of the trials that a busy machine spoils, while the stage itself works.
const SPOILED: [&str; 4] = ["rate", "packets", "clear", "order"];

/// A stage that is tried: with the real seat, in a folder of its own.
pub(super) struct Trial {
    wish: Wish,
    folder: PathBuf,
}

impl Trial {
    /// Prepares it; else why it cannot be tried here.
    pub(super) fn new(machine: &Machine, time: Duration) -> Result<Self, Finding> {
        if !machine.is_real() {
            return Err(Finding::skipped("only the real machine has seats"));
        }
        if machine.user.uid == 0 {
            return Err(Finding::skipped("root has no seats: make the user with `cargo xtask serve`"));
        }
        let program = machine.programs.join("punktfunk-seat");
        if !program.exists() {
            return Err(Finding::skipped(format!("{} is missing", program.display())));
        }
        let make = |folder: &PathBuf| std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        // Short, because sockets lie in it; in the runtime directory if that is there.
        let name = format!("doctor-{}", std::process::id());
        let folders =
            [machine.host.runtime.join(&name), std::env::temp_dir().join(format!("punktfunk-{name}"))];
        let usable = folders.into_iter().find(|folder| {
            let above = folder.parent().is_some_and(Path::exists);
            above && make(folder).is_ok()
        });
        let Some(folder) = usable else {
            return Err(Finding::skipped("no directory for sockets can be made"));
        };
        let wish = Wish { program, runtime: folder.clone(), mode: MODE, time, picture: None };
        Ok(Self { wish, folder })
    }

    /// Where its sockets may lie.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Tries a stage; an error is what to say instead of a report.
    pub(super) fn run(&self, test: fn(&Wish) -> anyhow::Result<Report>) -> Result<Report, Finding> {
        test(&self.wish).map_err(|error| {
            Finding::error(format!("{error:#}"), "see docs/doctor.md, section \"A seat does not start\"")
        })
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        // What is left is small and in the runtime directory.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What a trial's report says, in one line.
pub(super) fn told(report: &Report, fix: &str) -> Finding {
    let line = |bad: bool| {
        let findings = report.findings.iter().filter(|finding| !bad || !finding.good);
        findings.map(|finding| format!("{}: {}", finding.what, finding.found)).collect::<Vec<_>>().join("; ")
    };
    if report.passed() {
        return Finding::ok(line(false));
    }
    let spoiled = report.findings.iter().filter(|finding| !finding.good).all(|f| SPOILED.contains(&f.what));
    if spoiled {
        return Finding::warning(line(true), "run this again when the machine has less to do");
    }
    Finding::error(line(true), fix)
}

pub(super) fn program(machine: &Machine) -> Finding {
    let file = machine.programs.join("punktfunk-seat");
    if !file.exists() {
        return Finding::error(
            format!("{} is missing: nothing can be shown", file.display()),
            "install punktfunk-seat beside punktfunk-host",
        );
    }
    let said = run(std::process::Command::new(&file).arg("--version"), SOON).filter(|ran| ran.ok);
    let version = said.as_ref().and_then(|ran| ran.text.split_whitespace().nth(1)).unwrap_or("no version");
    if version == env!("CARGO_PKG_VERSION") {
        Finding::ok(format!("{version} at {}", file.display()))
    } else {
        Finding::error(
            format!("punktfunk-seat says {version}, this is {}", env!("CARGO_PKG_VERSION")),
            "install punktfunk-seat and punktfunk-host from one package",
        )
    }
}

pub(super) fn xwayland(machine: &Machine) -> Finding {
    let Some(file) = machine.program("Xwayland") else {
        return Finding::warning(
            "no program Xwayland: X11 applications, which most games are, do not run",
            machine.distribution().install(Package::Xwayland),
        );
    };
    let text = machine.ask("Xwayland", &["-version"], SOON).map(|ran| ran.text).unwrap_or_default();
    let version = text.lines().find_map(|line| line.split_once("Xwayland Version ")).map(|(_, rest)| rest);
    let version = version.and_then(|rest| rest.split_whitespace().next()).unwrap_or("of no known version");
    Finding::ok(format!("{version} at {}", file.display()))
}

pub(super) fn fonts(machine: &Machine) -> Finding {
    let file = machine.first_line("fc-match", &["-f", "%{file}", "sans-serif"]);
    match file.filter(|file| machine.inside(file.as_ref()).exists()) {
        Some(file) => Finding::ok(file),
        None => Finding::warning(
            "fc-match finds no font: the desktop of a seat shows no text",
            machine.distribution().install(Package::Fonts),
        ),
    }
}

pub(super) fn terminal(machine: &Machine) -> Finding {
    match TERMINALS.into_iter().find(|name| machine.program(name).is_some()) {
        Some(name) => Finding::ok(name),
        None => Finding::warning(
            format!("none of {}: the desktop of a seat is empty", TERMINALS.join(", ")),
            machine.distribution().install(Package::Terminal),
        ),
    }
}

pub(super) fn seat(machine: &Machine) -> Finding {
    match Trial::new(machine, LOOK).and_then(|trial| trial.run(diagnose::display)) {
        Ok(report) => told(&report, "see docs/doctor.md, section \"A seat does not start\""),
        Err(finding) => finding,
    }
}

pub(super) fn compositor(machine: &Machine) -> Finding {
    let processes = machine.processes();
    let mut found: Vec<String> = COMPOSITORS
        .iter()
        .filter_map(|(process, name)| {
            let (pid, _) = processes.iter().find(|(_, comm)| comm == process)?;
            Some(format!("{name} (process {pid})"))
        })
        .collect();
    found.dedup();
    if found.is_empty() {
        Finding::ok("none runs, and none is needed: each client gets a screen of its own")
    } else {
        Finding::info(format!("{}; clients get screens of their own beside it", found.join(", ")))
    }
}

pub(super) fn nested(machine: &Machine) -> Finding {
    let found: Vec<_> = NESTED.into_iter().filter(|name| machine.program(name).is_some()).collect();
    if found.is_empty() {
        return Finding::info("none: Desktop shows the seat's own simple one")
            .with_fix(machine.distribution().install(Package::Desktop));
    }
    Finding::ok(found.join(", "))
}

pub(super) fn gamescope(machine: &Machine) -> Finding {
    let config = machine.config();
    if !config.apps.iter().any(|app| app.kind.is_gamescope_of_session()) {
        return Finding::skipped("`desktop.session` is not \"gamescope\": Desktop shows a screen of its own");
    }
    let name = &machine.user.name;
    let none = |evidence: String| {
        Finding::error(
            evidence,
            format!(
                "log in to game mode as {name}, or choose the session \"Steam for punktfunk\"; or set \
                 desktop.session to \"auto\""
            ),
        )
    };
    let Some(dir) = machine.env.get("XDG_RUNTIME_DIR") else {
        return none(format!("no XDG_RUNTIME_DIR: {name} has no session"));
    };
    let named = machine.env.get("GAMESCOPE_WAYLAND_DISPLAY").cloned();
    let names = machine.names(dir.trim_start_matches('/'));
    let names = names.into_iter().filter(|name| name.starts_with("gamescope-") && !name.ends_with("-ei"));
    let answers = |name: &String| {
        std::os::unix::net::UnixStream::connect(machine.inside(&Path::new(dir).join(name))).is_ok()
    };
    match named.into_iter().chain(names).find(answers) {
        Some(found) => Finding::ok(format!("{found} answers")),
        None => none(format!("no gamescope runs for {name}: nothing answers at {dir}/gamescope-*")),
    }
}

pub(super) fn steam(machine: &Machine) -> Finding {
    match machine.processes().into_iter().find(|(_, comm)| comm == "steam") {
        Some((pid, _)) => Finding::info(format!(
            "it runs (process {pid}): a user has one Steam only, so games that are started in a seat open there"
        ))
        .with_fix("close Steam before playing its games from a client, or play them on its own screen"),
        None => Finding::ok("it does not run"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Severity::{Error, Info, Ok, Skipped, Warning};
    use std::os::unix::net::UnixListener;
    use std::sync::Arc;

    use super::super::tests::Stand;
    use super::*;
    use crate::config::Config;

    #[test]
    fn programs_are_there_or_the_command_is_told() {
        let stand = Stand::new();
        stand.file("etc/os-release", "ID=debian\n");
        let machine = stand.machine();
        let all = [xwayland(&machine), fonts(&machine), terminal(&machine), nested(&machine)];
        assert_eq!(all.clone().map(|found| found.severity), [Warning, Warning, Warning, Info]);
        assert!(all.iter().all(|found| found.fix.as_ref().unwrap().starts_with("sudo apt install ")));
        stand.program("Xwayland", "echo 'The X.Org Foundation Xwayland Version 24.1.2 (12401002)' >&2");
        stand.program("fc-match", "echo /usr/share/fonts/a.ttf");
        assert_eq!(fonts(&machine).severity, Warning, "there is no such file");
        stand.file("usr/share/fonts/a.ttf", "");
        stand.program("kitty", "");
        stand.program("sway", "");
        let all = [xwayland(&machine), fonts(&machine), terminal(&machine), nested(&machine)];
        assert_eq!(all.clone().map(|found| found.severity), [Ok, Ok, Ok, Ok]);
        assert!(all[0].evidence.starts_with("24.1.2 at "));
        assert_eq!(all[2].evidence, "kitty");
    }

    #[test]
    fn the_seats_program_has_to_be_of_the_same_version() {
        let stand = Stand::new();
        assert_eq!(program(&stand.machine()).severity, Error);
        stand.program("punktfunk-seat", "echo punktfunk-seat 0.0.7");
        assert!(program(&stand.machine()).evidence.starts_with("punktfunk-seat says 0.0.7"));
        stand.program("punktfunk-seat", &format!("echo punktfunk-seat {}", env!("CARGO_PKG_VERSION")));
        assert_eq!(program(&stand.machine()).severity, Ok);
        assert_eq!(seat(&stand.machine()).severity, Skipped, "not the real machine");
    }

    #[test]
    fn desktops_and_steam_are_seen_among_the_processes() {
        let stand = Stand::new();
        assert_eq!((compositor(&stand.machine()).severity, steam(&stand.machine()).severity), (Ok, Ok));
        stand.file("proc/70/comm", "kwin_wayland\n");
        stand.file("proc/71/comm", "steam\n");
        stand.file("proc/self/comm", "sway\n");
        assert!(compositor(&stand.machine()).evidence.starts_with("KDE Plasma (process 70);"));
        assert_eq!(steam(&stand.machine()).severity, Info);
    }

    #[test]
    fn a_gamescope_is_missed_only_when_the_desktop_is_to_show_it() {
        let stand = Stand::new();
        let mut machine = stand.machine();
        assert_eq!(gamescope(&machine).severity, Skipped);
        let config = Config::parse("desktop.session = 'gamescope'", Path::new("f")).unwrap();
        machine.host.config = Result::Ok(Arc::new(config));
        let found = gamescope(&machine);
        assert_eq!(found.severity, Error);
        assert!(found.fix.unwrap().starts_with("log in to game mode as anna"));
        stand.file("run/user/1000/x", "");
        let listen = |name: &str| UnixListener::bind(stand.root().join("run/user/1000").join(name)).unwrap();
        // The input of one, and one that is dead.
        let _input = listen("gamescope-0-ei");
        drop(listen("gamescope-0"));
        assert!(gamescope(&machine).evidence.contains("nothing answers at /run/user/1000/gamescope-*"));
        let _runs = listen("gamescope-1");
        let found = gamescope(&machine);
        assert_eq!((found.severity, found.evidence.as_str()), (Ok, "gamescope-1 answers"));
        machine.env.clear();
        assert!(gamescope(&machine).evidence.contains("anna has no session"));
    }

    #[test]
    fn a_busy_machine_is_a_warning_and_silence_an_error() {
        let finding = |what, good| diagnose::Finding { what, found: "x".into(), good };
        let report = |findings| Report { findings };
        assert_eq!(told(&report(vec![finding("seat", true)]), "f").severity, Ok);
        let slow = told(&report(vec![finding("seat", true), finding("rate", false)]), "f");
        assert_eq!((slow.severity, slow.evidence.as_str()), (Warning, "rate: x"));
        let mute = told(&report(vec![finding("rate", false), finding("tone", false)]), "f");
        assert_eq!((mute.severity, mute.fix.as_deref()), (Error, Some("f")));
    }
}
