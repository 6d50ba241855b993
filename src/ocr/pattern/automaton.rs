//! From a pattern's tree to a deterministic automaton.
//!
//! Thompson's construction, then sets of states (Rabin and Scott), both bounded.
//! States from which the end cannot be reached are taken out, so that whoever
//! walks the automaton never walks into a dead end.

use std::collections::HashMap;

use super::parse::{Node, Range};

/// Most states before sets are made of them …
const MOST_PARTS: usize = 4096;
/// … and after.
const MOST_STATES: usize = 2048;
/// No way on.
const NONE: u16 = u16::MAX;

/// A state of an automaton.
pub(crate) type State = u16;

/// A deterministic automaton over characters.
#[derive(Debug)]
pub(crate) struct Automaton {
    /// First characters of the classes that all transitions are told by; the
    /// first class begins at 0.
    bounds: Vec<char>,
    /// Where each state goes by each class.
    next: Vec<State>,
    accepting: Vec<bool>,
}

impl Automaton {
    /// Builds it; an error in words if it becomes too large. Without `spaces`, what
    /// takes a space may also be passed by without one, and none is ever taken.
    pub(super) fn compile(node: &Node, spaces: bool) -> Result<Self, &'static str> {
        let mut parts = Parts {
            spaces,
            ..Parts::default()
        };
        let start = parts.add()?;
        let end = parts.build(node, start)?;
        let bounds = parts.bounds();
        let classes = bounds.len();
        let mut sets: Vec<Vec<u16>> = vec![parts.closure(vec![start])];
        let mut known: HashMap<Vec<u16>, State> = HashMap::new();
        known.insert(sets[0].clone(), 0);
        let mut next = Vec::new();
        let mut done = 0;
        while done < sets.len() {
            let mut reached = vec![Vec::new(); classes];
            for &part in &sets[done] {
                for (ranges, to) in &parts.steps[usize::from(part)] {
                    for &(low, high) in ranges {
                        let first = bounds.partition_point(|&bound| bound < low);
                        let last = bounds.partition_point(|&bound| bound <= high);
                        for set in &mut reached[first..last] {
                            set.push(*to);
                        }
                    }
                }
            }
            for set in reached {
                if set.is_empty() {
                    next.push(NONE);
                    continue;
                }
                let set = parts.closure(set);
                let state = match known.get(&set) {
                    Some(&state) => state,
                    None => {
                        if sets.len() == MOST_STATES {
                            return Err("the pattern has too many states: make it simpler");
                        }
                        let state = sets.len() as State;
                        known.insert(set.clone(), state);
                        sets.push(set);
                        state
                    }
                };
                next.push(state);
            }
            done += 1;
        }
        let accepting = sets.iter().map(|set| set.contains(&end)).collect();
        let mut automaton = Self {
            bounds,
            next,
            accepting,
        };
        automaton.prune();
        Ok(automaton)
    }

    /// Takes out the ways to states from which the end cannot be reached.
    fn prune(&mut self) {
        let classes = self.bounds.len();
        let mut alive = self.accepting.clone();
        loop {
            let mut changed = false;
            for (state, row) in self.next.chunks_exact(classes).enumerate() {
                let reaches = row.iter().any(|&to| to != NONE && alive[usize::from(to)]);
                if reaches && !alive[state] {
                    alive[state] = true;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        for to in &mut self.next {
            if *to != NONE && !alive[usize::from(*to)] {
                *to = NONE;
            }
        }
    }

    /// Where walks begin.
    pub(crate) fn start(&self) -> State {
        0
    }

    /// Where `character` leads; `None` if the pattern cannot go on with it.
    pub(crate) fn step(&self, state: State, character: char) -> Option<State> {
        let class = self.bounds.partition_point(|&bound| bound <= character) - 1;
        let to = self.next[usize::from(state) * self.bounds.len() + class];
        (to != NONE).then_some(to)
    }

    /// May the text end here?
    pub(crate) fn accepts(&self, state: State) -> bool {
        self.accepting[usize::from(state)]
    }
}

/// The automaton before sets are made: a state is a number.
#[derive(Default)]
struct Parts {
    /// By one character out of ranges, to a state.
    steps: Vec<Vec<(Vec<Range>, u16)>>,
    /// Without a character.
    leaps: Vec<Vec<u16>>,
    spaces: bool,
}

impl Parts {
    fn add(&mut self) -> Result<u16, &'static str> {
        if self.steps.len() == MOST_PARTS {
            return Err("the pattern unfolds to too much: make its counts smaller");
        }
        self.steps.push(Vec::new());
        self.leaps.push(Vec::new());
        Ok((self.steps.len() - 1) as u16)
    }

    fn leap(&mut self, from: u16, to: u16) {
        self.leaps[usize::from(from)].push(to);
    }

    /// Adds `node` behind `from`; the state behind it.
    fn build(&mut self, node: &Node, from: u16) -> Result<u16, &'static str> {
        match node {
            Node::Class(ranges) => {
                let to = self.add()?;
                let mut ranges = ranges.clone();
                let space = |&(low, high): &Range| low <= ' ' && ' ' <= high;
                if !self.spaces && ranges.iter().any(space) {
                    self.leap(from, to);
                    ranges = ranges.iter().flat_map(without_space).collect();
                }
                self.steps[usize::from(from)].push((ranges, to));
                Ok(to)
            }
            Node::Row(row) => {
                let mut at = from;
                for node in row {
                    at = self.build(node, at)?;
                }
                Ok(at)
            }
            Node::Either(ways) => {
                let end = self.add()?;
                for way in ways {
                    let start = self.add()?;
                    self.leap(from, start);
                    let last = self.build(way, start)?;
                    self.leap(last, end);
                }
                Ok(end)
            }
            Node::Repeat(node, least, most) => {
                let mut at = from;
                for _ in 0..*least {
                    at = self.build(node, at)?;
                }
                let end = self.add()?;
                match most {
                    None => {
                        let start = self.add()?;
                        self.leap(at, start);
                        let last = self.build(node, start)?;
                        self.leap(last, start);
                        self.leap(start, end);
                    }
                    Some(most) => {
                        self.leap(at, end);
                        for _ in *least..*most {
                            let start = self.add()?;
                            self.leap(at, start);
                            at = self.build(node, start)?;
                            self.leap(at, end);
                        }
                    }
                }
                Ok(end)
            }
        }
    }

    /// Where the classes of characters begin that no step divides.
    fn bounds(&self) -> Vec<char> {
        let mut bounds = vec!['\0'];
        for (ranges, _) in self.steps.iter().flatten() {
            for &(low, high) in ranges {
                bounds.push(low);
                bounds.extend(after(high));
            }
        }
        bounds.sort_unstable();
        bounds.dedup();
        bounds
    }

    /// All states that are reached from these without a character, sorted.
    fn closure(&self, mut set: Vec<u16>) -> Vec<u16> {
        let mut seen = vec![false; self.steps.len()];
        for &state in &set {
            seen[usize::from(state)] = true;
        }
        let mut at = 0;
        while at < set.len() {
            for &to in &self.leaps[usize::from(set[at])] {
                if !std::mem::replace(&mut seen[usize::from(to)], true) {
                    set.push(to);
                }
            }
            at += 1;
        }
        set.sort_unstable();
        set.dedup();
        set
    }
}

/// The character after this one.
fn after(character: char) -> Option<char> {
    match character {
        '\u{d7ff}' => Some('\u{e000}'),
        _ => char::from_u32(character as u32 + 1),
    }
}

/// The range with its space taken out.
fn without_space(&(low, high): &Range) -> Vec<Range> {
    if !(low <= ' ' && ' ' <= high) {
        return vec![(low, high)];
    }
    let mut parts = Vec::new();
    if low < ' ' {
        parts.push((low, '\u{1f}'));
    }
    if high > ' ' {
        parts.push(('!', high));
    }
    parts
}
