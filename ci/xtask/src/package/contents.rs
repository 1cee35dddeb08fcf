//! What a package really holds, file by file, and whether all formats hold the same.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::manifest::{Format, Manifest, walk};
use crate::program;

/// What a package says of one file.
#[derive(PartialEq, Eq)]
pub struct Fact {
    mode: u32,
    /// User and group.
    owner: (u32, u32),
    bytes: Bytes,
}

#[derive(PartialEq, Eq)]
enum Bytes {
    File(Vec<u8>),
    Link(PathBuf),
}

/// The files of a package by their place on the system.
pub type Facts = BTreeMap<String, Fact>;

/// Unpacks `package` into the empty folder `into` and reads what came out.
pub fn of(format: Format, package: &Path, into: &Path) -> Result<Facts> {
    if into.exists() {
        fs::remove_dir_all(into)?;
    }
    fs::create_dir_all(into)?;
    let unpack = match format {
        Format::Deb => "dpkg-deb --fsys-tarfile \"$1\" | bsdtar -xpf - --numeric-owner",
        _ => "bsdtar -xpf \"$1\" --numeric-owner",
    };
    let mut shell = Command::new("sh");
    shell.args(["-ec", unpack, "sh"]).arg(package).current_dir(into);
    ensure!(program::output(&mut shell).is_some(), "{} cannot be unpacked", package.display());
    let mut facts = read(into)?;
    // What pacman reads of a package; it is not installed.
    facts.retain(|name, _| format != Format::Arch || !name.starts_with("/."));
    Ok(facts)
}

/// What lies below `folder`.
pub fn read(folder: &Path) -> Result<Facts> {
    let mut files = Vec::new();
    walk(folder, &mut files)?;
    let mut facts = Facts::new();
    for file in files {
        let name = Path::new("/").join(file.strip_prefix(folder)?);
        let about = file.symlink_metadata()?;
        let bytes = if about.is_symlink() {
            Bytes::Link(fs::read_link(&file)?)
        } else {
            Bytes::File(fs::read(&file).with_context(|| format!("reading {}", file.display()))?)
        };
        // Who is not root cannot give files away.
        let owner = if program::is_root() { (about.uid(), about.gid()) } else { (0, 0) };
        // The mode of a link means nothing and differs.
        let mode = if about.is_symlink() { 0 } else { about.permissions().mode() & 0o7777 };
        facts.insert(name.display().to_string(), Fact { mode, owner, bytes });
    }
    Ok(facts)
}

/// Everything that `packages` do not hold as `manifest` says, and that is not the same in
/// all of them: one line each.
pub fn differences(manifest: &Manifest, packages: &[(Format, Facts)]) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for (format, facts) in packages {
        for name in facts.keys() {
            if !manifest.of(*format).any(|entry| entry.to == *name) {
                lines.push(format!("{format:?} holds {name}, which the manifest does not list"));
            }
        }
    }
    for entry in &manifest.entries {
        let mut first: Option<(Format, &Fact)> = None;
        for (format, facts) in packages {
            let fact = facts.get(&entry.to);
            match (entry.is_in(*format), fact) {
                (false, _) => continue,
                (true, None) => lines.push(format!("{format:?} lacks {}", entry.to)),
                (true, Some(fact)) => {
                    let mode = if entry.link.is_some() { 0 } else { entry.mode()? };
                    if fact.mode != mode || fact.owner != (0, 0) {
                        let (is, of) = (fact.mode, fact.owner);
                        lines.push(format!("{format:?}: {} has mode {is:o} and is of {of:?}", entry.to));
                    }
                    let linked = entry.link.as_ref().map(PathBuf::from);
                    if linked.is_some_and(|target| fact.bytes != Bytes::Link(target)) {
                        lines.push(format!("{format:?}: {} does not lead where it should", entry.to));
                    }
                    match first {
                        None => first = Some((*format, fact)),
                        Some((other, same)) if same.bytes != fact.bytes => {
                            lines.push(format!("{} differs between {other:?} and {format:?}", entry.to));
                        }
                        Some(_) => {}
                    }
                }
            }
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(text: &str, mode: u32) -> Fact {
        Fact { mode, owner: (0, 0), bytes: Bytes::File(text.into()) }
    }

    #[test]
    fn every_kind_of_difference_is_found() {
        let manifest: Manifest = toml::from_str(
            "[[entry]]\nto = '/usr/a'\nfrom = 'made:a'\n[[entry]]\nto = '/usr/b'\nlink = 'a'\n\
             [[entry]]\nto = '/etc/c'\nfrom = 'made:c'\nformats = ['deb']\nwhy = 'w'\n",
        )
        .unwrap();
        let link = |to: &str| Fact { mode: 0, owner: (0, 0), bytes: Bytes::Link(to.into()) };
        let good = |text: &str| {
            Facts::from([("/usr/a".to_owned(), fact(text, 0o644)), ("/usr/b".to_owned(), link("a"))])
        };
        let deb = || {
            let mut deb = good("x");
            deb.insert("/etc/c".to_owned(), fact("c", 0o644));
            deb
        };
        let same = [(Format::Deb, deb()), (Format::Rpm, good("x"))];
        assert!(differences(&manifest, &same).unwrap().is_empty());

        let mut strange = good("y");
        strange.insert("/usr/b".to_owned(), link("elsewhere"));
        strange.insert("/usr/new".to_owned(), fact("", 0o644));
        let mut poor = good("x");
        poor.insert("/usr/a".to_owned(), fact("x", 0o600));
        poor.remove("/usr/b");
        let lines =
            differences(&manifest, &[(Format::Deb, deb()), (Format::Rpm, strange), (Format::Arch, poor)]);
        let lines = lines.unwrap().join("\n");
        for said in [
            "Rpm holds /usr/new",
            "/usr/a differs between Deb and Rpm",
            "Rpm: /usr/b does not lead",
            "Arch: /usr/a has mode 600",
            "Arch lacks /usr/b",
        ] {
            assert!(lines.contains(said), "{said}: {lines}");
        }
    }
}
