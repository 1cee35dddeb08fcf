//! The global `gamescope_pipewire`, as a compositor offers it.

use std::any::Any;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use smithay::reexports::wayland_server;
use wayland_server::backend::protocol::{
    Argument, ArgumentType, Interface, Message, MessageDesc, same_interface,
};
use wayland_server::backend::{InvalidId, ObjectId, WeakHandle};
use wayland_server::{DispatchError, DisplayHandle, Resource};

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

/// Its only request.
#[derive(Debug)]
pub struct Destroy;

/// Its only event.
pub struct StreamNode(pub u32);

/// One that a client has bound.
#[derive(Debug, Clone)]
pub struct GamescopePipewire {
    id: ObjectId,
    data: Option<Arc<dyn Any + Send + Sync>>,
    handle: WeakHandle,
}

impl Resource for GamescopePipewire {
    type Event<'a> = StreamNode;
    type Request = Destroy;

    fn interface() -> &'static Interface {
        &INTERFACE
    }

    fn id(&self) -> ObjectId {
        self.id.clone()
    }

    fn version(&self) -> u32 {
        1
    }

    fn data<U: 'static>(&self) -> Option<&U> {
        self.data.as_ref()?.downcast_ref::<wayland_server::ResourceData<Self, U>>().map(|data| &data.udata)
    }

    fn object_data(&self) -> Option<&Arc<dyn Any + Send + Sync>> {
        self.data.as_ref()
    }

    fn handle(&self) -> &WeakHandle {
        &self.handle
    }

    fn from_id(display: &DisplayHandle, id: ObjectId) -> Result<Self, InvalidId> {
        if !id.is_null() && !same_interface(id.interface(), &INTERFACE) {
            return Err(InvalidId);
        }
        let data = display.get_object_data(id.clone()).ok();
        Ok(Self { id, data, handle: display.backend_handle().downgrade() })
    }

    fn send_event(&self, event: StreamNode) -> Result<(), InvalidId> {
        let display = DisplayHandle::from(self.handle.upgrade().ok_or(InvalidId)?);
        display.send_event(self, event)
    }

    fn parse_request(
        display: &DisplayHandle,
        message: Message<ObjectId, OwnedFd>,
    ) -> Result<(Self, Destroy), DispatchError> {
        let me = Self::from_id(display, message.sender_id.clone());
        me.map(|me| (me, Destroy)).map_err(|_| DispatchError::BadMessage {
            sender_id: message.sender_id,
            interface: INTERFACE.name,
            opcode: message.opcode,
        })
    }

    fn write_event<'a>(
        &self,
        _: &DisplayHandle,
        StreamNode(node): StreamNode,
    ) -> Result<Message<ObjectId, BorrowedFd<'a>>, InvalidId> {
        let args = [Argument::Uint(node)].into_iter().collect();
        Ok(Message { sender_id: self.id.clone(), opcode: 0, args })
    }

    fn __set_object_data(&mut self, data: Arc<dyn Any + Send + Sync + 'static>) {
        self.data = Some(data);
    }
}
