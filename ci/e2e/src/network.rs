//! What is between host and client: losses, encryption, strangers.

use std::io::Write as _;
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Result, ensure};
use punktfunk_probe::{Card, Options, Player};

use crate::Scenario;
use crate::stage::{Outcome, PICTURE, Stage, TONE, World};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[
    ("5 % loss", loss),
    ("everything encrypted", encrypted),
    ("plain RTSP", plain),
    ("two hosts", two_hosts),
    ("rubbish on every port", rubbish),
];

fn loss(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let options = Options { drop_percent: 5.0, seed: 20, ..stage.options("Test card")? };
    let player = stage.play(&options)?;
    player.play_on(Duration::from_secs(10))?;
    let before = player.stats().frames_decoded;
    player.wait_for("pictures after ten seconds of losses", PICTURE, |stats| {
        stats.frames_decoded >= before + 30
    })?;
    stage.screenshot(&player, "")?;
    let report = player.stop();
    let stats = &report.stats;
    let note = format!(
        "{} of {} datagrams dropped, {} frames repaired, {} lost, {} received",
        stats.injected_losses,
        stats.injected_losses + stats.video_packets,
        stats.repaired_frames,
        stats.lost_frames,
        stats.frames_received
    );
    ensure!(stats.repaired_frames > 20, "nothing was repaired: {note}");
    ensure!(stats.audio_repaired > 20, "{} audio packets repaired", stats.audio_repaired);
    // Without parity one frame in twenty would be lost. With at least two parity shards a
    // block, three losses in one of a few shards are one in thousands.
    ensure!(stats.lost_frames * 200 <= stats.frames_received, "too many frames lost: {note}");
    ensure!(stats.decode_errors == 0, "{} frames were not decodable", stats.decode_errors);
    ensure!(report.card.backwards == 0, "pictures out of order: {note}");
    Ok(Outcome::Passed(note))
}

/// Plays until picture and sound are both known to be right.
fn good(player: &Player) -> Result<String> {
    let stats = player.wait_for("picture and tone", Duration::from_secs(10), |stats| {
        stats.seen.iter().filter(|seen| seen.code.is_some()).count() >= 120 && stats.tone_share > TONE
    })?;
    ensure!(stats.lost_frames == 0, "{} frames lost", stats.lost_frames);
    ensure!(stats.video_rejected == 0, "{} video datagrams rejected", stats.video_rejected);
    ensure!(stats.audio_rejected == 0, "{} audio datagrams rejected", stats.audio_rejected);
    ensure!(stats.decode_errors == 0, "{} frames were not decodable", stats.decode_errors);
    Ok(format!("{} pictures, tone share {:.2}", stats.frames_decoded, stats.tone_share))
}

fn encrypted(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let options = Options { encrypt_video: true, encrypt_audio: true, ..stage.options("Test card")? };
    let player = stage.play(&options)?;
    let note = good(&player)?;
    stage.screenshot(&player, "")?;
    Ok(Outcome::Passed(note))
}

fn plain(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let options = Options { plain_rtsp: true, encrypt_audio: false, ..stage.options("Test card")? };
    let player = stage.play(&options)?;
    let note = good(&player)?;
    stage.screenshot(&player, "")?;
    Ok(Outcome::Passed(note))
}

fn two_hosts(world: &World, name: &str) -> Result<Outcome> {
    let one = Stage::paired(world, &format!("{name}, one"))?;
    let other = Stage::paired(world, &format!("{name}, other"))?;
    let ids = (one.address.info_http()?, other.address.info_http()?);
    ensure!(ids.0.host().unique_id != ids.1.host().unique_id, "both hosts say they are the same");
    let small = |stage: &Stage| Ok::<_, anyhow::Error>(stage.options("Test card")?.mode(640, 360, 30));
    let players = (one.play(&small(&one)?)?, other.play(&small(&other)?)?);
    let notes = (good(&players.0)?, good(&players.1)?);
    drop(players.0);
    other.address.info(&other.identity)?;
    let before = players.1.stats().frames_decoded;
    players.1.wait_for("pictures of the other host", PICTURE, |stats| stats.frames_decoded > before + 30)?;
    Ok(Outcome::Passed(format!("{}; {}", notes.0, notes.1)))
}

fn rubbish(world: &World, name: &str) -> Result<Outcome> {
    let mut stage = Stage::paired(world, name)?;
    let player = stage.play(&stage.options("Test card")?)?;
    good(&player)?;
    let from = player.millis();
    let port = |offset: i32| u16::try_from(i32::from(stage.address.port) + offset);
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let mut silent = Vec::new();
    let mut noise = Noise(7);
    for round in 0..100 {
        for offset in [9, 10, 11] {
            let bytes = noise.bytes(round * 14);
            socket.send_to(&bytes, ("127.0.0.1", port(offset)?))?;
            socket.send_to(b"PING", ("127.0.0.1", port(offset)?))?;
        }
        if round % 10 == 0 {
            for offset in [-5, 0, 21] {
                drop(TcpStream::connect(("127.0.0.1", port(offset)?))?);
                let mut talker = TcpStream::connect(("127.0.0.1", port(offset)?))?;
                // The host may hang up on the first byte: that is its right.
                let _ = talker.write_all(&noise.bytes(300));
                silent.push(TcpStream::connect(("127.0.0.1", port(offset)?))?);
            }
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let stats = player.play_on(Duration::from_secs(1))?;
    ensure!(stage.host.is_alive(), "the host ended");
    drop(silent);
    let card = Card::of(stats.seen.iter().filter(|seen| seen.at_ms >= from));
    let note = format!("{} pictures meanwhile, {} left out", card.unique, card.missing);
    ensure!(stats.lost_frames == 0 && stats.video_rejected == 0, "the picture suffered: {note}");
    ensure!(stats.audio_lost == 0 && stats.tone_share > TONE, "the sound suffered");
    ensure!(card.unique > 100, "the picture stood still: {note}");
    ensure!(stage.address.info(&stage.identity)?.paired(), "the host does not answer properly any more");
    Ok(Outcome::Passed(note))
}

/// Bytes that mean nothing, the same in every run.
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut next = || {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0.to_le_bytes()[0]
        };
        (0..len).map(|_| next()).collect()
    }
}
