//! Checks the broker with a real kernel: what a host and a game see. Runs as the only
//! program of a virtual machine (`cargo xtask vm inputd`), because the kernels that
//! containers share rarely have `/dev/uinput`.
//!
//! `vm without PATH` expects a kernel without uinput, `vm with PATH` one with it.

mod ffi;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use punktfunk_inputd::pad;
use punktfunk_inputd_ipc::{
    Header, MAX_MESSAGE, PadKind, PadState, Refusal, SeatName, ToBroker, ToHost, decode_to_host,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketType};

/// Longer than anything takes, even in an emulated machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let (mode, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = PathBuf::from(path);
    match mode.as_str() {
        "without" => without(&path),
        "with" => with(&path),
        other => bail!("{other:?} is neither `with` nor `without`"),
    }
}

fn ok(what: &str) {
    println!("ok: {what}");
}

fn without(path: &Path) -> Result<()> {
    let mut host = Host::connect(path, "vm")?;
    host.say(0, &ToBroker::Create { kind: PadKind::Xbox360, client: [0; 8] })?;
    ensure!(host.hear()? == (0, ToHost::Error(Refusal::NoUinput)), "another answer");
    ok("without /dev/uinput the broker says so");
    Ok(())
}

fn with(path: &Path) -> Result<()> {
    let mut host = Host::connect(path, "vm")?;
    let event = host.create(0, PadKind::Xbox360)?;
    let mut game = Game::open(event)?;
    capabilities(&game, PadKind::Xbox360, 0)?;
    ok("name, numbers, phys, buttons, axes and effects are those of an Xbox 360 pad");

    let state =
        PadState { buttons: 0x1000 | 1, triggers: [255, 0], left: [100, 32_767], right: [0, -32_768] };
    let sent = Instant::now();
    host.say(0, &ToBroker::State(state))?;
    let mut seen = Vec::new();
    while seen.last() != Some(&(0, 0, 0)) {
        seen.push(game.read()?);
    }
    let wanted =
        [(1, 0x130, 1), (3, 0, 100), (3, 1, -32_767), (3, 2, 255), (3, 4, 32_767), (3, 0x11, -1), (0, 0, 0)];
    ensure!(seen == wanted, "{seen:?}");
    println!("ok: a state arrives as one report ({} µs)", sent.elapsed().as_micros());

    feedback(&mut host, &mut game)?;
    others(&mut host, path)?;

    // The host hangs up while a button is held.
    drop(host);
    let mut last = Vec::new();
    while let Ok(event) = game.read() {
        last.push(event);
    }
    ensure!(last.contains(&(1, 0x130, 0)) && last.contains(&(3, 2, 0)), "{last:?}");
    ensure!(wait_until(|| !node(event).exists()), "the node is still there");
    ok("after a hang-up everything is released and the device is gone");
    Ok(())
}

fn capabilities(game: &Game, kind: PadKind, index: u8) -> Result<()> {
    let identity = pad::identity(kind);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned();
    ensure!(text(&ffi::bytes::<128>(game.node.as_fd(), 6)?) == identity.name);
    ensure!(text(&ffi::bytes::<128>(game.node.as_fd(), 7)?) == format!("punktfunk/vm/pad{index}"));
    let id: [u8; 8] = ffi::bytes(game.node.as_fd(), 2)?;
    let wanted = [identity.bus, identity.vendor, identity.product, identity.version];
    ensure!(id.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).eq(wanted), "{id:?}");

    let bits = |number: u32| -> Result<Vec<u16>> {
        let bytes: [u8; 96] = ffi::bytes(game.node.as_fd(), 0x20 + number)?;
        Ok((0..768).filter(|bit| bytes[usize::from(bit / 8)] & (1 << (bit % 8)) != 0).collect())
    };
    ensure!(bits(0)? == [0, 1, 3, 0x15], "kinds of events: {:?}", bits(0)?);
    ensure!(bits(1)?.iter().eq(pad::BUTTONS.iter().map(|(_, code)| code)), "buttons: {:?}", bits(1)?);
    ensure!(bits(3)?.into_iter().eq(pad::axes(kind).iter().map(|axis| axis.code)), "axes: {:?}", bits(3)?);
    ensure!(bits(0x15)? == [0x50, 0x51, 0x58, 0x59, 0x5a, 0x60], "effects: {:?}", bits(0x15)?);
    for axis in pad::axes(kind) {
        let found = ffi::axis(game.node.as_fd(), axis.code)?;
        ensure!(found == [axis.minimum, axis.maximum, axis.fuzz, axis.flat], "{axis:?}: {found:?}");
    }
    Ok(())
}

fn feedback(host: &mut Host, game: &mut Game) -> Result<()> {
    let began = Instant::now();
    let id = ffi::upload(game.node.as_fd(), 40_000, 20_000, 0).context("storing an effect")?;
    let stored = began.elapsed();
    let began = Instant::now();
    game.play(id, 1)?;
    let (device, message) = host.hear()?;
    let took = began.elapsed();
    ensure!(
        (device, message) == (0, ToHost::Rumble { strong: 40_000, weak: 20_000, duration: 0 }),
        "{message:?}"
    );
    ensure!(stored.as_millis() < 100 && took.as_millis() < 100, "{stored:?} and {took:?} are too long");
    println!("ok: an effect is stored ({} µs) and felt ({} µs)", stored.as_micros(), took.as_micros());

    game.play(id, 0)?;
    ensure!(host.hear()?.1 == SILENCE, "not stopped");
    ok("stopping it is felt");

    let short = ffi::upload(game.node.as_fd(), 1, 65_535, 200)?;
    game.play(short, 1)?;
    let began = Instant::now();
    ensure!(matches!(host.hear()?.1, ToHost::Rumble { strong: 1, weak: 65_535, duration: 1..=200 }));
    ensure!(host.hear()?.1 == SILENCE, "it did not end");
    println!("ok: an effect of 200 ms ends by itself ({} ms)", began.elapsed().as_millis());

    game.play(id, 1)?;
    ensure!(matches!(host.hear()?.1, ToHost::Rumble { strong: 40_000, .. }));
    game.write(0x15, 0x60, 0x8000)?;
    ensure!(matches!(host.hear()?.1, ToHost::Rumble { strong: 20_000, weak: 10_000, .. }), "no gain");
    ok("gain scales what plays");
    ffi::erase(game.node.as_fd(), id)?;
    ensure!(host.hear()?.1 == SILENCE, "erased, and still felt");
    ok("erasing an effect that plays silences it");

    // A game that ends while its effect plays: the kernel erases, and waits for the answer.
    let mut other = Game { node: game.node.try_clone()?, path: game.path.clone() };
    other.node = File::options().read(true).write(true).open(&game.path)?;
    other.write(0x15, 0x60, 0xffff)?;
    let id = ffi::upload(other.node.as_fd(), 7, 7, 0)?;
    other.play(id, 1)?;
    ensure!(matches!(host.hear()?.1, ToHost::Rumble { strong: 7, .. }));
    drop(other);
    ensure!(host.hear()?.1 == SILENCE, "its game is gone, and it is still felt");
    ok("a game that ends is silenced");
    Ok(())
}

fn others(host: &mut Host, path: &Path) -> Result<()> {
    let event = host.create(1, PadKind::XboxOneS)?;
    capabilities(&Game::open(event)?, PadKind::XboxOneS, 1)?;
    ok("an Xbox One S pad has its own numbers and triggers");
    host.say(1, &ToBroker::Destroy)?;
    ensure!(wait_until(|| !node(event).exists()), "the node is still there");
    ok("a pad that is taken away is gone");

    for device in 1..8 {
        host.create(device, PadKind::Xbox360)?;
    }
    host.say(8, &ToBroker::Create { kind: PadKind::Xbox360, client: [0; 8] })?;
    ensure!(host.hear()? == (8, ToHost::Error(Refusal::SeatFull)), "a ninth pad");
    ok("a seat has eight pads");
    let mut second = Host::connect(path, "vm2")?;
    let event = second.create(0, PadKind::Xbox360)?;
    drop(second);
    ensure!(wait_until(|| !node(event).exists()));
    ok("a second seat has its own, and takes only its own away");
    Ok(())
}

const SILENCE: ToHost = ToHost::Rumble { strong: 0, weak: 0, duration: 0 };

fn node(event: u32) -> PathBuf {
    format!("/dev/input/event{event}").into()
}

fn wait_until(mut done: impl FnMut() -> bool) -> bool {
    let since = Instant::now();
    while !done() {
        if since.elapsed() > PATIENCE {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// The broker's other end.
struct Host {
    socket: OwnedFd,
    sequence: u32,
}

impl Host {
    fn connect(path: &Path, seat: &str) -> Result<Self> {
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None)?;
        let address = SocketAddrUnix::new(path)?;
        ensure!(wait_until(|| rustix::net::connect(&socket, &address).is_ok()), "no broker");
        let mut host = Self { socket, sequence: 0 };
        host.say(0, &ToBroker::Hello(SeatName::new(seat).context("a name")?))?;
        ensure!(matches!(host.hear()?.1, ToHost::Caps { kinds: 6, pads: 8 }));
        Ok(host)
    }

    fn say(&mut self, device: u8, message: &ToBroker) -> Result<()> {
        let mut packet = [0; MAX_MESSAGE];
        let len = message.encode(Header { device, sequence: self.sequence, time: 0 }, &mut packet);
        self.sequence += 1;
        rustix::net::send(&self.socket, &packet[..len], SendFlags::NOSIGNAL)?;
        Ok(())
    }

    fn hear(&mut self) -> Result<(u8, ToHost)> {
        let mut ready = [PollFd::new(&self.socket, PollFlags::IN)];
        let limit = Timespec { tv_sec: 20, tv_nsec: 0 };
        ensure!(poll(&mut ready, Some(&limit))? > 0, "the broker says nothing");
        let mut packet = [0; MAX_MESSAGE];
        let (len, _) = rustix::net::recv(&self.socket, &mut packet, RecvFlags::empty())?;
        let (header, message) = decode_to_host(&packet[..len])?;
        Ok((header.device, message))
    }

    fn create(&mut self, device: u8, kind: PadKind) -> Result<u32> {
        self.say(device, &ToBroker::Create { kind, client: [0; 8] })?;
        match self.hear()? {
            (heard, ToHost::Created { event: Some(event) }) if heard == device => Ok(event),
            other => bail!("{other:?} instead of a pad"),
        }
    }
}

/// A game with a pad.
struct Game {
    node: File,
    path: PathBuf,
}

impl Game {
    fn open(event: u32) -> Result<Self> {
        let path = node(event);
        let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits())?;
        let node = File::options().read(true).write(true).custom_flags(flags).open(&path)?;
        Ok(Self { node, path })
    }

    fn read(&mut self) -> Result<(u16, u16, i32)> {
        let mut ready = [PollFd::new(&self.node, PollFlags::IN)];
        ensure!(poll(&mut ready, Some(&Timespec { tv_sec: 20, tv_nsec: 0 }))? > 0, "no event");
        let mut bytes = [0; 24];
        (&self.node).read_exact(&mut bytes)?;
        let number = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let value = i32::from_le_bytes([bytes[20], bytes[21], bytes[22], bytes[23]]);
        Ok((number(16), number(18), value))
    }

    fn write(&mut self, kind: u16, code: u16, value: i32) -> Result<()> {
        let mut bytes = [0; 24];
        bytes[16..18].copy_from_slice(&kind.to_le_bytes());
        bytes[18..20].copy_from_slice(&code.to_le_bytes());
        bytes[20..].copy_from_slice(&value.to_le_bytes());
        (&self.node).write_all(&bytes)?;
        Ok(())
    }

    fn play(&mut self, effect: i16, count: i32) -> Result<()> {
        self.write(0x15, effect.cast_unsigned(), count)
    }
}
