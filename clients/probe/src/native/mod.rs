//! The same client for punktfunk/1: a shell around `punktfunk-client` that decodes,
//! measures and keeps score. [`Home`] is who this client is and which hosts it knows,
//! [`Player`] one stream from Hello to goodbye.
//!
//! The program's commands and `latency-probe` are made of it, and the scenarios of
//! `ci/e2e` for punktfunk/1 play with it. Decoding, the Test card's numbers, pictures as
//! files and the measuring of sound are those of the GameStream half.

mod drive;
mod hands;
mod home;
mod options;
mod player;
mod report;
mod stats;
mod values;

pub use hands::LEFT_BUTTON;
pub use home::{Home, Host, locate};
pub use options::Options;
pub use player::{Player, refusal};
pub use punktfunk_client::messages::{Apps, Reconfigure, Welcome};
pub use punktfunk_client::{Access, Client, Code, Codec, Family, Mode, PORT, SessionId, input};
pub use report::{Latency, Report, Spread};
pub use stats::{End, Heard, Limiter, Stats, Timing, Word};
pub use values::{parse_codec, parse_mode};
