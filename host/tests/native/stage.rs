//! A host whose sessions are played by a fake, and clients that speak to it over QUIC.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use punktfunk_core::gamestream::sdp::StreamConfig;
use punktfunk_core::input::pad::Feedback;
use punktfunk_core::native::keys::{Aead, Direction};
use punktfunk_core::native::pairing::client::{Next, Pairing};
use punktfunk_core::native::pairing::{Channel, EXPORTER_PAIRING, Password};
use punktfunk_core::native::wire::control::{
    Control, Hello, Reader, Reconfigure, Reconfigured, Start, Welcome,
};
use punktfunk_core::native::wire::datagram::Sound;
use punktfunk_core::native::wire::{self, Access, Code, Codec, Mode, VERSION};
use punktfunk_host::api::{Api, Clock};
use punktfunk_host::config::{Config, Native, Ports, Settings};
use punktfunk_host::library::Library;
use punktfunk_host::serve::owner::{Answer, Owner, Request, socket_path};
use punktfunk_host::serve::{self, Context, Front, Inside, Options, Running};
use punktfunk_host::session::{
    Catalogue as _, ClientId, ControlEvent, LaunchError, LaunchRequest, NativeRequest, NativeStarted,
    OpenControl, Pending, Program, Reason, SessionId, Supervisor, Voice,
};
use punktfunk_host::store::{PLAY, Store};
use punktfunk_net::{Route, bind_udp_to};
use punktfunk_quic::{
    ConnectError, Connection, ConnectionError, Endpoint, Identity, Peer, RecvStream, SendStream, export,
};
use tokio::sync::mpsc;

use crate::support::{Dir, free_base};

/// Longer than anything may take on a busy machine; nothing waits so long when it works.
pub const LONG: Duration = Duration::from_secs(60);

/// Waits for something that has to happen.
pub async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(LONG, what).await.expect("it did not happen")
}

/// Who a session is for, and how it speaks to that client.
type Spoken = (ClientId, Arc<dyn Voice>);

/// Sessions that only note what is asked of them.
pub struct Fake {
    notes: mpsc::UnboundedSender<String>,
    voices: Mutex<BTreeMap<u64, Spoken>>,
    next: AtomicU64,
}

impl Fake {
    fn note(&self, note: String) {
        // The test may be over.
        let _ = self.notes.send(note);
    }

    /// How a session speaks to its client.
    pub fn voice(&self, id: u64) -> Arc<dyn Voice> {
        self.voices.lock().unwrap()[&id].1.clone()
    }
}

impl Supervisor for Fake {
    fn launch(&self, _: LaunchRequest) -> Result<Pending, LaunchError> {
        Err(LaunchError::NothingToResume)
    }

    fn resume(&self, _: LaunchRequest) -> Result<Pending, LaunchError> {
        Err(LaunchError::NothingToResume)
    }

    fn cancel(&self, _: ClientId) -> Result<(), LaunchError> {
        self.note("cancel".to_owned());
        Ok(())
    }

    fn revoke(&self, client: ClientId) {
        self.note(format!("revoke {}", client.0[0]));
    }

    fn running_app(&self, _: ClientId) -> Option<u32> {
        None
    }

    fn running_apps(&self) -> Vec<u32> {
        Vec::new()
    }

    fn programs(&self) -> Vec<Program> {
        Config::default().apps.programs()
    }

    fn pending(&self) -> Vec<Pending> {
        Vec::new()
    }

    fn announce(&self, _: SessionId, _: StreamConfig) -> Result<(), LaunchError> {
        Err(LaunchError::NothingToResume)
    }

    fn play(&self, id: SessionId) -> Result<(), LaunchError> {
        self.note(format!("play {}", id.0));
        Ok(())
    }

    fn open_control(&self, _: u32, _: SocketAddr) -> Option<OpenControl> {
        None
    }

    fn control(&self, id: SessionId, event: ControlEvent) {
        self.note(format!("{} {event:?}", id.0));
    }

    fn start_native(&self, request: NativeRequest) -> Result<NativeStarted, LaunchError> {
        match request.hello.app {
            Some(99) => return Err(LaunchError::UnknownApp(99)),
            Some(98) => panic!("a supervisor that fails"),
            _ => {}
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut voices = self.voices.lock().unwrap();
        for (old, (client, voice)) in voices.iter() {
            if *client == request.client {
                voice.end(SessionId(*old), Reason::Replaced);
            }
        }
        voices.insert(id, (request.client, request.link.voice.clone()));
        self.note(format!("start {id} {} {}", request.client_name, request.access));
        Ok(NativeStarted {
            id: SessionId(id),
            session: wire::SessionId([9; 16]),
            epoch: 3,
            mode: request.hello.mode,
            codec: Codec::H264,
            bitrate_kbps: request.hello.bitrate_kbps,
            sound: None,
            payload: 1200,
            mic: request.hello.mic,
            pads: request.hello.pads,
            app: 1,
            resumed: request.hello.resume.is_some(),
        })
    }

    fn reconfigure(&self, id: SessionId, wish: &Reconfigure) -> Result<Reconfigured, LaunchError> {
        self.note(format!("reconfigure {} {:?}", id.0, wish.width));
        let mode = Mode { width: wish.width.unwrap_or(1280), height: 720, refresh_mhz: 60_000 };
        let text = String::new();
        Ok(Reconfigured { epoch: 4, mode, codec: Codec::H264, bitrate_kbps: 10_000, text })
    }

    fn media(&self, datagram: &[u8], _: Route) {
        self.note(format!("media {datagram:?}"));
    }

    fn microphone(&self, id: SessionId, sound: &Sound<'_>) {
        self.note(format!("microphone {} {}", id.0, sound.seq));
    }

    fn set_access(&self, id: SessionId, access: Access) {
        self.note(format!("access {} {access}", id.0));
    }
}

/// A host that serves only punktfunk/1.
pub struct Stage {
    pub store: Arc<Store>,
    pub sessions: Arc<Fake>,
    pub notes: mpsc::UnboundedReceiver<String>,
    pub port: u16,
    /// What the owner's browser would ask.
    pub api: Api,
    running: Option<Running>,
    base: u16,
    dir: Dir,
}

impl Stage {
    pub fn new() -> Self {
        Self::with(Native::default())
    }

    pub fn with(native: Native) -> Self {
        let dir = Dir::new();
        let base = free_base();
        let store = Arc::new(Store::open(&dir.path().join("state")).unwrap());
        let config = Config {
            name: "a host".to_owned(),
            ports: Ports::new(base).unwrap(),
            native,
            ..Config::default()
        };
        let port = config.native_port();
        let settings = Arc::new(Settings::fixed(config));
        let context = Context {
            config: settings.current(),
            settings,
            store: store.clone(),
            runtime: dir.path().to_owned(),
            gamestream: false,
        };
        let (sender, notes) = mpsc::unbounded_channel();
        let sessions = Arc::new(Fake { notes: sender, voices: Mutex::default(), next: AtomicU64::new(1) });
        let made = Arc::<Mutex<Option<Api>>>::default();
        let taken = made.clone();
        let console = Box::new(move |inside: Inside, tasks: &mut tokio::task::JoinSet<()>| {
            let library = Library::open(&inside.context.config, inside.context.store.dir())?;
            let api = Api::new(inside, library, Clock::system())?;
            api.work(tasks);
            *taken.lock().unwrap() = Some(api);
            Ok(())
        });
        let options = Options { console: Some(console), ..Options::default() };
        let running = serve::start(&context, sessions.clone(), options).unwrap();
        let api = made.lock().unwrap().take().unwrap();
        Self { store, sessions, notes, port, api, running: Some(running), base, dir }
    }

    /// The next thing asked of the sessions.
    pub async fn note(&mut self) -> String {
        soon(self.notes.recv()).await.unwrap()
    }

    pub fn owner(&self) -> Owner {
        Owner::connect(&socket_path(self.dir.path(), self.base)).unwrap()
    }

    /// Asks as the owner.
    pub async fn ask(&self, request: Request) -> Result<Answer, String> {
        let mut owner = self.owner();
        let asked = tokio::task::spawn_blocking(move || owner.ask(&request));
        soon(asked).await.unwrap().map_err(|error| error.to_string())
    }

    /// Opens a window for pairing: its number, PIN and payload.
    pub async fn open_window(&self) -> (u64, String, String) {
        let request = Request::OpenWindow { name: None, access: "play".to_owned(), expires: None };
        match self.ask(request).await.unwrap() {
            Answer::Window { window, pin, payload, .. } => (window, pin, payload),
            other => panic!("{other:?}"),
        }
    }

    /// A client that is paired already.
    pub async fn paired(&self, name: &str) -> Player {
        let identity = identity();
        self.store.pair_native(ClientId(identity.hash()), name, PLAY, None).unwrap();
        self.connect(&identity).await
    }

    pub async fn connect(&self, identity: &Identity) -> Player {
        self.connect_to(SocketAddr::from(([127, 0, 0, 1], self.port)), identity).await
    }

    pub async fn connect_to(&self, address: SocketAddr, identity: &Identity) -> Player {
        self.try_connect(address, identity).await.unwrap()
    }

    pub async fn try_connect(
        &self,
        address: SocketAddr,
        identity: &Identity,
    ) -> Result<Player, ConnectError> {
        let (endpoint, connection) = self.meet(address, identity).await?;
        let (send, receive) = soon(connection.open_bi()).await.unwrap();
        let (id, host) = (identity.hash(), self.store.native_identity().hash());
        Ok(Player {
            endpoint,
            connection,
            send,
            receive,
            id,
            host,
            reader: Reader::new(Direction::ToClient),
            rest: Vec::new(),
        })
    }

    /// A connection on which nothing is said, not even that something will be.
    pub async fn meet(
        &self,
        address: SocketAddr,
        identity: &Identity,
    ) -> Result<(Endpoint, Connection), ConnectError> {
        let any = SocketAddr::new(address.ip(), 0);
        let socket = bind_udp_to(any, false).unwrap();
        let deaf = Arc::new(|_: &mut [u8], _: Peer| {});
        let endpoint = Endpoint::client(socket, identity, deaf).unwrap();
        let host = self.store.native_identity().hash();
        let connection = soon(endpoint.connect(address, Some(host))).await?;
        Ok((endpoint, connection))
    }

    /// What the owner can see and do.
    pub fn front(&self) -> Front {
        self.running.as_ref().expect("it runs").front().clone()
    }

    /// The port that GameStream would have.
    pub fn http(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.base))
    }

    pub async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            soon(running.stop()).await;
        }
    }
}

/// A new identity.
pub fn identity() -> Identity {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
    Identity::from_der(certificate.der(), &key.serialize_der()).unwrap()
}

/// How a connection ended.
pub async fn closed(connection: &Connection) -> (Code, String) {
    match soon(connection.closed()).await {
        ConnectionError::ApplicationClosed(close) => {
            let text = String::from_utf8_lossy(&close.reason).into_owned();
            (Code::from_number(close.error_code.into_inner()), text)
        }
        other => panic!("{other}"),
    }
}

/// What a plain client wants.
pub fn hello() -> Hello {
    Hello {
        versions: vec![VERSION],
        name: "a client".to_owned(),
        app: None,
        resume: None,
        mode: Mode { width: 1280, height: 720, refresh_mhz: 60_000 },
        codecs: vec![Codec::H264],
        bitrate_kbps: 10_000,
        channels: 2,
        aeads: vec![Aead::Aes128Gcm],
        payload: 1400,
        mic: true,
        pads: 1,
        launch: true,
        local_sound: false,
    }
}

/// A client.
pub struct Player {
    pub endpoint: Endpoint,
    pub connection: Connection,
    pub send: SendStream,
    pub receive: RecvStream,
    id: [u8; 32],
    host: [u8; 32],
    reader: Reader,
    rest: Vec<u8>,
}

impl Player {
    pub async fn say(&mut self, message: Control) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes).unwrap();
        self.raw(&bytes).await;
    }

    /// Bytes as they are; the host may have closed already.
    pub async fn raw(&mut self, bytes: &[u8]) {
        let _ = soon(self.send.write_all(bytes)).await;
    }

    /// The next message, or how the connection ended.
    pub async fn hear(&mut self) -> Result<Control, (Code, String)> {
        loop {
            let mut rest = &self.rest[..];
            let message = self.reader.read(&mut rest).unwrap();
            self.rest = rest.to_vec();
            if let Some(message) = message {
                return Ok(message);
            }
            match soon(self.receive.read_chunk(4096, true)).await {
                Ok(Some(chunk)) => self.rest.extend_from_slice(&chunk.bytes),
                Ok(None) | Err(_) => return Err(self.closed().await),
            }
        }
    }

    /// How the connection ended.
    pub async fn closed(&self) -> (Code, String) {
        closed(&self.connection).await
    }

    /// Refused or a goodbye with this code, and the close that follows it.
    pub async fn ends_with(&mut self, code: Code) -> String {
        let text = loop {
            match self.hear().await {
                Ok(Control::Refused(said)) => break (said.code, said.text),
                Ok(Control::Goodbye(said)) => break (said.code, said.text),
                Ok(_) => {}
                Err(closed) => break closed,
            }
        };
        assert_eq!(text.0, code, "{}", text.1);
        assert_eq!(self.closed().await.0, code);
        text.1
    }

    /// Pairs as far as the host goes along: what it allows, or the code it refused with.
    pub async fn pair(&mut self, password: Password) -> Result<Access, Code> {
        let label = std::str::from_utf8(EXPORTER_PAIRING).unwrap();
        let exporter = export(&self.connection, label, &[]).unwrap();
        let channel = Channel { client: self.id, host: self.host, exporter };
        let mut random = |out: &mut [u8]| aws_lc_rs::rand::fill(out).unwrap();
        let (mut pairing, start) = Pairing::new(&channel, &password, "deck", &mut random);
        self.say(Control::PairStart(start)).await;
        loop {
            let message = match self.hear().await {
                Ok(Control::Refused(refused)) => return Err(refused.code),
                Ok(message) => message,
                Err((code, _)) => return Err(code),
            };
            match pairing.take(&message).unwrap() {
                Next::Send(confirm) => self.say(Control::PairConfirm(confirm)).await,
                Next::Paired(paired) => {
                    assert_eq!(paired.host, self.host);
                    return Ok(paired.access);
                }
            }
        }
    }

    /// Says Hello and Start; what it was welcomed with.
    pub async fn play(&mut self) -> Welcome {
        self.say(Control::Hello(hello())).await;
        let Ok(Control::Welcome(welcome)) = self.hear().await else { panic!("not welcome") };
        self.say(Control::Start(Start { epoch: welcome.epoch })).await;
        welcome
    }
}

/// What a pad is to do.
pub const RUMBLE: Feedback = Feedback::Rumble { low: 7, high: 9 };
