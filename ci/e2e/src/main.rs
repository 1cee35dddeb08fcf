//! `punktfunk-e2e`: scenarios with real processes. Each starts a host of its own in
//! a fresh folder on ports of its own and plays with the probe's library.
//!
//! Prints `ok NAME`, `FAILED NAME: why` or `SKIPPED NAME: why` for each scenario,
//! measurements indented below it, and the totals in the last line.
#![forbid(unsafe_code)]

mod backup;
mod codecs;
mod control;
mod desktop;
mod diagnose;
mod doctor;
mod drawing;
mod input;
mod library;
mod lifetime;
mod modes;
mod native;
mod network;
mod pads;
mod pairing;
mod picture;
mod restart;
mod several;
mod sound;
mod storm;
mod touch;
mod x11;

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use punktfunk_e2e::stage::{Outcome, World};
use punktfunk_e2e::{host, stage};

/// Plays every scenario against a real host.
#[derive(Debug, Parser)]
#[command(name = "punktfunk-e2e", version)]
struct Args {
    /// The program punktfunk-host
    #[arg(long, value_name = "PATH")]
    host: PathBuf,
    /// The program punktfunk-seat
    #[arg(long, value_name = "PATH")]
    seat: PathBuf,
    /// Where screenshots and logs go
    #[arg(long, value_name = "DIR", default_value = "target/e2e")]
    artefacts: PathBuf,
    /// Play only scenarios whose name contains one of these
    #[arg(value_name = "NAME")]
    only: Vec<String>,
    /// Play the long versions of those that have one
    #[arg(long)]
    long: bool,
    /// List the scenarios and do nothing
    #[arg(long)]
    list: bool,
}

/// A scenario, by its name.
type Scenario = (&'static str, fn(&World, &str) -> Result<Outcome>);

const SCENARIOS: &[&[Scenario]] = &[
    pairing::SCENARIOS,
    picture::SCENARIOS,
    modes::SCENARIOS,
    codecs::SCENARIOS,
    sound::SCENARIOS,
    network::SCENARIOS,
    input::SCENARIOS,
    control::SCENARIOS,
    desktop::SCENARIOS,
    lifetime::SCENARIOS,
    diagnose::SCENARIOS,
    doctor::SCENARIOS,
    several::SCENARIOS,
    restart::SCENARIOS,
    backup::SCENARIOS,
    storm::SCENARIOS,
    x11::SCENARIOS,
    touch::SCENARIOS,
    pads::SCENARIOS,
    library::SCENARIOS,
];

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("PUNKTFUNK_LOG").unwrap_or_else(|_| "error".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    let mut words = std::env::args_os().skip(1);
    if let (Some(word), Some(file)) = (words.next(), words.next())
        && word == drawing::WORD
    {
        return exit_code(drawing::run(Path::new(&file)).map(|()| true));
    }
    exit_code(run(&Args::parse()))
}

fn exit_code(outcome: Result<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("punktfunk-e2e: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<bool> {
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|part| name.contains(part));
    let long: &[Scenario] = if args.long { storm::LONG } else { &[] };
    let chosen: Vec<_> = SCENARIOS
        .iter()
        .chain(native::SCENARIOS)
        .copied()
        .flatten()
        .chain(long)
        .filter(|(name, _)| wanted(name))
        .collect();
    if args.list {
        chosen.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(true);
    }
    let world = World::new(&args.host, &args.seat, &args.artefacts, args.long)?;
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (name, scenario) in chosen {
        // A scenario that panics must not take the others with it.
        let play = || std::panic::catch_unwind(AssertUnwindSafe(|| scenario(&world, name)));
        let mut outcome = play();
        // These are real clocks on a machine that others share: once more, and said.
        if let Ok(Err(error)) = &outcome {
            println!("again {name}: {}", format!("{error:#}").replace('\n', " | "));
            outcome = play();
        }
        match outcome {
            Ok(Ok(Outcome::Passed(note))) => {
                passed += 1;
                println!("ok {name}");
                if !note.is_empty() {
                    println!("    {note}");
                }
            }
            Ok(Ok(Outcome::Skipped(why))) => {
                skipped += 1;
                println!("SKIPPED {name}: {why}");
            }
            Ok(Err(error)) => {
                failed += 1;
                println!("FAILED {name}: {}", format!("{error:#}").replace('\n', " | "));
            }
            Err(_) => {
                failed += 1;
                println!("FAILED {name}: it panicked, see above");
            }
        }
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    Ok(failed == 0)
}
