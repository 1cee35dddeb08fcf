//! The support bundle: one `.tar.gz` with what somebody needs who helps, and nothing that
//! is nobody else's business.
//!
//! Everything in it goes through one [`Redactor`] at the last step, its list of contents
//! too. Each part is bounded, so the whole is.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use flate2::Compression;
use flate2::write::GzEncoder;
use punktfunk_core::bytes::to_hex;

use super::machine::{Machine, SOON};
use super::{Report, print};
use crate::log::{self, Line, Redactor};
use crate::{platform, store};

/// Bytes of a part, at most; of logs the newest.
const PART: usize = 512 * 1024;
/// Parts at most.
const PARTS: usize = 24;
/// Seats whose logs are taken.
const SEATS: usize = 4;
/// Strings of the state directory that are kept out, at most.
const STRINGS: usize = 200;
/// Lines of a journal.
const JOURNAL: &str = "3000";

/// A file of the bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name, without a folder.
    pub name: String,
    /// What it is, in a few words.
    pub about: &'static str,
    /// Its text, as it is.
    pub text: String,
}

impl Part {
    /// A file with this text.
    pub fn new(name: impl Into<String>, about: &'static str, text: impl Into<String>) -> Self {
        Self { name: name.into(), about, text: text.into() }
    }
}

/// Packs what `machine` shows, the report, the log when there is one, and what the caller
/// adds. The bytes of a `.tar.gz`.
pub fn pack(machine: &Machine, report: &Report, log: &[Line], more: Vec<Part>) -> io::Result<Vec<u8>> {
    let redactor = redactor(machine);
    let mut parts = vec![
        Part::new("doctor.txt", "what the probes found", print(report, false)),
        Part::new("doctor.json", "the same, for programs", json(report)),
        Part::new("versions.txt", "versions of programs and libraries", versions(machine)),
        Part::new("hardware.txt", "processor, memory, cards, interfaces", hardware(machine)),
        Part::new("clients.json", "paired clients, without names and keys", clients(machine)),
    ];
    if let Some(text) = super::machine::read(&machine.host.settings) {
        parts.push(Part::new("punktfunk.toml", "the file of settings", text));
    }
    if let Some(text) = super::machine::read(&machine.host.state.join("encoders.json")) {
        parts.push(Part::new("encoders.json", "what the encoders can do", text));
    }
    if log.is_empty() {
        parts.extend(journal(machine));
    } else {
        let lines: Vec<String> = log.iter().map(written).collect();
        parts.push(Part::new("log.txt", "the newest lines of the host's log", lines.concat()));
    }
    parts.extend(units(machine));
    parts.extend(seats(machine));
    parts.extend(more);
    seal(&redactor, parts)
}

/// Takes out of the parts what nobody else should read, and packs them.
fn seal(redactor: &Redactor, mut parts: Vec<Part>) -> io::Result<Vec<u8>> {
    parts.truncate(PARTS);
    let mut removed: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut contents =
        String::from("A support bundle of punktfunk-host. Read it before you give it away.\n\nInside:\n");
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let mut add = |name: &str, text: &str| {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(now);
        archive.append_data(&mut header, Path::new("punktfunk-support").join(name), text.as_bytes())
    };
    for part in &parts {
        let clean = redactor.clean(newest(&part.text, PART));
        for (kind, count) in clean.removed {
            *removed.entry(kind).or_default() += count;
        }
        // Writing to a string cannot fail.
        let _ = writeln!(contents, "  {:<20} {} ({} bytes)", part.name, part.about, clean.text.len());
        add(&part.name, &clean.text)?;
    }
    contents.push_str("\nTaken out and replaced by ••• :\n");
    for (kind, count) in &removed {
        let _ = writeln!(contents, "  {count:>6} × {kind}");
    }
    contents.push_str(
        "\nLeft in on purpose: the names of this machine and of games, private network addresses,\n\
         the beginnings of public ones, versions, paths without the user's name, times.\n",
    );
    add("CONTENTS.txt", &redactor.clean(&contents).text)?;
    archive.into_inner()?.finish()
}

/// The end of a text, from the beginning of a line.
fn newest(text: &str, most: usize) -> &str {
    let mut start = text.len().saturating_sub(most);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let tail = &text[start..];
    match tail.find('\n') {
        Some(line) if start > 0 => &tail[line + 1..],
        _ => tail,
    }
}

/// What knows this host's secrets, the names of its clients and that of its user.
pub(super) fn redactor(machine: &Machine) -> Redactor {
    let redactor = Redactor::for_others();
    redactor.learn_from(log::ring().redactor());
    let entries = std::fs::read_dir(&machine.host.state).into_iter().flatten().flatten();
    let mut strings = Vec::new();
    for entry in entries {
        let path = entry.path();
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        // Named below, and known to hold versions only.
        let plain = ["clients.json", "encoders.json", "settings.json"];
        if !is_json || plain.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        let text = super::machine::read(&path).unwrap_or_default();
        if let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) {
            strings_of(&value, &mut strings);
        }
    }
    strings.truncate(STRINGS);
    strings.iter().for_each(|text| redactor.hide(text));
    for client in store::paired(&machine.host.state).unwrap_or_default() {
        redactor.hide_name(&client.name);
    }
    let user = &machine.user.name;
    if !["root", "punktfunk"].contains(&user.as_str()) {
        redactor.hide_name(user);
    }
    redactor
}

/// The strings of a value that are long enough for a secret.
fn strings_of(value: &serde_json::Value, into: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) if text.len() >= 12 => into.push(text.clone()),
        serde_json::Value::Array(all) => all.iter().for_each(|value| strings_of(value, into)),
        serde_json::Value::Object(all) => all.values().for_each(|value| strings_of(value, into)),
        _ => {}
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// A line of the log as text.
fn written(line: &Line) -> String {
    let fields: String = line.fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    format!("{} {:?} {} {}{fields}\n", line.at_ms, line.level, line.target, line.message)
}

fn versions(machine: &Machine) -> String {
    let mut text = format!("punktfunk-host {}\n{}\n", env!("CARGO_PKG_VERSION"), machine.distribution().name);
    let kernel = machine.read("proc/sys/kernel/osrelease").unwrap_or_default();
    let _ = writeln!(text, "Linux {kernel}");
    for library in platform::media_libraries("").split_whitespace() {
        let _ = writeln!(text, "{library}");
    }
    for (program, argument) in [
        ("pipewire", "--version"),
        ("wireplumber", "--version"),
        ("Xwayland", "-version"),
        ("foot", "--version"),
    ] {
        let said = machine.ask(program, &[argument], SOON).map(|ran| ran.text).unwrap_or_default();
        let line = said.lines().rfind(|line| line.chars().any(|c| c.is_ascii_digit())).unwrap_or("not there");
        let _ = writeln!(text, "{program}: {}", line.trim());
    }
    text
}

fn hardware(machine: &Machine) -> String {
    let mut text = String::new();
    let cpu = machine.read("proc/cpuinfo").unwrap_or_default();
    for name in ["model name", "flags"] {
        let line = cpu.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        let _ = writeln!(text, "{line}");
    }
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let _ = writeln!(text, "cores: {cores}\nload: {}", machine.read("proc/loadavg").unwrap_or_default());
    text.extend(
        machine.read("proc/meminfo").unwrap_or_default().lines().take(5).map(|line| format!("{line}\n")),
    );
    for card in machine.names("sys/class/drm") {
        let about = machine.read(&format!("sys/class/drm/{card}/device/uevent")).unwrap_or_default();
        let _ = writeln!(text, "{card}: {}", about.replace('\n', " "));
    }
    for name in machine.names("sys/class/net") {
        let value = |what: &str| machine.read(&format!("sys/class/net/{name}/{what}")).unwrap_or_default();
        let _ =
            writeln!(text, "{name}: {} mtu {} speed {}", value("operstate"), value("mtu"), value("speed"));
    }
    text
}

/// Who is paired, as numbers instead of names.
fn clients(machine: &Machine) -> String {
    let all = match store::paired(&machine.host.state) {
        Ok(all) => all,
        Err(error) => return format!("{{\"error\": {}}}", serde_json::Value::from(error.to_string())),
    };
    let entry = |(number, client): (usize, &store::Client)| {
        serde_json::json!({
            "client": number + 1,
            "fingerprint": to_hex(&client.id.0[..4]),
            "protocol": client.protocol,
            "access": store::access_text(client.access),
            "added": client.added,
            "seen": client.seen,
            "expires": client.expires,
        })
    };
    json(&all.iter().enumerate().map(entry).collect::<Vec<_>>())
}

/// What the journal says of the host, when there is one.
fn journal(machine: &Machine) -> Option<Part> {
    let of = |scope: &str| {
        let unit = ["-u", "punktfunk-host*", "-n", JOURNAL, "--no-pager", "-o", "short-iso"];
        let ran = machine.ask("journalctl", &[&[scope][..], &unit].concat(), SOON)?;
        (ran.ok && ran.text.lines().count() > 1).then_some(ran.text)
    };
    of("--user").or_else(|| of("--system")).map(|text| Part::new("journal.txt", "the host's journal", text))
}

fn units(machine: &Machine) -> Option<Part> {
    let mut text = String::new();
    for (scope, unit) in [
        ("--user", "punktfunk-host.service"),
        ("--system", "punktfunk-host.service"),
        ("--system", "punktfunk-inputd.socket"),
        ("--system", "punktfunk-inputd.service"),
    ] {
        let ran = machine.ask("systemctl", &[scope, "status", "--no-pager", "-n", "0", unit], SOON);
        let said = ran.map(|ran| ran.text).unwrap_or_default();
        let _ = writeln!(text, "# {scope} {unit}\n{}", said.trim());
    }
    machine.program("systemctl").map(|_| Part::new("units.txt", "state of the services", text))
}

/// The logs of the newest seats.
fn seats(machine: &Machine) -> Vec<Part> {
    let mut places = crate::display::places(&machine.host.runtime);
    places.reverse();
    let mut parts = Vec::new();
    for place in places.into_iter().take(SEATS) {
        let name = place.directory.file_name().map(|name| name.to_string_lossy().into_owned());
        for file in ["seat.log", "xwayland.log"] {
            if let Some(text) = super::machine::read(&place.directory.join(file)) {
                let name = format!("{}-{file}", name.clone().unwrap_or_default());
                parts.push(Part::new(name, "a seat's log", text));
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;
    use proptest::prelude::*;

    use super::super::tests::Stand;
    use super::*;
    use crate::log::Level;

    /// Names and texts of what is in a bundle.
    fn open(bytes: &[u8]) -> BTreeMap<String, String> {
        let mut archive = tar::Archive::new(GzDecoder::new(bytes));
        let mut found = BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().file_name().unwrap().to_string_lossy().into_owned();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            found.insert(name, text);
        }
        found
    }

    fn line(message: &str) -> Line {
        Line {
            id: 1,
            at_ms: 1,
            level: Level::Info,
            target: "punktfunk_host".into(),
            message: message.into(),
            fields: BTreeMap::from([("peer".to_owned(), "203.0.113.9:47999".to_owned())]),
        }
    }

    #[test]
    fn a_bundle_has_what_helps_and_nothing_of_the_store() {
        let stand = Stand::new();
        let machine = stand.machine();
        let store = store::Store::open(&machine.host.state).unwrap();
        let id = store.pair(&[7; 40], "Annas telephone").unwrap().fingerprint();
        let claim = "abcde-fghjk-mnpqr-stuvw-xyz23";
        stand.file("state/claim.json", &format!("{{\"version\":1,\"secret\":\"{claim}\"}}"));
        stand.file("punktfunk.toml", "name = \"tv\" # of anna@example.org\n");
        stand.file("runtime/seat-4194400-1/seat.log", "started in /home/annika/games\n");
        let said = format!("Annas telephone {id} paired; key {}; {claim}", store.identity().key_pem());
        let report = Report { ran: Some(5), probes: vec![] };
        let more = vec![Part::new("sessions.json", "sessions", "{\"bssid\": \"52:54:00:12:34:56\"}")];
        let files = open(&pack(&machine, &report, &[line(&said)], more).unwrap());
        for name in [
            "CONTENTS.txt",
            "doctor.txt",
            "doctor.json",
            "versions.txt",
            "hardware.txt",
            "clients.json",
            "punktfunk.toml",
            "log.txt",
            "sessions.json",
            "seat-4194400-1-seat.log",
        ] {
            assert!(files.contains_key(name), "{name} of {:?}", files.keys());
        }
        let all: String = files.values().map(String::as_str).collect();
        let body = store.identity().key_pem().lines().nth(1).unwrap();
        for secret in ["Annas", &id, body, claim, "anna@", "annika", "52:54:00", "113.9"] {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
        assert!(files["log.txt"].contains("paired") && files["log.txt"].contains("peer=203.0.•••:47999"));
        assert!(files["clients.json"].contains("\"protocol\": \"gamestream\""));
        let contents = &files["CONTENTS.txt"];
        assert!(contents.contains("log.txt") && contents.contains("1 × e-mail address"), "{contents}");
    }

    #[test]
    fn it_is_bounded_and_keeps_the_newest() {
        let stand = Stand::new();
        let long = "an old line\n".repeat(100_000) + "the newest line\n";
        let parts = (0..100).map(|n| Part::new(format!("{n}.txt"), "x", long.clone())).collect();
        let bytes = seal(&redactor(&stand.machine()), parts).unwrap();
        let files = open(&bytes);
        assert_eq!(files.len(), PARTS + 1);
        assert!(files["0.txt"].len() <= PART && files["0.txt"].ends_with("the newest line\n"));
        assert!(files["0.txt"].starts_with("an old line\n"));
        assert!(bytes.len() < 1 << 20, "{}", bytes.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn what_the_state_holds_never_comes_out(
            secret in "[A-Za-z0-9+/ -]{12,60}", name in "[A-Za-z ]{5,20}", before: String, after: String,
        ) {
            let stand = Stand::new();
            let machine = stand.machine();
            let value = serde_json::json!({ "version": 1, "deep": [{ "x": secret }] });
            stand.file("state/any.json", &value.to_string());
            store::Store::open(&machine.host.state).unwrap().pair(&[3; 9], &name).unwrap();
            let name = name.trim();
            prop_assume!(!before.contains(name) && !after.contains(name) && name.len() > 4);
            let text = format!("{before}{secret}{after}\n{before}{name}{after}");
            let parts = vec![Part::new("a.txt", "x", text.clone())];
            let files = open(&seal(&redactor(&machine), parts).unwrap());
            prop_assert!(!files["a.txt"].contains(&secret), "{secret:?} of {text:?}");
            prop_assert!(!files["a.txt"].contains(name), "{name:?} of {text:?}");
        }
    }
}
