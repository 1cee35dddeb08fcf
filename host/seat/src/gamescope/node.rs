//! Asks a gamescope for the number of its PipeWire node, as a Wayland client.
//!
//! Its global `gamescope_pipewire` has one event, `stream_node(uint)`, and one request,
//! `destroy()`. That is all of the protocol, so it is written down here by hand. Whoever
//! listens may be hung or no gamescope at all: each answer has its deadline.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_peercred};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use wayland_client::backend::protocol::{
    Argument, ArgumentType, Interface, Message, MessageDesc, same_interface,
};
use wayland_client::backend::{InvalidId, ObjectData, ObjectId, WaylandError, WeakBackend};
use wayland_client::protocol::wl_callback::{self, WlCallback};
use wayland_client::protocol::wl_registry::{self, WlRegistry};
use wayland_client::{Connection, Dispatch, DispatchError, EventQueue, Proxy, QueueHandle};

/// Why there is no node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// Nobody answers at the socket.
    #[error("gamescope does not answer at {path}: {source}")]
    Connect {
        /// The socket.
        path: String,
        /// What happened.
        source: std::io::Error,
    },
    /// Somebody took the connection and then did not answer.
    #[error("gamescope does not answer at {path}: it hangs, so end it and start it again")]
    Late {
        /// The socket.
        path: String,
    },
    /// The conversation broke off.
    #[error("gamescope broke off: {0}")]
    Wayland(String),
    /// It was built without PipeWire.
    #[error("this gamescope offers no picture: install one that is built with PipeWire")]
    NoGlobal,
}

/// What a gamescope says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Of its picture, for PipeWire.
    pub number: u32,
    /// Its process; none when the kernel does not say.
    pub pid: Option<i32>,
}

/// Waits until the gamescope that listens at `socket` has named its node, at most for
/// `patience`.
pub fn find(socket: &Path, patience: Duration) -> Result<Node, NodeError> {
    let deadline = Instant::now() + patience;
    let stream = reach(socket, patience)
        .map_err(|error| NodeError::Connect { path: socket.display().to_string(), source: error.into() })?;
    // A process of another namespace has no number here.
    let pid =
        socket_peercred(&stream).ok().map(|peer| peer.pid.as_raw_nonzero().get()).filter(|pid| *pid > 1);
    let connection = Connection::from_socket(stream).map_err(|error| broken(&error))?;
    let mut queue: EventQueue<Wanted> = connection.new_event_queue();
    let handle = queue.handle();
    let registry = connection.display().get_registry(&handle, ());
    connection.display().sync(&handle, ());
    let mut wanted = Wanted::default();
    let mut hear = |wanted: &mut Wanted| match turn(&mut queue, wanted, deadline) {
        Ok(true) => Ok(()),
        Ok(false) => Err(NodeError::Late { path: socket.display().to_string() }),
        Err(error) => Err(error),
    };
    while !wanted.listed {
        hear(&mut wanted)?;
    }
    let name = wanted.name.ok_or(NodeError::NoGlobal)?;
    let global: GamescopePipewire = registry.bind(name, 1, &handle, ());
    loop {
        if let Some(number) = wanted.node {
            // Fails only when it is gone meanwhile.
            let _ = global.send_request(Request::Destroy);
            let _ = connection.flush();
            return Ok(Node { number, pid });
        }
        hear(&mut wanted)?;
    }
}

/// Connects; one whose queue is full is waited for no longer than `patience`.
fn reach(socket: &Path, patience: Duration) -> rustix::io::Result<UnixStream> {
    let address = SocketAddrUnix::new(socket)?;
    let stream = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // The kernel takes the time-out of sending for connecting too.
    set_socket_timeout(&stream, Timeout::Send, Some(patience))?;
    connect(&stream, &address)?;
    Ok(UnixStream::from(stream))
}

/// Hears what was said, or waits for more; false when it is too late.
fn turn(queue: &mut EventQueue<Wanted>, wanted: &mut Wanted, deadline: Instant) -> Result<bool, NodeError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Ok(false);
    }
    if queue.dispatch_pending(wanted).map_err(|error| broken(&error))? > 0 {
        return Ok(true);
    }
    queue.flush().map_err(|error| broken(&error))?;
    let Some(guard) = queue.prepare_read() else { return Ok(true) };
    let waited = {
        let mut fds = [PollFd::from_borrowed_fd(guard.connection_fd(), PollFlags::IN)];
        poll(&mut fds, Timespec::try_from(left).ok().as_ref())
    };
    match waited {
        Ok(0) => Ok(false),
        Ok(_) => match guard.read() {
            Ok(_) => Ok(true),
            Err(WaylandError::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(true),
            Err(error) => Err(broken(&error)),
        },
        Err(rustix::io::Errno::INTR) => Ok(true),
        Err(error) => Err(broken(&error)),
    }
}

fn broken(error: &dyn std::fmt::Display) -> NodeError {
    NodeError::Wayland(error.to_string())
}

#[derive(Default)]
struct Wanted {
    /// Every global has been named.
    listed: bool,
    /// Ours among them.
    name: Option<u32>,
    node: Option<u32>,
}

impl Dispatch<WlRegistry, ()> for Wanted {
    fn event(
        wanted: &mut Self,
        _: &WlRegistry,
        event: wl_registry::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let wl_registry::Event::Global { name, interface, .. } = event
            && interface == INTERFACE.name
        {
            wanted.name = Some(name);
        }
    }
}

impl Dispatch<WlCallback, ()> for Wanted {
    fn event(
        wanted: &mut Self,
        _: &WlCallback,
        _: wl_callback::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        wanted.listed = true;
    }
}

impl Dispatch<GamescopePipewire, ()> for Wanted {
    fn event(
        wanted: &mut Self,
        _: &GamescopePipewire,
        event: Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        let Event::StreamNode { node } = event;
        wanted.node = Some(node);
    }
}

const fn message(name: &'static str, signature: &'static [ArgumentType], is_destructor: bool) -> MessageDesc {
    MessageDesc { name, signature, since: 1, is_destructor, child_interface: None, arg_interfaces: &[] }
}

static INTERFACE: Interface = Interface {
    name: "gamescope_pipewire",
    version: 1,
    requests: &[message("destroy", &[], true)],
    events: &[message("stream_node", &[ArgumentType::Uint], false)],
    c_ptr: None,
};

enum Request {
    Destroy,
}

#[derive(Debug)]
enum Event {
    StreamNode { node: u32 },
}

#[derive(Debug, Clone)]
struct GamescopePipewire {
    id: ObjectId,
    version: u32,
    data: Option<Arc<dyn ObjectData>>,
    backend: WeakBackend,
}

impl Proxy for GamescopePipewire {
    type Event = Event;
    type Request<'a> = Request;

    fn interface() -> &'static Interface {
        &INTERFACE
    }

    fn id(&self) -> ObjectId {
        self.id.clone()
    }

    fn version(&self) -> u32 {
        self.version
    }

    fn data<U: Send + Sync + 'static>(&self) -> Option<&U> {
        self.data.as_ref().and_then(|data| data.data_as_any().downcast_ref())
    }

    fn object_data(&self) -> Option<&Arc<dyn ObjectData>> {
        self.data.as_ref()
    }

    fn backend(&self) -> &WeakBackend {
        &self.backend
    }

    fn from_id(connection: &Connection, id: ObjectId) -> Result<Self, InvalidId> {
        if !id.is_null() && !same_interface(id.interface(), &INTERFACE) {
            return Err(InvalidId);
        }
        let version = connection.object_info(id.clone()).map_or(0, |info| info.version);
        let data = connection.get_object_data(id.clone()).ok();
        Ok(Self { id, version, data, backend: connection.backend().downgrade() })
    }

    fn inert(backend: WeakBackend) -> Self {
        Self { id: ObjectId::null(), version: 0, data: None, backend }
    }

    fn send_request(&self, request: Request) -> Result<(), InvalidId> {
        let connection = Connection::from_backend(self.backend.upgrade().ok_or(InvalidId)?);
        connection.send_request(self, request, None).map(|_| ())
    }

    fn send_constructor<I: Proxy>(
        &self,
        request: Request,
        data: Arc<dyn ObjectData>,
    ) -> Result<I, InvalidId> {
        let connection = Connection::from_backend(self.backend.upgrade().ok_or(InvalidId)?);
        let id = connection.send_request(self, request, Some(data))?;
        I::from_id(&connection, id)
    }

    fn parse_event(
        connection: &Connection,
        message: Message<ObjectId, OwnedFd>,
    ) -> Result<(Self, Event), DispatchError> {
        let me = Self::from_id(connection, message.sender_id.clone());
        match (message.opcode, message.args.first(), me) {
            (0, Some(Argument::Uint(node)), Ok(me)) => Ok((me, Event::StreamNode { node: *node })),
            _ => Err(DispatchError::BadMessage {
                sender_id: message.sender_id.clone(),
                interface: INTERFACE.name,
                opcode: message.opcode,
            }),
        }
    }

    fn write_request<'a>(
        &self,
        _connection: &Connection,
        Request::Destroy: Request,
    ) -> Result<(Message<ObjectId, std::os::fd::BorrowedFd<'a>>, Option<(&'static Interface, u32)>), InvalidId>
    {
        let message = Message { sender_id: self.id.clone(), opcode: 0, args: [].into_iter().collect() };
        Ok((message, None))
    }
}
