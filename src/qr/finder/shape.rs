//! The exact place and shape of a finder pattern, measured in grey.
//!
//! From a rough middle, rays go out in all directions and note where they cross
//! the three borders of the pattern (1.5, 2.5 and 3.5 modules from the middle of
//! a side). The two outer borders together trace a parallelogram that does not
//! depend on how far ink has spread: its moments give the middle and the shape,
//! the fourth harmonic of its radius the direction of its sides.

use super::{FinderPattern, Look};
use crate::geometry::Point;
use crate::optics::Sampler;

/// Rays, evenly spread.
const RAYS: usize = 32;
/// Least share of rays that must look like a finder pattern.
const LEAST_RAYS: usize = RAYS * 6 / 10;
/// Rays are followed in rounds: the first one, every how many, and by which
/// factor they may be rougher so far than all may be in the end. The diagonals come
/// first and the axes late: along the axes the runs are known to be right.
const ROUNDS: [(usize, usize, f32); 5] = [
    (4, 8, 1.3),
    (2, 4, 1.15),
    (0, 8, 1.05),
    (1, 4, 1.0),
    (3, 4, 1.0),
];
/// Most that ink may have spread, in modules, to either side.
const MOST_INK: f32 = 0.3;
/// What is rough by ink alone must be so alike on all sides that it is this many
/// times less rough without it.
/// Measured on symbols whose modules were 0.3 thinner on all sides: 38 of 40 instead
/// of 29 are read. Photographs cost 7 % more time for it, 16 % without this bound.
const EVEN: f32 = 3.0;
/// How much rougher rays may be before it is known what ink did to them.
const MOST_SPREAD: f32 = 2.0;
/// Amplitude of the fourth harmonic of a square, relative to its area:
/// (2π - 6) / 2.
const SQUARE_HARMONIC: f32 = 0.1416;

/// Directions of the rays: (cos, sin) of k · 360° / [`RAYS`].
fn directions() -> [Point; RAYS] {
    std::array::from_fn(|k| {
        let angle = k as f32 * (std::f32::consts::TAU / RAYS as f32);
        Point::new(angle.cos(), angle.sin())
    })
}

/// Measures finder patterns on one level.
#[derive(Debug)]
pub struct Measure {
    directions: [Point; RAYS],
}

impl Default for Measure {
    fn default() -> Self {
        Self {
            directions: directions(),
        }
    }
}

impl Measure {
    /// The finder pattern about `centre` whose modules are about `module` pixels;
    /// `None` if too few directions look like one, or if light and dark differ by
    /// less, or by more roughness, than `look` allows.
    pub fn finder(
        &self,
        sampler: &Sampler<'_>,
        centre: Point,
        module: f32,
        inverted: bool,
        look: &Look,
    ) -> Option<FinderPattern> {
        let value = |x: f32, y: f32| {
            let grey = sampler.at(x, y);
            if inverted { 255.0 - grey } else { grey }
        };
        let step = (module / 4.0).max(0.35 * sampler.pixel());
        let mut dark = 0.0;
        for dy in [-0.5, 0.0, 0.5] {
            for dx in [-0.5, 0.0, 0.5] {
                dark += value(centre.x + dx * module, centre.y + dy * module) / 9.0;
            }
        }
        let light = self.ring_light(&value, centre, module);
        if light - dark < look.contrast {
            return None;
        }
        let ray = Ray {
            start: centre,
            step,
            limits: [4.0, 5.5, 6.5].map(|modules| modules * module),
            dark,
            light,
            rounding: 0.5 * sampler.pixel(),
        };
        // Most of what comes here is none: a few rays tell soon.
        let most = look.roughness * look.roughness * RAYS as f32;
        let (mut rough, mut ink) = (0.0, 0.0);
        let mut traces = [const { None }; RAYS];
        let (mut hits, mut done) = (0, 0);
        for (first, every, lenience) in ROUNDS {
            for k in (first..RAYS).step_by(every) {
                traces[k] = ray.trace(&value, self.directions[k]);
                rough += traces[k].as_ref().map_or(0.25, |t: &Trace| t.off * t.off);
                ink += traces[k].as_ref().map_or(0.0, |t: &Trace| t.ink);
                hits += usize::from(traces[k].is_some());
                done += 1;
                if rough > MOST_SPREAD * most {
                    return None;
                }
            }
            let rough = rough.min(EVEN * unspread(rough, ink, hits));
            if hits + (RAYS - done) < LEAST_RAYS
                || hits * 2 < done
                || rough * (RAYS as f32) > lenience * most * done as f32
            {
                return None;
            }
        }
        let edge = traces.iter().flatten().map(|t| t.edge).sum::<f32>()
            / traces.iter().flatten().count() as f32;
        let mut outline = [Point::default(); RAYS];
        let mut used = 0;
        for (k, along) in self.directions.iter().enumerate() {
            // Where a ray was disturbed, the one across stands in.
            let radius = match (&traces[k], &traces[(k + RAYS / 2) % RAYS]) {
                (Some(trace), _) | (None, Some(trace)) => trace.radius,
                (None, None) => continue,
            };
            outline[used] = *along * radius;
            used += 1;
        }
        let outline = Outline::of(&outline[..used])?;
        let round = rounded(outline.squareness);
        let (u, v) = (outline.u * round, outline.v * round);
        let area = u.cross(v);
        // Two borders that add up to six modules: the middle moves three times
        // as far as that of the outline (see `Trace::radius`).
        let moved = outline.centre * 3.0;
        if !(area > 0.25 && area.is_finite()) || moved.length() > 2.0 * module {
            return None;
        }
        Some(FinderPattern {
            centre: centre + moved,
            u,
            v,
            module: area.sqrt(),
            inverted,
            dark,
            light,
            edge,
            squareness: outline.squareness,
            roughness: (rough.min(EVEN * unspread(rough, ink, hits)) / RAYS as f32).sqrt(),
        })
    }

    /// Grey value of the light ring: median over the rays of the lightest place
    /// where the ring must be.
    fn ring_light(&self, value: &impl Fn(f32, f32) -> f32, centre: Point, module: f32) -> f32 {
        let mut lightest: [f32; RAYS / 4] = std::array::from_fn(|k| {
            let along = self.directions[4 * k];
            [1.5, 1.85, 2.2, 2.55, 2.9]
                .into_iter()
                .fold(0.0f32, |best, radius| {
                    let place = centre + along * (radius * module);
                    best.max(value(place.x, place.y))
                })
        });
        lightest.sort_unstable_by(f32::total_cmp);
        lightest[RAYS / 8]
    }
}

struct Ray {
    start: Point,
    step: f32,
    /// Where each of the three borders must be crossed at the latest.
    limits: [f32; 3],
    dark: f32,
    light: f32,
    rounding: f32,
}

/// What one ray crossed.
struct Trace {
    /// Distance from the start to a border one module out, in this direction:
    /// the mean of the borders at 2.5 and 3.5 modules, over 3. If the start is
    /// off the middle by δ, both borders are off by δ, so this is by δ / 3.
    radius: f32,
    /// Length of the first edge from 25 % to 75 %, in pixels.
    edge: f32,
    /// Distance of the first two borders from where they should be, in modules.
    off: f32,
    /// How far ink has spread, in modules: what the first border lies too far out,
    /// and the second too far in.
    ink: f32,
}

impl Ray {
    fn trace(&self, value: &impl Fn(f32, f32) -> f32, along: Point) -> Option<Trace> {
        let level = |share: f32| self.dark + (self.light - self.dark) * share;
        let (quarter, middle, upper) = (level(0.25), level(0.5), level(0.75));
        let mut crossings = [0.0f32; 3];
        let (mut low, mut high) = (0.0, 0.0);
        let mut found = 0;
        let mut radius = 0.0;
        let mut before = value(self.start.x, self.start.y);
        while found < 3 && radius < self.limits[found] {
            let next = radius + self.step;
            let now = value(self.start.x + along.x * next, self.start.y + along.y * next);
            let cross = |at: f32| radius + self.step * ((at - before) / (now - before));
            if found == 0 {
                if before < quarter && now >= quarter {
                    low = cross(quarter);
                }
            } else if found == 1 && high == 0.0 && before < upper && now >= upper {
                high = cross(upper);
            }
            let light_wanted = found != 1;
            if (now > middle) == light_wanted && (before > middle) != light_wanted {
                crossings[found] = cross(middle);
                found += 1;
                if found == 1 && now >= upper {
                    high = cross(upper);
                }
            }
            before = now;
            radius = next;
        }
        if found < 2 {
            return None;
        }
        let [core, inner, outer] = crossings;
        let near = |at: f32, modules: f32, radius: f32| {
            (at - modules * radius).abs() <= 0.7 * radius + self.rounding
        };
        // The outermost border is there unless the quiet zone is not.
        let both = (inner + outer) / 6.0;
        let radius = if found == 3 && near(core, 1.5, both) && near(inner, 2.5, both) {
            both
        } else {
            let alone = (inner + core) / 4.0;
            if !(near(core, 1.5, alone) && near(inner, 2.5, alone)) {
                return None;
            }
            alone
        };
        Some(Trace {
            radius,
            off: ((core - 1.5 * radius).abs() + (inner - 2.5 * radius).abs()) / radius,
            ink: ((core - 1.5 * radius) - (inner - 2.5 * radius)) / (2.0 * radius),
            edge: if high > low { high - low } else { 0.0 },
        })
    }
}

/// Roughness of `hits` rays added up, without what ink that has spread (or has not
/// filled its modules) makes of all of them alike. `ink` is the sum over the rays.
fn unspread(rough: f32, ink: f32, hits: usize) -> f32 {
    let hits = hits.max(1) as f32;
    let spread = (ink / hits).clamp(-MOST_INK, MOST_INK);
    (rough - 4.0 * spread * spread * hits).max(0.0)
}

/// How much longer the sides of a pattern are than its moments tell if it is not
/// square but round, as designers like it: a circle's half side is its radius, and
/// the square of the same moments has 0.866 of that. What is square by half is a
/// square that is blurred or noisy.
fn rounded(squareness: f32) -> f32 {
    1.0 + (2.0 / 3.0f32.sqrt() - 1.0) * (1.0 - 2.0 * squareness).max(0.0)
}

/// A parallelogram from the moments of a polygon around the origin.
struct Outline {
    centre: Point,
    u: Point,
    v: Point,
    squareness: f32,
}

impl Outline {
    fn of(points: &[Point]) -> Option<Self> {
        let pairs = || (0..points.len()).map(|i| (points[i], points[(i + 1) % points.len()]));
        let mut area = 0.0;
        let mut centre = Point::default();
        for (p, q) in pairs() {
            let cross = p.cross(q);
            area += cross / 2.0;
            centre = centre + (p + q) * (cross / 6.0);
        }
        if area < 1e-3 {
            return None;
        }
        let centre = centre * (1.0 / area);
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for (p, q) in pairs() {
            let (p, q) = (p - centre, q - centre);
            let cross = p.cross(q) / (12.0 * area);
            xx += cross * (p.x * p.x + p.x * q.x + q.x * q.x);
            yy += cross * (p.y * p.y + p.y * q.y + q.y * q.y);
            xy += cross * (p.x * p.y + q.x * q.y + (p.x * q.y + q.x * p.y) / 2.0);
        }
        // For half sides p and q the covariance is (p pᵀ + q qᵀ) / 3: its root
        // takes the unit square, turned somehow, to the outline.
        let (xx, xy, yy) = (3.0 * xx, 3.0 * xy, 3.0 * yy);
        let determinant = (xx * yy - xy * xy).max(0.0).sqrt();
        let trace = (xx + yy + 2.0 * determinant).sqrt();
        if !(determinant > 1e-6 && trace > 1e-6) {
            return None;
        }
        let root = [
            (xx + determinant) / trace,
            xy / trace,
            (yy + determinant) / trace,
        ];
        let inverse = root[0] * root[2] - root[1] * root[1];
        let whiten = |p: Point| {
            Point::new(
                (root[2] * p.x - root[1] * p.y) / inverse,
                (root[0] * p.y - root[1] * p.x) / inverse,
            )
        };
        let (mut real, mut imaginary, mut total) = (0.0, 0.0, 0.0);
        for (p, q) in pairs() {
            let (p, q) = (whiten(p - centre), whiten(q - centre));
            let middle = p + q;
            let squared = Point::new(
                middle.x * middle.x - middle.y * middle.y,
                2.0 * middle.x * middle.y,
            );
            let fourth = Point::new(
                squared.x * squared.x - squared.y * squared.y,
                2.0 * squared.x * squared.y,
            );
            let (length, cross) = (fourth.length(), p.cross(q));
            if length > 0.0 {
                real += fourth.x / length * cross;
                imaginary += fourth.y / length * cross;
                total += cross;
            }
        }
        // The radius of an upright square is largest at 45°: its harmonic is
        // negative and real.
        let angle = (-imaginary).atan2(-real) / 4.0;
        let (sin, cos) = angle.sin_cos();
        let unwhiten =
            |x: f32, y: f32| Point::new(root[0] * x + root[1] * y, root[1] * x + root[2] * y);
        Some(Self {
            centre,
            u: unwhiten(cos, sin),
            v: unwhiten(-sin, cos),
            squareness: (Point::new(real, imaginary).length() / total.max(1e-6) / SQUARE_HARMONIC)
                .min(1.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Luma;

    const LOOK: Look = Look {
        step: 2,
        inverted: true,
        last: false,
        least: 14,
        contrast: 20.0,
        clarity: 0.2,
        roughness: 0.5,
    };

    /// A finder pattern drawn by area: `side` pixels a side of the picture.
    fn draw(side: usize, centre: Point, u: Point, v: Point) -> Vec<u8> {
        const FINE: usize = 8;
        let area = u.cross(v);
        let mut picture = vec![0; side * side];
        for y in 0..side {
            for x in 0..side {
                let mut sum = 0;
                for i in 0..FINE * FINE {
                    let place = Point::new(
                        x as f32 + ((i % FINE) as f32 + 0.5) / FINE as f32,
                        y as f32 + ((i / FINE) as f32 + 0.5) / FINE as f32,
                    ) - centre;
                    let a = (place.cross(v) / area).abs();
                    let b = (u.cross(place) / area).abs();
                    let ring = a.max(b);
                    let dark = ring < 1.5 || (2.5..3.5).contains(&ring);
                    sum += if dark { 30 } else { 220 };
                }
                picture[y * side + x] = (sum / (FINE * FINE)) as u8;
            }
        }
        picture
    }

    #[test]
    fn place_and_sides_come_out_below_a_pixel_at_any_angle() {
        let measure = Measure::default();
        for degrees in (0..90).step_by(7) {
            let (sin, cos) = (degrees as f32).to_radians().sin_cos();
            let centre = Point::new(40.3, 39.6);
            let u = Point::new(4.0 * cos, 4.0 * sin);
            let v = Point::new(-3.4 * sin, 3.4 * cos);
            let picture = draw(80, centre, u, v);
            let luma = Luma::new(&picture, 80, 80, 80).expect("fits");
            let sampler = Sampler::new(luma, 0).expect("not empty");
            let rough = Point::new(41.0, 39.0);
            let found = measure
                .finder(&sampler, rough, 3.5, false, &LOOK)
                .expect("a finder pattern");
            assert!(found.centre.distance(centre) < 0.15, "{degrees}: {found:?}");
            let off = (0..4)
                .map(|quarter| match quarter {
                    0 => found.u.distance(u),
                    1 => found.u.distance(v),
                    2 => found.u.distance(u * -1.0),
                    _ => found.u.distance(v * -1.0),
                })
                .fold(f32::MAX, f32::min);
            assert!(off < 0.2, "{degrees}: off by {off}, {found:?}");
            assert!(found.squareness > 0.6);
        }
    }

    #[test]
    fn discs_stripes_and_noise_are_none() {
        let measure = Measure::default();
        let mut random = fastrand::Rng::with_seed(3);
        let noise: Vec<u8> = (0..6400).map(|_| random.u8(..)).collect();
        let stripes: Vec<u8> = (0..6400)
            .map(|i| if i % 80 / 4 % 2 == 0 { 20 } else { 220 })
            .collect();
        let flat = vec![90u8; 6400];
        let mut taken = 0;
        for picture in [noise, stripes, flat] {
            let luma = Luma::new(&picture, 80, 80, 80).expect("fits");
            let sampler = Sampler::new(luma, 0).expect("not empty");
            for x in 20..60 {
                let rough = Point::new(x as f32, 40.0);
                let found = measure.finder(&sampler, rough, 4.0, false, &LOOK);
                taken += usize::from(found.is_some_and(|found| found.roughness < 0.25));
            }
        }
        // What the crossing of rows and columns lets through as well; of
        // finder patterns nine in ten are smoother.
        assert!(taken <= 2, "{taken} of 120");
    }
}
