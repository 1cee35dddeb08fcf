//! punktfunk/1 on one UDP port: QUIC for what is said, media beside it.
//!
//! The shell around the machines of `core::native`, called by [`super::start`]. It knows
//! who is paired and what the owner allows; what a session does is the supervisor's.
//! [`hall`] is where a connection begins: there it pairs or asks for a session, which
//! [`stay`] then carries on until it ends.

mod hall;
mod knocks;
mod pairing;
mod pairing_window;
mod stay;
mod voice;
mod windows;
mod wire;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use punktfunk_core::native::wire::Code;
use punktfunk_net::{Transport, bind_udp, bind_udp_to};
use punktfunk_quic::{Arrival, Endpoint, Identity, MediaSink, Peer};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::knocks::Knocks;
use super::notice::{Notice, Notices};
use super::{Context, ServeError, Shared};
use crate::session::{ClientId, Supervisor};

pub use knocks::Knock;
pub(super) use pairing_window::{OPEN_FOR, WindowId};
pub use windows::Terms;
pub(super) use windows::{Opened, Windows};

/// Connections of one paired client (section 10).
const MOST_PER_CLIENT: usize = 16;
/// How long clients may take to hear that the host stops.
const GOODBYE: Duration = Duration::from_secs(1);

/// The bound port.
pub(super) struct Port {
    endpoint: Endpoint,
}

/// What every connection of the port shares.
struct House {
    shared: Arc<Shared>,
    transport: Arc<dyn Transport>,
}

impl Port {
    /// Binds the port and begins to take media. Must be called inside a runtime.
    pub fn bind(context: &Context, supervisor: Arc<dyn Supervisor>) -> Result<Self, ServeError> {
        let port = context.config.native_port();
        let fail = |source: io::Error| {
            let holder = match source.kind() {
                io::ErrorKind::AddrInUse => {
                    "another program, such as a second punktfunk-host, uses it: stop \
                                             it, or choose another --native-port or --port"
                }
                _ => "choose another --native-port",
            };
            ServeError::Port { port, what: "punktfunk/1, UDP", source, holder: holder.to_owned() }
        };
        let bound = match context.config.native.bind {
            None => bind_udp(port, false),
            Some(address) => bind_udp_to(SocketAddr::new(address, port), false),
        };
        let socket = bound.map_err(|error| match error {
            punktfunk_net::Error::Bind { source, .. } => fail(source),
            other => fail(io::Error::other(other)),
        })?;
        let identity = context.store.native_identity();
        let identity = Identity::from_der(identity.certificate(), identity.key_pkcs8())
            .map_err(|error| fail(io::Error::other(error)))?;
        let endpoint = Endpoint::host(socket, &identity, Arc::new(Media(supervisor)))
            .map_err(|error| fail(io::Error::other(error)))?;
        Ok(Self { endpoint })
    }

    /// Serves clients until `stop`, then tells them.
    pub async fn serve(self, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
        let transport: Arc<dyn Transport> = self.endpoint.transport();
        let house = Arc::new(House { shared, transport });
        let mut guests = JoinSet::new();
        loop {
            tokio::select! {
                arrival = self.endpoint.accept() => {
                    let Some(arrival) = arrival else { break };
                    guests.spawn(receive(house.clone(), arrival, stop.clone()));
                }
                Some(ended) = guests.join_next() => if let Err(error) = ended {
                    tracing::error!(%error, "a connection ended with its task");
                },
                () = hall::stopped(&mut stop) => break,
            }
        }
        // Each says goodbye by itself; who is slow is closed anyway.
        let all = async { while guests.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(GOODBYE, all).await;
        let code = u32::try_from(Code::HostStopping.number()).unwrap_or_default();
        self.endpoint.close(code, "the host is being stopped");
        let _ = tokio::time::timeout(GOODBYE, self.endpoint.wait_idle()).await;
    }
}

async fn receive(house: Arc<House>, arrival: Arrival, stop: watch::Receiver<bool>) {
    let from = arrival.from();
    match arrival.handshake().await {
        Ok(accepted) => hall::attend(&house, accepted, stop).await,
        Err(error) => tracing::debug!(%from, %error, "no connection"),
    }
}

/// Hands media to its session.
struct Media(Arc<dyn Supervisor>);

impl MediaSink for Media {
    fn datagram(&self, datagram: &mut [u8], peer: Peer) {
        self.0.media(datagram, peer.route());
    }
}

/// The door that strangers knock at.
pub(super) struct Door {
    knocks: Mutex<Knocks>,
    notices: Notices,
}

impl Door {
    pub(super) fn new(notices: Notices) -> Self {
        Self { knocks: Mutex::default(), notices }
    }

    /// Somebody who is not paired tried to connect.
    fn knock(&self, id: ClientId, name: &str, address: IpAddr) {
        if self.knocks().knock(SystemTime::now(), id, name, address) {
            self.notices.tell(Notice::Pairing);
        }
    }

    /// Who did of late, oldest first.
    pub(super) fn list(&self) -> Vec<Knock> {
        self.knocks().list(SystemTime::now())
    }

    /// Takes one off the list.
    pub(super) fn take(&self, id: ClientId) -> Option<Knock> {
        let taken = self.knocks().take(SystemTime::now(), id);
        self.notices.tell(Notice::Pairing);
        taken
    }

    /// Takes one off the list, for a day. False when it is not there.
    pub(super) fn refuse(&self, id: ClientId) -> bool {
        let found = self.knocks().refuse(SystemTime::now(), id);
        self.notices.tell(Notice::Pairing);
        found
    }

    fn knocks(&self) -> MutexGuard<'_, Knocks> {
        // No step leaves anything that a later one could not make sense of.
        self.knocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many connections each client has.
pub(super) struct Crowd {
    here: Mutex<HashMap<ClientId, usize>>,
    notices: Notices,
}

/// The right of a client to one of them; given back on drop.
struct Place {
    crowd: Arc<Crowd>,
    client: ClientId,
}

impl Crowd {
    pub(super) fn new(notices: Notices) -> Self {
        Self { here: Mutex::default(), notices }
    }

    /// Whether this client has a connection.
    pub(super) fn is_here(&self, client: ClientId) -> bool {
        self.here.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&client)
    }

    fn enter(crowd: &Arc<Self>, client: ClientId) -> Option<Place> {
        let mut here = crowd.here.lock().unwrap_or_else(PoisonError::into_inner);
        let own = here.entry(client).or_default();
        if *own >= MOST_PER_CLIENT {
            return None;
        }
        *own += 1;
        if *own == 1 {
            crowd.notices.tell(Notice::Devices);
        }
        Some(Place { crowd: crowd.clone(), client })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut here = self.crowd.here.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = here.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                here.remove(&self.client);
                self.crowd.notices.tell(Notice::Devices);
            }
        }
    }
}

/// Random bytes for keys and ids. Without them nothing here is safe, so there is nothing
/// to fall back to.
fn random(out: &mut [u8]) {
    assert!(aws_lc_rs::rand::fill(out).is_ok(), "the system gives no random numbers");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_sixteen_connections_and_others_have_theirs() {
        let notices = Notices::new();
        let mut heard = notices.listen();
        let crowd = Arc::new(Crowd::new(notices));
        let (one, other) = (ClientId([1; 32]), ClientId([2; 32]));
        let mut places: Vec<_> = (0..MOST_PER_CLIENT).map(|_| Crowd::enter(&crowd, one).unwrap()).collect();
        assert!(Crowd::enter(&crowd, one).is_none());
        assert!(Crowd::enter(&crowd, other).is_some());
        places.pop();
        assert!(Crowd::enter(&crowd, one).is_some());
        assert!(crowd.is_here(one) && !crowd.is_here(other));
        places.clear();
        assert!(crowd.here.lock().unwrap().is_empty());
        // One came, the other came and went, the first went.
        let told = std::iter::from_fn(|| heard.try_recv().ok()).count();
        assert_eq!(told, 4);
    }
}
