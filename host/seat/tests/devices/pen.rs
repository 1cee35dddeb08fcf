//! Pens.

use punktfunk_core::input::{Event as Input, Pen, Phase, Tool};

use crate::client::{Client, Wants};
use crate::seat::Seat;

const TABLET: Wants =
    Wants { touch: false, pointer: true, tablet: true, text: false, shortcuts: false, size: (0, 0) };

fn pen(phase: Phase, x: f64, y: f64) -> Pen {
    let (tool, buttons) = (Tool::Pen, 0);
    Pen { phase, tool, buttons, x, y, pressure: None, distance: None, rotation: None, tilt: None }
}

#[test]
fn a_pen_comes_near_draws_and_leaves() {
    let seat = Seat::start("pen-exact", (640, 360), true);
    let mut client = Client::open(&seat, TABLET);
    client.told(&seat);
    let say = |pen: Pen| seat.input(Input::Pen(pen));
    say(Pen { distance: Some(0.5), ..pen(Phase::Hover, 0.25, 0.5) });
    // A movement without a press, and a press once, however often it is said.
    say(Pen { pressure: Some(1.0), ..pen(Phase::Move, 0.9, 0.9) });
    let press = Pen { pressure: Some(1.0), rotation: Some(90), tilt: Some(30), ..pen(Phase::Down, 0.5, 0.5) };
    say(press);
    say(Pen { phase: Phase::Down, pressure: Some(0.2), ..press });
    say(Pen { buttons: 1, ..pen(Phase::Button, 0.0, 0.0) });
    say(Pen { buttons: 1, ..pen(Phase::Up, 0.75, 0.5) });
    say(Pen { buttons: 6, ..pen(Phase::Button, 0.0, 0.0) });
    say(pen(Phase::HoverEnd, 0.0, 0.0));
    say(Pen { tool: Tool::Eraser, ..pen(Phase::Down, 0.5, 0.5) });
    seat.input(Input::ReleaseAll);
    say(pen(Phase::Up, 0.5, 0.5));
    assert_eq!(
        client.told(&seat),
        [
            "tool Pen",
            "pen in",
            "pen motion 160 180",
            "pen motion 160 180",
            "pen pressure 0",
            "pen distance 32768",
            "pen motion 320 180",
            "pen pressure 65535",
            "pen distance 0",
            "pen tilt -30 0",
            "pen down",
            "pen motion 320 180",
            "pen pressure 13107",
            "pen distance 0",
            "pen tilt -30 0",
            "pen button 0x14b down",
            "pen motion 480 180",
            "pen pressure 0",
            "pen distance 0",
            "pen up",
            "pen button 0x14b up",
            "pen button 0x14c down",
            "pen button 0x149 down",
            "pen button 0x14c up",
            "pen button 0x149 up",
            "pen out",
            "tool Eraser",
            "pen in",
            "pen motion 320 180",
            "pen motion 320 180",
            "pen pressure 32768",
            "pen distance 0",
            "pen down",
            "pen up",
            "pen out",
        ]
    );
}

#[test]
fn a_client_that_does_not_hover_leaves_when_it_lifts() {
    let seat = Seat::start("pen-lift", (640, 360), true);
    let mut client = Client::open(&seat, TABLET);
    client.told(&seat);
    for phase in [Phase::Down, Phase::Move, Phase::Up, Phase::Down, Phase::Cancel, Phase::Up] {
        seat.input(Input::Pen(pen(phase, 0.5, 0.5)));
    }
    let mut told = client.told(&seat);
    told.retain(|event| ["pen in", "pen down", "pen up", "pen out"].contains(&event.as_str()));
    assert_eq!(told, ["pen in", "pen down", "pen up", "pen out"].repeat(2));
}

#[test]
fn what_knows_no_tablet_gets_the_pointer() {
    let seat = Seat::start("pen-pointer", (640, 360), true);
    let mut client = Client::open(&seat, Wants { tablet: false, ..TABLET });
    client.told(&seat);
    let say = |pen: Pen| seat.input(Input::Pen(pen));
    say(pen(Phase::Hover, 0.25, 0.5));
    say(pen(Phase::Down, 0.5, 0.5));
    say(pen(Phase::Move, 0.75, 0.5));
    say(pen(Phase::Up, 0.75, 0.5));
    say(Pen { buttons: 1, ..pen(Phase::Button, 0.0, 0.0) });
    say(pen(Phase::HoverEnd, 0.0, 0.0));
    let mut told = client.told(&seat);
    told.dedup();
    assert_eq!(
        told,
        [
            "pointer enter 160 180",
            "pointer motion 320 180",
            "button 0x110 down",
            "pointer motion 480 180",
            "button 0x110 up",
            "button 0x111 down",
            "button 0x111 up",
        ]
    );
}
