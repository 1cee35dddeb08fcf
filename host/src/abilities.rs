//! Which kinds of picture this host can be asked for: what a child process really
//! coded ([`crate::encode::trial`]), kept in the state directory until a library or
//! the program changes.
//!
//! The child may crash or hang in somebody else's code: then the kind it was busy with
//! does not work here, and another child goes on with the rest. The host does not wait
//! for any of this. With results from before it announces them from its first moment;
//! without, H.264 until the trial is over, a second or two later.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use punktfunk_core::gamestream::http::codec_mode;
use serde::{Deserialize, Serialize};

use crate::encode::trial;
use crate::platform;

/// The file of results in the state directory.
const FILE: &str = "encoders.json";
/// The hidden command that runs the trial.
pub const COMMAND: &str = "encode-probe";
/// A child that takes longer hangs. Generous: the machine may be busy starting up.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a child is looked after.
const LOOK: Duration = Duration::from_millis(20);
/// More than a child ever prints.
const MOST_OUTPUT: u64 = 64 * 1024;
/// Every kind there is a bit for.
const ALL: u32 = codec_mode::H264 | codec_mode::H264_444 | codec_mode::ANY_HEVC | codec_mode::ANY_AV1;

/// Results of a trial, and what they are true for.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Results {
    /// Versions of everything that decides about them.
    of: String,
    /// What works, `codec_mode` bits.
    works: u32,
    /// What is known of each kind.
    tried: Vec<Tried>,
}

/// What is known of a kind of picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// Which, a `codec_mode` bit.
    pub bit: u32,
    /// What coded it; empty when nothing did.
    pub encoder: String,
    /// What a small picture took, milliseconds.
    pub ms_per_frame: Option<f64>,
    /// Why nothing did; empty when the child ended over it.
    pub why: String,
}

/// Longest name of an encoder, and longest reason, bytes.
const MOST_NAME: usize = 32;
const MOST_REASON: usize = 400;

/// The hidden command: tries the kinds of `mask` and prints about them.
pub fn child(mask: u32) -> std::io::Result<()> {
    trial::run(mask, &mut std::io::stdout().lock())
}

/// Finds out what works, in the background unless it is known. The number is right at
/// once or becomes so; it never loses a bit that it had.
pub fn find(state: &Path) -> anyhow::Result<Arc<AtomicU32>> {
    let file = state.join(FILE);
    let of = platform::media_libraries(env!("CARGO_PKG_VERSION"));
    if let Some(works) = known(&file, &of) {
        tracing::debug!(works = format_args!("{works:#x}"), "encoders as they were found before");
        return Ok(Arc::new(AtomicU32::new(works)));
    }
    let modes = Arc::new(AtomicU32::new(codec_mode::H264));
    let program = std::env::current_exe()?;
    let shared = Arc::clone(&modes);
    std::thread::Builder::new().name("punktfunk-trial".into()).spawn(move || {
        let Report { works, tried, .. } = attempt(&program);
        shared.store(works, Ordering::Relaxed);
        tracing::info!(works = format_args!("{works:#x}"), "encoders tried");
        if let Err(error) = keep(&file, &Results { of, works, tried }) {
            tracing::warn!(%error, "what the encoders can do is not kept: the next start tries them again");
        }
    })?;
    Ok(modes)
}

/// What was found before and is kept in the state directory: nothing yet, or what works
/// (`codec_mode` bits). An error when the file is damaged or holds for other libraries.
pub fn look(state: &Path) -> Result<Option<u32>, String> {
    let file = state.join(FILE);
    if !file.exists() {
        return Ok(None);
    }
    let of = platform::media_libraries(env!("CARGO_PKG_VERSION"));
    let stale = || format!("{} is damaged or was made with other libraries", file.display());
    known(&file, &of).map(Some).ok_or_else(stale)
}

/// Forgets what was found, so that the next start of a host tries everything again. True
/// when there was something.
pub fn forget(state: &Path) -> std::io::Result<bool> {
    match std::fs::remove_file(state.join(FILE)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// What was found out about each kind, as far as it is known by now.
pub fn tried(state: &Path) -> Vec<Tried> {
    read(&state.join(FILE)).map(|results| results.tried).unwrap_or_default()
}

fn read(file: &Path) -> Option<Results> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

fn known(file: &Path, of: &str) -> Option<u32> {
    // A file that is missing, damaged or of another version is written anew.
    let results = read(file)?;
    (results.of == of).then_some(results.works & ALL | codec_mode::H264)
}

fn keep(file: &Path, results: &Results) -> anyhow::Result<()> {
    Ok(platform::write_whole(file, &serde_json::to_vec_pretty(results)?)?)
}

/// Runs children until every kind was tried.
fn attempt(program: &PathBuf) -> Report {
    let mut report = Report { untried: ALL, works: codec_mode::H264, tried: Vec::new() };
    while report.untried != 0 {
        let before = report.untried;
        let mask = report.untried.to_string();
        let child = Command::new(program)
            .args([COMMAND, &mask])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        match child {
            Ok(child) => report.take(&watch(child, PATIENCE)),
            Err(error) => tracing::warn!(%error, "the encoders could not be tried: only H.264 is offered"),
        }
        if report.untried == before {
            return report;
        }
    }
    report
}

/// What the child printed until it ended, or had to be ended after `patience`.
fn watch(mut child: Child, patience: Duration) -> String {
    let mut text = String::new();
    let deadline = Instant::now() + patience;
    // Its few lines fit the pipe: it never waits for us to read.
    while child.try_wait().is_ok_and(|status| status.is_none()) {
        if Instant::now() >= deadline {
            tracing::warn!("an encoder hangs and is not offered");
            drop(child.kill());
            break;
        }
        std::thread::sleep(LOOK);
    }
    drop(child.wait());
    if let Some(stdout) = child.stdout.take() {
        drop(stdout.take(MOST_OUTPUT).read_to_string(&mut text));
    }
    text
}

#[derive(Debug, PartialEq)]
struct Report {
    untried: u32,
    works: u32,
    tried: Vec<Tried>,
}

impl Report {
    /// Reads the lines of a child. A kind that was begun and not ended is tried.
    fn take(&mut self, text: &str) {
        for line in text.lines() {
            let mut words = line.splitn(3, ' ');
            let (word, bit) = (words.next(), words.next().and_then(|bit| bit.parse::<u32>().ok()));
            let Some(bit) = bit.filter(|bit| bit & ALL == *bit) else { continue };
            match word {
                Some("try") => {
                    self.untried &= !bit;
                    self.of(bit);
                }
                Some("ok") => {
                    self.works |= bit;
                    let (name, ms) = words.next().and_then(|rest| rest.split_once(' ')).unwrap_or_default();
                    let tried = self.of(bit);
                    tried.encoder = cut(name, MOST_NAME);
                    tried.ms_per_frame =
                        ms.trim().parse().ok().filter(|ms: &f64| ms.is_finite() && *ms >= 0.0);
                }
                Some("no") => {
                    let why = words.next().unwrap_or_default();
                    tracing::debug!(kind = format_args!("{bit:#x}"), why, "not coded here");
                    self.of(bit).why = cut(why, MOST_REASON);
                }
                _ => {}
            }
        }
    }

    /// What is known of one kind. There are as many as there are bits.
    fn of(&mut self, bit: u32) -> &mut Tried {
        let at = self.tried.iter().position(|tried| tried.bit == bit).unwrap_or_else(|| {
            let (encoder, why) = (String::new(), String::new());
            self.tried.push(Tried { bit, encoder, ms_per_frame: None, why });
            self.tried.len() - 1
        });
        &mut self.tried[at]
    }
}

fn cut(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_kind_in_which_the_child_died_is_tried_and_does_not_work() {
        let mut report = Report { untried: ALL, works: 1, tried: Vec::new() };
        report.take("try 1\nok 1 x264 0.75\ntry 256\nok 256\ntry 512\n");
        assert_eq!((report.untried, report.works), (ALL & !0x301, 0x101));
        report.take("rubbish\nok x\ntry 4294967295\ntry 65536\nno 65536 no such encoder\n");
        assert_eq!((report.untried, report.works), (ALL & !0x10301, 0x101));
        let tried = |bit, encoder: &str, ms_per_frame, why: &str| Tried {
            bit,
            encoder: encoder.to_owned(),
            ms_per_frame,
            why: why.to_owned(),
        };
        let expected = [
            tried(1, "x264", Some(0.75), ""),
            tried(256, "", None, ""),
            tried(512, "", None, ""),
            tried(65536, "", None, "no such encoder"),
        ];
        assert_eq!(report.tried, expected);
    }

    #[test]
    fn results_are_believed_only_for_what_they_were_found_with() {
        let dir = std::env::temp_dir().join(format!("punktfunk-abilities-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let file = dir.join(FILE);
        assert_eq!(known(&file, "a"), None);
        keep(&file, &Results { of: "a".into(), works: 0x101, tried: Vec::new() }).unwrap();
        assert_eq!((known(&file, "a"), known(&file, "b")), (Some(0x101), None));
        std::fs::write(&file, b"{\"of\":\"a\"").unwrap();
        assert_eq!(known(&file, "a"), None);
        std::fs::remove_dir_all(dir).unwrap();
    }

    proptest! {
        #[test]
        fn no_child_makes_more_of_itself_than_there_is(text in "((try|ok|no|x) ?-?[0-9]{0,11}\n?){0,9}", any: String) {
            let mut report = Report { untried: ALL, works: codec_mode::H264, tried: Vec::new() };
            report.take(&text);
            report.take(&any);
            prop_assert_eq!((report.untried | report.works) & !ALL, 0);
            prop_assert!(report.tried.iter().all(|tried| tried.bit & !ALL == 0 && tried.encoder.len() <= 4 * MOST_NAME));
        }

        #[test]
        fn damaged_results_are_none_or_say_no_more_than_there_is(
            works: u32, of: String, at: usize, byte: u8, rubbish: Vec<u8>,
        ) {
            let dir = std::env::temp_dir().join(format!("punktfunk-encoders-{}", std::process::id()));
            std::fs::create_dir_all(&dir).unwrap();
            let file = dir.join(FILE);
            keep(&file, &Results { of: of.clone(), works, tried: Vec::new() }).unwrap();
            prop_assert_eq!(known(&file, &of), Some(works & ALL | codec_mode::H264));
            let mut text = std::fs::read(&file).unwrap();
            let at = at % text.len();
            text[at] = byte;
            for bytes in [text, rubbish] {
                std::fs::write(&file, bytes).unwrap();
                prop_assert!(known(&file, &of).is_none_or(|works| works & !ALL == 0));
            }
        }
    }

    #[test]
    fn a_child_that_hangs_is_ended_and_what_it_said_counts() {
        let child = Command::new("/bin/sh")
            .args(["-c", "echo try 1; echo ok 1; echo try 256; exec sleep 600"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        assert!("try 1\nok 1\ntry 256\n".starts_with(&watch(child, Duration::from_millis(300))));
    }

    #[test]
    fn a_child_that_prints_nothing_offers_nothing_new() {
        assert_eq!(attempt(&PathBuf::from("/bin/true")).works, codec_mode::H264);
        assert_eq!(attempt(&PathBuf::from("/nonexistent")).works, codec_mode::H264);
    }
}
