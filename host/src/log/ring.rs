//! The newest lines of the log in memory: numbered, bounded in number and bytes, free of
//! secrets. Who listens gets each new line; who asks gets those that fit a filter.
//!
//! It is written by a layer of `tracing` and never waits for its readers.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::Context;

use super::redact::Redactor;

/// Lines that are kept.
const LINES: usize = 4000;
/// Bytes of text that are kept, whatever the number of lines.
const BYTES: usize = 2 << 20;
/// A longer message or field is cut.
const LONGEST: usize = 4096;
/// Fields of a line at most.
const FIELDS: usize = 32;
/// New lines that wait for a slow listener; then it misses the oldest.
const WAITING: usize = 256;
/// Lines in an answer at most.
const ANSWER: usize = 1000;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = LogLevel)]
pub enum Level {
    /// Something does not work.
    Error,
    /// Something works worse than it should.
    Warn,
    /// What the owner may want to know.
    Info,
    /// For those who look for a fault.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// The level of that name, in small letters.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "error" => Some(Self::Error),
            "warn" => Some(Self::Warn),
            "info" => Some(Self::Info),
            "debug" => Some(Self::Debug),
            "trace" => Some(Self::Trace),
            _ => None,
        }
    }
}

impl From<tracing::Level> for Level {
    fn from(level: tracing::Level) -> Self {
        match level {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warn,
            tracing::Level::INFO => Self::Info,
            tracing::Level::DEBUG => Self::Debug,
            tracing::Level::TRACE => Self::Trace,
        }
    }
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = LogLine)]
pub struct Line {
    /// Counts the lines of this process, from 1.
    pub id: u64,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// How much it matters.
    pub level: Level,
    /// The part of the program.
    pub target: String,
    /// What it says.
    pub message: String,
    /// Its values, as text.
    pub fields: BTreeMap<String, String>,
}

impl Line {
    fn size(&self) -> usize {
        let fields: usize = self.fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.target.len() + self.message.len() + fields
    }
}

/// Which lines are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only lines after this one; without it the newest ones.
    pub after: Option<u64>,
    /// Only lines that matter at least so much.
    pub level: Option<Level>,
    /// Only lines whose target begins so.
    pub target: Option<String>,
    /// Only lines that contain this somewhere, in small or capital letters.
    pub text: Option<String>,
    /// At most so many; 1000 when there is no number or a larger one.
    pub limit: Option<usize>,
}

impl Filter {
    /// Whether a line is wanted; `after` and `limit` are not looked at.
    pub fn fits(&self, line: &Line) -> bool {
        let text = self.text.as_ref().is_none_or(|wanted| {
            let wanted = wanted.to_lowercase();
            let has = |text: &str| text.to_lowercase().contains(&wanted);
            has(&line.message) || has(&line.target) || line.fields.iter().any(|(n, v)| has(n) || has(v))
        });
        text && self.level.is_none_or(|level| line.level <= level)
            && self.target.as_ref().is_none_or(|target| line.target.starts_with(target.as_str()))
    }
}

/// Lines, and where to go on.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = LogPage)]
pub struct Page {
    /// Oldest first.
    pub lines: Vec<Line>,
    /// What to give as `after` to get what comes next.
    pub next: u64,
}

/// The newest lines.
#[derive(Debug)]
pub struct Ring {
    kept: Mutex<Kept>,
    news: broadcast::Sender<Arc<Line>>,
    redactor: Redactor,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<Arc<Line>>,
    bytes: usize,
    last: u64,
}

impl Ring {
    pub(super) fn new() -> Self {
        Self { kept: Mutex::default(), news: broadcast::channel(WAITING).0, redactor: Redactor::of_secrets() }
    }

    /// What takes secrets out of the lines.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// New lines from now on. A listener that is too slow misses some.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Line>> {
        self.news.subscribe()
    }

    /// The lines that fit: those after `after`, oldest first; or else the newest ones.
    pub fn lines(&self, filter: &Filter) -> Page {
        let limit = filter.limit.unwrap_or(ANSWER).min(ANSWER);
        // Cheap copies: what fits is looked for without the lock that every writer needs.
        let (all, last) = {
            let kept = self.kept();
            (kept.lines.iter().cloned().collect::<Vec<_>>(), kept.last)
        };
        let fitting = all.iter().filter(|line| filter.fits(line));
        let lines: Vec<Line> = match filter.after {
            Some(after) => {
                fitting.filter(|line| line.id > after).take(limit).map(|line| (**line).clone()).collect()
            }
            None => {
                let mut newest: Vec<_> = fitting.rev().take(limit).map(|line| (**line).clone()).collect();
                newest.reverse();
                newest
            }
        };
        // A full answer may have left some out; one that is not full has seen everything.
        let next = match lines.last() {
            Some(line) if lines.len() == limit => line.id,
            _ => last.max(filter.after.unwrap_or(0)),
        };
        Page { lines, next }
    }

    /// All lines that are kept, oldest first.
    pub fn all(&self) -> Vec<Line> {
        self.kept().lines.iter().map(|line| (**line).clone()).collect()
    }

    fn keep(&self, level: Level, target: &str, message: &str, fields: BTreeMap<String, String>) {
        let clean = |text: &str| self.redactor.clean(cut(text)).text;
        let mut clean_fields = BTreeMap::new();
        for (name, value) in fields {
            let value =
                if self.redactor.is_secret_name(&name) { Redactor::MARK.into() } else { clean(&value) };
            clean_fields.insert(name, value);
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut kept = self.kept();
        kept.last += 1;
        let line = Arc::new(Line {
            id: kept.last,
            at_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            level,
            target: target.to_owned(),
            message: clean(message),
            fields: clean_fields,
        });
        kept.bytes += line.size();
        kept.lines.push_back(Arc::clone(&line));
        while kept.lines.len() > LINES || kept.bytes > BYTES {
            let Some(oldest) = kept.lines.pop_front() else { break };
            kept.bytes -= oldest.size();
        }
        drop(kept);
        // Nobody may listen.
        let _ = self.news.send(line);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A line is added as a whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The text up to [`LONGEST`] bytes.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The layer that fills a ring.
pub(super) struct Keeper(pub &'static Ring);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Keeper {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut values = Values::default();
        event.record(&mut values);
        let about = event.metadata();
        self.0.keep((*about.level()).into(), about.target(), &values.message, values.fields);
    }
}

#[derive(Default)]
struct Values {
    message: String,
    fields: BTreeMap<String, String>,
}

impl Values {
    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if field.name() == "message" {
            // Writing to a string cannot fail.
            let _ = self.message.write_fmt(value);
        } else if self.fields.len() < FIELDS {
            self.fields.insert(field.name().to_owned(), value.to_string());
        }
    }
}

impl Visit for Values {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    fn fresh() -> &'static Ring {
        Box::leak(Box::new(Ring::new()))
    }

    fn write(ring: &Ring, level: Level, message: &str) {
        ring.keep(level, "punktfunk_host::serve", message, BTreeMap::new());
    }

    fn said(page: &Page) -> Vec<&str> {
        page.lines.iter().map(|line| line.message.as_str()).collect()
    }

    #[test]
    fn events_of_tracing_arrive_with_their_fields_and_without_secrets() {
        let ring = fresh();
        ring.redactor().hide("walrus-seven");
        let mut news = ring.listen();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(Keeper(ring)), || {
            tracing::info!(client = %"tv", pin = 4711, "paired");
            tracing::warn!(link = "https://x/#walrus-seven", "{}", "punktfunk://pair?s=abc");
        });
        let page = ring.lines(&Filter::default());
        assert_eq!(page.next, 2);
        assert_eq!((page.lines[0].id, page.lines[0].level), (1, Level::Info));
        assert_eq!(page.lines[0].message, "paired");
        assert_eq!(page.lines[0].fields["client"], "tv");
        assert_eq!(page.lines[0].fields["pin"], Redactor::MARK);
        assert_eq!(page.lines[1].fields["link"], format!("https://x/#{}", Redactor::MARK));
        assert!(!page.lines[1].message.contains("abc"), "{:?}", page.lines[1]);
        assert!(page.lines[0].target.starts_with("punktfunk_host"));
        assert_eq!(*news.try_recv().unwrap(), page.lines[0]);
    }

    #[test]
    fn a_filter_leaves_what_was_asked_for_and_says_where_to_go_on() {
        let ring = fresh();
        for (level, text) in
            [(Level::Info, "One"), (Level::Debug, "two"), (Level::Error, "three one"), (Level::Info, "four")]
        {
            write(ring, level, text);
        }
        let filter = |after, level, text: Option<&str>, limit| {
            ring.lines(&Filter { after, level, target: None, text: text.map(str::to_owned), limit })
        };
        assert_eq!(said(&filter(None, None, Some("ONE"), None)), ["One", "three one"]);
        assert_eq!(said(&filter(None, Some(Level::Info), None, Some(2))), ["three one", "four"]);
        let first = filter(Some(0), Some(Level::Info), None, Some(2));
        assert_eq!((said(&first), first.next), (vec!["One", "three one"], 3));
        let rest = filter(Some(first.next), Some(Level::Info), None, Some(2));
        assert_eq!((said(&rest), rest.next), (vec!["four"], 4));
        let none = Filter { target: Some("hyper".into()), ..Filter::default() };
        assert_eq!(ring.lines(&none), Page { lines: vec![], next: 4 });
        let ours = Filter { target: Some("punktfunk_host".into()), ..Filter::default() };
        assert_eq!(ring.lines(&ours).lines.len(), 4);
    }

    #[test]
    fn the_ring_is_bounded_in_lines_and_bytes() {
        let ring = fresh();
        for n in 0..LINES + 10 {
            write(ring, Level::Info, &format!("line {n}"));
        }
        let kept = ring.kept();
        assert_eq!((kept.lines.len(), kept.last as usize), (LINES, LINES + 10));
        assert_eq!(kept.lines.front().unwrap().message, "line 10");
        drop(kept);
        for _ in 0..1000 {
            write(ring, Level::Info, &"é ".repeat(5000));
        }
        let kept = ring.kept();
        assert!(kept.bytes <= BYTES, "{}", kept.bytes);
        let longest = kept.lines.back().unwrap().message.len();
        assert!((LONGEST - 4..=LONGEST).contains(&longest), "{longest}");
        assert_eq!(kept.bytes, kept.lines.iter().map(|line| line.size()).sum::<usize>());
    }

    #[test]
    fn who_asks_gets_a_thousand_lines_at_most() {
        let ring = fresh();
        for n in 0..1500 {
            write(ring, Level::Info, &n.to_string());
        }
        assert_eq!(ring.lines(&Filter { limit: Some(9999), ..Filter::default() }).lines.len(), ANSWER);
        let page = ring.lines(&Filter { after: Some(0), ..Filter::default() });
        assert_eq!((page.lines.len(), page.next), (1000, 1000));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_text_is_kept_or_cut_and_found_again(texts in proptest::collection::vec(any::<String>(), 0..20)) {
            let ring = Ring::new();
            for text in &texts {
                write(&ring, Level::Info, text);
            }
            prop_assert_eq!(ring.lines(&Filter::default()).lines.len(), texts.len());
            let after = Filter { after: Some(u64::MAX), ..Filter::default() };
            prop_assert_eq!(ring.lines(&after), Page { lines: vec![], next: u64::MAX });
        }
    }
}
