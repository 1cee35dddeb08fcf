//! Pairing: both ends against each other, and the host against everything that is
//! not the one right order.

use std::net::IpAddr;

use proptest::prelude::*;
use punktfunk_core::bytes::to_hex;
use punktfunk_core::gamestream::http::{Query, Verb};
use punktfunk_core::gamestream::pairing::{
    Client, ClientError, Error, Host, Identity, IdentityError, MAX_ATTEMPTS, Next, PIN_TIMEOUT, PairedClient,
    Pin, Reply, Request, STEP_TIMEOUT, Step, challenge_answer,
};
use punktfunk_core::gamestream::xml::Document;
use punktfunk_core::time::Time;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 9));
const ID: &str = "0123456789ABCDEF";
const T0: Time = Time(1_000_000);

fn key_pair() -> (String, Vec<u8>) {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let cert = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
    (cert.pem(), key.serialize_der())
}

/// The identities of a host and a client; RSA keys are slow to make, so once.
fn keys() -> &'static [(String, Vec<u8>); 2] {
    static KEYS: std::sync::OnceLock<[(String, Vec<u8>); 2]> = std::sync::OnceLock::new();
    KEYS.get_or_init(|| [key_pair(), key_pair()])
}

fn identity(which: usize) -> Identity {
    let (pem, key) = &keys()[which];
    Identity::new(pem, key).unwrap()
}

/// Every draw is the same bytes: the requests of one client fit every attempt.
fn host() -> Host {
    Host::new(identity(0), Box::new(|out| out.fill(0x5A)))
}

fn request(target: &str) -> Request {
    Request::parse(&Query::parse(target.split_once('?').unwrap().1).unwrap()).unwrap()
}

fn pin() -> Pin {
    Pin::parse("4711").unwrap()
}

fn client(identity: &Identity, salt: u8) -> Client<'_> {
    Client::new(identity, ID, pin(), &mut |out| out.fill(salt))
}

fn held(reply: Result<Reply, Error>) -> punktfunk_core::gamestream::pairing::AttemptId {
    match reply {
        Ok(Reply::WaitForPin(id)) => id,
        other => panic!("{other:?}"),
    }
}

/// Runs a client against a host whose owner types `typed`, until the HTTP phases end.
fn pair(host: &mut Host, client: &mut Client<'_>, typed: Pin) -> Result<(PairedClient, Next), ClientError> {
    let id = held(host.handle(T0, PEER, request(&client.start())));
    let mut answer = host.enter_pin(id, typed, T0).unwrap();
    let mut paired = None;
    loop {
        match client.answer(&answer)? {
            Next::Http(target) => match host.handle(T0, PEER, request(&target)) {
                Ok(Reply::Answer(text)) => answer = text,
                Ok(Reply::Paired { answer: text, client }) => {
                    paired = Some(*client);
                    answer = text;
                }
                other => panic!("{other:?}"),
            },
            next @ Next::Https(_) => return Ok((paired.unwrap(), next)),
            Next::Done(_) => panic!("done before HTTPS"),
        }
    }
}

#[test]
fn the_right_pin_pairs() {
    let (mut host, own) = (host(), identity(1));
    let mut client = client(&own, 1);
    let (paired, next) = pair(&mut host, &mut client, pin()).unwrap();
    assert_eq!(&paired.certificate, own.certificate());
    assert_eq!(paired.device_name, "roth");
    let Next::Https(target) = next else { panic!() };
    assert!(target.starts_with(&format!("/{}?", Verb::Pair.name())));
    assert_eq!(request(&target).step, Step::Confirm);
    let done = client.answer(&challenge_answer()).unwrap();
    assert_eq!(done, Next::Done(Box::new(identity(0).certificate().clone())));
    assert_eq!(client.answer(&challenge_answer()), Err(ClientError::Over));
}

#[test]
fn a_wrong_pin_is_noticed_by_the_client_and_frees_the_attempt() {
    let (mut host, own) = (host(), identity(1));
    let mut first = client(&own, 1);
    let wrong = Pin::parse("4712").unwrap();
    assert_eq!(pair(&mut host, &mut first, wrong).unwrap_err(), ClientError::WrongPin);
    assert!(first.unpair().starts_with("/unpair?"));
    host.unpair(PEER, ID);
    assert!(pair(&mut host, &mut client(&own, 2), pin()).is_ok());
}

#[test]
fn a_client_that_does_not_check_the_hash_is_refused_by_the_host() {
    let (mut host, [_, start, challenge, response, secret]) = (host(), steps());
    let id = held(host.handle(T0, PEER, start));
    host.enter_pin(id, Pin::parse("0000").unwrap(), T0).unwrap();
    assert!(host.handle(T0, PEER, challenge).is_ok());
    assert!(host.handle(T0, PEER, response).is_ok());
    let refused = host.handle(T0, PEER, secret);
    assert_eq!(refused, Err(Error::Refused));
    let document = Document::parse(&Error::Refused.answer()).unwrap();
    assert_eq!((document.status_code(), document.text("paired")), (200, Some("0")));
    assert!(!host.is_running(id));
}

/// What a client sends, all fitting each other because nothing random differs:
/// a confirmation too early, and the four steps.
fn steps() -> [Request; 5] {
    let (mut host, own) = (host(), identity(1));
    let mut client = client(&own, 1);
    let start = request(&client.start());
    let id = held(host.handle(T0, PEER, start.clone()));
    let mut answer = host.enter_pin(id, pin(), T0).unwrap();
    let mut sent = vec![Request { step: Step::Confirm, ..start.clone() }, start];
    while let Next::Http(target) = client.answer(&answer).unwrap() {
        sent.push(request(&target));
        answer = match host.handle(T0, PEER, request(&target)).unwrap() {
            Reply::Answer(text) | Reply::Paired { answer: text, .. } => text,
            Reply::WaitForPin(_) => panic!(),
        };
    }
    sent.try_into().unwrap()
}

/// Sends steps to a host without attempts: 0 = confirm, 1–4 = the phases, 5 = the owner types
/// the PIN for the attempt that started last. For each time the host said "paired",
/// what led there; a PIN that nothing waited for (the owner clicks twice) is refused
/// without effect and left out.
fn run(host: &mut Host, steps: &[Request; 5], order: &[usize]) -> Vec<Vec<usize>> {
    let (mut last, mut taken, mut paired) = (None, Vec::new(), Vec::new());
    for &step in order {
        if step == 5 {
            if last.is_some_and(|id| host.enter_pin(id, pin(), T0).is_ok()) {
                taken.push(step);
            }
            continue;
        }
        taken.push(step);
        match host.handle(T0, PEER, steps[step].clone()) {
            Ok(Reply::WaitForPin(id)) => last = Some(id),
            Ok(Reply::Paired { .. }) => paired.push(taken.clone()),
            _ => {}
        }
    }
    if let Some(id) = last {
        host.abandon(id);
    }
    assert_eq!(host.deadline(), None);
    paired
}

const RIGHT: [usize; 5] = [1, 5, 2, 3, 4];

#[test]
fn every_order_up_to_length_eight_pairs_only_by_the_right_one() {
    // All words of length 8 over start, PIN and the three later phases: they contain
    // every shorter word as a prefix.
    let (mut host, steps) = (host(), steps());
    let mut pairings = 0;
    for word in 0..5usize.pow(8) {
        let order: Vec<_> = (0..8).map(|place| word / 5usize.pow(place) % 5 + 1).collect();
        // The rest cannot say "paired" at all: skip what lacks the last phase.
        if !order.contains(&4) {
            continue;
        }
        for taken in run(&mut host, &steps, &order) {
            assert!(taken.ends_with(&RIGHT), "{order:?} paired by {taken:?}");
            pairings += 1;
        }
    }
    assert!(pairings >= 125, "the right order did not pair: {pairings}");
}

#[test]
fn a_confirmation_over_http_ends_the_attempt() {
    let (mut host, steps) = (host(), steps());
    assert_eq!(run(&mut host, &steps, &RIGHT), [RIGHT]);
    for at in 1..RIGHT.len() {
        let mut order = RIGHT.to_vec();
        order.insert(at, 0);
        assert!(run(&mut host, &steps, &order).is_empty(), "{order:?}");
    }
}

#[test]
fn a_second_client_at_the_same_address_disturbs_nothing() {
    let (mut host, own) = (host(), identity(1));
    let mut first = client(&own, 1);
    let id = held(host.handle(T0, PEER, request(&first.start())));
    let second = client(&own, 2);
    assert_eq!(host.handle(T0, PEER, request(&second.start())), Err(Error::Busy));
    host.unpair(PEER, ID);
    assert_eq!(host.pending(T0).len(), 1);
    let other: IpAddr = "10.0.0.10".parse().unwrap();
    let elsewhere = held(host.handle(T0, other, request(&second.start())));
    host.abandon(elsewhere);
    let answer = host.enter_pin(id, pin(), T0).unwrap();
    let Next::Http(target) = first.answer(&answer).unwrap() else { panic!() };
    assert_eq!(host.handle(T0, PEER, request(&second.start())), Err(Error::Busy));
    // The same host seen as an IPv4 address mapped into IPv6 is the same peer.
    let mapped: IpAddr = "::ffff:10.0.0.9".parse().unwrap();
    assert!(host.handle(T0, mapped, request(&target)).is_ok());
}

#[test]
fn attempts_are_bounded_in_number_and_time() {
    let mut host = host();
    let own = identity(1);
    let start = request(&client(&own, 1).start());
    let peer = |n: usize| IpAddr::from([10, 1, 0, n as u8]);
    let named = |n: usize| Request { unique_id: format!("{n}"), ..start.clone() };
    let ids: Vec<_> = (0..MAX_ATTEMPTS).map(|n| held(host.handle(T0, peer(n), named(n)))).collect();
    assert_eq!(host.handle(T0, PEER, start.clone()), Err(Error::TooMany));
    assert_eq!(host.pending(T0).iter().map(|a| a.id).collect::<Vec<_>>(), ids);
    let later = T0 + PIN_TIMEOUT;
    assert_eq!(host.deadline(), Some(later));
    assert_eq!(host.expire(Time(later.0 - 1)), []);
    assert_eq!(host.expire(later), ids);
    assert_eq!(host.deadline(), None);
}

#[test]
fn an_expired_attempt_is_named_once_and_takes_no_pin() {
    let mut host = host();
    let own = identity(1);
    let start = request(&client(&own, 1).start());
    let id = held(host.handle(T0, PEER, start.clone()));
    let late = T0 + PIN_TIMEOUT;
    assert_eq!(host.pending(late), []);
    assert_eq!(host.enter_pin(id, pin(), late), Err(Error::UnknownAttempt));
    assert_eq!((host.expire(late), host.expire(late)), (vec![id], vec![]));
    let id = held(host.handle(late, PEER, start));
    host.enter_pin(id, pin(), late).unwrap();
    assert_eq!(host.enter_pin(id, pin(), late), Err(Error::UnknownAttempt));
    assert!(host.is_running(id));
    assert_eq!(host.handle(late + STEP_TIMEOUT, PEER, steps()[2].clone()), Err(Error::OutOfOrder));
    for n in 0..3 {
        let request = Request { unique_id: n.to_string(), ..steps()[1].clone() };
        held(host.handle(T0 + PIN_TIMEOUT * 9, PEER, request));
    }
    let fourth = Request { unique_id: "4".to_owned(), ..steps()[1].clone() };
    assert_eq!(host.handle(T0 + PIN_TIMEOUT * 9, PEER, fourth), Err(Error::TooMany));
}

#[test]
fn a_damaged_step_ends_its_attempt_and_a_damaged_start_none() {
    let mut host = host();
    let query = |text: &str| Query::parse(&format!("uniqueid={ID}&{text}")).unwrap();
    let own = identity(1);
    let id = held(host.handle(T0, PEER, request(&client(&own, 1).start())));
    let start = query("phrase=getservercert&salt=00&clientcert=00");
    assert_eq!(host.request(T0, PEER, &start), Err(Error::Argument("salt")));
    assert!(host.is_running(id));
    let damaged = query("clientchallenge=00");
    assert_eq!(host.request(T0, PEER, &damaged), Err(Error::Argument("clientchallenge")));
    assert!(!host.is_running(id));
    let two = query("clientchallenge=00&serverchallengeresp=00");
    assert_eq!(host.request(T0, PEER, &two), Err(Error::NoStep));
}

#[test]
fn a_host_in_between_is_noticed() {
    // The answers of a host that shows one certificate and signs with another key.
    let own = identity(1);
    let mut client = client(&own, 1);
    let mut real = host();
    let id = held(real.handle(T0, PEER, request(&client.start())));
    real.enter_pin(id, pin(), T0).unwrap();
    let shown = to_hex(keys()[1].0.as_bytes());
    let answer = format!("<root status_code=\"200\"><paired>1</paired><plaincert>{shown}</plaincert></root>");
    let mut next = client.answer(&answer);
    for _ in 0..2 {
        let Ok(Next::Http(target)) = &next else { panic!("{next:?}") };
        let Ok(Reply::Answer(text)) = real.handle(T0, PEER, request(target)) else { panic!() };
        next = client.answer(&text);
    }
    assert_eq!(next, Err(ClientError::NotTheHost));
}

#[test]
fn an_identity_is_a_pair() {
    let [(pem, key), (_, other)] = keys();
    assert!(Identity::new(pem, key).is_ok());
    assert_eq!(Identity::new(pem, other).unwrap_err(), IdentityError::Mismatch);
    assert_eq!(Identity::new(pem, b"x").unwrap_err(), IdentityError::Key);
}

proptest! {
    #[test]
    fn reading_anything_never_panics(text: String, hex in "[0-9a-f]{0,600}") {
        for name in ["clientchallenge", "serverchallengeresp", "clientpairingsecret", "phrase"] {
            for value in [&text, &hex] {
                let target = format!("uniqueid=1&{name}={value}");
                let _ = Query::parse(&target).map(|query| Request::parse(&query));
            }
        }
        let own = identity(1);
        let _ = client(&own, 1).answer(&text);
        let answer = format!("<root status_code=\"200\"><paired>1</paired><plaincert>{hex}</plaincert></root>");
        let _ = client(&own, 1).answer(&answer);
    }
}
