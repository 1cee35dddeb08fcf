//! A gamescope for tests: the same options, readiness, Wayland global, PipeWire stream and
//! EIS as the real one has, but no Vulkan and no applications. What it draws is said on a
//! control socket, where it tells what input it gets.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Cursor, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use calloop::channel::{Event as ChannelEvent, Sender, channel};
use calloop::generic::Generic;
use calloop::{EventLoop, Interest, LoopHandle, Mode as Trigger, PostAction};
use pipewire as pw;
use pw::properties::properties;
use pw::spa::param::ParamType;
use pw::spa::param::format::{FormatProperties, MediaSubtype, MediaType};
use pw::spa::param::video::VideoFormat;
use pw::spa::pod::serialize::PodSerializer;
use pw::spa::pod::{ChoiceValue, Object, Pod, Property, PropertyFlags, Value};
use pw::spa::utils::{Choice, ChoiceEnum, ChoiceFlags, Direction, Fraction, Id, Rectangle, SpaTypes};
use pw::stream::{StreamFlags, StreamRc, StreamState};
use reis::calloop::{EisListenerSource, EisRequestSource, EisRequestSourceEvent};
use reis::eis::device::DeviceType;
use reis::request::{Connection, DeviceCapability, EisRequest};
use smithay::reexports::wayland_server;
use wayland_server::{
    Client, DataInit, Dispatch, Display, DisplayHandle, GlobalDispatch, ListeningSocket, New, Resource,
};

use crate::ffi::{self, Kind, Memory};
use crate::global::{Destroy, GamescopePipewire, StreamNode};

/// The options, which the script of this name hands over.
pub const OPTIONS: &str = "PF_STAND_IN";
/// Folder with the control socket.
pub const CONTROL: &str = "PF_STAND_IN_CONTROL";
/// `dma-buf`: no shared memory; `broken`: it ends at once; `silent`: it is never ready;
/// `still`: it draws once when the pointer moves, and not by itself.
pub const MANNER: &str = "PF_STAND_IN_MANNER";
/// The X display that it names, for tests that have one.
pub const X_DISPLAY: &str = "PF_STAND_IN_X";

/// The first colour: blue, green, red.
const FIRST: [u8; 3] = [0x30, 0x20, 0x10];

/// From one picture to the next.
const PERIOD: Duration = Duration::from_millis(20);

struct Screen {
    size: (u32, u32),
    /// What is drawn as soon as it can be, and again and again if it is good: PipeWire drops
    /// what is drawn while a link is made.
    waiting: Option<([u8; 3], Kind)>,
    memory: Memory,
    node: Option<u32>,
    streaming: bool,
    dma_buf: bool,
    /// What is drawn is drawn once.
    still: bool,
    agreed: Option<(u32, u32)>,
    /// What was drawn and not yet told.
    drawn: Vec<Kind>,
    /// Not before this time.
    next: Instant,
}

struct App {
    handle: LoopHandle<'static, App>,
    screen: Rc<RefCell<Screen>>,
    stream: StreamRc,
    main_loop: pw::main_loop::MainLoopRc,
    control: Vec<UnixStream>,
    ready: Option<PathBuf>,
    /// All that was told, for who comes later.
    told: Vec<String>,
}

/// Is a gamescope, when it was started as one.
pub fn run() {
    let Ok(options) = std::env::var(OPTIONS) else { return };
    let words: Vec<&str> = options.split(' ').collect();
    let after = |name: &str| words.iter().skip_while(|word| **word != name).nth(1).copied().unwrap();
    assert_eq!(after("--backend"), "headless");
    let manner = std::env::var(MANNER).unwrap_or_default();
    if manner == "broken" {
        eprintln!("vulkan: no physical device was found");
        std::process::exit(1);
    }
    let size = (after("-W").parse().unwrap(), after("-H").parse().unwrap());
    let directory = PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR").unwrap());
    let ready = (manner != "silent").then(|| PathBuf::from(after("--ready-fd")));
    let mut event_loop: EventLoop<'static, App> = EventLoop::try_new().unwrap();
    let mut display: Display<App> = Display::new().unwrap();
    serve_wayland(&event_loop.handle(), &mut display, &directory);
    serve_input(&event_loop.handle(), &directory);
    let (main_loop, stream, screen) = produce(size, &manner);
    let fd = main_loop.loop_().fd().try_clone_to_owned().unwrap();
    let handle = event_loop.handle();
    handle
        .insert_source(Generic::new(fd, Interest::READ, Trigger::Level), |_, _, _| Ok(PostAction::Continue))
        .unwrap();
    let mut app =
        App { handle, screen, stream: stream.0, main_loop, control: Vec::new(), ready, told: Vec::new() };
    serve_control(&app.handle);
    app.tell(&format!("options {options}"));
    loop {
        app.turn();
        display.flush_clients().unwrap();
        // With no buffer free it is tried again: nobody says when one is.
        let again = app.screen.borrow().waiting.map(|_| PERIOD / 2);
        event_loop.dispatch(again, &mut app).unwrap();
        display.dispatch_clients(&mut app).unwrap();
    }
}

impl App {
    fn tell(&mut self, line: &str) {
        self.control.retain_mut(|socket| writeln!(socket, "{line}").is_ok());
        self.told.push(line.to_owned());
    }

    fn turn(&mut self) {
        let now = || pw::loop_::Timeout::Finite(Duration::ZERO);
        while self.main_loop.loop_().iterate(now()) > 0 {}
        if self.screen.borrow().node.is_some()
            && let Some(ready) = self.ready.take()
        {
            let number = std::env::var(X_DISPLAY).unwrap_or_else(|_| ":97".to_owned());
            std::fs::write(ready, format!("{number} gamescope-7\n")).unwrap();
        }
        {
            let screen = &mut *self.screen.borrow_mut();
            if let Some((colour, kind)) = screen.waiting
                && screen.streaming
                && screen.agreed == Some(screen.size)
                && Instant::now() >= screen.next
            {
                let (rows, stride) = (picture(screen.size, colour), screen.size.0 as usize * 4);
                if ffi::send(&self.stream, &screen.memory, &rows, stride, kind, screen.dma_buf) {
                    screen.waiting = screen.waiting.filter(|_| kind == Kind::Good && !screen.still);
                    screen.next = Instant::now() + PERIOD;
                    screen.drawn.push(kind);
                }
            }
        }
        // Also when nothing was drawn: buffers come back with it.
        if self.screen.borrow().streaming {
            self.stream.trigger_process().unwrap();
        }
        let drawn = std::mem::take(&mut self.screen.borrow_mut().drawn);
        for kind in drawn {
            let word = match kind {
                Kind::Good => continue,
                Kind::CorruptHeader => "corrupt-header",
                Kind::CorruptChunk => "corrupt-chunk",
                Kind::Empty => "empty",
            };
            self.tell(&format!("drawn {word}"));
        }
    }

    /// What a test says.
    fn obey(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let colour = |text: &str| {
            let value = u32::from_str_radix(text, 16).unwrap().to_le_bytes();
            [value[0], value[1], value[2]]
        };
        let mut screen = self.screen.borrow_mut();
        match words[..] {
            ["paint", text] => screen.waiting = Some((colour(text), Kind::Good)),
            ["corrupt-header", text] => screen.waiting = Some((colour(text), Kind::CorruptHeader)),
            ["corrupt-chunk", text] => screen.waiting = Some((colour(text), Kind::CorruptChunk)),
            ["empty", text] => screen.waiting = Some((colour(text), Kind::Empty)),
            ["size", width, height] => {
                screen.size = (width.parse().unwrap(), height.parse().unwrap());
                let formats = formats(screen.size, screen.dma_buf);
                drop(screen);
                let mut formats: Vec<&Pod> =
                    formats.iter().map(|bytes| Pod::from_bytes(bytes).unwrap()).collect();
                self.stream.update_params(&mut formats).unwrap();
            }
            ["still"] => {
                screen.waiting = None;
                drop(screen);
                self.tell("still");
            }
            ["die"] => {
                eprintln!("it was told to die");
                std::process::exit(3);
            }
            _ => panic!("{line}"),
        }
    }

    fn request(&mut self, connection: &Connection, request: EisRequest) {
        let line = match request {
            EisRequest::Bind(bind) => {
                let all = DeviceCapability::Pointer
                    | DeviceCapability::PointerAbsolute
                    | DeviceCapability::Button
                    | DeviceCapability::Scroll
                    | DeviceCapability::Keyboard;
                let anywhere = i32::MAX.cast_unsigned();
                let device = bind.seat.add_device(Some("stand-in"), DeviceType::Virtual, all, |device| {
                    device.device().region_mapping_id("anywhere");
                    device.device().region(0, 0, anywhere, anywhere, 1.0);
                });
                device.resumed();
                assert_eq!(connection.context_type(), reis::eis::handshake::ContextType::Sender);
                return;
            }
            EisRequest::DeviceStartEmulating(start) => {
                assert!(start.sequence > 0);
                "start".to_owned()
            }
            EisRequest::Frame(frame) => format!("frame {}", u8::from(frame.time > 0)),
            EisRequest::KeyboardKey(key) => format!("key {} {}", key.key, key.state as u32),
            EisRequest::PointerMotion(motion) => {
                let mut screen = self.screen.borrow_mut();
                if screen.still {
                    screen.waiting = Some((FIRST, Kind::Good));
                }
                format!("motion {} {}", motion.dx, motion.dy)
            }
            EisRequest::PointerMotionAbsolute(place) => {
                format!("place {} {}", place.dx_absolute, place.dy_absolute)
            }
            EisRequest::Button(button) => format!("button {} {}", button.button, button.state as u32),
            EisRequest::ScrollDiscrete(scroll) => {
                format!("scroll {} {}", scroll.discrete_dx, scroll.discrete_dy)
            }
            EisRequest::Disconnect => "disconnect".to_owned(),
            other => format!("{other:?}"),
        };
        self.tell(&line);
    }
}

fn serve_wayland(handle: &LoopHandle<'static, App>, display: &mut Display<App>, directory: &std::path::Path) {
    display.handle().create_global::<App, GamescopePipewire, ()>(1, ());
    let socket = ListeningSocket::bind_absolute(directory.join("gamescope-7")).unwrap();
    let mut clients = display.handle();
    handle
        .insert_source(Generic::new(socket, Interest::READ, Trigger::Level), move |_, socket, _| {
            while let Some(stream) = socket.accept()? {
                clients.insert_client(stream, std::sync::Arc::new(())).unwrap();
            }
            Ok(PostAction::Continue)
        })
        .unwrap();
    let poll = display.backend().poll_fd().try_clone_to_owned().unwrap();
    let source = Generic::new(poll, Interest::READ, Trigger::Level);
    handle.insert_source(source, |_, _, _| Ok(PostAction::Continue)).unwrap();
}

impl GlobalDispatch<GamescopePipewire, ()> for App {
    fn bind(
        app: &mut Self,
        _: &DisplayHandle,
        _: &Client,
        resource: New<GamescopePipewire>,
        (): &(),
        init: &mut DataInit<'_, Self>,
    ) {
        let node = app.screen.borrow().node.unwrap();
        init.init(resource, ()).send_event(StreamNode(node)).unwrap();
    }
}

impl Dispatch<GamescopePipewire, ()> for App {
    fn request(
        app: &mut Self,
        _: &Client,
        _: &GamescopePipewire,
        Destroy: Destroy,
        (): &(),
        _: &DisplayHandle,
        _: &mut DataInit<'_, Self>,
    ) {
        app.tell("the node is known");
    }
}

fn serve_input(handle: &LoopHandle<'static, App>, directory: &std::path::Path) {
    let listener = reis::eis::Listener::bind(&directory.join("gamescope-7-ei")).unwrap();
    handle
        .insert_source(EisListenerSource::new(listener), |context, (), app: &mut App| {
            let source = EisRequestSource::new(context, 1);
            let added = app.handle.insert_source(source, |event, connection, app: &mut App| {
                match event {
                    Ok(EisRequestSourceEvent::Connected) => {
                        let all = DeviceCapability::Pointer
                            | DeviceCapability::PointerAbsolute
                            | DeviceCapability::Button
                            | DeviceCapability::Scroll
                            | DeviceCapability::Keyboard;
                        let _ = connection.add_seat(Some("chair"), all);
                    }
                    Ok(EisRequestSourceEvent::Request(request)) => {
                        let gone = request == EisRequest::Disconnect;
                        app.request(connection, request);
                        if gone {
                            return Ok(PostAction::Remove);
                        }
                    }
                    Err(error) => app.tell(&format!("error {error}")),
                }
                let _ = connection.flush();
                Ok(PostAction::Continue)
            });
            added.unwrap();
            Ok(PostAction::Continue)
        })
        .unwrap();
}

fn serve_control(handle: &LoopHandle<'static, App>) {
    let path = PathBuf::from(std::env::var_os(CONTROL).unwrap()).join("control");
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(path).unwrap();
    let (sender, receiver) = channel::<Said>();
    handle
        .insert_source(receiver, |event, (), app: &mut App| match event {
            ChannelEvent::Msg(Said::Met(mut socket)) => {
                for line in &app.told {
                    let _ = writeln!(socket, "{line}");
                }
                app.control.push(socket);
            }
            ChannelEvent::Msg(Said::Line(line)) => app.obey(&line),
            ChannelEvent::Closed => {}
        })
        .unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming().map(Result::unwrap) {
            let _ = sender.send(Said::Met(socket.try_clone().unwrap()));
            let sender: Sender<Said> = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(socket).lines().map_while(Result::ok) {
                    let _ = sender.send(Said::Line(line));
                }
            });
        }
    });
}

enum Said {
    Met(UnixStream),
    Line(String),
}

type Listening = (StreamRc, pw::stream::StreamListener<()>);

fn produce(size: (u32, u32), manner: &str) -> (pw::main_loop::MainLoopRc, Listening, Rc<RefCell<Screen>>) {
    let (dma_buf, still) = (manner == "dma-buf", manner == "still");
    pw::init();
    let main_loop = pw::main_loop::MainLoopRc::new(None).unwrap();
    let context = pw::context::ContextRc::new(&main_loop, None).unwrap();
    let core = context.connect_rc(None).unwrap();
    let stream = StreamRc::new(
        core,
        "gamescope",
        properties! { *pw::keys::MEDIA_CLASS => "Video/Source", *pw::keys::NODE_NAME => "gamescope" },
    )
    .unwrap();
    let screen = Rc::new(RefCell::new(Screen {
        size,
        waiting: (!still).then_some((FIRST, Kind::Good)),
        memory: Memory::new(),
        node: None,
        streaming: false,
        dma_buf,
        still,
        agreed: None,
        drawn: Vec::new(),
        next: Instant::now(),
    }));
    let [states, changed, added, removed] = std::array::from_fn(|_| Rc::clone(&screen));
    let listener = stream
        .add_local_listener_with_user_data(())
        .state_changed(move |stream, (), _, new| {
            let mut screen = states.borrow_mut();
            screen.streaming = new == StreamState::Streaming;
            if new == StreamState::Paused {
                screen.node = Some(stream.node_id());
            }
        })
        .param_changed(move |stream, (), id, param| {
            let (Some(param), true) = (param, id == ParamType::Format.as_raw()) else { return };
            let mut info = pw::spa::param::video::VideoInfoRaw::new();
            info.parse(param).unwrap();
            let size = (info.size().width, info.size().height);
            let dma_buf = {
                let mut screen = changed.borrow_mut();
                screen.agreed = Some(size);
                screen.dma_buf
            };
            let parts = buffers(size, dma_buf);
            let mut parts: Vec<&Pod> = parts.iter().map(|bytes| Pod::from_bytes(bytes).unwrap()).collect();
            stream.update_params(&mut parts).unwrap();
        })
        .add_buffer(move |_, (), buffer| {
            let screen = &mut *added.borrow_mut();
            let (width, height) = screen.agreed.unwrap();
            ffi::add(&mut screen.memory, buffer, (width * height * 4) as usize, screen.dma_buf);
        })
        .remove_buffer(move |_, (), buffer| ffi::remove(&mut removed.borrow_mut().memory, buffer))
        .register()
        .unwrap();
    let formats = formats(size, dma_buf);
    let mut formats: Vec<&Pod> = formats.iter().map(|bytes| Pod::from_bytes(bytes).unwrap()).collect();
    stream
        .connect(Direction::Output, None, StreamFlags::DRIVER | StreamFlags::ALLOC_BUFFERS, &mut formats)
        .unwrap();
    (main_loop, (stream, listener), screen)
}

/// One colour, with a corner of its inverse: so that a picture upside down is seen.
fn picture((width, height): (u32, u32), [blue, green, red]: [u8; 3]) -> Vec<u8> {
    let mut rows = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let corner = x < 8 && y < 8;
            rows.extend([blue, green, red].map(|value| if corner { !value } else { value }));
            rows.push(0);
        }
    }
    rows
}

/// As gamescope offers them: the size is fixed, in a linear DMA-BUF or in shared memory.
fn formats(size: (u32, u32), dma_buf: bool) -> Vec<Vec<u8>> {
    let id = |key: FormatProperties, value: u32| Property::new(key.as_raw(), Value::Id(Id(value)));
    let plain = || {
        vec![
            id(FormatProperties::MediaType, MediaType::Video.as_raw()),
            id(FormatProperties::MediaSubtype, MediaSubtype::Raw.as_raw()),
            id(FormatProperties::VideoFormat, VideoFormat::BGRx.as_raw()),
            Property::new(
                FormatProperties::VideoSize.as_raw(),
                Value::Rectangle(Rectangle { width: size.0, height: size.1 }),
            ),
            Property::new(
                FormatProperties::VideoFramerate.as_raw(),
                Value::Fraction(Fraction { num: 0, denom: 1 }),
            ),
        ]
    };
    let mut linear = plain();
    let modifier = ChoiceEnum::Enum { default: 0i64, alternatives: vec![0] };
    linear.push(Property {
        key: FormatProperties::VideoModifier.as_raw(),
        flags: PropertyFlags::MANDATORY,
        value: Value::Choice(ChoiceValue::Long(Choice(ChoiceFlags::empty(), modifier))),
    });
    let mut offered = vec![bytes(SpaTypes::ObjectParamFormat, ParamType::EnumFormat, linear)];
    if !dma_buf {
        offered.push(bytes(SpaTypes::ObjectParamFormat, ParamType::EnumFormat, plain()));
    }
    offered
}

fn buffers(size: (u32, u32), dma_buf: bool) -> Vec<Vec<u8>> {
    let stride = i32::try_from(size.0 * 4).unwrap();
    let kind = if dma_buf { 1 << 3 } else { 1 << 2 };
    let int = |choice| Value::Choice(ChoiceValue::Int(Choice(ChoiceFlags::empty(), choice)));
    let parts = vec![
        Property::new(1, int(ChoiceEnum::Range { default: 4, min: 1, max: 8 })),
        Property::new(2, Value::Int(1)),
        Property::new(3, Value::Int(stride * i32::try_from(size.1).unwrap())),
        Property::new(4, Value::Int(stride)),
        Property::new(6, int(ChoiceEnum::Flags { default: kind, flags: vec![kind] })),
    ];
    let header = vec![Property::new(1, Value::Id(Id(1))), Property::new(2, Value::Int(32))];
    vec![
        bytes(SpaTypes::ObjectParamBuffers, ParamType::Buffers, parts),
        bytes(SpaTypes::ObjectParamMeta, ParamType::Meta, header),
    ]
}

fn bytes(kind: SpaTypes, id: ParamType, properties: Vec<Property>) -> Vec<u8> {
    let object = Value::Object(Object { type_: kind.as_raw(), id: id.as_raw(), properties });
    PodSerializer::serialize(Cursor::new(Vec::new()), &object).unwrap().0.into_inner()
}
