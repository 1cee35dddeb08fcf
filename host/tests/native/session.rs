//! From Hello to the end of a session.

use punktfunk_core::input::{Event, pad};
use punktfunk_core::native::wire::control::{Button, Control, Hello, Key, Reconfigure, Start};
use punktfunk_core::native::wire::datagram::{Packets, Sound};
use punktfunk_core::native::wire::{Access, Code, Datagram};
use punktfunk_host::serve::owner::{Answer, Request};
use punktfunk_host::session::{Reason, SessionId};
use punktfunk_net::{Datagrams, Route};

use crate::stage::{Player, RUMBLE, Stage, hello, soon};

fn key(code: u16) -> Control {
    Control::Key(Key { code, down: true })
}

fn heard(id: u64, event: Event) -> String {
    format!("{id} Input({event:?})")
}

fn throw(player: &Player, datagram: &Datagram<'_>) {
    let mut bytes = Vec::new();
    datagram.encode(&mut bytes);
    player.connection.send_datagram(bytes.into()).unwrap();
}

async fn begin(stage: &mut Stage, name: &str) -> Player {
    let mut player = stage.paired(name).await;
    player.play().await;
    assert!(stage.note().await.starts_with("start "));
    assert!(stage.note().await.starts_with("play "));
    player
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_does_reaches_its_session_and_it_leaves_when_it_says_so() {
    let mut stage = Stage::new();
    let mut player = begin(&mut stage, "tv").await;
    player.say(key(30)).await;
    assert_eq!(stage.note().await, heard(1, Event::Key { code: 30, down: true }));
    player.say(Control::Reconfigure(Reconfigure { width: Some(1920), ..Reconfigure::default() })).await;
    assert_eq!(stage.note().await, "reconfigure 1 Some(1920)");
    match player.hear().await {
        Ok(Control::Reconfigured(now)) => assert_eq!((now.epoch, now.mode.width), (4, 1920)),
        other => panic!("{other:?}"),
    }
    player.say(Control::ListApps).await;
    match player.hear().await {
        Ok(Control::Apps(apps)) => assert_eq!(apps.apps[0].title, "Desktop"),
        other => panic!("{other:?}"),
    }
    player.say(Control::Quit).await;
    assert_eq!(stage.note().await, "cancel");
    player.say(Control::Goodbye(punktfunk_core::native::wire::control::Goodbye::default())).await;
    assert_eq!(stage.note().await, "1 Closed { by_client: true }");
    assert_eq!(player.closed().await.0, Code::None);
    assert!(stage.store.clients()[0].seen.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn datagrams_count_only_when_they_are_newer() {
    let mut stage = Stage::new();
    let player = begin(&mut stage, "tv").await;
    let position = |seq, x| Datagram::PointerPosition { seq, x, y: 0 };
    // One at a time: the network itself may change their order.
    throw(&player, &position(5, 65_535));
    assert_eq!(stage.note().await, heard(1, Event::PointerPosition { x: 1.0, y: 0.0 }));
    throw(&player, &position(4, 100));
    throw(&player, &position(5, 200));
    player.connection.send_datagram(vec![0x41, 1].into()).unwrap();
    player.connection.send_datagram(vec![0x7F; 60].into()).unwrap();
    let packets = Packets::new(&[b"opus"]).unwrap();
    throw(&player, &Datagram::Microphone(Sound { seq: 8, timestamp: 0, packets }));
    assert_eq!(stage.note().await, "microphone 1 8", "nothing of the four before");
    throw(&player, &Datagram::PadState { seq: 0, pad: 0, state: pad::State::default() });
    assert!(stage.note().await.starts_with("1 Pad("));
}

/// A click is meant for where the pointer was sent before. The network may change their
/// order, which on the loopback it seldom does; the host must not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_click_does_not_overtake_the_pointer() {
    let mut stage = Stage::new();
    let mut player = begin(&mut stage, "tv").await;
    let mut overtaken = 0;
    for seq in 0..200 {
        throw(&player, &Datagram::PointerPosition { seq, x: 65_535, y: 0 });
        player.say(Control::Button(Button { code: 0x110, down: seq % 2 == 0, pointer: None })).await;
        let both = [stage.note().await, stage.note().await];
        overtaken += u32::from(both[0].contains("PointerButton"));
    }
    assert!(overtaken <= 20, "{overtaken} of 200 clicks came first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_session_says_reaches_the_client() {
    let mut stage = Stage::new();
    let mut player = begin(&mut stage, "tv").await;
    let voice = stage.sessions.voice(1);
    voice.datagram(SessionId(1), b"\x45 sound");
    assert_eq!(&soon(player.connection.read_datagram()).await.unwrap()[..], b"\x45 sound");
    voice.feedback(SessionId(1), 2, RUMBLE);
    // Said at once, and again three times for one that is lost.
    for seq in 0..4 {
        let bytes = soon(player.connection.read_datagram()).await.unwrap();
        match Datagram::parse(punktfunk_core::native::keys::Direction::ToClient, &bytes).unwrap() {
            Datagram::Rumble { seq: got, pad: 2, motors } => {
                assert_eq!((got, motors.low, motors.high), (seq, 7, 9));
            }
            other => panic!("{other:?}"),
        }
    }
    voice.end(SessionId(1), Reason::AppEnded);
    player.ends_with(Code::AppEnded).await;
    // Who ended it needs not be told.
    let mut second = stage.paired("phone").await;
    second.play().await;
    assert!(stage.note().await.starts_with("start 2 phone"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_goes_to_the_sessions_as_it_is() {
    let mut stage = Stage::new();
    let player = begin(&mut stage, "tv").await;
    let to = Route::to(([127, 0, 0, 1], stage.port).into());
    player.endpoint.send_media(Datagrams::one(&[0x82, 1, 2, 3]), to).unwrap();
    assert_eq!(stage.note().await, "media [130, 1, 2, 3]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn access_is_narrowed_in_the_open_session_and_taken_away() {
    let mut stage = Stage::new();
    let mut player = begin(&mut stage, "tv").await;
    let ask = |access: &str| Request::Access { client: "tv".to_owned(), access: access.to_owned() };
    assert!(matches!(stage.ask(ask("view,pointer")).await, Ok(Answer::Changed { .. })));
    assert_eq!(stage.note().await, heard(1, Event::ReleaseAll), "what it holds it could not let go of");
    assert_eq!(stage.note().await, "access 1 view,pointer");
    match player.hear().await {
        Ok(Control::Access(access)) => assert_eq!(access, Access::VIEW.with(Access::POINTER)),
        other => panic!("{other:?}"),
    }
    player.say(key(30)).await;
    player.say(Control::Button(Button { code: 272, down: true, pointer: None })).await;
    assert_eq!(stage.note().await, heard(1, Event::PointerButton { code: 272, down: true }), "and no key");
    player.say(Control::Quit).await;
    match player.hear().await {
        Ok(Control::Refused(refused)) => {
            assert_eq!(refused.code, Code::NotAllowed, "and the session goes on")
        }
        other => panic!("{other:?}"),
    }
    stage.ask(ask("none")).await.unwrap();
    assert_eq!(stage.note().await, heard(1, Event::ReleaseAll), "and nothing was quit");
    player.ends_with(Code::Revoked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_look_gets_no_session() {
    let stage = Stage::new();
    let mut player = stage.paired("tv").await;
    stage.ask(Request::Access { client: "tv".to_owned(), access: "none".to_owned() }).await.unwrap();
    player.say(Control::Hello(hello())).await;
    player.ends_with(Code::NotAllowed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_client_is_told_and_the_others_play_on() {
    let mut stage = Stage::new();
    let mut tv = begin(&mut stage, "tv").await;
    let mut phone = begin(&mut stage, "phone").await;
    let mut waiting = stage.paired("waiting").await;
    waiting.say(Control::ListApps).await;
    assert!(matches!(waiting.hear().await, Ok(Control::Apps(_))));
    for client in ["tv", "waiting"] {
        stage.ask(Request::Revoke { client: client.to_owned() }).await.unwrap();
    }
    tv.ends_with(Code::Revoked).await;
    waiting.ends_with(Code::Revoked).await;
    phone.say(key(31)).await;
    let wanted = heard(2, Event::Key { code: 31, down: true });
    while stage.note().await != wanted {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_whose_time_is_over_is_as_one_that_was_revoked() {
    let mut stage = Stage::new();
    let mut player = begin(&mut stage, "guest").await;
    let added = stage.store.clients()[0].added;
    let expires = Some(added + 2);
    stage.ask(Request::Expire { client: "guest".to_owned(), expires }).await.unwrap();
    player.ends_with(Code::Revoked).await;
    while !stage.note().await.starts_with("revoke") {}
    assert_eq!(stage.store.clients().len(), 1, "the owner still sees it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_connection_takes_the_session_over() {
    let mut stage = Stage::new();
    let identity = crate::stage::identity();
    let id = punktfunk_host::session::ClientId(identity.hash());
    stage.store.pair_native(id, "tv", punktfunk_host::store::PLAY, None).unwrap();
    let mut first = stage.connect(&identity).await;
    let welcome = first.play().await;
    let mut second = stage.connect(&identity).await;
    second.say(Control::Hello(Hello { resume: Some(welcome.session), ..hello() })).await;
    match second.hear().await {
        Ok(Control::Welcome(again)) => {
            assert!(again.resumed);
            assert_ne!(again.media, welcome.media, "drawn anew");
        }
        other => panic!("{other:?}"),
    }
    first.ends_with(Code::Replaced).await;
    second.say(Control::Start(Start { epoch: 3 })).await;
    while stage.note().await != "play 2" {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_stops_says_so() {
    let mut stage = Stage::new();
    let mut playing = begin(&mut stage, "tv").await;
    let mut waiting = stage.paired("phone").await;
    waiting.say(Control::ListApps).await;
    assert!(matches!(waiting.hear().await, Ok(Control::Apps(_))));
    stage.stop().await;
    playing.ends_with(Code::HostStopping).await;
    waiting.ends_with(Code::HostStopping).await;
}
