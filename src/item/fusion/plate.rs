//! One canvas that rides with the belt.

use super::evidence::Region;
use super::marks::Marks;
use crate::frame::Luma;
use crate::geometry::{Homography, Point, Quad};
use crate::optics::{Canvas, Found, Sampler, Scratch, WHITE};
use crate::qr::{Quality, Sign};

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
/// A plate that a shift alone puts in its place to so many pixels everywhere is not
/// bent: finder patterns are located to a few tenths of a pixel, and what two of them
/// tell of a corner across is twice as far off …
const BEND: f32 = 1.5;
/// … and one that is bent already, by so many.
const BEND_MORE: f32 = 0.6;
/// Most and least that a bent plate is as large in the picture as it was at first.
const SIZES: std::ops::Range<f32> = 0.6..1.6;

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
    /// How it lies in the picture otherwise than at first, about its middle, which
    /// stays: from its pixels to the picture's as kept, less its origin.
    bent: Option<Homography>,
    /// How that changes in a second, number by number.
    bending: [f64; 9],
    marks: Marks,
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
            bent: None,
            bending: [0.0; 9],
            marks: Marks::default(),
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
        (self.origin + self.lies(self.seed)) * self.pitch as f32
    }

    /// Where a place on it lies from its origin.
    fn lies(&self, at: Point) -> Point {
        match &self.bent {
            Some(bent) => bent.map(at.x.into(), at.y.into()),
            None => at,
        }
    }

    /// The map from it to the picture as kept.
    fn map(&self) -> Homography {
        let bent = self.bent.unwrap_or(shift(Point::default()));
        shift(self.origin).after(&bent)
    }

    fn middle(&self) -> Point {
        Point::new(self.size.0 as f32 / 2.0, self.size.1 as f32 / 2.0)
    }

    fn corners(&self) -> [Point; 4] {
        let (width, height) = (self.size.0 as f32, self.size.1 as f32);
        [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)].map(|(x, y)| Point::new(x, y))
    }

    /// Lays it by `map`: its middle is where that has it.
    fn lay(&mut self, map: &Homography) {
        let middle = self.middle();
        self.origin = map.map(middle.x.into(), middle.y.into()) - middle;
        let bent = shift(self.origin * -1.0).after(map);
        self.bent = Some(Homography(bent.0.map(|value| value / bent.0[8])));
    }

    /// Goes on bending as it did, to `now`.
    pub fn bend_on(&mut self, now: f64) {
        if let Some(bent) = &mut self.bent {
            let time = now - self.seen;
            for (value, rate) in bent.0.iter_mut().zip(self.bending) {
                *value += rate * time;
            }
        }
    }

    /// Notes the finder patterns that it shows.
    pub fn note(&mut self, signs: &[Sign]) {
        let map = self.map();
        self.marks.note(signs, self.pitch as f32, self.size, &map);
    }

    /// Bends it to what the finder patterns of the frame tell, where a shift does not
    /// do. Gives how it lay before if it changed.
    pub fn bend(&mut self, signs: &[Sign]) -> Option<Lie> {
        let before = self.lie();
        let now = self.map();
        let map = self.marks.meet(signs, self.pitch as f32, &now)?;
        let place = |map: &Homography, at: Point| map.map(at.x.into(), at.y.into());
        let corners = self.corners();
        let off = |at: &Point| place(&map, *at).distance(place(&now, *at));
        let off = corners.iter().map(off).fold(0.0, f32::max);
        let size = Quad(corners.map(|at| place(&map, at))).area() / self.pixels() as f32;
        let least = match self.bent {
            Some(_) => BEND_MORE,
            None => BEND,
        };
        if off < least || !SIZES.contains(&size.sqrt()) {
            return None;
        }
        self.lay(&map);
        Some(before)
    }

    /// Counts a frame in which it was not found, and lies as it did.
    pub fn miss(&mut self, before: Lie) {
        self.unbend(before);
        self.misses += 1;
    }

    /// Takes a bend back.
    pub fn unbend(&mut self, before: Lie) {
        (self.origin, self.bent) = (before.origin, before.bent);
    }

    /// Learns how it bends from how it lay a while before.
    fn learn(&mut self, before: &Lie, time: f64) {
        let Some(bent) = self.bent else { return };
        let before = before.bent.unwrap_or(shift(Point::default()));
        for ((rate, new), old) in self.bending.iter_mut().zip(bent.0).zip(before.0) {
            *rate += ((new - old) / time - *rate) * 0.5;
        }
    }

    /// How it lies.
    pub fn lie(&self) -> Lie {
        Lie {
            origin: self.origin,
            bent: self.bent,
        }
    }

    /// Does this place of the picture lie on it?
    pub fn covers(&self, place: Point) -> bool {
        let at = place * (1.0 / self.pitch as f32) - self.origin;
        let at = match self.bent.as_ref().and_then(Homography::inverse) {
            Some(back) => back.map(at.x.into(), at.y.into()),
            None => at,
        };
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
        let seed = at + self.lies(self.seed);
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
        let size = (self.size.0 + room, self.size.1 + room);
        match &self.bent {
            Some(bent) => crop.cut_bent(luma, self.pitch, low, size, (expected, bent)),
            None => crop.cut(luma, self.pitch, low, size),
        }
    }

    /// Adds the crop, in which its corner is at (`left`, `top`).
    pub fn add(&mut self, crop: &Crop, (left, top): (f32, f32), scratch: &mut Scratch) {
        self.canvas.add(crop.luma(), left, top, scratch);
    }

    /// Is this a place where it was sought and is?
    pub fn is_sure(found: &Found) -> bool {
        found.score >= LEAST_SCORE && found.score >= found.rival + LEAD
    }

    /// Puts it where it was found in the crop, which was cut with `expected` as its
    /// origin.
    pub fn shift(&mut self, found: &Found, crop: &Crop, expected: Point) {
        let origin = crop.origin + Point::new(found.left, found.top);
        match self.bent {
            Some(bent) => {
                let map = shift(expected).after(&bent);
                self.lay(&map.after(&shift(origin - expected)));
            }
            None => self.origin = origin,
        }
    }

    /// Notes that it was found in the frame taken at `now`, and that it lay at
    /// `before` when it was seen last.
    pub fn follow(&mut self, before: &Lie, now: f64) {
        let time = (now - self.seen) as f32;
        if time > 0.0 {
            let measured = (self.origin - before.origin) * (1.0 / time);
            self.velocity = Some(match self.velocity {
                Some(old) => old + (measured - old) * 0.5,
                None => measured,
            });
        }
        if time > 0.0 {
            self.learn(before, time.into());
        }
        self.seen = now;
        self.misses = 0;
    }

    /// Its velocity in the picture, px/s, where it is known.
    pub fn velocity(&self) -> Option<Point> {
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
                .map(|corner| (self.lies(corner) + self.origin) * self.pitch as f32),
        )
    }

    /// The same of the quality.
    pub fn quality(&self, quality: Quality) -> Quality {
        let area = Quad(self.corners().map(|at| self.lies(at))).area();
        let size = (area / self.pixels() as f32).sqrt();
        Quality {
            module_px: quality.module_px * size * self.pitch as f32,
            ..quality
        }
    }
}

/// How a plate lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lie {
    origin: Point,
    bent: Option<Homography>,
}

/// The map that shifts by `way`.
fn shift(way: Point) -> Homography {
    let (x, y) = (f64::from(way.x), f64::from(way.y));
    Homography([1.0, 0.0, x, 0.0, 1.0, y, 0.0, 0.0, 1.0])
}

/// A part of the picture, at the size in which a plate keeps it.
#[derive(Debug, Default)]
pub(super) struct Crop {
    pixels: Vec<u8>,
    /// What a bent one is taken from.
    straight: Vec<u8>,
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

    /// Copies what would lie here if the plate had not bent since it began: of the
    /// place `p` from the corner `expected` is shown what lies at `bent(p)`.
    fn cut_bent(
        &mut self,
        luma: &Luma<'_>,
        pitch: usize,
        low: Point,
        size: (usize, usize),
        (expected, bent): (Point, &Homography),
    ) {
        let corner = Point::new(low.x.floor(), low.y.floor());
        let map = shift(expected).after(bent).after(&shift(corner - expected));
        let (width, height) = (size.0 as f64, size.1 as f64);
        let outline = Quad([
            map.map(0.0, 0.0),
            map.map(width, 0.0),
            map.map(width, height),
            map.map(0.0, height),
        ]);
        let (left, top, right, bottom) = outline.bounds();
        // Bounded whatever the map is; a pixel more on each side to mix from.
        let side = |low: f32, high: f32, own: usize| ((high - low) as usize + 4).min(2 * own + 4);
        let straight = (side(left, right, size.0), side(top, bottom, size.1));
        self.cut(luma, pitch, Point::new(left - 1.0, top - 1.0), straight);
        std::mem::swap(&mut self.pixels, &mut self.straight);
        let from = self.origin;
        self.origin = corner;
        (self.width, self.height) = size;
        self.pixels.clear();
        self.pixels.resize(size.0 * size.1, u8::MAX);
        let view = Luma::new(&self.straight, straight.0, straight.1, straight.0);
        let Some(sampler) = view.and_then(|view| Sampler::new(view, 0)) else {
            return;
        };
        for (y, row) in self.pixels.chunks_exact_mut(size.0).enumerate() {
            for (x, out) in row.iter_mut().enumerate() {
                let at = map.map(x as f64 + 0.5, y as f64 + 0.5) - from;
                let (column, line) = (at.x - 0.5, at.y - 0.5);
                let within = column >= 0.0
                    && line >= 0.0
                    && column < (straight.0 - 1) as f32
                    && line < (straight.1 - 1) as f32;
                if !within {
                    continue;
                }
                let first = line as usize * straight.0 + column as usize;
                let white = [first, first + 1, first + straight.0, first + straight.0 + 1]
                    .iter()
                    .any(|&index| self.straight[index] >= WHITE);
                if !white {
                    *out = (sampler.at(at.x, at.y) + 0.5) as u8;
                }
            }
        }
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
