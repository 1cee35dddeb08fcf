//! The few settings that neither crate has a safe function for.
#![expect(unsafe_code, reason = "neither crate has a safe form for these settings")]

use std::os::raw::c_int;
use std::slice;

use ffmpeg_next::{encoder, frame};

use super::convert::Sample;

/// Tells an FFmpeg encoder its bitrate (the average and the most, bits a second)
/// and the size of its rate control buffer in bits. libx264 takes all three with
/// its next picture, also while it is running.
pub fn set_rate(encoder: &mut encoder::encoder::Encoder, bitrate: u64, buffer: u64) {
    let bitrate = i64::try_from(bitrate).unwrap_or(i64::MAX);
    let buffer = c_int::try_from(buffer).unwrap_or(c_int::MAX);
    // SAFETY: the pointer is the live context that `encoder` owns, borrowed
    // exclusively here, and these are plain numbers that libavcodec allows
    // a caller to change at any time between two pictures.
    unsafe {
        let context = encoder.as_mut_ptr();
        (*context).bit_rate = bitrate;
        (*context).rc_max_rate = bitrate;
        // Constant bitrate to libaom; the others do not look at it.
        (*context).rc_min_rate = bitrate;
        (*context).rc_buffer_size = buffer;
    }
}

/// Lends the three planes of a frame of ours at once, as samples of its format: `u8`
/// for eight bits, `u16` for more. The crate lends them only one by one, as bytes.
pub fn with_planes<S: Sample, R>(
    frame: &mut frame::Video,
    use_planes: impl FnOnce(&mut [S], &mut [S], &mut [S]) -> R,
) -> R {
    let planes = [0, 1, 2].map(|plane| {
        let data = frame.data_mut(plane);
        let start = data.as_mut_ptr().cast::<S>();
        // libavutil aligns planes for vectors; a plane that were not aligned is empty here.
        let length = if start.is_aligned() { data.len() / size_of::<S>() } else { 0 };
        (start, length)
    });
    let [y, u, v] = planes.map(|(start, length)| {
        // SAFETY: each is a plane that `data_mut` just described, aligned and not
        // longer than it in bytes; the three do not overlap, and `frame` stays borrowed
        // exclusively until this returns. `Sample` is implemented by `u8` and `u16`
        // only, for which every bit pattern is a value.
        unsafe { slice::from_raw_parts_mut(start, length) }
    });
    use_planes(y, u, v)
}

/// `ENCODER_OPTION_BITRATE` of OpenH264's `codec_app_def.h`.
const OPTION_BITRATE: c_int = 5;
/// `ENCODER_OPTION_MAX_BITRATE`, likewise.
const OPTION_MAX_BITRATE: c_int = 6;
/// `SPATIAL_LAYER_ALL`, likewise.
const ALL_LAYERS: c_int = 4;

/// `SBitrateInfo`, likewise.
#[repr(C)]
struct BitrateInfo {
    layer: c_int,
    bitrate: c_int,
}

/// Tells a running OpenH264 encoder its bitrate. Returns false when it refuses,
/// which it does before its first picture.
pub fn set_openh264_bitrate(encoder: &mut openh264::encoder::Encoder, bitrate: u64) -> bool {
    let bitrate = c_int::try_from(bitrate).unwrap_or(c_int::MAX);
    let mut info = BitrateInfo { layer: ALL_LAYERS, bitrate };
    // SAFETY: the encoder is live and borrowed exclusively; both options read one
    // `SBitrateInfo` from the pointer and keep no reference to it.
    unsafe {
        let api = encoder.raw_api();
        // The average must never be above the maximum, so the maximum goes first
        // when the bitrate grows (and is refused, harmlessly, when it falls).
        api.set_option(OPTION_MAX_BITRATE, (&raw mut info).cast());
        let average = api.set_option(OPTION_BITRATE, (&raw mut info).cast());
        api.set_option(OPTION_MAX_BITRATE, (&raw mut info).cast());
        average == 0
    }
}
