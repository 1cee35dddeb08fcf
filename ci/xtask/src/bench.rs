//! `cargo xtask bench`: runs every benchmark and writes one JSON file and one table.
//!
//! A benchmark is an example called `bench_*` of any workspace crate. It prints one
//! JSON object with the peer and the ratio among its figures. What it holds is its own
//! affair: `name` is the heading, other plain values of the object are said before the
//! table, and whatever is nested becomes rows (see [`rows`]).

use std::fmt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, json};

use crate::{build, exit_code, program};

const INTRODUCTION: &str = "# Benchmarks

Written by `cargo xtask bench`; do not edit by hand. Machines are shared and noisy, so
a row counts as a ratio against a peer measured in the same run, or as CPU time of the
thread that did the work. What is about waiting itself (starts, pacing) can only be told
by the clock: read it with the load below in mind.
";

/// Options of `cargo xtask bench`.
#[derive(Args)]
pub struct Options {
    /// Run only benchmarks whose name contains this
    filter: Option<String>,
    /// The profile everything is built in
    #[arg(long, default_value = "release")]
    profile: String,
    /// Frames that each cell of the loss matrix plays (`bench_matrix`)
    #[arg(long, default_value_t = 1_000_000)]
    frames: u32,
}

/// Benchmarks with real processes are examples of this package. They find the programs
/// by these variables.
const WITH_PROGRAMS: &str = "punktfunk-e2e";
const PROGRAMS: [(&str, &str); 2] =
    [("PUNKTFUNK_BENCH_HOST", "punktfunk-host"), ("PUNKTFUNK_BENCH_SEAT", "punktfunk-seat")];

/// What a benchmark printed, ready to be shown.
struct Report {
    name: String,
    facts: Row,
    rows: Vec<Row>,
}

/// Columns in the order in which the benchmark printed them.
type Row = Vec<(String, Value)>;

/// JSON that keeps the order of an object's members.
enum Node {
    Leaf(Value),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// Runs the benchmarks and writes `target/bench.json` and `docs/benchmarks.md`; of some of
/// them only their sections of the page.
pub fn run(options: &Options) -> Result<ExitCode> {
    let mut reports = Vec::new();
    let mut failed = Vec::new();
    let built = build::benchmarks(&options.profile)?;
    for (package, example) in benchmarks()? {
        if options.filter.as_ref().is_some_and(|filter| !example.contains(filter.as_str())) {
            continue;
        }
        println!("{example}");
        let mut text = String::new();
        let mut benchmark = Command::new(built.join("examples").join(&example));
        benchmark.env("PUNKTFUNK_MATRIX_FRAMES", options.frames.to_string());
        if package == WITH_PROGRAMS {
            benchmark.envs(PROGRAMS.map(|(variable, name)| (variable, built.join(name))));
            // What a host logs for scenarios costs processor time.
            benchmark.env("RUST_LOG", "info");
        }
        let ok = program::each_line(&mut benchmark, |line| text.extend([line, "\n"]))?;
        match report(&example, &text) {
            Ok(report) if ok => reports.push(report),
            Ok(_) => failed.push(example),
            Err(error) => {
                eprintln!("{example} printed no report ({error:#}):\n{text}");
                failed.push(example);
            }
        }
    }
    let machine = machine(&options.profile);
    for report in &reports {
        println!("{}", section(report));
    }
    if options.filter.is_none() && failed.is_empty() {
        let target = build::target()?;
        std::fs::write(target.join("bench.json"), format!("{:#}\n", as_json(&machine, &reports)))?;
        let table = page(&machine, &reports);
        std::fs::write(program::root().join("docs/benchmarks.md"), table)?;
        println!("written: {}/bench.json and docs/benchmarks.md", target.display());
    } else if failed.is_empty() && !reports.is_empty() {
        let file = program::root().join("docs/benchmarks.md");
        let mut page = std::fs::read_to_string(&file)?;
        for mut report in reports {
            report.facts.push(("measured apart from the others".to_owned(), Value::String(machine.clone())));
            page = merged(&page, &report);
        }
        std::fs::write(file, page)?;
        println!("written: the sections of these in docs/benchmarks.md");
    } else {
        println!("nothing written: a benchmark failed, or none ran");
    }
    for example in &failed {
        println!("failed: {example}");
    }
    Ok(exit_code(failed.is_empty()))
}

/// Package and name of every example called `bench_*`.
fn benchmarks() -> Result<Vec<(String, String)>> {
    let said = program::output(program::cargo().args(["metadata", "--no-deps", "--format-version", "1"]));
    let metadata: Value = serde_json::from_str(&said.context("`cargo metadata` failed")?)?;
    let mut found = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        for target in package["targets"].as_array().into_iter().flatten() {
            let name = target["name"].as_str().unwrap_or_default();
            if target["kind"] == json!(["example"]) && name.starts_with("bench_") {
                found.push((package["name"].as_str().unwrap_or_default().to_owned(), name.to_owned()));
            }
        }
    }
    found.sort();
    if found.is_empty() {
        bail!("no crate has an example called bench_*");
    }
    Ok(found)
}

/// What the figures were measured on.
fn machine(profile: &str) -> String {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |key: &str| {
        let line = info.lines().find(|line| line.starts_with(key))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let flags = field("flags").unwrap_or_default();
    let known = ["avx2", "avx512f", "gfni", "vaes"];
    let flags: Vec<&str> =
        known.into_iter().filter(|flag| flags.split(' ').any(|have| have == *flag)).collect();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{} × {} ({}), Linux {}; built with the profile `{profile}`; load over 15 minutes {}",
        cpus,
        field("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        flags.join(", "),
        kernel.trim(),
        load.split(' ').nth(2).unwrap_or("unknown")
    )
}

fn report(example: &str, text: &str) -> Result<Report> {
    let Node::Object(members) = serde_json::from_str(text)? else { bail!("it is no JSON object") };
    let mut name = example.to_owned();
    let (mut facts, mut tables) = (Row::new(), Vec::new());
    for (key, node) in members {
        match node {
            Node::Leaf(Value::String(text)) if key == "name" => name = text,
            Node::Leaf(value) => facts.push((key, value)),
            nested => tables.push((key, nested)),
        }
    }
    let rows = rows(tables);
    if rows.is_empty() {
        bail!("it holds no rows");
    }
    Ok(Report { name, facts, rows })
}

/// Flattens an object: each object in a list below it is a row, and so is each object
/// that is a member itself, with the member's name as its `case`. Plain values beside
/// them are repeated in each of these rows.
fn rows(members: Vec<(String, Node)>) -> Vec<Row> {
    let (mut plain, mut nested) = (Row::new(), Vec::new());
    for (key, node) in members {
        match node {
            Node::Leaf(value) => plain.push((key, value)),
            Node::List(nodes) => {
                for node in nodes {
                    match node {
                        Node::Object(members) => nested.extend(rows(members)),
                        Node::Leaf(value) => nested.push(vec![(key.clone(), value)]),
                        Node::List(_) => {}
                    }
                }
            }
            Node::Object(members) => {
                let case = ("case".to_owned(), Value::String(key));
                nested.extend(rows(members).into_iter().map(|row| [vec![case.clone()], row].concat()));
            }
        }
    }
    if nested.is_empty() {
        return if plain.is_empty() { Vec::new() } else { vec![plain] };
    }
    nested.into_iter().map(|row| [plain.clone(), row].concat()).collect()
}

fn as_json(machine: &str, reports: &[Report]) -> Value {
    let object = |row: &Row| Value::Object(row.iter().cloned().collect());
    let report = |report: &Report| {
        let rows: Vec<Value> = report.rows.iter().map(object).collect();
        json!({ "name": report.name, "facts": object(&report.facts), "rows": rows })
    };
    json!({ "machine": machine, "benchmarks": reports.iter().map(report).collect::<Vec<_>>() })
}

fn page(machine: &str, reports: &[Report]) -> String {
    let mut text = format!("{INTRODUCTION}\nMachine: {machine}.\n");
    for report in reports {
        text += "\n";
        text += &section(report);
    }
    text
}

/// The page with the section of this report in the place of the one it has, or at its end.
fn merged(page: &str, report: &Report) -> String {
    let (section, heading) = (section(report), format!("## {}\n", report.name));
    let place = page.match_indices(&heading).find(|(at, _)| page[..*at].ends_with("\n\n"));
    let Some((begin, _)) = place else { return format!("{}\n\n{section}", page.trim_end()) };
    let end = page[begin..].find("\n\n## ").map_or(page.len(), |at| begin + at + 1);
    format!("{}{section}{}", &page[..begin], &page[end..])
}

fn section(report: &Report) -> String {
    let mut columns: Vec<&str> = Vec::new();
    for (name, _) in report.rows.iter().flatten() {
        if !columns.contains(&name.as_str()) {
            columns.push(name);
        }
    }
    let mut text = format!("## {}\n\n", report.name);
    if !report.facts.is_empty() {
        let facts: Vec<String> =
            report.facts.iter().map(|(key, value)| format!("{key}: {}", shown(value))).collect();
        text += &format!("{}\n\n", facts.join(" · "));
    }
    text += &format!("| {} |\n|{}\n", columns.join(" | "), "---|".repeat(columns.len()));
    for row in &report.rows {
        let cell = |column: &&str| {
            row.iter().find(|(name, _)| name == column).map_or_else(String::new, |(_, value)| shown(value))
        };
        text += &format!("| {} |\n", columns.iter().map(cell).collect::<Vec<_>>().join(" | "));
    }
    text
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.replace('|', "\\|"),
        Value::Number(number) if number.is_f64() => {
            let number = number.as_f64().unwrap_or_default();
            // Three figures say all that a noisy machine knows.
            let digits = if number.abs() >= 100.0 {
                0
            } else if number.abs() >= 10.0 {
                1
            } else {
                2
            };
            format!("{number:.digits$}")
        }
        other => other.to_string(),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Node::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Null))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_a_table_in_their_own_order() {
        let report = report(
            "bench_x",
            r#"{"name": "GF(2^8)", "method": "Best of 5.", "rows": [
                {"shape": "32+8", "ours µs": 3.14159, "ratio": 2.8},
                {"shape": "100+20", "note": "a|b", "ratio": 123.4}]}"#,
        )
        .unwrap();
        let expected = "## GF(2^8)\n\nmethod: Best of 5.\n\n\
            | shape | ours µs | ratio | note |\n|---|---|---|---|\n\
            | 32+8 | 3.14 | 2.80 |  |\n| 100+20 |  | 123 | a\\|b |\n";
        assert_eq!(section(&report), expected);
        let json = as_json("m", &[report]);
        assert_eq!(json["benchmarks"][0]["rows"][0]["shape"], "32+8");
    }

    #[test]
    fn a_report_takes_the_place_of_its_section_and_no_other() {
        let one = |name: &str, figure: u32| {
            let text = format!(r#"{{"name": "{name}", "rows": [{{"n": {figure}}}]}}"#);
            report("bench_x", &text).unwrap()
        };
        let before = page("m", &[one("bench_a", 1), one("bench_ab", 2), one("bench_b", 3)]);
        for name in ["bench_a", "bench_ab", "bench_b"] {
            let after = merged(&before, &one(name, 9));
            let figures = [("bench_a", 1), ("bench_ab", 2), ("bench_b", 3)];
            let figures = figures.map(|(other, figure)| one(other, if other == name { 9 } else { figure }));
            assert_eq!(after, page("m", &figures), "{name}");
        }
        let more = merged(&before, &one("bench_c", 4));
        let all = [one("bench_a", 1), one("bench_ab", 2), one("bench_b", 3), one("bench_c", 4)];
        assert_eq!(more, page("m", &all));
    }

    #[test]
    fn nested_lists_and_members_become_rows() {
        let text = r#"{"frames": 9, "blocks": [{"data": 8, "by": [{"b": "A", "r": 2}, {"b": "S", "r": 1}]}],
            "gso": {"ns": 400}}"#;
        let expected = "## bench_x\n\nframes: 9\n\n| data | b | r | case | ns |\n|---|---|---|---|---|\n\
            | 8 | A | 2 |  |  |\n| 8 | S | 1 |  |  |\n|  |  |  | gso | 400 |\n";
        assert_eq!(section(&report("bench_x", text).unwrap()), expected);
        for nothing in ["", "3", "{}", "{\"frames\": 9}", "{\"rows\": []}"] {
            assert!(report("bench_x", nothing).is_err());
        }
    }

    #[test]
    fn the_page_in_the_tree_is_one_we_wrote() {
        let page = std::fs::read_to_string(program::root().join("docs/benchmarks.md")).unwrap();
        assert!(page.starts_with(INTRODUCTION));
    }
}
