//! What can be coded here, and how many milliseconds a picture takes.
//!
//! Coding is measured by the code of `encode-test`, in a child: an encoder that crashes or
//! hangs takes only that with it, and its last line tells which it was. One child for each
//! size measures all kinds; the probes share what it found.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use punktfunk_core::gamestream::http::codec_mode;

use super::Finding;
use super::distribution::Package;
use super::machine::{Machine, run};
use crate::diagnose::{self, Wish};
use crate::encode::Backend;

/// The hidden command of the child.
pub const COMMAND: &str = "encode-bench";
/// What is measured.
const SIZES: [(u32, u32, u32, &str); 2] = [(1280, 720, 60, "720p"), (1920, 1080, 60, "1080p")];
/// Pictures of the Test card; eight megabytes each at 1080p.
const PICTURES: usize = 8;
/// For each kind.
const SHARE: Duration = Duration::from_millis(200);
/// A child that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(50);
/// Milliseconds a picture may take at 60 pictures a second.
const AT_60: f64 = 1000.0 / 60.0;

/// What the children found, for each size.
#[derive(Debug)]
pub(super) enum Benches {
    /// A result for each kind, in the order of [`codec_mode::ALL`].
    Found(Vec<[Timing; 10]>),
    /// Nothing could be measured.
    Not(Finding),
}

/// How one kind went.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Timing {
    /// Not tried.
    #[default]
    Untried,
    /// Milliseconds in the middle, and by what.
    Took(f64, String),
    /// Why not.
    Not(String),
}

/// The child: measures every kind at this size and prints a line before and after each,
/// `try BIT`, `ok BIT BACKEND MS` or `no BIT WHY`.
pub fn bench(
    program: &Path,
    folder: &Path,
    size: (u32, u32, u32),
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let wish = Wish {
        program: program.to_owned(),
        runtime: folder.to_owned(),
        mode: size,
        time: SHARE,
        picture: None,
    };
    let pictures = diagnose::pictures(&wish, PICTURES)?;
    anyhow::ensure!(!pictures.is_empty(), "the screen showed no picture");
    for (codec, ten_bit, chroma_444, bit) in codec_mode::ALL {
        writeln!(out, "try {bit}")?;
        out.flush()?;
        match diagnose::speed(size, &pictures, SHARE, (codec, ten_bit, chroma_444)) {
            Ok(speed) => writeln!(out, "ok {bit} {} {:.2}", speed.backend, speed.middle)?,
            Err(error) => writeln!(out, "no {bit} {}", error.to_string().replace('\n', " "))?,
        }
        out.flush()?;
    }
    Ok(())
}

/// Runs the children.
fn measure(machine: &Machine) -> Benches {
    let program = machine.programs.join("punktfunk-host");
    let trial = match super::display::Trial::new(machine, SHARE) {
        Ok(trial) => trial,
        Err(finding) => return Benches::Not(finding),
    };
    let mut all = Vec::new();
    for (width, height, fps, _) in SIZES {
        let mut child = Command::new(&program);
        child.arg(COMMAND).arg(format!("{width}x{height}@{fps}")).arg(trial.folder());
        let Some(ran) = run(&mut child, PATIENCE) else {
            let text = format!("{} cannot be run", program.display());
            return Benches::Not(Finding::skipped(text));
        };
        let timings = read(&ran.text);
        if timings.iter().all(|timing| *timing == Timing::Untried) {
            let line = ran.text.lines().last().unwrap_or("the child said nothing");
            return Benches::Not(Finding::error(
                line,
                "see docs/doctor.md, section \"A seat does not start\"",
            ));
        }
        all.push(timings);
    }
    Benches::Found(all)
}

/// Reads what a child printed. A kind that was begun and not ended took the child with it.
fn read(text: &str) -> [Timing; 10] {
    let mut timings: [Timing; 10] = Default::default();
    for line in text.lines().take(100) {
        let mut words = line.splitn(3, ' ');
        let (word, bit) = (words.next(), words.next().and_then(|bit| bit.parse::<u32>().ok()));
        let rest = words.next().unwrap_or_default();
        let Some(timing) = bit
            .and_then(|bit| codec_mode::ALL.iter().position(|kind| kind.3 == bit))
            .and_then(|at| timings.get_mut(at))
        else {
            continue;
        };
        match word {
            Some("try") => *timing = Timing::Not("the encoder crashed or hung".to_owned()),
            Some("no") => *timing = Timing::Not(rest.chars().take(200).collect()),
            Some("ok") => {
                if let Some((backend, ms)) = rest.split_once(' ')
                    && let Some(ms) = ms.parse::<f64>().ok().filter(|ms| ms.is_finite() && *ms >= 0.0)
                {
                    *timing = Timing::Took(ms, backend.chars().take(20).collect());
                }
            }
            _ => {}
        }
    }
    timings
}

/// How fast the kind with this place in [`codec_mode::ALL`] is coded.
pub(super) fn speed(machine: &Machine, kind: usize) -> Finding {
    match machine.benches.get_or_init(|| measure(machine)) {
        Benches::Not(finding) => finding.clone(),
        Benches::Found(sizes) => {
            let timings: Vec<Timing> = sizes.iter().filter_map(|all| all.get(kind).cloned()).collect();
            judge(&timings, kind == 0, &machine.distribution().install(Package::Codecs))
        }
    }
}

fn judge(timings: &[Timing], needed: bool, install: &str) -> Finding {
    let mut text = String::new();
    let (mut failed, mut slow) = (false, false);
    for (at, (timing, (.., size))) in timings.iter().zip(SIZES).enumerate() {
        let between = if at == 0 { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = match timing {
            Timing::Took(ms, backend) => {
                slow |= at == 0 && *ms > AT_60;
                write!(text, "{between}{size} {ms:.1} ms a picture ({backend})")
            }
            Timing::Not(why) => {
                failed = true;
                write!(text, "{between}{size} not here: {why}")
            }
            Timing::Untried => {
                failed = true;
                write!(text, "{between}{size} not tried")
            }
        };
    }
    match (failed, needed) {
        (true, true) => Finding::error(text, "install punktfunk-host anew: this encoder is built in"),
        // Every client can do without the other kinds.
        (true, false) => Finding::info(text).with_fix(install),
        (false, true) if slow => Finding::warning(
            format!("{text}: too slow for 60 pictures a second"),
            "choose a smaller size or 30 pictures a second in the client, or end what keeps the machine busy",
        ),
        (false, false) if slow => Finding::info(format!("{text}: too slow for 60 pictures a second")),
        _ => Finding::ok(text),
    }
}

pub(super) fn libraries(machine: &Machine) -> Finding {
    let text = crate::platform::media_libraries("");
    let names: Vec<&str> =
        text.split_whitespace().filter_map(|file| file.split(':').next()?.rsplit('/').next()).collect();
    if names.is_empty() {
        return Finding::warning(
            "no library of FFmpeg: only the built-in encoder of H.264 works",
            machine.distribution().install(Package::Codecs),
        );
    }
    Finding::ok(names.join(", "))
}

pub(super) fn hardware(machine: &Machine) -> Finding {
    let software = [Backend::X264, Backend::OpenH264, Backend::X265, Backend::Aom].map(Backend::name);
    let cards = machine.names("dev/dri").iter().any(|name| name.starts_with("renderD"));
    let card =
        if cards { "there is a render node, which is not used for coding yet" } else { "and no render node" };
    Finding::info(format!("compiled in: none, {card}; software: {}", software.join(", ")))
}

pub(super) fn results(machine: &Machine) -> Finding {
    match crate::abilities::look(&machine.host.state) {
        Ok(Some(works)) => {
            let count = codec_mode::ALL.iter().filter(|kind| works & kind.3 != 0).count();
            Finding::ok(format!("{count} of {} kinds work ({works:#x})", codec_mode::ALL.len()))
        }
        Ok(None) => Finding::info("not tried yet: the host does so at its first start"),
        Err(why) => {
            Finding::warning(why, "restart the host: it tries the encoders again").mended_by("retry-encoders")
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Severity::{Error, Info, Ok as Good, Skipped, Warning};
    use super::super::tests::Stand;
    use super::*;

    fn took(ms: f64) -> Timing {
        Timing::Took(ms, "x264".into())
    }

    #[test]
    fn lines_of_a_child_become_timings() {
        let timings = read("try 1\nok 1 x264 3.92\ntry 262144\nno 262144 not built in\ntry 256\n");
        assert_eq!(timings[0], took(3.92));
        assert_eq!(timings[1], Timing::Not("not built in".into()));
        assert_eq!(timings[2], Timing::Not("the encoder crashed or hung".into()));
        assert_eq!(timings[3], Timing::Untried);
    }

    proptest! {
        #[test]
        fn no_bytes_of_a_child_do_harm(text in "((try|ok|no) [0-9]{1,7} [ -~]{0,30}\n){0,9}", any: String) {
            for text in [text, any] {
                for timing in read(&text) {
                    prop_assert!(!matches!(timing, Timing::Took(ms, _) if !ms.is_finite()));
                }
            }
        }
    }

    #[test]
    fn what_every_client_needs_is_an_error_the_rest_is_not() {
        let not = Timing::Not("no such encoder".into());
        assert_eq!(
            judge(&[took(3.0), took(8.0)], true, "i"),
            Finding::ok("720p 3.0 ms a picture (x264), 1080p 8.0 ms a picture (x264)")
        );
        assert_eq!(judge(&[took(30.0), took(80.0)], true, "i").severity, Warning);
        assert_eq!(judge(&[took(30.0), took(80.0)], false, "i").severity, Info);
        assert_eq!(judge(&[not.clone(), not.clone()], true, "i").severity, Error);
        let missing = judge(&[not.clone(), not], false, "sudo apt install ffmpeg");
        assert_eq!((missing.severity, missing.fix.as_deref()), (Info, Some("sudo apt install ffmpeg")));
    }

    #[test]
    fn results_are_there_missing_or_damaged() {
        let stand = Stand::new();
        assert_eq!(results(&stand.machine()).severity, Info);
        stand.file("state/encoders.json", "{\"of\": 1");
        let found = results(&stand.machine());
        assert_eq!((found.severity, found.action), (Warning, Some("retry-encoders")));
        assert_eq!(speed(&stand.machine(), 0).severity, Skipped);
        assert_eq!(hardware(&stand.machine()).severity, Info);
        assert!(matches!(libraries(&stand.machine()).severity, Good | Warning));
    }
}
