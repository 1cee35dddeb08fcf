//! System packages: which ones this distribution calls for, and putting them in.
//!
//! The names are data (`ci/packages/FAMILY.toml`), each with its reason. A file
//! lists groups: `build` and `run` are what `serve` needs, `test` comes on top.

use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal, Write};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::program;

/// Which packages a command needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// To compile.
    Build,
    /// To stream.
    Run,
    /// To run every test.
    Test,
    /// To boot virtual machines.
    Vm,
    /// To make packages, and to try them.
    Package,
    /// To make the image of a whole system.
    Image,
}

/// One file of `ci/packages`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Family {
    /// Values of `ID` or `ID_LIKE` in `/etc/os-release` it is meant for.
    ids: Vec<String>,
    /// How a person reads whether the names were ever tried.
    proven: String,
    /// Prints something and succeeds when `{}` is installed; with `installed-says`,
    /// the output must hold that too.
    query: Vec<String>,
    #[serde(rename = "installed-says", default)]
    installed_says: String,
    /// Commands run as root before the first installation, such as a refresh.
    #[serde(default)]
    prepare: Vec<Vec<String>>,
    /// Run as root, followed by the names.
    install: Vec<String>,
    /// Environment of `prepare` and `install`.
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// Name of a package, or several that are alternatives ("dbus-daemon | dbus"); a later
    /// one may be a program in the search path, wherever it is from ("npm | program:npm").
    packages: BTreeMap<Group, BTreeMap<String, String>>,
}

/// Finds what is missing, says why it is needed, asks unless `yes`, installs.
pub fn ensure(groups: &[Group], yes: bool) -> Result<()> {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let ids = release_ids(&release);
    let Some(family) = families()?.into_iter().find(|family| ids.iter().any(|id| family.ids.contains(id)))
    else {
        eprintln!(
            "packages: no list for this distribution ({}); ci/packages/debian.toml says what is needed",
            ids.join(", ")
        );
        return Ok(());
    };
    let missing = missing(&family, groups);
    if missing.is_empty() {
        println!("packages: everything needed is installed");
        return Ok(());
    }
    println!("packages: {} not installed ({}):", missing.len(), family.proven);
    for (name, why) in &missing {
        println!("  {name:<24} {why}");
    }
    let names: Vec<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
    let Some(prefix) = as_root() else {
        bail!("run this as root, then try again: {} {}", family.install.join(" "), names.join(" "));
    };
    if !yes && std::io::stdin().is_terminal() && !confirmed()? {
        bail!("not installed; to do it yourself: {} {}", family.install.join(" "), names.join(" "));
    }
    for step in &family.prepare {
        program::must(&mut elevated(&prefix, step, &[], &family.environment))?;
    }
    program::must(&mut elevated(&prefix, &family.install, &names, &family.environment))
        .context("installing the packages")
}

/// The names in a group of the family `id`, each with its alternatives; programs that may
/// stand for a package are left out. `None`: no such family.
pub fn names(id: &str, group: Group) -> Result<Option<Vec<Vec<String>>>> {
    let families = families()?;
    let family = families.iter().find(|family| family.ids.iter().any(|known| known == id));
    let names = |family: &Family| {
        let packages = family.packages.get(&group).into_iter().flatten();
        let split = |names: &String| names.split('|').map(|name| name.trim().to_owned()).collect::<Vec<_>>();
        let all = packages.map(|(names, _)| split(names));
        all.map(|names| names.into_iter().filter(|name| !name.starts_with("program:")).collect()).collect()
    };
    Ok(family.map(names))
}

fn families() -> Result<Vec<Family>> {
    let folder = program::root().join("ci/packages");
    let mut files: Vec<_> =
        std::fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    files.sort();
    let mut families = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file)?;
        families
            .push(toml::from_str(&text).with_context(|| format!("reading {}", program::relative(&file)))?);
    }
    Ok(families)
}

/// `ID` first, then `ID_LIKE` from the nearest relative on.
fn release_ids(os_release: &str) -> Vec<String> {
    let value = |key: &str| {
        let line = os_release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
    };
    let (id, like) = (value("ID"), value("ID_LIKE"));
    std::iter::once(id.as_str())
        .chain(like.split(' '))
        .filter(|id| !id.is_empty())
        .map(str::to_owned)
        .collect()
}

fn missing(family: &Family, groups: &[Group]) -> Vec<(String, String)> {
    let mut missing = Vec::new();
    for group in groups {
        for (names, why) in family.packages.get(group).into_iter().flatten() {
            let alternatives: Vec<&str> = names.split('|').map(str::trim).collect();
            let there = |name: &&str| match name.strip_prefix("program:") {
                Some(program) => program::find(program).is_some(),
                None => is_installed(family, name),
            };
            if alternatives.iter().any(there) {
                continue;
            }
            let wanted = alternatives.first().copied().unwrap_or_default();
            if missing.iter().all(|(name, _)| name != wanted) {
                missing.push((wanted.to_owned(), why.clone()));
            }
        }
    }
    missing
}

fn is_installed(family: &Family, name: &str) -> bool {
    let Some((program, arguments)) = family.query.split_first() else { return false };
    let arguments = arguments.iter().map(|argument| argument.replace("{}", name));
    program::output(Command::new(program).args(arguments))
        .is_some_and(|said| said.contains(&family.installed_says))
}

/// What to put before a command so that root runs it; `None` when we cannot.
fn as_root() -> Option<Vec<String>> {
    if program::is_root() {
        return Some(Vec::new());
    }
    program::find("sudo").map(|sudo| vec![sudo.display().to_string()])
}

fn elevated(
    prefix: &[String],
    command: &[String],
    names: &[&str],
    environment: &BTreeMap<String, String>,
) -> Command {
    // `env` keeps the variables across sudo, which drops them otherwise.
    let variables = environment.iter().map(|(key, value)| format!("{key}={value}"));
    let mut words = prefix.iter().cloned().chain(["env".to_owned()]).chain(variables);
    let mut full = Command::new(words.next().unwrap_or_default());
    full.args(words).args(command).args(names);
    full
}

fn confirmed() -> Result<bool> {
    print!("Install them now? [Y/n] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "" | "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_parses_and_has_every_group() {
        let families = families().unwrap();
        assert_eq!(families.len(), 3);
        for family in families {
            for group in [Group::Build, Group::Run, Group::Test, Group::Vm, Group::Package, Group::Image] {
                assert!(!family.packages[&group].is_empty(), "{:?} {group:?}", family.ids);
            }
            assert!(family.query.iter().any(|word| word.contains("{}")));
        }
    }

    #[test]
    fn a_derivative_is_recognised_by_its_relatives() {
        let mint = "NAME=\"Linux Mint\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_ID='21'\n";
        assert_eq!(release_ids(mint), ["linuxmint", "ubuntu", "debian"]);
        assert_eq!(release_ids("ID=debian\n"), ["debian"]);
        assert!(release_ids("").is_empty());
    }

    #[test]
    fn an_alternative_counts_and_a_name_is_listed_once() {
        let family: Family = toml::from_str(
            r#"
            ids = ["x"]
            proven = "no"
            query = ["sh", "-c", "test {} = here && echo ii"]
            installed-says = "ii"
            install = ["true"]
            [packages.build]
            "here" = "a"
            "gone | here" = "b"
            "other | program:sh" = "b"
            "more | program:punktfunk-no-such-program" = "b"
            "gone" = "c"
            [packages.run]
            "gone" = "d"
            "#,
        )
        .unwrap();
        let missing = missing(&family, &[Group::Build, Group::Run]);
        let missing: Vec<_> = missing.iter().map(|(name, why)| (name.as_str(), why.as_str())).collect();
        assert_eq!(missing, [("gone", "c"), ("more", "b")]);
    }

    #[test]
    fn variables_survive_sudo() {
        let environment = BTreeMap::from([("A".to_owned(), "b".to_owned())]);
        let install = ["apt-get".to_owned(), "install".to_owned()];
        let command = elevated(&["sudo".to_owned()], &install, &["x"], &environment);
        let words: Vec<_> = command.get_args().collect();
        assert_eq!(command.get_program(), "sudo");
        assert_eq!(words, ["env", "A=b", "apt-get", "install", "x"]);
    }
}
