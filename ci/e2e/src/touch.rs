//! Fingers, pens and text, from the client to an application and back in the picture.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use punktfunk_core::gamestream::input::message::{Pen, phase, tool};
use punktfunk_probe::{Player, keys};

use crate::Scenario;
use crate::drawing::{HALF, WORD};
use crate::input::installed;
use crate::stage::{Outcome, PICTURE, Stage, World, until};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[
    ("touch", fingers),
    ("pen", pen),
    ("text of every script", every_script),
    ("text and touch in X11", in_x11),
];

const WIDTH: u16 = 640;
const HEIGHT: u16 = 360;

/// Colours of the drawing, as they come out of the decoder, roughly.
const RED: [u8; 3] = [0xE0, 0x20, 0x20];
const GREEN: [u8; 3] = [0x20, 0xC0, 0x20];
const BLUE: [u8; 3] = [0x20, 0x20, 0xE0];
const BLACK: [u8; 3] = [0; 3];

/// The drawing application, streamed.
struct Drawing {
    stage: Stage,
    player: Player,
    /// Where it writes down what it is told.
    file: PathBuf,
}

impl Drawing {
    fn open(world: &World, name: &str) -> Result<Self> {
        let (program, file) = world.own_program(name)?;
        let app = format!("[[app]]\nname = \"Drawing\"\ncommand = [{program:?}, {WORD:?}, {file:?}]\n");
        let stage = Stage::with(world, name, &app)?;
        stage.pair()?;
        let options = stage.options("Drawing")?.mode(WIDTH.into(), HEIGHT.into(), 30);
        let player = stage.play(&options)?;
        let drawing = Self { stage, player, file };
        let shown = format!("shown {WIDTH} {HEIGHT}");
        until("the drawing", PICTURE, || drawing.told_all().contains(&shown).then_some(()))?;
        Ok(drawing)
    }

    fn told_all(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// What it was told, without what it says of itself, once `last` is the last thing.
    fn told(&self, last: &str) -> Result<Vec<String>> {
        let told = || -> Vec<String> {
            self.told_all().into_iter().filter(|line| !line.starts_with("shown")).collect()
        };
        until(&format!("`{last}`"), PICTURE, || told().ends_with(&[last.to_owned()]).then(told))
            .with_context(|| format!("it was told {:?}", told()))
    }

    fn shows(&self, what: &str, places: &[((u16, u16), [u8; 3])]) -> Result<()> {
        shows(&self.stage, &self.player, what, places)
    }
}

/// Waits until the picture has these colours at these places.
fn shows(stage: &Stage, player: &Player, what: &str, places: &[((u16, u16), [u8; 3])]) -> Result<()> {
    let seen = until(what, PICTURE, || {
        let picture = player.last_picture()?;
        let rgb = picture.rgb();
        let is = |((x, y), colour): &((u16, u16), [u8; 3])| {
            let at = (usize::from(*y) * picture.width + usize::from(*x)) * 3;
            let near = |(a, b): (&u8, &u8)| a.abs_diff(*b) < 48;
            rgb.get(at..at + 3).is_some_and(|pixel| pixel.iter().zip(colour).all(near))
        };
        places.iter().all(is).then_some(())
    });
    stage.screenshot(player, "")?;
    seen.context("see the screenshot")
}

fn share(pixels: u16, of: u16) -> f32 {
    f32::from(pixels) / f32::from(of)
}

/// Each finger's square is where the finger was, to the pixel, and nowhere else.
fn fingers(world: &World, name: &str) -> Result<Outcome> {
    let drawing = Drawing::open(world, name)?;
    let touch = |id, event, x, y| drawing.player.touch(id, event, share(x, WIDTH), share(y, HEIGHT));
    drawing.player.tap(share(160, WIDTH), share(180, HEIGHT));
    touch(7, phase::DOWN, 320, 60);
    touch(9, phase::DOWN, 480, 60);
    touch(9, phase::MOVE, 480, 270);
    touch(7, phase::UP, 320, 60);
    touch(9, phase::UP, 480, 270);
    let expected =
        ["down 0 160 180", "up 0", "down 0 320 60", "down 1 480 60", "move 1 480 270", "up 0", "up 1"];
    let told = drawing.told("up 1")?;
    ensure!(told == expected, "the application was told {told:?}");
    let inside = u16::try_from(HALF)? - 4;
    let outside = u16::try_from(HALF)? + 6;
    let mut places = Vec::new();
    for (x, y, colour) in [(160, 180, RED), (320, 60, RED), (480, 60, RED), (480, 270, BLUE)] {
        places.push(((x, y), colour));
        places.extend([(x - inside, y - inside), (x + inside, y + inside)].map(|place| (place, colour)));
        places.extend(
            [(x - outside, y), (x + outside, y), (x, y - outside), (x, y + outside)]
                .map(|place| (place, BLACK)),
        );
    }
    drawing.shows("squares where the fingers were", &places)?;
    // Who goes away with a finger down takes it along (it moves on the spot before it is
    // cancelled), and finds what was drawn again.
    touch(3, phase::DOWN, 40, 40);
    drawing.told("down 0 40 40")?;
    let Drawing { stage, player, file } = drawing;
    drop(player);
    let player = stage.play(&stage.options("Drawing")?.mode(WIDTH.into(), HEIGHT.into(), 30))?;
    ensure!(player.resumed(), "the application was started again");
    let drawing = Drawing { stage, player, file };
    drawing.told("cancel").context("the finger of a client that left")?;
    drawing.player.tap(share(600, WIDTH), share(180, HEIGHT));
    let told = drawing.told("up 0")?;
    ensure!(told.ends_with(&["cancel".into(), "down 0 600 180".into(), "up 0".into()]), "told {told:?}");
    drawing.shows(
        "what was drawn before and after",
        &[((160, 180), RED), ((40, 40), BLUE), ((600, 180), RED)],
    )?;
    Ok(Outcome::Passed(String::new()))
}

/// Pressure, tilt, buttons and the eraser arrive, and the line is where the pen was.
fn pen(world: &World, name: &str) -> Result<Outcome> {
    let drawing = Drawing::open(world, name)?;
    let at = |event, x, pressure| Pen {
        event,
        tool: tool::PEN,
        buttons: 0,
        x: share(x, WIDTH),
        y: 0.5,
        pressure,
        rotation: 90,
        tilt: 30,
        contact: [0.0; 2],
    };
    drawing.player.pen(at(phase::DOWN, 160, 0.25));
    drawing.player.pen(Pen { buttons: 1, ..at(phase::MOVE, 320, 1.0) });
    drawing.player.pen(at(phase::UP, 320, 0.0));
    drawing.player.pen(at(phase::HOVER_END, 0, 0.0));
    drawing.told("far")?;
    drawing.player.pen(Pen { tool: tool::ERASER, ..at(phase::DOWN, 480, 0.5) });
    drawing.player.pen(Pen { tool: tool::ERASER, ..at(phase::UP, 480, 0.0) });
    drawing.player.pen(Pen { tool: tool::ERASER, ..at(phase::HOVER_END, 0, 0.0) });
    let told = until("the eraser", PICTURE, || {
        let told = drawing.told("far").ok()?;
        (told.iter().filter(|line| *line == "far").count() == 2).then_some(told)
    })?;
    let mut rest = told.iter();
    for wanted in [
        "tool Pen",
        "near",
        "pen 160 180",
        "pressure 16384",
        "tilt -30 0",
        "pen down",
        "pen 320 180",
        "pressure 65535",
        "button 0x14b down",
        "pen up",
        "far",
        "tool Eraser",
        "near",
        "pen 480 180",
        "pressure 32768",
        "pen down",
        "pen up",
        "far",
    ] {
        ensure!(rest.any(|line| line == wanted), "`{wanted}` is missing or late in {told:?}");
    }
    let places = [
        ((160, 180), GREEN),
        ((176, 180), BLACK),
        ((320, 180), GREEN),
        ((340, 180), GREEN),
        ((360, 180), BLACK),
        ((480, 180), GREEN),
        ((500, 180), BLACK),
    ];
    drawing.shows("what the pen drew, wider where it was pressed", &places)?;
    Ok(Outcome::Passed(String::new()))
}

const TEXT: &str = "Gr\u{fc}\u{df}e: \u{e4} \u{20ac} \u{6f22} \u{1f600} a";
/// What terminals have behind their text: who sees it can type.
const GROUND: [u8; 3] = [0xA0, 0x60, 0x20];
/// A place without text, in windows of any size.
const MIDDLE: (u16, u16) = (WIDTH / 2, HEIGHT / 2);

/// A terminal that writes the first line typed into it to the file, and everything
/// after that to one beside it.
fn terminal(world: &World, name: &str, command: &[&str]) -> Result<(Stage, Player, PathBuf)> {
    let (_, file) = world.own_program(name)?;
    let script = format!(
        "stty -icanon -echo; printf '\\033[?1000h\\033[?1016h'; head -n 1 > '{0}'; exec cat > '{0}.touch'",
        file.display()
    );
    let command = [command, &["sh", "-c", &script]].concat();
    let app =
        format!("[[app]]\nname = \"Writing\"\ncommand = {command:?}\nenv = {{ LC_ALL = \"C.UTF-8\" }}\n");
    let stage = Stage::with(world, name, &app)?;
    stage.pair()?;
    let player = stage.play(&stage.options("Writing")?.mode(WIDTH.into(), HEIGHT.into(), 30))?;
    shows(&stage, &player, "the terminal", &[(MIDDLE, GROUND)])?;
    // It takes its shell a moment longer to make the file.
    until("its shell", PICTURE, || fs::exists(&file).ok()?.then_some(()))?;
    Ok((stage, player, file))
}

/// Types the line as text and compares what came of it.
fn write(player: &Player, file: &PathBuf) -> Result<()> {
    TEXT.chars().for_each(|character| player.text(character));
    player.key(keys::RETURN, true, 0);
    player.key(keys::RETURN, false, 0);
    let text = until("a line", PICTURE, || fs::read_to_string(file).ok().filter(|text| text.ends_with('\n')))
        .with_context(|| format!("the terminal got {:?}", fs::read(file)))?;
    ensure!(text.trim_end() == TEXT, "the terminal got {text:?}");
    Ok(())
}

/// What clients send as text, whatever the layout has.
fn every_script(world: &World, name: &str) -> Result<Outcome> {
    if !installed("foot") {
        return Ok(Outcome::Skipped("foot is not installed".into()));
    }
    let foot = ["foot", "-c", "/dev/null", "-o", "colors.background=a06020"];
    let (_stage, player, file) = terminal(world, name, &foot)?;
    write(&player, &file)?;
    Ok(Outcome::Passed(String::new()))
}

/// A terminal of X11 gets every character too, and a finger is its mouse.
fn in_x11(world: &World, name: &str) -> Result<Outcome> {
    if let Some(program) = ["Xwayland", "xterm"].into_iter().find(|program| !installed(program)) {
        return Ok(Outcome::Skipped(format!("{program} is not installed")));
    }
    let xterm = ["xterm", "-u8", "-bw", "0", "-b", "0", "+sb", "-bg", "#a06020", "-e"];
    let (stage, player, file) = terminal(world, name, &xterm)?;
    write(&player, &file)?;
    // Button 0 at a pixel of the window, down and up, wherever the window is.
    player.tap(share(300, WIDTH), share(90, HEIGHT));
    player.tap(share(380, WIDTH), share(180, HEIGHT));
    let touches = PathBuf::from(format!("{}.touch", file.display()));
    let told = until("two touches", PICTURE, || {
        fs::read_to_string(&touches).ok().filter(|text| text.matches('m').count() == 2)
    })
    .with_context(|| format!("the terminal got {:?}", fs::read(&touches)))?;
    stage.screenshot(&player, "touched")?;
    let press = |x: u16, y: u16| format!("\u{1b}[<0;{x};{y}M\u{1b}[<0;{x};{y}m");
    let first = told.split(['<', ';', 'M']).filter_map(|word| word.parse::<u16>().ok()).collect::<Vec<_>>();
    let [_, x, y, ..] = first[..] else { bail!("the terminal got {told:?}") };
    let expected = press(x, y) + &press(x + 80, y + 90);
    ensure!(told == expected && x < 300 && y < 90, "the terminal got {told:?}");
    Ok(Outcome::Passed(String::new()))
}
