//! What the user database says of the user this seat runs as.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The shell of the account this process runs as; none when nobody knows the user.
pub fn shell() -> Option<PathBuf> {
    let mut buffer = vec![0_u8; 1024];
    loop {
        // SAFETY: passwd is a plain C struct of numbers and pointers; all zero is a valid value.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut result = std::ptr::null_mut();
        let uid = rustix::process::geteuid().as_raw();
        // SAFETY: `entry`, `buffer` and `result` are valid for writing for the whole call,
        // and the length given is that of the buffer.
        let status = unsafe {
            libc::getpwuid_r(uid, &raw mut entry, buffer.as_mut_ptr().cast(), buffer.len(), &raw mut result)
        };
        if status == libc::ERANGE && buffer.len() < 1 << 20 {
            buffer.resize(buffer.len() * 2, 0);
            continue;
        }
        if status != 0 || result.is_null() || entry.pw_shell.is_null() {
            return None;
        }
        // SAFETY: on success it points to a NUL-terminated string inside `buffer`, which
        // outlives this copy.
        let shell = unsafe { CStr::from_ptr(entry.pw_shell) };
        return Some(PathBuf::from(OsStr::from_bytes(shell.to_bytes())));
    }
}
