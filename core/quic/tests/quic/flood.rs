//! Ten thousand handshakes that nobody means to finish: what the host keeps of them is
//! bounded, and a client that plays does not notice.

use std::net::{IpAddr, Ipv4Addr};

use crate::{deaf, identity, meet, socket};
use punktfunk_net::{Datagrams, Route, UdpOptions, UdpTransport, bind_udp_to};
use punktfunk_quic::{Accepted, Endpoint, Stats};
use rustls::Side;
use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::quic::{Keys, Version};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const HANDSHAKES: u32 = 10_000;

/// A first packet that says nothing: it opens a connection and leaves it waiting for the
/// rest of a handshake (RFC 9000, section 17.2.2).
fn initial(number: u32) -> Vec<u8> {
    let id = [&[0xC0, 0xFF, 0xEE, 0x00][..], &number.to_be_bytes()].concat();
    let suite = TLS13_AES_128_GCM_SHA256.tls13().expect("TLS 1.3");
    let keys = Keys::initial(Version::V1, suite, suite.quic.expect("QUIC"), &id, Side::Client);
    // Long header, a packet number of one byte, version 1, both ids, no token.
    let mut packet = vec![0xC0, 0, 0, 0, 1, 8];
    packet.extend(&id);
    packet.push(8);
    packet.extend(&id);
    packet.push(0);
    let payload = 1200 - packet.len() - 3;
    packet.extend((0x4000_u16 | (payload + 1) as u16).to_be_bytes());
    packet.push(0);
    let header = packet.len();
    // PING, and padding.
    let mut sealed = vec![0; payload - keys.local.packet.tag_len()];
    sealed[0] = 1;
    let tag = keys.local.packet.encrypt_in_place(0, &packet, &mut sealed).expect("sealed");
    packet.extend(&sealed);
    packet.extend(tag.as_ref());
    let (head, tail) = packet.split_at_mut(header);
    let (first, rest) = head.split_first_mut().expect("header");
    let at = rest.len() - 1;
    // The sample lies four bytes behind where the packet number begins.
    keys.local.header.encrypt_in_place(&tail[3..19], first, &mut rest[at..]).expect("protected");
    packet
}

/// Takes everybody in as a host does, and keeps those who finish.
fn serve(host: Endpoint) -> UnboundedReceiver<Accepted> {
    let (sender, receiver) = unbounded_channel();
    tokio::spawn(async move {
        while let Some(arrival) = host.accept().await {
            let sender = sender.clone();
            tokio::spawn(async move {
                if let Ok(accepted) = arrival.handshake().await {
                    let _ = sender.send(accepted);
                }
            });
        }
    });
    receiver
}

fn within(stats: Stats) {
    assert!(stats.half_open <= 64, "{stats:?}");
    assert!(stats.connections <= 512, "{stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_half_open_handshakes_are_bounded_and_disturb_nobody() {
    let hosts = identity();
    let host = Endpoint::host(socket(), &hosts, deaf()).expect("host");
    let client = Endpoint::client(socket(), &identity(), deaf()).expect("client");
    let (playing, connection) = meet(&host, &client, hosts.hash()).await;
    // It is a paired one.
    drop(playing.ticket);
    let mut newcomers = serve(host.clone());

    // From 127.0.0.0/8 every address is one of ours.
    let any = bind_udp_to("0.0.0.0:0".parse().expect("address"), false).expect("socket");
    let flood = UdpTransport::new(any, &UdpOptions::default()).expect("transport");
    for number in 0..HANDSHAKES {
        let [_, _, high, low] = number.to_be_bytes();
        let from = Some(IpAddr::V4(Ipv4Addr::new(127, 1, high, low)));
        let route = Route { to: host.local_addr(), from, dscp: None };
        punktfunk_net::Transport::send(&flood, Datagrams::one(&initial(number)), route).expect("sent");
        if number % 500 == 499 {
            within(host.stats());
            // One that plays is heard in the middle of it.
            connection.send_datagram(number.to_be_bytes().to_vec().into()).expect("datagram");
            let heard = playing.connection.read_datagram().await.expect("datagram");
            assert_eq!(heard[..], number.to_be_bytes());
        }
    }
    let stats = host.stats();
    within(stats);
    assert!(stats.retried > 0, "strangers had to prove their address: {stats:?}");
    assert!(stats.half_open > 0, "the packets were taken for handshakes: {stats:?}");

    // And a new one gets in: it proves its address, and its own place is free.
    let late = Endpoint::client(socket(), &identity(), deaf()).expect("client");
    let joined = late.connect(host.local_addr(), Some(hosts.hash())).await;
    assert!(joined.is_ok(), "{:?}, {:?}", joined.err(), host.stats());
    assert!(newcomers.recv().await.is_some());
}

#[tokio::test]
async fn one_address_has_eight_places() {
    let hosts = identity();
    let host = Endpoint::host(socket(), &hosts, deaf()).expect("host");
    let mut newcomers = serve(host.clone());
    let (mut inside, mut tickets) = (Vec::new(), Vec::new());
    for place in 0..9 {
        let client = Endpoint::client(socket(), &identity(), deaf()).expect("client");
        let connected = client.connect(host.local_addr(), Some(hosts.hash())).await;
        if place < 8 {
            tickets.push(newcomers.recv().await.expect("accepted").ticket);
            inside.push((connected.expect("connected"), client));
        } else {
            assert!(matches!(connected, Err(punktfunk_quic::ConnectError::Refused)), "{connected:?}");
        }
    }
    assert_eq!((host.stats().half_open, host.stats().refused), (8, 1));
    // One of them turns out to be paired: there is room for another.
    tickets.pop();
    let client = Endpoint::client(socket(), &identity(), deaf()).expect("client");
    client.connect(host.local_addr(), Some(hosts.hash())).await.expect("connected");
}
