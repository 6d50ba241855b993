//! From what the network says at each step to a text.
//!
//! Connectionist temporal classification (Graves et al. 2006): at each step the
//! network gives a probability for each character and for the blank; a text is
//! the sum of all paths that become it when repeats are merged and blanks left
//! out. Without a pattern the best path is taken, with one the best text that the
//! pattern has, by a beam over prefixes in which each prefix knows its state of
//! the automaton.

mod align;
mod alike;
mod beam;

use std::collections::HashMap;

pub(super) use align::align;
pub(super) use alike::alike;
pub(super) use beam::constrained;

use super::Characters;

/// What the classes of a network stand for: 0 is the blank.
#[derive(Debug)]
pub(super) struct Alphabet {
    characters: Vec<char>,
    classes: HashMap<char, usize>,
}

impl Alphabet {
    /// The characters of classes 1 and on; the last is the space.
    pub(super) fn new(characters: impl IntoIterator<Item = char>) -> Self {
        let characters: Vec<char> = std::iter::once('\0').chain(characters).collect();
        let classes = (1..characters.len())
            .map(|class| (characters[class], class))
            .collect();
        Self {
            characters,
            classes,
        }
    }

    /// How many classes there are, the blank included.
    pub(super) fn classes(&self) -> usize {
        self.characters.len()
    }

    pub(super) fn character(&self, class: usize) -> char {
        self.characters.get(class).copied().unwrap_or('\0')
    }

    pub(super) fn class(&self, character: char) -> Option<usize> {
        self.classes.get(&character).copied()
    }
}

/// The probabilities of all classes at all steps of a line.
#[derive(Clone, Copy)]
pub(super) struct Output<'a> {
    values: &'a [f32],
    alphabet: &'a Alphabet,
    space: usize,
}

impl<'a> Output<'a> {
    /// `values` is a row of probabilities for each step.
    pub(super) fn new(values: &'a [f32], alphabet: &'a Alphabet) -> Self {
        Self {
            values,
            alphabet,
            space: alphabet.class(' ').unwrap_or(0),
        }
    }

    pub(super) fn alphabet(&self) -> &'a Alphabet {
        self.alphabet
    }

    pub(super) fn steps(&self) -> usize {
        self.values.len() / self.alphabet.classes().max(1)
    }

    fn row(&self, step: usize) -> &'a [f32] {
        let classes = self.alphabet.classes();
        &self.values[step * classes..][..classes]
    }

    /// Nothing, or a space: spaces are told by the gaps in the picture, since the
    /// network rarely says them.
    fn blank(&self, step: usize) -> f32 {
        let row = self.row(step);
        row[0] + if self.space > 0 { row[self.space] } else { 0.0 }
    }

    /// What is said for `character` at a step; 0 if there is no such class.
    pub(super) fn at(&self, character: char, step: usize) -> f32 {
        let class = self.alphabet.class(character);
        class.map_or(0.0, |class| self.row(step)[class])
    }

    /// Most that is said for a space from the first step to before the last.
    pub(super) fn space(&self, from: usize, to: usize) -> f32 {
        if self.space == 0 {
            return 0.0;
        }
        (from..to.min(self.steps())).fold(0.0, |most, step| self.row(step)[self.space].max(most))
    }
}

/// A character that may come, with all the classes that are taken for it and how
/// much each counts.
#[derive(Clone, Debug)]
pub(super) struct Sign {
    pub(super) character: char,
    parts: Vec<(usize, f32)>,
}

impl Sign {
    /// `character`, and what looks like it among what is not `allowed` itself.
    pub(super) fn of(
        character: char,
        alphabet: &Alphabet,
        allowed: impl Fn(char) -> bool,
    ) -> Option<Self> {
        let mut parts = vec![(alphabet.class(character)?, 1.0)];
        for &(other, weight) in alike(character) {
            if !allowed(other)
                && let Some(class) = alphabet.class(other)
            {
                parts.push((class, weight));
            }
        }
        Some(Self { character, parts })
    }

    /// What is said for it at a step.
    pub(super) fn at(&self, output: Output<'_>, step: usize) -> f32 {
        let row = output.row(step);
        self.parts
            .iter()
            .map(|&(class, weight)| row[class] * weight)
            .sum()
    }
}

/// A text and how it lies over the steps.
#[derive(Clone, Debug)]
pub(super) struct Decoded {
    pub(super) signs: Vec<Sign>,
    /// With a pattern its share among the texts that fit, 0 to 1.
    pub(super) share: Option<f32>,
}

/// The best path, made of what `characters` hold. May be empty.
pub(super) fn greedy(output: Output<'_>, characters: Characters) -> Decoded {
    let alphabet = output.alphabet;
    let signs: Option<Vec<Sign>> = match characters {
        // All classes, each for itself: no list is needed.
        Characters::Full => None,
        _ => Some(
            (1..alphabet.classes())
                .map(|class| alphabet.character(class))
                .filter(|&character| character != ' ' && characters.hold(character))
                .filter_map(|c| Sign::of(c, alphabet, |other| characters.hold(other)))
                .collect(),
        ),
    };
    let mut found = Vec::new();
    let mut last = None;
    for step in 0..output.steps() {
        let mut best = (output.blank(step), None);
        match &signs {
            None => {
                let row = output.row(step);
                for (class, &value) in row.iter().enumerate().skip(1) {
                    if value > best.0 && class != output.space {
                        best = (value, Some(class));
                    }
                }
            }
            Some(signs) => {
                for (index, sign) in signs.iter().enumerate() {
                    let value = sign.at(output, step);
                    if value > best.0 {
                        best = (value, Some(index));
                    }
                }
            }
        }
        if let Some(now) = best.1
            && last != best.1
        {
            found.push(match &signs {
                Some(signs) => signs[now].clone(),
                None => Sign {
                    character: alphabet.character(now),
                    parts: vec![(now, 1.0)],
                },
            });
        }
        last = best.1;
    }
    Decoded {
        signs: found,
        share: None,
    }
}

#[cfg(test)]
mod tests;
