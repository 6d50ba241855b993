use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::ocr::Pattern;

/// Sums over all paths: what CTC means, without any cleverness.
fn brute(values: &[f32], alphabet: &Alphabet) -> HashMap<String, f64> {
    let classes = alphabet.classes();
    let steps = values.len() / classes;
    let mut texts = HashMap::new();
    for mut path in 0..classes.pow(steps as u32) {
        let (mut text, mut last, mut weight) = (String::new(), 0, 1.0);
        for step in 0..steps {
            let class = path % classes;
            path /= classes;
            weight *= f64::from(values[step * classes + class]);
            // The space counts as blank.
            let now = if alphabet.character(class) == ' ' {
                0
            } else {
                class
            };
            if now != 0 && now != last {
                text.push(alphabet.character(now));
            }
            last = now;
        }
        *texts.entry(text).or_insert(0.0) += weight;
    }
    texts
}

fn softmax(raw: &[f32], classes: usize) -> Vec<f32> {
    let mut values = raw.to_vec();
    for row in values.chunks_exact_mut(classes) {
        let sum: f32 = row.iter().sum();
        row.iter_mut().for_each(|value| *value /= sum);
    }
    values
}

proptest! {
    #[test]
    fn the_beam_and_the_alignment_agree_with_all_paths(raw in prop::collection::vec(0.01f32..1.0, 16..=16)) {
        // None of these is taken for another.
        let alphabet = Alphabet::new("ae ".chars());
        let values = softmax(&raw, 4);
        let output = Output::new(&values, &alphabet);
        let texts = brute(&values, &alphabet);
        for expression in ["[ae]*", "a+e?", "(ae|ea)", "a{2}e*", "[ae]{5}"] {
            let pattern = Pattern::parse(expression).expect("compiles");
            let fitting: Vec<(&String, &f64)> = texts.iter().filter(|(text, _)| pattern.matches(text)).collect();
            let best = fitting.iter().map(|(_, p)| **p).fold(0.0, f64::max);
            let whole: f64 = fitting.iter().map(|(_, p)| **p).sum();
            let found = constrained(output, Characters::Ascii, &pattern.spaceless);
            if fitting.is_empty() {
                prop_assert!(found.is_none());
                continue;
            }
            let found = found.expect("some text fits");
            let text: String = found.signs.iter().map(|sign| sign.character).collect();
            prop_assert!((texts[&text] - best).abs() < 1e-6, "{expression} {text}");
            prop_assert!((f64::from(found.share.expect("a pattern")) - best / whole).abs() < 1e-3);
            let aligned = align(output, &found.signs).expect("it was found");
            prop_assert!((aligned.ln.exp() - texts[&text]).abs() < 1e-6);
            prop_assert!(aligned.peaks.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }

    #[test]
    fn any_numbers_give_some_answer(values in prop::collection::vec(prop_oneof![Just(0.0f32), Just(f32::NAN), 0.0f32..1.0], 0..60)) {
        let alphabet = Alphabet::new("0O ".chars());
        let output = Output::new(&values, &alphabet);
        let pattern = Pattern::parse("[0-9]+").expect("compiles");
        let _ = constrained(output, Characters::Ascii, &pattern.spaceless);
        let greedy = greedy(output, Characters::Digits);
        let _ = align(output, &greedy.signs);
    }
}

/// One clear character a step, blanks between.
fn spoken(text: &str, alphabet: &Alphabet) -> Vec<f32> {
    let mut values = Vec::new();
    for character in text.chars() {
        for class in [alphabet.class(character).expect("known"), 0] {
            let mut row = vec![0.001; alphabet.classes()];
            row[class] = 1.0;
            values.extend(row);
        }
    }
    softmax(&values, alphabet.classes())
}

#[test]
fn a_pattern_decides_between_what_looks_alike() {
    let alphabet = Alphabet::new((0x21..0x7f).map(char::from).chain([' ']));
    for (seen, expression, meant) in [
        ("LO7I234", "LOT[0-9]{4}", "LOT1234"),
        ("2O26O1I5", r"\d{8}", "20260115"),
        ("ab0c", "[a-z]{4}", "aboc"),
        ("5O", "[A-Z][0-9]", "S0"),
        ("vxs", "[A-Z]{3}", "VXS"),
    ] {
        let pattern = Pattern::parse(expression).expect("compiles");
        let values = spoken(seen, &alphabet);
        let output = Output::new(&values, &alphabet);
        let found = constrained(output, Characters::Ascii, &pattern.spaceless).expect("fits");
        let text: String = found.signs.iter().map(|sign| sign.character).collect();
        assert_eq!(text, meant);
    }
    let values = spoken("2O26-Ol", &alphabet);
    let output = Output::new(&values, &alphabet);
    let text = |characters| -> String {
        greedy(output, characters)
            .signs
            .iter()
            .map(|sign| sign.character)
            .collect()
    };
    assert_eq!(text(Characters::Digits), "2026-01");
    assert_eq!(text(Characters::Ascii), "2O26-Ol");
}
