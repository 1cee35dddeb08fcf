//! The system calls that have no safe form: the requests of `/dev/uinput`
//! (`linux/uinput.h`), the groups of a peer, and the socket that systemd hands over.
#![expect(unsafe_code, reason = "these system calls take pointers")]

use std::ffi::{CStr, c_int, c_ulong};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

/// `_IOC_NONE`, `_IOC_WRITE` and `_IOC_READ` of every architecture we build for.
const NONE: u32 = 0;
const WRITE: u32 = 1;
const READ: u32 = 2;

const fn request(direction: u32, number: u32, size: usize) -> libc::Ioctl {
    ((direction << 30) | ((size as u32) << 16) | (0x55 << 8) | number) as libc::Ioctl
}

const UI_DEV_CREATE: libc::Ioctl = request(NONE, 1, 0);
const UI_DEV_SETUP: libc::Ioctl = request(WRITE, 3, size_of::<libc::uinput_setup>());
const UI_ABS_SETUP: libc::Ioctl = request(WRITE, 4, size_of::<libc::uinput_abs_setup>());
const UI_SET_PHYS: libc::Ioctl = request(WRITE, 108, size_of::<*const u8>());
const UI_GET_SYSNAME_32: libc::Ioctl = request(READ, 44, 32);
const UI_BEGIN_FF_UPLOAD: libc::Ioctl = request(READ | WRITE, 200, size_of::<libc::uinput_ff_upload>());
const UI_END_FF_UPLOAD: libc::Ioctl = request(WRITE, 201, size_of::<libc::uinput_ff_upload>());
const UI_BEGIN_FF_ERASE: libc::Ioctl = request(READ | WRITE, 202, size_of::<libc::uinput_ff_erase>());
const UI_END_FF_ERASE: libc::Ioctl = request(WRITE, 203, size_of::<libc::uinput_ff_erase>());

/// What a capability is of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bit {
    /// `UI_SET_EVBIT`.
    Event,
    /// `UI_SET_KEYBIT`.
    Key,
    /// `UI_SET_FFBIT`.
    Feedback,
}

fn check(status: c_int) -> io::Result<()> {
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Announces a capability.
pub(crate) fn set_bit(device: BorrowedFd<'_>, bit: Bit, code: u16) -> io::Result<()> {
    let number = match bit {
        Bit::Event => 100,
        Bit::Key => 101,
        Bit::Feedback => 107,
    };
    let code = c_ulong::from(code);
    // SAFETY: the request takes a number, no pointer.
    check(unsafe { libc::ioctl(device.as_raw_fd(), request(WRITE, number, size_of::<c_int>()), code) })
}

/// Announces an axis with its range.
pub(crate) fn set_axis(device: BorrowedFd<'_>, axis: &libc::uinput_abs_setup) -> io::Result<()> {
    // SAFETY: the request reads one such structure, which lives through the call.
    check(unsafe { libc::ioctl(device.as_raw_fd(), UI_ABS_SETUP, std::ptr::from_ref(axis)) })
}

/// Says where the device is plugged in.
pub(crate) fn set_phys(device: BorrowedFd<'_>, phys: &CStr) -> io::Result<()> {
    // SAFETY: the request reads a string up to its NUL, which lives through the call.
    check(unsafe { libc::ioctl(device.as_raw_fd(), UI_SET_PHYS, phys.as_ptr()) })
}

/// Says who the device is.
pub(crate) fn set_up(device: BorrowedFd<'_>, setup: &libc::uinput_setup) -> io::Result<()> {
    // SAFETY: the request reads one such structure, which lives through the call.
    check(unsafe { libc::ioctl(device.as_raw_fd(), UI_DEV_SETUP, std::ptr::from_ref(setup)) })
}

/// Makes the device.
pub(crate) fn create(device: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the request takes nothing.
    check(unsafe { libc::ioctl(device.as_raw_fd(), UI_DEV_CREATE) })
}

/// Its name below `/sys/devices/virtual/input`.
pub(crate) fn sysfs_name(device: BorrowedFd<'_>) -> io::Result<String> {
    let mut buffer = [0_u8; 32];
    // SAFETY: the request writes at most the 32 bytes that its size says, and the buffer
    // has them.
    check(unsafe { libc::ioctl(device.as_raw_fd(), UI_GET_SYSNAME_32, buffer.as_mut_ptr()) })?;
    let name = CStr::from_bytes_until_nul(&buffer).map_err(io::Error::other)?;
    Ok(name.to_string_lossy().into_owned())
}

/// Takes the effect that a game stores, and lets the game go on at once.
pub(crate) fn answer_upload(device: BorrowedFd<'_>, id: u32) -> io::Result<libc::ff_effect> {
    // SAFETY: a plain C structure of numbers; all zero is a valid value.
    let mut upload: libc::uinput_ff_upload = unsafe { std::mem::zeroed() };
    upload.request_id = id;
    // SAFETY: the request reads and writes one such structure, which lives through the call.
    check(unsafe { libc::ioctl(device.as_raw_fd(), UI_BEGIN_FF_UPLOAD, &raw mut upload) })?;
    upload.retval = 0;
    // SAFETY: the request reads one such structure, which lives through the call.
    check(unsafe { libc::ioctl(device.as_raw_fd(), UI_END_FF_UPLOAD, &raw const upload) })?;
    Ok(upload.effect)
}

/// Takes note that an effect is gone, and lets the game go on at once; its number.
pub(crate) fn answer_erase(device: BorrowedFd<'_>, id: u32) -> io::Result<u32> {
    let mut erase = libc::uinput_ff_erase { request_id: id, retval: 0, effect_id: 0 };
    // SAFETY: the request reads and writes one such structure, which lives through the call.
    check(unsafe { libc::ioctl(device.as_raw_fd(), UI_BEGIN_FF_ERASE, &raw mut erase) })?;
    erase.retval = 0;
    // SAFETY: the request reads one such structure, which lives through the call.
    check(unsafe { libc::ioctl(device.as_raw_fd(), UI_END_FF_ERASE, &raw const erase) })?;
    Ok(erase.effect_id)
}

/// The groups of the process at the other end, besides its primary one; none when the
/// kernel does not say. It kept them when the connection was made.
pub(crate) fn peer_groups(socket: BorrowedFd<'_>) -> Vec<u32> {
    let mut groups = vec![0_u32; 1_024];
    let mut len = libc::socklen_t::try_from(groups.len() * size_of::<u32>()).unwrap_or_default();
    // SAFETY: the kernel writes at most `len` bytes, which is the size of the buffer, and
    // then the number it wrote to `len`.
    let status = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERGROUPS,
            groups.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    groups.truncate(if status == 0 { len as usize / size_of::<u32>() } else { 0 });
    groups
}

/// The one socket that systemd hands over, as file descriptor 3.
pub(crate) fn activation_socket() -> Option<OwnedFd> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
    if number("LISTEN_PID") != Some(std::process::id()) || number("LISTEN_FDS") != Some(1) {
        return None;
    }
    // SAFETY: the service manager says with these variables that descriptor 3 is open and
    // ours; this is called once, before anything else is opened.
    Some(unsafe { OwnedFd::from_raw_fd(3) })
}
