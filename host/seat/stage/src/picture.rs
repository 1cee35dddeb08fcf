//! Looking at frames.

use std::path::Path;

use punktfunk_seat_ipc::host::Frame;

/// Red, green and blue of a place.
pub fn pixel(frame: &Frame, x: u32, y: u32) -> [u8; 3] {
    let at = y as usize * frame.stride() + x as usize * 4;
    let bytes = frame.bytes();
    [bytes[at + 2], bytes[at + 1], bytes[at]]
}

/// How many pixels of the frame have this colour.
pub fn count(frame: &Frame, colour: [u8; 3]) -> usize {
    let all = (0..frame.height()).flat_map(|y| (0..frame.width()).map(move |x| (x, y)));
    all.filter(|(x, y)| pixel(frame, *x, *y) == colour).count()
}

/// Writes the frame where `PUNKTFUNK_PICTURES` says, for people to look at.
pub fn save(frame: &Frame, name: &str) {
    let Some(directory) = std::env::var_os("PUNKTFUNK_PICTURES") else { return };
    let file = std::fs::File::create(Path::new(&directory).join(name)).unwrap();
    let mut encoder = png::Encoder::new(file, frame.width(), frame.height());
    encoder.set_color(png::ColorType::Rgb);
    let rgb: Vec<u8> =
        (0..frame.height()).flat_map(|y| (0..frame.width()).flat_map(move |x| pixel(frame, x, y))).collect();
    encoder.write_header().unwrap().write_image_data(&rgb).unwrap();
}
