//! Browsers that are logged in, and how often somebody may try to be.
//!
//! A session is a random cookie of which only the hash is kept, in memory: a host that
//! starts again has its owner log in again. It belongs to one password; another password
//! ends it.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use punktfunk_core::bytes::to_hex;
use punktfunk_core::crypto::sha256;

use super::clock::Clock;
use super::error::Problem;

/// The cookie. The prefix makes browsers insist on `Secure`, `Path=/` and no domain.
pub const COOKIE: &str = "__Host-punktfunk";
/// A session ends when nothing was asked for so long.
pub const IDLE: Duration = Duration::from_secs(30 * 60);
/// A session ends so long after its login, whatever is asked.
pub const ABSOLUTE: Duration = Duration::from_secs(12 * 3600);
/// Sessions at one time; the one unused for longest makes room.
const MAX_SESSIONS: usize = 64;

/// Attempts within this time are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Attempts of one address in [`WINDOW`].
const MAX_PER_ADDRESS: usize = 5;
/// Attempts of all addresses in [`WINDOW`].
const MAX_IN_ALL: usize = 20;

/// Names a session: the hash of its cookie.
pub type SessionKey = [u8; 32];

/// Browsers that are logged in.
#[derive(Debug)]
pub struct Logins {
    clock: Clock,
    sessions: Mutex<HashMap<SessionKey, Session>>,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    began: Duration,
    used: Duration,
    /// The password it was made with.
    generation: u64,
}

impl Session {
    fn is_over(&self, now: Duration) -> bool {
        now.saturating_sub(self.used) >= IDLE || now.saturating_sub(self.began) >= ABSOLUTE
    }
}

impl Logins {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, sessions: Mutex::default() }
    }

    /// Begins a session; returns the header that gives its cookie to the browser.
    pub(super) fn open(&self, generation: u64) -> Result<(SessionKey, String), Problem> {
        let value = random_hex::<32>()?;
        let key = sha256(&[value.as_bytes()]);
        let now = self.clock.elapsed();
        let mut sessions = self.lock();
        sessions.retain(|_, session| !session.is_over(now) && session.generation == generation);
        if sessions.len() >= MAX_SESSIONS
            && let Some(oldest) = sessions.iter().min_by_key(|(_, session)| session.used).map(|(key, _)| *key)
        {
            sessions.remove(&oldest);
        }
        sessions.insert(key, Session { began: now, used: now, generation });
        let age = ABSOLUTE.as_secs();
        Ok((key, format!("{COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={age}")))
    }

    /// The session of this cookie, which is used now.
    pub(super) fn check(&self, cookie: &str, generation: u64) -> Option<SessionKey> {
        let key = sha256(&[cookie.as_bytes()]);
        let now = self.clock.elapsed();
        let mut sessions = self.lock();
        let session = sessions.get_mut(&key)?;
        if session.is_over(now) || session.generation != generation {
            sessions.remove(&key);
            return None;
        }
        session.used = now;
        Some(key)
    }

    /// Whether a session goes on; it is not used by that.
    pub(super) fn is_valid(&self, key: SessionKey, generation: u64) -> bool {
        let now = self.clock.elapsed();
        self.lock().get(&key).is_some_and(|session| !session.is_over(now) && session.generation == generation)
    }

    /// When a session ends if nothing more is asked, and at the latest; seconds since 1970.
    pub(super) fn ends(&self, key: SessionKey) -> Option<(u64, u64)> {
        let (now, unix) = (self.clock.elapsed(), self.clock.unix());
        let session = *self.lock().get(&key)?;
        let left = |total: Duration, since: Duration| {
            unix + total.saturating_sub(now.saturating_sub(since)).as_secs()
        };
        let absolute = left(ABSOLUTE, session.began);
        Some((left(IDLE, session.used).min(absolute), absolute))
    }

    /// Ends one session.
    pub(super) fn close(&self, key: SessionKey) {
        self.lock().remove(&key);
    }

    /// Ends all sessions but this one, which belongs to another password from now on.
    pub(super) fn keep_only(&self, key: Option<SessionKey>, generation: u64) {
        let mut sessions = self.lock();
        sessions.retain(|known, _| Some(*known) == key);
        for session in sessions.values_mut() {
            session.generation = generation;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionKey, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The header that takes the cookie from a browser.
pub(super) fn farewell() -> String {
    format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0")
}

/// So many random bytes as hex.
pub(super) fn random_hex<const N: usize>() -> Result<String, Problem> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| Problem::unavailable("the system gives no random numbers; try again"))?;
    Ok(to_hex(&bytes))
}

/// How often passwords and secrets may be tried.
#[derive(Debug)]
pub struct Limits {
    clock: Clock,
    tried: Mutex<VecDeque<(Duration, IpAddr)>>,
}

impl Limits {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, tried: Mutex::default() }
    }

    /// Counts an attempt.
    ///
    /// # Errors
    /// There were too many; it says when to come back.
    pub(super) fn attempt(&self, address: IpAddr) -> Result<(), Problem> {
        let address = network(address);
        let now = self.clock.elapsed();
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        while tried.front().is_some_and(|(at, _)| now.saturating_sub(*at) >= WINDOW) {
            tried.pop_front();
        }
        // The wait ends when the oldest of those that fill the limit is forgotten.
        let of_address: Vec<Duration> =
            tried.iter().filter(|(_, from)| *from == address).map(|(at, _)| *at).collect();
        let full =
            |times: &[Duration], limit: usize| times.len().checked_sub(limit).map(|first| times[first]);
        let in_all: Vec<Duration> = tried.iter().map(|(at, _)| *at).collect();
        let blocking = [full(&of_address, MAX_PER_ADDRESS), full(&in_all, MAX_IN_ALL)];
        if let Some(at) = blocking.into_iter().flatten().max() {
            let wait = (at + WINDOW).saturating_sub(now);
            return Err(Problem::too_many(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)));
        }
        tried.push_back((now, address));
        Ok(())
    }

    /// The attempt was right: those before it were the owner's.
    pub(super) fn forgive(&self, address: IpAddr) {
        let address = network(address);
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        tried.retain(|(_, from)| *from != address);
    }
}

/// What counts as one address: a household has a whole network of IPv6 addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie_of(header: &str) -> String {
        header.split(['=', ';']).nth(1).unwrap().to_owned()
    }

    #[test]
    fn a_session_ends_idle_and_at_last() {
        let clock = Clock::manual();
        let logins = Logins::new(clock.clone());
        let (key, header) = logins.open(1).unwrap();
        let cookie = cookie_of(&header);
        assert_eq!(cookie.len(), 64, "256 bits");
        assert_eq!(logins.check(&cookie, 1), Some(key));
        clock.advance(IDLE - Duration::from_secs(1));
        assert_eq!(logins.check(&cookie, 1), Some(key), "used, so it goes on");
        clock.advance(IDLE - Duration::from_secs(1));
        assert!(logins.is_valid(key, 1));
        clock.advance(Duration::from_secs(1));
        assert!(!logins.is_valid(key, 1), "looking did not use it");
        assert_eq!(logins.check(&cookie, 1), None);

        let (key, header) = logins.open(1).unwrap();
        let cookie = cookie_of(&header);
        for _ in 0..23 {
            clock.advance(Duration::from_secs(30 * 60 - 1));
            assert_eq!(logins.check(&cookie, 1), Some(key));
        }
        clock.advance(Duration::from_secs(60 * 30));
        assert_eq!(logins.check(&cookie, 1), None, "twelve hours are over");
    }

    #[test]
    fn another_password_ends_sessions() {
        let logins = Logins::new(Clock::manual());
        let (mine, header) = logins.open(1).unwrap();
        let (other, _) = logins.open(1).unwrap();
        assert_eq!(logins.check("0".repeat(64).as_str(), 1), None);
        logins.keep_only(Some(mine), 2);
        assert!(logins.is_valid(mine, 2) && !logins.is_valid(other, 2));
        assert_eq!(logins.check(&cookie_of(&header), 3), None);
    }

    #[test]
    fn sessions_are_bounded_in_number() {
        let clock = Clock::manual();
        let logins = Logins::new(clock.clone());
        let (first, _) = logins.open(1).unwrap();
        for _ in 0..MAX_SESSIONS {
            clock.advance(Duration::from_secs(1));
            logins.open(1).unwrap();
        }
        assert!(!logins.is_valid(first, 1));
        assert_eq!(logins.lock().len(), MAX_SESSIONS);
    }

    #[test]
    fn attempts_are_limited_by_address_and_in_all() {
        let clock = Clock::manual();
        let limits = Limits::new(clock.clone());
        let address = |last| IpAddr::from([192, 0, 2, last]);
        for _ in 0..MAX_PER_ADDRESS {
            limits.attempt(address(1)).unwrap();
            clock.advance(Duration::from_secs(2));
        }
        assert_eq!(limits.attempt(address(1)), Err(Problem::too_many(50)));
        limits.attempt(address(2)).unwrap();
        for last in 3..=16 {
            limits.attempt(address(last)).unwrap();
        }
        assert_eq!(limits.attempt(address(99)), Err(Problem::too_many(50)), "twenty in all");
        clock.advance(Duration::from_secs(50));
        limits.attempt(address(99)).unwrap();
        limits.forgive(address(1));
        limits.attempt(address(1)).unwrap();
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let limits = Limits::new(Clock::manual());
        for last in 0..MAX_PER_ADDRESS {
            limits.attempt(format!("2001:db8::{last}").parse().unwrap()).unwrap();
        }
        assert!(limits.attempt("2001:db8::ffff".parse().unwrap()).is_err());
        assert!(limits.attempt("2001:db8:0:1::".parse().unwrap()).is_ok());
        assert!(limits.attempt("::ffff:192.0.2.1".parse().unwrap()).is_ok());
    }
}
