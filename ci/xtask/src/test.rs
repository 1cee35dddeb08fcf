//! `cargo xtask test`: set-up, checks, build, tests, packages, end-to-end scenarios, and
//! whole systems as far as the hour reaches.
//!
//! A stage that fails does not hide the next ones, except where they cannot do
//! without it. The last line is the result, for people and for machines.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::packages::{self, Group};
use crate::tally::{Tally, TestOutput};
use crate::{build, check, console, e2e, exit_code, image, package, program, serve, web};

/// A run that takes longer says so, because nobody waits for tests that slow. It does not
/// fail: how long a cold build takes is the machine's affair.
const SLOW: Duration = Duration::from_secs(60 * 60);

/// Options of `cargo xtask test`.
#[derive(Args)]
pub struct Options {
    /// Run only this stage (may be given several times)
    #[arg(long, value_enum, value_name = "NAME")]
    stage: Vec<Stage>,
    /// List what the last run skipped, and why
    #[arg(long)]
    list_skipped: bool,
    /// Install missing system packages without asking
    #[arg(long)]
    yes: bool,
}

impl Options {
    /// Those that were asked for, else all; always in their order.
    fn stages(&self) -> impl Iterator<Item = Stage> {
        STAGES.into_iter().filter(|stage| self.stage.is_empty() || self.stage.contains(stage))
    }
}

/// The stages, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// Install the system packages that are missing
    Packages,
    /// The console: lints, types, unit tests, build, size
    Web,
    /// Formatting, lints, documentation, layers, file lengths, licences
    Check,
    /// Build programs and tests, once
    Build,
    /// Unit, property and process tests
    Tests,
    /// Packages are made, compared, installed into clean systems and taken out again
    Package,
    /// The console in a real browser, with a real host and a real client
    Console,
    /// Scenarios with real processes
    E2e,
    /// The system extension on four pretended systems; where the hour has room for it
    Sysext,
    /// The image of a whole system: built, checked, installed, booted and played on; where the
    /// hour has room for it
    Image,
}

const STAGES: [Stage; 10] = [
    Stage::Packages,
    // Before whatever builds the host: it carries the console.
    Stage::Web,
    Stage::Check,
    Stage::Build,
    Stage::Tests,
    Stage::Package,
    Stage::Console,
    Stage::E2e,
    Stage::Sysext,
    Stage::Image,
];

/// What a stage takes on two cores with nothing there from an earlier run, of those that wait
/// until there is time: what they try changes seldom, and the rest of a run needs its hour.
fn takes(stage: Stage) -> Option<Duration> {
    match stage {
        Stage::Sysext => Some(Duration::from_secs(11 * 60)),
        Stage::Image => Some(Duration::from_secs(20 * 60)),
        _ => None,
    }
}

/// Why a stage that nobody asked for is left out, so long after the start.
fn left_out(stage: Stage, since_start: Duration) -> Option<String> {
    let takes = takes(stage).filter(|takes| since_start + *takes > SLOW)?;
    Some(format!(
        "takes up to {} minutes, and {} of the hour are over: `cargo xtask test --stage {}`",
        takes.as_secs() / 60,
        since_start.as_secs() / 60,
        name(stage)
    ))
}

/// Runs the stages and prints what came of them.
pub fn run(options: &Options) -> Result<ExitCode> {
    if options.list_skipped {
        return list_skipped();
    }
    println!("rust: {}", serve::rust_is_recent_enough()?);
    let started = Instant::now();
    let mut tally = Tally::default();
    let mut times = Vec::new();
    for stage in options.stages() {
        if let Some(why) = left_out(stage, started.elapsed()).filter(|_| options.stage.is_empty()) {
            tally.skip(format!("stage {}", name(stage)), why);
            continue;
        }
        println!("\n=== {} ===", name(stage));
        let since = Instant::now();
        let outcome = run_stage(stage, options);
        times.push((stage, since.elapsed()));
        println!("=== {}: {} ===", name(stage), clock(since.elapsed()));
        let stop = match outcome {
            Ok(counted) => {
                tally.add(counted);
                false
            }
            Err(error) => {
                eprintln!("error: {error:#}");
                tally.fail(format!("stage {}: {error:#}", name(stage)));
                // Without the packages or the build, what follows can only repeat it.
                matches!(stage, Stage::Packages | Stage::Build)
            }
        };
        if stop {
            break;
        }
    }
    let total = started.elapsed();
    record_skipped(&tally)?;
    print!("{}", summary(&tally, &times, total));
    Ok(exit_code(tally.is_good()))
}

fn run_stage(stage: Stage, options: &Options) -> Result<Tally> {
    match stage {
        Stage::Packages => {
            packages::ensure(&[Group::Build, Group::Run, Group::Test], options.yes)?;
            Ok(Tally::default())
        }
        Stage::Web => web::tests(),
        Stage::Check => check::checks(),
        Stage::Build => build::everything().map(|_| Tally::default()),
        Stage::Tests => tests(),
        Stage::Package => package::trial::stage(&build::folder("ci")?, options.yes),
        Stage::Console => console::scenarios(&build::folder("ci")?, &console::Options::default()),
        Stage::E2e => e2e::scenarios(&build::folder("ci")?, &e2e::Options::default()),
        Stage::Sysext => package::sysext::trial::stage(&build::folder("ci")?, options.yes),
        Stage::Image => image::stage(&build::folder("ci")?, options.yes),
    }
}

/// More than this many failures are no accident of time.
const TRIED_AGAIN: usize = 3;

/// Every test of the workspace. A few that failed are tried once more, by themselves: many
/// play with real processes, on machines that others use, too. It is told.
fn tests() -> Result<Tally> {
    let mut tally = cargo_test(&[])?;
    if !tally.is_good() && tally.failed.len() <= TRIED_AGAIN {
        println!("\nonce more: {}", tally.failed.join(", "));
        let mut only = vec!["--exact"];
        only.extend(tally.failed.iter().map(String::as_str));
        tally.retried(&cargo_test(&only)?);
    }
    Ok(tally)
}

/// Runs `cargo test` with these options of test programs.
fn cargo_test(only: &[&str]) -> Result<Tally> {
    let mut output = TestOutput::default();
    let mut cargo = program::cargo();
    cargo.args(["test", "--profile", "ci", "--workspace", "--no-fail-fast", "--", "--show-output"]);
    let completed = program::each_line(cargo.args(only), |line| {
        if output.line(line) {
            println!("{line}");
        }
    })?;
    Ok(output.finish(completed))
}

fn summary(tally: &Tally, times: &[(Stage, Duration)], total: Duration) -> String {
    let mut text = String::from("\n");
    for (stage, time) in times {
        text += &format!("{:<10} {:>8}\n", name(*stage), clock(*time));
    }
    text += &format!("{:<10} {:>8}\n", "total", clock(total));
    if total > SLOW {
        text += &format!("warning: the run took more than {}\n", clock(SLOW));
    }
    if !tally.skipped.is_empty() {
        text += "\nskipped:\n";
        for (name, reason) in &tally.skipped {
            text += &format!("  {name}: {reason}\n");
        }
    }
    if !tally.again.is_empty() {
        text += "\npassed only when tried again:\n";
        for name in &tally.again {
            text += &format!("  {name}\n");
        }
    }
    if !tally.failed.is_empty() {
        text += "\nfailed:\n";
        for name in &tally.failed {
            text += &format!("  {name}\n");
        }
    }
    text + &format!("\n{tally}\n")
}

fn skipped_file() -> Result<PathBuf> {
    Ok(build::target()?.join("skipped.txt"))
}

fn record_skipped(tally: &Tally) -> Result<()> {
    let file = skipped_file()?;
    let lines: String = tally.skipped.iter().map(|(name, reason)| format!("{name}: {reason}\n")).collect();
    std::fs::write(&file, lines).with_context(|| format!("writing {}", file.display()))
}

fn list_skipped() -> Result<ExitCode> {
    let Ok(lines) = std::fs::read_to_string(skipped_file()?) else {
        bail!("no run is recorded; run `cargo xtask test` first");
    };
    if lines.is_empty() {
        println!("the last run skipped nothing");
    }
    print!("{lines}");
    Ok(ExitCode::SUCCESS)
}

fn name(stage: Stage) -> String {
    format!("{stage:?}").to_lowercase()
}

/// Minutes and seconds.
fn clock(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_is_run_unless_some_are_asked_for() {
        let stages = |stage: &[Stage]| {
            let options = Options { stage: stage.to_vec(), list_skipped: false, yes: false };
            options.stages().collect::<Vec<_>>()
        };
        assert_eq!(stages(&[]), STAGES);
        assert_eq!(stages(&[Stage::E2e, Stage::Web]), [Stage::Web, Stage::E2e]);
        assert_eq!(stages(&[Stage::Console]), [Stage::Console]);
        // None is left out of the list itself.
        assert_eq!(STAGES.as_slice(), <Stage as ValueEnum>::value_variants());
    }

    #[test]
    fn whole_systems_are_tried_while_the_hour_has_room_for_them() {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        assert_eq!(left_out(Stage::Image, minutes(40)), None);
        let why = left_out(Stage::Image, minutes(41)).unwrap();
        assert!(why.contains("41 of the hour are over"), "{why}");
        assert!(why.ends_with("`cargo xtask test --stage image`"), "{why}");
        // Everything else is tried, however late.
        let patient = STAGES.into_iter().filter(|stage| left_out(*stage, minutes(600)).is_some());
        assert_eq!(patient.collect::<Vec<_>>(), [Stage::Sysext, Stage::Image]);
    }

    #[test]
    fn the_last_line_is_the_result() {
        let mut tally = Tally { passed: 3, ..Tally::default() };
        tally.skip("gpu_encode", "no GPU");
        tally.fail("x");
        let text = summary(&tally, &[(Stage::Check, Duration::from_secs(61))], Duration::from_secs(3_725));
        assert!(text.ends_with("\n3 passed, 1 failed, 1 skipped\n"), "{text}");
        assert!(text.contains("check          1:01\n"), "{text}");
        assert!(text.contains("  gpu_encode: no GPU\n"));
        assert!(text.contains("warning: the run took more than 60:00\n"));
    }
}
