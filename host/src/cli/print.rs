//! Lists for people and for programs.

use std::io;

use crate::serve::owner::ClientInfo;

/// One JSON document on standard output.
pub(super) fn json<T: serde::Serialize>(value: &T) -> io::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// A table of the paired clients.
pub(super) fn clients(clients: &[ClientInfo]) {
    if clients.is_empty() {
        println!("No client is paired. `punktfunk-host pair` pairs one.");
        return;
    }
    let width = clients.iter().map(|client| client.name.chars().count()).max().unwrap_or(0);
    for client in clients {
        let id = client.fingerprint.get(..16).unwrap_or(&client.fingerprint);
        println!("{id}  {:width$}  paired {}", client.name, date(client.added));
    }
}

/// `YYYY-MM-DD` of a time in seconds since 1970, in UTC.
fn date(seconds: u64) -> String {
    let mut days = seconds / 86_400;
    let mut year = 1970;
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", days + 1)
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn dates_follow_the_calendar() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(951_782_400), "2000-02-29");
        assert_eq!(date(1_767_225_599), "2025-12-31");
        assert_eq!(date(1_767_225_600), "2026-01-01");
    }
}
