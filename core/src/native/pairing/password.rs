//! What both sides know beforehand.

use std::fmt;

use super::Random;
use crate::bytes::{from_hex, to_hex};
use crate::native::wire::control::method;

/// Six digits that the host shows and somebody types.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pin([u8; 6]);

/// Text that is no PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a PIN is six digits")]
pub struct PinError;

impl Pin {
    /// Reads six ASCII digits; spaces between them are how people write.
    pub fn parse(text: &str) -> Result<Self, PinError> {
        let mut digits = text.bytes().filter(|&byte| byte != b' ');
        let mut pin = [0; 6];
        for place in &mut pin {
            *place = digits.next().filter(u8::is_ascii_digit).ok_or(PinError)?;
        }
        if digits.next().is_some() { Err(PinError) } else { Ok(Self(pin)) }
    }

    /// A new one.
    pub fn new(random: &mut Random<'_>) -> Self {
        let mut bytes = [0; 16];
        random(&mut bytes);
        // Of 128 bits: no PIN is likelier than another by anything that could be measured.
        let mut rest = u128::from_be_bytes(bytes);
        let mut pin = [b'0'; 6];
        for place in pin.iter_mut().rev() {
            *place = b'0'.saturating_add(u8::try_from(rest % 10).unwrap_or(0));
            rest /= 10;
        }
        Self(pin)
    }
}

impl fmt::Display for Pin {
    /// The six digits: to be shown to the owner, never to a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&digit| write!(f, "{}", char::from(digit)))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

/// The secret of a QR code: 128 random bits that are used once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret(pub [u8; 16]);

impl Secret {
    /// A new one.
    pub fn new(random: &mut Random<'_>) -> Self {
        let mut bytes = [0; 16];
        random(&mut bytes);
        Self(bytes)
    }

    /// Reads 32 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        from_hex(text)?.try_into().ok().map(Self)
    }

    /// 32 hexadecimal digits: for a QR code, never for a log.
    pub fn to_hex(self) -> String {
        to_hex(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What the client was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Password {
    /// Typed.
    Pin(Pin),
    /// Scanned.
    Secret(Secret),
}

impl Password {
    /// Its number in PairStart.
    pub const fn method(&self) -> u8 {
        match self {
            Self::Pin(_) => method::PIN,
            Self::Secret(_) => method::SECRET,
        }
    }

    /// What goes into SPAKE2.
    pub(super) const fn bytes(&self) -> &[u8] {
        match self {
            Self::Pin(pin) => &pin.0,
            Self::Secret(secret) => &secret.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_six_digits() {
        assert_eq!(Pin::parse("012345").unwrap().to_string(), "012345");
        assert_eq!(Pin::parse("012 345"), Pin::parse("012345"));
        for wrong in ["", "12345", "1234567", "12345a", "١٢٣٤٥٦", "-12345", "12345\n"] {
            assert_eq!(Pin::parse(wrong), Err(PinError), "{wrong:?}");
        }
    }

    #[test]
    fn a_new_pin_has_the_last_digits_of_what_was_drawn() {
        let pin = Pin::new(&mut |out| out.copy_from_slice(&7_000_123_456_u128.to_be_bytes()));
        assert_eq!(pin.to_string(), "123456");
        assert_eq!(Pin::new(&mut |out| out.fill(0)).to_string(), "000000");
    }

    #[test]
    fn nothing_secret_is_in_debug_output() {
        let pin = Password::Pin(Pin::parse("987654").unwrap());
        let secret = Password::Secret(Secret([0x77; 16]));
        assert_eq!(format!("{pin:?} {secret:?}"), "Pin(Pin(..)) Secret(Secret(..))");
        assert_eq!(Secret::from_hex(&Secret([0x77; 16]).to_hex()), Some(Secret([0x77; 16])));
        assert_eq!(Secret::from_hex("7777"), None);
    }
}
