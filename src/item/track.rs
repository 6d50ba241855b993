//! One code on its way through the picture: where it was seen, what was read
//! in how many frames, and whether its item is decided.
//!
//! A track holds no frames, and a crop only while nothing was read. Once its item is decided it is a
//! ghost: it keeps its place and the hash of what it says, so that the code is
//! known again, and gives its text away with the event.

use super::event::EventCode;
use super::motion::{Motion, unit};
use super::pictures::Picture;
use crate::frame::Stamp;
use crate::geometry::{Point, Quad};
use crate::qr;

/// Contents that a track may be read as: the truth, and a few misreads.
const MAX_BALLOTS: usize = 3;

/// One code in the present frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    pub corners: Quad,
    pub centre: Point,
    /// Side of the square with the same area, in pixels.
    pub size: f32,
    pub what: What,
}

/// What is seen there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    /// A code that was read: its index in the frame and the hash of its payload.
    Read(usize, u64),
    /// A code that was located but not read.
    Unread(qr::Reason),
}

impl Sight {
    pub fn new(corners: Quad, what: What) -> Self {
        Self {
            corners,
            centre: corners.centre(),
            size: corners.area().sqrt().max(1.0),
            what,
        }
    }

    /// A corrupt corner would poison every mean it enters.
    pub fn is_sane(&self) -> bool {
        let sane = |v: f32| v.is_finite() && v.abs() < 1e6;
        self.corners.0.iter().all(|p| sane(p.x) && sane(p.y))
    }
}

/// Frames that agree on one content.
#[derive(Clone, Debug)]
pub(super) struct Ballot {
    pub hash: u64,
    pub votes: u32,
    /// `None` once the item is decided: the event has it.
    pub code: Option<Box<EventCode>>,
    /// Stamp of the best sight.
    pub best: Stamp,
}

/// How far the item of a track has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    Decided,
}

#[derive(Clone, Debug)]
pub(super) struct Track {
    pub id: u64,
    /// Tracks with the same number are one item.
    pub item: u64,
    pub state: State,
    pub corners: Quad,
    pub centre: Point,
    pub size: f32,
    /// When it was last seen, on the tracker's clock in seconds.
    pub seen: f64,
    /// The same in watched time: time without frames does not count.
    pub seen_watched: f64,
    pub born_watched: f64,
    pub last: Stamp,
    pub first: Stamp,
    pub born_at: Point,
    /// The odometer at the last sight.
    pub odometer: Point,
    /// Own velocity in pixels a second, after two sights.
    pub velocity: Option<Point>,
    /// Its speed as a share of the belt's: perspective makes the near side faster.
    pub gear: f32,
    /// Moves by itself, not with the belt, when above a threshold: a hand.
    pub stray: u8,
    /// Time since the last sight in which nothing told of the belt.
    pub blind: f64,
    /// There was a gap without frames, or a restart, since the last sight.
    pub gap: bool,
    /// Published before a restart, known by place and payload only.
    pub remembered: bool,
    pub frames: u32,
    /// Sights wholly inside the picture.
    pub whole: u32,
    /// Frames in a row without a sight.
    pub missed: u32,
    pub ballots: Vec<Ballot>,
    pub reasons: [u32; REASONS.len()],
    pub maybe_repeat: bool,
    /// Its text has been asked for.
    pub texts: bool,
    /// Crop of the best sight, while it is unread and pictures are kept.
    pub picture: Option<Picture>,
}

/// Every reason for not reading, in the order of a track's counts.
pub(super) const REASONS: [qr::Reason; 6] = [
    qr::Reason::NoFinder,
    qr::Reason::LowContrast,
    qr::Reason::Blur,
    qr::Reason::Glare,
    qr::Reason::Damage,
    qr::Reason::TooSmall,
];

/// What a vote did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vote {
    /// Counted.
    Counted,
    /// Another content has been read here so often that it is another item.
    Challenger,
}

impl Track {
    pub fn new(id: u64, sight: &Sight, stamp: &Stamp, now: f64, watched: f64) -> Self {
        Self {
            id,
            item: id,
            state: State::Open,
            corners: sight.corners,
            centre: sight.centre,
            size: sight.size,
            seen: now,
            seen_watched: watched,
            born_watched: watched,
            last: *stamp,
            first: *stamp,
            born_at: sight.centre,
            odometer: Point::default(),
            velocity: None,
            gear: 1.0,
            stray: 0,
            blind: 0.0,
            gap: false,
            remembered: false,
            frames: 0,
            whole: 0,
            missed: 0,
            ballots: Vec::new(),
            reasons: [0; REASONS.len()],
            maybe_repeat: false,
            texts: false,
            picture: None,
        }
    }

    /// The content most frames agree on.
    pub fn champion(&self) -> Option<&Ballot> {
        // The first of equals: what was read first stays.
        self.ballots
            .iter()
            .reduce(|best, next| if next.votes > best.votes { next } else { best })
    }

    pub fn is_read(&self) -> bool {
        !self.ballots.is_empty()
    }

    pub fn says(&self, hash: u64) -> bool {
        self.ballots.iter().any(|ballot| ballot.hash == hash)
    }

    /// Does it move with the belt?
    pub fn rides(&self) -> bool {
        self.stray < 2 && !self.remembered
    }

    /// Its way since the last sight if the belt does as expected.
    pub fn way(&self, motion: &Motion, now: f64) -> Point {
        if self.rides() {
            motion.since(self.odometer, self.seen, now) * self.gear
        } else {
            self.velocity.unwrap_or_default() * (now - self.seen) as f32
        }
    }

    /// Expected uncertainty of its place after a way of `way` pixels.
    pub fn spread(&self, way: f32) -> f32 {
        (super::motion::JITTER_PX + 0.03 * self.size + 0.05 * way).min(0.25 * self.size.max(16.0))
    }

    /// Counts one read. `code` is copied only if its content is new here.
    pub fn vote(&mut self, hash: u64, code: &qr::Code, stamp: &Stamp) -> Vote {
        if let Some(ballot) = self.ballots.iter_mut().find(|b| b.hash == hash) {
            ballot.votes += 1;
            if let Some(best) = &mut ballot.code
                && better(&code.quality, &best.quality)
            {
                best.corners = code.corners;
                best.quality = code.quality;
                best.method = code.method.name();
                ballot.best = *stamp;
            }
            let (votes, champion) = (ballot.votes, self.champion().map(|b| (b.hash, b.votes)));
            return match champion {
                Some((top, most)) if top != hash && votes >= 2 && most >= 2 => Vote::Challenger,
                _ if self.state == State::Decided && self.ballots[0].hash != hash && votes >= 2 => {
                    Vote::Challenger
                }
                _ => Vote::Counted,
            };
        }
        if self.ballots.len() == MAX_BALLOTS {
            // The least of the misreads makes room, never the first content.
            if let Some(least) = (1..MAX_BALLOTS).min_by_key(|&i| self.ballots[i].votes) {
                self.ballots.remove(least);
            }
        }
        self.ballots.push(Ballot {
            hash,
            votes: 1,
            code: Some(Box::new(EventCode::from(code))),
            best: *stamp,
        });
        Vote::Counted
    }

    /// Moves the track to a sight.
    pub fn follow(
        &mut self,
        sight: &Sight,
        motion: &Motion,
        at: Clock,
        stamp: &Stamp,
        whole: bool,
    ) {
        let way = self.way(motion, at.now);
        let expected = self.centre + way;
        let centre = match sight.what {
            What::Read(..) => sight.centre,
            // An unread code's corners are guesses: they say that it is there,
            // and only half of where.
            What::Unread(_) => expected + (sight.centre - expected) * 0.5,
        };
        let time = (at.now - self.seen) as f32;
        if time > 0.0 {
            let step = centre - self.centre;
            let measured = step * (1.0 / time);
            self.velocity = Some(match self.velocity {
                None => measured,
                Some(old) if (measured - old).length() * time > 0.1 * self.size => measured,
                Some(old) => old + (measured - old) * 0.3,
            });
            let moved = motion.place - self.odometer;
            if let (What::Read(..), Some(heading)) = (sight.what, unit(moved))
                && self.rides()
                && moved.length() > 10.0
            {
                let gear = step.dot(heading) / moved.length();
                self.gear = (self.gear + 0.2 * (gear - self.gear)).clamp(0.5, 2.0);
            }
        }
        match sight.what {
            What::Read(..) => {
                self.corners = sight.corners;
                self.size = sight.size;
            }
            What::Unread(reason) => {
                self.corners = self.corners.shifted(centre - self.centre);
                if let Some(i) = REASONS.iter().position(|r| *r == reason) {
                    self.reasons[i] += 1;
                }
            }
        }
        self.centre = centre;
        self.seen = at.now;
        self.seen_watched = at.watched;
        self.last = *stamp;
        self.odometer = motion.reading(at.now);
        self.blind = 0.0;
        self.gap = false;
        self.missed = 0;
        self.frames += 1;
        self.whole += u32::from(whole);
    }

    /// The most frequent reason why it was not read.
    pub fn reason(&self) -> Option<(qr::Reason, u32)> {
        (0..REASONS.len())
            .filter(|&i| self.reasons[i] > 0)
            .max_by_key(|&i| self.reasons[i])
            .map(|i| (REASONS[i], self.reasons[i]))
    }
}

/// The tracker's two clocks, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    /// The frames' monotonic time.
    pub now: f64,
    /// The same without the time in which no frames came.
    pub watched: f64,
}

/// Is `a` the better sight? Error correction left over first, then size.
fn better(a: &qr::Quality, b: &qr::Quality) -> bool {
    let score = |q: &qr::Quality| q.uec + 0.02 * q.module_px;
    score(a) > score(b)
}
