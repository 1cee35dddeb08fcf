//! Desktop entries (`*.desktop`), as version 1.5 of their specification on
//! freedesktop.org writes them. No files are read here: text in, plain data out. The
//! text is foreign: whatever it holds, there is an entry or none, never a panic.
//!
//! Depends on nothing, as the fuzzer builds this file without the rest.

use std::collections::HashMap;

/// A longer file is no desktop entry.
pub const MAX_LEN: usize = 256 * 1024;
/// More arguments than any application has.
pub const MAX_ARGUMENTS: usize = 256;

/// An application that can be started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its name, in the language of the user.
    pub name: String,
    /// What kind of thing it is ("Web Browser"), or a sentence about it; may be empty.
    pub about: String,
    /// Name or path of its icon; may be empty.
    pub icon: String,
    /// Words to find it by, besides its name.
    pub keywords: Vec<String>,
    /// The command, field codes not yet replaced.
    pub exec: String,
    /// It is shown only when this program is there.
    pub try_exec: Option<String>,
    /// Where it runs.
    pub path: Option<String>,
    /// What it is among others, such as `Game`; words of the specification of menus.
    pub categories: Vec<String>,
    /// It needs a terminal to show itself.
    pub terminal: bool,
    /// It wants to be in menus of this desktop. One that does not still hides others of
    /// the same name that are found later.
    pub shown: bool,
}

/// The endings a localized key may have, best first, for a locale as `LANG` names it:
/// `de_AT.UTF-8@euro` gives `de_AT@euro`, `de_AT`, `de@euro`, `de`.
pub fn locales(locale: &str) -> Vec<String> {
    let (rest, modifier) = locale.split_once('@').map_or((locale, None), |(rest, m)| (rest, Some(m)));
    let rest = rest.split_once('.').map_or(rest, |(rest, _)| rest);
    let (language, country) = rest.split_once('_').map_or((rest, None), |(l, c)| (l, Some(c)));
    if matches!(language, "" | "C" | "POSIX") {
        return Vec::new();
    }
    let mut found = Vec::new();
    if let (Some(country), Some(modifier)) = (country, modifier) {
        found.push(format!("{language}_{country}@{modifier}"));
    }
    if let Some(country) = country {
        found.push(format!("{language}_{country}"));
    }
    if let Some(modifier) = modifier {
        found.push(format!("{language}@{modifier}"));
    }
    found.push(language.to_owned());
    found
}

/// Reads a desktop entry. `locales` as [`locales`] gives them, `desktop` is ours among
/// the names of `OnlyShowIn` and `NotShowIn`. Nothing when it is no application.
pub fn parse(text: &str, locales: &[String], desktop: &str) -> Option<Entry> {
    if text.len() > MAX_LEN {
        return None;
    }
    let keys = group(text)?;
    let raw = |key: &str| keys.get(key).copied();
    let text = |key: &str| raw(key).map(unescape).filter(|text| !text.is_empty());
    let local = |key: &str| {
        let localized = locales.iter().find_map(|locale| raw(&format!("{key}[{locale}]")));
        localized.or_else(|| raw(key)).unwrap_or_default()
    };
    let flag = |key: &str| raw(key) == Some("true");
    let hidden = flag("Hidden");
    if raw("Type") != Some("Application") && !hidden {
        return None;
    }
    let names_us = |key: &str| raw(key).map(|value| list(value).iter().any(|name| name == desktop));
    let about = ["GenericName", "Comment"].map(|key| unescape(local(key)));
    let entry = Entry {
        name: unescape(local("Name")),
        about: about.iter().find(|about| !about.is_empty()).cloned().unwrap_or_default(),
        icon: unescape(local("Icon")),
        keywords: list(local("Keywords")),
        exec: text("Exec").unwrap_or_default(),
        try_exec: text("TryExec"),
        path: text("Path"),
        categories: raw("Categories").map(list).unwrap_or_default(),
        terminal: flag("Terminal"),
        shown: !hidden
            && !flag("NoDisplay")
            && names_us("OnlyShowIn").unwrap_or(true)
            && !names_us("NotShowIn").unwrap_or(false),
    };
    // What hides others needs neither name nor command.
    let whole = !entry.name.is_empty() && command(&entry, "").is_some();
    (whole || !entry.shown).then_some(entry)
}

/// The keys of the group `[Desktop Entry]`, which must be the first.
fn group(text: &str) -> Option<HashMap<&str, &str>> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    if lines.next()? != "[Desktop Entry]" {
        return None;
    }
    let mut keys = HashMap::new();
    for line in lines.take_while(|line| !line.starts_with('[')) {
        if let Some((key, value)) = line.split_once('=') {
            // The first of two wins.
            keys.entry(key.trim_end()).or_insert(value.trim_start());
        }
    }
    Some(keys)
}

/// Replaces the escapes of the type `string`.
fn unescape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match (character == '\\').then(|| characters.next()).flatten() {
            None => text.push(character),
            Some('s') => text.push(' '),
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('\\') => text.push('\\'),
            Some(other) => text.extend(['\\', other]),
        }
    }
    text
}

/// The parts of a list; `\;` is no end of one.
fn list(value: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        let Some(last) = parts.last_mut() else { break };
        match character {
            '\\' if characters.peek() == Some(&';') => last.extend(characters.next()),
            // Not an escape of the list: the string's own, left as it is.
            '\\' => last.extend(std::iter::once('\\').chain(characters.next())),
            ';' => parts.push(String::new()),
            other => last.push(other),
        }
    }
    parts.iter().map(|part| unescape(part)).filter(|part| !part.is_empty()).collect()
}

/// The arguments of an entry's command, the first of them the program. No file is
/// handed over. `location` is the path of the entry itself, for `%k`. Nothing when the
/// command is none.
pub fn command(entry: &Entry, location: &str) -> Option<Vec<String>> {
    let mut arguments = Vec::new();
    for (word, quoted) in words(&entry.exec)? {
        match word.as_str() {
            "%i" if entry.icon.is_empty() => {}
            "%i" => arguments.extend(["--icon".to_owned(), entry.icon.clone()]),
            _ => {
                let argument = expand(&word, entry, location)?;
                if quoted || !argument.is_empty() {
                    arguments.push(argument);
                }
            }
        }
        if arguments.len() > MAX_ARGUMENTS {
            return None;
        }
    }
    let program = arguments.first()?;
    // "=" would make it an assignment for those who ask a shell.
    (!program.is_empty() && !program.contains(['=', '\0'])).then_some(arguments)
}

/// Replaces the field codes in one word.
fn expand(word: &str, entry: &Entry, location: &str) -> Option<String> {
    let mut argument = String::new();
    let mut characters = word.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            argument.push(character);
            continue;
        }
        match characters.next()? {
            '%' => argument.push('%'),
            'c' => argument.push_str(&entry.name),
            'k' => argument.push_str(location),
            // Files, of which there are none, and codes that mean nothing any more.
            'f' | 'F' | 'u' | 'U' | 'd' | 'D' | 'n' | 'N' | 'v' | 'm' | 'i' => {}
            _ => return None,
        }
    }
    Some(argument)
}

/// The words of a command and whether they were quoted. Nothing when a quote is left open.
fn words(exec: &str) -> Option<Vec<(String, bool)>> {
    let mut words = Vec::new();
    let mut word: Option<(String, bool)> = None;
    let mut characters = exec.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '"' => {
                let (text, quoted) = word.get_or_insert_default();
                *quoted = true;
                loop {
                    match characters.next()? {
                        '"' => break,
                        '\\' => text.push(characters.next()?),
                        other => text.push(other),
                    }
                }
            }
            '\\' => word.get_or_insert_default().0.push(characters.next()?),
            other => word.get_or_insert_default().0.push(other),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::super::exercise::exercise;
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<Entry> {
        parse(text, &locales("de_AT.UTF-8"), "punktfunk")
    }

    fn with(lines: &str) -> Option<Entry> {
        read(&format!("[Desktop Entry]\nType=Application\nName=Name\nExec=run\n{lines}"))
    }

    fn arguments(exec: &str) -> Option<Vec<String>> {
        let entry = Entry {
            name: "A name".to_owned(),
            icon: "face".to_owned(),
            exec: exec.to_owned(),
            ..Entry::default()
        };
        command(&entry, "/a b.desktop")
    }

    #[test]
    fn an_entry_is_read_in_the_language_of_the_user() {
        let text = "# a comment\n\n[Desktop Entry]\nType=Application\nName=Files\nName[de]=Dateien\n\
            Name[fr]=Fichiers\nGenericName[de_AT]=Verwaltung\\sx\nComment=never\nIcon=folder\n\
            Keywords=one;two\\;three;;\nCategories=Game;Network;\nExec=files --new %U\nTryExec=files\nPath=/tmp\nTerminal=true\n\
            [Desktop Action new]\nName=Other\nExec=other\n";
        let entry = read(text).unwrap();
        assert_eq!((entry.name.as_str(), entry.about.as_str()), ("Dateien", "Verwaltung x"));
        assert_eq!(entry.keywords, ["one", "two;three"]);
        assert_eq!(entry.categories, ["Game", "Network"]);
        assert_eq!((entry.try_exec.as_deref(), entry.path.as_deref()), (Some("files"), Some("/tmp")));
        assert!(entry.terminal && entry.shown);
        assert_eq!(command(&entry, "").unwrap(), ["files", "--new"]);
        assert_eq!(parse(text, &locales("C"), "punktfunk").unwrap().name, "Files");
    }

    #[test]
    fn locales_lose_their_encoding_and_then_their_country() {
        assert_eq!(locales("de_AT.UTF-8@euro"), ["de_AT@euro", "de_AT", "de@euro", "de"]);
        assert_eq!(locales("fr"), ["fr"]);
        for none in ["", "C", "C.UTF-8", "POSIX"] {
            assert!(locales(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn what_asks_not_to_be_shown_is_not_but_hides_others() {
        assert!(with("").unwrap().shown);
        for line in ["NoDisplay=true", "Hidden=true", "OnlyShowIn=GNOME;KDE;", "NotShowIn=GNOME;punktfunk;"] {
            assert!(!with(line).unwrap().shown, "{line}");
        }
        for line in ["NoDisplay=false", "OnlyShowIn=GNOME;punktfunk;", "NotShowIn=KDE;"] {
            assert!(with(line).unwrap().shown, "{line}");
        }
        assert!(!read("[Desktop Entry]\nHidden=true\n").unwrap().shown);
    }

    #[test]
    fn what_is_no_application_is_none() {
        for text in [
            "",
            "Name=x",
            "[Desktop Action x]\nType=Application\nName=x\nExec=x",
            "[Desktop Entry]\nType=Link\nName=x\nURL=x",
            "[Desktop Entry]\nType=Application\nName=x",
            "[Desktop Entry]\nType=Application\nExec=x",
            "[Desktop Entry]\nType=Application\nName=x\nExec=\"open",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn commands_are_split_and_their_codes_replaced() {
        let some = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(arguments("a  b\tc"), some(&["a", "b", "c"]));
        assert_eq!(arguments(r#""/a b/c" "\"\$\`\\" """#), some(&["/a b/c", "\"$`\\", ""]));
        assert_eq!(arguments("x %f %F %u %U %d -- %m"), some(&["x", "--"]));
        assert_eq!(
            arguments("x %i %c %k 100%%"),
            some(&["x", "--icon", "face", "A name", "/a b.desktop", "100%"])
        );
        assert_eq!(arguments("x --file=%f"), some(&["x", "--file="]));
        for none in ["", "  ", "%f", "x %z", "x %", "\"x", "x \\", "A=b x", "\"\""] {
            assert_eq!(arguments(none), None, "{none:?}");
        }
    }

    #[test]
    fn the_corpus_is_read() {
        let folder =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../core/fuzz/corpus/desktop_entry");
        let seeds: Vec<_> = std::fs::read_dir(folder).unwrap().map(|seed| seed.unwrap().path()).collect();
        assert!(seeds.len() >= 3);
        seeds.iter().for_each(|seed| exercise(&std::fs::read(seed).unwrap()));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(data: Vec<u8>) {
            exercise(&data);
        }

        #[test]
        fn no_lines_make_it_panic(lines in proptest::collection::vec(
            ("(Name|Exec|Icon|Type|Hidden|OnlyShowIn|Keywords|TryExec)(\\[de\\])?", "[a-z%\\\\\";= ]{0,20}"), 0..12))
        {
            let lines: String = lines.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
            exercise(format!("de\n[Desktop Entry]\nType=Application\n{lines}").as_bytes());
        }

        #[test]
        fn a_quoted_argument_comes_back(text in "[^\\\\\"`$%\0]{0,30}") {
            prop_assert_eq!(arguments(&format!("x \"{text}\"")).unwrap(), ["x".to_owned(), text]);
        }
    }
}
