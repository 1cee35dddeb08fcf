//! The media plane on the receiving thread: datagrams of the host become frames for the
//! queue, and what the machine wants to say goes to the socket, without leaving the
//! thread that received.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use punktfunk_core::native::client::{self, Output};
use punktfunk_core::native::keys::Exported;
use punktfunk_core::native::media::Limits;
use punktfunk_core::native::wire::control::Welcome;
use punktfunk_core::time::Time;
use punktfunk_net::{Datagrams, Route};
use punktfunk_quic::{Endpoint, MediaSink, Peer};

use crate::client::{Config, Lose};
use crate::error::Error;
use crate::event::{Event, Frame, Returns};
use crate::now;
use crate::queue::Queue;

/// The media plane of a session. Without a connection it takes nothing.
#[derive(Debug)]
pub(crate) struct Media {
    state: Mutex<Option<State>>,
    queue: Arc<Queue>,
    returns: Arc<Returns>,
    /// When the host's last datagram opened, or the connection began, microseconds; 0: never.
    heard: AtomicU64,
}

/// What belongs to the present connection.
#[derive(Debug)]
struct State {
    machine: client::Media,
    endpoint: Endpoint,
    host: SocketAddr,
    out: Vec<u8>,
    /// The latest frame given out.
    latest: u32,
    lose: Option<Lose>,
}

impl Media {
    pub fn new(queue: Arc<Queue>) -> Self {
        Self { state: Mutex::new(None), queue, returns: Arc::default(), heard: AtomicU64::new(0) }
    }

    fn state(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection was welcomed: takes its media from now on. The caller wakes the
    /// endpoint.
    pub fn begin(
        &self,
        endpoint: Endpoint,
        config: &Config,
        welcome: &Welcome,
        secret: Exported,
    ) -> Result<(), Error> {
        let settled = client::Config {
            media: welcome.media.0,
            traffic: secret.traffic(welcome.aead),
            first_frame: if welcome.resumed { None } else { Some(0) },
            patience: client::PATIENCE,
            limits: Limits::default(),
        };
        let machine = client::Media::new(now(), settled).map_err(|error| Error::Start(error.to_string()))?;
        let (host, lose) = (config.address, config.lose.clone());
        let state = State { machine, endpoint, host, out: Vec::new(), latest: 0, lose };
        *self.state() = Some(state);
        // A host that dies before its first frame is silent, too.
        self.heard.store(now().0, Ordering::Relaxed);
        Ok(())
    }

    /// Takes nothing any more, and lets go of the endpoint.
    pub fn stop(&self) {
        let state = self.state().take();
        // The endpoint may end here, which waits for the thread that takes this lock.
        drop(state);
    }

    /// A frame was decoded.
    pub fn decoded(&self, frame: u32, took: Duration, backlog: usize) {
        if let Some(state) = &mut *self.state() {
            state.machine.decoded(frame, took, backlog);
        }
    }

    /// The decoder cannot go on from the latest frame.
    pub fn undecodable(&self) {
        if let Some(state) = &mut *self.state() {
            let latest = state.latest;
            state.machine.undecodable(now(), latest);
        }
    }

    /// When a datagram of the host opened last; `None`: never.
    pub fn last_heard(&self) -> Option<Time> {
        Some(self.heard.load(Ordering::Relaxed)).filter(|heard| *heard > 0).map(Time)
    }

    /// The machine's figures; nothing between two connections.
    pub fn stats(&self) -> client::Stats {
        self.state().as_ref().map(|state| state.machine.stats()).unwrap_or_default()
    }
}

impl State {
    /// Does all that the machine wants; when it wants to be asked again.
    fn settle(&mut self, now: Time, queue: &Queue, returns: &Arc<Returns>) -> Option<Time> {
        while let Some(frame) = returns.take() {
            self.machine.recycle(frame);
        }
        loop {
            self.out.clear();
            match self.machine.poll(now, &mut self.out) {
                Output::Send(_) => {
                    // A path that is down loses it like any other datagram.
                    let datagram = Datagrams::one(&self.out);
                    if let Err(error) = self.endpoint.send_media(datagram, Route::to(self.host)) {
                        tracing::debug!(%error, "a report is lost");
                    }
                }
                Output::Frame(frame) => {
                    self.latest = frame.number;
                    let clock = self.machine.clock();
                    let frame = Frame::new(frame, |host| clock.ours(host), returns.clone());
                    if queue.push(Event::Frame(frame)) {
                        // What refers to the frame that nobody took cannot be decoded.
                        self.machine.undecodable(now, self.latest);
                    }
                }
                Output::Lost { first, last } => {
                    queue.push(Event::FramesLost { first, last });
                }
                Output::Undecodable { frame } => {
                    queue.push(Event::FramesLost { first: frame, last: frame });
                }
                Output::Wait(until) => return until,
            }
        }
    }
}

impl MediaSink for Media {
    fn datagram(&self, datagram: &mut [u8], _peer: Peer) {
        let mut state = self.state();
        let Some(state) = state.as_mut() else { return };
        if state.lose.as_ref().is_some_and(Lose::strikes) {
            return;
        }
        let now = now();
        match state.machine.datagram(now, datagram) {
            Ok(()) => self.heard.store(now.0, Ordering::Relaxed),
            // Counted by the machine; anybody can send anything.
            Err(error) => tracing::trace!(%error, "a media datagram is thrown away"),
        }
    }

    fn settle(&self) -> Option<Duration> {
        let mut state = self.state();
        let now = now();
        let until = state.as_mut()?.settle(now, &self.queue, &self.returns)?;
        Some(until - now)
    }
}
