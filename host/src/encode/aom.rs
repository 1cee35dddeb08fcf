//! AV1 by libaom in its real-time mode, through FFmpeg: Main, and High for 4:4:4.
//!
//! Not SVT-AV1: it gives a picture out only when the next ones are in, and FFmpeg has
//! no way to wait for it (`docs/decisions`). The slices a decoder wishes become tiles.

use ffmpeg_next::Dictionary;

use super::ffmpeg::{Library, NO_KEY_FRAMES, threads};
use super::{Backend, Config};

/// See the module.
pub(super) const AOM: Library = Library {
    backend: Backend::Aom,
    name: "libaom-av1",
    finest_quantizer: 10,
    slices: tiles,
    options,
    strip: |unit| unit.len(),
    live_bitrate: false,
};

/// Tiles side by side: a power of two, each at least 256 pixels wide.
fn tiles(config: &Config) -> u32 {
    let most = (config.width / 256).max(1);
    1 << config.slices.max(threads(config)).min(most).min(16).ilog2()
}

fn options(config: &Config, tiles: u32) -> Dictionary<'static> {
    let mut options = Dictionary::new();
    options.set("usage", "realtime");
    options.set("lag-in-frames", "0");
    options.set("threads", &threads(config).to_string());
    options.set("row-mt", "1");
    options.set("tile-columns", &tiles.ilog2().to_string());
    // The same as the distance between key frames: none comes by itself.
    options.set("keyint_min", &NO_KEY_FRAMES.to_string());
    // FFmpeg knows speeds up to 8, the library more.
    options.set("aom-params", "cpu-used=10");
    options
}
