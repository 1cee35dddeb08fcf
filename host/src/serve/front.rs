//! What the owner of a running host can see and do: devices, pairing, sessions,
//! applications. The owner's socket and the management API are shells around this one
//! handle; who may call it is their concern, and no port of the clients has it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use punktfunk_core::native::pairing::qr::{Address, Invitation};
use punktfunk_core::native::wire::Access;
use tokio::sync::broadcast;

use super::Shared;
use super::native::{OPEN_FOR, Opened, WindowId};
use super::notice::Notice;
use crate::config::Config;
use crate::session::{ClientId, Figures, LaunchError, Played, Program, Scanned, SeatInfo};
use crate::store::{self, Client, Protocol, Renamed, StoreError};

pub use super::native::{Knock, Terms};

/// Longest name of a device, characters.
pub const MOST_NAME: usize = 60;
/// Longest text that is shown, characters.
pub const MOST_TEXT: usize = 200;
/// Bitrates that a stream can be given, kbit/s.
pub const BITRATES: std::ops::RangeInclusive<u32> = 500..=500_000;

/// The owner's handle on a running host. Cheap to clone; it keeps nothing alive that
/// serves, and answers as well as it can after the host stopped.
#[derive(Clone)]
pub struct Front {
    shared: Arc<Shared>,
}

/// Why something was not done. The message says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrontError {
    /// There is nothing of that name or number, or not any more.
    #[error("{0}")]
    NotFound(String),
    /// Something else stands in the way.
    #[error("{0}")]
    Conflict(String),
    /// A value that cannot be taken.
    #[error("{message}")]
    Invalid {
        /// Which one.
        field: &'static str,
        /// Why.
        message: String,
    },
    /// The client did not have this PIN, or gave up.
    #[error("{0}")]
    WrongPin(String),
    /// The host could not do it; its log says more.
    #[error("{0}")]
    Failed(String),
}

impl FrontError {
    pub(super) fn invalid(field: &'static str, message: impl ToString) -> Self {
        Self::Invalid { field, message: message.to_string() }
    }

    fn failed(error: impl ToString) -> Self {
        Self::Failed(error.to_string())
    }
}

/// A GameStream client that shows a PIN and waits for it to be typed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Names it in [`Front::enter_pin`].
    pub id: u64,
    /// Where it asks from.
    pub address: IpAddr,
    /// First 16 hex digits of the fingerprint of its certificate.
    pub fingerprint: String,
    /// How long it has waited.
    pub waiting: Duration,
}

/// An open window: one native client may pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Names it in [`Front::outcome`].
    pub id: u64,
    /// Six digits, to be typed into the client.
    pub pin: String,
    /// What a QR code of it carries: where and who this host is, and a secret.
    pub payload: String,
    /// When it closes by itself, in seconds since 1970.
    pub closes: u64,
    /// What the client gets.
    pub terms: Terms,
}

/// A paired device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// As it is stored.
    pub client: Client,
    /// It is connected now.
    pub online: bool,
}

/// What runs for a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// The seat and its stream.
    pub seat: SeatInfo,
    /// Whose it is; none when that was revoked meanwhile.
    pub client: Option<Client>,
}

impl Session {
    /// What to call whose it is.
    pub fn name(&self) -> String {
        self.client.as_ref().map_or_else(|| self.seat.client.to_string(), |client| client.name.clone())
    }
}

impl Front {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The settings that this host runs with.
    pub fn config(&self) -> &Arc<Config> {
        &self.shared.config
    }

    /// Hears what changes from now on.
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.shared.notices.listen()
    }
}

/// Devices.
impl Front {
    /// The paired devices, oldest first.
    pub fn devices(&self) -> Vec<Device> {
        let seats = self.shared.supervisor.seats();
        let watches = |id| seats.iter().any(|seat| seat.client == id && seat.stream.is_some());
        let clients = self.shared.store.clients().into_iter();
        clients
            .map(|client| Device {
                online: self.shared.crowd.is_here(client.id) || watches(client.id),
                client,
            })
            .collect()
    }

    /// The device with this name, or the only one whose fingerprint begins with that (at
    /// least four digits).
    ///
    /// # Errors
    /// [`FrontError::NotFound`].
    pub fn find(&self, wanted: &str) -> Result<Device, FrontError> {
        let devices = self.devices();
        let clients: Vec<Client> = devices.iter().map(|device| device.client.clone()).collect();
        let id = store::find(&clients, wanted).map_err(FrontError::NotFound)?.id;
        devices.into_iter().find(|device| device.client.id == id).ok_or_else(|| gone(wanted))
    }

    /// The device with exactly this fingerprint, 64 hex digits.
    ///
    /// # Errors
    /// [`FrontError::NotFound`].
    pub fn device(&self, fingerprint: &str) -> Result<Device, FrontError> {
        let mut devices = self.devices().into_iter();
        let wanted = fingerprint.to_ascii_lowercase();
        devices.find(|device| device.client.fingerprint() == wanted).ok_or_else(|| {
            FrontError::NotFound("no such device is paired: the list shows them all".to_owned())
        })
    }

    /// Calls a device something else.
    ///
    /// # Errors
    /// [`FrontError::Conflict`] when another has that name, [`FrontError::Invalid`] when it
    /// is empty, longer than [`MOST_NAME`] characters or has control characters.
    pub async fn rename(&self, id: ClientId, name: &str) -> Result<Client, FrontError> {
        let name = device_name(name)?;
        let (store, wanted) = (self.shared.store.clone(), name.clone());
        match blocking(move || store.rename(id, &wanted)).await? {
            Renamed::Done(client) => {
                self.tell_of(&client);
                Ok(client)
            }
            Renamed::Taken => {
                Err(FrontError::Conflict(format!("another device is called {name:?}: choose another name")))
            }
            Renamed::Unknown => Err(gone(&id.to_string())),
        }
    }

    /// Lets a device do this from now on.
    ///
    /// # Errors
    /// [`FrontError::Invalid`] when it speaks GameStream, or when anything is allowed but
    /// not [`Access::VIEW`].
    pub async fn set_access(&self, id: ClientId, access: Access) -> Result<Client, FrontError> {
        let client = self.client(id)?;
        if client.protocol == Protocol::GameStream {
            let message = format!(
                "{:?} speaks GameStream, which knows all or nothing: revoke it, or let it expire",
                client.name
            );
            return Err(FrontError::invalid("access", message));
        }
        checked(access)?;
        self.change(id, move |store| store.set_access(id, access)).await
    }

    /// Trusts a device until then, in seconds since 1970, or until it is revoked.
    ///
    /// # Errors
    /// [`FrontError::NotFound`].
    pub async fn set_expiry(&self, id: ClientId, expires: Option<u64>) -> Result<Client, FrontError> {
        self.change(id, move |store| store.set_expiry(id, expires)).await
    }

    /// Unpairs a device: its connections are closed at once, then what runs for it ends.
    ///
    /// # Errors
    /// [`FrontError::NotFound`].
    pub async fn revoke(&self, id: ClientId) -> Result<Client, FrontError> {
        let client = self.client(id)?;
        let store = self.shared.store.clone();
        if !blocking(move || store.revoke(id)).await? {
            return Err(gone(&client.name));
        }
        // Connections first: they are closed at once, while ending programs may take a while.
        let _ = self.shared.changed.send(id);
        self.shared.notices.tell(Notice::Devices);
        self.shared.supervise(move |supervisor| supervisor.revoke(id)).await;
        tracing::info!(client = %id, name = client.name, "client revoked");
        Ok(client)
    }

    fn client(&self, id: ClientId) -> Result<Client, FrontError> {
        let clients = self.shared.store.clients();
        clients.into_iter().find(|client| client.id == id).ok_or_else(|| gone(&id.to_string()))
    }

    async fn change<F>(&self, id: ClientId, edit: F) -> Result<Client, FrontError>
    where
        F: FnOnce(&store::Store) -> Result<Option<Client>, StoreError> + Send + 'static,
    {
        let store = self.shared.store.clone();
        let changed = blocking(move || edit(&store)).await?.ok_or_else(|| gone(&id.to_string()))?;
        self.tell_of(&changed);
        Ok(changed)
    }

    /// Tells the connections of a client, and whoever shows it.
    fn tell_of(&self, changed: &Client) {
        let _ = self.shared.changed.send(changed.id);
        self.shared.notices.tell(Notice::Devices);
        tracing::info!(
            client = changed.name,
            access = store::access_text(changed.access),
            expires = changed.expires,
            "client changed"
        );
    }
}

/// Pairing.
impl Front {
    /// The GameStream clients that wait for a PIN, oldest first; with `wait`, at least one.
    pub async fn attempts(&self, wait: bool) -> Vec<Attempt> {
        self.shared.desk.waiting(wait).await
    }

    /// Types the PIN that a waiting client shows, and waits for the end of its pairing.
    /// An empty `name` is replaced by one made from its fingerprint.
    ///
    /// # Errors
    /// [`FrontError::NotFound`], [`FrontError::Invalid`] for what is no PIN (the client
    /// waits on), [`FrontError::WrongPin`] (it does not).
    pub async fn enter_pin(&self, attempt: u64, pin: &str, name: &str) -> Result<Client, FrontError> {
        self.shared.desk.enter_pin(attempt, pin, name).await
    }

    /// Sends a waiting client away.
    ///
    /// # Errors
    /// [`FrontError::NotFound`].
    pub fn refuse_attempt(&self, attempt: u64) -> Result<(), FrontError> {
        self.shared.desk.refuse(attempt)
    }

    /// Lets one native client pair; a window that was open is closed.
    ///
    /// # Errors
    /// [`FrontError::Invalid`] for terms that cannot be.
    pub fn open_window(&self, terms: Terms) -> Result<Window, FrontError> {
        checked(terms.access)?;
        let terms = Terms { name: terms.name.as_deref().map(device_name).transpose()?, ..terms };
        let opened = self.shared.windows.open(terms);
        // Nobody else notices that its time is over.
        let notices = self.shared.notices.clone();
        tokio::spawn(async move {
            tokio::time::sleep(OPEN_FOR).await;
            notices.tell(Notice::Pairing);
        });
        Ok(self.shown(opened))
    }

    /// The window that is open now.
    pub fn window(&self) -> Option<Window> {
        self.shared.windows.current().map(|opened| self.shown(opened))
    }

    /// Closes the window that is open now.
    ///
    /// # Errors
    /// [`FrontError::NotFound`] when none is.
    pub fn close_window(&self) -> Result<(), FrontError> {
        let opened = self.shared.windows.current();
        let opened = opened.ok_or_else(|| FrontError::NotFound("no window is open".to_owned()))?;
        self.shared.windows.close(opened.id);
        Ok(())
    }

    /// Waits until this window closes: who came through it. Closes it when dropped.
    ///
    /// # Errors
    /// [`FrontError::Conflict`]: why nobody did.
    pub async fn outcome(&self, window: u64) -> Result<Client, FrontError> {
        self.shared.windows.outcome(WindowId(window)).await.map_err(FrontError::Conflict)
    }

    /// The native clients that are not paired and tried to connect within the hour,
    /// oldest first.
    pub fn knocks(&self) -> Vec<Knock> {
        self.shared.door.list()
    }

    /// Pairs a client that knocked, by the key that it proved to hold. Without a name in
    /// `terms` it is called what it calls itself.
    ///
    /// # Errors
    /// [`FrontError::NotFound`], [`FrontError::Invalid`] for terms that cannot be.
    pub async fn approve(&self, id: ClientId, terms: Terms) -> Result<Client, FrontError> {
        checked(terms.access)?;
        let name = terms.name.as_deref().map(device_name).transpose()?;
        let knock = self.shared.door.take(id).ok_or_else(no_knock)?;
        let (store, name) = (self.shared.store.clone(), name.unwrap_or(knock.name));
        let client = blocking(move || store.pair_native(id, &name, terms.access, terms.expires)).await?;
        let _ = self.shared.changed.send(id);
        self.shared.notices.tell(Notice::Devices);
        tracing::info!(client = %client.id, name = client.name, "client approved by the owner");
        Ok(client)
    }

    /// Does not show a client that knocked for a day.
    ///
    /// # Errors
    /// [`FrontError::NotFound`].
    pub fn refuse(&self, id: ClientId) -> Result<(), FrontError> {
        if self.shared.door.refuse(id) { Ok(()) } else { Err(no_knock()) }
    }

    fn shown(&self, opened: Opened) -> Window {
        let invitation = Invitation {
            addresses: addresses(&self.shared.config),
            fingerprint: self.shared.store.native_identity().hash(),
            secret: opened.secret,
            name: self.shared.name(),
        };
        let closes = opened.closes.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Window {
            id: opened.id.0,
            pin: opened.pin.to_string(),
            payload: invitation.to_string(),
            closes: closes.as_secs(),
            terms: opened.terms,
        }
    }
}

/// Sessions and applications.
impl Front {
    /// What runs for whom, oldest first.
    pub fn sessions(&self) -> Vec<Session> {
        let clients = self.shared.store.clients();
        let session = |seat: SeatInfo| Session {
            client: clients.iter().find(|client| client.id == seat.client).cloned(),
            seat,
        };
        self.shared.supervisor.seats().into_iter().map(session).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// [`FrontError::NotFound`].
    pub fn session(&self, id: u64) -> Result<Session, FrontError> {
        let found = self.sessions().into_iter().find(|session| session.seat.id == id);
        found.ok_or_else(|| FrontError::NotFound("this session is over".to_owned()))
    }

    /// Ends an application and whatever shows it; its client is told.
    ///
    /// # Errors
    /// [`FrontError::NotFound`].
    pub async fn end(&self, id: u64) -> Result<Session, FrontError> {
        let session = self.session(id)?;
        self.shared.supervise(move |supervisor| supervisor.end(id)).await;
        tracing::info!(client = session.name(), app = session.seat.title, "ended by the owner");
        Ok(session)
    }

    /// The numbers of what is watched now, by session.
    pub async fn figures(&self) -> Vec<(u64, Figures)> {
        self.shared.supervise(|supervisor| supervisor.figures()).await.unwrap_or_default()
    }

    /// The streams of late that are over, oldest first.
    pub fn played(&self) -> Vec<Played> {
        self.shared.store.played()
    }

    /// Shows a text on the screen of a session for some seconds.
    ///
    /// # Errors
    /// [`FrontError::NotFound`], [`FrontError::Invalid`] when it is empty or longer than
    /// [`MOST_TEXT`] characters.
    pub async fn message(&self, id: u64, text: &str) -> Result<(), FrontError> {
        let text = text.trim().to_owned();
        if text.is_empty() || text.chars().count() > MOST_TEXT {
            return Err(FrontError::invalid("text", format!("a text has 1 to {MOST_TEXT} characters")));
        }
        self.session(id)?;
        self.told(move |supervisor| supervisor.message(id, &text)).await
    }

    /// Lets the stream of a session have so many kbit/s at most.
    ///
    /// # Errors
    /// [`FrontError::NotFound`], [`FrontError::Conflict`] when its client is away,
    /// [`FrontError::Invalid`].
    pub async fn set_bitrate(&self, id: u64, kbps: u32) -> Result<Session, FrontError> {
        if !BITRATES.contains(&kbps) {
            let (least, most) = (BITRATES.start(), BITRATES.end());
            return Err(FrontError::invalid("bitrate_kbps", format!("choose {least} to {most} kbit/s")));
        }
        if self.session(id)?.seat.stream.is_none() {
            return Err(FrontError::Conflict("nobody watches this session now".to_owned()));
        }
        self.told(move |supervisor| supervisor.set_bitrate(id, kbps)).await?;
        self.session(id)
    }

    /// Asks the sessions something that may be refused.
    async fn told<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn crate::session::Supervisor) -> Result<T, LaunchError> + Send + 'static,
    ) -> Result<T, FrontError> {
        let answer = self.shared.supervise(call).await;
        let answer =
            answer.ok_or_else(|| FrontError::Failed("the host failed; its log says why".to_owned()))?;
        answer.map_err(|error| match error {
            LaunchError::UnknownApp(_) | LaunchError::NothingToResume => {
                FrontError::NotFound(error.to_string())
            }
            LaunchError::Busy(_) => FrontError::Conflict(error.to_string()),
            error => FrontError::failed(error),
        })
    }

    /// Every application, in the order clients show them, those they do not see as well.
    pub fn programs(&self) -> Vec<Program> {
        self.shared.supervisor.programs()
    }

    /// The ids of those that run, oldest first.
    pub fn running_apps(&self) -> Vec<u32> {
        self.shared.supervisor.running_apps()
    }

    /// Looks again at what is installed.
    ///
    /// # Errors
    /// [`FrontError::Failed`].
    pub async fn scan(&self) -> Result<Scanned, FrontError> {
        let scanned = self.shared.supervise(|supervisor| supervisor.scan()).await;
        scanned.ok_or_else(|| FrontError::Failed("the host failed; its log says why".to_owned()))
    }
}

/// A name as it is stored, or why it cannot be.
fn device_name(name: &str) -> Result<String, FrontError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MOST_NAME || name.chars().any(char::is_control) {
        let message = format!("a name has 1 to {MOST_NAME} characters, none of them a control character");
        return Err(FrontError::invalid("name", message));
    }
    Ok(name.to_owned())
}

/// An access that can be given: who may do anything may look, too.
fn checked(access: Access) -> Result<(), FrontError> {
    if access != Access::NONE && !access.contains(Access::VIEW) {
        let message = "without `view` there is no session: add it, or allow nothing";
        return Err(FrontError::invalid("access", message));
    }
    Ok(())
}

fn no_knock() -> FrontError {
    FrontError::NotFound("this client has not tried to connect within the hour: try again there".to_owned())
}

fn gone(who: &str) -> FrontError {
    FrontError::NotFound(format!("{who:?} was just revoked"))
}

/// Does what writes to the disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, FrontError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(FrontError::failed)?;
    done.map_err(FrontError::failed)
}

/// Where a client finds this host.
fn addresses(config: &Config) -> Vec<Address> {
    super::reach::addresses(config.native.bind)
        .into_iter()
        .map(|address| Address { host: address.to_string(), port: config.native_port() })
        .collect()
}
