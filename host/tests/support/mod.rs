//! What the process tests share: a directory that cleans up after itself, free
//! ports, client certificates, a fake supervisor.

pub mod net;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use punktfunk_core::gamestream::sdp::StreamConfig;
use punktfunk_host::config::Config;
use punktfunk_host::session::{
    Art, Catalogue as _, ClientId, ControlEvent, LaunchError, LaunchRequest, OpenControl, Pending, Program,
    SeatInfo, SessionId, Supervisor,
};

/// A directory that is removed with what is in it.
pub struct Dir(PathBuf);

impl Dir {
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("pf-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A port base whose ports are free now.
pub fn free_base() -> u16 {
    // Below the ports the kernel hands out by itself; processes start at different places.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) * 37;
        let base = 10_000 + u16::try_from((u64::from(std::process::id()) * 101 + step) % 20_000).unwrap();
        let tcp = [base - 5, base, base + 1, base + 21].map(|port| TcpListener::bind(("0.0.0.0", port)));
        let udp = [base + 9, base + 10, base + 11, base + 12].map(|port| UdpSocket::bind(("0.0.0.0", port)));
        if tcp.iter().all(Result::is_ok) && udp.iter().all(Result::is_ok) {
            return base;
        }
    }
}

/// What the shells asked of the sessions.
#[derive(Default)]
pub struct Fake {
    pub calls: Mutex<Vec<String>>,
    pub running: Mutex<BTreeMap<ClientId, u32>>,
    pub pending: Mutex<Vec<Pending>>,
    pub announced: Mutex<Option<StreamConfig>>,
    /// What the owner started.
    pub seats: Mutex<Vec<SeatInfo>>,
    /// These are hidden.
    pub hidden: Mutex<Vec<u32>>,
    /// Pictures by the number of their application.
    pub art: Mutex<BTreeMap<u32, Art>>,
}

impl Fake {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    fn note(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }

    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    fn follow(&self, request: &LaunchRequest) -> Pending {
        let pending = Pending {
            id: SessionId(7),
            key: request.key,
            encrypted: request.encrypted_rtsp,
            peer: request.peer,
            ping_payload: *b"0123456789abcdef",
            connect_data: 0x1234_5678,
        };
        self.pending.lock().unwrap().insert(0, pending.clone());
        self.running.lock().unwrap().insert(request.client, request.app);
        pending
    }
}

impl Supervisor for Fake {
    fn launch(&self, request: LaunchRequest) -> Result<Pending, LaunchError> {
        self.note(format!("launch {} {:?} {}", request.app, request.mode, request.client_name));
        if request.app == 99 {
            return Err(LaunchError::UnknownApp(99));
        }
        if self.running_app(request.client).is_some() {
            return Err(LaunchError::Busy("another application is running".to_owned()));
        }
        Ok(self.follow(&request))
    }

    fn resume(&self, request: LaunchRequest) -> Result<Pending, LaunchError> {
        self.note(format!("resume {}", request.app));
        if self.running_app(request.client).is_none() {
            return Err(LaunchError::NothingToResume);
        }
        Ok(self.follow(&request))
    }

    fn cancel(&self, client: ClientId) -> Result<(), LaunchError> {
        self.note("cancel".to_owned());
        self.running.lock().unwrap().remove(&client);
        Ok(())
    }

    fn revoke(&self, client: ClientId) {
        self.note(format!("revoke {client}"));
    }

    fn running_app(&self, client: ClientId) -> Option<u32> {
        self.running.lock().unwrap().get(&client).copied()
    }

    fn running_apps(&self) -> Vec<u32> {
        let seats = self.seats().into_iter().map(|seat| seat.app);
        self.running.lock().unwrap().values().copied().chain(seats).collect()
    }

    fn seats(&self) -> Vec<SeatInfo> {
        self.seats.lock().unwrap().clone()
    }

    fn start(&self, client: ClientId, name: &str, app: u32) -> Result<u64, LaunchError> {
        self.note(format!("start {app} for {name}"));
        let Some(program) = self.programs().into_iter().find(|program| program.id == app) else {
            return Err(LaunchError::UnknownApp(app));
        };
        let mut seats = self.seats.lock().unwrap();
        if seats.iter().any(|seat| seat.client == client) {
            return Err(LaunchError::Busy("another application is running".to_owned()));
        }
        let id = self.calls().len() as u64;
        seats.push(SeatInfo {
            id,
            client,
            app,
            title: program.title,
            age: Duration::from_secs(3),
            is_starting: false,
            stream: None,
        });
        Ok(id)
    }

    fn end(&self, seat: u64) {
        self.note(format!("end {seat}"));
        self.seats.lock().unwrap().retain(|other| other.id != seat);
    }

    fn programs(&self) -> Vec<Program> {
        let mut programs = Config::default().apps.programs();
        let hidden = self.hidden.lock().unwrap();
        programs.iter_mut().for_each(|program| program.hidden = hidden.contains(&program.id));
        programs
    }

    fn art(&self, app: u32) -> Option<Art> {
        self.art.lock().unwrap().get(&app).cloned()
    }

    fn pending(&self) -> Vec<Pending> {
        self.pending.lock().unwrap().clone()
    }

    fn announce(&self, id: SessionId, config: StreamConfig) -> Result<(), LaunchError> {
        self.note(format!("announce {}", id.0));
        *self.announced.lock().unwrap() = Some(config);
        Ok(())
    }

    fn play(&self, id: SessionId) -> Result<(), LaunchError> {
        self.note(format!("play {}", id.0));
        Ok(())
    }

    fn open_control(&self, _: u32, _: SocketAddr) -> Option<OpenControl> {
        None
    }

    fn control(&self, _: SessionId, _: ControlEvent) {}
}
