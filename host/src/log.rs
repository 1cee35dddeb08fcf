//! The log: to the journal with its fields when systemd reads our output, else to
//! standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt};

/// Starts the log. `RUST_LOG` decides what is written, then `PUNKTFUNK_LOG`, then
/// `level`, each in the syntax of `RUST_LOG`. A second call changes nothing.
pub fn start(level: &str) {
    let wanted = ["RUST_LOG", "PUNKTFUNK_LOG"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty())
        .unwrap_or_else(|| level.to_owned());
    let (filter, complaint) = match EnvFilter::try_new(quiet(&wanted)) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(quiet("info")), Some(error)),
    };
    let journal = std::env::var_os("JOURNAL_STREAM").and_then(|_| tracing_journald::layer().ok());
    let to_journal = journal.is_some();
    let text = (!to_journal).then(|| {
        let colours = std::io::stderr().is_terminal();
        fmt::layer().with_writer(std::io::stderr).with_ansi(colours).with_target(false).boxed()
    });
    let started = Registry::default().with(filter).with(journal).with(text).try_init().is_ok();
    if let Some(error) = complaint.filter(|_| started) {
        tracing::warn!(%error, filter = wanted, "the log filter is not understood; using \"info\"");
    }
}

/// Libraries whose chatter buries our own, unless the filter names them.
fn quiet(wanted: &str) -> String {
    let mut filter = wanted.to_owned();
    for target in ["mdns_sd", "hyper", "rustls"] {
        if !wanted.contains(target) {
            filter.push_str(&format!(",{target}=warn"));
        }
    }
    filter
}

#[cfg(test)]
mod tests {
    use super::quiet;

    #[test]
    fn libraries_are_quiet_unless_they_are_named() {
        assert_eq!(quiet("debug"), "debug,mdns_sd=warn,hyper=warn,rustls=warn");
        assert_eq!(quiet("info,hyper=debug"), "info,hyper=debug,mdns_sd=warn,rustls=warn");
    }
}
