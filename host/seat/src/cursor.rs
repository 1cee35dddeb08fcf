//! The pointer's picture. A few shapes are built in, so that a bare machine has
//! them; clients may bring their own surface. Hidden until the pointer is first used.

use std::collections::HashMap;
use std::sync::Mutex;

use smithay::backend::renderer::element::memory::MemoryRenderBuffer;
use smithay::input::pointer::{CursorIcon, CursorImageAttributes, CursorImageStatus};
use smithay::reexports::wayland_server::Resource;
use smithay::reexports::wayland_server::protocol::wl_surface::WlSurface;
use smithay::utils::{Logical, Point};
use smithay::wayland::compositor::with_states;

use crate::bounds::FAR;
use crate::paint::Picture;

const SIDE: usize = 28;
const WHITE: [f32; 3] = [1.0, 1.0, 1.0];
const BLACK: [f32; 3] = [0.02, 0.02, 0.03];

/// The shapes that are built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Shape {
    Arrow,
    Beam,
    Hand,
    Cross,
    /// A double arrow, turned by this many eighths of a circle.
    Double(u8),
    Move,
}

/// What to draw at the pointer.
pub enum Image<'a> {
    /// A picture whose pixel at this place is the tip.
    Picture(&'a MemoryRenderBuffer, (i32, i32)),
    /// A client's surface whose pixel at this place is the tip.
    Surface(WlSurface, Point<i32, Logical>),
}

/// State of the pointer's picture.
pub struct Cursor {
    status: CursorImageStatus,
    used: bool,
    cache: HashMap<Shape, MemoryRenderBuffer>,
}

impl Cursor {
    /// The arrow, hidden until [`show`](Self::show).
    pub fn new() -> Self {
        Self { status: CursorImageStatus::default_named(), used: false, cache: HashMap::new() }
    }

    /// A client (or the seat) wants another picture.
    pub fn set(&mut self, status: CursorImageStatus) {
        self.status = status;
    }

    /// The pointer was used.
    pub fn show(&mut self) {
        self.used = true;
    }

    /// Nobody uses the pointer any more.
    pub fn hide(&mut self) {
        self.used = false;
    }

    /// The surface a client set, for its frame callbacks.
    pub fn surface(&self) -> Option<&WlSurface> {
        match &self.status {
            CursorImageStatus::Surface(surface) if surface.is_alive() => Some(surface),
            _ => None,
        }
    }

    /// What to draw now.
    pub fn image(&mut self) -> Option<Image<'_>> {
        if !self.used {
            return None;
        }
        let icon = match &self.status {
            CursorImageStatus::Hidden => return None,
            CursorImageStatus::Named(icon) => *icon,
            CursorImageStatus::Surface(surface) if surface.is_alive() => {
                let hotspot = with_states(surface, |states| {
                    let attributes = states.data_map.get::<Mutex<CursorImageAttributes>>();
                    attributes.and_then(|a| a.lock().ok().map(|a| a.hotspot)).unwrap_or_default()
                });
                // A client may say anything.
                let hotspot = (hotspot.x.clamp(-FAR, FAR), hotspot.y.clamp(-FAR, FAR));
                return Some(Image::Surface(surface.clone(), hotspot.into()));
            }
            CursorImageStatus::Surface(_) => CursorIcon::Default,
        };
        let shape = shape(icon);
        let picture = self.cache.entry(shape).or_insert_with(|| draw(shape));
        Some(Image::Picture(picture, hotspot(shape)))
    }
}

/// The arrow as X11 takes it: premultiplied pixels of four bytes, the length of a side,
/// and where the tip is.
pub fn arrow() -> (Vec<u8>, u16, (u16, u16)) {
    let pixels = picture(Shape::Arrow).into_pixels();
    let (x, y) = hotspot(Shape::Arrow);
    (pixels, SIDE as u16, (x.unsigned_abs() as u16, y.unsigned_abs() as u16))
}

fn shape(icon: CursorIcon) -> Shape {
    use CursorIcon as I;
    match icon {
        I::Text | I::VerticalText => Shape::Beam,
        I::Pointer => Shape::Hand,
        I::Crosshair | I::Cell => Shape::Cross,
        I::EResize | I::WResize | I::EwResize | I::ColResize => Shape::Double(0),
        I::NwResize | I::SeResize | I::NwseResize => Shape::Double(1),
        I::NResize | I::SResize | I::NsResize | I::RowResize => Shape::Double(2),
        I::NeResize | I::SwResize | I::NeswResize => Shape::Double(3),
        I::Move | I::AllScroll | I::Grab | I::Grabbing | I::AllResize => Shape::Move,
        _ => Shape::Arrow,
    }
}

fn hotspot(shape: Shape) -> (i32, i32) {
    match shape {
        Shape::Arrow => (2, 2),
        Shape::Hand => (9, 2),
        _ => (14, 14),
    }
}

fn draw(shape: Shape) -> MemoryRenderBuffer {
    picture(shape).finish(false)
}

fn picture(shape: Shape) -> Picture {
    let mut picture = Picture::new(SIDE, SIDE);
    let centre = 14.0;
    let turned = |points: &[(f32, f32)], eighths: u8| -> Vec<(f32, f32)> {
        let (sin, cos) = (f32::from(eighths) * std::f32::consts::FRAC_PI_4).sin_cos();
        points.iter().map(|(x, y)| (centre + x * cos - y * sin, centre + x * sin + y * cos)).collect()
    };
    let double = [
        (-10.5, 0.0),
        (-5.5, -4.5),
        (-5.5, -1.2),
        (5.5, -1.2),
        (5.5, -4.5),
        (10.5, 0.0),
        (5.5, 4.5),
        (5.5, 1.2),
        (-5.5, 1.2),
        (-5.5, 4.5),
    ];
    let points: Vec<(f32, f32)> = match shape {
        Shape::Arrow => {
            [(0.0, 0.0), (0.0, 17.2), (3.9, 13.6), (6.6, 19.9), (9.3, 18.7), (6.6, 12.6), (12.0, 12.6)]
                .map(|(x, y)| (x + 2.2, y + 2.2))
                .to_vec()
        }
        Shape::Beam => turned(
            &[
                (-4.0, -9.0),
                (-0.7, -8.0),
                (0.7, -8.0),
                (4.0, -9.0),
                (4.0, -7.6),
                (0.8, -6.6),
                (0.8, 6.6),
                (4.0, 7.6),
                (4.0, 9.0),
                (0.7, 8.0),
                (-0.7, 8.0),
                (-4.0, 9.0),
                (-4.0, 7.6),
                (-0.8, 6.6),
                (-0.8, -6.6),
                (-4.0, -7.6),
            ],
            0,
        ),
        Shape::Hand => vec![
            (8.0, 3.5),
            (9.4, 2.3),
            (10.8, 3.5),
            (10.9, 10.2),
            (12.6, 9.3),
            (14.2, 10.6),
            (15.8, 10.0),
            (17.4, 11.4),
            (19.2, 11.3),
            (20.4, 12.8),
            (20.2, 18.0),
            (18.2, 22.6),
            (10.8, 22.6),
            (7.6, 18.4),
            (4.4, 14.6),
            (5.4, 13.0),
            (8.0, 14.6),
        ],
        Shape::Cross => {
            picture.polygon(&turned(&CROSS_BAR, 0), WHITE, (BLACK, 1.1));
            turned(&CROSS_BAR, 2)
        }
        Shape::Double(eighths) => turned(&double, eighths),
        Shape::Move => {
            picture.polygon(&turned(&double, 0), WHITE, (BLACK, 1.1));
            turned(&double, 2)
        }
    };
    let ink = if matches!(shape, Shape::Arrow) { (BLACK, WHITE) } else { (WHITE, BLACK) };
    picture.polygon(&points, ink.0, (ink.1, 1.2));
    picture
}

const CROSS_BAR: [(f32, f32); 4] = [(-10.0, -0.8), (10.0, -0.8), (10.0, 0.8), (-10.0, 0.8)];
