//! What a game does with an event node (`linux/input.h`).
#![expect(unsafe_code, reason = "these system calls take pointers")]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd as _, BorrowedFd};

const WRITE: u32 = 1;
const READ: u32 = 2;

const fn request(direction: u32, number: u32, size: usize) -> libc::Ioctl {
    ((direction << 30) | ((size as u32) << 16) | (0x45 << 8) | number) as libc::Ioctl
}

fn check(status: libc::c_int) -> io::Result<libc::c_int> {
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(status) }
}

/// `EVIOCGNAME` (6), `EVIOCGPHYS` (7), or `EVIOCGBIT` (0x20 and the type).
pub fn bytes<const N: usize>(node: BorrowedFd<'_>, number: u32) -> io::Result<[u8; N]> {
    let mut buffer = [0_u8; N];
    // SAFETY: the kernel writes at most N bytes, as the request says, and the buffer has them.
    check(unsafe { libc::ioctl(node.as_raw_fd(), request(READ, number, N), buffer.as_mut_ptr()) })?;
    Ok(buffer)
}

/// `EVIOCGABS`: minimum, maximum, fuzz, flat.
pub fn axis(node: BorrowedFd<'_>, code: u16) -> io::Result<[i32; 4]> {
    let mut info = libc::input_absinfo { value: 0, minimum: 0, maximum: 0, fuzz: 0, flat: 0, resolution: 0 };
    let number = request(READ, 0x40 + u32::from(code), size_of::<libc::input_absinfo>());
    // SAFETY: the kernel writes one such structure, which lives through the call.
    check(unsafe { libc::ioctl(node.as_raw_fd(), number, &raw mut info) })?;
    Ok([info.minimum, info.maximum, info.fuzz, info.flat])
}

/// `EVIOCSFF`: stores an effect of rumble; its number.
pub fn upload(node: BorrowedFd<'_>, strong: u16, weak: u16, length: u16) -> io::Result<i16> {
    let first = u64::from(strong) | u64::from(weak) << 16;
    let mut effect = libc::ff_effect {
        type_: 0x50,
        id: -1,
        direction: 0,
        trigger: libc::ff_trigger { button: 0, interval: 0 },
        replay: libc::ff_replay { length, delay: 0 },
        u: [first, 0, 0, 0],
    };
    let number = request(WRITE, 0x80, size_of::<libc::ff_effect>());
    // SAFETY: the kernel reads one such structure and writes its number into it.
    check(unsafe { libc::ioctl(node.as_raw_fd(), number, &raw mut effect) })?;
    Ok(effect.id)
}

/// `EVIOCRMFF`: takes an effect away.
pub fn erase(node: BorrowedFd<'_>, id: i16) -> io::Result<()> {
    let number = request(WRITE, 0x81, size_of::<libc::c_int>());
    // SAFETY: the request takes a number, no pointer.
    check(unsafe { libc::ioctl(node.as_raw_fd(), number, libc::c_int::from(id)) }).map(drop)
}
