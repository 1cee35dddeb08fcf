//! Several clients of one host at once, all behind one address.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use punktfunk_core::gamestream::input::modifiers::CTRL;
use punktfunk_probe::{Card, End, Host as Address, Options, Player, Verb, keys, refusal};
use rustix::process::{Pid, Signal, kill_process};

use crate::Scenario;
use crate::host::{processes_of, seat_processes};
use crate::input::has_terminal;
use crate::stage::{Outcome, PICTURE, Stage, World, until};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[
    ("two clients at once", two_clients),
    ("keys of two clients", keys_of_two),
    ("too many clients", too_many),
    ("household", household),
    ("hung seat", hung),
    ("two address families", families),
];

fn small(stage: &Stage, app: &str) -> Result<Options> {
    Ok(stage.options(app)?.mode(640, 360, 30))
}

/// Thirty readable pictures more, all of this size; the last card's number.
fn cards(player: &Player, size: (usize, usize)) -> Result<u32> {
    let read = |seen: &[punktfunk_probe::Seen]| seen.iter().filter(|seen| seen.code.is_some()).count();
    let before = read(&player.stats().seen);
    let stats = player.wait_for("thirty Test cards", PICTURE, |stats| read(&stats.seen) >= before + 30)?;
    ensure!(stats.size == size, "the picture is {:?}, not {size:?}", stats.size);
    ensure!(stats.lost_frames == 0 && stats.video_rejected == 0, "the picture suffered: {stats:?}");
    let card = Card::of(stats.seen.iter());
    ensure!(card.backwards == 0, "two cards in one picture: {card:?}");
    Ok(stats.seen.iter().rev().find_map(|seen| seen.code).context("no code")?.frame)
}

fn two_clients(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::paired(world, name)?;
    let phone = stage.another("phone")?;
    let tv_options = small(&stage, "Test card")?;
    let phone_options = stage.options("Test card")?.mode(848, 480, 30);
    let app = tv_options.app;
    let tv = stage.play(&tv_options)?;
    ensure!(stage.address.info(&phone)?.running_app().is_none(), "another client is told of the application");
    cards(&tv, (640, 360))?;
    let phone_player = stage.play_as(&phone, &phone_options)?;
    ensure!(!phone_player.resumed(), "the second client got the first one's application");
    let (mut first, mut second) = (0, 0);
    for _ in 0..2 {
        first = cards(&tv, (640, 360))?;
        second = cards(&phone_player, (848, 480))?;
    }
    ensure!(first > second, "one card for both: {first} and {second}");
    stage.screenshot(&tv, "tv")?;
    stage.screenshot(&phone_player, "phone")?;
    for identity in [&stage.identity, &phone] {
        ensure!(stage.address.info(identity)?.running_app() == Some(app), "a client is told that it is free");
    }
    stage.address.quit(&stage.identity)?;
    let end = tv.wait_for_end(Duration::from_secs(5));
    ensure!(matches!(end, Some(End::Terminated(_))), "quit ended the stream with {end:?}");
    cards(&phone_player, (848, 480)).context("after the other client quit")?;
    // Somebody who has nothing running quits nothing of others.
    stage.address.quit(&stage.identity)?;
    cards(&phone_player, (848, 480)).context("after another quit")?;
    stage.address.quit(&phone)?;
    let marker = format!("seat-{}-", stage.host.pid());
    until("the end of the seats", PICTURE, || seat_processes(&marker).is_empty().then_some(()))?;
    Ok(Outcome::Passed(format!("cards {first} and {second} at the same time")))
}

fn keys_of_two(world: &World, name: &str) -> Result<Outcome> {
    if !has_terminal() {
        return Ok(Outcome::Skipped("no terminal is installed".into()));
    }
    let stage = Stage::paired(world, name)?;
    let phone = stage.another("phone")?;
    let tv = stage.play(&small(&stage, "Desktop")?)?;
    let other = stage.play_as(&phone, &stage.options("Desktop")?.mode(848, 480, 30))?;
    // What is typed says who typed it; where it lands, the terminal says.
    let both = [(&tv, "tv", 640), (&other, "phone", 848)];
    for (player, who, width) in both {
        let file = stage.folder.join(format!("typed-{width}"));
        let (started, mut attempts) = (player.millis(), 0);
        let found = until("a terminal that runs what is typed", PICTURE * 2, || {
            if attempts == 0 || player.millis() > started + attempts * 2000 {
                attempts += 1;
                player.key(keys::CONTROL, true, CTRL);
                player.key(b'C', true, CTRL);
                player.key(b'C', false, CTRL);
                player.key(keys::CONTROL, false, 0);
                let folder = stage.folder.display();
                // The interrupt takes what follows it at once.
                player.type_text(&format!("      echo {who} >> {folder}/typed-$PUNKTFUNK_WIDTH\n")).ok()?;
            }
            fs::read_to_string(&file).ok().filter(|text| text.contains(who))
        });
        if found.is_err() {
            stage.screenshot(player, who)?;
        }
        found?;
    }
    for (_, who, width) in both {
        let text = fs::read_to_string(stage.folder.join(format!("typed-{width}")))?;
        ensure!(text.lines().all(|line| line == who), "the terminal of {who} was typed {text:?}");
    }
    Ok(Outcome::Passed(String::new()))
}

fn too_many(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::with(world, name, "[sessions]\nmax = 2\n")?;
    stage.pair()?;
    let (phone, deck) = (stage.another("phone")?, stage.another("deck")?);
    let options = Options { decode: false, ..small(&stage, "Test card")? };
    let first = Player::start(&stage.address, &stage.identity, &options)?;
    let second = Player::start(&stage.address, &phone, &options)?;
    let error = Player::start(&stage.address, &deck, &options).err().context("the third client plays")?;
    let said = format!("{error:#}");
    ensure!(refusal(&error) == Some(400) && said.contains("sessions.max"), "refused with {said}");
    ensure!(said.contains("2 applications run on this host already"), "refused with {said}");
    for player in [&first, &second] {
        let before = player.stats().frames_received;
        player.wait_for("pictures of the others", PICTURE, |stats| stats.frames_received > before + 20)?;
    }
    // The owner makes room.
    let list = stage.owner(&["sessions"])?;
    for shown in ["tv", "phone", "Test card", "640x360@30 H.264"] {
        ensure!(list.contains(shown), "`sessions` does not show {shown:?}: {list}");
    }
    stage.owner(&["sessions", "end", "phone"])?;
    let end = second.wait_for_end(PICTURE);
    ensure!(matches!(end, Some(End::Terminated(_))), "the owner ended the stream with {end:?}");
    let list = stage.owner(&["sessions", "list"])?;
    ensure!(list.lines().count() == 1 && list.contains("tv"), "`sessions` shows {list}");
    ensure!(!stage.host.cli(&["sessions", "end", "phone"])?.status.success(), "it was ended a second time");
    let third = Player::start(&stage.address, &deck, &options).context("after one was ended")?;
    third.wait_for("a picture", PICTURE, |stats| stats.frames_received > 0)?;
    Ok(Outcome::Passed(said))
}

fn household(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::with(world, name, "[sessions]\nshared = true\n")?;
    stage.pair()?;
    let phone = stage.another("phone")?;
    let options = small(&stage, "Test card")?;
    let tv = stage.play(&options)?;
    let left_at = cards(&tv, (640, 360))?;
    ensure!(stage.address.info(&phone)?.running_app().is_none(), "what is watched is offered to others");
    let stolen = Player::start_with(&stage.address, &phone, &options, Verb::Resume).err();
    ensure!(stolen.is_some_and(|error| refusal(&error) == Some(503)), "what is watched can be taken away");
    drop(tv);
    let offered =
        until("the offer to the other client", PICTURE, || stage.address.info(&phone).ok()?.running_app())?;
    ensure!(offered == options.app, "application {offered} is offered");
    let other = stage.play_as(&phone, &options)?;
    ensure!(other.resumed(), "the application was started a second time");
    let back_at = cards(&other, (640, 360))?;
    ensure!(back_at > left_at, "the Test card began again: {left_at}, then {back_at}");
    drop(other);
    until("the offer to the first client", PICTURE, || {
        stage.address.info(&stage.identity).ok()?.running_app()
    })?;
    stage.address.quit(&stage.identity).context("quit from the first client")?;
    ensure!(stage.address.info(&phone)?.running_app().is_none(), "it still runs");
    Ok(Outcome::Passed(format!("left at number {left_at}, taken over at {back_at}")))
}

/// Stops or continues the seat itself, found by the size of its screen.
fn signal(marker: &str, width: u32, signal: Signal) -> Result<()> {
    let (all, width) = (processes_of(marker), format!("--width {width} "));
    let seat = all.iter().find(|process| process.command.contains(&width)).context("no seat was found")?;
    let pid = Pid::from_raw(seat.pid.cast_signed()).context("no process id")?;
    Ok(kill_process(pid, signal)?)
}

/// A seat that does not answer is its own client's trouble only, also for a host that
/// is started again meanwhile.
fn hung(world: &World, name: &str) -> Result<Outcome> {
    let mut stage = Stage::paired(world, name)?;
    let phone = stage.another("phone")?;
    let options = small(&stage, "Test card")?;
    let tv = stage.play(&options)?;
    let other = stage.play_as(&phone, &stage.options("Test card")?.mode(848, 480, 30))?;
    let marker = format!("seat-{}-", stage.host.pid());
    signal(&marker, 848, Signal::STOP)?;
    // More than its socket holds: whoever delivers this has to wait.
    for round in 0..3000 {
        other.point(f64::from(round % 100) / 100.0, 0.5);
    }
    cards(&tv, (640, 360)).context("beside a hung seat")?;
    stage.address.quit(&stage.identity).context("beside a hung seat")?;
    let tv = stage.play(&options).context("beside a hung seat")?;
    cards(&tv, (640, 360)).context("launched beside a hung seat")?;
    let start = stage.host.kill_and_restart()?;
    drop(tv);
    let tv = stage.play(&options).context("after a restart with a hung seat")?;
    ensure!(tv.resumed(), "the application was started a second time");
    cards(&tv, (640, 360))?;
    signal(&marker, 848, Signal::CONT)?;
    drop(other);
    let other = stage.play_as(&phone, &options).context("the seat that was hung")?;
    ensure!(other.resumed(), "the seat that was hung is lost");
    cards(&other, (640, 360))?;
    ensure!(start < Duration::from_secs(5), "the host took {start:?} to start");
    stage.address.quit(&phone)?;
    stage.address.quit(&stage.identity)?;
    until("the end of the seats", PICTURE, || seat_processes(&marker).is_empty().then_some(()))?;
    Ok(Outcome::Passed(format!("listening again after {} ms beside a hung seat", start.as_millis())))
}

/// One client by IPv4 and one by IPv6, at the same time, with the same `uniqueid` as
/// all stock clients; then one of them is revoked while both play.
fn families(world: &World, name: &str) -> Result<Outcome> {
    if TcpListener::bind("[::1]:0").is_err() {
        return Ok(Outcome::Skipped("this machine has no IPv6".into()));
    }
    let stage = Stage::paired(world, name)?;
    let phone = stage.another("phone")?;
    let other_way = Address::new("::1", stage.address.port);
    let tv = stage.play(&small(&stage, "Test card")?)?;
    let options = stage.options("Test card")?.mode(848, 480, 30);
    let player = Player::start(&other_way, &phone, &options).context("by IPv6")?;
    cards(&tv, (640, 360))?;
    cards(&player, (848, 480)).context("by IPv6")?;
    let sound = player.stats().audio_packets;
    player.wait_for("sound by IPv6", PICTURE, |stats| stats.audio_packets > sound + 20)?;
    // The same client comes back by the other family.
    drop(player);
    let player = stage.play_as(&phone, &options)?;
    ensure!(player.resumed(), "another way in is another client");
    drop(player);
    let player = Player::start(&other_way, &phone, &options).context("again by IPv6")?;
    ensure!(player.resumed(), "another way in is another client");
    cards(&player, (848, 480))?;
    let revoked = Instant::now();
    let end = std::thread::scope(|scope| {
        let ended = scope.spawn(|| (player.wait_for_end(PICTURE), Instant::now()));
        stage.owner(&["clients", "revoke", "phone"])?;
        ended.join().map_err(|_| anyhow::anyhow!("waiting panicked"))
    });
    let (end, at) = end?;
    let took = at.saturating_duration_since(revoked);
    ensure!(matches!(end, Some(End::Terminated(_) | End::Disconnected)), "the stream ended with {end:?}");
    ensure!(took <= Duration::from_secs(1), "it ended {took:?} after its client was revoked");
    cards(&tv, (640, 360)).context("after another client was revoked")?;
    ensure!(Player::start(&other_way, &phone, &options).is_err(), "a revoked client can play");
    stage.address.quit(&stage.identity)?;
    Ok(Outcome::Passed(format!("revoked: its stream ended after {} ms, the other went on", took.as_millis())))
}
