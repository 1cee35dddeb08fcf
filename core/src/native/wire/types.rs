//! The small values that messages are made of: codecs, modes, access bits and ids.

use std::fmt;

use crate::bytes::to_hex;

/// What a video stream is coded as, without its depth and chroma.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// H.264 (AVC).
    H264,
    /// HEVC (H.265).
    Hevc,
    /// AV1.
    Av1,
}

/// A codec with its depth and chroma, as numbered on the page (section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Codec(u8);

impl Codec {
    const TEN_BITS: u8 = 16;
    const FULL_CHROMA: u8 = 32;
    /// H.264, 8 bits, 4:2:0.
    pub const H264: Self = Self(1);
    /// HEVC, 8 bits, 4:2:0.
    pub const HEVC: Self = Self(2);
    /// HEVC, 10 bits, 4:2:0.
    pub const HEVC_10: Self = Self(2 + Self::TEN_BITS);
    /// AV1, 8 bits, 4:2:0.
    pub const AV1: Self = Self(3);
    /// AV1, 10 bits, 4:2:0.
    pub const AV1_10: Self = Self(3 + Self::TEN_BITS);

    /// The codec of this family with eight or ten bits, 4:2:0 or 4:4:4.
    pub const fn new(family: Family, ten_bits: bool, full_chroma: bool) -> Self {
        let family = match family {
            Family::H264 => 1,
            Family::Hevc => 2,
            Family::Av1 => 3,
        };
        let depth = if ten_bits { Self::TEN_BITS } else { 0 };
        let chroma = if full_chroma { Self::FULL_CHROMA } else { 0 };
        Self(family | depth | chroma)
    }

    /// The codec with this number, or `None` when this version knows none.
    pub fn from_number(number: u64) -> Option<Self> {
        let number = u8::try_from(number).ok()?;
        let known = matches!(number & !(Self::TEN_BITS | Self::FULL_CHROMA), 1..=3);
        known.then_some(Self(number))
    }

    /// Its number on the wire.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// What it is without depth and chroma.
    pub const fn family(self) -> Family {
        match self.0 & 15 {
            1 => Family::H264,
            2 => Family::Hevc,
            _ => Family::Av1,
        }
    }

    /// True when a sample has ten bits.
    pub const fn ten_bits(self) -> bool {
        self.0 & Self::TEN_BITS != 0
    }

    /// True when the chroma is as fine as the luma (4:4:4).
    pub const fn full_chroma(self) -> bool {
        self.0 & Self::FULL_CHROMA != 0
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family() {
            Family::H264 => "H.264",
            Family::Hevc => "HEVC",
            Family::Av1 => "AV1",
        };
        let depth = if self.ten_bits() { " 10-bit" } else { "" };
        let chroma = if self.full_chroma() { " 4:4:4" } else { "" };
        write!(f, "{family}{depth}{chroma}")
    }
}

/// Size and rate of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mode {
    /// Pixels, even, 64 to 16,384.
    pub width: u32,
    /// Pixels, even, 64 to 16,384.
    pub height: u32,
    /// Thousandths of a hertz, 1,000 to 1,000,000.
    pub refresh_mhz: u32,
}

impl Mode {
    /// Least width and height.
    pub const LEAST: u32 = 64;
    /// Most width and height.
    pub const MOST: u32 = 16_384;

    /// True when every value is in its range.
    pub const fn is_valid(&self) -> bool {
        let (width, height) = (self.width, self.height);
        width >= Self::LEAST
            && width <= Self::MOST
            && width.is_multiple_of(2)
            && height >= Self::LEAST
            && height <= Self::MOST
            && height.is_multiple_of(2)
            && self.refresh_mhz >= 1000
            && self.refresh_mhz <= 1_000_000
    }
}

/// What the owner allows a client to do (page, section 7). Bits that this version does
/// not know are kept and mean nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Access(pub u16);

impl Access {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// To see and to hear.
    pub const VIEW: Self = Self(1);
    /// Pointer, touch and pen.
    pub const POINTER: Self = Self(2);
    /// Keyboard and text.
    pub const KEYBOARD: Self = Self(4);
    /// Gamepads.
    pub const PADS: Self = Self(8);
    /// The clipboard, both ways.
    pub const CLIPBOARD: Self = Self(16);
    /// The microphone.
    pub const MICROPHONE: Self = Self(32);
    /// To launch and to quit applications.
    pub const LAUNCH: Self = Self(64);
    /// To put the machine to sleep, and the like.
    pub const POWER: Self = Self(128);
    /// To change the host's settings.
    pub const MANAGE: Self = Self(256);
    /// Everything there is.
    pub const ALL: Self = Self(511);

    /// Each bit with the name that owners see and type.
    pub const NAMES: [(&'static str, Self); 9] = [
        ("view", Self::VIEW),
        ("pointer", Self::POINTER),
        ("keyboard", Self::KEYBOARD),
        ("pads", Self::PADS),
        ("clipboard", Self::CLIPBOARD),
        ("microphone", Self::MICROPHONE),
        ("launch", Self::LAUNCH),
        ("power", Self::POWER),
        ("manage", Self::MANAGE),
    ];

    /// True when every bit of `other` is set here.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The bits of `self` that `other` does not have.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The bit with this name, see [`Access::NAMES`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, bit)| bit)
    }
}

impl fmt::Display for Access {
    /// The names of the bits with commas between them; `nothing` when none is set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (name, bit) in Self::NAMES {
            if self.contains(bit) {
                write!(f, "{separator}{name}")?;
                separator = ",";
            }
        }
        if separator.is_empty() { f.write_str("nothing") } else { Ok(()) }
    }
}

/// Names a session, to resume it. It is no secret: only its own client may.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(pub [u8; 16]);

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({})", to_hex(&self.0))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

/// Tells the media datagrams of sessions apart (page, section 4).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MediaId(pub [u8; 8]);

impl fmt::Debug for MediaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MediaId({})", to_hex(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_are_numbered_as_on_the_page() {
        let ten = Codec::from_number(18).unwrap();
        assert_eq!(
            (ten, ten.family(), ten.ten_bits(), ten.full_chroma()),
            (Codec::HEVC_10, Family::Hevc, true, false)
        );
        assert_eq!(ten.to_string(), "HEVC 10-bit");
        for number in 0..=u64::from(u8::MAX) + 1 {
            let codec = Codec::from_number(number);
            assert_eq!(codec.is_some(), number < 64 && matches!(number & 15, 1..=3), "{number}");
            if let Some(codec) = codec {
                assert_eq!(u64::from(codec.number()), number);
                assert_eq!(Codec::new(codec.family(), codec.ten_bits(), codec.full_chroma()), codec);
            }
        }
    }

    #[test]
    fn a_mode_is_even_and_within_bounds() {
        let mode = Mode { width: 1920, height: 1080, refresh_mhz: 59_940 };
        assert!(mode.is_valid());
        for wrong in [
            Mode { width: 1921, ..mode },
            Mode { height: 62, ..mode },
            Mode { height: 16_386, ..mode },
            Mode { refresh_mhz: 999, ..mode },
            Mode { refresh_mhz: 1_000_001, ..mode },
        ] {
            assert!(!wrong.is_valid(), "{wrong:?}");
        }
    }

    #[test]
    fn access_is_named_bit_by_bit() {
        let access = Access::VIEW.with(Access::PADS);
        assert_eq!(access.to_string(), "view,pads");
        assert_eq!(Access::NONE.to_string(), "nothing");
        assert!(access.contains(Access::PADS) && !access.contains(Access::KEYBOARD));
        assert_eq!(access.without(Access::VIEW), Access::PADS);
        let all = Access::NAMES.into_iter().fold(Access::NONE, |sum, (name, bit)| {
            assert_eq!(Access::from_name(name), Some(bit));
            sum.with(bit)
        });
        assert_eq!(all, Access::ALL);
        assert_eq!(Access::from_name("root"), None);
    }
}
