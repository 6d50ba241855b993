//! Where a strip has ink: columns and rows of it, and the gaps between.

use super::{HEIGHT, Strip};

/// Least distance of ink from the background, in grey levels: below it a strip is
/// blank (the noise of a dark picture is of this size).
const LEAST_CONTRAST: u32 = 14;
/// What counts as ink, in percent of the darkest ink's distance from the
/// background: soft rims of letters do not.
const INK: u32 = 40;
/// Columns left blank beside the text where a strip is trimmed.
const MARGIN: usize = 6;

/// The ink of a strip.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ink {
    /// For each column, how many of its pixels are ink.
    pub(super) columns: Vec<u16>,
    /// First row with ink, and the one after the last.
    pub(super) rows: (usize, usize),
}

impl Ink {
    /// `None` if the strip is blank.
    pub(super) fn of(strip: &Strip) -> Option<Self> {
        let luma = strip.luma();
        let count = strip.width() * HEIGHT;
        let mut histogram = [0usize; 256];
        for y in 0..luma.height() {
            for &grey in luma.row(y) {
                histogram[usize::from(grey)] += 1;
            }
        }
        let quantile = |share: usize| {
            let mut sum = 0;
            histogram.iter().position(|n| {
                sum += n;
                sum * 100 > count * share
            })
        };
        // Letters cover less than half of a line: the median is background.
        let background = quantile(50)? as i32;
        let (dark, light) = (quantile(2)? as i32, quantile(98)? as i32);
        let contrast = (background - dark).max(light - background);
        if contrast < LEAST_CONTRAST as i32 {
            return None;
        }
        // Light letters on dark ground are ink as well.
        let sign = if background - dark >= light - background {
            1
        } else {
            -1
        };
        let threshold = contrast * INK as i32 / 100;
        let mut columns = vec![0u16; strip.width()];
        let mut rows = [0usize; HEIGHT];
        for (y, in_row) in rows.iter_mut().enumerate() {
            for (column, &grey) in columns.iter_mut().zip(luma.row(y)) {
                if (background - i32::from(grey)) * sign >= threshold {
                    *column += 1;
                    *in_row += 1;
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
