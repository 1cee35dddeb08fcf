//! What a client may see of a seat and take of it: foreign code speaks to this socket.

use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use crate::stage::{self, Seat, lacks, start};
use wayland_client::globals::{GlobalListContents, registry_queue_init};
use wayland_client::protocol::{wl_compositor, wl_registry, wl_shm, wl_shm_pool, wl_surface};
use wayland_client::{Connection, Dispatch, EventQueue, QueueHandle, delegate_noop};
use wayland_protocols::wp::security_context::v1::client::{
    wp_security_context_manager_v1::WpSecurityContextManagerV1, wp_security_context_v1::WpSecurityContextV1,
};

struct Nothing;

impl Dispatch<wl_registry::WlRegistry, GlobalListContents> for Nothing {
    fn event(
        _: &mut Self,
        _: &wl_registry::WlRegistry,
        _: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
    }
}
delegate_noop!(Nothing: ignore wl_compositor::WlCompositor);
delegate_noop!(Nothing: ignore wl_shm::WlShm);
delegate_noop!(Nothing: ignore wl_shm_pool::WlShmPool);
delegate_noop!(Nothing: ignore wl_surface::WlSurface);
delegate_noop!(Nothing: ignore wayland_client::protocol::wl_buffer::WlBuffer);
delegate_noop!(Nothing: ignore WpSecurityContextManagerV1);
delegate_noop!(Nothing: ignore WpSecurityContextV1);

/// A client and what it was offered.
struct Client {
    queue: EventQueue<Nothing>,
    globals: wayland_client::globals::GlobalList,
}

impl Client {
    fn on(stream: UnixStream) -> Option<Self> {
        let connection = Connection::from_socket(stream).ok()?;
        let (globals, queue) = registry_queue_init::<Nothing>(&connection).ok()?;
        Some(Self { queue, globals })
    }

    fn new(seat: &Seat) -> Self {
        Self::on(connect(seat)).expect("the seat takes a client")
    }

    /// `name version`, sorted.
    fn offered(&self) -> Vec<String> {
        let mut names: Vec<_> = self.globals.contents().with_list(|list| {
            list.iter().map(|global| format!("{} {}", global.interface, global.version)).collect()
        });
        names.sort_unstable();
        names
    }

    fn bind<I: wayland_client::Proxy + 'static>(&self, version: u32) -> I
    where
        Nothing: Dispatch<I, ()>,
    {
        self.globals.bind(&self.queue.handle(), version..=version, ()).unwrap()
    }

    /// True while the seat answers.
    fn lives(&mut self) -> bool {
        self.queue.roundtrip(&mut Nothing).is_ok()
    }
}

fn connect(seat: &Seat) -> UnixStream {
    UnixStream::connect(seat.directory.join("wayland-1")).unwrap()
}

/// Seen by whoever is part of the desktop, and by nobody else.
const OF_THE_DESKTOP: [&str; 4] = [
    "ext_data_control_manager_v1 1",
    "ext_foreign_toplevel_list_v1 1",
    "zwlr_data_control_manager_v1 2",
    "zwlr_layer_shell_v1 4",
];
const NOT_IN_A_SANDBOX: &str = "wp_security_context_manager_v1 1";
/// What everybody is offered.
const OF_ALL: [&str; 18] = [
    "wl_compositor 6",
    "wl_data_device_manager 3",
    "wl_output 4",
    "wl_seat 9",
    "wl_shm 2",
    "wl_subcompositor 1",
    "wp_alpha_modifier_v1 1",
    "wp_commit_timing_manager_v1 1",
    "wp_content_type_manager_v1 1",
    "wp_fifo_manager_v1 1",
    "wp_single_pixel_buffer_manager_v1 1",
    "wp_viewporter 1",
    "xdg_activation_v1 1",
    "xdg_wm_base 6",
    "zwp_idle_inhibit_manager_v1 1",
    "zwp_primary_selection_device_manager_v1 1",
    "zxdg_decoration_manager_v1 1",
    "zxdg_output_manager_v1 3",
];
/// Never offered to anybody: looking at others, typing for them, rearranging screens.
const NEVER: [&str; 8] = [
    "screencopy",
    "image_copy_capture",
    "virtual_keyboard",
    "virtual_pointer",
    "output_management",
    "session_lock",
    "drm_lease",
    "input_method",
];

#[test]
fn each_client_sees_what_it_may() {
    if lacks("each_client_sees_what_it_may", &["foot"]) {
        return;
    }
    let seat = start("globals", (640, 360), &[]);
    seat.launch(&["sleep", "1000"]);
    // The seat knows of the launch before it looks at the next client.
    stage::wait_for("the application", || (!seat.named("sleep").is_empty()).then_some(()));
    let kiosk = Client::new(&seat).offered();
    assert!(OF_THE_DESKTOP.iter().all(|name| !kiosk.iter().any(|offered| offered == name)), "{kiosk:#?}");
    seat.quit();

    let mut seat = start("globals", (640, 360), &[]);
    drop(seat.desktop());
    let mut plain = Client::new(&seat);
    let offered = plain.offered();
    for name in OF_ALL.iter().chain(&OF_THE_DESKTOP).chain([&NOT_IN_A_SANDBOX]) {
        assert!(offered.iter().any(|offered| offered == name), "{name} is missing in {offered:#?}");
    }
    // A sandbox: the socket that its engine gives it.
    let socket = seat.directory.join("sandbox");
    let listener = UnixListener::bind(&socket).unwrap();
    let (close, _keep) = UnixStream::pair().unwrap();
    let manager: WpSecurityContextManagerV1 = plain.bind(1);
    let context =
        manager.create_listener(OwnedFd::from(listener).as_fd(), close.as_fd(), &plain.queue.handle(), ());
    context.set_sandbox_engine("org.example".to_owned());
    context.commit();
    assert!(plain.lives());
    let sandboxed = Client::on(UnixStream::connect(&socket).unwrap()).unwrap().offered();
    let hidden = |name: &&String| !sandboxed.contains(name);
    let mut expected: Vec<_> =
        OF_THE_DESKTOP.iter().chain([&NOT_IN_A_SANDBOX]).map(|name| (*name).to_owned()).collect();
    expected.sort_unstable();
    assert_eq!(offered.iter().filter(hidden).cloned().collect::<Vec<_>>(), expected);
    for name in kiosk.iter().chain(&offered).chain(&sandboxed) {
        assert!(NEVER.iter().all(|never| !name.contains(never)), "{name} is offered");
    }
    seat.quit();
}

#[test]
fn whoever_takes_too_much_is_disconnected_and_nobody_else() {
    let seat = start("limits", (640, 360), &[]);
    seat.launch(&["sleep", "1000"]);
    let mut good = Client::new(&seat);
    assert!(good.lives());
    // Surfaces.
    let mut greedy = Client::new(&seat);
    let compositor: wl_compositor::WlCompositor = greedy.bind(6);
    let handle = greedy.queue.handle();
    for n in 0..4096 {
        compositor.create_surface(&handle, ());
        if n % 256 == 0 {
            assert!(greedy.lives());
        }
    }
    assert!(greedy.lives(), "4,096 surfaces are allowed");
    compositor.create_surface(&handle, ());
    assert!(!greedy.lives(), "one more is not");
    // Pools: too large, of nothing, resized to nothing or to too much; a side that is too long.
    let memory = || {
        let fd = rustix::fs::memfd_create("test", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        rustix::fs::ftruncate(&fd, 1 << 20).unwrap();
        fd
    };
    type Abuse = fn(&wl_shm_pool::WlShmPool, &QueueHandle<Nothing>);
    let abuses: [Abuse; 5] = [
        |pool, _| pool.resize(0),
        |pool, _| pool.resize(-1),
        |pool, _| pool.resize((1 << 30) + 1),
        |pool, handle| drop(pool.create_buffer(0, 16_385, 1, 65_540, wl_shm::Format::Argb8888, handle, ())),
        |pool, handle| drop(pool.create_buffer(i32::MAX, 1, 1, 4, wl_shm::Format::Argb8888, handle, ())),
    ];
    for (n, abuse) in abuses.into_iter().enumerate() {
        let mut client = Client::new(&seat);
        let shm: wl_shm::WlShm = client.bind(1);
        let pool = shm.create_pool(memory().as_fd(), 1 << 20, &client.queue.handle(), ());
        assert!(client.lives());
        abuse(&pool, &client.queue.handle());
        assert!(!client.lives(), "abuse {n} is punished");
    }
    for size in [0, -5, (1 << 30) + 1] {
        let mut client = Client::new(&seat);
        let shm: wl_shm::WlShm = client.bind(1);
        shm.create_pool(memory().as_fd(), size, &client.queue.handle(), ());
        assert!(!client.lives(), "a pool of {size}");
    }
    assert!(good.lives(), "nobody else noticed");
    // Clients: places are free again once others have left.
    let mut clients = Vec::new();
    while let Some(client) = Client::on(connect(&seat)) {
        clients.push(client);
        assert!(clients.len() <= 64, "more clients than a seat may have");
    }
    assert!(clients.len() >= 60, "only {} clients", clients.len());
    assert!(good.lives());
    drop(clients);
    stage::wait_for("a place", || Client::on(connect(&seat)).map(drop));
    seat.quit();
}

/// Nonsense on the wire: by chance, but the same each time.
#[test]
fn no_bytes_of_a_client_end_a_seat() {
    let mut seat = start("wire", (640, 360), &[]);
    seat.launch(&[]);
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut random = move |below: u32| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        u32::try_from(state >> 33).unwrap() % below
    };
    let word = |bytes: &mut Vec<u8>, word: u32| bytes.extend(word.to_ne_bytes());
    for round in 0..400u32 {
        let mut bytes = Vec::new();
        // get_registry as object 2, then binds that are well-formed but for their numbers,
        // then requests on whatever there is with whatever arguments.
        for value in [1, (12 << 16) | 1, 2] {
            word(&mut bytes, value);
        }
        let names =
            ["wl_compositor", "wl_shm", "xdg_wm_base", "wl_seat", "zwlr_layer_shell_v1", "wp_viewporter"];
        for (id, name) in (3..).zip(names.iter().take(random(7) as usize)) {
            let padded = name.len() / 4 * 4 + 4;
            let size = 8 + 4 + 4 + padded as u32 + 4 + 4;
            for value in [2, size << 16, 1 + random(60), name.len() as u32 + 1] {
                word(&mut bytes, value);
            }
            bytes.extend(name.bytes().chain(std::iter::repeat_n(0, padded - name.len())));
            word(&mut bytes, 1 + random(4));
            word(&mut bytes, id);
        }
        for _ in 0..random(40) {
            let arguments = random(6);
            let object = if round % 4 == 0 { random(u32::MAX) } else { 1 + random(12) };
            word(&mut bytes, object);
            word(&mut bytes, ((8 + arguments * 4) << 16) | random(if round % 3 == 0 { 65_536 } else { 8 }));
            for _ in 0..arguments {
                let value = match random(4) {
                    0 => random(16),
                    1 => 0,
                    2 => random(u32::MAX) | 0x8000_0000,
                    _ => random(u32::MAX),
                };
                word(&mut bytes, value);
            }
        }
        let mut stream = connect(&seat);
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        // A seat may close in the middle of it.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert!(seat.process.try_wait().unwrap().is_none(), "the seat lives");
    assert!(Client::new(&seat).lives(), "and answers");
    seat.quit();
}
