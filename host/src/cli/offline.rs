//! `clients` and `apps`: asked of the running host, else answered from its files.

use anyhow::{Context as _, bail};

use super::print;
use super::start::Start;
use crate::library::Library;
use crate::serve::owner::{Answer, AppInfo, ClientInfo, Owner, OwnerError, Request, ScanInfo};
use crate::session::Catalogue as _;
use crate::store::{Client, Protocol, Store, find, parse_access};

/// Asks the running host; `None` when there is none.
fn ask(start: &Start, request: &Request) -> anyhow::Result<Option<Answer>> {
    match Owner::connect(&start.socket()) {
        Ok(mut owner) => Ok(Some(owner.ask(request)?)),
        Err(OwnerError::NotRunning { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The state of a host that ran here before; asking must not make a new one.
fn open(start: &Start) -> anyhow::Result<Option<Store>> {
    let there = start.state.join("identity.json").try_exists();
    if !there.with_context(|| format!("{} cannot be read", start.state.display()))? {
        return Ok(None);
    }
    Ok(Some(Store::open(&start.state)?))
}

pub(super) fn list_clients(start: &Start, json: bool) -> anyhow::Result<u8> {
    let clients = match ask(start, &Request::Clients)? {
        Some(Answer::Clients { clients }) => clients,
        Some(other) => bail!("unexpected answer {other:?}"),
        None => {
            let store = open(start)?;
            store.map(|store| store.clients().iter().map(ClientInfo::from).collect()).unwrap_or_default()
        }
    };
    if json {
        print::json(&clients)?;
    } else {
        print::clients(&clients);
    }
    Ok(0)
}

pub(super) fn revoke(start: &Start, client: String, json: bool) -> anyhow::Result<u8> {
    let revoked = match ask(start, &Request::Revoke { client: client.clone() })? {
        Some(Answer::Revoked { client }) => client,
        Some(other) => bail!("unexpected answer {other:?}"),
        None => {
            let Some(store) = open(start)? else { bail!("no host has run here yet: nothing is paired") };
            // Held so that no host starts with the old list while it is changed.
            store.lock()?;
            let found = find(&store.clients(), &client).map_err(anyhow::Error::msg)?.clone();
            store.revoke(found.id)?;
            ClientInfo::from(&found)
        }
    };
    if json {
        print::json(&revoked)?;
    } else {
        println!("Revoked {:?}: it must pair again.", revoked.name);
    }
    Ok(0)
}

pub(super) fn set_access(start: &Start, client: String, access: String, json: bool) -> anyhow::Result<u8> {
    let wanted = parse_access(&access).map_err(anyhow::Error::msg)?;
    let request = Request::Access { client: client.clone(), access };
    change(start, &request, &client, json, |store, found| {
        if found.protocol == Protocol::GameStream {
            bail!("{client:?} speaks GameStream, which knows all or nothing: revoke it, or let it expire");
        }
        Ok(store.set_access(found.id, wanted)?)
    })
}

pub(super) fn set_expiry(start: &Start, client: String, when: &str, json: bool) -> anyhow::Result<u8> {
    let expires = super::time::expiry(when).map_err(anyhow::Error::msg)?;
    let request = Request::Expire { client: client.clone(), expires };
    change(start, &request, &client, json, |store, found| Ok(store.set_expiry(found.id, expires)?))
}

fn change(
    start: &Start,
    request: &Request,
    wanted: &str,
    json: bool,
    edit: impl FnOnce(&Store, &Client) -> anyhow::Result<Option<Client>>,
) -> anyhow::Result<u8> {
    let changed = match ask(start, request)? {
        Some(Answer::Changed { client }) => client,
        Some(other) => bail!("unexpected answer {other:?}"),
        None => {
            let Some(store) = open(start)? else { bail!("no host has run here yet: nothing is paired") };
            store.lock()?;
            let found = find(&store.clients(), wanted).map_err(anyhow::Error::msg)?.clone();
            let changed = edit(&store, &found)?;
            ClientInfo::from(&changed.unwrap_or(found))
        }
    };
    if json {
        print::json(&changed)?;
    } else {
        print::clients(&[changed]);
    }
    Ok(0)
}

pub(super) fn list_apps(start: &Start, json: bool) -> anyhow::Result<u8> {
    let apps: Vec<AppInfo> = match ask(start, &Request::Apps)? {
        Some(Answer::Apps { apps }) => apps,
        Some(other) => bail!("unexpected answer {other:?}"),
        None => {
            let library = Library::open(&start.config, &start.state)?;
            library.programs().iter().map(|app| AppInfo::of(app, &[])).collect()
        }
    };
    if json {
        print::json(&apps)?;
    } else {
        for app in &apps {
            let running = if app.running { "  (running)" } else { "" };
            let hidden = if app.hidden { "  (hidden)" } else { "" };
            println!("{:>10}  {:8}  {}{running}{hidden}", app.id, app.source, app.name);
        }
    }
    Ok(0)
}

/// Looks anew at what is installed: the running host does, else this process.
pub(super) fn scan_apps(start: &Start, json: bool) -> anyhow::Result<u8> {
    let scanned = match ask(start, &Request::ScanApps)? {
        Some(Answer::Scanned { scanned }) => scanned,
        Some(other) => bail!("unexpected answer {other:?}"),
        None => ScanInfo::from(Library::open(&start.config, &start.state)?.scan()),
    };
    if json {
        print::json(&scanned)?;
    } else {
        for (source, count) in &scanned.by_source {
            println!("{source:8}  {count}");
        }
        for problem in &scanned.problems {
            println!("could not be read: {problem}");
        }
    }
    Ok(0)
}
