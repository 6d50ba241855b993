//! A picture with the codes and lines of text drawn into it, to be looked at.

use std::path::Path;

use font8x8::{BASIC_FONTS, LATIN_FONTS, UnicodeFonts};
use image::{ImageFormat, ImageResult, Rgb, RgbImage};

use crate::frame::Luma;
use crate::geometry::{Point, Quad};
use crate::ocr::Line;
use crate::qr::Reads;

const READ: Rgb<u8> = Rgb([0, 220, 0]);
const UNREAD: Rgb<u8> = Rgb([255, 40, 40]);
const TEXT: Rgb<u8> = Rgb([40, 90, 255]);
const PAPER: Rgb<u8> = Rgb([255; 3]);
/// Side of a letter of the font, in its own pixels.
const LETTER: i64 = 8;
/// What stands for a character that the font does not have.
const UNKNOWN: [u8; 8] = [0x7e, 0x42, 0x42, 0x42, 0x42, 0x42, 0x7e, 0];
/// Most characters drawn of a line.
const MOST: usize = 200;

/// Digits, three by five pixels, rows from the top, the left pixel in bit 2.
const DIGITS: [[u8; 5]; 10] = [
    [7, 5, 5, 5, 7],
    [2, 6, 2, 2, 7],
    [7, 1, 7, 4, 7],
    [7, 1, 7, 1, 7],
    [5, 5, 7, 1, 1],
    [7, 4, 7, 1, 7],
    [7, 4, 7, 5, 7],
    [7, 1, 1, 1, 1],
    [7, 5, 7, 5, 7],
    [7, 5, 7, 1, 7],
];

/// Writes `luma` as PNG with the outlines of all codes, and the number of each
/// that was read, counted as in the results; and of the lines of text, each with
/// what it says above it (Latin letters: others are boxes).
pub(super) fn write(path: &Path, luma: Luma<'_>, reads: &Reads, lines: &[Line]) -> ImageResult<()> {
    draw(luma, reads, lines).save_with_format(path, ImageFormat::Png)
}

fn draw(luma: Luma<'_>, reads: &Reads, lines: &[Line]) -> RgbImage {
    let mut picture = RgbImage::from_fn(luma.width() as u32, luma.height() as u32, |x, y| {
        let level = luma.at(x as usize, y as usize);
        Rgb([level; 3])
    });
    for line in lines {
        outline(&mut picture, &line.corners, TEXT);
        say(&mut picture, &line.corners, &line.text);
    }
    for unread in &reads.unread {
        outline(&mut picture, &unread.corners, UNREAD);
    }
    for (index, code) in reads.codes.iter().enumerate() {
        outline(&mut picture, &code.corners, READ);
        number(&mut picture, code.corners.centre(), index + 1);
    }
    picture
}

/// Two pixels wide, with a dot in the corner where the symbol starts.
fn outline(picture: &mut RgbImage, quad: &Quad, colour: Rgb<u8>) {
    for side in 0..4 {
        let (from, to) = (quad.0[side], quad.0[(side + 1) % 4]);
        // A corner may lie far outside, or nowhere at all.
        let steps = from.distance(to).clamp(1.0, 100_000.0) as u32;
        for step in 0..=steps {
            let at = from + (to - from) * (step as f32 / steps as f32);
            dot(picture, at, 2, colour);
        }
    }
    dot(picture, quad.0[0], 6, colour);
}

/// A square of `side` pixels around `at`.
fn dot(picture: &mut RgbImage, at: Point, side: i64, colour: Rgb<u8>) {
    // Near enough that sums stay in range, far enough to lie outside.
    let near = |value: f32| value.clamp(-1e6, 1e6) as i64;
    let (left, top) = (near(at.x) - side / 2, near(at.y) - side / 2);
    for y in top..top + side {
        for x in left..left + side {
            if let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y))
                && let Some(pixel) = picture.get_pixel_mut_checked(x, y)
            {
                *pixel = colour;
            }
        }
    }
}

/// `text` above the left end of `quad`, upright, on paper; below where there is no
/// room above. Letters are of 8 pixels, or of 16 in large pictures.
fn say(picture: &mut RgbImage, quad: &Quad, text: &str) {
    let size = if picture.height() >= 600 { 2 } else { 1 };
    let near = |value: f32| value.clamp(-1e6, 1e6) as i64;
    let left = quad.0.iter().map(|p| near(p.x)).min().unwrap_or(0);
    let top = quad.0.iter().map(|p| near(p.y)).min().unwrap_or(0) - (LETTER + 2) * size;
    let bottom = quad.0.iter().map(|p| near(p.y)).max().unwrap_or(0) + 2 * size;
    let letters: Vec<[u8; 8]> = text
        .chars()
        .take(MOST)
        .map(|c| {
            let known = BASIC_FONTS.get(c).or_else(|| LATIN_FONTS.get(c));
            known.unwrap_or(UNKNOWN)
        })
        .collect();
    let width = letters.len() as i64 * LETTER * size;
    // Moved in from the right where it would leave the picture there.
    let left = left.min(i64::from(picture.width()) - width).max(0);
    let top = if top >= 0 { top } else { bottom };
    for y in 0..(LETTER + 1) * size {
        for x in 0..width {
            let letter = &letters[(x / (LETTER * size)) as usize];
            let row = y / size - 1;
            let ink = row >= 0 && letter[row as usize] >> (x / size % LETTER) & 1 == 1;
            if let (Ok(x), Ok(y)) = (u32::try_from(left + x), u32::try_from(top + y))
                && let Some(pixel) = picture.get_pixel_mut_checked(x, y)
            {
                *pixel = if ink { TEXT } else { PAPER };
            }
        }
    }
}

/// `number` around `at`, four pixels to a dot of the digits.
fn number(picture: &mut RgbImage, at: Point, number: usize) {
    let digits = number.to_string();
    let left = at.x - 8.0 * digits.len() as f32;
    for (place, digit) in digits.bytes().enumerate() {
        for (row, bits) in DIGITS[usize::from(digit - b'0')].iter().enumerate() {
            for column in (0..3).filter(|column| bits & (4 >> column) != 0) {
                let x = left + 16.0 * place as f32 + 4.0 * column as f32;
                let y = at.y - 10.0 + 4.0 * row as f32;
                dot(picture, Point::new(x, y), 4, READ);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_line_says_stands_above_it_or_below_and_inside() {
        let places = [
            (10.0, 30.0, 21),
            (10.0, 3.0, 16),
            (70.0, 30.0, 21),
            (-1e30, f32::NAN, 3),
        ];
        for (x, y, top) in places {
            let mut picture = RgbImage::from_pixel(80, 60, Rgb([100; 3]));
            let corners = [(x, y), (x + 8.0, y), (x + 8.0, y + 10.0), (x, y + 10.0)];
            let quad = Quad(corners.map(|(x, y)| Point::new(x, y)));
            say(&mut picture, &quad, "I\u{4e2d}");
            let ink: Vec<(u32, u32)> = picture
                .enumerate_pixels()
                .filter(|(.., pixel)| **pixel == TEXT)
                .map(|(x, y, _)| (x, y))
                .collect();
            assert_eq!(ink.iter().map(|at| at.1).min(), Some(top), "{x} {y}");
            // An I, and a box for what the font does not have.
            let left = ink.iter().map(|at| at.0).min().expect("ink");
            let boxed = ink.iter().filter(|at| at.0 >= left + 6);
            assert_eq!(boxed.count(), 22, "{x} {y}");
        }
        let mut none = RgbImage::new(0, 0);
        say(&mut none, &Quad([Point::new(0.0, 0.0); 4]), "text");
    }

    #[test]
    fn outlines_and_numbers_stay_inside_and_off_the_rest() {
        let grey = vec![100; 80 * 60];
        let luma = Luma::new(&grey, 80, 60, 80).expect("fits");
        let mut reads = Reads::default();
        let square = Quad(
            [(20.0, 10.0), (60.0, 10.0), (60.0, 50.0), (20.0, 50.0)].map(|(x, y)| Point::new(x, y)),
        );
        reads.codes.push().corners = square;
        reads.unread.push(crate::qr::Unread {
            corners: Quad([Point::new(-1e30, f32::NAN); 4]),
            reason: crate::qr::Reason::Blur,
            agreement: 0.9,
        });
        let line = Line {
            text: "x".into(),
            confidence: 1.0,
            corners: square.shifted(Point::new(-19.0, 0.0)),
        };
        let picture = draw(luma, &reads, std::slice::from_ref(&line));
        assert_eq!(*picture.get_pixel(40, 10), READ, "on the rim");
        assert_eq!(*picture.get_pixel(10, 10), TEXT, "on the rim of the text");
        assert_eq!(*picture.get_pixel(2, 56), Rgb([100; 3]), "outside");
        let green = picture.enumerate_pixels().filter(|(x, y, pixel)| {
            **pixel == READ && (25..55).contains(x) && (15..45).contains(y)
        });
        // The digit 1 has eight dots of 16 pixels.
        assert_eq!(green.count(), 8 * 16);
    }
}
