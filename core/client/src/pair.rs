//! Pairing: a connection to a host that is not trusted yet, and the machine of
//! `punktfunk_core::native::pairing` on it.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use punktfunk_core::native::pairing::client::{Next, Pairing};
use punktfunk_core::native::pairing::qr::Invitation;
use punktfunk_core::native::pairing::{self, Channel, EXPORTER_PAIRING, Password, Pin};
use punktfunk_core::native::wire::{Access, Code, Control};
use punktfunk_quic::{export, peer_identity};
use tokio::time::timeout;

use crate::client::Client;
use crate::control::{Stream, endpoint, no_media, refused, runtime};
use crate::error::Error;

/// All of pairing has so long (section 10).
const PAIRING: Duration = Duration::from_secs(60);
/// The last word is given so long to arrive.
const PARTING: Duration = Duration::from_millis(300);
/// Addresses of one invitation that are tried.
const MOST_ADDRESSES: usize = 8;

/// A host that proved that it knows the PIN or the secret: what to keep of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paired {
    /// Where it was.
    pub address: SocketAddr,
    /// Its identity, for [`Config`](crate::Config).
    pub host: [u8; 32],
    /// What its owner allows.
    pub access: Access,
}

pub(crate) fn by_pin(client: &Client, address: SocketAddr, pin: &str) -> Result<Paired, Error> {
    let pin = Pin::parse(pin).map_err(|error| Error::Input(error.to_string()))?;
    runtime()?.block_on(pair(client, address, None, &Password::Pin(pin)))
}

pub(crate) fn by_secret(client: &Client, qr: &str) -> Result<Paired, Error> {
    let invitation = Invitation::parse(qr).map_err(|error| Error::Input(error.to_string()))?;
    let mut last = Error::Input("the code names no address".to_owned());
    for address in invitation.addresses.iter().take(MOST_ADDRESSES) {
        // A name that is not known here may be one of several.
        let Ok(mut known) = (address.host.as_str(), address.port).to_socket_addrs() else { continue };
        let Some(known) = known.next() else { continue };
        let password = Password::Secret(invitation.secret);
        match runtime()?.block_on(pair(client, known, Some(invitation.fingerprint), &password)) {
            // Not the one: the next address may be.
            Err(error @ Error::Connect(_)) => last = error,
            other => return other,
        }
    }
    Err(last)
}

async fn pair(
    client: &Client,
    address: SocketAddr,
    host: Option<[u8; 32]>,
    password: &Password,
) -> Result<Paired, Error> {
    let endpoint = endpoint(client, address, no_media())?;
    let mut stream = Stream::open(&endpoint, address, host).await?;
    let attempt = timeout(PAIRING, attempt(client, &mut stream, password)).await;
    let result = attempt.unwrap_or(Err(Error::TimedOut));
    stream.close(match &result {
        Ok(_) => Code::None,
        Err(Error::NotProven) => Code::WrongPin,
        Err(Error::TimedOut) => Code::Timeout,
        Err(_) => Code::Failed,
    });
    // What is known is known, whether the host hears of it or not.
    let _ = timeout(PARTING, endpoint.wait_idle()).await;
    result.map(|paired| Paired { address, host: paired.host, access: paired.access })
}

async fn attempt(
    client: &Client,
    stream: &mut Stream,
    password: &Password,
) -> Result<pairing::client::Paired, Error> {
    let lost = |error: String| Error::Lost(error);
    let host = peer_identity(&stream.connection).map_err(|error| lost(error.to_string()))?;
    let exporter =
        export(&stream.connection, EXPORTER_PAIRING, &[]).map_err(|error| lost(error.to_string()))?;
    let channel = Channel { client: client.identity.hash(), host, exporter };
    let mut weak = false;
    let mut random = |bytes: &mut [u8]| weak |= aws_lc_rs::rand::fill(bytes).is_err();
    let (mut machine, start) = Pairing::new(&channel, password, &client.name, &mut random);
    if weak {
        return Err(Error::Start("the system gives no random numbers".to_owned()));
    }
    stream.say(&Control::PairStart(start)).await?;
    let mut confirmed = false;
    loop {
        let message = stream.hear().await?;
        if let Control::Refused(no) = message {
            return Err(refused(no));
        }
        match machine.take(&message) {
            Ok(Next::Send(confirm)) => {
                stream.say(&Control::PairConfirm(confirm)).await?;
                confirmed = true;
            }
            Ok(Next::Paired(paired)) => return Ok(paired),
            Err(pairing::Error::Wrong) if confirmed => return Err(Error::NotProven),
            Err(error) => return Err(Error::Protocol(error.to_string())),
        }
    }
}
