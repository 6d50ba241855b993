//! Which code of this frame is which code of the frames before.
//!
//! The belt moves as one: a handful of answers to "how far did it go since it
//! was last seen to move" are weighed against each other, each with the best
//! assignment of sights to tracks that it allows, and the least surprising
//! wins. Codes with equal texts are told apart by this alone: an answer that
//! takes one for its neighbour makes a code appear in the middle of the
//! picture, or asks of the belt what belts do not do. What the belt cannot
//! explain (an item held by a hand, a belt that changed its speed while no
//! code was in sight) is then weighed one by one.
//!
//! A surprise is the negative logarithm of a probability. The constants were
//! found on the random belts of the tests.

mod leftovers;

use super::motion::Motion;
use super::scene::{NEW_CODE, Scene};
use super::track::{Sight, Track, What};
use crate::geometry::Point;

/// Answers weighed in a frame beside "as before" and "not at all".
const MAX_ANSWERS: usize = 16;
/// Answers looked at before the best supported are chosen.
const MAX_PROPOSALS: usize = 256;
/// Answers more surprising than this are not looked at.
const FAR_FETCHED: f32 = 25.0;
/// Sights that one track may be, the nearest first.
const MAX_PAIRS: usize = 16;
/// Most that a new code can surprise: somebody may lay it there.
const NEW_CODE_MOST: f32 = 12.0;
/// An unread symbol that belongs to nothing known: often clutter.
const UNREAD: f32 = 3.0;
/// A frame more surprising than this was not understood.
const PUZZLE: f32 = 12.0;
/// Two codes in one place.
const OVERLAP: f32 = 8.0;

/// What a track and a sight have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kin {
    /// The same payload.
    Same,
    /// One of the two was not read.
    Blank,
    /// Another payload: a misread, if it is exactly there.
    Other,
}

#[derive(Clone, Copy, Debug)]
struct Pair {
    track: usize,
    sight: usize,
    kin: Kin,
}

#[derive(Clone, Copy, Debug)]
struct Answer {
    mean: Point,
    time: f64,
    support: u32,
}

/// What is known when a frame comes, and what it shows.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    pub tracks: &'a [Track],
    pub sights: &'a [Sight],
    pub motion: &'a Motion,
    pub scene: &'a Scene,
}

/// Scratch memory and the result.
#[derive(Debug, Default)]
pub(super) struct Associator {
    pairs: Vec<Pair>,
    answers: Vec<Answer>,
    costed: Vec<(f32, u32)>,
    trial: Vec<(usize, usize)>,
    track_of: Vec<Option<usize>>,
    sight_of: Vec<Option<usize>>,
    predicted: Vec<Point>,
    /// The belt's motion is known: it brings new codes.
    moves: bool,
    /// The assignment: (track, sight, whether it moved with the belt).
    pub matched: Vec<(usize, usize, bool)>,
    /// Sights with no track, that are worth a new one: (sight, doubtful).
    pub fresh: Vec<(usize, bool)>,
    /// Tracks that were never read and turn out to be a known code.
    pub known: Vec<usize>,
    /// Tracks that are read now for the first time, and may have been published.
    pub doubtful: Vec<usize>,
    /// What the odometer shows now and how fast the belt went of late, if there
    /// is evidence.
    pub evidence: Option<(Point, Point)>,
    /// How surprising the frame is by the best answer.
    pub surprise: f32,
}

impl Associator {
    /// Whether even the best answer explains the frame badly.
    pub fn is_puzzled(&self) -> bool {
        self.surprise > PUZZLE
    }

    /// Whether a code is said to be gone, and another one with its text to have come
    /// just where it stood, while nothing else in the frame speaks for the belt's
    /// motion. A wrong velocity explains frame after frame like that, and nothing
    /// would ever correct it.
    pub fn is_begging(&self, tracks: &[Track], sights: &[Sight]) -> bool {
        self.evidence.is_none()
            && self.pairs.iter().any(|pair| {
                let (track, sight) = (&tracks[pair.track], &sights[pair.sight]);
                pair.kin == Kin::Same
                    && track.missed <= 1
                    && !track.remembered
                    && self.sight_of[pair.track].is_none()
                    && self.track_of[pair.sight].is_none()
                    && track.centre.distance(sight.centre) < 0.5 * track.size
            })
    }

    pub fn run(&mut self, at: Moment<'_>) {
        self.matched.clear();
        self.fresh.clear();
        self.known.clear();
        self.doubtful.clear();
        self.pairs.clear();
        self.evidence = None;
        self.surprise = 0.0;
        if at.sights.is_empty() {
            return;
        }
        self.moves = at.motion.is_known() && at.scene.watched_frames > 1;
        self.pair_up(at);
        self.propose(at);
        let (mut least, mut mean) = (f32::INFINITY, Point::default());
        // The last ones are most often right, and end the others' weighing early.
        for i in (0..self.answers.len()).rev() {
            let answer = self.answers[i];
            let prior = at.motion.surprise(answer.mean, answer.time);
            let limit = least - prior;
            let surprise = prior + self.weigh(answer.mean, limit, at);
            if surprise < least {
                (least, mean) = (surprise, answer.mean);
            }
        }
        self.surprise = least;
        self.weigh(mean, f32::INFINITY, at);
        self.settle(at);
        self.leftovers(mean, at);
        self.newcomers(mean, at);
    }

    /// Which tracks and sights may belong together at all.
    fn pair_up(&mut self, at: Moment<'_>) {
        self.pairs.clear();
        for (i, track) in at.tracks.iter().enumerate() {
            let expected = track.centre + track.way(at.motion, at.scene.now);
            let unknown = at.motion.unknown_time(track.seen, at.scene.now) + track.blind;
            let reach = match track.remembered || track.gap {
                true => f32::INFINITY,
                false => at.motion.reach(unknown) + 2.0 * track.size,
            };
            if !at.scene.nears(expected, reach) && !at.scene.nears(track.centre, 2.0 * track.size) {
                continue;
            }
            let start = self.pairs.len();
            for (j, sight) in at.sights.iter().enumerate() {
                let kin = match sight.what {
                    What::Read(_, hash) if track.says(hash) => Kin::Same,
                    What::Read(..) if track.is_read() => Kin::Other,
                    _ => Kin::Blank,
                };
                // Only equal payloads are sought far from the expected place,
                // as far as the belt can have gone.
                let near = || {
                    let off = sight.centre.distance(expected);
                    let jump = sight.centre.distance(track.centre);
                    match kin {
                        Kin::Same => off <= reach || jump < 2.0 * track.size,
                        Kin::Blank => off.min(jump) < 4.0 * track.size.max(sight.size),
                        Kin::Other => off.min(jump) < track.size.max(sight.size),
                    }
                };
                let likely_size = (0.5..2.0).contains(&(sight.size / track.size))
                    || matches!(sight.what, What::Unread(_))
                    || track.remembered;
                if likely_size && near() {
                    self.pairs.push(Pair {
                        track: i,
                        sight: j,
                        kin,
                    });
                }
            }
            let added = &mut self.pairs[start..];
            if added.len() > MAX_PAIRS {
                let off = |pair: &Pair| at.sights[pair.sight].centre.distance(expected);
                added.select_nth_unstable_by(MAX_PAIRS, |a, b| off(a).total_cmp(&off(b)));
                self.pairs.truncate(start + MAX_PAIRS);
            }
        }
    }

    /// How far the belt may have gone: as expected, not at all, and what the
    /// pairs say, those first that most others agree with.
    fn propose(&mut self, at: Moment<'_>) {
        self.answers.clear();
        let newest = at.tracks.iter().map(|t| t.seen).fold(f64::MIN, f64::max);
        let time = at
            .motion
            .unknown_time(newest.max(at.scene.now - 1e4), at.scene.now)
            .min(1e4);
        // Those seen last tell most, and must not be crowded out by ghosts.
        for fresh in [true, false] {
            for pair in &self.pairs {
                let track = &at.tracks[pair.track];
                let usable = pair.kin != Kin::Other
                    && track.rides()
                    && (track.missed <= 4) == fresh
                    && self.answers.len() < MAX_PROPOSALS;
                if !usable {
                    continue;
                }
                let time = at.motion.unknown_time(track.seen, at.scene.now);
                let measured = at.motion.measured(track.odometer, track.seen) * track.gear;
                let way = at.sights[pair.sight].centre - track.centre - measured;
                let answer = Answer {
                    mean: way * (1.0 / (track.gear * time as f32)),
                    time,
                    support: u32::from(pair.kin == Kin::Same),
                };
                if at.motion.surprise(answer.mean, time) < FAR_FETCHED {
                    self.answers.push(answer);
                }
            }
        }
        let agree = 0.08 * at.sights[0].size + 3.0;
        for i in 0..self.answers.len() {
            let mine = self.answers[i];
            let friends = self
                .answers
                .iter()
                .filter(|other| {
                    ((other.mean - mine.mean) * mine.time.min(other.time) as f32).length() < agree
                })
                .count();
            self.answers[i].support = self.answers[i].support * 1000 + friends as u32;
        }
        self.answers
            .sort_unstable_by_key(|answer| std::cmp::Reverse(answer.support));
        let mut kept = 0;
        for i in 0..self.answers.len() {
            let answer = self.answers[i];
            let known = self.answers[..kept].iter().any(|other| {
                ((other.mean - answer.mean) * answer.time as f32).length() < 0.3 * agree
            });
            if !known && kept < MAX_ANSWERS {
                self.answers[kept] = answer;
                kept += 1;
            }
        }
        self.answers.truncate(kept);
        for mean in [at.motion.expected(), Some(Point::default())]
            .into_iter()
            .flatten()
        {
            self.answers.push(Answer {
                mean,
                time,
                support: 0,
            });
        }
    }

    /// Where `track` is if the belt went at `mean` since the last evidence.
    fn place(track: &Track, mean: Point, motion: &Motion, now: f64) -> Point {
        if !track.rides() {
            return track.centre + track.way(motion, now);
        }
        let measured = motion.measured(track.odometer, track.seen);
        let rest = motion.unknown_time(track.seen, now) as f32;
        track.centre + (measured + mean * rest) * track.gear
    }

    /// The best assignment if the belt went at `mean`, and its surprise. Stops
    /// where that exceeds `limit`.
    fn weigh(&mut self, mean: Point, limit: f32, at: Moment<'_>) -> f32 {
        self.predicted.clear();
        self.predicted.extend(
            at.tracks
                .iter()
                .map(|track| Self::place(track, mean, at.motion, at.scene.now)),
        );
        self.costed.clear();
        for (index, pair) in self.pairs.iter().enumerate() {
            let (track, sight) = (&at.tracks[pair.track], &at.sights[pair.sight]);
            if track.remembered {
                continue;
            }
            let off = self.predicted[pair.track].distance(sight.centre);
            let way = self.predicted[pair.track].distance(track.centre);
            let spread = track.spread(way);
            let (reach, dear) = match pair.kin {
                Kin::Same => (3.0 * spread, 0.0),
                Kin::Blank => (3.0 * spread + 0.25 * track.size, 0.5),
                Kin::Other => (spread.min(0.3 * track.size), 6.0),
            };
            if off <= reach {
                let cost = 0.5 * (off / spread).powi(2) + dear;
                self.costed.push((cost, index as u32));
            }
        }
        // Nearest first is the best assignment here: equal codes cannot stand
        // closer than their own size, and the reach is well below half of that.
        self.costed
            .sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        self.track_of.clear();
        self.track_of.resize(at.sights.len(), None);
        self.sight_of.clear();
        self.sight_of.resize(at.tracks.len(), None);
        self.trial.clear();
        let mut surprise = 0.0;
        for &(cost, index) in &self.costed {
            let pair = self.pairs[index as usize];
            if self.track_of[pair.sight].is_none() && self.sight_of[pair.track].is_none() {
                self.track_of[pair.sight] = Some(pair.track);
                self.sight_of[pair.track] = Some(pair.sight);
                self.trial.push((pair.track, pair.sight));
                surprise += cost.min(6.0);
            }
        }
        for (i, track) in at.tracks.iter().enumerate() {
            if self.sight_of[i].is_none()
                && !track.remembered
                && at.scene.shows(self.predicted[i], track.size)
            {
                surprise += at.scene.miss(track.missed);
            }
        }
        for (j, sight) in at.sights.iter().enumerate() {
            if surprise > limit {
                break;
            }
            if self.track_of[j].is_none() {
                surprise += match sight.what {
                    What::Read(..) => self.new_code(j, mean, at),
                    What::Unread(_) => UNREAD,
                };
            }
        }
        surprise
    }

    /// How surprising it is that this sight is a new code: how many frames must
    /// have missed it since it came into the picture, does it overlap another, and
    /// do items with equal payloads pass here at all.
    fn new_code(&self, j: usize, mean: Point, at: Moment<'_>) -> f32 {
        let sight = &at.sights[j];
        let frames = at
            .scene
            .frames_inside(sight, mean)
            .min(at.scene.watched_frames as f32);
        let arrival = if self.moves {
            at.scene.arrival(self.track_of.len(), mean)
        } else {
            NEW_CODE
        };
        let mut surprise = (arrival + frames * at.scene.miss(0)).min(NEW_CODE_MOST);
        let overlaps = at.tracks.iter().enumerate().any(|(i, track)| {
            self.sight_of[i].is_none()
                && track.missed <= 3
                && !track.remembered
                && track.is_read()
                && self.predicted[i].distance(sight.centre) < 1.15 * sight.size.min(track.size)
        });
        if overlaps {
            surprise += OVERLAP;
        }
        let again = self.pairs.iter().any(|pair| {
            pair.sight == j && pair.kin == Kin::Same && self.sight_of[pair.track].is_none()
        });
        if again {
            surprise += at.scene.again;
        }
        surprise
    }

    /// Takes the last trial, and what it says of the belt.
    fn settle(&mut self, at: Moment<'_>) {
        let (mut place, mut mean, mut weight) = (Point::default(), Point::default(), 0.0);
        for &(i, j) in &self.trial {
            let (track, sight) = (&at.tracks[i], &at.sights[j]);
            let rides = track.rides();
            self.matched.push((i, j, rides));
            if !rides {
                continue;
            }
            let way = (sight.centre - track.centre) * (1.0 / track.gear);
            let time = at.motion.unknown_time(track.seen, at.scene.now) as f32;
            let unknown = way - at.motion.measured(track.odometer, track.seen);
            let certain = match sight.what {
                What::Read(..) if track.is_read() => 1.0,
                _ => 0.1,
            };
            // What was seen last tells most.
            let age = ((at.scene.now - track.seen) / at.scene.interval) as f32;
            let certain = certain / age.max(1.0).powi(2);
            place = place + (track.odometer + way) * certain;
            mean = mean + unknown * (certain / time);
            weight += certain;
        }
        if weight > 0.0 {
            self.evidence = Some((place * (1.0 / weight), mean * (1.0 / weight)));
        }
    }
}
