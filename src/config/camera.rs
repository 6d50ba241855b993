//! `[camera]`: where frames come from.

mod resolve;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The section as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Camera {
    /// `v4l2`, `rpicam`, `pipe`, `replay`, `belt` or (where built in) `nokhwa`.
    pub source: String,
    /// V4L2: device path, best a stable one below `/dev/v4l/by-id/`, or the
    /// number N of `/dev/videoN`. Nokhwa: index.
    pub device: String,
    /// Width in pixels, 16 to 16384. `replay`: of the largest picture.
    pub width: u32,
    /// Height in pixels, 16 to 16384. `replay`: of the largest picture.
    pub height: u32,
    /// Frames a second, up to 1000. `replay`: of pictures; a video has its own.
    pub fps: f32,
    /// Pixel format; `auto` takes the cheapest that the camera has.
    pub format: PixelFormat,
    /// Exposure time in microseconds; absent leaves exposure to the camera.
    /// `pipe`, `replay`: what it was, since it cannot be set from here.
    pub exposure_us: Option<u32>,
    /// Exposure of every other frame as a multiple of `exposure-us`: motion blur
    /// that wipes out one length of pattern in a frame leaves it in the next.
    pub exposure_bracket: Option<f32>,
    /// Gain in the camera's own units (V4L2) or as a factor (rpicam).
    pub gain: Option<f32>,
    /// `auto`, `leave`, or a position in the camera's own units.
    pub focus: Focus,
    /// How long to wait for a frame before the camera counts as wedged, in ms.
    pub timeout_ms: u32,
    /// `pipe`: command and arguments. `rpicam`: replaces `rpicam-vid`.
    pub command: Vec<String>,
    /// `pipe`: what the command writes: `gray8`, `yuyv`, `nv12`, `yuv420` or `mjpeg`.
    pub pipe_format: PipeFormat,
    /// `replay`: file, folder or video.
    pub path: PathBuf,
    /// `replay`: `own`, `asap`, or frames a second.
    pub rate: ReplayRate,
    /// `replay`: start again at the end.
    pub repeat: bool,
    /// `belt`: the synthetic conveyor.
    pub belt: BeltSource,
}

/// `[camera.belt]`: the synthetic conveyor, seeded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct BeltSource {
    /// Same seed, same frames.
    pub seed: u64,
    /// Speed in metres a second.
    pub speed_m_s: f32,
    /// Pixels to a millimetre.
    pub px_per_mm: f32,
    /// Mean gap between boxes in millimetres.
    pub gap_mm: f32,
    /// Side of a module in millimetres.
    pub module_mm: f32,
    /// Standard deviation of the sensor's noise in grey levels.
    pub noise: f32,
    /// Share of the frame's area under specular highlights, 0 to 1.
    pub glare: f32,
    /// Time from the first row's exposure to the last one's, in ms (rolling shutter).
    pub readout_ms: f32,
    /// Items to send before the belt ends; 0 never ends.
    pub items: u64,
    /// Whether frames come in real time; if not, as fast as they are taken.
    pub real_time: bool,
    /// When the belt was started, ms since 1970 (real time only): a daemon that
    /// is started again finds the belt where it has got to. 0: it starts with
    /// the daemon.
    pub started_unix_ms: u64,
    /// Labels with a GS1 code of GTIN, expiry and lot, and expiry and lot printed
    /// below it.
    pub print: bool,
    /// One of so many such labels is printed wrong; 0: none.
    pub misprint_every: u64,
}

/// Pixel formats of V4L2 sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PixelFormat {
    /// The cheapest that the camera offers at this size and rate.
    #[default]
    Auto,
    /// 8-bit grey.
    Grey,
    /// Packed 4:2:2.
    Yuyv,
    /// Planar luma, interleaved chroma.
    Nv12,
    /// Motion JPEG.
    Mjpeg,
}

/// What a piped command writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PipeFormat {
    /// 8-bit grey, rows without padding.
    #[default]
    Gray8,
    /// Packed 4:2:2.
    Yuyv,
    /// Planar luma, interleaved chroma.
    Nv12,
    /// Three planes.
    Yuv420,
    /// JPEG pictures one after another.
    Mjpeg,
}

/// Focus: a mode or a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Focus {
    /// The lens stays where it is: automatic focus is off.
    #[default]
    Leave,
    /// Automatic.
    Auto,
    /// A position in the camera's own units (V4L2) or dioptres (rpicam).
    #[serde(untagged)]
    At(f32),
}

/// Pace of a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplayRate {
    /// The video's own rate; `camera.fps` for pictures.
    #[default]
    Own,
    /// As fast as frames are taken; every frame is waited for.
    Asap,
    /// Frames a second.
    #[serde(untagged)]
    Fps(f32),
}

impl Default for Camera {
    fn default() -> Self {
        Self {
            source: "v4l2".into(),
            device: "/dev/video0".into(),
            width: 1280,
            height: 800,
            fps: 60.0,
            format: PixelFormat::Auto,
            exposure_us: None,
            exposure_bracket: None,
            gain: None,
            focus: Focus::Leave,
            timeout_ms: 2000,
            command: Vec::new(),
            pipe_format: PipeFormat::Gray8,
            path: PathBuf::new(),
            rate: ReplayRate::Own,
            repeat: false,
            belt: BeltSource::default(),
        }
    }
}

impl Default for BeltSource {
    fn default() -> Self {
        Self {
            seed: 1,
            speed_m_s: 1.0,
            px_per_mm: 4.0,
            gap_mm: 120.0,
            module_mm: 1.0,
            noise: 3.0,
            glare: 0.01,
            readout_ms: 8.0,
            items: 0,
            real_time: true,
            started_unix_ms: 0,
            print: false,
            misprint_every: 0,
        }
    }
}

/// The section resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraPlan {
    /// Where from.
    pub source: SourcePlan,
    /// Width in pixels, at most 16384.
    pub width: u32,
    /// Height in pixels, at most 16384.
    pub height: u32,
    /// Frames a second.
    pub fps: f32,
    /// Exposure time in microseconds, if it is to be set.
    pub exposure_us: Option<u32>,
    /// Exposure of every other frame, as a multiple of that time.
    pub exposure_bracket: Option<f32>,
    /// Gain, if it is to be set.
    pub gain: Option<f32>,
    /// Focus.
    pub focus: Focus,
    /// When a silent camera counts as wedged.
    pub timeout: std::time::Duration,
}

impl CameraPlan {
    /// Exposure of the frame with this sequence number in microseconds, if it is
    /// to be set.
    pub fn exposure_of(&self, sequence: u64) -> Option<u32> {
        let exposure = self.exposure_us?;
        match self.exposure_bracket {
            Some(factor) if sequence % 2 == 1 => Some((exposure as f32 * factor).round() as u32),
            _ => Some(exposure),
        }
    }
}

/// Where frames come from, with what only that source needs.
#[derive(Clone, Debug, PartialEq)]
pub enum SourcePlan {
    /// Video4Linux.
    V4l2 {
        /// Device path.
        device: PathBuf,
        /// Pixel format.
        format: PixelFormat,
    },
    /// The nokhwa crate.
    Nokhwa {
        /// Camera index or name.
        device: String,
    },
    /// rpicam-vid as a child.
    Rpicam {
        /// Program and leading arguments.
        command: Vec<String>,
    },
    /// Any command.
    Pipe {
        /// Program and arguments.
        command: Vec<String>,
        /// What it writes.
        format: PipeFormat,
    },
    /// Recorded pictures.
    Replay {
        /// File, folder or video.
        path: PathBuf,
        /// Pace.
        rate: ReplayRate,
        /// Start again at the end.
        repeat: bool,
    },
    /// The synthetic conveyor.
    Belt(BeltSourcePlan),
}

/// The synthetic conveyor.
pub type BeltSourcePlan = BeltSource;
