//! What secrets look like, and the names that stand before them.

use super::{Marks, occurrences, spans};

/// As many hex digits are a key, a hash or part of one.
const HEX: usize = 32;
/// As many letters of base64 are.
const BASE64: usize = 32;
/// Words after which a value is a secret, to the end of its word or its quotes.
const NAMES: [&str; 19] = [
    "pin",
    "secret",
    "token",
    "cookie",
    "bearer",
    "authorization",
    "password",
    "passwd",
    "passphrase",
    "api_key",
    "apikey",
    "private_key",
    "rikey",
    "key_pem",
    "claim_secret",
    "session_key",
    "psk",
    "credential",
    "otp",
];

/// True for names of values that are secrets.
pub(super) fn is_name(name: &str) -> bool {
    NAMES.iter().any(|secret| names_it(name, secret))
}

/// Bodies of PEM blocks, up to their end or, without one, as far as base64 goes.
pub(super) fn pem(text: &str, marks: &mut Marks) {
    const BEGIN: &str = "-----BEGIN ";
    occurrences(text, BEGIN, &mut |range| {
        let rest = text.get(range.end..).unwrap_or_default();
        let end = rest.find("-----END ").unwrap_or_else(|| {
            let body = |c: char| c.is_ascii_alphanumeric() || "+/=\\- \r\n\t".contains(c);
            rest.find(|c| !body(c)).unwrap_or(rest.len())
        });
        marks.push((range.end..range.end + end, "key or certificate"));
    });
}

/// Links that carry a secret, our own tokens, and password hashes.
pub(super) fn links(text: &str, marks: &mut Marks) {
    let end_of = |from: usize, ends: &dyn Fn(char) -> bool| {
        text.get(from..).and_then(|rest| rest.find(ends)).map_or(text.len(), |at| from + at)
    };
    let blank = |c: char| c.is_whitespace() || "\"'<>`".contains(c);
    occurrences(text, "punktfunk://", &mut |range| {
        marks.push((range.end..end_of(range.end, &blank), "invitation"));
    });
    occurrences(text, "$argon2", &mut |range| {
        marks.push((range.start..end_of(range.end, &blank), "password hash"));
    });
    occurrences(text, "pf_", &mut |range| {
        let end = end_of(range.end, &|c| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'));
        // `pf_audio` is a name of ours, a token is long.
        if end - range.end >= 16 {
            marks.push((range.end..end, "token"));
        }
    });
    // The claim link carries its secret behind the `#` or in `?secret=` (see `named`).
    for word in ["/claim#", "/#claim=", "/claim?", "claim/"] {
        occurrences(text, word, &mut |range| {
            marks.push((range.end..end_of(range.end, &blank), "claim secret"));
        });
    }
}

/// Secrets to claim a host with: five groups of five small letters and digits.
pub(super) fn claims(text: &str, marks: &mut Marks) {
    for range in spans(text, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
        let groups = text.get(range.clone()).unwrap_or_default().split('-').collect::<Vec<_>>();
        // What stands right before and behind may lengthen the outer two.
        let fits = |five: &[&str]| {
            five[0].len() >= 5 && five[4].len() >= 5 && five[1..4].iter().all(|group| group.len() == 5)
        };
        if groups.windows(5).any(fits) {
            marks.push((range, "claim secret"));
        }
    }
}

/// Whether an identifier of small letters says that its value is such a secret.
fn names_it(name: &str, secret: &str) -> bool {
    name.match_indices(secret).any(|(at, _)| {
        let (before, after) = (&name[..at], &name[at + secret.len()..]);
        // A part of a name of its own: `claim_secret`, not `pinned` or `spin`.
        let edge = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphabetic());
        edge(before.chars().next_back()) && edge(after.chars().next())
    })
}

/// Values behind a name that says they are secret: `pin=1234`, `"token": "…"`, `PIN 1234`,
/// `Authorization: Bearer …`.
pub(super) fn named(text: &str, marks: &mut Marks) {
    let words = spans(text, |c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    for word in words {
        let name = text.get(word.clone()).unwrap_or_default().to_ascii_lowercase();
        let Some(secret) = NAMES.iter().find(|secret| names_it(&name, secret)) else { continue };
        let gap = Gap::after(text, word.end);
        let value = text.get(gap.end..).unwrap_or_default();
        let digits = value.chars().take_while(char::is_ascii_digit).count();
        let apart = gap.end > word.end;
        if gap.says || (apart && (digits >= 4 || *secret == "bearer")) {
            marks.push((gap.end..gap.end + length_of(value, &gap, secret), "named secret"));
        }
    }
}

/// What stands between a name and its value.
struct Gap {
    /// Where the value begins.
    end: usize,
    /// There is a `:` or `=`.
    says: bool,
    /// What ends the value: its quote, and whether that was written with a backslash.
    quote: Option<(char, bool)>,
}

impl Gap {
    fn after(text: &str, name_end: usize) -> Self {
        let mut rest = text.get(name_end..).unwrap_or_default();
        // The quote that closes the name.
        (_, rest) = quote(rest);
        rest = rest.trim_start();
        let value = rest.trim_start_matches([':', '=']);
        let says = value.len() < rest.len();
        let (quote, value) = quote(value.trim_start());
        Self { end: text.len() - value.len(), says, quote }
    }
}

/// A quote at the beginning, perhaps behind backslashes, and what follows it.
fn quote(text: &str) -> (Option<(char, bool)>, &str) {
    let bare = text.trim_start_matches('\\');
    match bare.chars().next().filter(|c| "\"'".contains(*c)) {
        Some(c) => (Some((c, bare.len() < text.len())), &bare[1..]),
        None => (None, text),
    }
}

/// How long a value is: to its closing quote when it has one; passwords to the end of the
/// line; else to the end of the word, and `Bearer …` with what follows.
fn length_of(value: &str, gap: &Gap, name: &str) -> usize {
    if let Some((quote, backslash)) = gap.quote {
        let mut escaped = false;
        let end = value.char_indices().find(|(_, c)| {
            let ends = *c == quote && (backslash || !escaped);
            escaped = *c == '\\' && !escaped;
            ends
        });
        return end.map_or(value.len(), |(at, _)| at);
    }
    let line = value.find(['\n', '\r', '&', '"']).unwrap_or(value.len());
    if name.starts_with("pass") || name == "cookie" || name == "authorization" {
        return line;
    }
    value.find(|c: char| c.is_whitespace() || "\"'`,;&)}]<>".contains(c)).unwrap_or(value.len())
}

/// Long runs of hex or base64: keys, hashes, whatever they are for.
pub(super) fn runs(text: &str, marks: &mut Marks) {
    for range in spans(text, |c| c.is_ascii_hexdigit()) {
        if range.len() >= HEX {
            marks.push((range, "long number"));
        }
    }
    for range in spans(text, |c| c.is_ascii_alphanumeric() || "+/=_-".contains(c)) {
        if range.len() >= BASE64 && is_random(text.get(range.clone()).unwrap_or_default()) {
            marks.push((range, "long number"));
        }
    }
}

/// Whether letters are as mixed as in base64. Small and capital letters and digits follow
/// each other there at random, and in words, paths and versions seldom.
fn is_random(run: &str) -> bool {
    let class = |c: char| match c {
        c if c.is_ascii_lowercase() => Some(0),
        c if c.is_ascii_uppercase() => Some(1),
        c if c.is_ascii_digit() => Some(2),
        _ => None,
    };
    let classes: Vec<_> = run.chars().filter_map(class).collect();
    let changes = classes.windows(2).filter(|pair| pair[0] != pair[1]).count();
    // In base64 it is two of three; and few of its characters are signs.
    classes.len() * 4 >= run.len() * 3 && changes * 4 >= classes.len()
}
