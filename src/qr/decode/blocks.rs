//! How the codewords of a symbol are shared out to Reed–Solomon blocks
//! (ISO/IEC 18004, table 9 and 7.6).

use super::super::code::EcLevel;

/// Parity codewords of each block, by level and version.
#[rustfmt::skip]
static PARITY: [[u8; 40]; 4] = [
    [7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28,
     28, 28, 30, 30, 26, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30],
    [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26,
     26, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28],
    [13, 22, 18, 26, 18, 24, 18, 22, 20, 24, 28, 26, 24, 20, 30, 24, 28, 28, 26, 30,
     28, 30, 30, 30, 30, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30],
    [17, 28, 22, 16, 22, 28, 26, 26, 24, 28, 24, 28, 22, 24, 24, 30, 28, 28, 26, 28,
     30, 24, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30],
];

/// Blocks, by level and version.
#[rustfmt::skip]
static BLOCKS: [[u8; 40]; 4] = [
    [1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8,
     8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22, 24, 25],
    [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16,
     17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31, 33, 35, 37, 38, 40, 43, 45, 47, 49],
    [1, 1, 2, 2, 4, 4, 6, 6, 8, 8, 8, 10, 12, 16, 12, 17, 16, 18, 21, 20,
     23, 23, 25, 27, 29, 34, 34, 35, 38, 40, 43, 45, 48, 51, 53, 56, 59, 62, 65, 68],
    [1, 1, 2, 4, 4, 4, 5, 6, 8, 8, 11, 11, 16, 16, 18, 16, 19, 21, 25, 25,
     25, 34, 30, 32, 35, 37, 40, 42, 45, 48, 51, 54, 57, 60, 63, 66, 70, 74, 77, 81],
];

/// The division of one symbol's codewords into blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Codewords of the whole symbol.
    pub codewords: usize,
    /// Blocks; the longer ones, by one data codeword, come last.
    pub count: usize,
    /// Parity codewords of each block: n - k.
    pub parity: usize,
    /// Parity codewords kept for detection alone: p.
    pub protect: usize,
    /// The last data codeword has four bits (Micro QR codes M1 and M3).
    pub half: bool,
}

impl Blocks {
    /// The division for a QR code; `None` unless `version` is 1 to 40.
    pub fn of(version: u8, level: EcLevel) -> Option<Blocks> {
        let index = usize::from(version).checked_sub(1)?;
        let parity = usize::from(*PARITY[level as usize].get(index)?);
        let count = usize::from(*BLOCKS[level as usize].get(index)?);
        let protect = match (version, level) {
            (1, EcLevel::L) => 3,
            (1, EcLevel::M) | (2, EcLevel::L) => 2,
            (1, _) | (3, EcLevel::L) => 1,
            _ => 0,
        };
        Some(Blocks {
            codewords: codewords(version),
            count,
            parity,
            protect,
            half: false,
        })
    }

    /// The division for a Micro QR code: one block. `None` if M`version` has no
    /// such level; M1, which has none, goes by L.
    pub fn of_micro(version: u8, level: EcLevel) -> Option<Blocks> {
        let (codewords, parity, protect) = match (version, level) {
            (1, EcLevel::L) => (5, 2, 2),
            (2, EcLevel::L) => (10, 5, 3),
            (2, EcLevel::M) => (10, 6, 2),
            (3, EcLevel::L) => (17, 6, 2),
            (3, EcLevel::M) => (17, 8, 0),
            (4, EcLevel::L) => (24, 8, 2),
            (4, EcLevel::M) => (24, 10, 0),
            (4, EcLevel::Q) => (24, 14, 0),
            _ => return None,
        };
        Some(Blocks {
            codewords,
            count: 1,
            parity,
            protect,
            half: version % 2 == 1,
        })
    }

    /// Data codewords of the whole symbol.
    pub fn data(&self) -> usize {
        self.codewords - self.count * self.parity
    }

    /// Data bits of the whole symbol.
    pub fn data_bits(&self) -> usize {
        self.data() * 8 - if self.half { 4 } else { 0 }
    }

    /// Codewords of block `block`: n.
    pub fn length(&self, block: usize) -> usize {
        let longer = self.codewords % self.count;
        self.codewords / self.count + usize::from(block >= self.count - longer)
    }

    /// Where in the symbol's stream codeword `index` of block `block` stands.
    pub fn place(&self, block: usize, index: usize) -> usize {
        let short = self.codewords / self.count - self.parity;
        let longer = self.codewords % self.count;
        if index < short {
            index * self.count + block
        } else if self.length(block) - index > self.parity {
            // The extra data codeword of a longer block.
            short * self.count + block - (self.count - longer)
        } else {
            let parity = index + self.parity - self.length(block);
            self.data() + parity * self.count + block
        }
    }

    /// What correction may spend in a block: 2e + s <= n - k - p.
    pub fn capacity(&self) -> usize {
        self.parity - self.protect
    }
}

/// Codewords of a whole symbol (ISO/IEC 18004, table 1).
fn codewords(version: u8) -> usize {
    let v = usize::from(version);
    let mut modules = (16 * v + 128) * v + 64;
    if v >= 2 {
        let align = v / 7 + 2;
        modules -= (25 * align - 10) * align - 55;
        if v >= 7 {
            modules -= 36;
        }
    }
    modules / 8
}

#[cfg(test)]
mod tests {
    use super::super::layout::Layout;
    use super::*;

    const LEVELS: [EcLevel; 4] = [EcLevel::L, EcLevel::M, EcLevel::Q, EcLevel::H];

    #[test]
    fn every_codeword_has_one_place() {
        for version in 1..=40 {
            for level in LEVELS {
                let blocks = Blocks::of(version, level).expect("a version");
                let order = Layout::of(version).expect("a version").order();
                assert_eq!(order.len() / 8, blocks.codewords, "version {version}");
                assert!(order.len() % 8 < 8);
                let mut seen = vec![false; blocks.codewords];
                for block in 0..blocks.count {
                    for index in 0..blocks.length(block) {
                        let place = blocks.place(block, index);
                        assert!(!std::mem::replace(&mut seen[place], true));
                    }
                }
                assert!(seen.iter().all(|&s| s));
            }
        }
    }

    #[test]
    fn micro_symbols_hold_what_table_7_says() {
        for (version, level, bits) in [
            (1, EcLevel::L, 20),
            (2, EcLevel::L, 40),
            (2, EcLevel::M, 32),
            (3, EcLevel::L, 84),
            (3, EcLevel::M, 68),
            (4, EcLevel::L, 128),
            (4, EcLevel::M, 112),
            (4, EcLevel::Q, 80),
        ] {
            let blocks = Blocks::of_micro(version, level).expect("there is one");
            assert_eq!(blocks.data_bits(), bits);
            let modules = Layout::of_micro(version).expect("a version").order().len();
            assert_eq!(bits + 8 * blocks.parity, modules);
        }
        assert!(Blocks::of_micro(1, EcLevel::M).is_none());
        assert!(Blocks::of_micro(4, EcLevel::H).is_none());
        assert!(Blocks::of_micro(5, EcLevel::L).is_none());
    }

    #[test]
    fn remainder_bits_are_those_of_table_1() {
        for (version, bits) in [(1, 0), (2, 7), (7, 0), (14, 3), (21, 4), (28, 3), (40, 0)] {
            assert_eq!(
                Layout::of(version).expect("a version").order().len() % 8,
                bits
            );
        }
    }

    #[test]
    fn known_rows_of_table_9() {
        for (version, level, codewords, data, errors) in [
            (1, EcLevel::L, 26, 19, 2),
            (1, EcLevel::M, 26, 16, 4),
            (1, EcLevel::Q, 26, 13, 6),
            (1, EcLevel::H, 26, 9, 8),
            (2, EcLevel::L, 44, 34, 4),
            (3, EcLevel::L, 70, 55, 7),
            (4, EcLevel::L, 100, 80, 10),
            (5, EcLevel::Q, 134, 62, 9),
            (40, EcLevel::L, 3706, 2956, 15),
            (40, EcLevel::H, 3706, 1276, 15),
        ] {
            let blocks = Blocks::of(version, level).expect("a version");
            assert_eq!(blocks.codewords, codewords);
            assert_eq!(blocks.data(), data);
            assert_eq!(blocks.capacity() / 2, errors, "{version} {level:?}");
        }
        assert!(Blocks::of(0, EcLevel::L).is_none() && Blocks::of(41, EcLevel::L).is_none());
    }
}
