//! What `serve` runs besides the network: the media ports, the sessions and the
//! control channel, made in the order in which they need each other.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use punktfunk_core::gamestream::video::Policy;
use punktfunk_net::{UdpOptions, UdpTransport, bind_udp};

use crate::config::{Config, SoftwareEncoder, TestEncoder};
use crate::encode::Backend;
use crate::library::Library;
use crate::platform;
use crate::send::MediaPorts;
use crate::serve::control::{self, ControlHandle};
use crate::serve::{Context, ControlHook};
use crate::session::{
    Fault, GameStream, Rules, SeatSettings, Sessions, Settings, StreamSettings, Supervisor,
};
use crate::store::UsedKeys;

/// Makes the sessions of a host, and what starts its control channel.
pub fn assemble(
    context: &Context,
    library: &Library,
) -> anyhow::Result<(Arc<dyn Supervisor>, Option<ControlHook>)> {
    let config = &context.config;
    if config.test != crate::config::Test::default() {
        tracing::warn!(settings = ?config.test, "TEST SETTINGS ARE ON: this host is made to stream badly");
    }
    let settings = Settings {
        apps: Arc::new(library.clone()),
        rules: rules(config),
        seat: SeatSettings {
            program: platform::program_beside("punktfunk-seat")?,
            runtime_dir: context.runtime.clone(),
            owner: context.store.identity().unique_id().to_owned(),
            keyboard: config.keyboard.clone(),
            compositor: config.sessions.compositor,
        },
        stream: StreamSettings {
            parity: match config.test.fec_percentage {
                Some(percentage) => Policy::fixed(percentage),
                None => Policy::following(config.encoder.fec_percentage),
            },
            codec_modes: crate::abilities::find(context.store.dir())?,
            drop_percent: config.test.drop_percent,
            fault: Fault {
                after: config.test.panic_encoder_after.or(config.test.fail_encoder_after),
                times: config.test.fail_encoder_times.unwrap_or(1),
                panics: config.test.panic_encoder_after.is_some(),
            },
            encoder: match (config.test.encoder, config.encoder.software) {
                (Some(TestEncoder::Synthetic), _) => Some(Backend::Synthetic),
                (None, SoftwareEncoder::Auto) => None,
                (None, SoftwareEncoder::X264) => Some(Backend::X264),
                (None, SoftwareEncoder::OpenH264) => Some(Backend::OpenH264),
            },
        },
    };
    let ledger = Box::new(UsedKeys::open(context.store.dir())?);
    if !context.gamestream {
        let sessions = Sessions::start(settings, None, ledger)?;
        follow(context, &sessions);
        let stopped = Arc::clone(&sessions);
        let hook = move |_: &Context, _: Arc<dyn Supervisor>| {
            let end: Box<dyn Send> = Box::new(End { sessions: stopped, channel: None });
            Ok(end)
        };
        return Ok((sessions, Some(Box::new(hook))));
    }
    let media = |port| UdpTransport::new(bind_udp(port, false)?, &UdpOptions::default());
    let ports = MediaPorts::start(media(config.ports.video())?, media(config.ports.audio())?)?;
    let (handle, inbox) = control::channel()?;
    let gamestream = GameStream { ports: Arc::new(ports), voice: Arc::new(handle.clone()) };
    let sessions = Sessions::start(settings, Some(gamestream), ledger)?;
    follow(context, &sessions);
    let stopped = Arc::clone(&sessions);
    let hook = move |context: &Context, supervisor: Arc<dyn Supervisor>| {
        let socket = bind_udp(context.config.ports.control(), false).map_err(io::Error::other)?;
        let thread = control::start(socket, inbox, supervisor)?;
        let end: Box<dyn Send> = Box::new(End { sessions: stopped, channel: Some((handle, thread)) });
        Ok(end)
    };
    Ok((sessions, Some(Box::new(hook))))
}

/// Carries what is changed while the host runs to the sessions and to the log.
fn follow(context: &Context, sessions: &Arc<Sessions>) {
    let sessions = Arc::downgrade(sessions);
    context.settings.observe(move |before, now| {
        if let Some(sessions) = sessions.upgrade() {
            sessions.set_rules(rules(now));
        }
        if before.log != now.log {
            crate::log::change(&now.log);
        }
    });
}

fn rules(config: &Config) -> Rules {
    let sessions = &config.sessions;
    Rules { max: sessions.max, shared: sessions.shared, keep: sessions.keep() }
}

/// Ends the sessions first, so that their clients are told, then the control channel.
struct End {
    sessions: Arc<Sessions>,
    channel: Option<(ControlHandle, JoinHandle<io::Result<()>>)>,
}

impl Drop for End {
    fn drop(&mut self) {
        self.sessions.stop();
        let Some((handle, thread)) = self.channel.take() else { return };
        handle.stop();
        match thread.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the control channel failed"),
            Err(_) => tracing::error!("the control thread panicked"),
        }
    }
}
