//! How reading text is spread over time.

use std::time::{Duration, Instant};

/// Work between two rests. Under a CPU quota what all threads use in one of its
/// periods (often 20 ms) counts together: a line at one go leaves too little of it for
/// the frame that comes next, which then stands still until the period is over.
const SLICE: Duration = Duration::from_millis(1);

/// Work in slices, and after each a rest that is so many times as long: text leaves
/// room for what is more urgent on the same processor.
#[derive(Debug)]
pub struct Pace {
    rest: u32,
    longest: Duration,
    working_since: Instant,
    rested: Duration,
}

impl Pace {
    /// Without a rest.
    pub fn steady() -> Self {
        Self::resting(0, Duration::ZERO)
    }

    /// `rest` times as long as it worked, at most `longest` at a time.
    pub fn resting(rest: u32, longest: Duration) -> Self {
        Self {
            rest,
            longest,
            working_since: Instant::now(),
            rested: Duration::ZERO,
        }
    }

    /// Between two steps of the work: rests if a slice is over.
    pub fn step(&mut self) {
        if self.rest > 0 && self.working_since.elapsed() >= SLICE {
            self.end();
        }
    }

    /// At the end of the work: rests for what is left of it.
    pub fn end(&mut self) {
        if self.rest == 0 {
            return;
        }
        let start = Instant::now();
        let worked = start - self.working_since;
        std::thread::sleep((worked * self.rest).min(self.longest));
        self.working_since = Instant::now();
        self.rested += self.working_since - start;
    }

    /// Time rested so far.
    pub fn rested(&self) -> Duration {
        self.rested
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_slice_of_work_is_followed_by_its_rest() {
        let mut pace = Pace::resting(3, Duration::from_secs(1));
        let start = Instant::now();
        let mut worked = Duration::ZERO;
        for _ in 0..5 {
            let step = Instant::now();
            while step.elapsed() < SLICE {}
            let before = pace.rested();
            pace.step();
            assert!(pace.rested() >= before + 3 * SLICE);
            worked += SLICE;
        }
        pace.end();
        assert!(pace.rested() >= 3 * worked);
        assert!(start.elapsed() >= pace.rested() + worked);
    }

    #[test]
    fn less_than_a_slice_goes_on_and_a_steady_pace_never_rests() {
        let mut pace = Pace::resting(1000, Duration::from_millis(2));
        while pace.working_since.elapsed() < SLICE / 2 {}
        // Only a machine that stood still in between could rest here.
        let late = pace.working_since.elapsed() >= SLICE;
        pace.step();
        assert!(late || pace.rested() == Duration::ZERO);
        pace.end();
        assert!(
            pace.rested() >= Duration::from_millis(2),
            "as long as allowed"
        );
        let mut steady = Pace::steady();
        while steady.working_since.elapsed() < SLICE {}
        steady.step();
        steady.end();
        assert_eq!(steady.rested(), Duration::ZERO);
    }
}
