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
use crate::qr::decode::{Layout, ModuleKind, version_of};

/// Data modules that are looked at, about.
const MOST_DATA: usize = 500;
/// … and in the first, coarse round.
const FEW_DATA: usize = 150;
/// What a data module's distinctness counts beside a function module's colour.
const DATA_WEIGHT: f32 = 0.6;
/// Steps of the fine rounds, in modules.
const STEPS: [f32; 4] = [0.5, 0.25, 0.12, 0.06];
/// Costs of going a module away from where a pattern was seen, per module of the
/// symbol.
const TETHER: f32 = 0.05;

/// Which of the four anchors of a grid (finder patterns at the corner, right and
/// down, and the place across) may move how far, in modules.
#[derive(Clone, Copy, Debug)]
pub struct Freedom(pub [f32; 4]);

/// Moves `grid`; `samples` were taken with it and know the local thresholds.
/// Gives the mean agreement of the function patterns, 1 at most.
pub fn settle(
    grid: &mut Grid,
    sampler: &Sampler<'_>,
    samples: &Samples,
    freedom: &Freedom,
) -> Option<f32> {
    let layout = Layout::of(version_of(grid.side)?)?;
    let far = grid.side as f32 - 3.5;
    let places = [(3.5, 3.5), (far, 3.5), (far, far), (3.5, far)];
    let from = Quad(places.map(|(x, y)| Point::new(x, y)));
    let start = places.map(|(x, y)| grid.mesh.map(x, y));
    let right = (grid.mesh.map(far, 3.5) - start[0]) * (1.0 / (far - 3.5));
    let down = (grid.mesh.map(3.5, far) - start[0]) * (1.0 / (far - 3.5));
    // Corner, right, across, down: as a quadrilateral goes round.
    let reach = [freedom.0[0], freedom.0[1], freedom.0[3], freedom.0[2]];
    let job = Fit {
        layout,
        sampler,
        samples,
        inverted: grid.inverted,
        from,
    };
    let mut moves = [Point::default(); 4];
    let placed = |moves: &[Point; 4]| {
        Quad(std::array::from_fn(|i| {
            start[i] + right * moves[i].x + down * moves[i].y
        }))
    };
    let tether = |moves: &[Point; 4]| {
        let pull = |i: usize| moves[i].length() / reach[i].max(0.1);
        TETHER * (0..4).map(pull).sum::<f32>() / 4.0
    };
    // Coarse: the one that is farthest from known takes the fourth along.
    if let Some(hidden) = (0..4).find(|&i| i != 2 && reach[i] >= 1.0) {
        let steps = (reach[hidden] / 0.5) as i32;
        let mut best = (f32::MIN, moves);
        for dy in -steps..=steps {
            for dx in -steps..=steps {
                let by = Point::new(dx as f32 * 0.5, dy as f32 * 0.5);
                let mut tried = moves;
                tried[hidden] = by;
                // Of a parallelogram the fourth corner moves as any other but the
                // one across.
                tried[2] = if hidden == 0 { by * -1.0 } else { by };
                let score = job.score(&placed(&tried), FEW_DATA) - tether(&tried);
                if score > best.0 {
                    best = (score, tried);
                }
            }
        }
        moves = best.1;
    }
    let mut best = job.score(&placed(&moves), MOST_DATA) - tether(&moves);
    for step in STEPS {
        for _ in 0..2 {
            let mut better = false;
            for i in [2, 0, 1, 3] {
                for (dx, dy) in [(step, 0.0), (-step, 0.0), (0.0, step), (0.0, -step)] {
                    let mut tried = moves;
                    tried[i] = tried[i] + Point::new(dx, dy);
                    if tried[i].length() > reach[i] {
                        continue;
                    }
                    let score = job.score(&placed(&tried), MOST_DATA) - tether(&tried);
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
    let quad = placed(&moves);
    grid.mesh = Mesh::flat(Homography::between(&from, &quad)?);
    Some(job.functions(&grid.mesh))
}

struct Fit<'a> {
    layout: &'static Layout,
    sampler: &'a Sampler<'a>,
    samples: &'a Samples,
    inverted: bool,
    from: Quad,
}

impl Fit<'_> {
    /// How dark a module is, from -1 to 1.
    fn dark(&self, mesh: &Mesh, x: usize, y: usize) -> f32 {
        let at = mesh.map(x as f32 + 0.5, y as f32 + 0.5);
        let grey = self.sampler.at(at.x, at.y);
        let grey = if self.inverted { 255.0 - grey } else { grey };
        let (middle, half) = self.samples.local(x, y);
        ((middle - grey) / half.max(4.0)).clamp(-1.0, 1.0)
    }

    /// Agreement of function patterns and distinctness of about `most` data
    /// modules.
    fn score(&self, to: &Quad, most: usize) -> f32 {
        let Some(map) = Homography::between(&self.from, to) else {
            return f32::MIN;
        };
        let mesh = Mesh::flat(map);
        let side = self.layout.side();
        let every = (side * side / most).max(1);
        let (mut sum, mut weights) = (0.0, 0.0);
        for (index, kind) in self.layout.kinds().iter().enumerate() {
            let (x, y) = (index % side, index / side);
            match kind {
                ModuleKind::Dark => {
                    sum += self.dark(&mesh, x, y);
                    weights += 1.0;
                }
                ModuleKind::Light => {
                    sum -= self.dark(&mesh, x, y);
                    weights += 1.0;
                }
                _ if index % every == 0 => {
                    sum += DATA_WEIGHT * self.dark(&mesh, x, y).abs();
                    weights += DATA_WEIGHT;
                }
                _ => {}
            }
        }
        sum / weights
    }

    /// Mean agreement of the function patterns alone.
    fn functions(&self, mesh: &Mesh) -> f32 {
        let side = self.layout.side();
        let (mut sum, mut count) = (0.0, 0.0);
        for (index, kind) in self.layout.kinds().iter().enumerate() {
            let sign = match kind {
                ModuleKind::Dark => 1.0,
                ModuleKind::Light => -1.0,
                _ => continue,
            };
            sum += sign * self.dark(mesh, index % side, index / side);
            count += 1.0;
        }
        sum / count
    }
}
