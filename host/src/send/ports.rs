//! The media ports: one UDP socket for video and one for audio, shared by every
//! session. Clients ping them from the socket that will receive (sheet, section 7);
//! a ping names its stream by the payload of `X-SS-Ping-Payload`, an old client's by
//! the address alone.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use punktfunk_net::{Destination, Received, RecvBatch, Route, Transport, UdpTransport};

/// Pings that are read with one call; more wait in the kernel.
const PINGS_AT_ONCE: usize = 16;

/// CS5, for video.
const DSCP_VIDEO: u8 = 40;
/// CS6, for sound.
const DSCP_AUDIO: u8 = 48;

/// Where the packets of one stream go: unknown until the client pinged both ports.
#[derive(Clone, Debug)]
pub struct StreamRoute {
    /// Of the client's video socket.
    pub video: Destination,
    /// Of the client's audio socket.
    pub audio: Destination,
    payload: [u8; 16],
    peer: IpAddr,
    /// A ping with the payload came: the client knows how, and nobody without it
    /// can be that client.
    named: Arc<AtomicBool>,
    /// The client asked for marked packets.
    marked: Arc<AtomicBool>,
    changed: Arc<(Mutex<bool>, Condvar)>,
}

impl StreamRoute {
    fn new(payload: [u8; 16], peer: IpAddr) -> Self {
        let (video, audio) = (Destination::new(), Destination::new());
        Self {
            video,
            audio,
            payload,
            peer,
            named: Arc::default(),
            marked: Arc::default(),
            changed: Arc::default(),
        }
    }

    fn closed(&self) -> MutexGuard<'_, bool> {
        self.changed.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the client's video address is known; false when `deadline` passed
    /// or the route was closed before.
    pub fn wait_for_video(&self, deadline: Instant) -> bool {
        let mut closed = self.closed();
        loop {
            if self.video.current().is_some() {
                return true;
            }
            let now = Instant::now();
            if *closed || now >= deadline {
                return false;
            }
            let wait = self.changed.1.wait_timeout(closed, deadline - now);
            closed = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// From the next ping on, packets are marked for networks that tell traffic
    /// apart (sheet, section 16).
    pub fn mark(&self) {
        self.marked.store(true, Ordering::Relaxed);
    }

    /// Ends the waiting.
    pub fn close(&self) {
        *self.closed() = true;
        self.changed.1.notify_all();
    }

    fn destination(&self, plane: Plane) -> &Destination {
        match plane {
            Plane::Video => &self.video,
            Plane::Audio => &self.audio,
        }
    }

    /// Whether a ping without payload may be this client's: anybody behind its
    /// address can send one, so the first counts, and only from an old client.
    fn may_be_nameless(&self, plane: Plane, source: Route) -> bool {
        self.peer == source.to.ip()
            && !self.named.load(Ordering::Relaxed)
            && self.destination(plane).current().is_none()
    }

    fn learn(&self, plane: Plane, route: Route) {
        let class = match plane {
            Plane::Video => DSCP_VIDEO,
            Plane::Audio => DSCP_AUDIO,
        };
        let route = Route { dscp: self.marked.load(Ordering::Relaxed).then_some(class), ..route };
        let destination = self.destination(plane);
        if destination.current() != Some(route) {
            tracing::debug!(?plane, to = %route.to, "the client's address");
            let _ordered = self.closed();
            destination.set(Some(route));
            self.changed.1.notify_all();
        }
    }
}

type Routes = Arc<Mutex<Vec<StreamRoute>>>;

/// The sockets, and the threads that listen for pings.
#[derive(Debug)]
pub struct MediaPorts {
    video: Arc<UdpTransport>,
    audio: Arc<UdpTransport>,
    routes: Routes,
    listeners: Vec<JoinHandle<()>>,
}

/// Which socket a ping came in on.
#[derive(Clone, Copy, Debug)]
enum Plane {
    Video,
    Audio,
}

impl MediaPorts {
    /// Takes the bound sockets and starts listening.
    pub fn start(video: UdpTransport, audio: UdpTransport) -> std::io::Result<Self> {
        let (video, audio) = (Arc::new(video), Arc::new(audio));
        let mut ports = Self { video, audio, routes: Routes::default(), listeners: Vec::new() };
        for plane in [Plane::Video, Plane::Audio] {
            let (name, socket) = match plane {
                Plane::Video => ("punktfunk-pingv", &ports.video),
                Plane::Audio => ("punktfunk-pinga", &ports.audio),
            };
            let (socket, routes) = (Arc::clone(socket), Arc::clone(&ports.routes));
            let listener = std::thread::Builder::new().name(name.into());
            ports.listeners.push(listener.spawn(move || listen(&*socket, plane, &routes))?);
        }
        Ok(ports)
    }

    /// The socket video leaves from.
    pub fn video(&self) -> Arc<UdpTransport> {
        Arc::clone(&self.video)
    }

    /// The socket audio leaves from.
    pub fn audio(&self) -> Arc<UdpTransport> {
        Arc::clone(&self.audio)
    }

    /// A route for the stream whose pings carry `payload`, or come from `peer` when
    /// they carry none. It learns addresses until [`MediaPorts::forget`].
    pub fn route(&self, payload: [u8; 16], peer: IpAddr) -> StreamRoute {
        let route = StreamRoute::new(payload, peer);
        lock(&self.routes).push(route.clone());
        route
    }

    /// Stops listening for this route's pings.
    pub fn forget(&self, route: &StreamRoute) {
        lock(&self.routes).retain(|known| known.payload != route.payload);
    }
}

impl Drop for MediaPorts {
    fn drop(&mut self) {
        self.video.wake();
        self.audio.wake();
        for listener in self.listeners.drain(..) {
            // A listener that panicked has nothing left to stop.
            drop(listener.join());
        }
    }
}

fn lock(routes: &Routes) -> MutexGuard<'_, Vec<StreamRoute>> {
    routes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen(socket: &dyn Transport, plane: Plane, routes: &Routes) {
    let mut batch = RecvBatch::new(PINGS_AT_ONCE);
    loop {
        match socket.receive(&mut batch, None) {
            Ok(Received::Woken) => return,
            Ok(_) => {}
            // The kernel reports a client's closed port here; the next ping tells more.
            Err(error) => tracing::debug!(%error, "receiving pings"),
        }
        for (ping, from, local) in batch.iter() {
            learn(routes, plane, ping, Route { to: from, from: local, dscp: None });
        }
    }
}

/// Takes a ping's source as the address of the stream it names.
fn learn(routes: &Routes, plane: Plane, ping: &[u8], source: Route) {
    let routes = lock(routes);
    let named = match ping {
        b"PING" => routes.iter().rev().find(|route| route.may_be_nameless(plane, source)),
        _ if ping.len() == 20 => routes.iter().find(|route| ping.starts_with(&route.payload)),
        _ => None,
    };
    if let Some(named) = named {
        if ping.len() == 20 {
            named.named.store(true, Ordering::Relaxed);
        }
        named.learn(plane, source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn routes(payloads: &[[u8; 16]]) -> Routes {
        let peer = IpAddr::from([10, 0, 0, 1]);
        Arc::new(Mutex::new(payloads.iter().map(|&payload| StreamRoute::new(payload, peer)).collect()))
    }

    #[test]
    fn packets_are_marked_for_clients_that_asked() {
        let routes = routes(&[[b'a'; 16]]);
        let ping = [&[b'a'; 16][..], &[0, 0, 0, 1]].concat();
        let from = Route::to(SocketAddr::from(([192, 168, 1, 9], 5000)));
        let mark = |plane| {
            learn(&routes, plane, &ping, from);
            let route = lock(&routes)[0].clone();
            route.destination(plane).current().and_then(|route| route.dscp)
        };
        assert_eq!((mark(Plane::Video), mark(Plane::Audio)), (None, None));
        lock(&routes)[0].mark();
        assert_eq!((mark(Plane::Video), mark(Plane::Audio)), (Some(40), Some(48)));
    }

    #[test]
    fn a_ping_is_matched_by_its_payload_and_not_by_its_address() {
        let (first, second) = ([b'a'; 16], [b'b'; 16]);
        let routes = routes(&[first, second]);
        let from = Route::to(SocketAddr::from(([192, 168, 1, 9], 5000)));
        let mut ping = second.to_vec();
        ping.extend(1u32.to_be_bytes());
        learn(&routes, Plane::Video, &ping, from);
        let known = lock(&routes);
        assert_eq!(known[0].video.current(), None);
        assert_eq!(known[1].video.current(), Some(from));
        assert_eq!(known[1].audio.current(), None);
        assert!(known[1].wait_for_video(Instant::now()));
    }

    #[test]
    fn rubbish_and_strangers_are_ignored() {
        let routes = routes(&[[b'a'; 16]]);
        let stranger = Route::to(SocketAddr::from(([192, 168, 1, 9], 5000)));
        for ping in [&b"PING"[..], &[0; 20], &[b'a'; 16], &[]] {
            learn(&routes, Plane::Audio, ping, stranger);
        }
        assert_eq!(lock(&routes)[0].audio.current(), None);
        let old_client = Route::to(SocketAddr::from(([10, 0, 0, 1], 5000)));
        learn(&routes, Plane::Audio, b"PING", old_client);
        assert_eq!(lock(&routes)[0].audio.current(), Some(old_client));
    }

    #[test]
    fn a_ping_without_payload_takes_no_stream_away() {
        let routes = routes(&[[b'a'; 16]]);
        let at = |port| Route::to(SocketAddr::from(([10, 0, 0, 1], port)));
        learn(&routes, Plane::Audio, &[[b'a'; 20]].concat(), at(5000));
        learn(&routes, Plane::Audio, b"PING", at(6000));
        learn(&routes, Plane::Video, b"PING", at(6000));
        assert_eq!(lock(&routes)[0].audio.current(), Some(at(5000)));
        assert_eq!(lock(&routes)[0].video.current(), None);
        learn(&routes, Plane::Audio, &[[b'a'; 20]].concat(), at(7000));
        assert_eq!(lock(&routes)[0].audio.current(), Some(at(7000)));
    }

    #[test]
    fn closing_ends_the_wait_for_an_address() {
        let route = StreamRoute::new([b'a'; 16], IpAddr::from([10, 0, 0, 1]));
        std::thread::scope(|scope| {
            let waiting =
                scope.spawn(|| route.wait_for_video(Instant::now() + std::time::Duration::from_secs(60)));
            route.close();
            assert!(!waiting.join().unwrap());
        });
    }
}
