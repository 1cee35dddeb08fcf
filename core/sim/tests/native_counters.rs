//! Every counter of a session wraps, and nobody sees it.

use std::time::Duration;

use punktfunk_core::time::Time;
use punktfunk_sim::Weather;
use punktfunk_sim::native::{Outcome, Session, Setup, Sizes, Start, session};

fn run(session: &mut Session, seconds: u64) {
    let end = session.now() + Duration::from_secs(seconds);
    session.run_until(end);
}

fn foul() -> Weather {
    Weather { reordered: 0.02, reorder_by: Duration::from_millis(3), ..Weather::lossy(0.02, 2.0) }
}

/// Plays ten seconds of 5 Mbit/s from these counters on; nothing may be lost for long.
fn play(start: Start, seed: u64) -> Session {
    let sizes = Sizes { bitrate: 5_000_000, ..Sizes::default() };
    let setup = Setup { there: foul(), back: foul(), sizes, start, seed, ..Setup::default() };
    let mut session = session(&setup);
    run(&mut session, 10);
    let outcome = Outcome::of(&session);
    assert!(outcome.frames > 590, "{outcome:?}");
    assert!(outcome.shown_share() > 0.995, "{start:?}: {outcome:?}");
    assert!(session.b.longest_gap(start.now) < Duration::from_millis(200), "{start:?}");
    session
}

#[test]
fn frame_numbers_wrap() {
    for seed in 0..4 {
        let session = play(Start { frame: u32::MAX - 300, ..Start::default() }, seed);
        assert!(session.a.sent.iter().any(|sent| sent.frame < 250));
    }
}

#[test]
fn the_low_half_of_the_sequence_wraps() {
    for seed in 0..4 {
        let sequence = (7 << 32) - 3_000;
        let session = play(Start { sequence, ..Start::default() }, seed);
        assert!(session.a.datagrams > 4_000);
    }
}

#[test]
fn timestamps_wrap() {
    for seed in 0..4 {
        play(Start { now: Time((1 << 48) - 5_000_000), ..Start::default() }, seed);
    }
}

#[test]
fn all_of_them_wrap_at_once() {
    let now = Time((1 << 48) - 5_000_000);
    play(Start { now, frame: u32::MAX - 290, sequence: (1 << 32) - 2_900 }, 9);
}

#[test]
fn keys_change_while_datagrams_overtake_each_other() {
    // A key lasts ten minutes; a fifth of all datagrams comes late around each change.
    let sizes = Sizes { bitrate: 500_000, fps: 30, ..Sizes::default() };
    let there = Weather { reordered: 0.2, reorder_by: Duration::from_millis(40), ..foul() };
    let mut session = session(&Setup { there, back: there, sizes, ..Setup::default() });
    run(&mut session, 31 * 60);
    let outcome = Outcome::of(&session);
    assert!(outcome.frames > 55_000, "{outcome:?}");
    for minute in [10, 20, 30] {
        let change = Time(Start::default().now.0 + minute * 60_000_000);
        let around = |at: Time| at.0.abs_diff(change.0) < 500_000;
        let shown = session.b.shown.iter().filter(|shown| around(shown.at)).count();
        assert!(shown >= 27, "{shown} of 30 frames around minute {minute}");
    }
    // Whatever came late was opened with the key it was sealed with.
    let refused = session.b.refused;
    assert_eq!(refused, 0, "datagrams that did not open");
}
