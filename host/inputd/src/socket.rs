//! The socket that hosts connect to.

use std::fs::DirBuilder;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect,
    listen, recv, send, socket_with,
};

use punktfunk_inputd_ipc::MAX_MESSAGE;

/// How many hosts may wait to be accepted.
const BACKLOG: i32 = 16;

/// The socket that systemd hands over.
pub fn activated() -> anyhow::Result<OwnedFd> {
    let socket = crate::ffi::activation_socket().context(
        "systemd handed no socket over: start punktfunk-inputd.socket, or say where to listen with --socket PATH",
    )?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    let kind = rustix::net::sockopt::socket_type(&socket)?;
    if kind != SocketType::SEQPACKET {
        bail!("the socket of systemd has to be ListenSequentialPacket=");
    }
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

/// Listens at `path`. Everybody may open the socket; who may stay is asked of the kernel
/// at each connection.
pub fn listen_at(path: &Path) -> anyhow::Result<OwnedFd> {
    let inner = || -> io::Result<OwnedFd> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
        }
        let address = SocketAddrUnix::new(path)?;
        if path.symlink_metadata().is_ok_and(|found| found.file_type().is_socket()) {
            // Somebody listens, or is gone and left it behind.
            match connect(fresh()?, &address) {
                Err(Errno::CONNREFUSED) => std::fs::remove_file(path)?,
                _ => return Err(Errno::ADDRINUSE.into()),
            }
        }
        let socket = fresh()?;
        // Changing the mode afterwards would follow whatever lies there by then.
        let before = rustix::process::umask(Mode::from_raw_mode(0o111));
        let bound = bind(&socket, &address);
        rustix::process::umask(before);
        bound?;
        listen(&socket, BACKLOG)?;
        Ok(socket)
    };
    inner().with_context(|| format!("cannot listen at {}", path.display()))
}

fn fresh() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
}

/// The next host that connected; `None` when there is none.
pub fn next(listener: impl AsFd) -> Option<OwnedFd> {
    loop {
        match accept_with(&listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            Ok(socket) => return Some(socket),
            Err(Errno::INTR | Errno::CONNABORTED) => {}
            Err(_) => return None,
        }
    }
}

/// What came of receiving.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// A packet of so many bytes; more than [`MAX_MESSAGE`] were cut off.
    Packet(usize),
    /// Nothing now.
    Nothing,
    /// The other side hung up.
    Closed,
}

/// One byte longer than any message, so that a longer packet shows.
pub type Buffer = [u8; MAX_MESSAGE + 1];

/// Receives one packet without waiting.
pub fn receive(socket: impl AsFd, buffer: &mut Buffer) -> Received {
    match rustix::io::retry_on_intr(|| recv(&socket, buffer.as_mut_slice(), RecvFlags::DONTWAIT)) {
        Ok((0, _)) => Received::Closed,
        Ok((len, _)) => Received::Packet(len),
        Err(Errno::AGAIN) => Received::Nothing,
        Err(_) => Received::Closed,
    }
}

/// Sends one packet without waiting; false when there is no room now. A connection that
/// is gone swallows it: receiving notices.
pub fn transmit(socket: impl AsFd, packet: &[u8]) -> bool {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    rustix::io::retry_on_intr(|| send(&socket, packet, flags)) != Err(Errno::AGAIN)
}
