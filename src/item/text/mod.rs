//! Text on items: what is asked of whoever reads it, what comes back, and what an
//! event tells of it. Plain values; the reading itself is done elsewhere, on a
//! thread of its own, and an item is decided with what is there by then.

pub(super) mod check;
pub mod date;
mod desk;
mod entry;
mod place;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(super) use desk::{Sightings, TextDesk};

use crate::frame::Luma;
use crate::geometry::Quad;
use crate::ocr::{Line, Strip, Wanted};

/// Text of a field that was read on an item.
#[derive(Clone, Debug, PartialEq)]
pub struct EventText {
    /// The field.
    pub name: String,
    /// What it says, without the field's prefix.
    pub text: String,
    /// How sure that is, 0 to 1.
    pub confidence: f32,
    /// Corners of the line in pixels, from the text's own upper left, where the
    /// event's code is.
    pub corners: Quad,
    /// The code of the event beside which it stands, if the field stands beside one.
    pub code: Option<usize>,
}

/// A field that an event has no text of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedText {
    /// The field.
    pub name: String,
    /// Why.
    pub reason: Skip,
}

/// Why there is no text of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// Too many lines waited, or too many strips were kept.
    QueueFull,
    /// The governor has stopped text: the machine has no time or memory for it.
    Throttled,
    /// It was not read by the time the event was due.
    Late,
    /// The models have failed too often: they are left alone for a while.
    BreakerOpen,
    /// The models failed on it.
    Failed,
    /// There are no models: they are not loaded yet, or cannot be.
    NoModels,
    /// Its place was never wholly in the picture.
    OutOfView,
    /// It was looked at, and nothing can be read there.
    Illegible,
}

impl Skip {
    /// One word for machines.
    pub fn name(self) -> &'static str {
        match self {
            Skip::QueueFull => "queue_full",
            Skip::Throttled => "throttled",
            Skip::Late => "late",
            Skip::BreakerOpen => "breaker_open",
            Skip::Failed => "failed",
            Skip::NoModels => "no_models",
            Skip::OutOfView => "out_of_view",
            Skip::Illegible => "illegible",
        }
    }
}

/// What is to be read: a request of the tracker, to be answered with a
/// [`TextAnswer`] that gives its pixels back.
#[derive(Debug)]
pub struct TextRequest {
    /// Its number: the answer has the same.
    pub id: u64,
    /// What is known of the text.
    pub wanted: Arc<Wanted>,
    /// Its pixels.
    pub cut: Cut,
    /// Where the line is in the picture; of a part of the picture, where the code is
    /// that it was taken with.
    pub corners: Quad,
    /// When they were taken, on the frames' own clock in ns.
    pub mono_ns: u64,
}

/// Pixels cut out of a frame.
#[derive(Debug)]
pub enum Cut {
    /// A line, straightened.
    Strip(Strip),
    /// A part of the picture in which there may be lines.
    Area(Area),
}

/// A part of a picture, copied.
#[derive(Debug, Default)]
pub struct Area {
    pixels: Vec<u8>,
    width: usize,
    height: usize,
    /// Its left edge in the picture.
    pub left: usize,
    /// Its upper edge in the picture.
    pub top: usize,
}

impl Area {
    /// Copies the part `[left, top, width, height]` of `luma`, or all of it. The
    /// memory of what was copied before is used again.
    pub fn copy(&mut self, luma: Luma<'_>, part: Option<[f32; 4]>) {
        let (left, top, part) = match part {
            None => (0, 0, luma),
            Some([left, top, width, height]) => {
                let (left, top) = (left.max(0.0) as usize, top.max(0.0) as usize);
                let part = luma.crop(left, top, width.ceil() as usize, height.ceil() as usize);
                (left, top, part)
            }
        };
        (self.left, self.top) = (left, top);
        (self.width, self.height) = (part.width(), part.height());
        self.pixels.clear();
        for y in 0..part.height() {
            self.pixels.extend_from_slice(part.row(y));
        }
    }

    /// Its pixels.
    pub fn luma(&self) -> Luma<'_> {
        Luma::new(&self.pixels, self.width, self.height, self.width).unwrap_or(Luma::empty())
    }
}

/// What came of a request.
#[derive(Debug)]
pub struct TextAnswer {
    /// The request's number.
    pub id: u64,
    /// Its pixels, for the next one.
    pub cut: Cut,
    /// The lines that were read, corners in pixels of the picture, or why none
    /// was looked for.
    pub lines: Result<Vec<Line>, Skip>,
}

/// Text as an event has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ItemText {
    /// What was read.
    pub texts: Vec<EventText>,
    /// What was not.
    pub skipped: Vec<SkippedText>,
}
