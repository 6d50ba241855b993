//! How long to wait before the next attempt, and what the ends of connections
//! tell of their cause: a broker that is away, another client with our id, or one
//! event that the broker will not have.

use std::time::Duration;

use super::link::Lost;

/// First wait after a connection that worked.
const FIRST: Duration = Duration::from_millis(200);

/// Longest wait for a broker that is away.
const LONGEST: Duration = Duration::from_secs(30);

/// Wait where another client fights for our client id.
const TAKEN_OVER: Duration = Duration::from_secs(90);

/// A connection that ended sooner than this was short.
pub(super) const SHORT_LIFE: Duration = Duration::from_secs(30);

/// Short lives in a row, without a failed attempt between them, that mean that
/// another client has our id. (A broker that restarts refuses connections
/// meanwhile.)
const KICKS: u32 = 3;

/// Times that the broker may hang up on the same event.
const STRIKES: u32 = 3;

/// Waits, doubled from attempt to attempt, a random half of each taken off so that
/// a hall full of readers does not come back in step.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    kicks: u32,
}

impl Backoff {
    /// The connection works: the broker has acknowledged something.
    pub(super) fn worked(&mut self) {
        self.failures = 0;
    }

    /// A connection ended. `lived` is how long it had worked, if it did; `accused`
    /// says that an event under way may be the cause.
    pub(super) fn ended(&mut self, lost: &Lost, lived: Option<Duration>, accused: bool) {
        match (lost, lived) {
            (Lost::TakenOver, _) => self.kicks = KICKS,
            (Lost::Closed(_), Some(lived)) if lived < SHORT_LIFE && !accused => self.kicks += 1,
            _ => self.kicks = 0,
        }
        self.failures += 1;
    }

    /// Does another client fight for our id?
    pub(super) fn taken_over(&self) -> bool {
        self.kicks >= KICKS
    }

    /// How long to wait now.
    pub(super) fn wait(&self) -> Duration {
        let whole = if self.taken_over() {
            TAKEN_OVER
        } else {
            let doublings = self.failures.saturating_sub(1).min(16);
            (FIRST * 2_u32.pow(doublings)).min(LONGEST)
        };
        whole.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

/// Whether one event makes the broker hang up, as those of MQTT 3.1.1 do instead
/// of refusing it. Under suspicion an event is sent alone, on a connection that
/// has proved to work, so that nothing else can be the cause.
#[derive(Debug, Default)]
pub(super) struct Suspicion {
    /// Position of the event, and how often it was the oldest under way when the
    /// broker hung up.
    suspect: Option<(i64, u32)>,
}

impl Suspicion {
    /// Must events go one at a time?
    pub(super) fn careful(&self) -> bool {
        self.suspect.is_some()
    }

    /// The broker hung up while the event at `position` was the oldest under way.
    /// True if it is guilty.
    pub(super) fn strike(&mut self, position: i64) -> bool {
        let strikes = match self.suspect {
            Some((suspect, strikes)) if suspect == position => strikes + 1,
            _ => 1,
        };
        self.suspect = Some((position, strikes));
        strikes >= STRIKES
    }

    /// The event at `position` is settled.
    pub(super) fn settled(&mut self, position: i64) {
        if self.suspect.is_some_and(|(suspect, _)| suspect == position) {
            self.suspect = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed() -> Lost {
        Lost::Closed("end of stream".into())
    }

    #[test]
    fn waits_grow_to_a_limit_and_begin_anew() {
        let mut backoff = Backoff::default();
        let away = Lost::Other("refused".into());
        let mut longest = Duration::ZERO;
        for _ in 0..40 {
            backoff.ended(&away, None, false);
            let wait = backoff.wait();
            assert!(wait >= FIRST / 2 && wait <= LONGEST);
            longest = longest.max(wait);
        }
        assert!(longest > LONGEST / 2);
        backoff.worked();
        backoff.ended(&away, None, false);
        assert!(backoff.wait() <= FIRST);
    }

    #[test]
    fn a_broker_that_restarts_is_no_rival() {
        let mut backoff = Backoff::default();
        for _ in 0..10 {
            backoff.ended(&closed(), Some(Duration::from_secs(1)), false);
            backoff.ended(&Lost::Other("refused".into()), None, false);
        }
        assert!(!backoff.taken_over());
    }

    #[test]
    fn repeated_kicks_are_a_rival_and_a_long_life_clears_it() {
        let mut backoff = Backoff::default();
        for _ in 0..KICKS {
            assert!(!backoff.taken_over());
            backoff.worked();
            backoff.ended(&closed(), Some(Duration::from_secs(1)), false);
        }
        assert!(backoff.taken_over());
        assert!(backoff.wait() > LONGEST);
        backoff.ended(&closed(), Some(SHORT_LIFE), false);
        assert!(!backoff.taken_over());
    }

    #[test]
    fn three_strikes_on_the_same_event_and_none_on_others() {
        let mut suspicion = Suspicion::default();
        assert!(!suspicion.strike(7));
        assert!(suspicion.careful());
        suspicion.settled(7);
        assert!(!suspicion.careful());
        assert!(!suspicion.strike(8));
        assert!(!suspicion.strike(9));
        assert!(!suspicion.strike(9));
        assert!(suspicion.strike(9));
    }
}
