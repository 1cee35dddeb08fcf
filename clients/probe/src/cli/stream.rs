//! `stream`: plays, does what was asked for on the way, and reports.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args as ClapArgs;
use punktfunk_client::input::pad::{Arrival, Kind, State, button};
use punktfunk_probe::native::{
    Client, Codec, End, Home, Host, Latency, Mode, Options, Player, Report, Stats, Word, parse_codec,
    parse_mode,
};

use super::hosts::Places;
use super::live::{Line, Meter};
use super::values::{self, Change, Resume};

/// A host may have to start a seat, its sound and an application.
const FIRST: Duration = Duration::from_secs(20);

/// The gamepad that is attached: with what every kind has.
const PAD: Arrival = Arrival { kind: Kind::Xbox, capabilities: 0, buttons: 0xFFFF };

/// What is played, for every command that plays.
#[derive(Debug, ClapArgs)]
pub struct Wanted {
    #[command(flatten)]
    pub places: Places,
    /// Title or number of the application [default: the first one]
    #[arg(long, value_name = "NAME|ID")]
    pub app: Option<String>,
    /// The picture; the rate may have decimals
    #[arg(long, default_value = "1280x720x60", value_name = "WxHxFPS", value_parser = parse_mode)]
    pub mode: Mode,
    /// What can be decoded, most wanted first: h264, hevc, av1, with -10 and -444
    #[arg(long, default_value = "h264", value_name = "LIST", value_delimiter = ',', value_parser = parse_codec)]
    pub codec: Vec<Codec>,
    /// Kilobits a second of video with its parity
    #[arg(long, default_value_t = 10_000, value_name = "KBPS")]
    pub bitrate: u32,
    /// Channels of sound: 2, 6 or 8, or 0 for none
    #[arg(long, default_value = "2", value_name = "N", value_parser = values::channels)]
    pub channels: u8,
    /// Lose so many of 100 media datagrams on purpose
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT")]
    pub drop: f64,
    /// Which ones: the same seed loses the same ones
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl Wanted {
    /// Who we are, the host, and how to play.
    pub fn settle(&self) -> Result<(Home, Host, Options)> {
        let (home, host) = self.places.paired()?;
        ensure!((0.0..=100.0).contains(&self.drop), "--drop must be from 0 to 100");
        let app = match &self.app {
            Some(name) => Some(host.find_app(home.client(), name)?),
            None => None,
        };
        let options = Options {
            app,
            mode: self.mode,
            codecs: self.codec.clone(),
            bitrate_kbps: self.bitrate,
            channels: self.channels,
            drop_percent: self.drop,
            seed: self.seed,
            ..Options::default()
        };
        Ok((home, host, options))
    }

    /// Plays, and waits for the first picture.
    pub fn start(&self, client: &Client, host: &Host, options: &Options) -> Result<Player> {
        let player = Player::start(client, host, options)?;
        if !self.places.own.json {
            let welcome = player.welcome();
            let Mode { width, height, refresh_mhz } = welcome.mode;
            let verb = if welcome.resumed { "Resumed" } else { "Started" };
            eprintln!(
                "{verb} application {} on {}: {width}x{height} at {} Hz, {}, {} kbit/s, session {}.",
                welcome.app,
                welcome.name,
                f64::from(refresh_mhz) / 1000.0,
                welcome.codec,
                welcome.bitrate_kbps,
                welcome.session
            );
        }
        player.wait_for("the first picture", FIRST, |stats| !stats.timings.is_empty())?;
        Ok(player)
    }
}

/// An error when the stream did not end as it should.
pub fn judge(end: Option<&End>) -> Result<()> {
    match end {
        Some(End::Failed(why)) => bail!("the stream failed: {why}"),
        Some(End::Ended { code, text }) => bail!("the session ended: {code}: {text}"),
        Some(End::Stopped) | None => Ok(()),
    }
}

/// Arguments of `stream`.
#[derive(Debug, ClapArgs)]
pub struct Stream {
    #[command(flatten)]
    wanted: Wanted,
    /// Leave after so long; 0 plays until the host ends it
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Go on with a session: the last one with this host, or the one with this id
    #[arg(
        long, value_name = "ID", num_args = 0..=1, default_missing_value = "last", value_parser = values::resume
    )]
    resume: Option<Resume>,
    /// Change the picture on the way: 5s:1920x1080, 5s:1280x720x30, 5s:bitrate=4000 or
    /// 5s:codec=hevc, each so long after the first picture
    #[arg(long, value_name = "PLAN", value_delimiter = ',', value_parser = values::change)]
    reconfigure: Vec<Change>,
    /// Type this once there is a picture; \n is Enter
    #[arg(long = "type", value_name = "TEXT")]
    text: Option<String>,
    /// Attach a gamepad once there is a picture, and press A and push the left stick, on and off
    #[arg(long)]
    pad: bool,
    /// Save the last picture as PNG
    #[arg(long, value_name = "FILE", conflicts_with = "no_decode")]
    screenshot: Option<PathBuf>,
    /// Only receive: pictures are counted and not decoded
    #[arg(long)]
    no_decode: bool,
    /// End the application at the end, too
    #[arg(long)]
    quit: bool,
}

impl Stream {
    pub fn run(self) -> Result<()> {
        let (home, host, options) = self.wanted.settle()?;
        let resume = match self.resume {
            Some(Resume::Session(id)) => Some(id),
            Some(Resume::Last) => Some(home.last_session(&host)?),
            None => None,
        };
        let options = Options { resume, decode: !self.no_decode, pads: u8::from(self.pad), ..options };
        let json = self.wanted.places.own.json;
        let player = self.wanted.start(home.client(), &host, &options)?;
        home.note_session(&host, player.session_id())?;
        if let Some(text) = &self.text {
            player.type_text(&text.replace("\\n", "\n"))?;
        }
        if self.pad {
            player.pad_arrive(0, PAD)?;
        }
        let end = self.watch(&player, json)?;
        if let Some(file) = &self.screenshot {
            let picture = player.last_picture().context("there was no picture to save")?;
            picture.save(file).with_context(|| format!("{} cannot be written", file.display()))?;
        }
        if self.quit && end.is_none() {
            player.quit()?;
            player.wait_for_end(FIRST).context("the host did not end the application")?;
        }
        let report = player.stop();
        if json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            print_report(&report);
        }
        judge(end.as_ref())
    }

    /// Shows how it goes, and asks for what was planned.
    fn watch(&self, player: &Player, quiet: bool) -> Result<Option<End>> {
        let begin = Instant::now();
        let until = (self.seconds > 0).then(|| Duration::from_secs(self.seconds));
        let mut plan = self.reconfigure.clone();
        plan.sort_by_key(|change| std::cmp::Reverse(change.after));
        let (line, mut meter) = (Line::new(quiet), Meter::new(player));
        let mut next_look = Duration::from_secs(1);
        let end = loop {
            let now = begin.elapsed();
            while let Some(change) = plan.pop_if(|change| change.after <= now) {
                player.reconfigure(change.wanted)?;
            }
            if now >= next_look {
                if self.pad {
                    player.pad_state(0, held(next_look.as_secs()))?;
                }
                line.show(&meter.tick(player));
                next_look += Duration::from_secs(1);
            }
            if until.is_some_and(|until| until <= now) {
                break None;
            }
            let dues = [Some(next_look), plan.last().map(|change| change.after), until];
            let due = dues.into_iter().flatten().min().unwrap_or(next_look);
            if let Some(end) = player.wait_for_end(due.saturating_sub(now)) {
                break Some(end);
            }
        };
        line.end();
        Ok(end)
    }
}

/// What is held in this second.
fn held(second: u64) -> State {
    match second.is_multiple_of(2) {
        true => State { buttons: button::A, left: [i16::MAX, 0], ..State::default() },
        false => State::default(),
    }
}

fn print_report(report: &Report) {
    let (stats, card) = (&report.stats, &report.card);
    let ms = |value: Option<u64>| value.map_or("never".to_owned(), |ms| format!("{ms} ms"));
    println!("session   {} on {}", report.session, report.host);
    println!(
        "picture   {}x{}, {}, {:.1} frames a second, longest gap {} ms",
        stats.size.0, stats.size.1, report.codec, report.frame_rate, stats.longest_gap_ms
    );
    println!(
        "frames    {} received, {} decoded, {} key frames, {} lost, {} recovered, {} skipped",
        stats.frames_received,
        stats.frames_decoded,
        stats.key_frames,
        stats.lost_frames,
        stats.recovered_frames,
        stats.skipped_frames
    );
    if card.read > 0 {
        println!(
            "Test card {} numbers, {} missing, {} repeated, {} backwards",
            card.unique, card.missing, card.repeated, card.backwards
        );
    }
    println!(
        "network   {} datagrams, {} lost, {:.0} % parity, {} requests, round trip {}, {:.2} Mbit/s",
        report.datagrams_received,
        report.datagrams_lost,
        report.parity_percent,
        report.nacks,
        report.round_trip_ms.map_or("unknown".to_owned(), |ms| format!("{ms:.1} ms")),
        report.goodput_kbps / 1000.0
    );
    print_latency(&report.latency);
    print_sound(stats);
    println!("first     picture {}, sound {}", ms(stats.first_picture_ms), ms(stats.first_audio_ms));
    println!("limit     {:?}", report.limiter);
    for heard in &stats.host_messages {
        if let Some(text) = told(&heard.word) {
            println!("host      {} ms: {text}", heard.at_ms);
        }
    }
    if let Some(end) = &stats.end {
        println!("end       {end:?}");
    }
}

/// What people want to know of what the host said.
fn told(word: &Word) -> Option<String> {
    Some(match word {
        Word::Reconfigured(now) => {
            let Mode { width, height, refresh_mhz } = now.mode;
            let hertz = f64::from(refresh_mhz) / 1000.0;
            let why = if now.text.is_empty() { String::new() } else { format!(": {}", now.text) };
            let (codec, kbps, epoch) = (now.codec, now.bitrate_kbps, now.epoch);
            format!("{width}x{height} at {hertz} Hz, {codec}, {kbps} kbit/s, epoch {epoch}{why}")
        }
        Word::Access(access) => format!("this client may: {access}"),
        Word::Refused(code, text) => format!("{code}: {text}"),
        Word::Interrupted(text) => format!("the connection was lost: {text}"),
        Word::Resumed(_) => "the session is back".to_owned(),
        Word::Effect(..) | Word::Hdr(_) | Word::Clipboard(_) | Word::Apps(_) => return None,
    })
}

fn print_latency(latency: &Latency) {
    if latency.pictures == 0 {
        println!("latency   unknown: the clocks of host and client were not compared");
        return;
    }
    for (name, spread) in latency.stages() {
        println!("latency   {name:<20} {:>6.1} ms median, {:>6.1} ms of 99 %", spread.p50_ms, spread.p99_ms);
    }
}

fn print_sound(stats: &Stats) {
    println!(
        "sound     {} packets, {} lost, tone {:.0} %",
        stats.audio_packets,
        stats.audio_lost,
        stats.tone_share * 100.0
    );
    if stats.channel_tones.len() > 2 {
        let tones = stats.channel_tones.iter().map(|(hertz, share)| format!("{hertz} ({share:.2})"));
        println!("channels  {} Hz", tones.collect::<Vec<_>>().join(", "));
    }
}
