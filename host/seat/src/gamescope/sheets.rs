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

    /// The newest picture and the length of its rows.
    pub fn newest(&self) -> Option<(&[u8], usize)> {
        let newest = self.newest.and_then(|newest| self.slots.get(newest))?;
        Some((newest.bytes(), self.layout.stride as usize))
    }

    /// The host shall have the newest picture once more, whole. It may hold that one still:
    /// then it gets a copy.
    pub fn again(&mut self) {
        let Some(newest) = self.newest else { return };
        if self.held.get(newest) == Some(&true) {
            let free = (0..self.slots.len()).find(|index| self.held.get(*index) == Some(&false));
            // With none free the host has pictures enough, and another follows.
            let Some(free) = free else { return };
            let Ok([from, to]) = self.slots.get_disjoint_mut([newest, free]) else { return };
            bytes_mut(to).copy_from_slice(from.bytes());
            self.newest = Some(free);
        }
        self.unsent = true;
        self.damage = vec![self.whole()];
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
    fn a_host_that_asks_gets_the_newest_picture_again() {
        let mut sheets = Sheets::new(3, 2, 1).unwrap();
        sheets.again();
        assert!(!sheets.unsent && sheets.newest().is_none(), "there is none");
        let fill = |sheets: &mut Sheets| {
            sheets.draw(5, None, |bytes, _| {
                bytes.fill(9);
                true
            })
        };
        assert!(fill(&mut sheets));
        (sheets.unsent, sheets.damage) = (false, Vec::new());
        sheets.again();
        assert_eq!((sheets.newest, sheets.unsent, sheets.damage.len()), (Some(0), true, 1));
        (sheets.unsent, sheets.held[0], sheets.held[1]) = (false, true, true);
        sheets.again();
        assert_eq!((sheets.newest, sheets.unsent), (Some(2), true), "what the host holds is not sent twice");
        assert!(sheets.newest().unwrap().0.iter().all(|byte| *byte == 9));
        (sheets.unsent, sheets.held) = (false, vec![true; 5]);
        sheets.again();
        assert!(!sheets.unsent);
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
