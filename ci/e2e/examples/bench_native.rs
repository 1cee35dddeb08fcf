//! What sessions of punktfunk/1 cost the host, from 5 Mbit/s to the most that the machine
//! carries, how they add up, and how long a picture is on its way (performance page, P6,
//! P11, P12, P13). The real host and seats, no encoder, and the probe's library, which
//! receives on the same machine. The programs are named by `PUNKTFUNK_BENCH_HOST` and
//! `PUNKTFUNK_BENCH_SEAT`, as `cargo xtask bench` does; one JSON object comes out.

use anyhow::{Context as _, Result};
use punktfunk_e2e::measure::{Hall, INTERNET, JUMBO, Load, MEASURED, SIZE, Stretch, note, program};
use punktfunk_e2e::stage::World;
use serde_json::json;

const GOALS: &str = "P6 ≤ 60 µs a frame of 100 packets, p50 ≤ 100 µs, p99 ≤ 400 µs; P11 20 Mbit/s ≤ 0.5 %, \
    150 Mbit/s ≤ 2.5 %, 1 Gbit/s ≤ 12 %; P12 r_squared ≥ 0.995; P13 ≥ 200 sessions on 2 cores, receivers included";

/// What was not reached when this page was written last, and what nobody measured.
const NOT_REACHED: &str = "P6: six times the processor time at 240 frames a second, sixteen times at 60, and a frame comes \
    spread over a quarter to a third of its interval, so that none is whole in 100 µs; P11: 20 and 150 \
    Mbit/s by far, 1 Gbit/s narrowly; P12 in bitrate: the sending thread takes some 4.5 % from 80 Mbit/s \
    on, however little there is to send; P13: the processor time of 1 to 8 sessions lets expect 60 to \
    80, and nobody measured more; 5120x1440 by its pixels and SCHED_FIFO: not measured";

/// The square of the correlation of processor time with bitrate.
fn r_squared(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let sum =
        |of: &dyn Fn(f64, f64) -> f64| points.iter().map(|point| of(point.0 - x, point.1 - y)).sum::<f64>();
    let (xy, xx, yy) = (sum(&|x, y| x * y), sum(&|x, _| x * x), sum(&|_, y| y * y));
    xy * xy / (xx * yy)
}

/// One session at more and more.
fn rates(world: &World, rows: &mut Vec<String>) -> Result<usize> {
    let hall = Hall::open(world, 1)?;
    let (mut points, mut realtime) = (Vec::new(), 0);
    for mbps in [5, 20, 150, 500, 1000, 2000] {
        let stretch = hall.alone(&Load::new(mbps, 60))?;
        points.push((stretch.mbps(), stretch.percent(&stretch.host)));
        realtime = stretch.realtime;
        note(rows, &stretch.row(&format!("{mbps} Mbit/s at 60"), 1));
    }
    for (case, points) in [("P12, all of these", &points[..]), ("P12, without the last", &points[..5])] {
        let fit = [("case", json!(case)), ("r_squared", json!(r_squared(points)))];
        note(rows, &fit.map(|(name, value)| (name.to_owned(), value)));
    }
    let sound = Load { channels: 2, ..Load::new(20, 60) };
    note(rows, &hall.alone(&sound)?.row("20 Mbit/s at 60 with stereo", 1));
    for (case, load) in [
        ("P6, about 100 packets at 60", Load::new(80, 60)),
        ("P6, about 100 packets at 240", Load::new(320, 240)),
        ("1000 Mbit/s at 240", Load::new(1000, 240)),
        ("1000 Mbit/s at 240, jumbo", Load { payload: JUMBO, ..Load::new(1000, 240) }),
        ("4000 Mbit/s asked for at 240", Load::new(4000, 240)),
        ("4000 Mbit/s asked for at 240, jumbo", Load { payload: JUMBO, ..Load::new(4000, 240) }),
    ] {
        note(rows, &hall.alone(&load)?.row(case, 1));
    }
    Ok(realtime)
}

/// Sessions of the same kind, more and more of them.
fn several(world: &World, rows: &mut Vec<String>) -> Result<()> {
    const COUNTS: [usize; 4] = [1, 2, 4, 8];
    let hall = Hall::open(world, 8)?;
    let mut players = Vec::new();
    let mut points = Vec::new();
    for count in COUNTS {
        while players.len() < count {
            players.push(hall.play(players.len(), &Load::new(20, 60))?);
        }
        let stretch = Stretch::watch(&hall.stage, &players)?;
        points.push((count as f64, stretch.percent(&stretch.host)));
        let mut row = stretch.row("20 Mbit/s at 60", count);
        let each = (stretch.percent(&stretch.host) + stretch.percent(&stretch.clients)) / count as f64;
        row.push(("two_cores_would_carry".to_owned(), json!(200.0 / each)));
        note(rows, &row);
    }
    let fit = [("case", json!("P12, 1 to 8 sessions")), ("r_squared", json!(r_squared(&points)))];
    note(rows, &fit.map(|(name, value)| (name.to_owned(), value)));
    Ok(())
}

fn main() -> Result<()> {
    let (host, seat) = (program("PUNKTFUNK_BENCH_HOST")?, program("PUNKTFUNK_BENCH_SEAT")?);
    let artefacts = std::env::temp_dir().join(format!("punktfunk-bench-{}", std::process::id()));
    let world = World::new(&host, &seat, &artefacts, false)?;
    let mut rows = Vec::new();
    let realtime = match rates(&world, &mut rows)? {
        0 => "asked for and not granted here".to_owned(),
        threads => format!("granted to {threads} threads of a session"),
    };
    several(&world, &mut rows)?;
    let method = format!(
        "real host and seats over loopback, Test card at {}x{}, no encoder: access units have the size that the \
         bitrate asks for; no sound where none is named; the clients are in one process and do not decode; \
         processor time of threads over {} s, as percent of one core; datagrams of {INTERNET} bytes, jumbo \
         {JUMBO}; first and received count from the capture to the first datagram of a frame and to the whole of it at \
         the client; two_cores_would_carry is 200 percent over \
         what host and client take, without the seats, and is no measurement",
        SIZE.0,
        SIZE.1,
        MEASURED.as_secs()
    );
    println!(
        "{{\"name\": \"bench_native\", \"goals\": {}, \"not reached\": {}, \"method\": {}, \"real-time scheduling\": {}, \"rows\": [{}]}}",
        json!(GOALS),
        json!(NOT_REACHED),
        json!(method),
        json!(realtime),
        rows.join(", ")
    );
    std::fs::remove_dir_all(&artefacts).context("the logs were not removed")
}
