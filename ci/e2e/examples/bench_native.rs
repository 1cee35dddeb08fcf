//! What sessions of punktfunk/1 cost the host, from 5 Mbit/s to the most that the machine
//! carries, how they add up, and how long a picture is on its way (performance page, P6,
//! P11, P12, P13). The real host and seats, no encoder, and the probe's library, which
//! receives on the same machine. The programs are named by `PUNKTFUNK_BENCH_HOST` and
//! `PUNKTFUNK_BENCH_SEAT`, as `cargo xtask bench` does; one JSON object comes out.

use std::io::Read as _;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use punktfunk_e2e::host::processes_of;
use punktfunk_e2e::stage::{PICTURE, Stage, World};
use punktfunk_e2e::usage::Look;
use punktfunk_probe::native::{Home, Host, Options, Player, Timing};
use serde_json::{Value, json};

const SETTLE: Duration = Duration::from_millis(1500);
const MEASURED: Duration = Duration::from_secs(4);
/// Datagrams as on the internet, and as a network with jumbo frames bears them.
const INTERNET: u16 = 1472;
const JUMBO: u16 = 8952;
/// A small screen: the seat draws it by the processor, and its pixels never leave it.
const SIZE: (u32, u32) = (640, 360);

const GOALS: &str = "P6 ≤ 60 µs a frame of 100 packets, p50 ≤ 100 µs, p99 ≤ 400 µs; P11 20 Mbit/s ≤ 0.5 %, \
    150 Mbit/s ≤ 2.5 %, 1 Gbit/s ≤ 12 %; P12 r_squared ≥ 0.995; P13 ≥ 200 sessions on 2 cores, receivers included";

/// What was not reached when this page was written last, and what nobody measured.
const NOT_REACHED: &str = "P6: six times the processor time at 240 frames a second, sixteen times at 60, and a frame comes \
    spread over a quarter to a third of its interval, so that none is whole in 100 µs; P11: 20 and 150 \
    Mbit/s by far, 1 Gbit/s narrowly; P12 in bitrate: the sending thread takes some 4.5 % from 80 Mbit/s \
    on, however little there is to send; P13: the processor time of 1 to 8 sessions lets expect 60 to \
    80, and nobody measured more; veth, 5120x1440 by its pixels and SCHED_FIFO: not measured";

/// What a client asks for.
#[derive(Clone, Copy)]
struct Load {
    kbps: u32,
    hertz: u32,
    payload: u16,
    channels: u8,
}

impl Load {
    const fn new(mbps: u32, hertz: u32) -> Self {
        Self { kbps: mbps * 1000, hertz, payload: INTERNET, channels: 0 }
    }

    fn options(&self) -> Options {
        let options = Options { decode: false, bitrate_kbps: self.kbps, ..Options::default() };
        let options = Options { payload: self.payload, channels: self.channels, ..options };
        options.mode(SIZE.0, SIZE.1, self.hertz)
    }
}

/// One host, and clients that are paired with it.
struct Hall {
    stage: Stage,
    clients: Vec<(Home, Host)>,
    /// The number of the Test card.
    app: u32,
}

impl Hall {
    fn open(world: &World, clients: usize) -> Result<Self> {
        let port = UdpSocket::bind(("0.0.0.0", 0))?.local_addr()?.port();
        let config = format!(
            "[native]\nport = {port}\ntrust_on_first_use = true\n[sessions]\nmax = {}\n[test]\nencoder = \"synthetic\"\n",
            clients.max(1)
        );
        let mut hall =
            Self { stage: Stage::with(world, "bench native", &config)?, clients: Vec::new(), app: 0 };
        let (first, host) = hall.pair("client-0", port)?;
        hall.app = host.find_app(first.client(), "Test card")?;
        // The others are trusted as they come. No address brings more than five a minute: hence two.
        let other = Host { address: SocketAddr::from((Ipv6Addr::LOCALHOST, port)), ..host.clone() };
        for number in 1..clients {
            let name = format!("client-{number}");
            let host = if number % 2 == 0 { &host } else { &other };
            hall.clients.push((Home::open(&hall.stage.folder.join(&name), &name)?, host.clone()));
        }
        hall.clients.insert(0, (first, host));
        Ok(hall)
    }

    /// Another client, by the digits that the owner's command shows.
    fn pair(&self, name: &str, port: u16) -> Result<(Home, Host)> {
        let mut owner = self.stage.host.cli_command(&["pair", "--native", "--json", "--name", name]);
        let mut owner = owner.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut screen = owner.stdout.take().context("the owner's command has no output")?;
        let said = serde_json::Deserializer::from_reader(&mut screen).into_iter::<Value>().next();
        let Some(Ok(said)) = said else {
            bail!("pair --native: {}", String::from_utf8_lossy(&owner.wait_with_output()?.stderr));
        };
        let home = Home::open(&self.stage.folder.join(name), name)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let host = home.pair_pin(address, said["pin"].as_str().context("no PIN")?, "bench")?;
        screen.read_to_end(&mut Vec::new())?;
        ensure!(owner.wait()?.success(), "the owner's command failed");
        Ok((home, host))
    }

    fn play(&self, client: usize, load: &Load) -> Result<Player> {
        let (home, host) = self.clients.get(client).context("no such client")?;
        let player = Player::start(home.client(), host, &Options { app: Some(self.app), ..load.options() })?;
        player.wait_for("the first frame", PICTURE, |stats| stats.frames_received > 0)?;
        Ok(player)
    }

    /// One session of this kind, alone; nothing of it is left.
    fn alone(&self, load: &Load) -> Result<Stretch> {
        let player = self.play(0, load)?;
        let stretch = Stretch::watch(&self.stage, std::slice::from_ref(&player));
        player.quit()?;
        player.wait_for_end(PICTURE);
        stretch
    }
}

/// One measured stretch.
struct Stretch {
    seconds: f64,
    host: Look,
    seats: Look,
    clients: Look,
    realtime: usize,
    frames: u64,
    lost: u64,
    bytes: u64,
    /// From the capture to the first datagram at the client, and to the whole frame, µs.
    first: Vec<u64>,
    received: Vec<u64>,
}

impl Stretch {
    fn watch(stage: &Stage, players: &[Player]) -> Result<Self> {
        std::thread::sleep(SETTLE);
        let pid = stage.host.pid();
        let seats: Vec<u32> = processes_of(&format!("seat-{pid}-")).iter().map(|seat| seat.pid).collect();
        let counts = || -> Vec<[u64; 4]> {
            let of = |player: &Player| {
                player.look(|stats| {
                    [stats.frames_received, stats.lost_frames, stats.video_bytes, stats.timings.len() as u64]
                })
            };
            players.iter().map(of).collect()
        };
        let look = || {
            (Look::at([pid]), Look::at(seats.iter().copied()), Look::at([std::process::id()]), Instant::now())
        };
        let (before, first) = (counts(), look());
        std::thread::sleep(MEASURED);
        let (last, after) = (look(), counts());
        let mut stretch = Self {
            seconds: (last.3 - first.3).as_secs_f64(),
            host: &last.0 - &first.0,
            seats: &last.1 - &first.1,
            clients: &last.2 - &first.2,
            realtime: realtime(pid),
            frames: 0,
            lost: 0,
            bytes: 0,
            first: Vec::new(),
            received: Vec::new(),
        };
        for ((player, before), after) in players.iter().zip(&before).zip(&after) {
            stretch.add(player, before, after)?;
        }
        stretch.received.sort_unstable();
        stretch.first.sort_unstable();
        Ok(stretch)
    }

    fn add(&mut self, player: &Player, before: &[u64; 4], after: &[u64; 4]) -> Result<()> {
        self.frames += after[0] - before[0];
        self.lost += after[1] - before[1];
        self.bytes += after[2] - before[2];
        player.look(|stats| {
            ensure!(stats.end.is_none(), "a stream ended: {:?}", stats.end);
            let timings = stats.timings.iter().skip(before[3] as usize);
            for &Timing { captured, first, received, .. } in timings.take((after[3] - before[3]) as usize) {
                let Some(captured) = captured else { continue };
                self.received.push(received.since(captured).as_micros() as u64);
                self.first.push(first.since(captured).as_micros() as u64);
            }
            Ok(())
        })
    }

    /// Percent of one core.
    fn percent(&self, look: &Look) -> f64 {
        look.total().cpu_ns as f64 / self.seconds / 1e7
    }

    fn mbps(&self) -> f64 {
        self.bytes as f64 * 8.0 / 1e6 / self.seconds
    }

    /// Processor time of the host by thread.
    fn split(&self) -> String {
        let percent = |cpu_ns: u64| cpu_ns as f64 / self.seconds / 1e7;
        let parts = self.host.by_name().into_iter().filter(|(_, used)| percent(used.cpu_ns) >= 0.05);
        let parts = parts.map(|(name, used)| {
            format!("{} {:.2}", name.trim_start_matches("punktfunk-"), percent(used.cpu_ns))
        });
        parts.collect::<Vec<_>>().join(", ")
    }

    fn row(&self, case: &str, sessions: usize) -> Vec<(String, Value)> {
        let (each, frames) = (sessions.max(1) as f64, self.frames.max(1) as f64);
        let kib = self.bytes as f64 / 1024.0 / frames;
        let members = [
            ("case", json!(case)),
            ("sessions", json!(sessions)),
            ("mbit_per_s_each", json!(self.mbps() / each)),
            ("frames_per_s_each", json!(self.frames as f64 / self.seconds / each)),
            ("kib_per_frame", json!(kib)),
            ("lost", json!(self.lost)),
            ("host_percent_each", json!(self.percent(&self.host) / each)),
            ("host_us_per_frame", json!(self.host.total().cpu_ns as f64 / 1e3 / frames)),
            ("clients_percent_each", json!(self.percent(&self.clients) / each)),
            ("seat_percent_each", json!(self.percent(&self.seats) / each)),
            ("first_p50_us", quantile(&self.first, 0.5)),
            ("first_p99_us", quantile(&self.first, 0.99)),
            ("received_p50_us", quantile(&self.received, 0.5)),
            ("received_p99_us", quantile(&self.received, 0.99)),
            ("threads_percent", json!(self.split())),
        ];
        members.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }
}

fn quantile(sorted: &[u64], at: f64) -> Value {
    let index = (sorted.len() as f64 * at) as usize;
    json!(sorted.get(index.min(sorted.len().saturating_sub(1))))
}

/// How many threads of a process run by SCHED_FIFO: field 41 of `stat`.
fn realtime(pid: u32) -> usize {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    let policy = |task: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        // The name in field 2 may hold blanks; it ends with the last bracket.
        stat.rsplit_once(')')?.1.split_whitespace().nth(38)?.parse::<u32>().ok()
    };
    tasks.flatten().filter_map(policy).filter(|&policy| policy == 1).count()
}

/// The square of the correlation of processor time with bitrate.
fn r_squared(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let sum =
        |of: &dyn Fn(f64, f64) -> f64| points.iter().map(|point| of(point.0 - x, point.1 - y)).sum::<f64>();
    let (xy, xx, yy) = (sum(&|x, y| x * y), sum(&|x, _| x * x), sum(&|_, y| y * y));
    xy * xy / (xx * yy)
}

/// An object whose members stay in their order.
fn object(members: &[(String, Value)]) -> String {
    let members: Vec<_> = members.iter().map(|(name, value)| format!("{}: {value}", json!(name))).collect();
    format!("{{{}}}", members.join(", "))
}

fn note(rows: &mut Vec<String>, row: &[(String, Value)]) {
    let row = object(row);
    eprintln!("{row}");
    rows.push(row);
}

/// One session at more and more.
fn rates(world: &World, rows: &mut Vec<String>) -> Result<usize> {
    let hall = Hall::open(world, 1)?;
    let (mut points, mut realtime) = (Vec::new(), 0);
    for mbps in [5, 20, 150, 500, 1000, 2000] {
        let stretch = hall.alone(&Load::new(mbps, 60))?;
        points.push((stretch.mbps(), stretch.percent(&stretch.host)));
        realtime = stretch.realtime;
        note(rows, &stretch.row(&format!("{mbps} Mbit/s at 60"), 1));
    }
    for (case, points) in [("P12, all of these", &points[..]), ("P12, without the last", &points[..5])] {
        let fit = [("case", json!(case)), ("r_squared", json!(r_squared(points)))];
        note(rows, &fit.map(|(name, value)| (name.to_owned(), value)));
    }
    let sound = Load { channels: 2, ..Load::new(20, 60) };
    note(rows, &hall.alone(&sound)?.row("20 Mbit/s at 60 with stereo", 1));
    for (case, load) in [
        ("P6, about 100 packets at 60", Load::new(80, 60)),
        ("P6, about 100 packets at 240", Load::new(320, 240)),
        ("1000 Mbit/s at 240", Load::new(1000, 240)),
        ("1000 Mbit/s at 240, jumbo", Load { payload: JUMBO, ..Load::new(1000, 240) }),
        ("4000 Mbit/s asked for at 240", Load::new(4000, 240)),
        ("4000 Mbit/s asked for at 240, jumbo", Load { payload: JUMBO, ..Load::new(4000, 240) }),
    ] {
        note(rows, &hall.alone(&load)?.row(case, 1));
    }
    Ok(realtime)
}

/// Sessions of the same kind, more and more of them.
fn several(world: &World, rows: &mut Vec<String>) -> Result<()> {
    const COUNTS: [usize; 4] = [1, 2, 4, 8];
    let hall = Hall::open(world, 8)?;
    let mut players = Vec::new();
    let mut points = Vec::new();
    for count in COUNTS {
        while players.len() < count {
            players.push(hall.play(players.len(), &Load::new(20, 60))?);
        }
        let stretch = Stretch::watch(&hall.stage, &players)?;
        points.push((count as f64, stretch.percent(&stretch.host)));
        let mut row = stretch.row("20 Mbit/s at 60", count);
        let each = (stretch.percent(&stretch.host) + stretch.percent(&stretch.clients)) / count as f64;
        row.push(("two_cores_would_carry".to_owned(), json!(200.0 / each)));
        note(rows, &row);
    }
    let fit = [("case", json!("P12, 1 to 8 sessions")), ("r_squared", json!(r_squared(&points)))];
    note(rows, &fit.map(|(name, value)| (name.to_owned(), value)));
    Ok(())
}

fn program(variable: &str) -> Result<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .with_context(|| format!("{variable} names no program: run this by `cargo xtask bench native`"))
}

fn main() -> Result<()> {
    let (host, seat) = (program("PUNKTFUNK_BENCH_HOST")?, program("PUNKTFUNK_BENCH_SEAT")?);
    let artefacts = std::env::temp_dir().join(format!("punktfunk-bench-{}", std::process::id()));
    let world = World::new(&host, &seat, &artefacts, false)?;
    let mut rows = Vec::new();
    let realtime = match rates(&world, &mut rows)? {
        0 => "asked for and not granted here".to_owned(),
        threads => format!("granted to {threads} threads of a session"),
    };
    several(&world, &mut rows)?;
    let method = format!(
        "real host and seats over loopback, Test card at {}x{}, no encoder: access units have the size that the \
         bitrate asks for; no sound where none is named; the clients are in one process and do not decode; \
         processor time of threads over {} s, as percent of one core; datagrams of {INTERNET} bytes, jumbo \
         {JUMBO}; first and received count from the capture to the first datagram of a frame and to the whole of it at \
         the client; two_cores_would_carry is 200 percent over \
         what host and client take, without the seats, and is no measurement",
        SIZE.0,
        SIZE.1,
        MEASURED.as_secs()
    );
    println!(
        "{{\"name\": \"bench_native\", \"goals\": {}, \"not reached\": {}, \"method\": {}, \"real-time scheduling\": {}, \"rows\": [{}]}}",
        json!(GOALS),
        json!(NOT_REACHED),
        json!(method),
        json!(realtime),
        rows.join(", ")
    );
    std::fs::remove_dir_all(&artefacts).context("the logs were not removed")
}
