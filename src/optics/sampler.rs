//! Grey values between pixels.

use crate::frame::Luma;
use crate::geometry::Point;

/// Bilinear interpolation in one level of a pyramid, addressed in the pixels of
/// level 0. Outside the picture the rim goes on.
#[derive(Clone, Copy)]
pub struct Sampler<'a> {
    bytes: &'a [u8],
    stride: usize,
    scale: f32,
    right: f32,
    bottom: f32,
    /// Last column and row that are the first of two to be mixed …
    last: [i32; 2],
    /// … and how far the second ones lie behind, in bytes.
    next: [usize; 2],
}

impl<'a> Sampler<'a> {
    /// `level` is the level of `luma` in its pyramid. `None` for an empty picture.
    pub fn new(luma: Luma<'a>, level: usize) -> Option<Self> {
        let (width, height) = (luma.width(), luma.height());
        if width == 0 || height == 0 {
            return None;
        }
        let last = |side: usize| i32::try_from(side.saturating_sub(2)).ok();
        Some(Self {
            bytes: luma.bytes(),
            stride: luma.stride(),
            scale: 1.0 / (1u32 << level.min(30)) as f32,
            right: (width - 1) as f32,
            bottom: (height - 1) as f32,
            last: [last(width)?, last(height)?],
            next: [
                usize::from(width > 1),
                if height > 1 { luma.stride() } else { 0 },
            ],
        })
    }

    /// Pixels of level 0 that a pixel of this level covers, along one side.
    pub fn pixel(&self) -> f32 {
        1.0 / self.scale
    }

    /// Grey value of the pixel at a place of level 0, for what a mixture of four is
    /// too dear.
    #[inline]
    pub fn near(&self, x: f32, y: f32) -> f32 {
        let within = |at: f32, last: f32| {
            let at = at * self.scale;
            let at = if at > 0.0 { at } else { 0.0 };
            (if at < last { at } else { last }) as usize
        };
        let (x, y) = (within(x, self.right), within(y, self.bottom));
        f32::from(self.bytes[y * self.stride + x])
    }

    /// Grey value, 0 to 255, at a place of level 0.
    #[inline(always)]
    pub fn at(&self, x: f32, y: f32) -> f32 {
        // Written out, these comparisons are one instruction each, and NaN
        // becomes 0; `f32::max` takes four.
        let within = |at: f32, last: f32| {
            let at = at * self.scale - 0.5;
            let at = if at > 0.0 { at } else { 0.0 };
            if at < last { at } else { last }
        };
        let (x, y) = (within(x, self.right), within(y, self.bottom));
        let (x0, y0) = ((x as i32).min(self.last[0]), (y as i32).min(self.last[1]));
        let (fx, fy) = (x - x0 as f32, y - y0 as f32);
        let first = y0 as usize * self.stride + x0 as usize;
        let [right, down] = self.next;
        let grey = |index: usize| f32::from(self.bytes[index]);
        let (a, b) = (grey(first), grey(first + right));
        let (c, d) = (grey(first + down), grey(first + down + right));
        let (upper, lower) = (a + (b - a) * fx, c + (d - c) * fx);
        upper + (lower - upper) * fy
    }

    /// The grey values at `count` places from `start` on, `step` apart, in pixels of
    /// level 0, appended to `out`.
    pub fn line(&self, start: Point, step: Point, count: usize, out: &mut Vec<f32>) {
        let place = |i: usize| start + step * i as f32;
        let inside = |at: Point| {
            let (x, y) = (at.x * self.scale - 0.5, at.y * self.scale - 0.5);
            x >= 0.0 && y >= 0.0 && x < self.right && y < self.bottom
        };
        // Between two places inside all are.
        let whole = count > 0 && inside(place(0)) && inside(place(count - 1));
        if !whole {
            out.extend((0..count).map(|i| {
                let at = place(i);
                self.at(at.x, at.y)
            }));
            return;
        }
        let stride = self.stride;
        let (x, y) = (start.x * self.scale - 0.5, start.y * self.scale - 0.5);
        let (dx, dy) = (step.x * self.scale, step.y * self.scale);
        out.extend((0..count).map(|i| {
            // Rounding may lead over the rim by a trace.
            let (x, y) = ((x + dx * i as f32).max(0.0), (y + dy * i as f32).max(0.0));
            let (x0, y0) = (x as u32, y as u32);
            let (fx, fy) = (x - x0 as f32, y - y0 as f32);
            let first = y0 as usize * stride + x0 as usize;
            let pair = |index: usize| match self.bytes.get(index..index + 2) {
                Some(pair) => (f32::from(pair[0]), f32::from(pair[1])),
                None => (0.0, 0.0),
            };
            let ((a, b), (c, d)) = (pair(first), pair(first + stride));
            let (upper, lower) = (a + (b - a) * fx, c + (d - c) * fx);
            upper + (lower - upper) * fy
        }));
    }

    /// Does this place of level 0 lie in the picture?
    pub fn contains(&self, x: f32, y: f32) -> bool {
        let (x, y) = (x * self.scale, y * self.scale);
        x >= 0.0 && y >= 0.0 && x <= self.right + 1.0 && y <= self.bottom + 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_its_places() {
        let data: Vec<u8> = (0..40 * 30).map(|i| (i * 37 % 251) as u8).collect();
        let luma = Luma::new(&data, 40, 30, 40).expect("fits");
        for level in [0, 2] {
            let sampler = Sampler::new(luma, level).expect("not empty");
            let pixel = sampler.pixel();
            // Within, along the rim, across it.
            for (x, y, dx, dy) in [
                (3.0, 4.0, 0.8, 0.6),
                (0.5, 0.5, 1.0, 0.0),
                (39.4, 29.4, -0.9, -0.6),
                (-3.0, 12.0, 1.0, 0.2),
            ] {
                let (start, step) = (Point::new(x, y) * pixel, Point::new(dx, dy) * pixel);
                let mut line = Vec::new();
                sampler.line(start, step, 36, &mut line);
                assert_eq!(line.len(), 36);
                for (i, value) in line.into_iter().enumerate() {
                    let at = start + step * i as f32;
                    let other = sampler.at(at.x, at.y);
                    assert!((value - other).abs() < 0.1, "{x} {y} {i}: {value} {other}");
                }
            }
        }
    }

    #[test]
    fn values_between_pixels_and_beyond_the_rim() {
        let data = [0, 100, 200, 40];
        let luma = Luma::new(&data, 2, 2, 2).expect("fits");
        let sampler = Sampler::new(luma, 0).expect("not empty");
        assert_eq!(sampler.at(0.5, 0.5), 0.0);
        assert_eq!(sampler.at(1.0, 0.5), 50.0);
        assert_eq!(sampler.at(1.0, 1.0), 85.0);
        assert_eq!(sampler.at(-7.0, 1e30), 200.0);
        assert_eq!(sampler.at(f32::NAN, f32::NAN), 0.0);
        assert_eq!(sampler.near(1.1, 0.5), 100.0);
        assert_eq!(sampler.near(-7.0, 1e30), 200.0);
        assert_eq!(sampler.near(f32::NAN, f32::NAN), 0.0);
        let coarse = Sampler::new(luma, 1).expect("not empty");
        assert_eq!(coarse.at(3.0, 3.0), 40.0);
        assert!(coarse.contains(4.0, 4.0) && !coarse.contains(4.1, 1.0));
    }
}
