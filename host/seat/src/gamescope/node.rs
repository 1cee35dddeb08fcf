//! Asks a gamescope for the number of its PipeWire node, as a Wayland client.
//!
//! Its global `gamescope_pipewire` has one event, `stream_node(uint)`, and one request,
//! `destroy()`. That is all of the protocol, so it is written down here by hand.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use wayland_client::backend::protocol::{
    Argument, ArgumentType, Interface, Message, MessageDesc, same_interface,
};
use wayland_client::backend::{InvalidId, ObjectData, ObjectId, WeakBackend};
use wayland_client::globals::{GlobalListContents, registry_queue_init};
use wayland_client::protocol::wl_registry::{self, WlRegistry};
use wayland_client::{Connection, Dispatch, DispatchError, Proxy, QueueHandle};

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
    /// The conversation broke off.
    #[error("gamescope broke off: {0}")]
    Wayland(String),
    /// It was built without PipeWire.
    #[error("this gamescope offers no picture: install one that is built with PipeWire")]
    NoGlobal,
}

/// Waits until the gamescope that listens at `socket` has named its node.
pub fn find(socket: &Path) -> Result<u32, NodeError> {
    let stream = UnixStream::connect(socket)
        .map_err(|source| NodeError::Connect { path: socket.display().to_string(), source })?;
    let broken = |error: &dyn std::fmt::Display| NodeError::Wayland(error.to_string());
    let connection = Connection::from_socket(stream).map_err(|error| broken(&error))?;
    let (globals, mut queue) = registry_queue_init::<Wanted>(&connection).map_err(|error| broken(&error))?;
    let global: GamescopePipewire =
        globals.bind(&queue.handle(), 1..=1, ()).map_err(|_| NodeError::NoGlobal)?;
    let mut wanted = Wanted(None);
    loop {
        if let Some(node) = wanted.0 {
            // Fails only when it is gone meanwhile.
            let _ = global.send_request(Request::Destroy);
            let _ = connection.flush();
            return Ok(node);
        }
        queue.blocking_dispatch(&mut wanted).map_err(|error| broken(&error))?;
    }
}

struct Wanted(Option<u32>);

impl Dispatch<WlRegistry, GlobalListContents> for Wanted {
    fn event(
        _: &mut Self,
        _: &WlRegistry,
        _: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
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
        wanted.0 = Some(node);
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
