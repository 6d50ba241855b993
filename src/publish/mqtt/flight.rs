//! What is under way: handed to the client and not yet acknowledged, in the order
//! of sending.
//!
//! rumqttc gives packet ids in a circle as long as its limit, and stands still
//! when one is still in use. So a message may only be handed over while the oldest
//! unacknowledged one is less than that limit behind: acknowledged ones count
//! until all older ones are acknowledged too.

use std::collections::VecDeque;
use std::time::Instant;

use crate::publish::desk::Notice;
use crate::publish::message::Message;

/// Places beyond the window of events, for status, alerts and replies.
pub(super) const RESERVE: u16 = 8;

/// What a message is to us.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Subscription,
    Status,
    Discovery,
    Notice(Notice),
    Event(Message),
}

struct Entry {
    pkid: Option<u16>,
    /// Absent once it is acknowledged.
    tag: Option<Tag>,
    since: Instant,
}

/// See the module.
pub(super) struct Flight {
    entries: VecDeque<Entry>,
    limit: usize,
    events_limit: usize,
    events: usize,
}

impl Flight {
    /// For `window` events at once, if the broker takes as many.
    pub(super) fn new(window: u16, receive_max: Option<u16>) -> Self {
        let limit = window
            .saturating_add(RESERVE)
            .min(receive_max.unwrap_or(u16::MAX))
            .max(1);
        Flight {
            entries: VecDeque::new(),
            limit: usize::from(limit),
            events_limit: usize::from(window.min(limit).max(1)),
            events: 0,
        }
    }

    /// May a message of QoS 1 be handed over?
    pub(super) fn has_room(&self) -> bool {
        self.entries.len() < self.limit
    }

    /// May an event be handed over?
    pub(super) fn has_room_for_event(&self) -> bool {
        self.entries.len() < self.events_limit
    }

    /// `tag` was handed over.
    pub(super) fn hand(&mut self, tag: Tag) {
        self.events += usize::from(matches!(tag, Tag::Event(_)));
        self.entries.push_back(Entry {
            pkid: None,
            tag: Some(tag),
            since: Instant::now(),
        });
    }

    /// The oldest that has no packet id got this one.
    pub(super) fn sent(&mut self, pkid: u16) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.pkid.is_none()) {
            entry.pkid = Some(pkid);
        }
    }

    /// The broker answered for `pkid`.
    pub(super) fn done(&mut self, pkid: u16) -> Option<Tag> {
        let tag = self
            .entries
            .iter_mut()
            .find(|entry| entry.pkid == Some(pkid) && entry.tag.is_some())?
            .tag
            .take();
        self.events -= usize::from(matches!(tag, Some(Tag::Event(_))));
        while self
            .entries
            .front()
            .is_some_and(|entry| entry.tag.is_none())
        {
            self.entries.pop_front();
        }
        tag
    }

    /// Since when the oldest has waited for its answer.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.entries.front().map(|entry| entry.since)
    }

    /// How many events are under way.
    pub(super) fn events(&self) -> usize {
        self.events
    }

    /// Whether nothing is.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the event at `position` is under way.
    pub(super) fn holds(&self, position: i64) -> bool {
        self.tags()
            .any(|tag| matches!(tag, Tag::Event(message) if message.position == position))
    }

    /// The oldest event under way.
    pub(super) fn first_event(&self) -> Option<&Message> {
        self.tags().find_map(|tag| match tag {
            Tag::Event(message) => Some(message),
            _ => None,
        })
    }

    /// Whether a status message is under way.
    pub(super) fn has_status(&self) -> bool {
        self.tags().any(|tag| *tag == Tag::Status)
    }

    fn tags(&self) -> impl Iterator<Item = &Tag> {
        self.entries.iter().filter_map(|entry| entry.tag.as_ref())
    }

    /// What was not acknowledged, newest first.
    pub(super) fn into_unanswered(self) -> impl Iterator<Item = Tag> {
        self.entries.into_iter().rev().filter_map(|entry| entry.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packet_ids_never_come_round_to_one_in_use() {
        let mut flight = Flight::new(4, None);
        let limit = 4 + RESERVE;
        let mut next = 0;
        let mut hand = |flight: &mut Flight| {
            flight.hand(Tag::Status);
            next = next % limit + 1;
            flight.sent(next);
            next
        };
        let first = hand(&mut flight);
        // Everything but the first is acknowledged at once.
        while flight.has_room() {
            let pkid = hand(&mut flight);
            assert_ne!(pkid, first);
            assert_eq!(flight.done(pkid), Some(Tag::Status));
        }
        assert_eq!(flight.done(first), Some(Tag::Status));
        assert!(flight.has_room() && flight.is_empty());
        assert_eq!(flight.done(first), None, "a second answer is nothing");
    }

    #[test]
    fn a_broker_that_takes_fewer_gets_fewer() {
        let mut flight = Flight::new(32, Some(2));
        assert!(flight.has_room_for_event());
        flight.hand(Tag::Status);
        flight.hand(Tag::Status);
        assert!(!flight.has_room() && !flight.has_room_for_event());
    }
}
