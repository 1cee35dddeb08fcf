//! What every request has to pass, and what every answer carries.
//!
//! In this order: a known `Host` (against DNS rebinding), an operation that exists, the
//! marks of a page of ours on what changes something (against forged requests), a caller
//! with the scope of the operation, a JSON body of bounded size. No handler is reached by
//! anything else.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use serde::de::IgnoredAny;

use super::Api;
use super::caller::{Caller, Peer};
use super::error::Problem;
use super::scope::Scope;

/// From the head of a request to the end of its body.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Says that a page of ours made the request: other pages cannot set it.
pub const MARK: HeaderName = HeaderName::from_static("x-punktfunk");

/// On every answer. Nothing is loaded from elsewhere, nothing is shown inside another page.
const HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; img-src 'self' data: blob:",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The layer around everything.
pub(super) async fn guard(State(api): State<Api>, request: Request, next: Next) -> Response {
    let ours = is_api(request.uri().path());
    let response = match check(&api, request).await {
        Ok(request) => AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!("a handler of the API panicked");
            Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR).into_response()
        }),
        Err(problem) => problem.into_response(),
    };
    finish(response, ours)
}

/// Whether a path belongs to the API and not to the console.
pub(super) fn is_api(path: &str) -> bool {
    path == "/metrics" || path == "/api" || path.starts_with("/api/")
}

/// The same answer with what every answer has.
fn finish(response: Response, api: bool) -> Response {
    let mut response = if api { as_problem(response) } else { response };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if api && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// An error that something else made, such as a library, becomes one of ours.
fn as_problem(response: Response) -> Response {
    let status = response.status();
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(is_json);
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    Problem::of_status(status).into_response()
}

/// Lets a request through, with its caller and a body that was read whole.
async fn check(api: &Api, mut request: Request) -> Result<Request, Problem> {
    let host = host(request.headers())?.to_owned();
    if !api.knows(&host) {
        return Err(unknown_host(&host));
    }
    let method = request.method().clone();
    let template = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let Some(template) = template else {
        return match method {
            _ if is_api(request.uri().path()) => Err(Problem::of_status(StatusCode::NOT_FOUND)),
            Method::GET | Method::HEAD => Ok(request),
            _ => Err(Problem::method_not_allowed()),
        };
    };
    let operation = api.table().find(&method, &template).ok_or_else(Problem::method_not_allowed)?;
    let peer = request.extensions().get::<Peer>().copied().unwrap_or_default();
    let changes = !matches!(method, Method::GET | Method::HEAD);
    check_origin(request.headers(), &host, peer, changes)?;
    let caller = Caller::find(api, request.headers(), peer)?;
    match &caller {
        Some(caller) if caller.scope.allows(operation.scope) => {}
        None if operation.scope == Scope::Public => {}
        Some(_) => return Err(scope_too_low(operation.scope)),
        None => return Err(Problem::unauthenticated()),
    }
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller);
    }
    if changes { read_body(request, &method, operation.max_body).await } else { Ok(request) }
}

fn scope_too_low(needed: Scope) -> Problem {
    Problem::forbidden("scope", format!("this needs the scope {needed}: use a token that has it, or log in"))
}

/// The name the client knows us by, without port.
fn host(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut all = headers.get_all(header::HOST).iter();
    match (all.next().map(HeaderValue::to_str), all.next()) {
        (Some(Ok(host)), None) => Ok(host),
        _ => Err(Problem::bad_request("send exactly one `Host`")),
    }
}

fn unknown_host(host: &str) -> Problem {
    let name = without_port(host);
    Problem::forbidden(
        "host",
        format!(
            "this host does not answer to {name:?}: use its address, or add the name to the setting `api.hosts`"
        ),
    )
}

/// Whether a page of ours sent what changes something. A program that shows a token was
/// not sent by a page: no page can add one. A page that says what it is, is believed.
fn check_origin(headers: &HeaderMap, host: &str, peer: Peer, changes: bool) -> Result<(), Problem> {
    if peer == Peer::Local || !changes {
        return Ok(());
    }
    let is_program = headers.contains_key(header::AUTHORIZATION);
    let wrong_origin =
        || Problem::forbidden("origin", format!("requests are taken from the page https://{host} only"));
    match headers.get(header::ORIGIN).map(HeaderValue::to_str) {
        Some(Ok(origin))
            if origin.strip_prefix("https://").is_some_and(|of| of.eq_ignore_ascii_case(host)) => {}
        None if is_program => {}
        _ => return Err(wrong_origin()),
    }
    if !is_program && headers.get(MARK).is_none_or(|value| value != "1") {
        return Err(Problem::forbidden("csrf", "send the header `X-Punktfunk: 1`"));
    }
    Ok(())
}

/// Reads the body, so that no handler waits for it. What is not JSON goes no further.
async fn read_body(request: Request, method: &Method, limit: usize) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    let announced = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.is_some_and(|length| length.parse::<usize>().is_ok_and(|length| length > limit)) {
        return Err(Problem::too_large(limit));
    }
    let is_json = parts.headers.get(header::CONTENT_TYPE).is_some_and(is_json);
    if !is_json && *method != Method::DELETE {
        return Err(Problem::wrong_type());
    }
    let read = tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, limit)).await;
    let bytes = match read {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return Err(Problem::too_large(limit)),
        Err(_) => {
            let message = format!("send the body within {} s", BODY_TIMEOUT.as_secs());
            return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", message));
        }
    };
    if !bytes.is_empty() {
        if !is_json {
            return Err(Problem::wrong_type());
        }
        serde_json::from_slice::<IgnoredAny>(&bytes)
            .map_err(|error| Problem::bad_request(format!("the body is not JSON: {error}")))?;
    }
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

fn is_json(value: &HeaderValue) -> bool {
    let Ok(value) = value.to_str() else { return false };
    let (kind, rest) = value.split_once(';').unwrap_or((value, ""));
    let rest = rest.trim();
    kind.trim().eq_ignore_ascii_case("application/json")
        && (rest.is_empty() || rest.eq_ignore_ascii_case("charset=utf-8"))
}

/// The names this host answers to. A page that lies about its address under a name of its
/// own does not know one of them.
#[derive(Debug)]
pub struct Hosts(Vec<String>);

impl Hosts {
    /// `machine` is the name of the machine, `more` are those of the setting `api.hosts`.
    pub fn new(machine: &str, more: &[String]) -> Self {
        let machine = machine.to_ascii_lowercase();
        let mut names = vec!["localhost".to_owned(), format!("{machine}.local"), machine];
        names.extend(more.iter().map(|name| name.trim_end_matches('.').to_ascii_lowercase()));
        Self(names)
    }

    /// Whether a `Host`, with or without port, is one of ours. Addresses are: a name that
    /// was made to point here is none.
    pub fn knows(&self, host: &str) -> bool {
        if let Some(inside) = host.strip_prefix('[') {
            let Some((address, port)) = inside.split_once(']') else { return false };
            return address.parse::<Ipv6Addr>().is_ok() && (port.is_empty() || is_port(port));
        }
        let name = without_port(host);
        if name.len() != host.len() && !is_port(&host[name.len()..]) {
            return false;
        }
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        name.parse::<Ipv4Addr>().is_ok() || self.0.contains(&name)
    }
}

fn without_port(host: &str) -> &str {
    host.split(':').next().unwrap_or(host)
}

fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|digits| {
        digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_our_own_names_and_addresses_are_known() {
        let hosts = Hosts::new("Den", &["Play.Example.org".to_owned()]);
        for known in [
            "localhost",
            "localhost:47990",
            "192.168.1.20",
            "192.168.1.20:47990",
            "[::1]",
            "[fe80::1]:47990",
            "den",
            "DEN:1",
            "den.local.",
            "play.example.org",
            "play.example.org:443",
        ] {
            assert!(hosts.knows(known), "{known}");
        }
        for foreign in [
            "",
            ":",
            "example.org",
            "den.example.org",
            "localhost.example.org",
            "xlocalhost",
            "192.168.1.20.nip.io",
            "192.168.1",
            "[::1",
            "::1",
            "[::1]x",
            "[den]",
            "den:x",
            "den:70000",
            "den:80:80",
            "den..",
            "den@x",
        ] {
            assert!(!hosts.knows(foreign), "{foreign}");
        }
    }

    #[test]
    fn json_is_json() {
        for yes in ["application/json", "Application/JSON; charset=UTF-8", "application/json;"] {
            assert!(is_json(&HeaderValue::from_static(yes)), "{yes}");
        }
        for no in
            ["text/plain", "application/jsonx", "application/json; boundary=x", "multipart/form-data", ""]
        {
            assert!(!is_json(&HeaderValue::from_static(no)), "{no}");
        }
    }

    proptest! {
        #[test]
        fn any_host_is_known_or_not(host in ".{0,300}") {
            let known = Hosts::new("den", &[]).knows(&host);
            prop_assert!(!known || host.is_ascii());
        }
    }
}
