//! The HTTP ports and the owner's socket of a running host.

#[expect(dead_code, reason = "each test file uses a part")]
mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use punktfunk_core::gamestream::http;
use punktfunk_core::gamestream::pairing::{Client, ClientError, Next, Pin};
use punktfunk_core::gamestream::xml::Document;
use punktfunk_host::serve::owner::{Answer, Attempt, Owner, Request};
use punktfunk_host::serve::{Front, FrontError};
use support::net::{TestClient, TestHost, exchange, http_get, tcp};

fn random(out: &mut [u8]) {
    aws_lc_rs::rand::fill(out).unwrap();
}

/// Waits until a client waits for its PIN.
fn pending(host: &TestHost) -> Vec<Attempt> {
    match host.ask(&Request::Pending { wait: true }).unwrap() {
        Answer::Pending { attempts } => attempts,
        other => panic!("{other:?}"),
    }
}

fn none_pending(host: &TestHost) -> bool {
    host.ask(&Request::Pending { wait: false }).unwrap() == Answer::Pending { attempts: Vec::new() }
}

/// Pairs as a stock client does, up to its end.
fn pair(host: &TestHost, client: &TestClient, shown: &str) -> Result<(), ClientError> {
    let identity = client.identity();
    let mut pairing = Client::new(&identity, "0123456789ABCDEF", Pin::parse(shown).unwrap(), &mut random);
    let mut target = pairing.start();
    loop {
        match pairing.answer(&http_get(host.http(), &target)) {
            Ok(Next::Http(next)) => target = next,
            Ok(Next::Https(next)) => {
                let mut stream = client.connect(host.https()).unwrap();
                match pairing.answer(&exchange(&mut stream, &next).unwrap())? {
                    Next::Done(certificate) => {
                        assert_eq!(*certificate, *host.store.identity().certificate());
                        return Ok(());
                    }
                    other => panic!("{other:?}"),
                }
            }
            Ok(Next::Done(_)) => panic!("done without HTTPS"),
            Err(error) => {
                // As Qt does: an HTTP error here would hide "wrong PIN".
                http_get(host.http(), "/unpair?uniqueid=0123456789ABCDEF");
                return Err(error);
            }
        }
    }
}

/// Pairs while the owner enters `typed`.
fn pair_with(
    host: &TestHost,
    client: &TestClient,
    shown: &str,
    typed: &str,
) -> (Result<(), ClientError>, Result<Answer, String>) {
    std::thread::scope(|scope| {
        let owner = scope.spawn(|| {
            let attempt = pending(host).remove(0);
            assert_eq!(attempt.address, "127.0.0.1");
            let (pin, name) = (typed.to_owned(), Some("tv".to_owned()));
            host.ask(&Request::Pin { attempt: attempt.attempt, pin, name })
        });
        let outcome = pair(host, client, shown);
        (outcome, owner.join().unwrap())
    })
}

#[test]
fn a_client_pairs_by_pin_and_streams() {
    let host = TestHost::start();
    let client = TestClient::new();
    let info = host.get("/serverinfo?uniqueid=1&uuid=2");
    assert_eq!(info.text("hostname"), Some("a <test> & host"));
    assert_eq!(info.text("HttpsPort"), Some((host.base - 5).to_string().as_str()));

    let (outcome, answer) = pair_with(&host, &client, "0042", "0042");
    outcome.unwrap();
    let Answer::Paired { client: info } = answer.unwrap() else { panic!() };
    assert_eq!(info.name, "tv");
    assert_eq!(host.store.clients().len(), 1);
    assert_eq!(host.store.clients()[0].certificate, client.chain[0].to_vec());

    let list = host.get_tls(&client, "/applist?uniqueid=1");
    let apps: Vec<_> = list.groups("App").filter_map(|app| app.text("AppTitle")).collect();
    assert_eq!(apps, ["Desktop", "Test card"]);
    assert_eq!(host.get_tls(&client, "/serverinfo").text("currentgame"), Some("0"));

    let key = "000102030405060708090a0b0c0d0e0f";
    let launch = format!("/launch?appid=2&mode=1280x720x60&rikey={key}&rikeyid=-5&corever=1");
    let answer = host.get_tls(&client, &launch);
    assert_eq!(answer.text("gamesession"), Some("1"));
    let url = format!("rtspenc://127.0.0.1:{}", host.base + 21);
    assert_eq!(answer.text("sessionUrl0"), Some(url.as_str()));

    let info = host.get_tls(&client, "/serverinfo");
    assert_eq!(info.text("currentgame"), Some("2"));
    assert!(info.text("state").unwrap().ends_with("_SERVER_BUSY"));
    let free = host.get("/serverinfo");
    assert_eq!((free.text("currentgame"), free.text("PairStatus")), (Some("0"), Some("0")));
    assert!(free.text("state").unwrap().ends_with("_SERVER_FREE"));

    let again = host.get_tls(&client, &launch);
    assert_eq!((again.status_code(), again.status_message()), (400, "another application is running"));
    let old = format!("/resume?rikey={key}&rikeyid=1");
    let url = format!("rtsp://127.0.0.1:{}", host.base + 21);
    assert_eq!(host.get_tls(&client, &old).text("sessionUrl0"), Some(url.as_str()));
    assert_eq!(host.get_tls(&client, "/cancel").text("cancel"), Some("1"));
    assert_eq!(host.get_tls(&client, &old).status_code(), 503);
    assert_eq!(host.get_tls(&client, "/launch?appid=2").status_code(), 400);
    assert_eq!(host.sessions.calls()[0], "launch 2 Mode { width: 1280, height: 720, fps: 60 } tv");
}

#[test]
fn hidden_applications_are_not_listed() {
    let host = TestHost::start();
    let client = TestClient::new();
    host.store.pair(&client.chain[0], "tv").unwrap();
    host.sessions.hidden.lock().unwrap().push(1);
    let list = host.get_tls(&client, "/applist?uniqueid=1");
    let apps: Vec<_> = list.groups("App").filter_map(|app| app.text("AppTitle")).collect();
    assert_eq!(apps, ["Test card"]);
    let Answer::Apps { apps } = host.ask(&Request::Apps).unwrap() else { panic!() };
    assert_eq!(apps.iter().map(|app| app.hidden).collect::<Vec<_>>(), [true, false], "the owner sees it");
}

#[test]
fn a_paired_client_gets_the_picture_of_an_application() {
    let host = TestHost::start();
    let (client, stranger) = (TestClient::new(), TestClient::new());
    host.store.pair(&client.chain[0], "tv").unwrap();
    let picture = |media_type| punktfunk_host::session::Art { media_type, bytes: b"a picture".to_vec() };
    host.sessions.art.lock().unwrap().extend([(1, picture("image/png")), (2, picture("image/webp"))]);
    let ask = "/appasset?uniqueid=1&appid=1&AssetType=2&AssetIdx=0";
    let mut stream = client.connect(host.https()).unwrap();
    assert_eq!(exchange(&mut stream, ask).unwrap(), "a picture");
    for (client, ask, status) in [
        (&stranger, ask, 401),
        (&client, "/appasset?appid=2", 404),
        (&client, "/appasset?appid=3", 404),
        (&client, "/appasset?appid=x", 404),
        (&client, "/appasset", 404),
    ] {
        assert_eq!(host.get_tls(client, ask).status_code(), status, "{ask}");
    }
}

#[test]
fn each_client_is_told_of_its_own_application_only() {
    let host = TestHost::start();
    let (tv, phone) = (TestClient::new(), TestClient::new());
    host.store.pair(&tv.chain[0], "tv").unwrap();
    host.store.pair(&phone.chain[0], "phone").unwrap();
    let launch = |app: u32, key: u8| {
        format!(
            "/launch?appid={app}&mode=640x480x30&rikey={}&rikeyid=1&corever=1",
            format!("{key:02x}").repeat(16)
        )
    };
    let game =
        |client: &TestClient| host.get_tls(client, "/serverinfo").text("currentgame").unwrap().to_owned();
    assert_eq!(host.get_tls(&tv, &launch(1, 1)).text("gamesession"), Some("1"));
    assert_eq!((game(&tv).as_str(), game(&phone).as_str()), ("1", "0"));
    assert_eq!(host.get_tls(&phone, "/resume?rikey=00&rikeyid=1").status_code(), 400);
    assert_eq!(host.get_tls(&phone, &launch(2, 2)).text("gamesession"), Some("1"));
    assert_eq!((game(&tv).as_str(), game(&phone).as_str()), ("1", "2"));
    let Answer::Apps { apps } = host.ask(&Request::Apps).unwrap() else { panic!() };
    assert!(apps.iter().all(|app| app.running));
    assert_eq!(host.get_tls(&tv, "/cancel").text("cancel"), Some("1"));
    assert_eq!((game(&tv).as_str(), game(&phone).as_str()), ("0", "2"));
}

#[test]
fn a_wrong_pin_pairs_nobody_and_the_next_attempt_works() {
    let host = TestHost::start();
    let client = TestClient::new();
    let (outcome, answer) = pair_with(&host, &client, "1234", "1235");
    assert_eq!(outcome, Err(ClientError::WrongPin));
    assert!(answer.unwrap_err().contains("the PIN was wrong"));
    assert!(host.store.clients().is_empty());
    assert_eq!(host.get_tls(&client, "/serverinfo").status_code(), 401);
    pair_with(&host, &client, "1234", "1234").0.unwrap();
}

#[test]
fn the_owner_hears_what_became_of_an_attempt() {
    let host = TestHost::start();
    let client = TestClient::new();
    let attempt = async |front: &Front| front.attempts(true).await[0].id;
    std::thread::scope(|scope| {
        let outcome = scope.spawn(|| pair(&host, &client, "1234"));
        host.front(async |front| {
            let id = attempt(&front).await;
            let no_pin = front.enter_pin(id, "12x4", "").await;
            assert!(matches!(no_pin, Err(FrontError::Invalid { field: "pin", .. })), "{no_pin:?}");
            let wrong = front.enter_pin(id, "4321", "").await;
            assert!(matches!(wrong, Err(FrontError::WrongPin(_))), "{wrong:?}");
            let gone = front.enter_pin(id, "1234", "").await;
            assert!(matches!(gone, Err(FrontError::NotFound(_))), "{gone:?}");
        });
        assert_eq!(outcome.join().unwrap(), Err(ClientError::WrongPin));
    });
    std::thread::scope(|scope| {
        let outcome = scope.spawn(|| pair(&host, &client, "1234"));
        host.front(async |front| {
            let id = attempt(&front).await;
            front.refuse_attempt(id).unwrap();
            assert!(matches!(front.refuse_attempt(id), Err(FrontError::NotFound(_))));
        });
        assert!(outcome.join().unwrap().is_err());
    });
    assert!(host.store.clients().is_empty());
}

#[test]
fn a_second_attempt_leaves_the_first_undisturbed() {
    let host = TestHost::start();
    let (first, second) = (TestClient::new(), TestClient::new());
    std::thread::scope(|scope| {
        let paired = scope.spawn(|| pair(&host, &first, "1111"));
        let attempt = pending(&host).remove(0);
        assert!(pair(&host, &second, "2222").is_err());
        let pin = Request::Pin { attempt: attempt.attempt, pin: "1111".to_owned(), name: None };
        assert!(matches!(host.ask(&pin), Ok(Answer::Paired { .. })));
        paired.join().unwrap().unwrap();
    });
    assert_eq!(host.store.clients().len(), 1);
    assert_eq!(host.store.clients()[0].certificate, first.chain[0].to_vec());
}

#[test]
fn a_damaged_step_ends_the_attempt() {
    let host = TestHost::start();
    let client = TestClient::new();
    let identity = client.identity();
    let mut pairing = Client::new(&identity, "1", Pin::parse("1234").unwrap(), &mut random);
    std::thread::scope(|scope| {
        let owner = scope.spawn(|| {
            let attempt = pending(&host).remove(0).attempt;
            // While the PIN is awaited, it may be somebody else's mistake.
            assert_eq!(host.get("/pair?uniqueid=1&clientchallenge=zz").status_code(), 400);
            host.ask(&Request::Pin { attempt, pin: "1234".to_owned(), name: None })
        });
        let Ok(Next::Http(next)) = pairing.answer(&http_get(host.http(), &pairing.start())) else { panic!() };
        assert_eq!(host.get("/pair?uniqueid=1&clientchallenge=zz").status_code(), 400);
        assert_eq!(host.get(&next).status_code(), 400);
        assert!(owner.join().unwrap().is_err());
    });
}

#[test]
fn an_attempt_ends_with_its_connection() {
    let host = TestHost::start();
    let client = TestClient::new();
    let identity = client.identity();
    let start = Client::new(&identity, "1", Pin::parse("1234").unwrap(), &mut random).start();
    let mut stream = tcp(host.http());
    write!(stream, "GET {start} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let attempt = pending(&host).remove(0).attempt;
    drop(stream);
    while !none_pending(&host) {
        std::thread::yield_now();
    }
    let pin = Request::Pin { attempt, pin: "1234".to_owned(), name: None };
    assert!(host.ask(&pin).unwrap_err().contains("no device waits"));
}

#[test]
fn a_device_cannot_enter_a_pin_over_the_network() {
    let host = TestHost::start();
    for target in ["/pin?pin=1234", "/api/pin", "/submit-pin", "/pair?uniqueid=1&pin=1234", "/clients", "/"] {
        assert_ne!(host.get(target).status_code(), 200, "{target}");
    }
    let mode = host.socket().metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
}

#[test]
fn a_bad_pin_from_the_owner_does_not_end_the_attempt() {
    let host = TestHost::start();
    let client = TestClient::new();
    std::thread::scope(|scope| {
        let paired = scope.spawn(|| pair(&host, &client, "7777"));
        let attempt = pending(&host).remove(0).attempt;
        let pin = |pin: &str| host.ask(&Request::Pin { attempt, pin: pin.to_owned(), name: None });
        assert!(pin("77x7").unwrap_err().contains("four digits"));
        pin("7777").unwrap();
        paired.join().unwrap().unwrap();
    });
}

#[test]
fn a_revoked_client_loses_its_connections_and_its_trust() {
    let host = TestHost::start();
    let client = TestClient::new();
    let paired = host.store.pair(&client.chain[0], "tv").unwrap();
    let mut open = client.connect(host.https()).unwrap();
    // Half a request, so that the host has the connection in hand.
    open.write_all(b"GET /serverinfo HTTP/1.1\r\n").unwrap();
    let answer = host.ask(&Request::Revoke { client: "tv".to_owned() }).unwrap();
    assert!(matches!(answer, Answer::Revoked { client } if client.fingerprint == paired.fingerprint()));
    // Ends without an answer; the socket's own time-out would be an error of another kind.
    let mut rest = Vec::new();
    if let Err(error) = open.read_to_end(&mut rest) {
        assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock);
    }
    assert!(rest.is_empty());
    assert_eq!(host.get_tls(&client, "/serverinfo").status_code(), 401);
    assert_eq!(host.sessions.calls(), [format!("revoke {}", paired.id)]);
    assert!(host.ask(&Request::Revoke { client: "tv".to_owned() }).is_err());
}

#[test]
fn errors_travel_in_the_document() {
    let host = TestHost::start();
    for (target, code) in [
        ("/nothing", 404),
        ("/applist", 404),
        ("/launch?appid=1", 404),
        ("/pair?uniqueid=1", 400),
        ("/pair?uniqueid=1&phrase=pairchallenge", 400),
        ("/pair?uniqueid=1&clientchallenge=00112233445566778899aabbccddeeff", 400),
        ("/serverinfo?a=%zz", 400),
    ] {
        assert_eq!(host.get(target).status_code(), code, "{target}");
    }
    assert_eq!(Document::parse(&http_get(host.http(), "/unpair?uniqueid=1")).unwrap().status_code(), 200);
}

#[test]
fn long_empty_and_foreign_connections_are_survived() {
    let host = TestHost::start();
    let filler = "0".repeat(15_000);
    assert_eq!(host.get(&format!("/serverinfo?x={filler}")).status_code(), 200);
    for address in [host.http(), host.https()] {
        drop(TcpStream::connect(address).unwrap());
        let mut foreign = tcp(address);
        foreign.write_all(&[0x80, 0, 0, 1, 0xFF, 0, b'\n', b'\n', b'\r', b'\n', b'\r', b'\n']).unwrap();
        let mut rest = Vec::new();
        let _ = foreign.read_to_end(&mut rest);
        let mut endless = tcp(address);
        let line = format!("GET /serverinfo?{}", "a".repeat(200_000));
        let _ = endless.write_all(line.as_bytes());
        let _ = endless.read_to_end(&mut rest);
    }
    let v6 = (std::net::Ipv6Addr::LOCALHOST, host.base);
    if let Ok(mut stream) = TcpStream::connect(v6) {
        let document = Document::parse(&exchange(&mut stream, "/serverinfo").unwrap()).unwrap();
        assert_eq!(document.text("LocalIP"), Some("127.0.0.1"));
    }
    assert_eq!(host.get("/serverinfo").status_code(), 200);
}

#[test]
fn a_stopped_host_leaves_nothing_behind() {
    let host = TestHost::start();
    let (http, socket) = (host.http(), host.socket());
    let mut idle = TcpStream::connect(http).unwrap();
    idle.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    host.stop();
    assert_eq!(idle.read(&mut [0; 1]).unwrap_or(0), 0);
    assert!(TcpStream::connect(http).is_err());
    assert!(!socket.exists());
    assert!(Owner::connect(&socket).unwrap_err().to_string().contains("no host is running"));
}

#[test]
fn a_taken_port_is_named_with_its_holder() {
    let host = TestHost::start();
    let error = host.start_another().unwrap_err().to_string();
    assert!(error.contains(&format!("port {}", host.base)), "{error}");
    assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
    assert!(error.contains("--port"), "{error}");
}

#[test]
fn owners_are_answered_line_by_line() {
    let host = TestHost::start();
    let mut owner = Owner::connect(&host.socket()).unwrap();
    let Answer::Apps { apps } = owner.ask(&Request::Apps).unwrap() else { panic!() };
    assert_eq!(apps.len(), 2);
    assert_eq!(owner.ask(&Request::Clients).unwrap(), Answer::Clients { clients: Vec::new() });
    let mut raw = std::os::unix::net::UnixStream::connect(host.socket()).unwrap();
    raw.write_all(b"hello\n{\"ask\":\"clients\"}\n").unwrap();
    raw.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answers = String::new();
    raw.read_to_string(&mut answers).unwrap();
    assert!(answers.starts_with("{\"answer\":\"error\""), "{answers}");
}

#[test]
fn the_launch_document_is_what_a_client_reads() {
    let host = TestHost::start();
    let client = TestClient::new();
    host.store.pair(&client.chain[0], "tv").unwrap();
    let mut stream = client.connect(host.https()).unwrap();
    let target = "/launch?appid=1&mode=640x480x30&rikey=000102030405060708090a0b0c0d0e0f&rikeyid=1&corever=1";
    let text = exchange(&mut stream, target).unwrap();
    let url = http::parse_launch(http::Verb::Launch, &text).unwrap();
    assert!(url.encrypted);
    assert_eq!(url.address.port(), host.base + 21);
}
