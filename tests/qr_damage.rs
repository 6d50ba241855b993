//! Codes under glare and torn ones, spoilt by measure: how many of each cell are
//! read at least, and that nothing is ever read wrong.

use beltscan::camera::belt::degrade::{Degradation, Print};
use beltscan::frame::Luma;
use beltscan::qr::{Reader, ReaderOptions, Reads};
use qrcode::{Color, EcLevel, QrCode, Version};

/// Specimens of a cell.
const COUNT: u64 = 30;

fn print(random: &mut fastrand::Rng) -> Print {
    let length = random.usize(10..60);
    let text: String = (0..length).map(|_| random.alphanumeric()).collect();
    let level = ['L', 'M', 'M', 'Q', 'H'][random.usize(..5)];
    Print::new(&text, level).expect("fits")
}

/// How many of a cell's specimens are read.
fn reads_of(glare: f32, damage: f32) -> u64 {
    let mut reader = Reader::new(ReaderOptions::default());
    let mut reads = Reads::default();
    let mut read = 0;
    for seed in 0..COUNT {
        let mut random = fastrand::Rng::with_seed(seed);
        let specimen = print(&mut random).specimen(&Degradation {
            seed,
            turn_deg: 360.0 * random.f32(),
            perspective: 0.05 * random.f32(),
            glare,
            damage,
            ..Degradation::default()
        });
        let (width, height) = (specimen.width, specimen.height);
        let luma = Luma::new(&specimen.pixels, width, height, width).expect("fits");
        reader.read(luma, &[], &mut reads);
        for code in reads.codes.iter() {
            assert_eq!(code.content.text, specimen.text, "seed {seed}");
        }
        read += u64::from(!reads.codes.is_empty());
    }
    read
}

#[test]
fn codes_under_glare_are_read() {
    for (share, least) in [(0.05, 25), (0.10, 21), (0.20, 12)] {
        let read = reads_of(share, 0.0);
        println!("glare {share}: {read}");
        assert!(read >= least, "glare over {share}: {read} of {COUNT}");
    }
}

#[test]
fn damaged_codes_are_read() {
    for (share, least) in [(0.03, 26), (0.06, 21), (0.10, 14)] {
        let read = reads_of(0.0, share);
        println!("damage {share}: {read}");
        assert!(read >= least, "damage of {share}: {read} of {COUNT}");
    }
}

/// Function patterns as they must be, format information too, and modules that
/// mean nothing: an unreadable symbol at its most seductive.
#[test]
fn random_modules_within_whole_patterns_are_never_read() {
    let mut random = fastrand::Rng::with_seed(4);
    let mut reader = Reader::new(ReaderOptions::default());
    let mut reads = Reads::default();
    let mut risked = 0;
    for i in 0..40 {
        let version = Version::Normal(1 + i % 5);
        let level = [EcLevel::L, EcLevel::M][i as usize % 2];
        let code = QrCode::with_version("nothing", version, level).expect("fits");
        let (side, module) = (code.width(), 4);
        let width = (side + 8) * module;
        let mut pixels = vec![200; width * width];
        for y in 0..side {
            for x in 0..side {
                let dark = if code.is_functional(x, y) {
                    code[(x, y)] == Color::Dark
                } else {
                    random.bool()
                };
                // One finder pattern is stained, every other time.
                let stained = i % 4 > 1 && x < 5 && y < 4;
                let grey = if stained {
                    255
                } else {
                    200 - 160 * u8::from(dark)
                };
                for p in 0..module * module {
                    let at = |n: usize, p: usize| (n + 4) * module + p;
                    pixels[at(y, p / module) * width + at(x, p % module)] = grey;
                }
            }
        }
        let luma = Luma::new(&pixels, width, width, width).expect("fits");
        reader.read(luma, &[], &mut reads);
        assert!(reads.codes.is_empty(), "{:?}", reads.codes[0].content);
        assert!((0.0..=1e-10).contains(&reads.risk), "{}", reads.risk);
        risked += u32::from(reads.risk > 0.0);
    }
    assert!(risked > 20, "{risked}: error correction was asked");
}
