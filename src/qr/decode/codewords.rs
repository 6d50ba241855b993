//! From module confidences to corrected data: codewords with their reliability,
//! shared out to blocks, each block corrected with what is known of it.

use super::super::modules::Modules;
use super::blocks::Blocks;
use super::layout::{Layout, masked};
use super::reed_solomon::{MAX_BLOCK, correct, syndromes};
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
            doubt: std::array::from_fn(|confidence| {
                let odds = (-(confidence as f32) / ODDS_SCALE).exp();
                let erased = if confidence == 0 { ERASED } else { 0 };
                erased + (odds.ln_1p() * 4096.0) as u32
            }),
        }
    }
}

impl Codewords {
    /// Takes the codewords out of `modules` under data mask `mask`. `mirrored`
    /// exchanges rows and columns.
    pub fn gather(&mut self, modules: &Modules, layout: &Layout, mask: u8, mirrored: bool) {
        let side = layout.side();
        let soft = modules.soft();
        self.values.clear();
        self.unsure.clear();
        for bits in layout.order().chunks_exact(8) {
            let (mut value, mut unsure) = (0u8, 0);
            for &index in bits {
                let index = usize::from(index);
                let (x, y) = (index % side, index / side);
                let confidence = soft[if mirrored { x * side + y } else { index }];
                let one = (confidence > 0) != masked(mask, x, y);
                value = value << 1 | u8::from(one);
                unsure += self.doubt[usize::from(confidence.unsigned_abs().min(127))];
            }
            self.values.push(value);
            self.unsure.push(unsure);
        }
    }

    /// Corrects all blocks into `self.data`. Attempts beyond the first plain one
    /// of a block are made while the probability of a miscorrection, added up,
    /// stays within `limit`; what was spent of it is added to `risk`.
    pub fn correct(&mut self, blocks: &Blocks, limit: f64, risk: &mut f64) -> Option<Outcome> {
        let mut outcome = Outcome::default();
        self.data.clear();
        for block in 0..blocks.count {
            let length = blocks.length(block);
            let mut word = [0u8; MAX_BLOCK];
            let word = &mut word[..length];
            let mut unsure = [0u32; MAX_BLOCK];
            for (index, value) in word.iter_mut().enumerate() {
                let place = blocks.place(block, index);
                *value = self.values[place];
                unsure[index] = self.unsure[place];
            }
            let (done, spent) = correct_block(word, &unsure[..length], blocks, limit);
            *risk += spent;
            let done = done?;
            outcome.corrected += done.errors + done.erased;
            outcome.erasures |= done.erased > 0;
            let cost = (2 * done.errors + done.erased) as f32 / blocks.capacity().max(1) as f32;
            outcome.spent = outcome.spent.max(cost);
            self.data.extend_from_slice(&word[..length - blocks.parity]);
        }
        Some(outcome)
    }
}

/// What a block took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Spent {
    errors: usize,
    erased: usize,
}

/// Corrects one block: as it stands if it can be; then with the codewords that
/// have erased modules left out; then leaving out more and more of the least
/// reliable (generalised minimum distance decoding, Forney 1966). Always within
/// 2e + s <= n - k - p. Returns what it took, if it succeeded, and the
/// probability that random codewords had got as far.
fn correct_block(
    word: &mut [u8],
    unsure: &[u32],
    blocks: &Blocks,
    limit: f64,
) -> (Option<Spent>, f64) {
    let (length, parity, capacity) = (word.len(), blocks.parity, blocks.capacity());
    let sums = syndromes(word, parity);
    if sums[..parity].iter().all(|&s| s == 0) {
        return (Some(Spent::default()), miscorrection(length, parity, 0, 0));
    }
    let known_bad = unsure.iter().filter(|&&u| u >= ERASED).count();
    let least = unsure.iter().copied().min().unwrap_or(0);
    let mut order = [0u8; MAX_BLOCK];
    let order = &mut order[..length];
    for (index, place) in order.iter_mut().enumerate() {
        *place = index as u8;
    }
    order.sort_unstable_by_key(|&place| (std::cmp::Reverse(unsure[usize::from(place)]), place));

    let mut spent = 0.0;
    let mut attempt = |word: &mut [u8], erased: usize, free: bool| {
        let mut errors = (capacity - erased) / 2;
        let mut cost = miscorrection(length, parity, erased, errors);
        while !free && spent + cost > limit {
            if errors == 0 {
                return None;
            }
            errors -= 1;
            cost = miscorrection(length, parity, erased, errors);
        }
        match correct(word, parity, &sums, &order[..erased], errors) {
            Some(found) => {
                spent += miscorrection(length, parity, erased, found);
                Some(Spent {
                    errors: found,
                    erased,
                })
            }
            None => {
                spent += cost;
                None
            }
        }
    };
    // Where modules were marked as erased, leaving them out comes first: it
    // corrects most, and with the least risk.
    let marked = (1..=capacity).contains(&known_bad);
    let mut found = None;
    if marked {
        found = attempt(word, known_bad, false);
    }
    if found.is_none() {
        found = attempt(word, 0, true);
    }
    // Two more each time: one more changes nothing in what can be corrected.
    let mut erased = if capacity.is_multiple_of(2) { 2 } else { 1 };
    while found.is_none() && erased <= capacity && unsure[usize::from(order[erased - 1])] > least {
        if !(marked && erased == known_bad) {
            found = attempt(word, erased, false);
        }
        erased += 2;
    }
    (found, spent)
}
