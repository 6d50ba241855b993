//! The reader: find, group, locate, sample, decode, over all codes of a frame.

use std::time::{Duration, Instant};

use super::finder::{Finders, Grouping, Triple};
use super::grid::{Grid, Locator, Samples, Statistics};
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

    /// All codes of one frame. `hints` are places where codes are expected.
    pub fn read(&mut self, luma: Luma<'_>, _hints: &[Hint], reads: &mut Reads) {
        let started = Instant::now();
        let late = |deadline: Option<Duration>| {
            deadline.is_some_and(|deadline| started.elapsed() >= deadline)
        };
        reads.clear();
        self.pyramid.build(luma);
        self.finders.start(luma.width(), luma.height());
        let levels = self.pyramid.levels();
        for level in 0..levels {
            let last = level + 2 >= levels;
            let picture = self.pyramid.level(luma, level);
            let half = self.pyramid.level(luma, level + 1);
            let window = Window {
                radius: 1,
                floor: 20,
            };
            if level + 1 < levels {
                self.threshold
                    .build(picture.width(), picture.height(), half, window);
                self.finders
                    .scan(picture, level, &self.threshold, self.options.inverted, last);
            }
        }
        let finders = self.finders.found();
        let triples = self.grouping.group(finders, MOST_TRIPLES);
        self.used.clear();
        self.used.resize(finders.len(), false);
        let mut patience = [PATIENCE; 12];
        for triple in triples {
            if reads.codes.len() >= self.options.max_codes || late(self.options.deadline) {
                break;
            }
            let corners = [triple.corner, triple.right, triple.down].map(usize::from);
            if corners.iter().any(|&i| self.used[i]) {
                continue;
            }
            let module = finders[corners[0]].module;
            let patience = &mut patience[(module.log2().max(0.0) as usize).min(11)];
            if *patience == 0 {
                continue;
            }
            *patience -= 1;
            reads.work.timed += 1;
            let level = ((module / SAMPLE_PX).log2().max(0.0) as usize).min(levels - 1);
            let Some(sampler) = Sampler::new(self.pyramid.level(luma, level), level) else {
                continue;
            };
            let locator = Locator::new(sampler, finders, triple);
            if let Some(quad) = self.attempt.read(&locator, &sampler, triple, reads) {
                for (used, finder) in self.used.iter_mut().zip(finders) {
                    *used |= quad.contains(finder.centre);
                }
            }
        }
        reads.work.crossed = self.finders.work.crossed;
        reads.work.measured = self.finders.work.measured;
        reads.work.finders = finders.len() as u32;
        if reads.codes.is_empty() {
            reads.failure = Some(match reads.unread.first() {
                Some(unread) => unread.reason,
                None => Reason::NoFinder,
            });
        }
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
        reads: &mut Reads,
    ) -> Option<Quad> {
        let mut best: Option<(Grid, Statistics)> = None;
        for (side, timing) in locator.sides(triple.side) {
            if timing < LEAST_TIMING {
                continue;
            }
            let Some(grid) = locator.grid(side) else {
                continue;
            };
            reads.work.sampled += 1;
            self.samples.take(sampler, &grid);
            for radius in [1, 4] {
                let statistics = self.samples.confidences(radius, &mut self.modules);
                reads.work.decoded += 1;
                let code = reads.codes.push();
                if self.decoder.decode(&self.modules, code).is_ok() {
                    describe(code, &grid, statistics);
                    return Some(grid.corners());
                }
                reads.codes.pop();
                if best.is_none() {
                    best = Some((grid, statistics));
                }
            }
        }
        if let Some((grid, statistics)) = best {
            reads.unread.push(Unread {
                corners: grid.corners(),
                reason: reason(&grid, &statistics),
            });
        }
        None
    }
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
