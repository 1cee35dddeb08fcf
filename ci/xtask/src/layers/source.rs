//! Just enough of Rust's grammar to find words in code: comments and literals are
//! left out, every other token keeps its line.

/// A word or a single punctuation character; `::` is one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// As it stands in the source.
    pub text: &'a str,
    /// Counted from 1.
    pub line: usize,
}

/// Splits a source file into tokens.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut scanner = Scanner { text, at: 0, line: 1 };
    let mut tokens = Vec::new();
    while scanner.at < text.len() {
        let (from, line) = (scanner.at, scanner.line);
        if scanner.skip_blank() || scanner.skip_comment() || scanner.skip_literal() {
            continue;
        }
        if scanner.starts_with("::") {
            scanner.advance(2);
        } else if scanner.word() == 0 {
            scanner.advance(1);
        } else {
            scanner.advance(scanner.word());
        }
        tokens.push(Token { text: &text[from..scanner.at], line });
    }
    tokens
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn starts_with(&self, prefix: &str) -> bool {
        self.rest().starts_with(prefix)
    }

    /// Moves on by `chars` characters.
    fn advance(&mut self, chars: usize) {
        for c in self.text[self.at..].chars().take(chars) {
            self.at += c.len_utf8();
            self.line += usize::from(c == '\n');
        }
    }

    /// Moves behind the next `end`, or to the end of the file.
    fn advance_past(&mut self, end: &str) {
        let length = self.rest().find(end).map_or(self.rest().len(), |found| found + end.len());
        self.advance(self.rest()[..length].chars().count());
    }

    /// Length of the word here, in characters.
    fn word(&self) -> usize {
        self.rest().chars().take_while(|c| c.is_alphanumeric() || *c == '_').count()
    }

    fn skip_blank(&mut self) -> bool {
        let blank = self.rest().chars().take_while(|c| c.is_whitespace()).count();
        self.advance(blank);
        blank > 0
    }

    fn skip_comment(&mut self) -> bool {
        if self.starts_with("//") {
            self.advance_past("\n");
            return true;
        }
        if !self.starts_with("/*") {
            return false;
        }
        // Block comments nest.
        let mut depth = 0usize;
        while self.at < self.text.len() {
            if self.starts_with("/*") {
                depth += 1;
                self.advance(2);
            } else if self.starts_with("*/") {
                depth -= 1;
                self.advance(2);
                if depth == 0 {
                    break;
                }
            } else {
                self.advance(1);
            }
        }
        true
    }

    fn skip_literal(&mut self) -> bool {
        let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
            self.rest().strip_prefix(prefix).is_some_and(|rest| rest.starts_with(['"', '#', '\'']))
        });
        let Some(prefix) = prefix else { return false };
        let behind = &self.rest()[prefix.len()..];
        if prefix.ends_with('r') {
            let hashes = behind.chars().take_while(|c| *c == '#').count();
            if behind[hashes..].starts_with('"') {
                self.advance(prefix.len() + hashes + 1);
                self.advance_past(&format!("\"{}", "#".repeat(hashes)));
                return true;
            }
            return false;
        }
        if behind.starts_with('"') {
            self.advance(prefix.len() + 1);
            self.skip_escaped('"');
            return true;
        }
        if behind.starts_with('\'') && matches!(prefix, "" | "b") {
            let mut chars = behind[1..].chars();
            let (first, second) = (chars.next(), chars.next());
            if first == Some('\\') || second == Some('\'') {
                self.advance(prefix.len() + 1);
                self.skip_escaped('\'');
            } else {
                // A lifetime: its name is no word of interest.
                self.advance(1);
                self.advance(self.word());
            }
            return true;
        }
        false
    }

    fn skip_escaped(&mut self, end: char) {
        while let Some(c) = self.rest().chars().next() {
            self.advance(if c == '\\' { 2 } else { 1 });
            if c == end {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        tokens(text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_and_literals_are_left_out() {
        assert_eq!(words("a /* b /* c */ d */ e // f\ng"), ["a", "e", "g"]);
        assert_eq!(
            words(r##"a("b \" c", r#"d " e"#, b"f", br"g", c"h", 'i', '\'', b'"') j"##),
            ["a", "(", ",", ",", ",", ",", ",", ",", ",", ")", "j"]
        );
        assert_eq!(
            words("fn f<'a>(x: &'a str) {}"),
            ["fn", "f", "<", ">", "(", "x", ":", "&", "str", ")", "{", "}"]
        );
        assert_eq!(words("crate::b r#type"), ["crate", "::", "b", "r", "#", "type"]);
    }

    #[test]
    fn lines_are_kept_across_what_is_left_out() {
        let found = tokens("\"\n\n\" a /*\n*/ b\n'\\n' c\nr\"\n\" d");
        let lines: Vec<_> = found.iter().map(|token| (token.text, token.line)).collect();
        assert_eq!(lines, [("a", 3), ("b", 4), ("c", 5), ("d", 7)]);
    }

    #[test]
    fn what_is_cut_off_ends_quietly() {
        for text in ["\"a", "/* a", "'\\", "r#\"a", "b'", "'", "é\"é"] {
            tokens(text);
        }
    }
}
