//! How people write what a paired client may do (punktfunk-1, section 7).

use punktfunk_core::native::wire::Access;

/// What a client gets when nobody says otherwise: everything that belongs to playing,
/// nothing that belongs to the machine.
pub const PLAY: Access = Access::ALL.without(Access::POWER).without(Access::MANAGE);

/// Reads `all`, `play` (all but power and manage), `none`, or words with commas between
/// them. The error says which there are.
pub fn parse_access(text: &str) -> Result<Access, String> {
    let mut access = Access::NONE;
    for word in text.split(',').map(str::trim) {
        access = access.with(match word {
            "all" => Access::ALL,
            "play" => PLAY,
            "none" => Access::NONE,
            word => Access::from_name(word).ok_or_else(|| format!("{word:?} is none of {}", words()))?,
        });
    }
    if access != Access::NONE && !access.contains(Access::VIEW) {
        return Err("without `view` there is no session: add it, or say `none`".to_owned());
    }
    Ok(access)
}

/// As [`parse_access`] reads it.
pub fn access_text(access: Access) -> String {
    match access {
        Access::ALL => "all".to_owned(),
        PLAY => "play".to_owned(),
        Access::NONE => "none".to_owned(),
        access => access.to_string(),
    }
}

fn words() -> String {
    let words: Vec<&str> =
        ["all", "play", "none"].into_iter().chain(Access::NAMES.map(|(word, _)| word)).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_access_that_can_be_written_is_read_back() {
        for access in (0..=Access::ALL.0).map(Access) {
            let text = access_text(access);
            let read = parse_access(&text);
            match access != Access::NONE && !access.contains(Access::VIEW) {
                true => assert!(read.is_err(), "{text}"),
                false => assert_eq!(read, Ok(access), "{text}"),
            }
        }
        assert_eq!(parse_access("view, pads"), Ok(Access(9)));
        assert_eq!(parse_access("play,manage"), Ok(Access(0x17f)));
        assert!(parse_access("view,fly").unwrap_err().contains("pointer"));
        assert!(parse_access("").is_err());
    }
}
