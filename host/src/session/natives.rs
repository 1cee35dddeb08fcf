//! The calls of native clients (punktfunk/1): launching and resuming in one step, other
//! pictures while the stream runs, and what comes in on the native port.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use punktfunk_core::gamestream::sdp::{Codec, ColorSpace, Layout};
use punktfunk_core::native::media::media_id;
use punktfunk_core::native::wire::control::{Reconfigure, Reconfigured, SoundLayout};
use punktfunk_core::native::wire::{self, Access};
use punktfunk_net::Route;

use super::config::{Config, Kind, Sound};
use super::link::{FIRST_EPOCH, Opening, first_payload};
use super::mender::Mender;
use super::messages::{Ended, NewPicture};
use super::plan::Guest;
use super::running::Running;
use super::sound;
use super::stream::Wanted;
use super::supervisor::{Shared, lock};
use super::table::Place;
use super::{ClientId, LaunchError, Mode, NativeRequest, NativeStarted, Program, Reason, SessionId};
use crate::audio::Microphone;
use crate::encode::Encoder;

/// Microseconds of sound in a packet: little delay, 200 datagrams a second.
const SOUND_US: u32 = 5_000;

impl Shared {
    pub fn start_native(&self, request: NativeRequest) -> Result<NativeStarted, LaunchError> {
        if !request.access.contains(Access::VIEW) {
            return Err(LaunchError::NotAllowed(
                "the owner of this host does not let this device watch".into(),
            ));
        }
        if let Some(place) = self.place_of(&request)? {
            let _one = lock(&place.operation);
            if !self.still(&place, request.client) {
                return Err(LaunchError::NothingToResume);
            }
            let program = self.settings.apps.program(place.app);
            let config = self.settle(&request, program.and_then(|program| program.prefer.codec))?;
            let running = self.take_over(&place, request.client)?;
            return self.attach_native(&place, &running, request, config, true);
        }
        if !request.hello.launch {
            return Err(LaunchError::NothingToResume);
        }
        if !request.access.contains(Access::LAUNCH) {
            let why = "the owner of this host does not let this device start anything";
            return Err(LaunchError::NotAllowed(why.into()));
        }
        let app = match request.hello.app {
            Some(id) => self.program(id)?,
            None => self.first_program()?,
        };
        let config = self.settle(&request, app.prefer.codec)?;
        let place = self.reserve(request.client, &app)?;
        let _one = lock(&place.operation);
        let guest = Guest {
            client: request.client,
            name: &request.client_name,
            mode: config.mode,
            // Who wants no sound leaves open what the application has.
            channels: match config.sound.channels {
                0 => app.prefer.channels.unwrap_or(2),
                wanted => wanted.max(2),
            },
        };
        let started = self.start_app(&place, &app, &guest);
        let started =
            started.and_then(|running| self.attach_native(&place, &running, request, config, false));
        if started.is_err() {
            self.end_seat(&place, "it could not be started", Reason::Quit);
        }
        started
    }

    /// What the client goes on with; `None` when something has to be launched.
    fn place_of(&self, request: &NativeRequest) -> Result<Option<Arc<Place>>, LaunchError> {
        let Some(place) = self.visible(request.client) else {
            return if request.hello.resume.is_some() { Err(LaunchError::NothingToResume) } else { Ok(None) };
        };
        match (request.hello.resume, request.hello.app) {
            (Some(resume), _) if resume == place.resume => Ok(Some(place)),
            (Some(_), _) => Err(LaunchError::NothingToResume),
            (None, Some(app)) => Ok((app == place.app).then_some(place)),
            // What nobody named is gone on with only when it is the client's own.
            (None, None) => Ok(self.owns(&place, request.client).then_some(place)),
        }
    }

    fn owns(&self, place: &Place, client: ClientId) -> bool {
        self.table().seat(place.id).is_some_and(|seat| seat.client == client)
    }

    /// What a client starts that names nothing: the first it sees.
    fn first_program(&self) -> Result<Program, LaunchError> {
        let programs = self.settings.apps.programs();
        programs.into_iter().find(|program| !program.hidden).ok_or(LaunchError::UnknownApp(0))
    }

    /// Chooses among what the client can take: the codec that the application prefers when
    /// the client offers it, else the client's first that there is.
    fn settle(&self, request: &NativeRequest, prefer: Option<Codec>) -> Result<Config, LaunchError> {
        let modes = self.settings.stream.codec_modes.load(Ordering::Relaxed);
        let hello = &request.hello;
        let offered = || hello.codecs.iter().map(|&codec| Kind::from(codec)).filter(|kind| kind.is_in(modes));
        let kind = offered().find(|kind| Some(kind.codec) == prefer).or_else(|| offered().next());
        let kind = kind.ok_or_else(|| {
            let why = "this host has no encoder for any codec of this device: allow it H.264";
            LaunchError::Unsupported(why.into())
        })?;
        Ok(Config {
            mode: mode_of(hello.mode),
            kind,
            color_space: ColorSpace::Rec709,
            full_range: false,
            slices: 1,
            bitrate_kbps: hello.bitrate_kbps,
            sound: Sound { channels: hello.channels, high_quality: false, packet_us: SOUND_US },
        })
    }

    fn attach_native(
        &self,
        place: &Place,
        running: &Running,
        request: NativeRequest,
        config: Config,
        resumed: bool,
    ) -> Result<NativeStarted, LaunchError> {
        let NativeRequest { client, client_name, access, hello, link } = request;
        let id = self.table().next_session();
        let microphone =
            if hello.mic && access.contains(Access::MICROPHONE) { microphone(running) } else { None };
        let started = NativeStarted {
            id,
            session: place.resume,
            epoch: FIRST_EPOCH,
            mode: to_wire(config.mode),
            codec: config.kind.into(),
            bitrate_kbps: config.bitrate_kbps,
            sound: layout(config.sound),
            payload: first_payload(&hello),
            mic: microphone.is_some(),
            pads: hello.pads,
            app: place.app,
            resumed,
        };
        let wanted = Wanted {
            id,
            client,
            client_name,
            app: (place.app, place.title.clone()),
            config,
            sound: sound::Wanted { source: running.heard(), play_locally: hello.local_sound },
            link: Opening::Native(Box::new((link, hello, access))),
            microphone,
        };
        self.attach(place, running, wanted)?;
        Ok(started)
    }

    pub fn reconfigure(&self, id: SessionId, wish: &Reconfigure) -> Result<Reconfigured, LaunchError> {
        let place = self.table().streaming(id).map(|seat| Arc::clone(&seat.place));
        let place = place.ok_or(LaunchError::NothingToResume)?;
        let _one = lock(&place.operation);
        let (old, epoch, running) = {
            let table = self.table();
            let seat = table.streaming(id).ok_or(LaunchError::NothingToResume)?;
            let (Some(stream), Some(running)) = (&seat.stream, &seat.running) else {
                return Err(LaunchError::NothingToResume);
            };
            (stream.config().clone(), stream.epoch(), Arc::clone(running))
        };
        let refused = |why: LaunchError| answer(epoch, &old, why.to_string());
        let new = match self.as_wished(&old, wish) {
            Ok(new) => new,
            Err(why) => return Ok(refused(why)),
        };
        let is_picture = (new.mode, new.kind) != (old.mode, old.kind);
        let picture = if is_picture {
            match self.prepare(&running, &new) {
                Ok(opened) => Some(opened),
                Err(why) => {
                    // The screen may have changed already.
                    if let Err(error) = running.set_mode(old.mode) {
                        tracing::warn!(session = id.0, %error, "the screen does not go back");
                    }
                    return Ok(refused(why));
                }
            }
        } else {
            None
        };
        let epoch = if is_picture { epoch.wrapping_add(1) } else { epoch };
        let answer = answer(epoch, &new, String::new());
        {
            let mut table = self.table();
            let stream = table.seat(place.id).and_then(|seat| seat.stream.as_mut());
            // It may have ended meanwhile: nobody takes it away but who works on it.
            let stream = stream.filter(|stream| stream.id() == id).ok_or(LaunchError::NothingToResume)?;
            let picture =
                picture.map(|(mender, encoder)| NewPicture { mode: new.mode, mender, encoder, epoch });
            stream.change(new, picture);
        }
        if is_picture {
            // What the screen gave meanwhile had another size, or was for the encoder before.
            running.show_again();
        }
        self.changed();
        Ok(answer)
    }

    fn as_wished(&self, old: &Config, wish: &Reconfigure) -> Result<Config, LaunchError> {
        let kind = wish.codec.map_or(old.kind, Kind::from);
        kind.supported(self.settings.stream.codec_modes.load(Ordering::Relaxed))?;
        let mode = mode_of(wish.mode(to_wire(old.mode)));
        let bitrate_kbps = wish.bitrate_kbps.unwrap_or(old.bitrate_kbps);
        Ok(Config { mode, kind, bitrate_kbps, ..old.clone() })
    }

    /// Opens the new encoder while the screen changes.
    fn prepare(&self, running: &Running, new: &Config) -> Result<(Mender, Box<dyn Encoder>), LaunchError> {
        let settings = &self.settings.stream;
        let bps = u64::from(new.bitrate_kbps) * 1000;
        let mut mender = Mender::new(new.wish(bps, settings.encoder), settings.fault);
        let (screen, encoder) = std::thread::scope(|scope| {
            let screen = scope.spawn(|| running.set_mode(new.mode));
            let encoder = mender.open();
            (screen.join(), encoder)
        });
        screen.map_err(|_| LaunchError::Failed("the screen could not be changed".into()))??;
        let encoder = encoder
            .map_err(|error| LaunchError::Unsupported(format!("no encoder could be opened: {error}")))?;
        Ok((mender, encoder))
    }

    pub fn set_access(&self, id: SessionId, access: Access) {
        let ends = {
            let table = self.table();
            let Some(seat) = table.streaming(id) else { return };
            let Some(native) = seat.stream.as_ref().and_then(|stream| stream.native()) else { return };
            native.set_access(access);
            // What it may not press any more must not stay pressed.
            if let Some(running) = &seat.running {
                running.release();
            }
            !access.contains(Access::VIEW)
        };
        if ends {
            // Stopping joins threads: not on the thread of who asks.
            drop(self.ended.send(Ended::Revoked { id }));
        }
    }

    pub fn media(&self, datagram: &[u8], from: Route) {
        let Some(id) = media_id(datagram) else { return };
        let table = self.table();
        if let Some(native) = table.receiving(id).and_then(|stream| stream.native()) {
            native.media().datagram(datagram, from);
        }
    }
}

/// The client's microphone on the seat. A stream without it is better than none.
fn microphone(running: &Running) -> Option<Microphone> {
    if running.is_of_session() {
        // It would be a source that the user's own programs take, too.
        tracing::info!("no microphone: the client sees the session of this machine's user");
        return None;
    }
    let started = Microphone::start(&running.sound()?);
    started.inspect_err(|error| tracing::warn!(%error, "no microphone")).ok()
}

/// What the screen is set to; a rate between two is the nearest.
fn mode_of(mode: wire::Mode) -> Mode {
    let fps = (mode.refresh_mhz.saturating_add(500) / 1000).max(1);
    Mode { width: mode.width, height: mode.height, fps }
}

fn to_wire(mode: Mode) -> wire::Mode {
    wire::Mode { width: mode.width, height: mode.height, refresh_mhz: mode.fps.saturating_mul(1000) }
}

fn answer(epoch: u8, config: &Config, text: String) -> Reconfigured {
    let (mode, codec) = (to_wire(config.mode), config.kind.into());
    Reconfigured { epoch, mode, codec, bitrate_kbps: config.bitrate_kbps, text }
}

fn layout(sound: Sound) -> Option<SoundLayout> {
    let Layout { channels, streams, coupled, .. } = Layout::of(sound.channels, sound.high_quality)?;
    // Every channel goes where it stands.
    let mapping = (0..channels).collect();
    Some(SoundLayout { channels, streams, coupled, mapping, frame_us: sound.packet_us })
}
