//! The owner's handle: devices, windows and knocks, and what is told of them.

use std::time::{Duration, Instant};

use punktfunk_core::native::pairing::{Password, Pin};
use punktfunk_core::native::wire::control::Control;
use punktfunk_core::native::wire::{Access, Code};
use punktfunk_host::serve::front::{FrontError, Terms};
use punktfunk_host::serve::{Front, Notice};
use punktfunk_host::session::ClientId;
use punktfunk_host::store::PLAY;
use tokio::sync::broadcast::Receiver;

use crate::stage::{Stage, hello, identity, soon};

fn play() -> Terms {
    Terms { name: None, access: PLAY, expires: None }
}

/// Waits until this is told.
async fn told(heard: &mut Receiver<Notice>, wanted: Notice) {
    soon(async { while heard.recv().await.expect("the host runs") != wanted {} }).await;
}

/// Somebody who is not paired says Hello and is refused.
async fn knock(stage: &Stage, identity: &punktfunk_quic::Identity) {
    let mut player = stage.connect(identity).await;
    player.say(Control::Hello(hello())).await;
    player.ends_with(Code::NotPaired).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_knocked_is_let_in_by_its_key() {
    let mut stage = Stage::new();
    let front = stage.front();
    let mut heard = front.notices();
    let (ours, other) = (identity(), identity());
    knock(&stage, &ours).await;
    told(&mut heard, Notice::Pairing).await;
    knock(&stage, &ours).await;
    let knocks = front.knocks();
    let seen: Vec<_> = knocks.iter().map(|knock| (knock.id.0, knock.name.as_str(), knock.count)).collect();
    assert_eq!(seen, [(ours.hash(), "a client", 2)]);
    assert!(stage.store.clients().is_empty(), "nobody is let in by knocking");

    let stranger = front.approve(ClientId(other.hash()), play()).await;
    assert!(matches!(stranger, Err(FrontError::NotFound(_))), "{stranger:?}");
    let blind = Terms { access: Access::PADS, ..play() };
    let refused = front.approve(ClientId(ours.hash()), blind).await;
    assert!(matches!(refused, Err(FrontError::Invalid { field: "access", .. })), "{refused:?}");

    let terms = Terms { name: Some(" deck ".into()), expires: Some(4_000_000_000), ..play() };
    let client = front.approve(ClientId(ours.hash()), terms).await.unwrap();
    assert_eq!((client.name.as_str(), client.access, client.expires), ("deck", PLAY, Some(4_000_000_000)));
    told(&mut heard, Notice::Devices).await;
    assert!(front.knocks().is_empty());
    assert_eq!(stage.connect(&ours).await.play().await.access, PLAY);
    assert!(stage.note().await.starts_with("start 1 deck"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_was_refused_does_not_show_again() {
    let stage = Stage::new();
    let front = stage.front();
    let ours = identity();
    assert!(matches!(front.refuse(ClientId(ours.hash())), Err(FrontError::NotFound(_))));
    knock(&stage, &ours).await;
    front.refuse(ClientId(ours.hash())).unwrap();
    knock(&stage, &ours).await;
    assert!(front.knocks().is_empty());
    // One that asks to be paired while no window is open has knocked, too.
    let pin = Password::Pin(Pin::parse("123456").unwrap());
    assert_eq!(stage.connect(&identity()).await.pair(pin).await, Err(Code::PairingClosed));
    assert_eq!(front.knocks()[0].name, "deck");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_is_shown_until_it_closes() {
    let stage = Stage::new();
    let front = stage.front();
    let mut heard = front.notices();
    assert!(front.window().is_none());
    assert!(matches!(front.close_window(), Err(FrontError::NotFound(_))));
    let first = front.open_window(play()).unwrap();
    told(&mut heard, Notice::Pairing).await;
    let terms = Terms { name: Some("tv".into()), access: Access::VIEW, expires: None };
    let second = front.open_window(terms).unwrap();
    assert_eq!(front.window(), Some(second.clone()));
    assert_ne!(first.pin, second.pin);
    let left = std::time::UNIX_EPOCH + Duration::from_secs(second.closes + 1);
    assert!(left > std::time::SystemTime::now() + Duration::from_secs(110));
    let old = soon(front.outcome(first.id)).await;
    assert!(matches!(old, Err(FrontError::Conflict(_))), "{old:?}");
    let pin = Password::Pin(Pin::parse(&second.pin).unwrap());
    assert_eq!(stage.connect(&identity()).await.pair(pin).await, Ok(Access::VIEW));
    told(&mut heard, Notice::Devices).await;
    assert!(front.window().is_none());
    front.open_window(play()).unwrap();
    front.close_window().unwrap();
    assert!(front.window().is_none());
    for name in ["", "a\nb", &"x".repeat(61)] {
        let refused = front.open_window(Terms { name: Some(name.to_owned()), ..play() });
        assert!(matches!(refused, Err(FrontError::Invalid { field: "name", .. })), "{refused:?}");
    }
}

fn names(front: &Front) -> Vec<(String, bool)> {
    front.devices().into_iter().map(|device| (device.client.name, device.online)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_are_renamed_restricted_and_revoked() {
    let stage = Stage::new();
    let front = stage.front();
    let mut heard = front.notices();
    let player = stage.paired("tv").await;
    told(&mut heard, Notice::Devices).await;
    let phone = stage.store.pair(b"certificate of a phone", "phone").unwrap();
    assert_eq!(names(&front), [("tv".into(), true), ("phone".into(), false)]);
    let tv = front.find("tv").unwrap().client;
    assert_eq!(front.device(&tv.fingerprint()).unwrap().client, tv);
    assert!(front.device("tv").is_err(), "only a whole fingerprint is one");

    let taken = front.rename(tv.id, "phone").await;
    assert!(matches!(taken, Err(FrontError::Conflict(_))), "{taken:?}");
    assert_eq!(front.rename(tv.id, "living room").await.unwrap().name, "living room");
    assert!(front.find("tv").is_err());
    let unknown = front.rename(ClientId([9; 32]), "x").await;
    assert!(matches!(unknown, Err(FrontError::NotFound(_))), "{unknown:?}");

    let all_or_nothing = front.set_access(phone.id, Access::VIEW).await;
    assert!(matches!(all_or_nothing, Err(FrontError::Invalid { field: "access", .. })));
    assert_eq!(front.set_access(tv.id, Access::VIEW).await.unwrap().access, Access::VIEW);
    assert_eq!(front.set_expiry(tv.id, Some(4_000_000_000)).await.unwrap().expires, Some(4_000_000_000));

    let asked = Instant::now();
    front.revoke(tv.id).await.unwrap();
    assert_eq!(player.closed().await.0, Code::Revoked);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    assert_eq!(names(&front), [("phone".into(), false)]);
    assert!(matches!(front.revoke(tv.id).await, Err(FrontError::NotFound(_))));
}
