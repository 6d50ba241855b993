//! One line of text, cut out of a picture and straightened.

use crate::frame::Luma;
use crate::geometry::{Homography, Point, Quad};
use crate::optics::Sampler;

/// Rows of a strip: what the recognition model takes.
pub const HEIGHT: usize = 48;
/// Most columns of a strip. A line that is longer for its height is squeezed.
pub const MOST_WIDTH: usize = 1280;
/// Shortest side of the lower of a line's two ends, in pixels of the picture:
/// below it there is nothing to tell letters by.
const LEAST_HEIGHT: f32 = 4.0;
/// How far a corner may lie outside the picture, in heights of the line. The rim
/// of a field is blank; a line cut off in its middle would be read, and wrongly.
const OUTSIDE: f32 = 0.5;
/// Most samples along each side of a pixel of the strip. Lines that are more than
/// this many times as high as the strip are sampled with gaps, each sample the
/// mean of four pixels.
const MOST_SAMPLES: usize = 8;

/// A line of text: grey, [`HEIGHT`] rows, at most [`MOST_WIDTH`] columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strip {
    pixels: Vec<u8>,
    width: usize,
}

impl Strip {
    /// Cuts out what lies between `corners` (from the text's own top left,
    /// clockwise as it is read) and straightens it, at the width that keeps the
    /// proportions. Where the picture is coarser than the strip it is interpolated,
    /// where it is finer each pixel is the mean of what it covers. `None` if the
    /// corners span no proper quadrilateral of at least 4 pixels' height, or leave
    /// the picture by more than half the line's height.
    pub fn cut(luma: Luma<'_>, corners: &Quad) -> Option<Strip> {
        let mut strip = Strip {
            pixels: Vec::new(),
            width: 0,
        };
        strip.recut(luma, corners).then_some(strip)
    }

    /// Does the same into this strip, which keeps its memory: it allocates only
    /// where it becomes wider than ever before. `false`, with the strip as it was,
    /// where [`Strip::cut`] gives `None`.
    pub fn recut(&mut self, luma: Luma<'_>, corners: &Quad) -> bool {
        let Some((map, width)) = plan(luma, corners) else {
            return false;
        };
        let Some(sampler) = Sampler::new(luma, 0) else {
            return false;
        };
        self.width = width;
        self.pixels.resize(width * HEIGHT, 0);
        let (across, down) = (1.0 / width as f64, 1.0 / HEIGHT as f64);
        let samples = samples(&map, across, down);
        let each = 1.0 / (samples[0] * samples[1]) as f32;
        for (y, row) in self.pixels.chunks_exact_mut(width).enumerate() {
            for (x, pixel) in row.iter_mut().enumerate() {
                let mut sum = 0.0;
                for j in 0..samples[1] {
                    let v = (y as f64 + (j as f64 + 0.5) / samples[1] as f64) * down;
                    for i in 0..samples[0] {
                        let u = (x as f64 + (i as f64 + 0.5) / samples[0] as f64) * across;
                        let at = map.map(u, v);
                        sum += sampler.at(at.x, at.y);
                    }
                }
                *pixel = (sum * each + 0.5) as u8;
            }
        }
        true
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The picture.
    pub fn luma(&self) -> Luma<'_> {
        Luma::new(&self.pixels, self.width, HEIGHT, self.width).unwrap_or(Luma::empty())
    }

    /// How sharp it is: the energy of its slopes for its contrast. Larger is
    /// sharper; comparable between strips of the same line, whatever the light.
    pub fn sharpness(&self) -> f32 {
        let (mut sum, mut squares, mut slopes) = (0u64, 0u64, 0u64);
        let count = (self.width * HEIGHT) as u64;
        let luma = self.luma();
        for y in 0..luma.height() {
            let row = luma.row(y);
            for &grey in row {
                sum += u64::from(grey);
                squares += u64::from(grey) * u64::from(grey);
            }
            // Over two pixels, each the sum of two: noise counts less.
            for part in row.windows(4) {
                let slope = i32::from(part[3]) + i32::from(part[2])
                    - i32::from(part[1])
                    - i32::from(part[0]);
                slopes += u64::from((slope * slope) as u32);
            }
            if y + 3 < luma.height() {
                let below = [luma.row(y + 1), luma.row(y + 2), luma.row(y + 3)];
                for (x, &grey) in row.iter().enumerate() {
                    let slope = i32::from(below[2][x]) + i32::from(below[1][x])
                        - i32::from(below[0][x])
                        - i32::from(grey);
                    slopes += u64::from((slope * slope) as u32);
                }
            }
        }
        // Contrast below a grey level is none: a blank strip is not sharp.
        let spread =
            (squares as f64 - (sum as f64).powi(2) / count.max(1) as f64).max(count as f64);
        (slopes as f64 / spread) as f32
    }

    /// The same line turned by half a turn.
    pub fn turned(&self) -> Strip {
        let mut turned = self.clone();
        turned.pixels.reverse();
        turned
    }

    /// The same with dots and grain run together: each pixel the mean of its
    /// surroundings, the nearer the more.
    #[cfg(feature = "ocr")]
    pub(super) fn smooth(&self) -> Strip {
        let mut across = self.clone();
        for (row, from) in across
            .pixels
            .chunks_exact_mut(self.width.max(1))
            .zip(self.pixels.chunks_exact(self.width.max(1)))
        {
            let last = from.len() - 1;
            for (x, to) in row.iter_mut().enumerate() {
                let at = |off: usize| u32::from(from[(x + off).saturating_sub(2).min(last)]);
                *to = ((at(0) + 2 * at(1) + 3 * at(2) + 2 * at(3) + at(4) + 4) / 9) as u8;
            }
        }
        let mut down = across.clone();
        for y in 0..HEIGHT {
            let row = |off: usize| (y + off).saturating_sub(2).min(HEIGHT - 1) * self.width;
            let rows = [0, 1, 2, 3, 4].map(row);
            for x in 0..self.width {
                let at = |off: usize| u32::from(across.pixels[rows[off] + x]);
                down.pixels[y * self.width + x] =
                    ((at(0) + 2 * at(1) + 3 * at(2) + 2 * at(3) + at(4) + 4) / 9) as u8;
            }
        }
        down
    }

    /// The same with its slopes steeper: as far from the smooth strip again.
    #[cfg(feature = "ocr")]
    pub(super) fn sharp(&self) -> Strip {
        let mut sharp = self.smooth();
        for (to, &grey) in sharp.pixels.iter_mut().zip(&self.pixels) {
            *to = (2 * i32::from(grey) - i32::from(*to)).clamp(0, 255) as u8;
        }
        sharp
    }

    /// The columns from `from` (inclusive) to `to` (exclusive), cut to what there is.
    pub fn part(&self, from: usize, to: usize) -> Strip {
        let to = to.min(self.width);
        let from = from.min(to);
        let luma = self.luma();
        let mut pixels = Vec::with_capacity((to - from) * HEIGHT);
        for y in 0..luma.height() {
            pixels.extend_from_slice(&luma.row(y)[from..to]);
        }
        Strip {
            pixels,
            width: to - from,
        }
    }
}

/// The map from the unit square to the picture, and how wide the strip becomes.
fn plan(luma: Luma<'_>, corners: &Quad) -> Option<(Homography, usize)> {
    let [a, b, c, d] = corners.0;
    let finite = corners.0.iter().all(|p| p.x.is_finite() && p.y.is_finite());
    if !finite || !convex(corners) {
        return None;
    }
    let (left, right) = (a.distance(d), b.distance(c));
    let height = (left + right) / 2.0;
    if left.min(right) < LEAST_HEIGHT {
        return None;
    }
    let margin = height * OUTSIDE;
    let (width, rows) = (luma.width() as f32, luma.height() as f32);
    let inside = |p: &Point| {
        p.x >= -margin && p.y >= -margin && p.x <= width + margin && p.y <= rows + margin
    };
    if !corners.0.iter().all(inside) {
        return None;
    }
    let length = (a.distance(b) + d.distance(c)) / 2.0;
    // A float beyond the range becomes its end.
    let width = (length / height * HEIGHT as f32).round() as usize;
    Some((
        Homography::from_unit_square(corners)?,
        width.clamp(1, MOST_WIDTH),
    ))
}

/// Do the corners turn the same way everywhere?
fn convex(corners: &Quad) -> bool {
    let turn = |i: usize| {
        let [a, b, c] = [i, i + 1, i + 2].map(|k| corners.0[k % 4]);
        (b - a).cross(c - b)
    };
    let turns = [turn(0), turn(1), turn(2), turn(3)];
    turns.iter().all(|&t| t > 0.0) || turns.iter().all(|&t| t < 0.0)
}

/// Samples across and down for each pixel of the strip: as many as the pixel
/// covers in the picture where that is most, at the rim or in the middle.
fn samples(map: &Homography, across: f64, down: f64) -> [usize; 2] {
    let mut most = [0.0f32; 2];
    for v in [0.0, 0.5, 1.0 - down] {
        for u in [0.0, 0.5, 1.0 - across] {
            let from = map.map(u, v);
            most[0] = most[0].max(from.distance(map.map(u + across, v)));
            most[1] = most[1].max(from.distance(map.map(u, v + down)));
        }
    }
    // A little over a whole number of pixels needs no further sample, since each
    // is itself a mean.
    most.map(|covered| ((covered - 0.25).ceil() as usize).clamp(1, MOST_SAMPLES))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upright(left: f32, top: f32, width: f32, height: f32) -> Quad {
        let (right, bottom) = (left + width, top + height);
        Quad(
            [(left, top), (right, top), (right, bottom), (left, bottom)]
                .map(|(x, y)| Point::new(x, y)),
        )
    }

    #[test]
    fn a_strip_of_its_own_size_is_the_picture_itself() {
        let data: Vec<u8> = (0..200 * 60).map(|i| (i * 31 % 251) as u8).collect();
        let luma = Luma::new(&data, 200, 60, 200).expect("fits");
        let strip = Strip::cut(luma, &upright(10.0, 5.0, 100.0, 48.0)).expect("inside");
        assert_eq!(strip.width(), 100);
        for y in 0..HEIGHT {
            for x in 0..100 {
                assert_eq!(strip.luma().at(x, y), luma.at(x + 10, y + 5), "{x} {y}");
            }
        }
        let turned = strip.turned();
        assert_eq!(turned.luma().at(0, 0), strip.luma().at(99, 47));
        assert_eq!(strip.part(20, 30).luma().at(3, 4), strip.luma().at(23, 4));
        assert_eq!(strip.part(120, 30).width(), 0);
    }

    #[test]
    fn large_lines_are_averaged_and_small_ones_interpolated() {
        // Columns of one pixel, black and white: any reduction to a third that
        // picks single pixels would show them.
        let data: Vec<u8> = (0..600 * 144)
            .map(|i| if i % 2 == 0 { 0 } else { 255 })
            .collect();
        let luma = Luma::new(&data, 600, 144, 600).expect("fits");
        let strip = Strip::cut(luma, &upright(0.0, 0.0, 600.0, 144.0)).expect("inside");
        assert_eq!(strip.width(), 200);
        assert!(
            strip.luma().row(20)[1..199]
                .iter()
                .all(|&grey| (80..=175).contains(&grey))
        );

        let data: Vec<u8> = (0..40 * 8).map(|i| (i % 40) as u8 * 6).collect();
        let luma = Luma::new(&data, 40, 8, 40).expect("fits");
        let strip = Strip::cut(luma, &upright(0.0, 0.0, 40.0, 8.0)).expect("inside");
        assert_eq!(strip.width(), 240);
        assert!(
            strip
                .luma()
                .row(9)
                .windows(2)
                .all(|pair| pair[0] <= pair[1] && pair[1] - pair[0] <= 2)
        );
    }

    #[test]
    fn recutting_is_cutting_and_leaves_the_strip_alone_where_it_cannot() {
        let data: Vec<u8> = (0..300 * 100).map(|i| (i * 17 % 253) as u8).collect();
        let luma = Luma::new(&data, 300, 100, 300).expect("fits");
        let wide = upright(3.0, 4.0, 250.0, 30.0);
        let tilted = Quad(
            [(30.0, 20.0), (200.0, 40.0), (195.0, 75.0), (26.0, 50.0)]
                .map(|(x, y)| Point::new(x, y)),
        );
        let mut strip = Strip::cut(luma, &wide).expect("inside");
        assert!(strip.recut(luma, &tilted));
        assert_eq!(strip, Strip::cut(luma, &tilted).expect("inside"));
        let before = strip.clone();
        let corner = Point::new(40.0, 40.0);
        for bad in [
            Quad::default(),
            Quad([Point::new(f32::NAN, 1.0), corner, corner, corner]),
            Quad(
                [(0.0, 0.0), (90.0, 40.0), (90.0, 0.0), (0.0, 40.0)].map(|(x, y)| Point::new(x, y)),
            ),
            upright(250.0, 4.0, 100.0, 30.0),
            upright(1e9, 1e9, 1e9, 1e9),
            upright(10.0, 10.0, 50.0, 3.0),
        ] {
            assert!(!strip.recut(luma, &bad), "{bad:?}");
            assert_eq!(strip, before);
        }
        assert!(Strip::cut(Luma::empty(), &wide).is_none());
        let long = upright(0.0, 10.0, 300.0, 4.0);
        assert_eq!(Strip::cut(luma, &long).expect("inside").width(), MOST_WIDTH);
    }

    #[test]
    #[cfg(feature = "ocr")]
    fn a_smooth_strip_has_its_dots_joined_and_a_sharp_one_steeper_slopes() {
        let cut = |width: usize, grey: &dyn Fn(usize, usize) -> u8| {
            let data: Vec<u8> = (0..width * 48)
                .map(|i| grey(i % width, i / width))
                .collect();
            let luma = Luma::new(&data, width, 48, width).expect("fits");
            Strip::cut(luma, &upright(0.0, 0.0, width as f32, 48.0)).expect("inside")
        };
        // Dots every third pixel.
        let dots = cut(120, &|x, y| if x % 3 == 1 && y % 3 == 1 { 0 } else { 180 });
        let smooth = dots.smooth();
        let middle = |strip: &Strip| -> Vec<u8> {
            (4..44)
                .flat_map(|y| strip.luma().row(y)[4..116].to_vec())
                .collect()
        };
        let range =
            |values: &[u8]| values.iter().max().unwrap_or(&0) - values.iter().min().unwrap_or(&0);
        assert_eq!(range(&middle(&dots)), 180);
        assert!(range(&middle(&smooth)) <= 2, "{}", range(&middle(&smooth)));
        // A ramp for an edge.
        let edge = cut(120, &|x, _| (x.clamp(54, 66) - 54) as u8 * 10 + 60);
        let step = |strip: &Strip| {
            strip
                .luma()
                .row(20)
                .windows(5)
                .map(|part| i32::from(part[4]) - i32::from(part[0]))
                .max()
        };
        assert!(step(&edge.sharp()) >= step(&edge) && step(&edge.smooth()) <= step(&edge));
        assert!(edge.sharp().sharpness() > edge.sharpness());
        let flat = cut(50, &|_, _| 77);
        assert_eq!((flat.smooth(), flat.sharp()), (flat.clone(), flat.clone()));
        for width in [1, 2, 3] {
            let narrow = cut(90, &|x, _| x as u8).part(0, width);
            assert_eq!(
                (narrow.smooth().width(), narrow.sharp().width()),
                (width, width)
            );
        }
        assert_eq!(flat.part(9, 9).sharp().width(), 0);
    }

    #[test]
    fn blur_makes_a_strip_less_sharp_and_light_does_not() {
        let stripes = |contrast: u8, blur: usize| {
            let sharp: Vec<u8> = (0..200 * 48)
                .map(|i| {
                    if (i % 200) / 8 % 2 == 0 {
                        20
                    } else {
                        20 + contrast
                    }
                })
                .collect();
            let data: Vec<u8> = (0..sharp.len())
                .map(|i| {
                    let part = &sharp[i.saturating_sub(blur)..=i];
                    (part.iter().map(|&g| u32::from(g)).sum::<u32>() / part.len() as u32) as u8
                })
                .collect();
            let luma = Luma::new(&data, 200, 48, 200).expect("fits");
            Strip::cut(luma, &upright(0.0, 0.0, 200.0, 48.0))
                .expect("inside")
                .sharpness()
        };
        let sharp = stripes(200, 0);
        assert!(stripes(200, 4) < 0.8 * sharp);
        assert!((stripes(60, 0) / sharp - 1.0).abs() < 0.05);
        let blank = vec![128; 48 * 100];
        let luma = Luma::new(&blank, 100, 48, 100).expect("fits");
        assert_eq!(
            Strip::cut(luma, &upright(0.0, 0.0, 100.0, 48.0))
                .expect("inside")
                .sharpness(),
            0.0
        );
    }
}
