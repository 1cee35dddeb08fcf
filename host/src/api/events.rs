//! What happens, told to whoever listens: server-sent events with increasing ids.
//!
//! The last [`RING`] events are kept, so that a listener that was cut off hears what it
//! missed, or that it missed too much (`reset`). Nobody waits for a listener: one that does
//! not read is dropped. Ids begin at the time of the start in milliseconds, so that those
//! of an earlier run are smaller and known as such.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::Stream;
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::Api;
use super::caller::Caller;
use super::clock::Clock;
use super::error::Problem;
use super::scope::Scope;

/// Events that are kept for those who were cut off.
pub const RING: usize = 1024;
/// Listeners at one time.
pub const MAX_LISTENERS: usize = 64;
/// Events that wait for one listener; with more it is dropped.
const WAITING: usize = 256;
/// A comment at least so often tells both ends that the other is there.
const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Topic {
    /// The host itself.
    Host,
    /// Windows, attempts and knocks.
    Pairing,
    /// Paired devices.
    Devices,
    /// Who plays what.
    Sessions,
    /// Numbers of a stream; not replayed.
    Figures,
    /// Lines of the log; only for those who ask for it, not replayed.
    Log,
    /// The settings.
    Settings,
    /// The doctor's work.
    Diagnostics,
    /// What can be played.
    Apps,
}

/// Every topic with its name.
pub const TOPICS: [(Topic, &str); 9] = [
    (Topic::Host, "host"),
    (Topic::Pairing, "pairing"),
    (Topic::Devices, "devices"),
    (Topic::Sessions, "sessions"),
    (Topic::Figures, "figures"),
    (Topic::Log, "log"),
    (Topic::Settings, "settings"),
    (Topic::Diagnostics, "diagnostics"),
    (Topic::Apps, "apps"),
];

impl Topic {
    fn name(self) -> &'static str {
        TOPICS[self as usize].1
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }

    fn is_replayed(self) -> bool {
        !matches!(self, Self::Figures | Self::Log)
    }
}

/// Some topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topics(u16);

impl Topics {
    /// What somebody hears who names none: all but the log.
    pub const USUAL: Self = Self(!Topic::Log.bit());

    /// Reads names with commas between them.
    ///
    /// # Errors
    /// One that is none.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let mut bits = 0;
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let found = TOPICS.iter().find(|(_, known)| *known == name);
            let (topic, _) = found.ok_or_else(|| {
                let all: Vec<&str> = TOPICS.iter().map(|(_, name)| *name).collect();
                Problem::bad_request(format!("there is no topic {name:?}; there are {}", all.join(", ")))
                    .with_field("topics")
            })?;
            bits |= topic.bit();
        }
        Ok(if bits == 0 { Self::USUAL } else { Self(bits) })
    }

    fn has(self, topic: Topic) -> bool {
        self.0 & topic.bit() != 0
    }
}

/// Where events are published and listened for. A handle: clones are the same.
#[derive(Clone, Debug)]
pub struct Events(Arc<Bus>);

#[derive(Debug)]
struct Bus {
    state: Mutex<State>,
    /// The topics that somebody listens for.
    wanted: watch::Sender<u16>,
    /// Changes when callers may have lost their right to listen.
    doubted: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    /// The id of the newest event that has one.
    last: u64,
    /// Nothing that was before this id can be replayed.
    first: u64,
    ring: VecDeque<(u64, Topic, Frame)>,
    listeners: Vec<Listener>,
    next_listener: u64,
}

/// An event as it is sent.
#[derive(Clone, Debug)]
struct Frame {
    text: Bytes,
    /// What those get who lack this scope.
    guarded: Option<(Scope, Bytes)>,
}

impl Frame {
    fn to(&self, scope: Scope) -> Bytes {
        match &self.guarded {
            Some((needed, without)) if !scope.allows(*needed) => without.clone(),
            _ => self.text.clone(),
        }
    }
}

#[derive(Debug)]
struct Listener {
    number: u64,
    topics: Topics,
    scope: Scope,
    sender: mpsc::Sender<Bytes>,
}

impl Events {
    pub(super) fn new(clock: &Clock) -> Self {
        let start = clock.unix().saturating_mul(1000);
        let state = State {
            last: start,
            first: start,
            ring: VecDeque::with_capacity(RING),
            listeners: Vec::new(),
            next_listener: 0,
        };
        Self(Arc::new(Bus {
            state: Mutex::new(state),
            wanted: watch::Sender::new(0),
            doubted: watch::Sender::new(0),
        }))
    }

    /// Tells all who listen for this topic. Never waits.
    pub fn publish(&self, topic: Topic, data: &impl Serialize) {
        if (topic.is_replayed() || self.wanted(topic))
            && let Some(text) = written(topic, data)
        {
            self.send(topic, &text, None);
        }
    }

    /// The same where those who may not `needed` get something else.
    pub fn publish_guarded<T: Serialize>(&self, topic: Topic, needed: Scope, data: &T, others: &T) {
        if let (Some(text), Some(others)) = (written(topic, data), written(topic, others)) {
            self.send(topic, &text, Some((needed, &others)));
        }
    }

    fn send(&self, topic: Topic, text: &str, guarded: Option<(Scope, &str)>) {
        let mut state = self.lock();
        let id = topic.is_replayed().then(|| {
            state.last += 1;
            state.last
        });
        let framed = |text: &str| match id {
            Some(id) => Bytes::from(format!("event: {}\nid: {id}\ndata: {text}\n\n", topic.name())),
            None => Bytes::from(format!("event: {}\ndata: {text}\n\n", topic.name())),
        };
        let guarded = guarded.map(|(needed, others)| (needed, framed(others)));
        let frame = Frame { text: framed(text), guarded };
        if let Some(id) = id {
            if state.ring.len() == RING
                && let Some((gone, _, _)) = state.ring.pop_front()
            {
                state.first = gone;
            }
            state.ring.push_back((id, topic, frame.clone()));
        }
        // Dropping the sender ends the stream of one that does not read.
        state.listeners.retain(|listener| {
            !listener.topics.has(topic) || listener.sender.try_send(frame.to(listener.scope)).is_ok()
        });
        self.tell_wanted(&state);
    }

    /// Whether somebody listens for this topic: what takes work to find out is found out
    /// for them only.
    pub fn wanted(&self, topic: Topic) -> bool {
        *self.0.wanted.borrow() & topic.bit() != 0
    }

    /// Completes when somebody listens for this topic.
    pub async fn until_wanted(&self, topic: Topic) {
        // The sender lives as long as this handle.
        let _ = self.0.wanted.subscribe().wait_for(|bits| bits & topic.bit() != 0).await;
    }

    /// Has every listener's right to listen looked at again, now.
    pub(super) fn doubt(&self) {
        self.0.doubted.send_modify(|count| *count += 1);
    }

    /// Begins to listen, with what was missed since `after`.
    ///
    /// # Errors
    /// There are too many listeners.
    pub(super) fn listen(
        &self,
        topics: Topics,
        scope: Scope,
        after: Option<u64>,
    ) -> Result<Hearing, Problem> {
        let mut state = self.lock();
        state.listeners.retain(|listener| !listener.sender.is_closed());
        if state.listeners.len() >= MAX_LISTENERS {
            return Err(Problem::too_many(COMMENT_EVERY.as_secs()));
        }
        let (sender, receiver) = mpsc::channel(WAITING);
        let missed = state.missed(topics, scope, after);
        let number = state.next_listener;
        state.next_listener += 1;
        state.listeners.push(Listener { number, topics, scope, sender });
        self.tell_wanted(&state);
        Ok(Hearing { events: self.clone(), number, missed, receiver })
    }

    fn tell_wanted(&self, state: &State) {
        let bits = state.listeners.iter().fold(0, |bits, listener| bits | listener.topics.0);
        self.0.wanted.send_if_modified(|wanted| std::mem::replace(wanted, bits) != bits);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn missed(&self, topics: Topics, scope: Scope, after: Option<u64>) -> VecDeque<Bytes> {
        let Some(after) = after else { return VecDeque::new() };
        if after < self.first || after > self.last {
            // Too long ago, or not of this run: everything is to be asked for anew.
            return VecDeque::from([Bytes::from(format!("event: reset\nid: {}\ndata: {{}}\n\n", self.last))]);
        }
        let missed = self.ring.iter().filter(|(id, topic, _)| *id > after && topics.has(*topic));
        missed.map(|(_, _, frame)| frame.to(scope)).collect()
    }
}

fn written(topic: Topic, data: &impl Serialize) -> Option<String> {
    let text = serde_json::to_string(data);
    text.inspect_err(|error| tracing::error!(%error, topic = topic.name(), "an event cannot be written")).ok()
}

/// Somebody's ear; it is given up on drop.
pub(super) struct Hearing {
    events: Events,
    number: u64,
    missed: VecDeque<Bytes>,
    receiver: mpsc::Receiver<Bytes>,
}

impl Drop for Hearing {
    fn drop(&mut self) {
        let mut state = self.events.lock();
        state.listeners.retain(|listener| listener.number != self.number);
        self.events.tell_wanted(&state);
    }
}

/// The body of an answer that goes on until the caller may not listen any more, does not
/// read, or goes away.
pub(super) fn body(api: Api, caller: Caller, hearing: Hearing) -> Body {
    Body::from_stream(stream(api, caller, hearing))
}

fn stream(
    api: Api,
    caller: Caller,
    mut hearing: Hearing,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    // Browsers wait so long before they come back.
    hearing.missed.push_front(Bytes::from_static(b"retry: 2000\n\n"));
    let mut comments = tokio::time::interval_at(Instant::now() + COMMENT_EVERY, COMMENT_EVERY);
    comments.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let doubted = hearing.events.0.doubted.subscribe();
    futures_util::stream::unfold((api, caller, hearing, comments, doubted), |state| async move {
        let (api, caller, mut hearing, mut comments, mut doubted) = state;
        let frame = loop {
            if let Some(missed) = hearing.missed.pop_front() {
                break missed;
            }
            tokio::select! {
                frame = hearing.receiver.recv() => break frame?,
                _ = doubted.changed() => if !caller.is_valid(&api) { return None },
                _ = comments.tick() => {
                    if !caller.is_valid(&api) {
                        return None;
                    }
                    break Bytes::from_static(b": still here\n\n");
                }
            }
        };
        Some((Ok(frame), (api, caller, hearing, comments, doubted)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(frames: impl IntoIterator<Item = Bytes>) -> String {
        frames.into_iter().map(|frame| String::from_utf8(frame.to_vec()).unwrap()).collect()
    }

    fn waiting(hearing: &mut Hearing) -> String {
        let mut frames: Vec<Bytes> = hearing.missed.drain(..).collect();
        while let Ok(frame) = hearing.receiver.try_recv() {
            frames.push(frame);
        }
        text(frames)
    }

    #[test]
    fn what_was_missed_is_replayed_in_order_and_for_its_topics() {
        let events = Events::new(&Clock::manual());
        let start = events.lock().last;
        events.publish(Topic::Devices, &"a");
        events.publish(Topic::Host, &"b");
        events.publish(Topic::Devices, &"c");
        let mut hearing =
            events.listen(Topics::parse("devices").unwrap(), Scope::Owner, Some(start)).unwrap();
        events.publish(Topic::Devices, &"d");
        events.publish(Topic::Sessions, &"e");
        let id = |n: u64| start + n;
        let expected = format!(
            "event: devices\nid: {}\ndata: \"a\"\n\nevent: devices\nid: {}\ndata: \"c\"\n\nevent: devices\nid: {}\ndata: \"d\"\n\n",
            id(1),
            id(3),
            id(4)
        );
        assert_eq!(waiting(&mut hearing), expected);
        assert_eq!(
            waiting(&mut events.listen(Topics::USUAL, Scope::Owner, None).unwrap()),
            "",
            "who asks for nothing missed nothing"
        );
    }

    #[test]
    fn who_missed_too_much_is_told_so() {
        let events = Events::new(&Clock::manual());
        let start = events.lock().last;
        for n in 0..RING {
            events.publish(Topic::Host, &n);
        }
        let all = events.listen(Topics::USUAL, Scope::Owner, Some(start)).unwrap();
        assert_eq!(all.missed.len(), RING);
        events.publish(Topic::Host, &0);
        for after in [start, 0, start + 5000, u64::MAX] {
            let mut hearing = events.listen(Topics::USUAL, Scope::Owner, Some(after)).unwrap();
            let heard = waiting(&mut hearing);
            assert_eq!(heard, format!("event: reset\nid: {}\ndata: {{}}\n\n", start + 1025), "{after}");
        }
        assert_eq!(events.listen(Topics::USUAL, Scope::Owner, Some(start + 1)).unwrap().missed.len(), RING);
    }

    #[test]
    fn figures_and_log_are_for_those_who_listen_now() {
        let events = Events::new(&Clock::manual());
        let start = events.lock().last;
        assert!(!events.wanted(Topic::Figures));
        events.publish(Topic::Figures, &1);
        events.publish(Topic::Log, &2);
        let mut usual = events.listen(Topics::USUAL, Scope::Owner, Some(start)).unwrap();
        assert!(events.wanted(Topic::Figures) && !events.wanted(Topic::Log));
        let mut log = events.listen(Topics::parse("log, host").unwrap(), Scope::Owner, None).unwrap();
        assert!(events.wanted(Topic::Log));
        events.publish(Topic::Figures, &3);
        events.publish(Topic::Log, &4);
        assert_eq!(waiting(&mut usual), "event: figures\ndata: 3\n\n");
        assert_eq!(waiting(&mut log), "event: log\ndata: 4\n\n");
        drop((usual, log));
        assert!(!events.wanted(Topic::Figures) && !events.wanted(Topic::Host));
        assert!(Topics::parse("devices,rumours").is_err());
    }

    #[test]
    fn a_listener_that_does_not_read_is_dropped_and_there_are_so_many() {
        let events = Events::new(&Clock::manual());
        let mut slow = events.listen(Topics::USUAL, Scope::Owner, None).unwrap();
        for n in 0..=WAITING {
            events.publish(Topic::Host, &n);
        }
        let heard = waiting(&mut slow);
        assert_eq!(heard.matches("event: host").count(), WAITING);
        assert!(matches!(slow.receiver.try_recv(), Err(mpsc::error::TryRecvError::Disconnected)));
        let others: Vec<_> =
            (0..MAX_LISTENERS).map(|_| events.listen(Topics::USUAL, Scope::Owner, None).unwrap()).collect();
        assert!(events.listen(Topics::USUAL, Scope::Owner, None).is_err());
        drop(others);
        assert!(events.listen(Topics::USUAL, Scope::Owner, None).is_ok());
    }

    #[test]
    fn secrets_are_for_those_who_may_use_them() {
        let events = Events::new(&Clock::manual());
        let start = events.lock().last;
        let all = Topics::USUAL;
        let mut looking = events.listen(all, Scope::View, None).unwrap();
        let mut managing = events.listen(all, Scope::Manage, None).unwrap();
        events.publish_guarded(Topic::Pairing, Scope::Manage, &"pin", &"none");
        assert!(waiting(&mut looking).ends_with("data: \"none\"\n\n"));
        assert!(waiting(&mut managing).ends_with("data: \"pin\"\n\n"));
        let mut later = events.listen(all, Scope::Play, Some(start)).unwrap();
        assert!(waiting(&mut later).ends_with("data: \"none\"\n\n"), "nor when it is replayed");
    }
}
