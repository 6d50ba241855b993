//! Pictures that this program draws itself, from a seed: frames with codes whose
//! texts are known, and empty frames of a textured belt.
//!
//! The codes are drawn by the `qrcode` crate and laid into the frame through a
//! homography, four samples to a pixel, so that none lies on the pixel grid.

use beltscan::camera::picture::Picture;
use beltscan::geometry::{Homography, Point, Quad};
use fastrand::Rng;
use qrcode::{Color, EcLevel, QrCode};

/// What a frame is to show.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Number of codes.
    pub codes: usize,
    /// How far the belt's structure strays from its mean grey, in levels.
    pub texture: f32,
    /// Standard deviation of the sensor's noise in levels.
    pub noise: f32,
}

/// A frame with its texts: same seed, same bytes.
pub fn frame(scene: Scene, seed: u64) -> (Picture, Vec<String>) {
    let mut rng = Rng::with_seed(seed);
    let mut luma = belt(scene, &mut rng);
    let texts = lay_codes(scene, &mut luma, &mut rng);
    (taken(scene, luma, &mut rng), texts)
}

/// Frame number `index` of an empty belt that stands: the same ground with noise of
/// its own.
pub fn standing(scene: Scene, seed: u64, index: u64) -> Picture {
    let luma = belt(scene, &mut Rng::with_seed(seed));
    taken(scene, luma, &mut Rng::with_seed(seed + 1 + index))
}

/// What a camera makes of it.
fn taken(scene: Scene, luma: Vec<f32>, rng: &mut Rng) -> Picture {
    let luma = luma
        .into_iter()
        .map(|level| (level + scene.noise * normal(rng)).clamp(0.0, 255.0) as u8)
        .collect();
    Picture {
        luma,
        width: scene.width,
        height: scene.height,
    }
}

/// A standard normal deviate, near enough: twelve uniform ones summed.
fn normal(rng: &mut Rng) -> f32 {
    (0..12).map(|_| rng.f32()).sum::<f32>() - 6.0
}

/// Belt: mean grey, structure at four scales, and streaks along the way.
fn belt(scene: Scene, rng: &mut Rng) -> Vec<f32> {
    let (width, height) = (scene.width, scene.height);
    let mut luma = vec![90.0 + 40.0 * rng.f32(); width * height];
    if scene.texture == 0.0 {
        return luma;
    }
    for cell in [96usize, 24, 8, 3] {
        let (columns, rows) = (width / cell + 2, height / cell + 2);
        let knots: Vec<f32> = (0..columns * rows)
            .map(|_| scene.texture * (rng.f32() - 0.5))
            .collect();
        for y in 0..height {
            let (row, v) = (y / cell, (y % cell) as f32 / cell as f32);
            for x in 0..width {
                let (column, u) = (x / cell, (x % cell) as f32 / cell as f32);
                let knot = |dx: usize, dy: usize| knots[(row + dy) * columns + column + dx];
                luma[y * width + x] += (knot(0, 0) * (1.0 - u) + knot(1, 0) * u) * (1.0 - v)
                    + (knot(0, 1) * (1.0 - u) + knot(1, 1) * u) * v;
            }
        }
    }
    for row in luma.chunks_exact_mut(width) {
        let streak = scene.texture * 0.3 * (rng.f32() - 0.5);
        row.iter_mut().for_each(|level| *level += streak);
    }
    luma
}

/// Lays the codes into a loose grid of cells, each turned, tilted and sized at
/// random, none nearer to the next than their quiet zones allow.
fn lay_codes(scene: Scene, luma: &mut [f32], rng: &mut Rng) -> Vec<String> {
    if scene.codes == 0 {
        return Vec::new();
    }
    let (width, height) = (scene.width as f32, scene.height as f32);
    let columns = (scene.codes as f32 * width / height).sqrt().ceil() as usize;
    let rows = scene.codes.div_ceil(columns);
    let (cell_w, cell_h) = (width / columns as f32, height / rows as f32);
    let mut cells: Vec<usize> = (0..columns * rows).collect();
    rng.shuffle(&mut cells);
    let mut texts = Vec::new();
    for cell in cells.into_iter().take(scene.codes) {
        let centre = Point::new(
            ((cell % columns) as f32 + 0.5) * cell_w,
            ((cell / columns) as f32 + 0.5) * cell_h,
        );
        let (text, code, label, angle) = fitting(rng, cell_w.min(cell_h) - 2.0);
        lay(scene, luma, rng, &code, centre, label, angle);
        texts.push(text);
    }
    texts
}

/// A random code whose label, turned by the angle, fits a square of `room`
/// pixels with modules of 2.5 to 7 pixels: (text, code, side of the label, angle).
fn fitting(rng: &mut Rng, room: f32) -> (String, QrCode, f32, f32) {
    loop {
        let text = random_text(rng);
        let level = [EcLevel::L, EcLevel::M, EcLevel::Q, EcLevel::H][rng.usize(..4)];
        let Ok(code) = QrCode::with_error_correction_level(&text, level) else {
            continue;
        };
        let angle = rng.f32() * std::f32::consts::TAU;
        let modules = (code.width() + 8) as f32;
        let spread = angle.cos().abs() + angle.sin().abs();
        let largest = (room / spread / modules).min(7.0);
        if largest >= 2.5 {
            let module = 2.5 + (largest - 2.5) * rng.f32();
            return (text, code, module * modules, angle);
        }
    }
}

fn random_text(rng: &mut Rng) -> String {
    let length = 4 + rng.usize(..30);
    let letters: Vec<char> = match rng.u8(..3) {
        0 => ('0'..='9').collect(),
        1 => ('A'..='Z').chain('0'..='9').chain("-./:".chars()).collect(),
        _ => ('a'..='z').chain("/?=-_%&#".chars()).collect(),
    };
    (0..length)
        .map(|_| letters[rng.usize(..letters.len())])
        .collect()
}

/// Draws one label, `side` pixels wide with its quiet zone.
fn lay(
    scene: Scene,
    luma: &mut [f32],
    rng: &mut Rng,
    code: &QrCode,
    centre: Point,
    side: f32,
    angle: f32,
) {
    let (sin, cos) = angle.sin_cos();
    let corner = |x: f32, y: f32, rng: &mut Rng| {
        // A tilt of up to 3 % of the side, inwards, so that it still fits.
        let half = side / 2.0 * (1.0 - 0.06 * rng.f32());
        centre + Point::new((x * cos - y * sin) * half, (x * sin + y * cos) * half)
    };
    let quad = Quad([
        corner(-1.0, -1.0, rng),
        corner(1.0, -1.0, rng),
        corner(1.0, 1.0, rng),
        corner(-1.0, 1.0, rng),
    ]);
    let Some(from_picture) = Homography::from_unit_square(&quad).and_then(|map| map.inverse())
    else {
        return;
    };
    let (dark, light) = (20.0 + 30.0 * rng.f32(), 190.0 + 50.0 * rng.f32());
    let modules = code.width() as i64;
    let across = (modules + 8) as f64;
    let colours = code.to_colors();
    let paper = |x: f64, y: f64| -> Option<f32> {
        let place = from_picture.map(x, y);
        let (u, v) = (f64::from(place.x), f64::from(place.y));
        if !(0.0..1.0).contains(&u) || !(0.0..1.0).contains(&v) {
            return None;
        }
        let (column, row) = ((u * across) as i64 - 4, (v * across) as i64 - 4);
        let inside = (0..modules).contains(&column) && (0..modules).contains(&row);
        let is_dark = inside && colours[(row * modules + column) as usize] == Color::Dark;
        Some(if is_dark { dark } else { light })
    };
    let (left, top, right, bottom) = quad.bounds();
    for y in top.max(0.0) as usize..(bottom.ceil() as usize).min(scene.height) {
        for x in left.max(0.0) as usize..(right.ceil() as usize).min(scene.width) {
            let pixel = &mut luma[y * scene.width + x];
            let samples = [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)];
            *pixel = samples
                .into_iter()
                .map(|(dx, dy)| paper(x as f64 + dx, y as f64 + dy).unwrap_or(*pixel))
                .sum::<f32>()
                / 4.0;
        }
    }
}
