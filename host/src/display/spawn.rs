//! How the process of a seat comes to life: as a service of its own under the user's
//! systemd manager, and without such a manager as a child of this process.
//!
//! A service does not end with the host's own and does not inherit its sandbox. It is
//! asked for with `systemd-run`, so that nothing here speaks the manager's protocol.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::seat::{DisplayError, Screen, SeatSpec};

/// How long the manager may take until it has started a service or answered a question.
const MANAGER_DEADLINE: Duration = Duration::from_secs(5);
/// How often the manager is asked whether a service still runs; each time is a process.
const ASK: Duration = Duration::from_millis(300);
/// What of our environment a seat needs where it does not inherit it.
const PASSED: [&str; 2] = ["PUNKTFUNK_LOG", "PATH"];
/// What it needs besides to find what runs in the user's session.
const OF_SESSION: [&str; 3] = ["GAMESCOPE_WAYLAND_DISPLAY", "PIPEWIRE_REMOTE", "PIPEWIRE_RUNTIME_DIR"];

/// A seat that was started and may not listen yet.
#[derive(Debug)]
pub(super) enum Started {
    /// A child of this process.
    Child(Child),
    /// A transient service of the user's manager.
    Service {
        /// The manager's tools.
        manager: Manager,
        /// Its unit, with `.service`.
        unit: String,
        /// When the manager was last asked about it.
        asked: Instant,
    },
}

impl Started {
    /// Starts the program of `spec`, which writes to `log`.
    pub(super) fn start(spec: &SeatSpec, log: &Path) -> Result<Self, DisplayError> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(log);
        let file = file.map_err(io("open", log))?;
        let run_time = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        if let Some(manager) = run_time.as_deref().and_then(|directory| Manager::find(directory, &path)) {
            match manager.start(spec, log) {
                Ok(unit) => return Ok(Self::Service { manager, unit, asked: Instant::now() }),
                Err(why) => tracing::warn!(%why, "no service for the seat: it becomes a child of the host"),
            }
        }
        let copy = file.try_clone().map_err(io("open", log))?;
        let mut command = Command::new(&spec.program);
        command.args(arguments(spec)).stdin(Stdio::null()).stdout(copy).stderr(file);
        // Its log goes to the file even where ours goes to the journal.
        command.env_remove("JOURNAL_STREAM");
        command.spawn().map(Self::Child).map_err(io("start", &spec.program))
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<String> {
        match self {
            Self::Child(child) => child.try_wait().ok().flatten().map(|status| status.to_string()),
            Self::Service { manager, unit, asked } => {
                if asked.elapsed() < ASK {
                    return None;
                }
                *asked = Instant::now();
                // No answer is no end: the deadline of the start decides then.
                let output = manager.systemctl(&["is-active", unit.as_str()]).ok()?;
                let state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
                matches!(state.as_str(), "inactive" | "failed").then(|| format!("{unit} is {state}"))
            }
        }
    }

    /// How it ended, once it has; `None` if it has not by `deadline`.
    pub(super) fn end_by(&mut self, deadline: Instant) -> Option<String> {
        loop {
            let ended = self.ended();
            if ended.is_some() || Instant::now() >= deadline {
                return ended;
            }
            // Neither a child nor a service can be waited for with a deadline.
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends what never answered.
    pub(super) fn kill(self) {
        match self {
            Self::Child(mut child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
            Self::Service { manager, unit, .. } => manager.stop(&unit),
        }
    }

    /// Leaves it running. A child that ends must be waited for, whenever that is.
    pub(super) fn release(self) {
        let Self::Child(mut child) = self else { return };
        let waiter = std::thread::Builder::new().name("punktfunk-reap".to_owned());
        let _ = waiter.spawn(move || child.wait().map(|status| tracing::debug!(%status, "a seat has ended")));
    }
}

/// The tools of the user's manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manager {
    run: PathBuf,
    control: PathBuf,
}

impl Manager {
    /// Finds them if this user's manager listens in `runtime`, searching `path`.
    fn find(runtime: &Path, path: &OsStr) -> Option<Self> {
        // After `sudo` the variable can name the directory of somebody else, whose
        // manager would start the seat as that user.
        let socket = std::fs::metadata(runtime.join("systemd/private")).ok()?;
        if !socket.file_type().is_socket() || socket.uid() != rustix::process::geteuid().as_raw() {
            return None;
        }
        let tool = |name| std::env::split_paths(path).map(|at| at.join(name)).find(|file| file.is_file());
        Some(Self { run: tool("systemd-run")?, control: tool("systemctl")? })
    }

    /// Starts the service and returns its unit, or why there is none.
    fn start(&self, spec: &SeatSpec, log: &Path) -> Result<String, String> {
        let unit = unit();
        let set: Vec<_> =
            passed(spec.screen).filter_map(|name| Some((name, std::env::var_os(name)?))).collect();
        let mut command = Command::new(&self.run);
        command.args(service(spec, log, &unit, &set).map_err(|error| error.to_string())?);
        match output(command) {
            Ok(output) if output.status.success() => Ok(unit),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                Err(format!("{}: {}", output.status, said.trim()))
            }
            Err(error) => {
                // It may come to life later, beside the child that takes its place.
                self.stop(&unit);
                Err(error.to_string())
            }
        }
    }

    fn stop(&self, unit: &str) {
        if let Err(error) = self.systemctl(&["--no-block", "stop", unit]) {
            tracing::warn!(%error, unit, "the service of a seat could not be stopped");
        }
    }

    fn systemctl(&self, arguments: &[&str]) -> std::io::Result<Output> {
        let mut command = Command::new(&self.control);
        command.arg("--user").args(arguments);
        output(command)
    }
}

/// A name that no unit has had: the process, the time, and a count.
fn unit() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("punktfunk-seat-{}-{:x}-{count}.service", std::process::id(), now.as_micros())
}

/// The variables that a seat of this kind gets from us.
fn passed(screen: Screen) -> impl Iterator<Item = &'static str> {
    let more: &[&str] = if screen == Screen::Session { &OF_SESSION } else { &[] };
    PASSED.iter().chain(more).copied()
}

/// The arguments of `punktfunk-seat`.
fn arguments(spec: &SeatSpec) -> Vec<OsString> {
    let layout = if spec.layout.layout.is_empty() { "us" } else { &spec.layout.layout };
    let mut arguments = vec!["--runtime-dir".into(), spec.runtime_dir.clone().into_os_string()];
    // One word each, for a value may begin with a hyphen.
    arguments.extend([format!("--name={}", spec.name).into(), format!("--layout={layout}").into()]);
    for (option, value) in [("--width", spec.width), ("--height", spec.height), ("--refresh", spec.fps)] {
        arguments.extend([option.into(), value.to_string().into()]);
    }
    let screen: &[&str] = match spec.screen {
        Screen::Own => &[],
        Screen::Gamescope => &["--compositor=gamescope"],
        Screen::Session => &["--compositor=gamescope", "--attach=auto"],
    };
    arguments.extend(screen.iter().map(OsString::from));
    arguments.push(format!("--channels={}", spec.channels).into());
    arguments.push(format!("--variant={}", spec.layout.variant).into());
    arguments.push(format!("--xkb-options={}", spec.layout.options).into());
    arguments
}

/// The arguments of `systemd-run` for a service that runs the seat.
fn service(
    spec: &SeatSpec,
    log: &Path,
    unit: &str,
    set: &[(&str, OsString)],
) -> std::io::Result<Vec<OsString>> {
    // The manager starts it in another directory than ours.
    let (program, log) = (std::path::absolute(&spec.program)?, std::path::absolute(log)?);
    let spec = SeatSpec { runtime_dir: std::path::absolute(&spec.runtime_dir)?, ..spec.clone() };
    let mut words: Vec<OsString> =
        ["--user", "--quiet", "--collect", "--slice=punktfunk.slice", "--description=A seat of punktfunk"]
            .map(OsString::from)
            .into();
    words.push(format!("--unit={unit}").into());
    for property in [
        // A program that cannot be executed is then an error of systemd-run.
        "Type=exec",
        // The seat ends its application politely when it is told to stop, not the manager.
        "KillMode=mixed",
        "TimeoutStopSec=15s",
        // An application that took all memory must not take the seat along.
        "OOMPolicy=continue",
        "UnsetEnvironment=JOURNAL_STREAM",
    ] {
        words.push(format!("--property={property}").into());
    }
    for stream in ["StandardOutput", "StandardError"] {
        words.push(join(&format!("--property={stream}=append:"), log.as_os_str()));
    }
    words.extend(set.iter().map(|(name, value)| join(&format!("--setenv={name}="), value)));
    words.extend(["--".into(), program.into_os_string()]);
    words.extend(arguments(&spec).iter().map(|word| literal(word)));
    Ok(words)
}

fn join(start: &str, end: &OsStr) -> OsString {
    let mut word = OsString::from(start);
    word.push(end);
    word
}

/// The manager replaces `$NAME` in a command line, and `$$` by `$`. The name of a client
/// is foreign: it must arrive as it is.
fn literal(word: &OsStr) -> OsString {
    match word.to_str() {
        Some(text) => text.replace('$', "$$").into(),
        // Nothing here but a path can be other than UTF-8, and D-Bus refuses it anyway.
        None => word.to_owned(),
    }
}

/// Runs a tool to its end, at most for [`MANAGER_DEADLINE`].
fn output(mut command: Command) -> std::io::Result<Output> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let deadline = Instant::now() + MANAGER_DEADLINE;
    // Both write a line or two, which a pipe holds: it need not be read meanwhile.
    while child.try_wait()?.is_none() {
        if Instant::now() >= deadline {
            let _ = child.kill();
            let _ = child.wait();
            return Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "systemd did not answer"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output()
}

/// A [`DisplayError::Io`] of what the system said.
pub(super) fn io<'a>(
    what: &'static str,
    path: &'a Path,
) -> impl FnOnce(std::io::Error) -> DisplayError + use<'a> {
    move |error| DisplayError::Io { what, path: path.to_owned(), error }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::display::Keymap;

    fn spec() -> SeatSpec {
        SeatSpec {
            name: "-$HOME %h".to_owned(),
            runtime_dir: "/run/user/1/punktfunk/seat-1".into(),
            program: "/opt/punktfunk-seat".into(),
            screen: Screen::Own,
            width: 1280,
            height: 720,
            fps: 60,
            channels: 6,
            layout: Keymap::default(),
        }
    }

    fn scratch(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("pfh-spawn-{name}-{}", std::process::id()));
        std::fs::create_dir_all(directory.join("systemd")).unwrap();
        directory
    }

    #[test]
    fn a_service_is_asked_for_with_its_log_and_a_literal_command_line() {
        let log = Path::new("/run/user/1/punktfunk/seat-1/seat.log");
        let words = service(&spec(), log, "punktfunk-seat-7.service", &[("PATH", "/bin".into())]).unwrap();
        let words: Vec<_> = words.iter().map(|word| word.to_str().unwrap()).collect();
        let split = words.iter().position(|word| *word == "--").unwrap();
        for option in [
            "--user",
            "--collect",
            "--unit=punktfunk-seat-7.service",
            "--slice=punktfunk.slice",
            "--property=Type=exec",
            "--property=StandardOutput=append:/run/user/1/punktfunk/seat-1/seat.log",
            "--property=StandardError=append:/run/user/1/punktfunk/seat-1/seat.log",
            "--setenv=PATH=/bin",
        ] {
            assert!(words[..split].contains(&option), "{option} is not in {words:?}");
        }
        assert!(!words.contains(&"--scope"));
        let command = [
            "/opt/punktfunk-seat",
            "--runtime-dir",
            "/run/user/1/punktfunk/seat-1",
            "--name=-$$HOME %h",
            "--layout=us",
            "--width",
            "1280",
            "--height",
            "720",
            "--refresh",
            "60",
            "--channels=6",
            "--variant=",
            "--xkb-options=",
        ];
        assert_eq!(words[split + 1..], command);
    }

    #[test]
    fn a_gamescope_is_asked_for_by_name() {
        let own = arguments(&spec());
        let more = |screen| {
            let words = arguments(&SeatSpec { screen, ..spec() });
            words.into_iter().filter(|word| !own.contains(word)).collect::<Vec<_>>()
        };
        assert_eq!(more(Screen::Gamescope), ["--compositor=gamescope"]);
        assert_eq!(more(Screen::Session), ["--compositor=gamescope", "--attach=auto"]);
    }

    #[test]
    fn only_who_looks_for_the_session_gets_its_variables() {
        let has = |screen| passed(screen).any(|name| name == "GAMESCOPE_WAYLAND_DISPLAY");
        assert!(has(Screen::Session) && !has(Screen::Own) && !has(Screen::Gamescope));
        assert!(passed(Screen::Session).any(|name| name == "PATH"));
    }

    #[test]
    fn paths_are_absolute_for_the_manager() {
        let spec = SeatSpec { program: "seat".into(), runtime_dir: "run".into(), ..spec() };
        let words = service(&spec, Path::new("run/seat.log"), "x.service", &[]).unwrap();
        let here = std::env::current_dir().unwrap();
        assert!(words.contains(&here.join("seat").into_os_string()));
        assert!(words.contains(&here.join("run").into_os_string()));
        assert!(
            words.contains(&join("--property=StandardOutput=append:", here.join("run/seat.log").as_os_str()))
        );
    }

    #[test]
    fn units_have_names_of_their_own() {
        let (one, two) = (unit(), unit());
        assert_ne!(one, two);
        let safe = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
        assert!(one.chars().all(safe) && one.ends_with(".service"), "{one}");
    }

    #[test]
    fn a_manager_needs_its_socket_and_both_tools() {
        let directory = scratch("find");
        let path = directory.clone().into_os_string();
        assert_eq!(Manager::find(&directory, &path), None);
        for tool in ["systemd-run", "systemctl"] {
            std::fs::write(directory.join(tool), "").unwrap();
        }
        std::fs::write(directory.join("systemd/private"), "").unwrap();
        assert_eq!(Manager::find(&directory, &path), None, "a file is no socket");
        std::fs::remove_file(directory.join("systemd/private")).unwrap();
        let _socket = UnixListener::bind(directory.join("systemd/private")).unwrap();
        let found = Manager::find(&directory, &path);
        let (run, control) = (directory.join("systemd-run"), directory.join("systemctl"));
        assert_eq!(found, Some(Manager { run, control }));
        std::fs::remove_file(directory.join("systemd-run")).unwrap();
        assert_eq!(Manager::find(&directory, &path), None);
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_manager_that_refuses_says_why() {
        let manager = Manager { run: "/bin/false".into(), control: "/bin/false".into() };
        let why = manager.start(&spec(), Path::new("/nonexistent/seat.log")).unwrap_err();
        assert!(why.contains("exit status: 1"), "{why}");
        let manager = Manager { run: "/nonexistent/run".into(), control: "/bin/false".into() };
        assert!(manager.start(&spec(), Path::new("/nonexistent/seat.log")).is_err());
    }
}
