//! Reed–Solomon correction of one block, errors and erasures together
//! (ISO/IEC 18004, 7.5 and annex B). It knows codewords and places, nothing of
//! modules or confidences.

use super::galois::{EXP, LOG, div, mul, power};

/// Most parity codewords of a block (ISO/IEC 18004, table 9).
pub const MAX_PARITY: usize = 30;
/// Most codewords of a block: the length of the code.
pub const MAX_BLOCK: usize = 255;

/// Syndromes of a block; all zero says that it is a codeword.
pub type Syndromes = [u8; MAX_PARITY];

/// Syndromes of `word` for the first `parity` powers of the primitive element.
/// `parity` is at most [`MAX_PARITY`].
pub fn syndromes(word: &[u8], parity: usize) -> Syndromes {
    let mut result = [0; MAX_PARITY];
    let sums = &mut result[..parity];
    for &codeword in word {
        for (power, sum) in sums.iter_mut().enumerate() {
            *sum = EXP[usize::from(LOG[usize::from(*sum)]) + power] ^ codeword;
        }
    }
    result
}

/// Corrects `word` in place, whose last `parity` codewords are parity and whose
/// syndromes are `syndromes`. The places in `erased` (indices into `word`, all
/// different) are not believed; beside them at most `max_errors` codewords may
/// be wrong. Returns how many were, or `None`, with `word` as it was, if there
/// is no codeword within that bound.
///
/// It corrects everything with 2e + s <= `parity` and e <= `max_errors`.
pub fn correct(
    word: &mut [u8],
    parity: usize,
    syndromes: &Syndromes,
    erased: &[u8],
    max_errors: usize,
) -> Option<usize> {
    let (length, erasures) = (word.len(), erased.len());
    if parity > MAX_PARITY || length > MAX_BLOCK || length <= parity || erasures > parity {
        return None;
    }
    if syndromes[..parity].iter().all(|&s| s == 0) {
        return Some(0);
    }
    let (locator, degree) = error_locator(syndromes, parity, length, erased);
    let errors = degree.checked_sub(erasures)?;
    if errors > max_errors || 2 * errors + erasures > parity || locator[degree] == 0 {
        return None;
    }
    let evaluator = evaluator(syndromes, parity, &locator, degree);

    // Chien search over the places of this (shortened) block alone: a root
    // elsewhere means that there were too many errors.
    let mut found = 0;
    let mut changes = [(0usize, 0u8); MAX_PARITY];
    for place in 0..length {
        let exponent = length - 1 - place;
        let inverse = (255 - exponent) % 255;
        if evaluate(&locator[..=degree], inverse) != 0 {
            continue;
        }
        if found == degree {
            return None;
        }
        // Forney's formula with the first root at the zeroth power.
        let slope = derivative(&locator[..=degree], inverse);
        if slope == 0 {
            return None;
        }
        let value = mul(
            power(exponent),
            div(evaluate(&evaluator[..parity], inverse), slope),
        );
        changes[found] = (place, value);
        found += 1;
    }
    if found != degree {
        return None;
    }
    for &(place, value) in &changes[..found] {
        word[place] ^= value;
    }
    if self::syndromes(word, parity)[..parity]
        .iter()
        .any(|&s| s != 0)
    {
        for &(place, value) in &changes[..found] {
            word[place] ^= value;
        }
        return None;
    }
    Some(errors)
}

/// Berlekamp–Massey started from the erasures' own locator: the polynomial whose
/// roots are the inverses of all wrong places, lowest power first, and the
/// number of places it claims.
fn error_locator(
    syndromes: &Syndromes,
    parity: usize,
    length: usize,
    erased: &[u8],
) -> ([u8; MAX_PARITY + 1], usize) {
    let mut locator = [0u8; MAX_PARITY + 1];
    locator[0] = 1;
    for (count, &place) in erased.iter().enumerate() {
        let root = power(length.saturating_sub(1 + usize::from(place)));
        for i in (1..=count + 1).rev() {
            locator[i] ^= mul(locator[i - 1], root);
        }
    }
    let erasures = erased.len();
    let mut degree = erasures;
    let mut previous = locator;
    for step in erasures..parity {
        let mut discrepancy = 0;
        for i in 0..=degree.min(step) {
            discrepancy ^= mul(locator[i], syndromes[step - i]);
        }
        previous.copy_within(0..MAX_PARITY, 1);
        previous[0] = 0;
        if discrepancy == 0 {
            continue;
        }
        let before = locator;
        for i in 0..=MAX_PARITY {
            locator[i] ^= mul(discrepancy, previous[i]);
        }
        if 2 * degree <= step + erasures {
            degree = step + 1 + erasures - degree;
            for i in 0..=MAX_PARITY {
                previous[i] = div(before[i], discrepancy);
            }
        }
    }
    (locator, degree.min(MAX_PARITY))
}

/// Syndromes times locator, modulo x^parity.
fn evaluator(
    syndromes: &Syndromes,
    parity: usize,
    locator: &[u8; MAX_PARITY + 1],
    degree: usize,
) -> [u8; MAX_PARITY] {
    let mut result = [0; MAX_PARITY];
    for (i, value) in result[..parity].iter_mut().enumerate() {
        for j in 0..=degree.min(i) {
            *value ^= mul(locator[j], syndromes[i - j]);
        }
    }
    result
}

/// A polynomial's value at the `exponent`-th power of the primitive element.
fn evaluate(polynomial: &[u8], exponent: usize) -> u8 {
    polynomial.iter().rev().fold(0, |sum, &coefficient| {
        EXP[usize::from(LOG[usize::from(sum)]) + exponent] ^ coefficient
    })
}

/// Value of the formal derivative there: odd powers only, in characteristic two.
fn derivative(polynomial: &[u8], exponent: usize) -> u8 {
    let mut sum = 0;
    for (i, &coefficient) in polynomial.iter().enumerate().skip(1).step_by(2) {
        sum ^= mul(coefficient, power(exponent * (i - 1)));
    }
    sum
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn block(random: &mut fastrand::Rng, data: usize, parity: usize) -> Vec<u8> {
        let mut word: Vec<u8> = (0..data).map(|_| random.u8(..)).collect();
        word.extend(qrcode::ec::create_error_correction_code(&word, parity));
        word
    }

    /// Different places of a block, `count` of them.
    fn places(random: &mut fastrand::Rng, length: usize, count: usize) -> Vec<u8> {
        random
            .choose_multiple(0..length, count)
            .into_iter()
            .map(|place| place as u8)
            .collect()
    }

    #[test]
    fn corrects_everything_up_to_the_bound() {
        let mut random = fastrand::Rng::with_seed(1);
        for parity in [2, 5, 7, 10, 13, 16, 17, 18, 22, 26, 28, 30] {
            for data in [3usize, 9, 16, 43, 80, 122] {
                for erasures in 0..=parity {
                    for errors in 0..=(parity - erasures) / 2 {
                        if erasures + errors > data + parity {
                            continue;
                        }
                        let whole = block(&mut random, data, parity);
                        let mut word = whole.clone();
                        let places = places(&mut random, word.len(), erasures + errors);
                        for (i, &place) in places.iter().enumerate() {
                            // An erased codeword may happen to be right.
                            let least = u8::from(i >= erasures);
                            word[usize::from(place)] ^= random.u8(least..);
                        }
                        let sums = syndromes(&word, parity);
                        let found = correct(&mut word, parity, &sums, &places[..erasures], errors);
                        assert!(found.is_some_and(|found| found <= errors));
                        assert_eq!(word, whole, "parity {parity}, {errors} + {erasures}");
                    }
                }
            }
        }
    }

    #[test]
    fn never_goes_past_the_errors_it_may_correct() {
        let mut random = fastrand::Rng::with_seed(2);
        for _ in 0..2000 {
            let whole = block(&mut random, 28, 16);
            let mut word = whole.clone();
            let errors = random.usize(1..=8);
            for place in places(&mut random, word.len(), errors) {
                word[usize::from(place)] ^= random.u8(1..);
            }
            let damaged = word.clone();
            let sums = syndromes(&word, 16);
            assert_eq!(correct(&mut word, 16, &sums, &[], errors - 1), None);
            assert_eq!(word, damaged, "a refused block stays as it was");
        }
    }

    #[test]
    fn whatever_it_accepts_is_a_codeword_near_by() {
        let mut random = fastrand::Rng::with_seed(3);
        let mut accepted = 0;
        for _ in 0..200_000 {
            let length = random.usize(3..30);
            let parity = random.usize(1..length.min(6));
            let mut word: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
            let damaged = word.clone();
            let count = random.usize(0..=parity);
            let erased = places(&mut random, length, count);
            let limit = random.usize(0..4);
            let sums = syndromes(&word, parity);
            match correct(&mut word, parity, &sums, &erased, limit) {
                None => assert_eq!(word, damaged),
                Some(errors) => {
                    accepted += 1;
                    assert!(syndromes(&word, parity)[..parity].iter().all(|&s| s == 0));
                    let wrong = (0..length)
                        .filter(|&i| word[i] != damaged[i] && !erased.contains(&(i as u8)))
                        .count();
                    assert!(wrong <= errors && errors <= limit);
                    assert!(2 * errors + erased.len() <= parity || wrong == 0);
                }
            }
        }
        assert!(accepted > 1000, "{accepted}");
    }

    #[test]
    fn odd_arguments_are_refused() {
        let none = [0; MAX_PARITY];
        assert_eq!(correct(&mut [1, 2], 31, &none, &[], 1), None);
        assert_eq!(correct(&mut [1, 2], 2, &none, &[], 1), None);
        assert_eq!(correct(&mut [1, 2, 3], 1, &none, &[0, 1], 1), None);
    }
}
