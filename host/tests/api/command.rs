//! `punktfunk-host claim` and `punktfunk-host ctl`, as people call them.

use std::path::Path;
use std::process::{Command, Output};

use punktfunk_host::api::socket_path;
use serde_json::{Value, json};

use crate::stage::Stage;
use crate::support::{Dir, free_base};

fn run(base: u16, state: &Path, arguments: &[&str]) -> Output {
    let port = base.to_string();
    Command::new(env!("CARGO_BIN_EXE_punktfunk-host"))
        .args(arguments)
        .args(["--port", &port, "--state", state.to_str().unwrap()])
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_secret_is_shown_until_it_is_used_and_a_reset_makes_another() {
    let dir = Dir::new();
    let base = free_base();
    // Root becomes the user of the host, who must be able to write here.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(dir.path(), open).unwrap();
    let state = dir.path().join("state");
    let none = run(base, &state, &["claim"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none.stderr).contains("punktfunk-host serve") && !state.exists());

    let shown = run(base, &state, &["claim", "--reset", "--json"]);
    let shown: Value =
        serde_json::from_slice(&shown.stdout).unwrap_or_else(|_| panic!("{}", text(&shown.stderr)));
    let secret = shown["secret"].as_str().unwrap().to_owned();
    assert_eq!(shown["claimed"], false);
    let url = shown["url"].as_str().unwrap();
    assert!(url.starts_with("https://") && url.ends_with(&format!(":{}/#claim={secret}", base + 1)), "{url}");
    let people = text(&run(base, &state, &["claim"]).stdout);
    assert!(
        people.contains(url) && people.contains(&format!("    {secret}\n")) && people.contains('█'),
        "{people}"
    );
    let again: Value =
        serde_json::from_slice(&run(base, &state, &["claim", "--reset", "--json"]).stdout).unwrap();
    assert_ne!(again["secret"], json!(secret));
}

#[test]
fn what_no_host_is_needed_for_says_so_by_its_exit_status() {
    let dir = Dir::new();
    let base = free_base();
    let list = run(base, dir.path(), &["ctl"]);
    assert_eq!(list.status.code(), Some(0));
    for operation in ["host.show", "tokens.create", "claim.claim", "[expires=…] name=… scope=…"] {
        assert!(text(&list.stdout).contains(operation), "{}", text(&list.stdout));
    }
    let json = run(base, dir.path(), &["ctl", "--json"]);
    assert!(serde_json::from_slice::<Value>(&json.stdout).unwrap().as_array().unwrap().len() >= 10);
    for (arguments, status) in [
        (&["ctl", "host.nothing"][..], 2),
        (&["ctl", "tokens.revoke"], 2),
        (&["ctl", "--no-such-flag"], 2),
        (&["ctl", "host.show"], 3),
    ] {
        let output = run(base, dir.path(), arguments);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", text(&output.stderr));
        assert!(!output.stderr.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_end_of_a_call_has_its_exit_status() {
    let stage = Stage::listening();
    let socket = socket_path(stage.dir.path(), stage.base);
    let call = move |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_punktfunk-host"))
            .args([&["ctl", "--socket", socket.to_str().unwrap()], arguments].concat())
            .output()
            .unwrap()
    };
    let done = tokio::task::spawn_blocking(move || {
        let shown = call(&["host.show", "--json"]);
        assert_eq!(shown.status.code(), Some(0), "{}", text(&shown.stderr));
        assert_eq!(serde_json::from_slice::<Value>(&shown.stdout).unwrap()["name"], "den");
        assert_eq!(call(&["tokens.create", "name=x", "scope=view"]).status.code(), Some(0));
        assert!(text(&call(&["tokens.list"]).stdout).contains("SCOPE"));
        let missing = call(&["tokens.revoke", "id=none", "--json"]);
        assert_eq!(missing.status.code(), Some(5));
        assert_eq!(serde_json::from_slice::<Value>(&missing.stderr).unwrap()["error"]["code"], "not_found");
        assert_eq!(call(&["login.login", "password=whatever"]).status.code(), Some(6));
        assert_eq!(call(&["tokens.create", "name=x", "scope=public"]).status.code(), Some(7));
        for _ in 0..5 {
            call(&["login.login", "password=whatever"]);
        }
        assert_eq!(call(&["login.login", "password=whatever"]).status.code(), Some(8));
    });
    done.await.unwrap();
    stage.stop().await;
}
