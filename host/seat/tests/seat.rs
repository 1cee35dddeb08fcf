//! The real program with a real terminal on it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use punktfunk_core::input::Event as Input;
use punktfunk_seat_ipc::host::{Event, Frame, SeatLink};
use punktfunk_seat_ipc::{App, AppKind, Exit, Mode, ToSeat};

const WAIT: Duration = Duration::from_secs(30);

struct Seat {
    directory: PathBuf,
    process: Child,
    link: SeatLink,
}

fn installed(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|d| d.join(program).is_file())
}

/// True when the test must be left out, which it says.
fn lacks(test: &str, program: &str) -> bool {
    let lacks = !installed(program);
    if lacks {
        println!("SKIPPED {test}: {program} is not installed");
    }
    lacks
}

fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < WAIT, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn start(name: &str, size: (u32, u32)) -> Seat {
    let directory = std::env::temp_dir().join(format!("pf-{name}-{}", std::process::id()));
    let process = Command::new(env!("CARGO_BIN_EXE_punktfunk-seat"))
        .arg("--runtime-dir")
        .arg(&directory)
        .args(if name == "card" { &[][..] } else { &["--no-sound"] })
        .args(["--width", &size.0.to_string(), "--height", &size.1.to_string(), "--refresh", "60"])
        // A shell that reads nobody's settings: those may take long, or ask.
        .env("SHELL", "/bin/sh")
        .env_remove("ENV")
        .spawn()
        .unwrap();
    let mut link = wait_for("the seat", || SeatLink::connect(&directory).ok());
    let ready = link.next_event(WAIT).unwrap();
    assert!(matches!(&ready, Some(Event::Ready(ready)) if !ready.wayland_display.is_empty()), "{ready:?}");
    Seat { directory, process, link }
}

/// Where a terminal is on a desktop of 1280x720, all is of one colour: not the backdrop any more.
fn is_flat(frame: &Frame) -> bool {
    let corner = pixel(frame, 300, 580);
    [(900, 580), (300, 400), (900, 400)].iter().all(|(x, y)| pixel(frame, *x, *y) == corner)
}

impl Seat {
    fn launch(&self, argv: &[&str]) {
        let kind = match argv {
            [] => AppKind::Desktop,
            argv => AppKind::Command(argv.iter().map(|a| (*a).to_owned()).collect()),
        };
        let app = App { kind, name: "a test".to_owned(), env: vec![], cwd: None };
        self.link.send(&ToSeat::Launch(app)).unwrap();
    }

    fn input(&self, input: Input) {
        self.link.send(&ToSeat::Input(input)).unwrap();
    }

    fn key(&self, code: u16) {
        self.input(Input::Key { code, down: true });
        self.input(Input::Key { code, down: false });
    }

    fn text(&self, text: &str) {
        text.chars().for_each(|character| self.input(Input::Text { character }));
        // Nobody reads the link meanwhile, who would send what the seat could not take at once.
        let sender = self.link.sender();
        wait_for("the seat to read", || (!sender.is_waiting().unwrap()).then_some(()));
    }

    /// The next frame that satisfies `wanted`.
    fn frame(&mut self, what: &str, mut wanted: impl FnMut(&Frame) -> bool) -> Frame {
        let start = Instant::now();
        while start.elapsed() < WAIT {
            match self.link.next_event(Duration::from_millis(100)).unwrap() {
                Some(Event::Frame(frame)) if wanted(&frame) => return frame,
                Some(Event::Error(text)) => panic!("{text}"),
                _ => {}
            }
        }
        panic!("waited too long for {what}");
    }

    /// Reads frames until none comes for a while; the last one.
    fn settled(&mut self) -> Frame {
        let first = self.frame("a first frame", |_| true);
        self.quiet(first)
    }

    /// The desktop of 1280x720, once its terminal is seen and nothing moves.
    fn desktop(&mut self) -> Frame {
        self.launch(&[]);
        let first = self.frame("the terminal", is_flat);
        self.quiet(first)
    }

    fn quiet(&mut self, mut last: Frame) -> Frame {
        while let Some(event) = self.link.next_event(Duration::from_millis(700)).unwrap() {
            if let Event::Frame(frame) = event {
                last = frame;
            }
        }
        last
    }

    fn quit(mut self) {
        let mark = format!("PUNKTFUNK_SEAT={}", self.directory.display());
        assert!(!marked(&mark).is_empty(), "something of the seat runs");
        self.link.send(&ToSeat::Quit).unwrap();
        let process = &mut self.process;
        let status = wait_for("the seat to end", || process.try_wait().unwrap());
        assert!(status.success(), "{status}");
        wait_for("everything to end", || marked(&mark).is_empty().then_some(()));
        std::fs::remove_dir_all(&self.directory).unwrap();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // After a failed test; the guard of the seat ends the rest.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Processes with this variable in their environment.
fn marked(mark: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    entries
        .filter(|path| {
            let environment = std::fs::read(path.join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        })
        .collect()
}

/// Those of them that run the program of this name.
fn named(mark: &str, name: &str) -> Vec<PathBuf> {
    let is = |path: &PathBuf| std::fs::read_to_string(path.join("comm")).unwrap_or_default().trim() == name;
    marked(mark).into_iter().filter(is).collect()
}

fn pixel(frame: &Frame, x: u32, y: u32) -> [u8; 3] {
    let at = y as usize * frame.stride() + x as usize * 4;
    let bytes = frame.bytes();
    [bytes[at + 2], bytes[at + 1], bytes[at]]
}

/// Writes the frame where `PUNKTFUNK_PICTURES` says, for people to look at.
fn save(frame: &Frame, name: &str) {
    let Some(directory) = std::env::var_os("PUNKTFUNK_PICTURES") else { return };
    let file = std::fs::File::create(Path::new(&directory).join(name)).unwrap();
    let mut encoder = png::Encoder::new(file, frame.width(), frame.height());
    encoder.set_color(png::ColorType::Rgb);
    let rgb: Vec<u8> =
        (0..frame.height()).flat_map(|y| (0..frame.width()).flat_map(move |x| pixel(frame, x, y))).collect();
    encoder.write_header().unwrap().write_image_data(&rgb).unwrap();
}

#[test]
fn a_terminal_fills_an_odd_output_and_takes_what_is_typed() {
    if lacks("a_terminal_fills_an_odd_output_and_takes_what_is_typed", "foot") {
        return;
    }
    let mut seat = start("kiosk", (853, 479));
    let file = seat.directory.join("typed");
    seat.launch(&["foot", "-c", "/dev/null", "-o", "colors.background=204060", "sh"]);
    let background = |frame: &Frame| pixel(frame, 852, 478) == [0x20, 0x40, 0x60];
    let frame = seat.frame("the terminal on the whole output", background);
    assert_eq!((frame.width(), frame.height(), frame.stride()), (853, 479, 3456));
    drop(frame);
    // Keys by their codes, then text: both arrive.
    for code in [18, 46, 35, 24, 57] {
        seat.key(code);
    }
    seat.text(&format!("Hello_{{1}} > '{}'\n", file.display()));
    let typed = wait_for("the file the shell writes", || {
        std::fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n'))
    });
    assert_eq!(typed, "Hello_{1}\n");
    seat.input(Input::PointerPosition { x: 0.5, y: 0.5 });
    let frame = seat.settled();
    save(&frame, "kiosk.png");
    drop(frame);
    std::fs::remove_file(file).unwrap();
    seat.quit();
}

#[test]
fn the_end_of_an_application_is_reported() {
    if lacks("the_end_of_an_application_is_reported", "foot") {
        return;
    }
    let mut seat = start("exit", (640, 360));
    seat.launch(&["sh", "-c", "exit 7"]);
    let exited = |seat: &mut Seat| {
        wait_for("the exit", || match seat.link.next_event(Duration::from_millis(50)).unwrap() {
            Some(Event::AppExited(exit)) => Some(exit),
            _ => None,
        })
    };
    assert_eq!(exited(&mut seat), Exit::Code(7));
    // An application has ended when the last of its processes has.
    let file = seat.directory.join("last");
    seat.launch(&["sh", "-c", &format!("(setsid sh -c 'sleep 1; echo > {}') & exit 0", file.display())]);
    assert_eq!(exited(&mut seat), Exit::Code(0));
    assert!(file.exists());
    seat.launch(&["/nonexistent/program"]);
    let text = wait_for("the error", || match seat.link.next_event(Duration::from_millis(50)).unwrap() {
        Some(Event::Error(text)) => Some(text),
        _ => None,
    });
    assert!(text.contains("/nonexistent/program"), "{text}");
    seat.quit();
}

#[test]
fn a_desktop_opens_terminals_and_a_host_finds_it_again() {
    if lacks("a_desktop_opens_terminals_and_a_host_finds_it_again", "foot") {
        return;
    }
    let mut seat = start("desktop", (1280, 720));
    let first = seat.desktop();
    save(&first, "desktop-one.png");
    drop(first);
    seat.input(Input::PointerPosition { x: 0.6, y: 0.4 });
    // Super + Return opens another.
    seat.input(Input::Key { code: 125, down: true });
    seat.key(28);
    seat.input(Input::Key { code: 125, down: false });
    let second = seat.settled();
    save(&second, "desktop-two.png");
    drop(second);
    let mark = format!("PUNKTFUNK_SEAT={}", seat.directory.display());
    let terminals = || {
        let name = |path: &PathBuf| std::fs::read_to_string(path.join("comm")).unwrap_or_default();
        marked(&mark).iter().filter(|path| name(path).trim() == "foot").count()
    };
    assert_eq!(terminals(), 2);
    // The host goes and comes back; the mode changes to the next client's.
    drop(std::mem::replace(&mut seat.link, SeatLink::connect(&seat.directory).unwrap()));
    let mode = Mode { width: 1001, height: 601, refresh_num: 60_000, refresh_den: 1001 };
    assert!(matches!(seat.link.next_event(WAIT).unwrap(), Some(Event::Ready(_))));
    seat.link.send(&ToSeat::SetMode(mode)).unwrap();
    let frame = seat.frame("a frame of the new size", |frame| frame.width() == 1001 && frame.height() == 601);
    assert!(frame.full());
    drop(frame);
    // Alt + F4 twice: both go, the backdrop stays.
    for _ in 0..2 {
        seat.input(Input::Key { code: 56, down: true });
        seat.key(62);
        seat.input(Input::Key { code: 56, down: false });
        save(&seat.settled(), "desktop-closing.png");
    }
    wait_for("the terminals to close", || (terminals() == 0).then_some(()));
    seat.quit();
}

#[test]
fn nothing_is_left_when_a_seat_is_killed() {
    let mut seat = start("killed", (320, 200));
    seat.launch(&["sh", "-c", "setsid sleep 1000 & sleep 1000"]);
    let mark = format!("PUNKTFUNK_SEAT={}", seat.directory.display());
    let sleeps = wait_for("the processes", || Some(named(&mark, "sleep")).filter(|found| found.len() == 2));
    for process in sleeps {
        let status = std::fs::read_to_string(process.join("status")).unwrap();
        assert!(status.contains("SigBlk:\t0000000000000000"), "a signal is blocked: {status}");
    }
    seat.process.kill().unwrap();
    seat.process.wait().unwrap();
    wait_for("everything to end", || marked(&mark).is_empty().then_some(()));
    std::fs::remove_dir_all(&seat.directory).unwrap();
}

#[test]
fn the_damage_of_each_frame_covers_what_changed() {
    if lacks("the_damage_of_each_frame_covers_what_changed", "foot") {
        return;
    }
    let mut seat = start("damage", (700, 401));
    seat.launch(&[]);
    let mut shown = vec![0u8; 0];
    let mut partial = 0;
    for step in 0..40u16 {
        // Typing, moving the pointer, opening and switching windows.
        match step % 5 {
            0 | 1 => seat.text("abc\n"),
            2 => seat.input(Input::PointerPosition { x: f64::from(step) / 40.0, y: 0.5 }),
            3 if step < 20 => {
                seat.input(Input::Key { code: 125, down: true });
                seat.key(28);
                seat.input(Input::Key { code: 125, down: false });
            }
            _ => {
                seat.input(Input::Key { code: 56, down: true });
                seat.key(15);
                seat.input(Input::Key { code: 56, down: false });
            }
        }
        let Some(Event::Frame(frame)) = seat.link.next_event(Duration::from_millis(150)).unwrap() else {
            continue;
        };
        let stride = frame.stride();
        if shown.is_empty() {
            assert!(frame.full());
            shown = frame.bytes().to_vec();
        }
        partial += u32::from(!frame.full());
        for rect in frame.damage() {
            for y in rect.y..rect.y + rect.height {
                let row = y as usize * stride;
                let range = row + rect.x as usize * 4..row + (rect.x + rect.width) as usize * 4;
                shown[range.clone()].copy_from_slice(&frame.bytes()[range]);
            }
        }
        for y in 0..frame.height() as usize {
            let row = y * stride..y * stride + frame.width() as usize * 4;
            let differs = shown[row.clone()].iter().zip(&frame.bytes()[row]).enumerate();
            let differs = differs.filter(|(at, (a, b))| at % 4 != 3 && a != b).count();
            assert_eq!(differs, 0, "row {y} changed outside of the damage, step {step}");
        }
    }
    assert!(partial > 5, "only {partial} frames were partial");
    seat.quit();
}

#[test]
fn the_test_card_is_shown() {
    let mut seat = start("card", (641, 361));
    let app = App { kind: AppKind::TestCard, name: "Test card".to_owned(), env: vec![], cwd: None };
    seat.link.send(&ToSeat::Launch(app)).unwrap();
    let mut distinct = Vec::new();
    let frame = seat.frame("moving pictures", |frame| {
        let first =
            frame.bytes().iter().fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
        if !distinct.contains(&first) {
            distinct.push(first);
        }
        distinct.len() > 20
    });
    save(&frame, "card.png");
    drop(frame);
    seat.quit();
}

#[test]
fn a_busy_client_gets_the_rate_of_the_output() {
    let test = "a_busy_client_gets_the_rate_of_the_output";
    if lacks(test, "weston-simple-shm") {
        return;
    }
    let mut seat = start("rate", (640, 360));
    seat.launch(&["weston-simple-shm"]);
    let mut last: Option<(u64, u64)> = None;
    let mut steps = Vec::new();
    while steps.len() < 60 {
        let frame = seat.frame("a frame", |_| true);
        if let Some((sequence, at)) = last {
            let frames = frame.sequence() - sequence;
            steps.push((frame.timestamp_us() - at) as f64 / frames as f64);
        }
        last = Some((frame.sequence(), frame.timestamp_us()));
    }
    steps.sort_by(f64::total_cmp);
    // The median of what the clock of the seat says, not of when this test ran.
    let median = steps[steps.len() / 2];
    assert!((16_000.0..17_400.0).contains(&median), "{median} µs from frame to frame");
    seat.quit();
}

#[test]
fn a_window_is_moved_by_its_title_bar() {
    if lacks("a_window_is_moved_by_its_title_bar", "foot") {
        return;
    }
    let mut seat = start("move", (1280, 720));
    let inside = pixel(&seat.desktop(), 300, 200);
    seat.input(Input::PointerPosition { x: 0.5, y: 0.185 });
    seat.input(Input::PointerButton { code: 0x110, down: true });
    seat.input(Input::PointerPosition { x: 0.7, y: 0.3 });
    seat.input(Input::PointerButton { code: 0x110, down: false });
    let frame = seat.settled();
    save(&frame, "moved.png");
    // 256 pixels to the right and 82 down.
    assert_ne!(pixel(&frame, 300, 200), inside);
    assert_eq!(pixel(&frame, 556, 282), inside);
    drop(frame);
    seat.quit();
}

impl Seat {
    fn point(&self, x: u32, y: u32) {
        self.input(Input::PointerPosition { x: f64::from(x) / 1280.0, y: f64::from(y) / 720.0 });
    }

    fn button(&self, code: u16, down: bool) {
        self.input(Input::PointerButton { code, down });
    }

    fn click(&self, code: u16) {
        self.button(code, true);
        self.button(code, false);
    }

    /// Types until a shell does what is typed: what comes while one starts may be lost.
    fn shell_answers(&self) {
        let file = self.directory.join("answer");
        let mut asked = 0u32;
        wait_for("a shell", || {
            if asked.is_multiple_of(50) {
                self.text(&format!(": > {}\n", file.display()));
            }
            asked += 1;
            file.exists().then_some(())
        });
    }

    /// Waits until what is typed reaches a shell, which must be the one in foot.
    fn types_into_foot(&self, name: &str) {
        let file = self.directory.join(name);
        self.text(&format!("echo $TERM > {}\n", file.display()));
        let typed = wait_for("the shell to write", || {
            std::fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n'))
        });
        assert_eq!(typed, "foot\n", "{name}");
        std::fs::remove_file(file).unwrap();
    }
}

/// One press ends a menu and does what it does without one.
#[test]
fn a_press_beside_a_menu_is_not_lost() {
    let test = "a_press_beside_a_menu_is_not_lost";
    if lacks(test, "foot") || lacks(test, "weston-terminal") {
        return;
    }
    const LEFT: u16 = 0x110;
    const RIGHT: u16 = 0x111;
    const BLACK: [u8; 3] = [0, 0, 0];
    let mut seat = start("menus", (1280, 720));
    seat.launch(&[]);
    let foot = pixel(&seat.frame("the first terminal", is_flat), 300, 580);
    seat.shell_answers();
    seat.text("weston-terminal &\n");
    drop(seat.frame("a second terminal in front", |frame| pixel(frame, 640, 500) == BLACK));
    let open_menu = |seat: &mut Seat| {
        seat.point(900, 400);
        seat.click(RIGHT);
        let frame = seat.frame("the menu", |frame| pixel(frame, 980, 450) != BLACK);
        save(&frame, "menu.png");
    };
    let raise_second = |seat: &mut Seat| {
        seat.point(900, 580);
        seat.click(LEFT);
        drop(seat.frame("the second in front", |frame| pixel(frame, 640, 470) == BLACK));
    };
    // The client closes its menu itself, then the title bar of another is dragged.
    open_menu(&mut seat);
    seat.key(1);
    seat.point(700, 580);
    seat.click(LEFT);
    drop(seat.frame("no menu", |frame| pixel(frame, 980, 450) == BLACK));
    seat.point(640, 135);
    seat.button(LEFT, true);
    seat.point(440, 35);
    seat.button(LEFT, false);
    let moved = |frame: &Frame| pixel(frame, 640, 470) == foot && pixel(frame, 300, 580) != foot;
    save(&seat.frame("foot moved, in front", moved), "menu-closed.png");
    seat.types_into_foot("after-close");
    // The menu is open when the title bar is pressed.
    raise_second(&mut seat);
    open_menu(&mut seat);
    seat.point(440, 35);
    seat.button(LEFT, true);
    seat.point(440, 135);
    seat.button(LEFT, false);
    let raised = |frame: &Frame| pixel(frame, 640, 470) == foot && pixel(frame, 980, 450) == BLACK;
    let moved = |frame: &Frame| raised(frame) && pixel(frame, 100, 580) == foot;
    save(&seat.frame("foot moved, in front, no menu", moved), "menu-bar.png");
    seat.types_into_foot("after-bar");
    // The other window itself is pressed.
    raise_second(&mut seat);
    open_menu(&mut seat);
    seat.point(100, 400);
    seat.click(LEFT);
    save(&seat.frame("foot in front, no menu", raised), "menu-window.png");
    seat.types_into_foot("after-press");
    // A shortcut goes past the menu as well.
    raise_second(&mut seat);
    open_menu(&mut seat);
    seat.input(Input::Key { code: 56, down: true });
    seat.key(15);
    seat.input(Input::Key { code: 56, down: false });
    save(&seat.frame("foot in front, no menu", raised), "menu-switch.png");
    seat.types_into_foot("after-switch");
    // The client dies with its menu open.
    raise_second(&mut seat);
    open_menu(&mut seat);
    let mark = format!("PUNKTFUNK_SEAT={}", seat.directory.display());
    let second = named(&mark, "weston-terminal");
    let [second] = second.as_slice() else { panic!("one second terminal: {second:?}") };
    let pid = second.file_name().unwrap();
    assert!(Command::new("sh").args(["-c", "kill -9 $0"]).arg(pid).status().unwrap().success());
    drop(seat.frame("foot alone", |frame| pixel(frame, 640, 470) == foot && pixel(frame, 980, 450) != BLACK));
    seat.types_into_foot("after-death");
    seat.quit();
}
