//! The owner's commands around a launch: run by the shell, with an end.
//!
//! Each gets a process group and a time limit; what is left of it then is killed. A
//! command may leave something running on purpose (`thing &`): only the shell is waited
//! for. They run as the user of the host, and never as root.

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// How much of what a failing command said is passed on.
const SAID: u64 = 300;

/// Who may run commands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Runner {
    /// The user of this process.
    pub uid: u32,
}

impl Runner {
    /// Runs one line to its end; the error says what it was and why.
    pub fn run(
        self,
        line: &str,
        env: &BTreeMap<String, String>,
        dir: Option<&Path>,
        limit: Duration,
    ) -> Result<(), String> {
        if self.uid == 0 {
            return Err(format!("`{line}` is not run as root: start the host as a user, or as a service"));
        }
        run(line, env, dir, limit).map_err(|why| format!("`{line}` {why}"))
    }
}

fn run(
    line: &str,
    env: &BTreeMap<String, String>,
    dir: Option<&Path>,
    limit: Duration,
) -> Result<(), String> {
    // A file in memory: what goes on in the background may write to it for ever.
    let said = rustix::fs::memfd_create("punktfunk-command", rustix::fs::MemfdFlags::CLOEXEC);
    let mut said = std::fs::File::from(said.map_err(|error| format!("could not be started ({error})"))?);
    let errors = said.try_clone().map_err(|error| format!("could not be started ({error})"))?;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", line]).envs(env).stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
    if let Some(dir) = dir.filter(|dir| dir.is_dir()) {
        command.current_dir(dir);
    }
    let mut child =
        command.process_group(0).spawn().map_err(|error| format!("could not be started ({error})"))?;
    let deadline = Instant::now() + limit;
    let status = loop {
        match child.try_wait().map_err(|error| format!("could not be waited for ({error})"))? {
            Some(status) => break status,
            None if Instant::now() >= deadline => {
                if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                    let _ = rustix::process::kill_process_group(group, Signal::KILL);
                }
                let _ = child.wait();
                return Err(format!("took longer than {} s and was ended", limit.as_secs()));
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    if status.success() { Ok(()) } else { Err(failure(status, &mut said)) }
}

fn failure(status: ExitStatus, said: &mut std::fs::File) -> String {
    let mut text = Vec::new();
    if said.seek(SeekFrom::Start(0)).is_ok() {
        // What it said is a help and no more.
        let _ = said.take(SAID).read_to_end(&mut text);
    }
    let text = String::from_utf8_lossy(&text).replace('\n', " ");
    let text = text.trim();
    if text.is_empty() { format!("failed ({status})") } else { format!("failed ({status}): {text}") }
}

#[cfg(test)]
mod tests {
    use super::super::scratch::Scratch;
    use super::*;

    const USER: Runner = Runner { uid: 1000 };
    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn a_command_runs_with_its_environment_in_its_folder() {
        let dir = Scratch::new("commands");
        let env = BTreeMap::from([("WHAT".to_owned(), "a b".to_owned())]);
        USER.run("echo \"$WHAT\" > out", &env, Some(dir.path()), LONG).unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join("out")).unwrap(), "a b\n");
    }

    #[test]
    fn one_that_fails_says_what_it_said() {
        let error = USER.run("echo no such lamp >&2; exit 3", &BTreeMap::new(), None, LONG).unwrap_err();
        assert_eq!(error, "`echo no such lamp >&2; exit 3` failed (exit status: 3): no such lamp");
    }

    #[test]
    fn one_that_hangs_is_ended_with_all_it_started() {
        let dir = Scratch::new("commands-hang");
        let began = Instant::now();
        let line = "sleep 600 & echo $! > child; wait";
        let error =
            USER.run(line, &BTreeMap::new(), Some(dir.path()), Duration::from_millis(500)).unwrap_err();
        assert!(error.contains("was ended") && began.elapsed() < LONG, "{error}");
        let child: u32 = std::fs::read_to_string(dir.path().join("child")).unwrap().trim().parse().unwrap();
        let deadline = Instant::now() + LONG;
        let lives = || {
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            !stat.is_empty() && !stat.contains(") Z ")
        };
        while lives() {
            assert!(Instant::now() < deadline, "{child} still lives");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn what_is_left_in_the_background_is_not_waited_for() {
        let began = Instant::now();
        USER.run("sleep 20 &", &BTreeMap::new(), None, LONG).unwrap();
        assert!(began.elapsed() < Duration::from_secs(15));
    }

    #[test]
    fn nothing_runs_as_root() {
        let error = Runner { uid: 0 }.run("true", &BTreeMap::new(), None, LONG).unwrap_err();
        assert!(error.contains("not run as root"), "{error}");
    }
}
