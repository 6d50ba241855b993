//! Dates of six digits: the century they leave out, and the day they may.

use jiff::civil::Date;

/// The date that `yymmdd` stands for, seen from `today`. Day 00, where
/// `day_may_be_left_out`, is the last day of the month (GS1 General
/// Specifications, 3.4.2). `None` if there is no such date.
///
/// The century is the one that puts the year at most 49 years before and 50
/// after today's (7.12).
pub fn resolve(yymmdd: &str, day_may_be_left_out: bool, today: Date) -> Option<Date> {
    if yymmdd.len() != 6 || !yymmdd.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let two = |at: usize| yymmdd[at..at + 2].parse::<i8>().ok();
    let (year, month, day) = (full_year(two(0)?, today), two(2)?, two(4)?);
    if day == 0 && day_may_be_left_out {
        return Some(Date::new(year, month, 1).ok()?.last_of_month());
    }
    Date::new(year, month, day).ok()
}

/// The year with the last two digits `year`, within GS1's window around `today`.
pub fn full_year(year: i8, today: Date) -> i16 {
    let (century, current) = (today.year() / 100, today.year() % 100);
    let year = i16::from(year);
    let century = match year - current {
        51.. => century - 1,
        ..=-50 => century + 1,
        _ => century,
    };
    century * 100 + year
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn the_century_is_that_of_the_window() {
        let year = |yy: &str, today: i16| {
            let text = format!("{yy}0115");
            resolve(&text, false, date(today, 6, 1)).map(|d| d.year())
        };
        for (yy, today, expected) in [
            ("26", 2026, 2026),
            ("76", 2026, 2076),
            ("77", 2026, 1977),
            ("99", 2026, 1999),
            ("00", 2026, 2000),
            ("24", 2074, 2124),
            ("25", 2074, 2025),
            ("98", 2000, 1998),
            ("49", 1999, 2049),
            ("50", 1999, 1950),
        ] {
            assert_eq!(year(yy, today), Some(expected), "{yy} in {today}");
        }
    }

    #[test]
    fn day_00_is_the_last_of_the_month() {
        let today = date(2026, 11, 22);
        assert_eq!(resolve("270200", true, today), Some(date(2027, 2, 28)));
        assert_eq!(resolve("280200", true, today), Some(date(2028, 2, 29)));
        assert_eq!(resolve("270200", false, today), None);
        assert_eq!(resolve("271231", true, today), Some(date(2027, 12, 31)));
        for bad in [
            "271300", "270001", "270230", "27010", "2701011", "27O101", "", "é1é1",
        ] {
            assert_eq!(resolve(bad, true, today), None, "{bad}");
        }
    }
}
