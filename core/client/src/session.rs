//! A session as the user has it, and what its threads share.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as blocking};
use std::time::Duration;

use punktfunk_core::input::Event as Input;
use punktfunk_core::input::pad::{self, Feedback};
use punktfunk_core::native::keys::Exported;
use punktfunk_core::native::wire::control::{Clipboard, Hello, Reconfigure, Reconfigured, Welcome};
use punktfunk_core::native::wire::datagram::{Packets, Sound as SoundDatagram};
use punktfunk_core::native::wire::input::{InboundEffects, Outbound, Sent};
use punktfunk_core::native::wire::{Code, Control, Datagram, MAX_NAME};
use punktfunk_quic::{Connection, Endpoint};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::client::{Client, Config};
use crate::control;
use crate::drive::{self, Command};
use crate::error::{Error, advice};
use crate::event::{Event, Sound};
use crate::media::Media;
use crate::now;
use crate::queue::Queue;
use crate::stats::Stats;

/// Messages that may wait to be sent: more than a user does in a second.
const COMMANDS: usize = 1024;
/// Closing is given so long before threads are left to themselves.
const CLOSING: Duration = Duration::from_secs(2);
/// Longest text in one message.
const MAX_TEXT: usize = 4000;
/// The host is asked whether it is still there after so long without media, and so
/// often. One that was restarted answers that it knows nothing of the connection.
const SILENCE: Duration = Duration::from_millis(400);
const ASK_EVERY: Duration = Duration::from_millis(200);
/// A datagram of a type that no version has: received, acknowledged, thrown away.
const NOTHING: [u8; 1] = [0];

/// A session that plays. Dropping it closes it.
#[derive(Debug)]
pub struct Session {
    shared: Arc<Shared>,
    commands: Sender<Command>,
    /// Locked, so that a session may be shared by threads.
    done: Mutex<blocking::Receiver<()>>,
    first: Welcome,
    runtime: Option<Runtime>,
}

/// What the threads of a session share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub config: Config,
    pub endpoint: Endpoint,
    pub queue: Arc<Queue>,
    pub media: Arc<Media>,
    hello: Hello,
    live: Mutex<Live>,
    comebacks: AtomicU64,
    bad_datagrams: AtomicU64,
}

/// What belongs to the present connection.
#[derive(Debug, Default)]
struct Live {
    connection: Option<Connection>,
    welcome: Option<Welcome>,
    outbound: Outbound,
    effects: InboundEffects,
    /// The newest packet of sound.
    heard: Option<u32>,
    /// Packets of the microphone so far.
    spoken: u32,
    asked: punktfunk_core::time::Time,
    scratch: Vec<u8>,
    found: Vec<(u8, Feedback)>,
}

impl Session {
    pub(crate) fn start(client: &Client, config: &Config) -> Result<Self, Error> {
        let hello = config.hello(&client.name)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("punktfunk-ctl")
            .enable_all()
            .build()
            .map_err(|error| Error::Start(error.to_string()))?;
        let queue = Arc::new(Queue::default());
        let media = Arc::new(Media::new(queue.clone()));
        let endpoint = {
            let _inside = runtime.enter();
            control::endpoint(client, config.address, media.clone())?
        };
        let shared = Arc::new(Shared {
            config: config.clone(),
            endpoint,
            queue,
            media,
            hello,
            live: Mutex::default(),
            comebacks: AtomicU64::new(0),
            bad_datagrams: AtomicU64::new(0),
        });
        let (commands, receiver) = channel(COMMANDS);
        let (begun, waiting) = blocking::channel();
        let (finished, done) = blocking::channel();
        runtime.spawn(live(shared.clone(), receiver, begun, finished));
        match waiting.recv() {
            Ok(Ok(first)) => {
                Ok(Self { shared, commands, done: Mutex::new(done), first, runtime: Some(runtime) })
            }
            Ok(Err(error)) => {
                runtime.shutdown_background();
                Err(error)
            }
            Err(_) => Err(Error::Ended),
        }
    }

    /// What was agreed on, kept up to date.
    pub fn welcome(&self) -> Welcome {
        self.shared.welcome().unwrap_or_else(|| self.first.clone())
    }

    /// The next event, waiting for it; `None` after `timeout`. After
    /// [`Ended`](Event::Ended) always that again.
    pub fn next(&self, timeout: Duration) -> Option<Event> {
        self.shared.queue.next(timeout)
    }

    /// Something was done with keyboard, pointer, finger or pen. While the connection is
    /// lost it comes to nothing.
    ///
    /// # Errors
    /// [`Error::Ended`]; [`Error::Lost`] when the host takes nothing in.
    pub fn input(&self, event: &Input) -> Result<(), Error> {
        let sent = self.shared.live().outbound.event(event);
        self.send(Some(sent))
    }

    /// Text was entered, by whatever keys.
    ///
    /// # Errors
    /// As [`input`](Self::input).
    pub fn text(&self, text: &str) -> Result<(), Error> {
        let mut rest = text;
        while !rest.is_empty() {
            let part = punktfunk_core::native::wire::cut(rest, MAX_TEXT);
            rest = rest.get(part.len()..).unwrap_or_default();
            let text = punktfunk_core::native::wire::control::Text { text: part.to_owned() };
            self.say(Control::Text(text))?;
        }
        Ok(())
    }

    /// Something was done with a pad.
    ///
    /// # Errors
    /// As [`input`](Self::input); [`Error::Range`] for a pad above 15.
    pub fn pad(&self, event: &pad::Event) -> Result<(), Error> {
        let sent = self.shared.live().outbound.pad(now(), event);
        if sent.is_none() {
            return Err(Error::Range("the number of the pad"));
        }
        self.send(sent)
    }

    /// A packet of the microphone: Opus, 48 kHz, 10 ms, in order.
    ///
    /// # Errors
    /// As [`input`](Self::input); [`Error::Range`] for an empty or endless packet.
    pub fn mic(&self, packet: &[u8]) -> Result<(), Error> {
        self.alive()?;
        let packets = Packets::new(&[packet]).filter(|_| !packet.is_empty() && packet.len() <= 1000);
        let packets = packets.ok_or(Error::Range("the packet of sound"))?;
        let mut live = self.shared.live();
        let seq = live.spoken;
        live.spoken = seq.wrapping_add(1);
        live.send(&Datagram::Microphone(SoundDatagram { seq, timestamp: now().0, packets }));
        Ok(())
    }

    /// Something was copied here.
    ///
    /// # Errors
    /// As [`input`](Self::input); [`Error::Range`] when it is more than 65,000 bytes.
    pub fn clipboard(&self, mime: &str, data: &[u8]) -> Result<(), Error> {
        if data.len() > Clipboard::MOST || mime.len() > MAX_NAME * 2 {
            return Err(Error::Range("the clipboard"));
        }
        self.say(Control::Clipboard(Clipboard { mime: mime.to_owned(), data: data.to_vec() }))
    }

    /// Asks for another picture; [`Event::Reconfigured`] answers.
    ///
    /// # Errors
    /// As [`input`](Self::input); [`Error::Range`].
    pub fn reconfigure(&self, wanted: Reconfigure) -> Result<(), Error> {
        if !wanted.mode(self.welcome().mode).is_valid() {
            return Err(Error::Range("the mode"));
        }
        if wanted.bitrate_kbps.is_some_and(|rate| !(500..=4_000_000).contains(&rate)) {
            return Err(Error::Range("the bitrate"));
        }
        self.say(Control::Reconfigure(wanted))
    }

    /// Asks for the applications; [`Event::Apps`] answers.
    ///
    /// # Errors
    /// As [`input`](Self::input).
    pub fn list_apps(&self) -> Result<(), Error> {
        self.say(Control::ListApps)
    }

    /// Ends the application; [`Event::Ended`] follows.
    ///
    /// # Errors
    /// As [`input`](Self::input).
    pub fn quit(&self) -> Result<(), Error> {
        self.say(Control::Quit)
    }

    /// A frame was decoded: which, how long it took, and how many wait. The host goes by
    /// it when it chooses the rate.
    pub fn decoded(&self, frame: u32, took: Duration, backlog: usize) {
        self.shared.media.decoded(frame, took, backlog);
        self.shared.endpoint.wake();
    }

    /// The decoder cannot go on without a key frame.
    pub fn want_key_frame(&self) {
        self.shared.media.undecodable();
        self.shared.endpoint.wake();
    }

    /// Goes on with another socket: after a change of networks, when the caller knows of
    /// it before the kernel does.
    ///
    /// # Errors
    /// [`Error::Start`]; the old socket stays.
    pub fn rebind(&self) -> Result<(), Error> {
        let socket: UdpSocket = control::socket(self.shared.config.address)?;
        let runtime = self.runtime.as_ref().ok_or(Error::Ended)?;
        let _inside = runtime.enter();
        self.shared.endpoint.rebind(socket).map_err(|error| Error::Start(error.to_string()))
    }

    /// Every figure and limiter.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Says goodbye; whoever waits in [`next`](Self::next) hears [`Event::Ended`]. For
    /// callers that share the session among threads: dropping it is still to come.
    pub fn leave(&self) {
        // Full: the host takes nothing in, and dropping ends it.
        let _ = self.commands.try_send(Command::Close);
    }

    /// Says goodbye and ends the threads. The application goes on at the host.
    pub fn close(self) {
        drop(self);
    }

    fn send(&self, sent: Option<Sent>) -> Result<(), Error> {
        match sent {
            Some(Sent::Control(message)) => self.say(message),
            Some(Sent::Datagram(datagram)) => {
                self.alive()?;
                self.shared.live().send(&datagram);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn say(&self, message: Control) -> Result<(), Error> {
        self.alive()?;
        match self.commands.try_send(Command::Say(message)) {
            Ok(()) => Ok(()),
            Err(tokio::sync::mpsc::error::TrySendError::Full(_)) => {
                Err(Error::Lost("the host takes nothing in".to_owned()))
            }
            Err(tokio::sync::mpsc::error::TrySendError::Closed(_)) => Err(Error::Ended),
        }
    }

    fn alive(&self) -> Result<(), Error> {
        if self.shared.queue.has_ended() { Err(Error::Ended) } else { Ok(()) }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.leave();
        let _ = self.done.get_mut().unwrap_or_else(PoisonError::into_inner).recv_timeout(CLOSING);
        self.shared.media.stop();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The control task, from the first word to the last.
async fn live(
    shared: Arc<Shared>,
    commands: Receiver<Command>,
    begun: blocking::Sender<Result<Welcome, Error>>,
    finished: blocking::Sender<()>,
) {
    match drive::establish(&shared, shared.config.resume).await {
        Ok((stream, welcome)) => {
            // Nobody waits any more: then the commands are closed, too.
            let _ = begun.send(Ok(welcome));
            drive::run(shared, stream, commands).await;
        }
        Err(error) => {
            shared.media.stop();
            let _ = begun.send(Err(error));
        }
    }
    let _ = finished.send(());
}

impl Live {
    fn send(&mut self, datagram: &Datagram<'_>) {
        let Some(connection) = &self.connection else { return };
        self.scratch.clear();
        datagram.encode(&mut self.scratch);
        // What a connection that is lost or full does not take is late anyway.
        let _ = connection.send_datagram(self.scratch.clone().into());
    }

    fn sound(&mut self, sound: &SoundDatagram<'_>, frame_us: u32, queue: &Queue) {
        let packets = sound.packets.as_slice();
        for (back, packet) in packets.iter().enumerate().rev() {
            // At most eight.
            let back = back as u32;
            let seq = sound.seq.wrapping_sub(back);
            if self.heard.is_some_and(|heard| seq.wrapping_sub(heard).cast_signed() <= 0) {
                continue;
            }
            self.heard = Some(seq);
            let timestamp = sound.timestamp.saturating_sub(u64::from(frame_us) * u64::from(back));
            queue.push(Event::Sound(Sound { seq, timestamp, packet: packet.to_vec() }));
        }
    }
}

impl Shared {
    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to ask for now: what was agreed on last, where something was.
    pub fn hello(&self) -> Hello {
        let mut hello = self.hello.clone();
        if let Some(welcome) = &self.live().welcome {
            hello.mode = welcome.mode;
            hello.app = Some(welcome.app);
        }
        hello
    }

    /// What was agreed on last.
    pub fn welcome(&self) -> Option<Welcome> {
        self.live().welcome.clone()
    }

    /// A connection is ready to play: readies all that counts per connection.
    pub fn begin(&self, connection: &Connection, welcome: &Welcome, secret: Exported) -> Result<(), Error> {
        self.media.begin(self.endpoint.clone(), &self.config, welcome, secret)?;
        *self.live() =
            Live { connection: Some(connection.clone()), welcome: Some(welcome.clone()), ..Live::default() };
        self.endpoint.wake();
        Ok(())
    }

    /// Takes a message of the host in; the code and text of an end.
    pub fn take_in(&self, message: Control) -> Option<(Code, String)> {
        match message {
            Control::Goodbye(no) => {
                let text = if no.text.is_empty() { advice(no.code).to_owned() } else { no.text };
                return Some((no.code, text));
            }
            Control::Refused(no) => {
                self.queue.push(Event::Refused { code: no.code, text: no.text });
            }
            Control::Reconfigured(now) => self.reconfigured(now),
            Control::Access(access) => {
                if let Some(welcome) = &mut self.live().welcome {
                    welcome.access = access;
                }
                self.queue.push(Event::Access(access));
            }
            Control::Apps(apps) => {
                self.queue.push(Event::Apps(apps));
            }
            Control::Clipboard(clipboard) => {
                self.queue.push(Event::Clipboard(clipboard));
            }
            other => {
                let mut live = self.live();
                let Live { effects, found, .. } = &mut *live;
                effects.control(&other, found);
                self.push_effects(found);
            }
        }
        None
    }

    fn reconfigured(&self, now: Reconfigured) {
        if let Some(welcome) = &mut self.live().welcome {
            welcome.epoch = now.epoch;
            welcome.mode = now.mode;
            welcome.codec = now.codec;
            welcome.bitrate_kbps = now.bitrate_kbps;
        }
        self.queue.push(Event::Reconfigured(now));
    }

    /// Takes a QUIC datagram of the host in.
    pub fn take_datagram(&self, datagram: &Datagram<'_>) {
        let mut live = self.live();
        match datagram {
            Datagram::Sound(sound) => {
                let layout = live.welcome.as_ref().and_then(|welcome| welcome.sound.as_ref());
                let frame_us = layout.map_or(0, |layout| layout.frame_us);
                live.sound(sound, frame_us, &self.queue);
            }
            Datagram::HdrMetadata(metadata) => {
                self.queue.push(Event::Hdr(*metadata));
            }
            other => {
                let Live { effects, found, .. } = &mut *live;
                effects.datagram(other, found);
                self.push_effects(found);
            }
        }
    }

    fn push_effects(&self, found: &mut Vec<(u8, Feedback)>) {
        for (pad, effect) in found.drain(..) {
            self.queue.push(Event::Effect { pad, effect });
        }
    }

    /// Says again what may have been lost, and asks after a host that is silent.
    pub fn say_again(&self, connection: &Connection) {
        let now = now();
        let mut live = self.live();
        while let Some(datagram) = live.outbound.poll(now) {
            live.send(&datagram);
        }
        let silent = self.media.last_heard().is_some_and(|heard| now - heard > SILENCE);
        if silent && now - live.asked > ASK_EVERY {
            live.asked = now;
            // A connection that is lost says so elsewhere.
            let _ = connection.send_datagram(NOTHING.to_vec().into());
        }
    }

    pub fn count_comeback(&self) {
        self.comebacks.fetch_add(1, Ordering::Relaxed);
    }

    pub fn count_bad_datagram(&self) {
        self.bad_datagrams.fetch_add(1, Ordering::Relaxed);
    }

    fn stats(&self) -> Stats {
        let live = self.live();
        let (frames_dropped, events_dropped) = self.queue.dropped();
        let quic = live.connection.as_ref().map(Connection::stats);
        Stats {
            media: self.media.stats(),
            round_trip: live.connection.as_ref().map(Connection::rtt),
            quic_lost: quic.map_or(0, |quic| quic.path.lost_packets),
            comebacks: self.comebacks.load(Ordering::Relaxed),
            bad_datagrams: self.bad_datagrams.load(Ordering::Relaxed),
            stray: self.endpoint.stats().stray,
            frames_dropped,
            events_dropped,
        }
    }
}
