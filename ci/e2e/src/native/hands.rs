//! What the client does with its hands and says into its microphone arrives on the seat,
//! and what games do with pads comes back.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use punktfunk_client::input::pad::{Arrival, Feedback, Kind, State, button, capability};
use punktfunk_client::{Client, make_identity};
use punktfunk_probe::native::{Options, Player, Word};

use super::{Guest, Window, address, paired_with, passed, screenshot};
use crate::Scenario;
use crate::input::installed;
use crate::pads::{Broker, Seen, key};
use crate::stage::{Outcome, PICTURE, Stage, World, pause, until};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[
    ("native typed text", typed),
    ("native pointer", pointer),
    ("native gamepad", gamepad),
    ("native microphone", microphone),
];

/// `KEY_ENTER`.
const ENTER: u16 = 28;
const TEXT: &str = "Gr\u{fc}\u{df}e: \u{e4} \u{20ac} \u{6f22} \u{1f600} a";
/// What the microphone hears, hertz: none of the Test card's tones.
const TONE: f64 = 440.0;
const RATE: usize = 48_000;

/// A terminal whose script runs; `$0` is the folder of the stage.
pub fn terminal(world: &World, name: &str, script: &str) -> Result<(Stage, Guest, Player)> {
    // Not the stage's own folder: that is not known before the configuration is written.
    let folder = world.own_program(name)?.1.with_extension("typed");
    fs::create_dir(&folder)?;
    fs::set_permissions(&folder, Permissions::from_mode(0o777))?;
    let (script, argument) = (format!("touch \"$0/ready\"; {script}"), folder.display().to_string());
    let command = ["foot", "-c", "/dev/null", "sh", "-c", &script, &argument];
    let app =
        format!("[[app]]\nname = \"Writing\"\ncommand = {command:?}\nenv = {{ LC_ALL = \"C.UTF-8\" }}\n");
    let (mut stage, guest) = paired_with(world, name, &app)?;
    stage.folder = folder;
    let player = guest.play(&guest.options("Writing")?)?;
    until("the shell of the terminal", PICTURE, || stage.folder.join("ready").exists().then_some(()))?;
    Ok((stage, guest, player))
}

/// Waits until the terminal has written what is wanted.
pub fn written(folder: &Path, file: &str, mut wanted: impl FnMut(&str) -> bool) -> Result<String> {
    let text = || fs::read(folder.join(file)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    until(file, PICTURE, || text().ok().filter(|text| wanted(text)))
        .with_context(|| format!("the terminal got {:?}", text()))
}

pub fn press(player: &Player, code: u16) -> Result<()> {
    player.key(code, true)?;
    player.key(code, false)
}

/// Keys of a keyboard, and text of every script: all of it, in its order.
fn typed(world: &World, name: &str) -> Result<Outcome> {
    if !installed("foot") {
        return Ok(Outcome::Skipped("foot is not installed".into()));
    }
    let (stage, _guest, player) = terminal(world, name, "exec cat > \"$0/typed\"")?;
    // Keys before the terminal has the keyboard come to nothing, and nothing tells a
    // client when it has: the line is typed until it arrives.
    let line = "echo 'Hello, \"World\" & <{[~]}> #1'";
    let (started, mut attempts) = (player.millis(), 0);
    let got = until("typed keys", PICTURE * 2, || {
        if attempts == 0 || player.millis() > started + attempts * 2000 {
            attempts += 1;
            player.type_text(&format!("{line}\n")).ok()?;
        }
        let text = fs::read_to_string(stage.folder.join("typed")).ok()?;
        text.lines().any(|got| got == line).then_some(())
    });
    screenshot(&stage, &player, "")?;
    got.with_context(|| format!("the terminal got {:?}", fs::read(stage.folder.join("typed"))))?;
    player.text(TEXT)?;
    press(&player, ENTER)?;
    let text = written(&stage.folder, "typed", |text| text.ends_with(&format!("{TEXT}\n")))?;
    // Only the first of them may have come too early.
    let whole = text.lines().skip(1).all(|got| got == line || got == TEXT);
    ensure!(whole, "the terminal got {text:?}");
    Ok(passed(format!("typed {attempts} times")))
}

/// Buttons and the wheel, where the pointer is.
fn pointer(world: &World, name: &str) -> Result<Outcome> {
    if !installed("foot") {
        return Ok(Outcome::Skipped("foot is not installed".into()));
    }
    // Mouse reports with pixels.
    let script =
        "stty -icanon -echo; printf '\\033[?1000h\\033[?1016h'; touch \"$0/set\"; exec cat > \"$0/mouse\"";
    let (stage, _guest, player) = terminal(world, name, script)?;
    until("the mouse reports", PICTURE, || stage.folder.join("set").exists().then_some(()))?;
    // A terminal is told of clicks once it is shown and has taken the setting in.
    let (started, mut attempts) = (player.millis(), 0);
    until("a click", PICTURE * 2, || {
        if attempts == 0 || player.millis() > started + attempts * 1000 {
            attempts += 1;
            player.point(0.25, 0.5).and_then(|()| player.click()).ok()?;
        }
        fs::read_to_string(stage.folder.join("mouse")).ok().filter(|text| text.contains('m'))
    })?;
    let place = |text: &str| -> Option<(i64, i64)> {
        let mut words = text.strip_suffix('m')?.rsplit("\u{1b}[<").next()?.split(';').skip(1);
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    };
    // From now on all of it arrives, in order; clicks at the first place may still come.
    let first = written(&stage.folder, "mouse", |text| place(text).is_some())?;
    let from = place(&first).context("no place")?;
    player.motion(64.0, -36.0)?;
    // The motion goes another way than the click, which may overtake it.
    let (started, mut more) = (player.millis(), 0);
    let told = written(&stage.folder, "mouse", |text| {
        if player.millis() >= started + more * 500 {
            more += 1;
            // A stream that has ended is found out below.
            let _ = player.click();
        }
        place(text).is_some_and(|place| place != from)
    })?;
    let to = place(&told).context("no place")?;
    ensure!((to.0 - from.0, to.1 - from.1) == (64, -36), "the pointer went from {from:?} to {to:?}");
    player.scroll(0, 240)?;
    player.scroll(0, -120)?;
    let turned = |text: &str| (text.matches("[<64;").count(), text.matches("[<65;").count());
    let all = written(&stage.folder, "mouse", |text| {
        let (up, down) = turned(text);
        up > 0 && down > 0
    })?;
    let (up, down) = turned(&all);
    ensure!(up >= 2 * down, "up {up}, down {down}: {all:?}");
    Ok(passed(format!("clicked {attempts} times, wheel up {up}, down {down}")))
}

/// What this client was told about pads: number and heavy motor.
fn rumbles(player: &Player) -> Vec<(u8, u16)> {
    player.look(|stats| {
        let words = stats.host_messages.iter();
        words
            .filter_map(|heard| match heard.word {
                Word::Effect(pad, Feedback::Rumble { low, .. }) => Some((pad, low)),
                _ => None,
            })
            .collect()
    })
}

/// A pad arrives, acts, rumbles, survives a disconnection, and leaves.
fn gamepad(world: &World, name: &str) -> Result<Outcome> {
    let broker = Broker::start(world, name)?;
    let stage = Stage::with_broker(world, name, &broker.socket)?;
    let guest = Guest::new(&stage, "tv")?;
    let options = Options { pads: 1, ..guest.options("Test card")? };
    let player = guest.play(&options)?;
    let xbox = Arrival { kind: Kind::Xbox, capabilities: capability::RUMBLE, buttons: 0xFFFF };
    let hold = |player: &Player, buttons| player.pad_state(0, State { buttons, ..State::default() });
    player.pad_arrive(0, xbox)?;
    let seat = broker.next(0, &Seen::Made)?;
    hold(&player, button::A)?;
    broker.next(0, &key(true))?;
    hold(&player, 0)?;
    broker.next(0, &key(false))?;
    broker.play(&seat, 0, 500)?;
    let felt = |player: &Player, wanted| {
        until(&format!("rumble {wanted:?}"), PICTURE, || rumbles(player).contains(&wanted).then_some(()))
            .with_context(|| format!("the client was told {:?}", rumbles(player)))
    };
    felt(&player, (0, 500))?;
    // Held while the client goes: let go, and the pad stays for the game.
    hold(&player, button::A)?;
    broker.next(0, &key(true))?;
    drop(player);
    broker.next(0, &key(false))?;
    let player = guest.play(&options)?;
    ensure!(player.resumed(), "the application was started again");
    player.pad_arrive(0, xbox)?;
    hold(&player, button::A)?;
    broker.next(0, &key(true))?;
    broker.play(&seat, 0, 900)?;
    felt(&player, (0, 900))?;
    player.pad_leave(0)?;
    broker.next(0, &Seen::Gone)?;
    Ok(passed(""))
}

/// The share of a tone in mono samples, 0.0 to 1.0.
fn share(samples: &[f32], hertz: f64) -> f64 {
    let (mut cosine, mut sine, mut energy) = (0.0, 0.0, 0.0);
    for (at, sample) in samples.iter().enumerate() {
        let (value, angle) = (f64::from(*sample), at as f64 * hertz / RATE as f64 * std::f64::consts::TAU);
        cosine += value * angle.cos();
        sine += value * angle.sin();
        energy += value * value;
    }
    let scale = samples.len() as f64 * energy / 2.0;
    if scale > 1e-9 { (cosine * cosine + sine * sine) / scale } else { 0.0 }
}

/// Says the tone until told to stop, a packet each 10 ms.
fn say(player: &Player, stop: &AtomicBool) -> Result<()> {
    let mut opus = opus2::Encoder::new(RATE as u32, opus2::Channels::Mono, opus2::Application::Voip)?;
    let mut sample = 0_u32;
    while !stop.load(Ordering::Relaxed) {
        let angle = |at: u32| f64::from(at) * TONE / RATE as f64 * std::f64::consts::TAU;
        let samples: Vec<f32> = (sample..sample + 480).map(|at| angle(at).sin() as f32 * 0.3).collect();
        sample += 480;
        player.speak(&opus.encode_vec_float(&samples, 400)?)?;
        pause(Duration::from_millis(10));
    }
    Ok(())
}

/// What the client says is what programs on the seat record by default.
fn microphone(world: &World, name: &str) -> Result<Outcome> {
    if !installed("parec") {
        return Ok(Outcome::Skipped("parec is not installed".into()));
    }
    let (_, file) = world.own_program(name)?;
    // The source comes with the stream, so after the application: who began to record
    // before it has to begin again.
    let script = format!(
        "for n in 1 2 3 4 5 6 7 8 9; do timeout 4 parec --format=float32le --rate={RATE} --channels=1 \
         > '{}'.$n; done",
        file.display()
    );
    let app = format!("[[app]]\nname = \"Recorder\"\ncommand = {:?}\n", ["sh", "-c", &script]);
    let stage = Stage::with(world, name, &app)?;
    let window = Window::open(&stage, &["--access", "all"])?;
    let client = Client::new(make_identity()?, "tv");
    let known = client.pair_pin(address(&stage), &window.pin);
    window.outcome()?;
    let guest = Guest::known(client, known?);
    let options = Options { mic: true, decode: false, ..guest.options("Recorder")? };
    let player = guest.start(&options)?;
    ensure!(player.welcome().mic, "the host wants no microphone: {}", stage.host.seat_log());
    let stop = AtomicBool::new(false);
    let heard = |n: u32| {
        let bytes = fs::read(format!("{}.{n}", file.display())).ok()?;
        let samples: Vec<f32> = bytes
            .chunks_exact(4)
            .filter_map(|sample| sample.try_into().ok().map(f32::from_le_bytes))
            .collect();
        let recent = samples.get(samples.len().checked_sub(RATE / 4)?..)?;
        Some(share(recent, TONE)).filter(|share| *share > 0.8)
    };
    let found = std::thread::scope(|scope| {
        let speaker = scope.spawn(|| say(&player, &stop));
        let found = until("the tone in a recording", PICTURE * 2, || (1..=9).find_map(heard));
        stop.store(true, Ordering::Relaxed);
        speaker.join().map_err(|_| anyhow::anyhow!("the speaker panicked"))??;
        found
    });
    Ok(passed(format!("tone share {:.2}", found.context("nothing was heard")?)))
}
