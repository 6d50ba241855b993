//! `[read]`: how frames are read.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Problems;
use crate::limits::Limits;

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
    /// Read Micro QR codes and rectangular ones (rMQR) too.
    pub micro: bool,
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
            micro: true,
            max_codes: 200,
        }
    }
}

/// The section resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadPlan {
    /// Most time for one frame.
    pub deadline: Duration,
    /// Reader threads, at least 1.
    pub threads: usize,
    /// How their number came about, for people.
    pub threads_how: String,
    /// Light on dark too.
    pub inverted: bool,
    /// Mirrored too.
    pub mirrored: bool,
    /// Micro QR and rMQR codes too.
    pub micro: bool,
    /// Most codes in one frame.
    pub max_codes: usize,
}

/// Which kinds of codes are looked for, in single frames and in several together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Light on dark too.
    pub inverted: bool,
    /// Mirrored too.
    pub mirrored: bool,
    /// Micro QR and rMQR codes too.
    pub micro: bool,
}

impl Default for Look {
    /// All of them.
    fn default() -> Self {
        Self {
            inverted: true,
            mirrored: true,
            micro: true,
        }
    }
}

impl ReadPlan {
    /// The kinds of codes that are looked for.
    pub fn look(&self) -> Look {
        Look {
            inverted: self.inverted,
            mirrored: self.mirrored,
            micro: self.micro,
        }
    }
}

/// More threads than any machine this is meant for has cores.
const MAX_THREADS: usize = 64;

/// Each code found keeps memory for its payload.
const MAX_CODES: usize = 2000;

impl Read {
    /// Resolves the section. `fps` is the camera's frame rate, whose interval is
    /// the deadline where none is given; if it is unusable (and reported by the
    /// camera's section) the deadline is 100 ms. Where the file names no number of
    /// threads, `limits` gives it.
    pub fn resolve(&self, fps: f32, limits: &Limits, problems: &mut Problems) -> ReadPlan {
        let usable = |ms: f64| (0.1..=60_000.0).contains(&ms);
        let mut deadline_ms = match self.deadline_ms {
            0.0 => 1000.0 / f64::from(fps),
            written => f64::from(written),
        };
        if !usable(deadline_ms) {
            if self.deadline_ms != 0.0 {
                problems.add(
                    "read.deadline-ms",
                    format!("{deadline_ms} ms is no time to read a frame in"),
                    "write 0 for the frame's own interval, or 0.1 to 60000",
                );
            }
            deadline_ms = 100.0;
        }
        if self.threads > MAX_THREADS {
            problems.add(
                "read.threads",
                format!("{} threads", self.threads),
                format!("write 0 for as many as the CPU quota allows, or 1 to {MAX_THREADS}"),
            );
        }
        if !(1..=MAX_CODES).contains(&self.max_codes) {
            problems.add(
                "read.max-codes",
                format!("{} codes in one frame", self.max_codes),
                format!("write 1 to {MAX_CODES}"),
            );
        }
        ReadPlan {
            deadline: Duration::from_secs_f64(deadline_ms / 1000.0),
            threads: match self.threads {
                0 => limits.threads(),
                threads => threads,
            }
            .clamp(1, MAX_THREADS),
            threads_how: match (self.threads, &limits.cpu) {
                (0, Some(quota)) => format!(
                    "{:.2} of {} cores by {}",
                    quota.cores, limits.cores, quota.from
                ),
                (0, None) => format!("{} cores, no quota", limits.cores),
                _ => "as read.threads says".into(),
            },
            inverted: self.inverted,
            mirrored: self.mirrored,
            micro: self.micro,
            max_codes: self.max_codes.clamp(1, MAX_CODES),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_interval_is_the_deadline_where_none_is_given() {
        let mut problems = Problems::default();
        let plan = Read::default().resolve(50.0, &Limits::none(4), &mut problems);
        assert_eq!(plan.deadline, Duration::from_millis(20));
        assert_eq!(plan.threads, 4);
        for fps in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            let plan = Read::default().resolve(fps, &Limits::none(1), &mut problems);
            assert_eq!(plan.deadline, Duration::from_millis(100), "{fps}");
        }
        assert!(problems.is_empty(), "{problems}");
    }

    #[test]
    fn every_fault_of_the_section_is_reported() {
        let mut problems = Problems::default();
        let read = Read {
            deadline_ms: f32::NAN,
            threads: 65,
            max_codes: 0,
            ..Read::default()
        };
        read.resolve(60.0, &Limits::none(1), &mut problems);
        let keys: Vec<_> = problems.0.iter().map(|p| p.key.as_str()).collect();
        assert_eq!(keys, ["read.deadline-ms", "read.threads", "read.max-codes"]);
    }
}
