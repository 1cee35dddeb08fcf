//! Accounts, and the step from root to the user of the host.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The highest real-time priority the media threads may take: below the kernel's own
/// threads (50), like the priorities sound servers use.
pub(super) const MEDIA_PRIORITY: u64 = 10;

/// The user that host and seats run as when they are started as root.
const USER: &str = "punktfunk";

/// Whose host this is; it decides where files belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The machine's: started as root or as the user `punktfunk`.
    System,
    /// An ordinary user's own.
    User,
}

/// One account of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Its primary group.
    pub gid: u32,
    /// Home directory.
    pub home: PathBuf,
}

/// Why the program could not get into the state it should run in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlatformError {
    /// Started as root, but the user to run as is missing.
    #[error(
        "there is no user `{USER}` to run as: use `cargo xtask serve`, which makes it, or run `useradd --system --create-home --home-dir /var/lib/{USER} --shell /usr/sbin/nologin {USER}`"
    )]
    NoUser,
    /// The system refused to change the user.
    #[error("root could not be given up ({what}: {source})")]
    Drop {
        /// The call that failed.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A directory could not be made or has a wrong owner.
    #[error("{}: {what}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What is wrong and what to do.
        what: String,
    },
    /// Neither the home directory nor a variable says where files belong.
    #[error("{0} is not set and there is no home directory: name the place on the command line")]
    NoPlace(&'static str),
}

impl Account {
    /// The account of the user that root turns into.
    pub fn of_the_host() -> Result<Self, PlatformError> {
        let Ok(name) = CString::new(USER) else { return Err(PlatformError::NoUser) };
        lookup(|entry, buffer, result| {
            // SAFETY: `name` is NUL-terminated; `entry`, `buffer` and `result` are valid for
            // writing for the whole call, and the length given is that of the buffer.
            unsafe {
                libc::getpwnam_r(name.as_ptr(), entry, buffer.as_mut_ptr().cast(), buffer.len(), result)
            }
        })
        .ok_or(PlatformError::NoUser)
    }

    /// The account this process runs as.
    pub fn current() -> Option<Self> {
        let uid = current_user_id();
        lookup(|entry, buffer, result| {
            // SAFETY: as above; the user id is a plain number.
            unsafe { libc::getpwuid_r(uid, entry, buffer.as_mut_ptr().cast(), buffer.len(), result) }
        })
    }

    /// True for the user that hosts of the machine run as.
    pub fn is_of_the_host(&self) -> bool {
        self.name == USER
    }
}

/// The effective user id.
pub fn current_user_id() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Runs a `getpw*_r` call with growing buffers and copies what it found.
fn lookup(
    call: impl Fn(*mut libc::passwd, &mut [u8], *mut *mut libc::passwd) -> libc::c_int,
) -> Option<Account> {
    let mut buffer = vec![0_u8; 1024];
    loop {
        // SAFETY: passwd is a plain C struct of numbers and pointers; all zero is a valid value.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut result = std::ptr::null_mut();
        let status = call(&raw mut entry, &mut buffer, &raw mut result);
        if status == libc::ERANGE && buffer.len() < 1 << 20 {
            buffer.resize(buffer.len() * 2, 0);
            continue;
        }
        if status != 0 || result.is_null() {
            return None;
        }
        // SAFETY: on success both point to NUL-terminated strings inside `buffer`, which
        // outlives these copies.
        let (name, home) = unsafe { (CStr::from_ptr(entry.pw_name), CStr::from_ptr(entry.pw_dir)) };
        return Some(Account {
            name: name.to_string_lossy().into_owned(),
            uid: entry.pw_uid,
            gid: entry.pw_gid,
            home: PathBuf::from(OsStr::from_bytes(home.to_bytes())),
        });
    }
}

/// Turns this process from root into `account`, for good, with the environment that
/// belongs to it.
///
/// Must be called before the process has a second thread: ids and environment are
/// changed for all of them at once, and readers of the environment are not locked out.
pub fn drop_root(account: &Account) -> Result<(), PlatformError> {
    let check = |what, status: libc::c_int| {
        if status == 0 {
            Ok(())
        } else {
            Err(PlatformError::Drop { what, source: io::Error::last_os_error() })
        }
    };
    let name = CString::new(account.name.as_str()).map_err(|_| PlatformError::NoUser)?;
    keep_real_time();
    // SAFETY: `name` is NUL-terminated and lives through the call.
    check("initgroups", unsafe { libc::initgroups(name.as_ptr(), account.gid) })?;
    // SAFETY: plain numbers.
    check("setresgid", unsafe { libc::setresgid(account.gid, account.gid, account.gid) })?;
    // SAFETY: plain numbers.
    check("setresuid", unsafe { libc::setresuid(account.uid, account.uid, account.uid) })?;
    // SAFETY: a plain number; it must fail, or something of root is left.
    if account.uid != 0 && unsafe { libc::setuid(0) } == 0 {
        let source = io::Error::other("root could be taken back");
        return Err(PlatformError::Drop { what: "setuid", source });
    }
    take_over_environment(account);
    Ok(())
}

/// Lets the media threads ask for real-time scheduling after root is given up. A seat
/// keeps the permission for its sound server and takes it from everything else.
fn keep_real_time() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = Rlimit { current: Some(MEDIA_PRIORITY), maximum: Some(MEDIA_PRIORITY) };
    if let Err(error) = setrlimit(Resource::Rtprio, limit) {
        tracing::debug!(%error, "no real-time scheduling for media threads");
    }
}

fn take_over_environment(account: &Account) {
    let home: &Path = if account.home.is_dir() { &account.home } else { Path::new("/") };
    for name in ["XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"] {
        // SAFETY: the caller guarantees that there is no second thread.
        unsafe { std::env::remove_var(name) };
    }
    // The shell of root, too: a seat finds the account's own.
    for name in ["DBUS_SESSION_BUS_ADDRESS", "WAYLAND_DISPLAY", "DISPLAY", "XAUTHORITY", "MAIL", "SHELL"] {
        // SAFETY: the caller guarantees that there is no second thread.
        unsafe { std::env::remove_var(name) };
    }
    for (name, value) in [("HOME", home.as_os_str()), ("USER", OsStr::new(&account.name))] {
        // SAFETY: the caller guarantees that there is no second thread.
        unsafe { std::env::set_var(name, value) };
    }
    // SAFETY: the caller guarantees that there is no second thread.
    unsafe { std::env::set_var("LOGNAME", &account.name) };
    // A working directory of root may be closed to the new user; applications inherit it.
    if let Err(error) = std::env::set_current_dir(home) {
        tracing::debug!(%error, home = %home.display(), "cannot change to the home directory");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_account_is_found_by_its_number() {
        let account = Account::current().unwrap();
        assert_eq!(account.uid, current_user_id());
        assert!(!account.name.is_empty());
        assert!(account.home.is_absolute());
    }
}
