//! The terminal a command prints on.

use std::os::fd::{AsFd, AsRawFd as _};

/// Columns and rows of the terminal behind this file; `None` when there is none. A terminal
/// that does not know its size, as serial ones, has 80 and 24.
pub fn terminal_size(file: impl AsFd) -> Option<(usize, usize)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the file is open for the whole call, and `size` is what this request fills in.
    let status = unsafe { libc::ioctl(file.as_fd().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    let or = |given: u16, else_: usize| if given == 0 { else_ } else { usize::from(given) };
    (status == 0).then(|| (or(size.ws_col, 80), or(size.ws_row, 24)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_no_terminal() {
        assert_eq!(terminal_size(std::fs::File::open("/dev/null").unwrap()), None);
    }
}
