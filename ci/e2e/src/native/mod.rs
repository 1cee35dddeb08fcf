//! punktfunk/1 against a real host, played by the probe's library: the same stages as the
//! scenarios of GameStream, by our own protocol. Called by `main`.

mod access;
mod api;
mod changes;
mod game_mode;
mod hands;
mod hostile;
mod lifetime;
mod pairing;
mod playing;
mod raw;
mod several;
mod weather;

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdout, Output, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use punktfunk_client::{Client, Paired, make_identity};
use punktfunk_probe::native::{Host, Options, Player};
use punktfunk_probe::{Card, Seen};
use serde_json::Value;

use crate::Scenario;
use crate::stage::{Outcome, PICTURE, Stage, World};

/// The scenarios of this folder.
pub const SCENARIOS: &[&[Scenario]] = &[
    pairing::SCENARIOS,
    playing::SCENARIOS,
    changes::SCENARIOS,
    hands::SCENARIOS,
    access::SCENARIOS,
    api::SCENARIOS,
    lifetime::SCENARIOS,
    game_mode::SCENARIOS,
    several::SCENARIOS,
    weather::SCENARIOS,
    hostile::SCENARIOS,
];

/// The size of most pictures here: small enough for two streams and two cores.
const SIZE: (usize, usize) = (640, 360);

/// A client that is paired.
pub struct Guest {
    client: Client,
    host: Host,
}

impl Guest {
    /// Another client, paired by PIN.
    fn new(stage: &Stage, name: &str) -> Result<Self> {
        let client = Client::new(make_identity()?, name);
        let window = Window::open(stage, &["--name", name])?;
        let paired = client.pair_pin(address(stage), &window.pin);
        let output = window.outcome()?;
        let paired = paired.context("the client could not be paired")?;
        ensure!(output.status.success(), "pair: {}", String::from_utf8_lossy(&output.stderr));
        Ok(Self::known(client, paired))
    }

    fn known(client: Client, paired: Paired) -> Self {
        let host = Host { name: "e2e".to_owned(), address: paired.address, fingerprint: paired.host };
        Self { client, host }
    }

    /// The same client, to which the host is somewhere else.
    fn at(&self, address: SocketAddr) -> Self {
        Self { client: self.client.clone(), host: Host { address, ..self.host.clone() } }
    }

    /// This application, small and slow.
    fn options(&self, app: &str) -> Result<Options> {
        let app = self.host.find_app(&self.client, app)?;
        Ok(Options::new(app).mode(SIZE.0 as u32, SIZE.1 as u32, 30))
    }

    /// Plays; the first picture is there.
    fn play(&self, options: &Options) -> Result<Player> {
        let player = self.start(options)?;
        player.wait_for("the first picture", PICTURE, |stats| stats.frames_decoded > 0)?;
        Ok(player)
    }

    fn start(&self, options: &Options) -> Result<Player> {
        Player::start(&self.client, &self.host, options)
    }

    /// The application that is offered to this client to go on with.
    fn running(&self) -> Result<Option<u32>> {
        Ok(self.client.apps(self.host.address, self.host.fingerprint)?.running)
    }
}

/// A host, and a client of ours that is paired with it as `tv`.
fn paired(world: &World, name: &str) -> Result<(Stage, Guest)> {
    paired_with(world, name, "")
}

/// The same, with `config` as the host's configuration.
fn paired_with(world: &World, name: &str, config: &str) -> Result<(Stage, Guest)> {
    let stage = Stage::with(world, name, config)?;
    let guest = Guest::new(&stage, "tv")?;
    Ok((stage, guest))
}

/// Where the host speaks punktfunk/1, by IPv4.
fn address(stage: &Stage) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, stage.host.native_port()))
}

fn read(seen: &[Seen]) -> usize {
    seen.iter().filter(|seen| seen.code.is_some()).count()
}

/// Thirty readable pictures more, none backwards, the last of this size; its card's number.
fn cards(player: &Player, size: (usize, usize)) -> Result<u32> {
    let before = player.look(|stats| read(&stats.seen));
    let stats = player.wait_for("thirty Test cards", PICTURE, |stats| read(&stats.seen) >= before + 30)?;
    ensure!(stats.size == size, "the picture is {:?}, not {size:?}", stats.size);
    ensure!(stats.decode_errors == 0, "{} frames were not decodable", stats.decode_errors);
    let card = Card::of(&stats.seen);
    ensure!(card.backwards == 0, "two cards in one picture: {card:?}");
    Ok(stats.seen.iter().rev().find_map(|seen| seen.code).context("no code")?.frame)
}

/// `pair --native` of the owner, while it runs.
struct Window {
    owner: Child,
    screen: ChildStdout,
    /// What is typed into the client.
    pin: String,
    /// What the QR code says.
    payload: String,
}

impl Window {
    /// Opens one, with further arguments.
    fn open(stage: &Stage, args: &[&str]) -> Result<Self> {
        let args = [&["pair", "--native", "--json"][..], args].concat();
        let mut owner = stage.host.cli_command(&args);
        let mut owner = owner.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut screen = owner.stdout.take().context("the owner's command has no output")?;
        // It says the window first, and waits then.
        let said = serde_json::Deserializer::from_reader(&mut screen).into_iter::<Value>().next();
        let Some(Ok(said)) = said else {
            let output = owner.wait_with_output()?;
            bail!("pair --native: {}", String::from_utf8_lossy(&output.stderr));
        };
        let text = |key: &str| Ok::<_, anyhow::Error>(said[key].as_str().context("no window")?.to_owned());
        let (pin, payload) = (text("pin")?, text("payload")?);
        Ok(Self { owner, screen, pin, payload })
    }

    /// A PIN that is not the one.
    fn wrong_pin(&self) -> &'static str {
        if self.pin == "000000" { "000001" } else { "000000" }
    }

    /// Waits until the command ends: how it did, and what it printed after the window.
    fn outcome(mut self) -> Result<Output> {
        let mut stdout = Vec::new();
        self.screen.read_to_end(&mut stdout)?;
        let output = self.owner.wait_with_output()?;
        Ok(Output { stdout, ..output })
    }
}

/// Saves what the client sees as `NAME-WHAT.png`.
fn screenshot(stage: &Stage, player: &Player, what: &str) -> Result<()> {
    stage.save(player.last_picture().context("there is no picture to save")?.as_ref(), what)
}

/// A scenario that went well.
fn passed(note: impl Into<String>) -> Outcome {
    Outcome::Passed(note.into())
}
