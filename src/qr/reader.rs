//! The reader: find, group, locate, sample, decode, over all codes of a frame.

use std::time::{Duration, Instant};

use super::finder::{Finders, Grouping, Look, Triple};
use super::grid::{Grid, Locator, Samples, Statistics, refine};
use super::{Code, Decoder, Modules, Reads, Reason, Unread};
use crate::frame::Luma;
use crate::geometry::{Point, Quad};
use crate::optics::{Pyramid, Sampler, Threshold, Window};

/// What to read, and how long it may take.
#[derive(Clone, Debug, PartialEq)]
pub struct ReaderOptions {
    /// Read light-on-dark codes too.
    pub inverted: bool,
    /// Read mirrored codes too.
    pub mirrored: bool,
    /// Most codes in one frame.
    pub max_codes: usize,
    /// Most time for one frame; `None`: until nothing is left to be tried.
    pub deadline: Option<Duration>,
}

impl Default for ReaderOptions {
    fn default() -> Self {
        Self {
            inverted: true,
            mirrored: true,
            max_codes: 200,
            deadline: None,
        }
    }
}

/// Where a code is expected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hint {
    /// Its corners, predicted for the frame's own time.
    pub corners: Quad,
    /// Its velocity in pixels a second.
    pub velocity: Point,
}

/// One way of looking for finder patterns.
struct Pass {
    window: Window,
    least: i32,
    contrast: f32,
    roughness: f32,
}

/// The cheap look first; then, where there are signs of more, one that sees
/// weaker contrast and rougher patterns, with a wider window.
const PASSES: [Pass; 2] = [
    Pass {
        window: Window {
            radius: 1,
            floor: 20,
        },
        least: 14,
        contrast: 20.0,
        roughness: 0.5,
    },
    Pass {
        window: Window {
            radius: 3,
            floor: 8,
        },
        least: 12,
        contrast: 8.0,
        roughness: 0.65,
    },
];
/// A finder pattern as smooth as this is a sign of a code: of those of codes that
/// were read from photographs half are smoother, of false ones very few.
const CLEAR: f32 = 0.12;
/// The same where nothing was read yet.
const FAIRLY_CLEAR: f32 = 0.25;
/// A picture of so few pixels, a crop perhaps, is looked at again even without a
/// sign: it costs little.
const SMALL: usize = 200_000;
/// Symbols located but not read that are told of, at most.
const MOST_UNREAD: usize = 64;
/// Most triples that are ranked in one frame.
const MOST_TRIPLES: usize = 8192;
/// Triples of one size of modules (sizes from one power of two to the next) that
/// may fail before the first code is read …
const PATIENCE: u32 = 60;
/// … and how many more with each code. The plausible ones come first: of the
/// codes in three collections of photographs all but a few were among the first
/// five triples, none behind the hundredth.
const PATIENCE_PER_CODE: u32 = 40;
/// Least timing score of a triple that is worth sampling.
const LEAST_TIMING: f32 = 0.55;
/// Least timing score of a grid that is worth bending.
const BENDING: f32 = 0.6;
/// Modules of at least this many pixels are sampled on a coarser level.
const SAMPLE_PX: f32 = 3.0;

/// Reads codes out of frames. Owns every buffer that this takes; once it has
/// seen frames of a size, reading further ones allocates nothing.
#[derive(Default)]
pub struct Reader {
    options: ReaderOptions,
    pyramid: Pyramid,
    threshold: Threshold,
    finders: Finders,
    grouping: Grouping,
    attempt: Attempt,
    used: Vec<bool>,
}

impl Reader {
    /// A reader; its buffers grow with the first frames.
    pub fn new(options: ReaderOptions) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// All codes of one frame, of any size and angle, in one go. `hints` are
    /// places where codes are expected.
    pub fn read(&mut self, luma: Luma<'_>, hints: &[Hint], reads: &mut Reads) {
        let deadline = self
            .options
            .deadline
            .map(|deadline| Instant::now() + deadline);
        let pixels = luma.width() * luma.height();
        reads.clear();
        self.pyramid.build(luma);
        self.finders.start(luma.width(), luma.height());
        self.used.clear();
        for pass in &PASSES {
            let seen = self.finders.found().len();
            self.find(luma, pass, deadline);
            self.used.resize(self.finders.found().len(), false);
            self.read_triples(luma, seen, deadline, reads);
            if late(deadline) || !self.evidence(pixels, hints, reads) {
                break;
            }
        }
        reads.work.crossed = self.finders.work.crossed;
        reads.work.measured = self.finders.work.measured;
        reads.work.finders = self.finders.found().len() as u32;
        conclude(reads);
    }

    /// Looks for finder patterns on all levels.
    fn find(&mut self, luma: Luma<'_>, pass: &Pass, deadline: Option<Instant>) {
        // The coarsest level only serves to measure the one before.
        let levels = self.pyramid.levels() - 1;
        for level in 0..levels {
            let picture = self.pyramid.level(luma, level);
            let half = self.pyramid.level(luma, level + 1);
            self.threshold
                .build(picture.width(), picture.height(), half, pass.window);
            let look = Look {
                inverted: self.options.inverted,
                last: level + 1 == levels,
                least: pass.least,
                contrast: pass.contrast,
                roughness: pass.roughness,
                deadline,
            };
            self.finders.scan(picture, level, &self.threshold, &look);
        }
    }

    /// Tries to read triples of finder patterns that are not used yet and of
    /// which one at least is new: not among the first `seen`.
    fn read_triples(
        &mut self,
        luma: Luma<'_>,
        seen: usize,
        deadline: Option<Instant>,
        reads: &mut Reads,
    ) {
        let finders = self.finders.found();
        if finders.len() == seen {
            return;
        }
        let mut patience = [PATIENCE; 12];
        for triple in self.grouping.group(finders, MOST_TRIPLES) {
            if reads.codes.len() >= self.options.max_codes || late(deadline) {
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
            let level = (module / SAMPLE_PX).log2().max(0.0) as usize;
            let level = level.min(self.pyramid.levels() - 1);
            let Some(sampler) = Sampler::new(self.pyramid.level(luma, level), level) else {
                continue;
            };
            let locator = Locator::new(sampler, finders, triple);
            if let Some(quad) = self
                .attempt
                .read(&locator, &sampler, triple, &self.options, reads)
            {
                *patience += PATIENCE_PER_CODE;
                for (used, finder) in self.used.iter_mut().zip(finders) {
                    *used |= quad.contains(finder.centre);
                }
            }
        }
    }

    /// Is there a sign of a code that was not read?
    fn evidence(&self, pixels: usize, hints: &[Hint], reads: &Reads) -> bool {
        let read = |at: Point| reads.codes.iter().any(|code| code.corners.contains(at));
        let nothing = reads.codes.is_empty();
        let clear = if nothing { FAIRLY_CLEAR } else { CLEAR };
        let left = self.finders.found().iter().zip(&self.used);
        let left = left.filter(|(finder, used)| !**used && finder.roughness < clear);
        reads.codes.len() < self.options.max_codes
            && (nothing && pixels <= SMALL
                || reads
                    .unread
                    .iter()
                    .any(|unread| !read(unread.corners.centre()))
                || hints.iter().any(|hint| !read(hint.corners.centre()))
                || left.count() > 0)
    }
}

fn late(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}

/// Drops what was located but read after all, and says why nothing was read.
fn conclude(reads: &mut Reads) {
    let Reads { codes, unread, .. } = reads;
    unread.retain(|unread| {
        let centre = unread.corners.centre();
        !codes.iter().any(|code| {
            code.corners.contains(centre) || unread.corners.contains(code.corners.centre())
        })
    });
    let mut kept = 0;
    for index in 0..unread.len() {
        let centre = unread[index].corners.centre();
        if !unread[..kept]
            .iter()
            .any(|other| other.corners.contains(centre))
        {
            unread.swap(kept, index);
            kept += 1;
        }
    }
    unread.truncate(kept);
    if codes.is_empty() {
        reads.failure = Some(unread.first().map_or(Reason::NoFinder, |u| u.reason));
    }
}

/// Attempts on one triple, and the memory they need.
#[derive(Default)]
struct Attempt {
    samples: Samples,
    modules: Modules,
    decoder: Decoder,
}

impl Attempt {
    /// Reads the symbol of `triple` if it can; gives its corners.
    fn read(
        &mut self,
        locator: &Locator<'_>,
        sampler: &Sampler<'_>,
        triple: &Triple,
        options: &ReaderOptions,
        reads: &mut Reads,
    ) -> Option<Quad> {
        let mut best: Option<(Grid, Statistics)> = None;
        for (side, timing) in locator.sides(triple.side) {
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
                reads.work.sampled += 1;
                self.samples.take(sampler, &grid);
                for radius in [4, 1] {
                    statistics = self.samples.confidences(radius, &mut self.modules);
                    if self.decode(&grid, statistics, options, reads) {
                        return Some(grid.corners());
                    }
                }
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
    code.quality.module_px = grid.module;
    code.quality.blur_modules = 1.6 * grid.edge / grid.module.max(1e-3);
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
