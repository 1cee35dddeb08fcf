//! What the client does arrives on the streamed screen.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use punktfunk_core::gamestream::input::modifiers::CTRL;
use punktfunk_probe::{Player, keys};

use crate::Scenario;
use crate::stage::{Outcome, PICTURE, Stage, World, until};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[("typed text", typed)];

/// What the desktop opens, if it is there.
pub const TERMINALS: [&str; 2] = ["foot", "weston-terminal"];

/// True when the desktop has a terminal to type into.
pub fn has_terminal() -> bool {
    TERMINALS.iter().any(|name| installed(name))
}

/// True when a program is in the path.
pub fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Typed until it arrives: nothing tells a client when a terminal is ready.
fn typed(world: &World, name: &str) -> Result<Outcome> {
    if !has_terminal() {
        return Ok(Outcome::Skipped(format!("none of {} is installed", TERMINALS.join(", "))));
    }
    // A compositor that the user configured might open no terminal.
    let stage = Stage::with(world, name, "[desktop]\nsession = \"own\"\n")?;
    stage.pair()?;
    let player = stage.play(&stage.options("Desktop")?)?;
    let typed = type_line(&stage, &player);
    player.type_text("echo done\n")?;
    player.play_on(Duration::from_secs(1))?;
    stage.screenshot(&player, "")?;
    let attempts =
        typed.with_context(|| format!("see the screenshot; the seat said: {}", stage.host.seat_log()))?;
    // The pointer must not disturb, wherever it goes.
    player.point(0.5, 0.5);
    player.click();
    player.play_on(Duration::from_secs(1))?;
    stage.screenshot(&player, "pointer")?;
    Ok(Outcome::Passed(format!("typed {attempts} times")))
}

/// Types until the terminal runs what was typed, then one line that it must understand
/// exactly; how often it had to be asked.
pub fn type_line(stage: &Stage, player: &Player) -> Result<u64> {
    let ready = stage.folder.join("ready");
    let (started, mut attempts) = (player.millis(), 0);
    until("a terminal that runs what is typed", PICTURE * 2, || {
        if attempts == 0 || player.millis() > started + attempts * 2000 {
            attempts += 1;
            // Whatever a terminal got that appeared in the middle of the last attempt.
            player.key(keys::CONTROL, true, CTRL);
            player.key(b'C', true, CTRL);
            player.key(b'C', false, CTRL);
            player.key(keys::CONTROL, false, 0);
            player.type_text(&format!(": > {}\n", ready.display())).ok()?;
        }
        ready.exists().then_some(())
    })?;
    let file = stage.folder.join("typed");
    player.type_text(&format!("echo 'Hello, \"World\" & <{{[~]}}> #1' > {}\n", file.display()))?;
    let text = until("the typed file", PICTURE, || {
        fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n'))
    })?;
    ensure!(text == "Hello, \"World\" & <{[~]}> #1\n", "the terminal understood {text:?}");
    Ok(attempts)
}
