//! Recorded pictures as a camera: a file, a folder in the order of its names, or
//! a video through ffmpeg; in the recording's own time, at a given rate, or as
//! fast as they are taken.
//!
//! Stamps come from the count of pictures and the rate, never from a clock: the
//! same recording gives the same items however fast the machine is. (UTC starts
//! when the replay does.) At a pace, pictures that come due while the caller is
//! busy are skipped and show as gaps in the sequence, as with a camera; as fast
//! as they are taken, every picture is waited for, and so is the pool.

mod stills;
mod video;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use self::stills::Stills;
use self::video::Video;
use super::{CameraError, CameraErrorKind, Grab, Source};
use crate::clock;
use crate::config::{CameraPlan, ReplayRate};
use crate::frame::{Frame, Pool};

/// How often an empty pool is looked at again.
const POOL_TICK: Duration = Duration::from_micros(250);

/// A recording being played.
pub(super) struct Replay {
    recording: Recording,
    /// Pictures a second, for the stamps and, if `paced`, for the pace.
    fps: Option<f64>,
    paced: bool,
    repeat: bool,
    exposure_us: Option<u32>,
    name: String,
    /// When the first picture was due, once one was asked for.
    started: Option<(Instant, i64)>,
    /// Count of pictures before the next one.
    next: u64,
    /// Whether this pass through the recording has met a picture that is of use.
    fruitful: bool,
}

enum Recording {
    Stills(Stills),
    Video(Box<Video>),
}

/// What a recording gave when it was asked for its next picture.
enum Played {
    /// It, in a frame without stamp.
    Frame(Frame),
    /// The pool is empty: ask again, nothing is lost.
    NoBuffer,
    /// Nothing yet (a video's child is slow).
    Idle,
    /// The picture is unusable and passed over.
    Skipped,
    /// There are no more.
    End,
}

impl Replay {
    /// Looks at `path`; pictures are read when they are asked for.
    pub(super) fn open(
        plan: &CameraPlan,
        path: &Path,
        rate: ReplayRate,
        repeat: bool,
    ) -> Result<Self, CameraError> {
        let recording = match Stills::open(path)? {
            Some(stills) => Recording::Stills(stills),
            None => Recording::Video(Box::new(Video::open(plan, path)?)),
        };
        let own = match recording {
            Recording::Stills(_) => Some(f64::from(plan.fps)),
            Recording::Video(_) => None,
        };
        Ok(Self {
            recording,
            fps: match rate {
                ReplayRate::Fps(fps) => Some(f64::from(fps)),
                ReplayRate::Own | ReplayRate::Asap => own,
            },
            paced: rate != ReplayRate::Asap,
            repeat,
            exposure_us: plan.exposure_us,
            name: path.display().to_string(),
            started: None,
            next: 0,
            fruitful: false,
        })
    }

    /// Pictures a second, once known; waits for a video's header.
    fn fps(&mut self, patience: Duration) -> Result<Option<f64>, CameraError> {
        if self.fps.is_none()
            && let Recording::Video(video) = &mut self.recording
        {
            self.fps = video.fps(patience)?;
        }
        Ok(self.fps)
    }

    /// Waits for the moment of the next picture, passing over those whose
    /// successor is due as well. `false` if it is not to be had by `deadline`.
    fn keep_pace(&mut self, began: Instant, fps: f64, deadline: Instant) -> bool {
        let due = |index: u64| began + Duration::from_secs_f64(index as f64 / fps);
        let now = Instant::now();
        let behind = (now.saturating_duration_since(due(self.next)).as_secs_f64() * fps) as u64;
        let skipped = match &mut self.recording {
            Recording::Stills(stills) => stills.skip(behind),
            Recording::Video(video) => video.skip(behind),
        };
        self.next += skipped;
        self.fruitful |= skipped > 0;
        let due = due(self.next);
        thread::sleep(due.min(deadline).saturating_duration_since(now));
        due <= deadline
    }

    /// The next picture; the deadline counts for waiting only.
    fn play(&mut self, pool: &Pool, deadline: Instant) -> Result<Played, CameraError> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let played = match &mut self.recording {
                Recording::Stills(stills) => stills.next(pool)?,
                Recording::Video(video) => video.next(pool, left)?,
            };
            match played {
                Played::NoBuffer if !self.paced && !left.is_zero() => {
                    thread::sleep(POOL_TICK.min(left));
                }
                played => return Ok(played),
            }
        }
    }

    fn stamp(&self, mut frame: Frame, fps: f64, wall_start: i64) -> Frame {
        // The first picture is not at 0, so that a look back from it stays positive.
        let mono = (self.next + 1) as f64 * 1e9 / fps;
        frame.stamp.sequence = self.next;
        frame.stamp.mono_ns = mono.round() as u64;
        frame.stamp.wall_ns = wall_start.saturating_add(mono as i64);
        frame.stamp.exposure_us = self.exposure_us;
        frame
    }

    /// At the end: from the beginning again, or not.
    fn rewind(&mut self) -> Result<bool, CameraError> {
        if !self.fruitful {
            return Err(self.nothing_in_it());
        }
        if !self.repeat {
            return Ok(false);
        }
        self.fruitful = false;
        match &mut self.recording {
            Recording::Stills(stills) => stills.rewind(),
            Recording::Video(video) => video.rewind()?,
        }
        Ok(true)
    }

    fn nothing_in_it(&self) -> CameraError {
        CameraError {
            kind: CameraErrorKind::Unsupported,
            message: format!("{} has no picture that can be played", self.name),
            cure: "set camera.path to pictures (PNG, JPEG, WebP, BMP, PNM) no larger than \
                   camera.width x camera.height, or to a video that ffmpeg reads"
                .into(),
        }
    }
}

impl Source for Replay {
    fn grab(&mut self, pool: &Pool, patience: Duration) -> Result<Grab, CameraError> {
        let deadline = Instant::now() + patience;
        let Some(fps) = self.fps(patience)? else {
            return Ok(Grab::Idle);
        };
        let (began, wall_start) = *self
            .started
            .get_or_insert_with(|| (Instant::now(), clock::wall_ns()));
        if self.paced && !self.keep_pace(began, fps, deadline) {
            return Ok(Grab::Idle);
        }
        match self.play(pool, deadline)? {
            Played::Frame(frame) => {
                let frame = self.stamp(frame, fps, wall_start);
                self.next += 1;
                self.fruitful = true;
                Ok(Grab::Frame(frame))
            }
            Played::Skipped => {
                self.next += 1;
                Ok(Grab::Idle)
            }
            // At a pace, its moment passes and the next look skips it.
            Played::NoBuffer | Played::Idle => Ok(Grab::Idle),
            Played::End => Ok(if self.rewind()? {
                Grab::Idle
            } else {
                Grab::End
            }),
        }
    }

    fn describe(&self) -> String {
        let what = match &self.recording {
            Recording::Stills(stills) => format!("{} pictures", stills.count()),
            Recording::Video(_) => "video".into(),
        };
        match (self.paced, self.fps) {
            (false, _) => format!("replay {} ({what}) as fast as it goes", self.name),
            (true, Some(fps)) => format!("replay {} ({what}) at {fps} fps", self.name),
            (true, None) => format!("replay {} ({what}) at its own rate", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::open;
    use crate::camera::testing::{fault, have, next, plan};
    use crate::config::SourcePlan;
    use std::fs;
    use std::path::PathBuf;
    use std::process::Command;

    fn replay(path: &Path, rate: ReplayRate, repeat: bool) -> CameraPlan {
        let path = path.to_owned();
        plan(SourcePlan::Replay { path, rate, repeat }, 16, 16)
    }

    /// Uniform pictures of 10, 20, 30 … grey levels.
    fn folder(count: u8) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for index in 0..count {
            let picture = image::GrayImage::from_pixel(16, 16, image::Luma([10 * (index + 1)]));
            let path = folder.path().join(format!("{index:03}.png"));
            picture.save(path).expect("saved");
        }
        fs::write(folder.path().join("notes.txt"), "no picture").expect("written");
        folder
    }

    fn all(plan: &CameraPlan) -> Vec<(u64, u64, u8)> {
        let (mut source, pool) = (open(plan).expect("opens"), Pool::new(1, 256));
        let mut seen = Vec::new();
        while let Some(frame) = next(&mut *source, &pool).expect("no fault") {
            seen.push((frame.stamp.sequence, frame.stamp.mono_ns, frame[100]));
        }
        seen
    }

    #[test]
    fn a_folder_comes_in_order_with_stamps_from_the_count() {
        let folder = folder(3);
        let played = all(&replay(folder.path(), ReplayRate::Asap, false));
        assert_eq!(
            played,
            [
                (0, 20_000_000, 10),
                (1, 40_000_000, 20),
                (2, 60_000_000, 30)
            ]
        );
        let one = folder.path().join("001.png");
        let played = all(&replay(&one, ReplayRate::Asap, false));
        assert_eq!(played, [(0, 20_000_000, 20)]);
    }

    #[test]
    fn an_unreadable_picture_is_a_gap_and_nothing_but_such_a_fault() {
        let folder = folder(3);
        fs::write(folder.path().join("001.png"), b"\x89PNG no").expect("written");
        let plan = replay(folder.path(), ReplayRate::Asap, false);
        assert_eq!(all(&plan), [(0, 20_000_000, 10), (2, 60_000_000, 30)]);
        let plan = CameraPlan {
            fps: 1000.0,
            ..replay(folder.path(), ReplayRate::Asap, true)
        };
        let small = Pool::new(1, 15 * 16);
        let error = fault(&mut *open(&plan).expect("opens"), &small);
        assert_eq!(error.kind, CameraErrorKind::Unsupported);
    }

    #[test]
    fn repeating_goes_on_counting() {
        let folder = folder(2);
        let plan = replay(folder.path(), ReplayRate::Asap, true);
        let (mut source, pool) = (open(&plan).expect("opens"), Pool::new(1, 256));
        for count in 0..7u64 {
            let frame = next(&mut *source, &pool)
                .expect("no fault")
                .expect("endless");
            assert_eq!(frame.stamp.sequence, count);
            assert_eq!(u64::from(frame[0]), 10 * (count % 2 + 1));
        }
    }

    #[test]
    fn as_fast_as_it_goes_waits_for_the_pool() {
        let folder = folder(2);
        let plan = replay(folder.path(), ReplayRate::Asap, false);
        let (mut source, pool) = (open(&plan).expect("opens"), Pool::new(1, 256));
        let held = next(&mut *source, &pool).expect("no fault");
        for _ in 0..3 {
            let grab = source
                .grab(&pool, Duration::from_millis(2))
                .expect("no fault");
            assert!(matches!(grab, Grab::Idle));
        }
        drop(held);
        let frame = next(&mut *source, &pool)
            .expect("no fault")
            .expect("one more");
        assert_eq!((frame.stamp.sequence, frame[0]), (1, 20));
    }

    #[test]
    fn at_a_pace_what_is_overdue_is_skipped_but_not_the_last() {
        let folder = folder(20);
        let played = all(&replay(folder.path(), ReplayRate::Fps(1000.0), false));
        assert!(played.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(played.last(), Some(&(19, 20_000_000, 200)));
        for (sequence, mono_ns, grey) in played {
            assert_eq!(mono_ns, (sequence + 1) * 1_000_000);
            assert_eq!(u64::from(grey), 10 * (sequence + 1));
        }
    }

    #[test]
    fn what_is_not_there_is_said() {
        let error = open(&replay(Path::new("/no/such"), ReplayRate::Own, false))
            .map(|_| ())
            .expect_err("absent");
        assert_eq!(error.kind, CameraErrorKind::Absent);
        assert!(error.message.contains("/no/such"), "{error}");
        let empty = tempfile::tempdir().expect("a folder");
        let error = open(&replay(empty.path(), ReplayRate::Own, false))
            .map(|_| ())
            .expect_err("empty");
        assert!(error.message.contains("holds no picture"), "{error}");
    }

    /// A lossless video of the pictures in `folder`.
    fn video(folder: &Path, fps: &str) -> PathBuf {
        let path = folder.join("a: video.mkv");
        let status = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-framerate", fps, "-i"])
            .arg(folder.join("%03d.png"))
            .args(["-c:v", "ffv1", "-pix_fmt", "gray"])
            .arg(format!("file:{}", path.display()))
            .status()
            .expect("ffmpeg runs");
        assert!(status.success());
        path
    }

    #[test]
    fn a_video_plays_every_picture_at_its_own_rate() {
        if !have("a_video_plays_every_picture_at_its_own_rate", "ffmpeg") {
            return;
        }
        let folder = folder(8);
        let path = video(folder.path(), "250");
        let expected = |skip: u64| {
            let stamps = (0..8).filter(move |i| *i >= skip);
            stamps.map(|i| (i, (i + 1) * 4_000_000, 10 * (i as u8 + 1)))
        };
        let played = all(&replay(&path, ReplayRate::Asap, false));
        assert_eq!(played, expected(0).collect::<Vec<_>>());
        // In its own time some may be skipped, but what comes is right.
        let played = all(&replay(&path, ReplayRate::Own, false));
        assert!(
            played
                .iter()
                .all(|one| expected(0).any(|other| *one == other))
        );
        // At a given rate the stamps follow that rate.
        let (mut source, pool) = (
            open(&replay(&path, ReplayRate::Fps(0.5), false)).expect("opens"),
            Pool::new(1, 256),
        );
        let frame = next(&mut *source, &pool)
            .expect("no fault")
            .expect("a frame");
        assert_eq!(frame.stamp.mono_ns, 2_000_000_000);
        // And again from the start.
        let (mut source, pool) = (
            open(&replay(&path, ReplayRate::Asap, true)).expect("opens"),
            Pool::new(1, 256),
        );
        for count in 0..20u64 {
            let frame = next(&mut *source, &pool)
                .expect("no fault")
                .expect("endless");
            assert_eq!(frame.stamp.sequence, count);
            assert_eq!(u64::from(frame[0]), 10 * (count % 8 + 1));
        }
    }

    #[test]
    fn a_video_that_is_none_or_too_large_is_told() {
        if !have("a_video_that_is_none_or_too_large_is_told", "ffmpeg") {
            return;
        }
        let folder = folder(2);
        let pool = Pool::new(1, 256);
        let path = folder.path().join("notes.txt");
        let plan = replay(&path, ReplayRate::Asap, false);
        let error = fault(&mut *open(&plan).expect("ffmpeg starts"), &pool);
        assert_eq!(error.kind, CameraErrorKind::Unsupported);
        assert!(error.message.contains("notes.txt"), "{error}");

        let path = video(folder.path(), "25");
        let plan = CameraPlan {
            width: 8,
            ..replay(&path, ReplayRate::Asap, false)
        };
        let error = fault(&mut *open(&plan).expect("ffmpeg starts"), &pool);
        assert!(error.message.contains("camera.width = 16"), "{error}");
    }
}
