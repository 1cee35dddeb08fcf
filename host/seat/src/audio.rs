//! The private sound server of a seat: PipeWire, its session manager and its
//! PulseAudio face, in the seat's own runtime directory.
//!
//! It has one sink that leads nowhere (the host records its monitor) and knows no
//! hardware at all: the owner's sound server, default sink and devices are never
//! seen. Configuration is generated, nothing is read from the owner's home, and
//! everything ends with [`Server`].
//!
//! A process that dies is started again, on a thread that lives as long as that takes:
//! starting waits for sockets, and the seat goes on drawing.

use std::fs::{self, File};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Name of the sink that the seat's programs play into: what a recorder of its
/// monitor names as its target.
pub const SINK: &str = "punktfunk";
/// Samples a second, of everything.
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples per turn of the graph with real-time scheduling: 10 ms. Programs of the seat
/// never have it: at 5 ms a program that plays into PipeWire itself is too late 30 to 200
/// times a minute on a busy machine of two cores, at 10 ms mostly 5 to 15 times, for 3 ms
/// more of delay (`host/examples/audio_latency.rs`).
const QUANTUM: u32 = 480;
/// The same without it: 20 ms. On an idle machine of two cores an ordinary thread is more
/// than 5 ms late about three times a second, each time with a click; 10 ms late once in
/// ten seconds, 20 ms late not once in minutes.
const PATIENT_QUANTUM: u32 = 960;
/// Real-time priority of the sound server, where the limits allow it.
const PRIORITY: u32 = 9;
/// How long the servers may take until they answer.
const START_LIMIT: Duration = Duration::from_secs(5);
/// How often it is looked whether a socket is there by now.
const LOOK: Duration = Duration::from_millis(4);
/// Two repairs begin so far apart: a server that dies at once must not eat a processor.
const BETWEEN_REPAIRS: Duration = Duration::from_millis(500);

/// Why a seat has no sound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AudioError {
    /// A program is not installed.
    #[error("{program} is not installed: install the package {package} to have sound")]
    Missing {
        /// The program.
        program: &'static str,
        /// The package it is in, on Debian and on most others.
        package: &'static str,
    },
    /// A program could not be started, or a file not be written.
    #[error("the sound server could not be started: {context}")]
    Io {
        /// What was being done.
        context: String,
        /// What happened.
        source: io::Error,
    },
    /// A program ended before it was ready.
    #[error("{program} ended while it was starting ({status}): {output}")]
    Ended {
        /// The program.
        program: &'static str,
        /// How it ended.
        status: String,
        /// The end of what it printed.
        output: String,
    },
    /// The socket never answered.
    #[error("{program} was not ready within five seconds")]
    Late {
        /// The program.
        program: &'static str,
    },
}

/// What a sound server is started with.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seat's `XDG_RUNTIME_DIR`, which must exist.
    pub directory: PathBuf,
    /// Address of the seat's D-Bus session; without one the server starts its own.
    pub bus: Option<String>,
    /// Channels of the sink: 2, 6 or 8. Anything else is stereo.
    pub channels: u8,
    /// Samples per turn; without, as short as the scheduling of this process allows.
    pub turn: Option<u32>,
    /// Called with each command before it is started.
    pub prepare: fn(&mut Command),
}

/// A running sound server. Dropping it ends its processes and removes its files.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    repairer: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    plan: Plan,
    bus: String,
    daemons: Mutex<Vec<Daemon>>,
    work: Mutex<Work>,
}

/// What the repairing thread has to do.
#[derive(Debug, Default)]
struct Work {
    wanted: bool,
    running: bool,
    over: bool,
}

/// One of the server's processes.
#[derive(Debug)]
struct Daemon {
    program: &'static str,
    child: Child,
}

impl Server {
    /// Starts everything and returns when programs can play.
    pub fn start(plan: Plan) -> Result<Self, AudioError> {
        let bus = plan.bus.clone().unwrap_or_else(|| own_bus(&plan.directory));
        let own = plan.bus.is_none();
        let shared = Shared { plan, bus, daemons: Mutex::default(), work: Mutex::default() };
        // From here on its drop clears up.
        let server = Self { shared: Arc::new(shared), repairer: None };
        server.shared.write_configuration()?;
        if own {
            server.shared.start_bus()?;
        }
        server.shared.start_missing()?;
        Ok(server)
    }

    /// Starts again what has ended, without waiting for it. To be called when a child
    /// of this process has ended.
    pub fn mend(&mut self) {
        if !self.shared.has_ended() {
            return;
        }
        let mut work = lock(&self.shared.work);
        work.wanted = true;
        if work.running {
            return;
        }
        let shared = Arc::clone(&self.shared);
        match thread::Builder::new().name("seat-sound".into()).spawn(move || shared.repair()) {
            Ok(thread) => {
                work.running = true;
                self.repairer = Some(thread);
            }
            Err(error) => tracing::error!(%error, "the sound server cannot be started again"),
        }
    }

    /// The process ids of the server.
    pub fn pids(&self) -> Vec<i32> {
        lock(&self.shared.daemons).iter().map(|daemon| daemon.child.id().cast_signed()).collect()
    }

    /// The PipeWire socket: `PIPEWIRE_REMOTE` of the seat's programs and what the
    /// host's recorder connects to.
    pub fn pipewire_socket(&self) -> PathBuf {
        self.shared.pipewire_socket()
    }

    /// The PulseAudio socket: `PULSE_SERVER=unix:…` of the seat's programs.
    pub fn pulse_socket(&self) -> PathBuf {
        self.shared.pulse_socket()
    }

    /// Address of the D-Bus session that it uses.
    pub fn bus_address(&self) -> &str {
        &self.shared.bus
    }

    /// What the seat's programs need in their environment to be heard.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("PIPEWIRE_REMOTE", self.pipewire_socket().display().to_string()),
            ("PIPEWIRE_RUNTIME_DIR", self.shared.plan.directory.display().to_string()),
            ("PULSE_SERVER", format!("unix:{}", self.pulse_socket().display())),
            ("PULSE_SINK", SINK.to_owned()),
            ("DBUS_SESSION_BUS_ADDRESS", self.shared.bus.clone()),
            ("PUNKTFUNK_AUDIO_CHANNELS", layout(self.shared.plan.channels).0.to_string()),
        ]
    }
}

impl Shared {
    fn pipewire_socket(&self) -> PathBuf {
        self.plan.directory.join("pipewire-0")
    }

    fn pulse_socket(&self) -> PathBuf {
        self.plan.directory.join("pulse").join("native")
    }

    fn has_ended(&self) -> bool {
        lock(&self.daemons).iter_mut().any(Daemon::has_ended)
    }

    /// Starts what is not running, and waits until both sockets answer.
    fn start_missing(&self) -> Result<(), AudioError> {
        let runs = |program| lock(&self.daemons).iter().any(|daemon| daemon.program == program);
        let limit = Instant::now() + START_LIMIT;
        if !runs("pipewire") {
            self.spawn("pipewire", "pipewire", &["-c", "pipewire.conf"])?;
        }
        self.wait_for(&self.pipewire_socket(), "pipewire", limit)?;
        // Both only need the first one's socket: they start side by side.
        if !runs("wireplumber") {
            self.spawn("wireplumber", "wireplumber", wireplumber_arguments())?;
        }
        if !runs("pipewire-pulse") {
            self.spawn("pipewire-pulse", "pipewire-pulse", &["-c", "pipewire-pulse.conf"])?;
        }
        self.wait_for(&self.pulse_socket(), "pipewire-pulse", limit)
    }

    /// The repairing thread: until nothing is left to do.
    fn repair(&self) {
        loop {
            let began = Instant::now();
            {
                let mut work = lock(&self.work);
                if work.over || !work.wanted {
                    work.running = false;
                    return;
                }
                work.wanted = false;
            }
            self.clear_ended();
            match self.start_missing() {
                Ok(()) => tracing::info!(after = ?began.elapsed(), "the seat's sound server runs again"),
                Err(error) => {
                    tracing::error!("the seat's sound server: {error}");
                    lock(&self.work).wanted = true;
                }
            }
            while began.elapsed() < BETWEEN_REPAIRS && !lock(&self.work).over {
                thread::sleep(LOOK);
            }
        }
    }

    /// Forgets what has ended. Nothing outlives its PipeWire in a usable state; and a new
    /// WirePlumber (seen with 0.4.13) makes no links to a sink that is running already,
    /// so that PipeWire has to begin afresh with it.
    fn clear_ended(&self) {
        let mut daemons = lock(&self.daemons);
        let gone: Vec<_> = daemons.extract_if(.., Daemon::has_ended).map(|daemon| daemon.program).collect();
        if !gone.is_empty() {
            tracing::warn!(?gone, "a part of the seat's sound server has ended and is started again");
        }
        if gone.contains(&"pipewire") || gone.contains(&"wireplumber") {
            for daemon in daemons.extract_if(.., |daemon| daemon.program != "dbus-daemon") {
                daemon.end();
            }
        }
    }

    fn turn(&self) -> u32 {
        self.plan.turn.unwrap_or_else(quantum)
    }

    fn config_dir(&self) -> PathBuf {
        self.plan.directory.join("punktfunk-audio")
    }

    fn log_of(&self, program: &str) -> PathBuf {
        self.config_dir().join(format!("{program}.log"))
    }

    fn write_configuration(&self) -> Result<(), AudioError> {
        let directory = self.config_dir();
        let create = |path: &Path| fs::create_dir_all(path).map_err(|e| io_error(path, e));
        create(&directory.join("wireplumber"))?;
        create(&directory.join("state"))?;
        create(&self.plan.directory.join("pulse"))?;
        let write = |name: &str, text: String| {
            let path = directory.join(name);
            fs::write(&path, text).map_err(|e| io_error(&path, e))
        };
        write("pipewire.conf", pipewire_conf(self.plan.channels, self.turn()))?;
        write("pipewire-pulse.conf", pulse_conf(self.turn()))?;
        write("wireplumber/wireplumber.conf", WIREPLUMBER_CONF.to_owned())?;
        write("wireplumber/seat.lua", WIREPLUMBER_LUA.to_owned())
    }

    /// Starts a session bus.
    fn start_bus(&self) -> Result<(), AudioError> {
        let wanted = format!("--address={}", self.bus);
        let arguments = ["--session", "--nofork", "--nopidfile", "--nosyslog", wanted.as_str()];
        self.spawn("dbus-daemon", "dbus-daemon", &arguments)?;
        let socket = self.config_dir().join("bus");
        self.wait_for(&socket, "dbus-daemon", Instant::now() + START_LIMIT)
    }

    fn spawn(
        &self,
        program: &'static str,
        package: &'static str,
        arguments: &[&str],
    ) -> Result<(), AudioError> {
        let config = self.config_dir();
        let path = self.log_of(program);
        let log = File::create(&path).map_err(|e| io_error(&path, e))?;
        // They stay in the seat's process group, so that whoever kills the seat
        // with its group has killed them too.
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("XDG_RUNTIME_DIR", &self.plan.directory)
            .env("PIPEWIRE_RUNTIME_DIR", &self.plan.directory)
            .env("PULSE_RUNTIME_PATH", self.plan.directory.join("pulse"))
            .env("PIPEWIRE_CONFIG_DIR", &config)
            .env("XDG_STATE_HOME", config.join("state"))
            .env("XDG_CONFIG_HOME", &config)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus)
            .env_remove("PIPEWIRE_REMOTE")
            .env_remove("PULSE_SERVER")
            .env_remove("DISPLAY")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        if wireplumber_arguments().is_empty() {
            command.env("WIREPLUMBER_CONFIG_DIR", config.join("wireplumber"));
        }
        (self.plan.prepare)(&mut command);
        // Whoever looks at the children of this process finds this one in the list.
        let mut daemons = lock(&self.daemons);
        let child = command.spawn().map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => AudioError::Missing { program, package },
            _ => AudioError::Io { context: program.to_owned(), source },
        })?;
        daemons.push(Daemon { program, child });
        Ok(())
    }

    /// Waits until `socket` answers, or `program` ends, or it is too late.
    fn wait_for(&self, socket: &Path, program: &'static str, limit: Instant) -> Result<(), AudioError> {
        while UnixStream::connect(socket).is_err() {
            if let Some(status) = self.status_of(program) {
                let output = fs::read_to_string(self.log_of(program)).unwrap_or_default();
                let output = output.lines().last().unwrap_or("it printed nothing").to_owned();
                return Err(AudioError::Ended { program, status, output });
            }
            if lock(&self.work).over {
                return Err(AudioError::Late { program });
            }
            if Instant::now() >= limit {
                return Err(AudioError::Late { program });
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// How `program` has ended, if it has.
    fn status_of(&self, program: &str) -> Option<String> {
        let mut daemons = lock(&self.daemons);
        let daemon = daemons.iter_mut().find(|daemon| daemon.program == program)?;
        daemon.child.try_wait().ok().flatten().map(|status| status.to_string())
    }
}

impl Daemon {
    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// It holds nothing worth saving: the state directory goes as well.
    fn end(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        lock(&self.shared.work).over = true;
        if let Some(repairer) = self.repairer.take() {
            let _ = repairer.join();
        }
        // The last one started goes first, so that none sees its server vanish and
        // complains.
        let mut daemons = lock(&self.shared.daemons);
        let directory = &self.shared.plan.directory;
        if daemons.iter().any(|daemon| daemon.program == "dbus-daemon") {
            let _ = fs::remove_dir_all(directory.join("dbus-1"));
        }
        daemons.drain(..).rev().for_each(Daemon::end);
        let _ = fs::remove_dir_all(self.shared.config_dir());
        let _ = fs::remove_dir_all(directory.join("pulse"));
        for name in ["pipewire-0", "pipewire-0.lock", "pipewire-0-manager", "pipewire-0-manager.lock"] {
            let _ = fs::remove_file(directory.join(name));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section leaves the state whole, even when it panics.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn own_bus(directory: &Path) -> String {
    format!("unix:path={}", directory.join("punktfunk-audio").join("bus").display())
}

/// Channels of the sink and their places, in the words of PipeWire.
fn layout(channels: u8) -> (u8, &'static str) {
    match channels {
        6 => (6, "FL FR FC LFE RL RR"),
        8 => (8, "FL FR FC LFE RL RR SL SR"),
        _ => (2, "FL FR"),
    }
}

fn io_error(path: &Path, source: io::Error) -> AudioError {
    AudioError::Io { context: path.display().to_string(), source }
}

/// Only what carries sound from programs to one sink. No device monitors, no
/// real-time broker (rtkit can take seconds to refuse; the limit of the process must
/// do), no portal.
fn pipewire_conf(channels: u8, quantum: u32) -> String {
    let real_time = real_time_conf();
    let (_, places) = layout(channels);
    format!(
        r#"context.properties = {{
    core.daemon = true
    core.name = pipewire-0
    default.clock.rate = {SAMPLE_RATE}
    default.clock.allowed-rates = [ {SAMPLE_RATE} ]
    default.clock.quantum = {quantum}
    default.clock.min-quantum = {quantum}
    default.clock.max-quantum = {max_quantum}
    default.clock.quantum-limit = 8192
    mem.allow-mlock = false
    module.x11.bell = false
}}
context.spa-libs = {{
    audio.convert.* = audioconvert/libspa-audioconvert
    support.* = support/libspa-support
}}
context.modules = [
    {real_time}
    {{ name = libpipewire-module-protocol-native }}
    {{ name = libpipewire-module-metadata }}
    {{ name = libpipewire-module-spa-node-factory }}
    {{ name = libpipewire-module-client-node }}
    {{ name = libpipewire-module-client-device }}
    {{ name = libpipewire-module-access }}
    {{ name = libpipewire-module-adapter }}
    {{ name = libpipewire-module-link-factory }}
    {{ name = libpipewire-module-session-manager }}
]
context.objects = [
    {{ factory = adapter
        args = {{
            factory.name = support.null-audio-sink
            node.name = {SINK}
            node.description = "punktfunk"
            media.class = Audio/Sink
            object.linger = true
            audio.rate = {SAMPLE_RATE}
            audio.position = [ {places} ]
            monitor.channel-volumes = true
            node.pause-on-idle = false
            session.suspend-timeout-seconds = 0
            priority.session = 2000
            priority.driver = 30000
        }}
    }}
]
"#,
        max_quantum = 2 * quantum
    )
}

/// Samples per turn, as short as the scheduling of this process allows.
fn quantum() -> u32 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Rtprio);
    let real_time = limit.current.is_none_or(|highest| highest >= u64::from(PRIORITY));
    if real_time { QUANTUM } else { PATIENT_QUANTUM }
}

/// Each of the two processes has a thread that must be on time: the graph's, and the one
/// that hands over what PulseAudio's applications have written.
fn real_time_conf() -> String {
    format!(
        "{{ name = libpipewire-module-rt
        args = {{
            nice.level = 20
            rt.prio = {PRIORITY}
            rlimits.enabled = true
            rtportal.enabled = false
            rtkit.enabled = false
        }}
        flags = [ ifexists nofail ]
    }}"
    )
}

fn pulse_conf(quantum: u32) -> String {
    let real_time = real_time_conf();
    format!(
        r#"context.properties = {{ }}
context.spa-libs = {{
    audio.convert.* = audioconvert/libspa-audioconvert
    support.* = support/libspa-support
}}
context.modules = [
    {real_time}
    {{ name = libpipewire-module-protocol-native }}
    {{ name = libpipewire-module-client-node }}
    {{ name = libpipewire-module-adapter }}
    {{ name = libpipewire-module-metadata }}
    {{ name = libpipewire-module-protocol-pulse args = {{ }} }}
]
stream.properties = {{ }}
pulse.properties = {{
    server.address = [ "unix:native" ]
    pulse.min.req = {quantum}/{SAMPLE_RATE}
    pulse.min.quantum = {quantum}/{SAMPLE_RATE}
}}
"#
    )
}

/// For WirePlumber 0.4, whose configuration is a script: policy, no devices, no
/// memory of what was set before.
const WIREPLUMBER_CONF: &str = r"context.properties = {
  log.level = 2
  wireplumber.script-engine = lua-scripting
}
context.spa-libs = {
  audio.convert.* = audioconvert/libspa-audioconvert
  support.*       = support/libspa-support
}
context.modules = [
  { name = libpipewire-module-protocol-native }
  { name = libpipewire-module-client-node }
  { name = libpipewire-module-client-device }
  { name = libpipewire-module-adapter }
  { name = libpipewire-module-metadata }
  { name = libpipewire-module-session-manager }
]
wireplumber.components = [
  { name = libwireplumber-module-lua-scripting, type = module }
  { name = seat.lua, type = config/lua }
]
";

/// Likewise: which parts of it to load.
const WIREPLUMBER_LUA: &str = r#"components = {}
for _, name in ipairs({ "metadata", "si-node", "si-audio-adapter", "si-standard-link",
                        "si-audio-endpoint", "default-nodes-api", "mixer-api" }) do
  components[name] = { "libwireplumber-module-" .. name, type = "module" }
end
components["default-nodes"] = { "libwireplumber-module-default-nodes", type = "module",
  args = { ["use-persistent-storage"] = false } }
local policy = { ["move"] = true, ["follow"] = true }
for _, name in ipairs({ "create-item.lua", "policy-node.lua" }) do
  components[name] = { name, type = "script/lua", args = policy }
end
"#;

/// WirePlumber 0.4 is told everything by the files above. Later versions have a
/// profile of their own for a session without devices.
fn wireplumber_arguments() -> &'static [&'static str] {
    let old = ["/usr/share/wireplumber/main.lua.d", "/usr/local/share/wireplumber/main.lua.d"];
    if old.iter().any(|path| Path::new(path).is_dir()) { &[] } else { &["--profile", "policy"] }
}
