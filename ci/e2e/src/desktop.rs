//! The desktop as a client sees it: the launcher starts what is installed.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::Scenario;
use crate::stage::{Outcome, PICTURE, Stage, World, until};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[("desktop launcher", launcher)];

/// Windows' code of the left Super key.
const SUPER: u8 = 0x5B;
/// What the desktop opens and what the launcher is asked for.
const PROGRAMS: [&str; 2] = ["/usr/bin/foot", "/usr/share/applications/foot.desktop"];

/// Super, a few letters, Enter: another window is there and takes what is typed.
fn launcher(world: &World, name: &str) -> Result<Outcome> {
    if let Some(missing) = PROGRAMS.iter().find(|file| !fs::exists(file).unwrap_or(false)) {
        return Ok(Outcome::Skipped(format!("{missing} is not there")));
    }
    let stage = Stage::with(world, name, "[desktop]\nsession = \"own\"\n")?;
    stage.pair()?;
    let player = stage.play(&stage.options("Desktop")?)?;
    let marker = format!("seat-{}-", stage.host.pid());
    let terminals = || {
        let all = crate::host::seat_processes(&marker);
        all.iter().filter(|command| command.starts_with("foot")).count()
    };
    until("the first terminal", PICTURE, || (terminals() == 1).then_some(()))?;
    player.play_on(Duration::from_secs(1))?;
    player.key(SUPER, true, 0);
    player.key(SUPER, false, 0);
    player.play_on(Duration::from_secs(1))?;
    stage.screenshot(&player, "open")?;
    player.type_text("foot")?;
    player.play_on(Duration::from_secs(1))?;
    stage.screenshot(&player, "typed")?;
    ensure!(terminals() == 1, "what was typed into the launcher started something");
    player.type_text("\n")?;
    until("the application of the launcher", PICTURE, || (terminals() == 2).then_some(()))?;
    let file = stage.folder.join("launched");
    let (started, mut attempts) = (player.millis(), 0);
    until("its shell", PICTURE, || {
        if attempts == 0 || player.millis() > started + attempts * 2000 {
            attempts += 1;
            player.type_text(&format!("\n: > {}\n", file.display())).ok()?;
        }
        file.exists().then_some(())
    })?;
    player.play_on(Duration::from_secs(1))?;
    stage.screenshot(&player, "started")?;
    Ok(Outcome::Passed(String::new()))
}
