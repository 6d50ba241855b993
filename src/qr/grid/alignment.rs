//! Alignment patterns: squares of 5 modules, dark ring, light ring, dark dot
//! (ISO/IEC 18004, 6.3.6), looked for near where the grid expects them.

use crate::geometry::Point;

/// What a search needs to know of the symbol around it.
pub struct Search<'a, F: Fn(Point) -> f32> {
    /// Grey value in the symbol's own polarity.
    pub value: &'a F,
    /// Step of one module to the right of the symbol, in pixels.
    pub right: Point,
    /// Step of one module down the symbol, in pixels.
    pub down: Point,
    /// Grey value of dark modules.
    pub dark: f32,
    /// Grey value of light modules.
    pub light: f32,
}

/// Least agreement with the pattern, of 1.
const LEAST_SCORE: f32 = 0.62;

impl<F: Fn(Point) -> f32> Search<'_, F> {
    /// The alignment pattern nearest to `expected`, at most `radius` modules
    /// away, and how well it agrees.
    pub fn find(&self, expected: Point, radius: f32) -> Option<(Point, f32)> {
        let rings = (radius * 2.0) as i32;
        let mut best = (expected, f32::MIN);
        for ring in 0..=rings {
            for (dx, dy) in square_ring(ring) {
                let at = self.moved(expected, dx as f32 * 0.5, dy as f32 * 0.5);
                // Of equals, the nearer one.
                let score = self.score(at) - 0.02 * ring as f32;
                if score > best.1 {
                    best = (at, score);
                }
            }
            if best.1 > 0.88 - 0.02 * ring as f32 {
                break;
            }
        }
        let (mut at, _) = best;
        for step in [0.5, 0.25] {
            at = self.peak(at, step);
        }
        let score = self.score(at);
        (score >= LEAST_SCORE).then_some((at, score))
    }

    fn moved(&self, at: Point, x: f32, y: f32) -> Point {
        at + self.right * x + self.down * y
    }

    /// Agreement of the 25 modules, each at most 1.
    fn score(&self, at: Point) -> f32 {
        let middle = (self.dark + self.light) / 2.0;
        let scale = 2.0 / (self.light - self.dark).max(1.0);
        let mut sum = 0.0;
        for y in -2i32..=2 {
            for x in -2i32..=2 {
                let value = (self.value)(self.moved(at, x as f32, y as f32));
                let dark = ((middle - value) * scale).clamp(-1.0, 1.0);
                // Dark dot, light ring, dark ring; the 16 of the outer ring
                // count half.
                sum += match x.abs().max(y.abs()) {
                    0 => 2.0 * dark,
                    1 => -dark,
                    _ => 0.5 * dark,
                };
            }
        }
        sum / 18.0
    }

    /// The top of a parabola through the scores one `step` to each side.
    fn peak(&self, at: Point, step: f32) -> Point {
        let top = |before: f32, here: f32, after: f32| {
            let bend = before - 2.0 * here + after;
            if bend < -1e-3 {
                ((before - after) / (2.0 * bend)).clamp(-1.0, 1.0) * step
            } else {
                0.0
            }
        };
        let here = self.linear(at);
        let x = top(
            self.linear(self.moved(at, -step, 0.0)),
            here,
            self.linear(self.moved(at, step, 0.0)),
        );
        let y = top(
            self.linear(self.moved(at, 0.0, -step)),
            here,
            self.linear(self.moved(at, 0.0, step)),
        );
        self.moved(at, x, y)
    }

    /// Correlation over 3 by 3 places in each of the inner 9 modules and their
    /// rim: not cut off, so that it has a top.
    fn linear(&self, at: Point) -> f32 {
        let mut sum = 0.0;
        for y in -5i32..=5 {
            for x in -5i32..=5 {
                let ring = x.abs().max(y.abs());
                let weight = match ring {
                    0 | 1 => 1.0,
                    2..=4 => -0.28,
                    _ => 0.34,
                };
                let place = self.moved(at, x as f32 / 3.0, y as f32 / 3.0);
                sum -= weight * (self.value)(place);
            }
        }
        sum / (self.light - self.dark).max(1.0)
    }
}

/// The places `ring` steps away, along one axis at least.
fn square_ring(ring: i32) -> impl Iterator<Item = (i32, i32)> {
    (-ring..=ring).flat_map(move |y| {
        let step = if y.abs() == ring || ring == 0 {
            1
        } else {
            2 * ring
        };
        (-ring..=ring).step_by(step as usize).map(move |x| (x, y))
    })
}
