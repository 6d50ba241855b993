//! The local border between light and dark.
//!
//! The picture is cut into tiles of [`TILE`] by [`TILE`] pixels. Each tile has a
//! middle (half way between its extremes) and a weight (how far they lie apart,
//! beyond noise); the threshold of a tile is the weighted mean of the middles
//! around it. So it is edges that decide, not the area that happens to be light
//! or dark around them, and a flat tile has no say. Where nothing around has
//! contrast the threshold is 0 and all is light: flat ground yields no edges and
//! costs the scan nothing.
//!
//! The extremes are those of the next coarser level, whose pixels are means of
//! four: half the noise for a quarter of the work.

use std::ops::Range;

use super::widest;
use crate::frame::Luma;

/// Side of a tile in pixels of the level that is thresholded.
pub const TILE: usize = 8;

/// From how far around a tile's threshold is taken, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Tiles to each side.
    pub radius: usize,
    /// Grey levels between extremes that still count as flat.
    pub floor: u8,
}

/// Thresholds of one level, tile by tile.
#[derive(Debug, Default)]
pub struct Threshold {
    columns: usize,
    rows: usize,
    tiles: Vec<u8>,
    low: Vec<u8>,
    high: Vec<u8>,
    middle: Vec<u8>,
    weight: Vec<u8>,
    /// Of weighted middles and of weights, column by column, with room at both ends.
    sums: [Vec<f32>; 2],
}

impl Threshold {
    /// Measures `width` by `height` pixels of a level from `half`, the next
    /// coarser one (half the sides, rounded down).
    pub fn build(&mut self, width: usize, height: usize, half: Luma<'_>, window: Window) {
        self.columns = width.div_ceil(TILE);
        self.rows = height.div_ceil(TILE);
        let count = self.columns * self.rows;
        self.tiles.resize(count, 0);
        if half.width() == 0 || half.height() == 0 {
            self.tiles.fill(0);
            return;
        }
        self.middle.resize(count, 0);
        self.weight.resize(count, 0);
        measure(self, half, window);
    }

    /// Below this value a pixel of tile column `column`, row `row` is dark.
    #[inline]
    pub fn tile(&self, column: usize, row: usize) -> u8 {
        self.tiles[row * self.columns + column]
    }

    /// The thresholds of one row of tiles.
    pub fn row(&self, row: usize) -> &[u8] {
        &self.tiles[row * self.columns..][..self.columns]
    }

    /// Takes all for light in these tiles, as far as there are so many.
    pub fn blank(&mut self, columns: Range<usize>, rows: Range<usize>) {
        let columns = columns.start.min(self.columns)..columns.end.min(self.columns);
        for row in rows.start..rows.end.min(self.rows) {
            self.tiles[row * self.columns..][columns.clone()].fill(0);
        }
    }

    #[inline(always)]
    fn measure(&mut self, half: Luma<'_>, window: Window) {
        self.extremes(half, window.floor);
        self.smooth(window.radius);
    }

    #[inline(always)]
    fn extremes(&mut self, half: Luma<'_>, floor: u8) {
        const SIDE: usize = TILE / 2;
        let padded = self.columns * SIDE;
        self.low.resize(padded, 0);
        self.high.resize(padded, 0);
        for row in 0..self.rows {
            let first = (row * SIDE).min(half.height() - 1);
            let last = (first + SIDE).min(half.height());
            let width = half.width().min(padded);
            self.low[..width].copy_from_slice(&half.row(first)[..width]);
            self.high[..width].copy_from_slice(&half.row(first)[..width]);
            for y in first + 1..last {
                let pixels = &half.row(y)[..width];
                for (low, &pixel) in self.low.iter_mut().zip(pixels) {
                    *low = (*low).min(pixel);
                }
                for (high, &pixel) in self.high.iter_mut().zip(pixels) {
                    *high = (*high).max(pixel);
                }
            }
            let (low, high) = (self.low[width - 1], self.high[width - 1]);
            self.low[width..].fill(low);
            self.high[width..].fill(high);
            let tiles = row * self.columns..(row + 1) * self.columns;
            for (((middle, weight), low), high) in self.middle[tiles.clone()]
                .iter_mut()
                .zip(&mut self.weight[tiles])
                .zip(self.low.as_chunks::<SIDE>().0)
                .zip(self.high.as_chunks::<SIDE>().0)
            {
                let low = low[0].min(low[1]).min(low[2].min(low[3]));
                let high = high[0].max(high[1]).max(high[2].max(high[3]));
                *weight = (high - low).saturating_sub(floor);
                *middle = low + (high - low).div_ceil(2);
            }
        }
    }

    /// Weighted mean over (2 radius + 1)² tiles: sums over columns that slide from
    /// row to row, then over as many of them side by side. All sums are whole numbers
    /// below 2^24 for windows of up to 8 tiles each way, so they are exact.
    #[inline(always)]
    fn smooth(&mut self, radius: usize) {
        let (columns, rows) = (self.columns, self.rows);
        for sums in &mut self.sums {
            sums.clear();
            sums.resize(columns + 2 * radius, 0.0);
        }
        let Self {
            tiles,
            middle,
            weight,
            sums: [products, weights],
            ..
        } = self;
        let accumulate = |products: &mut [f32], weights: &mut [f32], row: usize, sign: f32| {
            let range = row * columns..(row + 1) * columns;
            for (((product, sum), &weight), &middle) in products[radius..]
                .iter_mut()
                .zip(&mut weights[radius..])
                .zip(&weight[range.clone()])
                .zip(&middle[range])
            {
                let weight = sign * f32::from(weight);
                *product += weight * f32::from(middle);
                *sum += weight;
            }
        };
        for row in 0..radius.min(rows) {
            accumulate(products, weights, row, 1.0);
        }
        for row in 0..rows {
            if row + radius < rows {
                accumulate(products, weights, row + radius, 1.0);
            }
            let out = &mut tiles[row * columns..(row + 1) * columns];
            match radius {
                1 => mean::<3>(products, weights, out),
                2 => mean::<5>(products, weights, out),
                3 => mean::<7>(products, weights, out),
                _ => {
                    for (column, tile) in out.iter_mut().enumerate() {
                        let window = column..column + 2 * radius + 1;
                        let product: f32 = products[window.clone()].iter().sum();
                        let weight: f32 = weights[window].iter().sum();
                        *tile = (product / weight.max(0.5) + 0.5) as u8;
                    }
                }
            }
            if row >= radius {
                accumulate(products, weights, row - radius, -1.0);
            }
        }
    }
}

widest! {
    /// See [`Threshold::measure`].
    fn measure(threshold: &mut Threshold, half: Luma<'_>, window: Window) = Threshold::measure;
}

/// Sums of `products` over those of `weights`, `SIDE` of each side by side; 0 where
/// there is no weight. Of a length that is known, so that compilers turn it into
/// vector code.
#[inline(always)]
fn mean<const SIDE: usize>(products: &[f32], weights: &[f32], out: &mut [u8]) {
    let count = out.len();
    let products: [&[f32]; SIDE] = std::array::from_fn(|i| &products[i..][..count]);
    let weights: [&[f32]; SIDE] = std::array::from_fn(|i| &weights[i..][..count]);
    for i in 0..count {
        let (mut product, mut weight) = (0.0, 0.0);
        for (products, weights) in products.iter().zip(&weights) {
            product += products[i];
            weight += weights[i];
        }
        out[i] = (product / f32::max(weight, 0.5) + 0.5) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(half: &[u8], width: usize, height: usize, radius: usize) -> Threshold {
        let mut threshold = Threshold::default();
        let luma = Luma::new(half, width, height, width).expect("fits");
        let window = Window { radius, floor: 12 };
        threshold.build(2 * width + 1, 2 * height, luma, window);
        threshold
    }

    #[test]
    fn edges_decide_and_flat_ground_is_light() {
        // 12 by 8 half pixels: light ground, one dark pixel, a gentle slope.
        let mut half = [200u8; 96];
        half[13] = 40;
        half[95] = 195;
        let threshold = build(&half, 12, 8, 0);
        assert_eq!(threshold.row(0), &[120, 0, 0, 0]);
        assert_eq!(threshold.row(1), &[0, 0, 0, 0]);
        let threshold = build(&half, 12, 8, 1);
        assert_eq!(threshold.row(0), &[120, 120, 0, 0]);
        assert_eq!(threshold.row(1), &[120, 120, 0, 0]);
        assert_eq!(threshold.tile(1, 1), 120);
    }

    #[test]
    fn the_sliding_sums_are_the_weighted_mean_of_the_window() {
        let (width, height, radius) = (40, 28, 2);
        let half: Vec<u8> = (0..width * height).map(|i| (i * i % 241) as u8).collect();
        let threshold = build(&half, width, height, radius);
        let (columns, rows) = (threshold.columns, threshold.rows);
        for row in 0..rows {
            for column in 0..columns {
                let (mut product, mut total) = (0u32, 0u32);
                for y in row.saturating_sub(radius)..(row + radius + 1).min(rows) {
                    for x in column.saturating_sub(radius)..(column + radius + 1).min(columns) {
                        let weight = u32::from(threshold.weight[y * columns + x]);
                        product += weight * u32::from(threshold.middle[y * columns + x]);
                        total += weight;
                    }
                }
                let expected = (f64::from(product) / f64::from(total) + 0.5) as i32;
                assert!((expected - i32::from(threshold.tile(column, row))).abs() <= 1);
            }
        }
    }

    #[test]
    fn wide_and_narrow_registers_give_the_same_thresholds() {
        let mut random = fastrand::Rng::with_seed(1);
        for radius in 0..5 {
            let (width, height) = (random.usize(1..400), random.usize(1..60));
            let half: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
                .take(width * height)
                .collect();
            let wide = build(&half, width, height, radius);
            let mut narrow = build(&half, width, height, radius);
            narrow.tiles.fill(0);
            let luma = Luma::new(&half, width, height, width).expect("fits");
            narrow.measure(luma, Window { radius, floor: 12 });
            assert_eq!(wide.tiles, narrow.tiles);
        }
    }

    #[test]
    fn an_empty_or_tiny_picture_has_thresholds_of_its_size() {
        let mut threshold = Threshold::default();
        let empty = Luma::new(&[], 0, 0, 0).expect("fits");
        let window = Window {
            radius: 1,
            floor: 12,
        };
        threshold.build(0, 0, empty, window);
        threshold.build(1, 1, empty, window);
        assert_eq!(threshold.tile(0, 0), 0);
        assert_eq!(build(&[7], 1, 1, 3).tile(0, 0), 0);
    }
}
