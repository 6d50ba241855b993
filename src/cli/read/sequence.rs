//! `--sequence`: the files are consecutive frames of one camera, and a line is an
//! item. Items are those of the daemon's own tracker, decided when they have left
//! the picture; time is the count of frames.

use std::io;
use std::path::Path;

use super::inputs::Input;
use super::report::{PANICKED, Style};
use super::video::Video;
use super::{Belt, EXIT_FAILED, fail};
use crate::camera::picture;
use crate::config::{Config, Decide, ItemPlan, NoReadsPlan, Problems, TriggerMode};
use crate::frame::{Luma, Stamp};
use crate::item::Event;
use crate::pipeline;
use crate::qr::ReaderOptions;

/// Frames on their way through reader and tracker.
pub(super) struct Sequence {
    /// Reader and tracker.
    inner: pipeline::Sequence,
    style: Style,
    events: Vec<Event>,
    names: Names,
    fps: f64,
    exposure_us: Option<u32>,
    /// UTC at frame 0, ns.
    began: i64,
    /// Frames so far, those that could not be read included.
    frames: u64,
    /// Every file could be read.
    all_opened: bool,
    /// Whoever reads the results still does.
    wanted: bool,
}

/// Which frames came from which file.
#[derive(Default)]
struct Names {
    /// The number of a file's first frame, its name, and whether it has several.
    files: Vec<(u64, String, bool)>,
}

impl Names {
    /// The frame's file; in a video with its number, from 0.
    fn of(&self, frame: u64) -> String {
        let after = self.files.partition_point(|(first, ..)| *first <= frame);
        match after.checked_sub(1).map(|at| &self.files[at]) {
            Some((first, name, true)) => format!("{name}#{}", frame - first),
            Some((_, name, false)) => name.clone(),
            None => String::new(),
        }
    }
}

impl Sequence {
    /// Items by the configuration's `[item]` and `[belt]`, but decided when they
    /// leave; what the command line knows of the camera comes first. Text is that of
    /// the configuration's fields, if `texts`.
    pub(super) fn new(
        config: &Config,
        belt: &Belt,
        options: ReaderOptions,
        texts: bool,
        style: Style,
    ) -> Result<Self, Problems> {
        let plan = config.plan()?;
        let now = jiff::Timestamp::now().as_nanosecond();
        let item = ItemPlan {
            decide: Decide::Leave,
            trigger: TriggerMode::Free,
            direction_rad: match belt.belt_direction {
                Some(degrees) => Some(degrees.to_radians()),
                None => plan.item.direction_rad,
            },
            ..plan.item
        };
        let noreads = NoReadsPlan {
            publish: true,
            dir: None,
            ..plan.noread
        };
        let mut inner = pipeline::Sequence::new(options, item, Vec::new(), noreads);
        if texts && !plan.ocr.fields.is_empty() {
            match pipeline::text_models()(&plan.ocr) {
                Ok(engine) => inner = inner.with_text(plan.ocr, engine),
                Err(error) => log::error!("no text is read: {error}"),
            }
        }
        Ok(Self {
            inner,
            style,
            events: Vec::new(),
            names: Names::default(),
            fps: belt.fps,
            exposure_us: belt
                .exposure_ms
                .map(|time| u32::try_from(time.as_micros()).unwrap_or(u32::MAX)),
            began: i64::try_from(now).unwrap_or(i64::MAX),
            frames: 0,
            all_opened: true,
            wanted: true,
        })
    }

    /// Reads all frames and tells of the items. Whether every file could be read.
    pub(super) fn read(mut self, inputs: &[Input]) -> io::Result<bool> {
        for input in inputs {
            let result = match input {
                Input::Picture(path) => self.picture(path),
                Input::Video(path) => self.video(path)?,
            };
            if let Err(error) = result {
                fail(EXIT_FAILED, error);
                self.all_opened = false;
            }
            self.tell()?;
            if !self.wanted {
                return Ok(self.all_opened);
            }
        }
        self.inner.end(&mut self.events);
        self.tell()?;
        Ok(self.all_opened)
    }

    fn picture(&mut self, path: &Path) -> Result<(), String> {
        self.names
            .files
            .push((self.frames, path.to_string_lossy().into(), false));
        match picture::load(path) {
            Ok(picture) => self.frame(picture.view()),
            Err(error) => {
                // Its moment passes all the same.
                self.frames += 1;
                return Err(format!("{}: {error}", path.display()));
            }
        }
        Ok(())
    }

    fn video(&mut self, path: &Path) -> io::Result<Result<(), String>> {
        self.names
            .files
            .push((self.frames, path.to_string_lossy().into(), true));
        let named = |error| format!("{}: {error}", path.display());
        let mut video = match Video::open(path, self.exposure_us) {
            Ok(video) => video,
            Err(error) => return Ok(Err(named(error))),
        };
        while self.wanted {
            match video.next() {
                Ok(Some(frame)) => self.frame(frame.luma()),
                Ok(None) => break,
                Err(error) => return Ok(Err(named(error))),
            }
            self.tell()?;
        }
        Ok(Ok(()))
    }

    /// The next frame.
    fn frame(&mut self, luma: Luma<'_>) {
        let ns = mono_ns(self.frames, self.fps);
        let stamp = Stamp {
            sequence: self.frames,
            mono_ns: ns,
            wall_ns: self.began.saturating_add_unsigned(ns),
            exposure_us: self.exposure_us,
        };
        if !self.inner.frame(&stamp, luma, &mut self.events) {
            let name = self.names.of(self.frames);
            fail(EXIT_FAILED, format!("{name}: {PANICKED}"));
            self.all_opened = false;
        }
        self.frames += 1;
    }

    /// Tells of the items decided since the last time.
    fn tell(&mut self) -> io::Result<()> {
        for event in std::mem::take(&mut self.events) {
            let name = |mono_ns| self.names.of(frame_at(mono_ns, self.fps));
            let first = name(event.track.first_mono_ns);
            let last = name(event.track.last_mono_ns);
            let text = self.style.item(&first, &last, &event);
            self.wanted &= crate::cli::print(text.as_bytes())?;
        }
        Ok(())
    }
}

/// Time of a frame. The first is not at 0, so that a look back stays positive.
fn mono_ns(frame: u64, fps: f64) -> u64 {
    ((frame + 1) as f64 * 1e9 / fps).round() as u64
}

/// The frame at a time that [`mono_ns`] gave.
fn frame_at(mono_ns: u64, fps: f64) -> u64 {
    ((mono_ns as f64 * fps / 1e9).round() as u64).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_again_by_their_time() {
        for fps in [0.01, 23.976, 30.0, 100_000.0] {
            for frame in [0, 1, 2, 999, 1_000_000] {
                assert_eq!(frame_at(mono_ns(frame, fps), fps), frame, "{fps}");
            }
        }
    }

    #[test]
    fn frames_bear_the_names_of_their_files() {
        let names = Names {
            files: vec![
                (0, "a.png".into(), false),
                (1, "b.mp4".into(), true),
                (26, "c.png".into(), false),
            ],
        };
        let of: Vec<String> = [0, 1, 25, 26].map(|frame| names.of(frame)).into();
        assert_eq!(of, ["a.png", "b.mp4#0", "b.mp4#24", "c.png"]);
    }
}
