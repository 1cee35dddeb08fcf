//! `generate`: the manual page and what shells complete, made from the arguments
//! themselves, so that neither can say anything else. Packages are made with it.

use std::io::{self, Write};

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use super::args::{Args, Generated};

/// What the page says where the arguments cannot.
const FILES: &str = r#".SH FILES
.TP
\fI/etc/punktfunk/punktfunk.toml\fR, \fI~/.config/punktfunk/punktfunk.toml\fR
Settings, of the machine's host and of a user's own.
.TP
\fI/var/lib/punktfunk\fR, \fI~/.local/state/punktfunk\fR
Identity and paired clients.
.TP
\fI~/.config/punktfunk/serve\fR
Where it exists, this user's manager starts a host as well.
.SH "THE SERVICE"
\fBpunktfunk\-host.service\fR is a unit of the manager of the user punktfunk, which starts
at boot without a login. As root:
.PP
.nf
setpriv \-\-reuid=punktfunk \-\-regid=punktfunk \-\-init\-groups \-\-reset\-env \e
    env XDG_RUNTIME_DIR=/run/user/$(id \-u punktfunk) \e
    systemctl \-\-user status punktfunk\-host.service
journalctl _SYSTEMD_USER_UNIT=punktfunk\-host.service
.fi
.PP
The kernel's argument \fBpunktfunk=off\fR and the file \fI/home/.punktfunk\-off\fR keep it
from starting.
"#;

pub(super) fn run(what: Generated) -> anyhow::Result<u8> {
    // Whole at once: a program that reads the beginning and leaves is no error of ours.
    let mut text = Vec::new();
    write(what, &mut text)?;
    io::stdout().write_all(&text)?;
    Ok(0)
}

fn write(what: Generated, out: &mut Vec<u8>) -> io::Result<()> {
    let mut command = Args::command();
    command.build();
    let shell = match what {
        Generated::Man => return page(&command, out),
        Generated::Bash => Shell::Bash,
        Generated::Zsh => Shell::Zsh,
        Generated::Fish => Shell::Fish,
    };
    clap_complete::generate(shell, &mut command, "punktfunk-host", out);
    Ok(())
}

/// One page for all commands: what people look for is on it.
fn page(command: &Command, out: &mut Vec<u8>) -> io::Result<()> {
    let man = Man::new(command.clone()).manual("User Commands");
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        writeln!(out, ".SH \"PUNKTFUNK\\-HOST {}\"\n.nf", literal(&sub.get_name().to_uppercase()))?;
        for line in sub.clone().render_long_help().to_string().lines() {
            writeln!(out, "{}", literal(line))?;
        }
        writeln!(out, ".fi")?;
    }
    man.render_extra_section(out)?;
    out.write_all(FILES.as_bytes())
}

/// Text as it is, for the formatter: a dot or an apostrophe that begins a line would be a
/// request, a backslash an escape, and a hyphen something that cannot be searched for.
fn literal(line: &str) -> String {
    let escaped = line.replace('\\', "\\e").replace('-', "\\-");
    match escaped.starts_with(['.', '\'']) {
        true => format!("\\&{escaped}"),
        false => escaped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(what: Generated) -> String {
        let mut text = Vec::new();
        write(what, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn every_command_people_see_is_on_the_page_and_no_other() {
        let page = made(Generated::Man);
        for command in Args::command().get_subcommands() {
            let title = format!("PUNKTFUNK\\-HOST {}\"", literal(&command.get_name().to_uppercase()));
            assert_eq!(page.contains(&title), !command.is_hide_set(), "{title}");
        }
        assert!(page.contains(".TH punktfunk-host 1 "), "{page}");
        assert!(page.contains("/var/lib/punktfunk"));
    }

    #[test]
    fn shells_complete_commands_and_options() {
        for what in [Generated::Bash, Generated::Zsh, Generated::Fish] {
            let text = made(what);
            for word in ["clients", "doctor", "gamestream"] {
                assert!(text.contains(word), "{what:?} {word}");
            }
        }
    }

    #[test]
    fn no_line_is_taken_for_a_request() {
        assert_eq!(literal(".so /etc/passwd"), "\\&.so /etc/passwd");
        assert_eq!(literal("'x \\ --y"), "\\&'x \\e \\-\\-y");
    }
}
