//! What runs in a seat: its private bus and sound, the application, and their end.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};
use punktfunk_desktop_entry as entry;
use punktfunk_seat_ipc::{App, AppKind, Exit, Mode};
use rustix::process::Signal;

use crate::audio;
use crate::launcher as installed;
use crate::platform::account;
use crate::platform::spawn::{start_plain, start_unblocked};
use crate::process::{self, MARK};
use crate::user_shell;

/// Variables of the host that must not reach an application, besides whole families.
const REMOVED: [&str; 12] = [
    "WAYLAND_SOCKET",
    "XAUTHORITY",
    "SWAYSOCK",
    "I3SOCK",
    "LD_PRELOAD",
    "DESKTOP_STARTUP_ID",
    "XDG_ACTIVATION_TOKEN",
    "NOTIFY_SOCKET",
    "DISPLAY",
    "PULSE_SINK",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
];
const REMOVED_FAMILIES: [&str; 4] = ["GAMESCOPE_", "LISTEN_", "RUST_", "CARGO_"];

/// Found first is used.
const TERMINALS: [&str; 7] =
    ["foot", "weston-terminal", "alacritty", "kitty", "ptyxis", "gnome-terminal", "konsole"];

/// What the bus must not start: GTK waits a minute for a portal that cannot work.
const NOT_ACTIVATABLE: [&str; 5] = [
    "org.freedesktop.portal.Desktop",
    "org.freedesktop.portal.Documents",
    "org.freedesktop.impl.portal.desktop.gtk",
    "org.freedesktop.impl.portal.desktop.gnome",
    "org.freedesktop.impl.portal.desktop.kde",
];

/// The processes of a seat.
pub struct Session {
    /// The seat's runtime directory, which is also its mark.
    runtime: PathBuf,
    display: String,
    /// The number in `DISPLAY`, while there is an Xwayland.
    x_display: Option<u32>,
    /// What programs find besides, or instead, when the compositor is another's. Without
    /// a value: removed.
    surroundings: Vec<(&'static str, Option<String>)>,
    sound: Option<audio::Server>,
    bus: Option<Child>,
    /// Ends everything when this process dies. Its stdin is our life sign.
    _guard: Option<Child>,
    services: HashSet<i32>,
    app: Option<Running>,
}

struct Running {
    child: Child,
    exit: Option<Exit>,
    desktop: bool,
}

impl Session {
    /// Starts the guard, the bus and the sound of a seat, with so many channels.
    pub fn start(runtime: &Path, display: &str, channels: Option<u8>) -> anyhow::Result<Self> {
        if let Err(error) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
            tracing::warn!(%error, "programs that detach will not be found by their parents");
        }
        let mut session = Self {
            runtime: runtime.to_owned(),
            display: display.to_owned(),
            x_display: None,
            surroundings: Vec::new(),
            sound: None,
            bus: None,
            _guard: None,
            services: HashSet::new(),
            app: None,
        };
        session._guard = Some(guard(&session.id())?);
        match session.start_bus() {
            Ok(bus) => session.bus = Some(bus),
            Err(error) => tracing::warn!("no session bus: {error:#}"),
        }
        if let Some(channels) = channels {
            let bus = session.bus.is_some().then(|| session.bus_address());
            let directory = runtime.to_owned();
            match audio::Server::start(audio::Plan {
                directory,
                bus,
                channels,
                turn: None,
                prepare: start_unblocked,
            }) {
                Ok(server) => session.sound = Some(server),
                Err(error) => tracing::warn!("the seat has no sound: {error}"),
            }
        }
        session.note_services();
        Ok(session)
    }

    /// What this seat's processes carry as `PUNKTFUNK_SEAT`.
    pub fn id(&self) -> String {
        self.runtime.to_string_lossy().into_owned()
    }

    /// The path of the PipeWire socket and `PULSE_SERVER`; empty when there is no sound.
    pub fn sound(&self) -> (String, String) {
        self.sound.as_ref().map_or_else(Default::default, |sound| {
            let path = |path: PathBuf| path.to_string_lossy().into_owned();
            (path(sound.pipewire_socket()), format!("unix:{}", path(sound.pulse_socket())))
        })
    }

    /// The seat's session bus; that of the sound server when ours did not start.
    fn bus_address(&self) -> String {
        if let (None, Some(sound)) = (&self.bus, &self.sound) {
            return sound.bus_address().to_owned();
        }
        format!("unix:path={}", self.runtime.join("bus").display())
    }

    /// Every child of now is a service of the seat, not part of an application.
    fn note_services(&mut self) {
        let own = process::own_pid();
        self.services = process::table().iter().filter(|p| p.parent == own).map(|p| p.pid).collect();
        let sound = self.sound_pids();
        self.services.retain(|pid| !sound.contains(pid));
    }

    fn sound_pids(&self) -> Vec<i32> {
        self.sound.as_ref().map(audio::Server::pids).unwrap_or_default()
    }

    /// The services of now: those of sound may have been started again.
    fn kept(&self) -> HashSet<i32> {
        self.services.iter().copied().chain(self.sound_pids()).collect()
    }

    /// The number for `DISPLAY` of programs started from now on; gives the one before.
    pub fn set_x_display(&mut self, display: Option<u32>) -> Option<u32> {
        std::mem::replace(&mut self.x_display, display)
    }

    /// Variables for programs started from now on that differ from those of the seat's own
    /// compositor; without a value they are removed.
    pub fn set_surroundings(&mut self, variables: Vec<(&'static str, Option<String>)>) {
        self.surroundings = variables;
    }

    /// This child is a service of the seat, not part of an application. Whoever started it
    /// waits for its end.
    pub fn add_service(&mut self, pid: i32) {
        self.services.insert(pid);
    }

    /// The process ids of our children.
    pub fn children() -> HashSet<i32> {
        let own = process::own_pid();
        process::table().iter().filter(|p| p.parent == own && !p.zombie).map(|p| p.pid).collect()
    }

    /// The child that was started since there were only these `before` is a service too;
    /// its process id.
    pub fn note_service(&mut self, before: &HashSet<i32>) -> Option<i32> {
        // Orphans of the application may have come to us meanwhile, from older processes:
        // process ids count up, save for once in a long time.
        let pid = Self::children().difference(before).copied().max()?;
        self.services.insert(pid);
        Some(pid)
    }

    /// A service is gone and reaped.
    pub fn forget_service(&mut self, pid: i32) {
        self.services.remove(&pid);
    }

    fn start_bus(&self) -> anyhow::Result<Child> {
        let services = self.runtime.join("dbus-services");
        std::fs::create_dir_all(&services)?;
        for name in NOT_ACTIVATABLE {
            std::fs::write(
                services.join(format!("{name}.service")),
                format!("[D-BUS Service]\nName={name}\nExec=/bin/false\n"),
            )?;
        }
        let config = self.runtime.join("dbus.conf");
        std::fs::write(&config, bus_config(&self.runtime.join("bus"), &services))?;
        let _ = std::fs::remove_file(self.runtime.join("bus"));
        let mut command = Command::new("dbus-daemon");
        command.arg(format!("--config-file={}", config.display())).args(["--nofork", "--print-address=1"]);
        self.environment(&mut command, None);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().context("start dbus-daemon")?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        if line.is_empty() {
            let _ = child.kill();
            bail!("dbus-daemon ended at once: {:?}", child.wait()?);
        }
        Ok(child)
    }

    /// Gives a command the environment of section 13 of the seat's design, no blocked
    /// signals and no right to real-time scheduling.
    pub fn environment(&self, command: &mut Command, mode: Option<Mode>) {
        start_plain(command);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if REMOVED.contains(&&*text) || REMOVED_FAMILIES.iter().any(|family| text.starts_with(family)) {
                command.env_remove(&name);
            }
        }
        command.envs([
            (MARK, self.id().as_str()),
            ("WAYLAND_DISPLAY", &self.display),
            ("XDG_RUNTIME_DIR", &self.id()),
            ("XDG_SESSION_TYPE", "wayland"),
            ("XDG_CURRENT_DESKTOP", "punktfunk"),
            ("DBUS_SESSION_BUS_ADDRESS", &self.bus_address()),
            ("XCURSOR_SIZE", "24"),
            ("SDL_VIDEO_MINIMIZE_ON_FOCUS_LOSS", "0"),
            ("QT_QPA_PLATFORM", "wayland;xcb"),
            ("ELECTRON_OZONE_PLATFORM_HINT", "auto"),
            ("_JAVA_AWT_WM_NONREPARENTING", "1"),
            ("vk_xwayland_wait_ready", "false"),
            ("PROTON_USE_PIPEWIRE", "0"),
        ]);
        let inherited = std::env::var_os("SHELL");
        command.env("SHELL", user_shell::find(inherited.as_deref(), account::shell()));
        if let Some(display) = self.x_display {
            command.env("DISPLAY", format!(":{display}"));
        }
        if let Some(sound) = &self.sound {
            command.envs(sound.environment());
        }
        for (name, value) in &self.surroundings {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(mode) = mode {
            let fps = mode.refresh_num.div_ceil(mode.refresh_den);
            command
                .env("PUNKTFUNK_WIDTH", mode.width.to_string())
                .env("PUNKTFUNK_HEIGHT", mode.height.to_string())
                .env("PUNKTFUNK_FPS", fps.to_string())
                .env("PUNKTFUNK_HDR", "0");
        }
    }

    /// Starts the application; an error when one runs already. Gives its process id.
    pub fn launch(&mut self, app: &App, mode: Mode) -> anyhow::Result<u32> {
        if self.app.is_some() {
            bail!("an application is already running in this seat: end it first");
        }
        let mut command = match &app.kind {
            AppKind::Desktop => terminal(mode, false).context("no terminal is installed: install foot")?,
            AppKind::Command(argv) => {
                let (program, arguments) = argv.split_first().context("the command is empty")?;
                let mut command = Command::new(program);
                command.args(arguments);
                command
            }
            AppKind::TestCard => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("test-card");
                command
            }
            other => bail!("this seat cannot run {other:?}"),
        };
        self.environment(&mut command, Some(mode));
        command.envs(app.env.iter().map(|(name, value)| (name, value)));
        let home = std::env::var_os("HOME").map(PathBuf::from);
        if let Some(cwd) = app.cwd.as_ref().map(PathBuf::from).or(home).filter(|cwd| cwd.is_dir()) {
            command.current_dir(cwd);
        }
        command.stdin(Stdio::null()).process_group(0);
        let child = command.spawn().with_context(|| format!("start {:?}", command.get_program()))?;
        let pid = child.id();
        let shell = command.get_envs().find_map(|(name, value)| (name == "SHELL").then_some(value?));
        tracing::debug!(pid, program = ?command.get_program(), ?shell, "the application is started");
        self.app = Some(Running { child, exit: None, desktop: app.kind == AppKind::Desktop });
        Ok(pid)
    }

    /// Starts one more terminal.
    pub fn open_terminal(&self, mode: Mode) -> anyhow::Result<()> {
        let mut command = terminal(mode, false).context("no terminal is installed: install foot")?;
        self.environment(&mut command, Some(mode));
        if let Some(home) = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_dir()) {
            command.current_dir(home);
        }
        // It is reaped with the other children.
        command.stdin(Stdio::null()).process_group(0).spawn().context("start a terminal")?;
        Ok(())
    }

    /// Starts what a desktop entry names; gives its process id.
    pub fn start_entry(&self, app: &installed::App, mode: Mode) -> anyhow::Result<u32> {
        let arguments = entry::command(&app.entry, &app.location.to_string_lossy());
        let arguments = arguments.context("its entry holds no command")?;
        let mut command = if app.entry.terminal {
            let mut command = terminal(mode, true).context("it needs a terminal: install foot")?;
            let before = run_in_terminal(command.get_program());
            command.args(before).args(arguments);
            command
        } else {
            let (program, rest) = arguments.split_first().context("its entry holds no command")?;
            let mut command = Command::new(program);
            command.args(rest);
            command
        };
        self.environment(&mut command, Some(mode));
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let folders = [app.entry.path.as_ref().map(PathBuf::from), home];
        if let Some(folder) = folders.into_iter().flatten().find(|folder| folder.is_dir()) {
            command.current_dir(folder);
        }
        // It is reaped with the other children.
        let child = command.stdin(Stdio::null()).process_group(0).spawn();
        Ok(child.with_context(|| format!("start {:?}", command.get_program()))?.id())
    }

    /// The first process of the application, while the application lives.
    pub fn app_pid(&self) -> Option<u32> {
        self.app.as_ref().map(|app| app.child.id())
    }

    /// True when the first process of the application has ended, or there is none.
    pub fn app_ended(&self) -> bool {
        self.app.as_ref().is_none_or(|app| app.exit.is_some())
    }

    /// Ends the application at once and forgets it.
    pub fn abandon(&mut self) {
        // Ending one may bring its children to us, which are not dead yet.
        for _ in 0..3 {
            self.signal(Signal::KILL);
        }
        if let Some(mut app) = self.app.take() {
            let _ = app.child.kill();
            let _ = app.child.wait();
        }
    }

    /// Looks after children that ended. Gives the application's exit when the last of
    /// its processes is gone; a desktop ends only when it is told to.
    pub fn reap(&mut self) -> Option<Exit> {
        if let Some(sound) = &mut self.sound {
            sound.mend();
        }
        let table = process::table();
        let mut keep = self.kept();
        if let Some(app) = &mut self.app {
            keep.insert(app.child.id().cast_signed());
            if app.exit.is_none()
                && let Ok(Some(status)) = app.child.try_wait()
            {
                let signal = status.signal().map(Exit::Signal);
                app.exit = Some(signal.unwrap_or(Exit::Code(status.code().unwrap_or(0))));
            }
        }
        process::reap(&table, &keep);
        let exit = self.app.as_ref().filter(|app| !app.desktop)?.exit?;
        if !self.living().is_empty() {
            return None;
        }
        self.app = None;
        Some(exit)
    }

    /// Every living process of the application.
    pub fn living(&self) -> Vec<i32> {
        let table = process::table();
        let below = process::descendants(&table, process::own_pid(), &self.kept());
        below.iter().filter(|process| !process.zombie).map(|process| process.pid).collect()
    }

    /// Sends a signal to every process of the application.
    pub fn signal(&self, signal: Signal) {
        self.living().into_iter().for_each(|pid| process::signal(pid, signal));
    }

    /// Ends whatever is left, services too. Called last.
    pub fn end(&mut self) {
        self.sound = None;
        if let Some(bus) = &mut self.bus {
            let _ = bus.kill();
            let _ = bus.wait();
        }
        for pid in process::marked(&self.id()) {
            process::signal(pid, Signal::KILL);
        }
    }
}

fn guard(id: &str) -> anyhow::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["guard", id, &process::own_pid().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .process_group(0);
    command.env_remove(MARK).spawn().context("start the guard of the seat")
}

fn bus_config(socket: &Path, services: &Path) -> String {
    format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <keep_umask/>
  <listen>unix:path={}</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{}</servicedir>
  <standard_session_servicedirs/>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#,
        xml(socket),
        xml(services)
    )
}

fn xml(path: &Path) -> String {
    path.to_string_lossy().replace('&', "&amp;").replace('<', "&lt;")
}

/// What a terminal wants to see before the command it shall run.
fn run_in_terminal(terminal: &OsStr) -> Option<&'static str> {
    match terminal.to_str() {
        Some("foot" | "kitty") => None,
        Some("ptyxis" | "gnome-terminal") => Some("--"),
        _ => Some("-e"),
    }
}

/// The first terminal that is installed, of a size that suits the output.
/// `commands`: it must be able to run one that is given to it.
fn terminal(mode: Mode, commands: bool) -> Option<Command> {
    let able = |program: &&str| !commands || *program != "weston-terminal";
    let program =
        TERMINALS.into_iter().filter(able).find(|program| installed::find_program(program).is_some())?;
    let mut command = Command::new(program);
    if program == "foot" {
        let (width, height) = ((mode.width * 5 / 8).max(320), (mode.height * 5 / 8).max(200));
        command.arg(format!("--window-size-pixels={width}x{height}"));
        let config = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")));
        // Somebody who configured foot gets what they configured.
        if !config.is_some_and(|config| config.join("foot/foot.ini").exists()) {
            let size = if mode.height >= 1000 { 12 } else { 10 };
            command.args(["-o", &format!("main.font=monospace:size={size}"), "-o", "main.pad=8x6"]);
        }
    }
    Some(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_break_out_of_the_bus_configuration() {
        let config = bus_config(Path::new("/run/a&<b>/bus"), Path::new("/x"));
        assert!(config.contains("unix:path=/run/a&amp;&lt;b>/bus</listen>"));
    }
}
