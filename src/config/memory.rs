//! How much memory a plan will take, by its parts: an estimate, to be held
//! against the unit's limits before the kernel does.

use super::{Plan, SourcePlan};
use crate::limits::MemoryLimits;

/// `MemoryMax=` of the unit as shipped, in bytes.
pub const UNIT_MEMORY_MAX: u64 = 128 << 20;

/// The program itself. Without a picture the daemon has 2.5 MB of its own (stacks,
/// heap) and 16.7 MB of its file (x86-64, release); of these the kernel takes back
/// what is not used, and about half is.
const PROGRAM_BYTES: u64 = 12 << 20;

/// One use of memory.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MemoryPart {
    /// What for.
    pub name: &'static str,
    /// How many bytes at most.
    pub bytes: u64,
    /// How they come about.
    pub how: String,
}

/// A plan that cannot run within its limit of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLittleMemory {
    /// What it needs, in bytes.
    pub minimum: u64,
    /// What there is, in bytes.
    pub max: u64,
}

impl std::fmt::Display for TooLittleMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the configuration needs up to {} MB of memory, and the control group allows {:.1} MB: \
             the kernel would kill the daemon; set MemoryMax={}M in the unit (systemctl edit), or \
             take a smaller picture, fewer read.threads or less outbox.memory-events \
             (`beltscan check` tells what takes how much)",
            self.minimum >> 20,
            self.max as f64 / 1_048_576.0,
            self.minimum >> 20,
        )
    }
}

impl std::error::Error for TooLittleMemory {}

/// Planes of a frame's size that a reader keeps: thresholds, a pyramid and lists
/// of what was found, and the payloads. Those together are no more than a third
/// of the frame, since a code needs more than two pixels for each module, and a
/// module is a bit.
const PLANES_PER_READER: u64 = 4;

/// A copy of the largest part of a frame that blur is taken out of, a million
/// pixels of two bytes, the picture that comes of it, and what a reader keeps of that.
const BLURRED_PART: u64 = 6 << 20;

/// Six canvases of 100,000 pixels, as much for registering frames on them, and a
/// reader for them.
const FUSION_BYTES: u64 = 8 << 20;

/// What is kept of a code beside its payload.
const BYTES_PER_CODE: u64 = 1 << 10;

/// What reads lines, with its working memory: the resident memory of the daemon on
/// a belt with print, less that of the same daemon without fields (x86-64).
const RECOGNISER_BYTES: u64 = 57 << 20;
/// What finds lines in pictures of 1280x800, measured in the same way.
const DETECTOR_BYTES: u64 = 33 << 20;

/// A line of the greatest width, 48 by 1280 pixels.
const STRIP_BYTES: u64 = 48 * 1280;

/// SQLite's page cache as it is by default, and its log before it is folded back.
const SQLITE_BYTES: u64 = 6 << 20;

/// An event as JSON with one code, and what keeps it.
const BYTES_PER_EVENT: u64 = 1536;

impl Plan {
    /// Buffers in the pool of frames: one that the camera fills, the newest one
    /// that waits, one in the hands of each reader, and one that is shown to
    /// whoever saves pictures.
    pub fn pool_frames(&self) -> usize {
        self.read.threads + 3
    }

    /// Bytes of one frame.
    pub fn frame_bytes(&self) -> usize {
        self.camera.width as usize * self.camera.height as usize
    }

    /// The least `MemoryMax=` under which this plan runs without being killed, in
    /// bytes, a whole number of MiB: every part at its most, and the program. A
    /// child process of the camera is not in it.
    pub fn memory_minimum(&self) -> u64 {
        let parts: u64 = self.memory().iter().map(|part| part.bytes).sum();
        (parts + PROGRAM_BYTES).next_multiple_of(1 << 20)
    }

    /// Is there enough memory under `limits` to run this plan?
    pub fn fits(&self, limits: &MemoryLimits) -> Result<(), TooLittleMemory> {
        let minimum = self.memory_minimum();
        match limits.max {
            Some(max) if max < minimum => Err(TooLittleMemory { minimum, max }),
            _ => Ok(()),
        }
    }

    /// What the models for text take when they are loaded, in bytes.
    pub fn text_models_bytes(&self) -> u64 {
        match (self.ocr.fields.is_empty(), self.ocr.searches()) {
            (true, _) => 0,
            (false, false) => RECOGNISER_BYTES,
            (false, true) => RECOGNISER_BYTES + DETECTOR_BYTES,
        }
    }

    /// Takes as many reader threads away as there is no memory for, but the last.
    pub(super) fn fit_threads(&mut self, max: u64) {
        let wanted = self.read.threads;
        while self.read.threads > 1 && self.memory_minimum() > max {
            self.read.threads -= 1;
        }
        if self.read.threads < wanted {
            let more = format!(
                "; memory for {} of {wanted} within {} MB",
                self.read.threads,
                max >> 20
            );
            self.read.threads_how.push_str(&more);
        }
    }

    /// Every use of memory that grows with the configuration.
    pub fn memory(&self) -> Vec<MemoryPart> {
        let frame = self.frame_bytes() as u64;
        let (readers, codes) = (self.read.threads as u64, self.read.max_codes as u64);
        let mut parts = vec![
            MemoryPart {
                name: "frame pool",
                bytes: self.pool_frames() as u64 * frame,
                how: format!("{} frames of {frame} bytes", self.pool_frames()),
            },
            MemoryPart {
                name: "readers",
                bytes: readers * (PLANES_PER_READER * frame + codes * BYTES_PER_CODE),
                how: format!("{readers} x ({PLANES_PER_READER} planes of a frame + {codes} codes)"),
            },
            MemoryPart {
                name: "blurred parts",
                bytes: readers * BLURRED_PART.min(6 * frame),
                how: format!("{readers} x what takes blur out, only where codes are blurred"),
            },
            MemoryPart {
                name: "fusion",
                bytes: if self.item.fusion { FUSION_BYTES } else { 0 },
                how: "frames added up, only while codes are not read".into(),
            },
            MemoryPart {
                name: "outbox",
                bytes: SQLITE_BYTES,
                how: "SQLite's page cache and log".into(),
            },
            MemoryPart {
                name: "events without a disk",
                bytes: self.outbox.memory_events as u64 * BYTES_PER_EVENT,
                how: format!(
                    "{} events of about {BYTES_PER_EVENT} bytes, only while the disk takes none",
                    self.outbox.memory_events
                ),
            },
        ];
        if !self.ocr.fields.is_empty() {
            let searches = self.ocr.searches();
            parts.push(MemoryPart {
                name: "models for text",
                bytes: self.text_models_bytes(),
                how: match searches {
                    true => "one that reads lines, one that finds them",
                    false => "one that reads lines",
                }
                .into(),
            });
            let more =
                usize::from(self.ocr.canary.is_some()) + usize::from(self.ocr.fallback.is_some());
            if more > 0 {
                parts.push(MemoryPart {
                    name: "canary and fallback",
                    bytes: more as u64 * RECOGNISER_BYTES,
                    how: "the canary always, the fallback while the others fail".into(),
                });
            }
            parts.push(MemoryPart {
                name: "lines of text",
                bytes: self.ocr.strips as u64 * STRIP_BYTES + if searches { 2 * frame } else { 0 },
                how: format!("{} lines cut out, at most", self.ocr.strips),
            });
        }
        let texts: usize = self
            .rules
            .iter()
            .filter_map(|rule| rule.expected.as_ref())
            .flatten()
            .map(|text| text.len() + 64)
            .sum();
        if texts > 0 {
            parts.push(MemoryPart {
                name: "expected texts",
                bytes: texts as u64,
                how: "of the rules".into(),
            });
        }
        if self.mqtt.is_some() {
            parts.push(MemoryPart {
                name: "broker",
                bytes: 2 << 20,
                how: "connection, TLS, events on their way".into(),
            });
        }
        let child = match self.camera.source {
            SourcePlan::Rpicam { .. } => {
                Some("rpicam-vid; the drop-in rpicam.conf has room for it")
            }
            SourcePlan::Pipe { .. } => Some("the command; not known here"),
            _ => None,
        };
        if let Some(how) = child {
            parts.push(MemoryPart {
                name: "child process",
                bytes: 0,
                how: format!("not counted: {how}"),
            });
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::limits::Limits;

    const TEXT: &str = "[[ocr.field]]\nname = \"lot\"\nbox = [0, 32, 29, 5]\n";

    #[test]
    fn threads_are_as_many_as_there_is_memory_for() {
        let config = Config::parse("").unwrap();
        let threads = |max: Option<u64>| {
            let mut limits = Limits::none(4);
            limits.memory.max = max.map(|mb| mb << 20);
            let plan = config.plan_within(&limits).unwrap();
            (plan.read.threads, plan.read.threads_how)
        };
        assert_eq!(threads(None), (4, "4 cores, no quota".to_owned()));
        assert_eq!(threads(Some(1000)).0, 4);
        let (few, how) = threads(Some(80));
        assert!((1..4).contains(&few), "{few}");
        assert!(
            how.ends_with(&format!("memory for {few} of 4 within 80 MB")),
            "{how}"
        );
        assert_eq!(threads(Some(1)).0, 1, "the last one stays");
    }

    #[test]
    fn below_the_minimum_a_plan_does_not_fit_and_says_the_cure() {
        let mut limits = Limits::none(1);
        let plan = Config::parse(TEXT).unwrap().plan_within(&limits).unwrap();
        let minimum = plan.memory_minimum();
        assert!(plan.fits(&limits.memory).is_ok(), "no limit");
        limits.memory.max = Some(minimum);
        assert!(plan.fits(&limits.memory).is_ok());
        limits.memory.max = Some(minimum - 1);
        let fault = plan.fits(&limits.memory).unwrap_err();
        let cure = format!("MemoryMax={}M", minimum >> 20);
        assert!(fault.to_string().contains(&cure), "{fault}");
    }

    /// The limits of the unit are enough for the pictures it is meant for.
    #[test]
    fn the_usual_plans_fit_into_the_unit() {
        let mut limits = Limits::none(4);
        limits.memory.max = Some(super::UNIT_MEMORY_MAX);
        for text in [
            "",
            TEXT,
            include_str!("../../config/examples/label-check.toml"),
        ] {
            let plan = Config::parse(text).unwrap().plan_within(&limits).unwrap();
            assert!(
                plan.fits(&limits.memory).is_ok(),
                "{}",
                plan.memory_minimum() >> 20
            );
        }
    }
}
