//! Text.

use punktfunk_core::input::Event as Input;
use punktfunk_seat_ipc::AppKind;
use punktfunk_seat_stage::{lacks, wait_for};

use crate::client::{Client, Wants};
use crate::seat::Seat;

const TEXT: Wants =
    Wants { touch: false, pointer: false, tablet: false, text: true, shortcuts: false, size: (0, 0) };

#[test]
fn a_field_that_asks_for_text_gets_it_between_the_keys() {
    let seat = Seat::start("text-field", (640, 360), true);
    let mut client = Client::open(&seat, TEXT);
    assert!(client.told(&seat).contains(&"field enter".to_owned()));
    let field = client.log.field.clone().unwrap();
    // Not asked for yet: a key.
    seat.text("a");
    assert_eq!(client.told(&seat), ["key 30 down", "key 30 up"]);
    field.enable();
    field.commit();
    field.commit();
    client.sync();
    // Right after a commit it gets keys; soon after, text.
    let mut characters = (0x4e00..).filter_map(char::from_u32);
    let (character, told) = wait_for("text", || {
        let character = characters.next()?;
        seat.text(&character.to_string());
        seat.key(30);
        seat.text("b\n");
        let told = client.told(&seat);
        told.contains(&"done 2".to_owned()).then_some((character, told))
    });
    let text = format!("text {character}");
    let keys = ["key 30 down", "key 30 up", "key 48 down", "key 48 up", "key 28 down", "key 28 up"];
    assert_eq!(told, [&[text.as_str(), "done 2"][..], &keys].concat());
    // Another window takes the keys, and with them the text.
    let mut other = Client::open(&seat, TEXT);
    client.until("the keys to leave", |log| log.events.contains(&"field leave".to_owned()));
    seat.text("b");
    let told = other.told(&seat);
    assert_eq!(told, ["field enter", "key 48 down", "key 48 up"]);
    let field = other.log.field.clone().unwrap();
    field.enable();
    field.commit();
    field.disable();
    field.commit();
    other.sync();
    seat.text("c");
    assert_eq!(other.told(&seat), ["key 46 down", "key 46 up"]);
}

#[test]
fn a_terminal_gets_every_character_in_order() {
    if !lacks("a_terminal_gets_every_character_in_order", &["foot"]) {
        type_into_foot("text-foot", "");
    }
}

#[test]
fn without_text_input_spare_keys_type_what_the_layout_lacks() {
    if !lacks("without_text_input_spare_keys_type_what_the_layout_lacks", &["foot"]) {
        // What foot knows as the end of its text input.
        type_into_foot("text-keys", "printf '\\033[?737769l'; ");
    }
}

fn type_into_foot(name: &str, first: &str) {
    let mut seat = Seat::start(name, (853, 479), false);
    let file = seat.directory.join("typed");
    // Plain bytes as they come, whatever the locale of this machine is.
    let script = format!("{first}stty -icanon -echo; : > {0}.ready; head -n 3 > {0}", file.display());
    let argv = ["env", "LC_ALL=C.UTF-8", "foot", "-c", "/dev/null", "-o", "colors.background=204060"];
    let argv = argv.into_iter().map(str::to_owned);
    seat.launch(AppKind::Command(argv.chain(["sh".to_owned(), "-c".to_owned(), script]).collect()));
    let ready = file.with_extension("ready");
    seat.until_shown([0x20, 0x40, 0x60]);
    wait_for("the terminal", || ready.exists().then_some(()));
    let mut expected = String::new();
    let mut say = |text: &str| {
        seat.text(text);
        expected += text;
    };
    say("Grüße: ä € 漢 \u{1f600}\n");
    // With Caps Lock on, and Shift held: still as it was entered.
    seat.key(58);
    seat.input(Input::Key { code: 42, down: true });
    say("Ab1ß");
    seat.input(Input::Key { code: 42, down: false });
    seat.key(58);
    // More new characters than there are spare keys, with others and keys among them.
    let many: String = (0x4e00..0x4e00 + 60).filter_map(char::from_u32).flat_map(|c| [c, 'x']).collect();
    say(&many);
    seat.key(30);
    expected.push('a');
    seat.text("\nend\n");
    expected += "\nend\n";
    wait_for("three lines", || {
        let text = std::fs::read_to_string(&file).ok()?;
        (text.lines().count() >= 3 && text.ends_with('\n')).then_some(())
    });
    assert_eq!(std::fs::read_to_string(&file).unwrap(), expected);
}
