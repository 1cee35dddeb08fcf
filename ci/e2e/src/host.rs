//! A real `punktfunk-host` in a folder of its own, on ports of its own.

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// The programs under test.
#[derive(Clone, Debug)]
pub struct Programs {
    /// `punktfunk-host`.
    pub host: PathBuf,
    /// `punktfunk-seat`.
    pub seat: PathBuf,
    /// The socket of the broker for gamepads, when there is one.
    pub broker: Option<PathBuf>,
}

impl Programs {
    /// Copies the programs to where any user may run them: started as root, the host
    /// becomes another user, which cannot read a checkout under /root.
    pub fn install(&self, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, Permissions::from_mode(0o755))?;
        let copy = |from: &Path| -> Result<PathBuf> {
            let to = folder.join(from.file_name().context("a program has a name")?);
            fs::copy(from, &to).with_context(|| format!("{} was not built", from.display()))?;
            fs::set_permissions(&to, Permissions::from_mode(0o755))?;
            Ok(to)
        };
        Ok(Self { host: copy(&self.host)?, seat: copy(&self.seat)?, broker: self.broker.clone() })
    }
}

/// A running host.
pub struct Host {
    child: Child,
    programs: Programs,
    folder: PathBuf,
    log: PathBuf,
    /// The HTTP port, base of all others.
    pub base: u16,
}

impl Host {
    /// Starts a host with `config` as its configuration file and waits until it
    /// listens. `log` receives what it says.
    pub fn start(programs: &Programs, folder: &Path, base: u16, config: &str, log: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, Permissions::from_mode(0o777))?;
        let config_path = folder.join("punktfunk.toml");
        File::create(&config_path)?.write_all(config.as_bytes())?;
        File::create(log)?;
        let child = serve(programs, folder, base, log)?;
        let (programs, folder, log) = (programs.clone(), folder.to_owned(), log.to_owned());
        let mut host = Self { child, programs, folder, log, base };
        host.wait_until_listening(Instant::now() + Duration::from_secs(30))?;
        Ok(host)
    }

    /// Kills it, so that it can do nothing any more, and starts it again on the same
    /// state; how long that took until it listened.
    pub fn kill_and_restart(&mut self) -> Result<Duration> {
        self.child.kill()?;
        self.child.wait()?;
        let started = Instant::now();
        self.child = serve(&self.programs, &self.folder, self.base, &self.log)?;
        self.wait_until_listening(started + Duration::from_secs(30))?;
        Ok(started.elapsed())
    }

    fn wait_until_listening(&mut self, deadline: Instant) -> Result<()> {
        let address = SocketAddr::from(([127, 0, 0, 1], self.base));
        loop {
            if let Some(status) = self.child.try_wait()? {
                let said = fs::read_to_string(&self.log).unwrap_or_default();
                let tail: Vec<_> = said.lines().rev().take(8).collect();
                bail!("the host ended at once ({status}): {}", tail.join(" | "));
            }
            if TcpStream::connect_timeout(&address, Duration::from_millis(100)).is_ok() {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "the host does not listen on port {} after 30 s", self.base);
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Runs a command of the host's command line against this host.
    pub fn cli(&self, args: &[&str]) -> Result<Output> {
        let output = self.cli_command(args).output().context("the command line could not be started")?;
        Ok(output)
    }

    /// The same, not yet started.
    pub fn cli_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.programs.host);
        command.args(args).args(["--port", &self.base.to_string(), "--state"]).arg(self.folder.join("state"));
        command.arg("--config").arg(self.folder.join("punktfunk.toml")).current_dir("/").stdin(Stdio::null());
        command
    }

    /// The last lines that the seats of this host wrote, for a scenario that failed.
    pub fn seat_log(&self) -> String {
        let ours = format!("seat-{}-", self.pid());
        let seats =
            ["/run/punktfunk".into(), std::env::var("XDG_RUNTIME_DIR").unwrap_or_default() + "/punktfunk"];
        let logs = seats.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        let ours = logs.filter(|entry| entry.file_name().to_string_lossy().starts_with(&ours));
        let text: String =
            ours.filter_map(|entry| fs::read_to_string(entry.path().join("seat.log")).ok()).collect();
        let lines: Vec<_> = text.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(30)).copied().collect::<Vec<_>>().join(" | ")
    }

    /// The UDP port of punktfunk/1.
    pub fn native_port(&self) -> u16 {
        // Bases are high enough.
        u16::try_from(i32::from(self.base) + crate::stage::NATIVE_PORT).unwrap_or_default()
    }

    /// The host's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// True while the host runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks the host to end and waits for it.
    pub fn stop(mut self) -> Result<()> {
        self.terminate()
    }

    fn terminate(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        ensure!(status.success(), "the host could not be signalled");
        let deadline = Instant::now() + Duration::from_secs(25);
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                self.child.kill()?;
                self.child.wait()?;
                bail!("the host did not end within 25 s of SIGTERM");
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Err(error) = self.terminate() {
            eprintln!("{error:#}");
        }
    }
}

/// Starts the program; what it says is added to `log`.
fn serve(programs: &Programs, folder: &Path, base: u16, log: &Path) -> Result<Child> {
    let log_file = File::options().append(true).open(log)?;
    let program = &programs.host;
    Command::new(program)
        .args(["serve", "--gamestream", "--port", &base.to_string(), "--config"])
        .arg(folder.join("punktfunk.toml"))
        .arg("--state")
        .arg(folder.join("state"))
        .env("PUNKTFUNK_LOG", "debug")
        // As a service has it: what a login shell would bring must not be needed.
        .env_remove("SHELL")
        .env_remove("ENV")
        .envs(programs.broker.iter().map(|socket| ("PUNKTFUNK_INPUTD", socket)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log_file.try_clone()?)
        .stderr(log_file)
        .spawn()
        .with_context(|| format!("{} could not be started", program.display()))
}

/// Processes that belong to a seat with `marker` in the name of its folder, by their
/// environment or their arguments: what must be gone after quit.
pub fn seat_processes(marker: &str) -> Vec<String> {
    processes_of(marker).into_iter().map(|process| process.command).collect()
}

/// A running process of a seat.
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its command line.
    pub command: String,
}

/// The same as [`seat_processes`], with their ids.
pub fn processes_of(marker: &str) -> Vec<Process> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let names = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(marker);
    let process = |entry: fs::DirEntry| {
        let path = entry.path();
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let command = fs::read(path.join("cmdline")).ok()?;
        let ours = names(&fs::read(path.join("environ")).ok()?) || names(&command);
        let command = String::from_utf8_lossy(&command).trim_end_matches('\0').replace('\0', " ");
        ours.then_some(Process { pid, command })
    };
    processes.flatten().filter_map(process).collect()
}

/// The user id a process runs as.
pub fn user_of(pid: u32) -> Result<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).context("no user in status")?;
    Ok(line.split_whitespace().nth(1).context("no effective user")?.parse()?)
}
