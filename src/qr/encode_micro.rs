//! Text to a Micro QR code. Segments and parity come from the `qrcode` crate; the
//! rest does not, since version 0.14 of it writes eight bits for the codeword of
//! four that M3-L has, and runs away with the padding of a nearly full M3.

use qrcode::Version;
use qrcode::bits::Bits;
use qrcode::ec::create_error_correction_code;

use super::code::EcLevel;
use super::decode::{
    Blocks, Layout, ModuleKind, masked, micro_format_place, micro_mask, micro_word,
};
use super::encode::{BitMatrix, EncodeError};

/// Encodes `text` as Micro QR code M1 to M4 (`version` 1 to 4), or as the
/// smallest that holds it. M1 has error detection alone and takes level L. There
/// is no ECI: text beyond ASCII is written as UTF-8 that declares nothing.
pub fn encode_micro(
    text: &str,
    level: EcLevel,
    version: Option<u8>,
) -> Result<BitMatrix, EncodeError> {
    let versions = match version {
        Some(version @ 1..=4) => version..=version,
        Some(version) => return Err(EncodeError::Version(version)),
        None => 1..=4,
    };
    let mut refused = EncodeError::MicroLevel;
    for version in versions {
        let Some(blocks) = Blocks::of_micro(version, level) else {
            continue;
        };
        match data(text, version, &blocks).and_then(|data| draw(&data, version, level, &blocks)) {
            Some(matrix) => return Ok(matrix),
            None => refused = EncodeError::TooLong(text.len()),
        }
    }
    Err(refused)
}

/// The data codewords, one of four bits in the upper half of its byte; `None` if
/// the text does not fit or has characters that this version has no mode for.
fn data(text: &str, version: u8, blocks: &Blocks) -> Option<Vec<u8>> {
    let mut bits = Bits::new(Version::Micro(version.into()));
    // Kanji mode is left to those who have Shift JIS: segments are chosen by the
    // optimiser for ASCII alone.
    if text.is_ascii() {
        bits.push_optimal_data(text.as_bytes()).ok()?;
    } else {
        bits.push_byte_data(text.as_bytes()).ok()?;
    }
    let used = bits.len();
    let room = blocks.data_bits();
    if used > room {
        return None;
    }
    let mut data = bits.into_bytes();
    // The terminator is zeros, as is the rest of its codeword; then padding in
    // turn, but a last codeword of four bits is zeros (7.4.9, 7.4.10).
    let ended = (used + usize::from(version) * 2 + 1).min(room).div_ceil(8);
    data.resize(ended, 0);
    for pad in [0xec, 0x11]
        .into_iter()
        .cycle()
        .take(room / 8 - ended.min(room / 8))
    {
        data.push(pad);
    }
    data.resize(blocks.data(), 0);
    Some(data)
}

/// Draws the symbol under the mask that makes its right and lower edges darkest
/// (7.8.3.2).
fn draw(data: &[u8], version: u8, level: EcLevel, blocks: &Blocks) -> Option<BitMatrix> {
    let layout = Layout::of_micro(version)?;
    let mut bits = Vec::with_capacity(layout.order().len());
    let parity = create_error_correction_code(data, blocks.parity);
    for (i, codeword) in data.iter().chain(&parity).enumerate() {
        let width = if blocks.half && i + 1 == blocks.data() {
            4
        } else {
            8
        };
        bits.extend((0..width).map(|bit| codeword << bit & 0x80 != 0));
    }
    let side = layout.side();
    // From the last mask to the first: of equals the first is taken.
    (0..4)
        .rev()
        .filter_map(|mask| {
            let mut matrix = BitMatrix::light(side);
            for y in 0..side {
                for x in 0..side {
                    matrix.set(x, y, layout.kind(x, y) == ModuleKind::Dark);
                }
            }
            for (&place, &bit) in layout.order().iter().zip(&bits) {
                let (x, y) = (usize::from(place) % side, usize::from(place) / side);
                matrix.set(x, y, bit != masked(micro_mask(mask), x, y));
            }
            let word = micro_word(version, level, mask)?;
            for bit in 0..15 {
                let (x, y) = micro_format_place(bit);
                matrix.set(x, y, word >> bit & 1 == 1);
            }
            let right = (1..side).filter(|&y| matrix.dark(side - 1, y)).count();
            let lower = (1..side).filter(|&x| matrix.dark(x, side - 1)).count();
            Some((right.min(lower) * 16 + right.max(lower), matrix))
        })
        .max_by_key(|&(score, _)| score)
        .map(|(_, matrix)| matrix)
}

#[cfg(test)]
mod tests {
    use super::super::code::{Code, Symbology};
    use super::super::decode::Decoder;
    use super::*;
    use proptest::prelude::*;

    fn read(matrix: &BitMatrix) -> Code {
        let mut code = Code::default();
        Decoder::new()
            .decode(&matrix.modules(), &mut code)
            .expect("a whole symbol");
        code
    }

    #[test]
    fn the_smallest_version_that_holds_it_or_the_one_asked_for() {
        for (text, level, version, side) in [
            ("12345", EcLevel::L, None, 11),
            ("123456", EcLevel::L, None, 13),
            ("AB12", EcLevel::M, None, 13),
            ("abc", EcLevel::M, None, 15),
            ("12345678901234567890", EcLevel::L, Some(3), 15),
            ("Grüße", EcLevel::Q, None, 17),
            ("", EcLevel::L, Some(4), 17),
        ] {
            let matrix = encode_micro(text, level, version).expect("fits");
            assert_eq!(matrix.side(), side, "{text}");
            let code = read(&matrix);
            assert_eq!((code.content.text.as_str(), code.level), (text, level));
            assert_eq!(code.symbology, Symbology::MicroQr);
        }
    }

    #[test]
    fn the_example_of_annex_i() {
        let matrix = encode_micro("01234567", EcLevel::L, Some(2)).expect("fits");
        let expected = "#######.#.#.##.....#.###.##.###.#..##.##.###.#..#####.###.#.###..\
                        #.....#.#...########..####.........##..##.#....#...#.##.#.#.#.#.#\
                        ###..#######....#.#....##.###.#..##.###";
        let drawn: String = (0..169)
            .map(|i| {
                if matrix.dark(i % 13, i / 13) {
                    '#'
                } else {
                    '.'
                }
            })
            .collect();
        assert_eq!(drawn, expected);
    }

    #[test]
    fn what_cannot_be_encoded_says_why() {
        let error = |text, level, version| encode_micro(text, level, version).err();
        assert_eq!(error("1", EcLevel::H, None), Some(EncodeError::MicroLevel));
        assert_eq!(
            error("1", EcLevel::Q, Some(3)),
            Some(EncodeError::MicroLevel)
        );
        assert_eq!(
            error("1", EcLevel::L, Some(5)),
            Some(EncodeError::Version(5))
        );
        assert_eq!(
            error("a", EcLevel::L, Some(2)),
            Some(EncodeError::TooLong(1))
        );
        assert_eq!(
            error("123456", EcLevel::L, Some(1)),
            Some(EncodeError::TooLong(6))
        );
        let long = "7".repeat(36);
        assert_eq!(
            error(&long, EcLevel::L, None),
            Some(EncodeError::TooLong(36))
        );
    }

    proptest! {
        #[test]
        fn whatever_fits_reads_back(
            text in "[0-9]{0,35}|[0-9A-Z $%*+./:-]{0,21}|[ -~]{0,15}", level in 0..3usize,
        ) {
            let level = [EcLevel::L, EcLevel::M, EcLevel::Q][level];
            for version in 1..=4 {
                if let Ok(matrix) = encode_micro(&text, level, Some(version)) {
                    let code = read(&matrix);
                    prop_assert_eq!(&code.content.text, &text);
                    prop_assert_eq!((code.version, code.level), (version, level));
                }
            }
        }
    }
}
