//! Who may play: PIN, QR code, and all that does not pair.

use anyhow::{Context as _, Result, bail, ensure};
use punktfunk_client::{Access, Client, Code, Config, Error, make_identity};
use punktfunk_core::native::pairing::qr::Invitation;

use super::{Guest, Window, address};
use crate::Scenario;
use crate::stage::{Outcome, Stage, World};

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[
    ("native pair", by_pin),
    ("native pair by QR", by_code),
    ("native wrong PIN", wrong_pin),
    ("native not paired", not_paired),
];

/// The host must say no, with this code.
pub fn refused<T>(result: std::result::Result<T, Error>, code: Code, what: &str) -> Result<String> {
    match result {
        Ok(_) => bail!("{what} was allowed"),
        Err(error) if error.code() == Some(code) => Ok(error.to_string()),
        Err(error) => bail!("{what} was answered with {error} and not with {code}"),
    }
}

fn by_pin(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::new(world, name)?;
    let guest = Guest::new(&stage, "tv")?;
    let apps = guest.client.apps(address(&stage), guest.host.fingerprint)?;
    let titles: Vec<_> = apps.apps.iter().map(|app| app.title.as_str()).collect();
    ensure!(titles == ["Desktop", "Test card"], "the applications are {titles:?}");
    ensure!(apps.running.is_none(), "{:?} runs before anything was started", apps.running);
    let clients = stage.owner(&["clients", "list", "--json"])?;
    ensure!(clients.contains("\"tv\""), "the host lists {clients}");
    // The same client knows its host again, and no other.
    let stranger = make_identity()?.hash();
    let other = guest.client.apps(address(&stage), stranger);
    ensure!(matches!(other, Err(Error::Connect(_))), "another host was taken for this one: {other:?}");
    Ok(Outcome::Passed(String::new()))
}

fn by_code(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::new(world, name)?;
    let window = Window::open(&stage, &["--access", "view,pads", "--name", "guest"])?;
    let invitation = Invitation::parse(&window.payload).map_err(|error| anyhow::anyhow!("{error}"))?;
    let client = Client::new(make_identity()?, "deck");
    // The addresses of the code are those of the network; here only the loopback is sure.
    let local = window.payload.split_once("/pair").context("no code")?.1;
    let local = format!("punktfunk://{}/pair{local}", address(&stage));
    let paired = client.pair_secret(&local);
    let secret_again = Client::new(make_identity()?, "late").pair_secret(&local);
    let output = window.outcome()?;
    let paired = paired.context("the client could not be paired by the code")?;
    ensure!(output.status.success(), "pair: {}", String::from_utf8_lossy(&output.stderr));
    ensure!(paired.host == invitation.fingerprint, "the code names another host");
    ensure!(paired.access == Access(Access::VIEW.0 | Access::PADS.0), "it may do {}", paired.access);
    refused(secret_again, Code::PairingClosed, "a second client by the same code")?;
    client.apps(address(&stage), paired.host)?;
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(listed.contains("guest"), "the owner is told {listed}");
    Ok(Outcome::Passed(format!("{} address(es) in the code", invitation.addresses.len())))
}

/// Three wrong ones, and the window is closed to the right one too.
fn wrong_pin(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::new(world, name)?;
    let window = Window::open(&stage, &[])?;
    let client = Client::new(make_identity()?, "tv");
    for _ in 0..3 {
        let error = client.pair_pin(address(&stage), window.wrong_pin());
        refused(error, Code::WrongPin, "a wrong PIN")?;
    }
    let late = client.pair_pin(address(&stage), &window.pin);
    let output = window.outcome()?;
    refused(late, Code::PairingClosed, "the right PIN after three wrong ones")?;
    ensure!(!output.status.success(), "the owner is told that a wrong PIN was right");
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let clients = stage.owner(&["clients", "list", "--json"])?;
    ensure!(!clients.contains("fingerprint"), "the host lists {clients}");
    Guest::new(&stage, "tv").context("in a new window")?;
    Ok(Outcome::Passed(said))
}

fn not_paired(world: &World, name: &str) -> Result<Outcome> {
    let stage = Stage::new(world, name)?;
    let client = Client::new(make_identity()?, "stranger");
    let address = address(&stage);
    let session = client.connect(&Config::new(address, None));
    let said = refused(session, Code::NotPaired, "a session without pairing")?;
    ensure!(said.contains("pair --native"), "nobody learns what to do from {said:?}");
    let closed = client.pair_pin(address, "123456");
    refused(closed, Code::PairingClosed, "pairing while no window is open")?;
    let known = Guest::new(&stage, "tv")?;
    refused(client.apps(address, known.host.fingerprint), Code::NotPaired, "the list of applications")?;
    stage.owner(&["clients", "revoke", "tv"])?;
    let revoked = known.client.connect(&Config::new(address, Some(known.host.fingerprint)));
    refused(revoked, Code::NotPaired, "a session of a revoked client")?;
    Ok(Outcome::Passed(said))
}
