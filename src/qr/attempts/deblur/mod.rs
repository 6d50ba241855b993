//! Codes that moved during the exposure or were out of focus: where a blurred code
//! may lie the blur is measured and taken out, and what comes of it is searched
//! like a picture of its own.
//!
//! Nothing is looked for where nothing says that a code was missed. Where
//! something does, one cheap look at the gradients of the whole frame finds the
//! patches that moved or are smooth; what each costs is bounded by its size.

mod propose;
mod region;

use std::mem::swap;

use self::propose::is_suspicious;
use self::region::{Octagon, Patches};
use super::{Job, Kind, Proposal, Scene};
use crate::frame::Luma;
use crate::geometry::{Point, Quad};
use crate::optics::{BlurMeter, Inverse, LENGTHS, Motion, Refocus, Sampler, Turned, too_steep};
use crate::qr::budget::Budget;
use crate::qr::sweep::{DEBLURRED, Sweep};
use crate::qr::{Method, Reads};

/// How deep the negative peak of a motion must be. Of blurred specimens it was
/// 0.21 at least, with other things around them 0.13.
const LEAST_DEPTH: f32 = 0.1;
/// Of several motions a less likely one is tried if its peak is at least this
/// deep, relative to the deepest.
const RIVAL: f32 = 0.5;
/// Shorter motions, in pixels of the level, are none that hid a code: it can be read
/// as it is unless its modules are too small to come back. The shortest that gave
/// a read was 4.5 in photographs and 5.6 in drawn specimens.
const LEAST_LENGTH: f32 = 4.0;
/// By how much measured motions are too long, in pixels of the level: the mean of 276
/// drawn codes, on white and on cardboard, that moved by 6 to 16 pixels.
const TOO_LONG: f32 = 0.3;
/// What motion has blurred has no steep slopes left along the way. Of the places that
/// gave a read, in drawn specimens the share of steep ones (see [`too_steep`]) was
/// 0.56 at most, in photographs 0.75.
const MOST_STEEP: f32 = 0.8;
/// So many finder patterns at most this rough must have shown in one try for the next
/// one to be made: in photographs that it alone gave there were 5 at
/// least, in half of all others not one.
const WORTH_MORE: (usize, f32) = (2, 0.5);
/// Room around a patch, in pixels: of a tile that is not quite half filled by the
/// rim of a code nothing is seen.
const ROOM: f32 = 16.0;
/// Shortest side of a place.
const LEAST_SIDE: f32 = 64.0;
/// Most pixels of a place.
const MOST_TURNED: f32 = 1e6;
/// Power of noise relative to that of the modules, and of which values motion took
/// the mean, in the order in which they are tried: the first noise shows more where
/// there is little, the second where there is more.
const TRIES: [(f32, Light); 4] = [
    (0.002, Light::AsGiven),
    (0.002, Light::Linear),
    (0.015, Light::AsGiven),
    (0.015, Light::Linear),
];
/// How that grows with frequency: see [`Inverse::of_motion`].
const RISE: f32 = 4.0;
/// Standard deviations of a defocus, in pixels, and noise for their inverse. The
/// first gives back what one of 2 to 2.5 pixels took from modules of 4, the second
/// is for smaller modules.
const DEFOCUS: [(f32, f32); 3] = [(2.3, 0.003), (1.5, 0.003), (3.0, 0.003)];
/// A motion that lies further off the rows than this, as a tangent, is measured
/// again along itself.
const ASKEW: f32 = 0.08;
/// Half the distance between dark and light that is given to a place from which blur
/// was taken out: what is much lighter or darker than its modules is cut off.
const SPREAD: f32 = 55.0;
/// Most by which contrast is raised for that.
const MOST_GAIN: f32 = 4.0;
/// Of so many rows one tells the brightness and the contrast of all.
const LOOKED_AT: usize = 8;
/// Rows between two looks at the clock.
const ROWS: usize = 16;
/// Rows that are measured, about.
const MEASURED_ROWS: usize = 100;

/// Takes blur out.
#[derive(Default)]
pub struct Deblur {
    patches: Patches,
    places: Vec<Place>,
    /// A motion with which a code of this frame was read.
    motion: Option<Point>,
    turned: Turned,
    meter: BlurMeter,
    inverse: Inverse,
    refocus: Refocus,
    line: Vec<f32>,
    bytes: Vec<u8>,
    sweep: Sweep,
    reads: Reads,
}

/// Where to look.
#[derive(Clone, Copy, Debug)]
struct Place {
    outline: Octagon,
    /// The level of the pyramid.
    level: usize,
    /// Direction of the motion, of length 1.
    along: Point,
    blur: Blur,
}

/// What is wrong with a place.
#[derive(Clone, Copy, Debug)]
enum Blur {
    /// It moved by this way, in pixels of level 0.
    Known(Point),
    /// It moved.
    Motion,
    /// It is out of focus.
    Defocus,
}

/// Which filter takes a blur out.
#[derive(Clone, Copy, Debug)]
enum Undo {
    Motion(Light),
    Defocus,
}

impl Undo {
    /// What its blur took the mean of.
    fn light(self) -> Light {
        match self {
            Self::Motion(light) => light,
            Self::Defocus => Light::AsGiven,
        }
    }
}

/// What grey values are to the light that fell on them. Light adds up while the shutter
/// is open; most cameras then write its root, about (ITU-R BT.709; sRGB, IEC 61966-2-1).
#[derive(Clone, Copy, Debug, PartialEq)]
enum Light {
    /// Proportional.
    AsGiven,
    /// Its root: they are squared to make them proportional.
    Linear,
}

impl Light {
    /// The light of a grey value, 0 to 255 as that.
    fn of(self, grey: f32) -> f32 {
        match self {
            Self::AsGiven => grey,
            Self::Linear => grey * grey * (1.0 / 255.0),
        }
    }
}

impl Kind for Deblur {
    fn propose(&mut self, job: &mut Job<'_, '_>, proposals: &mut Vec<Proposal>) {
        self.places.clear();
        self.motion = None;
        if !is_suspicious(job.scene, job.reads) {
            return;
        }
        self.propose_hints(job, proposals);
        self.propose_patches(job, proposals);
    }

    fn attempt(&mut self, proposal: &Proposal, job: &mut Job<'_, '_>) -> bool {
        let Some(place) = self.places.get(proposal.index).copied() else {
            return false;
        };
        let scene = job.scene;
        let luma = scene.sweep.pyramid().level(scene.luma, place.level);
        let Some(sampler) = Sampler::new(luma, place.level) else {
            return false;
        };
        self.look(&place, &sampler, job).unwrap_or(false)
    }
}

impl Deblur {
    /// Looks at one place with the motions that may be. `None`: no time is left.
    fn look(
        &mut self,
        place: &Place,
        sampler: &Sampler<'_>,
        job: &mut Job<'_, '_>,
    ) -> Option<bool> {
        // What lies on one belt moves alike.
        let told = match place.blur {
            Blur::Known(way) => Some(way),
            Blur::Motion => self.motion,
            Blur::Defocus => return self.undo_defocus(place, sampler, job),
        };
        if let Some(way) = told
            && self.undo_motion(place, sampler, way, job)?
        {
            return Some(true);
        }
        let mut along = place.along;
        let mut found = [Motion::default(); 3];
        let mut used = self.measure(place, sampler, along, &mut found, job.budget)?;
        if used > 0 && found[0].way.y.abs() > ASKEW * found[0].way.x {
            let way = turned_back(along, found[0].way);
            along = way * (1.0 / way.length());
            used = self.measure(place, sampler, along, &mut found, job.budget)?;
        }
        let least = LEAST_DEPTH.max(RIVAL * found[0].depth);
        let mut likely = 0;
        for at in 0..used {
            let motion = found[at];
            let length = motion.way.length();
            if motion.depth >= least
                && length >= LEAST_LENGTH
                && too_steep(&self.turned, length) < MOST_STEEP
            {
                found[likely] = motion;
                likely += 1;
            }
            job.budget
                .spend(self.turned.width() * self.turned.rows() / 2);
        }
        for motion in &found[..likely] {
            let shorter = 1.0 - TOO_LONG / motion.way.length();
            let way = turned_back(along, motion.way) * (sampler.pixel() * shorter);
            if self.undo_motion(place, sampler, way, job)? {
                return Some(true);
            }
        }
        Some(false)
    }

    /// Takes a motion by `way`, in pixels of level 0, out and looks for codes.
    fn undo_motion(
        &mut self,
        place: &Place,
        sampler: &Sampler<'_>,
        way: Point,
        job: &mut Job<'_, '_>,
    ) -> Option<bool> {
        let length = way.length();
        let along = way * (1.0 / length.max(1e-6));
        let pixels = length / sampler.pixel();
        let room = Point::new(ROOM + pixels, ROOM);
        if !self.lay(place, along, room, sampler, job.budget)? {
            return Some(false);
        }
        for (noise, light) in TRIES {
            self.inverse.of_motion(pixels, noise, RISE);
            // The edges of a motion are ramps: eight tenths of them.
            if self.search(Undo::Motion(light), 0.8 * length, job)? {
                self.motion = Some(way);
                return Some(true);
            }
            let (least, rough) = WORTH_MORE;
            let found = self.sweep.found();
            if found.filter(|(f, _)| f.roughness < rough).count() < least {
                break;
            }
        }
        Some(false)
    }

    /// The motions that a place shows, best first, along rows that run along
    /// `along`; how many there are.
    fn measure(
        &mut self,
        place: &Place,
        sampler: &Sampler<'_>,
        along: Point,
        found: &mut [Motion],
        budget: &mut Budget,
    ) -> Option<usize> {
        if !self.lay(place, along, Point::default(), sampler, budget)?
            || !self.meter.start(&self.turned)
        {
            return Some(0);
        }
        let every = (self.turned.height() / MEASURED_ROWS).max(1);
        for y in (0..self.turned.height()).step_by(every) {
            self.meter.add_row(&self.turned, y);
            budget.spend(self.turned.width() * LENGTHS.end);
            if budget.is_spent() {
                return None;
            }
        }
        Some(self.meter.motions(found))
    }

    /// Turns a place so that rows run along `along`, with so much room around it in
    /// pixels of its level; false if it is too large for that.
    fn lay(
        &mut self,
        place: &Place,
        along: Point,
        room: Point,
        sampler: &Sampler<'_>,
        budget: &mut Budget,
    ) -> Option<bool> {
        let (centre, size) = place.outline.rectangle(along);
        let width = (size.x / sampler.pixel()).max(LEAST_SIDE) + 2.0 * room.x;
        let height = (size.y / sampler.pixel()).max(LEAST_SIDE) + 2.0 * room.y;
        if !(width * height).is_finite() || width * height > MOST_TURNED {
            return Some(false);
        }
        let size = (width as usize, height as usize);
        self.turned.lay(sampler, centre, along, size);
        while self.turned.take(sampler, ROWS) {
            budget.spend(ROWS * size.0 * 3);
            if budget.is_spent() {
                return None;
            }
        }
        Some(true)
    }

    /// Takes defocus out and looks for codes.
    fn undo_defocus(
        &mut self,
        place: &Place,
        sampler: &Sampler<'_>,
        job: &mut Job<'_, '_>,
    ) -> Option<bool> {
        if !self.lay(
            place,
            place.along,
            Point::new(ROOM, ROOM),
            sampler,
            job.budget,
        )? {
            return Some(false);
        }
        for (sigma, noise) in DEFOCUS {
            self.refocus.of_gaussian(sigma, noise);
            // From 10 % to 90 % of an edge that is blurred by a Gaussian.
            if self.search(Undo::Defocus, 2.56 * sigma * sampler.pixel(), job)? {
                return Some(true);
            }
        }
        Some(false)
    }

    /// Makes a picture of the place with its blur undone, its contrast scaled; gives
    /// by how much. Some rows tell how dark and how light it will be, so that it need
    /// not be kept in more than its bytes. Not its mean: around a code there may be
    /// much that is as light as its paper, and what is dark would be cut off.
    fn develop(&mut self, undo: Undo, budget: &mut Budget) -> Option<f32> {
        let rows = self.turned.rows();
        let looked_at = || (0..rows).step_by(LOOKED_AT);
        let width = self.turned.width();
        let light = undo.light();
        let sum = |y| self.turned.row(y).map(|grey| light.of(grey)).sum::<f32>();
        let mean = looked_at().map(sum).sum::<f32>() / (looked_at().count() * width).max(1) as f32;
        let (mut all, mut dark, mut darks) = (0.0f64, 0.0f64, 0.0f64);
        for y in looked_at() {
            self.undo_row(undo, y, budget)?;
            let is_dark = |value: f32| f32::from(u8::from(value < mean));
            all += f64::from(sum_of(&self.line, |value| value));
            dark += f64::from(sum_of(&self.line, |value| value * is_dark(value)));
            darks += f64::from(sum_of(&self.line, is_dark));
        }
        let lights = (looked_at().count() * width) as f64 - darks;
        let (light, dark) = (
            ((all - dark) / lights.max(1.0)) as f32,
            (dark / darks.max(1.0)) as f32,
        );
        let middle = (light + dark) / 2.0;
        let gain = (SPREAD / ((light - dark) / 2.0).max(1.0)).min(MOST_GAIN);
        self.bytes.clear();
        self.bytes.reserve_exact(rows * self.turned.width());
        for y in 0..rows {
            self.undo_row(undo, y, budget)?;
            // Never as light as what glare saturates. Through a wider integer, which
            // is one instruction for several.
            let level =
                |value: &f32| (128.0 + (value - middle) * gain).clamp(0.0, 250.0) as i32 as u8;
            self.bytes.extend(self.line.iter().map(level));
        }
        Some(gain)
    }

    /// Takes the blur out of row `y`. `None`: no time is left.
    fn undo_row(&mut self, undo: Undo, y: usize, budget: &mut Budget) -> Option<()> {
        self.line.clear();
        let taps = match undo {
            Undo::Motion(light) => {
                let row = self.turned.row(y).map(|grey| light.of(grey));
                let row = self.inverse.row(row);
                self.line.extend_from_slice(row);
                self.inverse.taps()
            }
            Undo::Defocus => {
                self.refocus.row(&self.turned, y, &mut self.line);
                self.refocus.taps()
            }
        };
        budget.spend(self.line.len() * taps / 4);
        (!y.is_multiple_of(ROWS) || !budget.is_spent()).then_some(())
    }

    /// Looks for codes in what came of a place, and tells of them in the frame's
    /// own pixels. `edge` is how wide their edges were before, in those pixels.
    fn search(&mut self, undo: Undo, edge: f32, job: &mut Job<'_, '_>) -> Option<bool> {
        let gain = self.develop(undo, job.budget)?;
        let (width, height) = (self.turned.width(), self.turned.height());
        let Some(luma) = Luma::new(&self.bytes, width, height, width) else {
            return Some(false);
        };
        let options = job.scene.options;
        self.reads.clear();
        let unread_before = job.trial.unread().len();
        self.sweep.start(luma, job.budget);
        self.sweep.pass(
            luma,
            &DEBLURRED,
            job.trial,
            options,
            job.budget,
            &mut self.reads,
        );
        // What is left of the blur.
        for at in unread_before..job.trial.unread().len() {
            let grid = job.trial.unread()[at];
            if job.budget.is_spent() {
                break;
            }
            if let Some(sampler) = self.sweep.sampler(luma, grid.module) {
                let reads = &mut self.reads;
                job.trial
                    .read_untangled(&grid, &sampler, options, job.budget, reads);
            }
        }
        let (done, told) = (&self.reads.work, &mut job.reads.work);
        told.timed += done.timed;
        told.sampled += done.sampled;
        told.decoded += done.decoded;
        let codes = &mut job.reads.codes;
        let before = codes.len();
        let pixel = self.turned.pixel();
        for code in self.reads.codes.iter_mut() {
            code.corners = Quad(code.corners.0.map(|corner| self.turned.back(corner)));
            let centre = code.corners.centre();
            if codes.len() >= options.max_codes || codes.cover(centre) {
                continue;
            }
            code.method = Method::Deblur;
            code.quality.contrast /= gain;
            code.quality.module_px *= pixel;
            code.quality.blur_modules = edge / code.quality.module_px.max(1e-3);
            swap(codes.push(), code);
        }
        Some(codes.len() > before)
    }
}

/// Sum over values, eight at a time, which compilers turn into vector code.
fn sum_of(values: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0f32; 8];
    let (eights, rest) = values.as_chunks::<8>();
    for eight in eights {
        for (sum, &value) in sums.iter_mut().zip(eight) {
            *sum += of(value);
        }
    }
    let rest: f32 = rest.iter().map(|&value| of(value)).sum();
    sums.iter().sum::<f32>() + rest
}

/// From a place whose rows run along `along` to the picture.
fn turned_back(along: Point, way: Point) -> Point {
    along * way.x + Point::new(-along.y, along.x) * way.y
}
