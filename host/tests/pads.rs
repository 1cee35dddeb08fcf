//! The host's pads with the real broker's loop, over a real socket. Only the kernel's
//! part is played: `cargo xtask vm inputd` has the real one.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use punktfunk_core::input::pad::{self, Change, Feedback, Kind, State, button};
use punktfunk_host::input::Pads;
use punktfunk_inputd::access::Access;
use punktfunk_inputd::device::{Backend, Device, InputEvent, Request, Spec};
use punktfunk_inputd::ff::{Effect, Shape};
use punktfunk_inputd::server::Server;
use punktfunk_inputd::socket::listen_at;
use punktfunk_inputd_ipc::Refusal;
use rustix::event::{EventfdFlags, eventfd};

const PATIENCE: Duration = Duration::from_secs(20);

/// What the kernel would have seen.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Made(u8),
    Report(u8, Vec<(u16, u16, i32)>),
    Gone(u8),
}

/// What games ask of the devices, and how to wake the broker for it.
#[derive(Default)]
struct Games {
    wake: Vec<(u8, OwnedFd)>,
    requests: Vec<(u8, Request)>,
}

struct Fake {
    index: u8,
    wake: OwnedFd,
    games: Arc<Mutex<Games>>,
    seen: Sender<Seen>,
}

impl AsFd for Fake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

impl Device for Fake {
    fn write(&mut self, events: &[InputEvent]) -> io::Result<()> {
        let events = events.iter().map(|event| (event.kind, event.code, event.value)).collect();
        self.seen.send(Seen::Report(self.index, events)).map_err(io::Error::other)
    }

    fn read(&mut self) -> io::Result<Option<Request>> {
        let _emptied = rustix::io::read(&self.wake, &mut [0; 8]);
        let mut games = self.games.lock().unwrap();
        let place = games.requests.iter().position(|(index, _)| *index == self.index);
        Ok(place.map(|place| games.requests.remove(place).1))
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

impl Drop for Fake {
    fn drop(&mut self) {
        // The test may be over.
        let _heard = self.seen.send(Seen::Gone(self.index));
    }
}

struct Kernel {
    games: Arc<Mutex<Games>>,
    seen: Sender<Seen>,
}

impl Backend for Kernel {
    type Device = Fake;

    fn create(&mut self, spec: &Spec) -> Result<Fake, Refusal> {
        assert_eq!(spec.seat.as_str(), "seat-of-ana");
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).unwrap();
        self.games.lock().unwrap().wake.push((spec.index, wake.try_clone().unwrap()));
        self.seen.send(Seen::Made(spec.index)).unwrap();
        Ok(Fake { index: spec.index, wake, games: Arc::clone(&self.games), seen: self.seen.clone() })
    }
}

/// A broker in a thread.
struct Broker {
    end: OwnedFd,
    thread: JoinHandle<()>,
    games: Arc<Mutex<Games>>,
    seen: Receiver<Seen>,
}

impl Broker {
    fn start(path: &Path) -> Self {
        let _stale = std::fs::remove_file(path);
        let listener = listen_at(path).unwrap();
        let (seen, receiver) = channel();
        let games = Arc::new(Mutex::new(Games::default()));
        let end = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        let (lifeline, kernel) = (end.try_clone().unwrap(), Kernel { games: Arc::clone(&games), seen });
        let thread = std::thread::spawn(move || {
            let access = Access { users: vec![rustix::process::geteuid().as_raw()], groups: Vec::new() };
            let mut server = Server::new(listener, access, kernel).unwrap();
            server.end_with(&lifeline).unwrap();
            server.run().unwrap();
        });
        Self { end, thread, games, seen: receiver }
    }

    fn next(&self) -> Seen {
        self.seen.recv_timeout(PATIENCE).expect("the kernel sees nothing")
    }

    fn next_four(&self) -> [Seen; 4] {
        std::array::from_fn(|_| self.next())
    }

    /// A game stores an effect and plays it.
    fn play(&self, index: u8, strong: u16) {
        let mut games = self.games.lock().unwrap();
        let shape = Shape::Rumble { strong, weak: 1 };
        games.requests.push((index, Request::Upload(Effect { id: 0, shape, length: 0, delay: 0 })));
        games.requests.push((index, Request::Play { id: 0, count: 1 }));
        let wake = games.wake.iter().rev().find(|(woken, _)| *woken == index).unwrap();
        rustix::io::write(&wake.1, &1_u64.to_ne_bytes()).unwrap();
    }

    fn stop(self) {
        rustix::io::write(&self.end, &1_u64.to_ne_bytes()).unwrap();
        self.thread.join().unwrap();
    }
}

struct Rig {
    folder: PathBuf,
    pads: Pads,
    feedback: Receiver<(u8, Feedback)>,
}

impl Rig {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("pf-pads-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (sender, feedback) = channel();
        let tell = Box::new(move |index, feedback| {
            // The test may be over.
            let _heard = sender.send((index, feedback));
        });
        let pads = Pads::open_at(&folder.join("sock"), "seat-of-ana", &[7; 32], tell);
        Self { folder, pads, feedback }
    }

    fn broker(&self) -> Broker {
        Broker::start(&self.folder.join("sock"))
    }

    fn change(&self, index: u8, change: Change) {
        self.pads.event(&pad::Event { index, change });
    }

    fn press(&self, index: u8, buttons: u32) {
        self.change(index, Change::State(State { buttons, left: [0, 1], ..State::default() }));
    }

    fn felt(&self) -> (u8, u16) {
        match self.feedback.recv_timeout(PATIENCE).expect("nothing is felt") {
            (index, Feedback::Rumble { low, .. }) => (index, low),
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

#[test]
fn what_a_client_does_arrives_in_order_and_rumble_comes_back() {
    let rig = Rig::new("order");
    let broker = rig.broker();
    rig.change(0, Change::Arrived(pad::Arrival { kind: Kind::Xbox, ..pad::Arrival::default() }));
    assert_eq!(broker.next(), Seen::Made(0));
    // A press and its release that arrive together stay two.
    rig.press(0, button::A);
    rig.press(0, 0);
    assert_eq!(broker.next(), Seen::Report(0, vec![(1, 0x130, 1), (3, 1, -1), (0, 0, 0)]));
    assert_eq!(broker.next(), Seen::Report(0, vec![(1, 0x130, 0), (0, 0, 0)]));
    rig.press(4, 0);
    assert_eq!(broker.next(), Seen::Made(4));
    assert_eq!(broker.next(), Seen::Report(4, vec![(3, 1, -1), (0, 0, 0)]));

    broker.play(4, 500);
    assert_eq!(rig.felt(), (4, 500));
    broker.play(0, 600);
    assert_eq!(rig.felt(), (0, 600));

    rig.pads.release_all();
    assert_eq!(broker.next(), Seen::Report(0, vec![(3, 1, 0), (0, 0, 0)]));
    assert_eq!(broker.next(), Seen::Report(4, vec![(3, 1, 0), (0, 0, 0)]));
    rig.change(0, Change::Left);
    assert_eq!(broker.next(), Seen::Gone(0));
    broker.stop();
}

/// Pads 0 and 1 are made in this order, each with a button pressed: which ones.
fn both(broker: &Broker) -> [u16; 2] {
    let seen = broker.next_four();
    let made: Vec<_> = seen.iter().filter(|seen| matches!(seen, Seen::Made(_))).collect();
    assert_eq!(made, [&Seen::Made(0), &Seen::Made(1)]);
    [0, 1].map(|pad| {
        let report = seen.iter().find_map(|seen| match seen {
            Seen::Report(index, events) if *index == pad => events.first(),
            _ => None,
        });
        let (kind, code, value) = *report.expect("a report of each pad");
        assert_eq!((kind, value), (1, 1));
        code
    })
}

#[test]
fn a_restarted_broker_gets_the_pads_again_with_what_is_held() {
    let rig = Rig::new("restart");
    // Nobody listens yet.
    rig.press(1, button::B);
    rig.press(0, button::A);
    let broker = rig.broker();
    assert_eq!(both(&broker), [0x130, 0x131]);
    broker.play(1, 700);
    assert_eq!(rig.felt(), (1, 700));
    broker.stop();
    assert_eq!(rig.felt(), (1, 0), "a pad without a broker does not rumble on");

    rig.press(1, button::X);
    let broker = rig.broker();
    assert_eq!(both(&broker), [0x130, 0x133]);

    // The seat ends: everything goes up, and the devices go.
    drop(rig);
    let end = broker.next_four();
    assert!(matches!(end[..2], [Seen::Report(0, _), Seen::Report(1, _)]), "{end:?}");
    assert_eq!(end[2..], [Seen::Gone(0), Seen::Gone(1)]);
    broker.stop();
}

#[test]
fn without_a_broker_nothing_blocks_and_nothing_fails() {
    let rig = Rig::new("without");
    for step in 0..1_000 {
        rig.press(0, step);
    }
    rig.pads.release_all();
    assert!(rig.feedback.try_recv().is_err());
}
