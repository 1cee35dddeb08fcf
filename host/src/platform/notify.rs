//! What the service manager is told: that the host listens, that it is alive, that it ends.
//!
//! A datagram of `KEY=VALUE` lines to the socket that `NOTIFY_SOCKET` names (sd_notify(3)),
//! without a library. Where nobody set the variable, nothing is said and nothing fails.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The line to the service manager, if there is one.
#[derive(Debug)]
pub struct ServiceManager {
    line: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one that started this process.
    pub fn of_environment() -> Self {
        let variable = |name: &str| std::env::var_os(name);
        Self::with(
            variable("NOTIFY_SOCKET").as_deref(),
            variable("WATCHDOG_USEC").as_deref(),
            variable("WATCHDOG_PID").as_deref(),
        )
    }

    fn with(socket: Option<&OsStr>, patience: Option<&OsStr>, watched: Option<&OsStr>) -> Self {
        let nobody = Self { line: None, watchdog: None };
        let Some(socket) = socket else { return nobody };
        match open(socket) {
            Ok(line) => Self { line: Some(line), watchdog: watchdog(patience, watched) },
            Err(error) => {
                tracing::warn!(%error, "the service manager cannot be told how the host is");
                nobody
            }
        }
    }

    /// How often it wants to hear that the host is [alive](Self::alive): half the time after
    /// which it would start the host anew. `None`: never.
    pub fn interval(&self) -> Option<Duration> {
        self.watchdog
    }

    /// All ports listen; `status` is what `systemctl status` shows.
    pub fn ready(&self, status: &str) {
        // A line is a message of its own there.
        let status: String = status.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.tell(&format!("READY=1\nSTATUS={status}"));
    }

    /// The host works.
    pub fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// The host ends because it was told to.
    pub fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=Ending sessions");
    }

    fn tell(&self, message: &str) {
        let Some((socket, manager)) = &self.line else { return };
        if let Err(error) = socket.send_to_addr(message.as_bytes(), manager) {
            tracing::debug!(%error, "the service manager does not hear");
        }
    }
}

fn open(socket: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let manager = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(socket)?,
        _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "NOTIFY_SOCKET names no socket")),
    };
    let socket = UnixDatagram::unbound()?;
    // A manager that is slow must not hold the host up.
    socket.set_nonblocking(true)?;
    Ok((socket, manager))
}

fn watchdog(patience: Option<&OsStr>, watched: Option<&OsStr>) -> Option<Duration> {
    let number = |text: &OsStr| text.to_str()?.parse::<u64>().ok();
    if watched.is_some_and(|process| number(process) != Some(std::process::id().into())) {
        return None;
    }
    let half = Duration::from_micros(number(patience?)? / 2);
    // Zero is no timer.
    (half >= Duration::from_millis(1)).then_some(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(manager: &UnixDatagram) -> String {
        manager.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut bytes = [0; 256];
        let length = manager.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    #[test]
    fn the_manager_hears_when_the_host_is_ready_alive_and_stopping() {
        let name = format!("pfh-notify-{}", std::process::id());
        let path = std::env::temp_dir().join(&name);
        let managers = [
            (path.clone().into_os_string(), UnixDatagram::bind(&path).unwrap()),
            (
                format!("@{name}").into(),
                UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap(),
            ),
        ];
        for (socket, manager) in managers {
            let host = ServiceManager::with(Some(&socket), Some(OsStr::new("60000000")), None);
            assert_eq!(host.interval(), Some(Duration::from_secs(30)));
            host.ready("all\nwell");
            assert_eq!(heard(&manager), "READY=1\nSTATUS=all well");
            host.alive();
            assert_eq!(heard(&manager), "WATCHDOG=1");
            host.stopping();
            assert!(heard(&manager).starts_with("STOPPING=1\n"));
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn without_a_manager_nothing_is_said_and_nothing_fails() {
        for socket in [None, Some(""), Some("relative"), Some("/nonexistent/socket")] {
            let host = ServiceManager::with(socket.map(OsStr::new), None, None);
            assert_eq!(host.interval(), None, "{socket:?}");
            host.ready("ready");
            host.alive();
        }
    }

    #[test]
    fn the_watchdog_is_ours_and_has_time() {
        let own = std::process::id().to_string();
        let time = |patience: &str, watched: Option<&str>| {
            watchdog(Some(OsStr::new(patience)), watched.map(OsStr::new))
        };
        assert_eq!(time("2000000", Some(&own)), Some(Duration::from_secs(1)));
        assert_eq!(time("2000000", Some("1")), None);
        for wrong in ["", "0", "1", "-5", "soon", "99999999999999999999999"] {
            assert_eq!(time(wrong, None), None, "{wrong}");
        }
    }
}
