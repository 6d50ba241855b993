//! A grid bent as a whole, for labels around bottles, tins and corners of boxes.
//!
//! Three finder patterns tell where a third of a bent label lies; towards the fourth
//! corner the error of a flat grid grows beyond a module, where modules look as
//! distinct as they do in their own places. So the grid is bent by a polynomial,
//! fitted first to the half of the symbol between the finder patterns, which tells
//! where the next modules are, then to more of it, then to all. Function patterns
//! pull towards their colours, other modules towards the colour that they seem to
//! have, along the slopes of their borders (Gauss–Newton).

use super::mesh::NODES;
use super::solve::solve;
use super::{Grid, Samples};
use crate::geometry::Point;
use crate::optics::Sampler;
use crate::qr::budget::Budget;
use crate::qr::decode::{Layout, ModuleKind, version_of};

/// Modules that are looked at, about.
const LOOKED_AT: usize = 700;
/// How far from the corner modules may lie, in the sum of both coordinates over the
/// side, and how many terms the polynomial has, stage by stage.
const STAGES: [(f32, usize); 5] = [(1.0, 6), (1.25, 6), (1.5, 10), (1.75, 10), (2.1, 10)];
/// Steps towards the best fit in each stage.
const STEPS: usize = 4;
/// Terms of a polynomial of third degree.
const TERMS: usize = 10;
const UNKNOWNS: usize = 2 * TERMS;
/// How far to each side of a module's middle slopes are taken, in modules.
const SLOPE: f32 = 0.3;
/// Most that a step may move a module, in modules.
const MOST_STEP: f32 = 0.6;
/// What a data module counts beside a function module.
const DATA_WEIGHT: f32 = 0.6;
/// How much terms are held back, by their degree, in modules looked at.
const HELD_BACK: [f32; 4] = [0.1, 0.1, 0.5, 3.0];
/// Modules between two looks at the clock.
const LOOKS: usize = 200;
/// Looking at a module, in units of work.
const UNITS_PER_PROBE: usize = 200;

/// Bends grids, in memory that it keeps.
#[derive(Debug, Default)]
pub struct Bender {
    probes: Vec<Probe>,
}

/// A module that is looked at.
#[derive(Clone, Copy, Debug)]
struct Probe {
    /// Its place, -1 to 1 each way.
    u: f32,
    v: f32,
    /// The same in the picture before bending, and the steps of a module there.
    at: Point,
    right: Point,
    down: Point,
    /// 1: must be dark, -1: must be light, 0: either.
    sign: f32,
    middle: f32,
    scale: f32,
}

/// The terms at a place; the first six are of second degree at most.
fn terms(u: f32, v: f32) -> [f32; TERMS] {
    let (uu, vv) = (u * u, v * v);
    [1.0, u, v, uu, u * v, vv, uu * u, uu * v, u * vv, vv * v]
}

/// The degree of each term.
const DEGREES: [usize; TERMS] = [0, 1, 1, 2, 2, 2, 3, 3, 3, 3];

impl Bender {
    /// Bends `grid`; `samples` were taken with it and know the local thresholds. False,
    /// with the grid as it was, where there is no fit or no time.
    pub fn bend(
        &mut self,
        grid: &mut Grid,
        sampler: &Sampler<'_>,
        samples: &Samples,
        budget: &mut Budget,
    ) -> bool {
        if self.choose(grid, samples, budget).is_none() {
            return false;
        }
        let mut shifts = [0.0f32; UNKNOWNS];
        for (reach, count) in STAGES {
            // From -1 and -1, the corner, to 1 and 1.
            let reach = 2.0 * reach - 2.0;
            for _ in 0..STEPS {
                budget.spend(UNITS_PER_PROBE * self.probes.len());
                if budget.is_spent() {
                    return false;
                }
                let near = self.probes.iter().filter(|probe| probe.u + probe.v < reach);
                let look = Look {
                    sampler,
                    inverted: grid.inverted,
                    budget,
                };
                let Some(most) = step(near, &look, count, &mut shifts) else {
                    return false;
                };
                if most < 0.03 {
                    break;
                }
            }
        }
        let side = grid.side as f32;
        let spacing = (side - 7.0) / (NODES - 1) as f32;
        let before = grid.mesh;
        grid.mesh
            .lay_nodes((0..NODES).map(|i| 3.5 + i as f32 * spacing));
        for row in 0..NODES {
            for column in 0..NODES {
                let (x, y) = (grid.mesh.place(column), grid.mesh.place(row));
                let right = (before.map(x + 1.0, y) - before.map(x - 1.0, y)) * 0.5;
                let down = (before.map(x, y + 1.0) - before.map(x, y - 1.0)) * 0.5;
                let by = shift(&shifts, &terms(2.0 * x / side - 1.0, 2.0 * y / side - 1.0));
                let node = grid.mesh.node_mut(column, row);
                *node = *node + right * by.x + down * by.y;
            }
        }
        true
    }

    /// Chooses the modules to look at; `None` where there is no time or no symbol.
    fn choose(&mut self, grid: &Grid, samples: &Samples, budget: &Budget) -> Option<()> {
        let layout = Layout::of(version_of(grid.side)?)?;
        let side = grid.side;
        let every = (side * side / LOOKED_AT).max(1);
        self.probes.clear();
        for (index, kind) in layout.kinds().iter().enumerate() {
            let sign = match kind {
                ModuleKind::Dark => 1.0,
                ModuleKind::Light => -1.0,
                _ => 0.0,
            };
            if sign == 0.0 && !index.is_multiple_of(every) {
                continue;
            }
            if self.probes.len().is_multiple_of(LOOKS) && budget.is_spent() {
                return None;
            }
            let (column, row) = (index % side, index / side);
            let (x, y) = (column as f32 + 0.5, row as f32 + 0.5);
            let map = |x: f32, y: f32| grid.mesh.map(x, y);
            let (middle, half) = samples.local(column, row);
            self.probes.push(Probe {
                u: 2.0 * x / side as f32 - 1.0,
                v: 2.0 * y / side as f32 - 1.0,
                at: map(x, y),
                right: map(x + 0.5, y) - map(x - 0.5, y),
                down: map(x, y + 0.5) - map(x, y - 0.5),
                sign,
                middle,
                scale: 1.0 / half.max(4.0),
            });
        }
        Some(())
    }
}

/// The shift of a place, in modules.
fn shift(shifts: &[f32; UNKNOWNS], terms: &[f32; TERMS]) -> Point {
    let sum = |of: &[f32]| of.iter().zip(terms).map(|(shift, term)| shift * term).sum();
    Point::new(sum(&shifts[..TERMS]), sum(&shifts[TERMS..]))
}

/// Where modules are looked at, and for how long.
struct Look<'a> {
    sampler: &'a Sampler<'a>,
    inverted: bool,
    budget: &'a Budget,
}

/// One step towards the best fit to `probes` by the first `count` terms. By how much
/// it moved any of them, in modules; `None` where there is no fit or no time.
fn step<'a>(
    probes: impl Iterator<Item = &'a Probe> + Clone,
    look: &Look<'_>,
    count: usize,
    shifts: &mut [f32; UNKNOWNS],
) -> Option<f32> {
    let mut squares = [[0.0f32; UNKNOWNS]; UNKNOWNS];
    let mut sums = [0.0f32; UNKNOWNS];
    for (nth, probe) in probes.clone().enumerate() {
        if nth.is_multiple_of(LOOKS) && look.budget.is_spent() {
            return None;
        }
        let terms = terms(probe.u, probe.v);
        let by = shift(shifts, &terms);
        let at = probe.at + probe.right * by.x + probe.down * by.y;
        let dark = |at: Point| {
            let grey = look.sampler.at(at.x, at.y);
            let grey = if look.inverted { 255.0 - grey } else { grey };
            ((probe.middle - grey) * probe.scale).clamp(-1.0, 1.0)
        };
        let here = dark(at);
        let slope = |way: Point| (dark(at + way * SLOPE) - dark(at - way * SLOPE)) / (2.0 * SLOPE);
        let (along, across) = (slope(probe.right), slope(probe.down));
        let (wanted, weight) = if probe.sign == 0.0 {
            (here.signum(), DATA_WEIGHT * here.abs())
        } else {
            (probe.sign, 1.0)
        };
        let mut row = [0.0f32; UNKNOWNS];
        for (i, term) in terms[..count].iter().enumerate() {
            row[i] = along * term;
            row[TERMS + i] = across * term;
        }
        for i in (0..count).chain(TERMS..TERMS + count) {
            let weighted = weight * row[i];
            sums[i] += weighted * (wanted - here);
            for (sum, value) in squares[i][..=i].iter_mut().zip(&row) {
                *sum += weighted * value;
            }
        }
    }
    for i in 0..UNKNOWNS {
        let held = HELD_BACK[DEGREES[i % TERMS]];
        squares[i][i] += held;
        sums[i] -= held * shifts[i];
        if i % TERMS >= count {
            sums[i] = 0.0;
        }
    }
    let steps = solve(squares, sums)?;
    let most = probes
        .map(|probe| shift(&steps, &terms(probe.u, probe.v)).length())
        .fold(0.0, f32::max);
    let scale = (MOST_STEP / most.max(1e-6)).min(1.0);
    for (shift, step) in shifts.iter_mut().zip(&steps) {
        *shift += scale * step;
    }
    most.is_finite().then_some(most)
}
