//! The buffers frames are drawn into, and which of them the host is reading.

use punktfunk_seat_ipc::seat::{Buffer, Connection, buffers};
use punktfunk_seat_ipc::{LinkError, MAX_DAMAGE, Mode, Pool, Rect, bounding_box};
use smithay::utils::{Physical, Rectangle};

use crate::platform::pixels::Canvas;

/// One being drawn, one in the host's slot, one being encoded, and one that is free.
const BUFFERS: u8 = 4;

struct Slot {
    canvas: Canvas,
    held: bool,
    /// The count of drawn frames when this one was drawn; `None`: never.
    drawn: Option<u64>,
}

/// The pool of one output size and one connection.
pub struct Frames {
    layout: Pool,
    slots: Vec<Slot>,
    /// Frames drawn into this pool.
    count: u64,
}

impl Frames {
    /// Makes the buffers for `mode` and, when a host is connected, sends them.
    pub fn new(mode: Mode, generation: u32, host: Option<&Connection>) -> Result<Self, LinkError> {
        let stride = (mode.width * 4).next_multiple_of(64);
        let layout = Pool { generation, width: mode.width, height: mode.height, stride, buffers: BUFFERS };
        let memory = buffers(&layout)?;
        if let Some(host) = host {
            host.send_pool(layout, &memory)?;
        }
        let slot = |buffer: Buffer| {
            let canvas = Canvas::new(buffer, mode.width as usize, mode.height as usize, stride as usize)
                .map_err(|_| LinkError::Protocol("a buffer that cannot be drawn on"))?;
            Ok(Slot { canvas, held: false, drawn: None })
        };
        Ok(Self { layout, slots: memory.into_iter().map(slot).collect::<Result<_, LinkError>>()?, count: 0 })
    }

    /// Counts up with each pool.
    pub fn generation(&self) -> u32 {
        self.layout.generation
    }

    /// A free buffer with its age for the damage tracker (0: unknown), the one drawn
    /// last if possible, so that little has to be redrawn.
    pub fn free(&mut self) -> Option<(usize, usize, &mut Canvas)> {
        let count = self.count;
        let (index, slot) = self
            .slots
            .iter_mut()
            .enumerate()
            .filter(|(_, slot)| !slot.held)
            .max_by_key(|(_, slot)| slot.drawn)?;
        let age = slot.drawn.map_or(0, |drawn| usize::try_from(count - drawn + 1).unwrap_or(0));
        Some((index, age, &mut slot.canvas))
    }

    /// Buffer `index` was drawn and the host holds it from now on.
    pub fn publish(&mut self, index: usize) {
        self.count += 1;
        if let Some(slot) = self.slots.get_mut(index) {
            slot.held = true;
            slot.drawn = Some(self.count);
        }
    }

    /// The content of buffer `index` is not what the damage tracker thinks.
    pub fn spoil(&mut self, index: usize) {
        if let Some(slot) = self.slots.get_mut(index) {
            slot.held = false;
            slot.drawn = None;
        }
    }

    /// The host gave a buffer back. True when it was the only free one.
    pub fn release(&mut self, generation: u32, buffer: u8) -> bool {
        let none_free = self.slots.iter().all(|slot| slot.held);
        if generation == self.layout.generation
            && let Some(slot) = self.slots.get_mut(usize::from(buffer))
        {
            slot.held = false;
        }
        none_free
    }
}

/// The damage of smithay as rectangles of the message, clipped to the picture.
pub fn to_rects(damage: &[Rectangle<i32, Physical>], mode: Mode) -> Vec<Rect> {
    let whole = Rectangle::from_size((mode.width.cast_signed(), mode.height.cast_signed()).into());
    let rect = |r: Rectangle<i32, Physical>| Rect {
        x: r.loc.x.cast_unsigned(),
        y: r.loc.y.cast_unsigned(),
        width: r.size.w.cast_unsigned(),
        height: r.size.h.cast_unsigned(),
    };
    let rects: Vec<_> =
        damage.iter().filter_map(|r| r.intersection(whole)).filter(|r| !r.is_empty()).map(rect).collect();
    if rects.len() <= MAX_DAMAGE { rects } else { bounding_box(&rects).into_iter().collect() }
}
