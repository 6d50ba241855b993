//! Frames that are hard on a reader: noise, texture, print, patterns that look
//! like parts of codes; and codes of which nothing can be right. All from seeds.

use beltscan::camera::picture::Picture;
use beltscan::geometry::{Homography, Point, Quad};
use beltscan::qr::decode::{Layout, ModuleKind};
use fastrand::Rng;
use qrcode::{Color, EcLevel, QrCode};

use crate::synthetic::{self, Scene};

/// What a frame is full of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clutter {
    /// A belt of structure at all scales.
    Belt,
    /// White noise over the whole range.
    Noise,
    /// Dark and light blocks of one to a few pixels: an edge at every other pixel.
    Blocks,
    /// Rows of small dark glyphs on paper.
    Text,
    /// Finder patterns of all sizes, side by side and askew.
    Finders,
    /// Squares of random modules with the finder and timing patterns of a code.
    Modules,
}

impl Clutter {
    /// All of them.
    pub const ALL: [Clutter; 6] = [
        Clutter::Belt,
        Clutter::Noise,
        Clutter::Blocks,
        Clutter::Text,
        Clutter::Finders,
        Clutter::Modules,
    ];

    /// As the tables have it.
    pub fn name(self) -> &'static str {
        match self {
            Clutter::Belt => "belt texture",
            Clutter::Noise => "white noise",
            Clutter::Blocks => "blocks",
            Clutter::Text => "pages of text",
            Clutter::Finders => "finder patterns",
            Clutter::Modules => "random modules",
        }
    }

    /// A frame full of it, without any code.
    pub fn frame(self, width: usize, height: usize, seed: u64) -> Picture {
        let mut rng = Rng::with_seed(seed);
        if self == Clutter::Belt {
            let scene = Scene {
                width,
                height,
                codes: 0,
                texture: 60.0 + 60.0 * rng.f32(),
                noise: 4.0,
            };
            return synthetic::frame(scene, seed).0;
        }
        let mut sheet = Sheet::new(width, height, 215);
        match self {
            Clutter::Belt => {}
            Clutter::Noise => sheet.luma.iter_mut().for_each(|level| *level = rng.u8(..)),
            Clutter::Blocks => blocks(&mut sheet, &mut rng),
            Clutter::Text => text(&mut sheet, &mut rng),
            Clutter::Finders => finders(&mut sheet, &mut rng),
            Clutter::Modules => squares(&mut sheet, &mut rng),
        }
        if self != Clutter::Noise {
            sheet.grain(&mut rng, 4);
        }
        sheet.picture()
    }
}

/// A code of which so many modules are random that nothing of it can be right, in
/// a frame of `side` by `side` pixels: (frame, the text it once had). Finder
/// patterns, format and version are left, so that a reader gets as far as it can.
pub fn destroyed(side: usize, seed: u64) -> (Picture, String) {
    let mut rng = Rng::with_seed(seed);
    let length = rng.usize(4..=40);
    let text: String = (0..length).map(|_| rng.alphanumeric()).collect();
    let level = [EcLevel::L, EcLevel::M, EcLevel::Q, EcLevel::H][rng.usize(..4)];
    let mut sheet = Sheet::new(side, side, 215);
    if let Ok(code) = QrCode::with_error_correction_level(&text, level) {
        let modules = code.width();
        let layout = Layout::of(((modules - 17) / 4) as u8);
        // At a seventh of random modules most codewords still hold and level L is
        // lost; at all of them no codeword does.
        let share = 0.15 + 0.85 * rng.f32();
        let colours = code.to_colors();
        let dark: Vec<bool> = (0..modules * modules)
            .map(|i| {
                let data = layout.is_some_and(|l| l.kinds()[i] == ModuleKind::Data);
                if data && rng.f32() < share {
                    rng.bool()
                } else {
                    colours[i] == Color::Dark
                }
            })
            .collect();
        let room = side as f32 / (modules + 8) as f32 / 1.42;
        let module = room * (0.6 + 0.4 * rng.f32());
        let middle = Point::new(side as f32 / 2.0, side as f32 / 2.0);
        let angle = rng.f32() * std::f32::consts::TAU;
        sheet.square(modules, &dark, middle, module, angle, 35);
        if rng.u8(..3) == 0 {
            sheet.glare(&mut rng);
        }
    }
    sheet.grain(&mut rng, 4);
    (sheet.picture(), text)
}

/// A random piece of `picture`, `side` by `side` pixels, up to three times
/// smaller than it is there, turned by quarters, and inverted half the time.
pub fn piece(picture: &Picture, side: usize, rng: &mut Rng) -> Picture {
    let scale = 1.0 + 2.0 * rng.f32();
    let span = (side as f32 * scale) as usize;
    let left = rng.usize(..=picture.width.saturating_sub(span));
    let top = rng.usize(..=picture.height.saturating_sub(span));
    let (turned, mirrored, inverted) = (rng.bool(), rng.bool(), rng.bool());
    let mut sheet = Sheet::new(side, side, 128);
    for (i, level) in sheet.luma.iter_mut().enumerate() {
        let (mut x, mut y) = (i % side, i / side);
        if turned {
            (x, y) = (y, x);
        }
        if mirrored {
            x = side - 1 - x;
        }
        let (x, y) = (x as f32 * scale, y as f32 * scale);
        let (x, y) = (left + x as usize, top + y as usize);
        if x < picture.width && y < picture.height {
            *level = picture.luma[y * picture.width + x];
        }
        if inverted {
            *level = 255 - *level;
        }
    }
    sheet.picture()
}

/// Paper to draw on.
struct Sheet {
    luma: Vec<u8>,
    width: usize,
    height: usize,
}

impl Sheet {
    fn new(width: usize, height: usize, paper: u8) -> Self {
        Self {
            luma: vec![paper; width * height],
            width,
            height,
        }
    }

    fn picture(self) -> Picture {
        Picture {
            luma: self.luma,
            width: self.width,
            height: self.height,
        }
    }

    /// Adds a little noise, up to `most` levels either way.
    fn grain(&mut self, rng: &mut Rng, most: i16) {
        for level in &mut self.luma {
            *level = (i16::from(*level) + rng.i16(-most..=most)).clamp(0, 255) as u8;
        }
    }

    /// Fills a rectangle, as far as it is inside.
    fn fill(&mut self, (x, y): (usize, usize), (wide, high): (usize, usize), level: u8) {
        let right = (x + wide).min(self.width);
        for row in y.min(self.height)..(y + high).min(self.height) {
            self.luma[row * self.width + x.min(right)..row * self.width + right].fill(level);
        }
    }

    /// Draws a square of `side` by `side` modules, two by two samples to a pixel.
    fn square(
        &mut self,
        side: usize,
        dark: &[bool],
        middle: Point,
        module: f32,
        angle: f32,
        ink: u8,
    ) {
        let half = side as f32 * module / 2.0;
        let (sin, cos) = angle.sin_cos();
        let corner = |x: f32, y: f32| {
            middle + Point::new((x * cos - y * sin) * half, (x * sin + y * cos) * half)
        };
        let quad = Quad([
            corner(-1.0, -1.0),
            corner(1.0, -1.0),
            corner(1.0, 1.0),
            corner(-1.0, 1.0),
        ]);
        let Some(map) = Homography::from_unit_square(&quad).and_then(|map| map.inverse()) else {
            return;
        };
        let (left, top, right, bottom) = quad.bounds();
        for y in top.max(0.0) as usize..(bottom.ceil().max(0.0) as usize).min(self.height) {
            for x in left.max(0.0) as usize..(right.ceil().max(0.0) as usize).min(self.width) {
                let level = &mut self.luma[y * self.width + x];
                let mut inked = 0;
                for (dx, dy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
                    let at = map.map(x as f64 + dx, y as f64 + dy);
                    let (u, v) = (at.x * side as f32, at.y * side as f32);
                    if u >= 0.0 && v >= 0.0 && u < side as f32 && v < side as f32 {
                        inked += i16::from(dark[v as usize * side + u as usize]);
                    }
                }
                *level = (i16::from(*level) + (i16::from(ink) - i16::from(*level)) * inked / 4)
                    .clamp(0, 255) as u8;
            }
        }
    }

    /// A saturated disc somewhere.
    fn glare(&mut self, rng: &mut Rng) {
        let (x, y) = (rng.usize(..self.width), rng.usize(..self.height));
        let radius = 4 + rng.usize(..self.width.min(self.height) / 4 + 1);
        for (i, level) in self.luma.iter_mut().enumerate() {
            let (dx, dy) = ((i % self.width).abs_diff(x), (i / self.width).abs_diff(y));
            if dx * dx + dy * dy <= radius * radius {
                *level = 255;
            }
        }
    }
}

fn blocks(sheet: &mut Sheet, rng: &mut Rng) {
    let mut y = 0;
    while y < sheet.height {
        let high = 1 + rng.usize(..4);
        let mut x = 0;
        while x < sheet.width {
            let wide = 1 + rng.usize(..4);
            let level = if rng.bool() { 40 } else { 210 };
            sheet.fill((x, y), (wide, high), level);
            x += wide;
        }
        y += high;
    }
}

fn text(sheet: &mut Sheet, rng: &mut Rng) {
    let dot = 1 + rng.usize(..3);
    let mut y = 4;
    while y < sheet.height {
        let mut x = 4 + rng.usize(..12);
        while x < sheet.width {
            // A glyph is a random stroke through a box of 4 by 6 dots; a space now
            // and then.
            if rng.u8(..6) > 0 {
                let (mut column, mut row) = (rng.usize(..4), rng.usize(..6));
                for _ in 0..10 {
                    sheet.fill((x + column * dot, y + row * dot), (dot, dot), 45);
                    match rng.u8(..4) {
                        0 => column = (column + 1).min(3),
                        1 => column = column.saturating_sub(1),
                        2 => row = (row + 1).min(5),
                        _ => row = row.saturating_sub(1),
                    }
                }
            }
            x += 5 * dot;
        }
        y += 9 * dot;
    }
}

fn finders(sheet: &mut Sheet, rng: &mut Rng) {
    let dark: Vec<bool> = (0..49usize)
        .map(|i| (i % 7).abs_diff(3).max((i / 7).abs_diff(3)) != 2)
        .collect();
    let module = 1.5 + 4.0 * rng.f32();
    let step = (9.0 * module).max(1.0);
    let (mut x, mut y) = (step / 2.0, step / 2.0);
    // One size and a loose grid, so that many triples look like codes.
    while y < sheet.height as f32 {
        let jolt = |rng: &mut Rng| module * (rng.f32() - 0.5);
        let middle = Point::new(x + jolt(rng), y + jolt(rng));
        let angle = 0.2 * rng.f32();
        let size = module * (0.85 + 0.3 * rng.f32());
        sheet.square(7, &dark, middle, size, angle, 40);
        x += step;
        if x > sheet.width as f32 {
            (x, y) = (step / 2.0, y + step);
        }
    }
}

/// As many squares as find room, each a code but for its modules, which are
/// random: of the format too, or of the data alone.
fn squares(sheet: &mut Sheet, rng: &mut Rng) {
    let largest = 1 + rng.usize(..6) as u8;
    let module = 2.0 + 3.0 * rng.f32();
    let cell = (17.0 + 4.0 * f32::from(largest) + 8.0) * module * 1.2;
    let (columns, rows) = (
        (sheet.width as f32 / cell) as usize,
        (sheet.height as f32 / cell) as usize,
    );
    for row in 0..rows.max(1) {
        for column in 0..columns.max(1) {
            let version = 1 + rng.u8(..largest);
            let Some(layout) = Layout::of(version) else {
                continue;
            };
            let dark: Vec<bool> = layout
                .kinds()
                .iter()
                .map(|kind| match kind {
                    ModuleKind::Dark => true,
                    ModuleKind::Light => false,
                    _ => rng.bool(),
                })
                .collect();
            let middle = if columns * rows == 0 {
                Point::new(sheet.width as f32 / 2.0, sheet.height as f32 / 2.0)
            } else {
                Point::new((column as f32 + 0.5) * cell, (row as f32 + 0.5) * cell)
            };
            let angle = rng.f32() * std::f32::consts::TAU;
            let side = layout.side();
            let room = sheet.width.min(sheet.height) as f32 / (side + 8) as f32;
            sheet.square(side, &dark, middle, module.min(room), angle, 40);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_of_the_size_asked_for_and_the_same_each_time() {
        for clutter in Clutter::ALL {
            for (width, height) in [(160, 160), (64, 200)] {
                let frame = clutter.frame(width, height, 7);
                assert_eq!(frame.luma.len(), width * height, "{}", clutter.name());
                assert_eq!(frame, clutter.frame(width, height, 7));
                assert_ne!(frame, clutter.frame(width, height, 8));
            }
        }
    }

    #[test]
    fn pieces_of_small_pictures_are_filled_up() {
        let small = Clutter::Text.frame(32, 32, 1);
        let mut rng = Rng::with_seed(2);
        for _ in 0..20 {
            assert_eq!(piece(&small, 160, &mut rng).luma.len(), 160 * 160);
        }
    }

    #[test]
    fn a_destroyed_code_fills_its_frame() {
        for seed in 0..20 {
            let (frame, _) = destroyed(160, seed);
            assert!(frame.luma.iter().filter(|&&level| level < 100).count() > 1000);
        }
    }
}
