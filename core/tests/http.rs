//! The HTTP documents, from both ends.

use punktfunk_core::gamestream::http::{
    self, App, DisplayMode, HostFacts, LaunchArgs, LaunchArgsError, Mode, Port, Query, ServerInfo,
    SessionUrl, Surround, Verb, codec_mode,
};
use punktfunk_core::gamestream::xml::{Document, Error};

fn facts() -> HostFacts {
    HostFacts {
        hostname: "living <room> & more".to_owned(),
        unique_id: "8f2b6e0c-77aa-4a0b-9a52-0123456789ab".to_owned(),
        https_port: 47984,
        http_port: 47989,
        local_ip: "192.168.1.7".parse().unwrap(),
        mac: Some([2, 0, 0, 0xAB, 0xCD, 0xEF]),
        codec_mode_support: codec_mode::H264 | codec_mode::HEVC,
        max_luma_hevc: http::MAX_LUMA_HEVC,
        display_modes: vec![DisplayMode { width: 1920, height: 1080, refresh: 60 }],
    }
}

#[test]
fn plain_http_tells_neither_state_nor_hardware_address() {
    let text = ServerInfo::for_http(facts()).document();
    let document = Document::parse_ok(&text).unwrap();
    assert_eq!(document.text("PairStatus"), Some("0"));
    assert_eq!(document.text("currentgame"), Some("0"));
    assert_eq!(document.text("state"), Some("SUNSHINE_SERVER_FREE"));
    assert_eq!(document.text("mac"), Some("00:00:00:00:00:00"));
    assert_eq!(document.text("appversion"), Some("7.1.431.-1"));
    assert!(!text.contains("MJOLNIR"));
}

#[test]
fn a_paired_client_reads_what_the_host_wrote() {
    for running in [None, Some(7)] {
        let info = ServerInfo::for_paired(facts(), running);
        assert_eq!(ServerInfo::parse(&info.document()), Ok(info.clone()));
        assert_eq!(info.running_app(), running);
    }
    let ended = "<root status_code=\"200\"><appversion>7.1.431.-1</appversion><state>SUNSHINE_SERVER_FREE\
                 </state><currentgame>5</currentgame><PairStatus>1</PairStatus></root>";
    assert_eq!(ServerInfo::parse(ended).unwrap().running_app(), None);
}

#[test]
fn an_ipv6_host_names_an_address_that_clients_ignore() {
    let host = HostFacts { local_ip: "fe80::1".parse().unwrap(), ..facts() };
    let document = Document::parse_ok(&ServerInfo::for_paired(host, None).document()).unwrap();
    assert_eq!(document.text("LocalIP"), Some("127.0.0.1"));
    let host = HostFacts { local_ip: "::ffff:10.0.0.4".parse().unwrap(), ..facts() };
    let document = Document::parse_ok(&ServerInfo::for_paired(host, None).document()).unwrap();
    assert_eq!(document.text("LocalIP"), Some("10.0.0.4"));
}

#[test]
fn every_verb_has_its_ports() {
    for verb in Verb::ALL {
        assert_eq!(Verb::from_path(&format!("/{}", verb.name())), Some(verb));
    }
    let http: Vec<_> = Verb::ALL.into_iter().filter(|v| v.allowed(Port::Http)).collect();
    assert_eq!(http, [Verb::ServerInfo, Verb::Pair, Verb::Unpair]);
    assert!(Verb::Launch.allowed(Port::Https) && !Verb::Unpair.allowed(Port::Https));
    assert_eq!(Verb::from_path("/serverinfo/"), None);
}

#[test]
fn the_application_list_survives() {
    let app = |id, title: &str| App { id, title: title.to_owned(), hdr: id == 2 };
    let apps = vec![app(1, "Test card"), app(2, "Cat & <Mouse>")];
    assert_eq!(http::parse_applist(&http::applist(&apps)), Ok(apps));
    assert_eq!(http::parse_applist(&http::applist(&[])), Ok(vec![]));
    let no_title = "<root status_code=\"200\"><App><ID>3</ID></App></root>";
    assert_eq!(http::parse_applist(no_title), Err(Error::Missing("AppTitle")));
}

fn args() -> LaunchArgs {
    LaunchArgs {
        app: Some(3),
        mode: Some(Mode { width: 1920, height: 1080, fps: 120 }),
        key: std::array::from_fn(|n| n as u8),
        key_id: -123_456_789,
        core_version: 1,
        play_locally: true,
        surround: Surround { channels: 6, mask: 63 },
        optimize_settings: true,
        hdr: true,
        gamepads: 5,
    }
}

fn query_of(target: &str) -> Query {
    Query::parse(target.split_once('?').unwrap().1).unwrap()
}

#[test]
fn the_host_reads_the_launch_a_client_writes() {
    for args in [args(), LaunchArgs { core_version: 0, hdr: false, surround: Surround::STEREO, ..args() }] {
        let target = args.request_target(Verb::Launch, "0123456789ABCDEF", "1");
        assert_eq!(LaunchArgs::parse(Verb::Launch, &query_of(&target)), Ok(args));
    }
    let target = args().request_target(Verb::Launch, "x", "1");
    assert!(target.contains("surroundAudioInfo=4128774") && target.contains("rikeyid=-123456789"));
    assert!(!format!("{:?}", args()).contains("key"));
}

#[test]
fn launches_that_make_no_sense_are_refused() {
    let parse = |verb, text: &str| LaunchArgs::parse(verb, &Query::parse(text).unwrap());
    let key = "rikey=000102030405060708090A0B0C0D0E0F&rikeyid=4294967295";
    assert_eq!(parse(Verb::Resume, key).unwrap().key_id, -1);
    assert_eq!(parse(Verb::Launch, key), Err(LaunchArgsError::Missing("appid")));
    let launch = |mode: &str| parse(Verb::Launch, &format!("appid=1&mode={mode}&{key}"));
    assert!(launch("64x64x1").is_ok() && launch("8192x8192x480").is_ok());
    for mode in ["", "1920x1080", "0x0x0", "1920x1080x60x1", "99999x64x60", "-1x64x60", "64x64x481"] {
        assert!(matches!(launch(mode), Err(LaunchArgsError::Bad("mode", _))), "{mode}");
    }
    for bad in ["rikey=00&rikeyid=1", "rikey=zz0102030405060708090A0B0C0D0E0F&rikeyid=1"] {
        assert!(matches!(parse(Verb::Resume, bad), Err(LaunchArgsError::Bad("rikey", _))));
    }
    let bad = format!("surroundAudioInfo=196611&{key}");
    assert!(matches!(parse(Verb::Resume, &bad), Err(LaunchArgsError::Bad("surroundAudioInfo", _))));
}

#[test]
fn session_urls_bracket_ipv6() {
    let url = SessionUrl { encrypted: true, address: "[fd00::2]:48010".parse().unwrap() };
    assert_eq!(url.to_string(), "rtspenc://[fd00::2]:48010");
    for verb in [Verb::Launch, Verb::Resume] {
        assert_eq!(http::parse_launch(verb, &http::launch_answer(verb, url)), Ok(url));
    }
    let mapped = SessionUrl { encrypted: false, address: "[::ffff:10.0.0.4]:48010".parse().unwrap() };
    assert_eq!(mapped.to_string(), "rtsp://10.0.0.4:48010");
    for bad in ["", "http://1.2.3.4:5", "rtsp://1.2.3.4", "rtsp://:48010", "rtsp://1.2.3.4:99999"] {
        assert_eq!(SessionUrl::parse(bad), None, "{bad}");
    }
}

#[test]
fn errors_travel_inside_the_document() {
    let refused = |code, message: &str| Err(Error::Refused { code, message: message.to_owned() });
    assert_eq!(http::parse_launch(Verb::Launch, &http::error(503, "no screen")), refused(503, "no screen"));
    let document = Document::parse(&http::unauthorized(Verb::AppList)).unwrap();
    assert_eq!(document.status_code(), 401);
    assert!(http::unauthorized(Verb::AppList).contains("query=\"/applist\""));
    assert_eq!(http::parse_cancel(&http::cancel_answer(true)), Ok(true));
    assert_eq!(http::parse_cancel(&http::cancel_answer(false)), Ok(false));
}
