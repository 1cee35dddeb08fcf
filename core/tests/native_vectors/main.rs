//! The golden vectors of punktfunk/1 (`vectors/punktfunk-1`), which a program made that
//! shares no code with this crate: what they say is what is written, and what is read.

mod describe;

use std::path::Path;
use std::time::Duration;

use punktfunk_core::bytes::{from_hex, to_hex};
use punktfunk_core::native::keys::{Aead, Direction, Exported, Schedule};
use punktfunk_core::native::media::{Kind, Opener, Sealer, ShardHeader, Side};
use punktfunk_core::native::pairing::qr::Invitation;
use punktfunk_core::native::pairing::{Channel, Password, Pin, Secret, client, host};
use punktfunk_core::native::wire::control::{Control, Reader};
use punktfunk_core::native::wire::report::Reports;
use punktfunk_core::native::wire::{Access, Datagram};
use punktfunk_core::time::Time;
use serde_json::Value;

fn load(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/punktfunk-1").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    let list = value[key].as_array().unwrap();
    assert!(!list.is_empty(), "{key} is empty");
    list
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

fn hex(value: &Value, key: &str) -> Vec<u8> {
    from_hex(text(value, key)).unwrap()
}

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("no {key} in {value}"))
}

fn array<const N: usize>(value: &Value, key: &str) -> [u8; N] {
    hex(value, key).try_into().unwrap()
}

/// The side that reads: messages to it.
fn way(vector: &Value) -> Direction {
    match text(vector, "way") {
        "host" => Direction::ToHost,
        "client" => Direction::ToClient,
        other => panic!("{other}"),
    }
}

/// Everything a stream says, given in pieces of `step` bytes; `None` when it breaks the rules.
fn read(way: Direction, bytes: &[u8], step: usize) -> Option<Vec<Control>> {
    let mut reader = Reader::new(way);
    let mut messages = Vec::new();
    for mut piece in bytes.chunks(step) {
        loop {
            match reader.read(&mut piece) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(reader.read(&mut &b"more"[..]), Err(error), "it cannot go on");
                    return None;
                }
            }
        }
    }
    Some(messages)
}

#[test]
fn every_message_is_written_and_read_as_the_vectors_say() {
    let vectors = load("control.json");
    let mut kinds = std::collections::BTreeSet::new();
    for vector in list(&vectors, "messages") {
        let (way, bytes) = (way(vector), hex(vector, "hex"));
        for step in [1, 3, 4096] {
            let messages = read(way, &bytes, step).unwrap_or_else(|| panic!("refused: {vector}"));
            let [message] = messages.as_slice() else { panic!("{vector}") };
            let described = serde_json::json!({
                "name": describe::name(message),
                "way": text(vector, "way"),
                "type": message.kind(),
                "fields": describe::control(message),
                "hex": text(vector, "hex"),
            });
            assert_eq!(&described, vector);
            let mut out = vec![0xEE];
            message.encode(&mut out).unwrap();
            assert_eq!(to_hex(&out[1..]), text(vector, "hex"), "{vector}");
            kinds.insert(message.kind());
        }
    }
    let known = (0..0x100).filter(|kind| punktfunk_core::native::wire::control::is_known(*kind));
    assert_eq!(kinds, known.collect(), "a message has no vector");
}

#[test]
fn what_is_unknown_is_skipped_as_the_vectors_say() {
    for vector in list(&load("control.json"), "skipped") {
        let wanted = read(way(vector), &hex(vector, "same_as"), 4096).unwrap();
        assert!(!wanted.is_empty());
        for step in [1, 4096] {
            assert_eq!(read(way(vector), &hex(vector, "hex"), step).as_ref(), Some(&wanted), "{vector}");
        }
    }
}

#[test]
fn what_breaks_the_rules_is_refused_as_the_vectors_say() {
    for vector in list(&load("control.json"), "refused") {
        for step in [1, 4096] {
            assert_eq!(read(way(vector), &hex(vector, "hex"), step), None, "{vector}");
        }
    }
}

#[test]
fn every_datagram_is_written_and_read_as_the_vectors_say() {
    let vectors = load("datagrams.json");
    let mut kinds = std::collections::BTreeSet::new();
    for vector in list(&vectors, "datagrams") {
        let mut bytes = hex(vector, "hex");
        let datagram = Datagram::parse(way(vector), &bytes).unwrap();
        assert_eq!(u64::from(datagram.kind()), number(vector, "type"));
        assert_eq!(describe::datagram(&datagram), vector["fields"], "{vector}");
        let mut out = Vec::new();
        datagram.encode(&mut out);
        assert_eq!(to_hex(&out), text(vector, "hex"));
        kinds.insert(datagram.kind());
        let other = way(vector).opposite();
        assert!(Datagram::parse(other, &bytes).is_err(), "from the wrong side: {vector}");
        for len in 0..bytes.len() {
            assert!(Datagram::parse(way(vector), &bytes[..len]).is_err(), "{len} bytes of {vector}");
        }
        bytes.push(7);
        let longer = Datagram::parse(way(vector), &bytes).unwrap();
        assert_eq!(describe::datagram(&longer), vector["fields"], "bytes after the body are ignored");
    }
    assert_eq!(kinds, (0x40..=0x48).collect());
    for vector in list(&vectors, "refused") {
        assert!(Datagram::parse(way(vector), &hex(vector, "hex")).is_err(), "{vector}");
    }
}

#[test]
fn every_report_is_written_and_read_as_the_vectors_say() {
    let vectors = load("reports.json");
    let mut kinds = std::collections::BTreeSet::new();
    for vector in list(&vectors, "reports") {
        let bytes = hex(vector, "hex");
        let reports: Vec<_> = Reports::new(way(vector), &bytes).collect();
        let [Ok(report)] = reports.as_slice() else { panic!("{reports:?}: {vector}") };
        assert_eq!(report.kind(), number(vector, "type"));
        assert_eq!(describe::report(report), vector["fields"], "{vector}");
        let mut out = Vec::new();
        report.encode(&mut out);
        assert_eq!(to_hex(&out), text(vector, "hex"));
        kinds.insert(report.kind());
    }
    assert_eq!(kinds, (0x60..=0x69).collect());
    for vector in list(&vectors, "parts") {
        let bytes = hex(vector, "hex");
        let reports: Vec<_> = Reports::new(way(vector), &bytes).collect();
        let good = reports.iter().filter(|report| report.is_ok()).count();
        assert_eq!(good as u64, number(vector, "reports"), "{vector}");
        assert_eq!(reports.len() == good, vector["ends_well"].as_bool().unwrap(), "{vector}");
    }
}

fn schedule(vectors: &Value, vector: &Value) -> Schedule {
    let aead = Aead::from_number(number(vector, "aead")).unwrap();
    Exported::new(array(vectors, "secret")).schedule(direction(vector), aead)
}

fn direction(vector: &Value) -> Direction {
    match text(vector, "direction") {
        "h2c" => Direction::ToClient,
        _ => Direction::ToHost,
    }
}

#[test]
fn keys_are_derived_as_the_vectors_say() {
    let vectors = load("keys.json");
    for vector in list(&vectors, "chains") {
        let mut schedule = schedule(&vectors, vector);
        for _ in 0..number(vector, "generation") {
            schedule.advance();
        }
        assert_eq!(u64::from(schedule.phase()), number(vector, "phase"));
        let key = schedule.current();
        assert_eq!(to_hex(key.key()), text(vector, "key"));
        assert_eq!(to_hex(key.iv()), text(vector, "iv"));
        assert_eq!(to_hex(&key.nonce(number(vector, "sequence"))), text(vector, "nonce"));
    }
}

#[test]
fn datagrams_are_sealed_and_opened_as_the_vectors_say() {
    let vectors = load("media.json");
    let media = array(&vectors, "media");
    for aead in [1, 2] {
        for (side, name) in [(Side::Host, "h2c"), (Side::Client, "c2h")] {
            let mine = |v: &&Value| number(v, "aead") == aead && text(v, "direction") == name;
            let packets: Vec<_> = list(&vectors, "sealed").iter().filter(mine).collect();
            let schedule = schedule(&vectors, packets[0]);
            let mut sealer = Sealer::new(side, media, schedule.clone(), Time(0)).unwrap();
            let mut opener = Opener::new(side, media, schedule).unwrap();
            for packet in packets {
                let now = Time(0) + Duration::from_secs(number(packet, "sealed_at_s"));
                let kind = match text(packet, "kind") {
                    "shard" => Kind::Shard,
                    "padding" => Kind::Padding,
                    _ => Kind::Report,
                };
                let mut datagram = Vec::new();
                let sequence = sealer.append(kind, now, &hex(packet, "plain"), &mut datagram).unwrap();
                assert_eq!(sequence, number(packet, "sequence"));
                assert_eq!(to_hex(&datagram), text(packet, "hex"));
                let opened = opener.open(now, &mut datagram).unwrap();
                assert_eq!((opened.kind, opened.sequence), (kind, sequence));
                assert_eq!(to_hex(opened.plain), text(packet, "plain"));
            }
        }
    }
    let plain = hex(&vectors["shard"], "plain");
    let (header, shard) = ShardHeader::read(&plain).unwrap();
    assert_eq!(describe::shard(&header), vectors["shard"]["fields"]);
    assert_eq!(to_hex(shard), text(&vectors["shard"], "shard"));
    assert_eq!(header.bytes(), plain[..25]);
}

fn one(way: Direction, vector: &Value, key: &str) -> Control {
    read(way, &hex(vector, key), 4096).unwrap().pop().unwrap()
}

#[test]
fn sides_pair_as_the_vectors_say() {
    for vector in list(&load("pairing.json"), "pairings") {
        let channel = Channel {
            client: array(vector, "client"),
            host: array(vector, "host"),
            exporter: array(vector, "exporter"),
        };
        let password = hex(vector, "password");
        let password = match number(vector, "method") {
            1 => Password::Pin(Pin::parse(std::str::from_utf8(&password).unwrap()).unwrap()),
            _ => Password::Secret(Secret(password.try_into().unwrap())),
        };
        let offer = match password {
            Password::Pin(pin) => host::Offer { pin: Some(pin), secret: None },
            Password::Secret(secret) => host::Offer { pin: None, secret: Some(secret) },
        };
        let draw = |key: &str| {
            let random = hex(vector, key);
            move |out: &mut [u8]| out.copy_from_slice(&random)
        };
        let (mut client, start) =
            client::Pairing::new(&channel, &password, text(vector, "name"), &mut draw("client_random"));
        let mut host = host::Pairing::new(&channel, &offer, &mut draw("host_random"));
        let start = Control::PairStart(start);
        assert_eq!(start, one(Direction::ToHost, vector, "PairStart"));
        let Ok(host::Next::Send(answer)) = host.take(&start) else { panic!("{vector}") };
        let answer = Control::PairAnswer(answer);
        assert_eq!(answer, one(Direction::ToClient, vector, "PairAnswer"));
        let Ok(client::Next::Send(confirm)) = client.take(&answer) else { panic!("{vector}") };
        let confirm = Control::PairConfirm(confirm);
        assert_eq!(confirm, one(Direction::ToHost, vector, "PairConfirm"));
        let Ok(host::Next::Store(proven)) = host.take(&confirm) else { panic!("{vector}") };
        let done = Control::PairDone(proven.stored(Access(15)));
        assert_eq!(done, one(Direction::ToClient, vector, "PairDone"));
        let Ok(client::Next::Paired(paired)) = client.take(&done) else { panic!("{vector}") };
        assert_eq!((paired.host, u64::from(paired.access.0)), (channel.host, number(vector, "access")));
    }
}

#[test]
fn codes_are_written_and_read_as_the_vectors_say() {
    for vector in list(&load("qr.json"), "codes") {
        let invitation = Invitation::parse(text(vector, "text")).unwrap();
        assert_eq!(invitation.to_string(), text(vector, "text"));
        let addresses: Vec<_> = invitation.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(serde_json::json!(addresses), vector["addresses"]);
        assert_eq!(to_hex(&invitation.fingerprint), text(vector, "fingerprint"));
        assert_eq!(invitation.secret.to_hex(), text(vector, "secret"));
        assert_eq!(invitation.name, text(vector, "name"));
    }
}
