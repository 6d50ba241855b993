//! From three finder patterns and the timing patterns between them to the grid of a
//! symbol around a cylinder.
//!
//! ```text
//!  finder patterns ──► trail (timing patterns: how many modules, and where)
//!        └──────────────┴──► cylinder (nine unknowns) ──► mesh ◄──► alignment patterns
//! ```

use super::Grid;
use super::cylinder::{ARM, Cylinder, EXACT, Place, Seen};
use super::locate::Locator;
use super::mesh::Mesh;
use super::trail::Trail;
use crate::geometry::{Pair, Point, fit};
use crate::qr::budget::Budget;
use crate::qr::decode::alignment_centres;

/// How far the side that was counted may be from what distances tell, in logarithms.
const MOST_OFF: f32 = 0.3;
/// A symbol whose places differ by less than this from the best flat map, root mean
/// square in modules, is flat. Drawn around 30° of a cylinder none had less than 0.14;
/// flat ones in photographs, where they were followed, 0.02 to 0.06.
const FLAT: f32 = 0.06;
/// Most that the places of a cylinder's symbol may be off it, as [`Cylinder::fit`]
/// tells. Those of a hundred drawn ones, around 30° to 120°, were off by 0.35 at most,
/// by 1.5 with a finder pattern on the rim; what passed for timing patterns in pictures
/// without a code was off by 7 and more.
const MOST_COST: f64 = 2.0;
/// What a cylinder leaves of how far places are off a flat map, at most: less than that
/// is blur and noise, which nine unknowns follow better than eight.
const MOST_LEFT: f32 = 0.7;
/// Weight of a module of a timing pattern: it is known along its row, and less across.
const TIMING_WEIGHT: f32 = 0.5;
/// Directions of the axis from which a fit begins, each tilted one way and the other.
const WAYS: u32 = 4;
/// Steps of each beginning, of the best ones among them, and with each alignment
/// pattern.
const FIRST_STEPS: usize = 4;
const LAST_STEPS: usize = 12;
const FURTHER_STEPS: usize = 6;
/// Beginnings that are gone on with.
const BEST: usize = 2;
/// How far from where neighbours make it expected an alignment pattern is looked for,
/// in modules.
const REACH: f32 = 2.0;
/// What looking for an alignment pattern costs, in units of work.
const UNITS_PER_SEARCH: usize = 5000;

impl Locator<'_> {
    /// The grid of a symbol around a cylinder, of about `estimate` modules a side;
    /// `None` where there is none, or a flat one, or no time.
    pub fn around(&self, estimate: f32, budget: &mut Budget) -> Option<Grid> {
        let [corner, right, down] = &self.patterns;
        let middle = (self.dark + self.light) / 2.0;
        let darkness = |at: Point| middle - self.value(at);
        let row = Trail::follow(
            (corner, right),
            |pattern| (pattern.x, pattern.y),
            estimate,
            darkness,
        );
        let column = Trail::follow(
            (corner, down),
            |pattern| (pattern.y, pattern.x),
            estimate,
            darkness,
        );
        // One of them may be torn.
        let side = match (&row, &column) {
            (Some(row), Some(column)) if row.side != column.side => return None,
            (Some(trail), _) | (None, Some(trail)) => trail.side,
            (None, None) => return None,
        };
        if (side as f32 / estimate).ln().abs() > MOST_OFF || budget.is_spent() {
            return None;
        }
        let mut places = self.places(side, row.as_ref(), column.as_ref());
        let off_flat = places.off_flat()?;
        if off_flat < FLAT {
            return None;
        }
        let most = f64::from(MOST_LEFT * off_flat) / EXACT;
        let most = (most * most).min(MOST_COST);
        let mut cylinder = self.cylinder(side, &places, most, budget)?;
        let mesh = self.aligned(&mut cylinder, side, &mut places, budget)?;
        self.grid_of(side, mesh)
    }

    /// What finder patterns and timing patterns tell of a symbol of `side` modules.
    fn places(&self, side: usize, row: Option<&Trail>, column: Option<&Trail>) -> Places {
        let far = side as f32 - 3.5;
        let mut places = Places::default();
        for (pattern, (x, y)) in self
            .patterns
            .iter()
            .zip([(3.5, 3.5), (far, 3.5), (3.5, far)])
        {
            let at = Point::new(x, y);
            places.push((at, Seen::At(pattern.centre), 1.0));
            places.push((at, Seen::Right(pattern.x * ARM), 1.0));
            places.push((at, Seen::Down(pattern.y * ARM), 1.0));
        }
        for (along, at) in row.into_iter().flat_map(Trail::modules) {
            places.push((Point::new(along, 6.5), Seen::At(at), TIMING_WEIGHT));
        }
        for (along, at) in column.into_iter().flat_map(Trail::modules) {
            places.push((Point::new(6.5, along), Seen::At(at), TIMING_WEIGHT));
        }
        places
    }

    /// The cylinder that `places` lie on, off it by `most` at most; `None` if they lie
    /// on none, or there is no time. A fit finds what is near its beginning, so it
    /// begins with the axis in each direction and with either tilt.
    fn cylinder(
        &self,
        side: usize,
        places: &Places,
        most: f64,
        budget: &mut Budget,
    ) -> Option<Cylinder> {
        let [corner, right, down] = self.patterns.map(|pattern| pattern.centre);
        let module = 1.0 / (side as f32 - 7.0);
        let steps = ((right - corner) * module, (down - corner) * module);
        let middle = (right + down) * 0.5;
        let mut best = [const { None::<(f64, Cylinder)> }; BEST];
        for way in 0..WAYS {
            let way = std::f64::consts::PI * f64::from(way) / f64::from(WAYS);
            for towards in [false, true] {
                let mut cylinder = Cylinder::about(side, middle, steps, way, towards)?;
                let cost = cylinder.fit(places.iter(), FIRST_STEPS, budget)?;
                let better =
                    |kept: &Option<(f64, Cylinder)>| kept.is_none_or(|(least, _)| cost < least);
                if let Some(rank) = best.iter().position(better) {
                    best[rank..].rotate_right(1);
                    best[rank] = Some((cost, cylinder));
                }
            }
        }
        let mut least = (most, None);
        for (_, mut cylinder) in best.into_iter().flatten() {
            let cost = cylinder.fit(places.iter(), LAST_STEPS, budget)?;
            if cost < least.0 {
                least = (cost, Some(cylinder));
            }
        }
        least.1
    }

    /// The map of `cylinder`, fitted to the alignment patterns too: from the corner
    /// outwards, each looked for where those before it make it expected.
    fn aligned(
        &self,
        cylinder: &mut Cylinder,
        side: usize,
        places: &mut Places,
        budget: &mut Budget,
    ) -> Option<Mesh> {
        let centres = alignment_centres(((side - 17) / 4) as u8);
        let mut mesh = cylinder.mesh()?;
        let Some(last) = centres.len().checked_sub(1) else {
            return Some(mesh);
        };
        // One alone, across from the corner, lies far from all that is known.
        let reach = if last == 1 {
            REACH + side as f32 * 0.06
        } else {
            REACH
        };
        let place = |i: usize| f32::from(centres[i]) + 0.5;
        for diagonal in 1..=2 * last {
            let mut found = false;
            for y in diagonal.saturating_sub(last)..=diagonal.min(last) {
                let x = diagonal - y;
                if (x == 0 && y == last) || (y == 0 && x == last) {
                    continue;
                }
                budget.spend(UNITS_PER_SEARCH);
                if budget.is_spent() {
                    return None;
                }
                let (x, y) = (place(x), place(y));
                if let Some((at, score)) = self.find(&mesh, x, y, Point::default(), reach) {
                    places.push((Point::new(x, y), Seen::At(at), score));
                    found = true;
                }
            }
            if found {
                cylinder.fit(places.iter(), FURTHER_STEPS, budget)?;
                mesh = cylinder.mesh()?;
            }
        }
        Some(mesh)
    }
}

/// Most places of a symbol: 9 of its finder patterns, 142 of its timing patterns and
/// 46 alignment patterns.
const MOST_PLACES: usize = 200;

/// What is known of a symbol's places.
struct Places {
    places: [Place; MOST_PLACES],
    count: usize,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            places: [(Point::default(), Seen::At(Point::default()), 0.0); MOST_PLACES],
            count: 0,
        }
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

    /// How far places lie off the flat map that fits them best, in modules, root mean
    /// square; `None` if they have none.
    fn off_flat(&self) -> Option<f32> {
        let mut pairs: [Pair; MOST_PLACES] =
            [(Point::default(), Point::default(), 0.0); MOST_PLACES];
        let mut count = 0;
        for (place, seen, weight) in self.iter() {
            if let Seen::At(at) = seen {
                pairs[count] = (place, at, weight);
                count += 1;
            }
        }
        let pairs = &pairs[..count];
        let map = fit(pairs, 1e-4)?;
        let (mut sum, mut weights) = (0.0, 0.0);
        for &(place, at, weight) in pairs {
            let (x, y) = (f64::from(place.x), f64::from(place.y));
            let off = map.map(x, y).distance(at);
            let module = map.map(x + 0.5, y).distance(map.map(x - 0.5, y));
            sum += weight * (off / module.max(1e-3)).powi(2);
            weights += weight;
        }
        Some((sum / weights).sqrt())
    }
}
