//! Rectangular Micro QR codes (rMQR, ISO/IEC 23941): sizes, function patterns,
//! format information, blocks and counts of their 32 versions.
//!
//! Their modules come in a [`Modules`] that is as wide as they are: the rows below
//! their last one are of no meaning.

use std::sync::OnceLock;

use super::super::code::EcLevel;
use super::super::modules::Modules;
use super::blocks::Blocks;
use super::format::{Format, correlate};
use super::layout::{Layout, ModuleKind, zigzag_within};
use super::segments::Dialect;

/// How many versions there are: 1 is R7x43, 32 is R17x139.
pub const RMQR_VERSIONS: u8 = 32;

/// What is laid down for each version (tables 1, 3, 6 and 8).
struct Version {
    width: u8,
    height: u8,
    /// Data codewords and blocks at level M …
    medium: (u8, u8),
    /// … and H.
    high: (u8, u8),
    /// Bits of the character count: numeric, alphanumeric, byte, Kanji.
    counts: [u8; 4],
}

const fn version(
    height: u8,
    width: u8,
    medium: (u8, u8),
    high: (u8, u8),
    counts: [u8; 4],
) -> Version {
    Version {
        width,
        height,
        medium,
        high,
        counts,
    }
}

static VERSIONS: [Version; RMQR_VERSIONS as usize] = [
    version(7, 43, (6, 1), (3, 1), [4, 3, 3, 2]),
    version(7, 59, (12, 1), (7, 1), [5, 5, 4, 3]),
    version(7, 77, (20, 1), (10, 1), [6, 5, 5, 4]),
    version(7, 99, (28, 1), (14, 1), [7, 6, 5, 5]),
    version(7, 139, (44, 1), (24, 2), [7, 6, 6, 5]),
    version(9, 43, (12, 1), (7, 1), [5, 5, 4, 3]),
    version(9, 59, (21, 1), (11, 1), [6, 5, 5, 4]),
    version(9, 77, (31, 1), (17, 2), [7, 6, 5, 5]),
    version(9, 99, (42, 1), (22, 2), [7, 6, 6, 5]),
    version(9, 139, (63, 2), (33, 3), [8, 7, 6, 6]),
    version(11, 27, (7, 1), (5, 1), [4, 4, 3, 2]),
    version(11, 43, (19, 1), (11, 1), [6, 5, 5, 4]),
    version(11, 59, (31, 1), (15, 2), [7, 6, 5, 5]),
    version(11, 77, (43, 1), (23, 2), [7, 6, 6, 5]),
    version(11, 99, (57, 2), (29, 2), [8, 7, 6, 6]),
    version(11, 139, (84, 2), (42, 3), [8, 7, 7, 6]),
    version(13, 27, (12, 1), (7, 1), [5, 5, 4, 3]),
    version(13, 43, (27, 1), (13, 1), [6, 6, 5, 5]),
    version(13, 59, (38, 1), (20, 2), [7, 6, 6, 5]),
    version(13, 77, (53, 2), (29, 2), [7, 7, 6, 6]),
    version(13, 99, (73, 2), (35, 3), [8, 7, 7, 6]),
    version(13, 139, (106, 3), (54, 4), [8, 8, 7, 7]),
    version(15, 43, (33, 1), (15, 2), [7, 6, 6, 5]),
    version(15, 59, (48, 1), (26, 2), [7, 7, 6, 5]),
    version(15, 77, (67, 2), (31, 3), [8, 7, 7, 6]),
    version(15, 99, (88, 2), (48, 4), [8, 7, 7, 6]),
    version(15, 139, (127, 3), (69, 5), [9, 8, 7, 7]),
    version(17, 43, (39, 1), (21, 2), [7, 6, 6, 5]),
    version(17, 59, (56, 2), (28, 2), [8, 7, 6, 6]),
    version(17, 77, (78, 2), (38, 3), [8, 7, 7, 6]),
    version(17, 99, (100, 3), (56, 4), [8, 8, 7, 6]),
    version(17, 139, (152, 4), (76, 6), [9, 8, 8, 7]),
];

fn of(version: u8) -> Option<&'static Version> {
    VERSIONS.get(usize::from(version).checked_sub(1)?)
}

/// Columns and rows of a version; `None` unless it is 1 to 32.
pub fn rmqr_size(version: u8) -> Option<(usize, usize)> {
    of(version).map(|v| (v.width.into(), v.height.into()))
}

/// Columns of the alignment patterns of a symbol of `width` columns (table 4).
pub fn rmqr_alignment(width: usize) -> &'static [u8] {
    match width {
        43 => &[21],
        59 => &[19, 39],
        77 => &[25, 51],
        99 => &[23, 49, 75],
        139 => &[27, 55, 83, 111],
        _ => &[],
    }
}

/// Where bit `bit` (0 the least significant, of 18) of the format information
/// stands: beside the finder pattern, and beside the sub-finder pattern in the
/// opposite corner (7.9).
pub fn rmqr_format_places(width: usize, height: usize, bit: usize) -> [(usize, usize); 2] {
    let first = (8 + bit / 5, 1 + bit % 5);
    let second = if bit < 15 {
        (width - 8 + bit / 5, height - 6 + bit % 5)
    } else {
        (width - 20 + bit, height - 6)
    };
    [first, second]
}

/// What the words of the two copies are masked with (7.9).
const MASKS: [u32; 2] = [0x1fab2, 0x20a7b];

/// The words as printed, a copy at a time: level H from the 32nd on, versions in
/// their order. The code is that of version information.
static WORDS: [[u32; 64]; 2] = {
    let mut words = [[0; 64]; 2];
    let mut data = 0;
    while data < 64 {
        let mut rest = data;
        let mut i = 0;
        while i < 12 {
            rest = (rest << 1) ^ ((rest >> 11) * 0x1f25);
            i += 1;
        }
        words[0][data as usize] = ((data << 12) | rest) ^ MASKS[0];
        words[1][data as usize] = ((data << 12) | rest) ^ MASKS[1];
        data += 1;
    }
    words
};

/// The words that a symbol carries: beside its finder pattern, and beside its
/// sub-finder pattern. `None` if there is no such version or level.
pub fn rmqr_words(version: u8, level: EcLevel) -> Option<[u32; 2]> {
    of(version)?;
    let high = match level {
        EcLevel::M => 0,
        EcLevel::H => 32,
        _ => return None,
    };
    let index = usize::from(version) - 1 + high;
    Some([WORDS[0][index], WORDS[1][index]])
}

/// The likeliest version by what stands beside the finder pattern, and how many
/// of the bits are wrong then. `soft` is positive where dark, bit 0 first.
pub fn likeliest_rmqr(soft: &[i32; 18]) -> (u8, usize) {
    let score = |&data: &usize| correlate(WORDS[0][data], soft);
    let best = (0..64).max_by_key(score).unwrap_or(0);
    let wrong = (0..18)
        .filter(|&bit| (soft[bit] > 0) != (WORDS[0][best] >> bit & 1 == 1))
        .count();
    ((best % 32) as u8 + 1, wrong)
}

/// Both readings, M and H, of the format information of a symbol of `version`,
/// the likelier first, and the sum of all confidences.
pub(super) fn formats(modules: &Modules, version: u8) -> ([Format; 64], usize, i32) {
    let mut all = [Format {
        level: EcLevel::M,
        mask: 0,
        mirrored: false,
        score: 0,
    }; 64];
    let Some((width, height)) = rmqr_size(version) else {
        return (all, 0, 0);
    };
    let soft: [[i32; 18]; 2] = std::array::from_fn(|copy| {
        std::array::from_fn(|bit| {
            let (x, y) = rmqr_format_places(width, height, bit)[copy];
            modules.get(x, y).into()
        })
    });
    let total = soft.iter().flatten().map(|soft| soft.abs()).sum();
    for (reading, level) in all.iter_mut().zip([EcLevel::M, EcLevel::H]) {
        let words = rmqr_words(version, level).unwrap_or_default();
        reading.level = level;
        reading.score = correlate(words[0], &soft[0]) + correlate(words[1], &soft[1]);
    }
    if all[1].score > all[0].score {
        all.swap(0, 1);
    }
    (all, 2, total)
}

impl Layout {
    /// The plan of rMQR version 1 to 32, row by row, as wide as the symbol.
    pub fn of_rmqr(version: u8) -> Option<&'static Layout> {
        static LAYOUTS: [OnceLock<Layout>; 32] = [const { OnceLock::new() }; 32];
        let (width, height) = rmqr_size(version)?;
        let slot = LAYOUTS.get(usize::from(version).checked_sub(1)?)?;
        Some(slot.get_or_init(|| make(width, height)))
    }
}

/// Function patterns (6.3) and the order of the rest (7.7).
fn make(width: usize, height: usize) -> Layout {
    let mut kinds = vec![ModuleKind::Data; width * height].into_boxed_slice();
    let mut put = |x: usize, y: usize, dark: bool| {
        kinds[y * width + x] = if dark {
            ModuleKind::Dark
        } else {
            ModuleKind::Light
        };
    };
    // Timing patterns along all edges and through the alignment patterns.
    for x in 0..width {
        put(x, 0, x % 2 == 0);
        put(x, height - 1, x % 2 == 0);
    }
    let aligned = rmqr_alignment(width);
    for y in 0..height {
        for &x in [0, width as u8 - 1].iter().chain(aligned) {
            put(x.into(), y, y % 2 == 0);
        }
    }
    for &centre in aligned {
        for i in 0..9 {
            let x = usize::from(centre) + i % 3 - 1;
            put(x, i / 3, i != 4);
            put(x, height - 1 - i / 3, i != 4);
        }
    }
    // Corner finder patterns.
    for (x, y, dark) in [
        (width - 1, 0, true),
        (width - 2, 0, true),
        (width - 1, 1, true),
        (width - 2, 1, false),
        (0, height - 1, true),
        (1, height - 1, true),
        (2, height - 1, true),
    ] {
        put(x, y, dark);
    }
    if height >= 11 {
        put(0, height - 2, true);
        put(1, height - 2, false);
    }
    // Sub-finder pattern, finder pattern and separator.
    for i in 0..25 {
        let ring = (i % 5usize).abs_diff(2).max((i / 5usize).abs_diff(2));
        put(width - 5 + i % 5, height - 5 + i / 5, ring != 1);
    }
    for y in 0..8.min(height) {
        for x in 0..8usize {
            let ring = x.abs_diff(3).max(y.abs_diff(3));
            put(x, y, ring != 2 && ring != 4);
        }
    }
    for bit in 0..18 {
        for (x, y) in rmqr_format_places(width, height, bit) {
            kinds[y * width + x] = ModuleKind::Format;
        }
    }
    Layout::with_places(width, kinds, zigzag_within(width, height))
}

/// How codewords are shared out to blocks (table 8). None are told apart for
/// detection alone: what is fixed in these symbols is evidence enough.
pub(super) fn blocks(version: u8, level: EcLevel) -> Option<Blocks> {
    let (data, count) = match level {
        EcLevel::M => of(version)?.medium,
        EcLevel::H => of(version)?.high,
        _ => return None,
    };
    let codewords = Layout::of_rmqr(version)?.order().len() / 8;
    let count = usize::from(count);
    Some(Blocks {
        codewords,
        count,
        parity: (codewords - usize::from(data)) / count,
        protect: 0,
        half: false,
    })
}

/// Modes and counts (tables 2 and 3).
pub(super) fn dialect(version: u8) -> Dialect {
    let counts = of(version).map_or([0; 4], |v| v.counts.map(usize::from));
    Dialect::rmqr(counts)
}

#[cfg(test)]
pub(in crate::qr) mod tests;
