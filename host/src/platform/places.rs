//! Where configuration, state and runtime files belong.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::path::{Path, PathBuf};

use super::account::{Account, PlatformError, Scope, current_user_id};

/// The directories of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Whose host this is.
    pub scope: Scope,
    /// Holds the configuration file.
    pub config: PathBuf,
    /// Holds identity and paired clients.
    pub state: PathBuf,
    /// Holds sockets; gone after a restart of the machine.
    pub runtime: PathBuf,
}

impl Places {
    /// The places for whoever runs this process. Nothing is made.
    pub fn find() -> Result<Self, PlatformError> {
        let account = Account::current();
        let uid = current_user_id();
        if uid == 0 || account.as_ref().is_some_and(Account::is_of_the_host) {
            return Ok(Self {
                scope: Scope::System,
                config: "/etc/punktfunk".into(),
                state: "/var/lib/punktfunk".into(),
                runtime: "/run/punktfunk".into(),
            });
        }
        let variable =
            |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = variable("HOME").or_else(|| account.map(|account| account.home));
        let below_home = |name: &'static str, rest: &str| {
            let base = variable(name).or_else(|| home.as_ref().map(|home| home.join(rest)));
            base.map(|base| base.join("punktfunk")).ok_or(PlatformError::NoPlace(name))
        };
        Ok(Self {
            scope: Scope::User,
            config: below_home("XDG_CONFIG_HOME", ".config")?,
            state: below_home("XDG_STATE_HOME", ".local/state")?,
            runtime: variable("XDG_RUNTIME_DIR")
                .map_or_else(|| format!("/tmp/punktfunk-{uid}").into(), |dir| dir.join("punktfunk")),
        })
    }

    /// Makes state and runtime directory for `account`, while still root.
    pub fn make_for(&self, account: &Account) -> Result<(), PlatformError> {
        for dir in [&self.state, &self.runtime] {
            if !dir.exists() {
                make_private(dir)?;
                chown(dir, Some(account.uid), Some(account.gid)).map_err(|error| {
                    directory(dir, format!("cannot be given to {} ({error})", account.name))
                })?;
            }
            let owner = dir.metadata().map_err(|error| directory(dir, error.to_string()))?.uid();
            if owner != account.uid {
                let what = format!("must belong to {0}: run `chown -R {0} {1}`", account.name, dir.display());
                return Err(directory(dir, what));
            }
        }
        Ok(())
    }

    /// Makes the runtime directory when it is missing and checks that it is ours:
    /// in a directory of somebody else, the sockets could be replaced.
    pub fn make_runtime(&self) -> Result<(), PlatformError> {
        if !self.runtime.exists() {
            make_private(&self.runtime)?;
        }
        // Not following links: /tmp may hold one that somebody else made.
        let found =
            self.runtime.symlink_metadata().map_err(|error| directory(&self.runtime, error.to_string()))?;
        if !found.is_dir() || found.uid() != current_user_id() || found.mode() & 0o022 != 0 {
            let what = "must be a directory that only its owner, the user of this host, can write to: \
                        remove it and start again";
            return Err(directory(&self.runtime, what.to_owned()));
        }
        Ok(())
    }
}

fn make_private(dir: &Path) -> Result<(), PlatformError> {
    // Root makes them for another user, who must be able to pass the ones above.
    dir.parent()
        .map_or(Ok(()), |above| DirBuilder::new().recursive(true).mode(0o755).create(above))
        .and_then(|()| DirBuilder::new().mode(0o700).create(dir))
        .map_err(|error| directory(dir, format!("cannot be made ({error}); make it by hand")))
}

fn directory(path: &Path, what: String) -> PlatformError {
    PlatformError::Directory { path: path.to_owned(), what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_directory_that_others_can_write_to_is_refused() {
        let base = std::env::temp_dir().join(format!("pf-places-{}", std::process::id()));
        let mut places = Places::find().unwrap();
        places.runtime = base.join("runtime");
        places.make_runtime().unwrap();
        places.make_runtime().unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(&places.runtime, open).unwrap();
        assert!(places.make_runtime().is_err());
        std::fs::remove_dir_all(&places.runtime).unwrap();
        std::os::unix::fs::symlink("/", &places.runtime).unwrap();
        assert!(places.make_runtime().is_err());
        std::fs::remove_dir_all(&base).unwrap();
    }
}
