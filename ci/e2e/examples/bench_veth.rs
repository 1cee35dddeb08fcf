//! What a session of punktfunk/1 costs and carries between two network namespaces: the
//! client is in one, the host in another, with a pair of virtual cables between them, so
//! that datagrams go through devices, queues and checks as on a network. The real host and
//! seat, access units of a synthetic encoder, and the probe's library in this process. It
//! needs root, `ip`, and the programs that `cargo xtask bench` names.

use anyhow::{Context as _, Result};
use punktfunk_e2e::measure::{Hall, INTERNET, JUMBO, Load, MEASURED, SIZE, note, object, program};
use punktfunk_e2e::namespace::Namespace;
use punktfunk_e2e::stage::World;
use serde_json::{Value, json};

const GOALS: &str = "1 Gbit/s ≤ 12 % of a core for the host (P11); the most that the machine carries; 240 pictures a \
    second of 5120x1440, 300 Mbit/s, without a loss";

/// All loads, each over loopback in the same run, and over the cable.
fn loads() -> Vec<(&'static str, Load)> {
    vec![
        ("as of 5120x1440 at 240, 300 Mbit/s", Load::new(300, 240)),
        ("1000 Mbit/s at 60", Load::new(1000, 60)),
        ("1000 Mbit/s at 240", Load::new(1000, 240)),
        ("1000 Mbit/s at 240, jumbo", Load { payload: JUMBO, ..Load::new(1000, 240) }),
        ("4000 Mbit/s asked for at 240", Load::new(4000, 240)),
        ("4000 Mbit/s asked for at 240, jumbo", Load { payload: JUMBO, ..Load::new(4000, 240) }),
    ]
}

fn measure(world: &World, namespace: &Namespace, rows: &mut Vec<String>) -> Result<()> {
    let hall = Hall::open(world, 1)?;
    for (case, load) in loads() {
        for way in ["loopback", "veth"] {
            let stretch = match way {
                "veth" => hall.alone_inside(namespace, &load)?,
                _ => hall.alone(&load)?,
            };
            let mut row = vec![("way".to_owned(), json!(way))];
            row.extend(stretch.row(case, 1));
            let gbit = stretch.mbps() / 1e3;
            let per_core = |look| json!(gbit * 100.0 / f64::max(stretch.percent(look), 0.01));
            row.push(("gbit_per_cpu_second_host".to_owned(), per_core(&stretch.host)));
            row.push(("gbit_per_cpu_second_client".to_owned(), per_core(&stretch.clients)));
            note(rows, &row);
        }
    }
    Ok(())
}

fn main() -> Result<()> {
    let (host, seat) = (program("PUNKTFUNK_BENCH_HOST")?, program("PUNKTFUNK_BENCH_SEAT")?);
    let artefacts = std::env::temp_dir().join(format!("punktfunk-veth-{}", std::process::id()));
    let namespace = Namespace::new().context("no network namespace: this benchmark needs root and `ip`")?;
    namespace.set_mtu(9000)?;
    let world = World::new(&host, &seat, &artefacts, false)?;
    let mut rows = Vec::new();
    measure(&world, &namespace, &mut rows)?;
    let method = format!(
        "real host and seat, Test card at {}x{}, no encoder: access units have the size that the bitrate asks for, \
         so that of a load only bitrate and pictures a second are as of 5120x1440, and no pixels of that size are \
         drawn, converted or coded; the client receives, opens and puts together, and does not decode; veth: host \
         and client in two network namespaces, MTU 9000; loopback: the same in the same run; processor time of \
         threads over {} s, as percent of one core, the kernel's part of sending and receiving in it; datagrams of \
         {INTERNET} bytes, jumbo {JUMBO}",
        SIZE.0,
        SIZE.1,
        MEASURED.as_secs()
    );
    let members: [(String, Value); 3] =
        [("name", json!("bench_veth")), ("goals", json!(GOALS)), ("method", json!(method))]
            .map(|(name, value)| (name.to_owned(), value));
    let head = object(&members);
    let head = head.strip_suffix('}').unwrap_or(&head);
    println!("{head}, \"rows\": [{}]}}", rows.join(", "));
    std::fs::remove_dir_all(&artefacts).context("the logs were not removed")
}
