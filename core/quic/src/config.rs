//! quinn's settings on both sides (section 10 of the protocol).

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    ClientConfig, ConnectionId, ConnectionIdGenerator, EndpointConfig, IdleTimeout, MtuDiscoveryConfig,
    ServerConfig, TransportConfig, VarInt,
};

use crate::gate::MOST_HALF_OPEN;
use crate::identity::Identity;
use crate::tls::{self, Expected};

/// Most bytes of one QUIC datagram that we take: what an Ethernet frame carries.
pub(crate) const MOST_PAYLOAD: usize = 1472;
/// The largest QUIC datagram that is tried: 1500 bytes less IPv6 and UDP.
const MOST_MTU: u16 = 1452;
const IDLE_MS: u32 = 10_000;
const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// A first round trip on a local network, generously: a lost first packet is sent again
/// after three of these.
const FIRST_ROUND_TRIP: Duration = Duration::from_millis(100);
/// A control message has 64 KiB at most; a few of them may be on their way.
const WINDOW: u32 = 256 << 10;
/// QUIC datagrams that wait: sound of a few hundred milliseconds. The oldest give way.
const DATAGRAM_BUFFER: usize = 64 << 10;
/// What arrives for a connection that nobody accepted yet, each and all together.
const EARLY_BYTES: u64 = 16 << 10;
const EARLY_BYTES_ALL: u64 = 512 << 10;

/// Settings of an endpoint. The key for stateless resets comes from the identity: a host
/// that was restarted can tell the clients of its former life at once that it forgot
/// them, instead of leaving them to their idle time-out.
pub(crate) fn endpoint(identity: &Identity) -> EndpointConfig {
    let key = hmac::Key::new(hmac::HMAC_SHA256, identity.key_pkcs8());
    let derived = hmac::sign(&key, b"punktfunk/1 stateless reset");
    let mut config = EndpointConfig::new(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())));
    // The first byte tells the planes apart only while this bit means QUIC.
    config.grease_quic_bit(false);
    config.supported_versions(vec![1]);
    config.cid_generator(|| Box::new(RandomIds));
    config
}

/// Settings of the host for connections that arrive.
pub(crate) fn server(identity: &Identity) -> Result<ServerConfig, rustls::Error> {
    let crypto = QuicServerConfig::try_from(tls::server(identity)?).map_err(no_suite)?;
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config
        .transport_config(Arc::new(transport()))
        .migration(true)
        .max_incoming(MOST_HALF_OPEN)
        .incoming_buffer_size(EARLY_BYTES)
        .incoming_buffer_size_total(EARLY_BYTES_ALL);
    Ok(config)
}

/// Settings of a client for one connection.
pub(crate) fn client(
    identity: &Identity,
    expected: Option<Arc<Expected>>,
) -> Result<ClientConfig, rustls::Error> {
    let crypto = QuicClientConfig::try_from(tls::client(identity, expected)?).map_err(no_suite)?;
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport()));
    Ok(config)
}

fn no_suite(error: quinn::crypto::rustls::NoInitialCipherSuite) -> rustls::Error {
    rustls::Error::General(error.to_string())
}

fn transport() -> TransportConfig {
    let mut discovery = MtuDiscoveryConfig::default();
    discovery.upper_bound(MOST_MTU);
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_MS))))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .initial_rtt(FIRST_ROUND_TRIP)
        .stream_receive_window(VarInt::from_u32(WINDOW))
        .receive_window(VarInt::from_u32(WINDOW))
        .send_window(u64::from(WINDOW))
        .crypto_buffer_size(32 << 10)
        .mtu_discovery_config(Some(discovery))
        .datagram_receive_buffer_size(Some(DATAGRAM_BUFFER))
        .datagram_send_buffer_size(DATAGRAM_BUFFER)
        .enable_segmentation_offload(false)
        .allow_spin(false);
    config
}

/// Random connection ids. They carry nothing, so that the id of a connection of a former
/// life is as good as any and is answered by a reset.
struct RandomIds;

impl RandomIds {
    const LEN: usize = 8;
}

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; Self::LEN];
        // The generator of aws-lc ends the process rather than give no randomness;
        // an id that is not random is told apart from those in use by the endpoint.
        let _ = aws_lc_rs::rand::fill(&mut id);
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        Self::LEN
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}
