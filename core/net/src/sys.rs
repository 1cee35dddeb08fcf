//! The system calls behind a UDP socket, one safe function each.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use crate::addr::{Control, Name};
use crate::batch::Datagrams;
use crate::recv::{MAX_MESSAGES, RecvBatch, Slot};

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A UDP socket, not yet bound; blocks, and closes on exec.
pub(crate) fn udp_socket(v6: bool) -> io::Result<OwnedFd> {
    let family = if v6 { libc::AF_INET6 } else { libc::AF_INET };
    // SAFETY: no pointers are passed.
    let fd = check(unsafe { libc::socket(family, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: the kernel just made this descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

pub(crate) fn bind(fd: BorrowedFd<'_>, name: &Name) -> io::Result<()> {
    let address = (&raw const name.storage).cast::<libc::sockaddr>();
    // SAFETY: `address` points to `name.len` initialised bytes of a sockaddr.
    check(unsafe { libc::bind(fd.as_raw_fd(), address, name.len) }).map(drop)
}

pub(crate) fn set_option(fd: BorrowedFd<'_>, level: i32, option: i32, value: i32) -> io::Result<()> {
    let (pointer, size) = ((&raw const value).cast(), size_of::<i32>() as libc::socklen_t);
    // SAFETY: `pointer` points to `size` bytes that live through the call.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, option, pointer, size) }).map(drop)
}

pub(crate) fn option(fd: BorrowedFd<'_>, level: i32, option: i32) -> io::Result<i32> {
    let (mut value, mut size) = (0_i32, size_of::<i32>() as libc::socklen_t);
    // SAFETY: both pointers are valid for writes of the sizes that they announce.
    check(unsafe {
        libc::getsockopt(fd.as_raw_fd(), level, option, (&raw mut value).cast(), &raw mut size)
    })?;
    Ok(value)
}

fn header(name: &Name, control: &Control, vector: *mut libc::iovec) -> libc::msghdr {
    // SAFETY: msghdr is plain integers and pointers; all zeroes is a valid value.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_name = (&raw const name.storage).cast_mut().cast();
    header.msg_namelen = name.len;
    header.msg_iov = vector;
    header.msg_iovlen = 1;
    if control.len > 0 {
        header.msg_control = control.bytes.as_ptr().cast_mut().cast();
        header.msg_controllen = control.len as _;
    }
    header
}

fn vector(bytes: &[u8]) -> libc::iovec {
    libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() }
}

/// One message; with a segment size in `control` the kernel cuts it up.
pub(crate) fn send(fd: BorrowedFd<'_>, bytes: &[u8], name: &Name, control: &Control) -> io::Result<()> {
    let mut vector = vector(bytes);
    let header = header(name, control, &raw mut vector);
    // SAFETY: sendmsg only reads through the pointers of `header`, all of which
    // borrow from arguments and locals that outlive the call.
    let sent = unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const header, libc::MSG_NOSIGNAL) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Up to 64 messages in one call; how many were sent.
pub(crate) fn send_many(
    fd: BorrowedFd<'_>,
    datagrams: Datagrams<'_>,
    name: &Name,
    control: &Control,
) -> io::Result<usize> {
    let mut vectors = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; MAX_MESSAGES];
    // SAFETY: mmsghdr is plain integers and pointers; all zeroes is a valid value.
    let mut headers: [libc::mmsghdr; MAX_MESSAGES] = unsafe { mem::zeroed() };
    let mut count = 0;
    for (datagram, (slot, message)) in datagrams.into_iter().zip(vectors.iter_mut().zip(headers.iter_mut())) {
        *slot = vector(datagram);
        message.msg_hdr = header(name, control, slot);
        count += 1;
    }
    // SAFETY: the first `count` headers are filled in; the kernel reads through
    // their pointers, which borrow from arguments and locals that outlive the
    // call, and writes only `msg_len` in `headers`.
    let sent =
        unsafe { libc::sendmmsg(fd.as_raw_fd(), headers.as_mut_ptr(), count, libc::MSG_NOSIGNAL as _) };
    check(sent).map(|sent| sent as usize)
}

/// Fills `batch` with what is there; `WouldBlock` when nothing is.
pub(crate) fn receive(fd: BorrowedFd<'_>, batch: &mut RecvBatch) -> io::Result<()> {
    batch.clear();
    let mut vectors = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; MAX_MESSAGES];
    // SAFETY: mmsghdr is plain integers and pointers; all zeroes is a valid value.
    let mut headers: [libc::mmsghdr; MAX_MESSAGES] = unsafe { mem::zeroed() };
    let slots = batch.slots.len();
    let buffers = batch.bytes.chunks_exact_mut(batch.stride);
    let ancillary = batch.names.iter_mut().zip(batch.controls.iter_mut());
    for (index, (buffer, (name, control))) in buffers.zip(ancillary).enumerate() {
        vectors[index] = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        let header = &mut headers[index].msg_hdr;
        header.msg_name = (&raw mut name.storage).cast();
        header.msg_namelen = size_of::<libc::sockaddr_storage>() as _;
        header.msg_iov = &raw mut vectors[index];
        header.msg_iovlen = 1;
        header.msg_control = control.bytes.as_mut_ptr().cast();
        header.msg_controllen = Control::CAPACITY as _;
    }
    // SAFETY: `slots` (at most 64) headers are filled in; each points to buffers
    // of `batch` of the announced sizes, distinct and borrowed for the call.
    let got = unsafe {
        libc::recvmmsg(
            fd.as_raw_fd(),
            headers.as_mut_ptr(),
            slots as u32,
            libc::MSG_DONTWAIT as _,
            std::ptr::null_mut(),
        )
    };
    let got = check(got)? as usize;
    for (index, message) in headers.iter().enumerate().take(got) {
        let (name, control) = (&batch.names[index], &mut batch.controls[index]);
        control.len = message.msg_hdr.msg_controllen;
        let (local, segment) = control.decode();
        let truncated = message.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
        let Some(from) = name.decode().filter(|_| !truncated) else {
            batch.oversized += u64::from(truncated);
            continue;
        };
        let slot = Slot { len: message.msg_len as usize, segment, from, local };
        // A discarded message leaves a gap; the ones behind it move up.
        if index != batch.filled {
            let start = index * batch.stride;
            batch.bytes.copy_within(start..start + slot.len, batch.filled * batch.stride);
        }
        batch.slots[batch.filled] = slot;
        batch.filled += 1;
    }
    Ok(())
}

/// Waits until one of the descriptors has what is asked of it; which ones do.
pub(crate) fn poll<const N: usize>(
    wanted: [(BorrowedFd<'_>, i16); N],
    timeout: Option<Duration>,
) -> io::Result<[bool; N]> {
    let mut fds = wanted.map(|(fd, events)| libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 });
    let time = timeout.map(|timeout| libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(timeout.subsec_nanos() as i32),
    });
    let time = time.as_ref().map_or(std::ptr::null(), |time| &raw const *time);
    // SAFETY: `fds` holds N entries; `time` is null or points to a live timespec.
    check(unsafe { libc::ppoll(fds.as_mut_ptr(), N as libc::nfds_t, time, std::ptr::null()) })?;
    Ok(fds.map(|fd| fd.revents != 0))
}

/// A flag that a thread in `poll` sees.
#[derive(Debug)]
pub(crate) struct Flag(OwnedFd);

impl Flag {
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers are passed.
        let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        // SAFETY: the kernel just made this descriptor and nobody else knows it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.0.as_fd()
    }

    pub fn raise(&self) {
        let one = 1_u64;
        // SAFETY: eight bytes are read from a live integer. It can only fail when
        // the counter is full, and then the flag is up already.
        unsafe { libc::write(self.0.as_raw_fd(), (&raw const one).cast(), 8) };
    }

    pub fn lower(&self) {
        let mut count = 0_u64;
        // SAFETY: eight bytes are written to a live integer. It can only fail when
        // the flag is down already.
        unsafe { libc::read(self.0.as_raw_fd(), (&raw mut count).cast(), 8) };
    }
}

/// The address that a socket is bound to, normalised.
pub(crate) fn local_addr(socket: &std::net::UdpSocket) -> io::Result<SocketAddr> {
    socket.local_addr().map(crate::addr::normalised)
}
