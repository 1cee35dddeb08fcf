//! What tells who somebody is and where: addresses of mail, machines and networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::{Marks, occurrences, spans};

/// Addresses of e-mail.
pub(super) fn emails(text: &str, marks: &mut Marks) {
    let local = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
    for (at, _) in text.match_indices('@') {
        let before = text.get(..at).unwrap_or_default();
        let start = before
            .rfind(|c| !local(c))
            .map_or(0, |last| last + before[last..].chars().next().map_or(1, char::len_utf8));
        let after = text.get(at + 1..).unwrap_or_default();
        let domain = after.find(|c: char| !(c.is_alphanumeric() || "._-".contains(c))).unwrap_or(after.len());
        let has_dot = after[..domain].trim_end_matches('.').contains('.');
        if start < at && has_dot {
            marks.push((start..at + 1 + domain, "e-mail address"));
        }
    }
}

/// The user's name in `/home/NAME`.
pub(super) fn homes(text: &str, marks: &mut Marks) {
    occurrences(text, "/home/", &mut |range| {
        let rest = text.get(range.end..).unwrap_or_default();
        let end = rest.find(|c: char| c.is_whitespace() || "/\"'\\:;,)<>".contains(c)).unwrap_or(rest.len());
        marks.push((range.end..range.end + end, "user's name"));
    });
}

/// Six bytes of hex with colons or hyphens between them, or more.
pub(super) fn hardware(text: &str, marks: &mut Marks) {
    for range in spans(text, |c| c.is_ascii_hexdigit() || c == ':' || c == '-') {
        let run = text.get(range.clone()).unwrap_or_default();
        for separator in [':', '-'] {
            let mut at = 0;
            let parts: Vec<Range<usize>> = run
                .split(separator)
                .map(|part| {
                    let start = at;
                    at += part.len() + 1;
                    start..start + part.len()
                })
                .collect();
            for six in parts.windows(6) {
                let is_byte =
                    |part: &Range<usize>| part.len() == 2 && !run[part.clone()].contains([':', '-']);
                if six.iter().all(is_byte) {
                    let (from, to) = (six[0].start, six[5].end);
                    marks.push((range.start + from..range.start + to, "hardware address"));
                }
            }
        }
    }
}

/// The ends of network addresses that are not private ones.
pub(super) fn addresses(text: &str, marks: &mut Marks) {
    for range in spans(text, |c| c.is_ascii_digit() || c == '.') {
        let run = text.get(range.clone()).unwrap_or_default();
        let dots: Vec<usize> = run.match_indices('.').map(|(at, _)| at).collect();
        // Every four numbers in a row, whatever stands around them.
        let edges: Vec<usize> = std::iter::once(0).chain(dots.iter().map(|at| at + 1)).collect();
        for (first, start) in edges.iter().enumerate() {
            let end = dots.get(first + 3).copied().unwrap_or(run.len());
            let Some(middle) = edges.get(first + 2) else { break };
            let address = run.get(*start..end).and_then(|text| text.parse::<Ipv4Addr>().ok());
            if address.is_some_and(|address| is_public(address.into())) {
                marks.push((range.start + middle..range.start + end, "network address"));
            }
        }
    }
    for range in spans(text, |c| c.is_ascii_hexdigit() || c == ':' || c == '.') {
        let run = text.get(range.clone()).unwrap_or_default();
        let trimmed = run.trim_matches('.');
        let candidates = [
            trimmed,
            trimmed.strip_suffix(':').unwrap_or(trimmed),
            trimmed.strip_prefix(':').unwrap_or(trimmed),
        ];
        let Some((found, address)) =
            candidates.iter().find_map(|text| text.parse::<Ipv6Addr>().ok().map(|address| (text, address)))
        else {
            continue;
        };
        let start = range.start + run.find(found).unwrap_or_default();
        // `host::audio` is the name of a part of the program.
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let before = text.get(..start).and_then(|before| before.chars().next_back()).is_some_and(word);
        let after = text.get(start + found.len()..).and_then(|after| after.chars().next()).is_some_and(word);
        // So is `find::bad`, whose middle reads as an address. One that is given out begins
        // with a digit, `fe80`, or numbers.
        let name = (before || after) && !found.contains(|c: char| c.is_ascii_digit());
        if name || (found.starts_with("::") && before) {
            continue;
        }
        let keep = if is_public(address.into()) {
            // The provider's part.
            found.match_indices(':').nth(1).map_or(0, |(at, _)| at + 1)
        } else if address.is_loopback() || address.is_unspecified() {
            continue;
        } else {
            // It may end with a hardware address.
            found.find(':').map_or(0, |at| at + 1)
        };
        marks.push((start + keep..start + found.len(), "network address"));
    }
}

pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_multicast()
                || v4.is_broadcast()
                || shared
                || a == 0)
        }
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            !(v6.is_loopback() || v6.is_unspecified() || first & 0xFE00 == 0xFC00 || first & 0xFFC0 == 0xFE80)
        }
    }
}
