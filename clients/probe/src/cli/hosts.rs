//! The commands around a stream: find a host, pair with it, list, end and forget.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args as ClapArgs;
use punktfunk_core::bytes::to_hex;
use punktfunk_probe::native::{Client, End, Home, Host, Options, Player, locate};

/// No text of a QR code is longer.
const MAX_QR: u64 = 4096;
/// The host ends an application within this.
const QUIT: Duration = Duration::from_secs(15);

/// Which host, who we are, and how the outcome is printed.
#[derive(Debug, ClapArgs)]
pub struct Places {
    /// Name or address of the host, with :PORT unless it is 9777; not needed where one
    /// host is paired
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    #[command(flatten)]
    pub own: Own,
}

/// Who we are, and how the outcome is printed.
#[derive(Debug, ClapArgs)]
pub struct Own {
    /// Folder of this client's identity and of the hosts it is paired with
    /// [default: ~/.local/share/punktfunk-probe]
    #[arg(long, value_name = "DIR")]
    identity: Option<PathBuf>,
    /// Print the outcome as JSON
    #[arg(long)]
    pub json: bool,
}

impl Own {
    /// The folder, opened.
    pub fn home(&self) -> Result<Home> {
        let folder = match &self.identity {
            Some(folder) => folder.clone(),
            None => {
                let home = std::env::var_os("HOME").context("HOME is not set: use --identity DIR")?;
                PathBuf::from(home).join(".local/share/punktfunk-probe")
            }
        };
        let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Home::open(&folder, format!("punktfunk-probe {}", machine.trim()).trim())
    }
}

impl Places {
    /// Our folder, and the paired host that is meant.
    pub fn paired(&self) -> Result<(Home, Host)> {
        let home = self.own.home()?;
        let host = home.find(self.host.as_deref())?;
        Ok((home, host))
    }
}

/// Arguments of `discover`.
#[derive(Debug, ClapArgs)]
pub struct Discover {
    /// Listen for so long
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    #[command(flatten)]
    own: Own,
}

impl Discover {
    pub fn run(self) -> Result<()> {
        let listen = Duration::from_secs(self.seconds);
        let found = Client::discover(listen)?;
        let known = self.own.home()?.hosts()?;
        let is_paired =
            |fingerprint: &[u8; 8]| known.iter().any(|host| host.fingerprint.starts_with(fingerprint));
        if self.own.json {
            let list: Vec<_> = found
                .iter()
                .map(|host| {
                    serde_json::json!({
                        "name": host.name, "addresses": host.addresses,
                        "fingerprint": to_hex(&host.fingerprint), "paired": is_paired(&host.fingerprint),
                    })
                })
                .collect();
            println!("{}", serde_json::to_string_pretty(&list)?);
        }
        for host in found.iter().filter(|_| !self.own.json) {
            let addresses: Vec<_> = host.addresses.iter().map(ToString::to_string).collect();
            let paired = if is_paired(&host.fingerprint) { "paired" } else { "not paired" };
            println!("{}  {}  {}  {paired}", host.name, addresses.join(" "), to_hex(&host.fingerprint));
        }
        ensure!(
            !found.is_empty(),
            "no host announced itself within {listen:?}: multicast may not reach here; --host ADDRESS does without"
        );
        Ok(())
    }
}

/// Arguments of `pair`.
#[derive(Debug, ClapArgs)]
pub struct Pair {
    /// Name or address of the host, for --pin
    #[arg(long, value_name = "HOST", required_unless_present = "qr")]
    host: Option<String>,
    /// The six digits that the host shows
    #[arg(long, value_name = "NNNNNN", required_unless_present = "qr", conflicts_with = "qr")]
    pin: Option<String>,
    /// The text of the host's QR code, or - to read it from standard input
    #[arg(long, value_name = "TEXT")]
    qr: Option<String>,
    #[command(flatten)]
    own: Own,
}

impl Pair {
    pub fn run(self) -> Result<()> {
        let home = self.own.home()?;
        let host = match (&self.qr, &self.host, &self.pin) {
            (Some(text), ..) => home.pair_qr(&read(text)?)?,
            (None, Some(host), Some(pin)) => home.pair_pin(locate(host)?, pin, host)?,
            _ => bail!("pair by --host and --pin, or by --qr"),
        };
        if self.own.json {
            let json = serde_json::json!({
                "name": host.name, "address": host.address, "fingerprint": to_hex(&host.fingerprint),
            });
            println!("{}", serde_json::to_string_pretty(&json)?);
        } else {
            println!("Paired with {} at {} ({}).", host.name, host.address, host.short_fingerprint());
        }
        Ok(())
    }
}

fn read(text: &str) -> Result<String> {
    if text != "-" {
        return Ok(text.to_owned());
    }
    let mut text = String::new();
    std::io::stdin().take(MAX_QR).read_to_string(&mut text).context("standard input")?;
    Ok(text)
}

/// Arguments of `apps`.
#[derive(Debug, ClapArgs)]
pub struct Apps {
    #[command(flatten)]
    places: Places,
}

impl Apps {
    pub fn run(self) -> Result<()> {
        let (home, host) = self.places.paired()?;
        let list = home.client().apps(host.address, host.fingerprint)?;
        let runs = |id| list.running == Some(id);
        if self.places.own.json {
            let entry =
                |id, title: &str| serde_json::json!({ "id": id, "title": title, "running": runs(id) });
            let list: Vec<_> = list.apps.iter().map(|app| entry(app.id, &app.title)).collect();
            println!("{}", serde_json::to_string_pretty(&list)?);
            return Ok(());
        }
        for app in &list.apps {
            println!("{:>10}  {}{}", app.id, app.title, if runs(app.id) { "  (running)" } else { "" });
        }
        Ok(())
    }
}

/// Arguments of `quit`.
#[derive(Debug, ClapArgs)]
pub struct Quit {
    #[command(flatten)]
    places: Places,
}

impl Quit {
    pub fn run(self) -> Result<()> {
        let (home, host) = self.places.paired()?;
        let running = home.client().apps(host.address, host.fingerprint)?.running;
        let Some(app) = running else { bail!("nothing of this client runs on {}", host.name) };
        let options = Options { launch: false, decode: false, channels: 0, ..Options::new(app) };
        let player = Player::start(home.client(), &host, &options)?;
        player.quit()?;
        match player.wait_for_end(QUIT) {
            Some(End::Ended { text, .. }) if self.places.own.json => {
                println!("{}", serde_json::json!({ "ended": app, "text": text }));
            }
            Some(End::Ended { text, .. }) => println!("Application {app} has ended: {text}."),
            Some(end) => bail!("the connection ended first: {end:?}"),
            None => {
                let refused = player.stats().host_messages;
                bail!("the host did not end the application within {QUIT:?}: {refused:?}")
            }
        }
        Ok(())
    }
}

/// Arguments of `forget`.
#[derive(Debug, ClapArgs)]
pub struct Forget {
    /// Name or address of the host
    #[arg(long, value_name = "HOST")]
    host: String,
    #[command(flatten)]
    own: Own,
}

impl Forget {
    pub fn run(self) -> Result<()> {
        let home = self.own.home()?;
        let host = home.find(Some(&self.host))?;
        home.forget(&host)?;
        if self.own.json {
            println!("{}", serde_json::json!({ "forgotten": host.name }));
        } else {
            println!(
                "{} is forgotten here; `punktfunk-host clients revoke` forgets this client there.",
                host.name
            );
        }
        Ok(())
    }
}
