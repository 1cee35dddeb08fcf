//! Pictures of applications: what counts as one, and those that the owner gave.
//!
//! A picture is known by its first bytes, never by its name, and is passed on as it is:
//! nothing here decodes one. Its size in pixels is read from the header.

use std::path::{Path, PathBuf};

use crate::platform;
use crate::session::Art;

/// Bytes of a picture.
pub const MAX_ART: u64 = 8 << 20;
/// Pixels of a side.
const MAX_SIDE: u32 = 8192;
/// The folder in the state directory.
const FOLDER: &str = "art";

/// The form of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Portable Network Graphics.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP.
    Webp,
}

impl Form {
    const ALL: [Self; 3] = [Self::Png, Self::Jpeg, Self::Webp];

    /// As HTTP names it.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }

    const fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Webp => "webp",
        }
    }
}

/// What a picture is, by its first bytes; the error is for who sent it.
pub fn form_of(bytes: &[u8]) -> Result<Form, String> {
    if bytes.len() as u64 > MAX_ART {
        return Err(format!("the picture is larger than {} MiB: make it smaller", MAX_ART >> 20));
    }
    let (form, size) = if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        (Form::Png, png_size(bytes))
    } else if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
        (Form::Jpeg, jpeg_size(bytes))
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        (Form::Webp, webp_size(bytes))
    } else {
        return Err("this is no picture: send PNG, JPEG or WebP".to_owned());
    };
    let (width, height) = size.ok_or("the picture is damaged: its size cannot be read")?;
    if width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE {
        return Err(format!("the picture has {width}x{height} pixels: at most {MAX_SIDE} on a side"));
    }
    Ok(form)
}

/// A picture of a file of another program: nothing when it is none.
pub(super) fn load(file: &Path) -> Option<Art> {
    let bytes = super::files::read(file, MAX_ART).ok()??;
    let form = form_of(&bytes).ok()?;
    Some(Art { media_type: form.media_type(), bytes })
}

/// The pictures that the owner gave.
#[derive(Clone, Debug)]
pub(super) struct Shelf(PathBuf);

impl Shelf {
    pub fn new(state: &Path) -> Self {
        Self(state.join(FOLDER))
    }

    fn file(&self, id: u32, form: Form) -> PathBuf {
        self.0.join(format!("{id}.{}", form.ending()))
    }

    /// The file of an application's picture.
    pub fn find(&self, id: u32) -> Option<PathBuf> {
        Form::ALL.map(|form| self.file(id, form)).into_iter().find(|file| file.is_file())
    }

    /// Keeps a picture instead of the one before.
    pub fn put(&self, id: u32, form: Form, bytes: &[u8]) -> Result<(), platform::WriteError> {
        platform::make_private_dir(&self.0)?;
        platform::write_whole(&self.file(id, form), bytes)?;
        for other in Form::ALL.into_iter().filter(|other| *other != form) {
            // There is none of another form most of the time.
            let _ = std::fs::remove_file(self.file(id, other));
        }
        Ok(())
    }

    /// Forgets a picture; false when there was none.
    pub fn remove(&self, id: u32) -> bool {
        Form::ALL.into_iter().filter(|form| std::fs::remove_file(self.file(id, *form)).is_ok()).count() > 0
    }
}

fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = bytes.get(8..24)?;
    if &header[4..8] != b"IHDR" {
        return None;
    }
    Some((
        u32::from_be_bytes(header[8..12].try_into().ok()?),
        u32::from_be_bytes(header[12..16].try_into().ok()?),
    ))
}

/// Goes from segment to segment up to the start of the frame (ITU T.81, annex B).
fn jpeg_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes.get(2..)?;
    loop {
        let [0xFF, marker, ..] = *rest else { return None };
        match marker {
            // Filling, and segments of no length.
            0xFF => rest = &rest[1..],
            0x01 | 0xD0..=0xD8 => rest = &rest[2..],
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                let side =
                    |at: usize| Some(u32::from(u16::from_be_bytes([*rest.get(at)?, *rest.get(at + 1)?])));
                return Some((side(7)?, side(5)?));
            }
            // The data begins, or the end: there was no frame.
            0xD9 | 0xDA => return None,
            _ => {
                let length = usize::from(u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]));
                rest = rest.get(2 + length.max(2)..)?;
            }
        }
    }
}

/// The three kinds of the first chunk.
fn webp_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let chunk = bytes.get(12..30)?;
    let short = |at: usize| u32::from(u16::from_le_bytes([chunk[at], chunk[at + 1]])) & 0x3FFF;
    let long = |at: usize| u32::from_le_bytes([chunk[at], chunk[at + 1], chunk[at + 2], 0]);
    match &chunk[..4] {
        b"VP8 " if chunk[11..14] == [0x9D, 0x01, 0x2A] => Some((short(14), short(16))),
        b"VP8L" if chunk[8] == 0x2F => {
            let bits = u32::from_le_bytes([chunk[9], chunk[10], chunk[11], chunk[12]]);
            Some(((bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1))
        }
        b"VP8X" => Some((long(12) + 1, long(15) + 1)),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::scratch::Scratch;
    use super::*;
    use proptest::prelude::*;

    /// The beginning of a PNG file of this size.
    pub fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.extend(width.to_be_bytes().iter().chain(&height.to_be_bytes()));
        bytes.extend([8, 6, 0, 0, 0]);
        bytes
    }

    fn jpeg(width: u16, height: u16) -> Vec<u8> {
        let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 0xFF, 0xFF, 0xC2, 0, 17, 8];
        bytes.extend(height.to_be_bytes().iter().chain(&width.to_be_bytes()));
        bytes
    }

    fn webp(kind: &[u8; 4], data: [u8; 10]) -> Vec<u8> {
        [b"RIFF\x20\0\0\0WEBP", &kind[..], &[10, 0, 0, 0], &data].concat()
    }

    #[test]
    fn pictures_are_known_by_their_bytes_and_their_size() {
        assert_eq!(form_of(&png(628, 888)), Ok(Form::Png));
        assert_eq!(form_of(&jpeg(600, 900)), Ok(Form::Jpeg));
        assert_eq!(form_of(&webp(b"VP8 ", [0, 0, 0, 0x9D, 1, 0x2A, 100, 0, 200, 0])), Ok(Form::Webp));
        let wide = form_of(&webp(b"VP8L", [0x2F, 0xFF, 0x3F, 0, 0, 0, 0, 0, 0, 0])).unwrap_err();
        assert!(wide.contains("16384x1"), "{wide}");
        assert_eq!(form_of(&webp(b"VP8X", [0, 0, 0, 0, 9, 0, 0, 9, 0, 0])), Ok(Form::Webp));
        for (bytes, why) in [
            (b"<svg xmlns='x'/>".to_vec(), "PNG, JPEG or WebP"),
            (b"GIF89a".to_vec(), "PNG, JPEG or WebP"),
            (Vec::new(), "PNG, JPEG or WebP"),
            (png(0, 5), "0x5"),
            (png(8193, 5), "8193x5"),
            (png(5, 5)[..20].to_vec(), "damaged"),
            (jpeg(5, 5)[..12].to_vec(), "damaged"),
            (vec![0xFF, 0xD8, 0xFF, 0xDA, 0, 0], "damaged"),
            (webp(b"VP9 ", [0; 10]), "damaged"),
            (vec![0; MAX_ART as usize + 1], "8 MiB"),
        ] {
            let error = form_of(&bytes).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_picture_is_kept_until_another_or_none() {
        let dir = Scratch::new("art");
        let shelf = Shelf::new(dir.path());
        assert_eq!(shelf.find(7), None);
        shelf.put(7, Form::Png, &png(1, 1)).unwrap();
        shelf.put(7, Form::Jpeg, &jpeg(1, 1)).unwrap();
        let file = shelf.find(7).unwrap();
        assert!(file.ends_with("art/7.jpg"), "{file:?}");
        assert_eq!(load(&file).unwrap().media_type, "image/jpeg");
        assert!(shelf.remove(7));
        assert!(!shelf.remove(7));
        assert_eq!(shelf.find(7), None);
        assert_eq!(load(&dir.write("x", "no picture")), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_survive(bytes: Vec<u8>) {
            let _ = form_of(&bytes);
            for start in [&b"\x89PNG\r\n\x1a\n"[..], &[0xFF, 0xD8, 0xFF], b"RIFF\0\0\0\0WEBPVP8 "] {
                let _ = form_of(&[start, &bytes].concat());
            }
        }
    }
}
