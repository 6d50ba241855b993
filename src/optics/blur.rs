//! Motion blur, measured from the picture itself.
//!
//! Along the motion the blur has flattened what lies across it. So the gradients
//! are weakest along the motion: the structure tensor tells the direction. For
//! the length: blur by a way `L` makes every edge a slope that begins where the
//! edge is and ends `L` further on, so the derivative along the motion meets its
//! own negative after `L` (Yitzhaky and Kopeika, "Identification of blur
//! parameters from motion blurred images", 1997). Looked for a little to both
//! sides of the direction too, the same negative peak corrects the direction.

use super::{Turned, widest};
use crate::frame::Luma;
use crate::geometry::Point;

/// Shortest and longest motion that is looked for, in pixels.
pub const LENGTHS: std::ops::Range<usize> = 3..32;
/// Peaks that are less deep are chance.
const LEAST_DEPTH: f32 = 0.05;
/// Rows to each side in which the negative is looked for.
const ASIDE: usize = 3;

/// Sums of products of gradients over a part of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tensor {
    /// Of horizontal gradients with themselves.
    pub xx: f32,
    /// Of horizontal with vertical ones.
    pub xy: f32,
    /// Of vertical ones with themselves.
    pub yy: f32,
}

impl Tensor {
    /// Adds those of the pixels `columns` of a row, which has one above and one
    /// below and goes on by a pixel to both sides.
    #[inline(always)]
    fn add(&mut self, [above, row, below]: [&[u8]; 3], columns: std::ops::Range<usize>) {
        let (from, to) = (columns.start, columns.end);
        let lines = [
            &row[from - 1..to - 1],
            &row[from + 1..to + 1],
            &above[from..to],
            &below[from..to],
        ];
        // Of a length that is known it is a third of the instructions.
        let [xx, xy, yy] = match lines.map(|line| <&[u8; SIDE]>::try_from(line).ok()) {
            [Some(left), Some(right), Some(above), Some(below)] => {
                products(left, right, above, below)
            }
            _ => products(lines[0], lines[1], lines[2], lines[3]),
        };
        self.xx += xx as f32;
        self.xy += xy as f32;
        self.yy += yy as f32;
    }

    /// That of `luma`, of which every eighth row is looked at.
    pub fn of(luma: Luma<'_>) -> Self {
        let mut sum = Tensor::default();
        if luma.width() >= 3 {
            for y in (1..luma.height().saturating_sub(1)).step_by(8) {
                let lines = [luma.row(y - 1), luma.row(y), luma.row(y + 1)];
                sum.add(lines, 1..luma.width() - 1);
            }
        }
        sum
    }

    /// The sum of both.
    pub fn plus(&self, other: &Tensor) -> Tensor {
        Tensor {
            xx: self.xx + other.xx,
            xy: self.xy + other.xy,
            yy: self.yy + other.yy,
        }
    }

    /// Sum of the squared gradients in the direction where they are strongest.
    pub fn strongest(&self) -> f32 {
        let sum = self.xx + self.yy;
        0.5 * sum * (1.0 + self.anisotropy())
    }

    /// The direction in which gradients are weakest, of length 1.
    pub fn weakest(&self) -> Point {
        let angle = 0.5 * (2.0 * self.xy).atan2(self.xx - self.yy);
        Point::new(-angle.sin(), angle.cos())
    }

    /// How much weaker gradients are in that direction: 0 not at all, 1 nothing
    /// is left.
    pub fn anisotropy(&self) -> f32 {
        let sum = self.xx + self.yy;
        Point::new(self.xx - self.yy, 2.0 * self.xy).length() / sum.max(1e-6)
    }
}

/// Sums of the products of gradients along a line, from the pixels to the left, to
/// the right, above and below: xx, xy, yy.
#[inline(always)]
fn products(left: &[u8], right: &[u8], above: &[u8], below: &[u8]) -> [i32; 3] {
    let (mut xx, mut xy, mut yy) = (0i32, 0i32, 0i32);
    for (((&left, &right), &above), &below) in left.iter().zip(right).zip(above).zip(below) {
        // Products of 16-bit numbers added up: one instruction for eight.
        let dx = i32::from(i16::from(right) - i16::from(left));
        let dy = i32::from(i16::from(below) - i16::from(above));
        xx += dx * dx;
        xy += dx * dy;
        yy += dy * dy;
    }
    [xx, xy, yy]
}

/// Side of a tile in pixels.
const SIDE: usize = 32;
/// Every how many rows are looked at.
const STEP: usize = 8;

/// Structure tensors of a picture, tile by tile.
#[derive(Debug, Default)]
pub struct Relief {
    columns: usize,
    rows: usize,
    tiles: Vec<Tensor>,
}

impl Relief {
    /// Side of a tile in pixels.
    pub const SIDE: usize = SIDE;
    /// How many pixels of a tile are looked at.
    pub const LOOKED_AT: usize = SIDE * SIDE / STEP;

    /// Measures all tiles of `luma` that lie in it wholly.
    pub fn build(&mut self, luma: Luma<'_>) {
        measure(self, luma);
    }

    #[inline(always)]
    fn measure(&mut self, luma: Luma<'_>) {
        self.columns = luma.width() / SIDE;
        self.rows = luma.height() / SIDE;
        self.tiles.clear();
        self.tiles
            .resize(self.columns * self.rows, Tensor::default());
        for (row, tiles) in self.tiles.chunks_mut(self.columns.max(1)).enumerate() {
            for y in (row * SIDE..(row + 1) * SIDE).step_by(STEP) {
                let y = y.clamp(1, luma.height() - 2);
                let lines = [luma.row(y - 1), luma.row(y), luma.row(y + 1)];
                for (column, tile) in tiles.iter_mut().enumerate() {
                    let end = ((column + 1) * SIDE).min(luma.width() - 1);
                    tile.add(lines, (column * SIDE).max(1)..end);
                }
            }
        }
    }

    /// Columns of tiles.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All tiles, row by row.
    pub fn tiles(&self) -> &[Tensor] {
        &self.tiles
    }
}

/// A motion that may have blurred a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Motion {
    /// The way during the exposure, in pixels. It may have been the other way
    /// round.
    pub way: Point,
    /// How deep the negative peak is: 0.5 where nothing but blur is seen.
    pub depth: f32,
}

/// Finds motions, in memory that it keeps.
#[derive(Debug, Default)]
pub struct BlurMeter {
    /// Of the rows around the one that is looked at.
    slopes: Vec<f32>,
    width: usize,
    products: Vec<[f32; WINDOW]>,
}

const WINDOW: usize = 2 * ASIDE + 1;

impl BlurMeter {
    /// Begins with a rectangle of which all rows are there. False if it is too
    /// small to tell anything.
    pub fn start(&mut self, turned: &Turned) -> bool {
        let height = turned.rows();
        if turned.width() < 2 * LENGTHS.end || height < 8 * ASIDE {
            return false;
        }
        self.width = turned.width() - 2;
        self.products.clear();
        self.products.resize(LENGTHS.end + 1, [0.0; WINDOW]);
        true
    }

    /// Looks at one row of the rectangle that it began with; those near the rim
    /// tell nothing.
    pub fn add_row(&mut self, turned: &Turned, y: usize) {
        multiply(self, turned, y);
    }

    #[inline(always)]
    fn multiply(&mut self, turned: &Turned, y: usize) {
        let width = self.width;
        if y < ASIDE || y + ASIDE >= turned.rows() {
            return;
        }
        self.slopes.clear();
        for y in y - ASIDE..=y + ASIDE {
            let row = || turned.row(y);
            self.slopes
                .extend(row().zip(row().skip(2)).map(|(a, b)| b - a));
        }
        let row = |aside: usize| &self.slopes[aside * width..][..width];
        for (length, sums) in self.products.iter_mut().enumerate() {
            let here = &row(ASIDE)[..width - length];
            for (aside, sum) in sums.iter_mut().enumerate() {
                *sum += dot(here, &row(aside)[length..]);
            }
        }
    }

    /// The likeliest motions along the rows of the rectangle, best first, in its
    /// own coordinates; gives how many there are.
    pub fn motions(&self, found: &mut [Motion]) -> usize {
        let Some(power) = self.products.first().map(|sums| sums[ASIDE].max(1.0)) else {
            return 0;
        };
        let mut used = 0;
        let depth = |length: usize, aside: usize| -self.products[length][aside] / power;
        for length in LENGTHS {
            for aside in 1..2 * ASIDE {
                let here = depth(length, aside);
                let peak = (length - 1..=length + 1)
                    .all(|l| (aside - 1..=aside + 1).all(|a| depth(l, a) <= here));
                if !peak || here < LEAST_DEPTH {
                    continue;
                }
                let top = |before: f32, after: f32| {
                    let bend = before - 2.0 * here + after;
                    if bend < -1e-6 {
                        (before - after) / (2.0 * bend)
                    } else {
                        0.0
                    }
                };
                let x = length as f32 + top(depth(length - 1, aside), depth(length + 1, aside));
                let y = aside as f32 - ASIDE as f32
                    + top(depth(length, aside - 1), depth(length, aside + 1));
                let motion = Motion {
                    way: Point::new(x, y),
                    depth: here,
                };
                let place = found[..used]
                    .iter()
                    .position(|other| other.depth < here)
                    .unwrap_or(used);
                if place < found.len() {
                    used = (used + 1).min(found.len());
                    found[place..used].rotate_right(1);
                    found[place] = motion;
                }
            }
        }
        used
    }
}

/// Share of the squared slopes along the rows of `turned` that are steeper than a
/// motion by `length` pixels along them leaves any: it spreads each edge over its
/// whole way, so no slope exceeds the contrast over that, here with a quarter more
/// for noise. Every fourth row is looked at.
pub fn too_steep(turned: &Turned, length: f32) -> f32 {
    /// Share of the pixels that the contrast leaves out at either end.
    const REST: u32 = 32;
    let rows = || (0..turned.rows()).step_by(4);
    let mut counts = [0u32; 256];
    for y in rows() {
        // Casting saturates.
        turned
            .row(y)
            .for_each(|value| counts[usize::from(value as u8)] += 1);
    }
    let rest = counts.iter().sum::<u32>() / REST;
    let beyond = |counts: &mut dyn Iterator<Item = &u32>| {
        let mut left = rest;
        let mut within = |count: &u32| {
            let within = *count <= left;
            left = left.saturating_sub(*count);
            within
        };
        counts.take_while(|count| within(count)).count()
    };
    let cut = beyond(&mut counts.iter()) + beyond(&mut counts.iter().rev());
    let contrast = 255usize.saturating_sub(cut) as f32;
    // Over two pixels.
    let most = 1.25 * 2.0 * contrast / length.max(1.0);
    let (mut steep, mut all) = (0.0, 0.0);
    for y in rows() {
        for (before, after) in turned.row(y).zip(turned.row(y).skip(2)) {
            let slope = (after - before) * (after - before);
            all += slope;
            steep += if slope > most * most { slope } else { 0.0 };
        }
    }
    steep / f32::max(all, 1.0)
}

widest! {
    /// See [`Relief::measure`].
    fn measure(relief: &mut Relief, luma: Luma<'_>) = Relief::measure;
}
widest! {
    /// See [`BlurMeter::multiply`].
    fn multiply(meter: &mut BlurMeter, turned: &Turned, y: usize) = BlurMeter::multiply;
}

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    let (a, rest_a) = a.as_chunks::<8>();
    let (b, rest_b) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f32 = rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::optics::Sampler;

    /// Cells of `cell` pixels, turned, dark or light at random, seen by a camera
    /// that moved by `way` and is a little noisy.
    pub fn cells(side: usize, cell: f32, turn: f32, way: Point, seed: u64) -> Vec<u8> {
        const SAMPLES: usize = 48;
        let mut random = fastrand::Rng::with_seed(seed);
        let dark: Vec<bool> = (0..64 * 64).map(|_| random.bool()).collect();
        let (sin, cos) = turn.sin_cos();
        let light = |x: f32, y: f32| {
            let index = |at: f32| (at / cell).floor() as i32 as usize % 64;
            let at = index(x * cos - y * sin) * 64 + index(x * sin + y * cos);
            if dark[at] { 40.0f32 } else { 210.0 }
        };
        let mut noise = || (0..12).map(|_| random.f32()).sum::<f32>() - 6.0;
        (0..side * side)
            .map(|i| {
                let sum: f32 = (0..SAMPLES)
                    .map(|n| {
                        let time = (n as f32 + 0.5) / SAMPLES as f32 - 0.5;
                        let spread = |step: usize| (n * step % SAMPLES) as f32 / SAMPLES as f32;
                        let x = (i % side) as f32 + spread(11) + time * way.x;
                        let y = (i / side) as f32 + spread(29) + time * way.y;
                        light(x + 1000.0, y + 1000.0)
                    })
                    .sum();
                (sum / SAMPLES as f32 + 3.0 * noise()) as u8
            })
            .collect()
    }

    /// The likeliest motion of a whole picture.
    fn measured(luma: Luma<'_>) -> (Tensor, Option<Motion>) {
        let tensor = Tensor::of(luma);
        let (width, height) = (luma.width(), luma.height());
        let (mut turned, mut meter) = (Turned::default(), BlurMeter::default());
        let Some(sampler) = Sampler::new(luma, 0) else {
            return (tensor, None);
        };
        let centre = Point::new(width as f32 / 2.0, height as f32 / 2.0);
        let mut along = tensor.weakest();
        let mut best = None;
        for _ in 0..2 {
            turned.lay(&sampler, centre, along, (width, height));
            turned.take(&sampler, height);
            let mut found = [Motion::default(); 2];
            if !meter.start(&turned) {
                break;
            }
            (0..height).for_each(|y| meter.add_row(&turned, y));
            if meter.motions(&mut found) > 0 {
                let way = found[0].way;
                let way = along * way.x + Point::new(-along.y, along.x) * way.y;
                best = Some(Motion { way, ..found[0] });
                along = way * (1.0 / way.length());
            }
        }
        (tensor, best)
    }

    #[test]
    fn direction_and_length_of_a_motion_are_found() {
        for (seed, (length, cell)) in [
            (6.0, 2.5),
            (8.0, 4.0),
            (12.0, 4.0),
            (16.0, 4.0),
            (20.0, 6.0),
        ]
        .into_iter()
        .enumerate()
        {
            for step in 0..6 {
                let angle = 0.1 + 0.5 * step as f32;
                let way = Point::new(angle.cos(), angle.sin()) * length;
                let picture = cells(144, cell, 0.3 * seed as f32, way, seed as u64);
                let luma = Luma::new(&picture, 144, 144, 144).expect("fits");
                let (tensor, motion) = measured(luma);
                assert!(tensor.anisotropy() > 0.3, "{length} {angle}");
                let motion = motion.expect("moved");
                assert!(
                    (motion.way.length() - length).abs() < 0.7,
                    "{length} {angle}: {motion:?}"
                );
                let off = motion.way.cross(way) / (motion.way.length() * length);
                assert!(off.abs() < 0.1, "{length} {angle}: {motion:?}");
                assert!(motion.depth > 0.2, "{length} {angle}: {motion:?}");
            }
        }
    }

    #[test]
    fn what_did_not_move_has_gradients_in_all_directions() {
        let still = cells(144, 4.0, 0.4, Point::default(), 9);
        let luma = Luma::new(&still, 144, 144, 144).expect("fits");
        assert!(Tensor::of(luma).anisotropy() < 0.2);
        let mut relief = Relief::default();
        relief.build(luma);
        assert_eq!((relief.columns(), relief.tiles().len()), (4, 16));
        let all = |sum: Tensor, tile: &Tensor| sum.plus(tile);
        let sum = relief.tiles().iter().fold(Tensor::default(), all);
        assert!(sum.anisotropy() < 0.2);
    }

    #[test]
    fn a_motion_leaves_no_slope_steeper_than_itself() {
        let lay = |picture: &[u8]| {
            let luma = Luma::new(picture, 144, 144, 144).expect("fits");
            let sampler = Sampler::new(luma, 0).expect("not empty");
            let mut turned = Turned::default();
            let middle = Point::new(72.0, 72.0);
            turned.lay(&sampler, middle, Point::new(1.0, 0.0), (140, 140));
            turned.take(&sampler, 140);
            turned
        };
        for length in [6.0, 10.0, 16.0] {
            let way = Point::new(length, 0.0);
            let moved = too_steep(&lay(&cells(144, 4.0, 0.4, way, 5)), length);
            let still = too_steep(&lay(&cells(144, 4.0, 0.4, Point::default(), 5)), length);
            assert!(moved < 0.6 && still > 0.8, "{length}: {moved} {still}");
        }
        assert_eq!(too_steep(&Turned::default(), 8.0), 0.0);
    }

    #[test]
    fn wide_and_narrow_registers_measure_alike() {
        let (side, way) = (200, Point::new(9.0, 4.0));
        let pixels = cells(side, 5.0, 0.4, way, 3);
        let luma = Luma::new(&pixels, side, side, side).expect("fits");
        let (mut wide, mut narrow) = (Relief::default(), Relief::default());
        wide.build(luma);
        narrow.measure(luma);
        assert_eq!(wide.tiles, narrow.tiles);
        let sampler = Sampler::new(luma, 0).expect("a picture");
        let mut turned = Turned::default();
        turned.lay(&sampler, Point::new(100.0, 100.0), way, (side, side));
        turned.take(&sampler, side);
        let (mut wide, mut narrow) = (BlurMeter::default(), BlurMeter::default());
        assert!(wide.start(&turned) && narrow.start(&turned));
        for y in 0..turned.rows() {
            wide.add_row(&turned, y);
            narrow.multiply(&turned, y);
        }
        assert!(wide.products == narrow.products);
    }

    #[test]
    fn tiny_flat_and_empty_pictures_tell_nothing() {
        for (width, height) in [(0, 0), (1, 1), (2, 300), (300, 2), (33, 33), (90, 90)] {
            let flat = vec![128u8; width * height];
            let luma = Luma::new(&flat, width, height, width).expect("fits");
            let (tensor, motion) = measured(luma);
            assert_eq!(tensor.anisotropy(), 0.0);
            assert_eq!(motion, None);
            let mut relief = Relief::default();
            relief.build(luma);
            assert!(relief.tiles().iter().all(|tile| *tile == Tensor::default()));
        }
    }
}
