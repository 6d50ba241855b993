//! The picture at half, a quarter, an eighth of its size, so that one set of
//! kernels made for modules of a few pixels serves modules of any size.
//!
//! Level 0 is the picture itself and stays where it is; level `k` is owned here
//! and has half the sides of level `k - 1`, each pixel the rounded mean of four.
//! A pixel centre `c` of level `k` lies at `c * 2^k` of level 0.

use super::widest;
use crate::frame::Luma;

/// Smallest side that is still halved …
const SMALLEST: usize = 16;
/// … and of the picture itself, since a level is looked through with the next
/// one at hand: a finder pattern has 7 modules.
const SMALLEST_PICTURE: usize = 7;

#[derive(Debug, Default)]
struct Plane {
    data: Vec<u8>,
    width: usize,
    height: usize,
}

/// Halved copies of one picture, with memory that is kept from frame to frame.
#[derive(Debug, Default)]
pub struct Pyramid {
    planes: Vec<Plane>,
    used: usize,
}

impl Pyramid {
    /// Halves `luma` once at least, unless a side is below 7 pixels, and again and
    /// again, until a side would fall below 8.
    pub fn build(&mut self, luma: Luma<'_>) {
        self.used = 0;
        let (mut width, mut height) = (luma.width(), luma.height());
        let mut smallest = SMALLEST_PICTURE;
        while width.min(height) >= smallest {
            smallest = SMALLEST;
            (width, height) = (width / 2, height / 2);
            if self.planes.len() == self.used {
                self.planes.push(Plane::default());
            }
            let (below, rest) = self.planes.split_at_mut(self.used);
            let plane = &mut rest[0];
            plane.width = width;
            plane.height = height;
            plane.data.resize(width * height, 0);
            match below.last() {
                None => halve(luma, plane),
                Some(finer) => {
                    if let Some(finer) = finer.luma() {
                        halve(finer, plane);
                    }
                }
            }
            self.used += 1;
        }
    }

    /// How many levels there are, level 0 included.
    pub fn levels(&self) -> usize {
        self.used + 1
    }

    /// Level `level` of the pyramid that was built from `luma`; the coarsest one
    /// if there are not so many.
    pub fn level<'a>(&'a self, luma: Luma<'a>, level: usize) -> Luma<'a> {
        match level.min(self.used) {
            0 => luma,
            k => self.planes[k - 1].luma().unwrap_or(luma),
        }
    }
}

impl Plane {
    fn luma(&self) -> Option<Luma<'_>> {
        Luma::new(&self.data, self.width, self.height, self.width)
    }
}

widest! {
    /// Makes `to` of half the sides of `from`.
    fn halve(from: Luma<'_>, to: &mut Plane) = halve_rows;
}

/// Two pixels are read as one little-endian word and added within it: a form
/// that compilers turn into vector code on every target.
#[inline(always)]
fn halve_rows(from: Luma<'_>, to: &mut Plane) {
    let width = to.width;
    for y in 0..to.height {
        let upper = &from.row(2 * y)[..2 * width];
        let lower = &from.row(2 * y + 1)[..2 * width];
        let out = &mut to.data[y * width..][..width];
        for ((out, a), b) in out
            .iter_mut()
            .zip(upper.as_chunks::<2>().0)
            .zip(lower.as_chunks::<2>().0)
        {
            let (a, b) = (u16::from_le_bytes(*a), u16::from_le_bytes(*b));
            let sum = (a & 0xff) + (a >> 8) + (b & 0xff) + (b >> 8);
            *out = ((sum + 2) >> 2) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_the_rounded_mean_of_four_pixels() {
        let data: Vec<u8> = (0..33 * 20).map(|i| (i * 7 % 251) as u8).collect();
        let luma = Luma::new(&data, 32, 20, 33).expect("fits");
        let mut pyramid = Pyramid::default();
        pyramid.build(luma);
        assert_eq!(pyramid.levels(), 2);
        let half = pyramid.level(luma, 1);
        assert_eq!((half.width(), half.height()), (16, 10));
        for y in 0..10 {
            for x in 0..16 {
                let sum: u32 = [(0, 0), (1, 0), (0, 1), (1, 1)]
                    .iter()
                    .map(|&(dx, dy)| u32::from(luma.at(2 * x + dx, 2 * y + dy)))
                    .sum();
                assert_eq!(u32::from(half.at(x, y)), (sum + 2) / 4);
            }
        }
    }

    #[test]
    fn wide_and_narrow_registers_halve_alike() {
        let mut random = fastrand::Rng::with_seed(1);
        for (width, height) in [(2, 2), (67, 9), (640, 31), (1283, 6)] {
            let data: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
                .take(width * height)
                .collect();
            let luma = Luma::new(&data, width, height, width).expect("fits");
            let plane = || Plane {
                data: vec![0; (width / 2) * (height / 2)],
                width: width / 2,
                height: height / 2,
            };
            let (mut wide, mut narrow) = (plane(), plane());
            halve(luma, &mut wide);
            halve_rows(luma, &mut narrow);
            assert!(wide.data == narrow.data, "{width} by {height}");
        }
    }

    #[test]
    fn pictures_too_small_to_halve_have_one_level() {
        let mut pyramid = Pyramid::default();
        for (width, height) in [(0, 0), (1, 1), (6, 400)] {
            let data = vec![9; width * height];
            pyramid.build(Luma::new(&data, width, height, width).expect("fits"));
            assert_eq!(pyramid.levels(), 1);
        }
    }
}
