//! Letters for labels: a face of our own, drawn in strokes.
//!
//! Capitals, digits and a few signs, each a few lines on a grid 6 wide and 9
//! high, the way engraved lettering is drawn. It asks nothing of the machine's
//! fonts, so that a belt is the same everywhere.

use crate::geometry::Point;

/// Height of a capital in units of the grid.
pub(super) const CAP: f32 = 9.0;
/// From one letter to the next.
const ADVANCE: f32 = 9.0;
/// Half the width of a stroke.
const PEN: f32 = 0.62;
/// Letters are narrower than the grid by this factor, as condensed faces are.
const NARROW: f32 = 0.72;

/// Strokes of `letter`: points as two digits, x and y, joined by lines; strokes
/// apart by spaces.
fn strokes(letter: char) -> &'static str {
    match letter.to_ascii_uppercase() {
        'A' => "093069 166656",
        'B' => "00406163440400 446568490900",
        'C' => "62402002072949 4967",
        'D' => "00306366390900",
        'E' => "60000969 0454",
        'F' => "600009 0454",
        'G' => "62402002072949676535",
        'H' => "0009 6069 0464",
        'I' => "3039 1050 1959",
        'J' => "6067492907",
        'K' => "0009 6005 2469",
        'L' => "000969",
        'M' => "0900356069",
        'N' => "09006960",
        'O' => "204062674929070220",
        'P' => "09004062634505",
        'Q' => "204062674929070220 4669",
        'R' => "09004062634505 3569",
        'S' => "624020020324456667492907",
        'T' => "0060 3039",
        'U' => "000729496760",
        'V' => "003960",
        'W' => "0019335960",
        'X' => "0069 6009",
        'Y' => "003460 3439",
        'Z' => "00600969",
        '0' => "204052574929171220",
        '1' => "123039 1959",
        '2' => "02204062630969",
        '3' => "01204062634424 446567492908",
        '4' => "400666 4349",
        '5' => "60100423436567492908",
        '6' => "514020020729496766442406",
        '7' => "006029",
        '8' => "204062634424030220 24060729496766 6644",
        '9' => "082949676240200203254563",
        '.' => "3939",
        '-' => "1555",
        '/' => "0960",
        ':' => "3333 3838",
        '(' => "40222749",
        ')' => "20424729",
        _ => "",
    }
}

/// Is there ink at `x`, `y` in units of the grid, from the upper left corner of
/// the first letter?
pub(super) fn ink(line: &str, x: f32, y: f32) -> bool {
    if x < -PEN || !(-PEN..=CAP + PEN).contains(&y) {
        return false;
    }
    let x = x / NARROW;
    // A stroke may reach over into the room between two letters, not farther.
    let at = ((x + PEN) / ADVANCE) as usize;
    let Some(letter) = line.chars().nth(at) else {
        return false;
    };
    let x = x - at as f32 * ADVANCE;
    strokes(letter).split(' ').any(|stroke| {
        let digit = |at: usize| f32::from(stroke.as_bytes()[at] - b'0');
        let points = stroke.len() / 2;
        let point = |nth: usize| (digit(2 * nth), digit(2 * nth + 1));
        (1..points).any(|nth| distance(point(nth - 1), point(nth), (x, y)) <= PEN)
    })
}

/// From `at` to the line between `from` and `to`, as wide as it is drawn.
fn distance(from: (f32, f32), to: (f32, f32), at: (f32, f32)) -> f32 {
    let scaled = |p: (f32, f32)| (p.0 * NARROW, p.1);
    let (from, to, at) = (scaled(from), scaled(to), scaled(at));
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let (px, py) = (at.0 - from.0, at.1 - from.1);
    let length = dx * dx + dy * dy;
    let along = match length > 0.0 {
        true => ((px * dx + py * dy) / length).clamp(0.0, 1.0),
        false => 0.0,
    };
    Point::new(px - along * dx, py - along * dy).length()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_of_labels_is_drawn_and_no_two_look_the_same() {
        let mut seen = std::collections::HashMap::new();
        for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-/:()".chars() {
            let line = letter.to_string();
            let picture: Vec<bool> = (0..400)
                .map(|i| ink(&line, (i % 20) as f32 / 2.0, (i / 20) as f32 / 2.0))
                .collect();
            assert!(picture.contains(&true), "{letter} is blank");
            if let Some(other) = seen.insert(picture, letter) {
                panic!("{letter} looks like {other}");
            }
        }
        assert!((0..100).all(|i| !ink(" ", i as f32 / 10.0, 4.0)));
    }

    #[test]
    fn a_stroke_is_a_list_of_points_on_the_grid() {
        for letter in ' '..='~' {
            for stroke in strokes(letter).split(' ').filter(|s| !s.is_empty()) {
                assert!(stroke.len() >= 4 && stroke.len() % 2 == 0, "{letter}");
                for pair in stroke.as_bytes().chunks(2) {
                    assert!((b'0'..=b'6').contains(&pair[0]), "{letter}: {stroke}");
                    assert!(pair[1].is_ascii_digit(), "{letter}: {stroke}");
                }
            }
        }
    }
}
