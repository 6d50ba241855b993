//! A circuit breaker: a part that failed is left alone for a while, then probed
//! once, and trusted again when the probe succeeds.

use std::time::Duration;

/// Runs on the caller's clock (nanoseconds, monotonic), so that it works on
/// recorded and simulated time as well.
#[derive(Clone, Debug)]
pub(super) struct Breaker {
    state: State,
    /// Failures in a row that open it.
    threshold: u32,
    failures: u32,
    /// First rest after it has opened, and the longest one.
    rests: (Duration, Duration),
    rest: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    OpenUntil(u64),
    Probing,
}

/// First rest after a failure; it doubles with each failed probe. One bad frame
/// must not cost a second of fast belt.
const SHORTEST_REST: Duration = Duration::from_millis(250);
/// Longest rest between two probes.
const LONGEST_REST: Duration = Duration::from_secs(30);

impl Breaker {
    /// Opens at the first failure, for a short while.
    pub(super) fn new() -> Self {
        Self::opening_after(1, SHORTEST_REST, LONGEST_REST)
    }

    /// Opens after `threshold` failures in a row, first for `shortest`, with each
    /// failed probe twice as long, at most for `longest`.
    pub(super) fn opening_after(threshold: u32, shortest: Duration, longest: Duration) -> Self {
        Self {
            state: State::Closed,
            threshold,
            failures: 0,
            rests: (shortest, longest),
            rest: shortest,
        }
    }

    /// Is the part left alone, or on probation?
    pub(super) fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    /// May the part be used now? An open breaker whose rest is over lets one
    /// use through: the probe.
    pub(super) fn allows(&mut self, now_ns: u64) -> bool {
        match self.state {
            State::Closed | State::Probing => true,
            State::OpenUntil(end) if now_ns >= end => {
                self.state = State::Probing;
                true
            }
            State::OpenUntil(_) => false,
        }
    }

    /// The part worked.
    pub(super) fn succeeded(&mut self) {
        self.state = State::Closed;
        self.failures = 0;
        self.rest = self.rests.0;
    }

    /// The part failed.
    pub(super) fn failed(&mut self, now_ns: u64) {
        self.failures = self.failures.saturating_add(1);
        if self.state == State::Probing {
            self.rest = (self.rest * 2).min(self.rests.1);
        } else if self.failures < self.threshold {
            return;
        }
        self.state = State::OpenUntil(now_ns.saturating_add(self.rest.as_nanos() as u64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_on_failure_probes_after_the_rest_and_closes_on_success() {
        let rest = SHORTEST_REST.as_nanos() as u64;
        let mut breaker = Breaker::new();
        assert!(breaker.allows(0));
        breaker.failed(0);
        assert!(!breaker.allows(rest - 1));
        assert!(breaker.allows(rest), "the probe");
        breaker.failed(rest);
        assert!(!breaker.allows(2 * rest), "the rest has doubled");
        assert!(breaker.allows(3 * rest));
        breaker.succeeded();
        breaker.failed(10 * rest);
        assert!(breaker.allows(11 * rest), "and is short again");
    }

    #[test]
    fn it_may_take_several_failures_in_a_row() {
        let minute = Duration::from_secs(60);
        let mut breaker = Breaker::opening_after(3, minute, minute);
        for _ in 0..2 {
            breaker.failed(0);
            breaker.failed(0);
            assert!(breaker.allows(0) && !breaker.is_open());
            breaker.succeeded();
        }
        for _ in 0..3 {
            breaker.failed(0);
        }
        assert!(!breaker.allows(59_999_999_999) && breaker.is_open());
        assert!(breaker.allows(60_000_000_000), "the probe");
        breaker.failed(60_000_000_000);
        assert!(
            !breaker.allows(119_999_999_999),
            "one failed probe is enough"
        );
        assert!(breaker.allows(120_000_000_000));
    }

    #[test]
    fn the_rest_is_bounded() {
        let mut breaker = Breaker::new();
        let mut now = 0;
        for _ in 0..40 {
            breaker.failed(now);
            now += LONGEST_REST.as_nanos() as u64;
            assert!(breaker.allows(now));
        }
    }
}
