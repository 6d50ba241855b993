//! The segments of a symbol's data: modes, counts and characters
//! (ISO/IEC 18004, 7.3 and 7.4; Hanzi mode by GB/T 18284). What their bytes mean
//! as text is decided in [`super::charset`].

use super::super::code::{Content, Fnc1, StructuredAppend};
use super::bits::Bits;
use super::charset::{Charset, Span, Texts};

/// Separator that stands for FNC1 inside the data.
const GS: u8 = 0x1d;

/// The 45 characters of alphanumeric mode (table 5).
const ALPHANUMERIC: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/// Modes, by whatever indicator they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Terminator,
    Numeric,
    Alphanumeric,
    StructuredAppend,
    Byte,
    Fnc1First,
    Eci,
    Kanji,
    Fnc1Second,
    Hanzi,
}

/// How a symbol writes its modes and counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialect {
    /// Bits of a mode indicator.
    pub mode_bits: usize,
    /// Bits of the terminator; fewer zeros at the very end serve as well.
    pub terminator_bits: usize,
    /// Bits of the character count: numeric, alphanumeric, byte, Kanji.
    pub counts: [usize; 4],
    /// Mode indicators, in the order of their values; `None` is not assigned.
    pub modes: &'static [Option<Mode>],
}

const QR_MODES: [Option<Mode>; 16] = [
    Some(Mode::Terminator),
    Some(Mode::Numeric),
    Some(Mode::Alphanumeric),
    Some(Mode::StructuredAppend),
    Some(Mode::Byte),
    Some(Mode::Fnc1First),
    None,
    Some(Mode::Eci),
    Some(Mode::Kanji),
    Some(Mode::Fnc1Second),
    None,
    None,
    None,
    Some(Mode::Hanzi),
    None,
    None,
];

const MICRO_MODES: [Option<Mode>; 4] = [
    Some(Mode::Numeric),
    Some(Mode::Alphanumeric),
    Some(Mode::Byte),
    Some(Mode::Kanji),
];

const RMQR_MODES: [Option<Mode>; 8] = [
    Some(Mode::Terminator),
    Some(Mode::Numeric),
    Some(Mode::Alphanumeric),
    Some(Mode::Byte),
    Some(Mode::Kanji),
    Some(Mode::Fnc1First),
    Some(Mode::Fnc1Second),
    Some(Mode::Eci),
];

impl Dialect {
    /// That of an rMQR code with these counts (ISO/IEC 23941, table 2).
    pub fn rmqr(counts: [usize; 4]) -> Dialect {
        Dialect {
            mode_bits: 3,
            terminator_bits: 3,
            counts,
            modes: &RMQR_MODES,
        }
    }

    /// That of QR code `version` 1 to 40 (tables 2 and 3).
    pub fn qr(version: u8) -> Dialect {
        Dialect {
            mode_bits: 4,
            terminator_bits: 4,
            counts: match version {
                ..=9 => [10, 9, 8, 8],
                10..=26 => [12, 11, 16, 10],
                27.. => [14, 13, 16, 12],
            },
            modes: &QR_MODES,
        }
    }

    /// That of Micro QR code M`version`. Its terminator is that of a numeric
    /// segment without characters.
    pub fn micro(version: u8) -> Dialect {
        let v = usize::from(version.clamp(1, 4));
        Dialect {
            mode_bits: v - 1,
            terminator_bits: 2 * v + 1,
            counts: [2 + v, 1 + v, 1 + v, v],
            modes: &MICRO_MODES,
        }
    }
}

/// What went on while segments were read.
#[derive(Default)]
struct State {
    fnc1: Option<Fnc1>,
    append: Option<StructuredAppend>,
    charset: Charset,
    declared: bool,
}

/// Reads all segments of `bits` into `content`, which is cleared first, with
/// `texts` as working memory. Returns the number of bits that carry meaning,
/// terminator included; `None` if the stream breaks off or breaks the rules.
pub(super) fn read(
    bits: &mut Bits,
    dialect: &Dialect,
    texts: &mut Texts,
    content: &mut Content,
) -> Option<usize> {
    content.clear();
    texts.clear();
    let mut state = State::default();
    loop {
        // A terminator may be cut short, or left out, by the end of the data.
        let left = bits.left();
        if left < dialect.terminator_bits {
            if bits.peek(left)? == 0 || left < dialect.mode_bits {
                bits.take(left)?;
                break;
            }
        } else if bits.peek(dialect.terminator_bits)? == 0 {
            bits.take(dialect.terminator_bits)?;
            break;
        }
        let indicator = bits.take(dialect.mode_bits)?;
        let mode = (*dialect.modes.get(indicator as usize)?)?;
        segment(bits, mode, dialect, &mut state, texts, content)?;
    }
    texts.render(content);
    content.fnc1 = state.fnc1;
    content.append = state.append;
    content.aim_modifier = match state.fnc1 {
        None => 1,
        Some(Fnc1::Gs1) => 3,
        Some(Fnc1::Industry(_)) => 5,
    } + u8::from(state.declared);
    Some(bits.read())
}

fn segment(
    bits: &mut Bits,
    mode: Mode,
    dialect: &Dialect,
    state: &mut State,
    texts: &mut Texts,
    content: &mut Content,
) -> Option<()> {
    let start = content.bytes.len();
    let out = &mut content.bytes;
    let charset = match mode {
        Mode::Numeric => {
            let count = bits.take(dialect.counts[0])? as usize;
            numeric(bits, count, out)?;
            Charset::Ascii
        }
        Mode::Alphanumeric => {
            let count = bits.take(dialect.counts[1])? as usize;
            alphanumeric(bits, count, out)?;
            if state.fnc1.is_some() {
                unescape_percent(out, start);
            }
            Charset::Ascii
        }
        Mode::Byte => {
            let count = bits.take(dialect.counts[2])? as usize;
            if count * 8 > bits.left() {
                return None;
            }
            texts.runs.push((bits.read(), count));
            for _ in 0..count {
                out.push(bits.take(8)? as u8);
            }
            state.charset
        }
        Mode::Kanji => {
            let count = bits.take(dialect.counts[3])? as usize;
            double_bytes(bits, count, 0xc0, out, |value| {
                let offset = if value <= 0x9ffc - 0x8140 {
                    0x8140
                } else {
                    0xc140
                };
                value.checked_add(offset)
            })?;
            Charset::Kanji
        }
        Mode::Hanzi => {
            // Subset 1 is GB 2312, the only one there is.
            if bits.take(4)? != 1 {
                return None;
            }
            let count = bits.take(dialect.counts[3])? as usize;
            double_bytes(bits, count, 0x60, out, |value| {
                let offset = if value <= 0xaafe - 0xa1a1 {
                    0xa1a1
                } else {
                    0xa6a1
                };
                value.checked_add(offset)
            })?;
            Charset::Hanzi
        }
        Mode::Eci => {
            state.charset = Charset::of_eci(eci_designator(bits)?);
            state.declared = true;
            return Some(());
        }
        Mode::Fnc1First => {
            state.fnc1 = Some(Fnc1::Gs1);
            return Some(());
        }
        Mode::Fnc1Second => {
            state.fnc1 = Some(Fnc1::Industry(bits.take(8)? as u8));
            return Some(());
        }
        Mode::StructuredAppend => {
            let header = StructuredAppend {
                index: bits.take(4)? as u8,
                total: bits.take(4)? as u8 + 1,
                parity: bits.take(8)? as u8,
            };
            // A place outside the sequence says nothing: the text still counts.
            state.append = (header.index < header.total).then_some(header);
            return Some(());
        }
        // Told by its length before a mode is looked up.
        Mode::Terminator => return None,
    };
    texts.push(Span {
        charset,
        start,
        end: content.bytes.len(),
    });
    Some(())
}

/// Groups of three digits in ten bits, two in seven, one in four (7.4.3).
fn numeric(bits: &mut Bits, count: usize, out: &mut Vec<u8>) -> Option<()> {
    let mut left = count;
    while left > 0 {
        let (digits, width) = match left {
            1 => (1, 4),
            2 => (2, 7),
            _ => (3, 10),
        };
        let value = bits.take(width)?;
        if value >= 10u32.pow(digits) {
            return None;
        }
        for place in (0..digits).rev() {
            out.push(b'0' + (value / 10u32.pow(place) % 10) as u8);
        }
        left -= digits as usize;
    }
    Some(())
}

/// Pairs in eleven bits, a last one alone in six (7.4.4).
fn alphanumeric(bits: &mut Bits, count: usize, out: &mut Vec<u8>) -> Option<()> {
    for _ in 0..count / 2 {
        let value = bits.take(11)? as usize;
        out.push(*ALPHANUMERIC.get(value / 45)?);
        out.push(ALPHANUMERIC[value % 45]);
    }
    if count % 2 == 1 {
        out.push(*ALPHANUMERIC.get(bits.take(6)? as usize)?);
    }
    Some(())
}

/// Characters of two bytes in thirteen bits, `base` values to a row; `shift`
/// gives the code back its offset (7.4.6).
fn double_bytes(
    bits: &mut Bits,
    count: usize,
    base: u16,
    out: &mut Vec<u8>,
    shift: impl Fn(u16) -> Option<u16>,
) -> Option<()> {
    for _ in 0..count {
        let value = bits.take(13)? as u16;
        let code = shift(((value / base) << 8) | (value % base))?;
        out.extend(code.to_be_bytes());
    }
    Some(())
}

/// Under FNC1 `%` is the separator and `%%` a percent sign (7.4.8.1).
fn unescape_percent(out: &mut Vec<u8>, start: usize) {
    let (mut read, mut write) = (start, start);
    while read < out.len() {
        out[write] = match out[read] {
            b'%' if out.get(read + 1) == Some(&b'%') => {
                read += 1;
                b'%'
            }
            b'%' => GS,
            other => other,
        };
        read += 1;
        write += 1;
    }
    out.truncate(write);
}

/// One to three bytes, by the leading ones of the first (7.4.2.2).
fn eci_designator(bits: &mut Bits) -> Option<u32> {
    let first = bits.take(8)?;
    match (first as u8).leading_ones() {
        0 => Some(first),
        1 => Some((first & 0x3f) << 8 | bits.take(8)?),
        2 => Some((first & 0x1f) << 16 | bits.take(16)?),
        _ => None,
    }
}
