//! The text and the binary form of Valve's key-value files. Bytes in, plain data out; the
//! bytes are foreign: there is a tree or an error, never a panic.
//!
//! Text: quoted or bare words, `{` and `}`, `//` to the end of a line, conditions in
//! brackets, which are passed over. Binary: one byte says what a value is, then its name.

/// A tree is never deeper.
const MAX_DEPTH: usize = 32;
/// More pairs than any file of Steam has.
const MAX_PAIRS: usize = 100_000;

/// A tree of keys: their order is kept, case does not count when one is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tree(Vec<(String, Value)>);

/// What a key has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Number(u32),
    Tree(Tree),
}

/// Why a file cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum VdfError {
    #[error("it ends in the middle")]
    Truncated,
    #[error("it is nested too deep or too long")]
    TooMuch,
    #[error("a `}}` or a kind of value stands where none may")]
    Misplaced,
}

impl Tree {
    /// The first value of a key.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
    }

    /// The tree below a key.
    pub fn tree(&self, key: &str) -> Option<&Self> {
        match self.value(key)? {
            Value::Tree(tree) => Some(tree),
            _ => None,
        }
    }

    /// The text of a key.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.value(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number of a key, however it is written.
    pub fn number(&self, key: &str) -> Option<u32> {
        match self.value(key)? {
            Value::Text(text) => text.parse().ok(),
            Value::Number(number) => Some(*number),
            Value::Tree(_) => None,
        }
    }

    /// Every key with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

/// Reads the text form.
pub(super) fn parse(text: &str) -> Result<Tree, VdfError> {
    let mut words = Words { rest: text };
    let mut build = Build::default();
    let mut key: Option<String> = None;
    while let Some(word) = words.next()? {
        match (word, key.take()) {
            (Word::Open, Some(name)) => build.open(name)?,
            (Word::Close, None) => build.close()?,
            (Word::Text(name), None) => key = Some(name),
            (Word::Text(text), Some(name)) => build.add(name, Value::Text(text))?,
            (Word::Open, None) | (Word::Close, Some(_)) => return Err(VdfError::Misplaced),
        }
    }
    if key.is_some() { Err(VdfError::Truncated) } else { build.end() }
}

/// Reads the binary form, as `shortcuts.vdf` has it.
pub(super) fn parse_binary(bytes: &[u8]) -> Result<Tree, VdfError> {
    let mut rest = bytes;
    let mut build = Build::default();
    while let Some((kind, after)) = rest.split_first() {
        rest = after;
        if *kind == 8 {
            // The end of the whole file, or of a tree.
            if build.open.is_empty() {
                break;
            }
            build.close()?;
            continue;
        }
        let name = c_string(&mut rest)?;
        match kind {
            0 => build.open(name)?,
            1 => {
                let text = c_string(&mut rest)?;
                build.add(name, Value::Text(text))?;
            }
            2 => {
                let (number, after) = rest.split_first_chunk::<4>().ok_or(VdfError::Truncated)?;
                rest = after;
                build.add(name, Value::Number(u32::from_le_bytes(*number)))?;
            }
            // A float, a pointer and a colour have four bytes, a 64-bit number eight.
            3 | 4 | 6 => rest = rest.get(4..).ok_or(VdfError::Truncated)?,
            7 | 10 => rest = rest.get(8..).ok_or(VdfError::Truncated)?,
            _ => return Err(VdfError::Misplaced),
        }
    }
    build.end()
}

fn c_string(rest: &mut &[u8]) -> Result<String, VdfError> {
    let end = rest.iter().position(|byte| *byte == 0).ok_or(VdfError::Truncated)?;
    let (text, after) = rest.split_at(end);
    *rest = &after[1..];
    Ok(String::from_utf8_lossy(text).into_owned())
}

/// A tree that is being built, with the open ones above it and their names.
#[derive(Default)]
struct Build {
    now: Tree,
    open: Vec<(String, Tree)>,
    pairs: usize,
}

impl Build {
    fn open(&mut self, name: String) -> Result<(), VdfError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(VdfError::TooMuch);
        }
        self.open.push((name, std::mem::take(&mut self.now)));
        Ok(())
    }

    fn close(&mut self) -> Result<(), VdfError> {
        let (name, above) = self.open.pop().ok_or(VdfError::Misplaced)?;
        let tree = std::mem::replace(&mut self.now, above);
        self.add(name, Value::Tree(tree))
    }

    fn add(&mut self, name: String, value: Value) -> Result<(), VdfError> {
        self.pairs += 1;
        if self.pairs > MAX_PAIRS {
            return Err(VdfError::TooMuch);
        }
        self.now.0.push((name, value));
        Ok(())
    }

    fn end(self) -> Result<Tree, VdfError> {
        if self.open.is_empty() { Ok(self.now) } else { Err(VdfError::Truncated) }
    }
}

enum Word {
    Open,
    Close,
    Text(String),
}

struct Words<'a> {
    rest: &'a str,
}

impl Words<'_> {
    fn next(&mut self) -> Result<Option<Word>, VdfError> {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n', '\0', '\u{feff}']);
            let Some(first) = self.rest.chars().next() else { return Ok(None) };
            match first {
                '/' if self.rest.starts_with("//") => {
                    self.rest = self.rest.find('\n').map_or("", |end| &self.rest[end..]);
                }
                '[' => {
                    let end = self.rest.find(']').ok_or(VdfError::Truncated)?;
                    self.rest = &self.rest[end + 1..];
                }
                '{' | '}' => {
                    self.rest = &self.rest[1..];
                    return Ok(Some(if first == '{' { Word::Open } else { Word::Close }));
                }
                '"' => return self.quoted().map(|text| Some(Word::Text(text))),
                _ => {
                    let ends = |c: char| c.is_whitespace() || matches!(c, '{' | '}' | '"');
                    let (word, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
                    self.rest = rest;
                    // A space of another alphabet is neither a word nor passed over above.
                    if word.is_empty() {
                        self.rest = &self.rest[first.len_utf8()..];
                        continue;
                    }
                    return Ok(Some(Word::Text(word.to_owned())));
                }
            }
        }
    }

    fn quoted(&mut self) -> Result<String, VdfError> {
        let mut text = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(text);
                }
                '\\' => match characters.next().ok_or(VdfError::Truncated)?.1 {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    other => text.push(other),
                },
                other => text.push(other),
            }
        }
        Err(VdfError::Truncated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_read_as_steam_writes_it() {
        let text = "\"AppState\"\n{\n\t\"appid\"\t\t\"220\"\n\t\"name\" \"A \\\"B\\\" \\\\ C\" // why\n\
            \tbare {word 7} [$WIN32]\n\t\"Empty\" \"\"\n}\n";
        let tree = parse(text).unwrap();
        let state = tree.tree("appstate").expect("case does not count");
        assert_eq!(state.number("appid"), Some(220));
        assert_eq!(state.text("NAME"), Some("A \"B\" \\ C"));
        assert_eq!(state.tree("bare").unwrap().text("word"), Some("7"));
        assert_eq!(state.text("empty"), Some(""));
        assert_eq!((state.number("name"), state.text("bare")), (None, None));
        assert_eq!(state.iter().count(), 4);
    }

    #[test]
    fn broken_text_is_an_error() {
        for (text, error) in [
            ("\"a\" {", VdfError::Truncated),
            ("\"a\" \"b", VdfError::Truncated),
            ("\"a\"", VdfError::Truncated),
            ("\"a\" \"b\\", VdfError::Truncated),
            ("[", VdfError::Truncated),
            ("}", VdfError::Misplaced),
            ("{", VdfError::Misplaced),
            ("\"a\" }", VdfError::Misplaced),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
        assert_eq!(parse(&"a{".repeat(40)), Err(VdfError::TooMuch));
        assert_eq!(parse(""), Ok(Tree::default()));
    }

    #[test]
    fn the_binary_form_is_read() {
        let bytes = b"\0shortcuts\0\x000\0\x02appid\0\x01\0\0\x80\x01AppName\0My game\0\x07big\0\
            12345678\x03f\x001234\x08\x08\x08";
        let tree = parse_binary(bytes).unwrap();
        let first = tree.tree("shortcuts").unwrap().tree("0").unwrap();
        assert_eq!(first.number("appid"), Some(0x8000_0001));
        assert_eq!(first.text("appname"), Some("My game"));
        for cut in 1..bytes.len() - 1 {
            assert!(parse_binary(&bytes[..cut]).is_err(), "{cut} bytes");
        }
        assert_eq!(parse_binary(b"\x05a\0"), Err(VdfError::Misplaced));
        assert_eq!(parse_binary(&b"\0a\0".repeat(40)), Err(VdfError::TooMuch));
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_survive(bytes: Vec<u8>) {
            let _ = parse(&String::from_utf8_lossy(&bytes));
            let _ = parse_binary(&bytes);
        }

        #[test]
        fn any_words_are_refused_or_survive(words in proptest::collection::vec(
            prop_oneof![Just("{"), Just("}"), Just("\"a\""), Just("b "), Just("\\"), Just("\u{2003}"), Just("//\n"),
                Just("["), Just("]"), Just("\"")], 0..40)) {
            let _ = parse(&words.concat());
        }

        #[test]
        fn any_kinds_are_refused_or_survive(pairs in proptest::collection::vec((0_u8..12, "[a-c]{0,2}"), 0..40)) {
            let bytes: Vec<u8> = pairs.iter().flat_map(|(kind, name)| {
                let mut pair = vec![*kind];
                pair.extend(name.bytes());
                pair.push(0);
                pair
            }).collect();
            let _ = parse_binary(&bytes);
        }

        #[test]
        fn what_is_written_is_read(pairs in proptest::collection::vec(("[a-z]{1,8}", "[^\0]{0,20}"), 0..10)) {
            let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
            let text: String = pairs.iter().map(|(k, v)| format!("{} {}\n", quote(k), quote(v))).collect();
            let tree = parse(&text).unwrap();
            let read: Vec<_> = tree.iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
            let wrote: Vec<_> = pairs.into_iter().map(|(k, v)| (k, Value::Text(v))).collect();
            prop_assert_eq!(read, wrote);
        }
    }
}
