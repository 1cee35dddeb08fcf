//! Pictures, sound and the way to them.

use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use punktfunk_client::{Code, Codec};
use punktfunk_core::testcard;
use punktfunk_probe::Card;
use punktfunk_probe::native::{Options, refusal};

use super::{Guest, SIZE, cards, paired, passed, read, screenshot};
use crate::Scenario;
use crate::stage::{Outcome, PICTURE, Stage, TONE, World, until};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[
    ("native test card", test_card),
    ("native codecs", codecs),
    ("native surround sound", surround),
    ("native by IPv6", ipv6),
];

/// The trial of the encoders takes a second or two at the first start.
const TRIAL: Duration = Duration::from_secs(30);

fn test_card(world: &World, name: &str) -> Result<Outcome> {
    let (stage, guest) = paired(world, name)?;
    let player = guest.play(&guest.options("Test card")?.mode(1280, 720, 60))?;
    player.wait_for("two seconds of pictures", PICTURE, |stats| read(&stats.seen) >= 120)?;
    player.wait_for("the tone", PICTURE, |stats| stats.tone_share > TONE && stats.loudness > 0.01)?;
    screenshot(&stage, &player, "")?;
    let report = player.stop();
    let stats = &report.stats;
    let card = Card::of(stats.seen.iter().skip_while(|seen| seen.code.is_none()));
    ensure!(stats.size == (1280, 720), "the picture is {:?}", stats.size);
    ensure!(stats.lost_frames == 0 && stats.decode_errors == 0, "the picture suffered: {card:?}");
    ensure!(card.unreadable == 0 && card.backwards == 0, "the pictures were wrong: {card:?}");
    ensure!(stats.order_errors == 0, "{} frames came out of order", stats.order_errors);
    Ok(passed(format!(
        "{} pictures, {} numbers left out, the first after {} ms, tone share {:.2}",
        stats.frames_decoded,
        card.missing,
        stats.first_picture_ms.unwrap_or(0),
        stats.tone_share
    )))
}

/// Waits until the host knows its encoders: before, it has H.264 only.
pub fn tried(stage: &Stage) -> Result<()> {
    let trial = stage.folder.join("state/encoders.json");
    until("the trial of the encoders", TRIAL, || trial.exists().then_some(()))
}

/// What the host has of what a client asks for alone, it plays; the rest it refuses.
fn codecs(world: &World, name: &str) -> Result<Outcome> {
    let (stage, guest) = paired(world, name)?;
    tried(&stage)?;
    let mut notes = Vec::new();
    for codec in [Codec::H264, Codec::HEVC, Codec::AV1] {
        let options = Options { codecs: vec![codec], ..guest.options("Test card")? };
        let player = match guest.start(&options) {
            Err(error) if refusal(&error) == Some(Code::Unsupported) => {
                notes.push(format!("{codec:?} is not offered here"));
                continue;
            }
            player => player?,
        };
        ensure!(player.welcome().codec == codec, "{:?} instead of {codec:?}", player.welcome().codec);
        cards(&player, SIZE).with_context(|| format!("{codec:?}"))?;
        let stats = player.stop().stats;
        let bytes = stats.video_bytes / stats.frames_received.max(1);
        notes.push(format!("{codec:?}: {} pictures, {bytes} bytes each", stats.frames_decoded));
    }
    ensure!(notes.first().is_some_and(|note| note.contains("pictures")), "no H.264: {notes:?}");
    Ok(passed(notes.join("; ")))
}

/// Every channel has its own tone of the Test card, in its place.
fn surround(world: &World, name: &str) -> Result<Outcome> {
    let (_stage, guest) = paired(world, name)?;
    let options = Options { channels: 6, ..guest.options("Test card")? };
    let player = guest.play(&options)?;
    let in_place = |(channel, (hertz, share)): (usize, &(u32, f64))| {
        *hertz == testcard::tone(channel, 6) && *share > TONE
    };
    let heard = player.wait_for("six channels", PICTURE, |stats| {
        stats.channel_tones.len() == 6 && stats.channel_tones.iter().enumerate().all(in_place)
    });
    heard.with_context(|| format!("heard {:?}", player.look(|stats| stats.channel_tones.clone())))?;
    Ok(passed(""))
}

fn ipv6(world: &World, name: &str) -> Result<Outcome> {
    if TcpListener::bind("[::1]:0").is_err() {
        return Ok(Outcome::Skipped("this machine has no IPv6".into()));
    }
    let (stage, guest) = paired(world, name)?;
    let other_way = guest.at(SocketAddr::from((Ipv6Addr::LOCALHOST, stage.host.native_port())));
    let player = Guest::play(&other_way, &guest.options("Test card")?)?;
    let left_at = cards(&player, SIZE)?;
    player.wait_for("the tone", PICTURE, |stats| stats.tone_share > TONE)?;
    // The same client comes back by the other family.
    drop(player);
    let player = guest.play(&guest.options("Test card")?)?;
    ensure!(player.resumed(), "another way in is another client");
    ensure!(cards(&player, SIZE)? > left_at, "the Test card began again");
    Ok(passed(""))
}
