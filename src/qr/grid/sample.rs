//! Grey values of the modules of a grid, and confidences made of them.
//!
//! A module's value is the mean of several places around its middle. Whether it
//! is dark is judged against light and dark around it, counted in modules: since
//! data masking mixes the two everywhere, a few modules each way know both.

use super::Grid;
use super::veil::{SATURATED, Seen, Veil};
use crate::optics::Sampler;
use crate::qr::Modules;
use crate::qr::budget::Deadline;

/// Side of a tile of modules, of which light and dark are taken.
const TILE: usize = 4;
/// Side of a finder pattern in modules.
const FINDER: usize = 7;
/// After so many rows of modules the clock is looked at.
const ROWS_PER_LOOK: usize = 8;
/// Paper this light saturates by itself: then it is no glare.
const WHITE_PAPER: f32 = 236.0;

/// Under the rim of glare what is less light than this, from dark (-1) to light
/// (1), is dark: veiled.
const VEILED: f32 = 0.6;
/// How far from saturated modules others are judged by the fit of a highlight.
const VEIL: u8 = 3;
/// Confidence that a saturated module at the rim of glare is light, by how many
/// of the eight around it are deep in it (all around them saturated) and by how
/// many are dark all the same. From the frequencies in 200 pictures of codes
/// under a highlight with a soft rim that hides 10 and 20 % of them.
const RIM: [[i8; 5]; 4] = [
    [-32, -50, -64, -90, -127],
    [-8, -14, -24, -38, -56],
    [0, -5, -11, -22, -22],
    [0, 0, -5, -16, -16],
];

/// What sampling found out about a symbol.
#[derive(Clone, Copy, Debug, Default)]
pub struct Statistics {
    /// Light less dark, 0 to 1.
    pub contrast: f32,
    /// Share of modules that are erasures.
    pub erased: f32,
}

impl Statistics {
    /// Nothing was measured in time: no comparison with these holds, so that no want
    /// of contrast is told of.
    pub const UNKNOWN: Statistics = Statistics {
        contrast: f32::NAN,
        erased: 0.0,
    };
}

/// Grey values of one grid, and the memory they need.
#[derive(Debug, Default)]
pub struct Samples {
    side: usize,
    grey: Vec<f32>,
    tiles: Vec<Tile>,
    smooth: Vec<Tile>,
    seen: Vec<Seen>,
    inverted: bool,
    deadline: Deadline,
}

/// Light and dark of some modules.
#[derive(Clone, Copy, Debug, Default)]
struct Tile {
    middle: f32,
    half: f32,
}

/// A darkness from -1 to 1 as a confidence that is never quite 0: that would be
/// an erasure.
fn never_nothing(dark: f32) -> i8 {
    match (dark * 127.0).clamp(-127.0, 127.0) as i8 {
        0 if dark > 0.0 => 1,
        0 => -1,
        soft => soft,
    }
}

/// The modules at most `reach` away along both axes, without the one in the middle.
fn around(side: usize, x: usize, y: usize, reach: usize) -> impl Iterator<Item = (usize, usize)> {
    let range = move |at: usize| at.saturating_sub(reach)..(at + reach + 1).min(side);
    range(y)
        .flat_map(move |ny| range(x).map(move |nx| (nx, ny)))
        .filter(move |&at| at != (x, y))
}

/// Places in a module, from its middle, whose mean is its grey value …
const AROUND: [(f32, f32); 5] = [
    (0.0, 0.0),
    (-0.2, -0.2),
    (0.2, -0.2),
    (0.2, 0.2),
    (-0.2, 0.2),
];
/// … and where a module is a dot on something else.
const MIDDLE: [(f32, f32); 1] = [(0.0, 0.0)];

impl Samples {
    /// From now on the time is over at `deadline`. What is taken after that has no
    /// meaning.
    pub fn end_at(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }

    /// Takes the grey values of `grid`.
    pub fn take(&mut self, sampler: &Sampler<'_>, grid: &Grid) {
        self.take_at(sampler, grid, &AROUND);
    }

    /// Takes the grey values of `grid` at the middle of each module only.
    pub fn take_middles(&mut self, sampler: &Sampler<'_>, grid: &Grid) {
        self.take_at(sampler, grid, &MIDDLE);
    }

    /// The same as the mean of some places in each module.
    fn take_at(&mut self, sampler: &Sampler<'_>, grid: &Grid, places: &[(f32, f32)]) {
        self.side = grid.side;
        self.inverted = grid.inverted;
        self.grey.clear();
        self.seen.clear();
        self.seen.reserve(grid.side * grid.side);
        for y in 0..grid.side {
            if y.is_multiple_of(ROWS_PER_LOOK) && self.deadline.is_over() {
                break;
            }
            let my = y as f32 + 0.5;
            let middle = grid.side as f32 / 2.0;
            let down = grid.mesh.map(middle, my + 0.5) - grid.mesh.map(middle, my - 0.5);
            let mut at = grid.mesh.map(0.5, my);
            for x in 0..grid.side {
                let next = grid.mesh.map(x as f32 + 1.5, my);
                let right = next - at;
                let mut sum = 0.0;
                for &(dx, dy) in places {
                    let place = at + right * dx + down * dy;
                    sum += sampler.at(place.x, place.y);
                }
                let grey = sum / places.len() as f32;
                self.grey
                    .push(if grid.inverted { 255.0 - grey } else { grey });
                at = next;
            }
        }
        // Whoever asked finds that the time is over.
        self.grey.resize(grid.side * grid.side, 0.0);
    }

    /// The grey values taken, row by row, dark modules low.
    pub fn grey(&self) -> &[f32] {
        &self.grey
    }

    /// Threshold and half the contrast around the module in column `x`, row `y`,
    /// once there are confidences.
    pub fn local(&self, x: usize, y: usize) -> (f32, f32) {
        let tile = self.smooth[(y / TILE) * self.side.div_ceil(TILE) + x / TILE];
        (tile.middle, tile.half)
    }

    /// Does saturation tell of glare here? Not where the paper saturates by itself.
    pub fn glare_shows(&self) -> bool {
        let tiles = self.smooth.len().max(1) as f32;
        let light = self.smooth.iter().map(|tile| tile.middle + tile.half);
        !self.inverted
            && light.sum::<f32>() / tiles < WHITE_PAPER
            && self.grey.iter().any(|&grey| grey >= SATURATED)
    }

    /// Makes confidences of the values, by light and dark of `radius` tiles around.
    pub fn confidences(&mut self, radius: usize, modules: &mut Modules) -> Statistics {
        let side = self.side;
        modules.reset(side);
        let count = side.div_ceil(TILE);
        self.extremes(count);
        self.spread(count, radius);
        for y in 0..side {
            for x in 0..side {
                let grey = self.grey[y * side + x];
                let tile = self.smooth[(y / TILE) * count + x / TILE];
                let dark = (tile.middle - grey) / tile.half.max(1.0);
                modules.set(x, y, never_nothing(dark));
            }
        }
        let tiles = self.smooth.len().max(1) as f32;
        let contrast = self.smooth.iter().map(|tile| 2.0 * tile.half).sum::<f32>();
        Statistics {
            contrast: contrast / tiles / 255.0,
            erased: 0.0,
        }
    }

    /// The same by light and dark of the finder patterns alone, for symbols in which
    /// something is darker than the modules that carry the data, or lighter.
    pub fn confidences_by_finders(&mut self, modules: &mut Modules) -> Statistics {
        let side = self.side;
        modules.reset(side);
        let far = side - FINDER;
        let [corner, right, down] =
            [(0, 0), (far, 0), (0, far)].map(|(left, top)| self.finder_levels(left, top));
        for y in 0..side {
            let v = (y as f32 - 3.0) / far as f32;
            for x in 0..side {
                let u = (x as f32 - 3.0) / far as f32;
                let level = |of: fn(&Tile) -> f32| {
                    of(&corner) + (of(&right) - of(&corner)) * u + (of(&down) - of(&corner)) * v
                };
                let dark = (level(|tile| tile.middle) - self.grey[y * side + x])
                    / level(|tile| tile.half).max(1.0);
                modules.set(x, y, never_nothing(dark));
            }
        }
        Statistics {
            contrast: 2.0 * (corner.half + right.half + down.half) / 3.0 / 255.0,
            erased: 0.0,
        }
    }

    /// Light and dark of the finder pattern whose first module is in column `left`,
    /// row `top`.
    fn finder_levels(&self, left: usize, top: usize) -> Tile {
        let (mut dark, mut darks, mut light, mut lights) = (0.0, 0.0, 0.0, 0.0);
        for y in 0..FINDER {
            for x in 0..FINDER {
                let grey = self.grey[(top + y) * self.side + left + x];
                let ring = x.abs_diff(3).max(y.abs_diff(3));
                if ring == 2 {
                    (light, lights) = (light + grey, lights + 1.0);
                } else {
                    (dark, darks) = (dark + grey, darks + 1.0);
                }
            }
        }
        let (dark, light) = (dark / darks, light / lights);
        Tile {
            middle: (light + dark) / 2.0,
            half: (light - dark) / 2.0,
        }
    }

    /// Marks what glare hides, and judges what it only veils: its soft rim lifts
    /// dark modules far above the threshold, but not above light ones. To be
    /// called after [`Samples::confidences`] with a wide radius, which knows light
    /// and dark beside the glare. Gives the share of modules that are erasures.
    pub fn unveil(&self, modules: &mut Modules) -> f32 {
        let side = self.side;
        let count = side.div_ceil(TILE);
        let saturated = |x: usize, y: usize| self.grey[y * side + x] >= SATURATED;
        let mut erased = 0;
        for y in 0..side {
            for x in 0..side {
                let tile = self.smooth[(y / TILE) * count + x / TILE];
                let veiled = tile.middle + VEILED * tile.half;
                let near = |reach: usize| around(side, x, y, reach);
                if !saturated(x, y) {
                    if near(2).any(|(x, y)| saturated(x, y)) {
                        let scale = (1.0 - VEILED) * tile.half.max(1.0);
                        let dark = (veiled - self.grey[y * side + x]) / scale;
                        modules.set(x, y, never_nothing(dark));
                    }
                    continue;
                }
                let deep = |x: usize, y: usize| around(side, x, y, 1).all(|(x, y)| saturated(x, y));
                let deeps = near(1).filter(|&(x, y)| deep(x, y)).count();
                let darks = near(1).filter(|&(x, y)| self.grey[y * side + x] < veiled);
                let confidence = if deep(x, y) {
                    0
                } else {
                    RIM[deeps.min(3)][darks.count().min(4)]
                };
                erased += usize::from(confidence == 0);
                modules.set(x, y, confidence);
            }
        }
        erased as f32 / (side * side).max(1) as f32
    }

    /// The same where a single smooth highlight explains what is seen: what it adds
    /// to each module tells dark from light where both are lifted. `None` if it does
    /// not.
    pub fn lift_veil(&mut self, modules: &mut Modules) -> Option<f32> {
        let side = self.side;
        if !self.look_for_glare() {
            return None;
        }
        let veil = Veil::fit(side, &self.seen, self.deadline)?;
        let mut erased = 0;
        for (index, seen) in self.seen.iter().enumerate() {
            if seen.away > VEIL {
                continue;
            }
            let (x, y) = (index % side, index / side);
            let confidence = veil.dark(x, y, seen);
            erased += usize::from(confidence == 0);
            modules.set(x, y, confidence);
        }
        Some(erased as f32 / (side * side).max(1) as f32)
    }

    /// Notes of each module what the fit of a highlight asks for; `false`, and not of
    /// all, if the time is over before that is done.
    fn look_for_glare(&mut self) -> bool {
        let side = self.side;
        let count = side.div_ceil(TILE);
        self.seen.clear();
        for (index, &grey) in self.grey.iter().enumerate() {
            let (x, y) = (index % side, index / side);
            if x == 0 && y.is_multiple_of(ROWS_PER_LOOK) && self.deadline.is_over() {
                return false;
            }
            let tile = self.smooth[(y / TILE) * count + x / TILE];
            let before = [
                (x > 0 && y > 0).then(|| index - side - 1),
                (y > 0).then(|| index - side),
                (x + 1 < side && y > 0).then(|| index - side + 1),
                (x > 0).then(|| index - 1),
            ];
            let nearest = before.into_iter().flatten().map(|at| self.seen[at].away);
            let away = match grey >= SATURATED {
                true => 0,
                false => nearest.min().unwrap_or(u8::MAX).saturating_add(1),
            };
            let deep = around(side, x, y, 1).all(|(x, y)| self.grey[y * side + x] >= SATURATED);
            self.seen.push(Seen {
                grey,
                dark: tile.middle - tile.half,
                light: tile.middle + tile.half,
                away,
                deep,
            });
        }
        for index in (0..self.seen.len()).rev() {
            let (x, y) = (index % side, index / side);
            let (right, below) = (x + 1 < side, y + 1 < side);
            let after = [
                (right && below).then(|| index + side + 1),
                below.then(|| index + side),
                (x > 0 && below).then(|| index + side - 1),
                right.then(|| index + 1),
            ];
            let nearest = after.into_iter().flatten().map(|at| self.seen[at].away);
            let nearest = nearest.min().unwrap_or(u8::MAX).saturating_add(1);
            self.seen[index].away = self.seen[index].away.min(nearest);
        }
        true
    }

    /// Of each tile, the means of what is lighter and what is darker than its mean.
    fn extremes(&mut self, count: usize) {
        let side = self.side;
        self.tiles.clear();
        for row in 0..count {
            for column in 0..count {
                let grey = &self.grey;
                let values = || {
                    let rows = row * TILE..((row + 1) * TILE).min(side);
                    rows.flat_map(move |y| {
                        let from = y * side + column * TILE;
                        let to = (y * side + side).min(from + TILE);
                        &grey[from..to]
                    })
                };
                let mean = values().sum::<f32>() / values().count().max(1) as f32;
                let (mut low, mut lows, mut high, mut highs) = (0.0, 0.0, 0.0, 0.0);
                for &value in values() {
                    if value < mean {
                        low += value;
                        lows += 1.0;
                    } else {
                        high += value;
                        highs += 1.0;
                    }
                }
                self.tiles.push(if lows == 0.0 || highs == 0.0 {
                    Tile {
                        middle: mean,
                        half: 0.0,
                    }
                } else {
                    let (low, high) = (low / lows, high / highs);
                    Tile {
                        middle: (low + high) / 2.0,
                        half: (high - low) / 2.0,
                    }
                });
            }
        }
    }

    /// Mean over the tiles around, weighted by their contrast.
    fn spread(&mut self, count: usize, radius: usize) {
        self.smooth.clear();
        for row in 0..count {
            for column in 0..count {
                let (mut weight, mut middle, mut half) = (1e-3, 0.0, 0.0);
                for y in row.saturating_sub(radius)..(row + radius + 1).min(count) {
                    for x in column.saturating_sub(radius)..(column + radius + 1).min(count) {
                        let tile = self.tiles[y * count + x];
                        weight += tile.half;
                        middle += tile.half * tile.middle;
                        half += tile.half * tile.half;
                    }
                }
                self.smooth.push(Tile {
                    middle: middle / weight,
                    half: half / weight,
                });
            }
        }
    }
}
