//! Virtual time for tests: a seeded network and two peers on it.
//!
//! Nothing here waits and nothing here is random twice: a test names a seed and a
//! [`Weather`], the [`Rig`] carries datagrams between two [`Peer`]s and moves its
//! clock from one event to the next. Ten minutes of a bad connection take a moment,
//! and a failure can be played again.
//!
//! [`gamestream`] holds the two peers of a GameStream session without its handshake:
//! video, sound and control as `core` speaks them.
#![forbid(unsafe_code)]

mod attack;
pub mod gamestream;
mod link;
pub mod native;
mod rig;
mod rng;
mod trace;
mod weather;

pub use attack::{Attacked, Mutation};
pub use link::{Counters, Link};
pub use rig::{Datagram, Peer, Rig};
pub use rng::Rng;
pub use trace::Trace;
pub use weather::{GilbertElliott, Weather};
