//! Keeps the machine awake: a lock of logind against sleep and idleness, held by
//! `systemd-inhibit`, so that nothing here speaks D-Bus.
//!
//! The program it runs is `cat`, which reads from us: when this process ends,
//! however it ends, the pipe closes and the lock is gone.

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Holds the lock until it is dropped. Without logind it holds nothing.
#[derive(Debug)]
pub struct Inhibitor {
    // Closing the pipe ends the program, and that the lock.
    _input: Option<ChildStdin>,
}

impl Inhibitor {
    /// Takes the lock, if this machine has one. Does not wait for it.
    pub fn hold(why: &str) -> Self {
        Self::with(&std::env::var_os("PATH").unwrap_or_default(), why)
    }

    /// The same, with `systemd-inhibit` and `cat` searched in `path`.
    fn with(path: &OsStr, why: &str) -> Self {
        let nothing = Self { _input: None };
        let tool = |name| std::env::split_paths(path).map(|at| at.join(name)).find(|file| file.is_file());
        let (Some(program), Some(cat)) = (tool("systemd-inhibit"), tool("cat")) else {
            tracing::debug!("nothing keeps this machine awake while it streams: no systemd-inhibit");
            return nothing;
        };
        match start(program, cat, why) {
            Ok((input, child)) => {
                let thread = std::thread::Builder::new().name("punktfunk-awake".into());
                if let Err(error) = thread.spawn(move || wait(child)) {
                    tracing::debug!(%error, "systemd-inhibit will not be waited for");
                }
                Self { _input: Some(input) }
            }
            Err(error) => {
                tracing::debug!(%error, "nothing keeps this machine awake while it streams");
                nothing
            }
        }
    }
}

fn start(program: PathBuf, cat: PathBuf, why: &str) -> std::io::Result<(ChildStdin, Child)> {
    let mut child = Command::new(program)
        .args(["--what=sleep:idle", "--mode=block", "--who=punktfunk"])
        .arg(format!("--why={why}"))
        .arg(cat)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let input = child.stdin.take().ok_or(std::io::ErrorKind::BrokenPipe)?;
    Ok((input, child))
}

/// Reaps the program. One that failed held nothing.
fn wait(mut child: Child) {
    let mut said = String::new();
    if let Some(stderr) = child.stderr.take() {
        // Bounded: the rest of what a chatty program says is not waited for.
        let _ = stderr.take(4096).read_to_string(&mut said);
    }
    match child.wait() {
        Ok(status) if !status.success() => {
            tracing::debug!(%status, said = said.trim(), "nothing keeps this machine awake while it streams");
        }
        Ok(_) => {}
        Err(error) => tracing::debug!(%error, "waiting for systemd-inhibit"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::{Duration, Instant};

    use super::*;

    /// A folder with a `systemd-inhibit` that runs `script`.
    fn fake(name: &str, script: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("pfh-inhibit-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let program = folder.join("systemd-inhibit");
        std::fs::write(&program, format!("#!/bin/sh\nfolder={}\n{script}\n", folder.display())).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        folder
    }

    fn appears(file: &std::path::Path) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !file.exists() {
            assert!(Instant::now() < deadline, "{} does not appear", file.display());
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    fn path(folder: &std::path::Path) -> std::ffi::OsString {
        std::env::join_paths([folder, std::path::Path::new("/usr/bin"), std::path::Path::new("/bin")])
            .unwrap()
    }

    #[test]
    fn the_lock_is_held_exactly_as_long_as_the_value_lives() {
        // Says what it was asked for, runs what it was given, and says when that ended.
        let folder = fake(
            "held",
            "echo \"$1 $2\" > $folder/held.new; mv $folder/held.new $folder/held; \
             for last; do :; done; $last; echo over > $folder/over",
        );
        let inhibitor = Inhibitor::with(&path(&folder), "a stream runs");
        appears(&folder.join("held"));
        let asked = std::fs::read_to_string(folder.join("held")).unwrap();
        assert_eq!(asked.trim(), "--what=sleep:idle --mode=block");
        assert!(!folder.join("over").exists());
        drop(inhibitor);
        appears(&folder.join("over"));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_machine_without_logind_is_no_obstacle() {
        let folder = fake("refuses", "echo 'Failed to connect to bus' >&2; exit 1");
        drop(Inhibitor::with(&path(&folder), "a stream runs"));
        std::fs::remove_dir_all(folder).unwrap();
        drop(Inhibitor::with(OsStr::new("/nonexistent"), "a stream runs"));
    }
}
