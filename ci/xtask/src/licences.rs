//! `cargo xtask licences`: writes `host/licences.json`, what the programs people run
//! are made of and under which licences, for the console's page about it.
//!
//! It reads what the locks say and no source: crates that are linked into host, seat
//! and broker (not those that only run while they are built or tested), packages that
//! end in the console, libraries of the system. `cargo xtask check` compares.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{exit_code, program};

/// The file, from the root of the source tree.
pub const FILE: &str = "host/licences.json";

/// Its programs are what people run.
const PROGRAMS: [&str; 3] = ["punktfunk-host", "punktfunk-seat", "punktfunk-inputd"];

/// What the linker takes from the system: name, licence. Its version is the system's.
const SYSTEM: [(&str, &str); 7] = [
    ("FFmpeg (libavcodec, libavutil)", "LGPL-2.1-or-later; GPL-2.0-or-later as most systems build it"),
    ("GNU C Library", "LGPL-2.1-or-later"),
    ("GNU C++ Library (libstdc++, libgcc)", "GPL-3.0-or-later WITH GCC-exception-3.1"),
    ("libopus", "BSD-3-Clause"),
    ("libxkbcommon", "MIT"),
    ("PipeWire (libpipewire)", "MIT"),
    ("Pixman", "MIT"),
];

/// Options of `cargo xtask licences`.
#[derive(clap::Args)]
pub struct Options {
    /// Write nothing; fail when the file is not what it should be
    #[arg(long)]
    check: bool,
}

/// One thing that is part of what people run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Part {
    name: String,
    version: String,
    licence: String,
}

/// Writes the file, or compares it.
pub fn run(options: &Options) -> Result<ExitCode> {
    if options.check {
        return Ok(exit_code(is_current()?));
    }
    let text = wanted()?;
    fs::write(program::root().join(FILE), &text).with_context(|| format!("writing {FILE}"))?;
    println!("{FILE}: {} parts", text.matches("\"name\"").count());
    Ok(ExitCode::SUCCESS)
}

/// True when the file says what the locks say; otherwise prints what differs.
pub fn is_current() -> Result<bool> {
    let wanted = wanted()?;
    let found = fs::read_to_string(program::root().join(FILE)).unwrap_or_default();
    if wanted == found {
        return Ok(true);
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (wanted, found) = (lines(&wanted), lines(&found));
    found.difference(&wanted).for_each(|line| println!("{FILE}: -{line}"));
    wanted.difference(&found).for_each(|line| println!("{FILE}: +{line}"));
    println!("error: {FILE} is out of date; `cargo xtask licences` writes it");
    Ok(false)
}

fn wanted() -> Result<String> {
    let mut metadata = program::cargo();
    metadata.args(["metadata", "--format-version", "1", "--locked"]);
    // One platform, so that every machine writes the same file.
    metadata.args(["--filter-platform", "x86_64-unknown-linux-gnu"]);
    let said = program::output(&mut metadata)
        .context("`cargo metadata --locked` failed; is Cargo.lock up to date?")?;
    let mut parts = crates(&serde_json::from_str(&said)?)?;
    let lock = program::root().join("web/package-lock.json");
    if lock.is_file() {
        let text = fs::read_to_string(&lock)?;
        parts.extend(packages(&serde_json::from_str(&text).context("reading web/package-lock.json")?)?);
    }
    parts.extend(SYSTEM.map(|(name, licence)| part(name, "of the system", licence)));
    let mut parts: Vec<_> = parts.into_iter().collect();
    parts.sort_by_cached_key(|part| (part.name.to_lowercase(), part.clone()));
    render(&parts)
}

/// One part a line, so that a change of one is a change of one line.
fn render(parts: &[Part]) -> Result<String> {
    let lines: Vec<String> = parts.iter().map(serde_json::to_string).collect::<serde_json::Result<_>>()?;
    Ok(format!("{{\"licences\":[\n{}\n]}}\n", lines.join(",\n")))
}

/// What `cargo metadata` says is linked into the programs.
fn crates(metadata: &Value) -> Result<BTreeSet<Part>> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages: BTreeMap<String, Value> =
        list(&metadata["packages"]).into_iter().map(|package| (text(&package["id"]), package)).collect();
    let nodes: BTreeMap<String, Value> =
        list(&metadata["resolve"]["nodes"]).into_iter().map(|node| (text(&node["id"]), node)).collect();
    let is_macro = |package: &Value| {
        list(&package["targets"]).iter().any(|target| list(&target["kind"]).contains(&"proc-macro".into()))
    };

    let mut waiting: Vec<String> = Vec::new();
    for name in PROGRAMS {
        let package =
            packages.values().find(|package| package["name"] == name && package["source"].is_null());
        waiting.push(text(&package.with_context(|| format!("there is no package {name}"))?["id"]));
    }
    let (mut seen, mut parts) = (BTreeSet::new(), BTreeSet::new());
    while let Some(id) = waiting.pop() {
        let package = packages.get(&id).with_context(|| format!("cargo does not describe {id}"))?;
        if is_macro(package) || !seen.insert(id.clone()) {
            continue;
        }
        if !package["source"].is_null() {
            let (name, licence) = (text(&package["name"]), text(&package["license"]));
            if licence.is_empty() {
                bail!("the crate {name} does not say its licence; it cannot be part of what people run");
            }
            parts.insert(part(&name, &text(&package["version"]), &licence.replace('/', " OR ")));
        }
        for dependency in list(&nodes[&id]["deps"]) {
            // `null` is an ordinary one; the others run while something is built or tested.
            if list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null()) {
                waiting.push(text(&dependency["pkg"]));
            }
        }
    }
    Ok(parts)
}

/// What a `package-lock.json` says is part of the console itself.
fn packages(lock: &Value) -> Result<BTreeSet<Part>> {
    let mut parts = BTreeSet::new();
    for (place, package) in lock["packages"].as_object().context("the lock lists no packages")? {
        let Some((_, name)) = place.rsplit_once("node_modules/") else { continue };
        let only = |what: &str| package[what].as_bool().unwrap_or(false);
        if only("dev") || only("devOptional") || only("optional") {
            continue;
        }
        let Some(licence) = package["license"].as_str() else {
            bail!("the package {name} does not say its licence; it cannot be part of the console");
        };
        parts.insert(part(name, package["version"].as_str().unwrap_or_default(), licence));
    }
    Ok(parts)
}

fn part(name: &str, version: &str, licence: &str) -> Part {
    Part { name: name.to_owned(), version: version.to_owned(), licence: licence.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(name: &str, kind: &str, source: Option<&str>, licence: Option<&str>) -> Value {
        json!({ "id": name, "name": name, "version": "1.0.0", "source": source, "license": licence,
                "targets": [{ "kind": [kind] }] })
    }

    fn node(id: &str, dependencies: &[(&str, Option<&str>)]) -> Value {
        let dependencies: Vec<_> = dependencies
            .iter()
            .map(|(id, kind)| json!({ "pkg": id, "dep_kinds": [{ "kind": kind }] }))
            .collect();
        json!({ "id": id, "deps": dependencies })
    }

    fn metadata(licence: Option<&str>) -> Value {
        let ours = PROGRAMS.map(|name| package(name, "bin", None, None));
        let foreign = ["deep", "build", "test", "macro", "below"].map(|name| match name {
            "macro" => package(name, "proc-macro", Some("r"), Some("MIT")),
            _ => package(name, "lib", Some("r"), licence),
        });
        let mut nodes = vec![
            node(
                PROGRAMS[0],
                &[("deep", None), ("build", Some("build")), ("test", Some("dev")), ("macro", None)],
            ),
            node("deep", &[("deep", None)]),
            node("macro", &[("below", None)]),
        ];
        nodes.extend([PROGRAMS[1], PROGRAMS[2], "build", "test", "below"].map(|id| node(id, &[])));
        json!({ "packages": ours.into_iter().chain(foreign).collect::<Vec<_>>(), "resolve": { "nodes": nodes } })
    }

    #[test]
    fn only_what_is_linked_is_listed() {
        let parts = crates(&metadata(Some("MIT/Apache-2.0"))).unwrap();
        assert_eq!(parts.into_iter().collect::<Vec<_>>(), [part("deep", "1.0.0", "MIT OR Apache-2.0")]);
        assert!(crates(&metadata(None)).unwrap_err().to_string().contains("deep"));
    }

    #[test]
    fn only_what_ends_in_the_console_is_listed() {
        let lock = json!({ "packages": {
            "": { "name": "console" },
            "node_modules/react": { "version": "19.0.0", "license": "MIT" },
            "node_modules/react/node_modules/@x/y": { "version": "2.0.0", "license": "ISC" },
            "node_modules/vite": { "version": "8.0.0", "license": "MIT", "dev": true },
        }});
        let names: Vec<_> = packages(&lock).unwrap().into_iter().map(|part| part.name).collect();
        assert_eq!(names, ["@x/y", "react"]);
        let silent = json!({ "packages": { "node_modules/react": { "version": "19.0.0" } } });
        assert!(packages(&silent).unwrap_err().to_string().contains("react"));
    }

    #[test]
    fn the_file_is_json_with_a_part_a_line() {
        let text = render(&[part("a", "1", "MIT"), part("b \"c\"", "2", "ISC")]).unwrap();
        assert_eq!(text.lines().count(), 4);
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["licences"][1]["name"], "b \"c\"");
    }
}
