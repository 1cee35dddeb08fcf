//! Stages as a table and as JSON.

use punktfunk_probe::native::{Latency, Spread};

/// One stage; `None`: the protocol does not tell.
pub type Stage = (&'static str, Option<Spread>);

/// The stages of punktfunk/1. The first four tile the last one.
pub fn native(latency: &Latency) -> Vec<Stage> {
    latency.stages().into_iter().map(|(name, spread)| (name, Some(spread))).collect()
}

/// Those of GameStream: the host tells how long a picture took to its first packet, in
/// tenths of a millisecond, and the clocks of both sides are never compared.
pub fn gamestream(host_tenths: &[u16], decoding_micros: &[u32]) -> Vec<Stage> {
    let spread = |micros: Vec<i64>| (!micros.is_empty()).then(|| Spread::of(&micros));
    let host = host_tenths.iter().map(|tenths| i64::from(*tenths) * 100).collect();
    let decoding = decoding_micros.iter().map(|micros| i64::from(*micros)).collect();
    vec![
        ("captured -> sent", spread(host)),
        ("sent -> received", None),
        ("received -> decoded", spread(decoding)),
        ("captured -> decoded", None),
    ]
}

/// A line for each stage, times in milliseconds.
pub fn text(stages: &[Stage]) -> String {
    let mut text = format!("{:<22}{:>8}{:>8}{:>8}{:>8}  ms\n", "", "p50", "p90", "p99", "mean");
    for (name, spread) in stages {
        text.push_str(&match spread {
            Some(Spread { p50_ms, p90_ms, p99_ms, mean_ms }) => {
                format!("{name:<22}{p50_ms:>8.2}{p90_ms:>8.2}{p99_ms:>8.2}{mean_ms:>8.2}\n")
            }
            None => format!("{name:<22}{:>8}{:>8}{:>8}{:>8}\n", "?", "?", "?", "?"),
        });
    }
    text
}

/// The same as JSON: a list, so that the order is kept.
pub fn json(stages: &[Stage]) -> serde_json::Value {
    let entry = |(name, spread): &Stage| serde_json::json!({ "stage": name, "time": spread });
    stages.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_not_made_up() {
        let stages = gamestream(&[30, 50, 40], &[2500]);
        let lines: Vec<_> = text(&stages).lines().map(str::to_owned).collect();
        assert_eq!(lines[0], "                           p50     p90     p99    mean  ms");
        assert_eq!(lines[1], "captured -> sent          4.00    5.00    5.00    4.00");
        assert_eq!(lines[2], "sent -> received             ?       ?       ?       ?");
        assert_eq!(lines[3], "received -> decoded       2.50    2.50    2.50    2.50");
        assert_eq!(lines.len(), 5);
        let json = json(&stages);
        assert_eq!(json[0]["stage"], "captured -> sent");
        assert_eq!(json[0]["time"]["p99_ms"], 5.0);
        assert!(json[1]["time"].is_null());
        assert_eq!(gamestream(&[], &[])[0].1, None);
    }

    #[test]
    fn the_native_protocol_knows_every_stage() {
        let stages = native(&Latency::default());
        assert_eq!(stages.len(), 5);
        assert!(stages.iter().all(|(_, spread)| spread.is_some()));
    }
}
