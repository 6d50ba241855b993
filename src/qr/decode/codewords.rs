//! From module confidences to corrected data: codewords with their reliability,
//! shared out to blocks, each block corrected with what is known of it.

use super::super::modules::Modules;
use super::blocks::Blocks;
use super::layout::Layout;
use super::reed_solomon::{MAX_BLOCK, MAX_PARITY, Syndromes, correct, syndromes};
use super::risk::miscorrection;
use super::unknowns::{Bit, Unknowns};

/// Module confidence that stands for odds of e to one. It orders codewords by
/// reliability and nothing else, so that its value is not critical.
const ODDS_SCALE: f32 = 16.0;

/// What correction did to a symbol.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    /// Codewords that were wrong or filled in.
    pub corrected: usize,
    /// Erasures were of use.
    pub erasures: bool,
    /// Largest share of a block's capacity that was spent: (2e + s) / (n - k - p).
    pub spent: f32,
}

/// What one block stands for, beyond its data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trust {
    /// Its data codewords.
    pub data: usize,
    /// Probability that random codewords had been accepted as this was, the places
    /// of its errors considered.
    pub risk: f64,
    /// It was accepted beyond the limit of risk: the data must speak for itself.
    pub doubtful: bool,
}

/// The codewords of one symbol, and working memory that is kept.
pub(super) struct Codewords {
    /// Their values by the sign of each module.
    values: Vec<u8>,
    /// How unsure each is: -ln of the probability that all its modules are right,
    /// in 1/4096; [`ERASED`] more if a module is an erasure.
    unsure: Vec<u32>,
    /// Which of its bits are sure ([`SURE`]).
    sure: Vec<u8>,
    /// The confidence of each bit, the most significant first, without its sign.
    bits: Vec<[u8; 8]>,
    /// The corrected data codewords, block after block.
    pub data: Vec<u8>,
    /// Which of them correction changed or filled in.
    pub changed: Vec<bool>,
    /// Which of their bits were sure.
    pub seen: Vec<u8>,
    /// How far each block can be trusted.
    pub trust: Vec<Trust>,
    doubt: [u32; 128],
    solver: Solver,
}

/// Memory for solving blocks bit by bit.
#[derive(Debug)]
struct Solver {
    unknowns: Unknowns,
    /// Bits that may be unknown, the least reliable first, by confidence.
    order: Vec<(u8, Bit)>,
}

impl Default for Solver {
    fn default() -> Self {
        Self {
            unknowns: Unknowns::default(),
            // All of it at once: the first block to be solved may come late.
            order: Vec::with_capacity(8 * MAX_BLOCK),
        }
    }
}

/// A module of this confidence speaks for or against what correction made of its
/// codeword.
const SURE: u8 = 64;

/// Added to the doubt of a codeword with an erased module: more than all else.
const ERASED: u32 = 1 << 20;

impl Default for Codewords {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            unsure: Vec::new(),
            sure: Vec::new(),
            bits: Vec::new(),
            solver: Solver::default(),
            data: Vec::new(),
            changed: Vec::new(),
            seen: Vec::new(),
            trust: Vec::new(),
            doubt: std::array::from_fn(|confidence| {
                let odds = (-(confidence as f32) / ODDS_SCALE).exp();
                let erased = if confidence == 0 { ERASED } else { 0 };
                erased + (odds.ln_1p() * 4096.0) as u32
            }),
        }
    }
}

impl Codewords {
    /// Takes the codewords of `blocks` out of `modules` under data mask `mask`.
    /// `mirrored` exchanges rows and columns. A codeword of four bits has them in
    /// its upper half, the lower being zero, as it went into the parity.
    pub fn gather(
        &mut self,
        modules: &Modules,
        layout: &Layout,
        blocks: &Blocks,
        mask: u8,
        mirrored: bool,
    ) {
        let side = layout.side();
        let soft = modules.soft();
        let half = blocks.half.then(|| blocks.data() - 1);
        self.values.clear();
        self.unsure.clear();
        self.sure.clear();
        self.bits.clear();
        let mut places = layout.order().iter().zip(layout.flips());
        for codeword in 0..blocks.codewords {
            let (mut value, mut unsure, mut sure) = (0u8, 0, 0u8);
            let bits = if half == Some(codeword) { 4 } else { 8 };
            let mut confidences = [u8::MAX; 8];
            for ((&index, flip), slot) in places.by_ref().take(bits).zip(&mut confidences) {
                let mut index = usize::from(index);
                if mirrored {
                    index = index % side * side + index / side;
                }
                let confidence = soft[index];
                let one = u8::from(confidence > 0) ^ (flip >> mask & 1);
                value = value << 1 | one;
                *slot = confidence.unsigned_abs();
                sure = sure << 1 | u8::from(confidence.unsigned_abs() >= SURE);
                unsure += self.doubt[usize::from(confidence.unsigned_abs().min(127))];
            }
            self.values.push(value << (8 - bits));
            self.unsure.push(unsure);
            self.sure.push(sure << (8 - bits));
            self.bits.push(confidences);
        }
    }

    /// Corrects all blocks into `self.data`. Plain errors within the standard's
    /// bound are always tried; other attempts on a block while the probability of
    /// a miscorrection, added up, stays within `limit`, and beyond it by the
    /// [`CREDITS`] that evidence must make up for. `None` if a block cannot be
    /// corrected.
    pub fn correct(&mut self, blocks: &Blocks, limit: f64) -> Option<Outcome> {
        let mut outcome = Outcome::default();
        self.data.clear();
        self.changed.clear();
        self.seen.clear();
        self.trust.clear();
        for block in 0..blocks.count {
            let length = blocks.length(block);
            let mut word = [0u8; MAX_BLOCK];
            let mut unsure = [0u32; MAX_BLOCK];
            let mut sure = [0u8; MAX_BLOCK];
            let mut bits = [[0u8; 8]; MAX_BLOCK];
            for index in 0..length {
                let place = blocks.place(block, index);
                word[index] = self.values[place];
                unsure[index] = self.unsure[place];
                sure[index] = self.sure[place];
                bits[index] = self.bits[place];
            }
            let mut job = Block {
                word: &mut word[..length],
                unsure: &unsure[..length],
                sure: &mut sure[..length],
                bits: &bits[..length],
                solver: &mut self.solver,
                changed: [false; MAX_BLOCK],
                parity: blocks.parity,
                capacity: blocks.capacity(),
                protect: blocks.protect,
                risk: 0.0,
            };
            let done = job.correct(limit)?;
            outcome.corrected += done.errors + done.erased;
            outcome.erasures |= done.erased > 0;
            let cost = (2 * done.errors + done.erased) as f32 / blocks.capacity().max(1) as f32;
            outcome.spent = outcome.spent.max(cost);
            let data = length - blocks.parity;
            self.data.extend_from_slice(&job.word[..data]);
            self.changed.extend_from_slice(&job.changed[..data]);
            self.seen.extend_from_slice(&sure[..data]);
            self.trust.push(Trust {
                data,
                risk: done.risk,
                doubtful: done.doubtful,
            });
        }
        Some(outcome)
    }
}

/// Two probabilities multiplied are a smaller one than they are together: below
/// p with p (1 - ln p). For all that matters here, not more than 16 p.
const JOINT: f64 = 16.0;

/// Probability of at most `few` heads among `count` tosses.
fn at_most(few: u32, count: u32) -> f64 {
    let mut term = 0.5f64.powi(count.min(1000) as i32);
    let mut sum = term;
    for i in 0..few.min(count) {
        term *= f64::from(count - i) / f64::from(i + 1);
        sum += term;
    }
    sum.min(1.0)
}

/// By how much each round of attempts on a block may go beyond the limit of risk:
/// what it accepts must be vouched for by evidence as improbable as that. So no
/// round adds more than the limit.
pub(super) const CREDITS: [f64; 8] = [
    1.0,
    16.0,
    256.0,
    4096.0,
    65_536.0,
    1_048_576.0,
    16_777_216.0,
    268_435_456.0,
];

/// Rounds within the limit of risk that there are beside those of [`CREDITS`]: bits
/// for unknowns, surely and doubtfully.
pub(super) const SOLVED: usize = 2;
/// Equations over bits that must be left over as a check, beside what the standard
/// keeps for detection.
const LEAST_CHECK: usize = 16;
/// Most steps between there and what a limit allows by itself: 2^-16 to 2^-80.
const STEPS: f64 = 64.0;

/// What a block took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Spent {
    errors: usize,
    erased: usize,
    risk: f64,
    doubtful: bool,
}

/// One block being corrected.
struct Block<'a> {
    word: &'a mut [u8],
    unsure: &'a [u32],
    /// Which of its bits were seen.
    sure: &'a mut [u8],
    bits: &'a [[u8; 8]],
    solver: &'a mut Solver,
    /// Codewords that were changed or filled in.
    changed: [bool; MAX_BLOCK],
    parity: usize,
    capacity: usize,
    protect: usize,
    /// Probability that random codewords had been accepted by now.
    risk: f64,
}

impl Block<'_> {
    /// Corrects the block as it stands if that can be done; else with the
    /// codewords that have erased modules left out; then leaving out more and
    /// more of the least reliable (generalised minimum distance decoding, Forney
    /// 1966). Always within 2e + s <= n - k - p.
    fn correct(&mut self, limit: f64) -> Option<Spent> {
        let length = self.word.len();
        let sums = syndromes(self.word, self.parity);
        if sums[..self.parity].iter().all(|&s| s == 0) {
            return Some(Spent {
                risk: miscorrection(length, self.parity, 0, 0),
                ..Spent::default()
            });
        }
        let mut order = [0u8; MAX_BLOCK];
        let order = &mut order[..length];
        for (index, place) in order.iter_mut().enumerate() {
            *place = index as u8;
        }
        let doubt = |place: u8| self.unsure[usize::from(place)];
        order.sort_unstable_by_key(|&place| (std::cmp::Reverse(doubt(place)), place));
        let marked = order
            .iter()
            .filter(|&&place| doubt(place) >= ERASED)
            .count();
        let least = doubt(order[length - 1]);
        // Codewords that stand out from the most reliable ones: beyond them there
        // is nothing to choose by.
        let worth = order.iter().filter(|&&place| doubt(place) > least).count();
        // Two more each time: one more changes nothing in what can be corrected.
        let start = if self.capacity.is_multiple_of(2) {
            2
        } else {
            1
        };
        // Errors that were tried with so many erasures, and one.
        let mut tried = [0u8; MAX_PARITY + 1];
        for (round, credit) in CREDITS.into_iter().enumerate() {
            let limit = limit * credit;
            // Where modules were marked as erased, leaving them out comes first:
            // it corrects most, and with the least risk.
            let marked = (marked > 0 && marked <= self.capacity).then_some(marked);
            let steps = (start..=self.capacity.min(worth)).step_by(2);
            for erased in marked.into_iter().chain([0]).chain(steps) {
                if let Some(found) = self.attempt(&sums, order, erased, limit, &mut tried) {
                    let most = if round > 0 { limit } else { self.risk };
                    return Some(Spent {
                        doubtful: round > 0,
                        // In a later round anything up to its limit could have come.
                        risk: found.risk / self.risk * most.max(self.risk),
                        ..found
                    });
                }
            }
            if round > 0 {
                continue;
            }
            // As many plain errors as the standard allows come in any case, told
            // with the risk that they are.
            if let Some(found) = self.attempt(&sums, order, 0, 2.0, &mut tried) {
                return Some(found);
            }
            if let Some(found) = self.solve(&sums, limit) {
                return Some(found);
            }
        }
        None
    }

    /// One attempt with the first `erased` of `order` left out, and as many errors
    /// as the standard's bound and what is left of `limit` allow.
    fn attempt(
        &mut self,
        sums: &Syndromes,
        order: &[u8],
        erased: usize,
        limit: f64,
        tried: &mut [u8; MAX_PARITY + 1],
    ) -> Option<Spent> {
        let (length, parity) = (self.word.len(), self.parity);
        let cost = |errors| miscorrection(length, parity, erased, errors);
        let most = (self.capacity - erased) / 2;
        let errors = (0..=most).rev().find(|&e| self.risk + cost(e) <= limit)?;
        if errors < usize::from(tried[erased]) {
            return None;
        }
        tried[erased] = errors as u8 + 1;
        let before: [u8; MAX_BLOCK] = std::array::from_fn(|i| *self.word.get(i).unwrap_or(&0));
        let Some(found) = correct(self.word, parity, sums, &order[..erased], errors) else {
            if limit <= 1.0 {
                self.risk += cost(errors);
            }
            return None;
        };
        self.risk += cost(found);
        let difference = |i: usize| self.word[i] ^ before[i];
        for (i, changed) in self.changed[..self.word.len()].iter_mut().enumerate() {
            *changed = difference(i) != 0;
        }
        let places = self.places(order, erased, found);
        for &place in &order[..erased] {
            self.changed[usize::from(place)] = true;
        }
        let (mut sure, mut against) = (0, 0);
        for i in (0..length).filter(|&i| self.changed[i]) {
            sure += self.sure[i].count_ones();
            against += (self.sure[i] & difference(i)).count_ones();
        }
        let agreed = at_most(against, sure);
        let joint = if places < 1.0 && agreed < 1.0 {
            JOINT
        } else {
            1.0
        };
        let risk = self.risk * (joint * places * agreed).min(1.0);
        Some(Spent {
            errors: found,
            erased,
            risk,
            doubtful: false,
        })
    }

    /// Takes bits for unknown, the least reliable first, until the block is right
    /// with the others as they are. Up to where random codewords would be accepted
    /// with a probability of `limit`; then on, doubtful, each step within its share
    /// of it.
    fn solve(&mut self, sums: &Syndromes, limit: f64) -> Option<Spent> {
        if limit >= 1.0 || limit <= 0.0 {
            return None;
        }
        let Solver { unknowns, order } = &mut *self.solver;
        order.clear();
        for (place, bits) in self.bits.iter().enumerate() {
            for (bit, &confidence) in bits.iter().enumerate() {
                if confidence < SURE {
                    let value = 0x80 >> bit;
                    let place = place as u8;
                    order.push((confidence, Bit { place, value }));
                }
            }
        }
        order.sort_unstable_by_key(|&(confidence, bit)| (confidence, bit.place, bit.value));
        unknowns.start(sums, self.word.len(), self.parity);
        let mut count = 0;
        let least = LEAST_CHECK.max(8 * self.protect);
        let risk = loop {
            if unknowns.spare() <= least {
                return None;
            }
            let &(_, bit) = order.get(count)?;
            let met = unknowns.add(bit)?;
            count += 1;
            if met {
                // Of this step and, together no more likely, all before it.
                break 2.0 * 0.5f64.powi(unknowns.spare() as i32);
            }
        };
        let mut corrected = 0;
        for (index, (_, bit)) in order[..count].iter().enumerate() {
            let place = usize::from(bit.place);
            if !self.changed[place] {
                self.changed[place] = true;
                self.sure[place] = 0xff;
                corrected += 1;
            }
            self.sure[place] &= !bit.value;
            if unknowns.turned(index) {
                self.word[place] ^= bit.value;
            }
        }
        let doubtful = risk > limit;
        Some(Spent {
            errors: 0,
            erased: corrected,
            risk: if doubtful {
                risk * STEPS
            } else {
                self.risk + risk
            },
            doubtful,
        })
    }

    /// Errors are where modules are unsure, but those of a miscorrection are
    /// anywhere: the probability that as many places picked at random were among
    /// as few of the least reliable ones.
    fn places(&self, order: &[u8], erased: usize, errors: usize) -> f64 {
        let rest = order.get(erased..).unwrap_or_default();
        let last = rest
            .iter()
            .rposition(|&place| self.changed[usize::from(place)]);
        let among = last.map_or(0, |last| last + 1);
        (0..errors.min(among))
            .map(|i| (among - i) as f64 / (rest.len() - i) as f64)
            .product()
    }
}
