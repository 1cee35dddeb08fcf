//! The test host's media planes: one machine for each session, fed by the receiving
//! thread, and driven by whoever has something for it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use punktfunk_core::native::flow::parity::Protection;
use punktfunk_core::native::host::{Config, Media, Output, Unit};
use punktfunk_core::native::keys::Exported;
use punktfunk_core::native::media::{Flags, media_id};
use punktfunk_core::native::wire::SessionId;
use punktfunk_core::native::wire::control::Welcome;
use punktfunk_core::time::Time;
use punktfunk_net::{Datagrams, Route, Transport, UdpTransport};
use punktfunk_quic::{Accepted, MediaSink, Peer};

use crate::now;

/// All sessions of a test host.
#[derive(Default)]
pub struct Planes {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    transport: Option<Arc<UdpTransport>>,
    planes: HashMap<[u8; 8], Plane>,
    sessions: HashSet<[u8; 16]>,
    /// The latest that was begun.
    latest: Option<[u8; 8]>,
}

struct Plane {
    machine: Media,
    route: Option<Route>,
    key_frames_wanted: u32,
    offload: bool,
}

impl Planes {
    pub(crate) fn attach(&self, transport: Arc<UdpTransport>) {
        self.inner.lock().expect("lock").transport = Some(transport);
    }

    pub(crate) fn detach(&self) {
        *self.inner.lock().expect("lock") = Inner::default();
    }

    pub(crate) fn knows(&self, session: SessionId) -> bool {
        self.inner.lock().expect("lock").sessions.contains(&session.0)
    }

    /// A session of a former life.
    pub fn remember(&self, session: SessionId) {
        self.inner.lock().expect("lock").sessions.insert(session.0);
    }

    pub(crate) fn begin(&self, welcome: &Welcome, limit: u16, secret: Exported) {
        let config = Config {
            media: welcome.media.0,
            traffic: secret.traffic(welcome.aead),
            bitrate: u64::from(welcome.bitrate_kbps) * 1000,
            first_frame: 0,
            payload: welcome.payload.into(),
            limit: limit.into(),
            protection: Protection::default(),
        };
        let machine = Media::new(now(), config).expect("machine");
        let plane = Plane { machine, route: None, key_frames_wanted: 0, offload: true };
        let mut inner = self.inner.lock().expect("lock");
        inner.sessions.insert(welcome.session.0);
        inner.planes.insert(welcome.media.0, plane);
        inner.latest = Some(welcome.media.0);
    }

    /// The client can take media: to its QUIC address until its first report.
    pub fn start(&self, media: [u8; 8], accepted: &Accepted) {
        let mut inner = self.inner.lock().expect("lock");
        if let Some(plane) = inner.planes.get_mut(&media) {
            plane.route = Some(Route { to: accepted.from, from: accepted.local, dscp: None });
        }
    }

    /// Sends a frame to the latest session.
    pub fn frame(&self, data: &[u8], epoch: u8, key: bool) {
        let mut inner = self.inner.lock().expect("lock");
        let Inner { transport, planes, latest, .. } = &mut *inner;
        let plane = latest.and_then(|latest| planes.get_mut(&latest)).expect("a session");
        let flags = if key { Flags::KEY_FRAME.with(Flags::NEW_PICTURE) } else { Flags::NEW_PICTURE };
        let (at, mut out) = (now(), Vec::new());
        let unit = Unit { data: data.to_vec(), taken: at, epoch, flags, last: true };
        let batch = plane.machine.frame(at, unit, &mut out).expect("frame");
        let route = plane.route.expect("a client that started");
        let transport = transport.as_ref().expect("transport");
        transport.send(Datagrams::new(&out, batch.datagram_len), route).expect("sent");
    }

    /// Where the latest session's media goes.
    pub fn route(&self) -> Option<Route> {
        let inner = self.inner.lock().expect("lock");
        inner.latest.and_then(|latest| inner.planes.get(&latest)).and_then(|plane| plane.route)
    }

    /// How many key frames the latest session's client wanted.
    pub fn key_frames_wanted(&self) -> u32 {
        let inner = self.inner.lock().expect("lock");
        inner.latest.and_then(|latest| inner.planes.get(&latest)).map_or(0, |plane| plane.key_frames_wanted)
    }
}

impl Plane {
    fn settle(&mut self, at: Time, transport: &UdpTransport) -> Option<Time> {
        let mut out = Vec::new();
        loop {
            out.clear();
            match self.machine.poll(at, &mut out) {
                Output::Send(batch) => {
                    // A probe may be too large for the way; then it is lost.
                    if let Some(route) = self.route {
                        let _ = transport.send(Datagrams::new(&out, batch.datagram_len), route);
                    }
                }
                Output::KeyFrameWanted { .. } => self.key_frames_wanted += 1,
                Output::DisableGso => self.offload = false,
                Output::Wait(until) => return until,
                _ => {}
            }
        }
    }
}

impl MediaSink for Planes {
    fn datagram(&self, datagram: &mut [u8], peer: Peer) {
        let Some(media) = media_id(datagram) else { return };
        let mut inner = self.inner.lock().expect("lock");
        let Some(plane) = inner.planes.get_mut(&media) else { return };
        if let Ok(heard) = plane.machine.datagram(now(), datagram)
            && heard.newest
            && plane.route.is_some_and(|route| route.to != peer.from)
        {
            plane.route = Some(peer.route());
            plane.machine.moved(now());
        }
    }

    fn settle(&self) -> Option<Duration> {
        let mut inner = self.inner.lock().expect("lock");
        let Inner { transport, planes, .. } = &mut *inner;
        let (transport, at) = (transport.as_ref()?, now());
        let until = planes.values_mut().filter_map(|plane| plane.settle(at, transport)).min();
        until.map(|until| until - at)
    }
}
