//! The real program: who may connect, what ends a connection, what it says where no
//! device can be made. What it does where devices can be made: `cargo xtask vm inputd`.

use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use punktfunk_inputd::uinput;
use punktfunk_inputd_ipc::{
    Header, MAX_MESSAGE, PadKind, Refusal, SeatName, ToBroker, ToHost, decode_to_host,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketType};

/// When set, this test program is the foreign user: it connects there and prints what it
/// is told.
const AS_STRANGER: &str = "INPUTD_TEST_CONNECT";

/// A broker, and a folder that everybody may enter.
struct Broker {
    folder: PathBuf,
    child: Child,
}

impl Broker {
    fn start(name: &str, options: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(format!("pf-inputd-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        let child = spawn(&folder.join("sock"), options);
        let broker = Self { folder, child };
        drop(broker.connect());
        broker
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("sock")
    }

    /// Connects as soon as somebody listens.
    fn connect(&self) -> OwnedFd {
        let address = SocketAddrUnix::new(self.socket()).unwrap();
        let since = Instant::now();
        loop {
            let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
            match rustix::net::connect(&socket, &address) {
                Ok(()) => return socket,
                Err(error) => assert!(since.elapsed().as_secs() < 20, "nobody listens: {error}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        self.child.wait().unwrap();
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

fn spawn(socket: &Path, options: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_punktfunk-inputd"));
    command.arg("--socket").arg(socket).args(options).arg("--end-with-stdin");
    command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn me() -> String {
    rustix::process::geteuid().as_raw().to_string()
}

fn say(socket: &OwnedFd, device: u8, message: &ToBroker) {
    let mut packet = [0; MAX_MESSAGE];
    let len = message.encode(Header { device, ..Header::default() }, &mut packet);
    rustix::net::send(socket, &packet[..len], SendFlags::NOSIGNAL).unwrap();
}

/// The next message; `None` is the end of the connection.
fn hear(socket: &OwnedFd) -> Option<(u8, ToHost)> {
    let mut ready = [PollFd::new(socket, PollFlags::IN)];
    assert_ne!(poll(&mut ready, Some(&Timespec { tv_sec: 20, tv_nsec: 0 })).unwrap(), 0, "silence");
    let mut packet = [0; MAX_MESSAGE];
    match rustix::net::recv(socket, &mut packet, RecvFlags::empty()) {
        Ok((0, _)) | Err(_) => None,
        Ok((len, _)) => {
            let (header, message) = decode_to_host(&packet[..len]).unwrap();
            Some((header.device, message))
        }
    }
}

fn greet(socket: &OwnedFd) {
    say(socket, 0, &ToBroker::Hello(SeatName::new("test").unwrap()));
    assert_eq!(hear(socket), Some((0, ToHost::Caps { kinds: 6, pads: 8 })));
}

#[test]
fn what_cannot_be_made_is_refused_with_what_to_do() {
    let broker = Broker::start("refused", &["--allow-user", &me()]);
    let host = broker.connect();
    greet(&host);
    say(&host, 3, &ToBroker::Create { kind: PadKind::Xbox360, client: [0; 8] });
    let answer = hear(&host);
    match uinput::probe() {
        Err(refusal) => assert_eq!(answer, Some((3, ToHost::Error(refusal)))),
        Ok(()) => assert!(matches!(answer, Some((3, ToHost::Created { .. }))), "{answer:?}"),
    }
    assert!(Refusal::NoUinput.to_string().contains("modprobe uinput"));
    // The host is still welcome.
    say(&host, 5, &ToBroker::Destroy);
    assert_eq!(hear(&host), Some((5, ToHost::Error(Refusal::NoSuchDevice))));
}

#[test]
fn whatever_is_no_message_ends_that_connection_alone() {
    let broker = Broker::start("wrong", &["--allow-user", &me()]);
    let patient = broker.connect();
    greet(&patient);
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../core/fuzz/corpus/inputd_message");
    for name in ["touch_reserved", "create_keyboard", "hello_space", "too_long", "rumble", "hello"] {
        let host = broker.connect();
        greet(&host);
        let bytes = std::fs::read(corpus.join(name)).unwrap();
        rustix::net::send(&host, &bytes, SendFlags::NOSIGNAL).unwrap();
        assert_eq!(hear(&host), None, "{name}");
    }
    let rude = broker.connect();
    say(&rude, 0, &ToBroker::Destroy);
    assert_eq!(hear(&rude), None, "no greeting");
    say(&patient, 1, &ToBroker::Destroy);
    assert_eq!(hear(&patient), Some((1, ToHost::Error(Refusal::NoSuchDevice))));
}

#[test]
fn a_foreign_user_is_refused() {
    if let Some(path) = std::env::var_os(AS_STRANGER) {
        // Another user's run of this very test.
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
        rustix::net::connect(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
        println!("told: {:?}, then {:?}", hear(&socket), hear(&socket));
        return;
    }
    let refused = format!("told: {:?}, then None", Some((0, ToHost::Error(Refusal::Stranger))));
    let mut broker = Broker::start("stranger", &["--allow-user", "4294967001"]);
    if rustix::process::geteuid().is_root() {
        // Root may always connect; nobody may not.
        greet(&broker.connect());
        let copy = broker.folder.join("stranger");
        std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
        let mut stranger = Command::new(&copy);
        stranger.args(["--exact", "a_foreign_user_is_refused", "--nocapture"]);
        let done = stranger.env(AS_STRANGER, broker.socket()).uid(65_534).gid(65_534).output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(said.contains(&refused), "{said}{}", String::from_utf8_lossy(&done.stderr));
    } else {
        let socket = broker.connect();
        let said = format!("told: {:?}, then {:?}", hear(&socket), hear(&socket));
        assert_eq!(said, refused);
    }
    // The log says who, and what to do.
    drop(broker.child.stdin.take());
    broker.child.wait().unwrap();
    let mut log = String::new();
    broker.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("refused user") && log.contains("--allow-user"), "{log}");
}

#[test]
fn it_ends_with_who_started_it_and_takes_over_from_who_is_gone() {
    let mut broker = Broker::start("end", &["--allow-user", &me()]);
    let host = broker.connect();
    greet(&host);
    // A second one at the same place does not push out the first.
    let mut second = spawn(&broker.socket(), &[]);
    assert!(!second.wait().unwrap().success());
    drop(broker.child.stdin.take());
    assert!(broker.child.wait().unwrap().success());
    assert_eq!(hear(&host), None);
    assert!(!broker.socket().exists());

    broker.child = spawn(&broker.socket(), &["--allow-user", &me()]);
    greet(&broker.connect());
    broker.child.kill().unwrap();
    broker.child.wait().unwrap();
    assert!(broker.socket().exists(), "left behind");
    broker.child = spawn(&broker.socket(), &["--allow-user", &me()]);
    greet(&broker.connect());
}
