//! How a child process begins.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Lets the child start with no signal blocked and without the right to real-time
/// scheduling: that is for the sound server alone.
pub fn start_plain(command: &mut Command) {
    start_unblocked(command);
    // SAFETY: between fork and exec only `setrlimit` is called, which is async-signal-safe,
    // on memory of this stack frame.
    unsafe {
        command.pre_exec(|| {
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // Lowering a limit is always allowed.
            libc::setrlimit(libc::RLIMIT_RTPRIO, &none);
            Ok(())
        });
    }
}

/// Lets the child start with no signal blocked. The seat blocks the signals it reads from
/// a descriptor, and a child would inherit that: it could not be terminated.
pub fn start_unblocked(command: &mut Command) {
    // SAFETY: between fork and exec only functions that are async-signal-safe are called,
    // on memory of this stack frame.
    unsafe {
        command.pre_exec(|| {
            let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
            if libc::sigemptyset(none.as_mut_ptr()) != 0
                || libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()) != 0
            {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        });
    }
}
