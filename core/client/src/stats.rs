//! Every figure of a session, in one place for whoever shows or logs them.

use std::time::Duration;

use punktfunk_core::native::client;

/// Figures of a session. Those of the media plane begin anew with each connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Of the media plane: frames, repairs, round trip, the clocks.
    pub media: client::Stats,
    /// Round trip as QUIC sees it.
    pub round_trip: Option<Duration>,
    /// QUIC packets that were lost.
    pub quic_lost: u64,
    /// How often the session came back.
    pub comebacks: u64,
    /// QUIC datagrams that were none of ours.
    pub bad_datagrams: u64,
    /// Datagrams of no plane.
    pub stray: u64,
    /// Frames dropped because nobody took them: the limiter is the caller.
    pub frames_dropped: u64,
    /// Other events dropped for the same reason.
    pub events_dropped: u64,
}
