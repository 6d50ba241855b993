//! A grid bent to fit its own modules, for labels on cloth, foil and bottles.
//!
//! Where a grid lies well, the middles of modules are as dark or as light as
//! they get; half a module off, they are borders and grey. So the grid gets a
//! lattice of nodes, and from the finder patterns outwards each node is moved to
//! where the modules around it differ most from the local threshold, starting
//! from where its neighbours went.

use super::mesh::NODES;
use super::{Grid, Samples};
use crate::geometry::Point;
use crate::optics::Sampler;
use crate::qr::budget::Budget;

/// Modules to each side of a node that are looked at.
const REACH: f32 = 4.0;
/// Modules between two nodes, about.
const SPACING: f32 = 5.0;
/// How far a node may lie from where its neighbours are, in steps of half a
/// reach; later rounds in finer steps.
const STEPS: [f32; 3] = [0.25, 0.2, 0.1];

/// What moving a node costs, in units of work.
const UNITS_PER_NODE: usize = 6000;

/// Bends `grid`; `samples` were taken with it and know the local thresholds. False,
/// and half done, if the budget was spent before the end.
pub fn refine(
    grid: &mut Grid,
    sampler: &Sampler<'_>,
    samples: &Samples,
    budget: &mut Budget,
) -> bool {
    let side = grid.side as f32;
    let count = (((side - 7.0) / SPACING).round() as usize + 1).clamp(4, NODES);
    let spacing = (side - 7.0) / (count - 1) as f32;
    grid.mesh
        .lay_nodes((0..count).map(|i| 3.5 + i as f32 * spacing));
    // From the three finder patterns outwards.
    let last = count - 1;
    let distance = |x: usize, y: usize| {
        let to = |cx: usize, cy: usize| x.abs_diff(cx).max(y.abs_diff(cy));
        to(0, 0).min(to(last, 0)).min(to(0, last))
    };
    let mut moved = [[None; NODES]; NODES];
    for ring in 0..count {
        for y in 0..count {
            for x in 0..count {
                if distance(x, y) != ring {
                    continue;
                }
                budget.spend(UNITS_PER_NODE);
                if budget.is_spent() {
                    return false;
                }
                let expected = mean_around(&moved, x, y);
                let by = best_move(grid, sampler, samples, (x, y), expected, STEPS[0], 2);
                moved[y][x] = Some(by);
            }
        }
    }
    apply(grid, count, &moved);
    for step in &STEPS[1..] {
        for (y, row) in moved[..count].iter_mut().enumerate() {
            budget.spend(count * UNITS_PER_NODE / 3);
            if budget.is_spent() {
                return false;
            }
            for (x, by) in row[..count].iter_mut().enumerate() {
                let here = (x, y);
                *by = Some(best_move(
                    grid,
                    sampler,
                    samples,
                    here,
                    Point::default(),
                    *step,
                    1,
                ));
            }
        }
        apply(grid, count, &moved);
    }
    true
}

/// Mean of the neighbours that were moved already.
fn mean_around(moved: &[[Option<Point>; NODES]; NODES], x: usize, y: usize) -> Point {
    let (mut sum, mut known) = (Point::default(), 0.0);
    for row in &moved[y.saturating_sub(1)..(y + 2).min(NODES)] {
        for by in row[x.saturating_sub(1)..(x + 2).min(NODES)]
            .iter()
            .flatten()
        {
            sum = sum + *by;
            known += 1.0;
        }
    }
    if known > 0.0 {
        sum * (1.0 / known)
    } else {
        sum
    }
}

/// The move of a node, in modules, after which the modules around it are most
/// distinct; of equals, the one nearest to `expected`.
fn best_move(
    grid: &Grid,
    sampler: &Sampler<'_>,
    samples: &Samples,
    (column, row): (usize, usize),
    expected: Point,
    step: f32,
    reach: i32,
) -> Point {
    let (x, y) = (grid.mesh.place(column), grid.mesh.place(row));
    let right = (grid.mesh.map(x + 1.0, y) - grid.mesh.map(x - 1.0, y)) * 0.5;
    let down = (grid.mesh.map(x, y + 1.0) - grid.mesh.map(x, y - 1.0)) * 0.5;
    let modules = |at: f32| {
        let from = (at - REACH).max(0.0) as usize;
        from..((at + REACH) as usize + 1).min(grid.side)
    };
    let mut best = (expected, f32::MIN);
    let mut scores = [[0.0f32; 5]; 5];
    for my in modules(y) {
        for mx in modules(x) {
            let at = grid.mesh.map(mx as f32 + 0.5, my as f32 + 0.5);
            let (middle, half) = samples.local(mx, my);
            for dy in -reach..=reach {
                for dx in -reach..=reach {
                    let (ox, oy) = (expected.x + dx as f32 * step, expected.y + dy as f32 * step);
                    let place = at + right * ox + down * oy;
                    let grey = sampler.at(place.x, place.y);
                    let grey = if grid.inverted { 255.0 - grey } else { grey };
                    scores[(dy + 2) as usize][(dx + 2) as usize] +=
                        ((grey - middle).abs() / half.max(4.0)).min(1.0);
                }
            }
        }
    }
    let count = (modules(x).len() * modules(y).len()) as f32;
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            let away = ((dx * dx + dy * dy) as f32) * step * step;
            let score = scores[(dy + 2) as usize][(dx + 2) as usize] / count - 0.15 * away;
            if score > best.1 {
                let by = Point::new(dx as f32 * step, dy as f32 * step);
                best = (expected + by, score);
            }
        }
    }
    best.0
}

/// Moves the nodes, each by the mean of its own move and its neighbours'.
fn apply(grid: &mut Grid, count: usize, moved: &[[Option<Point>; NODES]; NODES]) {
    let before = grid.mesh;
    for y in 0..count {
        for x in 0..count {
            let own = moved[y][x].unwrap_or_default();
            let by = (own + mean_around(moved, x, y)) * 0.5;
            let (px, py) = (before.place(x), before.place(y));
            let right = (before.map(px + 1.0, py) - before.map(px - 1.0, py)) * 0.5;
            let down = (before.map(px, py + 1.0) - before.map(px, py - 1.0)) * 0.5;
            let node = grid.mesh.node_mut(x, y);
            *node = *node + right * by.x + down * by.y;
        }
    }
}
