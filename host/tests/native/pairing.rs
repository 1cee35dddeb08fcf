//! Pairing by PIN and by QR code, and what is refused.

use std::net::SocketAddr;

use punktfunk_core::native::pairing::qr::Invitation;
use punktfunk_core::native::pairing::{Password, Pin};
use punktfunk_core::native::wire::control::Control;
use punktfunk_core::native::wire::{Access, Code};
use punktfunk_host::config::Native;
use punktfunk_host::serve::owner::{Answer, Request};
use punktfunk_host::session::ClientId;
use punktfunk_host::store::PLAY;

use crate::stage::{Stage, hello, identity, soon};

fn pin(text: &str) -> Password {
    Password::Pin(Pin::parse(text).unwrap())
}

/// A PIN that is not this one.
fn other(pin: &str) -> Password {
    let last = if pin.ends_with('0') { '1' } else { '0' };
    Password::Pin(Pin::parse(&format!("{}{last}", &pin[..5])).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_pairs_by_pin_and_plays_on_the_same_connection() {
    let mut stage = Stage::new();
    let (window, digits, _) = stage.open_window().await;
    let mut owner = stage.owner();
    let outcome = tokio::task::spawn_blocking(move || owner.ask(&Request::Outcome { window }));
    let identity = identity();
    let mut player = stage.connect(&identity).await;
    assert_eq!(player.pair(pin(&digits)).await, Ok(PLAY));
    match soon(outcome).await.unwrap().unwrap() {
        Answer::Paired { client } => {
            assert_eq!((client.name.as_str(), client.access.as_str()), ("deck", "play"))
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(stage.store.client(ClientId(identity.hash())).unwrap().access, PLAY);
    assert_eq!(player.play().await.name, "a host");
    assert_eq!(stage.note().await, format!("start 1 deck {PLAY}"));
    assert_eq!(stage.note().await, "play 1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_pairs_one_client_and_no_second() {
    let stage = Stage::new();
    let (_, digits, payload) = stage.open_window().await;
    let invitation = Invitation::parse(&payload).unwrap();
    assert_eq!(invitation.fingerprint, stage.store.native_identity().hash());
    assert!(invitation.addresses.iter().all(|address| address.port == stage.port));
    let secret = Password::Secret(invitation.secret);
    assert_eq!(stage.connect(&identity()).await.pair(secret).await, Ok(PLAY));
    assert_eq!(stage.connect(&identity()).await.pair(secret).await, Err(Code::PairingClosed));
    assert_eq!(stage.connect(&identity()).await.pair(pin(&digits)).await, Err(Code::PairingClosed));
    assert_eq!(stage.store.clients().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_wrong_pins_close_the_window_and_the_owner_hears_of_it() {
    let stage = Stage::new();
    let (window, digits, _) = stage.open_window().await;
    let mut owner = stage.owner();
    let outcome = tokio::task::spawn_blocking(move || owner.ask(&Request::Outcome { window }));
    for _ in 0..3 {
        let mut player = stage.connect(&identity()).await;
        assert_eq!(player.pair(other(&digits)).await, Err(Code::WrongPin));
        assert_eq!(player.closed().await.0, Code::WrongPin, "one attempt for each connection");
    }
    let why = soon(outcome).await.unwrap().unwrap_err().to_string();
    assert!(why.contains("three confirmations were wrong"), "{why}");
    // Whoever goes on is charged for it, however right it is.
    loop {
        match stage.connect(&identity()).await.pair(pin(&digits)).await {
            Err(Code::PairingClosed) => {}
            Err(code) => break assert_eq!(code, Code::TooManyTries),
            Ok(_) => panic!("paired"),
        }
    }
    assert_eq!(stage.store.clients(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_window_nobody_pairs_and_nobody_plays() {
    let stage = Stage::new();
    assert_eq!(stage.connect(&identity()).await.pair(pin("000000")).await, Err(Code::PairingClosed));
    for message in [Control::Hello(hello()), Control::ListApps, Control::Quit, Control::ReleaseAll] {
        let mut player = stage.connect(&identity()).await;
        player.say(message).await;
        let text = player.ends_with(Code::NotPaired).await;
        assert!(text.contains("pair --native"), "{text}");
    }
    assert_eq!(stage.store.clients(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_window_closes_the_one_before() {
    let stage = Stage::new();
    let (window, digits, _) = stage.open_window().await;
    // Opening another closes the first, whoever waits for it.
    let mut owner = stage.owner();
    let outcome = tokio::task::spawn_blocking(move || owner.ask(&Request::Outcome { window }));
    let (_, new_digits, _) = stage.open_window().await;
    soon(outcome).await.unwrap().unwrap_err();
    if digits != new_digits {
        assert_eq!(stage.connect(&identity()).await.pair(pin(&digits)).await, Err(Code::WrongPin));
    }
    assert_eq!(stage.connect(&identity()).await.pair(pin(&new_digits)).await, Ok(PLAY));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trust_on_first_use_is_for_owners_who_want_it() {
    let mut stage = Stage::with(Native { trust_on_first_use: true, ..Native::default() });
    let identity = identity();
    let mut player = stage.connect(&identity).await;
    let welcome = player.play().await;
    assert_eq!(welcome.access, PLAY);
    assert!(!welcome.access.contains(Access::MANAGE));
    assert_eq!(stage.note().await, format!("start 1 a client {PLAY}"));
    assert_eq!(stage.store.clients().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_address_families_reach_the_host() {
    let stage = Stage::with(Native::default());
    let v6 = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, stage.port));
    let v4 = SocketAddr::from(([127, 0, 0, 1], stage.port));
    for address in [v4, v6] {
        let mut player = stage.connect_to(address, &identity()).await;
        assert_eq!(player.pair(pin("000000")).await, Err(Code::PairingClosed), "{address}");
    }
}
