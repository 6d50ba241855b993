//! The reader on pictures made here: every version, any angle and view, many
//! codes in a frame, and pictures made to cost much. Photographs, where they
//! are at hand, are counted folder by folder.

use beltscan::camera::belt::degrade::{Degradation, Print};
use beltscan::frame::Luma;
use beltscan::geometry::{Homography, Point, Quad};
use beltscan::qr::{Hint, Reader, ReaderOptions, Reads, Reason};
use qrcode::{Color, EcLevel, QrCode, Version};

/// Quiet zone in modules (ISO/IEC 18004, 6.3.8).
const QUIET: f64 = 4.0;

struct Picture {
    pixels: Vec<u8>,
    width: usize,
    height: usize,
}

impl Picture {
    fn new(width: usize, height: usize, grey: u8) -> Self {
        Self {
            pixels: vec![grey; width * height],
            width,
            height,
        }
    }

    fn luma(&self) -> Luma<'_> {
        Luma::new(&self.pixels, self.width, self.height, self.width).expect("fits")
    }

    /// Draws a symbol with its quiet zone; `corners` are those of the symbol.
    fn draw(&mut self, code: &QrCode, corners: Quad, dark: u8, light: u8) {
        let printed = |x: f64, y: f64| code[(x as usize, y as usize)] == Color::Dark;
        self.print(code.width(), printed, corners, dark, light);
    }

    /// The same where ink is as `printed` says of places in modules.
    fn print(
        &mut self,
        side: usize,
        printed: impl Fn(f64, f64) -> bool,
        corners: Quad,
        dark: u8,
        light: u8,
    ) {
        const FINE: usize = 3;
        let side = side as f64;
        let to = Homography::from_unit_square(&corners).expect("not degenerate");
        let back = to.inverse().expect("regular");
        let rim = QUIET / side;
        let outer = Quad([
            to.map(-rim, -rim),
            to.map(1.0 + rim, -rim),
            to.map(1.0 + rim, 1.0 + rim),
            to.map(-rim, 1.0 + rim),
        ]);
        let (left, top, right, bottom) = outer.bounds();
        for y in top.max(0.0) as usize..(bottom.max(0.0).ceil() as usize).min(self.height) {
            for x in left.max(0.0) as usize..(right.max(0.0).ceil() as usize).min(self.width) {
                let pixel = &mut self.pixels[y * self.width + x];
                let mut sum = 0;
                for i in 0..FINE * FINE {
                    let fine = |i: usize| (i as f64 + 0.5) / FINE as f64;
                    let at = back.map(x as f64 + fine(i % FINE), y as f64 + fine(i / FINE));
                    let (mx, my) = (f64::from(at.x) * side, f64::from(at.y) * side);
                    let within = |v: f64, rim: f64| (-rim..side + rim).contains(&v);
                    sum += usize::from(if within(mx, 0.0) && within(my, 0.0) {
                        if printed(mx, my) { dark } else { light }
                    } else if within(mx, QUIET) && within(my, QUIET) {
                        light
                    } else {
                        *pixel
                    });
                }
                *pixel = (sum / (FINE * FINE)) as u8;
            }
        }
    }
}

fn code(text: &str, version: i16) -> QrCode {
    QrCode::with_version(text, Version::Normal(version), EcLevel::M).expect("fits")
}

/// A square of `side` pixels about `centre`, turned.
fn square(centre: (f32, f32), side: f32, degrees: f32) -> Quad {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let corner = |x: f32, y: f32| {
        let (x, y) = (x * side / 2.0, y * side / 2.0);
        Point::new(centre.0 + x * cos - y * sin, centre.1 + x * sin + y * cos)
    };
    Quad([
        corner(-1.0, -1.0),
        corner(1.0, -1.0),
        corner(1.0, 1.0),
        corner(-1.0, 1.0),
    ])
}

fn read(picture: &Picture) -> Reads {
    let mut reads = Reads::default();
    Reader::new(ReaderOptions::default()).read(picture.luma(), &[], &mut reads);
    reads
}

fn texts(reads: &Reads) -> Vec<&str> {
    let mut texts: Vec<&str> = reads
        .codes
        .iter()
        .map(|code| code.content.text.as_str())
        .collect();
    texts.sort_unstable();
    texts
}

#[test]
fn every_version_is_read_where_it_is() {
    let mut reader = Reader::new(ReaderOptions::default());
    let mut reads = Reads::default();
    for version in 1..=40 {
        let text = format!("VERSION {version}");
        let code = code(&text, version);
        let side = code.width() as f32 * 3.1;
        let size = side as usize * 3 / 2 + 60;
        let mut picture = Picture::new(size, size, 128);
        let middle = size as f32 / 2.0;
        let corners = square((middle, middle), side, f32::from(version) * 2.0);
        picture.draw(&code, corners, 30, 220);
        reader.read(picture.luma(), &[], &mut reads);
        assert_eq!(texts(&reads), [text.as_str()], "{:?}", reads.work);
        let found = &reads.codes[0];
        assert_eq!(i16::from(found.version), version);
        for (is, wanted) in found.corners.0.iter().zip(corners.0) {
            assert!(
                is.distance(wanted) < 3.0,
                "version {version}: {is:?} {wanted:?}"
            );
        }
        assert!((found.quality.module_px - 3.1).abs() < 0.1);
        assert!(found.quality.contrast > 0.5 && found.quality.uec > 0.9);
        assert!(reads.failure.is_none() && reads.unread.is_empty());
    }
}

#[test]
fn any_angle_and_module_size() {
    let code = code("any angle", 2);
    for module in [2.0, 2.6, 4.0, 9.0, 25.0] {
        for degrees in (0..360).step_by(18) {
            let side = 25.0 * module;
            let size = (side * 1.9) as usize + 20;
            let mut picture = Picture::new(size, size, 90);
            let middle = size as f32 / 2.0 + 0.3;
            let corners = square((middle, middle), side, degrees as f32);
            picture.draw(&code, corners, 20, 235);
            let reads = read(&picture);
            assert_eq!(texts(&reads), ["any angle"], "module {module}, {degrees}°");
        }
    }
}

#[test]
fn labels_around_a_bottle_whose_rows_are_bows() {
    for (version, degrees) in [(1, 0.0), (1, 90.0), (2, 180.0), (3, 270.0)] {
        let code = code("bottle", version);
        let side = code.width() as f32 * 8.0;
        let size = side as usize * 3 / 2 + 60;
        let middle = size as f32 / 2.0;
        let mut flat = Picture::new(size, size, 200);
        flat.draw(&code, square((middle, middle), side, degrees), 30, 220);
        for bow in [4.0, 10.0, -10.0] {
            let mut picture = Picture::new(size, size, 200);
            for y in 0..size {
                for x in 0..size {
                    let across = (x as f32 - middle) * 2.0 / side;
                    let from = y as f32 - bow * across * across;
                    let from = from.clamp(0.0, size as f32 - 1.0) as usize;
                    picture.pixels[y * size + x] = flat.pixels[from * size + x];
                }
            }
            assert_eq!(
                texts(&read(&picture)),
                ["bottle"],
                "version {version}, {degrees}°, {bow} px"
            );
        }
    }
}

/// Modules of 5 pixels around up to 60° of a cylinder: the axis in any direction, the
/// view slanted by up to 40°, versions 1 to 8.
#[test]
fn labels_around_a_cylinder() {
    let mut reader = Reader::new(ReaderOptions::default());
    let mut reads = Reads::default();
    for seed in 0..48 {
        let mut random = fastrand::Rng::with_seed(seed ^ 0xB077);
        let text: String = (0..random.usize(8..=60))
            .map(|_| random.alphanumeric())
            .collect();
        let how = Degradation {
            seed,
            module_px: 5.0,
            turn_deg: 360.0 * random.f32(),
            bend_deg: 10.0 + 50.0 * random.f32(),
            ..Degradation::default()
        };
        let print = Print::new(&text, ['L', 'M', 'Q', 'H'][random.usize(..4)]).expect("fits");
        let label = print.specimen(&how);
        let luma = Luma::new(&label.pixels, label.width, label.height, label.width).expect("fits");
        reader.read(luma, &[], &mut reads);
        assert_eq!(texts(&reads), [text.as_str()], "seed {seed}: {how:?}");
        // Beyond the finder patterns a grid goes on straight.
        for (is, wanted) in reads.codes[0].corners.0.iter().zip(label.corners.0) {
            let off = is.distance(wanted);
            assert!(off < 15.0, "seed {seed}: {is:?} {wanted:?}");
        }
    }
}

/// Designers like discs in rings; the other modules are dots.
#[test]
fn round_finder_patterns() {
    for version in [1, 4, 7, 12] {
        let code = code("round", version);
        let side = code.width() as f64;
        let round = |x: f64, y: f64| {
            let far = side - 3.5;
            let corner = [(3.5, 3.5), (far, 3.5), (3.5, far)]
                .into_iter()
                .find(|at| (x - at.0).abs() < 3.5 && (y - at.1).abs() < 3.5);
            if let Some((cx, cy)) = corner {
                let radius = ((x - cx).powi(2) + (y - cy).powi(2)).sqrt();
                return radius < 1.6 || (2.5..3.6).contains(&radius);
            }
            let (right, down) = (x.fract() - 0.5, y.fract() - 0.5);
            code[(x as usize, y as usize)] == Color::Dark
                && right * right + down * down < 0.45 * 0.45
        };
        let pixels = code.width() * 9 + 60;
        let mut picture = Picture::new(pixels, pixels, 230);
        let middle = pixels as f32 / 2.0;
        let corners = square((middle, middle), side as f32 * 6.0, 33.0);
        picture.print(code.width(), round, corners, 30, 230);
        assert_eq!(texts(&read(&picture)), ["round"], "version {version}");
    }
}

/// Ink that has not filled its modules, or has spread beyond them, by 0.3 modules
/// on every side.
#[test]
fn thin_and_fat_print() {
    for (seed, grown) in [-0.3, 0.3].into_iter().cycle().take(12).enumerate() {
        let code = code("print", 1 + seed as i16 / 2);
        let side = code.width() as f64;
        let ink = |x: f64, y: f64| {
            let inside = x >= 0.0 && y >= 0.0 && x < side && y < side;
            inside && code[(x as usize, y as usize)] == Color::Dark
        };
        let around = |x: f64, y: f64| {
            let by = [(0.3, 0.0), (-0.3, 0.0), (0.0, 0.3), (0.0, -0.3)];
            by.map(|(dx, dy)| ink(x + dx, y + dy))
        };
        let printed = |x: f64, y: f64| match grown > 0.0 {
            true => ink(x, y) || around(x, y).contains(&true),
            false => ink(x, y) && !around(x, y).contains(&false),
        };
        let pixels = code.width() * 9 + 60;
        let mut picture = Picture::new(pixels, pixels, 225);
        let middle = pixels as f32 / 2.0;
        let corners = square((middle, middle), side as f32 * 6.0, 7.0 * seed as f32);
        picture.print(code.width(), printed, corners, 30, 225);
        assert_eq!(texts(&read(&picture)), ["print"], "{grown}, {seed}");
    }
}

#[test]
fn a_code_within_a_code() {
    let outer = QrCode::with_version("outer", Version::Normal(6), EcLevel::H).expect("fits");
    let inner = code("inner", 1);
    let mut picture = Picture::new(420, 420, 255);
    picture.draw(&outer, square((210.0, 210.0), 41.0 * 8.0, 0.0), 20, 255);
    picture.draw(&inner, square((214.0, 214.0), 21.0 * 2.5, 0.0), 20, 255);
    assert_eq!(texts(&read(&picture)), ["inner", "outer"]);
}

#[test]
fn mirrored_and_light_on_dark() {
    let code = code("from behind", 2);
    for (mirrored, inverted) in [(true, false), (false, true), (true, true)] {
        let mut picture = Picture::new(200, 200, 128);
        let mut corners = square((100.0, 100.0), 100.0, 20.0);
        if mirrored {
            corners.0.swap(1, 3);
        }
        let (dark, light) = if inverted { (230, 20) } else { (20, 230) };
        picture.draw(&code, corners, dark, light);
        let mut reads = read(&picture);
        assert_eq!(texts(&reads), ["from behind"], "{mirrored} {inverted}");
        let found = &reads.codes[0];
        assert_eq!((found.mirrored, found.inverted), (mirrored, inverted));
        assert!(found.corners.0[1].distance(corners.0[1]) < 2.0);
        let options = ReaderOptions {
            inverted: !inverted,
            mirrored: !mirrored,
            ..ReaderOptions::default()
        };
        Reader::new(options).read(picture.luma(), &[], &mut reads);
        assert!(reads.codes.is_empty(), "it was not asked for");
    }
}

#[test]
fn in_perspective() {
    for version in [1, 3, 8, 20] {
        let code = code("tilted", version);
        let side = code.width() as f32 * 5.0;
        let at = |x: f32, y: f32| Point::new(40.0 + x * side, 40.0 + y * side);
        for corners in [
            [at(0.0, 0.0), at(1.0, 0.1), at(1.0, 0.9), at(0.0, 1.0)],
            [at(0.1, 0.0), at(0.9, 0.0), at(1.0, 1.0), at(0.0, 1.0)],
            [at(0.1, 0.1), at(0.9, 0.0), at(1.0, 0.8), at(0.0, 1.0)],
        ] {
            let size = side as usize + 80;
            let mut picture = Picture::new(size, size, 200);
            picture.draw(&code, Quad(corners), 25, 225);
            let reads = read(&picture);
            assert_eq!(texts(&reads), ["tilted"], "version {version} {corners:?}");
        }
    }
}

#[test]
fn forty_codes_in_one_frame_and_equal_texts_at_two_places() {
    let mut picture = Picture::new(1280, 800, 160);
    let mut wanted = Vec::new();
    for i in 0..40 {
        // Every fourth one says the same.
        let text = match i % 4 {
            0 => "SAME".to_owned(),
            _ => format!("ITEM {i:04}"),
        };
        let centre = ((i % 8) as f32 * 155.0 + 95.0, (i / 8) as f32 * 155.0 + 90.0);
        let corners = square(centre, 75.0, i as f32 * 23.0);
        picture.draw(&code(&text, 2), corners, 30, 225);
        wanted.push(text);
    }
    wanted.sort();
    assert_eq!(texts(&read(&picture)), wanted);
}

#[test]
fn two_hundred_frames_of_one_to_forty_codes() {
    let mut random = fastrand::Rng::with_seed(11);
    let mut reader = Reader::new(ReaderOptions::default());
    let mut reads = Reads::default();
    for frame in 0..200 {
        let mut picture = Picture::new(800, 600, random.u8(90..220));
        let (columns, rows) = (random.usize(1..=8), random.usize(1..=5));
        let cell = (800.0 / columns as f32).min(600.0 / rows as f32);
        let mut wanted = Vec::new();
        for i in 0..columns * rows {
            let text = format!("{frame}/{i}");
            let code = code(&text, random.i16(1..=3));
            let modules = code.width() as f32;
            // Turned by up to 12 degrees it fits its cell, quiet zone and all.
            let module = (cell / (modules + 8.0) / 1.19).clamp(2.0, 6.0);
            let centre = (
                ((i % columns) as f32 + 0.5) * cell,
                ((i / columns) as f32 + 0.5) * cell,
            );
            let turn = random.i32(-12..=12) as f32 + 90.0 * random.i32(0..4) as f32;
            picture.draw(&code, square(centre, module * modules, turn), 40, 230);
            wanted.push(text);
        }
        wanted.sort();
        reader.read(picture.luma(), &[], &mut reads);
        assert_eq!(texts(&reads), wanted, "frame {frame}");
    }
}

#[test]
fn a_located_symbol_that_cannot_be_read_is_reported_where_it_is() {
    let mut picture = Picture::new(220, 220, 230);
    let corners = square((110.0, 110.0), 29.0 * 4.0, 0.0);
    picture.draw(&code("torn", 3), corners, 30, 230);
    // Everything between the finder patterns turns to noise.
    let mut random = fastrand::Rng::with_seed(5);
    for y in 0..14 {
        for x in 0..14 {
            let grey = if random.bool() { 30 } else { 230 };
            for i in 0..16 {
                picture.pixels[(88 + y * 4 + i / 4) * 220 + 88 + x * 4 + i % 4] = grey;
            }
        }
    }
    let reads = read(&picture);
    assert!(reads.codes.is_empty());
    assert_eq!(reads.unread.len(), 1);
    assert!(reads.unread[0].corners.contains(corners.centre()));
    assert_eq!(reads.failure, Some(Reason::Damage));
}

/// Without bounds the pictures below would take far more attempts.
fn assert_bounded(picture: &Picture) {
    let mut reads = Reads::default();
    let hint = Hint {
        corners: square((-5e9, f32::NAN), 3.0, 0.0),
        velocity: Point::new(f32::INFINITY, 0.0),
        motion: Some(Point::new(f32::NAN, 9.0)),
    };
    Reader::new(ReaderOptions::default()).read(picture.luma(), &[hint], &mut reads);
    let work = reads.work;
    assert!(reads.codes.is_empty(), "a false read: {:?}", texts(&reads));
    assert!(work.finders <= 4096, "{work:?}");
    assert!(work.timed <= 2 * 12 * 60, "{work:?}");
    assert!(work.decoded <= 16 * work.timed, "{work:?}");
    let pixels = (picture.width * picture.height) as u32;
    assert!(work.crossed <= pixels / 4 + 16, "{work:?}");
    assert!(reads.unread.len() <= 64);
}

#[test]
fn odd_sizes() {
    for (width, height) in [
        (0, 0),
        (0, 9),
        (1, 1),
        (2, 3),
        (15, 15),
        (16, 16),
        (17, 64),
        (16384, 1),
        (1, 16384),
        (16384, 24),
        (24, 16384),
    ] {
        for pattern in 0..3 {
            let mut random = fastrand::Rng::with_seed(pattern);
            let mut picture = Picture::new(width, height, 0);
            for (i, pixel) in picture.pixels.iter_mut().enumerate() {
                *pixel = match pattern {
                    0 => 0,
                    1 => random.u8(..),
                    _ => [0, 255, 0, 0, 0, 255, 0, 255, 255][i / 2 % 9],
                };
            }
            assert_bounded(&picture);
        }
    }
}

#[test]
fn a_deadline_that_is_over_ends_the_scan() {
    let mut random = fastrand::Rng::with_seed(2);
    let mut picture = Picture::new(640, 480, 0);
    picture.pixels.fill_with(|| random.u8(..));
    let crossed = |deadline| {
        let mut reader = Reader::new(ReaderOptions {
            deadline,
            ..ReaderOptions::default()
        });
        let mut reads = Reads::default();
        reader.read(picture.luma(), &[], &mut reads);
        reads.work.crossed
    };
    assert!(crossed(None) > 1000);
    assert_eq!(crossed(Some(std::time::Duration::ZERO)), 0);
}

#[test]
fn noise_and_clutter_of_finder_patterns_cost_a_bounded_number_of_attempts() {
    let mut random = fastrand::Rng::with_seed(1);
    for block in [1, 2, 3] {
        let mut picture = Picture::new(640, 480, 0);
        for y in 0..480 / block {
            for x in 0..640 / block {
                let grey = if random.bool() { 20 } else { 230 };
                for i in 0..block * block {
                    let (px, py) = (x * block + i % block, y * block + i / block);
                    picture.pixels[py * 640 + px] = grey;
                }
            }
        }
        assert_bounded(&picture);
    }
    // Finder patterns and nothing else, side by side.
    for module in [2, 3, 5] {
        let mut picture = Picture::new(800, 600, 230);
        for y in 0..600 {
            for x in 0..800 {
                let at = |v: usize| (v / module % 9) as i32 - 4;
                let ring = at(x).abs().max(at(y).abs());
                if ring <= 1 || ring == 3 {
                    picture.pixels[y * 800 + x] = 20;
                }
            }
        }
        assert_bounded(&picture);
    }
}

#[derive(serde::Deserialize)]
struct Entry {
    file: String,
    category: String,
    texts: Option<Vec<String>>,
    corners: Option<Vec<[[f32; 2]; 4]>>,
}

/// Fewest codes of each folder (and, where named, category) of photographs.
/// Raise a number when the reader has become better; never lower one.
const GOLDEN: [(&str, &str, usize); 13] = [
    ("zxing", "", 180),
    ("zxing-cpp", "", 130),
    ("boofcv", "", 620),
    ("boofcv", "brightness", 39),
    ("boofcv", "close", 20),
    ("boofcv", "curved", 29),
    ("boofcv", "high_version", 16),
    ("boofcv", "nominal", 39),
    ("boofcv", "rotations", 65),
    ("boofcv", "lots", 239),
    ("boofcv", "glare", 24),
    ("micro-rmqr", "", 19),
    ("falsepos", "", 0),
];

#[test]
fn photographs_are_read_no_worse_than_before_and_none_falsely() {
    let Ok(root) = std::env::var("BELTSCAN_CORPUS") else {
        println!("LEFT OUT: photographs_are_read_no_worse_than_before needs BELTSCAN_CORPUS");
        assert!(
            std::env::var("BELTSCAN_REQUIRE_ALL").as_deref() != Ok("1"),
            "set BELTSCAN_CORPUS to the folder of photographs"
        );
        return;
    };
    let mut reader = Reader::new(ReaderOptions::default());
    let mut reads = Reads::default();
    for (folder, category, least) in GOLDEN {
        let folder = std::path::Path::new(&root).join(folder);
        let manifest = std::fs::read_to_string(folder.join("manifest.jsonl")).expect("a manifest");
        let mut count = 0;
        for line in manifest.lines() {
            let entry: Entry = serde_json::from_str(line).expect("a line of the manifest");
            if !category.is_empty() && entry.category != category {
                continue;
            }
            let picture = image::open(folder.join(&entry.file)).expect("a picture");
            let picture = picture.into_luma8();
            let (width, height) = (picture.width() as usize, picture.height() as usize);
            let luma = Luma::new(&picture, width, height, width).expect("fits");
            reader.read(luma, &[], &mut reads);
            let found = texts(&reads);
            if let Some(wanted) = &entry.texts {
                let nothing = !wanted.is_empty() || found.is_empty();
                assert!(nothing, "{}: {found:?}", entry.file);
                let found = wanted.iter().filter(|text| found.contains(&text.as_str()));
                count += found.count();
            }
            for quad in entry.corners.iter().flatten() {
                let quad = Quad(quad.map(|[x, y]| Point::new(x, y)));
                let hit = |code: &beltscan::qr::Code| quad.contains(code.corners.centre());
                count += usize::from(reads.codes.iter().any(hit));
            }
        }
        let folder = folder.display();
        assert!(
            count >= least,
            "{folder} {category}: {count}, at least {least}"
        );
    }
}
