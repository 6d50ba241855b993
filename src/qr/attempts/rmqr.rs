//! Rectangular Micro QR codes (rMQR, ISO/IEC 23941): a finder pattern with format
//! information beside it that tells how many modules there are.
//!
//! There is much in them that is fixed, timing patterns all around above all, so
//! that nothing else is taken for one: see [`is_sound`].

use super::Job;
use crate::geometry::{Point, Quad};
use crate::optics::Sampler;
use crate::qr::code::Quality;
use crate::qr::decode::{
    Layout, ModuleKind, likeliest_rmqr, rmqr_format_places, rmqr_size, rmqr_words,
};
use crate::qr::finder::FinderPattern;
use crate::qr::grid::{Corner, Mesh};
use crate::qr::trial::{UNITS_PER_MODULE, is_repeated};
use crate::qr::{Code, Decoder, Modules};

/// Wrong bits of the format information beside the finder pattern. Chance gives
/// one of the 64 words within two in four cases of a hundred, and that is only
/// where the attempt begins.
const WRONG_BITS: usize = 2;
/// Wrong bits of both copies together, of 36: chance gives the same word twice
/// within six in less than one case of a hundred thousand.
const WRONG_FORMAT: usize = 6;
/// Share of all other fixed modules that may be wrong. The smallest symbol has
/// 79 of them beside the finder pattern: chance gets that many right in less than
/// one case of 10^11, before error correction has its say.
const WRONG_FIXED: f32 = 0.1;
/// Columns to each side from which light and dark around a module are taken.
const AROUND: usize = 8;
/// Units of work for looking at the format information eight ways.
const GLANCING: usize = 200;
/// Units of work to follow the edges of a column.
const PER_COLUMN: usize = 30;

/// Tries finder patterns as those of rMQR codes, in memory that it keeps.
#[derive(Default)]
pub struct Strips {
    grey: Vec<f32>,
    /// Of each column of it.
    sums: Vec<f32>,
    modules: Modules,
    decoder: Decoder,
}

impl Strips {
    /// Reads the symbol of this finder pattern if it is one.
    pub fn attempt(
        &mut self,
        finder: &FinderPattern,
        sampler: Sampler<'_>,
        job: &mut Job<'_, '_>,
    ) -> bool {
        let Job {
            scene,
            budget,
            reads,
            ..
        } = job;
        budget.spend(GLANCING);
        let options = scene.options;
        for mirrored in [false, true] {
            for quarter in 0..4 {
                if mirrored && !options.mirrored {
                    continue;
                }
                let corner = Corner::turned(sampler, finder, quarter, mirrored);
                let (version, wrong) = likeliest_rmqr(&corner.rmqr_format());
                if wrong > WRONG_BITS || budget.is_spent() {
                    continue;
                }
                let Some((width, height)) = rmqr_size(version) else {
                    continue;
                };
                budget.spend(PER_COLUMN * width);
                let Some(mesh) = corner.rmqr_mesh(width, height) else {
                    continue;
                };
                budget.spend(UNITS_PER_MODULE * width * height);
                reads.work.sampled += 1;
                let contrast = self.sample(&corner, &mesh, width, height);
                reads.work.decoded += 1;
                let code = reads.codes.push();
                let read = self
                    .decoder
                    .decode_rmqr(&self.modules, version, code)
                    .is_ok()
                    && is_sound(&self.modules, code);
                if read {
                    code.mirrored = mirrored;
                    describe(code, finder, &mesh, (width, height), contrast);
                }
                if !read || is_repeated(&reads.codes) {
                    reads.codes.pop();
                }
                if read {
                    return true;
                }
            }
        }
        false
    }

    /// Takes the modules under `mesh`; gives their contrast, 0 to 1.
    fn sample(&mut self, corner: &Corner<'_>, mesh: &Mesh, width: usize, height: usize) -> f32 {
        self.grey.clear();
        for y in 0..height {
            for x in 0..width {
                let (x, y) = (x as f32 + 0.5, y as f32 + 0.5);
                let places = [
                    (0.0, 0.0),
                    (-0.2, -0.2),
                    (0.2, -0.2),
                    (0.2, 0.2),
                    (-0.2, 0.2),
                ];
                let value = |(dx, dy)| corner.value(mesh.map(x + dx, y + dy));
                self.grey
                    .push(places.into_iter().map(value).sum::<f32>() / places.len() as f32);
            }
        }
        self.sums.clear();
        self.sums.resize(width, 0.0);
        for row in self.grey.chunks(width).take(height) {
            for (sum, value) in self.sums.iter_mut().zip(row) {
                *sum += value;
            }
        }
        self.modules.reset(width);
        let mut contrast = 0.0;
        for x in 0..width {
            let (dark, light) = self.levels(x, width, height);
            let (middle, half) = ((light + dark) / 2.0, ((light - dark) / 2.0).max(1.0));
            contrast += 2.0 * half / 255.0 / width as f32;
            for y in 0..height {
                let dark = (middle - self.grey[y * width + x]) / half;
                let soft = (dark * 127.0).clamp(-127.0, 127.0) as i8;
                // Never quite 0: that would be an erasure.
                let least = if dark > 0.0 { 1 } else { -1 };
                self.modules.set(x, y, if soft == 0 { least } else { soft });
            }
        }
        contrast
    }

    /// Means of what is darker and what is lighter than the mean of the columns
    /// around column `x`.
    fn levels(&self, x: usize, width: usize, height: usize) -> (f32, f32) {
        let columns = x.saturating_sub(AROUND)..(x + AROUND + 1).min(width);
        let count = (columns.len() * height).max(1) as f32;
        let sum: f32 = self.sums[columns.clone()].iter().sum();
        let mean = sum / count;
        // Without branches, of which half would be guessed wrong.
        let (mut low, mut lows) = (0.0, 0.0);
        for row in self.grey.chunks(width).take(height) {
            for &value in &row[columns.clone()] {
                let below = f32::from(u8::from(value < mean));
                low += below * value;
                lows += below;
            }
        }
        let (high, highs) = (sum - low, count - lows);
        (low / f32::max(lows, 1.0), high / f32::max(highs, 1.0))
    }
}

/// Is what is fixed in a symbol, and its format information, as it should be?
fn is_sound(modules: &Modules, code: &Code) -> bool {
    let (Some(layout), Some((width, height)), Some(words)) = (
        Layout::of_rmqr(code.version),
        rmqr_size(code.version),
        rmqr_words(code.version, code.level),
    ) else {
        return false;
    };
    let mut format = 0;
    for bit in 0..18 {
        let places = rmqr_format_places(width, height, bit);
        for ((x, y), word) in places.into_iter().zip(words) {
            format += usize::from(modules.dark(x, y) != (word >> bit & 1 == 1));
        }
    }
    let (mut wrong, mut all) = (0, 0);
    for y in 0..height {
        for x in 0..width {
            let right = match layout.kind(x, y) {
                ModuleKind::Dark => modules.dark(x, y),
                ModuleKind::Light => !modules.dark(x, y),
                _ => continue,
            };
            // The finder pattern is no evidence: it is what brought us here.
            if x >= 8 || y >= 8 {
                wrong += usize::from(!right);
                all += 1;
            }
        }
    }
    format <= WRONG_FORMAT
        && wrong as f32 <= WRONG_FIXED * all as f32
        && !code.content.bytes.is_empty()
}

/// Fills in what the picture tells of a code that was decoded.
fn describe(
    code: &mut Code,
    finder: &FinderPattern,
    mesh: &Mesh,
    (width, height): (usize, usize),
    contrast: f32,
) {
    let (width, height) = (width as f32, height as f32);
    let corners: [Point; 4] =
        [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)].map(|(x, y)| mesh.map(x, y));
    code.corners = Quad(corners);
    code.inverted = finder.inverted;
    let module = (code.corners.area() / (width * height)).sqrt();
    let along = corners[0].distance(corners[1]) / width;
    let across = corners[0].distance(corners[3]) / height;
    code.quality = Quality {
        uec: code.quality.uec,
        contrast,
        axial_nonuniformity: (along - across).abs() / ((along + across) / 2.0).max(1e-3),
        module_px: module,
        blur_modules: 1.6 * finder.edge / module.max(1e-3),
        ..Quality::default()
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Luma;
    use crate::geometry::Homography;
    use crate::qr::decode::{RMQR_VERSIONS, encode_rmqr};
    use crate::qr::{EcLevel, Reader, ReaderOptions, Reads, Symbology};

    /// How a symbol is shown.
    struct Show {
        module: f32,
        turn: f32,
        tilt: f32,
        inverted: bool,
        mirrored: bool,
        noise: i32,
    }

    /// A symbol with a quiet zone of two modules on grey, and where it lies.
    fn draw(
        dark: &[bool],
        (width, height): (usize, usize),
        show: &Show,
        random: &mut fastrand::Rng,
    ) -> (Vec<u8>, usize, Quad) {
        let (sin, cos) = show.turn.to_radians().sin_cos();
        let (w, h) = (width as f32 * show.module, height as f32 * show.module);
        let size = (Point::new(w, h).length() + 8.0 * show.module) as usize;
        let middle = size as f32 / 2.0;
        let corners = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)].map(|(x, y)| {
            let mut jolt = || (random.f32() - 0.5) * show.tilt * h;
            let (x, y) = (x * w + jolt(), y * h + jolt());
            let y = if show.mirrored { -y } else { y };
            Point::new(middle + x * cos - y * sin, middle + x * sin + y * cos)
        });
        let map = Homography::from_unit_square(&Quad(corners)).expect("not degenerate");
        let back = map.inverse().expect("regular");
        let mut pixels = vec![0; size * size];
        for (i, pixel) in pixels.iter_mut().enumerate() {
            let mut sum = 0;
            for part in 0..9 {
                let fine = |i: usize| (i as f64 + 0.5) / 3.0;
                let (x, y) = ((i % size) as f64, (i / size) as f64);
                let at = back.map(x + fine(part % 3), y + fine(part / 3));
                let (x, y) = (at.x * width as f32, at.y * height as f32);
                let within = |rim: f32| {
                    (-rim..width as f32 + rim).contains(&x)
                        && (-rim..height as f32 + rim).contains(&y)
                };
                let ink = within(0.0) && dark[y as usize * width + x as usize];
                sum += match (within(2.0), ink != show.inverted) {
                    (false, _) => 120,
                    (true, true) => 40,
                    (true, false) => 220,
                };
            }
            let noise = random.i32(-show.noise..=show.noise);
            *pixel = (sum / 9 + noise).clamp(0, 255) as u8;
        }
        (pixels, size, Quad(corners))
    }

    #[test]
    fn every_version_from_every_side() {
        let mut random = fastrand::Rng::with_seed(8);
        let mut reader = Reader::new(ReaderOptions::default());
        let mut reads = Reads::default();
        for round in 0..6 {
            for version in 1..=RMQR_VERSIONS {
                let level = [EcLevel::M, EcLevel::H][random.usize(0..2)];
                let text = format!("{}", random.u8(10..99));
                let dark = encode_rmqr(text.as_bytes(), version, level).expect("fits");
                let (width, height) = rmqr_size(version).expect("a version");
                let show = Show {
                    module: 2.0 + 4.0 * random.f32(),
                    turn: 360.0 * random.f32(),
                    tilt: 0.1 * random.f32(),
                    inverted: random.bool(),
                    mirrored: random.bool(),
                    noise: random.i32(0..20),
                };
                let (pixels, size, corners) = draw(&dark, (width, height), &show, &mut random);
                let luma = Luma::new(&pixels, size, size, size).expect("fits");
                reader.read(luma, &[], &mut reads);
                let place = format!("R{height}x{width}, round {round}, turn {}", show.turn);
                assert_eq!(reads.codes.len(), 1, "{place}: {:?}", reads.work);
                let code = &reads.codes[0];
                assert_eq!(code.content.text, text, "{place}");
                assert_eq!((code.version, code.level), (version, level));
                assert_eq!(code.symbology, Symbology::RmQr);
                assert_eq!(
                    (code.inverted, code.mirrored),
                    (show.inverted, show.mirrored)
                );
                for (is, wanted) in code.corners.0.iter().zip(corners.0) {
                    assert!(is.distance(wanted) < show.module, "{place}");
                }
            }
        }
    }
}
