//! What one frame may cost: a time, or a count of work.
//!
//! Time decides on a belt. A count of work gives the same result for the same
//! frame on every machine, which is what a test needs; both are spent by the same
//! calls, so that they end the same loops.

use std::time::{Duration, Instant};

/// When the time of a frame is over, if it ever is. For what is within one unit of
/// work: a count of units does not end there, so that it gives the same everywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// Is it over?
    pub fn is_over(self) -> bool {
        #[cfg(test)]
        if let Some(is_over) = looks::one_more() {
            return is_over;
        }
        self.0.is_some_and(|until| Instant::now() >= until)
    }
}

/// What is left for a frame. A unit of work is about what touching one pixel
/// once costs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Budget {
    until: Option<Instant>,
    most: Option<u64>,
    spent: u64,
}

impl Budget {
    /// A frame's budget from now on; `None` bounds nothing.
    pub fn new(deadline: Option<Duration>, units: Option<u64>) -> Self {
        Self {
            until: deadline.map(|deadline| Instant::now() + deadline),
            most: units,
            spent: 0,
        }
    }

    /// When the frame's time is over.
    pub fn deadline(&self) -> Deadline {
        Deadline(self.until)
    }

    /// Notes work that was done.
    pub fn spend(&mut self, units: usize) {
        self.spent = self.spent.saturating_add(units as u64);
    }

    /// Work that was done so far.
    pub fn spent(&self) -> u64 {
        self.spent
    }

    /// Is it time to stop? To be asked about every tenth of a millisecond.
    pub fn is_spent(&self) -> bool {
        self.most.is_some_and(|most| self.spent >= most) || self.deadline().is_over()
    }

    /// May something that costs about `units` still be begun? Time cannot tell,
    /// work can.
    pub fn allows(&self, units: usize) -> bool {
        !self.is_spent()
            && self
                .most
                .is_none_or(|most| self.spent.saturating_add(units as u64) <= most)
    }
}

/// In tests a frame's time may be over at any look at the clock, and again at the same.
#[cfg(test)]
pub(crate) mod looks {
    use std::cell::Cell;

    thread_local! {
        /// Looks at the clock until now, and how many there may be.
        static LOOKS: Cell<Option<(u64, u64)>> = const { Cell::new(None) };
    }

    /// What `work` gives if time is over at its `most`th look at the clock, and how
    /// often it looked.
    pub fn ending_at<T>(most: u64, work: impl FnOnce() -> T) -> (T, u64) {
        LOOKS.set(Some((0, most)));
        let result = work();
        let (looks, _) = LOOKS.take().expect("is set");
        (result, looks)
    }

    /// One more look: is the time over? `None` where nobody counts.
    pub fn one_more() -> Option<bool> {
        let (looks, most) = LOOKS.get()?;
        LOOKS.set(Some((looks + 1, most)));
        Some(looks + 1 >= most)
    }
}
