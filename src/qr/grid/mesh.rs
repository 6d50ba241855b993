//! From module coordinates to the picture: a homography for the whole symbol,
//! and shifts at a lattice of nodes for what a homography cannot do (labels on
//! bottles, lenses, rolling shutters).

use crate::geometry::{Homography, Point};

/// Most nodes along one side of the lattice: version 40 has seven alignment
/// patterns in a row.
pub const NODES: usize = 8;

/// A smooth map from module coordinates, (0, 0) at the symbol's outer corner and
/// (0.5, 0.5) at the middle of its first module, to pixels of level 0.
#[derive(Clone, Copy, Debug)]
pub struct Mesh {
    base: Homography,
    places: [f32; NODES],
    count: usize,
    shifts: [[Point; NODES]; NODES],
}

impl Mesh {
    /// A map without shifts.
    pub fn flat(base: Homography) -> Self {
        Self {
            base,
            places: [0.0; NODES],
            count: 0,
            shifts: [[Point::default(); NODES]; NODES],
        }
    }

    /// Lays nodes at these rows and columns (ascending, at most [`NODES`]),
    /// shifted as the map was there before.
    pub fn lay_nodes(&mut self, places: impl Iterator<Item = f32>) {
        let before = *self;
        self.count = 0;
        for place in places.take(NODES) {
            self.places[self.count] = place;
            self.count += 1;
        }
        for row in 0..self.count {
            for column in 0..self.count {
                self.shifts[row][column] = before.shift(self.places[column], self.places[row]);
            }
        }
    }

    /// Row or column of a node, in modules.
    pub fn place(&self, node: usize) -> f32 {
        self.places[node]
    }

    /// The shift of a node, to be changed.
    pub fn node_mut(&mut self, column: usize, row: usize) -> &mut Point {
        &mut self.shifts[row][column]
    }

    /// Between nodes the shifts are mixed, beyond them they go on.
    fn shift(&self, x: f32, y: f32) -> Point {
        if self.count < 2 {
            return if self.count == 1 {
                self.shifts[0][0]
            } else {
                Point::default()
            };
        }
        let (column, fx) = self.cell(x);
        let (row, fy) = self.cell(y);
        let mix = |row: usize| {
            let [a, b] = [self.shifts[row][column], self.shifts[row][column + 1]];
            a + (b - a) * fx
        };
        let (a, b) = (mix(row), mix(row + 1));
        a + (b - a) * fy
    }

    fn cell(&self, at: f32) -> (usize, f32) {
        let mut cell = 0;
        while cell + 2 < self.count && at >= self.places[cell + 1] {
            cell += 1;
        }
        let (from, to) = (self.places[cell], self.places[cell + 1]);
        (cell, (at - from) / (to - from))
    }

    /// Where (`x`, `y`), in modules, lies in the picture.
    #[inline]
    pub fn map(&self, x: f32, y: f32) -> Point {
        let at = self.base.map(x.into(), y.into());
        if self.count == 0 {
            at
        } else {
            at + self.shift(x, y)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Quad;

    #[test]
    fn shifts_are_mixed_between_nodes_and_kept_when_nodes_are_laid_anew() {
        let quad = Quad([
            Point::new(0.0, 0.0),
            Point::new(10.0, 0.0),
            Point::new(10.0, 10.0),
            Point::new(0.0, 10.0),
        ]);
        let mut mesh = Mesh::flat(Homography::from_unit_square(&quad).expect("regular"));
        mesh.lay_nodes([0.0, 1.0].into_iter());
        *mesh.node_mut(1, 0) = Point::new(0.0, 2.0);
        assert_eq!(mesh.map(0.5, 0.0), Point::new(5.0, 1.0));
        assert_eq!(mesh.map(0.5, 0.5), Point::new(5.0, 5.5));
        assert_eq!(mesh.map(1.5, 0.0), Point::new(15.0, 3.0));
        let before = mesh.map(0.25, 0.75);
        mesh.lay_nodes([0.0, 0.25, 0.5, 1.0].into_iter());
        assert_eq!(mesh.count, 4);
        assert!(mesh.map(0.25, 0.75).distance(before) < 1e-5);
    }
}
