//! The project's own commands. `cargo xtask --help` lists them; each has a module.
//!
//! Nothing here is shipped. It may start programs, install packages and write
//! below `target/`; it uses no unsafe code and few dependencies, so that it builds
//! in seconds on a machine that has nothing but Rust and a linker.
#![forbid(unsafe_code)]

mod bench;
mod build;
mod check;
mod console;
mod e2e;
mod fuzz;
mod image;
mod layers;
mod licences;
mod package;
mod packages;
mod pages;
mod program;
mod promises;
mod serve;
mod tally;
mod test;
mod vm;
mod web;
#[cfg(test)]
mod workflows;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Everything one does with punktfunk's source tree.
///
/// Start with `cargo xtask serve` to stream this machine, or `cargo xtask test` to
/// prove that everything works. Both install the system packages they need, after
/// asking.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the host and run it, ready for a Moonlight client
    Serve(serve::Options),
    /// Enter the PIN a client shows (or be asked for it)
    Pair(serve::PairOptions),
    /// Check, build and test everything; ends with "N passed, N failed, N skipped"
    Test(test::Options),
    /// Formatting, lints, documentation, layers, file lengths, licences
    Check,
    /// Only the one-way import rules of ci/layers.toml
    Layers,
    /// Only the end-to-end scenarios, with real processes
    E2e(e2e::Options),
    /// Only the console's scenarios, with a real browser
    Console(console::Options),
    /// Write host/licences.json: what the programs and the console are made of
    Licences(licences::Options),
    /// Run the benchmarks; writes target/bench.json and docs/benchmarks.md
    Bench(bench::Options),
    /// Fuzz the parsers of foreign bytes, 30 seconds each
    Fuzz(fuzz::Options),
    /// Make packages for distributions, or try those that were made
    Package(package::Options),
    /// Make the appliance: the image of a whole system
    Image(image::Options),
    /// Boot a virtual machine for what needs a kernel of its own (fetches a kernel)
    Vm(vm::Options),
    /// Wait until a host listens and say how to reach it
    #[command(hide = true)]
    Announce(serve::AnnounceOptions),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(options) => serve::run(&options),
        Command::Pair(options) => serve::pair(&options),
        Command::Test(options) => test::run(&options),
        Command::Check => check::run(),
        Command::Layers => layers::run(),
        Command::E2e(options) => e2e::run(&options),
        Command::Console(options) => console::run(&options),
        Command::Licences(options) => licences::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Package(options) => package::run(&options),
        Command::Image(options) => image::run(&options),
        Command::Vm(options) => vm::run(&options),
        Command::Announce(options) => serve::announce(&options),
    }
}

/// What a command that may fail without an error of its own exits with.
fn exit_code(ok: bool) -> ExitCode {
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_fit_together() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }
}
