//! What the client hears.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use punktfunk_core::testcard;
use punktfunk_probe::{Options, Player, Stats};

use crate::Scenario;
use crate::host::processes_of;
use crate::stage::{Outcome, PICTURE, Stage, TONE, World, until};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] =
    &[("tone", tone), ("surround sound", surround), ("sound server killed", server_killed)];

/// From this bitrate on, clients ask for sound of high quality.
const HIGH_QUALITY_KBPS: u32 = 15_000;

/// A tone without a gap in the half second that the measure looks back over.
const WHOLE: f64 = 0.97;

/// The share of the front left channel's tone in a mixture of six. Silence has none, and
/// the other tones are whole periods away.
const IN_A_MIXTURE: f64 = 0.1;

fn tone(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let player = stage.play(&stage.options("Test card")?)?;
    let heard = player.wait_for("the tone", Duration::from_secs(10), |stats| {
        stats.tone_share > TONE && stats.loudness > 0.01
    })?;
    let at = player.millis();
    let later = player.play_on(Duration::from_secs(3))?;
    ensure!(later.tone_share > TONE, "the tone did not last: share {:.2}", later.tone_share);
    let packets = later.audio_packets - heard.audio_packets;
    ensure!((540..=660).contains(&packets), "{packets} packets of 5 ms in 3 s");
    ensure!(later.audio_lost == 0, "{} audio packets lost", later.audio_lost);
    ensure!(later.audio_rejected == 0, "{} audio datagrams rejected", later.audio_rejected);
    Ok(Outcome::Passed(format!(
        "{packets} of 600 packets in 3 s, the first after {} ms, tone after {at} ms, share {:.2}, loudness {:.2}",
        later.first_audio_ms.unwrap_or(0),
        later.tone_share,
        later.loudness
    )))
}

/// True when every channel has its own tone of the Test card.
fn all_in_place(stats: &Stats, channels: u8) -> bool {
    let channels = usize::from(channels);
    let in_place = |(channel, (hertz, share)): (usize, &(u32, f64))| {
        *hertz == testcard::tone(channel, channels) && *share > TONE
    };
    stats.channel_tones.len() == channels && stats.channel_tones.iter().enumerate().all(in_place)
}

/// Plays until every channel is in its place; what was heard.
fn channel_by_channel(player: &Player, channels: u8, what: &str) -> Result<String> {
    let heard = player.wait_for(what, PICTURE, |stats| all_in_place(stats, channels));
    let heard = heard.with_context(|| format!("{what}: heard {:?}", player.stats().channel_tones))?;
    ensure!(heard.audio_rejected == 0, "{what}: {} audio datagrams rejected", heard.audio_rejected);
    let tones = heard.channel_tones.iter().map(|(hertz, _)| hertz.to_string());
    Ok(format!("{what}: {} Hz", tones.collect::<Vec<_>>().join(" ")))
}

fn surround(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let mut notes = Vec::new();
    for channels in [6, 8] {
        let options = Options { channels, audio_packet_ms: 10, ..stage.options("Test card")? };
        let player = stage.play(&options)?;
        notes.push(channel_by_channel(&player, channels, &format!("{channels} channels, normal"))?);
        drop(player);
        // The seat goes on; the next stream codes its sound another way.
        let better = Options { bitrate_kbps: HIGH_QUALITY_KBPS, ..options.clone() };
        let player = stage.play(&better)?;
        notes.push(channel_by_channel(&player, channels, &format!("{channels} channels, high"))?);
        drop(player);
        if channels == 6 {
            // A client with fewer speakers hears a mixture: front left is in it.
            let player = stage.play(&stage.options("Test card")?)?;
            let mixed = player.wait_for("a mixture in stereo", PICTURE, |stats| {
                stats.channel_tones.len() == 2 && stats.left_share > IN_A_MIXTURE
            });
            let left = || player.stats().left_share;
            mixed.with_context(|| format!("heard {:?}, {:.2}", player.stats().channel_tones, left()))?;
        }
        stage.address.quit(&stage.identity)?;
    }
    Ok(Outcome::Passed(notes.join("; ")))
}

fn server_killed(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let player = stage.play(&stage.options("Test card")?)?;
    let marker = format!("seat-{}-", stage.host.pid());
    let mut notes = Vec::new();
    for program in ["pipewire", "wireplumber", "pipewire-pulse"] {
        player.wait_for("the tone", PICTURE, |stats| stats.tone_share > WHOLE)?;
        let processes = processes_of(&marker);
        let server = processes.iter().find(|process| {
            let path = process.command.split(' ').next().unwrap_or_default();
            path.rsplit('/').next() == Some(program)
        });
        let server = server.with_context(|| format!("{program} does not run in the seat"))?.pid;
        let before = player.millis();
        let killed = std::process::Command::new("kill").args(["-KILL", &server.to_string()]).status()?;
        ensure!(killed.success(), "{program} could not be killed");
        if program != "pipewire-pulse" {
            player.wait_for("a gap in the tone", PICTURE, |stats| stats.tone_share < WHOLE)?;
        }
        player.wait_for("the tone again", PICTURE, |stats| stats.tone_share > WHOLE)?;
        // The measure looks back over half a second, which must be past.
        notes.push(format!("{program} {} ms", (player.millis() - before).saturating_sub(500)));
        until("as many processes as before", PICTURE, || {
            (processes_of(&marker).len() == processes.len()).then_some(())
        })?;
    }
    let stats = player.stats();
    ensure!(stats.audio_lost == 0, "{} packets are missing in the sequence", stats.audio_lost);
    Ok(Outcome::Passed(format!("the tone is back after: {}", notes.join(", "))))
}
