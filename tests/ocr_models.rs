//! The networks beside what onnxruntime says of the same inputs, recorded by
//! `models/make`; and the whole way from a frame to text.

#![cfg(feature = "ocr")]

use beltscan::frame::Luma;
use beltscan::geometry::{Point, Quad};
use beltscan::ocr::{
    Characters, Detector, Models, Pace, Pattern, Recogniser, Strip, TextReader, Wanted,
};

fn recorded(name: &str) -> Vec<Vec<f64>> {
    let path = format!("{}/tests/data/ocr/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect(&path);
    let numbers = |row: &str| {
        row.split(' ')
            .map(|n| n.parse().expect("a number"))
            .collect()
    };
    text.lines().map(numbers).collect()
}

/// The line of `models/make`, by the same formula.
fn line(width: usize) -> Vec<u8> {
    let pixel = |x: usize, y: usize| {
        let stroke =
            (x / 6 + (x / 23) * (y / 9)).is_multiple_of(3) && y > 8 && y < 40 && x + 40 < width;
        match stroke {
            true => 30 + (x * 7 + y * 3) % 40,
            false => 200 + (x + y * 5) % 30,
        }
    };
    (0..48 * width)
        .map(|i| pixel(i % width, i / width) as u8)
        .collect()
}

/// The scene of `models/make`, by the same formula.
fn scene(width: usize, height: usize) -> Vec<u8> {
    let pixel = |x: usize, y: usize| {
        let rows = (y > 40 && y < 64) || (y > 110 && y < 126);
        let stroke =
            (x / 4 + (x / 17) * (y / 6)).is_multiple_of(3) && rows && x > 30 && x + 60 < width;
        match stroke {
            true => 40 + (x + y) % 20,
            false => 190 + (x * 3 + y * 5) % 25,
        }
    };
    (0..height * width)
        .map(|i| pixel(i % width, i / width) as u8)
        .collect()
}

#[test]
fn the_recognisers_say_what_onnxruntime_says() {
    let mut recogniser = Recogniser::load(&Models::builtin()).expect("loads");
    for (name, characters, classes) in [
        ("recognise", Characters::Full, 6906),
        ("recognise_ascii", Characters::Ascii, 96),
    ] {
        for width in [160, 320, 640] {
            let picture = line(width);
            let luma = Luma::new(&picture, width, 48, width).expect("fits");
            let said = recogniser.probabilities(luma, characters).expect("runs");
            let expected = recorded(&format!("{name}_{width}"));
            assert_eq!(said.len(), expected.len() * classes);
            for (step, (row, expected)) in said.chunks_exact(classes).zip(&expected).enumerate() {
                let at = expected[0] as usize;
                // Sums in another order differ by 2.1e-5.
                let difference = (f64::from(row[at]) - expected[1] / 1e6).abs();
                assert!(
                    difference < 5e-5,
                    "{name} {width} step {step}: {difference}"
                );
                let best = row.iter().cloned().fold(0.0, f32::max);
                assert!(
                    f64::from(best - row[at]) < 5e-5,
                    "{name} {width} step {step}"
                );
                let sum: f32 = row.iter().sum();
                assert!((sum - 1.0).abs() < 1e-3);
            }
        }
    }
}

#[test]
fn the_detector_says_what_onnxruntime_says() {
    let mut detector = Detector::load(&Models::builtin()).expect("loads");
    let picture = scene(320, 192);
    let luma = Luma::new(&picture, 320, 192, 320).expect("fits");
    let map = detector.probabilities(luma).expect("runs");
    assert_eq!(map.len(), 320 * 192);
    let expected = recorded("detect_320x192");
    let mut far = 0.0f64;
    for (y, row) in expected.iter().enumerate() {
        for (x, value) in row.iter().enumerate() {
            far = far.max((f64::from(map[4 * y * 320 + 4 * x]) - value / 1e6).abs());
        }
    }
    assert!(far < 1e-3, "{far}");
}

#[test]
fn hostile_pictures_give_an_answer() {
    let models = Models::builtin();
    let mut reader = TextReader::load(&models).expect("loads");
    let wanted = Wanted {
        characters: Characters::Full,
        pattern: None,
    };
    let noise: Vec<u8> = (0u32..3000 * 700)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    for (width, height) in [
        (0, 0),
        (1, 1),
        (1, 500),
        (2000, 1),
        (5, 7),
        (33, 31),
        (3000, 700),
    ] {
        for data in [&noise[..width * height], &vec![255; width * height]] {
            let luma = Luma::new(data, width, height, width).expect("fits");
            for line in reader
                .read_all(luma, &[], &wanted, &mut Pace::steady())
                .expect("an answer")
            {
                assert!(!line.text.is_empty() && (0.0..=1.0).contains(&line.confidence));
                assert!(
                    line.corners
                        .0
                        .iter()
                        .all(|p| p.x.is_finite() && p.y.is_finite())
                );
            }
        }
    }
    let pattern = Pattern::parse("[A-Z]{3}[0-9 ]{2,40}").expect("compiles");
    for characters in [Characters::Digits, Characters::Ascii, Characters::Full] {
        for width in [1, 7, 48, 400, 3000] {
            let luma = Luma::new(&noise, width, 48, 3000).expect("fits");
            let (right, bottom) = (width as f32, 48.0);
            let corners = [(0.0, 0.0), (right, 0.0), (right, bottom), (0.0, bottom)];
            let corners = Quad(corners.map(|(x, y)| Point::new(x, y)));
            let strip = Strip::cut(luma, &corners).expect("a strip");
            for pattern in [None, Some(pattern.clone())] {
                let wanted = Wanted {
                    characters,
                    pattern,
                };
                if let Some(read) = reader
                    .recogniser()
                    .read(&strip, &wanted, &mut Pace::steady())
                    .expect("an answer")
                {
                    assert!((0.0..=1.0).contains(&read.confidence));
                    assert!(
                        wanted
                            .pattern
                            .is_none_or(|pattern| pattern.matches(&read.text))
                    );
                }
            }
        }
    }
}
