//! The seat's end: listen, accept, make buffers. Nothing here ever waits.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{MemfdFlags, Mode as FileMode, SealFlags, chmod, fcntl_add_seals, ftruncate, memfd_create};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen, socket_with,
};

use crate::ffi::Mapping;
use crate::message::{Pool, ToHost, ToSeat};
use crate::socket::{self, LinkError};
use crate::{MAX_BUFFERS, SOCKET_NAME};

/// Waits for hosts in the runtime directory of a seat.
#[derive(Debug)]
pub struct Listener(OwnedFd);

impl Listener {
    /// Listens. Fails when a living seat already does; a dead one's socket is replaced.
    pub fn bind(runtime_dir: &Path) -> Result<Self, LinkError> {
        let system = LinkError::system;
        let path = runtime_dir.join(SOCKET_NAME);
        let address = SocketAddrUnix::new(&path).map_err(system("name the socket of the seat"))?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let new = || socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None);
        let probe = new().map_err(system("make a socket"))?;
        match connect(&probe, &address) {
            Ok(()) | Err(Errno::AGAIN) => return Err(system("listen: a seat lives there")(Errno::ADDRINUSE)),
            Err(_) => {}
        }
        let _ = std::fs::remove_file(&path);
        let socket = new().map_err(system("make a socket"))?;
        bind(&socket, &address).map_err(system("bind the socket of the seat"))?;
        chmod(&path, FileMode::from_raw_mode(0o600)).map_err(system("protect the socket of the seat"))?;
        listen(&socket, 4).map_err(system("listen"))?;
        Ok(Self(socket))
    }

    /// The next host that connected, `None` when there is none. A stranger is an error.
    pub fn accept(&self) -> Result<Option<Connection>, LinkError> {
        let socket = match accept_with(&self.0, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            Ok(socket) => socket,
            Err(Errno::AGAIN | Errno::CONNABORTED | Errno::INTR) => return Ok(None),
            Err(error) => return Err(LinkError::system("accept a host")(error)),
        };
        socket::check_peer(&socket)?;
        Ok(Some(Connection { socket, packet: Vec::new() }))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A connected host.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
    packet: Vec<u8>,
}

impl Connection {
    /// The next message, `None` when there is none now.
    pub fn receive(&mut self) -> Result<Option<ToSeat>, LinkError> {
        match socket::receive(&self.socket, &mut self.packet)? {
            Some(_) => Ok(Some(ToSeat::decode(&self.packet)?)),
            None => Ok(None),
        }
    }

    /// Sends one message; an error that [`LinkError::would_block`] when the host does not read.
    pub fn send(&self, message: &ToHost) -> Result<(), LinkError> {
        socket::send(&self.socket, &message.encode()?, &[], false)
    }

    /// Sends the layout of a pool with its buffers.
    pub fn send_pool(&self, pool: Pool, buffers: &[Buffer]) -> Result<(), LinkError> {
        let fds: Vec<_> = buffers.iter().map(|buffer| buffer.file.as_fd()).collect();
        socket::send(&self.socket, &ToHost::Pool(pool).encode()?, &fds, false)
    }

    /// Another descriptor of the same socket, for an event loop.
    pub fn try_clone(&self) -> Result<OwnedFd, LinkError> {
        rustix::io::fcntl_dupfd_cloexec(&self.socket, 0).map_err(LinkError::system("duplicate a socket"))
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Memory that a frame is drawn into: a memfd that cannot change its size and that
/// nobody but its maker can map for writing.
#[derive(Debug)]
pub struct Buffer {
    file: OwnedFd,
    map: Mapping,
}

impl Buffer {
    /// A zeroed buffer of `len` bytes.
    pub fn new(len: usize) -> Result<Self, LinkError> {
        let system = LinkError::system;
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = memfd_create("punktfunk-frame", flags).map_err(system("make a buffer"))?;
        ftruncate(&file, len as u64).map_err(system("size a buffer"))?;
        let map = Mapping::new(file.as_fd(), len, true).map_err(system("map a buffer"))?;
        let sizes = SealFlags::SHRINK | SealFlags::GROW;
        // Kernels before 5.1 lack the seal against further writers: the host maps
        // read-only all the same.
        let _ = fcntl_add_seals(&file, SealFlags::FUTURE_WRITE);
        fcntl_add_seals(&file, sizes | SealFlags::SEAL).map_err(system("seal a buffer"))?;
        Ok(Self { file, map })
    }

    /// The first byte. Valid for reads and writes while the buffer lives.
    pub fn as_ptr(&self) -> *mut u8 {
        self.map.as_ptr()
    }

    /// The bytes as they are now.
    pub fn bytes(&self) -> &[u8] {
        self.map.bytes()
    }
}

/// As many buffers as a pool of this layout needs.
pub fn buffers(pool: &Pool) -> Result<Vec<Buffer>, LinkError> {
    let len = pool.buffer_len().ok_or(LinkError::Protocol("an impossible pool"))?;
    (0..usize::from(pool.buffers).min(MAX_BUFFERS)).map(|_| Buffer::new(len)).collect()
}
