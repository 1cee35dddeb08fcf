//! The rules between crates, read from their manifests.

use std::path::Path;

use anyhow::{Context, Result};

use super::{CrateRule, Rules, Violation};

const KINDS: [&str; 3] = ["dependencies", "build-dependencies", "dev-dependencies"];

/// Checks every member of the workspace.
pub fn check(root: &Path, rules: &Rules) -> Result<Vec<Violation>> {
    let manifest = std::fs::read_to_string(root.join("Cargo.toml"))?;
    let workspace: toml::Value = toml::from_str(&manifest).context("reading Cargo.toml")?;
    let mut violations = Vec::new();
    let members = workspace["workspace"]["members"].as_array().context("the workspace has no members")?;
    for member in members.iter().filter_map(toml::Value::as_str) {
        let file = format!("{member}/Cargo.toml");
        let text = std::fs::read_to_string(root.join(&file)).with_context(|| format!("reading {file}"))?;
        violations.extend(check_manifest(&file, &text, rules)?);
    }
    Ok(violations)
}

fn check_manifest(file: &str, text: &str, rules: &Rules) -> Result<Vec<Violation>> {
    let manifest: toml::Value = toml::from_str(text).with_context(|| format!("reading {file}"))?;
    let name = manifest["package"]["name"].as_str().unwrap_or_default();
    let violation =
        |line, message, rule: &str| Violation { file: file.to_owned(), line, message, rule: rule.to_owned() };
    let Some(rule) = rules.crates.get(name) else {
        let message = format!("{name} has no [crate.{name}] in ci/layers.toml");
        return Ok(vec![violation(1, message, "every crate is given its place")]);
    };
    let mut violations = Vec::new();
    if file != format!("{}/Cargo.toml", rule.folder) {
        let message = format!("ci/layers.toml looks for {name} in {}", rule.folder);
        violations.push(violation(1, message, "rules name the folder they are about"));
    }
    for (kind, table) in tables(&manifest) {
        for dependency in table.keys() {
            if !allowed(dependency, kind, rule, rules) {
                let message = format!("{name} must not use {dependency} ({kind})");
                violations.push(violation(line_of(text, dependency), message, &rule.why));
            }
        }
    }
    Ok(violations)
}

/// Every dependency table, those that are only for some targets included.
fn tables(manifest: &toml::Value) -> Vec<(&'static str, &toml::Table)> {
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let places = std::iter::once(manifest).chain(targets.into_iter().flat_map(toml::Table::values));
    let mut tables = Vec::new();
    for place in places {
        for kind in KINDS {
            tables.extend(place.get(kind).and_then(toml::Value::as_table).map(|table| (kind, table)));
        }
    }
    tables
}

fn allowed(dependency: &str, kind: &str, rule: &CrateRule, rules: &Rules) -> bool {
    let listed = |list: &[String]| list.iter().any(|name| name == dependency);
    let for_tests = kind == "dev-dependencies";
    if rules.crates.contains_key(dependency) {
        return listed(&rule.may_use) || (for_tests && listed(&rule.tests_may_use));
    }
    for_tests || rule.foreign.as_deref().is_none_or(listed)
}

fn line_of(text: &str, dependency: &str) -> usize {
    let starts =
        |line: &str| line.strip_prefix(dependency).is_some_and(|rest| rest.starts_with(['.', ' ', '=']));
    text.lines().position(starts).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        [crate.core]
        folder = "core"
        may-use = ["fec"]
        tests-may-use = ["sim"]
        foreign = ["thiserror"]
        why = "core is sans-IO"
        [crate.fec]
        folder = "fec"
        may-use = []
        why = "at the bottom"
        [crate.sim]
        folder = "sim"
        may-use = ["core"]
        why = "for tests"
        [module]
        [unsafe]
        folders = []
        file-names = []
        why = ""
    "#;

    fn found(text: &str) -> Vec<String> {
        let rules = toml::from_str(RULES).unwrap();
        check_manifest("core/Cargo.toml", text, &rules).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_listed_may_be_used() {
        let text = "[package]\nname = 'core'\n[dependencies]\nfec.workspace = true\nthiserror = '2'\n\
            [dev-dependencies]\nproptest = '1'\nsim = { path = '../sim' }\n";
        assert_eq!(found(text), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_listed_is_named_with_its_line() {
        let text = "[package]\nname = 'core'\n[dependencies]\nsim.workspace = true\n\
            [target.'cfg(unix)'.dependencies]\ntokio = '1'\n";
        let found = found(text);
        assert_eq!(
            found[0],
            "core/Cargo.toml:4: core must not use sim (dependencies)\n  rule: core is sans-IO"
        );
        assert!(found[1].starts_with("core/Cargo.toml:6: core must not use tokio"));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_crate_without_a_rule_is_a_violation() {
        assert!(found("[package]\nname = 'new'\n")[0].contains("new has no [crate.new]"));
    }

    #[test]
    fn a_crate_without_a_list_may_use_any_foreign_crate() {
        let text = "[package]\nname = 'fec'\n[dependencies]\nlibc = '0.2'\ncore.workspace = true\n";
        let found = found(text);
        assert!(found.iter().all(|violation| !violation.contains("libc")));
        assert!(found.iter().any(|violation| violation.contains("must not use core")));
    }
}
