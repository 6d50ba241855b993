//! What passes on the belt: tracks through frames, frames added up where single
//! ones tell nothing, one decision for each item, rules and verdicts, trigger
//! windows, no-reads; the [`Event`].

mod advance;
mod associate;
mod cadence;
mod decide;
mod event;
mod fusion;
mod group;
pub mod gs1;
mod motion;
mod pictures;
mod restart;
mod rules;
mod scene;
mod stray;
pub mod text;
mod track;
mod tracker;
mod variety;
mod view;
mod window;

#[cfg(test)]
mod belts;

pub use crate::qr::Hint;
pub use event::{
    Event, EventCode, EventKind, Failure, Gs1Elements, LastPlace, Mismatch, NoRead, TrackSummary,
    Trigger, Verdict,
};
pub use pictures::Pictures;
pub use restart::Published;
pub use rules::judge;
pub use tracker::Tracker;
pub use view::CodeView;
pub(crate) use view::point as view_point;
pub use window::Refused;

use crate::geometry::{Point, Quad};
use crate::qr;

/// What was read in one frame, and what was seen of more.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen<'a> {
    /// The codes.
    pub codes: &'a [qr::Code],
    /// Symbols that were located but not read.
    pub unread: &'a [qr::Unread],
    /// Finder patterns of no code that was read.
    pub signs: &'a [qr::Sign],
}

impl<'a> From<&'a qr::Reads> for Seen<'a> {
    fn from(reads: &'a qr::Reads) -> Self {
        Self {
            codes: &reads.codes,
            unread: &reads.unread,
            signs: &reads.signs,
        }
    }
}

/// What is followed at the moment, as a plain value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackView {
    /// Where it is, or is expected to be.
    pub corners: Quad,
    /// Its velocity in pixels a second.
    pub velocity: Point,
    /// Frames in which it was seen.
    pub frames: u32,
    /// Frames that agree on its content; 0 if it was not read yet.
    pub votes: u32,
    /// Whether its item is decided.
    pub decided: bool,
}
