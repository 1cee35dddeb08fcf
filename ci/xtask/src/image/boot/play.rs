//! A client of the emulated machine: the probe, in both protocols, on the machine's network.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::machine::{EVTEST, Machine};
use super::network::Network;
use super::owner::Owner;
use super::{PATIENCE, empty};
use crate::program;

/// How often a client tries to play.
const TRIES: u32 = 6;
/// What the machine can carry.
const MODE: &str = "320x180x10";
/// A terminal that can be read, at the same price.
const DESKTOP: &str = "480x270x5";
/// What is typed, and what it leaves.
const TYPED: &str = "echo $((6*7)) > /tmp/typed\n";
/// The PIN of the GameStream client, which makes it up.
const PIN: &str = "4711";

/// Somebody who plays on the machine.
pub struct Client<'a> {
    network: &'a Network,
    probe: PathBuf,
    home: PathBuf,
    work: PathBuf,
}

impl<'a> Client<'a> {
    /// One that knows no host, with the probe in `built`.
    pub fn new(network: &'a Network, built: &Path, work: &Path) -> Result<Self> {
        let home = empty(&work.join("client"))?;
        Ok(Self { network, probe: built.join("punktfunk-probe"), home, work: work.to_owned() })
    }

    /// The host announces itself with that address.
    pub fn discovers(&self, address: &str) -> Result<()> {
        let found: Value = serde_json::from_str(&self.must(&["discover", "--seconds", "12", "--json"])?)?;
        let found = found.as_array().context("the probe lists no hosts")?;
        ensure!(found.len() == 1, "one host is there, but the probe sees {found:?}");
        ensure!(found[0]["addresses"].to_string().contains(address), "it announces {}", found[0]);
        ensure!(found[0]["name"] == "punktfunk", "it is called {}", found[0]["name"]);
        Ok(())
    }

    /// By the PIN that the owner's window has.
    pub fn pair(&self, host: &str, pin: &str) -> Result<()> {
        self.must(&["pair", "--host", host, "--pin", pin]).map(drop)
    }

    /// Plays the Test card, and reads its pictures.
    pub fn test_card(&self, host: &str) -> Result<()> {
        let picture = self.picture("test-card");
        let words = ["stream", "--host", host, "--app", "Test card", "--mode", MODE, "--seconds", "15"];
        let report = self.patiently(&[&words[..], &["--quit", "--screenshot", &picture]].concat())?;
        shows_the_card(&report)
    }

    /// Types into the terminal of the Desktop until a command was carried out.
    pub fn types(&self, machine: &mut Machine, host: &str) -> Result<()> {
        machine.must("rm -f /tmp/typed")?;
        let picture = self.picture("desktop");
        let words = ["stream", "--host", host, "--app", "Desktop", "--mode", DESKTOP, "--seconds", "15"];
        let words = [&words[..], &["--type", TYPED, "--screenshot", &picture]].concat();
        // The first keys may come before the terminal does.
        for _ in 0..TRIES {
            self.patiently(&words)?;
            let (done, said) = machine.ask("cat /tmp/typed")?;
            if done {
                ensure!(said == "42", "the terminal wrote {said:?}");
                let who = machine.must("stat -c %U /tmp/typed")?;
                ensure!(who == "punktfunk", "the terminal is {who}'s");
                return Ok(());
            }
        }
        anyhow::bail!("nothing of what was typed arrived; the last picture is {picture}")
    }

    /// Moves a pad, at which `evtest` looks inside.
    pub fn moves_a_pad(&self, machine: &mut Machine, host: &str) -> Result<()> {
        let words = ["stream", "--host", host, "--app", "Desktop", "--mode", DESKTOP];
        let words = [&words[..], &["--seconds", "0", "--pad", "--json", "--channels", "0"]].concat();
        let mut playing = Playing(self.command(&words).stdout(Stdio::null()).spawn()?);
        let node = "for d in /sys/class/input/event*; do grep -q 'X-Box 360' $d/device/name \
                    && echo /dev/input/${d##*/}; done | grep -m1 /dev";
        machine.until(node).context("no pad appeared")?;
        let node = machine.must(node)?;
        let watch = format!("timeout 30 {EVTEST} {node} >/run/evtest 2>&1 &");
        machine.must(&watch)?;
        for seen in ["BTN_SOUTH), value 1", "BTN_SOUTH), value 0", "ABS_X), value 32767"] {
            machine.until(&format!("grep -q '{seen}' /run/evtest")).with_context(|| seen.to_owned())?;
        }
        ensure!(playing.0.try_wait()?.is_none(), "the probe has ended by itself");
        println!("         {}", machine.must("grep -m1 'Input device name' /run/evtest")?);
        drop(playing);
        Ok(())
    }

    /// As Moonlight: finds it, pairs with the owner's help, and plays the Test card.
    pub fn gamestream(&self, host: &str, owner: &Owner<'_>) -> Result<()> {
        let found = self.must(&["gamestream", "discover", "--seconds", "12", "--json"])?;
        ensure!(found.contains(host), "it announces itself as {found}");
        let words = ["gamestream", "pair", "--host", host, "--pin", PIN];
        let mut pairing = Playing(self.command(&words).stdout(Stdio::null()).spawn()?);
        owner.let_in(PIN)?;
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = pairing.0.try_wait()? {
                break status;
            }
            ensure!(Instant::now() < deadline, "pairing does not end");
            std::thread::sleep(Duration::from_millis(200));
        };
        ensure!(status.success(), "the probe has not paired by GameStream: {status}");
        let picture = self.picture("gamestream");
        let words = ["gamestream", "play", "--host", host, "--app", "Test card", "--mode", MODE];
        let report =
            self.patiently(&[&words[..], &["--seconds", "15", "--screenshot", &picture]].concat())?;
        shows_the_card(&report)
    }

    /// Plays, and reports. The first start reads every program from the disk, and is given up
    /// where that takes too long; the next finds them in memory. The session before is ended
    /// by the host itself.
    fn patiently(&self, words: &[&str]) -> Result<Value> {
        let words = [words, &["--json"]].concat();
        let mut tries = 1;
        loop {
            match self.must(&words) {
                Ok(report) => return Ok(serde_json::from_str(&report)?),
                Err(error) if tries == TRIES => return Err(error),
                Err(error) => println!("         try {tries}: {error:#}"),
            }
            tries += 1;
        }
    }

    fn must(&self, words: &[&str]) -> Result<String> {
        let output = self.command(words).output().context("the probe cannot be started")?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "the probe, {}: {said}", words.join(" "));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut probe = self.network.command("timeout");
        probe.arg(PATIENCE.as_secs().to_string()).arg(&self.probe).args(words);
        probe.arg("--identity").arg(&self.home);
        probe
    }

    fn picture(&self, what: &str) -> String {
        self.work.join(format!("{what}.png")).display().to_string()
    }
}

/// A probe that plays on by itself; it is gone when this is dropped.
struct Playing(Child);

impl Drop for Playing {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(Some(_))) {
            // `timeout` hands it on, and so the host is told.
            program::output(Command::new("kill").arg(self.0.id().to_string()));
            let _ = self.0.wait();
        }
    }
}

fn shows_the_card(report: &Value) -> Result<()> {
    // As the one protocol's report calls them, and the other's.
    let pictures = [&report["pictures"], &report["frames_decoded"]].into_iter().find_map(Value::as_u64);
    let unique = report["card"]["unique"].as_u64().unwrap_or(0);
    println!("         {} pictures, {unique} of the Test card's own", pictures.unwrap_or(0));
    ensure!(pictures.unwrap_or(0) > 0, "no picture came: {report}");
    ensure!(unique > 0, "they were not the Test card's: {report}");
    Ok(())
}
