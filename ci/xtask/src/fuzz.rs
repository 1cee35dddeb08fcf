//! `cargo xtask fuzz`: feeds the parsers of foreign bytes with what they never
//! asked for. The corpora it starts from are replayed by ordinary tests too.
//!
//! The targets are libFuzzer programs. The coverage counters libFuzzer steers by come
//! from a pass of LLVM that every compiler has, so the usual stable one will do; only
//! AddressSanitizer is a nightly affair, and almost everything here is safe Rust.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{exit_code, program};

/// What makes a program one that libFuzzer can steer. The same that cargo-fuzz gives.
const FLAGS: [&str; 10] = [
    "--cfg",
    "fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "-Cdebug-assertions=on",
    "-Coverflow-checks=on",
];
/// Seconds one input may take, on a machine that has other things to do.
const TIMEOUT: u32 = 20;
/// No input is longer: the seeds are shorter, and what is found in a short one is read
/// more easily.
const MAX_LEN: u32 = 4096;

/// Options of `cargo xtask fuzz`.
#[derive(Args)]
pub struct Options {
    /// Seconds for each target
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    time: u32,
    /// Build with AddressSanitizer too (needs a nightly Rust from rustup)
    #[arg(long)]
    sanitizer: bool,
    /// Names of targets; all of them when none is given
    target: Vec<String>,
}

/// What libFuzzer said about one target.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    runs: u64,
    per_second: u64,
    coverage: u64,
    found: u64,
    /// Why it stopped early, and the input that made it.
    crash: Option<Crash>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Crash {
    reason: Vec<String>,
    input: Option<String>,
}

/// Runs the targets one after the other; a crash of one does not hide the next.
pub fn run(options: &Options) -> Result<ExitCode> {
    let known = targets()?;
    if let Some(unknown) = options.target.iter().find(|target| !known.contains(target)) {
        bail!("no fuzz target is called {unknown}; there are: {}", known.join(", "));
    }
    let chosen = if options.target.is_empty() { &known } else { &options.target };
    let programs = build(chosen, options.sanitizer)?;
    let sanitizer = if options.sanitizer { "with AddressSanitizer" } else { "without a sanitizer" };
    println!("{} targets, {} s each, {sanitizer}", chosen.len(), options.time);
    let mut crashed = Vec::new();
    let mut runs = 0;
    for target in chosen {
        let outcome = fuzz(&programs.join(target), target, options)?;
        report(target, &outcome);
        runs += outcome.runs;
        if outcome.crash.is_some() {
            crashed.push(target.as_str());
        }
    }
    let names = if crashed.is_empty() { String::new() } else { format!(": {}", crashed.join(" ")) };
    println!("\n{} targets, {runs} runs, {} crashed{names}", chosen.len(), crashed.len());
    Ok(exit_code(crashed.is_empty()))
}

/// The names of the targets, sorted.
fn targets() -> Result<Vec<String>> {
    let folder = program::root().join("core/fuzz/fuzz_targets");
    let entries =
        fs::read_dir(&folder).with_context(|| format!("no fuzz targets in {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// Builds the targets; returns the folder the programs are in.
fn build(chosen: &[String], sanitizer: bool) -> Result<PathBuf> {
    let version = program::output(Command::new("rustc").arg("-vV")).context("cannot ask rustc what it is")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc -vV does not name its host")?;
    let mut flags = FLAGS.to_vec();
    let (mut cargo, folder) = if sanitizer {
        flags.push("-Zsanitizer=address");
        let mut cargo = program::in_root("rustup");
        cargo.args(["run", "nightly", "cargo"]);
        (cargo, program::root().join("target/fuzz-sanitizer"))
    } else {
        (program::cargo(), program::root().join("target/fuzz"))
    };
    cargo.args(["build", "--release", "--manifest-path", "core/fuzz/Cargo.toml"]);
    // Naming the target, even the usual one, keeps the flags from build scripts.
    cargo.args(["--target", host]).arg("--target-dir").arg(&folder);
    for target in chosen {
        cargo.args(["--bin", target]);
    }
    program::must(cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")))?;
    Ok(folder.join(host).join("release"))
}

/// Runs one target for its time.
fn fuzz(binary: &Path, target: &str, options: &Options) -> Result<Outcome> {
    let corpus = program::root().join("target/fuzz-corpus").join(target);
    let artefacts = program::root().join("target/fuzz-artefacts");
    let seeds = program::root().join("core/fuzz/corpus").join(target);
    for folder in [&corpus, &artefacts] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let path = artefacts.join(format!("{target}.log"));
    let log = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut command = program::in_root(binary);
    // New inputs go to the first folder, which is why the seeds are the second.
    command.arg(program::relative(&corpus)).arg(program::relative(&seeds));
    command.arg(format!("-max_total_time={}", options.time));
    command.arg(format!("-artifact_prefix={}/{target}-", program::relative(&artefacts)));
    // The shadow of AddressSanitizer is memory too.
    command.arg(format!("-rss_limit_mb={}", if options.sanitizer { 2048 } else { 1024 }));
    command.arg(format!("-max_len={MAX_LEN}")).arg(format!("-timeout={TIMEOUT}"));
    command.arg("-print_final_stats=1");
    command.stdout(log.try_clone()?).stderr(log);
    let succeeded = program::succeeds(&mut command)?;
    let log = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(read_log(&String::from_utf8_lossy(&log), succeeded))
}

/// Finds the numbers in what libFuzzer printed.
fn read_log(log: &str, succeeded: bool) -> Outcome {
    let mut outcome = Outcome::default();
    let mut crash = Crash::default();
    for line in log.lines() {
        if let Some((name, value)) = line.strip_prefix("stat::").and_then(|line| line.split_once(':')) {
            let value = value.trim().parse().unwrap_or(0);
            match name {
                "number_of_executed_units" => outcome.runs = value,
                "average_exec_per_sec" => outcome.per_second = value,
                "new_units_added" => outcome.found = value,
                _ => {}
            }
        } else if line.starts_with('#') {
            let mut words = line.split_whitespace().skip_while(|&word| word != "cov:").skip(1);
            outcome.coverage = words.next().and_then(|word| word.parse().ok()).unwrap_or(outcome.coverage);
        } else if let Some((_, input)) = line.split_once("Test unit written to ") {
            // A slow input is written too and is no crash: the last one counts.
            crash.input = Some(input.trim().to_owned());
        } else if reason(line) || crash.reason.last().is_some_and(|last| last.ends_with(':')) {
            // The message of a panic is in the line after the place.
            crash.reason.push(line.trim().to_owned());
        }
    }
    if !succeeded {
        if crash.reason.is_empty() {
            crash.reason.extend(log.lines().last().map(str::to_owned));
        }
        outcome.crash = Some(crash);
    }
    outcome
}

fn reason(line: &str) -> bool {
    line.contains("panicked at") || line.starts_with("SUMMARY: ") || line.contains("ERROR: ")
}

fn report(target: &str, outcome: &Outcome) {
    println!(
        "{target:<16} {:>10} runs {:>8}/s  coverage {:>5}  {:>4} new inputs  {}",
        outcome.runs,
        outcome.per_second,
        outcome.coverage,
        outcome.found,
        if outcome.crash.is_some() { "CRASHED" } else { "0 crashes" },
    );
    let Some(crash) = &outcome.crash else { return };
    for line in &crash.reason {
        println!("    {line}");
    }
    match &crash.input {
        Some(input) => println!("    the input that did it: {input}"),
        None => println!("    target/fuzz-artefacts/{target}.log says more"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_target_is_declared_and_has_seeds() {
        let root = program::root().join("core/fuzz");
        let manifest: toml::Table =
            toml::from_str(&fs::read_to_string(root.join("Cargo.toml")).unwrap()).unwrap();
        let declared = manifest["bin"].as_array().unwrap();
        let declared: BTreeSet<_> = declared.iter().map(|bin| bin["name"].as_str().unwrap()).collect();
        let found = targets().unwrap();
        assert_eq!(declared, found.iter().map(String::as_str).collect());
        for target in &found {
            let seeds = fs::read_dir(root.join("corpus").join(target)).unwrap();
            let lengths: Vec<_> = seeds.map(|seed| seed.unwrap().metadata().unwrap().len()).collect();
            assert!(!lengths.is_empty(), "{target} has no seed");
            assert!(lengths.iter().all(|&len| len <= u64::from(MAX_LEN)), "{target}: a seed is cut");
        }
    }

    #[test]
    fn a_quiet_run_is_read() {
        let log = "INFO: Seed: 7\n#2\tINITED cov: 34 ft: 35 corp: 1/1b exec/s: 0 rss: 30Mb\n\
                   #9000\tDONE   cov: 120 ft: 300 corp: 9/90b lim: 4096 exec/s: 4500 rss: 40Mb\n\
                   Done 9000 runs in 2 second(s)\nstat::number_of_executed_units: 9000\n\
                   stat::average_exec_per_sec:     4500\nstat::new_units_added:          8\n";
        let outcome = Outcome { runs: 9000, per_second: 4500, coverage: 120, found: 8, crash: None };
        assert_eq!(read_log(log, true), outcome);
    }

    #[test]
    fn a_crash_is_named_with_its_input() {
        let log = "#2\tINITED cov: 34 ft: 35 corp: 1/1b exec/s: 0 rss: 30Mb\n\n\
                   thread '<unnamed>' (7) panicked at src/xml.rs:1:2:\nindex out of bounds\n\
                   note: run with `RUST_BACKTRACE=1`\n==7== ERROR: libFuzzer: deadly signal\n    #0 0x55\n\
                   SUMMARY: libFuzzer: deadly signal\n\
                   artifact_prefix='a/xml-'; Test unit written to a/xml-crash-00\n";
        let crash = read_log(log, false).crash.unwrap();
        assert_eq!(crash.input.as_deref(), Some("a/xml-crash-00"));
        assert_eq!(crash.reason[1], "index out of bounds");
        assert_eq!(crash.reason.len(), 4);
        assert_eq!(read_log("killed", false).crash.unwrap().reason, ["killed"]);
    }
}
