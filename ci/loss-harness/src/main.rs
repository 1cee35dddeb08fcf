//! `loss-harness`: prints the sweep.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use punktfunk_loss_harness::{Promise, Sweep, Way, as_json, as_table, method, promise};

/// What loss does to a stream, and what parity and repair do about it.
///
/// A host and a client play a stream over a simulated network whose losses come in bursts
/// (Gilbert-Elliott), in virtual time: the same seed prints the same table everywhere.
///
/// "by parity" and "by repair" count frames that were whole only thanks to it, "lost"
/// those that never were; "shown" is the share of all frames that a decoder could show,
/// which also takes the frames before them. "added" is how much later than without loss a
/// frame was whole, over all that were; "overhead" is what crossed the network beyond the
/// encoder's bytes.
#[derive(Parser)]
#[command(name = "loss-harness")]
struct Arguments {
    /// Mean share of lost datagrams, percent
    #[arg(long, value_delimiter = ',', default_values_t = Sweep::default().losses)]
    loss: Vec<f64>,
    /// Mean length of runs of lost datagrams
    #[arg(long, value_delimiter = ',', default_values_t = Sweep::default().bursts)]
    burst: Vec<f64>,
    /// Only protections whose name contains this
    #[arg(long)]
    protection: Option<String>,
    /// Round trip of the path, ms [default: 20, of the promise 4 and 12]
    #[arg(long)]
    rtt: Option<u64>,
    /// Bitrate of the encoder, Mbit/s
    #[arg(long, default_value_t = 20.0)]
    bitrate: f64,
    /// Frames a second
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=1000))]
    fps: u32,
    /// Virtual seconds of each run
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// What chance is drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Instead of the sweep: what is promised at 5 % loss in runs of 4, with so many frames a
    /// second, and --rtt, --bitrate and --seconds as given
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=1000))]
    promise: Vec<u32>,
    /// Runs of each kind of the promise, each with a seed of its own
    #[arg(long, default_value_t = Promise::default().seeds, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let wanted = arguments.protection.as_deref().unwrap_or_default();
    let ways: Vec<Way> = Way::ALL.into_iter().filter(|way| way.name.contains(wanted)).collect();
    let shares = arguments.loss.iter().all(|loss| (0.0..=100.0).contains(loss));
    if ways.is_empty() || !shares || !(0.1..=4000.0).contains(&arguments.bitrate) {
        let names: Vec<&str> = Way::ALL.iter().map(|way| way.name).collect();
        eprintln!(
            "error: losses are 0 to 100 percent, the bitrate 0.1 to 4000 Mbit/s, and a protection part of: {}",
            names.join("; ")
        );
        return ExitCode::from(2);
    }
    if !arguments.promise.is_empty() {
        return keep(&arguments);
    }
    let sweep = Sweep {
        losses: arguments.loss,
        bursts: arguments.burst,
        ways,
        round_trip: arguments.rtt.map_or(Sweep::default().round_trip, Duration::from_millis),
        bitrate: (arguments.bitrate * 1e6) as u64,
        fps: arguments.fps,
        seconds: arguments.seconds,
        seed: arguments.seed,
    };
    let rows = sweep.run();
    if arguments.json {
        println!("{:#}", as_json(&sweep, &rows));
    } else {
        println!("{}\n\n{}", method(&sweep), as_table(&rows));
    }
    ExitCode::SUCCESS
}

/// Plays what is promised.
fn keep(arguments: &Arguments) -> ExitCode {
    let trips = arguments.rtt.map(|rtt| vec![Duration::from_millis(rtt)]);
    let rows = Promise {
        fps: arguments.promise.clone(),
        round_trips: trips.unwrap_or(Promise::default().round_trips),
        bitrate: (arguments.bitrate * 1e6) as u64,
        seconds: arguments.seconds,
        seeds: arguments.seeds,
    }
    .run();
    if arguments.json {
        println!("{:#}", promise::as_json(&rows));
    } else {
        print!("{}", promise::as_table(&rows));
    }
    ExitCode::SUCCESS
}
