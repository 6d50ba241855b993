//! Crosses: the column, the row and the diagonals through what a row scan takes
//! for the core of a finder pattern.
//!
//! Texture gives many candidates, so this goes from cheap to dear: runs counted
//! in bits, then how far light and dark lie apart in grey, then the diagonals.

use super::bits::{BitColumns, BitRows, Line, run_back, run_down, run_forth, run_up};
use super::runs::is_finder;
use crate::frame::Luma;
use crate::optics::Threshold;
use crate::qr::budget::Budget;

/// A level as bits, and the memory for them.
#[derive(Debug, Default)]
pub struct View {
    rows: BitRows,
    columns: BitColumns,
}

impl View {
    /// The rows of a level, and what crosses them. `None` if the time is over before
    /// they are there.
    pub fn build<'a>(
        &'a mut self,
        luma: Luma<'a>,
        threshold: &Threshold,
        budget: &Budget,
    ) -> Option<(&'a BitRows, Crossing<'a>)> {
        if !self.rows.build(luma, threshold, budget) {
            return None;
        }
        self.columns.start(&self.rows);
        let Self { rows, columns } = self;
        Some((
            rows,
            Crossing {
                luma,
                rows,
                columns,
            },
        ))
    }
}

/// A level whose candidates are crossed.
pub struct Crossing<'a> {
    luma: Luma<'a>,
    rows: &'a BitRows,
    columns: &'a mut BitColumns,
}

/// A line through the core of a finder pattern.
pub struct Cross {
    /// Sum of the five runs.
    pub length: i32,
    /// From where it was crossed to the middle of the core, in whole pixels …
    pub offset: i32,
    /// … and in halves.
    pub shift: f32,
    /// Core, light ring and dark ring after the pixel where it was crossed …
    forth: [i32; 3],
    /// … and before it.
    back: [i32; 3],
}

impl Crossing<'_> {
    /// The five runs up and down through (`x`, `y`), if they are those of a finder
    /// pattern about `length` pixels long.
    pub fn down(&mut self, (x, y): (i32, i32), length: i32, inverted: bool) -> Option<Cross> {
        if self.rows.dark(x, y)? == inverted {
            return None;
        }
        let reach = Cross::reach(length);
        let (x, y) = (x as usize, y as usize);
        let column = self.columns.column(self.rows, x, y, reach);
        Cross::through(&column, y, self.rows.height(), length, inverted)
    }

    /// The five runs left and right, likewise.
    pub fn along(&self, (x, y): (i32, i32), length: i32, inverted: bool) -> Option<Cross> {
        if self.rows.dark(x, y)? == inverted {
            return None;
        }
        let (x, y) = (x as usize, y as usize);
        Cross::through(&self.rows.row(y), x, self.rows.width(), length, inverted)
    }

    /// Do the runs of a cross part clearly: is the darkest light run lighter than the
    /// lightest dark one by at least `share` of the range of them all? Each run counts
    /// with its most extreme pixel. `share` is not negative.
    pub fn is_clear(
        &self,
        (x, y): (i32, i32),
        along: &Cross,
        down: &Cross,
        inverted: bool,
        share: f32,
    ) -> bool {
        let bytes = self.luma.bytes();
        let stride = self.luma.stride();
        let flip = if inverted { u8::MAX } else { 0 };
        let (mut lightest, mut least_light) = (0, u8::MAX);
        let (mut darkest, mut least_dark) = (u8::MAX, 0);
        let mut follow = |start: (i32, i32), step: isize, arm: &[i32; 3]| {
            let mut index = start.1 as usize * stride + start.0 as usize;
            for (ring, &run) in arm.iter().enumerate() {
                // The pixel where it was crossed belongs to the core of both arms.
                let run = if ring == 0 { run + 1 } else { run };
                let (mut low, mut high) = (u8::MAX, 0);
                for _ in 0..run {
                    let grey = bytes[index] ^ flip;
                    (low, high) = (low.min(grey), high.max(grey));
                    index = index.wrapping_add_signed(step);
                }
                if ring == 1 {
                    lightest = lightest.max(high);
                    least_light = least_light.min(high);
                } else {
                    darkest = darkest.min(low);
                    least_dark = least_dark.max(low);
                }
            }
            // With each arm the range grows and what parts them shrinks: what is not
            // clear now never will be.
            let range = f32::from(lightest) - f32::from(darkest);
            let parted = f32::from(least_light) - f32::from(least_dark);
            parted / range.max(1.0) >= share
        };
        let stride = stride as isize;
        follow((x, y), stride, &down.forth)
            && follow((x, y), -stride, &down.back)
            && follow((x, y + down.offset), 1, &along.forth)
            && follow((x, y + down.offset), -1, &along.back)
    }

    /// Are the rings about 3:5:7 along the four halves of the diagonals through (`x`,
    /// `y`): is the sum of the squares of what they are off, in modules, at most
    /// `most`, and do two show rings at least? `side` is the pattern's side in pixels.
    pub fn has_diagonals(&self, (x, y): (i32, i32), side: f32, inverted: bool, most: f32) -> bool {
        /// A step along a diagonal, in pixels.
        const STEP: f32 = std::f32::consts::SQRT_2;
        /// What rounding may add up to, in pixels.
        const ROUNDING: f32 = 1.0;
        let module = side / 7.0;
        let longest = (3.0 * module) as i32 + 4;
        let mut sum = 0.0;
        let mut rings = 0;
        for (done, (dx, dy)) in [(1, 1), (-1, 1), (-1, -1), (1, -1)].into_iter().enumerate() {
            let (mut x, mut y) = (x, y);
            let runs: [i32; 3] = std::array::from_fn(|ring| {
                let dark = inverted == (ring == 1);
                let mut run = 0;
                while run < longest && self.rows.dark(x, y) == Some(dark) {
                    (x, y, run) = (x + dx, y + dy, run + 1);
                }
                run
            });
            let core = (runs[0] as f32 - 0.5) * STEP;
            let inner = core + runs[1] as f32 * STEP;
            let one = (core + inner) / 4.0;
            let off = (core - 1.5 * one).abs() - ROUNDING;
            if runs.contains(&0)
                || off > 0.7 * one
                || core > 4.0 * module + ROUNDING
                || inner > 5.5 * module + ROUNDING
            {
                sum += 0.25;
            } else {
                rings += 1;
                let off = (2.0 * off + ROUNDING).max(0.0) / one;
                sum += (off * off).min(2.0);
            }
            if sum > most || rings + 3 < 2 + done {
                return false;
            }
        }
        true
    }
}

impl Cross {
    /// How long the core to one side and a ring may be at most: one may have
    /// melted into what is around.
    fn limits(length: i32) -> (usize, usize) {
        ((length * 3 / 4 + 2) as usize, (length * 2 / 5 + 2) as usize)
    }

    /// How far an arm of the cross reaches at most.
    fn reach(length: i32) -> usize {
        let (core, ring) = Self::limits(length);
        core + 2 * ring + 3
    }

    /// The runs of `line`, `end` long, to both sides of `at`, which is in the core.
    #[inline]
    fn through(
        line: &impl Line,
        at: usize,
        end: usize,
        length: i32,
        inverted: bool,
    ) -> Option<Self> {
        let limits = Self::limits(length);
        let (forth, back) = if Self::reach(length) < 64 {
            let (mut after, mut before) = (line.after(at + 1), line.before(at));
            let forth = arm(limits, end - at - 1, inverted, |_, dark, most| {
                let length = run_up(after, dark, most);
                after >>= length % 64;
                length
            })?;
            let back = arm(limits, at, inverted, |_, dark, most| {
                let length = run_down(before, dark, most);
                before <<= length % 64;
                length
            })?;
            (forth, back)
        } else {
            let forth = arm(limits, end - at - 1, inverted, |done, dark, most| {
                run_forth(line, at + 1 + done, dark, most)
            })?;
            let back = arm(limits, at, inverted, |done, dark, most| {
                run_back(line, at - done, dark, most)
            })?;
            (forth, back)
        };
        let runs = [back[2], back[1], forth[0] + back[0] + 1, forth[1], forth[2]];
        let sum: i32 = runs.iter().sum();
        // Seen at a slant, one side may be shorter by half and more.
        if sum > 3 * length + 3 || length > 3 * sum + 3 || !is_finder(runs, 12) {
            return None;
        }
        let shift = (forth[0] - back[0]) as f32 / 2.0;
        Some(Self {
            length: sum,
            offset: shift as i32,
            shift,
            forth,
            back,
        })
    }
}

/// Core, light ring and dark ring of an arm of a cross, with `room` pixels to the
/// rim of the picture. `run` gives how many pixels, at most so many, are of a
/// colour behind those that are done.
#[inline]
fn arm(
    (core, ring): (usize, usize),
    room: usize,
    inverted: bool,
    mut run: impl FnMut(usize, bool, usize) -> usize,
) -> Option<[i32; 3]> {
    let mut done = 0;
    let mut one = |limit: usize, dark: bool| {
        let length = run(done, dark, (limit + 1).min(room - done));
        done += length;
        (length <= limit).then_some((length as i32, done < room))
    };
    let (core, true) = one(core, !inverted)? else {
        return None;
    };
    let (light, true) = one(ring, inverted)? else {
        return None;
    };
    // The rim of the picture may cut the outer ring.
    let (dark, _) = one(ring, !inverted)?;
    Some([core, light, dark])
}
