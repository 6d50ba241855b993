//! Where a strip has ink: columns and rows of it, and the gaps between.

use super::{HEIGHT, Strip};

/// Least distance of ink from the background, in grey levels: below it a strip is
/// blank (the noise of a dark picture is of this size).
const LEAST_CONTRAST: i32 = 14;
/// What counts as ink, in percent of the darkest ink's distance from the
/// background: soft rims of letters do not.
const INK: i32 = 40;
/// What counts as full ink, in percent as well: 55 keeps letters apart in blur of two
/// strokes, and the strokes of faint print whole (seeds 77 and 78 of the bench).
const FULL: i32 = 55;
/// … and at least so much of the whole strip's contrast, in percent.
const LEAST_INK: i32 = 18;
/// Columns that have one background, with two such blocks on either side.
const BLOCK: usize = 24;
/// Columns left blank beside the text where a strip is trimmed.
const MARGIN: usize = 6;

/// The grey value below which `percent` of the pixels lie.
fn quantile(histogram: &[u32; 256], percent: u32) -> i32 {
    let all: u32 = histogram.iter().sum();
    let mut sum = 0;
    let at = histogram.iter().position(|n| {
        sum += n;
        u64::from(sum) * 100 > u64::from(all) * u64::from(percent)
    });
    at.unwrap_or(255) as i32
}

/// The ink of a strip.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ink {
    /// For each column, how many of its pixels are ink.
    pub(super) columns: Vec<u16>,
    /// First row with ink, and the one after the last.
    pub(super) rows: (usize, usize),
    /// Whether it is darker than the background.
    pub(super) darker: bool,
}

impl Ink {
    /// The stronger of what is darker than the background and what is lighter. `None`
    /// if the strip is blank.
    pub(super) fn of(strip: &Strip) -> Option<Self> {
        Self::seen(strip, false, INK)
    }

    /// The weaker of the two: glare is lighter than faint print is dark. `None` if
    /// there is nothing of that kind.
    pub(super) fn weaker(strip: &Strip) -> Option<Self> {
        Self::seen(strip, true, INK)
    }

    /// The same ink as far as it is full: letters that run together in blur come
    /// apart.
    pub(super) fn full(&self, strip: &Strip) -> Option<Self> {
        let of = Self::seen(strip, false, FULL)?;
        match of.darker == self.darker {
            true => Some(of),
            false => Self::seen(strip, true, FULL),
        }
    }

    fn seen(strip: &Strip, weaker: bool, percent: i32) -> Option<Self> {
        let luma = strip.luma();
        let mut whole = [0u32; 256];
        let blocks = strip.width().div_ceil(BLOCK);
        let mut histograms = vec![[0u32; 256]; blocks];
        for y in 0..luma.height() {
            for (pixels, histogram) in luma.row(y).chunks(BLOCK).zip(&mut histograms) {
                for &grey in pixels {
                    histogram[usize::from(grey)] += 1;
                    whole[usize::from(grey)] += 1;
                }
            }
        }
        let middle = quantile(&whole, 50);
        let (dark, light) = (quantile(&whole, 2), quantile(&whole, 98));
        let darker = (middle - dark >= light - middle) != weaker;
        let contrast = if darker {
            middle - dark
        } else {
            light - middle
        };
        if contrast < LEAST_CONTRAST {
            return None;
        }
        // Letters cover less than half of a line, so the median is background.
        // Light letters on dark ground are ink as well.
        let sign = if darker { 1 } else { -1 };
        let mut columns = vec![0u16; strip.width()];
        let mut rows = [0usize; HEIGHT];
        for block in 0..blocks {
            // Glare and shadows change the background along the line.
            let mut around = [0u32; 256];
            for near in &histograms[block.saturating_sub(2)..(block + 3).min(blocks)] {
                around.iter_mut().zip(near).for_each(|(sum, n)| *sum += n);
            }
            let (background, ink) = match sign {
                1 => (quantile(&around, 65), quantile(&around, 2)),
                _ => (quantile(&around, 35), quantile(&around, 98)),
            };
            let least = contrast * LEAST_INK / 100;
            let threshold = ((background - ink).abs() * percent / 100).max(least);
            let (from, to) = (block * BLOCK, ((block + 1) * BLOCK).min(strip.width()));
            for (y, in_row) in rows.iter_mut().enumerate() {
                let pixels = &luma.row(y)[from..to];
                for (column, &grey) in columns[from..to].iter_mut().zip(pixels) {
                    if (background - i32::from(grey)) * sign >= threshold {
                        *column += 1;
                        *in_row += 1;
                    }
                }
            }
        }
        // A speck is no row.
        let text = |&n: &usize| n > strip.width() / 50 + 1;
        let first = rows.iter().position(text)?;
        let last = rows.iter().rposition(text)?;
        Some(Self {
            columns,
            rows: (first, last + 1),
            darker,
        })
    }

    /// Has the column enough ink to be part of a letter?
    fn inked(&self, column: usize) -> bool {
        self.columns[column] >= 2
    }

    /// The columns from the first ink to the last with a margin: (from, to).
    pub(super) fn extent(&self) -> (usize, usize) {
        let columns = 0..self.columns.len();
        let first = columns.clone().find(|&x| self.inked(x)).unwrap_or(0);
        let last = columns.rev().find(|&x| self.inked(x)).unwrap_or(0);
        (
            first.saturating_sub(MARGIN),
            (last + 1 + MARGIN).min(self.columns.len()),
        )
    }

    /// The first inked column from `from` to before `to`, and the one after the last.
    pub(super) fn inked_between(&self, from: usize, to: usize) -> Option<(usize, usize)> {
        let mut inked = (from..to.min(self.columns.len())).filter(|&x| self.inked(x));
        let first = inked.next()?;
        Some((first, inked.next_back().unwrap_or(first) + 1))
    }

    /// The middle of the widest run of blank columns from `from` to before `to`,
    /// and how wide it is.
    pub(super) fn widest_gap(&self, from: usize, to: usize) -> (usize, usize) {
        let to = to.min(self.columns.len());
        let (mut best, mut start) = ((from + to) / 2, None);
        let mut widest = 0;
        for x in from..=to {
            let blank = x < to && !self.inked(x);
            match (blank, start) {
                (true, None) => start = Some(x),
                (false, Some(begun)) => {
                    if x - begun > widest {
                        widest = x - begun;
                        best = (begun + x) / 2;
                    }
                    start = None;
                }
                _ => {}
            }
        }
        (best, widest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Luma;
    use crate::geometry::{Point, Quad};

    #[test]
    fn letters_that_run_together_come_apart_where_the_ink_is_full() {
        // Strokes 8 wide, half dark in the 4 columns between them.
        let pixels: Vec<u8> = (0..300 * HEIGHT)
            .map(|at| match (at % 300, at / 300) {
                (30..270, 10..38) if at % 12 < 8 => 40,
                (30..270, 10..38) => 120,
                _ => 200,
            })
            .collect();
        let luma = Luma::new(&pixels, 300, HEIGHT, 300).expect("fits");
        let corners = [(0.0, 0.0), (300.0, 0.0), (300.0, 48.0), (0.0, 48.0)];
        let corners = Quad(corners.map(|(x, y)| Point::new(x, y)));
        let strip = Strip::cut(luma, &corners).expect("inside");
        let ink = Ink::of(&strip).expect("ink");
        assert_eq!(ink.widest_gap(40, 52).1, 0);
        let full = ink.full(&strip).expect("ink");
        assert_eq!(full.widest_gap(40, 52), (46, 4));
        assert_eq!(full.inked_between(46, 58), Some((48, 56)));
        assert_eq!(full.inked_between(280, 400), None);
    }

    #[test]
    fn faint_print_beside_glare_is_the_weaker_ink() {
        // Columns of print 40 below the paper, and a spot 90 above it.
        let (width, height) = (400, HEIGHT);
        let pixels: Vec<u8> = (0..width * height)
            .map(|at| match (at % width, at / width) {
                (40..100, 12..36) => 240,
                (150..350, 12..36) if at % width % 12 < 4 => 110,
                _ => 150,
            })
            .collect();
        let luma = Luma::new(&pixels, width, height, width).expect("fits");
        let corners = [(0.0, 0.0), (400.0, 0.0), (400.0, 48.0), (0.0, 48.0)];
        let corners = Quad(corners.map(|(x, y)| Point::new(x, y)));
        let strip = Strip::cut(luma, &corners).expect("inside");
        assert_eq!(Ink::of(&strip).expect("ink").extent(), (34, 106));
        let weaker = Ink::weaker(&strip).expect("ink");
        assert_eq!(weaker.extent(), (150, 356));
        // Without glare there is nothing weaker.
        let dark: Vec<u8> = pixels.iter().map(|&grey| grey.min(150)).collect();
        let luma = Luma::new(&dark, width, height, width).expect("fits");
        let strip = Strip::cut(luma, &corners).expect("inside");
        assert_eq!(Ink::of(&strip).expect("ink").extent(), (150, 356));
        assert_eq!(Ink::weaker(&strip), None);
    }
}
