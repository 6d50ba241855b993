//! How a text lies over the steps, and how probable it is.

use super::{Output, Sign};

/// A text laid over the steps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aligned {
    /// Natural logarithm of the text's probability: all paths together.
    pub(crate) ln: f64,
    /// For each character the step that shows it most clearly on the best path.
    pub(crate) peaks: Vec<usize>,
}

/// Lays `signs` over the steps; `None` if there are more of them than steps can
/// hold.
pub(crate) fn align(output: Output<'_>, signs: &[Sign]) -> Option<Aligned> {
    // States: blank, character, blank, character, …, blank.
    let states = 2 * signs.len() + 1;
    let steps = output.steps();
    let value = |state: usize, step: usize| {
        if state.is_multiple_of(2) {
            f64::from(output.blank(step))
        } else {
            f64::from(signs[state / 2].at(output, step))
        }
    };
    // From the state before the last one only to another character.
    let leaps = |state: usize| {
        state % 2 == 1 && state >= 3 && signs[state / 2].character != signs[state / 2 - 1].character
    };
    let mut sums = vec![0.0; states];
    let mut best = vec![f64::NEG_INFINITY; states];
    let mut from = vec![0u8; states * steps];
    sums[0] = 1.0;
    best[0] = 0.0;
    let mut ln = 0.0;
    for step in 0..steps {
        // From high to low, so that what is read is still the step before.
        for state in (0..states).rev() {
            let mut sum = sums[state];
            let (mut way, mut most) = (0, best[state]);
            // Before the first step only the first two states are entered.
            if step == 0 {
                sum = if state <= 1 { 1.0 } else { 0.0 };
                most = if state <= 1 { 0.0 } else { f64::NEG_INFINITY };
            } else {
                if state >= 1 {
                    sum += sums[state - 1];
                    if best[state - 1] > most {
                        (way, most) = (1, best[state - 1]);
                    }
                }
                if leaps(state) {
                    sum += sums[state - 2];
                    if best[state - 2] > most {
                        (way, most) = (2, best[state - 2]);
                    }
                }
            }
            let value = value(state, step);
            sums[state] = sum * value;
            best[state] = most + value.max(1e-30).ln();
            from[step * states + state] = way;
        }
        let scale: f64 = sums.iter().sum();
        if scale <= 0.0 || !scale.is_finite() {
            return None;
        }
        sums.iter_mut().for_each(|sum| *sum /= scale);
        ln += scale.ln();
    }
    let end = sums[states - 1] + if states > 1 { sums[states - 2] } else { 0.0 };
    if end <= 0.0 {
        return None;
    }
    ln += end.ln();

    let mut state = states - 1;
    if states > 1 && best[states - 2] > best[states - 1] {
        state = states - 2;
    }
    let mut peaks = vec![(0, -1.0); signs.len()];
    for step in (0..steps).rev() {
        if state % 2 == 1 {
            let value = value(state, step);
            let peak = &mut peaks[state / 2];
            if value > peak.1 {
                *peak = (step, value);
            }
        }
        state -= usize::from(from[step * states + state]);
    }
    Some(Aligned {
        ln,
        peaks: peaks.iter().map(|&(step, _)| step).collect(),
    })
}
