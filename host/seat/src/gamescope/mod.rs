//! A seat whose compositor is gamescope: one that is started without a screen for this
//! seat, or one that runs already.
//!
//! To the host it is a seat like any other. The picture comes by PipeWire, input goes by
//! EIS, and the application finds gamescope's displays in its environment.

mod attach;
mod capture;
mod ei;
mod find;
mod fit;
mod mode;
mod node;
mod offer;
mod other;
mod pictures;
mod room;
mod sheets;
mod spawn;

use std::time::Duration;

use anyhow::{Context, anyhow};
use calloop::EventLoop;
use calloop::signals::{Signal as SystemSignal, Signals};
use punktfunk_seat_ipc::seat::Listener;

use crate::launch::Session;
use crate::seat::{Options, monotonic, prepare};
use room::Room;

/// Channels of sound when nobody says how many: PipeWire is needed for the picture.
const CHANNELS: u8 = 2;

/// Where the gamescope is that is used.
enum Origin {
    /// It is started for this seat.
    Own,
    /// It runs already, and is not ours to end.
    Other(attach::Running),
}

/// Runs a seat with gamescope until it is told to end, or gamescope ends.
pub fn run(options: Options, attach: Option<&str>) -> anyhow::Result<()> {
    let origin = match attach {
        Some(display) => Origin::Other(attach::find(display, &options.name)?),
        None => Origin::Own,
    };
    prepare(&options.runtime_dir)?;
    let listener = Listener::bind(&options.runtime_dir)?;
    let mut event_loop: EventLoop<'static, Room> = EventLoop::try_new()?;
    let handle = event_loop.handle();
    // Before signals are blocked: its servers would inherit that.
    let channels = match &origin {
        Origin::Own => Some(options.sound.unwrap_or(CHANNELS)),
        Origin::Other(_) => None,
    };
    let session = Session::start(&options.runtime_dir, "", channels)?;
    let signals = Signals::new(&[SystemSignal::SIGCHLD, SystemSignal::SIGTERM, SystemSignal::SIGINT])?;
    handle
        .insert_source(signals, |event, _, room: &mut Room| match event.signal() {
            SystemSignal::SIGCHLD => room.children_ended(),
            _ => room.quit(),
        })
        .map_err(|error| anyhow!("watch signals: {error}"))?;
    let directory = options.runtime_dir.clone();
    let mut room = Room::new(handle.clone(), options, session);
    crate::link::listen(&handle, listener)?;
    room.open(origin);
    while !room.is_over() {
        let wait = room.next_deadline().map(|at| Duration::from_nanos(at.saturating_sub(monotonic())));
        event_loop.dispatch(wait, &mut room).context("wait for events")?;
        room.work();
    }
    let failure = room.end();
    for name in [punktfunk_seat_ipc::SOCKET_NAME, "bus", "gamescope.ready"] {
        let _ = std::fs::remove_file(directory.join(name));
    }
    tracing::info!("the seat has ended");
    failure.map_or(Ok(()), |failure| Err(anyhow!(failure)))
}
