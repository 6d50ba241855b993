//! Modules told apart where light of each falls on its neighbours: modules little
//! larger than a pixel, and those a little out of focus or moved by about one of
//! them.
//!
//! A module's value is then a sum over itself and the modules around it, with the
//! same weights everywhere. The weights are fitted to what the modules seem to be;
//! with these the modules are found again, all together, as those between light and
//! dark that explain the values best. Few rounds of both settle it: modules are
//! either light or dark, which is what makes it possible at all.

use super::Samples;
use super::solve::solve;
use crate::qr::Modules;
use crate::qr::budget::Budget;
use crate::qr::decode::{Layout, ModuleKind};

/// Modules each way whose light counts.
const REACH: usize = 2;
/// Modules whose light counts.
const TAPS: usize = (2 * REACH + 1) * (2 * REACH + 1);
/// Unknowns of a fit: a weight for each, and what is there without any.
const UNKNOWNS: usize = TAPS + 1;
/// Modules to which the weights are fitted, about.
const FITTED: usize = 2000;
/// Rounds of fitting and finding …
const ROUNDS: usize = 4;
/// … and passes over all modules in each.
const PASSES: usize = 6;
/// How much weights are held back, in modules.
const RIDGE: f32 = 4.0;
/// What a module costs in a fit, and each time it is found again, in units of work.
const UNITS_PER_FIT: usize = 100;
const UNITS_PER_LOOK: usize = 12;
/// Rows between two looks at the clock …
const ROWS: usize = 8;
/// … and modules of a fit.
const FITS: usize = 200;

/// What untangling a symbol of `side` modules costs, in units of work.
pub fn untangling(side: usize) -> usize {
    let modules = side * side;
    ROUNDS * (UNITS_PER_FIT * modules.min(FITTED) + PASSES * UNITS_PER_LOOK * modules)
}

/// Finds modules, in memory that it keeps.
#[derive(Debug, Default)]
pub struct Equaliser {
    /// What was seen of each module: 1 as dark as dark ones are, -1 as light.
    seen: Vec<f32>,
    /// What each module is, with [`REACH`] light ones around all.
    is: Vec<f32>,
    /// What of the values is not explained, in the same way.
    rest: Vec<f32>,
    /// Which modules are known.
    fixed: Vec<bool>,
}

impl Equaliser {
    /// Makes confidences of the values in `samples`, whose thresholds are known.
    /// False where there is no such symbol, no such weights or no time.
    pub fn untangle(
        &mut self,
        samples: &Samples,
        modules: &mut Modules,
        budget: &mut Budget,
    ) -> bool {
        let side = modules.side();
        let Some(layout) = Layout::of_side(side) else {
            return false;
        };
        let stride = side + 2 * REACH;
        let place = |x: usize, y: usize| (y + REACH) * stride + x + REACH;
        self.seen.clear();
        self.fixed.clear();
        self.is.clear();
        self.is.resize(stride * stride, -1.0);
        for (at, kind) in layout.kinds().iter().enumerate() {
            let (x, y) = (at % side, at / side);
            if at.is_multiple_of(ROWS * side) && budget.is_spent() {
                return false;
            }
            let (middle, half) = samples.local(x, y);
            let seen = ((middle - samples.grey()[at]) / half.max(1.0)).clamp(-3.0, 3.0);
            let known = match kind {
                ModuleKind::Dark => Some(1.0),
                ModuleKind::Light => Some(-1.0),
                _ => None,
            };
            self.seen.push(seen);
            self.fixed.push(known.is_some());
            self.is[place(x, y)] = known.unwrap_or(if seen > 0.0 { 1.0 } else { -1.0 });
        }
        let mut taps = [0.0; TAPS];
        for _ in 0..ROUNDS {
            let Some(weights) = self.fit(side, budget) else {
                return false;
            };
            taps.copy_from_slice(&weights[..TAPS]);
            self.explain(side, &weights);
            budget.spend(UNITS_PER_FIT * self.seen.len().min(FITTED));
            for _ in 0..PASSES {
                for y in 0..side {
                    self.row(y, &taps);
                    budget.spend(UNITS_PER_LOOK * side);
                    if y.is_multiple_of(ROWS) && budget.is_spent() {
                        return false;
                    }
                }
            }
        }
        let power = taps.iter().map(|tap| tap * tap).sum::<f32>();
        for y in 0..side {
            for x in 0..side {
                let at = place(x, y);
                let dark = self.is[at] + self.told(&taps, at, stride) / power;
                let soft = (dark * 127.0).clamp(-127.0, 127.0) as i8;
                let soft = if soft == 0 {
                    if dark > 0.0 { 1 } else { -1 }
                } else {
                    soft
                };
                modules.set(x, y, soft);
            }
        }
        true
    }

    /// The weights that explain the values best by what the modules are now; `None`
    /// where there are none or no time.
    fn fit(&self, side: usize, budget: &Budget) -> Option<[f32; UNKNOWNS]> {
        let stride = side + 2 * REACH;
        let mut squares = [[0.0f32; UNKNOWNS]; UNKNOWNS];
        let mut sums = [0.0f32; UNKNOWNS];
        let every = (side * side / FITTED).max(1);
        let fitted = self.seen.iter().enumerate().step_by(every);
        for (count, (at, &seen)) in fitted.enumerate() {
            let (x, y) = (at % side, at / side);
            if count.is_multiple_of(FITS) && budget.is_spent() {
                return None;
            }
            let mut row = [1.0f32; UNKNOWNS];
            for (dy, part) in row[..TAPS].chunks_exact_mut(2 * REACH + 1).enumerate() {
                let from = (y + dy) * stride + x;
                part.copy_from_slice(&self.is[from..][..2 * REACH + 1]);
            }
            for (i, &value) in row.iter().enumerate() {
                sums[i] += value * seen;
                for (sum, &other) in squares[i][..=i].iter_mut().zip(&row) {
                    *sum += value * other;
                }
            }
        }
        for (i, row) in squares.iter_mut().enumerate() {
            row[i] += RIDGE;
        }
        solve(squares, sums)
    }

    /// What the modules leave unexplained.
    fn explain(&mut self, side: usize, weights: &[f32; UNKNOWNS]) {
        let stride = side + 2 * REACH;
        self.rest.clear();
        self.rest.resize(stride * stride, 0.0);
        for y in 0..side {
            for x in 0..side {
                let mut sum = weights[TAPS];
                for (dy, part) in weights[..TAPS].chunks_exact(2 * REACH + 1).enumerate() {
                    let from = (y + dy) * stride + x;
                    let is = &self.is[from..][..2 * REACH + 1];
                    sum += part.iter().zip(is).map(|(tap, is)| tap * is).sum::<f32>();
                }
                self.rest[(y + REACH) * stride + x + REACH] = self.seen[y * side + x] - sum;
            }
        }
    }

    /// By how much of `power` what is unexplained would have the module at `at` darker.
    fn told(&self, taps: &[f32; TAPS], at: usize, stride: usize) -> f32 {
        // A module falls on its neighbours where they find it: turned round.
        let mut sum = 0.0;
        for (dy, part) in taps.chunks_exact(2 * REACH + 1).enumerate() {
            let from = at + REACH * stride - dy * stride - REACH;
            let rest = &self.rest[from..][..2 * REACH + 1];
            let turned = part.iter().rev().zip(rest);
            sum += turned.map(|(tap, rest)| tap * rest).sum::<f32>();
        }
        sum
    }

    /// Makes each module of row `y`, one after the other, what explains the values
    /// best, between light and dark.
    fn row(&mut self, y: usize, taps: &[f32; TAPS]) {
        let stride = self.is.len().isqrt();
        let side = stride - 2 * REACH;
        let power = taps.iter().map(|tap| tap * tap).sum::<f32>().max(1e-6);
        for x in 0..side {
            if self.fixed[y * side + x] {
                continue;
            }
            let at = (y + REACH) * stride + x + REACH;
            let is = self.is[at];
            let better = (is + self.told(taps, at, stride) / power).clamp(-1.0, 1.0);
            let by = better - is;
            if by.abs() < 1e-3 {
                continue;
            }
            self.is[at] = better;
            for (dy, part) in taps.chunks_exact(2 * REACH + 1).enumerate() {
                let from = at + REACH * stride - dy * stride - REACH;
                let rest = &mut self.rest[from..][..2 * REACH + 1];
                for (rest, tap) in rest.iter_mut().zip(part.iter().rev()) {
                    *rest -= tap * by;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Grid, Mesh};
    use super::*;
    use crate::frame::Luma;
    use crate::geometry::Homography;
    use crate::optics::Sampler;

    const SIDE: usize = 25;
    const QUIET: usize = 4;

    fn code() -> qrcode::QrCode {
        qrcode::QrCode::with_version(
            b"MODULE BY MODULE",
            qrcode::Version::Normal(2),
            qrcode::EcLevel::M,
        )
        .expect("fits")
    }

    /// Modules that are wrong, by their values alone and untangled, where a module's
    /// light falls on those `at` so far away with weight `of`.
    fn wrong(code: &qrcode::QrCode, falls: &[(i32, i32, f32)]) -> [usize; 2] {
        let width = SIDE + 2 * QUIET;
        let dark = |x: i32, y: i32| {
            let inside = |v: i32| (QUIET as i32..(QUIET + SIDE) as i32).contains(&v);
            let place = |v: i32| v as usize - QUIET;
            inside(x) && inside(y) && code[(place(x), place(y))] == qrcode::Color::Dark
        };
        let all: f32 = falls.iter().map(|fall| fall.2).sum();
        let mut random = fastrand::Rng::with_seed(1);
        let pixels: Vec<u8> = (0..width * width)
            .map(|i| {
                let (x, y) = ((i % width) as i32, (i / width) as i32);
                let darks = falls.iter().filter(|fall| dark(x - fall.0, y - fall.1));
                let share = darks.map(|fall| fall.2).sum::<f32>() / all;
                (210.0 - 150.0 * share + 4.0 * random.f32()) as u8
            })
            .collect();
        let luma = Luma::new(&pixels, width, width, width).expect("fits");
        let sampler = Sampler::new(luma, 0).expect("not empty");
        let quiet = QUIET as f64;
        let map = Homography([1.0, 0.0, quiet, 0.0, 1.0, quiet, 0.0, 0.0, 1.0]);
        let grid = Grid {
            side: SIDE,
            mesh: Mesh::flat(map),
            inverted: false,
            module: 1.0,
            edge: 1.0,
            timing: 1.0,
        };
        let (mut samples, mut modules) = (Samples::default(), Modules::default());
        samples.take(&sampler, &grid);
        samples.confidences(4, &mut modules);
        let count = |modules: &Modules| {
            let places = (0..SIDE * SIDE).map(|at| (at % SIDE, at / SIDE));
            let wrong = |&(x, y): &(usize, usize)| {
                modules.dark(x, y) != (code[(x, y)] == qrcode::Color::Dark)
            };
            places.filter(wrong).count()
        };
        let before = count(&modules);
        assert!(Equaliser::default().untangle(&samples, &mut modules, &mut Budget::default()));
        [before, count(&modules)]
    }

    #[test]
    fn light_that_falls_on_neighbours_is_told_apart() {
        let code = code();
        let gaussian: Vec<(i32, i32, f32)> = (-2i32..=2)
            .flat_map(|y| (-2i32..=2).map(move |x| (x, y, (-1.05 * (x * x + y * y) as f32).exp())))
            .collect();
        let [before, after] = wrong(&code, &gaussian);
        assert!(before > 20 && after == 0, "focus: {before}, {after}");
        let moved = [(-1, 0, 0.7), (0, 0, 1.0), (1, 0, 0.7), (1, 1, 0.4)];
        let [before, after] = wrong(&code, &moved);
        // As much falls on three neighbours as stays: of 151 four are left.
        assert!(
            before > 100 && after * 20 < before,
            "motion: {before}, {after}"
        );
        assert_eq!(wrong(&code, &[(0, 0, 1.0)]), [0, 0]);
    }

    #[test]
    fn there_are_weights_for_symbols_only() {
        let mut modules = Modules::default();
        modules.reset(20);
        assert!(!Equaliser::default().untangle(
            &Samples::default(),
            &mut modules,
            &mut Budget::default()
        ));
    }
}
