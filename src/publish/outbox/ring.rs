//! The bounded queue in memory, for the time in which the disk takes nothing.
//!
//! It has an epoch and a counter of its own, for the whole run of the program.

use std::collections::VecDeque;

use super::gaps;
use crate::publish::message::{Kind, Message};
use crate::publish::notice::Gap;

/// Messages in memory, oldest first.
pub(super) struct Ring {
    pub epoch: String,
    /// Highest number given; 0 if none.
    pub seq: u64,
    messages: VecDeque<Message>,
    limit: usize,
}

impl Ring {
    /// A ring that holds at most `limit` events, and one at least.
    pub(super) fn new(limit: usize) -> Self {
        Ring {
            epoch: super::new_epoch(),
            seq: 0,
            messages: VecDeque::new(),
            limit: limit.max(1),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn cost(&self) -> u64 {
        self.messages.iter().map(Message::cost).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter()
    }

    pub(super) fn push(&mut self, message: Message) {
        self.messages.push_back(message);
    }

    pub(super) fn clear(&mut self) {
        self.messages.clear();
    }

    /// Takes the message at `position` out, if it is here.
    pub(super) fn remove(&mut self, position: i64) -> Option<Message> {
        let index = self
            .messages
            .binary_search_by_key(&position, |message| message.position)
            .ok()?;
        self.messages.remove(index)
    }

    /// Gives up the oldest events beyond the limit. Returns how many, and what must
    /// be noted; the notes that are told by those are gone already.
    pub(super) fn trim(&mut self) -> (u64, Vec<Gap>) {
        let events = self
            .messages
            .iter()
            .filter(|message| message.kind != Kind::Gap)
            .count();
        let mut surplus = events.saturating_sub(self.limit);
        if surplus == 0 {
            return (0, Vec::new());
        }
        let mut victims = Vec::with_capacity(surplus);
        self.messages.retain(|message| {
            let goes = surplus > 0 && message.kind != Kind::Gap;
            if goes {
                surplus -= 1;
                victims.push((message.epoch.clone(), message.seq));
            }
            !goes
        });
        let mut gaps = gaps::runs(
            victims.iter().map(|(epoch, seq)| (epoch.as_str(), *seq)),
            "memory_full",
        );
        let notes: Vec<Message> = self
            .messages
            .iter()
            .filter(|message| message.kind == Kind::Gap)
            .cloned()
            .collect();
        let replaced = gaps::join(&mut gaps, &notes);
        self.messages
            .retain(|message| !replaced.contains(&message.position));
        (victims.len() as u64, gaps)
    }
}
