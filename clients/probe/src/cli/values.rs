//! Values of arguments: sessions, plans of changes, channels.

use std::time::Duration;

use punktfunk_core::bytes::from_hex;
use punktfunk_probe::native::{Reconfigure, SessionId, parse_codec, parse_mode};

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
        Some(("codec", name)) => wanted.codec = Some(parse_codec(name)?),
        Some(_) => return Err(form()),
        None => {
            let with_rate = what.matches('x').count() == 2;
            let mode = parse_mode(&if with_rate { what.to_owned() } else { format!("{what}x60") })?;
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
    use punktfunk_probe::native::Codec;

    use super::*;

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
