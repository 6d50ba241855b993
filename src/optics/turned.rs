//! A part of a picture, turned: rows run along a direction of one's choice.

use super::Sampler;
use crate::geometry::Point;

/// Grey values of a rectangle that lies askew in a picture. Its own coordinates
/// run like those of a picture: (0.5, 0.5) is the middle of its first pixel.
#[derive(Debug, Default)]
pub struct Turned {
    width: usize,
    height: usize,
    grey: Vec<f32>,
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
    }

    /// Takes some more rows out of the picture; false if there were none left.
    pub fn take(&mut self, sampler: &Sampler<'_>, rows: usize) -> bool {
        let first = self.rows();
        for y in first..(first + rows).min(self.height) {
            let start = self.back(Point::new(0.5, y as f32 + 0.5));
            sampler.line(start, self.right, self.width, &mut self.grey);
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

    /// Row `y`. Panics where none was taken.
    pub fn row(&self, y: usize) -> &[f32] {
        &self.grey[y * self.width..][..self.width]
    }

    /// Where a place of this rectangle lies in the picture.
    pub fn back(&self, at: Point) -> Point {
        self.origin + self.right * at.x + self.down() * at.y
    }

    fn down(&self) -> Point {
        Point::new(-self.right.y, self.right.x)
    }
}
