//! The commands of GameStream.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args as ClapArgs, Subcommand};
use punktfunk_core::gamestream::sdp::Codec;
use punktfunk_probe::{Card, End, Host, Identity, Mode, Options, Player, Report};

/// Arguments after `gamestream`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    places: Places,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, ClapArgs)]
struct Places {
    /// Name or address of the host
    #[arg(long, default_value = "127.0.0.1", global = true)]
    host: String,
    /// HTTP port of the host
    #[arg(long, default_value_t = 47989, global = true)]
    port: u16,
    /// Folder of this client's certificate and of the hosts it is paired with
    /// [default: ~/.local/share/punktfunk-probe]
    #[arg(long, value_name = "DIR", global = true)]
    identity: Option<PathBuf>,
    /// Print the outcome as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the hosts that announce themselves
    Discover {
        /// Listen for so long
        #[arg(long, default_value_t = 3)]
        seconds: u64,
    },
    /// Pair with the host: shows a PIN to be entered there
    Pair {
        /// The PIN; a random one when left out
        #[arg(long, value_name = "NNNN")]
        pin: Option<String>,
    },
    /// Show what the host tells about itself
    Serverinfo,
    /// List what can be started
    Apps,
    /// Start or resume an application, play it and report
    Play(Play),
    /// End the running application
    Quit,
    /// Forget the host
    Unpair,
}

#[derive(Debug, ClapArgs)]
struct Play {
    /// Title or number of the application
    #[arg(long, default_value = "Test card", value_name = "NAME|ID")]
    app: String,
    /// The picture
    #[arg(long, default_value = "1280x720x60", value_name = "WxHxFPS", value_parser = mode)]
    mode: Mode,
    /// Kilobits a second, error correction and sound included
    #[arg(long, default_value_t = 10_000, value_name = "KBPS")]
    bitrate: u32,
    /// Bytes the video datagrams are built from, a multiple of 16
    #[arg(long, default_value_t = 1392)]
    packet_size: usize,
    /// Leave after so long; 0 plays until the host ends it
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Behave like an old client: RTSP in the clear
    #[arg(long)]
    plain_rtsp: bool,
    /// Behave like a very old client: RTSP in the clear and the old style of control
    #[arg(long, conflicts_with = "encrypt_video")]
    legacy: bool,
    /// Have the video encrypted
    #[arg(long)]
    encrypt_video: bool,
    /// Channels of sound: 2, 6 or 8
    #[arg(long, default_value_t = 2)]
    channels: u8,
    /// Milliseconds of sound in a packet: 5 or 10
    #[arg(long, default_value_t = 5, value_name = "MS")]
    audio_packet: u32,
    /// Have the sound played on the host, too
    #[arg(long)]
    play_locally: bool,
    /// What the picture is coded with: h264, hevc or av1
    #[arg(long, default_value = "h264", value_name = "NAME", value_parser = codec)]
    codec: Codec,
    /// Ten bits a sample
    #[arg(long)]
    ten_bit: bool,
    /// Colour at full resolution (4:4:4)
    #[arg(long)]
    chroma_444: bool,
    /// Slices per picture
    #[arg(long, default_value_t = 1)]
    slices: u32,
    /// Only receive: pictures are counted and not decoded
    #[arg(long)]
    no_decode: bool,
    /// Lose so many of 100 media datagrams on purpose
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT")]
    drop: f64,
    /// Which ones: the same seed loses the same ones
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Type this once there is a picture; \n is Enter
    #[arg(long = "type", value_name = "TEXT")]
    text: Option<String>,
    /// Save the last picture as PNG
    #[arg(long, value_name = "FILE")]
    screenshot: Option<PathBuf>,
}

fn codec(text: &str) -> Result<Codec, String> {
    match text {
        "h264" => Ok(Codec::H264),
        "hevc" => Ok(Codec::Hevc),
        "av1" => Ok(Codec::Av1),
        _ => Err("it must be h264, hevc or av1".to_owned()),
    }
}

fn mode(text: &str) -> Result<Mode, String> {
    let numbers: Option<Vec<u32>> = text.split('x').map(|part| part.parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[width, height, fps]) => Ok(Mode { width, height, fps }),
        _ => Err("it must look like 1920x1080x60".to_owned()),
    }
}

impl Places {
    fn identity(&self) -> Result<Identity> {
        match &self.identity {
            Some(folder) => Identity::open(folder),
            None => {
                let home = std::env::var_os("HOME").context("HOME is not set: use --identity DIR")?;
                Identity::open(&PathBuf::from(home).join(".local/share/punktfunk-probe"))
            }
        }
    }

    fn host(&self) -> Host {
        Host::new(&self.host, self.port)
    }
}

/// Does what the arguments say.
pub fn run(args: Args) -> Result<()> {
    let Args { places, command } = args;
    match command {
        Command::Discover { seconds } => discover(&places, Duration::from_secs(seconds)),
        Command::Pair { pin } => pair(&places, pin),
        Command::Serverinfo => serverinfo(&places),
        Command::Apps => apps(&places),
        Command::Play(play) => play.run(&places),
        Command::Quit => {
            places.host().quit(&places.identity()?)?;
            println!("The application has ended.");
            Ok(())
        }
        Command::Unpair => {
            places.host().unpair(&places.identity()?)?;
            println!("Forgotten here; `punktfunk-host clients revoke` forgets this client there.");
            Ok(())
        }
    }
}

fn discover(places: &Places, listen: Duration) -> Result<()> {
    let daemon = mdns_sd::ServiceDaemon::new().context("multicast DNS cannot be used here")?;
    let found = daemon.browse("_nvstream._tcp.local.")?;
    let deadline = Instant::now() + listen;
    let mut hosts = BTreeSet::new();
    while let Ok(event) = found.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        if let mdns_sd::ServiceEvent::ServiceResolved(service) = event {
            let name = service.get_fullname().split("._nvstream").next().unwrap_or_default().to_owned();
            for address in service.get_addresses() {
                hosts.insert((name.clone(), address.to_string(), service.get_port()));
            }
        }
    }
    daemon.shutdown()?;
    if places.json {
        println!("{}", serde_json::to_string_pretty(&hosts)?);
    }
    for (name, address, port) in hosts.iter().filter(|_| !places.json) {
        println!("{name}  {address}  port {port}");
    }
    ensure!(!hosts.is_empty(), "no host announced itself within {listen:?}");
    Ok(())
}

fn pair(places: &Places, pin: Option<String>) -> Result<()> {
    let pin = match pin {
        Some(pin) => pin,
        None => {
            let mut bytes = [0; 4];
            aws_lc_rs::rand::fill(&mut bytes).context("the system has no random numbers")?;
            punktfunk_core::gamestream::pairing::Pin::from_random(bytes).to_string()
        }
    };
    places.host().pair(&places.identity()?, &pin, |pin| {
        eprintln!("Now enter this PIN on the host: {pin}    (punktfunk-host pair {pin})");
    })?;
    println!("Paired with {}.", places.host);
    Ok(())
}

fn serverinfo(places: &Places) -> Result<()> {
    let (host, identity) = (places.host(), places.identity()?);
    // A host that does not know us yet still answers without encryption.
    let info = host.info(&identity).or_else(|_| host.info_http())?;
    let facts = info.host();
    if places.json {
        let json = serde_json::json!({
            "hostname": facts.hostname, "unique_id": facts.unique_id, "https_port": facts.https_port,
            "paired": info.paired(), "running_app": info.running_app(), "codecs": facts.codec_mode_support,
        });
        println!("{}", serde_json::to_string_pretty(&json)?);
        return Ok(());
    }
    println!("name        {}", facts.hostname);
    println!("id          {}", facts.unique_id);
    println!("HTTPS port  {}", facts.https_port);
    println!("codecs      {:#x}", facts.codec_mode_support);
    println!("paired      {}", if info.paired() { "yes" } else { "no" });
    println!("running     {}", info.running_app().map_or("nothing".to_owned(), |app| app.to_string()));
    Ok(())
}

fn apps(places: &Places) -> Result<()> {
    let apps = places.host().apps(&places.identity()?)?;
    if places.json {
        let list: Vec<_> = apps
            .iter()
            .map(|app| serde_json::json!({ "id": app.id, "title": app.title, "hdr": app.hdr }))
            .collect();
        println!("{}", serde_json::to_string_pretty(&list)?);
        return Ok(());
    }
    for app in apps {
        println!("{:>10}  {}", app.id, app.title);
    }
    Ok(())
}

impl Play {
    fn options(&self, app: u32) -> Result<Options> {
        ensure!(
            self.packet_size.is_multiple_of(16) && (256..=1456).contains(&self.packet_size),
            "--packet-size must be a multiple of 16 from 256 to 1456"
        );
        ensure!(matches!(self.channels, 2 | 6 | 8), "--channels must be 2, 6 or 8");
        Ok(Options {
            mode: self.mode,
            bitrate_kbps: self.bitrate,
            packet_size: self.packet_size,
            plain_rtsp: self.plain_rtsp,
            legacy: self.legacy,
            encrypt_video: self.encrypt_video,
            channels: self.channels,
            audio_packet_ms: self.audio_packet,
            play_locally: self.play_locally,
            drop_percent: self.drop,
            seed: self.seed,
            codec: self.codec,
            ten_bit: self.ten_bit,
            chroma_444: self.chroma_444,
            slices: self.slices,
            decode: !self.no_decode,
            ..Options::new(app)
        })
    }

    fn run(self, places: &Places) -> Result<()> {
        let (host, identity) = (places.host(), places.identity()?);
        let app = host.find_app(&identity, &self.app)?;
        let player = Player::start(&host, &identity, &self.options(app.id)?)?;
        if !places.json {
            let verb = if player.resumed() { "Resumed" } else { "Started" };
            eprintln!("{verb} {:?} at {}.", app.title, self.mode);
        }
        player.wait_for("the first picture", Duration::from_secs(10), |stats| {
            stats.frames_decoded > 0 || (self.no_decode && stats.frames_received > 0)
        })?;
        if let Some(text) = &self.text {
            player.type_text(&text.replace("\\n", "\n"))?;
        }
        let end = self.watch(&player, places.json);
        if let Some(file) = &self.screenshot {
            let picture = player.last_picture().context("there was no picture to save")?;
            picture.save(file).with_context(|| format!("{} cannot be written", file.display()))?;
        }
        let report = player.stop();
        if places.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            print_report(&report);
        }
        match end {
            Some(End::Failed(why)) => bail!("the stream failed: {why}"),
            Some(End::TimedOut) => bail!("the host was not heard any more"),
            _ => Ok(()),
        }
    }

    /// Shows how it goes, in one line that is written over.
    fn watch(&self, player: &Player, quiet: bool) -> Option<End> {
        let started = Instant::now();
        let until = (self.seconds > 0).then(|| started + Duration::from_secs(self.seconds));
        let live = !quiet && std::io::stderr().is_terminal();
        let mut before = player.stats();
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break None;
            }
            let tick = left.unwrap_or(Duration::MAX).min(Duration::from_secs(1));
            if let Some(end) = player.wait_for_end(tick) {
                break Some(end);
            }
            let now = player.stats();
            if live {
                let frames = now.frames_decoded - before.frames_decoded;
                let kbit = (now.video_bytes - before.video_bytes) / 125;
                eprint!(
                    "\r{:>4} s  {frames:>3} fps  {kbit:>6} kbit/s  {} lost  {} repaired  tone {:>3.0} %   ",
                    started.elapsed().as_secs(),
                    now.lost_frames,
                    now.repaired_frames,
                    now.tone_share * 100.0
                );
                let _ = std::io::stderr().flush();
            }
            before = now;
        }
    }
}

fn print_report(report: &Report) {
    let (stats, card) = (&report.stats, &report.card);
    let ms = |value: Option<u64>| value.map_or("never".to_owned(), |ms| format!("{ms} ms"));
    let latency = |value: Option<f64>| value.map_or("unknown".to_owned(), |ms| format!("{ms:.1} ms"));
    println!();
    println!("picture   {}x{}, {:.1} frames a second", stats.size.0, stats.size.1, report.frame_rate);
    println!(
        "frames    {} received, {} decoded, {} IDR, {} lost, {} repaired",
        stats.frames_received,
        stats.frames_decoded,
        stats.idr_frames,
        stats.lost_frames,
        stats.repaired_frames
    );
    let Card { read, unique, missing, repeated, backwards, .. } = card;
    if *read > 0 {
        println!("Test card {unique} numbers, {missing} missing, {repeated} repeated, {backwards} backwards");
    }
    println!(
        "host      latency {} median, {} of 99 %",
        latency(report.host_latency_p50_ms),
        latency(report.host_latency_p99_ms)
    );
    println!("network   {} video packets, {} bytes", stats.video_packets, stats.video_bytes);
    println!(
        "sound     {} packets, {} repaired, {} lost, tone {:.0} %",
        stats.audio_packets,
        stats.audio_repaired,
        stats.audio_lost,
        stats.tone_share * 100.0
    );
    if stats.channel_tones.len() > 2 {
        let tones = stats.channel_tones.iter().map(|(hertz, share)| format!("{hertz} ({share:.2})"));
        println!("channels  {} Hz", tones.collect::<Vec<_>>().join(", "));
    }
    println!("first     picture {}, sound {}", ms(stats.first_picture_ms), ms(stats.first_audio_ms));
    if let Some(end) = &stats.end {
        println!("end       {end:?}");
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn the_arguments_are_consistent() {
        let line = "x play --app 2 --mode 854x480x30 --drop 5 --seed 9 --host ::1 --json";
        let args = Line::try_parse_from(line.split(' ')).unwrap().args;
        let Args { places, command: Command::Play(play) } = args else { panic!() };
        assert!(places.json && places.host == "::1");
        assert_eq!(play.mode, Mode { width: 854, height: 480, fps: 30 });
        let options = play.options(2).unwrap();
        assert_eq!((options.drop_percent, options.seed), (5.0, 9));
        assert!(Line::try_parse_from(["x", "play", "--mode", "1x2"]).is_err());
    }
}
