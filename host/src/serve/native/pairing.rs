//! Pairing on one connection: the exchange is `core`'s, whether it may happen is settled
//! by [`super::Windows`].

use std::time::Duration;

use punktfunk_core::native::pairing::host::{Next, Pairing, Proven};
use punktfunk_core::native::pairing::{Channel, EXPORTER_PAIRING, Error};
use punktfunk_core::native::wire::Code;
use punktfunk_core::native::wire::control::{Control, PairStart};
use punktfunk_quic::{export, peer_address};

use super::pairing_window::{NotPaired, Refusal, WindowId};
use super::windows::Invite;
use super::wire::{Heard, Wire};
use super::{House, random};
use crate::session::ClientId;
use crate::store::Client;

/// From PairStart to PairConfirm: the PIN was typed before (section 10).
const PATIENCE: Duration = Duration::from_secs(60);

/// Why nobody was paired: what the client is told.
pub(super) type Failure = (Code, &'static str);

/// Takes an attempt from its first message to its last. The client is stored before it
/// is told.
pub(super) async fn pair(
    house: &House,
    wire: &mut Wire,
    client: ClientId,
    start: PairStart,
) -> Result<Client, Failure> {
    let windows = &house.shared.windows;
    // Charged before anything else is looked at.
    let from = peer_address(&wire.connection).ip();
    let (window, invite) = windows.begin(from).map_err(|refusal| match refusal {
        Refusal::TooManyTries => (Code::TooManyTries, "too many tries; wait a minute"),
        Refusal::Closed => (
            Code::PairingClosed,
            "run `punktfunk-host pair --native` on the host, then try again within two minutes",
        ),
    })?;
    tracing::info!(%from, name = start.name, "a client tries to pair");
    let mut pairing = begin(house, wire, client, &invite)?;
    let answer = match pairing.take(&Control::PairStart(start)).map_err(told)? {
        Next::Send(answer) => answer,
        Next::Store(_) => return Err(told(Error::OutOfOrder)),
    };
    wire.say(&Control::PairAnswer(answer));
    let confirm = tokio::time::timeout(PATIENCE, message(wire));
    let confirm = confirm.await.map_err(|_| (Code::Timeout, "pairing took too long"))??;
    match pairing.take(&confirm) {
        Ok(Next::Store(proven)) => {
            windows.settle(window, true).map_err(refused)?;
            store(house, wire, window, invite, proven).await
        }
        Ok(Next::Send(_)) => Err(told(Error::OutOfOrder)),
        Err(Error::Wrong) => {
            tracing::warn!(%from, "a wrong PIN or code");
            Err(windows.settle(window, false).map_or_else(refused, |()| told(Error::Wrong)))
        }
        Err(error) => Err(told(error)),
    }
}

fn begin(house: &House, wire: &Wire, client: ClientId, invite: &Invite) -> Result<Pairing, Failure> {
    let label = std::str::from_utf8(EXPORTER_PAIRING).unwrap_or_default();
    let exporter =
        export(&wire.connection, label, &[]).map_err(|_| (Code::Failed, "the connection has no keys"))?;
    let host = house.shared.store.native_identity().hash();
    let channel = Channel { client: client.0, host, exporter };
    Ok(Pairing::new(&channel, &invite.offer, &mut random))
}

/// Stores the client, then tells it.
async fn store(
    house: &House,
    wire: &mut Wire,
    window: WindowId,
    invite: Invite,
    proven: Proven,
) -> Result<Client, Failure> {
    let shared = house.shared.clone();
    let (id, name) = (ClientId(proven.client()), proven.name().to_owned());
    let stored =
        tokio::task::spawn_blocking(move || shared.windows.admit(window, id, &name, &invite.terms)).await;
    let Ok(Ok(client)) = stored else {
        return Err((Code::Failed, "the host could not store the pairing; its log says why"));
    };
    // Connections it has already, as one that was paired before.
    let _ = house.shared.changed.send(id);
    wire.say(&Control::PairDone(proven.stored(client.access)));
    Ok(client)
}

/// The next message; datagrams mean nothing yet.
async fn message(wire: &mut Wire) -> Result<Control, Failure> {
    loop {
        match wire.next().await {
            Ok(Heard::Message(message)) => return Ok(message),
            Ok(Heard::Datagram(_)) => {}
            Err(_) => return Err((Code::BadMessage, "the connection ended while pairing")),
        }
    }
}

fn told(error: Error) -> Failure {
    let text = match error {
        Error::Closed => "the host offers no pairing by this method",
        Error::Wrong => "the PIN or the code is not the right one",
        _ => "pairing broke off; start again",
    };
    (error.code(), text)
}

fn refused(why: NotPaired) -> Failure {
    match why {
        NotPaired::Wrong => told(Error::Wrong),
        NotPaired::TooLate => {
            (Code::PairingClosed, "the window for pairing is closed; open another on the host")
        }
    }
}
