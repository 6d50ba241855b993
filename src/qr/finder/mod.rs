//! Finder patterns: squares of 7 modules, dark ring, light ring, dark core
//! (ISO/IEC 18004, 6.3.3.1), found on one pyramid level after the other.
//!
//! A row scan looks for runs of 1:1:3:1:1 on thresholded rows, both dark on light
//! and light on dark in one go. What passes is crossed vertically and
//! horizontally, then measured in grey ([`shape`]): a true finder pattern is a
//! square from every direction. Grouping three of them to a symbol is the work
//! of [`group`].

mod bits;
mod cross;
mod group;
mod runs;
mod scan;
mod shape;

pub use group::{BENT, FLAT, Grouping, Triple};
pub use scan::{Finders, Look};

use crate::geometry::{Point, Quad};

/// One finder pattern, in pixels of level 0.
#[derive(Clone, Copy, Debug)]
pub struct FinderPattern {
    /// Its middle.
    pub centre: Point,
    /// Step of one module along one side of the square. Which of the four sides
    /// is not known: the pattern looks the same after a quarter turn.
    pub u: Point,
    /// Step of one module along the next side, clockwise on the screen.
    pub v: Point,
    /// Side of a module: the square root of the area that `u` and `v` span.
    pub module: f32,
    /// Light on dark.
    pub inverted: bool,
    /// Grey value of its dark modules (of its light ones, if inverted, counted
    /// from 255 down: always less than `light`).
    pub dark: f32,
    /// Grey value of its light modules, likewise.
    pub light: f32,
    /// Width of its edges from 25 % to 75 %, in pixels.
    pub edge: f32,
    /// 1 for a square, 0 for a disc: how far `u` and `v` can be trusted.
    pub squareness: f32,
    /// How far the rings are from 3:5:7, in modules, root mean square; a
    /// direction that shows no rings counts as half a module.
    pub roughness: f32,
}

impl FinderPattern {
    /// Its outer corners.
    pub fn corners(&self) -> Quad {
        let (u, v) = (self.u * 3.5, self.v * 3.5);
        let centre = self.centre;
        Quad([
            centre - u - v,
            centre + u - v,
            centre + u + v,
            centre - u + v,
        ])
    }

    /// `offset` in the pattern's own modules, along `u` and `v`.
    pub fn local(&self, offset: Point) -> Point {
        let area = self.u.cross(self.v);
        Point::new(offset.cross(self.v) / area, self.u.cross(offset) / area)
    }
}
