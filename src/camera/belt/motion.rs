//! How far the belt has come at a time, and when it comes to a place.
//!
//! Displacement in pixels along the belt, time in seconds since the belt's
//! start; both may be asked for in any order, so that frame N and the truth of
//! item N are functions of the plan alone.

/// A stretch of constant acceleration.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// When it begins, s.
    start: f64,
    /// When it ends, s; infinite for the last.
    end: f64,
    /// Displacement at its start, px.
    place: f64,
    /// Velocity at its start, px/s.
    velocity: f64,
    /// Acceleration, px/s².
    acceleration: f64,
}

impl Stretch {
    fn place_at(&self, time: f64) -> f64 {
        let t = time - self.start;
        self.place + self.velocity * t + 0.5 * self.acceleration * t * t
    }

    fn velocity_at(&self, time: f64) -> f64 {
        self.velocity + self.acceleration * (time - self.start)
    }

    /// When it comes to `place`, if the velocity keeps the sign of `sign` on the
    /// way: the root of the quadratic in the form that does not cancel.
    fn time_at(&self, place: f64, sign: f64) -> f64 {
        let way = place - self.place;
        let square = self.velocity * self.velocity + 2.0 * self.acceleration * way;
        let sum = self.velocity + sign * square.max(0.0).sqrt();
        let t = if sum == 0.0 { 0.0 } else { 2.0 * way / sum };
        (self.start + t).clamp(self.start, self.end)
    }
}

/// The belt's motion from its start on.
#[derive(Clone, Debug)]
pub(super) struct Motion {
    /// In order, without gaps, each of one sign of velocity; the last is endless.
    stretches: Vec<Stretch>,
}

/// One step of a motion: from one velocity to another within a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    /// Velocity at its start, px/s.
    pub from: f64,
    /// Velocity at its end, px/s.
    pub to: f64,
    /// Its length, s.
    pub lasts: f64,
}

impl Motion {
    /// `steps` one after another from time 0, then `velocity` (px/s) for ever.
    pub(super) fn new(steps: &[Step], velocity: f64) -> Self {
        let mut stretches = Vec::new();
        let (mut start, mut place) = (0.0, 0.0);
        let mut push = |from: f64, to: f64, lasts: f64| {
            if lasts <= 0.0 {
                return;
            }
            stretches.push(Stretch {
                start,
                end: start + lasts,
                place,
                velocity: from,
                acceleration: if lasts.is_finite() {
                    (to - from) / lasts
                } else {
                    0.0
                },
            });
            if lasts.is_finite() {
                start += lasts;
                place += 0.5 * (from + to) * lasts;
            }
        };
        for step in steps {
            if step.from * step.to < 0.0 {
                // Cut where the belt turns round, so that no stretch turns.
                let turn = step.lasts * step.from / (step.from - step.to);
                push(step.from, 0.0, turn);
                push(0.0, step.to, step.lasts - turn);
            } else {
                push(step.from, step.to, step.lasts);
            }
        }
        push(velocity, velocity, f64::INFINITY);
        Self { stretches }
    }

    fn stretch(&self, time: f64) -> &Stretch {
        let after = self.stretches.partition_point(|s| s.start <= time);
        &self.stretches[after.saturating_sub(1)]
    }

    /// Displacement at `time`, px.
    pub(super) fn place(&self, time: f64) -> f64 {
        self.stretch(time).place_at(time)
    }

    /// Velocity at `time`, px/s.
    pub(super) fn velocity(&self, time: f64) -> f64 {
        self.stretch(time).velocity_at(time)
    }

    /// The first time from 0 on at which the displacement lies in `low..=high`.
    pub(super) fn first_within(&self, low: f64, high: f64) -> Option<f64> {
        self.stretches.iter().find_map(|s| {
            let (from, to) = ends(s);
            if (low..=high).contains(&from) {
                Some(s.start)
            } else if from < low && to >= low {
                Some(s.time_at(low, 1.0))
            } else if from > high && to <= high {
                Some(s.time_at(high, -1.0))
            } else {
                None
            }
        })
    }

    /// The last time at which it does; infinite if it stays there.
    pub(super) fn last_within(&self, low: f64, high: f64) -> Option<f64> {
        self.stretches.iter().rev().find_map(|s| {
            let (from, to) = ends(s);
            if (low..=high).contains(&to) {
                Some(s.end)
            } else if to < low && from >= low {
                Some(s.time_at(low, -1.0))
            } else if to > high && from <= high {
                Some(s.time_at(high, 1.0))
            } else {
                None
            }
        })
    }
}

fn ends(s: &Stretch) -> (f64, f64) {
    let to = if s.end.is_finite() {
        s.place_at(s.end)
    } else if s.velocity == 0.0 {
        s.place
    } else {
        s.velocity * f64::INFINITY
    };
    (s.place, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jog() -> Motion {
        let step = |from, to, lasts| Step { from, to, lasts };
        // Runs 1 s, brakes in 1 s, stands 1 s, jogs back through a turn, goes on.
        Motion::new(
            &[
                step(100.0, 100.0, 1.0),
                step(100.0, 0.0, 1.0),
                step(0.0, 0.0, 1.0),
                step(-50.0, 50.0, 2.0),
            ],
            100.0,
        )
    }

    #[test]
    fn displacement_is_the_integral_of_velocity() {
        let motion = jog();
        let (mut sum, dt) = (0.0, 1e-4);
        for i in 0..70_000 {
            let t = f64::from(i) * dt;
            assert!(
                (motion.place(t) - sum).abs() < 0.05,
                "at {t}: {} and {sum}",
                motion.place(t)
            );
            sum += motion.velocity(t + dt / 2.0) * dt;
        }
        assert_eq!(motion.place(4.0), 125.0);
        assert_eq!(motion.place(6.0), 250.0);
    }

    #[test]
    fn first_and_last_times_within_a_stretch_of_belt() {
        let motion = jog();
        assert_eq!(motion.first_within(0.0, 5.0), Some(0.0));
        assert_eq!(motion.last_within(0.0, 5.0), Some(0.05));
        // Reached while braking, left for good after the jog.
        let first = motion.first_within(140.0, 160.0).expect("is reached");
        assert!((motion.place(first) - 140.0).abs() < 1e-9 && first < 2.0);
        let last = motion.last_within(140.0, 160.0).expect("is left");
        assert!((motion.place(last) - 160.0).abs() < 1e-9 && last > 5.0);
        assert_eq!(motion.first_within(-9.0, -1.0), None);
        let stands = Motion::new(&[], 0.0);
        assert_eq!(stands.last_within(-1.0, 1.0), Some(f64::INFINITY));
        assert_eq!(stands.first_within(1.0, 2.0), None);
    }
}
