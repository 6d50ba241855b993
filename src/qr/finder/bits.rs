//! A level as bits, dark 1: rows in words of 64 pixels, and columns likewise.
//!
//! With both at hand the length of a run, along a row or down a column, is the
//! count of zeros at the end of a word, not a walk from pixel to pixel: what
//! crosses the many candidates that texture gives costs next to nothing.

use crate::frame::Luma;
use crate::optics::{TILE, Threshold, widest};
use crate::qr::budget::Budget;

/// Pixels in a word.
const WORD: usize = 64;

/// The rows of a level.
#[derive(Debug, Default)]
pub struct BitRows {
    /// One word before the first row and two behind the last, of no meaning.
    words: Vec<u64>,
    limits: Vec<u8>,
    across: usize,
    width: usize,
    height: usize,
}

impl BitRows {
    /// Compares each pixel of `luma` with the threshold of its tile. `false`, and of no
    /// meaning, if the time is over before that is done: of twelve megapixels it takes
    /// milliseconds.
    pub fn build(&mut self, luma: Luma<'_>, threshold: &Threshold, budget: &Budget) -> bool {
        compare(self, luma, threshold, budget)
    }

    #[inline(always)]
    fn compare(&mut self, luma: Luma<'_>, threshold: &Threshold, budget: &Budget) -> bool {
        (self.width, self.height) = (luma.width(), luma.height());
        self.across = self.width.div_ceil(WORD);
        self.words.resize(self.across * self.height + 3, 0);
        self.limits.resize(self.across * WORD, 0);
        for tiles in 0..self.height.div_ceil(TILE) {
            if budget.is_spent() {
                return false;
            }
            let rows = tiles * TILE..((tiles + 1) * TILE).min(self.height);
            let words = 1 + rows.start * self.across..1 + rows.end * self.across;
            let words = &mut self.words[words];
            let thresholds = threshold.row(tiles);
            if thresholds.iter().all(|&tile| tile == 0) {
                words.fill(0);
                continue;
            }
            // Whole tiles of a length that is known; the last may reach beyond the row.
            let limits = self.limits.as_chunks_mut::<TILE>().0;
            for (limits, &tile) in limits.iter_mut().zip(thresholds) {
                *limits = [tile; TILE];
            }
            self.limits[self.width..].fill(0);
            for (y, words) in rows.zip(words.chunks_exact_mut(self.across)) {
                fill(luma.row(y), &self.limits, words);
            }
        }
        true
    }

    /// The words of row `y`. Beyond the last pixel all is light.
    #[inline]
    pub fn words(&self, y: usize) -> &[u64] {
        &self.words[1 + y * self.across..][..self.across]
    }

    /// Row `y`.
    #[inline]
    pub fn row(&self, y: usize) -> Row<'_> {
        Row {
            words: &self.words[y * self.across..][..self.across + 3],
        }
    }

    /// Is the pixel at `x`, `y` dark? `None` outside the level.
    #[inline]
    pub fn dark(&self, x: i32, y: i32) -> Option<bool> {
        let (x, y) = (usize::try_from(x).ok()?, usize::try_from(y).ok()?);
        (x < self.width && y < self.height)
            .then(|| self.words[1 + y * self.across + x / WORD] >> (x % WORD) & 1 != 0)
    }

    /// Pixels a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }
}

widest! {
    /// See [`BitRows::build`].
    fn compare(
        rows: &mut BitRows,
        luma: Luma<'_>,
        threshold: &Threshold,
        budget: &Budget,
    ) -> bool = BitRows::compare;
}

/// Dark is less than the limit. `limits` is padded to whole words with 0.
#[inline(always)]
fn fill(pixels: &[u8], limits: &[u8], words: &mut [u64]) {
    let (limits, _) = limits.as_chunks::<WORD>();
    let (whole, rest) = pixels.as_chunks::<WORD>();
    for ((word, pixels), limits) in words.iter_mut().zip(whole).zip(limits) {
        *word = darker(pixels, limits);
    }
    if let (Some(word), Some(limits)) = (words.get_mut(whole.len()), limits.get(whole.len())) {
        let mut padded = [0; WORD];
        padded[..rest.len()].copy_from_slice(rest);
        *word = darker(&padded, limits);
    }
}

/// One bit for each pixel that is less than its limit. NEON has no instruction that
/// gathers bits, but each byte may keep its own, and neighbours are added in pairs: of
/// four registers nothing is left in three steps but the word.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn darker(pixels: &[u8; WORD], limits: &[u8; WORD]) -> u64 {
    use std::arch::aarch64::*;
    let bits: [u8; LANES] = std::array::from_fn(|lane| 1 << (lane % 8));
    // SAFETY: NEON is part of aarch64, and every 16 bytes that are loaded lie within
    // an array.
    #[allow(unsafe_code)]
    unsafe {
        let bits = vld1q_u8(bits.as_ptr());
        let part = |at: usize| {
            let pixels = vld1q_u8(pixels[at..at + LANES].as_ptr());
            let limits = vld1q_u8(limits[at..at + LANES].as_ptr());
            vandq_u8(vcltq_u8(pixels, limits), bits)
        };
        let (low, high) = (
            vpaddq_u8(part(0), part(LANES)),
            vpaddq_u8(part(2 * LANES), part(3 * LANES)),
        );
        let bytes = vpaddq_u8(low, high);
        vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(bytes, bytes)))
    }
}

/// One bit for each pixel that is less than its limit. Every x86-64 processor has one
/// instruction that gathers these bits, which compilers do not find.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn darker(pixels: &[u8; WORD], limits: &[u8; WORD]) -> u64 {
    let mut word = 0;
    let pairs = pixels.as_chunks().0.iter().zip(limits.as_chunks().0);
    for (part, (pixels, limits)) in pairs.enumerate() {
        word |= u64::from(less(pixels, limits)) << (part * LANES);
    }
    word
}

/// Bytes in a register.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const LANES: usize = 16;

/// One bit for each byte of `a` that is less than that of `b`.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn less(a: &[u8; LANES], b: &[u8; LANES]) -> u16 {
    use std::arch::x86_64::*;
    let halves = |bytes: &[u8; LANES]| {
        [0, 8].map(|at| {
            let half = bytes[at..].first_chunk().copied().unwrap_or_default();
            i64::from_le_bytes(half)
        })
    };
    let ([low_a, high_a], [low_b, high_b]) = (halves(a), halves(b));
    // SAFETY: SSE2 is part of x86-64.
    #[allow(unsafe_code)]
    unsafe {
        let (a, b) = (_mm_set_epi64x(high_a, low_a), _mm_set_epi64x(high_b, low_b));
        // What is left of `b` without `a`: nothing where `a` is not less.
        let equal = _mm_cmpeq_epi8(_mm_subs_epu8(b, a), _mm_setzero_si128());
        !_mm_movemask_epi8(equal) as u16
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use darker_by_words as darker;

/// The same for any processor.
#[cfg_attr(any(target_arch = "x86_64", target_arch = "aarch64"), cfg(test))]
#[inline(always)]
fn darker_by_words(pixels: &[u8; WORD], limits: &[u8; WORD]) -> u64 {
    let mut dark = [0u8; WORD];
    for ((dark, &pixel), &limit) in dark.iter_mut().zip(pixels).zip(limits) {
        *dark = u8::from(pixel < limit);
    }
    let mut word = 0;
    for (byte, eight) in dark.as_chunks::<8>().0.iter().enumerate() {
        // Gathers the low bits of eight bytes in the top byte.
        let bits = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        word |= bits << (8 * byte);
    }
    word
}

/// The columns of a level, turned from its rows in blocks of 64 by 64 pixels when
/// they are first asked for: most of a frame never is.
#[derive(Debug, Default)]
pub struct BitColumns {
    /// One block before the first and two behind the last, of no meaning.
    words: Vec<u64>,
    turned: Vec<bool>,
    down: usize,
}

impl BitColumns {
    /// Forgets the columns; those of `rows` are next.
    pub fn start(&mut self, rows: &BitRows) {
        self.down = rows.height.div_ceil(WORD);
        let blocks = self.down * rows.across;
        self.words.resize((blocks + 3) * WORD, 0);
        self.turned.clear();
        self.turned.resize(blocks, false);
    }

    /// Column `x` about row `y`: the words that hold the rows from `reach` above to
    /// `reach` below are those of the level, others may be stale.
    #[inline]
    pub fn column(&mut self, rows: &BitRows, x: usize, y: usize, reach: usize) -> Column<'_> {
        let across = x / WORD;
        let first = across * self.down;
        let last = ((y + reach) / WORD).min(self.down - 1);
        for down in y.saturating_sub(reach) / WORD..=last {
            if !self.turned[first + down] {
                self.turn(rows, across, down);
            }
        }
        Column {
            words: &self.words[first * WORD..(first + self.down + 3) * WORD],
            x: x % WORD,
        }
    }

    #[cold]
    fn turn(&mut self, rows: &BitRows, across: usize, down: usize) {
        let block = across * self.down + down;
        self.turned[block] = true;
        let mut square = [0; WORD];
        let lines = rows.words[1 + down * WORD * rows.across..].chunks_exact(rows.across);
        let left = rows.height - down * WORD;
        for (word, row) in square.iter_mut().zip(lines).take(left) {
            *word = row[across];
        }
        transpose(&mut square);
        self.words[(block + 1) * WORD..][..WORD].copy_from_slice(&square);
    }
}

/// Turns 64 by 64 bits: quarters change places, then quarters of quarters.
fn transpose(square: &mut [u64; WORD]) {
    let mut mask = u64::MAX >> 32;
    let mut half = WORD / 2;
    while half > 0 {
        for pair in square.chunks_exact_mut(2 * half) {
            let (upper, lower) = pair.split_at_mut(half);
            for (upper, lower) in upper.iter_mut().zip(lower) {
                let swap = (*upper >> half ^ *lower) & mask;
                *upper ^= swap << half;
                *lower ^= swap;
            }
        }
        half /= 2;
        mask ^= mask << half;
    }
}

/// A line of bits, in words.
pub trait Line {
    /// Word `index` of the line, counted from 1: those before the first and behind
    /// the last have no meaning, but are there.
    fn word(&self, index: usize) -> u64;

    /// The 64 bits from `from` on, the first one lowest.
    #[inline]
    fn after(&self, from: usize) -> u64 {
        let (index, shift) = (from / WORD + 1, from % WORD);
        self.word(index) >> shift | self.word(index + 1) << 1 << (WORD - 1 - shift)
    }

    /// The 64 bits before `from`, the first one, next to it, highest.
    #[inline]
    fn before(&self, from: usize) -> u64 {
        let (index, shift) = (from / WORD, from % WORD);
        self.word(index) >> shift | self.word(index + 1) << 1 << (WORD - 1 - shift)
    }
}

/// A row.
pub struct Row<'a> {
    words: &'a [u64],
}

impl Line for Row<'_> {
    #[inline]
    fn word(&self, index: usize) -> u64 {
        self.words[index]
    }
}

/// A column: 64 columns lie side by side.
pub struct Column<'a> {
    words: &'a [u64],
    x: usize,
}

impl Line for Column<'_> {
    #[inline]
    fn word(&self, index: usize) -> u64 {
        self.words[index * WORD + self.x]
    }
}

/// How many bits of a line are like `dark`, at most `most`, from the lowest of these
/// 64 on.
#[inline]
pub fn run_up(bits: u64, dark: bool, most: usize) -> usize {
    let other = if dark { !bits } else { bits };
    (other.trailing_zeros() as usize).min(most)
}

/// The same from the highest one down.
#[inline]
pub fn run_down(bits: u64, dark: bool, most: usize) -> usize {
    let other = if dark { !bits } else { bits };
    (other.leading_zeros() as usize).min(most)
}

/// How many bits from `from` on are like `dark`, at most `most`.
pub fn run_forth(line: &impl Line, from: usize, dark: bool, most: usize) -> usize {
    let mut length = 0;
    while length < most {
        let step = run_up(line.after(from + length), dark, most - length);
        length += step;
        if step < WORD {
            break;
        }
    }
    length
}

/// How many bits before `from` are like `dark`, at most `most`, which is not more
/// than there are.
pub fn run_back(line: &impl Line, from: usize, dark: bool, most: usize) -> usize {
    let mut length = 0;
    while length < most {
        let step = run_down(line.before(from - length), dark, most - length);
        length += step;
        if step < WORD {
            break;
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optics::Window;
    use proptest::prelude::*;

    /// A level of random structure, as bits and as pixels.
    fn level(width: usize, height: usize, seed: u64) -> (Vec<u8>, Threshold) {
        let mut random = fastrand::Rng::with_seed(seed);
        let cell = random.usize(1..9);
        let knots: Vec<u8> = (0..4096).map(|_| random.u8(..)).collect();
        let pixel = |i: usize| knots[(i % width / cell + i / width / cell * 61) % 4096];
        let pixels: Vec<u8> = (0..width * height).map(pixel).collect();
        let (half_width, half_height) = (width / 2, height / 2);
        let half: Vec<u8> = (0..half_width * half_height)
            .map(|_| random.u8(..))
            .collect();
        let half = Luma::new(&half, half_width, half_height, half_width).expect("fits");
        let mut threshold = Threshold::default();
        let window = Window {
            radius: 1,
            floor: 20,
        };
        threshold.build(width, height, half, window);
        (pixels, threshold)
    }

    proptest! {
        #[test]
        fn bytes_are_compared_alike_on_all_processors(
            a in proptest::collection::vec(any::<u8>(), WORD),
            b in proptest::collection::vec(any::<u8>(), WORD),
            same in any::<u64>(),
        ) {
            let a: [u8; WORD] = a.try_into().expect("a word");
            let mut b: [u8; WORD] = b.try_into().expect("a word");
            for lane in (0..WORD).filter(|lane| same >> lane & 1 == 1) {
                b[lane] = a[lane];
            }
            let expected = (0..WORD).fold(0, |bits, i| bits | u64::from(a[i] < b[i]) << i);
            prop_assert_eq!(darker(&a, &b), expected);
            prop_assert_eq!(darker_by_words(&a, &b), expected);
        }

        #[test]
        fn bits_and_runs_are_those_of_the_pixels(
            width in prop_oneof![1usize..200, Just(64), Just(128)],
            height in prop_oneof![1usize..200, Just(64), Just(128)],
            seed in any::<u64>(),
        ) {
            let (pixels, threshold) = level(width, height, seed);
            let luma = Luma::new(&pixels, width, height, width).expect("fits");
            let dark = |x: usize, y: usize| {
                luma.at(x, y) < threshold.tile(x / TILE, y / TILE)
            };
            let (mut rows, mut columns) = (BitRows::default(), BitColumns::default());
            let endless = Budget::new(None, None);
            prop_assert!(rows.build(luma, &threshold, &endless));
            let mut narrow = BitRows::default();
            prop_assert!(narrow.compare(luma, &threshold, &endless));
            prop_assert_eq!(&rows.words, &narrow.words);
            columns.start(&rows);
            let mut random = fastrand::Rng::with_seed(seed);
            for _ in 0..40 {
                let (x, y) = (random.usize(..width), random.usize(..height));
                // At the very end there is nothing, but it may be asked for.
                rows.row(y).after(width);
                columns.column(&rows, x, y, height).after(height);
                prop_assert_eq!(rows.dark(x as i32, y as i32), Some(dark(x, y)));
                let colour = random.bool();
                let count = |places: &mut dyn Iterator<Item = (usize, usize)>| {
                    places.take_while(|&(x, y)| dark(x, y) == colour).count()
                };
                let right = count(&mut (x..width).map(|x| (x, y)));
                prop_assert_eq!(run_forth(&rows.row(y), x, colour, width - x), right);
                let left = count(&mut (0..x).rev().map(|x| (x, y)));
                prop_assert_eq!(run_back(&rows.row(y), x, colour, x), left);
                let column = columns.column(&rows, x, y, height);
                let down = count(&mut (y..height).map(|y| (x, y)));
                prop_assert_eq!(run_forth(&column, y, colour, height - y), down);
                // What follows the last one has no meaning, but is there.
                let _ = (rows.row(y).after(width), column.after(height));
                let up = count(&mut (0..y).rev().map(|y| (x, y)));
                prop_assert_eq!(run_back(&column, y, colour, y), up);
            }
        }
    }
}
