//! Keys and buttons.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use punktfunk_core::input::Event as Input;
use punktfunk_seat_ipc::AppKind;

use crate::client::{Client, Wants};
use crate::seat::Seat;

const KEYS: Wants =
    Wants { touch: false, pointer: true, tablet: false, text: false, shortcuts: false, size: (0, 0) };
const CAPS: u32 = 2;
const NUM: u32 = 16;

#[test]
fn num_lock_is_on_until_it_is_pressed() {
    let seat = Seat::start("keys-num", (640, 360), true);
    let mut client = Client::open(&seat, KEYS);
    client.told(&seat);
    assert_eq!(client.log.locked, NUM);
    seat.key(58);
    // A character that no layout has changes the keymap: what is locked stays.
    seat.text("漢");
    client.told(&seat);
    assert_eq!(client.log.locked, NUM | CAPS);
    seat.key(58);
    seat.key(69);
    seat.input(Input::ReleaseAll);
    seat.text("字");
    client.told(&seat);
    assert_eq!(client.log.locked, 0);
}

#[test]
fn who_asks_gets_the_shortcuts_of_the_desktop_too() {
    let mut seat = Seat::start("keys-shortcuts", (1280, 720), true);
    seat.launch(AppKind::Desktop);
    let mut plain = Client::open(&seat, Wants { size: (400, 300), ..KEYS });
    plain.told(&seat);
    let alt_f4 = || {
        seat.input(Input::Key { code: 56, down: true });
        seat.key(62);
        seat.input(Input::Key { code: 56, down: false });
    };
    alt_f4();
    // The desktop's, and the window's to close.
    assert_eq!(plain.told(&seat), ["key 56 down", "close", "key 56 up"]);
    let mut game = Client::open(&seat, Wants { size: (400, 300), shortcuts: true, ..KEYS });
    game.told(&seat);
    alt_f4();
    assert_eq!(game.told(&seat), ["key 56 down", "key 62 down", "key 62 up", "key 56 up"]);
    // Only while it has the keys.
    plain.until("the keys gone", |log| !log.focused);
    drop(game);
    plain.until("the keys back", |log| log.focused);
    alt_f4();
    assert_eq!(plain.told(&seat), ["key 56 down", "close", "key 56 up"]);
    seat.hang_up();
}

/// What a client may do, in any order.
#[derive(Clone, Debug)]
enum Op {
    Key(u16, bool),
    Button(u16, bool),
    Text(char),
    /// The client is gone.
    Drop,
    /// The host is gone, and another comes.
    Reconnect,
}

fn op() -> impl Strategy<Value = Op> {
    // Modifiers, a lock, and plain keys that text uses too.
    let keys = prop::sample::select(vec![29_u16, 42, 56, 100, 58, 30, 31, 2, 28]);
    let buttons = 0x110..0x113_u16;
    let characters = prop::sample::select(vec!['a', 'S', '!', 'é', '漢', '\n']);
    prop_oneof![
        8 => (keys, any::<bool>()).prop_map(|(code, down)| Op::Key(code, down)),
        4 => (buttons, any::<bool>()).prop_map(|(code, down)| Op::Button(code, down)),
        4 => characters.prop_map(Op::Text),
        1 => Just(Op::Drop),
        1 => Just(Op::Reconnect),
    ]
}

/// Whatever a client does, each application sees every key and button go down, up,
/// down, up, and in the end nothing is held.
#[test]
fn edges_alternate_and_nothing_stays_down() {
    let mut seat = Seat::start("keys-edges", (640, 360), true);
    let mut client = Client::open(&seat, KEYS);
    seat.input(Input::PointerPosition { x: 0.5, y: 0.5 });
    client.told(&seat);
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    let sequences = prop::collection::vec(op(), 1..40);
    let (seat, client) = (std::cell::RefCell::new(&mut seat), std::cell::RefCell::new(&mut client));
    let played = runner.run(&sequences, |ops| {
        let (mut seat, mut client) = (seat.borrow_mut(), client.borrow_mut());
        for op in &ops {
            match *op {
                Op::Key(code, down) => seat.input(Input::Key { code, down }),
                Op::Button(code, down) => seat.input(Input::PointerButton { code, down }),
                Op::Text(character) => seat.input(Input::Text { character }),
                Op::Drop => seat.input(Input::ReleaseAll),
                Op::Reconnect => {
                    seat.hang_up();
                    seat.connect();
                }
            }
        }
        seat.input(Input::ReleaseAll);
        let told = client.told(&seat);
        let mut held: HashMap<&str, bool> = HashMap::new();
        for event in &told {
            let Some((what, edge)) = event.rsplit_once(' ').filter(|_| !event.starts_with("pointer")) else {
                continue;
            };
            let down = edge == "down";
            prop_assert_ne!(held.insert(what, down).unwrap_or(false), down, "{} twice in {:?}", event, told);
        }
        prop_assert!(held.values().all(|down| !down), "held at the end: {:?} of {:?}", held, told);
        Ok(())
    });
    played.unwrap_or_else(|error| panic!("{error}"));
}
