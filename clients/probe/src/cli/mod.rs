//! The command line: the commands of punktfunk/1 at the top, those of GameStream below
//! `gamestream`. `main` parses [`Args`] and gives them to [`run`].

mod bench;
mod gamestream;
mod hosts;
mod live;
mod process;
mod soak;
mod stream;
mod values;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// A headless client that discovers, pairs, plays and measures.
///
/// It speaks punktfunk/1; `punktfunk-probe gamestream` speaks the protocol of Moonlight
/// clients.
#[derive(Debug, Parser)]
#[command(
    name = "punktfunk-probe",
    version,
    after_help = "Examples:\n  \
        punktfunk-probe discover\n  \
        punktfunk-probe pair --host 192.168.1.20 --pin 123456     # after `punktfunk-host pair --native` there\n  \
        punktfunk-probe stream                                    # ten seconds of the first application\n  \
        punktfunk-probe stream --app \"Test card\" --mode 1920x1080x59.94 --codec av1,h264 --json\n  \
        punktfunk-probe stream --app Desktop --type 'ls\\n' --screenshot desktop.png\n  \
        punktfunk-probe stream --seconds 20 --reconfigure 5s:1280x720,10s:bitrate=4000 --drop 2\n  \
        punktfunk-probe bench --bitrate 500000\n  \
        punktfunk-probe soak --minutes 480\n  \
        punktfunk-probe gamestream pair --host 192.168.1.20\n\n\
        Where several hosts are paired, --host says which: by name or by address.\n\
        PUNKTFUNK_LOG=debug shows what the library does."
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the hosts that announce themselves
    Discover(hosts::Discover),
    /// Pair with a host: by the PIN it shows, or by the text of its QR code
    Pair(hosts::Pair),
    /// List what can be started
    Apps(hosts::Apps),
    /// Start or resume an application, play it and report
    Stream(Box<stream::Stream>),
    /// End the running application
    Quit(hosts::Quit),
    /// Receive without decoding and tell what it costs
    Bench(bench::Bench),
    /// Play for long, with a line a minute, and watch for leaks
    Soak(soak::Soak),
    /// Forget a host
    Forget(hosts::Forget),
    /// Speak the protocol of Moonlight clients
    Gamestream(gamestream::Args),
}

/// Does what the arguments say.
pub fn run(args: Args) -> Result<()> {
    match args.command {
        Command::Discover(discover) => discover.run(),
        Command::Pair(pair) => pair.run(),
        Command::Apps(apps) => apps.run(),
        Command::Stream(stream) => stream.run(),
        Command::Quit(quit) => quit.run(),
        Command::Bench(bench) => bench.run(),
        Command::Soak(soak) => soak.run(),
        Command::Forget(forget) => forget.run(),
        Command::Gamestream(args) => gamestream::run(args),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
        let parse = |line: &str| Args::try_parse_from(line.split(' '));
        for line in [
            "x discover --json",
            "x pair --host 192.0.2.1 --pin 123456",
            "x pair --qr -",
            "x apps --host den",
            "x stream --host [2001:db8::1]:9000 --mode 1920x1080x59.94 --codec hevc-10,h264 --resume",
            "x stream --resume 000102030405060708090a0b0c0d0e0f --drop 5 --no-decode",
            "x bench --seconds 5",
            "x soak --minutes 2",
            "x forget --host den",
            "x gamestream play --app 2 --host ::1 --json",
        ] {
            assert!(parse(line).is_ok(), "{line}: {:?}", parse(line));
        }
        for line in [
            "x pair",
            "x pair --host den",
            "x pair --host den --pin 123456 --qr -",
            "x forget",
            "x stream --mode 1920x1080",
            "x stream --codec mpeg2",
            "x stream --channels 3",
            "x stream --resume 12",
            "x stream --reconfigure 1280x720",
            "x play",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
