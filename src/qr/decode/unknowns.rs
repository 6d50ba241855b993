//! A Reed–Solomon block as equations over its single bits.
//!
//! Glare and stains end anywhere in a codeword. To leave out all of it gives up
//! what is seen of its other modules; over bits, a block with p parity codewords is
//! 8 p linear equations, and each bit of which nothing is known costs one of them,
//! wherever it lies. The least reliable bits are made unknowns one after another
//! until the equations can be met (ordered statistics decoding, Fossorier and Lin
//! 1995, without its reprocessing). The equations that are left over are the check.

use super::galois::{EXP, LOG};
use super::reed_solomon::{MAX_PARITY, Syndromes};

/// Most equations of a block.
const MOST: usize = 8 * MAX_PARITY;
/// Words that hold a bit for each of them.
const WORDS: usize = MOST.div_ceil(64);

/// A bit for each equation, or for each unknown.
type Set = [u64; WORDS];

/// A bit of a block: its codeword and its value in there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bit {
    pub place: u8,
    pub value: u8,
}

/// What the equations that a row stands for have on their left, and which unknowns
/// it was added up from.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    left: Set,
    from: Set,
}

impl Row {
    fn add(&mut self, other: &Row) {
        for (mine, theirs) in self.left.iter_mut().zip(other.left) {
            *mine ^= theirs;
        }
        for (mine, theirs) in self.from.iter_mut().zip(other.from) {
            *mine ^= theirs;
        }
    }

    /// The first equation from `start` on that it has a part in.
    fn first(&self, start: usize) -> Option<usize> {
        (start / 64..WORDS).find_map(|word| {
            let mask = if word == start / 64 {
                u64::MAX << (start % 64)
            } else {
                u64::MAX
            };
            let bits = self.left[word] & mask;
            (bits != 0).then(|| word * 64 + bits.trailing_zeros() as usize)
        })
    }
}

/// The equations of one block, in memory that is kept.
#[derive(Debug)]
pub struct Unknowns {
    /// One row for each unknown, with no equation before its first in any later one.
    rows: Vec<Row>,
    /// Which row begins at an equation, plus one.
    begins: Vec<u8>,
    /// What the bits that are known leave to be made up for.
    rest: Row,
    equations: usize,
    length: usize,
}

impl Default for Unknowns {
    fn default() -> Self {
        Self {
            rows: Vec::with_capacity(MOST),
            begins: vec![0; MOST],
            rest: Row::default(),
            equations: 0,
            length: 0,
        }
    }
}

impl Unknowns {
    /// Begins with a block of `length` codewords, `parity` of them parity.
    pub fn start(&mut self, syndromes: &Syndromes, length: usize, parity: usize) {
        self.rows.clear();
        self.begins.fill(0);
        self.equations = 8 * parity.min(MAX_PARITY);
        self.length = length;
        self.rest = Row {
            left: packed(|power| syndromes[power], parity),
            ..Row::default()
        };
    }

    /// Equations that are left over: so many bits of check.
    pub fn spare(&self) -> usize {
        self.equations - self.rows.len()
    }

    /// Makes `bit` an unknown. `None` if it depends on those that are unknown
    /// already: from there on nothing is certain. Else whether the equations can be
    /// met.
    pub fn add(&mut self, bit: Bit) -> Option<bool> {
        if self.spare() == 0 {
            return None;
        }
        let exponent = self.length.checked_sub(1 + usize::from(bit.place))?;
        let log = usize::from(LOG[usize::from(bit.value)]);
        let parity = self.equations / 8;
        let mut row = Row {
            left: packed(|power| EXP[log % 255 + power * exponent % 255], parity),
            ..Row::default()
        };
        let index = self.rows.len();
        row.from[index / 64] |= 1 << (index % 64);
        let mut start = 0;
        let first = loop {
            let first = row.first(start)?;
            match self.begins[first] {
                0 => break first,
                known => row.add(&self.rows[usize::from(known) - 1]),
            }
            start = first + 1;
        };
        self.begins[first] = index as u8 + 1;
        self.rows.push(row);
        let mut start = first;
        while let Some(at) = self.rest.first(start) {
            if self.begins[at] > 0 {
                self.rest.add(&self.rows[usize::from(self.begins[at]) - 1]);
            }
            start = at + 1;
        }
        Some(self.rest.left.iter().all(|&word| word == 0))
    }

    /// Must the unknown that was added as number `index` be turned over for the
    /// equations to be met?
    pub fn turned(&self, index: usize) -> bool {
        self.rest.from[index / 64] >> (index % 64) & 1 == 1
    }
}

/// The bits of `parity` codewords.
fn packed(codeword: impl Fn(usize) -> u8, parity: usize) -> Set {
    let mut set = [0; WORDS];
    for power in 0..parity.min(MAX_PARITY) {
        set[power / 8] |= u64::from(codeword(power)) << (power % 8 * 8);
    }
    set
}

#[cfg(test)]
mod tests {
    use super::super::reed_solomon::syndromes;
    use super::super::reed_solomon::tests::block;
    use super::*;

    fn bits(random: &mut fastrand::Rng, length: usize, count: usize) -> Vec<Bit> {
        let chosen = random.choose_multiple(0..8 * length, count);
        let bit = |at: usize| Bit {
            place: (at / 8) as u8,
            value: 1 << (at % 8),
        };
        chosen.into_iter().map(bit).collect()
    }

    /// As many unknown bits as leave 16 equations, in far more codewords than could
    /// be left out.
    #[test]
    fn unknown_bits_come_back_wherever_they_lie() {
        let mut random = fastrand::Rng::with_seed(11);
        let mut unknowns = Unknowns::default();
        for parity in [5usize, 7, 10, 17, 22, 30] {
            for data in [9usize, 16, 44, 122] {
                let whole = block(&mut random, data, parity);
                let count = (8 * parity - 16).min(4 * whole.len());
                let chosen = bits(&mut random, whole.len(), count);
                let mut word = whole.clone();
                for bit in &chosen {
                    if random.bool() {
                        word[usize::from(bit.place)] ^= bit.value;
                    }
                }
                let sums = syndromes(&word, parity);
                unknowns.start(&sums, word.len(), parity);
                let mut met = sums[..parity].iter().all(|&sum| sum == 0);
                let mut added = 0;
                for &bit in &chosen {
                    if met {
                        break;
                    }
                    met = unknowns.add(bit).expect("bits at random are independent");
                    added += 1;
                }
                assert!(met, "parity {parity}, {count} bits");
                assert_eq!(unknowns.spare(), 8 * parity - added);
                for (index, bit) in chosen[..added].iter().enumerate() {
                    if unknowns.turned(index) {
                        word[usize::from(bit.place)] ^= bit.value;
                    }
                }
                assert_eq!(word, whole, "parity {parity}, {count} bits");
            }
        }
    }

    #[test]
    fn random_words_meet_the_equations_as_often_as_those_left_over_say() {
        let mut random = fastrand::Rng::with_seed(12);
        let mut unknowns = Unknowns::default();
        let (trials, left) = (100_000, 7);
        let mut met = 0;
        for _ in 0..trials {
            let word: Vec<u8> = (0..20).map(|_| random.u8(..)).collect();
            unknowns.start(&syndromes(&word, 4), 20, 4);
            let chosen = bits(&mut random, 20, 32 - left);
            met += u32::from(
                chosen
                    .into_iter()
                    .any(|bit| unknowns.add(bit) == Some(true)),
            );
        }
        let expected = f64::from(trials) * 0.5f64.powi(left as i32);
        assert!(
            (f64::from(met) - expected).abs() < 5.0 * expected.sqrt(),
            "{met} of {trials}, expected {expected}"
        );
    }

    #[test]
    fn what_depends_on_other_unknowns_is_refused() {
        let mut unknowns = Unknowns::default();
        let mut sums = [0; MAX_PARITY];
        sums[0] = 1;
        unknowns.start(&sums, 10, 2);
        let bit = |place, value| Bit { place, value };
        assert!(unknowns.add(bit(3, 16)).is_some());
        assert_eq!(unknowns.add(bit(3, 16)), None);
        assert_eq!(unknowns.add(bit(10, 1)), None, "outside the block");
    }
}
