//! The ports of one host: all of them move together with the base.

/// The ports of a host, each at a fixed distance from the base (sheet, section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    base: u16,
}

impl Ports {
    /// The base every client assumes when none is entered.
    pub const DEFAULT_BASE: u16 = 47989;

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
        assert!(Ports::new(80).is_err());
    }
}
