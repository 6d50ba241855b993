//! Surfaces without end: belt rubber and cardboard, as tiles that slide past.

use super::sprite::BLUR_UNIT;

/// Pixels after which a texture repeats along the belt.
const WIDE: usize = 1024;
/// Rows after which it repeats across.
const HIGH: usize = 128;

/// A surface, sharp and as the moving belt shows it.
#[derive(Debug)]
pub(super) struct Texture {
    /// `HIGH` rows of `WIDE`.
    sharp: Vec<u8>,
    /// The same blurred along the belt, each row with its first pixel again at
    /// its end, for the mix of neighbours.
    blurred: Vec<u8>,
    blur: Option<u32>,
}

impl Texture {
    /// Dark rubber with a woven pattern and scuffs along the belt.
    pub(super) fn rubber(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let scuffs = noise(&mut random, 60, 1);
        let clouds = noise(&mut random, 24, 12);
        let grain = noise(&mut random, 1, 1);
        Self::new(|x, y, i| {
            let weave = if (x / 8 + y / 8) % 2 == 0 { 1.5 } else { -1.5 };
            56.0 + weave + 5.0 * scuffs[i] + 5.0 * clouds[i] + 3.0 * grain[i]
        })
    }

    /// Cardboard: fibres, and the flutes showing through across the belt.
    pub(super) fn cardboard(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let fibres = noise(&mut random, 6, 1);
        let clouds = noise(&mut random, 40, 20);
        Self::new(|x, _, i| {
            let flutes = (x as f32 * std::f32::consts::TAU / 16.0).sin();
            128.0 + 1.5 * flutes + 3.0 * fibres[i] + 4.0 * clouds[i]
        })
    }

    fn new(level: impl Fn(usize, usize, usize) -> f32) -> Self {
        let sharp = (0..WIDE * HIGH)
            .map(|i| level(i % WIDE, i / WIDE, i).clamp(0.0, 255.0) as u8)
            .collect();
        Self {
            sharp,
            blurred: vec![0; (WIDE + 1) * HIGH],
            blur: None,
        }
    }

    /// Blurs it by a motion of `units` of [`BLUR_UNIT`] pixels, if it is not
    /// blurred so already.
    pub(super) fn blur(&mut self, units: u32) {
        if self.blur == Some(units) {
            return;
        }
        self.blur = Some(units);
        // Whole pixels will do for a texture.
        let way = ((f64::from(units) * BLUR_UNIT).round() as usize).clamp(1, WIDE);
        for (sharp, blurred) in self
            .sharp
            .chunks_exact(WIDE)
            .zip(self.blurred.chunks_exact_mut(WIDE + 1))
        {
            let behind = WIDE - way / 2;
            let mut sum: usize = (0..way)
                .map(|i| usize::from(sharp[(behind + i) % WIDE]))
                .sum();
            for (x, out) in blurred.iter_mut().enumerate() {
                *out = (sum / way) as u8;
                sum += usize::from(sharp[(x + behind + way) % WIDE]);
                sum -= usize::from(sharp[(x + behind) % WIDE]);
            }
        }
    }

    /// Fills `out` with row `row` of the surface from place `start` on (px along
    /// the surface), each level changed by `tone`.
    pub(super) fn fill(&self, out: &mut [u8], row: usize, start: f64, tone: i16) {
        let line = &self.blurred[(row % HIGH) * (WIDE + 1)..][..WIDE + 1];
        let whole = start.floor();
        let part = ((start - whole) * 256.0) as u16;
        let mut from = (whole as i64).rem_euclid(WIDE as i64) as usize;
        let mut rest = out;
        while !rest.is_empty() {
            let count = rest.len().min(WIDE - from);
            let (now, later) = rest.split_at_mut(count);
            let left = &line[from..][..count];
            let right = &line[from + 1..][..count];
            for ((out, &a), &b) in now.iter_mut().zip(left).zip(right) {
                let mixed = (u16::from(a) * (256 - part) + u16::from(b) * part) >> 8;
                *out = (mixed as i16 + tone).clamp(0, 255) as u8;
            }
            rest = later;
            from = 0;
        }
    }

    /// One level of the surface, as [`Texture::fill`] has it.
    pub(super) fn at(&self, row: usize, place: f64, tone: i16) -> u8 {
        let mut level = [0];
        self.fill(&mut level, row, place, tone);
        level[0]
    }
}

/// Periodic noise of standard deviation 1, smooth over `wide` by `high` pixels.
fn noise(random: &mut fastrand::Rng, wide: usize, high: usize) -> Vec<f32> {
    let mut plane: Vec<f32> = (0..WIDE * HIGH).map(|_| random.f32() - 0.5).collect();
    let mut line = Vec::new();
    let mut smooth = |plane: &mut [f32], start: usize, step: usize, count: usize, over: usize| {
        line.clear();
        line.extend((0..count).map(|i| plane[start + i * step]));
        let mut sum: f32 = (0..over).map(|i| line[i % count]).sum();
        for i in 0..count {
            plane[start + i * step] = sum;
            sum += line[(i + over) % count] - line[i];
        }
    };
    for y in 0..HIGH {
        smooth(&mut plane, y * WIDE, 1, WIDE, wide);
    }
    for x in 0..WIDE {
        smooth(&mut plane, x, WIDE, HIGH, high);
    }
    // A uniform distribution of width 1 has variance 1/12.
    let scale = (12.0 / (wide * high) as f32).sqrt();
    plane.iter_mut().for_each(|value| *value *= scale);
    plane
}
