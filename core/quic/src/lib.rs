//! QUIC on the port that media uses: one socket, one receiving thread that tells the
//! planes apart by the first byte, and the identities of both sides.
#![forbid(unsafe_code)]
