//! What the management API and the console cost the host: memory while nobody plays, with
//! and without them, and processor time of a stream while nobody and while twenty consoles
//! listen to its figures over HTTPS. The programs are named by `PUNKTFUNK_BENCH_HOST` and
//! `PUNKTFUNK_BENCH_SEAT`, as `cargo xtask bench` does; one JSON object comes out.

use anyhow::{Context as _, Result, ensure};
use punktfunk_e2e::listeners::Listeners;
use punktfunk_e2e::measure::{Hall, Load, note, object, program};
use punktfunk_e2e::stage::{Stage, World};
use punktfunk_e2e::usage::Memory;
use serde_json::{Value, json};

const GOALS: &str = "≤ 5 MiB more memory idle; nothing measurable to a stream with 20 listeners";
const LISTENERS: usize = 20;
/// Each way is measured so often, by turns: noise that lasts meets both.
const ROUNDS: usize = 4;

/// A token that may look.
fn token(stage: &Stage) -> Result<String> {
    let arguments = ["ctl", "tokens.create", "name=bench", "scope=view", "--json"];
    let answer: Value = serde_json::from_str(&stage.owner(&arguments)?)?;
    Ok(answer["secret"].as_str().context("no secret in the answer")?.to_owned())
}

/// Memory of a host to which nobody has come, KiB.
fn idle(world: &World, rows: &mut Vec<String>) -> Result<()> {
    let mut without = None;
    for (case, listeners) in
        [("idle, no console", None), ("idle, console", Some(0)), ("idle, 20 listeners", Some(LISTENERS))]
    {
        let config = format!("[api]\nenabled = {}\n", listeners.is_some());
        let stage = Stage::with(world, "bench api", &config)?;
        let _open = match listeners {
            Some(count @ 1..) => Some(Listeners::open(stage.host.base + 1, &token(&stage)?, count)?),
            _ => None,
        };
        let memory = Memory::of(stage.host.pid());
        let all = memory.own + memory.file + memory.shared;
        let base = *without.get_or_insert((memory.own, all));
        let row = [
            ("case", json!(case)),
            ("own_kib", json!(memory.own)),
            ("all_kib", json!(all)),
            ("own_more_kib", json!(memory.own.saturating_sub(base.0))),
            ("all_more_kib", json!(all.saturating_sub(base.1))),
        ];
        note(rows, &row.map(|(name, value)| (name.to_owned(), value)));
    }
    Ok(())
}

fn streaming(world: &World, rows: &mut Vec<String>) -> Result<()> {
    let hall = Hall::open(world, 1)?;
    let token = token(&hall.stage)?;
    for round in 0..ROUNDS {
        for count in [0, LISTENERS] {
            let listeners = Listeners::open(hall.stage.host.base + 1, &token, count)?;
            let stretch = hall.alone(&Load::new(20, 60))?;
            let heard = listeners.heard();
            ensure!(count == 0 || heard > 0, "the listeners heard nothing");
            let mut row = stretch.row(&format!("20 Mbit/s at 60, {count} listeners, round {round}"), 1);
            row.push(("events_heard".to_owned(), json!(heard)));
            note(rows, &row);
        }
    }
    Ok(())
}

fn main() -> Result<()> {
    let (host, seat) = (program("PUNKTFUNK_BENCH_HOST")?, program("PUNKTFUNK_BENCH_SEAT")?);
    let artefacts = std::env::temp_dir().join(format!("punktfunk-api-{}", std::process::id()));
    let world = World::new(&host, &seat, &artefacts, false)?;
    let mut rows = Vec::new();
    idle(&world, &mut rows)?;
    streaming(&world, &mut rows)?;
    let method = "real host and seat; memory a moment after the start, own: RssAnon, all: with RssFile and RssShmem; \
        streams as in bench_sessions, Test card, no encoder; listeners are HTTPS connections of this process with a \
        token, to all topics but log; both ways by turns";
    let facts = [
        ("name".to_owned(), json!("bench_api")),
        ("goals".to_owned(), json!(GOALS)),
        ("method".to_owned(), json!(method)),
    ];
    let head = object(&facts);
    let head = head.strip_suffix('}').unwrap_or(&head);
    println!("{head}, \"rows\": [{}]}}", rows.join(", "));
    std::fs::remove_dir_all(&artefacts).context("the logs were not removed")
}
