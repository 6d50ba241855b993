//! Holds what a subscriber received against what was on the belt.
//!
//! Pure: items and events go in as plain values with their times, findings and
//! counts come out. Events are matched to items by text and count: a text that is
//! on the belt twice may be published twice.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// How long after an item has left the view its event may still be under way.
const GRACE_NS: u64 = 3_000_000_000;
/// How long an item that has left is remembered, to notice that it is published
/// again.
const MEMORY_NS: u64 = 600_000_000_000;
/// Ids of events remembered, to know a resend from a second event.
const MAX_IDS: usize = 10_000;

/// An item that comes, as the belt's truth has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub index: u64,
    pub text: String,
    /// When it is in view for the first time, ns.
    pub entered_ns: u64,
    /// When it has left; `None`: it stays.
    pub left_ns: Option<u64>,
    /// What is printed on it is not what its code says.
    pub misprint: bool,
}

/// What the rules made of the print on an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Print {
    /// It says what the code says.
    Right,
    /// It says something else.
    Wrong,
    /// It was not read.
    Unread,
}

/// How often the rules were right about print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Prints {
    /// Items printed wrong that the rules found.
    pub found: u64,
    /// Items printed wrong that passed.
    pub passed: u64,
    /// Items printed right that the rules called wrong.
    pub accused: u64,
    /// Items printed right that passed.
    pub right: u64,
    /// Items of which print was not read in time.
    pub unread: u64,
}

impl Prints {
    /// An item that is a `misprint` or not was called this.
    pub(super) fn count(&mut self, misprint: bool, called: Print) {
        *match (called, misprint) {
            (Print::Unread, _) => &mut self.unread,
            (Print::Wrong, true) => &mut self.found,
            (Print::Right, true) => &mut self.passed,
            (Print::Wrong, false) => &mut self.accused,
            (Print::Right, false) => &mut self.right,
        } += 1;
    }
}

/// What an event turns out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// The item's first event.
    Read { index: u64, misprint: bool },
    /// A byte-identical resend: at least once is what MQTT promises.
    Resent,
    /// Another event for an item that had one.
    Twice { text: String },
    /// No such text on the belt.
    Wrong { text: String },
}

/// The count so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Items that have been in view.
    pub seen: u64,
    /// Items published with their text.
    pub read: u64,
    /// Items that have left without an event.
    pub missed: u64,
    /// Events beyond an item's first.
    pub twice: u64,
    /// Events with a text that is not on the belt.
    pub wrong: u64,
    /// Resends of an event.
    pub resent: u64,
}

impl Tally {
    /// A daemon that works publishes nothing twice, nothing wrong, and something.
    pub(super) fn good(&self) -> bool {
        self.twice == 0 && self.wrong == 0 && (self.read > 0 || self.missed == 0)
    }
}

#[derive(Debug)]
struct Known {
    item: Expected,
    seen: bool,
    read: bool,
    missed: bool,
}

/// Keeps the count.
#[derive(Debug, Default)]
pub(super) struct Judge {
    /// By the order in which they were told.
    known: BTreeMap<u64, Known>,
    told: u64,
    by_text: HashMap<String, Vec<u64>>,
    ids: HashSet<String>,
    id_order: VecDeque<String>,
    tally: Tally,
}

impl Judge {
    /// An item is about to come. To be called well before it does.
    pub(super) fn expect(&mut self, item: Expected) {
        let number = self.told;
        self.told += 1;
        self.by_text
            .entry(item.text.clone())
            .or_default()
            .push(number);
        self.known.insert(
            number,
            Known {
                item,
                seen: false,
                read: false,
                missed: false,
            },
        );
    }

    /// An event with this id has been received, with these texts (`None`: a
    /// payload that is no text).
    pub(super) fn received(&mut self, id: &str, texts: &[Option<&str>]) -> Vec<Finding> {
        if self.ids.contains(id) {
            self.tally.resent += 1;
            return vec![Finding::Resent];
        }
        self.ids.insert(id.into());
        self.id_order.push_back(id.into());
        if self.id_order.len() > MAX_IDS
            && let Some(oldest) = self.id_order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        let mut findings: Vec<_> = texts.iter().map(|text| self.match_up(*text)).collect();
        if findings.is_empty() {
            // An event without a code says something about nothing.
            self.tally.wrong += 1;
            findings.push(Finding::Wrong { text: "".into() });
        }
        findings
    }

    fn match_up(&mut self, text: Option<&str>) -> Finding {
        let numbers = text.and_then(|text| self.by_text.get(text));
        let (Some(text), Some(numbers)) = (text, numbers) else {
            self.tally.wrong += 1;
            return Finding::Wrong {
                text: text.unwrap_or("(no text)").into(),
            };
        };
        for number in numbers {
            if let Some(known) = self.known.get_mut(number)
                && !known.read
            {
                known.read = true;
                self.tally.read += 1;
                if known.missed {
                    known.missed = false;
                    self.tally.missed -= 1;
                }
                return Finding::Read {
                    index: known.item.index,
                    misprint: known.item.misprint,
                };
            }
        }
        self.tally.twice += 1;
        Finding::Twice { text: text.into() }
    }

    /// It is now `now_ns`: which items have newly been missed?
    pub(super) fn advance(&mut self, now_ns: u64) -> Vec<Expected> {
        let mut missed = Vec::new();
        let mut forgotten = Vec::new();
        for (&number, known) in &mut self.known {
            if !known.seen && known.item.entered_ns <= now_ns {
                known.seen = true;
                self.tally.seen += 1;
            }
            let Some(left) = known.item.left_ns else {
                continue;
            };
            if !known.read && !known.missed && left.saturating_add(GRACE_NS) <= now_ns {
                known.missed = true;
                self.tally.missed += 1;
                missed.push(known.item.clone());
            }
            if left.saturating_add(MEMORY_NS) <= now_ns {
                forgotten.push(number);
            }
        }
        for number in forgotten {
            if let Some(known) = self.known.remove(&number)
                && let Some(numbers) = self.by_text.get_mut(&known.item.text)
            {
                numbers.retain(|&n| n != number);
                if numbers.is_empty() {
                    self.by_text.remove(&known.item.text);
                }
            }
        }
        missed
    }

    /// It ended at `now_ns`, and no event is under way any more: items that had
    /// left by then without one are missed, whatever the time of grace.
    pub(super) fn close(&mut self, now_ns: u64) -> Vec<Expected> {
        self.advance(now_ns);
        let mut missed = Vec::new();
        for known in self.known.values_mut() {
            let left = known.item.left_ns.is_some_and(|left| left <= now_ns);
            if left && !known.read && !known.missed {
                known.missed = true;
                self.tally.missed += 1;
                missed.push(known.item.clone());
            }
        }
        missed
    }

    /// The count so far.
    pub(super) fn tally(&self) -> Tally {
        self.tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn judge(texts: &[&str]) -> Judge {
        let mut judge = Judge::default();
        for (index, text) in (0..).zip(texts) {
            judge.expect(Expected {
                index,
                text: (*text).into(),
                entered_ns: (10 + index) * S,
                left_ns: Some((12 + index) * S),
                misprint: index == 1,
            });
        }
        judge
    }

    #[test]
    fn items_are_seen_read_and_missed_in_their_time() {
        let mut judge = judge(&["A", "B", "C"]);
        assert_eq!(judge.advance(9 * S), []);
        assert_eq!(judge.tally(), Tally::default());
        assert_eq!(
            judge.received("r-1", &[Some("A")]),
            [Finding::Read {
                index: 0,
                misprint: false
            }]
        );
        // B has left at 13 s and has its time of grace.
        assert_eq!(judge.advance(15 * S), []);
        let missed = judge.advance(16 * S);
        assert_eq!(missed.len(), 1);
        assert_eq!(missed[0].text, "B");
        assert_eq!(judge.advance(16 * S), [], "told once");
        let tally = judge.tally();
        assert_eq!((tally.seen, tally.read, tally.missed), (3, 1, 1));
        // Better late than never.
        judge.received("r-2", &[Some("B")]);
        let tally = judge.tally();
        assert_eq!((tally.seen, tally.read, tally.missed), (3, 2, 0));
        assert!(tally.good());
    }

    #[test]
    fn a_resend_is_fine_and_a_second_event_is_not() {
        let mut judge = judge(&["A"]);
        judge.received("r-1", &[Some("A")]);
        assert_eq!(judge.received("r-1", &[Some("A")]), [Finding::Resent]);
        assert!(judge.tally().good());
        assert_eq!(
            judge.received("r-2", &[Some("A")]),
            [Finding::Twice { text: "A".into() }]
        );
        assert!(!judge.tally().good());
    }

    #[test]
    fn a_text_that_is_on_the_belt_twice_may_come_twice_but_not_thrice() {
        let mut judge = judge(&["A", "A"]);
        judge.received("r-1", &[Some("A")]);
        assert_eq!(
            judge.received("r-2", &[Some("A")]),
            [Finding::Read {
                index: 1,
                misprint: true
            }]
        );
        assert!(judge.tally().good());
        judge.received("r-3", &[Some("A")]);
        assert_eq!(judge.tally().twice, 1);
    }

    #[test]
    fn a_wrong_text_no_text_and_no_code_are_all_wrong() {
        let mut judge = judge(&["A"]);
        judge.received("r-1", &[Some("a")]);
        judge.received("r-2", &[None]);
        judge.received("r-3", &[]);
        assert_eq!(judge.tally().wrong, 3);
        assert!(!judge.tally().good());
    }

    #[test]
    fn at_the_end_what_has_left_unread_is_missed_and_nothing_read_is_no_success() {
        let mut judge = judge(&["A", "B"]);
        let missed = judge.close(12 * S + 1);
        assert_eq!(missed.len(), 1);
        let tally = judge.tally();
        assert_eq!((tally.seen, tally.missed), (2, 1));
        assert!(!tally.good(), "nothing was read");
    }

    #[test]
    fn print_is_held_against_the_truth() {
        let mut prints = Prints::default();
        for (misprint, called) in [
            (true, Print::Wrong),
            (true, Print::Right),
            (false, Print::Wrong),
            (false, Print::Right),
            (false, Print::Right),
            (true, Print::Unread),
        ] {
            prints.count(misprint, called);
        }
        let expected = Prints {
            found: 1,
            passed: 1,
            accused: 1,
            right: 2,
            unread: 1,
        };
        assert_eq!(prints, expected);
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut judge = Judge::default();
        for index in 0..2_000 {
            judge.expect(Expected {
                index,
                text: format!("T{index}"),
                entered_ns: index * S,
                left_ns: Some((index + 1) * S),
                misprint: false,
            });
            judge.advance(index * S);
        }
        assert!(judge.known.len() < 700 && judge.by_text.len() < 700);
        for index in 0..20_000 {
            judge.received(&format!("r-{index}"), &[None]);
        }
        assert!(judge.ids.len() <= MAX_IDS && judge.id_order.len() <= MAX_IDS);
    }
}
