//! Micro QR codes in pictures: every version, level and mask from every side, and
//! pictures in which there is none though much looks like one.

use beltscan::frame::Luma;
use beltscan::geometry::{Homography, Point, Quad};
use beltscan::qr::{
    BitMatrix, Code, EcLevel, Reader, ReaderOptions, Reads, Symbology, encode, encode_micro,
};
use proptest::prelude::*;

/// Every symbol there is: version and level.
const SYMBOLS: [(u8, EcLevel); 8] = [
    (1, EcLevel::L),
    (2, EcLevel::L),
    (2, EcLevel::M),
    (3, EcLevel::L),
    (3, EcLevel::M),
    (4, EcLevel::L),
    (4, EcLevel::M),
    (4, EcLevel::Q),
];

struct Picture {
    pixels: Vec<u8>,
    side: usize,
}

impl Picture {
    fn new(side: usize, grey: u8) -> Self {
        Self {
            pixels: vec![grey; side * side],
            side,
        }
    }

    fn luma(&self) -> Luma<'_> {
        Luma::new(&self.pixels, self.side, self.side, self.side).expect("fits")
    }

    /// Draws what `grey` says of places of the unit square and around it, as far as
    /// it says something.
    fn draw(&mut self, corners: &Quad, grey: impl Fn(f64, f64) -> Option<u8>) {
        const FINE: usize = 3;
        let to = Homography::from_unit_square(corners).expect("not degenerate");
        let back = to.inverse().expect("regular");
        for y in 0..self.side {
            for x in 0..self.side {
                let pixel = &mut self.pixels[y * self.side + x];
                let mut sum = 0;
                for i in 0..FINE * FINE {
                    let fine = |i: usize| (i as f64 + 0.5) / FINE as f64;
                    let at = back.map(x as f64 + fine(i % FINE), y as f64 + fine(i / FINE));
                    sum += usize::from(grey(at.x.into(), at.y.into()).unwrap_or(*pixel));
                }
                *pixel = (sum / (FINE * FINE)) as u8;
            }
        }
    }

    /// Draws a symbol with a quiet zone of `quiet` modules.
    fn symbol(&mut self, code: &BitMatrix, quiet: f64, corners: &Quad, (dark, light): (u8, u8)) {
        let side = code.side() as f64;
        self.draw(corners, |x, y| {
            let (x, y) = (x * side, y * side);
            let within = |rim: f64| [x, y].iter().all(|v| (-rim..side + rim).contains(v));
            if within(0.0) {
                let is_dark = code.dark(x as usize, y as usize);
                Some(if is_dark { dark } else { light })
            } else {
                within(quiet).then_some(light)
            }
        });
    }

    fn noise(&mut self, random: &mut fastrand::Rng, most: i32) {
        for pixel in &mut self.pixels {
            *pixel = (i32::from(*pixel) + random.i32(-most..=most)).clamp(0, 255) as u8;
        }
    }
}

/// A square of `side` pixels about `centre`, turned.
fn square(centre: (f32, f32), side: f32, degrees: f32) -> Quad {
    let (sin, cos) = degrees.to_radians().sin_cos();
    Quad(
        [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)].map(|(x, y)| {
            let (x, y) = (x * side, y * side);
            Point::new(centre.0 + x * cos - y * sin, centre.1 + x * sin + y * cos)
        }),
    )
}

fn read(picture: &Picture) -> Reads {
    let mut reads = Reads::default();
    Reader::new(ReaderOptions::default()).read(picture.luma(), &[], &mut reads);
    reads
}

/// A text that the symbol holds.
fn text(random: &mut fastrand::Rng, (version, level): (u8, EcLevel)) -> (String, BitMatrix) {
    loop {
        let length = random.usize(1..16);
        let kind = random.u8(0..3);
        let text: String = (0..length)
            .map(|_| match kind {
                0 => random.char('0'..='9'),
                1 => random.char('A'..='Z'),
                _ => random.char('a'..='z'),
            })
            .collect();
        if let Ok(code) = encode_micro(&text, level, Some(version)) {
            return (text, code);
        }
    }
}

fn only(reads: &Reads) -> &Code {
    assert_eq!(reads.codes.len(), 1, "{:?} {:?}", reads.failure, reads.work);
    let code = &reads.codes[0];
    assert_eq!(code.symbology, Symbology::MicroQr);
    code
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_symbol_from_every_side(
        symbol in 0..8usize, seed in any::<u64>(), module in 2.0..8.0f32, turn in 0.0..360.0f32,
        tilt in 0.0..0.08f32, inverted in any::<bool>(), mirrored in any::<bool>(),
        quiet in 1.0..4.0f64, noise in 0..25i32,
    ) {
        let mut random = fastrand::Rng::with_seed(seed);
        let (text, code) = text(&mut random, SYMBOLS[symbol]);
        let side = code.side() as f32 * module;
        let size = ((side + 8.0 * module) * 1.5) as usize;
        let mut corners = square((size as f32 / 2.0, size as f32 / 2.0), side, turn);
        for corner in &mut corners.0 {
            let mut jolt = || (random.f32() - 0.5) * tilt * side;
            *corner = *corner + Point::new(jolt(), jolt());
        }
        if mirrored {
            corners.0.swap(1, 3);
        }
        let (dark, light, around) = if inverted { (225, 35, 150) } else { (35, 225, 110) };
        let mut picture = Picture::new(size, around);
        picture.symbol(&code, quiet, &corners, (dark, light));
        picture.noise(&mut random, noise);
        let reads = read(&picture);
        let found = only(&reads);
        prop_assert_eq!(&found.content.text, &text);
        prop_assert_eq!((found.version, found.level), SYMBOLS[symbol]);
        prop_assert_eq!((found.inverted, found.mirrored), (inverted, mirrored));
        prop_assert_eq!(found.content.aim_modifier, 1);
        for (is, wanted) in found.corners.0.iter().zip(corners.0) {
            prop_assert!(is.distance(wanted) < module, "{:?} {:?}", is, wanted);
        }
    }
}

#[test]
fn every_mask_is_read() {
    let mut random = fastrand::Rng::with_seed(3);
    for symbol in SYMBOLS {
        let mut seen = [false; 4];
        for _ in 0..300 {
            let (text, code) = text(&mut random, symbol);
            let mut picture = Picture::new(90, 200);
            let corners = square((45.0, 45.0), code.side() as f32 * 3.0, 10.0);
            picture.symbol(&code, 2.0, &corners, (30, 220));
            let reads = read(&picture);
            let found = only(&reads);
            assert_eq!(found.content.text, text);
            seen[usize::from(found.mask)] = true;
            if seen == [true; 4] {
                break;
            }
        }
        assert_eq!(seen, [true; 4], "{symbol:?}");
    }
}

#[test]
fn many_in_one_frame_beside_ordinary_codes() {
    let mut random = fastrand::Rng::with_seed(4);
    let mut picture = Picture::new(640, 170);
    let mut wanted = Vec::new();
    for i in 0..25 {
        let centre = ((i % 5) as f32 * 126.0 + 68.0, (i / 5) as f32 * 126.0 + 68.0);
        let (text, code) = if i % 6 == 0 {
            let text = format!("ordinary {i}");
            let code = encode(&text, EcLevel::M, None, false).expect("fits");
            (text, code)
        } else {
            text(&mut random, SYMBOLS[i % 8])
        };
        let corners = square(centre, code.side() as f32 * 2.5, i as f32 * 31.0);
        picture.symbol(&code, 4.0, &corners, (40, 225));
        wanted.push(text);
    }
    let reads = read(&picture);
    let mut texts: Vec<_> = reads.codes.iter().map(|c| c.content.text.clone()).collect();
    texts.sort();
    wanted.sort();
    assert_eq!(texts, wanted);
}

#[test]
fn only_what_is_asked_for() {
    let code = encode_micro("asked", EcLevel::L, None).expect("fits");
    let reads = |options: ReaderOptions, mirrored: bool| {
        let mut corners = square((50.0, 50.0), 60.0, 0.0);
        if mirrored {
            corners.0.swap(1, 3);
        }
        let mut picture = Picture::new(100, 210);
        picture.symbol(&code, 2.0, &corners, (30, 230));
        let mut reads = Reads::default();
        Reader::new(options).read(picture.luma(), &[], &mut reads);
        reads.codes.len()
    };
    let options = ReaderOptions::default;
    assert_eq!(reads(options(), true), 1);
    let upright = || ReaderOptions {
        mirrored: false,
        ..options()
    };
    assert_eq!((reads(upright(), true), reads(upright(), false)), (0, 1));
    let none = ReaderOptions {
        micro: false,
        ..options()
    };
    assert_eq!(reads(none, false), 0);
}

#[test]
fn one_that_cannot_be_read_is_told_of_where_it_is() {
    let code = encode_micro("torn apart", EcLevel::L, Some(4)).expect("fits");
    let corners = square((70.0, 70.0), 85.0, 15.0);
    let mut picture = Picture::new(140, 210);
    picture.symbol(&code, 2.0, &corners, (30, 230));
    picture.draw(&corners, |x, y| {
        let stained = (0.6..0.9).contains(&x) && (0.4..0.9).contains(&y);
        stained.then_some(30)
    });
    let reads = read(&picture);
    assert!(reads.codes.is_empty());
    assert_eq!(reads.unread.len(), 1);
    assert!(reads.unread[0].corners.contains(corners.centre()));
}

/// What is left of ordinary codes, and finder patterns with timing patterns and a
/// quiet zone but chance in all the rest, are no Micro QR codes. (A hundred
/// thousand such pictures were tried when the bounds were chosen: none was read.)
#[test]
fn nothing_is_read_into_what_is_none() {
    let mut random = fastrand::Rng::with_seed(5);
    let mut reader = Reader::new(ReaderOptions::default());
    let mut reads = Reads::default();
    for round in 0..600 {
        let ordinary = encode(&format!("{round}"), EcLevel::M, None, false).expect("fits");
        let side = [11, 13, 15, 17][round % 4];
        let chance: Vec<bool> = (0..side * side).map(|_| random.bool()).collect();
        let whole = ordinary.side();
        let dark = |x: usize, y: usize| match round % 3 {
            // The corner of an ordinary code.
            0 => x < side && y < side && ordinary.dark(x, y),
            // All of it but a part.
            1 => ordinary.dark(x, y) && !(x / 4 + y / 4 + round).is_multiple_of(4),
            _ if x >= side || y >= side => false,
            _ if x < 8 && y < 8 => ordinary.dark(x, y),
            _ if x == 0 || y == 0 => (x + y).is_multiple_of(2),
            _ => chance[y * side + x],
        };
        let mut picture = Picture::new(140, 225);
        let corners = square((70.0, 70.0), whole as f32 * 3.7, random.f32() * 360.0);
        picture.draw(&corners, |x, y| {
            let (x, y) = (x * whole as f64, y * whole as f64);
            let inside = [x, y].iter().all(|v| (0.0..whole as f64).contains(v));
            (inside && dark(x as usize, y as usize)).then_some(35)
        });
        reader.read(picture.luma(), &[], &mut reads);
        let micro = |code: &&Code| code.symbology != Symbology::Qr;
        assert!(reads.codes.iter().find(micro).is_none(), "round {round}");
    }
}
