//! Letters that are set right by their word.
//!
//! A line scaled to one height does not say whether a round letter is a small o, a
//! capital or a zero, and the network answers each letter nearly by itself: `c00l`,
//! `0rder`, `BoX`. Among small letters such a sign is a small letter; that is
//! answered where the network itself finds it possible. Words of capitals and digits
//! are left as they are, since serial numbers are made of them, and so are words
//! with other digits and short ones that may be units (`0mm`, `kW`).

/// How much the network must say for the small letter, for each part that it says
/// for the zero …
const LEAST: f32 = 0.02;
/// … or the capital: words with a capital among small letters are no rarity.
const LEAST_CASE: f32 = 0.05;
/// Small letters that a word has at least if its first sign is to become a capital O.
const LONG: usize = 3;

/// Sets letters of `text` right. A space stands wherever `odds` are above 0;
/// `says` is how much the network says at the place of a character for another.
pub(super) fn mend(text: &mut [char], odds: &[f32], says: impl Fn(usize, char) -> f32) {
    let mut start = 0;
    for end in 1..=text.len() {
        if end == text.len() || odds.get(end - 1).is_some_and(|&odds| odds > 0.0) {
            word(&mut text[start..end], |at, c| says(start + at, c));
            start = end;
        }
    }
}

fn word(word: &mut [char], says: impl Fn(usize, char) -> f32) {
    let small = word.iter().filter(|c| c.is_ascii_lowercase()).count();
    let digits = word.iter().any(|c| matches!(c, '1'..='9'));
    if small == 0 || digits {
        return;
    }
    for at in 0..word.len() {
        let now = word[at];
        // What was set right before it counts as a small letter.
        let after_small = at > 0 && word[at - 1].is_ascii_lowercase();
        let before_small = word[at + 1..]
            .iter()
            .find(|&&c| c != '0')
            .is_some_and(char::is_ascii_lowercase);
        let likelier = |of: [char; 2]| match says(at, of[0]) >= says(at, of[1]) {
            true => of[0],
            false => of[1],
        };
        let said = says(at, now);
        match now {
            '0' if at == 0 && small >= LONG && before_small => {
                let other = likelier(['O', 'o']);
                if says(at, other) >= said * LEAST {
                    word[at] = other;
                }
            }
            '0' if at > 0
                && (after_small || before_small)
                && says(at, likelier(['o', 'O'])) >= said * LEAST =>
            {
                word[at] = 'o';
            }
            'C' | 'O' | 'P' | 'S' | 'U' | 'V' | 'W' | 'X' | 'Z' => {
                let unit = small < 2 && word[0].is_ascii_lowercase();
                let last = at + 1 == word.len();
                let other = now.to_ascii_lowercase();
                let among = after_small && (last || before_small) && !unit;
                if among && says(at, other) >= said * LEAST_CASE {
                    word[at] = other;
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `text` where the network finds everything as likely as `other` says.
    fn mended(text: &str, other: f32) -> String {
        let signs: Vec<char> = text.chars().collect();
        let mut letters: Vec<char> = signs.iter().copied().filter(|&c| c != ' ').collect();
        let mut odds = Vec::new();
        for (i, &c) in signs.iter().enumerate().skip(1) {
            if c != ' ' {
                odds.push(if signs[i - 1] == ' ' { 1.0 } else { -1.0 });
            }
        }
        let before = letters.clone();
        mend(&mut letters, &odds, |at, c| {
            if before[at] == c { 1.0 } else { other }
        });
        letters.into_iter().collect()
    }

    #[test]
    fn zeros_and_capitals_among_small_letters_are_letters() {
        for (read, meant) in [
            ("c00l", "cool"),
            ("co0l 38711", "cool38711"),
            ("0rder 0rder", "OrderOrder"),
            ("BoX of Best", "BoxofBest"),
            ("N0", "N0"),
            ("n0", "no"),
            ("St0re c0ol", "Storecool"),
        ] {
            assert_eq!(mended(read, 0.1), meant, "{read}");
        }
    }

    #[test]
    fn serial_numbers_units_and_what_the_network_rules_out_stay() {
        for text in [
            "LOT F2M0L",
            "10mm",
            "0mm",
            "0.5",
            "kW",
            "mV",
            "A0",
            "a0b1",
            "2O",
            "XO",
        ] {
            assert_eq!(mended(text, 1.0), text.replace(' ', ""), "{text}");
        }
        assert_eq!(mended("c00l", 1e-5), "c00l");
        assert_eq!(mended("LaTeX", 0.01), "LaTeX");
    }

    proptest! {
        #[test]
        fn only_zeros_and_capitals_change(text in "[a-cOo0X1 ]{0,12}", odds in prop::collection::vec(-1.0f32..1.0, 0..14), other in 0.0f32..1.0) {
            let mut letters: Vec<char> = text.chars().collect();
            mend(&mut letters, &odds, |_, _| other);
            for (before, after) in text.chars().zip(&letters) {
                prop_assert!(before == *after || matches!(before, '0' | 'O' | 'X') && "oOx".contains(*after));
            }
        }
    }
}
