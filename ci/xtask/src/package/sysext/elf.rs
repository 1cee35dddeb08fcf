//! What a program or library asks of the one that loads it, as `readelf` tells it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::program;

/// What an ELF file asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Libraries, by the names under which they are looked for.
    pub needed: BTreeSet<String>,
    /// Where they are looked for first.
    pub runpath: Option<String>,
    /// Versions of symbols: kind and number, such as GLIBC and 2.34.
    pub versions: BTreeSet<(String, String)>,
}

/// Reads a file; none when it is no ELF file.
pub fn read(file: &Path) -> Result<Option<Facts>> {
    let meta = std::fs::symlink_metadata(file)?;
    let mut magic = [0; 4];
    if !meta.is_file()
        || meta.len() < 64
        || File::open(file)?.read_exact(&mut magic).is_err()
        || &magic != b"\x7fELF"
    {
        return Ok(None);
    }
    let mut readelf = Command::new("readelf");
    readelf.args(["--wide", "--dynamic", "--version-info"]).arg(file).env("LC_ALL", "C");
    let text =
        program::output(&mut readelf).with_context(|| format!("readelf cannot read {}", file.display()))?;
    Ok(Some(parse(&text)))
}

fn parse(text: &str) -> Facts {
    let mut facts = Facts::default();
    for line in text.lines() {
        let bracketed = line.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(name, _)| name);
        if line.contains("(NEEDED)") {
            facts.needed.extend(bracketed.map(str::to_owned));
        } else if line.contains("(RUNPATH)") || line.contains("(RPATH)") {
            facts.runpath = bracketed.map(str::to_owned);
        } else if let Some((_, rest)) = line.split_once("Name: ")
            // What is needed has flags behind it; what is provided has an index before it.
            && rest.contains("Flags: ")
            && let Some((kind, version)) = rest.split_whitespace().next().and_then(|name| name.split_once('_'))
        {
            facts.versions.insert((kind.to_owned(), version.to_owned()));
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_readelf_says_is_understood() {
        let text = "\
 0x0000000000000001 (NEEDED)             Shared library: [libavutil.so.57]
 0x000000000000001d (RUNPATH)            Library runpath: [$ORIGIN/lib]
Version definition section '.gnu.version_d' contains 2 entries:
  000000: Rev: 1  Flags: BASE  Index: 1  Cnt: 1  Name: libx.so
Version needs section '.gnu.version_r' contains 3 entries:
 000000: Version: 1  File: libstdc++.so.6  Cnt: 3
  0x0010:   Name: GLIBCXX_3.4.29  Flags: none  Version: 15
  0x0020:   Name: GLIBC_PRIVATE  Flags: none  Version: 12
";
        let facts = parse(text);
        assert_eq!(facts.needed.into_iter().collect::<Vec<_>>(), ["libavutil.so.57"]);
        assert_eq!(facts.runpath.as_deref(), Some("$ORIGIN/lib"));
        let versions: Vec<_> =
            facts.versions.iter().map(|(kind, version)| format!("{kind}_{version}")).collect();
        assert_eq!(versions, ["GLIBC_PRIVATE", "GLIBCXX_3.4.29"]);
    }

    #[test]
    fn a_real_program_needs_the_c_library_and_a_text_nothing() {
        let own = std::env::current_exe().unwrap();
        let facts = read(&own).unwrap().unwrap();
        assert!(facts.needed.iter().any(|name| name.starts_with("libc.so")), "{facts:?}");
        assert!(facts.versions.iter().any(|(kind, _)| kind == "GLIBC"));
        assert_eq!(read(&program::root().join("README.md")).unwrap(), None);
    }
}
