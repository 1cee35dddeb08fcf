//! Memory of pictures that this process did not draw: a frame buffer to copy into, and
//! what a compositor hands over by descriptor.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::ptr::NonNull;

use punktfunk_seat_ipc::seat::Buffer;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// `DMA_BUF_IOCTL_SYNC`, of `linux/dma-buf.h`.
const SYNC: libc::c_ulong = 0x4008_6200;
const SYNC_READ: u64 = 1;
const SYNC_END: u64 = 4;

/// The bytes of a frame buffer, to write.
pub fn bytes_mut(buffer: &mut Buffer) -> &mut [u8] {
    let len = buffer.bytes().len();
    // SAFETY: the mapping is `len` bytes long and lives as long as the buffer, which is
    // borrowed exclusively; the host only reads, and by the protocol not while we write.
    unsafe { std::slice::from_raw_parts_mut(buffer.as_ptr(), len) }
}

/// Reads all of `into` from `offset` of a file. A file that is too short is an error, and
/// never a fault as it would be with a mapping: nothing seals it.
pub fn read_at(fd: RawFd, mut into: &mut [u8], mut offset: u64) -> io::Result<()> {
    let file = borrow(fd)?;
    while !into.is_empty() {
        let read = match rustix::io::pread(file, &mut *into, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        into = into.split_at_mut(read).1;
        offset += read as u64;
    }
    Ok(())
}

/// A linear DMA-BUF, mapped to be read.
#[derive(Debug)]
pub struct DmaBuf {
    start: NonNull<libc::c_void>,
    len: usize,
    file: std::os::fd::OwnedFd,
}

impl DmaBuf {
    /// Maps the first `len` bytes, which it must have.
    pub fn map(fd: RawFd, len: usize) -> io::Result<Self> {
        let file = borrow(fd)?.try_clone_to_owned()?;
        let size = rustix::fs::seek(&file, rustix::fs::SeekFrom::End(0))?;
        if size < len as u64 || len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // SAFETY: a fresh mapping at an address the kernel chooses aliases no Rust object.
        let start = unsafe { mmap(std::ptr::null_mut(), len, ProtFlags::READ, MapFlags::SHARED, &file, 0) }?;
        let start = NonNull::new(start).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, len, file })
    }

    /// Bytes that are mapped.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Shows the bytes to `look`, between the two calls that make the device's writes seen.
    pub fn read<T>(&self, look: impl FnOnce(&[u8]) -> T) -> T {
        self.sync(SYNC_READ);
        // SAFETY: the mapping is `len` bytes long and lives as long as `self`. A DMA-BUF never
        // changes its size. Its owner does not draw into it while we hold it; were it to, the
        // bytes would change but never be out of bounds.
        let seen = look(unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.len) });
        self.sync(SYNC_READ | SYNC_END);
        seen
    }

    fn sync(&self, flags: u64) {
        use std::os::fd::AsRawFd;
        // SAFETY: the call reads one 64 bit number, which lives across it. What is no DMA-BUF
        // says that it does not know the call, and needs none.
        let done = unsafe { libc::ioctl(self.file.as_raw_fd(), SYNC, &raw const flags) };
        if done != 0 {
            let error = io::Error::last_os_error();
            tracing::trace!(%error, "a buffer was not synchronized");
        }
    }
}

impl Drop for DmaBuf {
    fn drop(&mut self) {
        // SAFETY: start and length are those of the mapping, and nothing borrows it any more.
        let _ = unsafe { munmap(self.start.as_ptr(), self.len) };
    }
}

fn borrow<'a>(fd: RawFd) -> io::Result<BorrowedFd<'a>> {
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: it is no `-1`. Callers pass the descriptor of a buffer that they hold, and use
    // it within the call; one that was closed meanwhile gives an error of the kernel.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsRawFd;

    #[test]
    fn what_is_too_short_is_an_error_and_no_fault() {
        let fd = rustix::fs::memfd_create("a test", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let mut file = std::fs::File::from(fd);
        file.write_all(&[7; 100]).unwrap();
        let mut into = [0; 60];
        read_at(file.as_raw_fd(), &mut into, 40).unwrap();
        assert_eq!(into, [7; 60]);
        assert!(read_at(file.as_raw_fd(), &mut into, 41).is_err());
        assert!(read_at(-1, &mut into, 0).is_err());
        assert!(DmaBuf::map(file.as_raw_fd(), 101).is_err());
        assert!(DmaBuf::map(-1, 1).is_err());
        let map = DmaBuf::map(file.as_raw_fd(), 100).unwrap();
        assert_eq!((map.len(), map.read(|bytes| bytes.iter().all(|byte| *byte == 7))), (100, true));
    }
}
