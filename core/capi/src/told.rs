//! What events tell: their kinds, and a struct for each that has more to say. The
//! functions that fill these are in `events`.

use std::ffi::c_char;

use crate::abi::plain;

/// Event: of a kind that this version of the interface does not tell. Release it.
pub const PUNKTFUNK_EVENT_OTHER: u32 = 0;
/// Event: a whole frame, in order (`punktfunk_event_frame`).
pub const PUNKTFUNK_EVENT_FRAME: u32 = 1;
/// Event: frames that will not come; what is needed to go on was asked for already
/// (`punktfunk_event_frames_lost`).
pub const PUNKTFUNK_EVENT_FRAMES_LOST: u32 = 2;
/// Event: a packet of sound, in order (`punktfunk_event_sound`).
pub const PUNKTFUNK_EVENT_SOUND: u32 = 3;
/// Event: what a pad shall do (`punktfunk_event_effect`).
pub const PUNKTFUNK_EVENT_EFFECT: u32 = 4;
/// Event: what the picture's HDR means (`punktfunk_event_hdr`).
pub const PUNKTFUNK_EVENT_HDR: u32 = 5;
/// Event: the picture changes, or does not, and why (`punktfunk_event_reconfigured`). The
/// first frame of the new epoch may come before it.
pub const PUNKTFUNK_EVENT_RECONFIGURED: u32 = 6;
/// Event: the owner changed what this client may do (`punktfunk_event_access`).
pub const PUNKTFUNK_EVENT_ACCESS: u32 = 7;
/// Event: something was copied on the host (`punktfunk_event_clipboard`).
pub const PUNKTFUNK_EVENT_CLIPBOARD: u32 = 8;
/// Event: the applications, as asked for (`punktfunk_event_apps`).
pub const PUNKTFUNK_EVENT_APPS: u32 = 9;
/// Event: the host did not do what was asked for last; the session goes on
/// (`punktfunk_event_reason`).
pub const PUNKTFUNK_EVENT_REFUSED: u32 = 10;
/// Event: the connection is lost, and looked for (`punktfunk_event_reason`).
pub const PUNKTFUNK_EVENT_INTERRUPTED: u32 = 11;
/// Event: the session is back; epoch, mode and codec may be others
/// (`punktfunk_event_welcome`).
pub const PUNKTFUNK_EVENT_RESUMED: u32 = 12;
/// Event: it is over. Said again for ever (`punktfunk_event_reason`).
pub const PUNKTFUNK_EVENT_ENDED: u32 = 13;

/// Flag of a frame: decoding can begin with it.
pub const PUNKTFUNK_FRAME_KEY: u32 = 1;
/// Flag of a frame: it refers to nothing that was lost.
pub const PUNKTFUNK_FRAME_RECOVERY: u32 = 2;
/// Flag of a frame: it is no repetition of the one before.
pub const PUNKTFUNK_FRAME_NEW_PICTURE: u32 = 4;

/// Effect: rumble until told otherwise (`low`, `high`).
pub const PUNKTFUNK_EFFECT_RUMBLE: u32 = 1;
/// Effect: rumble of the triggers until told otherwise (`left`, `right`).
pub const PUNKTFUNK_EFFECT_TRIGGER_RUMBLE: u32 = 2;
/// Effect: report motion so often (`sensor`, `rate`).
pub const PUNKTFUNK_EFFECT_MOTION_REPORTING: u32 = 3;
/// Effect: show this colour (`colour`).
pub const PUNKTFUNK_EFFECT_LED: u32 = 4;
/// Effect: resistance of the triggers (`sides`, `effects`, `left_trigger`,
/// `right_trigger`).
pub const PUNKTFUNK_EFFECT_ADAPTIVE_TRIGGERS: u32 = 5;

/// A whole frame.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PunktfunkFrame {
    /// `sizeof(PunktfunkFrame)`.
    pub struct_size: u32,
    /// Its number.
    pub number: u32,
    /// The access unit (H.264, HEVC: Annex B; AV1: low-overhead OBUs), until the event is
    /// released.
    pub data: *const u8,
    /// Bytes of it.
    pub data_size: usize,
    /// The epoch that it belongs to.
    pub epoch: u32,
    /// `PUNKTFUNK_FRAME_...` bits.
    pub flags: u32,
    /// When the picture was taken, microseconds of the host's clock (48 bits).
    pub timestamp: u64,
    /// The same by `punktfunk_now`; 0: not known yet.
    pub captured: u64,
    /// When its last datagram was handed to the network, by `punktfunk_now`; 0: not known
    /// yet.
    pub sent: u64,
    /// When its first datagram arrived, by `punktfunk_now`.
    pub first: u64,
    /// When it was whole, by `punktfunk_now`.
    pub whole: u64,
    /// Data shards of it.
    pub shards: u32,
    /// How many of them parity stood in for.
    pub recovered: u32,
}
plain!(PunktfunkFrame {
    struct_size,
    number,
    data,
    data_size,
    epoch,
    flags,
    timestamp,
    captured,
    sent,
    first,
    whole,
    shards,
    recovered,
});

/// Frames that will not come.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PunktfunkFramesLost {
    /// `sizeof(PunktfunkFramesLost)`.
    pub struct_size: u32,
    /// The number of the first.
    pub first: u32,
    /// The number of the last.
    pub last: u32,
}
plain!(PunktfunkFramesLost { struct_size, first, last });

/// A packet of sound; numbers that are left out are lost.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PunktfunkSound {
    /// `sizeof(PunktfunkSound)`.
    pub struct_size: u32,
    /// Its number.
    pub seq: u32,
    /// Opus as `PunktfunkWelcome` says, until the event is released.
    pub data: *const u8,
    /// Bytes of it.
    pub data_size: usize,
    /// When it was recorded, microseconds of the host's clock (48 bits).
    pub timestamp: u64,
}
plain!(PunktfunkSound { struct_size, seq, data, data_size, timestamp });

/// What a pad shall do. Fields that `kind` does not name are 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PunktfunkEffect {
    /// `sizeof(PunktfunkEffect)`.
    pub struct_size: u32,
    /// The pad.
    pub pad: u32,
    /// `PUNKTFUNK_EFFECT_...`.
    pub kind: u32,
    /// The heavy motor, 0 to 65,535.
    pub low: u32,
    /// The light motor, 0 to 65,535.
    pub high: u32,
    /// The motor in the left trigger, 0 to 65,535.
    pub left: u32,
    /// The motor in the right trigger, 0 to 65,535.
    pub right: u32,
    /// `PUNKTFUNK_SENSOR_...`.
    pub sensor: u32,
    /// Reports a second; 0 is never.
    pub rate: u32,
    /// Red, green, blue.
    pub colour: [u8; 3],
    /// 4: the right side is valid, 8: the left side is.
    pub sides: u8,
    /// Effect numbers of a DualSense, left and right.
    pub effects: [u8; 2],
    /// Parameters of the left side.
    pub left_trigger: [u8; 10],
    /// Parameters of the right side.
    pub right_trigger: [u8; 10],
    /// 0.
    pub reserved: [u8; 2],
}
plain!(PunktfunkEffect {
    struct_size,
    pad,
    kind,
    low,
    high,
    left,
    right,
    sensor,
    rate,
    colour,
    sides,
    effects,
    left_trigger,
    right_trigger,
    reserved,
});

/// Mastering display and content light (SMPTE ST 2086, CTA-861.3).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PunktfunkHdr {
    /// `sizeof(PunktfunkHdr)`.
    pub struct_size: u32,
    /// 0 when the picture has no HDR any more; then all the rest is 0.
    pub present: u32,
    /// x and y of red, green and blue, 50,000ths.
    pub primaries: [u16; 6],
    /// x and y of white, 50,000ths.
    pub white: [u16; 2],
    /// Most luminance of the mastering display, cd/m².
    pub maximum: u32,
    /// Least luminance of the mastering display, 10,000ths of cd/m².
    pub minimum: u32,
    /// MaxCLL, cd/m².
    pub content: u32,
    /// MaxFALL, cd/m².
    pub frame_average: u32,
}
plain!(PunktfunkHdr { struct_size, present, primaries, white, maximum, minimum, content, frame_average });

/// The picture from an epoch on.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PunktfunkReconfigured {
    /// `sizeof(PunktfunkReconfigured)`.
    pub struct_size: u32,
    /// The epoch whose frames are so.
    pub epoch: u32,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Thousandths of a hertz.
    pub refresh_mhz: u32,
    /// `PUNKTFUNK_CODEC_...`.
    pub codec: u32,
    /// Video with parity, kbit/s.
    pub bitrate_kbps: u32,
    /// 0.
    pub reserved: u32,
    /// Why it is other than asked for; empty when it is not. UTF-8 with a NUL, until the
    /// event is released.
    pub text: *const c_char,
}
plain!(PunktfunkReconfigured {
    struct_size,
    epoch,
    width,
    height,
    refresh_mhz,
    codec,
    bitrate_kbps,
    reserved,
    text,
});

/// Something that was copied on the host.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PunktfunkClipboard {
    /// `sizeof(PunktfunkClipboard)`.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// What it is, a media type: UTF-8 with a NUL, until the event is released.
    pub mime: *const c_char,
    /// The bytes of it, until the event is released.
    pub data: *const u8,
    /// How many.
    pub data_size: usize,
}
plain!(PunktfunkClipboard { struct_size, reserved, mime, data, data_size });

/// Why something was refused, interrupted or ended.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PunktfunkReason {
    /// `sizeof(PunktfunkReason)`.
    pub struct_size: u32,
    /// `PUNKTFUNK_CODE_...`.
    pub code: u32,
    /// For people: UTF-8 with a NUL, until the event is released.
    pub text: *const c_char,
}
plain!(PunktfunkReason { struct_size, code, text });
