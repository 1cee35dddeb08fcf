//! Somebody on the path without keys: what he sends changes nothing.

use std::time::Duration;

use punktfunk_sim::native::{ClientSide, HostSide, Setup, Sizes, sides};
use punktfunk_sim::{Attacked, Mutation, Rig, Weather};

type Besieged = Rig<Attacked<HostSide>, Attacked<ClientSide>>;

fn besieged(setup: &Setup, mutations: &'static [Mutation], copies: u32, seconds: u64) -> Besieged {
    let (host, client) = sides(setup);
    let host = Attacked::new(host, mutations, copies * 40, setup.seed);
    let client = Attacked::new(client, mutations, copies, !setup.seed);
    let mut rig = Rig::new(host, client, setup.there, setup.seed);
    rig.back.set_weather(setup.back);
    let end = rig.now() + Duration::from_secs(seconds);
    rig.run_until(end);
    rig
}

fn setup(seed: u64) -> Setup {
    let there = Weather { delay: Duration::from_millis(5), ..Weather::lossy(0.02, 2.0) };
    let sizes = Sizes { bitrate: 5_000_000, ..Sizes::default() };
    Setup { there, back: there, sizes, seed, ..Setup::default() }
}

#[test]
fn damaged_spliced_and_replayed_datagrams_leave_no_trace() {
    let mut mutated = 0;
    for seed in 0..4 {
        let setup = setup(seed);
        let left_alone = besieged(&setup, &Mutation::SAME_LENGTH, 0, 20);
        let attacked = besieged(&setup, &Mutation::SAME_LENGTH, 10, 20);
        assert_eq!(left_alone.a.mutated + left_alone.b.mutated, 0);
        mutated += attacked.a.mutated + attacked.b.mutated;
        assert!(left_alone.b.peer.shown.len() > 1_000, "there was something to disturb");
        // Whatever was sent, lost, delivered and shown, and when, is the same.
        assert_eq!(left_alone.trace(), attacked.trace(), "seed {seed}");
        assert_eq!(attacked.a.peer.moves, 0, "nobody is followed who has no keys");
    }
    assert!(mutated >= 500_000, "{mutated}");
}

#[test]
fn datagrams_of_any_length_and_content_take_no_frame_from_the_stream() {
    let mut mutated = 0;
    for seed in 10..14 {
        let setup = setup(seed);
        let left_alone = besieged(&setup, &Mutation::ALL, 0, 20);
        let attacked = besieged(&setup, &Mutation::ALL, 10, 20);
        mutated += attacked.a.mutated + attacked.b.mutated;
        // The client tells of lengths that no sender makes, the host stops leaving batches to
        // the kernel for it: that is all anybody can do.
        let shown = |rig: &Besieged| rig.b.peer.shown.iter().map(|shown| shown.frame).collect::<Vec<_>>();
        let (calm, disturbed) = (shown(&left_alone), shown(&attacked));
        assert!(calm.len() > 1_000);
        assert!(disturbed.len() * 1_000 >= calm.len() * 995, "{} of {}", disturbed.len(), calm.len());
        assert!(disturbed.is_sorted(), "each frame once, in order");
        assert_eq!(attacked.a.peer.moves, 0);
        assert_eq!(attacked.a.peer.payload, left_alone.a.peer.payload);
    }
    assert!(mutated >= 500_000, "{mutated}");
}
