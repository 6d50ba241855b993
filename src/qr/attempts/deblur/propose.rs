//! Where to take blur out: places where a code may have been missed.

use super::region::{Octagon, Patch};
use super::{Blur, Deblur, Job, Place, Proposal, Scene};
use crate::geometry::Point;
use crate::optics::{LENGTHS, Tensor, smoothness};
use crate::qr::attempts::CLEAR;
use crate::qr::{Code, Reads};

/// Most places of a frame.
const MOST_PLACES: usize = 12;
/// Pictures of more pixels are looked at on a coarser level.
const MOST_PIXELS: usize = 2_500_000;
/// Gradients of a sharp code are as strong everywhere; those of codes blurred by
/// a module and a half (the least that cannot be read as it is) were weaker along
/// the motion by 0.33 at least, of specimens that were turned in all ways.
const LEAST_ANISOTROPY: f32 = 0.22;
/// Longest side of a patch that is looked at on the finest level, in pixels. Larger
/// ones are looked at on a coarser level first.
const MOST_SIDE: f32 = 448.0;
/// Patches at least so large may be one code of large modules, to be looked at on
/// a coarser level too.
const LARGE: f32 = 200.0;
/// Where it is smoother than this a patch is out of focus: see [`smoothness`].
const SMOOTH: f32 = 0.6;
/// Coarsest level on which defocus is taken out.
const COARSEST: usize = 3;
/// What measuring and undoing cost for each pixel of a place, in units of work.
const UNITS: f32 = 60.0;

/// May a code have been missed?
pub(super) fn is_suspicious(scene: &Scene<'_>, reads: &Reads) -> bool {
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
    codes.is_empty() && reads.lost.is_empty()
        || codes.iter().take(4).any(moved)
        || scene.shows_more(CLEAR, reads)
}

impl Deblur {
    /// Where the tracker expects a code that was not read, and knows its motion.
    pub(super) fn propose_hints(&mut self, job: &Job<'_, '_>, out: &mut Vec<Proposal>) {
        /// The quiet zone, and room for error.
        const GROWN: f32 = 1.5;
        /// Codes that move less can be read as they are.
        const LEAST: f32 = 2.5;
        for hint in job.scene.hints {
            let centre = hint.corners.centre();
            let Some(way) = hint.motion else { continue };
            let length = way.length();
            if !(length >= LEAST && length < 8.0 * LENGTHS.end as f32)
                || job.reads.codes.cover(centre)
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
    pub(super) fn propose_patches(&mut self, job: &mut Job<'_, '_>, out: &mut Vec<Proposal>) {
        let Job { scene, reads, .. } = job;
        let pixels = scene.luma.width() * scene.luma.height();
        let level = usize::from(pixels > MOST_PIXELS);
        let luma = scene.sweep.pyramid().level(scene.luma, level);
        let mut patches = std::mem::take(&mut self.patches);
        for patch in patches.find(luma, (1 << level) as f32, |at| reads.explain(at)) {
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
                self.push(place, promise / 8.0, out);
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
}

/// The finest level on which a side of `longest` pixels is short enough.
fn level_for(longest: f32) -> usize {
    (longest / MOST_SIDE).log2().ceil().clamp(0.0, 8.0) as usize
}
