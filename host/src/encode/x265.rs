//! HEVC by libx265, through FFmpeg: Main, Main 10, and the range extensions for 4:4:4.
//!
//! The same rules as for x264. x265 keeps its bitrate for as long as it is open.

use ffmpeg_next::Dictionary;
use punktfunk_core::gamestream::video::hevc;

use super::ffmpeg::{Library, threads};
use super::{Backend, Config};

/// See the module.
pub(super) const X265: Library = Library {
    backend: Backend::X265,
    name: "libx265",
    finest_quantizer: 14,
    // With more, x265 gives a picture out only when the next one is in.
    slices: |_| 1,
    options,
    strip: hevc::strip_leading,
    live_bitrate: false,
};

fn options(config: &Config, _: u32) -> Dictionary<'static> {
    let mut options = Dictionary::new();
    options.set("preset", "ultrafast");
    options.set("tune", "zerolatency");
    options.set("forced-idr", "1");
    let parameters = format!(
        "annexb=1:repeat-headers=1:info=0:aud=0:hrd=0:scenecut=0:keyint=-1:open-gop=0:rc-lookahead=0:\
         bframes=0:ref=1:frame-threads=1:pools={}:slices=1:qpmin=14:log-level=none",
        threads(config)
    );
    options.set("x265-params", &parameters);
    options
}
