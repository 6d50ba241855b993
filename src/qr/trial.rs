//! One try at a symbol whose grid is supposed: sample, judge, decode.

use super::budget::Budget;
use super::grid::{Freedom, Grid, Locator, Samples, Statistics, refine, settle};
use super::{Code, Decoder, Modules, ReaderOptions, Reads, Reason, Unread, quality};
use crate::geometry::Quad;
use crate::optics::Sampler;

/// Symbols located but not read that are told of, at most.
const MOST_UNREAD: usize = 64;
/// Least timing score of a triple that is worth sampling.
const LEAST_TIMING: f32 = 0.55;
/// The same where a finder pattern is not seen.
const LEAST_UNSETTLED: f32 = 0.35;
/// Least agreement of the function patterns of a settled grid that is worth
/// decoding.
const LEAST_AGREEMENT: f32 = 0.5;
/// What settling a grid costs a module, in units of work.
const SETTLING: usize = 150;
/// Least timing score of a grid that is worth bending.
const BENDING: f32 = 0.6;

/// Tries grids, in memory that it keeps.
#[derive(Default)]
pub struct Trial {
    samples: Samples,
    modules: Modules,
    decoder: Decoder,
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
        reads: &mut Reads,
    ) -> Option<Quad> {
        let mut best: Option<(Grid, Statistics)> = None;
        for (side, timing) in locator.sides(side) {
            if timing < LEAST_TIMING {
                continue;
            }
            let Some(mut grid) = locator.grid(side) else {
                continue;
            };
            let mut statistics = Statistics::default();
            for bent in [false, true] {
                if bent {
                    if grid.timing < BENDING {
                        break;
                    }
                    refine(&mut grid, sampler, &self.samples);
                }
                let (read, seen) = self.read(&grid, sampler, options, reads);
                if read {
                    return Some(grid.corners());
                }
                statistics = seen;
            }
            if best.is_none() {
                best = Some((grid, statistics));
            }
        }
        if let Some((grid, statistics)) = best
            && reads.unread.len() < MOST_UNREAD
        {
            reads.unread.push(Unread {
                corners: grid.corners(),
                reason: reason(&grid, &statistics),
            });
        }
        None
    }

    /// The same for three finder patterns of which one, `hidden`, may be no more
    /// than a supposition (0 at the corner, 1 right, 2 down): the grid is first
    /// settled by all that is seen.
    pub fn settle_and_read(
        &mut self,
        locator: &Locator<'_>,
        sampler: &Sampler<'_>,
        side: f32,
        hidden: Option<usize>,
        options: &ReaderOptions,
        budget: &mut Budget,
        reads: &mut Reads,
    ) -> Option<Quad> {
        for (side, timing) in locator.sides(side) {
            if timing < LEAST_UNSETTLED || budget.is_spent() {
                continue;
            }
            let Some(mut grid) = locator.grid(side) else {
                continue;
            };
            let mut freedom = [0.5, 0.5, 0.5, 2.5];
            if let Some(hidden) = hidden {
                freedom[hidden] = 3.0;
            }
            self.samples.take(sampler, &grid);
            self.samples.confidences(4, &mut self.modules);
            budget.spend(SETTLING * side * side);
            let Some(agreement) = settle(&mut grid, sampler, &self.samples, &Freedom(freedom))
            else {
                continue;
            };
            if agreement < LEAST_AGREEMENT {
                continue;
            }
            for bent in [false, true] {
                if bent {
                    refine(&mut grid, sampler, &self.samples);
                }
                if self.read(&grid, sampler, options, reads).0 {
                    return Some(grid.corners());
                }
            }
        }
        None
    }

    /// Reads the symbol that lies under `grid` if it can, and says what was seen
    /// of it.
    pub fn read(
        &mut self,
        grid: &Grid,
        sampler: &Sampler<'_>,
        options: &ReaderOptions,
        reads: &mut Reads,
    ) -> (bool, Statistics) {
        reads.work.sampled += 1;
        self.samples.take(sampler, grid);
        let mut statistics = Statistics::default();
        for radius in [4, 1] {
            statistics = self.samples.confidences(radius, &mut self.modules);
            if self.decode(grid, statistics, options, reads) {
                return (true, statistics);
            }
        }
        (false, statistics)
    }

    /// Decodes the confidences; appends the code unless it is there already.
    fn decode(
        &mut self,
        grid: &Grid,
        statistics: Statistics,
        options: &ReaderOptions,
        reads: &mut Reads,
    ) -> bool {
        reads.work.decoded += 1;
        let code = reads.codes.push();
        let read = self.decoder.decode(&self.modules, code).is_ok()
            && (options.mirrored || !code.mirrored);
        if read {
            describe(code, grid, statistics);
            quality::measure(code, grid, self.samples.grey());
        }
        if !read || is_repeated(&reads.codes) {
            reads.codes.pop();
        }
        read
    }
}

/// Is the last code the same symbol as one before? Equal texts at two places are
/// two codes.
fn is_repeated(codes: &[Code]) -> bool {
    let Some((last, before)) = codes.split_last() else {
        return false;
    };
    before.iter().any(|code| {
        code.content.bytes == last.content.bytes
            && (code.corners.contains(last.corners.centre())
                || last.corners.contains(code.corners.centre()))
    })
}

/// Fills in what the picture tells of a code that was decoded.
fn describe(code: &mut Code, grid: &Grid, statistics: Statistics) {
    code.inverted = grid.inverted;
    code.corners = grid.corners();
    if code.mirrored {
        code.corners.0.swap(1, 3);
    }
    code.quality.contrast = statistics.contrast;
}

/// The most likely cause why a located symbol was not read.
fn reason(grid: &Grid, statistics: &Statistics) -> Reason {
    let blur = 1.6 * grid.edge / grid.module;
    if statistics.erased > 0.04 {
        Reason::Glare
    } else if grid.module < 1.6 {
        Reason::TooSmall
    } else if statistics.contrast < 0.12 {
        Reason::LowContrast
    } else if blur > 1.4 {
        Reason::Blur
    } else {
        Reason::Damage
    }
}
