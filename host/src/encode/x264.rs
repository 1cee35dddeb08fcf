//! H.264 by libx264, through FFmpeg; 4:4:4 as High 4:4:4 Predictive.
//!
//! No B-frames, no lookahead, constant bitrate in a buffer of a few pictures, an
//! IDR picture only on request.

use ffmpeg_next::Dictionary;
use punktfunk_core::gamestream::video::h264;

use super::ffmpeg::Library;
use super::{Backend, Config};

/// Pixels a second beyond which one slice, and so one thread, is not enough.
const ONE_THREAD_PIXELS: u64 = 1920 * 1080 * 60;
/// Slices taken then, although the decoder asked for one.
const SLICES_FOR_SPEED: u32 = 4;

/// See the module.
pub(super) const X264: Library = Library {
    backend: Backend::X264,
    name: "libx264",
    finest_quantizer: 14,
    slices,
    options,
    strip: h264::strip_leading,
    live_bitrate: true,
};

fn slices(config: &Config) -> u32 {
    let pixels = u64::from(config.width) * u64::from(config.height) * u64::from(config.fps);
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    let wanted = match config.slices.max(1) {
        1 if pixels > ONE_THREAD_PIXELS => SLICES_FOR_SPEED.min(cores),
        wanted => wanted,
    };
    // A slice holds at least two rows of macroblocks; x264 refuses smaller ones.
    wanted.min(config.height.div_ceil(16) / 2).clamp(1, 32)
}

fn options(_: &Config, slices: u32) -> Dictionary<'static> {
    let mut options = Dictionary::new();
    options.set("preset", "ultrafast");
    options.set("tune", "zerolatency");
    options.set("forced-idr", "1");
    options.set("threads", &slices.to_string());
    // `deblock`: off in this preset, and the one thing of it that is seen.
    let parameters = format!(
        "annexb=1:repeat-headers=1:scenecut=0:rc-lookahead=0:bframes=0:ref=1:deblock=0,0:no-deblock=0:\
         aud=0:nal-hrd=none:sliced-threads={}:slices={slices}",
        u8::from(slices > 1)
    );
    options.set("x264-params", &parameters);
    options
}
