//! `punktfunk-host ctl`: every operation of the management API, asked at the Unix socket of
//! a running host. It knows the operations from the description that is compiled in, so
//! that a new one needs nothing here. Exit statuses are a contract (`docs/ctl.md`).

pub(super) mod http;
mod operations;
mod render;

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use serde_json::Value;

use super::args::CtlArgs;
use super::start::Start;
use crate::api::socket_path;
use http::{Answer, Ask};
use operations::{Operation, Usage};

/// Longest body read from standard input, bytes: a backup, in base64.
const MAX_BODY: u64 = 12 << 20;
/// Longest answer kept in memory, bytes.
const MAX_ANSWER: u64 = 64 << 20;

/// How a call ended; the numbers are promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Exit {
    Done = 0,
    Usage = 2,
    NotRunning = 3,
    Refused = 4,
    NotFound = 5,
    Conflict = 6,
    Invalid = 7,
    TooMany = 8,
    Failed = 9,
}

pub(super) fn run(start: &Start, args: &CtlArgs) -> anyhow::Result<u8> {
    let all = operations::all();
    let Some(wanted) = args.operation.as_deref() else {
        list(&all, args.json)?;
        return Ok(Exit::Done as u8);
    };
    let call = match prepare(&all, wanted, args) {
        Ok(call) => call,
        Err(Usage(message)) => {
            complain(&message);
            return Ok(Exit::Usage as u8);
        }
    };
    let usual = || socket_path(start.runtime(), start.config.ports.base());
    let socket = args.socket.clone().unwrap_or_else(usual);
    match http::ask(&socket, &call) {
        Ok(answer) => Ok(show(answer, args)? as u8),
        Err(error) => {
            let (message, exit) = unreached(&error, &socket);
            complain(&message);
            Ok(exit as u8)
        }
    }
}

/// Why there was no answer.
fn unreached(error: &io::Error, socket: &Path) -> (String, Exit) {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            let at = socket.display();
            let message = format!(
                "no host is running here ({at} is not served); start one with `punktfunk-host serve`"
            );
            (message, Exit::NotRunning)
        }
        io::ErrorKind::PermissionDenied => {
            ("run this as the user of the host, or as root".to_owned(), Exit::Refused)
        }
        _ => (format!("the running host could not be asked ({error}); its log may say why"), Exit::Failed),
    }
}

fn prepare(all: &[Operation], wanted: &str, args: &CtlArgs) -> Result<Ask, Usage> {
    let wanted = if wanted == "events" { "events.listen" } else { wanted };
    let operation = all.iter().find(|operation| operation.id == wanted).ok_or_else(|| {
        let near: Vec<&str> = all
            .iter()
            .filter(|operation| operation.id.split('.').next() == wanted.split('.').next())
            .map(|operation| operation.id.as_str())
            .collect();
        let hint =
            if near.is_empty() { "`punktfunk-host ctl` lists them".to_owned() } else { near.join(", ") };
        Usage(format!("there is no operation {wanted:?}: {hint}"))
    })?;
    let body = match args.body.as_deref() {
        None => None,
        Some("-") => {
            let mut text = String::new();
            io::stdin()
                .take(MAX_BODY)
                .read_to_string(&mut text)
                .map_err(|error| Usage(format!("standard input cannot be read: {error}")))?;
            Some(text)
        }
        Some(text) => Some(text.to_owned()),
    };
    operation.ask(&args.values, body.as_deref())
}

/// Prints what came.
fn show(mut answer: Answer, args: &CtlArgs) -> anyhow::Result<Exit> {
    if answer.content_type.starts_with("text/event-stream") {
        follow(answer, args.json)?;
        return Ok(Exit::Done);
    }
    let mut body = Vec::new();
    answer.body.by_ref().take(MAX_ANSWER).read_to_end(&mut body)?;
    let is_json = answer.content_type.starts_with("application/json");
    let exit = exit_of(answer.status);
    if exit != Exit::Done {
        let value: Value = serde_json::from_slice(&body).unwrap_or_default();
        let message = value["error"]["message"].as_str().unwrap_or("the host gave no reason");
        if args.json {
            eprintln!("{value}");
            return Ok(exit);
        }
        let field = value["error"]["field"].as_str().map(|field| format!("{field}: ")).unwrap_or_default();
        complain(&format!("{field}{message}"));
        return Ok(exit);
    }
    if let Some(file) = &args.output {
        std::fs::write(file, &body)?;
    } else if is_json {
        let value: Value = serde_json::from_slice(&body)?;
        if args.json {
            println!("{}", serde_json::to_string_pretty(&value)?);
        } else {
            print!("{}", render::text(&value));
        }
    } else if !body.is_empty() {
        if io::stdout().is_terminal() && std::str::from_utf8(&body).is_err() {
            complain("this answer is not text: name a file with --output");
            return Ok(Exit::Usage);
        }
        io::stdout().write_all(&body)?;
    }
    Ok(Exit::Done)
}

/// Prints events as they come, until the host ends the stream.
fn follow(answer: Answer, json: bool) -> anyhow::Result<()> {
    let mut event = Event::default();
    for line in io::BufRead::lines(io::BufReader::new(answer.body)) {
        let line = line?;
        if !line.is_empty() {
            event.take(&line);
            continue;
        }
        if let Some(text) = std::mem::take(&mut event).text(json) {
            println!("{text}");
            io::stdout().flush()?;
        }
    }
    Ok(())
}

#[derive(Default)]
struct Event {
    name: String,
    id: Option<u64>,
    data: String,
}

impl Event {
    fn take(&mut self, line: &str) {
        match line.split_once(": ") {
            Some(("event", name)) => self.name = name.to_owned(),
            Some(("id", id)) => self.id = id.parse().ok(),
            Some(("data", data)) => self.data.push_str(data),
            _ => {}
        }
    }

    fn text(self, json: bool) -> Option<String> {
        if self.name.is_empty() {
            return None;
        }
        if !json {
            return Some(format!("{} {}", self.name, self.data));
        }
        let data: Value = serde_json::from_str(&self.data).unwrap_or_default();
        Some(serde_json::json!({ "event": self.name, "id": self.id, "data": data }).to_string())
    }
}

fn list(all: &[Operation], json: bool) -> anyhow::Result<()> {
    if json {
        super::print::json(&all.iter().map(Operation::summary).collect::<Vec<_>>())?;
        return Ok(());
    }
    println!("Operations of the management API. `punktfunk-host ctl NAME key=value …` asks for one.\n");
    let width = all.iter().map(|operation| operation.id.len()).max().unwrap_or(0);
    for operation in all {
        println!("{:width$}  {}", operation.id, operation.title);
        let values = operation.values();
        if !values.is_empty() {
            println!("{:width$}    {values}", "");
        }
    }
    Ok(())
}

fn exit_of(status: u16) -> Exit {
    match status {
        200..=299 => Exit::Done,
        401 | 403 => Exit::Refused,
        404 | 405 => Exit::NotFound,
        409 => Exit::Conflict,
        429 => Exit::TooMany,
        400..=499 => Exit::Invalid,
        _ => Exit::Failed,
    }
}

fn complain(message: &str) {
    eprintln!("punktfunk-host: {message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_exit() {
        let table = [
            (200, 0),
            (204, 0),
            (202, 0),
            (400, 7),
            (401, 4),
            (403, 4),
            (404, 5),
            (409, 6),
            (413, 7),
            (415, 7),
            (422, 7),
            (429, 8),
            (500, 9),
            (503, 9),
            (302, 9),
        ];
        for (status, exit) in table {
            assert_eq!(exit_of(status) as u8, exit, "{status}");
        }
    }

    #[test]
    fn events_are_put_together_from_their_lines() {
        let mut event = Event::default();
        for line in ["event: devices", "id: 7", "data: {\"devices\":[]}"] {
            event.take(line);
        }
        let text = event.text(true).unwrap();
        assert_eq!(text, r#"{"data":{"devices":[]},"event":"devices","id":7}"#);
        assert_eq!(Event::default().text(true), None, "a comment");
    }
}
