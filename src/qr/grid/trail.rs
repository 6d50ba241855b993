//! A timing pattern followed from one finder pattern to another around a bend.
//!
//! Where it begins and ends the finder patterns show its direction too: a cubic
//! through both lies on it all the way, however the label is bent between. Along
//! that curve its modules are counted, which tells the side of the symbol, and
//! measured, which tells how the label falls away from the camera.

use super::locate::Oriented;
use crate::geometry::Point;

/// Most modules to a side of a symbol that is followed: more than that seen around
/// a bend are too small to tell apart.
pub const MOST_SIDE: usize = 85;
/// Places to a module at which the pattern is looked at.
const STEPS: usize = 6;
/// Most that one module of it is wider than the one before, or the other way round.
const MOST_RATIO: f32 = 2.6;
/// Most that half the finder pattern is wider than its steps of a module tell.
const FIRST_RATIO: f32 = 1.6;

/// Where the borders of a timing pattern's modules lie.
#[derive(Clone, Copy, Debug)]
pub struct Trail {
    /// Modules a side of the symbol.
    pub side: usize,
    /// From module 7 on.
    borders: [Point; MOST_SIDE - 13],
}

impl Trail {
    /// The timing pattern from `near` to `far`, of a symbol of about `side` modules;
    /// `steps` are those of a module along it and inwards, as one of these shows them;
    /// `darkness` of a place is positive where it is dark. `None` if there is none.
    pub(super) fn follow(
        (near, far): (&Oriented, &Oriented),
        steps: impl Fn(&Oriented) -> (Point, Point),
        side: f32,
        darkness: impl Fn(Point) -> f32,
    ) -> Option<Self> {
        let ((along, across), (far_along, far_across)) = (steps(near), steps(far));
        let length = side - 7.0;
        let (from, to) = (near.centre, far.centre);
        let at = |t: f32| {
            let (u, tt) = (1.0 - t, t * t);
            let line = from * (u * u * (1.0 + 2.0 * t)) + to * (tt * (3.0 - 2.0 * t));
            let tangents = along * (t * u * u) - far_along * (tt * u);
            line + tangents * length + (across * u + far_across * t) * 3.0
        };
        let mut trail = Self {
            side: 0,
            borders: [Point::default(); MOST_SIDE - 13],
        };
        let looks = (length * STEPS as f32) as usize + 1;
        let mut count = 0;
        let start = at(0.0);
        let mut before = darkness(start);
        if before <= 0.0 {
            return None;
        }
        // Half the finder pattern first; then modules, each about as wide as the last.
        let (mut last, mut width) = (start, along.length());
        let mut most = 3.5 * FIRST_RATIO * width;
        for look in 1..=looks {
            let place = at(look as f32 / looks as f32);
            let here = darkness(place);
            if (here > 0.0) != (before > 0.0) {
                let share = before / (before - here);
                let border = at((look as f32 - 1.0 + share) / looks as f32);
                let run = border.distance(last);
                if count > 0 && (run * MOST_RATIO < width || run > most) {
                    return None;
                }
                *trail.borders.get_mut(count)? = border;
                width = if count > 0 { run } else { width };
                (last, most) = (border, MOST_RATIO * width);
                count += 1;
            } else if place.distance(last) > most {
                // The far finder pattern is the last.
                if here <= 0.0 || look as f32 <= looks as f32 * (1.0 - 4.0 / length) {
                    return None;
                }
            }
            before = here;
        }
        trail.side = count + 13;
        let whole = before > 0.0 && trail.side >= 21 && trail.side % 4 == 1;
        whole.then_some(trail)
    }

    /// The middles of its modules, by their column or row.
    pub fn modules(&self) -> impl Iterator<Item = (f32, Point)> + Clone {
        let borders = &self.borders[..self.side - 13];
        let middles = borders.windows(2).enumerate();
        middles.map(|(i, two)| (i as f32 + 7.5, (two[0] + two[1]) * 0.5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RADIUS: f32 = 100.0;
    const MODULE: f32 = 4.0;
    const SIDE: usize = 29;

    /// A place of a symbol whose rows are arcs about the origin.
    fn place(x: f32, y: f32) -> Point {
        let (sin, cos) = (x * MODULE / RADIUS).sin_cos();
        Point::new(sin, -cos) * (RADIUS - y * MODULE)
    }

    fn oriented(x: f32) -> Oriented {
        let half = |dx: f32, dy: f32| (place(x + dx, 3.5 + dy) - place(x - dx, 3.5 - dy)) * 0.5;
        Oriented {
            centre: place(x, 3.5),
            x: half(1.0, 0.0),
            y: half(0.0, 1.0),
            trusted: true,
        }
    }

    /// Follows row 6 of it, of which `torn` modules are light.
    fn follow(torn: std::ops::Range<usize>) -> Option<Trail> {
        let darkness = |at: Point| {
            let x = at.x.atan2(-at.y) * RADIUS / MODULE;
            let y = (RADIUS - at.length()) / MODULE;
            let column = x.max(0.0) as usize;
            let finder = !(7..SIDE - 7).contains(&column);
            let dark = (finder || column.is_multiple_of(2)) && !torn.contains(&column);
            if dark && (6.0..7.0).contains(&y) || finder && y < 5.0 {
                1.0
            } else {
                -1.0
            }
        };
        let ends = (oriented(3.5), oriented(SIDE as f32 - 3.5));
        let steps = |pattern: &Oriented| (pattern.x, pattern.y);
        Trail::follow((&ends.0, &ends.1), steps, SIDE as f32, darkness)
    }

    #[test]
    fn modules_are_counted_and_placed_around_a_bend() {
        let trail = follow(0..0).expect("a timing pattern");
        assert_eq!(trail.side, SIDE);
        assert_eq!(trail.modules().count(), SIDE - 14);
        for (column, at) in trail.modules() {
            let off = at.distance(place(column, 6.5));
            assert!(off < 0.4 * MODULE, "{off} px off at {column}");
        }
    }

    #[test]
    fn one_that_is_torn_is_none() {
        assert!(follow(12..15).is_none());
        assert!(follow(7..29).is_none());
    }
}
