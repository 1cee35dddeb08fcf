//! Whether the tests that `docs/SPECIFICATION.md` names exist: a promise whose test was
//! renamed or taken away is a promise that nothing keeps. That they pass is not its
//! affair.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::check::rust_files;
use crate::program;

/// A test as the page names it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    /// A function in a file, by its path from the repository's root.
    Function { file: String, name: String },
    /// A scenario with real processes.
    Scenario(String),
}

/// Prints what is named and is not there; true when there is nothing of the kind.
pub fn are_kept() -> Result<bool> {
    let root = program::root();
    let page = "docs/SPECIFICATION.md";
    let text = fs::read_to_string(root.join(page)).with_context(|| page.to_owned())?;
    let mut scenarios = String::new();
    for file in rust_files(&root.join("ci/e2e/src"))? {
        scenarios += &fs::read_to_string(file)?;
    }
    let mut ok = true;
    for (line, test) in named(&text) {
        if let Some(fault) = fault(&root, &scenarios, &test) {
            println!("error: {page}:{line}: {fault}");
            ok = false;
        }
    }
    Ok(ok)
}

/// What is wrong with a name.
fn fault(root: &Path, scenarios: &str, test: &Test) -> Option<String> {
    match test {
        Test::Function { file, name } => match fs::read_to_string(root.join(file)) {
            Err(error) => Some(format!("{file}: {error}")),
            Ok(source) if !has_function(&source, name) => Some(format!("{file} has no test {name}")),
            Ok(_) => None,
        },
        Test::Scenario(name) => (!scenarios.contains(&format!("\"{name}")))
            .then(|| format!("there is no scenario whose name begins with \"{name}\"")),
    }
}

fn has_function(source: &str, name: &str) -> bool {
    source.match_indices(&format!("fn {name}")).any(|(at, found)| {
        !source[at + found.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_')
    })
}

/// The tests a page names, with their lines: `file::test`, `::test` of the file before
/// it in the line, and `e2e: NAME`, all between backticks.
fn named(page: &str) -> Vec<(usize, Test)> {
    let mut tests = Vec::new();
    for (line, text) in (1..).zip(page.lines()) {
        let mut last_file = None;
        for quoted in text.split('`').skip(1).step_by(2) {
            if let Some(scenario) = quoted.strip_prefix("e2e: ") {
                tests.push((line, Test::Scenario(scenario.to_owned())));
            } else if let Some((file, name)) = quoted.rsplit_once("::") {
                if file.ends_with(".rs") {
                    last_file = Some(file.to_owned());
                }
                // Anything else is an expression, not a test.
                if let Some(known) = &last_file
                    && (file.is_empty() || file == known.as_str())
                {
                    tests.push((line, Test::Function { file: known.clone(), name: name.to_owned() }));
                }
            }
        }
    }
    tests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_found_by_file_by_the_file_before_and_as_scenarios() {
        let page = "a `T::x`\n| `a/b.rs::one`, `::two`; `e2e: played twice` | `Vec::new` |\n`::three`";
        let function = |name: &str| Test::Function { file: "a/b.rs".to_owned(), name: name.to_owned() };
        let wanted =
            [(2, function("one")), (2, function("two")), (2, Test::Scenario("played twice".to_owned()))];
        assert_eq!(named(page), wanted);
    }

    #[test]
    fn what_is_not_there_is_a_fault() {
        let root = program::root();
        let in_this_file = |name: &str| Test::Function {
            file: "ci/xtask/src/promises.rs".to_owned(),
            name: name.to_owned(),
        };
        assert_eq!(fault(&root, "", &in_this_file("what_is_not_there_is_a_fault")), None);
        assert!(fault(&root, "", &in_this_file("what_is_not_there_is_a")).is_some());
        let missing = Test::Function { file: "no/such.rs".to_owned(), name: "x".to_owned() };
        assert!(fault(&root, "", &missing).is_some());
        let scenarios = "scenario(\"touch and pen\", …)";
        assert_eq!(fault(&root, scenarios, &Test::Scenario("touch".to_owned())), None);
        assert!(fault(&root, scenarios, &Test::Scenario("pen".to_owned())).is_some());
    }
}
