//! Decoding: sampled [`Modules`] in, what the symbol says out (ISO/IEC 18004,
//! clause 12 from step 4 on).
//!
//! Nothing here knows of pixels. Bits are decided last: format and version
//! information by maximum likelihood, codewords with their reliability, so that
//! Reed–Solomon gets errors and erasures.

mod bits;
mod blocks;
mod charset;
mod codewords;
mod format;
mod galois;
mod layout;
mod reed_solomon;
mod risk;
mod segments;

pub use blocks::Blocks;
pub use format::{Format, formats, likeliest_version, version as version_information};
pub use layout::{
    Layout, ModuleKind, alignment_centres, format_places, masked, side_of, version_of,
    version_places,
};
pub use risk::miscorrection;

use super::code::{Code, Method, Symbology};
use super::modules::Modules;
use bits::Bits;
use codewords::{Codewords, Outcome};
use segments::Dialect;

/// Why a symbol could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// No symbol has this many modules a side.
    NotASymbol(usize),
    /// No format information stands out.
    Format,
    /// The version information says that it is this version, not the one whose
    /// side was sampled: sample again with [`side_of`] it.
    Version(u8),
    /// More codewords are wrong than can be corrected.
    Checksum,
    /// Error correction was content, but the data breaks the rules of its modes.
    Content,
}

/// Format words that may be tried on one symbol: the likeliest, and rivals that
/// are nearly as likely.
const MAX_FORMATS: usize = 4;

/// How far behind the best a rival may be: two words of one copy are five bits
/// apart at least, so this stands for less than half the way in both copies.
const FORMAT_MARGIN: i32 = 8 * 127;

/// Least share of the confidences that must agree with the best format word,
/// above disagreement. A word with three wrong bits in each copy has 0.6; with
/// random modules the best word gets to this in about one case of ten
/// (test `few_random_squares_pass_for_a_format`).
const FORMAT_SURE: f32 = 0.5;

/// Probability of a miscorrection that the attempts on one block may add up to
/// beyond the first, unless [`Decoder::set_limit`] says otherwise.
const DEFAULT_LIMIT: f64 = 1e-10;

/// How much more may be risked where the data itself can vouch for the result:
/// as much as three padding codewords, come out right, make up for.
const PADDING_CREDIT: f64 = 256.0 * 256.0 * 256.0;

/// Decodes symbols one after another, in memory that it keeps: once it has seen
/// the largest symbol it allocates nothing.
pub struct Decoder {
    codewords: Codewords,
    texts: charset::Texts,
    limit: f64,
    risk: f64,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder with the default limit of risk.
    pub fn new() -> Self {
        Self {
            codewords: Codewords::default(),
            texts: charset::Texts::default(),
            limit: DEFAULT_LIMIT,
            risk: 0.0,
        }
    }

    /// Sets the probability of a miscorrection up to which erasures and repeated
    /// attempts may go on a block. The first attempt, errors alone within the
    /// standard's bound, is always made (see [`Decoder::risk`] for what it cost);
    /// with 0 it is the only one, which is the cheapest way to decode.
    pub fn set_limit(&mut self, limit: f64) {
        self.limit = limit;
    }

    /// Probability that the attempts of the last call to [`Decoder::decode`],
    /// added up, would have made a codeword out of random modules: at most what
    /// it took until it succeeded, all of them if it did not. To be added up over
    /// a frame, and where it is more than a single frame may risk, a second frame
    /// should agree.
    pub fn risk(&self) -> f64 {
        self.risk
    }

    /// Decodes a sampled symbol, `modules`, into `code`: its symbology, version,
    /// level, mask, whether it is mirrored, content, `quality.uec`, `corrected`
    /// and method ([`Method::Erasure`] if erasures were of use, else
    /// [`Method::Plain`]). Everything else in `code` stays as it is; after an
    /// error these too are of no meaning.
    ///
    /// Upright and mirrored symbols are told apart by their format information:
    /// for a mirrored one `modules` has rows and columns exchanged, which is how
    /// a sampler sees it that takes corners in the order of an upright one.
    pub fn decode(&mut self, modules: &Modules, code: &mut Code) -> Result<(), DecodeError> {
        self.risk = 0.0;
        let side = modules.side();
        let (version, layout) = version_of(side)
            .and_then(|version| Some((version, Layout::of(version)?)))
            .ok_or(DecodeError::NotASymbol(side))?;
        let (formats, total) = format::formats(modules);
        let best = formats[0].score;
        if best <= 0 || (best as f32) < FORMAT_SURE * total as f32 {
            return Err(DecodeError::Format);
        }
        let likely = formats
            .iter()
            .take(MAX_FORMATS)
            .take_while(|format| format.score > 0 && best - format.score <= FORMAT_MARGIN);
        let mut error = DecodeError::Checksum;
        for format in likely {
            let blocks = Blocks::of(version, format.level).ok_or(DecodeError::Format)?;
            self.codewords
                .gather(modules, layout, format.mask, format.mirrored);
            let limits = [self.limit, (self.limit * PADDING_CREDIT).min(1e-2)];
            let outcome = match self.codewords.correct(&blocks, limits) {
                Ok(outcome) => outcome,
                Err(spent) => {
                    self.risk += spent;
                    continue;
                }
            };
            let mut bits = Bits::new(&self.codewords.data);
            let dialect = Dialect::qr(version);
            let meant = segments::read(&mut bits, &dialect, &mut self.texts, &mut code.content);
            let Some(meant) = meant else {
                self.risk += outcome.risk;
                error = DecodeError::Content;
                continue;
            };
            let Some(vouched) = padding(&self.codewords, meant.div_ceil(8)) else {
                self.risk += outcome.risk;
                continue;
            };
            let risk = outcome.risk * 256f64.powi(-vouched);
            self.risk += risk;
            if outcome.doubtful && risk > self.limit {
                continue;
            }
            code.symbology = Symbology::Qr;
            code.version = version;
            code.level = format.level;
            code.mask = format.mask;
            code.mirrored = format.mirrored;
            tell(code, &outcome);
            return Ok(());
        }
        // A wrong side is a likelier cause than damage where the symbol says so
        // itself: words are eight bits apart in each of two copies.
        match format::version(modules) {
            Some((said, margin)) if said != version && margin > 8 * 127 => {
                Err(DecodeError::Version(said))
            }
            _ => Err(error),
        }
    }
}

/// How many padding codewords (from `start` on) correction made right out of what
/// was wrong or unknown: chance does that once in 256 times for each. `None` if
/// it left some wrong though those that it did not touch are right: then it is
/// correction that erred. Padding of its own kind, as some encoders write it,
/// says nothing (ISO/IEC 18004, 7.4.10).
fn padding(codewords: &Codewords, start: usize) -> Option<i32> {
    let pads = codewords.data.iter().zip(&codewords.changed).skip(start);
    let (mut made_right, mut made_wrong, mut found_wrong) = (0, 0, 0);
    for ((&value, &changed), right) in pads.zip([0xec, 0x11].into_iter().cycle()) {
        match (changed, value == right) {
            (true, true) => made_right += 1,
            (true, false) => made_wrong += 1,
            (false, true) => {}
            (false, false) => found_wrong += 1,
        }
    }
    if found_wrong > 0 {
        Some(0)
    } else {
        (made_wrong == 0).then_some(made_right)
    }
}

fn tell(code: &mut Code, outcome: &Outcome) {
    code.corrected = outcome.corrected as u16;
    code.quality.uec = (1.0 - outcome.spent).clamp(0.0, 1.0);
    code.method = if outcome.erasures {
        Method::Erasure
    } else {
        Method::Plain
    };
}

#[cfg(test)]
mod tests;
