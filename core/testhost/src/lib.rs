//! A small host on 127.0.0.1, made of core's machines and core/quic: it pairs, welcomes,
//! sends the frames that a test gives it, and tells what it heard. The tests of
//! `core/client` and `core/capi` play against it; nothing that is shipped uses it.
//!
//! It serves tests, so what cannot be is a panic here.
#![forbid(unsafe_code)]

mod media;

use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use punktfunk_core::native::keys::{Direction, EXPORTER_MEDIA, Exported};
use punktfunk_core::native::pairing::host::{Next, Offer, Pairing};
use punktfunk_core::native::pairing::{Channel, EXPORTER_PAIRING};
use punktfunk_core::native::wire::control::{
    AppEntry, Apps, Goodbye, Hello, Reader, Reconfigured, Refused, SoundLayout, Welcome,
};
use punktfunk_core::native::wire::input::{Inbound, Input};
use punktfunk_core::native::wire::{Access, Code, Control, Datagram, MediaId, SessionId, VERSION};
use punktfunk_core::time::Time;
use punktfunk_net::bind_udp_to;
pub use punktfunk_quic::Connection;
use punktfunk_quic::{Accepted, Endpoint, Identity, RecvStream, SendStream, export};
use tokio::runtime::Runtime;

pub use media::Planes;

/// Longer than anything takes; only a test that fails waits so long.
pub const LONG: Duration = Duration::from_secs(60);

/// What a test host does.
#[derive(Clone, Default)]
pub struct Settings {
    /// What it pairs by.
    pub offer: Offer,
    /// It says this to every Hello.
    pub refuse: Option<(Code, &'static str)>,
    /// It knows no client.
    pub stranger: bool,
}

/// What a test host heard.
#[derive(Debug)]
pub enum Heard {
    /// A client can take media now.
    Started(Connection),
    /// Input, as it is read.
    Input(Input),
    /// Any other message of the control stream.
    Message(Control),
    /// The newest packet of the microphone.
    Microphone(Vec<u8>),
    /// A client of this identity proved that it knows PIN or secret.
    Paired([u8; 32]),
    /// Nobody did, and why.
    PairingFailed(punktfunk_core::native::pairing::Error),
}

/// The host. Dropping it is killing it: nothing says goodbye.
pub struct Host {
    /// Who it is.
    pub identity: Identity,
    /// Where it is.
    pub address: SocketAddr,
    /// What it sends.
    pub planes: Arc<Planes>,
    /// What it heard, in its order.
    pub heard: Receiver<Heard>,
    runtime: Option<Runtime>,
    endpoint: Option<Endpoint>,
}

impl Default for Host {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Host {
    /// A host at a free port, with an identity of its own.
    pub fn new(settings: Settings) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["test".to_owned()]).expect("certificate");
        let identity =
            Identity::from_der(made.cert.der(), &made.signing_key.serialize_der()).expect("identity");
        Self::at("127.0.0.1:0".parse().expect("address"), identity, settings)
    }

    /// A host at an address of its choice, as one that is started again.
    pub fn at(address: SocketAddr, identity: Identity, settings: Settings) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("runtime");
        let planes = Arc::new(Planes::default());
        let inside = runtime.enter();
        let socket = bind_udp_to(address, false).expect("socket");
        let endpoint = Endpoint::host(socket, &identity, planes.clone()).expect("endpoint");
        drop(inside);
        planes.attach(endpoint.transport());
        let (tell, heard) = mpsc::channel();
        let serving = Arc::new(Serving {
            settings,
            identity: identity.hash(),
            planes: planes.clone(),
            tell: Mutex::new(tell),
        });
        runtime.spawn(accept(endpoint.clone(), serving));
        let address = endpoint.local_addr();
        Self { identity, address, planes, heard, runtime: Some(runtime), endpoint: Some(endpoint) }
    }

    /// Waits for what `wanted` takes; other things that were heard are passed over.
    pub fn wait<T>(&self, mut wanted: impl FnMut(Heard) -> Option<T>) -> T {
        loop {
            let heard = self.heard.recv_timeout(LONG).expect("the host hears of it");
            if let Some(found) = wanted(heard) {
                return found;
            }
        }
    }

    /// The connection of a client that can take media now.
    pub fn started(&self) -> Connection {
        self.wait(|heard| if let Heard::Started(connection) = heard { Some(connection) } else { None })
    }

    /// Runs something of the connections.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.as_ref().expect("alive").block_on(future)
    }

    /// Dies without a word; its address is free again afterwards.
    pub fn kill(mut self) -> (SocketAddr, Identity) {
        drop(self.runtime.take());
        self.planes.detach();
        drop(self.endpoint.take());
        // What holds the connections of the tasks.
        while self.heard.try_recv().is_ok() {}
        (self.address, self.identity.clone())
    }
}

struct Serving {
    settings: Settings,
    identity: [u8; 32],
    planes: Arc<Planes>,
    tell: Mutex<Sender<Heard>>,
}

impl Serving {
    fn tell(&self, heard: Heard) {
        // The test is over.
        let _ = self.tell.lock().expect("lock").send(heard);
    }
}

async fn accept(endpoint: Endpoint, serving: Arc<Serving>) {
    while let Some(arrival) = endpoint.accept().await {
        let serving = serving.clone();
        tokio::spawn(async move {
            let Ok(accepted) = arrival.handshake().await else { return };
            let connection = accepted.connection.clone();
            let mut client = Client { accepted, serving, pairing: None, epoch: 0, welcome: None };
            // However it ends, the client sees.
            if client.serve().await.is_none() && connection.close_reason().is_none() {
                connection.close(11_u32.into(), b"");
            }
        });
    }
}

struct Client {
    accepted: Accepted,
    serving: Arc<Serving>,
    pairing: Option<Pairing>,
    epoch: u8,
    welcome: Option<Welcome>,
}

impl Client {
    async fn serve(&mut self) -> Option<()> {
        let connection = self.accepted.connection.clone();
        let (mut send, mut receive) = connection.accept_bi().await.ok()?;
        let mut reader = Reader::new(Direction::ToHost);
        let mut inbound = Inbound::new();
        loop {
            tokio::select! {
                message = hear(&mut receive, &mut reader) => {
                    for message in message? {
                        if self.take(message, &mut inbound, &mut send).await?.is_break() {
                            connection.closed().await;
                            return Some(());
                        }
                    }
                }
                datagram = connection.read_datagram() => self.take_datagram(&datagram.ok()?, &mut inbound),
            }
        }
    }

    fn take_datagram(&self, bytes: &[u8], inbound: &mut Inbound) {
        let Ok(datagram) = Datagram::parse(Direction::ToHost, bytes) else { return };
        if let Datagram::Microphone(sound) = datagram {
            self.serving.tell(Heard::Microphone(sound.packets.as_slice()[0].to_vec()));
        }
        let mut found = Vec::new();
        inbound.datagram(&datagram, &mut found);
        found.into_iter().for_each(|input| self.serving.tell(Heard::Input(input)));
    }

    async fn take(
        &mut self,
        message: Control,
        inbound: &mut Inbound,
        send: &mut SendStream,
    ) -> Option<std::ops::ControlFlow<()>> {
        use std::ops::ControlFlow::{Break, Continue};
        let mut found = Vec::new();
        inbound.control(&message, &mut found);
        found.into_iter().for_each(|input| self.serving.tell(Heard::Input(input)));
        match &message {
            Control::PairStart(_) | Control::PairConfirm(_) => return self.pair(&message, send).await,
            Control::Hello(hello) => {
                let answer = self.welcome(hello);
                say(send, &answer).await?;
            }
            Control::Start(_) => {
                let welcome = self.welcome.as_ref()?;
                self.serving.planes.start(welcome.media.0, &self.accepted);
                self.serving.tell(Heard::Started(self.accepted.connection.clone()));
            }
            Control::Reconfigure(wanted) => {
                let welcome = self.welcome.as_mut()?;
                self.epoch = self.epoch.wrapping_add(1);
                welcome.mode = wanted.mode(welcome.mode);
                let now = Reconfigured {
                    epoch: self.epoch,
                    mode: welcome.mode,
                    codec: wanted.codec.unwrap_or(welcome.codec),
                    bitrate_kbps: wanted.bitrate_kbps.unwrap_or(welcome.bitrate_kbps),
                    text: String::new(),
                };
                say(send, &Control::Reconfigured(now)).await?;
            }
            Control::ListApps => {
                let desktop = AppEntry { id: 1, title: "Desktop".to_owned() };
                say(send, &Control::Apps(Apps { apps: vec![desktop], running: None })).await?;
            }
            Control::Quit => {
                let text = "the game is over".to_owned();
                say(send, &Control::Goodbye(Goodbye { code: Code::AppEnded, text })).await?;
                return Some(Break(()));
            }
            Control::Goodbye(_) => return Some(Break(())),
            _ => {}
        }
        self.serving.tell(Heard::Message(message));
        Some(Continue(()))
    }

    fn welcome(&mut self, hello: &Hello) -> Control {
        let refused = |code, text: &str| {
            Control::Refused(Refused { code, text: text.to_owned(), versions: Vec::new() })
        };
        if let Some((code, text)) = self.serving.settings.refuse {
            return refused(code, text);
        }
        if self.serving.settings.stranger {
            return refused(Code::NotPaired, "");
        }
        let planes = &self.serving.planes;
        if hello.resume.is_some_and(|session| !planes.knows(session)) {
            return refused(Code::NoSuchSession, "");
        }
        let mut random = [0; 24];
        aws_lc_rs::rand::fill(&mut random).expect("random");
        let (media, session) = random.split_first_chunk::<8>().expect("24 bytes");
        let fresh = SessionId(session.try_into().expect("16 bytes"));
        let secret = export(&self.accepted.connection, EXPORTER_MEDIA, media).expect("secret");
        let welcome = Welcome {
            version: VERSION,
            session: hello.resume.unwrap_or(fresh),
            media: MediaId(*media),
            epoch: self.epoch,
            mode: hello.mode,
            codec: hello.codecs[0],
            bitrate_kbps: hello.bitrate_kbps,
            sound: Some(SoundLayout {
                channels: 2,
                streams: 1,
                coupled: 1,
                mapping: vec![0, 1],
                frame_us: 5000,
            }),
            aead: hello.aeads[0],
            payload: 1200,
            access: Access::ALL,
            mic: true,
            pads: hello.pads,
            app: hello.app.unwrap_or(1),
            resumed: hello.resume.is_some(),
            name: "test host".to_owned(),
        };
        planes.begin(&welcome, hello.payload, Exported::new(secret));
        self.welcome = Some(welcome.clone());
        Control::Welcome(welcome)
    }

    async fn pair(&mut self, message: &Control, send: &mut SendStream) -> Option<std::ops::ControlFlow<()>> {
        let exporter = export(&self.accepted.connection, EXPORTER_PAIRING, &[]).ok()?;
        let channel = Channel { client: self.accepted.identity, host: self.serving.identity, exporter };
        let offer = self.serving.settings.offer;
        let machine = self.pairing.get_or_insert_with(|| {
            Pairing::new(&channel, &offer, &mut |bytes| aws_lc_rs::rand::fill(bytes).expect("random"))
        });
        match machine.take(message) {
            Ok(Next::Send(answer)) => {
                say(send, &Control::PairAnswer(answer)).await?;
                Some(std::ops::ControlFlow::Continue(()))
            }
            Ok(Next::Store(proven)) => {
                self.serving.tell(Heard::Paired(proven.client()));
                say(send, &Control::PairDone(proven.stored(Access::VIEW))).await?;
                Some(std::ops::ControlFlow::Continue(()))
            }
            Err(error) => {
                self.serving.tell(Heard::PairingFailed(error));
                let no = Refused { code: error.code(), text: String::new(), versions: Vec::new() };
                say(send, &Control::Refused(no)).await?;
                Some(std::ops::ControlFlow::Break(()))
            }
        }
    }
}

async fn say(send: &mut SendStream, message: &Control) -> Option<()> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes).expect("a message of ours");
    send.write_all(&bytes).await.ok()
}

async fn hear(receive: &mut RecvStream, reader: &mut Reader) -> Option<Vec<Control>> {
    let chunk = receive.read_chunk(4096, true).await.ok()??;
    let (mut rest, mut messages) = (&chunk.bytes[..], Vec::new());
    while let Some(message) = reader.read(&mut rest).ok()? {
        messages.push(message);
    }
    Some(messages)
}

/// A datagram of the host to a client.
pub fn tell(connection: &Connection, datagram: &Datagram<'_>) {
    let mut bytes = Vec::new();
    datagram.encode(&mut bytes);
    connection.send_datagram(bytes.into()).expect("sent");
}

/// The clock of this machine in microseconds, for tests that stamp things.
pub fn clock() -> u64 {
    now().0
}

fn now() -> Time {
    Time(punktfunk_net::monotonic_nanos() / 1000)
}
