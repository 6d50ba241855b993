//! `[log]`, `[service]`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Problems;

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Log {
    /// `off`, `error`, `warn`, `info`, `debug`, `trace`, or a list of
    /// `part=level`, as `info,beltscan::camera=debug`.
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
    pub stats: Duration,
    /// Drain at most this long.
    pub drain: Duration,
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl Log {
    /// Checks the section; it is used as it is written.
    pub fn resolve(&self, problems: &mut Problems) -> Log {
        // The logger would take an unknown word for the name of a module, and
        // then log nothing at all.
        let known = |level: &str| LEVELS.contains(&level.to_ascii_lowercase().as_str());
        let wrong =
            self.level.split(',').map(str::trim).find(
                |directive| !match directive.split_once('=') {
                    Some((part, level)) => {
                        let named = !part.is_empty()
                            && part
                                .chars()
                                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'));
                        named && known(level)
                    }
                    None => known(directive),
                },
            );
        if let Some(wrong) = wrong {
            problems.add(
                "log.level",
                format!("\"{}\" is no level", wrong.escape_debug()),
                format!(
                    "write one of {}, or a list as \"info,beltscan::camera=debug\"",
                    LEVELS.join(", ")
                ),
            );
        }
        self.clone()
    }
}

impl Service {
    /// Resolves the section; systemd's `STATE_DIRECTORY` is read from the environment.
    pub fn resolve(&self, problems: &mut Problems) -> ServicePlan {
        self.resolve_with(std::env::var_os("STATE_DIRECTORY"), problems)
    }

    fn resolve_with(
        &self,
        state_directory: Option<OsString>,
        problems: &mut Problems,
    ) -> ServicePlan {
        // systemd separates several directories by colons; ours is the first.
        let from_systemd = state_directory
            .as_deref()
            .and_then(|all| std::env::split_paths(all).next())
            .filter(|first| first.is_absolute());
        let state_dir = match &self.state_dir {
            Some(dir) => {
                if !dir.is_absolute() {
                    problems.add(
                        "service.state-dir",
                        format!("\"{}\" is no absolute path", dir.display()),
                        "write it from the root on, as \"/var/lib/beltscan\"",
                    );
                }
                dir.clone()
            }
            None => from_systemd.unwrap_or_else(|| PathBuf::from("/var/lib/beltscan")),
        };
        if !(1..=86_400).contains(&self.stats_s) {
            problems.add(
                "service.stats-s",
                format!("{} s between two messages", self.stats_s),
                "write 1 to 86400",
            );
        }
        if self.drain_s > 300 {
            problems.add(
                "service.drain-s",
                format!("{} s to stop in", self.drain_s),
                "write 0 to 300, and less than TimeoutStopSec of the unit",
            );
        }
        ServicePlan {
            state_dir,
            stats: Duration::from_secs(self.stats_s.clamp(1, 86_400).into()),
            drain: Duration::from_secs(self.drain_s.min(300).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state_dir(written: Option<&str>, environment: Option<&str>) -> PathBuf {
        let service = Service {
            state_dir: written.map(Into::into),
            ..Service::default()
        };
        let mut problems = Problems::default();
        let plan = service.resolve_with(environment.map(Into::into), &mut problems);
        assert!(problems.is_empty(), "{problems}");
        plan.state_dir
    }

    #[test]
    fn state_lives_where_the_file_says_else_systemd_else_var_lib() {
        assert_eq!(state_dir(Some("/a"), Some("/b:/c")), PathBuf::from("/a"));
        assert_eq!(state_dir(None, Some("/b:/c")), PathBuf::from("/b"));
        for none in [None, Some(""), Some("relative")] {
            assert_eq!(state_dir(None, none), PathBuf::from("/var/lib/beltscan"));
        }
    }

    #[test]
    fn a_level_that_would_silence_the_log_is_refused() {
        for (level, fine) in [
            ("info", true),
            ("Debug", true),
            ("off", true),
            ("info, beltscan::camera=debug", true),
            ("verbose", false),
            ("info,beltscan::camera=loud", false),
            ("=debug", false),
            ("info/regex", false),
            ("", false),
        ] {
            let mut problems = Problems::default();
            Log {
                level: level.into(),
                ..Log::default()
            }
            .resolve(&mut problems);
            assert_eq!(problems.is_empty(), fine, "{level:?}: {problems}");
        }
    }

    #[test]
    fn every_fault_of_the_section_is_reported() {
        let mut problems = Problems::default();
        let service = Service {
            state_dir: Some("state".into()),
            stats_s: 0,
            drain_s: 301,
        };
        service.resolve_with(None, &mut problems);
        assert_eq!(problems.0.len(), 3, "{problems}");
    }
}
