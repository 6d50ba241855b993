//! The checks of a value: its parts, their characters, and what each must be
//! (the rules of the GS1 Barcode Syntax Dictionary's linters).

use std::fmt;

use jiff::civil::Date;

use super::ai::{Check, Part, Set};
use super::codes;
use super::date;

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Too short.
    TooShort,
    /// Too long.
    TooLong,
    /// A character that it may not have.
    Character,
    /// The check digit, or pair of check characters, does not fit.
    CheckDigit,
    /// It does not begin with a GS1 company prefix.
    CompanyPrefix,
    /// No such date.
    Date,
    /// No such time of day.
    Time,
    /// No such country.
    Country,
    /// No such currency.
    Currency,
    /// `%` without two hexadecimal digits.
    Percent,
    /// Outside of what is allowed.
    Range,
    /// Not one of the codes that are allowed.
    Code,
    /// Not a valid account number.
    Iban,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(match self {
            Fault::TooShort => "is too short",
            Fault::TooLong => "is too long",
            Fault::Character => "has a character that is not allowed there",
            Fault::CheckDigit => "has a wrong check digit",
            Fault::CompanyPrefix => "does not begin with a GS1 company prefix",
            Fault::Date => "is not a date",
            Fault::Time => "is not a time of day",
            Fault::Country => "has no known country code",
            Fault::Currency => "has no known currency code",
            Fault::Percent => "has a % without two hexadecimal digits",
            Fault::Range => "is out of range",
            Fault::Code => "is not one of the codes that are allowed",
            Fault::Iban => "is not a valid account number",
        })
    }
}

/// Checks `value` against the `parts` it must consist of.
pub(super) fn value(value: &str, parts: &[Part], today: Date) -> Result<(), Fault> {
    let mut rest = value;
    for part in parts {
        if rest.is_empty() && part.optional {
            break;
        }
        // All characters allowed are ASCII: a cut inside another one is a fault.
        let taken = rest.len().min(part.max);
        let (now, later) = rest.split_at_checked(taken).ok_or(Fault::Character)?;
        if !now.bytes().all(|b| part.set.has(b)) {
            return Err(Fault::Character);
        }
        if now.len() < part.min {
            return Err(Fault::TooShort);
        }
        for check in part.checks {
            one(*check, now, today)?;
        }
        rest = later;
    }
    if rest.is_empty() {
        Ok(())
    } else {
        Err(Fault::TooLong)
    }
}

impl Set {
    fn has(self, byte: u8) -> bool {
        match self {
            Set::Digits => byte.is_ascii_digit(),
            Set::Text => TEXT.contains(&byte),
            Set::Upper => {
                byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"#-/".contains(&byte)
            }
            Set::Base64 => byte.is_ascii_alphanumeric() || b"-_=".contains(&byte),
        }
    }
}

/// The 82 characters in the order of their check values (General
/// Specifications, figure 7.11-1).
const TEXT: &[u8; 82] =
    b"!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

fn one(check: Check, value: &str, today: Date) -> Result<(), Fault> {
    let number = || value.parse::<u64>().map_err(|_| Fault::Range);
    let require = |holds: bool, fault: Fault| if holds { Ok(()) } else { Err(fault) };
    match check {
        Check::Digit => require(check_digit(value), Fault::CheckDigit),
        Check::Pair => require(check_pair(value), Fault::CheckDigit),
        Check::Prefix => {
            let digits = value.bytes().take_while(u8::is_ascii_digit).count();
            require(digits >= 4, Fault::CompanyPrefix)
        }
        Check::Date => require(date::resolve(value, false, today).is_some(), Fault::Date),
        Check::DateOrMonth => require(date::resolve(value, true, today).is_some(), Fault::Date),
        Check::LongDate => {
            let (year, day) = value.split_at_checked(4).ok_or(Fault::Date)?;
            let (month, day) = day.split_at_checked(2).ok_or(Fault::Date)?;
            let parsed = (year.parse(), month.parse(), day.parse());
            let (Ok(year), Ok(month), Ok(day)) = parsed else {
                return Err(Fault::Date);
            };
            require(Date::new(year, month, day).is_ok(), Fault::Date)
        }
        Check::Time => {
            let number = number()?;
            require(number / 100 < 24 && number % 100 < 60, Fault::Time)
        }
        Check::Hour => require(number()? < 24, Fault::Time),
        Check::Sixtieth => require(number()? < 60, Fault::Time),
        Check::Country => require(codes::country(value), Fault::Country),
        Check::CountryOrMany => require(value == "999" || codes::country(value), Fault::Country),
        Check::CountryAlpha => require(codes::country_alpha(value), Fault::Country),
        Check::Currency => require(codes::currency(value), Fault::Currency),
        Check::Percent => require(percent(value), Fault::Percent),
        Check::YesNo => require(matches!(value, "0" | "1"), Fault::Code),
        Check::AtMost(most) => require(number()? <= most, Fault::Range),
        Check::Hyphen => require(value == "-", Fault::Code),
        Check::Media => require(matches!(number()?, 1..=10 | 80..=99), Fault::Code),
        Check::Sex => require(matches!(value, "0" | "1" | "2" | "9"), Fault::Code),
        Check::PlaceOf => {
            let (place, total) = value.split_once('/').ok_or(Fault::Code)?;
            let digits = |text: &str| matches!(text.as_bytes(), [b'1'..=b'9']);
            require(
                digits(place) && digits(total) && place <= total,
                Fault::Range,
            )
        }
        Check::PieceOf => {
            let (piece, total) = value.split_at_checked(2).ok_or(Fault::TooShort)?;
            require(piece != "00" && piece <= total, Fault::Range)
        }
        Check::NonZero => require(number()? != 0, Fault::Range),
        Check::Zero => require(number()? == 0, Fault::Range),
        Check::Winding => require(matches!(value, "0" | "1" | "9"), Fault::Code),
        Check::Iban => require(iban(value), Fault::Iban),
        Check::Importer => require(
            value
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'),
            Fault::Code,
        ),
        Check::NoZero => require(value == "0" || !value.starts_with('0'), Fault::Range),
        Check::NonDigit => require(value.bytes().any(|b| !b.is_ascii_digit()), Fault::Character),
    }
}

/// Does the last digit make the weighted sum (3 and 1 in turn from the right)
/// a multiple of ten? (7.9.1)
pub(super) fn check_digit(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, b)| u32::from(b.wrapping_sub(b'0')) * if i % 2 == 1 { 3 } else { 1 })
        .sum();
    sum.is_multiple_of(10)
}

/// Do the last two characters follow from the others, weighted by the primes
/// from the right, modulo 1021? (7.9.5)
fn check_pair(value: &str) -> bool {
    const PRIMES: [usize; 23] = [
        2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83,
    ];
    const PAIR: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let Some((data, pair)) = value
        .len()
        .checked_sub(2)
        .and_then(|at| value.split_at_checked(at))
    else {
        return false;
    };
    if data.len() > PRIMES.len() {
        return false;
    }
    let weight = |byte: u8| TEXT.iter().position(|&b| b == byte);
    let mut sum = 0;
    for (byte, prime) in data.bytes().rev().zip(PRIMES) {
        match weight(byte) {
            Some(weight) => sum += weight * prime,
            None => return false,
        }
    }
    let sum = sum % 1021;
    pair.as_bytes() == [PAIR[sum >> 5], PAIR[sum & 31]]
}

/// Is every `%` followed by two hexadecimal digits?
fn percent(value: &str) -> bool {
    value.split('%').skip(1).all(|after| {
        after
            .as_bytes()
            .get(..2)
            .is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
    })
}

/// ISO 13616: country, two check digits, account; modulo 97 it is 1.
fn iban(value: &str) -> bool {
    let Some((head, account)) = value.split_at_checked(4) else {
        return false;
    };
    if !head.get(..2).is_some_and(codes::country_alpha)
        || !head[2..].bytes().all(|b| b.is_ascii_digit())
        || account.is_empty()
        || !account
            .bytes()
            .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
    {
        return false;
    }
    account.bytes().chain(head.bytes()).fold(0u32, |sum, b| {
        if b.is_ascii_digit() {
            (sum * 10 + u32::from(b - b'0')) % 97
        } else {
            (sum * 100 + u32::from(b - b'A') + 10) % 97
        }
    }) == 1
}

#[cfg(test)]
mod tests {
    use super::super::ai::rules;
    use super::*;
    use jiff::civil::date;

    fn checked(ai: &str, text: &str) -> Result<(), Fault> {
        value(text, rules(ai).expect("assigned").parts, date(2026, 11, 22))
    }

    #[test]
    fn good_values_pass() {
        for (ai, text) in [
            ("00", "006141411234567890"),
            ("01", "09506000134352"),
            ("10", "A%\"/b_z"),
            ("17", "270200"),
            ("253", "4006381333931"),
            ("253", "4006381333931ABC"),
            ("3103", "001234"),
            ("3912", "978123"),
            ("401", "9506000ABC"),
            ("421", "276D12345"),
            ("423", "276056004"),
            ("4302", "Main%20Street"),
            ("4307", "DE"),
            ("4309", "18000000003600000000"),
            ("4324", "2711302359"),
            ("4330", "001200-"),
            ("4330", "001200"),
            ("7007", "270101270131"),
            ("7011", "2701011200"),
            ("7030", "999ABC"),
            ("7040", "1ABc"),
            ("7241", "10"),
            ("7251", "198512310000"),
            ("7258", "1/3"),
            ("8001", "12340012500191"),
            ("8003", "04006381333931"),
            ("8006", "095060001343520102"),
            ("8007", "DE89370400440532013000"),
            ("8008", "27010112"),
            ("8008", "270101123059"),
            ("8010", "9506000#A-1/2"),
            ("8011", "0"),
            ("8013", "1987654Ad4X4bL5ttr2310c2K"),
            ("8030", "aB-_="),
            ("99", "x"),
        ] {
            assert_eq!(checked(ai, text), Ok(()), "({ai}){text}");
        }
    }

    #[test]
    fn bad_values_are_told_apart() {
        for (ai, text, fault) in [
            ("00", "00614141123456789", Fault::TooShort),
            ("01", "09506000134353", Fault::CheckDigit),
            ("01", "0950600013435x", Fault::Character),
            ("10", "", Fault::TooShort),
            ("10", "ABC DEF", Fault::Character),
            ("10", "ABCDEFGHIJKLMNOPQRSTU", Fault::TooLong),
            ("10", "ABCDEFGHIJKLMNOPQRSé", Fault::Character),
            ("17", "270230", Fault::Date),
            ("4326", "270200", Fault::Date),
            ("3912", "000123", Fault::Currency),
            ("401", "95AABC", Fault::CompanyPrefix),
            ("421", "999D1", Fault::Country),
            ("423", "2760", Fault::TooShort),
            ("4302", "50%2", Fault::Percent),
            ("4307", "XX", Fault::Country),
            ("4309", "18000000010000000000", Fault::Range),
            ("4321", "2", Fault::Code),
            ("4324", "2711302400", Fault::Time),
            ("7040", "1AB/", Fault::Code),
            ("7241", "11", Fault::Code),
            ("7250", "19850230", Fault::Date),
            ("7258", "3/1", Fault::Range),
            ("8001", "00000012500191", Fault::Range),
            ("8003", "14006381333931", Fault::Range),
            ("8006", "095060001343520302", Fault::Range),
            ("8006", "095060001343520002", Fault::Range),
            ("8007", "DE89370400440532013001", Fault::Iban),
            ("8008", "27010124", Fault::Time),
            ("8010", "9506000a", Fault::Character),
            ("8011", "01", Fault::Range),
            ("8013", "1987654Ad4X4bL5ttr2310c2X", Fault::CheckDigit),
            ("8013", "1", Fault::CheckDigit),
        ] {
            assert_eq!(checked(ai, text), Err(fault), "({ai}){text}");
        }
    }
}
