//! Puts the results of several readers back into the order of their tickets.

use std::collections::VecDeque;

/// Holds results that came early. It never holds more than there are frames in
/// the pool, since each result keeps its frame.
pub(super) struct Order<T> {
    next: u64,
    waiting: VecDeque<Option<T>>,
}

impl<T> Order<T> {
    pub(super) fn new() -> Self {
        Self {
            next: 0,
            waiting: VecDeque::new(),
        }
    }

    /// Takes the result with this ticket. A ticket that was passed already is
    /// ignored.
    pub(super) fn put(&mut self, ticket: u64, result: T) {
        let Some(place) = ticket.checked_sub(self.next) else {
            return;
        };
        let place = place as usize;
        while self.waiting.len() <= place {
            self.waiting.push_back(None);
        }
        self.waiting[place] = Some(result);
    }

    /// The next result in order, if it is here.
    pub(super) fn next(&mut self) -> Option<T> {
        self.waiting.front()?.as_ref()?;
        self.next += 1;
        self.waiting.pop_front().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::Order;

    #[test]
    fn results_come_out_by_ticket() {
        let mut order = Order::new();
        let mut out = Vec::new();
        for ticket in [1, 0, 4, 2, 3, 5, 0] {
            order.put(ticket, ticket);
            while let Some(result) = order.next() {
                out.push(result);
            }
        }
        assert_eq!(out, [0, 1, 2, 3, 4, 5]);
    }
}
