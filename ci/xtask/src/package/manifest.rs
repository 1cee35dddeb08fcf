//! `image/manifest.toml`: what is installed where. Read and held against the tree: a file
//! that nobody installs and an entry without a file are mistakes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::program;

/// A form in which punktfunk reaches machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Debian and its relatives.
    Deb,
    /// Fedora and its relatives.
    Rpm,
    /// Arch and its relatives.
    Arch,
    /// A system extension, merged over `/usr`.
    Sysext,
    /// The image of the whole system.
    Image,
}

/// The list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What is installed.
    #[serde(rename = "entry")]
    pub entries: Vec<Entry>,
}

/// One file or link.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Absolute, on the system.
    pub to: String,
    /// Where it is from; see [`Source`].
    #[serde(default)]
    from: Option<String>,
    /// The target of a symbolic link.
    #[serde(default)]
    pub link: Option<String>,
    #[serde(default)]
    mode: Option<String>,
    #[serde(default)]
    owner: Option<String>,
    #[serde(default)]
    formats: Option<Vec<Format>>,
    #[serde(default)]
    why: Option<String>,
    /// A file of the administrator's.
    #[serde(default)]
    pub config: bool,
}

/// Where the bytes of an entry are from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file of the source tree, relative to its root.
    Tree(PathBuf),
    /// A program that cargo has built.
    Program(String),
    /// What `punktfunk-host generate` prints.
    Made(String),
    /// What the format writes itself.
    Packager(String),
    /// The target of a link.
    Link(String),
}

impl Manifest {
    /// The one of this source tree.
    pub fn read() -> Result<Self> {
        let file = program::root().join("image/manifest.toml");
        let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let manifest = Self::parse(&text)?;
        manifest.covers(&program::root().join("image/rootfs"))?;
        Ok(manifest)
    }

    fn parse(text: &str) -> Result<Self> {
        let manifest: Self = toml::from_str(text).context("reading image/manifest.toml")?;
        let mut places = BTreeSet::new();
        for entry in &manifest.entries {
            entry.check().with_context(|| format!("image/manifest.toml: {}", entry.to))?;
            ensure!(places.insert(&entry.to), "image/manifest.toml: {} stands there twice", entry.to);
        }
        Ok(manifest)
    }

    /// What `format` carries.
    pub fn of(&self, format: Format) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.is_in(format))
    }

    /// Nothing of `rootfs` is left out.
    fn covers(&self, rootfs: &Path) -> Result<()> {
        let mut files = Vec::new();
        walk(rootfs, &mut files)?;
        for file in files {
            let to = Path::new("/").join(file.strip_prefix(rootfs)?);
            let known = self.entries.iter().any(|entry| Path::new(&entry.to) == to);
            ensure!(
                known,
                "{} is not in image/manifest.toml: add it, with its mode",
                program::relative(&file)
            );
        }
        Ok(())
    }
}

impl Entry {
    /// Where its bytes are from, and whether they are packed.
    pub fn source(&self) -> Result<(Source, bool)> {
        if let Some(link) = &self.link {
            return Ok((Source::Link(link.clone()), false));
        }
        let from = self.from.as_deref().unwrap_or("rootfs");
        let (kind, name) = from.split_once(':').unwrap_or((from, ""));
        let (kind, packed) = kind.strip_suffix(".gz").map_or((kind, false), |kind| (kind, true));
        let name = name.to_owned();
        let source = match kind {
            "rootfs" => Source::Tree(format!("image/rootfs{}", self.to).into()),
            "repo" => Source::Tree(name.into()),
            "program" => Source::Program(name),
            "made" => Source::Made(name),
            "packager" => Source::Packager(name),
            _ => bail!("`from` cannot be {from:?}"),
        };
        Ok((source, packed))
    }

    /// Its mode; links have none.
    pub fn mode(&self) -> Result<u32> {
        let text = self.mode.as_deref().unwrap_or("0644");
        u32::from_str_radix(text, 8).with_context(|| format!("{text:?} is no mode, such as \"0644\""))
    }

    /// Whether `format` carries it.
    pub fn is_in(&self, format: Format) -> bool {
        self.formats.as_ref().is_none_or(|formats| formats.contains(&format))
    }

    fn check(&self) -> Result<()> {
        let plain = self.to.starts_with('/')
            && !self.to.split('/').skip(1).any(|part| matches!(part, "" | "." | ".."));
        ensure!(plain, "`to` has to be a plain absolute path");
        ensure!(self.link.is_none() || (self.from.is_none() && self.mode.is_none()), "a link is only a link");
        ensure!(self.owner.as_deref().is_none_or(|owner| owner == "root:root"), "all of it is root's");
        ensure!(self.formats.is_none() == self.why.is_none(), "`formats` needs a `why`, and only it does");
        let mode = self.mode()?;
        ensure!(
            matches!(mode, 0o644 | 0o755),
            "the mode is 0644 or 0755: nothing is set-uid, secret or open"
        );
        let (source, _) = self.source()?;
        let outside = ["/usr/", "/etc/"].iter().all(|place| !self.to.starts_with(place));
        ensure!(!outside, "only /usr and, for packages, /etc");
        let everywhere = [Format::Sysext, Format::Image].iter().any(|format| self.is_in(*format));
        ensure!(self.to.starts_with("/usr/") || !everywhere, "an extension and an image hold only /usr");
        ensure!(
            self.config == self.to.starts_with("/etc/"),
            "what is in /etc is `config`, and nothing else is"
        );
        if let Source::Tree(file) = source {
            ensure!(program::root().join(&file).is_file(), "{} is not there", file.display());
        }
        Ok(())
    }
}

/// Every file and link below `folder`.
pub fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMATS: [Format; 5] = [Format::Deb, Format::Rpm, Format::Arch, Format::Sysext, Format::Image];

    #[test]
    fn the_manifest_covers_the_tree_and_nothing_is_open() {
        let manifest = Manifest::read().unwrap();
        for format in FORMATS {
            let carries = |to: &str| manifest.of(format).any(|entry| entry.to == to);
            assert!(carries("/usr/lib/punktfunk/punktfunk-host"), "{format:?}");
            assert!(carries("/usr/lib/systemd/user/punktfunk-host.service"), "{format:?}");
            // A copy of what a machine makes itself would hide that of others.
            assert!(
                !manifest.of(format).any(|entry| entry.to.contains("/sbin/") || entry.to.ends_with(".cache"))
            );
        }
    }

    #[test]
    fn every_mistake_is_told() {
        let wrong = [
            "to = '/usr/../etc/shadow'\nlink = 'x'",
            "to = 'usr/bin/x'\nlink = 'x'",
            "to = '/opt/x'\nlink = 'x'",
            "to = '/etc/x'\nlink = 'x'\nconfig = true",
            "to = '/etc/x'\nlink = 'x'\nformats = ['deb']\nwhy = 'w'",
            "to = '/usr/x'\nlink = 'x'\nconfig = true",
            "to = '/usr/x'\nfrom = 'made:man'\nmode = '4755'",
            "to = '/usr/x'\nfrom = 'made:man'\nmode = '0666'",
            "to = '/usr/x'\nfrom = 'made:man'\nowner = 'punktfunk:punktfunk'",
            "to = '/usr/x'\nfrom = 'made:man'\nformats = ['deb']",
            "to = '/usr/x'\nfrom = 'web:x'",
            "to = '/usr/x'\nfrom = 'repo:no/such/file'",
            "to = '/usr/x'\nlink = 'x'\nfrom = 'made:man'",
            "to = '/usr/x'\nlink = 'x'\n[[entry]]\nto = '/usr/x'\nlink = 'y'",
            "to = '/usr/x'\nlink = 'x'\nsize = 3",
        ];
        for text in wrong {
            assert!(Manifest::parse(&format!("[[entry]]\n{text}")).is_err(), "{text}");
        }
        Manifest::parse("[[entry]]\nto = '/etc/x'\nlink = 'x'\nconfig = true\nformats = ['deb']\nwhy = 'w'")
            .unwrap();
    }
}
