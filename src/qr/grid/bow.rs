//! Labels on bottles and tins: sides that are bows.
//!
//! Seen at a slant, a circle around a cylinder is a bow, and so is each row or
//! column of a symbol that runs around it. The finder patterns at both ends then
//! point away from each other's middle, by the same angle to the same side. That
//! tells the bow, as a parabola, before anything between them is seen.

use super::mesh::{Mesh, NODES};
use crate::geometry::{Pair, Point};

/// Least angle between a side and the finder patterns at its ends, as a tangent,
/// that is not taken for an error of measurement.
const LEAST: f32 = 0.07;

/// How far the middle of each side lies beside the straight line, in pixels for
/// each module that the side is long.
#[derive(Clone, Copy, Debug)]
pub struct Bow {
    right: Point,
    down: Point,
}

impl Bow {
    /// The bows of the two sides of a symbol between its finder patterns' middles;
    /// each side as its two ends and the steps of a module along it that the
    /// patterns there tell. `None` if both are straight.
    pub fn of(right: [(Point, Point); 2], down: [(Point, Point); 2]) -> Option<Self> {
        let bow = Self {
            right: sagitta(right),
            down: sagitta(down),
        };
        (bow.right != Point::default() || bow.down != Point::default()).then_some(bow)
    }

    /// With the middles of its sides so far beside the straight line, in pixels for
    /// each module that they are long.
    pub fn new(right: Point, down: Point) -> Self {
        Self { right, down }
    }

    /// What the bows add to the place of module (`x`, `y`) of a symbol of `side`.
    fn shift(&self, side: usize, x: f32, y: f32) -> Point {
        let length = side as f32 - 7.0;
        let parabola = |at: f32| {
            let t = (at - 3.5) / length;
            4.0 * t * (1.0 - t) * length
        };
        self.right * parabola(x) + self.down * parabola(y)
    }

    /// Takes the bows out of `pairs`.
    pub fn flatten(&self, side: usize, pairs: &mut [Pair]) {
        for (from, to, _) in pairs {
            *to = *to - self.shift(side, from.x, from.y);
        }
    }

    /// Lays the bows over a flat `mesh`.
    pub fn lay(&self, side: usize, mesh: &mut Mesh) {
        let spacing = (side as f32 - 7.0) / (NODES - 1) as f32;
        mesh.lay_nodes((0..NODES).map(|i| 3.5 + i as f32 * spacing));
        for row in 0..NODES {
            for column in 0..NODES {
                let (x, y) = (mesh.place(column), mesh.place(row));
                *mesh.node_mut(column, row) = self.shift(side, x, y);
            }
        }
    }
}

/// Of a parabola with these steps of a module at its two ends.
fn sagitta([(from, first), (to, last)]: [(Point, Point); 2]) -> Point {
    let chord = to - from;
    let length = chord.length();
    if length.is_nan() || length <= 1e-3 {
        return Point::default();
    }
    let along = chord * (1.0 / length);
    let across = Point::new(-along.y, along.x);
    let slope = |step: Point| step.dot(across) / step.dot(along).max(1e-3);
    let (first_slope, last_slope) = (slope(first), slope(last));
    // One is turned clockwise, the other one anticlockwise.
    if first_slope * last_slope >= 0.0 || first_slope.abs().min(last_slope.abs()) < LEAST {
        return Point::default();
    }
    // The mean step is a module along the chord.
    across * ((first - last).dot(across) / 8.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Homography;

    #[test]
    fn a_parabola_comes_back_from_its_ends_and_straight_sides_have_none() {
        let module = 4.0;
        let step = |slope: f32| Point::new(module, module * slope);
        let down = [
            (Point::new(14.0, 14.0), Point::new(0.0, 4.0)),
            (Point::new(14.0, 70.0), Point::new(0.0, 4.0)),
        ];
        let side = |slope: f32| {
            [
                (Point::new(14.0, 14.0), step(slope)),
                (Point::new(70.0, 14.0), step(-slope)),
            ]
        };
        assert!(Bow::of(side(0.05), down).is_none());
        let bow = Bow::of(side(0.4), down).expect("a bow");
        let flat = Homography([4.0, 0.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 1.0]);
        let mut mesh = Mesh::flat(flat);
        bow.lay(21, &mut mesh);
        // y = slope · x · (1 - x / length), at its middle.
        let middle = mesh.map(10.5, 3.5);
        assert!(middle.distance(Point::new(42.0, 14.0 + 0.4 * 56.0 / 4.0)) < 0.5);
        assert!(mesh.map(17.5, 10.0).distance(Point::new(70.0, 40.0)) < 1e-3);
        let mut pairs = [(Point::new(10.5, 3.5), middle, 1.0)];
        bow.flatten(21, &mut pairs);
        assert!(pairs[0].1.distance(Point::new(42.0, 14.0)) < 0.5);
    }
}
