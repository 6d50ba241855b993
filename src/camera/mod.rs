//! Sources of frames behind one small trait, and [`Keeper`], which keeps one
//! open through faults. What a frame shows is no business of this room.

pub mod belt;
mod child;
mod feed;
mod keeper;
mod mjpeg;
#[cfg(feature = "nokhwa")]
pub mod nokhwa;
mod pace;
pub mod picture;
mod pipe;
mod plane;
mod replay;
#[cfg(unix)]
mod rpicam;
mod slot;
#[cfg(target_os = "linux")]
pub mod v4l2;

#[cfg(test)]
mod testing;

pub use keeper::{Keeper, KeeperState};

use std::time::Duration;

use crate::config::{CameraPlan, SourcePlan};
use crate::frame::{Frame, Pool};

/// Opens the source that the plan names. May take as long as the device does;
/// [`Keeper`] does it on a thread of its own.
pub fn open(plan: &CameraPlan) -> Result<Box<dyn Source>, CameraError> {
    match &plan.source {
        SourcePlan::Pipe { command, format } => {
            Ok(Box::new(pipe::Pipe::open(plan, command, *format)?))
        }
        SourcePlan::Replay { path, rate, repeat } => {
            Ok(Box::new(replay::Replay::open(plan, path, *rate, *repeat)?))
        }
        #[cfg(target_os = "linux")]
        SourcePlan::V4l2 { device, format } => {
            Ok(Box::new(v4l2::V4l2::open(plan, device, *format)?))
        }
        #[cfg(feature = "nokhwa")]
        SourcePlan::Nokhwa { device } => Ok(Box::new(nokhwa::Nokhwa::open(plan, device)?)),
        #[cfg(unix)]
        SourcePlan::Rpicam { command } => Ok(Box::new(rpicam::Rpicam::open(plan, command)?)),
        SourcePlan::Belt(belt) => Ok(Box::new(belt::BeltCamera::open(plan, belt)?)),
        // With every feature, on Linux, none is left.
        #[allow(unreachable_patterns)]
        _ => Err(CameraError {
            kind: CameraErrorKind::Unsupported,
            message: "this build does not have the source that camera.source names".into(),
            cure: "choose pipe or replay, or build with: cargo build --features nokhwa".into(),
        }),
    }
}

/// A source of frames. It is driven by one thread; opening, closing and opening
/// it again after a fault is the caller's business.
pub trait Source: Send {
    /// Waits at most `patience` for the newest frame, copied into a buffer of
    /// `pool`. A live source drops what is older than the newest and what finds
    /// the pool empty; both show as gaps in [`crate::frame::Stamp::sequence`].
    /// Returns by itself well within `patience` plus a fraction of a second, so
    /// that a wedged camera never looks like a wedged daemon.
    fn grab(&mut self, pool: &Pool, patience: Duration) -> Result<Grab, CameraError>;

    /// One line for log and status: what was opened, with which format, size,
    /// rate and controls.
    fn describe(&self) -> String;
}

/// What one [`Source::grab`] brought.
pub enum Grab {
    /// The newest frame.
    Frame(Frame),
    /// None within the caller's patience: no fault yet.
    Idle,
    /// The source has come to its end (a file, a belt with a number of items).
    End,
}

/// Why a source cannot be opened or has gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraError {
    /// What kind of trouble.
    pub kind: CameraErrorKind,
    /// What happened, naming the device or the key.
    pub message: String,
    /// What would help.
    pub cure: String,
}

/// Kinds of camera trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CameraErrorKind {
    /// There is no such device, file or program.
    Absent,
    /// It is there but in use, or permission is lacking.
    Refused,
    /// It cannot do what the configuration asks for.
    Unsupported,
    /// It was there and has gone.
    Lost,
    /// It is there but sends nothing.
    Wedged,
}

impl std::fmt::Display for CameraError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.message, self.cure)
    }
}

impl std::error::Error for CameraError {}
