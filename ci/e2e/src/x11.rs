//! Applications that speak X11.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use punktfunk_probe::Player;

use crate::Scenario;
use crate::stage::{Outcome, PICTURE, Stage, World, until};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[("X11 application", terminal)];

/// What the application is: a terminal of X11, with its size in rows and columns.
const APP: &str = r#"
[[app]]
name = "Terminal of X11"
command = ["xterm", "-geometry", "100x30", "-bg", "navy", "-fg", "white", "-e", "sh"]
"#;

fn terminal(world: &World, name: &str) -> Result<Outcome> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = |program: &str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if let Some(program) = ["Xwayland", "xterm"].into_iter().find(|program| !installed(program)) {
        return Ok(Outcome::Skipped(format!("{program} is not installed")));
    }
    let stage = Stage::with(world, name, APP)?;
    stage.pair()?;
    let player = stage.play(&stage.options("Terminal of X11")?)?;
    let typed = type_line(&stage, &player);
    player.type_text("echo; echo This is an X11 application.; echo\n")?;
    player.play_on(Duration::from_secs(1))?;
    stage.screenshot(&player, "")?;
    typed.with_context(|| format!("see the screenshot; the seat said: {}", stage.host.seat_log()))?;
    let picture = player.last_picture().context("there is no picture")?;
    let navy =
        picture.rgb().chunks_exact(3).filter(|p| p[0] < 24 && p[1] < 24 && p[2].abs_diff(128) < 24).count();
    ensure!(navy > 100_000, "only {navy} pixels have the colour of the terminal");
    Ok(Outcome::Passed(String::new()))
}

/// Types until the terminal runs what was typed, then one line that it must understand
/// exactly.
fn type_line(stage: &Stage, player: &Player) -> Result<()> {
    let ready = stage.folder.join("ready");
    let (started, mut attempts) = (player.millis(), 0);
    until("a terminal that runs what is typed", PICTURE * 2, || {
        if attempts == 0 || player.millis() > started + attempts * 2000 {
            attempts += 1;
            player.type_text(&format!("\n: > {}\n", ready.display())).ok()?;
        }
        ready.exists().then_some(())
    })?;
    let file = stage.folder.join("typed");
    player.type_text(&format!("clear; echo 'Hello, \"X11\" & <{{[~]}}> #1' > {}\n", file.display()))?;
    let text = until("the typed file", PICTURE, || {
        fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n'))
    })?;
    ensure!(text == "Hello, \"X11\" & <{[~]}> #1\n", "the terminal understood {text:?}");
    Ok(())
}
