//! Points in time as people write and read them, in seconds since 1970, UTC.

use std::time::SystemTime;

/// Reads `never`, a time from now (`30m`, `12h`, `7d`) or the end of a day (`2026-12-31`).
pub(super) fn expiry(text: &str) -> Result<Option<u64>, String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    expiry_at(text, now)
}

fn expiry_at(text: &str, now: u64) -> Result<Option<u64>, String> {
    if text == "never" {
        return Ok(None);
    }
    let wrong = || format!("{text:?} is no time: write 30m, 12h, 7d, 2026-12-31 or never");
    if let Some(day) = day(text) {
        let end = (day + 1) * 86_400;
        return if end > now { Ok(Some(end)) } else { Err(format!("{text} is over")) };
    }
    let unit = match text.chars().last() {
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        _ => return Err(wrong()),
    };
    let number = text.get(..text.len() - 1).and_then(|number| number.parse::<u32>().ok());
    match number.filter(|number| *number > 0) {
        Some(number) => Ok(Some(now + u64::from(number) * unit)),
        None => Err(wrong()),
    }
}

/// `YYYY-MM-DD` of a time.
pub(super) fn date(seconds: u64) -> String {
    let mut days = seconds / 86_400;
    let mut year = 1970;
    while days >= days_of(year) {
        days -= days_of(year);
        year += 1;
    }
    let mut month = 1;
    for length in months(year) {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", days + 1)
}

/// Days from 1970-01-01 to this date.
fn day(text: &str) -> Option<u64> {
    let mut parts = text.split('-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let in_range = parts.next().is_none() && (1970..=9999).contains(&year) && (1..=12).contains(&month);
    if !in_range {
        return None;
    }
    let months = months(year);
    let before = usize::try_from(month).ok()? - 1;
    (1..=*months.get(before)?).contains(&day).then(|| {
        let years: u64 = (1970..year).map(days_of).sum();
        years + months.iter().take(before).sum::<u64>() + day - 1
    })
}

fn days_of(year: u64) -> u64 {
    months(year).iter().sum()
}

fn months(year: u64) -> [u64; 12] {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    [31, 28 + u64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_calendar() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(951_782_400), "2000-02-29");
        assert_eq!(date(1_767_225_599), "2025-12-31");
        assert_eq!(date(1_767_225_600), "2026-01-01");
        for n in (0..40_000).step_by(13) {
            assert_eq!(day(&date(n * 86_400)), Some(n));
        }
    }

    #[test]
    fn a_time_can_be_said_in_several_ways() {
        assert_eq!(expiry_at("never", 1000), Ok(None));
        assert_eq!(expiry_at("30m", 1000), Ok(Some(2800)));
        assert_eq!(expiry_at("7d", 0), Ok(Some(7 * 86_400)));
        assert_eq!(expiry_at("1970-01-02", 1000), Ok(Some(2 * 86_400)), "that day included");
        assert!(expiry_at("1970-01-02", 2 * 86_400).unwrap_err().contains("over"));
        for wrong in ["", "0d", "5", "d", "5w", "-5d", "2026-02-30", "2026-13-01", "2026-1", "1-1-1-1", "ß"]
        {
            assert!(expiry_at(wrong, 0).is_err(), "{wrong}");
        }
    }
}
