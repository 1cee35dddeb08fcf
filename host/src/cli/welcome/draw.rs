//! What the screen of the machine says, as rows of text beside a QR code. Only arithmetic: it
//! asks nobody and writes nowhere.

use qrcode::{Color, EcLevel, QrCode};

/// Columns that text needs beside a code: those of a claim secret and a margin.
const TEXT: usize = 36;
/// Columns of text that are read without getting lost.
const WIDEST: usize = 56;
/// Columns between code and text.
const GAP: usize = 3;
/// Addresses that are shown.
const PAGES: usize = 3;
/// Cells a module takes, and the light modules around a code: the first that fits. Cells are
/// twice as high as wide, so a module is half a cell or two.
const SIZES: [(usize, usize); 4] = [(2, 4), (2, 2), (1, 4), (1, 2)];

/// What is known of the host.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its name.
    pub name: String,
    /// Addresses and ports of its console; none without a network.
    pub pages: Vec<String>,
    /// Whose it is.
    pub whose: Whose,
    /// This is the machine's own screen, beside which there are others to log in on.
    pub consoles: bool,
}

/// Whose the host is.
#[derive(Clone, Debug)]
pub enum Whose {
    /// It does not answer.
    Unknown,
    /// The owner wants no console.
    NoConsole,
    /// Whoever has this secret can claim it.
    Nobodys(String),
    /// Somebody's.
    Owned,
    /// The claim cannot be read; why.
    Broken(String),
}

/// A row of the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Empty columns before it.
    pub left: usize,
    /// Of a QR code: ink is light.
    pub code: String,
    /// Behind it.
    pub text: String,
    /// In bright letters.
    pub loud: bool,
}

impl Row {
    /// Columns it takes.
    pub fn columns(&self) -> usize {
        self.left + self.code.chars().count() + self.text.chars().count()
    }
}

impl Facts {
    /// Nothing is awaited that would change what is shown.
    pub fn is_settled(&self) -> bool {
        !matches!(self.whose, Whose::Unknown) && !self.pages.is_empty()
    }

    /// What a phone opens: the first page, with the secret.
    fn link(&self) -> Option<String> {
        let Whose::Nobodys(secret) = &self.whose else { return None };
        Some(format!("https://{}/#claim={secret}", self.pages.first()?))
    }

    /// Paragraphs, and whether each is set off.
    fn said(&self, with_code: bool) -> Vec<(String, bool)> {
        let text = |text: &str| (text.to_owned(), false);
        let mut said = vec![(printable(&self.name), true)];
        let waits = self.pages.is_empty();
        match &self.whose {
            Whose::Unknown => said.push(text("The host is not running yet.")),
            Whose::NoConsole => said.push(text("It streams. Its console is switched off.")),
            Whose::Broken(why) => said.push(text(&format!("Its owner is not known: {}", printable(why)))),
            _ if waits => said.push(text("There is no network yet: connect a cable.")),
            Whose::Nobodys(secret) => {
                said.push(text(match with_code {
                    true => "This machine is nobody's yet. Scan the code to make it yours, or open",
                    false => "This machine is nobody's yet. To make it yours, open",
                }));
                said.extend(self.pages());
                said.push(text("and type"));
                said.push((format!("  {secret}"), true));
                said.push(text("The browser will warn of the certificate: the machine made it itself."));
            }
            Whose::Owned => {
                said.push(text("This machine streams. Its console is"));
                said.extend(self.pages());
                said.push(text(
                    "To play on another device, choose this machine there, and let the device in: \
                     Devices, Pair a device.",
                ));
            }
        }
        said
    }

    fn pages(&self) -> impl Iterator<Item = (String, bool)> + '_ {
        // One to a line, and no empty line between them.
        let pages: Vec<String> =
            self.pages.iter().take(PAGES).map(|page| format!("  https://{page}")).collect();
        std::iter::once((pages.join("\n"), true))
    }
}

/// For a terminal of so many columns and rows: never more of either.
pub fn screen(facts: &Facts, (columns, rows): (usize, usize)) -> Vec<Row> {
    let code = facts.link().and_then(|link| fitting(&link, columns, rows)).unwrap_or_default();
    let beside = code.first().map_or(0, |line| line.chars().count() + GAP);
    let mut lines = Vec::new();
    let mut said = facts.said(!code.is_empty());
    said.extend(facts.consoles.then(|| ("Alt+F2: log in here".to_owned(), false)));
    for (paragraph, loud) in said {
        if !lines.is_empty() {
            lines.push((String::new(), false));
        }
        lines.extend(wrapped(&paragraph, (columns - beside).min(WIDEST)).map(|line| (line, loud)));
    }
    let widest = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or(0);
    let left = (columns - beside - widest) / 2;
    let height = lines.len().max(code.len()).min(rows);
    let (first_line, first_code) =
        (height.saturating_sub(lines.len()) / 2, height.saturating_sub(code.len()) / 2);
    let mut picture = vec![Row::default(); (rows - height) / 2];
    for number in 0..height {
        let part = number.checked_sub(first_code).and_then(|at| code.get(at)).cloned();
        let (text, loud) =
            number.checked_sub(first_line).and_then(|at| lines.get(at)).cloned().unwrap_or_default();
        let gap = beside - part.as_ref().map_or(0, |part| part.chars().count());
        let text = if text.is_empty() { text } else { " ".repeat(gap) + &text };
        picture.push(Row { left, code: part.unwrap_or_default(), text, loud });
    }
    picture
}

/// The same for a terminal that only takes lines: with the whole link, without a picture.
pub fn plain(facts: &Facts) -> String {
    let mut text = String::from("\n");
    for (paragraph, _) in facts.said(false) {
        text += &format!("{paragraph}\n\n");
    }
    if let Some(link) = facts.link() {
        text += &format!("The same as one link:\n\n  {link}\n\n");
    }
    text
}

/// The code as large as it fits beside text.
fn fitting(link: &str, columns: usize, rows: usize) -> Option<Vec<String>> {
    let code = QrCode::with_error_correction_level(link, EcLevel::L).ok()?;
    let all = SIZES.iter().map(|(size, margin)| drawn(&code, *size, *margin));
    let fits = |lines: &Vec<String>| {
        lines.len() <= rows && lines.first().is_some_and(|line| line.chars().count() + GAP + TEXT <= columns)
    };
    all.into_iter().find(fits)
}

fn drawn(code: &QrCode, size: usize, margin: usize) -> Vec<String> {
    let inside = code.width();
    let width = inside + 2 * margin;
    let lit = |x: usize, y: usize| {
        let within = |at: usize| at.checked_sub(margin).filter(|at| *at < inside);
        y < width && within(x).zip(within(y)).is_none_or(|at| code[at] == Color::Light)
    };
    if size == 2 {
        let row = |y: usize| (0..width).map(|x| if lit(x, y) { "██" } else { "  " }).collect();
        return (0..width).map(row).collect();
    }
    let row = |y: usize| {
        let cell = |x: usize| match (lit(x, y), lit(x, y + 1)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        };
        (0..width).map(cell).collect()
    };
    (0..width).step_by(2).map(row).collect()
}

/// Lines of at most so many columns. A paragraph that begins with spaces keeps them.
fn wrapped(paragraph: &str, columns: usize) -> impl Iterator<Item = String> {
    let mut lines = Vec::new();
    for given in paragraph.lines() {
        let indent: String = given.chars().take_while(|letter| *letter == ' ').take(columns / 2).collect();
        let mut line = indent.clone();
        for word in given.split_whitespace() {
            let mut letters: Vec<char> = word.chars().collect();
            let used = line.chars().count();
            if line.trim().is_empty() {
                // The first word of a line begins it.
            } else if used + 1 + letters.len() <= columns {
                line.push(' ');
            } else {
                lines.push(std::mem::replace(&mut line, indent.clone()));
            }
            // One that is longer than a line is cut.
            while line.chars().count() + letters.len() > columns && columns > indent.len() {
                let rest = letters.split_off(columns - line.chars().count());
                line.extend(letters);
                lines.push(std::mem::replace(&mut line, indent.clone()));
                letters = rest;
            }
            if columns > indent.len() {
                line.extend(letters);
            }
        }
        lines.push(line);
    }
    lines.into_iter()
}

/// What others have written, with nothing in it that a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "abcde-fghij-kmnpq-rstuv-wxyz2";

    fn nobodys(pages: &[&str]) -> Facts {
        let pages = pages.iter().map(|page| (*page).to_owned()).collect();
        Facts { name: "living room".into(), pages, whose: Whose::Nobodys(SECRET.into()), consoles: true }
    }

    fn text(rows: &[Row]) -> String {
        rows.iter().map(|row| format!("{}\n", row.text.trim())).collect()
    }

    fn fits(rows: &[Row], (columns, height): (usize, usize)) -> bool {
        rows.len() <= height && rows.iter().all(|row| row.columns() <= columns)
    }

    #[test]
    fn the_smallest_console_shows_code_name_address_and_secret() {
        for page in
            ["192.168.1.20:47990", "192.168.101.120:47990", "[2001:db8:1:22:3333:4444:5555:6666]:47990"]
        {
            let rows = screen(&nobodys(&[page]), (80, 25));
            assert!(fits(&rows, (80, 25)));
            assert!(rows.iter().filter(|row| !row.code.is_empty()).count() > 18, "{page}");
            let text = text(&rows);
            for part in ["living room", SECRET, "Alt+F2"] {
                assert!(text.contains(part), "{part} in {text}");
            }
            let whole = text.replace('\n', "");
            assert!(whole.contains(&format!("https://{page}")), "{text}");
        }
    }

    #[test]
    fn a_large_screen_has_a_large_code_and_a_tiny_one_has_none() {
        let facts = nobodys(&["10.0.0.2:47990"]);
        let code = |size| screen(&facts, size).iter().map(|row| row.code.chars().count()).max().unwrap_or(0);
        assert!(code((160, 50)) > 70);
        assert!((37..=45).contains(&code((80, 25))));
        assert_eq!(code((60, 25)), 0);
        assert!(text(&screen(&facts, (60, 25))).contains(SECRET));
    }

    #[test]
    fn the_picture_is_the_code_of_the_link() {
        let facts = nobodys(&["10.0.0.2:47990"]);
        let link = facts.link().unwrap();
        assert_eq!(link, format!("https://10.0.0.2:47990/#claim={SECRET}"));
        let expected = QrCode::with_error_correction_level(&link, EcLevel::L).unwrap();
        for (size, margin) in SIZES {
            let lines: Vec<Vec<char>> =
                drawn(&expected, size, margin).iter().map(|line| line.chars().collect()).collect();
            let lit = |x: usize, y: usize| match size {
                2 => lines[y][2 * x] == '█' && lines[y][2 * x + 1] == '█',
                _ => matches!((y % 2, lines[y / 2][x]), (_, '█') | (0, '▀') | (1, '▄')),
            };
            let width = expected.width();
            for y in 0..width + 2 * margin {
                for x in 0..width + 2 * margin {
                    let inside =
                        (margin..width + margin).contains(&x) && (margin..width + margin).contains(&y);
                    let dark = inside && expected[(x - margin, y - margin)] == Color::Dark;
                    assert_eq!(lit(x, y), !dark, "{size} {margin}: {x} {y}");
                }
            }
        }
    }

    #[test]
    fn the_secret_is_gone_when_the_host_is_somebodys() {
        let owned = Facts { whose: Whose::Owned, ..nobodys(&["10.0.0.2:47990", "[fe80::1]:47990"]) };
        let rows = screen(&owned, (80, 25));
        let shown = text(&rows);
        assert!(rows.iter().all(|row| row.code.is_empty()) && shown.contains("https://10.0.0.2:47990"));
        assert!(shown.contains("https://[fe80::1]:47990") && shown.contains("Pair a device"));
        assert!(owned.is_settled() && !plain(&owned).contains("claim="));
    }

    #[test]
    fn what_is_missing_is_said() {
        let offline = nobodys(&[]);
        assert!(text(&screen(&offline, (80, 25))).contains("no network") && !offline.is_settled());
        let silent = Facts { whose: Whose::Unknown, ..nobodys(&["10.0.0.2:1"]) };
        assert!(plain(&silent).contains("not running") && !silent.is_settled());
        let plain = plain(&nobodys(&["10.0.0.2:47990"]));
        assert!(plain.contains(&format!("\n  https://10.0.0.2:47990/#claim={SECRET}\n")), "{plain}");
    }

    proptest! {
        #[test]
        fn nothing_leaves_the_screen(
            name in ".{0,80}", page in "\\PC{0,60}", why in ".{0,200}",
            kind in 0..5, columns in 0..200_usize, rows in 0..80_usize,
        ) {
            let whose = match kind {
                0 => Whose::Unknown,
                1 => Whose::NoConsole,
                2 => Whose::Nobodys(SECRET.into()),
                3 => Whose::Owned,
                _ => Whose::Broken(why),
            };
            let facts = Facts { name, pages: vec![page], whose, consoles: true };
            let drawn = screen(&facts, (columns, rows));
            prop_assert!(fits(&drawn, (columns, rows)));
            prop_assert!(!drawn.iter().any(|row| row.text.contains(char::is_control)));
        }
    }
}
