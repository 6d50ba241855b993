//! A circuit breaker: a part that failed is left alone for a while, then probed
//! once, and trusted again when the probe succeeds.

use std::time::Duration;

/// Runs on the caller's clock (nanoseconds, monotonic), so that it works on
/// recorded and simulated time as well.
#[derive(Clone, Debug)]
pub(super) struct Breaker {
    state: State,
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
    pub(super) fn new() -> Self {
        Self {
            state: State::Closed,
            rest: SHORTEST_REST,
        }
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
        self.rest = SHORTEST_REST;
    }

    /// The part failed.
    pub(super) fn failed(&mut self, now_ns: u64) {
        if self.state == State::Probing {
            self.rest = (self.rest * 2).min(LONGEST_REST);
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
