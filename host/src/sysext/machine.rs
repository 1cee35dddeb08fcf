//! A real machine: files, systemd and its extensions, the hosts that run here.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, symlink};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::names::{architecture, version_of};
use super::system::{Kept, Notes, System};
use super::{SysextError, Version, boot, check, failed, image_name};
use crate::platform::command::must;
use crate::platform::{read_bounded, write_public, write_whole};

/// The unit of a host, in the manager of whoever it belongs to.
const HOST: &str = "punktfunk-host.service";
/// Its seats, which outlive it.
const SEATS: &str = "punktfunk-seat-*.service";
/// What it consists of beside it.
const PARTS: [&str; 3] =
    ["punktfunk-activate.service", "punktfunk-inputd.socket", "punktfunk-inputd.service"];
/// Starts what brings releases by itself. Putting an extension into effect starts it, and nobody
/// else; it is not masked, for a timer that is masked while it runs counts as failed.
const NIGHTLY: &str = "punktfunk-update.timer";
/// What it starts. It is at work when a release is tried, and must not end then.
const UPDATER: &str = "punktfunk-update.service";
/// Longest for what systemd does at once.
const SHORT: Duration = Duration::from_secs(30);
/// Longest for starting and stopping units, and for a new host to answer.
const LONG: Duration = Duration::from_secs(90);
/// Pause between two looks at a host that starts.
const LOOK: Duration = Duration::from_millis(100);
/// Most bytes of the notes.
const MAX_NOTES: u64 = 256 * 1024;
/// The format of the notes that is written; another one is not touched.
const FORMAT: u32 = 1;

/// Where things are.
#[derive(Clone, Debug)]
pub struct Roots {
    /// Images, the links `current` and `previous`, the notes.
    pub shelf: PathBuf,
    /// Where systemd looks for extensions, until the next boot.
    pub extensions: PathBuf,
    /// What extensions are laid over.
    pub usr: PathBuf,
    /// Holds the unit that is started at boot.
    pub etc: PathBuf,
    /// Whether this is SteamOS, which forgets `/etc` and has a small `/var`.
    pub steamos: bool,
}

impl Roots {
    /// Those of this machine.
    pub fn of_this_machine() -> Self {
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let steamos = boot::release_value(&release, "ID") == Some("steamos");
        // There /var has 256 MB and there are two of it; /home is what both systems share.
        let offload = Path::new("/home/.steamos/offload");
        let shelf = if steamos && offload.is_dir() {
            offload.join("punktfunk")
        } else {
            PathBuf::from("/var/lib/extensions.d/punktfunk")
        };
        let extensions = "/run/extensions".into();
        Self { shelf, extensions, usr: "/usr".into(), etc: "/etc".into(), steamos }
    }

    fn link(&self) -> PathBuf {
        self.extensions.join("punktfunk.raw")
    }

    fn kept(&self, which: Kept) -> PathBuf {
        self.shelf.join(match which {
            Kept::Current => "current",
            Kept::Previous => "previous",
        })
    }

    fn notes(&self) -> PathBuf {
        self.shelf.join("notes.json")
    }
}

/// A machine that really is one.
pub struct Machine {
    roots: Roots,
    /// Says who plays at the host with this socket.
    ask: fn(&Path) -> Option<String>,
    /// Whose hosts ran when they were ended.
    ran: Vec<Manager>,
    /// Held while something is changed.
    _lock: Option<File>,
}

/// The manager of a user who is logged in or lingers.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Manager {
    uid: u32,
    gid: u32,
    runtime: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct NotesFile {
    format: u32,
    #[serde(flatten)]
    notes: Notes,
}

impl Machine {
    /// To look at. `ask` says who plays at the host with that socket.
    pub fn to_look(roots: Roots, ask: fn(&Path) -> Option<String>) -> Self {
        Self { roots, ask, ran: Vec::new(), _lock: None }
    }

    /// To change, which only one may do at a time.
    pub fn to_change(roots: Roots, ask: fn(&Path) -> Option<String>) -> Result<Self, SysextError> {
        let made = DirBuilder::new().recursive(true).mode(0o755).create(&roots.shelf);
        made.map_err(failed(format!("making {}", roots.shelf.display())))?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(roots.shelf.join("lock")).map_err(failed("opening the lock"))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _lock: Some(lock), ..Self::to_look(roots, ask) }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(SysextError::AtWork),
            Err(error) => Err(failed("locking")(error)),
        }
    }

    /// Where its images are.
    pub fn shelf(&self) -> &Path {
        &self.roots.shelf
    }

    fn image(&self, version: &Version) -> PathBuf {
        self.roots.shelf.join(image_name(version, architecture()))
    }

    /// The release a link names, if it is here.
    fn named(&self, link: &Path) -> Option<Version> {
        let target = fs::read_link(link).ok()?;
        let version = version_of(target.file_name()?.to_str()?, architecture())?;
        self.image(&version).is_file().then_some(version)
    }

    /// Waits until a host that was started answers.
    fn answers(&self, manager: &Manager) -> Result<(), String> {
        let deadline = Instant::now() + LONG;
        loop {
            if sockets_of(manager).iter().any(|socket| UnixStream::connect(socket).is_ok()) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("the host of user {} did not answer in time", manager.uid));
            }
            std::thread::sleep(LOOK);
        }
    }
}

impl System for Machine {
    fn images(&self) -> Result<Vec<Version>, SysextError> {
        let entries = match fs::read_dir(&self.roots.shelf) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("reading the folder of images")(error)),
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut versions: Vec<_> = names.filter_map(|name| version_of(&name, architecture())).collect();
        versions.sort();
        Ok(versions)
    }

    fn discard(&mut self, version: &Version) -> Result<(), SysextError> {
        gone(&self.image(version)).map_err(failed(format!("removing {version}")))
    }

    fn kept(&self, which: Kept) -> Result<Option<Version>, SysextError> {
        Ok(self.named(&self.roots.kept(which)))
    }

    fn keep(&mut self, which: Kept, version: Option<&Version>) -> Result<(), SysextError> {
        let link = self.roots.kept(which);
        let name = version.map(|version| image_name(version, architecture()));
        set_link(&link, name.as_deref().map(Path::new)).map_err(failed("naming the release to start"))
    }

    fn notes(&self) -> Result<Notes, SysextError> {
        let path = self.roots.notes();
        let bytes = match read_bounded(&path, MAX_NOTES, false) {
            Ok(bytes) => bytes,
            // Who only looks need not be root, and sees less.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) =>
            {
                return Ok(Notes::default());
            }
            Err(error) => return Err(SysextError::Notes { path, why: error.to_string() }),
        };
        parse_notes(&bytes).map_err(|why| SysextError::Notes { path, why })
    }

    fn note(&mut self, notes: &Notes) -> Result<(), SysextError> {
        let file = NotesFile { format: FORMAT, notes: notes.clone() };
        let text = serde_json::to_vec_pretty(&file).map_err(failed("writing the notes"))?;
        write_whole(&self.roots.notes(), &text).map_err(failed("writing the notes"))
    }

    fn switched_off(&self) -> Option<String> {
        let file = boot::SWITCHES.iter().find(|file| Path::new(file).exists());
        if let Some(file) = file {
            return Some(format!("the file {file}"));
        }
        let lines = ["/proc/cmdline", "/proc/1/cmdline"].map(|file| fs::read(file).unwrap_or_default());
        let said = lines.iter().any(|line| boot::says_off(line));
        said.then(|| format!("the kernel argument {}", boot::KERNEL_SWITCH))
    }

    fn streaming(&self) -> Option<String> {
        let own = sockets_in(Path::new("/run/punktfunk"));
        let others =
            managers().into_iter().flat_map(|manager| sockets_in(&manager.runtime.join("punktfunk")));
        own.into_iter().chain(others).find_map(|socket| (self.ask)(&socket))
    }

    fn laid(&self) -> Option<Version> {
        self.named(&self.roots.link())
    }

    fn lay(&mut self, version: Option<&Version>) -> Result<(), SysextError> {
        let made = DirBuilder::new().recursive(true).mode(0o755).create(&self.roots.extensions);
        made.map_err(failed("making the folder of extensions"))?;
        let image = version.map(|version| self.image(version));
        set_link(&self.roots.link(), image.as_deref()).map_err(failed("naming the extension"))?;
        if Path::new("/sys/fs/selinux/enforce").exists() {
            // Without the labels of the policy, systemd may not read what we wrote.
            let _ = must(
                Command::new("restorecon").arg("-RF").args([&self.roots.shelf, &self.roots.extensions]),
                SHORT,
            );
        }
        Ok(())
    }

    fn refresh(&mut self) -> Result<(), SysextError> {
        must(Command::new("systemd-sysext").arg("refresh"), LONG)
            .map(drop)
            .map_err(failed("laying the extension over /usr"))
    }

    fn active(&self) -> Option<Version> {
        check::active(&self.roots.usr)
    }

    fn quiet(&mut self, until_boot: bool) -> Result<(), SysextError> {
        let mut problems = Vec::new();
        // First, or what is stopped would be started again meanwhile: it is upheld.
        problems.extend(systemctl(&["mask", "--runtime"], &PARTS).err());
        for manager in managers() {
            if manager.systemctl(&["is-active", "--quiet"], &[HOST]).is_ok() && !self.ran.contains(&manager) {
                self.ran.push(manager.clone());
            }
            if until_boot {
                problems.extend(manager.systemctl(&["mask", "--runtime"], &[HOST]).err());
            }
            let units: &[&str] = if until_boot { &[HOST, SEATS] } else { &[HOST] };
            problems.extend(manager.stop(units).err());
        }
        problems.extend(stop(&PARTS).err());
        problems.extend(stop(&[NIGHTLY]).err());
        if until_boot {
            // It waits for nobody to play, and would be started without its program.
            problems.extend(stop(&[UPDATER]).err());
        }
        match problems.first() {
            None => Ok(()),
            Some(problem) => Err(failed("stopping the hosts")(problem)),
        }
    }

    fn wake(&mut self) -> Result<(), SysextError> {
        systemctl(&["unmask", "--runtime"], &PARTS).map_err(failed("starting what belongs to a host"))?;
        systemctl(&["daemon-reload"], &[]).map_err(failed("reading the new units"))?;
        // A trial and its undoing start it more often than systemd allows by itself.
        let _ = systemctl(&["reset-failed"], &PARTS);
        // It puts accounts, devices and units into effect; it never fails.
        systemctl(&["restart"], &PARTS[..1]).map_err(failed("putting the extension into effect"))?;
        for manager in managers() {
            // A manager that ends just now is not ours to mend.
            let _ = manager.systemctl(&["unmask", "--runtime"], &[HOST]);
            let _ = manager.systemctl(&["daemon-reload"], &[]);
        }
        for manager in std::mem::take(&mut self.ran) {
            manager
                .systemctl(&["start"], &[HOST])
                .and_then(|()| self.answers(&manager))
                .map_err(failed("starting the host"))?;
        }
        Ok(())
    }

    fn check(&mut self, version: &Version) -> Result<(), String> {
        let program = self.roots.usr.join("bin/punktfunk-host");
        must(Command::new(program).args(["sysext", "check"]), LONG)
            .map(drop)
            .map_err(|why| format!("{version} says of itself: {why}"))
    }

    fn settle(&mut self) -> Result<(), SysextError> {
        let unit = boot::unit(&self.roots.kept(Kept::Current), &self.roots.link());
        let system = self.roots.etc.join("systemd/system");
        let wants = system.join("sysinit.target.wants");
        let public = |file: &Path, text: &str| write_public(file, text.as_bytes()).map_err(io::Error::other);
        let settled = (|| -> io::Result<()> {
            DirBuilder::new().recursive(true).mode(0o755).create(&wants)?;
            public(&system.join(boot::UNIT), &unit)?;
            set_link(&wants.join(boot::UNIT), Some(Path::new("..").join(boot::UNIT).as_path()))?;
            if self.roots.steamos {
                let files = [
                    (self.roots.etc.join(boot::STEAMOS_LIST), boot::steamos_list()),
                    (system.join(boot::STEAMOS_UPDATER), boot::steamos_updater()),
                ];
                for (file, text) in files {
                    let folder = file.parent().unwrap_or(&self.roots.etc);
                    DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
                    public(&file, &text)?;
                }
            }
            Ok(())
        })();
        settled.map_err(failed("making the unit for the next boot"))?;
        systemctl(&["daemon-reload"], &[]).map_err(failed("reading the new units"))?;
        // From now on it counts as started: SteamOS ends it before it updates.
        // Alone: what it wants at boot would merge once more.
        let start = ["start", "--job-mode=ignore-dependencies"];
        systemctl(&start, &[boot::UNIT]).map_err(failed("starting the unit of the extension"))
    }

    fn leave(&mut self) -> Result<(), SysextError> {
        // It is not known when the installation was never finished.
        let _ = systemctl(&["stop"], &[boot::UNIT]);
        let system = self.roots.etc.join("systemd/system");
        let files = [
            system.join("sysinit.target.wants").join(boot::UNIT),
            system.join(boot::UNIT),
            self.roots.etc.join(boot::STEAMOS_LIST),
            system.join(boot::STEAMOS_UPDATER),
            self.roots.notes(),
            self.roots.shelf.join("lock"),
        ];
        for file in files {
            gone(&file).map_err(failed(format!("removing {}", file.display())))?;
        }
        for entry in fs::read_dir(&self.roots.shelf).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "part") {
                let _ = gone(&entry.path());
            }
        }
        // Files of the owner, if any, keep the folder there.
        let _ = fs::remove_dir(&self.roots.shelf);
        systemctl(&["daemon-reload"], &[]).map_err(failed("reading the units that are left"))
    }
}

impl Manager {
    fn systemctl(&self, verb: &[&str], units: &[&str]) -> Result<(), String> {
        let mut command = Command::new("systemctl");
        command.arg("--user").args(verb).args(units).env("XDG_RUNTIME_DIR", &self.runtime);
        command.env_remove("DBUS_SESSION_BUS_ADDRESS");
        if crate::platform::current_user_id() != self.uid {
            command.uid(self.uid).gid(self.gid);
        }
        must(&mut command, LONG).map(drop)
    }

    /// Stops units; those that are not known are stopped.
    fn stop(&self, units: &[&str]) -> Result<(), String> {
        units.iter().try_for_each(|unit| match self.systemctl(&["stop"], &[unit]) {
            Err(_) if self.systemctl(&["is-active", "--quiet"], &[unit]).is_err() => Ok(()),
            other => other,
        })
    }
}

fn systemctl(verb: &[&str], units: &[&str]) -> Result<(), String> {
    must(Command::new("systemctl").args(verb).args(units), LONG).map(drop)
}

/// Stops units of the system; those that are not known are stopped.
fn stop(units: &[&str]) -> Result<(), String> {
    units.iter().try_for_each(|unit| match systemctl(&["stop"], &[unit]) {
        Err(_) if systemctl(&["is-active", "--quiet"], &[unit]).is_err() => Ok(()),
        other => other,
    })
}

/// The managers of users that run now.
fn managers() -> Vec<Manager> {
    let entries = fs::read_dir("/run/user").into_iter().flatten().flatten();
    let mut managers: Vec<_> = entries
        .filter_map(|entry| {
            let runtime = entry.path();
            let uid = entry.file_name().to_str()?.parse().ok()?;
            let socket = fs::symlink_metadata(runtime.join("systemd/private")).ok()?;
            let own = fs::metadata(&runtime).ok().filter(|meta| meta.uid() == uid)?;
            (socket.uid() == uid).then_some(Manager { uid, gid: own.gid(), runtime })
        })
        .collect();
    managers.sort_by_key(|manager| manager.uid);
    managers
}

fn sockets_of(manager: &Manager) -> Vec<PathBuf> {
    let mut sockets = sockets_in(&manager.runtime.join("punktfunk"));
    sockets.extend(sockets_in(Path::new("/run/punktfunk")).into_iter().filter(|socket| {
        // The machine's own host has its sockets elsewhere.
        fs::metadata(socket).is_ok_and(|meta| meta.uid() == manager.uid)
    }));
    sockets
}

/// The sockets of the API in a runtime folder.
fn sockets_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let ours = |name: &str| name.starts_with("api-") && name.ends_with(".sock");
    entries.filter(|entry| entry.file_name().to_str().is_some_and(ours)).map(|entry| entry.path()).collect()
}

fn parse_notes(bytes: &[u8]) -> Result<Notes, String> {
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    match value["format"].as_u64() {
        Some(format) if format == u64::from(FORMAT) => {}
        Some(format) => return Err(format!("it has the format {format}, of a newer program")),
        None => return Err("it has no format".to_owned()),
    }
    let file: NotesFile = serde_json::from_value(value).map_err(|error| error.to_string())?;
    Ok(file.notes)
}

/// Makes a link name `target`, or takes it away: before or after, nothing in between.
fn set_link(link: &Path, target: Option<&Path>) -> io::Result<()> {
    let Some(target) = target else {
        gone(link)?;
        return sync_folder(link);
    };
    let mut name = link.file_name().map(std::ffi::OsString::from).unwrap_or_default();
    name.push(".new");
    let fresh = link.with_file_name(name);
    gone(&fresh)?;
    symlink(target, &fresh)?;
    fs::rename(&fresh, link)?;
    sync_folder(link)
}

fn sync_folder(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn gone(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn machine(name: &str) -> (Machine, PathBuf) {
        let base = std::env::temp_dir().join(format!("pf-sysext-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&base);
        let below = |part: &str| base.join(part);
        let roots = Roots {
            shelf: below("shelf"),
            extensions: below("run"),
            usr: below("usr"),
            etc: below("etc"),
            steamos: false,
        };
        (Machine::to_change(roots, |_| None).unwrap(), base)
    }

    #[test]
    fn links_name_only_images_that_are_here() {
        let (mut machine, base) = machine("links");
        let version: Version = "1.2.3".parse().unwrap();
        machine.keep(Kept::Current, Some(&version)).unwrap();
        assert_eq!(machine.kept(Kept::Current).unwrap(), None, "its image is not here");
        fs::write(machine.image(&version), "").unwrap();
        assert_eq!(machine.kept(Kept::Current).unwrap(), Some(version.clone()));
        assert_eq!(machine.images().unwrap(), std::slice::from_ref(&version));
        machine.lay(Some(&version)).unwrap();
        assert_eq!(machine.laid(), Some(version.clone()));
        assert_eq!(fs::read_link(base.join("run/punktfunk.raw")).unwrap(), machine.image(&version));
        machine.lay(None).unwrap();
        machine.keep(Kept::Current, None).unwrap();
        assert_eq!((machine.laid(), machine.kept(Kept::Current).unwrap()), (None, None));
        machine.discard(&version).unwrap();
        machine.discard(&version).unwrap();
        fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn only_one_changes_it_at_a_time() {
        let (machine, base) = machine("lock");
        let again = Machine::to_change(machine.roots.clone(), |_| None);
        assert!(matches!(again, Err(SysextError::AtWork)));
        drop(machine);
        fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn notes_outlive_the_program_and_newer_ones_are_left_alone() {
        let (mut machine, base) = machine("notes");
        assert_eq!(machine.notes().unwrap(), Notes::default());
        let mut notes = Notes { source: Some("file:///x".into()), ..Notes::default() };
        notes.skipped.insert("1.0.0".parse().unwrap(), super::super::Skipped::Unhealthy("no".into()));
        notes.unfinished.insert("1.0.1".parse().unwrap(), 2);
        machine.note(&notes).unwrap();
        assert_eq!(machine.notes().unwrap(), notes);
        fs::write(machine.roots.notes(), r#"{"format":2}"#).unwrap();
        assert!(matches!(machine.notes(), Err(SysextError::Notes { .. })));
        fs::remove_dir_all(&base).unwrap();
    }

    proptest! {
        #[test]
        fn any_notes_are_read_or_refused(text in r#"\{"format":1,"(source|skipped|unfinished)":[ -~]{0,40}\}"#) {
            let _ = parse_notes(text.as_bytes());
        }

        #[test]
        fn any_bytes_are_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = parse_notes(&bytes);
        }
    }
}
