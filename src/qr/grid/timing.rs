//! What the timing patterns and the version information tell of a symbol: how
//! many modules it has, and whether the map from its finder patterns is right.

use super::bow::Bow;
use super::locate::Locator;
use super::mesh::Mesh;
use crate::geometry::Point;
use crate::qr::decode::{likeliest_version, side_of};

/// By how much a version must be likelier than the next one: two words are 8
/// bits apart, 16 times 127 in one clean copy.
const VERSION_MARGIN: i32 = 9 * 127;

/// A timing pattern that alternates less than this is torn, or not where it is
/// looked for.
const TORN: f32 = 0.6;
/// How far a side is looked for beside the straight line between its finder
/// patterns, in steps, and the step in modules.
const BOW_STEPS: i32 = 7;
const BOW_STEP: f32 = 0.3;

impl Locator<'_> {
    /// How well both timing patterns alternate under `mesh`.
    pub(super) fn timing_of(&self, mesh: &Mesh, side: usize) -> f32 {
        let [row, column] = self.timings(mesh, side);
        // One of them may be torn.
        ((row + column) / 2.0).max(row.max(column) - 0.25)
    }

    /// How well the row and the column of the timing patterns alternate.
    fn timings(&self, mesh: &Mesh, side: usize) -> [f32; 2] {
        let still = |_| Point::default();
        [
            self.alternation(side, |i| mesh.map(i, 6.5), still),
            self.alternation(side, |i| mesh.map(6.5, i), still),
        ]
    }

    /// How well modules alternate along a timing pattern, from 1 to -1: that of
    /// coordinate `i` lies at `place(i)`, moved by `by(i)`.
    fn alternation(
        &self,
        side: usize,
        place: impl Fn(f32) -> Point,
        by: impl Fn(f32) -> Point,
    ) -> f32 {
        let scale = 2.0 / (self.light - self.dark).max(1.0);
        let at = |i: usize| {
            let i = i as f32 + 0.5;
            self.value(place(i) + by(i))
        };
        let (mut sum, mut count) = (0.0, 0.0);
        let (mut before, mut here) = (at(7), at(8));
        for i in 8..side - 8 {
            let after = at(i + 1);
            let dark = ((before + after) / 2.0 - here) * scale;
            let dark = dark.clamp(-0.5, 0.5) * 2.0;
            sum += if i % 2 == 0 { dark } else { -dark };
            count += 1.0;
            (before, here) = (here, after);
        }
        sum / count
    }

    /// The bows under which both timing patterns alternate, where without them
    /// one does not: looked for beside the straight line.
    pub(super) fn bow_by_timing(&self, mesh: &Mesh, side: usize) -> Option<Bow> {
        let [row, column] = self.timings(mesh, side);
        if row.min(column) > TORN || row.max(column) < TORN {
            return None;
        }
        let down = mesh.map(6.5, 7.0) - mesh.map(6.5, 6.0);
        let right = mesh.map(7.0, 6.5) - mesh.map(6.0, 6.5);
        let across = if row < column { down } else { right };
        let length = side as f32 - 7.0;
        let mut best = (TORN, None);
        for step in (1..=BOW_STEPS).flat_map(|step| [step, -step]) {
            let modules = step as f32 * BOW_STEP;
            let by = |i: f32| {
                let t = (i - 3.5) / length;
                across * (modules * 4.0 * t * (1.0 - t))
            };
            let score = if row < column {
                self.alternation(side, |i| mesh.map(i, 6.5), by)
            } else {
                self.alternation(side, |i| mesh.map(6.5, i), by)
            };
            if score > best.0 {
                let middle = across * (modules / length);
                let bow = if row < column {
                    Bow::new(middle, Point::default())
                } else {
                    Bow::new(Point::default(), middle)
                };
                best = (score, Some(bow));
            }
        }
        best.1
    }

    /// The side that the version information tells: it stands next to two of the
    /// finder patterns, so it is read from there without a grid.
    fn told_side(&self, estimate: f32) -> Option<usize> {
        if estimate < 40.0 {
            return None;
        }
        let middle = (self.dark + self.light) / 2.0;
        let scale = 254.0 / (self.light - self.dark).max(1.0);
        let soft = |at: Point| ((middle - self.value(at)) * scale).clamp(-127.0, 127.0) as i32;
        let [_, right, down] = &self.patterns;
        let (mut upper, mut lower, mut both) = ([0; 18], [0; 18], [0; 18]);
        for bit in 0..18 {
            let (along, across) = ((bit % 3) as f32 - 7.0, (bit / 3) as f32 - 3.0);
            upper[bit] = soft(right.centre + right.x * along + right.y * across);
            lower[bit] = soft(down.centre + down.x * across + down.y * along);
            both[bit] = upper[bit] + lower[bit];
        }
        [both, upper, lower].iter().find_map(|soft| {
            let (version, margin) = likeliest_version(soft);
            let side = side_of(version);
            let near = (side as f32 / estimate).ln().abs() < 0.2;
            (near && margin > VERSION_MARGIN).then_some(side)
        })
    }

    /// Sides in the order in which they are to be tried, with their timing
    /// scores; `estimate` is what the distances tell.
    pub fn sides(&self, estimate: f32) -> impl Iterator<Item = (usize, f32)> + use<> {
        let reach = (estimate * 0.07).max(5.0);
        let mut best = [(0usize, f32::MIN); 3];
        let told = self.told_side(estimate);
        let first = (((estimate - reach - 17.0) / 4.0).ceil() as i32).clamp(1, 40);
        let last = (((estimate + reach - 17.0) / 4.0).floor() as i32).clamp(first, 40);
        for version in first..=last {
            let side = 17 + 4 * version as usize;
            let score = self.timing(side);
            // Of equals, the one that distances favour.
            if told == Some(side) {
                continue;
            }
            let rank = score - 0.1 * (side as f32 - estimate).abs() / reach;
            if let Some(place) = best.iter().position(|kept| rank > kept.1) {
                best[place..].rotate_right(1);
                best[place] = (side, rank);
            }
        }
        let told = told.map(|side| (side, 1.0));
        told.into_iter()
            .chain(best.into_iter().filter(|kept| kept.0 != 0))
    }
}
