//! `[camera]` from what is written to what will be done. Every fault is
//! reported, also a key that the chosen source would silently ignore.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::{Camera, CameraPlan, Focus, ReplayRate, SourcePlan};
use crate::config::Problems;

const SOURCES: [&str; 6] = ["v4l2", "rpicam", "pipe", "replay", "belt", "nokhwa"];

/// The keys that only some sources use, and which those are.
const USED_BY: [(&str, &[&str]); 11] = [
    ("device", &["v4l2", "nokhwa"]),
    ("format", &["v4l2"]),
    ("exposure-us", &["v4l2", "rpicam", "pipe", "replay", "belt"]),
    // A bracket is of use only where each frame tells which exposure it had. V4L2
    // takes up a new exposure some frames later and marks none of them, and
    // rpicam-vid takes no commands while it runs.
    ("exposure-bracket", &["belt"]),
    ("gain", &["v4l2", "rpicam"]),
    ("focus", &["v4l2", "rpicam"]),
    ("command", &["pipe", "rpicam"]),
    ("pipe-format", &["pipe"]),
    ("path", &["replay"]),
    ("rate", &["replay"]),
    ("repeat", &["replay"]),
];

const SIDE: RangeInclusive<u32> = 16..=16_384;
const MAX_FPS: f32 = 1000.0;
/// Exposures that far apart differ too much in brightness for one gain.
const BRACKET: RangeInclusive<f32> = 0.25..=4.0;

impl Camera {
    /// What will be done. Faults go to `problems`; the plan is of use only if
    /// there are none.
    pub fn resolve(&self, problems: &mut Problems) -> CameraPlan {
        self.check_picture(problems);
        self.check_controls(problems);
        self.check_unused(problems);
        CameraPlan {
            source: self.source_plan(problems),
            width: self.width,
            height: self.height,
            fps: self.fps,
            exposure_us: self.exposure_us,
            exposure_bracket: self.exposure_bracket,
            gain: self.gain,
            focus: self.focus,
            timeout: Duration::from_millis(self.timeout_ms.into()),
        }
    }

    fn source_plan(&self, problems: &mut Problems) -> SourcePlan {
        match self.source.as_str() {
            "v4l2" => {
                if !cfg!(target_os = "linux") {
                    problems.add(
                        "camera.source",
                        "v4l2 exists on Linux only",
                        "choose nokhwa or pipe",
                    );
                }
                self.v4l2(problems)
            }
            "nokhwa" => {
                if !cfg!(feature = "nokhwa") {
                    problems.add(
                        "camera.source",
                        "nokhwa is not in this build",
                        "choose v4l2, or build with: cargo build --features nokhwa",
                    );
                }
                SourcePlan::Nokhwa {
                    device: match self.device == Camera::default().device {
                        true => "0".into(),
                        false => self.device.clone(),
                    },
                }
            }
            "rpicam" => self.rpicam(problems),
            "pipe" => {
                if self.command.first().is_none_or(String::is_empty) {
                    problems.add(
                        "camera.command",
                        "source = \"pipe\" needs a command",
                        "give program and arguments, as command = [\"ffmpeg\", \"-i\", …, \"-\"]",
                    );
                }
                SourcePlan::Pipe {
                    command: self.command.clone(),
                    format: self.pipe_format,
                }
            }
            "replay" => self.replay(problems),
            "belt" => SourcePlan::Belt(self.belt.resolve(problems)),
            other => {
                problems.add(
                    "camera.source",
                    format!("there is no source {other:?}"),
                    match nearest(other) {
                        Some(name) => format!("write {name:?} (others: {})", SOURCES.join(", ")),
                        None => format!("write one of {}", SOURCES.join(", ")),
                    },
                );
                self.v4l2(&mut Problems::default())
            }
        }
    }

    fn v4l2(&self, problems: &mut Problems) -> SourcePlan {
        let device = match self.device.parse::<u8>() {
            Ok(number) => PathBuf::from(format!("/dev/video{number}")),
            Err(_) => PathBuf::from(&self.device),
        };
        if !device.is_absolute() {
            problems.add(
                "camera.device",
                format!("{:?} is no device path", self.device),
                "give a path below /dev/v4l/by-id, as `beltscan cameras` lists them",
            );
        }
        SourcePlan::V4l2 {
            device,
            format: self.format,
        }
    }

    fn rpicam(&self, problems: &mut Problems) -> SourcePlan {
        for (key, side) in [("width", self.width), ("height", self.height)] {
            if !side.is_multiple_of(2) {
                problems.add(
                    format!("camera.{key}"),
                    format!("{side} is odd, and rpicam-vid writes pairs of pixels"),
                    format!("give {} or {}", side - 1, side + 1),
                );
            }
        }
        SourcePlan::Rpicam {
            command: match self.command.is_empty() {
                true => vec!["rpicam-vid".into()],
                false => self.command.clone(),
            },
        }
    }

    fn replay(&self, problems: &mut Problems) -> SourcePlan {
        if self.path.as_os_str().is_empty() {
            problems.add(
                "camera.path",
                "source = \"replay\" needs a path",
                "give a picture, a folder of pictures or a video",
            );
        }
        if let ReplayRate::Fps(fps) = self.rate {
            check_rate(problems, "camera.rate", fps);
        }
        SourcePlan::Replay {
            path: self.path.clone(),
            rate: self.rate,
            repeat: self.repeat,
        }
    }

    fn check_picture(&self, problems: &mut Problems) {
        for (key, side) in [("width", self.width), ("height", self.height)] {
            if !SIDE.contains(&side) {
                problems.add(
                    format!("camera.{key}"),
                    format!("{side} pixels"),
                    format!("give {} to {}", SIDE.start(), SIDE.end()),
                );
            }
        }
        check_rate(problems, "camera.fps", self.fps);
    }

    fn check_controls(&self, problems: &mut Problems) {
        let interval_us = 1e6 / self.fps;
        if self.exposure_us == Some(0) {
            problems.add(
                "camera.exposure-us",
                "an exposure of 0 µs",
                "give at least 1, or leave the key out for automatic exposure",
            );
        }
        if let Some(factor) = self.exposure_bracket
            && !BRACKET.contains(&factor)
        {
            problems.add(
                "camera.exposure-bracket",
                format!("{factor} times the exposure"),
                format!(
                    "give {} to {}; 1.3 takes a blur of two modules out of its worst length",
                    BRACKET.start(),
                    BRACKET.end()
                ),
            );
        }
        if self.exposure_bracket.is_some() && self.exposure_us.is_none() {
            problems.add(
                "camera.exposure-bracket",
                "a multiple of an exposure that is not set",
                "set camera.exposure-us too",
            );
        }
        let longest = self.exposure_bracket.map_or(1.0, |factor| factor.max(1.0));
        if let Some(exposure) = self
            .exposure_us
            .map(|exposure| (exposure as f32 * longest) as u32)
            && exposure as f32 > interval_us
        {
            problems.add(
                "camera.exposure-us",
                format!("{exposure} µs is longer than a frame at {} fps", self.fps),
                format!(
                    "give at most {interval_us:.0}, or set camera.fps to at most {:.1}",
                    1e6 / exposure as f32
                ),
            );
        }
        if self
            .gain
            .is_some_and(|gain| !gain.is_finite() || gain < 0.0)
        {
            problems.add(
                "camera.gain",
                format!("{} is no gain", self.gain.unwrap_or_default()),
                "give 0 or more, or leave the key out for automatic gain",
            );
        }
        if let Focus::At(position) = self.focus
            && !(0.0..=1e6).contains(&position)
        {
            problems.add(
                "camera.focus",
                format!("{position} is no focus position"),
                "give 0 or more, \"auto\" or \"leave\"",
            );
        }
        let least = (2000.0 / self.fps).ceil().max(100.0);
        if !(least..=600_000.0).contains(&(self.timeout_ms as f32)) {
            problems.add(
                "camera.timeout-ms",
                format!("{} ms at {} fps", self.timeout_ms, self.fps),
                format!("give {least} (two frames, and no less than 100) to 600000"),
            );
        }
    }

    fn check_unused(&self, problems: &mut Problems) {
        if !SOURCES.contains(&self.source.as_str()) {
            return;
        }
        let default = Camera::default();
        for (key, users) in USED_BY {
            let given = match key {
                "device" => self.device != default.device,
                "format" => self.format != default.format,
                "exposure-us" => self.exposure_us.is_some(),
                "exposure-bracket" => self.exposure_bracket.is_some(),
                "gain" => self.gain.is_some(),
                "focus" => self.focus != default.focus,
                "command" => !self.command.is_empty(),
                "pipe-format" => self.pipe_format != default.pipe_format,
                "path" => self.path != default.path,
                "rate" => self.rate != default.rate,
                _ => self.repeat,
            };
            if given && !users.contains(&self.source.as_str()) {
                self.unused(problems, key, users);
            }
        }
        if self.source != "belt" && self.belt != default.belt {
            self.unused(problems, "belt", &["belt"]);
        }
    }

    fn unused(&self, problems: &mut Problems, key: &str, users: &[&str]) {
        problems.add(
            format!("camera.{key}"),
            format!("source = {:?} does not use it", self.source),
            format!("take it out; it is for {}", users.join(", ")),
        );
    }
}

fn check_rate(problems: &mut Problems, key: &str, fps: f32) {
    if !(fps > 0.0 && fps <= MAX_FPS) {
        problems.add(
            key,
            format!("{fps} frames a second"),
            format!("give more than 0 and at most {MAX_FPS}"),
        );
    }
}

/// The source that `name` was probably meant to be.
fn nearest(name: &str) -> Option<&'static str> {
    SOURCES
        .into_iter()
        .map(|source| {
            let likeness = strsim::jaro_winkler(&name.to_lowercase(), source);
            (source, likeness)
        })
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .filter(|(_, likeness)| *likeness > 0.7)
        .map(|(source, _)| source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(toml: &str) -> Vec<(String, String)> {
        let camera: Camera = toml::from_str(toml).expect("legal TOML");
        let mut problems = Problems::default();
        camera.resolve(&mut problems);
        let told = problems.0.into_iter();
        told.map(|problem| (problem.key, problem.cure)).collect()
    }

    fn keys(toml: &str) -> Vec<String> {
        problems(toml).into_iter().map(|(key, _)| key).collect()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_defaults_are_sound() {
        assert_eq!(keys(""), [""; 0]);
        let mut problems = Problems::default();
        let camera = Camera {
            device: "2".into(),
            ..Camera::default()
        };
        assert_eq!(
            camera.resolve(&mut problems).source,
            SourcePlan::V4l2 {
                device: "/dev/video2".into(),
                format: super::super::PixelFormat::Auto
            }
        );
    }

    #[test]
    fn a_misspelt_source_is_answered_with_the_nearest_name() {
        let told = problems("source = \"v4l3\"");
        assert_eq!(told.len(), 1);
        assert!(told[0].1.starts_with("write \"v4l2\""), "{}", told[0].1);
        let told = problems("source = \"xyz\"");
        assert!(told[0].1.starts_with("write one of v4l2"), "{}", told[0].1);
    }

    #[test]
    fn all_faults_are_told_at_once() {
        assert_eq!(
            keys(
                "source = \"pipe\"\nwidth = 8\nheight = 20000\nfps = 50.0\nexposure-us = 30000\n\
                 gain = 2.0\nfocus = nan\ntimeout-ms = 10\npath = \"x\"\n"
            ),
            [
                "camera.width",
                "camera.height",
                "camera.exposure-us",
                "camera.focus",
                "camera.timeout-ms",
                "camera.gain",
                "camera.focus",
                "camera.path",
                "camera.command",
            ]
        );
    }

    #[test]
    fn numbers_that_are_none_are_refused() {
        for fps in ["0.0", "-1.0", "nan", "inf", "2000.0"] {
            let told = keys(&format!("source = \"belt\"\nfps = {fps}"));
            assert!(told.contains(&"camera.fps".into()), "{fps}: {told:?}");
        }
        let told = keys("source = \"belt\"\n[belt]\nspeed-m-s = nan\nglare = 1.5\n");
        assert_eq!(told, ["camera.belt.speed-m-s", "camera.belt.glare"]);
        let told = keys("source = \"replay\"\npath = \"x\"\nrate = 0.0\n");
        assert_eq!(told, ["camera.rate"]);
    }

    #[test]
    fn a_bracket_needs_a_camera_that_tells_which_frame_had_which() {
        let bracket = |source: &str, rest: &str| {
            problems(&format!(
                "source = {source:?}\nexposure-bracket = 1.3\n{rest}"
            ))
        };
        assert!(bracket("belt", "exposure-us = 250").is_empty());
        let told = bracket("v4l2", "exposure-us = 250");
        assert_eq!(told[0].0, "camera.exposure-bracket");
        assert_eq!(told[0].1, "take it out; it is for belt");
        assert_eq!(bracket("belt", "")[0].1, "set camera.exposure-us too");
        let long = bracket("belt", "fps = 100.0\nexposure-us = 9000");
        assert_eq!(long[0].0, "camera.exposure-us");
        let far = problems("source = \"belt\"\nexposure-us = 90\nexposure-bracket = 9.0");
        assert_eq!(far[0].0, "camera.exposure-bracket");
    }

    #[test]
    fn a_key_that_the_source_ignores_is_told() {
        let told = problems("source = \"belt\"\nrepeat = true\nfocus = \"auto\"\n");
        assert_eq!(told[0].0, "camera.focus");
        assert_eq!(told[0].1, "take it out; it is for v4l2, rpicam");
        assert_eq!(told[1].0, "camera.repeat");
        assert_eq!(
            keys("source = \"replay\"\npath = \"x\"\nrate = \"asap\"\nrepeat = true"),
            [""; 0]
        );
    }
}
