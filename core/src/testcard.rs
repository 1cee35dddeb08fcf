//! The Test card: a picture that says which frame it is.
//!
//! A frame number and a timestamp are drawn as 16 × 8 black and white cells into
//! a fixed fraction of the picture ([`code_area`]), so that a reader finds them
//! after any scaling of the whole picture and after lossy coding. The seat's Test
//! card draws the code, `punktfunk-probe` reads it out of decoded pictures.
//!
//! The 8 rows of 16 bits are, most significant bit first and left to right: a
//! fixed mark (which holds both colours), the frame number, the timestamp, and a
//! CRC-16 of the other two.

/// Cells in a row.
const COLUMNS: usize = 16;
/// Rows of cells.
const ROWS: usize = 8;
/// The picture is this many cells wide and high.
const CELLS_PER_SIDE: usize = 40;
/// Where the code begins, in cells from the left.
const LEFT: usize = 2;
/// Where the code begins, in cells from the top.
const TOP: usize = 30;
/// The first row: says that this is a code, and holds as much black as white.
const MARK: u16 = 0xA5C3;
/// Least difference between the darkest and the brightest cell of a code.
const MIN_CONTRAST: u32 = 64;
/// Black border around the code, in cells.
const QUIET: usize = 1;

/// Hertz of the Test card's tone on each channel of a surround sink, in the order
/// FL FR C LFE BL BR SL SR: all different, whole periods in 50 ms, the LFE low enough
/// for a subwoofer. Stereo has the first on both channels.
pub const TONES: [u32; 8] = [1_000, 1_200, 800, 100, 600, 1_500, 400, 1_800];

/// Hertz of the Test card's tone on `channel` of `channels`; 0 for a channel that
/// there is not.
pub fn tone(channel: usize, channels: usize) -> u32 {
    let place = if channels > 2 { channel } else { 0 };
    TONES.get(place).copied().filter(|_| channel < channels).unwrap_or(0)
}

/// What the Test card writes into each of its pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// Counts the pictures drawn, from 0.
    pub frame: u32,
    /// When it was drawn, microseconds on the drawing machine's monotonic clock.
    pub micros: u64,
}

/// A rectangle of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// Pixels from the left.
    pub x: usize,
    /// Pixels from the top.
    pub y: usize,
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
}

/// The part of a `width` × `height` picture that [`draw_code`] changes: the code
/// and the black border around it.
pub const fn code_area(width: usize, height: usize) -> Area {
    let (x, right) = (edge(LEFT - QUIET, width), edge(LEFT + COLUMNS + QUIET, width));
    let (y, bottom) = (edge(TOP - QUIET, height), edge(TOP + ROWS + QUIET, height));
    Area { x, y, width: right - x, height: bottom - y }
}

/// Draws `code` into a picture of `width` × `height` pixels of four bytes (BGRx),
/// rows `stride` bytes apart. Rows that `pixels` is too short for are left out.
pub fn draw_code(pixels: &mut [u8], stride: usize, width: usize, height: usize, code: Code) {
    let bits = rows_of(code);
    let mut line = Vec::new();
    let area = code_area(width, height);
    let mut drawn = None;
    for y in area.y..area.y + area.height {
        let row = cell_at(y, height, TOP, ROWS);
        if drawn != Some(row) {
            line.clear();
            for x in area.x..area.x + area.width {
                let column = cell_at(x, width, LEFT, COLUMNS);
                let white = match (row, column) {
                    (Some(row), Some(column)) => bits[row] >> (COLUMNS - 1 - column) & 1 == 1,
                    _ => false,
                };
                line.extend_from_slice(if white { &[255; 4] } else { &[0, 0, 0, 255] });
            }
            drawn = Some(row);
        }
        let start = y * stride + area.x * 4;
        if let Some(target) = pixels.get_mut(start..start + line.len()) {
            target.copy_from_slice(&line);
        }
    }
}

/// Reads the code out of the luma plane of a `width` × `height` picture, rows
/// `stride` bytes apart. `None` when there is none, or when it is damaged.
pub fn read_code(luma: &[u8], stride: usize, width: usize, height: usize) -> Option<Code> {
    let mut brightness = [[0_u32; COLUMNS]; ROWS];
    for (row, line) in brightness.iter_mut().enumerate() {
        let (top, bottom) = inner(TOP + row, height)?;
        for (column, cell) in line.iter_mut().enumerate() {
            let (left, right) = inner(LEFT + column, width)?;
            let mut sum = 0_u32;
            for y in top..bottom {
                let start = y.checked_mul(stride)?.checked_add(left)?;
                let samples = luma.get(start..start.checked_add(right - left)?)?;
                sum = sum.checked_add(samples.iter().map(|&s| u32::from(s)).sum::<u32>())?;
            }
            *cell = sum / u32::try_from((bottom - top) * (right - left)).ok()?;
        }
    }
    let all = brightness.as_flattened();
    let (dark, bright) = (*all.iter().min()?, *all.iter().max()?);
    if bright - dark < MIN_CONTRAST {
        return None;
    }
    let middle = (dark + bright) / 2;
    let rows = brightness.map(|line| line.iter().fold(0, |row, &cell| row << 1 | u16::from(cell > middle)));
    code_of(rows)
}

/// The pixel at which cell `index` of a side of `length` pixels begins.
const fn edge(index: usize, length: usize) -> usize {
    index * length / CELLS_PER_SIDE
}

/// Which of the `count` cells after `first` holds pixel `position`.
fn cell_at(position: usize, length: usize, first: usize, count: usize) -> Option<usize> {
    (0..count).find(|&cell| (edge(first + cell, length)..edge(first + cell + 1, length)).contains(&position))
}

/// The middle half of a cell: its edges are blurred by coding and scaling.
fn inner(cell: usize, length: usize) -> Option<(usize, usize)> {
    let (start, end) = (edge(cell, length), edge(cell + 1, length));
    let margin = (end - start) / 4;
    let (start, end) = (start + margin, end - margin);
    (start < end).then_some((start, end))
}

fn rows_of(code: Code) -> [u16; ROWS] {
    let mut rows = [MARK, 0, 0, 0, 0, 0, 0, 0];
    let bytes = bytes_of(code);
    for (row, pair) in rows[1..].iter_mut().zip(bytes.as_chunks::<2>().0) {
        *row = u16::from_be_bytes(*pair);
    }
    rows[ROWS - 1] = crc16(&bytes);
    rows
}

fn code_of(rows: [u16; ROWS]) -> Option<Code> {
    let [mark, frame_high, frame_low, t3, t2, t1, t0, checksum] = rows;
    let join = |parts: &[u16]| parts.iter().fold(0_u64, |value, &part| value << 16 | u64::from(part));
    let code =
        Code { frame: u32::try_from(join(&[frame_high, frame_low])).ok()?, micros: join(&[t3, t2, t1, t0]) };
    (mark == MARK && checksum == crc16(&bytes_of(code))).then_some(code)
}

fn bytes_of(code: Code) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&code.frame.to_be_bytes());
    bytes[4..].copy_from_slice(&code.micros.to_be_bytes());
    bytes
}

/// CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xFFFF.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, &byte| {
        (0..8).fold(
            crc ^ u16::from(byte) << 8,
            |crc: u16, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The luma of a picture with `code`, with a grey ground.
    fn luma(width: usize, height: usize, code: Code) -> Vec<u8> {
        let mut pixels = vec![90; width * height * 4];
        draw_code(&mut pixels, width * 4, width, height, code);
        pixels.chunks_exact(4).map(|pixel| pixel[0]).collect()
    }

    #[test]
    fn the_checksum_is_the_well_known_one() {
        assert_eq!(crc16(b"123456789"), 0x29B1);
    }

    #[test]
    fn only_the_announced_area_changes() {
        let (width, height) = (333, 201);
        let area = code_area(width, height);
        for (index, sample) in luma(width, height, Code { frame: 1, micros: 2 }).into_iter().enumerate() {
            let (x, y) = (index % width, index / width);
            let inside =
                (area.x..area.x + area.width).contains(&x) && (area.y..area.y + area.height).contains(&y);
            assert_eq!(inside, sample != 90, "at {x}, {y}");
        }
    }

    #[test]
    fn a_picture_without_a_code_has_none() {
        for sample in [0, 90, 255] {
            assert_eq!(read_code(&vec![sample; 640 * 360], 640, 640, 360), None);
        }
    }

    #[test]
    fn a_damaged_cell_is_noticed() {
        let (width, height) = (640, 360);
        let mut plane = luma(width, height, Code { frame: 77, micros: 1_234_567 });
        for y in edge(TOP + 3, height)..edge(TOP + 4, height) {
            for x in edge(LEFT + 5, width)..edge(LEFT + 6, width) {
                plane[y * width + x] = 255 - plane[y * width + x];
            }
        }
        assert_eq!(read_code(&plane, width, width, height), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_drawn_is_read(
            frame: u32, micros: u64, width in 120_usize..900, height in 120_usize..700,
        ) {
            let code = Code { frame, micros };
            prop_assert_eq!(read_code(&luma(width, height, code), width, width, height), Some(code));
        }

        #[test]
        fn noise_and_low_contrast_are_survived(
            frame: u32, micros: u64, seed: u32, dark in 0_u16..60, bright in 150_u16..256,
        ) {
            let (width, height) = (640, 360);
            let code = Code { frame, micros };
            let mut state = seed | 1;
            let plane: Vec<u8> = luma(width, height, code).into_iter().map(|sample| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                let level = i32::from(dark + (bright - dark) * u16::from(sample) / 255);
                let noisy = level + i32::try_from(state % 61).unwrap_or(0) - 30;
                u8::try_from(noisy.clamp(0, 255)).unwrap_or(0)
            }).collect();
            prop_assert_eq!(read_code(&plane, width, width, height), Some(code));
        }

        #[test]
        fn scaling_is_survived(
            frame: u32, micros: u64, width in 400_usize..1400, height in 300_usize..900,
        ) {
            let (from_width, from_height) = (1280, 720);
            let code = Code { frame, micros };
            let source = luma(from_width, from_height, code);
            let mut plane = Vec::with_capacity(width * height);
            for y in 0..height {
                let row = &source[y * from_height / height * from_width..];
                plane.extend((0..width).map(|x| row[x * from_width / width]));
            }
            prop_assert_eq!(read_code(&plane, width, width, height), Some(code));
        }

        #[test]
        fn any_plane_and_any_size_are_harmless(
            plane: Vec<u8>, stride in 0_usize..300, width in 0_usize..300, height in 0_usize..300,
        ) {
            let _ = read_code(&plane, stride, width, height);
            let mut pixels = plane;
            draw_code(&mut pixels, stride, width, height, Code::default());
        }
    }
}
