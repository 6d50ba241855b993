//! The grid of a rectangular Micro QR code (rMQR, ISO/IEC 23941) from its one
//! finder pattern: the timing patterns along both long edges, and the sub-finder
//! pattern in the opposite corner.

use super::alignment::Search;
use super::corner::Corner;
use super::mesh::Mesh;
use crate::geometry::{Homography, Pair, Point, fit};
use crate::qr::decode::{rmqr_alignment, rmqr_format_places};

/// Room for the pairs of the longest symbol: the finder pattern, 66 dark modules
/// of each edge, and the sub-finder pattern.
const MOST_PAIRS: usize = 144;
/// How much perspective is held back: little along edges as long as these.
const FLATNESS: f64 = 1e-4;
/// How far from two modules after the last one a dark module of a timing pattern
/// may lie, in modules.
const NEAR: f32 = 0.4;

/// Pairs of a place in modules and one in the picture.
struct Pairs {
    pairs: [Pair; MOST_PAIRS],
    count: usize,
}

impl Pairs {
    fn push(&mut self, x: f32, y: f32, at: Point, weight: f32) {
        if let Some(slot) = self.pairs.get_mut(self.count) {
            *slot = (Point::new(x, y), at, weight);
            self.count += 1;
        }
    }

    fn fit(&self) -> Option<Homography> {
        fit(&self.pairs[..self.count], FLATNESS)
    }
}

impl Corner<'_> {
    /// The format information beside the finder pattern, by the pattern's own
    /// sides alone: positive where dark, bit 0 first.
    pub fn rmqr_format(&self) -> [i32; 18] {
        let scale = 254.0 / self.contrast();
        std::array::from_fn(|bit| {
            let [(x, y), _] = rmqr_format_places(43, 7, bit);
            let at = self.place(x as f32 + 0.5, y as f32 + 0.5);
            ((self.middle() - self.value(at)) * scale).clamp(-127.0, 127.0) as i32
        })
    }

    /// The grid of a symbol of `width` by `height` modules, if its edges and its
    /// sub-finder pattern are there.
    pub fn rmqr_mesh(&self, width: usize, height: usize) -> Option<Mesh> {
        let mut pairs = Pairs {
            pairs: [(Point::default(), Point::default(), 0.0); MOST_PAIRS],
            count: 0,
        };
        for (x, y, at, weight) in self.finder_pairs() {
            pairs.push(x, y, at, weight);
        }
        self.upper_edge(width, &mut pairs)?;
        let base = pairs.fit()?;
        let (x, y) = (width as f32 - 2.5, height as f32 - 2.5);
        let value = |at: Point| self.value(at);
        let map = |x: f32, y: f32| base.map(x.into(), y.into());
        let (dark, light) = self.levels();
        let search = Search {
            value: &value,
            right: (map(x + 1.0, y) - map(x - 1.0, y)) * 0.5,
            down: (map(x, y + 1.0) - map(x, y - 1.0)) * 0.5,
            dark,
            light,
        };
        let (at, _) = search.find(map(x, y), 1.5 + width as f32 * 0.01)?;
        pairs.push(x, y, at, 1.0);
        let base = pairs.fit()?;
        self.lower_edge(&base, width, height, &mut pairs);
        Some(Mesh::flat(pairs.fit()?))
    }

    /// Follows the upper timing pattern. `None` if much of it is not there.
    fn upper_edge(&self, width: usize, pairs: &mut Pairs) -> Option<()> {
        let mut at = self.place(6.5, 0.5);
        let mut step = self.right;
        let (mut found, mut wanted) = (0, 0);
        for module in (8..width - 4).step_by(2) {
            let next = at + step * 2.0;
            if is_joined(module, width) {
                at = next;
                continue;
            }
            wanted += 1;
            if wanted > 6 && found * 2 < wanted {
                return None;
            }
            // Any texture has dark places now and then, but not at equal distances.
            let near = |place: Point| place.distance(next) < NEAR * step.length();
            let found_here = self.next_dark(at, step);
            let Some((place, dark)) = found_here.filter(|&(place, _)| near(place)) else {
                at = next;
                continue;
            };
            let place = place + self.down * self.inwards(place, self.down, dark);
            step = step * 0.7 + (place - at) * 0.15;
            at = place;
            found += 1;
            pairs.push(module as f32 + 0.5, 0.5, place, 1.0);
        }
        (found * 4 >= wanted * 3).then_some(())
    }

    /// Adds what of the lower timing pattern lies where `base` expects it.
    fn lower_edge(&self, base: &Homography, width: usize, height: usize, pairs: &mut Pairs) {
        let y = height as f32 - 0.5;
        let outwards = self.down * -1.0;
        for module in (8..width - 6).step_by(2) {
            if is_joined(module, width) {
                continue;
            }
            let x = module as f32 + 0.5;
            let map = |x: f32| base.map(x.into(), y.into());
            let (expected, step) = (map(x), (map(x + 1.0) - map(x - 1.0)) * 0.5);
            if let Some((place, dark)) = self.next_dark(expected - step * 2.0, step) {
                let place = place + outwards * self.inwards(place, outwards, dark);
                pairs.push(x, y, place, 0.5);
            }
        }
    }
}

/// Is this dark module of an edge part of an alignment pattern?
fn is_joined(module: usize, width: usize) -> bool {
    rmqr_alignment(width)
        .iter()
        .any(|&centre| module.abs_diff(centre.into()) == 1)
}
