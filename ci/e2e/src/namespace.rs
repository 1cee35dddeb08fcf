//! A network of its own for a client: a namespace behind a pair of virtual cables, slowed
//! down by `tc` and lossy by `nft`. It needs root and the kernel's consent; where it is
//! not to be had, the reason is for whoever skips the scenario.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Namespaces of this process so far.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// A namespace with a cable to this machine. Dropping it removes both.
pub struct Namespace {
    name: String,
    /// Our end of the cable.
    outside: String,
    /// The end inside.
    inside: String,
    net: [u8; 3],
}

impl Namespace {
    /// Makes one; the error says why there is none.
    pub fn new() -> Result<Self> {
        // Names of interfaces have at most fifteen bytes. Runs beside each other differ in
        // the process id, so in the names, and mostly in the addresses, of which those that
        // are taken are passed over.
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let tag = format!("{}n{number}", std::process::id());
        let start = std::process::id().wrapping_mul(7).wrapping_add(number);
        let taken = ip(&["-4", "-o", "addr"])?;
        let net = (0..200).map(|n| [10, 213, (start.wrapping_add(n) % 250) as u8]);
        let free = |net: &[u8; 3]| !taken.contains(&format!(" {}.{}.{}.", net[0], net[1], net[2]));
        let net = net.into_iter().find(free).context("no free addresses for a network")?;
        let name = format!("punktfunk-{tag}");
        ip(&["netns", "add", &name])?;
        // From here on it is taken down again, whatever happens.
        let made = Self { outside: format!("pfo{tag}"), inside: format!("pfi{tag}"), name, net };
        made.lay_cable()?;
        Ok(made)
    }

    fn lay_cable(&self) -> Result<()> {
        let Self { name, outside, inside, .. } = self;
        ip(&["link", "add", outside, "type", "veth", "peer", "name", inside, "netns", name])?;
        ip(&["addr", "add", &format!("{}/24", self.host()), "dev", outside])?;
        ip(&["link", "set", outside, "up"])?;
        self.add_address(self.client())?;
        ip(&["-n", name, "link", "set", inside, "up"])?;
        ip(&["-n", name, "link", "set", "lo", "up"])?;
        Ok(())
    }

    /// This machine, as seen from inside.
    pub const fn host(&self) -> Ipv4Addr {
        Ipv4Addr::new(self.net[0], self.net[1], self.net[2], 1)
    }

    /// Where the client is at first.
    pub const fn client(&self) -> Ipv4Addr {
        Ipv4Addr::new(self.net[0], self.net[1], self.net[2], 2)
    }

    /// Where it can move to.
    pub const fn elsewhere(&self) -> Ipv4Addr {
        Ipv4Addr::new(self.net[0], self.net[1], self.net[2], 3)
    }

    /// The client's address becomes another one: the one before is not there any more.
    pub fn move_client(&self, from: Ipv4Addr, to: Ipv4Addr) -> Result<()> {
        ip(&["-n", &self.name, "addr", "del", &format!("{from}/24"), "dev", &self.inside])?;
        self.add_address(to)
    }

    fn add_address(&self, address: Ipv4Addr) -> Result<()> {
        ip(&["-n", &self.name, "addr", "add", &format!("{address}/24"), "dev", &self.inside]).map(drop)
    }

    /// Lets the cable carry packets of so many bytes.
    pub fn set_mtu(&self, bytes: u32) -> Result<()> {
        let bytes = bytes.to_string();
        ip(&["link", "set", &self.outside, "mtu", &bytes])?;
        ip(&["-n", &self.name, "link", "set", &self.inside, "mtu", &bytes]).map(drop)
    }

    /// Lets so many megabits a second pass to the client; what waits longer than 50 ms for
    /// its turn is lost.
    pub fn narrow(&self, mbit: u32) -> Result<()> {
        let rate = format!("{mbit}mbit");
        let tbf = ["tbf", "rate", &rate, "burst", "32kb", "latency", "50ms"];
        run("tc", &[&["qdisc", "add", "dev", &self.outside, "root"][..], &tbf].concat()).map(drop)
    }

    /// Loses so many of a hundred datagrams to the client, each by chance.
    pub fn lose(&self, percent: u32) -> Result<()> {
        let rule = format!("meta l4proto udp numgen random mod 100 < {percent} drop");
        self.nft(&["add", "table", "ip", "punktfunk"])?;
        let chain = "{ type filter hook input priority 0 ; }";
        self.nft(&["add", "chain", "ip", "punktfunk", "input", chain])?;
        self.nft(&["add", "rule", "ip", "punktfunk", "input", &rule])
    }

    fn nft(&self, args: &[&str]) -> Result<()> {
        run("ip", &[&["netns", "exec", &self.name, "nft"][..], args].concat()).map(drop)
    }

    /// Does `work` inside, in a thread of its own. Threads that it starts are inside too,
    /// and so are all sockets that they open.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let namespace = File::open(format!("/run/netns/{}", self.name))?;
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                    .context("the namespace cannot be entered")?;
                work()
            });
            thread.join().map_err(|_| anyhow::anyhow!("what was done inside panicked"))?
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // With the namespace go its end of the cable and ours.
        let removed = ip(&["netns", "del", &self.name]);
        if let Err(error) = removed {
            eprintln!("the namespace {} was not removed: {error:#}", self.name);
        }
    }
}

fn ip(args: &[&str]) -> Result<String> {
    run("ip", args)
}

fn run(program: &str, args: &[&str]) -> Result<String> {
    let output = match Command::new(program).args(args).output() {
        Ok(output) => output,
        Err(error) => bail!("{program} cannot be run: {error}"),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{program} {}`: {}", args.join(" "), said.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
