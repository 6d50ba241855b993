//! Bit matrices, some modules of them turned over, through this decoder and
//! through zxing-cpp's: whatever both read must be the same, and what zxing-cpp
//! reads this one may leave only where the standard forbids it.

use beltscan::qr::{Code, Decoder, Modules};
use fastrand::Rng;
use qrcode::{Color, EcLevel, QrCode, Version};

/// Symbols that are drawn.
const SYMBOLS: u64 = 4000;
/// Pixels of a module, and modules of quiet zone, for the reader that wants a
/// picture.
const PIXELS: usize = 3;
const QUIET: usize = 4;

struct Drawn {
    text: String,
    side: usize,
    dark: Vec<bool>,
}

/// A symbol with `share` of its data modules turned over at random.
fn draw(rng: &mut Rng, share: f32) -> Option<Drawn> {
    let level = [EcLevel::L, EcLevel::M, EcLevel::Q, EcLevel::H][rng.usize(..4)];
    // Small ones twice as often: there the standard protects against misdecoding.
    let version = if rng.bool() {
        rng.i16(1..=4)
    } else {
        rng.i16(1..=40)
    };
    let length = rng.usize(1..=7 * version as usize);
    let text: String = (0..length)
        .map(|_| {
            if rng.u8(..4) == 0 {
                rng.lowercase()
            } else {
                rng.char('0'..='9')
            }
        })
        .collect();
    let code = QrCode::with_version(&text, Version::Normal(version), level).ok()?;
    let side = code.width();
    let dark = (0..side * side)
        .map(|i| {
            let at = (i % side, i / side);
            let flipped = !code.is_functional(at.0, at.1) && rng.f32() < share;
            (code[at] == Color::Dark) != flipped
        })
        .collect();
    Some(Drawn { text, side, dark })
}

/// What this decoder reads.
fn ours(drawn: &Drawn) -> Option<String> {
    let mut modules = Modules::default();
    modules.reset(drawn.side);
    for (i, &dark) in drawn.dark.iter().enumerate() {
        modules.set(
            i % drawn.side,
            i / drawn.side,
            if dark { 127 } else { -127 },
        );
    }
    let mut code = Code::default();
    Decoder::new().decode(&modules, &mut code).ok()?;
    Some(code.content.text)
}

/// What zxing-cpp reads, told that nothing but the symbol is there.
fn theirs(drawn: &Drawn) -> Option<String> {
    let width = (drawn.side + 2 * QUIET) * PIXELS;
    let mut luma = vec![255u8; width * width];
    for (i, pixel) in luma.iter_mut().enumerate() {
        let at = |pixel: usize| {
            (pixel / PIXELS)
                .checked_sub(QUIET)
                .filter(|&at| at < drawn.side)
        };
        if let (Some(x), Some(y)) = (at(i % width), at(i / width))
            && drawn.dark[y * drawn.side + x]
        {
            *pixel = 0;
        }
    }
    let width = width as u32;
    let view = zxingcpp::ImageView::from_slice(&luma, width, width, zxingcpp::ImageFormat::Lum);
    let reader = zxingcpp::read()
        .formats(vec![zxingcpp::BarcodeFormat::QRCode])
        .text_mode(zxingcpp::TextMode::Plain)
        .is_pure(true);
    let found = reader.from(view.expect("fits")).ok()?;
    found
        .first()
        .filter(|code| code.is_valid())
        .map(|code| code.text())
}

#[test]
fn zxing_cpp_reads_the_same_of_bit_matrices() {
    let (mut both, mut only_ours, mut only_theirs, mut neither) = (0, 0, 0, 0);
    for seed in 0..SYMBOLS {
        let mut rng = Rng::with_seed(seed);
        let share = 0.05 * rng.f32();
        let Some(drawn) = draw(&mut rng, share) else {
            continue;
        };
        match (ours(&drawn), theirs(&drawn)) {
            (Some(ours), Some(theirs)) => {
                assert_eq!(ours, drawn.text, "symbol {seed}");
                assert_eq!(theirs, drawn.text, "symbol {seed}, zxing-cpp");
                both += 1;
            }
            (Some(ours), None) => {
                assert_eq!(ours, drawn.text, "symbol {seed}");
                only_ours += 1;
            }
            (None, Some(_)) => {
                // Codewords kept for misdecode protection (ISO/IEC 18004, table 9).
                assert!(drawn.side <= 29, "symbol {seed}: only zxing-cpp reads it");
                only_theirs += 1;
            }
            (None, None) => neither += 1,
        }
    }
    println!("both {both}, only ours {only_ours}, only zxing-cpp {only_theirs}, neither {neither}");
    assert!(
        both > SYMBOLS / 3 && neither > SYMBOLS / 20,
        "{both} and {neither}"
    );
}
