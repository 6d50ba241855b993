//! Codes that moved during the exposure or were out of focus: where a blurred code
//! may lie the blur is measured and taken out, and what comes of it is searched
//! like a picture of its own.
//!
//! Nothing is looked for where nothing says that a code was missed. Where
//! something does, one cheap look at the gradients of the whole frame finds the
//! patches that moved or are smooth; what each costs is bounded by its size.

mod region;

use std::mem::swap;

use self::region::{Octagon, Patch, Patches};
use super::{Kind, Proposal, Scene};
use crate::frame::Luma;
use crate::geometry::{Point, Quad};
use crate::optics::{
    BlurMeter, Inverse, LENGTHS, Motion, Refocus, Sampler, Tensor, Turned, smoothness,
};
use crate::qr::budget::Budget;
use crate::qr::sweep::{DEBLURRED, Sweep};
use crate::qr::trial::Trial;
use crate::qr::{Code, Method, Reads};

/// Most places of a frame.
const MOST_PLACES: usize = 12;
/// Pictures of more pixels are looked at on a coarser level.
const MOST_PIXELS: usize = 2_500_000;
/// Gradients of a sharp code are as strong everywhere; those of codes blurred by
/// a module and a half (the least that cannot be read as it is) were weaker along
/// the motion by 0.33 at least, of specimens that were turned in all ways.
const LEAST_ANISOTROPY: f32 = 0.22;
/// How deep the negative peak of a motion must be. Of blurred specimens it was
/// 0.21 at least, with other things around them 0.13.
const LEAST_DEPTH: f32 = 0.1;
/// Of several motions a less likely one is tried if its peak is at least this
/// deep, relative to the deepest.
const RIVAL: f32 = 0.5;
/// Longest side of a patch that is looked at on the finest level, in pixels. Larger
/// ones are looked at on a coarser level first.
const MOST_SIDE: f32 = 448.0;
/// Most pixels of a place.
const MOST_TURNED: f32 = 1e6;
/// Patches at least so large may be one code of large modules, to be looked at on
/// a coarser level too.
const LARGE: f32 = 200.0;
/// Power of noise relative to that of the modules, in two tries: the first shows
/// more where there is little noise, the second where there is more.
const NOISES: [f32; 2] = [0.003, 0.015];
/// How that grows with frequency: see [`Inverse::of_motion`].
const RISE: f32 = 4.0;
/// Where it is smoother than this a patch is out of focus: see [`smoothness`].
const SMOOTH: f32 = 0.6;
/// Standard deviations of a defocus, in pixels, and noise for their inverse. The
/// first gives back what one of 2 to 2.5 pixels took from modules of 4, the second
/// is for smaller modules.
const DEFOCUS: [(f32, f32); 2] = [(2.3, 0.003), (1.5, 0.003)];
/// Coarsest level on which defocus is taken out.
const COARSEST: usize = 3;
/// A motion that lies further off the rows than this, as a tangent, is measured
/// again along itself.
const ASKEW: f32 = 0.08;
/// Standard deviation that is given to a place from which blur was taken out:
/// what is much lighter or darker than its modules is cut off.
const SPREAD: f32 = 60.0;
/// Most by which contrast is raised for that.
const MOST_GAIN: f32 = 4.0;
/// Rows between two looks at the clock.
const ROWS: usize = 16;
/// Rows that are measured, about.
const MEASURED_ROWS: usize = 100;
/// What measuring and undoing cost for each pixel of a place, in units of work.
const UNITS: f32 = 60.0;

/// Takes blur out.
#[derive(Default)]
pub struct Deblur {
    patches: Patches,
    places: Vec<Place>,
    turned: Turned,
    meter: BlurMeter,
    inverse: Inverse,
    refocus: Refocus,
    plane: Vec<f32>,
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

/// What an attempt works with.
struct Work<'a, 'b> {
    scene: &'a Scene<'b>,
    trial: &'a mut Trial,
    budget: &'a mut Budget,
    reads: &'a mut Reads,
}

impl Kind for Deblur {
    fn propose(&mut self, scene: &Scene<'_>, reads: &Reads, proposals: &mut Vec<Proposal>) {
        self.places.clear();
        if !is_suspicious(scene, reads) {
            return;
        }
        self.propose_hints(scene, reads, proposals);
        self.propose_patches(scene, reads, proposals);
    }

    fn attempt(
        &mut self,
        scene: &Scene<'_>,
        proposal: &Proposal,
        trial: &mut Trial,
        budget: &mut Budget,
        reads: &mut Reads,
    ) -> bool {
        let Some(place) = self.places.get(proposal.index).copied() else {
            return false;
        };
        let luma = scene.sweep.pyramid().level(scene.luma, place.level);
        let Some(sampler) = Sampler::new(luma, place.level) else {
            return false;
        };
        let mut work = Work {
            scene,
            trial,
            budget,
            reads,
        };
        self.look(&place, &sampler, &mut work).unwrap_or(false)
    }
}

/// May a code have been missed?
fn is_suspicious(scene: &Scene<'_>, reads: &Reads) -> bool {
    /// As smooth as half of the finder patterns of codes that were read.
    const CLEAR: f32 = 0.12;
    /// As weak as gradients are along a motion by one and a half modules.
    const MOVED: f32 = 0.35;
    let moved = |code: &Code| {
        let (left, top, right, bottom) = code.corners.bounds();
        let (x, y) = (left.max(0.0) as usize, top.max(0.0) as usize);
        let size = |side: f32| side.clamp(0.0, 256.0) as usize;
        let part = scene
            .luma
            .crop(x, y, size(right - left), size(bottom - top));
        Tensor::of(part).anisotropy() > MOVED
    };
    let codes = &reads.codes;
    let read = |at: Point| codes.iter().any(|code| code.corners.contains(at));
    codes.is_empty()
        || codes.iter().take(4).any(moved)
        || reads.unread.iter().any(|u| !read(u.corners.centre()))
        || scene.hints.iter().any(|h| !read(h.corners.centre()))
        || scene
            .sweep
            .found()
            .any(|(finder, used)| !used && finder.roughness < CLEAR)
}

impl Deblur {
    /// Where the tracker expects a code that was not read, and knows its motion.
    fn propose_hints(&mut self, scene: &Scene<'_>, reads: &Reads, out: &mut Vec<Proposal>) {
        /// The quiet zone, and room for error.
        const GROWN: f32 = 1.5;
        /// Codes that move less can be read as they are.
        const LEAST: f32 = 2.5;
        for hint in scene.hints {
            let centre = hint.corners.centre();
            let Some(way) = hint.motion else { continue };
            let length = way.length();
            if !(length >= LEAST && length < 8.0 * LENGTHS.end as f32)
                || reads.codes.iter().any(|c| c.corners.contains(centre))
            {
                continue;
            }
            let corners = hint.corners.0.map(|c| centre + (c - centre) * GROWN);
            let mut place = Place {
                outline: Octagon::around(corners),
                level: 0,
                along: way * (1.0 / length),
                blur: Blur::Known(way),
            };
            let (_, size) = place.outline.rectangle(place.along);
            place.level = level_for(size.x.max(size.y));
            self.push(place, 0.8, out);
        }
    }

    /// Where gradients are strong, but not in all directions.
    fn propose_patches(&mut self, scene: &Scene<'_>, reads: &Reads, out: &mut Vec<Proposal>) {
        let read = |at: Point| reads.codes.iter().any(|code| code.corners.contains(at));
        let pixels = scene.luma.width() * scene.luma.height();
        let level = usize::from(pixels > MOST_PIXELS);
        let luma = scene.sweep.pyramid().level(scene.luma, level);
        let mut patches = std::mem::take(&mut self.patches);
        for patch in patches.find(luma, (1 << level) as f32, read) {
            if patch.tensor.anisotropy() < LEAST_ANISOTROPY {
                self.push_smooth(scene, patch, out);
                continue;
            }
            let along = patch.tensor.weakest();
            let signs = reads.unread.iter().map(|u| u.corners.centre());
            let signs = signs.chain(scene.sweep.found().map(|(finder, _)| finder.centre));
            let promise = if signs.into_iter().any(|at| patch.outline.contains(at)) {
                0.5
            } else {
                0.3
            };
            let (_, size) = patch.outline.rectangle(along);
            let longest = size.x.max(size.y);
            let level = level_for(longest);
            let mut place = Place {
                outline: patch.outline,
                level,
                along,
                blur: Blur::Motion,
            };
            self.push(place, promise, out);
            if level > 0 {
                // Several codes of small modules rather than a large one.
                place.level = level - 1;
                self.push(place, promise / 2.0, out);
            } else if longest > LARGE {
                place.level = 1;
                self.push(place, promise / 4.0, out);
            }
        }
        self.patches = patches;
    }

    /// Proposes a patch on the levels on which it is out of focus, coarsest first.
    fn push_smooth(&mut self, scene: &Scene<'_>, patch: &Patch, out: &mut Vec<Proposal>) {
        let mut place = Place {
            outline: patch.outline,
            level: 0,
            along: Point::new(1.0, 0.0),
            blur: Blur::Defocus,
        };
        let (centre, size) = patch.outline.rectangle(place.along);
        let (left, top) = (centre.x - size.x / 2.0, centre.y - size.y / 2.0);
        let least = level_for(size.x.max(size.y)).saturating_sub(1);
        let pyramid = scene.sweep.pyramid();
        for level in least..=COARSEST.min(pyramid.levels() - 1) {
            let at = |at: f32| (at / (1u32 << level) as f32) as usize;
            let luma = pyramid.level(scene.luma, level);
            let part = luma.crop(at(left), at(top), at(size.x), at(size.y));
            if smoothness(part) > SMOOTH {
                break;
            }
            place.level = level;
            self.push(place, 0.3, out);
        }
    }

    fn push(&mut self, place: Place, promise: f32, out: &mut Vec<Proposal>) {
        if self.places.len() == MOST_PLACES {
            return;
        }
        let (centre, size) = place.outline.rectangle(place.along);
        let pixels = size.x * size.y / (1u32 << (2 * place.level)) as f32;
        let units = match place.blur {
            Blur::Motion => UNITS,
            Blur::Known(_) | Blur::Defocus => UNITS / 2.0,
        };
        out.push(Proposal {
            index: self.places.len(),
            centre,
            promise,
            cost: (pixels * units) as usize,
        });
        self.places.push(place);
    }

    /// Looks at one place with the motions that may be. `None`: no time is left.
    fn look(
        &mut self,
        place: &Place,
        sampler: &Sampler<'_>,
        work: &mut Work<'_, '_>,
    ) -> Option<bool> {
        match place.blur {
            Blur::Known(way) if self.undo_motion(place, sampler, way, work)? => return Some(true),
            Blur::Defocus => return self.undo_defocus(place, sampler, work),
            _ => {}
        }
        let mut along = place.along;
        let mut found = [Motion::default(); 3];
        let mut used = self.measure(place, sampler, along, &mut found, work.budget)?;
        if used > 0 && found[0].way.y.abs() > ASKEW * found[0].way.x {
            let way = turned_back(along, found[0].way);
            along = way * (1.0 / way.length());
            used = self.measure(place, sampler, along, &mut found, work.budget)?;
        }
        let least = LEAST_DEPTH.max(RIVAL * found[0].depth);
        for motion in found[..used].iter().filter(|m| m.depth >= least) {
            let way = turned_back(along, motion.way) * sampler.pixel();
            if self.undo_motion(place, sampler, way, work)? {
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
        work: &mut Work<'_, '_>,
    ) -> Option<bool> {
        let length = way.length();
        let along = way * (1.0 / length.max(1e-6));
        let pixels = length / sampler.pixel();
        if !self.lay(place, along, pixels, sampler, work.budget)? {
            return Some(false);
        }
        for noise in NOISES {
            self.inverse.of_motion(pixels, noise, RISE);
            self.plane.clear();
            for y in 0..self.turned.rows() {
                let row = self.inverse.row(self.turned.row(y));
                self.plane.extend_from_slice(row);
                work.budget.spend(row.len() * self.inverse.taps() / 4);
                if y % ROWS == 0 && work.budget.is_spent() {
                    return None;
                }
            }
            // The edges of a motion are ramps: eight tenths of them.
            if self.search(0.8 * length, work) {
                return Some(true);
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
        if !self.lay(place, along, 0.0, sampler, budget)? || !self.meter.start(&self.turned) {
            return Some(0);
        }
        let every = (self.turned.height() / MEASURED_ROWS).max(1);
        for y in (0..self.turned.height()).step_by(every) {
            self.meter.add_row(y);
            budget.spend(self.turned.width() * LENGTHS.end);
            if budget.is_spent() {
                return None;
            }
        }
        Some(self.meter.motions(found))
    }

    /// Turns a place so that rows run along `along`, with room for a motion by
    /// `length` pixels at both ends; false if it is too large for that.
    fn lay(
        &mut self,
        place: &Place,
        along: Point,
        length: f32,
        sampler: &Sampler<'_>,
        budget: &mut Budget,
    ) -> Option<bool> {
        const ROOM: f32 = 16.0;
        let (centre, size) = place.outline.rectangle(along);
        let width = size.x / sampler.pixel() + 2.0 * length + ROOM;
        let height = size.y / sampler.pixel() + ROOM;
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
        work: &mut Work<'_, '_>,
    ) -> Option<bool> {
        if !self.lay(place, place.along, 0.0, sampler, work.budget)? {
            return Some(false);
        }
        for (sigma, noise) in DEFOCUS {
            self.refocus.of_gaussian(sigma, noise);
            self.plane.clear();
            for y in 0..self.turned.rows() {
                self.refocus.row(&self.turned, y, &mut self.plane);
                let units = self.turned.width() * self.refocus.taps() / 4;
                work.budget.spend(units);
                if y % ROWS == 0 && work.budget.is_spent() {
                    return None;
                }
            }
            // From 10 % to 90 % of an edge that is blurred by a Gaussian.
            if self.search(2.56 * sigma * sampler.pixel(), work) {
                return Some(true);
            }
        }
        Some(false)
    }

    /// Makes a picture of the plane, its contrast scaled; gives by how much.
    fn develop(&mut self) -> f32 {
        let count = self.plane.len().max(1) as f32;
        let mean = self.plane.iter().sum::<f32>() / count;
        let square = |value: &f32| (value - mean) * (value - mean);
        let deviation = (self.plane.iter().map(square).sum::<f32>() / count).sqrt();
        let gain = (SPREAD / deviation.max(1.0)).min(MOST_GAIN);
        // Never as light as what glare saturates.
        let level = |value: &f32| (128.0 + (value - mean) * gain).clamp(0.0, 250.0) as u8;
        self.bytes.clear();
        self.bytes.extend(self.plane.iter().map(level));
        gain
    }

    /// Looks for codes in what came of a place, and tells of them in the frame's
    /// own pixels. `edge` is how wide their edges were before, in those pixels.
    fn search(&mut self, edge: f32, work: &mut Work<'_, '_>) -> bool {
        let gain = self.develop();
        let (width, height) = (self.turned.width(), self.turned.height());
        let Some(luma) = Luma::new(&self.bytes, width, height, width) else {
            return false;
        };
        let options = work.scene.options;
        self.reads.clear();
        self.sweep.start(luma, work.budget);
        self.sweep.pass(
            luma,
            &DEBLURRED,
            work.trial,
            options,
            work.budget,
            &mut self.reads,
        );
        let (done, told) = (&self.reads.work, &mut work.reads.work);
        told.timed += done.timed;
        told.sampled += done.sampled;
        told.decoded += done.decoded;
        let codes = &mut work.reads.codes;
        let before = codes.len();
        let pixel = self.turned.pixel();
        for code in self.reads.codes.iter_mut() {
            code.corners = Quad(code.corners.0.map(|corner| self.turned.back(corner)));
            let centre = code.corners.centre();
            if codes.len() >= options.max_codes
                || codes.iter().any(|other| other.corners.contains(centre))
            {
                continue;
            }
            code.method = Method::Deblur;
            code.quality.contrast /= gain;
            code.quality.module_px *= pixel;
            code.quality.blur_modules = edge / code.quality.module_px.max(1e-3);
            swap(codes.push(), code);
        }
        codes.len() > before
    }
}

/// The finest level on which a side of `longest` pixels is short enough.
fn level_for(longest: f32) -> usize {
    (longest / MOST_SIDE).log2().ceil().clamp(0.0, 8.0) as usize
}

/// From a place whose rows run along `along` to the picture.
fn turned_back(along: Point, way: Point) -> Point {
    along * way.x + Point::new(-along.y, along.x) * way.y
}
