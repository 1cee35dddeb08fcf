//! The package for Fedora and its relatives, from the text in `rpm/`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::manifest::{Format, Manifest};
use super::stage::Stage;
use super::{depends, fill};
use crate::program;

/// Packs what `stage` has laid out.
pub fn build(stage: &Stage, into: &Path) -> Result<PathBuf> {
    let mut requires = String::new();
    for name in depends::of(Format::Rpm)? {
        writeln!(requires, "Requires:       {name}")?;
    }
    let manifest = Manifest::read()?;
    let mut files = String::new();
    let mut folders = std::collections::BTreeSet::new();
    for entry in manifest.of(Format::Rpm) {
        let mark = if entry.config { "%config(noreplace) " } else { "" };
        writeln!(files, "{mark}{}", entry.to)?;
        folders.extend(own_folder(&entry.to));
    }
    for folder in folders {
        writeln!(files, "%dir {folder}")?;
    }
    let mut date = Command::new("date");
    date.args(["--utc", "--date", &format!("@{}", stage.epoch), "+%a %b %d %Y"]).env("LC_ALL", "C");
    let date = program::output(&mut date).context("`date` failed")?;
    let changelog = format!(
        "* {} punktfunk <punktfunk@punktfunk.invalid> - {}-{}\n- What changes for people is in /usr/share/doc/punktfunk.",
        date.trim(),
        stage.version,
        stage.revision
    );
    let text = fs::read_to_string(program::root().join("rpm/punktfunk.spec"))?;
    let values = [
        ("VERSION", stage.version.clone()),
        ("REVISION", stage.revision.to_string()),
        ("REQUIRES", requires.trim_end().to_owned()),
        ("TREE", stage.tree.display().to_string()),
        ("FILES", files.trim_end().to_owned()),
        ("CHANGELOG", changelog),
    ];
    let spec = stage.work.join("punktfunk.spec");
    fs::write(&spec, fill(&text, &values)?)?;
    let mut pack = Command::new("rpmbuild");
    pack.args(["-bb", "--quiet", "--nodeps"])
        .arg("--define")
        .arg(format!("_topdir {}", stage.work.display()));
    pack.arg("--define").arg(format!("_rpmdir {}", into.display()));
    pack.args([
        "--define",
        "_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm",
        "--define",
        "_binary_payload w9.zstdio",
    ]);
    program::must(pack.arg(&spec).env("SOURCE_DATE_EPOCH", stage.epoch.to_string()))?;
    Ok(into.join(format!("punktfunk-{}-{}.{}.rpm", stage.version, stage.revision, std::env::consts::ARCH)))
}

/// The folder that is ours and in which `to` lies, as far up as it is ours.
fn own_folder(to: &str) -> Option<&str> {
    let end = to.find("/punktfunk/")? + "/punktfunk".len();
    to.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_ours_are_known_and_no_others() {
        assert_eq!(own_folder("/usr/lib/punktfunk/lib/x.so"), Some("/usr/lib/punktfunk"));
        assert_eq!(own_folder("/usr/share/doc/punktfunk/changelog.gz"), Some("/usr/share/doc/punktfunk"));
        assert_eq!(own_folder("/usr/bin/punktfunk-host"), None);
    }
}
