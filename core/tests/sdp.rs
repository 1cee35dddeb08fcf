//! DESCRIBE and ANNOUNCE payloads from both ends.

use proptest::prelude::*;
use punktfunk_core::gamestream::sdp::{
    Codec, ColorSpace, Layout, Offer, SURROUND_PARAMS, SdpError, StreamConfig,
};

fn parse(text: &str) -> Result<StreamConfig, SdpError> {
    StreamConfig::from_announce(text.as_bytes())
}

#[test]
fn what_stock_clients_send_is_read() {
    let text = "v=0\r\no=android 0 14 IN IPv4 10.0.0.1\r\ns=NVIDIA Streaming Client\r\n\
        a=x-ml-general.featureFlags:3 \r\na=x-ss-general.encryptionEnabled:3 \r\n\
        a=x-nv-video[0].clientViewportWd:1920 \r\na=x-nv-video[0].clientViewportHt:1080 \r\n\
        a=x-nv-video[0].maxFPS:60 \r\na=x-nv-video[0].packetSize:1360 \r\n\
        a=x-nv-vqos[0].bw.maximumBitrateKbps:16000 \r\na=x-ml-video.configuredBitrateKbps:20000 \r\n\
        a=x-nv-general.featureFlags:167 \r\na=x-nv-vqos[0].bitStreamFormat:1 \r\n\
        a=x-nv-video[0].encoderCscMode:3 \r\na=x-nv-vqos[0].drc.tableType:2 \r\nt=0 0\r\nm=video 47998  \r\n";
    let config = parse(text).unwrap();
    assert_eq!((config.width, config.height, config.fps, config.packet_size), (1920, 1080, 60, 1360));
    assert_eq!((config.bitrate_kbps, config.codec), (20_000, Codec::Hevc));
    assert_eq!((config.color_space, config.full_range), (ColorSpace::Rec709, true));
    assert!(config.control_v2 && config.encrypt_video && config.ping_payload && config.fec_status);
    // Bit 0x20 of the feature flags alone.
    assert!(config.encrypt_audio);
}

#[test]
fn an_empty_announce_has_a_default_for_everything() {
    let config = parse("").unwrap();
    assert_eq!((config.width, config.height, config.fps, config.packet_size), (1280, 720, 60, 1024));
    assert_eq!((config.audio_channels, config.audio_packet_ms, config.slices), (2, 5, 1));
    assert!(!config.control_v2 && !config.encrypt_audio && !config.ping_payload);
    assert_eq!(parse("a=x-nv-vqos[0].bw.maximumBitrateKbps:5000").unwrap().bitrate_kbps, 5000);
}

#[test]
fn absurd_values_are_refused_by_name() {
    for (name, values) in [
        ("x-nv-video[0].clientViewportWd", ["63", "0", "9000", "8193"]),
        ("x-nv-video[0].clientViewportHt", ["62", "0", "8194", "4294967295"]),
        ("x-nv-video[0].maxFPS", ["0", "481", "4294967295", "1000"]),
        ("x-nv-video[0].packetSize", ["0", "240", "1000", "1408"]),
        ("x-ml-video.configuredBitrateKbps", ["0", "99", "1000001", "4294967295"]),
        ("x-nv-vqos[0].bitStreamFormat", ["3", "4", "5", "6"]),
        ("x-nv-video[0].encoderCscMode", ["6", "7", "8", "9"]),
        ("x-nv-audio.surround.numChannels", ["0", "1", "4", "9"]),
        ("x-nv-vqos[0].fec.minRequiredFecPackets", ["65", "255", "256", "1000"]),
    ] {
        for value in values {
            let result = parse(&format!("a={name}:{value} \r\n"));
            let named = matches!(&result, Err(SdpError::OutOfBounds { name: n, .. }) if *n == name);
            assert!(named, "{name}:{value} gave {result:?}");
        }
        assert!(matches!(parse(&format!("a={name}:x")), Err(SdpError::NotANumber(_))));
        assert!(matches!(parse(&format!("a={name}:-1")), Err(SdpError::NotANumber(_))));
    }
    assert_eq!(StreamConfig::from_announce(&[0xFF]), Err(SdpError::Unreadable));
}

#[test]
fn an_odd_size_is_taken_as_it_is() {
    let config =
        parse("a=x-nv-video[0].clientViewportWd:853 \r\na=x-nv-video[0].clientViewportHt:479 \r\n").unwrap();
    assert_eq!((config.width, config.height), (853, 479));
}

#[test]
fn the_packet_duration_is_the_nearest_possible() {
    for (asked, given) in [("0", 5), ("2", 5), ("5", 5), ("7", 5), ("8", 10), ("10", 10), ("60", 10)] {
        let config = parse(&format!("a=x-nv-aqos.packetDuration:{asked} \r\n")).unwrap();
        assert_eq!(config.audio_packet_ms, given, "asked for {asked} ms");
    }
    let malformed = parse("a=x-nv-aqos.packetDuration:x");
    assert!(matches!(malformed, Err(SdpError::NotANumber(_))));
}

#[test]
fn clients_decode_each_layout_channel_by_channel() {
    let offer = Offer { layouts: Offer::all_layouts(), ..Offer::default() };
    let offer = Offer::parse(&offer.to_text());
    for (channels, high_quality, streams, coupled) in [
        (2, false, 1, 1),
        (2, true, 1, 1),
        (6, false, 4, 2),
        (6, true, 6, 0),
        (8, false, 5, 3),
        (8, true, 8, 0),
    ] {
        let layout = offer.decoded_layout(channels, high_quality).unwrap();
        assert_eq!((layout.channels, layout.streams, layout.coupled), (channels, streams, coupled));
        let identity: Vec<u8> = (0..channels).collect();
        assert_eq!(layout.mapping[..usize::from(channels)], identity, "{channels} channels, {high_quality}");
        let ours = Layout::of(channels, high_quality).unwrap();
        assert_eq!((ours.streams, ours.coupled), (streams, coupled));
    }
    assert_eq!(Layout::of(4, false), None);
    // A host that names no layouts.
    let bare = Offer::default();
    assert_eq!(bare.decoded_layout(6, false).unwrap().mapping[..6], [0, 4, 1, 5, 2, 3]);
    assert_eq!(bare.decoded_layout(8, false), None);
}

#[test]
fn the_layouts_are_read_back() {
    let layouts = Offer::all_layouts();
    let texts: Vec<_> = layouts.iter().map(Layout::to_string).collect();
    assert_eq!(texts, SURROUND_PARAMS);
    for bad in ["", "2", "21", "211", "2110", "21109", "931012345678", "20101", "2120"] {
        assert_eq!(Layout::parse(bad), None, "{bad}");
    }
}

proptest! {
    #[test]
    fn an_offer_survives(
        flags in any::<[bool; 5]>(),
        bits in (0u32..8, 0u32..8),
        layouts in 0usize..=5,
    ) {
        let [touch, gamepad_extras, invalidation, hevc, av1] = flags;
        let (encryption_supported, encryption_requested) = bits;
        let layouts = Offer::all_layouts().into_iter().take(layouts).collect();
        let offer = Offer {
            touch, gamepad_extras, encryption_supported, encryption_requested, invalidation, hevc, av1, layouts,
        };
        prop_assert_eq!(Offer::parse(&offer.to_text()), offer);
    }

    #[test]
    fn an_announce_survives(
        size in (32u32..=4096, 32u32..=4096, 1u32..=480, 16usize..=87),
        rate in (100u32..=1_000_000, 1u32..=64, 0u32..=16, 0usize..=64),
        choice in (0usize..3, 0usize..3, 0usize..3, 0usize..2),
        flags in any::<[bool; 10]>(),
        host in "[0-9.:a-f]{1,20}",
    ) {
        let [full_range, ten_bit, chroma_444, audio_high_quality, control_v2, encrypt_video, encrypt_audio,
            ping_payload, fec_status, qos] = flags;
        let config = StreamConfig {
            width: size.0 * 2,
            height: size.1 * 2,
            fps: size.2,
            packet_size: size.3 * 16,
            bitrate_kbps: rate.0,
            slices: rate.1,
            reference_frames: rate.2,
            min_parity: rate.3,
            codec: [Codec::H264, Codec::Hevc, Codec::Av1][choice.0],
            color_space: [ColorSpace::Rec601, ColorSpace::Rec709, ColorSpace::Rec2020][choice.1],
            audio_channels: [2, 6, 8][choice.2],
            audio_packet_ms: [5, 10][choice.3],
            full_range, ten_bit, chroma_444, audio_high_quality, control_v2, encrypt_video, encrypt_audio,
            ping_payload, fec_status, qos,
        };
        prop_assert_eq!(parse(&config.to_announce(&host, 47998)), Ok(config));
    }

    #[test]
    fn reading_anything_never_panics(bytes: Vec<u8>, text: String) {
        let _ = StreamConfig::from_announce(&bytes);
        let _ = Offer::parse(&text);
        let _ = Offer::parse(&format!("surround-params={text}"));
        let _ = Layout::parse(&text);
    }
}
