//! The form that a line has: a regular expression over characters, as an
//! automaton that the recogniser walks while it decodes.
//!
//! What is written: literals, `.`, `\d`, `\w`, `\s`, `\` before punctuation,
//! classes (`[A-Z0-9]`, `[^ ]`), groups, `|`, `?`, `*`, `+`, `{2}`, `{2,}`,
//! `{2,5}`. A pattern is always anchored: it describes the whole line (`^` and `$`
//! at its ends are allowed and say nothing more). Everything is bounded: the
//! length of the pattern, what counted repeats unfold to, and the automaton.

mod automaton;
mod date;
mod parse;

use std::fmt;
use std::sync::Arc;

pub(crate) use automaton::Automaton;
#[cfg(feature = "ocr")]
pub(crate) use automaton::State;

/// Longest pattern, in bytes.
const LONGEST: usize = 1024;

/// The form of a line. Two patterns are equal if they are written alike.
#[derive(Clone)]
pub struct Pattern {
    source: Arc<str>,
    /// The pattern itself …
    pub(crate) whole: Arc<Automaton>,
    /// … and the same with every space left out, which the network drops.
    #[cfg(feature = "ocr")]
    pub(crate) spaceless: Arc<Automaton>,
}

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// Where in the pattern, in bytes from its start.
    pub at: usize,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, at byte {} of the pattern", self.what, self.at)
    }
}

impl std::error::Error for PatternError {}

impl Pattern {
    /// Compiles a regular expression.
    pub fn parse(source: &str) -> Result<Self, PatternError> {
        if source.len() > LONGEST {
            return Err(PatternError {
                at: LONGEST,
                what: format!("the pattern is longer than {LONGEST} bytes"),
            });
        }
        let node = parse::parse(source)?;
        let automaton = |spaces| {
            Automaton::compile(&node, spaces).map_err(|what| PatternError {
                at: 0,
                what: what.into(),
            })
        };
        Ok(Self {
            source: source.into(),
            whole: Arc::new(automaton(true)?),
            #[cfg(feature = "ocr")]
            spaceless: Arc::new(automaton(false)?),
        })
    }

    /// The dates that are written in `format`: `DD`, `MM`, `YY`, `YYYY`, `MMM` (an
    /// English month of three letters), `hh`, `mm`, `ss`; everything else stands
    /// for itself.
    pub fn date(format: &str) -> Result<Self, PatternError> {
        Self::parse(&date::expression(format)?)
    }

    /// The regular expression, as written (that of a date is the one made of it).
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Does the whole of `text` have this form?
    pub fn matches(&self, text: &str) -> bool {
        let mut state = Some(self.whole.start());
        for character in text.chars() {
            state = state.and_then(|state| self.whole.step(state, character));
        }
        state.is_some_and(|state| self.whole.accepts(state))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_match_as_with_a_regex_engine() {
        let patterns = [
            "LOT [A-Z0-9]{4,6}",
            r"\d{2}\.\d{2}\.20\d\d",
            "(ab|a)(bc)?",
            "^(?:x|yz)+[^a-c]?$",
            r"\w*-\+\[\]",
            "a{0,2}b{2}|",
            "[]x-]+",
            r"[\d.]+ ?kg",
            "(a|b)*a(a|b)",
            "()",
        ];
        let texts = [
            "LOT 7A2B",
            "LOT 7A2",
            "LOT 7A2BXY",
            "LOT 7A2BXYZ",
            "12.05.2027",
            "12-05-2027",
            "ab",
            "abc",
            "abbc",
            "a",
            "",
            "xyzx",
            "xyza",
            "yzd",
            "q_1-+[]",
            "aabb",
            "bb",
            "aaabb",
            "]x-",
            "1.5 kg",
            "1.5kg",
            "abab",
            "bbaa",
            "baba",
            "ba\n",
        ];
        for pattern in patterns {
            let ours = Pattern::parse(pattern).expect(pattern);
            // Its \d and \w are ASCII here too, and a bracket first in a class is
            // written with an escape.
            let theirs = pattern.replace("[]", r"[\]");
            let theirs = regex::Regex::new(&format!("^(?s-u:{theirs})\\z"))
                .or_else(|_| regex::Regex::new(&format!("^(?:{theirs})\\z")))
                .expect(pattern);
            for text in texts {
                assert_eq!(
                    ours.matches(text),
                    theirs.is_match(text),
                    "{pattern} {text:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (pattern, at, part) in [
            ("ab(c", 2, "never closed"),
            ("a)b", 1, "closes nothing"),
            ("*a", 0, "nothing to repeat"),
            ("a{5,2}", 1, "more than"),
            ("a{x}", 1, "count"),
            ("[b-a]", 1, "runs backwards"),
            ("[abc", 0, "never closed"),
            (r"\q", 0, "escape"),
            ("a\\", 1, "escape"),
            ("(?=a)", 0, "groups"),
            ("a$b", 1, "end"),
            ("(a{200}){200}", 0, "too much"),
            ("(a|b)*a(a|b){20}", 0, "too many states"),
        ] {
            let error = Pattern::parse(pattern).expect_err(pattern);
            assert!(error.what.contains(part), "{pattern}: {error}");
            assert_eq!(error.at, at, "{pattern}: {error}");
        }
        assert!(Pattern::parse(&"a".repeat(2000)).is_err());
        assert!(Pattern::parse(&"(".repeat(1000)).is_err());
    }

    #[test]
    fn dates_take_days_and_months_that_exist() {
        let date = Pattern::date("DD.MM.YYYY").expect("compiles");
        for (text, fits) in [
            ("31.12.2026", true),
            ("00.12.2026", false),
            ("01.13.2026", false),
            ("1.1.26", false),
        ] {
            assert_eq!(date.matches(text), fits, "{text}");
        }
        assert!(
            Pattern::date("DDMMMYY hh:mm")
                .expect("compiles")
                .matches("07FEB27 23:59")
        );
        assert!(Pattern::date("MM/YY").expect("compiles").matches("11/27"));
        assert!(Pattern::date("").is_err() && Pattern::date("no date").is_err());
    }

    proptest! {
        #[test]
        fn any_pattern_is_an_error_or_an_automaton(pattern in r"[ab\[\]().|*+?{}0-9,\\^$-]{0,24}", text in "[ab0-9.]{0,8}") {
            if let Ok(pattern) = Pattern::parse(&pattern) {
                // Either answer is right; that there is one is what is tested.
                let _ = pattern.matches(&text);
            }
        }
    }
}
