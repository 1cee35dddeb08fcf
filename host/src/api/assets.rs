//! The console, as it was built into this program. Paths of requests are looked up in a
//! table and never reach a file system.
//!
//! What can be compressed is kept compressed only. A page that is no file is one of the
//! console's own views: its first page is sent, and shows it.

use std::io::Read as _;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::error::Problem;
use super::guard::is_api;

/// One file of the console.
struct Asset {
    /// From the root, with the slash.
    path: &'static str,
    content_type: &'static str,
    /// Quoted.
    etag: &'static str,
    /// The bytes are gzip.
    gzip: bool,
    bytes: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Views of the console begin here.
const INDEX: &str = "/index.html";
/// Files below carry a hash in their name and never change.
const HASHED: &str = "/assets/";

/// Shown where the console was not built.
const NO_CONSOLE: &str = "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width\"><title>punktfunk</title>\
<h1>This host was built without its console</h1>\
<p><code>cargo xtask serve</code> builds it and starts a host that has it.</p>\
<p>The API works: <code>punktfunk-host ctl</code> lists what it can do.</p></html>\n";

/// Answers whatever is no operation of the API.
pub(super) async fn serve(request: Request) -> Response {
    let path = request.uri().path();
    if is_api(path) {
        return Problem::of_status(StatusCode::NOT_FOUND).into_response();
    }
    match find(path) {
        Some(asset) => answer(asset, request.headers()),
        // A name with an ending is a file, and it is not there.
        None if path.rsplit('/').next().is_some_and(|name| name.contains('.')) => {
            Problem::not_found("there is no such file").into_response()
        }
        None => match find(INDEX) {
            Some(index) => answer(index, request.headers()),
            None => ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], NO_CONSOLE).into_response(),
        },
    }
}

fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.binary_search_by(|asset| asset.path.cmp(path)).ok().map(|place| &ASSETS[place])
}

fn answer(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let known = |value: &HeaderValue| {
        value
            .to_str()
            .is_ok_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == asset.etag))
    };
    let caching =
        if asset.path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = if headers.get(header::IF_NONE_MATCH).is_some_and(known) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Response::new(Body::empty());
        let takes_gzip =
            headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).any(
                |value| {
                    value
                        .split(',')
                        .any(|one| matches!(one.trim(), "gzip" | "*") || one.trim().starts_with("gzip;q=1"))
                },
            );
        if asset.gzip && takes_gzip {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            *response.body_mut() = Body::from(asset.bytes);
        } else {
            *response.body_mut() = Body::from(plain(asset));
        }
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, HeaderValue::from_static(asset.etag));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    response
}

/// For the rare client that takes no gzip.
fn plain(asset: &'static Asset) -> Bytes {
    if !asset.gzip {
        return Bytes::from_static(asset.bytes);
    }
    let mut bytes = Vec::new();
    // Our own build made it.
    let _ = flate2::read::GzDecoder::new(asset.bytes).read_to_end(&mut bytes);
    bytes.into()
}
