//! One try at a symbol whose grid is supposed: sample, judge, decode.

mod three;

pub use three::Supposed;

use super::budget::{Budget, Deadline};
use super::grid::{Bender, Equaliser, Fit, Grid, Samples, Settler, Statistics};
use super::{Code, Decoder, Modules, ReaderOptions, Reads, Reason, Unread, quality};
use crate::optics::Sampler;

/// Symbols located but not read that are told of, at most.
const MOST_UNREAD: usize = 64;
/// Tiles of modules to each side of which light and dark are taken, where
/// lighting is even …
const WIDE: usize = 4;
/// … and where it is not.
const NARROW: usize = 1;
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

/// Tries grids, in memory that it keeps.
#[derive(Default)]
pub struct Trial {
    /// When the frame's time is over: a large symbol takes milliseconds.
    deadline: Deadline,
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
    /// Begins with a frame whose time is over at `deadline`: nothing has been risked
    /// yet.
    pub fn start(&mut self, deadline: Deadline) {
        self.deadline = deadline;
        self.samples.end_at(deadline);
        self.unread.clear();
        self.risk = 0.0;
        self.fruitless = 0;
    }

    /// Probability that the attempts on this frame would have read something out
    /// of random modules: at most 1e-10, all added up.
    pub fn risk(&self) -> f64 {
        self.risk
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
        if self.deadline.is_over() {
            return false;
        }
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
        if self.deadline.is_over() {
            // What its timing patterns tell is known already.
            reads.unread.push(Unread {
                corners: grid.corners(),
                reason: reason(grid, statistics),
                agreement: grid.timing,
            });
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
        // What was not sampled in time tells nothing.
        let exact = !self.deadline.is_over() && Fit::of(&self.modules).is_exact();
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
        if self.deadline.is_over() {
            return (false, Statistics::UNKNOWN);
        }
        let mut statistics = self.samples.confidences(WIDE, &mut self.modules);
        if self.samples.glare_shows() {
            if let Some(erased) = self.samples.lift_veil(&mut self.modules) {
                statistics.erased = erased;
                let read = self.decode(grid, statistics, options, reads, &vouched, chance);
                if read || self.deadline.is_over() {
                    return (read, statistics);
                }
                self.samples.confidences(WIDE, &mut self.modules);
            }
            if self.deadline.is_over() {
                return (false, statistics);
            }
            statistics.erased = self.samples.unveil(&mut self.modules);
            let read = self.decode(grid, statistics, options, reads, &vouched, chance);
            if read || self.deadline.is_over() {
                return (read, statistics);
            }
            self.samples.confidences(WIDE, &mut self.modules);
        }
        let read = self.decode(grid, statistics, options, reads, &vouched, chance);
        if read || self.deadline.is_over() {
            return (read, statistics);
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
