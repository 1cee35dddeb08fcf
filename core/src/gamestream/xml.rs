//! The XML documents of the HTTP plane: a root element with a status, and a few
//! named texts (sheet, section 2).
//!
//! Written by hand, because a document is a list of names and texts; read with a
//! real parser, bounded in size, depth and number of elements, document types
//! refused.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

/// Largest document that is read, bytes.
pub const MAX_DOCUMENT: usize = 1 << 20;
const MAX_DEPTH: usize = 16;
const MAX_ELEMENTS: usize = 8192;

/// A document could not be read, or it says that the request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More than [`MAX_DOCUMENT`] bytes, or too deep, or too many elements.
    #[error("the answer is larger than this program reads")]
    TooLarge,
    /// Not well-formed, or with a document type.
    #[error("the answer is not a well-formed XML document")]
    Malformed,
    /// The root element is missing or has no readable `status_code`.
    #[error("the answer has no root element with a status_code")]
    NoStatus,
    /// `status_code` is not 200.
    #[error("the host refused with status {code}: {message}")]
    Refused {
        /// `status_code`.
        code: i32,
        /// `status_message`, empty when there is none.
        message: String,
    },
    /// An element that must be there is missing or unreadable.
    #[error("the answer lacks a usable element {0}")]
    Missing(&'static str),
}

/// A document being written.
#[derive(Clone, Debug)]
pub struct Writer {
    text: String,
    open: Vec<&'static str>,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// A document with status 200.
    pub fn new() -> Self {
        Self::with_root(&[("status_code", "200")])
    }

    /// A whole document that reports an error; HTTP still says 200 (sheet, section 2).
    pub fn error(code: i32, message: &str) -> String {
        Self::with_root(&[("status_code", &code.to_string()), ("status_message", message)]).finish()
    }

    /// A document whose root carries these attributes.
    pub fn with_root(attributes: &[(&'static str, &str)]) -> Self {
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<root");
        for (name, value) in attributes {
            text.push(' ');
            text.push_str(name);
            text.push_str("=\"");
            escape(value, &mut text);
            text.push('"');
        }
        text.push('>');
        Self { text, open: vec!["root"] }
    }

    /// Adds one element with a text. Use each name once, except in a list:
    /// clients take the first hit or glue all hits together.
    pub fn element(&mut self, name: &'static str, value: impl std::fmt::Display) -> &mut Self {
        self.open(name);
        escape(&value.to_string(), &mut self.text);
        self.close()
    }

    /// Opens an element that holds others.
    pub fn open(&mut self, name: &'static str) -> &mut Self {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
        self.open.push(name);
        self
    }

    /// Closes the element opened last.
    pub fn close(&mut self) -> &mut Self {
        if let Some(name) = self.open.pop() {
            self.text.push_str("</");
            self.text.push_str(name);
            self.text.push('>');
        }
        self
    }

    /// Closes everything and returns the document.
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }
}

/// Appends `value` so that it is text in elements and in quoted attributes alike.
/// Characters that XML 1.0 cannot carry become U+FFFD.
fn escape(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(c))),
            '\0'..='\x1F' | '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
}

/// One element of a document that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Element {
    name: String,
    depth: usize,
    text: String,
}

/// A document that was read: its elements in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    code: i32,
    message: String,
    elements: Vec<Element>,
}

impl Document {
    /// Reads a document whatever its status.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_DOCUMENT {
            return Err(Error::TooLarge);
        }
        Parser::default().run(text)
    }

    /// Reads a document and turns a status other than 200 into an error.
    pub fn parse_ok(text: &str) -> Result<Self, Error> {
        let document = Self::parse(text)?;
        match document.code {
            200 => Ok(document),
            code => Err(Error::Refused { code, message: document.message }),
        }
    }

    /// `status_code` of the root.
    pub fn status_code(&self) -> i32 {
        self.code
    }

    /// `status_message` of the root, empty when there is none.
    pub fn status_message(&self) -> &str {
        &self.message
    }

    /// The text of the first element of that name, at any depth.
    pub fn text(&self, name: &str) -> Option<&str> {
        find(&self.elements, name)
    }

    /// As [`Self::text`], an error when there is none.
    pub fn required(&self, name: &'static str) -> Result<&str, Error> {
        self.text(name).ok_or(Error::Missing(name))
    }

    /// The text of an element as a number, in whatever type is wanted.
    pub fn number<T: std::str::FromStr>(&self, name: &'static str) -> Result<T, Error> {
        self.required(name)?.trim().parse().map_err(|_| Error::Missing(name))
    }

    /// What lies inside each element called `name`, in order.
    pub fn groups<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Group<'a>> {
        self.elements.iter().enumerate().filter(move |(_, e)| e.name == name).map(|(at, head)| {
            let inside = self.elements.get(at + 1..).unwrap_or_default();
            let end = inside.iter().position(|e| e.depth <= head.depth).unwrap_or(inside.len());
            Group(inside.get(..end).unwrap_or_default())
        })
    }
}

/// The elements inside one element.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a>(&'a [Element]);

impl<'a> Group<'a> {
    /// The text of the first element of that name inside the group.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        find(self.0, name)
    }
}

fn find<'a>(elements: &'a [Element], name: &str) -> Option<&'a str> {
    elements.iter().find(|e| e.name == name).map(|e| e.text.as_str())
}

#[derive(Default)]
struct Parser {
    root: Option<(i32, String)>,
    elements: Vec<Element>,
    /// Indices of the open elements below the root.
    stack: Vec<usize>,
    ended: bool,
}

impl Parser {
    fn run(mut self, text: &str) -> Result<Document, Error> {
        let mut reader = quick_xml::Reader::from_str(text);
        loop {
            match reader.read_event().map_err(|_| Error::Malformed)? {
                Event::Start(start) => self.start(&start)?,
                Event::Empty(start) => {
                    self.start(&start)?;
                    self.end();
                }
                Event::End(_) => self.end(),
                Event::Text(text) => self.push_text(&text.xml10_content())?,
                Event::CData(text) => self.push_text(&text.xml10_content())?,
                Event::GeneralRef(reference) => {
                    let named = quick_xml::escape::resolve_predefined_entity(&reference);
                    match (reference.resolve_char_ref().map_err(|_| Error::Malformed)?, named) {
                        (Some(c), _) => self.push_text(c.encode_utf8(&mut [0; 4]))?,
                        (None, Some(text)) => self.push_text(text)?,
                        (None, None) => return Err(Error::Malformed),
                    }
                }
                Event::DocType(_) => return Err(Error::Malformed),
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
        let (code, message) = self.root.ok_or(Error::NoStatus)?;
        if !self.ended {
            return Err(Error::Malformed);
        }
        Ok(Document { code, message, elements: self.elements })
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), Error> {
        if self.ended {
            return Err(Error::Malformed);
        }
        if self.root.is_none() {
            self.root = Some(status(start)?);
            return Ok(());
        }
        if self.stack.len() >= MAX_DEPTH || self.elements.len() >= MAX_ELEMENTS {
            return Err(Error::TooLarge);
        }
        let name = start.name().as_ref().to_owned();
        self.elements.push(Element { name, depth: self.stack.len(), text: String::new() });
        self.stack.push(self.elements.len() - 1);
        Ok(())
    }

    fn end(&mut self) {
        if self.stack.pop().is_none() {
            self.ended = true;
        }
    }

    fn push_text(&mut self, text: &str) -> Result<(), Error> {
        match self.stack.last().and_then(|&at| self.elements.get_mut(at)) {
            Some(element) => element.text.push_str(text),
            None if text.trim_matches('\u{FEFF}').trim().is_empty() => {}
            None if self.root.is_some() && !self.ended => {}
            None => return Err(Error::Malformed),
        }
        Ok(())
    }
}

/// The status code and message of a root element.
fn status(start: &BytesStart<'_>) -> Result<(i32, String), Error> {
    if start.name().as_ref() != "root" {
        return Err(Error::NoStatus);
    }
    let (mut code, mut message) = (None, String::new());
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| Error::Malformed)?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| Error::Malformed)?;
        match attribute.key.as_ref() {
            // Hosts exist that write an unsigned 32-bit number here.
            "status_code" => code = value.parse::<i64>().ok().map(|n| n as i32),
            "status_message" => message = value.into_owned(),
            _ => {}
        }
    }
    Ok((code.ok_or(Error::NoStatus)?, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_error_is_read_back_with_its_message() {
        let text = Writer::error(503, "no \"screen\" <left> & 'right'\n");
        let refused = Error::Refused { code: 503, message: "no \"screen\" <left> & 'right'\n".to_owned() };
        assert_eq!(Document::parse_ok(&text), Err(refused));
    }

    #[test]
    fn groups_hold_their_own_elements_only() {
        let mut writer = Writer::new();
        for (title, id) in [("A", 1), ("B", 2)] {
            writer.open("App").element("AppTitle", title).element("ID", id).close();
        }
        let document = Document::parse_ok(&writer.finish()).unwrap();
        let ids: Vec<_> = document.groups("App").map(|g| (g.text("AppTitle"), g.text("ID"))).collect();
        assert_eq!(ids, [(Some("A"), Some("1")), (Some("B"), Some("2"))]);
        assert_eq!(document.number::<u32>("ID"), Ok(1));
        assert_eq!(document.required("none"), Err(Error::Missing("none")));
    }

    #[test]
    fn hostile_documents_are_errors() {
        let bomb = "<!DOCTYPE root [<!ENTITY a \"b\">]><root status_code=\"200\">&a;</root>";
        assert_eq!(Document::parse(bomb), Err(Error::Malformed));
        let deep = format!("<root status_code=\"200\">{}", "<a>".repeat(100));
        assert_eq!(Document::parse(&deep), Err(Error::TooLarge));
        for bad in ["", "hello", "<root>", "<root/>", "<other status_code=\"200\"/>"] {
            assert!(Document::parse(bad).is_err(), "{bad}");
        }
        let twice = "<root status_code=\"200\"/><root status_code=\"200\"/>";
        assert_eq!(Document::parse(twice), Err(Error::Malformed));
    }

    proptest! {
        #[test]
        fn any_text_survives(value in "[^\0-\x1F\u{FFFE}\u{FFFF}]{0,64}|[ -~\n\t]{0,40}") {
            let mut writer = Writer::new();
            writer.element("hostname", &value);
            let document = Document::parse_ok(&writer.finish()).unwrap();
            prop_assert_eq!(document.text("hostname"), Some(value.as_str()));
        }

        #[test]
        fn reading_anything_never_panics(text: String) {
            let _ = Document::parse(&text);
        }
    }
}
