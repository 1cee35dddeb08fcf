//! What was played: the numbers of the last streams, for who wants to know how they went.
//! Losing them is no harm: a file that cannot be used is left as it is, and nothing is
//! kept then.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::{StoreError, read_versioned, write_versioned};
use crate::session::Played;

const FORMAT: u32 = 1;
/// Streams that are remembered; the oldest is forgotten.
const MOST: usize = 200;
/// Streams that are over before this many seconds say nothing.
const SHORTEST: u64 = 2;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    sessions: VecDeque<Played>,
}

/// The statistics of one host.
#[derive(Debug)]
pub(super) struct Statistics {
    path: PathBuf,
    /// Read when first needed; none when the file cannot be used.
    played: Mutex<Option<Option<VecDeque<Played>>>>,
}

impl Statistics {
    pub fn new(dir: &Path) -> Self {
        Self { path: dir.join("statistics.json"), played: Mutex::default() }
    }

    /// All of them, oldest first.
    pub fn list(&self) -> Vec<Played> {
        self.with(|played| played.iter().flatten().cloned().collect())
    }

    /// Keeps one more. Writes the file.
    pub fn note(&self, played: Played) -> Result<(), StoreError> {
        if played.ended.saturating_sub(played.started) < SHORTEST {
            return Ok(());
        }
        self.with(|known| {
            let Some(known) = known else { return Ok(()) };
            known.push_back(played);
            while known.len() > MOST {
                known.pop_front();
            }
            write_versioned(&self.path, &File { version: FORMAT, sessions: known.clone() })
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Option<VecDeque<Played>>) -> T) -> T {
        // A list is whole between any two steps.
        let mut played = self.played.lock().unwrap_or_else(PoisonError::into_inner);
        work(played.get_or_insert_with(|| match read_versioned::<File>(&self.path, FORMAT) {
            Ok(file) => Some(file.map(|file| file.sessions).unwrap_or_default()),
            Err(error) => {
                tracing::warn!(%error, "no statistics are kept");
                None
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Figures, PlayedApp, PlayedBy, StreamInfo};

    fn played(started: u64) -> Played {
        let device = PlayedBy { id: "00".repeat(32), name: "tv".to_owned(), protocol: "native".to_owned() };
        let stream = StreamInfo {
            width: 1280,
            height: 720,
            fps: 60,
            codec: "H.264".to_owned(),
            hdr: false,
            encoder: "x264".to_owned(),
            bitrate_kbps: 20_000,
            started,
            audio_channels: 2,
            encrypted: true,
            why: Vec::new(),
        };
        let app = PlayedApp { id: "1".to_owned(), title: "Desktop".to_owned() };
        let figures = Figures { fps: 59.94, limiter: Some("loss".to_owned()), ..Figures::default() };
        Played { started, ended: started + 60, device, app, stream, figures }
    }

    #[test]
    fn the_last_two_hundred_are_kept_and_found_again() {
        let dir = std::env::temp_dir().join(format!("pf-statistics-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let statistics = Statistics::new(&dir);
        assert!(statistics.list().is_empty());
        for started in 0..MOST as u64 + 3 {
            statistics.note(played(started)).unwrap();
        }
        statistics.note(Played { ended: 1_000, ..played(999) }).unwrap();
        let again = Statistics::new(&dir).list();
        assert_eq!(again, statistics.list());
        assert_eq!((again.len(), again[0].started), (MOST, 3));
        assert_eq!(again[0], played(3));

        let path = dir.join("statistics.json");
        for bad in [&b"{\"version\":1,"[..], b"{\"version\":99,\"sessions\":[]}"] {
            std::fs::write(&path, bad).unwrap();
            let statistics = Statistics::new(&dir);
            statistics.note(played(1)).unwrap();
            assert!(statistics.list().is_empty());
            assert_eq!(std::fs::read(&path).unwrap(), bad, "it is left as it is");
        }
        std::fs::remove_dir_all(dir).unwrap();
    }
}
