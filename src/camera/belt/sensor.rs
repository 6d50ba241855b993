//! From light to grey levels: the lens's vignetting, lamps mirrored in the
//! surface (fixed in the picture, saturating), and noise by frame number.

use super::mix::mix;
use crate::geometry::Point;

/// Length of the noise table less the widest row: rows begin anywhere in it.
const STARTS: usize = 1 << 16;

/// Lens and sensor of one camera.
#[derive(Debug)]
pub(super) struct Sensor {
    /// Share of light that reaches column x, of 256.
    columns: Vec<u16>,
    /// Share of light that reaches row y, of 256.
    rows: Vec<u16>,
    /// Highlights, in rows.
    glare: Vec<Highlight>,
    /// Light of all highlights, row after row; 255 stands for twice full scale.
    light: Vec<u8>,
    /// Noise in grey levels.
    noise: Vec<i8>,
    seed: u64,
}

/// A stretch of one row that lies under a highlight.
#[derive(Clone, Copy, Debug)]
struct Highlight {
    row: u32,
    left: u32,
    count: u32,
    at: u32,
}

/// An ellipse: centre, half axes.
#[derive(Clone, Copy)]
struct Lamp {
    x: f32,
    y: f32,
    a: f32,
    b: f32,
}

impl Sensor {
    /// A sensor of `width` by `height` pixels. `share` of them lie under
    /// highlights that saturate, each with a soft rim.
    pub(super) fn new(
        (width, height): (u32, u32),
        vignetting: f32,
        share: f32,
        sigma: f32,
        seed: u64,
    ) -> Self {
        let falloff = |count: u32| -> Vec<u16> {
            (0..count)
                .map(|i| {
                    let off = (i as f32 + 0.5) / count as f32 * 2.0 - 1.0;
                    (256.0 * (1.0 - vignetting / 2.0 * off * off)) as u16
                })
                .collect()
        };
        let mut random = fastrand::Rng::with_seed(mix(seed, 1));
        let noise = (0..STARTS + width as usize)
            .map(|_| {
                // The sum of twelve uniform values: variance 1, a Gaussian to 3 sigma.
                let normal = (0..12).map(|_| random.f32()).sum::<f32>() - 6.0;
                (normal * sigma).round().clamp(-127.0, 127.0) as i8
            })
            .collect();
        let mut sensor = Self {
            columns: falloff(width),
            rows: falloff(height),
            glare: Vec::new(),
            light: Vec::new(),
            noise,
            seed,
        };
        sensor.hang_lamps((width, height), share, &mut random);
        sensor
    }

    fn hang_lamps(&mut self, (width, height): (u32, u32), share: f32, random: &mut fastrand::Rng) {
        const LAMPS: usize = 3;
        if share <= 0.0 {
            return;
        }
        let area = share * width as f32 * height as f32 / LAMPS as f32;
        let lamps: [Lamp; LAMPS] = std::array::from_fn(|i| {
            let long = 1.5 + 1.5 * random.f32();
            let b = (area / std::f32::consts::PI / long).sqrt();
            Lamp {
                // One in each third of the picture.
                x: width as f32 * (i as f32 + 0.2 + 0.6 * random.f32()) / LAMPS as f32,
                y: height as f32 * (0.1 + 0.8 * random.f32()),
                a: b * long,
                b,
            }
        });
        for row in 0..height {
            // 1 at the rim of what saturates, 1.35 where nothing is left.
            let far = |x: u32| {
                lamps
                    .iter()
                    .map(|l| {
                        let (dx, dy) = (x as f32 + 0.5 - l.x, row as f32 + 0.5 - l.y);
                        Point::new(dx / l.a, dy / l.b).length()
                    })
                    .fold(f32::MAX, f32::min)
            };
            let lit = |x: &u32| far(*x) < 1.35;
            let Some(left) = (0..width).find(lit) else {
                continue;
            };
            let right = (left..width).rev().find(lit).unwrap_or(left);
            self.glare.push(Highlight {
                row,
                left,
                count: right + 1 - left,
                at: self.light.len() as u32,
            });
            self.light.extend((left..=right).map(|x| {
                let fade = ((1.35 - far(x)) / 0.35).clamp(0.0, 1.0);
                (255.0 * fade * fade) as u8
            }));
        }
    }

    /// Turns the light of row `y` of frame `frame` into grey levels.
    pub(super) fn expose(&self, row: &mut [u8], y: u32, frame: u64) {
        let gain = u32::from(self.rows[y as usize]);
        let start = mix(self.seed ^ frame, u64::from(y)) as usize % STARTS;
        let noise = &self.noise[start..][..row.len()];
        let lamp = self
            .glare
            .binary_search_by_key(&y, |g| g.row)
            .ok()
            .map(|found| self.glare[found]);
        let Some(lamp) = lamp else {
            for ((out, &column), &noise) in row.iter_mut().zip(&self.columns).zip(noise) {
                let gain = (u32::from(column) * gain) >> 8;
                let light = (u32::from(*out) * gain) >> 8;
                *out = (light as i32 + i32::from(noise)).clamp(0, 255) as u8;
            }
            return;
        };
        let light = &self.light[lamp.at as usize..][..lamp.count as usize];
        for (x, ((out, &column), &noise)) in
            row.iter_mut().zip(&self.columns).zip(noise).enumerate()
        {
            let gain = (u32::from(column) * gain) >> 8;
            let extra = x
                .checked_sub(lamp.left as usize)
                .and_then(|x| light.get(x))
                .map_or(0, |&light| 2 * u32::from(light));
            let light = ((u32::from(*out) * gain) >> 8) + extra;
            *out = (light as i32 + i32::from(noise)).clamp(0, 255) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exposed(share: f32, sigma: f32, frame: u64) -> Vec<u8> {
        let sensor = Sensor::new((640, 400), 0.0, share, sigma, 5);
        let mut picture = vec![100; 640 * 400];
        for (y, row) in picture.chunks_exact_mut(640).enumerate() {
            sensor.expose(row, y as u32, frame);
        }
        picture
    }

    #[test]
    fn noise_has_its_mean_and_deviation_and_changes_with_the_frame() {
        let picture = exposed(0.0, 4.0, 1);
        let n = picture.len() as f64;
        let mean = picture.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let variance = picture
            .iter()
            .map(|&v| (f64::from(v) - mean).powi(2))
            .sum::<f64>()
            / n;
        assert!((mean - 100.0).abs() < 0.1, "mean {mean}");
        assert!(
            (variance.sqrt() - 4.0).abs() < 0.1,
            "deviation {}",
            variance.sqrt()
        );
        assert_eq!(picture, exposed(0.0, 4.0, 1));
        assert_ne!(picture, exposed(0.0, 4.0, 2));
    }

    #[test]
    fn highlights_saturate_about_the_share_of_the_picture_asked_for() {
        let saturated = |share| {
            let picture = exposed(share, 0.0, 0);
            picture.iter().filter(|&&v| v == 255).count() as f32 / picture.len() as f32
        };
        assert_eq!(saturated(0.0), 0.0);
        let share = saturated(0.05);
        // Lamps may reach over the picture's rim; the rim of each saturates too.
        assert!((0.03..0.08).contains(&share), "{share}");
    }
}
