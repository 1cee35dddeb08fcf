//! `config`: looks at the settings without a host.

use std::path::Path;

use super::args::{ConfigAction, Places as PlaceArgs};
use super::print;
use super::start::{self, Flags};
use crate::config::{Config, Listing, Settings, Shown, Value, published, schema};
use crate::platform::Places;

/// Carries out one of the commands; the exit status is 0 when all is well.
pub(super) fn run(action: ConfigAction, places: &PlaceArgs) -> anyhow::Result<u8> {
    match action {
        ConfigAction::Check { file: Some(file) } => check_file(&file),
        ConfigAction::Check { file: None } => check(places),
        ConfigAction::Show { json } => {
            let listing = settings(places)?.list();
            if json {
                print::json(&listing)?;
            } else {
                print!("{}", table(&listing));
            }
            Ok(0)
        }
        ConfigAction::Explain { key: None } => {
            print!("{}", index(&settings(places)?.list()));
            Ok(0)
        }
        ConfigAction::Explain { key: Some(key) } => {
            let listing = settings(places)?.list();
            match listing.settings.iter().find(|shown| shown.key == key) {
                Some(shown) => print!("{}", explained(shown)),
                None => anyhow::bail!("{}", unknown(&key)),
            }
            Ok(0)
        }
        ConfigAction::Schema => {
            print::json(&published::json_schema())?;
            Ok(0)
        }
    }
}

/// The settings that a host with these arguments would have. Their mistakes go to
/// standard error.
fn settings(places: &PlaceArgs) -> anyhow::Result<Settings> {
    let mut found = Places::find()?;
    let (layers, _) = start::layers(places, &Flags::new(), &mut found)?;
    let settings = Settings::open(layers)?;
    for problem in &settings.current().problems {
        eprintln!("punktfunk-host: {problem}");
    }
    Ok(settings)
}

fn check_file(file: &Path) -> anyhow::Result<u8> {
    let read = crate::platform::read_bounded(file, crate::config::MAX_FILE_BYTES, true);
    let bytes = read.map_err(|error| anyhow::anyhow!("{}: cannot be read ({error})", file.display()))?;
    match Config::parse_bytes(&bytes, file) {
        Ok(_) => {
            println!("{}: good", file.display());
            Ok(0)
        }
        Err(error) => Ok(tell(&error.problems)),
    }
}

fn check(places: &PlaceArgs) -> anyhow::Result<u8> {
    let mut found = Places::find()?;
    let (layers, _) = start::layers(places, &Flags::new(), &mut found)?;
    let (files, problems) = layers.check();
    if !problems.is_empty() {
        return Ok(tell(&problems));
    }
    for file in &files {
        println!("{}: good", file.display());
    }
    if files.is_empty() {
        println!("There is no file of settings here: everything has its default.");
    }
    Ok(0)
}

fn tell(problems: &[crate::config::Problem]) -> u8 {
    for problem in problems {
        eprintln!("{problem}");
    }
    let mistakes =
        if problems.len() == 1 { "1 mistake".to_owned() } else { format!("{} mistakes", problems.len()) };
    eprintln!("{mistakes} found.");
    1
}

/// All settings, their values and where they are set, in columns.
fn table(listing: &Listing) -> String {
    let rows: Vec<_> =
        listing.settings.iter().map(|shown| (&*shown.key, value(&shown.value), origin(shown))).collect();
    let keys = rows.iter().map(|(key, ..)| key.len()).max().unwrap_or(0);
    let values = rows.iter().map(|(_, value, _)| value.chars().count()).max().unwrap_or(0).min(40);
    let mut text = String::new();
    for (key, value, origin) in rows {
        text += &format!("{key:keys$}  {value:values$}  {origin}\n");
    }
    text
}

fn index(listing: &Listing) -> String {
    let keys = listing.settings.iter().map(|shown| shown.key.len()).max().unwrap_or(0);
    let line = |shown: &Shown| format!("{:keys$}  {}\n", shown.key, shown.title);
    let mut text: String = listing.settings.iter().map(line).collect();
    text += "\n`punktfunk-host config explain KEY` says what one does.\n";
    text
}

fn value(value: &Option<Value>) -> String {
    value.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string)
}

/// Where a value is set, as people look for it.
fn origin(shown: &Shown) -> String {
    match (&shown.source_file, shown.source_line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.clone(),
        (None, _) => "default".to_owned(),
    }
}

fn explained(shown: &Shown) -> String {
    let kind = schema::find(&shown.key).map(|setting| setting.kind.to_string()).unwrap_or_default();
    let preset = match (schema::find(&shown.key).map(|setting| setting.preset), &shown.default) {
        (_, Some(value)) => value.to_string(),
        (Some(schema::Preset::Nothing(what) | schema::Preset::OfMachine(what)), None) => what.to_owned(),
        (_, None) => "none".to_owned(),
    };
    let effect = if shown.needs_restart { "when the host starts again" } else { "at once" };
    let example = match shown.key.split_once('.') {
        Some((table, name)) => format!("    [{table}]\n    {name} = {}\n", example(shown)),
        None => format!("    {} = {}\n", shown.key, example(shown)),
    };
    format!(
        "{} ({})\n\n{}\n\nIs:            {}\nSet by:        {}\nMay be:        {}\nDefault:       {}\n\
         Takes effect:  {effect}\n\n{example}",
        shown.key,
        shown.title,
        plain(&shown.help),
        value(&shown.value),
        origin(shown),
        plain(&kind),
        plain(&preset),
    )
}

/// A value to start from.
fn example(shown: &Shown) -> String {
    let some = shown.value.clone().or_else(|| shown.default.clone());
    some.map_or_else(|| "…".to_owned(), |value| value.to_string())
}

/// Without the marks of Markdown.
fn plain(text: &str) -> String {
    text.replace('`', "")
}

fn unknown(key: &str) -> String {
    match schema::nearest(key) {
        Some(meant) => format!("there is no setting `{key}`; did you mean `{meant}`?"),
        None => format!("there is no setting `{key}`; `punktfunk-host config explain` lists them"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_aligned_and_says_where_a_value_is_set() {
        let listing = Settings::fixed(Config::default()).list();
        let text = table(&listing);
        assert_eq!(text.lines().count(), listing.settings.len());
        let line = text.lines().find(|line| line.starts_with("sessions.max ")).unwrap();
        assert!(line.contains("  8 ") && line.ends_with("  default"), "{line}");
    }

    #[test]
    fn an_explanation_has_an_example_that_can_be_copied() {
        let listing = Settings::fixed(Config::default()).list();
        for shown in &listing.settings {
            let text = explained(shown);
            assert!(!text.contains('`'), "{text}");
            if shown.value.is_some() {
                let example: String = text
                    .lines()
                    .filter_map(|line| line.strip_prefix("    "))
                    .map(|l| format!("{l}\n"))
                    .collect();
                // A variant of the locale needs its layout beside it.
                let pair = shown.key == "keyboard.variant";
                Config::parse(&example, Path::new("f"))
                    .map(drop)
                    .or_else(|e| if pair { Ok(()) } else { Err(e) })
                    .unwrap();
            }
        }
    }
}
