//! What the launcher looks like: a panel with a field to type into and rows below it.
//! Each part is a picture of its own, drawn once: choosing another row only moves one.

use std::collections::HashMap;
use std::path::PathBuf;

use smithay::backend::renderer::element::memory::MemoryRenderBuffer;
use smithay::utils::{Logical, Point, Rectangle, Size};

use super::apps::{self, App};
use crate::paint::{Colour, Fonts, Picture, mix};

/// Of text.
pub const INK: Colour = [0.94, 0.95, 1.0];
/// Of panels.
pub const PANEL: Colour = [0.086, 0.094, 0.149];
const FIELD: Colour = [0.145, 0.157, 0.231];
/// Of what is chosen.
pub const ACCENT: Colour = [0.431, 0.361, 0.878];
/// More rows would make a list nobody overlooks.
const MAX_ROWS: usize = 7;
/// Pictures of rows that are kept.
const MAX_KEPT: usize = 128;

// Lengths at 1280×720, in pixels.
const WIDTH: f32 = 640.0;
const PADDING: f32 = 16.0;
const SEARCH: f32 = 54.0;
const GAP: f32 = 12.0;
const ROW: f32 = 62.0;
const FOOTER: f32 = 38.0;
const SHADOW: f32 = 28.0;
const RADIUS: f32 = 18.0;

/// Where the parts of the launcher are on an output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    /// The panel, without its shadow.
    pub panel: Rectangle<i32, Logical>,
    /// How many rows are seen at once, at least one.
    pub rows: usize,
    /// Pixels for each pixel of a 720p output.
    unit: f32,
}

impl Layout {
    /// For an output of this size.
    pub fn new(size: Size<i32, Logical>) -> Self {
        let (w, h) = (size.w as f32, size.h as f32);
        let unit = (h / 720.0).min(w / 1280.0).max(0.55);
        let rest = 2.0 * PADDING + SEARCH + GAP + FOOTER;
        let rows = (((h * 0.94 / unit - rest) / ROW).floor().max(1.0) as usize).min(MAX_ROWS);
        let width = (WIDTH * unit).min(w * 0.94).round();
        let height = ((rest + ROW * rows as f32) * unit).round();
        let at = (((w - width) / 2.0) as i32, ((h - height) / 2.0).max(0.0) as i32);
        Self { panel: Rectangle::new(at.into(), (width as i32, height as i32).into()), rows, unit }
    }

    fn length(&self, length: f32) -> i32 {
        (length * self.unit).round() as i32
    }

    /// The place of a row, counted from the first that is seen.
    pub fn row(&self, row: usize) -> Rectangle<i32, Logical> {
        let padding = self.length(PADDING);
        let top = self.panel.loc.y + self.length(PADDING + SEARCH + GAP + ROW * row as f32);
        let size = (self.panel.size.w - 2 * padding, self.length(ROW));
        Rectangle::new((self.panel.loc.x + padding, top).into(), size.into())
    }

    /// The row at a place.
    pub fn row_at(&self, at: Point<f64, Logical>) -> Option<usize> {
        (0..self.rows).find(|row| self.row(*row).to_f64().contains(at))
    }

    /// True when the place is on the panel.
    pub fn contains(&self, at: Point<f64, Logical>) -> bool {
        self.panel.to_f64().contains(at)
    }

    fn search(&self) -> Rectangle<i32, Logical> {
        let padding = self.length(PADDING);
        let size = (self.panel.size.w - 2 * padding, self.length(SEARCH));
        Rectangle::new(self.panel.loc + Point::from((padding, padding)), size.into())
    }
}

/// A picture and where it lies.
pub type Piece = (MemoryRenderBuffer, Point<i32, Logical>);

/// What is to be shown.
pub struct View<'a> {
    /// What was typed.
    pub query: &'a str,
    /// All applications.
    pub apps: &'a [App],
    /// Indices of those in the rows.
    pub seen: &'a [usize],
    /// The row that is chosen.
    pub selected: Option<usize>,
    /// How many were found above the first row.
    pub top: usize,
    /// How many were found.
    pub found: usize,
    /// Where icons may be.
    pub folders: &'a [PathBuf],
}

/// Pictures that were drawn for the present size of the output.
#[derive(Default)]
pub struct Skin {
    panel: Option<MemoryRenderBuffer>,
    highlight: Option<MemoryRenderBuffer>,
    search: Option<(String, usize, MemoryRenderBuffer)>,
    thumb: Option<(i32, MemoryRenderBuffer)>,
    rows: HashMap<usize, MemoryRenderBuffer>,
}

impl Skin {
    /// Everything, front to back.
    pub fn pieces(&mut self, fonts: &Fonts, layout: &Layout, view: &View<'_>) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if !self.search.as_ref().is_some_and(|(query, found, _)| query == view.query && *found == view.found)
        {
            self.search = Some((view.query.to_owned(), view.found, search(fonts, layout, view)));
        }
        pieces.extend(self.search.as_ref().map(|(_, _, picture)| (picture.clone(), layout.search().loc)));
        if self.rows.len() > MAX_KEPT {
            self.rows.clear();
        }
        for (row, index) in view.seen.iter().enumerate() {
            let Some(app) = view.apps.get(*index) else { continue };
            let picture =
                self.rows.entry(*index).or_insert_with(|| draw_row(fonts, layout, app, view.folders));
            pieces.push((picture.clone(), layout.row(row).loc));
        }
        if view.found > layout.rows {
            pieces.push(self.thumb(layout, view));
        }
        if let Some(row) = view.selected {
            let picture = self.highlight.get_or_insert_with(|| highlight(layout));
            pieces.push((picture.clone(), layout.row(row).loc));
        }
        let picture = self.panel.get_or_insert_with(|| panel(fonts, layout));
        let shadow = layout.length(SHADOW);
        pieces.push((picture.clone(), layout.panel.loc - Point::from((shadow, shadow))));
        pieces
    }

    /// The bar that tells which part of the list is seen.
    fn thumb(&mut self, layout: &Layout, view: &View<'_>) -> Piece {
        let (first, last) = (layout.row(0), layout.row(layout.rows - 1));
        let track = last.loc.y + last.size.h - first.loc.y;
        let share = |rows: usize| (i64::from(track) * rows as i64 / view.found.max(1) as i64) as i32;
        let (height, width) =
            (share(layout.rows).max(layout.length(24.0)).min(track), layout.length(4.0).max(2));
        if self.thumb.as_ref().is_none_or(|(drawn, _)| *drawn != height) {
            let mut picture = Picture::new(width as usize, height as usize);
            picture.rounded((0.0, 0.0, width as f32, height as f32), width as f32 / 2.0, (INK, 0.35));
            self.thumb = Some((height, picture.finish(false)));
        }
        let room = view.found - layout.rows;
        let top = i64::from(track - height) * view.top.min(room) as i64 / room.max(1) as i64;
        let x = layout.panel.loc.x + layout.panel.size.w - (layout.length(PADDING) + width) / 2;
        let picture = self.thumb.as_ref().map(|(_, picture)| picture.clone()).unwrap_or_default();
        (picture, Point::from((x, first.loc.y + top as i32)))
    }
}

fn picture(size: Size<i32, Logical>) -> Picture {
    Picture::new(size.w.max(1) as usize, size.h.max(1) as usize)
}

/// The panel with its shadow and the empty field.
fn panel(fonts: &Fonts, layout: &Layout) -> MemoryRenderBuffer {
    let (unit, size) = (layout.unit, layout.panel.size);
    let margin = layout.length(SHADOW);
    let mut picture = picture(size + Size::from((2 * margin, 2 * margin)));
    let (m, w, h) = (margin as f32, size.w as f32, size.h as f32);
    picture.shadow((m, m + 0.25 * m, w, h), RADIUS * unit, m * 0.75, 0.5);
    let radius = RADIUS * unit;
    picture.rounded((m, m, w, h), radius, (mix(PANEL, INK, 0.16), 1.0));
    let line = unit.max(1.0);
    picture.rounded((m + line, m + line, w - 2.0 * line, h - 2.0 * line), radius - line, (PANEL, 1.0));
    let field = layout.search();
    let at = (field.loc - layout.panel.loc).to_f64();
    let rect = (at.x as f32 + m, at.y as f32 + m, field.size.w as f32, field.size.h as f32);
    picture.rounded(rect, 12.0 * unit, (FIELD, 1.0));
    // A magnifying glass.
    let (cx, cy, r) = (rect.0 + 27.0 * unit, rect.1 + rect.3 / 2.0 - 1.5 * unit, 7.0 * unit);
    picture.ring((cx, cy), r, 2.2 * unit, (INK, 0.7));
    picture.stroke((cx + r * 0.72, cy + r * 0.72), (cx + r * 1.6, cy + r * 1.6), 2.4 * unit, (INK, 0.7));
    let hint = "Arrows choose   ·   Enter starts   ·   Escape closes";
    let text = 13.5 * unit;
    let hint = fonts.fit(hint, text, false, w * 0.9);
    let left = m + (w - fonts.width(&hint, text, false)) / 2.0;
    picture.text(fonts, &hint, (left, m + h - 18.0 * unit), text, false, (INK, 0.5));
    picture.finish(false)
}

fn highlight(layout: &Layout) -> MemoryRenderBuffer {
    let size = layout.row(0).size;
    let (w, h, unit) = (size.w as f32, size.h as f32, layout.unit);
    let mut picture = picture(size);
    let inset = 2.0 * unit;
    picture.rounded((0.0, inset, w, h - 2.0 * inset), 12.0 * unit, (mix(PANEL, ACCENT, 0.62), 1.0));
    picture.finish(false)
}

/// What was typed with a caret, and how much was found.
fn search(fonts: &Fonts, layout: &Layout, view: &View<'_>) -> MemoryRenderBuffer {
    let size = layout.search().size;
    let (w, h, unit) = (size.w as f32, size.h as f32, layout.unit);
    let mut picture = picture(size);
    let count = match view.found {
        0 => "nothing found".to_owned(),
        1 => "1 application".to_owned(),
        found => format!("{found} applications"),
    };
    let small = 14.0 * unit;
    let width = fonts.width(&count, small, false);
    let baseline = h / 2.0 + 7.0 * unit;
    picture.text(fonts, &count, (w - width - 18.0 * unit, baseline - 1.5 * unit), small, false, (INK, 0.5));
    let (left, text) = (50.0 * unit, 20.0 * unit);
    let room = w - left - width - 40.0 * unit;
    // The end of what was typed is what one looks at.
    let mut tail = view.query;
    while fonts.width(tail, text, false) > room {
        let Some(first) = tail.chars().next() else { break };
        tail = &tail[first.len_utf8()..];
    }
    let caret = left + fonts.width(tail, text, false) + 1.5 * unit;
    if view.query.is_empty() {
        let prompt = fonts.fit("Type to search", text, false, room);
        picture.text(fonts, &prompt, (left + 7.0 * unit, baseline), text, false, (INK, 0.42));
    }
    picture.text(fonts, tail, (left, baseline), text, false, (INK, 0.97));
    let caret_width = (2.0 * unit).max(1.5);
    picture.rounded(
        (caret, h / 2.0 - 12.0 * unit, caret_width, 24.0 * unit),
        1.0,
        (mix(ACCENT, INK, 0.4), 1.0),
    );
    picture.finish(false)
}

fn draw_row(fonts: &Fonts, layout: &Layout, app: &App, folders: &[PathBuf]) -> MemoryRenderBuffer {
    let size = layout.row(0).size;
    let (w, h, unit) = (size.w as f32, size.h as f32, layout.unit);
    let mut picture = picture(size);
    let side = 40.0 * unit;
    let at = (12.0 * unit, (h - side) / 2.0);
    match apps::icon(&app.entry.icon, side as u32, folders) {
        Some(icon) => picture.image(&icon.pixels, (icon.width, icon.height), at, side),
        None => monogram(&mut picture, fonts, &app.entry.name, at, side),
    }
    let left = at.0 + side + 14.0 * unit;
    let room = w - left - 14.0 * unit;
    let about = app.entry.about.lines().next().unwrap_or_default();
    let (name, small) = (19.0 * unit, 14.0 * unit);
    let baseline = if about.is_empty() { h / 2.0 + 6.5 * unit } else { h / 2.0 - 2.5 * unit };
    let text = fonts.fit(&app.entry.name, name, false, room);
    picture.text(fonts, &text, (left, baseline), name, false, (INK, 0.97));
    let text = fonts.fit(about, small, false, room);
    picture.text(fonts, &text, (left, h / 2.0 + 17.5 * unit), small, false, (INK, 0.58));
    picture.finish(false)
}

/// The first letter on a tile, for applications without an icon we can read.
pub fn monogram(picture: &mut Picture, fonts: &Fonts, name: &str, at: (f32, f32), side: f32) {
    const TILES: [Colour; 7] = [
        [0.365, 0.478, 0.878],
        [0.235, 0.588, 0.553],
        [0.780, 0.420, 0.320],
        [0.592, 0.404, 0.820],
        [0.357, 0.592, 0.329],
        [0.784, 0.353, 0.533],
        [0.686, 0.541, 0.247],
    ];
    let sum = name.bytes().fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    let tile = TILES.get(sum % TILES.len()).copied().unwrap_or(ACCENT);
    picture.rounded((at.0, at.1, side, side), side * 0.26, (tile, 1.0));
    let letter: String =
        name.chars().find(|c| c.is_alphanumeric()).into_iter().flat_map(char::to_uppercase).collect();
    let size = side * 0.62;
    let left = at.0 + (side - fonts.width(&letter, size, true)) / 2.0;
    picture.text(fonts, &letter, (left, at.1 + side * 0.71), size, true, ([1.0; 3], 0.95));
}
