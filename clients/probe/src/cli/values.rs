//! Values of arguments: modes, codecs, sessions, plans of changes.

use std::time::Duration;

use punktfunk_core::bytes::from_hex;
use punktfunk_probe::native::{Codec, Family, Mode, Reconfigure, SessionId};

/// `1920x1080x60` or `1920x1080x59.94`.
pub fn mode(text: &str) -> Result<Mode, String> {
    let parts: Vec<&str> = text.split('x').collect();
    let [width, height, rate] = parts.as_slice() else {
        return Err("it must look like 1920x1080x60".to_owned());
    };
    let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is no number of pixels"));
    let mode = Mode { width: number(width)?, height: number(height)?, refresh_mhz: millihertz(rate)? };
    if mode.is_valid() {
        Ok(mode)
    } else {
        Err("width and height must be even and from 64 to 16384, the rate from 1 to 1000".to_owned())
    }
}

/// Hertz with at most three decimals.
fn millihertz(text: &str) -> Result<u32, String> {
    let wrong = || format!("{text:?} is no rate, such as 60 or 59.94");
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 || !part.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(wrong());
    }
    let whole: u32 = whole.parse().map_err(|_| wrong())?;
    let part: u32 = format!("{part:0<3}").parse().map_err(|_| wrong())?;
    whole.checked_mul(1000).and_then(|whole| whole.checked_add(part)).ok_or_else(wrong)
}

/// `h264`, `hevc` or `av1`, with `-10` for ten bits and `-444` for full chroma.
pub fn codec(text: &str) -> Result<Codec, String> {
    let mut parts = text.split('-');
    let family = match parts.next() {
        Some("h264") => Family::H264,
        Some("hevc") => Family::Hevc,
        Some("av1") => Family::Av1,
        _ => return Err("it must be h264, hevc or av1, with -10 for ten bits and -444 for 4:4:4".to_owned()),
    };
    let (mut ten_bits, mut full_chroma) = (false, false);
    for part in parts {
        match part {
            "10" => ten_bits = true,
            "444" => full_chroma = true,
            _ => return Err(format!("-{part} is neither -10 nor -444")),
        }
    }
    Ok(Codec::new(family, ten_bits, full_chroma))
}

/// Which session is resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// The last one that this client had with the host.
    Last,
    /// This one.
    Session(SessionId),
}

/// `last`, or the 32 digits of a session.
pub fn resume(text: &str) -> Result<Resume, String> {
    if text == "last" {
        return Ok(Resume::Last);
    }
    let bytes = from_hex(text).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    let id = bytes.ok_or("a session has 32 hexadecimal digits, as the report shows them")?;
    Ok(Resume::Session(SessionId(id)))
}

/// A change that is asked for some time after the first picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// How long after.
    pub after: Duration,
    /// What.
    pub wanted: Reconfigure,
}

/// `5s:1920x1080`, `5s:1920x1080x30`, `2.5s:bitrate=4000` or `9s:codec=hevc`.
pub fn change(text: &str) -> Result<Change, String> {
    let form = || format!("{text:?} must look like 5s:1920x1080, 5s:bitrate=4000 or 5s:codec=hevc");
    let (time, what) = text.split_once(':').ok_or_else(form)?;
    let seconds: f64 = time.strip_suffix('s').unwrap_or(time).parse().map_err(|_| form())?;
    let after = Duration::try_from_secs_f64(seconds).map_err(|_| form())?;
    let mut wanted = Reconfigure::default();
    match what.split_once('=') {
        Some(("bitrate", kbps)) => wanted.bitrate_kbps = Some(kbps.parse().map_err(|_| form())?),
        Some(("codec", name)) => wanted.codec = Some(codec(name)?),
        Some(_) => return Err(form()),
        None => {
            let with_rate = what.matches('x').count() == 2;
            let mode = mode(&if with_rate { what.to_owned() } else { format!("{what}x60") })?;
            (wanted.width, wanted.height) = (Some(mode.width), Some(mode.height));
            wanted.refresh_mhz = with_rate.then_some(mode.refresh_mhz);
        }
    }
    Ok(Change { after, wanted })
}

/// 0, 2, 6 or 8.
pub fn channels(text: &str) -> Result<u8, String> {
    match text.parse() {
        Ok(channels @ (0 | 2 | 6 | 8)) => Ok(channels),
        _ => Err("it must be 0, 2, 6 or 8".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_have_rates_with_decimals() {
        let rate = |text: &str| mode(&format!("1920x1080x{text}")).map(|mode| mode.refresh_mhz);
        assert_eq!(rate("60"), Ok(60_000));
        assert_eq!(rate("59.94"), Ok(59_940));
        assert_eq!(rate("23.976"), Ok(23_976));
        for wrong in ["", ".", "-1", "59.9401", "5,9", "0", "1001", "59.-1", "99999999999"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
        assert!(mode("1921x1080x60").is_err());
        assert!(mode("1920x1080").is_err());
    }

    #[test]
    fn codecs_have_depth_and_chroma() {
        assert_eq!(codec("h264"), Ok(Codec::H264));
        assert_eq!(codec("hevc-10"), Ok(Codec::HEVC_10));
        assert_eq!(codec("av1-444-10"), Ok(Codec::new(Family::Av1, true, true)));
        assert!(codec("hevc-12").is_err());
        assert!(codec("").is_err());
    }

    #[test]
    fn changes_have_a_time_and_one_wish() {
        let size = change("5s:1280x720").expect("size");
        assert_eq!(size.after, Duration::from_secs(5));
        assert_eq!(
            (size.wanted.width, size.wanted.height, size.wanted.refresh_mhz),
            (Some(1280), Some(720), None)
        );
        assert_eq!(change("1:640x480x30").expect("mode").wanted.refresh_mhz, Some(30_000));
        let rate = change("2.5s:bitrate=4000").expect("bitrate");
        assert_eq!((rate.after.as_millis(), rate.wanted.bitrate_kbps), (2500, Some(4000)));
        assert_eq!(change("9s:codec=hevc").expect("codec").wanted.codec, Some(Codec::HEVC));
        for wrong in ["5s", "x:1280x720", "-1s:1280x720", "1e300s:1280x720", "5s:641x480", "5s:sound=2"] {
            assert!(change(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_session_is_named_by_its_digits() {
        assert_eq!(resume("last"), Ok(Resume::Last));
        let id = SessionId([0xab; 16]);
        assert_eq!(resume(&id.to_string()), Ok(Resume::Session(id)));
        assert!(resume("abab").is_err());
    }
}
