//! The desktop with real programs on it: launcher, Alt + Tab, panels, clipboard.

mod banner;
mod clients;
mod ending;
mod held;
mod limits;
mod numbers;
mod popups;
mod resized;
mod stage;
mod wayland;
#[path = "../xclient/mod.rs"]
mod xclient;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};

use punktfunk_seat_ipc::host::Frame;
use stage::{LEFT, Process, Seat, display, folder, key, lacks, pixel, save, start, wait_for, written};

/// An application that leaves a file behind, and a few that only fill the list.
fn applications(data: &Path, left: &Path) {
    let folder = data.join("applications");
    fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, lines: &str| {
        fs::write(folder.join(name), format!("[Desktop Entry]\nType=Application\n{lines}\n")).unwrap();
    };
    let file = left.display();
    write(
        "zebra.desktop",
        &format!(
            "Name=Zebra\nComment=Leaves a file behind\n\
             Exec=sh -c \"echo $WAYLAND_DISPLAY %%c > '{file}'; exec sleep 1000\"\nPath=/tmp"
        ),
    );
    write(
        "term.desktop",
        "Name=Terminal task\nGenericName=Runs in a terminal\nExec=sleep 999\nTerminal=true",
    );
    write("hidden.desktop", "Name=Hidden zebra\nExec=false\nNoDisplay=true");
    let names =
        ["Calculator", "Calendar", "Files", "Fire Fox", "Mail", "Music", "Paint", "Text Editor", "Videos"];
    for name in names {
        let about = format!("GenericName=What {name} does\nIcon=foot\nKeywords=thing;");
        write(&format!("{name}.desktop"), &format!("Name={name}\n{about}\nExec=false"));
    }
}

#[test]
fn the_launcher_starts_what_is_typed_or_pressed() {
    let test = "the_launcher_starts_what_is_typed_or_pressed";
    if lacks(test, &["foot"]) {
        return;
    }
    let data = folder("launcher-data");
    let left = data.join("left");
    applications(&data, &left);
    let folders = format!("{}:/usr/share", data.display());
    let env = [("XDG_DATA_DIRS", folders.as_str()), ("XDG_DATA_HOME", "/nonexistent")];
    let mut seat = start("launcher", (1280, 720), &env);
    drop(seat.desktop());
    seat.key(key::SUPER);
    let open = seat.settled();
    save(&open, "launcher.png");
    // Dimmed in the corner, and the panel in the middle.
    let corner = pixel(&open, 8, 712);
    drop(open);
    seat.text("fi");
    save(&seat.settled(), "launcher-typed.png");
    seat.key(key::ESCAPE);
    let closed = seat.frame("no launcher", |frame| pixel(frame, 8, 712) != corner);
    drop(closed);
    // What was typed into the launcher reached no terminal, nor the other way round.
    seat.key(key::SUPER);
    seat.text("zeb");
    seat.key(key::RETURN);
    let text = written("the application", &left);
    assert_eq!(text, "wayland-1 %c\n");
    assert_eq!(seat.named("sleep").len(), 1);
    // The button of the backdrop; the pointer chooses and starts.
    seat.point(640, 676);
    seat.click(LEFT);
    seat.text("terminal t");
    seat.point(600, 200);
    save(&seat.settled(), "launcher-pointer.png");
    seat.click(LEFT);
    wait_for("the task in a terminal", || (seat.named("sleep").len() == 2).then_some(()));
    // Super with another key is not Super alone.
    seat.chord(key::SUPER, key::RETURN);
    wait_for("another terminal", || (seat.named("foot").len() == 3).then_some(()));
    let frame = seat.settled();
    save(&frame, "launcher-after.png");
    assert_ne!(pixel(&frame, 8, 712), corner, "the launcher is not open");
    drop(frame);
    // A press beside the panel closes it and does nothing else.
    seat.key(key::SUPER);
    drop(seat.frame("the launcher", |frame| pixel(frame, 8, 712) == corner));
    seat.point(20, 20);
    seat.click(LEFT);
    drop(seat.frame("no launcher", |frame| pixel(frame, 8, 712) != corner));
    seat.quit();
    fs::remove_dir_all(data).unwrap();
}

#[test]
fn alt_tab_goes_through_the_windows_and_back() {
    let test = "alt_tab_goes_through_the_windows_and_back";
    if lacks(test, &["foot"]) {
        return;
    }
    let mut seat = start("switch", (1280, 720), &[]);
    drop(seat.desktop());
    let dir = seat.folder.clone();
    // Three terminals that say who they are when asked.
    let who = |seat: &mut Seat, name: &str| {
        let file = dir.join(name);
        seat.text(&format!("echo $WHO > {}\n", file.display()));
        written("the shell", &file)
    };
    seat.text("export WHO=1\n");
    for n in 2..=3 {
        seat.chord(key::SUPER, key::RETURN);
        wait_for("another terminal", || (seat.named("foot").len() == n).then_some(()));
        drop(seat.settled());
        seat.text(&format!("export WHO={n}\n"));
    }
    assert_eq!(who(&mut seat, "a"), "3\n");
    seat.chord(key::ALT, key::TAB);
    assert_eq!(who(&mut seat, "b"), "2\n");
    // Now 2, 3, 1 from the front: two steps.
    seat.press(key::ALT, true);
    seat.key(key::TAB);
    seat.key(key::TAB);
    save(&seat.settled(), "switcher.png");
    seat.press(key::ALT, false);
    assert_eq!(who(&mut seat, "c"), "1\n");
    // Backwards: the rearmost, which is 3.
    seat.press(key::ALT, true);
    seat.chord(key::SHIFT, key::TAB);
    seat.press(key::ALT, false);
    assert_eq!(who(&mut seat, "d"), "3\n");
    // Escape leaves everything as it is.
    seat.press(key::ALT, true);
    seat.key(key::TAB);
    seat.key(key::ESCAPE);
    seat.press(key::ALT, false);
    assert_eq!(who(&mut seat, "e"), "3\n");
    seat.chord(key::ALT, key::F4);
    wait_for("it to close", || (seat.named("foot").len() == 2).then_some(()));
    seat.quit();
}

/// Runs a program of Wayland on the seat; it is ended when this is dropped.
struct Client(Process);

impl Client {
    fn start(seat: &Seat, program: &str, arguments: &[&str], input: Option<&str>) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.env("XDG_RUNTIME_DIR", &seat.directory).env("WAYLAND_DISPLAY", "wayland-1");
        command
            .env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", seat.directory.join("bus").display()));
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.unwrap_or_default().as_bytes()).unwrap();
        Self(child.into())
    }

    /// What it printed, once it has ended by itself.
    fn output(mut self) -> String {
        let mut text = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(self.0.wait().unwrap().success());
        text
    }
}

const RED: [u8; 3] = [255, 0, 0];

#[test]
fn panels_keep_their_edge_and_menus_take_the_keys() {
    let test = "panels_keep_their_edge_and_menus_take_the_keys";
    if lacks(test, &["foot", "waybar", "fuzzel"]) {
        return;
    }
    let mut seat = start("panels", (1280, 720), &[]);
    let folder = seat.folder.clone();
    let (config, style) = (folder.join("waybar"), folder.join("style.css"));
    fs::write(&config, r#"{"layer": "top", "position": "top", "height": 40, "modules-center": ["clock"]}"#)
        .unwrap();
    fs::write(&style, "* { background: #ff0000; border: none; min-height: 0; }").unwrap();
    drop(seat.desktop());
    let (config, style) = (config.to_string_lossy().into_owned(), style.to_string_lossy().into_owned());
    let waybar = Client::start(&seat, "waybar", &["-c", &config, "-s", &style], None);
    let shown = |frame: &Frame| pixel(frame, 5, 5) == RED && pixel(frame, 1275, 35) == RED;
    let inside = pixel(&seat.frame("the panel", shown), 300, 500);
    // A double click on its title bar makes the terminal fill what the panel leaves.
    seat.point(700, 135);
    seat.click(LEFT);
    seat.click(LEFT);
    let filled = |frame: &Frame| pixel(frame, 5, 700) == inside && pixel(frame, 1270, 700) == inside;
    let frame = seat.frame("the terminal below the panel", filled);
    assert_eq!((pixel(&frame, 5, 5), pixel(&frame, 5, 38)), (RED, RED));
    assert_ne!(pixel(&frame, 200, 50), RED, "the title bar is below the panel");
    save(&frame, "panel.png");
    drop(frame);
    // A menu takes all keys while it is there.
    let fuzzel = Client::start(&seat, "fuzzel", &["--dmenu"], Some("alpha\nbeta\n"));
    let frame = seat.frame("the menu", |frame| pixel(frame, 640, 360) != inside);
    save(&frame, "menu-layer.png");
    drop(frame);
    seat.text("bet");
    // It looks through its list some time after a key.
    save(&seat.settled(), "menu-layer-typed.png");
    seat.key(key::RETURN);
    assert_eq!(fuzzel.output(), "beta\n");
    // The keys are back with the terminal, once the seat knows that the menu is gone.
    drop(seat.settled());
    let file = folder.join("after");
    seat.text(&format!("echo $TERM > {}\n", file.display()));
    let text = written("the shell", &file);
    assert_eq!(text, "foot\n");
    // When the panel goes, its edge is there for windows again.
    drop(waybar);
    drop(seat.frame("no panel", |frame| pixel(frame, 5, 38) == inside && pixel(frame, 5, 5) != RED));
    seat.quit();
}

#[test]
fn the_clipboard_goes_from_window_to_window() {
    let test = "the_clipboard_goes_from_window_to_window";
    if lacks(test, &["foot", "wl-copy", "wl-paste"]) {
        return;
    }
    let mut seat = start("clipboard", (1280, 720), &[]);
    drop(seat.desktop());
    let _copy = Client::start(&seat, "wl-copy", &["--foreground", "copied text"], None);
    let paste = |seat: &Seat, arguments: &[&str]| {
        let mut child = Command::new("wl-paste");
        child.args(arguments).env("XDG_RUNTIME_DIR", &seat.directory).env("WAYLAND_DISPLAY", "wayland-1");
        let output = child.output().unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let text = wait_for("the clipboard", || paste(&seat, &["--no-newline"]));
    assert_eq!(text, "copied text");
    // A terminal pastes it: Ctrl + Shift + V.
    let file = seat.folder.join("pasted");
    seat.text("echo '");
    seat.press(29, true);
    seat.chord(key::SHIFT, 47);
    seat.press(29, false);
    drop(seat.settled());
    seat.text(&format!("' > {}\n", file.display()));
    let text = written("the shell", &file);
    assert_eq!(text, "copied text\n");
    // A selection made with the pointer is the primary one: the word at the prompt.
    seat.text("clear; echo primary\n");
    drop(seat.settled());
    seat.point(260, 162);
    seat.click(LEFT);
    seat.click(LEFT);
    let text = wait_for("the primary selection", || {
        paste(&seat, &["--primary", "--no-newline"]).filter(|text| !text.is_empty())
    });
    assert_eq!(text, "primary");
    seat.quit();
}

#[test]
fn a_nested_session_is_used_when_it_works_and_left_when_it_does_not() {
    let test = "a_nested_session_is_used_when_it_works_and_left_when_it_does_not";
    if lacks(test, &["foot", "sway"]) {
        return;
    }
    // An odd size: the session must fill it.
    let mut seat = start("nested", (1001, 601), &[]);
    let folder = seat.folder.clone();
    let config = folder.join("sway");
    fs::write(&config, "output * bg #206040 solid_color\nexec foot -D / -o colors.background=204060 sh\n")
        .unwrap();
    let mut session = format!("sway -c {}", config.display());
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        // It refuses to be root: somebody else, who is let in.
        session = format!("setpriv --reuid=65534 --regid=65534 --clear-groups {session}");
        let mut open = vec![folder.clone(), seat.directory.clone()];
        open.extend(["wayland-1", "bus"].map(|name| seat.directory.join(name)));
        open.iter().for_each(|path| fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap());
    }
    let ours = stage::installed("Xwayland").then(|| display(&seat));
    seat.launch_with(&[], &[("PUNKTFUNK_DESKTOP_SESSION", &session)]);
    let inside = |frame: &Frame| pixel(frame, 990, 300) == [0x20, 0x40, 0x60];
    drop(
        seat.frame("sway with a terminal", |frame| {
            inside(frame) && pixel(frame, 10, 590) == [0x20, 0x40, 0x60]
        }),
    );
    // Keys, and a pointer that is seen once, at its place.
    let file = folder.join("typed");
    seat.text(&format!("echo $WAYLAND_DISPLAY $DISPLAY > {}\n", file.display()));
    let text = written("the shell", &file);
    assert!(!text.starts_with("wayland-1"), "the terminal is not on our own desktop: {text}");
    // Nor are its windows of X11: it has an Xwayland of its own, or none.
    assert!(!text.split_whitespace().any(|word| Some(word) == ours.as_deref()), "{text} is ours: {ours:?}");
    drop(seat.settled());
    seat.point(700, 400);
    let frame = seat.settled();
    save(&frame, "nested.png");
    let foreign = |frame: &Frame, (left, top): (u32, u32)| {
        let at = (left..left + 60).flat_map(|x| (top..top + 60).map(move |y| (x, y)));
        at.filter(|(x, y)| pixel(frame, *x, *y) != [0x20, 0x40, 0x60]).count()
    };
    assert!(foreign(&frame, (680, 380)) > 5, "the pointer is seen");
    drop(frame);
    seat.point(300, 400);
    let frame = seat.settled();
    assert_eq!(foreign(&frame, (680, 380)), 0, "nothing is left of it");
    assert!(foreign(&frame, (280, 380)) > 5, "the pointer is seen");
    drop(frame);
    seat.quit();
    // One that ends at once, or does not exist, makes room for our own desktop.
    for (n, session) in ["false", "/no/such/compositor"].into_iter().enumerate() {
        let mut seat = start(&format!("nested{n}"), (1280, 720), &[]);
        seat.launch_with(&[], &[("PUNKTFUNK_DESKTOP_SESSION", session)]);
        wait_for("a terminal of our own", || (seat.named("foot").len() == 1).then_some(()));
        seat.key(key::SUPER);
        save(&seat.settled(), "nested-not.png");
        seat.text("\u{8}");
        seat.quit();
    }
}
