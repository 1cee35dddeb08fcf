//! What is behind every window, and the title bars of windows that have none.

use smithay::backend::renderer::element::memory::MemoryRenderBuffer;
use smithay::utils::{Logical, Point, Rectangle, Size};

use crate::paint::{Colour, Fonts, Picture, mix};

const TOP: Colour = [0.105, 0.098, 0.196];
const MIDDLE: Colour = [0.078, 0.137, 0.267];
const BOTTOM: Colour = [0.043, 0.231, 0.278];
const GLOW: Colour = [0.498, 0.322, 0.741];
const INK: Colour = [0.94, 0.95, 1.0];

/// Height of a title bar, pixels.
pub const BAR: i32 = 30;
/// Half the side of the square that closes a window, pixels.
const CROSS: f32 = 4.5;

/// A gradient with a line or two of text. `title` stands large above `hints`.
pub fn backdrop(
    fonts: &Fonts,
    (width, height): (u32, u32),
    title: &str,
    hints: &[&str],
    button: bool,
) -> MemoryRenderBuffer {
    let mut picture = Picture::new(width as usize, height as usize);
    let (w, h) = (width as f32, height as f32);
    picture.fill(|x, y| {
        let t = (y / h * 0.85 + x / w * 0.15).clamp(0.0, 1.0);
        let base = if t < 0.5 { mix(TOP, MIDDLE, t * 2.0) } else { mix(MIDDLE, BOTTOM, t * 2.0 - 1.0) };
        let far = ((x / w - 0.78) * 1.2).hypot((y / h - 0.12) * 0.9);
        let glow = (1.0 - far / 0.75).clamp(0.0, 1.0);
        let colour = mix(base, GLOW, glow * glow * 0.42);
        // Ordered dither of one step, so that no bands show.
        let step = BAYER[(y as usize) & 3][(x as usize) & 3] / 16.0 - 0.5;
        (colour.map(|c| (c + step / 255.0).clamp(0.0, 1.0)), 1.0)
    });
    let unit = (h / 720.0).min(w / 1280.0).max(0.55);
    let mut line = |text: &str, baseline: f32, size: f32, bold: bool, alpha: f32| {
        // A line that is too wide gets smaller.
        let size = size * (w * 0.92 / fonts.width(text, size, bold).max(1.0)).min(1.0);
        let left = (w - fonts.width(text, size, bold)) / 2.0;
        picture.text(fonts, text, (left, baseline), size, bold, (INK, alpha));
    };
    line(title, h * 0.45, 46.0 * unit, true, 0.92);
    for (n, hint) in hints.iter().enumerate() {
        line(hint, h * 0.45 + (44.0 + 28.0 * n as f32) * unit, 18.0 * unit, false, 0.68);
    }
    if button {
        draw_button(&mut picture, fonts, unit, (width.cast_signed(), height.cast_signed()).into());
    }
    picture.finish(true)
}

/// The button that opens the launcher, on an output of this size.
fn button(size: Size<i32, Logical>) -> Rectangle<i32, Logical> {
    let (w, h) = (size.w as f32, size.h as f32);
    let unit = (h / 720.0).min(w / 1280.0).max(0.55);
    let (width, height) = ((172.0 * unit) as i32, (44.0 * unit) as i32);
    let at = ((size.w - width) / 2, size.h - height - (22.0 * unit) as i32);
    Rectangle::new(at.into(), (width, height).into())
}

/// True when this place is on the button that opens the launcher.
pub fn on_button(size: Size<i32, Logical>, at: Point<f64, Logical>) -> bool {
    button(size).to_f64().contains(at)
}

fn draw_button(picture: &mut Picture, fonts: &Fonts, unit: f32, size: Size<i32, Logical>) {
    let rect = button(size);
    let (x, y) = (rect.loc.x as f32, rect.loc.y as f32);
    let (w, h) = (rect.size.w as f32, rect.size.h as f32);
    picture.rounded((x, y, w, h), h / 2.0, (INK, 0.13));
    // Nine dots, for what is installed.
    let (left, top, step) = (x + 22.0 * unit, y + h / 2.0 - 8.0 * unit, 6.0 * unit);
    for n in 0..9 {
        let at = (left + step * (n % 3) as f32, top + step * (n / 3) as f32);
        picture.rounded((at.0, at.1, 4.0 * unit, 4.0 * unit), 2.0 * unit, (INK, 0.85));
    }
    let baseline = y + h / 2.0 + 5.5 * unit;
    picture.text(fonts, "Applications", (x + 52.0 * unit, baseline), 16.5 * unit, false, (INK, 0.9));
}

const BAYER: [[f32; 4]; 4] =
    [[0.0, 8.0, 2.0, 10.0], [12.0, 4.0, 14.0, 6.0], [3.0, 11.0, 1.0, 9.0], [15.0, 7.0, 13.0, 5.0]];

/// The bar above a window: its title in the middle, a cross at the right end.
pub fn title_bar(fonts: &Fonts, width: i32, title: &str, active: bool, hover: bool) -> MemoryRenderBuffer {
    const RADIUS: f32 = 8.0;
    let width = width.max(1);
    let mut picture = Picture::new(width as usize, BAR as usize);
    let w = width as f32;
    let (top, bottom) = if active {
        ([0.243, 0.255, 0.32], [0.196, 0.208, 0.263])
    } else {
        ([0.180, 0.188, 0.231], [0.157, 0.165, 0.204])
    };
    picture.fill(|x, y| {
        let corner = (RADIUS - x).max(x - (w - RADIUS)).max(0.0);
        let far = corner.hypot((RADIUS - y).max(0.0));
        let light = if y < 1.0 { 0.07 } else { 0.0 };
        let colour = mix(top, bottom, y / BAR as f32).map(|c| c + light);
        (colour, if corner > 0.0 { (RADIUS + 0.5 - far).clamp(0.0, 1.0) } else { 1.0 })
    });
    let (size, ink) = (15.0, if active { 0.95 } else { 0.55 });
    let room = w - 2.0 * BAR as f32 - 12.0;
    let text = fonts.fit(title, size, false, room);
    let left = ((w - fonts.width(&text, size, false)) / 2.0).round();
    picture.text(fonts, &text, (left, 20.0), size, false, (INK, ink));
    let (cx, cy) = (w - BAR as f32 / 2.0 - 2.0, BAR as f32 / 2.0);
    picture.fill(|x, y| {
        let (dx, dy) = (x - cx, y - cy);
        let disc = (10.5 - dx.hypot(dy)).clamp(0.0, 1.0);
        ([0.80, 0.27, 0.32], if hover { disc } else { 0.0 })
    });
    picture.fill(|x, y| {
        let (dx, dy) = (x - cx, y - cy);
        let inside = dx.abs().max(dy.abs()) <= CROSS + 0.5;
        let line = (dx.abs() - dy.abs()).abs() / std::f32::consts::SQRT_2;
        (INK, if inside { (1.25 - line).clamp(0.0, 1.0) * ink } else { 0.0 })
    });
    picture.finish(false)
}

/// True when `x` (from the left end of a bar of that width) is on the cross.
pub fn on_cross(x: f64, width: i32) -> bool {
    x >= f64::from(width - BAR - 2)
}
