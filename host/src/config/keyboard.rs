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
    /// Refused with the key that is wrong.
    pub(super) fn new(entry: Entry) -> Result<Self, (&'static str, String)> {
        let (layout, variant) = match (entry.layout, entry.variant) {
            (Some(layout), variant) => (layout, variant.unwrap_or_default()),
            // No variant is what every layout has.
            (None, Some(variant)) if !variant.is_empty() => {
                let message = "`keyboard.variant` needs `keyboard.layout` beside it";
                return Err(("keyboard.variant", message.to_owned()));
            }
            (None, _) => {
                let (layout, variant) = layout_for_locale(&locale());
                (layout.to_owned(), variant.to_owned())
            }
        };
        Ok(Self { layout, variant, options: entry.options.unwrap_or_default() })
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
    use crate::config::schema;

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
        let layout = |text: &str| schema::find("keyboard.layout").unwrap().check(text.into());
        assert!(layout("us,ru").is_ok());
        assert!(layout("").is_err());
        assert!(layout("../../etc/passwd").is_err());
        assert!(Keyboard::new(Entry { variant: Some("x".into()), ..Entry::default() }).is_err());
    }
}
