//! Where the broker for input devices is, and starting it where no service manager does.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use punktfunk_inputd_ipc::{Refusal, SOCKET};

use super::account::Account;

/// Names the broker's socket, for tests and for brokers that were started by hand.
const VARIABLE: &str = "PUNKTFUNK_INPUTD";

/// The node without which no broker could do anything.
const NODE: &str = "/dev/uinput";

/// The broker that this process started, or why it did not.
static STARTED: OnceLock<Result<Started, String>> = OnceLock::new();

struct Started {
    socket: PathBuf,
    /// Its standard input ends with this process, and the broker with that.
    child: Child,
}

/// For a host that was started as root, before it gives root up: starts a broker that
/// serves `account` alone, unless the system has one. `port` tells hosts apart.
pub fn start_inputd(account: &Account, port: u16) {
    let served = std::env::var_os(VARIABLE).is_some() || Path::new(SOCKET).exists();
    if served || !Path::new(NODE).exists() {
        return;
    }
    // A second call would find the first one's broker.
    let _first = STARTED.get_or_init(|| {
        spawn(account, port).map_err(|error| format!("the broker for gamepads cannot be started: {error}"))
    });
}

fn spawn(account: &Account, port: u16) -> std::io::Result<Started> {
    // In a folder of root's, next to where the system's own broker listens: in one of
    // the host's user, files could be exchanged while root works on them.
    let folder = Path::new(SOCKET).parent().unwrap_or(Path::new("/run"));
    let socket = folder.join(format!("port-{port}.sock"));
    let program = std::env::current_exe()?.with_file_name("punktfunk-inputd");
    let child = Command::new(&program)
        .arg("--socket")
        .arg(&socket)
        .args(["--allow-user", &account.uid.to_string(), "--give-nodes", "--end-with-stdin"])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        // Ctrl-C in a terminal is meant for the host; the broker follows it.
        .process_group(0)
        .spawn()
        .map_err(|error| std::io::Error::new(error.kind(), format!("{}: {error}", program.display())))?;
    Ok(Started { socket, child })
}

/// Has the broker that this process started live on when the process replaces itself.
/// Returns the variable that tells the next program where it is.
pub(super) fn hand_over_inputd() -> Option<(&'static str, PathBuf)> {
    let Some(Ok(started)) = STARTED.get() else { return None };
    let stdin = started.child.stdin.as_ref()?;
    // It stays open across the change, and ends with the process as before.
    rustix::io::fcntl_setfd(stdin, rustix::io::FdFlags::empty()).ok()?;
    Some((VARIABLE, started.socket.clone()))
}

/// The socket of the broker; else why there is none and what to do.
pub fn inputd_socket() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os(VARIABLE) {
        return Ok(path.into());
    }
    match STARTED.get() {
        Some(Ok(started)) => return Ok(started.socket.clone()),
        Some(Err(why)) => return Err(why.clone()),
        None => {}
    }
    if Path::new(SOCKET).exists() {
        return Ok(SOCKET.into());
    }
    if !Path::new(NODE).exists() {
        return Err(Refusal::NoUinput.to_string());
    }
    Err("the broker for gamepads does not run: `systemctl enable --now punktfunk-inputd.socket`, \
         or start the host as root with `cargo xtask serve`, which starts a broker too"
        .to_owned())
}
