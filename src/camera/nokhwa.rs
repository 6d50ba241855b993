//! Cameras through the crate nokhwa: laptops, and whatever V4L2 does not serve.
//!
//! The crate waits for a frame without limit and gives neither the driver's
//! count nor its time, and on some systems a camera must stay with the thread
//! that opened it. So a thread owns it and leaves its newest frame here; frames
//! are stamped as they come. A camera that hangs holds that thread until it
//! answers; this source does not wait for it. Exposure, gain and focus are left
//! to the system.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use ::nokhwa::utils::{
    CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType, Resolution,
};
use ::nokhwa::{Camera, NokhwaError};

use super::child::no_thread;
use super::mjpeg;
use super::pace::Pace;
use super::pipe::Corrupt;
use super::plane::{Packing, copy_luma};
use super::slot::{Ended, Keep, Shot, Slot, Waited};
use super::{CameraError, CameraErrorKind, Grab, Source};
use crate::clock;
use crate::config::CameraPlan;
use crate::frame::{Frame, Pool};

/// How long opening may take before it counts as failed.
const OPEN_PATIENCE: Duration = Duration::from_secs(20);

/// A camera's first picture may take longer than those after it.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);

/// The cheapest first.
const FORMATS: [FrameFormat; 4] = [
    FrameFormat::GRAY,
    FrameFormat::NV12,
    FrameFormat::YUYV,
    FrameFormat::MJPEG,
];

/// A camera of the system.
pub(super) struct Nokhwa {
    slot: Arc<Slot>,
    name: String,
    format: FrameFormat,
    width: usize,
    height: usize,
    fps: u32,
    timeout: Duration,
    last: Instant,
    first: bool,
    corrupt: Corrupt,
}

impl Nokhwa {
    /// Opens the camera on a thread of its own.
    pub(super) fn open(plan: &CameraPlan, device: &str) -> Result<Self, CameraError> {
        let slot = Arc::new(Slot::default());
        let (answer, opened) = sync_channel(1);
        let (theirs, plan_there, device_there) =
            (Arc::clone(&slot), plan.clone(), device.to_owned());
        thread::Builder::new()
            .name("camera-nokhwa".into())
            .spawn(move || capture(&plan_there, &device_there, answer, &theirs))
            .map_err(|error| no_thread(&error))?;
        let (name, format) = opened.recv_timeout(OPEN_PATIENCE).map_err(|_| {
            slot.abandon();
            CameraError {
                kind: CameraErrorKind::Wedged,
                message: format!("camera {device} cannot be opened: it does not answer"),
                cure: "unplug it and plug it in again".into(),
            }
        })??;
        Ok(Self {
            slot,
            name,
            format: format.format(),
            width: format.width() as usize,
            height: format.height() as usize,
            fps: format.frame_rate(),
            timeout: plan.timeout,
            last: Instant::now(),
            first: true,
            corrupt: Corrupt::none(),
        })
    }

    fn convert(&mut self, shot: &Shot, pool: &Pool) -> Result<Option<Frame>, CameraError> {
        let (packing, stride) = match self.format {
            FrameFormat::MJPEG => {
                let decoded = mjpeg::decode(&shot.bytes, pool);
                return self.corrupt.sort_out(decoded, &self.name, self.timeout);
            }
            FrameFormat::YUYV => (Packing::EveryOther, 2 * self.width),
            _ => (Packing::Plane, self.width),
        };
        let Some(mut frame) = pool.take(self.width, self.height) else {
            return Ok(None);
        };
        Ok(copy_luma(&shot.bytes, stride, packing, &mut frame).then_some(frame))
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
            message: format!("{} has sent no picture for too long", self.name),
            cure: "it is opened again; if that does not help, unplug it and plug it in again, or \
                   raise camera.timeout-ms"
                .into(),
        })
    }
}

impl Source for Nokhwa {
    fn grab(&mut self, pool: &Pool, patience: Duration) -> Result<Grab, CameraError> {
        let shot = match self.slot.wait(patience) {
            Waited::Shot(shot) => shot,
            Waited::Idle => return self.silent(),
            Waited::Ended(ended) => {
                let why = match ended {
                    Ended::Between => String::new(),
                    Ended::Broken(why) => format!(": {why}"),
                };
                return Err(CameraError {
                    kind: CameraErrorKind::Lost,
                    message: format!("{} has gone{why}", self.name),
                    cure: "it is opened again once it is back".into(),
                });
            }
        };
        self.last = Instant::now();
        self.first = false;
        let frame = self.convert(&shot, pool);
        let (sequence, mono_ns) = (shot.sequence, shot.stamp_ns);
        self.slot.give_back(shot);
        let Some(mut frame) = frame? else {
            return Ok(Grab::Idle);
        };
        frame.stamp.sequence = sequence;
        frame.stamp.mono_ns = mono_ns;
        frame.stamp.wall_ns = clock::wall_at(mono_ns);
        Ok(Grab::Frame(frame))
    }

    fn describe(&self) -> String {
        format!(
            "nokhwa {} {} {}x{} at {} fps",
            self.name, self.format, self.width, self.height, self.fps
        )
    }
}

impl Drop for Nokhwa {
    fn drop(&mut self) {
        self.slot.abandon();
    }
}

type Opened = Result<(String, CameraFormat), CameraError>;

/// The cameras of the system: what to write as `camera.device`, and their names.
pub fn list() -> Vec<(String, String)> {
    let cameras = ::nokhwa::query(::nokhwa::utils::ApiBackend::Auto).unwrap_or_default();
    let cameras = cameras.iter();
    cameras
        .map(|camera| (camera.index().as_string(), camera.human_name()))
        .collect()
}

/// The thread that owns the camera, from opening to the end.
fn capture(plan: &CameraPlan, device: &str, answer: SyncSender<Opened>, slot: &Slot) {
    let mut camera = match start(plan, device) {
        Ok(camera) => camera,
        Err(error) => {
            let _ = answer.send(Err(error));
            return;
        }
    };
    let opened = (camera.info().human_name(), camera.camera_format());
    if answer.send(Ok(opened)).is_err() {
        return;
    }
    let mut pace = Pace::default();
    for sequence in 0.. {
        let mut bytes = slot.buffer();
        match camera.frame_raw() {
            Ok(raw) => bytes.extend_from_slice(&raw),
            Err(error) => {
                slot.end(Ended::Broken(error.to_string()));
                break;
            }
        }
        let shot = Shot {
            bytes,
            sequence,
            stamp_ns: pace.stamp(clock::mono_ns()),
        };
        if !slot.put(shot, Keep::Newest) {
            break;
        }
    }
    if let Err(error) = camera.stop_stream() {
        log::debug!("nokhwa: the stream cannot be stopped: {error}");
    }
}

fn start(plan: &CameraPlan, device: &str) -> Result<Camera, CameraError> {
    // macOS asks its user for permission; elsewhere this does nothing.
    ::nokhwa::nokhwa_initialize(|granted| log::debug!("nokhwa: permission {granted}"));
    let index = match device.parse() {
        Ok(number) => CameraIndex::Index(number),
        Err(_) => CameraIndex::String(device.to_owned()),
    };
    let size = Resolution::new(plan.width, plan.height);
    let mut last = None;
    for format in FORMATS {
        let wanted = CameraFormat::new(size, format, plan.fps.round() as u32);
        let request = RequestedFormatType::Exact(wanted);
        let formats = [format];
        let request = RequestedFormat::with_formats(request, &formats);
        match Camera::new(index.clone(), request) {
            Ok(mut camera) => {
                let opened = camera.open_stream();
                return opened.map(|()| camera).map_err(|e| refused(device, &e));
            }
            Err(error) => last = Some(error),
        }
    }
    Err(match last {
        Some(error) => not_offered(plan, device, &index, &error),
        None => unreachable!("there are formats to try"),
    })
}

fn refused(device: &str, error: &NokhwaError) -> CameraError {
    CameraError {
        kind: CameraErrorKind::Refused,
        message: format!("camera {device} cannot be started: {error}"),
        cure: "end the program that uses it, or allow this one to use cameras".into(),
    }
}

/// Nothing fits: because the camera is not there, or because it has other
/// formats.
fn not_offered(
    plan: &CameraPlan,
    device: &str,
    index: &CameraIndex,
    error: &NokhwaError,
) -> CameraError {
    let any = RequestedFormatType::AbsoluteHighestFrameRate;
    let camera = Camera::new(index.clone(), RequestedFormat::with_formats(any, &FORMATS));
    let formats = match camera.and_then(|mut camera| camera.compatible_camera_formats()) {
        Ok(formats) => formats,
        Err(_) => {
            return CameraError {
                kind: CameraErrorKind::Absent,
                message: format!("camera {device} cannot be opened: {error}"),
                cure: "plug it in, or set camera.device to its number from 0".into(),
            };
        }
    };
    let mut offered: Vec<(u32, u32, u32)> = formats
        .iter()
        .map(|format| (format.width(), format.height(), format.frame_rate()))
        .collect();
    offered.sort_unstable();
    offered.dedup();
    let list: Vec<String> = offered
        .iter()
        .map(|(width, height, fps)| format!("{width}x{height} at {fps}"))
        .collect();
    CameraError {
        kind: CameraErrorKind::Unsupported,
        message: format!(
            "camera {device} does not have {}x{} at {} fps",
            plan.width, plan.height, plan.fps
        ),
        cure: format!(
            "set camera.width, camera.height and camera.fps to one of: {}",
            list.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::open;
    use crate::camera::testing::plan;
    use crate::config::SourcePlan;

    #[test]
    fn a_camera_that_is_not_there_is_told() {
        let device = "213".to_owned();
        let error = open(&plan(SourcePlan::Nokhwa { device }, 640, 480))
            .map(|_| ())
            .expect_err("no such camera");
        assert_eq!(error.kind, CameraErrorKind::Absent, "{error}");
        assert!(error.message.contains("213"), "{error}");
    }
}
