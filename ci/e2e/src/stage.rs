//! What a scenario plays on: programs that may be run, a fresh folder, free ports,
//! a host and a client.

use std::cell::Cell;
use std::fs::{self, Permissions};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use punktfunk_probe::decode::Picture;
use punktfunk_probe::{Host as Address, Identity, Options, Player};
use serde_json::Value;

use crate::host::{Host, Programs};

/// How a scenario that did not fail went.
pub enum Outcome {
    /// As it should; with what was measured.
    Passed(String),
    /// It cannot be played here; with the reason.
    Skipped(String),
}

/// The PIN of every pairing that should succeed.
pub const PIN: &str = "4711";
/// Starting a seat, its sound and an application takes its time on a busy machine.
pub const PICTURE: Duration = Duration::from_secs(15);
/// The tone is heard when its share is above this: silence and other sounds are near
/// zero, a tone that stutters on a busy machine is not.
pub const TONE: f64 = 0.7;
/// The user a host becomes that root started.
const USER: &str = "punktfunk";
/// The lowest and the highest base of a host.
const FIRST_BASE: u16 = 40_005;
const LAST_BASE: u16 = 54_905;
/// Ports of a host, by their distance from its base.
const TCP_PORTS: [i32; 4] = [-5, 0, 1, 21];
const UDP_PORTS: [i32; 4] = [9, 10, 11, NATIVE_PORT];
/// That of punktfunk/1: 9777 when the base is 47989.
pub const NATIVE_PORT: i32 = 9777 - 47_989;

/// What all scenarios share.
pub struct World {
    programs: Programs,
    folder: PathBuf,
    artefacts: PathBuf,
    next_base: Cell<u16>,
    /// How many files applications of ours were given.
    own_files: Cell<u32>,
    /// Play the long versions.
    pub long: bool,
}

impl World {
    /// Makes the programs ready to be run by whichever user a host becomes.
    pub fn new(host: &Path, seat: &Path, artefacts: &Path, long: bool) -> Result<Self> {
        fs::create_dir_all(artefacts)?;
        let artefacts = artefacts.canonicalize()?;
        let folder = std::env::temp_dir().join(format!("punktfunk-e2e-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
        let programs = Programs { host: host.to_owned(), seat: seat.to_owned(), broker: None };
        let is_root = fs::metadata("/proc/self")?.uid() == 0;
        let programs = if is_root {
            ensure_user()?;
            programs.install(&folder.join("bin"))?
        } else {
            Programs { host: programs.host.canonicalize()?, seat: programs.seat.canonicalize()?, ..programs }
        };
        Ok(Self {
            programs,
            folder,
            artefacts,
            next_base: Cell::new(first_base()),
            own_files: Cell::new(0),
            long,
        })
    }

    /// This program, where every user can run it, and the name of a file that every user
    /// can write to: for applications of ours, see `drawing`. The name is new each time, so
    /// that a second try does not read what the first one left.
    pub fn own_program(&self, file: &str) -> Result<(PathBuf, PathBuf)> {
        let folder = self.folder.join("own");
        let number = self.own_files.get();
        self.own_files.set(number + 1);
        let (program, file) = (folder.join("punktfunk-e2e"), folder.join(format!("{number}-{file}")));
        if !folder.exists() {
            fs::create_dir(&folder)?;
            fs::set_permissions(&folder, Permissions::from_mode(0o777))?;
            fs::copy(std::env::current_exe()?, &program)?;
            fs::set_permissions(&program, Permissions::from_mode(0o755))?;
        }
        Ok((program, file))
    }

    /// A base whose ports are all free now.
    fn free_base(&self) -> Result<u16> {
        for _ in 0..150 {
            let base = self.next_base.get();
            self.next_base.set(if base < LAST_BASE { base + 100 } else { FIRST_BASE });
            let port = |offset: &i32| u16::try_from(i32::from(base) + offset).unwrap_or(0);
            let tcp = TCP_PORTS.iter().all(|offset| TcpListener::bind(("0.0.0.0", port(offset))).is_ok());
            let udp = UDP_PORTS.iter().all(|offset| UdpSocket::bind(("0.0.0.0", port(offset))).is_ok());
            if tcp && udp {
                return Ok(base);
            }
        }
        bail!("no free ports for a host between 40000 and 55000")
    }
}

/// Runs beside each other on one machine begin at different places, so that they seldom
/// want the same ports.
fn first_base() -> u16 {
    let places = u32::from((LAST_BASE - FIRST_BASE) / 100);
    // Below the number of places.
    FIRST_BASE + u16::try_from(std::process::id().wrapping_mul(37) % places).unwrap_or(0) * 100
}

impl Drop for World {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} was not removed: {error}", self.folder.display());
        }
    }
}

fn ensure_user() -> Result<()> {
    let known = Command::new("id").args(["-u", USER]).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if !known.success() {
        let made = Command::new("useradd").args(["--system", "--user-group", USER]).status();
        ensure!(made.is_ok_and(|status| status.success()), "the system user {USER} could not be made");
    }
    Ok(())
}

/// One host with its folder, and the client that plays with it.
pub struct Stage {
    /// The running host.
    pub host: Host,
    /// The same, as the client sees it.
    pub address: Address,
    /// The client.
    pub identity: Identity,
    /// World-writable, so that applications of the seat can leave files.
    pub folder: PathBuf,
    name: String,
    artefacts: PathBuf,
}

impl Stage {
    /// A host with the default configuration.
    pub fn new(world: &World, name: &str) -> Result<Self> {
        Self::with(world, name, "")
    }

    /// A host with `config` as its configuration file.
    pub fn with(world: &World, name: &str, config: &str) -> Result<Self> {
        Self::started(world, name, config, None)
    }

    /// The same, and gamepads are made by the broker that listens at `socket`.
    pub fn with_broker(world: &World, name: &str, socket: &Path) -> Result<Self> {
        Self::started(world, name, "", Some(socket))
    }

    fn started(world: &World, name: &str, config: &str, broker: Option<&Path>) -> Result<Self> {
        let base = world.free_base()?;
        let folder = world.folder.join(format!("{}-{base}", file_name(name)));
        let log = world.artefacts.join(format!("{}.log", file_name(name)));
        let config = format!("name = \"e2e {name}\"\n{config}");
        let programs = Programs { broker: broker.map(Path::to_owned), ..world.programs.clone() };
        let host = Host::start(&programs, &folder, base, &config, &log)?;
        let identity = Identity::open(&folder.join("client"))?;
        let (name, artefacts) = (name.to_owned(), world.artefacts.clone());
        Ok(Self { host, address: Address::new("127.0.0.1", base), identity, folder, name, artefacts })
    }

    /// The same, and the client is paired as `tv`.
    pub fn paired(world: &World, name: &str) -> Result<Self> {
        let stage = Self::new(world, name)?;
        stage.pair()?;
        Ok(stage)
    }

    /// Pairs the client as `tv`.
    pub fn pair(&self) -> Result<()> {
        self.pair_as(&self.identity, "tv")
    }

    /// Another client, paired as `name`.
    pub fn another(&self, name: &str) -> Result<Identity> {
        let identity = Identity::open(&self.folder.join(format!("client-{name}")))?;
        self.pair_as(&identity, name)?;
        Ok(identity)
    }

    /// Pairs a client.
    pub fn pair_as(&self, identity: &Identity, name: &str) -> Result<()> {
        let mut owner = self.host.cli_command(&["pair", PIN, "--name", name]);
        let owner = owner.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let paired = self.address.pair(identity, PIN, |_| {});
        let output = owner.wait_with_output()?;
        paired.context("the client could not be paired")?;
        ensure!(output.status.success(), "pair: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Another client, unknown to the host.
    pub fn stranger(&self) -> Result<Identity> {
        Identity::open(&self.folder.join("stranger"))
    }

    /// The options of a stock client for this application, at 720p60.
    pub fn options(&self, app: &str) -> Result<Options> {
        Ok(Options::new(self.address.find_app(&self.identity, app)?.id))
    }

    /// Plays; the first picture is there.
    pub fn play(&self, options: &Options) -> Result<Player> {
        self.play_as(&self.identity, options)
    }

    /// The same as another client.
    pub fn play_as(&self, identity: &Identity, options: &Options) -> Result<Player> {
        let player = Player::start(&self.address, identity, options)?;
        player.wait_for("the first picture", PICTURE, |stats| stats.frames_decoded > 0)?;
        Ok(player)
    }

    /// What the host said so far.
    pub fn log(&self) -> String {
        let file = self.artefacts.join(format!("{}.log", file_name(&self.name)));
        fs::read_to_string(file).unwrap_or_default()
    }

    /// Saves what the client sees as `NAME.png`, or `NAME-WHAT.png`.
    pub fn screenshot(&self, player: &Player, what: &str) -> Result<()> {
        self.save(player.last_picture().context("there is no picture to save")?.as_ref(), what)
    }

    /// The same with any picture.
    pub fn save(&self, picture: &Picture, what: &str) -> Result<()> {
        let what = if what.is_empty() { String::new() } else { format!("-{what}") };
        picture.save(&self.artefacts.join(format!("{}{what}.png", file_name(&self.name))))
    }

    /// The command line of this host must succeed; what it prints.
    pub fn owner(&self, args: &[&str]) -> Result<String> {
        let output = self.host.cli(args)?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`punktfunk-host {}`: {said}", args.join(" "));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// An operation of the management API, asked by `punktfunk-host ctl`, must succeed; what
    /// it answers, null for nothing.
    pub fn ctl(&self, args: &[&str]) -> Result<Value> {
        let said = self.owner(&[&["ctl"], args, &["--json"]].concat())?;
        if said.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&said).with_context(|| format!("{} answered {said:?}", args.join(" ")))
    }
}

/// The name of a scenario as part of a file's name.
fn file_name(scenario: &str) -> String {
    let words = scenario.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// Looks every few milliseconds until `found` finds something.
pub fn until<T>(what: &str, patience: Duration, mut found: impl FnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(thing) = found() {
            return Ok(thing);
        }
        ensure!(Instant::now() < deadline, "{what}: not within {patience:?}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// Waits exactly so long. A thread that ended in a scope may have left a wake-up behind,
/// on which a mere `park_timeout` would return at once.
pub fn pause(time: Duration) {
    let deadline = Instant::now() + time;
    while let left = deadline.saturating_duration_since(Instant::now())
        && !left.is_zero()
    {
        std::thread::park_timeout(left);
    }
}
