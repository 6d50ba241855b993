//! How the belt moves, as far as the codes on it tell.
//!
//! An odometer in pixels: codes that are seen again say how far the belt went,
//! and it is advanced by such evidence only. What happened since the last
//! evidence is a question, and [`Motion::surprise`] says how surprising each
//! answer would be: that the belt went on as it did, stood still, stopped
//! part of the way, or ran back. Nothing here knows of texts or tracks.

use crate::config::ItemPlan;
use crate::geometry::Point;

/// Rate at which belts stop, start or turn, a second: one change in fifty seconds.
/// Only the order of magnitude counts: it is weighed against a code that
/// was missed in a frame, which happens every second.
const CHANGES_PER_S: f64 = 0.02;
/// More surprising than a view full of new codes.
const NOBODY_KNOWS: f32 = 1000.0;
/// Evidence that agrees beyond this adds nothing.
const MOST_TRUST: f32 = 10.0;
/// Noise of a code's place between two frames, in pixels.
pub(super) const JITTER_PX: f32 = 2.0;

/// The odometer.
#[derive(Clone, Debug)]
pub(super) struct Motion {
    /// How far the belt has gone, at the last evidence.
    pub place: Point,
    /// Time of the last evidence, in seconds on the tracker's clock; minus
    /// infinity before the first.
    pub at: f64,
    /// Velocity in pixels a second; `None` before there was any evidence.
    pub velocity: Option<Point>,
    /// Whether there were no frames for a while since the last evidence.
    pub gap: bool,
    /// Evidence in a row that agreed, up to [`MOST_TRUST`].
    trust: f32,
    /// Velocity at which it usually runs, or what the plan says.
    running: Option<Point>,
    /// Velocity from the plan.
    planned: Option<Point>,
    /// Direction of travel from the plan, a unit vector.
    direction: Option<Point>,
    /// Longest way through the picture.
    view: f32,
}

impl Motion {
    pub fn new(plan: &ItemPlan) -> Self {
        let mut motion = Self {
            place: Point::default(),
            at: f64::NEG_INFINITY,
            velocity: None,
            gap: false,
            trust: 0.0,
            running: None,
            planned: None,
            direction: None,
            view: 0.0,
        };
        motion.configure(plan);
        motion
    }

    /// Takes what another plan says of the belt; keeps what was measured.
    pub fn configure(&mut self, plan: &ItemPlan) {
        self.planned = plan.belt_px_s.map(|(x, y)| Point::new(x, y));
        self.direction = plan
            .direction_rad
            .map(|angle| Point::new(angle.cos(), angle.sin()))
            .or_else(|| self.planned.and_then(unit));
        self.running = self.running.or(self.planned);
        self.view = Point::new(plan.width as f32, plan.height as f32).length();
    }

    /// What was known of the velocity before a restart: no evidence, but the
    /// best first guess.
    pub fn recall(&mut self, velocity: Point) {
        if self.velocity.is_none() && velocity.length() > 1.0 {
            self.running = Some(velocity);
        }
    }

    /// The velocity to go on with: measured, else planned.
    pub fn expected(&self) -> Option<Point> {
        self.velocity.or(self.planned)
    }

    /// The velocity if it is worth believing: proved, or planned.
    pub fn believed(&self) -> Option<Point> {
        self.velocity.filter(|_| self.is_known()).or(self.planned)
    }

    /// Direction of travel as a unit vector: planned, else as it last ran.
    pub fn heading(&self) -> Option<Point> {
        self.direction.or_else(|| self.running.and_then(unit))
    }

    /// What the odometer shows at `now`, as far as is known.
    pub fn reading(&self, now: f64) -> Point {
        let rest = if self.at.is_finite() {
            (now - self.at).max(0.0) as f32
        } else {
            0.0
        };
        self.place + self.expected().unwrap_or_default() * rest
    }

    /// The belt's way from `place` at `at` until `now`: measured up to the
    /// last evidence, then at the expected velocity.
    pub fn since(&self, place: Point, at: f64, now: f64) -> Point {
        let rest = (now - self.at.max(at)).max(0.0) as f32;
        self.measured(place, at) + self.expected().unwrap_or_default() * rest
    }

    /// The part of that way up to the last evidence.
    pub fn measured(&self, place: Point, at: f64) -> Point {
        if at <= self.at {
            self.place - place
        } else {
            Point::default()
        }
    }

    /// Time without evidence until `now`, in seconds; for a code that was seen
    /// at `seen`, only what lies after it.
    pub fn unknown_time(&self, seen: f64, now: f64) -> f64 {
        (now - self.at.max(seen)).max(1e-6)
    }

    /// Farthest from the expected place that the belt can have carried a code in
    /// `time` seconds: from full speed back to full speed forth. Infinite as
    /// long as its speed is not known well.
    pub fn reach(&self, time: f64) -> f32 {
        match self.running {
            Some(running) if self.is_known() => 2.7 * running.length() * time as f32,
            _ => f32::INFINITY,
        }
    }

    /// Evidence: the odometer shows `place` now, and of late the belt went at
    /// the mean velocity `mean`. `interval` is the time between two frames.
    pub fn evidence(&mut self, place: Point, mean: Point, now: f64, interval: f64) {
        let time = now - self.at;
        self.place = place;
        self.at = now;
        self.gap = false;
        let velocity = match self.velocity {
            None => mean,
            Some(old) => {
                // Within the jitter the velocity is smoothed; beyond it the
                // belt has changed its speed and the smoothing must not lag.
                let off = ((mean - old) * (time.min(interval * 4.0) as f32)).length();
                let agrees = off <= 2.0 * JITTER_PX;
                self.trust = if agrees {
                    (self.trust + 1.0).min(MOST_TRUST)
                } else {
                    self.trust * 0.8
                };
                let share = if agrees { 0.25 } else { 0.8 };
                old + (mean - old) * share
            }
        };
        self.velocity = Some(velocity);
        if self.is_known() && velocity.length() * interval as f32 > 1.5 {
            // How fast it usually runs, and which way: neither a slow start
            // nor a jog changes that at once.
            self.running = Some(match self.running {
                Some(usual) if velocity.length() <= 1.2 * usual.length() => {
                    let share = if velocity.length() > 0.8 * usual.length() {
                        0.1
                    } else {
                        0.01
                    };
                    usual + (velocity - usual) * share
                }
                _ => velocity,
            });
        }
    }

    /// How surprising (negative logarithm of the odds) it is that the belt went
    /// at the mean velocity `mean` for `time` seconds since the last evidence.
    pub fn surprise(&self, mean: Point, time: f64) -> f32 {
        let way = mean * time as f32;
        let Some(velocity) = self.velocity else {
            return self.first_surprise(mean, time);
        };
        let expected = velocity * time as f32;
        if self.gap {
            // A row of equal labels fits many ways; only two are believed.
            let off = (way - expected).length() / (3.0 + 0.05 * expected.length());
            let as_before = if off < 3.0 {
                0.5 * off * off
            } else {
                NOBODY_KNOWS
            };
            return as_before.min(self.change(mean, time, true));
        }
        let spread = 3.0 + 0.15 * expected.length();
        let off = (way - expected).length() / spread;
        let as_before = 0.5 * off * off;
        // A velocity that few sights have told of may be wrong altogether.
        let doubt = 2.0 + 2.0 * self.trust + self.first_surprise(mean, time);
        as_before.min(self.change(mean, time, false)).min(doubt)
    }

    /// Has the velocity proved itself for a few frames?
    pub fn is_known(&self) -> bool {
        self.trust >= 3.0
    }

    /// A frame could not be explained well: what is believed is less sure.
    pub fn puzzle(&mut self) {
        self.trust = (self.trust - 1.0).max(0.0);
    }

    /// What is believed was needed to explain a frame that does not speak for it: it
    /// has to prove itself anew.
    pub fn doubt(&mut self) {
        self.trust = 0.0;
    }

    /// How surprising a change of speed is that leads to the mean velocity
    /// `mean` over `time` seconds. After a gap without frames a belt may stand
    /// where it stood; of anything in between nobody can tell.
    pub fn change(&self, mean: Point, time: f64, gap: bool) -> f32 {
        let way = mean * time as f32;
        if gap {
            let stands = way.length() < 3.0 * JITTER_PX;
            return if stands { 2.0 } else { NOBODY_KNOWS };
        }
        let rare = -(CHANGES_PER_S * time + 5e-4).min(0.5).ln() as f32;
        let Some(running) = self.running else {
            return rare + (1.0 + way.length() / 20.0).ln() + 1.0;
        };
        let full = running * time as f32;
        let spread = (1.0 + full.length().min(self.view) / 20.0).ln();
        let share = way.dot(full) / full.dot(full).max(1e-3);
        let aside = (way - full * share).length();
        let mut surprise = rare + spread;
        if aside > 4.0 + 0.15 * way.length() {
            surprise += 4.0;
        }
        // From speed to speed in the other direction without a stop between.
        let velocity = self.velocity.unwrap_or_default();
        if way.dot(velocity) < 0.0 && velocity.length() > 0.3 * running.length() {
            surprise += 8.0;
        }
        // Much faster than ever seen is no belt.
        let excess = share.abs().max(1.2) / 1.2;
        surprise + 8.0 * excess.ln() * excess.ln().max(1.0) + if share < -0.02 { 2.0 } else { 0.0 }
    }

    /// The same before the first evidence: by the plan, by the velocity before
    /// a restart, by the direction, or simply the less way the better.
    fn first_surprise(&self, mean: Point, time: f64) -> f32 {
        let way = mean * time as f32;
        let small = 2.0 * way.length() / self.view.max(1.0);
        if let Some(running) = self.running {
            let full = running * time as f32;
            let off = (way - full).length() / (3.0 + 0.15 * full.length());
            let share = way.dot(full) / full.dot(full).max(1e-3);
            let aside = (way - full * share).length() > 4.0 + 0.15 * way.length();
            let other = match share {
                _ if way.length() < 2.0 * JITTER_PX => 1.0,
                _ if aside => 7.0,
                s if s < 0.0 => 5.0,
                s if s <= 1.3 => 2.0,
                _ => 5.0,
            };
            return (0.5 * off * off).min(other);
        }
        match self.direction {
            _ if way.length() < 2.0 * JITTER_PX => small,
            Some(direction) => {
                let along = way.dot(direction) / way.length();
                small
                    + if along > 0.9 {
                        0.0
                    } else if along < -0.9 {
                        3.0
                    } else {
                        6.0
                    }
            }
            None => small,
        }
    }
}

/// The direction of `v`; `None` for a vector of next to no length.
pub(super) fn unit(v: Point) -> Option<Point> {
    let length = v.length();
    (length > 1e-3).then(|| v * (1.0 / length))
}
