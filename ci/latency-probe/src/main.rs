//! `latency-probe`: plays the Test card from a host and prints where the time of its
//! pictures goes, from capture to the decoded picture.
#![forbid(unsafe_code)]

mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use punktfunk_probe::native::{self, Codec, Home, Latency, Mode, Options, parse_codec, parse_mode};
use punktfunk_probe::{Codec as OldCodec, Host, Identity, Player};

use table::Stage;

/// A host may have to start a seat and an application.
const FIRST: Duration = Duration::from_secs(20);

/// Where the time of a stream's pictures goes.
///
/// "captured" is when the host took the picture, "sent" when its last datagram was handed
/// to the network, "received" when the frame was whole here, "taken" when the decoder had
/// it, "decoded" when the picture was there. The clocks of both sides are compared by the
/// protocol. The stages tile the whole way, so their means add up.
#[derive(Parser)]
#[command(
    name = "latency-probe",
    after_help = "Pair first: punktfunk-probe pair --host HOST --pin NNNNNN\n\n\
        Examples:\n  \
        latency-probe --mode 1920x1080x120 --seconds 30\n  \
        latency-probe --host den --codec av1 --json\n  \
        latency-probe --gamestream --host 127.0.0.1"
)]
struct Arguments {
    /// Name or address of the host, with :PORT unless it is the usual one; not needed
    /// where one host is paired
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Folder of the probe's identity [default: ~/.local/share/punktfunk-probe]
    #[arg(long, value_name = "DIR")]
    identity: Option<PathBuf>,
    /// Title or number of the application
    #[arg(long, default_value = "Test card", value_name = "NAME|ID")]
    app: String,
    /// The picture
    #[arg(long, default_value = "1280x720x60", value_name = "WxHxFPS", value_parser = parse_mode)]
    mode: Mode,
    /// h264, hevc or av1; with -10 and -444 over punktfunk/1
    #[arg(long, default_value = "h264", value_name = "NAME", value_parser = parse_codec)]
    codec: Codec,
    /// Kilobits a second
    #[arg(long, default_value_t = 10_000, value_name = "KBPS")]
    bitrate: u32,
    /// Measure for so long
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Let so much pass first: the first pictures wait for everything
    #[arg(long, default_value_t = 2, value_name = "SECONDS")]
    warm_up: u64,
    /// Over GameStream, which tells only what each side does by itself
    #[arg(long)]
    gamestream: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let measured = if arguments.gamestream { arguments.gamestream() } else { arguments.native() };
    let shown = measured.and_then(|(pictures, stages)| arguments.show(pictures, &stages));
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("latency-probe: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Arguments {
    fn folder(&self) -> Result<PathBuf> {
        match &self.identity {
            Some(folder) => Ok(folder.clone()),
            None => {
                let home = std::env::var_os("HOME").context("HOME is not set: use --identity DIR")?;
                Ok(PathBuf::from(home).join(".local/share/punktfunk-probe"))
            }
        }
    }

    fn native(&self) -> Result<(usize, Vec<Stage>)> {
        let home = Home::open(&self.folder()?, "latency-probe")?;
        let host = home.find(self.host.as_deref())?;
        let app = host.find_app(home.client(), &self.app)?;
        let options =
            Options { mode: self.mode, bitrate_kbps: self.bitrate, ..Options::new(app).codec(self.codec) };
        let player = native::Player::start(home.client(), &host, &options)?;
        player.wait_for("the first picture", FIRST, |stats| stats.frames_decoded > 0)?;
        player.play_on(Duration::from_secs(self.warm_up))?;
        let before = player.look(|stats| stats.timings.len());
        let stats = player.play_on(Duration::from_secs(self.seconds))?;
        let latency = Latency::of(stats.timings.get(before..).unwrap_or_default());
        player.stop();
        ensure!(
            latency.pictures > 0,
            "no picture came whose way is known: the host does not answer clock probes"
        );
        Ok((latency.pictures, table::native(&latency)))
    }

    fn gamestream(&self) -> Result<(usize, Vec<Stage>)> {
        let (name, port) = place(self.host.as_deref().unwrap_or("127.0.0.1"))?;
        let (host, identity) = (Host::new(name, port), Identity::open(&self.folder()?)?);
        let app = host.find_app(&identity, &self.app)?;
        let Mode { width, height, refresh_mhz } = self.mode;
        ensure!(refresh_mhz.is_multiple_of(1000), "GameStream has whole rates only");
        let old = punktfunk_probe::Options {
            bitrate_kbps: self.bitrate,
            codec: match self.codec.family() {
                native::Family::H264 => OldCodec::H264,
                native::Family::Hevc => OldCodec::Hevc,
                native::Family::Av1 => OldCodec::Av1,
            },
            ten_bit: self.codec.ten_bits(),
            chroma_444: self.codec.full_chroma(),
            ..punktfunk_probe::Options::new(app.id).mode(width, height, refresh_mhz / 1000)
        };
        let player = Player::start(&host, &identity, &old)?;
        player.wait_for("the first picture", FIRST, |stats| stats.frames_decoded > 0)?;
        let before = player.play_on(Duration::from_secs(self.warm_up))?;
        let stats = player.play_on(Duration::from_secs(self.seconds))?;
        player.stop();
        let hosts = stats.latencies.get(before.latencies.len()..).unwrap_or_default();
        let decoding = stats.decoding.get(before.decoding.len()..).unwrap_or_default();
        Ok((decoding.len(), table::gamestream(hosts, decoding)))
    }

    fn show(&self, pictures: usize, stages: &[Stage]) -> Result<()> {
        if self.json {
            let protocol = if self.gamestream { "gamestream" } else { "punktfunk/1" };
            let Mode { width, height, refresh_mhz } = self.mode;
            let json = serde_json::json!({
                "protocol": protocol, "pictures": pictures, "mode": [width, height, refresh_mhz],
                "codec": self.codec.to_string(), "stages": table::json(stages),
            });
            println!("{}", serde_json::to_string_pretty(&json)?);
        } else {
            println!("{pictures} pictures");
            print!("{}", table::text(stages));
        }
        Ok(())
    }
}

/// Name and HTTP port of a GameStream host.
fn place(text: &str) -> Result<(&str, u16)> {
    const PORT: u16 = 47989;
    if let Some(inside) = text.strip_prefix('[') {
        let (name, rest) = inside.split_once(']').context("the bracket of the address is open")?;
        let port = match rest.strip_prefix(':') {
            Some(port) => port.parse().context("the port is no number")?,
            None => PORT,
        };
        return Ok((name, port));
    }
    match text.split_once(':') {
        // More than one colon: an address without a port.
        Some((_, rest)) if rest.contains(':') => Ok((text, PORT)),
        Some((name, port)) => Ok((name, port.parse().context("the port is no number")?)),
        None => Ok((text, PORT)),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_place_has_a_port_or_the_usual_one() {
        assert_eq!(place("den").expect("name"), ("den", 47989));
        assert_eq!(place("den:50000").expect("port"), ("den", 50000));
        assert_eq!(place("::1").expect("v6"), ("::1", 47989));
        assert_eq!(place("[::1]:50000").expect("v6 with port"), ("::1", 50000));
        assert_eq!(place("[::1]").expect("v6 in brackets"), ("::1", 47989));
        assert!(place("[::1").is_err());
        assert!(place("den:x").is_err());
    }
}
