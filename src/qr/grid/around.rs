//! From three finder patterns and the timing patterns between them to the grid of a
//! symbol around a cylinder.

use super::Grid;
use super::cylinder::{ARM, Cylinder, Place, Seen};
use super::locate::{Locator, Oriented};
use super::trail::{MOST_SIDE, Trail};
use crate::geometry::{Pair, Point, fit};
use crate::qr::budget::Budget;
use crate::qr::decode::alignment_centres;

impl Locator<'_> {
    /// The grid of a symbol around a cylinder, if what is seen of it is not flat.
    pub fn around(&self, estimate: f32, budget: &mut Budget) -> Option<Grid> {
        let [corner, right, down] = &self.patterns;
        let middle = (self.dark + self.light) / 2.0;
        let darkness = |at: Point| middle - self.value(at);
        let row = Trail::follow((corner, right), |p| (p.x, p.y), estimate, darkness);
        let column = Trail::follow((corner, down), |p| (p.y, p.x), estimate, darkness);
        #[cfg(feature = "truth")]
        eprintln!("  est {estimate} trails {:?} {:?}", row.map(|r| r.side), column.map(|r| r.side));
        let side = match (&row, &column) {
            (Some(row), Some(column)) if row.side != column.side => return None,
            (Some(trail), _) | (None, Some(trail)) => trail.side,
            (None, None) => return None,
        };
        let far = side as f32 - 3.5;
        let mut places: Places = Places::default();
        for (pattern, (x, y)) in self.patterns.iter().zip([(3.5, 3.5), (far, 3.5), (3.5, far)]) {
            let at = Point::new(x, y);
            places.push((at, Seen::At(pattern.centre), 1.0));
            places.push((at, Seen::Right(pattern.x * ARM), 1.0));
            places.push((at, Seen::Down(pattern.y * ARM), 1.0));
        }
        for (along, at) in row.iter().flat_map(Trail::modules) {
            places.push((Point::new(along, 6.5), Seen::At(at), 0.5));
        }
        for (along, at) in column.iter().flat_map(Trail::modules) {
            places.push((Point::new(6.5, along), Seen::At(at), 0.5));
        }
        let (right_step, down_step) = (
            (right.centre - corner.centre) * (1.0 / (far - 3.5)),
            (down.centre - corner.centre) * (1.0 / (far - 3.5)),
        );
        let centre = (right.centre + down.centre) * 0.5;
        let mut best: Option<(f64, Cylinder)> = None;
        for start in 0..8 {
            let way = std::f64::consts::FRAC_PI_4 * f64::from(start / 2);
            let mut cylinder = Cylinder::about(side, centre, (right_step, down_step), way, start % 2 == 0)?;
            let Some(cost) = cylinder.fit(places.iter(), 12, budget) else { continue };
            #[cfg(feature = "truth")]
            eprintln!("    start {start}: {cost:.3} {cylinder:?}");
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, cylinder));
            }
        }
        let (_, mut cylinder) = best?;
        let mut mesh = cylinder.mesh()?;
        let centres = alignment_centres(((side - 17) / 4) as u8);
        if centres.len() == 2 {
            let place = side as f32 - 6.5;
            let radius = 2.5 + side as f32 * 0.06;
            if let Some((at, score)) = self.find(&mesh, place, place, Point::default(), radius) {
                places.push((Point::new(place, place), Seen::At(at), score));
                cylinder.fit(places.iter(), 8, budget)?;
                mesh = cylinder.mesh()?;
            }
        } else {
            let count = centres.len();
            let place = |i: usize| f32::from(centres[i]) + 0.5;
            for diagonal in 1..(2 * count).saturating_sub(1) {
                for y in diagonal.saturating_sub(count - 1)..=diagonal.min(count - 1) {
                    let x = diagonal - y;
                    if (x == 0 && y == count - 1) || (y == 0 && x == count - 1) {
                        continue;
                    }
                    if let Some((at, score)) = self.find(&mesh, place(x), place(y), Point::default(), 2.0) {
                        places.push((Point::new(place(x), place(y)), Seen::At(at), score));
                    }
                }
                cylinder.fit(places.iter(), 4, budget)?;
                mesh = cylinder.mesh()?;
            }
        }
        let grid = Grid {
            side,
            mesh,
            inverted: self.inverted,
            module: self.module,
            edge: self.edge,
            timing: self.timing_of(&mesh, side),
        };
        let module = grid.corners().area().sqrt() / side as f32;
        let sane = module.is_finite() && module > 0.5 && module < 4.0 * self.module;
        sane.then_some(Grid { module, ..grid })
    }
}

struct Places {
    places: [Place; 256],
    count: usize,
}
impl Default for Places {
    fn default() -> Self {
        Self { places: [(Point::default(), Seen::At(Point::default()), 0.0); 256], count: 0 }
    }
}
impl Places {
    fn push(&mut self, place: Place) {
        if let Some(slot) = self.places.get_mut(self.count) {
            *slot = place;
            self.count += 1;
        }
    }
    fn iter(&self) -> impl Iterator<Item = Place> + Clone {
        self.places[..self.count].iter().copied()
    }
}
