//! What a host writes down beside each seat, so that the host after it finds the
//! seat again and knows whose it is.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use punktfunk_core::bytes::{from_hex, to_hex};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use super::seat::{DisplayError, Seat};
use super::spawn::io as failed;
use crate::platform;

/// The format of the record.
const FORMAT: u32 = 1;
/// The record in the seat's directory.
const NAME: &str = "host.json";
/// A record is short; what is longer is none of ours.
const MAX_LEN: u64 = 16 * 1024;
/// Seats' directories begin so; the process id of their host and a number follow.
const PREFIX: &str = "seat-";
/// Those of the `*-test` commands and of `doctor`; the process id follows.
const TRIAL: &str = "test-";
/// How long a seat without a record may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// A process that is just being executed names nothing for a moment: so it is looked
/// for several times.
const LOOKS: u32 = 5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Whose seat it is and what runs there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The host: its unique id.
    pub owner: String,
    /// SHA-256 of the client's certificate.
    pub client: [u8; 32],
    /// The client's name at that time.
    pub client_name: String,
    /// The application's number.
    pub app: u32,
    /// Its title.
    pub title: String,
    /// When it was launched, in seconds since 1970.
    pub launched: u64,
    /// The application runs: its client was told so, or is about to be.
    pub is_running: bool,
    /// What a client may come back by, also to a host after this one.
    pub session: [u8; 16],
    /// It shows what runs in the user's session, and its sound is the user's.
    pub is_of_session: bool,
}

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    owner: String,
    client: String,
    client_name: String,
    app: u32,
    title: String,
    launched: u64,
    is_running: bool,
    /// A host of before wrote none: then nobody comes back by it.
    #[serde(default)]
    session: String,
    /// Nor this.
    #[serde(default)]
    is_of_session: bool,
}

impl Record {
    /// The record of an application (number and title) that is launched now.
    pub fn new(
        owner: &str,
        client: &[u8; 32],
        client_name: &str,
        (app, title): (u32, &str),
        session: [u8; 16],
    ) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            owner: owner.to_owned(),
            client: *client,
            client_name: client_name.to_owned(),
            app,
            title: title.to_owned(),
            launched: now.map_or(0, |time| time.as_secs()),
            is_running: false,
            session,
            is_of_session: false,
        }
    }

    /// Writes it into the directory of its seat.
    pub fn save(&self, directory: &Path) -> Result<(), DisplayError> {
        let path = directory.join(NAME);
        let file = File {
            version: FORMAT,
            owner: self.owner.clone(),
            client: to_hex(&self.client),
            client_name: self.client_name.clone(),
            app: self.app,
            title: self.title.clone(),
            launched: self.launched,
            is_running: self.is_running,
            session: to_hex(&self.session),
            is_of_session: self.is_of_session,
        };
        let text = serde_json::to_vec(&file).map_err(|error| failed("write", &path)(error.into()))?;
        platform::write_whole(&path, &text).map_err(|error| DisplayError::Record { path, error })
    }

    /// Reads it; `None` when there is none that this version understands.
    fn load(directory: &Path) -> Option<Self> {
        let path = directory.join(NAME);
        if path.metadata().ok()?.len() > MAX_LEN {
            return None;
        }
        let file: File = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let client = from_hex(&file.client)?.try_into().ok().filter(|_| file.version == FORMAT)?;
        let session = from_hex(&file.session)?.try_into().unwrap_or_default();
        let File { owner, client_name, app, title, launched, is_running, is_of_session, .. } = file;
        Some(Self { owner, client, client_name, app, title, launched, is_running, session, is_of_session })
    }
}

/// Makes a directory for a new seat.
pub fn new_directory(runtime: &Path) -> Result<PathBuf, DisplayError> {
    let mut number = 0_u64;
    loop {
        number += 1;
        let directory = runtime.join(format!("{PREFIX}{}-{number}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&directory) {
            Ok(()) => return Ok(directory),
            // Of a running seat, or of a host that had our number.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed("make", &directory)(error)),
        }
    }
}

/// The seats below `runtime` that `owner` started an application on, alive or not,
/// the oldest first. Seats that were never finished, and what nobody could find, are
/// cleared away on a thread of its own; seats of other hosts are left alone.
pub fn find(runtime: &Path, owner: &str) -> Vec<(PathBuf, Record)> {
    let entries = std::fs::read_dir(runtime).into_iter().flatten().flatten();
    let (mut found, mut strays) = (Vec::new(), Vec::new());
    for entry in entries {
        let Some(host) = host_of(&entry.file_name().to_string_lossy()) else { continue };
        let directory = entry.path();
        match Record::load(&directory) {
            Some(record) if record.owner == owner && record.is_running => found.push((directory, record)),
            Some(record) if record.owner == owner => strays.push(directory),
            Some(_) => {}
            // A host that lives may be about to write it.
            None if Path::new("/proc").join(host.to_string()).exists() => {}
            None => strays.push(directory),
        }
    }
    found.sort_by_key(|(_, record)| record.launched);
    if !strays.is_empty() {
        let thread = std::thread::Builder::new().name("punktfunk-clear".into());
        if let Err(error) = thread.spawn(move || strays.iter().for_each(|stray| clear(stray))) {
            tracing::debug!(%error, "what is left of old seats stays");
        }
    }
    found
}

/// The directory of a seat, or of a trial of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The directory.
    pub directory: PathBuf,
    /// The host that made it lives.
    pub has_host: bool,
    /// A process of the seat lives.
    pub is_alive: bool,
}

/// The directories of seats below `runtime`. Looks only, and connects to none of them.
pub fn places(runtime: &Path) -> Vec<Place> {
    let entries = std::fs::read_dir(runtime).into_iter().flatten().flatten();
    let mut all = Vec::new();
    for entry in entries {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let trial = name.strip_prefix(TRIAL).and_then(|pid| pid.parse().ok());
        let Some(host) = host_of(&name).or(trial) else { continue };
        let directory = entry.path();
        let has_host = Path::new("/proc").join(host.to_string()).exists();
        let is_alive = !processes_of(&directory).is_empty();
        all.push(Place { directory, has_host, is_alive });
    }
    all.sort_by(|one, other| one.directory.cmp(&other.directory));
    all
}

/// Removes a directory of which host and seat are gone. False, and nothing is removed,
/// when one of them lives.
pub fn forget(place: &Place) -> io::Result<bool> {
    if place.has_host || !processes_of(&place.directory).is_empty() {
        return Ok(false);
    }
    std::fs::remove_dir_all(&place.directory).map(|()| true)
}

/// The process id in the name of a seat's directory.
fn host_of(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split_once('-')?.0.parse().ok()
}

/// Ends a seat that nobody knows and removes its directory.
fn clear(directory: &Path) {
    match Seat::attach(directory, PATIENCE) {
        Ok((seat, _)) => seat.quit(),
        // Gone, or not there yet.
        Err(error) if error.is_gone() => {
            for _ in 0..LOOKS {
                kill_all_of(directory);
                std::thread::sleep(BETWEEN_LOOKS);
            }
        }
        Err(error) => return tracing::debug!(%error, "a seat without a record does not answer"),
    }
    tracing::info!(directory = %directory.display(), "cleared away what is left of an old seat");
    if let Err(error) = std::fs::remove_dir_all(directory) {
        tracing::debug!(%error, "not removed");
    }
}

fn kill_all_of(directory: &Path) {
    for pid in processes_of(directory) {
        tracing::info!(pid = pid.as_raw_nonzero(), "a process of an unfinished seat is killed");
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Every other process that a seat's directory is named to: the seat itself in its
/// arguments, all others in their environment, by its mark.
fn processes_of(directory: &Path) -> Vec<Pid> {
    let mut found = Vec::new();
    let mark = [b"PUNKTFUNK_SEAT=", directory.as_os_str().as_bytes()].concat();
    let names = |file: PathBuf, word: &[u8]| {
        std::fs::read(file).is_ok_and(|text| text.split(|byte| *byte == 0).any(|part| part == word))
    };
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let process = entry.path();
        if (names(process.join("environ"), &mark)
            || names(process.join("cmdline"), directory.as_os_str().as_bytes()))
            && let Some(pid) = Pid::from_raw(pid)
            && pid != rustix::process::getpid()
        {
            found.push(pid);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("pfh-record-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        directory
    }

    #[test]
    fn a_host_finds_its_own_seats_and_no_others() {
        let runtime = scratch("find");
        let mine = Record::new("me", &[7; 32], "tv", (3, "Game \"x\""), [9; 16]);
        let mine = Record { is_running: true, ..mine };
        let (first, second) = (new_directory(&runtime).unwrap(), new_directory(&runtime).unwrap());
        assert_ne!(first, second);
        mine.save(&first).unwrap();
        Record { owner: "another".into(), ..mine.clone() }.save(&second).unwrap();
        // No record yet, and damaged ones, of a host that lives: this test.
        let damaged = new_directory(&runtime).unwrap();
        std::fs::write(damaged.join(NAME), "{\"version\":1").unwrap();
        new_directory(&runtime).unwrap();
        std::fs::create_dir(runtime.join("seat-x")).unwrap();
        assert_eq!(find(&runtime, "me"), [(first.clone(), mine)]);
        assert!(second.exists() && damaged.exists());
        std::fs::remove_dir_all(&runtime).unwrap();
    }

    #[test]
    fn what_dead_hosts_left_is_cleared_away() {
        let runtime = scratch("stray");
        // No process has this number: the kernel's limit is 2^22.
        let stray = runtime.join("seat-4194400-1");
        std::fs::create_dir(&stray).unwrap();
        clear(&stray);
        assert!(!stray.exists());
        // One that was being started when its host was killed.
        let unfinished = new_directory(&runtime).unwrap();
        Record::new("me", &[7; 32], "tv", (3, "Game"), [9; 16]).save(&unfinished).unwrap();
        let mut seat = std::process::Command::new("sleep");
        let mut seat = seat.arg("1000").env("PUNKTFUNK_SEAT", &unfinished).spawn().unwrap();
        assert_eq!(find(&runtime, "another"), []);
        assert!(seat.try_wait().unwrap().is_none());
        assert_eq!(find(&runtime, "me"), []);
        assert!(!seat.wait().unwrap().success());
        assert_eq!(host_of("seat-4194400-1"), Some(4_194_400));
        assert_eq!(host_of("host-47989.sock"), None);
        std::fs::remove_dir_all(&runtime).unwrap();
    }

    #[test]
    fn only_what_nobody_uses_is_forgotten() {
        let runtime = scratch("places");
        let mine = new_directory(&runtime).unwrap();
        for name in ["seat-4194400-1", "seat-4194401-1", "test-4194400", "host-47989.sock", "seat-x"] {
            std::fs::create_dir(runtime.join(name)).unwrap();
        }
        let mut seat = std::process::Command::new("sleep");
        let seat = seat.arg("1000").env("PUNKTFUNK_SEAT", runtime.join("seat-4194401-1"));
        let mut seat = seat.spawn().unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while !places(&runtime).iter().any(|place| place.is_alive) {
            assert!(std::time::Instant::now() < deadline);
        }
        let (own, found): (Vec<_>, Vec<_>) =
            places(&runtime).into_iter().partition(|place| place.directory == mine);
        assert!(own[0].has_host && !own[0].is_alive && !forget(&own[0]).unwrap());
        let state: Vec<_> = found.iter().map(|place| (place.has_host, place.is_alive)).collect();
        assert_eq!(state, [(false, false), (false, true), (false, false)]);
        let gone: Vec<_> = found.iter().map(|place| forget(place).unwrap()).collect();
        assert_eq!(gone, [true, false, true]);
        assert!(mine.exists() && runtime.join("seat-4194401-1").exists());
        assert!(!runtime.join("test-4194400").exists() && !runtime.join("seat-4194400-1").exists());
        seat.kill().unwrap();
        seat.wait().unwrap();
        std::fs::remove_dir_all(&runtime).unwrap();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_record_comes_back_and_a_damaged_one_is_none_or_another(
            owner: String, client: [u8; 32], client_name: String, app: u32, title: String,
            launched: u64, is_running: bool, is_of_session: bool, damage in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4),
        ) {
            let directory = scratch("property");
            let session = client[..16].try_into().unwrap();
            let record = Record {
                owner, client, client_name, app, title, launched, is_running, session, is_of_session,
            };
            record.save(&directory).unwrap();
            prop_assert_eq!(Record::load(&directory), Some(record));
            let file = directory.join(NAME);
            let mut text = std::fs::read(&file).unwrap();
            for (at, byte) in damage {
                let at = at % text.len();
                text[at] = byte;
            }
            std::fs::write(&file, &text).unwrap();
            let _ = Record::load(&directory);
            std::fs::write(&file, &text[..text.len() / 2]).unwrap();
            prop_assert_eq!(Record::load(&directory), None);
            std::fs::write(&file, vec![b' '; MAX_LEN as usize + 1]).unwrap();
            prop_assert_eq!(Record::load(&directory), None);
        }
    }
}
