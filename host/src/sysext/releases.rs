//! Releases of a source: the signed list says what there is, and each image is what its
//! hash says or it is thrown away.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use rustix::fs::OFlags;

use super::names::{MAX_SUMS, Sums, architecture, image_name};
use super::source::{Place, Source};
use super::trust::{MAX_SIGNATURE, Trust};
use super::{Progress, SysextError, Version, failed};

/// Most bytes of an image: what is shipped has a tenth of it.
const MAX_IMAGE: u64 = 1 << 30;

/// The list of hashes and its signature.
const SUMS: &str = "SHA256SUMS";
const SIGNATURE: &str = "SHA256SUMS.minisig";

/// What the rules ask of a source.
pub trait Releases {
    /// What there is for this machine. Only what somebody trusted vouches for.
    fn list(&mut self) -> Result<Vec<Version>, SysextError>;
    /// Puts an image among the others, as a whole.
    fn bring(&mut self, version: &Version, say: &mut dyn FnMut(Progress)) -> Result<(), SysextError>;
}

/// Releases of a real source.
pub struct Remote {
    place: Place,
    trust: Trust,
    shelf: PathBuf,
    most: u64,
    sums: Option<Sums>,
}

impl Remote {
    /// Those of `source`, for the folder of images `shelf`.
    pub fn open(source: &Source, trust: Trust, shelf: &Path) -> Result<Self, SysextError> {
        Ok(Self::at(Place::open(source)?, trust, shelf))
    }

    pub(super) fn at(place: Place, trust: Trust, shelf: &Path) -> Self {
        Self { place, trust, shelf: shelf.to_owned(), most: MAX_IMAGE, sums: None }
    }

    /// For images of at most that many bytes.
    #[cfg(test)]
    pub(super) fn of_at_most(self, most: u64) -> Self {
        Self { most, ..self }
    }

    fn sums(&mut self) -> Result<&Sums, SysextError> {
        if self.sums.is_none() {
            let bytes = self.place.read(SUMS, MAX_SUMS)?;
            let signature = self.place.read(SIGNATURE, MAX_SIGNATURE)?;
            self.trust.signer(&bytes, &signature)?;
            self.sums = Some(Sums::parse(&bytes).map_err(failed("reading SHA256SUMS"))?);
        }
        self.sums.as_ref().ok_or_else(|| SysextError::Damaged(SUMS.to_owned()))
    }
}

impl Releases for Remote {
    fn list(&mut self) -> Result<Vec<Version>, SysextError> {
        Ok(self.sums()?.versions(architecture()))
    }

    fn bring(&mut self, version: &Version, say: &mut dyn FnMut(Progress)) -> Result<(), SysextError> {
        let name = image_name(version, architecture());
        let missing = || SysextError::NoSuchRelease(version.to_string());
        let sum = *self.sums()?.of(&name).ok_or_else(missing)?;
        // The hash is part of the name, so that only the same image is ever resumed.
        let start: String = sum.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let part = self.shelf.join(format!("{start}.part"));
        forget_others(&self.shelf, &part);
        let mut file = open(&part).map_err(failed("making the image's file"))?;
        let resumed = file.metadata().is_ok_and(|meta| meta.len() > 0);
        let mut told = |have, whole| say(Progress::Bytes(have, whole));
        self.place.fetch(&name, &mut file, self.most, &mut told)?;
        if digest_of(&mut file).map_err(failed("reading the image"))? != sum {
            // What was here before may have been damaged; once more from the beginning.
            file.set_len(0).map_err(failed("emptying the image's file"))?;
            if resumed {
                self.place.fetch(&name, &mut file, self.most, &mut told)?;
            }
            if !resumed || digest_of(&mut file).map_err(failed("reading the image"))? != sum {
                let _ = std::fs::remove_file(&part);
                return Err(SysextError::Damaged(name));
            }
        }
        file.sync_all()
            .and_then(|()| std::fs::rename(&part, self.shelf.join(&name)))
            .and_then(|()| File::open(&self.shelf)?.sync_all())
            .map_err(failed("keeping the image"))
    }
}

/// Beginnings of other images, which nobody will go on with.
fn forget_others(shelf: &Path, part: &Path) {
    for entry in std::fs::read_dir(shelf).into_iter().flatten().flatten() {
        let path = entry.path();
        if path != part && path.extension().is_some_and(|extension| extension == "part") {
            // It costs room and nothing else.
            let _ = std::fs::remove_file(&path);
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o644);
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path)
}

fn digest_of(file: &mut File) -> io::Result<[u8; 32]> {
    file.seek(SeekFrom::Start(0))?;
    let mut context = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            let mut sum = [0; 32];
            sum.copy_from_slice(context.finish().as_ref());
            return Ok(sum);
        }
        context.update(buffer.get(..read).unwrap_or_default());
    }
}
