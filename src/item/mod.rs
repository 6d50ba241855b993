//! What passes on the belt: tracks through frames, one decision for each item,
//! rules and verdicts, trigger windows, no-reads; the [`Event`].

mod event;
pub mod gs1;
mod rules;
mod view;

pub use event::{
    Event, EventCode, EventKind, Failure, Gs1Elements, LastPlace, NoRead, TrackSummary, Trigger,
    Verdict,
};
pub use rules::judge;
pub use view::CodeView;
pub(crate) use view::point as view_point;

use crate::geometry::{Point, Quad};

/// Where the pipeline may expect a code in the next frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hint {
    /// Its corners, predicted for the frame's own time.
    pub corners: Quad,
    /// Its velocity in pixels a second.
    pub velocity: Point,
}
