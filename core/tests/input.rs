//! Input messages and their translation.

use std::collections::HashSet;

use proptest::prelude::*;
use punktfunk_core::bytes::{from_hex, to_hex};
use punktfunk_core::gamestream::input::{DecodeError, Message, Translated, Translator, modifiers};
use punktfunk_core::input::Event;

fn key(down: bool, key: u8, modifiers: u8) -> Message {
    Message::Key { down, flags: 0, key, modifiers }
}

/// Translates for the screen alone.
struct Screen(Translator);

impl Screen {
    fn new() -> Self {
        Self(Translator::new())
    }

    fn translate(&mut self, message: &Message) -> Vec<Event> {
        events(self.0.translate(message))
    }

    fn release_all(&mut self) -> Vec<Event> {
        events(self.0.release_all())
    }
}

fn events(translated: Vec<Translated>) -> Vec<Event> {
    let event = |translated| match translated {
        Translated::Input(event) => event,
        Translated::Pad(event) => panic!("{event:?}"),
    };
    translated.into_iter().map(event).collect()
}

fn messages() -> Vec<Message> {
    vec![
        Message::EnableHaptics { value: 1 },
        key(true, b'A', modifiers::SHIFT),
        key(false, b'A', 0),
        Message::Text('é'),
        Message::Relative { dx: -3, dy: 400 },
        Message::Absolute { x: 10, y: 20, max_x: 1919, max_y: 1079 },
        Message::Button { down: true, button: 1 },
        Message::Button { down: false, button: 1 },
        Message::Scroll { amount: -120 },
        Message::HorizontalScroll { amount: 30 },
        Message::Other { kind: 0x0E },
    ]
}

#[test]
fn every_message_has_the_size_of_the_sheet_and_reads_back() {
    let sizes = [10, 14, 14, 10, 12, 18, 9, 9, 14, 10, 8];
    for (message, size) in messages().into_iter().zip(sizes) {
        let bytes = message.encode();
        assert_eq!(bytes.len(), size, "{message:?}");
        assert_eq!(Message::decode(&bytes), Ok(message));
        for len in 0..bytes.len() {
            assert!(Message::decode(&bytes[..len]).is_err());
        }
    }
}

#[test]
fn fields_are_where_the_sheet_says() {
    assert_eq!(to_hex(&messages()[1].encode()), "0000000a03000000004180010000");
    assert_eq!(to_hex(&messages()[5].encode()), "0000000e05000000000a00140000077f0437");
    let two_characters = from_hex("00000006170000006162").unwrap();
    assert_eq!(Message::decode(&two_characters), Err(DecodeError::Text));
    let wrong_size = from_hex("00000007170000006162").unwrap();
    assert_eq!(Message::decode(&wrong_size), Err(DecodeError::Size { said: 7, actual: 6 }));
}

#[test]
fn a_soft_keyboard_gets_the_modifiers_it_names() {
    let mut translator = Screen::new();
    let down = |code| Event::Key { code, down: true };
    let up = |code| Event::Key { code, down: false };
    let named = modifiers::SHIFT | modifiers::CTRL;
    assert_eq!(translator.translate(&key(true, b'A', named)), [down(42), down(29), down(30), up(29), up(42)]);
    assert_eq!(translator.translate(&key(true, b'A', named)), [], "a repetition");
    assert_eq!(translator.translate(&key(false, b'A', named)), [up(30)]);
    assert_eq!(translator.translate(&key(false, b'A', 0)), []);
    // The right shift is held: it is the shift the next key names.
    assert_eq!(translator.translate(&key(true, 0xA1, modifiers::SHIFT)), [down(54)]);
    assert_eq!(translator.translate(&key(true, b'B', modifiers::SHIFT)), [down(48)]);
    assert_eq!(translator.translate(&key(true, 0xFF, 0)), [], "no such key");
    assert_eq!(translator.release_all(), [up(48), up(54)]);
    assert_eq!(translator.release_all(), []);
}

#[test]
fn the_pointer_is_scaled_to_its_plane() {
    let mut translator = Screen::new();
    let mut at = |x, y, max_x, max_y| translator.translate(&Message::Absolute { x, y, max_x, max_y });
    assert_eq!(at(1919, 0, 1919, 1079), [Event::PointerPosition { x: 1.0, y: 0.0 }]);
    assert_eq!(at(50, 25, 100, 100), [Event::PointerPosition { x: 0.5, y: 0.25 }]);
    assert_eq!(at(-5, 300, 100, 100), [Event::PointerPosition { x: 0.0, y: 1.0 }]);
    assert_eq!(at(-5, 0, 0, -1), [Event::PointerPosition { x: 0.0, y: 0.0 }]);
    let mut one = |message| translator.translate(&message);
    assert_eq!(one(Message::Relative { dx: -3, dy: 4 }), [Event::PointerMotion { dx: -3.0, dy: 4.0 }]);
    assert_eq!(one(Message::Scroll { amount: 120 }), [Event::Scroll { horizontal: 0, vertical: 120 }]);
    assert_eq!(
        one(Message::HorizontalScroll { amount: -7 }),
        [Event::Scroll { horizontal: -7, vertical: 0 }]
    );
    assert_eq!(one(Message::Text('é')), [Event::Text { character: 'é' }]);
    let button = |button| Message::Button { down: true, button };
    assert_eq!(one(button(3)), [Event::PointerButton { code: 0x111, down: true }]);
    assert_eq!(one(button(3)), []);
    assert_eq!(one(button(0)), []);
    assert_eq!(one(button(6)), []);
}

fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        4 => (any::<bool>(), any::<u8>(), 0u8..16).prop_map(|(down, code, named)| key(down, code, named)),
        1 => (any::<bool>(), 0u8..8).prop_map(|(down, button)| Message::Button { down, button }),
        1 => (any::<i16>(), any::<i16>(), any::<i16>(), any::<i16>())
            .prop_map(|(x, y, max_x, max_y)| Message::Absolute { x, y, max_x, max_y }),
    ]
}

proptest! {
    #[test]
    fn edges_alternate_and_all_is_released(messages in proptest::collection::vec(any_message(), 0..300)) {
        let mut translator = Screen::new();
        let mut events: Vec<Event> = messages.iter().flat_map(|message| translator.translate(message)).collect();
        events.extend(translator.release_all());
        let mut held = HashSet::new();
        for event in events {
            match event {
                Event::Key { code, down } | Event::PointerButton { code, down } => {
                    let changed = if down { held.insert(code) } else { held.remove(&code) };
                    prop_assert!(changed, "{event:?} changes nothing");
                }
                Event::PointerPosition { x, y } => {
                    prop_assert!((0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y));
                }
                _ => {}
            }
        }
        prop_assert!(held.is_empty());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, kind in prop_oneof![0u32..0x20, 0x5500_0000u32..0x5500_0009]) {
        let mut framed = u32::try_from(bytes.len() + 4).unwrap().to_be_bytes().to_vec();
        framed.extend(kind.to_le_bytes());
        framed.extend(&bytes);
        let mut translator = Translator::new();
        for payload in [&bytes, &framed] {
            if let Ok(message) = Message::decode(payload) {
                prop_assert_eq!(Message::decode(&message.encode()), Ok(message.clone()));
                translator.translate(&message);
            }
        }
    }
}
