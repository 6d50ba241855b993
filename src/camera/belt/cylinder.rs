//! Labels around bottles and tins: from a label to the picture and back.

use super::mix::mix;
use crate::geometry::Point;

/// How far the view may be slanted along the cylinder's axis, degrees.
const MOST_SLANT: f64 = 40.0;
/// How far beside the label the point nearest to the camera may lie, as a share of
/// the angle that the label takes.
const MOST_BESIDE: f64 = 0.25;
/// Distance of the camera, in sides of the label.
const DISTANCE: [f64; 2] = [3.0, 8.0];

/// A square label of side 1 around a cylinder, seen by a camera.
#[derive(Clone, Debug)]
pub(super) struct Cylinder {
    radius: f64,
    /// Sine and cosine of the angle from the label's rows to the way around.
    way: (f64, f64),
    /// From the label's middle to what is nearest to the camera, around, radians.
    beside: f64,
    /// Sine and cosine of the slant of the view along the axis.
    slant: (f64, f64),
    distance: f64,
    /// Pixels for a side of the label, at its middle.
    scale: f64,
    /// Sine and cosine by which the picture is turned.
    turn: (f64, f64),
    /// Where the label's middle lies in the picture.
    middle: (f64, f64),
}

impl Cylinder {
    /// One around which the label takes `bend` radians, more than 0; the rest by
    /// chance: `seed`. Its middle lies at (0, 0).
    pub(super) fn new(bend: f64, scale: f64, turn_deg: f32, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(mix(seed, 17));
        let mut within = |most: f64| most * (2.0 * random.f64() - 1.0);
        let way = within(std::f64::consts::PI).sin_cos();
        let beside = within(MOST_BESIDE * bend);
        let slant = within(MOST_SLANT).to_radians().sin_cos();
        let distance = DISTANCE[0] + within(1.0).abs() * (DISTANCE[1] - DISTANCE[0]);
        // The picture is turned so that rows run as they would on a flat label.
        let turn = (f64::from(turn_deg).to_radians() + way.0.atan2(way.1)).sin_cos();
        Self {
            radius: 1.0 / bend,
            way,
            beside,
            slant,
            distance,
            scale,
            turn,
            middle: (0.0, 0.0),
        }
    }

    /// The same with the picture's origin elsewhere.
    pub(super) fn shifted(mut self, by: Point) -> Self {
        self.middle.0 += f64::from(by.x);
        self.middle.1 += f64::from(by.y);
        self
    }

    /// Where a place of the label, 0 to 1 each way, lies in the picture.
    pub(super) fn project(&self, u: f64, v: f64) -> Point {
        let (a, b) = (u - 0.5, v - 0.5);
        let (sin, cos) = self.way;
        let around = (a * cos + b * sin) / self.radius + self.beside;
        let along = b * cos - a * sin;
        let x = self.radius * (around.sin() - self.beside.sin());
        let depth = self.radius * (self.beside.cos() - around.cos());
        let (sin, cos) = self.slant;
        let (y, depth) = (along * cos - depth * sin, depth * cos + along * sin);
        let by = self.scale * self.distance / (self.distance + depth);
        let (sin, cos) = self.turn;
        Point::new(
            (self.middle.0 + by * (x * cos - y * sin)) as f32,
            (self.middle.1 + by * (x * sin + y * cos)) as f32,
        )
    }

    /// The place of the label that is seen at a pixel; `None` beside the cylinder.
    pub(super) fn seen(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        let (sin, cos) = self.turn;
        let (x, y) = (x - self.middle.0, y - self.middle.1);
        let by = 1.0 / (self.scale * self.distance);
        let ray = (by * (x * cos + y * sin), by * (y * cos - x * sin), 1.0);
        // Into the cylinder's own directions: around, along the axis, away.
        let (sin, cos) = self.slant;
        let upright = |y: f64, z: f64| (y * cos + z * sin, z * cos - y * sin);
        let (ray_y, ray_z) = upright(ray.1, ray.2);
        let (from_y, from_z) = upright(0.0, -self.distance);
        // Relative to the axis.
        let from_x = self.radius * self.beside.sin();
        let from_z = from_z - self.radius * self.beside.cos();
        let square = ray.0 * ray.0 + ray_z * ray_z;
        let half = from_x * ray.0 + from_z * ray_z;
        let rest = from_x * from_x + from_z * from_z - self.radius * self.radius;
        let root = half * half - square * rest;
        if root < 0.0 {
            return None;
        }
        let t = (-half - root.sqrt()) / square;
        let (hit_x, hit_z) = (from_x + t * ray.0, from_z + t * ray_z);
        let around = (hit_x.atan2(-hit_z) - self.beside) * self.radius;
        let along = from_y + t * ray_y;
        let (sin, cos) = self.way;
        Some((
            around * cos - along * sin + 0.5,
            around * sin + along * cos + 0.5,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_projected_is_seen_where_it_is() {
        for seed in 0..50 {
            let bend = 0.2 + 0.03 * seed as f64;
            let cylinder = Cylinder::new(bend, 100.0, 30.0, seed).shifted(Point::new(7.0, -3.0));
            for (u, v) in [(0.5, 0.5), (0.1, 0.2), (0.9, 0.3), (0.4, 0.95)] {
                let at = cylinder.project(u, v);
                let (x, y) = (f64::from(at.x), f64::from(at.y));
                let (found_u, found_v) = cylinder.seen(x, y).expect("on it");
                let off = ((found_u - u).powi(2) + (found_v - v).powi(2)).sqrt();
                assert!(off < 1e-4, "seed {seed}: {u} {v}, {found_u} {found_v}");
            }
            let middle = cylinder.project(0.5, 0.5);
            assert!(middle.distance(Point::new(7.0, -3.0)) < 1e-3);
            let step = cylinder.project(0.501, 0.5) - middle;
            assert!(step.length() < 0.101);
        }
    }
}
