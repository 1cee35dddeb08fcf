//! Clients that do not keep to the protocol: they are told, and nobody else notices.

use std::net::SocketAddr;

use punktfunk_core::native::wire::control::{Control, Hello, Key, Start};
use punktfunk_core::native::wire::{Access, Code};
use punktfunk_host::session::ClientId;
use punktfunk_host::store::PLAY;
use punktfunk_quic::ConnectError;

use crate::stage::{Stage, closed, hello, identity, soon};

/// Bytes that are no message, by a name: with the code that they are answered with.
fn rubbish() -> Vec<(&'static str, Vec<u8>)> {
    let mut late = Vec::new();
    Control::Access(Access::ALL).encode(&mut late).unwrap();
    vec![
        ("a Hello of 16 KiB", vec![0x01, 0x80, 0x00, 0x40, 0x00]),
        ("a message of 4 EiB", vec![0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        ("an unknown message of 1 MiB", vec![0x3F, 0x80, 0x10, 0x00, 0x00]),
        ("a field that overruns", vec![0x01, 0x03, 0x01, 0x09, 0x01]),
        ("tags out of order", vec![0x01, 0x06, 0x02, 0x01, b'x', 0x01, 0x01, 0x01]),
        ("a Hello of nothing", vec![0x01, 0x00]),
        ("what only a host says", late),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubbish_closes_its_connection_and_disturbs_no_session() {
    let mut stage = Stage::new();
    let mut playing = stage.paired("tv").await;
    playing.play().await;
    while stage.note().await != "play 1" {}
    for (name, bytes) in rubbish() {
        // From a stranger, from a paired client, and from one in the middle of a session.
        let mut stranger = stage.connect(&identity()).await;
        stranger.raw(&bytes).await;
        assert!(!stranger.ends_with(Code::BadMessage).await.is_empty(), "{name}");
        let mut paired = stage.paired(name).await;
        paired.raw(&bytes).await;
        paired.ends_with(Code::BadMessage).await;
        let mut other = stage.paired(name).await;
        other.play().await;
        other.raw(&bytes).await;
        other.ends_with(Code::BadMessage).await;
    }
    playing.say(Control::Key(Key { code: 30, down: true })).await;
    while stage.note().await != "1 Input(Key { code: 30, down: true })" {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_another_time_hears_which_versions_there_are() {
    let stage = Stage::new();
    for mut player in [stage.paired("tv").await, stage.connect(&identity()).await] {
        player.say(Control::Hello(Hello { versions: vec![7, 8], ..hello() })).await;
        match player.hear().await {
            Ok(Control::Refused(refused)) => {
                assert_eq!((refused.code, refused.versions), (Code::Version, vec![1]));
            }
            // On a very busy machine the close overtakes the words.
            Err((code, _)) => assert_eq!(code, Code::Version),
            other => panic!("{other:?}"),
        }
        assert_eq!(player.closed().await.0, Code::Version);
    }
    // A newer client that knows this version as well is served.
    let mut player = stage.paired("phone").await;
    player.say(Control::Hello(Hello { versions: vec![9, 1], ..hello() })).await;
    assert!(matches!(player.hear().await, Ok(Control::Welcome(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_in_the_wrong_place_end_the_connection() {
    let mut stage = Stage::new();
    for message in [Control::Start(Start { epoch: 3 }), Control::Key(Key { code: 30, down: true })] {
        let mut player = stage.paired("early").await;
        player.say(message).await;
        player.ends_with(Code::BadMessage).await;
    }
    for twice in [Control::Hello(hello()), Control::Start(Start { epoch: 3 })] {
        let mut player = stage.paired("twice").await;
        player.play().await;
        player.say(twice).await;
        player.ends_with(Code::BadMessage).await;
        while !stage.note().await.ends_with("Closed { by_client: false }") {}
    }
    let mut player = stage.paired("wrong epoch").await;
    player.say(Control::Hello(hello())).await;
    assert!(matches!(player.hear().await, Ok(Control::Welcome(_))));
    player.say(Control::Start(Start { epoch: 9 })).await;
    player.ends_with(Code::BadMessage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_started_is_refused_by_name() {
    let stage = Stage::new();
    for (change, code) in [
        (Hello { app: Some(99), ..hello() }, Code::NoSuchApp),
        (Hello { app: Some(98), ..hello() }, Code::Failed),
        (Hello { aeads: Vec::new(), ..hello() }, Code::Unsupported),
    ] {
        let mut player = stage.paired("tv").await;
        player.say(Control::Hello(change)).await;
        player.ends_with(code).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_gets_sixteen_connections_and_strangers_take_none_of_them() {
    let stage = Stage::new();
    let own = identity();
    stage.store.pair_native(ClientId(own.hash()), "greedy", PLAY, None).unwrap();
    let mut held = Vec::new();
    for _ in 0..16 {
        let mut player = stage.connect(&own).await;
        player.say(Control::ListApps).await;
        assert!(matches!(player.hear().await, Ok(Control::Apps(_))));
        held.push(player);
    }
    let (_endpoint, one_more) = stage.meet(([127, 0, 0, 1], stage.port).into(), &own).await.unwrap();
    assert_eq!(closed(&one_more).await.0, Code::Busy);
    drop(held.pop());
    // Strangers have places of their own; one is kept free for who is about to show itself.
    let mut strangers = Vec::new();
    for _ in 0..7 {
        strangers.push(stage.connect(&identity()).await);
    }
    let mut paired = stage.paired("tv").await;
    paired.say(Control::ListApps).await;
    assert!(matches!(paired.hear().await, Ok(Control::Apps(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_ends_nothing_but_itself() {
    let mut stage = Stage::new();
    let mut deaf = stage.paired("deaf").await;
    let mut playing = stage.paired("tv").await;
    playing.play().await;
    // More answers than any buffer holds; the stream is pressed back on.
    let mut asked = Vec::new();
    for _ in 0..5_000 {
        Control::ListApps.encode(&mut asked).unwrap();
    }
    let asking = tokio::spawn(async move {
        let _ = deaf.send.write_all(&asked).await;
        deaf
    });
    playing.say(Control::Key(Key { code: 30, down: true })).await;
    while stage.note().await != "1 Input(Key { code: 30, down: true })" {}
    stage.stop().await;
    drop(soon(asking).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_strangers_is_turned_away_and_disturbs_no_session() {
    let mut stage = Stage::new();
    let mut playing = stage.paired("tv").await;
    playing.play().await;
    while stage.note().await != "play 1" {}
    let address = ([127, 0, 0, 1], stage.port).into();
    let mut inside = Vec::new();
    for _ in 0..8 {
        inside.push(stage.connect(&identity()).await);
    }
    for _ in 0..20 {
        let refused = stage.try_connect(address, &identity()).await;
        assert!(matches!(refused, Err(ConnectError::Refused)));
    }
    playing.say(Control::Key(Key { code: 30, down: true })).await;
    while stage.note().await != "1 Input(Key { code: 30, down: true })" {}
    // Who goes makes room, as soon as the host noticed.
    for player in inside {
        player.connection.close(0_u32.into(), b"");
    }
    while stage.try_connect(address, &identity()).await.is_err() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_gamestream_its_ports_are_closed() {
    let stage = Stage::new();
    for distance in [0, 21] {
        let address = SocketAddr::new(stage.http().ip(), stage.http().port() + distance);
        let error = std::net::TcpStream::connect(address).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused, "{address}");
    }
}
