//! What can go wrong for a client, each with what to do about it.

use std::io;
use std::path::PathBuf;

use punktfunk_core::native::wire::{self, Code};
use punktfunk_quic::{ConnectError, IdentityError};

/// A client's errors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of the identity.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The identity itself.
    #[error("the identity of this client: {0}")]
    Identity(#[from] IdentityError),
    /// No identity could be made.
    #[error("no identity could be made: {0}")]
    Make(String),
    /// Sockets, threads or TLS on this machine.
    #[error("cannot start: {0}")]
    Start(String),
    /// Looking for hosts failed.
    #[error("cannot look for hosts: {0}")]
    Discovery(String),
    /// The host could not be connected to.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The host said no.
    #[error("{}: {}", .code, if .text.is_empty() { advice(*.code) } else { .text })]
    Refused {
        /// Why (section 8 of the protocol).
        code: Code,
        /// The host's own words; empty when it had none.
        text: String,
    },
    /// The host said what it may not say.
    #[error("the host does not keep to the protocol: {0}")]
    Protocol(String),
    /// The connection ended before the host answered.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The host took longer than the protocol allows.
    #[error("the host did not answer in time")]
    TimedOut,
    /// The host could not prove that it knows the PIN or the secret: it is another one,
    /// or somebody stands between.
    #[error("the host did not prove that it knows the PIN; do not trust it, and try again nearby")]
    NotProven,
    /// The text is not that of a QR code for pairing, or the PIN not one of six digits.
    #[error("{0}")]
    Input(String),
    /// What was asked for is outside the protocol's bounds.
    #[error("{0} is out of range")]
    Range(&'static str),
    /// The session has ended.
    #[error("the session has ended")]
    Ended,
}

impl From<wire::Error> for Error {
    fn from(error: wire::Error) -> Self {
        Self::Protocol(error.to_string())
    }
}

impl Error {
    /// The host's code, when it was the host that said no.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether another host answered than the one that was wanted.
    pub fn is_other_host(&self) -> bool {
        matches!(self, Self::Connect(ConnectError::OtherIdentity))
    }

    /// Whether trying again may help: nothing that the host decided was in the way.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Connect(_) => !self.is_other_host(),
            Self::Lost(_) | Self::TimedOut => true,
            Self::Refused { code, .. } => matches!(code, Code::Busy | Code::HostStopping | Code::Timeout),
            _ => false,
        }
    }
}

/// What a user can do about a refusal for which the host had no words.
pub fn advice(code: Code) -> &'static str {
    match code {
        Code::None => "the host ended the session",
        Code::BadMessage => "the host did not understand this client; bring both up to date",
        Code::Version => "host and client have no version in common; bring both up to date",
        Code::NotPaired => "this client is not paired with the host; pair it",
        Code::PairingClosed => "the host is not open for pairing; open it on the host and try again",
        Code::WrongPin => "the PIN is wrong; look at the host and type it again",
        Code::TooManyTries => "too many attempts; wait a minute and open the host for pairing again",
        Code::Busy => "the host has no room for another session; end one there",
        Code::NoSuchApp => "the host has no such application; list them again",
        Code::NoSuchSession => "the session is over; start a new one",
        Code::Unsupported => "the host can do nothing of what was asked for; ask for another codec or mode",
        Code::Failed => "the host failed; its log says why",
        Code::Revoked => "the owner of the host took this client's access away",
        Code::Replaced => "the session was taken over by another connection",
        Code::AppEnded => "the application ended",
        Code::HostStopping => "the host is being stopped",
        Code::Timeout => "a step took too long; try again",
        Code::NotAllowed => "the owner of the host does not allow this to the client",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_says_what_to_do() {
        let mut seen = std::collections::HashSet::new();
        for code in Code::ALL {
            assert!(seen.insert(advice(code)), "{code}");
            let shown = Error::Refused { code, text: String::new() }.to_string();
            assert_eq!(shown, format!("{code}: {}", advice(code)));
            let own = Error::Refused { code, text: "come tomorrow".to_owned() };
            assert_eq!((own.to_string(), own.code()), (format!("{code}: come tomorrow"), Some(code)));
        }
    }
}
