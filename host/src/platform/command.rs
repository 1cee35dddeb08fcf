//! Running the system's programs with a time limit: a program that hangs must not keep
//! a machine from its update, or from getting its old release back.

use std::io::Read as _;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Most bytes of what a program says.
const MAX_SAID: u64 = 64 * 1024;

/// How a program ended.
pub struct Ended {
    /// Its exit status, or the signal that ended it.
    pub status: ExitStatus,
    /// Its standard output.
    pub said: String,
    /// Its standard error.
    pub complained: String,
}

impl Ended {
    /// Why it failed, in a line.
    pub fn why(&self) -> String {
        let last = |text: &str| text.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned);
        let said = last(&self.complained).or_else(|| last(&self.said));
        said.map_or_else(|| self.status.to_string(), |said| said.chars().take(300).collect())
    }
}

/// Runs a program to its end, or kills it when it takes longer than `limit`.
pub fn run(command: &mut Command, limit: Duration) -> Result<Ended, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().map_err(|error| format!("{name} cannot be started ({error})"))?;
    let readers = (child.stdout.take().map(reader), child.stderr.take().map(reader));
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let end = pid.ok_or("it has no number".to_owned()).and_then(|pid| {
        let handle = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| error.to_string())?;
        ends(&handle, Instant::now() + limit)
    });
    if end != Ok(true) {
        let _ = child.kill();
        let _ = child.wait();
        return Err(match end {
            Err(why) => format!("{name} cannot be waited for ({why})"),
            Ok(_) => format!("{name} did not end within {} s", limit.as_secs()),
        });
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    // A child of it may hold the pipe open: what came within a moment counts.
    let said = |reader: Option<std::sync::mpsc::Receiver<String>>| {
        reader.and_then(|reader| reader.recv_timeout(Duration::from_secs(2)).ok()).unwrap_or_default()
    };
    Ok(Ended { status, said: said(readers.0), complained: said(readers.1) })
}

/// Runs a program that has to succeed, and gives what it said.
pub fn must(command: &mut Command, limit: Duration) -> Result<String, String> {
    let ended = run(command, limit)?;
    if ended.status.success() { Ok(ended.said) } else { Err(ended.why()) }
}

fn ends(handle: &impl std::os::fd::AsFd, deadline: Instant) -> Result<bool, String> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let time = Timespec::try_from(left).map_err(|error| error.to_string())?;
        let mut fds = [PollFd::new(handle, PollFlags::IN)];
        match poll(&mut fds, Some(&time)) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Reads on while the program runs, so that a full pipe does not stop it.
fn reader(mut pipe: impl std::io::Read + Send + 'static) -> std::sync::mpsc::Receiver<String> {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.by_ref().take(MAX_SAID).read_to_end(&mut bytes);
        let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn shell(text: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        command
    }

    #[test]
    fn what_a_program_says_is_heard_also_when_it_is_much() {
        assert_eq!(must(&mut shell("echo hello"), LONG).unwrap(), "hello\n");
        let much = must(&mut shell("head -c 300000 /dev/zero | tr '\\0' x"), LONG).unwrap();
        assert_eq!(much.len() as u64, MAX_SAID);
        assert_eq!(must(&mut shell("echo one; echo two >&2; echo >&2; exit 3"), LONG).unwrap_err(), "two");
        assert!(must(&mut Command::new("punktfunk-no-such-program"), LONG).is_err());
    }

    #[test]
    fn one_that_hangs_is_killed() {
        let begun = Instant::now();
        let error = must(&mut shell("exec sleep 1000"), Duration::from_millis(50)).unwrap_err();
        assert!(error.contains("did not end"), "{error}");
        assert!(begun.elapsed() < LONG);
    }
}
