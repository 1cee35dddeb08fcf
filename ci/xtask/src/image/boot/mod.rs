//! `cargo xtask image boot`: boots the installed image in an emulated machine, looks at it from
//! inside, and is its owner and its client from outside. Without hardware support for that, so
//! it is slow, and what is played is small.

mod machine;
mod network;
mod owner;
mod play;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::disk::Disk;
use super::{empty, folder};
use crate::program;
use machine::{EXTENSION, Machine};
use network::Network;
use owner::Owner;
use play::Client;

/// The longest any step may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Boots `disk` and tries it, with the probe in `built`, and with a system extension over it
/// where one was made.
pub fn run(disk: &Disk, built: &Path, extension: Option<&Path>) -> Result<()> {
    let work = empty(&folder()?.join("boot"))?;
    let steps = Steps(Instant::now());
    let network = Network::new(&work)?;
    let mut machine = Machine::boot(disk, &network, extension, &work)?;
    steps.said("the machine has booted and its shell answers");
    read_only(&mut machine)?;
    steps.said("/usr cannot be written to, and is the version that was installed");
    is_up(&mut machine)?;
    steps.said("the host runs, and nobody has logged in");
    devices(&mut machine)?;
    steps.said("the devices that pads are made with are the broker's");
    let link = owner::printed_link(&machine.console)?;
    welcomes(&mut machine, &link.secret, &work.join("first-boot.png"))?;
    steps.said("screen and serial console show how to make it one's own");
    let client = Client::new(&network, built, &work)?;
    client.discovers(&link.host)?;
    steps.said("a client outside discovers it");
    let owner = Owner::claim(&network, &link, &work)?;
    steps.said("it was claimed from outside with what the serial console says");
    is_owned(&mut machine, &link.secret, &work.join("claimed.png"))?;
    steps.said("the screen shows how to play, and the secret no more");
    machine.until(TRIED)?;
    client.pair(&link.host, &owner.window()?)?;
    client.test_card(&link.host)?;
    steps.said("a client outside has paired by a PIN of the API and played the Test card");
    client.types(&mut machine, &link.host)?;
    steps.said("what was typed outside was done inside");
    client.moves_a_pad(&mut machine, &link.host)?;
    steps.said("a pad outside was seen by evtest inside");
    owner.serve_gamestream()?;
    client.gamestream(&link.host, &owner)?;
    steps.said("the same by GameStream: discovered, paired, played");
    match extension {
        None => println!("  skipped: no system extension is laid over it, as none was made"),
        Some(_) => {
            extended(&mut machine)?;
            client.test_card(&link.host)?;
            steps.said("the host of a system extension over it runs, and was played on");
        }
    }
    machine.power_off()?;
    steps.said("the machine has shut down");
    println!("  what the displays showed is in {}", program::relative(&work));
    Ok(())
}

/// The host knows which encoders it has.
const TRIED: &str = "journalctl -q _SYSTEMD_USER_UNIT=punktfunk-host.service | grep -q 'encoders tried'";

/// What is told of the time it takes.
struct Steps(Instant);

impl Steps {
    fn said(&self, step: &str) {
        println!("  {:>4} s  {step}", self.0.elapsed().as_secs());
    }
}

fn read_only(machine: &mut Machine) -> Result<()> {
    let (wrote, _) = machine.ask("touch /usr/lib/punktfunk/x")?;
    ensure!(!wrote, "/usr can be written to");
    let options = machine.must("findmnt --noheadings --output OPTIONS --target /usr")?;
    ensure!(options.split(',').any(|option| option == "ro"), "/usr is mounted {options}");
    machine.must("ostree admin status | grep -q '^[*] punktfunk '")?;
    machine.must("touch /var/x /etc/x && rm /var/x /etc/x").map(drop)
}

fn is_up(machine: &mut Machine) -> Result<()> {
    machine.must("systemctl start user@$(id -u punktfunk).service")?;
    machine.as_host("systemctl --user is-system-running --wait")?;
    let (_, state) =
        machine.as_host("systemctl --user show -p ActiveState -p StatusText punktfunk-host.service")?;
    ensure!(state.contains("ActiveState=active") && state.contains("9777"), "the host: {state}");
    let sessions = machine.must("loginctl list-sessions --no-legend")?;
    ensure!(sessions.is_empty(), "somebody has logged in: {sessions}");
    // It has an address; that takes time in such a machine.
    machine.until("ip -4 route show default | grep -q .")?;
    let (_, failed) = machine.ask("systemctl --failed --no-legend --plain")?;
    ensure!(failed.is_empty(), "failed: {failed}");
    Ok(())
}

fn devices(machine: &mut Machine) -> Result<()> {
    for device in ["/dev/uinput", "/dev/uhid"] {
        let is = machine.must(&format!("stat -c '%U:%G %a %F' {device}"))?;
        ensure!(is == "root:punktfunk-input 660 character special file", "{device} is {is}");
    }
    let socket = machine.must("systemctl is-active punktfunk-inputd.socket")?;
    ensure!(socket == "active", "the broker's socket is {socket}");
    Ok(())
}

/// The first console shows the secret, and nobody is asked to log in there.
fn welcomes(machine: &mut Machine, secret: &str, picture: &Path) -> Result<()> {
    machine.until(&format!("grep -aq {secret} /dev/vcs1")).context("the secret on the screen")?;
    let units = machine.ask("systemctl is-active punktfunk-welcome.service getty@tty1.service")?.1;
    ensure!(units.split_whitespace().eq(["active", "inactive"]), "welcome, getty on tty1: {units}");
    let who = "stat -c %U /proc/$(systemctl show -P MainPID punktfunk-welcome.service)";
    let who = machine.must(who)?;
    ensure!(who == "punktfunk", "what draws the screen runs as {who}");
    machine.photograph(picture)
}

fn is_owned(machine: &mut Machine, secret: &str, picture: &Path) -> Result<()> {
    machine.until("grep -aq 'Pair a device' /dev/vcs1").context("the screen after the claim")?;
    let (shows, _) = machine.ask(&format!("grep -aq {secret} /dev/vcs1"))?;
    ensure!(!shows, "the screen still shows the secret");
    machine.photograph(picture)
}

/// Lays the extension over the image's /usr, as machines without the image have it, and has
/// its host take over.
fn extended(machine: &mut Machine) -> Result<()> {
    let place = "mkdir -p /run/extensions && ln -s";
    machine.must(&format!("{place} {EXTENSION} /run/extensions/punktfunk.raw && systemd-sysext merge"))?;
    // Only an extension has these.
    machine.must("test -s /usr/lib/punktfunk/release && ls /usr/lib/punktfunk/lib/libavcodec.so*")?;
    let (wrote, _) = machine.ask("touch /usr/lib/punktfunk/x")?;
    ensure!(!wrote, "/usr can be written to below an extension");
    machine.as_host("systemctl --user daemon-reload")?;
    machine.as_host("systemctl --user restart punktfunk-host.service")?;
    let (_, process) = machine.as_host("systemctl --user show -P MainPID punktfunk-host.service")?;
    let maps = machine.must(&format!("grep -h libavcodec /proc/{process}/maps"))?;
    ensure!(maps.contains("/usr/lib/punktfunk/lib/"), "it is not the extension's host: {maps}");
    Ok(())
}
