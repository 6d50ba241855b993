//! From one finder pattern to a grid: Micro QR codes have no other one
//! (ISO/IEC 18004, 6.3.2).
//!
//! What they have are timing patterns along the two edges that meet in the
//! finder pattern. These are followed module by module: their ends tell how many
//! modules there are, their borders where each row and column lies, and how much
//! they shrink on the way how the symbol is tilted.

use super::Grid;
use super::mesh::Mesh;
use crate::geometry::{Pair, Point, fit};
use crate::optics::Sampler;
use crate::qr::finder::FinderPattern;

/// Places to a module at which a timing pattern is looked at.
const STEPS: usize = 8;
/// … from one dark module to the light one after the next.
const PROFILE: usize = 3 * STEPS + STEPS / 2;
/// How much lighter, of the contrast in the finder pattern, the light modules to
/// both sides of a dark one are at least.
const LEAST_DEPTH: f32 = 0.22;
/// How much perspective is held back: two short edges tell little of it.
const FLATNESS: f64 = 1e-3;
/// Weight of the finder pattern's corners: its sides are known less well than
/// its middle.
const SIDES: f32 = 0.15;

/// A finder pattern taken as the upper left corner of a symbol.
pub struct Corner<'a> {
    sampler: Sampler<'a>,
    finder: FinderPattern,
    /// One module to the right and down the symbol.
    pub(super) right: Point,
    pub(super) down: Point,
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
        Self::turned(sampler, finder, quarter, false)
    }

    /// The same, if `mirrored` with down on the other side of right.
    pub fn turned(
        sampler: Sampler<'a>,
        finder: &FinderPattern,
        quarter: usize,
        mirrored: bool,
    ) -> Self {
        let axes = [finder.u, finder.v, finder.u * -1.0, finder.v * -1.0];
        Self {
            sampler,
            finder: *finder,
            right: axes[quarter % 4],
            down: axes[(quarter + if mirrored { 3 } else { 1 }) % 4],
        }
    }

    /// Where the place (`x`, `y`) of the symbol, in modules, lies by the finder
    /// pattern's own sides.
    pub(super) fn place(&self, x: f32, y: f32) -> Point {
        self.finder.centre + self.right * (x - 3.5) + self.down * (y - 3.5)
    }

    /// Grey values of dark and light modules, in the symbol's own polarity.
    pub(super) fn levels(&self) -> (f32, f32) {
        (self.finder.dark, self.finder.light)
    }

    /// What the finder pattern tells of the grid: places in modules, in the
    /// picture, and their weights.
    pub(super) fn finder_pairs(&self) -> [(f32, f32, Point, f32); 5] {
        [
            (3.5, 3.5, 1.0),
            (0.0, 0.0, SIDES),
            (7.0, 0.0, SIDES),
            (7.0, 7.0, SIDES),
            (0.0, 7.0, SIDES),
        ]
        .map(|(x, y, weight)| (x, y, self.place(x, y), weight))
    }

    /// What its values come from.
    pub fn sampler(&self) -> &Sampler<'a> {
        &self.sampler
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
        // The last module of the finder pattern's upper row.
        let mut at = self.finder.centre + along * 3.0 - inwards * 3.0;
        let mut step = along;
        let mut lost = false;
        for (i, middle) in timing.middles.iter_mut().enumerate() {
            let Some((found, dark)) = self.next_dark(at, step) else {
                // One that is soiled is passed over, if others follow.
                if lost {
                    break;
                }
                lost = true;
                at = at + step * 2.0;
                continue;
            };
            let found = found + inwards * self.inwards(found, inwards, dark);
            // The first ones are measured with the largest error.
            step = (step + (found - at) * 0.5) * 0.5;
            at = found;
            *middle = Some(found);
            timing.length = 9 + 2 * i;
            lost = false;
        }
        (timing.length > 0).then_some(timing)
    }

    /// The middle of the dark module two steps from `at`, and its grey value.
    /// Judged by the light ones beside it alone, since blur leaves less and less
    /// of modules that alternate.
    pub(super) fn next_dark(&self, at: Point, step: Point) -> Option<(Point, f32)> {
        let place = |i: usize| at + step * (i as f32 / STEPS as f32);
        let mut profile = [0.0f32; PROFILE];
        for (i, value) in profile.iter_mut().enumerate() {
            *value = self.value(place(i));
        }
        let darkest =
            (3 * STEPS / 2..=5 * STEPS / 2).min_by(|&a, &b| profile[a].total_cmp(&profile[b]))?;
        let dark = profile[darkest];
        let lightest =
            |range: std::ops::Range<usize>| profile[range].iter().copied().fold(0.0, f32::max);
        let before = lightest(STEPS / 2..darkest);
        // The rim of the picture may cut off what comes after.
        let after = if self.contains(at + step * 2.8) {
            lightest(darkest..PROFILE)
        } else {
            before
        };
        let light = before.min(after);
        if light - dark < LEAST_DEPTH * self.contrast() {
            return None;
        }
        let middle = (light + dark) / 2.0;
        let cross = |a: usize, b: usize| {
            let share = (middle - profile[a]) / (profile[b] - profile[a]);
            a as f32 + share * (b as f32 - a as f32)
        };
        let begin = (STEPS / 2 + 1..=darkest)
            .rev()
            .find(|&i| profile[i - 1] > middle);
        let end = (darkest..PROFILE - 1).find(|&i| profile[i + 1] > middle);
        let found = match (begin, end) {
            (Some(begin), Some(end)) => (cross(begin, begin - 1) + cross(end, end + 1)) / 2.0,
            (Some(begin), None) => cross(begin, begin - 1) + STEPS as f32 / 2.0,
            (None, _) => darkest as f32,
        };
        Some((at + step * (found / STEPS as f32), dark))
    }

    /// How far `inwards` the middle of a dark module at the symbol's edge lies
    /// from `at`, in modules, as told by its outer border; 0 if that is not there.
    pub(super) fn inwards(&self, at: Point, inwards: Point, dark: f32) -> f32 {
        let place = |i: i32| at - inwards * (i as f32 / STEPS as f32);
        let most = STEPS as i32;
        let light = self.value(place(most)).min(self.finder.light);
        let middle = (light + dark) / 2.0;
        let mut before = self.value(place(0));
        if light - dark < LEAST_DEPTH * self.contrast() {
            return 0.0;
        }
        for i in 1..=most {
            let now = self.value(place(i));
            if before <= middle && now > middle {
                let border = (i as f32 - (now - middle) / (now - before)) / STEPS as f32;
                return (0.5 - border).clamp(-0.4, 0.4);
            }
            before = now;
        }
        0.0
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
        for (x, y, at, weight) in self.finder_pairs() {
            push(x, y, at, weight);
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
        let grid = Grid {
            side,
            mesh: Mesh::flat(fit(&pairs[..count], FLATNESS)?),
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
