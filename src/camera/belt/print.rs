//! Labels with print that people can read: a GS1 code with GTIN, expiry and lot,
//! and below it the lot and the expiry once more. On some of them, on purpose,
//! print and code do not agree.

use jiff::ToSpan as _;

use super::face;
use super::mix::mix;

/// Version of every such label: what its elements need at level M.
pub(super) const VERSION: usize = 3;
/// Height of a capital in modules.
const CAP: f32 = 4.0;
/// First line of print below the paper's rim around the code, in modules.
const FIRST: f32 = 0.6;
/// From one line to the next, in modules.
const PITCH: f32 = 7.0;
/// Left edge of the print, in modules right of the code's left edge: negative, since
/// lines are wider than the code.
const LEFT: f32 = -3.0;

/// Height of the strip with so many lines, in modules.
pub(super) fn strip(lines: usize) -> f32 {
    FIRST + PITCH * lines as f32
}

/// Is there ink `u` modules right of the code's left edge and `v` below the rim?
pub(super) fn ink(lines: &[String], u: f32, v: f32) -> bool {
    let unit = CAP / face::CAP;
    let line = ((v - FIRST + 0.5) / PITCH).floor();
    if line < 0.0 {
        return false;
    }
    let Some(text) = lines.get(line as usize) else {
        return false;
    };
    let y = v - FIRST - line * PITCH - 0.5;
    face::ink(text, (u - LEFT) / unit, y / unit)
}

/// What a label says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    /// GS1 elements, as they come out of the code: 01, 17, 10.
    pub code: String,
    /// Lines of print: lot, expiry.
    pub lines: Vec<String>,
    /// Whether print and code disagree.
    pub misprint: bool,
}

/// What label `index` of a belt with `seed` says. Of `every` labels one is
/// printed wrong; 0: none.
pub(super) fn content(seed: u64, index: u64, every: u64) -> Content {
    let (lot, expiry) = elements(seed, index);
    let misprint = every > 0 && index % every == every / 2;
    let (mut shown_lot, mut shown_expiry) = (lot.clone(), expiry);
    if misprint {
        // As it happens: the print of another batch, or last year's date.
        if (index / every).is_multiple_of(2) {
            shown_lot = elements(seed, index + 1).0;
        } else {
            shown_expiry = expiry.saturating_sub(1.year());
        }
    }
    let gtin = gtin(mix(seed, 3) % 1_000_000_000_000);
    Content {
        code: format!("01{gtin}17{}10{lot}", expiry.strftime("%y%m%d")),
        lines: vec![
            format!("LOT {shown_lot}"),
            format!("EXP {}", shown_expiry.strftime("%d.%m.%y")),
        ],
        misprint,
    }
}

/// Lot and expiry of label `index`; every label has a lot of its own.
fn elements(seed: u64, index: u64) -> (String, jiff::civil::Date) {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPRSTUVWXYZ";
    let chance = mix(seed ^ 0x4C4F_5400, index);
    let letter = char::from(LETTERS[(chance % LETTERS.len() as u64) as usize]);
    let lot = format!("{letter}{:06}", (seed % 100 * 10_000 + index) % 1_000_000);
    let days = (chance >> 16) % 900;
    let expiry = jiff::civil::date(2027, 1, 1).saturating_add((days as i64).days());
    (lot, expiry)
}

/// A GTIN of 14 digits with its check digit (GS1 General Specifications, 7.9).
fn gtin(number: u64) -> String {
    let digits = format!("0{number:012}");
    let sum: u32 = digits
        .bytes()
        .enumerate()
        .map(|(at, digit)| u32::from(digit - b'0') * if at % 2 == 0 { 3 } else { 1 })
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn print_and_code_agree_except_where_they_are_not_to() {
        let mut texts = std::collections::HashSet::new();
        for index in 0..400 {
            let content = content(1, index, 50);
            let lot = content.code.get(26..).expect("01, 17 and 10");
            let expiry = content.code.get(18..24).expect("six digits");
            let same_lot = content.lines[0] == format!("LOT {lot}");
            let date = &content.lines[1];
            let print = [&date[10..12], &date[7..9], &date[4..6]].concat();
            assert_eq!(content.misprint, index % 50 == 25, "{content:?}");
            assert_eq!(
                content.misprint,
                !(same_lot && print == expiry),
                "{content:?}"
            );
            assert!(texts.insert(content.code.clone()), "twice: {content:?}");
        }
        assert!((0..400).all(|index| !content(1, index, 0).misprint));
    }

    #[test]
    fn check_digits_are_right() {
        assert_eq!(gtin(950_600_013_435), "09506000134352");
    }
}
