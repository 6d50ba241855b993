//! A flat grid moved as a whole to where it fits best, for symbols of which a
//! finder pattern is hidden.
//!
//! Two finder patterns leave four of the eight parameters of a homography open,
//! or nearly so: where the third pattern is, and where the fourth corner. Every
//! module that is seen helps to find them. Function patterns must have their
//! colours, and of all other modules the middles are as dark or as light as they
//! get where the grid is right.

use super::mesh::Mesh;
use super::{Grid, Samples};
use crate::geometry::{Homography, Point, Quad};
use crate::optics::Sampler;
use crate::qr::budget::Budget;
use crate::qr::decode::{Layout, ModuleKind, version_of};

/// Data modules that are looked at, about.
const MOST_DATA: usize = 400;
/// … and in the first, coarse round: of function modules every third.
const FEW_DATA: usize = 100;
const FEW_FUNCTIONS: usize = 3;
/// What a data module's distinctness counts beside a function module's colour.
const DATA_WEIGHT: f32 = 0.6;
/// Steps of the coarse round and the fine ones, in modules.
const COARSE: f32 = 0.6;
const STEPS: [f32; 3] = [0.4, 0.2, 0.1];
/// Least mean agreement after the coarse round that is worth going on.
const LEAST: f32 = 0.3;
/// Looking at a module, in units of work.
const UNITS_PER_PROBE: usize = 2;
/// What it costs to lie as far off as is allowed.
const TETHER: f32 = 0.05;

/// How far, in modules, the anchors of a grid may move: the finder patterns at
/// the corner, right, down, and the place across.
#[derive(Clone, Copy, Debug)]
pub struct Freedom(pub [f32; 4]);

/// Settles grids, in memory that it keeps.
#[derive(Debug, Default)]
pub struct Settler {
    probes: Vec<Probe>,
    few: Vec<Probe>,
}

/// A module that is looked at.
#[derive(Clone, Copy, Debug)]
struct Probe {
    x: f32,
    y: f32,
    /// 1: must be dark, -1: must be light, 0: either.
    sign: f32,
    middle: f32,
    scale: f32,
}

impl Settler {
    /// Moves `grid`; `samples` were taken with it and know the local thresholds.
    /// Gives the mean agreement of the function patterns, 1 at most; `None` where
    /// there is no symbol, or no time.
    pub fn settle(
        &mut self,
        grid: &mut Grid,
        sampler: &Sampler<'_>,
        samples: &Samples,
        freedom: &Freedom,
        budget: &mut Budget,
    ) -> Option<f32> {
        self.choose(grid, samples)?;
        let far = grid.side as f32 - 3.5;
        let places = [(3.5, 3.5), (far, 3.5), (far, far), (3.5, far)];
        let from = Quad(places.map(|(x, y)| Point::new(x, y)));
        let start = places.map(|(x, y)| grid.mesh.map(x, y));
        let right = (start[1] - start[0]) * (1.0 / (far - 3.5));
        let down = (start[3] - start[0]) * (1.0 / (far - 3.5));
        // Corner, right, across, down: as a quadrilateral goes round.
        let reach = [freedom.0[0], freedom.0[1], freedom.0[3], freedom.0[2]];
        let placed = |moves: &[Point; 4]| {
            Quad(std::array::from_fn(|i| {
                start[i] + right * moves[i].x + down * moves[i].y
            }))
        };
        let inverted = grid.inverted;
        let value = |probes: &[Probe], moves: &[Point; 4]| {
            let pull = |i: usize| moves[i].length() / reach[i].max(0.1);
            let tether = TETHER * (0..4).map(pull).sum::<f32>() / 4.0;
            Homography::between(&from, &placed(moves)).map_or(f32::MIN, |map| {
                agreement(probes, &map, sampler, inverted) - tether
            })
        };
        let mut moves = [Point::default(); 4];
        let mut best = value(&self.few, &moves);
        if let Some(hidden) = (0..4).find(|&i| i != 2 && reach[i] >= 1.0) {
            let steps = (reach[hidden] / COARSE) as i32;
            for dy in -steps..=steps {
                budget.spend(self.few.len() * UNITS_PER_PROBE * (2 * steps + 1) as usize);
                if budget.is_spent() {
                    return None;
                }
                for dx in -steps..=steps {
                    let by = Point::new(dx as f32 * COARSE, dy as f32 * COARSE);
                    let mut tried = [Point::default(); 4];
                    tried[hidden] = by;
                    // As in a parallelogram: the fourth goes along, or the other
                    // way if the two lie across.
                    tried[2] = if hidden == 0 { by * -1.0 } else { by };
                    let score = value(&self.few, &tried);
                    if score > best {
                        (best, moves) = (score, tried);
                    }
                }
            }
        }
        if best < LEAST {
            return None;
        }
        best = value(&self.probes, &moves);
        for step in STEPS {
            for _ in 0..2 {
                let mut better = false;
                for i in [2, 0, 1, 3] {
                    budget.spend(4 * self.probes.len() * UNITS_PER_PROBE);
                    if budget.is_spent() {
                        return None;
                    }
                    for (dx, dy) in [(step, 0.0), (-step, 0.0), (0.0, step), (0.0, -step)] {
                        let mut tried = moves;
                        tried[i] = tried[i] + Point::new(dx, dy);
                        if tried[i].length() > reach[i] {
                            continue;
                        }
                        let score = value(&self.probes, &tried);
                        if score > best {
                            (best, moves, better) = (score, tried, true);
                        }
                    }
                }
                if !better {
                    break;
                }
            }
        }
        let map = Homography::between(&from, &placed(&moves))?;
        grid.mesh = Mesh::flat(map);
        self.probes.retain(|probe| probe.sign != 0.0);
        Some(agreement(&self.probes, &map, sampler, inverted))
    }

    /// Chooses the modules to look at.
    fn choose(&mut self, grid: &Grid, samples: &Samples) -> Option<()> {
        let layout = Layout::of(version_of(grid.side)?)?;
        let side = grid.side;
        self.probes.clear();
        self.few.clear();
        let every = |most: usize| (side * side / most).max(1);
        for (index, kind) in layout.kinds().iter().enumerate() {
            let sign = match kind {
                ModuleKind::Dark => 1.0,
                ModuleKind::Light => -1.0,
                _ => 0.0,
            };
            let (x, y) = (index % side, index / side);
            let (many, few) = if sign == 0.0 {
                (every(MOST_DATA), every(FEW_DATA))
            } else {
                (1, FEW_FUNCTIONS)
            };
            let (middle, half) = samples.local(x, y);
            let probe = Probe {
                x: x as f32 + 0.5,
                y: y as f32 + 0.5,
                sign,
                middle,
                scale: 1.0 / half.max(4.0),
            };
            if index % many == 0 {
                self.probes.push(probe);
            }
            if index % few == 0 {
                self.few.push(probe);
            }
        }
        Some(())
    }
}

/// Mean agreement of function modules with their colours and distinctness of
/// the others.
fn agreement(probes: &[Probe], map: &Homography, sampler: &Sampler<'_>, inverted: bool) -> f32 {
    let m = map.0.map(|entry| entry as f32);
    let (mut sum, mut weights) = (0.0, 0.0);
    for probe in probes {
        let w = 1.0 / (m[6] * probe.x + m[7] * probe.y + m[8]);
        let x = (m[0] * probe.x + m[1] * probe.y + m[2]) * w;
        let y = (m[3] * probe.x + m[4] * probe.y + m[5]) * w;
        let grey = sampler.at(x, y);
        let grey = if inverted { 255.0 - grey } else { grey };
        let dark = ((probe.middle - grey) * probe.scale).clamp(-1.0, 1.0);
        if probe.sign == 0.0 {
            sum += DATA_WEIGHT * dark.abs();
            weights += DATA_WEIGHT;
        } else {
            sum += probe.sign * dark;
            weights += 1.0;
        }
    }
    sum / weights.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Luma;
    use crate::qr::Modules;

    /// Version 2 at 5 pixels a module, its right finder pattern painted over.
    #[test]
    fn a_grid_with_a_finder_pattern_supposed_two_modules_off_is_set_right() {
        let code = qrcode::QrCode::with_version(
            b"SETTLED",
            qrcode::Version::Normal(2),
            qrcode::EcLevel::M,
        )
        .expect("fits");
        let (side, module, quiet) = (25usize, 5usize, 4usize);
        let width = (side + 2 * quiet) * module;
        let mut pixels = vec![220u8; width * width];
        for (i, pixel) in pixels.iter_mut().enumerate() {
            let at = |pixel: usize| (pixel / module).wrapping_sub(quiet);
            let (x, y) = (at(i % width), at(i / width));
            if x < side && y < side {
                let dark = code[(x, y)] == qrcode::Color::Dark;
                let hidden = x >= side - 8 && y < 8;
                *pixel = if hidden || !dark { 220 } else { 30 };
            }
        }
        let luma = Luma::new(&pixels, width, width, width).expect("fits");
        let sampler = Sampler::new(luma, 0).expect("not empty");
        let place = |x: f32, y: f32| Point::new((x + quiet as f32) * 5.0, (y + quiet as f32) * 5.0);
        let far = side as f32 - 3.5;
        let places = [(3.5, 3.5), (far, 3.5), (far, far), (3.5, far)];
        let from = Quad(places.map(|(x, y)| Point::new(x, y)));
        let mut to = Quad(places.map(|(x, y)| place(x, y)));
        for at in [1, 2] {
            to.0[at] = to.0[at] + Point::new(9.0, -8.0);
        }
        let mesh = Mesh::flat(Homography::between(&from, &to).expect("regular"));
        let mut grid = Grid {
            side,
            mesh,
            inverted: false,
            module: 5.0,
            edge: 1.0,
            timing: 0.5,
        };
        let (mut samples, mut modules) = (Samples::default(), Modules::default());
        samples.take(&sampler, &grid);
        samples.confidences(4, &mut modules);
        let agreement = Settler::default()
            .settle(
                &mut grid,
                &sampler,
                &samples,
                &Freedom([0.5, 3.0, 0.5, 2.5]),
                &mut Budget::default(),
            )
            .expect("a symbol");
        assert!(agreement > 0.5, "{agreement}");
        // Nothing is seen at the corner that was painted over.
        let corners = [(0.0, 0.0), (25.0, 0.0), (25.0, 25.0), (0.0, 25.0)];
        for ((x, y), most) in corners.into_iter().zip([2.0, 5.0, 3.0, 2.0]) {
            let off = grid.mesh.map(x, y).distance(place(x, y));
            assert!(off < most, "({x}, {y}) is {off} pixels off");
        }
    }
}
