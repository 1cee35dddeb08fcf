//! A text of the owner on the screen: a small panel at the top, above everything, for some
//! seconds. It is only drawn: pointer, keys and windows know nothing of it.

use smithay::backend::renderer::element::memory::MemoryRenderBuffer;
use smithay::utils::{Logical, Point, Size};

use crate::launcher::Piece;
use crate::paint::{Colour, Fonts, Picture, mix};
use crate::seat::State;

/// How long it is seen, nanoseconds.
const SHOWN: u64 = 6_000_000_000;
/// Lines of it at most; what does not fit is cut.
const LINES: usize = 4;

const INK: Colour = [0.94, 0.95, 1.0];
const PANEL: Colour = [0.086, 0.094, 0.149];

// Lengths at 1280×720, in pixels.
const TOP: f32 = 24.0;
const TEXT: f32 = 18.0;
const LINE: f32 = 25.0;
const PADDING: f32 = 18.0;
const RADIUS: f32 = 14.0;
const WIDTH: f32 = 560.0;

/// The text that is seen now.
#[derive(Default)]
pub struct Banner {
    text: String,
    /// When it goes.
    until: Option<u64>,
    /// Drawn for this width of the output.
    drawn: Option<(i32, MemoryRenderBuffer, i32)>,
}

impl Banner {
    /// When it goes, if it is there.
    pub fn due(&self) -> Option<u64> {
        self.until
    }

    /// The picture of it, if it is there.
    pub fn piece(&mut self, fonts: &Fonts, size: Size<i32, Logical>) -> Option<Piece> {
        self.until?;
        if self.drawn.as_ref().is_none_or(|(width, ..)| *width != size.w) {
            let (picture, width) = draw(fonts, size, &self.text);
            self.drawn = Some((size.w, picture, width));
        }
        let (_, picture, width) = self.drawn.as_ref()?;
        Some((picture.clone(), Point::from(((size.w - width) / 2, (TOP * unit(size)) as i32))))
    }
}

impl State {
    /// Shows a text of the owner; what was shown before goes. Nothing of it is empty.
    pub fn show_message(&mut self, text: &str) {
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let until = (!text.trim().is_empty()).then(|| self.now() + SHOWN);
        self.banner = Banner { text, until, drawn: None };
        self.damage();
    }

    /// Takes the text away when its time is over.
    pub fn work_on_banner(&mut self, now: u64) {
        if self.banner.until.is_some_and(|until| until <= now) {
            self.banner = Banner::default();
            self.damage();
        }
    }
}

fn unit(size: Size<i32, Logical>) -> f32 {
    (size.h as f32 / 720.0).min(size.w as f32 / 1280.0).max(0.55)
}

/// The panel with the text, and how wide it is.
fn draw(fonts: &Fonts, size: Size<i32, Logical>, text: &str) -> (MemoryRenderBuffer, i32) {
    let unit = unit(size);
    let (font, padding) = (TEXT * unit, PADDING * unit);
    let room = (WIDTH * unit).min(size.w as f32 * 0.9) - 2.0 * padding;
    let lines = wrap(text, room, |text| fonts.width(text, font, false));
    let lines: Vec<String> = lines.iter().map(|line| fonts.fit(line, font, false, room)).collect();
    let widest = lines.iter().map(|line| fonts.width(line, font, false)).fold(0.0, f32::max);
    let (w, h) = ((widest + 2.0 * padding).ceil(), (lines.len() as f32 * LINE * unit + 1.4 * padding).ceil());
    let mut picture = Picture::new(w.max(1.0) as usize, h.max(1.0) as usize);
    picture.rounded((0.0, 0.0, w, h), RADIUS * unit, (mix(PANEL, INK, 0.16), 0.95));
    let edge = unit.max(1.0);
    let inner = (edge, edge, w - 2.0 * edge, h - 2.0 * edge);
    picture.rounded(inner, RADIUS * unit - edge, (PANEL, 0.95));
    for (index, line) in lines.iter().enumerate() {
        let left = (w - fonts.width(line, font, false)) / 2.0;
        let baseline = 0.7 * padding + (index as f32 + 0.74) * LINE * unit;
        picture.text(fonts, line, (left, baseline), font, false, (INK, 0.97));
    }
    (picture.finish(false), w as i32)
}

/// Words in lines of at most `room`; the last line has all that is left over.
fn wrap(text: &str, room: f32, width: impl Fn(&str) -> f32) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut full = false;
    for word in text.split_whitespace() {
        let count = lines.len();
        let Some(line) = lines.last_mut() else { break };
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        full |= count == LINES;
        if line.is_empty() || full || width(&longer) <= room {
            *line = longer;
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_into_lines_and_nothing_is_lost() {
        let width = |text: &str| text.chars().count() as f32;
        assert_eq!(wrap("dinner is ready", 9.0, width), ["dinner is", "ready"]);
        assert_eq!(wrap("  ", 9.0, width), [""]);
        assert_eq!(wrap("unbreakable", 3.0, width), ["unbreakable"]);
        let many = wrap("a b c d e f g", 1.0, width);
        assert_eq!(many, ["a", "b", "c", "d e f g"]);
    }

    #[test]
    fn the_panel_fits_on_any_screen() {
        let fonts = Fonts::load();
        for size in [(1, 1), (320, 180), (1280, 720), (7680, 4320), (200, 4000)] {
            let size = Size::from(size);
            let (_, width) = draw(&fonts, size, &"long words of the owner ".repeat(8));
            assert!(width >= 1 && width <= size.w.max(80), "{width} on {size:?}");
        }
    }
}
