//! Takes out of a text what nobody else should read: secrets always, and what names
//! people and their networks where the text leaves the machine.
//!
//! Every rule looks at the whole original text and marks bytes of it; then everything that
//! is marked becomes [`Redactor::MARK`]. So no rule can hide from another what that one
//! would have found, and a rule too many only removes more.

mod personal;
mod secrets;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{PoisonError, RwLock};

/// Secrets that are known by their text, at most; the oldest are forgotten.
const KNOWN: usize = 256;
/// Shorter ones would take ordinary words out.
const SHORTEST: usize = 4;
/// What a rule takes out, for the count of what was removed.
type Kind = &'static str;

/// What is to be taken out: where, and what it is.
type Marks = Vec<(Range<usize>, Kind)>;

/// A text without what was taken out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redacted {
    /// The text.
    pub text: String,
    /// How often something of each kind was found.
    pub removed: BTreeMap<Kind, usize>,
}

/// What takes secrets out.
#[derive(Debug, Default)]
pub struct Redactor {
    known: RwLock<Vec<(String, Kind)>>,
    personal: bool,
}

impl Redactor {
    /// What stands where something was taken out.
    pub const MARK: &'static str = "•••";

    /// For what stays on this machine: takes secrets out.
    pub fn of_secrets() -> Self {
        Self::default()
    }

    /// For what leaves it: takes e-mail addresses, users' names in paths, hardware addresses
    /// and the ends of public network addresses out, too.
    pub fn for_others() -> Self {
        Self { personal: true, ..Self::default() }
    }

    /// Takes this text out wherever it stands. One shorter than four bytes is left in: it
    /// would take ordinary words to pieces.
    pub fn hide(&self, secret: &str) {
        self.know(secret, "known secret");
    }

    /// Takes this name out wherever it stands.
    pub fn hide_name(&self, name: &str) {
        self.know(name, "name");
    }

    /// Knows what `other` knows, too.
    pub fn learn_from(&self, other: &Self) {
        let theirs = other.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        theirs.iter().for_each(|(text, kind)| self.know(text, kind));
    }

    fn know(&self, text: &str, kind: Kind) {
        // What consists of the mark would make it be taken out without end.
        if text.trim().len() < SHORTEST || text.chars().all(|c| c == '•') {
            return;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.iter().any(|(have, _)| have == text) {
            return;
        }
        if known.len() == KNOWN {
            known.remove(0);
        }
        known.push((text.to_owned(), kind));
    }

    /// True for names of values that are secrets.
    pub fn is_secret_name(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        secrets::is_name(&name)
    }

    /// The text without what this redactor takes out.
    pub fn clean(&self, text: &str) -> Redacted {
        let mut marks: Marks = Vec::new();
        for (known, kind) in self.known.read().unwrap_or_else(PoisonError::into_inner).iter() {
            occurrences(text, known, &mut |range| marks.push((range, kind)));
            // As it stands inside JSON.
            let quoted = serde_json::Value::from(known.as_str()).to_string();
            let escaped = quoted.trim_matches('"');
            if escaped != known {
                occurrences(text, escaped, &mut |range| marks.push((range, kind)));
            }
        }
        secrets::pem(text, &mut marks);
        secrets::links(text, &mut marks);
        secrets::claims(text, &mut marks);
        secrets::named(text, &mut marks);
        secrets::runs(text, &mut marks);
        if self.personal {
            personal::emails(text, &mut marks);
            personal::homes(text, &mut marks);
            personal::hardware(text, &mut marks);
            personal::addresses(text, &mut marks);
        }
        without(text, marks)
    }
}

/// Puts the mark in the place of everything that is marked.
fn without(text: &str, mut marks: Marks) -> Redacted {
    marks.retain(|(range, _)| !range.is_empty());
    marks.sort_by_key(|(range, _)| (range.start, range.end));
    let (mut out, mut at) = (Redacted::default(), 0);
    let mut open: Option<usize> = None;
    for (range, kind) in marks {
        *out.removed.entry(kind).or_default() += 1;
        match open {
            // It reaches into the one before: one mark for both.
            Some(end) if range.start <= end => open = Some(end.max(range.end)),
            _ => {
                if let Some(end) = open {
                    at = end;
                }
                out.text.push_str(text.get(at..range.start).unwrap_or_default());
                out.text.push_str(Redactor::MARK);
                open = Some(range.end);
            }
        }
    }
    out.text.push_str(text.get(open.unwrap_or(at)..).unwrap_or_default());
    out
}

/// Every place where `wanted` stands, overlapping ones, too.
fn occurrences(text: &str, wanted: &str, found: &mut dyn FnMut(Range<usize>)) {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(wanted)) {
        let start = from + at;
        found(start..start + wanted.len());
        from = start + wanted.chars().next().map_or(1, char::len_utf8);
    }
}

/// Runs of characters that `belongs` is true for.
fn spans(text: &str, belongs: impl Fn(char) -> bool) -> Vec<Range<usize>> {
    let (mut all, mut start) = (Vec::new(), None);
    for (at, c) in text.char_indices() {
        match (belongs(c), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                all.push(from..at);
                start = None;
            }
            _ => {}
        }
    }
    all.extend(start.map(|from| from..text.len()));
    all
}
