//! SPAKE2 over Ed25519 as the crate `spake2` computes it, with two things that it leaves
//! to its caller: where randomness comes from, and that a foreign point is one that an
//! honest side could have sent.

use rand_core::{CryptoRng, RngCore};
use spake2::{Ed25519Group, Group, Identity, Password as SpakePassword, Spake2};

use super::{Channel, Error, Password, Random};
use crate::native::wire::control::Point;

/// Which side somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The client, A.
    Client,
    /// The host, B.
    Host,
}

/// One run of SPAKE2 that waits for the other side's message.
pub(super) struct Run {
    role: Role,
    spake: Spake2<Ed25519Group>,
}

impl Run {
    /// Begins, and says what to send. 64 bytes are drawn.
    pub(super) fn new(
        role: Role,
        channel: &Channel,
        password: &Password,
        random: &mut Random<'_>,
    ) -> (Self, Point) {
        let password = SpakePassword::new(password.bytes());
        let (a, b) = (Identity::new(&channel.client), Identity::new(&channel.host));
        let source = Source(random);
        let (spake, message) = match role {
            Role::Client => Spake2::start_a_with_rng(&password, &a, &b, source),
            Role::Host => Spake2::start_b_with_rng(&password, &a, &b, source),
        };
        let mut point = [0; 33];
        for (to, from) in point.iter_mut().zip(message) {
            *to = from;
        }
        (Self { role, spake }, point)
    }

    /// Ends with what both sides have when both had the same password.
    pub(super) fn finish(self, message: &Point) -> Result<Vec<u8>, Error> {
        let wanted = match self.role {
            Role::Client => b'B',
            Role::Host => b'A',
        };
        match message.split_first() {
            Some((&side, point)) if side == wanted && is_honest(point) => {}
            _ => return Err(Error::Damaged),
        }
        self.spake.finish(message).map_err(|_| Error::Damaged)
    }
}

/// True for a point of the prime-order group, in its one encoding, that is not the
/// neutral one. Others could make the result depend on less than the whole secret.
fn is_honest(bytes: &[u8]) -> bool {
    let Some(point) = Ed25519Group::bytes_to_element(bytes) else { return false };
    if Ed25519Group::element_to_bytes(&point) != bytes || bytes == NEUTRAL {
        return false;
    }
    // (s + (order − s)) times a point is the order times it: neutral in that group alone.
    let scalar = Ed25519Group::hash_to_scalar(b"any scalar");
    let times = Ed25519Group::scalarmult(&point, &scalar);
    let rest = Ed25519Group::scalarmult(&point, &Ed25519Group::scalar_neg(&scalar));
    Ed25519Group::element_to_bytes(&Ed25519Group::add(&times, &rest)) == NEUTRAL
}

/// The neutral point, encoded.
const NEUTRAL: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};

/// Randomness that comes from the caller.
struct Source<'a, 'b>(&'a mut Random<'b>);

impl RngCore for Source<'_, '_> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        (self.0)(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        (self.0)(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        (self.0)(out);
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Source<'_, '_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::from_hex;

    /// Every point whose order divides 8, and other encodings of some of them.
    const LOW_ORDER: [&str; 12] = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];

    #[test]
    fn points_that_hide_nothing_are_refused() {
        for hex in LOW_ORDER {
            assert!(!is_honest(&from_hex(hex).unwrap()), "{hex}");
        }
        assert!(!is_honest(&[1; 31]));
    }

    #[test]
    fn only_the_prime_order_group_is_taken() {
        // The base point is in it; with a point of order 8 added it is not.
        let base = from_hex("5866666666666666666666666666666666666666666666666666666666666666").unwrap();
        assert!(is_honest(&base));
        let eighth = Ed25519Group::bytes_to_element(&from_hex(LOW_ORDER[6]).unwrap()).unwrap();
        let mixed = Ed25519Group::add(&Ed25519Group::bytes_to_element(&base).unwrap(), &eighth);
        assert!(!is_honest(&Ed25519Group::element_to_bytes(&mixed)));
    }
}
