//! What an encoder is given: pixels in somebody else's memory, and what changed.

pub use punktfunk_seat_ipc::Rect;

/// `rect` grown to even edges, because chroma has half the resolution, and cut to a
/// picture of `width` × `height` pixels. `None` when nothing is left.
pub(super) fn aligned(rect: Rect, width: u32, height: u32) -> Option<Rect> {
    let (left, top) = (rect.x & !1, rect.y & !1);
    let end = |start: u32, length: u32, limit: u32| {
        start.saturating_add(length).checked_next_multiple_of(2).map_or(limit, |end| end.min(limit))
    };
    let (right, bottom) = (end(rect.x, rect.width, width), end(rect.y, rect.height, height));
    let empty = rect.width == 0 || rect.height == 0 || left >= right || top >= bottom;
    (!empty).then(|| Rect { x: left, y: top, width: right - left, height: bottom - top })
}

/// A picture as the seat published it, four bytes a pixel in the order blue,
/// green, red, unused.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    /// The pixels: at least `stride × (height − 1) + 4 × width` bytes.
    pub bytes: &'a [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// What differs from the picture given before.
    pub damage: &'a [Rect],
    /// Everything may differ: `damage` is ignored.
    pub full: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn alignment_covers_the_rectangle_and_stays_inside(
            x: u32, y: u32, w: u32, h: u32, width in 1_u32..9000, height in 1_u32..9000,
        ) {
            let rect = Rect { x: x % 9000, y: y % 9000, width: w, height: h };
            for rect in [rect, Rect { x, y, width: w, height: h }] {
                let Some(aligned) = aligned(rect, width, height) else {
                    let outside = rect.x >= width || rect.y >= height;
                    prop_assert!(outside || rect.width == 0 || rect.height == 0);
                    continue;
                };
                prop_assert!(aligned.x % 2 == 0 && aligned.y % 2 == 0);
                prop_assert!(aligned.x + aligned.width <= width && aligned.y + aligned.height <= height);
                let right = rect.x.saturating_add(rect.width).min(width);
                prop_assert!(aligned.x <= rect.x && aligned.x + aligned.width >= right);
            }
        }
    }
}
