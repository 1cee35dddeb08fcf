//! The HTTP side of a host: what a client asks before and after it streams.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use punktfunk_core::gamestream::http::{
    App, LaunchArgs, ServerInfo, SessionUrl, Verb, parse_applist, parse_cancel, parse_launch, request_target,
};
use punktfunk_core::gamestream::pairing::{self, Next, Pin};
use punktfunk_core::gamestream::xml;

use crate::http;
use crate::identity::{Identity, UNIQUE_ID};

/// Stock clients wait so long for serverinfo, the list and pairing (sheet, 2.8).
const SHORT: Duration = Duration::from_secs(5);
/// For launch and resume.
const LAUNCH: Duration = Duration::from_secs(120);
/// For cancel.
const CANCEL: Duration = Duration::from_secs(30);
/// For the first phase of pairing, while somebody types the PIN: the host gives up
/// after five minutes.
const PIN: Duration = Duration::from_secs(310);

/// A host, by the port clients are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Name or IP address.
    pub address: String,
    /// HTTP port, 47989 by default.
    pub port: u16,
}

impl Host {
    /// The host at `address`.
    pub fn new(address: &str, port: u16) -> Self {
        Self { address: address.to_owned(), port }
    }

    fn target(verb: Verb, arguments: &[(&str, &str)]) -> Result<String> {
        Ok(request_target(verb, UNIQUE_ID, &nonce()?, arguments))
    }

    /// `/serverinfo` over plain HTTP, as anybody sees it.
    pub fn info_http(&self) -> Result<ServerInfo> {
        let text = http::get(&self.address, self.port, &Self::target(Verb::ServerInfo, &[])?, SHORT)?;
        Ok(ServerInfo::parse(&text)?)
    }

    /// `/serverinfo` over HTTPS, as a paired client sees it.
    pub fn info(&self, identity: &Identity) -> Result<ServerInfo> {
        let text = self.secure(identity, &Self::target(Verb::ServerInfo, &[])?, SHORT)?;
        Ok(ServerInfo::parse(&text)?)
    }

    fn secure(&self, identity: &Identity, target: &str, patience: Duration) -> Result<String> {
        let https = self.info_http()?.host().https_port;
        let pinned = identity.host_certificate(&self.address, self.port);
        let pinned = pinned.as_ref().map(|certificate| certificate.der());
        http::get_tls(&self.address, https, target, patience, identity, pinned)
    }

    /// Pairs, blocking until somebody typed `pin` on the host. `announce` is called
    /// just before the request is sent that the host holds open for it.
    pub fn pair(&self, identity: &Identity, pin: &str, announce: impl FnOnce(&str)) -> Result<()> {
        let pin = Pin::parse(pin)?;
        let https = self.info_http()?.host().https_port;
        let mut client = pairing::Client::new(identity.pairing(), UNIQUE_ID, pin, &mut fill_random);
        announce(&pin.to_string());
        let result = self.pair_phases(identity, &mut client, https);
        if result.is_err() {
            // A courtesy that lets the host forget the attempt; the error that
            // matters is the first one.
            let _ = http::get(&self.address, self.port, &client.unpair(), SHORT);
        }
        result
    }

    fn pair_phases(&self, identity: &Identity, client: &mut pairing::Client<'_>, https: u16) -> Result<()> {
        let mut answer = http::get(&self.address, self.port, &client.start(), PIN)?;
        loop {
            answer = match client.answer(&answer)? {
                Next::Http(target) => http::get(&self.address, self.port, &target, SHORT)?,
                Next::Https(target) => http::get_tls(&self.address, https, &target, SHORT, identity, None)?,
                Next::Done(certificate) => {
                    return identity.remember_host(&self.address, self.port, &certificate);
                }
            };
        }
    }

    /// The applications.
    pub fn apps(&self, identity: &Identity) -> Result<Vec<App>> {
        Ok(parse_applist(&self.secure(identity, &Self::target(Verb::AppList, &[])?, SHORT)?)?)
    }

    /// The application of that title (any case) or number.
    pub fn find_app(&self, identity: &Identity, name: &str) -> Result<App> {
        let apps = self.apps(identity)?;
        let titles: Vec<_> = apps.iter().map(|app| app.title.clone()).collect();
        let id = name.parse::<u32>().ok();
        let wanted = |app: &App| app.title.eq_ignore_ascii_case(name) || Some(app.id) == id;
        apps.into_iter()
            .find(wanted)
            .with_context(|| format!("the host has no application {name:?}; it has: {}", titles.join(", ")))
    }

    /// Launches or resumes; where RTSP is. `verb` is one of the two.
    pub fn launch(&self, identity: &Identity, verb: Verb, arguments: &LaunchArgs) -> Result<SessionUrl> {
        let target = arguments.request_target(verb, UNIQUE_ID, &nonce()?);
        let answer = self.secure(identity, &target, LAUNCH)?;
        Ok(parse_launch(verb, &answer)?)
    }

    /// Ends the running application.
    pub fn quit(&self, identity: &Identity) -> Result<()> {
        let answer = self.secure(identity, &Self::target(Verb::Cancel, &[])?, CANCEL)?;
        ensure!(parse_cancel(&answer)?, "the host did not end the application");
        let left = self.info(identity)?.running_app();
        ensure!(left.is_none(), "the host still says that application {left:?} runs");
        Ok(())
    }

    /// Tells the host that we are no longer paired and forgets it. The host decides
    /// itself what that means: the owner revokes there.
    pub fn unpair(&self, identity: &Identity) -> Result<()> {
        http::get(&self.address, self.port, &Self::target(Verb::Unpair, &[])?, SHORT)?;
        identity.forget_host(&self.address, self.port)
    }
}

/// The status a host refused with, when `error` is such a refusal.
pub fn refusal(error: &anyhow::Error) -> Option<i32> {
    error.chain().find_map(|cause| match cause.downcast_ref::<xml::Error>() {
        Some(xml::Error::Refused { code, .. }) => Some(*code),
        _ => match cause.downcast_ref::<pairing::ClientError>() {
            Some(pairing::ClientError::Answer(xml::Error::Refused { code, .. })) => Some(*code),
            _ => None,
        },
    })
}

/// Fills `bytes` from the system's random source.
pub(crate) fn fill_random(bytes: &mut [u8]) {
    // The source is seeded when the system starts and does not fail afterwards; an
    // all-zero value would only make this test client's own session weak.
    let _ = aws_lc_rs::rand::fill(bytes);
}

fn nonce() -> Result<String> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).context("the system has no random numbers")?;
    Ok(punktfunk_core::bytes::to_hex(&bytes))
}
