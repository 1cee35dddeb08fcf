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

#[test]
fn settings_are_checked_with_all_their_mistakes() {
    let dir = Dir::new();
    let file = dir.path().join("punktfunk.toml");
    let state = dir.path().join("state");
    let port = free_base().to_string();
    let (named, state) = (file.to_str().unwrap(), state.to_str().unwrap());
    let places = ["--config", named, "--state", state, "--port", &port];
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        (run(&["config", "check", named]), run(&[&["config", "check"], &places[..]].concat()))
    };
    let (alone, host) = check("name = 'x'\n[sessions]\nmax = 4\n");
    for output in [alone, host] {
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout), format!("{named}: good\n"));
    }
    let (alone, host) = check("prot = 1\nname = ''\n[sessions]\nmax = 99\n");
    for output in [alone, host] {
        assert_eq!(output.status.code(), Some(1));
        let told = text(&output.stderr);
        for (line, what) in [(1, "did you mean `port`?"), (2, "1 to 60 bytes"), (4, "from 1 to 64")] {
            let found = told.lines().find(|told| told.starts_with(&format!("{named}:{line}: ")));
            assert!(found.is_some_and(|found| found.contains(what)), "{told}");
        }
        assert!(told.ends_with("3 mistakes found.\n"), "{told}");
    }
    let output = run(&["config", "check", "/nonexistent.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("/nonexistent.toml: cannot be read"));
}

#[test]
fn settings_are_shown_with_their_place_and_explained() {
    let dir = Dir::new();
    let file = dir.path().join("punktfunk.toml");
    let state = dir.path().join("state");
    std::fs::create_dir(&state).unwrap();
    std::fs::write(&file, "name = 'x'\nsessions.max = 4\n").unwrap();
    std::fs::write(state.join("settings.toml"), "sessions.max = 5\n").unwrap();
    let port = free_base().to_string();
    let (named, kept) = (file.to_str().unwrap(), state.join("settings.toml").display().to_string());
    let places = ["--config", named, "--state", state.to_str().unwrap(), "--port", &port];
    let config = |arguments: &[&str]| run(&[&["config"], arguments, &places[..]].concat());

    let table = text(&config(&["show"]).stdout);
    let columns = |key: &str| {
        let line = table.lines().find(|line| line.split_whitespace().next() == Some(key)).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(columns("name"), ["name", "\"x\"", &format!("{named}:1")]);
    assert_eq!(columns("sessions.max"), ["sessions.max", "5", &format!("{kept}:1")]);
    assert_eq!(columns("port"), ["port", &port, "--port"]);
    assert_eq!(columns("native.port"), ["native.port", "-", "default"]);

    let listing: serde_json::Value = serde_json::from_slice(&config(&["show", "--json"]).stdout).unwrap();
    let max = listing["settings"].as_array().unwrap().iter().find(|s| s["key"] == "sessions.max").unwrap();
    assert_eq!((&max["value"], &max["source"], &max["default"]), (&5.into(), &"state".into(), &8.into()));

    let told = text(&config(&["explain", "sessions.max"]).stdout);
    for part in ["one for each client", "from 1 to 64", &kept, "at once", "[sessions]\n    max = 5\n"] {
        assert!(told.contains(part), "{told}");
    }
    let output = config(&["explain", "sessions.mux"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("did you mean `sessions.max`?"));
    assert!(text(&config(&["explain"]).stdout).contains("encoder.software"));
    let schema: serde_json::Value = serde_json::from_slice(&config(&["schema"]).stdout).unwrap();
    assert_eq!(schema["properties"]["sessions"]["properties"]["max"]["maximum"], 64);
}
