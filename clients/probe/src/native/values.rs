//! Modes and codecs as people type them.

use punktfunk_client::{Codec, Family, Mode};

/// A mode as people type it: `1920x1080x60` or `1920x1080x59.94`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_mode(text: &str) -> Result<Mode, String> {
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

/// A codec as people type it: `h264`, `hevc` or `av1`, with `-10` for ten bits and `-444`
/// for full chroma.
///
/// # Errors
/// What is wrong with it.
pub fn parse_codec(text: &str) -> Result<Codec, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_have_rates_with_decimals() {
        let rate = |text: &str| parse_mode(&format!("1920x1080x{text}")).map(|mode| mode.refresh_mhz);
        assert_eq!(rate("60"), Ok(60_000));
        assert_eq!(rate("59.94"), Ok(59_940));
        assert_eq!(rate("23.976"), Ok(23_976));
        for wrong in ["", ".", "-1", "59.9401", "5,9", "0", "1001", "59.-1", "99999999999"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
        assert!(parse_mode("1921x1080x60").is_err());
        assert!(parse_mode("1920x1080").is_err());
    }

    #[test]
    fn codecs_have_depth_and_chroma() {
        assert_eq!(parse_codec("h264"), Ok(Codec::H264));
        assert_eq!(parse_codec("hevc-10"), Ok(Codec::HEVC_10));
        assert_eq!(parse_codec("av1-444-10"), Ok(Codec::new(Family::Av1, true, true)));
        assert!(parse_codec("hevc-12").is_err());
        assert!(parse_codec("").is_err());
    }
}
