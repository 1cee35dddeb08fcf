//! TCP listeners of the LAN ports: IPv4 and IPv6, a bounded number of connections,
//! and an end to all of them when the host stops.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::ServeError;

/// Connections a port serves at once. Stock clients use a handful.
const MAX_CONNECTIONS: usize = 256;
/// Connections one address may have, so that it cannot take all of them.
const MAX_PER_ADDRESS: usize = 32;
/// Pause after a failed accept: mostly too many open files, which time cures.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections the kernel keeps until we accept them.
const BACKLOG: i32 = 128;

/// Listens on `port` of every address. IPv6 is left out on a machine without it.
pub(super) fn listen(port: u16, what: &'static str) -> Result<Vec<TcpListener>, ServeError> {
    listen_at(None, port, what)
}

/// Listens on `port` of one address, or of every one.
pub(crate) fn listen_at(
    address: Option<IpAddr>,
    port: u16,
    what: &'static str,
) -> Result<Vec<TcpListener>, ServeError> {
    let fail = |source: io::Error| {
        let holder = platform_hint(&source, port);
        ServeError::Port { port, what, source, holder }
    };
    if let Some(address) = address {
        return bind(SocketAddr::from((address, port))).map(|listener| vec![listener]).map_err(fail);
    }
    let mut listeners = vec![bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))).map_err(fail)?];
    match bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))) {
        Ok(listener) => listeners.push(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(fail(error)),
        Err(error) => tracing::info!(%error, port, "no IPv6 here; serving IPv4 only"),
    }
    Ok(listeners)
}

fn platform_hint(error: &io::Error, port: u16) -> String {
    if error.kind() != io::ErrorKind::AddrInUse {
        return "choose another --port".to_owned();
    }
    let holder = crate::platform::listener_of(port)
        .unwrap_or_else(|| "another program, such as a second punktfunk-host or Sunshine,".to_owned());
    format!("{holder} listens there: stop it, or choose another --port")
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    // A host that restarts must not wait for its old connections to fade.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        // Own sockets for both families, so that peers have addresses of their family.
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Both ends of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    /// The client.
    pub peer: SocketAddr,
    /// The address the client reached us at.
    pub local: SocketAddr,
}

/// Serves every connection with `serve` until `stop` says so; then drops them all.
pub(crate) async fn serve_all<F, Fut>(listener: TcpListener, mut stop: watch::Receiver<bool>, serve: F)
where
    F: Fn(TcpStream, Ends) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let crowd = Arc::new(Crowd::default());
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = connections.join_next(), if !connections.is_empty() => continue,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(place) = Crowd::enter(&crowd, peer.ip()) else {
            tracing::debug!(%peer, "too many connections; this one is closed");
            continue;
        };
        let Ok(local) = stream.local_addr() else { continue };
        // Answers are written in one piece; waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        let work = serve(stream, Ends { peer, local });
        connections.spawn(async move {
            work.await;
            drop(place);
        });
    }
}

/// Who is connected.
#[derive(Default)]
struct Crowd(Mutex<HashMap<IpAddr, usize>>);

/// The right to be connected; given back on drop.
struct Place {
    crowd: Arc<Crowd>,
    address: IpAddr,
}

impl Crowd {
    fn enter(crowd: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut here = crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = here.values().sum();
        let own = here.entry(address).or_default();
        if total >= MAX_CONNECTIONS || *own >= MAX_PER_ADDRESS {
            if *own == 0 {
                here.remove(&address);
            }
            return None;
        }
        *own += 1;
        Some(Place { crowd: crowd.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut here = self.crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = here.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                here.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_every_place() {
        let crowd = Arc::new(Crowd::default());
        let here = IpAddr::from([10, 0, 0, 1]);
        let mut places: Vec<_> = (0..MAX_PER_ADDRESS).map(|_| Crowd::enter(&crowd, here).unwrap()).collect();
        assert!(Crowd::enter(&crowd, here).is_none());
        assert!(Crowd::enter(&crowd, IpAddr::from([10, 0, 0, 2])).is_some());
        places.pop();
        assert!(Crowd::enter(&crowd, here).is_some());
        places.clear();
        assert!(crowd.0.lock().unwrap().is_empty());
    }
}
