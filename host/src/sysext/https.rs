//! Files from the web: HTTPS with the system's certificates, a few redirects, ranges. Made
//! for a command that does one thing at a time: each call has a runtime of its own.

use std::fs::File;
use std::future::{Future, poll_fn};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body as NoBody;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{self, HeaderMap};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::source::SourceError;
use crate::platform::read_bounded;

/// From the name of a server to the head of its answer.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a server may send nothing before a download is given up; it can be resumed.
const SILENCE: Duration = Duration::from_secs(30);
/// Addresses that are gone to until one answers: release pages send one on to a store.
const REDIRECTS: usize = 5;
/// Most bytes of the certificates of a system.
const MAX_ROOTS: u64 = 8 << 20;

/// Where systems keep the certificates that are trusted for the web.
const ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A folder of the web.
pub(super) struct Web {
    base: Uri,
    tls: Arc<ClientConfig>,
}

impl Web {
    /// Trusts the system's certificates, or those of the file `SSL_CERT_FILE` names.
    pub(super) fn open(base: Uri) -> Result<Self, SourceError> {
        let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
        let file = named.or_else(|| ROOTS.iter().map(PathBuf::from).find(|file| file.is_file()));
        let Some(file) = file else {
            return Err(SourceError::unreadable(
                &base,
                "this system has no list of certificates; install ca-certificates, or name it in SSL_CERT_FILE",
            ));
        };
        let unusable = |why: String| SourceError::unreadable(file.display(), why);
        let bytes = read_bounded(&file, MAX_ROOTS, true).map_err(|error| unusable(error.to_string()))?;
        Self::with_roots(base, &bytes)
    }

    /// Trusts these certificates (PEM); those that cannot be read are left out.
    pub(super) fn with_roots(base: Uri, pem: &[u8]) -> Result<Self, SourceError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(pem).flatten());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| SourceError::unreadable(&base, error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { base, tls: Arc::new(tls) })
    }

    pub(super) fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, SourceError> {
        let at = self.address(name)?;
        let whole = self.run(&at, async |at| {
            let mut answer = self.ask(at.clone(), 0).await?;
            succeeded(&answer, &[StatusCode::OK])?;
            let mut bytes = Vec::new();
            while let Some(more) = chunk(answer.body_mut()).await? {
                if (bytes.len() + more.len()) as u64 > most {
                    return Ok(None);
                }
                bytes.extend_from_slice(&more);
            }
            Ok(Some(bytes))
        })?;
        whole.ok_or(SourceError::TooLong { at: at.to_string(), most })
    }

    pub(super) fn fetch(
        &self,
        name: &str,
        into: &mut File,
        most: u64,
        told: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<(), SourceError> {
        let at = self.address(name)?;
        let have = into.seek(SeekFrom::End(0)).map_err(SourceError::Write)?;
        let outcome = self.run(&at, async |at| {
            let mut answer = self.ask(at.clone(), have).await?;
            // All of it was here already; its hash says whether it is right.
            if have > 0 && answer.status() == StatusCode::RANGE_NOT_SATISFIABLE {
                return Ok(Fetched::Whole);
            }
            succeeded(&answer, &[StatusCode::OK, StatusCode::PARTIAL_CONTENT])?;
            let begin = begin(answer.status(), answer.headers(), have)?;
            let mut there = match into.set_len(begin).and_then(|()| into.seek(SeekFrom::Start(begin))) {
                Ok(there) => there,
                Err(error) => return Ok(Fetched::Unwritten(error)),
            };
            let whole = length(answer.headers()).and_then(|rest| rest.checked_add(begin));
            while let Some(more) = chunk(answer.body_mut()).await? {
                there += more.len() as u64;
                if there > most || whole.is_some_and(|whole| whole > most) {
                    return Ok(Fetched::TooLong);
                }
                if let Err(error) = into.write_all(&more) {
                    return Ok(Fetched::Unwritten(error));
                }
                told(there, whole);
            }
            if whole.is_some_and(|whole| there < whole) {
                Err("it ended early".to_owned())
            } else {
                Ok(Fetched::Whole)
            }
        })?;
        match outcome {
            Fetched::Whole => Ok(()),
            Fetched::TooLong => Err(SourceError::TooLong { at: at.to_string(), most }),
            Fetched::Unwritten(error) => Err(SourceError::Write(error)),
        }
    }

    fn address(&self, name: &str) -> Result<Uri, SourceError> {
        let base = self.base.to_string();
        let text = format!("{}/{name}", base.trim_end_matches('/'));
        text.parse().map_err(|error| SourceError::unreadable(&text, error))
    }

    fn run<T>(&self, at: &Uri, work: impl AsyncFnOnce(&Uri) -> Result<T, String>) -> Result<T, SourceError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| SourceError::unreadable(at, error))?;
        runtime.block_on(work(at)).map_err(|why| SourceError::unreadable(at, why))
    }

    /// The answer of the last address one is sent on to.
    async fn ask(&self, mut at: Uri, from: u64) -> Result<Response<Incoming>, String> {
        for _ in 0..=REDIRECTS {
            let answer = within(ANSWER, self.ask_there(&at, from)).await?;
            if !answer.status().is_redirection() {
                return Ok(answer);
            }
            let to = answer.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
            at = next(&at, to.ok_or("it sends on to nowhere")?)?;
        }
        Err("it sends on again and again".to_owned())
    }

    async fn ask_there(&self, at: &Uri, from: u64) -> Result<Response<Incoming>, String> {
        let host = at.host().ok_or("it names no server")?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned()).map_err(|error| error.to_string())?;
        let stream = TcpStream::connect((bare, at.port_u16().unwrap_or(443))).await;
        let stream = stream.map_err(|error| error.to_string())?;
        let stream = TlsConnector::from(self.tls.clone()).connect(name, stream).await;
        let stream = TokioIo::new(stream.map_err(|error| error.to_string())?);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(stream).await.map_err(|error| error.to_string())?;
        // It ends with the answer, and with the runtime.
        tokio::spawn(connection);
        let path = at.path_and_query().map_or("/", |path| path.as_str());
        let place = at.authority().map(|place| place.as_str()).unwrap_or_default();
        let mut request = Request::get(path)
            .header(header::HOST, place)
            .header(header::USER_AGENT, concat!("punktfunk/", env!("CARGO_PKG_VERSION")));
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        let request = request.body(NoBody::empty()).map_err(|error| error.to_string())?;
        sender.send_request(request).await.map_err(|error| error.to_string())
    }
}

enum Fetched {
    Whole,
    TooLong,
    Unwritten(io::Error),
}

async fn within<T>(time: Duration, work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    tokio::time::timeout(time, work).await.map_err(|_| format!("no answer within {} s", time.as_secs()))?
}

/// The next bytes of a body.
async fn chunk(body: &mut Incoming) -> Result<Option<Bytes>, String> {
    loop {
        let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context));
        let frame = tokio::time::timeout(SILENCE, frame).await;
        let frame = frame.map_err(|_| format!("nothing came for {} s", SILENCE.as_secs()))?;
        match frame {
            None => return Ok(None),
            Some(Err(error)) => return Err(error.to_string()),
            // What is not data comes behind it and says nothing to us.
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

fn succeeded(answer: &Response<Incoming>, wanted: &[StatusCode]) -> Result<(), String> {
    let status = answer.status();
    if wanted.contains(&status) { Ok(()) } else { Err(format!("the server says {status}")) }
}

/// Where in the file the body begins: nothing, where the server does not know ranges.
fn begin(status: StatusCode, headers: &HeaderMap, asked: u64) -> Result<u64, String> {
    if status != StatusCode::PARTIAL_CONTENT {
        return Ok(0);
    }
    let said = headers.get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok());
    let begin = said.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse().ok());
    if begin == Some(asked) { Ok(asked) } else { Err("it sends another part than was asked for".to_owned()) }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Where a redirect leads: never away from HTTPS.
fn next(at: &Uri, to: &str) -> Result<Uri, String> {
    let odd = || "it sends on to an address that is odd".to_owned();
    if to.starts_with('/') && !to.starts_with("//") {
        let place = at.authority().ok_or_else(odd)?;
        return format!("https://{place}{to}").parse().map_err(|_| odd());
    }
    let to: Uri = to.parse().map_err(|_| odd())?;
    let safe = to.scheme_str() == Some("https") && to.authority().is_some();
    if safe { Ok(to) } else { Err("it sends on to an address that is not https://".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn redirects_stay_safe() {
        let at: Uri = "https://a.example/x/y".parse().unwrap();
        assert_eq!(next(&at, "/z").unwrap(), "https://a.example/z");
        assert_eq!(next(&at, "https://b.example/z?t=1").unwrap(), "https://b.example/z?t=1");
        for odd in ["http://a.example/z", "//b.example/z", "z", "", "file:///etc/passwd"] {
            assert!(next(&at, odd).is_err(), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn any_head_is_understood_or_refused(said in "(bytes )?[0-9a-z*/-]{0,30}", asked in 1..1000u64) {
            let at: Uri = "https://a.example/x".parse().unwrap();
            let _ = next(&at, &said);
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_RANGE, said.parse().unwrap());
            headers.insert(header::CONTENT_LENGTH, said.parse().unwrap());
            let _ = length(&headers);
            if let Ok(begin) = begin(StatusCode::PARTIAL_CONTENT, &headers, asked) {
                prop_assert_eq!(begin, asked);
            }
            prop_assert_eq!(begin(StatusCode::OK, &headers, asked).unwrap(), 0);
        }
    }
}
