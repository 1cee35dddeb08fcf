//! The keyboard of a seat, in XKB names, and its default from the locale.

use serde::Deserialize;

/// The keyboard of a seat, in the names of XKB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyboard {
    /// Such as `de` or `us,ru`.
    pub layout: String,
    /// Such as `nodeadkeys`; may be empty.
    pub variant: String,
    /// Such as `compose:ralt`; may be empty.
    pub options: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Entry {
    layout: Option<String>,
    variant: Option<String>,
    options: Option<String>,
}

impl Keyboard {
    pub(super) fn new(entry: Entry) -> Result<Self, String> {
        let (layout, variant) = match (entry.layout, entry.variant) {
            (Some(layout), variant) => (layout, variant.unwrap_or_default()),
            (None, Some(_)) => {
                return Err("`keyboard.variant` needs `keyboard.layout` beside it".to_owned());
            }
            (None, None) => {
                let (layout, variant) = layout_for_locale(&locale());
                (layout.to_owned(), variant.to_owned())
            }
        };
        let options = entry.options.unwrap_or_default();
        for (key, value) in [("layout", &layout), ("variant", &variant), ("options", &options)] {
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-,:()+".contains(c);
            if value.len() > 200 || !value.chars().all(plain) {
                return Err(format!("`keyboard.{key}` must be XKB names such as \"de\" or \"us,ru\""));
            }
        }
        if layout.is_empty() {
            return Err("`keyboard.layout` is empty: name one, or remove the line".to_owned());
        }
        Ok(Self { layout, variant, options })
    }
}

/// The variable that decides about a locale comes first in POSIX order.
fn locale() -> String {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty())
        .unwrap_or_default()
}

/// The XKB layout and variant that people of a locale such as `de_CH.UTF-8`
/// expect; `us` when nothing is known.
pub fn layout_for_locale(locale: &str) -> (&'static str, &'static str) {
    let name = locale.split(['.', '@']).next().unwrap_or_default();
    let (language, country) = name.split_once('_').unwrap_or((name, ""));
    match (language, country) {
        ("en", "GB" | "IE") => ("gb", ""),
        ("de" | "gsw", "CH") => ("ch", ""),
        ("fr", "CH") => ("ch", "fr"),
        ("fr", "CA") => ("ca", ""),
        ("fr" | "nl", "BE") => ("be", ""),
        ("de", "AT") => ("at", ""),
        ("es", "" | "ES") => ("es", ""),
        ("es", _) => ("latam", ""),
        ("pt", "BR") => ("br", ""),
        ("zh", "TW") => ("tw", ""),
        ("zh", _) => ("cn", ""),
        (
            "de" | "fr" | "it" | "pt" | "fi" | "no" | "pl" | "hu" | "ro" | "sk" | "hr" | "bg" | "is" | "lt"
            | "lv" | "ru" | "tr",
            _,
        ) => (own_name(language), ""),
        ("nb" | "nn", _) => ("no", ""),
        ("sv", _) => ("se", ""),
        ("da", _) => ("dk", ""),
        ("cs", _) => ("cz", ""),
        ("sl", _) => ("si", ""),
        ("et", _) => ("ee", ""),
        ("el", _) => ("gr", ""),
        ("uk", _) => ("ua", ""),
        ("sr", _) => ("rs", ""),
        ("ja", _) => ("jp", ""),
        ("ko", _) => ("kr", ""),
        ("he", _) => ("il", ""),
        _ => ("us", ""),
    }
}

/// Languages whose layout has the language's own two letters.
fn own_name(language: &str) -> &'static str {
    const NAMES: [&str; 17] = [
        "de", "fr", "it", "pt", "fi", "no", "pl", "hu", "ro", "sk", "hr", "bg", "is", "lt", "lv", "ru", "tr",
    ];
    NAMES.into_iter().find(|name| *name == language).unwrap_or("us")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_decides_about_the_layout() {
        for (locale, layout) in [
            ("de_DE.UTF-8", ("de", "")),
            ("fr_CH.UTF-8", ("ch", "fr")),
            ("en_US.UTF-8", ("us", "")),
            ("en_GB", ("gb", "")),
            ("sv_SE.UTF-8@euro", ("se", "")),
            ("C.UTF-8", ("us", "")),
            ("", ("us", "")),
        ] {
            assert_eq!(layout_for_locale(locale), layout, "{locale}");
        }
    }

    #[test]
    fn names_are_checked_before_they_reach_the_compiler_of_keymaps() {
        let entry = |layout: &str| Entry { layout: Some(layout.to_owned()), ..Entry::default() };
        assert!(Keyboard::new(entry("us,ru")).is_ok());
        assert!(Keyboard::new(entry("")).is_err());
        assert!(Keyboard::new(entry("../../etc/passwd")).is_err());
        assert!(Keyboard::new(Entry { variant: Some("x".into()), ..Entry::default() }).is_err());
    }
}
