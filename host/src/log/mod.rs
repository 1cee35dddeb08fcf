//! The log: to the journal with its fields when systemd reads our output, else to
//! standard error; and its newest lines in memory, for the owner.
//!
//! [`ring`] holds those lines. What enters it went through a [`Redactor`] that takes
//! secrets out; [`hide`] tells that redactor of secrets that no shape gives away.

mod redact;
mod ring;

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt, reload};

/// The filter of the log that was started.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

pub use redact::{Redacted, Redactor};
pub use ring::{Filter, Level, Line, Page, Ring};

/// The newest lines of this process.
static RING: OnceLock<Ring> = OnceLock::new();

/// The newest lines of this process; empty before [`start`].
pub fn ring() -> &'static Ring {
    RING.get_or_init(Ring::new)
}

/// Takes `secret` out of every line that is written from now on into the ring, and out of
/// support bundles. Shorter ones than four bytes are not taken out.
pub fn hide(secret: &str) {
    ring().redactor().hide(secret);
}

/// Starts the log. `RUST_LOG` decides what is written, then `PUNKTFUNK_LOG`, then
/// `level`, each in the syntax of `RUST_LOG`. A second call changes nothing.
pub fn start(level: &str) {
    let wanted = of_environment().map_or_else(|| level.to_owned(), |(_, filter)| filter);
    let (filter, complaint) = match EnvFilter::try_new(quiet(&wanted)) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(quiet("info")), Some(error)),
    };
    let (filter, handle) = reload::Layer::new(filter);
    let journal = std::env::var_os("JOURNAL_STREAM").and_then(|_| tracing_journald::layer().ok());
    let to_journal = journal.is_some();
    let text = (!to_journal).then(|| {
        let colours = std::io::stderr().is_terminal();
        fmt::layer().with_writer(std::io::stderr).with_ansi(colours).with_target(false).boxed()
    });
    let kept = ring::Keeper(ring());
    let started = Registry::default().with(filter).with(kept).with(journal).with(text).try_init().is_ok();
    if started {
        let _ = FILTER.set(handle);
    }
    if let Some(error) = complaint.filter(|_| started) {
        tracing::warn!(%error, filter = wanted, "the log filter is not understood; using \"info\"");
    }
}

/// Writes what `level` says from now on, unless the environment decides. Nothing changes
/// when it is not understood or no log was started.
pub fn change(level: &str) {
    let (None, Some(handle)) = (of_environment(), FILTER.get()) else { return };
    if let Ok(filter) = EnvFilter::try_new(quiet(level))
        && handle.reload(filter).is_ok()
    {
        tracing::info!(level, "the log writes this from now on");
    }
}

/// The filter of the environment, which wins, and the name of its variable.
pub fn of_environment() -> Option<(&'static str, String)> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty()).map(|value| (name, value));
    ["RUST_LOG", "PUNKTFUNK_LOG"].into_iter().find_map(set)
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
