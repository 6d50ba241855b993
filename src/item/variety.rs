//! How often another item with the same payload comes: next to never on a line of
//! serial numbers, all the time on one of equal labels. Learned from what was
//! decided, it tells how surprising a second item is where the first one, moved in
//! a way that nobody expected, would explain the same sight.

use std::collections::VecDeque;

/// Items that count. A line changes from one kind of label to another within a
/// shift, and the surprise grows with the logarithm only.
const KEPT: usize = 256;

/// Payloads of the last items.
#[derive(Clone, Debug)]
pub(super) struct Variety {
    /// Hash of each, and whether an earlier one of these had the same.
    last: VecDeque<(u64, bool)>,
    repeats: usize,
}

impl Default for Variety {
    fn default() -> Self {
        Self {
            last: VecDeque::with_capacity(KEPT),
            repeats: 0,
        }
    }
}

impl Variety {
    /// An item with this payload was decided.
    pub fn note(&mut self, hash: u64) {
        if self.last.len() == KEPT
            && let Some((_, repeated)) = self.last.pop_front()
        {
            self.repeats -= usize::from(repeated);
        }
        let repeats = self.last.iter().any(|(other, _)| *other == hash);
        self.repeats += usize::from(repeats);
        self.last.push_back((hash, repeats));
    }

    /// How surprising it is that the next item has the payload of one before: a
    /// negative logarithm of the probability, by Laplace's rule without the half of
    /// it that would call a first repeat surprising before anything is known.
    pub fn surprise(&self) -> f32 {
        ((self.last.len() + 1) as f32 / (self.repeats + 1) as f32).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_make_a_repeat_surprising_and_equal_labels_do_not() {
        let mut variety = Variety::default();
        assert_eq!(variety.surprise(), 0.0);
        for serial in 0..1000 {
            variety.note(serial);
        }
        assert!(variety.surprise() > 5.0);
        for _ in 0..1000 {
            variety.note(7);
        }
        assert!(variety.surprise() < 0.01, "{}", variety.surprise());
        assert_eq!(variety.last.len(), KEPT);
    }
}
