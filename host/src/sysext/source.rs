//! Where releases come from: a folder (`file://`) or a web address (`https://`). Nothing
//! that comes from there is believed before its hash was compared.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use hyper::Uri;

use super::https::Web;
use crate::platform::read_bounded;

/// Bytes that are copied at once.
const CHUNK: usize = 256 * 1024;

/// Why a source gives nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// It is not written as one.
    #[error("{0:?} is no place of releases: write https://SERVER/FOLDER or file:///FOLDER")]
    Odd(String),
    /// It cannot be read.
    #[error("{at} cannot be read: {why}")]
    Unreadable {
        /// The file or address.
        at: String,
        /// What is wrong.
        why: String,
    },
    /// It is longer than it may be.
    #[error("{at} is longer than {most} bytes, and was not read")]
    TooLong {
        /// The file or address.
        at: String,
        /// How long it may be, bytes.
        most: u64,
    },
    /// It cannot be written here.
    #[error("the image cannot be written here: {0}; is the disk full?")]
    Write(#[source] io::Error),
}

impl SourceError {
    pub(super) fn unreadable(at: impl ToString, why: impl ToString) -> Self {
        Self::Unreadable { at: at.to_string(), why: why.to_string() }
    }
}

/// A place of releases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A folder of this machine, or a stick.
    Folder(PathBuf),
    /// Below this address.
    Web(Uri),
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let odd = || SourceError::Odd(text.chars().take(200).collect());
        if text.len() > 2000 {
            return Err(odd());
        }
        if let Some(path) = text.strip_prefix("file://") {
            let path = PathBuf::from(path);
            return if path.is_absolute() { Ok(Self::Folder(path)) } else { Err(odd()) };
        }
        let uri: Uri = text.parse().map_err(|_| odd())?;
        let plain = uri.scheme_str() == Some("https") && uri.query().is_none();
        let place = uri.authority().is_some_and(|place| !place.as_str().contains('@'));
        if plain && place { Ok(Self::Web(uri)) } else { Err(odd()) }
    }
}

/// Something files can be had from.
pub(super) enum Place {
    Folder(PathBuf),
    Web(Box<Web>),
}

impl Place {
    /// Opens it; the certificates that are trusted for the web are the system's.
    pub(super) fn open(source: &Source) -> Result<Self, SourceError> {
        Ok(match source {
            Source::Folder(path) => Self::Folder(path.clone()),
            Source::Web(uri) => Self::Web(Box::new(Web::open(uri.clone())?)),
        })
    }

    /// A small file as a whole.
    pub(super) fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, SourceError> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                read_bounded(&path, most, true)
                    .map_err(|error| SourceError::unreadable(path.display(), error))
            }
            Self::Web(web) => web.read(name, most),
        }
    }

    /// The rest of a file, of which `into` holds the beginning already, or all of it when
    /// the source cannot give the rest. Tells how many bytes are there, and of how many.
    pub(super) fn fetch(
        &self,
        name: &str,
        into: &mut File,
        most: u64,
        told: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<(), SourceError> {
        match self {
            Self::Folder(folder) => copy(&folder.join(name), into, most, told),
            Self::Web(web) => web.fetch(name, into, most, told),
        }
    }
}

fn copy(
    path: &Path,
    into: &mut File,
    most: u64,
    told: &mut dyn FnMut(u64, Option<u64>),
) -> Result<(), SourceError> {
    let unreadable = |error: io::Error| SourceError::unreadable(path.display(), error);
    let mut from = File::open(path).map_err(unreadable)?;
    let meta = from.metadata().map_err(unreadable)?;
    if !meta.is_file() {
        return Err(SourceError::unreadable(path.display(), "it is no regular file"));
    }
    if meta.len() > most {
        return Err(SourceError::TooLong { at: path.display().to_string(), most });
    }
    let mut have = into.seek(SeekFrom::End(0)).map_err(SourceError::Write)?;
    from.seek(SeekFrom::Start(have)).map_err(unreadable)?;
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = from.read(&mut buffer).map_err(unreadable)?;
        if read == 0 {
            return Ok(());
        }
        have += read as u64;
        if have > most {
            return Err(SourceError::TooLong { at: path.display().to_string(), most });
        }
        into.write_all(buffer.get(..read).unwrap_or_default()).map_err(SourceError::Write)?;
        told(have, Some(meta.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sources_are_folders_and_safe_web_addresses() {
        assert_eq!("file:///media/stick".parse::<Source>().unwrap(), Source::Folder("/media/stick".into()));
        assert!(matches!("https://example.org/releases".parse(), Ok(Source::Web(_))));
        for odd in [
            "",
            "releases",
            "/releases",
            "file://releases",
            "http://example.org/releases",
            "https://",
            "https://name:word@example.org/",
            "https://example.org/?a=b",
            "ftp://example.org/",
        ] {
            assert!(odd.parse::<Source>().is_err(), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn any_address_is_read_or_refused(text in "(https://|file://)?[ -~äß]{0,40}") {
            let _ = text.parse::<Source>();
        }
    }
}
