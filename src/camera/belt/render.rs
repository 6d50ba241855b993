//! One frame of the belt: surfaces, boxes, labels and hands composed row by row,
//! each row at the time at which the sensor reads it.

use std::sync::Arc;

use super::mix::mix;
use super::scene::{Item, Scene};
use super::sensor::Sensor;
use super::sprite::{BLUR_UNIT, Sprite};
use super::texture::Texture;

/// Pixels of a box's darker rim.
const RIM: f64 = 3.0;

/// Draws frames into memory of the caller's. Frames may be asked for in any
/// order; asked for in theirs, what is drawn once serves many.
#[derive(Debug)]
pub(super) struct Renderer {
    scene: Arc<Scene>,
    rubber: Texture,
    cardboard: Texture,
    sensor: Sensor,
    /// Items in view.
    shown: Vec<Shown>,
    /// Sprites of items that have left, for their memory.
    spare: Vec<Sprite>,
}

#[derive(Debug)]
struct Shown {
    item: Item,
    sprites: Vec<Sprite>,
    /// Grey levels by which its cardboard is lighter than others.
    tone: i16,
}

impl Renderer {
    pub(super) fn new(scene: Arc<Scene>) -> Self {
        let seed = scene.plan.seed;
        Self {
            rubber: Texture::rubber(mix(seed, 0xB317)),
            cardboard: Texture::cardboard(mix(seed, 0xB0C5)),
            sensor: Sensor::new(
                (scene.width, scene.height),
                scene.script.look.vignetting,
                scene.plan.glare,
                scene.plan.noise,
                seed,
            ),
            scene,
            shown: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Draws frame `number` into `out`, rows without padding.
    pub(super) fn draw(&mut self, number: u64, out: &mut [u8]) {
        let scene = Arc::clone(&self.scene);
        let time = number as f64 / scene.fps;
        let (width, height) = (scene.width as usize, scene.height as usize);
        // Acceleration within a frame changes the blur by less than its unit.
        let way = scene.motion.velocity(time).abs() * scene.exposure(number);
        let blur = (way / BLUR_UNIT).round() as u32;
        self.look_at(time, way);
        self.rubber.blur(blur);
        self.cardboard.blur(blur);
        for sprite in self.shown.iter_mut().flat_map(|shown| &mut shown.sprites) {
            sprite.blur(blur);
        }
        for (y, row) in out.chunks_exact_mut(width).take(height).enumerate() {
            let at = time + scene.row_delay(y as f64 + 0.5);
            let place = scene.motion.place(at);
            self.rubber.fill(row, y, -place, 0);
            for shown in &self.shown {
                let x = Scene::x_of(&shown.item, place);
                if shown.item.boxed && shown.item.rows.contains(&(y as i32)) {
                    self.lay_box(row, y as i32, x, way, shown);
                }
                for sprite in &shown.sprites {
                    sprite.lay(row, y as i32, x);
                }
            }
            self.lay_hands(row, y, at, place);
            self.sensor.expose(row, y as u32, number);
        }
    }

    /// Brings `shown` up to date for a frame at `time` in which the belt goes
    /// `way` pixels.
    fn look_at(&mut self, time: f64, way: f64) {
        let scene = &self.scene;
        let place = scene.motion.place(time);
        let ends = [0.0, f64::from(scene.height)]
            .map(|y| (scene.motion.place(time + scene.row_delay(y)) - place).abs());
        let slack = ends[0].max(ends[1]) + way + 8.0;
        let in_view = scene.between(place, -slack, f64::from(scene.width) + slack);
        let spare = &mut self.spare;
        self.shown.retain_mut(|shown| {
            let stays = in_view.contains(&shown.item.index);
            if !stays {
                spare.append(&mut shown.sprites);
            }
            stays
        });
        for index in in_view {
            if self.shown.iter().any(|shown| shown.item.index == index) {
                continue;
            }
            let Some(item) = scene.item(index) else {
                continue;
            };
            let seed = mix(scene.plan.seed, index);
            let sprites = item
                .labels
                .iter()
                .zip(1..)
                .map(|(label, nth)| {
                    let mut sprite = self.spare.pop().unwrap_or_default();
                    sprite.draw(label, &scene.script.look, mix(seed, nth));
                    sprite
                })
                .collect();
            self.shown.push(Shown {
                tone: (mix(seed, 3) % 31) as i16 - 15,
                item,
                sprites,
            });
        }
        // Later items lie upstream; the order decides nothing else than who is
        // drawn first, and that must not depend on the frames before.
        self.shown.sort_unstable_by_key(|shown| shown.item.index);
    }

    fn lay_box(&self, row: &mut [u8], y: i32, x: f64, way: f64, shown: &Shown) {
        let Item { rows, length, .. } = &shown.item;
        let from_rim = f64::from((y - rows.start).min(rows.end - 1 - y));
        let high = f64::from(rows.end - rows.start);
        let from_middle = (f64::from(y - rows.start) - high / 2.0).abs();
        let tone = shown.tone
            + if from_rim < RIM {
                -40
            } else if from_middle < 0.07 * high {
                // The tape along its middle.
                16
            } else {
                0
            };
        let surface = |tone| Surface {
            texture: &self.cardboard,
            row: (y - rows.start) as usize,
            origin: x - (shown.item.index % 7) as f64 * 131.0,
            tone,
        };
        surface(tone).span(row, x, x + length, way);
        if from_rim >= RIM {
            surface(tone - 40).span(row, x, x + RIM, way);
            surface(tone - 40).span(row, x + length - RIM, x + length, way);
        }
    }

    /// Hands over items: a palm over all labels of one, and the arm that comes
    /// in from below.
    fn lay_hands(&self, row: &mut [u8], y: usize, at: f64, place: f64) {
        for cover in &self.scene.script.covers {
            if at < cover.from.as_secs_f64() || at >= cover.until.as_secs_f64() {
                continue;
            }
            let Some(shown) = self.shown.iter().find(|s| s.item.index == cover.item) else {
                continue;
            };
            let Some((left, top, right, bottom)) = shown.item.papers() else {
                continue;
            };
            let x = Scene::x_of(&shown.item, place) + f64::from(left + right) / 2.0;
            let (a, b) = (f64::from(right - left), f64::from(bottom - top));
            let from_middle = y as f64 + 0.5 - f64::from(top + bottom) / 2.0;
            // An ellipse around a rectangle is larger by the root of two.
            let (a, b) = (0.71 * a + 6.0, 0.71 * b + 6.0);
            let palm = a * (1.0 - (from_middle / b).powi(2)).max(0.0).sqrt();
            let arm = if from_middle > 0.0 { 0.55 * a } else { 0.0 };
            let half = palm.max(arm);
            if half > 0.0 {
                Surface {
                    texture: &self.cardboard,
                    row: y,
                    origin: x,
                    tone: 28,
                }
                .span(row, x - half, x + half, 0.0);
            }
        }
    }
}

/// A row of a surface that lies in the picture.
#[derive(Clone, Copy)]
struct Surface<'a> {
    texture: &'a Texture,
    row: usize,
    /// Where the surface's own place 0 lies in the picture, px.
    origin: f64,
    tone: i16,
}

impl Surface<'_> {
    /// Covers `left..right` of a row of the picture while it goes `way` pixels.
    fn span(self, out: &mut [u8], left: f64, right: f64, way: f64) {
        let half = way / 2.0;
        let width = out.len() as f64;
        let clip = |x: f64| x.clamp(0.0, width) as usize;
        let (from, to) = (clip((left - half).floor()), clip((right + half).ceil()));
        let inner = (clip((left + half).ceil()), clip((right - half).floor()));
        let (solid, end) = if inner.0 < inner.1 { inner } else { (to, to) };
        for x in (from..solid).chain(end..to) {
            let place = x as f64;
            let part = cover(place, left, way) - cover(place, right, way);
            let level = f64::from(self.texture.at(self.row, place - self.origin, self.tone));
            let below = f64::from(out[x]);
            out[x] = (below + part.clamp(0.0, 1.0) * (level - below)).round() as u8;
        }
        if solid < end {
            let start = solid as f64 - self.origin;
            self.texture
                .fill(&mut out[solid..end], self.row, start, self.tone);
        }
    }
}

/// Mean share of the pixel from `x` to `x + 1` that lies right of an edge which
/// goes from `edge - way / 2` to `edge + way / 2` during the exposure.
fn cover(x: f64, edge: f64, way: f64) -> f64 {
    // The integral up to z of what share of the time the edge is left of z.
    let upto = |z: f64| {
        if z <= -way / 2.0 {
            0.0
        } else if z >= way / 2.0 {
            z
        } else {
            (z + way / 2.0).powi(2) / (2.0 * way)
        }
    };
    upto(x + 1.0 - edge) - upto(x - edge)
}
