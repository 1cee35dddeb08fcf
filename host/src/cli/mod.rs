//! The command line. `main` hands over the one thing that is not decided here: how
//! a supervisor of sessions is made.

mod args;
mod claim;
mod config;
mod ctl;
mod doctor;
mod generate;
mod offline;
mod pair;
mod print;
mod sessions;
mod start;
mod sysext;
mod time;
mod update;
mod welcome;
mod window;

use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;

use crate::config::Config;
use crate::diagnose;
use crate::library::Library;
use crate::serve::ControlHook;
use crate::session::Supervisor;

pub use crate::serve::Context;
pub use args::{Args, Command, Places as PlaceArgs};

/// Makes what `serve` needs besides the network: the sessions, and the control
/// channel when there is one.
pub type Factory = Box<dyn FnOnce(&Context, &Library) -> anyhow::Result<Made>>;
/// The sessions, and what starts the control channel.
pub type Made = (Arc<dyn Supervisor>, Option<ControlHook>);

/// Runs the command line of this process and returns its exit status.
pub fn run(factory: Factory) -> u8 {
    crate::platform::note_start();
    let args = Args::parse();
    match carry_out(args, factory) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("punktfunk-host: {}", told_once(&error));
            1
        }
    }
}

/// The error and what led to it; our own messages already name their cause.
fn told_once(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

fn carry_out(args: Args, factory: Factory) -> anyhow::Result<u8> {
    match args.command {
        Command::Serve { gamestream, native_port, no_console, places } => {
            serve(&places, gamestream, native_port, no_console, factory)
        }
        Command::Claim { reset, json, places } => claim::run(&start::as_owner(&places)?, reset, json),
        Command::Welcome { once, places } => welcome::run(&places, once),
        Command::Ctl(call) => ctl::run(&start::as_caller(&call.places)?, &call),
        Command::Sysext { action, json } => sysext::run(&action, json),
        Command::Update { look, json } => update::run(look, json),
        Command::Openapi => {
            print!("{}", crate::api::openapi::text());
            Ok(0)
        }
        Command::Pair { pin, native, access, expires, client, name, json, places } => {
            let expires = time::expiry(&expires).map_err(anyhow::Error::msg)?;
            let start = start::as_owner(&places)?;
            match native {
                true => window::run(&start, &window::Wish { name, access, expires, json }),
                false => pair::run(&start, &pair::Wish { pin, client, name, json }),
            }
        }
        Command::Clients { action, json, places } => {
            let start = start::as_owner(&places)?;
            match action.unwrap_or(args::ClientsAction::List) {
                args::ClientsAction::List => offline::list_clients(&start, json),
                args::ClientsAction::Access { client, access } => {
                    offline::set_access(&start, client, access, json)
                }
                args::ClientsAction::Expire { client, when } => {
                    offline::set_expiry(&start, client, &when, json)
                }
                args::ClientsAction::Revoke { client } => offline::revoke(&start, client, json),
            }
        }
        Command::Sessions { action, json, places } => {
            let start = start::as_owner(&places)?;
            match action.unwrap_or(args::SessionsAction::List) {
                args::SessionsAction::List => sessions::list(&start, json),
                args::SessionsAction::End { session } => sessions::end(&start, session, json),
            }
        }
        Command::Config { action, places } => config::run(action, &places),
        Command::DisplayTest(trial) => try_out(&trial, diagnose::display),
        Command::CaptureTest(trial) => try_out(&trial, diagnose::capture),
        Command::EncodeTest(trial) => try_out(&trial, diagnose::encoding),
        Command::AudioTest(trial) => try_out(&trial, diagnose::sound),
        Command::InputTest(trial) => try_out(&trial, diagnose::pointer),
        Command::Doctor { area, fix, json, places } => {
            doctor::run(&places, &doctor::Wish { area, fix, json })
        }
        Command::SupportBundle { file, places } => doctor::bundle(&places, file.as_deref()),
        Command::EncodeBench { mode, folder } => doctor::bench(mode, &folder),
        Command::EncodeProbe { mask } => {
            crate::abilities::child(mask)?;
            Ok(0)
        }
        Command::Generate { what } => generate::run(what),
        Command::SteamGame { game, flatpak } => Ok(crate::library::play_steam(&game, flatpak)?),
        Command::Apps { action, json, places } => {
            let start = start::as_owner(&places)?;
            match action.unwrap_or(args::AppsAction::List) {
                args::AppsAction::List => offline::list_apps(&start, json),
                args::AppsAction::Scan => offline::scan_apps(&start, json),
            }
        }
    }
}

/// Runs a test as the host would run, and prints what it found.
fn try_out(
    trial: &args::Trial,
    test: fn(&diagnose::Wish) -> anyhow::Result<diagnose::Report>,
) -> anyhow::Result<u8> {
    // Absolute, because root's working directory is left.
    let picture = trial.picture.as_deref().map(std::path::absolute).transpose()?;
    let start = start::as_host(&trial.places, &start::Flags::new())?;
    let report = test(&diagnose::Wish {
        program: crate::platform::program_beside("punktfunk-seat")?,
        runtime: start.runtime().to_owned(),
        mode: trial.mode,
        time: Duration::from_secs(trial.seconds),
        picture,
    })?;
    if trial.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(u8::from(!report.passed()))
}

fn serve(
    places: &PlaceArgs,
    gamestream: bool,
    native_port: Option<u16>,
    no_console: bool,
    factory: Factory,
) -> anyhow::Result<u8> {
    let mut flags = start::Flags::new();
    flags.extend(native_port.map(|port| ("native.port", port.into(), "--native-port")));
    flags.extend(gamestream.then(|| ("gamestream.enabled", true.into(), "--gamestream")));
    flags.extend(no_console.then(|| ("api.enabled", false.into(), "--no-console")));
    // One that is not understood is told when the log starts.
    let of_environment =
        crate::log::of_environment().filter(|(_, filter)| Config::takes("log.level", filter));
    flags.extend(of_environment.map(|(name, filter)| ("log.level", filter.as_str().into(), name)));
    let start = start::as_host(places, &flags)?;
    crate::log::start(&start.config.log);
    for problem in &start.config.problems {
        tracing::error!("THE SETTINGS HAVE A MISTAKE: {problem}");
    }
    match crate::platform::inputd_socket() {
        Ok(socket) => tracing::info!(socket = %socket.display(), "gamepads are made by punktfunk-inputd"),
        Err(why) => tracing::info!(%why, "no gamepads"),
    }
    let context = start.context()?;
    let library = Library::open(&context.config, context.store.dir())?;
    // Dropped when nothing is served any more.
    let _looks = library.watch()?;
    let (supervisor, control) = factory(&context, &library)?;
    let wish = crate::api::Wish { https: !no_console, library };
    crate::serve::run(context, supervisor, control, Some(crate::api::hook(wish)))?;
    Ok(0)
}
