//! What the owner says about applications, as it is kept in `library.json`, and what may
//! be said.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use punktfunk_core::gamestream::sdp::Codec;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::LibraryError;
use crate::session;

/// Bytes of a title.
const MAX_TITLE: usize = 120;
/// Bytes of a command, a folder or the value of a variable.
const MAX_TEXT: usize = 4096;
/// Variables of an application, and bytes of all of them: they cross to a seat in one message.
const MAX_ENV: (usize, usize) = (64, 16 * 1024);
/// Commands before a launch.
const MAX_PREP: usize = 16;

/// An application that the owner added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Custom {
    pub id: u32,
    pub title: String,
    /// One line for the shell.
    pub command: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
}

/// What the owner says about any application, by its id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Notes {
    /// What the owner calls it, where its launcher says something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prep: Vec<Step>,
    #[serde(skip_serializing_if = "Prefer::is_empty")]
    pub prefer: Prefer,
}

/// Something done before a launch, and what undoes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// A line for the shell; empty: there is only something to undo.
    #[serde(rename = "do", default)]
    pub run: String,
    /// A line for the shell, run after the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
}

/// What an application is played with where the client leaves a choice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Prefer {
    /// `h264`, `hevc` or `av1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec: Option<String>,
    /// Pixels; with `height`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels; with `width`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Pictures a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps: Option<u32>,
    /// 2, 6 or 8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_channels: Option<u8>,
}

impl Prefer {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// In the words of sessions.
    pub(super) fn plan(&self) -> session::Prefer {
        session::Prefer {
            codec: self.codec.as_deref().and_then(codec),
            size: self.width.zip(self.height),
            fps: self.fps,
            channels: self.audio_channels,
        }
    }
}

fn codec(name: &str) -> Option<Codec> {
    match name {
        "h264" => Some(Codec::H264),
        "hevc" => Some(Codec::Hevc),
        "av1" => Some(Codec::Av1),
        _ => None,
    }
}

/// What is to be changed about an application; what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Of one that the owner added or a launcher has.
    pub title: Option<String>,
    /// Of one that the owner added: a line for the shell.
    pub command: Option<String>,
    /// Of one that the owner added: where it starts; empty for the home directory.
    pub dir: Option<PathBuf>,
    /// Variables besides those of the seat.
    pub env: Option<BTreeMap<String, String>>,
    /// What is done around a launch.
    pub prep: Option<Vec<Step>>,
    /// What it is played with.
    pub prefer: Option<Prefer>,
    /// No client sees it.
    pub hidden: Option<bool>,
}

impl Change {
    /// Refuses what cannot work, with the field.
    pub(super) fn check(&self) -> Result<(), LibraryError> {
        if let Some(title) = &self.title {
            let fits = !title.trim().is_empty() && title.len() <= MAX_TITLE;
            if !fits || title.chars().any(char::is_control) {
                return invalid("title", format!("a title is 1 to {MAX_TITLE} bytes of printable text"));
            }
        }
        if let Some(command) = &self.command
            && (command.trim().is_empty() || command.len() > MAX_TEXT || command.contains('\0'))
        {
            return invalid(
                "command",
                format!("a command is one line of 1 to {MAX_TEXT} bytes for the shell"),
            );
        }
        if let Some(dir) = &self.dir
            && !dir.as_os_str().is_empty()
            && (!dir.is_absolute() || dir.as_os_str().len() > MAX_TEXT)
        {
            return invalid("dir", "a folder is named from the root, such as /home/me/game".to_owned());
        }
        self.env.as_ref().map_or(Ok(()), check_env)?;
        self.prep.as_deref().map_or(Ok(()), check_prep)?;
        self.prefer.as_ref().map_or(Ok(()), check_prefer)
    }
}

fn invalid(field: &'static str, message: String) -> Result<(), LibraryError> {
    Err(LibraryError::Invalid { field, message })
}

fn check_env(env: &BTreeMap<String, String>) -> Result<(), LibraryError> {
    let bytes: usize = env.iter().map(|(name, value)| name.len() + value.len()).sum();
    if env.len() > MAX_ENV.0 || bytes > MAX_ENV.1 {
        return invalid("env", format!("at most {} variables of {} bytes together", MAX_ENV.0, MAX_ENV.1));
    }
    for (name, value) in env {
        let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_name =
            name.chars().all(letter) && name.starts_with(|c: char| letter(c) && !c.is_ascii_digit());
        if !is_name {
            return invalid("env", format!("{name:?} is no name of a variable: letters, digits and _"));
        }
        if value.len() > MAX_TEXT || value.contains('\0') {
            return invalid("env", format!("the value of {name} is at most {MAX_TEXT} bytes of text"));
        }
    }
    Ok(())
}

fn check_prep(prep: &[Step]) -> Result<(), LibraryError> {
    if prep.len() > MAX_PREP {
        return invalid("prep", format!("at most {MAX_PREP} commands: put more into a script"));
    }
    for step in prep {
        let lines = [Some(&step.run), step.undo.as_ref()].into_iter().flatten();
        if lines.clone().any(|line| line.len() > MAX_TEXT || line.contains('\0')) {
            return invalid("prep", format!("a command is a line of at most {MAX_TEXT} bytes for the shell"));
        }
        if lines.into_iter().all(|line| line.trim().is_empty()) {
            return invalid("prep", "a step needs a command to do or to undo".to_owned());
        }
    }
    Ok(())
}

fn check_prefer(prefer: &Prefer) -> Result<(), LibraryError> {
    if prefer.codec.as_deref().is_some_and(|name| codec(name).is_none()) {
        return invalid("prefer.codec", "a codec is h264, hevc or av1".to_owned());
    }
    if prefer.width.is_some() != prefer.height.is_some() {
        return invalid("prefer.width", "width and height go together".to_owned());
    }
    let side = |side: u32| (64..=16_384).contains(&side);
    if !prefer.width.is_none_or(side) || !prefer.height.is_none_or(side) {
        return invalid("prefer.width", "a side has 64 to 16384 pixels".to_owned());
    }
    if !prefer.fps.is_none_or(|fps| (1..=480).contains(&fps)) {
        return invalid("prefer.fps", "1 to 480 pictures a second".to_owned());
    }
    if !prefer.audio_channels.is_none_or(|channels| matches!(channels, 2 | 6 | 8)) {
        return invalid("prefer.audio_channels", "2, 6 or 8 channels".to_owned());
    }
    Ok(())
}

/// `library.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct File {
    pub version: u32,
    #[serde(default)]
    pub custom: Vec<Custom>,
    #[serde(default)]
    pub notes: BTreeMap<u32, Notes>,
    /// Ids in the owner's order; what is not named follows.
    #[serde(default)]
    pub order: Vec<u32>,
}

impl File {
    /// What the owner says about an application.
    pub fn notes(&self, id: u32) -> Notes {
        self.notes.get(&id).cloned().unwrap_or_default()
    }

    /// Puts the ids of a list in the owner's order.
    pub fn ordered<T>(&self, mut list: Vec<T>, id: impl Fn(&T) -> u32) -> Vec<T> {
        let place: BTreeMap<u32, usize> = self.order.iter().copied().zip(0..).collect();
        list.sort_by_key(|item| place.get(&id(item)).copied().unwrap_or(usize::MAX));
        list
    }

    /// Takes an order; ids that are named twice are refused.
    pub fn set_order(&mut self, ids: Vec<u32>) -> Result<(), LibraryError> {
        let mut seen = HashSet::new();
        if let Some(id) = ids.iter().find(|id| !seen.insert(**id)) {
            return invalid("ids", format!("{id} is named twice"));
        }
        self.order = ids;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(change: Change) -> Option<&'static str> {
        match change.check() {
            Ok(()) => None,
            Err(LibraryError::Invalid { field, .. }) => Some(field),
            Err(other) => panic!("{other}"),
        }
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_field() {
        let change = Change::default;
        for title in ["", " ", "a\nb", &"x".repeat(121)] {
            assert_eq!(field(Change { title: some(title), ..change() }), Some("title"), "{title:?}");
        }
        for command in ["", " ", "a\0b", &"x".repeat(4097)] {
            assert_eq!(field(Change { command: some(command), ..change() }), Some("command"));
        }
        assert_eq!(field(Change { dir: Some("games".into()), ..change() }), Some("dir"));
        for (name, value) in [("", "x"), ("1A", "x"), ("A=B", "x"), ("A", "x\0"), ("A", &*"x".repeat(4097))] {
            let env = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            assert_eq!(field(Change { env: Some(env), ..change() }), Some("env"), "{name}");
        }
        let env = (0..65).map(|n| (format!("A{n}"), String::new())).collect();
        assert_eq!(field(Change { env: Some(env), ..change() }), Some("env"));
        for prep in [
            vec![Step::default()],
            vec![Step { run: "x".into(), undo: None }; 17],
            vec![Step { run: "\0".into(), undo: None }],
        ] {
            assert_eq!(field(Change { prep: Some(prep), ..change() }), Some("prep"));
        }
    }

    #[test]
    fn preferences_are_of_what_there_is() {
        let prefer = |edit: fn(&mut Prefer)| {
            let mut prefer = Prefer::default();
            edit(&mut prefer);
            field(Change { prefer: Some(prefer), ..Change::default() })
        };
        assert_eq!(prefer(|p| p.codec = Some("vp9".into())), Some("prefer.codec"));
        assert_eq!(prefer(|p| p.width = Some(640)), Some("prefer.width"));
        assert_eq!(prefer(|p| (p.width, p.height) = (Some(640), Some(63))), Some("prefer.width"));
        assert_eq!(prefer(|p| p.fps = Some(0)), Some("prefer.fps"));
        assert_eq!(prefer(|p| p.audio_channels = Some(3)), Some("prefer.audio_channels"));
        assert_eq!(prefer(|p| (p.width, p.height, p.fps) = (Some(640), Some(480), Some(30))), None);
        let all = Prefer { codec: some("av1"), audio_channels: Some(6), ..Prefer::default() }.plan();
        assert_eq!((all.codec, all.channels, all.size), (Some(Codec::Av1), Some(6), None));
    }

    #[test]
    fn the_owners_order_comes_first_and_the_rest_as_it_was() {
        let mut file = File { order: vec![7, 99, 5], ..File::default() };
        assert_eq!(file.ordered(vec![1, 5, 3, 7], |id| *id), [7, 5, 1, 3]);
        assert!(file.set_order(vec![1, 2, 1]).is_err());
        file.set_order(vec![3]).unwrap();
        assert_eq!(file.ordered(vec![1, 3], |id| *id), [3, 1]);
    }
}
