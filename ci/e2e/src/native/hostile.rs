//! Peers that do not keep to the protocol: they are told or not heard, and who plays does
//! not notice.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use punktfunk_client::{Access, Code, make_identity};
use punktfunk_core::native::keys::Aead;
use punktfunk_core::native::wire::control::{Control, Hello, Key};
use punktfunk_probe::Card;
use punktfunk_probe::native::{Codec, Mode, Player};
use punktfunk_sim::{Rng, Weather};
use rustls::Side;
use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::quic::{Keys, Version};

use super::raw::Raw;
use super::{Guest, SIZE, address, cards, paired, passed};
use crate::Scenario;
use crate::stage::{Outcome, PICTURE, Stage, World};
use punktfunk_e2e::relay::Relay;
use punktfunk_e2e::usage::Memory;

/// The scenarios of this file.
pub const SCENARIOS: &[Scenario] = &[
    ("native bad input", bad_input),
    ("native half-open handshakes", half_open),
    ("native rubbish and replays", rubbish),
];

/// Handshakes that nobody finishes.
const HANDSHAKES: u32 = 10_000;
/// What they may cost the host while they last, KiB: 64 of them are kept, and what the
/// allocator holds on to.
const MOST_KIB: u64 = 16 << 10;

/// Bytes that are no message, by a name.
fn no_messages() -> Result<Vec<(&'static str, Vec<u8>)>> {
    let mut late = Vec::new();
    Control::Access(Access::ALL).encode(&mut late)?;
    Ok(vec![
        ("a Hello of 16 KiB", vec![0x01, 0x80, 0x00, 0x40, 0x00]),
        ("a message of 4 EiB", vec![0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        ("an unknown message of 1 MiB", vec![0x3F, 0x80, 0x10, 0x00, 0x00]),
        ("a field that overruns", vec![0x01, 0x03, 0x01, 0x09, 0x01]),
        ("tags out of order", vec![0x01, 0x06, 0x02, 0x01, b'x', 0x01, 0x01, 0x01]),
        ("a Hello of nothing", vec![0x01, 0x00]),
        ("what only a host says", late),
    ])
}

fn hello(versions: &[u64]) -> Control {
    Control::Hello(Hello {
        versions: versions.iter().map(|version| *version as _).collect(),
        name: "another".to_owned(),
        app: None,
        resume: None,
        mode: Mode { width: 1280, height: 720, refresh_mhz: 60_000 },
        codecs: vec![Codec::H264],
        bitrate_kbps: 10_000,
        channels: 2,
        aeads: vec![Aead::Aes128Gcm],
        payload: 1400,
        mic: false,
        pads: 0,
        launch: true,
        local_sound: false,
    })
}

/// Plays on from `at_ms` and looks back: nothing was lost, nothing stood still.
fn unnoticed(stage: &mut Stage, guest: &Guest, player: &Player, at_ms: u64) -> Result<String> {
    cards(player, SIZE)?;
    let stats = player.stats();
    let card = Card::of(stats.seen.iter().filter(|seen| seen.at_ms >= at_ms));
    let note = format!(
        "{} pictures meanwhile, {} left out, longest time without one {} ms",
        card.unique, card.missing, stats.longest_gap_ms
    );
    ensure!(stage.host.is_alive(), "the host ended");
    ensure!(stats.lost_frames == 0 && stats.decode_errors == 0, "the picture suffered: {note}");
    ensure!(stats.interruptions == 0, "the connection was lost: {note}");
    ensure!(guest.running()?.is_some(), "the host does not answer properly any more");
    Ok(note)
}

/// Each kind from a stranger and from a paired client: told, and closed with the code.
fn bad_input(world: &World, name: &str) -> Result<Outcome> {
    let (mut stage, guest) = paired(world, name)?;
    let other = Guest::new(&stage, "phone")?;
    let player = guest.play(&guest.options("Test card")?)?;
    cards(&player, SIZE)?;
    let at_ms = player.millis();
    let strangers = make_identity()?;
    for (what, bytes) in no_messages()? {
        for identity in [&strangers, other.client.identity()] {
            let mut raw = Raw::connect(address(&stage), identity)?;
            raw.bytes(&bytes);
            raw.ends_with(Code::BadMessage).context(what)?;
        }
    }
    for identity in [&strangers, other.client.identity()] {
        let mut raw = Raw::connect(address(&stage), identity)?;
        raw.say(&hello(&[7, 8]))?;
        raw.ends_with(Code::Version)?;
    }
    let mut early = Raw::connect(address(&stage), other.client.identity())?;
    early.say(&Control::Key(Key { code: 30, down: true }))?;
    early.ends_with(Code::BadMessage).context("a key before there is a session")?;
    let note = unnoticed(&mut stage, &guest, &player, at_ms)?;
    Ok(passed(note))
}

/// A first packet that says nothing: it opens a connection and leaves it waiting for the
/// rest of a handshake (RFC 9000, section 17.2.2).
fn initial(number: u32) -> Result<Vec<u8>> {
    let id = [&[0xC0, 0xFF, 0xEE, 0x00][..], &number.to_be_bytes()].concat();
    let suite = TLS13_AES_128_GCM_SHA256.tls13().context("no TLS 1.3")?;
    let quic = suite.quic.context("no QUIC")?;
    let keys = Keys::initial(Version::V1, suite, quic, &id, Side::Client);
    // Long header, a packet number of one byte, version 1, both ids, no token.
    let mut packet = vec![0xC0, 0, 0, 0, 1, 8];
    packet.extend(&id);
    packet.push(8);
    packet.extend(&id);
    packet.push(0);
    let payload = 1200 - packet.len() - 3;
    packet.extend((0x4000_u16 | (payload + 1) as u16).to_be_bytes());
    packet.push(0);
    let header = packet.len();
    // PING, and padding.
    let mut sealed = vec![0; payload - keys.local.packet.tag_len()];
    sealed[0] = 1;
    let tag = keys.local.packet.encrypt_in_place(0, &packet, &mut sealed)?;
    packet.extend(&sealed);
    packet.extend(tag.as_ref());
    let (head, tail) = packet.split_at_mut(header);
    let (first, rest) = head.split_first_mut().context("no header")?;
    let at = rest.len() - 1;
    // The sample lies four bytes behind where the packet number begins.
    keys.local.header.encrypt_in_place(&tail[3..19], first, &mut rest[at..])?;
    Ok(packet)
}

/// Thousands, from hundreds of addresses: who plays plays on, who is paired gets in.
fn half_open(world: &World, name: &str) -> Result<Outcome> {
    let (mut stage, guest) = paired(world, name)?;
    let player = guest.play(&guest.options("Test card")?)?;
    cards(&player, SIZE)?;
    let at_ms = player.millis();
    let memory = |stage: &Stage| Memory::of(stage.host.pid()).own;
    let before = memory(&stage);
    let (mut most, began) = (before, Instant::now());
    for number in 0..HANDSHAKES {
        let [.., high, low] = (number / 8).to_be_bytes();
        let socket = UdpSocket::bind((Ipv4Addr::new(127, 77, high, low), 0))?;
        socket.send_to(&initial(number)?, address(&stage))?;
        if number % 100 == 0 {
            most = most.max(memory(&stage));
        }
    }
    let took = began.elapsed().as_secs_f64();
    most = most.max(memory(&stage));
    let note = format!(
        "{HANDSHAKES} in {took:.1} s; memory of the host {} KiB before, {} at most; {}",
        before,
        most,
        unnoticed(&mut stage, &guest, &player, at_ms)?
    );
    ensure!(before > 0 && most <= before + MOST_KIB, "the host grew: {note}");
    Ok(passed(note))
}

/// Media datagrams of nobody, and every datagram of a session again, from elsewhere.
fn rubbish(world: &World, name: &str) -> Result<Outcome> {
    let (mut stage, guest) = paired(world, name)?;
    let relay = Relay::new(address(&stage), Weather::FAIR, Weather::FAIR, 22)?;
    relay.record(2000);
    let player = guest.at(relay.address()).play(&guest.options("Test card")?)?;
    cards(&player, SIZE)?;
    let at_ms = player.millis();
    let recorded = relay.recorded();
    ensure!(recorded.len() > 50, "{} datagrams of the client were recorded", recorded.len());
    let kinds =
        |first: u8| recorded.iter().filter(|bytes| bytes.first().is_some_and(|b| b & 0xC0 == first)).count();
    ensure!(kinds(0x80) > 0 && kinds(0xC0) > 0, "no handshake or no report among them");
    let elsewhere = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let to: SocketAddr = address(&stage);
    let mut rng = Rng::new(22);
    for datagram in &recorded {
        elsewhere.send_to(datagram, to)?;
        let mut damaged = datagram.clone();
        let at = usize::try_from(rng.below(damaged.len() as u64))?;
        if let Some(byte) = damaged.get_mut(at) {
            *byte ^= 1 << rng.below(8);
        }
        elsewhere.send_to(&damaged, to)?;
        let len = usize::try_from(rng.below(1400))?;
        let mut noise: Vec<u8> = (0..len).map(|_| rng.next().to_be_bytes()[0]).collect();
        elsewhere.send_to(&noise, to)?;
        if let Some(first) = noise.first_mut() {
            *first = 0x80 | (*first & 0x27);
        }
        elsewhere.send_to(&noise, to)?;
    }
    let note = unnoticed(&mut stage, &guest, &player, at_ms)?;
    player.wait_for("the tone", PICTURE, |stats| stats.tone_share > crate::stage::TONE)?;
    Ok(passed(format!("{} datagrams again and damaged; {note}", recorded.len())))
}
