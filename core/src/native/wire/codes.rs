//! Why something was refused or a connection ended (page, section 8): the application
//! error of QUIC and the field `code` of Refused and Goodbye.

use std::fmt;

/// Why something was refused or a connection ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Code {
    /// It ended because somebody wanted it to.
    #[default]
    None = 0,
    /// A message broke the rules.
    BadMessage = 1,
    /// No version in common.
    Version = 2,
    /// The host does not know this client.
    NotPaired = 3,
    /// The owner has not opened a window for pairing.
    PairingClosed = 4,
    /// The PIN or the secret is not the right one.
    WrongPin = 5,
    /// Too many attempts; later.
    TooManyTries = 6,
    /// No room for another session.
    Busy = 7,
    /// No application has this number.
    NoSuchApp = 8,
    /// No session has this id, or it is another client's.
    NoSuchSession = 9,
    /// Nothing that both sides can do.
    Unsupported = 10,
    /// It did not work. Also what an unknown code is read as.
    Failed = 11,
    /// The owner took the client's access away.
    Revoked = 12,
    /// The session was resumed elsewhere.
    Replaced = 13,
    /// The application ended.
    AppEnded = 14,
    /// The host is being stopped.
    HostStopping = 15,
    /// A step took too long.
    Timeout = 16,
    /// The owner does not allow this to the client.
    NotAllowed = 17,
}

impl Code {
    /// Every code, in the order of its number.
    pub const ALL: [Self; 18] = [
        Self::None,
        Self::BadMessage,
        Self::Version,
        Self::NotPaired,
        Self::PairingClosed,
        Self::WrongPin,
        Self::TooManyTries,
        Self::Busy,
        Self::NoSuchApp,
        Self::NoSuchSession,
        Self::Unsupported,
        Self::Failed,
        Self::Revoked,
        Self::Replaced,
        Self::AppEnded,
        Self::HostStopping,
        Self::Timeout,
        Self::NotAllowed,
    ];

    /// Its number on the wire.
    pub const fn number(self) -> u64 {
        self as u64
    }

    /// The code with this number; one that a later version added is [`Code::Failed`].
    pub fn from_number(number: u64) -> Self {
        Self::ALL.into_iter().find(|code| code.number() == number).unwrap_or(Self::Failed)
    }

    /// Its name on the page.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::BadMessage => "BAD_MESSAGE",
            Self::Version => "VERSION",
            Self::NotPaired => "NOT_PAIRED",
            Self::PairingClosed => "PAIRING_CLOSED",
            Self::WrongPin => "WRONG_PIN",
            Self::TooManyTries => "TOO_MANY_TRIES",
            Self::Busy => "BUSY",
            Self::NoSuchApp => "NO_SUCH_APP",
            Self::NoSuchSession => "NO_SUCH_SESSION",
            Self::Unsupported => "UNSUPPORTED",
            Self::Failed => "FAILED",
            Self::Revoked => "REVOKED",
            Self::Replaced => "REPLACED",
            Self::AppEnded => "APP_ENDED",
            Self::HostStopping => "HOST_STOPPING",
            Self::Timeout => "TIMEOUT",
            Self::NotAllowed => "NOT_ALLOWED",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_the_place_in_the_list_and_others_are_a_failure() {
        for (at, code) in (0..).zip(Code::ALL) {
            assert_eq!(code.number(), at);
            assert_eq!(Code::from_number(at), code);
        }
        assert_eq!(Code::from_number(18), Code::Failed);
        assert_eq!(Code::from_number(u64::MAX), Code::Failed);
    }
}
