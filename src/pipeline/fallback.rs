//! The second reader, for when ours is out of order: rqrr on small crops around
//! the places where codes are known to be.
//!
//! Its detector is never run on a whole frame: on forty codes it was measured
//! at up to 25 s, while a crop with one code takes about 10 ms. Crops are
//! bounded in size and in number for each frame; over frames all places get
//! their turn.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::frame::Luma;
use crate::geometry::{Point, Quad};
use crate::qr::{Codes, EcLevel, Hint, Method, Symbology};

/// Largest side of a crop in pixels: a crop of this size with one code costs
/// rqrr some 15 ms.
const LARGEST_CROP: usize = 400;
/// Crops in one frame.
const CROPS_PER_FRAME: usize = 3;

#[derive(Default)]
pub(super) struct Fallback {
    turn: usize,
}

impl Fallback {
    /// Reads around some of the `hints`, next frame around the next ones.
    pub(super) fn read(&mut self, luma: Luma<'_>, hints: &[Hint], codes: &mut Codes) {
        codes.clear();
        for step in 0..CROPS_PER_FRAME.min(hints.len()) {
            let hint = &hints[(self.turn + step) % hints.len()];
            // rqrr is not ours to trust with whatever made our own reader fail.
            let before = codes.len();
            if catch_unwind(AssertUnwindSafe(|| read_crop(luma, &hint.corners, codes))).is_err() {
                while codes.len() > before {
                    codes.pop();
                }
            }
        }
        self.turn = self.turn.wrapping_add(CROPS_PER_FRAME);
    }
}

fn read_crop(luma: Luma<'_>, around: &Quad, codes: &mut Codes) {
    let (left, top, right, bottom) = around.bounds();
    // A quarter of the symbol on each side: the quiet zone and some error of
    // the prediction.
    let margin = (right - left).max(bottom - top) * 0.25 + 8.0;
    let start = |edge: f32| (edge - margin).max(0.0) as usize;
    let (x, y) = (start(left), start(top));
    let side = |from: usize, to: f32| {
        ((to + margin).max(0.0) as usize)
            .saturating_sub(from)
            .min(LARGEST_CROP)
    };
    let crop = luma.crop(x, y, side(x, right), side(y, bottom));
    if crop.width() < 21 || crop.height() < 21 {
        return;
    }
    let mut image =
        rqrr::PreparedImage::prepare_from_greyscale(crop.width(), crop.height(), |x, y| {
            crop.at(x, y)
        });
    for grid in image.detect_grids() {
        let mut bytes = Vec::new();
        let Ok(meta) = grid.decode_to(&mut bytes) else {
            continue;
        };
        let code = codes.push();
        code.symbology = Symbology::Qr;
        code.version = meta.version.0 as u8;
        code.level = match meta.ecc_level {
            0 => EcLevel::M,
            1 => EcLevel::L,
            2 => EcLevel::H,
            _ => EcLevel::Q,
        };
        code.mask = meta.mask as u8;
        code.mirrored = false;
        code.inverted = false;
        code.method = Method::Plain;
        code.corrected = 0;
        code.quality = Default::default();
        code.corners = Quad(
            grid.bounds
                .map(|p| Point::new(x as f32 + p.x as f32, y as f32 + p.y as f32)),
        );
        code.content.aim_modifier = 1;
        match String::from_utf8(bytes) {
            Ok(text) => {
                code.content.bytes.extend_from_slice(text.as_bytes());
                code.content.text.push_str(&text);
                code.content.is_text = true;
            }
            Err(error) => code.content.bytes.extend_from_slice(error.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A label of `text` with its upper left corner at (`x`, `y`), 4 px a module.
    fn label(canvas: &mut [u8], width: usize, text: &str, x: usize, y: usize) -> Quad {
        let code = qrcode::QrCode::new(text).expect("short text");
        let side = code.width();
        for (i, colour) in code.to_colors().into_iter().enumerate() {
            if colour == qrcode::Color::Dark {
                for dy in 0..4 {
                    let start = (y + i / side * 4 + dy) * width + x + i % side * 4;
                    canvas[start..start + 4].fill(20);
                }
            }
        }
        let (x, y, s) = (x as f32, y as f32, side as f32 * 4.0);
        Quad([
            Point::new(x, y),
            Point::new(x + s, y),
            Point::new(x + s, y + s),
            Point::new(x, y + s),
        ])
    }

    #[test]
    fn reads_around_hints_and_takes_turns() {
        let (width, height) = (640, 200);
        let mut canvas = vec![230u8; width * height];
        let hints: Vec<Hint> = (0..5)
            .map(|i| Hint {
                corners: label(&mut canvas, width, &format!("BOX {i}"), 20 + i * 122, 40),
                velocity: Point::default(),
                motion: None,
            })
            .collect();
        let luma = Luma::new(&canvas, width, height, width).expect("fits");
        let mut fallback = Fallback::default();
        let mut codes = Codes::default();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..2 {
            fallback.read(luma, &hints, &mut codes);
            assert_eq!(codes.len(), 3, "three crops a frame");
            for code in codes.iter() {
                let (i, _) = hints
                    .iter()
                    .enumerate()
                    .find(|(_, h)| h.corners.contains(code.corners.centre()))
                    .expect("lies on a label");
                assert_eq!(code.content.text, format!("BOX {i}"));
                seen.insert(i);
            }
        }
        assert_eq!(seen.len(), 5, "every place had its turn");
    }

    #[test]
    fn hints_outside_the_picture_are_harmless() {
        let canvas = vec![128u8; 64 * 48];
        let luma = Luma::new(&canvas, 64, 48, 64).expect("fits");
        let far = |x: f32, y: f32| Hint {
            corners: Quad([Point::new(x, y); 4]),
            velocity: Point::default(),
            motion: None,
        };
        let hints = [far(-1e9, 4.0), far(1e9, 1e9), far(f32::NAN, 3.0)];
        let mut codes = Codes::default();
        Fallback::default().read(luma, &hints, &mut codes);
        assert!(codes.is_empty());
    }
}
