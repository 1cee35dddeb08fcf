//! The terminal a command prints on.

use std::os::fd::AsFd;

use rustix::termios::tcgetwinsize;

/// Columns and rows of the terminal behind this file; `None` when there is none. A terminal
/// that does not know its size, as serial ones, has 80 and 24.
pub fn terminal_size(file: impl AsFd) -> Option<(usize, usize)> {
    let size = tcgetwinsize(file).ok()?;
    let or = |given: u16, else_: usize| if given == 0 { else_ } else { usize::from(given) };
    Some((or(size.ws_col, 80), or(size.ws_row, 24)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_no_terminal() {
        assert_eq!(terminal_size(std::fs::File::open("/dev/null").unwrap()), None);
    }
}
