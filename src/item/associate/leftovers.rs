//! What the belt's motion leaves over: equal payloads one by one, and what is new.

use super::{Associator, Kin, Moment, Pair};
use crate::geometry::Point;
use crate::item::stray::{on_the_way, stray};
use crate::item::track::Track;

/// Where fewer than one item in three has the payload of one before, one that has is
/// doubtful after a gap wherever it stands: what is known of the belt before the gap
/// may be wrong, and a repeat is the better explanation.
const SERIAL: f32 = 1.0;

impl Associator {
    /// Equal payloads that the belt's motion does not bring together, one by one:
    /// of sights without a track, or with one that was never read, which then was
    /// the known code as well.
    pub(super) fn leftovers(&mut self, mean: Point, at: Moment<'_>) {
        self.costed.clear();
        for (index, pair) in self.pairs.iter().enumerate() {
            if pair.kin != Kin::Same || !self.is_open(pair, at.tracks) {
                continue;
            }
            let (track, sight) = (&at.tracks[pair.track], &at.sights[pair.sight]);
            let mut same = stray(
                track,
                sight,
                self.predicted[pair.track],
                at.motion,
                at.scene,
            );
            if track.remembered && self.is_backed(pair, at) {
                same = same.min(1.0);
            }
            let other = self.new_code(pair.sight, mean, at)
                + if at.scene.shows(self.predicted[pair.track], track.size) {
                    at.scene.miss(track.missed)
                } else {
                    0.0
                };
            if same < other {
                self.costed.push((same - other, index as u32));
            }
        }
        self.costed
            .sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for &(_, index) in &self.costed {
            let pair = self.pairs[index as usize];
            if self.is_open(&pair, at.tracks) {
                if let Some(blank) = self.track_of[pair.sight].replace(pair.track) {
                    self.matched.retain(|&(track, ..)| track != blank);
                    self.known.push(blank);
                }
                self.sight_of[pair.track] = Some(pair.sight);
                self.matched.push((pair.track, pair.sight, false));
            }
        }
    }

    /// Are the two of a pair still without each other, but for a track that nobody
    /// has read?
    fn is_open(&self, pair: &Pair, tracks: &[Track]) -> bool {
        self.sight_of[pair.track].is_none()
            && self.track_of[pair.sight].is_none_or(|track| !tracks[track].is_read())
    }

    /// Does another code from before the restart tell of the same mean velocity?
    fn is_backed(&self, pair: &Pair, at: Moment<'_>) -> bool {
        let mean_of = |pair: &Pair| {
            let (track, sight) = (&at.tracks[pair.track], &at.sights[pair.sight]);
            let time = (at.scene.now - track.seen).max(1e-3) as f32;
            ((sight.centre - track.centre) * (1.0 / time), time)
        };
        let (mean, time) = mean_of(pair);
        // Equal texts fit by chance: then the velocity must be that of before.
        let rivals = self.pairs.iter().filter(|other| {
            other.kin == Kin::Same
                && at.tracks[other.track].remembered
                && (other.track == pair.track || other.sight == pair.sight)
        });
        let before = at.tracks[pair.track].velocity.unwrap_or_default();
        if rivals.count() > 1 && (mean - before).length() > 0.1 * before.length() {
            return false;
        }
        self.pairs.iter().any(|other| {
            let differs = other.track != pair.track && other.sight != pair.sight;
            let (theirs, other_time) = mean_of(other);
            let off = (theirs - mean).length() * time.min(other_time);
            differs
                && other.kin == Kin::Same
                && at.tracks[other.track].remembered
                && off < 0.2 * at.sights[pair.sight].size
        })
    }

    /// What is left is new, and so is what is read for the first time.
    pub(super) fn newcomers(&mut self, mean: Point, at: Moment<'_>) {
        for j in 0..at.sights.len() {
            let doubtful = self.is_doubtful(j, mean, at);
            match self.track_of[j] {
                None => self.fresh.push((j, doubtful)),
                Some(track) if doubtful => self.doubtful.push(track),
                Some(_) => {}
            }
        }
    }

    /// May a code that nobody has read before have been in view before a gap or a
    /// restart, as a code with the same payload that is missing now?
    fn is_doubtful(&self, j: usize, mean: Point, at: Moment<'_>) -> bool {
        let sight = &at.sights[j];
        let was_there = at.scene.frames_inside(sight, mean) + 1.0 >= at.scene.watched_frames as f32;
        self.pairs.iter().any(|pair| {
            let track = &at.tracks[pair.track];
            pair.sight == j
                && pair.kin == Kin::Same
                && track.gap
                && self.is_open(pair, at.tracks)
                && (at.scene.again > SERIAL
                    || (was_there && on_the_way(track, sight, at.motion, at.scene)))
        })
    }
}
