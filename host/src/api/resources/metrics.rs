//! Numbers for monitoring, in the text format that Prometheus reads. Off unless
//! `api.metrics` is set; labels have few values: those of devices are as many as are paired.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::sessions::{self, Session, SessionState};
use crate::api::{Api, Problem};
use crate::session::Latency;
use crate::store::Protocol;

/// The operations of this file.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Every metric: name, kind, labels, and what it is. `docs/metrics.md` has the same.
pub const METRICS: [(&str, &str, &str, &str); 16] = [
    ("punktfunk_info", "gauge", "version", "Always 1; the label says which version runs."),
    ("punktfunk_uptime_seconds", "gauge", "", "Since the host started."),
    ("punktfunk_devices", "gauge", "protocol", "Paired devices."),
    ("punktfunk_devices_online", "gauge", "", "Paired devices that are connected."),
    ("punktfunk_knocks", "gauge", "", "Clients that are not paired and tried to connect within the hour."),
    ("punktfunk_sessions", "gauge", "state", "Sessions that are starting, playing or away."),
    ("punktfunk_stream_fps", "gauge", "device", "Pictures a second, over the last second."),
    ("punktfunk_stream_bits_per_second", "gauge", "device", "What is sent, over the last second."),
    ("punktfunk_stream_loss_ratio", "gauge", "device", "Share of datagrams that did not arrive."),
    ("punktfunk_stream_parity_ratio", "gauge", "device", "Datagrams of parity for each with data."),
    ("punktfunk_stream_round_trip_seconds", "gauge", "device", "There and back, when it is known."),
    (
        "punktfunk_stream_latency_seconds",
        "gauge",
        "device, stage, quantile",
        "Where the time of a picture goes.",
    ),
    ("punktfunk_stream_frames", "gauge", "device", "Access units since the stream began."),
    ("punktfunk_stream_lost_frames", "gauge", "device", "Of those, lost as far as the client told."),
    ("punktfunk_stream_dropped_batches", "gauge", "device", "Of those, thrown away before they were sent."),
    ("punktfunk_stream_bytes", "gauge", "device", "Bytes of datagrams since the stream began."),
];

/// Numbers for monitoring. 404 unless `api.metrics` is set.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics.show", tag = "metrics",
    responses((status = 200, content_type = "text/plain; version=0.0.4", body = String)),
    extensions(("x-scope" = json!("metrics"))))]
async fn show(State(api): State<Api>) -> Result<Response, Problem> {
    if !api.inside().context.config.api.metrics {
        return Err(Problem::not_found("metrics are switched off: set api.metrics"));
    }
    let mut all = sessions::all(&api).sessions;
    for figures in sessions::figures(&api).await {
        if let Some(session) = all.iter_mut().find(|session| session.id == figures.session) {
            session.figures = Some(figures.figures);
        }
    }
    let text = text(&api, &all);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// The page.
#[derive(Default)]
struct Page {
    text: String,
    /// Which metric was begun last.
    begun: &'static str,
}

impl Page {
    fn say(&mut self, name: &'static str, labels: &[(&str, &str)], value: f64) {
        if self.begun != name
            && let Some((name, kind, _, help)) = METRICS.into_iter().find(|metric| metric.0 == name)
        {
            self.begun = name;
            // Writing to a string cannot fail.
            let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        }
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{name}{labels} {value}");
    }
}

/// As the format wants it in a label.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn text(api: &Api, sessions: &[Session]) -> String {
    let mut page = Page::default();
    page.say("punktfunk_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    page.say("punktfunk_uptime_seconds", &[], api.uptime().as_secs_f64().round());
    let devices = api.front().devices();
    for (protocol, name) in [(Protocol::Native, "native"), (Protocol::GameStream, "gamestream")] {
        let count = devices.iter().filter(|device| device.client.protocol == protocol).count();
        page.say("punktfunk_devices", &[("protocol", name)], count as f64);
    }
    let online = devices.iter().filter(|device| device.online).count();
    page.say("punktfunk_devices_online", &[], online as f64);
    page.say("punktfunk_knocks", &[], api.front().knocks().len() as f64);
    streams(&mut page, sessions);
    page.text
}

/// All that depends on sessions.
fn streams(page: &mut Page, sessions: &[Session]) {
    let states = [
        (SessionState::Starting, "starting"),
        (SessionState::Playing, "playing"),
        (SessionState::Away, "away"),
    ];
    for (state, name) in states {
        let count = sessions.iter().filter(|session| session.state == state).count();
        page.say("punktfunk_sessions", &[("state", name)], count as f64);
    }
    let watched =
        || sessions.iter().filter_map(|session| Some((&*session.device.name, session.figures.as_ref()?)));
    type Value = fn(&crate::session::Figures) -> Option<f64>;
    let before: [(&str, Value); 5] = [
        ("punktfunk_stream_fps", |figures| Some(figures.fps)),
        ("punktfunk_stream_bits_per_second", |figures| Some(figures.bitrate_kbps as f64 * 1000.0)),
        ("punktfunk_stream_loss_ratio", |figures| Some(figures.loss_percent / 100.0)),
        ("punktfunk_stream_parity_ratio", |figures| Some(figures.parity_percent / 100.0)),
        ("punktfunk_stream_round_trip_seconds", |figures| figures.rtt_ms.map(|ms| ms / 1000.0)),
    ];
    let after: [(&str, Value); 4] = [
        ("punktfunk_stream_frames", |figures| Some(figures.frames as f64)),
        ("punktfunk_stream_lost_frames", |figures| Some(figures.lost_frames as f64)),
        ("punktfunk_stream_dropped_batches", |figures| Some(figures.dropped_batches as f64)),
        ("punktfunk_stream_bytes", |figures| Some(figures.bytes as f64)),
    ];
    let each = |page: &mut Page, list: &[(&'static str, Value)]| {
        for (name, value) in list {
            for (device, figures) in watched() {
                if let Some(value) = value(figures) {
                    page.say(name, &[("device", device)], value);
                }
            }
        }
    };
    each(page, &before);
    for (device, figures) in watched() {
        let stages = &figures.latency_ms;
        let all =
            [("capture", Some(stages.capture)), ("wait", Some(stages.wait)), ("encode", Some(stages.encode))];
        let rest = [("send", Some(stages.send)), ("network", stages.network), ("decode", stages.decode)];
        for (stage, latency) in all.into_iter().chain(rest) {
            latencies(page, device, stage, latency);
        }
    }
    each(page, &after);
}

fn latencies(page: &mut Page, device: &str, stage: &str, latency: Option<Latency>) {
    let Some(Latency { p50, p95, max }) = latency else { return };
    for (quantile, ms) in [("0.5", p50), ("0.95", p95), ("1", max)] {
        let labels = [("device", device), ("stage", stage), ("quantile", quantile)];
        page.say("punktfunk_stream_latency_seconds", &labels, ms / 1000.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Figures, PlayedApp, PlayedBy, Stages};

    fn session(name: &str) -> Session {
        let latency = Latency { p50: 1.0, p95: 2.0, max: 4.0 };
        let latency_ms =
            Stages { network: Some(latency), decode: Some(latency), encode: latency, ..Stages::default() };
        Session {
            id: "1".to_owned(),
            device: PlayedBy { id: "00".repeat(32), name: name.to_owned(), protocol: "native".to_owned() },
            app: PlayedApp { id: "1".to_owned(), title: "Desktop".to_owned() },
            started: 0,
            state: SessionState::Playing,
            stream: None,
            figures: Some(Figures { fps: 60.0, rtt_ms: Some(5.0), latency_ms, ..Figures::default() }),
        }
    }

    #[test]
    fn every_stream_has_its_lines_and_names_break_none() {
        let mut page = Page::default();
        streams(&mut page, &[session("a \"tv\"\\\n"), session("deck")]);
        let text = page.text;
        assert!(text.contains("punktfunk_stream_fps{device=\"deck\"} 60\n"), "{text}");
        assert!(text.contains("punktfunk_stream_fps{device=\"a \\\"tv\\\"\\\\\\n\"} 60\n"), "{text}");
        let slow =
            "punktfunk_stream_latency_seconds{device=\"deck\",stage=\"encode\",quantile=\"1\"} 0.004\n";
        assert!(text.contains(slow), "{text}");
        assert!(text.contains("punktfunk_sessions{state=\"away\"} 0\n"), "{text}");
        let mut said = std::collections::BTreeSet::new();
        for line in text.lines() {
            let name = line.split(['{', ' ']).next().unwrap();
            let known = METRICS.iter().any(|metric| metric.0 == name);
            assert!(known || line.starts_with("# "), "{line}");
            // Lines of one metric stand together.
            if let Some(name) = line.strip_prefix("# TYPE ") {
                assert!(said.insert(name.to_owned()), "{line} comes twice");
            }
        }
    }

    #[test]
    fn the_page_about_metrics_lists_every_one_and_no_other() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
        let page = std::fs::read_to_string(page).unwrap();
        let rows = page.lines().filter(|line| line.starts_with("| `punktfunk_"));
        let rows: Vec<String> = rows.map(str::to_owned).collect();
        let expected =
            METRICS.map(|(name, kind, labels, help)| format!("| `{name}` | {kind} | {labels} | {help} |"));
        assert_eq!(rows, expected);
    }
}
