//! What a seat runs for a game of Steam: starts Steam with the game, watches the game and
//! closes Steam when it is over, so that the session ends with the game.
//!
//! It runs in the seat as `punktfunk-host steam-game`. That no other Steam runs was seen
//! to before ([`super::guard`]).

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::guard::Steam;
use crate::platform::own_processes;

/// How often it is looked for the game.
const LOOK: Duration = Duration::from_secs(1);
/// Looks in a row without the game before it counts as ended: some start another and go.
const GONE: u32 = 6;
/// How long Steam may take to close; the seat ends it after that.
const CLOSING: Duration = Duration::from_secs(30);

/// Plays a game by its number, or `big-picture`; gives the exit status.
pub fn play(what: &str, flatpak: bool) -> std::io::Result<u8> {
    let steam = Steam::new(flatpak);
    let mut command = steam.command();
    let game = what.parse::<u64>().ok();
    match game {
        // Without its window of the library; whatever screen its user set it to start with.
        Some(game) => command.args(["-silent", &format!("steam://rungameid/{game}")]),
        None => command.arg("-gamepadui"),
    };
    let mut child = command.spawn()?;
    let Some(game) = game else { return Ok(code(child.wait()?.code())) };
    let app = app_of(game);
    if let Some(code) = watch(&mut child, || is_running(app), LOOK)? {
        return Ok(code);
    }
    let mut ask = steam.command();
    ask.arg("-shutdown").stdout(Stdio::null()).stderr(Stdio::null());
    let mut asked = ask.spawn()?;
    let deadline = Instant::now() + CLOSING;
    while child.try_wait()?.is_none() && Instant::now() < deadline {
        let _ = asked.try_wait();
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(0)
}

/// Waits until the game ran and is gone; gives the status of Steam when that ended first.
fn watch(child: &mut Child, is_running: impl Fn() -> bool, look: Duration) -> std::io::Result<Option<u8>> {
    let (mut seen, mut gone) = (false, 0);
    while !seen || gone < GONE {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(code(status.code())));
        }
        std::thread::sleep(look);
        if is_running() {
            (seen, gone) = (true, 0);
        } else {
            gone += 1;
        }
    }
    Ok(None)
}

/// Steam's number of what runs: a shortcut's stands in the upper half.
const fn app_of(game: u64) -> u64 {
    if game > u32::MAX as u64 { game >> 32 } else { game }
}

/// Steam starts each game below a process of its own, which says the game's number.
fn is_running(app: u64) -> bool {
    let mark = format!("AppId={app}");
    own_processes().iter().any(|process| {
        let arguments = process.arguments();
        let has = |word: &str| arguments.iter().any(|argument| argument == word);
        has("SteamLaunch") && has(&mark)
    })
}

fn code(code: Option<i32>) -> u8 {
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::process::Command;

    #[test]
    fn a_shortcut_runs_under_its_own_number() {
        assert_eq!(app_of(220), 220);
        assert_eq!(app_of((2_789_567_361 << 32) | 0x0200_0000), 2_789_567_361);
    }

    #[test]
    fn a_game_is_known_by_what_steam_calls_it() {
        assert!(!is_running(987_654_321));
        let mut child = Command::new("/bin/sh")
            .args(["-c", "read x", "SteamLaunch", "AppId=987654321"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while !is_running(987_654_321) {
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(!is_running(987_654_321));
    }

    #[test]
    fn the_game_is_waited_for_and_a_short_pause_of_it_is_no_end() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        // Not yet there, there, away for a moment, there again, then gone.
        let story = "....XXX..X......";
        let look = Cell::new(0);
        let runs = || {
            let at = look.get();
            look.set(at + 1);
            story.as_bytes().get(at) == Some(&b'X')
        };
        assert_eq!(watch(&mut child, runs, Duration::ZERO).unwrap(), None);
        assert_eq!(look.get(), story.len());
        child.kill().unwrap();
        child.wait().unwrap();
        let mut child = Command::new("/bin/sh").args(["-c", "exit 7"]).spawn().unwrap();
        assert_eq!(watch(&mut child, || false, Duration::from_millis(5)).unwrap(), Some(7));
    }
}
