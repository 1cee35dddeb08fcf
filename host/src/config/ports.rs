//! The ports of one host: all of them move together with the base.

/// The ports of a host, each at a fixed distance from the base (sheet, section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    base: u16,
}

impl Ports {
    /// The base every client assumes when none is entered.
    pub const DEFAULT_BASE: u16 = 47989;

    /// Where punktfunk/1 is with the default base.
    pub const DEFAULT_NATIVE: u16 = 9777;

    /// The ports around `base`, the HTTP port.
    pub fn new(base: u16) -> Result<Self, String> {
        if (1029..=65_000).contains(&base) {
            Ok(Self { base })
        } else {
            Err(format!("the port base {base} cannot be used: choose one from 1029 to 65000"))
        }
    }

    /// The base itself.
    pub const fn base(self) -> u16 {
        self.base
    }

    /// TCP: HTTPS, with client certificates.
    pub const fn https(self) -> u16 {
        self.base - 5
    }

    /// TCP: HTTP.
    pub const fn http(self) -> u16 {
        self.base
    }

    /// TCP: the console and the management API, unless they are elsewhere.
    pub const fn api(self) -> u16 {
        self.base + 1
    }

    /// What of GameStream is served on this TCP port.
    pub(super) fn tcp_use(self, port: u16) -> Option<&'static str> {
        [(self.https(), "HTTPS"), (self.http(), "HTTP"), (self.rtsp(), "RTSP")]
            .into_iter()
            .find_map(|(taken, what)| (taken == port).then_some(what))
    }

    /// TCP: RTSP.
    pub const fn rtsp(self) -> u16 {
        self.base + 21
    }

    /// UDP: video.
    pub const fn video(self) -> u16 {
        self.base + 9
    }

    /// UDP: control.
    pub const fn control(self) -> u16 {
        self.base + 10
    }

    /// UDP: audio.
    pub const fn audio(self) -> u16 {
        self.base + 11
    }

    /// UDP: punktfunk/1. As far from 9777 as the base is from its default; just behind the
    /// other ports for a base so low that this would be no port for users.
    pub const fn native(self) -> u16 {
        match self.base.checked_sub(Self::DEFAULT_BASE - Self::DEFAULT_NATIVE) {
            Some(port @ 1024..) => port,
            _ => self.base + 12,
        }
    }
}

impl Default for Ports {
    fn default() -> Self {
        Self { base: Self::DEFAULT_BASE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_ports_are_those_of_the_field() {
        let ports = Ports::default();
        assert_eq!((ports.https(), ports.http(), ports.rtsp()), (47984, 47989, 48010));
        assert_eq!((ports.video(), ports.control(), ports.audio()), (47998, 47999, 48000));
        assert_eq!(ports.native(), 9777);
        assert!(Ports::new(80).is_err());
    }

    #[test]
    fn every_base_has_a_native_port_that_is_none_of_its_others() {
        for base in 1029..=65_000 {
            let ports = Ports::new(base).unwrap();
            let others = [ports.video(), ports.control(), ports.audio()];
            assert!(ports.native() >= 1024 && !others.contains(&ports.native()), "{base}");
        }
        assert_eq!(Ports::new(48_089).unwrap().native(), 9877);
        assert_eq!(Ports::new(10_000).unwrap().native(), 10_012);
    }
}
