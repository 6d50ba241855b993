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
mod evidence;
mod format;
mod galois;
mod layout;
mod reed_solomon;
mod risk;
mod rmqr;
mod segments;
mod unknowns;

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
use codewords::{CREDITS, Codewords, Outcome, SOLVED};
use evidence::Evidence;
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

/// Probability of a miscorrection that the attempts on one symbol may add up to
/// beyond the first, unless [`Decoder::set_limit`] says otherwise.
const DEFAULT_LIMIT: f64 = 1e-10;

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
    /// attempts may go on a symbol. One attempt, errors alone within the standard's
    /// bound, is always made, told by [`Decoder::risk`] with what it cost; with 0
    /// it is the only one, which is the cheapest way to decode. With more than 1
    /// everything within the bound is corrected, whatever it is worth.
    pub fn set_limit(&mut self, limit: f64) {
        self.limit = limit;
    }

    /// Probability that the last call to [`Decoder::decode`] would have made
    /// something out of random codewords. After a failure it is at most the limit.
    /// After a success it is at most the limit but where plain errors alone are
    /// more than that: up to 5e-10 for as many as the standard corrects in 1-L
    /// (3e-10) and 2-L (5e-10), less where evidence speaks for it. To be added up
    /// over a frame: what exceeds what a frame may risk is not to be believed, or
    /// a second frame should agree.
    ///
    /// Evidence lowers it, by its probability for random codewords: errors lie
    /// where modules are unsure; of codewords that were corrected or filled in the
    /// sure modules agree, and the others make padding or printable ASCII.
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
        for (rank, format) in likely.enumerate() {
            // Half for the likeliest, a sixth for each of its rivals.
            let share = match rank {
                _ if self.limit >= 1.0 => self.limit,
                0 => self.limit / 2.0,
                _ => self.limit / 6.0,
            };
            match self.decode_as(kind, format, share, modules, code) {
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
        limit: f64,
        modules: &Modules,
        code: &mut Code,
    ) -> Option<Result<(), DecodeError>> {
        let blocks = kind.blocks(format.level)?;
        let mask = kind.mask(format.mask);
        self.codewords
            .gather(modules, kind.layout()?, &blocks, mask, format.mirrored);
        let before = self.risk;
        // Until it succeeds.
        self.risk += limit;
        let round = if limit < 1.0 {
            limit / ((CREDITS.len() + SOLVED) * blocks.count) as f64
        } else {
            limit
        };
        let outcome = self.codewords.correct(&blocks, round)?;
        // Correction that put something into the half codeword that is not there
        // has erred, but for those encoders (two of sixteen in a collection of
        // pictures) whose parity is that of ones where the symbol is padded.
        let last = self.codewords.data.last().copied().unwrap_or_default();
        let ones = blocks.half && last == 0xff;
        if blocks.half && last & 15 != 0 && !ones {
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
            return Some(Err(DecodeError::Content));
        };
        let padded = blocks.data_bits() / 8;
        if ones && meant > 8 * padded {
            return None;
        }
        let pads = meant.div_ceil(8)..padded;
        let evidence = Evidence {
            codewords: &self.codewords,
            ruled: evidence::padding(&self.codewords, pads.clone())?,
            pads,
            runs: &self.texts.runs,
        };
        self.risk = before + evidence.risk(round)?;
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
