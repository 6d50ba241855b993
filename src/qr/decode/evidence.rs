//! What the data says for or against its own correction.
//!
//! A miscorrection fills in anything. So where the data has rules of its own,
//! what correction made of it is evidence, and counts by how seldom chance would
//! have made it right.

use std::ops::Range;

use super::codewords::Codewords;

/// The parts of the data that have rules.
pub(super) struct Evidence<'a> {
    pub codewords: &'a Codewords,
    /// Padding codewords.
    pub pads: Range<usize>,
    /// Padding that correction did not touch is as the standard has it.
    pub ruled: bool,
    /// Where byte segments begin, in bits, and how many bytes they have.
    pub runs: &'a [(usize, usize)],
}

/// Is padding (the codewords in `range`) that correction did not touch as the
/// standard has it? Padding of its own kind, as some encoders write it, says
/// nothing (ISO/IEC 18004, 7.4.10). `None` if correction left some wrong though
/// all that it did not touch is right: then it is correction that erred.
pub(super) fn padding(codewords: &Codewords, range: Range<usize>) -> Option<bool> {
    let all = codewords.data.iter().zip(&codewords.changed);
    let pads = all.take(range.end).skip(range.start);
    let (mut made_wrong, mut found_wrong) = (false, false);
    for ((&value, &changed), right) in pads.zip([0xec, 0x11].into_iter().cycle()) {
        made_wrong |= changed && value != right;
        found_wrong |= !changed && value != right;
    }
    (found_wrong || !made_wrong).then_some(!found_wrong)
}

impl Evidence<'_> {
    /// Probability that random codewords had been accepted, evidence considered,
    /// added up over blocks. `None` if a doubtful block remains above `limit`.
    pub fn risk(&self, limit: f64) -> Option<f64> {
        let mut sum = 0.0;
        let mut from = 0;
        for trust in &self.codewords.trust {
            let block = from..from + trust.data;
            from = block.end;
            let mut risk = trust.risk;
            if risk > 0.0 {
                risk *= self.pads(&block) * self.printables(&block);
            }
            if trust.doubtful && risk > limit {
                return None;
            }
            sum += risk;
        }
        Some(sum)
    }

    /// How many of the bits in `mask` of a codeword correction filled in where
    /// nothing sure was seen. What was seen has been taken for evidence already.
    fn filled_in(&self, at: usize, mask: u8) -> i32 {
        match (self.codewords.changed.get(at), self.codewords.seen.get(at)) {
            (Some(true), Some(&seen)) => (mask & !seen).count_ones() as i32,
            _ => 0,
        }
    }

    /// Probability that chance makes the padding of a block right.
    fn pads(&self, block: &Range<usize>) -> f64 {
        let range = self.pads.start.max(block.start)..self.pads.end.min(block.end);
        let bits = range.map(|at| self.filled_in(at, 0xff)).sum::<i32>();
        if self.ruled { 0.5f64.powi(bits) } else { 1.0 }
    }

    /// Probability that chance makes the bytes of a block ASCII, as they are; 1 if
    /// they are not. The highest bit decides.
    fn printables(&self, block: &Range<usize>) -> f64 {
        let mut count = 0;
        for &(start, length) in self.runs {
            for bit in (start..).step_by(8).take(length) {
                let at = bit / 8;
                if at >= block.end {
                    break;
                }
                let mask = 0x80 >> (bit % 8);
                if at < block.start || self.filled_in(at, mask) == 0 {
                    continue;
                }
                if self.codewords.data[at] & mask != 0 {
                    return 1.0;
                }
                // Bits 6 and 5 are 0 for control characters alone.
                let rest = 0x6000u16 >> (bit % 8);
                let pair = |of: &[u8]| {
                    let byte = |at: usize| of.get(at).copied().unwrap_or(0);
                    u16::from_be_bytes([byte(at), byte(at + 1)])
                };
                if pair(&self.codewords.data) & rest == 0 {
                    return 1.0;
                }
                count += 1;
            }
        }
        0.5f64.powi(count)
    }
}
