//! Which elements must, and which must not, stand on the same item (General
//! Specifications, 4.13 and 4.14).

use super::super::Gs1Elements;
use super::{Gs1Error, ai};

/// Checks that every element has those that it needs beside it and none that it
/// excludes. `elements` should be all those of the item, from whichever code.
pub fn check_associations(elements: &Gs1Elements) -> Result<(), Gs1Error> {
    for ai in elements.keys() {
        let Some(rules) = ai::rules(ai) else {
            return Err(Gs1Error::UnknownAi(ai.clone()));
        };
        for line in rules.needs {
            let there = line.split(' ').any(|group| {
                group
                    .split('+')
                    .all(|pattern| elements.keys().any(|other| matches(pattern, other)))
            });
            if !there {
                return Err(Gs1Error::Missing {
                    ai: ai.clone(),
                    needs: line,
                });
            }
        }
        let own_stem = rules.excludes_own_stem(ai);
        let excluded = elements.keys().find(|other| {
            *other != ai
                && (rules
                    .excludes
                    .split(' ')
                    .any(|pattern| matches(pattern, other))
                    || own_stem
                        .is_some_and(|stem| other.len() == ai.len() && other.starts_with(stem)))
        });
        if let Some(other) = excluded {
            return Err(Gs1Error::Exclusive {
                ai: ai.clone(),
                other: other.clone(),
            });
        }
    }
    Ok(())
}

/// Is `ai` of this pattern, in which `n` is any digit?
fn matches(pattern: &str, ai: &str) -> bool {
    pattern.len() == ai.len()
        && pattern
            .bytes()
            .zip(ai.bytes())
            .all(|(p, a)| p == a || p == b'n')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ais: &[&str]) -> Result<(), String> {
        let elements = ais
            .iter()
            .map(|ai| ((*ai).to_owned(), String::new()))
            .collect();
        check_associations(&elements).map_err(|error| error.to_string())
    }

    #[test]
    fn what_goes_together_and_what_does_not() {
        for good in [
            &["01", "10", "17", "21"][..],
            &["00"],
            &["00", "02", "37"],
            &["01", "3103", "3922"],
            &["01", "21", "8030"],
            &["8018", "7258", "7259"],
            &["99"],
        ] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
        for (bad, why) in [
            (
                &["10"][..],
                "(10) needs one of 01 02 03 8006 8026 beside it",
            ),
            (&["02", "37"], "(37) needs one of 00 beside it"),
            (
                &["01", "3102", "3103"],
                "(3102) and (3103) exclude each other",
            ),
            (&["01", "21", "235"], "(21) and (235) exclude each other"),
            (
                &["01", "3922"],
                "(3922) needs one of 30 31nn 32nn 35nn 36nn beside it",
            ),
            (
                &["01", "8030"],
                "(8030) needs one of 00 01+21 253 255 8003 8004 8006+21 8010+8011 8017 8018 beside it",
            ),
            (&["8017", "8018"], "(8017) and (8018) exclude each other"),
            (&["05"], "\"05\" begins with no GS1 application identifier"),
        ] {
            assert_eq!(check(bad), Err(why.to_owned()));
        }
    }
}
