//! A part of a picture, turned: rows run along a direction of one's choice.

use super::Sampler;
use crate::geometry::Point;

/// Steps in which a grey value is kept.
const ONE: f32 = 128.0;

/// Grey values of a rectangle that lies askew in a picture. Its own coordinates
/// run like those of a picture: (0.5, 0.5) is the middle of its first pixel.
#[derive(Debug, Default)]
pub struct Turned {
    width: usize,
    height: usize,
    /// In steps of `1 / ONE`: half the memory of floats, and far finer than noise.
    grey: Vec<i16>,
    line: Vec<f32>,
    origin: Point,
    right: Point,
}

impl Turned {
    /// A rectangle of `width` by `height` pixels around `centre`, rows along
    /// `along` (of length 1); its pixels are those of the sampler's level. It is
    /// empty until rows are taken.
    pub fn lay(
        &mut self,
        sampler: &Sampler<'_>,
        centre: Point,
        along: Point,
        (width, height): (usize, usize),
    ) {
        self.width = width;
        self.height = height;
        self.right = along * sampler.pixel();
        self.origin =
            centre - self.right * (width as f32 / 2.0) - self.down() * (height as f32 / 2.0);
        self.grey.clear();
        self.grey.reserve_exact(width * height);
    }

    /// Takes some more rows out of the picture; false if there were none left.
    pub fn take(&mut self, sampler: &Sampler<'_>, rows: usize) -> bool {
        let first = self.rows();
        for y in first..(first + rows).min(self.height) {
            let start = self.back(Point::new(0.5, y as f32 + 0.5));
            self.line.clear();
            sampler.line(start, self.right, self.width, &mut self.line);
            let steps = self.line.iter().map(|grey| (grey * ONE + 0.5) as i16);
            self.grey.extend(steps);
        }
        self.rows() > first
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Pixels of level 0 that one of its pixels is wide.
    pub fn pixel(&self) -> f32 {
        self.right.length()
    }

    /// How many rows were taken so far.
    pub fn rows(&self) -> usize {
        self.grey.len() / self.width.max(1)
    }

    /// The grey values of row `y`. Panics where none was taken.
    pub fn row(&self, y: usize) -> impl Iterator<Item = f32> {
        let row = &self.grey[y * self.width..][..self.width];
        row.iter().map(|&grey| f32::from(grey) * (1.0 / ONE))
    }

    /// Where a place of this rectangle lies in the picture.
    pub fn back(&self, at: Point) -> Point {
        self.origin + self.right * at.x + self.down() * at.y
    }

    fn down(&self) -> Point {
        Point::new(-self.right.y, self.right.x)
    }
}
