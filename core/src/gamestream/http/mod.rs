//! The HTTP plane ("nvhttp"): verbs, queries, and the documents that answer them
//! (sheet, sections 2 and 4).
//!
//! Every answer is sent with HTTP status 200 and content type `application/xml`;
//! errors travel inside the document ([`error`], [`unauthorized`]).

mod apps;
mod exercise;
mod launch;
mod query;
mod serverinfo;

pub use apps::{App, applist, parse_applist};
pub use exercise::{exercise, exercise_answer};
pub use launch::{
    LaunchArgs, LaunchArgsError, Mode, SessionUrl, Surround, cancel_answer, launch_answer, parse_cancel,
    parse_launch,
};
pub use query::{MAX_TARGET, Query, QueryError, request_target};
pub use serverinfo::{DisplayMode, HostFacts, MAX_LUMA_HEVC, ServerInfo, codec_mode};

use super::xml;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// `/serverinfo`
    ServerInfo,
    /// `/pair`: phases 1–4 over HTTP, phase 5 over HTTPS.
    Pair,
    /// `/unpair`
    Unpair,
    /// `/applist`
    AppList,
    /// `/appasset`
    AppAsset,
    /// `/launch`
    Launch,
    /// `/resume`
    Resume,
    /// `/cancel`
    Cancel,
}

/// Which of the two ports a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Port {
    /// Plain HTTP: anybody.
    Http,
    /// TLS with a client certificate, which may be one that is not paired.
    Https,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 8] = [
        Self::ServerInfo,
        Self::Pair,
        Self::Unpair,
        Self::AppList,
        Self::AppAsset,
        Self::Launch,
        Self::Resume,
        Self::Cancel,
    ];

    /// The verb of a path such as `/serverinfo`.
    pub fn from_path(path: &str) -> Option<Self> {
        let name = path.strip_prefix('/')?;
        Self::ALL.into_iter().find(|verb| verb.name() == name)
    }

    /// The path without its slash.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ServerInfo => "serverinfo",
            Self::Pair => "pair",
            Self::Unpair => "unpair",
            Self::AppList => "applist",
            Self::AppAsset => "appasset",
            Self::Launch => "launch",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
        }
    }

    /// True when the verb may be used on that port (sheet, section 2.2).
    pub const fn allowed(self, port: Port) -> bool {
        match self {
            Self::ServerInfo | Self::Pair => true,
            Self::Unpair => matches!(port, Port::Http),
            Self::AppList | Self::AppAsset | Self::Launch | Self::Resume | Self::Cancel => {
                matches!(port, Port::Https)
            }
        }
    }
}

/// A document that says what went wrong; `message` is shown to the user.
pub fn error(code: i32, message: &str) -> String {
    xml::Writer::error(code, message)
}

/// The answer to a certificate that is not paired, on HTTPS: 401 makes the client
/// ask again over HTTP; every other code would be an error (sheet, section 2.1).
pub fn unauthorized(verb: Verb) -> String {
    xml::Writer::with_root(&[
        ("status_code", "401"),
        ("query", &format!("/{}", verb.name())),
        ("status_message", "This client is not paired with the host. Pair it first"),
    ])
    .finish()
}

/// The answer to `/unpair`: always good, the client ignores its content.
pub fn unpair_answer() -> String {
    xml::Writer::new().finish()
}
