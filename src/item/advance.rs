//! When a frame was taken: by its stamp, or by its place in the count of frames.
//!
//! Where the two disagree ([`super::cadence`]) both are tried on what stands in the
//! frame, and the one by which the belt did what belts do is believed. Where neither
//! explains it, frames may have been lost of which nothing tells.

use super::Seen;
use super::associate::Moment;
use super::cadence::Step;
use super::scene::Scene;
use super::track::{Sight, What};
use super::tracker::{Found, Tracker};
use crate::frame::Stamp;

/// Where the frames' count and their stamps explain what is seen equally well up to
/// this, as on a belt that hardly moves, it goes as it went of late.
const UNDECIDED: f32 = 1.0;
/// How surprising it is that frames were lost in front of this one without a trace: no
/// count has missed them, and the stamp is that of one which came at its time. (With 6
/// a belt of equal labels that stops and starts goes wrong, 16 is no better than 10:
/// the belts of the tests.)
const LOST_UNTOLD: f32 = 10.0;
/// Most of them that are thought of.
const MOST_LOST: u32 = 6;
/// Where there was a gap by the stamps the count must explain nearly all.
const SURE_OF_COUNT: f32 = 4.0;
/// Frames missing until it counts as a gap.
const GAP_FRAMES: f64 = 8.0;
/// No gap is shorter than this, in seconds.
const GAP_S: f64 = 0.25;

impl Tracker {
    /// Sets the clocks to the frame's time.
    pub(super) fn advance(&mut self, stamp: &Stamp, seen: Seen<'_>) {
        let first = self.origin.is_none();
        let origin = *self.origin.get_or_insert(stamp.mono_ns);
        // Stamps that run back must not stop the clock.
        let stamped = stamp.mono_ns.saturating_sub(origin) as f64 * 1e-9;
        let told = self
            .cadence
            .step(stamped, stamp.sequence, stamped - self.last_frame);
        let (step, gap) = match first {
            true => (0.0, false),
            false => self.since_last(seen, told),
        };
        if gap {
            self.clock.watched += self.scene.interval;
            self.scene.watched_frames = 0;
            self.fusion.clear();
            self.motion.gap = true;
            for track in &mut self.tracks {
                track.gap = true;
            }
        } else if !first {
            self.clock.watched += step;
            self.intervals = (self.intervals + 1).min(10);
            self.scene.interval += (step - self.scene.interval) / f64::from(self.intervals);
        }
        self.last_stamp = stamped;
        self.last_frame += step;
        self.clock.now = self.last_frame.max(self.clock.now);
        self.scene.now = self.clock.now;
        self.scene.again = self.variety.surprise();
        self.scene.watched_frames = self.scene.watched_frames.saturating_add(1);
    }

    /// Seconds since the frame before, and whether nobody watched meanwhile. Of what
    /// stamps and count tell, that is believed by which the belt did what belts do.
    fn since_last(&mut self, seen: Seen<'_>, told: Step) -> (f64, bool) {
        // How far the clock, which went by the count, is behind the stamps is no time
        // that passed now, and by how much it is ahead has passed already.
        let gap = told.apart.min(told.stamped) > self.gap_after();
        let off = (told.apart - told.stamped).abs() > told.apart * 1e-3;
        if told.counted.is_none() && !off {
            return (told.stamped, gap);
        }
        let watching = self.tracks.iter().any(|track| track.missed < 16);
        if !self.motion.is_known() || self.motion.gap {
            // Nothing to go by but how the stamps were of late. Where nothing is in
            // view the stamps may catch up.
            return match self.cadence.is_bursty() && watching && !gap {
                true => (told.counted.unwrap_or(told.apart), false),
                false => (told.stamped, gap),
            };
        }
        let codes = Found {
            single: seen.codes,
            fused: &[],
        };
        self.collect(codes, seen.unread);
        if self.sights.is_empty() {
            return match watching {
                true => (told.apart, gap),
                false => (told.stamped, gap),
            };
        }
        let mut finds = false;
        let mut surprise_after = |step: f64| {
            let scene = Scene {
                now: self.last_frame + step,
                ..self.scene
            };
            self.associator.run(Moment {
                tracks: &self.tracks,
                sights: &self.sights,
                motion: &self.motion,
                scene: &scene,
            });
            finds |= !self.associator.matched.is_empty();
            self.associator.surprise
        };
        let mut stamped = (surprise_after(told.stamped), told.stamped);
        let as_late = off.then(|| surprise_after(told.apart));
        let of_count = told.counted.map(&mut surprise_after);
        // Where only what is new is seen, what is followed is not carried on in a leap.
        let only_new = watching && !finds;
        if let Some(as_late) = as_late
            && (only_new || as_late + UNDECIDED < stamped.0)
        {
            stamped = (as_late, told.apart);
        }
        let (of_stamp, stamped) = stamped;
        let (Some(of_count), Some(counted)) = (of_count, told.counted) else {
            return (stamped, gap);
        };
        let better = match self.cadence.is_bursty() {
            true => of_count < of_stamp + UNDECIDED,
            false => of_count + UNDECIDED < of_stamp,
        };
        // After a gap a count goes on as if nothing had been lost.
        match better && (!gap || (of_count < SURE_OF_COUNT && self.tells_apart())) {
            true => (counted, false),
            false => (stamped, gap),
        }
    }

    /// Goes on by as many frames as were lost in front of this one without a trace, if
    /// nothing else explains how far the belt went.
    pub(super) fn go_on_by_what_was_lost(&mut self) {
        let told = self.associator.surprise;
        if told <= LOST_UNTOLD + UNDECIDED || !self.motion.is_known() || self.motion.gap {
            return;
        }
        let now = self.clock.now;
        let mut best = (told - UNDECIDED, now);
        for lost in 1..=MOST_LOST {
            self.scene.now = now + f64::from(lost) * self.scene.interval;
            self.explain();
            let surprise = LOST_UNTOLD + self.associator.surprise;
            if surprise < best.0 {
                best = (surprise, self.scene.now);
            }
        }
        self.scene.now = best.1;
        self.explain();
        let lost = best.1 - now;
        self.clock.now += lost;
        self.clock.watched += lost;
        self.last_frame += lost;
    }

    /// Whether each payload in this frame is at most one code's, of those here and
    /// of those followed.
    fn tells_apart(&self) -> bool {
        let hash_of = |sight: &Sight| match sight.what {
            What::Read(_, hash) => Some(hash),
            What::Unread(_) => None,
        };
        self.sights.iter().filter_map(hash_of).all(|hash| {
            let here = self.sights.iter().filter(|s| hash_of(s) == Some(hash));
            let followed = self.tracks.iter().filter(|track| track.says(hash));
            here.count() == 1 && followed.count() <= 1
        })
    }

    /// The tracker's clock at `mono_ns`; `None` before the first frame.
    pub(super) fn clock_at(&self, mono_ns: u64) -> Option<f64> {
        let since = mono_ns.saturating_sub(self.origin?) as f64 * 1e-9;
        Some(self.last_frame + since - self.last_stamp)
    }

    /// Seconds without frames that count as a gap.
    pub(super) fn gap_after(&self) -> f64 {
        (GAP_FRAMES * self.scene.interval).max(GAP_S)
    }
}
