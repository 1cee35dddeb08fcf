//! One session's control task: what the host says becomes events, what the user does
//! goes to the host, and a lost connection is looked for again.

use std::sync::Arc;
use std::time::Duration;

use punktfunk_core::native::keys::{Direction, EXPORTER_MEDIA, Exported};
use punktfunk_core::native::wire::control::{Goodbye, Hello, Start, Welcome};
use punktfunk_core::native::wire::{Code, Control, Datagram, SessionId, VERSION};
use punktfunk_quic::export;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::control::{Stream, ended, refused};
use crate::error::{Error, advice};
use crate::event::Event;
use crate::session::Shared;

/// How often is looked after what has to be said again.
const TICK: Duration = Duration::from_millis(50);
/// The first attempts to come back are short, because the host may be there the next
/// moment; later ones have time for a slow path.
const FIRST_ATTEMPT: Duration = Duration::from_millis(800);
const LAST_ATTEMPT: Duration = Duration::from_secs(5);
/// Between attempts that failed at once.
const PAUSE: Duration = Duration::from_millis(100);
/// The host may take so long to take in what it was told.
const STUCK: Duration = Duration::from_secs(5);
/// The goodbye is given so long to arrive.
const PARTING: Duration = Duration::from_millis(300);

/// What the user wants of the control task.
#[derive(Debug)]
pub(crate) enum Command {
    Say(Control),
    Close,
}

/// Why a connection is not driven any more.
enum End {
    /// Somebody ended it.
    Over(Code, String),
    /// It broke.
    Lost(String),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused { code, text } if text.is_empty() => Self::Over(code, advice(code).to_owned()),
            Error::Refused { code, text } => Self::Over(code, text),
            Error::Protocol(text) => Self::Over(Code::BadMessage, text),
            other => Self::Lost(other.to_string()),
        }
    }
}

/// Plays until the end, and says it.
pub(crate) async fn run(shared: Arc<Shared>, mut stream: Stream, mut commands: Receiver<Command>) {
    let (code, text) = loop {
        match drive(&shared, &mut stream, &mut commands).await {
            End::Over(code, text) => break (code, text),
            End::Lost(text) => {
                shared.queue.push(Event::Interrupted { text });
                match come_back(&shared, &mut commands).await {
                    Ok(back) => stream = back,
                    Err((code, text)) => break (code, text),
                }
            }
        }
    };
    shared.media.stop();
    shared.endpoint.close(0, "");
    // The host learns of it, or its time-out tells it.
    let _ = timeout(PARTING, shared.endpoint.wait_idle()).await;
    shared.queue.push(Event::Ended { code, text });
}

async fn drive(shared: &Shared, stream: &mut Stream, commands: &mut Receiver<Command>) -> End {
    let connection = stream.connection.clone();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = stream.hear() => match message {
                Ok(message) => if let Some((code, text)) = shared.take_in(message) {
                    return End::Over(code, text);
                },
                Err(error) => {
                    if matches!(error, Error::Protocol(_)) {
                        stream.close(Code::BadMessage);
                    }
                    return error.into();
                }
            },
            datagram = connection.read_datagram() => match datagram {
                Ok(bytes) => match Datagram::parse(Direction::ToClient, &bytes) {
                    Ok(datagram) => shared.take_datagram(&datagram),
                    Err(_) => shared.count_bad_datagram(),
                },
                Err(error) => return ended(&error).into(),
            },
            command = commands.recv() => match command {
                Some(Command::Say(message)) => {
                    match timeout(STUCK, stream.say(&message)).await {
                        Ok(Ok(())) => {}
                        // It could not be said at all; the session goes on without.
                        Ok(Err(Error::Protocol(reason))) => {
                            shared.queue.push(Event::Refused { code: Code::BadMessage, text: reason });
                        }
                        Ok(Err(error)) => return error.into(),
                        Err(_) => return End::Lost("the host takes nothing in".to_owned()),
                    }
                }
                Some(Command::Close) | None => {
                    let goodbye = Control::Goodbye(Goodbye { code: Code::None, text: String::new() });
                    // The close that follows says the same.
                    let _ = timeout(PARTING, stream.say(&goodbye)).await;
                    stream.close(Code::None);
                    return End::Over(Code::None, "closed".to_owned());
                }
            },
            _ = tick.tick() => shared.say_again(&connection),
        }
    }
}

async fn come_back(shared: &Arc<Shared>, commands: &mut Receiver<Command>) -> Result<Stream, (Code, String)> {
    let deadline = Instant::now() + shared.config.patience;
    let mut resume = shared.welcome().map(|welcome| welcome.session);
    let mut limit = FIRST_ATTEMPT;
    loop {
        let attempt = tokio::select! {
            attempt = timeout(limit, establish(shared, resume)) => attempt.unwrap_or(Err(Error::TimedOut)),
            () = closing(commands) => return Err((Code::None, "closed".to_owned())),
        };
        limit = (limit * 5 / 4).min(LAST_ATTEMPT);
        let error = match attempt {
            Ok((stream, welcome)) => {
                shared.count_comeback();
                shared.queue.push(Event::Resumed(Box::new(welcome)));
                return Ok(stream);
            }
            Err(error) => error,
        };
        if error.code() == Some(Code::NoSuchSession) && resume.is_some() {
            // The host was started anew: a new session of the same application.
            resume = None;
        } else if !error.may_pass() {
            return Err((error.code().unwrap_or(Code::Failed), error.to_string()));
        }
        if Instant::now() >= deadline {
            return Err((Code::Timeout, error.to_string()));
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = closing(commands) => return Err((Code::None, "closed".to_owned())),
        }
    }
}

/// Throws away what is said to nobody, until the user wants to close.
async fn closing(commands: &mut Receiver<Command>) {
    while let Some(Command::Say(_)) = commands.recv().await {}
}

/// From nothing to media: connects, says what is wanted, readies the media plane, starts.
pub(crate) async fn establish(
    shared: &Shared,
    resume: Option<SessionId>,
) -> Result<(Stream, Welcome), Error> {
    let config = &shared.config;
    let mut stream = Stream::open(&shared.endpoint, config.address, config.host).await?;
    let hello = Hello { resume, ..shared.hello() };
    stream.say(&Control::Hello(hello.clone())).await?;
    let welcome = loop {
        match stream.hear_within(config.timeout).await? {
            Control::Welcome(welcome) => break welcome,
            Control::Refused(no) => return Err(refused(no)),
            Control::Goodbye(no) => return Err(Error::Refused { code: no.code, text: no.text }),
            // Anything else may be said at any time.
            _ => {}
        }
    };
    fits(&hello, &welcome)?;
    let secret = export(&stream.connection, EXPORTER_MEDIA, &welcome.media.0)
        .map_err(|error| Error::Lost(error.to_string()))?;
    shared.begin(&stream.connection, &welcome, Exported::new(secret))?;
    stream.say(&Control::Start(Start { epoch: welcome.epoch })).await?;
    Ok((stream, welcome))
}

/// A host may choose, but only among what was offered.
fn fits(hello: &Hello, welcome: &Welcome) -> Result<(), Error> {
    let wrong = |what: &str| Err(Error::Protocol(format!("{what} was not offered")));
    if welcome.version != VERSION {
        return wrong("the version");
    }
    if !hello.codecs.contains(&welcome.codec) {
        return wrong("the codec");
    }
    if !hello.aeads.contains(&welcome.aead) {
        return wrong("the cipher");
    }
    if welcome.payload > hello.payload {
        return wrong("the size of datagrams");
    }
    Ok(())
}
