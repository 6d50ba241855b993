//! Text to a symbol: what `make`, the synthetic belt and the tests draw. The
//! encoding itself is the `qrcode` crate's; this adds GS1 with its FNC1. Micro QR
//! codes are [`super::encode_micro`]'s.

use std::fmt;

use qrcode::bits::Bits;
use qrcode::{Color, QrCode, Version};

use super::code::EcLevel;
use super::decode::{Blocks, side_of};
use super::modules::Modules;

/// A symbol as dark and light modules, without its quiet zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BitMatrix {
    side: usize,
    dark: Box<[bool]>,
}

impl BitMatrix {
    /// Modules in a row.
    pub fn side(&self) -> usize {
        self.side
    }

    /// Is the module in column `x`, row `y` dark? False outside the symbol.
    pub fn dark(&self, x: usize, y: usize) -> bool {
        x < self.side && y < self.side && self.dark[y * self.side + x]
    }

    /// A square of `side` by `side` light modules.
    pub(super) fn light(side: usize) -> Self {
        Self {
            side,
            dark: vec![false; side * side].into_boxed_slice(),
        }
    }

    /// Sets the module in column `x`, row `y`, which is inside.
    pub(super) fn set(&mut self, x: usize, y: usize, dark: bool) {
        self.dark[y * self.side + x] = dark;
    }

    /// The same as a decoder takes it, every module sure.
    pub fn modules(&self) -> Modules {
        let mut modules = Modules::default();
        modules.reset(self.side);
        for y in 0..self.side {
            for x in 0..self.side {
                modules.set(x, y, if self.dark(x, y) { 127 } else { -127 });
            }
        }
        modules
    }

    fn of(code: &QrCode) -> Self {
        Self {
            side: code.width(),
            dark: code
                .to_colors()
                .into_iter()
                .map(|colour| colour == Color::Dark)
                .collect(),
        }
    }
}

/// Why a text cannot be encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// It does not fit into the version, or into any: how many characters it has.
    TooLong(usize),
    /// There is no such version: 1 to 40 (Micro QR: 1 to 4).
    Version(u8),
    /// A Micro QR code of that version has no such error correction level.
    MicroLevel,
    /// GS1 text that is not a row of `(AI)value`: what is wrong with it.
    Gs1(&'static str),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            EncodeError::TooLong(length) => write!(
                out,
                "the text is too long for the symbol ({length} bytes): shorten it, or ask for a larger version or a lower level"
            ),
            EncodeError::Version(version) => write!(
                out,
                "there is no version {version}: it is 1 to 40, or 1 to 4 for Micro QR"
            ),
            EncodeError::MicroLevel => write!(
                out,
                "no Micro QR code has that level: M1 has none to choose, M2 and M3 have L and M, M4 has L, M and Q"
            ),
            EncodeError::Gs1(fault) => write!(
                out,
                "GS1 text must be like (01)09506000134352(10)ABC: {fault}"
            ),
        }
    }
}

impl std::error::Error for EncodeError {}

/// Encodes `text` at `level` in `version` (1 to 40), or in the smallest that
/// holds it. Text beyond ASCII is declared as UTF-8 by its ECI. With `gs1` the
/// text is GS1 element strings, either as `(01)09506000134352(10)ABC`, where FNC1
/// is put in as needed, or plain with U+001D as separator.
pub fn encode(
    text: &str,
    level: EcLevel,
    version: Option<u8>,
    gs1: bool,
) -> Result<BitMatrix, EncodeError> {
    let bracketed = gs1 && text.starts_with('(');
    let elements = if bracketed {
        gs1_elements(text)?
    } else {
        text.to_owned()
    };
    let versions = match version {
        Some(version @ 1..=40) => version..=version,
        Some(version) => return Err(EncodeError::Version(version)),
        None => 1..=40,
    };
    for version in versions {
        // What cannot fit need not be laid out: digits are densest, three in ten bits.
        let room = Blocks::of(version, level).map_or(0, |blocks| blocks.data() * 8);
        if elements.chars().count() * 10 / 3 > room {
            continue;
        }
        if let Ok(code) = encode_in(&elements, level, version, gs1) {
            debug_assert_eq!(code.width(), side_of(version));
            return Ok(BitMatrix::of(&code));
        }
    }
    Err(EncodeError::TooLong(text.len()))
}

fn encode_in(text: &str, level: EcLevel, version: u8, gs1: bool) -> qrcode::QrResult<QrCode> {
    let level = theirs(level);
    let mut bits = Bits::new(Version::Normal(version.into()));
    if gs1 {
        bits.push_fnc1_first_position()?;
    }
    if text.is_ascii() {
        if gs1 {
            push_gs1(&mut bits, text.as_bytes())?;
        } else {
            bits.push_optimal_data(text.as_bytes())?;
        }
    } else {
        bits.push_eci_designator(26)?;
        // Not the optimiser: it would put pairs of UTF-8 bytes into Kanji mode.
        bits.push_byte_data(text.as_bytes())?;
    }
    bits.push_terminator(level)?;
    QrCode::with_bits(bits, level)
}

/// Byte segments alone keep `%` and U+001D as they are: under FNC1 a percent
/// sign means something in alphanumeric mode. Runs of digits go in by themselves
/// where that is shorter.
fn push_gs1(bits: &mut Bits, bytes: &[u8]) -> qrcode::QrResult<()> {
    const WORTH_A_SEGMENT: usize = 8;
    let mut rest = bytes;
    let mut waiting = 0;
    while waiting < rest.len() {
        let digits = rest[waiting..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        if digits >= WORTH_A_SEGMENT
            || (digits > 0 && digits == rest.len() - waiting && waiting == 0)
        {
            if waiting > 0 {
                bits.push_byte_data(&rest[..waiting])?;
            }
            bits.push_numeric_data(&rest[waiting..waiting + digits])?;
            rest = &rest[waiting + digits..];
            waiting = 0;
        } else {
            waiting += digits.max(1);
        }
    }
    if rest.is_empty() {
        return Ok(());
    }
    bits.push_byte_data(rest)
}

fn theirs(level: EcLevel) -> qrcode::EcLevel {
    match level {
        EcLevel::L => qrcode::EcLevel::L,
        EcLevel::M => qrcode::EcLevel::M,
        EcLevel::Q => qrcode::EcLevel::Q,
        EcLevel::H => qrcode::EcLevel::H,
    }
}

/// Is the length of this application identifier's value known by its first two
/// digits, so that no FNC1 ends it? (GS1 General Specifications, figure 7.8.5-2)
pub fn predefined_length(ai: &str) -> bool {
    matches!(
        ai.get(..2),
        Some(
            "00" | "01"
                | "02"
                | "03"
                | "04"
                | "11"
                | "12"
                | "13"
                | "14"
                | "15"
                | "16"
                | "17"
                | "18"
                | "19"
                | "20"
                | "31"
                | "32"
                | "33"
                | "34"
                | "35"
                | "36"
                | "41"
        )
    )
}

/// `(01)…(10)…` with brackets taken out and U+001D put in where a value of
/// variable length is followed by another element.
fn gs1_elements(text: &str) -> Result<String, EncodeError> {
    let mut elements = String::with_capacity(text.len());
    let mut rest = text;
    let mut open = false;
    while let Some(after) = rest.strip_prefix('(') {
        let (ai, tail) = after
            .split_once(')')
            .ok_or(EncodeError::Gs1("a bracket is not closed"))?;
        if !(2..=4).contains(&ai.len()) || !ai.bytes().all(|b| b.is_ascii_digit()) {
            return Err(EncodeError::Gs1(
                "an application identifier has two to four digits",
            ));
        }
        // A bracket inside a value opens an element only if digits and a closing
        // bracket follow.
        let end = tail
            .char_indices()
            .find(|&(at, c)| c == '(' && opens(&tail[at + 1..]))
            .map_or(tail.len(), |(at, _)| at);
        if end == 0 {
            return Err(EncodeError::Gs1("a value is empty"));
        }
        if open {
            elements.push('\u{1d}');
        }
        elements.push_str(ai);
        elements.push_str(&tail[..end]);
        open = !predefined_length(ai);
        rest = &tail[end..];
    }
    Ok(elements)
}

fn opens(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (2..=4).contains(&digits) && text[digits..].starts_with(')')
}

#[cfg(test)]
mod tests {
    use super::super::code::{Code, Fnc1};
    use super::super::decode::Decoder;
    use super::*;

    fn read(matrix: &BitMatrix) -> Code {
        let mut code = Code::default();
        Decoder::new()
            .decode(&matrix.modules(), &mut code)
            .expect("a whole symbol");
        code
    }

    #[test]
    fn text_comes_back_in_the_smallest_version_or_the_one_asked_for() {
        let small = encode("HELLO 42", EcLevel::Q, None, false).expect("fits");
        assert_eq!(
            (small.side(), read(&small).content.text.as_str()),
            (21, "HELLO 42")
        );
        let large = encode("HELLO 42", EcLevel::H, Some(7), false).expect("fits");
        assert_eq!(large.side(), 45);
        assert_eq!(read(&large).level, EcLevel::H);
        let foreign = read(&encode("ああ Grüße 😀", EcLevel::M, None, false).expect("fits"));
        assert_eq!(foreign.content.text, "ああ Grüße 😀");
        assert_eq!(foreign.content.aim_modifier, 2);
        let full = "7".repeat(7089);
        assert_eq!(
            encode(&full, EcLevel::L, None, false).expect("fits").side(),
            177
        );
    }

    #[test]
    fn gs1_text_gets_its_separators() {
        for (text, expected) in [
            ("(01)09506000134352(10)ABC", "010950600013435210ABC"),
            ("(10)A%B(01)09506000134352", "10A%B\u{1d}0109506000134352"),
            (
                "(10)A(1)(21)12345678901(17)270131",
                "10A(1)\u{1d}2112345678901\u{1d}17270131",
            ),
            ("(3103)001234(15)270131", "310300123415270131"),
            ("10a\u{1d}21b", "10a\u{1d}21b"),
        ] {
            let code = read(&encode(text, EcLevel::M, None, true).expect("fits"));
            assert_eq!(code.content.text, expected);
            assert_eq!(code.content.fnc1, Some(Fnc1::Gs1));
            assert_eq!(code.content.aim_modifier, 3);
        }
    }

    #[test]
    fn what_cannot_be_encoded_says_why() {
        let error = |text: &str, version, gs1| encode(text, EcLevel::L, version, gs1).err();
        assert_eq!(
            error(&"7".repeat(7090), None, false),
            Some(EncodeError::TooLong(7090))
        );
        assert_eq!(error("a", Some(41), false), Some(EncodeError::Version(41)));
        assert_eq!(error("a", Some(0), false), Some(EncodeError::Version(0)));
        for text in ["(01", "(1)2", "(12345)2", "(01)(10)a", "(ab)c"] {
            assert!(
                matches!(error(text, None, true), Some(EncodeError::Gs1(_))),
                "{text}"
            );
        }
    }
}
