//! A label as a picture: printed once when it comes into view, blurred by the
//! lens and by its motion, then laid onto many frames at places between pixels.
//!
//! The print is kept at [`STEPS`] samples to a pixel along the belt, with its
//! coverage beside it (value premultiplied), so that rims blend. [`Sprite::blur`]
//! integrates over the pixel's own width and over the way the belt goes during
//! the exposure, and sorts the result by its place between two pixels: laying a
//! row onto a frame is then a mix of two neighbouring rows of bytes.

use super::mix::mix;
use super::print;
use super::scene::{Label, QUIET};
use super::script::Look;

/// Samples to a pixel along the belt.
pub(super) const STEPS: usize = 4;

/// Lengths of blur are rounded to this part of a pixel, so that one blurred
/// picture serves all frames of a steady belt, and a frame is a function of its
/// number alone.
pub(super) const BLUR_UNIT: f64 = 1.0 / 16.0;

/// A label, ready to be laid onto frames.
#[derive(Debug, Default)]
pub(super) struct Sprite {
    /// Left rim of the print, px from the item's left edge.
    left: f64,
    /// First row in the picture; may be negative.
    top: i32,
    /// Rows.
    rows: usize,
    /// Pixels in a row of the print.
    columns: usize,
    /// Light and coverage as printed and seen through the lens: `rows` rows of
    /// `columns * STEPS` samples.
    print: [Vec<u8>; 2],
    /// Blurred: for each of `STEPS + 1` places between two pixels, `rows` rows of
    /// `columns + 2 * margin` bytes.
    blurred: [Vec<u8>; 2],
    /// Empty pixels beside the print on either side, for the blur.
    margin: usize,
    /// Length of the blur in `BLUR_UNIT`.
    blur: Option<u32>,
    /// Scratch: running sum of a row.
    sums: Vec<u32>,
}

impl Sprite {
    /// Prints `label`. The memory of what was printed before is used again.
    pub(super) fn draw(&mut self, label: &Label, look: &Look, seed: u64) {
        let lens = (3.0 * look.defocus_px).ceil() + 1.0;
        let (left, top, right, bottom) = label.paper().bounds();
        let (left, top) = ((left - lens).floor(), (top - lens).floor());
        self.left = f64::from(left);
        self.top = top as i32;
        self.columns = (right + lens - left).ceil().max(1.0) as usize;
        self.rows = (bottom + lens - top).ceil().max(1.0) as usize;
        self.blur = None;
        let samples = self.columns * STEPS;
        for plane in &mut self.print {
            plane.clear();
            plane.reserve_exact(samples * self.rows);
            plane.resize(samples * self.rows, 0);
        }

        let modules = label.modules();
        let paper = look.paper.saturating_sub((mix(seed, 7) % 12) as u8);
        let print = Print {
            modules: &modules,
            side: label.side(),
            strip: label.strip(),
            lines: &label.lines,
            paper: u32::from(paper),
            ink: u32::from(look.ink),
            seed: mix(seed, 11),
        };
        let (sin, cos) = label.turn.sin_cos();
        for row in 0..self.rows {
            let at = row * samples;
            for sample in 0..samples {
                let (mut light, mut cover) = (0, 0);
                for sub in 0..STEPS {
                    let x = left + (sample as f32 + 0.5) / STEPS as f32 - label.centre.x;
                    let y = top + row as f32 + (sub as f32 + 0.5) / STEPS as f32 - label.centre.y;
                    let u = (x * cos + y * sin) / label.module;
                    let v = (y * cos - x * sin) / label.module;
                    if let Some(level) = print.at(u, v) {
                        light += level;
                        cover += 255;
                    }
                }
                self.print[0][at + sample] = (light / STEPS as u32) as u8;
                self.print[1][at + sample] = (cover / STEPS as u32) as u8;
            }
        }
        if look.defocus_px > 0.0 {
            for plane in &mut self.print {
                defocus(plane, samples, look.defocus_px);
            }
        }
    }

    /// Blurs the print by a motion of `units` of [`BLUR_UNIT`] along the belt, if
    /// it is not blurred so already.
    pub(super) fn blur(&mut self, units: u32) {
        if self.blur == Some(units) {
            return;
        }
        self.blur = Some(units);
        let way = (f64::from(units) * BLUR_UNIT * STEPS as f64).max(1.0);
        let margin = (way / STEPS as f64 / 2.0).ceil() as usize + 2;
        self.margin = margin;
        let wide = self.columns + 2 * margin;
        let samples = self.columns * STEPS;
        // The sum over the pixel's width and over the way, as the difference of
        // two running sums whose ends lie `way` apart, centred on the pixel.
        let empty = (margin + 1) * STEPS + way as usize + 2;
        let (ahead, behind) = (0.5 + way / 2.0, 0.5 - way / 2.0);
        let ends = [ahead, behind].map(|end| {
            let whole = end.floor();
            (whole as isize, (end - whole) as f32)
        });
        let scale = (1.0 / (way * STEPS as f64)) as f32;
        for (print, blurred) in self.print.iter().zip(&mut self.blurred) {
            blurred.clear();
            blurred.reserve_exact(wide * self.rows * (STEPS + 1));
            blurred.resize(wide * self.rows * (STEPS + 1), 0);
            for row in 0..self.rows {
                let source = &print[row * samples..][..samples];
                // sums[i] - sums[i - STEPS] is the pixel whose first sample is
                // number i - STEPS - empty of the print; `pixels` adds those up.
                let sums = &mut self.sums;
                sums.clear();
                let (mut sum, mut pixel) = (0_u32, 0_u32);
                sums.push(0);
                for i in 0..samples + 2 * empty {
                    let get = |i: usize| i.checked_sub(empty).and_then(|i| source.get(i));
                    pixel += get(i + STEPS - 1).map_or(0, |&v| u32::from(v));
                    sum += pixel;
                    pixel -= get(i).map_or(0, |&v| u32::from(v));
                    sums.push(sum);
                }
                let upto = |cell: isize, (whole, part): (isize, f32)| {
                    let i = (cell + whole) as usize;
                    sums[i] as f32 + part * (sums[i + 1] - sums[i]) as f32
                };
                for phase in 0..=STEPS {
                    let target = &mut blurred[(phase * self.rows + row) * wide..][..wide];
                    for (x, out) in target.iter_mut().enumerate() {
                        let cell = (x * STEPS + empty) as isize
                            - (margin * STEPS) as isize
                            - phase as isize;
                        let value = (upto(cell, ends[0]) - upto(cell, ends[1])) * scale;
                        *out = (value + 0.5) as u8;
                    }
                }
            }
        }
    }

    /// Rows of the picture that it covers.
    pub(super) fn covers(&self, y: i32) -> bool {
        y >= self.top && y < self.top + self.rows as i32
    }

    /// Lays row `y` onto `out`, a row of the picture, with the item's left edge
    /// at `x`.
    pub(super) fn lay(&self, out: &mut [u8], y: i32, x: f64) {
        if !self.covers(y) || self.blur.is_none() {
            return;
        }
        let row = (y - self.top) as usize;
        let wide = self.columns + 2 * self.margin;
        let at = x + self.left - self.margin as f64;
        let whole = at.floor();
        let between = (at - whole) * STEPS as f64;
        let phase = (between as usize).min(STEPS - 1);
        let part = ((between - phase as f64) * 256.0) as u32;
        let first = whole as i64;
        let skip = (-first).clamp(0, wide as i64) as usize;
        let from = first.clamp(0, out.len() as i64) as usize;
        let count = (wide - skip).min(out.len() - from);
        let rows = |plane: &'_ [u8], phase: usize| -> usize {
            debug_assert!(plane.len() >= wide * self.rows * (STEPS + 1));
            (phase * self.rows + row) * wide + skip
        };
        let [light, cover] = &self.blurred;
        let (a, b) = (rows(light, phase), rows(light, phase + 1));
        let pixels = out[from..][..count].iter_mut();
        let light = light[a..][..count].iter().zip(&light[b..][..count]);
        let cover = cover[a..][..count].iter().zip(&cover[b..][..count]);
        for ((out, (&l0, &l1)), (&c0, &c1)) in pixels.zip(light).zip(cover) {
            let mixed = |a: u8, b: u8| u32::from(a) * (256 - part) + u32::from(b) * part;
            let below = u32::from(*out) * (65_280 - mixed(c0, c1));
            // 65280 is 255 * 256; the quotient is off by less than one in 255.
            *out = ((mixed(l0, l1) * 255 + below + 32_768) / 65_280).min(255) as u8;
        }
    }
}

/// What is printed on a label.
struct Print<'a> {
    modules: &'a [bool],
    side: f32,
    /// Height of the strip below the code, in modules, and what is printed there.
    strip: f32,
    lines: &'a [String],
    paper: u32,
    ink: u32,
    seed: u64,
}

impl Print<'_> {
    /// Grey level `u` modules right of and `v` below the code's centre, in the
    /// label's own frame; `None` beside the paper.
    fn at(&self, u: f32, v: f32) -> Option<u32> {
        let half = self.side / 2.0;
        let rim = half + QUIET;
        if u < -rim || u >= rim || v < -rim || v >= rim + self.strip {
            return None;
        }
        let dark = if v >= rim && !self.lines.is_empty() {
            print::ink(self.lines, u + half, v - rim)
        } else if v >= rim {
            self.small_print(u + half, v - rim)
        } else {
            let (x, y) = ((u + half).floor(), (v + half).floor());
            (0.0..self.side).contains(&x)
                && (0.0..self.side).contains(&y)
                && self.modules[y as usize * self.side as usize + x as usize]
        };
        Some(if dark { self.ink } else { self.paper })
    }

    /// Two lines of something that looks like print, from `u` = 0 on.
    fn small_print(&self, u: f32, v: f32) -> bool {
        let line = (v / 2.8) as u64;
        let (x, y) = (u / 0.35, (v - line as f32 * 2.8) / 0.5);
        if u < 0.0 || u >= self.side || line > 1 || y >= 4.0 {
            return false;
        }
        let (letter, x) = ((x / 5.0) as u64, x as u64 % 5);
        let bits = mix(self.seed, letter * 2 + line);
        // One in six is a space; the fifth column parts the letters.
        !bits.is_multiple_of(6) && x < 4 && (bits >> (8 + x + 4 * y as u64)) & 1 == 1
    }
}

/// Blurs `plane` (rows of `samples` at [`STEPS`] to a pixel) by a Gaussian of
/// standard deviation `sigma` pixels, both ways.
fn defocus(plane: &mut [u8], samples: usize, sigma: f32) {
    let kernel = |sigma: f32| -> Vec<f32> {
        let radius = (3.0 * sigma).ceil() as i32;
        let weights: Vec<f32> = (-radius..=radius)
            .map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp())
            .collect();
        let sum: f32 = weights.iter().sum();
        weights.iter().map(|w| w / sum).collect()
    };
    let rows = plane.len() / samples;
    let across = kernel(sigma * STEPS as f32);
    let mut row = vec![0.0_f32; samples + across.len()];
    let radius = across.len() / 2;
    for y in 0..rows {
        let line = &mut plane[y * samples..][..samples];
        for (to, &from) in row[radius..].iter_mut().zip(line.iter()) {
            *to = f32::from(from);
        }
        row[radius + samples..].fill(0.0);
        for (x, out) in line.iter_mut().enumerate() {
            let sum: f32 = across.iter().zip(&row[x..]).map(|(w, v)| w * v).sum();
            *out = (sum + 0.5) as u8;
        }
    }
    let down = kernel(sigma);
    let radius = down.len() / 2;
    let sharp = plane.to_vec();
    let mut sums = vec![0.0_f32; samples];
    for y in 0..rows {
        sums.fill(0.5);
        for (k, &weight) in down.iter().enumerate() {
            let Some(from) = (y + k).checked_sub(radius).filter(|&from| from < rows) else {
                continue;
            };
            for (sum, &value) in sums.iter_mut().zip(&sharp[from * samples..][..samples]) {
                *sum += weight * f32::from(value);
            }
        }
        for (out, &sum) in plane[y * samples..][..samples].iter_mut().zip(&sums) {
            *out = sum as u8;
        }
    }
}
