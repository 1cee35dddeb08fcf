//! The sender thread: order, the full queue, destinations learnt late, errors,
//! and an end that leaves nothing running.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use punktfunk_net::{
    Batch, Datagrams, Destination, Error, Loopback, PacedSender, Received, RecvBatch, Route, SenderConfig,
    Sent, Submit, Transport, UdpOptions, UdpTransport, bind_udp_to,
};

const HANG: Option<Duration> = Some(Duration::from_secs(20));
const MBIT: u64 = 1_000_000;

fn route() -> Route {
    Route::to("192.0.2.9:9".parse().expect("address"))
}

/// Reports each send and waits until it is let go, with success or an error.
struct Gate {
    entered: Mutex<Sender<Vec<u8>>>,
    release: Mutex<Receiver<Option<i32>>>,
}

impl Transport for Gate {
    fn send(&self, datagrams: Datagrams<'_>, _route: Route) -> Result<Sent, Error> {
        self.entered.lock().expect("lock").send(datagrams.bytes().to_vec()).expect("test listens");
        let sent = Sent { datagrams: datagrams.len(), syscalls: 1 };
        match self.release.lock().expect("lock").recv().expect("test answers") {
            None => Ok(sent),
            Some(errno) => Err(Error::Send {
                sent: Sent { datagrams: 0, syscalls: 1 },
                source: io::Error::from_raw_os_error(errno),
            }),
        }
    }

    fn receive(&self, into: &mut RecvBatch, _timeout: Option<Duration>) -> Result<Received, Error> {
        into.clear();
        Ok(Received::TimedOut)
    }

    fn wake(&self) {}
}

fn gate() -> (Arc<Gate>, Receiver<Vec<u8>>, Sender<Option<i32>>) {
    let ((entered, sees), (lets, release)) = (channel(), channel());
    (Arc::new(Gate { entered: Mutex::new(entered), release: Mutex::new(release) }), sees, lets)
}

fn batch(mark: u8) -> Batch {
    Batch::new(vec![mark; 100], 50)
}

#[test]
fn the_newest_batch_is_dropped_when_the_queue_is_full() {
    let (transport, sees, lets) = gate();
    let sender = PacedSender::spawn(transport, route().into(), SenderConfig::new(20 * MBIT)).expect("spawn");
    assert_eq!(sender.submit(batch(1)), Submit::Queued);
    assert_eq!(sees.recv().expect("send"), [1; 100]);
    // The thread is held inside the first send now.
    assert_eq!(sender.submit(batch(2)), Submit::Queued);
    assert_eq!(sender.submit(batch(3)), Submit::Queued);
    assert_eq!(sender.submit(batch(4)), Submit::Dropped(batch(4)));
    lets.send(None).expect("gate");
    assert_eq!(sees.recv().expect("send"), [2; 100]);
    assert_eq!(sender.submit(batch(5)), Submit::Queued);
    for mark in [3, 5] {
        lets.send(None).expect("gate");
        assert_eq!(sees.recv().expect("send"), [mark; 100]);
    }
    lets.send(None).expect("gate");
    let stats = sender.close();
    assert_eq!((stats.packets, stats.bytes, stats.syscalls), (8, 400, 4));
    assert_eq!((stats.dropped, stats.errors, stats.unrouted), (1, 0, 0));
    assert_eq!(stats.queue_wait.count, 4);
}

#[test]
fn an_error_costs_the_batch_and_not_the_thread() {
    let (transport, sees, lets) = gate();
    let sender = PacedSender::spawn(transport, route().into(), SenderConfig::new(20 * MBIT)).expect("spawn");
    for (mark, answer) in [(1, Some(libc::ENETUNREACH)), (2, None)] {
        assert_eq!(sender.submit(batch(mark)), Submit::Queued);
        assert_eq!(sees.recv().expect("send"), [mark; 100]);
        lets.send(answer).expect("gate");
    }
    let stats = sender.close();
    assert_eq!((stats.errors, stats.packets, stats.syscalls), (1, 2, 2));
}

#[test]
fn closing_discards_what_waits_and_joins_the_thread() {
    let (transport, sees, lets) = gate();
    let held = Arc::downgrade(&transport);
    let sender = PacedSender::spawn(transport, route().into(), SenderConfig::new(20 * MBIT)).expect("spawn");
    assert_eq!(sender.submit(batch(1)), Submit::Queued);
    sees.recv().expect("send");
    assert_eq!(sender.submit(batch(2)), Submit::Queued);
    let closing = std::thread::spawn(move || sender.close());
    // Whether the end is asked for before or after this, at most both are sent.
    lets.send(None).expect("gate");
    // Nobody is left to be let go when the thread has ended by now.
    let _ = lets.send(None);
    let stats = closing.join().expect("closed");
    assert!((2..=4).contains(&stats.packets));
    assert!(held.upgrade().is_none(), "the thread still holds the transport");
}

#[test]
fn batches_before_the_address_is_known_are_counted_and_later_ones_arrive() {
    let (a, b): (SocketAddr, SocketAddr) =
        ("192.0.2.1:1".parse().expect("address"), "192.0.2.2:2".parse().expect("address"));
    let (host, client) = Loopback::pair(a, b, None);
    let destination = Destination::new();
    let sender =
        PacedSender::spawn(Arc::new(host), destination.clone(), SenderConfig::new(20 * MBIT)).expect("spawn");
    // The thread has taken a batch when a buffer of its comes back; until then the
    // queue may be full, so that submitting is tried again.
    let mut early = 0;
    while sender.stats().unrouted == 0 {
        if sender.submit(batch(1)) == Submit::Queued {
            early += 1;
        }
        std::thread::yield_now();
    }
    while sender.stats().unrouted < early {
        std::thread::yield_now();
    }
    destination.set(Some(Route::to(b)));
    assert_eq!(sender.submit(batch(2)), Submit::Queued);
    let mut got = RecvBatch::default();
    assert_eq!(client.receive(&mut got, HANG).expect("receive"), Received::Datagrams(2));
    assert!(got.iter().all(|(bytes, from, _)| bytes == [2; 50] && from == a));
    let stats = sender.close();
    assert_eq!((stats.unrouted, stats.packets), (early, 2));
}

#[test]
fn large_frames_are_paced_through_a_shared_socket_and_buffers_come_back() {
    let open = || {
        let socket = bind_udp_to("127.0.0.1:0".parse().expect("address"), false).expect("bind");
        Arc::new(UdpTransport::new(socket, &UdpOptions::default()).expect("transport"))
    };
    let (host, client) = (open(), open());
    let to = Destination::from(Route::to(client.local_addr()));
    let senders: Vec<PacedSender> = (0..2)
        .map(|_| PacedSender::spawn(host.clone(), to.clone(), SenderConfig::new(50 * MBIT)).expect("spawn"))
        .collect();
    let mut got = RecvBatch::new(64);
    for round in 0..5_u8 {
        for (index, sender) in senders.iter().enumerate() {
            sender.set_bitrate(50 * MBIT + u64::from(round));
            let mut bytes = sender.buffer();
            bytes.resize(50 * 1000, index as u8);
            assert_eq!(sender.submit(Batch::new(bytes, 1000)), Submit::Queued);
        }
        let mut counts = [0, 0];
        while counts != [50, 50] {
            assert!(matches!(client.receive(&mut got, HANG).expect("receive"), Received::Datagrams(_)));
            got.iter().for_each(|(bytes, _, _)| counts[usize::from(bytes[0])] += 1);
        }
    }
    for sender in senders {
        let stats = sender.close();
        assert_eq!((stats.packets, stats.bytes, stats.dropped), (250, 250_000, 0));
        assert!(stats.syscalls < 150, "{stats:?}");
    }
}
