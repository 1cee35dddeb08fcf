//! The program as a user or a script calls it.

use std::process::{Command, Output};

fn harness(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loss-harness")).args(arguments).output().expect("it starts")
}

#[test]
fn json_has_a_row_for_each_case_and_the_same_seed_gives_the_same() {
    let arguments = ["--json", "--seconds", "5", "--loss", "0,5", "--burst", "4", "--rtt", "4"];
    let (first, second) = (harness(&arguments), harness(&arguments));
    assert!(first.status.success());
    assert_eq!(first.stdout, second.stdout);
    let value: serde_json::Value = serde_json::from_slice(&first.stdout).expect("it is JSON");
    let rows = value["rows"].as_array().expect("a list");
    assert_eq!(rows.len(), 12);
    for row in rows {
        let bare = row["protection"] == "nothing" && row["loss_percent"] == 5.0;
        assert!(!bare || row["lost"].as_u64() > Some(0), "{row}");
        assert!(row["loss_percent"] != 0.0 || row["shown_percent"] == 100.0, "{row}");
    }
    let best = rows.last().expect("there are rows");
    assert_eq!((&best["lost"], &best["shown_percent"]), (&0.into(), &100.0.into()), "{best}");
}

#[test]
fn help_names_every_option_and_nonsense_is_refused() {
    let help = String::from_utf8(harness(&["--help"]).stdout).expect("it is text");
    for option in
        ["--loss", "--burst", "--protection", "--rtt", "--bitrate", "--fps", "--seconds", "--seed", "--json"]
    {
        assert!(help.contains(option), "{option}");
    }
    for nonsense in [["--loss", "101"], ["--protection", "prayer"], ["--fps", "0"], ["--bitrate", "0"]] {
        let refused = harness(&nonsense);
        assert_eq!(refused.status.code(), Some(2), "{nonsense:?}");
        assert!(refused.stdout.is_empty() && !refused.stderr.is_empty(), "{nonsense:?}");
    }
}
