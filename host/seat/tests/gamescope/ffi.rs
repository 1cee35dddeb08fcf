//! What a producer of pictures does with raw buffers, for the stand-in.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use pipewire as pw;
use pw::spa::sys as spa;
use pw::stream::Stream;

/// The memory behind each buffer.
pub type Memory = HashMap<usize, File>;

/// How a picture is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Good,
    CorruptHeader,
    CorruptChunk,
    Empty,
}

/// Gives a new buffer memory of `len` bytes.
pub fn add(memory: &mut Memory, buffer: *mut pw::sys::pw_buffer, len: usize, dma_buf: bool) {
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    let file = File::from(rustix::fs::memfd_create("stand-in", flags).unwrap());
    file.set_len(len as u64).unwrap();
    // SAFETY: PipeWire gives a valid buffer to this callback, with as many datas as were
    // asked for, which is one.
    unsafe {
        let data = &mut *(*(*buffer).buffer).datas;
        data.type_ = if dma_buf { spa::SPA_DATA_DmaBuf } else { spa::SPA_DATA_MemFd };
        data.flags = spa::SPA_DATA_FLAG_READABLE;
        data.fd = file.as_raw_fd().into();
        data.mapoffset = 0;
        data.maxsize = if dma_buf { 0 } else { u32::try_from(len).unwrap() };
        data.data = std::ptr::null_mut();
    }
    memory.insert(buffer as usize, file);
}

/// A buffer goes.
pub fn remove(memory: &mut Memory, buffer: *mut pw::sys::pw_buffer) {
    memory.remove(&(buffer as usize));
}

/// Sends `rows` of `stride` bytes in the next free buffer; false when there is none.
pub fn send(stream: &Stream, memory: &Memory, rows: &[u8], stride: usize, kind: Kind, dma_buf: bool) -> bool {
    // SAFETY: a buffer that was dequeued is valid until it is queued again, which is done
    // at the end; its one data has a chunk.
    unsafe {
        let buffer = stream.dequeue_raw_buffer();
        if buffer.is_null() {
            return false;
        }
        let inner = (*buffer).buffer;
        let header =
            spa::spa_buffer_find_meta_data(inner, spa::SPA_META_Header, size_of::<spa::spa_meta_header>());
        let header: *mut spa::spa_meta_header = header.cast();
        assert!(!header.is_null(), "a header was agreed on");
        (*header).pts = -1;
        (*header).flags = if kind == Kind::CorruptHeader { spa::SPA_META_HEADER_FLAG_CORRUPTED } else { 0 };
        let chunk = &mut *(*(*inner).datas).chunk;
        chunk.offset = 0;
        chunk.stride = i32::try_from(stride).unwrap();
        // What producers write here for a DMA-BUF means nothing.
        chunk.size = if kind == Kind::Empty || dma_buf { 0 } else { u32::try_from(rows.len()).unwrap() };
        chunk.flags = if kind == Kind::CorruptChunk { 1 } else { 0 };
        memory[&(buffer as usize)].write_all_at(rows, 0).unwrap();
        stream.queue_raw_buffer(buffer);
    }
    true
}
