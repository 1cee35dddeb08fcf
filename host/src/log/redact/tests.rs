//! What the redactor takes out, and what it leaves.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use punktfunk_core::bytes::to_hex;

use super::personal::is_public;
use super::*;

fn clean(text: &str) -> String {
    Redactor::for_others().clean(text).text
}

#[test]
fn each_kind_is_taken_out_and_the_rest_stays() {
    for (text, expected) in [
        ("pin=1234 client=7", "pin=••• client=7"),
        ("the PIN 123456 was shown", "the PIN ••• was shown"),
        ("spinning at pin 3", "spinning at pin 3"),
        ("{\"claim_secret\": \"a b\\\"c\", \"x\": 1}", "{\"claim_secret\": \"•••\", \"x\": 1}"),
        ("Authorization: Bearer pf_x\nnext", "Authorization: •••\nnext"),
        ("password: my dog rex\nnext", "password: •••\nnext"),
        ("https://h:47990/claim#abc-def now", "https://h:47990/claim#••• now"),
        ("punktfunk://pair/xyz?s=1 shown", "punktfunk://••• shown"),
        ("mail anna.b@example.org!", "mail •••!"),
        ("/var/home/anna/.config/x", "/var/home/•••/.config/x"),
        ("link 52:54:00:12:34:56 up", "link ••• up"),
        ("from 203.0.113.77:5000", "from 203.0.•••:5000"),
        ("from 192.168.1.5 and 10.0.0.1", "from 192.168.1.5 and 10.0.0.1"),
        ("from [2001:db8:1:2::77]:5000", "from [2001:db8:•••]:5000"),
        ("fe80::5054:ff:fe12:3456%eth0", "fe80:•••%eth0"),
        ("punktfunk_host::audio::stage", "punktfunk_host::audio::stage"),
        ("sound::d::built find::bad mod::b", "sound::d::built find::bad mod::b"),
        ("at 12:34:56 version 6.18.44 [::1]:80", "at 12:34:56 version 6.18.44 [::1]:80"),
        (
            "/usr/lib/x86_64-linux-gnu/pipewire-0.3/libpipewire-module",
            "/usr/lib/x86_64-linux-gnu/pipewire-0.3/libpipewire-module",
        ),
        (
            "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----",
            "-----BEGIN •••-----END PRIVATE KEY-----",
        ),
    ] {
        assert_eq!(clean(text), expected, "{text}");
    }
}

#[test]
fn secrets_alone_are_taken_out_of_what_stays_here() {
    let redactor = Redactor::of_secrets();
    let text = "203.0.113.77 anna@example.org /home/anna token=abc";
    assert_eq!(redactor.clean(text).text, "203.0.113.77 anna@example.org /home/anna token=•••");
}

#[test]
fn it_counts_what_it_took_out() {
    let redactor = Redactor::for_others();
    redactor.hide("hunter22");
    let out = redactor.clean("a@b.cd hunter22 hunter22 x");
    assert_eq!(out.text, "••• ••• ••• x");
    assert_eq!(out.removed, BTreeMap::from([("e-mail address", 1), ("known secret", 2)]));
}

#[test]
fn a_known_secret_is_found_in_json_too() {
    let redactor = Redactor::of_secrets();
    redactor.hide("say \"friend\"\n");
    let json = serde_json::json!({ "note": "x say \"friend\"\n y" }).to_string();
    assert_eq!(redactor.clean(&json).text, "{\"note\":\"x ••• y\"}");
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_planted_secret_never_comes_out_whatever_stands_around_it(
        key: [u8; 32], more: [u8; 24], before: String, after: String, known in "[!-~]{4,40}",
        claim in "([a-z2-9]{5}-){4}[a-z2-9]{5}",
    ) {
        let redactor = Redactor::of_secrets();
        redactor.hide(&known);
        let token = base64(&key).replace('+', "-").replace('/', "_");
        for secret in [
            known.clone(),
            claim,
            to_hex(&key),
            to_hex(&key).to_uppercase(),
            to_hex(&more[..16]),
            format!("pf_{}", token.trim_end_matches('=')),
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", base64(&key)),
        ] {
            for text in [format!("{before}{secret}{after}"), format!("{before} {secret}\n{after}")] {
                let out = redactor.clean(&text).text;
                prop_assert!(!out.contains(&secret), "{secret:?} came out of {text:?} as {out:?}");
            }
        }
    }

    #[test]
    fn what_is_named_a_secret_never_comes_out(
        pin in "[0-9]{4,8}", word in "[A-Za-z0-9!?*_.-]{6,30}", phrase in "[A-Za-z0-9 !?*'_.-]{6,30}x",
        before in "[^•]*\\s", after: String,
    ) {
        let redactor = Redactor::for_others();
        let quoted = serde_json::Value::from(phrase.as_str()).to_string();
        for (text, secret) in [
            (format!("{before}pin={pin} {after}"), &pin),
            (format!("{before}PIN: {pin}, {after}"), &pin),
            (format!("{before}token={word} {after}"), &word),
            (format!("{before}?secret={word}&x=1{after}"), &word),
            (format!("{before}{{\"new_password\":{quoted}}}{after}"), &phrase),
            (format!("{before}Cookie: __Host-punktfunk={word}\r\n{after}"), &word),
            (format!("{before}Authorization: Bearer {word}\r\n{after}"), &word),
        ] {
            // What stands around may say it as well, and is not ours.
            prop_assume!(!before.contains(secret.as_str()) && !after.contains(secret.as_str()));
            let out = redactor.clean(&text).text;
            prop_assert!(!out.contains(secret.as_str()), "{secret:?} came out of {text:?} as {out:?}");
        }
    }

    #[test]
    fn people_and_networks_never_come_out(
        user in "[a-z][a-z0-9_-]{3,12}", mac: [u8; 6], v4: [u8; 4], v6: [u16; 8],
        before in "[^0-9a-fA-F:.@-]*", after in "([^0-9a-fA-F:.@%_+a-zA-Z-][^@]*)?",
    ) {
        let redactor = Redactor::for_others();
        let mail = format!("{user}.q@{user}.example.org");
        let hardware = mac.map(|byte| format!("{byte:02x}")).join(":");
        let (v4, v6) = (Ipv4Addr::from(v4), Ipv6Addr::from(v6));
        let mut planted = vec![mail, hardware, format!("/home/{user}")];
        planted.extend(is_public(v4.into()).then(|| v4.to_string()));
        planted.extend(is_public(v6.into()).then(|| v6.to_string()));
        for secret in planted {
            let text = format!("{before}{secret}{after}");
            prop_assume!(!before.contains(&secret) && !after.contains(&secret));
            let out = redactor.clean(&text).text;
            prop_assert!(!out.contains(&secret), "{secret:?} came out of {text:?} as {out:?}");
        }
    }

    #[test]
    fn any_text_is_survived_and_ordinary_text_stays(text: String, words in "([a-z]{1,9} ){0,30}") {
        let redactor = Redactor::for_others();
        redactor.hide(&text);
        let _ = redactor.clean(&text);
        prop_assert_eq!(Redactor::for_others().clean(&words).text, words);
    }
}
