//! Several pictures of one thing added up, glare left out.
//!
//! Noise wants the mean of many pictures. Glare wants the opposite: it only
//! brightens, so where two pictures differ the darker one is right. Both get
//! their way by weights. A saturated pixel counts nothing; a tile that is
//! brighter than the same tile of the canvas is veiled and counts little, and if
//! the canvas is the brighter one it was veiled, and what was added before counts
//! little from now on. Means of tiles are compared, not pixels: noise and edges
//! that are a fraction of a pixel off leave them alone.

use super::WHITE;
use crate::frame::Luma;

/// Side of a tile in pixels: two modules or so.
const TILE: usize = 8;
/// Weight of a pixel in one picture that is not veiled.
const FULL: u16 = 16;
/// Weights grow up to here; then old pictures fade: sum and weight are halved.
const MOST: u16 = 15 * FULL;
/// A veil of so many grey levels halves the weight. Tiles with sharp edges that
/// are a third of a pixel off differ by half of it.
const VEIL: f32 = 12.0;
/// Share of a picture's pixels under glare above which its brightness as a whole
/// is not compared with the canvas.
const DAZZLED: f32 = 0.15;

/// A weighted sum of pictures. Its memory is kept.
#[derive(Default)]
pub struct Canvas {
    width: usize,
    height: usize,
    sum: Vec<u16>,
    weight: Vec<u16>,
    grey: Vec<u8>,
    pictures: u32,
}

impl std::fmt::Debug for Canvas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Canvas")
            .field("width", &self.width)
            .field("height", &self.height)
            .field("pictures", &self.pictures)
            .finish_non_exhaustive()
    }
}

impl Canvas {
    /// Begins anew, with nothing known of any pixel.
    pub fn start(&mut self, width: usize, height: usize) {
        (self.width, self.height) = (width, height);
        let pixels = width * height;
        self.sum.clear();
        self.sum.resize(pixels, 0);
        self.weight.clear();
        self.weight.resize(pixels, 0);
        self.grey.clear();
        self.grey.resize(pixels, u8::MAX);
        self.pictures = 0;
    }

    /// Takes memory for canvases of up to so many pixels, so that none is taken
    /// later.
    pub fn reserve(&mut self, pixels: usize) {
        let more = |len: usize| pixels.saturating_sub(len);
        self.sum.reserve_exact(more(self.sum.len()));
        self.weight.reserve_exact(more(self.weight.len()));
        self.grey.reserve_exact(more(self.grey.len()));
    }

    /// What it shows so far; 255 where only glare was seen.
    pub fn luma(&self) -> Luma<'_> {
        let luma = Luma::new(&self.grey, self.width, self.height, self.width);
        luma.unwrap_or(Luma::empty())
    }

    /// Pictures that were added.
    pub fn pictures(&self) -> u32 {
        self.pictures
    }

    /// Adds a picture in which the canvas begins at (`left`, `top`), fractions of
    /// a pixel included. What lies outside of it adds nothing. `scratch` lends
    /// memory.
    pub fn add(&mut self, picture: Luma<'_>, left: f32, top: f32, scratch: &mut Scratch) {
        let (width, height) = (self.width, self.height);
        if width == 0 || height == 0 || !(left.abs() < 1e6 && top.abs() < 1e6) {
            return;
        }
        scratch.shown.resize(width * height, u8::MAX);
        let shown = &mut scratch.shown[..width * height];
        shift(picture, left, top, width, shown);
        self.compare(shown, &mut scratch.differences);
        let usual = self.usual(shown, &scratch.differences, &mut scratch.sorted);
        let columns = width.div_ceil(TILE);
        for (y, row) in shown.chunks_exact(width).enumerate() {
            let tiles = &scratch.differences[y / TILE * columns..][..columns];
            let at = y * width;
            for (tile, shown) in tiles.iter().zip(row.chunks(TILE).enumerate()) {
                let (column, shown) = shown;
                // NaN, where there is nothing to compare, is no veil.
                let veil = (tile - usual) / VEIL;
                let fade = 1.0 / (1.0 + veil * veil);
                let (mut new, mut old) = (FULL, 256u32);
                if veil > 0.0 {
                    new = (f32::from(FULL) * fade + 0.5) as u16;
                } else if veil < 0.0 {
                    old = (256.0 * fade) as u32;
                }
                let from = at + column * TILE;
                let to = from + shown.len();
                let cells = self.sum[from..to]
                    .iter_mut()
                    .zip(&mut self.weight[from..to])
                    .zip(&mut self.grey[from..to]);
                for (((sum, weight), grey), &light) in cells.zip(shown) {
                    if light >= WHITE || new == 0 {
                        continue;
                    }
                    if old < 256 {
                        let kept = (u32::from(*weight) * old) >> 8;
                        *sum = mean(*sum, *weight).saturating_mul(kept as u16);
                        *weight = kept as u16;
                    }
                    if *weight >= MOST {
                        *sum /= 2;
                        *weight /= 2;
                    }
                    *sum += new * u16::from(light);
                    *weight += new;
                    *grey = mean(*sum, *weight) as u8;
                }
            }
        }
        self.pictures += 1;
    }

    /// How much brighter each tile of the picture is than the canvas, as far as
    /// both show it.
    fn compare(&self, shown: &[u8], differences: &mut Vec<f32>) {
        let (columns, rows) = (self.width.div_ceil(TILE), self.height.div_ceil(TILE));
        differences.clear();
        differences.resize(columns * rows, f32::NAN);
        for (row, differences) in differences.chunks_exact_mut(columns).enumerate() {
            for (column, difference) in differences.iter_mut().enumerate() {
                let (mut sum, mut count) = (0i32, 0i32);
                for y in row * TILE..((row + 1) * TILE).min(self.height) {
                    let from = y * self.width + column * TILE;
                    let to = (from + TILE).min((y + 1) * self.width);
                    let known = self.grey[from..to].iter().zip(&self.weight[from..to]);
                    for (light, (grey, weight)) in shown[from..to].iter().zip(known) {
                        if *light < WHITE && *weight > 0 {
                            sum += i32::from(*light) - i32::from(*grey);
                            count += 1;
                        }
                    }
                }
                if count > 0 {
                    *difference = sum as f32 / count as f32;
                }
            }
        }
    }

    /// How much brighter the picture is as a whole: lamps flicker. Under much
    /// glare nobody can tell.
    fn usual(&self, shown: &[u8], differences: &[f32], sorted: &mut Vec<f32>) -> f32 {
        let dazzled = shown
            .iter()
            .zip(&self.weight)
            .filter(|(light, weight)| **light >= WHITE || **weight == 0)
            .count();
        if dazzled as f32 > DAZZLED * shown.len() as f32 {
            return 0.0;
        }
        sorted.clear();
        sorted.extend(differences.iter().filter(|d| d.is_finite()));
        if sorted.is_empty() {
            return 0.0;
        }
        let middle = sorted.len() / 2;
        *sorted.select_nth_unstable_by(middle, f32::total_cmp).1
    }
}

/// Memory that canvases share.
#[derive(Debug, Default)]
pub struct Scratch {
    shown: Vec<u8>,
    differences: Vec<f32>,
    sorted: Vec<f32>,
}

fn mean(sum: u16, weight: u16) -> u16 {
    ((u32::from(sum) + u32::from(weight) / 2) / u32::from(weight.max(1))) as u16
}

/// The part of `picture` that begins at (`left`, `top`), in rows of `width`; 255
/// where it is saturated or outside.
fn shift(picture: Luma<'_>, left: f32, top: f32, width: usize, out: &mut [u8]) {
    let (left0, top0) = (left.floor(), top.floor());
    // Weights of four neighbours in 1/4096.
    let (fx, fy) = ((left - left0) * 64.0, (top - top0) * 64.0);
    let (fx, fy) = (fx.round() as u32, fy.round() as u32);
    let parts = [
        (64 - fx) * (64 - fy),
        fx * (64 - fy),
        (64 - fx) * fy,
        fx * fy,
    ];
    let (x0, y0) = (left0 as i64, top0 as i64);
    let last = picture.width() as i64 - 1;
    // Columns of which both neighbours are in the picture.
    let from = (-x0).clamp(0, width as i64) as usize;
    let to = (last - x0).clamp(from as i64, width as i64) as usize;
    for (y, out) in out.chunks_exact_mut(width).enumerate() {
        out.fill(u8::MAX);
        let y = y0 + y as i64;
        if y < 0 || y + 1 >= picture.height() as i64 || from >= to {
            continue;
        }
        let start = (x0 + from as i64) as usize;
        let span = to - from + 1;
        let upper = &picture.row(y as usize)[start..start + span];
        let lower = &picture.row(y as usize + 1)[start..start + span];
        for (i, out) in out[from..to].iter_mut().enumerate() {
            let four = [upper[i], upper[i + 1], lower[i], lower[i + 1]];
            let white = four.iter().any(|&light| light >= WHITE);
            let light: u32 = four.iter().zip(parts).map(|(&v, p)| u32::from(v) * p).sum();
            *out = if white {
                u8::MAX
            } else {
                ((light + 2048) >> 12) as u8
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 48;

    /// Random blocks of 4 pixels, and their picture `by` pixels to the left.
    fn blocks(seed: u64, by: f32) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(seed);
        let cells: Vec<f32> = (0..400)
            .map(|_| 40.0 + 170.0 * f32::from(u8::from(random.bool())))
            .collect();
        let at = |x: f32, y: usize| {
            let x = x.max(0.0);
            let (cell, rest) = ((x / 4.0) as usize, (x / 4.0).fract());
            let row = &cells[y / 4 * 20..][..20];
            // A pixel covers a quarter of a block.
            let over = ((rest - 0.75) * 4.0).max(0.0);
            row[cell] * (1.0 - over) + row[cell + 1] * over
        };
        (0..SIDE * SIDE)
            .map(|i| at((i % SIDE) as f32 + by, i / SIDE) as u8)
            .collect()
    }

    fn view(pixels: &[u8]) -> Luma<'_> {
        Luma::new(pixels, SIDE, SIDE, SIDE).expect("fits")
    }

    fn worst(canvas: &Canvas, truth: &[u8]) -> u8 {
        let shown = canvas.luma();
        (4 * SIDE..truth.len() - 4 * SIDE)
            .filter(|i| (4..SIDE - 4).contains(&(i % SIDE)))
            .map(|i| shown.bytes()[i].abs_diff(truth[i]))
            .max()
            .unwrap_or(0)
    }

    #[test]
    fn glare_counts_nothing_and_veils_little_in_any_order() {
        let truth = blocks(1, 0.0);
        // A highlight with a soft rim that moves from picture to picture.
        let spoilt = |middle: f32| -> Vec<u8> {
            let lamp = |i: usize| {
                let far = ((i % SIDE) as f32 - middle).abs() / 12.0;
                300.0 * (1.4 - far).clamp(0.0, 1.0)
            };
            (0..truth.len())
                .map(|i| (f32::from(truth[i]) + lamp(i)).min(255.0) as u8)
                .collect()
        };
        for order in [[4.0, 24.0, 44.0], [24.0, 44.0, 4.0], [44.0, 4.0, 24.0]] {
            let (mut canvas, mut scratch) = (Canvas::default(), Scratch::default());
            canvas.start(SIDE, SIDE);
            for middle in order {
                canvas.add(view(&spoilt(middle)), 0.0, 0.0, &mut scratch);
            }
            assert!(
                worst(&canvas, &truth) < 40,
                "{order:?}: {}",
                worst(&canvas, &truth)
            );
        }
    }

    #[test]
    fn what_only_glare_covered_stays_white() {
        let (mut canvas, mut scratch) = (Canvas::default(), Scratch::default());
        canvas.start(SIDE, SIDE);
        canvas.add(view(&[255; SIDE * SIDE]), 0.0, 0.0, &mut scratch);
        assert!(canvas.luma().bytes().iter().all(|&light| light == 255));
        assert_eq!(canvas.pictures(), 1);
    }

    #[test]
    fn the_mean_of_many_noisy_pictures_is_the_picture() {
        let truth = blocks(2, 0.0);
        let mut random = fastrand::Rng::with_seed(3);
        let (mut canvas, mut scratch) = (Canvas::default(), Scratch::default());
        canvas.start(SIDE, SIDE);
        for _ in 0..12 {
            let noisy: Vec<u8> = truth
                .iter()
                .map(|&light| light.saturating_add(random.u8(0..30)).saturating_sub(15))
                .collect();
            canvas.add(view(&noisy), 0.0, 0.0, &mut scratch);
        }
        assert!(worst(&canvas, &truth) <= 12, "{}", worst(&canvas, &truth));
    }

    #[test]
    fn pictures_between_pixels_are_put_in_their_place() {
        let truth = blocks(4, 0.0);
        let (mut canvas, mut scratch) = (Canvas::default(), Scratch::default());
        canvas.start(SIDE, SIDE);
        for by in [0.25, 0.5, 0.75] {
            canvas.add(view(&blocks(4, by)), -by, 0.0, &mut scratch);
        }
        // Interpolation blurs an edge of 170 levels by half a pixel at most.
        assert!(worst(&canvas, &truth) < 90, "{}", worst(&canvas, &truth));
    }

    #[test]
    fn anything_may_be_added_anywhere() {
        let (mut canvas, mut scratch) = (Canvas::default(), Scratch::default());
        let picture = [9; 12];
        let small = Luma::new(&picture, 4, 3, 4).expect("fits");
        for (width, height) in [(0, 0), (1, 1), (9, 17)] {
            canvas.start(width, height);
            for at in [0.0, -3.5, 2.9, 1e5, -1e5, 1e30, f32::NAN, f32::INFINITY] {
                canvas.add(small, at, -at, &mut scratch);
                canvas.add(Luma::empty(), at, at, &mut scratch);
            }
        }
        for _ in 0..10_000 {
            canvas.add(small, 0.0, 0.0, &mut scratch);
        }
        assert_eq!(canvas.luma().at(1, 1), 9);
    }
}
