//! How a picture lies in a screen of another size: as large as it fits, with its sides in
//! their proportion, in the middle, and black bars around it.
//!
//! A gamescope that runs already keeps its own size, and one of ours keeps it under an
//! application; the stream has the client's. The filter is a cubic one (Catmull-Rom), wide
//! enough that nothing is left out where the picture becomes smaller.

use punktfunk_core::input::Event;
use punktfunk_seat_ipc::Rect;

/// Bytes of a pixel, and its numbers while it is worked on.
const PIXEL: usize = 4;
type Pixel = [f32; PIXEL];
/// Added to a number from 0 to 255, it leaves the nearest whole one in the lowest byte.
const ROUND: f32 = 8_388_608.0;

/// Pictures of one size on screens of one size.
pub struct Fit {
    source: (u32, u32),
    target: (u32, u32),
    /// Where the picture lies on the screen.
    inside: Rect,
    /// What it takes to change the size; none where it stays.
    scale: Option<Scale>,
}

struct Scale {
    /// The picture as it came, without gaps.
    picture: Vec<u8>,
    /// There is one.
    is_there: bool,
    columns: Taps,
    rows: Taps,
    /// A row of the picture.
    source: Vec<Pixel>,
    /// Rows of the picture that have the right width, each with its number.
    ready: Vec<(Option<usize>, Vec<Pixel>)>,
    /// A row of the screen.
    sum: Vec<Pixel>,
}

/// What pixels of a screen's row or column are made of: of so many of the picture, from the
/// first on, with these weights.
struct Taps {
    count: usize,
    first: Vec<usize>,
    weights: Vec<f32>,
}

impl Fit {
    /// For pictures of the size `source` on a screen of the size `target`, both above zero.
    pub fn new(source: (u32, u32), target: (u32, u32)) -> Self {
        let inside = inside(source, target);
        let scale = (source != target).then(|| {
            let (width, height) = (source.0 as usize, source.1 as usize);
            let (columns, rows) = (taps(source.0, inside.width), taps(source.1, inside.height));
            let row = || vec![[0.0; PIXEL]; inside.width as usize];
            Scale {
                picture: vec![0; width * height * PIXEL],
                is_there: false,
                source: vec![[0.0; PIXEL]; width],
                ready: (0..rows.count).map(|_| (None, row())).collect(),
                sum: row(),
                columns,
                rows,
            }
        });
        Self { source, target, inside, scale }
    }

    /// Width and height of the picture.
    pub fn source(&self) -> (u32, u32) {
        self.source
    }

    /// The picture is the screen.
    pub fn is_exact(&self) -> bool {
        self.scale.is_none()
    }

    /// The picture as it came and the length of its rows; none where it is the screen's.
    pub fn original(&self) -> Option<(&[u8], usize)> {
        let scale = self.scale.as_ref().filter(|scale| scale.is_there)?;
        Some((&scale.picture, self.source.0 as usize * PIXEL))
    }

    /// Lets `copy` write the picture, with the length of a row; false when it says that
    /// there is none. Only where the size changes.
    pub fn take(&mut self, copy: impl FnOnce(&mut [u8], usize) -> bool) -> bool {
        let Some(scale) = &mut self.scale else { return false };
        let is_new = copy(&mut scale.picture, self.source.0 as usize * PIXEL);
        scale.is_there |= is_new;
        is_new
    }

    /// Draws what was taken on a screen with rows of `stride` bytes. The bars are left as
    /// they are.
    pub fn draw(&mut self, screen: &mut [u8], stride: usize) {
        let inside = self.inside;
        let Some(scale) = &mut self.scale else { return };
        let left = inside.x as usize * PIXEL;
        scale.ready.iter_mut().for_each(|(number, _)| *number = None);
        let lines = screen.chunks_mut(stride.max(1)).skip(inside.y as usize);
        for (index, line) in (0..inside.height as usize).zip(lines) {
            scale.line(index);
            let Some(line) = line.get_mut(left..) else { continue };
            for (byte, value) in line.iter_mut().zip(scale.sum.as_flattened()) {
                *byte = (value.clamp(0.0, 255.0) + ROUND).to_bits() as u8;
            }
        }
    }

    /// What a client does at a place of the screen, at that place of the picture; on a bar
    /// at its edge.
    pub fn event(&self, mut event: Event) -> Event {
        if self.is_exact() {
            return event;
        }
        let at = match &mut event {
            Event::PointerPosition { x, y } => Some((x, y)),
            Event::Touch(touch) => Some((&mut touch.x, &mut touch.y)),
            Event::Pen(pen) => Some((&mut pen.x, &mut pen.y)),
            _ => None,
        };
        if let Some((x, y)) = at {
            *x = along(*x, self.target.0, self.inside.x, self.inside.width);
            *y = along(*y, self.target.1, self.inside.y, self.inside.height);
        }
        event
    }
}

fn along(share: f64, side: u32, start: u32, inside: u32) -> f64 {
    ((share * f64::from(side) - f64::from(start)) / f64::from(inside)).clamp(0.0, 1.0)
}

/// The largest place for it in the middle of the screen.
fn inside((width, height): (u32, u32), (wide, high): (u32, u32)) -> Rect {
    let (width, height) = (u64::from(width.max(1)), u64::from(height.max(1)));
    let part = |side: u64, of: u64, other: u32| {
        let scaled = (side * u64::from(other) + of / 2) / of;
        u32::try_from(scaled).unwrap_or(u32::MAX).max(1)
    };
    let (width, height) = if u64::from(wide) * height <= u64::from(high) * width {
        (wide, part(height, width, wide).min(high))
    } else {
        (part(width, height, high).min(wide), high)
    };
    Rect { x: (wide - width) / 2, y: (high - height) / 2, width, height }
}

impl Scale {
    /// Makes a row of the screen.
    fn line(&mut self, index: usize) {
        let (first, weights) = self.rows.of(index);
        self.sum.fill([0.0; PIXEL]);
        for (number, weight) in (first..).zip(weights) {
            // Each row is made once, for all those that need it follow each other.
            let place = number % self.ready.len().max(1);
            let Some((known, row)) = self.ready.get_mut(place) else { continue };
            if *known != Some(number) {
                *known = Some(number);
                let bytes = self.picture.chunks_exact(self.source.len() * PIXEL).nth(number);
                let pixels = bytes.unwrap_or_default().as_chunks::<PIXEL>().0;
                for (pixel, bytes) in self.source.iter_mut().zip(pixels) {
                    *pixel = bytes.map(f32::from);
                }
                across(&self.columns, &self.source, row);
            }
            for (sum, value) in self.sum.as_flattened_mut().iter_mut().zip(row.as_flattened()) {
                *sum += weight * *value;
            }
        }
    }
}

impl Taps {
    /// The first pixel, and the weights from there on.
    fn of(&self, index: usize) -> (usize, &[f32]) {
        let weights = self.weights.chunks_exact(self.count).nth(index).unwrap_or_default();
        (self.first.get(index).copied().unwrap_or(0), weights)
    }
}

/// What each of `to` pixels is made of among `from`.
fn taps(from: u32, to: u32) -> Taps {
    let scale = f64::from(from) / f64::from(to);
    let wide = scale.max(1.0);
    let last = i64::from(from) - 1;
    let count = ((4.0 * wide).ceil() as i64).min(last + 1);
    let mut taps = Taps { count: count as usize, first: Vec::new(), weights: Vec::new() };
    for index in 0..to {
        let centre = (f64::from(index) + 0.5) * scale - 0.5;
        let begin = (centre - 2.0 * wide).floor() as i64 + 1;
        let first = begin.clamp(0, last + 1 - count);
        let mut shares = vec![0.0; taps.count];
        for at in begin..begin + (4.0 * wide).ceil() as i64 {
            // Beyond its edge the picture goes on as it is there.
            let place = usize::try_from(at.clamp(0, last) - first).unwrap_or(0);
            if let Some(share) = shares.get_mut(place) {
                *share += cubic((at as f64 - centre) / wide);
            }
        }
        let sum: f64 = shares.iter().sum();
        taps.first.push(first as usize);
        taps.weights.extend(shares.iter().map(|share| (share / sum) as f32));
    }
    taps
}

/// The Catmull-Rom spline.
fn cubic(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    } else {
        0.0
    }
}

/// Gives a row its width.
fn across(columns: &Taps, row: &[Pixel], into: &mut [Pixel]) {
    let weights = columns.weights.chunks_exact(columns.count);
    for ((first, weights), pixel) in columns.first.iter().zip(weights).zip(into) {
        let from = row.get(*first..).unwrap_or_default();
        *pixel = match (weights, from) {
            // So many they are wherever the picture becomes larger.
            ([a, b, c, d], [w, x, y, z, ..]) => {
                std::array::from_fn(|i| a * w[i] + b * x[i] + (c * y[i] + d * z[i]))
            }
            _ => weights
                .iter()
                .zip(from)
                .fold([0.0; PIXEL], |sum, (weight, from)| std::array::from_fn(|i| sum[i] + weight * from[i])),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drawn(source: (u32, u32), target: (u32, u32), colour: impl Fn(u32, u32) -> [u8; 4]) -> Vec<[u8; 4]> {
        let mut fit = Fit::new(source, target);
        assert!(fit.take(|rows, stride| {
            for (y, row) in rows.chunks_mut(stride).enumerate() {
                for (x, pixel) in row.chunks_mut(4).enumerate() {
                    pixel.copy_from_slice(&colour(x as u32, y as u32));
                }
            }
            true
        }));
        let stride = (target.0 as usize * 4).next_multiple_of(64);
        let mut screen = vec![0; stride * target.1 as usize];
        fit.draw(&mut screen, stride);
        let rows = screen.chunks(stride).flat_map(|row| row[..target.0 as usize * 4].chunks(4));
        rows.map(|pixel| pixel.try_into().unwrap()).collect()
    }

    #[test]
    fn a_picture_keeps_its_proportion_between_its_bars() {
        let rect = |x, y, width, height| Rect { x, y, width, height };
        assert_eq!(inside((1280, 800), (1920, 1080)), rect(96, 0, 1728, 1080));
        assert_eq!(inside((1920, 1080), (1280, 800)), rect(0, 40, 1280, 720));
        assert_eq!(inside((640, 360), (1920, 1080)), rect(0, 0, 1920, 1080));
        assert_eq!(inside((10_000, 1), (16, 16)), rect(0, 7, 16, 1));
        let colour = [0x30, 0x20, 0x10, 0];
        let screen = drawn((32, 20), (64, 64), |_, _| colour);
        for (index, pixel) in screen.iter().enumerate() {
            let bar = !(12..52).contains(&(index / 64));
            assert_eq!(*pixel, if bar { [0; 4] } else { colour }, "{index}");
        }
    }

    #[test]
    fn edges_stay_where_they_are_and_sharp() {
        // Black on the left half, white on the right one, twice as large.
        let screen = drawn((32, 32), (64, 64), |x, _| [if x < 16 { 0 } else { 255 }; 4]);
        let row = &screen[64 * 20..64 * 21];
        assert!(row[..30].iter().all(|pixel| *pixel == [0; 4]), "{row:?}");
        assert!(row[34..].iter().all(|pixel| *pixel == [255; 4]), "{row:?}");
        assert!(row[31][0] < 100 && row[32][0] > 155, "{row:?}");
        // Lines of one pixel become grey where the picture is half as large, not stripes.
        let screen = drawn((64, 64), (32, 32), |_, y| [if y % 2 == 0 { 0 } else { 254 }; 4]);
        let middle = &screen[32 * 8..32 * 24];
        assert!(middle.iter().all(|pixel| (107..=147).contains(&pixel[0])), "{:?}", &middle[..32]);
    }

    #[test]
    fn a_place_on_the_screen_is_that_place_of_the_picture() {
        let fit = Fit::new((1280, 800), (1920, 1080));
        let place = |x: f64, y: f64| {
            let Event::PointerPosition { x, y } = fit.event(Event::PointerPosition { x, y }) else {
                panic!()
            };
            ((x * 1280.0).round(), (y * 800.0).round())
        };
        assert_eq!(place(0.5, 0.5), (640.0, 400.0));
        assert_eq!(place(96.0 / 1920.0, 0.0), (0.0, 0.0));
        assert_eq!(place(0.0, 1.0), (0.0, 800.0), "on the left bar");
        assert_eq!(place(1.0, 0.25), (1280.0, 200.0), "on the right bar");
        assert_eq!(place((96.0 + 27.0) / 1920.0, 54.0 / 1080.0), (20.0, 40.0));
        let exact = Fit::new((1280, 800), (1280, 800));
        let event = Event::PointerPosition { x: 0.125, y: 1.5 };
        assert!(exact.is_exact() && exact.event(event) == event);
        assert_eq!(
            fit.event(Event::PointerMotion { dx: 3.0, dy: 4.0 }),
            Event::PointerMotion { dx: 3.0, dy: 4.0 }
        );
    }

    #[test]
    fn what_came_is_kept_for_another_screen() {
        let mut fit = Fit::new((2, 1), (4, 4));
        assert!(fit.original().is_none());
        assert!(!fit.take(|_, _| false) && fit.original().is_none());
        assert!(fit.take(|rows, _| {
            rows.fill(7);
            true
        }));
        assert_eq!(fit.original(), Some((&[7; 8][..], 8)));
        assert!(!Fit::new((2, 1), (2, 1)).take(|_, _| panic!("there is nothing to change")));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_size_fits_every_screen_and_a_plain_picture_stays_plain(
            source in (1_u32..70, 1_u32..70), target in (1_u32..70, 1_u32..70), value: u8,
        ) {
            let place = inside(source, target);
            prop_assert!(place.x + place.width <= target.0 && place.y + place.height <= target.1);
            prop_assert!(place.width == target.0 || place.height == target.1);
            let taps = taps(source.0, place.width);
            prop_assert_eq!(taps.first.len(), place.width as usize);
            for index in 0..taps.first.len() {
                let (first, weights) = taps.of(index);
                prop_assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
                prop_assert!(first + weights.len() <= source.0 as usize);
            }
            if source != target {
                let screen = drawn(source, target, |_, _| [value; 4]);
                let centre = (place.y + place.height / 2) * target.0 + place.x + place.width / 2;
                prop_assert_eq!(screen[centre as usize], [value; 4]);
            }
        }
    }
}
