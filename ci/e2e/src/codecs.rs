//! Every kind of picture, and how it is cut into packets.

use std::time::Duration;

use anyhow::{Result, ensure};
use punktfunk_core::gamestream::http::codec_mode;
use punktfunk_probe::{Card, Codec, Options};

use crate::Scenario;
use crate::stage::{Outcome, Stage, World, until};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[
    ("codec HEVC", |world, name| kinds(world, name, &[(Codec::Hevc, false, false)])),
    ("codec AV1", |world, name| kinds(world, name, &[(Codec::Av1, false, false)])),
    ("10-bit", |world, name| kinds(world, name, &[(Codec::Hevc, true, false), (Codec::Av1, true, false)])),
    ("4:4:4", |world, name| {
        kinds(
            world,
            name,
            &[(Codec::H264, false, true), (Codec::Hevc, true, true), (Codec::Av1, false, true)],
        )
    }),
    ("packet sizes", packet_sizes),
    ("faults made on purpose", faults),
];

/// The trial of the encoders takes a second or two at the first start.
const TRIAL: Duration = Duration::from_secs(30);
/// Pictures that must come of each kind.
const PICTURES: usize = 60;
/// What they are; small enough for any software encoder.
const MODE: (u32, u32, u32) = (640, 360, 30);

/// Codec, 10 bit, 4:4:4.
type Kind = (Codec, bool, bool);

fn kinds(world: &World, name: &str, kinds: &[Kind]) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    // Until the trial is over only H.264 is announced; it ends with a file.
    let trial = stage.folder.join("state/encoders.json");
    until("the trial of the encoders", TRIAL, || trial.exists().then_some(()))?;
    let announced = stage.address.info(&stage.identity)?.host().codec_mode_support;
    let mut notes = Vec::new();
    for &(codec, ten_bit, chroma_444) in kinds {
        let bit = codec_mode::bit(codec, ten_bit, chroma_444).unwrap_or(0);
        if announced & bit == 0 {
            notes.push(format!("{codec:?} is not announced here"));
            continue;
        }
        let options = Options { codec, ten_bit, chroma_444, ..stage.options("Test card")? };
        notes.push(play(&stage, &options)?);
    }
    if notes.iter().all(|note| note.ends_with("announced here")) {
        return Ok(Outcome::Skipped(format!("{}: FFmpeg has no such encoder", notes.join("; "))));
    }
    Ok(Outcome::Passed(notes.join("; ")))
}

/// Every picture of the card must be readable, in its order, and of the right kind.
fn play(stage: &Stage, options: &Options) -> Result<String> {
    let (width, height, fps) = MODE;
    let player = stage.play(&options.clone().mode(width, height, fps))?;
    player.wait_for("readable pictures", Duration::from_secs(15), |stats| {
        stats.seen.iter().filter(|seen| seen.code.is_some()).count() >= PICTURES
    })?;
    stage.screenshot(&player, &format!("{:?}", options.codec))?;
    let picture = player.last_picture();
    let report = player.stop();
    let stats = &report.stats;
    let note = format!(
        "{:?}: {} pictures, {} bytes each",
        options.codec,
        stats.frames_decoded,
        stats.video_bytes / stats.frames_received.max(1)
    );
    // Before the card has drawn itself, the screen is empty.
    let card = Card::of(stats.seen.iter().skip_while(|seen| seen.code.is_none()));
    ensure!(stats.lost_frames == 0 && stats.decode_errors == 0, "{} frames lost; {note}", stats.lost_frames);
    ensure!(card.unreadable == 0, "{} pictures were not readable; {note}", card.unreadable);
    ensure!(card.backwards == 0, "pictures out of order; {note}");
    ensure!(stats.size == (640, 360), "the picture is {:?}", stats.size);
    let kind = picture.map(|picture| (picture.ten_bit, picture.chroma_444));
    ensure!(kind == Some((options.ten_bit, options.chroma_444)), "the pictures are {kind:?}; {note}");
    Ok(note)
}

fn packet_sizes(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let mut notes = Vec::new();
    for packet_size in [512, 1024, 1392] {
        let options = Options { packet_size, ..stage.options("Test card")? };
        notes.push(format!("{packet_size}: {}", play(&stage, &options)?));
    }
    Ok(Outcome::Passed(notes.join("; ")))
}

/// The host loses packets itself; the client repairs what it can, and what it tells
/// makes the host send more parity.
fn faults(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::with(world, name, "[test]\ndrop_percent = 10\n")?;
    stage.pair()?;
    let player = stage.play(&stage.options("Test card")?.mode(640, 360, 30))?;
    player.wait_for("frames that were repaired", Duration::from_secs(20), |stats| {
        stats.repaired_frames >= 10
    })?;
    let told = |text: &str| stage.log().contains(text).then_some(());
    until("more error correction", Duration::from_secs(20), || told("error correction follows the network"))?;
    ensure!(
        stage.log().contains("TEST SETTINGS ARE ON"),
        "the log does not say that the losses are on purpose"
    );
    let stats = player.stats();
    Ok(Outcome::Passed(format!("{} repaired, {} lost", stats.repaired_frames, stats.lost_frames)))
}
