//! The best text that a pattern has.

use std::collections::HashMap;

use super::super::Characters;
use super::super::pattern::{Automaton, State};
use super::{Decoded, Output, Sign};

/// Prefixes that are followed.
const WIDTH: usize = 24;
/// What is said with less than this at a step is not tried there …
const LEAST: f32 = 1e-4;
/// … unless the state has nothing better: so many are tried in any case.
const ALWAYS: usize = 2;
/// Where the blank is at least as sure as this, nothing begins.
const BLANK: f32 = 0.9999;

/// Where a state goes, with the character as it is seen from there.
struct Move {
    sign: Sign,
    to: State,
}

/// A prefix: its last character is a move of the state before it.
#[derive(Clone, Copy)]
struct Prefix {
    parent: u32,
    /// State before the last character, and which of its moves that was.
    by: Option<(State, u32)>,
    state: State,
}

/// Probabilities of a prefix, in units of the step's best: ending in a blank, and
/// ending in its last character.
#[derive(Clone, Copy, Default)]
struct Weight {
    blank: f64,
    last: f64,
}

impl Weight {
    fn sum(self) -> f64 {
        self.blank + self.last
    }
}

/// The most probable text that `automaton` accepts and `characters` hold; `None`
/// if no prefix that was followed is one.
pub(crate) fn constrained(
    output: Output<'_>,
    characters: Characters,
    automaton: &Automaton,
) -> Option<Decoded> {
    let candidates = candidates(output, characters);
    let mut moves: HashMap<State, Vec<Move>> = HashMap::new();
    let mut prefixes = vec![Prefix {
        parent: 0,
        by: None,
        state: automaton.start(),
    }];
    let mut children: HashMap<(u32, u32), u32> = HashMap::new();
    let mut beam: Vec<(u32, Weight)> = vec![(
        0,
        Weight {
            blank: 1.0,
            last: 0.0,
        },
    )];
    let mut next: HashMap<u32, Weight> = HashMap::new();
    for step in 0..output.steps() {
        next.clear();
        let blank = output.blank(step);
        let mut tried: HashMap<State, Vec<(u32, f32)>> = HashMap::new();
        for &(index, weight) in &beam {
            let prefix = prefixes[index as usize];
            next.entry(index).or_default().blank += weight.sum() * f64::from(blank);
            let last = prefix
                .by
                .map(|(state, at)| &moves[&state][at as usize].sign);
            let last_character = last.map(|sign| sign.character);
            if let Some(sign) = last {
                next.entry(index).or_default().last +=
                    weight.last * f64::from(sign.at(output, step));
            }
            if blank >= BLANK {
                continue;
            }
            let ways = &*moves
                .entry(prefix.state)
                .or_insert_with(|| ways(output, automaton, prefix.state, &candidates));
            let tried = tried
                .entry(prefix.state)
                .or_insert_with(|| worth_trying(output, step, ways));
            for &(at, value) in &*tried {
                let way = &ways[at as usize];
                let before = if last_character == Some(way.sign.character) {
                    weight.blank
                } else {
                    weight.sum()
                };
                if before == 0.0 {
                    continue;
                }
                let child = *children.entry((index, at)).or_insert_with(|| {
                    prefixes.push(Prefix {
                        parent: index,
                        by: Some((prefix.state, at)),
                        state: way.to,
                    });
                    (prefixes.len() - 1) as u32
                });
                next.entry(child).or_default().last += before * f64::from(value);
            }
        }
        beam.clear();
        beam.extend(next.iter().map(|(&index, &weight)| (index, weight)));
        // By weight, then by age, so that the order does not hang on the map's.
        beam.sort_unstable_by(|a, b| b.1.sum().total_cmp(&a.1.sum()).then(a.0.cmp(&b.0)));
        beam.truncate(WIDTH);
        let best = beam.first().map_or(0.0, |(_, weight)| weight.sum());
        if best <= 0.0 || !best.is_finite() {
            return None;
        }
        for (_, weight) in &mut beam {
            weight.blank /= best;
            weight.last /= best;
        }
    }
    let accepted = |index: u32| automaton.accepts(prefixes[index as usize].state);
    let whole: f64 = beam
        .iter()
        .filter(|(index, _)| accepted(*index))
        .map(|(_, weight)| weight.sum())
        .sum();
    let (mut index, weight) = *beam.iter().find(|(index, _)| accepted(*index))?;
    let mut signs = Vec::new();
    while let Some((state, at)) = prefixes[index as usize].by {
        signs.push(moves[&state][at as usize].sign.clone());
        index = prefixes[index as usize].parent;
    }
    signs.reverse();
    Some(Decoded {
        signs,
        share: Some((weight.sum() / whole) as f32),
    })
}

/// Characters that come into question at all: with a large alphabet those that
/// the network names somewhere, and ASCII.
fn candidates(output: Output<'_>, characters: Characters) -> Vec<char> {
    let alphabet = output.alphabet;
    let mut named = vec![alphabet.classes() <= 256; alphabet.classes()];
    if alphabet.classes() > 256 {
        for step in 0..output.steps() {
            for (named, &value) in named.iter_mut().zip(output.row(step)) {
                *named |= value >= LEAST;
            }
        }
    }
    (1..alphabet.classes())
        .filter(|&class| named[class] || alphabet.character(class).is_ascii())
        .map(|class| alphabet.character(class))
        .filter(|&character| character != ' ' && characters.hold(character))
        .collect()
}

/// Where `state` goes.
fn ways(output: Output<'_>, automaton: &Automaton, state: State, candidates: &[char]) -> Vec<Move> {
    let allowed = |character| automaton.step(state, character).is_some();
    candidates
        .iter()
        .filter_map(|&character| {
            Some(Move {
                to: automaton.step(state, character)?,
                sign: Sign::of(character, output.alphabet, allowed)?,
            })
        })
        .collect()
}

/// Which of the moves have something to be said for them at this step.
fn worth_trying(output: Output<'_>, step: usize, ways: &[Move]) -> Vec<(u32, f32)> {
    let mut values: Vec<(u32, f32)> = ways
        .iter()
        .enumerate()
        .map(|(at, way)| (at as u32, way.sign.at(output, step)))
        .collect();
    values.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let worth = values.partition_point(|&(_, value)| value >= LEAST);
    values.truncate(worth.max(ALWAYS));
    values
}
