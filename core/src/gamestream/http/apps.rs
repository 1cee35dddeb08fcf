//! The list of applications (sheet, section 2.5).

use crate::gamestream::xml::{Document, Error, Writer};

/// One application a client can start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Positive, and stable: clients key shortcuts and pictures by it.
    pub id: u32,
    /// Never empty.
    pub title: String,
    /// The application can be streamed in HDR.
    pub hdr: bool,
}

/// The answer to `/applist`.
pub fn applist(apps: &[App]) -> String {
    let mut writer = Writer::new();
    for app in apps {
        // An empty title makes one client read memory it never wrote.
        let title = if app.title.is_empty() { "Unnamed" } else { &app.title };
        writer
            .open("App")
            .element("IsHdrSupported", u8::from(app.hdr))
            .element("AppTitle", title)
            .element("ID", app.id)
            .close();
    }
    writer.finish()
}

/// Reads the answer to `/applist`.
pub fn parse_applist(text: &str) -> Result<Vec<App>, Error> {
    let document = Document::parse_ok(text)?;
    document
        .groups("App")
        .map(|group| {
            let id = group.text("ID").and_then(|id| id.trim().parse().ok()).filter(|&id| id > 0);
            Ok(App {
                id: id.ok_or(Error::Missing("ID"))?,
                title: group.text("AppTitle").ok_or(Error::Missing("AppTitle"))?.to_owned(),
                hdr: group.text("IsHdrSupported") == Some("1"),
            })
        })
        .collect()
}
