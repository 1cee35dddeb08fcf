//! The commands of the installation pages, `docs/install`. Each block of commands says who
//! runs it, in the words after the three ticks:
//!
//! * `sh trial=NAME`: that trial runs it, as it stands on the page ([`Steps`]);
//! * `sh as=PAGE.md`: each command of it stands in a block of that page that a trial runs;
//! * `sh untested`: nothing runs it, and the text before it says why.
//!
//! There is nothing else: a block without such words is an error. Whether the host knows the
//! commands that the pages give it is asked of the host itself ([`the_host_knows`]).

mod shell;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::program;

/// Where the pages are.
const FOLDER: &str = "docs/install";

/// How the text before a block begins that nothing runs.
const EXCUSE: &str = "Not run by our tests: ";

/// The trials that run blocks: the packages', and the system extension's.
const TRIALS: [&str; 4] = ["deb", "rpm", "arch", "sysext"];

/// Who runs a block.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Runs {
    /// The trial of that name.
    Trial(String),
    /// The trial that runs the same commands of another page.
    As(String),
    /// Nobody.
    Nobody,
}

/// Some commands of a page.
#[derive(Clone, Debug)]
struct Block {
    /// The file's name.
    page: String,
    /// Of its first tick.
    line: usize,
    /// The heading above it.
    section: String,
    runs: Runs,
    /// One a line; what ends with a backslash is joined, comments are gone.
    commands: Vec<String>,
}

/// What a trial has to run of a page. It takes blocks by the section they are in, and has to
/// take them all.
pub struct Steps {
    page: String,
    blocks: Vec<Block>,
}

impl Steps {
    /// Those of `page` that say they are run by `trial`.
    pub fn of(trial: &str, page: &str) -> Result<Self> {
        let wanted = Runs::Trial(trial.to_owned());
        let mut blocks = blocks(page, &read(page)?)?;
        blocks.retain(|block| block.runs == wanted);
        ensure!(!blocks.is_empty(), "{FOLDER}/{page} has nothing for the trial {trial}");
        Ok(Self { page: page.to_owned(), blocks })
    }

    /// The commands of the next block in a section.
    pub fn take(&mut self, section: &str) -> Result<Vec<String>> {
        let at = self.blocks.iter().position(|block| block.section == section);
        let at = at.with_context(|| format!("{FOLDER}/{}: nothing to run in {section:?}", self.page))?;
        Ok(self.blocks.remove(at).commands)
    }

    /// The next block in a section, which has to be this one command.
    pub fn expect(&mut self, section: &str, command: &str) -> Result<()> {
        let is = self.take(section)?;
        ensure!(is == [command], "{FOLDER}/{}: {section} says {is:?}, and not {command}", self.page);
        Ok(())
    }

    /// Fails when something was not taken.
    pub fn all_taken(self) -> Result<()> {
        match self.blocks.first() {
            Some(block) => bail!("{} is not run: {:?}", place(block), block.commands),
            None => Ok(()),
        }
    }
}

/// Asks the host, by `--help` at the end, whether it knows each command that a page gives it.
/// It does nothing but look at the words; a word that lacks is not noticed.
pub fn the_host_knows(host: &Path) -> Result<()> {
    let mut unknown = Vec::new();
    let mut asked = 0;
    for (place, words) in commands(is_host)? {
        let mut ask = Command::new(host);
        ask.args(&words[1..]).arg("--help").stdin(Stdio::null());
        let output = ask.output().with_context(|| format!("{} cannot be started", host.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            unknown.push(format!("{place}: {}: {}", words.join(" "), said.lines().next().unwrap_or("")));
        }
        asked += 1;
    }
    ensure!(unknown.is_empty(), "{}", unknown.join("\n"));
    ensure!(asked > 20, "only {asked} commands of the host are on the pages");
    println!("  {asked} commands of the host");
    Ok(())
}

fn is_host(words: &[String]) -> bool {
    words.len() > 1 && words[0].rsplit('/').next() == Some("punktfunk-host")
}

/// The words of all commands of a kind on all pages, also of those for people who are past
/// installing: in blocks, and between ticks.
fn commands(is_one: fn(&[String]) -> bool) -> Result<Vec<(String, Vec<String>)>> {
    let mut found = Vec::new();
    let mut files = vec![program::root().join("README.md")];
    for folder in ["docs", FOLDER] {
        for entry in fs::read_dir(program::root().join(folder))? {
            files.push(entry?.path());
        }
    }
    files.retain(|file| file.extension().is_some_and(|name| name == "md"));
    files.sort();
    for file in files {
        let text = fs::read_to_string(&file)?;
        for (line, command) in shell::shown(&text) {
            for words in shell::simple(&command) {
                if is_one(&words) {
                    found.push((format!("{}:{line}", program::relative(&file)), words));
                }
            }
        }
    }
    Ok(found)
}

fn read(page: &str) -> Result<String> {
    fs::read_to_string(program::root().join(FOLDER).join(page)).with_context(|| format!("{FOLDER}/{page}"))
}

fn place(block: &Block) -> String {
    format!("{FOLDER}/{}:{}", block.page, block.line)
}

/// The blocks of a page. One that does not say who runs it, or not why nobody does, is an
/// error.
fn blocks(page: &str, text: &str) -> Result<Vec<Block>> {
    let mut blocks = Vec::new();
    let (mut section, mut paragraph, mut last) = (String::new(), String::new(), String::new());
    let mut lines = (1..).zip(text.lines());
    while let Some((line, text)) = lines.next() {
        if let Some(words) = text.trim_start().strip_prefix("```") {
            let runs = runs(words).with_context(|| format!("{FOLDER}/{page}:{line}"))?;
            // The paragraph before it, which has ended.
            let before = if paragraph.is_empty() { &last } else { &paragraph };
            ensure!(
                runs != Runs::Nobody || before.contains(EXCUSE),
                "{FOLDER}/{page}:{line}: the paragraph before it has to say why: \"{EXCUSE}…\""
            );
            let inside = lines.by_ref().map(|(_, text)| text).take_while(|text| text.trim() != "```");
            let commands = shell::lines(inside);
            ensure!(!commands.is_empty(), "{FOLDER}/{page}:{line}: there is nothing in it");
            blocks.push(Block { page: page.to_owned(), line, section: section.clone(), runs, commands });
            continue;
        }
        if let Some(heading) = text.strip_prefix('#') {
            heading.trim_start_matches('#').trim().clone_into(&mut section);
            last.clear();
        } else if text.trim().is_empty() {
            if !paragraph.is_empty() {
                last = std::mem::take(&mut paragraph);
            }
        } else {
            paragraph += text.trim();
            paragraph.push(' ');
        }
    }
    Ok(blocks)
}

/// Reads what stands after the three ticks.
fn runs(words: &str) -> Result<Runs> {
    let runs = match words.trim().split_once(' ') {
        Some(("sh", "untested")) => Runs::Nobody,
        Some(("sh", word)) => match word.split_once('=') {
            Some(("trial", name)) if TRIALS.contains(&name) => Runs::Trial(name.to_owned()),
            Some(("as", page)) => Runs::As(page.to_owned()),
            _ => bail!("`{word}` is neither trial=NAME nor as=PAGE nor untested"),
        },
        _ => bail!("`{words}` does not say who runs it: `sh trial=NAME`, `sh as=PAGE` or `sh untested`"),
    };
    Ok(runs)
}
