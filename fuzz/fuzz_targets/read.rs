//! Whole pictures: the first byte is the width, the second how the others are to
//! be taken, as grey values or, so that the same bytes reach further, as cells of
//! black and white; a last one may be spent on a hint. Whatever is read must lie
//! about the picture and keep to the bounds of its kind.
#![no_main]

use beltscan::frame::Luma;
use beltscan::geometry::{Point, Quad};
use beltscan::qr::{Hint, Reader, ReaderOptions, Reads};
use libfuzzer_sys::fuzz_target;

/// Work for one picture: enough for every kind of attempt to be made.
const UNITS: u64 = 3_000_000;

fuzz_target!(|data: &[u8]| {
    let &[width, kind, ref bytes @ ..] = data else {
        return;
    };
    let cell = usize::from(kind % 8);
    let columns = usize::from(width);
    let (pixels, width, height) = if cell == 0 {
        let height = bytes.len().checked_div(columns).unwrap_or(0);
        (bytes.to_vec(), columns, height)
    } else {
        let rows = (8 * bytes.len()).checked_div(columns).unwrap_or(0).min(200);
        let (width, height) = (columns * cell, rows * cell);
        let dark = |x: usize, y: usize| {
            let bit = y / cell * columns + x / cell;
            bytes[bit / 8] >> (bit % 8) & 1 == 1
        };
        let pixels = (0..width * height)
            .map(|i| if dark(i % width, i / width) { 30 } else { 220 })
            .collect();
        (pixels, width, height)
    };
    let Some(luma) = Luma::new(&pixels, width, height, width) else {
        return;
    };
    let at = |i: usize| f32::from(bytes.get(i).copied().unwrap_or(0)) * 8.0 - 500.0;
    let hint = Hint {
        corners: Quad([0, 2, 4, 6].map(|i| Point::new(at(i), at(i + 1)))),
        velocity: Point::new(at(8), at(9)),
        motion: (kind & 16 != 0).then(|| Point::new(at(10) / 16.0, at(11) / 16.0)),
    };
    let hints = if kind & 8 != 0 { &[hint][..] } else { &[] };
    let mut reader = Reader::new(ReaderOptions {
        budget: Some(UNITS),
        ..ReaderOptions::default()
    });
    let mut reads = Reads::default();
    reader.read(luma, hints, &mut reads);
    assert_eq!(reads.codes.is_empty(), reads.failure.is_some());
    // What is begun may go a little beyond the budget.
    assert!(reads.work.units < 4 * UNITS, "{:?}", reads.work);
    for code in reads.codes.iter() {
        assert!(code.content.bytes.len() <= 7089);
        assert!(
            code.corners
                .0
                .iter()
                .all(|p| p.x.is_finite() && p.y.is_finite())
        );
        assert!((0.0..=1.0).contains(&code.quality.uec));
    }
});
