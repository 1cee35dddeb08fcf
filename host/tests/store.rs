//! The state directory: made once, kept private, never destroyed.

#[expect(dead_code, reason = "each test file uses a part")]
mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use punktfunk_core::native::wire::Access;
use punktfunk_host::session::{ClientId, KeyLedger as _};
use punktfunk_host::store::{Client, PLAY, Protocol, Renamed, Store, StoreError, UsedKeys, find};
use support::Dir;

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn the_identity_is_made_once_and_private() {
    let dir = Dir::new();
    let state = dir.path().join("deep/state");
    let first = Store::open(&state).unwrap();
    assert_eq!(mode(&state), 0o700);
    assert_eq!(mode(&state.join("identity.json")), 0o600);
    let identity = first.identity();
    assert_eq!(identity.certificate().signature().len(), 256, "RSA-2048");
    assert_eq!(identity.unique_id().len(), 36);
    let again = Store::open(&state).unwrap();
    assert_eq!(again.identity().certificate_pem(), identity.certificate_pem());
    assert_eq!(again.identity().unique_id(), identity.unique_id());
    assert!(!format!("{again:?}").contains("PRIVATE KEY"), "secrets stay out of logs");
}

#[test]
fn paired_clients_outlive_the_process() {
    let dir = Dir::new();
    let store = Store::open(dir.path()).unwrap();
    let tv = store.pair(b"certificate of the tv", "tv").unwrap();
    let phone = store.pair(b"certificate of the phone", "tv").unwrap();
    assert_eq!(phone.name, "tv 2");
    let unnamed = store.pair(b"another", " \n").unwrap();
    assert!(unnamed.name.starts_with("moonlight-"), "{}", unnamed.name);
    assert_eq!(mode(&dir.path().join("clients.json")), 0o600);

    let store = Store::open(dir.path()).unwrap();
    assert_eq!(
        store.clients().iter().map(|c| c.name.clone()).collect::<Vec<_>>(),
        ["tv", "tv 2", unnamed.name.as_str()]
    );
    assert_eq!(store.client(tv.id).unwrap(), tv);
    assert_eq!(store.client(ClientId([0; 32])), None);
    assert_eq!(find(&store.clients(), "tv").unwrap().id, tv.id);
    assert_eq!(find(&store.clients(), &phone.fingerprint()[..8]).unwrap().id, phone.id);
    assert!(find(&store.clients(), "t").unwrap_err().contains("clients list"));

    assert!(store.revoke(tv.id).unwrap());
    assert!(!store.revoke(tv.id).unwrap());
    assert_eq!(Store::open(dir.path()).unwrap().client(tv.id), None);
}

#[test]
fn the_list_of_an_older_version_is_read_and_written_anew_only_when_it_changes() {
    let dir = Dir::new();
    drop(Store::open(dir.path()).unwrap());
    let path = dir.path().join("clients.json");
    let fingerprint = punktfunk_core::bytes::to_hex(&punktfunk_core::crypto::sha256(&[b"old"]));
    let old = format!(
        r#"{{"version":1,"clients":[{{"name":"tv","fingerprint":"{fingerprint}","certificate":"6f6c64","added":7}}]}}"#
    );
    std::fs::write(&path, &old).unwrap();
    let store = Store::open(dir.path()).unwrap();
    let tv = &store.clients()[0];
    assert_eq!((tv.name.as_str(), tv.protocol, tv.access), ("tv", Protocol::GameStream, Access::ALL));
    assert_eq!((tv.added, tv.expires, tv.seen), (7, None, None));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), old, "reading changes nothing");
    store.pair_native(ClientId([5; 32]), "deck", PLAY, None).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("\"version\": 2"), "{text}");
    assert_eq!(Store::open(dir.path()).unwrap().clients(), store.clients());
}

#[test]
fn what_a_native_client_may_do_is_kept() {
    let dir = Dir::new();
    let store = Store::open(dir.path()).unwrap();
    let id = ClientId([5; 32]);
    let deck = store.pair_native(id, "deck\n", PLAY, None).unwrap();
    assert_eq!((deck.name.as_str(), deck.certificate.len()), ("deck", 0));
    assert_eq!(store.client(id).unwrap(), deck);
    let view = store.set_access(id, Access::VIEW).unwrap().unwrap();
    assert_eq!(view, Client { access: Access::VIEW, ..deck });
    store.note_seen(id).unwrap();
    let seen = store.client(id).unwrap().seen;
    assert!(seen >= Some(view.added));
    let before = std::fs::metadata(dir.path().join("clients.json")).unwrap().modified().unwrap();
    store.note_seen(id).unwrap();
    let after = std::fs::metadata(dir.path().join("clients.json")).unwrap().modified().unwrap();
    assert_eq!(before, after, "noted once a minute");
    assert_eq!(Store::open(dir.path()).unwrap().clients(), [Client { seen, ..view }]);
    assert_eq!(store.set_access(ClientId([6; 32]), Access::ALL).unwrap(), None);
}

#[test]
fn who_expired_is_not_trusted_and_still_listed() {
    let dir = Dir::new();
    let store = Store::open(dir.path()).unwrap();
    let tv = store.pair(b"certificate", "tv").unwrap();
    let far = tv.added + 1_000_000;
    store.set_expiry(tv.id, Some(far)).unwrap();
    assert!(store.client(tv.id).is_some());
    assert_eq!(store.next_expiry(), Some(far));
    store.set_expiry(tv.id, Some(tv.added)).unwrap();
    assert_eq!(store.client(tv.id), None);
    assert_eq!((store.next_expiry(), store.clients().len()), (None, 1));
    assert_eq!(Store::open(dir.path()).unwrap().client(tv.id), None);
    store.set_expiry(tv.id, None).unwrap();
    assert!(store.client(tv.id).is_some(), "the owner changed their mind");
}

#[test]
fn native_clients_know_the_host_by_a_key_of_its_own() {
    let dir = Dir::new();
    let first = Store::open(dir.path()).unwrap();
    assert_eq!(mode(&dir.path().join("native-identity.json")), 0o600);
    let again = Store::open(dir.path()).unwrap();
    assert_eq!(again.native_identity().hash(), first.native_identity().hash());
    assert!(!format!("{:?}", again.native_identity()).contains("PRIVATE"));
    let other = Store::open(&dir.path().join("other")).unwrap();
    assert_ne!(other.native_identity().hash(), first.native_identity().hash());
}

#[test]
fn names_stay_unique_when_the_owner_changes_them() {
    let dir = Dir::new();
    let store = Store::open(dir.path()).unwrap();
    let tv = store.pair(b"certificate of the tv", "tv").unwrap();
    store.pair(b"certificate of the phone", "phone").unwrap();
    assert_eq!(store.rename(tv.id, "phone").unwrap(), Renamed::Taken);
    assert_eq!(store.rename(ClientId([0; 32]), "phone").unwrap(), Renamed::Unknown);
    let renamed = Client { name: "living room".into(), ..tv.clone() };
    assert_eq!(store.rename(tv.id, "living room").unwrap(), Renamed::Done(renamed.clone()));
    assert_eq!(
        store.rename(tv.id, "living room").unwrap(),
        Renamed::Done(renamed.clone()),
        "it keeps its own"
    );
    assert_eq!(Store::open(dir.path()).unwrap().client(tv.id), Some(renamed));
}

#[test]
fn pairing_again_renames_and_does_not_double() {
    let dir = Dir::new();
    let store = Store::open(dir.path()).unwrap();
    store.pair(b"certificate", "old").unwrap();
    let client = store.pair(b"certificate", "new").unwrap();
    assert_eq!(store.clients(), [client]);
}

#[test]
fn what_is_newer_or_damaged_is_refused_and_left_alone() {
    for (file, text, newer) in [
        ("identity.json", r#"{"version": 2, "something": "else"}"#, true),
        ("clients.json", r#"{"version": 9}"#, true),
        ("identity.json", "", false),
        ("identity.json", r#"{"version": 1}"#, false),
        ("identity.json", r#"{"version":1,"unique_id":"x","certificate":"x","key":"x"}"#, false),
        ("native-identity.json", r#"{"version": 2}"#, true),
        ("native-identity.json", r#"{"version":1,"certificate":"x","key":"x"}"#, false),
        ("clients.json", r#"{"version": 3, "clients": []}"#, true),
        (
            "clients.json",
            r#"{"version":2,"clients":[{"name":"x","fingerprint":"00","protocol":"native","added":0,"access":1}]}"#,
            false,
        ),
        ("clients.json", "{", false),
        ("clients.json", r#"{"clients": []}"#, false),
        ("clients.json", r#"{"version": 0, "clients": []}"#, false),
        (
            "clients.json",
            r#"{"version":1,"clients":[{"name":"x","fingerprint":"00","certificate":"00","added":0}]}"#,
            false,
        ),
    ] {
        let dir = Dir::new();
        drop(Store::open(dir.path()).unwrap());
        let path = dir.path().join(file);
        std::fs::write(&path, text).unwrap();
        let error = Store::open(dir.path()).unwrap_err();
        assert_eq!(matches!(error, StoreError::Newer { .. }), newer, "{text}: {error}");
        assert_eq!(matches!(error, StoreError::Damaged { .. }), !newer, "{text}: {error}");
        assert!(error.to_string().contains(file), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "left alone");
    }
}

#[test]
fn a_torn_write_of_a_crash_does_not_matter() {
    let dir = Dir::new();
    Store::open(dir.path()).unwrap().pair(b"certificate", "tv").unwrap();
    std::fs::write(dir.path().join("clients.json.new"), "{\"vers").unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.clients().len(), 1);
    store.pair(b"another", "phone").unwrap();
    assert_eq!(Store::open(dir.path()).unwrap().clients().len(), 2);
}

#[test]
fn two_hosts_cannot_run_on_one_directory() {
    let dir = Dir::new();
    let first = Store::open(dir.path()).unwrap();
    first.lock().unwrap();
    let second = Store::open(dir.path()).unwrap();
    assert!(matches!(second.lock(), Err(StoreError::InUse { .. })));
    drop(first);
    second.lock().unwrap();
}

/// What a crash at each step of replacing `clients.json` leaves: the new file in part
/// beside the old one, the new file whole beside it, the new file in its place.
#[test]
fn a_crash_at_any_step_of_a_write_leaves_the_old_or_the_new() {
    let dir = Dir::new();
    let path = dir.path().join("clients.json");
    let store = Store::open(dir.path()).unwrap();
    store.pair(b"first", "tv").unwrap();
    let old = std::fs::read(&path).unwrap();
    store.pair(b"second", "phone").unwrap();
    let new = std::fs::read(&path).unwrap();
    let names = || Store::open(dir.path()).unwrap().clients().into_iter().map(|c| c.name).collect::<Vec<_>>();
    for cut in 0..=new.len() {
        std::fs::write(&path, &old).unwrap();
        std::fs::write(dir.path().join("clients.json.new"), &new[..cut]).unwrap();
        assert_eq!(names(), ["tv"], "cut after {cut} bytes");
    }
    // What was left does not disturb the next write.
    Store::open(dir.path()).unwrap().pair(b"third", "deck").unwrap();
    assert_eq!(names(), ["tv", "deck"]);
    std::fs::write(&path, &new).unwrap();
    assert_eq!(names(), ["tv", "phone"]);
}

/// The program of the next test: pairs and revokes for ever, and says what is done.
#[test]
fn child_that_writes_until_it_is_killed() {
    let Some(dir) = std::env::var_os("PUNKTFUNK_TEST_STORE") else { return };
    let store = Store::open(Path::new(&dir)).unwrap();
    let keys = UsedKeys::open(Path::new(&dir)).unwrap();
    let first = store.clients().len();
    eprintln!("ready");
    for n in first.. {
        let name = format!("client {n}");
        store.pair(name.as_bytes(), &name).unwrap();
        let mut key = [0; 16];
        rustix::rand::getrandom(&mut key, rustix::rand::GetRandomFlags::empty()).unwrap();
        assert_eq!(keys.claim(&key), Ok(true));
        // On the error stream: the test harness keeps the other one back.
        eprintln!("done {n} {}", punktfunk_core::bytes::to_hex(&key));
    }
}

#[test]
fn a_store_that_is_killed_at_any_time_loses_nothing_it_confirmed() {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};
    use std::time::Duration;

    let dir = Dir::new();
    Store::open(dir.path()).unwrap();
    let (mut confirmed, mut keys) = (0, Vec::new());
    for round in 0..25_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_writes_until_it_is_killed", "--nocapture"])
            .env("PUNKTFUNK_TEST_STORE", dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        let (ready, is_ready) = std::sync::mpsc::channel();
        let killer = std::thread::spawn(move || {
            is_ready.recv().unwrap();
            // Anywhere in its first or a later write; never the same place.
            std::thread::park_timeout(Duration::from_micros(round * 1_777 % 30_000));
            child.kill().unwrap();
            child.wait().unwrap();
        });
        for line in said.lines().map_while(Result::ok) {
            if line == "ready" {
                ready.send(()).unwrap();
            }
            let mut words = line.split(' ');
            if words.next() == Some("done")
                && let (Some(number), Some(key)) = (words.next(), words.next())
                && key.len() == 32
            {
                confirmed = confirmed.max(number.parse::<usize>().unwrap() + 1);
                keys.push(key.to_owned());
            }
        }
        killer.join().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let used = UsedKeys::open(dir.path()).unwrap();
        let clients = store.clients();
        // One may be there that was not confirmed yet; none is missing or half there.
        assert!((confirmed..=confirmed + 1).contains(&clients.len()), "{confirmed} of {}", clients.len());
        for (n, client) in clients.iter().enumerate() {
            assert_eq!((client.name.clone(), client.certificate.clone()), {
                let name = format!("client {n}");
                (name.clone(), name.into_bytes())
            });
        }
        confirmed = clients.len();
        for key in &keys {
            let key = punktfunk_core::bytes::from_hex(key).unwrap().try_into().unwrap();
            assert_eq!(used.claim(&key), Ok(false), "a confirmed key was forgotten");
        }
    }
    assert!(confirmed > 0, "it was never given the time to write: the test is worth nothing");
}
