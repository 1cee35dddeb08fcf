//! The host's end: connect, tell, and read frames where they lie.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use punktfunk_core::input::Event as Input;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::{SealFlags, fcntl_get_seals, fstat};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use crate::ffi::Mapping;
use crate::message::{Exit, FrameNotice, Pool, Ready, Rect, ToHost, ToSeat, merge_damage};
use crate::outbox::{Item, Outbox};
use crate::socket::{self, LinkError};
use crate::{SOCKET_NAME, VERSION};

/// How long connecting may wait for a seat that accepts nobody.
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Wire {
    socket: OwnedFd,
    /// Written when something begins to wait, for a reader that sleeps.
    wake: OwnedFd,
    outbox: Mutex<Outbox>,
}

/// How an event was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// The seat has it, or will have it as soon as it reads.
    Done,
    /// The seat has not read for so long that there was no room: everything that is
    /// held is released instead.
    Overflow,
}

/// Says things to a seat, from any thread. Nothing here waits: what a seat does not
/// read at once is kept, and [`SeatLink::next_event`] sends it when it does.
#[derive(Clone, Debug)]
pub struct Sender(Arc<Wire>);

impl Sender {
    fn new(socket: OwnedFd) -> Result<Self, LinkError> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let wake = eventfd(0, flags).map_err(LinkError::system("make an event"))?;
        Ok(Self(Arc::new(Wire { socket, wake, outbox: Mutex::default() })))
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        // It is whole between any two statements, so a panic elsewhere spoils nothing.
        self.0.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends one message. An error when the seat is gone, or has not read for so long
    /// that no more is kept for it.
    pub fn send(&self, message: &ToSeat) -> Result<(), LinkError> {
        if let ToSeat::Input(event) = message {
            return self.input(event).map(|_| ());
        }
        let packet = message.encode()?;
        let mut outbox = self.outbox();
        if self.flush(&mut outbox)? && self.try_send(&packet)? {
            return Ok(());
        }
        let kept = outbox.push_packet(packet);
        self.wake();
        if kept { Ok(()) } else { Err(LinkError::Stuck) }
    }

    /// Sends one event. Movements that wait are merged; edges keep their order.
    pub fn input(&self, event: &Input) -> Result<Sending, LinkError> {
        let packet = ToSeat::Input(*event).encode()?;
        let mut outbox = self.outbox();
        if self.flush(&mut outbox)? && self.try_send(&packet)? {
            return Ok(Sending::Done);
        }
        let kept = outbox.push_input(event);
        self.wake();
        Ok(if kept { Sending::Done } else { Sending::Overflow })
    }

    /// Sends what waits; true when nothing does any more.
    fn flush(&self, outbox: &mut Outbox) -> Result<bool, LinkError> {
        while let Some(item) = outbox.first() {
            let sent = match item {
                Item::Packet(packet) => self.try_send(packet)?,
                Item::Input(event) => self.try_send(&ToSeat::Input(*event).encode()?)?,
            };
            if !sent {
                return Ok(false);
            }
            outbox.remove_first();
        }
        Ok(true)
    }

    /// True when something waits that cannot be sent now: the seat does not read.
    pub fn is_waiting(&self) -> Result<bool, LinkError> {
        let mut outbox = self.outbox();
        Ok(!self.flush(&mut outbox)?)
    }

    /// False when the seat does not read at the moment.
    fn try_send(&self, packet: &[u8]) -> Result<bool, LinkError> {
        match socket::send(&self.0.socket, packet, &[], false) {
            Ok(()) => Ok(true),
            Err(error) if error.would_block() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn wake(&self) {
        // Fails only when it has been written already.
        let _ = rustix::io::write(&self.0.wake, &1u64.to_ne_bytes());
    }

    /// Waits until the seat says something or can be told more.
    fn wait(&self, patience: Duration) -> Result<(), LinkError> {
        let waiting = self.is_waiting()?;
        let wanted = if waiting { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        let mut fds = [PollFd::new(&self.0.socket, wanted), PollFd::new(&self.0.wake, PollFlags::IN)];
        match poll(&mut fds, Timespec::try_from(patience).ok().as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(LinkError::system("wait for the seat")(error)),
        }
        if fds[1].revents().contains(PollFlags::IN) {
            let _ = rustix::io::read(&self.0.wake, &mut [0; 8]);
        }
        Ok(())
    }
}

/// What [`SeatLink::next_event`] found.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The seat answered the hello.
    Ready(Ready),
    /// The newest frame; older unread ones were merged into its damage.
    Frame(Frame),
    /// The application was started.
    AppStarted {
        /// Its first process.
        pid: u32,
    },
    /// Every process of the application is gone.
    AppExited(Exit),
    /// Something a person should read.
    Error(String),
}

#[derive(Debug)]
struct Buffers {
    layout: Pool,
    maps: Vec<Mapping>,
}

/// The host's end of the connection to one seat.
#[derive(Debug)]
pub struct SeatLink {
    sender: Sender,
    packet: Vec<u8>,
    pool: Option<Arc<Buffers>>,
    /// The next frame must be taken as wholly new.
    fresh: bool,
    /// Found behind a frame while looking for a newer one.
    waiting: Option<Event>,
}

impl SeatLink {
    /// Connects to the seat whose runtime directory this is and says hello.
    pub fn connect(runtime_dir: &Path) -> Result<Self, LinkError> {
        let system = LinkError::system;
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
            .map_err(system("make a socket"))?;
        let address = SocketAddrUnix::new(runtime_dir.join(SOCKET_NAME))
            .map_err(system("name the socket of the seat"))?;
        // The kernel takes the time-out of sending for connecting too.
        set_socket_timeout(&socket, Timeout::Send, Some(CONNECT_PATIENCE))
            .map_err(system("set a time-out"))?;
        connect(&socket, &address).map_err(system("connect to the seat"))?;
        socket::check_peer(&socket)?;
        let sender = Sender::new(socket)?;
        sender.send(&ToSeat::Hello { version: VERSION })?;
        let packet = Vec::new();
        Ok(Self { sender, packet, pool: None, fresh: true, waiting: None })
    }

    /// The process id of the seat.
    pub fn pid(&self) -> Result<i32, LinkError> {
        socket::check_peer(&self.sender.0.socket)
    }

    /// A handle that sends, for other threads.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Sends one message.
    pub fn send(&self, message: &ToSeat) -> Result<(), LinkError> {
        self.sender.send(message)
    }

    /// Waits for something to happen, at most `timeout`; `None` when nothing did.
    pub fn next_event(&mut self, timeout: Duration) -> Result<Option<Event>, LinkError> {
        if let Some(event) = self.waiting.take() {
            return Ok(Some(event));
        }
        let deadline = Instant::now() + timeout;
        self.sender.is_waiting()?;
        loop {
            let mut newest = None;
            while let Some(event) = self.read_one()? {
                match (event, newest.take()) {
                    (Event::Frame(mut frame), old) => {
                        if let Some(old) = old {
                            frame.absorb(&old);
                        }
                        newest = Some(frame);
                    }
                    (event, None) => return Ok(Some(event)),
                    (event, old) => {
                        self.waiting = Some(event);
                        newest = old;
                        break;
                    }
                }
            }
            if let Some(frame) = newest {
                return Ok(Some(Event::Frame(frame)));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.sender.wait(left)?;
        }
    }

    fn read_one(&mut self) -> Result<Option<Event>, LinkError> {
        loop {
            let Some(fds) = socket::receive(&self.sender.0.socket, &mut self.packet)? else {
                return Ok(None);
            };
            return Ok(Some(match ToHost::decode(&self.packet)? {
                ToHost::Ready(ready) if ready.version != VERSION => {
                    return Err(LinkError::Protocol("a greeting of another version"));
                }
                ToHost::Ready(ready) => Event::Ready(ready),
                ToHost::Pool(layout) => {
                    self.pool = Some(Arc::new(map_pool(layout, &fds)?));
                    self.fresh = true;
                    continue;
                }
                ToHost::Frame(notice) => match self.frame(notice)? {
                    Some(frame) => Event::Frame(frame),
                    None => continue,
                },
                ToHost::AppStarted { pid } => Event::AppStarted { pid },
                ToHost::AppExited(exit) => Event::AppExited(exit),
                ToHost::Error(text) => Event::Error(text),
            }));
        }
    }

    fn frame(&mut self, notice: FrameNotice) -> Result<Option<Frame>, LinkError> {
        let pool = self.pool.as_ref().ok_or(LinkError::Protocol("a frame before its buffers"))?;
        if notice.generation != pool.layout.generation {
            return Ok(None);
        }
        if usize::from(notice.buffer) >= pool.maps.len() {
            return Err(LinkError::Protocol("a frame in a buffer that does not exist"));
        }
        let mut frame = Frame { notice, pool: Arc::clone(pool), sender: self.sender.clone() };
        frame.clip();
        if std::mem::take(&mut self.fresh) {
            frame.notice.damage = vec![frame.whole()];
        }
        Ok(Some(frame))
    }
}

fn map_pool(layout: Pool, fds: &[OwnedFd]) -> Result<Buffers, LinkError> {
    let len = layout.buffer_len().ok_or(LinkError::Protocol("an impossible pool"))?;
    if fds.len() != usize::from(layout.buffers) {
        return Err(LinkError::Protocol("a pool without its buffers"));
    }
    let map = |fd: &OwnedFd| {
        let stat = fstat(fd).map_err(LinkError::system("measure a buffer"))?;
        let seals = fcntl_get_seals(fd).map_err(LinkError::system("read the seals of a buffer"))?;
        // A file that can shrink would kill the reader with SIGBUS.
        if usize::try_from(stat.st_size).ok().is_none_or(|size| size < len)
            || !seals.contains(SealFlags::SHRINK)
        {
            return Err(LinkError::Protocol("a buffer that is too short or not sealed"));
        }
        Mapping::new(fd.as_fd(), len, false).map_err(LinkError::system("map a buffer"))
    };
    Ok(Buffers { layout, maps: fds.iter().map(map).collect::<Result<_, _>>()? })
}

/// One picture of a seat: BGRx, 8 bits each, the first row on top. Dropping it
/// gives its buffer back to the seat.
#[derive(Debug)]
pub struct Frame {
    notice: FrameNotice,
    pool: Arc<Buffers>,
    sender: Sender,
}

impl Frame {
    /// All rows; each is [`stride`](Self::stride) bytes long.
    pub fn bytes(&self) -> &[u8] {
        self.pool.maps.get(usize::from(self.notice.buffer)).map_or(&[], Mapping::bytes)
    }

    /// Bytes from one row to the next.
    pub fn stride(&self) -> usize {
        self.pool.layout.stride as usize
    }

    /// Pixels.
    pub fn width(&self) -> u32 {
        self.pool.layout.width
    }

    /// Pixels.
    pub fn height(&self) -> u32 {
        self.pool.layout.height
    }

    /// What differs from the last frame that was handed out, inside the picture.
    pub fn damage(&self) -> &[Rect] {
        &self.notice.damage
    }

    /// True when the whole picture may differ.
    pub fn full(&self) -> bool {
        self.notice.damage.contains(&self.whole())
    }

    /// `CLOCK_MONOTONIC` in microseconds.
    pub fn timestamp_us(&self) -> u64 {
        self.notice.timestamp_us
    }

    /// Counts the frames of the seat; a gap means that frames were replaced.
    pub fn sequence(&self) -> u64 {
        self.notice.sequence
    }

    /// Counts the pools of the seat: it changes with the size of the picture.
    pub fn generation(&self) -> u32 {
        self.notice.generation
    }

    /// Takes over the damage of `older`, a frame that nobody read.
    pub fn absorb(&mut self, older: &Self) {
        if older.notice.generation == self.notice.generation {
            merge_damage(&mut self.notice.damage, &older.notice.damage);
        } else {
            self.notice.damage = vec![self.whole()];
        }
    }

    fn whole(&self) -> Rect {
        Rect { x: 0, y: 0, width: self.width(), height: self.height() }
    }

    fn clip(&mut self) {
        let (width, height) = (self.width(), self.height());
        self.notice.damage.retain_mut(|rect| {
            rect.width = rect.width.min(width.saturating_sub(rect.x));
            rect.height = rect.height.min(height.saturating_sub(rect.y));
            rect.width > 0 && rect.height > 0
        });
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        let (generation, buffer) = (self.notice.generation, self.notice.buffer);
        // A seat that is gone needs its buffer no more.
        let _ = self.sender.send(&ToSeat::ReleaseFrame { generation, buffer });
    }
}
