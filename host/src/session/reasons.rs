//! Why a stream is as it is: settled when it is planned, and again when a part of it is
//! replaced. Never looked at for a picture.

use std::sync::{Mutex, PoisonError};

use punktfunk_core::native::keys::Aead;
use punktfunk_core::native::wire::control::Hello;

use super::config::{Config, Kind};
use super::link::Opening;
use super::plan::Why;
use crate::encode::{Backend, Description};

/// The reasons of one stream.
#[derive(Default)]
pub(super) struct Reasons(Mutex<Vec<Why>>);

impl Reasons {
    /// This was chosen for `stage`; what was chosen before does not count any more.
    pub fn settle(&self, stage: &str, choice: impl Into<String>, reason: impl Into<String>) {
        let why = Why { stage: stage.to_owned(), choice: choice.into(), reason: reason.into() };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.iter_mut().find(|known| known.stage == stage) {
            Some(known) => *known = why,
            None => all.push(why),
        }
    }

    /// All of them, in the order they were settled first.
    pub fn list(&self) -> Vec<Why> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was chosen for a stage; empty for nothing.
    pub fn choice(&self, stage: &str) -> String {
        self.list().into_iter().find(|why| why.stage == stage).map(|why| why.choice).unwrap_or_default()
    }

    /// What can be said before anything is opened.
    pub fn plan(&self, config: &Config, opening: &Opening, modes: u32) {
        self.settle(
            "display",
            "punktfunk-seat",
            "every device gets a screen of its own, in the size it asks for",
        );
        self.settle("size", config.mode.to_string(), "the device asked for it");
        let kind = config.kind;
        let (codec, seal) = match opening {
            Opening::GameStream(link) => {
                let sealed = (link.settled.encrypt_video, link.settled.encrypt_audio);
                ("the device chose it among what this host announced".to_owned(), gamestream(sealed))
            }
            Opening::Native(native) => (codec(&native.1, kind, modes), native_seal(native.0.aead)),
        };
        self.settle("codec", kind.to_string(), codec);
        self.settle(
            "bitrate",
            format!("{} kbit/s", config.bitrate_kbps),
            "the device asked for at most that",
        );
        let sound = match config.sound.channels {
            0 => "none",
            1 | 2 => "stereo",
            6 => "5.1",
            _ => "7.1",
        };
        self.settle("audio", sound, "the device asked for it");
        self.settle("encryption", seal.0, seal.1);
    }

    /// What codes the pictures; `named` is what the owner wants.
    pub fn encoder(&self, described: &Description, named: Option<Backend>) {
        let mut reason = match named.filter(|named| *named == described.backend) {
            Some(_) => "the settings name it".to_owned(),
            None => "the first of those for this codec that works here".to_owned(),
        };
        for refused in &described.refused {
            reason.push_str(&format!("; not {}: {}", refused.backend.name(), refused.reason));
        }
        self.settle("encoder", described.backend.name(), reason);
    }
}

fn codec(hello: &Hello, chosen: Kind, modes: u32) -> String {
    let offered: Vec<Kind> = hello.codecs.iter().map(|&codec| Kind::from(codec)).collect();
    let names: Vec<String> = offered.iter().map(ToString::to_string).collect();
    let first = offered.iter().find(|kind| kind.is_in(modes));
    let because = if first == Some(&chosen) {
        "the first of those that can be coded here"
    } else {
        "the application prefers it"
    };
    format!("the device takes {}: {because}", names.join(", "))
}

const fn native_seal(aead: Aead) -> (&'static str, &'static str) {
    match aead {
        Aead::Aes128Gcm => ("AES-128-GCM", "everything is encrypted; the device prefers this"),
        Aead::ChaCha20Poly1305 => ("ChaCha20-Poly1305", "everything is encrypted; the device prefers this"),
    }
}

const fn gamestream((video, sound): (bool, bool)) -> (&'static str, &'static str) {
    let reason = "what the device asked for; control is always encrypted";
    match (video, sound) {
        (true, true) => ("video and sound", reason),
        (true, false) => ("video", reason),
        (false, true) => ("sound", reason),
        (false, false) => ("control only", reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::Refusal;

    #[test]
    fn the_newest_reason_of_a_stage_counts() {
        let reasons = Reasons::default();
        let described = |backend, refused| Description { backend, slices: 1, coded_size: (2, 2), refused };
        reasons.settle("size", "1280x720@60", "asked for");
        reasons.encoder(&described(Backend::X264, Vec::new()), None);
        let refused = vec![Refusal { backend: Backend::X264, reason: "it failed while it ran".into() }];
        reasons.encoder(&described(Backend::OpenH264, refused), Some(Backend::X264));
        let list = reasons.list();
        assert_eq!((list.len(), list[1].choice.as_str()), (2, "openh264"));
        assert!(list[1].reason.ends_with("; not x264: it failed while it ran"), "{list:?}");
        reasons.encoder(&described(Backend::X264, Vec::new()), Some(Backend::X264));
        assert_eq!(reasons.list()[1].reason, "the settings name it");
        assert_eq!((reasons.choice("encoder"), reasons.choice("taste")), ("x264".into(), String::new()));
    }
}
