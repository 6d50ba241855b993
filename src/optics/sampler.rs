//! Grey values between pixels.

use crate::frame::Luma;

/// Bilinear interpolation in one level of a pyramid, addressed in the pixels of
/// level 0. Outside the picture the rim goes on.
#[derive(Clone, Copy)]
pub struct Sampler<'a> {
    luma: Luma<'a>,
    scale: f32,
    right: f32,
    bottom: f32,
}

impl<'a> Sampler<'a> {
    /// `level` is the level of `luma` in its pyramid. `None` for an empty picture.
    pub fn new(luma: Luma<'a>, level: usize) -> Option<Self> {
        (luma.width() > 0 && luma.height() > 0).then(|| Self {
            luma,
            scale: 1.0 / (1u32 << level.min(30)) as f32,
            right: (luma.width() - 1) as f32,
            bottom: (luma.height() - 1) as f32,
        })
    }

    /// Pixels of level 0 that a pixel of this level covers, along one side.
    pub fn pixel(&self) -> f32 {
        1.0 / self.scale
    }

    /// Grey value, 0 to 255, at a place of level 0.
    #[inline]
    pub fn at(&self, x: f32, y: f32) -> f32 {
        // `max` first: it turns NaN into 0.
        let x = (x * self.scale - 0.5).max(0.0).min(self.right);
        let y = (y * self.scale - 0.5).max(0.0).min(self.bottom);
        let (x0, y0) = (x as usize, y as usize);
        let (fx, fy) = (x - x0 as f32, y - y0 as f32);
        let x1 = (x0 + 1).min(self.luma.width() - 1);
        let y1 = (y0 + 1).min(self.luma.height() - 1);
        let (upper, lower) = (self.luma.row(y0), self.luma.row(y1));
        let mix = |row: &[u8]| {
            let (a, b) = (f32::from(row[x0]), f32::from(row[x1]));
            a + (b - a) * fx
        };
        let (a, b) = (mix(upper), mix(lower));
        a + (b - a) * fy
    }

    /// Does this place of level 0 lie in the picture?
    pub fn contains(&self, x: f32, y: f32) -> bool {
        let (x, y) = (x * self.scale, y * self.scale);
        x >= 0.0 && y >= 0.0 && x <= self.right + 1.0 && y <= self.bottom + 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_between_pixels_and_beyond_the_rim() {
        let data = [0, 100, 200, 40];
        let luma = Luma::new(&data, 2, 2, 2).expect("fits");
        let sampler = Sampler::new(luma, 0).expect("not empty");
        assert_eq!(sampler.at(0.5, 0.5), 0.0);
        assert_eq!(sampler.at(1.0, 0.5), 50.0);
        assert_eq!(sampler.at(1.0, 1.0), 85.0);
        assert_eq!(sampler.at(-7.0, 1e30), 200.0);
        assert_eq!(sampler.at(f32::NAN, f32::NAN), 0.0);
        let coarse = Sampler::new(luma, 1).expect("not empty");
        assert_eq!(coarse.at(3.0, 3.0), 40.0);
        assert!(coarse.contains(4.0, 4.0) && !coarse.contains(4.1, 1.0));
    }
}
