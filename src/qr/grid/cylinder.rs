//! A label around a bottle or a tin as what it is: a piece of a cylinder before a
//! camera.
//!
//! A homography has no such shape, and a polynomial has it only near where it was
//! fitted; this has nine unknowns whatever the bend, so that what is seen along two
//! sides of a symbol tells where its fourth corner lies.

use super::mesh::{Mesh, NODES};
use super::solve::solve;
use crate::geometry::{Homography, Point, Quad};
use crate::qr::budget::Budget;

/// Turns of the camera (three), the direction that runs around, the bend, the size,
/// the nearness of the camera, and the place (two).
const UNKNOWNS: usize = 9;
/// Least and most bend of a symbol's side, radians: at none it has no direction, and
/// of half a turn the rims are not seen.
const BENDS: (f64, f64) = (0.02, 3.0);
/// Side of a symbol over the distance of the camera, as is likely, how far from that
/// it is likely to lie, and most.
const NEARNESS: (f64, f64, f64) = (0.15, 0.15, 0.6);
/// The bend as is likely, and how far from that it is likely to lie.
const BEND: (f64, f64) = (1.0, 1.0);
/// How exactly places are known, in modules.
pub const EXACT: f64 = 0.15;
/// What adding up one place for a step costs, in units of work.
const UNITS_PER_PLACE: usize = 30;

/// What is known of a place of the symbol.
#[derive(Clone, Copy, Debug)]
pub enum Seen {
    /// Where it lies in the picture.
    At(Point),
    /// The way of three modules to its right from there, …
    Right(Point),
    /// … and down from there: as the whole of a finder pattern shows them.
    Down(Point),
}

/// A place in modules, what is known of it, and its weight.
pub type Place = (Point, Seen, f32);

/// Half the side of a finder pattern less half its border, in modules.
pub const ARM: f32 = 3.0;

/// The normal equations of a step (of the squares the lower half), and what is left:
/// the sum of squares over the sum of weights.
type Sums = ([[f32; UNKNOWNS]; UNKNOWNS], [f32; UNKNOWNS], f64);

/// A symbol around a cylinder, in front of a camera.
#[derive(Clone, Copy, Debug)]
pub struct Cylinder {
    side: f64,
    /// From the tangent plane in the symbol's middle (right, down, away) to the
    /// camera's right, down and away.
    turned: [[f64; 3]; 3],
    /// The angle from the rows to the way around, radians.
    way: f64,
    /// The angle that a side around it would take, radians.
    bend: f64,
    /// Pixels to a module, at the symbol's middle.
    scale: f64,
    /// The symbol's side over the camera's distance.
    nearness: f64,
    middle: [f64; 2],
}

/// Where a place lies in the picture, and how that changes with each unknown.
struct Change {
    at: [f64; 2],
    by: [[f64; 2]; UNKNOWNS],
}

impl Cylinder {
    /// A symbol of `side` modules nearly as in the affine map of `right` and `down`,
    /// the steps of a module, with its middle at `middle`: bent by one radian in the
    /// direction `way` from its rows. An affine map leaves open which of two ways it
    /// is tilted: `towards` chooses.
    pub fn about(
        side: usize,
        middle: Point,
        (right, down): (Point, Point),
        way: f64,
        towards: bool,
    ) -> Option<Self> {
        let [a, c, b, d] = [right.x, right.y, down.x, down.y].map(f64::from);
        // The larger singular value: along it the symbol is not foreshortened.
        let half = (a * a + b * b + c * c + d * d) / 2.0;
        let area = a * d - b * c;
        let scale = (half + (half * half - area * area).max(0.0).sqrt()).sqrt();
        if !(scale > 0.1 && scale.is_finite() && area > 0.0) {
            return None;
        }
        let [a, b, c, d] = [a, b, c, d].map(|entry| entry / scale);
        let sign = if towards { 1.0 } else { -1.0 };
        let e = sign * (1.0 - a * a - c * c).max(0.0).sqrt();
        let f = (1.0 - b * b - d * d).max(0.0).sqrt();
        let f = if (a * b + c * d) * e > 0.0 { -f } else { f };
        let f = if e.abs() < 1e-9 { sign * f } else { f };
        let mut cylinder = Self {
            side: side as f64,
            turned: [
                [a, b, c * f - e * d],
                [c, d, e * b - a * f],
                [e, f, a * d - c * b],
            ],
            way,
            bend: BEND.0,
            scale,
            nearness: NEARNESS.0,
            middle: [middle.x.into(), middle.y.into()],
        };
        cylinder.straighten();
        Some(cylinder)
    }

    /// Where module (`x`, `y`) lies in the picture.
    pub fn map(&self, x: f32, y: f32) -> Point {
        let [x, y] = self.change(x, y).at;
        Point::new(x as f32, y as f32)
    }

    fn change(&self, x: f32, y: f32) -> Change {
        let half = self.side / 2.0;
        let (x, y) = (f64::from(x) - half, f64::from(y) - half);
        let (sin, cos) = self.way.sin_cos();
        let (around, along) = (x * cos + y * sin, y * cos - x * sin);
        let curvature = self.bend / self.side;
        let angle = curvature * around;
        let (bent_sin, bent_cos) = angle.sin_cos();
        let (across, depth) = (bent_sin / curvature, (1.0 - bent_cos) / curvature);
        let upright = |across: f64, along: f64, depth: f64| {
            [
                across * cos - along * sin,
                across * sin + along * cos,
                depth,
            ]
        };
        let turned = |p: [f64; 3]| {
            self.turned
                .map(|row| row[0] * p[0] + row[1] * p[1] + row[2] * p[2])
        };
        let [right, down, away] = turned(upright(across, along, depth));
        let nearness = self.nearness / self.side;
        let by = self.scale / (1.0 + nearness * away).max(0.1);
        let shrink = nearness * by / self.scale;
        // How the picture follows a move of the place in space.
        let seen =
            |[x, y, z]: [f64; 3]| [by * (x - right * shrink * z), by * (y - down * shrink * z)];
        let by_way = {
            let (moved_across, moved_depth) = (bent_cos * along, bent_sin * along);
            let [x, y, z] = upright(moved_across - along, across - around, moved_depth);
            turned([x, y, z])
        };
        let by_bend = {
            let across = (angle * bent_cos - bent_sin) / (curvature * self.bend);
            let depth = (angle * bent_sin - (1.0 - bent_cos)) / (curvature * self.bend);
            turned(upright(across, 0.0, depth))
        };
        Change {
            at: [self.middle[0] + by * right, self.middle[1] + by * down],
            by: [
                seen([0.0, -away, down]),
                seen([away, 0.0, -right]),
                seen([-down, right, 0.0]),
                seen(by_way),
                seen(by_bend),
                [by * right, by * down],
                [
                    -by * right * away * by / self.scale / self.side,
                    -by * down * away * by / self.scale / self.side,
                ],
                [self.scale, 0.0],
                [0.0, self.scale],
            ],
        }
    }

    /// Fits it to `places` by at most `steps` steps (Levenberg–Marquardt). The mean
    /// square of what is left, in squares of [`EXACT`]; `None` if that is nothing
    /// good, or there is no time.
    pub fn fit(
        &mut self,
        places: impl Iterator<Item = Place> + Clone,
        steps: usize,
        budget: &mut Budget,
    ) -> Option<f64> {
        let mut damping = 1e-2;
        let (mut squares, mut sums, mut cost) = self.sums(places.clone(), budget)?;
        for _ in 0..steps {
            let mut damped = squares;
            for (i, row) in damped.iter_mut().enumerate() {
                row[i] += damping as f32 * (row[i] + 1.0);
            }
            let Some(step) = solve(damped, sums) else {
                damping *= 8.0;
                continue;
            };
            let mut moved = *self;
            moved.step(step.map(f64::from));
            let (new_squares, new_sums, new_cost) = moved.sums(places.clone(), budget)?;
            if new_cost < cost {
                let gained = (cost - new_cost) / cost;
                (*self, squares, sums, cost) = (moved, new_squares, new_sums, new_cost);
                damping *= 0.2;
                if gained < 1e-3 {
                    break;
                }
            } else {
                damping *= 8.0;
            }
        }
        Some(cost)
    }

    fn sums(&self, places: impl Iterator<Item = Place>, budget: &mut Budget) -> Option<Sums> {
        let mut squares = [[0.0f32; UNKNOWNS]; UNKNOWNS];
        let mut sums = [0.0f32; UNKNOWNS];
        let (mut cost, mut weights, mut count) = (0.0, 0.0, 0);
        for (place, seen, weight) in places {
            count += 1;
            let (change, wanted) = match seen {
                Seen::At(at) => (self.change(place.x, place.y), at),
                Seen::Right(by) => (self.way_between(place, Point::new(ARM, 0.0)), by),
                Seen::Down(by) => (self.way_between(place, Point::new(0.0, ARM)), by),
            };
            let unit = 1.0 / (self.scale * EXACT);
            let weight = f64::from(weight);
            weights += weight;
            for (axis, wanted) in [wanted.x, wanted.y].into_iter().enumerate() {
                let off = (f64::from(wanted) - change.at[axis]) * unit;
                cost += weight * off * off;
                let slopes = change.by.map(|by| by[axis] * unit);
                for (i, slope) in slopes.iter().enumerate() {
                    sums[i] += (weight * slope * off) as f32;
                    for (square, other) in squares[i][..=i].iter_mut().zip(&slopes) {
                        *square += (weight * slope * other) as f32;
                    }
                }
            }
        }
        budget.spend(UNITS_PER_PLACE * count);
        for (i, value, (likely, spread)) in [
            (4, self.bend, BEND),
            (6, self.nearness, (NEARNESS.0, NEARNESS.1)),
        ] {
            let off = (likely - value) / spread;
            cost += off * off;
            sums[i] += (off / spread) as f32;
            squares[i][i] += (1.0 / (spread * spread)) as f32;
        }
        let cost = cost / (2.0 * weights);
        (cost.is_finite() && !budget.is_spent()).then_some((squares, sums, cost))
    }

    /// Half the way from a place less `arm` to the place plus `arm`.
    fn way_between(&self, place: Point, arm: Point) -> Change {
        let (from, to) = (place - arm, place + arm);
        let (from, to) = (self.change(from.x, from.y), self.change(to.x, to.y));
        let half = |a: [f64; 2], b: [f64; 2]| [(b[0] - a[0]) / 2.0, (b[1] - a[1]) / 2.0];
        Change {
            at: half(from.at, to.at),
            by: std::array::from_fn(|i| half(from.by[i], to.by[i])),
        }
    }

    fn step(&mut self, step: [f64; UNKNOWNS]) {
        let [x, y, z, way, bend, scale, nearness, right, down] = step;
        let [first, second, third] = self.turned;
        for i in 0..3 {
            self.turned[0][i] += y * third[i] - z * second[i];
            self.turned[1][i] += z * first[i] - x * third[i];
            self.turned[2][i] += x * second[i] - y * first[i];
        }
        self.straighten();
        self.way += way;
        self.bend = (self.bend + bend).clamp(BENDS.0, BENDS.1);
        self.middle[0] += right * self.scale;
        self.middle[1] += down * self.scale;
        self.scale *= scale.clamp(-0.5, 0.5).exp();
        self.nearness = (self.nearness + nearness).clamp(0.0, NEARNESS.2);
    }

    /// Makes the turn one again: rows of length 1 at right angles.
    fn straighten(&mut self) {
        let dot = |a: [f64; 3], b: [f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
        let unit = |a: [f64; 3]| a.map(|v| v / dot(a, a).sqrt().max(1e-9));
        let [a, b, _] = self.turned;
        let a = unit(a);
        let along = dot(a, b);
        let b = unit([0, 1, 2].map(|i| b[i] - along * a[i]));
        let c = [
            a[1] * b[2] - a[2] * b[1],
            a[2] * b[0] - a[0] * b[2],
            a[0] * b[1] - a[1] * b[0],
        ];
        self.turned = [a, b, c];
    }

    /// The same as a mesh.
    pub fn mesh(&self) -> Option<Mesh> {
        let side = self.side as f32;
        let corners = [(0.0, 0.0), (side, 0.0), (side, side), (0.0, side)];
        let from = Quad(corners.map(|(x, y)| Point::new(x, y)));
        let to = Quad(corners.map(|(x, y)| self.map(x, y)));
        let base = Homography::between(&from, &to)?;
        let mut mesh = Mesh::flat(base);
        mesh.lay_nodes((0..NODES).map(|i| i as f32 * side / (NODES - 1) as f32));
        for row in 0..NODES {
            for column in 0..NODES {
                let (x, y) = (mesh.place(column), mesh.place(row));
                *mesh.node_mut(column, row) = self.map(x, y) - base.map(x.into(), y.into());
            }
        }
        Some(mesh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(bend: f64, way: f64) -> Cylinder {
        let steps = (Point::new(4.0, 1.0), Point::new(-1.5, 3.0));
        let middle = Point::new(100.0, 90.0);
        let mut cylinder = Cylinder::about(25, middle, steps, way, true).expect("regular");
        cylinder.bend = bend;
        cylinder
    }

    /// What finder patterns and timing patterns would show of it, each place off by
    /// up to `noise` pixels.
    fn places(cylinder: &Cylinder, noise: f32) -> Vec<Place> {
        let mut random = fastrand::Rng::with_seed(7);
        let mut seen = |at: Point| {
            let mut off = || noise * (2.0 * random.f32() - 1.0);
            at + Point::new(off(), off())
        };
        let mut places = Vec::new();
        for (x, y) in [(3.5, 3.5), (21.5, 3.5), (3.5, 21.5)] {
            let half = |dx: f32, dy: f32| {
                (cylinder.map(x + dx, y + dy) - cylinder.map(x - dx, y - dy)) * 0.5
            };
            let at = Point::new(x, y);
            places.push((at, Seen::At(seen(cylinder.map(x, y))), 1.0));
            places.push((at, Seen::Right(seen(half(ARM, 0.0))), 1.0));
            places.push((at, Seen::Down(seen(half(0.0, ARM))), 1.0));
        }
        for module in 7..18 {
            let along = module as f32 + 0.5;
            for (x, y) in [(along, 6.5), (6.5, along)] {
                places.push((Point::new(x, y), Seen::At(seen(cylinder.map(x, y))), 0.5));
            }
        }
        places
    }

    #[test]
    fn slopes_are_those_of_the_map() {
        let cylinder = some(1.3, 0.4);
        for (x, y) in [(0.0, 0.0), (25.0, 0.0), (3.5, 20.0), (25.0, 25.0)] {
            let change = cylinder.change(x, y);
            for i in 0..UNKNOWNS {
                let by = |h: f64| {
                    let mut moved = cylinder;
                    moved.step(std::array::from_fn(|j| if i == j { h } else { 0.0 }));
                    moved.change(x, y).at
                };
                let (before, after) = (by(-1e-4), by(1e-4));
                for axis in 0..2 {
                    let slope = (after[axis] - before[axis]) / 2e-4;
                    let off = (slope - change.by[i][axis]).abs();
                    assert!(off < 1e-3 * (1.0 + slope.abs()), "{i} at ({x}, {y}): {off}");
                }
            }
        }
    }

    #[test]
    fn the_fourth_corner_comes_out_of_what_three_and_two_sides_show() {
        for (bend, way, begun) in [(0.6, 0.3, 0.0), (1.2, 1.4, 1.57), (1.8, -0.2, 0.0)] {
            let truth = some(bend, way);
            let mut found = some(BEND.0, begun);
            let cost = found
                .fit(places(&truth, 0.3).into_iter(), 30, &mut Budget::default())
                .expect("a fit");
            let off = found.map(25.0, 25.0).distance(truth.map(25.0, 25.0));
            assert!(cost < 1.0 && off < 4.0, "{bend} {way}: {cost}, {off} px");
            let mesh = found.mesh().expect("regular");
            for (x, y) in [(0.0, 0.0), (25.0, 12.0), (11.0, 7.0), (18.0, 24.0)] {
                let off = mesh.map(x, y).distance(found.map(x, y));
                assert!(off < 0.6, "{bend} {way}: mesh {off} px off at ({x}, {y})");
            }
        }
    }

    #[test]
    fn nonsense_is_refused_and_never_panics() {
        let steps = (Point::new(4.0, 0.0), Point::new(0.0, 4.0));
        let nan = Point::new(f32::NAN, 0.0);
        assert!(Cylinder::about(25, nan, (nan, nan), 0.0, true).is_none());
        let mirrored = (steps.1, steps.0);
        assert!(Cylinder::about(25, nan, mirrored, 0.0, true).is_none());
        let middle = Point::new(50.0, 50.0);
        let mut cylinder = Cylinder::about(25, middle, steps, 0.0, true).expect("regular");
        let wild = [(nan, Seen::At(nan), 1.0), (middle, Seen::Right(nan), 1.0)];
        let fitted = cylinder.fit(wild.into_iter(), 10, &mut Budget::default());
        assert!(fitted.is_none());
        let spent = &mut Budget::new(None, Some(0));
        let places = places(&some(1.0, 0.0), 0.0);
        assert!(cylinder.fit(places.into_iter(), 10, spent).is_none());
    }
}
