//! A host with its API, and somebody who asks. Most tests ask the router itself, with a
//! clock that they move; what is about connections opens some.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use punktfunk_host::api::{Api, Clock, MARK, Peer, Wish, hook};
use punktfunk_host::config::{Config, Layers, Ports, Roots, Settings};
use punktfunk_host::library::Library;
use punktfunk_host::serve::{Context, Inside, Options, Running};
use punktfunk_host::store::Store;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::support::{Dir, Fake, free_base};

/// What the owner chose.
pub const PASSWORD: &str = "a good password";
/// The page that browsers show.
pub const HOST: &str = "localhost:47990";
/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Stage {
    pub api: Api,
    pub clock: Clock,
    pub base: u16,
    pub dir: Dir,
    /// What the sessions were asked.
    pub fake: Arc<Fake>,
    running: Option<Running>,
}

/// An answer, read whole.
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// Status and stable code.
    pub fn problem(&self) -> (u16, String) {
        let body = self.json();
        assert!(!body["error"]["message"].as_str().unwrap().is_empty());
        (self.status.as_u16(), body["error"]["code"].as_str().unwrap().to_owned())
    }

    /// The cookie that a browser keeps, as it sends it back.
    pub fn cookie(&self) -> String {
        let set = self.headers[header::SET_COOKIE].to_str().unwrap();
        set.split(';').next().unwrap().to_owned()
    }
}

impl Stage {
    /// A host whose API is asked directly, at a time that stands still.
    pub fn new() -> Self {
        Self::with(|_| {}, None)
    }

    /// A host that also listens, in real time.
    pub fn listening() -> Self {
        Self::with(|_| {}, Some(true))
    }

    /// `serve` says whether to listen, and then whether by HTTPS, too.
    pub fn with(settle: impl FnOnce(&mut Config), serve: Option<bool>) -> Self {
        let base = free_base();
        let mut config =
            Config { name: "den".to_owned(), ports: Ports::new(base).unwrap(), ..Config::default() };
        settle(&mut config);
        Self::start(Dir::new(), Settings::fixed(config), serve)
    }

    /// A host whose settings are in files, so that they can be changed.
    pub fn settled() -> Self {
        let dir = Dir::new();
        let text = format!("name = \"den\"\nport = {}\n", free_base());
        std::fs::write(dir.path().join("punktfunk.toml"), text).unwrap();
        Self::in_files(dir)
    }

    /// The same host after it was stopped and started once more.
    pub async fn again(self) -> Self {
        Self::in_files(self.stop().await)
    }

    fn in_files(dir: Dir) -> Self {
        let (there, named) = (dir.path().to_owned(), dir.path().join("punktfunk.toml"));
        let roots = Roots { vendor: there.join("vendor"), etc: there.join("etc"), user: None };
        let layers = Layers::new(&roots, Some(&named)).with_state(&there.join("state"));
        Self::start(dir, Settings::open(layers).unwrap(), None)
    }

    fn start(dir: Dir, settings: Settings, serve: Option<bool>) -> Self {
        let settings = Arc::new(settings);
        let base = settings.current().ports.base();
        let store = Arc::new(Store::open(&dir.path().join("state")).unwrap());
        let context = Context {
            config: settings.current(),
            settings,
            store,
            runtime: dir.path().to_owned(),
            gamestream: true,
        };
        let given: Arc<Mutex<Option<Inside>>> = Arc::default();
        let taken = given.clone();
        let console = Box::new(move |inside: Inside, tasks: &mut tokio::task::JoinSet<()>| {
            *taken.lock().unwrap() = Some(inside.clone());
            let Some(https) = serve else { return Ok(()) };
            let library = Library::open(&inside.context.config, inside.context.store.dir())?;
            hook(Wish { https, library })(inside, tasks)
        });
        let options = Options { console: Some(console), ..Options::default() };
        let fake = Fake::new();
        let running = punktfunk_host::serve::start(&context, fake.clone(), options).unwrap();
        let inside = given.lock().unwrap().take().unwrap();
        let clock = if serve.is_some() { Clock::system() } else { Clock::manual() };
        let library = Library::open(&context.config, context.store.dir()).unwrap();
        let api = Api::new(inside, library, clock.clone()).unwrap();
        Self { api, clock, base, dir, fake, running: Some(running) }
    }

    pub async fn send_from(&self, request: Request<Body>, peer: Peer) -> Reply {
        let mut request = request;
        request.extensions_mut().insert(peer);
        let response = self.api.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 64 << 20).await.unwrap().to_vec();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    pub async fn send(&self, request: Request<Body>) -> Reply {
        self.send_from(request, remote(1)).await
    }

    /// What a browser with this cookie asks for.
    pub async fn get(&self, cookie: &str, path: &str) -> Reply {
        self.send(ask(Method::GET, path).header(header::COOKIE, cookie).body(Body::empty()).unwrap()).await
    }

    /// What a page of ours sends.
    pub async fn change(&self, cookie: &str, method: Method, path: &str, body: Value) -> Reply {
        let request = page(method, path).header(header::COOKIE, cookie);
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// What a program of the owner asks at the Unix socket.
    pub async fn locally(&self, method: Method, path: &str, body: Value) -> Reply {
        let request = ask(method, path).header(header::CONTENT_TYPE, "application/json");
        self.send_from(request.body(Body::from(body.to_string())).unwrap(), Peer::Local).await
    }

    /// Claims the host; returns the cookie.
    pub async fn claim(&self) -> String {
        let secret = self.api.claim().secret().unwrap().unwrap();
        let body = json!({ "secret": secret, "password": PASSWORD });
        let reply = self.change("", Method::POST, "/api/v1/claim", body).await;
        assert_eq!(reply.status, 200, "{:?}", String::from_utf8_lossy(&reply.body));
        reply.cookie()
    }

    /// Makes a token; returns the header it is sent in.
    pub async fn token(&self, scope: &str) -> String {
        let body = json!({ "name": scope, "scope": scope });
        let reply = self.locally(Method::POST, "/api/v1/tokens", body).await;
        assert_eq!(reply.status, 201);
        format!("Bearer {}", reply.json()["secret"].as_str().unwrap())
    }

    /// Ends the host; its directory is there until what is returned is dropped.
    pub async fn stop(mut self) -> Dir {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
        self.dir
    }
}

/// Somebody on the network.
pub fn remote(last: u8) -> Peer {
    Peer::Remote(IpAddr::from([192, 0, 2, last]))
}

/// A request with nothing but its host.
pub fn ask(method: Method, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header(header::HOST, HOST)
}

/// A request as a page of ours makes it.
pub fn page(method: Method, path: &str) -> axum::http::request::Builder {
    ask(method, path)
        .header(header::ORIGIN, format!("https://{HOST}"))
        .header(MARK, "1")
        .header(header::CONTENT_TYPE, "application/json")
}

/// Starts the log of this process, of which the tests' own lines are kept.
pub fn log() {
    punktfunk_host::log::start("off,logged=info");
}
