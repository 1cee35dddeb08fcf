//! The command line's end of the owner's socket.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::protocol::{Answer, Request};

/// A connection to a running host.
#[derive(Debug)]
pub struct Owner {
    stream: BufReader<UnixStream>,
}

/// Why the running host could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OwnerError {
    /// Nobody listens.
    #[error("no host is running here ({} is not served); start one with `punktfunk-host serve`", path.display())]
    NotRunning {
        /// The socket.
        path: PathBuf,
    },
    /// The socket is there but the exchange failed.
    #[error("the running host could not be asked ({source}): run this as the user it runs as, or as root")]
    Io {
        /// What the system said.
        #[from]
        source: io::Error,
    },
    /// The host gave a reason.
    #[error("{0}")]
    Refused(String),
}

impl Owner {
    /// Connects to the host that listens on `path`.
    pub fn connect(path: &Path) -> Result<Self, OwnerError> {
        match UnixStream::connect(path) {
            Ok(stream) => Ok(Self { stream: BufReader::new(stream) }),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) =>
            {
                Err(OwnerError::NotRunning { path: path.to_owned() })
            }
            Err(source) => Err(source.into()),
        }
    }

    /// Asks, and waits for the answer as long as it takes.
    pub fn ask(&mut self, request: &Request) -> Result<Answer, OwnerError> {
        let mut line = serde_json::to_string(request).map_err(io::Error::from)?;
        line.push('\n');
        self.stream.get_mut().write_all(line.as_bytes())?;
        let mut answer = String::new();
        if self.stream.read_line(&mut answer)? == 0 {
            return Err(OwnerError::Refused("the host ended while it was asked".to_owned()));
        }
        match serde_json::from_str(&answer).map_err(io::Error::from)? {
            Answer::Error { message } => Err(OwnerError::Refused(message)),
            answer => Ok(answer),
        }
    }
}
