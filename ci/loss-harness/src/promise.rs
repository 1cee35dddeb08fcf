//! What is promised of one kind of loss: no frame later than a round trip and an interval
//! after it was due, and how many bytes that takes. Many minutes, each with a seed of its
//! own, so that what is rare is seen.

use std::time::Duration;

use punktfunk_sim::Weather;
use punktfunk_sim::native::{Outcome, Session, Setup, Sizes, session};
use serde_json::{Value, json};

use crate::sweep::in_parallel;

/// The loss of the promise: its share, both ways, and the mean length of its runs.
const LOSS: (f64, f64) = (0.05, 4.0);
/// Frames that were due in the last second of a run may still be on their way.
const UNSETTLED: Duration = Duration::from_secs(1);

/// What is tried.
#[derive(Clone, Debug)]
pub struct Promise {
    /// Frames a second, each with each round trip.
    pub fps: Vec<u32>,
    /// Round trips of the path.
    pub round_trips: Vec<Duration>,
    /// Bits a second of the encoder.
    pub bitrate: u64,
    /// Length of each run, virtual seconds.
    pub seconds: u32,
    /// Runs of each kind, with the seeds from 1 on.
    pub seeds: u64,
}

impl Default for Promise {
    fn default() -> Self {
        Self {
            fps: vec![60, 120],
            round_trips: vec![Duration::from_millis(4), Duration::from_millis(12)],
            bitrate: 20_000_000,
            seconds: 60,
            seeds: 60,
        }
    }
}

/// What came of all runs of one kind.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Frames a second.
    pub fps: u32,
    /// Round trip of the path.
    pub round_trip: Duration,
    /// Frames that were due.
    pub frames: u64,
    /// Shown later than promised, or not at all.
    pub late: u64,
    /// Given up by the client.
    pub lost: u64,
    /// Bytes on the wire by bytes of access units: over all runs, and of the most expensive.
    pub mean: f64,
    /// See `mean`.
    pub most: f64,
    /// Datagrams with parity and those sent again, by datagrams with data.
    pub parity: f64,
    /// See `parity`.
    pub repairs: f64,
    /// Bytes of the client by bytes of access units.
    pub back: f64,
}

/// One run.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    frames: u64,
    late: u64,
    lost: u64,
    unit_bytes: u64,
    wire_bytes: u64,
    back_bytes: u64,
    datagrams: [u64; 3],
}

impl Promise {
    /// Plays all, on as many threads as the machine has processors.
    pub fn run(&self) -> Vec<Kept> {
        let kinds: Vec<(u32, Duration)> =
            self.fps.iter().flat_map(|fps| self.round_trips.iter().map(|trip| (*fps, *trip))).collect();
        let runs: Vec<_> = kinds.iter().flat_map(|kind| (1..=self.seeds).map(|seed| (*kind, seed))).collect();
        let played = in_parallel(&runs, |&((fps, trip), seed)| self.play(fps, trip, seed));
        let each = usize::try_from(self.seeds.max(1)).unwrap_or(usize::MAX);
        kinds.iter().zip(played.chunks(each)).map(|((fps, trip), runs)| Kept::of(*fps, *trip, runs)).collect()
    }

    fn play(&self, fps: u32, round_trip: Duration, seed: u64) -> Run {
        let there = Weather { delay: round_trip / 2, ..Weather::lossy(LOSS.0, LOSS.1) };
        let sizes = Sizes { bitrate: self.bitrate, fps, ..Sizes::default() };
        let setup = Setup { sizes, there, back: there, seed, ..Setup::default() };
        let mut session = session(&setup);
        session.keeps_lost = false;
        let end = session.now() + Duration::from_secs(self.seconds.into());
        session.run_until(end);
        // To the next microsecond: what is rounded down would call a frame late that is not.
        let interval = Duration::from_micros(1_000_000_u64.div_ceil(fps.max(1).into()));
        Run::of(&session, round_trip + interval)
    }
}

impl Run {
    fn of(session: &Session, allowed: Duration) -> Self {
        let most = session.there.weather().delay + allowed;
        let due = session.a.sent.iter().filter(|sent| session.now() - sent.at > UNSETTLED);
        let (mut frames, mut late) = (0, 0);
        for sent in due {
            frames += 1;
            late += u64::from(session.b.shown_after(sent.frame, sent.at).is_none_or(|after| after > most));
        }
        let (outcome, stats) = (Outcome::of(session), session.a.media().stats());
        Self {
            frames,
            late,
            lost: outcome.lost,
            unit_bytes: outcome.unit_bytes,
            wire_bytes: outcome.wire_bytes,
            back_bytes: session.back.counters().bytes,
            datagrams: [stats.data, stats.parity, stats.repairs],
        }
    }

    fn share(&self) -> f64 {
        self.wire_bytes as f64 / self.unit_bytes.max(1) as f64
    }
}

impl Kept {
    fn of(fps: u32, round_trip: Duration, runs: &[Run]) -> Self {
        let sum = |of: &dyn Fn(&Run) -> u64| runs.iter().map(of).sum::<u64>();
        let by = |of: u64, all: u64| of as f64 / all.max(1) as f64;
        let (units, data) = (sum(&|run| run.unit_bytes), sum(&|run| run.datagrams[0]));
        Self {
            fps,
            round_trip,
            frames: sum(&|run| run.frames),
            late: sum(&|run| run.late),
            lost: sum(&|run| run.lost),
            mean: by(sum(&|run| run.wire_bytes), units),
            most: runs.iter().map(Run::share).fold(0.0, f64::max),
            parity: by(sum(&|run| run.datagrams[1]), data),
            repairs: by(sum(&|run| run.datagrams[2]), data),
            back: by(sum(&|run| run.back_bytes), units),
        }
    }

    /// The row as text, in the order of [`Kept::HEADINGS`].
    fn cells(&self) -> [String; 10] {
        [
            self.fps.to_string(),
            self.round_trip.as_millis().to_string(),
            self.frames.to_string(),
            self.late.to_string(),
            self.lost.to_string(),
            format!("{:.3}", self.mean),
            format!("{:.3}", self.most),
            format!("{:.3}", self.parity),
            format!("{:.3}", self.repairs),
            format!("{:.3}", self.back),
        ]
    }

    const HEADINGS: [&str; 10] = [
        "frames a second",
        "round trip ms",
        "frames",
        "late",
        "lost",
        "bytes, mean",
        "bytes, most of a run",
        "parity",
        "sent again",
        "bytes back",
    ];
}

/// The rows as a Markdown table.
pub fn as_table(rows: &[Kept]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&Kept::HEADINGS.map(str::to_owned));
    text += &format!("|{}\n", "---:|".repeat(Kept::HEADINGS.len()));
    rows.iter().for_each(|row| text += &line(&row.cells()));
    text
}

/// The rows for programs.
pub fn as_json(rows: &[Kept]) -> Value {
    let row = |row: &Kept| {
        json!({
            "fps": row.fps,
            "round_trip_ms": row.round_trip.as_secs_f64() * 1e3,
            "frames": row.frames,
            "late": row.late,
            "lost": row.lost,
            "bytes_mean": row.mean,
            "bytes_most": row.most,
            "parity": row.parity,
            "sent_again": row.repairs,
            "bytes_back": row.back,
        })
    };
    json!({ "rows": rows.iter().map(row).collect::<Vec<_>>() })
}
