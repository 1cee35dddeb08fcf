//! `punktfunk-host claim`: shows what makes a host one's own, as text and as a QR code;
//! with `--reset` makes a host nobody's again, for an owner who forgot the password.

use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;

use serde::Serialize;

use super::{print, start::Start, window};
use crate::api::Claim;
use crate::serve::addresses;

/// What is printed with `--json`.
#[derive(Serialize)]
struct Shown {
    claimed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

pub(super) fn run(start: &Start, reset: bool, json: bool) -> anyhow::Result<u8> {
    let claim = Claim::of(&start.state);
    let secret = if reset {
        crate::platform::make_private_dir(&start.state)?;
        Some(claim.reset()?)
    } else {
        if !start.state.exists() {
            anyhow::bail!("no host has run here yet; start one with `punktfunk-host serve`");
        }
        claim.make()?;
        claim.secret()?
    };
    let api = &start.config.api;
    let port = api.port.unwrap_or(start.config.ports.base() + 1);
    let at = SocketAddr::new(addresses(api.bind)[0], port);
    let url = secret.as_ref().map(|secret| format!("https://{at}/#claim={secret}"));
    if json {
        print::json(&Shown { claimed: secret.is_none(), secret, url })?;
        return Ok(0);
    }
    match (secret, url) {
        (Some(secret), Some(url)) => {
            print!("{}", window::code(&url, io::stdout().is_terminal())?);
            println!(
                "\nOpen this to make the host yours:\n\n    {url}\n\nor open https://{at}/ and type:\n\n    {secret}"
            );
        }
        _ => println!(
            "This host is claimed: log in at https://{at}/ .\n\
             If the password is forgotten, `punktfunk-host claim --reset` makes it nobody's again."
        ),
    }
    Ok(0)
}
