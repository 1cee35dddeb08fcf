//! A seat for a test: started, used and taken down again.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use punktfunk_seat_ipc::host::Frame;
use punktfunk_seat_ipc::{App, AppKind, Keymap};

use super::Wish;
use crate::display::{Screen, Seat, SeatEvent, SeatEvents, SeatSpec};

/// The longest wait for an application and its first picture.
const START: Duration = Duration::from_secs(15);

/// A running seat.
pub(super) struct Bench {
    pub seat: Seat,
    pub events: SeatEvents,
    /// From the start to: the seat answers, the application runs.
    pub up: Duration,
    pub running: Duration,
    pub started: Instant,
    directory: PathBuf,
}

impl Bench {
    /// Starts a seat with this application; somebody watches.
    pub fn start(wish: &Wish, kind: AppKind) -> anyhow::Result<Self> {
        let started = Instant::now();
        let directory = wish.runtime.join(format!("test-{}", std::process::id()));
        let (width, height, fps) = wish.mode;
        let spec = SeatSpec {
            name: "test".into(),
            runtime_dir: directory.clone(),
            program: wish.program.clone(),
            screen: Screen::Own,
            width,
            height,
            fps,
            channels: 2,
            layout: Keymap::default(),
        };
        let (seat, events) = Seat::start(&spec).context("the screen could not be started")?;
        let up = started.elapsed();
        let mut bench = Self { seat, events, up, running: up, started, directory };
        let app = App { kind, name: "test".into(), env: Vec::new(), cwd: None };
        bench.seat.launch(app)?;
        bench.seat.set_viewer(true)?;
        let deadline = Instant::now() + START;
        loop {
            match bench.events.next(deadline.saturating_duration_since(Instant::now())) {
                SeatEvent::AppStarted(_) => break,
                SeatEvent::Error(why) => bail!("the application could not be started: {why}"),
                SeatEvent::AppExited(exit) => bail!("the application ended at once ({exit:?})"),
                SeatEvent::Gone => bail!("the screen ended; its log: {}", bench.log()),
                SeatEvent::Timeout if Instant::now() >= deadline => bail!("the application did not start"),
                SeatEvent::Frame(_) | SeatEvent::Timeout => {}
            }
        }
        bench.running = bench.started.elapsed();
        Ok(bench)
    }

    /// The next frame, or none before `deadline`; an error when the seat ended.
    pub fn frame(&self, deadline: Instant) -> anyhow::Result<Option<Frame>> {
        loop {
            match self.events.next(deadline.saturating_duration_since(Instant::now())) {
                SeatEvent::Frame(frame) => return Ok(Some(frame)),
                SeatEvent::Gone => bail!("the screen ended; its log: {}", self.log()),
                SeatEvent::AppExited(exit) => bail!("the application ended ({exit:?})"),
                SeatEvent::Error(why) => bail!("the seat reports: {why}"),
                SeatEvent::Timeout if Instant::now() >= deadline => return Ok(None),
                SeatEvent::Timeout | SeatEvent::AppStarted(_) => {}
            }
        }
    }

    fn log(&self) -> String {
        let text = std::fs::read_to_string(self.directory.join("seat.log")).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(4).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.seat.quit();
        if let Err(error) = std::fs::remove_dir_all(&self.directory) {
            eprintln!("{} was not removed: {error}", self.directory.display());
        }
    }
}
