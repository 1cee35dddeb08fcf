//! Every setting of a host, once. The reference, the JSON Schema, the form of the console
//! and what is refused in a file all follow from here.
//!
//! A new setting needs its line here and its field in `super::File`; a test says when
//! one of them is missing, or when they disagree.

use std::net::IpAddr;

use super::schema::{Form, Kind, Preset, Reach, Setting};
use super::value::Value;
use super::{Compositor, Config, Ports, SoftwareEncoder, TestEncoder};

/// The groups, in the order a form shows them: id and title.
pub static GROUPS: &[(&str, &str)] = &[
    ("general", "General"),
    ("sessions", "Sessions"),
    ("desktop", "Desktop"),
    ("keyboard", "Keyboard"),
    ("library", "Library"),
    ("encoder", "Picture"),
    ("native", "punktfunk clients"),
    ("gamestream", "Moonlight clients"),
    ("api", "Console and API"),
    ("log", "Log"),
    ("test", "Tests"),
];

/// Every setting, in the order of the reference.
pub static SETTINGS: &[Setting] = &[
    setting("name", "Name", Kind::Text(NAME), Preset::OfMachine("the name of the machine"), |c| {
        text(&c.name)
    })
    .help("What clients show for this host.")
    .live(|live, new| live.name.clone_from(&new.name)),
    setting("port", "Port base", PORT_BASE, Preset::Integer(Ports::DEFAULT_BASE as i64), |c| {
        number(c.ports.base())
    })
    .help(
        "All ports move with it (`--port` wins). The console is at +1. Those of GameStream: HTTPS −5, HTTP 0, \
         video +9, control +10, audio +11, RTSP +21. The state directory depends on it, so the console \
         cannot change it.",
    )
    .files_only()
    .advanced(),
    setting("native.port", "UDP port", USER_PORT, Preset::Nothing("9777, moved with the base"), |c| {
        c.native.port.map(Value::from)
    })
    .help(
        "UDP port of punktfunk/1 (`--native-port` wins). Without it: 9777 + (`port` − 47989), or `port` + 12 \
         where that would be below 1024.",
    )
    .advanced(),
    setting("native.bind", "Address", ADDRESS, Preset::Nothing("all addresses"), |c| {
        address(c.native.bind)
    })
    .help("The one address that punktfunk/1 listens on, such as `\"192.168.1.20\"` or `\"::1\"`.")
    .advanced(),
    setting("native.trust_on_first_use", "Trust on first use", Kind::Bool, Preset::Bool(false), |c| {
        flag(c.native.trust_on_first_use)
    })
    .help(
        "`true`: a punktfunk client that is not paired is paired when it comes for the first time, with the \
         access `play`. Only for a network where nobody is who should not play: whoever reaches the port gets \
         a session. The log says loudly that it is on.",
    )
    .advanced(),
    setting("gamestream.enabled", "Serve Moonlight", Kind::Bool, Preset::Bool(false), |c| {
        flag(c.gamestream.enabled)
    })
    .help("Serve GameStream clients such as Moonlight, too (`--gamestream` wins)."),
    setting("sessions.max", "Sessions at one time", integer(1, 64), Preset::Integer(8), |c| {
        i64::try_from(c.sessions.max).ok().map(Value::Integer)
    })
    .help("Applications that may run at one time, one for each client.")
    .live(|live, new| live.sessions.max = new.sessions.max),
    setting("sessions.shared", "One household", Kind::Bool, Preset::Bool(false), |c| {
        flag(c.sessions.shared)
    })
    .help(
        "`true` for one household: every paired client sees, resumes and quits what nobody watches. \
         Otherwise each client only its own.",
    )
    .live(|live, new| live.sessions.shared = new.sessions.shared),
    setting("sessions.keep_minutes", "Keep applications", MINUTES, Preset::Integer(60), |c| {
        number(c.sessions.keep_minutes)
    })
    .help("Minutes that an application runs on after its client left; `0`: until somebody quits it.")
    .live(|live, new| live.sessions.keep_minutes = new.sessions.keep_minutes),
    setting("sessions.compositor", "Screen of a game", COMPOSITOR, Preset::Text("own"), |c| {
        Some(Value::from(match c.sessions.compositor {
            Compositor::Own => "own",
            Compositor::Gamescope => "gamescope",
        }))
    })
    .help(
        "Who draws the screen of a game or another application: `\"own\"` is punktfunk itself, \
         `\"gamescope\"` a gamescope for each, which has to be installed. `Desktop` and `Test card` are always \
         drawn by punktfunk.",
    )
    .advanced(),
    setting("desktop.session", "What Desktop shows", Kind::Text(COMMAND), Preset::Text("auto"), |c| {
        c.apps.desktop_session().map(Value::from)
    })
    .help(
        "What `Desktop` shows: `\"own\"` (our windows, launcher and a terminal), a command that starts a \
         compositor, such as `\"sway\"`, or `\"auto\"`: the first of labwc, sway and wayfire that is installed and \
         that you have a configuration of. A compositor that shows nothing within 10 s, or ends within 3 s \
         more, makes room for our own desktop; the log of the seat says why. `\"gamescope\"` shows what runs \
         already: the gamescope in the session of the host's user, such as Steam's game mode. It is left \
         running.",
    ),
    setting("keyboard.layout", "Layout", Kind::Text(LAYOUT), OF_LOCALE, |c| text(&c.keyboard.layout))
        .help("XKB layout of a seat, such as `\"de\"` or `\"us,ru\"`."),
    setting("keyboard.variant", "Variant", Kind::Text(XKB), Preset::OfMachine("from the locale, else none"), |c| {
        text(&c.keyboard.variant)
    })
    .help("XKB variant, such as `\"nodeadkeys\"`; needs a layout beside it."),
    setting("keyboard.options", "Options", Kind::Text(XKB), Preset::Text(""), |c| text(&c.keyboard.options))
        .help("XKB options, such as `\"compose:ralt\"`."),
    setting("library.steam", "Steam", Kind::Bool, Preset::Bool(true), |c| flag(c.library.steam))
        .help("Offer the games that Steam has installed."),
    setting("library.heroic", "Heroic", Kind::Bool, Preset::Bool(true), |c| flag(c.library.heroic))
        .help("Offer the games that Heroic has installed."),
    setting("library.lutris", "Lutris", Kind::Bool, Preset::Bool(true), |c| flag(c.library.lutris))
        .help("Offer the games that Lutris knows."),
    setting("library.flatpak", "Flatpak", Kind::Bool, Preset::Bool(true), |c| flag(c.library.flatpak))
        .help("Offer the games among the installed Flatpaks."),
    setting("library.desktop", "Desktop entries", Kind::Bool, Preset::Bool(false), |c| flag(c.library.desktop))
        .help("Offer the games of the menu, by their desktop entries."),
    setting("encoder.software", "Software encoder", SOFTWARE, Preset::Text("auto"), |c| {
        Some(Value::from(match c.encoder.software {
            SoftwareEncoder::Auto => "auto",
            SoftwareEncoder::X264 => "x264",
            SoftwareEncoder::OpenH264 => "openh264",
        }))
    })
    .help(
        "What makes H.264: `\"x264\"` (FFmpeg with libx264), `\"openh264\"`, or with `\"auto\"` the first of \
         the two that works.",
    )
    .advanced(),
    setting("encoder.fec_percentage", "Parity", PERCENT, Preset::Integer(20), |c| {
        number(c.encoder.fec_percentage)
    })
    .help(
        "Parity shards for each 100 data shards. Losses the client reports raise it to 50 for a while; 0 \
         switches error correction off.",
    )
    .advanced(),
    setting("api.enabled", "Serve the console", Kind::Bool, Preset::Bool(true), |c| flag(c.api.enabled))
        .help(
            "Serve the console and the management API over HTTPS. With `false` only the commands of this \
             machine are left.",
        )
        .advanced(),
    setting("api.port", "TCP port", USER_PORT, Preset::Nothing("`port` + 1"), |c| {
        c.api.port.map(Value::from)
    })
    .help("TCP port of the console and the management API.")
    .advanced(),
    setting("api.bind", "Address", ADDRESS, Preset::Nothing("all addresses"), |c| address(c.api.bind))
        .help("The one address that the console listens on, such as `\"192.168.1.20\"` or `\"::1\"`.")
        .advanced(),
    setting("api.hosts", "Names of this host", HOST_NAMES, Preset::EmptyList, |c| {
        Some(Value::List(c.api.hosts.clone()))
    })
    .help(
        "More names by which browsers may call this host, such as `[\"games.example.net\"]`. Its addresses, \
         `localhost`, its own name and that with `.local` need no entry.",
    )
    .live(|live, new| live.api.hosts.clone_from(&new.api.hosts))
    .advanced(),
    setting("api.metrics", "Metrics", Kind::Bool, Preset::Bool(false), |c| flag(c.api.metrics))
        .help("Serve `/metrics` for Prometheus, to tokens with the scope `metrics`.")
        .advanced(),
    setting("log.level", "Log", Kind::Text(FILTER), Preset::Text("info"), |c| text(&c.log))
        .help(
            "`\"debug\"`, `\"trace\"`, or a filter such as `\"info,punktfunk_host::serve=debug\"`; `RUST_LOG` \
             wins, then `PUNKTFUNK_LOG`. Seats heed only `PUNKTFUNK_LOG`.",
        )
        .live(|live, new| live.log.clone_from(&new.log)),
    setting("test.drop_percent", "Drop datagrams", DROPS, Preset::Number(0.0), |c| {
        Some(Value::Number(c.test.drop_percent))
    })
    .help("For tests: throw away so many of 100 video datagrams. The log says loudly that it is on.")
    .advanced(),
    setting("test.fec_percentage", "Fixed parity", integer(0, 200), NONE, |c| {
        c.test.fec_percentage.map(Value::from)
    })
    .help("For tests: always this much parity, whatever is lost.")
    .advanced(),
    setting("test.fail_encoder_after", "Fail encoders after", COUNT, NONE, |c| {
        c.test.fail_encoder_after.map(Value::from)
    })
    .help("For tests: each encoder of a stream fails after so many pictures.")
    .advanced(),
    setting("test.fail_encoder_times", "Encoders to fail", COUNT, Preset::Integer(1), |c| {
        number(c.test.fail_encoder_times.unwrap_or(1))
    })
    .help("For tests: so many encoders of each stream, then they work.")
    .advanced(),
    setting("test.panic_encoder_after", "Panic after", COUNT, NONE, |c| {
        c.test.panic_encoder_after.map(Value::from)
    })
    .help("For tests: the thread of the encoder panics after so many pictures.")
    .advanced(),
    setting("test.encoder", "Stand-in encoder", STAND_IN, NONE, |c| {
        c.test.encoder.map(|encoder| match encoder {
            TestEncoder::Synthetic => Value::from("synthetic"),
        })
    })
    .help("For measurements: `\"synthetic\"` sends H.264 access units of the right size that show nothing.")
    .advanced(),
];

/// One key of an `[[app]]` entry.
pub struct AppKey {
    /// Its name.
    pub key: &'static str,
    /// What it may be, for people.
    pub values: &'static str,
    /// What it is when it is missing.
    pub preset: &'static str,
    /// What it means.
    pub help: &'static str,
}

/// What an `[[app]]` entry has.
pub static APP_KEYS: &[AppKey] = &[
    AppKey {
        key: "name",
        values: "printable text",
        preset: "–",
        help: "Title of an application (one `[[app]]` for each); every title once.",
    },
    AppKey {
        key: "command",
        values: "a text or a list of texts",
        preset: "–",
        help: "A list of arguments, or one line that `/bin/sh` runs.",
    },
    AppKey {
        key: "env",
        values: "a table of texts",
        preset: "none",
        help: "Variables added to its environment, after those of the seat.",
    },
    AppKey {
        key: "id",
        values: "a whole number from 1000 to 2147483647",
        preset: "from the name",
        help: "Only needed to rename an application without clients losing its box art.",
    },
];

const NONE: Preset = Preset::Nothing("none");
const OF_LOCALE: Preset = Preset::OfMachine("from the locale, else `\"us\"`");
const PORT_BASE: Kind = integer(1029, 65_000);
const USER_PORT: Kind = integer(1024, 65_535);
const COUNT: Kind = integer(0, u32::MAX as i64);
const MINUTES: Kind = Kind::Integer { min: 0, max: u32::MAX as i64, unit: Some("min") };
const PERCENT: Kind = Kind::Integer { min: 0, max: 100, unit: Some("%") };
const DROPS: Kind = Kind::Number { min: 0.0, max: 100.0, unit: Some("%") };
const SOFTWARE: Kind =
    Kind::Choice(&[("auto", "The first that works"), ("x264", "x264"), ("openh264", "OpenH264")]);
const COMPOSITOR: Kind = Kind::Choice(&[("own", "punktfunk"), ("gamescope", "gamescope")]);
const STAND_IN: Kind = Kind::Choice(&[("synthetic", "No pictures")]);
const ADDRESS: Kind = Kind::Text(Form {
    min_bytes: 2,
    max_bytes: 45,
    pattern: Some(r"^[0-9A-Fa-f:.]+$"),
    what: "an IP address",
    check: |text| text.parse::<IpAddr>().is_ok(),
});
const NAME: Form = Form {
    min_bytes: 1,
    max_bytes: 60,
    pattern: Some(PRINTABLE),
    what: "1 to 60 bytes of printable text",
    check: is_printable,
};
const COMMAND: Form = Form {
    min_bytes: 1,
    max_bytes: 1024,
    pattern: Some(PRINTABLE),
    what: "`\"auto\"`, `\"own\"`, `\"gamescope\"` or a command of at most 1024 bytes",
    check: |text| is_printable(text) && !text.trim().is_empty(),
};
const LAYOUT: Form = Form { min_bytes: 1, ..XKB };
const XKB: Form = Form {
    min_bytes: 0,
    max_bytes: 200,
    pattern: Some(r"^[A-Za-z0-9_,:\(\)+\-]*$"),
    what: "XKB names such as `\"de\"` or `\"us,ru\"`",
    check: |text| text.chars().all(|c| c.is_ascii_alphanumeric() || "_-,:()+".contains(c)),
};
const FILTER: Form = Form {
    min_bytes: 1,
    max_bytes: 1024,
    pattern: Some(PRINTABLE),
    what: "a level such as `\"debug\"`, or a filter such as `\"info,punktfunk_host::serve=debug\"`",
    check: |text| is_printable(text) && tracing_subscriber::EnvFilter::try_new(text).is_ok(),
};
const HOST_NAMES: Kind = Kind::List {
    max_items: 64,
    item: Form {
        min_bytes: 1,
        max_bytes: 253,
        pattern: Some(r"^[A-Za-z0-9]([A-Za-z0-9.\-]*[A-Za-z0-9])?$"),
        what: "a name of DNS",
        check: is_dns_name,
    },
};
const PRINTABLE: &str = r"^[^\x00-\x1f\x7f-\x9f]+$";

const fn setting(
    key: &'static str,
    title: &'static str,
    kind: Kind,
    preset: Preset,
    read: fn(&Config) -> Option<Value>,
) -> Setting {
    Setting { key, title, help: "", kind, preset, advanced: false, reach: Reach::Restart, read }
}

impl Setting {
    const fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    const fn advanced(self) -> Self {
        Self { advanced: true, ..self }
    }

    const fn live(self, carry: fn(&mut Config, &Config)) -> Self {
        Self { reach: Reach::Live(carry), ..self }
    }

    const fn files_only(self) -> Self {
        Self { reach: Reach::FilesOnly, ..self }
    }
}

const fn integer(min: i64, max: i64) -> Kind {
    Kind::Integer { min, max, unit: None }
}

fn is_printable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

fn is_dns_name(text: &str) -> bool {
    text.split('.').all(|label| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    })
}

fn flag(value: bool) -> Option<Value> {
    Some(Value::Bool(value))
}

fn number(value: impl Into<Value>) -> Option<Value> {
    Some(value.into())
}

fn text(text: &str) -> Option<Value> {
    Some(Value::from(text))
}

fn address(address: Option<IpAddr>) -> Option<Value> {
    address.map(|address| Value::Text(address.to_string()))
}
