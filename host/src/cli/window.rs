//! `punktfunk-host pair --native`: opens a window, shows PIN and QR code, and waits for
//! the client that comes through it. Ctrl-C closes the window.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::{Context as _, bail};
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

use super::print;
use super::start::Start;
use crate::serve::owner::{Answer, Owner, Request};

/// What the command line says.
pub(super) struct Wish {
    /// What to call the client.
    pub name: Option<String>,
    /// What it may do.
    pub access: String,
    /// Until when, seconds since 1970.
    pub expires: Option<u64>,
    /// Print JSON: the window, then the client.
    pub json: bool,
}

pub(super) fn run(start: &Start, wish: &Wish) -> anyhow::Result<u8> {
    let mut owner = Owner::connect(&start.socket())?;
    let request =
        Request::OpenWindow { name: wish.name.clone(), access: wish.access.clone(), expires: wish.expires };
    let answer = owner.ask(&request)?;
    let Answer::Window { window, pin, payload, seconds } = &answer else {
        bail!("unexpected answer {answer:?}")
    };
    if wish.json {
        print::json(&answer)?;
    } else {
        print!("{}", invitation(pin, payload, *seconds, io::stdout().is_terminal())?);
        io::stdout().flush()?;
    }
    match owner.ask(&Request::Outcome { window: *window })? {
        Answer::Paired { client } if wish.json => print::json(&client)?,
        Answer::Paired { client } => {
            println!("Paired: {:?} can now stream from this host ({}).", client.name, client.access);
        }
        other => bail!("unexpected answer {other:?}"),
    }
    Ok(0)
}

/// What is shown while the window is open.
fn invitation(pin: &str, payload: &str, seconds: u64, colours: bool) -> anyhow::Result<String> {
    let code = code(payload, colours)?;
    let (left, right) = pin.split_at_checked(3).unwrap_or((pin, ""));
    Ok(format!(
        "{code}\nScan this with the client, or choose this host there and type the PIN:\n\n    {left} {right}\n\n\
         The same as text: {payload}\nWaiting for {seconds} s; Ctrl-C closes the window.\n"
    ))
}

/// The QR code, two modules a character. In colours, black is on white whatever the
/// terminal has; without, its background is taken for black.
pub(super) fn code(payload: &str, colours: bool) -> anyhow::Result<String> {
    let code = QrCode::with_error_correction_level(payload, EcLevel::L).context("the payload is too long")?;
    let mut picture = code.render::<Dense1x2>();
    if !colours {
        return Ok(picture.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build() + "\n");
    }
    let lines: Vec<String> =
        picture.build().lines().map(|line| format!("\x1b[30;107m{line}\x1b[0m\n")).collect();
    Ok(lines.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYLOAD: &str = "punktfunk://192.168.1.20:9777/pair?v=1&fp=0011223344556677001122334455667700112233\
                           4455667700112233445566770&s=00112233445566778899aabbccddeeff&n=living%20room";

    /// Reads the modules back out of the characters.
    fn modules(picture: &str) -> Vec<Vec<bool>> {
        let rows = picture.lines().map(|line| line.chars().collect::<Vec<_>>());
        let both = |row: Vec<char>| {
            let upper = row.iter().map(|c| matches!(c, '█' | '▀')).collect();
            let lower = row.iter().map(|c| matches!(c, '█' | '▄')).collect();
            [upper, lower]
        };
        rows.flat_map(both).collect()
    }

    #[test]
    fn the_picture_is_the_code_with_its_quiet_zone() {
        let expected = QrCode::with_error_correction_level(PAYLOAD, EcLevel::L).unwrap();
        let width = expected.width();
        let plain = modules(&code(PAYLOAD, false).unwrap());
        let coloured = code(PAYLOAD, true).unwrap();
        let coloured: String =
            coloured.lines().map(|l| l.replace("\x1b[30;107m", "").replace("\x1b[0m", "") + "\n").collect();
        let coloured = modules(&coloured);
        for y in 0..width + 8 {
            for x in 0..width + 8 {
                let inside = (4..width + 4).contains(&x) && (4..width + 4).contains(&y);
                let dark = inside && expected[(x - 4, y - 4)] == qrcode::Color::Dark;
                assert_eq!(plain[y][x], !dark, "{x} {y}: lit where it is light");
                assert_eq!(coloured[y][x], dark, "{x} {y}: inked where it is dark");
            }
        }
    }

    #[test]
    fn an_invitation_has_everything_that_pairs() {
        let text = invitation("012345", PAYLOAD, 120, false).unwrap();
        assert!(text.contains("    012 345\n") && text.contains(PAYLOAD) && text.contains("120 s"));
        assert!(text.lines().all(|line| line.starts_with("The same") || line.chars().count() <= 80));
    }
}
