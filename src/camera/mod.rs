//! Sources of frames behind one small trait.

pub mod belt;
pub mod picture;

use std::time::Duration;

use crate::frame::{Frame, Pool};

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
