//! How sure a text is.
//!
//! What the network says of a text is no probability that can be believed: it says
//! 0.999 of texts that are wrong in one of fifty. Which share is right was fitted
//! by logistic regression to 3600 lines of the text bench (seeds of their own, all
//! kinds of text and fault); the bench prints how well it holds.

/// Odds (natural logarithm) of themselves, for the logarithm of the doubt in the
/// text, and with a pattern for that of the doubt whether another text fits.
const BASE: f32 = -0.29;
const BY_DOUBT: f32 = -1.35;
const BY_OTHERS: f32 = -0.77;
/// Smallest doubts: beyond them the fit has nothing to go by.
const LEAST_DOUBT: f32 = 0.01;
const LEAST_OTHERS: f32 = 0.02;

/// `ln` is the natural logarithm of the text's probability, `share` its part among
/// the texts that fit the pattern, if there is one.
pub(super) fn of(ln: f64, share: Option<f32>) -> f32 {
    let doubt = (-ln as f32).clamp(0.0, 40.0) + LEAST_DOUBT;
    let others = share.map_or(0.0, |share| {
        let others = (1.0 - share).clamp(0.0, 1.0) + LEAST_OTHERS;
        BY_OTHERS * others.ln()
    });
    let odds = BASE + BY_DOUBT * doubt.ln() + others;
    1.0 / (1.0 + (-odds).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubt_and_rivals_make_it_smaller() {
        let sure = of(0.0, None);
        assert!(sure > 0.99 && sure < 1.0);
        assert!(of(-1.0, None) < 0.5);
        assert!(of(0.0, Some(1.0)) > sure);
        assert!(of(-0.5, Some(0.5)) < of(-0.5, Some(0.99)));
        for odd in [f64::NAN, f64::NEG_INFINITY, 5.0] {
            let told = of(odd, Some(2.0));
            assert!(told.is_nan() || told <= 1.0, "{odd}: {told}");
        }
    }
}
