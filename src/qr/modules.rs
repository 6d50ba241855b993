//! What sampling says and decoding takes: one confidence for each module.

/// Largest side of a symbol, in modules (version 40).
pub const MAX_SIDE: usize = 177;

/// A square of module confidences, row by row from the symbol's upper left.
///
/// A confidence is from -127 (surely light) through 0 (nothing known: an
/// erasure) to 127 (surely dark). Light and dark are those of the symbol as
/// printed dark on light: for a reversed symbol the sampler has turned them
/// round already, and a mirrored one it has turned over.
#[derive(Clone, Debug, Default)]
pub struct Modules {
    side: usize,
    soft: Vec<i8>,
}

impl Modules {
    /// Makes this a `side` by `side` square of erasures, keeping its memory.
    /// Panics if `side` exceeds 177, the side of version 40.
    pub fn reset(&mut self, side: usize) {
        assert!(
            side <= MAX_SIDE,
            "a symbol has at most {MAX_SIDE} modules a side"
        );
        self.side = side;
        self.soft.clear();
        self.soft.resize(side * side, 0);
    }

    /// Modules in a row.
    pub fn side(&self) -> usize {
        self.side
    }

    /// Confidence of the module in column `x`, row `y`.
    pub fn get(&self, x: usize, y: usize) -> i8 {
        self.soft[y * self.side + x]
    }

    /// Sets the confidence of the module in column `x`, row `y`; -128 counts as -127.
    pub fn set(&mut self, x: usize, y: usize, confidence: i8) {
        self.soft[y * self.side + x] = confidence.max(-127);
    }

    /// Is it dark, as far as is known?
    pub fn dark(&self, x: usize, y: usize) -> bool {
        self.get(x, y) > 0
    }

    /// Exchanges rows and columns: what is seen in a mirror becomes upright.
    pub fn transpose(&mut self) {
        for y in 0..self.side {
            for x in 0..y {
                self.soft.swap(y * self.side + x, x * self.side + y);
            }
        }
    }

    /// All confidences, row by row.
    pub fn soft(&self) -> &[i8] {
        &self.soft
    }
}
