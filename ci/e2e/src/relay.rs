//! A bad network between a client and a host on this machine, without any rights: a UDP
//! relay in user space whose weather is that of the simulator, drawn from a seed.
//!
//! The client plays with [`Relay::address`] instead of the host. Which datagrams are lost
//! depends on the seed and on how many came before, not on time; when they arrive does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use punktfunk_core::time::Time;
use punktfunk_sim::{Counters, Link, Weather};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_recv_buffer_size_force};

/// How often a thread that waits for datagrams looks whether the relay has ended.
const LOOK: Duration = Duration::from_millis(50);
/// A burst of the host waits here while this machine is busy with something else. What the
/// kernel threw away would be a loss that the seed knows nothing of.
const BUFFER: usize = 4 << 20;
/// No datagram is larger.
const LARGEST: usize = 65_535;

/// A relay that runs until it is dropped.
pub struct Relay {
    paths: Arc<Paths>,
    threads: Vec<JoinHandle<()>>,
    address: SocketAddr,
}

/// What the threads share.
struct Paths {
    started: Instant,
    ended: AtomicBool,
    host: SocketAddr,
    /// The socket that the client knows.
    front: UdpSocket,
    /// The socket that the host knows.
    back: Mutex<Arc<UdpSocket>>,
    /// Where the client is.
    client: Mutex<Option<SocketAddr>>,
    to_host: Direction,
    to_client: Direction,
    recorded: Mutex<Recorded>,
}

/// The first datagrams of the client.
#[derive(Default)]
struct Recorded {
    datagrams: Vec<Vec<u8>>,
    most: usize,
}

struct Direction {
    link: Mutex<Link<Vec<u8>>>,
    changed: Condvar,
}

impl Relay {
    /// A relay in front of `host`, with this weather on the way there and on the way back.
    /// The same seed loses the same datagrams.
    pub fn new(host: SocketAddr, there: Weather, back: Weather, seed: u64) -> Result<Self> {
        let front = bind(host)?;
        let address = front.local_addr()?;
        let paths = Arc::new(Paths {
            started: Instant::now(),
            ended: AtomicBool::new(false),
            host,
            front,
            back: Mutex::new(Arc::new(bind(host)?)),
            client: Mutex::new(None),
            to_host: Direction::new(there, seed),
            to_client: Direction::new(back, !seed),
            recorded: Mutex::default(),
        });
        let mut relay = Self { paths, threads: Vec::new(), address };
        let work: [fn(&Paths); 4] =
            [Paths::hear_client, Paths::hear_host, Paths::deliver_to_host, Paths::deliver_to_client];
        for work in work {
            let paths = Arc::clone(&relay.paths);
            let thread = std::thread::Builder::new().name("relay".into()).spawn(move || work(&paths))?;
            relay.threads.push(thread);
        }
        Ok(relay)
    }

    /// What the client takes for the host.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the weather of both directions from now on.
    pub fn set_weather(&self, there: Weather, back: Weather) {
        lock(&self.paths.to_host.link).set_weather(there);
        lock(&self.paths.to_client.link).set_weather(back);
    }

    /// From now on the host sees the client at another port, and what it sends to the one
    /// before is lost, as when a phone changes from one network to another.
    pub fn roam(&self) -> Result<SocketAddr> {
        let socket = bind(self.paths.host)?;
        let address = socket.local_addr()?;
        *lock(&self.paths.back) = Arc::new(socket);
        Ok(address)
    }

    /// Keeps the next `most` datagrams of the client.
    pub fn record(&self, most: usize) {
        lock(&self.paths.recorded).most = most;
    }

    /// What was recorded so far.
    pub fn recorded(&self) -> Vec<Vec<u8>> {
        lock(&self.paths.recorded).datagrams.clone()
    }

    /// What became of the datagrams of the client and of those of the host.
    pub fn counters(&self) -> (Counters, Counters) {
        (lock(&self.paths.to_host.link).counters(), lock(&self.paths.to_client.link).counters())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.paths.ended.store(true, Ordering::Relaxed);
        for direction in [&self.paths.to_host, &self.paths.to_client] {
            direction.changed.notify_all();
        }
        for thread in self.threads.drain(..) {
            // A panic was printed by the thread itself.
            let _ = thread.join();
        }
    }
}

impl Paths {
    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    fn now(&self) -> Time {
        Time(u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn hear_client(&self) {
        let mut buffer = vec![0; LARGEST];
        while !self.has_ended() {
            // Errors are time-outs, and what the network says of datagrams sent before.
            let Ok((len, from)) = self.front.recv_from(&mut buffer) else { continue };
            *lock(&self.client) = Some(from);
            let datagram = buffer.get(..len).unwrap_or_default();
            let mut recorded = lock(&self.recorded);
            if recorded.datagrams.len() < recorded.most {
                recorded.datagrams.push(datagram.to_vec());
            }
            drop(recorded);
            self.put(&self.to_host, datagram);
        }
    }

    fn hear_host(&self) {
        let mut buffer = vec![0; LARGEST];
        while !self.has_ended() {
            let socket = Arc::clone(&lock(&self.back));
            let Ok((len, from)) = socket.recv_from(&mut buffer) else { continue };
            // What came to the place before the last one is lost with it.
            if from == self.host && Arc::ptr_eq(&socket, &lock(&self.back)) {
                self.put(&self.to_client, buffer.get(..len).unwrap_or_default());
            }
        }
    }

    fn put(&self, direction: &Direction, datagram: &[u8]) {
        // What the weather takes is counted by it.
        let _ = lock(&direction.link).put(self.now(), datagram.len(), datagram.to_vec());
        direction.changed.notify_all();
    }

    fn deliver_to_host(&self) {
        while let Some(datagram) = self.next(&self.to_host) {
            let socket = Arc::clone(&lock(&self.back));
            // To a host that is being started again, as on any network.
            let _ = socket.send_to(&datagram, self.host);
        }
    }

    fn deliver_to_client(&self) {
        while let Some(datagram) = self.next(&self.to_client) {
            let client = *lock(&self.client);
            let _ = client.map(|client| self.front.send_to(&datagram, client));
        }
    }

    /// The next datagram of a direction once it is due; none when the relay has ended.
    fn next(&self, direction: &Direction) -> Option<Vec<u8>> {
        let mut link = lock(&direction.link);
        while !self.has_ended() {
            let now = self.now();
            if let Some(datagram) = link.take(now) {
                return Some(datagram);
            }
            let wait = link.next_arrival().map_or(LOOK, |at| at - now).min(LOOK);
            let waited = direction.changed.wait_timeout(link, wait);
            link = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        None
    }
}

impl Direction {
    fn new(weather: Weather, seed: u64) -> Self {
        Self { link: Mutex::new(Link::new(weather, seed)), changed: Condvar::new() }
    }
}

/// A socket of ours on the loopback that reaches `host`.
fn bind(host: SocketAddr) -> Result<UdpSocket> {
    let ip = if host.is_ipv4() { IpAddr::from(Ipv4Addr::LOCALHOST) } else { Ipv6Addr::LOCALHOST.into() };
    let socket = UdpSocket::bind((ip, 0)).context("no port for the relay")?;
    socket.set_read_timeout(Some(LOOK))?;
    // Only root may have more than the system's most.
    if set_socket_recv_buffer_size_force(&socket, BUFFER).is_err() {
        set_socket_recv_buffer_size(&socket, BUFFER)?;
    }
    Ok(socket)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn socket() -> UdpSocket {
        let socket = bind(SocketAddr::from(([127, 0, 0, 1], 1))).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        socket
    }

    fn number(socket: &UdpSocket) -> (u32, SocketAddr) {
        let mut bytes = [0; 100];
        let (len, from) = socket.recv_from(&mut bytes).unwrap();
        assert_eq!(len, 100);
        (u32::from_be_bytes(bytes[..4].try_into().unwrap()), from)
    }

    fn datagram(number: u32) -> [u8; 100] {
        let mut bytes = [0; 100];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        bytes
    }

    /// Sends one datagram after the other; which of them arrive. Each is awaited before the
    /// next, so that no buffer matters and nothing is a matter of time.
    fn arrivals(weather: Weather, seed: u64, count: u32) -> (Vec<u32>, Counters) {
        let (host, client) = (socket(), socket());
        let relay = Relay::new(host.local_addr().unwrap(), weather, Weather::FAIR, seed).unwrap();
        let mut arrived = Vec::new();
        for at in 0..count {
            client.send_to(&datagram(at), relay.address()).unwrap();
            let counters = loop {
                let counters = relay.counters().0;
                if counters.sent == u64::from(at) + 1 {
                    break counters;
                }
                std::thread::yield_now();
            };
            while arrived.len() as u64 + counters.lost < counters.sent {
                arrived.push(number(&host).0);
            }
        }
        (arrived, relay.counters().0)
    }

    #[test]
    fn losses_have_their_share_and_length_and_repeat_with_the_seed() {
        let lossy = Weather { delay: Duration::ZERO, ..Weather::lossy(0.2, 4.0) };
        let (arrived, counters) = arrivals(lossy, 7, 2000);
        assert_eq!((counters.sent, counters.bytes), (2000, 200_000));
        assert_eq!(arrived.len() as u64 + counters.lost, 2000);
        assert!((260..540).contains(&counters.lost), "{counters:?}");
        let gaps = arrived.windows(2).filter(|pair| pair[1] - pair[0] > 1).count() as u64;
        assert!((3..=5).contains(&(counters.lost / gaps)), "{} in {gaps} runs", counters.lost);
        assert_eq!(arrivals(lossy, 7, 2000).0, arrived);
        assert_ne!(arrivals(lossy, 8, 2000).0, arrived);
    }

    #[test]
    fn nothing_comes_before_its_time_and_both_ways_are_open() {
        let (host, client) = (socket(), socket());
        let slow = Weather { delay: Duration::from_millis(40), ..Weather::FAIR };
        let relay = Relay::new(host.local_addr().unwrap(), slow, Weather::FAIR, 1).unwrap();
        let sent = Instant::now();
        client.send_to(&datagram(1), relay.address()).unwrap();
        let (first, from) = number(&host);
        assert!(first == 1 && sent.elapsed() >= Duration::from_millis(40), "{:?}", sent.elapsed());
        assert_ne!(from, client.local_addr().unwrap());
        host.send_to(&datagram(2), from).unwrap();
        assert_eq!(number(&client), (2, relay.address()));
        // Somebody else cannot speak for the host.
        client.send_to(&datagram(3), from).unwrap();
        host.send_to(&datagram(4), from).unwrap();
        assert_eq!(number(&client).0, 4);
    }

    #[test]
    fn who_roams_is_seen_elsewhere_and_heard_there_only() {
        let (host, client) = (socket(), socket());
        let relay = Relay::new(host.local_addr().unwrap(), Weather::FAIR, Weather::FAIR, 1).unwrap();
        client.send_to(&datagram(1), relay.address()).unwrap();
        let before = number(&host).1;
        let after = relay.roam().unwrap();
        client.send_to(&datagram(2), relay.address()).unwrap();
        assert_eq!(number(&host), (2, after));
        assert_ne!(before, after);
        host.send_to(&datagram(3), before).unwrap();
        host.send_to(&datagram(4), after).unwrap();
        assert_eq!(number(&client).0, 4);
    }

    #[test]
    fn twice_and_out_of_order() {
        let (host, client) = (socket(), socket());
        let wild = Weather { duplicates: 1.0, jitter: Duration::from_millis(20), ..Weather::FAIR };
        let relay = Relay::new(host.local_addr().unwrap(), wild, Weather::FAIR, 3).unwrap();
        for at in 0..100 {
            client.send_to(&datagram(at), relay.address()).unwrap();
        }
        let mut arrived: Vec<u32> = (0..200).map(|_| number(&host).0).collect();
        assert!(arrived.windows(2).any(|pair| pair[1] < pair[0]), "in order: {arrived:?}");
        arrived.sort_unstable();
        arrived.dedup();
        assert_eq!(arrived.len(), 100);
        assert_eq!(relay.counters().0.doubled, 100);
    }
}
