//! Pairing: a PIN typed by the owner turns an unknown certificate into a trusted
//! one, in five phases (sheet, section 3).
//!
//! [`Host`] holds the attempts of a host, [`Client`] is the other end. Requests are
//! read once, into [`Request`], and the machines see only whole, sized values.

mod client;
mod exercise;
mod host;

use crate::bytes::from_hex;
use crate::crypto::{self, Certificate, CertificateError, CryptoError, SigningKey};
use crate::gamestream::http::Query;
use crate::gamestream::xml;

pub use client::{Client, ClientError, Next};
pub use exercise::exercise;
pub use host::{
    AttemptId, Host, MAX_ATTEMPTS, PIN_TIMEOUT, PairedClient, PendingAttempt, Random, Reply, STEP_TIMEOUT,
};

/// Bytes of an RSA signature that are taken: 2048 to 8192 bits.
const SIGNATURE_LEN: std::ops::RangeInclusive<usize> = 256..=1024;
/// Longest name and id that are kept of a client, characters.
const MAX_NAME: usize = 64;

/// The four digits a client shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pin([u8; 4]);

impl Pin {
    /// Reads exactly four ASCII digits.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let digits = <[u8; 4]>::try_from(text.as_bytes()).map_err(|_| Error::NotAPin)?;
        if digits.iter().all(u8::is_ascii_digit) { Ok(Self(digits)) } else { Err(Error::NotAPin) }
    }

    /// The PIN a client shows for four random bytes.
    pub fn from_random(bytes: [u8; 4]) -> Self {
        let mut number = u32::from_le_bytes(bytes) % 10_000;
        let mut digits = [b'0'; 4];
        for digit in digits.iter_mut().rev() {
            *digit += (number % 10) as u8;
            number /= 10;
        }
        Self(digits)
    }

    /// The AES key both ends derive: the first half of SHA-256(salt ‖ digits).
    pub fn key(self, salt: &[u8; 16]) -> [u8; 16] {
        let mut key = [0; 16];
        key.copy_from_slice(&crypto::sha256(&[salt, &self.0])[..16]);
        key
    }
}

impl std::fmt::Display for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|&digit| write!(f, "{}", char::from(digit)))
    }
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pin(..)")
    }
}

/// Who one end is: a certificate and its private key.
#[derive(Debug)]
pub struct Identity {
    pem: String,
    certificate: Certificate,
    key: SigningKey,
}

impl Identity {
    /// Takes a PEM certificate and its PKCS#8 DER key, which must belong together.
    pub fn new(pem: &str, pkcs8: &[u8]) -> Result<Self, IdentityError> {
        let certificate = Certificate::from_pem(pem.as_bytes())?;
        let key = SigningKey::from_pkcs8(pkcs8).map_err(|CryptoError| IdentityError::Key)?;
        let proof = key.sign(pem.as_bytes()).map_err(|CryptoError| IdentityError::Key)?;
        certificate.verify(pem.as_bytes(), &proof).map_err(|CryptoError| IdentityError::Mismatch)?;
        Ok(Self { pem: pem.to_owned(), certificate, key })
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The certificate as the text that is exchanged.
    pub fn pem(&self) -> &str {
        &self.pem
    }
}

/// An identity could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The certificate cannot be read.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The key is not an RSA key of at least 2048 bits in PKCS#8.
    #[error("the private key is not a usable RSA key in PKCS#8 form")]
    Key,
    /// Certificate and key are not a pair.
    #[error("the private key does not belong to the certificate")]
    Mismatch,
}

/// Pairing failed. Nothing is kept of the attempt unless the text says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument is missing, has a wrong length or is not hexadecimal.
    #[error("the pairing argument {0} is missing or damaged")]
    Argument(&'static str),
    /// The request names no step of pairing, or more than one.
    #[error("the request is no step of pairing")]
    NoStep,
    /// The client certificate cannot be read.
    #[error("the client certificate is not usable: {0}")]
    Certificate(#[from] CertificateError),
    /// A step came although it was not its turn.
    #[error("this step of pairing was not expected: start again")]
    OutOfOrder,
    /// A client with that id pairs from that address already; that attempt goes on.
    #[error("another pairing from this address is under way: finish it or wait, then try again")]
    Busy,
    /// Too many attempts at once; those go on.
    #[error("too many devices are pairing: wait a few minutes, then try again")]
    TooMany,
    /// No attempt of that number waits for a PIN.
    #[error("no device waits for a PIN under this number")]
    UnknownAttempt,
    /// Not four digits. The attempt goes on.
    #[error("a PIN is exactly four digits")]
    NotAPin,
    /// A secret or a signature was wrong: a wrong PIN, or somebody in between.
    #[error("the PIN was wrong or the connection was tampered with: start again")]
    Refused,
    /// The owner or a time-out ended the attempt.
    #[error("no PIN was entered in time: start again")]
    TimedOut,
    /// Encryption or signing failed.
    #[error("pairing failed inside the host")]
    Crypto,
}

impl From<CryptoError> for Error {
    fn from(_: CryptoError) -> Self {
        Self::Crypto
    }
}

impl Error {
    /// The document that answers the request that failed. Wrong secrets are a plain
    /// `paired` 0, which clients show as a wrong PIN; the rest carries a message.
    pub fn answer(&self) -> String {
        if *self == Self::Refused {
            let mut writer = xml::Writer::new();
            writer.element("paired", 0);
            return writer.finish();
        }
        let code = match self {
            Self::Busy | Self::TooMany => 503,
            Self::Crypto => 500,
            _ => 400,
        };
        let message = self.to_string();
        let mut writer =
            xml::Writer::with_root(&[("status_code", &code.to_string()), ("status_message", &message)]);
        writer.element("paired", 0);
        writer.finish()
    }
}

/// One step of pairing, read from the arguments of a `/pair` request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `uniqueid`: often the same for every client, so never an identity.
    pub unique_id: String,
    /// What the client asks for.
    pub step: Step,
}

/// What a pairing request carries.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Phase 1.
    Start {
        /// `devicename`, for the owner to see; `roth` with stock clients.
        device_name: String,
        /// Mixed into the key.
        salt: [u8; 16],
        /// The certificate that asks to be trusted.
        certificate: Box<Certificate>,
    },
    /// Phase 2: the client's challenge, encrypted.
    Challenge([u8; 16]),
    /// Phase 3: the hash that commits the client to its secret, encrypted.
    Response([u8; 32]),
    /// Phase 4: the client's secret and its signature over it.
    Secret {
        /// `Sc`.
        secret: [u8; 16],
        /// RSA PKCS#1 v1.5 SHA-256 over `secret`.
        signature: Vec<u8>,
    },
    /// Phase 5, over HTTPS: see [`challenge_answer`].
    Confirm,
}

impl Request {
    /// Reads what follows the `?` of a `/pair` request.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        Self::parse(&Query::parse(text).map_err(|_| Error::NoStep)?)
    }

    /// Reads the arguments of `/pair`.
    pub fn parse(query: &Query) -> Result<Self, Error> {
        let unique_id = query.value("uniqueid").ok_or(Error::Argument("uniqueid"))?;
        if unique_id.is_empty() || unique_id.chars().count() > MAX_NAME {
            return Err(Error::Argument("uniqueid"));
        }
        Ok(Self { unique_id: unique_id.to_owned(), step: Step::parse(query)? })
    }
}

impl Step {
    fn parse(query: &Query) -> Result<Self, Error> {
        let names = ["phrase", "clientchallenge", "serverchallengeresp", "clientpairingsecret"];
        let mut given = names.into_iter().filter(|name| query.value(name).is_some());
        let (Some(name), None) = (given.next(), given.next()) else {
            return Err(Error::NoStep);
        };
        match (name, query.value(name)) {
            ("phrase", Some("getservercert")) => Self::parse_start(query),
            ("phrase", Some("pairchallenge")) => Ok(Self::Confirm),
            ("clientchallenge", _) => Ok(Self::Challenge(hex_argument(query, "clientchallenge")?)),
            ("serverchallengeresp", _) => Ok(Self::Response(hex_argument(query, "serverchallengeresp")?)),
            ("clientpairingsecret", Some(text)) => {
                let bytes = from_hex(text).ok_or(Error::Argument("clientpairingsecret"))?;
                let (secret, signature) =
                    bytes.split_first_chunk::<16>().ok_or(Error::Argument("clientpairingsecret"))?;
                if !SIGNATURE_LEN.contains(&signature.len()) {
                    return Err(Error::Argument("clientpairingsecret"));
                }
                Ok(Self::Secret { secret: *secret, signature: signature.to_vec() })
            }
            _ => Err(Error::NoStep),
        }
    }

    fn parse_start(query: &Query) -> Result<Self, Error> {
        let pem = query.value("clientcert").and_then(from_hex).ok_or(Error::Argument("clientcert"))?;
        let visible = |c: &char| !c.is_control();
        let name = query.value("devicename").unwrap_or("unnamed");
        Ok(Self::Start {
            device_name: name.chars().filter(visible).take(MAX_NAME).collect(),
            salt: hex_argument(query, "salt")?,
            certificate: Box::new(Certificate::from_pem(&pem)?),
        })
    }
}

fn hex_argument<const N: usize>(query: &Query, name: &'static str) -> Result<[u8; N], Error> {
    let bytes = query.value(name).and_then(from_hex).ok_or(Error::Argument(name))?;
    <[u8; N]>::try_from(bytes).map_err(|_| Error::Argument(name))
}

/// The answer to phase 5. Give it to a client that came over HTTPS with a paired
/// certificate, and to nobody else.
pub fn challenge_answer() -> String {
    paired_answer(&[])
}

fn paired_answer(elements: &[(&'static str, &str)]) -> String {
    let mut writer = xml::Writer::new();
    writer.element("paired", 1);
    for (name, value) in elements {
        writer.element(name, value);
    }
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::to_hex;

    #[test]
    fn the_key_is_that_of_the_sheet() {
        let salt = std::array::from_fn(|n| n as u8);
        let key = Pin::parse("1234").unwrap().key(&salt);
        assert_eq!(to_hex(&key).to_uppercase(), "BAD0B4F7CAE08EB7C1B5ACC763A8ED25");
    }

    #[test]
    fn a_pin_is_four_digits() {
        for bad in ["", "123", "12345", "12a4", "١٢٣٤", "12 4"] {
            assert_eq!(Pin::parse(bad), Err(Error::NotAPin), "{bad}");
        }
        assert_eq!(Pin::from_random([7, 0, 0, 0]).to_string(), "0007");
        assert_eq!(Pin::parse("0042").unwrap().to_string(), "0042");
    }
}
