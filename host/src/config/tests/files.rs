//! What becomes of files with mistakes.

use super::super::{ConfigError, Layers, Roots, Settings, Source};
use super::Machine;

fn open(machine: &Machine) -> Settings {
    Settings::open(machine.layers()).unwrap()
}

fn problems(settings: &Settings) -> Vec<String> {
    settings.current().problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_file_with_a_mistake_is_what_it_was_at_the_last_good_start() {
    let machine = Machine::new();
    machine.write("etc", "name = 'good'\n");
    machine.write("user", "sessions.max = 3\n");
    open(&machine).note_good().unwrap();
    machine.write("etc", "name = 'bad'\nprot = 5\n");
    machine.write("user", "sessions.max = 4\n");
    let settings = open(&machine);
    let config = settings.current();
    assert_eq!((&*config.name, config.sessions.max), ("good", 4), "the other files are as they are now");
    let told = problems(&settings);
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].contains("etc/punktfunk.toml:2: there is no setting `prot`"), "{told:#?}");
    assert!(told[1].contains("started well"), "{told:#?}");
    let listing = settings.list();
    let name = &listing.settings[0];
    assert_eq!((name.source, name.source_line), (Source::Etc, Some(1)));
    // What was used is what is good, so a second bad start finds it again.
    settings.note_good().unwrap();
    machine.write("etc", "name = [");
    assert_eq!(open(&machine).current().name, "good");
    machine.write("etc", "name = 'mended'\n");
    assert!(problems(&open(&machine)).is_empty());
    assert_eq!(open(&machine).current().name, "mended");
}

#[test]
fn without_a_good_start_only_the_bad_file_is_left_out() {
    let machine = Machine::new();
    machine.write("vendor", "name = 'vendor'\nsessions.shared = true\n");
    machine.write("etc", "sessions.max = 3\n");
    machine.write("user", b"name = 'x'\nsessions.max = 99\n\xff");
    let settings = open(&machine);
    let config = settings.current();
    assert_eq!((&*config.name, config.sessions.max, config.sessions.shared), ("vendor", 3, true));
    assert!(problems(&settings).last().unwrap().contains("nothing in this file is used"));
}

#[test]
fn a_named_file_has_to_be_right_and_all_its_mistakes_are_told() {
    let machine = Machine::new();
    let named = machine.dir.join("named.toml");
    let roots = Roots { vendor: machine.dir.join("vendor"), etc: machine.dir.join("etc"), user: None };
    let open = || {
        let layers = Layers::new(&roots, Some(&named)).with_state(&machine.dir.join("state"));
        Settings::open(layers)
    };
    let missing = open().unwrap_err().to_string();
    assert!(missing.contains("named.toml: no such file; leave --config out"), "{missing}");
    std::fs::write(&named, "name = 'x'").unwrap();
    open().unwrap().note_good().unwrap();
    std::fs::write(&named, "prot = 1\nname = ''\n[keyboard]\nvariant = 'x'\n").unwrap();
    let error: ConfigError = open().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("named.toml:1: ") && text.contains("named.toml:2: "), "{text}");
    std::fs::write(&named, "[keyboard]\nvariant = 'x'\n").unwrap();
    let text = open().unwrap_err().to_string();
    assert!(text.contains("named.toml:2: `keyboard.variant` needs `keyboard.layout`"), "{text}");
}

#[test]
fn what_does_not_go_together_is_blamed_on_the_file_that_says_it() {
    let machine = Machine::new();
    machine.write("etc", "name = 'etc'\n");
    machine.write("user", "sessions.max = 3\nkeyboard.variant = 'nodeadkeys'\n");
    let settings = open(&machine);
    assert!(problems(&settings)[0].contains("user/punktfunk.toml:2: `keyboard.variant` needs"));
    assert_eq!((&*settings.current().name, settings.current().sessions.max), ("etc", 8));
    // The layout may stand in another file.
    machine.write("etc", "keyboard.layout = 'de'\n");
    assert!(problems(&open(&machine)).is_empty());
    let two = "[[app]]\nname = 'x'\ncommand = 'x'\n[[app]]\nname = 'x'\ncommand = 'y'\n";
    machine.write("user", two);
    let told = problems(&open(&machine));
    assert!(told[0].contains("user/punktfunk.toml:4: there are two apps named"), "{told:#?}");
}

#[test]
fn a_check_tells_all_mistakes_of_all_files() {
    let machine = Machine::new();
    assert_eq!(machine.layers().check(), (Vec::new(), Vec::new()));
    machine.write("vendor", "prot = 1\n");
    machine.write("user", "x = 1\ny = 2\n");
    machine.write("state", "port = 50000\n");
    let (files, problems) = machine.layers().check();
    assert_eq!(files, [machine.file("vendor"), machine.file("user"), machine.file("state")]);
    assert_eq!(problems.len(), 4, "{problems:#?}");
}

#[test]
fn what_is_no_file_of_settings_is_refused_without_waiting() {
    let machine = Machine::new();
    std::fs::create_dir(machine.file("etc")).unwrap();
    machine.write("user", "#".repeat(300 << 10));
    // Whoever may write to the state directory shall not lead root to other files.
    std::fs::write(machine.dir.join("secret"), "root = 'secret'").unwrap();
    std::os::unix::fs::symlink(machine.dir.join("secret"), machine.file("state")).unwrap();
    let settings = open(&machine);
    let told = problems(&settings);
    assert_eq!(told.len(), 6, "{told:#?}");
    assert!(told[0].contains("no regular file") && told[1].contains("longer than"), "{told:#?}");
    assert!(!told.concat().contains("secret"), "{told:#?}");
    assert_eq!(settings.current().sessions.max, 8);
}

#[test]
fn a_damaged_memory_of_the_last_good_start_is_none() {
    let machine = Machine::new();
    machine.write("etc", "name = 'good'\n");
    open(&machine).note_good().unwrap();
    machine.write("etc", "name = ''\n");
    let memory = machine.dir.join("state/settings.good.toml");
    let whole = std::fs::read(&memory).unwrap();
    for text in [&b"\xff"[..], b"", b"format = 2", b"format = 1\nfile = 5", &whole[..whole.len() / 2]] {
        std::fs::write(&memory, text).unwrap();
        assert!(problems(&open(&machine)).last().unwrap().contains("nothing in this file is used"));
    }
}
