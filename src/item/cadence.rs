//! How regularly the frames come: what their stamps say against what their
//! count says.
//!
//! A camera takes its pictures at a steady pace, but many drivers stamp them when
//! they arrive, and a busy bus or machine delivers them in bursts. Then the count
//! tells better than the stamp when a picture was taken. Where pictures are lost
//! before anybody counts them the stamp tells better. So both are offered, and what
//! is seen on the belt decides ([`super::Tracker`]).

/// Pictures whose stamps the interval is measured by. A burst at one end of them
/// puts it wrong by its length over theirs.
const MEASURED: usize = 256;
/// Fewer than this tell nothing.
const LEAST: usize = 6;
/// Share of an interval by which the stamps of a steady camera differ from its
/// pace, through the time it takes to deliver a picture.
const STEADY: f64 = 0.3;
/// A camera takes no two pictures in less than this share of its interval: velocities
/// over next to no time would be anything.
const SOONEST: f64 = 0.25;
/// What comes in less than this share of its interval was not taken then.
const TOO_SOON: f64 = 0.5;
/// How late a picture may be, in longest silences: the first one that was counted may
/// have been so late itself.
const MOST_LATE: f64 = 2.0;
/// Frames for which stamps are doubted after that.
const DOUBTED: u32 = 256;
/// What comes after so many intervals may come from a camera that rested.
const REST: f64 = 4.0;
/// The interval before one is known, in seconds.
const USUAL_S: f64 = 1.0 / 60.0;
/// Steps that are not this long tell of no pace at all, in seconds.
const SHORTEST_S: f64 = 1e-4;

/// The pace of the frames. All times in seconds.
#[derive(Clone, Debug)]
pub(super) struct Cadence {
    /// Stamps and counts of the newest frames, oldest first from `next` on.
    ring: [(f64, u64); MEASURED],
    len: usize,
    next: usize,
    /// Frames until the stamps are trusted again.
    doubted: u32,
    /// Frames since the camera may have rested, and the interval before: if it did,
    /// that time is none of its pace.
    since_rest: Option<(usize, f64)>,
}

/// How much time passed from frame to frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    /// By the stamps, from what the frame before was taken to be.
    pub stamped: f64,
    /// From the stamp of the frame before to this one's: both may be late alike.
    pub apart: f64,
    /// By the count, where that says otherwise.
    pub counted: Option<f64>,
}

impl Default for Cadence {
    fn default() -> Self {
        Self {
            ring: [(0.0, 0); MEASURED],
            len: 0,
            next: 0,
            doubted: 0,
            since_rest: None,
        }
    }
}

impl Cadence {
    /// A frame stamped at `now`, and the source's count of it. `since` is the time
    /// from what the frame before was taken to be.
    pub fn step(&mut self, now: f64, count: u64, since: f64) -> Step {
        let interval = self.interval();
        let newest = (self.len > 0).then(|| self.ring[(self.next + MEASURED - 1) % MEASURED]);
        let frames = newest.map_or(0, |(_, last)| count.saturating_sub(last));
        let apart = newest.map_or(since, |(before, _)| now - before);
        if newest.is_some_and(|(at, last)| count <= last || now < at) {
            // Another count began.
            (self.len, self.since_rest) = (0, None);
        }
        self.ring[self.next] = (now, count);
        self.next = (self.next + 1) % MEASURED;
        self.len = (self.len + 1).min(MEASURED);
        let Some(interval) = interval else {
            let soonest = SOONEST * USUAL_S;
            return Step {
                stamped: since.max(soonest),
                apart: apart.max(soonest),
                counted: None,
            };
        };
        let soonest = SOONEST * interval;
        if let Some((before, _)) = newest
            && frames > 0
        {
            self.judge(now - before, frames, interval);
        }
        let counted = frames as f64 * interval;
        let steady = (since - counted).abs() <= STEADY * interval.max(0.1 * counted);
        Step {
            stamped: since.max(soonest),
            apart: apart.max(soonest),
            counted: (frames > 0 && !steady && self.may_be_late_by(since - counted))
                .then_some(counted),
        }
    }

    /// Whether a picture's stamp may differ so much from its time: by the count of
    /// pictures that are held back, hardly by more than the longest silence. What is
    /// farther off was not held back: the count has missed some, or the interval is
    /// that of a time when it did.
    fn may_be_late_by(&self, late: f64) -> bool {
        let oldest = (self.next + MEASURED - self.len) % MEASURED;
        let stamp = |at: usize| self.ring[(oldest + at) % MEASURED].0;
        let silences = (1..self.len).map(|at| stamp(at) - stamp(at - 1));
        late.abs() <= MOST_LATE * silences.fold(0.0, f64::max)
    }

    /// What a frame tells of those before that comes `apart` from the last one, by
    /// `frames` of the count.
    fn judge(&mut self, apart: f64, frames: u64, interval: f64) {
        let due = frames as f64 * interval;
        let too_soon = apart < TOO_SOON * due;
        self.doubted = match too_soon {
            true => DOUBTED,
            false => self.doubted.saturating_sub(1),
        };
        self.since_rest = match self.since_rest {
            _ if apart > REST * due => Some((1, interval)),
            // Those that were held back come now: it did not rest, it was late.
            _ if too_soon => None,
            Some((LEAST, _)) => {
                self.len = LEAST + 1;
                None
            }
            since => since.map(|(count, interval)| (count + 1, interval)),
        };
    }

    /// Whether stamps came in bursts of late: they tell when a frame arrived, not when
    /// it was taken.
    pub fn is_bursty(&self) -> bool {
        self.doubted > 0
    }

    /// From frame to frame, as long as it has been measured.
    fn interval(&self) -> Option<f64> {
        if let Some((_, interval)) = self.since_rest {
            return Some(interval);
        }
        if self.len < LEAST {
            return None;
        }
        let oldest = self.ring[(self.next + MEASURED - self.len) % MEASURED];
        let newest = self.ring[(self.next + MEASURED - 1) % MEASURED];
        let interval = (newest.0 - oldest.0) / newest.1.saturating_sub(oldest.1).max(1) as f64;
        (interval > SHORTEST_S).then_some(interval)
    }
}
