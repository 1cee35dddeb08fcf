//! A pixman image over a frame buffer, so that the renderer draws straight into the
//! memory that the host reads.

use punktfunk_seat_ipc::seat::Buffer;
use smithay::reexports::pixman::{CreateFailed, FormatCode, Image};

/// A frame buffer and the image over it.
pub struct Canvas {
    // Declared first: it is dropped before the memory it points to.
    image: Image<'static, 'static>,
    _buffer: Buffer,
}

impl Canvas {
    /// Takes `buffer`, which must hold `height` rows of `stride` bytes.
    pub fn new(buffer: Buffer, width: usize, height: usize, stride: usize) -> Result<Self, CreateFailed> {
        let fits = stride.checked_mul(height).is_some_and(|len| len <= buffer.bytes().len());
        if !fits || width * 4 > stride || !stride.is_multiple_of(4) {
            return Err(CreateFailed);
        }
        // SAFETY: the mapping holds `stride * height` bytes, is page aligned, and is kept by
        // `_buffer`, which outlives the image; the address of a mapping does not change when
        // `Buffer` moves.
        let image = unsafe {
            Image::from_raw_mut(FormatCode::X8R8G8B8, width, height, buffer.as_ptr().cast(), stride, false)
        }?;
        Ok(Self { image, _buffer: buffer })
    }

    /// The image to draw on.
    pub fn image(&mut self) -> &mut Image<'static, 'static> {
        &mut self.image
    }
}
