//! Codes that moved during the exposure: how many are read of each length of
//! motion, and what is told of them.

use beltscan::camera::belt::degrade::{Degradation, Print, Specimen};
use beltscan::frame::Luma;
use beltscan::geometry::{Point, Quad};
use beltscan::qr::{Hint, Method, Reader, ReaderOptions, Reads};

fn print(seed: u64) -> Print {
    let mut random = fastrand::Rng::with_seed(seed);
    let text: String = (0..random.usize(10..60))
        .map(|_| random.alphanumeric())
        .collect();
    let level = random.choice(['L', 'M', 'M', 'Q', 'H']).expect("not empty");
    Print::new(&text, level).expect("fits")
}

fn specimen(seed: u64, module_px: f32, blur_px: f32) -> Specimen {
    let mut random = fastrand::Rng::with_seed(seed + 1000);
    print(seed).specimen(&Degradation {
        seed,
        module_px,
        blur_px,
        turn_deg: 360.0 * random.f32(),
        blur_deg: 360.0 * random.f32(),
        perspective: 0.05 * random.f32(),
        ..Degradation::default()
    })
}

fn luma(specimen: &Specimen) -> Luma<'_> {
    let (width, height) = (specimen.width, specimen.height);
    Luma::new(&specimen.pixels, width, height, width).expect("fits")
}

#[test]
fn moved_codes_are_read() {
    // Of 400 specimens each all but a few were read.
    const COUNT: u64 = 12;
    const LEAST: usize = 10;
    let mut reader = Reader::new(ReaderOptions::default());
    let mut reads = Reads::default();
    for (module_px, blur_px) in [(4.0, 8.0), (4.0, 12.0), (4.0, 16.0), (2.5, 6.0), (2.5, 8.0)] {
        let (mut right, mut deblurred) = (0, 0);
        for seed in 0..COUNT {
            let specimen = specimen(seed, module_px, blur_px);
            reader.read(luma(&specimen), &[], &mut reads);
            for code in reads.codes.iter() {
                assert_eq!(code.content.text, specimen.text, "a false read");
                right += 1;
                let centre = code.corners.centre();
                assert!(centre.distance(specimen.corners.centre()) < module_px);
                if code.method == Method::Deblur {
                    deblurred += 1;
                    let quality = &code.quality;
                    assert!((quality.module_px / module_px - 1.0).abs() < 0.15);
                    let blur = 0.8 * blur_px / module_px;
                    assert!(
                        (quality.blur_modules / blur - 1.0).abs() < 0.3,
                        "{quality:?}"
                    );
                    assert!(
                        quality.contrast > 0.3 && quality.contrast < 0.9,
                        "{quality:?}"
                    );
                }
            }
        }
        assert!(
            right >= LEAST,
            "{right} of {COUNT}, module {module_px} blur {blur_px}"
        );
        assert!(deblurred >= LEAST / 2, "module {module_px} blur {blur_px}");
    }
}

#[test]
fn modules_hardly_larger_than_a_pixel_and_codes_far_out_of_focus_are_read() {
    // Of 200 specimens each 200 and 174 were read.
    const COUNT: u64 = 12;
    const LEAST: usize = 9;
    let mut reader = Reader::new(ReaderOptions::default());
    let mut reads = Reads::default();
    for (module_px, defocus_px) in [(1.25, 0.0), (4.0, 3.0)] {
        let mut right = 0;
        for seed in 0..COUNT {
            let mut random = fastrand::Rng::with_seed(seed + 1000);
            let specimen = print(seed).specimen(&Degradation {
                seed,
                module_px,
                defocus_px,
                turn_deg: 360.0 * random.f32(),
                perspective: 0.05 * random.f32(),
                ..Degradation::default()
            });
            reader.read(luma(&specimen), &[], &mut reads);
            for code in reads.codes.iter() {
                assert_eq!(code.content.text, specimen.text, "a false read");
                right += 1;
            }
        }
        assert!(
            right >= LEAST,
            "{right} of {COUNT}, module {module_px} defocus {defocus_px}"
        );
    }
}

#[test]
fn a_known_motion_needs_no_measuring() {
    let specimen = specimen(3, 4.0, 14.0);
    let hint = |motion| Hint {
        corners: specimen.corners.shifted(Point::new(5.0, -4.0)),
        velocity: Point::default(),
        motion,
    };
    let mut reader = Reader::new(ReaderOptions::default());
    let mut reads = Reads::default();
    let mut units = |hints: &[Hint]| {
        reader.read(luma(&specimen), hints, &mut reads);
        assert_eq!(reads.codes.len(), 1);
        assert_eq!(reads.codes[0].content.text, specimen.text);
        reads.work.units
    };
    let known = units(&[hint(Some(specimen.motion))]);
    assert!(known < units(&[]));
    // One that is not true, or none at all, does no harm.
    let odd = Point::new(f32::NAN, f32::INFINITY);
    for motion in [Point::new(-9.0, 9.0), odd, Point::new(1e30, 0.0)] {
        units(&[hint(Some(motion))]);
    }
}

#[test]
fn any_picture_and_any_hint_is_harmless() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut reader = Reader::new(ReaderOptions {
        budget: Some(30_000_000),
        ..ReaderOptions::default()
    });
    let mut reads = Reads::default();
    for (width, height) in [(0, 0), (1, 900), (33, 40), (64, 64), (640, 300)] {
        let stripes = random.usize(2..9);
        let pictures: [Vec<u8>; 4] = [
            vec![90; width * height],
            (0..width * height).map(|_| random.u8(..)).collect(),
            (0..width * height)
                .map(|i| {
                    if (i / width.max(1) / stripes).is_multiple_of(2) {
                        20
                    } else {
                        220
                    }
                })
                .collect(),
            (0..width * height)
                .map(|i| (i / width.max(1) * 37 % 256) as u8 ^ (i % 3) as u8)
                .collect(),
        ];
        for picture in &pictures {
            let luma = Luma::new(picture, width, height, width).expect("fits");
            let far = |x: f32, y: f32, motion: f32| Hint {
                corners: Quad([
                    Point::new(x, y),
                    Point::new(x + 90.0, y),
                    Point::new(x + 90.0, y + 90.0),
                    Point::new(x, y + 90.0),
                ]),
                velocity: Point::default(),
                motion: Some(Point::new(motion, 3.0)),
            };
            let hints = [
                far(10.0, 10.0, 12.0),
                far(-1e9, 4.0, 200.0),
                far(f32::NAN, 1e30, 9.0),
                far(0.0, 0.0, f32::NEG_INFINITY),
            ];
            reader.read(luma, &hints, &mut reads);
            assert!(reads.codes.is_empty());
        }
    }
}

/// A code on white paper, seen by a lens that is not perfect: grey values, and how
/// many there are in a row. `root`: the camera writes the root of light, as most do.
fn on_white(seed: u64, text: &str, module: f32, length: f32, root: bool) -> (Vec<u8>, usize) {
    const STEPS: usize = 32;
    let code = qrcode::QrCode::new(text).expect("fits");
    let side = code.width();
    let mut random = fastrand::Rng::with_seed(seed);
    let (sin, cos) = (std::f32::consts::TAU * random.f32()).sin_cos();
    let (up, right) = (std::f32::consts::TAU * random.f32()).sin_cos();
    let width = (side as f32 * module * 1.5) as usize + 80;
    let light = |x: f32, y: f32| {
        let (x, y) = (x - width as f32 / 2.0, y - width as f32 / 2.0);
        let index = |at: f32| (at / module + side as f32 / 2.0).floor() as i32 as usize;
        let (column, row) = (index(x * cos + y * sin), index(y * cos - x * sin));
        let dark = column < side && row < side && code[(column, row)] == qrcode::Color::Dark;
        if dark { 0.01f32 } else { 0.7 }
    };
    let mut sharp = vec![0.7; width * width];
    for (at, pixel) in sharp.iter_mut().enumerate() {
        let sum: f32 = (0..STEPS)
            .map(|step| {
                let time = ((step as f32 + 0.5) / STEPS as f32 - 0.5) * length;
                let spread = |by: usize| (step * by % STEPS) as f32 / STEPS as f32;
                let (x, y) = ((at % width) as f32, (at / width) as f32);
                light(x + spread(7) + time * right, y + spread(19) + time * up)
            })
            .sum();
        *pixel = sum / STEPS as f32;
    }
    // Binomial, twice: a standard deviation of one pixel.
    for step in [1, width, 1, width] {
        let before = sharp.clone();
        for at in step..sharp.len() - step {
            sharp[at] = 0.25 * (before[at - step] + 2.0 * before[at] + before[at + step]);
        }
    }
    let grey = |light: f32| 255.0 * if root { light.sqrt() } else { light };
    let pixels = sharp.iter().map(|&light| grey(light) + random.f32());
    (pixels.map(|grey| grey as u8).collect(), width)
}

/// Light adds up while the shutter is open, and most cameras write its root. What is
/// dark is not cut off where most of what is around a code is as light as its paper.
#[test]
fn moved_codes_on_white_are_read_whatever_of_light_the_camera_writes() {
    const COUNT: u64 = 12;
    let mut reader = Reader::new(ReaderOptions::default());
    let mut reads = Reads::default();
    let cases = [
        (4.0, 16.0, false, 11),
        (4.0, 16.0, true, 11),
        (3.0, 8.0, true, 8),
    ];
    for (module, blur, root, least) in cases {
        let mut right = 0;
        for seed in 0..COUNT {
            let text = format!("MOVED ON WHITE {:08}", seed * 7_654_321);
            let (pixels, width) = on_white(seed, &text, module, blur, root);
            let luma = Luma::new(&pixels, width, width, width).expect("fits");
            reader.read(luma, &[], &mut reads);
            for code in reads.codes.iter() {
                assert_eq!(code.content.text, text, "a false read");
                right += 1;
            }
        }
        println!("module {module} blur {blur} root {root}: {right}");
        assert!(
            right >= least,
            "{right} of {COUNT}, module {module} blur {blur}"
        );
    }
}
