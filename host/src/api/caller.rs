//! Who asks: the owner's browser, a program with a token, or a process of this machine's
//! owner at the Unix socket.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::Api;
use super::error::Problem;
use super::login::{COOKIE, SessionKey};
use super::scope::Scope;

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Over the network, from this address.
    Remote(IpAddr),
    /// At the Unix socket: the user of this host, or root.
    Local,
}

impl Default for Peer {
    /// What nobody vouches for is remote.
    fn default() -> Self {
        Self::Remote(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }
}

/// Somebody who may do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// How it is known.
    pub kind: Kind,
    /// What it may do.
    pub scope: Scope,
    /// What the owner calls it: the name of a token.
    pub name: Option<String>,
}

/// How a caller is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By the cookie of a browser that logged in.
    Browser(SessionKey),
    /// By a token with this id.
    Token(String),
    /// By the kernel's word.
    Local,
}

impl Caller {
    /// Finds out who asks. `None` is somebody without credentials.
    ///
    /// # Errors
    /// Credentials that are not valid.
    pub(super) fn find(api: &Api, headers: &HeaderMap, peer: Peer) -> Result<Option<Self>, Problem> {
        if peer == Peer::Local {
            return Ok(Some(Self { kind: Kind::Local, scope: Scope::Owner, name: None }));
        }
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let secret = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
            let token = secret.and_then(|secret| api.tokens().check(secret.trim()));
            let token = token.ok_or_else(Problem::unauthenticated)?;
            let kind = Kind::Token(token.id);
            return Ok(Some(Self { kind, scope: token.scope, name: Some(token.name) }));
        }
        let Some(cookie) = cookie(headers) else { return Ok(None) };
        let session = api.logins().check(cookie, api.claim().generation()?);
        Ok(session.map(|key| Self { kind: Kind::Browser(key), scope: Scope::Owner, name: None }))
    }

    /// Whether these credentials are still valid; they count as used by nobody.
    pub(super) fn is_valid(&self, api: &Api) -> bool {
        match &self.kind {
            Kind::Local => true,
            Kind::Token(id) => api.tokens().is_valid(id),
            Kind::Browser(key) => {
                api.claim().generation().is_ok_and(|generation| api.logins().is_valid(*key, generation))
            }
        }
    }
}

/// The value of our cookie.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then_some(value)
    })
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::unauthenticated)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or_default())
    }
}
