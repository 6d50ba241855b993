//! From one finder pattern to a grid: Micro QR codes have no other one
//! (ISO/IEC 18004, 6.3.2).
//!
//! What they have are timing patterns along the two edges that meet in the
//! finder pattern. These are followed module by module: their ends tell how many
//! modules there are, their borders where each row and column lies, and how much
//! they shrink on the way how the symbol is tilted.

use super::Grid;
use super::mesh::Mesh;
use super::solve::{Pair, fit};
use crate::geometry::{Homography, Point};
use crate::optics::Sampler;
use crate::qr::finder::FinderPattern;

/// Longest timing pattern that is followed: to the edge of an M4, in modules.
const LONGEST: usize = 17;
/// How far from where it is expected a border between two modules may lie, in
/// modules. Half a module would be the next but one.
const REACH: f32 = 0.55;
/// Steps to a module in which a border is looked for.
const STEPS: i32 = 10;
/// Weight of the finder pattern's corners: its sides are known less well than
/// its middle.
const SIDES: f32 = 0.15;

/// A finder pattern taken as the upper left corner of a symbol.
pub struct Corner<'a> {
    sampler: Sampler<'a>,
    finder: FinderPattern,
    /// One module to the right and down the symbol.
    right: Point,
    down: Point,
}

/// A timing pattern that was followed outwards from the finder pattern.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Modules from the symbol's corner to the end of the last dark one.
    pub length: usize,
    /// Where the middles of its dark modules lie: of module 8, 10, …
    middles: [Option<Point>; 5],
}

impl<'a> Corner<'a> {
    /// `quarter` is by how many quarter turns the symbol's right is turned from
    /// the pattern's own `u`. `sampler` is of a level on which a module has a few
    /// pixels.
    pub fn new(sampler: Sampler<'a>, finder: &FinderPattern, quarter: usize) -> Self {
        let axes = [finder.u, finder.v, finder.u * -1.0, finder.v * -1.0];
        Self {
            sampler,
            finder: *finder,
            right: axes[quarter % 4],
            down: axes[(quarter + 1) % 4],
        }
    }

    /// Grey value in the symbol's own polarity.
    pub fn value(&self, at: Point) -> f32 {
        let grey = self.sampler.at(at.x, at.y);
        if self.finder.inverted {
            255.0 - grey
        } else {
            grey
        }
    }

    /// Between light and dark.
    pub fn middle(&self) -> f32 {
        (self.finder.dark + self.finder.light) / 2.0
    }

    /// Light less dark, at least 1.
    pub fn contrast(&self) -> f32 {
        (self.finder.light - self.finder.dark).max(1.0)
    }

    /// Does this place lie in the picture?
    pub fn contains(&self, at: Point) -> bool {
        self.sampler.contains(at.x, at.y)
    }

    /// Follows the timing pattern along the upper edge.
    pub fn upper(&self) -> Option<Timing> {
        self.follow(self.right, self.down)
    }

    /// Follows the one along the left edge.
    pub fn left(&self) -> Option<Timing> {
        self.follow(self.down, self.right)
    }

    /// Follows the timing pattern `along` one edge of the finder pattern;
    /// `inwards` lies the symbol. `None` if there is none.
    fn follow(&self, along: Point, inwards: Point) -> Option<Timing> {
        let mut timing = Timing {
            length: 0,
            middles: [None; 5],
        };
        // In the middle of the last module of the finder pattern's upper row.
        let mut at = self.finder.centre + along * 3.0 - inwards * 3.0;
        let mut step = along;
        let mut ends = self.border(at + step * 0.5, step, true)?;
        at = ends - step * 0.5;
        let mut lost = 0;
        for module in (8..LONGEST).step_by(2) {
            // The light one before it, and its own two borders.
            let begins = self.border(ends + step, step, false);
            let Some(begins) = begins else {
                // One that is soiled is passed over, if others follow.
                lost += 1;
                if lost > 1 {
                    break;
                }
                ends = ends + step * 2.0;
                at = at + step * 2.0;
                continue;
            };
            let end = self
                .border(begins + step, step, true)
                .or_else(|| self.rim(begins + step))?;
            // Where the ink has run, dark modules are longer than light ones:
            // only both together are two modules.
            let period = (end - ends) * 0.5;
            let mut middle = (begins + end) * 0.5;
            if let Some(off) = self.outwards(middle, inwards) {
                middle = middle + inwards * off;
            }
            // The first periods are measured with the largest error.
            step = (step + (middle - at) * 0.5) * 0.5;
            let turned = period.dot(step) / step.dot(step).max(1e-6);
            if !(0.6..1.6).contains(&turned) {
                break;
            }
            ends = end + (middle - (begins + end) * 0.5);
            at = middle;
            timing.middles[(module - 8) / 2] = Some(middle);
            timing.length = module + 1;
            lost = 0;
        }
        (timing.length > 0).then_some(timing)
    }

    /// The border between two modules that is nearest to `expected`, going by
    /// `step` a module from dark to light (or from light to dark).
    fn border(&self, expected: Point, step: Point, to_light: bool) -> Option<Point> {
        let most = (REACH * STEPS as f32) as i32;
        let place = |i: i32| expected + step * (i as f32 / STEPS as f32);
        let middle = self.middle();
        let mut best: Option<f32> = None;
        let mut before = self.value(place(-most - 1)) - middle;
        for i in -most..=most {
            let now = self.value(place(i)) - middle;
            if (before > 0.0) != (now > 0.0) && (now > 0.0) == to_light {
                let at = i as f32 - now / (now - before);
                if best.is_none_or(|best| at.abs() < best.abs()) {
                    best = Some(at);
                }
            }
            before = now;
        }
        best.map(|at| expected + step * (at / STEPS as f32))
    }

    /// The end of a module that the rim of the picture cuts off.
    fn rim(&self, expected: Point) -> Option<Point> {
        let by = self.finder.module * 0.5;
        let inside = |x: f32, y: f32| self.sampler.contains(expected.x + x, expected.y + y);
        (!inside(by, by) || !inside(-by, -by)).then_some(expected)
    }

    /// How far `inwards` the middle of a dark module lies from `at`, in modules,
    /// as told by its outer border; `None` if that is not there.
    fn outwards(&self, at: Point, inwards: Point) -> Option<f32> {
        let border = self.border(at - inwards * 0.5, inwards * -1.0, true)?;
        let off = (border - (at - inwards * 0.5)).dot(inwards) / inwards.dot(inwards);
        (off.abs() < 0.45).then_some(off)
    }

    /// The grid of a symbol of `side` modules whose timing patterns these are.
    pub fn grid(&self, side: usize, upper: &Timing, left: &Timing) -> Option<Grid> {
        let finder = &self.finder;
        let mut pairs: [Pair; 15] = [(Point::default(), Point::default(), 0.0); 15];
        let mut count = 0;
        let mut push = |x: f32, y: f32, at: Point, weight: f32| {
            pairs[count] = (Point::new(x, y), at, weight);
            count += 1;
        };
        push(3.5, 3.5, finder.centre, 1.0);
        for (x, y) in [(-3.5, -3.5), (3.5, -3.5), (3.5, 3.5), (-3.5, 3.5)] {
            let at = finder.centre + self.right * x + self.down * y;
            push(3.5 + x, 3.5 + y, at, SIDES);
        }
        for (i, module) in (8..side).step_by(2).enumerate().take(5) {
            let along = module as f32 + 0.5;
            if let Some(at) = upper.middles[i] {
                push(along, 0.5, at, 1.0);
            }
            if let Some(at) = left.middles[i] {
                push(0.5, along, at, 1.0);
            }
        }
        self.checked(side, fit(&pairs[..count], FLATNESS)?)
    }

    /// A grid, if it is sane.
    fn checked(&self, side: usize, base: Homography) -> Option<Grid> {
        let finder = &self.finder;
        let grid = Grid {
            side,
            mesh: Mesh::flat(base),
            inverted: finder.inverted,
            module: finder.module,
            edge: finder.edge,
            timing: 1.0,
        };
        let module = grid.corners().area().sqrt() / side as f32;
        let sane = module > 0.5 * finder.module && module < 2.0 * finder.module;
        sane.then_some(Grid { module, ..grid })
    }
}

/// How much perspective is held back.
const FLATNESS: f64 = 1e-3;
