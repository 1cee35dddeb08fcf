//! The DESCRIBE payload: what the host can do (sheet, section 6.1). Clients search
//! it for substrings; order and everything else mean nothing.

use std::fmt;

/// Bits of `encryptionSupported`, `encryptionRequested` and `encryptionEnabled`.
pub mod encryption {
    /// Control messages, version 2.
    pub const CONTROL_V2: u32 = 1;
    /// Video datagrams.
    pub const VIDEO: u32 = 2;
    /// Audio payloads.
    pub const AUDIO: u32 = 4;
}

/// The Opus layouts of this host, for identity encoder mappings: stereo, 5.1 normal
/// and high, 7.1 normal and high. A normal layout names the LFE last, because the
/// client moves it.
pub const SURROUND_PARAMS: [&str; 5] = ["21101", "642012453", "660012345", "85301245673", "88001234567"];

/// One Opus layout, `surround-params`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Channels, 1..=8.
    pub channels: u8,
    /// Opus streams.
    pub streams: u8,
    /// How many of them are stereo.
    pub coupled: u8,
    /// Which decoded channel each output takes; `channels` entries count.
    pub mapping: [u8; 8],
}

impl Layout {
    /// The layout that this host codes `channels` in; `None` for counts other than
    /// 2, 6 and 8. The encoder's own mapping is the identity.
    pub fn of(channels: u8, high_quality: bool) -> Option<Self> {
        let layouts = Offer::all_layouts();
        let mut of_count = layouts.into_iter().filter(|layout| layout.channels == channels);
        let normal = of_count.next()?;
        Some(if high_quality { of_count.next().unwrap_or(normal) } else { normal })
    }

    /// What a client decodes with. Surround of normal quality names the LFE last;
    /// clients move it to its place, the fourth (sheet, section 6.1).
    pub fn as_decoded(mut self, high_quality: bool) -> Self {
        let channels = usize::from(self.channels);
        if !high_quality
            && let Some(tail) = self.mapping.get_mut(3..channels)
            && !tail.is_empty()
        {
            tail.rotate_right(1);
        }
        self
    }

    /// Reads one digit per value: channels, streams, coupled streams, mapping.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> =
            text.bytes().map_while(|b| b.is_ascii_digit().then(|| b.wrapping_sub(b'0'))).take(11).collect();
        let (&[channels, streams, coupled], map) = digits.split_first_chunk::<3>()?;
        let map = map.get(..usize::from(channels))?;
        if !(1..=8).contains(&channels) || streams == 0 || coupled > streams {
            return None;
        }
        if map.iter().any(|&index| index >= streams + coupled) {
            return None;
        }
        let mut mapping = [0; 8];
        mapping.get_mut(..map.len())?.copy_from_slice(map);
        Some(Self { channels, streams, coupled, mapping })
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.channels, self.streams, self.coupled)?;
        self.mapping.iter().take(usize::from(self.channels)).try_for_each(|index| write!(f, "{index}"))
    }
}

/// What a host offers in DESCRIBE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Pen and touch events are accepted.
    pub touch: bool,
    /// Touch and motion events of gamepads are accepted.
    pub gamepad_extras: bool,
    /// [`encryption`] bits that can be had. Always offer control v2.
    pub encryption_supported: u32,
    /// [`encryption`] bits the client must use.
    pub encryption_requested: u32,
    /// Reference frames can be invalidated.
    pub invalidation: bool,
    /// HEVC can be had.
    pub hevc: bool,
    /// AV1 can be had.
    pub av1: bool,
    /// Opus layouts; of one channel count the normal one first, the high-quality
    /// one second.
    pub layouts: Vec<Layout>,
}

impl Offer {
    /// The layouts of [`SURROUND_PARAMS`].
    pub fn all_layouts() -> Vec<Layout> {
        SURROUND_PARAMS.iter().filter_map(|text| Layout::parse(text)).collect()
    }

    /// The layout a stock client decodes `channels` with after it read this offer.
    /// `None`: it gives up.
    pub fn decoded_layout(&self, channels: u8, high_quality: bool) -> Option<Layout> {
        if channels == 2 {
            return Layout::of(2, false);
        }
        let mut of_count = self.layouts.iter().filter(|layout| layout.channels == channels);
        let found = of_count.nth(usize::from(high_quality)).copied();
        let fallback = Layout { channels: 6, streams: 4, coupled: 2, mapping: [0, 4, 1, 5, 2, 3, 0, 0] };
        let found = found.map(|layout| layout.as_decoded(high_quality));
        found.or((channels == 6).then_some(fallback))
    }

    /// The DESCRIBE payload.
    pub fn to_text(&self) -> String {
        let features = u32::from(self.touch) | u32::from(self.gamepad_extras) << 1;
        let mut out = format!(
            "a=x-ss-general.featureFlags:{features}\r\n\
             a=x-ss-general.encryptionSupported:{}\r\n\
             a=x-ss-general.encryptionRequested:{}\r\n",
            self.encryption_supported, self.encryption_requested
        );
        if self.invalidation {
            out.push_str("a=x-nv-video[0].refPicInvalidation:1\r\n");
        }
        if self.hevc {
            out.push_str("sprop-parameter-sets=AAAAAU\r\n");
        }
        if self.av1 {
            out.push_str("a=rtpmap:98 AV1/90000\r\n");
        }
        for layout in &self.layouts {
            out.push_str(&format!("a=fmtp:97 surround-params={layout}\r\n"));
        }
        out
    }

    /// Reads a DESCRIBE payload as clients do: by substrings.
    pub fn parse(text: &str) -> Self {
        let features = number(text, "x-ss-general.featureFlags:");
        Self {
            touch: features & 1 != 0,
            gamepad_extras: features & 2 != 0,
            encryption_supported: number(text, "x-ss-general.encryptionSupported:"),
            encryption_requested: number(text, "x-ss-general.encryptionRequested:"),
            invalidation: text.contains("x-nv-video[0].refPicInvalidation"),
            hevc: text.contains("sprop-parameter-sets=AAAAAU"),
            av1: text.contains("AV1/90000"),
            layouts: text.split("surround-params=").skip(1).take(16).filter_map(Layout::parse).collect(),
        }
    }
}

fn number(text: &str, name: &str) -> u32 {
    let Some((_, rest)) = text.split_once(name) else {
        return 0;
    };
    let (radix, digits) = rest.strip_prefix("0x").map_or((10, rest), |hex| (16, hex));
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    digits.get(..end).and_then(|d| u32::from_str_radix(d, radix).ok()).unwrap_or(0)
}
