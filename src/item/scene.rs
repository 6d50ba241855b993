//! What the picture can show: whether a code at a place would be in view, how
//! long it would have been, and how surprising it is to miss one or to meet a
//! new one. Surprises are negative logarithms of probabilities; the constants
//! were found on the random belts of the tests.

use super::track::Sight;
use crate::geometry::Point;

/// A code that was not there before, wherever it may have come in, on a belt
/// with few codes …
pub(super) const NEW_CODE: f32 = 4.0;
/// … and on one where several come in with every frame.
const NEXT_CODE: f32 = 0.5;

/// What surrounds one frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene {
    /// The tracker's clock, seconds.
    pub now: f64,
    /// Seconds between two frames.
    pub interval: f64,
    /// Frames since the last gap, this one included.
    pub watched_frames: u32,
    /// Share of frames in which a code in view is not read.
    pub miss_rate: f32,
    /// How surprising it is that a new item has the payload of one before.
    pub again: f32,
    /// Picture size in pixels.
    pub width: f32,
    pub height: f32,
}

impl Scene {
    /// Is a code of this size at this place wholly in the picture?
    pub fn shows(&self, centre: Point, size: f32) -> bool {
        let half = 0.55 * size;
        centre.x > half
            && centre.y > half
            && centre.x < self.width - half
            && centre.y < self.height - half
    }

    /// How surprising it is that a new code comes in while `codes` are in view
    /// and the belt goes at `mean`: a full belt brings as many as it takes away.
    pub fn arrival(&self, codes: usize, mean: Point) -> f32 {
        let step = mean.length() * self.interval as f32;
        let expected = codes as f32 * step / self.width.max(self.height);
        (-expected.ln()).clamp(NEXT_CODE, NEW_CODE)
    }

    /// Is this place less than `reach` outside of the picture?
    pub fn nears(&self, place: Point, reach: f32) -> bool {
        place.x > -reach
            && place.y > -reach
            && place.x < self.width + reach
            && place.y < self.height + reach
    }

    /// Is any part of it in the picture?
    pub fn touches(&self, centre: Point, size: f32) -> bool {
        let half = 0.5 * size;
        centre.x > -half
            && centre.y > -half
            && centre.x < self.width + half
            && centre.y < self.height + half
    }

    /// How surprising it is that a code in view is not read in this frame. One
    /// that was not read in the last frame either is likely covered.
    pub fn miss(&self, missed: u32) -> f32 {
        let surprise = -self.miss_rate.ln();
        if missed == 0 {
            surprise
        } else {
            0.3 * surprise
        }
    }

    /// Frames that must have missed the sight since it came wholly into the
    /// picture, quiet zone included, at this velocity.
    pub fn frames_inside(&self, sight: &Sight, mean: Point) -> f32 {
        let (left, top, right, bottom) = sight.corners.bounds();
        let step = mean * self.interval as f32;
        let along = |near: f32, far: f32, step: f32| {
            if step > 0.5 {
                near / step
            } else if step < -0.5 {
                far / -step
            } else {
                f32::INFINITY
            }
        };
        let quiet = 0.2 * sight.size;
        let x = along(left - quiet, self.width - right - quiet, step.x);
        let y = along(top - quiet, self.height - bottom - quiet, step.y);
        // In the frame in which it came in it was seen at once.
        (x.min(y) - 1.0).max(0.0)
    }
}
