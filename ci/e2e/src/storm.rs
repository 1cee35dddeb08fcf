//! Many of everything: launches in a row, and everything that strangers can do to
//! the ports of a host while somebody plays.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use punktfunk_probe::{Card, Options, Player};
use rustix::net::{AddressFamily, SocketType};

use crate::Scenario;
use crate::host::seat_processes;
use crate::stage::{Outcome, PICTURE, Stage, World, until};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[("launches in a row", launches), ("storm", storm)];

/// What only the long run plays.
pub const LONG: &[Scenario] = &[("a minute of storm", soak)];

/// What a process holds.
#[derive(Clone, Copy, Debug)]
struct Held {
    files: usize,
    threads: usize,
    /// Resident memory, kB.
    memory: u64,
}

impl Held {
    fn by(pid: u32) -> Result<Self> {
        let count =
            |what: &str| Ok::<_, std::io::Error>(fs::read_dir(format!("/proc/{pid}/{what}"))?.count());
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let memory =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no memory in status")?;
        let memory = memory.split_whitespace().next().context("no number")?.parse()?;
        Ok(Self { files: count("fd")?, threads: count("task")?, memory })
    }
}

/// Directories of seats that a host made.
fn directories(marker: &str) -> usize {
    let runtime = std::env::var("XDG_RUNTIME_DIR").unwrap_or_default() + "/punktfunk";
    let entries = ["/run/punktfunk", &runtime].into_iter().filter_map(|folder| fs::read_dir(folder).ok());
    let names = entries.flatten().flatten().map(|entry| entry.file_name());
    names.filter(|name| name.to_string_lossy().starts_with(marker)).count()
}

fn launches(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let options = Options { decode: false, ..stage.options("Test card")?.mode(320, 180, 30) };
    let marker = format!("seat-{}-", stage.host.pid());
    let once = || -> Result<()> {
        let player = Player::start(&stage.address, &stage.identity, &options)?;
        player.wait_for("a picture", PICTURE, |stats| stats.frames_received > 0)?;
        stage.address.quit(&stage.identity)
    };
    // The first ones fill caches and pools that stay.
    for _ in 0..3 {
        once()?;
    }
    let before = Held::by(stage.host.pid())?;
    let (count, started) = (if world.long { 100 } else { 20 }, Instant::now());
    for round in 0..count {
        once().with_context(|| format!("launch {round}"))?;
    }
    let took = started.elapsed();
    // Pools shrink again after ten seconds; nothing else may be left at once.
    let after = until("the end of what the launches needed", Duration::from_secs(20), || {
        let after = Held::by(stage.host.pid()).ok()?;
        let same = after.files <= before.files && after.threads <= before.threads + 2;
        same.then_some(after)
    });
    let after = after.with_context(|| format!("{before:?} became {:?}", Held::by(stage.host.pid())))?;
    ensure!(after.memory < before.memory + 16 * 1024, "memory grew: {before:?} became {after:?}");
    ensure!(seat_processes(&marker).is_empty(), "still there: {:?}", seat_processes(&marker));
    ensure!(directories(&marker) == 0, "{} directories of seats are left", directories(&marker));
    Ok(Outcome::Passed(format!(
        "{count} launches in {:.1} s: {before:?}, then {after:?}",
        took.as_secs_f64()
    )))
}

/// A connection from another address of this machine: not the client's.
fn stranger(number: u8, to: SocketAddr) -> Result<TcpStream> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 2 + number], 0)))?;
    rustix::net::connect(&socket, &to)?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(stream)
}

struct Attack<'a> {
    stage: &'a Stage,
    stop: &'a AtomicBool,
    polls: &'a AtomicU64,
}

impl Attack<'_> {
    fn over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn port(&self, offset: i32) -> SocketAddr {
        let port = i32::from(self.stage.address.port) + offset;
        SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).unwrap_or(0)))
    }

    /// A client whose list is open, many times over.
    fn poll(&self) {
        while !self.over() {
            if self.stage.address.info(&self.stage.identity).is_ok() {
                self.polls.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Five hundred connections that say nothing.
    fn empty(&self) -> Vec<TcpStream> {
        let ports = [-5, 0, 21].map(|offset| self.port(offset));
        (0..500_u16).filter_map(|n| stranger((n % 3) as u8, ports[usize::from(n) % 3]).ok()).collect()
    }

    /// Half of what is right, a byte at a time. How many the host hung up on.
    fn drip(&self) -> Result<usize> {
        let request =
            b"GET /serverinfo?uniqueid=0123456789ABCDEF HTTP/1.1\r\nHost: x\r\nX: yyyyyyyyyyyyyyyyy";
        let rtsp =
            b"OPTIONS rtsp://127.0.0.1:48010 RTSP/1.0\r\nCSeq: 1\r\nX-GS-ClientVersion: 14\r\nX: yyyyyy";
        let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
        let words: [&[u8]; 3] = [hello, request, rtsp];
        let mut open = Vec::new();
        for (offset, word) in [-5, 0, 21].into_iter().zip(words) {
            for _ in 0..4 {
                open.push((stranger(10, self.port(offset))?, word.iter()));
            }
        }
        let all = open.len();
        let deadline = Instant::now() + Duration::from_secs(16);
        while !open.is_empty() && Instant::now() < deadline {
            open.retain_mut(|(stream, word)| {
                let sent = word.next().is_none_or(|byte| stream.write_all(&[*byte]).is_ok());
                let _ = stream.set_nonblocking(true);
                let closed = match stream.read(&mut [0; 512]) {
                    Ok(read) => read == 0,
                    Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
                };
                let _ = stream.set_nonblocking(false);
                sent && !closed
            });
            std::thread::park_timeout(Duration::from_millis(250));
        }
        Ok(all - open.len())
    }

    /// Pairings that nobody goes on with, and RTSP that begins at the end.
    fn half(&self) {
        let mut held = Vec::new();
        for n in 0_u8..40 {
            let salt = format!("{n:032x}");
            let pair = format!(
                "GET /pair?uniqueid={n}&phrase=getservercert&salt={salt}&clientcert=00 HTTP/1.1\r\n\r\n"
            );
            let play = "PLAY / RTSP/1.0\r\nCSeq: 7\r\nSession: PUNKTFUNK00000001\r\n\r\n";
            for (offset, text) in [(0, pair.as_str()), (21, play)] {
                if let Ok(mut stream) = stranger(20 + n % 4, self.port(offset)) {
                    // The host may hang up: that is its right.
                    let _ = stream.write_all(text.as_bytes());
                    held.push(stream);
                }
            }
        }
        while !self.over() {
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// Rubbish to every UDP port, twelve thousand datagrams a second.
    fn flood(&self) -> Result<()> {
        let socket = UdpSocket::bind("127.0.0.50:0")?;
        let mut noise = 7_u64;
        while !self.over() {
            for _ in 0..40 {
                for offset in [9, 10, 11] {
                    noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let bytes: Vec<u8> = noise.to_le_bytes().repeat(1 + (noise >> 59) as usize);
                    // A full queue is a lost datagram.
                    let _ = socket.send_to(&bytes, self.port(offset));
                }
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        Ok(())
    }
}

fn storm(world: &World, name: &str) -> Result<Outcome> {
    let mut stage = Stage::paired(world, name)?;
    let phone = stage.another("phone")?;
    let options = stage.options("Test card")?.mode(640, 360, 30);
    let player = stage.play(&options)?;
    player.wait_for("the tone", PICTURE, |stats| stats.tone_share > crate::stage::TONE)?;
    let before = Held::by(stage.host.pid())?;
    let (from, stop, polls) = (player.millis(), AtomicBool::new(false), AtomicU64::new(0));
    let attack = Attack { stage: &stage, stop: &stop, polls: &polls };
    let (dripped, most) = std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| attack.poll());
        }
        scope.spawn(|| attack.half());
        scope.spawn(|| attack.flood());
        let dripped = scope.spawn(|| attack.drip());
        let empty = attack.empty();
        // A launch that RTSP never follows.
        let arguments = punktfunk_probe::launch_arguments(&options);
        let launched = stage.address.launch(&phone, punktfunk_probe::Verb::Launch, &arguments);
        let most = Held::by(stage.host.pid());
        let dripped = dripped.join().map_err(|_| anyhow::anyhow!("dripping panicked"));
        stop.store(true, Ordering::Relaxed);
        drop(empty);
        launched.context("the launch of another client")?;
        Ok::<_, anyhow::Error>((dripped??, most?))
    })?;
    let stats = player.play_on(Duration::from_secs(1))?;
    ensure!(stage.host.is_alive(), "the host ended");
    let card = Card::of(stats.seen.iter().filter(|seen| seen.at_ms >= from));
    let seconds = (player.millis() - from) as f64 / 1000.0;
    let note = format!(
        "{} pictures in {seconds:.1} s, {} left out, {} polls answered, at most {} kB",
        card.unique,
        card.missing,
        polls.load(Ordering::Relaxed),
        most.memory
    );
    ensure!(dripped == 12, "the host listens to {} of 12 that drip for ever", 12 - dripped);
    ensure!(stats.lost_frames == 0 && stats.video_rejected == 0, "the picture suffered: {note}");
    ensure!(card.unique as f64 > seconds * 15.0, "the picture stood still: {note}");
    ensure!(most.memory < before.memory + 64 * 1024, "memory grew from {} kB: {note}", before.memory);
    ensure!(polls.load(Ordering::Relaxed) > 20, "who is paired was not answered: {note}");
    until("the end of the launch that nobody followed", Duration::from_secs(30), || {
        stage.address.info(&phone).ok()?.running_app().is_none().then_some(())
    })?;
    until("the end of the strangers' connections", Duration::from_secs(20), || {
        (Held::by(stage.host.pid()).ok()?.files <= before.files + 2).then_some(())
    })?;
    player.play_on(Duration::from_millis(100)).context("after the storm")?;
    Ok(Outcome::Passed(note))
}

/// Memory does not grow while two play and strangers do what they can.
fn soak(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let phone = stage.another("phone")?;
    let options = Options { decode: false, ..stage.options("Test card")?.mode(640, 360, 30) };
    let players = (
        Player::start(&stage.address, &stage.identity, &options)?,
        Player::start(&stage.address, &phone, &options)?,
    );
    let (stop, polls) = (AtomicBool::new(false), AtomicU64::new(0));
    let attack = Attack { stage: &stage, stop: &stop, polls: &polls };
    let memory = std::thread::scope(|scope| {
        scope.spawn(|| attack.poll());
        scope.spawn(|| attack.flood());
        let mut memory = Vec::new();
        // What is used at first goes to pools and caches.
        let watched = [20, 15, 15, 15].into_iter().try_for_each(|seconds| {
            players.0.play_on(Duration::from_secs(seconds))?;
            memory.push(Held::by(stage.host.pid())?.memory);
            Ok::<_, anyhow::Error>(())
        });
        stop.store(true, Ordering::Relaxed);
        watched.map(|()| memory)
    })?;
    for player in [&players.0, &players.1] {
        let stats = player.play_on(Duration::from_millis(100))?;
        ensure!(stats.lost_frames == 0 && stats.video_rejected == 0, "the picture suffered: {stats:?}");
    }
    let note = format!("{memory:?} kB, {} polls answered", polls.load(Ordering::Relaxed));
    let (first, last) = memory.first().zip(memory.last()).context("nothing was measured")?;
    ensure!(*last < first + 4096, "memory grew: {note}");
    Ok(Outcome::Passed(note))
}
