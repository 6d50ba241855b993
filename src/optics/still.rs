//! What stays as it was from frame to frame: the ground below a belt that stands.
//!
//! The texture of an empty belt costs a reader more than anything else on it, and
//! on a belt that stands it is the same texture in every frame. A part of the
//! picture in which a whole look found nothing, and which has not changed since,
//! can be left out of the next looks. Not for good: now and then everything is
//! looked at again, so that what noise hid in one frame is seen in another.

use super::{TILE, Threshold};
use crate::frame::Luma;
use crate::geometry::Quad;

/// The level of the pyramid on which pictures are compared: a quarter of their
/// sides, so that a pixel is the mean of sixteen and a quarter of their noise.
pub const COMPARED: usize = 2;
/// Side of a block, in pixels of the level that is compared …
const SIDE: usize = 16;
/// … and of the picture itself.
const BLOCK: usize = SIDE << COMPARED;
/// Levels of which blocks are left out. On coarser ones, where there is hardly
/// anything to be saved, a part of a pattern may cover whole blocks.
const LEVELS: usize = 2;
/// Grey levels that a pixel of the compared level may change: more than four
/// standard deviations of noise that has one of four grey levels in the picture.
const NOISE: u8 = 6;
/// Looks at a part of the picture only, for each at all of it.
const PARTIAL: u32 = 9;
/// Where fewer than one of so many blocks could be left out the picture moves: it is
/// looked at as a whole, and the next one compared with it.
const FEW: usize = 4;

/// Compares each picture with the last one that was looked at as a whole. Keeps its
/// memory.
#[derive(Debug, Default)]
pub struct Still {
    reference: Vec<u8>,
    width: usize,
    height: usize,
    columns: usize,
    rows: usize,
    /// Nothing was found there in the reference.
    barren: Vec<bool>,
    changed: Vec<bool>,
    left_out: Vec<bool>,
    /// Partial looks until the next one at everything.
    partial: u32,
    is_partial: bool,
}

impl Still {
    /// Begins with a picture, given as its level [`COMPARED`].
    pub fn start(&mut self, picture: Luma<'_>) {
        self.is_partial = false;
        if self.partial == 0 || (picture.width(), picture.height()) != (self.width, self.height) {
            return;
        }
        self.partial -= 1;
        self.compare(picture);
        let (columns, rows) = (self.columns, self.rows);
        let mut count = 0;
        for row in 0..rows {
            for column in 0..columns {
                // What comes into a block changes the blocks around it, or may.
                let around = (row.saturating_sub(1)..(row + 2).min(rows)).all(|row| {
                    let from = row * columns + column.saturating_sub(1);
                    let to = row * columns + (column + 2).min(columns);
                    self.changed[from..to].iter().all(|&changed| !changed)
                });
                let block = row * columns + column;
                self.left_out[block] = around && self.barren[block];
                count += usize::from(self.left_out[block]);
            }
        }
        self.is_partial = count > 0 && FEW * count >= columns * rows;
    }

    /// Is this picture looked at in part only?
    pub fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// Makes all light in what is left out of level `level`.
    pub fn blank(&self, level: usize, threshold: &mut Threshold) {
        if !self.is_partial || level >= LEVELS {
            return;
        }
        let tiles = BLOCK / (TILE << level);
        for (row, blocks) in self.left_out.chunks_exact(self.columns).enumerate() {
            for (column, _) in blocks.iter().enumerate().filter(|(_, out)| **out) {
                let (columns, rows) = (column * tiles, row * tiles);
                threshold.blank(columns..columns + tiles, rows..rows + tiles);
            }
        }
    }

    /// A picture, given as its level [`COMPARED`], was looked at as a whole, and
    /// `found` is what was found, in pixels of the picture itself.
    pub fn learn(&mut self, picture: Luma<'_>, found: impl Iterator<Item = Quad>) {
        (self.width, self.height) = (picture.width(), picture.height());
        self.columns = self.width.div_ceil(SIDE);
        self.rows = self.height.div_ceil(SIDE);
        self.reference.clear();
        for y in 0..self.height {
            self.reference.extend_from_slice(picture.row(y));
        }
        let blocks = self.columns * self.rows;
        self.changed.resize(blocks, false);
        self.left_out.resize(blocks, false);
        self.barren.clear();
        self.barren.resize(blocks, true);
        let block = |at: f32| (at / BLOCK as f32).max(0.0) as usize;
        for quad in found {
            let (left, top, right, bottom) = quad.bounds();
            for row in block(top)..=block(bottom).min(self.rows.saturating_sub(1)) {
                for column in block(left)..=block(right).min(self.columns.saturating_sub(1)) {
                    self.barren[row * self.columns + column] = false;
                }
            }
        }
        self.partial = PARTIAL;
    }

    fn compare(&mut self, picture: Luma<'_>) {
        self.changed.fill(false);
        for (y, reference) in self.reference.chunks_exact(self.width.max(1)).enumerate() {
            let row = y / SIDE * self.columns;
            let changed = &mut self.changed[row..row + self.columns];
            let (blocks, rest) = picture.row(y).as_chunks::<SIDE>();
            let (before, rest_before) = reference.as_chunks::<SIDE>();
            for ((changed, now), before) in changed.iter_mut().zip(blocks).zip(before) {
                *changed |= difference(now, before) > NOISE;
            }
            if !rest.is_empty() {
                changed[blocks.len()] |= difference(rest, rest_before) > NOISE;
            }
        }
    }
}

/// The largest difference of two pixels.
#[inline]
fn difference(a: &[u8], b: &[u8]) -> u8 {
    a.iter()
        .zip(b)
        .fold(0, |most, (&a, &b)| most.max(a.abs_diff(b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Point;
    use crate::optics::Window;

    const WIDTH: usize = 200;
    const HEIGHT: usize = 120;

    fn luma(pixels: &[u8]) -> Luma<'_> {
        Luma::new(pixels, WIDTH, HEIGHT, WIDTH).expect("fits")
    }

    /// Thresholds of a level of a picture whose compared level is that large, all of
    /// them above 0.
    fn thresholds(level: usize) -> Threshold {
        let scale = 1 << (COMPARED - level);
        let (width, height) = (WIDTH * scale, HEIGHT * scale);
        let half: Vec<u8> = (0..width * height / 4)
            .map(|i| (i % 2 * 200) as u8)
            .collect();
        let half = Luma::new(&half, width / 2, height / 2, width / 2).expect("fits");
        let mut threshold = Threshold::default();
        let window = Window {
            radius: 1,
            floor: 8,
        };
        threshold.build(width, height, half, window);
        threshold
    }

    /// Which blocks of level `level` are light as a whole, after `still` has its way.
    fn blanks(still: &Still, level: usize) -> Vec<bool> {
        let mut threshold = thresholds(level);
        still.blank(level, &mut threshold);
        let tiles = BLOCK / (TILE << level);
        let light = |block: usize| {
            let (row, column) = (block / still.columns, block % still.columns);
            threshold.tile(column * tiles, row * tiles) == 0
        };
        (0..still.columns * still.rows).map(light).collect()
    }

    #[test]
    fn what_stands_is_left_out_and_what_comes_is_not() {
        let mut pixels: Vec<u8> = (0..WIDTH * HEIGHT).map(|i| (i * i % 251) as u8).collect();
        let mut still = Still::default();
        still.start(luma(&pixels));
        assert!(!still.is_partial(), "nothing to compare with");
        // A finder pattern in the first block.
        let found = Quad([
            Point::new(10.0, 10.0),
            Point::new(40.0, 10.0),
            Point::new(40.0, 40.0),
            Point::new(10.0, 40.0),
        ]);
        still.learn(luma(&pixels), [found].into_iter());

        // As much as noise does, and one pixel that is changed in block (6, 4).
        for pixel in pixels.iter_mut().step_by(3) {
            *pixel = pixel.saturating_add(NOISE);
        }
        let place = (4 * SIDE + 15) * WIDTH + 6 * SIDE;
        pixels[place] = pixels[place].wrapping_add(128);
        still.start(luma(&pixels));
        assert!(still.is_partial());
        for level in 0..LEVELS {
            let blanks = blanks(&still, level);
            for (block, blank) in blanks.into_iter().enumerate() {
                let (row, column) = (block / still.columns, block % still.columns);
                let near = (5..=7).contains(&column) && (3..=5).contains(&row);
                assert_eq!(blank, block != 0 && !near, "{column}, {row}");
            }
        }
        assert!(blanks(&still, LEVELS).iter().all(|blank| !blank));
    }

    #[test]
    fn everything_is_looked_at_now_and_then_and_where_most_has_changed() {
        let pixels = vec![90; WIDTH * HEIGHT];
        let mut still = Still::default();
        still.learn(luma(&pixels), std::iter::empty());
        for _ in 0..PARTIAL {
            still.start(luma(&pixels));
            assert!(still.is_partial());
        }
        still.start(luma(&pixels));
        assert!(!still.is_partial());

        still.learn(luma(&pixels), std::iter::empty());
        still.start(luma(&vec![140; WIDTH * HEIGHT]));
        assert!(!still.is_partial(), "other light");

        still.learn(luma(&pixels), std::iter::empty());
        let other = Luma::new(&pixels, WIDTH / 2, HEIGHT, WIDTH / 2).expect("fits");
        still.start(other);
        assert!(!still.is_partial(), "another size");
    }

    #[test]
    fn a_picture_without_pixels_is_no_trouble() {
        let empty = Luma::new(&[], 0, 0, 0).expect("fits");
        let mut still = Still::default();
        still.learn(empty, std::iter::empty());
        still.start(empty);
        still.blank(0, &mut Threshold::default());
    }
}
