//! Symbols of three finder patterns: laid flat, around a cylinder or bent, and where
//! not all three are seen well, settled first.

use super::{Trial, UNITS_PER_MODULE};
use crate::geometry::Quad;
use crate::optics::Sampler;
use crate::qr::budget::Budget;
use crate::qr::grid::{Fit, Freedom, Grid, Locator, Statistics, refine};
use crate::qr::{ReaderOptions, Reads};

/// Timing score of a flat grid below which it is first asked whether the symbol lies
/// around a cylinder: there a flat one may be read, but hardly lies on its far corner.
const DOUBTFUL: f32 = 0.8;
/// Least timing score of a triple that is worth sampling.
const LEAST_TIMING: f32 = 0.55;
/// The same where a finder pattern is not seen.
const LEAST_UNSETTLED: f32 = 0.35;
/// Least agreement of the function patterns of a settled grid that is worth
/// decoding.
const LEAST_AGREEMENT: f32 = 0.5;
/// How far, in modules, a finder pattern may lie from where it was seen, …
const SEEN_REACH: f32 = 0.5;
/// … from where two others suppose it, …
const HIDDEN_REACH: f32 = 3.0;
/// … and the place across from where three make it a parallelogram.
const ACROSS_REACH: f32 = 2.5;
/// Least timing score, or agreement after settling, of a grid that is worth bending.
const BENDING: f32 = 0.6;

/// What is supposed of a symbol before its grid is settled.
#[derive(Clone, Copy, Debug)]
pub struct Supposed {
    /// Modules a side, as far as distances tell.
    pub side: f32,
    /// Which of its finder patterns is not seen: 0 at the corner, 1 right, 2 down.
    pub hidden: Option<usize>,
}

/// How a grid is bent before it is tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bending {
    None,
    /// As a whole: see [`Bender`].
    Whole,
    /// Part by part: see [`refine`].
    Parts,
}

/// How it ended with a grid.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// Its symbol was read.
    Read,
    /// It lies exactly, and was not.
    Lost,
    /// Another grid may read it.
    Open,
}

impl Trial {
    /// Reads the symbol of three finder patterns if it can; gives its corners.
    /// `side` is what their distances tell, in modules.
    pub fn locate_and_read(
        &mut self,
        locator: &Locator<'_>,
        sampler: &Sampler<'_>,
        side: f32,
        options: &ReaderOptions,
        budget: &mut Budget,
        reads: &mut Reads,
    ) -> Option<Quad> {
        let mut best: Option<(Grid, Statistics)> = None;
        let mut around = None;
        let estimate = side;
        for (side, timing) in locator.sides(estimate) {
            if timing < LEAST_TIMING || budget.is_spent() {
                continue;
            }
            budget.spend(UNITS_PER_MODULE * side * side);
            let Some(mut grid) = locator.grid(side, budget.deadline()) else {
                continue;
            };
            if around.is_none() && grid.timing < DOUBTFUL {
                let found = self.try_around(locator, sampler, estimate, options, budget, reads);
                if let Some((grid, _, true)) = &found {
                    return Some(grid.corners());
                }
                around = Some(found);
            }
            let (end, statistics) = self.bend_and_read(&mut grid, sampler, options, budget, reads);
            match end {
                End::Read => return Some(grid.corners()),
                End::Lost => {
                    self.note_unread(&grid, sampler, &statistics, reads);
                    return None;
                }
                End::Open => {}
            }
            if best.is_none() {
                best = Some((grid, statistics));
            }
        }
        let around = around
            .unwrap_or_else(|| self.try_around(locator, sampler, estimate, options, budget, reads));
        if let Some((grid, statistics, read)) = around {
            if read {
                return Some(grid.corners());
            }
            best = best.or(Some((grid, statistics)));
        }
        if let Some((grid, statistics)) = best {
            self.note_unread(&grid, sampler, &statistics, reads);
        }
        None
    }

    /// Reads the symbol of three finder patterns if it lies around a cylinder; gives
    /// its corners.
    pub fn read_around(
        &mut self,
        locator: &Locator<'_>,
        sampler: &Sampler<'_>,
        side: f32,
        options: &ReaderOptions,
        budget: &mut Budget,
        reads: &mut Reads,
    ) -> Option<Quad> {
        let (grid, statistics, read) =
            self.try_around(locator, sampler, side, options, budget, reads)?;
        if !read {
            self.note_unread(&grid, sampler, &statistics, reads);
        }
        read.then(|| grid.corners())
    }

    /// The grid of a symbol around a cylinder, what was seen of it, and whether it was
    /// read; `None` if there is none.
    fn try_around(
        &mut self,
        locator: &Locator<'_>,
        sampler: &Sampler<'_>,
        side: f32,
        options: &ReaderOptions,
        budget: &mut Budget,
        reads: &mut Reads,
    ) -> Option<(Grid, Statistics, bool)> {
        let mut grid = locator.around(side, budget)?;
        budget.spend(UNITS_PER_MODULE * grid.side * grid.side);
        let (end, statistics) = self.bend_and_read(&mut grid, sampler, options, budget, reads);
        Some((grid, statistics, end == End::Read))
    }

    /// Reads the symbol under `grid` if it can, bending the grid as long as that may
    /// help; and says what was seen of it.
    fn bend_and_read(
        &mut self,
        grid: &mut Grid,
        sampler: &Sampler<'_>,
        options: &ReaderOptions,
        budget: &mut Budget,
        reads: &mut Reads,
    ) -> (End, Statistics) {
        let mut statistics = Statistics::default();
        for bending in [Bending::None, Bending::Whole, Bending::Parts] {
            if bending != Bending::None {
                let fit = Fit::of(&self.modules);
                let worth = match bending {
                    Bending::Whole => fit.may_be_bent(),
                    _ => grid.timing >= BENDING && fit.is_near(),
                };
                if budget.is_spent() || !worth {
                    break;
                }
                let Self {
                    bender, samples, ..
                } = self;
                let bent = match bending {
                    Bending::Whole => bender.bend(grid, sampler, samples, budget),
                    _ => refine(grid, sampler, samples, budget),
                };
                if !bent {
                    break;
                }
            }
            let (read, seen) = self.read(grid, sampler, options, reads);
            statistics = seen;
            if read {
                return (End::Read, statistics);
            }
            if self.is_lost(grid, reads) {
                return (End::Lost, statistics);
            }
        }
        (End::Open, statistics)
    }

    /// The same for three finder patterns of which not all are seen well: the grid
    /// is first settled by all that is seen.
    pub fn settle_and_read(
        &mut self,
        locator: &Locator<'_>,
        sampler: &Sampler<'_>,
        supposed: Supposed,
        options: &ReaderOptions,
        budget: &mut Budget,
        reads: &mut Reads,
    ) -> Option<Quad> {
        for (side, timing) in locator.sides(supposed.side) {
            if timing < LEAST_UNSETTLED || budget.is_spent() {
                continue;
            }
            let Some(mut grid) = locator.grid(side, budget.deadline()) else {
                continue;
            };
            let mut freedom = [SEEN_REACH, SEEN_REACH, SEEN_REACH, ACROSS_REACH];
            if let Some(hidden) = supposed.hidden {
                freedom[hidden] = HIDDEN_REACH;
            }
            self.samples.take(sampler, &grid);
            self.samples.confidences(4, &mut self.modules);
            budget.spend(UNITS_PER_MODULE * side * side);
            let freedom = Freedom(freedom);
            let settled = self
                .settler
                .settle(&mut grid, sampler, &self.samples, &freedom, budget);
            let Some(agreement) = settled else {
                continue;
            };
            if agreement < LEAST_AGREEMENT {
                continue;
            }
            for bent in [false, true] {
                if budget.is_spent() {
                    return None;
                }
                if bent {
                    if agreement < BENDING {
                        break;
                    }
                    if !refine(&mut grid, sampler, &self.samples, budget) {
                        break;
                    }
                }
                if self.read(&grid, sampler, options, reads).0 {
                    return Some(grid.corners());
                }
                if self.is_lost(&grid, reads) {
                    return None;
                }
            }
        }
        None
    }
}
