//! The table of probes: one line each. `docs/doctor.md` says the same, and a test
//! compares the two.

use std::time::Duration;

use super::machine::Machine;
use super::{Area, Finding, audio, display, encoders, firewall, gpu, host, input, links, network, system};

/// What it takes to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Reads a few files: done for the host's health, too.
    Quick,
    /// Asks programs or the network; beside others.
    Slow,
    /// Runs a stage of a stream and needs the machine for itself; alone.
    Trial,
}

/// A probe.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its lasting name: the area, a dot, a word.
    pub id: &'static str,
    /// What it is about.
    pub area: Area,
    /// What it looks at, in a few words.
    pub title: &'static str,
    /// Where it looks, for the documentation.
    pub looks_at: &'static str,
    /// What it takes.
    pub cost: Cost,
    /// Looks.
    pub look: fn(&Machine) -> Finding,
}

impl Entry {
    /// A probe that takes longer hangs.
    pub const fn patience(&self) -> Duration {
        match self.cost {
            Cost::Quick => Duration::from_secs(5),
            Cost::Slow => Duration::from_secs(15),
            Cost::Trial => Duration::from_secs(120),
        }
    }
}

macro_rules! table {
    ($($area:ident { $($id:literal $cost:ident $title:literal, $looks:literal => $look:expr;)* })*) => {
        /// All probes.
        pub const TABLE: &[Entry] = &[
            $($(Entry {
                id: $id,
                area: Area::$area,
                title: $title,
                looks_at: $looks,
                cost: Cost::$cost,
                look: $look,
            },)*)*
        ];
    };
}

table! {
    System {
        "system.kernel" Quick "Kernel", "`/proc/sys/kernel/osrelease`" => system::kernel;
        "system.distribution" Quick "Distribution", "`os-release`, whether `/usr` can be written" => system::distribution;
        "system.container" Quick "Container", "`/run/systemd/container`, `/.dockerenv`" => system::container;
        "system.manager" Quick "systemd of the user", "its socket in `$XDG_RUNTIME_DIR`, `systemd-run`" => system::manager;
        "system.linger" Quick "Start without a login", "`/var/lib/systemd/linger`" => system::linger;
        "system.clock" Slow "Clock", "`timedatectl`" => system::clock;
        "system.disk" Quick "Space for state", "the file system of the state directory" => system::disk;
        "system.memory" Quick "Memory", "`/proc/meminfo`" => system::memory;
        "system.processor" Quick "Processor", "cores and vector instructions in `/proc/cpuinfo`" => system::processor;
        "system.load" Quick "Load", "`/proc/loadavg`" => system::load;
        "system.realtime" Quick "Real-time scheduling", "`RLIMIT_RTPRIO`, rtkit" => system::realtime;
        "system.governor" Quick "Power saving", "`scaling_governor` and `scaling_driver`" => system::governor;
        "system.files" Quick "Open files", "`/proc/self/limits`" => system::files;
    }
    Gpu {
        "gpu.cards" Quick "Graphics cards", "`/sys/class/drm`" => gpu::cards;
        "gpu.render" Quick "Render nodes", "`/dev/dri`, whether this user may open them" => gpu::render;
        "gpu.nvidia" Quick "NVIDIA driver", "`/proc/driver/nvidia/version`" => gpu::nvidia;
        "gpu.modeset" Quick "NVIDIA mode setting", "`nvidia_drm.modeset`" => gpu::modeset;
        "gpu.known_bad" Slow "Versions known to be bad", "kernel, drivers and programs against a table" => gpu::known_bad;
    }
    Encoders {
        "encoders.libraries" Quick "Media libraries", "the libraries this program runs with" => encoders::libraries;
        "encoders.hardware" Quick "Hardware encoders", "what is compiled in" => encoders::hardware;
        "encoders.results" Quick "Results of the trial", "`encoders.json` in the state directory" => encoders::results;
        "encoders.h264" Trial "H.264", "pictures of the Test card, coded at 720p and 1080p" => |m| encoders::speed(m, 0);
        "encoders.h264_444" Trial "H.264 4:4:4", "the same" => |m| encoders::speed(m, 1);
        "encoders.hevc" Trial "HEVC", "the same" => |m| encoders::speed(m, 2);
        "encoders.hevc_10" Trial "HEVC 10 bit", "the same" => |m| encoders::speed(m, 3);
        "encoders.hevc_444" Trial "HEVC 4:4:4", "the same" => |m| encoders::speed(m, 4);
        "encoders.hevc_10_444" Trial "HEVC 10 bit 4:4:4", "the same" => |m| encoders::speed(m, 5);
        "encoders.av1" Trial "AV1", "the same" => |m| encoders::speed(m, 6);
        "encoders.av1_10" Trial "AV1 10 bit", "the same" => |m| encoders::speed(m, 7);
        "encoders.av1_444" Trial "AV1 4:4:4", "the same" => |m| encoders::speed(m, 8);
        "encoders.av1_10_444" Trial "AV1 10 bit 4:4:4", "the same" => |m| encoders::speed(m, 9);
    }
    Input {
        "input.uinput" Quick "Making gamepads", "`/dev/uinput`, its owner and mode" => input::uinput;
        "input.uhid" Quick "Making other devices", "`/dev/uhid`, its owner and mode" => input::uhid;
        "input.broker" Slow "Broker for gamepads", "what `punktfunk-inputd` answers" => input::broker;
        "input.group" Quick "Group for gamepads", "`/etc/group`" => input::group;
        "input.rules" Quick "udev rules", "`72-punktfunk-input.rules`" => input::rules;
    }
    Audio {
        "audio.pipewire" Slow "PipeWire", "`pipewire --version`" => audio::pipewire;
        "audio.wireplumber" Slow "WirePlumber", "`wireplumber --version`" => audio::wireplumber;
        "audio.pulse" Slow "Sound of PulseAudio programs", "`pipewire-pulse --version`" => audio::pulse;
        "audio.own" Quick "This user's own sound server", "`pipewire-0` in `$XDG_RUNTIME_DIR`" => audio::own;
        "audio.seat" Trial "Sound of a seat", "the Test card's tone through a seat's sound server" => audio::seat;
    }
    Display {
        "display.program" Slow "Program of seats", "`punktfunk-seat --version`" => display::program;
        "display.xwayland" Slow "X11 applications", "`Xwayland -version`" => display::xwayland;
        "display.fonts" Slow "Fonts", "`fc-match`" => display::fonts;
        "display.terminal" Quick "Terminal", "terminals a seat knows" => display::terminal;
        "display.seat" Trial "Screen of a seat", "the Test card on a seat of 640x360 at 30" => display::seat;
    }
    Network {
        "network.ports" Slow "Ports", "each port of this host, and who holds it" => network::ports;
        "network.addresses" Quick "Addresses", "`/proc/net`" => network::addresses;
        "network.ipv6" Quick "IPv6", "`/proc/net/if_inet6`, `disable_ipv6`" => network::ipv6;
        "network.firewall" Slow "Firewall", "firewalld, ufw and nftables" => firewall::firewall;
        "network.mdns" Quick "Other mDNS programs", "Avahi and systemd-resolved" => network::mdns;
        "network.announcement" Slow "Announcement", "what answers to `_punktfunk._udp` within 2 s" => network::announcement;
        "network.buffers" Quick "UDP buffers", "`net.core.rmem_max`, `wmem_max`" => network::buffers;
        "network.drops" Quick "Lost in this machine", "UDP errors in `/proc/net/snmp`" => network::drops;
        "network.gso" Slow "Sending many at once (GSO)", "datagrams sent through the loopback" => network::gso;
        "network.gro" Slow "Receiving many at once (GRO)", "the same, received glued together" => network::gro;
        "network.link" Quick "Link", "`/sys/class/net`: state, speed, duplex" => links::link;
        "network.mtu" Quick "Packet size", "`/sys/class/net`: mtu" => links::mtu;
        "network.wifi" Slow "Wi-Fi", "wireless interfaces, `iw … get power_save`" => links::wifi;
    }
    Host {
        "host.version" Quick "Version", "this program" => host::version;
        "host.programs" Quick "Programs beside it", "`punktfunk-seat`, `punktfunk-inputd`" => host::programs;
        "host.user" Quick "User", "who the host runs as" => host::user;
        "host.running" Quick "Running host", "the owner's socket" => host::running;
        "host.settings" Quick "Settings", "the configuration" => host::settings;
        "host.state" Quick "State directory", "its owner and mode" => host::state;
        "host.secrets" Quick "Files with secrets", "modes of the files in the state directory" => host::secrets;
        "host.leftovers" Quick "Unfinished files", "`*.new` in the state directory" => host::leftovers;
        "host.certificate" Quick "Certificates", "validity and keys of both identities" => host::certificate;
        "host.clients" Quick "Paired clients", "`clients.json`" => host::clients;
        "host.claim" Quick "Owner", "whether the console was claimed" => host::claim;
        "host.seats" Quick "Old seats", "seats' directories without host or process" => host::seats;
    }
    Desktop {
        "desktop.compositor" Quick "Desktop of the machine", "compositors among the processes" => display::compositor;
        "desktop.nested" Quick "Desktops for seats", "labwc, sway, wayfire" => display::nested;
        "desktop.gamescope" Quick "gamescope that `Desktop` shows", "`gamescope-*` in `$XDG_RUNTIME_DIR`, when the setting `desktop.session` asks for it" => display::gamescope;
        "desktop.steam" Quick "Steam", "Steam among the processes" => display::steam;
    }
}
