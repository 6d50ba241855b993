//! Where the camera puts a frame and a reader takes it: one place.
//!
//! A live camera never waits: a frame that nobody took yet makes room for the
//! newer one and is counted as dropped. A recording or a simulated belt must
//! lose nothing, so there the giver waits until the place is free.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What happens to a frame that nobody took when the next one comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The newer one takes its place.
    Newest,
    /// The giver waits.
    Wait,
}

/// A place for one value. Each value taken gets a ticket, counted from 0 without
/// gaps, so that results of several takers can be put in order again.
pub struct Slot<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    value: Option<(Instant, T)>,
    next_ticket: u64,
    closed: bool,
}

/// What came of taking.
pub enum Taken<T> {
    /// A value with its ticket, and how long it lay there.
    Value(u64, T, Duration),
    /// None came in time.
    Nothing,
    /// The slot is closed and empty.
    Closed,
}

/// What came of putting.
#[derive(Debug, PartialEq, Eq)]
pub enum Put<T> {
    /// It lies in the slot now.
    Done,
    /// It lies there; this older one had to go.
    Displaced(T),
    /// The slot stayed occupied for the whole wait (or is closed); here it is again.
    Refused(T),
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                value: None,
                next_ticket: 0,
                closed: false,
            }),
            changed: Condvar::new(),
        }
    }
}

impl<T> Slot<T> {
    /// Puts a value in. With [`Overflow::Wait`] it waits at most `patience` for
    /// the place to be free.
    pub fn put(&self, value: T, overflow: Overflow, patience: Duration) -> Put<T> {
        let mut state = self.lock();
        if overflow == Overflow::Wait {
            state = self
                .changed
                .wait_timeout_while(state, patience, |s| s.value.is_some() && !s.closed)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            if state.value.is_some() {
                return Put::Refused(value);
            }
        }
        if state.closed {
            return Put::Refused(value);
        }
        let old = state.value.replace((Instant::now(), value));
        drop(state);
        self.changed.notify_all();
        old.map_or(Put::Done, |(_, old)| Put::Displaced(old))
    }

    /// Takes the value out, waiting at most `patience` for one.
    pub fn take(&self, patience: Duration) -> Taken<T> {
        let mut state = self
            .changed
            .wait_timeout_while(self.lock(), patience, |s| s.value.is_none() && !s.closed)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        match state.value.take() {
            Some((since, value)) => {
                let ticket = state.next_ticket;
                state.next_ticket += 1;
                drop(state);
                self.changed.notify_all();
                Taken::Value(ticket, value, since.elapsed())
            }
            None if state.closed => Taken::Closed,
            None => Taken::Nothing,
        }
    }

    /// No more values: takers get what is left, then [`Taken::Closed`].
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Whole between any two statements: nothing in here can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_TIME: Duration = Duration::ZERO;

    fn taken<T>(taken: Taken<T>) -> Option<(u64, T)> {
        match taken {
            Taken::Value(ticket, value, _) => Some((ticket, value)),
            _ => None,
        }
    }

    #[test]
    fn the_newest_wins_and_the_older_is_handed_back() {
        let slot = Slot::default();
        assert_eq!(slot.put(1, Overflow::Newest, NO_TIME), Put::Done);
        assert_eq!(slot.put(2, Overflow::Newest, NO_TIME), Put::Displaced(1));
        assert_eq!(taken(slot.take(NO_TIME)), Some((0, 2)));
        assert!(matches!(slot.take(NO_TIME), Taken::Nothing));
    }

    #[test]
    fn a_waiting_giver_loses_nothing() {
        let slot = Slot::default();
        let total: u32 = std::thread::scope(|scope| {
            scope.spawn(|| {
                for value in 1..=100 {
                    let mut offer = value;
                    while let Put::Refused(again) =
                        slot.put(offer, Overflow::Wait, Duration::from_millis(5))
                    {
                        offer = again;
                    }
                }
                slot.close();
            });
            let mut sum = 0;
            let mut next = 0;
            loop {
                match slot.take(Duration::from_millis(5)) {
                    Taken::Value(ticket, value, _) => {
                        assert_eq!(ticket, next, "tickets have no gaps");
                        next += 1;
                        sum += value;
                    }
                    Taken::Nothing => {}
                    Taken::Closed => break sum,
                }
            }
        });
        assert_eq!(total, 5050);
    }

    #[test]
    fn closing_leaves_the_last_value_to_be_taken() {
        let slot = Slot::default();
        slot.put(7, Overflow::Newest, NO_TIME);
        slot.close();
        assert_eq!(slot.put(8, Overflow::Newest, NO_TIME), Put::Refused(8));
        assert_eq!(taken(slot.take(NO_TIME)), Some((0, 7)));
        assert!(matches!(slot.take(NO_TIME), Taken::Closed));
    }
}
