//! The client's side: Start, then Confirm for the host's Answer, then the host is trusted
//! when its Done proves that it knew the password, too.

use super::spake::{Role, Run};
use super::{Channel, Error, Fingerprint, Password, Proofs, Random, check};
use crate::native::wire::control::{Control, Mac, PairAnswer, PairConfirm, PairDone, PairStart};
use crate::native::wire::{Access, MAX_NAME, cut};

/// What comes after a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send this.
    Send(PairConfirm),
    /// It is done: store the host.
    Paired(Paired),
}

/// A host that proved itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paired {
    /// Whom to trust from now on.
    pub host: Fingerprint,
    /// What the host allows.
    pub access: Access,
}

/// One attempt of a client.
pub struct Pairing(State);

enum State {
    Started(Box<Started>),
    Confirmed(Confirmed),
    Over,
}

impl Pairing {
    /// Begins, and says what to send. `name` is what the owner will see; it is cut to 64
    /// bytes. `random` must be fit for keys.
    pub fn new(
        channel: &Channel,
        password: &Password,
        name: &str,
        random: &mut Random<'_>,
    ) -> (Self, PairStart) {
        let (run, message) = Run::new(Role::Client, channel, password, random);
        let start = PairStart { method: password.method(), name: cut(name, MAX_NAME).to_owned(), message };
        let state = Started { channel: *channel, run, start: start.clone() };
        (Self(State::Started(Box::new(state))), start)
    }

    /// Takes what the host says. Whatever is not the one right message ends the attempt.
    pub fn take(&mut self, message: &Control) -> Result<Next, Error> {
        match (std::mem::replace(&mut self.0, State::Over), message) {
            (State::Started(started), Control::PairAnswer(answer)) => {
                let (confirmed, confirm) = started.answered(answer)?;
                self.0 = State::Confirmed(confirmed);
                Ok(Next::Send(confirm))
            }
            (State::Confirmed(confirmed), Control::PairDone(done)) => confirmed.done(done).map(Next::Paired),
            (State::Started(_) | State::Confirmed(_), Control::Refused(refused)) => {
                Err(Error::Refused(refused.code))
            }
            _ => Err(Error::OutOfOrder),
        }
    }

    /// True when no message can change anything any more.
    pub const fn is_over(&self) -> bool {
        matches!(self.0, State::Over)
    }
}

impl std::fmt::Debug for Pairing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            State::Started(_) => "Pairing(started)",
            State::Confirmed(_) => "Pairing(confirmed)",
            State::Over => "Pairing(over)",
        })
    }
}

/// Start was sent.
struct Started {
    channel: Channel,
    run: Run,
    start: PairStart,
}

impl Started {
    fn answered(self, answer: &PairAnswer) -> Result<(Confirmed, PairConfirm), Error> {
        let output = self.run.finish(&answer.message)?;
        let proofs = Proofs::new(&self.channel, &self.start, answer, &output);
        let confirmed = Confirmed { host: self.channel.host, proof: proofs.host };
        Ok((confirmed, PairConfirm { mac: proofs.client }))
    }
}

/// Confirm was sent.
struct Confirmed {
    host: Fingerprint,
    /// What the host has to prove.
    proof: Mac,
}

impl Confirmed {
    fn done(self, done: &PairDone) -> Result<Paired, Error> {
        check(&self.proof, &done.mac)?;
        Ok(Paired { host: self.host, access: done.access })
    }
}
