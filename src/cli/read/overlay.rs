//! A picture with the codes and lines of text drawn into it, to be looked at.

use std::path::Path;

use image::{ImageFormat, ImageResult, Rgb, RgbImage};

use crate::frame::Luma;
use crate::geometry::{Point, Quad};
use crate::ocr::Line;
use crate::qr::Reads;

const READ: Rgb<u8> = Rgb([0, 220, 0]);
const UNREAD: Rgb<u8> = Rgb([255, 40, 40]);
const TEXT: Rgb<u8> = Rgb([40, 90, 255]);

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
/// that was read, counted as in the results; and of the lines of text.
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
