//! The parser of desktop entries under foreign bytes. The fuzzer builds this file too.

use super::entry;

/// Feeds foreign bytes to everything here: what the fuzzer and the corpus test drive.
pub fn exercise(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (first, rest) = text.split_once('\n').unwrap_or(("", &text));
    let locales = entry::locales(first);
    assert!(locales.len() <= 4);
    if let Some(found) = entry::parse(rest, &locales, "punktfunk") {
        assert_eq!(entry::parse(rest, &locales, "punktfunk").as_ref(), Some(&found));
        let command = entry::command(&found, "/x.desktop");
        assert!(!found.shown || command.is_some_and(|command| command.len() <= entry::MAX_ARGUMENTS));
    }
}
