//! The texts of the HTTP plane under foreign bytes: what the fuzzer and the corpus
//! tests drive.

use super::{LaunchArgs, Query, ServerInfo, SessionUrl, Verb, parse_applist, parse_cancel, parse_launch};

/// Reads `text` as the arguments of a request, and as those of a launch and a resume.
/// What a launch was understood as is written and understood again. True when the
/// arguments could be read.
///
/// # Panics
///
/// When it is understood as something else then, which is a defect.
pub fn exercise(text: &str) -> bool {
    let _ = Verb::from_path(text);
    let Ok(query) = Query::parse(text) else { return false };
    for verb in [Verb::Launch, Verb::Resume] {
        let Ok(args) = LaunchArgs::parse(verb, &query) else { continue };
        let target = args.request_target(verb, "id", "uuid");
        let again = target.split_once('?').and_then(|(_, text)| Query::parse(text).ok());
        let again = again.and_then(|query| LaunchArgs::parse(verb, &query).ok());
        assert_eq!(again, Some(args), "{target}");
    }
    true
}

/// Reads `text` as each answer that a client gets.
///
/// # Panics
///
/// When an address that was read is another one after writing, which is a defect.
pub fn exercise_answer(text: &str) {
    let _ = parse_applist(text);
    let _ = ServerInfo::parse(text);
    let _ = parse_cancel(text);
    let urls = [parse_launch(Verb::Launch, text).ok(), parse_launch(Verb::Resume, text).ok()];
    for url in urls.into_iter().flatten().chain(SessionUrl::parse(text)) {
        let written = url.to_string();
        assert_eq!(SessionUrl::parse(&written).map(|url| url.to_string()), Some(written));
    }
}
