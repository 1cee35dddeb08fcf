//! What a player of punktfunk/1 has seen so far.

use punktfunk_client::input::pad::Feedback;
use punktfunk_client::messages::{Apps, Clipboard, Reconfigured, Welcome};
use punktfunk_client::{Access, Code, Time};
use punktfunk_core::native::wire::datagram::HdrMetadata;
use serde::Serialize;

use crate::audio::Look;
use crate::stats::Seen;

/// What a host said is remembered up to here.
const MAX_HEARD: usize = 1000;

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The host said why, or (TIMEOUT) was not found again.
    Ended {
        /// Section 8 of the protocol.
        #[serde(serialize_with = "shown")]
        code: Code,
        /// For people.
        text: String,
    },
    /// We left.
    Stopped,
    /// A thread of this client failed.
    Failed(String),
}

/// Something the host said, or that became of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// When, milliseconds after the start of the player.
    pub at_ms: u64,
    /// What.
    pub word: Word,
}

/// See [`Heard`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// A pad shall do this.
    Effect(u8, Feedback),
    /// What the picture's HDR means.
    Hdr(Option<HdrMetadata>),
    /// The picture changes, or does not, and why.
    Reconfigured(Reconfigured),
    /// What this client may do now.
    Access(Access),
    /// Something was copied on the host.
    Clipboard(Clipboard),
    /// The applications.
    Apps(Apps),
    /// Something was not done.
    Refused(Code, String),
    /// The connection is lost and looked for again.
    Interrupted(String),
    /// The session is back.
    Resumed(Box<Welcome>),
}

impl Serialize for Heard {
    /// As a line to be read.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{} ms: {:?}", self.at_ms, self.word))
    }
}

/// The way of one picture, all by this machine's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Frame number.
    pub frame: u32,
    /// When the picture was taken, once the clocks are known.
    pub captured: Option<Time>,
    /// When its last datagram was handed to the network, once the clocks are known.
    pub sent: Option<Time>,
    /// When its first datagram arrived.
    pub first: Time,
    /// When it was whole.
    pub received: Time,
    /// When the decoder took it.
    pub taken: Time,
    /// When it was decoded; without a decoder, when the player had it.
    pub decoded: Time,
}

/// Which part of the way sets the pace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limiter {
    /// None: the pictures come at the rate agreed on.
    #[default]
    Nothing,
    /// Pictures come too seldom, and nothing is lost on the way.
    Host,
    /// Datagrams are lost or stand in queues.
    Network,
    /// Frames wait for this client's decoder.
    Decoder,
}

/// Counters. All of them start at zero with the player.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Stats {
    /// Access units that came whole.
    pub frames_received: u64,
    /// Pictures out of the decoder.
    pub frames_decoded: u64,
    /// Pictures that were done with: decoded ones, or whole ones where nobody decodes.
    pub pictures: u64,
    /// Access units the decoder refused.
    pub decode_errors: u64,
    /// Key frames among the access units.
    pub key_frames: u64,
    /// Recovery points among them, key frames left out.
    pub recovery_points: u64,
    /// Frames that did not come, or came and refer to one that did not.
    pub lost_frames: u64,
    /// Frames that were whole only thanks to parity.
    pub recovered_frames: u64,
    /// Shards that parity stood in for.
    pub recovered_shards: u64,
    /// Whole frames not given to the decoder: it was behind, or waited for a key frame.
    pub skipped_frames: u64,
    /// Access units whose number was not above the one before.
    pub order_errors: u64,
    /// Key frames asked for by this player; the library asks by itself as well.
    pub key_frame_requests: u64,
    /// Bytes of all access units.
    pub video_bytes: u64,
    /// Frames that repeat the picture before.
    pub repetitions: u64,
    /// First access unit, milliseconds after the start.
    pub first_frame_ms: Option<u64>,
    /// First decoded picture, milliseconds after the start.
    pub first_picture_ms: Option<u64>,
    /// Longest time between two pictures, milliseconds; interruptions count.
    pub longest_gap_ms: u64,
    /// Packets of sound.
    pub audio_packets: u64,
    /// Packets of sound that never came.
    pub audio_lost: u64,
    /// First packet of sound, milliseconds after the start.
    pub first_audio_ms: Option<u64>,
    /// Share of 1000 Hz in the last half second of sound, 0.0 to 1.0.
    pub tone_share: f64,
    /// The same in the front left channel alone.
    pub left_share: f64,
    /// Of each channel, which of the Test card's tones it has most of, in hertz, and
    /// what share that is; 0 Hz for silence.
    pub channel_tones: Vec<(u32, f64)>,
    /// Loudest sample of the last half second, 0.0 to 1.0.
    pub loudness: f32,
    /// Size of the last picture, pixels.
    pub size: (usize, usize),
    /// The epoch of the last access unit.
    pub epoch: u8,
    /// How often the connection was lost.
    pub interruptions: u64,
    /// How often the session came back.
    pub resumptions: u64,
    /// What the host said besides the end, the first thousand messages.
    pub host_messages: Vec<Heard>,
    /// How it ended.
    pub end: Option<End>,
    /// The latest pictures.
    #[serde(skip)]
    pub seen: Vec<Seen>,
    /// The same, and where their time went.
    #[serde(skip)]
    pub timings: Vec<Timing>,
    #[serde(skip)]
    pub(super) last_picture: Option<Time>,
}

impl Stats {
    /// Milliseconds of the last picture's way from capture to decoding, when known.
    pub fn last_latency_ms(&self) -> Option<f64> {
        let last = self.timings.last()?;
        Some(last.decoded.since(last.captured?).as_secs_f64() * 1000.0)
    }

    /// The Reconfigured messages so far.
    pub fn reconfigured(&self) -> impl Iterator<Item = &Reconfigured> {
        self.host_messages.iter().filter_map(|heard| match &heard.word {
            Word::Reconfigured(now) => Some(now),
            _ => None,
        })
    }

    pub(super) fn heard(&mut self, at_ms: u64, word: Word) {
        if self.host_messages.len() < MAX_HEARD {
            self.host_messages.push(Heard { at_ms, word });
        }
    }

    pub(super) fn sound(&mut self, look: Look) {
        (self.tone_share, self.loudness) = (look.tone_share, look.loudness);
        self.left_share = look.left_share;
        self.channel_tones = look.channel_tones;
    }

    /// Notes a picture; of twice `history` the older half is forgotten.
    pub(super) fn picture(&mut self, timing: Timing, seen: Seen, history: usize) {
        self.pictures += 1;
        let before = self.last_picture.replace(timing.decoded);
        let gap = before.map_or(0, |before| timing.decoded.since(before).as_millis());
        self.longest_gap_ms = self.longest_gap_ms.max(u64::try_from(gap).unwrap_or(u64::MAX));
        if self.seen.len() >= history.max(1).saturating_mul(2) {
            self.seen.drain(..history.max(1));
            self.timings.drain(..history.max(1));
        }
        self.seen.push(seen);
        self.timings.push(timing);
    }
}

fn shown<S: serde::Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_is_kept_when_old_pictures_are_forgotten() {
        let mut stats = Stats::default();
        for (frame, at_ms) in [(0, 0), (1, 20), (2, 320), (3, 340), (4, 360), (5, 380)] {
            let at = Time::from_millis(at_ms);
            let timing =
                Timing { frame, captured: None, sent: None, first: at, received: at, taken: at, decoded: at };
            stats.picture(timing, Seen { frame, code: None, at_ms, idr: false, bytes: 1 }, 2);
        }
        assert_eq!(stats.longest_gap_ms, 300);
        let frames: Vec<_> = stats.seen.iter().map(|seen| seen.frame).collect();
        assert_eq!(frames, [2, 3, 4, 5]);
        assert_eq!((stats.timings.len(), stats.pictures), (4, 6));
    }

    #[test]
    fn an_end_is_shown_with_the_name_of_its_code() {
        let end = End::Ended { code: Code::AppEnded, text: "over".to_owned() };
        let json = serde_json::to_value(&end).expect("json");
        assert_eq!(json, serde_json::json!({ "ended": { "code": "APP_ENDED", "text": "over" } }));
    }
}
