//! The running system: who we are, where files belong, giving up root.
//!
//! The only module of the host with `unsafe` and with knowledge of the operating
//! system's accounts. It knows nothing of sessions, protocols or configuration.
#![expect(unsafe_code, reason = "account and environment calls have no safe form")]

mod account;
mod atomic;
pub mod command;
mod inhibit;
mod inputd;
mod libraries;
mod notify;
mod places;
mod ports;
mod processes;
mod realtime;
mod restart;
mod terminal;

use std::io;
use std::path::PathBuf;

pub use account::{Account, PlatformError, Scope, current_user_id, drop_root};
pub use atomic::{WriteError, make_private_dir, private_options, read_bounded, write_public, write_whole};
pub use inhibit::Inhibitor;
pub use inputd::{inputd_socket, start_inputd};
pub use libraries::media_libraries;
pub use notify::ServiceManager;
pub use places::Places;
pub use ports::listener_of;
pub use processes::{Process, own_processes};
pub use realtime::report_real_time;
pub use restart::{note_start, start_anew};
pub use terminal::terminal_size;

/// Gives memory that was freed back to the system. The allocator keeps it for each
/// thread that ever was; a stream has many, and after a hundred of them that is tens of
/// megabytes. Takes a few milliseconds.
pub fn give_back_memory() {
    // SAFETY: it takes no pointer and may be called from any thread at any time.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
}

/// The name of this machine without its domain.
pub fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let short: String = name.trim().split('.').next().unwrap_or_default().chars().take(30).collect();
    if short.is_empty() { "punktfunk".to_owned() } else { short }
}

/// The program of ours that is installed beside this one.
pub fn program_beside(name: &str) -> io::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name(name);
    match program.metadata() {
        Ok(_) => Ok(program),
        Err(error) => {
            let text = format!("{} is missing: install {name} beside punktfunk-host", program.display());
            Err(io::Error::new(error.kind(), text))
        }
    }
}

/// Completes when the process is asked to end: SIGTERM, or Ctrl-C. Must be called
/// inside the runtime.
pub async fn end_requested() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
