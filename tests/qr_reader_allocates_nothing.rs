//! In steady state the reader allocates nothing: counted, not believed.

#[path = "support/counting.rs"]
mod counting;

use beltscan::frame::Luma;
use beltscan::qr::{Code, EcLevel, Method, Reader, ReaderOptions, Reads, encode_micro};
use counting::allocations;

/// A sheet of twelve codes and three Micro QR codes on noise, different each time.
fn fill(random: &mut fastrand::Rng, pixels: &mut [u8], width: usize) {
    for pixel in pixels.iter_mut() {
        *pixel = random.u8(150..230);
    }
    for i in 0..12 {
        let text = format!("code {i}: {}", random.u32(100_000..999_999));
        let code = qrcode::QrCode::new(&text).expect("fits");
        let (left, top) = (20 + i % 4 * 155, 20 + i / 4 * 155);
        for y in 0..code.width() * 4 {
            for x in 0..code.width() * 4 {
                let dark = code[(x / 4, y / 4)] == qrcode::Color::Dark;
                pixels[(top + y) * width + left + x] = if dark { 20 } else { 235 };
            }
        }
    }
    for i in 0..3 {
        let text = format!("{}", random.u32(100..999));
        let code = encode_micro(&text, EcLevel::M, Some(i + 2)).expect("fits");
        let (left, top) = (600, 40 + usize::from(i) * 155);
        for y in 0..code.side() * 3 {
            for x in 0..code.side() * 3 {
                let dark = code.dark(x / 3, y / 3);
                pixels[(top + y) * width + left + x] = if dark { 20 } else { 235 };
            }
        }
    }
}

#[test]
fn a_warm_reader_allocates_nothing() {
    let (width, height) = (680, 500);
    let mut random = fastrand::Rng::with_seed(2);
    let mut frames = vec![vec![0; width * height]; 24];
    for pixels in &mut frames {
        fill(&mut random, pixels, width);
    }
    let mut reader = Reader::new(ReaderOptions {
        still: true,
        ..ReaderOptions::default()
    });
    let mut reads = Reads::default();
    for round in 0..2 {
        let before = allocations();
        for pixels in &frames {
            let luma = Luma::new(pixels, width, height, width).expect("fits");
            reader.read(luma, &[], &mut reads);
            assert_eq!(reads.codes.len(), 15);
        }
        match round {
            0 => assert!(allocations() > before, "the counter counts"),
            _ => assert_eq!(allocations() - before, 0),
        }
    }
}

#[test]
fn a_warm_reader_takes_blur_out_without_allocating() {
    let (width, height) = (660, 500);
    let mut random = fastrand::Rng::with_seed(3);
    let mut frames = vec![vec![0; width * height]; 4];
    for pixels in &mut frames {
        fill(&mut random, pixels, width);
        for row in pixels.chunks_mut(width) {
            let sharp = row.to_vec();
            for (x, pixel) in row.iter_mut().enumerate() {
                let part = &sharp[x.saturating_sub(4)..(x + 5).min(width)];
                let sum: usize = part.iter().map(|&grey| usize::from(grey)).sum();
                *pixel = (sum / part.len()) as u8;
            }
        }
    }
    let mut reader = Reader::new(ReaderOptions::default());
    let mut reads = Reads::default();
    // Codes change places with those of the deblurred part, each with its memory:
    // it takes some rounds until all have enough.
    const ROUNDS: usize = 8;
    for round in 0..ROUNDS {
        let before = allocations();
        for pixels in &frames {
            let luma = Luma::new(pixels, width, height, width).expect("fits");
            reader.read(luma, &[], &mut reads);
            let deblurred = |code: &Code| code.method == Method::Deblur;
            assert!(reads.codes.iter().any(deblurred));
        }
        if round == ROUNDS - 1 {
            assert_eq!(allocations() - before, 0);
        }
    }
}
