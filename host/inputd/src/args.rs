//! The command line: few words, so that the program needs no library for them.

use std::path::PathBuf;

use crate::access::{Access, number_of};

/// What `--help` prints.
pub const HELP: &str = "\
punktfunk-inputd: makes gamepads for the seats of punktfunk-host

Usage: punktfunk-inputd [--socket PATH] [--allow-user USER]... [--allow-group GROUP]...

Options:
      --socket PATH        Listen there; without it, on the socket that systemd hands over
      --allow-user USER    A user, by name or number, whose hosts may have gamepads
      --allow-group GROUP  A group, by name or number, whose members' hosts may
      --give-nodes         Give gamepads to the user of the host; for root, without udev rules
      --end-with-stdin     End when standard input does
      --help               Print this
      --version            Print the version

Root may always connect; without --allow-user and --allow-group nobody else may.
";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Args {
    /// Print [`HELP`].
    Help,
    /// Print the version.
    Version,
    /// Run.
    Run {
        /// Where to listen; `None`: systemd hands the socket over.
        socket: Option<PathBuf>,
        /// Who may connect.
        access: Access,
        /// Give devices to the user of the host.
        give_nodes: bool,
        /// End when standard input does.
        end_with_stdin: bool,
    },
}

/// Reads the arguments after the program's name.
pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Args, String> {
    let mut words = words.into_iter();
    let (mut socket, mut access) = (None, Access::default());
    let (mut give_nodes, mut end_with_stdin) = (false, false);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value; see --help"));
        match word.as_str() {
            "--help" | "-h" => return Ok(Args::Help),
            "--version" | "-V" => return Ok(Args::Version),
            "--give-nodes" => give_nodes = true,
            "--end-with-stdin" => end_with_stdin = true,
            "--socket" => socket = Some(value()?.into()),
            "--allow-user" => {
                let name = value()?;
                let known = number_of(&name, "/etc/passwd");
                access.users.push(known.ok_or(format!("there is no user {name}; give its number instead"))?);
            }
            "--allow-group" => {
                let name = value()?;
                let known = number_of(&name, "/etc/group");
                access.groups.push(known.ok_or(format!("there is no group {name}; run `groupadd {name}`"))?);
            }
            other => return Err(format!("unknown option {other}; see --help")),
        }
    }
    Ok(Args::Run { socket, access, give_nodes, end_with_stdin })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Args, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_command_line_says_where_and_who() {
        let access = Access { users: vec![0, 7], groups: vec![5] };
        let wanted =
            Args::Run { socket: Some("/run/x".into()), access, give_nodes: true, end_with_stdin: true };
        let line =
            "--socket /run/x --allow-user root --allow-user 7 --allow-group 5 --give-nodes --end-with-stdin";
        assert_eq!(read(line), Ok(wanted));
        assert_eq!(read("--help"), Ok(Args::Help));
        let nothing =
            Args::Run { socket: None, access: Access::default(), give_nodes: false, end_with_stdin: false };
        assert_eq!(read(""), Ok(nothing));
        for wrong in ["--socket", "--allow-user nobody-of-that-name", "--keyboard", "x"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
