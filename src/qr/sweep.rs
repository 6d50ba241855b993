//! Symbols with three finder patterns, wherever they lie in a picture: a cheap
//! look over all of it, then, where there are signs of more, a closer one.

use super::budget::Budget;
use super::finder::{BENT, FLAT, FinderPattern, Finders, Grouping, Look};
use super::grid::Locator;
use super::trial::Trial;
use super::{ReaderOptions, Reads};
use crate::frame::Luma;
use crate::geometry::{Point, Quad};
use crate::optics::{COMPARED, Pyramid, Sampler, Still, Threshold, Window};

/// One way of looking for finder patterns.
pub struct Pass {
    step: usize,
    window: Window,
    least: i32,
    contrast: f32,
    clarity: f32,
    roughness: f32,
    /// What stands, and held nothing, may be left out.
    spares: bool,
    /// Whether symbols are read that are bent so much that no flat one looks alike.
    bent: bool,
}

/// The cheap look first; then, where there are signs of more, one that sees
/// weaker contrast and rougher patterns, with a wider window.
pub const PASSES: [Pass; 2] = [
    Pass {
        step: 3,
        window: Window {
            radius: 1,
            floor: 20,
        },
        least: 14,
        contrast: 20.0,
        clarity: 0.2,
        roughness: 0.5,
        spares: true,
        bent: true,
    },
    Pass {
        step: 2,
        window: Window {
            radius: 3,
            floor: 8,
        },
        least: 12,
        contrast: 8.0,
        clarity: 0.0,
        roughness: 0.65,
        spares: false,
        bent: true,
    },
];
/// For a part of a picture from which blur was taken out: contrast is what it
/// was scaled to, and a weak pattern is ringing or noise.
pub const DEBLURRED: Pass = Pass {
    step: 2,
    window: Window {
        radius: 2,
        floor: 48,
    },
    least: 14,
    contrast: 48.0,
    clarity: 0.1,
    roughness: 0.65,
    spares: false,
    bent: false,
};
/// Most triples that are ranked in one frame.
const MOST_TRIPLES: usize = 8192;
/// Triples of one size of modules (sizes from one power of two to the next) that
/// may fail before the first code is read …
const PATIENCE: u32 = 60;
/// … and how many more with each code. The plausible ones come first: of the
/// codes in three collections of photographs all but a few were among the first
/// five triples, none behind the hundredth.
const PATIENCE_PER_CODE: u32 = 40;
/// For so many crossed rows texture may show one rough finder pattern, or one
/// insistent place: a quarter of what frames of drawn belts took for each. Looked at
/// every third row, sixty frames of plain belt texture had one rough finder pattern
/// for 43 000 crossed rows, and none of them was looked at twice.
const CROSSED_PER_CHANCE: u32 = 2600;
/// A finder pattern rougher than this that is the only one is no sign of more. Such
/// ones were seen in pictures without a code; none of 941 codes in three collections
/// of photographs was read by the look that it alone gave cause for.
const LONE_ROUGHNESS: f32 = 0.45;
/// A finder pattern of a bent symbol is no rougher than this, even near the rim.
const BENT_ROUGHNESS: f32 = 0.45;
/// Triples of bent symbols that are tried in a pass.
const MOST_BENT: usize = 64;
/// Finder patterns within a code that are much smaller than its own and as smooth
/// as this are those of another one.
const NESTED_ROUGHNESS: f32 = 0.3;
/// What following the timing patterns costs for each of a side's modules, in units
/// of work.
const UNITS_PER_SIDE: usize = 200;
/// Modules of at least this many pixels are sampled on a coarser level.
const SAMPLE_PX: f32 = 3.0;

/// Searches one picture after another, in memory that it keeps.
#[derive(Default)]
pub struct Sweep {
    pyramid: Pyramid,
    threshold: Threshold,
    still: Still,
    /// Rows that were crossed when the picture was last looked at as a whole.
    crossed: u32,
    finders: Finders,
    grouping: Grouping,
    used: Vec<bool>,
}

impl Sweep {
    /// Begins with a picture.
    pub fn start(&mut self, luma: Luma<'_>, budget: &mut Budget) {
        self.pyramid.build(luma);
        budget.spend(luma.width() * luma.height());
        self.still.start(self.pyramid.level(luma, COMPARED));
        self.finders.start(luma.width(), luma.height());
        self.used.clear();
    }

    /// One look for finder patterns, and all that can be read with those that
    /// are new.
    pub fn pass(
        &mut self,
        luma: Luma<'_>,
        pass: &Pass,
        trial: &mut Trial,
        options: &ReaderOptions,
        budget: &mut Budget,
        reads: &mut Reads,
    ) {
        let seen = self.finders.found().len();
        self.find(luma, pass, options, budget);
        self.used.resize(self.finders.found().len(), false);
        self.read_triples(luma, seen, trial, options, budget, reads);
        if pass.bent {
            self.read_bent(luma, seen, trial, options, budget, reads);
        }
        reads.work.crossed = self.finders.work.crossed;
        reads.work.measured = self.finders.work.measured;
        reads.work.finders = self.finders.found().len() as u32;
    }

    /// The level of the picture on which modules of `module` pixels are sampled.
    pub fn sampler<'a>(&'a self, luma: Luma<'a>, module: f32) -> Option<Sampler<'a>> {
        sampler(&self.pyramid, luma, module)
    }

    /// The picture's pyramid.
    pub fn pyramid(&self) -> &Pyramid {
        &self.pyramid
    }

    /// The finder patterns so far, and whether each lies in a code that was read.
    pub fn found(&self) -> impl Iterator<Item = (&FinderPattern, bool)> {
        self.finders.found().iter().zip(self.used.iter().copied())
    }

    /// Is there more than texture gives: finder patterns outside of the codes that
    /// were read or, if none was, places that row after row took for one?
    pub fn suspects(&self, reads: &Reads) -> bool {
        let work = &self.finders.work;
        let free =
            |&(finder, used): &(&FinderPattern, bool)| !used && !reads.codes.cover(finder.centre);
        let unused = self.found().filter(free).count();
        let lone = |(finder, _): (&FinderPattern, bool)| finder.roughness > LONE_ROUGHNESS;
        let rough = unused == 1 && self.found().find(free).is_some_and(lone);
        let used = unused < self.used.len();
        let crossed = match self.still.is_partial() {
            true => work.crossed.max(self.crossed),
            false => work.crossed,
        };
        let chance = (crossed / CROSSED_PER_CHANCE) as usize;
        unused > chance && !rough || !used && work.insistent as usize > chance
    }

    /// Looks for finder patterns on all levels.
    fn find(&mut self, luma: Luma<'_>, pass: &Pass, options: &ReaderOptions, budget: &mut Budget) {
        let spares = pass.spares && options.still && self.pyramid.levels() > COMPARED;
        // The coarsest level only serves to measure the one before.
        let levels = self.pyramid.levels() - 1;
        for level in 0..levels {
            let picture = self.pyramid.level(luma, level);
            let half = self.pyramid.level(luma, level + 1);
            if budget.is_spent() {
                return;
            }
            self.threshold
                .build(picture.width(), picture.height(), half, pass.window);
            if spares {
                self.still.blank(level, &mut self.threshold);
            }
            let look = Look {
                step: pass.step,
                inverted: options.inverted,
                last: level + 1 == levels,
                least: pass.least,
                contrast: pass.contrast,
                clarity: pass.clarity,
                roughness: pass.roughness,
            };
            self.finders
                .scan(picture, level, &self.threshold, &look, budget);
        }
        if spares && !self.still.is_partial() && !budget.is_spent() {
            let picture = self.pyramid.level(luma, COMPARED);
            let found = self.finders.found().iter().map(FinderPattern::corners);
            let at = |&place: &Point| Quad([place; 4]);
            let doubtful = self.finders.insistent().iter().map(at);
            self.still.learn(picture, found.chain(doubtful));
            self.crossed = self.finders.work.crossed;
        }
    }

    /// Tries to read triples of finder patterns that are not used yet and of
    /// which one at least is new: not among the first `seen`.
    fn read_triples(
        &mut self,
        luma: Luma<'_>,
        seen: usize,
        trial: &mut Trial,
        options: &ReaderOptions,
        budget: &mut Budget,
        reads: &mut Reads,
    ) {
        let finders = self.finders.found();
        if finders.len() == seen {
            return;
        }
        let mut patience = [PATIENCE; 12];
        for triple in self
            .grouping
            .group(finders, |_| true, &FLAT, MOST_TRIPLES, budget)
        {
            if reads.codes.len() >= options.max_codes || budget.is_spent() {
                break;
            }
            let corners = [triple.corner, triple.right, triple.down].map(usize::from);
            if corners.iter().any(|&i| self.used[i]) || corners.iter().all(|&i| i < seen) {
                continue;
            }
            let module = finders[corners[0]].module;
            let patience = &mut patience[(module.log2().max(0.0) as usize).min(11)];
            if *patience == 0 {
                continue;
            }
            *patience -= 1;
            reads.work.timed += 1;
            let Some(sampler) = sampler(&self.pyramid, luma, module) else {
                continue;
            };
            let locator = Locator::new(sampler, finders, triple);
            // The timing patterns of a few versions.
            budget.spend(UNITS_PER_SIDE * triple.side as usize);
            let read =
                trial.locate_and_read(&locator, &sampler, triple.side, options, budget, reads);
            if let Some(quad) = read {
                *patience += PATIENCE_PER_CODE;
                note_used(&mut self.used, finders, corners, &quad);
            }
        }
    }

    /// The same for what is left: triples that no flat symbol has, but perhaps one
    /// around a cylinder.
    fn read_bent(
        &mut self,
        luma: Luma<'_>,
        seen: usize,
        trial: &mut Trial,
        options: &ReaderOptions,
        budget: &mut Budget,
        reads: &mut Reads,
    ) {
        let Self {
            pyramid,
            finders,
            grouping,
            used,
            ..
        } = self;
        let finders = finders.found();
        if used.iter().filter(|used| !*used).count() < 3 || finders.len() == seen {
            return;
        }
        let free = |index: usize| !used[index] && finders[index].roughness < BENT_ROUGHNESS;
        for triple in grouping.group(finders, free, &BENT, MOST_BENT, budget) {
            if reads.codes.len() >= options.max_codes || budget.is_spent() {
                break;
            }
            let corners = [triple.corner, triple.right, triple.down].map(usize::from);
            if corners.iter().any(|&i| used[i]) || corners.iter().all(|&i| i < seen) {
                continue;
            }
            let Some(sampler) = sampler(pyramid, luma, finders[corners[0]].module) else {
                continue;
            };
            let locator = Locator::new(sampler, finders, triple);
            budget.spend(UNITS_PER_SIDE * triple.side as usize);
            let read = trial.read_around(&locator, &sampler, triple.side, options, budget, reads);
            if let Some(quad) = read {
                note_used(used, finders, corners, &quad);
            }
        }
    }
}

/// Notes which finder patterns lie in a code that was read, by those at its `corners`.
fn note_used(used: &mut [bool], finders: &[FinderPattern], corners: [usize; 3], quad: &Quad) {
    let smallest = corners
        .iter()
        .fold(f32::MAX, |least, &i| least.min(finders[i].module));
    for (used, finder) in used.iter_mut().zip(finders) {
        // A smaller code may lie within this one.
        let nested = finder.module < 0.6 * smallest && finder.roughness < NESTED_ROUGHNESS;
        *used |= !nested && quad.contains(finder.centre);
    }
}

/// The level on which modules of `module` pixels have a few pixels still.
fn sampler<'a>(pyramid: &'a Pyramid, luma: Luma<'a>, module: f32) -> Option<Sampler<'a>> {
    let level = (module / SAMPLE_PX).log2().max(0.0) as usize;
    let level = level.min(pyramid.levels() - 1);
    Sampler::new(pyramid.level(luma, level), level)
}
