//! What benchmarks of punktfunk/1 with real processes share: a host with clients that are
//! paired with it, what they ask for, and one measured stretch of their playing.

use std::io::Read as _;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use punktfunk_probe::native::{Home, Host, Options, Player, Timing};
use serde_json::{Value, json};

use crate::host::processes_of;
use crate::namespace::Namespace;
use crate::stage::{PICTURE, Stage, World};
use crate::usage::Look;

/// What a stream is given to get into its stride.
const SETTLE: Duration = Duration::from_millis(1500);
/// How long a stretch is.
pub const MEASURED: Duration = Duration::from_secs(4);
/// Bytes of datagrams as on the internet.
pub const INTERNET: u16 = 1472;
/// And as a network with jumbo frames bears them.
pub const JUMBO: u16 = 8952;
/// A small screen: the seat draws it by the processor, and its pixels never leave it.
pub const SIZE: (u32, u32) = (640, 360);

/// What a client asks for.
#[derive(Clone, Copy)]
pub struct Load {
    /// Video with parity, kbit/s.
    pub kbps: u32,
    /// Frames a second.
    pub hertz: u32,
    /// Most bytes of a datagram.
    pub payload: u16,
    /// Channels of sound; 0 for none.
    pub channels: u8,
}

impl Load {
    /// So many Mbit/s and frames a second, in datagrams as on the internet, without sound.
    pub const fn new(mbps: u32, hertz: u32) -> Self {
        Self { kbps: mbps * 1000, hertz, payload: INTERNET, channels: 0 }
    }

    fn options(&self) -> Options {
        let options = Options { decode: false, bitrate_kbps: self.kbps, ..Options::default() };
        let options = Options { payload: self.payload, channels: self.channels, ..options };
        options.mode(SIZE.0, SIZE.1, self.hertz)
    }
}

/// One host, and clients that are paired with it.
pub struct Hall {
    /// The host.
    pub stage: Stage,
    clients: Vec<(Home, Host)>,
    /// The number of the Test card.
    app: u32,
}

impl Hall {
    /// Starts a host and pairs so many clients with it.
    pub fn open(world: &World, clients: usize) -> Result<Self> {
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

    /// Starts a session of the client with this number.
    pub fn play(&self, client: usize, load: &Load) -> Result<Player> {
        let (_, host) = self.clients.get(client).context("no such client")?;
        self.play_at(host, client, load)
    }

    fn play_at(&self, host: &Host, client: usize, load: &Load) -> Result<Player> {
        let (home, _) = self.clients.get(client).context("no such client")?;
        let player = Player::start(home.client(), host, &Options { app: Some(self.app), ..load.options() })?;
        player.wait_for("the first frame", PICTURE, |stats| stats.frames_received > 0)?;
        Ok(player)
    }

    /// One session of this kind, alone; nothing of it is left.
    pub fn alone(&self, load: &Load) -> Result<Stretch> {
        self.watched(self.play(0, load)?)
    }

    /// The same with a client that is inside this namespace.
    pub fn alone_inside(&self, namespace: &Namespace, load: &Load) -> Result<Stretch> {
        let (_, host) = self.clients.first().context("no client")?;
        let address = SocketAddr::from((namespace.host(), host.address.port()));
        let host = Host { address, ..host.clone() };
        self.watched(namespace.inside(|| self.play_at(&host, 0, load))?)
    }

    fn watched(&self, player: Player) -> Result<Stretch> {
        let stretch = Stretch::watch(&self.stage, std::slice::from_ref(&player));
        player.quit()?;
        player.wait_for_end(PICTURE);
        stretch
    }
}

/// One measured stretch.
pub struct Stretch {
    seconds: f64,
    /// What the host used.
    pub host: Look,
    seats: Look,
    /// What the clients used, all in this process.
    pub clients: Look,
    /// Threads of the host that are scheduled in real time.
    pub realtime: usize,
    frames: u64,
    lost: u64,
    bytes: u64,
    /// From the capture to the first datagram at the client, and to the whole frame, µs.
    first: Vec<u64>,
    received: Vec<u64>,
}

impl Stretch {
    /// Watches sessions for a while.
    pub fn watch(stage: &Stage, players: &[Player]) -> Result<Self> {
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
    pub fn percent(&self, look: &Look) -> f64 {
        look.total().cpu_ns as f64 / self.seconds / 1e7
    }

    /// Mbit/s of video that arrived, parity apart.
    pub fn mbps(&self) -> f64 {
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

    /// Its row of a table.
    pub fn row(&self, case: &str, sessions: usize) -> Vec<(String, Value)> {
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

/// An object whose members stay in their order.
pub fn object(members: &[(String, Value)]) -> String {
    let members: Vec<_> = members.iter().map(|(name, value)| format!("{}: {value}", json!(name))).collect();
    format!("{{{}}}", members.join(", "))
}

/// Shows a row and keeps it.
pub fn note(rows: &mut Vec<String>, row: &[(String, Value)]) {
    let row = object(row);
    eprintln!("{row}");
    rows.push(row);
}

/// The program that a variable names.
pub fn program(variable: &str) -> Result<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .with_context(|| format!("{variable} names no program: run this by `cargo xtask bench native`"))
}
