//! Video4Linux: USB cameras and whatever else the kernel shows as
//! `/dev/video…`, captured from memory-mapped buffers.
//!
//! A grab drains the driver's queue to the newest picture and copies its luma
//! once, into the pool's frame. Stamps are the driver's own; gaps in its
//! sequence are frames that it dropped. A device that goes away is
//! [`CameraErrorKind::Lost`], one that falls silent
//! [`CameraErrorKind::Wedged`]; opening it again sets every control again.

mod abi;
mod controls;
mod device;
mod formats;
mod nodes;
mod queue;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use controls::Control;
pub use formats::{Format, Size};
pub use nodes::{Info, list};

use self::controls::Applied;
use self::device::{Device, Polled, text};
use self::formats::{Choice, NoChoice};
use self::queue::{Filled, Queue};
use super::mjpeg;
use super::pipe::Corrupt;
use super::plane::{Packing, copy_luma};
use super::{CameraError, CameraErrorKind, Grab, Source};
use crate::clock;
use crate::config::{CameraPlan, PixelFormat};
use crate::frame::{Frame, Pool};

/// A camera's first picture may take longer than those after it.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);

/// A stamp further than this from now is not believed.
const MOST_AGE_NS: u64 = 10_000_000_000;

/// A V4L2 device that is streaming.
pub(super) struct V4l2 {
    queue: Queue,
    path: PathBuf,
    format: PixelFormat,
    width: usize,
    height: usize,
    stride: usize,
    exposure_us: Option<u32>,
    timeout: Duration,
    /// When the last picture came.
    last: Instant,
    first: bool,
    count: Sequence,
    corrupt: Corrupt,
    description: String,
}

/// The driver's 32-bit count of pictures as one that never wraps.
#[derive(Default)]
struct Sequence {
    last: Option<u32>,
    total: u64,
}

impl V4l2 {
    /// Opens the device and starts it as planned.
    pub(super) fn open(
        plan: &CameraPlan,
        path: &Path,
        wanted: PixelFormat,
    ) -> Result<Self, CameraError> {
        let device = Device::open(path).map_err(|error| cannot_open(path, &error))?;
        let capability = capability(&device, path)?;
        let choice = formats::choose_on(&device, wanted, (plan.width, plan.height, plan.fps))
            .map_err(|none| not_offered(path, plan, &none))?;
        let stride = set_format(&device, path, plan, choice)?;
        let fps = set_rate(&device, path, plan.fps)?;
        controls::apply(&device, plan);
        let queue = Queue::start(device).map_err(|error| broken(path, "start", &error))?;
        // Some cameras take up their controls only now, some forget them at the
        // start of the stream: what is set once more is what counts.
        let applied = controls::apply(queue.device(), plan);
        let description = describe(plan, path, &capability, choice, fps, &applied);
        Ok(Self {
            queue,
            path: path.to_owned(),
            format: choice.format,
            width: plan.width as usize,
            height: plan.height as usize,
            stride,
            exposure_us: applied.exposure_us,
            timeout: plan.timeout,
            last: Instant::now(),
            first: true,
            count: Sequence::default(),
            corrupt: Corrupt::none(),
            description,
        })
    }

    fn convert(&mut self, filled: &Filled, pool: &Pool) -> Result<Option<Frame>, CameraError> {
        let bytes = self.queue.bytes(filled);
        let packing = match self.format {
            PixelFormat::Mjpeg => {
                let name = self.path.display().to_string();
                let decoded = mjpeg::decode(bytes, pool);
                return self.corrupt.sort_out(decoded, &name, self.timeout);
            }
            PixelFormat::Yuyv => Packing::EveryOther,
            PixelFormat::Grey | PixelFormat::Nv12 | PixelFormat::Auto => Packing::Plane,
        };
        let Some(mut frame) = pool.take(self.width, self.height) else {
            return Ok(None);
        };
        Ok(copy_luma(bytes, self.stride, packing, &mut frame).then_some(frame))
    }

    /// Middle of the exposure on the monotonic clock.
    fn middle_of(&self, filled: &Filled) -> u64 {
        let now = clock::mono_ns();
        let half = u64::from(self.exposure_us.unwrap_or(0)) * 500;
        match filled.stamp() {
            Some((ns, at_start)) if now.abs_diff(ns) < MOST_AGE_NS => match at_start {
                true => ns + half,
                // The end of the picture is later than that of its exposure by
                // the readout, which the driver does not tell; it is the same
                // for every frame.
                false => ns.saturating_sub(half),
            },
            _ => now,
        }
    }

    fn silent(&self) -> Result<Grab, CameraError> {
        let limit = match self.first {
            true => self.timeout.max(FIRST_PATIENCE),
            false => self.timeout,
        };
        if self.last.elapsed() < limit {
            return Ok(Grab::Idle);
        }
        Err(CameraError {
            kind: CameraErrorKind::Wedged,
            message: format!(
                "{} has sent no picture for {:.1} s",
                self.path.display(),
                self.last.elapsed().as_secs_f32()
            ),
            cure: "it is opened again; if that does not help, unplug it and plug it in again, \
                   try another cable or socket, or raise camera.timeout-ms"
                .into(),
        })
    }
}

impl Source for V4l2 {
    fn grab(&mut self, pool: &Pool, patience: Duration) -> Result<Grab, CameraError> {
        let gone = |error: &io::Error| broken(&self.path, "read", error);
        let polled = self.queue.device().wait(patience).map_err(|e| gone(&e))?;
        if polled == Polled::TimeOut {
            return self.silent();
        }
        // After an error the call says which.
        let drained = self.queue.drain().map_err(|e| gone(&e))?;
        if drained.damaged > 0 {
            log::debug!(
                "{}: the driver marks {} pictures as damaged",
                self.path.display(),
                drained.damaged
            );
        }
        let Some(filled) = drained.newest else {
            if polled == Polled::Error {
                return Err(gone(&io::Error::other("the driver reports an error")));
            }
            return self.silent();
        };
        self.last = Instant::now();
        self.first = false;
        let sequence = self.count.extend(filled.sequence());
        let mono_ns = self.middle_of(&filled);
        let frame = self.convert(&filled, pool);
        let put_back = self.queue.put_back(filled);
        put_back.map_err(|error| broken(&self.path, "read", &error))?;
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
        self.description.clone()
    }
}

impl Sequence {
    fn extend(&mut self, now: u32) -> u64 {
        self.total += match self.last {
            None => 0,
            // A driver that does not count, or starts again, has lost nothing
            // that could be known.
            Some(last) => match now.wrapping_sub(last) {
                0 | 0x8000_0000.. => 1,
                step => u64::from(step),
            },
        };
        self.last = Some(now);
        self.total
    }
}

fn capability(device: &Device, path: &Path) -> Result<abi::Capability, CameraError> {
    let mut capability = abi::Capability::default();
    device
        .call(&abi::QUERYCAP, &mut capability)
        .map_err(|error| {
            if error.raw_os_error() == Some(libc::ENODEV) {
                return broken(path, "open", &error);
            }
            unsupported(
                format!("{} is no video device ({error})", path.display()),
                format!("set camera.device to one; {}", nodes::there_is()),
            )
        })?;
    let abilities = nodes::abilities(&capability);
    if abilities & abi::CAP_CAPTURE == 0 {
        let what = match abilities & abi::CAP_CAPTURE_MPLANE {
            0 => "captures no pictures",
            _ => "captures in several planes only, which is not supported",
        };
        return Err(unsupported(
            format!("{} {what}", path.display()),
            format!(
                "set camera.device to another one ({}), or use source = \"pipe\" with GStreamer",
                nodes::there_is()
            ),
        ));
    }
    if abilities & abi::CAP_STREAMING == 0 {
        return Err(unsupported(
            format!("{} cannot stream", path.display()),
            "use source = \"pipe\" with ffmpeg".into(),
        ));
    }
    Ok(capability)
}

/// Sets format and size; returns the distance between rows.
fn set_format(
    device: &Device,
    path: &Path,
    plan: &CameraPlan,
    choice: Choice,
) -> Result<usize, CameraError> {
    let mut format = abi::Format::capture(abi::PixelFormat {
        width: plan.width,
        height: plan.height,
        fourcc: choice.fourcc,
        field: abi::FIELD_NONE,
        ..Default::default()
    });
    device
        .call(&abi::S_FMT, &mut format)
        .map_err(|error| broken(path, "set the format of", &error))?;
    let got = &format.pix;
    if (got.width, got.height, got.fourcc) != (plan.width, plan.height, choice.fourcc) {
        return Err(unsupported(
            format!(
                "{} gives {} {}x{} instead of {} {}x{}",
                path.display(),
                text(&got.fourcc),
                got.width,
                got.height,
                text(&choice.fourcc),
                plan.width,
                plan.height
            ),
            format!(
                "set camera.width = {} and camera.height = {}, or choose what `beltscan cameras` \
                 lists",
                got.width, got.height
            ),
        ));
    }
    let packed = match choice.format {
        PixelFormat::Yuyv => 2 * got.width,
        _ => got.width,
    };
    Ok(got.bytes_per_line.max(packed) as usize)
}

/// Sets the rate; returns what the device made of it, if it tells.
fn set_rate(device: &Device, path: &Path, fps: f32) -> Result<Option<f32>, CameraError> {
    let mut parameters = abi::StreamParameters::capture(abi::Fraction::default());
    if device.call(&abi::G_PARM, &mut parameters).is_err() {
        return Ok(None);
    }
    if parameters.capability & abi::CAP_TIMEPERFRAME == 0 {
        return Ok(formats::fps_of(parameters.interval));
    }
    parameters.interval = formats::interval_of(fps);
    device
        .call(&abi::S_PARM, &mut parameters)
        .map_err(|error| broken(path, "set the rate of", &error))?;
    Ok(formats::fps_of(parameters.interval))
}

/// One line of what was opened. What is not as asked goes to the log too.
fn describe(
    plan: &CameraPlan,
    path: &Path,
    capability: &abi::Capability,
    choice: Choice,
    fps: Option<f32>,
    applied: &Applied,
) -> String {
    let mut told = applied.told.clone();
    let mut trouble = applied.trouble.clone();
    match fps {
        Some(fps) if (fps - plan.fps).abs() > 0.02 * plan.fps => trouble.push(format!(
            "the camera gives {fps:.2} fps instead of {}",
            plan.fps
        )),
        None => trouble.push("the camera does not tell its rate".into()),
        Some(_) => {}
    }
    let numbered = path.parent() == Some(Path::new("/dev"));
    if let (true, Some(stable)) = (numbered, nodes::stable_names(path).first()) {
        trouble.push(format!(
            "{} may be another camera after a reboot: write device = {stable:?}",
            path.display()
        ));
    }
    for trouble in &trouble {
        log::warn!("camera {}: {trouble}", path.display());
    }
    told.append(&mut trouble);
    let rate = fps.unwrap_or(plan.fps);
    let mut line = format!(
        "v4l2 {} ({}) {} {}x{} at {rate:.2} fps",
        path.display(),
        text(&capability.card),
        text(&choice.fourcc),
        plan.width,
        plan.height
    );
    for told in told {
        line.push_str("; ");
        line.push_str(&told);
    }
    line
}

fn unsupported(message: String, cure: String) -> CameraError {
    CameraError {
        kind: CameraErrorKind::Unsupported,
        message,
        cure,
    }
}

fn not_offered(path: &Path, plan: &CameraPlan, none: &NoChoice) -> CameraError {
    let list = |offered: &[String]| match offered.is_empty() {
        true => "nothing".into(),
        false => offered.join(", "),
    };
    match none {
        NoChoice::Format(offered) => unsupported(
            format!(
                "{} has no pixel format as asked for; it has {}",
                path.display(),
                list(offered)
            ),
            "set camera.format to \"auto\" or to grey, nv12, yuyv or mjpeg as the device has it, \
             or use source = \"pipe\" or \"rpicam\""
                .into(),
        ),
        NoChoice::Size(offered) => unsupported(
            format!(
                "{} does not have {}x{}",
                path.display(),
                plan.width,
                plan.height
            ),
            format!(
                "set camera.width and camera.height to one of: {}",
                list(offered)
            ),
        ),
    }
}

fn cannot_open(path: &Path, error: &io::Error) -> CameraError {
    let (kind, cure) = match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO | libc::ENOTDIR) => (
            CameraErrorKind::Absent,
            format!(
                "plug the camera in, or set camera.device; {}",
                nodes::there_is()
            ),
        ),
        Some(libc::EACCES | libc::EPERM) => (
            CameraErrorKind::Refused,
            "let the user that runs beltscan into the group video (usermod -aG video USER; in the \
             unit SupplementaryGroups=video and DeviceAllow=char-video4linux)"
                .into(),
        ),
        Some(libc::EBUSY) => (
            CameraErrorKind::Refused,
            format!("it is in use{}: end that program", nodes::users(path)),
        ),
        _ => (
            CameraErrorKind::Lost,
            "see what the kernel says: journalctl -k".into(),
        ),
    };
    CameraError {
        kind,
        message: format!("{} cannot be opened: {error}", path.display()),
        cure,
    }
}

/// A call failed on a device that could be opened.
fn broken(path: &Path, what: &str, error: &io::Error) -> CameraError {
    let (kind, cure) = match error.raw_os_error() {
        Some(libc::EBUSY) => (
            CameraErrorKind::Refused,
            format!("it is in use{}: end that program", nodes::users(path)),
        ),
        Some(libc::ENODEV) => (
            CameraErrorKind::Lost,
            "it has been unplugged; it is opened again once it is back".into(),
        ),
        Some(libc::ENOSPC) => (
            CameraErrorKind::Refused,
            "the USB bus has no bandwidth left: lower size or rate, or use another socket".into(),
        ),
        _ => (
            CameraErrorKind::Lost,
            "it is opened again; if that does not help, see what the kernel says: journalctl -k"
                .into(),
        ),
    };
    CameraError {
        kind,
        message: format!("cannot {what} {}: {error}", path.display()),
        cure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::open;
    use crate::camera::testing::plan;
    use crate::config::SourcePlan;

    #[test]
    fn the_drivers_count_goes_on_past_its_end_and_its_faults() {
        let mut count = Sequence::default();
        let counted: Vec<u64> = [u32::MAX - 1, u32::MAX, 0, 3, 3, 4, 0, 1]
            .into_iter()
            .map(|sequence| count.extend(sequence))
            .collect();
        assert_eq!(counted, [0, 1, 2, 5, 6, 7, 8, 9]);
    }

    fn error_of(device: &str) -> CameraError {
        let source = SourcePlan::V4l2 {
            device: device.into(),
            format: PixelFormat::Auto,
        };
        open(&plan(source, 640, 480))
            .map(|_| ())
            .expect_err("no camera")
    }

    #[test]
    fn an_absent_device_is_answered_with_what_is_there() {
        let error = error_of("/dev/v4l/by-id/no-such-camera");
        assert_eq!(error.kind, CameraErrorKind::Absent);
        assert!(error.message.contains("no-such-camera"), "{error}");
        assert!(error.cure.contains("there"), "{error}");
    }

    #[test]
    fn what_is_no_camera_is_told() {
        let error = error_of("/dev/null");
        assert_eq!(error.kind, CameraErrorKind::Unsupported);
        assert!(error.message.contains("no video device"), "{error}");
        let folder = error_of("/dev");
        assert_eq!(folder.kind, CameraErrorKind::Lost, "{folder}");
    }
}
