//! Lists for people and for programs.

use std::io;

use super::time::date;
use crate::serve::owner::ClientInfo;
use crate::store::Protocol;

/// One JSON document on standard output.
pub(super) fn json<T: serde::Serialize>(value: &T) -> io::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// A table of the paired clients.
pub(super) fn clients(clients: &[ClientInfo]) {
    print!("{}", table(clients));
}

fn table(clients: &[ClientInfo]) -> String {
    if clients.is_empty() {
        return "No client is paired. `punktfunk-host pair --native` pairs one, `punktfunk-host pair` a Moonlight.\n"
            .to_owned();
    }
    let width = clients.iter().map(|client| client.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for client in clients {
        let id = client.fingerprint.get(..16).unwrap_or(&client.fingerprint);
        let protocol = match client.protocol {
            Protocol::GameStream => "GameStream",
            Protocol::Native => "punktfunk",
        };
        text += &format!("{id}  {:width$}  {protocol:10}  paired {}", client.name, date(client.added));
        if let Some(seen) = client.seen {
            text += &format!(", seen {}", date(seen));
        }
        if client.protocol == Protocol::Native {
            text += &format!(", may {}", client.access);
        }
        if let Some(expires) = client.expires {
            // The end of a day is the beginning of the next: say the day.
            text += &format!(", until {}", date(expires.saturating_sub(1)));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Protocol;

    #[test]
    fn the_table_says_what_is_out_of_the_ordinary() {
        let tv = ClientInfo {
            name: "tv".into(),
            fingerprint: "0123456789abcdef0123".into(),
            protocol: Protocol::GameStream,
            added: 0,
            access: "all".into(),
            expires: None,
            seen: None,
        };
        let guest = ClientInfo {
            name: "guest".into(),
            protocol: Protocol::Native,
            access: "view,pads".into(),
            expires: Some(951_868_800),
            seen: Some(86_400),
            ..tv.clone()
        };
        let expected = "0123456789abcdef  tv     GameStream  paired 1970-01-01\n\
                        0123456789abcdef  guest  punktfunk   paired 1970-01-01, seen 1970-01-02, \
                        may view,pads, until 2000-02-29\n";
        assert_eq!(table(&[tv, guest]), expected);
        assert!(table(&[]).contains("pair --native"));
    }
}
