//! `[output]`: sinks beside the broker. They get each event once it has its
//! number; they are not retried.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Problems;

/// The section as written.
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

impl Outputs {
    /// Checks the section; it is used as it is written.
    pub fn resolve(&self, problems: &mut Problems) -> Outputs {
        if let Some(file) = &self.file
            && !file.path.is_absolute()
        {
            problems.add(
                "output.file.path",
                match file.path.as_os_str().is_empty() {
                    true => "the file has no name".into(),
                    false => format!("\"{}\" is no absolute path", file.path.display()),
                },
                "write it from the root on, as \"/var/lib/beltscan/events.jsonl\"",
            );
        }
        self.clone()
    }
}
