//! Where in a picture something may be printed: most of a belt is empty, and
//! looking for text costs far more than looking for slopes.

use crate::frame::Luma;
use crate::geometry::{Point, Quad};

/// Side of a cell in pixels of the reduced picture.
const CELL: usize = 8;
/// A slope from which on a pixel counts, in grey levels over two pixels, and how
/// many such pixels make a cell. (Noise of 4 grey levels in the reduced picture
/// makes one cell in a thousand.)
const SLOPE: i32 = 16;
const PIXELS: usize = 4;
/// Blank cells that are kept around what is found, so that a line lies well inside
/// and letters belong together.
const AROUND: usize = 2;
/// Cells that a place has at least.
const FEW: usize = 2;

/// An upright rectangle in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Area {
    fn overlaps(&self, other: &Area) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }

    fn with(&self, other: &Area) -> Area {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let right = (self.x + self.width).max(other.x + other.width);
        let bottom = (self.y + self.height).max(other.y + other.height);
        Area {
            x,
            y,
            width: right - x,
            height: bottom - y,
        }
    }
}

/// Rectangles that do not overlap and hold all that has slopes, but for what lies
/// inside one of `skip` (in pixels of `luma`).
pub(super) fn areas(luma: Luma<'_>, skip: &[Quad], areas: &mut Vec<Area>) {
    areas.clear();
    let (columns, rows) = (luma.width().div_ceil(CELL), luma.height().div_ceil(CELL));
    let mut steep = vec![0u16; columns * rows];
    for y in 0..luma.height().saturating_sub(2) {
        let (row, below) = (luma.row(y), luma.row(y + 2));
        let cells = &mut steep[y / CELL * columns..][..columns];
        for x in 0..luma.width().saturating_sub(2) {
            let here = i32::from(row[x]);
            let slope = (i32::from(row[x + 2]) - here)
                .abs()
                .max((i32::from(below[x]) - here).abs());
            cells[x / CELL] += u16::from(slope >= SLOPE);
        }
    }
    let active = |cell: usize| {
        if usize::from(steep[cell]) < PIXELS {
            return false;
        }
        let (x, y) = (cell % columns * CELL, cell / columns * CELL);
        let middle = Point::new((x + CELL / 2) as f32, (y + CELL / 2) as f32);
        !skip.iter().any(|quad| quad.contains(middle))
    };
    // 0: blank, 1: near something, 2: something.
    let mut marks = vec![0u8; columns * rows];
    for cell in (0..columns * rows).filter(|&cell| active(cell)) {
        let (x, y) = (cell % columns, cell / columns);
        for row in y.saturating_sub(AROUND)..(y + AROUND + 1).min(rows) {
            for column in x.saturating_sub(AROUND)..(x + AROUND + 1).min(columns) {
                let mark = &mut marks[row * columns + column];
                *mark = (*mark).max(1);
            }
        }
        marks[cell] = 2;
    }
    let mut waiting = Vec::new();
    for start in 0..marks.len() {
        if marks[start] == 0 {
            continue;
        }
        let (mut left, mut right, mut top, mut bottom) = (columns, 0, rows, 0);
        let mut found = 0;
        waiting.push(start);
        found += usize::from(std::mem::take(&mut marks[start]) == 2);
        while let Some(cell) = waiting.pop() {
            let (x, y) = (cell % columns, cell / columns);
            (left, right) = (left.min(x), right.max(x));
            (top, bottom) = (top.min(y), bottom.max(y));
            let mut look = |cell: usize| {
                let mark = std::mem::take(&mut marks[cell]);
                if mark > 0 {
                    found += usize::from(mark == 2);
                    waiting.push(cell);
                }
            };
            if x > 0 {
                look(cell - 1);
            }
            if x + 1 < columns {
                look(cell + 1);
            }
            if y > 0 {
                look(cell - columns);
            }
            if y + 1 < rows {
                look(cell + columns);
            }
        }
        if found < FEW {
            continue;
        }
        let (x, y) = (left * CELL, top * CELL);
        areas.push(Area {
            x,
            y,
            width: ((right + 1) * CELL).min(luma.width()) - x,
            height: ((bottom + 1) * CELL).min(luma.height()) - y,
        });
    }
    merge(areas);
}

/// Joins what overlaps until nothing does.
fn merge(areas: &mut Vec<Area>) {
    let mut at = 0;
    while at < areas.len() {
        match (at + 1..areas.len()).find(|&other| areas[at].overlaps(&areas[other])) {
            Some(other) => {
                areas[at] = areas[at].with(&areas[other]);
                areas.swap_remove(other);
                // It may now overlap one that was passed.
                at = 0;
            }
            None => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_hold_what_has_slopes_and_nothing_else() {
        let mut data = vec![128u8; 400 * 300];
        for (left, top) in [(40, 40), (300, 200)] {
            for y in top..top + 24 {
                for x in left..left + 60 {
                    data[y * 400 + x] = if x % 8 < 4 { 20 } else { 220 };
                }
            }
        }
        let luma = Luma::new(&data, 400, 300, 400).expect("fits");
        let mut found = Vec::new();
        areas(luma, &[], &mut found);
        assert_eq!(found.len(), 2, "{found:?}");
        for (left, top) in [(40, 40), (300, 200)] {
            let inside = |area: &&Area| {
                area.x + 12 <= left
                    && area.y + 12 <= top
                    && area.x + area.width >= left + 72
                    && area.y + area.height >= top + 36
            };
            assert_eq!(found.iter().filter(inside).count(), 1);
        }
        assert!(found.iter().all(|area| area.width * area.height < 120 * 80));
        let code = Quad(
            [(30.0, 30.0), (110.0, 30.0), (110.0, 75.0), (30.0, 75.0)]
                .map(|(x, y)| Point::new(x, y)),
        );
        areas(luma, &[code], &mut found);
        assert_eq!(found.len(), 1);
        for (width, height) in [(0, 0), (1, 1), (3, 400)] {
            areas(
                Luma::new(&data, width, height, width).expect("fits"),
                &[],
                &mut found,
            );
            assert!(found.is_empty());
        }
    }
}
