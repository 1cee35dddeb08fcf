//! The real program with a real Xwayland and real X11 programs on it.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use punktfunk_core::input::Event as Input;
use smithay::reexports::x11rb;
use wayland_client::globals::{GlobalListContents, registry_queue_init};
use wayland_client::protocol::wl_registry::{self, WlRegistry};
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{
    AtomEnum, ConfigureWindowAux, ConnectionExt as _, EventMask, GrabMode, GrabStatus, PropMode,
};
use x11rb::wrapper::ConnectionExt as _;
use xclient::X;

mod stage;
#[path = "../xclient/mod.rs"]
mod xclient;

use stage::*;

const RED: [u8; 3] = [200, 10, 10];
const GREEN: [u8; 3] = [10, 200, 10];
const BLUE: [u8; 3] = [10, 10, 200];

#[test]
fn an_x11_terminal_takes_what_is_typed() {
    let test = "an_x11_terminal_takes_what_is_typed";
    if lacks(test, &["Xwayland", "xterm"]) {
        return;
    }
    let mut seat = plain("typed", (801, 601));
    seat.launch(&TERMINAL);
    let frame = seat.frame("x11 terminal", |frame| count(frame, NAVY) > 50_000);
    // In Kiosk it lies in the middle, as large as it wants to be.
    assert_ne!(pixel(&frame, 5, 5), NAVY);
    assert_eq!(pixel(&frame, 400, 300), NAVY);
    drop(frame);
    for code in [18, 46, 35, 24, 57] {
        seat.key(code);
    }
    seat.text(&format!("Hello_{{1}} '@' > {}\n", seat.file("typed").display()));
    assert_eq!(seat.line("typed"), "Hello_{1} @\n");
    seat.text(&format!("echo $DISPLAY $XDG_RUNTIME_DIR > {}\n", seat.file("environment").display()));
    let environment = seat.line("environment");
    let (display, runtime) = environment.trim().split_once(' ').unwrap();
    assert_eq!(runtime, seat.directory.display().to_string());
    let socket = PathBuf::from(format!("/tmp/.X11-unix/X{}", display.strip_prefix(':').unwrap()));
    assert!(socket.exists());
    seat.quit();
    assert!(!socket.exists(), "the socket of the X server is left");
}

#[test]
fn games_and_their_menus_and_helpers() {
    let test = "games_and_their_menus_and_helpers";
    if lacks(test, &["Xwayland"]) {
        return;
    }
    let mut seat = plain("kiosk", (800, 600));
    let x = X::connect(display(&seat));
    let game = x.window((0, 0), (400, 300), RED, false);
    let frame = seat.frame("game centred", |frame| pixel(frame, 201, 151) == RED);
    assert_eq!(count(&frame, RED), 400 * 300);
    drop(frame);
    assert_eq!(x.place(game), (200, 150, 400, 300), "the X server knows where it is");
    x.wait_for_focus(game);
    // A helper of one pixel must not take the keys, nor one that hides.
    let helper = x.window((0, 0), (1, 1), GREEN, false);
    let hidden = x.unmapped((0, 0), (300, 200), GREEN, false);
    x.set_atoms(hidden, "_NET_WM_STATE", &["_NET_WM_STATE_SKIP_TASKBAR", "_NET_WM_STATE_SKIP_PAGER"]);
    x.connection.map_window(hidden).unwrap().check().unwrap();
    // A menu lies where it wants to, above all.
    let menu = x.window((210, 170), (100, 80), BLUE, true);
    drop(seat.frame("menu", |frame| count(frame, BLUE) == 100 * 80 && pixel(frame, 210, 170) == BLUE));
    x.wait_for_focus(game);
    let move_menu = ConfigureWindowAux::new().x(20).y(30);
    x.connection.configure_window(menu, &move_menu).unwrap().check().unwrap();
    drop(seat.frame("menu moved", |frame| pixel(frame, 20, 30) == BLUE && pixel(frame, 215, 175) == RED));
    x.connection.unmap_window(menu).unwrap().check().unwrap();
    drop(seat.frame("menu gone", |frame| count(frame, BLUE) == 0));
    // What is asked for the whole output gets it, each time.
    let (add, remove) = (1, 0);
    let fullscreen = x.atom("_NET_WM_STATE_FULLSCREEN");
    for _ in 0..2 {
        x.ask(game, "_NET_WM_STATE", [add, fullscreen, 0, 1, 0]);
        wait_for("the whole output", || (x.place(game) == (0, 0, 800, 600)).then_some(()));
        assert!(x.has_state(game, "_NET_WM_STATE_FULLSCREEN"));
    }
    drop(seat.frame("fullscreen", |frame| count(frame, RED) == 800 * 600));
    x.ask(game, "_NET_WM_STATE", [remove, fullscreen, 0, 1, 0]);
    wait_for("the old place", || (x.place(game) == (200, 150, 400, 300)).then_some(()));
    wait_for("the old state", || (!x.has_state(game, "_NET_WM_STATE_FULLSCREEN")).then_some(()));
    // It asks for another size, then for one that all but fills the output.
    for (wish, place) in [((500, 200), (150, 200, 500, 200)), ((796, 600), (0, 0, 800, 600))] {
        let size = ConfigureWindowAux::new().width(wish.0).height(wish.1);
        x.connection.configure_window(game, &size).unwrap().check().unwrap();
        wait_for("another size", || (x.place(game) == place).then_some(()));
    }
    // A dialog comes above its window and has the keys until it goes.
    let dialog = x.unmapped((0, 0), (200, 100), GREEN, false);
    let (name, kind) = (AtomEnum::WM_TRANSIENT_FOR, AtomEnum::WINDOW);
    x.connection.change_property32(PropMode::REPLACE, dialog, name, kind, &[game]).unwrap();
    x.connection.map_window(dialog).unwrap().check().unwrap();
    x.wait_for_focus(dialog);
    drop(seat.frame("dialog", |frame| count(frame, GREEN) == 200 * 100 && pixel(frame, 400, 300) == GREEN));
    x.connection.destroy_window(dialog).unwrap().check().unwrap();
    x.wait_for_focus(game);
    // One that is to be mapped on the whole output is.
    let next = x.unmapped((0, 0), (320, 200), BLUE, false);
    x.set_atoms(next, "_NET_WM_STATE", &["_NET_WM_STATE_FULLSCREEN"]);
    x.connection.map_window(next).unwrap().check().unwrap();
    drop(seat.frame("the next game", |frame| count(frame, BLUE) == 800 * 600));
    x.wait_for_focus(next);
    // An explicit wish brings the other one back.
    x.ask(game, "_NET_ACTIVE_WINDOW", [1, 0, 0, 0, 0]);
    x.wait_for_focus(game);
    drop(seat.frame("the first game again", |frame| count(frame, RED) == 800 * 600));
    assert_eq!(x.place(helper).2, 1);
    // A window longer than a client of Wayland may show must not end all of X11.
    x.window((0, 0), (20_000, 40), GREEN, true);
    drop(seat.frame("a long window", |frame| pixel(frame, 799, 39) == GREEN));
    seat.quit();
}

#[test]
fn windows_of_x11_on_the_desktop() {
    let test = "windows_of_x11_on_the_desktop";
    if lacks(test, &["Xwayland", "foot", "xclock", "xterm"]) {
        return;
    }
    let mut seat = plain("desktop", (1280, 720));
    seat.launch(&[]);
    drop(seat.frame("a terminal", |frame| pixel(frame, 300, 580) == pixel(frame, 900, 580)));
    shell_is_ready(&seat);
    let display: u32 = shell(&seat, "echo $DISPLAY").trim().strip_prefix(':').unwrap().parse().unwrap();
    seat.text("xclock -bg navy -geometry 200x150+40+90 &\n");
    drop(seat.frame("a clock", |frame| pixel(frame, 45, 95) == NAVY && pixel(frame, 235, 235) == NAVY));
    // It is dragged by its title bar, and the X server learns where it is.
    seat.point(120, 75);
    seat.button(LEFT, true);
    seat.point(220, 175);
    seat.button(LEFT, false);
    drop(seat.frame("a clock moved", |frame| pixel(frame, 145, 195) == NAVY && pixel(frame, 45, 95) != NAVY));
    let x = X::connect(display);
    let [clock] = x.property(x.root, "_NET_CLIENT_LIST")[..] else { panic!("one window") };
    wait_for("the place", || (x.place(clock) == (140, 190, 200, 150)).then_some(()));
    // A window of Wayland and one of X11 lie in one stack, and the keys follow.
    let other = x.window((600, 300), (300, 200), RED, false);
    x.wait_for_focus(other);
    seat.point(700, 150);
    seat.click(LEFT);
    wait_for("the focus to leave X11", || (x.property(x.root, "_NET_ACTIVE_WINDOW") == [0]).then_some(()));
    drop(seat.frame("foot in front", |frame| count(frame, RED) == 0 && pixel(frame, 335, 335) != NAVY));
    assert_eq!(shell(&seat, "echo $TERM").trim(), "foot");
    x.ask(other, "_NET_ACTIVE_WINDOW", [2, 0, 0, 0, 0]);
    x.wait_for_focus(other);
    drop(seat.frame("the X11 window in front", |frame| count(frame, RED) > 50_000));
    x.connection.destroy_window(other).unwrap().check().unwrap();
    // The terminal gets the keys back when the seat hears of it: not after the press below.
    wait_for("the keys back", || (x.property(x.root, "_NET_ACTIVE_WINDOW") == [0]).then_some(()));
    // A clock wants no keys; a press brings it to the front all the same.
    seat.text("clear\n");
    seat.point(150, 250);
    seat.click(LEFT);
    drop(seat.frame("the clock in front", |frame| pixel(frame, 335, 335) == NAVY));
    // Alt + F4 asks it to close.
    seat.chord(56, 62);
    wait_for("the clock to go", || seat.named("xclock").is_empty().then_some(()));
    drop(seat.frame("no clock", |frame| count(frame, NAVY) == 0));
    seat.text("xterm -bg navy -fg white -e sh &\n");
    drop(seat.frame("an xterm", |frame| count(frame, NAVY) > 50_000));
    shell_is_ready(&seat);
    assert!(shell(&seat, "echo $TERM").starts_with("xterm"));
    seat.quit();
}

#[test]
fn the_clipboard_crosses_between_x11_and_wayland() {
    let test = "the_clipboard_crosses_between_x11_and_wayland";
    if lacks(test, &["Xwayland", "xterm", "xclip", "wl-copy"]) {
        return;
    }
    let mut seat = plain("clipboard", (801, 601));
    seat.launch(&TERMINAL);
    drop(seat.frame("clipboard terminal", |frame| count(frame, NAVY) > 50_000));
    // wl-copy and wl-paste take the keys for a moment, to be let at the clipboard; what is
    // typed into that moment is theirs.
    let run = |command: &str| {
        shell_is_ready(&seat);
        shell(&seat, command)
    };
    run("echo from-wayland | wl-copy; echo primary-wayland | wl-copy -p");
    let eventually = |command: &str, wanted: &str| {
        wait_for(command, || (run(command).trim() == wanted).then_some(()));
    };
    eventually("xclip -o -selection clipboard 2> /dev/null || true", "from-wayland");
    eventually("xclip -o -selection primary 2> /dev/null || true", "primary-wayland");
    let long = "0123456789".repeat(20);
    run(&format!(
        "for i in 1 2 3 4 5 6 7 8 9 a; do echo {long}; done | xclip -selection clipboard > /dev/null 2>&1"
    ));
    eventually("wl-paste -n | wc -c", "2010");
    run("echo primary-x11 | xclip -selection primary > /dev/null 2>&1");
    eventually("wl-paste -p", "primary-x11");
    eventually("wl-paste | head -c 10", "0123456789");
    seat.quit();
}

#[test]
fn xwayland_comes_back_when_it_is_killed() {
    let test = "xwayland_comes_back_when_it_is_killed";
    if lacks(test, &["Xwayland", "xterm", "foot"]) {
        return;
    }
    let mut seat = plain("killed", (1280, 720));
    seat.launch(&[]);
    drop(seat.frame("the terminal", |frame| pixel(frame, 300, 580) == pixel(frame, 900, 580)));
    shell_is_ready(&seat);
    for round in 0..3 {
        seat.text("xterm -bg navy -fg white -e sh &\n");
        drop(seat.frame("an xterm after a kill", |frame| count(frame, NAVY) > 50_000));
        shell_is_ready(&seat);
        if round == 2 {
            assert!(shell(&seat, "echo $TERM").starts_with("xterm"));
            break;
        }
        let server = seat.named("Xwayland");
        let [pid] = server.as_slice() else { panic!("one Xwayland: {server:?}") };
        assert!(Command::new("sh").args(["-c", "kill -9 $0", &pid.to_string()]).status().unwrap().success());
        drop(seat.frame("no xterm", |frame| count(frame, NAVY) == 0));
        // The same number as before: programs that run know no other.
        wait_for("the next one", || {
            let next = seat.named("Xwayland");
            (next.len() == 1 && next != server).then_some(())
        });
        shell_is_ready(&seat);
        assert_eq!(shell(&seat, "echo $TERM").trim(), "foot");
    }
    seat.quit();
}

/// Hides the pointer and keeps it in a window.
fn hold_pointer(x: &X, window: u32) {
    let (pixmap, cursor) = (x.connection.generate_id().unwrap(), x.connection.generate_id().unwrap());
    x.connection.create_pixmap(1, pixmap, window, 1, 1).unwrap().check().unwrap();
    x.connection.create_cursor(cursor, pixmap, pixmap, 0, 0, 0, 0, 0, 0, 0, 0).unwrap().check().unwrap();
    let (mask, mode) = (EventMask::POINTER_MOTION, GrabMode::ASYNC);
    let grabbed = x
        .connection
        .grab_pointer(true, window, mask, mode, mode, window, cursor, x11rb::CURRENT_TIME)
        .unwrap();
    assert_eq!(grabbed.reply().unwrap().status, GrabStatus::SUCCESS);
}

/// What many games do: hide the pointer, keep it in their window, and put it back to the
/// middle after each motion.
#[test]
fn an_x11_game_looks_around_without_end() {
    let test = "an_x11_game_looks_around_without_end";
    if lacks(test, &["Xwayland"]) {
        return;
    }
    let mut seat = plain("looks", (800, 600));
    let x = X::connect(display(&seat));
    let game = x.window((0, 0), (800, 600), RED, false);
    drop(seat.frame("the game that looks", |frame| count(frame, RED) > 400_000));
    x.wait_for_focus(game);
    seat.point(400, 300);
    let pointer = || {
        let pointer = x.connection.query_pointer(game).unwrap().reply().unwrap();
        (pointer.win_x, pointer.win_y)
    };
    wait_for("the pointer", || (pointer() == (400, 300)).then_some(()));
    hold_pointer(&x, game);
    for round in 0..40 {
        seat.input(Input::PointerMotion { dx: 50.0, dy: -20.0 });
        wait_for(&format!("motion {round}"), || (pointer() == (450, 280)).then_some(()));
        x.connection.warp_pointer(x11rb::NONE, game, 0, 0, 0, 0, 400, 300).unwrap().check().unwrap();
        wait_for("the middle", || (pointer() == (400, 300)).then_some(()));
    }
    seat.quit();
}

/// Reads that a process has done so far: a loop that spins reads without end.
fn reads(pid: u32) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
    io.lines().find_map(|line| line.strip_prefix("syscr: ")).unwrap().parse().unwrap()
}

#[test]
fn a_seat_does_without_x11() {
    let folder = directory("x-programs");
    std::fs::create_dir_all(&folder).unwrap();
    let link = folder.join("Xwayland");
    let _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink("/bin/false", &link).unwrap();
    let seat = start("false", (640, 360), &folder);
    // One read a time until nothing more comes: the seat has noticed by then.
    let environment = |seat: &Seat| {
        let file = seat.file("display");
        seat.launch(&["/bin/sh", "-c", &format!("echo \"[$DISPLAY]\" > {}", file.display())]);
        seat.line("display")
    };
    wait_for("the seat to give up", || seat.named("Xwayland").is_empty().then_some(()));
    let pid = seat.process.id();
    let mut before = reads(pid);
    wait_for("the seat to come to rest", || {
        std::thread::sleep(Duration::from_millis(500));
        let now = reads(pid);
        let rests = now - before < 20;
        before = now;
        rests.then_some(())
    });
    assert_eq!(environment(&seat), "[]\n");
    seat.quit();
    std::fs::remove_dir_all(folder).unwrap();
    // The same where none is installed at all.
    let seat = start_in("none", (1920, 1080), OsStr::new("/nonexistent"));
    assert_eq!(environment(&seat), "[]\n");
    seat.quit();
}

#[test]
fn two_seats_have_an_x_server_each() {
    let test = "two_seats_have_an_x_server_each";
    if lacks(test, &["Xwayland"]) {
        return;
    }
    let (one, two) = (plain("one", (640, 360)), plain("two", (1001, 701)));
    let (first, second) = (display(&one), display(&two));
    assert_ne!(first, second);
    let size = |display| {
        let x = X::connect(display);
        let root = &x.connection.setup().roots[0];
        (root.width_in_pixels, root.height_in_pixels)
    };
    assert_eq!((size(first), size(second)), ((640, 360), (1001, 701)));
    one.quit();
    assert_eq!(size(second), (1001, 701));
    two.quit();
}

#[test]
fn other_users_are_kept_out() {
    use std::os::unix::process::CommandExt;
    let test = "other_users_are_kept_out";
    if lacks(test, &["Xwayland", "xdpyinfo"]) {
        return;
    }
    if std::fs::read_to_string("/proc/self/status").is_ok_and(|status| !status.contains("\nUid:\t0\t")) {
        println!("SKIPPED {test}: only root can try as somebody else");
        return;
    }
    let seat = plain("users", (640, 360));
    let display = display(&seat);
    drop(X::connect(display));
    let mut stranger = Command::new("xdpyinfo");
    stranger.args(["-display", &format!(":{display}")]).env_remove("XAUTHORITY").uid(65534).gid(65534);
    let output = stranger.output().unwrap();
    assert!(!output.status.success(), "somebody else could connect");
    seat.quit();
}

struct Bare;

impl wayland_client::Dispatch<WlRegistry, GlobalListContents> for Bare {
    fn event(
        _: &mut Self,
        _: &WlRegistry,
        _: wl_registry::Event,
        _: &GlobalListContents,
        _: &wayland_client::Connection,
        _: &wayland_client::QueueHandle<Self>,
    ) {
    }
}

#[test]
fn what_is_for_xwayland_is_shown_to_nobody_else() {
    let seat = plain("globals", (640, 360));
    let socket = std::os::unix::net::UnixStream::connect(seat.file("wayland-1")).unwrap();
    let connection = wayland_client::Connection::from_socket(socket).unwrap();
    let (globals, _) = registry_queue_init::<Bare>(&connection).unwrap();
    let names: Vec<_> = globals.contents().clone_list().into_iter().map(|global| global.interface).collect();
    assert!(names.iter().any(|name| name == "wl_compositor"), "{names:?}");
    assert!(!names.iter().any(|name| name.contains("xwayland")), "{names:?}");
    seat.quit();
}
