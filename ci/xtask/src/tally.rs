//! Counting: reads what tests and scenarios print and adds it up.
//!
//! A test that cannot run here prints `SKIPPED name: reason` and returns. Rust's
//! test program counts it as passed; here it is moved to the skipped ones.

use std::fmt;

/// What ran so far.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Tests and scenarios that did what they promise.
    pub passed: usize,
    /// Names of those that did not, and steps that could not be run.
    pub failed: Vec<String>,
    /// Names of those that passed only when they were tried once more: defects, which a
    /// person should look at, and which stand in nobody's way.
    pub again: Vec<String>,
    /// Name and reason of each that could not run here.
    pub skipped: Vec<(String, String)>,
    /// Tests marked as ignored, whose names the summary lines do not tell.
    pub ignored: usize,
}

impl Tally {
    /// Notes something that failed.
    pub fn fail(&mut self, what: impl Into<String>) {
        self.failed.push(what.into());
    }

    /// Notes something that could not run here.
    pub fn skip(&mut self, name: impl Into<String>, reason: impl Into<String>) {
        let name = name.into();
        if self.skipped.iter().all(|(known, _)| *known != name) {
            self.skipped.push((name, reason.into()));
        }
    }

    /// Adds what another part counted.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.ignored += other.ignored;
        self.failed.extend(other.failed);
        self.again.extend(other.again);
        for (name, reason) in other.skipped {
            self.skip(name, reason);
        }
    }

    /// Moves what failed and then passed in a second try to its place.
    pub fn retried(&mut self, second: &Self) {
        // What was not found by its name, or crashed, was not tried again.
        if second.passed + second.failed.len() < self.failed.len() {
            return;
        }
        let failed = std::mem::take(&mut self.failed);
        let (failed, again): (Vec<_>, Vec<_>) =
            failed.into_iter().partition(|name| second.failed.contains(name));
        self.passed += again.len();
        self.failed = failed;
        self.again.extend(again);
    }

    /// True when nothing failed.
    pub fn is_good(&self) -> bool {
        self.failed.is_empty()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skipped = self.skipped.len() + self.ignored;
        write!(f, "{} passed, {} failed, {skipped} skipped", self.passed, self.failed.len())
    }
}

/// Reads the output of `cargo test -- --show-output`, a line at a time.
#[derive(Default)]
pub struct TestOutput {
    tally: Tally,
    /// Names announced as FAILED since the last summary line.
    failing: Vec<String>,
    skipped_here: usize,
    in_successes: bool,
    /// Lines that may be names, below the last heading "failures:": what programs write
    /// while they are tested can stand between a test's name and "FAILED".
    listed: Option<Vec<String>>,
    /// A test program said how many tests it has, and not yet what came of them.
    open: bool,
}

impl TestOutput {
    /// Takes a line and says whether a person should see it: the output of tests
    /// that passed is of no interest.
    pub fn line(&mut self, line: &str) -> bool {
        if let Some((name, reason)) = skip_line(line) {
            // Printed once under the test and never again; the name is the test's.
            if self.tally.skipped.iter().all(|(known, _)| known != name) {
                self.tally.skip(name, reason);
                self.skipped_here += 1;
                return true;
            }
            return !self.in_successes;
        }
        match line.trim_end() {
            "successes:" => self.in_successes = true,
            "failures:" => {
                self.in_successes = false;
                self.listed = Some(Vec::new());
            }
            line => {
                if let (Some(listed), Some(name)) = (&mut self.listed, line.strip_prefix("    ")) {
                    listed.push(name.to_owned());
                }
            }
        }
        if let Some(name) =
            line.strip_prefix("test ").and_then(|rest| rest.trim_end().strip_suffix(" ... FAILED"))
        {
            self.failing.push(name.to_owned());
        }
        if line
            .strip_prefix("running ")
            .is_some_and(|rest| rest.ends_with(" tests") || rest.ends_with(" test"))
        {
            self.crashed_if_open();
            self.open = true;
        }
        if let Some(result) = line.strip_prefix("test result: ") {
            self.open = false;
            self.in_successes = false;
            self.summary(result);
            return true;
        }
        !self.in_successes && !line.trim().is_empty()
    }

    /// What was counted; `completed` says how `cargo test` ended.
    pub fn finish(mut self, completed: bool) -> Tally {
        self.crashed_if_open();
        if !completed && self.tally.is_good() {
            self.tally.fail("cargo test (a build failed; see above)");
        }
        self.tally
    }

    /// A test program that crashed prints no summary.
    fn crashed_if_open(&mut self) {
        if std::mem::take(&mut self.open) {
            self.tally.failed.append(&mut self.failing);
            self.tally.fail("a test program (it crashed; see above)");
        }
    }

    fn summary(&mut self, result: &str) {
        let count = |what: &str| -> usize {
            let part = result.split([';', '.']).map(str::trim).find_map(|part| part.strip_suffix(what));
            part.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
        };
        self.tally.passed += count("passed").saturating_sub(std::mem::take(&mut self.skipped_here));
        self.tally.ignored += count("ignored");
        let (announced, listed) = (std::mem::take(&mut self.failing), self.listed.take().unwrap_or_default());
        let failed = count("failed");
        let mut names = if listed.len() == failed { listed } else { announced };
        let named = names.len();
        self.tally.failed.append(&mut names);
        for _ in named..failed {
            self.tally.fail("a test (its name stands above)");
        }
    }
}

/// Reads a line of those who play scenarios: `ok NAME`, `FAILED NAME: why`,
/// `SKIPPED NAME: why`, `again NAME: why`. Other lines count nothing; `kind` stands before the names.
pub fn scenario(tally: &mut Tally, kind: &str, line: &str) {
    if let Some(name) = line.strip_prefix("ok ") {
        if !name.trim().is_empty() {
            tally.passed += 1;
        }
    } else if let Some(what) = line.strip_prefix("FAILED ") {
        tally.fail(format!("{kind} {what}"));
    } else if let Some(what) = line.strip_prefix("again ") {
        tally.again.push(format!("{kind} {what}"));
    } else if let Some(what) = line.strip_prefix("SKIPPED ") {
        let (name, reason) = what.split_once(": ").unwrap_or((what, "no reason given"));
        tally.skip(format!("{kind} {name}"), reason);
    }
}

fn skip_line(line: &str) -> Option<(&str, &str)> {
    let rest = line.trim().strip_prefix("SKIPPED")?;
    let rest = rest.strip_prefix(':').unwrap_or(rest).strip_prefix(' ')?;
    Some(rest.split_once(": ").unwrap_or((rest, "no reason given")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSING: &str = "
running 3 tests
test a ... ok
test b ... ok
test c ... ignored

successes:

---- a stdout ----
noise
SKIPPED: a: no GPU on this machine


successes:
    a
    b

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.00s
";

    const FAILING: &str = "
running 2 tests
test x::y ... FAILED
test z ... ok

successes:

successes:
    z

failures:

---- x::y stdout ----
thread panicked

failures:
    x::y

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    fn read(text: &str, completed: bool) -> (Tally, Vec<&str>) {
        let mut output = TestOutput::default();
        let shown = text.lines().filter(|line| output.line(line)).collect();
        (output.finish(completed), shown)
    }

    #[test]
    fn a_test_that_says_skipped_is_not_a_passed_one() {
        let (tally, shown) = read(PASSING, true);
        assert_eq!(tally.to_string(), "1 passed, 0 failed, 2 skipped");
        assert_eq!(tally.skipped, [("a".to_owned(), "no GPU on this machine".to_owned())]);
        assert!(!shown.contains(&"noise"));
        assert!(shown.contains(&"SKIPPED: a: no GPU on this machine"));
    }

    #[test]
    fn a_test_may_name_what_it_skips_in_either_way() {
        let (tally, _) = read(&PASSING.replace("SKIPPED: a:", "SKIPPED a (all of it):"), true);
        assert_eq!(tally.to_string(), "1 passed, 0 failed, 2 skipped");
        assert_eq!(tally.skipped, [("a (all of it)".to_owned(), "no GPU on this machine".to_owned())]);
        assert_eq!(skip_line("SKIPPEDa: b"), None);
    }

    #[test]
    fn a_failure_is_named_and_its_output_shown() {
        let (tally, shown) = read(FAILING, false);
        assert_eq!(tally.to_string(), "1 passed, 1 failed, 0 skipped");
        assert_eq!(tally.failed, ["x::y"]);
        assert!(shown.contains(&"thread panicked"));
    }

    #[test]
    fn a_name_is_found_when_programs_write_over_it() {
        let torn = FAILING
            .replace("x::y ... FAILED", "x::y ... a bus: no\nFAILED")
            .replace("panicked", "panicked\n    at 3");
        let (tally, _) = read(&torn, false);
        assert_eq!(tally.failed, ["x::y"]);
    }

    #[test]
    fn what_passes_in_a_second_try_is_told_and_does_not_fail() {
        let (mut tally, _) = read(FAILING, false);
        tally.retried(&read(FAILING, false).0);
        assert_eq!((tally.failed.len(), tally.again.len(), tally.passed), (1, 0, 1));
        tally.retried(&read("", true).0);
        assert_eq!((tally.failed.len(), tally.passed), (1, 1));
        tally.retried(&read(PASSING, true).0);
        assert_eq!((tally.failed.len(), tally.passed), (0, 2));
        assert_eq!(tally.again, ["x::y"]);
    }

    #[test]
    fn several_test_programs_add_up() {
        let (tally, _) = read(&format!("{PASSING}{FAILING}"), false);
        assert_eq!(tally.to_string(), "2 passed, 1 failed, 2 skipped");
    }

    #[test]
    fn a_build_that_failed_and_a_crash_are_failures() {
        let (tally, _) = read("", false);
        assert_eq!(tally.failed.len(), 1);
        for tests in ["", "test a ... FAILED\n"] {
            let (tally, _) = read(&format!("running 2 tests\n{tests}{PASSING}"), false);
            assert_eq!(tally.failed.last().unwrap(), "a test program (it crashed; see above)");
        }
    }

    #[test]
    fn scenarios_count() {
        let mut tally = Tally::default();
        for line in [
            "ok pair",
            "note",
            "FAILED tone: silence",
            "SKIPPED mdns: no namespaces",
            "again pad: late",
            "ok ",
        ] {
            scenario(&mut tally, "e2e", line);
        }
        assert_eq!(tally.to_string(), "1 passed, 1 failed, 1 skipped");
        assert_eq!(tally.failed, ["e2e tone: silence"]);
        assert_eq!(tally.again, ["e2e pad: late"]);
        assert_eq!(tally.skipped, [("e2e mdns".to_owned(), "no namespaces".to_owned())]);
    }
}
