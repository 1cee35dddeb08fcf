//! The buffers that pictures are copied into, and which of them the host is reading.
//!
//! A compositor that draws only when something changes sends its last picture once: so
//! the newest one is kept, for a host that comes later or has no buffer free now.

use punktfunk_seat_ipc::seat::{Buffer, Connection, buffers};
use punktfunk_seat_ipc::{FrameNotice, LinkError, Pool, Rect, ToHost, merge_damage};

use crate::platform::memory::bytes_mut;

/// One being copied into, one in the host's slot, one being encoded, the newest, and one
/// that is free.
const BUFFERS: u8 = 5;

/// The pool of one size and one connection.
pub struct Sheets {
    layout: Pool,
    slots: Vec<Buffer>,
    held: Vec<bool>,
    /// The newest picture.
    newest: Option<usize>,
    /// The host has not got it.
    unsent: bool,
    /// What changed since the host last got one.
    damage: Vec<Rect>,
    /// When it was made, in microseconds.
    timestamp_us: u64,
}

impl Sheets {
    /// Makes buffers for pictures of this size.
    pub fn new(width: u32, height: u32, generation: u32) -> Result<Self, LinkError> {
        let stride = (width * 4).next_multiple_of(64);
        let layout = Pool { generation, width, height, stride, buffers: BUFFERS };
        let slots = buffers(&layout)?;
        let held = vec![false; slots.len()];
        Ok(Self { layout, slots, held, newest: None, unsent: false, damage: Vec::new(), timestamp_us: 0 })
    }

    /// Buffers of the same size with the same picture, for another host.
    pub fn renewed(&self, generation: u32) -> Result<Self, LinkError> {
        let mut new = Self::new(self.layout.width, self.layout.height, generation)?;
        let old = self.newest.and_then(|newest| self.slots.get(newest));
        if let (Some(old), Some(first)) = (old, new.slots.first_mut()) {
            bytes_mut(first).copy_from_slice(old.bytes());
            (new.newest, new.unsent, new.timestamp_us) = (Some(0), true, self.timestamp_us);
            new.damage = vec![new.whole()];
        }
        Ok(new)
    }

    /// Width and height.
    pub fn size(&self) -> (u32, u32) {
        (self.layout.width, self.layout.height)
    }

    /// Tells the host of these buffers.
    pub fn introduce(&self, host: &Connection) -> Result<(), LinkError> {
        host.send_pool(self.layout, &self.slots)
    }

    /// Lets `copy` write a picture, with the length of a row. `damage`: what differs from
    /// the one before, `None` when nobody knows. False when no buffer is free, or `copy`
    /// says that there is no picture.
    pub fn draw(
        &mut self,
        timestamp_us: u64,
        damage: Option<&[Rect]>,
        copy: impl FnOnce(&mut [u8], usize) -> bool,
    ) -> bool {
        let newest = self.newest;
        let free = |index: &usize| self.held.get(*index) == Some(&false);
        // The newest one stays while another is free: if this copy fails it is shown on.
        let other = (0..self.slots.len()).filter(|index| newest != Some(*index)).find(free);
        let Some(index) = other.or(newest.filter(free)) else { return false };
        let Some(slot) = self.slots.get_mut(index) else { return false };
        if !copy(bytes_mut(slot), self.layout.stride as usize) {
            return false;
        }
        match damage {
            Some(damage) if self.newest.is_some() => merge_damage(&mut self.damage, damage),
            _ => self.damage = vec![self.whole()],
        }
        (self.newest, self.unsent, self.timestamp_us) = (Some(index), true, timestamp_us);
        true
    }

    /// Sends the newest picture, unless the host has it. True when it was sent.
    pub fn publish(&mut self, host: &Connection, sequence: u64) -> Result<bool, LinkError> {
        let Some(index) = self.newest.filter(|_| self.unsent) else { return Ok(false) };
        let Ok(buffer) = u8::try_from(index) else { return Ok(false) };
        let (generation, timestamp_us) = (self.layout.generation, self.timestamp_us);
        let damage = std::mem::take(&mut self.damage);
        self.unsent = false;
        if let Some(held) = self.held.get_mut(index) {
            *held = true;
        }
        host.send(&ToHost::Frame(FrameNotice { generation, buffer, sequence, timestamp_us, damage }))?;
        Ok(true)
    }

    /// The host gave a buffer back. True when it was the only free one.
    pub fn release(&mut self, generation: u32, buffer: u8) -> bool {
        let none_free = self.held.iter().all(|held| *held);
        if generation == self.layout.generation
            && let Some(held) = self.held.get_mut(usize::from(buffer))
        {
            *held = false;
        }
        none_free
    }

    /// True when a picture can be drawn.
    pub fn has_room(&self) -> bool {
        self.held.iter().any(|held| !held)
    }

    fn whole(&self) -> Rect {
        Rect { x: 0, y: 0, width: self.layout.width, height: self.layout.height }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_host_gets_the_newest_picture() {
        let mut sheets = Sheets::new(3, 2, 1).unwrap();
        assert!(sheets.draw(5, None, |bytes, stride| {
            assert_eq!((stride, bytes.len()), (64, 128));
            bytes.fill(9);
            true
        }));
        assert!(!sheets.draw(6, None, |bytes, _| {
            bytes.fill(1);
            false
        }));
        let new = sheets.renewed(2).unwrap();
        assert_eq!((new.newest, new.unsent, new.timestamp_us, new.layout.generation), (Some(0), true, 5, 2));
        assert!(new.slots[0].bytes().iter().all(|byte| *byte == 9));
    }

    #[test]
    fn what_the_host_holds_is_not_written() {
        let mut sheets = Sheets::new(3, 2, 1).unwrap();
        sheets.held = vec![true; 5];
        assert!(!sheets.has_room() && !sheets.draw(1, None, |_, _| panic!("it is held")));
        assert!(!sheets.release(7, 3) || !sheets.has_room(), "of another pool");
        assert!(sheets.release(1, 3) && sheets.draw(1, None, |_, _| true));
        assert_eq!(sheets.newest, Some(3));
        sheets.held = vec![false, true, true, false, true];
        assert!(sheets.draw(2, None, |_, _| true));
        assert_eq!(sheets.newest, Some(0), "the newest is spared");
    }
}
