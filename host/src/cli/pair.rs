//! `punktfunk-host pair`: from the PIN on Moonlight's screen to a paired client.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use anyhow::bail;

use super::print;
use super::start::Start;
use crate::serve::owner::{Answer, Attempt, Owner, Request};

/// What the command line says.
pub(super) struct Wish {
    /// The PIN, when it was given.
    pub pin: Option<String>,
    /// Which attempt, when it was given.
    pub client: Option<u64>,
    /// What to call the client.
    pub name: Option<String>,
    /// Print JSON.
    pub json: bool,
}

pub(super) fn run(start: &Start, wish: &Wish) -> anyhow::Result<u8> {
    if let Some(pin) = &wish.pin {
        check(pin).map_err(anyhow::Error::msg)?;
    }
    let mut owner = Owner::connect(&start.socket())?;
    let attempt = choose(waiting(&mut owner, wish)?, wish.client)?;
    if !wish.json {
        println!("{} asks to be paired (certificate {}).", attempt.address, attempt.fingerprint);
    }
    let pin = match &wish.pin {
        Some(pin) => pin.clone(),
        None => ask_for_pin()?,
    };
    let request = Request::Pin { attempt: attempt.attempt, pin, name: wish.name.clone() };
    match owner.ask(&request)? {
        Answer::Paired { client } if wish.json => print::json(&client)?,
        Answer::Paired { client } => {
            println!("Paired: {:?} can now stream from this host.", client.name);
        }
        other => bail!("unexpected answer {other:?}"),
    }
    Ok(0)
}

/// The clients that wait, after waiting for the first one if need be.
fn waiting(owner: &mut Owner, wish: &Wish) -> anyhow::Result<Vec<Attempt>> {
    for wait in [false, true] {
        let Answer::Pending { attempts } = owner.ask(&Request::Pending { wait })? else { break };
        if !attempts.is_empty() {
            return Ok(attempts);
        }
        if !wait && !wish.json {
            println!(
                "No client asks to be paired yet. Choose this host in Moonlight; waiting for it ...\n(To pair a punktfunk client: `punktfunk-host pair --native`.)"
            );
        }
    }
    bail!("no client asks to be paired")
}

fn choose(attempts: Vec<Attempt>, wanted: Option<u64>) -> anyhow::Result<Attempt> {
    let mut list = String::new();
    for attempt in &attempts {
        list.push_str(&format!(
            "\n  --client {}   {} (certificate {}), for {} s",
            attempt.attempt, attempt.address, attempt.fingerprint, attempt.waiting
        ));
    }
    let several = attempts.len() > 1;
    let mut chosen = attempts.into_iter().filter(|attempt| wanted.is_none_or(|id| id == attempt.attempt));
    match (chosen.next(), several && wanted.is_none()) {
        (Some(attempt), false) => Ok(attempt),
        (Some(_), true) => bail!("several clients wait; choose the one whose PIN you have:{list}"),
        (None, _) => bail!("no such client waits; these do:{list}"),
    }
}

fn ask_for_pin() -> anyhow::Result<String> {
    let input = io::stdin();
    for _ in 0..3 {
        if input.is_terminal() {
            print!("PIN shown by the client: ");
            io::stdout().flush()?;
        }
        let mut line = String::new();
        if input.lock().read_line(&mut line)? == 0 {
            break;
        }
        match check(line.trim()) {
            Ok(()) => return Ok(line.trim().to_owned()),
            Err(message) => eprintln!("{message}"),
        }
    }
    bail!("no PIN was entered")
}

fn check(pin: &str) -> Result<(), String> {
    if pin.len() == 4 && pin.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(())
    } else {
        Err(format!("{pin:?} is not a PIN: it has four digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(id: u64) -> Attempt {
        Attempt { attempt: id, address: "10.0.0.9".into(), fingerprint: "abcd".into(), waiting: 3 }
    }

    #[test]
    fn with_several_clients_the_owner_must_choose() {
        assert_eq!(choose(vec![attempt(4)], None).unwrap().attempt, 4);
        assert_eq!(choose(vec![attempt(4), attempt(5)], Some(5)).unwrap().attempt, 5);
        let message = choose(vec![attempt(4), attempt(5)], None).unwrap_err().to_string();
        assert!(message.contains("--client 4") && message.contains("--client 5"), "{message}");
        assert!(choose(vec![attempt(4)], Some(9)).is_err());
    }

    #[test]
    fn a_pin_has_four_digits() {
        assert!(check("0123").is_ok());
        for pin in ["", "123", "12345", "12a4", "１２３４"] {
            assert!(check(pin).is_err(), "{pin}");
        }
    }
}
