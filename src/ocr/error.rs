//! What may go wrong with models and with running them.

use std::fmt;

/// A model that cannot be used, and what was expected of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelError {
    /// The file, or the name of a model that is built in.
    pub file: String,
    /// What is wrong with it and what was expected.
    pub what: String,
}

impl ModelError {
    pub(super) fn new(file: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            what: what.into(),
        }
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.what)
    }
}

impl std::error::Error for ModelError {}

/// A model that was loaded and failed on a picture. The next picture may be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(pub(super) String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the model failed: {}", self.0)
    }
}

impl std::error::Error for Error {}
