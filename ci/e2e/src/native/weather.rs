//! Bad networks: a relay of ours with the simulator's weather, and network namespaces
//! with the kernel's.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use punktfunk_e2e::namespace::Namespace;
use punktfunk_e2e::relay::Relay;
use punktfunk_probe::native::{Options, Player};
use punktfunk_probe::quantile;
use punktfunk_sim::Weather;

use super::{Guest, SIZE, address, cards, paired, paired_with, passed};
use crate::Scenario;
use crate::input::installed;
use crate::stage::{Outcome, PICTURE, Stage, World};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[
    ("native 5 % loss in bursts", bursts),
    ("native roaming", roaming),
    ("native link of 30 Mbit/s", narrow),
    ("native loss by nftables", lossy),
    ("native roaming between networks", networks),
];

/// How long a stream is looked at.
const LOOK: Duration = Duration::from_secs(10);

/// What became of the frames of a while.
struct Frames {
    whole: u64,
    late: usize,
    bytes: u64,
    note: String,
}

/// A terminal full of noise: unlike the Test card it takes all bits that it is given.
const NOISE: &str = r#"
[[app]]
name = "Noise"
command = ["foot", "-c", "/dev/null", "sh", "-c", "while :; do head -c 12000 /dev/urandom | base64 -w 0; sleep 0.03; done"]
"#;
/// Microseconds from one picture to the next.
const INTERVAL: u64 = 33_333;

/// A host that streams noise, and what to ask it for: 20 Mbit/s of it.
fn noise(world: &World, name: &str) -> Result<(Stage, Guest, Options)> {
    let (stage, guest) = paired_with(world, name, NOISE)?;
    let options = guest.options("Noise")?.mode(1280, 720, 30);
    Ok((stage, guest, Options { bitrate_kbps: 20_000, ..options }))
}

/// Looks at a stream for a while, once it has begun. Late is a frame that was whole more
/// than an interval and a round trip after most were.
fn look(player: &Player, round_trip: Duration) -> Result<Frames> {
    let before = player.wait_for("pictures", PICTURE, |stats| stats.frames_decoded >= 60)?;
    let stats = player.play_on(LOOK)?;
    let (whole, lost) =
        (stats.frames_received - before.frames_received, stats.lost_frames - before.lost_frames);
    let timings = stats.timings.get(before.timings.len()..).unwrap_or_default();
    let ways = timings.iter().filter_map(|timing| Some(timing.received.0.saturating_sub(timing.captured?.0)));
    let ways: Vec<u64> = ways.collect();
    let usual = quantile(&ways, 0.5).unwrap_or(0);
    let most = usual + INTERVAL + u64::try_from(round_trip.as_micros())?;
    let late = ways.iter().filter(|way| **way > most).count();
    let recovered = stats.recovered_frames - before.recovered_frames;
    let bytes = stats.video_bytes - before.video_bytes;
    let seen = stats.seen.get(before.seen.len()..).unwrap_or_default();
    let largest = seen.iter().map(|seen| seen.bytes).max().unwrap_or(0);
    let keys = stats.key_frames - before.key_frames;
    let (library, longest) = (player.library_stats().media, ways.iter().max().unwrap_or(&0) / 1000);
    let note = format!(
        "{:.1} Mbit/s, largest frame {largest} bytes, {keys} key frames, {whole} frames whole, {recovered} of them by parity, {late} late, {lost} lost; \
         {} of {} datagrams lost, {} asked for again, {} calls; usual way {} ms, longest {longest} ms",
        bytes as f64 * 8.0 / LOOK.as_secs_f64() / 1e6,
        library.lost,
        library.lost + library.received,
        library.nacks,
        library.calls,
        usual / 1000
    );
    ensure!(stats.decode_errors == 0, "{} frames were not decodable: {note}", stats.decode_errors);
    ensure!(whole >= 100, "the picture stood still: {note}");
    // Without repair one in two would be lost at 5 %. A machine that is busy sends frames
    // in heaps, which a narrow link does not take.
    ensure!(lost * 4 <= whole, "too many frames lost: {note}");
    Ok(Frames { whole, late, bytes, note })
}

/// 5 % in bursts of 4 and a round trip of 4 ms. What is promised to the frame is shown in
/// the simulator; a machine that does all of it with two cores gets a margin.
fn bursts(world: &World, name: &str) -> Result<Outcome> {
    if !installed("foot") {
        return Ok(Outcome::Skipped("foot is not installed".into()));
    }
    let (stage, guest, options) = noise(world, name)?;
    let delay = Duration::from_millis(2);
    let fair = Weather { delay, largest: 1472, ..Weather::FAIR };
    let lossy = Weather { delay, largest: 1472, ..Weather::lossy(0.05, 4.0) };
    let relay = Relay::new(address(&stage), fair, lossy, 20)?;
    let player = guest.at(relay.address()).play(&options)?;
    player.wait_for("two seconds of pictures", PICTURE, |stats| stats.frames_decoded >= 60)?;
    let before = relay.counters().1;
    let frames = look(&player, delay * 2)?;
    let now = relay.counters().1;
    // Path probes are lost because of their size, not to the weather.
    let (sent, lost) = (now.sent - before.sent, now.lost - now.too_large - before.lost + before.too_large);
    // Sound and QUIC go the same way and count.
    let note = format!(
        "{}; {lost} of {sent} datagrams taken, {:.2} bytes on the wire for one of video",
        frames.note,
        (now.bytes - before.bytes) as f64 / frames.bytes.max(1) as f64
    );
    ensure!(lost * 100 >= sent * 2, "the relay lost nothing: {note}");
    ensure!(frames.late as u64 * 4 <= frames.whole, "too many frames late: {note}");
    Ok(passed(note))
}

/// The client's address changes behind its back, and the picture goes on.
fn roaming(world: &World, name: &str) -> Result<Outcome> {
    let (stage, guest) = paired(world, name)?;
    let relay = Relay::new(address(&stage), Weather::FAIR, Weather::FAIR, 21)?;
    let player = guest.at(relay.address()).play(&guest.options("Test card")?)?;
    let mut last = cards(&player, SIZE)?;
    for _ in 0..3 {
        relay.roam()?;
        let now = cards(&player, SIZE)?;
        ensure!(now > last, "the Test card stood still: {last}, then {now}");
        last = now;
    }
    let stats = player.stats();
    ensure!(stats.resumptions == 0, "it had to be connected again {} times", stats.resumptions);
    Ok(passed(format!("longest time without a picture {} ms", stats.longest_gap_ms)))
}

/// A namespace, or the reason why there is none.
macro_rules! or_skipped {
    ($made:expr) => {
        match $made {
            Ok(made) => made,
            Err(error) => return Ok(Outcome::Skipped(format!("{error:#}"))),
        }
    };
}

fn from_inside(guest: &Guest, namespace: &Namespace, port: u16) -> Guest {
    guest.at(SocketAddr::from((namespace.host(), port)))
}

/// The rate stays below what the link carries, and frames go on.
fn narrow(world: &World, name: &str) -> Result<Outcome> {
    in_namespace(world, name, |namespace| namespace.narrow(30))
}

/// The kernel's own losses, one datagram in twenty by chance.
fn lossy(world: &World, name: &str) -> Result<Outcome> {
    in_namespace(world, name, |namespace| namespace.lose(5))
}

fn in_namespace(world: &World, name: &str, prepare: fn(&Namespace) -> Result<()>) -> Result<Outcome> {
    if !installed("foot") {
        return Ok(Outcome::Skipped("foot is not installed".into()));
    }
    let namespace = or_skipped!(Namespace::new());
    or_skipped!(prepare(&namespace));
    let (stage, guest, options) = noise(world, name)?;
    let inside = from_inside(&guest, &namespace, stage.host.native_port());
    let player = namespace.inside(|| inside.play(&options))?;
    Ok(passed(look(&player, Duration::from_millis(4))?.note))
}

/// The client's own address goes away and another one comes, as between two networks.
fn networks(world: &World, name: &str) -> Result<Outcome> {
    let namespace = or_skipped!(Namespace::new());
    let (stage, guest) = paired(world, name)?;
    let inside = from_inside(&guest, &namespace, stage.host.native_port());
    let options = guest.options("Test card")?;
    let player = namespace.inside(|| inside.play(&options))?;
    let mut last = cards(&player, SIZE)?;
    for (from, to) in
        [(namespace.client(), namespace.elsewhere()), (namespace.elsewhere(), namespace.client())]
    {
        namespace.move_client(from, to)?;
        let now = cards(&player, SIZE)?;
        ensure!(now > last, "the Test card stood still: {last}, then {now}");
        last = now;
    }
    let stats = player.wait_for("the tone", PICTURE, |stats| stats.tone_share > crate::stage::TONE)?;
    Ok(passed(format!(
        "longest time without a picture {} ms, connected again {} times",
        stats.longest_gap_ms, stats.resumptions
    )))
}
