//! From three finder patterns to the grid of a symbol.

use super::alignment::Search;
use super::bow::Bow;
use super::mesh::Mesh;
use crate::geometry::{Pair, Point, Quad, fit};
use crate::optics::Sampler;
use crate::qr::budget::Deadline;
use crate::qr::decode::alignment_centres;
use crate::qr::finder::{FinderPattern, Triple};

/// A symbol's grid in the picture.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// Modules a side: 21 to 177.
    pub side: usize,
    /// From modules to pixels of level 0.
    pub mesh: Mesh,
    /// Light on dark.
    pub inverted: bool,
    /// Mean side of a module in pixels.
    pub module: f32,
    /// Width of the finder patterns' edges from 25 % to 75 %, in pixels.
    pub edge: f32,
    /// How well the timing patterns alternate: 1 is perfect, 0 is chance.
    pub timing: f32,
}

impl Grid {
    /// The symbol's outer corners.
    pub fn corners(&self) -> Quad {
        let far = self.side as f32;
        Quad([
            self.mesh.map(0.0, 0.0),
            self.mesh.map(far, 0.0),
            self.mesh.map(far, far),
            self.mesh.map(0.0, far),
        ])
    }
}

/// Three finder patterns with the axes of the symbol they belong to.
pub struct Locator<'a> {
    sampler: Sampler<'a>,
    pub(super) patterns: [Oriented; 3],
    bow: Option<Bow>,
    inverted: bool,
    pub(super) dark: f32,
    pub(super) light: f32,
    pub(super) module: f32,
    pub(super) edge: f32,
}

/// A finder pattern whose `x` runs to the right of the symbol and `y` down.
#[derive(Clone, Copy)]
pub(super) struct Oriented {
    pub(super) centre: Point,
    pub(super) x: Point,
    pub(super) y: Point,
    pub(super) trusted: bool,
}

impl Oriented {
    fn new(finder: &FinderPattern, towards: Point, quarter: usize) -> Self {
        let local = finder.local(towards - finder.centre);
        let seen = if local.x.abs() >= local.y.abs() {
            if local.x > 0.0 { 0 } else { 2 }
        } else if local.y > 0.0 {
            1
        } else {
            3
        };
        let axes = [finder.u, finder.v, finder.u * -1.0, finder.v * -1.0];
        // `towards` lies `quarter` quarter turns clockwise of the symbol's right.
        let right = (seen + 4 - quarter) % 4;
        Self {
            centre: finder.centre,
            x: axes[right],
            y: axes[(right + 1) % 4],
            trusted: finder.squareness > 0.3,
        }
    }
}

impl<'a> Locator<'a> {
    /// `sampler` is of a level on which a module has a few pixels.
    pub fn new(sampler: Sampler<'a>, finders: &[FinderPattern], triple: &Triple) -> Self {
        let [corner, right, down] =
            [triple.corner, triple.right, triple.down].map(|i| &finders[usize::from(i)]);
        let mean = |of: fn(&FinderPattern) -> f32| (of(corner) + of(right) + of(down)) / 3.0;
        let patterns = [
            Oriented::new(corner, right.centre, 0),
            Oriented::new(right, corner.centre, 2),
            Oriented::new(down, corner.centre, 3),
        ];
        let [first, second, third] = &patterns;
        let bow = Bow::of(
            [(first.centre, first.x), (second.centre, second.x)],
            [(first.centre, first.y), (third.centre, third.y)],
        );
        Self {
            sampler,
            patterns,
            bow: bow.filter(|_| patterns.iter().all(|pattern| pattern.trusted)),
            inverted: corner.inverted,
            dark: mean(|f| f.dark),
            light: mean(|f| f.light),
            module: mean(|f| f.module),
            edge: mean(|f| f.edge),
        }
    }

    pub(super) fn value(&self, at: Point) -> f32 {
        let grey = self.sampler.at(at.x, at.y);
        if self.inverted { 255.0 - grey } else { grey }
    }

    fn pairs(&self, side: usize) -> Pairs {
        let far = side as f32 - 3.5;
        let mut pairs = Pairs::default();
        for (pattern, (x, y)) in self
            .patterns
            .iter()
            .zip([(3.5, 3.5), (far, 3.5), (3.5, far)])
        {
            pairs.push((Point::new(x, y), pattern.centre, 1.0));
            if !pattern.trusted {
                continue;
            }
            for (dx, dy) in [(-3.5, -3.5), (3.5, -3.5), (3.5, 3.5), (-3.5, 3.5)] {
                pairs.push((
                    Point::new(x + dx, y + dy),
                    pattern.centre + pattern.x * dx + pattern.y * dy,
                    0.1,
                ));
            }
        }
        pairs
    }

    /// The map that fits `pairs`, with the bows of its sides or without.
    fn fitted(
        &self,
        pairs: &mut Pairs,
        side: usize,
        bow: Option<&Bow>,
        flatness: f64,
    ) -> Option<Mesh> {
        if let Some(bow) = bow {
            bow.flatten(side, pairs.as_mut_slice());
        }
        let mut mesh = Mesh::flat(fit(pairs.as_slice(), flatness)?);
        if let Some(bow) = bow {
            bow.lay(side, &mut mesh);
        }
        Some(mesh)
    }

    /// The map from the finder patterns alone, and how well the timing patterns
    /// of a symbol of `side` modules alternate there. Where the sides may be bows,
    /// the better one of bent and flat.
    fn base(&self, side: usize) -> Option<(Mesh, f32, Option<&Bow>)> {
        let under = |bow: Option<&Bow>| {
            let mesh = self.fitted(&mut self.pairs(side), side, bow, 1e-4)?;
            Some((mesh, self.timing_of(&mesh, side)))
        };
        let flat = under(None).map(|(mesh, timing)| (mesh, timing, None));
        let Some(bow) = &self.bow else {
            return flat;
        };
        let bent = under(Some(bow)).map(|(mesh, timing)| (mesh, timing, Some(bow)));
        let timing = |found: &Option<(Mesh, f32, Option<&Bow>)>| found.map_or(f32::MIN, |f| f.1);
        if timing(&bent) > timing(&flat) {
            bent
        } else {
            flat
        }
    }

    /// How well the timing patterns of a symbol of `side` modules alternate.
    pub fn timing(&self, side: usize) -> f32 {
        self.base(side).map_or(0.0, |(_, timing, _)| timing)
    }

    /// The grid of a symbol of `side` modules; none if the time is over before it is laid.
    pub fn grid(&self, side: usize, deadline: Deadline) -> Option<Grid> {
        let (mut mesh, _, bow) = self.base(side)?;
        let searched = match bow {
            None => self.bow_by_timing(&mesh, side),
            Some(_) => None,
        };
        let bow = bow.or(searched.as_ref());
        if searched.is_some() {
            mesh = self.fitted(&mut self.pairs(side), side, bow, 1e-4)?;
        }
        let centres = alignment_centres(((side - 17) / 4) as u8);
        match centres.len() {
            0 => {}
            2 => mesh = self.with_one_pattern(mesh, side, bow)?,
            _ => mesh = self.with_all_patterns(mesh, side, centres, deadline)?,
        }
        self.grid_of(side, mesh)
    }

    /// The grid of `side` modules that `mesh` lays; `None` if it folds or blows up.
    pub(super) fn grid_of(&self, side: usize, mesh: Mesh) -> Option<Grid> {
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

    /// Versions 2 to 6: the alignment pattern gives the fourth corner.
    fn with_one_pattern(&self, mesh: Mesh, side: usize, bow: Option<&Bow>) -> Option<Mesh> {
        let place = side as f32 - 6.5;
        let radius = 2.5 + side as f32 * 0.06;
        let Some((at, score)) = self.find(&mesh, place, place, Point::default(), radius) else {
            return Some(mesh);
        };
        let mut pairs = self.pairs(side);
        for pair in pairs.as_mut_slice() {
            if pair.2 < 1.0 {
                pair.2 *= 0.1;
            }
        }
        pairs.push((Point::new(place, place), at, score));
        self.fitted(&mut pairs, side, bow, 1e-6)
    }

    /// Version 7 and up: from the corner outwards, each from its neighbours.
    fn with_all_patterns(
        &self,
        mesh: Mesh,
        side: usize,
        centres: &[u8],
        deadline: Deadline,
    ) -> Option<Mesh> {
        const MOST: usize = 7;
        let count = centres.len().min(MOST);
        let place = |i: usize| f32::from(centres[i]) + 0.5;
        let mut shifts = [[Point::default(); MOST]; MOST];
        let mut found = [[false; MOST]; MOST];
        let mut pairs = self.pairs(side);
        let is_finder = |x: usize, y: usize| {
            (x == 0 && (y == 0 || y == count - 1)) || (y == 0 && x == count - 1)
        };
        for diagonal in 1..2 * count - 1 {
            if deadline.is_over() {
                return None;
            }
            for y in diagonal.saturating_sub(count - 1)..=diagonal.min(count - 1) {
                let x = diagonal - y;
                if is_finder(x, y) {
                    continue;
                }
                let expected = match (x, y) {
                    (0, _) => shifts[y - 1][0],
                    (_, 0) => shifts[0][x - 1],
                    _ => shifts[y][x - 1] + shifts[y - 1][x] - shifts[y - 1][x - 1],
                };
                let radius = if x == 0 || y == 0 { 2.0 } else { 2.5 };
                shifts[y][x] = expected;
                if let Some((at, score)) = self.find(&mesh, place(x), place(y), expected, radius) {
                    shifts[y][x] = at - mesh.map(place(x), place(y));
                    found[y][x] = true;
                    pairs.push((Point::new(place(x), place(y)), at, score));
                }
            }
        }
        let before = mesh;
        for pair in pairs.as_mut_slice() {
            if pair.2 < 0.5 {
                pair.2 *= 0.1;
            }
        }
        let mut mesh = Mesh::flat(fit(pairs.as_slice(), 1e-6)?);
        let flat = mesh;
        mesh.lay_nodes((0..count).map(place));
        let far = side as f32 - 3.5;
        for y in 0..count {
            for x in 0..count {
                let (px, py) = (place(x), place(y));
                *mesh.node_mut(x, y) = if found[y][x] {
                    before.map(px, py) + shifts[y][x] - flat.map(px, py)
                } else if is_finder(x, y) {
                    let (index, fx, fy) = match (x, y) {
                        (0, 0) => (0, 3.5, 3.5),
                        (_, 0) => (1, far, 3.5),
                        _ => (2, 3.5, far),
                    };
                    self.patterns[index].centre - flat.map(fx, fy)
                } else {
                    Point::new(f32::NAN, f32::NAN)
                };
            }
        }
        fill_gaps(&mut mesh, count);
        Some(mesh)
    }

    /// The alignment pattern at module (`x`, `y`), where the map and `shift`
    /// expect it, at most `radius` modules off.
    pub(super) fn find(
        &self,
        mesh: &Mesh,
        x: f32,
        y: f32,
        shift: Point,
        radius: f32,
    ) -> Option<(Point, f32)> {
        let value = |at: Point| self.value(at);
        let at = mesh.map(x, y);
        let search = Search {
            value: &value,
            right: (mesh.map(x + 1.0, y) - mesh.map(x - 1.0, y)) * 0.5,
            down: (mesh.map(x, y + 1.0) - mesh.map(x, y - 1.0)) * 0.5,
            dark: self.dark,
            light: self.light,
        };
        search.find(at + shift, radius)
    }
}

/// Alignment patterns that were not found are put where their neighbours say.
fn fill_gaps(mesh: &mut Mesh, count: usize) {
    for _ in 0..2 * count {
        let before = *mesh;
        let mut before = before;
        let mut gaps = false;
        for y in 0..count {
            for x in 0..count {
                if !before.node_mut(x, y).x.is_nan() {
                    continue;
                }
                let (mut sum, mut known) = (Point::default(), 0.0);
                for (dx, dy) in [(-1i32, 0i32), (1, 0), (0, -1), (0, 1)] {
                    let (nx, ny) = (x as i32 + dx, y as i32 + dy);
                    let inside = |v: i32| (0..count as i32).contains(&v);
                    if inside(nx) && inside(ny) {
                        let shift = *before.node_mut(nx as usize, ny as usize);
                        if !shift.x.is_nan() {
                            sum = sum + shift;
                            known += 1.0;
                        }
                    }
                }
                if known > 0.0 {
                    *mesh.node_mut(x, y) = sum * (1.0 / known);
                } else {
                    gaps = true;
                }
            }
        }
        if !gaps {
            return;
        }
    }
}

/// Room for the pairs of a symbol: 15 of its finder patterns and 46 alignment
/// patterns at most.
struct Pairs {
    pairs: [Pair; 64],
    count: usize,
}

impl Default for Pairs {
    fn default() -> Self {
        Self {
            pairs: [(Point::default(), Point::default(), 0.0); 64],
            count: 0,
        }
    }
}

impl Pairs {
    fn push(&mut self, pair: Pair) {
        if let Some(slot) = self.pairs.get_mut(self.count) {
            *slot = pair;
            self.count += 1;
        }
    }

    fn as_slice(&self) -> &[Pair] {
        &self.pairs[..self.count]
    }

    fn as_mut_slice(&mut self) -> &mut [Pair] {
        &mut self.pairs[..self.count]
    }
}
