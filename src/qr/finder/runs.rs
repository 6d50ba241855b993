//! Runs of equal colour along a line, and whether five of them are those
//! through the middle of a finder pattern: 1:1:3:1:1.

/// Do five runs look like dark, light, core, light, dark of a finder pattern?
///
/// Ink that spreads and thresholds that are off make all dark runs longer and
/// all light runs shorter by the same amount. So it is the sums of neighbours
/// that are judged (2, 4, 4, 2 modules), which do not change with it; each is
/// allowed one pixel of rounding and a share for perspective. `least` is how long
/// they must be, in twelfths of a module.
pub fn is_finder([a, b, c, d, e]: [i32; 5], least: i32) -> bool {
    if 2 * c < 3 * b.max(d) || 2 * c < a.min(e) + b.min(d) {
        return false;
    }
    // Twelve modules, each boundary between runs counted once on each side.
    let twelve = a + 2 * (b + c + d) + e;
    if twelve < least {
        return false;
    }
    let near = |sum: i32, modules: i32| {
        // Tolerance: 0.8 module on 2, 1.1 on 4, and one pixel.
        let share = if modules == 2 { 8 } else { 11 };
        (12 * sum - modules * twelve).abs() * 10 <= share * twelve + 120
    };
    near(a + b, 2)
        && near(b + c, 4)
        && near(c + d, 4)
        && near(d + e, 2)
        // The light ring is one ring: both sides alike.
        && (b - d).abs() * 12 <= twelve + 12
}

/// The same for a first look along a row, where the outer runs may have melted
/// into what lies around.
#[inline]
fn may_be_finder([a, b, c, d, e]: [i32; 5], least: i32) -> bool {
    c >= b && c >= d && a > 0 && is_finder([a, b, c, d, e], least)
}

/// Calls `found(end, runs, dark)` for each five runs of `words`, a row as bits,
/// that may be a finder pattern: `end` is where the last one ends, `dark` its
/// colour.
#[inline]
pub fn for_each_candidate(words: &[u64], least: i32, mut found: impl FnMut(i32, [i32; 5], bool)) {
    let mut runs = [0i32; 5];
    let (mut start, mut carry, mut colour) = (0i32, 0u64, false);
    for (index, &word) in words.iter().enumerate() {
        let mut changes = word ^ (word << 1 | carry);
        carry = word >> 63;
        while changes != 0 {
            let at = index as i32 * 64 + changes.trailing_zeros() as i32;
            changes &= changes - 1;
            runs = [runs[1], runs[2], runs[3], runs[4], at - start];
            start = at;
            if may_be_finder(runs, least) {
                found(at, runs, colour);
            }
            colour = !colour;
        }
    }
    if colour {
        let end = words.len() as i32 * 64;
        runs = [runs[1], runs[2], runs[3], runs[4], end - start];
        if may_be_finder(runs, least) {
            found(end, runs, colour);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finder_runs_of_all_sizes_pass_and_others_do_not() {
        for module in 2..40 {
            let m = module;
            assert!(is_finder([m, m, 3 * m, m, m], 14), "module {m}");
            let spread = m / 2;
            let runs = [
                m + spread,
                m - spread,
                3 * m + spread,
                m - spread,
                m + spread,
            ];
            assert!(is_finder(runs, 14), "module {m}, ink spread");
            assert!(!is_finder([m, m, m, m, m], 14), "timing, module {m}");
            assert!(!is_finder([m, 3 * m, m, 3 * m, m], 14));
            assert!(!is_finder([m, m, 20 * m, m, m], 14));
        }
        // Modules of 1.5 pixels, as they fall on the pixel grid.
        for runs in [
            [1, 2, 4, 2, 1],
            [2, 1, 5, 1, 2],
            [1, 2, 5, 1, 2],
            [2, 2, 4, 1, 1],
        ] {
            assert!(is_finder(runs, 14), "{runs:?}");
        }
        for runs in [[1, 1, 1, 1, 1], [1, 1, 2, 1, 1], [0, 0, 3, 0, 0]] {
            assert!(!is_finder(runs, 14), "{runs:?}");
        }
    }

    #[test]
    fn bits_and_runs_across_words() {
        // Light 60, then a finder pattern of module 3 across the word border.
        let mut pixels = vec![200u8; 150];
        for dark in [60..63, 66..75, 78..81] {
            pixels[dark].fill(20);
        }
        let words = |dark: fn(u8) -> bool| -> Vec<u64> {
            let word = |pixels: &[u8]| {
                let bits = pixels.iter().enumerate();
                bits.fold(0, |word, (i, &pixel)| word | u64::from(dark(pixel)) << i)
            };
            pixels.chunks(64).map(word).collect()
        };
        let mut seen = Vec::new();
        for_each_candidate(&words(|pixel| pixel < 100), 14, |end, runs, dark| {
            seen.push((end, runs, dark))
        });
        assert_eq!(seen, [(81, [3, 3, 9, 3, 3], true)]);
        seen.clear();
        for_each_candidate(&words(|pixel| pixel >= 100), 14, |end, runs, dark| {
            seen.push((end, runs, dark))
        });
        assert_eq!(seen, [(81, [3, 3, 9, 3, 3], false)]);
        for_each_candidate(&[], 14, |_, _, _| panic!("nothing is there"));
    }
}
