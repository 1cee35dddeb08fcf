//! `sessions`: who plays what on the running host, and an end to it.

use std::fmt::Write as _;

use anyhow::bail;

use super::print;
use super::start::Start;
use crate::serve::owner::{Answer, Owner, Request, SessionInfo};

pub(super) fn list(start: &Start, json: bool) -> anyhow::Result<u8> {
    let sessions = match Owner::connect(&start.socket())?.ask(&Request::Sessions)? {
        Answer::Sessions { sessions } => sessions,
        other => bail!("unexpected answer {other:?}"),
    };
    if json {
        print::json(&sessions)?;
    } else {
        print!("{}", table(&sessions));
    }
    Ok(0)
}

pub(super) fn end(start: &Start, session: String, json: bool) -> anyhow::Result<u8> {
    let ended = match Owner::connect(&start.socket())?.ask(&Request::End { session })? {
        Answer::Ended { session } => session,
        other => bail!("unexpected answer {other:?}"),
    };
    if json {
        print::json(&ended)?;
    } else {
        println!("Ended {} of {:?}.", ended.app, ended.client);
    }
    Ok(0)
}

fn table(sessions: &[SessionInfo]) -> String {
    if sessions.is_empty() {
        return "Nothing runs. Clients start what `punktfunk-host apps` lists.\n".to_owned();
    }
    let width = |text: fn(&SessionInfo) -> &str| {
        sessions.iter().map(|session| text(session).chars().count()).max().unwrap_or(0)
    };
    let (client, app) = (width(|session| &session.client), width(|session| &session.app));
    let mut text = String::new();
    for session in sessions {
        let SessionInfo { id, client: name, app: title, age, stream } = session;
        let seen = match stream {
            Some(stream) => format!(
                "{}x{}@{} {}, plays for {}",
                stream.width,
                stream.height,
                stream.fps,
                stream.codec,
                duration(stream.age)
            ),
            None => "nobody watches".to_owned(),
        };
        let age = duration(*age);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{id:>3}  {name:client$}  {title:app$}  started {age} ago  {seen}");
    }
    text
}

/// Seconds as a person says them.
fn duration(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes:02} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::owner::StreamInfo;

    #[test]
    fn the_table_says_who_plays_what_since_when() {
        let stream = StreamInfo { width: 1920, height: 1080, fps: 60, codec: "HEVC".into(), age: 59 };
        let session = |id, client: &str, app: &str, age, stream| SessionInfo {
            id,
            client: client.into(),
            app: app.into(),
            age,
            stream,
        };
        let all =
            [session(2, "living room", "Desktop", 7500, Some(stream)), session(13, "tv", "Go", 60, None)];
        let expected = "  2  living room  Desktop  started 2 h 05 min ago  1920x1080@60 HEVC, plays for 59 s\n \
                        13  tv           Go       started 1 min ago  nobody watches\n";
        assert_eq!(table(&all), expected);
        assert!(table(&[]).starts_with("Nothing runs"));
    }
}
