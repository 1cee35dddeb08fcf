//! Messages of pairing (page, section 7). What they mean is `native::pairing`'s.

use super::Body;
use crate::native::wire::fields::{Fields, Writer, required};
use crate::native::wire::{Access, Error, MAX_NAME};

/// Bytes of a SPAKE2 message: the side and a point.
pub const SPAKE_LEN: usize = 33;

/// A SPAKE2 message.
pub type Point = [u8; SPAKE_LEN];

/// What proves that a side has the keys.
pub type Mac = [u8; 32];

/// Values of [`PairStart::method`].
pub mod method {
    /// The six digits that the host shows.
    pub const PIN: u8 = 1;
    /// The secret of a QR code.
    pub const SECRET: u8 = 2;
}

/// The client begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairStart {
    /// [`method`]: any number, of which the host refuses those it does not know.
    pub method: u8,
    /// What the client calls itself, at most 64 bytes.
    pub name: String,
    /// SPAKE2, side A.
    pub message: Point,
}

impl Body for PairStart {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            method: required(1, fields.any(1)?)?,
            name: required(2, fields.text(2, MAX_NAME)?)?.to_owned(),
            message: required(3, fields.array(3)?)?,
        })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        fields.number(1, self.method).name(2, &self.name, MAX_NAME).bytes(3, &self.message);
    }
}

/// The host answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairAnswer {
    /// SPAKE2, side B.
    pub message: Point,
}

impl Body for PairAnswer {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self { message: required(1, fields.array(1)?)? })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        fields.bytes(1, &self.message);
    }
}

/// The client proves that it knows the PIN or the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairConfirm {
    /// HMAC of the transcript with the client's key.
    pub mac: Mac,
}

impl Body for PairConfirm {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self { mac: required(1, fields.array(1)?)? })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        fields.bytes(1, &self.mac);
    }
}

/// The host does, and has stored the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairDone {
    /// HMAC of the transcript with the host's key.
    pub mac: Mac,
    /// What the client may do.
    pub access: Access,
}

impl Body for PairDone {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self { mac: required(1, fields.array(1)?)?, access: Access(required(2, fields.any(2)?)?) })
    }

    fn write(&self, fields: &mut Writer<'_>) {
        fields.bytes(1, &self.mac).number(2, self.access.0);
    }
}
