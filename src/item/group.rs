//! Codes that are one item because they move rigidly together.
//!
//! Two codes belong together if the gap between their upright bounding
//! rectangles is at most the grouping distance while both are in sight, and
//! neither runs ahead of the other. What joins an item that is decided already
//! belongs to it without another event.

use super::track::{State, Track};
use super::tracker::Tracker;
use crate::config::ItemPlan;
use crate::geometry::{Point, Quad};

/// Joins the codes seen at `now` to items.
pub(super) fn join(tracks: &mut [Track], plan: &ItemPlan, now: f64) {
    for i in 0..tracks.len() {
        for j in i + 1..tracks.len() {
            let (a, b) = (&tracks[i], &tracks[j]);
            let together = a.item != b.item
                && a.seen == now
                && b.seen == now
                && gap(&a.corners, &b.corners) <= plan.group_px
                && is_rigid(a, b);
            if !together {
                continue;
            }
            let (keep, drop) = (a.item.min(b.item), a.item.max(b.item));
            let decided = tracks
                .iter()
                .any(|t| (t.item == keep || t.item == drop) && t.state == State::Decided);
            for track in tracks.iter_mut() {
                if track.item == drop {
                    track.item = keep;
                }
                if track.item == keep && decided {
                    track.state = State::Decided;
                }
            }
        }
    }
}

/// No member is expected any more: none came for a few frames, and the item's
/// rear is so far inside the picture that none can still come in behind it.
pub(super) fn is_complete(tracker: &Tracker, item: u64) -> bool {
    let (mut youngest, mut oldest) = (f64::MIN, f64::MAX);
    let mut rear_clear = true;
    let margin = tracker.plan.group_px;
    for track in tracker.tracks.iter().filter(|track| track.item == item) {
        youngest = youngest.max(track.born_watched);
        oldest = oldest.min(track.born_watched);
        let way = track.way(&tracker.motion, tracker.clock.now);
        let (left, top, right, bottom) = track.corners.shifted(way).bounds();
        // The next one must fit in whole behind this one.
        let margin = margin + 1.2 * track.size;
        let heading = tracker.motion.heading().unwrap_or_default();
        let clear = |near: f32, far: f32, heading: f32| {
            if heading > 0.3 {
                near > margin
            } else if heading < -0.3 {
                far > margin
            } else {
                true
            }
        };
        rear_clear &= clear(left, tracker.scene.width - right, heading.x)
            && clear(top, tracker.scene.height - bottom, heading.y);
    }
    let watched = tracker.clock.watched;
    let frames = f64::from(tracker.plan.confirm_frames + 2);
    let quiet = watched - youngest >= (frames - 0.5) * tracker.scene.interval;
    let waited = watched - oldest >= tracker.plan.lost.as_secs_f64();
    waited || (quiet && rear_clear)
}

/// Sorts members as one reads a page: rows from the top, each from the left. A
/// member is in the row of the one above it if their heights overlap by half.
pub(super) fn reading_order(members: &mut [usize], place: impl Fn(usize) -> (Point, f32)) {
    members.sort_by(|&a, &b| place(a).0.y.total_cmp(&place(b).0.y));
    let mut start = 0;
    while start < members.len() {
        let (first, size) = place(members[start]);
        let row = members[start..]
            .iter()
            .take_while(|&&i| place(i).0.y - first.y < 0.5 * size)
            .count()
            .max(1);
        members[start..start + row].sort_by(|&a, &b| place(a).0.x.total_cmp(&place(b).0.x));
        start += row;
    }
}

/// Do both move alike, as far as is known?
fn is_rigid(a: &Track, b: &Track) -> bool {
    match (a.velocity, b.velocity) {
        (Some(u), Some(v)) => (u - v).length() <= 0.25 * u.length().max(v.length()) + 120.0,
        _ => true,
    }
}

/// Gap between the upright rectangles around two quadrilaterals, 0 if they overlap.
fn gap(a: &Quad, b: &Quad) -> f32 {
    let (al, at, ar, ab) = a.bounds();
    let (bl, bt, br, bb) = b.bounds();
    let x = (al - br).max(bl - ar).max(0.0);
    let y = (at - bb).max(bt - ab).max(0.0);
    Point::new(x, y).length()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_in_rows_from_the_upper_left() {
        let places = [
            Point::new(300.0, 108.0),
            Point::new(100.0, 100.0),
            Point::new(50.0, 300.0),
            Point::new(200.0, 95.0),
        ];
        let mut members = vec![0, 1, 2, 3];
        reading_order(&mut members, |i| (places[i], 60.0));
        assert_eq!(members, [1, 3, 0, 2]);
    }

    #[test]
    fn the_gap_is_that_between_the_rims() {
        let square = |x: f32, y: f32| {
            Quad([
                Point::new(x, y),
                Point::new(x + 10.0, y),
                Point::new(x + 10.0, y + 10.0),
                Point::new(x, y + 10.0),
            ])
        };
        assert_eq!(gap(&square(0.0, 0.0), &square(13.0, 14.0)), 5.0);
        assert_eq!(gap(&square(0.0, 0.0), &square(5.0, 5.0)), 0.0);
    }
}
