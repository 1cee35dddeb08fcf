//! `sysext/contract.toml`: what the extension may ask of a machine and must not do to it.
//!
//! A file in an extension lies over the machine's own. So every file is ours by its name,
//! everything it needs is either on every machine or carried, and nothing is newer than the
//! oldest system it is for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::elf;
use crate::package::manifest::walk;
use crate::program;

/// The rules.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Contract {
    /// Highest version of each kind of symbol.
    floor: BTreeMap<String, String>,
    /// Libraries of every machine.
    host_libraries: BTreeMap<String, String>,
    /// Libraries that are carried, with their licences.
    pub carried_libraries: BTreeMap<String, String>,
    required: Required,
    forbidden: Forbidden,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Required {
    paths: Vec<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Forbidden {
    folders: Vec<PathBuf>,
    names: Vec<String>,
}

impl Contract {
    /// Those of this source tree.
    pub fn read() -> Result<Self> {
        let text = fs::read_to_string(program::root().join("sysext/contract.toml"))?;
        toml::from_str(&text).context("reading sysext/contract.toml")
    }

    /// Whether every machine has this library.
    pub fn is_of_the_host(&self, library: &str) -> bool {
        self.host_libraries.contains_key(library)
    }

    /// What a tree does that it must not; nothing when it may be packed.
    pub fn violations(&self, tree: &Path) -> Result<Vec<String>> {
        let mut files = Vec::new();
        walk(tree, &mut files)?;
        let mut wrong = Vec::new();
        for path in &self.required.paths {
            // A link has to lead somewhere inside.
            if !tree.join(path).exists() {
                wrong.push(format!("{} is missing", path.display()));
            }
        }
        let carried: BTreeSet<String> = files.iter().filter_map(|file| library_name(tree, file)).collect();
        for file in &files {
            let inside = file.strip_prefix(tree)?;
            let mut complain = |what: String| wrong.push(format!("{}: {what}", inside.display()));
            self.place(inside, &mut complain);
            kind(tree, file, &mut complain)?;
            if let Some(facts) = elf::read(file)? {
                self.program(&facts, &carried, &mut complain);
            }
        }
        Ok(wrong)
    }

    fn place(&self, inside: &Path, complain: &mut impl FnMut(String)) {
        if let Some(folder) = self.forbidden.folders.iter().find(|folder| inside.starts_with(folder)) {
            complain(format!("nothing may lie in {}", folder.display()));
        }
        if !inside.starts_with("usr") {
            complain("an extension is laid over usr only".to_owned());
        }
        let name = inside.file_name().unwrap_or_default().to_string_lossy();
        if self.forbidden.names.iter().any(|forbidden| *forbidden == name) {
            complain("the machine makes that itself".to_owned());
        }
        // Whatever is not called like us could be a file of the machine, or of its next version.
        if !inside.to_string_lossy().contains("punktfunk") {
            complain("its path does not say punktfunk: it may lie over a file of the machine".to_owned());
        }
    }

    fn program(&self, facts: &elf::Facts, carried: &BTreeSet<String>, complain: &mut impl FnMut(String)) {
        for library in &facts.needed {
            let ours = carried.contains(library) && self.carried_libraries.contains_key(library);
            if !ours && !self.is_of_the_host(library) {
                complain(format!("needs {library}, which is neither on every machine nor carried"));
            }
            if ours && facts.runpath.is_none() {
                complain(format!("needs {library} and does not say where it is"));
            }
        }
        if let Some(path) = &facts.runpath
            && !matches!(path.as_str(), "$ORIGIN" | "$ORIGIN/lib")
        {
            complain(format!("looks for libraries in {path}"));
        }
        for (kind, version) in &facts.versions {
            let Some(floor) = self.floor.get(kind) else { continue };
            if numbers(version) > numbers(floor) {
                complain(format!("needs {kind}_{version}, newer than {floor}"));
            }
        }
    }
}

/// The name under which a carried library is found.
fn library_name(tree: &Path, file: &Path) -> Option<String> {
    let inside = file.strip_prefix(tree).ok()?;
    let name = inside.strip_prefix("usr/lib/punktfunk/lib").ok()?;
    Some(name.to_str()?.to_owned())
}

fn kind(tree: &Path, file: &Path, complain: &mut impl FnMut(String)) -> Result<()> {
    let meta = fs::symlink_metadata(file)?;
    let of = meta.file_type();
    if of.is_symlink() {
        let target = fs::read_link(file)?;
        let from = file.parent().unwrap_or(tree);
        if target.is_absolute() || !stays_inside(tree, from, &target) || !file.exists() {
            complain(format!("leads to {}, which is not in the extension", target.display()));
        }
        return Ok(());
    }
    if of.is_block_device() || of.is_char_device() || of.is_fifo() || of.is_socket() {
        complain("is no regular file".to_owned());
    }
    let mode = meta.permissions().mode() & 0o7777;
    if !matches!(mode, 0o644 | 0o755) {
        complain(format!("has the mode {mode:o}"));
    }
    Ok(())
}

fn stays_inside(tree: &Path, from: &Path, target: &Path) -> bool {
    let depth = from.strip_prefix(tree).map_or(0, |inside| inside.components().count());
    let mut depth = i64::try_from(depth).unwrap_or(0);
    target.components().all(|part| {
        depth += if part == Component::ParentDir { -1 } else { 1 };
        depth >= 0
    })
}

/// `2.36` as numbers; a word such as PRIVATE is above all of them.
fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map(|part| part.parse().unwrap_or(u64::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// What is told, and what leads to it.
    type Breach = (&'static str, fn(&Path));

    /// A tree that the contract allows, as far as it can be made without a build.
    fn tree(name: &str) -> PathBuf {
        let tree = std::env::temp_dir().join(format!("xtask-contract-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&tree);
        for path in Contract::read().unwrap().required.paths {
            put(&tree, path.to_str().unwrap(), b"text");
        }
        tree
    }

    fn put(tree: &Path, path: &str, bytes: &[u8]) {
        let file = tree.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, bytes).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    }

    fn wrong(tree: &Path) -> Vec<String> {
        Contract::read().unwrap().violations(tree).unwrap()
    }

    #[test]
    fn a_tree_with_all_it_needs_is_allowed() {
        let tree = tree("good");
        assert_eq!(wrong(&tree), Vec::<String>::new());
        symlink("../lib/punktfunk/punktfunk-host", tree.join("usr/bin/punktfunk-other")).unwrap();
        assert_eq!(wrong(&tree), Vec::<String>::new());
        fs::remove_dir_all(&tree).unwrap();
    }

    #[test]
    fn every_breach_is_told() {
        let breaches: [Breach; 9] = [
            ("is missing", |tree| fs::remove_file(tree.join("usr/bin/punktfunk-host")).unwrap()),
            ("nothing may lie in usr/sbin", |tree| put(tree, "usr/sbin/punktfunk-x", b"")),
            ("over usr only", |tree| put(tree, "srv/punktfunk", b"")),
            ("makes that itself", |tree| put(tree, "usr/share/icons/punktfunk/icon-theme.cache", b"")),
            ("may lie over a file of the machine", |tree| put(tree, "usr/lib/libc.so.6", b"")),
            ("not in the extension", |tree| {
                symlink("/etc/passwd", tree.join("usr/lib/punktfunk/a")).unwrap()
            }),
            ("not in the extension", |tree| {
                symlink("../../../../etc/punktfunk", tree.join("usr/lib/punktfunk/b")).unwrap();
            }),
            ("not in the extension", |tree| symlink("nothing", tree.join("usr/lib/punktfunk/c")).unwrap()),
            ("has the mode 4755", |tree| {
                let file = tree.join("usr/lib/punktfunk/punktfunk-seat");
                fs::set_permissions(file, fs::Permissions::from_mode(0o4755)).unwrap();
            }),
        ];
        for (number, (told, breach)) in breaches.into_iter().enumerate() {
            let tree = tree(&number.to_string());
            breach(&tree);
            let wrong = wrong(&tree);
            assert!(wrong.iter().any(|wrong| wrong.contains(told)), "{told}: {wrong:?}");
            fs::remove_dir_all(&tree).unwrap();
        }
    }

    #[test]
    fn what_a_program_needs_is_on_every_machine_or_carried() {
        let contract = Contract::read().unwrap();
        let carried = BTreeSet::from(["libavcodec.so.59".to_owned(), "libx264.so.164".to_owned()]);
        let told = |facts: elf::Facts| {
            let mut wrong = Vec::new();
            contract.program(&facts, &carried, &mut |what| wrong.push(what));
            wrong
        };
        let facts = |needed: &[&str], runpath: Option<&str>, versions: &[(&str, &str)]| elf::Facts {
            needed: needed.iter().map(|name| (*name).to_owned()).collect(),
            runpath: runpath.map(str::to_owned),
            versions: versions
                .iter()
                .map(|(kind, version)| ((*kind).to_owned(), (*version).to_owned()))
                .collect(),
        };
        let good = facts(&["libc.so.6", "libavcodec.so.59"], Some("$ORIGIN/lib"), &[("GLIBC", "2.36")]);
        assert_eq!(told(good), Vec::<String>::new());
        for bad in [
            facts(&["libfoo.so.1"], None, &[]),
            facts(&["libavutil.so.57"], Some("$ORIGIN"), &[]),
            facts(&["libx264.so.164"], Some("$ORIGIN"), &[]),
            facts(&["libavcodec.so.59"], None, &[]),
            facts(&[], Some("/home/somebody/lib"), &[]),
            facts(&[], None, &[("GLIBC", "2.37")]),
            facts(&[], None, &[("GLIBC", "PRIVATE")]),
            facts(&[], None, &[("GLIBCXX", "3.4.31")]),
        ] {
            assert_eq!(told(bad.clone()).len(), 1, "{bad:?}");
        }
        assert!(numbers("2.9") < numbers("2.36"));
    }

    #[test]
    fn nothing_that_is_carried_is_under_the_gpl_and_nothing_is_both() {
        let contract = Contract::read().unwrap();
        for (name, licence) in &contract.carried_libraries {
            assert!(licence.starts_with("LGPL") || !licence.contains("GPL"), "{name}: {licence}");
            assert!(!contract.is_of_the_host(name), "{name}");
        }
    }
}
