//! `[log]`, `[service]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter as env_logger takes it.
    pub level: String,
    /// How lines look.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// `journal` under systemd, `text` elsewhere.
    #[default]
    Auto,
    /// With time and level.
    Text,
    /// With the journal's priority in front, without time.
    Journal,
    /// A JSON object a line.
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".into(),
            format: LogFormat::Auto,
        }
    }
}

/// `[service]` as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Service {
    /// Where state lives; absent: systemd's `STATE_DIRECTORY`, else
    /// `/var/lib/beltscan`.
    pub state_dir: Option<PathBuf>,
    /// Seconds between two `stats` messages.
    pub stats_s: u32,
    /// How long SIGTERM may drain the outbox, in seconds.
    pub drain_s: u32,
}

impl Default for Service {
    fn default() -> Self {
        Self {
            state_dir: None,
            stats_s: 30,
            drain_s: 5,
        }
    }
}

/// `[service]` resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePlan {
    /// State directory.
    pub state_dir: PathBuf,
    /// Between two `stats` messages.
    pub stats: std::time::Duration,
    /// Drain at most this long.
    pub drain: std::time::Duration,
}
