//! Running other programs: each is shown before it starts, and what it prints
//! reaches the terminal while it runs.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The root of the source tree: two folders above this crate.
pub fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.ancestors().nth(2).unwrap_or(&here).to_path_buf()
}

/// The cargo that runs us.
pub fn cargo() -> Command {
    in_root(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A program that starts in the root of the source tree.
pub fn in_root(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// Runs a program to its end and says whether it succeeded.
pub fn succeeds(command: &mut Command) -> Result<bool> {
    announce(command);
    let status = command.status().with_context(|| missing(command))?;
    Ok(status.success())
}

/// Runs a program that has to succeed.
pub fn must(command: &mut Command) -> Result<()> {
    if !succeeds(command)? {
        bail!("`{}` failed; what it printed above says why", shown(command));
    }
    Ok(())
}

/// Runs a program whose standard output is read line by line while it runs.
pub fn each_line(command: &mut Command, mut line: impl FnMut(&str)) -> Result<bool> {
    announce(command);
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| missing(command))?;
    if let Some(stdout) = child.stdout.take() {
        let mut reader = BufReader::new(stdout);
        let mut bytes = Vec::new();
        // Bytes, not `lines()`: a test may print anything.
        while reader.read_until(b'\n', &mut bytes)? > 0 {
            line(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']));
            bytes.clear();
        }
    }
    Ok(child.wait()?.success())
}

/// The standard output of a quiet program, `None` when it fails or is not there.
pub fn output(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Where a program of that name is, when the search path has one.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // /sbin and /usr/sbin hold useradd and are not in every user's search path.
    let extra = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(extra).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// True when we run as root.
pub fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0")
}

/// A path as a reader wants it: relative to the source tree where it is inside.
pub fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn announce(command: &Command) {
    eprintln!("  $ {}", shown(command));
}

fn missing(command: &Command) -> String {
    format!("cannot start `{}`; is it installed?", command.get_program().to_string_lossy())
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args()).map(OsStr::to_string_lossy);
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_arrive_as_printed() {
        let mut seen = Vec::new();
        let mut command = Command::new("printf");
        command.arg("one\\ntwo \\377\\nthree");
        assert!(each_line(&mut command, |line| seen.push(line.to_owned())).unwrap());
        assert_eq!(seen, ["one", "two \u{fffd}", "three"]);
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = must(&mut Command::new("punktfunk-no-such-program")).unwrap_err();
        assert!(error.to_string().contains("punktfunk-no-such-program"));
        assert!(find("punktfunk-no-such-program").is_none());
        assert!(find("sh").is_some());
    }

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(root().join("ci/layers.toml").is_file());
    }
}
