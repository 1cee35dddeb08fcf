//! `cargo xtask serve` and `pair`: from a bare machine to a host that listens.
//!
//! The host takes the place of this process (`exec`), so signals and the exit
//! status need no passing on. What has to be said once it listens is said by a
//! short-lived process beside it ([`announce`]).

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::packages::{self, Group};
use crate::{build, exit_code, program, web};

/// What Moonlight assumes when an address is added without a port (sheet, section 1).
const DEFAULT_PORT: u16 = 47_989;

/// How long a host may take until it listens: the first start makes an RSA key.
const PATIENCE: Duration = Duration::from_secs(60);

/// The console comes up together with the rest.
const CONSOLE_PATIENCE: Duration = Duration::from_secs(10);

/// Options of `cargo xtask serve`.
#[derive(Args)]
pub struct Options {
    /// Install missing system packages without asking
    #[arg(long)]
    yes: bool,
    /// First of the host's ports; all others move with it
    #[arg(long, value_name = "BASE", default_value_t = DEFAULT_PORT)]
    port: u16,
    /// Build optimised; this is the default and the flag only says so
    #[arg(long, conflicts_with = "profile")]
    release: bool,
    /// Cargo profile to build
    #[arg(long, value_name = "NAME", default_value = "release")]
    profile: String,
    /// Do not build the web console: no npm and no network are needed then
    #[arg(long)]
    no_console: bool,
}

/// Options of `cargo xtask pair`.
#[derive(Args)]
pub struct PairOptions {
    /// The four digits Moonlight shows
    #[arg(conflicts_with = "native")]
    pin: Option<String>,
    /// Let one punktfunk client pair: show PIN and QR code
    #[arg(long)]
    native: bool,
    /// The port `serve` was given
    #[arg(long, value_name = "BASE")]
    port: Option<u16>,
    /// The profile `serve` was given
    #[arg(long, value_name = "NAME", default_value = "release")]
    profile: String,
}

/// Options of the process that waits for the host to listen.
#[derive(Args)]
pub struct AnnounceOptions {
    /// Process of the host
    #[arg(long)]
    process: u32,
    /// The port it will listen on
    #[arg(long)]
    port: u16,
    /// The host's program, whose `claim` says how to take the console over
    #[arg(long)]
    host: PathBuf,
}

/// Sets up, builds, and becomes the host.
pub fn run(options: &Options) -> Result<ExitCode> {
    let rust = rust_is_recent_enough()?;
    println!("rust: {rust}");
    refuse_second_host(options.port)?;
    packages::ensure(&[Group::Build, Group::Run], options.yes)?;
    // First: the host carries what is in web/dist.
    if !options.no_console {
        web::build()?;
    }
    let built = build::programs(&options.profile)?;
    let folder = if program::is_root() {
        build::ensure_user()?;
        let folder = PathBuf::from(build::INSTALLED);
        build::install(&built, &folder)?;
        folder
    } else {
        built
    };

    let program = folder.join("punktfunk-host");
    start_announcer(options.port, &program)?;
    let mut host = Command::new(&program);
    host.args(["serve", "--gamestream", "--port", &options.port.to_string()]);
    without_cargo(&mut host)?;
    println!("starting {} (Ctrl-C ends it)", program.display());
    // `exec` comes back only when it failed.
    Err(host.exec()).with_context(|| format!("starting {}", program.display()))
}

/// Hands a PIN to the running host, or has it show one.
pub fn pair(options: &PairOptions) -> Result<ExitCode> {
    let host = host_program(&options.profile)?;
    let mut command = Command::new(&host);
    command.arg("pair").args(&options.pin).args(options.native.then_some("--native"));
    if let Some(port) = options.port {
        command.args(["--port", &port.to_string()]);
    }
    without_cargo(&mut command)?;
    Ok(exit_code(command.status().with_context(|| format!("starting {}", host.display()))?.success()))
}

/// Waits until the host listens, then says how to reach it and its console. Ends with
/// the host.
pub fn announce(options: &AnnounceOptions) -> Result<ExitCode> {
    let running = PathBuf::from(format!("/proc/{}", options.process));
    let since = Instant::now();
    while !listens(options.port) {
        if !running.exists() {
            // The host said why it ended; nothing to add.
            return Ok(ExitCode::FAILURE);
        }
        if since.elapsed() > PATIENCE {
            eprintln!("The host does not listen on port {} after {PATIENCE:?}.", options.port);
            return Ok(ExitCode::FAILURE);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    // Settings may have switched it off, or moved it.
    while !listens(console_port(options.port)) && since.elapsed() < CONSOLE_PATIENCE && running.exists() {
        std::thread::sleep(Duration::from_millis(100));
    }
    let addresses = own_addresses();
    print!("{}", welcome(options.port, &addresses));
    std::io::stdout().flush()?;
    introduce_console(options, &addresses);
    Ok(ExitCode::SUCCESS)
}

fn welcome(port: u16, addresses: &[IpAddr]) -> String {
    let mut text =
        String::from("\nReady. In Moonlight, add this computer (it may also find it by itself):\n");
    for address in addresses {
        text += &match (address, port) {
            (address, DEFAULT_PORT) => format!("    {address}\n"),
            (address, port) => format!("    {}\n", SocketAddr::new(*address, port)),
        };
    }
    let suffix = if port == DEFAULT_PORT { String::new() } else { format!(" --port {port}") };
    text += &format!(
        "To pair, choose it there; Moonlight shows a PIN. Enter the PIN here, in a second terminal:\n    \
         cargo xtask pair PIN{suffix}\n\n\
         Clients of punktfunk/1 use UDP port {}. To pair one, have the host show a PIN and a QR code:\n    \
         cargo xtask pair --native{suffix}\n\n",
        native_port(port)
    );
    text
}

/// Lets the host say where its console is and how to get in: link, code and QR code while
/// it has no owner, afterwards that the password counts.
fn introduce_console(options: &AnnounceOptions, addresses: &[IpAddr]) {
    let mut claim = Command::new(&options.host);
    claim.args(["claim", "--port", &options.port.to_string()]);
    // It writes to our terminal itself: it draws the code as that terminal can show it.
    if !claim.status().is_ok_and(|status| status.success()) {
        print!("{}", console(options.port, addresses));
    }
    println!();
}

/// What can be said of the console without asking the host.
fn console(port: u16, addresses: &[IpAddr]) -> String {
    let link = |address: &IpAddr| format!("    https://{}/\n", SocketAddr::new(*address, console_port(port)));
    let links: String = addresses.iter().map(link).collect();
    format!("The console; log in with your password:\n{links}")
}

/// Where the console is: beside the port of GameStream.
fn console_port(port: u16) -> u16 {
    port.saturating_add(1)
}

/// Where punktfunk/1 is unless the configuration says otherwise: as the host derives it.
fn native_port(port: u16) -> u16 {
    match port.checked_sub(DEFAULT_PORT - 9777) {
        Some(native @ 1024..) => native,
        _ => port.saturating_add(12),
    }
}

/// The addresses other machines can reach us by: those of the routes out, asked for
/// by connecting a UDP socket, which sends nothing (RFC 5737 and 3849 addresses).
fn own_addresses() -> Vec<IpAddr> {
    let toward = |bind: &str, to: &str| {
        let socket = UdpSocket::bind(bind).ok()?;
        socket.connect(to).ok()?;
        let address = socket.local_addr().ok()?.ip();
        (!address.is_unspecified()).then_some(address)
    };
    let found = [toward("0.0.0.0:0", "192.0.2.1:9"), toward("[::]:0", "[2001:db8::1]:9")];
    let found: Vec<IpAddr> = found.into_iter().flatten().collect();
    if found.is_empty() { vec![IpAddr::from([127, 0, 0, 1])] } else { found }
}

fn listens(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), Duration::from_secs(1)).is_ok()
}

fn refuse_second_host(port: u16) -> Result<()> {
    if !listens(port) {
        return Ok(());
    }
    if speaks_gamestream(port) {
        bail!(
            "a host already runs on port {port}; stop it first, or start a second one with `--port {}`",
            port.saturating_add(100)
        );
    }
    bail!(
        "another program listens on port {port}; choose other ports with `--port {}`",
        port.saturating_add(100)
    )
}

/// Whether the answer to the first request of every GameStream client looks like one.
fn speaks_gamestream(port: u16) -> bool {
    let ask = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET /serverinfo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.take(64 * 1024).read_to_end(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| String::from_utf8_lossy(&answer).contains("appversion"))
}

/// Starts the process that announces, as a grandchild: the host must not inherit a
/// child it knows nothing of.
fn start_announcer(port: u16, host: &Path) -> Result<()> {
    let me = std::env::current_exe()?;
    let mut shell = Command::new("sh");
    shell.args(["-c", "\"$0\" \"$@\" </dev/null &"]).arg(me);
    shell.args(["announce", "--process", &std::process::id().to_string(), "--port", &port.to_string()]);
    shell.arg("--host").arg(host);
    let status = shell.status().context("starting sh")?;
    if !status.success() {
        bail!("sh could not start the process that waits for the host");
    }
    Ok(())
}

/// The host that `serve` started: the installed one for root, otherwise the one built.
fn host_program(profile: &str) -> Result<PathBuf> {
    let built = build::folder(profile)?.join("punktfunk-host");
    let installed = Path::new(build::INSTALLED).join("punktfunk-host");
    let order = if program::is_root() { [installed, built] } else { [built, installed] };
    order
        .into_iter()
        .find(|path| path.is_file())
        .context("no host is built yet; run `cargo xtask serve` first")
}

/// Takes back what `cargo run` adds to the environment: applications started on a
/// seat must not see it.
fn without_cargo(command: &mut Command) -> Result<()> {
    for (key, _) in std::env::vars_os() {
        let key = key.to_string_lossy();
        if key.starts_with("CARGO_PKG_")
            || key.starts_with("CARGO_MANIFEST_")
            || key == "RUST_RECURSION_COUNT"
        {
            command.env_remove(&*key);
        }
    }
    let Some(path) = std::env::var_os("LD_LIBRARY_PATH") else { return Ok(()) };
    let target = build::target()?;
    let sysroot = program::output(Command::new("rustc").args(["--print", "sysroot"])).unwrap_or_default();
    let sysroot = sysroot.trim();
    let kept: Vec<PathBuf> = std::env::split_paths(&path)
        .filter(|entry| !entry.as_os_str().is_empty() && !entry.starts_with(&target))
        .filter(|entry| sysroot.is_empty() || !entry.starts_with(sysroot))
        .collect();
    if kept.is_empty() {
        command.env_remove("LD_LIBRARY_PATH");
    } else {
        command.env("LD_LIBRARY_PATH", std::env::join_paths(kept)?);
    }
    Ok(())
}

/// Says which Rust is there; an error when it is older than the workspace needs.
pub fn rust_is_recent_enough() -> Result<String> {
    let manifest: toml::Value =
        toml::from_str(&std::fs::read_to_string(program::root().join("Cargo.toml"))?)?;
    let wanted = manifest["workspace"]["package"]["rust-version"].as_str().unwrap_or("1.92");
    let said =
        program::output(Command::new("rustc").arg("--version")).context("rustc is not in the search path")?;
    let said = said.trim().to_owned();
    let version = said.split(' ').nth(1).unwrap_or_default();
    if numbers(version) < numbers(wanted) {
        bail!(
            "punktfunk needs Rust {wanted} or newer and found {version}; `rustup update` brings a newer one"
        );
    }
    Ok(said)
}

fn numbers(version: &str) -> Vec<u32> {
    let digits = version.split(['-', '+']).next().unwrap_or_default();
    digits.split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(numbers("1.100.0") > numbers("1.92"));
        assert!(numbers("1.92.0") >= numbers("1.92"));
        assert!(numbers("1.91.1") < numbers("1.92"));
        assert!(numbers("1.95.0-nightly") > numbers("1.92"));
        rust_is_recent_enough().unwrap();
    }

    #[test]
    fn the_port_is_named_only_when_it_is_not_the_usual_one() {
        let addresses = ["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()];
        let usual = welcome(DEFAULT_PORT, &addresses);
        assert!(usual.contains("    192.0.2.7\n    2001:db8::7\n"));
        assert!(usual.contains("cargo xtask pair PIN\n"));
        assert!(usual.contains("UDP port 9777") && usual.contains("cargo xtask pair --native\n"));
        let other = welcome(50_000, &addresses);
        assert!(other.contains("    192.0.2.7:50000\n    [2001:db8::7]:50000\n"));
        assert!(other.contains("cargo xtask pair PIN --port 50000\n"));
        assert!(other.contains("UDP port 11788") && other.contains("pair --native --port 50000\n"));
        assert_eq!(native_port(10_000), 10_012);
    }

    #[test]
    fn the_console_is_named_with_every_address() {
        let addresses = ["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()];
        let text = console(DEFAULT_PORT, &addresses);
        assert!(text.contains("log in with your password:\n"));
        assert!(text.ends_with("    https://192.0.2.7:47990/\n    https://[2001:db8::7]:47990/\n"));
    }

    #[test]
    fn a_second_host_and_another_program_are_told_apart() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        refuse_second_host(free).unwrap();

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // The first connection only looks whether somebody listens.
        let peer = std::thread::spawn(move || {
            for answer in ["", "HTTP/1.1 200 OK\r\n\r\n<root><appversion/></root>", "", "SSH-2.0\r\n"] {
                let (mut stream, _) = listener.accept().unwrap();
                if !answer.is_empty() {
                    let _ = stream.read(&mut [0; 1024]).unwrap();
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            }
        });
        assert!(refuse_second_host(port).unwrap_err().to_string().contains("a host already runs"));
        assert!(refuse_second_host(port).unwrap_err().to_string().contains("another program"));
        peer.join().unwrap();
    }
}
