//! `punktfunk-seat`: one Wayland screen for one client, with the application on it.
//!
//! Started by punktfunk-host, one process per seat. It outlives the host: a host that
//! was restarted connects again to the socket in the runtime directory.
#![deny(unsafe_code)]

mod audio;
mod backdrop;
mod banner;
mod bounds;
mod clock;
mod commit;
mod cursor;
mod desktop;
mod frame;
mod gamescope;
mod globals;
mod input;
mod keymap;
mod launch;
mod launcher;
mod layer;
mod limits;
mod link;
mod menu;
mod nested;
mod paint;
mod platform;
mod process;
mod render;
mod seat;
mod selection;
mod shell;
mod testcard;
mod text;
mod user_shell;
mod windows;
mod xwayland;

use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use punktfunk_seat_ipc::{Keymap, MAX_SIDE, Mode};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// One Wayland screen for one client of punktfunk.
#[derive(Parser)]
#[command(version, subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
    /// Directory for the sockets of this seat.
    #[arg(long, required = true)]
    runtime_dir: Option<PathBuf>,
    /// Width of the screen in pixels.
    #[arg(long, default_value_t = 1920)]
    width: u32,
    /// Height of the screen in pixels.
    #[arg(long, default_value_t = 1080)]
    height: u32,
    /// Refresh rate in Hz: N or N/D.
    #[arg(long, default_value = "60")]
    refresh: String,
    /// Keyboard layout, as xkb names it.
    #[arg(long, default_value = "us")]
    layout: String,
    /// Variant of the keyboard layout.
    #[arg(long, default_value = "")]
    variant: String,
    /// Options of the keyboard layout.
    #[arg(long, default_value = "")]
    xkb_options: String,
    /// Name of the client, shown to applications as the model of the screen.
    #[arg(long, default_value = "seat")]
    name: String,
    /// Who draws the screen: `own`, or a headless gamescope.
    #[arg(long, value_enum, default_value_t = Compositor::Own)]
    compositor: Compositor,
    /// With gamescope: show the one that runs already as this Wayland display, a name in
    /// `$XDG_RUNTIME_DIR`, or `auto` for any that answers there. It is left running.
    #[arg(long)]
    attach: Option<String>,
    /// Run without a sound server.
    #[arg(long)]
    no_sound: bool,
    /// Channels of sound: 2, 6 or 8.
    #[arg(long, default_value_t = 2)]
    channels: u8,
    /// Seconds the seat lives without a host.
    #[arg(long, default_value_t = 600)]
    orphan_timeout: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Compositor {
    /// The one in this program.
    Own,
    /// gamescope.
    Gamescope,
}

#[derive(Subcommand)]
enum Role {
    /// Shows the Test card in a window (internal).
    #[command(hide = true)]
    TestCard {
        /// No tone.
        #[arg(long)]
        mute: bool,
    },
    /// Ends the processes of a seat that died (internal).
    #[command(hide = true)]
    Guard {
        /// The mark of the seat.
        id: String,
        /// Its process id.
        pid: i32,
    },
}

fn main() -> ExitCode {
    if let Some(error) = xwayland::stand_in() {
        eprintln!("Xwayland: {error}");
        return ExitCode::FAILURE;
    }
    match start(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line: the host shows the end of this log to people.
            eprintln!("punktfunk-seat: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.role {
        Some(Role::Guard { id, pid }) => {
            process::guard(&id, pid);
            return Ok(());
        }
        Some(Role::TestCard { mute }) => {
            return Ok(testcard::run(testcard::Options { mute, ..testcard::Options::default() })?);
        }
        None => {}
    }
    let directory = arguments.runtime_dir.context("--runtime-dir is needed")?;
    let directory = std::path::absolute(directory).context("find the runtime directory")?;
    if std::env::var_os(process::MARK).as_deref() != Some(directory.as_os_str()) {
        // Once more with the mark of this seat, which every child then inherits.
        let mut again = Command::new(std::env::current_exe()?);
        again.args(std::env::args_os().skip(1)).env(process::MARK, directory);
        return Err(again.exec()).context("start again");
    }
    log();
    let mode = mode(arguments.width, arguments.height, &arguments.refresh)?;
    let options = seat::Options {
        runtime_dir: directory,
        mode,
        layout: Keymap {
            layout: arguments.layout,
            variant: arguments.variant,
            options: arguments.xkb_options,
        },
        name: arguments.name,
        sound: (!arguments.no_sound).then_some(arguments.channels),
        orphan_timeout: Duration::from_secs(arguments.orphan_timeout),
    };
    match (arguments.compositor, arguments.attach) {
        (Compositor::Own, None) => seat::run(options),
        (Compositor::Own, Some(_)) => bail!("--attach needs --compositor gamescope"),
        (Compositor::Gamescope, attach) => gamescope::run(options, attach.as_deref()),
    }
}

/// To the journal under systemd, else to stderr.
fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("PUNKTFUNK_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,smithay=warn"));
    // On debug smithay expects every name of an X11 atom to be UTF-8, and panics.
    let filter = match "smithay::xwayland=info".parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    let registry = tracing_subscriber::registry().with(filter);
    let journal = std::env::var_os("JOURNAL_STREAM").and_then(|_| tracing_journald::layer().ok());
    match journal {
        Some(journal) => registry.with(journal).init(),
        None => {
            let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
            // The end of its log is shown to people who have no terminal.
            registry.with(lines.with_ansi(std::io::stderr().is_terminal())).init();
        }
    }
}

fn mode(width: u32, height: u32, refresh: &str) -> anyhow::Result<Mode> {
    let (num, den) = refresh.split_once('/').unwrap_or((refresh, "1"));
    let parse = |text: &str| text.parse::<u32>().ok().filter(|n| *n > 0);
    let (Some(refresh_num), Some(refresh_den)) = (parse(num), parse(den)) else {
        bail!("--refresh {refresh} is no rate: write for example 60 or 60000/1001");
    };
    if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
        bail!("a screen of {width}x{height} is not possible: each side must be from 1 to {MAX_SIDE}");
    }
    let rate = f64::from(refresh_num) / f64::from(refresh_den);
    if !(1.0..=1000.0).contains(&rate) {
        bail!("--refresh {refresh} is not possible: it must be from 1 to 1000 Hz");
    }
    Ok(Mode { width, height, refresh_num, refresh_den })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_exactly_or_refused() {
        let exact = Mode { width: 853, height: 479, refresh_num: 60_000, refresh_den: 1001 };
        assert_eq!(mode(853, 479, "60000/1001").unwrap(), exact);
        for (width, height, refresh) in
            [(0, 1, "60"), (1, 99_999, "60"), (1, 1, "60/0"), (1, 1, "x"), (1, 1, "5000")]
        {
            assert!(mode(width, height, refresh).is_err());
        }
    }
}
