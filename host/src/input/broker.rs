//! Pads of the kernel, made by `punktfunk-inputd`.
//!
//! What a client does is sent at once, from the thread it comes from, so that a press
//! and its release that arrive together stay two; when the socket is full or there is no
//! broker, the newest state waits. A thread of each seat's own connects, listens for
//! rumble, and makes the pads again when the broker was restarted.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use punktfunk_core::input::pad::{self, Feedback};
use punktfunk_inputd_ipc::{Header, MAX_MESSAGE, Refusal, SeatName, ToBroker, ToHost, decode_to_host};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send,
    socket_with,
};

use super::table::Table;
use super::{Backend, OnFeedback};

/// How long to wait before connecting again: at first, and at most.
const PAUSE: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(10)];

/// The pads of a seat.
pub(super) struct Broker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    start: Instant,
    desk: Mutex<Desk>,
    wake: OwnedFd,
}

struct Desk {
    table: Table,
    link: Option<Link>,
    ended: bool,
}

struct Link {
    socket: Arc<OwnedFd>,
    sequence: u32,
    /// A message for which there was no room.
    unsent: Option<(usize, [u8; MAX_MESSAGE])>,
}

/// What the thread keeps to itself.
struct Listener {
    shared: Arc<Shared>,
    path: PathBuf,
    seat: SeatName,
    on_feedback: OnFeedback,
    connect_at: Duration,
    pause: Duration,
    /// The last complaint, which is not repeated.
    complaint: String,
}

impl Broker {
    /// Pads of `seat` by the broker at `path`, which need not listen yet. An error when
    /// the system has no room for one more thread.
    pub(super) fn open(
        path: &Path,
        seat: &str,
        client: &[u8; 32],
        on_feedback: OnFeedback,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            start: Instant::now(),
            desk: Mutex::new(Desk { table: Table::new(client), link: None, ended: false }),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        });
        let mut listener = Listener {
            shared: Arc::clone(&shared),
            path: path.to_owned(),
            seat: SeatName::from_any(seat),
            on_feedback,
            connect_at: Duration::ZERO,
            pause: PAUSE[0],
            complaint: String::new(),
        };
        let thread =
            std::thread::Builder::new().name("punktfunk-pads".to_owned()).spawn(move || listener.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    fn change(&self, change: impl FnOnce(&mut Table)) {
        let mut desk = self.shared.lock();
        change(&mut desk.table);
        if !desk.flush(self.shared.now()) {
            drop(desk);
            self.shared.wake();
        }
    }
}

impl Backend for Broker {
    fn event(&self, event: &pad::Event) {
        self.change(|table| table.event(event));
    }

    fn release_all(&self) {
        self.change(Table::release_all);
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.wake();
        if let Some(thread) = self.thread.take() {
            // It has nothing to say; a panic was logged.
            let _ended = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn wake(&self) {
        // A counter that is full has woken the thread already.
        let _woken = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

impl Desk {
    /// Says to the broker what there is to say; false when something is left for the
    /// thread to do.
    fn flush(&mut self, now: Duration) -> bool {
        let Some(link) = &mut self.link else { return !self.table.is_needed() };
        loop {
            if !link.send_unsent() {
                return false;
            }
            let Some((device, message)) = self.table.next(now) else { return true };
            link.queue(device, &message);
        }
    }
}

impl Link {
    fn queue(&mut self, device: u8, message: &ToBroker) {
        let header = Header { device, sequence: self.sequence, time: monotonic_micros() };
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = [0; MAX_MESSAGE];
        let len = message.encode(header, &mut packet);
        self.unsent = Some((len, packet));
    }

    /// True when nothing waits. A connection that is gone swallows messages: the thread
    /// notices, and says everything again to the next broker.
    fn send_unsent(&mut self) -> bool {
        let Some((len, packet)) = &self.unsent else { return true };
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let packet = packet.get(..*len).unwrap_or_default();
        if rustix::io::retry_on_intr(|| send(&self.socket, packet, flags)) == Err(Errno::AGAIN) {
            return false;
        }
        self.unsent = None;
        true
    }
}

impl Listener {
    fn run(&mut self) {
        loop {
            let now = self.shared.now();
            let mut desk = self.shared.lock();
            if desk.ended {
                return;
            }
            let connect = desk.link.is_none() && desk.table.is_needed() && now >= self.connect_at;
            drop(desk);
            if connect {
                self.connect(now);
            }
            self.repeat(now);

            desk = self.shared.lock();
            let full = !desk.flush(now) && desk.link.is_some();
            let socket = desk.link.as_ref().map(|link| Arc::clone(&link.socket));
            let retry = (socket.is_none() && desk.table.is_needed()).then_some(self.connect_at);
            let table = desk.table.deadline(now).filter(|_| socket.is_some() && !full);
            drop(desk);
            let deadline = [retry, table].into_iter().flatten().min();
            self.wait(socket.as_deref(), full, deadline.map(|at| at.saturating_sub(self.shared.now())));
            if let Some(socket) = socket
                && let Err(why) = self.listen(&socket)
            {
                self.disconnected(&why);
            }
        }
    }

    fn wait(&self, socket: Option<&OwnedFd>, full: bool, limit: Option<Duration>) {
        let out = if full { PollFlags::OUT } else { PollFlags::empty() };
        let wake = PollFd::new(&self.shared.wake, PollFlags::IN);
        let timeout = limit.map(|limit| Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        });
        // Interrupted or not: the loop looks at everything again.
        let _ready = match socket {
            Some(socket) => poll(&mut [wake, PollFd::new(socket, PollFlags::IN | out)], timeout.as_ref()),
            None => poll(&mut [wake], timeout.as_ref()),
        };
        let _emptied = rustix::io::read(&self.shared.wake, &mut [0; 8]);
    }

    fn connect(&mut self, now: Duration) {
        match connected(&self.path) {
            Ok(socket) => {
                let mut link = Link { socket: Arc::new(socket), sequence: 0, unsent: None };
                link.queue(0, &ToBroker::Hello(self.seat));
                let mut desk = self.shared.lock();
                desk.table.connected();
                desk.link = Some(link);
            }
            Err(error) => {
                self.later(now, &format!("{}: {}", self.path.display(), why(error)));
            }
        }
    }

    /// Tries again after a pause that grows.
    fn later(&mut self, now: Duration, why: &str) {
        self.complain(why);
        self.connect_at = now + self.pause;
        self.pause = (self.pause * 2).min(PAUSE[1]);
    }

    fn complain(&mut self, why: &str) {
        if self.complaint != why {
            tracing::warn!(%why, "gamepads are unavailable");
            why.clone_into(&mut self.complaint);
        }
    }

    fn repeat(&self, now: Duration) {
        // Called without the lock: what is told may come back as an event.
        while let Some((index, feedback)) = { self.shared.lock().table.again(now) } {
            (self.on_feedback)(index, feedback);
        }
    }

    /// Hears what the broker says; an error is the end of the connection.
    fn listen(&mut self, socket: &OwnedFd) -> Result<(), String> {
        let mut buffer = [0; MAX_MESSAGE + 1];
        loop {
            let received = rustix::io::retry_on_intr(|| recv(socket, &mut buffer, RecvFlags::DONTWAIT));
            let len = match received {
                Ok((0, _)) => return Err("punktfunk-inputd ended".to_owned()),
                Ok((len, _)) => len,
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(format!("punktfunk-inputd: {error}")),
            };
            let packet = buffer.get(..len).unwrap_or_default();
            let (header, message) = decode_to_host(packet).map_err(|error| error.to_string())?;
            self.heard(header.device, &message);
        }
    }

    fn heard(&mut self, device: u8, message: &ToHost) {
        match message {
            ToHost::Caps { .. } => self.pause = PAUSE[0],
            ToHost::Created { .. } => self.complaint.clear(),
            ToHost::Error(Refusal::NoSuchDevice) => {}
            ToHost::Error(refusal) => self.complain(&refusal.to_string()),
            _ => {}
        }
        let feedback = self.shared.lock().table.heard(self.shared.now(), device, message);
        if let Some(feedback) = feedback {
            (self.on_feedback)(device, feedback);
        }
    }

    fn disconnected(&mut self, why: &str) {
        self.shared.lock().link = None;
        let now = self.shared.now();
        // A refusal that was just heard says more than the end of the connection.
        if self.complaint.is_empty() {
            self.later(now, why);
        } else {
            let said = self.complaint.clone();
            self.later(now, &said);
        }
        while let Some((index, Feedback::Rumble { low, high })) = { self.shared.lock().table.silence() } {
            (self.on_feedback)(index, Feedback::Rumble { low, high });
        }
    }
}

/// A connection to the broker at `path`.
fn connected(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

/// Why there is no connection.
fn why(error: Errno) -> String {
    match error {
        Errno::ACCESS | Errno::PERM => Refusal::Stranger.to_string(),
        Errno::NOENT | Errno::CONNREFUSED => "it does not run".to_owned(),
        error => error.to_string(),
    }
}

/// Asks the broker at `path` how many pads a seat may have.
pub(super) fn ask(path: &Path, patience: Duration) -> Result<u8, String> {
    let mut link = Link { socket: Arc::new(connected(path).map_err(why)?), sequence: 0, unsent: None };
    link.queue(0, &ToBroker::Hello(SeatName::from_any("doctor")));
    link.send_unsent();
    let timeout = Timespec {
        tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: patience.subsec_nanos().into(),
    };
    let mut ready = [PollFd::new(&*link.socket, PollFlags::IN)];
    match poll(&mut ready, Some(&timeout)) {
        Ok(1..) => {}
        _ => return Err("it does not answer".to_owned()),
    }
    let mut buffer = [0; MAX_MESSAGE + 1];
    let (len, _) = recv(&link.socket, &mut buffer, RecvFlags::DONTWAIT).map_err(why)?;
    if len == 0 {
        return Err(Refusal::Stranger.to_string());
    }
    match decode_to_host(buffer.get(..len).unwrap_or_default()) {
        Ok((_, ToHost::Caps { pads, .. })) => Ok(pads),
        Ok((_, ToHost::Error(refusal))) => Err(refusal.to_string()),
        Ok(_) => Err("it answers something else".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn monotonic_micros() -> u32 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the low 32 bits are meant")]
    let micros = (time.tv_sec.wrapping_mul(1_000_000).wrapping_add(time.tv_nsec / 1_000)) as u32;
    micros
}
