//! Whether a frame shows what it is said to show.

use crate::frame::Luma;
use crate::geometry::{Homography, Point};
use crate::optics::{Sampler, WHITE};
use crate::qr::Code;

/// Most samples along a side: a frame shows a code by a part of its modules.
const MOST_SIDE: f32 = 64.0;
/// Least steps that are compared.
const LEAST_STEPS: u32 = 24;

/// Correlation of a code that was read on a canvas with the same place of a frame, -1
/// to 1: of the steps from module to module, along rows and columns, so that shades and
/// veils count little. The canvas lies in `frame` at (`left`, `top`), px. `None` if
/// glare covers nearly all of the code on one of the two.
pub(super) fn likeness(
    canvas: Luma<'_>,
    frame: Luma<'_>,
    (left, top): (f32, f32),
    code: &Code,
) -> Option<f32> {
    let (ours, theirs) = (Sampler::new(canvas, 0)?, Sampler::new(frame, 0)?);
    let map = Homography::from_unit_square(&code.corners)?;
    let modules = code.corners.area().sqrt() / code.quality.module_px.max(0.5);
    let side = modules.clamp(8.0, MOST_SIDE) as usize;
    let sample = |column: usize, row: usize| {
        let share = |v: usize| (v as f64 + 0.5) / side as f64;
        let at = map.map(share(column), share(row));
        let there = at + Point::new(left, top);
        let (mine, other) = (ours.at(at.x, at.y), theirs.at(there.x, there.y));
        let white = f32::from(WHITE);
        let known = ours.near(at.x, at.y) < white && theirs.near(there.x, there.y) < white;
        known.then_some((mine, other))
    };
    let (mut product, mut mine, mut other, mut steps) = (0.0, 0.0, 0.0, 0);
    for row in 0..side {
        for column in 0..side {
            let Some(here) = sample(column, row) else {
                continue;
            };
            for next in [(column + 1, row), (column, row + 1)] {
                if next.0 < side
                    && next.1 < side
                    && let Some(there) = sample(next.0, next.1)
                {
                    let (a, b) = (there.0 - here.0, there.1 - here.1);
                    product += a * b;
                    mine += a * a;
                    other += b * b;
                    steps += 1;
                }
            }
        }
    }
    let power: f32 = mine * other;
    (steps >= LEAST_STEPS && power > 0.0).then(|| product / power.sqrt())
}
