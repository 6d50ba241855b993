//! The scan of a level for finder patterns: rows, crosses, shape.

use super::FinderPattern;
use super::cross::{Crossing, View};
use super::runs::Candidates;
use super::shape::Measure;
use crate::frame::Luma;
use crate::geometry::Point;
use crate::optics::{Sampler, TILE, Threshold};
use crate::qr::budget::Budget;

/// Most finder patterns that are kept of one frame.
pub const MOST_FINDERS: usize = 4096;
/// … and of one level: texture of one size must not crowd out the others.
const MOST_ON_LEVEL: usize = 768;
/// Side of a bin in pixels of level 0.
const BIN: f32 = 64.0;
/// No next one in a bin.
const END: u32 = u32::MAX;
/// A refused place that comes again so often is counted. On twenty frames of
/// rough belt texture two did, of those finder patterns in photographs that were
/// too blurred for the first look most.
const INSISTENT: u32 = 3;
/// Most such places that are told of.
const MOST_INSISTENT: usize = 256;
/// After so many measurements the clock is looked at within a row too.
const MEASURED_PER_LOOK: u32 = 8;
/// Longest pattern that a level looks for, in its own pixels. Larger ones are
/// found on a coarser level, where the windows of the threshold fit them.
const LONGEST: i32 = 7 * 24;
/// Patterns shorter than this, in pixels of a level, are short: those of drawn
/// texture nearly all are, those that two modules of motion blur leave are not.
const SHORT: i32 = 20;

/// How much was looked at: bounds the work on hostile pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanWork {
    /// Row candidates that were crossed.
    pub crossed: u32,
    /// Crosses that were measured in grey.
    pub measured: u32,
    /// Places that were measured, found to be none, and crossed again by row
    /// after row: a blurred finder pattern does that, texture does not.
    pub insistent: u32,
}

/// What to look for on a level.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Every how many rows are scanned. The core of a finder pattern is three
    /// modules high: with modules of 1.5 pixels two rows still cross it, one of
    /// every third does.
    pub step: usize,
    /// Light on dark too.
    pub inverted: bool,
    /// No coarser level follows: take patterns of any size.
    pub last: bool,
    /// Least length of a pattern along a row, in twelfths of a module: 14, or 12
    /// for pictures whose modules are single pixels.
    pub least: i32,
    /// Least grey levels between light and dark.
    pub contrast: f32,
    /// Least share of the whole range of a cross that lies between its light and
    /// its dark runs, in short patterns; long ones need half of it.
    pub clarity: f32,
    /// Most roughness: see [`FinderPattern::roughness`].
    pub roughness: f32,
}

/// All finder patterns of a frame, and the memory that finding them needs.
#[derive(Debug, Default)]
pub struct Finders {
    found: Vec<FinderPattern>,
    next: Vec<u32>,
    bins: Vec<u32>,
    columns: usize,
    rows: usize,
    view: View,
    candidates: Candidates,
    measure: Measure,
    refused: Refused,
    insistent: Vec<Point>,
    room: usize,
    /// Work since [`Finders::start`].
    pub work: ScanWork,
}

impl Finders {
    /// Forgets the last frame; the next one has `width` by `height` pixels.
    pub fn start(&mut self, width: usize, height: usize) {
        self.found.clear();
        self.next.clear();
        self.columns = (width as f32 / BIN) as usize + 1;
        self.rows = (height as f32 / BIN) as usize + 1;
        self.bins.clear();
        self.bins.resize(self.columns * self.rows, END);
        self.insistent.clear();
        self.insistent.reserve_exact(MOST_INSISTENT);
        self.work = ScanWork::default();
    }

    /// What was found so far.
    pub fn found(&self) -> &[FinderPattern] {
        &self.found
    }

    /// Places that row after row took for one and that were none: the first of them.
    pub fn insistent(&self) -> &[Point] {
        &self.insistent
    }

    /// Looks through one level.
    pub fn scan(
        &mut self,
        luma: Luma<'_>,
        level: usize,
        threshold: &Threshold,
        look: &Look,
        budget: &mut Budget,
    ) {
        let Some(sampler) = Sampler::new(luma, level) else {
            return;
        };
        // Taken out, so that what crosses may note what it finds.
        let mut view = std::mem::take(&mut self.view);
        let mut candidates = std::mem::take(&mut self.candidates);
        'level: {
            let Some((rows, mut crossing)) = view.build(luma, threshold, budget) else {
                break 'level;
            };
            let longest = if look.last { i32::MAX } else { LONGEST };
            self.refused.forget();
            self.room = (self.found.len() + MOST_ON_LEVEL).min(MOST_FINDERS);
            let least_contrast = (0.75 * look.contrast) as i32;
            let mut tiles = usize::MAX;
            let mut measured = self.work.measured;
            for y in (look.step / 2..luma.height()).step_by(look.step) {
                if tiles != y / TILE {
                    budget.spend(TILE * luma.width());
                    tiles = y / TILE;
                }
                if budget.is_spent() {
                    break;
                }
                let pixels = luma.row(y);
                candidates.for_each(rows.words(y), look.least, |end, runs, dark| {
                    let length: i32 = runs.iter().sum();
                    if length > longest || (!dark && !look.inverted) {
                        return;
                    }
                    // A row full of finder patterns takes a tenth of a millisecond.
                    if self.work.measured >= measured + MEASURED_PER_LOOK {
                        if budget.is_spent() {
                            return;
                        }
                        measured = self.work.measured;
                    }
                    let x = end - runs[4] - runs[3] - (runs[2] + 1) / 2;
                    let grey = |x: i32| i32::from(pixels[x as usize]);
                    let after = grey(end - runs[4] - (runs[3] + 1) / 2);
                    let before = grey(end - length + runs[0] + runs[1] / 2);
                    let core = grey(x);
                    let contrast = if dark {
                        before.max(after) - core
                    } else {
                        core - before.min(after)
                    };
                    if contrast < least_contrast {
                        return;
                    }
                    self.consider(&mut crossing, &sampler, (x, y as i32), length, !dark, look);
                });
            }
        }
        self.view = view;
        self.candidates = candidates;
    }

    /// A row candidate with its middle at `x`, `y` of the level.
    fn consider(
        &mut self,
        crossing: &mut Crossing<'_>,
        sampler: &Sampler<'_>,
        (x, y): (i32, i32),
        length: i32,
        inverted: bool,
        look: &Look,
    ) {
        let pixel = sampler.pixel();
        let place = |x: f32, y: f32| Point::new((x + 0.5) * pixel, (y + 0.5) * pixel);
        let module = length as f32 / 7.0 * pixel;
        self.work.crossed += 1;
        let Some(down) = crossing.down((x, y), length, inverted) else {
            return;
        };
        if self.found.len() >= self.room
            || self.claimed(place(x as f32, y as f32), module, inverted)
        {
            return;
        }
        let Some(along) = crossing.along((x, y + down.offset), length, inverted) else {
            return;
        };
        // Long patterns may be blurred, short ones are what texture and noise give.
        let share = if length < SHORT { 1.0 } else { 0.5 };
        if !crossing.is_clear((x, y), &along, &down, inverted, share * look.clarity) {
            return;
        }
        let centre = place(x as f32 + along.shift, y as f32 + down.shift);
        let side = ((along.length * down.length) as f32).sqrt();
        let module = side / 7.0 * pixel;
        if self.claimed(centre, module, inverted) {
            return;
        }
        if let Some(times) = self.refused.times(centre, pixel) {
            if times == INSISTENT {
                self.work.insistent += 1;
                if self.insistent.len() < MOST_INSISTENT {
                    self.insistent.push(centre);
                }
            }
            return;
        }
        let middle = (x + along.offset, y + down.offset);
        let most = 3.0 * look.roughness * look.roughness;
        if !crossing.has_diagonals(middle, side, inverted, most) {
            return;
        }
        self.work.measured += 1;
        let finder = self.measure.finder(sampler, centre, module, inverted, look);
        let Some(finder) = finder else {
            self.refused.remember(centre);
            return;
        };
        if self.claimed(finder.centre, finder.module, inverted) {
            return;
        }
        self.insert(finder);
    }

    fn bin(&self, at: Point) -> (usize, usize) {
        let column = (at.x / BIN).max(0.0) as usize;
        let row = (at.y / BIN).max(0.0) as usize;
        (column.min(self.columns - 1), row.min(self.rows - 1))
    }

    fn insert(&mut self, finder: FinderPattern) {
        let (column, row) = self.bin(finder.centre);
        let bin = &mut self.bins[row * self.columns + column];
        self.next.push(*bin);
        *bin = self.found.len() as u32;
        self.found.push(finder);
    }

    /// Is there one already with this middle and about this size?
    fn claimed(&self, centre: Point, module: f32, inverted: bool) -> bool {
        let reach = 2.0 * module;
        let (left, top) = self.bin(Point::new(centre.x - reach, centre.y - reach));
        let (right, bottom) = self.bin(Point::new(centre.x + reach, centre.y + reach));
        (top..=bottom).any(|row| {
            (left..=right).any(|column| {
                let mut index = self.bins[row * self.columns + column];
                while index != END {
                    let other = &self.found[index as usize];
                    if other.inverted == inverted
                        && other.centre.distance(centre) < 1.5 * module.min(other.module * 1.5)
                        && other.module < 2.5 * module
                        && module < 2.5 * other.module
                    {
                        return true;
                    }
                    index = self.next[index as usize];
                }
                false
            })
        })
    }
}

/// The middles that were measured last and found to be none: the next rows
/// cross the same ones again.
#[derive(Debug)]
struct Refused {
    ring: [Point; 128],
    times: [u32; 128],
    next: usize,
}

impl Default for Refused {
    fn default() -> Self {
        Self {
            ring: [NOWHERE; 128],
            times: [0; 128],
            next: 0,
        }
    }
}

const NOWHERE: Point = Point::new(f32::MIN, f32::MIN);

impl Refused {
    fn remember(&mut self, centre: Point) {
        let place = self.next % self.ring.len();
        self.ring[place] = centre;
        self.times[place] = 0;
        self.next += 1;
    }

    /// How often one within less than a pixel of the level came again since it was
    /// refused, this time included.
    fn times(&mut self, centre: Point, pixel: f32) -> Option<u32> {
        let near =
            |other: Point| (other.x - centre.x).abs().max((other.y - centre.y).abs()) < 0.8 * pixel;
        let place = self.ring.iter().position(|&other| near(other))?;
        self.times[place] += 1;
        Some(self.times[place])
    }

    fn forget(&mut self) {
        self.ring = [NOWHERE; 128];
    }
}
