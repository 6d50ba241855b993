//! Print quality as far as one picture from above a belt shows it: the parameters
//! of ISO/IEC 15415:2024, 7.5, taken from module means instead of the standard's
//! apertures, light and camera. Indicative therefore: good for seeing a printer's
//! ribbon wear out, no verification.

use super::decode::{Blocks, Layout, ModuleKind};
use super::grid::Grid;
use super::{Code, Symbology};
use crate::geometry::{Homography, Quad};

/// Least modulation of grades 4, 3, 2 and 1 (ISO/IEC 15415, table of 7.5.4).
const MODULATION: [f32; 4] = [0.5, 0.4, 0.3, 0.2];
/// Least unused error correction of grades 4, 3, 2 and 1 (7.5.9).
const UNUSED: [f32; 4] = [0.62, 0.5, 0.37, 0.25];
/// Largest share of damaged modules of a timing pattern for grades 3, 2 and 1
/// (ISO/IEC 18004, annex on print quality); none for 4.
const TIMING: [f32; 3] = [0.07, 0.11, 0.14];
/// The same for alignment patterns.
const ALIGNMENT: [f32; 3] = [0.1, 0.2, 0.3];
/// Places a side at which the grid is compared with an ideal one.
const GRID_PLACES: u8 = 9;

/// Fills in `code.quality` from the grey values of its modules, row by row, dark
/// ones low. Symbology, version, level and whether it is mirrored are known.
pub fn measure(code: &mut Code, grid: &Grid, grey: &[f32]) {
    let quality = &mut code.quality;
    quality.module_px = grid.module;
    quality.blur_modules = 1.6 * grid.edge / grid.module.max(1e-3);
    (quality.axial_nonuniformity, quality.grid_nonuniformity) = shape(grid);
    let plan = match code.symbology {
        Symbology::Qr => Layout::of(code.version).zip(Blocks::of(code.version, code.level)),
        Symbology::MicroQr => {
            Layout::of_micro(code.version).zip(Blocks::of_micro(code.version, code.level))
        }
        Symbology::RmQr => None,
    };
    let Some((layout, blocks)) = plan else { return };
    let side = layout.side();
    if grey.len() != side * side {
        return;
    }
    let low = grey.iter().copied().fold(f32::INFINITY, f32::min);
    let high = grey.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let seen = Seen {
        grey,
        side,
        mirrored: code.mirrored,
        threshold: (low + high) / 2.0,
        contrast: (high - low).max(1.0),
    };
    code.quality.modulation = f32::from(seen.modulation(layout, &blocks));
    code.quality.fixed_pattern_damage = f32::from(seen.fixed_patterns(layout));
}

/// Module means and the threshold of the whole symbol.
struct Seen<'a> {
    grey: &'a [f32],
    side: usize,
    mirrored: bool,
    threshold: f32,
    contrast: f32,
}

impl Seen<'_> {
    /// Index of a module of the layout in the picture.
    fn at(&self, index: usize) -> usize {
        if self.mirrored {
            index % self.side * self.side + index / self.side
        } else {
            index
        }
    }

    /// The highest grade at which, were all codewords below it errors, unused
    /// error correction would have that grade too (ISO/IEC 15415, 7.5.4).
    fn modulation(&self, layout: &Layout, blocks: &Blocks) -> u8 {
        let order = layout.order();
        let mut unused = [1.0f32; 4];
        for block in 0..blocks.count {
            let mut below = [0usize; 4];
            for index in 0..blocks.length(block) {
                let first = blocks.place(block, index) * 8;
                let modules = order.iter().skip(first).take(8);
                let least = modules
                    .map(|&module| (self.grey[self.at(usize::from(module))] - self.threshold).abs())
                    .fold(f32::INFINITY, f32::min);
                for (below, limit) in below.iter_mut().zip(MODULATION) {
                    *below += usize::from(2.0 * least / self.contrast < limit);
                }
            }
            let capacity = blocks.capacity().max(1) as f32;
            for (unused, below) in unused.iter_mut().zip(below) {
                *unused = unused.min(1.0 - 2.0 * below as f32 / capacity);
            }
        }
        let grades = unused.iter().zip([4, 3, 2, 1]);
        let notional = |unused: f32| grade(UNUSED.iter().map(|&least| unused >= least));
        grades
            .map(|(&unused, grade)| notional(unused).min(grade))
            .max()
            .unwrap_or(0)
    }

    /// The grade of the worst of finder patterns with their separators, timing
    /// patterns, and alignment patterns together (ISO/IEC 15415, 7.5.6).
    fn fixed_patterns(&self, layout: &Layout) -> u8 {
        let side = self.side;
        // Three finder patterns, two timing patterns, alignment: damaged, of all.
        let mut segments = [(0u16, 0u16); 6];
        let micro = side < 21;
        let track = if micro { 0 } else { 6 };
        for (index, kind) in layout.kinds().iter().enumerate() {
            let dark = match kind {
                ModuleKind::Dark => true,
                ModuleKind::Light => false,
                _ => continue,
            };
            let (x, y) = (index % side, index / side);
            let far = side - 8;
            let segment = match (x, y) {
                (0..8, 0..8) => 0,
                _ if micro => 3 + usize::from(x == track),
                _ if x >= far && y < 8 => 1,
                _ if x < 8 && y >= far => 2,
                _ if y == track => 3,
                _ if x == track => 4,
                // The lone dark module belongs to none.
                _ if x == 8 && y == far => continue,
                _ => 5,
            };
            let wrong = (self.grey[self.at(index)] < self.threshold) != dark;
            segments[segment].0 += u16::from(wrong);
            segments[segment].1 += 1;
        }
        let share = |(wrong, all): (u16, u16)| f32::from(wrong) / f32::from(all.max(1));
        let by_share = |segment: (u16, u16), limits: [f32; 3]| {
            let share = share(segment);
            grade([
                share <= 0.0,
                share <= limits[0],
                share <= limits[1],
                share <= limits[2],
            ])
        };
        let finders = segments[..3]
            .iter()
            .map(|&(wrong, _)| 4u8.saturating_sub(wrong.min(4) as u8));
        let tracks = segments[3..5].iter().map(|&track| by_share(track, TIMING));
        let alignment = by_share(segments[5], ALIGNMENT);
        finders.chain(tracks).min().unwrap_or(4).min(alignment)
    }
}

/// 4 if the first holds, 3 if the second does, …, 0 if none of the four.
fn grade(holds: impl IntoIterator<Item = bool>) -> u8 {
    holds
        .into_iter()
        .position(|holds| holds)
        .map_or(0, |at| 4 - at.min(4) as u8)
}

/// Axial nonuniformity (ISO/IEC 15415, 7.5.7): how far the mean steps along both
/// axes differ, in shares of their mean. Grid nonuniformity (7.5.8): how far the
/// grid at most is from the one that its corners span, in modules.
fn shape(grid: &Grid) -> (f32, f32) {
    let corners = grid.corners();
    let [a, b, c, d] = corners.0;
    let across = (a.distance(b) + d.distance(c)) / 2.0;
    let down = (a.distance(d) + b.distance(c)) / 2.0;
    let axial = (across - down).abs() / ((across + down) / 2.0).max(1e-3);
    let side = grid.side as f32;
    let Some(ideal) = Homography::from_unit_square(&Quad([a, b, c, d])) else {
        return (axial, 0.0);
    };
    let mut farthest = 0.0f32;
    for row in 0..=GRID_PLACES {
        for column in 0..=GRID_PLACES {
            let at = |n: u8| f32::from(n) / f32::from(GRID_PLACES);
            let (x, y) = (at(column), at(row));
            let off = grid
                .mesh
                .map(x * side, y * side)
                .distance(ideal.map(f64::from(x), f64::from(y)));
            farthest = farthest.max(off);
        }
    }
    (axial, farthest / grid.module.max(1e-3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::belt::degrade::{Degradation, Print};
    use crate::frame::Luma;
    use crate::qr::{Quality, Reader, Reads};

    /// What is seen of a code of version 2-Q, 25 modules a side, with `spoil` done to its modules'
    /// pixels.
    fn seen(how: &Degradation, spoil: impl Fn(usize, usize) -> Option<u8>) -> Quality {
        let print = Print::new("PRINT QUALITY 0123456789", 'Q').expect("fits");
        let mut specimen = print.specimen(how);
        for y in 0..specimen.side {
            for x in 0..specimen.side {
                let (Some(grey), Some(at)) = (spoil(x, y), specimen.module_centre(x, y)) else {
                    continue;
                };
                let half = (how.module_px / 2.0) as usize;
                for py in at.y as usize - half..at.y as usize + half {
                    for px in at.x as usize - half..at.x as usize + half {
                        specimen.pixels[py * specimen.width + px] = grey;
                    }
                }
            }
        }
        let (width, height) = (specimen.width, specimen.height);
        let luma = Luma::new(&specimen.pixels, width, height, width).expect("fits");
        let mut reads = Reads::default();
        Reader::default().read(luma, &[], &mut reads);
        let code = reads.codes.first().expect("it is read");
        assert_eq!(code.content.text, specimen.text);
        code.quality
    }

    fn clean() -> Degradation {
        Degradation {
            module_px: 6.0,
            noise: 1.0,
            ..Degradation::default()
        }
    }

    #[test]
    fn a_clean_print_has_the_best_grades() {
        let quality = seen(&clean(), |_, _| None);
        assert_eq!(quality.modulation, 4.0);
        assert_eq!(quality.fixed_pattern_damage, 4.0);
        assert!(quality.axial_nonuniformity < 0.01, "{quality:?}");
        assert!(quality.grid_nonuniformity < 0.1, "{quality:?}");
    }

    #[test]
    fn damage_to_the_fixed_patterns_shows() {
        // A light spot in the ring of the finder pattern at the upper right: one
        // module of a finder pattern is grade 3.
        let quality = seen(&clean(), |x, y| (x == 24 && y == 3).then_some(230));
        assert_eq!(quality.fixed_pattern_damage, 3.0);
        assert_eq!(quality.modulation, 4.0);
        // Two of nine modules of a timing pattern.
        let quality = seen(&clean(), |x, y| {
            (y == 6 && (x == 12 || x == 16)).then_some(230)
        });
        assert_eq!(quality.fixed_pattern_damage, 0.0);
    }

    #[test]
    fn pale_modules_lower_the_modulation() {
        // Modules between dark and light, in several codewords.
        let quality = seen(&clean(), |x, y| {
            (x % 5 == 2 && y % 4 == 2 && y > 8).then_some(130)
        });
        assert!(quality.modulation < 4.0, "{quality:?}");
    }

    #[test]
    fn grades_are_the_first_that_holds() {
        assert_eq!(grade([true, true, true, true]), 4);
        assert_eq!(grade([false, false, true, true]), 2);
        assert_eq!(grade([false; 4]), 0);
    }
}
