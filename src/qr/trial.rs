//! One try at a symbol whose grid is supposed: sample, judge, decode.

use super::budget::Budget;
use super::grid::{
    Bender, Equaliser, Fit, Freedom, Grid, Locator, Samples, Settler, Statistics, refine,
};
use super::{Code, Decoder, Modules, ReaderOptions, Reads, Reason, Unread, quality};
use crate::geometry::Quad;
use crate::optics::Sampler;

/// Symbols located but not read that are told of, at most.
const MOST_UNREAD: usize = 64;
/// Tiles of modules to each side of which light and dark are taken, where
/// lighting is even …
const WIDE: usize = 4;
/// … and where it is not.
const NARROW: usize = 1;
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
/// Least agreement of the function patterns of what is told of as a symbol that was
/// not read. Of 896 grids that texture and noise had passed for on the synthetic
/// belt none had more than 0.58; symbols spoilt by glare or damage have 0.8 and more.
pub const A_SYMBOL: f32 = 0.6;
/// What sampling and decoding a module costs, in units of work.
pub const UNITS_PER_MODULE: usize = 20;

/// Probability of a false read that all attempts on a frame may add up to.
const RISK: f64 = 1e-10;

/// What the next attempt may risk after `fruitless` ones: all of them add up to
/// [`RISK`], however many there are, since 1 + 1/4 + 1/9 + … is π² / 6; and the
/// hundredth still has enough for most symbols.
fn share(fruitless: u32) -> f64 {
    let rank = f64::from(fruitless) + 1.0;
    RISK * 0.6 / (rank * rank)
}

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

/// Tries grids, in memory that it keeps.
#[derive(Default)]
pub struct Trial {
    samples: Samples,
    modules: Modules,
    decoder: Decoder,
    settler: Settler,
    bender: Bender,
    equaliser: Equaliser,
    /// Symbols of this frame that were located and not read, at most [`MOST_UNREAD`].
    unread: Vec<Grid>,
    /// Probability of a false read so far in this frame …
    risk: f64,
    /// … and how many attempts at error correction were in vain.
    fruitless: u32,
}

impl Trial {
    /// Begins with a frame: nothing has been risked yet.
    pub fn start(&mut self) {
        self.unread.clear();
        self.risk = 0.0;
        self.fruitless = 0;
    }

    /// Probability that the attempts on this frame would have read something out
    /// of random modules: at most 1e-10, all added up.
    pub fn risk(&self) -> f64 {
        self.risk
    }

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
            let Some(mut grid) = locator.grid(side) else {
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
            let Some(mut grid) = locator.grid(side) else {
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

    /// The symbols of this frame that were located and sampled but not read.
    pub fn unread(&self) -> &[Grid] {
        &self.unread
    }

    /// Reads a symbol that was located, but in which light of each module falls on
    /// its neighbours.
    pub fn read_untangled(
        &mut self,
        grid: &Grid,
        sampler: &Sampler<'_>,
        options: &ReaderOptions,
        budget: &mut Budget,
        reads: &mut Reads,
    ) -> bool {
        budget.spend(UNITS_PER_MODULE * grid.side * grid.side);
        self.samples.take(sampler, grid);
        let statistics = self.samples.confidences(WIDE, &mut self.modules);
        let vouched = |_: &Modules, _: &Code, _: f64| true;
        self.equaliser
            .untangle(&self.samples, &mut self.modules, budget)
            && self.decode(grid, statistics, options, reads, vouched, 1.0)
    }

    /// Reads a symbol that was located, but whose modules are no plain squares of
    /// one dark and one light: by the middles of its modules alone, judged against
    /// what is around them, and then against its finder patterns.
    pub fn read_odd_print(
        &mut self,
        grid: &Grid,
        sampler: &Sampler<'_>,
        options: &ReaderOptions,
        reads: &mut Reads,
    ) -> bool {
        let vouched = |_: &Modules, _: &Code, _: f64| true;
        self.samples.take_middles(sampler, grid);
        let statistics = self.samples.confidences(NARROW, &mut self.modules);
        if self.decode(grid, statistics, options, reads, vouched, 1.0) {
            return true;
        }
        let statistics = self.samples.confidences_by_finders(&mut self.modules);
        self.decode(grid, statistics, options, reads, vouched, 1.0)
    }

    /// Tells of a symbol that was located and sampled but not read.
    pub fn note_unread(
        &mut self,
        grid: &Grid,
        sampler: &Sampler<'_>,
        statistics: &Statistics,
        reads: &mut Reads,
    ) {
        if reads.unread.len() >= MOST_UNREAD {
            return;
        }
        self.samples.take(sampler, grid);
        self.samples.confidences(WIDE, &mut self.modules);
        if self.samples.glare_shows() {
            self.samples.unveil(&mut self.modules);
        }
        let agreement = Fit::of(&self.modules).agreement;
        // What attempts locate in pictures of their own is told there, not here.
        if agreement >= A_SYMBOL && self.unread.len() < MOST_UNREAD {
            self.unread.push(*grid);
        }
        reads.unread.push(Unread {
            corners: grid.corners(),
            reason: reason(grid, statistics),
            agreement,
        });
    }

    /// Was the grid that was read last laid exactly, so that nothing but what it
    /// shows keeps it from being decoded? Then that is noted.
    fn is_lost(&self, grid: &Grid, reads: &mut Reads) -> bool {
        let exact = Fit::of(&self.modules).is_exact();
        if exact && reads.lost.len() < MOST_UNREAD {
            reads.lost.push(grid.corners());
        }
        exact
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
        self.read_if(grid, sampler, options, reads, |_, _, _| true, 1.0)
    }

    /// The same, for symbols that error correction alone does not vouch for: what
    /// was decoded counts if `vouched` says so of the modules, of what they say,
    /// and of the risk of a miscorrection. `chance` is the probability that it says
    /// so of random modules.
    pub fn read_if(
        &mut self,
        grid: &Grid,
        sampler: &Sampler<'_>,
        options: &ReaderOptions,
        reads: &mut Reads,
        vouched: impl Fn(&Modules, &Code, f64) -> bool,
        chance: f64,
    ) -> (bool, Statistics) {
        reads.work.sampled += 1;
        self.samples.take(sampler, grid);
        let mut statistics = self.samples.confidences(WIDE, &mut self.modules);
        if self.samples.glare_shows() {
            statistics.erased = self.samples.unveil(&mut self.modules);
            if self.decode(grid, statistics, options, reads, &vouched, chance) {
                return (true, statistics);
            }
            self.samples.confidences(WIDE, &mut self.modules);
        }
        if self.decode(grid, statistics, options, reads, &vouched, chance) {
            return (true, statistics);
        }
        let erased = statistics.erased;
        statistics = self.samples.confidences(NARROW, &mut self.modules);
        statistics.erased = erased;
        let read = self.decode(grid, statistics, options, reads, &vouched, chance);
        (read, statistics)
    }

    /// Decodes the confidences; appends the code unless it is there already.
    fn decode(
        &mut self,
        grid: &Grid,
        statistics: Statistics,
        options: &ReaderOptions,
        reads: &mut Reads,
        vouched: impl Fn(&Modules, &Code, f64) -> bool,
        chance: f64,
    ) -> bool {
        reads.work.decoded += 1;
        let left = RISK - self.risk;
        let share = share(self.fruitless).min(left);
        self.decoder.set_limit((share / chance).min(RISK));
        let code = reads.codes.push();
        let decoded = self.decoder.decode(&self.modules, code).is_ok();
        let risk = self.decoder.risk();
        let read = decoded
            && (options.mirrored || !code.mirrored)
            && risk * chance <= left
            && vouched(&self.modules, code, risk);
        // What is not believed cannot be wrong: trying it was within the limit.
        self.risk += if read { risk * chance } else { share.min(risk) };
        self.fruitless += u32::from(!read && risk > 0.0);
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
pub fn is_repeated(codes: &[Code]) -> bool {
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
