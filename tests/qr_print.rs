//! Symbols whose modules are no plain squares of one dark and one light.

use beltscan::frame::Luma;
use beltscan::qr::{Reader, ReaderOptions, Reads};
use qrcode::{Color, EcLevel, QrCode, Version};

/// Pixels of a module's side.
const MODULE: usize = 6;
/// Modules of quiet zone.
const QUIET: usize = 4;

/// Draws a symbol of version 7, each pixel by whether its module is dark, whether
/// it is part of a function pattern, and where in the picture it lies; reads it.
fn read(level: EcLevel, grey: impl Fn(&Module, usize, usize) -> u8) -> Vec<String> {
    let code = QrCode::with_version("ODD PRINT", Version::Normal(7), level);
    let code = code.expect("fits");
    let width = (code.width() + 2 * QUIET) * MODULE;
    let mut pixels = vec![250; width * width];
    for y in 0..code.width() * MODULE {
        for x in 0..code.width() * MODULE {
            let at = (x / MODULE, y / MODULE);
            let module = Module {
                dark: code[at] == Color::Dark,
                fixed: code.is_functional(at.0, at.1),
                // Version 7 has them at 6, 22 and 38: ISO/IEC 18004, annex E.
                alignment: [(22, 6), (6, 22), (22, 22), (38, 22), (22, 38), (38, 38)]
                    .iter()
                    .any(|(x, y)| at.0.abs_diff(*x) <= 2 && at.1.abs_diff(*y) <= 2),
            };
            let place = (y + QUIET * MODULE) * width + x + QUIET * MODULE;
            pixels[place] = grey(&module, x, y);
        }
    }
    let luma = Luma::new(&pixels, width, width, width).expect("fits");
    let mut reads = Reads::default();
    Reader::new(ReaderOptions::default()).read(luma, &[], &mut reads);
    assert!(reads.risk <= 1e-10, "{}", reads.risk);
    let texts = reads.codes.iter().map(|code| code.content.text.clone());
    texts.collect()
}

struct Module {
    dark: bool,
    fixed: bool,
    /// Of an alignment pattern.
    alignment: bool,
}

#[test]
fn data_in_dots_on_a_picture_is_read() {
    let texts = read(EcLevel::H, |module, x, y| {
        let dot = [x, y].iter().all(|at| (2..4).contains(&(at % MODULE)));
        if module.fixed || dot {
            if module.dark { 10 } else { 245 }
        } else {
            // Broad waves, from dark to light and back over some modules.
            let wave = (x as f32 / 19.0).sin() + (y as f32 / 23.0).cos();
            (128.0 + 55.0 * wave) as u8
        }
    });
    assert_eq!(texts, ["ODD PRINT"]);
}

#[test]
fn data_much_paler_than_the_alignment_patterns_is_read() {
    let texts = read(EcLevel::L, |module, _, _| {
        match (module.dark, module.alignment) {
            (false, _) => 250,
            (true, true) => 40,
            (true, false) => 210,
        }
    });
    assert_eq!(texts, ["ODD PRINT"]);
}
