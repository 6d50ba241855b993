//! What passes on the belt: tracks through frames, one decision for each item,
//! rules and verdicts, trigger windows, no-reads; the [`Event`].

mod associate;
mod decide;
mod event;
mod group;
pub mod gs1;
mod motion;
mod pictures;
mod rules;
mod track;
mod tracker;
mod view;
mod window;

#[cfg(test)]
mod scenes;

pub use crate::qr::Hint;
pub use event::{
    Event, EventCode, EventKind, Failure, Gs1Elements, LastPlace, NoRead, TrackSummary, Trigger,
    Verdict,
};
pub use pictures::Pictures;
pub use rules::judge;
pub use tracker::Tracker;
pub use view::CodeView;
pub(crate) use view::point as view_point;
pub use window::Refused;

use crate::geometry::{Point, Quad};

/// An item published before a restart, as the outbox keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// For each of its codes the text, or `bytes_b64` where it has no text.
    pub texts: Vec<String>,
    /// Where it was last.
    pub place: LastPlace,
}

impl Published {
    /// What a restart needs to know of `event`; `None` for one that has no code
    /// or no place.
    pub fn of(event: &Event) -> Option<Self> {
        let texts: Vec<String> = event
            .codes
            .iter()
            .map(|code| match (&code.text, &code.bytes) {
                (Some(text), _) => text.clone(),
                (None, bytes) => decide::to_base64(bytes.as_deref().unwrap_or_default()),
            })
            .collect();
        (!texts.is_empty()).then_some(Self {
            texts,
            place: event.last_place?,
        })
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
