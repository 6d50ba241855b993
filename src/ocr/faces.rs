//! Characters told apart by how wide they are in this very line.
//!
//! The network knows a character by its shape and its neighbours, and hardly by how
//! wide it is: beside capitals a zero becomes an O, although the O of nearly every
//! face is a third wider than its digits, and the I a third as wide as the 1. The
//! other characters of a line tell its face and its scale; which of two characters
//! stands in a doubtful place is then weighed by both, what the network says and
//! what its width says. In a face of which all characters are equally wide the
//! width says nothing, and the network decides.

use super::Strip;
use super::ctc::{Output, Sign};
use super::ink::Ink;
use super::pattern::Automaton;

/// Characters of which the widths are known, in the order of [`FACES`].
const KNOWN: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// Those that are told apart here. (Of others that look alike, such as 5 and S, the
/// widths differ less than paper and camera change them.)
const GROUPS: [&str; 2] = ["0O", "1I"];
/// Natural logarithm of their widths, times 100, in the middle of 16 groups of
/// faces: 184 fonts of 39 families that Debian has, sans, serif, condensed and
/// monospaced, grouped by k-means, each family counting as much as the root of its
/// number of fonts (`bench/text/faces.py`; none is a font of the bench).
#[rustfmt::skip]
const FACES: [[i16; 36]; 16] = [
    [-7, -60, -7, -8, -2, -9, -8, -7, -7, -8, 21, 4, 13, 9, -5, -9, 16, 9, -139, -17, 12, -12, 30, 9, 21, 1, 23, 8, 6, 8, 6, 18, 53, 16, 16, 4],
    [1, -12, -3, -1, 1, -5, -2, -9, 0, -2, 11, -2, 7, 2, -13, -13, 9, -5, -12, -13, -4, -13, 13, -2, 10, -5, 12, -2, 6, 5, 2, 8, 19, 8, 9, -5],
    [-25, -47, -23, -28, -21, -27, -25, -24, -28, -25, 21, 3, 9, 19, 3, -4, 21, 25, -57, -31, 23, 3, 43, 24, 19, 0, 20, 16, -16, 5, 22, 20, 49, 16, 16, 3],
    [-1, -21, -7, -8, 2, -11, -4, -7, -5, -7, 23, -1, 7, 13, -17, -18, 15, 9, -132, -45, 7, -21, 38, 13, 28, -6, 32, 5, -10, 3, 10, 22, 61, 18, 14, 1],
    [1, -72, -2, -1, 9, -5, -1, -2, 2, -1, 21, 3, 14, 12, -11, -11, 17, 9, -191, -28, 9, -17, 37, 12, 23, -3, 26, 5, 4, 12, 9, 21, 64, 16, 16, 6],
    [-19, -22, -15, -16, -18, -15, -19, -21, -19, -19, 19, 7, 2, 6, 4, 4, 7, 11, -20, 6, 14, 3, 23, 16, 7, 1, 7, 14, -9, -1, 11, 19, 20, 13, 8, -11],
    [5, -40, -3, -4, 0, 0, 0, -6, 1, -1, 11, 0, 5, 2, -3, -4, 7, 0, -26, -1, 4, -11, 2, 0, 7, 0, 8, 1, 2, 4, -2, 10, 13, 11, 8, 0],
    [0, 1, 1, 1, -5, 1, 0, 0, 0, 0, 1, 0, 1, 1, 1, 1, 0, 0, 2, -11, 1, 1, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 1],
    [0, -11, -9, -9, 1, -12, -2, -7, -2, -2, 13, -1, -2, 2, -6, -7, 3, 0, -14, -12, 6, -5, 6, 0, 5, -1, 9, 5, -5, 6, -1, 11, 16, 13, 12, -2],
    [7, -36, 2, 9, 5, -2, 6, 5, 7, 5, 3, 9, -11, -7, -2, -16, 3, -1, -14, -21, 7, -1, 11, 4, 6, 3, 5, -2, -4, 5, 3, 6, 8, 4, -3, -2],
    [-12, -41, -19, -20, -7, -22, -13, -15, -12, -13, 19, 3, 8, 11, 4, -4, 15, 10, -64, -16, 11, -7, 27, 6, 17, -3, 23, 14, -1, 7, 7, 16, 47, 16, 13, -3],
    [-2, 0, 1, -3, -7, -5, 4, 3, 3, 4, 10, -2, -3, -6, -8, -4, -3, -8, -14, 0, 3, -7, 0, -7, -5, 1, -2, 0, 1, 8, -7, 10, 19, 14, 16, -5],
    [-1, -84, -6, -3, 3, 0, 1, -17, -5, 1, 35, -6, 36, 19, -22, -29, 44, 6, -151, -24, 3, -29, 42, 16, 43, -4, 45, -1, -7, -20, 0, 29, 59, 21, 18, -10],
    [18, -164, 3, 8, 16, 3, 8, 9, 8, 8, 18, 6, 9, 6, 7, 0, 6, 4, -164, -21, 7, 3, 25, 6, 18, 3, 18, 8, 7, 18, 4, 18, 45, 8, 12, 8],
    [3, -11, -5, -14, -3, -14, -2, -4, 3, -2, 20, 5, -10, 6, -4, -4, -8, -2, -11, -8, -4, 4, 15, -2, -10, -4, 3, 4, -4, 16, -10, 20, 15, 12, 16, -2],
    [7, -20, -4, -4, 11, -11, -4, -1, -3, -8, 27, -3, 22, 22, -11, -11, 26, 13, -220, -44, 7, -20, 37, 13, 34, -12, 38, 0, -10, 16, 11, 27, 71, 18, 17, 10],
];
/// Part of the fonts of each group of which the zero has a dot or a slash inside, at
/// least one in 20: there are other fonts.
const DOTTED: [f64; 16] = [
    0.05, 0.79, 0.05, 0.05, 0.05, 0.05, 0.95, 0.45, 0.68, 0.05, 0.45, 0.95, 0.05, 0.05, 0.95, 0.05,
];
/// How far (standard deviation of the logarithm) a width lies from its group's in the
/// fonts above, and how far what paper and camera do moves it.
const OWN: f64 = 0.04;
const OWN_I: f64 = 0.12;
const OWN_1: f64 = 0.09;
const PAPER: f64 = 0.09;
/// Part of the widths that are anything (a speck beside it, a stroke that is gone),
/// and their range.
const ODD: f64 = 0.02;
const RANGE: f64 = 2.0;
/// Ink in the middle of a hollow character and of a dotted zero, each with its
/// standard deviation: 1850 doubtful places in seeded lines of the bench under all
/// faults (seed 77). The part of those that are anything is the same.
const HOLLOW: [f64; 2] = [0.03, 0.07];
const FILLED: [f64; 2] = [0.55, 0.13];
/// Characters that a line needs beside the doubtful ones to tell its face by.
const FEW: usize = 3;
/// A character of which the network says less than this, for each part that it says
/// for the one it chose, is no rival.
const LEAST: f64 = 1e-5;
/// The network is surer of such characters than it should be: its odds count with
/// this power. (Seeded lots of random letters and digits, seed 77, under all faults:
/// flat between 0.25 and 0.5; so is `PAPER` between 0.07 and 0.1.)
const TRUST: f64 = 0.35;

/// A place in a text where one of several characters stands.
struct Open {
    at: usize,
    /// The first is the one that was read.
    ways: Vec<Way>,
    /// What the network alone gives the first.
    said: f64,
}

/// One of them, with its place in [`KNOWN`] and its odds, which sum up to 1.
struct Way {
    sign: Sign,
    number: usize,
    odds: f64,
}

/// What the picture shows of a character: the logarithm of its width, and the ink in
/// its middle.
#[derive(Clone, Copy)]
struct Seen {
    width: f64,
    middle: Option<f64>,
}

/// Sets `signs` right, of which `peaks` are the steps and `places` the columns. By how
/// much more probable the whole has become (natural logarithm).
pub(super) fn weigh(
    said: Output<'_>,
    signs: &mut [Sign],
    peaks: &[usize],
    places: &[usize],
    ink: &Ink,
    pattern: &Automaton,
    strip: &Strip,
) -> f64 {
    let mut open = rivals(said, signs, peaks, pattern);
    if open.is_empty() {
        return 0.0;
    }
    let mut seen = look(strip, ink, places);
    let apart = |seen: &[Option<Seen>]| seen.iter().flatten().count();
    if apart(&seen) < seen.len()
        && let Some(full) = ink.full(strip)
    {
        let other = look(strip, &full, places);
        if apart(&other) > apart(&seen) {
            seen = other;
        }
    }
    open.retain(|open| seen[open.at].is_some());
    let text: Vec<char> = signs.iter().map(|sign| sign.character).collect();
    let Some(weighed) = posterior(&text, &seen, &open) else {
        return 0.0;
    };
    let mut gain = 0.0;
    for (open, odds) in open.into_iter().zip(weighed) {
        // The first of equal ones.
        let best = (0..odds.len())
            .rev()
            .max_by(|&a, &b| odds[a].total_cmp(&odds[b]))
            .unwrap_or(0);
        gain += (odds[best] / open.said).ln();
        if let Some(way) = open.ways.into_iter().nth(best) {
            signs[open.at] = way.sign;
        }
    }
    gain
}

/// Where the pattern allows what the network finds possible as well.
fn rivals(said: Output<'_>, signs: &[Sign], peaks: &[usize], pattern: &Automaton) -> Vec<Open> {
    let mut open = Vec::new();
    let mut state = pattern.start();
    for (at, sign) in signs.iter().enumerate() {
        let fits = |other: char| {
            let mut way = pattern.step(state, other);
            for next in &signs[at + 1..] {
                way = way.and_then(|state| pattern.step(state, next.character));
            }
            way.is_some_and(|state| pattern.accepts(state))
        };
        let allowed = |c| pattern.step(state, c).is_some();
        let most = |sign: &Sign| {
            let from = match at {
                0 => peaks[at].saturating_sub(1),
                _ => peaks[at].saturating_sub(1).max(peaks[at - 1] + 1),
            };
            let to = (peaks[at] + 1).min(said.steps() - 1);
            let to = peaks.get(at + 1).map_or(to, |&next| to.min(next - 1));
            (from..=to).fold(0.0, |most, step| sign.at(said, step).max(most))
        };
        if let Some(known) = number(sign.character) {
            let now = most(sign);
            let mut ways = vec![Way {
                sign: sign.clone(),
                number: known,
                odds: 1.0,
            }];
            let mut sum = 1.0;
            let group = GROUPS.iter().find(|group| group.contains(sign.character));
            let others = group.map_or("", |group| group).chars();
            for other in others.filter(|&other| other != sign.character) {
                let Some(number) = number(other).filter(|_| fits(other)) else {
                    continue;
                };
                let Some(sign) = Sign::of(other, said.alphabet(), allowed) else {
                    continue;
                };
                let ratio = f64::from(most(&sign) / now);
                if ratio >= LEAST && ratio.is_finite() {
                    sum += ratio;
                    let odds = ratio.powf(TRUST);
                    ways.push(Way { sign, number, odds });
                }
            }
            if ways.len() > 1 {
                let all: f64 = ways.iter().map(|way| way.odds).sum();
                ways.iter_mut().for_each(|way| way.odds /= all);
                let said = 1.0 / sum;
                open.push(Open { at, ways, said });
            }
        }
        match pattern.step(state, sign.character) {
            Some(to) => state = to,
            None => break,
        }
    }
    open
}

/// What is seen of each character; `None` where it touches another.
fn look(strip: &Strip, ink: &Ink, places: &[usize]) -> Vec<Option<Seen>> {
    let mut gaps = vec![Some(0)];
    for pair in places.windows(2) {
        let (middle, gap) = ink.widest_gap(pair[0], pair[1]);
        gaps.push((gap > 0).then_some(middle));
    }
    gaps.push(Some(ink.columns.len()));
    gaps.windows(2)
        .map(|pair| {
            let (from, to) = ink.inked_between(pair[0]?, pair[1]?)?;
            Some(Seen {
                width: ((to - from) as f64).ln(),
                middle: middle(strip, ink, from, to),
            })
        })
        .collect()
}

/// Odds of the characters of each open place; `None` if the line has too few others.
fn posterior(text: &[char], seen: &[Option<Seen>], open: &[Open]) -> Option<Vec<Vec<f64>>> {
    let known: Vec<(usize, Seen)> = (0..text.len())
        .filter(|at| open.iter().all(|open| open.at != *at))
        .filter_map(|at| Some((number(text[at])?, seen[at]?)))
        .collect();
    if known.len() < FEW {
        return None;
    }
    let mut odds: Vec<Vec<f64>> = open.iter().map(|open| vec![0.0; open.ways.len()]).collect();
    let mut worlds = Vec::new();
    let mut offs = Vec::new();
    for (face, dotted) in FACES.iter().zip(DOTTED) {
        offs.clear();
        offs.extend(
            known
                .iter()
                .map(|(number, seen)| seen.width - typical(face, *number)),
        );
        offs.sort_unstable_by(f64::total_cmp);
        let scale = (offs[(offs.len() - 1) / 2] + offs[offs.len() / 2]) / 2.0;
        for (dots, prior) in [(false, 1.0 - dotted), (true, dotted)] {
            let likely = |number: usize, seen: &Seen| {
                wide(number, seen.width - typical(face, number) - scale)
                    * seen
                        .middle
                        .map_or(1.0, |middle| filled(number, middle, dots))
            };
            let mut ln = f64::ln(prior);
            ln += known
                .iter()
                .map(|(number, seen)| likely(*number, seen).ln())
                .sum::<f64>();
            let parts: Vec<Vec<f64>> = open
                .iter()
                .map(|open| {
                    let parts: Vec<f64> = open
                        .ways
                        .iter()
                        .map(|way| {
                            let likely = seen[open.at]
                                .as_ref()
                                .map_or(1.0, |seen| likely(way.number, seen));
                            way.odds * likely
                        })
                        .collect();
                    let sum: f64 = parts.iter().sum();
                    ln += sum.ln();
                    parts.into_iter().map(|part| part / sum).collect()
                })
                .collect();
            worlds.push((ln, parts));
        }
    }
    let most = worlds.iter().map(|world| world.0).fold(f64::MIN, f64::max);
    let whole: f64 = worlds.iter().map(|world| (world.0 - most).exp()).sum();
    for (ln, parts) in worlds {
        let weight = (ln - most).exp() / whole;
        for (odds, parts) in odds.iter_mut().zip(parts) {
            for (odds, part) in odds.iter_mut().zip(parts) {
                *odds += weight * part;
            }
        }
    }
    Some(odds)
}

/// Logarithm of the width in a group, but for the scale.
fn typical(face: &[i16; 36], number: usize) -> f64 {
    f64::from(face[number]) / 100.0
}

/// How probable a width is that lies so far from its group's.
fn wide(number: usize, off: f64) -> f64 {
    let own = match number {
        1 => OWN_1,
        18 => OWN_I,
        _ => OWN,
    };
    ODD / RANGE + (1.0 - ODD) * bell(off, (own * own + PAPER * PAPER).sqrt())
}

/// How probable so much ink in the middle is; the same for all that are no zero and
/// not hollow either.
fn filled(number: usize, middle: f64, dots: bool) -> f64 {
    let [mean, spread] = match (number, dots) {
        (0, true) => FILLED,
        // 0, D, O, Q.
        (0 | 13 | 24 | 26, _) => HOLLOW,
        _ => return 1.0,
    };
    ODD + (1.0 - ODD) * bell(middle - mean, spread)
}

/// The normal distribution.
fn bell(off: f64, spread: f64) -> f64 {
    let by = off / spread;
    (-by * by / 2.0).exp() / (spread * std::f64::consts::TAU.sqrt())
}

/// How much ink lies in the middle of the character between two columns: 0 as on the
/// ground, 1 as in its strokes.
fn middle(strip: &Strip, ink: &Ink, from: usize, to: usize) -> Option<f64> {
    let luma = strip.luma();
    let (top, bottom) = ink.rows;
    let mut values: Vec<u8> = (top..bottom)
        .flat_map(|y| luma.row(y)[from..to].iter().copied())
        .collect();
    values.sort_unstable();
    let at = |percent: usize| f64::from(values[(values.len() - 1) * percent / 100]);
    let (dark, light) = (at(5), at(95));
    let (ground, stroke) = if ink.darker {
        (light, dark)
    } else {
        (dark, light)
    };
    if ground == stroke {
        return None;
    }
    let part = |x: usize, y: usize| (f64::from(luma.row(y)[x]) - ground) / (stroke - ground);
    // The line may bow: the character's own rows.
    let mut inked =
        (top..bottom).filter(|&y| (from..to).filter(|&x| part(x, y) > 0.5).count() >= 2);
    let first = inked.next()?;
    let last = inked.next_back()? + 1;
    let (high, wide) = (last - first, to - from);
    if high < 12 || wide < 8 {
        return None;
    }
    let columns = from + wide * 38 / 100..to - wide * 38 / 100;
    let rows = first + high * 42 / 100..last - high * 42 / 100;
    let count = columns.len() * rows.len();
    let sum: f64 = rows
        .flat_map(|y| columns.clone().map(move |x| (x, y)))
        .map(|(x, y)| part(x, y))
        .sum();
    Some(sum / count as f64)
}

/// Which of the known characters it is.
fn number(character: char) -> Option<usize> {
    KNOWN.find(character)
}

#[cfg(test)]
mod tests {
    use super::super::ctc::Alphabet;
    use super::*;
    use crate::frame::Luma;
    use crate::geometry::{Point, Quad};
    use proptest::prelude::*;

    /// A place where one of two stands, of which the network gives the first `odds`.
    fn open(at: usize, pair: [char; 2], odds: f64) -> Open {
        let alphabet = Alphabet::new(KNOWN.chars().chain([' ']));
        let way = |character, odds| Way {
            sign: Sign::of(character, &alphabet, |_| true).expect("known"),
            number: number(character).expect("known"),
            odds,
        };
        Open {
            at,
            ways: vec![way(pair[0], odds), way(pair[1], 1.0 - odds)],
            said: odds,
        }
    }

    /// What `text` would show in a group of faces, at some scale.
    fn shown(text: &str, face: usize) -> Vec<Option<Seen>> {
        let seen = |character| {
            let width = typical(&FACES[face], number(character)?) + 3.1;
            Some(Seen {
                width,
                middle: Some(0.02),
            })
        };
        text.chars().map(seen).collect()
    }

    /// The group in which O and 0 differ most in width, or least.
    fn group(most: bool) -> usize {
        let difference = |face: &[i16; 36]| face[24] - face[0];
        let groups = 0..FACES.len();
        match most {
            true => groups.max_by_key(|&at| difference(&FACES[at])),
            false => groups.min_by_key(|&at| difference(&FACES[at]).abs()),
        }
        .expect("groups")
    }

    #[test]
    fn the_width_tells_an_o_from_a_zero_where_the_face_does() {
        for (truth, read) in [("LOT8O63K", "LOT8063K"), ("LOT8063K", "LOT8O63K")] {
            let text: Vec<char> = read.chars().collect();
            let pair = [text[4], truth.chars().nth(4).expect("long enough")];
            let odds = |face| {
                posterior(&text, &shown(truth, face), &[open(4, pair, 0.9)]).expect("enough")[0][1]
            };
            assert!(odds(group(true)) > 0.9, "{read}: {}", odds(group(true)));
        }
        // Where both are equally wide the network decides.
        let text: Vec<char> = "LOT8O63K".chars().collect();
        let seen = shown("LOT8063K", group(false));
        let odds = posterior(&text, &seen, &[open(4, ['O', '0'], 0.9)]).expect("enough");
        assert!(odds[0][0] > 0.5, "{odds:?}");
        // Too few others tell nothing.
        let seen = shown("LO0", group(true));
        assert!(posterior(&text[..3], &seen, &[open(1, ['O', '0'], 0.9)]).is_none());
    }

    #[test]
    fn ink_in_the_middle_is_a_zero_and_makes_hollow_ones_letters() {
        let text: Vec<char> = "LOT70635".chars().collect();
        let mut seen = shown("LOT70635", group(false));
        let hollow = posterior(&text, &seen, &[open(4, ['O', '0'], 0.9)]).expect("enough");
        if let Some(seen) = &mut seen[4] {
            seen.middle = Some(0.6);
        }
        let dotted = posterior(&text, &seen, &[open(4, ['O', '0'], 0.9)]).expect("enough");
        assert!(
            hollow[0][0] > 0.5 && dotted[0][1] > 0.8,
            "{hollow:?} {dotted:?}"
        );
        // Beside a zero with a dot a hollow one is a letter, whatever was read.
        let text: Vec<char> = "LOT70605".chars().collect();
        let mut seen = shown("LOT70605", group(false));
        if let Some(seen) = &mut seen[6] {
            seen.middle = Some(0.6);
        }
        let both = [open(4, ['0', 'O'], 0.8), open(6, ['0', 'O'], 0.8)];
        let odds = posterior(&text, &seen, &both).expect("enough");
        assert!(odds[0][1] > 0.8 && odds[1][0] > 0.8, "{odds:?}");
    }

    #[test]
    fn the_middle_of_a_ring_is_hollow_until_something_stands_in_it() {
        let draw = |dot: bool| {
            let pixels: Vec<u8> = (0..120 * 48)
                .map(|at| {
                    let (x, y) = ((at % 120) as f32 - 60.0, (at / 120) as f32 - 24.0);
                    let from = ((x / 11.0).powi(2) + (y / 17.0).powi(2)).sqrt();
                    let inside = (0.7..1.0).contains(&from) || (dot && from < 0.3);
                    if inside { 30 } else { 200 }
                })
                .collect();
            let luma = Luma::new(&pixels, 120, 48, 120).expect("fits");
            let corners = [(0.0, 0.0), (120.0, 0.0), (120.0, 48.0), (0.0, 48.0)];
            let corners = Quad(corners.map(|(x, y)| Point::new(x, y)));
            let strip = Strip::cut(luma, &corners).expect("inside");
            let ink = Ink::of(&strip).expect("ink");
            let (from, to) = ink.inked_between(0, 120).expect("inked");
            middle(&strip, &ink, from, to).expect("large enough")
        };
        assert!(
            draw(false) < 0.1 && draw(true) > 0.4,
            "{} {}",
            draw(false),
            draw(true)
        );
    }

    proptest! {
        #[test]
        fn any_widths_give_odds(
            text in "[0-9A-Z]{1,12}",
            values in prop::collection::vec((prop_oneof![-50.0f64..50.0, Just(f64::INFINITY)], -9.0f64..9.0), 12),
            at in 0usize..12,
        ) {
            let text: Vec<char> = text.chars().collect();
            let seen: Vec<Option<Seen>> = values[..text.len()]
                .iter()
                .map(|&(width, middle)| width.is_finite().then_some(Seen { width, middle: Some(middle) }))
                .collect();
            if let Some(odds) = posterior(&text, &seen, &[open(at % text.len(), ['I', '1'], 0.3)]) {
                let sum: f64 = odds[0].iter().sum();
                prop_assert!((sum - 1.0).abs() < 1e-6, "{odds:?}");
            }
        }
    }
}
