//! Which plane a datagram belongs to, by its first byte (section 1).

/// A plane of the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plane {
    /// QUIC with a short header: it belongs to a connection that stands.
    Established,
    /// QUIC with a long header: a handshake, from anybody.
    Handshake,
    /// Video and the reports about it.
    Media,
    /// Nobody's.
    Stray,
}

/// The plane of a datagram.
pub fn plane(datagram: &[u8]) -> Plane {
    match datagram.first() {
        Some(first) if first & 0xC0 == 0x40 => Plane::Established,
        Some(first) if first & 0xC0 == 0xC0 => Plane::Handshake,
        // 10pxxkkk: the two bits between phase and kind are 0.
        Some(first) if first & 0xD8 == 0x80 => Plane::Media,
        _ => Plane::Stray,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_first_byte_has_one_plane() {
        let count = |wanted| (0..=255_u8).filter(|byte| plane(&[*byte, 0]) == wanted).count();
        assert_eq!(count(Plane::Established), 64);
        assert_eq!(count(Plane::Handshake), 64);
        assert_eq!(count(Plane::Media), 16);
        assert_eq!(count(Plane::Stray), 112);
        assert_eq!(plane(&[]), Plane::Stray);
        for media in [0x80, 0x81, 0x82, 0xA0, 0xA7] {
            assert_eq!(plane(&[media]), Plane::Media, "{media:#x}");
        }
        for stray in [0x00, 0x3F, 0x88, 0x90, 0x98, 0xA8, 0xB8] {
            assert_eq!(plane(&[stray]), Plane::Stray, "{stray:#x}");
        }
    }
}
