//! From module confidences to corrected data: codewords with their reliability,
//! shared out to blocks, each block corrected with what is known of it.

use super::super::modules::Modules;
use super::blocks::Blocks;
use super::layout::Layout;
use super::reed_solomon::{MAX_BLOCK, Syndromes, correct, syndromes};
use super::risk::miscorrection;

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
    /// Probability that random codewords had got as far, added up over blocks.
    pub risk: f64,
    /// Some block went beyond its limit of risk: the data must speak for itself.
    pub doubtful: bool,
}

/// The codewords of one symbol, and working memory that is kept.
pub(super) struct Codewords {
    /// Their values by the sign of each module.
    values: Vec<u8>,
    /// How unsure each is: -ln of the probability that all its modules are right,
    /// in 1/4096; [`ERASED`] more if a module is an erasure.
    unsure: Vec<u32>,
    /// The corrected data codewords, block after block.
    pub data: Vec<u8>,
    /// Which of them correction changed or filled in.
    pub changed: Vec<bool>,
    doubt: [u32; 128],
}

/// Added to the doubt of a codeword with an erased module: more than all else.
const ERASED: u32 = 1 << 20;

impl Default for Codewords {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            unsure: Vec::new(),
            data: Vec::new(),
            changed: Vec::new(),
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
        let mut places = layout.order().iter().zip(layout.flips());
        for codeword in 0..blocks.codewords {
            let (mut value, mut unsure) = (0u8, 0);
            let bits = if half == Some(codeword) { 4 } else { 8 };
            for (&index, flip) in places.by_ref().take(bits) {
                let mut index = usize::from(index);
                if mirrored {
                    index = index % side * side + index / side;
                }
                let confidence = soft[index];
                let one = u8::from(confidence > 0) ^ (flip >> mask & 1);
                value = value << 1 | one;
                unsure += self.doubt[usize::from(confidence.unsigned_abs().min(127))];
            }
            self.values.push(value << (8 - bits));
            self.unsure.push(unsure);
        }
    }

    /// Corrects all blocks into `self.data`. Plain errors within the standard's
    /// bound are always tried; other attempts on a block while the probability of
    /// a miscorrection, added up, stays within `limits`: first the one that a
    /// result may have by itself, then one that asks for evidence from the data.
    /// Fails with what was spent.
    pub fn correct(&mut self, blocks: &Blocks, limits: [f64; 2]) -> Result<Outcome, f64> {
        let mut outcome = Outcome::default();
        self.data.clear();
        self.changed.clear();
        for block in 0..blocks.count {
            let length = blocks.length(block);
            let mut word = [0u8; MAX_BLOCK];
            let mut unsure = [0u32; MAX_BLOCK];
            for index in 0..length {
                let place = blocks.place(block, index);
                word[index] = self.values[place];
                unsure[index] = self.unsure[place];
            }
            let mut job = Block {
                word: &mut word[..length],
                unsure: &unsure[..length],
                changed: [false; MAX_BLOCK],
                parity: blocks.parity,
                capacity: blocks.capacity(),
                risk: 0.0,
            };
            let found = job.correct(limits);
            outcome.risk += job.risk;
            let done = found.ok_or(outcome.risk)?;
            outcome.corrected += done.errors + done.erased;
            outcome.erasures |= done.erased > 0;
            outcome.doubtful |= done.doubtful;
            let cost = (2 * done.errors + done.erased) as f32 / blocks.capacity().max(1) as f32;
            outcome.spent = outcome.spent.max(cost);
            let data = length - blocks.parity;
            self.data.extend_from_slice(&job.word[..data]);
            self.changed.extend_from_slice(&job.changed[..data]);
        }
        Ok(outcome)
    }
}

/// What a block took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Spent {
    errors: usize,
    erased: usize,
    doubtful: bool,
}

/// One block being corrected.
struct Block<'a> {
    word: &'a mut [u8],
    unsure: &'a [u32],
    /// Codewords that were changed or filled in.
    changed: [bool; MAX_BLOCK],
    parity: usize,
    capacity: usize,
    /// Probability that random codewords had been accepted by now.
    risk: f64,
}

impl Block<'_> {
    /// Corrects the block as it stands if that can be done; else with the
    /// codewords that have erased modules left out; then leaving out more and
    /// more of the least reliable (generalised minimum distance decoding, Forney
    /// 1966). Always within 2e + s <= n - k - p.
    fn correct(&mut self, limits: [f64; 2]) -> Option<Spent> {
        let length = self.word.len();
        let sums = syndromes(self.word, self.parity);
        if sums[..self.parity].iter().all(|&s| s == 0) {
            self.risk = miscorrection(length, self.parity, 0, 0);
            return Some(Spent::default());
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

        // Where modules were marked as erased, leaving them out comes first: it
        // corrects most, and with the least risk. As many plain errors as the
        // standard allows come last where that alone is more than the limit
        // (versions 1-L and 2-L): before, it would leave nothing for the others.
        let first = marked;
        let plain = miscorrection(length, self.parity, 0, self.capacity / 2);
        for (pass, limit) in limits.into_iter().enumerate() {
            let doubtful = pass > 0;
            if first > 0 && first <= self.capacity {
                let erased = &order[..first];
                if let Some(found) = self.attempt(&sums, erased, limit, doubtful) {
                    return Some(found);
                }
            }
            if !doubtful && let Some(found) = self.attempt(&sums, &[], limit, false) {
                return Some(found);
            }
            // Two more each time: one more changes nothing in what can be corrected.
            let start = if self.capacity.is_multiple_of(2) {
                2
            } else {
                1
            };
            for erased in (start..=self.capacity.min(worth)).step_by(2) {
                if erased != first
                    && let Some(found) = self.attempt(&sums, &order[..erased], limit, doubtful)
                {
                    return Some(found);
                }
            }
            if !doubtful
                && plain > limit
                && let Some(found) = self.attempt(&sums, &[], 1.0, false)
            {
                return Some(found);
            }
        }
        None
    }

    /// One attempt with `erased` left out, and as many errors as the standard's
    /// bound and what is left of `limit` allow.
    fn attempt(
        &mut self,
        sums: &Syndromes,
        erased: &[u8],
        limit: f64,
        doubtful: bool,
    ) -> Option<Spent> {
        let (length, parity) = (self.word.len(), self.parity);
        let cost = |errors| miscorrection(length, parity, erased.len(), errors);
        let most = (self.capacity - erased.len()) / 2;
        let errors = (0..=most).rev().find(|&e| self.risk + cost(e) <= limit)?;
        let before: [u8; MAX_BLOCK] = std::array::from_fn(|i| *self.word.get(i).unwrap_or(&0));
        let Some(found) = correct(self.word, parity, sums, erased, errors) else {
            self.risk += cost(errors);
            return None;
        };
        self.risk += cost(found);
        for (i, changed) in self.changed[..self.word.len()].iter_mut().enumerate() {
            *changed = self.word[i] != before[i];
        }
        for &place in erased {
            self.changed[usize::from(place)] = true;
        }
        Some(Spent {
            errors: found,
            erased: erased.len(),
            doubtful,
        })
    }
}
