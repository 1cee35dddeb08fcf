//! What a host tells about itself (sheet, sections 2.3 and 2.4).

use std::net::{IpAddr, Ipv4Addr};

use crate::gamestream::xml::{Document, Error, Writer};

/// Selects encrypted control, one PLAY and every extension of the sheet.
const APP_VERSION: &str = "7.1.431.-1";
const GFE_VERSION: &str = "3.23.0.74";

/// `MaxLumaPixelsHEVC` of a host that encodes HEVC; 0 of one that does not.
pub const MAX_LUMA_HEVC: u64 = 1_869_449_984;

/// Bits of `ServerCodecModeSupport`. A mask of 0 makes clients refuse to start.
pub mod codec_mode {
    use crate::gamestream::sdp::Codec;

    /// H.264, 8 bit.
    pub const H264: u32 = 0x1;
    /// HEVC Main.
    pub const HEVC: u32 = 0x100;
    /// HEVC Main 10.
    pub const HEVC_MAIN10: u32 = 0x200;
    /// AV1 Main, 8 bit.
    pub const AV1: u32 = 0x1_0000;
    /// AV1 Main, 10 bit.
    pub const AV1_MAIN10: u32 = 0x2_0000;
    /// H.264 High 4:4:4, 8 bit.
    pub const H264_444: u32 = 0x4_0000;
    /// HEVC RExt 4:4:4, 8 bit.
    pub const HEVC_444: u32 = 0x8_0000;
    /// HEVC RExt 4:4:4, 10 bit.
    pub const HEVC_444_10: u32 = 0x10_0000;
    /// AV1 High 4:4:4, 8 bit.
    pub const AV1_444: u32 = 0x20_0000;
    /// AV1 High 4:4:4, 10 bit.
    pub const AV1_444_10: u32 = 0x40_0000;

    /// Any kind of HEVC.
    pub const ANY_HEVC: u32 = HEVC | HEVC_MAIN10 | HEVC_444 | HEVC_444_10;
    /// Any kind of AV1.
    pub const ANY_AV1: u32 = AV1 | AV1_MAIN10 | AV1_444 | AV1_444_10;

    /// Every kind of picture there is a bit for: codec, 10 bit, 4:4:4, and the bit.
    pub const ALL: [(Codec, bool, bool, u32); 10] = [
        (Codec::H264, false, false, H264),
        (Codec::H264, false, true, H264_444),
        (Codec::Hevc, false, false, HEVC),
        (Codec::Hevc, true, false, HEVC_MAIN10),
        (Codec::Hevc, false, true, HEVC_444),
        (Codec::Hevc, true, true, HEVC_444_10),
        (Codec::Av1, false, false, AV1),
        (Codec::Av1, true, false, AV1_MAIN10),
        (Codec::Av1, false, true, AV1_444),
        (Codec::Av1, true, true, AV1_444_10),
    ];

    /// The bit of one kind of picture; `None` for 10-bit H.264, which no client asks for.
    pub fn bit(codec: Codec, ten_bit: bool, chroma_444: bool) -> Option<u32> {
        let found = ALL.iter().find(|(c, ten, full, _)| (*c, *ten, *full) == (codec, ten_bit, chroma_444));
        found.map(|(.., bit)| *bit)
    }
}

/// A picture format the host lists. The list only informs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisplayMode {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Hz.
    pub refresh: u32,
}

/// What does not depend on who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFacts {
    /// The name users see.
    pub hostname: String,
    /// A UUID that stays the same: clients key the host by it.
    pub unique_id: String,
    /// TCP port of HTTPS.
    pub https_port: u16,
    /// TCP port of HTTP (`ExternalPort`).
    pub http_port: u16,
    /// The local address the request came to.
    pub local_ip: IpAddr,
    /// For Wake-on-LAN; told to paired clients only.
    pub mac: Option<[u8; 6]>,
    /// A mask of [`codec_mode`] bits, never 0.
    pub codec_mode_support: u32,
    /// [`MAX_LUMA_HEVC`] or 0.
    pub max_luma_hevc: u64,
    /// May be empty.
    pub display_modes: Vec<DisplayMode>,
}

/// A `/serverinfo` answer: the facts and what the one who asks may know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    host: HostFacts,
    paired: bool,
    current_game: u32,
}

impl ServerInfo {
    /// For plain HTTP: always free and unpaired, no hardware address, whatever is
    /// running. A host reveals only what the protocol needs before pairing.
    pub fn for_http(mut host: HostFacts) -> Self {
        host.mac = None;
        Self { host, paired: false, current_game: 0 }
    }

    /// For HTTPS with the certificate of a paired client.
    pub fn for_paired(host: HostFacts, running_app: Option<u32>) -> Self {
        Self { host, paired: true, current_game: running_app.unwrap_or(0) }
    }

    /// The facts.
    pub fn host(&self) -> &HostFacts {
        &self.host
    }

    /// `PairStatus`.
    pub fn paired(&self) -> bool {
        self.paired
    }

    /// The application that runs.
    pub fn running_app(&self) -> Option<u32> {
        (self.current_game != 0).then_some(self.current_game)
    }

    /// The answer to `/serverinfo`.
    pub fn document(&self) -> String {
        let host = &self.host;
        let busy = self.current_game != 0;
        let mac = host.mac.unwrap_or_default().map(|byte| format!("{byte:02x}")).join(":");
        // The element carries IPv4 only; clients ignore 127.x.
        let local_ip = match host.local_ip.to_canonical() {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(_) => Ipv4Addr::LOCALHOST,
        };
        let mut writer = Writer::new();
        writer
            .element("hostname", &host.hostname)
            .element("appversion", APP_VERSION)
            .element("GfeVersion", GFE_VERSION)
            .element("uniqueid", &host.unique_id)
            .element("HttpsPort", host.https_port)
            .element("ExternalPort", host.http_port)
            .element("mac", mac)
            .element("LocalIP", local_ip)
            .element("ServerCodecModeSupport", host.codec_mode_support.max(codec_mode::H264))
            .element("MaxLumaPixelsHEVC", host.max_luma_hevc)
            .element("PairStatus", u8::from(self.paired))
            .element("currentgame", self.current_game)
            .element("state", if busy { "SUNSHINE_SERVER_BUSY" } else { "SUNSHINE_SERVER_FREE" });
        if !host.display_modes.is_empty() {
            writer.open("SupportedDisplayMode");
            for mode in &host.display_modes {
                writer
                    .open("DisplayMode")
                    .element("Width", mode.width)
                    .element("Height", mode.height)
                    .element("RefreshRate", mode.refresh)
                    .close();
            }
            writer.close();
        }
        writer.finish()
    }

    /// Reads a `/serverinfo` answer, as a client does.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let document = Document::parse_ok(text)?;
        document.required("appversion")?;
        let busy = document.required("state")?.ends_with("_SERVER_BUSY");
        let current_game: u32 = document.number("currentgame")?;
        let port = |name, default| document.number(name).ok().filter(|&port| port != 0).unwrap_or(default);
        let host = HostFacts {
            hostname: document.text("hostname").unwrap_or_default().to_owned(),
            unique_id: document.text("uniqueid").unwrap_or_default().to_owned(),
            https_port: port("HttpsPort", 47984),
            http_port: port("ExternalPort", 47989),
            local_ip: document.number("LocalIP").unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            mac: document.text("mac").and_then(parse_mac),
            codec_mode_support: document.number("ServerCodecModeSupport").unwrap_or(codec_mode::H264),
            max_luma_hevc: document.number("MaxLumaPixelsHEVC").unwrap_or(0),
            display_modes: display_modes(&document),
        };
        let paired = document.number::<u32>("PairStatus")? == 1;
        // A game counts only while the state says busy (sheet, trap 10).
        Ok(Self { host, paired, current_game: if busy { current_game } else { 0 } })
    }
}

fn display_modes(document: &Document) -> Vec<DisplayMode> {
    let mode = |group: crate::gamestream::xml::Group<'_>| {
        let number = |name| group.text(name)?.trim().parse().ok();
        Some(DisplayMode {
            width: number("Width")?,
            height: number("Height")?,
            refresh: number("RefreshRate")?,
        })
    };
    document.groups("DisplayMode").filter_map(mode).collect()
}

/// The bytes of `aa:bb:..`, `None` when unreadable or all zero.
fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let bytes = text.split(':').map(|part| u8::from_str_radix(part, 16).ok()).collect::<Option<Vec<_>>>()?;
    <[u8; 6]>::try_from(bytes).ok().filter(|mac| *mac != [0; 6])
}

#[cfg(test)]
mod tests {
    use super::codec_mode::{ALL, ANY_AV1, ANY_HEVC, bit};
    use crate::gamestream::sdp::Codec;

    #[test]
    fn every_kind_of_picture_has_its_bit() {
        let bits: Vec<_> = ALL.iter().map(|(.., bit)| *bit).collect();
        let sheet =
            [0x1, 0x4_0000, 0x100, 0x200, 0x8_0000, 0x10_0000, 0x1_0000, 0x2_0000, 0x20_0000, 0x40_0000];
        assert_eq!(bits, sheet);
        let of = |codec| ALL.iter().filter(|(c, ..)| *c == codec).fold(0, |mask, (.., bit)| mask | bit);
        assert_eq!((of(Codec::Hevc), of(Codec::Av1)), (ANY_HEVC, ANY_AV1));
        assert_eq!((bit(Codec::Hevc, true, false), bit(Codec::H264, true, false)), (Some(0x200), None));
    }
}
