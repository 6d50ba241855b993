//! What a perfect grid could read: the ceiling that stands beside a read rate.
//!
//! The truth of a [`Specimen`] gives corners, version and level; only the picture
//! is what it is. Modules are sampled at their true places, thresholded plainly,
//! saturated ones count as erasures, damaged ones as they look. A code is
//! readable if in each Reed–Solomon block 2e + s <= n - k - p (ISO/IEC 18004,
//! table 9), codewords counted against the truth. What remains is the loss that
//! finding, fitting and deciding add.

use beltscan::camera::belt::degrade::Specimen;
use beltscan::qr::decode::{Blocks, Layout, formats, version_of};
use beltscan::qr::{EcLevel, Modules};

/// Places across a module at which it is sampled.
const PLACES: usize = 5;
/// Share of a module's side on which they lie: its rim belongs to its neighbours.
const INNER: f64 = 0.8;
/// Modules each way whose light and dark make a local threshold.
const AROUND: usize = 4;

/// The grid of one specimen.
pub struct Grid<'a> {
    truth: &'a Specimen,
    blocks: Blocks,
    layout: &'static Layout,
}

impl<'a> Grid<'a> {
    /// The grid of `truth`; `None` unless its modules are a QR code.
    pub fn new(truth: &'a Specimen) -> Option<Self> {
        let version = version_of(truth.side)?;
        Some(Self {
            truth,
            blocks: Blocks::of(version, level(truth))?,
            layout: Layout::of(version)?,
        })
    }

    /// Grey values of the modules of `plane`, a picture of the specimen's size,
    /// row by row: means of what is not saturated, `None` where most of it is.
    pub fn sample(&self, plane: &[f32]) -> Vec<Option<f32>> {
        let Specimen {
            side,
            width,
            height,
            ref saturated,
            ..
        } = *self.truth;
        let Some(map) = self.truth.map() else {
            return vec![None; side * side];
        };
        let place = |n: usize| 0.5 + INNER * ((n as f64 + 0.5) / PLACES as f64 - 0.5);
        (0..side * side)
            .map(|module| {
                let (column, row) = ((module % side) as f64, (module / side) as f64);
                let (mut sum, mut lit) = (0.0, 0);
                for i in 0..PLACES * PLACES {
                    let (u, v) = (column + place(i % PLACES), row + place(i / PLACES));
                    let at = map(u / side as f64, v / side as f64);
                    let x = (at.x.max(0.0) as usize).min(width - 1);
                    let y = (at.y.max(0.0) as usize).min(height - 1);
                    if saturated[y * width + x] {
                        lit += 1;
                    } else {
                        sum += plane[y * width + x];
                    }
                }
                let seen = PLACES * PLACES - lit;
                (seen > lit).then(|| sum / seen as f32)
            })
            .collect()
    }

    /// Could the code be read from these values, by a threshold for all of it or
    /// by one for each neighbourhood?
    pub fn readable(&self, values: &[Option<f32>]) -> bool {
        let global = vec![threshold(values.iter().flatten().copied()); values.len()];
        self.readable_by(values, &global) || self.readable_by(values, &self.local(values))
    }

    /// Could it be read if a module is known (`Some`: is it dark?) or an erasure?
    pub fn correctable(&self, dark: &[Option<bool>]) -> bool {
        let order = self.layout.order();
        // Data masking turns truth and sample over alike.
        let cost = |codeword: usize| {
            let modules = &order[codeword * 8..codeword * 8 + 8];
            let modules = modules.iter().map(|&module| usize::from(module));
            let mut wrong = 0;
            for module in modules {
                match dark[module] {
                    None => return 1,
                    Some(dark) if dark != self.truth.modules[module] => wrong = 2,
                    Some(_) => {}
                }
            }
            wrong
        };
        (0..self.blocks.count).all(|block| {
            let length = self.blocks.length(block);
            let spent: usize = (0..length)
                .map(|index| cost(self.blocks.place(block, index)))
                .sum();
            spent <= self.blocks.capacity()
        })
    }

    fn readable_by(&self, values: &[Option<f32>], thresholds: &[f32]) -> bool {
        let dark: Vec<Option<bool>> = values
            .iter()
            .zip(thresholds)
            .map(|(value, threshold)| value.map(|value| value < *threshold))
            .collect();
        self.correctable(&dark)
    }

    /// A threshold for each module from those around it.
    pub fn local(&self, values: &[Option<f32>]) -> Vec<f32> {
        let side = self.truth.side;
        let near = |n: usize| n.saturating_sub(AROUND)..(n + AROUND + 1).min(side);
        (0..side * side)
            .map(|module| {
                let (column, row) = (module % side, module / side);
                let around = near(row).flat_map(|y| near(column).map(move |x| y * side + x));
                threshold(around.filter_map(|at| values[at]))
            })
            .collect()
    }
}

/// Could `specimen` be read from its own pixels?
pub fn readable(specimen: &Specimen) -> bool {
    let Some(grid) = Grid::new(specimen) else {
        return false;
    };
    grid.readable(&grid.sample(&plane(specimen)))
}

/// The pixels of `specimen` as grey values.
pub fn plane(specimen: &Specimen) -> Vec<f32> {
    specimen.pixels.iter().map(|&p| f32::from(p)).collect()
}

/// Midway between the mean of what is lighter and of what is darker than it.
/// (Ridler and Calvard, "Picture thresholding using an iterative selection
/// method", 1978.)
fn threshold(values: impl Iterator<Item = f32> + Clone) -> f32 {
    let count = values.clone().count().max(1);
    let mut at = values.clone().sum::<f32>() / count as f32;
    for _ in 0..8 {
        let (mut low, mut lows, mut high, mut highs) = (0.0, 0, 0.0, 0);
        for value in values.clone() {
            if value < at {
                (low, lows) = (low + value, lows + 1);
            } else {
                (high, highs) = (high + value, highs + 1);
            }
        }
        if lows == 0 || highs == 0 {
            break;
        }
        at = (low / lows as f32 + high / highs as f32) / 2.0;
    }
    at
}

/// The level that the specimen's undamaged modules tell.
fn level(truth: &Specimen) -> EcLevel {
    let mut modules = Modules::default();
    modules.reset(truth.side);
    for (module, &dark) in truth.modules.iter().enumerate() {
        let (x, y) = (module % truth.side, module / truth.side);
        modules.set(x, y, if dark { 127 } else { -127 });
    }
    formats(&modules).0[0].level
}

#[cfg(test)]
mod tests {
    use beltscan::camera::belt::degrade::{Degradation, Print};

    use super::*;

    fn specimen(how: &Degradation) -> Specimen {
        let print = Print::new("CEILING", 'M').expect("fits");
        print.specimen(how)
    }

    fn known(specimen: &Specimen) -> Vec<Option<bool>> {
        specimen.modules.iter().map(|&dark| Some(dark)).collect()
    }

    /// Makes the first module of the first `count` codewords what `change` says.
    fn spoil(
        specimen: &Specimen,
        count: usize,
        change: impl Fn(bool) -> Option<bool>,
    ) -> Vec<Option<bool>> {
        let mut dark = known(specimen);
        let grid = Grid::new(specimen).expect("a code");
        for codeword in 0..count {
            let module = usize::from(grid.layout.order()[codeword * 8]);
            dark[module] = change(specimen.modules[module]);
        }
        dark
    }

    #[test]
    fn clean_specimens_are_readable_at_any_angle() {
        for turn_deg in [0.0, 17.0, 200.0] {
            for contrast in [25.0, 180.0] {
                let how = Degradation {
                    turn_deg,
                    contrast,
                    perspective: 0.05,
                    ..Degradation::default()
                };
                assert!(readable(&specimen(&how)));
            }
        }
    }

    #[test]
    fn errors_cost_two_and_erasures_one_of_the_capacity() {
        // 1-M: ten parity codewords, two of them for detection alone.
        let code = specimen(&Degradation::default());
        let grid = Grid::new(&code).expect("a code");
        assert_eq!((code.side, grid.blocks.capacity()), (21, 8));
        let wrong = |count| grid.correctable(&spoil(&code, count, |dark| Some(!dark)));
        assert!(wrong(4) && !wrong(5));
        let erased = |count| grid.correctable(&spoil(&code, count, |_| None));
        assert!(erased(8) && !erased(9));
    }

    #[test]
    fn several_wrong_modules_of_a_codeword_are_one_error() {
        let code = specimen(&Degradation::default());
        let grid = Grid::new(&code).expect("a code");
        let mut dark = known(&code);
        for &module in &grid.layout.order()[..4 * 8] {
            let module = usize::from(module);
            dark[module] = Some(!code.modules[module]);
        }
        assert!(grid.correctable(&dark));
    }

    #[test]
    fn saturated_modules_are_erasures_and_too_much_glare_is_unreadable() {
        let glare = |glare| {
            specimen(&Degradation {
                glare,
                ..Degradation::default()
            })
        };
        let code = glare(0.1);
        let grid = Grid::new(&code).expect("a code");
        let values = grid.sample(&plane(&code));
        let erased = values.iter().filter(|value| value.is_none()).count();
        let share = erased as f32 / values.len() as f32;
        assert!((0.05..0.15).contains(&share), "{share}");
        assert!(!readable(&glare(0.6)));
    }

    #[test]
    fn blur_of_four_modules_is_unreadable() {
        let blurred = specimen(&Degradation {
            blur_px: 16.0,
            blur_deg: 20.0,
            ..Degradation::default()
        });
        assert!(!readable(&blurred));
    }
}
