//! Versions, names of images, and the list of hashes (`SHA256SUMS`) that is signed. The
//! names are those that systemd's own updater understands (`punktfunk_@v_%a.raw`).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest version, bytes.
const MAX_VERSION: usize = 48;
/// Most lines of a list of hashes.
const MAX_LINES: usize = 1000;
/// Longest name of a file in it, bytes.
const MAX_NAME: usize = 128;

/// Most bytes of a list of hashes.
pub(super) const MAX_SUMS: u64 = 64 * 1024;

/// The version of a release: that of Cargo without what comes behind a plus sign, which
/// has no order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(semver::Version);

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:.60?} is no version: write it like 1.2.3");
        if text.len() > MAX_VERSION {
            return Err(wrong());
        }
        let version = semver::Version::parse(text).map_err(|_| wrong())?;
        if version.build.is_empty() { Ok(Self(version)) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for Version {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// What systemd calls the processor of this machine.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "x86-64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The file of a release.
pub fn image_name(version: &Version, architecture: &str) -> String {
    format!("punktfunk_{version}_{architecture}.raw")
}

/// The version that a file is, if it is an image for that processor.
pub(super) fn version_of(name: &str, architecture: &str) -> Option<Version> {
    let rest = name.strip_prefix("punktfunk_")?.strip_suffix(".raw")?;
    rest.strip_suffix(architecture)?.strip_suffix('_')?.parse().ok()
}

/// A list of hashes: names of files and the SHA-256 of each.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sums(BTreeMap<String, [u8; 32]>);

impl Sums {
    /// Reads what `sha256sum` writes. A line that is odd makes the whole odd.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is no text")?;
        if bytes.len() as u64 > MAX_SUMS || text.lines().count() > MAX_LINES {
            return Err("it is too long".to_owned());
        }
        let mut sums = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let (name, sum) = entry(line).ok_or_else(|| format!("line {} is odd", number + 1))?;
            if sums.insert(name.to_owned(), sum).is_some() {
                return Err(format!("line {} says a name again", number + 1));
            }
        }
        Ok(Self(sums))
    }

    /// The hash of a file.
    pub(super) fn of(&self, name: &str) -> Option<&[u8; 32]> {
        self.0.get(name)
    }

    /// The releases for that processor, oldest first.
    pub(super) fn versions(&self, architecture: &str) -> Vec<Version> {
        let mut versions: Vec<_> = self.0.keys().filter_map(|name| version_of(name, architecture)).collect();
        versions.sort();
        versions
    }
}

fn entry(line: &str) -> Option<(&str, [u8; 32])> {
    let (sum, rest) = line.split_once(' ')?;
    // A blank, or an asterisk for files that are not text.
    let name = rest.strip_prefix([' ', '*'])?;
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"._-~+".contains(&byte);
    if name.is_empty() || name.len() > MAX_NAME || name.starts_with('.') || !name.bytes().all(harmless) {
        return None;
    }
    Some((name, hex(sum)?))
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn versions_have_the_order_of_their_numbers() {
        assert!(version("0.10.0") > version("0.9.12"));
        assert!(version("1.0.0") > version("1.0.0-rc.2"));
        assert!(version("1.0.0-rc.10") > version("1.0.0-rc.9"));
        for wrong in ["", "1", "1.2", "1.2.3.4", "v1.2.3", "1.2.3+4", "1.2.3/..", "01.2.3", &"1".repeat(99)] {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_of_images_are_told_from_others() {
        let name = image_name(&version("1.2.3-rc.1"), "x86-64");
        assert_eq!(name, "punktfunk_1.2.3-rc.1_x86-64.raw");
        assert_eq!(version_of(&name, "x86-64"), Some(version("1.2.3-rc.1")));
        assert_eq!(version_of(&name, "arm64"), None);
        for other in ["punktfunk_1.2.3_x86-64.raw.zst", "punktfunk_x86-64.raw", "punktfunk_1_x86-64.raw"] {
            assert_eq!(version_of(other, "x86-64"), None, "{other}");
        }
    }

    #[test]
    fn a_list_of_hashes_is_read_or_refused_as_a_whole() {
        let sum = "ab".repeat(32);
        let list = format!(
            "{sum}  punktfunk_0.2.0_x86-64.raw\n{sum} *punktfunk_0.10.0_x86-64.raw\n{sum}  other.txt\n"
        );
        let sums = Sums::parse(list.as_bytes()).unwrap();
        assert_eq!(sums.versions("x86-64"), [version("0.2.0"), version("0.10.0")]);
        assert_eq!(sums.of("other.txt"), Some(&[0xab; 32]));
        for odd in [
            format!("{sum} punktfunk"),
            format!("{sum}  ../passwd"),
            format!("{sum}  .hidden"),
            format!("{}  name", "AB".repeat(32)),
            format!("{}  name", &sum[1..]),
            format!("{sum}  twice\n{sum}  twice"),
            format!("{sum}  name\n\n"),
        ] {
            assert!(Sums::parse(odd.as_bytes()).is_err(), "{odd}");
        }
        assert!(Sums::parse(&vec![b'\n'; 2000]).is_err());
    }

    proptest! {
        #[test]
        fn any_list_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600), good in any::<bool>()) {
            let mut list = if good { format!("{}  a_1\n", "0f".repeat(32)).into_bytes() } else { Vec::new() };
            list.extend(bytes);
            if let Ok(sums) = Sums::parse(&list) {
                prop_assert!(sums.0.keys().all(|name| !name.contains('/') && !name.starts_with('.')));
            }
        }

        #[test]
        fn any_version_is_read_or_refused(text in "[0-9a-z.+-]{0,60}") {
            if let Ok(version) = text.parse::<Version>() {
                prop_assert_eq!(version.to_string(), text);
                let name = image_name(&version, "x86-64");
                prop_assert_eq!(version_of(&name, "x86-64"), Some(version));
            }
        }
    }
}
