//! What is seen while Alt + Tab goes through the windows: a list of their titles.

use std::path::PathBuf;

use smithay::backend::renderer::element::memory::MemoryRenderBuffer;
use smithay::utils::{Logical, Point, Size};

use super::apps;
use super::draw::{ACCENT, INK, PANEL, monogram};
use crate::paint::{Fonts, Picture, mix};

// Lengths at 1280×720, in pixels.
const WIDTH: f32 = 520.0;
const PADDING: f32 = 14.0;
const ROW: f32 = 52.0;
const SHADOW: f32 = 24.0;
const RADIUS: f32 = 16.0;
const MAX_ROWS: usize = 9;

/// Draws the titles (each with the name of its application) and where they lie on an
/// output of this size. `chosen` is the index of the window that will be shown.
pub fn switcher(
    fonts: &Fonts,
    output: Size<i32, Logical>,
    windows: &[(String, String)],
    chosen: usize,
    folders: &[PathBuf],
) -> (MemoryRenderBuffer, Point<i32, Logical>) {
    let (ow, oh) = (output.w as f32, output.h as f32);
    let unit = (oh / 720.0).min(ow / 1280.0).max(0.55);
    let most = ((oh * 0.9 / unit - 2.0 * PADDING) / ROW).floor().max(1.0) as usize;
    let rows = windows.len().clamp(1, most.min(MAX_ROWS));
    let first = (chosen + 1).saturating_sub(rows);
    let (w, row) = ((WIDTH * unit).min(ow * 0.92), ROW * unit);
    let (h, margin) = (row * rows as f32 + 2.0 * PADDING * unit, SHADOW * unit);
    let mut picture = Picture::new((w + 2.0 * margin) as usize, (h + 2.0 * margin) as usize);
    let radius = RADIUS * unit;
    picture.shadow((margin, margin * 1.2, w, h), radius, margin * 0.75, 0.5);
    picture.rounded((margin, margin, w, h), radius, (mix(PANEL, INK, 0.16), 1.0));
    let line = unit.max(1.0);
    let inside = (margin + line, margin + line, w - 2.0 * line, h - 2.0 * line);
    picture.rounded(inside, radius - line, (PANEL, 1.0));
    let left = margin + PADDING * unit;
    let width = w - 2.0 * PADDING * unit;
    for (n, (title, app)) in windows.iter().enumerate().skip(first).take(rows) {
        let top = margin + PADDING * unit + row * (n - first) as f32;
        if n == chosen {
            let rect = (left, top + unit, width, row - 2.0 * unit);
            picture.rounded(rect, 11.0 * unit, (mix(PANEL, ACCENT, 0.62), 1.0));
        }
        let side = 32.0 * unit;
        let at = (left + 10.0 * unit, top + (row - side) / 2.0);
        match apps::icon(app, side as u32, folders) {
            Some(icon) => picture.image(&icon.pixels, (icon.width, icon.height), at, side),
            None => monogram(&mut picture, fonts, if app.is_empty() { title } else { app }, at, side),
        }
        let text_left = at.0 + side + 12.0 * unit;
        let size = 18.0 * unit;
        let text = fonts.fit(title, size, false, left + width - text_left - 10.0 * unit);
        let ink = if n == chosen { 0.98 } else { 0.75 };
        picture.text(fonts, &text, (text_left, top + row / 2.0 + 6.5 * unit), size, false, (INK, ink));
    }
    let at = ((ow - w) / 2.0 - margin, (oh - h) / 2.0 - margin);
    (picture.finish(false), Point::from((at.0 as i32, at.1 as i32)))
}
