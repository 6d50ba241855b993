//! How sure a text is.

/// Of the text's probability (`ln`, natural logarithm), its `share` among the texts
/// that fit the pattern, and its `length` in characters: the share of such texts
/// that are right.
pub(super) fn of(ln: f64, share: f32, length: usize) -> f32 {
    let each = (ln / length.max(1) as f64) as f32;
    let share = share.clamp(0.0, 1.0);
    let score =
        BIAS + BY_TEXT * (ln as f32).max(-40.0) + BY_CHARACTER * each.max(-10.0) + BY_SHARE * share;
    1.0 / (1.0 + (-score).exp())
}

const BIAS: f32 = 1.5;
const BY_TEXT: f32 = 0.3;
const BY_CHARACTER: f32 = 6.0;
const BY_SHARE: f32 = 3.0;
