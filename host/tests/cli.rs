//! The program as people call it.

#[expect(dead_code, reason = "each test file uses a part")]
mod support;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use punktfunk_host::platform::{Account, current_user_id};
use punktfunk_host::store::Store;
use support::{Dir, free_base};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_punktfunk-host")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Started as root, the program becomes the user of the host where there is one.
fn give_to_the_host(state: &Path) {
    let (0, Ok(account)) = (current_user_id(), Account::of_the_host()) else { return };
    let files = std::fs::read_dir(state).unwrap().map(|file| file.unwrap().path());
    for path in files.chain([state.to_owned()]) {
        std::os::unix::fs::chown(path, Some(account.uid), Some(account.gid)).unwrap();
    }
}

#[test]
fn help_says_how_to_begin() {
    let help = text(&run(&["--help"]).stdout);
    for line in ["serve --gamestream", "pair --native", "clients revoke", "Examples:"] {
        assert!(help.contains(line), "{help}");
    }
    for command in ["serve", "pair", "clients", "apps"] {
        assert!(run(&[command, "--help"]).status.success(), "{command}");
    }
}

#[test]
fn apps_are_listed_from_the_configuration() {
    let dir = Dir::new();
    let file = dir.path().join("punktfunk.toml");
    std::fs::File::create(&file).unwrap().write_all(b"[[app]]\nname = 'Foot'\ncommand = 'foot'").unwrap();
    let port = free_base().to_string();
    let file = file.to_str().unwrap();
    let output = run(&["apps", "list", "--json", "--config", file, "--port", &port]);
    let apps: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<_> = apps.as_array().unwrap().iter().map(|app| app["name"].clone()).collect();
    assert_eq!(names, ["Desktop", "Test card", "Foot"]);

    let output = run(&["apps", "--config", "/nonexistent.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("/nonexistent.toml: no such file"));
}

#[test]
fn clients_are_listed_and_revoked_without_a_host() {
    let dir = Dir::new();
    let state = dir.path().join("state");
    let port = free_base().to_string();
    let arguments = ["--state", state.to_str().unwrap(), "--port", &port];
    let clients = |more: &[&str]| run(&[&["clients"], more, &arguments].concat());
    assert!(text(&clients(&["list"]).stdout).contains("No client is paired"));
    assert!(!state.exists(), "asking makes nothing");

    Store::open(&state).unwrap().pair(b"certificate", "tv").unwrap();
    give_to_the_host(&state);
    assert!(text(&clients(&[]).stdout).contains("tv"));
    let output = clients(&["revoke", "radio"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no client \"radio\""));
    assert!(clients(&["revoke", "tv"]).status.success());
    assert!(Store::open(&state).unwrap().clients().is_empty());
}

#[test]
fn pairing_needs_a_running_host_and_four_digits() {
    let port = free_base().to_string();
    let output = run(&["pair", "1234", "--port", &port]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no host is running here"), "{}", text(&output.stderr));
    let output = Command::new(env!("CARGO_BIN_EXE_punktfunk-host"))
        .args(["pair", "12"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(text(&output.stderr).contains("four digits"));
}
