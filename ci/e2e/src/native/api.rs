//! Both protocols with the management API as the owner's only way in: `punktfunk-host ctl`
//! pairs a client of each, sees them play, and sends them away.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use punktfunk_client::{Client, Code, make_identity};
use punktfunk_probe::native::{End, refusal};
use serde_json::{Value, json};

use super::{Guest, SIZE, address, cards, passed};
use crate::Scenario;
use crate::stage::{Outcome, PICTURE, PIN, Stage, World, until};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[("paired through the API", both)];

fn both(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::new(world, name)?;
    let tv = moonlight(&stage)?;
    let (guest, deck) = ours(&stage)?;
    let known = stage.ctl(&["devices.list"])?;
    let listed = |device: &Value| json!([device["id"], device["name"], device["protocol"]]);
    let devices: Vec<_> = known["devices"].as_array().context("no list")?.iter().map(listed).collect();
    let wanted = [json!([tv, "tv", "gamestream"]), json!([deck, "deck", "native"])];
    ensure!(devices == wanted, "the devices are {known}");

    let one = stage.play(&stage.options("Test card")?.mode(SIZE.0 as u32, SIZE.1 as u32, 30))?;
    let other = guest.play(&guest.options("Test card")?)?;
    let sessions = stage.ctl(&["sessions.list"])?;
    let playing = |id: &str| {
        let mut all = sessions["sessions"].as_array().into_iter().flatten();
        all.any(|session| session["device"]["id"] == id && session["state"] == "playing")
    };
    ensure!(playing(&tv) && playing(&deck), "the sessions are {sessions}");

    let (end, first) = sent_away(&stage, &tv, || one.wait_for_end(PICTURE))?;
    let is_over =
        matches!(end, Some(punktfunk_probe::End::Terminated(_) | punktfunk_probe::End::Disconnected));
    ensure!(is_over, "the stream of the Moonlight client ended with {end:?}");
    cards(&other, SIZE).context("after another device was revoked")?;
    let (end, second) = sent_away(&stage, &deck, || other.wait_for_end(PICTURE))?;
    ensure!(matches!(&end, Some(End::Ended { code: Code::Revoked, .. })), "our stream ended with {end:?}");
    let refused =
        stage.address.apps(&stage.identity).err().context("a revoked Moonlight client is answered")?;
    ensure!(punktfunk_probe::refusal(&refused) == Some(401), "it was refused with {refused:#}");
    let refused = guest.running().err().context("a revoked client of ours is answered")?;
    ensure!(refusal(&refused) == Some(Code::NotPaired), "it was refused with {refused:#}");
    ensure!(stage.ctl(&["devices.list"])?["devices"] == json!([]), "somebody is still listed");
    let over = || (stage.ctl(&["sessions.list"]).ok()?["sessions"] == json!([])).then_some(());
    until("the end of what they played", PICTURE, over)?;
    Ok(passed(format!(
        "the streams ended {} ms and {} ms after the command",
        first.as_millis(),
        second.as_millis()
    )))
}

/// Pairs the GameStream client as `tv`, by the PIN that it shows; its id.
fn moonlight(stage: &Stage) -> Result<String> {
    let (shows, shown) = mpsc::channel();
    let (paired, device) = std::thread::scope(|scope| {
        let client = scope.spawn(move || {
            stage.address.pair(&stage.identity, PIN, |pin| {
                // Whoever waits for it has given up only when the scenario fails.
                let _ = shows.send(pin.to_owned());
            })
        });
        let entered = shown.recv_timeout(PICTURE).context("the client shows no PIN").and_then(|pin| {
            let attempt = until("a client that waits for its PIN", PICTURE, || {
                stage.ctl(&["pairing.show"]).ok()?["attempts"].get(0).cloned()
            })?;
            ensure!(attempt["address"] == "127.0.0.1", "the attempt is {attempt}");
            let id = attempt["id"].as_str().context("an attempt without an id")?;
            stage.ctl(&["pairing.pin", &format!("id={id}"), &format!("pin={pin}"), "name=tv"])
        });
        let client = client.join().map_err(|_| anyhow::anyhow!("pairing panicked"));
        (client.and_then(|client| client), entered)
    });
    let device = device?;
    paired.context("the Moonlight client could not be paired")?;
    let waiting = stage.ctl(&["pairing.show"])?;
    ensure!(waiting["attempts"] == json!([]), "somebody still waits: {waiting}");
    Ok(device["id"].as_str().context("a device without an id")?.to_owned())
}

/// Pairs a client of ours as `deck`, by the PIN that the API answers; its id.
fn ours(stage: &Stage) -> Result<(Guest, String)> {
    let client = Client::new(make_identity()?, "what it calls itself");
    let window = stage.ctl(&["pairing.open", "name=deck"])?;
    let pin = window["pin"].as_str().context("a window without a PIN")?;
    ensure!(stage.ctl(&["pairing.show"])?["window"]["pin"] == pin, "another window is open");
    let id = punktfunk_core::bytes::to_hex(&client.identity().hash());
    let paired = client.pair_pin(address(stage), pin).context("our client could not be paired")?;
    until("a window that closes behind it", PICTURE, || {
        stage.ctl(&["pairing.show"]).ok()?.get("window").is_none().then_some(())
    })?;
    Ok((Guest::known(client, paired), id))
}

/// Revokes a device; how its stream ended, and how long that took.
fn sent_away<T: Send>(stage: &Stage, id: &str, ended: impl FnOnce() -> T + Send) -> Result<(T, Duration)> {
    std::thread::scope(|scope| {
        let ended = scope.spawn(|| (ended(), Instant::now()));
        let asked = Instant::now();
        stage.ctl(&["devices.revoke", &format!("id={id}")])?;
        let (end, at) = ended.join().map_err(|_| anyhow::anyhow!("waiting panicked"))?;
        Ok((end, at.saturating_duration_since(asked)))
    })
}
