//! Any command that writes raw frames or Motion JPEG to its standard output:
//! ffmpeg for RTSP, GStreamer, a vendor's own program. It is read without
//! pause, so that the newest picture is never more than one old.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::feed::{Feed, Fixed, Framing, Jpegs, Next};
use super::mjpeg::{self, Decoded};
use super::plane::{Packing, copy_luma};
use super::slot::{Keep, Shot};
use super::{CameraError, CameraErrorKind, Grab, Source};
use crate::clock;
use crate::config::{CameraPlan, PipeFormat};
use crate::frame::{Frame, Pool};

/// A command as camera.
pub(super) struct Pipe {
    feed: Feed,
    format: PipeFormat,
    width: usize,
    height: usize,
    fps: f32,
    exposure_us: Option<u32>,
    timeout: Duration,
    corrupt: Corrupt,
}

/// Pictures that could not be decoded since the last one that could.
pub(super) struct Corrupt {
    since: Instant,
    count: u32,
}

impl Pipe {
    /// Starts the command.
    pub(super) fn open(
        plan: &CameraPlan,
        command: &[String],
        format: PipeFormat,
    ) -> Result<Self, CameraError> {
        let (width, height) = (plan.width as usize, plan.height as usize);
        let framing: Box<dyn Framing> = match format {
            PipeFormat::Mjpeg => Box::new(Jpegs::new(jpeg_limit(width, height))),
            _ => Box::new(Fixed(raw_bytes(format, width, height))),
        };
        let feed = Feed::start(
            command,
            Stdio::null(),
            None,
            framing,
            Keep::Newest,
            plan.timeout,
        )?;
        Ok(Self {
            feed,
            format,
            width,
            height,
            fps: plan.fps,
            exposure_us: plan.exposure_us,
            timeout: plan.timeout,
            corrupt: Corrupt::none(),
        })
    }

    fn convert(&mut self, shot: &Shot, pool: &Pool) -> Result<Option<Frame>, CameraError> {
        let packing = match self.format {
            PipeFormat::Mjpeg => {
                let decoded = mjpeg::decode(&shot.bytes, pool);
                return self
                    .corrupt
                    .sort_out(decoded, self.feed.name(), self.timeout);
            }
            PipeFormat::Yuyv => Packing::EveryOther,
            PipeFormat::Gray8 | PipeFormat::Nv12 | PipeFormat::Yuv420 => Packing::Plane,
        };
        let stride = match packing {
            Packing::EveryOther => 2 * self.width.next_multiple_of(2),
            Packing::Plane => self.width,
        };
        let Some(mut frame) = pool.take(self.width, self.height) else {
            return Ok(None);
        };
        Ok(copy_luma(&shot.bytes, stride, packing, &mut frame).then_some(frame))
    }
}

impl Source for Pipe {
    fn grab(&mut self, pool: &Pool, patience: Duration) -> Result<Grab, CameraError> {
        let shot = match self.feed.next(patience)? {
            Next::Shot(shot) => shot,
            Next::Idle => return Ok(Grab::Idle),
            Next::End => {
                return Err(CameraError {
                    kind: CameraErrorKind::Lost,
                    message: format!("{} has ended by itself", self.feed.name()),
                    cure: "it is started again; give it arguments that make it go on for ever"
                        .into(),
                });
            }
        };
        let frame = self.convert(&shot, pool);
        let (sequence, mono_ns) = (shot.sequence, shot.stamp_ns);
        self.feed.give_back(shot);
        let Some(mut frame) = frame? else {
            return Ok(Grab::Idle);
        };
        frame.stamp.sequence = sequence;
        frame.stamp.mono_ns = mono_ns;
        frame.stamp.wall_ns = clock::wall_at(mono_ns);
        frame.stamp.exposure_us = self.exposure_us;
        Ok(Grab::Frame(frame))
    }

    fn describe(&self) -> String {
        format!(
            "pipe {} {:?} {}x{} at {} fps",
            self.feed.name(),
            self.format,
            self.width,
            self.height,
            self.fps
        )
    }
}

impl Corrupt {
    pub(super) fn none() -> Self {
        Self {
            since: Instant::now(),
            count: 0,
        }
    }

    /// A broken picture is passed over; nothing but broken ones for `timeout`
    /// is a fault of the source, and so is a size that was not asked for.
    pub(super) fn sort_out(
        &mut self,
        decoded: Decoded,
        name: &str,
        timeout: Duration,
    ) -> Result<Option<Frame>, CameraError> {
        match decoded {
            Decoded::Frame(frame) => {
                *self = Self::none();
                Ok(Some(frame))
            }
            Decoded::NoBuffer => Ok(None),
            Decoded::TooLarge(width, height) => Err(CameraError {
                kind: CameraErrorKind::Unsupported,
                message: format!("{name} sends pictures of {width}x{height}, more than planned"),
                cure: format!("set camera.width = {width} and camera.height = {height}"),
            }),
            Decoded::Corrupt(why) => {
                if self.count == 0 {
                    self.since = Instant::now();
                }
                self.count += 1;
                log::debug!("{name}: a broken JPEG is passed over: {why}");
                if self.since.elapsed() < timeout {
                    return Ok(None);
                }
                Err(CameraError {
                    kind: CameraErrorKind::Wedged,
                    message: format!(
                        "{name} has sent {} JPEG pictures in a row that are broken ({why})",
                        self.count
                    ),
                    cure: "check the cable and the hub, or choose another format".into(),
                })
            }
        }
    }
}

/// Bytes of one raw picture.
fn raw_bytes(format: PipeFormat, width: usize, height: usize) -> usize {
    match format {
        PipeFormat::Gray8 | PipeFormat::Mjpeg => width * height,
        PipeFormat::Yuyv => 2 * width.next_multiple_of(2) * height,
        PipeFormat::Nv12 | PipeFormat::Yuv420 => {
            width * height + 2 * width.div_ceil(2) * height.div_ceil(2)
        }
    }
}

/// Most bytes of a JPEG of this size: three times what its pixels take as
/// luma, which no camera's quantisation comes near, and room for metadata.
pub(super) fn jpeg_limit(width: usize, height: usize) -> usize {
    3 * width * height + (256 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::testing::{fault, have, next, plan};
    use crate::camera::{Keeper, open};
    use crate::config::SourcePlan;

    fn shell(script: &str, format: PipeFormat) -> CameraPlan {
        command(&["sh", "-c", script], format, 4, 2)
    }

    fn command(words: &[&str], format: PipeFormat, width: u32, height: u32) -> CameraPlan {
        let command = words.iter().map(|word| word.to_string()).collect();
        plan(SourcePlan::Pipe { command, format }, width, height)
    }

    /// A picture of ffmpeg's test generator (`testsrc2` rounds odd sizes), then the same again without end.
    fn ffmpeg(arguments: &[&str], format: PipeFormat, width: u32, height: u32) -> CameraPlan {
        let source = format!("testsrc=size={width}x{height}:rate=50,format=yuv420p");
        let head = [
            "ffmpeg", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i",
        ];
        let still = ["-vf", "loop=-1:1"];
        let words = [&head[..], &[source.as_str()], &still, arguments, &["-"]].concat();
        command(&words, format, width, height)
    }

    #[test]
    fn the_last_picture_arrives_and_none_arrives_twice() {
        let plan = shell(
            "printf 00000000; printf 11111111; printf 22222222; exec sleep 1000",
            PipeFormat::Gray8,
        );
        let pool = Pool::new(2, 8);
        let mut source = open(&plan).expect("sh is there");
        let mut last = None;
        while last != Some(2) {
            let frame = next(&mut *source, &pool).expect("alive").expect("no end");
            assert!(last < Some(frame.stamp.sequence));
            last = Some(frame.stamp.sequence);
            assert_eq!(frame[..], [b'0' + frame.stamp.sequence as u8; 8]);
            assert_eq!(frame.stamp.exposure_us, Some(123));
            assert!(frame.stamp.mono_ns > 0 && frame.stamp.wall_ns > 0);
        }
        // Nothing more comes: with a time-out of 200 ms, it is wedged.
        let error = fault(&mut *source, &pool);
        assert_eq!(error.kind, CameraErrorKind::Wedged, "{error}");
    }

    #[test]
    fn its_last_words_are_in_the_error() {
        let pool = Pool::new(1, 8);
        let plan = shell(
            "printf 00000000; echo 'no route to camera' >&2; exit 3",
            PipeFormat::Gray8,
        );
        let error = fault(&mut *open(&plan).expect("sh is there"), &pool);
        assert_eq!(error.kind, CameraErrorKind::Lost);
        assert!(error.message.contains("exit status: 3"), "{error}");
        assert!(error.message.contains("no route to camera"), "{error}");

        let plan = shell("printf 00000000111", PipeFormat::Gray8);
        let error = fault(&mut *open(&plan).expect("sh is there"), &pool);
        assert!(error.message.contains("(3 of 8 bytes)"), "{error}");
        assert!(error.cure.contains("width and height"), "{error}");

        let plan = shell("printf 00000000", PipeFormat::Gray8);
        let error = fault(&mut *open(&plan).expect("sh is there"), &pool);
        assert!(error.message.contains("ended by itself"), "{error}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let plan = command(&["no-such-program-9a7f"], PipeFormat::Gray8, 4, 2);
        let error = open(&plan).map(|_| ()).expect_err("absent");
        assert_eq!(error.kind, CameraErrorKind::Absent);
        assert!(error.message.contains("no-such-program-9a7f"), "{error}");
        let plan = command(&["/etc/passwd"], PipeFormat::Gray8, 4, 2);
        let error = open(&plan).map(|_| ()).expect_err("not executable");
        assert_eq!(error.kind, CameraErrorKind::Refused);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn dropping_it_ends_the_command_and_its_children() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("pids");
        let script = format!(
            "sleep 1000 & echo $$ $! > {file}.new; mv {file}.new {file}; printf 00000000; wait",
            file = file.display()
        );
        let mut source = open(&shell(&script, PipeFormat::Gray8)).expect("sh is there");
        let pool = Pool::new(1, 8);
        drop(next(&mut *source, &pool).expect("alive"));
        let pids = std::fs::read_to_string(&file).expect("written before the picture");
        drop(source);
        for pid in pids.split_whitespace() {
            // The child is reaped here; the grandchild by whoever inherits it.
            let alive = || {
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
                stat.is_ok_and(|stat| !stat.contains(") Z "))
            };
            while alive() {
                std::thread::yield_now();
            }
        }
    }

    #[test]
    fn every_format_of_a_real_ffmpeg_gives_the_same_luma() {
        if !have(
            "every_format_of_a_real_ffmpeg_gives_the_same_luma",
            "ffmpeg",
        ) {
            return;
        }
        let (width, height) = (67, 51);
        let luma = |arguments: &[&str], format| {
            let pool = Pool::new(1, width * height);
            let plan = ffmpeg(arguments, format, width as u32, height as u32);
            let mut source = open(&plan).expect("ffmpeg is there");
            // The second one too: framing must not slip.
            drop(next(&mut *source, &pool).expect("alive"));
            let frame = next(&mut *source, &pool).expect("alive").expect("no end");
            assert_eq!((frame.width(), frame.height()), (width, height));
            frame.to_vec()
        };
        let raw = |name: &str, format| luma(&["-f", "rawvideo", "-pix_fmt", name], format);
        let planar = raw("yuv420p", PipeFormat::Yuv420);
        let contrast = planar.iter().max().zip(planar.iter().min());
        assert!(contrast.is_some_and(|(max, min)| max - min > 150));
        assert_eq!(raw("nv12", PipeFormat::Nv12), planar);
        assert_eq!(raw("yuyv422", PipeFormat::Yuyv), planar);
        let near = |name, other: &[u8], scale: fn(f32) -> f32, most: f32| {
            let off = planar.iter().zip(other);
            let off = off.map(|(a, b)| (scale(f32::from(*a)) - f32::from(*b)).abs());
            let mean = off.sum::<f32>() / planar.len() as f32;
            assert!(mean < most, "{name}: mean difference {mean}");
        };
        // ffmpeg's grey has the full range; its YUV keeps 16 to 235.
        let full: fn(f32) -> f32 = |y| ((y - 16.0) * 255.0 / 219.0).clamp(0.0, 255.0);
        near("gray", &raw("gray", PipeFormat::Gray8), full, 1.0);
        let jpeg = luma(
            &["-f", "mjpeg", "-pix_fmt", "yuvj420p", "-q:v", "2"],
            PipeFormat::Mjpeg,
        );
        near("mjpeg", &jpeg, full, 4.0);
    }

    #[test]
    fn jpegs_of_another_size_name_the_cure() {
        if !have("jpegs_of_another_size_name_the_cure", "ffmpeg") {
            return;
        }
        let plan = ffmpeg(&["-f", "mjpeg"], PipeFormat::Mjpeg, 64, 48);
        let error = fault(
            &mut *open(&plan).expect("ffmpeg is there"),
            &Pool::new(1, 63 * 48),
        );
        assert_eq!(error.kind, CameraErrorKind::Unsupported);
        assert_eq!(error.cure, "set camera.width = 64 and camera.height = 48");
    }

    #[test]
    fn a_keeper_starts_it_again_when_it_dies() {
        let plan = shell(
            "printf 00000000; printf 11111111; exit 1",
            PipeFormat::Gray8,
        );
        let mut keeper = Keeper::new(plan);
        let pool = Pool::new(1, 8);
        let mut stamps = Vec::new();
        while keeper.state().reopened < 2 || !keeper.state().up {
            if let Grab::Frame(frame) = keeper.grab(&pool, Duration::from_millis(50)) {
                stamps.push((frame.stamp.sequence, frame.stamp.mono_ns));
            }
        }
        assert!(
            stamps.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1),
            "{stamps:?}"
        );
    }
}
