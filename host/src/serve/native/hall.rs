//! Where every connection begins: who is it, does it pair, what does it want. Until it
//! has a session a client may ask for the applications, quit its own, and say Hello;
//! who is not paired may pair, or is refused.

use std::time::Duration;

use punktfunk_core::native::keys::{Aead, EXPORTER_MEDIA, Exported};
use punktfunk_core::native::wire::control::{AppEntry, Apps, Control, Hello, Refused, Welcome};
use punktfunk_core::native::wire::{Access, Code, MediaId, VERSION};
use punktfunk_net::Route;
use punktfunk_quic::{Accepted, Ticket, export, peer_address};
use tokio::sync::{broadcast, watch};

use super::wire::{End, Heard, Wire, close};
use super::{Crowd, House, Place, pairing, random, stay, voice};
use crate::serve::notice::Notice;
use crate::session::{ClientId, LaunchError, NativeLink, NativeRequest, NativeStarted};
use crate::store::{Client, PLAY};

/// How long a connection may say nothing before it has a session.
const SILENCE: Duration = Duration::from_secs(60);
/// Clients that trust on first use takes before the owner has to look.
const MOST_FIRST_COMERS: usize = 64;

/// Somebody who is connected.
pub(super) struct Guest<'a> {
    pub house: &'a House,
    pub wire: Wire,
    pub id: ClientId,
    /// The address of ours that it knows.
    pub route: Route,
    /// Says that a client is to be looked up again.
    pub changed: broadcast::Receiver<ClientId>,
    pub stop: watch::Receiver<bool>,
}

/// Why a connection is ended by us.
pub(super) struct Refusal {
    pub code: Code,
    pub text: String,
}

/// What a guest is.
enum Standing {
    /// Not paired: takes one of the places of strangers.
    Stranger { _ticket: Ticket },
    /// Paired: takes one of its own places.
    Paired { client: Client, _place: Place },
}

/// Serves one connection to its end.
pub(super) async fn attend(house: &House, accepted: Accepted, mut stop: watch::Receiver<bool>) {
    let Accepted { connection, identity, ticket, from, local } = accepted;
    let id = ClientId(identity);
    // Before looking: a change after this is heard of.
    let mut changed = house.shared.changed.subscribe();
    let standing = match house.shared.store.client(id) {
        None => Standing::Stranger { _ticket: ticket },
        Some(client) => {
            drop(ticket);
            match Crowd::enter(&house.shared.crowd, id) {
                Some(place) => Standing::Paired { client, _place: place },
                None => return close(&connection, Code::Busy, "this client has too many connections"),
            }
        }
    };
    let opening = tokio::time::timeout(SILENCE, Wire::open(connection.clone()));
    tokio::pin!(opening);
    let opened = loop {
        tokio::select! {
            opened = &mut opening => break opened,
            _ = changed.recv() => {
                if matches!(standing, Standing::Paired { .. }) && house.shared.store.client(id).is_none() {
                    return close(&connection, Code::Revoked, REVOKED);
                }
            }
            () = stopped(&mut stop) => return close(&connection, Code::HostStopping, STOPPING),
        }
    };
    let wire = match opened {
        Ok(Ok(wire)) => wire,
        Ok(Err(_)) => return,
        Err(_) => return close(&connection, Code::Timeout, "nothing was said"),
    };
    let route = Route { to: from, from: local, dscp: None };
    let mut guest = Guest { house, wire, id, route, changed, stop };
    match guest.ask(standing).await {
        Ok(Some((client, hello))) => stay::play(guest, client, hello).await,
        Ok(None) => {}
        Err(refusal) => {
            tracing::info!(%from, code = %refusal.code, why = refusal.text, "a client is refused");
            guest.refuse(refusal).await;
        }
    }
}

/// What is said to who was paired.
const REVOKED: &str = "the owner of this host took the access away";
/// What is said when the host stops.
pub(super) const STOPPING: &str = "the host is being stopped";

impl Guest<'_> {
    /// Listens until the guest asks for a session, goes (`None`), or has to go.
    async fn ask(&mut self, mut standing: Standing) -> Result<Option<(Client, Hello)>, Refusal> {
        let mut tried = false;
        loop {
            let message = tokio::select! {
                heard = tokio::time::timeout(SILENCE, self.wire.next()) => match heard {
                    Ok(Ok(Heard::Message(message))) => message,
                    Ok(Ok(Heard::Datagram(_))) => continue,
                    Ok(Err(End::Bad(error))) => return Err(refusal(error.code(), &error.to_string())),
                    Ok(Err(_)) => return Ok(None),
                    Err(_) => return Err(refusal(Code::Timeout, "nothing was said for too long")),
                },
                _ = self.changed.recv() => {
                    self.look_again(&mut standing)?;
                    continue;
                }
                () = stopped(&mut self.stop) => return Err(refusal(Code::HostStopping, STOPPING)),
            };
            match (message, &standing) {
                (Control::Goodbye(_), _) => return Ok(None),
                (Control::PairStart(start), _) if !tried => {
                    tried = true;
                    let name = start.name.clone();
                    let paired = pairing::pair(self.house, &mut self.wire, self.id, start).await;
                    let client = paired.map_err(|(code, text)| {
                        // Nobody let it in, but somebody may.
                        if code == Code::PairingClosed && matches!(standing, Standing::Stranger { .. }) {
                            self.knock(&name);
                        }
                        refusal(code, text)
                    })?;
                    standing = self.paired(client)?;
                }
                (Control::Hello(hello), Standing::Paired { .. }) => {
                    check(&hello)?;
                    // As it is now: what was heard of it last may be still to come.
                    let client = self.house.shared.store.client(self.id).ok_or_else(revoked)?;
                    return Ok(Some((client, hello)));
                }
                (Control::Hello(hello), Standing::Stranger { .. }) => {
                    check(&hello)?;
                    let client = self.first_use(&hello).await?;
                    return Ok(Some((client, hello)));
                }
                (Control::ListApps, Standing::Paired { client, .. }) => self.list_apps(client.id),
                (Control::Quit, Standing::Paired { client, .. }) => {
                    let client = client.clone();
                    self.quit(&client).await;
                    self.list_apps(client.id);
                }
                (_, Standing::Stranger { .. }) => {
                    self.knock("");
                    return Err(not_paired());
                }
                (_, Standing::Paired { .. }) => {
                    return Err(refusal(Code::BadMessage, "that is not said before there is a session"));
                }
            }
        }
    }

    /// Somebody was revoked, or may do something else than before.
    fn look_again(&self, standing: &mut Standing) -> Result<(), Refusal> {
        let Standing::Paired { client, .. } = standing else { return Ok(()) };
        *client = self.house.shared.store.client(self.id).ok_or_else(revoked)?;
        Ok(())
    }

    fn paired(&self, client: Client) -> Result<Standing, Refusal> {
        let place = Crowd::enter(&self.house.shared.crowd, self.id);
        let place = place.ok_or_else(|| refusal(Code::Busy, "this client has too many connections"))?;
        Ok(Standing::Paired { client, _place: place })
    }

    /// The owner may look who would like to be let in.
    fn knock(&self, name: &str) {
        self.house.shared.door.knock(self.id, name, self.route.to.ip());
    }

    /// Pairs a stranger that says Hello, if the owner switched that on.
    async fn first_use(&self, hello: &Hello) -> Result<Client, Refusal> {
        let shared = &self.house.shared;
        if !shared.config.native.trust_on_first_use {
            self.knock(&hello.name);
            return Err(not_paired());
        }
        if !shared.windows.charge(self.route.to.ip()) {
            return Err(refusal(Code::TooManyTries, "too many new clients; wait a minute"));
        }
        if shared.store.clients().len() >= MOST_FIRST_COMERS {
            return Err(refusal(
                Code::Busy,
                "this host knows too many clients: its owner has to revoke some",
            ));
        }
        let (store, id, name) = (shared.store.clone(), self.id, hello.name.clone());
        let stored = tokio::task::spawn_blocking(move || store.pair_native(id, &name, PLAY, None)).await;
        match stored {
            Ok(Ok(client)) => {
                tracing::warn!(client = %client.id, name = client.name, "trusted on first use");
                shared.notices.tell(Notice::Devices);
                Ok(client)
            }
            _ => Err(refusal(Code::Failed, "the host could not store the pairing; its log says why")),
        }
    }

    /// The applications, and which of them runs for this client.
    pub(super) fn list_apps(&mut self, client: ClientId) {
        let shared = &self.house.shared;
        let shown = shared.supervisor.programs().into_iter().filter(|app| !app.hidden);
        let apps = shown.map(|app| AppEntry { id: app.id, title: app.title }).collect();
        let running = shared.supervisor.running_app(client);
        self.wire.say(&Control::Apps(Apps { apps, running }));
    }

    /// Ends what the client has running, or says that it may not.
    pub(super) async fn quit(&mut self, client: &Client) {
        if !client.access.contains(Access::LAUNCH) {
            let text = "the owner of this host does not let this client quit applications".to_owned();
            let refused = Refused { code: Code::NotAllowed, text, versions: Vec::new() };
            return self.wire.say(&Control::Refused(refused));
        }
        let id = client.id;
        self.house.shared.supervise(move |supervisor| supervisor.cancel(id)).await;
    }

    /// Starts or resumes what the client wants, and welcomes it.
    pub(super) async fn welcome(
        &mut self,
        client: &Client,
        hello: Hello,
        speaker: voice::Speaker,
    ) -> Result<NativeStarted, Refusal> {
        if !client.access.contains(Access::VIEW) {
            return Err(refusal(
                Code::NotAllowed,
                "the owner of this host does not let this client see anything",
            ));
        }
        let aead = self.aead(&hello)?;
        let mut media = [0; 8];
        random(&mut media);
        let label = std::str::from_utf8(EXPORTER_MEDIA).unwrap_or_default();
        let secret = export(&self.wire.connection, label, &media)
            .map_err(|error| refusal(Code::Failed, &error.to_string()))?;
        let link = NativeLink {
            transport: self.house.transport.clone(),
            // It may have moved since it arrived.
            route: Route { to: peer_address(&self.wire.connection), ..self.route },
            voice: std::sync::Arc::new(speaker),
            media: MediaId(media),
            exported: Exported::new(secret),
            aead,
        };
        let request = NativeRequest {
            client: client.id,
            client_name: client.name.clone(),
            access: client.access,
            hello,
            link,
        };
        let started = self.start(request).await?;
        self.wire.say(&Control::Welcome(Welcome {
            version: VERSION,
            session: started.session,
            media: MediaId(media),
            epoch: started.epoch,
            mode: started.mode,
            codec: started.codec,
            bitrate_kbps: started.bitrate_kbps,
            sound: started.sound.clone(),
            aead,
            payload: started.payload,
            access: client.access,
            mic: started.mic,
            pads: started.pads,
            app: started.app,
            resumed: started.resumed,
            name: self.house.shared.name(),
        }));
        Ok(started)
    }

    fn aead(&self, hello: &Hello) -> Result<Aead, Refusal> {
        let first = hello.aeads.first().copied();
        first.ok_or_else(|| {
            refusal(Code::Unsupported, "the client names nothing that media could be sealed with")
        })
    }

    async fn start(&self, request: NativeRequest) -> Result<NativeStarted, Refusal> {
        let (client, name) = (request.client, request.client_name.clone());
        let store = self.house.shared.store.clone();
        tracing::info!(client = name, mode = ?request.hello.mode, app = request.hello.app, "session asked for");
        let started = self.house.shared.supervise(move |supervisor| {
            let started = supervisor.start_native(request);
            let _ = store.note_seen(client);
            started
        });
        match started.await {
            Some(Ok(started)) => Ok(started),
            Some(Err(error)) => {
                tracing::warn!(client = name, %error, "session refused");
                Err(refusal(code_of(&error), &error.to_string()))
            }
            None => Err(refusal(Code::Failed, "the host failed; its log says why")),
        }
    }

    /// Says why, and closes.
    pub(super) async fn refuse(self, refusal: Refusal) {
        let versions = if refusal.code == Code::Version { vec![VERSION] } else { Vec::new() };
        let said = Refused { code: refusal.code, text: refusal.text.clone(), versions };
        self.wire.finish(&Control::Refused(said), refusal.code, &refusal.text).await;
    }
}

/// Completes when the host stops.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Who cannot say it any more has stopped.
    let _ = stop.wait_for(|stop| *stop).await;
}

pub(super) fn refusal(code: Code, text: &str) -> Refusal {
    Refusal { code, text: text.to_owned() }
}

pub(super) fn revoked() -> Refusal {
    refusal(Code::Revoked, REVOKED)
}

fn not_paired() -> Refusal {
    refusal(Code::NotPaired, "this client is not paired: run `punktfunk-host pair --native` on the host")
}

fn check(hello: &Hello) -> Result<(), Refusal> {
    if !hello.versions.contains(&VERSION) {
        let text =
            format!("this host speaks version {VERSION} of the protocol only: update the older of the two");
        return Err(refusal(Code::Version, &text));
    }
    Ok(())
}

const fn code_of(error: &LaunchError) -> Code {
    match error {
        LaunchError::UnknownApp(_) => Code::NoSuchApp,
        LaunchError::Busy(_) => Code::Busy,
        LaunchError::NothingToResume => Code::NoSuchSession,
        LaunchError::NotAllowed(_) => Code::NotAllowed,
        LaunchError::Unsupported(_) => Code::Unsupported,
        LaunchError::Failed(_) => Code::Failed,
    }
}
