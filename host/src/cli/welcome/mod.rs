//! `punktfunk-host welcome`: what the screen of a machine shows where nobody plays. Its name
//! and address, what claims it while it is nobody's, and afterwards how to pair.
//!
//! It only reads: settings, the claim, and whether the host answers. Drawn anew every few
//! seconds, because the kernel and whoever types write onto the same screen.

mod draw;

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::args::Places;
use super::start::{self, Start};
use crate::api::Claim;
use crate::platform::terminal_size;
use crate::serve::addresses;
use crate::serve::owner::Owner;
use draw::{Facts, Row, Whose};

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(3);
/// How long a serial console waits for a host and an address; then it shows what there is.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) fn run(places: &Places, once: bool) -> anyhow::Result<u8> {
    let mut start = start::as_owner(places)?;
    let began = Instant::now();
    let mut size = None;
    loop {
        let facts = look(&start);
        if once && (facts.is_settled() || began.elapsed() > PATIENCE) {
            print!("{}", draw::plain(&facts));
            io::stdout().flush()?;
            return Ok(0);
        }
        if !once {
            let now = terminal_size(io::stdout())
                .context("the standard output is no terminal; `--once` prints it as text")?;
            let picture = paint(&draw::screen(&facts, now), now, size != Some(now));
            size = Some(now);
            io::stdout().write_all(picture.as_bytes())?;
            io::stdout().flush()?;
        }
        std::thread::sleep(PERIOD);
        // Settings with a mistake change nothing here.
        if let Ok(now) = start::as_caller(places) {
            start = now;
        }
    }
}

fn look(start: &Start) -> Facts {
    let config = &start.config;
    let api = &config.api;
    let port = api.port.unwrap_or(config.ports.base() + 1);
    let mut reached = addresses(api.bind);
    if api.bind.is_none_or(|address| address.is_unspecified()) {
        // What is said where there is no network.
        reached.retain(|address| !address.is_loopback());
    }
    let pages = reached.iter().map(|address| std::net::SocketAddr::new(*address, port).to_string());
    let whose = match Claim::of(&start.state).secret() {
        _ if Owner::connect(&start.socket()).is_err() => Whose::Unknown,
        _ if !api.enabled => Whose::NoConsole,
        Ok(Some(secret)) => Whose::Nobodys(secret),
        Ok(None) => Whose::Owned,
        Err(error) => Whose::Broken(error.to_string()),
    };
    let consoles = std::env::var_os("TERM").is_some_and(|terminal| terminal == "linux");
    Facts { name: config.name.clone(), pages: pages.collect(), whose, consoles }
}

/// What draws these rows onto a terminal of that size, all of it: with `fresh` after clearing
/// it, else over what is there, which does not flicker.
fn paint(rows: &[Row], (width, height): (usize, usize), fresh: bool) -> String {
    // No cursor.
    let mut picture = String::from(if fresh { "\x1b[?25l\x1b[0m\x1b[2J" } else { "\x1b[?25l\x1b[0m" });
    for number in 0..height {
        picture += &format!("\x1b[{};1H", number + 1);
        let row = rows.get(number).cloned().unwrap_or_default();
        // Lit modules are ink: consoles have a bright white for ink only.
        picture += &format!("{}\x1b[1;37m{}\x1b[0m", " ".repeat(row.left), row.code);
        picture += &match row.loud {
            true => format!("\x1b[1;37m{}\x1b[0m", row.text),
            false => row.text.clone(),
        };
        // In the last column the cursor stays on the letter, which this would take away.
        if row.columns() < width {
            picture += "\x1b[K";
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_terminal_is_drawn_and_none_is_cleared_of_what_it_shows() {
        let full = Row { left: 1, code: "█▀".into(), text: "ab".into(), loud: true };
        let picture = paint(&[Row::default(), full], (5, 3), true);
        assert!(picture.contains("\x1b[2J") && !paint(&[], (5, 3), false).contains("\x1b[2J"));
        let rows: Vec<&str> = picture.split(";1H").skip(1).collect();
        assert_eq!(rows.len(), 3);
        assert!(rows[1].contains("█▀") && rows[1].contains("ab") && !rows[1].contains("\x1b[K"));
        assert!(rows[0].contains("\x1b[K") && rows[2].contains("\x1b[K"));
    }
}
