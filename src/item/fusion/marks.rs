//! Places that a plate and a frame have in common, and the map that they tell.
//!
//! A label that comes nearer, turns or tips over is not where a shift alone would
//! have it. Finder patterns are located to a fraction of a pixel in each frame; those
//! that stand on the plate already tell how the plate lies in the frame: two of them
//! its turn and its size, three its slant, four and more its perspective too.

use crate::geometry::{Homography, Pair, Point, fit};
use crate::qr::Sign;

/// Most places that are remembered of one plate.
const MOST: usize = 12;
/// A finder pattern rougher than this is none that a map could rest on.
const ROUGH: f32 = 0.25;
/// A place is met again no farther from where it should be, in modules …
const REACH: f32 = 2.0;
/// … and with modules so many times as large at most.
const ALIKE: f32 = 1.3;
/// Frames over which the mean of a place is taken.
const MEMORY: f32 = 8.0;
/// Two finder patterns tell turn and size only if they are so many modules apart:
/// they are 14 at least in any symbol.
const APART: f32 = 12.0;
/// Three or more agree with their map to so many pixels, root mean square.
const AGREEMENT: f32 = 0.8;
/// Weight of what keeps a map affine, and of what keeps one with perspective from
/// taking noise for it.
const FLATNESS: [f64; 2] = [1e6, 1e-4];
/// A label that tips over while it is seen has its near side so much larger at most,
/// as a share: four places agree with some perspective wherever they are.
const MOST_TIPPED: f64 = 0.06;

/// A finder pattern on the plate.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    at: Point,
    module: f32,
    seen: f32,
}

/// Those of a plate, in pixels as kept.
#[derive(Debug, Default)]
pub(super) struct Marks {
    marks: [Mark; MOST],
    count: usize,
}

impl Marks {
    /// The map from the plate to the frame that these signs tell, where `expected` is
    /// nearly it. Places are in pixels as kept, one of which is `pitch` of the
    /// picture's. `None` if fewer than two places are met, or they do not agree.
    pub fn meet(&self, signs: &[Sign], pitch: f32, expected: &Homography) -> Option<Homography> {
        let back = expected.inverse()?;
        let mut pairs = [Pair::default(); MOST + 1];
        let (mut met, mut count) = ([false; MOST], 0);
        let mut first = 0;
        for sign in signs.iter().filter(|sign| sign.roughness < ROUGH) {
            let (seen, module) = (sign.centre * (1.0 / pitch), sign.module_px / pitch);
            let at = back.map(seen.x.into(), seen.y.into());
            let nearest = self.marks[..self.count]
                .iter()
                .enumerate()
                .filter(|(_, mark)| {
                    let ratio = module / mark.module;
                    ratio < ALIKE && ratio * ALIKE > 1.0
                })
                .min_by(|(_, a), (_, b)| a.at.distance(at).total_cmp(&b.at.distance(at)));
            let Some((index, mark)) = nearest else {
                continue;
            };
            if !met[index] && mark.at.distance(at) < REACH * mark.module {
                if count == 0 {
                    first = index;
                }
                met[index] = true;
                pairs[count] = (mark.at, seen, 1.0);
                count += 1;
            }
        }
        if count < 2 {
            return None;
        }
        if count == 2 {
            let [(a, to_a, _), (b, to_b, _)] = [pairs[0], pairs[1]];
            if a.distance(b) < APART * self.marks[first].module {
                return None;
            }
            // A third one at a right angle: the shape stays as it is.
            let beside = |a: Point, b: Point| a + Point::new(a.y - b.y, b.x - a.x);
            pairs[2] = (beside(a, b), beside(to_a, to_b), 1.0);
        }
        let pairs = &pairs[..count.max(3)];
        let agrees = |map: &Homography, most: f32| {
            let off = |pair: &Pair| map.map(pair.0.x.into(), pair.0.y.into()).distance(pair.1);
            let squares: f32 = pairs.iter().map(|pair| off(pair) * off(pair)).sum();
            squares <= most * most * count as f32
        };
        // Four places or more tell an affine map from one with perspective.
        let most = AGREEMENT / if count < 4 { 1.0 } else { 4.0 };
        let affine = fit(pairs, FLATNESS[0]).filter(|map| agrees(map, most));
        if affine.is_some() || count < 4 {
            return affine;
        }
        let depth = |map: &Homography, at: Point| {
            map.0[6] * f64::from(at.x) + map.0[7] * f64::from(at.y) + map.0[8]
        };
        let map = fit(pairs, FLATNESS[1]).filter(|map| agrees(map, AGREEMENT))?;
        let middle = pairs.iter().map(|pair| depth(&map, pair.0)).sum::<f64>() / count as f64;
        let tipped = |pair: &Pair| (depth(&map, pair.0) / middle - 1.0).abs();
        pairs
            .iter()
            .all(|pair| tipped(pair) < MOST_TIPPED)
            .then_some(map)
    }

    /// Notes where the signs of a frame stand on a plate of `size` that lies in the
    /// frame by `map`: those that were met become surer, others are new.
    pub fn note(&mut self, signs: &[Sign], pitch: f32, size: (usize, usize), map: &Homography) {
        let Some(back) = map.inverse() else { return };
        for sign in signs.iter().filter(|sign| sign.roughness < ROUGH) {
            let (seen, module) = (sign.centre * (1.0 / pitch), sign.module_px / pitch);
            let at = back.map(seen.x.into(), seen.y.into());
            let inside = |at: f32, size: usize| at >= 0.0 && at < size as f32;
            if !(inside(at.x, size.0) && inside(at.y, size.1) && module > 0.0) {
                continue;
            }
            let near = |mark: &&mut Mark| mark.at.distance(at) < REACH * mark.module;
            match self.marks[..self.count].iter_mut().find(near) {
                Some(mark) => {
                    mark.seen = (mark.seen + 1.0).min(MEMORY);
                    mark.at = mark.at + (at - mark.at) * (1.0 / mark.seen);
                }
                None if self.count < MOST => {
                    self.marks[self.count] = Mark {
                        at,
                        module,
                        seen: 1.0,
                    };
                    self.count += 1;
                }
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(at: Point) -> Sign {
        Sign {
            centre: at,
            module_px: 4.0,
            roughness: 0.1,
        }
    }

    /// Corners of a symbol of 25 modules on a plate, and one more code's beside it.
    const PLACES: [Point; 4] = [
        Point::new(30.0, 30.0),
        Point::new(102.0, 30.0),
        Point::new(30.0, 102.0),
        Point::new(150.0, 120.0),
    ];

    fn moved(map: &Homography, places: &[Point]) -> Vec<Sign> {
        let place = |at: &Point| sign(map.map(at.x.into(), at.y.into()));
        places.iter().map(place).collect()
    }

    #[test]
    fn two_places_tell_turn_and_size_three_slant_four_perspective() {
        let (sin, cos) = 0.03f64.sin_cos();
        let turned = [
            1.02 * cos,
            -1.02 * sin,
            5.0,
            1.02 * sin,
            1.02 * cos,
            2.0,
            0.0,
            0.0,
            1.0,
        ];
        let slanted = [1.02, 0.01, 5.0, -0.02, 0.98, 2.0, 0.0, 0.0, 1.0];
        let tipped = [1.02, 0.01, 5.0, -0.01, 1.0, 2.0, 4e-4, -4e-4, 1.0];
        let identity = Homography([1.0, 0.0, 3.0, 0.0, 1.0, 2.0, 0.0, 0.0, 1.0]);
        for (count, truth) in [(2, turned), (3, turned), (3, slanted), (4, tipped)] {
            let truth = Homography(truth);
            let mut marks = Marks::default();
            let origin = Homography([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
            marks.note(&moved(&origin, &PLACES[..count]), 1.0, (180, 150), &origin);
            let seen = moved(&truth, &PLACES[..count]);
            let found = marks.meet(&seen, 1.0, &identity).expect("they agree");
            for (x, y) in [(0.0, 0.0), (180.0, 0.0), (180.0, 150.0), (0.0, 150.0)] {
                let off = found.map(x, y).distance(truth.map(x, y));
                assert!(off < 0.5, "{count}: {off} px at {x} {y}");
            }
        }
    }

    #[test]
    fn one_place_or_places_that_do_not_agree_tell_nothing() {
        let origin = Homography([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
        let mut marks = Marks::default();
        assert!(marks.meet(&[], 1.0, &origin).is_none());
        marks.note(&moved(&origin, &PLACES), 1.0, (180, 150), &origin);
        assert!(
            marks
                .meet(&moved(&origin, &PLACES[..1]), 1.0, &origin)
                .is_none()
        );
        let mut astray = moved(&origin, &PLACES);
        astray[1].centre = astray[1].centre + Point::new(5.0, 5.0);
        astray[2].centre = astray[2].centre + Point::new(5.0, 5.0);
        assert!(marks.meet(&astray, 1.0, &origin).is_none());
        for odd in [f32::NAN, f32::INFINITY, 0.0] {
            let odd = [Sign {
                module_px: odd,
                ..sign(Point::new(odd, 5.0))
            }; 3];
            marks.note(&odd, 1.0, (180, 150), &origin);
            assert!(marks.meet(&odd, 1.0, &origin).is_none());
        }
    }
}
