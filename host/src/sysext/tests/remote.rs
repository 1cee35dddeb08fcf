//! Releases from a folder and from a web server that cuts off, sends on and lies.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::signing::{Signer, folder, trust};
use crate::sysext::https::Web;
use crate::sysext::source::{Place, SourceError};
use crate::sysext::{
    Progress, Releases as _, Remote, SysextError, TrustError, Version, architecture, image_name,
};

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn image(text: &str) -> String {
    image_name(&version(text), architecture())
}

/// The files of a shop with these images.
fn shop(signer: &Signer, images: &[(&str, &[u8])]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut sums = String::new();
    for (version, bytes) in images {
        let name = image(version);
        let sum: String = digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        sums += &format!("{sum}  {name}\n");
        files.insert(name, bytes.to_vec());
    }
    files.insert("SHA256SUMS.minisig".into(), signer.sign(sums.as_bytes()).into_bytes());
    files.insert("SHA256SUMS".into(), sums.into_bytes());
    files
}

/// How a server answers.
#[derive(Clone, Debug, Default)]
struct Manners {
    files: BTreeMap<String, Vec<u8>>,
    /// Every answer ends after so many bytes of its body, once.
    cut: Option<usize>,
    /// It knows nothing of ranges.
    no_ranges: bool,
    /// It sends on from `/` to `/store/`.
    sends_on: Option<String>,
    /// What it was asked for, with the range.
    asked: Vec<(String, Option<String>)>,
}

struct Server {
    manners: Arc<Mutex<Manners>>,
    address: String,
    certificate: String,
}

impl Server {
    fn start(manners: Manners) -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap());
        let manners = Arc::new(Mutex::new(manners));
        let (config, theirs) = (Arc::new(config), manners.clone());
        // It ends with the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let connection = ServerConnection::new(config.clone()).unwrap();
                // A client that does not trust us goes away.
                let _ = answer(StreamOwned::new(connection, stream), &theirs);
            }
        });
        Self { manners, address, certificate: made.cert.pem() }
    }

    fn place(&self) -> Place {
        let web = Web::with_roots(self.address.parse().unwrap(), self.certificate.as_bytes()).unwrap();
        Place::Web(Box::new(web))
    }

    fn manners(&self) -> std::sync::MutexGuard<'_, Manners> {
        self.manners.lock().unwrap()
    }
}

fn answer(stream: StreamOwned<ServerConnection, TcpStream>, manners: &Mutex<Manners>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut range) = (String::new(), None);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("range:") {
            range = Some(value.trim().to_owned());
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut manners = manners.lock().unwrap();
    manners.asked.push((path.clone(), range.clone()));
    let mut stream = reader.into_inner();
    if let Some(to) = manners.sends_on.clone()
        && !path.starts_with("/store/")
    {
        write!(stream, "HTTP/1.1 302 Found\r\nLocation: {to}{path}\r\nContent-Length: 0\r\n\r\n")?;
        return end(stream);
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    let Some(file) = manners.files.get(name).cloned() else {
        write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
        return end(stream);
    };
    let from = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let from: usize = from.filter(|_| !manners.no_ranges).unwrap_or(0);
    let mut head = "HTTP/1.1 200 OK\r\n".to_owned();
    if from > 0 {
        head = format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{}\r\n",
            file.len() - 1,
            file.len()
        );
    }
    let Some(body) = file.get(from..).filter(|body| !body.is_empty()) else {
        write!(stream, "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n")?;
        return end(stream);
    };
    write!(stream, "{head}Content-Length: {}\r\n\r\n", body.len())?;
    let is_image = name.ends_with(".raw");
    let cut = if is_image { manners.cut.take() } else { None };
    stream.write_all(&body[..cut.unwrap_or(body.len()).min(body.len())])?;
    end(stream)
}

fn end(mut stream: StreamOwned<ServerConnection, TcpStream>) -> std::io::Result<()> {
    stream.conn.send_close_notify();
    stream.flush()
}

fn bring(place: Place, shelf: &Path, wanted: &str, most: u64) -> Result<Vec<Progress>, SysextError> {
    let trust = trust(&format!("bring-{}", shelf.file_name().unwrap().to_str().unwrap()), &[&Signer::new(1)]);
    let mut remote = Remote::at(place, trust, shelf).of_at_most(most);
    let mut told = Vec::new();
    remote.bring(&version(wanted), &mut |progress| told.push(progress))?;
    Ok(told)
}

fn files(shelf: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(shelf).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn put(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> PathBuf {
    let from = folder.join("shop");
    fs::create_dir_all(&from).unwrap();
    for (name, bytes) in files {
        fs::write(from.join(name), bytes).unwrap();
    }
    from
}

const MANY: u64 = 1 << 20;

#[test]
fn a_folder_is_a_source_and_only_what_was_signed_is_taken() {
    let base = folder("folder");
    let shelf = base.join("folder-shelf");
    fs::create_dir_all(&shelf).unwrap();
    let from = put(&base, &shop(&Signer::new(1), &[("1.0.0", b"one"), ("1.1.0", b"two")]));
    let place = || Place::Folder(from.clone());
    let mut remote = Remote::at(place(), trust("folder-list", &[&Signer::new(1)]), &shelf);
    assert_eq!(remote.list().unwrap(), [version("1.0.0"), version("1.1.0")]);
    bring(place(), &shelf, "1.1.0", MANY).unwrap();
    assert_eq!(files(&shelf), [image("1.1.0")]);
    assert_eq!(fs::read(shelf.join(image("1.1.0"))).unwrap(), b"two");
    assert!(matches!(bring(place(), &shelf, "9.0.0", MANY), Err(SysextError::NoSuchRelease(_))));

    fs::write(from.join(image("1.0.0")), "other").unwrap();
    assert!(matches!(bring(place(), &shelf, "1.0.0", MANY), Err(SysextError::Damaged(_))));
    assert_eq!(files(&shelf), [image("1.1.0")], "nothing of it is kept");

    let mut stranger = Remote::at(place(), trust("folder-no", &[&Signer::new(2)]), &shelf);
    assert!(matches!(stranger.list(), Err(SysextError::Trust(TrustError::Refused(_)))));
    fs::write(from.join("SHA256SUMS.minisig"), "nonsense").unwrap();
    let mut damaged = Remote::at(place(), trust("folder-odd", &[&Signer::new(1)]), &shelf);
    assert!(matches!(damaged.list(), Err(SysextError::Trust(TrustError::Unreadable(_)))));
    fs::remove_dir_all(&base).unwrap();
}

#[test]
fn a_download_that_was_cut_off_is_resumed() {
    let base = folder("resumed");
    let bytes: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
    let files_there = shop(&Signer::new(1), &[("1.0.0", &bytes)]);
    let server = Server::start(Manners { files: files_there, cut: Some(70_000), ..Manners::default() });
    assert!(matches!(bring(server.place(), &base, "1.0.0", MANY), Err(SysextError::Source(_))));
    let part = files(&base);
    assert!(part[0].ends_with(".part"), "{part:?}");
    let have = fs::metadata(base.join(&part[0])).unwrap().len();
    assert!(have > 0 && have <= 70_000, "{have}");
    let told = bring(server.place(), &base, "1.0.0", MANY).unwrap();
    assert_eq!(told.last(), Some(&Progress::Bytes(200_000, Some(200_000))));
    assert_eq!(fs::read(base.join(image("1.0.0"))).unwrap(), bytes);
    let asked = server.manners().asked.last().unwrap().clone();
    assert_eq!(asked.1, Some(format!("bytes={have}-")));
    fs::remove_dir_all(&base).unwrap();
}

#[test]
fn a_server_without_ranges_gives_all_of_it_again() {
    let base = folder("ranges");
    let bytes = vec![7; 50_000];
    let files_there = shop(&Signer::new(1), &[("1.0.0", &bytes)]);
    let manners = Manners { files: files_there, cut: Some(20_000), no_ranges: true, ..Manners::default() };
    let server = Server::start(manners);
    assert!(bring(server.place(), &base, "1.0.0", MANY).is_err());
    bring(server.place(), &base, "1.0.0", MANY).unwrap();
    assert_eq!(fs::read(base.join(image("1.0.0"))).unwrap(), bytes);
    fs::remove_dir_all(&base).unwrap();
}

#[test]
fn a_beginning_that_was_damaged_here_costs_a_second_download_only() {
    let base = folder("beginning");
    let bytes = vec![7; 50_000];
    let server = Server::start(Manners {
        files: shop(&Signer::new(1), &[("1.0.0", &bytes)]),
        cut: Some(20_000),
        ..Manners::default()
    });
    assert!(bring(server.place(), &base, "1.0.0", MANY).is_err());
    let part = base.join(&files(&base)[0]);
    fs::write(&part, vec![8; 10_000]).unwrap();
    bring(server.place(), &base, "1.0.0", MANY).unwrap();
    assert_eq!(fs::read(base.join(image("1.0.0"))).unwrap(), bytes);
    // All of it was here, and its name was not: the server has nothing more to give.
    fs::rename(base.join(image("1.0.0")), &part).unwrap();
    bring(server.place(), &base, "1.0.0", MANY).unwrap();
    assert_eq!(files(&base), [image("1.0.0")]);
    fs::remove_dir_all(&base).unwrap();
}

#[test]
fn an_image_without_end_is_not_swallowed() {
    let base = folder("long");
    let bytes = vec![7; 50_000];
    let server =
        Server::start(Manners { files: shop(&Signer::new(1), &[("1.0.0", &bytes)]), ..Manners::default() });
    let error = bring(server.place(), &base, "1.0.0", 40_000).unwrap_err();
    assert!(matches!(error, SysextError::Source(SourceError::TooLong { .. })), "{error}");
    server.manners().files.insert("SHA256SUMS".into(), vec![b'a'; 100_000]);
    let error = bring(server.place(), &base, "1.0.0", MANY).unwrap_err();
    assert!(matches!(error, SysextError::Source(SourceError::TooLong { .. })), "{error}");
    fs::remove_dir_all(&base).unwrap();
}

#[test]
fn one_is_sent_on_a_few_times_and_never_away_from_https() {
    let base = folder("sent-on");
    let files_there = shop(&Signer::new(1), &[("1.0.0", b"one")]);
    let server = Server::start(Manners { files: files_there, ..Manners::default() });
    server.manners().sends_on = Some(format!("{}/store", server.address));
    bring(server.place(), &base, "1.0.0", MANY).unwrap();
    for to in ["http://127.0.0.1:1/store", "/round"] {
        server.manners().sends_on = Some(to.to_owned());
        let error = bring(server.place(), &base, "1.0.0", MANY).unwrap_err();
        assert!(error.to_string().contains("sends on"), "{error}");
    }
    fs::remove_dir_all(&base).unwrap();
}

#[test]
fn a_server_nobody_vouches_for_is_not_asked() {
    let base = folder("stranger");
    let server =
        Server::start(Manners { files: shop(&Signer::new(1), &[("1.0.0", b"one")]), ..Manners::default() });
    let other = Server::start(Manners::default());
    let web = Web::with_roots(server.address.parse().unwrap(), other.certificate.as_bytes()).unwrap();
    let error = bring(Place::Web(Box::new(web)), &base, "1.0.0", MANY).unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    assert!(server.manners().asked.is_empty());
    fs::remove_dir_all(&base).unwrap();
}
