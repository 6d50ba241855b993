//! Where a blurred code may lie: patches of tiles with strong gradients, which
//! are weak in one direction.

use crate::frame::Luma;
use crate::geometry::Point;
use crate::optics::{Relief, Tensor};

/// A convex outline with eight sides of fixed directions.
#[derive(Clone, Copy, Debug)]
pub struct Octagon {
    /// Least and most of x, y, x + y and x - y.
    low: [f32; 4],
    high: [f32; 4],
}

impl Octagon {
    /// The smallest around these points.
    pub fn around(points: impl IntoIterator<Item = Point>) -> Self {
        let mut octagon = Self {
            low: [f32::MAX; 4],
            high: [f32::MIN; 4],
        };
        for point in points {
            octagon.include(point);
        }
        octagon
    }

    /// Grows so that `point` lies in it.
    pub fn include(&mut self, point: Point) {
        let at = [point.x, point.y, point.x + point.y, point.x - point.y];
        for (i, at) in at.into_iter().enumerate() {
            self.low[i] = self.low[i].min(at);
            self.high[i] = self.high[i].max(at);
        }
    }

    fn corners(&self) -> [Point; 8] {
        let ([left, top, low, fall], [right, bottom, high, rise]) = (self.low, self.high);
        [
            Point::new(right, high - right),
            Point::new(high - bottom, bottom),
            Point::new(fall + bottom, bottom),
            Point::new(left, left - fall),
            Point::new(left, low - left),
            Point::new(low - top, top),
            Point::new(rise + top, top),
            Point::new(right, right - rise),
        ]
    }

    /// Middle and size of the smallest rectangle around it with one side along
    /// `along`, of length 1.
    pub fn rectangle(&self, along: Point) -> (Point, Point) {
        let across = Point::new(-along.y, along.x);
        let (mut low, mut high) = ([f32::MAX; 2], [f32::MIN; 2]);
        for corner in self.corners() {
            for (i, at) in [corner.dot(along), corner.dot(across)]
                .into_iter()
                .enumerate()
            {
                low[i] = low[i].min(at);
                high[i] = high[i].max(at);
            }
        }
        let middle = along * ((low[0] + high[0]) / 2.0) + across * ((low[1] + high[1]) / 2.0);
        (middle, Point::new(high[0] - low[0], high[1] - low[1]))
    }

    /// Is `point` in it?
    pub fn contains(&self, point: Point) -> bool {
        let at = [point.x, point.y, point.x + point.y, point.x - point.y];
        (0..4).all(|i| at[i] >= self.low[i] && at[i] <= self.high[i])
    }
}

/// A patch of tiles.
#[derive(Clone, Copy, Debug)]
pub struct Patch {
    /// Its outline, in pixels of level 0.
    pub outline: Octagon,
    /// Sum over its tiles.
    pub tensor: Tensor,
}

/// Mean of the squared gradients of a tile where they are strongest: it is marked
/// if that is so many times what a quarter of all tiles have …
const OUTSTANDING: f32 = 4.0;
/// … but with less than the first in no frame, with more than the second in
/// every one. Noise of 3 grey levels makes 20, rubber with scuffs 50 to 100, a
/// blurred code of 60 grey levels 200 to 600, one of 180 from 300 (modules of 4
/// pixels out of focus by 2.5) to 5000.
const ENERGIES: [f32; 2] = [120.0, 260.0];
/// Tiles this far from each other belong together. More would join labels that
/// lie side by side.
const LINK: usize = 1;
/// Fewest tiles of a patch.
const LEAST_TILES: usize = 3;

/// Finds patches, in memory that it keeps.
#[derive(Debug, Default)]
pub struct Patches {
    relief: Relief,
    energies: Vec<f32>,
    marked: Vec<bool>,
    open: Vec<usize>,
    found: Vec<Patch>,
}

impl Patches {
    /// The patches of `luma`, whose pixels are `pixel` wide in level 0, strongest
    /// first. Tiles whose middle is `taken` belong to none.
    pub fn find(&mut self, luma: Luma<'_>, pixel: f32, taken: impl Fn(Point) -> bool) -> &[Patch] {
        self.found.clear();
        self.relief.build(luma);
        let (columns, tiles) = (self.relief.columns(), self.relief.tiles());
        if tiles.is_empty() {
            return &self.found;
        }
        let side = Relief::SIDE as f32 * pixel;
        let place = |tile: usize, dx: f32, dy: f32| {
            Point::new(
                ((tile % columns) as f32 + dx) * side,
                ((tile / columns) as f32 + dy) * side,
            )
        };
        self.energies.clear();
        self.energies.extend(tiles.iter().map(Tensor::strongest));
        let (_, quarter, _) = self
            .energies
            .select_nth_unstable_by(tiles.len() / 4, f32::total_cmp);
        let pixels = Relief::LOOKED_AT as f32;
        let least = (OUTSTANDING * *quarter).clamp(ENERGIES[0] * pixels, ENERGIES[1] * pixels);
        self.marked.clear();
        self.marked.extend(
            tiles
                .iter()
                .enumerate()
                .map(|(at, tile)| tile.strongest() >= least && !taken(place(at, 0.5, 0.5))),
        );
        for first in 0..tiles.len() {
            if !self.marked[first] {
                continue;
            }
            let mut patch = Patch {
                outline: Octagon::around([]),
                tensor: Tensor::default(),
            };
            let mut count = 0;
            self.marked[first] = false;
            self.open.push(first);
            while let Some(tile) = self.open.pop() {
                count += 1;
                patch.tensor = patch.tensor.plus(&tiles[tile]);
                for (dx, dy) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
                    patch.outline.include(place(tile, dx, dy));
                }
                let (column, row) = (tile % columns, tile / columns);
                let rows = row.saturating_sub(LINK)..(row + LINK + 1).min(tiles.len() / columns);
                for row in rows {
                    let from = row * columns + column.saturating_sub(LINK);
                    let to = row * columns + (column + LINK + 1).min(columns);
                    for (next, marked) in (from..to).zip(&mut self.marked[from..to]) {
                        if std::mem::take(marked) {
                            self.open.push(next);
                        }
                    }
                }
            }
            if count >= LEAST_TILES {
                self.found.push(patch);
            }
        }
        let strength = |patch: &Patch| patch.tensor.strongest();
        self.found
            .sort_unstable_by(|a, b| strength(b).total_cmp(&strength(a)));
        &self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rectangle_around_an_octagon_is_tight_along_its_sides() {
        let (sin, cos) = 0.5f32.sqrt().asin().sin_cos();
        let corner =
            |x: f32, y: f32| Point::new(50.0 + x * cos - y * sin, 50.0 + x * sin + y * cos);
        let octagon = Octagon::around([
            corner(-20.0, -10.0),
            corner(20.0, -10.0),
            corner(20.0, 10.0),
            corner(-20.0, 10.0),
        ]);
        let (centre, size) = octagon.rectangle(Point::new(cos, sin));
        assert!(centre.distance(Point::new(50.0, 50.0)) < 1e-3);
        assert!((size.x - 40.0).abs() < 1e-3 && (size.y - 20.0).abs() < 1e-3);
        assert!(octagon.contains(corner(15.0, 0.0)) && !octagon.contains(corner(0.0, 15.0)));
    }

    #[test]
    fn what_lies_apart_is_two_patches_and_what_is_taken_none() {
        let (width, height) = (640, 320);
        let mut random = fastrand::Rng::with_seed(1);
        let mut picture = vec![100u8; width * height];
        for (left, top) in [(64, 64), (400, 128)] {
            for y in top..top + 100 {
                for x in (left..left + 100).step_by(10) {
                    picture[y * width + x..][..10].fill(if random.bool() { 220 } else { 30 });
                }
            }
        }
        let luma = Luma::new(&picture, width, height, width).expect("fits");
        let mut patches = Patches::default();
        let found = patches.find(luma, 1.0, |_| false);
        assert_eq!(found.len(), 2);
        for (left, top) in [(64.0, 64.0), (400.0, 128.0)] {
            let centre = Point::new(left + 50.0, top + 50.0);
            assert!(found.iter().any(|patch| patch.outline.contains(centre)));
        }
        assert_eq!(patches.find(luma, 1.0, |at| at.x < 300.0).len(), 1);
        let none = Luma::new(&[], 0, 0, 0).expect("fits");
        assert!(patches.find(none, 1.0, |_| false).is_empty());
    }
}
