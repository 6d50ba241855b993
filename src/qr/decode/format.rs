//! Format and version information by maximum likelihood over all their words,
//! from both copies, with soft values (ISO/IEC 18004, 7.9 and 7.10).

use super::super::code::EcLevel;
use super::super::modules::Modules;
use super::layout::{format_places, micro_format_place, version_places};

/// One reading of the format information, with its likelihood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Format {
    /// Error correction level.
    pub level: EcLevel,
    /// Data mask pattern.
    pub mask: u8,
    /// The symbol is turned over: rows are columns.
    pub mirrored: bool,
    /// Sum of the confidences that agree less those that do not, over both
    /// copies and the lone dark module: at most 31 * 127.
    pub score: i32,
}

/// Stands where there is no reading.
const NOTHING: Format = Format {
    level: EcLevel::L,
    mask: 0,
    mirrored: false,
    score: 0,
};

/// The 32 words, masked as they are printed (annex C).
static FORMAT_WORDS: [u16; 32] = format_words(0x5412);

/// The same for Micro QR codes.
static MICRO_FORMAT_WORDS: [u16; 32] = format_words(0x4445);

const fn format_words(mask: u16) -> [u16; 32] {
    let mut words = [0; 32];
    let mut data = 0;
    while data < 32 {
        let mut rest = data;
        let mut i = 0;
        while i < 10 {
            rest = (rest << 1) ^ ((rest >> 9) * 0x537);
            i += 1;
        }
        words[data as usize] = ((data << 10) | rest) ^ mask;
        data += 1;
    }
    words
}

/// The words of versions 7 to 40 (annex D).
static VERSION_WORDS: [u32; 34] = {
    let mut words = [0; 34];
    let mut version = 7;
    while version <= 40 {
        let mut rest = version;
        let mut i = 0;
        while i < 12 {
            rest = (rest << 1) ^ ((rest >> 11) * 0x1f25);
            i += 1;
        }
        words[version as usize - 7] = (version << 12) | rest;
        version += 1;
    }
    words
};

/// All 64 readings (32 words, upright and mirrored), the likeliest first, and
/// the sum of all confidences that went into each: a score near it is sure, one
/// near 0 a guess.
pub fn formats(modules: &Modules) -> ([Format; 64], i32) {
    let side = modules.side();
    let mut upright = [0i32; 15];
    let mut turned = [0i32; 15];
    let mut total = 0;
    for bit in 0..15 {
        for (x, y) in format_places(side, bit) {
            upright[bit] += i32::from(modules.get(x, y));
            turned[bit] += i32::from(modules.get(y, x));
            total += i32::from(modules.get(x, y).unsigned_abs());
        }
    }
    // The lone dark module stands where a mirrored symbol has a format bit.
    let (dark, dark_turned) = (modules.get(8, side - 8), modules.get(side - 8, 8));
    let mut all = [NOTHING; 64];
    for (i, reading) in all.iter_mut().enumerate() {
        let (data, mirrored) = (i % 32, i >= 32);
        let (soft, dark) = if mirrored {
            (&turned, dark_turned)
        } else {
            (&upright, dark)
        };
        reading.level = [EcLevel::M, EcLevel::L, EcLevel::H, EcLevel::Q][data >> 3];
        reading.mask = (data & 7) as u8;
        reading.mirrored = mirrored;
        reading.score = i32::from(dark) + correlate(FORMAT_WORDS[data].into(), soft);
    }
    // Stable: upright comes before mirrored where both fit alike.
    all.sort_by_key(|reading| -reading.score);
    (all, total + i32::from(dark.unsigned_abs()))
}

/// Version and level of a Micro QR code by its symbol number, the upper three
/// bits of its format information (table 13).
const MICRO_SYMBOLS: [(u8, EcLevel); 8] = [
    (1, EcLevel::L),
    (2, EcLevel::L),
    (2, EcLevel::M),
    (3, EcLevel::L),
    (3, EcLevel::M),
    (4, EcLevel::L),
    (4, EcLevel::M),
    (4, EcLevel::Q),
];

/// The word that a Micro QR code carries; `None` if there is none such.
pub(in crate::qr) fn micro_word(version: u8, level: EcLevel, mask: u8) -> Option<u16> {
    let symbol = MICRO_SYMBOLS.iter().position(|&s| s == (version, level))?;
    MICRO_FORMAT_WORDS
        .get(symbol * 4 + usize::from(mask))
        .copied()
}

/// The readings of a Micro QR code's format information that fit M`version`
/// (mask 0 to 3), the likeliest first, their number (the rest is of no meaning),
/// and the sum of all confidences.
pub fn micro_formats(modules: &Modules, version: u8) -> ([Format; 64], usize, i32) {
    let mut upright = [0i32; 15];
    let mut turned = [0i32; 15];
    let mut total = 0;
    for bit in 0..15 {
        let (x, y) = micro_format_place(bit);
        upright[bit] = modules.get(x, y).into();
        turned[bit] = modules.get(y, x).into();
        total += i32::from(modules.get(x, y).unsigned_abs());
    }
    let mut all = [NOTHING; 64];
    let mut count = 0;
    for (soft, mirrored) in [(&upright, false), (&turned, true)] {
        for (data, &word) in MICRO_FORMAT_WORDS.iter().enumerate() {
            let (of, level) = MICRO_SYMBOLS[data >> 2];
            if of == version {
                all[count] = Format {
                    level,
                    mask: (data & 3) as u8,
                    mirrored,
                    score: correlate(word.into(), soft),
                };
                count += 1;
            }
        }
    }
    all[..count].sort_by_key(|reading| -reading.score);
    (all, count, total)
}

/// The likeliest version (7 to 40) by the soft values of its information: `soft`
/// is the sum over the copies for each bit, bit 0 the least significant. With it
/// comes how much likelier it is than the next one.
pub fn likeliest_version(soft: &[i32; 18]) -> (u8, i32) {
    let (mut best, mut best_score, mut next) = (7, i32::MIN, i32::MIN);
    for (i, &word) in VERSION_WORDS.iter().enumerate() {
        let score = correlate(word, soft);
        if score > best_score {
            (best, best_score, next) = (7 + i as u8, score, best_score);
        } else {
            next = next.max(score);
        }
    }
    (best, best_score - next)
}

/// What the version information of sampled `modules` says, with its margin (see
/// [`likeliest_version`]); `None` for sides that have none.
pub fn version(modules: &Modules) -> Option<(u8, i32)> {
    let side = modules.side();
    if side < 45 {
        return None;
    }
    let soft = std::array::from_fn(|bit| {
        version_places(side, bit)
            .into_iter()
            .map(|(x, y)| i32::from(modules.get(x, y)))
            .sum()
    });
    Some(likeliest_version(&soft))
}

/// Agreement of a word with soft bits (positive is one).
pub(super) fn correlate(word: u32, soft: &[i32]) -> i32 {
    soft.iter()
        .enumerate()
        .map(|(bit, &s)| if word >> bit & 1 == 1 { s } else { -s })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_annexes_c_and_d() {
        // Level M with mask 5: the example of 7.9.1.
        assert_eq!(FORMAT_WORDS[0b00101], 0b100_0000_1100_1110);
        assert_eq!(FORMAT_WORDS[0], 0x5412);
        assert_eq!(FORMAT_WORDS[31], 0x2bed);
        assert_eq!(VERSION_WORDS[0], 0x07c94);
        assert_eq!(VERSION_WORDS[33], 0x28c69);
        for (i, a) in FORMAT_WORDS.iter().enumerate() {
            for b in &FORMAT_WORDS[..i] {
                assert!((a ^ b).count_ones() >= 5);
            }
        }
        for (i, a) in VERSION_WORDS.iter().enumerate() {
            for b in &VERSION_WORDS[..i] {
                assert!((a ^ b).count_ones() >= 8);
            }
        }
    }

    #[test]
    fn three_wrong_bits_of_a_version_are_no_harm() {
        let mut random = fastrand::Rng::with_seed(4);
        for version in 7..=40u8 {
            for _ in 0..50 {
                let mut word = VERSION_WORDS[usize::from(version) - 7];
                for bit in random.choose_multiple(0..18, 3) {
                    word ^= 1 << bit;
                }
                let soft = std::array::from_fn(|bit| if word >> bit & 1 == 1 { 90 } else { -90 });
                let (read, margin) = likeliest_version(&soft);
                assert_eq!(read, version);
                assert!(margin > 0);
            }
        }
    }
}
