//! Tests of the settings as a whole: that all who speak about them agree, which layer
//! wins, what a change does, and what becomes of broken files.

mod agreement;
mod changes;
mod files;
mod layers;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Layers, Roots};

/// The directories of a host of a test; gone when it is dropped.
struct Machine {
    dir: PathBuf,
}

impl Machine {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("pfh-settings-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        for place in ["vendor", "etc", "user", "state"] {
            std::fs::create_dir_all(dir.join(place)).unwrap();
        }
        Self { dir }
    }

    fn layers(&self) -> Layers {
        let roots = Roots {
            vendor: self.dir.join("vendor"),
            etc: self.dir.join("etc"),
            user: Some(self.dir.join("user")),
        };
        Layers::new(&roots, None).with_state(&self.dir.join("state"))
    }

    /// The file of settings of a place.
    fn file(&self, place: &str) -> PathBuf {
        let name = if place == "state" { super::STATE_FILE } else { super::FILE_NAME };
        self.dir.join(place).join(name)
    }

    fn write(&self, place: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.file(place), text).unwrap();
    }

    fn read(&self, place: &str) -> String {
        std::fs::read_to_string(self.file(place)).unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// One key and its value as a file has them.
fn line(key: &str, value: &super::Value) -> String {
    format!("{key} = {}\n", value.to_toml())
}

fn docs(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)).unwrap()
}
