//! Who may have devices: the kernel says who is at the other end of a connection.

use std::os::fd::AsFd;

use crate::ffi;

/// Who may connect. Root always may; without users and groups nobody else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// User ids.
    pub users: Vec<u32>,
    /// Group ids; a peer belongs to one by its primary or another group.
    pub groups: Vec<u32>,
}

impl Access {
    /// Whether the peer of this socket may have devices; its user id for the log.
    pub fn of(&self, socket: impl AsFd) -> Result<u32, Option<u32>> {
        let peer = rustix::net::sockopt::socket_peercred(&socket).map_err(|_| None)?;
        let (uid, gid) = (peer.uid.as_raw(), peer.gid.as_raw());
        // The other groups are asked for only when they decide.
        let by_group = || {
            self.groups.contains(&gid)
                || (!self.groups.is_empty()
                    && ffi::peer_groups(socket.as_fd()).iter().any(|group| self.groups.contains(group)))
        };
        if uid == 0 || self.users.contains(&uid) || by_group() { Ok(uid) } else { Err(Some(uid)) }
    }
}

/// The number of a user or group: itself, or looked up by name in a file of the format
/// of `/etc/passwd` and `/etc/group`, which both have it in the third field.
pub fn number_of(name: &str, file: &str) -> Option<u32> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    let text = std::fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    #[test]
    fn numbers_stand_for_themselves_and_names_are_looked_up() {
        assert_eq!(number_of("1000", "/nonexistent"), Some(1_000));
        assert_eq!(number_of("root", "/etc/passwd"), Some(0));
        assert_eq!(number_of("root", "/etc/group"), Some(0));
        assert_eq!(number_of("no such user", "/etc/passwd"), None);
    }

    #[test]
    fn only_who_is_named_may_connect() {
        let (socket, _peer) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        let uid = rustix::process::geteuid().as_raw();
        let gid = rustix::process::getegid().as_raw();
        let users = Access { users: vec![uid], groups: Vec::new() };
        let groups = Access { users: Vec::new(), groups: vec![gid] };
        let others = Access { users: vec![uid + 1], groups: vec![u32::MAX - 1] };
        assert_eq!(users.of(&socket), Ok(uid));
        assert_eq!(groups.of(&socket), Ok(uid));
        let refused = if uid == 0 { Ok(0) } else { Err(Some(uid)) };
        assert_eq!(others.of(&socket), refused);
        assert_eq!(Access::default().of(&socket), refused);
    }
}
