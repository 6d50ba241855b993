//! `[output]`: sinks beside the broker. They get each event once it has its
//! number; they are not retried.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The section as written; it needs no resolving.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Outputs {
    /// JSON lines on standard output.
    pub stdout: bool,
    /// JSON lines in a file.
    pub file: Option<FileSink>,
}

/// `[output.file]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct FileSink {
    /// The file; appended to.
    pub path: PathBuf,
    /// When it is larger, it is renamed to `<path>.1` and begun anew. 0: never.
    pub rotate_mb: u32,
}
