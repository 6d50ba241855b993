//! One canvas that rides with the belt.

use super::evidence::Region;
use crate::frame::Luma;
use crate::geometry::{Point, Quad};
use crate::optics::{Canvas, Found, Scratch, WHITE};
use crate::qr::Quality;

/// Least correlation of a frame with the canvas, at a quarter of the size. Under
/// glare over half the code, and with noise as strong as the contrast, it is
/// above; of a wrong place it is below.
const LEAST_SCORE: f32 = 0.35;
/// Least lead over any other place.
const LEAD: f32 = 0.04;
/// Farthest that a plate is sought, in pixels as kept, while nothing tells of its
/// motion.
const WIDE: f32 = 48.0;
/// Pixels of the crop around what is sought: the coarsest level's.
const MARGIN: f32 = 8.0;

/// A canvas and where it is.
#[derive(Debug)]
pub(super) struct Plate {
    pub canvas: Canvas,
    /// Fused reads that gave nothing.
    pub failed: u32,
    /// Frames in a row in which it was not found.
    pub misses: u32,
    pitch: usize,
    size: (usize, usize),
    /// Its upper left corner when it was last seen, in pixels as kept.
    origin: Point,
    /// The sign that it began with, from its corner, in pixels as kept.
    seed: Point,
    /// Pixels as kept a second.
    velocity: Option<Point>,
    began: f64,
    seen: f64,
    tried: f64,
}

impl Plate {
    /// Begins at `region` of a frame taken at `now`.
    pub fn new(mut canvas: Canvas, region: &Region, now: f64) -> Self {
        let scale = 1.0 / region.pitch as f32;
        let (low, high) = (region.low * scale, region.high * scale);
        let origin = Point::new(low.x.floor(), low.y.floor());
        let side = |v: f32| (v as usize).max(1);
        let size = (side(high.x - origin.x), side(high.y - origin.y));
        canvas.start(size.0, size.1);
        Self {
            canvas,
            failed: 0,
            misses: 0,
            pitch: region.pitch,
            size,
            origin,
            seed: region.seed * scale - origin,
            velocity: None,
            began: now,
            seen: now,
            tried: f64::NEG_INFINITY,
        }
    }

    pub fn pixels(&self) -> usize {
        self.size.0 * self.size.1
    }

    pub fn origin(&self) -> Point {
        self.origin
    }

    /// The sign that it began with, in the picture.
    pub fn seed(&self) -> Point {
        (self.origin + self.seed) * self.pitch as f32
    }

    /// Does this place of the picture lie on it?
    pub fn covers(&self, place: Point) -> bool {
        let at = place * (1.0 / self.pitch as f32) - self.origin;
        at.x >= 0.0 && at.y >= 0.0 && at.x < self.size.0 as f32 && at.y < self.size.1 as f32
    }

    /// Has it stood still?
    pub fn stands(&self) -> bool {
        let way = self.velocity.unwrap_or_default() * (self.seen - self.began) as f32;
        way.length() < 4.0
    }

    /// Is enough of it still in the picture?
    pub fn is_in(&self, luma: &Luma<'_>, now: f64, belt: Option<Point>) -> bool {
        let (at, _) = self.expected(now, belt);
        let pitch = self.pitch as f32;
        let (width, height) = (luma.width() as f32 / pitch, luma.height() as f32 / pitch);
        let seed = at + self.seed;
        seed.x > 0.0 && seed.y > 0.0 && seed.x < width && seed.y < height
    }

    /// Where it should be now, and how far around to look, in pixels as kept.
    pub fn expected(&self, now: f64, belt: Option<Point>) -> (Point, f32) {
        let time = (now - self.seen) as f32;
        let scale = 1.0 / self.pitch as f32;
        let (velocity, reach) = match (self.velocity, belt) {
            (Some(own), _) => (own, 5.0 + 0.2 * own.length() * time),
            (None, Some(belt)) if self.misses == 0 => {
                (belt * scale, 8.0 + 0.25 * belt.length() * scale * time)
            }
            _ => (Point::default(), WIDE),
        };
        (self.origin + velocity * time, reach.min(WIDE))
    }

    /// Copies the part of the picture in which it is sought.
    pub fn cut(&self, luma: &Luma<'_>, expected: Point, reach: f32, crop: &mut Crop) {
        let margin = if reach > 0.0 {
            reach.ceil() + MARGIN
        } else {
            0.0
        };
        let room = 2 * margin as usize;
        let low = expected - Point::new(margin, margin);
        crop.cut(
            luma,
            self.pitch,
            low,
            (self.size.0 + room, self.size.1 + room),
        );
    }

    /// Adds the crop, whose corner is its own.
    pub fn add(&mut self, crop: &Crop, scratch: &mut Scratch) {
        self.canvas.add(crop.luma(), 0.0, 0.0, scratch);
    }

    /// Takes a frame in which it was sought. Gives its velocity in the picture,
    /// px/s, if it was found.
    pub fn follow(
        &mut self,
        found: Option<Found>,
        crop: &Crop,
        now: f64,
        scratch: &mut Scratch,
    ) -> Option<Point> {
        let Some(found) = found.filter(|f| f.score >= LEAST_SCORE && f.score >= f.rival + LEAD)
        else {
            self.misses += 1;
            return None;
        };
        let origin = crop.origin + Point::new(found.left, found.top);
        let time = (now - self.seen) as f32;
        if time > 0.0 {
            let measured = (origin - self.origin) * (1.0 / time);
            self.velocity = Some(match self.velocity {
                Some(old) => old + (measured - old) * 0.5,
                None => measured,
            });
        }
        self.origin = origin;
        self.seen = now;
        self.misses = 0;
        self.canvas.add(crop.luma(), found.left, found.top, scratch);
        self.velocity.map(|velocity| velocity * self.pitch as f32)
    }

    /// Has it changed since it was last read?
    pub fn is_due(&self, now: f64) -> bool {
        self.seen == now && self.tried < now && self.canvas.pictures() > 1
    }

    pub fn tried(&mut self, now: f64) {
        self.tried = now;
    }

    /// When it was last read, in ns; before all others if it never was.
    pub fn tried_ns(&self) -> i64 {
        (self.tried * 1e9) as i64
    }

    pub fn began_ns(&self) -> i64 {
        (self.began * 1e9) as i64
    }

    /// Corners on the canvas as corners in the picture.
    pub fn in_picture(&self, quad: &Quad) -> Quad {
        Quad(
            quad.0
                .map(|corner| (corner + self.origin) * self.pitch as f32),
        )
    }

    /// The same of the quality.
    pub fn quality(&self, quality: Quality) -> Quality {
        Quality {
            module_px: quality.module_px * self.pitch as f32,
            ..quality
        }
    }
}

/// A part of the picture, at the size in which a plate keeps it.
#[derive(Debug, Default)]
pub(super) struct Crop {
    pixels: Vec<u8>,
    width: usize,
    height: usize,
    /// Its corner, in pixels as kept: whole numbers.
    origin: Point,
}

impl Crop {
    pub fn luma(&self) -> Luma<'_> {
        Luma::new(&self.pixels, self.width, self.height, self.width).unwrap_or(Luma::empty())
    }

    /// A place in the picture, in pixels as kept, seen from the crop's corner.
    pub fn inside(&self, place: Point) -> (f32, f32) {
        (place.x - self.origin.x, place.y - self.origin.y)
    }

    /// Copies; what lies outside of the picture is white, like glare: nothing is
    /// known of it.
    fn cut(&mut self, luma: &Luma<'_>, pitch: usize, low: Point, size: (usize, usize)) {
        self.origin = Point::new(low.x.floor(), low.y.floor());
        (self.width, self.height) = size;
        self.pixels.clear();
        self.pixels.resize(size.0 * size.1, u8::MAX);
        let (left, top) = (self.origin.x as i64, self.origin.y as i64);
        // Columns and rows of the crop that the picture has.
        let within = |low: i64, size: usize, side: usize| {
            let from = (-low).clamp(0, size as i64);
            let to = ((side / pitch) as i64 - low).clamp(from, size as i64);
            (from as usize, to as usize)
        };
        let (from, to) = within(left, size.0, luma.width());
        let (first, last) = within(top, size.1, luma.height());
        if from == to {
            // Wholly beside the picture: there is no column to begin at either.
            return;
        }
        for y in first..last {
            let out = &mut self.pixels[y * size.0..][from..to];
            let (x, row) = ((left + from as i64) as usize, (top + y as i64) as usize);
            if pitch == 1 {
                out.copy_from_slice(&luma.row(row)[x..x + to - from]);
                continue;
            }
            for (i, out) in out.iter_mut().enumerate() {
                let part = luma.crop((x + i) * pitch, row * pitch, pitch, pitch);
                let (mut sum, mut white) = (0, false);
                for y in 0..part.height() {
                    for &light in part.row(y) {
                        sum += usize::from(light);
                        white |= light >= WHITE;
                    }
                }
                if !white {
                    *out = (sum / (pitch * pitch)) as u8;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A track may be expected beyond the picture's edge, when frames were missed.
    #[test]
    fn a_crop_may_lie_wholly_beside_the_picture() {
        let grey = vec![90; 320 * 240];
        let luma = Luma::new(&grey, 320, 240, 320).unwrap();
        for pitch in [1, 2] {
            for (x, y) in [(493.0, 20.0), (-493.0, 20.0), (20.0, 493.0), (20.0, -493.0)] {
                let mut crop = Crop::default();
                crop.cut(&luma, pitch, Point::new(x, y), (96, 80));
                assert!(crop.pixels.iter().all(|&light| light == u8::MAX));
            }
            let mut crop = Crop::default();
            crop.cut(&luma, pitch, Point::new(-48.0, 0.0), (96, 80));
            let known = crop.pixels.iter().filter(|&&light| light == 90).count();
            assert_eq!(known, 48 * 80);
        }
    }
}
