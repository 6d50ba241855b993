//! Spaces: what the network says for them together with the gaps in the picture.
//!
//! Alone the network's best path drops most spaces of Chinese text, since they lose
//! against the blank, and gaps alone do not tell a space from the room beside a
//! full stop. Together they do: the odds below were fitted by logistic regression
//! to 7700 pairs of characters of the text bench (seeds of their own, five kinds of
//! fault), of which they get 5 wrong.

use super::ink::Ink;
use super::pattern::{Automaton, State};

/// Odds (natural logarithm): of themselves, for each height of the letters that
/// the gap is wide, and for the logarithm of what the network says.
const LATIN: [f32; 3] = [7.9, 13.8, 5.9];
const CHINESE: [f32; 3] = [7.9, 35.5, 2.6];
/// What the network says is never taken for less than this.
const NOTHING: f32 = 1e-4;
/// Odds of a Latin character that leaves room beside itself.
const ROOM: f32 = -6.3;
/// Odds against a space at the ends, and against a second one in the same gap.
const RARE: f32 = -8.0;
/// Most spaces in one gap of a pattern.
const MOST: usize = 3;

/// Odds (natural logarithm) for a space after each character but the last.
/// `peaks` are the columns of the strip in which the characters stand, `word` is
/// how much the network itself says for each, 0 to 1.
pub(super) fn odds(ink: &Ink, text: &[char], peaks: &[usize], word: &[f32]) -> Vec<f32> {
    let height = (ink.rows.1 - ink.rows.0).max(8) as f32;
    (0..text.len().min(peaks.len()).saturating_sub(1))
        .map(|i| {
            let gap = ink.widest_gap(peaks[i], peaks[i + 1]).1 as f32 / height;
            let said = (word.get(i).copied().unwrap_or(0.0) + NOTHING).ln();
            let pair = [text[i], text[i + 1]];
            let chinese = pair.iter().any(|&character| character >= '\u{2e80}');
            let [base, by_gap, by_word] = if chinese { CHINESE } else { LATIN };
            let roomy = pair
                .iter()
                .filter(|&&character| leaves_room(character))
                .count();
            let room = if chinese { 0.0 } else { ROOM * roomy as f32 };
            base + by_gap * gap + by_word * said + room
        })
        .collect()
}

/// Does it stand in a box that is wider than itself?
fn leaves_room(character: char) -> bool {
    "1.,:;'|!il-I()/j".contains(character)
}

/// The text with a space wherever one is more probable than not.
pub(super) fn spaced(text: &[char], odds: &[f32]) -> String {
    let mut spaced = String::new();
    for (i, &character) in text.iter().enumerate() {
        spaced.push(character);
        if odds.get(i).is_some_and(|&odds| odds > 0.0) {
            spaced.push(' ');
        }
    }
    spaced
}

/// The text with the most probable spaces of all that `whole` accepts; `None` if
/// it accepts none.
pub(super) fn fitted(text: &[char], odds: &[f32], whole: &Automaton) -> Option<String> {
    // For each place the states that can be reached, with their odds, the state
    // before and the spaces in between.
    type Reached = Vec<(State, f32, usize, usize)>;
    let with_spaces = |reached: &Reached, odds: f32| -> Reached {
        let mut all: Reached = reached
            .iter()
            .enumerate()
            .map(|(from, &(state, sum, ..))| (state, sum, from, 0))
            .collect();
        let mut at = 0;
        while at < all.len() {
            let (state, sum, from, spaces) = all[at];
            at += 1;
            if spaces == MOST {
                continue;
            }
            if let Some(to) = whole.step(state, ' ') {
                let sum = sum + if spaces == 0 { odds } else { RARE };
                match all.iter_mut().find(|known| known.0 == to) {
                    Some(known) if known.1 >= sum => {}
                    Some(known) => *known = (to, sum, from, spaces + 1),
                    None => all.push((to, sum, from, spaces + 1)),
                }
            }
        }
        all
    };
    let after = |spaced: &Reached, character: char| -> Reached {
        let mut next = Reached::new();
        for (from, &(state, sum, ..)) in spaced.iter().enumerate() {
            if let Some(to) = whole.step(state, character) {
                match next.iter_mut().find(|known| known.0 == to) {
                    Some(known) if known.1 >= sum => {}
                    Some(known) => *known = (to, sum, from, 0),
                    None => next.push((to, sum, from, 0)),
                }
            }
        }
        next
    };
    // Before each character: with the spaces in front of it, and behind it.
    let mut trail: Vec<(Reached, Reached)> = Vec::new();
    let mut reached: Reached = vec![(whole.start(), 0.0, 0, 0)];
    for (i, &character) in text.iter().enumerate() {
        let before = match i {
            0 => RARE,
            _ => odds.get(i - 1).copied().unwrap_or(RARE),
        };
        let spaced = with_spaces(&reached, before);
        reached = after(&spaced, character);
        trail.push((spaced, reached.clone()));
    }
    let last = with_spaces(&reached, RARE);
    let best = (0..last.len())
        .filter(|&at| whole.accepts(last[at].0))
        .max_by(|&a, &b| last[a].1.total_cmp(&last[b].1))?;
    let mut backwards: Vec<char> = vec![' '; last[best].3];
    let mut at = last[best].2;
    for (&character, (spaced, behind)) in text.iter().zip(&trail).rev() {
        backwards.push(character);
        let before = spaced[behind[at].2];
        backwards.extend(std::iter::repeat_n(' ', before.3));
        at = before.2;
    }
    backwards.reverse();
    Some(backwards.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocr::Pattern;
    use proptest::prelude::*;

    fn fit(text: &str, odds: &[f32], pattern: &str) -> Option<String> {
        let text: Vec<char> = text.chars().collect();
        fitted(
            &text,
            odds,
            &Pattern::parse(pattern).expect("compiles").whole,
        )
    }

    #[test]
    fn a_pattern_has_the_spaces_that_it_needs_and_may_have_others() {
        let none = [-20.0; 16];
        assert_eq!(fit("LOT12", &none, r"LOT \d+").as_deref(), Some("LOT 12"));
        assert_eq!(fit("LOT12", &none, r"LOT ?\d+").as_deref(), Some("LOT12"));
        let mut gap = none;
        gap[2] = 3.0;
        assert_eq!(fit("LOT12", &gap, r"LOT ?\d+").as_deref(), Some("LOT 12"));
        assert_eq!(fit("LOT12", &gap, r"LOT\d+"), Some("LOT12".into()));
        assert_eq!(fit("AB", &none, " A  B "), Some(" A  B ".into()));
        assert_eq!(fit("AB", &none, "A"), None);
        assert_eq!(fit("", &none, " ?"), Some(String::new()));
    }

    proptest! {
        #[test]
        fn what_comes_out_fits_and_is_the_same_without_spaces(text in "[ab]{0,6}", odds in prop::collection::vec(-3.0f32..3.0, 5)) {
            for pattern in ["[ab ]*", "(a ?|b )*", "a? ?[ab]* b"] {
                if let Some(found) = fit(&text, &odds, pattern) {
                    prop_assert!(Pattern::parse(pattern).expect("compiles").matches(&found), "{found:?}");
                    prop_assert_eq!(found.replace(' ', ""), text.as_str());
                }
            }
        }
    }
}
