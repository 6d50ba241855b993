//! The frames of a video, through the same source that replays recordings for
//! the daemon (and so through ffmpeg), as fast as they are taken.

use std::path::Path;
use std::time::Duration;

use crate::camera::{self, CameraError, CameraErrorKind, Grab, Source};
use crate::config::{CameraPlan, Focus, ReplayRate, SourcePlan};
use crate::frame::{Frame, Pool};

/// Largest frame: 8K. Its buffers cost address space, not memory, until used.
const LARGEST: (u32, u32) = (7680, 4320);
/// How long ffmpeg may take for one frame.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long one look for a frame waits; longer silences are the source's to judge.
const PATIENCE: Duration = Duration::from_secs(1);

/// A video being read.
pub(super) struct Video {
    source: Box<dyn Source>,
    pool: Pool,
}

impl Video {
    /// Starts ffmpeg on the file at `path`.
    pub(super) fn open(path: &Path, exposure_us: Option<u32>) -> Result<Self, String> {
        let (width, height) = LARGEST;
        let plan = CameraPlan {
            source: SourcePlan::Replay {
                path: path.to_owned(),
                rate: ReplayRate::Asap,
                repeat: false,
            },
            width,
            height,
            fps: 25.0,
            exposure_us,
            exposure_bracket: None,
            gain: None,
            focus: Focus::Leave,
            timeout: TIMEOUT,
        };
        let bytes = width as usize * height as usize;
        Ok(Self {
            source: camera::open(&plan).map_err(told)?,
            pool: Pool::new(2, bytes),
        })
    }

    /// The next frame; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, String> {
        loop {
            match self.source.grab(&self.pool, PATIENCE).map_err(told)? {
                Grab::Frame(frame) => return Ok(Some(frame)),
                Grab::Idle => {}
                Grab::End => return Ok(None),
            }
        }
    }
}

/// The source's cures speak of the configuration, except where a program is missing.
fn told(error: CameraError) -> String {
    match error.kind {
        CameraErrorKind::Absent => error.to_string(),
        _ => error.message,
    }
}
