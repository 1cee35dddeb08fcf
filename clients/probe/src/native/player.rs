//! One stream of punktfunk/1 from Hello to goodbye.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use punktfunk_client::messages::{Reconfigure, Welcome};
use punktfunk_client::{Client, Code, Error, Mode, SessionId};

use super::drive::{Common, Threads};
use super::home::Host;
use super::options::Options;
use super::report::Report;
use super::stats::{End, Stats};
use crate::decode::Picture;
use crate::stats::Clock;

/// A stream that is being played. Dropping it leaves; the application goes on.
pub struct Player {
    pub(super) common: Common,
    threads: Option<Threads>,
    first: Welcome,
}

impl Player {
    /// Starts what `options` name, or goes on with it, and plays it. Returns once the
    /// host has welcomed us; pictures follow.
    ///
    /// # Errors
    /// The host cannot be connected to, or refuses: see [`refusal`].
    pub fn start(client: &Client, host: &Host, options: &Options) -> Result<Self> {
        let clock = Clock::start();
        let session = client.connect(&options.config(host))?;
        let first = session.welcome();
        let common = Common {
            session: Arc::new(session),
            board: Arc::default(),
            clock,
            history: options.history,
            stop: Arc::new(AtomicBool::new(false)),
            backlog: Arc::new(AtomicUsize::new(0)),
        };
        let threads = Some(Threads::start(&common, &first, options.decode)?);
        Ok(Self { common, threads, first })
    }

    /// What was agreed on, kept up to date.
    pub fn welcome(&self) -> Welcome {
        self.common.session.welcome()
    }

    /// The session's id, to resume it by [`Options::resume`].
    pub fn session_id(&self) -> SessionId {
        self.welcome().session
    }

    /// True when the application was running already.
    pub fn resumed(&self) -> bool {
        self.first.resumed
    }

    /// Milliseconds since the start.
    pub fn millis(&self) -> u64 {
        self.common.clock.millis()
    }

    /// The counters now, with every picture that is remembered: for a look at a few of
    /// them, [`look`](Self::look) is cheaper.
    pub fn stats(&self) -> Stats {
        self.common.board.stats()
    }

    /// Looks at the counters where they are; what is received waits meanwhile.
    pub fn look<T>(&self, look: impl FnOnce(&Stats) -> T) -> T {
        self.common.board.look(look)
    }

    /// The figures of `punktfunk-client`.
    pub fn library_stats(&self) -> punktfunk_client::Stats {
        self.common.session.stats()
    }

    /// The picture decoded last.
    pub fn last_picture(&self) -> Option<Arc<Picture>> {
        self.common.board.last_picture()
    }

    /// Waits until `predicate` holds; the counters then. `what` says what was waited for.
    ///
    /// # Errors
    /// The stream ends before, or `patience` does.
    pub fn wait_for(
        &self,
        what: &str,
        patience: Duration,
        mut predicate: impl FnMut(&Stats) -> bool,
    ) -> Result<Stats> {
        let board = &self.common.board;
        board.wait(patience, |stats| stats.end.is_some() || predicate(stats));
        let stats = board.stats();
        if predicate(&stats) {
            return Ok(stats);
        }
        match &stats.end {
            Some(end) => bail!("the stream ended ({end:?}) before {what}"),
            None => bail!(
                "{what}: not within {patience:?} ({} frames received, {} decoded, {} lost, {} packets of sound)",
                stats.frames_received,
                stats.frames_decoded,
                stats.lost_frames,
                stats.audio_packets
            ),
        }
    }

    /// Waits for the end of the stream; how it ended, or `None` after `patience`.
    pub fn wait_for_end(&self, patience: Duration) -> Option<End> {
        self.common.board.wait(patience, |stats| stats.end.is_some());
        self.look(|stats| stats.end.clone())
    }

    /// Lets the stream run for `time`.
    ///
    /// # Errors
    /// It ends before.
    pub fn play_on(&self, time: Duration) -> Result<Stats> {
        match self.wait_for_end(time) {
            Some(end) => bail!("the stream ended: {end:?}"),
            None => Ok(self.stats()),
        }
    }

    /// Asks for another picture; [`Word::Reconfigured`](super::Word) answers.
    ///
    /// # Errors
    /// The session has ended, or what is asked for is out of range.
    pub fn reconfigure(&self, wanted: Reconfigure) -> Result<()> {
        Ok(self.common.session.reconfigure(wanted)?)
    }

    /// Asks for a mode and waits for the first picture of that size.
    ///
    /// # Errors
    /// As [`reconfigure`](Self::reconfigure); the picture does not come within `patience`.
    pub fn change_mode(&self, mode: Mode, patience: Duration) -> Result<Stats> {
        self.reconfigure(Reconfigure {
            width: Some(mode.width),
            height: Some(mode.height),
            refresh_mhz: Some(mode.refresh_mhz),
            ..Reconfigure::default()
        })?;
        let size = (mode.width as usize, mode.height as usize);
        self.wait_for(&format!("a picture of {}x{}", size.0, size.1), patience, |stats| stats.size == size)
    }

    /// Asks for a key frame.
    pub fn want_key_frame(&self) {
        self.common.board.update(|stats| stats.key_frame_requests += 1);
        self.common.session.want_key_frame();
    }

    /// Goes on with another socket, as after a change of networks.
    ///
    /// # Errors
    /// There is none; the old one stays.
    pub fn rebind(&self) -> Result<()> {
        Ok(self.common.session.rebind()?)
    }

    /// Ends the application; [`End::Ended`] follows.
    ///
    /// # Errors
    /// The session has ended already.
    pub fn quit(&self) -> Result<()> {
        Ok(self.common.session.quit()?)
    }

    /// Says goodbye and sums up. The application goes on at the host.
    pub fn stop(mut self) -> Report {
        let (library, welcome, millis) = (self.library_stats(), self.welcome(), self.millis());
        self.end();
        Report::new(self.stats(), &library, (&self.first, &welcome), millis)
    }

    /// What it was like so far.
    pub fn report(&self) -> Report {
        Report::new(self.stats(), &self.library_stats(), (&self.first, &self.welcome()), self.millis())
    }

    fn end(&mut self) {
        self.common.stop.store(true, Ordering::Release);
        if let Some(threads) = self.threads.take() {
            threads.join();
        }
        self.common.board.update(|stats| {
            stats.end.get_or_insert(End::Stopped);
        });
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        // The session says goodbye when its last owner is gone, which is this one then.
        self.end();
    }
}

/// The code a host refused with, when `error` is such a refusal.
pub fn refusal(error: &anyhow::Error) -> Option<Code> {
    error.chain().find_map(|cause| cause.downcast_ref::<Error>().and_then(Error::code))
}
