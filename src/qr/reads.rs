//! What reading a frame gave.

use super::{Codes, Reason, Sign, Unread};
use crate::geometry::{Point, Quad};

/// Attempts of one kind on a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// How many were made.
    pub times: u32,
    /// What they took, with what proposing them took, in units of work.
    pub units: u64,
}

/// How much was done for a frame, counted in attempts instead of time, so that
/// tests can tell what a picture can cost at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Looks over the whole frame.
    pub passes: u32,
    /// Row candidates that were crossed.
    pub crossed: u32,
    /// Candidates that were measured in grey.
    pub measured: u32,
    /// Finder patterns.
    pub finders: u32,
    /// Triples whose timing patterns were looked at.
    pub timed: u32,
    /// Grids that were sampled.
    pub sampled: u32,
    /// Samples that went to the decoder.
    pub decoded: u32,
    /// Finder patterns that were followed to symbols of which others are hidden.
    pub pairs: Tried,
    /// Places from which blur was taken out.
    pub deblurs: Tried,
    /// Finder patterns that were tried as the only one of a symbol.
    pub corners: Tried,
    /// Symbols that were located but not read, tried as odd print.
    pub prints: Tried,
    /// All of it, in units of about one pixel touched once.
    pub units: u64,
}

/// The result of [`Reader::read`](super::Reader::read). Its memory is kept from
/// frame to frame.
#[derive(Debug, Default)]
pub struct Reads {
    /// The codes, in the order in which they were found.
    pub codes: Codes,
    /// Symbols that were located but not read.
    pub unread: Vec<Unread>,
    /// Finder patterns outside of the codes that were read, at most 64.
    pub signs: Vec<Sign>,
    /// Why nothing was read; `None` if there are codes.
    pub failure: Option<Reason>,
    /// What it took.
    pub work: Work,
    /// Probability that all attempts together would have read something out of
    /// random modules: at most 1e-10. Rectangular symbols, whose fixed patterns
    /// bound it by themselves, are not counted.
    pub risk: f64,
    /// Symbols that were located exactly, but of which too little is left to be
    /// decoded: nothing more can be found there.
    pub(super) lost: Vec<Quad>,
}

impl Reads {
    /// Forgets everything but its memory.
    pub fn clear(&mut self) {
        self.codes.clear();
        self.unread.clear();
        self.signs.clear();
        self.failure = None;
        self.work = Work::default();
        self.risk = 0.0;
        self.lost.clear();
    }

    /// Is all known of the place `at` that can be: does it lie in a code that was
    /// read, or in one that is lost?
    pub(super) fn explain(&self, at: Point) -> bool {
        self.codes.cover(at) || self.lost.iter().any(|quad| quad.contains(at))
    }
}
