//! Host and client on one real socket each: all planes at once.

use crate::{LONG, deaf, identity, mailbox, meet, socket};
use punktfunk_net::{Datagrams, Route, bind_udp_to};
use punktfunk_quic::{ConnectError, ConnectionError, Endpoint, export, peer_address, peer_identity};

#[tokio::test]
async fn both_sides_know_each_other_and_share_secrets() {
    let (hosts, clients) = (identity(), identity());
    let host = Endpoint::host(socket(), &hosts, deaf()).expect("host");
    let client = Endpoint::client(socket(), &clients, deaf()).expect("client");
    let (accepted, connection) = meet(&host, &client, hosts.hash()).await;
    assert_eq!(accepted.identity, clients.hash());
    assert_eq!(peer_identity(&connection).expect("identity"), hosts.hash());
    assert_eq!((accepted.from, peer_address(&connection)), (client.local_addr(), host.local_addr()));
    let secrets = |label: &str, context: &[u8]| {
        let ours = export(&connection, label, context).expect("secret");
        (ours, export(&accepted.connection, label, context).expect("secret"))
    };
    let media = secrets("EXPORTER-punktfunk-1 media", b"session1");
    assert_eq!(media.0, media.1);
    assert_ne!(media.0, secrets("EXPORTER-punktfunk-1 media", b"session2").0);
    assert_ne!(media.0, secrets("EXPORTER-punktfunk-1 pairing", b"session1").0);

    let (mut send, mut receive) = connection.open_bi().await.expect("stream");
    send.write_all(b"hello").await.expect("written");
    let (mut back, mut there) = accepted.connection.accept_bi().await.expect("stream");
    let mut five = [0; 5];
    there.read_exact(&mut five).await.expect("read");
    back.write_all(&five).await.expect("written");
    receive.read_exact(&mut five).await.expect("read");
    assert_eq!(&five, b"hello");
    accepted.connection.send_datagram(vec![0x44; 900].into()).expect("datagram");
    assert_eq!(connection.read_datagram().await.expect("datagram").len(), 900);

    host.close(15, "bye");
    match connection.closed().await {
        ConnectionError::ApplicationClosed(close) => {
            assert_eq!((u64::from(close.error_code), &close.reason[..]), (15, &b"bye"[..]));
        }
        other => panic!("{other}"),
    }
    assert!(host.accept().await.is_none());
}

#[tokio::test]
async fn media_goes_to_the_sink_and_never_to_quic() {
    let hosts = identity();
    let (sink, inbox) = mailbox();
    let host = Endpoint::host(socket(), &hosts, sink).expect("host");
    let (own_sink, own_inbox) = mailbox();
    let client = Endpoint::client(socket(), &identity(), own_sink).expect("client");
    let (accepted, _connection) = meet(&host, &client, hosts.hash()).await;

    let report = [0x82_u8; 40];
    client.send_media(Datagrams::one(&report), Route::to(host.local_addr())).expect("sent");
    let (bytes, peer) = inbox.recv_timeout(LONG).expect("arrived");
    assert_eq!((bytes.as_slice(), peer.from), (&report[..], client.local_addr()));
    assert_eq!(peer.local, Some(host.local_addr().ip()), "answers leave from the right address");
    assert_eq!(accepted.local, peer.local);

    // More than one segment, the last one short: as a frame comes.
    let shards: Vec<u8> =
        (0..40 * 1200 + 17).map(|at| if at % 1200 == 0 { 0x80 } else { at as u8 }).collect();
    host.send_media(Datagrams::new(&shards, 1200), peer.route()).expect("sent");
    let mut got = Vec::new();
    while got.len() < shards.len() {
        let (bytes, peer) = own_inbox.recv_timeout(LONG).expect("arrived");
        assert_eq!(bytes.first(), Some(&0x80));
        assert_eq!(peer.from, host.local_addr());
        got.extend(bytes);
    }
    assert!(got == shards);

    // Of no plane: counted, and nothing else. The media behind it shows that it was seen.
    client.send_media(Datagrams::one(&[0x00; 30]), Route::to(host.local_addr())).expect("sent");
    client.send_media(Datagrams::one(&report), Route::to(host.local_addr())).expect("sent");
    inbox.recv_timeout(LONG).expect("arrived");
    assert_eq!(host.stats().stray, 1);
}

#[tokio::test]
async fn a_host_of_another_identity_is_refused_before_it_learns_who_came() {
    let host = Endpoint::host(socket(), &identity(), deaf()).expect("host");
    let client = Endpoint::client(socket(), &identity(), deaf()).expect("client");
    let server = async { host.accept().await.expect("a client").handshake().await };
    let (accepted, connected) = tokio::join!(server, client.connect(host.local_addr(), Some([7; 32])));
    assert!(matches!(connected, Err(ConnectError::OtherIdentity)), "{connected:?}");
    assert!(accepted.is_err());
    assert_eq!(host.stats().half_open, 0);
}

#[tokio::test]
async fn a_connection_survives_a_new_socket() {
    let hosts = identity();
    let host = Endpoint::host(socket(), &hosts, deaf()).expect("host");
    let (sink, inbox) = mailbox();
    let client = Endpoint::client(socket(), &identity(), sink).expect("client");
    let (accepted, connection) = meet(&host, &client, hosts.hash()).await;
    let before = client.local_addr();
    client.rebind(socket()).expect("rebound");
    assert_ne!(before, client.local_addr());
    connection.send_datagram(vec![1].into()).expect("datagram");
    assert_eq!(accepted.connection.read_datagram().await.expect("datagram")[..], [1]);
    assert_eq!(peer_address(&accepted.connection), client.local_addr());
    host.send_media(Datagrams::one(&[0x80; 50]), Route::to(client.local_addr())).expect("sent");
    assert_eq!(inbox.recv_timeout(LONG).expect("arrived").0, [0x80; 50]);
}

#[test]
fn a_restarted_host_says_at_once_that_it_forgot() {
    let hosts = identity();
    let life = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let (killed, living) = (life().expect("runtime"), life().expect("runtime"));
    let first = killed.block_on(async { Endpoint::host(socket(), &hosts, deaf()).expect("host") });
    let address = first.local_addr();
    let client = living.block_on(async { Endpoint::client(socket(), &identity(), deaf()).expect("client") });
    let arrived = killed.spawn({
        let first = first.clone();
        async move { first.accept().await.expect("a client").handshake().await.expect("handshake") }
    });
    let connection = living.block_on(client.connect(address, Some(hosts.hash()))).expect("connected");
    let accepted = living.block_on(arrived).expect("accepted");
    // With its runtime nothing of the first host can say goodbye any more.
    drop(killed);
    drop((accepted, first));
    living.block_on(async {
        let socket = bind_udp_to(address, false).expect("the address is free again");
        let second = Endpoint::host(socket, &hosts, deaf()).expect("host");
        connection.send_datagram(vec![0].into()).expect("datagram");
        assert_eq!(connection.closed().await, ConnectionError::Reset);
        meet(&second, &client, hosts.hash()).await;
    });
}

#[tokio::test]
async fn both_families_share_a_port() {
    let Ok(dual) = bind_udp_to("[::]:0".parse().expect("address"), false) else {
        // A machine without IPv6 has nothing to share.
        return;
    };
    let hosts = identity();
    let host = Endpoint::host(dual, &hosts, deaf()).expect("host");
    let port = host.local_addr().port();
    for (ours, theirs) in [("127.0.0.1:0", "127.0.0.1"), ("[::]:0", "127.0.0.1"), ("[::1]:0", "::1")] {
        let socket = bind_udp_to(ours.parse().expect("address"), false).expect("socket");
        let client = Endpoint::client(socket, &identity(), deaf()).expect("client");
        let to = std::net::SocketAddr::new(theirs.parse().expect("address"), port);
        let server = async { host.accept().await.expect("a client").handshake().await.expect("handshake") };
        let (accepted, connected) = tokio::join!(server, client.connect(to, Some(hosts.hash())));
        assert_eq!(peer_address(&connected.expect("connected")), to, "{ours} to {theirs}");
        assert_eq!((accepted.from.ip(), accepted.local), (to.ip(), Some(to.ip())));
    }
}
