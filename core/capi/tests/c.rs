//! Programs in C on the library, against a host of `core/testhost`: one that plays, one
//! that does everything wrong, and the one of the documentation. The first two run under
//! the sanitizers of the compiler, where it has them.

mod built;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use punktfunk_client::input::pad::Change;
use punktfunk_client::input::{Event, Phase, Tool};
use punktfunk_client::messages::Control;
use punktfunk_core::native::pairing::Pin;
use punktfunk_core::native::pairing::host::Offer;
use punktfunk_core::native::wire::Datagram;
use punktfunk_core::native::wire::datagram::{Motors, Packets, Sound};
use punktfunk_core::native::wire::input::Input;
use punktfunk_testhost::{Heard, Host, Settings, clock, tell};

const PIN: &str = "123456";

/// A folder for one test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("punktfunk-capi-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn has_compiler(test: &str) -> bool {
    let found = Command::new("cc").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        println!("SKIPPED {test}: there is no C compiler");
    }
    found
}

/// What the compiler and this machine can find out about a program.
struct Watch {
    arguments: &'static [&'static str],
    leaks: bool,
}

impl Watch {
    fn new(test: &str, folder: &Folder) -> Self {
        let arguments: &[&str] = &["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
        let (source, program) = (folder.0.join("nothing.c"), folder.0.join("nothing"));
        fs::write(&source, "int main(void) { return 0; }\n").expect("written");
        let mut cc = Command::new("cc");
        cc.args(arguments).arg("-o").arg(&program).arg(&source);
        let runs = |leaks: bool| {
            let output = sanitized(&program, leaks).output();
            output.is_ok_and(|output| output.status.success())
        };
        if !cc.output().is_ok_and(|output| output.status.success()) || !runs(false) {
            println!("SKIPPED {test} under sanitizers: the C compiler has none");
            return Self { arguments: &[], leaks: false };
        }
        let leaks = runs(true);
        if !leaks {
            println!("SKIPPED {test} under LeakSanitizer: it may not look into processes here");
        }
        Self { arguments, leaks }
    }
}

fn sanitized(program: &Path, leaks: bool) -> Command {
    let mut command = Command::new(program);
    command.env("ASAN_OPTIONS", format!("detect_leaks={}", u8::from(leaks)));
    command
}

/// Compiles a program of `tests/c`, linked with `library`.
fn compile(folder: &Folder, name: &str, library: &[&str], arguments: &[&str]) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = folder.0.join(name);
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1"]).args(arguments);
    cc.arg("-I").arg(here.join("include")).arg(here.join("tests/c").join(name).with_extension("c"));
    cc.current_dir(built::folder()).args(library).arg("-o").arg(&program);
    let output = cc.output().expect("cc");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}

/// Compiles a program with the shared library and what can watch it.
fn watched(test: &str, folder: &Folder, name: &str) -> Command {
    let watch = Watch::new(test, folder);
    // By its whole path, so that it is found when the program runs.
    let library = built::folder().join("libpunktfunk.so");
    let library = [library.to_str().expect("UTF-8"), "-lm"];
    sanitized(&compile(folder, name, &library, watch.arguments), watch.leaks)
}

fn start(command: &mut Command, folder: &Folder, host: &Host) -> Child {
    command.arg(folder.0.join("identity")).arg(host.address.to_string()).arg(PIN);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started")
}

fn end(program: Child) -> Output {
    let output = program.wait_with_output().expect("ended");
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    output
}

fn host() -> Host {
    let offer = Offer { pin: Some(Pin::parse(PIN).expect("pin")), secret: None };
    Host::new(Settings { offer, ..Settings::default() })
}

fn picture(number: u32, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at as u32).wrapping_mul(2_654_435_761).wrapping_add(number) as u8).collect()
}

fn greet(connection: &punktfunk_testhost::Connection) {
    for number in 0..2_u8 {
        let packet = [100 + number; 20];
        let packets = Packets::new(&[&packet]).expect("packets");
        tell(connection, &Datagram::Sound(Sound { seq: number.into(), timestamp: clock(), packets }));
    }
    let motors = Motors { low: 5, high: 6, ..Motors::default() };
    tell(connection, &Datagram::Rumble { seq: 0, pad: 1, motors });
}

/// Waits for what the program does in `send_input` and `change_picture`, in any order,
/// because two ways lead to the host.
fn expect_input(host: &Host) {
    let mut missing: Vec<&str> = vec![
        "key",
        "text",
        "motion",
        "position",
        "button",
        "scroll",
        "touch",
        "pen",
        "arrived",
        "state",
        "moved",
        "finger",
        "battery",
        "removed",
        "release",
        "mic",
        "clipboard",
        "reconfigure",
    ];
    let mut letters = String::new();
    while !missing.is_empty() {
        let Some(what) = host.wait(|heard| Some(word(&heard, &mut letters))) else { continue };
        missing.retain(|word| *word != what);
    }
}

/// The word for what was heard, if it is exactly as it was sent.
fn word(heard: &Heard, letters: &mut String) -> Option<&'static str> {
    Some(match heard {
        Heard::Message(Control::Reconfigure(wanted)) if wanted.width == Some(1920) => "reconfigure",
        Heard::Microphone(packet) if packet.len() == 40 && packet[0] == 9 => "mic",
        Heard::Message(Control::Clipboard(copied)) if copied.mime == "text/plain" => "clipboard",
        Heard::Input(Input::Event(event)) => match *event {
            Event::Key { code: 30, down: true } => "key",
            Event::Text { character } => {
                letters.push(character);
                if letters != "grüß" {
                    return None;
                }
                "text"
            }
            Event::PointerMotion { dx: 12.5, dy: -3.0 } => "motion",
            Event::PointerPosition { x, y: 1.0 } if (x - 0.5).abs() < 0.001 => "position",
            Event::PointerButton { code: 0x110, down: true } => "button",
            Event::Scroll { horizontal: 0, vertical: -120 } => "scroll",
            Event::Touch(touch)
                if (touch.id, touch.phase) == (3, Phase::Down)
                    && touch.pressure.is_some()
                    && touch.contact.is_none()
                    && touch.rotation.is_none() =>
            {
                "touch"
            }
            Event::Pen(pen)
                if (pen.tool, pen.phase) == (Tool::Pen, Phase::Hover)
                    && (pen.x - 0.25).abs() < 0.001
                    && pen.pressure.is_none()
                    && pen.tilt.is_none() =>
            {
                "pen"
            }
            Event::ReleaseAll => "release",
            _ => return None,
        },
        Heard::Input(Input::Pad(event)) if event.index == 2 => match event.change {
            Change::Arrived(arrival) if arrival.capabilities == 2 => "arrived",
            Change::State(state) if state.left == [-300, 0] && state.buttons == 0x1000 => "state",
            Change::Motion { axes: [1.0, 2.0, 3.0], .. } => "moved",
            Change::Touch(touch) if touch.id == 7 => "finger",
            Change::Battery { percent: Some(70), .. } => "battery",
            Change::Left => "removed",
            _ => return None,
        },
        _ => return None,
    })
}

#[test]
fn a_program_in_c_pairs_and_plays() {
    let test = "a_program_in_c_pairs_and_plays";
    if !has_compiler(test) {
        return;
    }
    let (folder, host) = (Folder::new("play"), host());
    let mut command = watched(test, &folder, "play");
    let program = start(&mut command, &folder, &host);
    // A program that fails hangs up, and says why: its output is worth more than that the
    // host hears nothing more.
    let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        host.wait(|heard| matches!(heard, Heard::Paired(_)).then_some(()));
        let connection = host.started();
        for (number, len) in [(0, 30_000), (1, 1), (2, 100_000)] {
            host.planes.frame(&picture(number, len), 0, number == 0);
        }
        greet(&connection);
        expect_input(&host);
        host.planes.frame(&picture(3, 9000), 1, true);
    }));
    let output = end(program);
    assert!(played.is_ok());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "played\n");
}

#[test]
fn whatever_a_program_in_c_does_wrong_is_refused() {
    let test = "whatever_a_program_in_c_does_wrong_is_refused";
    if !has_compiler(test) {
        return;
    }
    let (folder, host) = (Folder::new("wrong"), host());
    let mut command = watched(test, &folder, "wrong");
    let output = end(start(&mut command, &folder, &host));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "refused\n");
}

#[test]
fn the_program_of_the_documentation_works() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(here.join("../../docs/c-api.md")).expect("page");
    let shown = page.split("```c\n").nth(1).and_then(|rest| rest.split("```").next()).expect("program");
    let source = fs::read_to_string(here.join("tests/c/record.c")).expect("record.c");
    assert!(shown == source, "the program in docs/c-api.md is not tests/c/record.c");
    let test = "the_program_of_the_documentation_works";
    if !has_compiler(test) {
        return;
    }
    let (folder, host) = (Folder::new("record"), host());
    let library = ["libpunktfunk.a", "-lpthread", "-ldl", "-lm", "-lgcc_s"];
    let mut command = Command::new(compile(&folder, "record", &library, &[]));
    command.arg(folder.0.join("identity")).arg(host.address.to_string()).args([PIN, "2"]);
    let mut program = command.stdout(Stdio::piped()).spawn().expect("started");
    host.started();
    let frames = [picture(0, 20_000), picture(1, 3000)];
    host.planes.frame(&frames[0], 0, true);
    host.planes.frame(&frames[1], 0, false);
    let mut video = Vec::new();
    program.stdout.take().expect("output").read_to_end(&mut video).expect("read");
    assert!(program.wait().expect("ended").success());
    assert!(video == frames.concat());
}
