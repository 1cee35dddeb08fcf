//! `punktfunk-host *-test`: tries one stage of a stream on this machine, with the real
//! parts, and says in figures how it went. No client is needed and no host has to run.
//!
//! | command | file | what it runs |
//! |---|---|---|
//! | `display-test` | `screen.rs` | a seat with the Test card: is the screen what was asked for |
//! | `capture-test` | `screen.rs` | the same: when frames arrive, and how old they are |
//! | `encode-test` | `encoding.rs` | every encoder there is, on pictures of the Test card: what works, how fast |
//! | `audio-test` | `sound.rs` | a seat with the Test card: is its tone heard |
//! | `input-test` | `pointer.rs` | a seat with the desktop: is the pointer seen where it was put |
//!
//! Each prints lines `what  finding`, or one JSON object; [`Report::passed`] is the exit
//! status.

mod bench;
mod encoding;
mod pointer;
mod screen;
mod sound;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

pub use encoding::{Speed, encoding, pictures, speed};
pub use pointer::pointer;
pub use screen::{capture, display};
pub use sound::sound;

/// What to try.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The program `punktfunk-seat`.
    pub program: PathBuf,
    /// A directory for the seat's sockets.
    pub runtime: PathBuf,
    /// Width and height in pixels, pictures a second.
    pub mode: (u32, u32, u32),
    /// How long to look.
    pub time: Duration,
    /// Where to save the last picture, as PNG.
    pub picture: Option<PathBuf>,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Finding {
    /// What was looked at.
    pub what: &'static str,
    /// What was found.
    pub found: String,
    /// False when it is not as it should be.
    pub good: bool,
}

/// What a test found.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Report {
    /// In the order in which it was found.
    pub findings: Vec<Finding>,
}

impl Report {
    fn add(&mut self, what: &'static str, good: bool, found: impl Into<String>) {
        self.findings.push(Finding { what, found: found.into(), good });
    }

    /// True when everything is as it should be.
    pub fn passed(&self) -> bool {
        self.findings.iter().all(|finding| finding.good)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { what, found, good } in &self.findings {
            let mark = if *good { "ok  " } else { "BAD " };
            writeln!(f, "{mark} {what:<14} {found}")?;
        }
        Ok(())
    }
}

/// The value below which `share` of all lie; 0 for none.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_is_bad_and_fails_for_it() {
        let mut report = Report::default();
        report.add("screen", true, "1280x720");
        assert!(report.passed());
        report.add("sound", false, "nothing was heard");
        assert!(!report.passed());
        assert_eq!(
            report.to_string(),
            "ok   screen         1280x720\nBAD  sound          nothing was heard\n"
        );
    }

    #[test]
    fn quantiles_of_nothing_and_of_something() {
        assert_eq!(quantile(&mut [], 0.5), 0.0);
        assert_eq!(quantile(&mut [3.0, 1.0, 2.0], 0.5), 2.0);
        assert_eq!(quantile(&mut [3.0, 1.0, 2.0], 0.99), 3.0);
    }
}
