//! How a date is spelt, as `DD.MM.YYYY`.

use std::fmt::Write as _;

/// The English months as labels shorten them.
pub(crate) const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];

/// Most characters of a spelling.
const MOST: usize = 40;

/// A spelling: `YYYY`, `YY`, `MM`, `MMM` (JAN to DEC) and `DD`, with whatever
/// stands between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateFormat(Vec<DatePart>);

/// A part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatePart {
    /// Four digits.
    Year,
    /// Two digits; the century is that of GS1's window.
    ShortYear,
    /// Two digits.
    Month,
    /// Three letters.
    MonthName,
    /// Two digits.
    Day,
    /// This character.
    Literal(char),
}

impl DateFormat {
    /// The spelling that `text` describes, or what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const WORDS: [(&str, DatePart); 5] = [
            ("YYYY", DatePart::Year),
            ("YY", DatePart::ShortYear),
            ("MMM", DatePart::MonthName),
            ("MM", DatePart::Month),
            ("DD", DatePart::Day),
        ];
        if text.chars().count() > MOST {
            return Err("it is too long");
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            if let Some((word, part)) = WORDS.iter().find(|(word, _)| rest.starts_with(word)) {
                parts.push(*part);
                rest = &rest[word.len()..];
                continue;
            }
            if matches!(next, 'Y' | 'M' | 'D') {
                return Err("Y, M and D come as YYYY, YY, MM, MMM and DD");
            }
            parts.push(DatePart::Literal(next));
            rest = &rest[next.len_utf8()..];
        }
        let count = |wanted: &[DatePart]| parts.iter().filter(|p| wanted.contains(p)).count();
        if count(&[DatePart::Year, DatePart::ShortYear]) != 1 {
            return Err("a year is needed, once: YYYY or YY");
        }
        if count(&[DatePart::Month, DatePart::MonthName]) != 1 {
            return Err("a month is needed, once: MM or MMM");
        }
        if count(&[DatePart::Day]) > 1 {
            return Err("the day is there more than once");
        }
        Ok(Self(parts))
    }

    /// Its parts in order.
    pub fn parts(&self) -> &[DatePart] {
        &self.0
    }

    /// The expression that texts in this spelling match, as fields have them.
    pub(super) fn pattern(&self) -> String {
        let mut pattern = String::new();
        for part in &self.0 {
            match part {
                DatePart::Year => pattern.push_str("(19|20)[0-9][0-9]"),
                DatePart::ShortYear => pattern.push_str("[0-9][0-9]"),
                DatePart::Month => pattern.push_str("(0[1-9]|1[0-2])"),
                DatePart::MonthName => {
                    let _ = write!(pattern, "({})", MONTHS.join("|"));
                }
                DatePart::Day => pattern.push_str("(0[1-9]|[12][0-9]|3[01])"),
                DatePart::Literal(c) => escape(*c, &mut pattern),
            }
        }
        pattern
    }
}

/// Adds `c` so that it stands for itself.
pub(super) fn escape(c: char, pattern: &mut String) {
    if c.is_ascii_punctuation() {
        pattern.push('\\');
    }
    pattern.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spelling_is_taken_apart_and_becomes_an_expression() {
        let format = DateFormat::parse("DD.MM.YY").expect("a spelling");
        assert_eq!(
            format.parts(),
            [
                DatePart::Day,
                DatePart::Literal('.'),
                DatePart::Month,
                DatePart::Literal('.'),
                DatePart::ShortYear
            ]
        );
        for (format, fits, fails) in [
            ("DD.MM.YYYY", "17.01.2026", "17x01x2026"),
            ("DD.MM.YYYY", "31.12.1999", "32.12.1999"),
            ("YYYY-MM-DD", "2026-01-17", "2026-13-17"),
            ("MM/YY", "01/27", "00/27"),
            ("DD MMM YY", "17 JAN 26", "17 JAM 26"),
        ] {
            let pattern = DateFormat::parse(format).expect("a spelling").pattern();
            let regex = regex::Regex::new(&format!("^(?:{pattern})$")).expect("an expression");
            assert!(regex.is_match(fits) && !regex.is_match(fails), "{pattern}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for bad in [
            "",
            "DD",
            "DD.MM",
            "MM",
            "YYYYY-MM",
            "DD.MM.YYYY YY",
            "D.M.YY",
            "DD.DD.MM.YY",
            "MMMM.YY",
        ] {
            assert!(DateFormat::parse(bad).is_err(), "{bad}");
        }
        assert!(DateFormat::parse(&"-".repeat(50)).is_err());
    }
}
