//! Deblurring with the truth: a Wiener filter for a motion of known length and
//! direction. It varies along the motion alone, but is applied in the plane, so
//! that no direction needs resampling.

use std::f32::consts::{PI, TAU};

use beltscan::camera::belt::degrade::Specimen;

use super::ceiling;

/// Noise to signal, power in each frequency. Noise of 3 grey levels on a contrast
/// of 180 is 0.001; more takes care of what is no noise, as the pixels' own
/// width. The first that makes a code readable is as good as any.
pub const NOISE: [f32; 3] = [0.001, 0.004, 0.02];

/// Could `specimen` be read with its motion undone, by any of [`NOISE`]?
pub fn readable(specimen: &Specimen) -> bool {
    let Some(grid) = ceiling::Grid::new(specimen) else {
        return false;
    };
    let spectrum = Spectrum::of(specimen);
    NOISE
        .iter()
        .any(|&noise| grid.readable(&grid.sample(&spectrum.sharpened(noise))))
}

/// The Fourier transform of a specimen's pixels, less their mean, on a plane
/// whose sides are powers of two.
pub struct Spectrum<'a> {
    specimen: &'a Specimen,
    size: (usize, usize),
    values: Vec<Complex>,
    mean: f32,
}

impl<'a> Spectrum<'a> {
    /// That of `specimen`.
    pub fn of(specimen: &'a Specimen) -> Self {
        let Specimen { width, height, .. } = *specimen;
        // Room for the filter's tail, which comes back in on the other side.
        let room = 4 * specimen.motion.length().ceil() as usize;
        let (columns, rows) = (
            (width + room).next_power_of_two(),
            (height + room).next_power_of_two(),
        );
        // The surface around a label is even: its mean goes on beyond the rim.
        let rim = |i: &usize| {
            let (x, y) = (i % width, i / width);
            x == 0 || y == 0 || x == width - 1 || y == height - 1
        };
        let rims = (0..width * height).filter(rim);
        let (count, sum) = rims.fold((0, 0.0), |(count, sum), i| {
            (count + 1, sum + f32::from(specimen.pixels[i]))
        });
        let mean = sum / count.max(1) as f32;
        let mut values = vec![Complex::default(); columns * rows];
        for (row, line) in specimen.pixels.chunks_exact(width).enumerate() {
            for (value, &pixel) in values[row * columns..].iter_mut().zip(line) {
                value.re = f32::from(pixel) - mean;
            }
        }
        transform(&mut values, columns, rows, false);
        Self {
            specimen,
            size: (columns, rows),
            values,
            mean,
        }
    }

    /// The pixels with the motion undone, by H / (H² + noise), H being the
    /// transform of a box along the motion.
    pub fn sharpened(&self, noise: f32) -> Vec<f32> {
        let (columns, rows) = self.size;
        let motion = self.specimen.motion;
        let frequency = |n: usize, count: usize| {
            let signed = if n > count / 2 {
                n as f32 - count as f32
            } else {
                n as f32
            };
            signed / count as f32
        };
        let mut values = self.values.clone();
        for (i, value) in values.iter_mut().enumerate() {
            let (u, v) = (
                frequency(i % columns, columns),
                frequency(i / columns, rows),
            );
            let phase = PI * (u * motion.x + v * motion.y);
            let h = if phase.abs() < 1e-4 {
                1.0
            } else {
                phase.sin() / phase
            };
            let gain = h / (h * h + noise);
            value.re *= gain;
            value.im *= gain;
        }
        transform(&mut values, columns, rows, true);
        let scale = 1.0 / (columns * rows) as f32;
        let Specimen { width, height, .. } = *self.specimen;
        (0..width * height)
            .map(|i| values[i / width * columns + i % width].re * scale + self.mean)
            .collect()
    }
}

/// A complex number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Complex {
    re: f32,
    im: f32,
}

/// Transforms rows, then columns, forwards or (without the factor) back.
fn transform(values: &mut [Complex], columns: usize, rows: usize, back: bool) {
    let turns = turns(columns, back);
    for row in values.chunks_exact_mut(columns) {
        fourier(row, &turns);
    }
    let turns = self::turns(rows, back);
    let mut line = vec![Complex::default(); rows];
    for column in 0..columns {
        for (row, value) in line.iter_mut().enumerate() {
            *value = values[row * columns + column];
        }
        fourier(&mut line, &turns);
        for (row, value) in line.iter().enumerate() {
            values[row * columns + column] = *value;
        }
    }
}

/// The first half of the `length`th roots of unity.
fn turns(length: usize, back: bool) -> Vec<Complex> {
    let step = if back { TAU } else { -TAU } / length as f32;
    (0..length / 2)
        .map(|n| {
            let (im, re) = (step * n as f32).sin_cos();
            Complex { re, im }
        })
        .collect()
}

/// The transform of a power of two of values, in place (Cooley and Tukey, 1965).
fn fourier(values: &mut [Complex], turns: &[Complex]) {
    let length = values.len();
    if length < 2 {
        return;
    }
    let shift = usize::BITS - length.trailing_zeros();
    for i in 0..length {
        let j = i.reverse_bits() >> shift;
        if i < j {
            values.swap(i, j);
        }
    }
    let mut half = 1;
    while half < length {
        let stride = length / (2 * half);
        for block in values.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for (k, (a, b)) in low.iter_mut().zip(high).enumerate() {
                let turn = turns[k * stride];
                let turned = Complex {
                    re: b.re * turn.re - b.im * turn.im,
                    im: b.re * turn.im + b.im * turn.re,
                };
                *b = Complex {
                    re: a.re - turned.re,
                    im: a.im - turned.im,
                };
                *a = Complex {
                    re: a.re + turned.re,
                    im: a.im + turned.im,
                };
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use beltscan::camera::belt::degrade::{Degradation, Print};

    use super::*;

    #[test]
    fn a_transform_and_back_changes_nothing() {
        let start: Vec<Complex> = (0..8 * 16)
            .map(|i| Complex {
                re: (i * i % 37) as f32,
                im: (i % 5) as f32,
            })
            .collect();
        let mut values = start.clone();
        transform(&mut values, 8, 16, false);
        let sum: f32 = start.iter().map(|value| value.re).sum();
        assert!((values[0].re - sum).abs() < 0.1);
        transform(&mut values, 8, 16, true);
        for (value, start) in values.iter().zip(&start) {
            assert!((value.re / 128.0 - start.re).abs() < 1e-3);
            assert!((value.im / 128.0 - start.im).abs() < 1e-3);
        }
    }

    #[test]
    fn motion_of_four_modules_is_undone() {
        for blur_deg in [0.0, 33.0, 90.0] {
            let how = Degradation {
                blur_px: 16.0,
                blur_deg,
                ..Degradation::default()
            };
            let print = Print::new("WIENER 1949", 'M').expect("fits");
            let specimen = print.specimen(&how);
            assert!(!ceiling::readable(&specimen));
            assert!(readable(&specimen), "{blur_deg} degrees");
        }
    }
}
