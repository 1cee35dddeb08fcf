//! Pairing of punktfunk/1: both sides against each other, and each against everything
//! that is not the one right order.

use proptest::prelude::*;
use punktfunk_core::native::pairing::client::{Next as ClientNext, Pairing as Client};
use punktfunk_core::native::pairing::host::{Next as HostNext, Offer, Pairing as Host};
use punktfunk_core::native::pairing::qr::{Address, Invitation, InvitationError, MAX_ADDRESSES};
use punktfunk_core::native::pairing::{Channel, Error, Password, Pin, Secret};
use punktfunk_core::native::wire::control::{Control, PairConfirm, PairDone, PairStart, Refused};
use punktfunk_core::native::wire::{Access, Code};

const CHANNEL: Channel = Channel { client: [1; 32], host: [2; 32], exporter: [3; 32] };
const ACCESS: Access = Access(15);

fn pin(text: &str) -> Pin {
    Pin::parse(text).unwrap()
}

fn client(channel: &Channel, password: &Password) -> (Client, Control) {
    let (client, start) = Client::new(channel, password, "living room", &mut |out| out.fill(0xA1));
    (client, Control::PairStart(start))
}

fn host(channel: &Channel, offer: &Offer) -> Host {
    Host::new(channel, offer, &mut |out| out.fill(0xB2))
}

fn by_pin(text: &str) -> (Password, Offer) {
    (Password::Pin(pin(text)), Offer { pin: Some(pin(text)), secret: None })
}

fn answer(next: Result<HostNext, Error>) -> Control {
    match next {
        Ok(HostNext::Send(answer)) => Control::PairAnswer(answer),
        other => panic!("{other:?}"),
    }
}

fn confirm(next: Result<ClientNext, Error>) -> Control {
    match next {
        Ok(ClientNext::Send(confirm)) => Control::PairConfirm(confirm),
        other => panic!("{other:?}"),
    }
}

/// The four messages of one pairing with known draws.
fn script() -> [Control; 4] {
    let (password, offer) = by_pin("314159");
    let (mut client, start) = client(&CHANNEL, &password);
    let mut host = host(&CHANNEL, &offer);
    let answer = answer(host.take(&start));
    let confirm = confirm(client.take(&answer));
    let Ok(HostNext::Store(proven)) = host.take(&confirm) else { panic!("not proven") };
    [start, answer, confirm, Control::PairDone(proven.stored(ACCESS))]
}

/// What becomes of a client and a host that see different channels or know different
/// passwords: the host's verdict on the client's proof.
fn verdict(
    client_sees: &Channel,
    password: &Password,
    host_sees: &Channel,
    offer: &Offer,
) -> Result<(), Error> {
    let (mut client, start) = client(client_sees, password);
    let mut host = host(host_sees, offer);
    let answer = answer(host.take(&start));
    let confirm = confirm(client.take(&answer));
    let proven = host.take(&confirm);
    assert!(host.is_over());
    proven.map(|_| ())
}

#[test]
fn a_pin_or_a_secret_makes_both_trust_each_other() {
    let secret = Secret([9; 16]);
    let offer = Offer { pin: Some(pin("000001")), secret: Some(secret) };
    for (password, method) in [(Password::Pin(pin("000001")), 1), (Password::Secret(secret), 2)] {
        let (mut client, start) = client(&CHANNEL, &password);
        let mut host = host(&CHANNEL, &offer);
        let answer = answer(host.take(&start));
        let confirm = confirm(client.take(&answer));
        let Ok(HostNext::Store(proven)) = host.take(&confirm) else { panic!("not proven") };
        assert_eq!((proven.client(), proven.name(), proven.method()), ([1; 32], "living room", method));
        let Ok(ClientNext::Paired(paired)) = client.take(&Control::PairDone(proven.stored(ACCESS))) else {
            panic!("not paired")
        };
        assert_eq!((paired.host, paired.access), ([2; 32], ACCESS));
        assert!(client.is_over() && host.is_over());
    }
}

#[test]
fn whatever_differs_between_the_sides_is_noticed() {
    let (password, offer) = by_pin("314159");
    assert_eq!(verdict(&CHANNEL, &password, &CHANNEL, &offer), Ok(()));
    for other in [
        Channel { client: [7; 32], ..CHANNEL },
        Channel { host: [7; 32], ..CHANNEL },
        Channel { exporter: [7; 32], ..CHANNEL },
    ] {
        assert_eq!(verdict(&other, &password, &CHANNEL, &offer), Err(Error::Wrong));
    }
    assert_eq!(verdict(&CHANNEL, &by_pin("314158").0, &CHANNEL, &offer), Err(Error::Wrong));
    assert_eq!(Error::Wrong.code(), Code::WrongPin);
}

#[test]
fn what_is_said_cannot_be_changed_on_the_way() {
    let [start, answer, confirm, done] = script();
    let (password, offer) = by_pin("314159");
    let Control::PairStart(honest) = &start else { panic!() };
    // Another name than the one that the client proves.
    let mut host = host(&CHANNEL, &offer);
    assert!(host.take(&Control::PairStart(PairStart { name: "evil".into(), ..honest.clone() })).is_ok());
    assert_eq!(host.take(&confirm).map(|_| ()), Err(Error::Wrong));
    // A proof with any bit wrong, of either side.
    for bit in 0..256 {
        let flip = |mac: [u8; 32]| {
            let mut mac = mac;
            mac[bit / 8] ^= 1 << (bit % 8);
            mac
        };
        let (Control::PairConfirm(right), Control::PairDone(last)) = (&confirm, &done) else { panic!() };
        if bit % 16 == 0 {
            let mut host = Host::new(&CHANNEL, &offer, &mut |out| out.fill(0xB2));
            assert!(host.take(&start).is_ok());
            let wrong = Control::PairConfirm(PairConfirm { mac: flip(right.mac) });
            assert_eq!(host.take(&wrong).map(|_| ()), Err(Error::Wrong));
            assert_eq!(host.take(&confirm).map(|_| ()), Err(Error::OutOfOrder), "one try a connection");
            let (mut client, _) = client(&CHANNEL, &password);
            assert!(client.take(&answer).is_ok());
            let wrong = Control::PairDone(PairDone { mac: flip(last.mac), access: last.access });
            assert_eq!(client.take(&wrong), Err(Error::Wrong));
            assert_eq!(client.take(&done), Err(Error::OutOfOrder));
        }
    }
}

#[test]
fn nothing_that_a_side_said_convinces_itself() {
    let [start, answer, confirm, _] = script();
    let (password, offer) = by_pin("314159");
    let (Control::PairStart(said), Control::PairAnswer(heard), Control::PairConfirm(proof)) =
        (&start, &answer, &confirm)
    else {
        panic!()
    };
    // The client's point as the host's, with the side's letter changed as well.
    for letter in [b'A', b'B'] {
        let (mut client, _) = client(&CHANNEL, &password);
        let mut heard = heard.clone();
        heard.message = said.message;
        heard.message[0] = letter;
        let reflected = client.take(&Control::PairAnswer(heard));
        assert_eq!(reflected.is_err(), letter == b'A', "{reflected:?}");
        let mac = proof.mac;
        assert!(client.take(&Control::PairDone(PairDone { mac, access: ACCESS })).is_err());
    }
    // The host's own answer as a start, and the client's proof as the host's.
    let mut host = host(&CHANNEL, &offer);
    let start = Control::PairStart(PairStart { message: heard.message, ..said.clone() });
    assert_eq!(host.take(&start).map(|_| ()), Err(Error::Damaged));
    let (mut client, _) = client(&CHANNEL, &password);
    assert!(client.take(&answer).is_ok());
    let reflected = client.take(&Control::PairDone(PairDone { mac: proof.mac, access: ACCESS }));
    assert_eq!(reflected, Err(Error::Wrong));
}

#[test]
fn points_of_low_order_are_refused() {
    let (_, offer) = by_pin("314159");
    let [start, ..] = script();
    let Control::PairStart(start) = start else { panic!() };
    let mut neutral = [0; 33];
    (neutral[0], neutral[1]) = (b'A', 1);
    let mut order_four = [0; 33];
    order_four[0] = b'A';
    for message in [neutral, order_four, [0xFF; 33]] {
        let mut host = host(&CHANNEL, &offer);
        let next = host.take(&Control::PairStart(PairStart { message, ..start.clone() }));
        assert_eq!(next.map(|_| ()), Err(Error::Damaged));
    }
}

#[test]
fn only_what_the_owner_offers_is_answered() {
    let [start, ..] = script();
    let Control::PairStart(start) = start else { panic!() };
    let pin_only = by_pin("314159").1;
    for (offer, method) in
        [(Offer::default(), 1), (Offer::default(), 2), (pin_only, 2), (pin_only, 0), (pin_only, 3)]
    {
        let mut host = host(&CHANNEL, &offer);
        let next = host.take(&Control::PairStart(PairStart { method, ..start.clone() }));
        assert_eq!(next.map(|_| ()), Err(Error::Closed));
        assert!(host.is_over());
    }
    let (mut client, _) = client(&CHANNEL, &by_pin("314159").0);
    let refused = Refused { code: Code::TooManyTries, ..Refused::default() };
    assert_eq!(client.take(&Control::Refused(refused)), Err(Error::Refused(Code::TooManyTries)));
    assert!(client.is_over());
}

/// Every sequence of up to eight of `alphabet` messages: permutations, repetitions and
/// omissions alike.
fn sequences(alphabet: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..=8u32).flat_map(move |length| {
        (0..alphabet.pow(length))
            .map(move |number| (0..length).map(|place| number / alphabet.pow(place) % alphabet).collect())
    })
}

#[test]
fn a_host_trusts_after_the_one_right_order_alone() {
    let [start, _, confirm, _] = script();
    let messages = [start, confirm, Control::ListApps];
    let (_, offer) = by_pin("314159");
    let mut paired = 0usize;
    for sequence in sequences(messages.len()) {
        let mut host = host(&CHANNEL, &offer);
        let mut right = true;
        for (at, &which) in sequence.iter().enumerate() {
            right &= at == which && at < 2;
            match host.take(&messages[which]) {
                Ok(HostNext::Send(_)) => assert!(right && at == 0, "{sequence:?}"),
                Ok(HostNext::Store(_)) => {
                    assert!(right && at == 1, "{sequence:?}");
                    paired += 1;
                }
                Err(_) => assert!(!right && host.is_over(), "{sequence:?}"),
            }
        }
    }
    // Each that begins with both steps: one of two messages, three of three, …
    assert_eq!(paired, (0..=6).map(|more| 3usize.pow(more)).sum::<usize>());
}

#[test]
fn a_client_trusts_after_the_one_right_order_alone() {
    let [_, answer, _, done] = script();
    let messages = [answer, done, Control::Refused(Refused::default())];
    let (password, _) = by_pin("314159");
    let mut paired = 0usize;
    for sequence in sequences(messages.len()) {
        let (mut client, _) = client(&CHANNEL, &password);
        let mut right = true;
        for (at, &which) in sequence.iter().enumerate() {
            right &= at == which && at < 2;
            match client.take(&messages[which]) {
                Ok(ClientNext::Send(_)) => assert!(right && at == 0, "{sequence:?}"),
                Ok(ClientNext::Paired(_)) => {
                    assert!(right && at == 1, "{sequence:?}");
                    paired += 1;
                }
                Err(_) => assert!(!right && client.is_over(), "{sequence:?}"),
            }
        }
    }
    assert_eq!(paired, (0..=6).map(|more| 3usize.pow(more)).sum::<usize>());
}

fn invitation() -> Invitation {
    Invitation {
        addresses: vec![
            Address { host: "192.0.2.7".into(), port: 9777 },
            Address { host: "2001:db8::7".into(), port: 9778 },
            Address { host: "den.local".into(), port: 1 },
        ],
        fingerprint: [0xF0; 32],
        secret: Secret([0x0D; 16]),
        name: "Dän & Söhne=1".into(),
    }
}

#[test]
fn an_invitation_is_read_as_it_was_written() {
    let text = invitation().to_string();
    assert_eq!(Invitation::parse(&text), Ok(invitation()));
    let mut only = invitation();
    only.addresses.remove(0);
    assert!(only.to_string().starts_with("punktfunk://[2001:db8::7]:9778/pair?v=1&fp=f0f0"));
    assert_eq!(Invitation::parse(&only.to_string()), Ok(only));
    assert_eq!(Invitation::parse(&format!("{text}&later=1")), Ok(invitation()), "unknown keys are skipped");
}

#[test]
fn other_texts_are_refused() {
    use InvitationError::{Foreign, Version};
    let text = invitation().to_string();
    assert_eq!(Invitation::parse(""), Err(Foreign));
    assert_eq!(Invitation::parse("https://example.org/pair?v=1"), Err(Foreign));
    assert_eq!(Invitation::parse(&text.replace("/pair", "/pear")), Err(Foreign));
    assert_eq!(Invitation::parse(&text.replace("v=1", "v=2")), Err(Version));
    let many = "&a=h%3A1".repeat(MAX_ADDRESSES);
    for (from, to) in [
        ("v=1&", ""),
        ("v=1", "v="),
        ("v=1", "v=1&v=1"),
        ("fp=f0", "fp="),
        ("fp=f0", "fp=zz"),
        ("s=0d", "s=0d0d"),
        ("n=", "n=%00"),
        ("n=", "n=%C3%"),
        ("n=", "n=%ff"),
        ("&n=", "&n"),
        (":9777", ""),
        (":9777", ":0"),
        (":9777", ":65536"),
        (":9777", ":+977"),
        ("192.0.2.7", ""),
        ("192.0.2.7", "a b"),
        ("192.0.2.7", "-x"),
        ("192.0.2.7", "[::1"),
        ("192.0.2.7", "[fe80::1%25eth0]"),
        ("192.0.2.7", "user@host"),
        ("&n=", &format!("{many}&n=")),
        ("&n=", &format!("&n={}", "x".repeat(65))),
        ("&n=", &format!("&x={}&n=", "x".repeat(1024))),
    ] {
        let wrong = text.replacen(from, to, 1);
        assert_ne!(wrong, text, "{from}");
        let read = Invitation::parse(&wrong);
        assert!(matches!(read, Err(InvitationError::Damaged(_))), "{wrong}: {read:?}");
    }
}

proptest! {
    #[test]
    fn any_name_is_read_back_or_cut(name in "\\PC{0,40}", port in 1u16.., fingerprint: [u8; 32]) {
        let addresses = vec![Address { host: "h".into(), port }];
        let invitation = Invitation { addresses, fingerprint, name, ..invitation() };
        let read = Invitation::parse(&invitation.to_string()).unwrap();
        prop_assert!(invitation.name.starts_with(&read.name));
        prop_assert!(read.name.len() == invitation.name.len() || read.name.len() > 60);
        prop_assert_eq!(read.fingerprint, fingerprint);
    }

    #[test]
    fn no_text_makes_it_panic(text: String, tail: String) {
        let _ = Invitation::parse(&text);
        let _ = Invitation::parse(&format!("punktfunk://{tail}"));
        let _ = Invitation::parse(&format!("{}{tail}", invitation()));
    }

    #[test]
    fn a_wrong_pin_never_pairs(right in 0u32..1_000_000, wrong in 0u32..1_000_000) {
        let (password, _) = by_pin(&format!("{wrong:06}"));
        let (_, offer) = by_pin(&format!("{right:06}"));
        let expected = if right == wrong { Ok(()) } else { Err(Error::Wrong) };
        prop_assert_eq!(verdict(&CHANNEL, &password, &CHANNEL, &offer), expected);
    }
}
