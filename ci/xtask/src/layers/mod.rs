//! `cargo xtask layers`: dependencies point one way.
//!
//! `ci/layers.toml` holds the rules: which workspace crate may use which, the whole
//! list of foreign crates where that list is short and fixed, which module of a
//! crate may name which other module, and the rooms where `unsafe` may stand.
//! Anything without a rule is a violation too, so a new crate or module has to be
//! given its place.

mod crates;
mod modules;
mod source;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{check, exit_code, program};

/// `ci/layers.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Rules {
    /// Rules for crates, by name.
    #[serde(rename = "crate")]
    crates: BTreeMap<String, CrateRule>,
    /// Rules for the modules of a crate: crate name, then top-level module.
    module: BTreeMap<String, BTreeMap<String, ModuleRule>>,
    /// Where `unsafe` may stand.
    #[serde(rename = "unsafe")]
    unsafe_code: UnsafeRule,
}

/// What a crate may depend on.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct CrateRule {
    /// Its folder, from the root of the source tree.
    folder: String,
    /// Workspace crates it may use.
    may_use: Vec<String>,
    /// More workspace crates that its tests may use.
    #[serde(default)]
    tests_may_use: Vec<String>,
    /// When given: the foreign crates it may use, all of them.
    foreign: Option<Vec<String>>,
    /// Why it is so.
    why: String,
}

/// What a module may name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ModuleRule {
    may_use: Vec<String>,
    why: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct UnsafeRule {
    folders: Vec<String>,
    file_names: Vec<String>,
    why: String,
}

/// A place that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    file: String,
    line: usize,
    message: String,
    rule: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}\n  rule: {}", self.file, self.line, self.message, self.rule)
    }
}

/// Checks the source tree.
pub fn run() -> Result<ExitCode> {
    let ok = print_violations()?;
    if ok {
        println!("layers: every import points the right way");
    }
    Ok(exit_code(ok))
}

/// Prints every violation and says whether there was none.
pub fn print_violations() -> Result<bool> {
    let root = program::root();
    let file = root.join("ci/layers.toml");
    let rules: Rules = toml::from_str(&fs::read_to_string(&file)?).context("reading ci/layers.toml")?;
    let violations = violations(&root, &rules)?;
    for violation in &violations {
        println!("{violation}");
    }
    Ok(violations.is_empty())
}

fn violations(root: &Path, rules: &Rules) -> Result<Vec<Violation>> {
    let mut violations = crates::check(root, rules)?;
    for file in check::rust_files(root)? {
        let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().into_owned();
        let text = fs::read_to_string(&file)?;
        let tokens = source::tokens(&text);
        violations.extend(unsafe_outside_rooms(&name, &tokens, &rules.unsafe_code));
        for (package, modules) in &rules.module {
            let folder = rules.crates.get(package).map(|rule| format!("{}/src/", rule.folder));
            if let Some(inside) = folder.and_then(|folder| name.strip_prefix(&folder).map(str::to_owned)) {
                violations.extend(modules::check(&name, &inside, &tokens, modules));
            }
        }
    }
    violations.sort();
    violations.dedup();
    Ok(violations)
}

fn unsafe_outside_rooms(name: &str, tokens: &[source::Token<'_>], rule: &UnsafeRule) -> Vec<Violation> {
    let file_name = name.rsplit('/').next().unwrap_or(name);
    if rule.folders.iter().any(|folder| name.starts_with(folder.as_str()))
        || rule.file_names.iter().any(|allowed| allowed == file_name)
    {
        return Vec::new();
    }
    let found = tokens.iter().filter(|token| token.text == "unsafe");
    found
        .map(|token| Violation {
            file: name.to_owned(),
            line: token.line,
            message: "`unsafe` outside its rooms".to_owned(),
            rule: rule.why.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_in_the_tree_hold() {
        let root = program::root();
        let rules: Rules = toml::from_str(&fs::read_to_string(root.join("ci/layers.toml")).unwrap()).unwrap();
        let violations = violations(&root, &rules).unwrap();
        let text: Vec<String> = violations.iter().map(ToString::to_string).collect();
        assert!(text.is_empty(), "{}", text.join("\n"));
    }

    #[test]
    fn unsafe_is_seen_only_in_code() {
        let rule = UnsafeRule {
            folders: vec!["core/fec/".into()],
            file_names: vec!["ffi.rs".into()],
            why: "w".into(),
        };
        let text = "#![deny(unsafe_code)]\n// unsafe\nlet a = \"unsafe\";\n/* unsafe */ unsafe { b() }\n";
        let tokens = source::tokens(text);
        let found = unsafe_outside_rooms("host/src/send/mod.rs", &tokens, &rule);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].to_string(), "host/src/send/mod.rs:4: `unsafe` outside its rooms\n  rule: w");
        assert!(unsafe_outside_rooms("core/fec/src/avx2.rs", &tokens, &rule).is_empty());
        assert!(unsafe_outside_rooms("host/src/encode/ffi.rs", &tokens, &rule).is_empty());
    }
}
