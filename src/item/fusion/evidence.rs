//! Where a code may be that nobody read: regions around what was left over.

use super::super::Seen;
use crate::geometry::Point;
use crate::qr::Sign;

/// Most pixels of a region, as it is kept.
pub(super) const MOST_PIXELS: usize = 102_400;
/// Longest side of a region, in pixels as it is kept.
const MOST_SIDE: f32 = 320.0;
/// Shortest.
const LEAST_SIDE: f32 = 48.0;
/// Finder patterns of one code are no farther apart, in modules: version 8.
/// Larger symbols that show so little of themselves are too rare to search for.
const APART: f32 = 45.0;
/// A code reaches so many modules from a finder pattern that stands alone.
const ALONE: f32 = 32.0;
/// Half a finder pattern and the quiet zone, in modules.
const RIM: f32 = 8.0;
/// A finder pattern rougher than this counts only while nothing is read …
const CLEAR: f32 = 0.25;
/// … and one rougher than this never does. (In noise as strong as the contrast.)
const FAINT: f32 = 0.5;
/// Modules larger than this many pixels are kept at half the size.
const FINE_PX: f32 = 9.0;

/// A part of the picture to be kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Region {
    /// Upper left and lower right corner, px.
    pub low: Point,
    pub high: Point,
    /// A place that lies in the code, if it is one.
    pub seed: Point,
    /// Pixels of the picture to one that is kept, along one side: 1, 2 or 4.
    pub pitch: usize,
}

/// Turns evidence into regions, in memory that it keeps.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    signs: Vec<Sign>,
    taken: Vec<bool>,
    group: Vec<Sign>,
}

impl Evidence {
    /// Regions around finder patterns that belong together, then around symbols
    /// that were located but not read.
    pub fn regions(&mut self, seen: &Seen<'_>, regions: &mut Vec<Region>) {
        regions.clear();
        self.sort(seen);
        let clear = self.signs.partition_point(|sign| sign.roughness < CLEAR);
        self.groups(0..clear, regions);
        for unread in seen.unread {
            let seed = unread.corners.centre();
            let inside = |region: &Region| {
                region.low.x <= seed.x
                    && seed.x <= region.high.x
                    && region.low.y <= seed.y
                    && seed.y <= region.high.y
            };
            if !regions.iter().any(inside) {
                let (left, top, right, bottom) = unread.corners.bounds();
                let size = unread.corners.area().sqrt();
                let room = 0.4 * size;
                let low = Point::new(left - room, top - room);
                let high = Point::new(right + room, bottom + room);
                // 25 to 45 modules a side.
                regions.extend(region(low, high, seed, size / 33.0));
            }
        }
        self.groups(clear..self.signs.len(), regions);
    }

    /// The signs that count, the clearest first.
    fn sort(&mut self, seen: &Seen<'_>) {
        let enough = match seen.codes.is_empty() {
            true => FAINT,
            false => CLEAR,
        };
        self.signs.clear();
        let counts = |sign: &&Sign| sign.roughness < enough;
        self.signs.extend(seen.signs.iter().filter(counts));
        self.signs
            .sort_unstable_by(|a, b| a.roughness.total_cmp(&b.roughness));
        self.taken.clear();
        self.taken.resize(self.signs.len(), false);
    }

    /// Regions around these signs, with those that belong to them.
    fn groups(&mut self, range: std::ops::Range<usize>, regions: &mut Vec<Region>) {
        for i in range.clone() {
            if !self.taken[i] {
                self.gather(i..range.end);
                regions.extend(around(&self.group));
            }
        }
    }

    /// The signs of these that may be of one code with the first of them.
    fn gather(&mut self, range: std::ops::Range<usize>) {
        let signs = &self.signs[range.clone()];
        let first = signs[0];
        self.group.clear();
        for (sign, taken) in signs.iter().zip(&mut self.taken[range]) {
            let ratio = sign.module_px / first.module_px;
            let near = sign.centre.distance(first.centre) < APART * first.module_px;
            if !*taken && (0.7..1.4).contains(&ratio) && near {
                *taken = true;
                self.group.push(*sign);
            }
        }
    }
}

/// The region in which a code with these finder patterns lies.
fn around(group: &[Sign]) -> Option<Region> {
    let first = group.first()?;
    let module = first.module_px;
    let far = group
        .iter()
        .flat_map(|a| group.iter().map(move |b| a.centre.distance(b.centre)))
        .fold(0.0, f32::max);
    let room = match group.len() {
        1 => ALONE * module,
        2 => (far + RIM * module).min(ALONE * module),
        _ => 0.3 * far + RIM * module,
    };
    let (mut low, mut high) = (first.centre, first.centre);
    for sign in group {
        low = Point::new(low.x.min(sign.centre.x), low.y.min(sign.centre.y));
        high = Point::new(high.x.max(sign.centre.x), high.y.max(sign.centre.y));
    }
    let room = Point::new(room, room);
    region(low - room, high + room, first.centre, module)
}

/// A region of sane size; a larger one is cut around its middle.
fn region(low: Point, high: Point, seed: Point, module: f32) -> Option<Region> {
    let pitch = match module {
        m if m >= 2.0 * FINE_PX => 4,
        m if m >= FINE_PX => 2,
        _ => 1,
    };
    let sane = |v: f32| v.is_finite() && v.abs() < 1e5;
    let all = [low.x, low.y, high.x, high.y, seed.x, seed.y, module];
    if !all.into_iter().all(sane) {
        return None;
    }
    let cut = |low: f32, high: f32| {
        let half = (0.5 * (high - low)).min(0.5 * MOST_SIDE * pitch as f32);
        let middle = 0.5 * (low + high);
        (middle - half, middle + half)
    };
    let ((left, right), (top, bottom)) = (cut(low.x, high.x), cut(low.y, high.y));
    let least = LEAST_SIDE * pitch as f32;
    (right - left >= least && bottom - top >= least).then_some(Region {
        low: Point::new(left, top),
        high: Point::new(right, bottom),
        seed,
        pitch,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Quad;
    use crate::qr::{Reason, Unread};

    fn regions(signs: &[Sign], unread: &[Unread]) -> Vec<Region> {
        let seen = Seen {
            codes: &[],
            unread,
            signs,
        };
        let mut out = Vec::new();
        Evidence::default().regions(&seen, &mut out);
        out
    }

    fn sign(x: f32, y: f32, module_px: f32) -> Sign {
        Sign {
            centre: Point::new(x, y),
            module_px,
            roughness: 0.1,
        }
    }

    fn square(x: f32, y: f32, side: f32) -> Unread {
        Unread {
            corners: Quad(
                [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
                    .map(|(u, v): (f32, f32)| Point::new(x + u * side, y + v * side)),
            ),
            reason: Reason::Glare,
            agreement: 0.9,
        }
    }

    #[test]
    fn finder_patterns_of_one_size_near_each_other_are_one_region() {
        let found = regions(
            &[
                sign(100.0, 100.0, 4.0),
                sign(180.0, 102.0, 4.2),
                sign(600.0, 100.0, 4.0),
                sign(110.0, 150.0, 9.0),
            ],
            &[square(90.0, 90.0, 100.0), square(800.0, 500.0, 100.0)],
        );
        assert_eq!(found.len(), 4, "{found:?}");
        let holds =
            |r: &Region, x: f32, y: f32| r.low.x < x && r.low.y < y && r.high.x > x && r.high.y > y;
        // The code may lie on either side of two patterns.
        assert!(holds(&found[0], 100.0, 180.0) && holds(&found[0], 100.0, 20.0));
        assert!(holds(&found[3], 800.0, 500.0) && holds(&found[3], 900.0, 600.0));
        assert_eq!(
            found.iter().map(|r| r.pitch).collect::<Vec<_>>(),
            [1, 1, 2, 1]
        );
    }

    #[test]
    fn regions_are_bounded_whatever_the_evidence() {
        for module in [
            0.0,
            1e-9,
            4.0,
            8.9,
            17.0,
            100.0,
            1e9,
            f32::NAN,
            f32::INFINITY,
        ] {
            for at in [0.0, -1e4, 1e30, f32::NAN] {
                for r in regions(
                    &[sign(at, 5.0, module), sign(5.0, at, module)],
                    &[square(at, 0.0, module)],
                ) {
                    let side = |v: f32| v / r.pitch as f32;
                    let (width, height) = (side(r.high.x - r.low.x), side(r.high.y - r.low.y));
                    assert!(width <= 401.0 && height <= 401.0 && width > 40.0, "{r:?}");
                }
            }
        }
    }
}
