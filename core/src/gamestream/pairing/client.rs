//! The client's side of pairing, as strict as the strictest stock client: it checks
//! the host's signature and the hash of phase 2 before it shows its own secret.

use super::{Identity, Pin};
use crate::bytes::{from_hex, to_hex};
use crate::crypto::{Certificate, CertificateError, CryptoError, constant_time_eq};
use crate::crypto::{ecb_decrypt, ecb_encrypt, sha256};
use crate::gamestream::http::{Verb, request_target};
use crate::gamestream::xml::{self, Document};

/// Pairing failed on the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The host's answer cannot be used, or is a refusal.
    #[error(transparent)]
    Answer(#[from] xml::Error),
    /// The host's certificate cannot be read.
    #[error("the host certificate is not usable: {0}")]
    Certificate(#[from] CertificateError),
    /// The host answered `paired` 0.
    #[error("the host refused the pairing: check the PIN and try again")]
    Refused,
    /// The host's signature does not fit its certificate.
    #[error("the host could not prove its certificate: somebody may be in between")]
    NotTheHost,
    /// The hash of phase 2 does not fit: the PINs differ.
    #[error("the PIN entered on the host is wrong")]
    WrongPin,
    /// An answer was given to a client that waits for none.
    #[error("pairing is over: start again")]
    Over,
    /// Encryption or signing failed.
    #[error("pairing failed inside the client")]
    Crypto,
}

impl From<CryptoError> for ClientError {
    fn from(_: CryptoError) -> Self {
        Self::Crypto
    }
}

/// What the client sends next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A GET of this target over plain HTTP; give the answer to
    /// [`Client::answer`].
    Http(String),
    /// A GET of this target over HTTPS, showing the client certificate.
    Https(String),
    /// Paired: pin this certificate of the host.
    Done(Box<Certificate>),
}

enum State {
    Certificate,
    Challenge { host: Box<Certificate> },
    Secret { host: Box<Certificate>, hash: [u8; 32] },
    Accepted { host: Box<Certificate> },
    Confirmed { host: Box<Certificate> },
    Over,
}

/// One pairing attempt of a client.
pub struct Client<'a> {
    identity: &'a Identity,
    unique_id: String,
    key: [u8; 16],
    salt: [u8; 16],
    challenge: [u8; 16],
    secret: [u8; 16],
    state: State,
}

impl std::fmt::Debug for Client<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("unique_id", &self.unique_id).finish_non_exhaustive()
    }
}

impl<'a> Client<'a> {
    /// An attempt with the PIN that is shown to the user.
    pub fn new(identity: &'a Identity, unique_id: &str, pin: Pin, random: &mut dyn FnMut(&mut [u8])) -> Self {
        let [mut salt, mut challenge, mut secret] = [[0; 16]; 3];
        random(&mut salt);
        random(&mut challenge);
        random(&mut secret);
        let key = pin.key(&salt);
        let state = State::Certificate;
        Self { identity, unique_id: unique_id.to_owned(), key, salt, challenge, secret, state }
    }

    /// The first request: answered when the PIN was entered on the host.
    pub fn start(&self) -> String {
        let certificate = to_hex(self.identity.pem.as_bytes());
        let salt = to_hex(&self.salt);
        self.target(&[("phrase", "getservercert"), ("salt", &salt), ("clientcert", &certificate)])
    }

    /// Takes the answer to the request sent last and says what to do next. After an
    /// error the attempt is over; tell the host with [`Self::unpair`].
    pub fn answer(&mut self, text: &str) -> Result<Next, ClientError> {
        let state = std::mem::replace(&mut self.state, State::Over);
        let document = Document::parse_ok(text)?;
        if document.required("paired")?.trim() != "1" {
            return Err(ClientError::Refused);
        }
        match state {
            State::Certificate => self.on_certificate(&document),
            State::Challenge { host } => self.on_challenge(&document, host),
            State::Secret { host, hash } => self.on_secret(&document, host, &hash),
            State::Accepted { host } => {
                self.state = State::Confirmed { host };
                Ok(Next::Https(self.target(&[("phrase", "pairchallenge")])))
            }
            State::Confirmed { host } => Ok(Next::Done(host)),
            State::Over => Err(ClientError::Over),
        }
    }

    fn on_certificate(&mut self, document: &Document) -> Result<Next, ClientError> {
        let host = Box::new(Certificate::from_pem(&bytes(document, "plaincert")?)?);
        let mut challenge = self.challenge;
        ecb_encrypt(&self.key, &mut challenge)?;
        self.state = State::Challenge { host };
        Ok(Next::Http(self.target(&[("clientchallenge", &to_hex(&challenge))])))
    }

    fn on_challenge(&mut self, document: &Document, host: Box<Certificate>) -> Result<Next, ClientError> {
        let mut answer = <[u8; 48]>::try_from(bytes(document, "challengeresponse")?)
            .map_err(|_| xml::Error::Missing("challengeresponse"))?;
        ecb_decrypt(&self.key, &mut answer)?;
        let (hash, challenge) = answer.split_at(32);
        let mut response = sha256(&[challenge, self.identity.certificate.signature(), &self.secret]);
        ecb_encrypt(&self.key, &mut response)?;
        let hash = <[u8; 32]>::try_from(hash).map_err(|_| ClientError::Crypto)?;
        self.state = State::Secret { host, hash };
        Ok(Next::Http(self.target(&[("serverchallengeresp", &to_hex(&response))])))
    }

    fn on_secret(
        &mut self,
        document: &Document,
        host: Box<Certificate>,
        hash: &[u8; 32],
    ) -> Result<Next, ClientError> {
        let answer = bytes(document, "pairingsecret")?;
        let (secret, signature) =
            answer.split_first_chunk::<16>().ok_or(xml::Error::Missing("pairingsecret"))?;
        host.verify(secret, signature).map_err(|CryptoError| ClientError::NotTheHost)?;
        if !constant_time_eq(&sha256(&[&self.challenge, host.signature(), secret]), hash) {
            return Err(ClientError::WrongPin);
        }
        let own = [self.secret.as_slice(), &self.identity.key.sign(&self.secret)?].concat();
        self.state = State::Accepted { host };
        Ok(Next::Http(self.target(&[("clientpairingsecret", &to_hex(&own))])))
    }

    /// The request that follows a failure, over plain HTTP.
    pub fn unpair(&self) -> String {
        request_target(Verb::Unpair, &self.unique_id, &to_hex(&self.salt), &[])
    }

    fn target(&self, arguments: &[(&str, &str)]) -> String {
        let fixed = [("devicename", "roth"), ("updateState", "1")];
        let arguments: Vec<_> = fixed.iter().chain(arguments).copied().collect();
        // `uuid` is a nonce that nobody checks: the random salt serves.
        request_target(Verb::Pair, &self.unique_id, &to_hex(&self.salt), &arguments)
    }
}

fn bytes(document: &Document, name: &'static str) -> Result<Vec<u8>, xml::Error> {
    from_hex(document.required(name)?.trim()).ok_or(xml::Error::Missing(name))
}
