//! From a map of probabilities to lines: what differentiable binarization (Liao
//! et al. 2020) leaves to be done behind the network.

use crate::geometry::{Point, Quad};

/// A pixel is text from this probability on …
const THRESHOLD: f32 = 0.2;
/// … and a box is a line if its mean is at least this.
const BOX: f32 = 0.4;
/// The network is taught shrunken lines: how far a box is blown up again, as a
/// part of area over perimeter.
const UNCLIP: f32 = 1.4;
/// Shortest side in pixels of the map, before and after.
const LEAST: [f32; 2] = [3.0, 5.0];
/// Most lines of one map.
const MOST: usize = 256;
/// A box so many times as high as it is wide is a line that runs up or down.
const UPRIGHT: f32 = 1.5;

/// Adds the lines in a map of `width` columns to `lines`, in pixels of the map.
pub(super) fn lines(map: &[f32], width: usize, lines: &mut Vec<Quad>) {
    let rows = map.len() / width.max(1);
    let mut seen = vec![false; map.len()];
    let mut waiting = Vec::new();
    let mut rim = Vec::new();
    let most = lines.len() + MOST;
    // What is no number is no text.
    let is_text = |at: usize| map[at] > THRESHOLD;
    for start in 0..width * rows {
        if seen[start] || !is_text(start) {
            continue;
        }
        if lines.len() == most {
            return;
        }
        // A component, eight neighbours; of each row only the ends matter.
        rim.clear();
        seen[start] = true;
        waiting.push(start);
        while let Some(at) = waiting.pop() {
            let (x, y) = (at % width, at / width);
            let text = |x: usize, y: usize| is_text(y * width + x);
            if x == 0 || x + 1 == width || !text(x - 1, y) || !text(x + 1, y) {
                rim.push(Point::new(x as f32, y as f32));
            }
            for y in y.saturating_sub(1)..(y + 2).min(rows) {
                for x in x.saturating_sub(1)..(x + 2).min(width) {
                    let near = y * width + x;
                    if !seen[near] && map[near] > THRESHOLD {
                        seen[near] = true;
                        waiting.push(near);
                    }
                }
            }
        }
        lines.extend(line(map, width, &mut rim));
    }
}

/// The line of one component, given the ends of its rows.
fn line(map: &[f32], width: usize, rim: &mut Vec<Point>) -> Option<Quad> {
    let tight = Rectangle::around(rim)?;
    if tight.sides[0].min(tight.sides[1]) < LEAST[0] || tight.mean(map, width) < BOX {
        return None;
    }
    let [a, b] = tight.sides;
    let by = a * b * UNCLIP / (2.0 * (a + b));
    let grown = Rectangle {
        sides: [a + 2.0 * by, b + 2.0 * by],
        ..tight
    };
    (grown.sides[0].min(grown.sides[1]) >= LEAST[1]).then(|| grown.as_read())
}

/// A rectangle at any angle.
#[derive(Clone, Copy, Debug)]
struct Rectangle {
    centre: Point,
    /// Unit vector along the first side.
    along: Point,
    sides: [f32; 2],
}

impl Rectangle {
    /// The smallest one that holds these pixels whole: one of its sides lies along
    /// a side of their convex hull.
    fn around(pixels: &mut Vec<Point>) -> Option<Self> {
        let hull = hull(pixels);
        let mut best: Option<(f32, Self)> = None;
        let axis = Point::new(1.0, 0.0);
        let edges = (0..hull.len()).map(|i| hull[(i + 1) % hull.len()] - hull[i]);
        for edge in edges.chain([axis]) {
            let length = edge.length();
            if length < 0.5 {
                continue;
            }
            let along = edge * (1.0 / length);
            let across = Point::new(-along.y, along.x);
            let span = |direction: Point| {
                let all = hull.iter().map(|p| p.dot(direction));
                all.fold((f32::MAX, f32::MIN), |(low, high), at| {
                    (low.min(at), high.max(at))
                })
            };
            let ((left, right), (top, bottom)) = (span(along), span(across));
            // From centre to centre: half a pixel more on every side.
            let sides = [right - left + 1.0, bottom - top + 1.0];
            let area = sides[0] * sides[1];
            if best.is_none_or(|(least, _)| area < least) {
                let half = Point::new(0.5, 0.5);
                let centre =
                    along * ((left + right) / 2.0) + across * ((top + bottom) / 2.0) + half;
                best = Some((
                    area,
                    Self {
                        centre,
                        along,
                        sides,
                    },
                ));
            }
        }
        best.map(|(_, rectangle)| rectangle)
    }

    /// Mean of the map inside.
    fn mean(&self, map: &[f32], width: usize) -> f32 {
        let rows = map.len() / width;
        let (left, top, right, bottom) = self.corners().bounds();
        let across = Point::new(-self.along.y, self.along.x);
        let (mut sum, mut count) = (0.0, 0);
        for y in top.max(0.0) as usize..(bottom.max(0.0).ceil() as usize).min(rows) {
            for x in left.max(0.0) as usize..(right.max(0.0).ceil() as usize).min(width) {
                let from = Point::new(x as f32 + 0.5, y as f32 + 0.5) - self.centre;
                if from.dot(self.along).abs() * 2.0 <= self.sides[0]
                    && from.dot(across).abs() * 2.0 <= self.sides[1]
                {
                    sum += map[y * width + x];
                    count += 1;
                }
            }
        }
        if count == 0 { 0.0 } else { sum / count as f32 }
    }

    fn corners(&self) -> Quad {
        let along = self.along * (self.sides[0] / 2.0);
        let across = Point::new(-self.along.y, self.along.x) * (self.sides[1] / 2.0);
        let c = self.centre;
        Quad([
            c - along - across,
            c + along - across,
            c + along + across,
            c - along + across,
        ])
    }

    /// The corners from the top left as a line is read: along the longer side, from
    /// left to right, and unless it is nearly square as it stands.
    fn as_read(mut self) -> Quad {
        let turn = |r: &mut Self| {
            r.along = Point::new(-r.along.y, r.along.x);
            r.sides.swap(0, 1);
        };
        // First the side that is nearer to level …
        if self.along.x.abs() < self.along.y.abs() {
            turn(&mut self);
        }
        // … which is that of reading unless the other is much longer.
        if self.sides[1] >= UPRIGHT * self.sides[0] {
            turn(&mut self);
        }
        // A line that runs straight up or down may be read either way: the
        // recogniser tells.
        if self.along.x < -1e-3 || (self.along.x.abs() <= 1e-3 && self.along.y < 0.0) {
            self.along = self.along * -1.0;
        }
        self.corners()
    }
}

/// Convex hull (Andrew's monotone chain). Sorts the points.
fn hull(points: &mut Vec<Point>) -> Vec<Point> {
    points.sort_unstable_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
    points.dedup();
    let mut hull: Vec<Point> = Vec::new();
    for pass in 0..2 {
        let base = hull.len();
        let mut add = |point: Point| {
            while hull.len() >= base + 2 {
                let [a, b] = [hull[hull.len() - 2], hull[hull.len() - 1]];
                if (b - a).cross(point - b) > 0.0 {
                    break;
                }
                hull.pop();
            }
            hull.push(point);
        };
        if pass == 0 {
            points.iter().for_each(|&point| add(point));
        } else {
            points.iter().rev().for_each(|&point| add(point));
        }
        // The last is the first of the other chain.
        hull.pop();
    }
    if hull.is_empty() {
        hull.extend(points.first());
    }
    hull
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A map with a bar of `length` by `height` around `centre`, turned by `degrees`.
    fn bar(centre: Point, length: f32, height: f32, degrees: f32) -> Vec<f32> {
        let (sin, cos) = degrees.to_radians().sin_cos();
        (0..200 * 160)
            .map(|i| {
                let p = Point::new((i % 200) as f32 + 0.5, (i / 200) as f32 + 0.5) - centre;
                let (u, v) = (p.x * cos + p.y * sin, p.y * cos - p.x * sin);
                if u.abs() <= length / 2.0 && v.abs() <= height / 2.0 {
                    0.9
                } else {
                    0.01
                }
            })
            .collect()
    }

    #[test]
    fn a_bar_at_any_angle_is_found_and_blown_up() {
        let centre = Point::new(100.0, 80.0);
        for degrees in [0.0f32, 10.0, 33.0, 45.0, 77.0, 90.0, 120.0, 171.0] {
            let mut found = Vec::new();
            lines(&bar(centre, 90.0, 10.0, degrees), 200, &mut found);
            assert_eq!(found.len(), 1, "{degrees}");
            let [a, b, _, d] = found[0].0;
            assert!(found[0].centre().distance(centre) < 1.0, "{degrees}");
            let by = 900.0 * UNCLIP / 200.0;
            assert!(
                (a.distance(b) - (90.0 + 2.0 * by)).abs() < 3.0,
                "{degrees}: {}",
                a.distance(b)
            );
            assert!(
                (a.distance(d) - (10.0 + 2.0 * by)).abs() < 3.0,
                "{degrees}: {}",
                a.distance(d)
            );
            let angle = (b - a).y.atan2((b - a).x).to_degrees();
            let off = (angle - degrees).rem_euclid(180.0);
            assert!(off.min(180.0 - off) < 3.0, "{degrees} {angle}");
            assert!((b - a).x >= -0.1, "{degrees}: from left to right");
            assert!((b - a).cross(d - a) > 0.0, "clockwise");
        }
    }

    #[test]
    fn specks_and_weak_places_are_no_lines() {
        let mut found = Vec::new();
        lines(&bar(Point::new(50.0, 50.0), 2.0, 2.0, 0.0), 200, &mut found);
        let weak: Vec<f32> = bar(Point::new(50.0, 50.0), 60.0, 12.0, 0.0)
            .iter()
            .map(|v| v * 0.3)
            .collect();
        lines(&weak, 200, &mut found);
        lines(&[], 0, &mut found);
        lines(&[f32::NAN; 50], 10, &mut found);
        lines(&[0.9], 1, &mut found);
        assert!(found.is_empty(), "{found:?}");
        lines(&vec![0.9; 32 * 32], 32, &mut found);
        assert_eq!(found.len(), 1);
        let chequered: Vec<f32> = (0..200 * 200)
            .map(|i| {
                if i % 200 % 10 < 4 && i / 200 % 10 < 4 {
                    1.0
                } else {
                    0.0
                }
            })
            .collect();
        found.clear();
        lines(&chequered, 200, &mut found);
        assert_eq!(found.len(), MOST);
    }
}
