//! Bytes to text: the character sets of the ECI assignments (AIM ITS/04-023) and,
//! where a symbol declares none, the likeliest one.

use encoding_rs::{DecoderResult, Encoding};

use super::super::code::Content;

/// What the bytes of a segment are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Charset {
    /// Nothing declared: to be guessed.
    #[default]
    Undeclared,
    /// Digits and letters of the compact modes.
    Ascii,
    /// Kanji mode: Shift JIS.
    Kanji,
    /// Hanzi mode: GB 2312.
    Hanzi,
    /// ISO 8859-1, control characters included, which the web's tables lack.
    Latin1,
    /// Code page 437.
    Cp437,
    /// Seven bits.
    Seven,
    /// Four bytes a character; big-endian if true.
    Utf32(bool),
    /// One that the library knows.
    Known(&'static Encoding),
    /// Declared as binary, or as something that is not assigned.
    Binary,
}

impl Charset {
    /// The character set of an ECI assignment number.
    pub fn of_eci(number: u32) -> Charset {
        use encoding_rs::*;
        Charset::Known(match number {
            0 | 2 => return Charset::Cp437,
            1 | 3 => return Charset::Latin1,
            4 => ISO_8859_2,
            5 => ISO_8859_3,
            6 => ISO_8859_4,
            7 => ISO_8859_5,
            8 => ISO_8859_6,
            9 => ISO_8859_7,
            10 => ISO_8859_8,
            // Part 9 and part 11 differ from these in control characters alone.
            11 => WINDOWS_1254,
            12 => ISO_8859_10,
            13 => WINDOWS_874,
            15 => ISO_8859_13,
            16 => ISO_8859_14,
            17 => ISO_8859_15,
            18 => ISO_8859_16,
            20 => SHIFT_JIS,
            21 => WINDOWS_1250,
            22 => WINDOWS_1251,
            23 => WINDOWS_1252,
            24 => WINDOWS_1256,
            25 => UTF_16BE,
            26 => UTF_8,
            27 | 170 => return Charset::Seven,
            28 => BIG5,
            29 | 31 => GBK,
            30 => EUC_KR,
            32 => GB18030,
            33 => UTF_16LE,
            34 => return Charset::Utf32(true),
            35 => return Charset::Utf32(false),
            _ => return Charset::Binary,
        })
    }
}

/// A stretch of a symbol's bytes in one character set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub charset: Charset,
    pub start: usize,
    pub end: usize,
}

/// The stretches of one symbol, as working memory that is kept.
#[derive(Debug, Default)]
pub(super) struct Texts {
    spans: Vec<Span>,
    /// Where byte segments begin, in bits, and how many bytes they have.
    pub runs: Vec<(usize, usize)>,
}

impl Texts {
    pub fn clear(&mut self) {
        self.spans.clear();
        self.runs.clear();
    }

    /// Appends a stretch, to the last one if that is in the same character set:
    /// a character may be split over two segments.
    pub fn push(&mut self, span: Span) {
        match self.spans.last_mut() {
            Some(last) if last.charset == span.charset && last.end == span.start => {
                last.end = span.end;
            }
            _ => self.spans.push(span),
        }
    }

    /// Fills in `content.text` and `content.is_text` from `content.bytes`.
    pub fn render(&self, content: &mut Content) {
        content.is_text = self.write(&content.bytes, &mut content.text);
        if !content.is_text {
            content.text.clear();
        }
    }

    fn write(&self, bytes: &[u8], text: &mut String) -> bool {
        let declares = |span: &Span| {
            !matches!(
                span.charset,
                Charset::Undeclared | Charset::Ascii | Charset::Kanji
            )
        };
        // Encoders that look at bytes alone put pairs that fit into Kanji mode,
        // whatever they are part of: UTF-8 is judged over the whole message.
        if !self.spans.iter().any(declares)
            && let Ok(utf8) = std::str::from_utf8(bytes)
        {
            text.push_str(utf8);
            return plausible(utf8);
        }
        let guessed = self.guess(bytes);
        self.spans.iter().all(|span| {
            let part = &bytes[span.start..span.end];
            match span.charset {
                Charset::Undeclared => match guessed {
                    Some(charset) => {
                        let from = text.len();
                        decode(charset, part, text) && plausible(&text[from..])
                    }
                    None => part.is_empty(),
                },
                charset => decode(charset, part, text),
            }
        })
    }

    /// The character set of all bytes for which none is declared: UTF-8 if they
    /// are, else Shift JIS, GB 2312 or ISO 8859-1 by their values; `None` if none
    /// fits.
    fn guess(&self, bytes: &[u8]) -> Option<Charset> {
        let undeclared = || {
            self.spans
                .iter()
                .filter(|span| span.charset == Charset::Undeclared)
                .map(|span| &bytes[span.start..span.end])
        };
        if undeclared().all(|part| std::str::from_utf8(part).is_ok()) {
            return Some(Charset::Known(encoding_rs::UTF_8));
        }
        let kanji = self.spans.iter().any(|span| span.charset == Charset::Kanji);
        let japanese = undeclared()
            .map(japanese)
            .try_fold((0, 0), |(pairs, singles), part| {
                part.map(|(p, s)| (pairs + p, singles + s))
            });
        let controls = undeclared().flatten().any(|b| (0x80..0xa0).contains(b));
        match japanese {
            // Single katakana alone look like accented letters, which are far
            // commoner unless nothing but katakana is there.
            Some((pairs, singles)) if kanji || (controls && pairs > 0) || singles >= 3 => {
                Some(Charset::Known(encoding_rs::SHIFT_JIS))
            }
            _ if !kanji && chinese(undeclared()) => Some(Charset::Known(encoding_rs::GB18030)),
            // 0x80 to 0x9f are control characters in ISO 8859-1: no text.
            _ => (!controls).then_some(Charset::Latin1),
        }
    }
}

/// If `bytes` may be Shift JIS: how many characters of two bytes there are, and
/// how many katakana of one byte if there is nothing else beyond ASCII.
fn japanese(bytes: &[u8]) -> Option<(usize, usize)> {
    let (mut pairs, mut singles, mut rest) = (0, 0, bytes.iter());
    while let Some(&byte) = rest.next() {
        match byte {
            0..=0x7f => {}
            0xa1..=0xdf => singles += 1,
            0x81..=0x9f | 0xe0..=0xfc => match rest.next() {
                Some(0x40..=0x7e | 0x80..=0xfc) => pairs += 1,
                _ => return None,
            },
            _ => return None,
        }
    }
    Some((pairs, if pairs == 0 { singles } else { 0 }))
}

/// Do all bytes beyond ASCII pair up to the common characters of GB 2312 (its
/// first level, 0xb0a1 to 0xd7f9), and would they hold signs rather than letters
/// in ISO 8859-1? Two accented capitals side by side ("AÇÃO") pair up as well.
fn chinese<'a>(parts: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut signs = 0;
    for part in parts {
        let mut rest = part.iter();
        while let Some(&lead) = rest.next() {
            if lead < 0x80 {
                continue;
            }
            match (lead, rest.next()) {
                (0xb0..=0xd7, Some(&trail @ 0xa1..=0xfe)) => {
                    signs += usize::from(lead < 0xc0 || trail < 0xc0);
                }
                _ => return false,
            }
        }
    }
    signs > 0
}

/// Is a guess still text? Control characters that no label carries say no; tab,
/// line ends, form feed, ESC, the separators of ISO/IEC 15434 and the ten
/// transmission controls of ISO/IEC 6429 (SOH to ACK, DLE, NAK to ETB) are carried.
fn plausible(text: &str) -> bool {
    !text.bytes().any(
        |b| matches!(b, 0 | 0x07 | 0x08 | 0x0b | 0x0e | 0x0f | 0x11..=0x14 | 0x18..=0x1a | 0x7f),
    )
}

/// Appends `bytes` as text; false if they are not that.
fn decode(charset: Charset, bytes: &[u8], text: &mut String) -> bool {
    match charset {
        Charset::Latin1 => text.extend(bytes.iter().map(|&b| char::from(b))),
        Charset::Cp437 => text.extend(bytes.iter().map(|&b| cp437(b))),
        Charset::Ascii | Charset::Seven if bytes.is_ascii() => {
            text.extend(bytes.iter().map(|&b| char::from(b)));
        }
        Charset::Kanji => return library(encoding_rs::SHIFT_JIS, bytes, text),
        Charset::Hanzi => return library(encoding_rs::GBK, bytes, text),
        Charset::Known(encoding) => return library(encoding, bytes, text),
        Charset::Utf32(big) => return utf32(big, bytes, text),
        Charset::Ascii | Charset::Seven | Charset::Binary | Charset::Undeclared => return false,
    }
    true
}

fn library(encoding: &'static Encoding, bytes: &[u8], text: &mut String) -> bool {
    let mut decoder = encoding.new_decoder_with_bom_removal();
    let Some(most) = decoder.max_utf8_buffer_length_without_replacement(bytes.len()) else {
        return false;
    };
    text.reserve(most);
    let (result, _) = decoder.decode_to_string_without_replacement(bytes, text, true);
    result == DecoderResult::InputEmpty
}

fn utf32(big: bool, bytes: &[u8], text: &mut String) -> bool {
    let (words, rest) = bytes.as_chunks::<4>();
    rest.is_empty()
        && words.iter().all(|&word| {
            let value = if big {
                u32::from_be_bytes(word)
            } else {
                u32::from_le_bytes(word)
            };
            char::from_u32(value).map(|c| text.push(c)).is_some()
        })
}

/// Code page 437; its control characters are those of ASCII.
fn cp437(byte: u8) -> char {
    let upper = usize::from(byte).checked_sub(128);
    match upper.and_then(|i| CP437[i / 16].chars().nth(i % 16)) {
        Some(c) => c,
        None => char::from(byte),
    }
}

/// Its upper half, sixteen to a row.
static CP437: [&str; 8] = [
    "ÇüéâäàåçêëèïîìÄÅ",
    "ÉæÆôöòûùÿÖÜ¢£¥₧ƒ",
    "áíóúñÑªº¿⌐¬½¼¡«»",
    "░▒▓│┤╡╢╖╕╣║╗╝╜╛┐",
    "└┴┬├─┼╞╟╚╔╩╦╠═╬╧",
    "╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀",
    "αßΓπΣσµτΦΘΩδ∞φε∩",
    "≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}",
];
