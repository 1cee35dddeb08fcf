//! The loop around everything: hosts, devices and the clock.
//!
//! One thread, because there is little to do and nothing to wait for: every socket and
//! device is read without blocking.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use punktfunk_inputd_ipc::{Header, MAX_DEVICE, MAX_MESSAGE, Refusal, ToHost};
use rustix::event::{Timespec, epoll};

use crate::access::Access;
use crate::device::Backend;
use crate::seat::{Ended, Seat, Shared, encode};
use crate::socket::{self, Buffer, Received};

/// No more seats than this are connected; two for each pad that may exist would be waste.
const MAX_SEATS: usize = 32;
/// A host says hello within this time.
const HELLO_LIMIT: Duration = Duration::from_secs(5);
/// No more packets than this are taken from one host before the others' turn.
const PACKETS_AT_ONCE: usize = 64;
/// No more new hosts than this before the others' turn.
const ACCEPTS_AT_ONCE: usize = 16;

/// Marks of what woke us: the listener, standard input, or a host and one of its
/// devices (`MAX_DEVICE` is its socket).
const LISTENER: u64 = 0;
const LIFELINE: u64 = 1;
const FIRST_LINK: u64 = 2;

/// One host.
struct Link<D> {
    mark: u64,
    socket: OwnedFd,
    seat: Seat<D>,
    since: Duration,
    sequence: u32,
    /// A packet for which there was no room.
    unsent: Option<(usize, [u8; MAX_MESSAGE])>,
}

/// The broker.
pub struct Server<B: Backend> {
    epoll: OwnedFd,
    listener: OwnedFd,
    access: Access,
    backend: B,
    shared: Shared<B::Device>,
    links: Vec<Link<B::Device>>,
    next_mark: u64,
    start: Instant,
    gives_nodes: bool,
}

impl<B: Backend> Server<B> {
    /// A broker that listens on `listener`.
    pub fn new(listener: OwnedFd, access: Access, backend: B) -> rustix::io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
        Ok(Self {
            epoll,
            listener,
            access,
            backend,
            shared: Shared::default(),
            links: Vec::with_capacity(MAX_SEATS),
            next_mark: FIRST_LINK,
            start: Instant::now(),
            gives_nodes: false,
        })
    }

    /// Gives devices to the user of the host that asked for them.
    pub fn give_nodes(&mut self) {
        self.gives_nodes = true;
    }

    /// Ends when this file does, or becomes readable.
    pub fn end_with(&self, lifeline: impl AsFd) -> rustix::io::Result<()> {
        epoll::add(&self.epoll, lifeline, epoll::EventData::new_u64(LIFELINE), epoll::EventFlags::IN)
    }

    /// Serves until the lifeline ends.
    pub fn run(&mut self) -> rustix::io::Result<()> {
        loop {
            let wait = self.next_deadline().map(|at| at.saturating_sub(self.now()));
            let timeout = wait.map(|wait| Timespec {
                tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: wait.subsec_nanos().into(),
            });
            let mut space = [const { MaybeUninit::uninit() }; 64];
            let events = match epoll::wait(&self.epoll, &mut space, timeout.as_ref()) {
                Ok((events, _)) => events,
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error),
            };
            for event in events.iter() {
                match event.data.u64() {
                    LISTENER => self.accept(),
                    LIFELINE => {
                        while !self.links.is_empty() {
                            self.close(0, None);
                        }
                        return Ok(());
                    }
                    mark => self.wake(mark),
                }
            }
            self.do_what_is_due();
        }
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn next_deadline(&self) -> Option<Duration> {
        let now = self.now();
        let of = |link: &Link<B::Device>| {
            let hello = (!link.seat.has_name()).then(|| link.since + HELLO_LIMIT);
            [hello, link.seat.deadline(now)].into_iter().flatten().min()
        };
        self.links.iter().filter_map(of).chain(self.shared.deadline()).min()
    }

    fn accept(&mut self) {
        for _ in 0..ACCEPTS_AT_ONCE {
            let Some(socket) = socket::next(&self.listener) else { return };
            let peer = self.access.of(&socket);
            let refusal = match peer {
                Err(uid) => {
                    let who = uid.map_or("somebody unknown".to_owned(), |uid| format!("user {uid}"));
                    eprintln!("punktfunk-inputd: refused {who}: {}", Refusal::Stranger);
                    Some(Refusal::Stranger)
                }
                Ok(_) if self.links.len() >= MAX_SEATS => Some(Refusal::TooManySeats),
                Ok(_) => None,
            };
            if let Some(refusal) = refusal {
                let mut packet = [0; MAX_MESSAGE];
                let len = ToHost::Error(refusal).encode(Header::default(), &mut packet);
                socket::transmit(&socket, packet.get(..len).unwrap_or_default());
                continue;
            }
            let mark = self.next_mark;
            self.next_mark += 1;
            if watch(&self.epoll, &socket, mark, MAX_DEVICE).is_err() {
                continue;
            }
            let owner = peer.ok().filter(|_| self.gives_nodes);
            let (since, seat) = (self.now(), Seat::new(owner));
            self.links.push(Link { mark, socket, seat, since, sequence: 0, unsent: None });
        }
    }

    fn wake(&mut self, mark: u64) {
        let (mark, device) = (mark >> 8, mark as u8);
        // It may have been closed by an event of the same batch.
        let Some(index) = self.links.iter().position(|link| link.mark == mark) else { return };
        let now = self.now();
        if device < MAX_DEVICE {
            if let Some(link) = self.links.get_mut(index)
                && !link.seat.device_readable(now, device)
                && let Some(broken) = link.seat.device(device)
            {
                // Its reports may still arrive; what games ask of it no longer does.
                let _not_watched = epoll::delete(&self.epoll, broken);
            }
        } else if let Err(why) = self.receive(index, now) {
            self.close(index, why);
        }
    }

    /// Takes packets of a host; an error is the end of the connection, with a reason
    /// unless it hung up.
    fn receive(&mut self, index: usize, now: Duration) -> Result<(), Option<Ended>> {
        let mut buffer: Buffer = [0; MAX_MESSAGE + 1];
        for _ in 0..PACKETS_AT_ONCE {
            let Some(link) = self.links.get_mut(index) else { return Ok(()) };
            match socket::receive(&link.socket, &mut buffer) {
                Received::Nothing => break,
                Received::Closed => return Err(None),
                Received::Packet(len) => {
                    let packet = buffer.get(..len).unwrap_or_default();
                    link.seat.handle(now, packet, &mut self.shared, &mut self.backend).map_err(Some)?;
                }
            }
        }
        self.watch_new_devices(index);
        Ok(())
    }

    fn watch_new_devices(&mut self, index: usize) {
        let Some(link) = self.links.get_mut(index) else { return };
        while let Some((device, node)) = link.seat.next_unwatched() {
            if let Err(error) = watch(&self.epoll, node, link.mark, device) {
                eprintln!("punktfunk-inputd: a gamepad without rumble: {error}");
            }
        }
    }

    fn do_what_is_due(&mut self) {
        let now = self.now();
        self.shared.tick(now);
        let mut index = 0;
        while let Some(link) = self.links.get_mut(index) {
            let overdue = !link.seat.has_name() && now >= link.since + HELLO_LIMIT;
            let done = if overdue { Err(Ended::Hello) } else { link.seat.tick(now) };
            match done {
                Ok(()) => {
                    self.send(index, now);
                    index += 1;
                }
                Err(why) => self.close(index, Some(why)),
            }
        }
    }

    /// Sends what there is to say, as far as there is room.
    fn send(&mut self, index: usize, now: Duration) {
        let Some(link) = self.links.get_mut(index) else { return };
        let was_full = link.unsent.is_some();
        loop {
            if let Some((len, packet)) = &link.unsent {
                if !socket::transmit(&link.socket, packet.get(..*len).unwrap_or_default()) {
                    break;
                }
                link.unsent = None;
            }
            let Some((device, message)) = link.seat.poll(now) else { break };
            let mut packet = [0; MAX_MESSAGE];
            let len = encode(device, link.sequence, now, &message, &mut packet);
            link.sequence = link.sequence.wrapping_add(1);
            link.unsent = Some((len, packet));
        }
        if was_full != link.unsent.is_some() {
            let out = if link.unsent.is_some() { epoll::EventFlags::OUT } else { epoll::EventFlags::empty() };
            let data = link_mark(link.mark, MAX_DEVICE);
            // A socket that is being watched can be watched differently.
            let _always = epoll::modify(&self.epoll, &link.socket, data, epoll::EventFlags::IN | out);
        }
    }

    fn close(&mut self, index: usize, why: Option<Ended>) {
        if index >= self.links.len() {
            return;
        }
        let mut link = self.links.swap_remove(index);
        if let Some(why) = why {
            eprintln!("punktfunk-inputd: {} is disconnected: {why}", link.seat.name());
        }
        link.seat.hang_up(self.now(), &mut self.shared);
    }
}

fn watch(epoll: &OwnedFd, what: impl AsFd, mark: u64, device: u8) -> rustix::io::Result<()> {
    epoll::add(epoll, what, link_mark(mark, device), epoll::EventFlags::IN)
}

fn link_mark(mark: u64, device: u8) -> epoll::EventData {
    epoll::EventData::new_u64(mark << 8 | u64::from(device))
}
