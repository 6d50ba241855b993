//! The scan of a level for finder patterns: rows, crosses, shape.

use super::FinderPattern;
use super::runs::{BitRow, is_finder};
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
/// A refused place that comes again so often is counted. On twenty frames of
/// rough belt texture two did, of those finder patterns in photographs that were
/// too blurred for the first look most.
const INSISTENT: u32 = 3;
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
    /// Places that were measured, found to be none, and crossed again by row
    /// after row: a blurred finder pattern does that, texture does not.
    pub insistent: u32,
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
    limits: Vec<u8>,
    bits: BitRow,
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
        let mut limits = std::mem::take(&mut self.limits);
        let mut bits = std::mem::take(&mut self.bits);
        limits.resize(luma.width(), 0);
        let longest = if look.last { i32::MAX } else { LONGEST };
        let view = View { luma, threshold };
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
                for (limits, &tile) in limits.chunks_mut(TILE).zip(threshold.row(tiles)) {
                    limits.fill(tile);
                }
            }
            let pixels = luma.row(y);
            bits.fill(pixels, &limits);
            bits.for_each_candidate(look.least, |end, runs, dark| {
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
                self.consider(&view, &sampler, (x, y as i32), length, !dark, look);
            });
        }
        self.limits = limits;
        self.bits = bits;
    }

    /// A row candidate with its middle at `x`, `y` of the level.
    fn consider(
        &mut self,
        view: &View<'_>,
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
        let Some(down) = view.down((x, y), length, inverted) else {
            return;
        };
        let y = y + down.offset;
        let Some(along) = view.along((x, y), length, inverted) else {
            return;
        };
        let centre = place(
            x as f32 + along.shift,
            y as f32 + down.shift - down.offset as f32,
        );
        let module = (along.length * down.length) as f32;
        let module = module.sqrt() / 7.0 * pixel;
        if self.claimed(centre, module, inverted) {
            return;
        }
        if let Some(times) = self.refused.times(centre, pixel) {
            self.work.insistent += u32::from(times == INSISTENT);
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

/// A level with its threshold.
struct View<'a> {
    luma: Luma<'a>,
    threshold: &'a Threshold,
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

impl View<'_> {
    fn dark(&self, x: i32, y: i32) -> Option<bool> {
        let (x, y) = (usize::try_from(x).ok()?, usize::try_from(y).ok()?);
        (x < self.luma.width() && y < self.luma.height())
            .then(|| self.luma.at(x, y) < self.threshold.tile(x / TILE, y / TILE))
    }

    /// Pixels from (`x`, `y`), exclusive, in three runs: core, ring, ring. At most
    /// `limits` of the core and of a ring: one may have melted into what is around.
    /// The way is a constant: so most of what finds the next pixel is one, too.
    #[inline]
    fn arm<const DX: isize, const DY: isize>(
        &self,
        (x, y): (i32, i32),
        limits: (i32, i32),
        inverted: bool,
    ) -> Option<[i32; 3]> {
        let (mut x, mut y) = (usize::try_from(x).ok()?, usize::try_from(y).ok()?);
        let mut room = match (DX, DY) {
            (1, _) => self.luma.width().checked_sub(x + 1)?,
            (-1, _) => x,
            (_, 1) => self.luma.height().checked_sub(y + 1)?,
            _ => y,
        };
        let bytes = self.luma.bytes();
        let step = DX + DY * self.luma.stride() as isize;
        let mut index = (y * self.luma.stride() + x).wrapping_add_signed(step);
        (x, y) = (x.wrapping_add_signed(DX), y.wrapping_add_signed(DY));
        let mut run = |colour: bool, limit: i32| {
            let mut length = 0;
            while room > 0 && (bytes[index] < self.threshold.tile(x / TILE, y / TILE)) == colour {
                length += 1;
                if length > limit {
                    return None;
                }
                room -= 1;
                index = index.wrapping_add_signed(step);
                (x, y) = (x.wrapping_add_signed(DX), y.wrapping_add_signed(DY));
            }
            Some((length, room > 0))
        };
        let (core, true) = run(!inverted, limits.0)? else {
            return None;
        };
        let (light, true) = run(inverted, limits.1)? else {
            return None;
        };
        // The rim of the picture may cut the outer ring.
        let (dark, _) = run(!inverted, limits.1)?;
        Some([core, light, dark])
    }

    /// The five runs up and down through (`x`, `y`), if they are those of a finder
    /// pattern about `length` pixels long.
    fn down(&self, at: (i32, i32), length: i32, inverted: bool) -> Option<Cross> {
        if self.dark(at.0, at.1)? == inverted {
            return None;
        }
        let limits = Cross::limits(length);
        let forth = self.arm::<0, 1>(at, limits, inverted)?;
        let back = self.arm::<0, -1>(at, limits, inverted)?;
        Cross::of(forth, back, length)
    }

    /// The five runs left and right, likewise.
    fn along(&self, at: (i32, i32), length: i32, inverted: bool) -> Option<Cross> {
        if self.dark(at.0, at.1)? == inverted {
            return None;
        }
        let limits = Cross::limits(length);
        let forth = self.arm::<1, 0>(at, limits, inverted)?;
        let back = self.arm::<-1, 0>(at, limits, inverted)?;
        Cross::of(forth, back, length)
    }
}

impl Cross {
    /// How long the core to one side and a ring may be at most.
    fn limits(length: i32) -> (i32, i32) {
        (length * 3 / 4 + 2, length * 2 / 5 + 2)
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
