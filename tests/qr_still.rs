//! A belt that stands: its ground is looked at now and then only, and whatever comes
//! onto it is read in the frame in which it comes.

use beltscan::frame::Luma;
use beltscan::qr::{Reader, ReaderOptions, Reads};
use fastrand::Rng;
use qrcode::{Color, EcLevel, QrCode};

const WIDTH: usize = 640;
const HEIGHT: usize = 400;
/// The belt is longer than the picture.
const LENGTH: usize = 4 * WIDTH;

/// The rough ground of a belt, with labels that lie on it.
struct Ground {
    grey: Vec<u8>,
}

impl Ground {
    fn new(rng: &mut Rng) -> Self {
        let mut grey = vec![110i32; LENGTH * HEIGHT];
        for cell in [3, 8, 24] {
            let columns = LENGTH / cell + 1;
            let knots: Vec<i32> = (0..columns * (HEIGHT / cell + 1))
                .map(|_| rng.i32(-22..=22))
                .collect();
            for (i, grey) in grey.iter_mut().enumerate() {
                *grey += knots[i / LENGTH / cell * columns + i % LENGTH / cell];
            }
        }
        let grey = grey.into_iter().map(|grey| grey.clamp(0, 255) as u8);
        Self {
            grey: grey.collect(),
        }
    }

    /// Lays a label there: a symbol of modules of `module` pixels, with its quiet zone.
    fn lay(&mut self, text: &str, (left, top): (usize, usize), module: usize, ink: [u8; 2]) {
        let code = QrCode::with_error_correction_level(text, EcLevel::M).expect("it fits");
        let side = code.width();
        for y in 0..(side + 8) * module {
            for x in 0..(side + 8) * module {
                let (column, row) = (x / module, y / module);
                let within = (4..side + 4).contains(&column) && (4..side + 4).contains(&row);
                let dark = within && code[(column - 4, row - 4)] == Color::Dark;
                self.grey[(top + y) * LENGTH + left + x] = ink[usize::from(!dark)];
            }
        }
    }

    /// What a camera sees of it, `way` pixels along: no two of its pictures have the
    /// same noise.
    fn seen(&self, way: usize, rng: &mut Rng) -> Vec<u8> {
        let rows = self.grey.chunks_exact(LENGTH);
        rows.flat_map(|row| &row[way..way + WIDTH])
            .map(|&grey| {
                let noise: f32 = (0..4).map(|_| rng.f32() - 0.5).sum();
                // A standard deviation of two grey levels.
                (f32::from(grey) + 3.5 * noise).clamp(0.0, 255.0) as u8
            })
            .collect()
    }
}

fn reader(still: bool) -> Reader {
    Reader::new(ReaderOptions {
        still,
        ..ReaderOptions::default()
    })
}

fn read(reader: &mut Reader, pixels: &[u8], reads: &mut Reads) {
    let luma = Luma::new(pixels, WIDTH, HEIGHT, WIDTH).expect("fits");
    reader.read(luma, &[], reads);
}

fn texts(reads: &Reads) -> Vec<String> {
    let mut texts: Vec<String> = reads.codes.iter().map(|c| c.content.text.clone()).collect();
    texts.sort();
    texts
}

#[test]
fn an_empty_belt_that_stands_is_hardly_looked_at() {
    let mut rng = Rng::with_seed(1);
    let ground = Ground::new(&mut rng);
    let (mut sparing, mut plain) = (reader(true), reader(false));
    let (mut spared, mut whole) = (0, 0);
    let mut reads = Reads::default();
    for _ in 0..20 {
        let picture = ground.seen(0, &mut rng);
        read(&mut sparing, &picture, &mut reads);
        let crossed = reads.work.crossed;
        read(&mut plain, &picture, &mut reads);
        // A closer look, where the ground passes for a finder pattern, spares nothing.
        if reads.work.passes == 1 {
            spared += crossed;
            whole += reads.work.crossed;
        }
    }
    assert!(whole > 20_000, "{whole} rows: the ground is not rough");
    // One or two looks at everything, and next to nothing between.
    assert!(4 * spared < whole, "{spared} of {whole} rows");
}

#[test]
fn what_comes_onto_a_belt_that_stands_is_read_at_once() {
    let mut reads = Reads::default();
    let mut read_by_either = 0;
    for seed in 0..60 {
        let mut rng = Rng::with_seed(seed);
        let mut ground = Ground::new(&mut rng);
        let (mut sparing, mut plain) = (reader(true), reader(false));
        for _ in 0..rng.usize(1..14) {
            read(&mut sparing, &ground.seen(0, &mut rng), &mut reads);
        }
        let module = rng.usize(2..9);
        let room = 29 * module;
        let place = (
            rng.usize(..WIDTH - room),
            rng.usize(..HEIGHT.saturating_sub(room).max(1)),
        );
        // Dark ink on paper that may have the belt's own grey, or light on dark.
        let ink = [[20, 220], [60, 110], [110, 170], [200, 40]][rng.usize(..4)];
        ground.lay("IN AT ONCE", place, module, ink);
        let picture = ground.seen(0, &mut rng);
        read(&mut plain, &picture, &mut reads);
        let expected = texts(&reads);
        read(&mut sparing, &picture, &mut reads);
        assert_eq!(
            texts(&reads),
            expected,
            "seed {seed}, modules of {module} at {place:?}, {ink:?}"
        );
        read_by_either += expected.len();
    }
    assert!(read_by_either >= 57, "{read_by_either} of 60");
}

#[test]
fn a_belt_that_stops_and_starts_is_read_as_if_looked_at_as_a_whole() {
    for seed in 0..4 {
        let mut rng = Rng::with_seed(seed);
        let mut ground = Ground::new(&mut rng);
        for label in 0..12 {
            let (left, top) = (200 * label + rng.usize(..60), rng.usize(..HEIGHT - 120));
            ground.lay(&format!("LABEL {label}"), (left, top), 4, [30, 210]);
        }
        let (mut sparing, mut plain) = (reader(true), reader(false));
        let mut reads = Reads::default();
        let mut way = 0;
        for frame in 0..80 {
            // Ten frames of each kind in turn.
            way += [0, 13, 0, 1][frame / 10 % 4];
            let picture = ground.seen(way, &mut rng);
            read(&mut plain, &picture, &mut reads);
            let expected = texts(&reads);
            read(&mut sparing, &picture, &mut reads);
            assert_eq!(texts(&reads), expected, "seed {seed}, frame {frame}");
        }
    }
}
