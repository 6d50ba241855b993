//! Spaces: the network drops most of them, the picture shows them as gaps.

use super::ink::Ink;
use super::pattern::{Automaton, State};

/// Gap between words, in heights of the letters, from which on a space is more
/// probable than not. In the fonts of the text bench gaps between letters end
/// below 0.3 and those of spaces begin at 0.35; signs that stand in a wide box of
/// their own (`.`, `1` …) are allowed for.
const GAP: f32 = 0.36;
/// How fast it becomes certain: odds (natural logarithm) for each height.
const SLOPE: f32 = 30.0;
/// What the network's own word for a space is worth, at most.
const WORD: f32 = 6.0;
/// Odds against a space at the ends, and against a second one in the same gap.
const RARE: f32 = -8.0;
/// Most spaces in one gap of a pattern.
const MOST: usize = 3;

/// Odds (natural logarithm) for a space after each character but the last.
/// `peaks` are the columns of the strip in which the characters stand, `word` is
/// how much the network itself says for each, 0 to 1.
pub(super) fn odds(ink: &Ink, text: &[char], peaks: &[usize], word: &[f32]) -> Vec<f32> {
    let height = (ink.rows.1 - ink.rows.0).max(8) as f32;
    let gaps: Vec<f32> = peaks
        .windows(2)
        .map(|pair| ink.widest_gap(pair[0], pair[1]).1 as f32 / height)
        .collect();
    let pitch = pitch(peaks);
    (0..gaps.len())
        .map(|i| {
            let by_gap = match pitch {
                // Letters of one width: a space is a place left empty.
                Some(pitch) => ((peaks[i + 1] - peaks[i]) as f32 / pitch - 1.5) * 12.0,
                None => (gaps[i] - GAP - extra(text[i]) - extra(text[i + 1])) * SLOPE,
            };
            by_gap + WORD * word.get(i).copied().unwrap_or(0.0)
        })
        .collect()
}

/// Room that a character leaves beside itself, in heights of the letters.
fn extra(character: char) -> f32 {
    match character {
        '1' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 0.08,
        'i' | 'l' | 'I' | 'j' | '-' | '(' | ')' | '/' => 0.04,
        // Full-width signs stand in one corner of a square.
        '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ffef}' => 0.5,
        '\u{2e80}'..='\u{9fff}' => 0.12,
        _ => 0.0,
    }
}

/// The distance from one character to the next where all are equally wide: every
/// distance is one, two or three times the same.
fn pitch(peaks: &[usize]) -> Option<f32> {
    if peaks.len() < 6 {
        return None;
    }
    let mut distances: Vec<f32> = peaks
        .windows(2)
        .map(|pair| (pair[1] - pair[0]) as f32)
        .collect();
    distances.sort_unstable_by(f32::total_cmp);
    let pitch = distances[distances.len() * 2 / 5].max(1.0);
    // The network's steps are 8 columns: places are known to half a step at best.
    let fits = distances.iter().all(|distance| {
        let times = (distance / pitch).round().max(1.0);
        (distance / pitch - times).abs() * pitch <= 5.5
    });
    (fits && pitch >= 12.0).then_some(pitch)
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
