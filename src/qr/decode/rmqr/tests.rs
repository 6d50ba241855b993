//! rMQR codes of another maker are read, and the tables agree with each other.
//! The encoder here knows byte mode alone; it serves the tests of the reader too.

use super::super::layout::masked;
use super::*;
use crate::qr::{Code, Decoder, Fnc1, Symbology};
use qrcode::ec::create_error_correction_code;

/// The modules of a symbol that says `bytes`, row by row; `None` if they do not
/// fit. Dark is true.
pub(in crate::qr) fn encode_rmqr(bytes: &[u8], version: u8, level: EcLevel) -> Option<Vec<bool>> {
    let (width, height) = rmqr_size(version)?;
    let (layout, blocks) = (Layout::of_rmqr(version)?, blocks(version, level)?);
    let mut bits = Vec::new();
    let mut put = |value: usize, width: usize| {
        bits.extend((0..width).rev().map(|bit| value >> bit & 1 == 1));
    };
    let count = dialect(version).counts[2];
    if bytes.len() >> count > 0 {
        return None;
    }
    put(3, 3);
    put(bytes.len(), count);
    for &byte in bytes {
        put(byte.into(), 8);
    }
    let room = blocks.data_bits();
    if bits.len() > room {
        return None;
    }
    bits.resize((bits.len() + 3).min(room).next_multiple_of(8), false);
    let mut data: Vec<u8> = bits
        .chunks(8)
        .map(|bits| bits.iter().fold(0, |byte, &bit| byte << 1 | u8::from(bit)))
        .collect();
    let pads = [0xec, 0x11].into_iter().cycle();
    data.extend(pads.take(blocks.data() - data.len()));
    let mut stream = vec![0; blocks.codewords];
    let mut from = 0;
    for block in 0..blocks.count {
        let length = blocks.length(block) - blocks.parity;
        let own = &data[from..from + length];
        let parity = create_error_correction_code(own, blocks.parity);
        for (index, &codeword) in own.iter().chain(&parity).enumerate() {
            stream[blocks.place(block, index)] = codeword;
        }
        from += length;
    }
    let mut dark: Vec<bool> = layout
        .kinds()
        .iter()
        .map(|&k| k == ModuleKind::Dark)
        .collect();
    let all = stream
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1));
    for (&place, bit) in layout.order().iter().zip(all.chain([false; 8])) {
        let place = usize::from(place);
        dark[place] = bit != masked(4, place % width, place / width);
    }
    let words = rmqr_words(version, level)?;
    for bit in 0..18 {
        for ((x, y), word) in rmqr_format_places(width, height, bit)
            .into_iter()
            .zip(words)
        {
            dark[y * width + x] = word >> bit & 1 == 1;
        }
    }
    Some(dark)
}

fn decode(dark: &[bool], version: u8) -> Code {
    let (width, _) = rmqr_size(version).expect("a version");
    let mut modules = Modules::default();
    modules.reset(width);
    for (i, &dark) in dark.iter().enumerate() {
        modules.set(i % width, i / width, if dark { 127 } else { -127 });
    }
    let mut code = Code::default();
    Decoder::new()
        .decode_rmqr(&modules, version, &mut code)
        .expect("a whole symbol");
    code
}

#[test]
fn whatever_fits_reads_back() {
    for version in 1..=RMQR_VERSIONS {
        for level in [EcLevel::M, EcLevel::H] {
            let mut longest = 0;
            for length in 1.. {
                let text = "rectangular ".repeat(length / 12 + 1)[..length].to_owned();
                let Some(dark) = encode_rmqr(text.as_bytes(), version, level) else {
                    break;
                };
                longest = length;
                let code = decode(&dark, version);
                assert_eq!(code.content.text, text, "version {version} {level:?}");
                assert_eq!((code.version, code.level), (version, level));
                assert_eq!(code.symbology, Symbology::RmQr);
            }
            // ISO/IEC 23941, table 6.
            match (version, level) {
                (1, EcLevel::M) => assert_eq!(longest, 5),
                (32, EcLevel::M) => assert_eq!(longest, 150),
                (17, EcLevel::H) => assert_eq!(longest, 6),
                (24, EcLevel::H) => assert_eq!(longest, 24),
                _ => {}
            }
        }
    }
}

/// Drawn by another encoder, read by another decoder.
#[test]
fn symbols_of_another_maker() {
    let symbols: [(u8, EcLevel, &str, &[&str]); 5] = [
        (
            1,
            EcLevel::M,
            "ABCDEFG",
            &[
                "XXXXXXX X X X X X X XXX X X X X X X X X XXX",
                "X     X  X XXX  XXXXX XXX      X X XX   X X",
                "X XXX X X XXX X X X XXXX XXXX X  X XXXXXXXX",
                "X XXX X  XX    XXXXX   XXXXXX   X X   X   X",
                "X XXX X   XX  XXX   XXXXXXX  X X  XX  X X X",
                "X     X XXXXX XXX XXX XXXXX    XXXXXX X   X",
                "XXXXXXX X X X X X X XXX X X X X X X X XXXXX",
            ],
        ),
        (
            7,
            EcLevel::H,
            "ABCDEFGHIJKLMN",
            &[
                "XXXXXXX X X X X X XXX X X X X X X X X XXX X X X X X X X XXX",
                "X     X    X  XXXXX XXX X  X XXXXXXXX X X  X    X XXXX  X X",
                "X XXX X XX XXX  X XXX XXXX  X         XXXXXXX  X XXXXX X  X",
                "X XXX X XXXX X XX X   XX   XXXX XX  XX   X  X  X XXX     X ",
                "X XXX X    X    X XX XXXXXX X XX   X XX   X X XXXX  XXXXX",
                "X     X X  X  X  X  XXX X X   X   XX  X XXXX XX  X X  X   X",
                "XXXXXXX  XXXXX  XXXXXX X XX XXX X    XXXX  X    X  X XX X X",
                "          XXX  XXXX XX XXX    X XXXXXXX X XX XXX  XX XX   X",
                "XXX X X X X X X X XXX X X X X X X X X XXX X X X X X X XXXXX",
            ],
        ),
        (
            11,
            EcLevel::H,
            "ABCDEF",
            &[
                "XXXXXXX X X X X X X X X XXX",
                "X     X  XX        X  X X X",
                "X XXX X    X  XX X   X   XX",
                "X XXX X XXXX XX X  XXXXXX  ",
                "X XXX X  X X XX  XX   XXX X",
                "X     X XXX  X XX  XXXX  X ",
                "XXXXXXX     X   XX  X XXXXX",
                "           X   X   X  X   X",
                "XXXX  X   X X XX XXXXXX X X",
                "X XX XXXXXX XXX  XXXX X   X",
                "XXX X X X X X X X X X XXXXX",
            ],
        ),
        (
            17,
            EcLevel::M,
            "AB貫12345AB",
            &[
                "XXXXXXX X X X X X X X X XXX",
                "X     X    XX XX XXX   XX X",
                "X XXX X XX  X  XX XX XXX  X",
                "X XXX X  XX X XX X X   XX  ",
                "X XXX X XXXXXXX X X      XX",
                "X     X   XX X  XXX  XX XX ",
                "XXXXXXX   X   X X    X  XXX",
                "        XXX XX X  XX   XXX ",
                "XXX XX XX X  X XX XX  XXXXX",
                " XXX  X    X X    X   X   X",
                "X XX X  X   XX X XX X X X X",
                "X   X   X  X X X X    X   X",
                "XXX X X X X X X X X X XXXXX",
            ],
        ),
        (
            24,
            EcLevel::M,
            "01095240000591092112345678p901\u{1d}101234567p\u{1d}17231120",
            &[
                "XXXXXXX X X X X X XXX X X X X X X X X XXX X X X X X X X XXX",
                "X     X   XXX XXX X XXXXX      XX XXX X X   X X X X   XXX X",
                "X XXX X XXX XX X  XXX XXX X  X   XXX XXXXX  XX      XXX  XX",
                "X XXX X X     X XX  X X     XXX X  X    X  XXXXX XX XXX    ",
                "X XXX X XX   XXX  XX   X X X    XX  XX XX XXX XXXX X   XXXX",
                "X     X X  X X X     X  XXX XXX  XXXX X XXX XX    X  X     ",
                "XXXXXXX  X  XXX  XXXX X    XX XXXX X   X XX   XXX XXXXX   X",
                "        X XXX     X    XXXXX     X   XX        XXXX   XX X ",
                "XX  XX X X   X XXXXX   XX X X XX    XX X   XX X X     XX  X",
                " XX XX X   XXXXXX    XXX       XX  X X   XX  XXX   X X XXX ",
                "X X    XX   XXXXXXXXXX XX X  X   XX XX XX X  XXXX XX XXXXXX",
                "  XX X XX X XXX   X  X X    XXX X XXX   X X  XXX   XXXX   X",
                "XXXX   X  X XX    XXX X  X X    XX  XXXXX XX  X  XX XXX X X",
                "X  X   X  XX    XXX XXXXXXX XXX  X  XXX XX  X   X  X XX   X",
                "XXX X X X X X X X XXX X X X X X X X X XXX X X X X X X XXXXX",
            ],
        ),
    ];
    for (version, level, text, rows) in symbols {
        let (width, height) = rmqr_size(version).expect("a version");
        assert_eq!(rows.len(), height);
        let mut dark = vec![false; width * height];
        for (y, row) in rows.iter().enumerate() {
            for (x, module) in row.chars().enumerate() {
                dark[y * width + x] = module == 'X';
            }
        }
        let code = decode(&dark, version);
        assert_eq!((code.content.text.as_str(), code.level), (text, level));
        let gs1 = version == 24;
        assert_eq!(code.content.fnc1, gs1.then_some(Fnc1::Gs1));
        let modifier = match version {
            17 => 2,
            24 => 3,
            _ => 1,
        };
        assert_eq!(code.content.aim_modifier, modifier);
    }
}

#[test]
fn the_codewords_of_every_version_fit_its_modules() {
    // ISO/IEC 23941, table 1: codewords and remainder bits.
    let wanted = [
        (13, 0),
        (21, 3),
        (32, 5),
        (44, 6),
        (68, 1),
        (21, 2),
        (33, 3),
        (49, 1),
        (66, 4),
        (99, 5),
        (15, 2),
        (31, 1),
        (47, 0),
        (67, 2),
        (89, 7),
        (132, 6),
        (21, 4),
        (41, 1),
        (60, 6),
        (85, 4),
        (113, 3),
        (166, 0),
        (51, 1),
        (74, 4),
        (103, 6),
        (136, 7),
        (199, 2),
        (61, 1),
        (88, 2),
        (122, 0),
        (160, 3),
        (232, 4),
    ];
    for (version, (codewords, remainder)) in (1..=RMQR_VERSIONS).zip(wanted) {
        let layout = Layout::of_rmqr(version).expect("a version");
        let modules = layout.order().len();
        assert_eq!(
            (modules / 8, modules % 8),
            (codewords, remainder),
            "{version}"
        );
        for level in [EcLevel::M, EcLevel::H] {
            let blocks = blocks(version, level).expect("both levels");
            let parity = blocks.codewords - blocks.data();
            assert_eq!(parity, blocks.parity * blocks.count, "{version} {level:?}");
            let (data, _) = match level {
                EcLevel::M => of(version).expect("a version").medium,
                _ => of(version).expect("a version").high,
            };
            assert_eq!(blocks.data(), usize::from(data), "{version} {level:?}");
            let mut seen = vec![false; blocks.codewords];
            for block in 0..blocks.count {
                for index in 0..blocks.length(block) {
                    assert!(!std::mem::replace(
                        &mut seen[blocks.place(block, index)],
                        true
                    ));
                }
            }
            assert!(seen.iter().all(|&s| s));
        }
    }
    assert!(Layout::of_rmqr(0).is_none() && Layout::of_rmqr(33).is_none());
    assert!(blocks(1, EcLevel::L).is_none());
}

#[test]
fn two_wrong_bits_beside_the_finder_pattern_are_no_harm() {
    let mut random = fastrand::Rng::with_seed(7);
    for version in 1..=RMQR_VERSIONS {
        for level in [EcLevel::M, EcLevel::H] {
            let mut word = rmqr_words(version, level).expect("both levels")[0];
            for bit in random.choose_multiple(0..18, 2) {
                word ^= 1 << bit;
            }
            let soft = std::array::from_fn(|bit| if word >> bit & 1 == 1 { 90 } else { -90 });
            assert_eq!(likeliest_rmqr(&soft), (version, 2));
        }
    }
}
