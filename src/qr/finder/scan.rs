//! The scan of a level for finder patterns: rows, crosses, shape.

use super::FinderPattern;
use super::bits::{BitColumns, BitRows, Line, run_back, run_forth};
use super::runs::{for_each_candidate, is_finder};
use super::shape::Measure;
use crate::frame::Luma;
use crate::geometry::Point;
use crate::optics::{Sampler, TILE, Threshold};
use crate::qr::budget::Budget;

/// Most finder patterns that are kept of one frame.
pub const MOST_FINDERS: usize = 4096;
/// … and of one level: texture of one size must not crowd out the others.
const MOST_ON_LEVEL: usize = 768;
/// Every how many rows are scanned. The core of a finder pattern is three
/// modules high: with modules of 1.5 pixels two rows still cross it.
const ROW_STEP: usize = 2;
/// Side of a bin in pixels of level 0.
const BIN: f32 = 64.0;
/// No next one in a bin.
const END: u32 = u32::MAX;
/// Longest pattern that a level looks for, in its own pixels. Larger ones are
/// found on a coarser level, where the windows of the threshold fit them.
const LONGEST: i32 = 7 * 24;

/// How much was looked at: bounds the work on hostile pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanWork {
    /// Row candidates that were crossed.
    pub crossed: u32,
    /// Crosses that were measured in grey.
    pub measured: u32,
}

/// What to look for on a level.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Light on dark too.
    pub inverted: bool,
    /// No coarser level follows: take patterns of any size.
    pub last: bool,
    /// Least length of a pattern along a row, in twelfths of a module: 14, or 12
    /// for pictures whose modules are single pixels.
    pub least: i32,
    /// Least grey levels between light and dark.
    pub contrast: f32,
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
    measure: Measure,
    refused: Refused,
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
        self.work = ScanWork::default();
    }

    /// What was found so far.
    pub fn found(&self) -> &[FinderPattern] {
        &self.found
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
        view.rows.build(luma, threshold);
        view.columns.start(&view.rows);
        let View { rows, columns } = &mut view;
        let longest = if look.last { i32::MAX } else { LONGEST };
        self.refused.forget();
        self.room = (self.found.len() + MOST_ON_LEVEL).min(MOST_FINDERS);
        let least_contrast = (0.75 * look.contrast) as i32;
        let mut tiles = usize::MAX;
        for y in (ROW_STEP / 2..luma.height()).step_by(ROW_STEP) {
            if tiles != y / TILE {
                budget.spend(TILE * luma.width());
                if budget.is_spent() {
                    break;
                }
                tiles = y / TILE;
            }
            let pixels = luma.row(y);
            for_each_candidate(rows.row(y), look.least, |end, runs, dark| {
                let length: i32 = runs.iter().sum();
                if length > longest || (!dark && !look.inverted) {
                    return;
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
                let mut crossing = Crossing { rows, columns };
                self.consider(&mut crossing, &sampler, (x, y as i32), length, !dark, look);
            });
        }
        self.view = view;
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
        if self.found.len() >= self.room
            || self.claimed(place(x as f32, y as f32), module, inverted)
        {
            return;
        }
        self.work.crossed += 1;
        let Some(down) = crossing.down((x, y), length, inverted) else {
            return;
        };
        let y = y + down.offset;
        let Some(along) = crossing.along((x, y), length, inverted) else {
            return;
        };
        let centre = place(
            x as f32 + along.shift,
            y as f32 + down.shift - down.offset as f32,
        );
        let module = (along.length * down.length) as f32;
        let module = module.sqrt() / 7.0 * pixel;
        if self.claimed(centre, module, inverted) || self.refused.knows(centre, pixel) {
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
    next: usize,
}

impl Default for Refused {
    fn default() -> Self {
        Self {
            ring: [NOWHERE; 128],
            next: 0,
        }
    }
}

const NOWHERE: Point = Point::new(f32::MIN, f32::MIN);

impl Refused {
    fn remember(&mut self, centre: Point) {
        self.ring[self.next % self.ring.len()] = centre;
        self.next += 1;
    }

    /// Was one within less than a pixel of the level refused?
    fn knows(&self, centre: Point, pixel: f32) -> bool {
        self.ring
            .iter()
            .any(|other| (other.x - centre.x).abs().max((other.y - centre.y).abs()) < 0.8 * pixel)
    }

    fn forget(&mut self) {
        self.ring = [NOWHERE; 128];
    }
}

/// A level as bits.
#[derive(Debug, Default)]
struct View {
    rows: BitRows,
    columns: BitColumns,
}

/// The same while its rows are scanned.
struct Crossing<'a> {
    rows: &'a BitRows,
    columns: &'a mut BitColumns,
}

/// A line through the core of a finder pattern.
struct Cross {
    /// Sum of the five runs.
    length: i32,
    /// From where it was crossed to the middle of the core, in whole pixels …
    offset: i32,
    /// … and in halves.
    shift: f32,
}

impl Crossing<'_> {
    /// The five runs up and down through (`x`, `y`), if they are those of a finder
    /// pattern about `length` pixels long.
    fn down(&mut self, (x, y): (i32, i32), length: i32, inverted: bool) -> Option<Cross> {
        if self.rows.dark(x, y)? == inverted {
            return None;
        }
        let reach = Cross::reach(length);
        let column = self
            .columns
            .column(self.rows, x as usize, y as usize, reach);
        Cross::through(&column, y as usize, self.rows.height(), length, inverted)
    }

    /// The five runs left and right, likewise.
    fn along(&self, (x, y): (i32, i32), length: i32, inverted: bool) -> Option<Cross> {
        if self.rows.dark(x, y)? == inverted {
            return None;
        }
        let row = self.rows.row(y as usize);
        Cross::through(row, x as usize, self.rows.width(), length, inverted)
    }
}

impl Cross {
    /// How long the core to one side and a ring may be at most: one may have
    /// melted into what is around.
    fn limits(length: i32) -> (usize, usize) {
        ((length * 3 / 4 + 2) as usize, (length * 2 / 5 + 2) as usize)
    }

    /// How far an arm of the cross reaches at most.
    fn reach(length: i32) -> usize {
        let (core, ring) = Self::limits(length);
        core + 2 * ring + 3
    }

    /// The runs of `line`, `end` long, to both sides of `at`, which is in the core.
    #[inline]
    fn through(
        line: &(impl Line + ?Sized),
        at: usize,
        end: usize,
        length: i32,
        inverted: bool,
    ) -> Option<Self> {
        let (core, ring) = Self::limits(length);
        let limits = [core, ring, ring];
        let mut forth = [0; 3];
        let mut from = at + 1;
        for (index, run) in forth.iter_mut().enumerate() {
            let dark = inverted != (index != 1);
            let most = (limits[index] + 1).min(end - from);
            *run = run_forth(line, from, most, dark);
            from += *run;
            // The rim of the picture may cut the outer ring.
            if *run > limits[index] || (index < 2 && from == end) {
                return None;
            }
        }
        let mut back = [0; 3];
        let mut to = at;
        for (index, run) in back.iter_mut().enumerate() {
            let dark = inverted != (index != 1);
            let most = (limits[index] + 1).min(to);
            *run = run_back(line, to, most, dark);
            to -= *run;
            if *run > limits[index] || (index < 2 && to == 0) {
                return None;
            }
        }
        Self::of(
            forth.map(|run| run as i32),
            back.map(|run| run as i32),
            length,
        )
    }

    fn of(forth: [i32; 3], back: [i32; 3], length: i32) -> Option<Self> {
        let core = forth[0] + back[0] + 1;
        let runs = [back[2], back[1], core, forth[1], forth[2]];
        let sum: i32 = runs.iter().sum();
        // Seen at a slant, one side may be shorter by half and more.
        if sum > 3 * length + 3 || length > 3 * sum + 3 || !is_finder(runs, 12) {
            return None;
        }
        let shift = (forth[0] - back[0]) as f32 / 2.0;
        Some(Self {
            length: sum,
            offset: shift as i32,
            shift,
        })
    }
}
