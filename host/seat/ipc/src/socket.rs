//! One end of the connection: packets with file descriptors.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::{CodecError, MAX_BUFFERS, MAX_MESSAGE};

/// Why host and seat cannot talk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// A system call failed.
    #[error("cannot {what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        error: Errno,
    },
    /// The other side closed the connection.
    #[error("the other side closed the connection")]
    Closed,
    /// The other side sent something that is no message.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The other side broke the rules of the conversation.
    #[error("the other side sent {0}; host and seat are probably of different versions")]
    Protocol(&'static str),
    /// It has not read for so long that nothing more is kept for it.
    #[error("the seat has not listened for a long time: it hangs")]
    Stuck,
    /// The other side belongs to another user.
    #[error("the other side runs as user {0}: only the same user may connect")]
    Stranger(u32),
}

impl LinkError {
    pub(crate) fn system(what: &'static str) -> impl FnOnce(Errno) -> Self {
        move |error| match error {
            Errno::PIPE | Errno::CONNRESET => Self::Closed,
            error => Self::System { what, error },
        }
    }

    /// True when the other side is simply not ready for more.
    pub fn would_block(&self) -> bool {
        matches!(self, Self::System { error: Errno::AGAIN, .. })
    }
}

/// Sends one packet.
pub(crate) fn send(
    socket: impl AsFd,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
    wait: bool,
) -> Result<(), LinkError> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_BUFFERS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(LinkError::Protocol("too many buffers"));
    }
    let flags = if wait { SendFlags::NOSIGNAL } else { SendFlags::NOSIGNAL | SendFlags::DONTWAIT };
    let what = "send to the other side";
    rustix::io::retry_on_intr(|| sendmsg(&socket, &[IoSlice::new(bytes)], &mut control, flags))
        .map_err(LinkError::system(what))?;
    Ok(())
}

/// Receives one packet without waiting; `None` when there is none.
pub(crate) fn receive(socket: impl AsFd, buffer: &mut Vec<u8>) -> Result<Option<Vec<OwnedFd>>, LinkError> {
    buffer.resize(MAX_MESSAGE, 0);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_BUFFERS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let result =
        rustix::io::retry_on_intr(|| recvmsg(&socket, &mut [IoSliceMut::new(buffer)], &mut control, flags));
    let message = match result {
        Ok(message) => message,
        Err(Errno::AGAIN) => return Ok(None),
        Err(error) => return Err(LinkError::system("receive from the other side")(error)),
    };
    let mut fds = Vec::new();
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = part {
            fds.extend(received);
        }
    }
    if message.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(LinkError::Protocol("a packet that is too long"));
    }
    if message.bytes == 0 {
        return Err(LinkError::Closed);
    }
    buffer.truncate(message.bytes);
    Ok(Some(fds))
}

/// Refuses a peer of another user; the process id of one of ours.
pub(crate) fn check_peer(socket: impl AsFd) -> Result<i32, LinkError> {
    let peer =
        rustix::net::sockopt::socket_peercred(socket).map_err(LinkError::system("ask who connected"))?;
    if peer.uid == rustix::process::getuid() {
        Ok(peer.pid.as_raw_nonzero().get())
    } else {
        Err(LinkError::Stranger(peer.uid.as_raw()))
    }
}
