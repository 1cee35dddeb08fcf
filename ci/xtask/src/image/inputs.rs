//! `image/inputs.toml`: the bases an image can be built upon, and whose images a machine takes
//! as its next version. A release must leave nothing of it open.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::Flavour;
use crate::program;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    base: BTreeMap<String, Base>,
    /// Whose images are trusted.
    pub trust: Trust,
}

/// Something an image can be built upon.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    family: Family,
    flavours: Vec<Flavour>,
    /// The name of a release of Debian, for a base that is made here.
    #[serde(default)]
    pub suite: String,
    /// The parts of Debian that packages may come from.
    #[serde(default)]
    pub components: Vec<String>,
    /// What is in a base that is made here.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Where the image is pulled from, without its tag.
    #[serde(default)]
    from: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    tag: String,
    /// `sha256:…`
    #[serde(default)]
    digest: String,
}

/// Whose packages a base is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Family {
    Debian,
    Fedora,
}

/// Whose images a machine takes as its next version.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// Where releases are pulled from, without a tag.
    pub image: String,
    /// A public key in PEM.
    pub primary: String,
    /// Another one.
    pub backup: String,
}

impl Inputs {
    /// The one of this source tree.
    pub fn read() -> Result<Self> {
        let file = program::root().join("image/inputs.toml");
        let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self> {
        let inputs: Self = toml::from_str(text).context("reading image/inputs.toml")?;
        for (name, base) in &inputs.base {
            let here = !base.suite.is_empty();
            ensure!(
                here == base.name.is_empty() && here == base.tag.is_empty(),
                "image/inputs.toml: base.{name} is either made here (suite) or pulled (name, tag)"
            );
            ensure!(
                !here || base.family == Family::Debian,
                "image/inputs.toml: base.{name}: only Debian is made here"
            );
        }
        Ok(inputs)
    }

    /// The base of that name, if it is one for `flavour`.
    pub fn base(&self, name: &str, flavour: Flavour) -> Result<&Base> {
        let names = || self.base.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let base = self
            .base
            .get(name)
            .with_context(|| format!("image/inputs.toml knows no base {name}, but {}", names()))?;
        ensure!(
            base.flavours.contains(&flavour),
            "base {name} is not for {}, see `flavours` in image/inputs.toml",
            flavour.name()
        );
        Ok(base)
    }

    /// Refuses a release that does not say exactly what it is made from and who vouches for it.
    pub fn is_settled(&self, name: &str) -> Result<()> {
        let base = self.base.get(name).with_context(|| format!("no base {name}"))?;
        let mut open = Vec::new();
        if !base.suite.is_empty() {
            bail!("base {name} is for trying things: it is made of the packages of the day");
        }
        if base.from.is_empty() {
            open.push(format!("base.{name}.from: where the image is pulled from"));
        }
        if !is_digest(&base.digest) {
            open.push(format!("base.{name}.digest: \"sha256:\" and 64 digits"));
        }
        if self.trust.image.is_empty() {
            open.push("trust.image: where releases are pulled from".to_owned());
        }
        for (key, text) in [("primary", &self.trust.primary), ("backup", &self.trust.backup)] {
            if !is_key(text) {
                open.push(format!("trust.{key}: a public key in PEM"));
            }
        }
        ensure!(open.is_empty(), "image/inputs.toml leaves open for a release:\n  {}", open.join("\n  "));
        ensure!(
            self.trust.primary.trim() != self.trust.backup.trim(),
            "image/inputs.toml: trust.primary and trust.backup are one key; lose it and machines are stuck"
        );
        Ok(())
    }
}

impl Base {
    /// What `BASE_IMAGE` is for an image that is pulled.
    pub fn reference(&self) -> Result<String> {
        ensure!(
            !self.from.is_empty(),
            "image/inputs.toml does not say where {} is pulled from: fill in `from`",
            self.name
        );
        let digest = if self.digest.is_empty() { String::new() } else { format!("@{}", self.digest) };
        Ok(format!("{}:{}{digest}", self.from, self.tag))
    }
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|digits| {
        digits.len() == 64 && digits.chars().all(|digit| matches!(digit, '0'..='9' | 'a'..='f'))
    })
}

fn is_key(text: &str) -> bool {
    let inside = text
        .trim()
        .strip_prefix("-----BEGIN PUBLIC KEY-----")
        .and_then(|rest| rest.strip_suffix("-----END PUBLIC KEY-----"));
    inside.is_some_and(|inside| inside.trim().len() > 40)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "-----BEGIN PUBLIC KEY-----\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n-----END PUBLIC KEY-----";

    fn filled() -> Inputs {
        let other = KEY.replace('A', "B");
        let digest = "0123456789abcdef".repeat(4);
        Inputs::parse(&format!(
            "[base.x]\nfamily = 'fedora'\nflavours = ['mesa']\nname = 'x'\ntag = '1'\nfrom = 'y/x'\n\
             digest = 'sha256:{digest}'\n\
             [trust]\nimage = 'y/z'\nprimary = '''{KEY}'''\nbackup = '''{other}'''\n"
        ))
        .unwrap()
    }

    #[test]
    fn a_release_leaves_nothing_open() {
        filled().is_settled("x").unwrap();
        let spoil: [fn(&mut Inputs); 8] = [
            |inputs| inputs.base.get_mut("x").unwrap().digest.clear(),
            |inputs| inputs.base.get_mut("x").unwrap().digest = "sha256:12".to_owned(),
            |inputs| inputs.base.get_mut("x").unwrap().from.clear(),
            |inputs| inputs.base.get_mut("x").unwrap().suite = "bookworm".to_owned(),
            |inputs| inputs.trust.image.clear(),
            |inputs| inputs.trust.primary.clear(),
            |inputs| inputs.trust.backup = KEY.trim_end_matches('-').to_owned(),
            |inputs| inputs.trust.backup = format!("{KEY}\n"),
        ];
        for (at, spoil) in spoil.into_iter().enumerate() {
            let mut inputs = filled();
            spoil(&mut inputs);
            assert!(inputs.is_settled("x").is_err(), "number {at}");
        }
    }

    #[test]
    fn what_is_here_is_open_and_says_so() {
        let inputs = Inputs::read().unwrap();
        for name in ["fedora", "bazzite", "bazzite-nvidia"] {
            let said = inputs.is_settled(name).unwrap_err().to_string();
            for open in ["digest", "trust.primary", "trust.backup", "trust.image"] {
                assert!(said.contains(open), "{name}: {said}");
            }
        }
        assert!(inputs.base("debian", Flavour::Mesa).is_ok());
        assert!(inputs.base("bazzite", Flavour::Nvidia).is_err());
        assert!(inputs.base("other", Flavour::Mesa).unwrap_err().to_string().contains("bazzite"));
    }

    #[test]
    fn every_base_has_its_lists_of_packages() {
        let inputs = Inputs::read().unwrap();
        for (name, base) in &inputs.base {
            for flavour in &base.flavours {
                let family = format!("{:?}", base.family).to_lowercase();
                let list = format!("image/packages/{}.{family}.txt", flavour.name());
                let text = fs::read_to_string(program::root().join(&list)).expect(&list);
                assert!(text.lines().any(|line| !line.starts_with('#')), "{name}: {list} is empty");
                for line in text.lines().filter(|line| !line.starts_with('#')) {
                    assert!(!line.is_empty() && !line.contains(' '), "{list}: {line:?} is no package");
                }
            }
        }
    }

    #[test]
    fn a_digest_goes_into_the_reference() {
        let inputs = filled();
        let base = inputs.base("x", Flavour::Mesa).unwrap();
        assert!(base.reference().unwrap().starts_with("y/x:1@sha256:0123"));
        assert!(Inputs::read().unwrap().base("fedora", Flavour::Mesa).unwrap().reference().is_err());
    }
}
