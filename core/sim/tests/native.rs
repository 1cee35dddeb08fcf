//! punktfunk/1 in virtual time: a host's and a client's machine, with a network between
//! them that does what networks do.

use std::time::Duration;

use punktfunk_sim::Weather;
use punktfunk_sim::native::{Outcome, Protection, Session, Setup, Sizes, session};

fn run(session: &mut Session, seconds: u64) {
    let end = session.now() + Duration::from_secs(seconds);
    session.run_until(end);
}

fn rtt(millis: u64, weather: Weather) -> Weather {
    Weather { delay: Duration::from_micros(millis * 500), ..weather }
}

/// Frames whose picture came later than `most` after it was due, or never, among those that
/// were due before the last second.
fn late(session: &Session, most: Duration) -> Vec<(u32, Option<Duration>)> {
    let end = session.now().0 - 1_000_000;
    let settled = session.a.sent.iter().filter(|sent| sent.at.0 < end);
    let lateness = settled.map(|sent| (sent.frame, session.b.shown_after(sent.frame, sent.at)));
    let way = session.there.weather().delay;
    lateness.filter(|(_, after)| after.is_none_or(|after| after > way + most)).collect()
}

#[test]
fn on_a_cable_every_frame_is_there_with_its_last_datagram_and_nothing_is_asked_for() {
    let mut session = session(&Setup::default());
    run(&mut session, 30);
    let outcome = Outcome::of(&session);
    assert!(outcome.frames >= 1_790, "{outcome:?}");
    assert_eq!((outcome.lost, outcome.by_parity, outcome.by_repair), (0, 0, 0), "{outcome:?}");
    assert_eq!(late(&session, Duration::from_micros(1)), []);
    assert_eq!(session.a.key_frames, 1, "the first");
    assert!(outcome.overhead() < 0.20, "{:.3}", outcome.overhead());
}

/// Plays a minute of 5 % loss both ways in runs of 4 for each seed. Every frame has to be
/// shown, all but so many a minute within a round trip and an interval of their due time,
/// for at most so many more bytes.
fn promise(
    fps: u32,
    millis: u64,
    seeds: std::ops::RangeInclusive<u64>,
    most_late: usize,
    most_overhead: f64,
) {
    for seed in seeds {
        let there = rtt(millis, Weather::lossy(0.05, 4.0));
        let sizes = Sizes { fps, ..Sizes::default() };
        let mut session = session(&Setup { there, back: there, sizes, seed, ..Setup::default() });
        run(&mut session, 60);
        let interval = Duration::from_micros(1_000_000_u64.div_ceil(fps.into()));
        let late = late(&session, Duration::from_millis(millis) + interval);
        assert!(late.len() <= most_late, "seed {seed} at {fps} frames a second and {millis} ms: {late:?}");
        let outcome = Outcome::of(&session);
        assert_eq!((outcome.lost, outcome.shown), (0, outcome.frames), "seed {seed}: {outcome:?}");
        assert!(outcome.by_parity > 500 && outcome.by_repair > 100, "{outcome:?}");
        let overhead = outcome.overhead();
        assert!(overhead <= most_overhead, "seed {seed}: {overhead:.3} more bytes");
    }
}

#[test]
fn five_percent_in_bursts_costs_no_frame_more_than_a_round_trip_and_an_interval() {
    promise(60, 4, 1..=50, 0, 0.30);
}

#[test]
fn so_it_is_with_a_longer_round_trip() {
    // There is time for two requests, and once in a long while both are lost.
    promise(60, 12, 1..=20, 1, 0.30);
}

#[test]
fn so_it_is_with_twice_the_frames() {
    // Half as large, and as many of them are lost with one long burst.
    promise(120, 4, 1..=6, 12, 0.34);
}

#[test]
fn where_one_request_is_all_there_is_time_for_few_frames_are_late_and_none_is_lost() {
    // 12 ms of the 20 that are left pass until an answer is there.
    for seed in 1..=5 {
        let there = rtt(12, Weather::lossy(0.05, 4.0));
        let sizes = Sizes { fps: 120, ..Sizes::default() };
        let mut session = session(&Setup { there, back: there, sizes, seed, ..Setup::default() });
        run(&mut session, 60);
        let late = late(&session, Duration::from_millis(12) + Duration::from_micros(8_334));
        assert!(late.len() < 24, "{} of 7200 frames with seed {seed}", late.len());
        let outcome = Outcome::of(&session);
        assert_eq!(outcome.lost, 0, "seed {seed}");
        assert!(outcome.overhead() <= 0.36, "seed {seed}: {:.3} more bytes", outcome.overhead());
    }
}

#[test]
fn a_loss_beyond_parity_is_repaired_within_a_round_trip_and_an_interval() {
    // No parity at all: everything that is lost has to be sent again. The way back is
    // clean, so that a request is not lost; the test above has both foul.
    for (seed, millis) in [(1, 4), (2, 10), (3, 20)] {
        let there = rtt(millis, Weather::lossy(0.005, 2.0));
        let setup = Setup {
            there,
            back: rtt(millis, Weather::FAIR),
            protection: Protection::Fixed(0),
            seed,
            ..Setup::default()
        };
        let mut session = session(&setup);
        run(&mut session, 60);
        let outcome = Outcome::of(&session);
        assert!(outcome.by_repair > 100, "{outcome:?}");
        // What was sent again may be lost again.
        let twice = session.a.repairs.values().filter(|times| **times > 1).count();
        let late = late(&session, Duration::from_millis(millis) + Duration::from_micros(16_667));
        assert!(late.len() <= twice + 2, "{late:?}, {twice} repaired more than once");
    }
}

#[test]
fn the_same_seed_plays_the_same_session() {
    let play = |seed, bitrate| {
        let there = Weather { reordered: 0.01, reorder_by: Duration::from_millis(2), ..Weather::FOUL };
        let sizes = Sizes { bitrate, ..Sizes::default() };
        let mut session = session(&Setup { there, back: there, seed, sizes, ..Setup::default() });
        run(&mut session, 10);
        session.trace()
    };
    assert_eq!(play(5, 20_000_000), play(5, 20_000_000));
    assert_ne!(play(5, 20_000_000), play(6, 20_000_000));
    assert_ne!(play(5, 20_000_000), play(5, 20_000_080));
}

#[test]
fn a_client_that_is_seen_elsewhere_plays_on() {
    for seed in 0..4 {
        let there = rtt(20, Weather::lossy(0.01, 2.0));
        let mut session = session(&Setup { there, back: there, seed, ..Setup::default() });
        run(&mut session, 3);
        for moves in 1..=5 {
            session.rebind();
            let moved = session.now();
            run(&mut session, 3);
            let now = session.now();
            let last = session.b.shown.last().expect("pictures were shown");
            assert!(now - last.at < Duration::from_millis(100), "seed {seed}, move {moves}");
            assert_eq!(session.a.moves, moves, "seed {seed}");
            // A report is sent every 50 ms; until one arrives nothing is sent to the new place.
            let gap = session.b.longest_gap(moved);
            assert!(gap < Duration::from_millis(400), "{gap:?} without a picture, seed {seed}");
        }
    }
}

#[test]
fn a_path_that_carries_less_than_before_is_noticed_and_one_that_carries_more_is_used() {
    let there = rtt(10, Weather { largest: 1472, ..Weather::FAIR });
    let mut session = session(&Setup { there, back: there, ..Setup::default() });
    run(&mut session, 10);
    let before = session.a.payload;
    assert!((1_440..=1_472).contains(&before), "{before}");
    session.there.set_weather(Weather { largest: 1_300, ..there });
    let changed = session.now();
    run(&mut session, 5);
    assert!(session.a.payload <= 1_300, "{}", session.a.payload);
    let again = session.b.shown.iter().find(|shown| shown.at > changed + Duration::from_millis(20));
    let after = again.expect("the picture is back").at - changed;
    assert!(after < Duration::from_secs(1), "the picture is back after {after:?}");
    let last = session.b.shown.last().expect("pictures were shown");
    assert!(session.now() - last.at < Duration::from_millis(100));
}

#[test]
fn a_jumbo_path_is_found_and_used() {
    let there = rtt(4, Weather { largest: 8_972, ..Weather::FAIR });
    let mut session = session(&Setup { there, back: there, most_payload: 9_000, ..Setup::default() });
    run(&mut session, 20);
    assert!((8_800..=8_972).contains(&session.a.payload), "{}", session.a.payload);
    assert_eq!(Outcome::of(&session).lost, 0, "probing loses no frame");
}

#[test]
fn a_network_card_that_cuts_batches_wrongly_is_noticed_within_a_second() {
    let there = rtt(10, Weather::FAIR);
    for wrong in [1_000, 1_400] {
        let setup = Setup { there, back: there, wrong_segments: Some(wrong), ..Setup::default() };
        let mut session = session(&setup);
        let began = session.now();
        run(&mut session, 5);
        let off = session.a.offload_ended.expect("it was noticed") - began;
        assert!(off < Duration::from_secs(1), "noticed after {off:?}");
        let first = session.b.shown.first().expect("pictures are shown").at - began;
        assert!(first < Duration::from_millis(1_500), "a picture after {first:?}");
        let last = session.b.shown.last().expect("pictures are shown");
        assert!(session.now() - last.at < Duration::from_millis(100));
    }
}

#[test]
fn on_a_link_too_narrow_the_rate_comes_down_and_recovers() {
    let wide = rtt(20, Weather::FAIR);
    let narrow = Weather { rate_bps: Some(8_000_000), queue: Duration::from_millis(200), ..wide };
    let mut session = session(&Setup { there: wide, back: wide, follows_rate: true, ..Setup::default() });
    run(&mut session, 20);
    assert!(session.a.rate() >= 18_000_000, "{:?}", session.a.rates);
    session.there.set_weather(narrow);
    run(&mut session, 10);
    session.there.longest_wait();
    assert!((3_000_000..=8_500_000).contains(&session.a.rate()), "{:?}", session.a.rates);
    // From here on the queue is short, most of the time.
    run(&mut session, 10);
    let since = session.now();
    run(&mut session, 10);
    let rate = session.a.rate();
    assert!((4_000_000..=8_500_000).contains(&rate), "{:?}", session.a.rates);
    let wait = session.there.longest_wait();
    assert!(wait < Duration::from_millis(150), "{wait:?} in the queue");
    let shown = session.b.shown.iter().filter(|shown| shown.at > since).count();
    assert!(shown > 540, "{shown} of 600 frames");
    session.there.set_weather(wide);
    run(&mut session, 40);
    assert!(session.a.rate() >= 18_000_000, "{:?}", session.a.rates);
}

#[test]
fn on_a_slow_link_no_key_frame_is_called_for_before_the_one_under_way_can_have_passed() {
    // A key frame takes longer to pass than the queue holds, and a frame is lost now and then
    // that this encoder cannot do without.
    let narrow =
        Weather { rate_bps: Some(30_000_000), queue: Duration::from_millis(50), ..rtt(4, Weather::FAIR) };
    let (mut lost, mut keys, mut frames) = (0, 0, 0);
    for seed in 1..=8 {
        let setup = Setup {
            sizes: Sizes { fps: 30, ..Sizes::default() },
            agreed: 20_000_000,
            follows_rate: true,
            invalidates: false,
            there: narrow,
            back: rtt(4, Weather::FAIR),
            seed,
            ..Setup::default()
        };
        let mut session = session(&setup);
        run(&mut session, 4);
        for _ in 0..4 {
            session.there.cut();
            run(&mut session, 2);
        }
        let outcome = Outcome::of(&session);
        (lost, keys, frames) =
            (lost + outcome.frames - outcome.shown, keys + session.a.key_frames, frames + outcome.frames);
    }
    // One at the start of each session, and one for each loss.
    assert!(keys <= 8 * 5, "{keys} key frames");
    assert!(lost * 100 <= frames * 4, "{lost} of {frames} frames not shown");
}
