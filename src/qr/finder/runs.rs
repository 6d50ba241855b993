//! Runs of equal colour along a line, and whether five of them are those
//! through the middle of a finder pattern: 1:1:3:1:1.

use crate::optics::widest;

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

/// Runs longer than this are taken for so long in the first look at all of them.
/// Patterns that large are found on a coarser level.
const LONG: i32 = 300;

/// Finds, in rows of bits, five runs that may be a finder pattern, with memory that
/// it keeps.
#[derive(Debug, Default)]
pub struct Candidates {
    edges: Vec<i32>,
    lengths: Vec<i16>,
    likely: Vec<u8>,
}

impl Candidates {
    /// Calls `found(end, runs, dark)` for each five runs of `words`, a row as bits,
    /// that may be a finder pattern: `end` is where the last one ends, `dark` its
    /// colour.
    #[inline]
    pub fn for_each(
        &mut self,
        words: &[u64],
        least: i32,
        mut found: impl FnMut(i32, [i32; 5], bool),
    ) {
        mark(self, words, least);
        for (eight, marks) in self.likely.as_chunks::<8>().0.iter().enumerate() {
            let mut marks = u64::from_le_bytes(*marks);
            while marks != 0 {
                let first = 8 * eight + marks.trailing_zeros() as usize / 8;
                marks &= marks - 1;
                let Some(edges) = self.edges[first..].first_chunk::<6>() else {
                    return;
                };
                let runs: [i32; 5] = std::array::from_fn(|i| edges[i + 1] - edges[i]);
                // Marks are exact but where a run was cut short.
                let cut = edges[5] - edges[0] >= LONG;
                if !cut || may_be_finder(runs, least) {
                    found(edges[5], runs, first % 2 == 1);
                }
            }
        }
    }

    /// Marks the first of each five runs of a row that may be a finder pattern.
    #[inline(always)]
    fn mark(&mut self, words: &[u64], least: i32) {
        let runs = self.cut(words);
        let starts = runs.saturating_sub(4);
        self.likely.resize(starts.next_multiple_of(8), 0);
        self.likely[starts..].fill(0);
        likely(&self.lengths[..runs], least, &mut self.likely[..starts]);
    }

    /// Cuts a row into runs, the first one light and perhaps empty. How many.
    #[inline(always)]
    fn cut(&mut self, words: &[u64]) -> usize {
        let end = words.len() * 64;
        self.edges.resize(end + 66, 0);
        self.edges[0] = 0;
        let mut runs = 0;
        let mut carry = 0;
        for (index, &word) in words.iter().enumerate() {
            let mut changes = word ^ (word << 1 | carry);
            carry = word >> 63;
            let count = changes.count_ones() as usize;
            // Eight at a time, whether or not there are so many: what is too much is
            // written over by the next word's, and no branch depends on each.
            let (eights, _) = self.edges[runs + 1..].as_chunks_mut::<8>();
            for eight in &mut eights[..count.div_ceil(8)] {
                for edge in eight {
                    *edge = (index * 64) as i32 + changes.trailing_zeros() as i32;
                    changes &= changes.wrapping_sub(1);
                }
            }
            runs += count;
        }
        if carry == 1 {
            runs += 1;
            self.edges[runs] = end as i32;
        }
        self.lengths.resize(runs, 0);
        let ends = &self.edges[1..];
        for ((length, &end), &start) in self.lengths.iter_mut().zip(ends).zip(&self.edges) {
            *length = (end - start).min(LONG) as i16;
        }
        runs
    }
}

widest! {
    /// See [`Candidates::mark`].
    fn mark(candidates: &mut Candidates, words: &[u64], least: i32) = Candidates::mark;
}

/// Marks each five runs that [`may_be_finder`]: the same sums, but without a branch
/// and in 16 bits, so that compilers turn it into vector code.
#[inline(always)]
fn likely(lengths: &[i16], least: i32, marks: &mut [u8]) {
    let count = marks.len();
    let least = least as i16;
    if count == 0 {
        return;
    }
    let [a, b, c, d, e]: [&[i16]; 5] = std::array::from_fn(|i| &lengths[i..][..count]);
    for i in 0..count {
        let (a, b, c, d, e) = (a[i], b[i], c[i], d[i], e[i]);
        let twelve = a + 2 * (b + c + d) + e;
        let (two, four) = ((8 * twelve + 120) / 10, (11 * twelve + 120) / 10);
        let off = |sum: i16, modules: i16| (12 * sum - modules * twelve).abs();
        let mark = (2 * c >= 3 * b.max(d))
            & (2 * c >= a.min(e) + b.min(d))
            & (a > 0)
            & (twelve >= least)
            & (off(a + b, 2) <= two)
            & (off(b + c, 4) <= four)
            & (off(c + d, 4) <= four)
            & (off(d + e, 2) <= two)
            & ((b - d).abs() * 12 <= twelve + 12);
        marks[i] = u8::from(mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        let mut pixels = [200u8; 150];
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
        let mut candidates = Candidates::default();
        candidates.for_each(&words(|pixel| pixel < 100), 14, |end, runs, dark| {
            seen.push((end, runs, dark))
        });
        assert_eq!(seen, [(81, [3, 3, 9, 3, 3], true)]);
        seen.clear();
        candidates.for_each(&words(|pixel| pixel >= 100), 14, |end, runs, dark| {
            seen.push((end, runs, dark))
        });
        assert_eq!(seen, [(81, [3, 3, 9, 3, 3], false)]);
        candidates.for_each(&[], 14, |_, _, _| panic!("nothing is there"));
    }

    proptest! {
        #[test]
        fn candidates_are_the_runs_that_may_be_a_finder(
            lengths in prop::collection::vec(1i32..40, 0..60),
            least in 12i32..15,
        ) {
            // Runs like those of texture, and some like finder patterns.
            let lengths: Vec<i32> = lengths
                .iter()
                .flat_map(|&length| match length {
                    1..20 => vec![length / 4 + 1],
                    20..30 => vec![length; 1],
                    _ => [1, 1, 3, 1, 1].map(|modules| modules * (length - 28) / 2).to_vec(),
                })
                .filter(|&length| length > 0)
                .collect();
            let end: i32 = lengths.iter().sum();
            let mut words = vec![0u64; (end as usize).div_ceil(64)];
            let (mut at, mut expected) = (0, Vec::new());
            for (index, &length) in lengths.iter().enumerate() {
                if index % 2 == 0 {
                    (at..at + length).for_each(|x| words[x as usize / 64] |= 1 << (x % 64));
                }
                at += length;
                // A light run at the end goes on into the padding.
                let is_cut = index + 1 < lengths.len() || index % 2 == 0;
                if let (Some(first), true) = ((index + 1).checked_sub(5), is_cut) {
                    let runs = std::array::from_fn(|i| lengths[first + i]);
                    if may_be_finder(runs, least) {
                        expected.push((at, runs, index % 2 == 0));
                    }
                }
            }
            let mut seen = Vec::new();
            Candidates::default().for_each(&words, least, |end, runs, dark| {
                seen.push((end, runs, dark))
            });
            prop_assert_eq!(seen, expected);
            let (mut wide, mut narrow) = (Candidates::default(), Candidates::default());
            mark(&mut wide, &words, least);
            narrow.mark(&words, least);
            prop_assert_eq!(&wide.likely, &narrow.likely);
            prop_assert_eq!(&wide.lengths, &narrow.lengths);
        }
    }
}
