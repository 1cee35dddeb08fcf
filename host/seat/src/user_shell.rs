//! Which shell a terminal runs.
//!
//! A host that is a service runs as a user who must not log in: that account's shell is
//! `nologin`, and where no `SHELL` is inherited (a service, a clean environment) every
//! terminal would ask the user database, run it, and close at once.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// Tried when neither the environment nor the account names a shell that can be used.
const FALLBACK: [&str; 2] = ["/bin/bash", "/bin/sh"];

/// Shells that only say no. Their names are the same on every distribution.
const REFUSING: [&str; 3] = ["nologin", "false", "true"];

/// What `SHELL` has to be for programs of a seat: the inherited one, else that of the
/// account, else one that is installed.
pub fn find(inherited: Option<&OsStr>, account: Option<PathBuf>) -> PathBuf {
    let candidates = [inherited.map(PathBuf::from), account].into_iter().flatten();
    let mut candidates = candidates.chain(FALLBACK.map(PathBuf::from));
    candidates.find(|shell| is_usable(shell)).unwrap_or_else(|| FALLBACK[1].into())
}

fn is_usable(shell: &Path) -> bool {
    let refuses = shell.file_name().is_none_or(|name| REFUSING.iter().any(|no| name == *no));
    shell.is_absolute() && !refuses && shell.is_file() && access(shell, Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inherited_shell_is_kept_and_one_that_says_no_is_not() {
        let find = |inherited: Option<&str>, account: Option<&str>| {
            find(inherited.map(OsStr::new), account.map(PathBuf::from))
        };
        assert_eq!(find(Some("/bin/sh"), Some("/bin/bash")), Path::new("/bin/sh"));
        assert_eq!(find(None, Some("/bin/sh")), Path::new("/bin/sh"));
        for no in [
            "/usr/sbin/nologin",
            "/sbin/nologin",
            "/bin/false",
            "/bin/true",
            "",
            "sh",
            "/bin",
            "/nonexistent",
        ] {
            assert_eq!(find(Some(no), Some("/bin/sh")), Path::new("/bin/sh"), "{no}");
            let found = find(None, Some(no));
            assert!(FALLBACK.iter().any(|shell| found == Path::new(shell)), "{no}: {found:?}");
        }
        // A file that cannot be run.
        assert_eq!(find(Some("/etc/passwd"), Some("/bin/sh")), Path::new("/bin/sh"));
    }
}
