//! Codes under glare and torn ones, spoilt by measure: how many of each cell are
//! read at least, and that nothing is ever read wrong.

use beltscan::camera::belt::degrade::{Degradation, Print};
use beltscan::frame::Luma;
use beltscan::qr::{Reader, ReaderOptions, Reads};

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
