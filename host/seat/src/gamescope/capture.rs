//! Receives the pictures of a PipeWire node, in the seat's own loop.
//!
//! They are copied by the processor, so shared memory is asked for first and a linear
//! DMA-BUF is taken where nothing else is offered. No buffer is held between two turns.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use pipewire as pw;
use punktfunk_seat_ipc::{MAX_SIDE, Rect};
use pw::properties::properties;
use pw::spa::buffer::meta::{MetaHeader, MetaHeaderFlags, MetaVideoDamage};
use pw::spa::buffer::{ChunkFlags, DataType};
use pw::spa::param::ParamType;
use pw::spa::param::format::FormatProperties;
use pw::spa::param::video::{VideoFormat, VideoInfoRaw};
use pw::spa::pod::Pod;
use pw::spa::utils::{Direction, Id};
use pw::stream::{StreamFlags, StreamListener, StreamRc, StreamState};
use rustix::event::{EventfdFlags, eventfd};

use super::offer;
use crate::platform::memory::{DmaBuf, read_at};

/// Why there are no pictures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// PipeWire refused.
    #[error("PipeWire does not take part: {0}")]
    PipeWire(#[from] pw::Error),
    /// A descriptor could not be had.
    #[error("watch PipeWire: {0}")]
    Io(#[from] io::Error),
}

/// What the producer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// What happened since the last turn, besides pictures.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// From now on pictures have this format.
    Format(Format),
    /// Pictures may come now.
    Streaming,
    /// Nothing follows.
    Over(String),
}

#[derive(Default)]
struct Shared {
    format: Cell<Option<Format>>,
    changes: RefCell<Vec<Change>>,
    /// Buffers came or went: what was mapped of them is not theirs any more.
    stale: Cell<bool>,
}

impl Shared {
    fn note(&self, change: Change) {
        self.changes.borrow_mut().push(change);
    }
}

/// A connection to one node.
pub struct Capture {
    // In the order in which they must go.
    _stream_events: StreamListener<()>,
    stream: StreamRc,
    _core_events: pw::core::Listener,
    main_loop: pw::main_loop::MainLoopRc,
    /// Written by PipeWire's own thread when a picture has come: between two turns nobody
    /// is in our loop, and it calls us from there.
    woken: Arc<OwnedFd>,
    shared: Rc<Shared>,
    maps: HashMap<RawFd, DmaBuf>,
    last_pts: i64,
}

/// One picture, in memory of the producer.
pub struct Picture<'a> {
    /// Its size.
    pub format: Format,
    /// `CLOCK_MONOTONIC` in nanoseconds, when the producer says so.
    pub pts: Option<u64>,
    /// What differs from the one before, when the producer says so.
    pub damage: Option<Vec<Rect>>,
    source: Source<'a>,
    offset: u64,
    stride: usize,
}

enum Source<'a> {
    File(RawFd),
    Mapped(&'a DmaBuf),
    Bytes(&'a [u8]),
}

impl Capture {
    /// Connects to `node` on the server at `remote`.
    pub fn start(remote: &Path, node: u32) -> Result<Self, CaptureError> {
        pw::init();
        let main_loop = pw::main_loop::MainLoopRc::new(None)?;
        let context = pw::context::ContextRc::new(&main_loop, None)?;
        let remote = remote.display().to_string();
        let core = context.connect_rc(Some(properties! { *pw::keys::REMOTE_NAME => remote.as_str() }))?;
        let shared = Rc::new(Shared::default());
        let core_events = core
            .add_listener_local()
            .error({
                let shared = Rc::clone(&shared);
                // Id 0 is the connection itself: nothing follows.
                move |id, _, _, message| {
                    if id == 0 {
                        shared.note(Change::Over(format!("PipeWire has ended: {message}")));
                    }
                }
            })
            .register();
        let stream = StreamRc::new(
            core,
            "punktfunk-capture",
            properties! {
                *pw::keys::MEDIA_TYPE => "Video",
                *pw::keys::MEDIA_CATEGORY => "Capture",
                *pw::keys::MEDIA_ROLE => "Screen",
                *pw::keys::NODE_NAME => "punktfunk-capture",
                *pw::keys::NODE_DONT_RECONNECT => "true",
            },
        )?;
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let woken = Arc::new(eventfd(0, flags).map_err(io::Error::from)?);
        let stream_events = listen(&stream, &shared, Arc::clone(&woken))?;
        let formats = [offer::format(false), offer::format(true)];
        let mut formats: Vec<&Pod> = formats.iter().filter_map(|bytes| Pod::from_bytes(bytes)).collect();
        stream.connect(Direction::Input, Some(node), StreamFlags::AUTOCONNECT, &mut formats)?;
        Ok(Self {
            _stream_events: stream_events,
            stream,
            _core_events: core_events,
            main_loop,
            woken,
            shared,
            maps: HashMap::new(),
            last_pts: -1,
        })
    }

    /// Descriptors of which one is readable when [`turn`](Self::turn) has something to do.
    pub fn watch(&self) -> Result<[OwnedFd; 2], CaptureError> {
        let own = self.main_loop.loop_().fd().try_clone_to_owned()?;
        Ok([own, self.woken.try_clone()?])
    }

    /// Does what is to be done, without waiting; what changed.
    pub fn turn(&mut self) -> Vec<Change> {
        // It says only that there is something.
        let _ = rustix::io::read(&*self.woken, &mut [0; 8]);
        let now = || pw::loop_::Timeout::Finite(std::time::Duration::ZERO);
        while self.main_loop.loop_().iterate(now()) > 0 {}
        if self.shared.stale.take() {
            self.maps.clear();
        }
        std::mem::take(&mut *self.shared.changes.borrow_mut())
    }

    /// Shows the newest picture to `look`, if one came since the last time.
    pub fn newest(&mut self, look: impl FnOnce(&Picture<'_>)) {
        let Some(format) = self.shared.format.get() else { return };
        let mut damage = Some(Vec::new());
        let mut found = None;
        while let Some(buffer) = self.stream.dequeue_buffer() {
            let header = buffer.find_meta::<MetaHeader>();
            let broken = header.is_some_and(|header| header.flags().contains(MetaHeaderFlags::CORRUPTED));
            let pts = header.map_or(-1, MetaHeader::pts);
            let changed = buffer.find_meta::<MetaVideoDamage>().map(regions);
            let duplicate = pts >= 0 && pts == self.last_pts && changed.as_ref().is_some_and(Vec::is_empty);
            if broken || duplicate {
                continue;
            }
            let mut buffer = buffer;
            if !is_picture(&mut buffer, format) {
                continue;
            }
            self.last_pts = pts;
            damage = damage.zip(changed).map(|(mut all, more)| {
                all.extend(more);
                all
            });
            // The one before goes back to the producer here.
            found = Some(buffer);
        }
        let Some(mut buffer) = found else { return };
        let pts = u64::try_from(self.last_pts).ok();
        let Some(data) = buffer.datas_mut().first_mut() else { return };
        let (chunk, kind, fd) = (data.chunk(), data.type_(), data.fd());
        let stride = stride(chunk.stride(), format);
        let (inner, outer) = (u64::from(chunk.offset()), u64::from(data.as_raw().mapoffset));
        let (source, offset) = match kind {
            DataType::DmaBuf => {
                let len = outer + inner + stride as u64 * u64::from(format.height);
                match mapped(&mut self.maps, fd, len) {
                    Ok(map) => (Source::Mapped(map), outer + inner),
                    Err(error) => {
                        tracing::warn!(%error, "a DMA-BUF could not be read");
                        return;
                    }
                }
            }
            DataType::MemFd => (Source::File(fd), outer + inner),
            _ => match data.data() {
                Some(bytes) => (Source::Bytes(bytes), inner),
                None => return,
            },
        };
        look(&Picture { format, pts, damage, source, offset, stride });
    }
}

impl Picture<'_> {
    /// Writes the picture into rows of `stride` bytes.
    pub fn copy(&self, into: &mut [u8], stride: usize) -> io::Result<()> {
        match &self.source {
            Source::File(fd) if self.stride == stride => {
                let len = stride * self.format.height as usize;
                let into = into.get_mut(..len).ok_or(io::ErrorKind::UnexpectedEof)?;
                read_at(*fd, into, self.offset)
            }
            Source::File(fd) => self.rows(into, stride, |row, at| read_at(*fd, row, at)),
            Source::Mapped(map) => map.read(|bytes| self.copy_bytes(bytes, into, stride)),
            Source::Bytes(bytes) => self.copy_bytes(bytes, into, stride),
        }
    }

    fn copy_bytes(&self, bytes: &[u8], into: &mut [u8], stride: usize) -> io::Result<()> {
        self.rows(into, stride, |row, at| {
            let start = usize::try_from(at).unwrap_or(usize::MAX);
            let end = start.saturating_add(row.len());
            row.copy_from_slice(bytes.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn rows(
        &self,
        into: &mut [u8],
        stride: usize,
        mut copy: impl FnMut(&mut [u8], u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let width = self.format.width as usize * 4;
        let rows = into.chunks_mut(stride.max(1)).take(self.format.height as usize);
        for (index, row) in rows.enumerate() {
            let row = row.get_mut(..width).ok_or(io::ErrorKind::UnexpectedEof)?;
            copy(row, self.offset + index as u64 * self.stride as u64)?;
        }
        Ok(())
    }
}

fn listen(
    stream: &StreamRc,
    shared: &Rc<Shared>,
    woken: Arc<OwnedFd>,
) -> Result<StreamListener<()>, pw::Error> {
    let (states, formats, gone, came) =
        (Rc::clone(shared), Rc::clone(shared), Rc::clone(shared), Rc::clone(shared));
    stream
        .add_local_listener_with_user_data(())
        .state_changed(move |_, (), old, new| {
            tracing::debug!(?old, ?new, "the capture");
            match new {
                StreamState::Streaming => states.note(Change::Streaming),
                StreamState::Error(error) => states.note(Change::Over(error)),
                StreamState::Unconnected if old != StreamState::Unconnected => {
                    states.note(Change::Over("the picture of gamescope is gone".to_owned()));
                }
                _ => {}
            }
        })
        .param_changed(move |stream, (), id, param| {
            if id != ParamType::Format.as_raw() {
                return;
            }
            let Some(param) = param else { return formats.format.set(None) };
            let Some((format, modifier)) = parse(param) else {
                return formats.note(Change::Over("gamescope sends an impossible picture".to_owned()));
            };
            let parts = offer::buffers(modifier);
            let mut parts: Vec<&Pod> = parts.iter().filter_map(|bytes| Pod::from_bytes(bytes)).collect();
            if let Err(error) = stream.update_params(&mut parts) {
                formats.note(Change::Over(format!("PipeWire refused the buffers: {error}")));
            }
            tracing::debug!(?format, modifier, "the capture has a format");
            formats.stale.set(true);
            if formats.format.replace(Some(format)) != Some(format) {
                formats.note(Change::Format(format));
            }
        })
        .process(move |_, ()| {
            // Fails only when it has been written already.
            let _ = rustix::io::write(&*woken, &1u64.to_ne_bytes());
        })
        .add_buffer(move |_, (), _| came.stale.set(true))
        .remove_buffer(move |_, (), _| gone.stale.set(true))
        .register()
}

/// The size, and whether it comes in DMA-BUFs.
fn parse(param: &Pod) -> Option<(Format, bool)> {
    let mut info = VideoInfoRaw::new();
    info.parse(param).ok()?;
    let size = info.size();
    let side = 1..=MAX_SIDE;
    let known =
        info.format() == VideoFormat::BGRx && side.contains(&size.width) && side.contains(&size.height);
    let modifier = param.as_object().ok()?.find_prop(Id(FormatProperties::VideoModifier.as_raw())).is_some();
    known.then_some((Format { width: size.width, height: size.height }, modifier))
}

/// Bytes from row to row. A producer that does not say leaves no gaps.
fn stride(said: i32, format: Format) -> usize {
    let least = format.width as usize * 4;
    usize::try_from(said)
        .ok()
        .filter(|said| *said >= least && *said <= 8 * MAX_SIDE as usize)
        .unwrap_or(least)
}

/// False when it holds no picture. What is in a DMA-BUF has the size of its picture, and
/// producers write anything as its size.
fn is_picture(buffer: &mut pw::buffer::Buffer<'_>, format: Format) -> bool {
    let Some(data) = buffer.datas_mut().first() else { return false };
    let chunk = data.chunk();
    if chunk.flags().contains(ChunkFlags::CORRUPTED) {
        return false;
    }
    let wanted =
        stride(chunk.stride(), format) as u64 * u64::from(format.height - 1) + u64::from(format.width) * 4;
    data.type_() == DataType::DmaBuf || u64::from(chunk.size()) >= wanted
}

fn regions(damage: &MetaVideoDamage) -> Vec<Rect> {
    let rect = |region: &pw::spa::buffer::meta::MetaRegion| {
        let (at, size) = (region.position(), region.size());
        let place = |at: i32| u32::try_from(at).unwrap_or(0);
        Rect { x: place(at.x), y: place(at.y), width: size.width, height: size.height }
    };
    damage.iter().take(punktfunk_seat_ipc::MAX_DAMAGE).map(rect).collect()
}

fn mapped(maps: &mut HashMap<RawFd, DmaBuf>, fd: RawFd, len: u64) -> io::Result<&DmaBuf> {
    let len = usize::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?;
    if maps.get(&fd).is_none_or(|map| map.len() < len) {
        maps.insert(fd, DmaBuf::map(fd, len)?);
    }
    maps.get(&fd).ok_or_else(|| io::ErrorKind::NotFound.into())
}
