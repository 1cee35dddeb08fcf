//! What sessions cost the host: processor time and memory of 1, 2, 4 and 8 of them
//! without an encoder, and one with x264 against the same one without (performance
//! page, P7, P10, P11, P12). The programs are named by `PUNKTFUNK_BENCH_HOST` and
//! `PUNKTFUNK_BENCH_SEAT`, as `cargo xtask bench` does; one JSON object comes out.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use punktfunk_e2e::host::processes_of;
use punktfunk_e2e::stage::{PICTURE, Stage, World};
use punktfunk_e2e::usage::{Look, Memory};
use punktfunk_probe::{Identity, Options, Player};
use serde_json::{Value, json};

const SYNTHETIC: &str = "[test]\nencoder = \"synthetic\"\n";
/// How long is measured, after a second in which everything finds its size.
const MEASURED: Duration = Duration::from_secs(4);
const SETTLE: Duration = Duration::from_secs(1);
const FPS: f64 = 60.0;
/// What Moonlight asks for at 720p60.
const X264_KBPS: u32 = 10_000;

const GOALS: &str = "P7 ratio ≤ 0.05; P10 idle ≤ 25 MiB in all, ≤ 8 MiB a session; \
    P11 20 Mbit/s ≤ 0.5 %, 150 Mbit/s ≤ 2.5 %; P12 to_linear 1";

/// One measured stretch.
struct Stretch {
    seconds: f64,
    host: Look,
    seats: Look,
    memory: Memory,
    threads: usize,
    frames: u64,
    lost: u64,
    bytes: u64,
}

impl Stretch {
    /// Watches `players` for a while.
    fn watch(stage: &Stage, players: &[Player]) -> Result<Self> {
        std::thread::sleep(SETTLE);
        let pid = stage.host.pid();
        let seats: Vec<u32> = processes_of(&format!("seat-{pid}-")).iter().map(|seat| seat.pid).collect();
        let sum = |count: fn(&punktfunk_probe::Stats) -> u64| {
            players.iter().map(|player| count(&player.stats())).sum::<u64>()
        };
        let counts = || {
            (
                sum(|stats| stats.frames_received),
                sum(|stats| stats.lost_frames),
                sum(|stats| stats.video_bytes),
            )
        };
        let (start, before) = (Instant::now(), counts());
        let (host, seat) = (Look::at([pid]), Look::at(seats.iter().copied()));
        std::thread::sleep(MEASURED);
        let (host_now, seat_now) = (Look::at([pid]), Look::at(seats));
        let (seconds, after) = (start.elapsed().as_secs_f64(), counts());
        for player in players {
            ensure!(player.stats().end.is_none(), "a stream ended: {:?}", player.stats().end);
        }
        Ok(Self {
            seconds,
            host: &host_now - &host,
            seats: &seat_now - &seat,
            memory: Memory::of(pid),
            threads: host_now.threads(),
            frames: after.0 - before.0,
            lost: after.1 - before.1,
            bytes: after.2 - before.2,
        })
    }

    /// Percent of one core.
    fn percent(&self, cpu_ns: u64) -> f64 {
        cpu_ns as f64 / self.seconds / 1e7
    }

    fn host_percent(&self) -> f64 {
        self.percent(self.host.total().cpu_ns)
    }

    /// Processor time of the sound: recorder, Opus, parity, encryption, sending.
    fn sound_ns(&self) -> u64 {
        let sound = ["punktfunk-audio", "punktfunk-recor"];
        self.host.of(|name| sound.contains(&name)).cpu_ns
    }

    /// Processor time of the host by thread, for one session.
    fn split(&self) -> String {
        let parts = self.host.by_name().into_iter().filter(|(_, used)| self.percent(used.cpu_ns) >= 0.05);
        let parts = parts.map(|(name, used)| {
            format!("{} {:.2}", name.trim_start_matches("punktfunk-"), self.percent(used.cpu_ns))
        });
        parts.collect::<Vec<_>>().join(", ")
    }
}

/// An object whose members stay in their order.
fn object(members: &[(&str, Value)]) -> String {
    let members: Vec<_> = members.iter().map(|(name, value)| format!("{}: {value}", json!(name))).collect();
    format!("{{{}}}", members.join(", "))
}

fn program(variable: &str) -> Result<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .with_context(|| format!("{variable} names no program: run this by `cargo xtask bench sessions`"))
}

fn play(stage: &Stage, identity: &Identity, kbps: u32) -> Result<Player> {
    let app = stage.address.find_app(identity, "Test card")?.id;
    let options = Options { decode: false, bitrate_kbps: kbps, ..Options::new(app) };
    let player = Player::start(&stage.address, identity, &options)?;
    player.wait_for("the first frame", PICTURE, |stats| stats.frames_received > 0)?;
    Ok(player)
}

/// Sessions of the same kind, more and more of them.
fn several(world: &World, rows: &mut Vec<String>) -> Result<()> {
    let stage = Stage::with(world, "bench sessions", SYNTHETIC)?;
    stage.pair()?;
    let others =
        (1..8).map(|number| stage.another(&format!("client-{number}"))).collect::<Result<Vec<_>>>()?;
    let identities: Vec<&Identity> = std::iter::once(&stage.identity).chain(&others).collect();
    let idle = Stretch::watch(&stage, &[])?;
    let mib = |kilobytes: u64| kilobytes as f64 / 1024.0;
    rows.push(object(&[
        ("case", json!("idle")),
        ("sessions", json!(0)),
        ("host_percent", json!(idle.host_percent())),
        ("host_threads", json!(idle.threads)),
        ("host_own_mib", json!(mib(idle.memory.own))),
        ("host_file_mib", json!(mib(idle.memory.file))),
        ("wakes_per_s", json!(idle.host.total().wakes as f64 / idle.seconds)),
    ]));
    for (kbps, counts) in [(150_000, &[1, 2][..]), (20_000, &[1, 2, 4, 8][..])] {
        let mut players: Vec<Player> = Vec::new();
        let mut of_one = None;
        // What the sessions before gave back is given back a little later.
        std::thread::sleep(SETTLE);
        let before = Memory::of(stage.host.pid());
        for &count in counts {
            while let Some(identity) = identities.get(players.len()).filter(|_| players.len() < count) {
                players.push(play(&stage, identity, kbps)?);
            }
            let stretch = Stretch::watch(&stage, &players)?;
            let sessions = count as f64;
            let each = (stretch.host_percent() - idle.host_percent()) / sessions;
            let own = mib(stretch.memory.own.saturating_sub(before.own)) / sessions;
            rows.push(object(&[
                ("case", json!(format!("{} Mbit/s", kbps / 1000))),
                ("sessions", json!(count)),
                ("host_percent", json!(stretch.host_percent())),
                ("host_percent_per_session", json!(each)),
                ("to_linear", json!(each / *of_one.get_or_insert(each))),
                ("sound_percent_per_session", json!(stretch.percent(stretch.sound_ns()) / sessions)),
                ("seat_percent_per_session", json!(stretch.percent(stretch.seats.total().cpu_ns) / sessions)),
                ("host_threads", json!(stretch.threads)),
                ("host_own_mib_per_session", json!(own)),
                ("wakes_per_frame", json!(stretch.host.total().wakes as f64 / stretch.frames.max(1) as f64)),
                ("frames_per_s", json!(stretch.frames as f64 / stretch.seconds / sessions)),
                ("lost", json!(stretch.lost)),
                (
                    "us_per_frame",
                    json!(stretch.host.total().cpu_ns as f64 / 1e3 / stretch.frames.max(1) as f64),
                ),
                ("threads_percent", json!(stretch.split())),
            ]));
        }
        drop(players);
        for identity in &identities[..counts.iter().copied().max().unwrap_or(0)] {
            stage.address.quit(identity)?;
        }
    }
    let after = Stretch::watch(&stage, &[])?;
    rows.push(object(&[
        ("case", json!("idle again")),
        ("sessions", json!(0)),
        ("host_percent", json!(after.host_percent())),
        ("host_threads", json!(after.threads)),
        ("host_own_mib", json!(mib(after.memory.own))),
        ("host_file_mib", json!(mib(after.memory.file))),
    ]));
    Ok(())
}

/// One session alone, on a host with `config`.
fn one(world: &World, config: &str, kbps: u32) -> Result<Stretch> {
    let stage = Stage::with(world, "bench x264", config)?;
    stage.pair()?;
    let player = play(&stage, &stage.identity, kbps)?;
    Stretch::watch(&stage, &[player])
}

/// The same session with x264 and without an encoder, at the bitrate that x264 made:
/// what the second one costs is everything but encoder and colour conversion.
fn encoder_against_rest(world: &World, rows: &mut Vec<String>) -> Result<()> {
    let coded = one(world, "[encoder]\nsoftware = \"x264\"\n", X264_KBPS)?;
    let kbps = (coded.bytes as f64 * 8.0 / 1000.0 / coded.seconds) as u32 + 100;
    let rest = one(world, SYNTHETIC, kbps.max(1000))?;
    let per_frame = |stretch: &Stretch, cpu_ns: u64| cpu_ns as f64 / stretch.frames.max(1) as f64 / 1e3;
    let cost = |stretch: &Stretch| per_frame(stretch, stretch.host.total().cpu_ns);
    let encoder = cost(&coded) - cost(&rest);
    let sound = per_frame(&rest, rest.sound_ns());
    for (case, stretch) in [("x264", &coded), ("no encoder", &rest)] {
        rows.push(object(&[
            ("case", json!(format!("720p60, {case}"))),
            ("sessions", json!(1)),
            ("host_percent", json!(stretch.host_percent())),
            ("seat_percent_per_session", json!(stretch.percent(stretch.seats.total().cpu_ns))),
            ("frames_per_s", json!(stretch.frames as f64 / stretch.seconds)),
            ("lost", json!(stretch.lost)),
            ("us_per_frame", json!(cost(stretch))),
            ("mbit_per_s", json!(stretch.bytes as f64 * 8.0 / 1e6 / stretch.seconds)),
            ("threads_percent", json!(stretch.split())),
        ]));
    }
    rows.push(object(&[
        ("case", json!("everything but the encoder / encoder and conversion")),
        ("us_per_frame", json!(encoder)),
        ("ratio", json!(cost(&rest) / encoder)),
        ("ratio_without_sound", json!((cost(&rest) - sound) / encoder)),
    ]));
    Ok(())
}

fn main() -> Result<()> {
    let (host, seat) = (program("PUNKTFUNK_BENCH_HOST")?, program("PUNKTFUNK_BENCH_SEAT")?);
    let artefacts = std::env::temp_dir().join(format!("punktfunk-bench-{}", std::process::id()));
    let world = World::new(&host, &seat, &artefacts, false)?;
    let mut rows = Vec::new();
    several(&world, &mut rows)?;
    encoder_against_rest(&world, &mut rows)?;
    let method = format!(
        "real host and seats, Test card at 1280x720@{FPS}, clients that receive and decode only sound; processor \
         time of threads over {} s, as percent of one core; own memory is heap and stacks; the case without an \
         encoder has access units of the same bitrate that show nothing",
        MEASURED.as_secs()
    );
    println!(
        "{{\"name\": \"bench_sessions\", \"goals\": {}, \"method\": {}, \"rows\": [{}]}}",
        json!(GOALS),
        json!(method),
        rows.join(", ")
    );
    std::fs::remove_dir_all(&artefacts).context("the logs were not removed")
}
