//! What can go wrong, apart from what the two sides say to each other.

use std::io;
use std::net::SocketAddr;

/// A certificate or key that is no identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Not one X.509 certificate in DER, or longer than 8 KiB.
    #[error("this is not a certificate")]
    Certificate,
    /// Not a private key in PKCS#8.
    #[error("this is not a private key (PKCS#8)")]
    Key,
    /// Two halves of different identities.
    #[error("the private key does not belong to the certificate")]
    Mismatch,
}

/// The endpoint could not be made or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The socket.
    #[error(transparent)]
    Net(#[from] punktfunk_net::Error),
    /// The identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// TLS does not take the identity.
    #[error("TLS refuses the identity: {0}")]
    Tls(#[from] rustls::Error),
    /// quinn or the receiving thread could not be started.
    #[error("cannot start QUIC: {0}")]
    Start(#[source] io::Error),
    /// The connection has no such secret, because it is not established.
    #[error("the connection cannot export keys")]
    Export,
}

/// A client's handshake that came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// It took longer than 5 s.
    #[error("the handshake took too long")]
    TimedOut,
    /// TLS or QUIC failed, or the peer went away.
    #[error("the handshake failed: {0}")]
    Failed(#[from] quinn::ConnectionError),
    /// The peer has no identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// A host could not be connected to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nothing answered in time.
    #[error("{0} does not answer: check the address, that the host runs, and UDP in its firewall")]
    Unreachable(SocketAddr),
    /// The host proved another identity than the one expected.
    #[error("the host has another identity than the one paired with; pair again if that is meant")]
    OtherIdentity,
    /// The host has too many connections.
    #[error("the host takes no more connections just now")]
    Refused,
    /// TLS does not take our own identity.
    #[error("TLS refuses the identity: {0}")]
    Tls(#[source] rustls::Error),
    /// No such address on this socket.
    #[error("{0} cannot be connected to from here")]
    Address(SocketAddr),
    /// TLS or QUIC failed.
    #[error("the connection failed: {0}")]
    Failed(quinn::ConnectionError),
}
