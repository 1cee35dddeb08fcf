//! Rows as text for people and as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{Row, Sweep};

const HEADINGS: [&str; 11] = [
    "loss %",
    "burst",
    "protection",
    "frames",
    "by parity",
    "by repair",
    "lost",
    "shown %",
    "added ms p50",
    "added ms p99",
    "overhead %",
];

/// What a reader has to know of the rows.
pub fn method(sweep: &Sweep) -> String {
    format!(
        "{} Mbit/s at {} frames a second, round trip {} ms, {} s of virtual time each, seed {}; loss both ways",
        sweep.bitrate as f64 / 1e6,
        sweep.fps,
        millis(sweep.round_trip),
        sweep.seconds,
        sweep.seed
    )
}

/// The rows as a Markdown table, its columns aligned.
pub fn as_table(rows: &[Row]) -> String {
    let mut lines = vec![HEADINGS.map(str::to_owned)];
    lines.extend(rows.iter().map(cells));
    let widths: Vec<usize> = (0..HEADINGS.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            // Names to the left, numbers to the right.
            let padded = if column == 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
            text.push_str(&format!("| {padded} "));
        }
        text.push_str("|\n");
        if number == 0 {
            for (column, width) in widths.iter().enumerate() {
                let dashes = "-".repeat(width + 1);
                text.push_str(&if column == 2 { format!("|{dashes}-") } else { format!("|{dashes}:") });
            }
            text.push_str("|\n");
        }
    }
    text
}

fn cells(row: &Row) -> [String; 11] {
    let outcome = &row.outcome;
    [
        row.loss.to_string(),
        row.burst.to_string(),
        row.way.name.to_owned(),
        outcome.frames.to_string(),
        outcome.by_parity.to_string(),
        outcome.by_repair.to_string(),
        outcome.lost.to_string(),
        format!("{:.2}", outcome.shown_share() * 100.0),
        format!("{:.1}", millis(outcome.added(0.50))),
        format!("{:.1}", millis(outcome.added(0.99))),
        format!("{:.1}", outcome.overhead() * 100.0),
    ]
}

/// The rows as `cargo xtask bench` wants them.
pub fn as_json(sweep: &Sweep, rows: &[Row]) -> Value {
    let row = |row: &Row| {
        let outcome = &row.outcome;
        json!({
            "loss_percent": row.loss,
            "burst": row.burst,
            "protection": row.way.name,
            "frames": outcome.frames,
            "by_parity": outcome.by_parity,
            "by_repair": outcome.by_repair,
            "lost": outcome.lost,
            "shown_percent": outcome.shown_share() * 100.0,
            "added_ms_p50": millis(outcome.added(0.50)),
            "added_ms_p99": millis(outcome.added(0.99)),
            "overhead_percent": outcome.overhead() * 100.0,
        })
    };
    json!({
        "method": method(sweep),
        "rows": rows.iter().map(row).collect::<Vec<_>>(),
    })
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
