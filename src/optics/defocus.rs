//! Defocus, undone: the regularised inverse of a Gaussian, the same in all
//! directions.
//!
//! The Wiener filter of a Gaussian is round but, unlike the Gaussian, no product
//! of a filter along rows and one along columns. It is nearly the sum of a few
//! such products though: those of the leading eigenvectors of its kernel, which
//! is symmetric.

use super::Turned;
use crate::frame::Luma;

/// How smooth a picture is: its second differences along rows relative to its
/// first ones, both squared. About 1 for sharp edges, however far apart; 0.45 for
/// a Gaussian of 1.5 pixels, about 0.35 from 2 pixels on, where noise takes over.
/// Every eighth row is looked at.
pub fn smoothness(luma: Luma<'_>) -> f32 {
    /// Squares of at most 510 that many times are less than 2^31: products of 16-bit
    /// numbers can be added up, one instruction for eight.
    const PART: usize = 4096;
    let (mut first, mut second) = (0i64, 0i64);
    for y in (0..luma.height()).step_by(8) {
        let row = luma.row(y);
        let count = row.len().saturating_sub(4);
        for from in (0..count).step_by(PART) {
            let to = (from + PART).min(count);
            let (mut once, mut twice) = (0i32, 0i32);
            for ((&left, &middle), &right) in row[from..to]
                .iter()
                .zip(&row[from + 2..to + 2])
                .zip(&row[from + 4..to + 4])
            {
                let [left, middle, right] = [left, middle, right].map(i16::from);
                let (slope, bend) = (right - left, left + right - 2 * middle);
                once += i32::from(slope) * i32::from(slope);
                twice += i32::from(bend) * i32::from(bend);
            }
            first += i64::from(once);
            second += i64::from(twice);
        }
    }
    second as f32 / first.max(1) as f32
}

/// Longest half of a kernel.
const MOST_TAPS: usize = 24;
/// Frequencies at which the inverse is evaluated, each way.
const FREQUENCIES: usize = 32;
/// Products that are summed.
const TERMS: usize = 3;
/// Steps in which an eigenvector is found.
const STEPS: usize = 24;

/// The regularised inverse of a Gaussian, as a sum of separable kernels.
#[derive(Debug, Default)]
pub struct Refocus {
    /// The middle and one half of each.
    terms: [Vec<f32>; TERMS],
    weights: [f32; TERMS],
    kernel: Vec<f32>,
    half_way: Vec<f32>,
    padded: Vec<f32>,
}

impl Refocus {
    /// Of a Gaussian of this standard deviation. `noise` is the power of noise
    /// relative to that of the modules at low frequencies.
    pub fn of_gaussian(&mut self, sigma: f32, noise: f32) {
        let half = ((3.0 * sigma) as usize + 3).min(MOST_TAPS);
        self.design(half, sigma, noise);
        self.factor(half);
    }

    /// The kernel's quarter, (half + 1)², by a sum of cosines.
    fn design(&mut self, half: usize, sigma: f32, noise: f32) {
        let taps = half + 1;
        let step = std::f32::consts::PI / FREQUENCIES as f32;
        let cosine = |k: usize, tap: usize| ((k * tap) as f32 * step).cos();
        self.kernel.clear();
        self.kernel.resize(taps * taps, 0.0);
        let ends = |k: usize| if k == 0 || k == FREQUENCIES { 0.5 } else { 1.0 };
        for ky in 0..=FREQUENCIES {
            let mut row = [0.0; MOST_TAPS + 1];
            for kx in 0..=FREQUENCIES {
                let square = ((kx * kx + ky * ky) as f32) * step * step;
                let blur = (-0.5 * square * sigma * sigma).exp();
                let value = ends(kx) * blur / (blur * blur + noise);
                for (tap, sum) in row[..taps].iter_mut().enumerate() {
                    *sum += value * cosine(kx, tap);
                }
            }
            for y in 0..taps {
                let weight = ends(ky) * cosine(ky, y);
                for (sum, value) in self.kernel[y * taps..][..taps].iter_mut().zip(&row) {
                    *sum += weight * value;
                }
            }
        }
        // Leaves even ground as it is.
        let count = |tap: usize| if tap == 0 { 1.0 } else { 2.0 };
        let sum: f32 = (0..taps * taps)
            .map(|i| count(i / taps) * count(i % taps) * self.kernel[i])
            .sum();
        if sum.abs() > 1e-3 {
            self.kernel.iter_mut().for_each(|value| *value /= sum);
        }
    }

    /// The leading eigenvectors of the whole kernel, all of which are symmetric.
    fn factor(&mut self, half: usize) {
        let taps = half + 1;
        let count = |tap: usize| if tap == 0 { 1.0 } else { 2.0 };
        for (term, weight) in self.terms.iter_mut().zip(&mut self.weights) {
            term.clear();
            term.resize(taps, 0.0);
            let mut vector = [0.0f32; MOST_TAPS + 1];
            for (tap, value) in vector[..taps].iter_mut().enumerate() {
                *value = 1.0 / (1 + tap) as f32;
            }
            for _ in 0..STEPS {
                let mut next = [0.0f32; MOST_TAPS + 1];
                for (next, row) in next.iter_mut().zip(self.kernel.chunks_exact(taps)) {
                    let terms = row.iter().zip(&vector).enumerate();
                    *next = terms.map(|(x, (value, v))| count(x) * value * v).sum();
                }
                let squares: f32 = (0..taps).map(|y| count(y) * next[y] * next[y]).sum();
                let along: f32 = (0..taps).map(|y| count(y) * next[y] * vector[y]).sum();
                let length = squares.sqrt().max(1e-12);
                for (value, next) in vector.iter_mut().zip(next) {
                    *value = next / length;
                }
                *weight = if along < 0.0 { -length } else { length };
            }
            term.copy_from_slice(&vector[..taps]);
            for y in 0..taps {
                for x in 0..taps {
                    self.kernel[y * taps + x] -= *weight * vector[y] * vector[x];
                }
            }
        }
        // What the terms left out would have added to even ground is missed there.
        let even = |term: &[f32]| -> f32 {
            let taps = term.iter().enumerate();
            taps.map(|(tap, value)| count(tap) * value)
                .sum::<f32>()
                .powi(2)
        };
        let terms = self.terms.iter().zip(&self.weights);
        let sum: f32 = terms.map(|(term, weight)| weight * even(term)).sum();
        if sum > 0.1 {
            self.weights.iter_mut().for_each(|weight| *weight /= sum);
        }
    }

    /// Products of numbers that a pixel costs.
    pub fn taps(&self) -> usize {
        2 * TERMS * self.terms[0].len()
    }

    /// Filters row `y` of `from` and appends it to `to`. The rim goes on.
    pub fn row(&mut self, from: &Turned, y: usize, to: &mut Vec<f32>) {
        let (width, height) = (from.width(), from.rows());
        let start = to.len();
        to.resize(start + width, 0.0);
        if width == 0 || y >= height {
            return;
        }
        let Self {
            terms,
            weights,
            half_way,
            padded,
            ..
        } = self;
        for (term, &weight) in terms.iter().zip(weights.iter()) {
            let Some((middle, taps)) = term.split_first() else {
                return;
            };
            let row = |y: usize| from.row(y.min(height - 1));
            half_way.clear();
            half_way.extend(row(y).map(|value| middle * value));
            for (tap, &factor) in taps.iter().enumerate() {
                let (above, below) = (row(y.saturating_sub(tap + 1)), row(y + tap + 1));
                for ((sum, above), below) in half_way.iter_mut().zip(above).zip(below) {
                    *sum += factor * (above + below);
                }
            }
            let half = taps.len();
            padded.clear();
            padded.resize(half, half_way[0]);
            padded.extend_from_slice(half_way);
            padded.resize(width + 2 * half, half_way[width - 1]);
            let out = &mut to[start..];
            for (sum, value) in out.iter_mut().zip(&padded[half..]) {
                *sum += weight * middle * value;
            }
            for (tap, &factor) in taps.iter().enumerate() {
                let factor = weight * factor;
                let before = &padded[half - 1 - tap..][..width];
                let after = &padded[half + 1 + tap..][..width];
                for ((sum, before), after) in out.iter_mut().zip(before).zip(after) {
                    *sum += factor * (before + after);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Point;
    use crate::optics::Sampler;

    const SIDE: usize = 96;

    /// Random cells of 4 pixels, blurred by a Gaussian.
    fn cells(sigma: f32) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(4);
        let dark: Vec<bool> = (0..24 * 24).map(|_| random.bool()).collect();
        let mut plane: Vec<f32> = (0..SIDE * SIDE)
            .map(|i| {
                if dark[i / SIDE / 4 * 24 + i % SIDE / 4] {
                    40.0
                } else {
                    200.0
                }
            })
            .collect();
        for stride in [1, SIDE] {
            let before = plane.clone();
            for (i, value) in plane.iter_mut().enumerate() {
                let at = (i / stride % SIDE) as i32;
                let (mut sum, mut weights) = (0.0, 0.0);
                for off in (-9i32..=9).filter(|off| (0..SIDE as i32).contains(&(at + off))) {
                    let weight = (-0.5 * (off as f32 / sigma).powi(2)).exp();
                    sum += weight * before[(i as i32 + off * stride as i32) as usize];
                    weights += weight;
                }
                *value = sum / weights;
            }
        }
        plane.into_iter().map(|value| value.round() as u8).collect()
    }

    fn turned(picture: &[u8]) -> Turned {
        let luma = Luma::new(picture, SIDE, SIDE, SIDE).expect("fits");
        let sampler = Sampler::new(luma, 0).expect("not empty");
        let mut turned = Turned::default();
        let middle = Point::new(SIDE as f32 / 2.0, SIDE as f32 / 2.0);
        turned.lay(&sampler, middle, Point::new(1.0, 0.0), (SIDE, SIDE));
        turned.take(&sampler, SIDE);
        turned
    }

    #[test]
    fn a_known_defocus_is_undone() {
        let sharp = cells(0.1);
        for sigma in [1.5, 2.0, 2.5] {
            let blurred = cells(sigma);
            let luma = Luma::new(&blurred, SIDE, SIDE, SIDE).expect("fits");
            assert!(smoothness(luma) < 0.5);
            let mut refocus = Refocus::default();
            refocus.of_gaussian(sigma, 0.003);
            let turned = turned(&blurred);
            let mut undone = Vec::new();
            (0..SIDE).for_each(|y| refocus.row(&turned, y, &mut undone));
            // Cells whose middle is on the wrong side, away from the rim.
            let wrong = |value: &dyn Fn(usize) -> f32| {
                let cells = (3..21).flat_map(|y| (3..21).map(move |x| (x, y)));
                let middles = cells.map(|(x, y)| (4 * y + 1) * SIDE + 4 * x + 1);
                middles
                    .filter(|&at| {
                        let sum = value(at) + value(at + 1) + value(at + SIDE);
                        let mean = (sum + value(at + SIDE + 1)) / 4.0;
                        (mean > 120.0) != (sharp[at] > 120)
                    })
                    .count()
            };
            let before = wrong(&|at| blurred[at].into());
            let after = wrong(&|at| undone[at]);
            assert!(
                after <= before / 4 && after <= 6,
                "{sigma}: {before} to {after}"
            );
        }
    }

    #[test]
    fn even_ground_stays_and_sharp_edges_are_not_smooth() {
        let sharp = cells(0.1);
        let luma = Luma::new(&sharp, SIDE, SIDE, SIDE).expect("fits");
        assert!(smoothness(luma) > 0.8);
        let even = turned(&[90; SIDE * SIDE]);
        let mut refocus = Refocus::default();
        for sigma in [f32::NAN, -1.0, 0.0, 2.2, 5.0, 1e9] {
            refocus.of_gaussian(sigma, 0.003);
            let mut row = Vec::new();
            refocus.row(&even, 7, &mut row);
            assert_eq!(row.len(), SIDE);
            if (0.0..6.0).contains(&sigma) {
                assert!(
                    row.iter().all(|value| (value - 90.0).abs() < 3.0),
                    "{sigma} {}",
                    row[9]
                );
            }
            refocus.row(&Turned::default(), 0, &mut row);
        }
        let empty = Luma::new(&[], 0, 0, 0).expect("fits");
        assert_eq!(smoothness(empty), 0.0);
    }
}
