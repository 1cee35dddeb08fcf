//! The arguments, as `--help` shows them.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};

/// Streams this machine to its paired clients.
#[derive(Debug, Parser)]
#[command(
    name = "punktfunk-host",
    version,
    about = "Streams this machine to its paired clients",
    after_help = "Examples:\n  \
        punktfunk-host serve                  serve punktfunk clients\n  \
        punktfunk-host serve --gamestream     serve Moonlight clients, too\n  \
        punktfunk-host pair --native          let a punktfunk client pair: shows PIN and QR code\n  \
        punktfunk-host pair                   enter the PIN that Moonlight shows\n  \
        punktfunk-host clients revoke tv      forget a client and end its stream\n\n\
        Configuration: /etc/punktfunk/punktfunk.toml, or ~/.config/punktfunk/punktfunk.toml for\n\
        a user. All commands of one host take the same --port, --state and --config."
)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// A call of the management API.
#[derive(Debug, ClapArgs)]
pub struct CtlArgs {
    /// Which operation, such as devices.revoke; all are listed when it is left out
    pub operation: Option<String>,
    /// Values of path, query and body
    #[arg(value_name = "KEY=VALUE")]
    pub values: Vec<String>,
    /// The whole body as JSON, or - to read it from standard input
    #[arg(long, value_name = "JSON")]
    pub body: Option<String>,
    /// Write the answer to this file
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print JSON, also for errors
    #[arg(long)]
    pub json: bool,
    /// The socket of the host, where it is not in the usual place
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Which host.
    #[command(flatten)]
    pub places: Places,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the host until it is stopped
    #[command(after_help = "Examples:\n  \
        punktfunk-host serve\n  \
        punktfunk-host serve --gamestream --port 48989    a second host on this machine\n\n\
        Ports: UDP 9777 (punktfunk/1), as far from there as the base from 47989; and by\n\
        their distance from the base: TCP +1 (console and API, HTTPS). With --gamestream: TCP -5\n\
        (HTTPS), 0 (HTTP), +21 (RTSP); UDP +9 (video), +10 (control), +11 (audio). Started as root it runs as the user punktfunk.")]
    Serve {
        /// Serve GameStream clients such as Moonlight, too
        #[arg(long)]
        gamestream: bool,
        /// UDP port of punktfunk/1 [default: the configuration's, else 9777 moved with the base]
        #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1024..))]
        native_port: Option<u16>,
        /// Do not serve console and API over the network; `punktfunk-host ctl` still works
        #[arg(long)]
        no_console: bool,
        /// Which host.
        #[command(flatten)]
        places: Places,
    },
    /// Pair a client: enter the PIN that Moonlight shows, or let a punktfunk client pair
    #[command(after_help = "Examples:\n  \
        punktfunk-host pair --native                 show PIN and QR code for two minutes\n  \
        punktfunk-host pair --native --access view,pads --expires 7d\n  \
        punktfunk-host pair                          wait for Moonlight, ask for its PIN\n  \
        punktfunk-host pair 1234 --name \"living room\"\n  \
        punktfunk-host pair 1234 --client 7          when several clients wait")]
    Pair {
        /// The four digits Moonlight shows; asked for when left out
        #[arg(conflicts_with = "native")]
        pin: Option<String>,
        /// Let one punktfunk client pair within two minutes
        #[arg(long, conflicts_with = "client")]
        native: bool,
        /// What it may do: all, play, or some of view, pointer, keyboard, pads, clipboard,
        /// microphone, launch, power, manage
        #[arg(long, value_name = "WORDS", requires = "native", default_value = "play")]
        access: String,
        /// Until when: 30m, 12h, 7d, 2026-12-31 or never
        #[arg(long, value_name = "TIME", requires = "native", default_value = "never")]
        expires: String,
        /// Which client, when several wait: its number in the list
        #[arg(long, value_name = "ID")]
        client: Option<u64>,
        /// What to call the client
        #[arg(long)]
        name: Option<String>,
        /// Print the outcome as JSON
        #[arg(long)]
        json: bool,
        /// Which host.
        #[command(flatten)]
        places: Places,
    },
    /// Show what makes this host one's own, or make it nobody's again
    #[command(after_help = "Examples:\n  \
        punktfunk-host claim            the link, its QR code and the secret, until the host is claimed\n  \
        punktfunk-host claim --reset    forget the owner's password: the host can be claimed anew")]
    Claim {
        /// Forget the password and make a new secret; browsers are logged out
        #[arg(long)]
        reset: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Which host.
        #[command(flatten)]
        places: Places,
    },
    /// Show on this screen where the host is reached and what makes it one's own
    #[command(after_help = "Examples:\n  \
        punktfunk-host welcome           fill this terminal, and keep up with what changes\n  \
        punktfunk-host welcome --once    print it as text as soon as it is known\n\n\
        The image runs it on the screen of the machine, and once on a serial console.")]
    Welcome {
        /// Print it once, for a serial console
        #[arg(long)]
        once: bool,
        /// Which host.
        #[command(flatten)]
        places: Places,
    },
    /// Ask a running host for any operation of its management API
    #[command(after_help = "Examples:\n  \
        punktfunk-host ctl                                what there is\n  \
        punktfunk-host ctl host.show --json\n  \
        punktfunk-host ctl devices.revoke id=0123…\n  \
        punktfunk-host ctl tokens.create name=panel scope=view\n  \
        punktfunk-host ctl events topics=sessions,pairing  follow what happens\n\n\
        Exit status: 0 done, 2 not understood, 3 no host is running, 4 refused, 5 not found,\n\
        6 conflict, 7 invalid, 8 too many, 9 the host failed.")]
    Ctl(CtlArgs),
    /// Print the description of the management API (OpenAPI)
    Openapi,
    /// List paired clients, settle what they may do and how long, or revoke them
    #[command(after_help = "Examples:\n  \
        punktfunk-host clients                            who is paired\n  \
        punktfunk-host clients access guest view,pads     what a punktfunk client may do, from now on\n  \
        punktfunk-host clients expire guest 7d            trust it for a week\n  \
        punktfunk-host clients revoke guest               forget it and end its stream")]
    Clients {
        /// `list` when left out.
        #[command(subcommand)]
        action: Option<ClientsAction>,
        /// Print JSON
        #[arg(long, global = true)]
        json: bool,
        /// Which host.
        #[command(flatten)]
        places: Places,
    },
    /// List who plays what, or end it
    #[command(after_help = "Examples:\n  \
        punktfunk-host sessions               who plays what, at which size, since when\n  \
        punktfunk-host sessions end 2         end the application with that number\n  \
        punktfunk-host sessions end tv        end what the client tv has running")]
    Sessions {
        /// `list` when left out.
        #[command(subcommand)]
        action: Option<SessionsAction>,
        /// Print JSON
        #[arg(long, global = true)]
        json: bool,
        /// Which host.
        #[command(flatten)]
        places: Places,
    },
    /// Look at the settings: what is wrong, what applies, what one means
    #[command(after_help = "Examples:\n  \
        punktfunk-host config check                   all mistakes in the files of this host\n  \
        punktfunk-host config check punktfunk.toml    those of one file\n  \
        punktfunk-host config show                    every value, and where it is set\n  \
        punktfunk-host config explain sessions.max    what a setting does\n\n\
        The exit status of `check` is 0 when there is no mistake, else 1.")]
    Config {
        /// What to do.
        #[command(subcommand)]
        action: ConfigAction,
        /// Which host.
        #[command(flatten)]
        places: Places,
    },
    /// Try a screen: a seat with the Test card, looked at for a while
    DisplayTest(Trial),
    /// Try how frames reach the encoder: when they come, how old they are
    CaptureTest(Trial),
    /// Try every encoder on pictures of the Test card: what works, and how fast
    EncodeTest(Trial),
    /// Try the sound of a seat: is the tone of the Test card heard
    AudioTest(Trial),
    /// Try the pointer: is it seen where it was put, and how soon
    InputTest(Trial),
    /// Find out why something does not work: probes of this machine, and what mends it
    #[command(after_help = "Examples:\n  \
        punktfunk-host doctor                        all probes; half a minute\n  \
        punktfunk-host doctor --area network         those of one area\n  \
        punktfunk-host doctor --fix clear-seats      carry a fix out that a probe named\n\n\
        Probes only look. The exit status is 1 when something does not work.")]
    Doctor {
        /// system, gpu, encoders, input, audio, display, network, host or desktop
        #[arg(long, value_name = "AREA")]
        area: Option<String>,
        /// Carry out a fix that a probe named
        #[arg(long, value_name = "ID", conflicts_with = "area")]
        fix: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Which host.
        #[command(flatten)]
        places: Places,
    },
    /// Pack what somebody needs who helps, without secrets and names
    SupportBundle {
        /// Where to [default: punktfunk-support.tar.gz here; - is the standard output]
        file: Option<PathBuf>,
        /// Which host.
        #[command(flatten)]
        places: Places,
    },
    /// Measure how fast each kind of picture is coded; doctor runs this itself
    #[command(hide = true)]
    EncodeBench {
        /// Size of the pictures and pictures a second
        #[arg(value_parser = mode)]
        mode: (u32, u32, u32),
        /// A folder for the seat's sockets
        folder: PathBuf,
    },
    /// Code a few pictures of each kind and print what works; the host runs this itself
    #[command(hide = true)]
    EncodeProbe {
        /// Kinds to try, bits of ServerCodecModeSupport
        mask: u32,
    },
    /// Play a game of Steam on this screen, and close Steam after it; a seat runs this itself
    #[command(hide = true)]
    SteamGame {
        /// Its number, or `big-picture`
        game: String,
        /// The Steam of Flatpak
        #[arg(long)]
        flatpak: bool,
    },
    /// Install punktfunk as a system extension, keep it up to date, go back, remove it
    #[command(after_help = "Examples:\n  \
        punktfunk-host sysext install --from https://SERVER/releases   the newest release\n  \
        punktfunk-host sysext update           the newest release, if nobody plays\n  \
        punktfunk-host sysext update --look    only say whether there is one\n  \
        punktfunk-host sysext rollback         the release before\n  \
        punktfunk-host sysext remove           take everything away but settings and clients\n\n\
        Run as root. A release that does not work is undone by itself and not taken again.\n\
        Exit status: 0 done or nothing to do, 1 failed, 2 not understood, 3 not installed,\n\
        4 refused (not root, or not signed by a trusted key), 5 no such release or source,\n\
        6 somebody plays or another one is at work, 7 switched off, 8 undone.")]
    Sysext {
        /// What to do.
        #[command(subcommand)]
        action: SysextAction,
        /// Print JSON: what came of it on the standard output, progress on the other
        #[arg(long, global = true)]
        json: bool,
    },
    /// Bring the newest release on systems that are one image or have the system extension
    #[command(after_help = "Run as root. Somebody who plays is never disturbed. What came of it is what\n\
        the console shows; `punktfunk-update.timer` runs this every night.\n\
        Exit status: as of `punktfunk-host sysext`; 3 where packages bring releases.")]
    Update {
        /// Only say whether there is one
        #[arg(long)]
        look: bool,
        /// Print JSON: what came of it on the standard output, progress on the other
        #[arg(long)]
        json: bool,
    },
    /// Print the manual page, or what a shell completes; packages are made with it
    #[command(hide = true)]
    Generate {
        /// What to print
        what: Generated,
    },
    /// List what clients can start
    Apps {
        /// `list` when left out.
        #[command(subcommand)]
        action: Option<AppsAction>,
        /// Print JSON
        #[arg(long, global = true)]
        json: bool,
        /// Which host.
        #[command(flatten)]
        places: Places,
    },
}

/// What is made from this command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Generated {
    /// The manual page, section 1
    Man,
    /// Completions of bash
    Bash,
    /// Completions of zsh
    Zsh,
    /// Completions of fish
    Fish,
}

/// How to try a stage. Needs no client and no running host.
#[derive(Clone, Debug, ClapArgs)]
#[command(
    after_help = "Prints a line for each finding, `ok` or `BAD`. The exit status is 0 when all are ok."
)]
pub struct Trial {
    /// Size of the screen and pictures a second
    #[arg(long, value_name = "WxH@FPS", default_value = "1280x720@60", value_parser = mode)]
    pub mode: (u32, u32, u32),
    /// How long to look
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// Save the last picture as PNG (display-test)
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Which host.
    #[command(flatten)]
    pub places: Places,
}

/// Reads `1280x720@60`.
fn mode(text: &str) -> Result<(u32, u32, u32), String> {
    let wrong = || format!("{text:?} is no mode: write it like 1280x720@60");
    let (size, fps) = text.split_once('@').ok_or_else(wrong)?;
    let (width, height) = size.split_once('x').ok_or_else(wrong)?;
    let number =
        |text: &str, most: u32| text.parse().ok().filter(|n| (1..=most).contains(n)).ok_or_else(wrong);
    Ok((number(width, 16_384)?, number(height, 16_384)?, number(fps, 1000)?))
}

/// What to do with paired clients.
#[derive(Debug, Subcommand)]
pub enum ClientsAction {
    /// Show them all
    List,
    /// Settle what a punktfunk client may do; acts on its open session, too
    Access {
        /// Its name, or the beginning of its fingerprint
        #[arg(value_name = "ID|NAME")]
        client: String,
        /// all, play, none, or some of view, pointer, keyboard, pads, clipboard, microphone,
        /// launch, power, manage, with commas between them
        #[arg(value_name = "WORDS")]
        access: String,
    },
    /// Settle until when one is trusted
    Expire {
        /// Its name, or the beginning of its fingerprint
        #[arg(value_name = "ID|NAME")]
        client: String,
        /// 30m, 12h, 7d, 2026-12-31 or never
        #[arg(value_name = "TIME")]
        when: String,
    },
    /// Forget one: it must pair again, its stream and connections end at once
    Revoke {
        /// Its name, or the beginning of its fingerprint
        #[arg(value_name = "ID|NAME")]
        client: String,
    },
}

/// What to do with what runs.
#[derive(Debug, Subcommand)]
pub enum SessionsAction {
    /// Show all
    List,
    /// End one: its application is closed, its client goes back to the list
    End {
        /// Its number, or the name of its client
        #[arg(value_name = "ID|NAME")]
        session: String,
    },
}

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub enum ConfigAction {
    /// Tell all mistakes, each with its line
    Check {
        /// This file by itself [default: all files of the host]
        file: Option<PathBuf>,
    },
    /// Show every value and where it is set
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what a setting does, or list all
    Explain {
        /// Such as `sessions.max`
        key: Option<String>,
    },
    /// Print the JSON Schema of the files, for editors
    Schema,
}

/// What to do with the system extension.
#[derive(Debug, Subcommand)]
pub enum SysextAction {
    /// Bring the newest release, try it, and start it at every boot
    Install(SysextWish),
    /// Bring a newer release, try it, and go back when it does not work
    Update(SysextWish),
    /// Show what is active, what is kept, and what is skipped
    Status,
    /// Go back to the release before; it is not updated again by itself
    Rollback,
    /// Take the extension and its images away; settings and clients stay
    Remove,
    /// Say whether the active release works; run by the one that tries it
    #[command(hide = true)]
    Check,
    /// Lay nothing over /usr until the next boot; run before the system is updated
    #[command(hide = true)]
    Unmerge,
}

/// Which release.
#[derive(Debug, ClapArgs)]
pub struct SysextWish {
    /// Where releases are: https://SERVER/FOLDER or file:///FOLDER [default: as the last time]
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<String>,
    /// This release, be it older or skipped
    #[arg(long, value_name = "VERSION")]
    pub version: Option<crate::sysext::Version>,
    /// Also take a release that did not work or was gone back from
    #[arg(long)]
    pub retry: bool,
    /// Only say what there is
    #[arg(long)]
    pub look: bool,
}

/// What to do with applications.
#[derive(Debug, Subcommand)]
pub enum AppsAction {
    /// Show them all
    List,
    /// Look anew at what Steam, Heroic, Lutris, Flatpak and the desktop have installed
    Scan,
}

/// Which host of this machine, for every command.
#[derive(Clone, Debug, ClapArgs)]
pub struct Places {
    /// Port base of the host [default: the configuration's, else 47989]
    #[arg(long, value_name = "BASE", global = true)]
    pub port: Option<u16>,
    /// Directory of identity and paired clients
    #[arg(long, value_name = "DIR", global = true)]
    pub state: Option<PathBuf>,
    /// Configuration file
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
        let args =
            Args::try_parse_from(["x", "clients", "revoke", "tv", "--port", "5000", "--json"]).unwrap();
        let Command::Clients { action, json, places } = args.command else { panic!() };
        assert!(json && places.port == Some(5000));
        assert!(matches!(action, Some(ClientsAction::Revoke { client }) if client == "tv"));
        let args = Args::try_parse_from(["x", "display-test", "--mode", "853x480@24"]).unwrap();
        assert!(matches!(args.command, Command::DisplayTest(trial) if trial.mode == (853, 480, 24)));
        for wrong in ["853x480", "0x480@24", "853x480@0", "x@", "853x480@24.5"] {
            assert!(Args::try_parse_from(["x", "display-test", "--mode", wrong]).is_err(), "{wrong}");
        }
        let args = Args::try_parse_from(["x", "pair", "0123"]).unwrap();
        assert!(matches!(args.command, Command::Pair { pin: Some(pin), .. } if pin == "0123"));
        let args = Args::try_parse_from(["x", "pair", "--native"]).unwrap();
        assert!(matches!(args.command, Command::Pair { native: true, access, .. } if access == "play"));
        for wrong in
            [["pair", "0123", "--native"], ["pair", "--access", "view"], ["serve", "--native-port", "80"]]
        {
            assert!(Args::try_parse_from([&["x"][..], &wrong].concat()).is_err(), "{wrong:?}");
        }
    }
}
