//! A whole GameStream session in virtual time: what is repaired, what is asked for
//! again, who moves and who dies.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use punktfunk_core::enet::Delivery;
use punktfunk_core::gamestream::control::{ClientMessage, HostMessage};
use punktfunk_core::time::Time;
use punktfunk_sim::gamestream::{ClientSide, HostSide, Settled, VIDEO};
use punktfunk_sim::{Rig, Weather};

type Session = Rig<HostSide, ClientSide>;

fn session(settled: Settled, weather: Weather, seed: u64) -> Session {
    let host = HostSide::new(settled, seed);
    let client = ClientSide::new(settled, Time::from_millis(1000), seed);
    Rig::new(host, client, weather, seed)
}

/// Frames with more lost shards in a block than its parity, as their headers say.
fn beyond_repair(session: &Session) -> BTreeSet<u32> {
    let mut lost = BTreeMap::<(u32, u8), (usize, usize)>::new();
    for (_, datagram) in session.lost.iter().filter(|(_, datagram)| datagram.from == VIDEO) {
        let word = |at: usize| u32::from_le_bytes(datagram.bytes[at..at + 4].try_into().unwrap());
        let info = word(28);
        let (percentage, data) = ((info >> 4 & 0xFF) as usize, (info >> 22) as usize);
        let block = lost.entry((word(20), datagram.bytes[27] >> 4 & 3)).or_default();
        *block = (block.0 + 1, (data * percentage).div_ceil(100));
    }
    lost.into_iter().filter(|(_, (lost, parity))| lost > parity).map(|((frame, _), _)| frame).collect()
}

fn lost_frames(session: &Session) -> BTreeSet<u32> {
    session.b.lost.iter().flat_map(|(first, last, _)| *first..=*last).collect()
}

#[test]
fn on_a_cable_everything_arrives_at_once() {
    for encrypted in [false, true] {
        let mut session = session(Settled { encrypted, ..Settled::default() }, Weather::FAIR, 1);
        session.run_until(Time::from_millis(11_000));
        let (host, client) = (&session.a, &session.b);
        assert!(client.lost.is_empty() && client.sounds.lost == 0);
        assert!(host.layouts.len() >= 599, "{} frames", host.layouts.len());
        assert!(client.shown.len() + 1 >= host.layouts.len(), "all but the one on its way");
        let late = |shown: &&_| {
            let shown: &punktfunk_sim::gamestream::Shown = shown;
            shown.at - host.sent_at[shown.index as usize - 1] > Duration::from_millis(1)
        };
        assert_eq!(client.shown.iter().filter(late).count(), 0);
        // The first frame, and the client's first message.
        assert!(host.key_frames.len() <= 2, "{:?}", host.key_frames);
    }
}

#[test]
fn exactly_the_frames_whose_losses_exceed_parity_are_lost() {
    for (seed, loss, burst) in
        [(1, 0.01, 1.0), (2, 0.05, 1.0), (3, 0.02, 4.0), (4, 0.10, 1.0), (5, 0.01, 9.0)]
    {
        let weather = Weather { loss, burst, duplicates: 0.01, ..Weather::FAIR };
        // Several sizes: one block and four.
        for frame_bytes in [9_000, 42_000, 400_000] {
            let settled = Settled { frame_bytes, key_frame_bytes: frame_bytes * 2, ..Settled::default() };
            let mut session = session(settled, weather, seed);
            session.run_until(Time::from_millis(21_000));
            let last = session.b.shown.last().map_or(0, |shown| shown.index);
            let mut beyond = beyond_repair(&session);
            beyond.retain(|frame| *frame <= last);
            let mut lost = lost_frames(&session);
            lost.retain(|frame| *frame <= last);
            assert_eq!(lost, beyond, "loss {loss}, bursts of {burst}, {frame_bytes} bytes");
        }
    }
}

#[test]
fn a_lost_frame_costs_a_round_trip_and_a_frame() {
    let weather = Weather { loss: 0.001, burst: 9.0, delay: Duration::from_millis(15), ..Weather::FAIR };
    let settled = Settled::default();
    let mut session = session(settled, weather, 9);
    // The way back is clean, so that a request is not lost: the next test has it foul.
    session.back.set_weather(Weather { delay: Duration::from_millis(15), ..Weather::FAIR });
    session.run_until(Time::from_millis(61_000));
    let client = &session.b;
    assert!(client.lost.len() > 20, "{} losses", client.lost.len());
    let most = Duration::from_millis(30) + settled.interval;
    let mut waited = 0;
    for recovered in client.recovered_at.iter().skip(1) {
        // The first loss after the recovery before this one.
        let before = client.recovered_at.iter().rev().find(|at| *at < recovered).copied();
        let first = client.lost.iter().map(|(_, _, at)| *at).find(|at| Some(*at) > before);
        let first = first.expect("a recovery follows a loss");
        let again = client.lost.iter().filter(|(_, _, at)| *at > first && at < recovered).count();
        // The key frame itself may be lost; then it takes another turn.
        if again == 0 {
            assert!(*recovered - first <= most, "{:?} after a loss", *recovered - first);
            waited += 1;
        }
    }
    assert!(waited > 5, "{waited} recoveries were looked at");
}

#[test]
fn in_foul_weather_the_picture_comes_back_and_control_loses_nothing() {
    for seed in 0..8 {
        let settled = Settled { encrypted: seed % 2 == 0, ..Settled::default() };
        let mut session = session(settled, Weather::FOUL, seed);
        let connected = session.run_while(Time::from_millis(12_000), |rig| rig.a.heard.is_empty());
        assert!(connected, "no connection with seed {seed}");
        let message = |n: u32| ClientMessage::LongTermAck { frame: n };
        let rumble = |n: u16| HostMessage::Rumble { pad: n, low: n, high: !n };
        for n in 0..500_u16 {
            session.b.say((n % 48) as u8, &message(n.into()), Delivery::Reliable);
            session.a.say(&rumble(n));
            let later = session.now() + Duration::from_millis(20);
            session.run_until(later);
        }
        let later = session.now() + Duration::from_secs(10);
        session.run_until(later);
        let (host, client) = (&session.a, &session.b);
        assert!(client.ended.is_none() && host.ended.is_none());
        let mut acks: Vec<u32> = host
            .heard
            .iter()
            .filter_map(|m| if let ClientMessage::LongTermAck { frame } = m { Some(*frame) } else { None })
            .collect();
        acks.sort_unstable();
        assert!(acks.into_iter().eq(0..500), "each once, whatever its channel");
        assert!(
            client.heard.iter().eq((0..500).map(rumble).collect::<Vec<_>>().iter()),
            "one channel keeps order"
        );
        let last = client.shown.last().expect("pictures were shown");
        assert!(session.now() - last.at < Duration::from_secs(1), "the picture came back");
        let share = client.shown.len() as f64 / host.layouts.len() as f64;
        assert!(share > 0.80, "{share:.2} of all frames were shown");
        let sound = client.sounds;
        assert!(sound.lost * 100 < sound.packets * 5, "{sound:?}");
    }
}

#[test]
fn a_client_that_changes_its_address_plays_on() {
    let mut session = session(Settled::default(), Weather::FOUL, 77);
    session.run_until(Time::from_millis(5_000));
    for _ in 0..5 {
        session.b.roam();
        let later = session.now() + Duration::from_secs(4);
        session.run_until(later);
        let last = session.b.shown.last().expect("pictures were shown");
        assert!(session.now() - last.at < Duration::from_millis(500), "pictures after a move");
        session.a.say(&HostMessage::Led { pad: 0, rgb: [1, 2, 3] });
    }
    let later = session.now() + Duration::from_secs(2);
    session.run_until(later);
    assert_eq!(session.a.moves, 5);
    assert_eq!(session.b.heard.len(), 5);
    assert!(session.a.ended.is_none() && session.b.ended.is_none());
}

#[test]
fn a_cut_cable_is_noticed_by_both_within_their_time_out() {
    let mut session = session(Settled::default(), Weather::FAIR, 3);
    session.run_until(Time::from_millis(3_000));
    let cut = session.now();
    session.there.set_weather(Weather { loss: 1.0, burst: 1e9, ..Weather::FAIR });
    session.back.set_weather(Weather { loss: 1.0, burst: 1e9, ..Weather::FAIR });
    session.run_until(cut + Duration::from_secs(30));
    for ended in [session.a.ended, session.b.ended] {
        let (at, by_peer) = ended.expect("the connection is over");
        assert!(!by_peer);
        let after = at - cut;
        assert!((9..=15).contains(&after.as_secs()), "noticed after {after:?}");
    }
}

#[test]
fn a_goodbye_is_heard_through_foul_weather() {
    for seed in 0..10 {
        let mut session = session(Settled::default(), Weather::FOUL, seed);
        session.run_until(Time::from_millis(4_000));
        let now = session.now();
        if seed % 2 == 0 {
            session.a.disconnect(now)
        } else {
            session.b.disconnect(now)
        }
        session.run_until(now + Duration::from_secs(3));
        let ended = [session.a.ended, session.b.ended];
        assert!(ended.iter().all(Option::is_some), "{ended:?} with seed {seed}");
    }
}

#[test]
fn the_same_seed_plays_the_same_session() {
    let play = |seed| {
        let mut session = session(Settled::default(), Weather::FOUL, seed);
        session.run_until(Time::from_millis(8_000));
        (session.b.shown.clone(), session.b.lost.clone(), session.b.sounds)
    };
    assert_eq!(play(5), play(5));
    assert_ne!(play(5), play(6));
}

#[test]
fn a_connection_that_is_too_narrow_for_parity_is_not_made_worse_by_it() {
    // 20 Mbit/s of pictures and 20 % parity into 22 Mbit/s.
    let weather = Weather { rate_bps: Some(22_000_000), queue: Duration::from_millis(100), ..Weather::FAIR };
    let shown = |percentage| {
        let settled = Settled { fec_percentage: percentage, ..Settled::default() };
        let mut session = session(settled, weather, 1);
        session.run_until(Time::from_millis(21_000));
        session.b.shown.len()
    };
    assert!(shown(0) > shown(20), "without parity it fits: {} and {}", shown(0), shown(20));
}

#[test]
fn parity_follows_the_network_and_comes_back() {
    let rain = Weather { loss: 0.10, burst: 1.5, ..Weather::FAIR };
    let lost = |follows_network| {
        let mut session = session(Settled { follows_network, ..Settled::default() }, rain, 21);
        session.run_until(Time::from_millis(61_000));
        // The first second is the same for both: nobody knew yet.
        session.b.lost.iter().filter(|(.., at)| at.as_millis() > 3_000).count()
    };
    let (fixed, following) = (lost(false), lost(true));
    assert!(fixed > 50 && following * 5 < fixed, "{fixed} frames lost at 20 %, {following} when it follows");

    let mut session = session(Settled { follows_network: true, ..Settled::default() }, rain, 22);
    session.run_until(Time::from_millis(20_000));
    let now = session.now();
    assert!(session.a.parity.percentage(now) > 30);
    session.there.set_weather(Weather::FAIR);
    session.run_until(now + Duration::from_secs(30));
    let now = session.now();
    assert_eq!(session.a.parity.percentage(now), 20);
    assert_eq!(session.a.layouts.last().map(|layout| layout.fec_percentage), Some(20));
}
