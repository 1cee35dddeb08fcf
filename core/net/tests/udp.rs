//! Real sockets on this machine: what leaves by each way of sending arrives
//! whole and in order, and a refused GSO is replaced by itself.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::time::Duration;

use punktfunk_net::{
    Batch, Datagrams, Error, Received, RecvBatch, Route, SendPath, Transport, UdpOptions, UdpTransport,
    bind_udp, bind_udp_to,
};

const SIZE: usize = 1392;
/// Only a hang makes a test wait this long.
const HANG: Option<Duration> = Some(Duration::from_secs(20));

fn open(ip: &str, options: &UdpOptions) -> UdpTransport {
    let ip: IpAddr = ip.parse().expect("address");
    UdpTransport::new(bind_udp_to(SocketAddr::new(ip, 0), false).expect("bind"), options).expect("transport")
}

/// Loopback addresses that this machine has.
fn addresses() -> Vec<&'static str> {
    let v6 = bind_udp_to("[::1]:0".parse().expect("address"), false).is_ok();
    if v6 { vec!["127.0.0.1", "::1"] } else { vec!["127.0.0.1"] }
}

/// 100 packets with their number in front, the last one short.
fn frame() -> Batch {
    let mut bytes = Vec::new();
    for number in 0..100_u32 {
        let start = bytes.len();
        bytes.extend_from_slice(&number.to_be_bytes());
        bytes.resize(start + SIZE, number as u8);
    }
    bytes.truncate(bytes.len() - 392);
    Batch::new(bytes, SIZE)
}

/// Takes `bytes` bytes off the socket.
fn take(receiver: &UdpTransport, batch: &mut RecvBatch, bytes: usize) -> Vec<Vec<u8>> {
    let (mut got, mut total) = (Vec::new(), 0);
    while total < bytes {
        let received = receiver.receive(batch, HANG).expect("receive");
        assert!(matches!(received, Received::Datagrams(n) if n == batch.iter().count()), "{received:?}");
        for (datagram, _, local) in batch.iter() {
            assert_eq!(local, Some(receiver.local_addr().ip()));
            total += datagram.len();
            got.push(datagram.to_vec());
        }
    }
    got
}

fn expect_whole(sender: &UdpTransport, receiver: &UdpTransport, batch: &mut RecvBatch) -> u32 {
    let frame = frame();
    let sent = sender.send(frame.datagrams(), Route::to(receiver.local_addr())).expect("send");
    assert_eq!(sent.datagrams, 100);
    let got = take(receiver, batch, frame.bytes.len());
    assert!(frame.datagrams().iter().eq(got.iter().map(Vec::as_slice)), "lost, cut or out of order");
    sent.syscalls
}

#[test]
fn a_batch_arrives_whole_and_in_order_by_every_path() {
    for ip in addresses() {
        for (path, syscalls) in [(SendPath::Gso, 3), (SendPath::Many, 2), (SendPath::One, 100)] {
            let receiver = open(ip, &UdpOptions::default());
            let sender = open(ip, &UdpOptions { path, ..UdpOptions::default() });
            let took = expect_whole(&sender, &receiver, &mut RecvBatch::new(64));
            // A kernel without GSO falls back: then the count is another.
            if sender.path() == path {
                assert_eq!(took, syscalls, "{ip} {path:?}");
            }
        }
    }
}

#[test]
fn coalesced_datagrams_are_told_apart_again() {
    for ip in addresses() {
        let options = UdpOptions { gro: true, ..UdpOptions::default() };
        let receiver = open(ip, &options);
        let sender = open(ip, &options);
        expect_whole(&sender, &receiver, &mut RecvBatch::coalesced(4));
    }
}

#[test]
fn what_must_not_wait_is_sent_at_once_and_never_in_fragments() {
    for ip in addresses() {
        let options = UdpOptions { whole: true, ..UdpOptions::default() };
        let (sender, receiver) = (open(ip, &options), open(ip, &options));
        let frame = frame();
        let sent = sender.try_send(frame.datagrams(), Route::to(receiver.local_addr())).expect("sent");
        assert_eq!(sent, 100);
        let got = take(&receiver, &mut RecvBatch::new(64), frame.bytes.len());
        assert!(frame.datagrams().iter().eq(got.iter().map(Vec::as_slice)));
        let (level, option, probe) = if sender.is_ipv6() {
            (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_PROBE)
        } else {
            (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE)
        };
        let (mut value, mut size) = (-1_i32, 4_u32);
        // SAFETY: both pointers are to live integers of the sizes announced.
        let read = unsafe {
            libc::getsockopt(
                sender.as_fd().as_raw_fd(),
                level,
                option,
                (&raw mut value).cast(),
                &raw mut size,
            )
        };
        assert_eq!((read, value), (0, probe));
    }
}

#[test]
fn a_refused_gso_is_given_up_for_good_and_nothing_is_lost() {
    for ip in addresses() {
        let receiver = open(ip, &UdpOptions::default());
        let sender = open(ip, &UdpOptions::default());
        // Without checksums the kernel refuses to segment, and only that.
        let (on, size) = (1_i32, 4);
        // SAFETY: the option value is a live integer of the size announced.
        let set = unsafe {
            libc::setsockopt(
                sender.as_fd().as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_NO_CHECK,
                (&raw const on).cast(),
                size,
            )
        };
        assert_eq!(set, 0);
        if ip == "::1" {
            // IPv6 demands checksums unless both ends waive them.
            for (transport, option) in [(&sender, 101), (&receiver, 102)] {
                // SAFETY: as above; UDP_NO_CHECK6_TX is 101, UDP_NO_CHECK6_RX 102.
                let set = unsafe {
                    let fd = transport.as_fd().as_raw_fd();
                    libc::setsockopt(fd, libc::SOL_UDP, option, (&raw const on).cast(), size)
                };
                assert_eq!(set, 0);
            }
        }
        let mut batch = RecvBatch::new(64);
        // One or two refused calls, then sendmmsg.
        assert!(expect_whole(&sender, &receiver, &mut batch) <= 4);
        assert_eq!(sender.path(), SendPath::Many, "{ip}");
        assert_eq!(expect_whole(&sender, &receiver, &mut batch), 2);
    }
}

#[test]
fn gso_can_be_switched_off_and_does_not_come_back() {
    let sender = open("127.0.0.1", &UdpOptions::default());
    sender.disable_gso();
    sender.disable_gso();
    assert_eq!(sender.path(), SendPath::Many);
    let single = open("127.0.0.1", &UdpOptions { path: SendPath::One, ..UdpOptions::default() });
    single.disable_gso();
    assert_eq!(single.path(), SendPath::One);
}

#[test]
fn an_error_of_the_destination_is_not_blamed_on_gso() {
    let sender = open("127.0.0.1", &UdpOptions::default());
    let route = Route {
        from: Some("192.0.2.1".parse().expect("ip")),
        ..Route::to("127.0.0.1:9".parse().expect("address"))
    };
    let error = sender.send(frame().datagrams(), route).expect_err("not our address");
    assert!(matches!(error, Error::Send { sent, .. } if sent.datagrams == 0), "{error}");
    assert_eq!(sender.path(), SendPath::Gso);
    let v6 = Route::to("[2001:db8::1]:9".parse().expect("address"));
    assert!(matches!(sender.send(Datagrams::one(b"x"), v6), Err(Error::Family(_))));
}

#[test]
fn a_reply_leaves_from_the_address_the_peer_used() {
    let server =
        UdpTransport::new(bind_udp(0, false).expect("bind"), &UdpOptions::default()).expect("transport");
    let port = server.local_addr().port();
    // 127.0.0.2 belongs to every Linux machine and is not what the kernel would choose.
    let mut peers = vec![("127.0.0.1", "127.0.0.2")];
    if server.local_addr().is_ipv6() && addresses().contains(&"::1") {
        peers.push(("::1", "::1"));
    }
    for (client, reached) in peers {
        let client = open(client, &UdpOptions::default());
        let reached: IpAddr = reached.parse().expect("address");
        client.send(Datagrams::one(b"PING"), Route::to(SocketAddr::new(reached, port))).expect("send");
        let mut batch = RecvBatch::default();
        assert_eq!(server.receive(&mut batch, HANG).expect("receive"), Received::Datagrams(1));
        let (datagram, from, local) = batch.iter().next().expect("datagram");
        assert_eq!((datagram, from, local), (b"PING".as_slice(), client.local_addr(), Some(reached)));
        let frame = frame();
        let marked = Route { to: from, from: local, dscp: Some(40) };
        server.send(frame.datagrams(), marked).expect("send");
        let mut answer = RecvBatch::new(64);
        assert!(matches!(client.receive(&mut answer, HANG).expect("receive"), Received::Datagrams(_)));
        assert!(answer.iter().all(|(_, from, _)| from == SocketAddr::new(reached, port)));
    }
}

#[test]
fn too_long_and_empty_datagrams() {
    let receiver = open("127.0.0.1", &UdpOptions::default());
    let sender = std::net::UdpSocket::bind("127.0.0.1:0").expect("bind");
    for datagram in [b"first".as_slice(), &[0; 5000], b"", b"last"] {
        sender.send_to(datagram, receiver.local_addr()).expect("send");
    }
    let mut batch = RecvBatch::default();
    let mut got: Vec<Vec<u8>> = Vec::new();
    while got.len() < 3 {
        assert!(matches!(receiver.receive(&mut batch, HANG).expect("receive"), Received::Datagrams(_)));
        got.extend(batch.iter().map(|(datagram, _, _)| datagram.to_vec()));
    }
    assert_eq!(got, [b"first".to_vec(), Vec::new(), b"last".to_vec()]);
    assert_eq!(batch.oversized(), 1);
}

#[test]
fn wake_ends_a_receive_that_waits() {
    let transport = Arc::new(open("127.0.0.1", &UdpOptions::default()));
    let other = transport.clone();
    let waiting =
        std::thread::spawn(move || other.receive(&mut RecvBatch::default(), None).expect("receive"));
    transport.wake();
    assert_eq!(waiting.join().expect("thread"), Received::Woken);
    let mut batch = RecvBatch::default();
    assert_eq!(transport.receive(&mut batch, Some(Duration::ZERO)).expect("receive"), Received::TimedOut);
}

#[test]
fn a_taken_port_says_which() {
    let first = bind_udp(0, true).expect("bind");
    let port = first.local_addr().expect("address").port();
    let error = bind_udp(port, false).expect_err("taken");
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}

#[test]
fn marking_and_large_buffers_are_wishes() {
    let options =
        UdpOptions { dscp: Some(34), send_buffer: 1 << 30, receive_buffer: 1 << 30, ..UdpOptions::default() };
    for ip in addresses() {
        let receiver = open(ip, &options);
        expect_whole(&open(ip, &options), &receiver, &mut RecvBatch::new(64));
    }
}
