//! `[read]`: how frames are read.

use serde::{Deserialize, Serialize};

/// The section as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Read {
    /// Most time for one frame, in ms; 0 means the frame's own interval.
    pub deadline_ms: f32,
    /// Reader threads; 0 means as many as the CPU quota allows.
    pub threads: usize,
    /// Read light-on-dark codes too.
    pub inverted: bool,
    /// Read mirrored codes too.
    pub mirrored: bool,
    /// Most codes in one frame.
    pub max_codes: usize,
}

impl Default for Read {
    fn default() -> Self {
        Self {
            deadline_ms: 0.0,
            threads: 0,
            inverted: true,
            mirrored: true,
            max_codes: 200,
        }
    }
}

/// The section resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadPlan {
    /// Most time for one frame.
    pub deadline: std::time::Duration,
    /// Reader threads, at least 1.
    pub threads: usize,
    /// Light on dark too.
    pub inverted: bool,
    /// Mirrored too.
    pub mirrored: bool,
    /// Most codes in one frame.
    pub max_codes: usize,
}
