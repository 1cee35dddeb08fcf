//! Who has which seat, and which launches wait for RTSP: the state of the
//! supervisor, with the owner's rules about it. Plain data behind one short lock.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::running::Running;
use super::stream::Stream;
use punktfunk_core::native::wire;

use super::{ClientId, LaunchError, LaunchRequest, OpenControl, Pending, SessionId};
use crate::send::StreamRoute;

/// How long a launch waits for its RTSP handshake. Sunshine takes 10 s; a client on
/// a slow link may retry its connection for 10 s (sheet, section 5).
pub(super) const PENDING_TIMEOUT: Duration = Duration::from_secs(15);

/// How many sessions there may be, who sees whose, and how long they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Seats at one time.
    pub max: usize,
    /// Every paired client sees, resumes and quits what nobody watches.
    pub shared: bool,
    /// How long an application runs on that nobody watches; `None` is for ever.
    pub keep: Option<Duration>,
}

/// One seat from the moment it is asked for. Who starts, stops or shows it holds
/// `operation`, for seconds at times; nobody else is kept waiting by that.
pub(super) struct Place {
    pub id: u64,
    pub app: u32,
    pub title: String,
    /// When it was asked for.
    pub since: Instant,
    /// What a native client may come back by.
    pub resume: wire::SessionId,
    pub operation: Mutex<()>,
}

/// A row of the table.
pub(super) struct Occupied {
    pub place: Arc<Place>,
    pub client: ClientId,
    /// `None` while it is being started, found again, or ended.
    pub running: Option<Arc<Running>>,
    /// The application runs.
    pub is_ready: bool,
    pub stream: Option<Stream>,
    pub was_streamed: bool,
    /// It is being ended: nobody sees it any more.
    pub is_ending: bool,
    /// Since when nobody watches.
    pub unwatched: Instant,
}

/// A launch that waits for RTSP.
pub(super) struct Waiting {
    pub pending: Pending,
    pub request: LaunchRequest,
    pub route: StreamRoute,
    pub since: Instant,
    pub seat: u64,
}

/// Everything that short questions are answered from.
#[derive(Default)]
pub(super) struct Table {
    next_session: u64,
    next_seat: u64,
    seats: Vec<Occupied>,
    pub waiting: Vec<Waiting>,
    /// The host stops: nothing new.
    pub closed: bool,
}

impl Table {
    pub fn next_session(&mut self) -> SessionId {
        self.next_session += 1;
        SessionId(self.next_session)
    }

    /// Takes a place for an application of `client`, or says why there is none.
    pub fn reserve(
        &mut self,
        rules: Rules,
        client: ClientId,
        app: (u32, &str),
        resume: wire::SessionId,
    ) -> Result<Arc<Place>, LaunchError> {
        if self.closed {
            return Err(LaunchError::Failed("the host is being stopped".into()));
        }
        if let Some(own) = self.seats.iter().find(|seat| seat.client == client) {
            let why = format!("{} is already running: resume it, or quit it first", own.place.title);
            return Err(LaunchError::Busy(why));
        }
        if self.seats.len() >= rules.max {
            let (now, one) = (self.seats.len(), self.seats.len() == 1);
            let (noun, verb) = if one { ("application", "runs") } else { ("applications", "run") };
            let why = format!(
                "{now} {noun} {verb} on this host already, as many as its owner allows (sessions.max): \
                 quit one on its device first"
            );
            return Err(LaunchError::Busy(why));
        }
        Ok(self.add(client, app, resume, Instant::now()))
    }

    /// Adds a place without asking.
    pub fn add(
        &mut self,
        client: ClientId,
        (app, title): (u32, &str),
        resume: wire::SessionId,
        since: Instant,
    ) -> Arc<Place> {
        self.next_seat += 1;
        let place = Arc::new(Place {
            id: self.next_seat,
            app,
            title: title.to_owned(),
            since,
            resume,
            operation: Mutex::new(()),
        });
        self.seats.push(Occupied {
            place: Arc::clone(&place),
            client,
            running: None,
            is_ready: false,
            stream: None,
            was_streamed: false,
            is_ending: false,
            unwatched: Instant::now(),
        });
        place
    }

    /// What `client` may resume or quit: its own, else under [`Rules::shared`] the
    /// newest of the others that nobody watches or is about to watch.
    pub fn visible(&self, rules: Rules, client: ClientId) -> Option<&Occupied> {
        let own = self.seats.iter().find(|seat| seat.client == client && !seat.is_ending);
        own.or_else(|| self.seats.iter().rev().find(|seat| rules.shared && self.is_unwatched(seat)))
    }

    fn is_unwatched(&self, seat: &Occupied) -> bool {
        let awaited = self.waiting.iter().any(|waiting| waiting.seat == seat.place.id);
        seat.is_ready && seat.stream.is_none() && !seat.is_ending && !awaited
    }

    pub fn seat(&mut self, id: u64) -> Option<&mut Occupied> {
        self.seats.iter_mut().find(|seat| seat.place.id == id)
    }

    pub fn seats(&self) -> &[Occupied] {
        &self.seats
    }

    /// The place of `client` that is being ended: it can have another after that.
    pub fn ending(&self, client: ClientId) -> Option<Arc<Place>> {
        let ending = self.seats.iter().find(|seat| seat.client == client && seat.is_ending);
        ending.map(|seat| Arc::clone(&seat.place))
    }

    /// Gives a place up, with the launches that wait for it.
    pub fn remove(&mut self, id: u64) -> (Option<Occupied>, Vec<Waiting>) {
        let waiting = self.take_waiting(id);
        let index = self.seats.iter().position(|seat| seat.place.id == id);
        (index.map(|index| self.seats.remove(index)), waiting)
    }

    /// The seat that a stream shows.
    pub fn streaming(&self, id: SessionId) -> Option<&Occupied> {
        self.seats.iter().find(|seat| seat.stream.as_ref().is_some_and(|stream| stream.id() == id))
    }

    /// The stream whose media datagrams have this id.
    pub fn receiving(&self, media_id: [u8; 8]) -> Option<&Stream> {
        let streams = self.seats.iter().filter_map(|seat| seat.stream.as_ref());
        let ours = |stream: &&Stream| stream.native().is_some_and(|native| native.media_id() == media_id);
        streams.into_iter().find(ours)
    }

    /// Takes away the launches that wait for this seat.
    pub fn take_waiting(&mut self, seat: u64) -> Vec<Waiting> {
        self.waiting.extract_if(.., |waiting| waiting.seat == seat).collect()
    }

    /// Takes a stream away from its seat.
    pub fn take_stream(&mut self, id: SessionId) -> Option<Stream> {
        let ours = |seat: &&mut Occupied| seat.stream.as_ref().is_some_and(|stream| stream.id() == id);
        self.seats.iter_mut().find(ours)?.take_stream()
    }

    pub fn streams(&self) -> usize {
        self.seats.iter().filter(|seat| seat.stream.is_some()).count()
    }

    /// By the connect data; an old client, which sends none, by its address: then
    /// the newest of its streams.
    pub fn open_control(&self, connect_data: u32, peer: SocketAddr) -> Option<OpenControl> {
        let streams = self.seats.iter().filter_map(|seat| seat.stream.as_ref());
        let owned = streams.filter_map(|stream| stream.control(connect_data, peer.ip()));
        // Named ones first: an address says less than a number.
        owned.max_by_key(|(named, control)| (*named, control.id)).map(|(_, control)| control)
    }

    /// Launches whose RTSP never came.
    pub fn expired(&mut self, now: Instant) -> Vec<Waiting> {
        let over = |waiting: &mut Waiting| now.duration_since(waiting.since) >= PENDING_TIMEOUT;
        self.waiting.extract_if(.., over).collect()
    }

    /// Seats that nobody ever saw and nobody waits for, and those that nobody has
    /// watched for longer than `keep`.
    pub fn abandoned(&self, keep: Option<Duration>, now: Instant) -> Vec<(Arc<Place>, &'static str)> {
        let mut found = Vec::new();
        for seat in self.seats.iter().filter(|seat| self.is_unwatched(seat)) {
            let alone = now.duration_since(seat.unwatched);
            let why = if !seat.was_streamed && alone >= PENDING_TIMEOUT {
                "nobody came to see it"
            } else if keep.is_some_and(|keep| alone >= keep) {
                "nobody watched it for as long as sessions.keep_minutes says"
            } else {
                continue;
            };
            found.push((Arc::clone(&seat.place), why));
        }
        found
    }
}

impl Occupied {
    /// The application goes on unseen.
    pub fn take_stream(&mut self) -> Option<Stream> {
        let stream = self.stream.take()?;
        self.unwatched = Instant::now();
        Some(stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: Rules = Rules { max: 2, shared: false, keep: None };
    const TV: ClientId = ClientId([1; 32]);
    const PHONE: ClientId = ClientId([2; 32]);
    const DECK: ClientId = ClientId([3; 32]);
    const RESUME: wire::SessionId = wire::SessionId([0; 16]);

    #[test]
    fn each_client_has_one_place_and_sees_only_its_own() {
        let mut table = Table::default();
        let first = table.reserve(ALONE, TV, (1, "Desktop"), RESUME).unwrap();
        assert!(table.visible(ALONE, PHONE).is_none());
        table.reserve(ALONE, PHONE, (2, "Game"), RESUME).unwrap();
        assert_eq!(table.visible(ALONE, TV).unwrap().place.app, 1);
        assert_eq!(table.visible(ALONE, PHONE).unwrap().place.app, 2);
        let again = table.reserve(ALONE, TV, (2, "Game"), RESUME).err().unwrap().to_string();
        assert_eq!(again, "Desktop is already running: resume it, or quit it first");
        let third = table.reserve(ALONE, DECK, (1, "Desktop"), RESUME).err().unwrap();
        assert!(matches!(&third, LaunchError::Busy(why) if why.contains("2 applications run")), "{third}");
        assert!(third.to_string().contains("sessions.max"));
        table.seat(first.id).unwrap().is_ending = true;
        assert!(table.visible(ALONE, TV).is_none(), "nobody sees what is being ended");
        assert_eq!(table.ending(TV).unwrap().id, first.id);
        table.remove(first.id);
        table.reserve(ALONE, DECK, (1, "Desktop"), RESUME).unwrap();
        assert!(table.visible(ALONE, TV).is_none());
    }

    #[test]
    fn what_is_being_started_is_nobody_elses_even_in_a_household() {
        let rules = Rules { shared: true, ..ALONE };
        let mut table = Table::default();
        table.reserve(rules, TV, (1, "Desktop"), RESUME).unwrap();
        assert!(table.visible(rules, TV).is_some());
        assert!(table.visible(rules, PHONE).is_none());
    }

    #[test]
    fn a_household_shares_the_newest_that_nobody_watches() {
        let rules = Rules { max: 8, shared: true, ..ALONE };
        let mut table = Table::default();
        for (client, app) in [(TV, 1), (PHONE, 2)] {
            let place = table.reserve(rules, client, (app, "Game"), RESUME).unwrap();
            table.seat(place.id).unwrap().is_ready = true;
        }
        let seen = |table: &Table, client| table.visible(rules, client).unwrap().place.app;
        assert_eq!(seen(&table, DECK), 2);
        assert_eq!(seen(&table, TV), 1, "its own comes first");
        assert!(table.visible(ALONE, DECK).is_none());
        // Whoever sees another's may have one of its own.
        table.reserve(rules, DECK, (3, "Desktop"), RESUME).unwrap();
        assert_eq!(seen(&table, DECK), 3);
    }

    #[test]
    fn what_nobody_watches_is_kept_as_long_as_the_owner_says() {
        let mut table = Table::default();
        let place = table.reserve(ALONE, TV, (1, "Desktop"), RESUME).unwrap();
        let now = Instant::now();
        let later = |seconds| now + Duration::from_secs(seconds);
        let keep = Some(Duration::from_secs(600));
        assert!(table.abandoned(keep, later(3600)).is_empty(), "it is being started");
        table.seat(place.id).unwrap().is_ready = true;
        assert!(table.abandoned(keep, later(10)).is_empty());
        assert_eq!(table.abandoned(None, later(60))[0].1, "nobody came to see it");
        table.seat(place.id).unwrap().was_streamed = true;
        assert!(table.abandoned(keep, later(590)).is_empty());
        assert!(table.abandoned(keep, later(610))[0].1.contains("keep_minutes"));
        assert!(table.abandoned(None, later(1_000_000)).is_empty());
    }

    #[test]
    fn a_host_that_stops_takes_nothing_new() {
        let mut table = Table { closed: true, ..Table::default() };
        assert!(table.reserve(ALONE, TV, (1, "Desktop"), RESUME).is_err());
    }
}
