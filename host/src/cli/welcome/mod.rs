//! `punktfunk-host welcome`: what the screen of a machine shows where nobody plays. Its name
//! and address, what claims it while it is nobody's, and afterwards how to pair.
//!
//! It only reads: settings, the claim, and whether the host answers. Drawn anew every few
//! seconds, because the kernel and whoever types write onto the same screen.

mod draw;

use std::io::{self, Write};
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::args::Places;
use super::start::{self, Start};
use crate::api::Claim;
use crate::platform::{end_requested, terminal_size};
use crate::serve::addresses;
use crate::serve::owner::Owner;
use draw::{Facts, Row, Whose};

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(3);
/// How long a serial console waits for a host and an address; then it shows what there is.
const PATIENCE: Duration = Duration::from_secs(120);

/// What stands before the first picture: another screen, where the terminal has two, and no
/// cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
/// What undoes that. Where there is one screen, nothing of the picture stays on it: a claim
/// would be read there by the next one.
const LEAVE: &str = "\x1b[0m\x1b[2J\x1b[H\x1b[?25h\x1b[?1049l";

pub(super) fn run(places: &Places, once: bool) -> anyhow::Result<u8> {
    let mut start = start::as_owner(places)?;
    if once {
        say(&start)?;
        return Ok(0);
    }
    let facts = || {
        // Settings with a mistake change nothing here.
        if let Ok(now) = start::as_caller(places) {
            start = now;
        }
        look(&start)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(show(io::stdout(), || terminal_size(io::stdout()), facts, end_requested()))?;
    Ok(0)
}

/// Prints what there is to know as text, once it is known.
fn say(start: &Start) -> io::Result<()> {
    let began = Instant::now();
    loop {
        let facts = look(start);
        if facts.is_settled() || began.elapsed() > PATIENCE {
            print!("{}", draw::plain(&facts));
            return io::stdout().flush();
        }
        std::thread::sleep(PERIOD);
    }
}

/// Draws what `look` finds, again and again, until `asked` says that it is enough.
async fn show(
    out: impl Write,
    size: impl Fn() -> Option<(usize, usize)>,
    mut look: impl FnMut() -> Facts,
    asked: impl Future<Output = io::Result<()>>,
) -> anyhow::Result<()> {
    let mut asked = pin!(asked);
    let mut screen = Screen { out, size: None };
    // The first look at whether it is enough comes before the first picture: from then on no
    // signal ends this without its last word.
    let mut pause = Duration::ZERO;
    loop {
        if let Ok(ended) = tokio::time::timeout(pause, &mut asked).await {
            return Ok(ended?);
        }
        pause = PERIOD;
        let now = size().context("the standard output is no terminal; `--once` prints it as text")?;
        screen.draw(&look(), now)?;
    }
}

/// A terminal that shows this, and what it showed before when this is dropped.
struct Screen<W: Write> {
    out: W,
    /// How large it was when it was drawn on; none before that.
    size: Option<(usize, usize)>,
}

impl<W: Write> Screen<W> {
    fn draw(&mut self, facts: &Facts, now: (usize, usize)) -> io::Result<()> {
        let before = self.size.replace(now);
        let picture = paint(&draw::screen(facts, now), now, before != Some(now));
        if before.is_none() {
            self.out.write_all(ENTER.as_bytes())?;
        }
        self.out.write_all(picture.as_bytes())?;
        self.out.flush()
    }
}

impl<W: Write> Drop for Screen<W> {
    fn drop(&mut self) {
        if self.size.is_some() {
            // A terminal that is gone needs nothing.
            let _ = self.out.write_all(LEAVE.as_bytes());
            let _ = self.out.flush();
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
    // No cursor: whoever writes onto the same screen may have shown it.
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
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    fn facts() -> Facts {
        Facts { name: "den".into(), pages: Vec::new(), whose: Whose::Owned, consoles: false }
    }

    /// What is written until it is enough after so many pictures, and what came of it.
    fn shown(pictures: u32, size: Option<(usize, usize)>, end: fn() -> io::Result<()>) -> (String, bool) {
        let looks = Cell::new(0);
        let look = || {
            looks.set(looks.get() + 1);
            facts()
        };
        let asked = poll_fn(|_| if looks.get() < pictures { Poll::Pending } else { Poll::Ready(end()) });
        let mut out = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let good = runtime.block_on(show(&mut out, || size, look, asked)).is_ok();
        (String::from_utf8(out).unwrap(), good)
    }

    #[test]
    fn the_terminal_is_left_as_it_was_found() {
        let (text, good) = shown(1, Some((40, 5)), || Ok(()));
        assert!(good && text.starts_with("\x1b[?1049h\x1b[?25l") && text.contains("den"), "{text:?}");
        let last = text.rfind("\x1b[?25l").unwrap();
        let end = &text[last..];
        assert!(end.contains("\x1b[?25h") && end.ends_with("\x1b[?1049l"), "{text:?}");
        assert!(!text.split("\x1b[2J").last().unwrap().contains("den"), "nothing stays: {text:?}");
        // Whatever ends it.
        let (text, good) = shown(1, Some((40, 5)), || Err(io::ErrorKind::Other.into()));
        assert!(!good && text.ends_with(LEAVE), "{text:?}");
        // A terminal that was never drawn on is not touched.
        assert_eq!(shown(0, Some((40, 5)), || Ok(())), (String::new(), true));
        assert_eq!(shown(1, None, || Ok(())), (String::new(), false));
    }

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
