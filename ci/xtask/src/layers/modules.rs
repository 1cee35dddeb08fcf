//! The rules between the modules of one crate, read from their sources.
//!
//! A path counts wherever it stands, not only in `use`: `crate::x::…`, and
//! `super::…` where it climbs to the root of the crate. Test modules (`mod tests`,
//! files called `tests.rs`) are exempt: they may put the parts together.

use std::collections::BTreeMap;

use super::source::Token;
use super::{ModuleRule, Violation};

/// Files that put the modules together.
const ROOTS: [&str; 3] = ["lib.rs", "main.rs", "tests.rs"];

/// Checks one file, `inside` being its path below `src/`.
pub fn check(
    file: &str,
    inside: &str,
    tokens: &[Token<'_>],
    rules: &BTreeMap<String, ModuleRule>,
) -> Vec<Violation> {
    if ROOTS.contains(&inside)
        || inside.ends_with("/tests.rs")
        || inside.contains("/tests/")
        || inside.starts_with("bin/")
    {
        return Vec::new();
    }
    let path = module_path(inside);
    let Some(own) = path.first() else { return Vec::new() };
    let violation =
        |line, message, rule: &str| Violation { file: file.to_owned(), line, message, rule: rule.to_owned() };
    let Some(rule) = rules.get(*own) else {
        let message = format!("the module {own} has no rule in ci/layers.toml");
        return vec![violation(1, message, "every module is given its place")];
    };
    let mut violations = Vec::new();
    for used in root_uses(tokens, path.len()) {
        let name = used.text;
        // What is not a module is an item of the root and belongs to everybody.
        let known = rules.contains_key(name);
        if known && name != *own && !rule.may_use.iter().any(|allowed| allowed == name) {
            violations.push(violation(used.line, format!("{own} must not use {name}"), &rule.why));
        }
    }
    violations
}

/// `a/b.rs` and `a/b/mod.rs` are both the module `a::b`.
fn module_path(inside: &str) -> Vec<&str> {
    let path = inside.strip_suffix(".rs").unwrap_or(inside);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    path.split('/').collect()
}

/// The first name of each path that starts at the root of the crate. `depth` is how
/// deep the module of this file lies below it.
fn root_uses<'a>(tokens: &[Token<'a>], depth: usize) -> Vec<Token<'a>> {
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text);
    let mut uses = Vec::new();
    // For each open brace whether it opened a module.
    let mut braces: Vec<bool> = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        match text(index) {
            "mod" if text(index + 2) == "{" => {
                if text(index + 1) == "tests" {
                    index = behind_braces(tokens, index + 2);
                    continue;
                }
                braces.push(true);
                index += 3;
                continue;
            }
            "{" => braces.push(false),
            "}" => {
                braces.pop();
            }
            "crate" if text(index + 1) == "::" && text(index.wrapping_sub(1)) != "::" => {
                index = collect(tokens, index + 2, &mut uses);
                continue;
            }
            "super" if text(index.wrapping_sub(1)) != "::" => {
                let below = depth + braces.iter().filter(|module| **module).count();
                let mut climbed = 1;
                let mut next = index + 1;
                while text(next) == "::" && text(next + 1) == "super" {
                    climbed += 1;
                    next += 2;
                }
                if climbed >= below && text(next) == "::" {
                    next = collect(tokens, next + 1, &mut uses);
                }
                index = next;
                continue;
            }
            _ => {}
        }
        index += 1;
    }
    uses
}

/// Takes the name at `index`, or the first name of each path in the group there.
/// Returns where to read on.
fn collect<'a>(tokens: &[Token<'a>], index: usize, uses: &mut Vec<Token<'a>>) -> usize {
    let Some(first) = tokens.get(index) else { return index };
    if first.text != "{" {
        uses.push(*first);
        return index + 1;
    }
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(index) {
        match token.text {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ if depth == 1 && matches!(tokens[at - 1].text, "{" | ",") => uses.push(*token),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// Where to read on behind the braces that open at `index`.
fn behind_braces(tokens: &[Token<'_>], index: usize) -> usize {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(index) {
        match token.text {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    fn found(inside: &str, text: &str) -> Vec<(usize, String)> {
        let rules: BTreeMap<String, ModuleRule> = toml::from_str(
            "[capture]\nmay-use = ['platform']\nwhy = 'one way'\n\
             [platform]\nmay-use = []\nwhy = 'at the bottom'\n\
             [session]\nmay-use = ['capture', 'platform']\nwhy = 'owns the stages'\n",
        )
        .unwrap();
        let found = check("f.rs", inside, &source::tokens(text), &rules);
        found.into_iter().map(|violation| (violation.line, violation.message)).collect()
    }

    fn one(line: usize, message: &str) -> Vec<(usize, String)> {
        vec![(line, message.to_owned())]
    }

    #[test]
    fn uses_that_point_down_are_fine() {
        let text =
            "use crate::platform::Clock;\nuse crate::capture::Frame;\nuse crate::VERSION;\nuse super::x;";
        assert!(found("capture/portal.rs", text).is_empty());
        assert!(found("session/mod.rs", text).is_empty());
    }

    #[test]
    fn uses_that_point_up_are_named_with_their_line() {
        let expected = one(2, "capture must not use session");
        assert_eq!(found("capture/mod.rs", "\nuse crate::session::Slot;"), expected);
        assert_eq!(found("capture.rs", "\nfn f() { crate::session::go() }"), expected);
        assert_eq!(
            found("capture/a.rs", "use crate::{\n    session::{self, x},\n    platform,\n};"),
            expected
        );
        assert_eq!(
            found("platform/linux.rs", "pub(crate) use crate::capture;"),
            one(1, "platform must not use capture")
        );
    }

    #[test]
    fn climbing_counts_too() {
        let expected = one(1, "capture must not use session");
        assert_eq!(found("capture/mod.rs", "use super::session::Slot;"), expected);
        assert_eq!(found("capture/a.rs", "use super::super::{session, platform};"), expected);
        assert!(found("capture/a.rs", "use super::session::Slot;").is_empty());
        assert_eq!(found("capture/mod.rs", "mod inner { use super::super::session; }"), expected);
        assert!(found("capture/mod.rs", "mod inner { use super::session; }").is_empty());
    }

    #[test]
    fn tests_and_the_root_may_use_everything() {
        let text = "mod tests { use crate::session; fn f() {} }";
        assert!(found("capture/mod.rs", text).is_empty());
        assert!(found("capture/tests.rs", "use crate::session;").is_empty());
        assert!(found("lib.rs", "use crate::session;").is_empty());
        let behind = format!("{text}\nuse crate::session;");
        assert_eq!(found("capture/mod.rs", &behind), one(2, "capture must not use session"));
    }

    #[test]
    fn names_that_only_look_alike_do_not_count() {
        let text = "use other::crate_::session; use punktfunk_core::session; pub(crate) fn session() {}";
        assert!(found("capture/mod.rs", text).is_empty());
        assert!(
            found("capture/mod.rs", "pub(super) fn a() {}\n// crate::session\n\"crate::session\";")
                .is_empty()
        );
    }

    #[test]
    fn a_module_without_a_rule_is_a_violation() {
        assert_eq!(found("new/mod.rs", ""), one(1, "the module new has no rule in ci/layers.toml"));
    }
}
