//! Several clients of one host at once, of one protocol and of both.

use anyhow::{Context as _, Result, ensure};
use punktfunk_client::Code;

use super::{Guest, SIZE, cards, paired, passed};
use crate::Scenario;
use crate::host::seat_processes;
use crate::stage::{Outcome, PICTURE, World, until};
use punktfunk_probe::native::End;

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] =
    &[("native clients at once", two_clients), ("both protocols at once", both_protocols)];

fn two_clients(world: &World, name: &str) -> Result<Outcome> {
    let (stage, guest) = paired(world, name)?;
    let phone = Guest::new(&stage, "phone")?;
    let tv = guest.play(&guest.options("Test card")?)?;
    ensure!(phone.running()?.is_none(), "another client is told of the application");
    cards(&tv, SIZE)?;
    let other = phone.play(&phone.options("Test card")?.mode(848, 480, 30))?;
    ensure!(!other.resumed(), "the second client got the first one's application");
    let (mut first, mut second) = (0, 0);
    for _ in 0..2 {
        first = cards(&tv, SIZE)?;
        second = cards(&other, (848, 480))?;
    }
    ensure!(first > second, "one card for both: {first} and {second}");
    tv.quit()?;
    let end = tv.wait_for_end(PICTURE);
    ensure!(matches!(end, Some(End::Ended { code: Code::None, .. })), "quit ended the stream with {end:?}");
    cards(&other, (848, 480)).context("after the other client quit")?;
    other.quit()?;
    let marker = format!("seat-{}-", stage.host.pid());
    until("the end of the seats", PICTURE, || seat_processes(&marker).is_empty().then_some(()))?;
    Ok(passed(format!("cards {first} and {second} at the same time")))
}

/// A client of ours and a Moonlight, each with an application of its own.
fn both_protocols(world: &World, name: &str) -> Result<Outcome> {
    let (stage, guest) = paired(world, name)?;
    stage.pair_as(&stage.identity, "moonlight")?;
    let moonlight = stage.play(&stage.options("Test card")?.mode(848, 480, 30))?;
    let tv = guest.play(&guest.options("Test card")?)?;
    ensure!(!tv.resumed(), "one client got the other's application");
    let number = || {
        let before = moonlight.stats().frames_decoded;
        let stats = moonlight.wait_for("thirty pictures by GameStream", PICTURE, |stats| {
            stats.frames_decoded > before + 30 && stats.seen.last().is_some_and(|seen| seen.code.is_some())
        })?;
        ensure!(stats.size == (848, 480), "the picture is {:?}", stats.size);
        stats.seen.last().and_then(|seen| seen.code).map(|code| code.frame).context("no code")
    };
    for _ in 0..2 {
        let (theirs, ours) = (number()?, cards(&tv, SIZE)?);
        ensure!(theirs != 0 && ours != 0, "a card stands still");
    }
    stage.address.quit(&stage.identity)?;
    cards(&tv, SIZE).context("after the other client quit")?;
    let moonlight = stage.play(&stage.options("Test card")?.mode(848, 480, 30))?;
    tv.quit()?;
    tv.wait_for_end(PICTURE).context("quit ended nothing")?;
    let before = moonlight.stats().frames_decoded;
    moonlight.wait_for("pictures by GameStream", PICTURE, |stats| stats.frames_decoded > before + 20)?;
    Ok(passed(""))
}
