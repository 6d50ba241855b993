//! Dates as they are printed on labels, in all the usual spellings.
//!
//! What is printed is read by these rules, in this order:
//!
//! 1. Where the field has a spelling (`date = "MM/DD/YYYY"`), by that alone.
//! 2. Words before the date (EXP, BEST BEFORE, MHD, `(17)`) are passed over.
//! 3. Months may be names: English, German, French, Spanish, in three letters or
//!    more. With a name, the number before it is the day, or the year if it has
//!    four digits.
//! 4. Four digits in front are the year: year, month, day.
//! 5. Three numbers are day, month, year, as most of the world writes them; if
//!    the second cannot be a month and the first can, month, day, year. Where
//!    both could be (03/04/2027) it is the third of April: a line that prints
//!    the month first says so with a spelling.
//! 6. Two numbers are month and year; the day is left out.
//! 7. Digits without anything between them: eight are YYYYMMDD if that is a
//!    date, else DDMMYYYY; six are YYMMDD as in GS1 if that is a date, else
//!    DDMMYY, else MMYYYY; four are MMYY.
//!
//! Two digits of a year are those of the century that puts it at most 49 years
//! before and 50 after today's, as GS1 has it.

use jiff::civil::Date;

use crate::config::{DateFormat, DatePart, MONTHS};
use crate::item::gs1;

/// A date as it was printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Printed {
    /// Year, all four digits.
    pub year: i16,
    /// Month, 1 to 12.
    pub month: i8,
    /// Day of the month; `None` where it was left out.
    pub day: Option<i8>,
}

/// Names of months beyond the English ones: (start, month). A word that begins
/// with one is that month.
const OTHER_MONTHS: [(&str, i8); 17] = [
    ("MÄR", 3),
    ("MRZ", 3),
    ("MAI", 5),
    ("OKT", 10),
    ("DEZ", 12),
    ("FÉV", 2),
    ("FEV", 2),
    ("AVR", 4),
    ("JUIN", 6),
    ("JUIL", 7),
    ("AOÛ", 8),
    ("AOU", 8),
    ("DÉC", 12),
    ("ENE", 1),
    ("ABR", 4),
    ("AGO", 8),
    ("DIC", 12),
];
/// Most characters that are looked at: a date is short.
const MOST: usize = 64;

impl Printed {
    /// Is this the date `full`? Where the day was left out, the month must be the same.
    pub fn is(self, full: Date) -> bool {
        self.year == full.year()
            && self.month == full.month()
            && self.day.is_none_or(|day| day == full.day())
    }

    fn new(year: i16, month: i8, day: Option<i8>) -> Option<Self> {
        Date::new(year, month, day.unwrap_or(1)).ok()?;
        Some(Self { year, month, day })
    }
}

impl std::fmt::Display for Printed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)?;
        self.day.map_or(Ok(()), |day| write!(f, "-{day:02}"))
    }
}

/// The date that `text` is, in the spelling `format` or else in any of the usual
/// ones, seen from `today`. `None` if it is none.
pub fn read(text: &str, format: Option<&DateFormat>, today: Date) -> Option<Printed> {
    let text: String = text.trim().chars().take(MOST).collect();
    match format {
        Some(format) => by_format(&text, format, today),
        None => usual(&text, today),
    }
}

fn by_format(text: &str, format: &DateFormat, today: Date) -> Option<Printed> {
    let mut rest = text;
    let (mut year, mut month, mut day) = (None, None, None);
    for part in format.parts() {
        match part {
            DatePart::Year => year = Some(digits(&mut rest, 4)?),
            DatePart::ShortYear => {
                let two = i8::try_from(digits(&mut rest, 2)?).ok()?;
                year = Some(gs1::full_year(two, today));
            }
            DatePart::Month => month = i8::try_from(digits(&mut rest, 2)?).ok(),
            DatePart::Day => day = Some(i8::try_from(digits(&mut rest, 2)?).ok()?),
            DatePart::MonthName => {
                let word = rest.get(..3)?;
                month = Some(month_named(word)?);
                rest = &rest[3..];
            }
            // Spaces are what reading is weakest at.
            DatePart::Literal(' ') => rest = rest.trim_start(),
            DatePart::Literal(c) => rest = rest.trim_start().strip_prefix(*c)?.trim_start(),
        }
    }
    if !rest.trim().is_empty() {
        return None;
    }
    Printed::new(year?, month?, day)
}

/// The next `count` digits.
fn digits(rest: &mut &str, count: usize) -> Option<i16> {
    let taken = rest.get(..count)?;
    if !taken.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    *rest = &rest[count..];
    taken.parse().ok()
}

/// A number with its count of digits, or a month's name.
#[derive(Clone, Copy, Debug)]
enum Token {
    Number(i32, usize),
    Month(i8),
}

fn usual(text: &str, today: Date) -> Option<Printed> {
    let text = without_ai(text).to_uppercase();
    let mut tokens = Vec::new();
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let same = |c: char| c.is_ascii_digit() == first.is_ascii_digit() && c.is_alphanumeric();
        let end = rest.find(|c| !same(c)).unwrap_or(rest.len());
        if end == 0 {
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (word, after) = rest.split_at(end);
        rest = after;
        if first.is_ascii_digit() {
            tokens.push(Token::Number(word.parse().ok()?, word.len()));
        } else if let Some(month) = month_named(word) {
            tokens.push(Token::Month(month));
        } else if !tokens.is_empty() {
            return None;
        }
    }
    let year = |value: i32, digits: usize| match digits {
        4 => i16::try_from(value).ok(),
        2 => Some(gs1::full_year(i8::try_from(value).ok()?, today)),
        _ => None,
    };
    let small = |value: i32, digits: usize| i8::try_from(value).ok().filter(|_| digits <= 2);
    match tokens[..] {
        [Token::Number(d, nd), Token::Month(m), Token::Number(y, ny)] if nd <= 2 => {
            Printed::new(year(y, ny)?, m, Some(small(d, nd)?))
        }
        [Token::Number(y, 4), Token::Month(m), Token::Number(d, nd)] => {
            Printed::new(year(y, 4)?, m, Some(small(d, nd)?))
        }
        [Token::Month(m), Token::Number(d, nd), Token::Number(y, ny)] => {
            Printed::new(year(y, ny)?, m, Some(small(d, nd)?))
        }
        [Token::Month(m), Token::Number(y, ny)] => Printed::new(year(y, ny)?, m, None),
        [
            Token::Number(y, 4),
            Token::Number(m, nm),
            Token::Number(d, nd),
        ] => Printed::new(year(y, 4)?, small(m, nm)?, Some(small(d, nd)?)),
        [
            Token::Number(a, na),
            Token::Number(b, nb),
            Token::Number(y, ny),
        ] => {
            let (a, b, y) = (small(a, na)?, small(b, nb)?, year(y, ny)?);
            Printed::new(y, b, Some(a)).or_else(|| (b > 12).then(|| Printed::new(y, a, Some(b)))?)
        }
        [Token::Number(y, 4), Token::Number(m, nm)] => {
            Printed::new(year(y, 4)?, small(m, nm)?, None)
        }
        [Token::Number(m, nm), Token::Number(y, ny)] => {
            Printed::new(year(y, ny)?, small(m, nm)?, None)
        }
        [Token::Number(all, count)] => run_together(all, count, &year),
        _ => None,
    }
}

/// Digits without anything between them.
fn run_together(
    all: i32,
    count: usize,
    year: &impl Fn(i32, usize) -> Option<i16>,
) -> Option<Printed> {
    let of = |y: Option<i16>, m: i32, d: Option<i32>| {
        let day = d.map(i8::try_from).transpose().ok()?;
        Printed::new(y?, i8::try_from(m).ok()?, day)
    };
    let (high, middle, low) = (all / 10_000, all / 100 % 100, all % 100);
    match count {
        8 => {
            let plausible = (1900..2200).contains(&high);
            let first = plausible.then(|| of(year(high, 4), middle, Some(low)));
            first
                .flatten()
                .or_else(|| of(year(all % 10_000, 4), high % 100, Some(high / 100)))
        }
        6 => of(year(high, 2), middle, Some(low))
            .or_else(|| of(year(low, 2), middle, Some(high)))
            .or_else(|| of(year(all % 10_000, 4), high, None)),
        4 => of(year(low, 2), middle, None),
        _ => None,
    }
}

/// `(17)` before an element's value, as GS1 has it printed, is no part of it.
pub(super) fn without_ai(text: &str) -> &str {
    let inner = text.trim_start().strip_prefix('(');
    match inner.and_then(|inner| inner.split_once(')')) {
        Some((ai, rest))
            if (2..=4).contains(&ai.len()) && ai.bytes().all(|b| b.is_ascii_digit()) =>
        {
            rest.trim_start()
        }
        _ => text,
    }
}

/// The month that a word names.
fn month_named(word: &str) -> Option<i8> {
    let word = word.to_uppercase();
    let other = OTHER_MONTHS
        .iter()
        .find(|(start, _)| word.starts_with(start))
        .map(|(_, month)| *month);
    let english = || {
        let at = MONTHS.iter().position(|month| word.starts_with(month))?;
        i8::try_from(at + 1).ok()
    };
    other.or_else(english)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn told(text: &str, format: Option<&str>) -> Option<String> {
        let format = format.map(|format| DateFormat::parse(format).expect("a spelling"));
        read(text, format.as_ref(), date(2026, 11, 22)).map(|printed| printed.to_string())
    }

    #[test]
    fn the_usual_spellings_are_all_the_same_day() {
        for text in [
            "17.01.2026",
            "17.1.2026",
            "17/01/26",
            "17-01-26",
            "17 01 26",
            "2026-01-17",
            "2026/01/17",
            "2026.01.17",
            "17 JAN 26",
            "17JAN26",
            "17 jan 2026",
            "17. Januar 2026",
            "JAN 17, 2026",
            "2026 JAN 17",
            "2026JAN17",
            "17 ENE 2026",
            "01/17/2026",
            "260117",
            "20260117",
            "(17)260117",
            "EXP 17.01.2026",
            "EXP: 17 JAN 26",
            "BEST BEFORE 2026-01-17",
            "MHD:17.01.26",
        ] {
            assert_eq!(told(text, None).as_deref(), Some("2026-01-17"), "{text}");
        }
    }

    #[test]
    fn the_day_may_be_left_out() {
        for text in [
            "01/27",
            "01/2027",
            "EXP 01/2027",
            "2027-01",
            "JAN 27",
            "JAN2027",
            "Jan. 2027",
            "0127",
            "01.27",
        ] {
            assert_eq!(told(text, None).as_deref(), Some("2027-01"), "{text}");
        }
        assert_eq!(told("012027", None).as_deref(), Some("2027-01"));
        let january = read("01/27", None, date(2026, 11, 22)).expect("a date");
        assert!(january.is(date(2027, 1, 31)) && !january.is(date(2027, 2, 1)));
    }

    #[test]
    fn what_could_be_two_days_is_read_as_documented_or_as_the_field_says() {
        assert_eq!(told("03/04/2027", None).as_deref(), Some("2027-04-03"));
        let american = Some("MM/DD/YYYY");
        assert_eq!(told("03/04/2027", american).as_deref(), Some("2027-03-04"));
        assert_eq!(told("17/01/2026", american), None, "no seventeenth month");
        assert_eq!(told("101112", None).as_deref(), Some("2010-11-12"));
        assert_eq!(told("170199", None).as_deref(), Some("1999-01-17"));
        assert_eq!(told("17012026", None).as_deref(), Some("2026-01-17"));
        assert_eq!(
            told("14.12.11", Some("YY.MM.DD")).as_deref(),
            Some("2014-12-11")
        );
    }

    #[test]
    fn a_spelling_is_kept_to_except_for_spaces() {
        let spelt = Some("DD MMM YY");
        for text in ["17 JAN 26", "17JAN26", "17 JAN26"] {
            assert_eq!(told(text, spelt).as_deref(), Some("2026-01-17"), "{text}");
        }
        for text in ["17.01.26", "17 JAX 26", "17 JAN 26 A", "1 JAN 26", ""] {
            assert_eq!(told(text, spelt), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "EXP",
            "LOT 7A",
            "32.01.2026",
            "17.13.2026",
            "30.02.2026",
            "13/27",
            "2026",
            "1",
            "17.01.2026 06:00 X",
            "99999999999999",
            "999999",
            "17 JAN",
            "17.01.2026B",
        ] {
            assert_eq!(told(text, None), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in ".{0,80}") {
            let _ = told(&text, None);
            let _ = told(&text, Some("DD MMM YYYY"));
        }

        #[test]
        fn every_day_is_read_back(days in 0i32..18_000, style in 0usize..6) {
            let day = date(2001, 1, 1).saturating_add(jiff::ToSpan::days(days));
            let (y, m, d) = (day.year(), day.month(), day.day());
            let month = MONTHS[m as usize - 1];
            let text = match style {
                0 => format!("{d:02}.{m:02}.{y}"),
                1 => format!("{y}-{m:02}-{d:02}"),
                2 => format!("EXP {d} {month} {y}"),
                3 => format!("{y}{m:02}{d:02}"),
                4 => format!("{d:02}/{m:02}/{:02}", y % 100),
                _ => format!("{d:02}{month}{:02}", y % 100),
            };
            let printed = read(&text, None, date(2026, 11, 22));
            prop_assert!(printed.is_some_and(|p| p.is(day)), "{text}: {printed:?}");
        }
    }
}
