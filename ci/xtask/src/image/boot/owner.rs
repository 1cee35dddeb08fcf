//! The owner of the emulated machine: reads its serial console, claims it, and asks its API
//! over the network, as a browser does.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::PATIENCE;
use super::network::Network;

/// Nobody's: the machine is gone in minutes.
const PASSWORD: &str = "of the boot test only";

/// What the serial console shows.
#[derive(Debug, PartialEq, Eq)]
pub struct Link {
    /// The address of the machine.
    pub host: String,
    /// Where its console is: `https://` with address and port.
    origin: String,
    /// What claims it.
    pub secret: String,
}

/// Waits until the serial console has printed it.
pub fn printed_link(console: &Path) -> Result<Link> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(link) = Link::find(&String::from_utf8_lossy(&fs::read(console)?)) {
            return Ok(link);
        }
        ensure!(Instant::now() < deadline, "the serial console shows no link to claim with");
        std::thread::sleep(Duration::from_millis(500));
    }
}

impl Link {
    fn find(text: &str) -> Option<Self> {
        text.lines().find_map(|line| {
            let (origin, secret) = line.trim().split_once("/#claim=")?;
            let host = origin.strip_prefix("https://")?.rsplit_once(':')?.0;
            let secret = secret.trim_end();
            (secret.len() == 29).then(|| Self {
                host: host.to_owned(),
                origin: origin.to_owned(),
                secret: secret.to_owned(),
            })
        })
    }
}

/// Logged in.
pub struct Owner<'a> {
    network: &'a Network,
    origin: String,
    cookies: PathBuf,
}

impl<'a> Owner<'a> {
    /// Makes the machine one's own.
    pub fn claim(network: &'a Network, link: &Link, work: &Path) -> Result<Self> {
        let owner = Self { network, origin: link.origin.clone(), cookies: work.join("cookies") };
        owner.ask("POST", "/claim", &json!({ "secret": link.secret, "password": PASSWORD }))?;
        let again = owner.ask("POST", "/claim", &json!({ "secret": link.secret, "password": PASSWORD }));
        ensure!(again.is_err(), "it could be claimed twice");
        Ok(owner)
    }

    /// Opens the window that one client pairs through; its PIN.
    pub fn window(&self) -> Result<String> {
        let window = self.ask("POST", "/pairing/window", &json!({}))?;
        window["pin"].as_str().map(str::to_owned).context("the window has no PIN")
    }

    /// Types the PIN of the GameStream client that waits for it.
    pub fn let_in(&self, pin: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let pairing = self.ask("GET", "/pairing", &Value::Null)?;
            if let Some(id) = pairing["attempts"][0]["id"].as_str() {
                let path = format!("/pairing/attempts/{id}/pin");
                return self.ask("POST", &path, &json!({ "pin": pin })).map(drop);
            }
            ensure!(Instant::now() < deadline, "no client waits for its PIN: {pairing}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Serves Moonlight from now on: by the setting, with which the host starts anew.
    pub fn serve_gamestream(&self) -> Result<()> {
        self.ask("PATCH", "/settings", &json!({ "values": { "gamestream.enabled": true } }))?;
        self.ask("POST", "/host/restart", &json!({}))?;
        let deadline = Instant::now() + PATIENCE;
        // Its start ends the login, too.
        while self.ask("POST", "/login", &json!({ "password": PASSWORD })).is_err() {
            ensure!(Instant::now() < deadline, "the host does not come back");
            std::thread::sleep(Duration::from_secs(1));
        }
        let settings = self.ask("GET", "/settings", &Value::Null)?;
        ensure!(settings["restart_needed"] == false, "it was not started anew: {settings}");
        Ok(())
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let mut curl = self.network.command("curl");
        // Its certificate is its own.
        curl.args(["--silent", "--show-error", "--insecure", "--fail-with-body", "--max-time", "60"]);
        curl.arg("--cookie").arg(&self.cookies).arg("--cookie-jar").arg(&self.cookies);
        curl.args(["--request", method, "--header", &format!("Origin: {}", self.origin)]);
        curl.args(["--header", "X-Punktfunk: 1"]);
        if !body.is_null() {
            curl.args(["--header", "Content-Type: application/json", "--data", &body.to_string()]);
        }
        let output =
            curl.arg(format!("{}/api/v1{path}", self.origin)).output().context("curl cannot be started")?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            bail!("{method} {path}: {said} {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        if said.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&said).with_context(|| format!("{method} {path} answers {said}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_is_found_among_what_a_console_says() {
        let secret = "abcde-fghij-kmnpq-rstuv-wxyz2";
        let text = format!(
            "[    1.0] kernel\r\npunktfunk login: \r\nhttps://x\r\n  https://10.0.2.15:47990/#claim={secret}\r\n\r\n"
        );
        let link = Link::find(&text).unwrap();
        assert_eq!((link.host.as_str(), link.secret.as_str()), ("10.0.2.15", secret));
        assert_eq!(link.origin, "https://10.0.2.15:47990");
        // Half of a line is not yet one.
        assert_eq!(Link::find("  https://10.0.2.15:47990/#claim=abcde-fghij-"), None);
    }
}
