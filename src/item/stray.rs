//! Codes that the belt's motion does not explain, one by one: held back or moved
//! by a hand, carried by a belt that changed its speed while nothing told of it,
//! or standing where a restart left them.

use super::motion::Motion;
use super::scene::Scene;
use super::track::{Sight, Track};
use crate::geometry::Point;

/// How surprising it is that `sight` is `track` though the belt's motion says
/// that it should be at `predicted`.
pub(super) fn stray(
    track: &Track,
    sight: &Sight,
    predicted: Point,
    motion: &Motion,
    scene: &Scene,
) -> f32 {
    let unseen = (scene.now - track.seen).max(1e-6);
    let jump = sight.centre - track.centre;
    let still = 0.5 * (jump.length() / track.spread(0.0)).powi(2);
    let mut least = f32::INFINITY;
    // On its own way. A velocity from before a restart is known to a tenth.
    if let Some(velocity) = track.velocity {
        let way = velocity * unseen as f32;
        let spread = if track.remembered {
            track.spread(0.0) + 0.05 * way.length()
        } else {
            track.spread(way.length())
        };
        let off = (jump - way).length() / spread;
        if off < 3.0 {
            least = least.min(0.5 * off * off + 1.0);
        }
    }
    // Not carried on, it was in view all the time and was missed.
    let overlooked = 0.5 * scene.miss(0) * track.missed as f32;
    // Where it was: held back, or the belt stood throughout a restart. (That it
    // stood throughout a gap is weighed for all tracks together.)
    let held = if track.remembered {
        2.0
    } else {
        6.0 + overlooked
    };
    least = least.min(held + still);
    // Part of the way, because the belt changed while nothing told of it.
    if track.blind > 0.0 && !track.gap {
        let lag = (sight.centre - predicted) * (1.0 / track.gear);
        let mean = motion.expected().unwrap_or_default() + lag * (1.0 / track.blind as f32);
        least = least.min(3.0 + motion.change(mean, track.blind, false));
    }
    // Moved by a hand: no faster than its own size in a moment.
    if unseen < 0.3 && jump.length() < 0.8 * track.size {
        least = least.min(7.0 + overlooked + 2.0 * jump.length() / track.size);
    }
    least
}

/// Could the track have come to the sight by any motion of the belt between
/// standing still and going on?
pub(super) fn on_the_way(track: &Track, sight: &Sight, motion: &Motion, scene: &Scene) -> bool {
    let velocity = track
        .velocity
        .filter(|v| v.length() > 1.0)
        .or(motion.expected())
        .unwrap_or_default();
    let full = velocity * (scene.now - track.seen) as f32;
    let jump = sight.centre - track.centre;
    let share = jump.dot(full) / full.dot(full).max(1e-3);
    let aside = (jump - full * share.clamp(0.0, 1.0)).length();
    let slack = (0.1 * (full * share.clamp(0.0, 1.0)).length()).max(1.5 * sight.size);
    aside <= slack
}
