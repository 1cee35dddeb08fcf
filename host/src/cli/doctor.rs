//! `doctor`, `support-bundle` and the hidden command that measures encoders.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use super::args;
use super::start;
use crate::api;
use crate::doctor::table::TABLE;
use crate::doctor::{Area, Doctor, Machine, Report, Severity, bundle, examine, fixes, print};
use crate::platform;

/// A running host may have to run its probes first.
const PATIENCE: Duration = Duration::from_secs(180);
/// Bytes of an answer: more than any bundle has.
const LONGEST: u64 = 32 << 20;

/// What `doctor` is asked to do.
pub(super) struct Wish {
    /// Only this area.
    pub area: Option<String>,
    /// Carry this fix out instead of looking.
    pub fix: Option<String>,
    /// Print JSON.
    pub json: bool,
}

/// Looks, or mends. The status is 1 when something does not work.
pub(super) fn run(places: &args::Places, wish: &Wish) -> anyhow::Result<u8> {
    let area = match &wish.area {
        None => None,
        Some(word) => Some(Area::from_word(word).with_context(|| {
            let all: Vec<_> = Area::ALL.iter().map(|area| area.word()).collect();
            format!("there is no area {word:?}: choose one of {}", all.join(", "))
        })?),
    };
    if let Some(id) = &wish.fix {
        return mend(places, id, wish.json);
    }
    let doctor = Doctor::new(machine(places)?);
    let report = doctor.run(area);
    if wish.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", print(&report, std::io::stdout().is_terminal()));
    }
    Ok(u8::from(report.worst() == Severity::Error))
}

/// Carries a fix out and prints its probe.
fn mend(places: &args::Places, id: &str, json: bool) -> anyhow::Result<u8> {
    let fix = fixes::find(id)?;
    let machine = match fix.needs_root {
        // Root is given up by everything else.
        true => Machine::real(start::examined(places, true)?),
        false => machine(places)?,
    };
    let said = (fix.mend)(&machine)?;
    let machine = Arc::new(machine);
    let probes = examine(&machine, TABLE.iter().filter(|entry| entry.id == fix.probe));
    let report = Report { ran: None, probes };
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{said}\n");
        print!("{}", print(&report, std::io::stdout().is_terminal()));
    }
    Ok(u8::from(report.worst() == Severity::Error))
}

fn machine(places: &args::Places) -> anyhow::Result<Machine> {
    Ok(Machine::real(start::examined(places, false)?))
}

/// Writes the bundle, `punktfunk-support.tar.gz` when no file is named, `-` for the
/// standard output.
pub(super) fn bundle(places: &args::Places, file: Option<&Path>) -> anyhow::Result<u8> {
    let file = std::path::absolute(file.unwrap_or(Path::new("punktfunk-support.tar.gz")))?;
    let to_output = file.file_name().is_some_and(|name| name == "-");
    // Opened as who was asked, which may be root: the host's user cannot write everywhere.
    let mut out: Box<dyn std::io::Write> = match to_output {
        true => Box::new(std::io::stdout().lock()),
        false => Box::new(open(&file)?),
    };
    let machine = machine(places)?;
    // A running host knows more: its log, and how its sessions went.
    let bytes = match of_running(&machine) {
        Some(bytes) => bytes,
        None => {
            let doctor = Doctor::new(machine);
            let report = doctor.run(None);
            bundle::pack(doctor.machine(), &report, &[], Vec::new())?
        }
    };
    out.write_all(&bytes).and_then(|()| out.flush()).with_context(|| format!("{}", file.display()))?;
    if !to_output {
        println!(
            "{}: {} KiB. Read CONTENTS.txt in it before you give it away.",
            file.display(),
            bytes.len() / 1024
        );
    }
    Ok(0)
}

/// The bundle that the running host packs, by its API; `None` when it does not run or does
/// not answer.
fn of_running(machine: &Machine) -> Option<Vec<u8>> {
    let socket = api::socket_path(&machine.host.runtime, machine.config().ports.base());
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = "GET /api/v1/diagnostics/bundle HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).ok()?;
    body(&answer).map(<[u8]>::to_vec)
}

/// The body of a good answer, if it is whole.
fn body(answer: &[u8]) -> Option<&[u8]> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?.to_ascii_lowercase();
    let body = answer.get(end + 4..)?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    (head.starts_with("http/1.1 200 ") && length == Some(body.len())).then_some(body)
}

fn open(file: &PathBuf) -> anyhow::Result<std::fs::File> {
    let opened = platform::private_options().truncate(true).open(file);
    opened.with_context(|| format!("{} cannot be written; name another file", file.display()))
}

/// The hidden command: how fast each kind of picture of this size is coded.
pub(super) fn bench(mode: (u32, u32, u32), folder: &Path) -> anyhow::Result<u8> {
    let program = platform::program_beside("punktfunk-seat")?;
    crate::doctor::bench(&program, folder, mode, &mut std::io::stdout().lock())?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::body;

    #[test]
    fn only_a_good_and_whole_answer_has_a_body() {
        assert_eq!(body(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"), Some(&b"abc"[..]));
        for bad in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc"[..],
            b"HTTP/1.1 503 No\r\nContent-Length: 3\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\n\r\nabc",
            b"",
        ] {
            assert_eq!(body(bad), None);
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_survived(bytes: Vec<u8>) {
            let _ = body(&bytes);
        }
    }
}
