//! Who listens on a TCP port, for error messages.

use std::path::Path;

/// The name and number of the process that listens on TCP `port`, when the system
/// lets us see it.
pub fn listener_of(port: u16) -> Option<String> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| table.lines().filter_map(|line| listening_inode(line, port)).collect::<Vec<_>>())
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(files) = std::fs::read_dir(process.path().join("fd")) else { continue };
        for file in files.flatten() {
            let Ok(target) = std::fs::read_link(file.path()) else { continue };
            if inodes.iter().any(|inode| Path::new(inode) == target) {
                let program = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
                return Some(format!("{} (process {pid})", program.trim()));
            }
        }
    }
    None
}

/// The inode of a line of `/proc/net/tcp` that is a listener on `port`.
fn listening_inode(line: &str, port: u16) -> Option<String> {
    /// `TCP_LISTEN` as the table shows it.
    const LISTEN: &str = "0A";
    let mut fields = line.split_whitespace();
    let local = fields.nth(1)?;
    let found = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
    let state = fields.nth(1)?;
    (found == port && state == LISTEN).then(|| fields.nth(5).map(str::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_listener_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let owner = listener_of(listener.local_addr().unwrap().port()).unwrap();
        assert!(owner.contains(&format!("process {}", std::process::id())), "{owner}");
    }
}
