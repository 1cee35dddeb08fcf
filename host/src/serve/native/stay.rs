//! A session on its connection: from Welcome until one of the two sides ends it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use punktfunk_core::input::Event;
use punktfunk_core::native::keys::Direction;
use punktfunk_core::native::wire::control::{Control, Goodbye, Hello, Reconfigure, Reconfigured};
use punktfunk_core::native::wire::input::{EffectOut, Effects, Inbound, Input};
use punktfunk_core::native::wire::{Access, Code, Datagram};
use punktfunk_core::time::Time;

use super::hall::{Guest, Refusal, STOPPING, refusal, revoked, stopped};
use super::voice::{self, Listener, code_of};
use super::wire::{End, Heard};
use crate::session::{ControlEvent, LaunchError, SessionId};
use crate::store::Client;

/// From Welcome to Start (section 10).
const TO_START: Duration = Duration::from_secs(15);
/// Changes of the picture that wait for the one before; more are too many.
const MOST_CHANGES: usize = 16;

/// Starts a session for a guest and stays with it.
pub(super) async fn play(mut guest: Guest<'_>, mut client: Client, hello: Hello) {
    let (speaker, listener) = voice::pair(guest.wire.connection.clone());
    let started = match guest.welcome(&client, hello, speaker).await {
        Ok(started) => started,
        Err(refusal) => return guest.refuse(refusal).await,
    };
    let shared = guest.house.shared.clone();
    let mut stay = Stay {
        guest,
        id: started.id,
        listener,
        inbound: Inbound::new(),
        effects: Effects::new(),
        clock: Instant::now(),
        inputs: Vec::new(),
        changes: VecDeque::new(),
        changing: None,
    };
    let outcome = match stay.wait_for_start(&mut client, started.epoch).await {
        Ok(()) => stay.carry_on(&mut client).await,
        Err(leave) => leave,
    };
    if let Some(changing) = stay.changing.take() {
        changing.abort();
    }
    let (id, by_client) = (started.id, matches!(&outcome, Leave::Ended(end) if end.by_client()));
    if !matches!(outcome, Leave::Told(_)) {
        shared.supervise(move |supervisor| supervisor.control(id, ControlEvent::Closed { by_client })).await;
    }
    tracing::info!(client = client.name, why = %outcome.why(), "session left");
    match outcome {
        Leave::Ended(End::Bad(error)) => stay.goodbye(refusal(error.code(), &error.to_string())).await,
        Leave::Ended(_) => super::wire::close(&stay.guest.wire.connection, Code::None, ""),
        Leave::Sent(refusal) | Leave::Told(refusal) => stay.goodbye(refusal).await,
    }
}

/// How a stay ends.
enum Leave {
    /// By the client, or the network.
    Ended(End),
    /// By us: the sessions have to be told.
    Sent(Refusal),
    /// By the sessions.
    Told(Refusal),
}

impl Leave {
    fn why(&self) -> String {
        match self {
            Self::Ended(End::Closed(code)) => format!("the client closed it ({code})"),
            Self::Ended(End::Lost) => "the client is gone".to_owned(),
            Self::Ended(End::Bad(error)) => error.to_string(),
            Self::Sent(refusal) | Self::Told(refusal) => format!("{} ({})", refusal.text, refusal.code),
        }
    }
}

struct Stay<'a> {
    guest: Guest<'a>,
    id: SessionId,
    listener: Listener,
    inbound: Inbound,
    effects: Effects,
    clock: Instant,
    /// Scratch.
    inputs: Vec<Input>,
    /// Changes of the picture still to be made.
    changes: VecDeque<Reconfigure>,
    /// The one being made.
    changing: Option<tokio::task::JoinHandle<Option<Result<Reconfigured, LaunchError>>>>,
}

impl Stay<'_> {
    async fn wait_for_start(&mut self, client: &mut Client, epoch: u8) -> Result<(), Leave> {
        let deadline = tokio::time::Instant::now() + TO_START;
        loop {
            let step = tokio::time::timeout_at(deadline, self.step(client)).await;
            match step.map_err(|_| Leave::Sent(refusal(Code::Timeout, "no Start came")))?? {
                Some(Control::Start(start)) if start.epoch == epoch => break,
                Some(_) => return Err(out_of_order()),
                None => {}
            }
        }
        let id = self.id;
        match self.guest.house.shared.supervise(move |supervisor| supervisor.play(id)).await {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(Leave::Sent(refusal(Code::Failed, &error.to_string()))),
            None => Err(Leave::Sent(refusal(Code::Failed, "the host failed; its log says why"))),
        }
    }

    async fn carry_on(&mut self, client: &mut Client) -> Leave {
        loop {
            match self.step(client).await {
                Ok(None) => {}
                Ok(Some(message)) => {
                    if let Err(leave) = self.take(client, message).await {
                        return leave;
                    }
                }
                Err(leave) => return leave,
            }
        }
    }

    /// Waits for one thing and does it, unless it is a message that is no input.
    async fn step(&mut self, client: &mut Client) -> Result<Option<Control>, Leave> {
        let again = self.effects.deadline().map(|at| self.clock + Duration::from_micros(at.0));
        tokio::select! {
            heard = self.guest.wire.next() => match heard.map_err(Leave::Ended)? {
                Heard::Message(message) => return Ok(self.input(client.access, message)),
                Heard::Datagram(bytes) => self.datagram(client.access, &bytes),
            },
            Some((pad, effect)) = self.listener.effects.recv() => {
                let said = self.effects.effect(self.now(), pad, &effect);
                if let Some(said) = said {
                    self.say(&said);
                }
            }
            Some(now) = self.listener.changed.recv() => {
                self.guest.wire.say(&Control::Reconfigured(now));
            }
            // Without a deadline this never happens.
            () = tokio::time::sleep_until(again.unwrap_or(self.clock).into()), if again.is_some() => {
                while let Some(datagram) = self.effects.poll(self.now()) {
                    self.say(&EffectOut::Datagram(datagram));
                }
            }
            made = made(&mut self.changing), if self.changing.is_some() => self.changed(made)?,
            reason = voice::end(&mut self.listener.ended) => {
                let (code, text) = reason.map_or((Code::None, "the session was ended"), code_of);
                return Err(Leave::Told(refusal(code, text)));
            }
            _ = self.guest.changed.recv() => self.look_again(client)?,
            () = stopped(&mut self.guest.stop) => {
                return Err(Leave::Sent(refusal(Code::HostStopping, STOPPING)));
            }
        }
        Ok(None)
    }

    /// A message that is no input.
    async fn take(&mut self, client: &Client, message: Control) -> Result<(), Leave> {
        match message {
            Control::Goodbye(goodbye) => return Err(Leave::Ended(End::Closed(goodbye.code))),
            Control::Reconfigure(change) => {
                if self.changes.len() >= MOST_CHANGES {
                    return Err(Leave::Sent(refusal(Code::Busy, "too many changes at once")));
                }
                self.changes.push_back(change);
                self.change();
            }
            Control::ListApps => self.guest.list_apps(client.id),
            Control::Quit => self.guest.quit(client).await,
            // There is no clipboard to share yet.
            Control::Clipboard(_) => {}
            _ => return Err(out_of_order()),
        }
        Ok(())
    }

    /// Carries out what is input; gives back what is not.
    fn input(&mut self, access: Access, message: Control) -> Option<Control> {
        let is_input = (0x20..=0x28).contains(&message.kind()) || matches!(message.kind(), 0x2A | 0x2B);
        if !is_input {
            return Some(message);
        }
        let mut inputs = std::mem::take(&mut self.inputs);
        self.inbound.control(&message, &mut inputs);
        self.deliver(access, inputs);
        None
    }

    /// What cannot be read, or may not be said, is thrown away.
    fn datagram(&mut self, access: Access, bytes: &[u8]) {
        let Ok(datagram) = Datagram::parse(Direction::ToHost, bytes) else { return };
        if let Datagram::Microphone(sound) = &datagram {
            if access.contains(Access::MICROPHONE) {
                self.guest.house.shared.supervisor.microphone(self.id, sound);
            }
            return;
        }
        let mut inputs = std::mem::take(&mut self.inputs);
        self.inbound.datagram(&datagram, &mut inputs);
        self.deliver(access, inputs);
    }

    fn deliver(&mut self, access: Access, mut inputs: Vec<Input>) {
        let supervisor = &self.guest.house.shared.supervisor;
        for input in inputs.drain(..).filter(|input| access.allows(input)) {
            supervisor.control(
                self.id,
                match input {
                    Input::Event(event) => ControlEvent::Input(event),
                    Input::Pad(event) => ControlEvent::Pad(event),
                },
            );
        }
        self.inputs = inputs;
    }

    /// Begins with the next change, unless one is being made.
    fn change(&mut self) {
        if self.changing.is_some() {
            return;
        }
        let Some(change) = self.changes.pop_front() else { return };
        let (shared, id) = (self.guest.house.shared.clone(), self.id);
        self.changing = Some(tokio::spawn(async move {
            shared.supervise(move |supervisor| supervisor.reconfigure(id, &change)).await
        }));
    }

    fn changed(&mut self, made: Option<Result<Reconfigured, LaunchError>>) -> Result<(), Leave> {
        self.changing = None;
        match made {
            Some(Ok(reconfigured)) => self.guest.wire.say(&Control::Reconfigured(reconfigured)),
            // Its end is on its way.
            Some(Err(error)) => tracing::debug!(%error, "no session to change any more"),
            None => return Err(Leave::Sent(refusal(Code::Failed, "the host failed; its log says why"))),
        }
        self.change();
        Ok(())
    }

    /// The owner changed something, perhaps about this client.
    fn look_again(&mut self, client: &mut Client) -> Result<(), Leave> {
        let now = self.guest.house.shared.store.client(self.guest.id);
        let now = now.ok_or_else(|| Leave::Sent(revoked()))?;
        let before = std::mem::replace(client, now).access;
        if before == client.access {
            return Ok(());
        }
        let supervisor = &self.guest.house.shared.supervisor;
        if !client.access.contains(before) {
            // What it holds it could not let go of any more.
            supervisor.control(self.id, ControlEvent::Input(Event::ReleaseAll));
        }
        supervisor.set_access(self.id, client.access);
        self.guest.wire.say(&Control::Access(client.access));
        if !client.access.contains(Access::VIEW) {
            return Err(Leave::Sent(revoked()));
        }
        tracing::info!(client = client.name, access = %client.access, "may do something else now");
        Ok(())
    }

    fn say(&mut self, said: &EffectOut) {
        match said {
            EffectOut::Control(message) => self.guest.wire.say(message),
            EffectOut::Datagram(datagram) => {
                let mut bytes = Vec::with_capacity(16);
                datagram.encode(&mut bytes);
                // One that cannot be sent is repeated or worth nothing.
                let _ = self.guest.wire.connection.send_datagram(bytes.into());
            }
        }
    }

    fn now(&self) -> Time {
        Time(u64::try_from(self.clock.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    async fn goodbye(self, Refusal { code, text }: Refusal) {
        let said = Control::Goodbye(Goodbye { code, text: text.clone() });
        self.guest.wire.finish(&said, code, &text).await;
    }
}

type Made = Option<Result<Reconfigured, LaunchError>>;

/// The outcome of the change being made.
async fn made(changing: &mut Option<tokio::task::JoinHandle<Made>>) -> Made {
    match changing {
        Some(changing) => changing.await.ok().flatten(),
        None => std::future::pending().await,
    }
}

fn out_of_order() -> Leave {
    Leave::Sent(refusal(Code::BadMessage, "that is not said now"))
}
