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
mod rmqr;
mod segments;

pub use blocks::Blocks;
pub(in crate::qr) use format::micro_word;
pub use format::{
    Format, formats, likeliest_version, micro_formats, version as version_information,
};
pub use layout::{
    Layout, ModuleKind, alignment_centres, format_places, masked, micro_format_place, micro_mask,
    micro_side_of, micro_version_of, side_of, version_of, version_places,
};
pub use risk::miscorrection;
#[cfg(test)]
pub(in crate::qr) use rmqr::tests::encode_rmqr;
pub use rmqr::{
    RMQR_VERSIONS, likeliest_rmqr, rmqr_alignment, rmqr_format_places, rmqr_size, rmqr_words,
};

use super::code::{Code, Content, EcLevel, Method, Symbology};
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
    /// attempts may go on a block. One attempt, errors alone within the standard's
    /// bound, is always made (see [`Decoder::risk`] for what it cost); with 0 it is
    /// the only one, which is the cheapest way to decode.
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
    /// Sides of 11 to 17 are Micro QR codes: `mask` is then their own number, 0 to
    /// 3, and M1, which has no level, is told as L. M1 detects errors and corrects
    /// none; one picture of it is a poor witness (see [`Decoder::risk`]).
    ///
    /// Upright and mirrored symbols are told apart by their format information:
    /// for a mirrored one `modules` has rows and columns exchanged, which is how
    /// a sampler sees it that takes corners in the order of an upright one.
    pub fn decode(&mut self, modules: &Modules, code: &mut Code) -> Result<(), DecodeError> {
        let side = modules.side();
        let kind = Kind::of(side).ok_or(DecodeError::NotASymbol(side))?;
        self.decode_kind(kind, modules, code)
    }

    /// The same for rMQR code `version` 1 to 32 (R7x43 to R17x139), whose side is
    /// its width (see [`rmqr_size`]); rows below its height are of no meaning. It
    /// has one data mask, told as 0, and its format information does not tell
    /// whether it is mirrored: `modules` are upright.
    pub fn decode_rmqr(
        &mut self,
        modules: &Modules,
        version: u8,
        code: &mut Code,
    ) -> Result<(), DecodeError> {
        let side = modules.side();
        match rmqr_size(version) {
            Some((width, _)) if width == side => {
                self.decode_kind(Kind::RmQr(version), modules, code)
            }
            _ => Err(DecodeError::NotASymbol(side)),
        }
    }

    fn decode_kind(
        &mut self,
        kind: Kind,
        modules: &Modules,
        code: &mut Code,
    ) -> Result<(), DecodeError> {
        self.risk = 0.0;
        let (formats, count, total) = kind.formats(modules);
        let best = formats[0].score;
        if best <= 0 || (best as f32) < FORMAT_SURE * total as f32 {
            return Err(DecodeError::Format);
        }
        let likely = formats[..count]
            .iter()
            .take(MAX_FORMATS)
            .take_while(|format| format.score > 0 && best - format.score <= FORMAT_MARGIN);
        let mut error = DecodeError::Checksum;
        for format in likely {
            match self.decode_as(kind, format, modules, code) {
                Some(Ok(())) => return Ok(()),
                Some(Err(worse)) => error = worse,
                None => {}
            }
        }
        // A wrong side is a likelier cause than damage where the symbol says so
        // itself: words are eight bits apart in each of two copies.
        match (kind, format::version(modules)) {
            (Kind::Qr(version), Some((said, margin))) if said != version && margin > 8 * 127 => {
                Err(DecodeError::Version(said))
            }
            _ => Err(error),
        }
    }

    /// Decodes under one reading of the format information. `None` is the
    /// checksum that does not fit.
    fn decode_as(
        &mut self,
        kind: Kind,
        format: &Format,
        modules: &Modules,
        code: &mut Code,
    ) -> Option<Result<(), DecodeError>> {
        let blocks = kind.blocks(format.level)?;
        let mask = kind.mask(format.mask);
        self.codewords
            .gather(modules, kind.layout()?, &blocks, mask, format.mirrored);
        let limits = [self.limit, (self.limit * PADDING_CREDIT).min(1e-2)];
        let outcome = match self.codewords.correct(&blocks, limits) {
            Ok(outcome) => outcome,
            Err(spent) => {
                self.risk += spent;
                return None;
            }
        };
        // Correction that put something into the half codeword that is not there
        // has erred, but for those encoders (two of sixteen in a collection of
        // pictures) whose parity is that of ones where the symbol is padded.
        let last = self.codewords.data.last().copied().unwrap_or_default();
        let ones = blocks.half && last == 0xff;
        if blocks.half && last & 15 != 0 && !ones {
            self.risk += outcome.risk;
            return None;
        }
        let mut bits = Bits::new(&self.codewords.data, blocks.data_bits());
        let meant = segments::read(
            &mut bits,
            &kind.dialect(),
            &mut self.texts,
            &mut code.content,
        );
        let Some(meant) = meant else {
            self.risk += outcome.risk;
            return Some(Err(DecodeError::Content));
        };
        let padded = blocks.data_bits() / 8;
        if ones && meant > 8 * padded {
            self.risk += outcome.risk;
            return None;
        }
        let Some(vouched) = padding(&self.codewords, meant.div_ceil(8)..padded) else {
            self.risk += outcome.risk;
            return None;
        };
        let risk = outcome.risk * 256f64.powi(-vouched);
        self.risk += risk;
        if outcome.doubtful && risk > self.limit {
            return None;
        }
        (code.symbology, code.version) = match kind {
            Kind::Qr(version) => (Symbology::Qr, version),
            Kind::Micro(version) => (Symbology::MicroQr, version),
            Kind::RmQr(version) => (Symbology::RmQr, version),
        };
        code.level = format.level;
        code.mask = format.mask;
        code.mirrored = format.mirrored;
        tell(code, &outcome);
        Some(Ok(()))
    }
}

/// Reads bare data codewords, as a QR code of `version` holds them, into `content`:
/// the last step of decoding by itself. False if they break the rules of their
/// modes; `content` is then of no meaning.
pub fn read_data(data: &[u8], version: u8, content: &mut Content) -> bool {
    let mut bits = Bits::new(data, data.len() * 8);
    let mut texts = charset::Texts::default();
    segments::read(&mut bits, &Dialect::qr(version), &mut texts, content).is_some()
}

/// What is decoded, with its version.
#[derive(Clone, Copy)]
enum Kind {
    Qr(u8),
    Micro(u8),
    RmQr(u8),
}

impl Kind {
    /// What a square may be, by its side.
    fn of(side: usize) -> Option<Kind> {
        let qr = version_of(side).map(Kind::Qr);
        qr.or_else(|| micro_version_of(side).map(Kind::Micro))
    }

    fn formats(self, modules: &Modules) -> ([Format; 64], usize, i32) {
        match self {
            Kind::Qr(_) => {
                let (all, total) = format::formats(modules);
                (all, all.len(), total)
            }
            Kind::Micro(version) => format::micro_formats(modules, version),
            Kind::RmQr(version) => rmqr::formats(modules, version),
        }
    }

    fn layout(self) -> Option<&'static Layout> {
        match self {
            Kind::Qr(version) => Layout::of(version),
            Kind::Micro(version) => Layout::of_micro(version),
            Kind::RmQr(version) => Layout::of_rmqr(version),
        }
    }

    fn blocks(self, level: EcLevel) -> Option<Blocks> {
        match self {
            Kind::Qr(version) => Blocks::of(version, level),
            Kind::Micro(version) => Blocks::of_micro(version, level),
            Kind::RmQr(version) => rmqr::blocks(version, level),
        }
    }

    fn mask(self, mask: u8) -> u8 {
        match self {
            Kind::Qr(_) => mask,
            Kind::Micro(_) => micro_mask(mask),
            // The only one (ISO/IEC 23941, 7.8).
            Kind::RmQr(_) => 4,
        }
    }

    fn dialect(self) -> Dialect {
        match self {
            Kind::Qr(version) => Dialect::qr(version),
            Kind::Micro(version) => Dialect::micro(version),
            Kind::RmQr(version) => rmqr::dialect(version),
        }
    }
}

/// How many padding codewords (those in `range`) correction made right out of what
/// was wrong or unknown: chance does that once in 256 times for each. `None` if
/// it left some wrong though those that it did not touch are right: then it is
/// correction that erred. Padding of its own kind, as some encoders write it,
/// says nothing (ISO/IEC 18004, 7.4.10).
fn padding(codewords: &Codewords, range: std::ops::Range<usize>) -> Option<i32> {
    let all = codewords.data.iter().zip(&codewords.changed);
    let pads = all.take(range.end).skip(range.start);
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
