//! Whether each command of the pages is run or says that it is not, whether what is run is
//! what is written, and whether what the commands name is there.

use std::collections::BTreeSet;

use clap::Parser as _;

use super::*;
use crate::Arguments;

fn all() -> Vec<Block> {
    let entries = fs::read_dir(program::root().join(FOLDER)).unwrap();
    let mut found = Vec::new();
    for entry in entries {
        let page = entry.unwrap().file_name().to_string_lossy().into_owned();
        found.extend(blocks(&page, &read(&page).unwrap()).unwrap());
    }
    found
}

#[test]
fn every_command_of_a_page_is_run_or_says_why_not() {
    let blocks = all();
    assert!(blocks.len() > 20, "{}", blocks.len());
    for trial in TRIALS {
        let own = blocks.iter().filter(|block| block.runs == Runs::Trial(trial.to_owned()));
        let pages: BTreeSet<_> = own.map(|block| block.page.as_str()).collect();
        // A trial runs the blocks of one page; the others refer to it.
        assert_eq!(pages.len(), 1, "{trial}: {pages:?}");
    }
    for block in &blocks {
        let Runs::As(page) = &block.runs else { continue };
        let run = |block: &&Block| block.page == *page && matches!(block.runs, Runs::Trial(_));
        let run: Vec<_> = blocks.iter().filter(run).flat_map(|block| &block.commands).collect();
        for command in &block.commands {
            assert!(run.contains(&command), "{}: no trial runs {command:?} of {page}", place(block));
        }
    }
}

#[test]
fn no_command_for_root_hides_in_a_sentence() {
    for entry in fs::read_dir(program::root().join(FOLDER)).unwrap() {
        let file = entry.unwrap().path();
        let text = fs::read_to_string(&file).unwrap();
        let outside = text.split("```").step_by(2).flat_map(|text| text.split('`').skip(1).step_by(2));
        for span in outside {
            assert!(!span.starts_with("sudo "), "{}: `{span}` belongs into a block", file.display());
        }
    }
}

#[test]
fn every_page_says_all_that_a_person_needs() {
    const SECTIONS: [&str; 8] = [
        "What you need",
        "Install",
        "Open the console and pair",
        "See what it does",
        "Update",
        "Go back",
        "Remove",
        "What was not tried",
    ];
    for page in ["image", "bazzite", "steamos", "fedora", "fedora-atomic", "debian", "arch", "sysext"] {
        let text = read(&format!("{page}.md")).unwrap();
        let headings: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        let known: Vec<_> = headings.iter().filter(|heading| SECTIONS.contains(heading)).collect();
        assert!(known.into_iter().eq(&SECTIONS), "{page}: {headings:?}");
    }
}

#[test]
fn every_command_of_ours_on_a_page_is_one() {
    let is_ours = |words: &[String]| words.len() > 2 && words[..2] == ["cargo", "xtask"];
    let found = commands(is_ours).unwrap();
    assert!(found.len() > 20, "{}", found.len());
    for (place, words) in found {
        let parsed = Arguments::try_parse_from(&words[1..]);
        let only_help = |error: &clap::Error| error.kind() == clap::error::ErrorKind::DisplayHelp;
        if let Err(error) = parsed
            && !only_help(&error)
        {
            panic!("{place}: {}: {error}", words.join(" "));
        }
    }
}

#[test]
fn names_on_the_pages_are_those_of_the_files() {
    let read = |path: &str| fs::read_to_string(program::root().join(path)).unwrap();
    let profiles = read("image/rootfs/usr/share/punktfunk/ufw/punktfunk");
    let cargo: toml::Table = read("Cargo.toml").parse().unwrap();
    let version = cargo["workspace"]["package"]["version"].as_str().unwrap().to_owned();
    let mut named = 0;
    for block in all() {
        for words in block.commands.iter().flat_map(|command| shell::simple(command)) {
            for word in &words {
                if let Some(service) = word.strip_prefix("--add-service=") {
                    read(&format!("image/rootfs/usr/lib/firewalld/services/{service}.xml"));
                    named += 1;
                }
                if word.contains("target/package/") {
                    assert!(word.contains(&version), "{}: {word} is not {version}", place(&block));
                    named += 1;
                }
            }
            if let [ufw, allow, profile] = &words[..]
                && ufw == "ufw"
                && allow == "allow"
            {
                assert!(profiles.contains(&format!("[{profile}]\n")), "{}: {profile}", place(&block));
                named += 1;
            }
        }
    }
    assert!(named > 8, "{named}");
}

#[test]
fn a_block_says_who_runs_it() {
    let text = |words: &str, before: &str| format!("# T\n## S\n\n{before}\n\n```{words}\nx # y\n```\n");
    let runs =
        |words: &str, before: &str| blocks("p.md", &text(words, before)).map(|all| all[0].runs.clone());
    assert_eq!(runs("sh trial=deb", "").unwrap(), Runs::Trial("deb".to_owned()));
    assert_eq!(runs("sh as=a.md", "").unwrap(), Runs::As("a.md".to_owned()));
    assert_eq!(runs("sh untested", "So. Not run by our tests: needs\nX.").unwrap(), Runs::Nobody);
    for (words, before) in
        [("sh", ""), ("", ""), ("sh trial=x", ""), ("sh run", ""), ("sh untested", "Run it."), ("bash", "")]
    {
        assert!(runs(words, before).is_err(), "{words}");
    }
    // An excuse is for the block below it.
    let far = format!("{}\n## T\n\n```sh untested\ny\n```\n", text("sh untested", &format!("{EXCUSE}x.")));
    assert!(blocks("p.md", &far).is_err());
    assert!(blocks("p.md", "```sh trial=deb\n# nothing\n```\n").is_err());
}

#[test]
fn steps_are_taken_by_section_and_all_of_them() {
    let text = "## A\n```sh trial=deb\nx 1  # c\ny \\\n  2\n```\n```sh as=z.md\nn\n```\n## B\n```sh trial=deb\nz\n```\n";
    let mut blocks = blocks("p.md", text).unwrap();
    blocks.retain(|block| matches!(block.runs, Runs::Trial(_)));
    let mut steps = Steps { page: "p.md".to_owned(), blocks };
    assert_eq!(steps.take("A").unwrap(), ["x 1", "y 2"]);
    assert!(steps.take("A").is_err());
    assert!(Steps { page: String::new(), blocks: steps.blocks.clone() }.all_taken().is_err());
    assert!(Steps { page: String::new(), blocks: steps.blocks.clone() }.expect("B", "y").is_err());
    steps.expect("B", "z").unwrap();
    steps.all_taken().unwrap();
}

#[test]
fn words_are_those_of_the_shell() {
    let simple = |line: &str| {
        shell::simple(line).into_iter().map(|words| words.join("_")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(simple("sudo a 'b c' && d | e; f # g"), "a_b c d e f");
    assert_eq!(simple("a \"#b\"c&&"), "a_#bc");
    assert_eq!(simple("a b >c"), "a_b c");
    assert_eq!(simple("# all"), "");
    let shown = shell::shown("see `a b` and `c …`\n```sh\nd \\\n e\n```\n`f`");
    let shown: Vec<_> = shown.iter().map(|(line, text)| format!("{line}:{}", text.trim())).collect();
    assert_eq!(shown, ["1:a b", "1:c", "4:d  e", "6:f"]);
}
