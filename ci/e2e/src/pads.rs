//! Gamepads, from the client through the host to the broker, and rumble back. The
//! broker's own loop runs in this process and plays the kernel's part, which
//! `cargo xtask vm inputd` has for real.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, ensure};
use punktfunk_core::gamestream::control::HostMessage;
use punktfunk_core::gamestream::input::message::{Arrival, PadState};
use punktfunk_core::input::pad::{button, capability};
use punktfunk_inputd::access::{Access, number_of};
use punktfunk_inputd::device::{Backend, Device, InputEvent, Request, Spec};
use punktfunk_inputd::ff::{Effect, Shape};
use punktfunk_inputd::server::Server;
use punktfunk_inputd::socket::listen_at;
use punktfunk_inputd_ipc::Refusal;
use punktfunk_probe::{Options, Player};
use rustix::event::{EventfdFlags, eventfd};

use crate::Scenario;
use crate::stage::{Outcome, PICTURE, Stage, World, until};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[
    ("gamepad without broker", without_broker),
    ("gamepad", with_broker),
    ("gamepads of two clients", two_clients),
];

/// What the kernel would have seen, with the seat and the number of the pad.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A device.
    Made,
    /// A key or an axis has this value.
    Event(u16, u16, i32),
    /// It is not there any more.
    Gone,
}

/// The key for the lower button.
const LOWER: (u16, u16) = (1, 0x130);
/// The axis of the left stick, x.
const STICK: (u16, u16) = (3, 0);

#[derive(Default)]
struct Kernel {
    seen: Vec<(String, u8, Seen)>,
    devices: Vec<(String, u8, OwnedFd)>,
    requests: Vec<(String, u8, Request)>,
}

type Shared = Arc<Mutex<Kernel>>;

fn lock(kernel: &Shared) -> MutexGuard<'_, Kernel> {
    kernel.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Pad {
    seat: String,
    index: u8,
    wake: OwnedFd,
    kernel: Shared,
}

impl AsFd for Pad {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

impl Device for Pad {
    fn write(&mut self, events: &[InputEvent]) -> io::Result<()> {
        let changes = events.iter().filter(|event| event.kind != 0);
        let seen = changes.map(|event| Seen::Event(event.kind, event.code, event.value));
        lock(&self.kernel).seen.extend(seen.map(|seen| (self.seat.clone(), self.index, seen)));
        Ok(())
    }

    fn read(&mut self) -> io::Result<Option<Request>> {
        // Nothing to read: it was woken for another reason.
        let _emptied = rustix::io::read(&self.wake, &mut [0; 8]);
        let mut kernel = lock(&self.kernel);
        let own =
            kernel.requests.iter().position(|(seat, index, _)| (seat, *index) == (&self.seat, self.index));
        Ok(own.map(|place| kernel.requests.remove(place).2))
    }

    fn event_node(&self) -> Option<u32> {
        None
    }

    fn is_announced(&self) -> bool {
        true
    }

    fn give_to(&self, _user: u32) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Drop for Pad {
    fn drop(&mut self) {
        let mut kernel = lock(&self.kernel);
        kernel.devices.retain(|(seat, index, _)| (seat, *index) != (&self.seat, self.index));
        kernel.seen.push((self.seat.clone(), self.index, Seen::Gone));
    }
}

struct Maker(Shared);

impl Backend for Maker {
    type Device = Pad;

    fn create(&mut self, spec: &Spec) -> Result<Pad, Refusal> {
        let wake = || -> io::Result<(OwnedFd, OwnedFd)> {
            let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
            Ok((wake.try_clone()?, wake))
        };
        let (ours, theirs) = wake().map_err(|_| Refusal::NoUinput)?;
        let (seat, index, shared) = (spec.seat.as_str().to_owned(), spec.index, Arc::clone(&self.0));
        let mut kernel = lock(&self.0);
        kernel.devices.push((seat.clone(), index, ours));
        kernel.seen.push((seat.clone(), index, Seen::Made));
        drop(kernel);
        Ok(Pad { seat, index, wake: theirs, kernel: shared })
    }
}

/// The broker, in a thread.
pub struct Broker {
    pub socket: PathBuf,
    kernel: Shared,
    end: OwnedFd,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Broker {
    pub fn start(world: &World, name: &str) -> Result<Self> {
        let folder = world.own_program(name)?.1.with_extension("broker");
        fs::create_dir(&folder)?;
        fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
        let socket = folder.join("sock");
        let listener = listen_at(&socket)?;
        let kernel = Shared::default();
        let end = eventfd(0, EventfdFlags::CLOEXEC)?;
        let (lifeline, maker) = (end.try_clone()?, Maker(Arc::clone(&kernel)));
        let own = rustix::process::geteuid().as_raw();
        let users = number_of("punktfunk", "/etc/passwd").into_iter().chain([own]).collect();
        let thread = std::thread::Builder::new().name("broker".into()).spawn(move || {
            let mut server = Server::new(listener, Access { users, groups: Vec::new() }, maker)?;
            server.end_with(&lifeline)?;
            Ok(server.run()?)
        })?;
        Ok(Self { socket, kernel, end, thread: Some(thread) })
    }

    /// What was seen of all pads so far.
    fn seen(&self) -> Vec<(String, u8, Seen)> {
        lock(&self.kernel).seen.clone()
    }

    /// Waits until something new is this, and forgets what came before; whose it was.
    pub fn next(&self, index: u8, wanted: &Seen) -> Result<String> {
        until(&format!("{wanted:?} of pad {index}"), PICTURE, || {
            let mut kernel = lock(&self.kernel);
            let place = kernel.seen.iter().position(|(_, pad, seen)| (*pad, seen) == (index, wanted))?;
            kernel.seen.drain(..=place).next_back().map(|(seat, ..)| seat)
        })
        .with_context(|| format!("the kernel saw {:?}", self.seen()))
    }

    /// A game has a pad rumble.
    pub fn play(&self, seat: &str, index: u8, strong: u16) -> Result<()> {
        let mut kernel = lock(&self.kernel);
        let shape = Shape::Rumble { strong, weak: 1 };
        let effect = Effect { id: 0, shape, length: 0, delay: 0 };
        for request in [Request::Upload(effect), Request::Play { id: 0, count: 1 }] {
            kernel.requests.push((seat.to_owned(), index, request));
        }
        let own = kernel.devices.iter().find(|(owner, pad, _)| (owner.as_str(), *pad) == (seat, index));
        rustix::io::write(&own.context("no such pad")?.2, &1_u64.to_ne_bytes())?;
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // A counter that cannot be written to belongs to a thread that ended.
        let _woken = rustix::io::write(&self.end, &1_u64.to_ne_bytes());
        if let Some(Ok(Err(error))) = self.thread.take().map(JoinHandle::join) {
            eprintln!("the broker ended: {error:#}");
        }
    }
}

fn options(stage: &Stage) -> Result<Options> {
    Ok(stage.options("Test card")?.mode(640, 360, 30))
}

const XBOX: Arrival = Arrival { pad: 0, kind: 1, capabilities: capability::RUMBLE, buttons: 0xFFFF };

/// The lower button and the left stick.
fn hold(player: &Player, pad: u16, buttons: u32, x: i16) {
    player.pad_state(PadState { pad, buttons, left: [x, 0], ..PadState::default() });
}

pub fn key(down: bool) -> Seen {
    Seen::Event(LOWER.0, LOWER.1, down.into())
}

fn stick(x: i16) -> Seen {
    Seen::Event(STICK.0, STICK.1, x.into())
}

/// The strengths of the low motor that this client was told.
fn rumbles(player: &Player) -> Vec<(u16, u16)> {
    let heard = player.stats().host_messages.into_iter();
    heard
        .filter_map(|heard| match heard.message {
            HostMessage::Rumble { pad, low, .. } => Some((pad, low)),
            _ => None,
        })
        .collect()
}

/// Waits until the client was told this since the `before`th time.
fn felt(player: &Player, before: usize, wanted: (u16, u16)) -> Result<()> {
    let since = || rumbles(player).split_off(before);
    until(&format!("rumble {wanted:?}"), PICTURE, || since().contains(&wanted).then_some(()))
        .with_context(|| format!("the client was told {:?}", rumbles(player)))
}

/// The stream goes on, and the log says once what to do.
fn without_broker(world: &World, name: &str) -> Result<Outcome> {
    if fs::exists("/dev/uinput")? || fs::exists(punktfunk_inputd_ipc::SOCKET)? {
        return Ok(Outcome::Skipped("this machine can make gamepads".into()));
    }
    let stage = Stage::paired(world, name)?;
    let player = stage.play(&options(&stage)?)?;
    player.pad_arrive(XBOX);
    for round in 0..200_i16 {
        hold(&player, 0, u32::from(round % 2 == 0) * button::A, round);
    }
    player.pad_leave(0);
    until("what to do", PICTURE, || stage.log().contains("gamepads are unavailable").then_some(()))?;
    let before = player.stats().frames_decoded;
    player.wait_for("the stream", PICTURE, |stats| stats.frames_decoded > before + 30)?;
    let log = stage.log();
    let said: Vec<_> = log.lines().filter(|line| line.contains("gamepads are unavailable")).collect();
    ensure!(said.len() == 1, "said {} times: {said:?}", said.len());
    ensure!(said[0].contains("uinput"), "it does not say what to do: {}", said[0]);
    Ok(Outcome::Passed(said[0].split("gamepads").nth(1).unwrap_or_default().trim().to_owned()))
}

/// A pad arrives, acts, rumbles, survives a disconnection, and leaves.
fn with_broker(world: &World, name: &str) -> Result<Outcome> {
    let broker = Broker::start(world, name)?;
    let stage = Stage::with_broker(world, name, &broker.socket)?;
    stage.pair()?;
    let player = stage.play(&options(&stage)?)?;
    player.pad_arrive(XBOX);
    let seat = broker.next(0, &Seen::Made)?;
    hold(&player, 0, button::A, 20_000);
    broker.next(0, &key(true))?;
    hold(&player, 0, 0, 20_000);
    broker.next(0, &key(false))?;
    broker.play(&seat, 0, 500)?;
    felt(&player, 0, (0, 500))?;

    // Held while the client goes: let go, and the pad stays for the game.
    hold(&player, 0, button::A, 20_000);
    broker.next(0, &key(true))?;
    drop(player);
    broker.next(0, &key(false))?;
    until("the stick in the middle", PICTURE, || {
        let last = |(_, _, seen): &(String, u8, Seen)| matches!(seen, Seen::Event(3, 0, _));
        let all = broker.seen();
        all.iter().rfind(|seen| last(seen)).is_none_or(|(_, _, seen)| *seen == stick(0)).then_some(())
    })?;
    let player = stage.play(&options(&stage)?)?;
    ensure!(player.resumed(), "the application was started again");
    player.pad_arrive(XBOX);
    // Rumble that lasts is told to who came back; new rumble arrives too.
    felt(&player, 0, (0, 500)).context("the rumble that a game has gone on with")?;
    let before = rumbles(&player).len();
    hold(&player, 0, button::A, 0);
    broker.next(0, &key(true))?;
    broker.play(&seat, 0, 900)?;
    felt(&player, before, (0, 900))?;
    hold(&player, 0, 0, 0);
    broker.next(0, &key(false))?;
    ensure!(!broker.seen().iter().any(|(_, _, seen)| *seen == Seen::Gone), "the pad was taken away");

    player.pad_leave(0);
    broker.next(0, &Seen::Gone)?;
    // Another one, of which nothing but its state is told; it goes with the application.
    hold(&player, 3, button::A, 0);
    broker.next(3, &Seen::Made)?;
    broker.next(3, &key(true))?;
    stage.address.quit(&stage.identity)?;
    broker.next(3, &key(false))?;
    broker.next(3, &Seen::Gone)?;
    Ok(Outcome::Passed(String::new()))
}

/// Each client has pads of its own, also where their numbers are the same.
fn two_clients(world: &World, name: &str) -> Result<Outcome> {
    let broker = Broker::start(world, name)?;
    let stage = Stage::with_broker(world, name, &broker.socket)?;
    stage.pair()?;
    let phone = stage.another("phone")?;
    let tv = stage.play(&options(&stage)?)?;
    let other = stage.play_as(&phone, &options(&stage)?)?;
    tv.pad_arrive(XBOX);
    let first = broker.next(0, &Seen::Made)?;
    other.pad_arrive(XBOX);
    let second = broker.next(0, &Seen::Made)?;
    ensure!(first != second, "both pads belong to {first}");
    hold(&tv, 0, button::A, 0);
    ensure!(broker.next(0, &key(true))? == first, "the pad of the other client was pressed");
    hold(&other, 0, button::A, 0);
    ensure!(broker.next(0, &key(true))? == second, "the pad of the other client was pressed");
    broker.play(&first, 0, 500)?;
    felt(&tv, 0, (0, 500))?;
    broker.play(&second, 0, 700)?;
    felt(&other, 0, (0, 700))?;
    ensure!(!rumbles(&other).contains(&(0, 500)), "rumble of the one came to the other");
    ensure!(!rumbles(&tv).contains(&(0, 700)), "rumble of the one came to the other");
    drop(tv);
    ensure!(broker.next(0, &key(false))? == first, "the pad of who stayed was released");
    stage.address.quit(&stage.identity)?;
    ensure!(broker.next(0, &Seen::Gone)? == first, "the pad of who stayed was taken away");
    hold(&other, 0, 0, 0);
    ensure!(broker.next(0, &key(false))? == second, "the pad of who left was released");
    Ok(Outcome::Passed(String::new()))
}
