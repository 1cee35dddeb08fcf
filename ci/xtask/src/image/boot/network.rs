//! A network of its own for the emulated machine and whoever plays on it: a namespace with a
//! cable into the machine, so that announcements by multicast arrive as on any other network
//! and nothing of it reaches that of this machine.
//!
//! A server gives the machine its address there, as a router at home would.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Our end of the cable.
const CABLE: &str = "pfcable";
/// Of that end.
const ADDRESS: &str = "10.213.9.1/24";
/// What the machine gets.
const LEASE: &str = "start 10.213.9.20\nend 10.213.9.20\ninterface pfcable\nmax_leases 1\n\
                     option subnet 255.255.255.0\noption router 10.213.9.1\noption lease 86400\n";

/// The namespace; it is gone when this is dropped.
pub struct Network {
    name: String,
    addresses: Option<Child>,
}

impl Network {
    /// Makes one; `work` is a folder for its files.
    pub fn new(work: &Path) -> Result<Self> {
        let name = format!("punktfunk-boot-{}", std::process::id());
        ip(&["netns", "add", &name])?;
        // From here on it is taken away again.
        let mut made = Self { name, addresses: None };
        ip(&["-n", &made.name, "link", "set", "lo", "up"])?;
        ip(&["-n", &made.name, "tuntap", "add", CABLE, "mode", "tap"])?;
        ip(&["-n", &made.name, "addr", "add", ADDRESS, "dev", CABLE])?;
        ip(&["-n", &made.name, "link", "set", CABLE, "up"])?;
        let (conf, leases) = (work.join("udhcpd.conf"), work.join("leases"));
        fs::write(&leases, "")?;
        let files =
            format!("lease_file {}\npidfile {}\n", leases.display(), work.join("udhcpd.pid").display());
        fs::write(&conf, format!("{LEASE}{files}"))?;
        let log = fs::File::create(work.join("udhcpd.log"))?;
        let mut server = made.command("busybox");
        server.args(["udhcpd", "-f"]).arg(&conf).stdout(log.try_clone()?).stderr(log);
        made.addresses = Some(server.spawn().context("busybox cannot be started")?);
        Ok(made)
    }

    /// A program that runs inside.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program).stdin(Stdio::null());
        command
    }

    /// What QEMU is told to plug the cable in.
    pub fn plug(&self) -> Vec<String> {
        let cable = format!("tap,id=net,ifname={CABLE},script=no,downscript=no");
        let parts = [("-netdev", cable.as_str()), ("-device", "virtio-net-pci,netdev=net,romfile=")];
        parts.iter().flat_map(|(key, value)| [(*key).to_owned(), (*value).to_owned()]).collect()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(server) = &mut self.addresses {
            let _ = server.kill();
            let _ = server.wait();
        }
        if let Err(error) = ip(&["netns", "del", &self.name]) {
            eprintln!("  the namespace {} was not removed: {error:#}", self.name);
        }
    }
}

fn ip(words: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(words).output().context("ip cannot be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`ip {}`: {}", words.join(" "), said.trim());
    Ok(())
}
