//! Pictures of another size than the screen: they are fitted into it.

use punktfunk_core::input::Event as Input;
use punktfunk_seat_ipc::host::{Event, Frame};
use punktfunk_seat_ipc::{Mode, ToSeat};

use crate::stage::{Stage, at, lacks};

/// True when `frame` has a bar of this width on its left and right, and the colours of the
/// stand-in (blue, green, red) between them.
pub fn is_between_bars(frame: &Frame, bar: usize, colour: [u8; 3]) -> bool {
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let inverse = colour.map(|value| !value);
    let black = |x: usize| (0..height).all(|y| at(frame, x, y) == [0; 3]);
    let edges = bar == 0 || [0, bar - 1, width - bar, width - 1].into_iter().all(black);
    // The corner of the picture: it is neither turned nor cut.
    edges && at(frame, width / 2, height / 2) == colour && at(frame, bar, 0) == inverse
}

#[test]
fn another_size_of_the_picture_is_fitted_into_the_screen() {
    if lacks("another_size_of_the_picture_is_fitted_into_the_screen") {
        return;
    }
    let mut stage = Stage::start("resize", (320, 200), "");
    let generation = stage.first();
    stage.say("size 640 640");
    stage.say("paint 00ff00");
    let fits = |frame: &Frame| is_between_bars(frame, 60, [0, 0xff, 0]);
    let frame = stage.frame("the larger one", fits);
    assert_eq!((frame.width(), frame.height()), (320, 200), "the screen stays");
    assert!(frame.generation() > generation);
    drop(frame);
    // The pointer is where the person points: here at a quarter of the picture.
    stage.hear("start");
    stage.input(Input::PointerPosition { x: (60.0 + 50.0) / 320.0, y: 0.25 });
    stage.hear("place 160 160");
    stage.input(Input::PointerPosition { x: 0.0, y: 1.0 });
    stage.hear("place 0 639");
    stage.quit();
}

#[test]
fn another_size_of_the_screen_shows_a_still_picture_at_once() {
    if lacks("another_size_of_the_screen_shows_a_still_picture_at_once") {
        return;
    }
    let mut stage = Stage::start("regrown", (320, 200), "");
    stage.first();
    stage.launch(&["sleep", "600"]);
    stage.event("its start", |event| matches!(event, Event::AppStarted { .. }));
    stage.say("still");
    stage.hear("still");
    // gamescope keeps the size of its picture under an application, and draws nothing now.
    for (width, height, bar) in [(640, 200, 160), (960, 600, 0), (320, 200, 0)] {
        let mode = Mode { width, height, refresh_num: 60, refresh_den: 1 };
        stage.link.send(&ToSeat::SetMode(mode)).unwrap();
        let event = stage
            .event("the new size", |event| matches!(event, Event::Frame(frame) if frame.width() == width));
        let Event::Frame(frame) = event else { unreachable!("only a frame is wanted") };
        assert!(frame.height() == height && is_between_bars(&frame, bar, [0x30, 0x20, 0x10]), "{width}");
    }
    stage.quit();
}
