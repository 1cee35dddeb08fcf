//! What is wrong with a configuration: where it stands, and what to do.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The file; `None` for a flag.
    pub file: Option<PathBuf>,
    /// The line there, counted from 1.
    pub line: Option<usize>,
    /// The key it is about.
    pub key: Option<String>,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Problem {
    /// About a file as a whole.
    pub(super) fn of_file(file: &Path, message: String) -> Self {
        Self { file: Some(file.to_owned()), line: None, key: None, message }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", file.display())?;
            if let Some(line) = self.line {
                write!(f, "{line}:")?;
            }
            f.write_str(" ")?;
        }
        f.write_str(&self.message)
    }
}

/// Why a configuration cannot be used: all that is wrong with it, one in a line.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines(problems))]
pub struct ConfigError {
    /// At least one.
    pub problems: Vec<Problem>,
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
