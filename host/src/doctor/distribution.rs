//! Which distribution this is, and how something is installed on it.
//!
//! Names of packages are those of Debian, Fedora, Arch and openSUSE; what is missing in the
//! table is told as a sentence.

use super::machine::Machine;

/// How packages are installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// Debian, Ubuntu and their kin.
    Apt,
    /// Fedora and its kin.
    Dnf,
    /// Arch and its kin.
    Pacman,
    /// openSUSE.
    Zypper,
    /// Fedora's immutable ones, Bazzite.
    OsTree,
    /// An image that nothing can be added to, as SteamOS.
    Image,
    /// Another one.
    Other,
}

/// Something to be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Package {
    /// PipeWire, its session manager and its stand-in for PulseAudio.
    Sound,
    /// Xwayland.
    Xwayland,
    /// The terminal foot.
    Terminal,
    /// A font, and fontconfig that finds it.
    Fonts,
    /// rtkit.
    RealTime,
    /// FFmpeg with x264, x265 and libaom.
    Codecs,
    /// A desktop for a seat.
    Desktop,
}

impl Package {
    /// Names for apt, dnf, pacman, zypper.
    const fn names(self) -> [&'static str; 4] {
        match self {
            Self::Sound => [
                "pipewire wireplumber pipewire-pulse",
                "pipewire wireplumber pipewire-pulseaudio",
                "pipewire wireplumber pipewire-pulse",
                "pipewire wireplumber pipewire-pulseaudio",
            ],
            Self::Xwayland => ["xwayland", "xorg-x11-server-Xwayland", "xorg-xwayland", "xwayland"],
            Self::Terminal => ["foot", "foot", "foot", "foot"],
            Self::Fonts => [
                "fontconfig fonts-dejavu-core",
                "fontconfig dejavu-sans-fonts",
                "fontconfig ttf-dejavu",
                "fontconfig dejavu-fonts",
            ],
            Self::RealTime => ["rtkit", "rtkit", "rtkit", "rtkit"],
            Self::Codecs => ["ffmpeg", "ffmpeg", "ffmpeg", "ffmpeg"],
            Self::Desktop => ["labwc", "labwc", "labwc", "labwc"],
        }
    }
}

/// A distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// As it calls itself.
    pub name: String,
    /// How packages are installed.
    pub manager: Manager,
    /// Its programs cannot be changed while it runs.
    pub immutable: bool,
}

impl Distribution {
    pub(super) fn of(machine: &Machine) -> Self {
        let text = ["etc/os-release", "usr/lib/os-release"].iter().find_map(|file| machine.read(file));
        let text = text.unwrap_or_default();
        let value = |wanted: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(wanted)?.strip_prefix('='));
            line.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
        };
        let kin = format!(" {} {} ", value("ID"), value("ID_LIKE"));
        let is = |names: &[&str]| names.iter().any(|name| kin.contains(&format!(" {name} ")));
        let ostree = machine.exists("run/ostree-booted");
        let read_only = machine.read("proc/mounts").is_some_and(|mounts| usr_is_read_only(&mounts));
        let manager = if ostree && is(&["fedora", "rhel", "centos"]) {
            Manager::OsTree
        } else if ostree || is(&["steamos"]) || read_only {
            Manager::Image
        } else if is(&["debian", "ubuntu"]) {
            Manager::Apt
        } else if is(&["fedora", "rhel", "centos"]) {
            Manager::Dnf
        } else if is(&["arch"]) {
            Manager::Pacman
        } else if is(&["suse", "opensuse"]) {
            Manager::Zypper
        } else {
            Manager::Other
        };
        let name = Some(value("PRETTY_NAME")).filter(|name| !name.is_empty());
        Self {
            name: name.unwrap_or_else(|| "an unknown distribution".to_owned()),
            manager,
            immutable: matches!(manager, Manager::OsTree | Manager::Image),
        }
    }

    /// The command that installs something, or a sentence where there is none.
    pub fn install(&self, package: Package) -> String {
        let [apt, dnf, pacman, zypper] = package.names();
        match self.manager {
            Manager::Apt => format!("sudo apt install {apt}"),
            Manager::Dnf => format!("sudo dnf install {dnf}"),
            Manager::Pacman => format!("sudo pacman -S {pacman}"),
            Manager::Zypper => format!("sudo zypper install {zypper}"),
            Manager::OsTree => format!("sudo rpm-ostree install {dnf}, then restart the machine"),
            Manager::Image => format!("take an image or a system extension that carries {dnf}"),
            Manager::Other => format!("install {apt}, or what your distribution calls it"),
        }
    }
}

/// Whether `/usr`, or else `/`, is mounted read-only.
fn usr_is_read_only(mounts: &str) -> bool {
    let of = |place: &str| {
        mounts.lines().rev().find_map(|line| {
            let mut fields = line.split(' ');
            (fields.nth(1)? == place).then(|| fields.nth(1).unwrap_or_default().split(',').any(|o| o == "ro"))
        })
    };
    of("/usr").or_else(|| of("/")).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::super::tests::Stand;
    use super::*;

    #[test]
    fn the_command_fits_the_distribution() {
        for (release, extra, expected) in [
            ("ID=debian\n", "", "sudo apt install foot"),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "", "sudo apt install foot"),
            ("ID=fedora\n", "", "sudo dnf install foot"),
            ("ID=cachyos\nID_LIKE=arch\n", "", "sudo pacman -S foot"),
            ("ID=opensuse-tumbleweed\nID_LIKE=\"opensuse suse\"\n", "", "sudo zypper install foot"),
            (
                "ID=bazzite\nID_LIKE=\"fedora\"\n",
                "run/ostree-booted",
                "sudo rpm-ostree install foot, then restart the machine",
            ),
            ("ID=steamos\nID_LIKE=arch\n", "", "take an image or a system extension that carries foot"),
            ("ID=own\n", "", "install foot, or what your distribution calls it"),
        ] {
            let stand = Stand::new();
            stand.file("etc/os-release", release);
            if !extra.is_empty() {
                stand.file(extra, "");
            }
            assert_eq!(stand.machine().distribution().install(Package::Terminal), expected, "{release}");
        }
    }

    #[test]
    fn a_system_without_a_name_and_a_read_only_one_are_told() {
        let stand = Stand::new();
        assert_eq!(stand.machine().distribution().name, "an unknown distribution");
        stand.file("etc/os-release", "ID=debian\nPRETTY_NAME=\"Debian 13\"\n");
        stand.file("proc/mounts", "/dev/a / ext4 rw,noatime 0 0\n/dev/b /usr erofs ro,x 0 0\n");
        let found = stand.machine().distribution();
        assert_eq!((found.name.as_str(), found.immutable), ("Debian 13", true));
    }
}
