//! `audio-test`: the Test card's tone, recorded, coded and decoded again.

use std::path::Path;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use punktfunk_seat_ipc::AppKind;

use super::bench::Bench;
use super::{Report, Wish, quantile};
use crate::audio;

/// The tone of the Test card, Hz.
const TONE: f64 = 1000.0;
/// Milliseconds of sound in a packet.
const PACKET_MS: u32 = 5;
/// Less of the energy than this in the tone is not the tone.
const CLEAR: f64 = 0.7;

/// Is the tone of the card heard through the seat's sound server?
pub fn sound(wish: &Wish) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let bench = Bench::start(wish, AppKind::TestCard)?;
    let Some(remote) = bench.seat.pipewire_remote().map(Path::to_owned) else {
        let missing = "the seat has none: install pipewire, wireplumber and pipewire-pulse";
        report.add("sound server", false, missing);
        return Ok(report);
    };
    report.add("sound server", true, remote.display().to_string());
    let (packets, received) = channel();
    let config = audio::Config {
        source: audio::Source::PipeWire { remote, sink: audio::SEAT_SINK.into() },
        channels: 2,
        high_quality: true,
        packet_us: PACKET_MS * 1000,
        local: None,
    };
    let begun = Instant::now();
    let stage = audio::Stage::spawn(config, move |opus: &[u8]| {
        // Nobody listens any more once the time is over.
        let _ = packets.send((Instant::now(), opus.to_vec()));
    })?;
    let mut decoder =
        opus2::Decoder::new(audio::SAMPLE_RATE, opus2::Channels::Stereo).context("Opus decoder")?;
    let (mut gaps, mut before, mut heard, mut count) = (Vec::new(), begun, Heard::default(), 0_u64);
    let mut toned = None;
    while let Some(left) = wish.time.checked_sub(begun.elapsed()) {
        let Ok((at, opus)) = received.recv_timeout(left) else { break };
        count += 1;
        gaps.push(at.duration_since(before).as_secs_f64() * 1000.0);
        before = at;
        let mut samples = vec![0.0; (audio::SAMPLE_RATE / 1000 * PACKET_MS * 2) as usize];
        let frames = decoder.decode_float(&opus, &mut samples, false).context("Opus decoder")?;
        let share = heard.hear(samples.get(..frames * 2).unwrap_or_default());
        if toned.is_none() && share > CLEAR {
            toned = Some(begun.elapsed());
        }
    }
    drop(stage);
    let expected = wish.time.as_millis() as u64 / u64::from(PACKET_MS);
    let late = quantile(&mut gaps, 0.99);
    report.add(
        "packets",
        count + 10 >= expected,
        format!("{count} of {expected}, 99 % within {late:.1} ms of the one before"),
    );
    let after =
        toned.map_or_else(|| "never".into(), |after: Duration| format!("after {} ms", after.as_millis()));
    report.add("tone", toned.is_some(), format!("heard {after}"));
    let share = heard.share();
    report.add(
        "clear",
        share > CLEAR,
        format!("{:.0} % of the sound is the tone, loudness {:.2}", share * 100.0, heard.loudness()),
    );
    Ok(report)
}

/// How much of what is heard is the tone, by the Goertzel algorithm on each packet.
#[derive(Default)]
struct Heard {
    tone: f64,
    all: f64,
    samples: f64,
}

impl Heard {
    /// The share of the tone in interleaved stereo samples.
    fn hear(&mut self, samples: &[f32]) -> f64 {
        let turn = std::f64::consts::TAU * TONE / f64::from(audio::SAMPLE_RATE);
        let (mut one, mut two, mut all) = (0.0, 0.0, 0.0);
        let left = samples.iter().step_by(2).map(|value| f64::from(*value));
        let count = samples.len() as f64 / 2.0;
        for value in left {
            (one, two) = (value + 2.0 * turn.cos() * one - two, one);
            all += value * value;
        }
        let tone = (one * one + two * two - 2.0 * turn.cos() * one * two) * 2.0 / count.max(1.0);
        self.samples += count;
        if all < 1e-6 {
            return 0.0;
        }
        self.tone += tone.min(all);
        self.all += all;
        tone / all
    }

    fn share(&self) -> f64 {
        if self.all > 0.0 { self.tone / self.all } else { 0.0 }
    }

    fn loudness(&self) -> f64 {
        (self.all / self.samples.max(1.0)).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(hertz: f64) -> Vec<f32> {
        let value = |n: u32| (std::f64::consts::TAU * hertz * f64::from(n) / 48_000.0).sin() as f32 * 0.1;
        (0..240).flat_map(|n| [value(n), 0.0]).collect()
    }

    #[test]
    fn the_tone_is_told_from_another_and_from_silence() {
        let mut heard = Heard::default();
        assert!(heard.hear(&wave(1000.0)) > 0.95);
        assert!((heard.loudness() - 0.0707).abs() < 0.001, "{}", heard.loudness());
        assert!(Heard::default().hear(&wave(3000.0)) < 0.1);
        assert_eq!(Heard::default().hear(&[0.0; 480]), 0.0);
    }
}
