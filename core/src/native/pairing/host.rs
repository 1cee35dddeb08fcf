//! The host's side: Answer for the client's Start, then, when its Confirm proves that it
//! knew the password, the client is stored, and only then Done says so.

use super::spake::{Role, Run};
use super::{Channel, Error, Fingerprint, Password, Pin, Proofs, Random, Secret, check};
use crate::native::wire::Access;
use crate::native::wire::control::{Control, Mac, PairAnswer, PairConfirm, PairDone, PairStart, method};

/// What the owner opened a window for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// By the digits that are shown.
    pub pin: Option<Pin>,
    /// By the secret of a QR code.
    pub secret: Option<Secret>,
}

impl Offer {
    fn password(&self, method: u8) -> Option<Password> {
        match method {
            method::PIN => self.pin.map(Password::Pin),
            method::SECRET => self.secret.map(Password::Secret),
            _ => None,
        }
    }
}

/// What comes after a message.
#[derive(Debug)]
pub enum Next {
    /// Send this.
    Send(PairAnswer),
    /// Store the client, then ask it for the message that says so.
    Store(Proven),
}

/// A client that proved itself.
pub struct Proven {
    client: Fingerprint,
    name: String,
    method: u8,
    proof: Mac,
}

impl Proven {
    /// Whom to trust from now on.
    pub const fn client(&self) -> Fingerprint {
        self.client
    }

    /// What the client calls itself, at most 64 bytes of foreign text.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// By which [`method`]: a secret is used up now.
    pub const fn method(&self) -> u8 {
        self.method
    }

    /// The client is stored with this access: what to send.
    pub fn stored(self, access: Access) -> PairDone {
        PairDone { mac: self.proof, access }
    }
}

impl std::fmt::Debug for Proven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Proven({:?})", self.name)
    }
}

/// One attempt of one client, on one connection.
pub struct Pairing(State);

enum State {
    Open(Open),
    Answered(Answered),
    Over,
}

impl Pairing {
    /// An attempt that waits for its first message. `offer` is that of the window that is
    /// open; `random` must be fit for keys, and 64 bytes are drawn.
    pub fn new(channel: &Channel, offer: &Offer, random: &mut Random<'_>) -> Self {
        let mut seed = [0; SEED];
        random(&mut seed);
        Self(State::Open(Open { channel: *channel, offer: *offer, seed }))
    }

    /// Takes what the client says. Whatever is not the one right message ends the attempt.
    /// [`Error::Wrong`] is what a window counts.
    pub fn take(&mut self, message: &Control) -> Result<Next, Error> {
        match (std::mem::replace(&mut self.0, State::Over), message) {
            (State::Open(open), Control::PairStart(start)) => {
                let (answered, answer) = open.started(start)?;
                self.0 = State::Answered(answered);
                Ok(Next::Send(answer))
            }
            (State::Answered(answered), Control::PairConfirm(confirm)) => {
                answered.confirmed(confirm).map(Next::Store)
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
            State::Open(_) => "Pairing(open)",
            State::Answered(_) => "Pairing(answered)",
            State::Over => "Pairing(over)",
        })
    }
}

/// What SPAKE2 draws.
const SEED: usize = 64;

/// Nothing was said.
struct Open {
    channel: Channel,
    offer: Offer,
    seed: [u8; SEED],
}

impl Open {
    fn started(self, start: &PairStart) -> Result<(Answered, PairAnswer), Error> {
        let password = self.offer.password(start.method).ok_or(Error::Closed)?;
        let mut seed = self.seed.into_iter();
        let mut draw = |out: &mut [u8]| {
            for byte in out {
                *byte = seed.next().unwrap_or_default();
            }
        };
        let (run, message) = Run::new(Role::Host, &self.channel, &password, &mut draw);
        let output = run.finish(&start.message)?;
        let answer = PairAnswer { message };
        let proofs = Proofs::new(&self.channel, start, &answer, &output);
        let (name, method) = (start.name.clone(), start.method);
        let proven = Proven { client: self.channel.client, name, method, proof: proofs.host };
        Ok((Answered { proof: proofs.client, proven }, answer))
    }
}

/// Answer was sent.
struct Answered {
    /// What the client has to prove.
    proof: Mac,
    proven: Proven,
}

impl Answered {
    fn confirmed(self, confirm: &PairConfirm) -> Result<Proven, Error> {
        check(&self.proof, &confirm.mac)?;
        Ok(self.proven)
    }
}
