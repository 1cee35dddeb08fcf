//! The calls of GameStream clients: a launch or a resume that RTSP follows, and the stream
//! that RTSP settles. What runs and who sees it is the supervisor's.

use std::sync::Arc;
use std::time::Instant;

use punktfunk_core::gamestream::sdp::StreamConfig;

use super::config::Config;
use super::keys;
use super::link::{GameStreamLink, Opening};
use super::plan::Guest;
use super::sound;
use super::stream::Wanted;
use super::supervisor::{Shared, lock, random};
use super::table::{PENDING_TIMEOUT, Place, Waiting};
use super::{LaunchError, LaunchRequest, Pending, Reason, SessionId, Voice};
use crate::send::MediaPorts;

/// What sessions of GameStream clients need besides.
#[derive(Clone)]
pub struct GameStream {
    /// The ports that their media leave from.
    pub ports: Arc<MediaPorts>,
    /// Their control channel.
    pub voice: Arc<dyn Voice>,
}

impl Shared {
    /// Starts an application on a seat of its own; RTSP should follow.
    pub fn launch(&self, request: LaunchRequest) -> Result<Pending, LaunchError> {
        let app = self.program(request.app)?;
        let place = self.reserve(request.client, &app)?;
        let _one = lock(&place.operation);
        let started = keys::claim(&*self.ledger, &request.key)
            .and_then(|()| self.start_app(&place, &app, &Guest::from(&request)))
            .and_then(|_| self.wait_for_rtsp(&place, request));
        if started.is_err() {
            self.end_seat(&place, "it could not be started", Reason::Quit);
        }
        started
    }

    /// Gives a client, with new keys, what it sees running; RTSP should follow.
    pub fn resume(&self, request: LaunchRequest) -> Result<Pending, LaunchError> {
        let client = request.client;
        let place = self.visible(client).ok_or(LaunchError::NothingToResume)?;
        let _one = lock(&place.operation);
        if !self.still(&place, client) {
            return Err(LaunchError::NothingToResume);
        }
        keys::claim(&*self.ledger, &request.key)?;
        self.take_over(&place, client)?;
        self.wait_for_rtsp(&place, request)
    }

    /// Launches that wait for RTSP, newest first.
    pub fn pending(&self) -> Vec<Pending> {
        let table = self.table();
        let fresh = table.waiting.iter().rev().filter(|w| w.since.elapsed() < PENDING_TIMEOUT);
        fresh.map(|waiting| waiting.pending.clone()).collect()
    }

    /// Starts the stream that RTSP settled.
    pub fn announce(&self, id: SessionId, config: StreamConfig) -> Result<(), LaunchError> {
        let place = {
            let mut table = self.table();
            let waiting = table.waiting.iter().find(|waiting| waiting.pending.id == id);
            let seat = waiting.map(|waiting| waiting.seat).ok_or(LaunchError::NothingToResume)?;
            table.seat(seat).map(|seat| Arc::clone(&seat.place)).ok_or(LaunchError::NothingToResume)?
        };
        let _one = lock(&place.operation);
        let (waiting, running) = {
            let mut table = self.table();
            let running = table.seat(place.id).and_then(|seat| seat.running.clone());
            let index = table.waiting.iter().position(|w| w.pending.id == id);
            match (index, running) {
                (Some(index), Some(running)) => (table.waiting.remove(index), running),
                _ => return Err(LaunchError::NothingToResume),
            }
        };
        let Waiting { pending, request, route, .. } = waiting;
        let wanted = Wanted {
            id,
            client: request.client,
            client_name: request.client_name.clone(),
            app: (place.app, place.title.clone()),
            config: Config::from(&config),
            sound: sound::Wanted { source: running.heard(), play_locally: request.play_locally },
            microphone: None,
            link: Opening::GameStream(Box::new(GameStreamLink {
                gamestream: self.gamestream()?.clone(),
                settled: config,
                connect_data: pending.connect_data,
                request,
                route,
            })),
        };
        self.attach(&place, &running, wanted)
    }

    /// Gives up the ports of launches that nobody follows.
    pub fn forget(&self, waiting: Vec<Waiting>) {
        if let Some(gamestream) = &self.gamestream {
            waiting.iter().for_each(|waiting| gamestream.ports.forget(&waiting.route));
        }
    }

    /// What GameStream needs, or why there is none.
    fn gamestream(&self) -> Result<&GameStream, LaunchError> {
        let why = "GameStream is not served by this host";
        self.gamestream.as_ref().ok_or_else(|| LaunchError::Failed(why.into()))
    }

    /// Registers a launch that RTSP should follow.
    fn wait_for_rtsp(&self, place: &Place, request: LaunchRequest) -> Result<Pending, LaunchError> {
        let random: [u8; 12] = random()?;
        let mut ping_payload = [0; 16];
        ping_payload.copy_from_slice(punktfunk_core::bytes::to_hex(&random[..8]).as_bytes());
        let connect_data = u32::from_be_bytes([random[8], random[9], random[10], random[11]]);
        let mut table = self.table();
        let pending = Pending {
            id: table.next_session(),
            key: request.key,
            encrypted: request.encrypted_rtsp,
            peer: request.peer,
            ping_payload,
            connect_data,
        };
        let route = self.gamestream()?.ports.route(ping_payload, request.peer);
        let (since, seat, client) = (Instant::now(), place.id, request.client);
        // A client has one launch at a time: its newest.
        let old = table.waiting.extract_if(.., |w| w.request.client == client || w.seat == seat).collect();
        table.waiting.push(Waiting { pending: pending.clone(), request, route, since, seat });
        drop(table);
        self.forget(old);
        Ok(pending)
    }
}
