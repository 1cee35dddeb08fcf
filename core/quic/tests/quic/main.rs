//! Host and client of this crate on 127.0.0.1, and what the tests of it share.

mod certificates;
mod endpoint;
mod flood;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use punktfunk_net::bind_udp_to;
use punktfunk_quic::{Accepted, Connection, Endpoint, Identity, MediaSink, Peer};

/// Longer than anything may take on a busy machine; nothing waits so long when it works.
pub const LONG: Duration = Duration::from_secs(60);

/// A new identity.
pub fn identity() -> Identity {
    let key = rcgen::KeyPair::generate().expect("key");
    let params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    let certificate = params.self_signed(&key).expect("certificate");
    Identity::from_der(certificate.der(), &key.serialize_der()).expect("identity")
}

/// A socket on a free port of 127.0.0.1.
pub fn socket() -> std::net::UdpSocket {
    bind_udp_to("127.0.0.1:0".parse().expect("address"), false).expect("socket")
}

/// What came to a sink.
pub type Mail = Receiver<(Vec<u8>, Peer)>;

/// A sink that passes on what it gets, and the other end of it.
pub fn mailbox() -> (Arc<dyn MediaSink>, Mail) {
    let (sender, receiver) = channel();
    // Nobody listens any more: the test is over.
    let sink = move |bytes: &mut [u8], peer: Peer| drop(sender.send((bytes.to_vec(), peer)));
    (Arc::new(sink), receiver)
}

/// A sink that takes nothing.
pub fn deaf() -> Arc<dyn MediaSink> {
    Arc::new(|_: &mut [u8], _: Peer| {})
}

/// Connects and does both sides of the handshake.
pub async fn meet(host: &Endpoint, client: &Endpoint, expected: [u8; 32]) -> (Accepted, Connection) {
    let server = async { host.accept().await.expect("a client").handshake().await.expect("handshake") };
    let (accepted, connected) = tokio::join!(server, client.connect(host.local_addr(), Some(expected)));
    (accepted, connected.expect("connected"))
}
