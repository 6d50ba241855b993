//! What lies on the belt: item N as a function of seed and plan alone, so that
//! pictures and truth agree by construction and an endless belt needs no memory.
//!
//! Places are in pixels of the picture. An item's `origin` is the displacement
//! of the belt at which its leading edge enters the picture at x = 0; the belt
//! runs to the right.

use std::ops::Range;

use qrcode::bits::Bits;
use qrcode::{EcLevel, QrCode, Version};

use super::mix::mix;
use super::motion::{Motion, Step};
use super::print;
use super::script::{BeltScript, Place, ScriptedItem};
use crate::camera::{CameraError, CameraErrorKind};
use crate::config::{BeltSourcePlan, CameraPlan};
use crate::geometry::{Point, Quad};

/// Light modules around a symbol (ISO/IEC 18004, 6.3.8).
pub(super) const QUIET: f32 = 4.0;
/// Height of the strip of small print below the code, in modules.
pub(super) const STRIP: f32 = 6.0;
/// Largest version of random labels.
const MAX_VERSION: usize = 4;

/// Everything that does not change while the belt runs.
#[derive(Debug)]
pub(super) struct Scene {
    pub width: u32,
    pub height: u32,
    pub fps: f64,
    /// Exposures of even and odd frames, s.
    exposures: [f64; 2],
    /// From the first row's exposure to the last one's, s.
    pub readout: f64,
    pub plan: BeltSourcePlan,
    pub script: BeltScript,
    pub motion: Motion,
    layout: Layout,
    /// Scripted items, by origin; empty for a belt of random ones.
    scripted: Vec<Item>,
}

/// How random items lie one after another.
#[derive(Clone, Copy, Debug, Default)]
struct Layout {
    /// From one slot to the next, px.
    pitch: f64,
    /// Mean length of a box and its spread to either side, px.
    length: (f64, f64),
    /// Spread of a box around the middle of its slot, px.
    jitter: f64,
    /// Largest version that fits the picture.
    version: usize,
}

/// One thing on the belt.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub index: u64,
    /// Belt displacement at which its leading (right) edge is at x = 0.
    pub origin: f64,
    /// Along the belt, px.
    pub length: f64,
    /// Rows that it covers; may reach beyond the picture.
    pub rows: Range<i32>,
    pub boxed: bool,
    pub labels: Vec<Label>,
}

/// A label on an item.
#[derive(Clone, Debug)]
pub(super) struct Label {
    pub text: String,
    pub version: usize,
    pub level: EcLevel,
    /// Side of a module, px.
    pub module: f32,
    /// Centre of the code: x from the item's left edge, y in the picture.
    pub centre: Point,
    /// Clockwise in the picture, radians.
    pub turn: f32,
    /// Print below the code; without any there is something that looks like it.
    pub lines: Vec<String>,
    /// GS1 element strings: FNC1 in first position.
    pub gs1: bool,
    /// Print and code do not agree, on purpose.
    pub misprint: bool,
}

impl Label {
    /// Height of the strip of print below the code, in modules.
    pub(super) fn strip(&self) -> f32 {
        match self.lines.len() {
            0 => STRIP,
            lines => print::strip(lines),
        }
    }

    /// Modules in a row.
    pub(super) fn side(&self) -> f32 {
        (17 + 4 * self.version) as f32
    }

    /// The point `u` modules right of and `v` below the code's centre, in the
    /// label's own frame, as an offset in pixels.
    pub(super) fn turned(&self, u: f32, v: f32) -> Point {
        let (sin, cos) = self.turn.sin_cos();
        Point::new(u * cos - v * sin, u * sin + v * cos) * self.module
    }

    /// Corners of the code (without quiet zone), x from the item's left edge.
    pub(super) fn code(&self) -> Quad {
        let h = self.side() / 2.0;
        Quad([(-h, -h), (h, -h), (h, h), (-h, h)].map(|(u, v)| self.centre + self.turned(u, v)))
    }

    /// Corners of the paper: quiet zone and strip included.
    pub(super) fn paper(&self) -> Quad {
        let h = self.side() / 2.0 + QUIET;
        Quad(
            [
                (-h, -h),
                (h, -h),
                (h, h + self.strip()),
                (-h, h + self.strip()),
            ]
            .map(|(u, v)| self.centre + self.turned(u, v)),
        )
    }

    /// The modules, dark is true, row by row.
    pub(super) fn modules(&self) -> Vec<bool> {
        let (text, version) = (self.text.as_bytes(), Version::Normal(self.version as i16));
        if self.gs1 {
            return dark(self.gs1_code(text, version), self.side());
        }
        let code = QrCode::with_version(text, version, self.level)
            // The division into modes that the encoder chooses is not always the
            // shortest; what table 7 promises holds for a single segment.
            .or_else(|_| {
                let mut bits = Bits::new(version);
                bits.push_byte_data(text)?;
                bits.push_terminator(self.level)?;
                QrCode::with_bits(bits, self.level)
            });
        dark(code, self.side())
    }

    /// FNC1 in first position, then the elements (ISO/IEC 18004, 7.4.8.2).
    fn gs1_code(&self, text: &[u8], version: Version) -> qrcode::QrResult<QrCode> {
        let mut bits = Bits::new(version);
        bits.push_fnc1_first_position()?;
        bits.push_optimal_data(text)?;
        bits.push_terminator(self.level)?;
        QrCode::with_bits(bits, self.level)
    }
}

/// The modules of a code. Its makers have seen to it that text and version fit.
fn dark(code: qrcode::QrResult<QrCode>, side: f32) -> Vec<bool> {
    code.map_or_else(
        |_| vec![false; (side * side) as usize],
        |code| {
            code.into_colors()
                .into_iter()
                .map(|colour| colour == qrcode::Color::Dark)
                .collect()
        },
    )
}

impl Scene {
    pub(super) fn new(
        camera: &CameraPlan,
        plan: &BeltSourcePlan,
        script: BeltScript,
    ) -> Result<Self, CameraError> {
        let px_per_mm = f64::from(plan.px_per_mm);
        let speed = |m_s: f32| f64::from(m_s) * 1000.0 * px_per_mm;
        let steps: Vec<Step> = script
            .steps
            .iter()
            .map(|drive| Step {
                from: speed(drive.from_m_s.unwrap_or(plan.speed_m_s)),
                to: speed(drive.to_m_s.unwrap_or(plan.speed_m_s)),
                lasts: drive.lasts.as_secs_f64(),
            })
            .collect();
        let mut scene = Self {
            width: camera.width,
            height: camera.height,
            fps: f64::from(camera.fps),
            exposures: [0, 1].map(|n| f64::from(camera.exposure_of(n).unwrap_or(250)) * 1e-6),
            readout: f64::from(plan.readout_ms) * 1e-3,
            motion: Motion::new(&steps, speed(plan.speed_m_s)),
            layout: Layout::default(),
            scripted: Vec::new(),
            plan: plan.clone(),
            script,
        };
        if scene.script.items.is_empty() {
            scene.layout = Layout::new(camera, plan)?;
        } else {
            scene.scripted = scene.lay_out()?;
        }
        Ok(scene)
    }

    /// Scripted items in pixels.
    fn lay_out(&self) -> Result<Vec<Item>, CameraError> {
        let px = f64::from(self.plan.px_per_mm);
        let mut items: Vec<Item> = Vec::new();
        for (index, given) in self.script.items.iter().enumerate() {
            let (before, length_before) = items.last().map_or((0.0, 0.0), |i| (i.origin, i.length));
            let origin = before
                + match given.place {
                    Place::Gap(gap) => length_before + f64::from(gap) * px,
                    Place::Pitch(pitch) => f64::from(pitch) * px,
                };
            let item = self.scripted_item(index as u64, given, origin)?;
            if origin < before {
                return Err(unsupported(
                    format!("item {index} of the script lies before the one it follows"),
                    "give every item a gap or a pitch that is not negative",
                ));
            }
            items.push(item);
        }
        Ok(items)
    }

    fn scripted_item(
        &self,
        index: u64,
        given: &ScriptedItem,
        origin: f64,
    ) -> Result<Item, CameraError> {
        let px = self.plan.px_per_mm;
        let length = f64::from(given.length_mm * px);
        let middle = given.across * self.height as f32;
        let half = given.width_mm * px / 2.0;
        let mut labels = Vec::new();
        for label in &given.labels {
            let code = QrCode::with_error_correction_level(label.text.as_bytes(), label.ec_level());
            let Ok(Version::Normal(version)) = code.map(|code| code.version()) else {
                return Err(unsupported(
                    format!("the text of item {index} of the script does not fit a QR code"),
                    "shorten it or take a lower level of error correction",
                ));
            };
            labels.push(Label {
                text: label.text.clone(),
                version: version as usize,
                level: label.ec_level(),
                module: label.module_mm * px,
                centre: Point::new(
                    length as f32 / 2.0 + label.at_mm.0 * px,
                    middle + label.at_mm.1 * px,
                ),
                turn: label.turn_deg.to_radians(),
                lines: Vec::new(),
                gs1: false,
                misprint: false,
            });
        }
        Ok(Item {
            index,
            origin,
            length,
            rows: (middle - half).round() as i32..(middle + half).round() as i32,
            boxed: given.boxed,
            labels,
        })
    }

    /// How many items there are in all; `None`: without end.
    pub(super) fn count(&self) -> Option<u64> {
        match self.scripted.len() as u64 {
            0 => (self.plan.items > 0).then_some(self.plan.items),
            scripted => Some(scripted),
        }
    }

    /// Item `index`, if there is one.
    pub(super) fn item(&self, index: u64) -> Option<Item> {
        if !self.scripted.is_empty() {
            return self.scripted.get(usize::try_from(index).ok()?).cloned();
        }
        self.count()
            .is_none_or(|count| index < count)
            .then(|| self.layout.item(&self.plan, self.height, index))
    }

    /// Indices of the items of which some part may lie between `left` and
    /// `right` (px in the picture) when the belt has come to `place`.
    pub(super) fn between(&self, place: f64, left: f64, right: f64) -> Range<u64> {
        // An item covers place - origin - length .. place - origin.
        if !self.scripted.is_empty() {
            // Longer ones may reach past shorter ones that came before: rare, and
            // only a few at a time are in view.
            let reach = self.scripted.iter().map(|i| i.length).fold(0.0, f64::max);
            let first = self
                .scripted
                .partition_point(|i| place - i.origin - reach > right);
            let last = self.scripted.partition_point(|i| place - i.origin > left);
            return first as u64..last.max(first) as u64;
        }
        let slots = |x: f64| (place - x) / self.layout.pitch;
        let first = (slots(right) - 1.0).floor().max(0.0) as u64;
        let last = (slots(left).ceil() + 1.0).max(0.0) as u64;
        let last = self.count().map_or(last, |count| last.min(count));
        first.min(last)..last
    }

    /// When the source ends, s; infinite for a belt without end.
    pub(super) fn end(&self) -> f64 {
        let left = self
            .count()
            .and_then(|count| self.item(count.checked_sub(1)?))
            .map_or(f64::INFINITY, |item| self.left(&item));
        let told = self.script.ends.map_or(f64::INFINITY, |d| d.as_secs_f64());
        left.min(told)
    }

    /// When the last of `item` (its labels included) has left the picture, s;
    /// infinite if that never happens, 0 if it is never in view.
    fn left(&self, item: &Item) -> f64 {
        let (left, right) = item.extent();
        self.motion
            .last_within(
                item.origin + item.length - right,
                item.origin + item.length - left + f64::from(self.width),
            )
            .unwrap_or(0.0)
    }

    /// x of `item`'s left edge when the belt has come to `place`.
    pub(super) fn x_of(item: &Item, place: f64) -> f64 {
        place - item.origin - item.length
    }

    /// Exposure of frame `number`, s.
    pub fn exposure(&self, number: u64) -> f64 {
        self.exposures[(number % 2) as usize]
    }

    /// When the picture's row `y` is exposed, s after the middle row.
    pub(super) fn row_delay(&self, y: f64) -> f64 {
        (y / f64::from(self.height) - 0.5) * self.readout
    }
}

impl Item {
    /// Smallest upright rectangle around the paper of all labels: left, top,
    /// right, bottom, x from the item's left edge. `None` without labels.
    pub(super) fn papers(&self) -> Option<(f32, f32, f32, f32)> {
        self.labels
            .iter()
            .map(|label| label.paper().bounds())
            .reduce(|a, b| (a.0.min(b.0), a.1.min(b.1), a.2.max(b.2), a.3.max(b.3)))
    }

    /// Leftmost and rightmost x of box and labels, from the box's left edge.
    fn extent(&self) -> (f64, f64) {
        self.papers()
            .map_or((0.0, self.length), |(left, _, right, _)| {
                (f64::from(left).min(0.0), f64::from(right).max(self.length))
            })
    }
}

impl Layout {
    fn new(camera: &CameraPlan, plan: &BeltSourcePlan) -> Result<Self, CameraError> {
        let module = f64::from(plan.module_mm * plan.px_per_mm);
        // A label in any turn lies within this circle.
        let (strip, least) = match plan.print {
            true => (print::strip(2), print::VERSION),
            false => (STRIP, 1),
        };
        let diameter = |version: usize| {
            let side = (17 + 4 * version) as f64 + 2.0 * f64::from(QUIET);
            // From the code's centre to the far corner of the strip.
            let (across, down) = (side / 2.0, side / 2.0 + f64::from(strip));
            module * 2.0 * (across * across + down * down).sqrt()
        };
        let fits = |version: &usize| diameter(*version) + 4.0 <= f64::from(camera.height);
        let most = if plan.print { least } else { MAX_VERSION };
        let Some(version) = (least..=most).rev().find(fits) else {
            return Err(unsupported(
                format!(
                    "camera.belt: a label with modules of {module:.1} pixels does not fit a picture {} pixels high",
                    camera.height
                ),
                "lower camera.belt.module-mm or camera.belt.px-per-mm, or raise camera.height",
            ));
        };
        let gap = f64::from(plan.gap_mm * plan.px_per_mm);
        let spread = (30.0 * f64::from(plan.px_per_mm)).min(0.45 * gap);
        let length = diameter(version) + 10.0 * f64::from(plan.px_per_mm) + spread;
        Ok(Self {
            pitch: length + gap,
            length: (length, spread),
            // Two boxes of the greatest length still do not touch.
            jitter: 0.4 * (gap - spread),
            version,
        })
    }

    fn item(&self, plan: &BeltSourcePlan, height: u32, index: u64) -> Item {
        let mut random = fastrand::Rng::with_seed(mix(plan.seed, index));
        let between =
            |random: &mut fastrand::Rng, low: f64, high: f64| low + (high - low) * random.f64();
        let length = self.length.0 + self.length.1 * between(&mut random, -1.0, 1.0);
        let middle =
            (index as f64 + 0.5) * self.pitch + self.jitter * between(&mut random, -1.0, 1.0);
        let version = random.usize(1..=self.version);
        let level = *random
            .choice(&[EcLevel::L, EcLevel::M, EcLevel::Q, EcLevel::H])
            .unwrap_or(&EcLevel::M);
        let mut label = Label {
            text: text(&mut random, version, level, index),
            version,
            level,
            module: plan.module_mm * plan.px_per_mm,
            centre: Point::default(),
            turn: (90.0 * random.u32(0..4) as f32 + 24.0 * (random.f32() - 0.5)).to_radians(),
            lines: Vec::new(),
            gs1: false,
            misprint: false,
        };
        if plan.print {
            let content = print::content(plan.seed, index, plan.misprint_every);
            label = Label {
                text: content.code,
                version: print::VERSION,
                level: EcLevel::M,
                lines: content.lines,
                gs1: true,
                misprint: content.misprint,
                ..label
            };
        }
        // Room of the paper around the code's centre, so that all of it is seen.
        let (left, top, right, bottom) = label.paper().bounds();
        let px = f64::from(plan.px_per_mm);
        let y = between(
            &mut random,
            2.0 - f64::from(top),
            f64::from(height) - 2.0 - f64::from(bottom),
        );
        let x = between(
            &mut random,
            2.0 * px - f64::from(left),
            length - 2.0 * px - f64::from(right),
        );
        let above = between(&mut random, 4.0, 40.0) * px;
        let below = between(&mut random, 4.0, 40.0) * px;
        Item {
            index,
            origin: middle - length / 2.0,
            length,
            rows: (y + f64::from(top) - above) as i32..(y + f64::from(bottom) + below) as i32,
            boxed: true,
            labels: vec![Label {
                centre: Point::new(x as f32, y as f32),
                ..label
            }],
        }
    }
}

/// Characters that a version and level hold in numeric, alphanumeric and byte
/// mode (ISO/IEC 18004, table 7).
fn capacity(version: usize, level: EcLevel) -> [usize; 3] {
    const TABLE: [[[usize; 3]; 4]; MAX_VERSION] = [
        [[41, 25, 17], [34, 20, 14], [27, 16, 11], [17, 10, 7]],
        [[77, 47, 32], [63, 38, 26], [48, 29, 20], [34, 20, 14]],
        [[127, 77, 53], [101, 61, 42], [77, 47, 32], [58, 35, 24]],
        [[187, 114, 78], [149, 90, 62], [111, 67, 46], [82, 50, 34]],
    ];
    let level = match level {
        EcLevel::L => 0,
        EcLevel::M => 1,
        EcLevel::Q => 2,
        EcLevel::H => 3,
    };
    TABLE[version.clamp(1, MAX_VERSION) - 1][level]
}

/// A text for item `index`, different from that of every other item: the index
/// in front, then whatever fits.
fn text(random: &mut fastrand::Rng, version: usize, level: EcLevel, index: u64) -> String {
    const DIGITS: &[u8] = b"0123456789";
    const CAPITALS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-./:";
    const LETTERS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_=&?";
    let capacity = capacity(version, level);
    let mode = random.usize(0..3);
    let (mode, index) = match mode {
        // What small symbols cannot hold in byte mode goes in digits.
        2 if capacity[2] >= 14 => (2, format!("box/{index:06x}/")),
        1 => (1, format!("{index:06X}-")),
        _ => (0, format!("{index:09}")),
    };
    let room = capacity[mode].saturating_sub(index.len());
    let length = random.usize(room / 3..=room);
    let alphabet = [DIGITS, CAPITALS, LETTERS][mode];
    let mut text = index;
    text.extend((0..length).map(|_| char::from(alphabet[random.usize(0..alphabet.len())])));
    text
}

fn unsupported(message: String, cure: &str) -> CameraError {
    CameraError {
        kind: CameraErrorKind::Unsupported,
        message,
        cure: cure.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::belt::tests::camera_plan;

    #[test]
    fn every_random_text_fits_its_symbol_and_is_its_own() {
        let scene = Scene::new(
            &camera_plan(),
            &BeltSourcePlan::default(),
            BeltScript::new(),
        )
        .expect("the defaults are a belt");
        let mut texts = std::collections::HashSet::new();
        let mut versions = std::collections::HashSet::new();
        for index in 0..400 {
            let item = scene.item(index).expect("endless");
            let label = &item.labels[0];
            assert!(
                label.modules().iter().any(|&dark| dark),
                "{label:?} does not fit"
            );
            versions.insert((label.version, label.level as u8));
            assert!(texts.insert(label.text.clone()), "twice: {}", label.text);
            let (left, top, right, bottom) = label.paper().bounds();
            assert!(
                top >= 0.0 && bottom <= 800.0,
                "leaves the picture: {item:?}"
            );
            assert!(
                left >= 0.0 && f64::from(right) <= item.length,
                "leaves the box"
            );
        }
        assert_eq!(versions.len(), 16, "all versions and levels occur");
    }

    #[test]
    fn boxes_do_not_overlap_and_are_found_by_place() {
        for gap_mm in [0.0, 20.0, 120.0] {
            let plan = BeltSourcePlan {
                gap_mm,
                ..BeltSourcePlan::default()
            };
            let scene = Scene::new(&camera_plan(), &plan, BeltScript::new()).expect("a belt");
            let items: Vec<_> = (0..200).filter_map(|i| scene.item(i)).collect();
            for pair in items.windows(2) {
                assert!(
                    pair[0].origin + pair[0].length <= pair[1].origin + 1e-6,
                    "overlap at gap {gap_mm}"
                );
            }
            let place = 40_000.0;
            let found = scene.between(place, 0.0, 1280.0);
            for item in &items {
                let x = Scene::x_of(item, place);
                if x < 1280.0 && x + item.length > 0.0 {
                    assert!(found.contains(&item.index));
                }
            }
            assert!(found.end - found.start < 12);
        }
    }

    #[test]
    fn a_label_too_large_for_the_picture_is_refused_with_a_cure() {
        let plan = BeltSourcePlan {
            module_mm: 10.0,
            ..BeltSourcePlan::default()
        };
        let error = Scene::new(&camera_plan(), &plan, BeltScript::new()).expect_err("too large");
        assert_eq!(error.kind, CameraErrorKind::Unsupported);
        assert!(error.to_string().contains("camera.belt.module-mm"));
    }
}
