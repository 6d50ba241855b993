//! Single codes, spoilt on purpose and by measure: motion blur, defocus, glare,
//! low contrast, small modules, damage; as stills, and as tracks of frames under
//! a highlight that stays where it is in the camera's view.
//!
//! The belt is for what a line looks like; this is for the question how much of
//! one fault a reader bears. Every specimen carries its truth: corners, modules,
//! and which pixels are saturated, so that what a perfect grid could read can be
//! computed beside what a reader reads.

use qrcode::{EcLevel, QrCode};

use super::cylinder::Cylinder;
use super::mix::mix;
use crate::geometry::{Homography, Point, Quad};

/// Modules of paper around a code: its quiet zone (ISO/IEC 18004, 6.3.8) and one.
const PAPER: f64 = 5.0;
/// Modules of the surface around the paper.
const AROUND: f64 = 3.0;
/// Samples to a pixel, without blur.
const SAMPLES: u32 = 64;

/// How a code is shown. The default is clean: upright, modules of 4 pixels,
/// contrast 180, noise 3.
#[derive(Clone, Debug, PartialEq)]
pub struct Degradation {
    /// Same seed, same specimen.
    pub seed: u64,
    /// Mean side of a module, px.
    pub module_px: f32,
    /// Turned clockwise, degrees.
    pub turn_deg: f32,
    /// How far corners are moved by perspective, as a share of the code's side.
    pub perspective: f32,
    /// Length of the motion blur, px.
    pub blur_px: f32,
    /// Direction of the motion in the picture, degrees: 0 right, 90 down.
    pub blur_deg: f32,
    /// Standard deviation of the defocus, px.
    pub defocus_px: f32,
    /// Paper less ink, grey levels.
    pub contrast: f32,
    /// Standard deviation of the noise, grey levels.
    pub noise: f32,
    /// Share of the code's area under a highlight that saturates.
    pub glare: f32,
    /// Share of the code's area torn off or smeared over.
    pub damage: f32,
    /// How far the code moves while one row is read out, px: a rolling shutter skews
    /// what moves along the rows and stretches what moves across them.
    pub per_row: Point,
    /// Angle of a cylinder that the code takes, degrees: a label on a bottle. Its axis,
    /// the slant of the view and the camera's distance are drawn by the seed, and
    /// `perspective` is what comes of these. 0: flat. Stills only.
    pub bend_deg: f32,
}

/// How a code lies otherwise from frame to frame of a track.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Drift {
    /// It turns by so many degrees a frame, clockwise.
    pub turn_deg: f32,
    /// It grows by such a share of its side a frame.
    pub growth: f32,
    /// Its lower side grows by such a share more than its upper one.
    pub tilt: f32,
}

impl Default for Degradation {
    fn default() -> Self {
        Self {
            seed: 1,
            module_px: 4.0,
            turn_deg: 0.0,
            perspective: 0.0,
            blur_px: 0.0,
            blur_deg: 0.0,
            defocus_px: 0.0,
            contrast: 180.0,
            noise: 3.0,
            glare: 0.0,
            damage: 0.0,
            per_row: Point::default(),
            bend_deg: 0.0,
        }
    }
}

/// A picture of one code and the truth about it.
#[derive(Clone, Debug)]
pub struct Specimen {
    /// Width, px.
    pub width: usize,
    /// Height, px.
    pub height: usize,
    /// Grey levels, rows without padding.
    pub pixels: Vec<u8>,
    /// Outer corners of the symbol without its quiet zone, in the middle of the
    /// exposure.
    pub corners: Quad,
    /// What it says.
    pub text: String,
    /// Modules in a row.
    pub side: usize,
    /// Its modules as encoded, before any damage, row by row: dark is true.
    pub modules: Vec<bool>,
    /// Which pixels a highlight saturates.
    pub saturated: Vec<bool>,
    /// The way during the exposure, px.
    pub motion: Point,
    cylinder: Option<Cylinder>,
}

impl Specimen {
    /// From a place of the symbol, 0 to 1 each way, to the picture.
    pub fn map(&self) -> Option<impl Fn(f64, f64) -> Point + '_> {
        let flat = Homography::from_unit_square(&self.corners)?;
        Some(move |u, v| match &self.cylinder {
            Some(cylinder) => cylinder.project(u, v),
            None => flat.map(u, v),
        })
    }

    /// Where the centre of the module in column `x`, row `y` lies in the picture.
    pub fn module_centre(&self, x: usize, y: usize) -> Option<Point> {
        let at = |n: usize| (n as f64 + 0.5) / self.side as f64;
        Some(self.map()?(at(x), at(y)))
    }
}

/// A code as printed: what a specimen is a picture of.
#[derive(Clone, Debug)]
pub struct Print {
    text: String,
    side: usize,
    modules: Vec<bool>,
}

impl Print {
    /// A code of `level` (`L`, `M`, `Q`, `H`); `None` if `text` fits none.
    pub fn new(text: &str, level: char) -> Option<Self> {
        let level = match level {
            'L' => EcLevel::L,
            'Q' => EcLevel::Q,
            'H' => EcLevel::H,
            _ => EcLevel::M,
        };
        let code = QrCode::with_error_correction_level(text, level).ok()?;
        Some(Self {
            text: text.into(),
            side: code.width(),
            modules: code
                .into_colors()
                .into_iter()
                .map(|colour| colour == qrcode::Color::Dark)
                .collect(),
        })
    }

    /// A picture of it, spoilt as `how` says.
    pub fn specimen(&self, how: &Degradation) -> Specimen {
        let (corners, width, height) = self.place(how);
        let highlight = Highlight::over(&corners, how);
        self.picture(how, corners, (width, height), highlight.as_slice(), 0)
    }

    /// `frames` pictures of it as it slides by `step_px` a frame to the right
    /// under a highlight that stays in the middle of the view and covers
    /// `how.glare` of the code when that is below it. All pictures have one size.
    pub fn track(&self, how: &Degradation, frames: usize, step_px: f32) -> Vec<Specimen> {
        self.track_under(how, frames, step_px, Drift::default(), false)
    }

    /// The same under a row of lamps along the way, one to each width of the code:
    /// every frame has highlights over the code, each frame over other modules.
    pub fn track_under_row(&self, how: &Degradation, frames: usize, step_px: f32) -> Vec<Specimen> {
        self.track_under(how, frames, step_px, Drift::default(), true)
    }

    /// A track like [`Print::track`] of a code that turns, grows and tips over as it
    /// slides. In the middle frame it lies as `how` says.
    pub fn track_drifting(
        &self,
        how: &Degradation,
        frames: usize,
        step_px: f32,
        drift: Drift,
    ) -> Vec<Specimen> {
        self.track_under(how, frames, step_px, drift, false)
    }

    fn track_under(
        &self,
        how: &Degradation,
        frames: usize,
        step_px: f32,
        drift: Drift,
        row: bool,
    ) -> Vec<Specimen> {
        let (middle, width, height) = self.place(how);
        let way = step_px * frames.saturating_sub(1) as f32;
        let middle = middle.shifted(Point::new(way / 2.0, 0.0));
        let width = width + way.abs().ceil() as usize;
        let mut highlights: Vec<Highlight> = Vec::new();
        if let Some(first) = Highlight::over(&middle, how) {
            let (left, _, right, _) = middle.bounds();
            let reach = if row { width as f32 } else { 0.0 };
            // Bounded, whatever the sizes are.
            let beside = (reach / (right - left).max(1.0)).min(64.0) as i32;
            highlights.extend((-beside..=beside).map(|n| first.shifted(n as f32 * (right - left))));
        }
        (0..frames)
            .map(|frame| {
                let off = step_px * frame as f32 - way / 2.0;
                let from_middle = frame as f32 - frames.saturating_sub(1) as f32 / 2.0;
                let corners = drift.of(&middle, from_middle);
                let corners = corners.shifted(Point::new(off, 0.0));
                self.picture(how, corners, (width, height), &highlights, frame as u64)
            })
            .collect()
    }

    fn cylinder(&self, how: &Degradation) -> Option<Cylinder> {
        let bend = f64::from(how.bend_deg).to_radians();
        let scale = self.side as f64 * f64::from(how.module_px);
        (bend > 0.0).then(|| Cylinder::new(bend, scale, how.turn_deg, how.seed))
    }

    /// Corners in a picture with room around, and that picture's size.
    fn place(&self, how: &Degradation) -> (Quad, usize, usize) {
        let mut random = fastrand::Rng::with_seed(mix(how.seed, 1));
        let half = self.side as f32 * how.module_px / 2.0;
        let (sin, cos) = how.turn_deg.to_radians().sin_cos();
        let quad = Quad([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)].map(
            |(x, y): (f32, f32)| {
                let mut jolt = || 2.0 * how.perspective * (random.f32() - 0.5);
                let (x, y) = (half * (x + jolt()), half * (y + jolt()));
                Point::new(x * cos - y * sin, x * sin + y * cos)
            },
        ));
        let quad = match self.cylinder(how) {
            Some(cylinder) => Quad(
                [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
                    .map(|(u, v)| cylinder.project(u, v)),
            ),
            None => quad,
        };
        // A row is seen where the code has come to when it is read out.
        let quad = Quad(quad.0.map(|corner| {
            let row = corner.y / (1.0 - how.per_row.y);
            Point::new(corner.x + how.per_row.x * row, row)
        }));
        let (left, top, right, bottom) = quad.bounds();
        // Paper, surface, blur, and what lies between two pixels.
        let room = (PAPER + AROUND) as f32 * how.module_px * 1.5
            + how.blur_px / 2.0
            + 3.0 * how.defocus_px
            // Sides of bent labels are bows.
            + half * how.bend_deg.to_radians() / 4.0;
        let by = Point::new(room - left + random.f32(), room - top + random.f32());
        let size = |low: f32, high: f32| (high - low + 2.0 * room + 1.0).ceil() as usize;
        (quad.shifted(by), size(left, right), size(top, bottom))
    }

    fn picture(
        &self,
        how: &Degradation,
        corners: Quad,
        (width, height): (usize, usize),
        highlights: &[Highlight],
        frame: u64,
    ) -> Specimen {
        let side = self.side as f64;
        let to_code = Homography::from_unit_square(&corners).and_then(|map| map.inverse());
        let cylinder = self.cylinder(how).map(|cylinder| {
            let by = corners.0[0] - cylinder.project(0.0, 0.0);
            cylinder.shifted(by)
        });
        let place = |x: f64, y: f64| match (&cylinder, &to_code) {
            (Some(cylinder), _) => cylinder.seen(x, y),
            (None, Some(map)) => {
                let at = map.map(x, y);
                Some((f64::from(at.x), f64::from(at.y)))
            }
            (None, None) => None,
        };
        let damage = Damage::new(self.side, how);
        let (paper, ink) = (128.0 + how.contrast / 2.0, 128.0 - how.contrast / 2.0);
        let level = |x: f64, y: f64| -> f32 {
            let Some((u, v)) = place(x, y) else {
                return 128.0;
            };
            let (u, v) = (u * side, v * side);
            let inside = |low: f64, high: f64| u >= low && u < high && v >= low && v < high;
            if inside(0.0, side) {
                if let Some(stain) = damage.at(u as f32, v as f32) {
                    return ink + stain * (paper - ink);
                }
                let dark = self.modules[v as usize * self.side + u as usize];
                if dark { ink } else { paper }
            } else if inside(-PAPER, side + PAPER) {
                paper
            } else {
                // A surface between the two.
                ink + 0.45 * (paper - ink)
            }
        };
        let direction = how.blur_deg.to_radians();
        let motion = Point::new(direction.cos(), direction.sin()) * how.blur_px;
        let samples = SAMPLES + (8.0 * (how.blur_px + 4.0 * how.defocus_px)) as u32;
        let offsets: Vec<(f64, f64)> = (0..samples)
            .map(|n| offset(n, motion, how.defocus_px))
            .collect();
        let mut random = fastrand::Rng::with_seed(mix(mix(how.seed, 3), frame));
        let mut pixels = Vec::with_capacity(width * height);
        let mut saturated = Vec::with_capacity(width * height);
        for i in 0..width * height {
            let (x, y) = ((i % width) as f64, (i / width) as f64);
            let sum: f32 = offsets.iter().map(|(dx, dy)| level(x + dx, y + dy)).sum();
            let lamps = highlights.iter();
            let lamp: f32 = lamps.map(|h| h.light(x as f32 + 0.5, y as f32 + 0.5)).sum();
            let normal = (0..12).map(|_| random.f32()).sum::<f32>() - 6.0;
            let light = sum / samples as f32 + lamp + how.noise * normal;
            saturated.push(lamp >= 255.0);
            pixels.push(light.round().clamp(0.0, 255.0) as u8);
        }
        Specimen {
            width,
            height,
            pixels,
            corners,
            text: self.text.clone(),
            side: self.side,
            modules: self.modules.clone(),
            saturated,
            motion,
            cylinder,
        }
    }
}

impl Drift {
    /// `corners` as they lie `frames` later: turned, grown and tipped about their
    /// middle.
    fn of(&self, corners: &Quad, frames: f32) -> Quad {
        let middle = corners.centre();
        let (sin, cos) = (self.turn_deg * frames).to_radians().sin_cos();
        let mut at = 0;
        Quad(corners.0.map(|corner| {
            let lower = if at > 1 { self.tilt } else { 0.0 };
            at += 1;
            let off = (corner - middle) * (1.0 + (self.growth + lower) * frames);
            middle + Point::new(off.x * cos - off.y * sin, off.x * sin + off.y * cos)
        }))
    }
}

/// Sample `n` of the light of a pixel: somewhere in the pixel, at some time of
/// the exposure, somewhere in the lens. An additive sequence that fills all
/// dimensions evenly (powers of the inverse of the root of x⁶ = x + 1) needs
/// far fewer samples than a grid.
fn offset(n: u32, motion: Point, defocus: f32) -> (f64, f64) {
    const ROOT: f64 = 1.134_724_138_401_519_5;
    let fill = |dimension: i32| (0.5 + f64::from(n + 1) * ROOT.powi(-dimension)).fract();
    let time = fill(3) - 0.5;
    let radius = f64::from(defocus) * (-2.0 * (1.0 - fill(4)).ln()).sqrt();
    let (sin, cos) = (std::f64::consts::TAU * fill(5)).sin_cos();
    (
        fill(1) + time * f64::from(motion.x) + radius * cos,
        fill(2) + time * f64::from(motion.y) + radius * sin,
    )
}

/// A lamp mirrored in the label: an ellipse that saturates, with a soft rim.
#[derive(Clone, Copy, Debug)]
struct Highlight {
    centre: Point,
    /// Half axes where it ceases to saturate.
    axes: (f32, f32),
    turn: (f32, f32),
}

impl Highlight {
    /// Somewhere over the code at `corners`, so large that it saturates
    /// `how.glare` of it.
    fn over(corners: &Quad, how: &Degradation) -> Option<Self> {
        if how.glare <= 0.0 {
            return None;
        }
        let mut random = fastrand::Rng::with_seed(mix(how.seed, 2));
        let map = Homography::from_unit_square(corners)?;
        let centre = map.map(0.1 + 0.8 * random.f64(), 0.1 + 0.8 * random.f64());
        let long = 1.0 + 2.0 * random.f32();
        let turn = (std::f32::consts::PI * random.f32()).sin_cos();
        let sized = |size: f32| Self {
            centre,
            axes: (size * long.sqrt(), size / long.sqrt()),
            turn,
        };
        const GRID: usize = 100;
        let share = |size: f32| {
            let lamp = sized(size);
            let under = (0..GRID * GRID).filter(|i| {
                let at = |n: usize| (n as f64 + 0.5) / GRID as f64;
                let place = map.map(at(i % GRID), at(i / GRID));
                lamp.far(place.x, place.y) <= 1.0
            });
            under.count() as f32 / (GRID * GRID) as f32
        };
        // The share grows with the size: halve the interval.
        let (mut low, mut high) = (0.0, 4.0 * corners.area().sqrt());
        for _ in 0..24 {
            let middle = (low + high) / 2.0;
            if share(middle) < how.glare {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(sized(high))
    }

    /// The same lamp `way` px further to the right.
    fn shifted(self, way: f32) -> Self {
        Self {
            centre: self.centre + Point::new(way, 0.0),
            ..self
        }
    }

    /// Distance from the centre, 1 where it ceases to saturate.
    fn far(&self, x: f32, y: f32) -> f32 {
        let (x, y) = (x - self.centre.x, y - self.centre.y);
        let (sin, cos) = self.turn;
        let (x, y) = (x * cos + y * sin, y * cos - x * sin);
        Point::new(x / self.axes.0, y / self.axes.1).length()
    }

    /// Light added, grey levels; 255 and more is saturated.
    fn light(&self, x: f32, y: f32) -> f32 {
        let fade = ((1.3 - self.far(x, y)) / 0.3).clamp(0.0, 1.0);
        255.0 * fade * fade
    }
}

/// Scratches and stains on a code.
struct Damage {
    /// Discs: centre and radius in modules, what is left there (0 ink, 1 paper).
    stains: Vec<(f32, f32, f32, f32)>,
}

impl Damage {
    /// As many discs in rows (scratches) or alone (stains) as it takes to cover
    /// `how.damage` of the code.
    fn new(side: usize, how: &Degradation) -> Self {
        const FINE: usize = 4;
        let mut stains = Vec::new();
        if how.damage <= 0.0 {
            return Self { stains };
        }
        let mut random = fastrand::Rng::with_seed(mix(how.seed, 4));
        let (cells, wide) = (side * FINE, side as f32);
        let mut hit = vec![false; cells * cells];
        let mut covered = 0;
        let wanted = (how.damage.min(1.0) * (cells * cells) as f32) as usize;
        while covered < wanted {
            let (mut x, mut y) = (wide * random.f32(), wide * random.f32());
            let left = random.f32();
            let scratch = random.bool();
            let radius =
                if scratch { 0.4 } else { 1.0 } + random.f32() * if scratch { 0.5 } else { 1.5 };
            let (sin, cos) = (std::f32::consts::TAU * random.f32()).sin_cos();
            for _ in 0..if scratch { 10 } else { 1 } {
                stains.push((x, y, radius, left));
                for (i, hit) in hit.iter_mut().enumerate() {
                    let at = |n: usize| (n as f32 + 0.5) / FINE as f32;
                    let far = Point::new(at(i % cells) - x, at(i / cells) - y).length();
                    if far <= radius && !*hit {
                        *hit = true;
                        covered += 1;
                    }
                }
                if covered >= wanted {
                    break;
                }
                (x, y) = (x + cos * radius, y + sin * radius);
            }
        }
        Self { stains }
    }

    /// What is left at a place in the code, if it is damaged there.
    fn at(&self, u: f32, v: f32) -> Option<f32> {
        self.stains
            .iter()
            .find(|(x, y, radius, _)| Point::new(u - x, v - y).length() <= *radius)
            .map(|stain| stain.3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print() -> Print {
        Print::new("DEGRADED ON PURPOSE", 'M').expect("fits")
    }

    /// Share of modules that a threshold at the truth's centres gets wrong,
    /// saturated ones left out.
    fn wrong(specimen: &Specimen) -> f64 {
        let (mut wrong, mut all) = (0, 0);
        for (i, &dark) in specimen.modules.iter().enumerate() {
            let at = specimen
                .module_centre(i % specimen.side, i / specimen.side)
                .expect("a square");
            let i = at.y as usize * specimen.width + at.x as usize;
            if !specimen.saturated[i] {
                all += 1;
                wrong += usize::from((specimen.pixels[i] < 128) != dark);
            }
        }
        f64::from(wrong as u32) / f64::from(all as u32)
    }

    #[test]
    fn a_clean_specimen_has_every_module_where_the_truth_says() {
        for turn_deg in [0.0, 30.0, 200.0] {
            let how = Degradation {
                turn_deg,
                perspective: 0.1,
                module_px: 3.3,
                ..Degradation::default()
            };
            let specimen = print().specimen(&how);
            assert_eq!(wrong(&specimen), 0.0);
            assert_eq!(specimen.pixels, print().specimen(&how).pixels);
            let other = Degradation { seed: 2, ..how };
            assert_ne!(specimen.pixels, print().specimen(&other).pixels);
        }
    }

    #[test]
    fn blur_and_defocus_make_errors_as_they_grow() {
        let blurred = |blur_px, defocus_px| {
            wrong(&print().specimen(&Degradation {
                blur_px,
                defocus_px,
                ..Degradation::default()
            }))
        };
        assert_eq!(blurred(3.0, 0.0), 0.0);
        assert!(blurred(8.0, 0.0) > 0.1);
        assert!(blurred(0.0, 3.0) > blurred(0.0, 1.0));
    }

    #[test]
    fn glare_and_damage_cover_the_share_asked_for() {
        for share in [0.05, 0.2] {
            let specimen = print().specimen(&Degradation {
                glare: share,
                ..Degradation::default()
            });
            let inside = |i: usize| {
                let (x, y) = (i % specimen.width, i / specimen.width);
                let at = Point::new(x as f32 + 0.5, y as f32 + 0.5);
                specimen.corners.contains(at)
            };
            let lit = specimen.saturated.iter().enumerate();
            let lit = lit.filter(|(i, lit)| **lit && inside(*i)).count() as f32;
            let found = lit / specimen.corners.area();
            assert!((found - share).abs() < 0.01, "{found} for {share}");
            let all_white = specimen.saturated.iter().zip(&specimen.pixels);
            assert!(all_white.filter(|(lit, _)| **lit).all(|(_, &v)| v == 255));

            let damage = Damage::new(
                25,
                &Degradation {
                    damage: share,
                    ..Degradation::default()
                },
            );
            let hit = (0..100 * 100).filter(|i| {
                let at = |n: usize| (n as f32 + 0.5) * 0.25;
                damage.at(at(i % 100), at(i / 100)).is_some()
            });
            let found = hit.count() as f32 / 1e4;
            assert!(
                (share..share + 0.05).contains(&found),
                "{found} for {share}"
            );
        }
    }

    #[test]
    fn contrast_is_paper_less_ink() {
        let specimen = print().specimen(&Degradation {
            contrast: 20.0,
            noise: 0.0,
            module_px: 8.0,
            ..Degradation::default()
        });
        let level = |x, y| {
            let at = specimen.module_centre(x, y).expect("a square");
            specimen.pixels[at.y as usize * specimen.width + at.x as usize]
        };
        // Rim and inside of the upper left finder pattern.
        assert_eq!((level(0, 0), level(1, 1)), (118, 138));
    }

    #[test]
    fn a_track_slides_under_a_highlight_that_stays() {
        let how = Degradation {
            glare: 0.15,
            ..Degradation::default()
        };
        let track = print().track(&how, 10, 12.0);
        assert_eq!(track.len(), 10);
        for pair in track.windows(2) {
            assert_eq!(pair[0].saturated, pair[1].saturated);
            let way = pair[1].corners.0[0] - pair[0].corners.0[0];
            assert!((way.x - 12.0).abs() < 1e-3 && way.y == 0.0);
            assert_ne!(pair[0].pixels, pair[1].pixels);
        }
        // Some frame shows each module away from the highlight: the darkest value
        // of all frames tells them all.
        let darkest = |x, y| {
            track.iter().filter_map(move |specimen| {
                let at = specimen.module_centre(x, y)?;
                Some(specimen.pixels[at.y as usize * specimen.width + at.x as usize])
            })
        };
        let side = track[0].side;
        for (i, &dark) in track[0].modules.iter().enumerate() {
            let level = darkest(i % side, i / side).min().expect("ten frames");
            assert_eq!(level < 128, dark, "module {i}");
        }
    }

    #[test]
    fn a_drifting_track_turns_and_grows_and_a_rolling_shutter_skews() {
        let drift = Drift {
            turn_deg: 2.0,
            growth: 0.01,
            tilt: 0.0,
        };
        let track = print().track_drifting(&Degradation::default(), 5, 10.0, drift);
        let side = |specimen: &Specimen| specimen.corners.0[1] - specimen.corners.0[0];
        for (frame, specimen) in track.iter().enumerate() {
            assert_eq!(wrong(specimen), 0.0);
            let (frame, side) = (frame as f32 - 2.0, side(specimen));
            let turned = side.y.atan2(side.x).to_degrees();
            assert!((turned - 2.0 * frame).abs() < 0.01, "{turned}");
            let grown = side.length() / (track[0].side as f32 * 4.0);
            assert!((grown - 1.0 - 0.01 * frame).abs() < 1e-3, "{grown}");
        }
        let skewed = print().specimen(&Degradation {
            per_row: Point::new(0.1, -0.05),
            ..Degradation::default()
        });
        assert_eq!(wrong(&skewed), 0.0);
        let left = skewed.corners.0[3] - skewed.corners.0[0];
        let height = skewed.side as f32 * 4.0;
        assert!((left.y - height / 1.05).abs() < 1e-3, "{left:?}");
        assert!((left.x - 0.1 * left.y).abs() < 1e-3, "{left:?}");
    }

    #[test]
    fn under_a_row_of_lamps_no_frame_is_clear_but_all_modules_are_seen() {
        let how = Degradation {
            glare: 0.2,
            ..Degradation::default()
        };
        let track = print().track_under_row(&how, 10, 17.0);
        let side = track[0].side;
        let mut seen = vec![false; side * side];
        for specimen in &track {
            let mut lit = 0;
            for (i, seen) in seen.iter_mut().enumerate() {
                let at = specimen
                    .module_centre(i % side, i / side)
                    .expect("a square");
                let under = specimen.saturated[at.y as usize * specimen.width + at.x as usize];
                lit += usize::from(under);
                *seen |= !under;
            }
            let share = lit as f32 / seen.len() as f32;
            assert!((0.1..0.3).contains(&share), "{share}");
        }
        assert!(seen.iter().all(|&seen| seen));
    }
}
