//! Where the whole system is one image, bootc brings the next one and puts it beside the one
//! that runs; it takes effect when the machine restarts, which is not ours to do.
//!
//! What bootc says is its `status --json --format-version=1` (`org.containers.bootc/v1`).

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use super::{Told, UpdateState};
use crate::platform::command::must;

/// Only images have it: `image/manifest.toml`.
const MARK: &str = "usr/lib/bootc/install/10-punktfunk.toml";
/// Longest for a look at what there is, over a slow line.
const LOOK: Duration = Duration::from_secs(5 * 60);
/// Longest for bringing a whole system.
const BRING: Duration = Duration::from_secs(4 * 60 * 60);

/// Why the next image was not brought.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageError {
    /// bootc refused, or could not.
    #[error("{what} failed: {why}")]
    Bootc {
        /// What was to be done.
        what: &'static str,
        /// What it said.
        why: String,
    },
    /// The system that runs is none of bootc's.
    #[error("this system was not started by bootc: install the image with bootc to have it updated")]
    NotBooted,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How things stand.
    pub told: Told,
    /// Somebody plays: something newer waits until nobody does.
    pub waits: bool,
}

/// Whether the system below `root` is an image of ours.
pub fn is_one(root: &Path) -> bool {
    root.join(MARK).is_file()
}

/// Looks what there is, and brings it unless it is only to `look` or somebody plays.
pub fn update(bootc: &Path, look: bool, playing: &dyn Fn() -> Option<String>) -> Result<Found, ImageError> {
    run(bootc, &["upgrade", "--check", "--quiet"], LOOK, "looking for a newer image")?;
    let told = status(bootc)?.told()?;
    let found = |told, waits| Ok(Found { told, waits });
    if look || told.state != UpdateState::Available {
        return found(told, false);
    }
    if let Some(who) = playing() {
        let detail = format!("{} It waits: {who}.", told.detail);
        return found(Told { detail, ..told }, true);
    }
    run(bootc, &["upgrade", "--quiet"], BRING, "bringing the newer image")?;
    found(status(bootc)?.told()?, false)
}

fn status(bootc: &Path) -> Result<Status, ImageError> {
    let what = "asking bootc";
    let said = run(bootc, &["status", "--json", "--format-version=1"], LOOK, what)?;
    parse(&said).map_err(|why| ImageError::Bootc { what, why })
}

fn run(bootc: &Path, words: &[&str], limit: Duration, what: &'static str) -> Result<String, ImageError> {
    must(Command::new(bootc).args(words), limit).map_err(|why| ImageError::Bootc { what, why })
}

fn parse(said: &str) -> Result<Status, String> {
    serde_json::from_str::<Host>(said).map(|host| host.status).map_err(|error| error.to_string())
}

#[derive(Debug, Deserialize)]
struct Host {
    status: Status,
}

/// What of bootc's status matters here.
#[derive(Debug, Deserialize)]
struct Status {
    staged: Option<Entry>,
    booted: Option<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    image: Option<Image>,
    cached_update: Option<Image>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    image: Reference,
    version: Option<String>,
    image_digest: String,
}

#[derive(Debug, Deserialize)]
struct Reference {
    image: String,
}

impl Image {
    /// What a person calls it.
    fn name(&self) -> String {
        self.version.clone().unwrap_or_else(|| self.image_digest.chars().take(19).collect())
    }
}

impl Status {
    fn told(self) -> Result<Told, ImageError> {
        let booted = self.booted.ok_or(ImageError::NotBooted)?;
        let image = booted.image.ok_or(ImageError::NotBooted)?;
        let staged = self.staged.and_then(|entry| entry.image);
        let newer = booted.cached_update.filter(|update| update.image_digest != image.image_digest);
        // Something newer still may have come since the last one was put there.
        let told = match (staged, newer) {
            (Some(staged), newer)
                if newer.as_ref().is_none_or(|new| new.image_digest == staged.image_digest) =>
            {
                let name = staged.name();
                let detail = format!("{name} is here and runs when the machine restarts.");
                Told::plain(UpdateState::Staged, detail).with(name)
            }
            (_, Some(newer)) => {
                let name = newer.name();
                Told::plain(UpdateState::Available, format!("{name} is there.")).with(name)
            }
            _ => Told::plain(UpdateState::None, format!("{} runs; there is nothing newer.", image.name())),
        };
        Ok(Told { channel: Some(image.image.image), ..told })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;

    use super::*;

    fn image(version: &str) -> serde_json::Value {
        serde_json::json!({
            "image": { "image": "example.org/punktfunk:1", "transport": "registry" },
            "version": version, "timestamp": null, "architecture": "amd64",
            "imageDigest": format!("sha256:{version:0>64}"),
        })
    }

    fn host(staged: Option<&str>, update: Option<&str>) -> String {
        serde_json::json!({
            "apiVersion": "org.containers.bootc/v1", "kind": "BootcHost", "metadata": { "name": "host" },
            "spec": { "image": null },
            "status": {
                "staged": staged.map(|version| serde_json::json!({ "image": image(version), "cachedUpdate": null })),
                "booted": {
                    "image": image("1"), "cachedUpdate": update.map(image),
                    "incompatible": false, "pinned": false,
                },
                "rollback": null, "rollbackQueued": false, "type": "bootcHost",
            },
        })
        .to_string()
    }

    fn told(staged: Option<&str>, update: Option<&str>) -> (UpdateState, Option<String>) {
        let told = parse(&host(staged, update)).unwrap().told().unwrap();
        assert_eq!(told.channel.as_deref(), Some("example.org/punktfunk:1"));
        (told.state, told.available.map(|available| available.version))
    }

    #[test]
    fn what_bootc_says_is_one_word() {
        let version = |text: &str| Some(text.to_owned());
        assert_eq!(told(None, None), (UpdateState::None, None));
        assert_eq!(told(None, Some("1")), (UpdateState::None, None));
        assert_eq!(told(None, Some("2")), (UpdateState::Available, version("2")));
        assert_eq!(told(Some("2"), Some("2")), (UpdateState::Staged, version("2")));
        assert_eq!(told(Some("2"), None), (UpdateState::Staged, version("2")));
        assert_eq!(told(Some("2"), Some("3")), (UpdateState::Available, version("3")));
    }

    #[test]
    fn a_system_that_bootc_did_not_start_is_told() {
        let said = r#"{"status":{"staged":null,"booted":null,"rollback":null}}"#;
        assert_eq!(parse(said).unwrap().told(), Err(ImageError::NotBooted));
        assert!(parse("{}").is_err());
    }

    /// A program in bootc's place, which notes what it was asked and has `status` ready
    /// before and after it was to bring something.
    fn stand_in(name: &str, before: &str, after: &str) -> (PathBuf, PathBuf) {
        let base = std::env::temp_dir().join(format!("pf-bootc-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&base);
        std::fs::create_dir_all(&base).unwrap();
        std::fs::write(base.join("status"), before).unwrap();
        std::fs::write(base.join("after"), after).unwrap();
        let text = "#!/bin/sh\ncd \"${0%/*}\"\necho \"$*\" >>asked\ncase \"$*\" in\n\
                    status*) cat status ;;\n*--check*) ;;\nupgrade*) mv after status ;;\n*) exit 1 ;;\nesac\n";
        let program = base.join("bootc");
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        (program, base)
    }

    fn asked(base: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(base.join("asked")).unwrap();
        std::fs::remove_dir_all(base).unwrap();
        text.lines().map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect()
    }

    const LOOKED: [&str; 2] = ["upgrade --check", "status --json"];

    #[test]
    fn something_newer_is_brought_when_nobody_plays() {
        let (bootc, base) = stand_in("brought", &host(None, Some("2")), &host(Some("2"), Some("2")));
        let found = update(&bootc, false, &|| None).unwrap();
        assert_eq!((found.told.state, found.waits), (UpdateState::Staged, false));
        assert_eq!(asked(&base), [LOOKED[0], LOOKED[1], "upgrade --quiet", LOOKED[1]]);
    }

    #[test]
    fn it_waits_for_who_plays_and_only_looks_when_told() {
        for (name, look, waits) in [("plays", false, true), ("looks", true, false)] {
            let (bootc, base) = stand_in(name, &host(None, Some("2")), "");
            let found = update(&bootc, look, &|| Some("\"tv\" plays".to_owned())).unwrap();
            assert_eq!((found.told.state, found.waits), (UpdateState::Available, waits));
            assert_eq!(found.told.detail.contains("\"tv\" plays"), waits, "{}", found.told.detail);
            assert_eq!(asked(&base), LOOKED);
        }
    }

    #[test]
    fn without_bootc_it_is_told() {
        let error = update(Path::new("/nonexistent/bootc"), true, &|| None).unwrap_err();
        assert!(error.to_string().starts_with("looking for a newer image failed: "), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn any_answer_is_read_or_refused(said in r#"\{"status":\{"(staged|booted)":[ -~]{0,60}\}\}"#) {
            let _ = parse(&said).map(Status::told);
        }
    }
}
