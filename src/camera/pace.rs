//! When a picture was taken, of which only its arrival is known.
//!
//! A camera takes its pictures at a steady pace; through a network, a pipe or a busy
//! machine they arrive in bursts. Stamped as they arrive, a belt would seem to jump,
//! and what lies on it to be several things. So the pace is measured, and each picture
//! gets the time at which it was due: never later than it arrived, and never before
//! the one in front of it.

/// Pictures of which the pace is measured: a second or two.
const WINDOW: u32 = 64;
/// What comes so much later than it was due, in nanoseconds, was taken later too: the
/// camera stood still.
const STOOD_STILL: f64 = 1e9;
/// Shares of the least lateness in a window by which the next window is shifted, and,
/// with what came early, by which the interval is corrected. With these a wrong
/// interval is right after some windows without swinging.
const SHIFT: f64 = 0.8;
const CORRECT: f64 = 0.2;

/// The pace of a stream of pictures. All times in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the last picture was due; `None` before the first one.
    last: Option<f64>,
    /// From picture to picture, once it is known.
    interval: Option<f64>,
    /// Added to each due time of this window.
    shift: f64,
    window: Window,
}

/// Some pictures in a row.
#[derive(Debug, Default)]
struct Window {
    count: u32,
    began: f64,
    /// The least by which one came after it was due.
    least_late: f64,
    /// By how much they came before they were due, all added up.
    early: f64,
}

impl Pace {
    /// When the picture that arrived at `arrived_ns` was taken.
    pub(super) fn stamp(&mut self, arrived_ns: u64) -> u64 {
        let arrived = arrived_ns as f64;
        let (Some(last), Some(interval)) = (self.last, self.interval) else {
            return self.learn(arrived_ns);
        };
        let due = last + interval + self.shift;
        let late = arrived - due;
        if late > STOOD_STILL {
            self.window = Window::default();
            self.shift = 0.0;
            self.last = Some(arrived);
            return arrived_ns;
        }
        let window = &mut self.window;
        window.least_late = match window.count {
            0 => late.max(0.0),
            _ => window.least_late.min(late.max(0.0)),
        };
        window.early += (-late).max(0.0);
        window.count += 1;
        if window.count == WINDOW {
            let count = f64::from(WINDOW);
            let slower = CORRECT * (window.least_late - window.early) / count;
            self.shift = SHIFT * window.least_late / count;
            self.interval = Some((interval + slower).max(0.0));
            self.window = Window::default();
        }
        let stamp = due.min(arrived).max(last);
        self.last = Some(stamp);
        (stamp as u64).min(arrived_ns)
    }

    /// As it arrives, while the interval is not known.
    fn learn(&mut self, arrived_ns: u64) -> u64 {
        let arrived = arrived_ns as f64;
        let window = &mut self.window;
        // The first ones may have waited together while the stream began.
        match self.last {
            Some(last) if arrived - last < STOOD_STILL => window.count += 1,
            _ => {
                *window = Window {
                    began: arrived,
                    ..Window::default()
                };
            }
        }
        if window.count == WINDOW {
            self.interval = Some((arrived - window.began) / f64::from(WINDOW));
            self.window = Window::default();
        }
        self.last = Some(arrived);
        arrived_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: f64 = 1e6;

    /// Stamps of pictures that were taken every `interval` ms and arrived as much
    /// later as `delay` says of each.
    fn stamps(count: usize, interval: f64, mut delay: impl FnMut(usize) -> f64) -> Vec<(f64, f64)> {
        let mut pace = Pace::default();
        let mut before = 0.0f64;
        (0..count)
            .map(|at| {
                let taken = 1000.0 + at as f64 * interval;
                // Nothing overtakes.
                before = before.max(taken + delay(at));
                let stamp = pace.stamp((before * MS) as u64) as f64 / MS;
                assert!(stamp <= before + 1e-3, "{at}: {stamp} after {before}");
                (taken, stamp)
            })
            .collect()
    }

    /// The most that steps from stamp to stamp differ from the interval.
    fn unsteady(stamps: &[(f64, f64)], interval: f64) -> f64 {
        let steps = stamps.windows(2).map(|two| two[1].1 - two[0].1);
        steps.fold(0.0, |most, step| f64::max(most, (step - interval).abs()))
    }

    #[test]
    fn what_comes_steadily_is_stamped_as_it_comes() {
        for (taken, stamp) in stamps(500, 40.0, |_| 5.0) {
            assert!((stamp - taken - 5.0).abs() < 0.1, "{taken}: {stamp}");
        }
    }

    #[test]
    fn bursts_are_spread_over_the_time_they_took() {
        // A machine that looks every 400 ms, and one that is late by chance.
        let burst = |at: usize| 400.0 - (at as f64 * 40.0) % 400.0;
        let all = stamps(1500, 40.0, burst);
        assert!(
            unsteady(&all[300..], 40.0) < 4.0,
            "{}",
            unsteady(&all[300..], 40.0)
        );
        let mut random = fastrand::Rng::with_seed(3);
        let all = stamps(1500, 40.0, |_| 60.0 * random.f64().powi(4));
        assert!(
            unsteady(&all[300..], 40.0) < 2.0,
            "{}",
            unsteady(&all[300..], 40.0)
        );
    }

    #[test]
    fn a_pace_that_changes_is_followed() {
        let mut pace = Pace::default();
        let (mut now, mut lag) = (0.0f64, 0.0);
        for at in 0..6000 {
            now += if at < 2000 {
                40.0
            } else if at < 4000 {
                44.0
            } else {
                30.0
            };
            lag = now - pace.stamp((now * MS) as u64) as f64 / MS;
            if at % 2000 > 1000 {
                assert!(lag.abs() < 25.0, "{at}: {lag}");
            }
        }
        assert!(lag.abs() < 25.0, "{lag}");
    }

    #[test]
    fn a_camera_that_stood_still_is_not_late() {
        let mut pace = Pace::default();
        (0..200).for_each(|at| {
            pace.stamp((at as f64 * 40.0 * MS) as u64);
        });
        for at in 0..20 {
            let arrived = ((20_000.0 + at as f64 * 40.0) * MS) as u64;
            assert!(arrived.abs_diff(pace.stamp(arrived)) < 1_000_000);
        }
    }

    #[test]
    fn stamps_never_run_backwards_whatever_arrives() {
        let mut random = fastrand::Rng::with_seed(9);
        for _ in 0..50 {
            let mut pace = Pace::default();
            let (mut arrived, mut last) = (random.u64(..1 << 40), 0);
            for _ in 0..1000 {
                arrived += random
                    .choice([0, 1, 1000, 40_000_000, 3_000_000_000])
                    .expect("some");
                let stamp = pace.stamp(arrived);
                assert!(
                    stamp >= last && stamp <= arrived,
                    "{last} {stamp} {arrived}"
                );
                last = stamp;
            }
        }
    }
}
