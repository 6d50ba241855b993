//! How likely error correction is to make a codeword out of nothing: the measure
//! by which attempts are rationed, so that no false read comes out of trying.

/// Probability that a random block of `length` codewords, `parity` of them
/// parity, is accepted when `erased` of them are not believed and up to `errors`
/// others may be corrected: the share of all words that lie that near to a
/// codeword. 1 where nothing is left to check against.
pub fn miscorrection(length: usize, parity: usize, erased: usize, errors: usize) -> f64 {
    let Some(spare) = parity.checked_sub(erased) else {
        return 1.0;
    };
    let mut term = 256f64.powi(-(spare.min(255) as i32));
    let mut sum = term;
    let places = length.saturating_sub(erased);
    for i in 0..errors.min(places) {
        term *= 255.0 * (places - i) as f64 / (i + 1) as f64;
        sum += term;
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::super::reed_solomon::{correct, syndromes};
    use super::*;

    #[test]
    fn known_values() {
        // 1-L corrects two errors with seven parity codewords: about 3e-10.
        let risk = miscorrection(26, 7, 0, 2);
        assert!((2.9e-10..3.1e-10).contains(&risk), "{risk}");
        assert_eq!(miscorrection(26, 7, 7, 0), 1.0);
        assert_eq!(miscorrection(26, 7, 8, 0), 1.0);
        assert!((miscorrection(26, 7, 5, 0) - 1.0 / 65536.0).abs() < 1e-12);
    }

    #[test]
    fn random_words_are_accepted_as_often_as_it_says() {
        let mut random = fastrand::Rng::with_seed(5);
        for (length, parity, erased, errors) in
            [(20, 3, 1, 1), (26, 4, 0, 2), (26, 4, 2, 1), (15, 2, 1, 0)]
        {
            let trials = 200_000;
            let places: Vec<u8> = (0..erased as u8).collect();
            let accepted = (0..trials)
                .filter(|_| {
                    let mut word: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
                    let sums = syndromes(&word, parity);
                    correct(&mut word, parity, &sums, &places, errors).is_some()
                })
                .count() as f64;
            let expected = f64::from(trials) * miscorrection(length, parity, erased, errors);
            assert!(
                (accepted - expected).abs() < 5.0 * expected.sqrt(),
                "{accepted} of {trials}, expected {expected}"
            );
        }
    }
}
